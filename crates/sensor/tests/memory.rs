//! A whole sensor and what it remembers: looking back, and withholding what would touch too much of the network.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test that cannot go on has failed"
)]

mod fake;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use fake::{FakeHub, GROUP, TOKEN, indicator, put};
use serde_json::{Value, json};
use shieldwall_memory::{Archive, Hour};
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::{Clock, SystemClock};
use shieldwall_sensor::agent::{SensorError, Summary, run};
use shieldwall_sensor::config::{ConfigDraft, HiddenText, InputDraft};
use shieldwall_sensor::memory::{Askable, question};
use shieldwall_watch::value::detect;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running(oneshot::Sender<()>, JoinHandle<Result<Summary, SensorError>>);

impl Running {
    fn start(hub: &FakeHub, place: &Path, release: &[&str]) -> Self {
        let draft = ConfigDraft {
            hub: Some(format!("http://{}", hub.address)),
            token: Some(HiddenText(TOKEN.into())),
            state: Some(place.join("state")),
            inputs: vec![InputDraft { path: place.join("eve.json"), ..InputDraft::default() }],
            repeat_report_seconds: Some(0),
            first_report_milliseconds: Some(0),
            poll_seconds: Some(1),
            health_seconds: Some(1),
            release: release.iter().map(|text| (*text).to_owned()).collect(),
            ..ConfigDraft::default()
        };
        let config = draft.check(|_| None).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        Self(stop, tokio::spawn(run(config, Arc::new(SystemClock), Arc::new(SystemEntropy), None, shutdown)))
    }

    async fn stop(self) -> Summary {
        let _ = self.0.send(());
        self.1.await.unwrap().unwrap()
    }
}

fn append(place: &Path, events: impl IntoIterator<Item = (u32, &'static str, &'static str)>) {
    let mut file = std::fs::File::options().create(true).append(true).open(place.join("eve.json")).unwrap();
    for (host, name, to) in events {
        let now = SystemClock.now();
        let event = json!({"timestamp": now.to_string(), "event_type": "dns", "src_ip": format!("10.0.0.{host}"),
            "dest_ip": to, "dns": {"rrname": name}});
        writeln!(file, "{event}").unwrap();
    }
}

fn read(beat: &Value) -> u64 {
    beat["events"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_indicator_learnt_later_finds_what_passed_before() {
    let (hub, place) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let running = Running::start(&hub, place.path(), &[]);
    append(place.path(), [(1, "cdn.late.example", "198.51.100.7"), (2, "fine.example", "192.0.2.1")]);
    hub.until("two events read", |hub| hub.health.last().is_some_and(|beat| read(beat) == 2)).await;
    hub.change([
        put(1, "malicious", "domain", "late.example"),
        put(2, "suspect", "cidr4", "198.51.100.0/24"),
        put(3, "malicious", "domain", "never.example"),
        put(4, "malicious", "ip-port", "198.51.100.7:443"),
    ]);
    hub.until("two sightings", |hub| hub.sightings.len() == 2).await;
    let mut seen = hub.with(|hub| hub.sightings.clone());
    seen.sort_by_key(|sighting| sighting["indicator"].to_string());
    for (sighting, (number, value)) in seen.iter().zip([(1, "late.example"), (2, "198.51.100.0/24")]) {
        assert_eq!(sighting["indicator"], indicator(number));
        assert_eq!(sighting["retrospective"], true);
        assert_eq!(sighting["value"]["plain"], value);
        assert_eq!((&sighting["field"], &sighting["count"]), (&json!("memory"), &json!(1)));
        assert!(sighting["first_seen"].as_str() <= sighting["last_seen"].as_str());
    }
    // Seen once more now that it is known, it is a hit like any other.
    append(place.path(), [(1, "late.example", "192.0.2.1")]);
    hub.until("a live sighting", |hub| hub.sightings.len() == 3).await;
    hub.with(|hub| assert_eq!(hub.sightings[2].get("retrospective"), None));
    // A changed indicator is asked for what is new in it alone.
    let mut changed = put(1, "malicious", "domain", "late.example");
    changed["values"].as_array_mut().unwrap().push(json!({"kind": "domain", "value": "fine.example"}));
    hub.change([changed]);
    hub.until("a fourth sighting", |hub| hub.sightings.len() == 4).await;
    hub.with(|hub| assert_eq!(hub.sightings[3]["value"]["plain"], "fine.example"));
    assert_eq!(running.stop().await.retrospective, 3);
    // With the kept list gone everything is new again; the hub knows the reports by their keys.
    std::fs::remove_file(place.path().join("state/watchlist.json")).unwrap();
    let before = hub.with(|hub| hub.by_key.len());
    let running = Running::start(&hub, place.path(), &[]);
    hub.until("a beat", |hub| hub.health.last().is_some_and(|beat| beat["watchlist_items"] == 4)).await;
    running.stop().await;
    let counted = hub.with(|hub| hub.by_key.len());
    assert!(counted <= before + 1, "at most the report of all four together is another");
    // Offline, the same is found.
    let archive = Archive::open(&place.path().join("state/memory")).unwrap();
    let Askable::Whole(asked) = question(archive.key(), &detect("late.example").unwrap()) else { panic!() };
    let answers = archive.ask(&[asked], Hour(0), Hour(u32::MAX)).unwrap();
    assert!(answers.found[0].is_some() && answers.false_positives < 1e-9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_half_the_network_meets_is_withheld_until_a_person_looks() {
    let (hub, place) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let running = Running::start(&hub, place.path(), &[]);
    append(
        place.path(),
        (1..=60)
            .map(|host| (host, if host % 2 == 0 { "portal.example" } else { "fine.example" }, "192.0.2.1")),
    );
    hub.until("sixty events read", |hub| hub.health.last().is_some_and(|beat| read(beat) == 60)).await;
    hub.change([
        put(1, "malicious", "domain", "portal.example"),
        put(2, "malicious", "ipv4", "192.0.2.1"),
        put(3, "kill-switch", "domain", "fine.example"),
        put(4, "malicious", "domain", "rare.example"),
    ]);
    let told = |hub: &fake::Inner, count: u64| {
        hub.health
            .last()
            .is_some_and(|beat| beat["withheld_total"] == count && beat["watchlist_items"] == 4 - count)
    };
    hub.until("two withheld", |hub| told(hub, 2)).await;
    let beat = hub.with(|hub| hub.health.last().unwrap().clone());
    let mut reasons: Vec<_> = beat["withheld"].as_array().unwrap().iter().collect();
    reasons.sort_by_key(|told| told["indicator"].to_string());
    assert_eq!(reasons[0]["group"], GROUP);
    assert!(
        reasons[0]["reason"].as_str().unwrap().starts_with("portal.example was met by about"),
        "{reasons:?}"
    );
    let blocklist = || std::fs::read_to_string(place.path().join("state/blocklist.txt")).unwrap();
    assert!(
        !blocklist().contains("portal.example") && blocklist().contains("rare.example"),
        "{}",
        blocklist()
    );
    append(place.path(), [(7, "portal.example", "192.0.2.9"), (7, "rare.example", "192.0.2.9")]);
    hub.until("the rare one", |hub| hub.counted.contains_key(&indicator(4))).await;
    // The kill switch is looked for in what passed, whatever the share; what is withheld is not reported at all.
    let seen = |hub: &fake::Inner, number: u32| {
        hub.sightings.iter().any(|sighting| sighting["indicator"] == indicator(number))
    };
    hub.until("the kill switch", |hub| seen(hub, 3)).await;
    hub.with(|hub| assert!(!seen(hub, 1) && !seen(hub, 2)));
    running.stop().await;
    // It stays so over a restart, until a person lets it through.
    let running = Running::start(&hub, place.path(), &["portal.example"]);
    hub.until("one withheld", |hub| told(hub, 1)).await;
    append(place.path(), [(7, "portal.example", "192.0.2.9")]);
    hub.until("the one let through", |hub| hub.counted.contains_key(&indicator(1))).await;
    running.stop().await;
    assert!(blocklist().contains("portal.example"));
}
