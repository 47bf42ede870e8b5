//! The main job, end to end: shared intelligence, a match in one member's telemetry, a sighting, a warning to all others.

use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;
use shieldwall_sensor::agent::SensorEvent;

use crate::support::client::Event;
use crate::support::sensor::Post;
use crate::support::stix::{self, domain, story};
use crate::support::{Client, World};

const OTHERS: [&str; 3] = ["ES", "FR", "PT"];

/// A report of one sighting, as a sensor would send it.
fn report(group: GroupId, indicator: &str, count: u64, now: Timestamp) -> Json {
    json!({"sightings": [{
        "group": group, "indicator": indicator, "first_seen": now.to_string(), "last_seen": now.to_string(), "count": count,
        "kind": "domain-name", "field": "dns.rrname", "value": {"plain": "told.example"}, "detected": now.to_string(),
    }]})
}

async fn send(sensor: &Client, key: &str, body: &Json) -> Json {
    let request =
        sensor.change(reqwest::Method::POST, "/api/v1/sightings").header("idempotency-key", key).json(body);
    crate::support::Answer::to(request).await.expect(200).json()
}

/// The warnings `reader` finds about `indicator`.
async fn warnings_about(reader: &Client, indicator: &str) -> Vec<Json> {
    let list = reader.get_json("/api/v1/warnings").await;
    list["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|warning| warning["indicator"] == indicator)
        .cloned()
        .collect()
}

fn is_warning_about(event: &Event, indicator: &str) -> bool {
    event.name == "warning" && event.data["indicator"] == indicator
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_member_shares_and_another_sees_warns_every_other_member() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let bad = domain("update.evil-cdn.example");
    let told = story(world.member("LU").id, &bad, IndicatorRole::Malicious, "Grey Heron", world.now());
    let report =
        analyst.post("/api/v1/objects", "application/json", told.bundle.clone()).await.expect(200).json();
    assert_eq!(
        (report["accepted"].as_u64(), report["refused"].as_array().map(Vec::len)),
        (Some(3), Some(0)),
        "{report}"
    );

    let token = world.token("EE", Role::Sensor).await;
    let mut post = Post::new(&world, "estonia", &token);
    let mut sensor = post.start();
    sensor.synced(1).await;
    let mut streams = Vec::new();
    for country in OTHERS.into_iter().chain(["LU"]) {
        let reader = world.token(country, Role::Analyst).await;
        let mut events = reader.events(None).await;
        assert_eq!(events.next().await.unwrap().name, "open");
        streams.push((country, reader, events));
    }

    post.see(&bad, 20);
    let matched = sensor.until("the match", |event| matches!(event, SensorEvent::Matched { .. })).await;
    let SensorEvent::Matched { indicator, role, field, detected, .. } = matched else {
        panic!("{matched:?}")
    };
    assert_eq!((indicator.as_str(), role), (told.indicator.as_str(), IndicatorRole::Malicious));
    let estonia = world.member("EE");
    let mut ids = Vec::new();
    for (country, reader, events) in &mut streams {
        let event =
            events.until("the warning", |event| is_warning_about(event, told.indicator.as_str())).await;
        let waited = world.now().since_micros(detected);
        println!("{country} was warned {:.1} ms after the sensor's match", waited as f64 / 1e3);
        let warning = &event.data;
        assert_eq!(
            warning["advice"],
            json!({"blocking": "block", "check": "check-names", "why": "role-malicious"})
        );
        assert_eq!(warning["members"], 1);
        assert_eq!(warning["sectors"], json!(["communications"]));
        assert_eq!(warning["value"], "update.evil-cdn.example");
        assert_eq!(warning["contexts"][0]["id"], told.malware.as_str());
        assert_eq!(warning["contexts"][0]["via"], told.relationship.as_str());
        assert_eq!(warning["revision"], 1);
        assert_eq!(warning["parties"], 5);
        assert_eq!(warning["fields"], json!([field]));
        assert_eq!((&warning["mine"]["seen"], &warning["mine"]["by_person"]), (&json!(false), &Json::Null));
        // The alliance's group does not name reporters: neither the warning nor anything else told on the way does.
        assert_eq!(warning["named"], json!([]));
        assert!(!event.data.to_string().contains(&estonia.id.to_string()), "{event:?}");
        let entries = reader.get("/api/v1/ledger/entries?kind=sighting.reported").await.expect(200);
        assert!(!entries.text().contains(&estonia.id.to_string()), "{}", entries.text());
        ids.push(warning["id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "one warning for all: {ids:?}");

    // Only the member that reported is told that it was the one.
    let own = &warnings_about(&world.token("EE", Role::Analyst).await, told.indicator.as_str()).await[0];
    assert_eq!((&own["mine"]["seen"], &own["named"]), (&json!(true), &json!([])));

    // Seen again: the same warning, raised by a revision.
    assert_eq!(sensor.reported().await, 1);
    post.see(&bad, 3);
    for (_, reader, events) in &mut streams {
        let again =
            events.until("the revision", |event| is_warning_about(event, told.indicator.as_str())).await.data;
        assert_eq!((&again["id"], again["revision"].as_u64()), (&ids[0], Some(2)));
        assert_eq!((again["count"].as_u64(), again["members"].as_u64()), (Some(2), Some(1)));
        let all = warnings_about(reader, told.indicator.as_str()).await;
        assert_eq!(all.len(), 1, "one warning an indicator: {all:?}");
        assert_eq!(all[0], again, "what is read is what was told");
    }

    // Taking note by hand and by machine is told, and told once.
    let (_, spain, events) = &mut streams[0];
    let path = format!("/api/v1/warnings/{}/acknowledge", ids[0].as_str().unwrap());
    let taken = spain
        .post_json(&path, &json!({"taken": "by-person", "note": "names checked"}))
        .await
        .expect(200)
        .json();
    assert!(taken["mine"]["by_person"].is_string() && taken["mine"]["note"] == "names checked", "{taken}");
    assert_eq!(
        events
            .until("the acknowledgement", |event| event.name == "acknowledged"
                && event.data["taken"] == "by-person")
            .await
            .data["warning"],
        ids[0]
    );
    let twice = spain.post_json(&path, &json!({"taken": "by-person"})).await.expect(200).json();
    assert_eq!(twice, taken, "taking note again changes nothing");
    let summary = sensor.stop().await;
    assert_eq!((summary.matches, summary.unsent_reports), (2, 0));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reported_is_named_where_the_group_says_so_and_nowhere_else() {
    let world = World::start().await;
    let open = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE", "ES"]).await;
    let closed = world.group("Quiet desk", "AMBER", "hidden", &["LU", "EE", "ES"]).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let told = story(
        world.member("LU").id,
        &domain("one.evil-cdn.example"),
        IndicatorRole::Malicious,
        "Grey Heron",
        world.now(),
    );
    for group in [&open, &closed] {
        let path = format!("/api/v1/objects?group={}", group.id);
        assert_eq!(
            analyst.post(&path, "application/json", told.bundle.clone()).await.expect(200).json()["accepted"],
            3
        );
    }
    let (estonia, spain) = (world.token("EE", Role::Sensor).await, world.token("ES", Role::Analyst).await);
    for (key, group) in [("key-open-1", &open), ("key-closed-1", &closed)] {
        let taken = send(&estonia, key, &report(group.id, told.indicator.as_str(), 2, world.now())).await;
        assert_eq!(taken, json!({"accepted": 1, "repeated": false, "refused": []}));
    }
    let warnings = warnings_about(&spain, told.indicator.as_str()).await;
    assert_eq!(warnings.len(), 2, "one a group: {warnings:?}");
    let in_group =
        |group: GroupId| warnings.iter().find(|warning| warning["group"] == group.to_string()).unwrap();
    let member = world.member("EE");
    assert_eq!(
        in_group(open.id)["named"],
        json!([{"id": member.id.to_string(), "name": "Estonia", "country": "EE"}])
    );
    let hidden = in_group(closed.id);
    assert_eq!((&hidden["named"], &hidden["members"]), (&json!([]), &json!(1)));
    let of = |group: GroupId| format!("/api/v1/ledger/entries?kind=sighting.reported&group={group}");
    assert!(spain.get(&of(open.id)).await.expect(200).text().contains(&member.id.to_string()));
    let log = spain.get(&of(closed.id)).await.expect(200).text();
    assert!(!log.contains(&member.id.to_string()) && !log.contains("told.example"), "{log}");
    // The reporting member itself keeps what it reported, by name, in its own log.
    let own = world
        .token("EE", Role::Analyst)
        .await
        .get("/api/v1/ledger/entries?kind=sighting.kept")
        .await
        .expect(200);
    assert!(
        own.text().contains("told.example") && own.text().contains(&member.id.to_string()),
        "{}",
        own.text()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_switch_is_on_no_block_list_and_a_recall_reaches_the_sensor() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let (bad, switch, other) = (
        domain("drop.evil-cdn.example"),
        domain("killswitch-of-the-worm.example"),
        domain("late.evil-cdn.example"),
    );
    let luxembourg = world.member("LU").id;
    let (bad_id, bad_object) = stix::indicator(luxembourg, &bad, IndicatorRole::Malicious, world.now());
    let (switch_id, switch_object) =
        stix::indicator(luxembourg, &switch, IndicatorRole::KillSwitch, world.now());
    let (_, other_object) = stix::indicator(luxembourg, &other, IndicatorRole::Malicious, world.now());
    let shared = analyst
        .post("/api/v1/objects", "application/json", stix::bundle(&[bad_object, switch_object, other_object]))
        .await;
    assert_eq!(shared.expect(200).json()["accepted"], 3);

    let mut post = Post::new(&world, "spain", &world.token("ES", Role::Sensor).await);
    let mut sensor = post.start();
    sensor
        .until("the block list", |event| matches!(event, SensorEvent::BlocklistWritten { values: 2 }))
        .await;
    assert_eq!(
        sorted(post.blocked()),
        ["drop.evil-cdn.example", "late.evil-cdn.example"],
        "the kill switch is not on it"
    );

    let mut events = world.token("FR", Role::Analyst).await.events(None).await;
    assert_eq!(events.next().await.unwrap().name, "open");
    post.see(&switch, 0);
    let warning = events.until("the warning", |event| is_warning_about(event, switch_id.as_str())).await.data;
    assert_eq!(
        (&warning["role"], &warning["advice"]["blocking"]),
        (&json!("kill-switch"), &json!("do-not-block"))
    );
    assert_eq!(warning["advice"]["why"], "role-kill-switch");
    post.see(&bad, 0);
    let warning = events.until("the warning", |event| is_warning_about(event, bad_id.as_str())).await.data;
    assert_eq!(warning["advice"]["blocking"], "block");

    // Taken back: told on the stream, gone from the watchlist and the block list, refused when reported all the same.
    let body = json!({"group": GroupId::ALLIANCE.to_string(), "reason": "a mistake of ours"});
    analyst.post_json(&format!("/api/v1/objects/{bad_id}/recall"), &body).await.expect(204);
    let recall = events.named("recall").await;
    assert_eq!(recall.data["id"], bad_id.as_str());
    sensor
        .until("the shorter block list", |event| matches!(event, SensorEvent::BlocklistWritten { values: 1 }))
        .await;
    assert_eq!(post.blocked(), ["late.evil-cdn.example"]);
    post.see(&bad, 0);
    post.see(&other, 0);
    let matched = sensor
        .all_until(
            "a match after the recall",
            |event| matches!(event, SensorEvent::Matched { value, .. } if value == "late.evil-cdn.example"),
        )
        .await;
    let late = |event: &&SensorEvent| matches!(event, SensorEvent::Matched { indicator, .. } if *indicator == bad_id);
    assert_eq!(matched.iter().filter(late).count(), 0, "{matched:?}");
    let after = &warnings_about(&analyst, bad_id.as_str()).await[0];
    assert!(after["withdrawn"].is_string(), "{after}");
    let reporter = world.token("ES", Role::Sensor).await;
    let refused =
        send(&reporter, "after-recall", &report(GroupId::ALLIANCE, bad_id.as_str(), 1, world.now())).await;
    assert_eq!(
        (&refused["accepted"], &refused["refused"][0]["code"]),
        (&json!(0), &json!("sighting.indicator.ended"))
    );
    sensor.stop().await;
    world.end().await;
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_counts_once_however_often_it_is_sent() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let told = story(
        world.member("LU").id,
        &domain("twice.evil-cdn.example"),
        IndicatorRole::Malicious,
        "Grey Heron",
        world.now(),
    );
    analyst.post("/api/v1/objects", "application/json", told.bundle.clone()).await.expect(200);
    let sensor = world.token("FR", Role::Sensor).await;
    let body = report(GroupId::ALLIANCE, told.indicator.as_str(), 5, world.now());
    let count = async || warnings_about(&analyst, told.indicator.as_str()).await[0]["count"].as_u64();

    assert_eq!(
        send(&sensor, "key-of-report-1", &body).await,
        json!({"accepted": 1, "repeated": false, "refused": []})
    );
    assert_eq!(
        send(&sensor, "key-of-report-1", &body).await,
        json!({"accepted": 1, "repeated": true, "refused": []})
    );
    assert_eq!(count().await, Some(5));
    // Eight at the same moment, as a client with a nervous time limit would send them.
    let sent = futures_util::future::join_all((0..8).map(|_| send(&sensor, "key-of-report-2", &body))).await;
    assert_eq!(sent.iter().filter(|taken| taken["repeated"] == false).count(), 1, "{sent:?}");
    assert_eq!(count().await, Some(10));
    // A key is its sender's own: the same word from somebody else is another report.
    let stranger = world.token("PT", Role::Sensor).await;
    assert_eq!(send(&stranger, "key-of-report-1", &body).await["repeated"], false);
    assert_eq!(count().await, Some(15));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_the_hub_or_the_sensor_is_away() {
    let mut world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let bad = domain("outage.evil-cdn.example");
    let told = story(world.member("LU").id, &bad, IndicatorRole::Malicious, "Grey Heron", world.now());
    analyst.post("/api/v1/objects", "application/json", told.bundle.clone()).await.expect(200);
    let mut post = Post::new(&world, "france", &world.token("FR", Role::Sensor).await);
    let mut sensor = post.start();
    sensor.synced(1).await;
    post.see(&bad, 0);
    assert_eq!(sensor.reported().await, 1);

    let is_match = |event: &SensorEvent| matches!(event, SensorEvent::Matched { .. });
    world.pause().await;
    for _ in 0..7 {
        post.see(&bad, 1);
        sensor.until("a match without the hub", is_match).await;
    }
    // The sensor ends too, hub still away, and starts again over what it kept: it neither reads nor reports anew.
    let unsent = sensor.stop().await.unsent_reports;
    assert!(unsent > 0, "what the hub could not take is on disk");
    let mut sensor = post.start();
    post.see(&bad, 1);
    sensor.until("a match by the kept watchlist", is_match).await;
    world.go_on().await;
    sensor.reported().await;
    let summary = {
        // What is left is handed in before it stops, or at the next start.
        let mut summary = sensor.stop().await;
        while summary.unsent_reports > 0 {
            let mut sensor = post.start();
            sensor.reported().await;
            summary = sensor.stop().await;
        }
        summary
    };
    assert_eq!(summary.unsent_reports, 0);
    let warning = &warnings_about(&world.token("ES", Role::Analyst).await, told.indicator.as_str()).await[0];
    assert_eq!(warning["count"], 9, "every line that carried it, once: {warning}");
    world.end().await;
}
