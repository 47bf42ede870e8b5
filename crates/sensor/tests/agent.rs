//! A whole sensor against a hub that can be told to fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test that cannot go on has failed"
)]

mod fake;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fake::{FakeHub, GROUP, Report, TOKEN, indicator, put, remove};
use serde_json::{Value, json};
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::{Clock, ManualClock, SystemClock, Timestamp};
use shieldwall_sensor::agent::{SensorError, SensorEvent, Summary, run};
use shieldwall_sensor::config::{Config, ConfigDraft, HiddenText, InputDraft};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self, hub: &FakeHub) -> Config {
        let draft = ConfigDraft {
            hub: Some(format!("http://{}", hub.address)),
            token: Some(HiddenText(TOKEN.into())),
            state: Some(self.path("state")),
            inputs: vec![InputDraft { path: self.path("eve.json"), ..InputDraft::default() }],
            repeat_report_seconds: Some(0),
            first_report_milliseconds: Some(0),
            poll_seconds: Some(1),
            health_seconds: Some(1),
            ..ConfigDraft::default()
        };
        draft.check(|_| None).unwrap()
    }

    fn append(&self, name: &str, events: impl IntoIterator<Item = String>) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.path(name)).unwrap();
        for event in events {
            writeln!(file, "{event}").unwrap();
        }
    }

    fn blocklist(&self) -> String {
        std::fs::read_to_string(self.path("state/blocklist.txt")).unwrap_or_default()
    }
}

fn dns(name: &str) -> String {
    json!({"timestamp": "2017-05-12T07:24:00.000000+0000", "event_type": "dns", "src_ip": "10.0.0.1",
        "dest_ip": "10.0.0.2", "dns": {"rrname": name}})
    .to_string()
}

struct Running {
    events: mpsc::Receiver<SensorEvent>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Summary, SensorError>>,
}

impl Running {
    fn start(config: Config) -> Self {
        Self::start_at(config, Arc::new(SystemClock))
    }

    fn start_at(config: Config, clock: Arc<dyn Clock>) -> Self {
        let (observer, events) = mpsc::channel(10_000);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(run(config, clock, Arc::new(SystemEntropy), Some(observer), shutdown));
        Self { events, stop, task }
    }

    async fn event<T>(&mut self, what: &str, mut pick: impl FnMut(&SensorEvent) -> Option<T>) -> T {
        let limit = std::time::Duration::from_secs(60);
        let waiting = async {
            loop {
                let event =
                    self.events.recv().await.unwrap_or_else(|| panic!("the sensor ended before: {what}"));
                if let Some(found) = pick(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_| panic!("never: {what}"))
    }

    async fn synced(&mut self) -> usize {
        self.event("synced", |event| match event {
            SensorEvent::Synced { items, .. } => Some(*items),
            _ => None,
        })
        .await
    }

    async fn stop(self) -> Summary {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap()
    }
}

fn warning(number: u32, revision: u64, by_machine: Value) -> Value {
    json!({"id": format!("warning--00000000-0000-5000-8000-{number:012}"), "group": GROUP,
        "indicator": indicator(number), "role": "kill-switch", "revision": revision,
        "raised": "2017-05-12T07:24:00Z", "mine": {"seen": false, "by_machine": by_machine, "by_person": null}})
}

#[tokio::test]
async fn once_reads_to_the_end_reports_and_stops() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    hub.with(|hub| {
        hub.changes = vec![
            put(1, "malicious", "domain", "evil.example"),
            put(2, "kill-switch", "domain", "stop.example"),
            put(3, "malicious", "ipv4", "203.0.113.9"),
        ];
    });
    place.append("eve.json", ["a.evil.example", "stop.example", "fine.example", "evil.example"].map(dns));
    let mut config = place.config(&hub);
    config.once = true;
    let mut running = Running::start(config);
    assert_eq!(running.synced().await, 3);
    let seen = running
        .event("matched", |event| match event {
            SensorEvent::Matched { value, field, role, .. } => {
                Some((value.clone(), field.clone(), role.to_string()))
            }
            _ => None,
        })
        .await;
    assert_eq!(seen, ("a.evil.example".into(), "dns.rrname".into(), "malicious".into()));
    let summary = running.task.await.unwrap().unwrap();
    assert_eq!((summary.events, summary.matches, summary.unsent_reports), (4, 3, 0));
    hub.with(|hub| {
        assert_eq!(hub.counted, [(indicator(1), 2), (indicator(2), 1)].into());
        let first = hub.sightings.iter().find(|s| s["value"]["plain"] == "a.evil.example").unwrap();
        assert_eq!(first["first_seen"], "2017-05-12T07:24:00.000000Z");
        assert_eq!(first["kind"], "domain-name");
        assert_eq!(hub.health.last().unwrap()["matches"], 3);
    });
    let blocklist = place.blocklist();
    assert!(blocklist.contains("\nevil.example\n") && blocklist.contains("\n203.0.113.9\n"), "{blocklist}");
    assert!(!blocklist.contains("stop.example"), "{blocklist}");
}

#[tokio::test]
async fn an_outage_and_cut_answers_lose_and_double_nothing() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    hub.with(|hub| {
        hub.changes = vec![put(1, "malicious", "domain", "evil.example")];
        hub.plan =
            vec![Report::HangUp, Report::TakeAndHangUp, Report::TakeAndHangUp, Report::Take, Report::HangUp];
    });
    let mut running = Running::start(place.config(&hub));
    running.synced().await;
    place.append("eve.json", [dns("evil.example")]);
    hub.until("the cut answers", |hub| hub.plan.len() <= 1).await;
    hub.with(|hub| hub.down = true);
    place.append("eve.json", vec![dns("evil.example"); 5]);
    running
        .event("unreachable", |event| matches!(event, SensorEvent::HubUnreachable { .. }).then_some(()))
        .await;
    hub.with(|hub| hub.down = false);
    hub.until("all six", |hub| hub.counted.get(&indicator(1)) == Some(&6)).await;
    let summary = running.stop().await;
    assert_eq!((summary.matches, summary.unsent_reports), (6, 0));
    hub.with(|hub| {
        assert_eq!(hub.counted, [(indicator(1), 6)].into());
        assert!(hub.repeats >= 1, "a report was sent again under its key");
    });
}

#[tokio::test]
async fn a_report_the_hub_refuses_for_good_does_not_hold_up_the_next() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    hub.with(|hub| {
        hub.changes =
            vec![put(1, "malicious", "domain", "evil.example"), put(2, "malicious", "domain", "bad.example")];
        hub.plan = vec![Report::Refuse];
    });
    let mut running = Running::start(place.config(&hub));
    running.synced().await;
    place.append("eve.json", [dns("evil.example")]);
    hub.until("the refusal", |hub| hub.plan.is_empty()).await;
    place.append("eve.json", [dns("bad.example")]);
    hub.until("the next", |hub| hub.counted.contains_key(&indicator(2))).await;
    running.stop().await;
    assert_eq!(std::fs::read_dir(place.path("state/spool/refused")).unwrap().count(), 1);
    hub.with(|hub| assert_eq!(hub.counted, [(indicator(2), 1)].into()));
}

#[tokio::test]
async fn with_the_hub_down_it_starts_from_disk_and_matches() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    hub.with(|hub| hub.changes = vec![put(1, "malicious", "domain", "evil.example")]);
    let mut running = Running::start(place.config(&hub));
    running.synced().await;
    running.stop().await;
    hub.with(|hub| hub.down = true);
    place.append("eve.json", [dns("evil.example")]);
    let mut config = place.config(&hub);
    config.drain = std::time::Duration::ZERO;
    let mut running = Running::start(config.clone());
    running.event("matched", |event| matches!(event, SensorEvent::Matched { .. }).then_some(())).await;
    let summary = running.stop().await;
    assert_eq!((summary.matches, summary.unsent_reports), (1, 1));
    hub.with(|hub| hub.down = false);
    let running = Running::start(place.config(&hub));
    hub.until("the report of the last run", |hub| hub.counted.get(&indicator(1)) == Some(&1)).await;
    assert_eq!(running.stop().await.matches, 0, "nothing is read twice");
}

#[tokio::test]
async fn recall_and_new_indicators_reach_matching_and_the_block_list_over_the_stream() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    hub.with(|hub| hub.changes = vec![put(1, "malicious", "domain", "evil.example")]);
    let mut running = Running::start(place.config(&hub));
    assert_eq!(running.synced().await, 1);
    hub.until("the stream", |hub| !hub.stream_ids.is_empty()).await;
    hub.change([put(2, "malicious", "domain", "bad.example"), put(3, "suspect", "domain", "odd.example")]);
    assert_eq!(running.synced().await, 3);
    assert!(place.blocklist().contains("bad.example") && !place.blocklist().contains("odd.example"));
    hub.change([remove(1)]);
    assert_eq!(running.synced().await, 2);
    assert!(!place.blocklist().contains("evil.example"));
    // A cursor the hub no longer knows: all of it again, without what is gone.
    hub.with(|hub| hub.changes.extend([remove(3), put(4, "malicious", "domain", "last.example")]));
    hub.with(|hub| hub.oldest_cursor = hub.changes.len() - 1);
    hub.tell("w2", "watchlist", &json!({}));
    assert_eq!(running.synced().await, 1);
    place.append("eve.json", ["evil.example", "bad.example", "last.example"].map(dns));
    hub.until("a sighting", |hub| !hub.counted.is_empty()).await;
    running.stop().await;
    hub.with(|hub| assert_eq!(hub.counted, [(indicator(4), 1)].into()));
}

#[tokio::test]
async fn an_indicator_ends_by_the_sensors_own_clock() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    let clock = Arc::new(ManualClock::new(Timestamp::parse("2017-05-12T00:00:00Z").unwrap()));
    let mut ending = put(1, "malicious", "domain", "evil.example");
    ending["valid_until"] = json!("2017-05-12T00:00:10Z");
    hub.with(|hub| hub.changes = vec![ending, put(2, "malicious", "domain", "bad.example")]);
    let mut running = Running::start_at(place.config(&hub), clock.clone());
    assert_eq!(running.synced().await, 2);
    hub.with(|hub| hub.down = true);
    clock.set(Timestamp::parse("2017-05-12T00:00:10Z").unwrap());
    assert_eq!(running.synced().await, 1);
    assert!(!place.blocklist().contains("evil.example"));
    place.append("eve.json", ["evil.example", "bad.example"].map(dns));
    hub.with(|hub| hub.down = false);
    hub.until("a sighting", |hub| !hub.counted.is_empty()).await;
    running.stop().await;
    hub.with(|hub| assert_eq!(hub.counted, [(indicator(2), 1)].into()));
}

#[tokio::test]
async fn warnings_are_taken_acknowledged_and_resumed_after() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    hub.with(|hub| hub.warnings = vec![warning(1, 1, Value::Null)]);
    let mut running = Running::start(place.config(&hub));
    let warned = |event: &SensorEvent| match event {
        SensorEvent::Warned { indicator, revision, .. } => Some((indicator.to_string(), *revision)),
        _ => None,
    };
    assert_eq!(running.event("raised before the start", warned).await, (indicator(1), 1));
    hub.until("the stream", |hub| !hub.stream_ids.is_empty()).await;
    hub.tell("e1", "warning", &warning(1, 1, Value::Null));
    hub.tell("e2", "warning", &warning(2, 1, Value::Null));
    assert_eq!(running.event("not told again, but the next", warned).await, (indicator(2), 1));
    hub.tell("e3", "warning", &warning(2, 2, json!("2017-05-12T07:24:01Z")));
    assert_eq!(running.event("its revision", warned).await, (indicator(2), 2));
    hub.until("both acknowledged", |hub| hub.acknowledged.len() == 2).await;
    hub.hang_up();
    hub.until("a second stream", |hub| hub.stream_ids.len() == 2).await;
    let summary = running.stop().await;
    assert_eq!(summary.warnings, 3);
    let running = Running::start(place.config(&hub));
    hub.until("a third stream", |hub| hub.stream_ids.len() == 3).await;
    running.stop().await;
    hub.with(|hub| {
        assert_eq!(hub.stream_ids, [None, Some("e3".to_owned()), Some("e3".to_owned())]);
    });
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let (hub, place) = (FakeHub::start().await, Place::new());
    let refused =
        |config: Config| async move { Running::start(config).task.await.unwrap().unwrap_err().code() };
    hub.with(|hub| hub.unauthorised = true);
    assert_eq!(refused(place.config(&hub)).await, "sensor.hub.token");
    hub.with(|hub| hub.unauthorised = false);
    let mut running = Running::start(place.config(&hub));
    running.synced().await;
    assert_eq!(refused(place.config(&hub)).await, "sensor.disk.in_use");
    running.stop().await;
    let mut once = place.config(&hub);
    once.once = true;
    assert_eq!(refused(once).await, "sensor.follow.absent");
}

#[tokio::test]
async fn values_are_hashed_or_withheld_as_the_member_chooses() {
    use shieldwall_sensor::config::Tell;
    // sha256 of "www.evil.example", by `printf www.evil.example | sha256sum`.
    let hash = "902dfc3d200268c7b5334e28a41519998dc3c8533190cb1d3eff78eaa7f04dc9";
    for (tell, told) in [(Tell::Hashed, json!({ "sha256": hash })), (Tell::Withheld, json!("withheld"))] {
        let (hub, place) = (FakeHub::start().await, Place::new());
        hub.with(|hub| hub.changes = vec![put(1, "malicious", "domain", "evil.example")]);
        place.append("eve.json", [dns("WWW.evil.example")]);
        let mut config = place.config(&hub);
        (config.once, config.tell) = (true, tell);
        Running::start(config).task.await.unwrap().unwrap();
        hub.with(|hub| assert_eq!(hub.sightings[0]["value"], told));
        let left = grep(&place.path("state"), "www.evil.example");
        assert_eq!(left, Vec::<PathBuf>::new(), "no value that is not told lies on disk");
    }
}

fn grep(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(grep(&path, text));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
            found.push(path);
        }
    }
    found
}
