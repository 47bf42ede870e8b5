//! Sources: looked at before anything is shared, fetched only when changed, counted by what is new, known and gone, and
//! taken back where their word counts for that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode, header};
use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_exchange::entries::{OBJECT_RECALLED, OBJECT_SHARED};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;

use crate::support::binary::run_beside;
use crate::support::{Answer, Client, World, within};

/// A server of lists that knows ETags, counts what it is asked and keeps the last request's headers.
#[derive(Clone, Default)]
struct Lists {
    content: Arc<Mutex<String>>,
    sent: Arc<AtomicUsize>,
    unchanged: Arc<AtomicUsize>,
    asked: Arc<Mutex<HeaderMap>>,
}

impl Lists {
    async fn serve(content: &str) -> (Self, String) {
        let lists = Self { content: Arc::new(Mutex::new(content.to_owned())), ..Self::default() };
        let served = lists.clone();
        let app = axum::Router::new().fallback(move |headers: HeaderMap| {
            let lists = served.clone();
            async move {
                let content = lists.content.lock().unwrap().clone();
                let etag = format!("\"{}-{}\"", content.len(), content.bytes().map(u64::from).sum::<u64>());
                let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *etag);
                *lists.asked.lock().unwrap() = headers;
                if known {
                    lists.unchanged.fetch_add(1, Ordering::SeqCst);
                    return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)], String::new());
                }
                lists.sent.fetch_add(1, Ordering::SeqCst);
                (StatusCode::OK, [(header::ETAG, etag)], content)
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/list", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (lists, url)
    }

    fn now_says(&self, content: &str) {
        *self.content.lock().unwrap() = content.to_owned();
    }
}

async fn add(client: &Client, more: Json) -> String {
    let mut new = json!({"name": "a list", "format": "plain", "trust": 80, "marking": "GREEN"});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post_json("/api/v1/sources", &new).await.expect(200).json()["id"].as_str().unwrap().to_owned()
}

/// Runs a source and waits until it has run.
async fn fetched(client: &Client, id: &str, query: &str) -> Json {
    let path = format!("/api/v1/sources/{id}");
    let before = client.get_json(&path).await["runs"].as_u64().unwrap();
    Answer::to(client.change(Method::POST, &format!("{path}/run{query}"))).await.expect(200);
    within("a run", async {
        loop {
            let now = client.get_json(&path).await;
            if now["runs"].as_u64().unwrap() > before && now["busy"] == false {
                return now;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

async fn entries(client: &Client, kind: &str) -> usize {
    let path = format!("/api/v1/ledger/entries?group={}&kind={kind}&limit=1000", GroupId::ALLIANCE);
    client.get_json(&path).await["entries"].as_array().unwrap().len()
}

fn counts(source: &Json) -> [u64; 6] {
    ["found", "new", "known", "gone", "recalled", "refused"]
        .map(|name| source["counts"][name].as_u64().unwrap())
}

#[tokio::test]
async fn a_list_is_looked_at_fetched_when_changed_and_counted() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let (lists, url) = Lists::serve("198.51.100.1\nevil[.]example\nnot a value\n198.51.100.2\n").await;
    let secret = json!({"url": format!("{url}?key=planted-key"), "secret": "planted-secret", "authoritative": true, "expiry_days": 30});
    let id = add(&analyst, secret).await;
    let seen = Answer::to(analyst.change(Method::POST, &format!("/api/v1/sources/{id}/preview")))
        .await
        .expect(200)
        .json();
    assert_eq!(counts(&seen), [4, 3, 0, 0, 0, 1], "{seen}");
    assert_eq!(seen["shared"].as_array().unwrap().len(), 3);
    assert_eq!(seen["refused"][0]["path"], "line 3");
    assert_eq!(entries(&analyst, OBJECT_SHARED).await, 0, "nothing is shared by looking");

    assert_eq!(counts(&fetched(&analyst, &id, "").await), [4, 3, 0, 0, 0, 1]);
    assert_eq!(lists.asked.lock().unwrap()["authorization"], "Bearer planted-secret");
    let same = fetched(&analyst, &id, "").await;
    assert_eq!((lists.unchanged.load(Ordering::SeqCst), &same["unchanged"]), (1, &json!(1)));
    lists.now_says("198.51.100.1\nevil[.]example\nhxxp://bad.example/x\n");
    assert_eq!(counts(&fetched(&analyst, &id, "").await), [3, 1, 2, 1, 1, 0]);
    assert_eq!((entries(&analyst, OBJECT_SHARED).await, entries(&analyst, OBJECT_RECALLED).await), (4, 1));
    // Trust and expiry are on what was shared.
    let found = analyst.get_json("/api/v1/objects?text=evil").await;
    let object = found["objects"][0]["id"].as_str().unwrap();
    let object =
        analyst.get_json(&format!("/api/v1/objects/{object}")).await["versions"][0]["object"].clone();
    assert_eq!(object["confidence"], 80);
    assert!(object["valid_until"].is_string(), "{object}");
    // What comes back is shared again.
    lists.now_says("198.51.100.1\nevil[.]example\nhxxp://bad.example/x\n198.51.100.2\n");
    let back = fetched(&analyst, &id, "").await;
    assert_eq!(counts(&back), [4, 0, 3, 0, 0, 0], "{back}");
    assert_eq!(back["counts"]["renewed"], 1);

    let told = format!(
        "{}{}",
        analyst.get("/api/v1/sources").await.text(),
        world.operator().get("/metrics").await.text()
    );
    assert!(told.contains("/list") && !told.contains("planted"), "{told}");
    let page = world.session("LU", Role::Analyst).await.get("/intelligence/sources").await.expect(200).text();
    assert!(page.contains("a list") && !page.contains("planted"));
    // Another member sees nothing of it.
    let other = world.token("EE", Role::Analyst).await;
    assert_eq!(other.get_json("/api/v1/sources").await, json!({"sources": []}));
    other.get(&format!("/api/v1/sources/{id}")).await.expect(404);
    Answer::to(analyst.change(Method::DELETE, &format!("/api/v1/sources/{id}"))).await.expect(204);
    assert_eq!(analyst.get_json("/api/v1/sources").await, json!({"sources": []}));
    world.end().await;
}

#[tokio::test]
async fn a_list_that_is_suddenly_empty_takes_nothing_back_unasked() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let values: String = (1..=40).map(|n| format!("198.51.100.{n}\n")).collect();
    let (lists, url) = Lists::serve(&values).await;
    let id = add(&analyst, json!({"url": url, "authoritative": true})).await;
    assert_eq!(counts(&fetched(&analyst, &id, "").await), [40, 40, 0, 0, 0, 0]);
    lists.now_says("# under maintenance\n");
    for _ in 0..2 {
        let stopped = fetched(&analyst, &id, "").await;
        assert_eq!((&stopped["error_code"], &stopped["counts"]["gone"]), (&json!("source.gone"), &json!(40)));
        assert_eq!(entries(&analyst, OBJECT_RECALLED).await, 0);
    }
    let confirmed = fetched(&analyst, &id, "?confirm=yes").await;
    assert_eq!(
        (&confirmed["error"], &confirmed["counts"]["recalled"]),
        (&Json::Null, &json!(40)),
        "{confirmed}"
    );
    assert_eq!(entries(&analyst, OBJECT_RECALLED).await, 40);
    world.end().await;
}

#[tokio::test]
async fn prose_csv_and_stix_are_handed_in() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let hand_in = async |id: &str, content: String| {
        let path = format!("/api/v1/sources/{id}/run");
        analyst.post(&path, "application/octet-stream", content).await.expect(200).json()
    };
    let prose = add(&analyst, json!({"name": "reports", "format": "text"})).await;
    let taken =
        hand_in(&prose, "It beacons to c2[.]evil[.]example and 203.0.113.9, see README.md.".into()).await;
    assert_eq!((&taken["new"], &taken["refused"]), (&json!(2), &json!(0)), "{taken}");
    let csv = add(
        &analyst,
        json!({"name": "rows", "format": "csv", "value_column": "Host", "label_column": "family"}),
    )
    .await;
    let taken = hand_in(
        &csv,
        "seen,host,family\n2026-01-01,one.evil.example,Emotet\n2026-01-02,two.evil.example,\n".into(),
    )
    .await;
    assert_eq!(taken["new"], 2, "{taken}");
    let stix = add(&analyst, json!({"name": "objects", "format": "stix"})).await;
    let tool = json!({"type": "tool", "spec_version": "2.1", "id": "tool--00000000-0000-4000-8000-000000000001", "name": "x",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z"});
    let bundle = json!({"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000001", "objects": [tool, {"type": "tool"}]});
    let taken = hand_in(&stix, bundle.to_string()).await;
    assert_eq!((&taken["new"], &taken["refused"]), (&json!(1), &json!(1)), "{taken}");
    assert_eq!(hand_in(&stix, bundle.to_string()).await["known"], 1);
    analyst
        .post_json("/api/v1/sources", &json!({"name": "x", "format": "plain", "url": "http://10.0.0.1/"}))
        .await
        .expect(200);
    let listed = analyst.get_json("/api/v1/sources").await;
    let inner = listed["sources"].as_array().unwrap().iter().find(|source| source["name"] == "x").unwrap();
    let failed = fetched(&analyst, inner["id"].as_str().unwrap(), "").await;
    assert_eq!(failed["error_code"], "fetch.blocked", "the hub's own network is not reached for");
    world.end().await;
}

#[tokio::test]
async fn sources_and_peers_are_looked_after_from_the_command_line() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let (_, url) = Lists::serve("198.51.100.1\n198.51.100.2\n").await;
    let hub = |client: &Client, words: &[&str]| -> Vec<String> {
        let options = ["--hub", &world.url(), "--token", client.secret(), "--json"].map(str::to_owned);
        words.iter().map(|word| (*word).to_owned()).chain(options).collect()
    };
    let added = hub(&analyst, &["feed", "source", "add", "mine", "--url", &url, "--trust", "70"]);
    assert_eq!(run_beside(added).await.expect(0).json()["name"], "mine");
    let seen = run_beside(hub(&analyst, &["feed", "source", "preview", "mine"])).await.expect(0).json();
    assert_eq!(seen["counts"]["new"], 2);
    let ran = run_beside(hub(&analyst, &["feed", "source", "run", "mine"])).await.expect(0).json();
    assert_eq!(ran["counts"]["new"], 2, "{ran}");
    let listed = run_beside(hub(&analyst, &["feed", "source", "list"])).await.expect(0).json();
    assert_eq!(listed["sources"].as_array().unwrap().len(), 1);
    run_beside(hub(&analyst, &["feed", "source", "remove", "mine"])).await.expect(0);

    let operator = world.operator();
    let words =
        ["peer", "add", "other", "--url", "http://127.0.0.1:9/", "--member", "PT", "--interval", "3600"];
    assert_eq!(run_beside(hub(operator, &words)).await.expect(0).json()["name"], "other");
    run_beside(hub(operator, &["peer", "run", "other"])).await.expect(1);
    let shown = run_beside(hub(operator, &["peer", "show", "other"])).await.expect(0).json();
    assert_eq!(shown["groups"][0]["progress"]["error_code"], "fetch.broken", "{shown}");
    run_beside(hub(operator, &["peer", "pause", "other"])).await.expect(0);
    assert_eq!(
        run_beside(hub(operator, &["peer", "list"])).await.expect(0).json()["peers"][0]["paused"],
        true
    );
    run_beside(hub(operator, &["peer", "remove", "other"])).await.expect(0);
    run_beside(hub(operator, &["peer", "show", "other"])).await.expect(2);
    world.end().await;
}
