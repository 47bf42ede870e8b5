//! What one is not party to: absent wherever one looks, and nothing that counts, pages or follows tells otherwise.

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;

use crate::support::client::Event;
use crate::support::stix::{bundle, domain, indicator, story};
use crate::support::{Answer, Client, World};

const TAXII: &str = "application/taxii+json;version=2.1";

async fn share(world: &World, owner: &Client, member: &str, group: GroupId, name: &str) -> String {
    let (id, object) =
        indicator(world.member(member).id, &domain(name), IndicatorRole::Malicious, world.now());
    let path = format!("/api/v1/objects?group={group}");
    assert_eq!(
        owner.post(&path, "application/json", bundle(&[object])).await.expect(200).json()["accepted"],
        1
    );
    id.to_string()
}

/// An answer without the id that was asked for, so that two can be compared byte by byte.
fn without(answer: &Answer, id: &str) -> String {
    answer.text().replace(id, "ID")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hidden_answers_like_what_is_not_there() {
    let world = World::start().await;
    let theirs = world.group("Iberian desk", "AMBER", "shown", &["ES", "FR"]).await;
    let spain = world.token("ES", Role::Analyst).await;
    let hidden = share(&world, &spain, "ES", theirs.id, "hidden.evil-cdn.example").await;
    let (absent, absent_group) =
        ("indicator--0b6f0c1e-8f0e-5a7b-9d3e-0123456789ab", "0b6f0c1e-8f0e-4a7b-9d3e-0123456789ab");
    let own_group = theirs.id.uuid().to_string();
    let collection = |group: &str| format!("/taxii2/api/collections/{group}/");
    for role in [Role::Analyst, Role::Officer, Role::Auditor] {
        let program = world.token("LU", role).await;
        let person = world.session("LU", role).await;
        for path in ["/api/v1/objects/ID", "/api/v1/objects/ID/graph"] {
            let found = program.get(&path.replace("ID", &hidden)).await.expect(404);
            let nothing = program.get(&path.replace("ID", absent)).await.expect(404);
            assert_eq!(without(&found, &hidden), without(&nothing, absent), "{path}");
        }
        let (found, nothing) = (
            person.get(&format!("/intelligence/{hidden}")).await,
            person.get(&format!("/intelligence/{absent}")).await,
        );
        assert_eq!((found.status, nothing.status), (404, 404));
        assert_eq!(without(&found, &hidden), without(&nothing, absent), "the page");
        for path in [
            "",
            "manifest/",
            "objects/",
            &format!("objects/{hidden}/"),
            &format!("objects/{hidden}/versions/"),
        ] {
            let ask = async |group: &str| {
                Answer::to(
                    program
                        .request(Method::GET, &format!("{}{path}", collection(group)))
                        .header("accept", TAXII),
                )
                .await
            };
            let (found, nothing) = (ask(&own_group).await.expect(404), ask(absent_group).await.expect(404));
            assert_eq!(found.text(), nothing.text(), "{path}");
        }
        // In the alliance's own collection the object is as absent as any other.
        let alliance = collection(&GroupId::ALLIANCE.uuid().to_string());
        let path = format!("{alliance}objects/{hidden}/");
        Answer::to(program.request(Method::GET, &path).header("accept", TAXII)).await.expect(404);
        for path in ["checkpoint", "verify"] {
            program.get(&format!("/api/v1/ledger/{}/{path}", theirs.id)).await.expect(404);
        }
        person.get(&format!("/ledger/{}/1", theirs.id)).await.expect(404);
        let whole = [
            program.get("/api/v1/objects").await.expect(200).text(),
            program.get("/api/v1/objects?text=hidden").await.expect(200).text(),
            program.get("/api/v1/ledger/entries").await.expect(200).text(),
            program.get("/api/v1/groups").await.expect(200).text(),
            program.get("/api/v1/warnings").await.expect(200).text(),
            Answer::to(program.request(Method::GET, "/taxii2/api/collections/").header("accept", TAXII))
                .await
                .expect(200)
                .text(),
            person.get("/intelligence?text=hidden").await.expect(200).text(),
            person.get("/").await.expect(200).text(),
            person.get("/members").await.expect(200).text(),
            person.get("/ledger").await.expect(200).text(),
        ];
        for text in whole {
            assert!(
                !text.contains("hidden.evil-cdn") && !text.contains(&own_group) && !text.contains("Iberian"),
                "{role}: {text}"
            );
        }
    }
    // Whoever is party finds it in each of these places: the search above could have found it.
    for path in [
        format!("/api/v1/objects/{hidden}"),
        "/api/v1/objects?text=hidden".into(),
        "/api/v1/ledger/entries".into(),
    ] {
        assert!(spain.get(&path).await.expect(200).text().contains("hidden.evil-cdn"), "{path}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_tells_whether_others_share_among_themselves() {
    let world = World::start().await;
    let theirs = world.group("Iberian desk", "AMBER", "shown", &["ES", "FR"]).await;
    let (spain, luxembourg) =
        (world.token("ES", Role::Analyst).await, world.token("LU", Role::Analyst).await);
    let sensor = world.token("LU", Role::Sensor).await;
    share(&world, &luxembourg, "LU", GroupId::ALLIANCE, "known.evil-cdn.example").await;
    let look = async || {
        let mut seen = Vec::new();
        for path in [
            "/api/v1/watchlist",
            "/api/v1/objects",
            "/api/v1/objects?limit=1",
            "/api/v1/warnings",
            "/api/v1/picture",
            "/api/v1/picture/map",
            "/api/v1/ledger/entries",
            "/api/v1/ledger/entries?limit=1",
            "/api/v1/me",
            "/api/v1/groups",
            "/api/v1/members",
        ] {
            seen.push((path, luxembourg.get(path).await.expect(200).text()));
        }
        seen.push(("the sensor's watchlist", sensor.get("/api/v1/watchlist").await.expect(200).text()));
        let collection = format!("/taxii2/api/collections/{}/objects/?limit=1", GroupId::ALLIANCE.uuid());
        seen.push((
            "TAXII",
            Answer::to(luxembourg.request(Method::GET, &collection).header("accept", TAXII))
                .await
                .expect(200)
                .text(),
        ));
        seen
    };
    let mut stream = luxembourg.events(None).await;
    let opened = stream.next().await.unwrap();
    let before = look().await;
    for number in 0..5 {
        let id = share(&world, &spain, "ES", theirs.id, &format!("hidden-{number}.evil-cdn.example")).await;
        let now = world.now().to_string();
        let body = json!({"sightings": [{"group": theirs.id, "indicator": id, "first_seen": now, "last_seen": now, "count": 1,
            "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": now}]});
        let request = spain
            .change(Method::POST, "/api/v1/sightings")
            .header("idempotency-key", format!("hidden-{number}"))
            .json(&body);
        assert_eq!(Answer::to(request).await.expect(200).json()["accepted"], 1);
    }
    for ((path, before), (_, after)) in before.iter().zip(look().await) {
        assert_eq!(*before, after, "{path} tells of what others share among themselves");
    }
    // A new stream opens with the very id it had: ids come from what one may see.
    let again = luxembourg.events(None).await.next().await.unwrap();
    assert_eq!(again, opened);
    // And the open one goes on with the next thing that is for it, as though nothing had been.
    let marker = share(&world, &luxembourg, "LU", GroupId::ALLIANCE, "marker.evil-cdn.example").await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.name.as_str(), &event.data["id"]), ("object", &json!(marker)), "the first event after");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_is_good_for_its_reader_alone() {
    let world = World::start().await;
    let (mine, other) = (world.token("LU", Role::Analyst).await, world.token("LU", Role::Analyst).await);
    let stranger = world.token("EE", Role::Analyst).await;
    for number in 0..3 {
        share(&world, &mine, "LU", GroupId::ALLIANCE, &format!("page-{number}.evil-cdn.example")).await;
    }
    for (path, key) in [("/api/v1/watchlist?limit=1", "next"), ("/api/v1/objects?limit=1", "next")] {
        let cursor = mine.get_json(path).await[key].as_str().unwrap().to_owned();
        mine.get(&format!("{path}&after={cursor}")).await.expect(200);
        for client in [&other, &stranger] {
            assert_eq!(
                client.get(&format!("{path}&after={cursor}")).await.expect(410).code(),
                "cursor.stale",
                "{path}"
            );
        }
        let mut forged = cursor.into_bytes();
        forged[5] = if forged[5] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(
            mine.get(&format!("{path}&after={forged}")).await.expect(410).code(),
            "cursor.stale",
            "{path}"
        );
    }
    let objects = format!("/taxii2/api/collections/{}/objects/?limit=1", GroupId::ALLIANCE.uuid());
    let taxii = async |client: &Client, path: &str| {
        Answer::to(client.request(Method::GET, path).header("accept", TAXII)).await
    };
    let next = taxii(&mine, &objects).await.expect(200).json()["next"].as_str().unwrap().to_owned();
    taxii(&mine, &format!("{objects}&next={next}")).await.expect(200);
    for client in [&other, &stranger] {
        let refused = taxii(client, &format!("{objects}&next={next}")).await.expect(400);
        assert_eq!(refused.code(), "taxii.next.stale");
    }
    // The stream does not refuse: it says that it starts afresh.
    let id = mine.events(None).await.next().await.unwrap().id.unwrap();
    assert_eq!(mine.events(Some(&id)).await.next().await.unwrap().name, "open");
    for client in [&other, &stranger] {
        assert_eq!(client.events(Some(&id)).await.next().await.unwrap().name, "reset");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_resumes_where_it_was_cut() {
    let world = World::start().await;
    let reader = world.token("EE", Role::Analyst).await;
    let owner = world.token("LU", Role::Analyst).await;
    let mut stream = reader.events(None).await;
    stream.next().await.unwrap();
    let mut shared = Vec::new();
    // An indicator is told as two events of one entry; cut between them, the entry is told again and never lost.
    let mut seen: Vec<Json> = Vec::new();
    let take = |seen: &mut Vec<Json>, event: Event| {
        if seen.last() != Some(&event.data["id"]) {
            seen.push(event.data["id"].clone());
        }
    };
    for round in 0..6 {
        for number in 0..4 {
            shared.push(json!(
                share(
                    &world,
                    &owner,
                    "LU",
                    GroupId::ALLIANCE,
                    &format!("r{round}-{number}.evil-cdn.example")
                )
                .await
            ));
        }
        // Cut in the middle, then come back with the last id.
        while seen.len() < shared.len() - 2 {
            take(&mut seen, stream.named("object").await);
        }
        let last = stream.last_id.clone();
        stream = reader.events(last.as_deref()).await;
        assert_eq!(stream.next().await.unwrap().name, "open");
    }
    while seen.len() < shared.len() {
        take(&mut seen, stream.named("object").await);
    }
    assert_eq!(seen, shared, "each in its order, none lost");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_changes_nothing_without_the_hubs_own_form() {
    let world = World::start().await;
    let officer = world.session("LU", Role::Officer).await;
    let owner = world.token("LU", Role::Analyst).await;
    let told = story(
        world.member("LU").id,
        &domain("form.evil-cdn.example"),
        IndicatorRole::Malicious,
        "Grey Heron",
        world.now(),
    );
    owner.post("/api/v1/objects", "application/json", told.bundle).await.expect(200);
    let recall = format!("/api/v1/objects/{}/recall", told.indicator);
    let body = json!({"group": GroupId::ALLIANCE, "reason": "not by this one"});
    let forged = officer.without_csrf();
    assert_eq!(forged.post_json(&recall, &body).await.expect(403).code(), "auth.csrf");
    forged
        .post_form(&format!("/intelligence/{}/recall", told.indicator), &[("reason", "not by this one")])
        .await
        .expect(403);
    forged.post_form("/sign-out", &[]).await.expect(403);
    // Another site's page with the right word all the same.
    let request = officer.change(Method::POST, &recall).header("sec-fetch-site", "cross-site").json(&body);
    assert_eq!(Answer::to(request).await.expect(403).code(), "auth.csrf");
    // A token in the wrong session is wrong.
    let other = world.session("EE", Role::Officer).await;
    let request = forged.request(Method::POST, &recall).header("x-csrf-token", other.csrf()).json(&body);
    assert_eq!(Answer::to(request).await.expect(403).code(), "auth.csrf");
    assert_eq!(
        owner.get_json(&format!("/api/v1/objects/{}", told.indicator)).await["versions"][0]["withdrawn"],
        false
    );
    officer.post_json(&recall, &body).await.expect(204);
    officer.post_form("/sign-out", &[]).await.expect(303);
    officer.get("/api/v1/me").await.expect(401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_when_it_is_revoked_and_every_refusal_says_what_to_do() {
    let world = World::start().await;
    let new = json!({"label": "short", "member": "EE", "role": "analyst", "days": 1});
    let made = world.operator().post_json("/api/v1/tokens", &new).await.expect(200).json();
    let client = Client::token(
        crate::support::client::plain_http(),
        world.url(),
        made["token"].as_str().unwrap().to_owned(),
    );
    client.get("/api/v1/me").await.expect(200);
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    Answer::to(world.operator().change(Method::DELETE, &path)).await.expect(204);
    let refused = client.get("/api/v1/me").await.expect(401);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert!(refused.header("www-authenticate").is_some());
    assert!(!refused.text().contains(made["token"].as_str().unwrap()), "a secret is never told back");
    let body = refused.json();
    assert_eq!(
        (&body["type"], &body["status"], &body["code"]),
        (&json!("about:blank"), &json!(401), &json!("auth.token.unknown"))
    );
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains("operator")), "{body}");

    // What goes wrong before any route is reached answers in the same way.
    let nobody = world.nobody();
    for (path, status) in [("/api/v1/nothing", 404), ("/nothing", 404), ("/api/v1/me", 401)] {
        assert_eq!(
            nobody.get(path).await.expect(status).header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
    }
    nobody.get(&format!("/api/v1/health?x={}", "y".repeat(5_000))).await.expect(414);
    let large = vec![b'x'; shieldwall_model::limits::BODY_BYTES_MAX + 1];
    let analyst = world.token("LU", Role::Analyst).await;
    assert_eq!(
        analyst.post("/api/v1/objects", "application/json", large).await.expect(413).code(),
        "body.too_large"
    );
    let broken = Answer::to(analyst.request(Method::POST, "/api/v1/sensors/health").body("{")).await;
    assert_eq!(broken.expect(403).code(), "access.role", "the role is asked before the body is read");
    world.end().await;
}
