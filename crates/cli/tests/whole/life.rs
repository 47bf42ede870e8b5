//! The life of an indicator, from outside: held back and released, fading, sighted, disputed, recalled.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use shieldwall_hub::taxii::collection_id;
use shieldwall_model::access::Role;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::{Clock, ManualClock, SystemClock, Timestamp};
use shieldwall_watch::value::{Kind, Value};

use crate::support::stix::{bundle, domain, indicator};
use crate::support::{Answer, Client, World};

const DAY: i64 = 86_400;

async fn share(sender: &Client, objects: &[String]) -> Json {
    sender.post("/api/v1/objects", "application/json", bundle(objects)).await.expect(200).json()
}

/// The watchlist from nothing: id and end of each indicator.
async fn watched(sensor: &Client) -> Vec<(String, Option<String>)> {
    let list = sensor.get_json("/api/v1/watchlist").await;
    list["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["op"] == "put")
        .map(|change| {
            let text = |name: &str| change[name].as_str().map(str::to_owned);
            (text("indicator").unwrap(), text("valid_until"))
        })
        .collect()
}

async fn life(reader: &Client, id: &str) -> Json {
    reader.get_json(&format!("/api/v1/indicators/{id}/life")).await["groups"][0].clone()
}

/// Everything a reader could find the object by, but the list of what is held back and the ledger itself.
async fn outlets(reader: &Client, sensor: &Client, group: &str) -> String {
    let taxii = "application/taxii+json;version=2.1";
    let collection = format!("/taxii2/api/collections/{group}");
    let mut all = String::new();
    for path in ["/api/v1/objects?limit=1000", "/api/v1/objects?text=google", "/intelligence"] {
        all += &reader.get(path).await.expect(200).text();
    }
    for path in ["objects/", "manifest/"] {
        let request =
            reader.request(reqwest::Method::GET, &format!("{collection}/{path}")).header("accept", taxii);
        all += &Answer::to(request).await.expect(200).text();
    }
    all + &sensor.get("/api/v1/watchlist").await.expect(200).text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_harm_everybody_is_held_back_until_another_member_releases_it() {
    let world = World::start().await;
    let (sender, curator) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let sensor = world.token("ES", Role::Sensor).await;
    let all = world.hub().app().directory();
    let group = all.groups_of(world.member("LU").id).find(|group| group.members.len() == 5).unwrap().id;
    let member = world.member("LU").id;
    let made = |value: &Value, role| indicator(member, value, role, world.now());
    let net = Value::new(Kind::Cidr4, "0.0.0.0/0").unwrap();
    let (google, object) = made(&domain("download.google.com"), IndicatorRole::Malicious);
    let (_, wide) = made(&net, IndicatorRole::Malicious);
    let (stop, stopper) = made(&domain("www.google.com"), IndicatorRole::KillSwitch);
    let (good, bad) = made(&domain("evil.example"), IndicatorRole::Malicious);
    let objects = [object.clone(), wide, stopper, bad];
    let report = share(&sender, &objects).await;
    assert_eq!((&report["accepted"], &report["refused"]), (&json!(2), &json!([])), "{report}");
    let codes: Vec<&str> =
        report["held"].as_array().unwrap().iter().map(|held| held["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["life.held.warninglist", "life.held.too_broad"]);
    let again = share(&sender, &objects).await;
    assert_eq!((&again["repeated"], again["held"].as_array().map(Vec::len)), (&json!(2), Some(2)), "{again}");

    let seen = outlets(&curator, &sensor, &collection_id(group).to_string()).await;
    assert!(!seen.contains(google.as_str()) && !seen.contains("0.0.0.0/0"), "{seen}");
    assert!(seen.contains(stop.as_str()) && seen.contains(good.as_str()), "{seen}");
    curator.get(&format!("/api/v1/objects/{google}")).await.expect(404);

    let held = curator.get_json("/api/v1/held").await["held"].clone();
    let key = |id: &str| {
        let all = held.as_array().unwrap();
        assert_eq!(all.len(), 2, "{held}");
        json!({"group": group, "key": all.iter().find(|one| one["id"] == id).unwrap()["key"], "reason": "all of it"})
    };
    let ours = key(google.as_str());
    let refused = sender.post_json("/api/v1/held/release", &ours).await.expect(403);
    assert_eq!(refused.code(), "held.release.own");
    let wide = held.as_array().unwrap().iter().find(|one| one["code"] == "life.held.too_broad").unwrap();
    curator.post_json("/api/v1/held/reject", &key(wide["id"].as_str().unwrap())).await.expect(204);
    let mut events = world.token("PT", Role::Analyst).await.events(None).await;
    curator.post_json("/api/v1/held/release", &ours).await.expect(204);
    events.until("the released object", |event| event.data["id"] == google.as_str()).await;
    let read = curator.get_json(&format!("/api/v1/objects/{google}")).await;
    assert_eq!(read["versions"][0]["owner"], member.to_string(), "its owner is who sent it");
    let seen = outlets(&curator, &sensor, &collection_id(group).to_string()).await;
    assert!(
        seen.contains(google.as_str()) && seen.contains(&object) && !seen.contains("0.0.0.0/0"),
        "{seen}"
    );
    assert_eq!(curator.get_json("/api/v1/held").await["held"], json!([]));
    curator.post_json("/api/v1/held/release", &ours).await.expect(404);
    let last = share(&sender, &objects).await;
    assert_eq!(
        (&last["repeated"], &last["refused"][0]["code"]),
        (&json!(3), &json!("life.rejected")),
        "{last}"
    );
    // A list read again each day is held back once, though each reading gives its objects other times.
    for day in 0..2 {
        let report =
            sender.post("/api/v1/objects", "text/plain", "windowsupdate.com\n").await.expect(200).json();
        assert_eq!(report["held"].as_array().map(Vec::len), Some(1), "{day}: {report}");
    }
    assert_eq!(curator.get_json("/api/v1/held").await["held"].as_array().map(Vec::len), Some(1));
    // Its owner takes it back like anything it shared.
    let recall = json!({"group": group, "reason": "a mistake"});
    sender.post_json(&format!("/api/v1/objects/{google}/recall"), &recall).await.expect(204);
    assert!(!watched(&sensor).await.iter().any(|(id, _)| id == google.as_str()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_indicator_fades_is_renewed_by_sightings_and_ended_by_disputes() {
    let start = SystemClock.now();
    let clock = Arc::new(ManualClock::new(start));
    let world = World::start_by(Arc::clone(&clock) as Arc<dyn Clock>).await;
    let owner = world.token("LU", Role::Analyst).await;
    let (first, second) = (world.token("EE", Role::Analyst).await, world.token("FR", Role::Officer).await);
    let sensor = world.token("ES", Role::Sensor).await;
    let member = world.member("LU").id;
    let (id, object) = indicator(member, &domain("evil.example"), IndicatorRole::Malicious, start);
    let (stop, stopper) = indicator(member, &domain("stop.example"), IndicatorRole::KillSwitch, start);
    assert_eq!(share(&owner, &[object, stopper]).await["accepted"], 2);
    let at = |days: i64| start.plus_seconds(days * DAY);
    let ends =
        |text: &str| (Timestamp::parse(text).unwrap().as_seconds() - start.as_seconds()) as f64 / DAY as f64;
    let list = watched(&sensor).await;
    let end = |list: &[(String, Option<String>)], id: &str| {
        list.iter().find(|(one, _)| one == id).unwrap().1.clone()
    };
    assert!(
        (ends(&end(&list, id.as_str()).unwrap()) - 46.875).abs() < 0.01,
        "sensors are told the end: {list:?}"
    );
    assert_eq!(end(&list, stop.as_str()), None, "what must not be blocked does not end");

    let now = life(&owner, id.as_str()).await;
    assert_eq!(
        (&now["stage"], &now["score"], &now["decay"]),
        (&json!("active"), &json!(80), &json!("network"))
    );
    // Tokens live shorter than the story: each step is told by new ones.
    clock.set(at(30));
    let now = life(&owner, id.as_str()).await;
    assert_eq!(now["score"], 40, "{now}");
    let seen = world.now().to_string();
    let group = now["group"].clone();
    let sighting = json!({"sightings": [{
        "group": group, "indicator": id.as_str(), "first_seen": seen, "last_seen": seen, "count": 1,
        "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": seen,
    }]});
    let request =
        sensor.change(reqwest::Method::POST, "/api/v1/sightings").header("idempotency-key", "once-upon-1");
    assert_eq!(Answer::to(request.json(&sighting)).await.expect(200).json()["accepted"], 1);
    let now = life(&owner, id.as_str()).await;
    assert_eq!((&now["stage"], &now["score"]), (&json!("sighted"), &json!(80)), "{now}");
    assert!((ends(&end(&watched(&sensor).await, id.as_str()).unwrap()) - 76.875).abs() < 0.01);

    let dispute = json!({"group": group, "reason": "our own scanner"});
    let path = format!("/api/v1/indicators/{id}/dispute");
    for _ in 0..2 {
        first.post_json(&path, &dispute).await.expect(204);
    }
    let now = life(&owner, id.as_str()).await;
    assert_eq!(now["score"], 40, "one member counts once: {now}");
    assert!((ends(now["ends"].as_str().unwrap()) - 37.5).abs() < 0.01, "{now}");
    second.post_json(&path, &dispute).await.expect(204);
    assert_eq!(life(&owner, id.as_str()).await["stage"], "expired");
    assert!(!watched(&sensor).await.iter().any(|(one, _)| one == id.as_str()));
    second.post_json(&path, &json!({"group": group, "withdrawn": true})).await.expect(204);
    assert_eq!(life(&owner, id.as_str()).await["stage"], "sighted");
    clock.set(at(60));
    assert_eq!(life(&owner, id.as_str()).await["stage"], "expired", "nobody saw it again");
    assert_eq!(life(&owner, stop.as_str()).await["stage"], "active");
    world.end().await;
}
