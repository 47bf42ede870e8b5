//! A sensor process killed over and over, at moments nobody chose: nothing is lost and nothing counts twice.

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
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fake::{FakeHub, Report, TOKEN, indicator, put};
use shieldwall_model::id::{Entropy, RepeatableEntropy, SystemEntropy};
use shieldwall_model::time::SystemClock;
use shieldwall_sensor::agent::run;
use shieldwall_sensor::config::{Config, ConfigDraft, HiddenText, InputDraft};

const TEST: &str = "kills_at_any_moment_lose_nothing_and_double_nothing";
const HUB: &str = "SHIELDWALL_TEST_CRASH_HUB";
const PLACE: &str = "SHIELDWALL_TEST_CRASH_PLACE";
const KILLS: u64 = 40;

fn config(hub: &str, place: &Path) -> Config {
    let draft = ConfigDraft {
        hub: Some(hub.to_owned()),
        token: Some(HiddenText(TOKEN.into())),
        state: Some(place.join("state")),
        inputs: vec![InputDraft { path: place.join("log"), ..InputDraft::default() }],
        first_report_milliseconds: Some(5),
        repeat_report_seconds: Some(1),
        ..ConfigDraft::default()
    };
    draft.check(|_| None).unwrap()
}

/// This very test again, as a process that is nothing but a sensor.
fn sensor(hub: &FakeHub, place: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(HUB, format!("http://{}", hub.address))
        .env(PLACE, place)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Writes some events, and now and then rotates; returns how many carry an indicator.
fn write_events(place: &Path, random: u64, rotation: u64) -> u64 {
    if random.is_multiple_of(5) && place.join("log").exists() {
        std::fs::rename(place.join("log"), place.join(format!("log.{rotation:03}"))).unwrap();
    }
    let mut file = std::fs::File::options().create(true).append(true).open(place.join("log")).unwrap();
    let events = 1 + random % 50;
    for event in 0..events {
        let name = if event % 2 == 0 { "evil.example" } else { "fine.example" };
        writeln!(file, "event {event} of {random} asked for {name}").unwrap();
    }
    events.div_ceil(2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_nothing_and_double_nothing() {
    if let (Ok(hub), Some(place)) = (std::env::var(HUB), std::env::var_os(PLACE)) {
        let config = config(&hub, Path::new(&place));
        run(config, Arc::new(SystemClock), Arc::new(SystemEntropy), None, std::future::pending())
            .await
            .unwrap();
        return;
    }
    let (hub, place) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    hub.with(|hub| hub.changes = vec![put(1, "malicious", "domain", "evil.example")]);
    let dice = RepeatableEntropy::new(42);
    let random = || {
        let mut bytes = [0; 4];
        dice.fill(&mut bytes).unwrap();
        u64::from(u32::from_le_bytes(bytes))
    };
    let mut planted = 0;
    for kill in 0..KILLS {
        let reports = hub.with(|inner| {
            inner.plan = match random() % 3 {
                0 => vec![Report::TakeAndHangUp],
                1 => vec![Report::HangUp, Report::Take],
                _ => vec![],
            };
            inner.by_key.len()
        });
        planted += write_events(place.path(), random(), kill);
        let mut child = sensor(&hub, place.path());
        match kill % 3 {
            // The moment the hub has recorded a report, its answer still on the way.
            0 => hub.until("a report", |inner| inner.by_key.len() > reports).await,
            // The moment the sensor is up.
            1 => {
                let beats = hub.with(|inner| inner.health.len());
                hub.until("a heartbeat", |inner| inner.health.len() > beats).await;
            }
            _ => {}
        }
        planted += write_events(place.path(), random() | 1, kill);
        // Not waiting for anything: the moment of the kill is what is chosen here.
        tokio::time::sleep(Duration::from_micros(random() % 60_000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut child = sensor(&hub, place.path());
    hub.until("everything", |inner| inner.counted.get(&indicator(1)) >= Some(&planted)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let mut once = config(&format!("http://{}", hub.address), place.path());
    once.once = true;
    let never = std::future::pending();
    let last = run(once, Arc::new(SystemClock), Arc::new(SystemEntropy), None, never).await.unwrap();
    assert_eq!(last.unsent_reports, 0);
    hub.with(|inner| {
        assert_eq!(inner.counted, [(indicator(1), planted)].into());
        assert!(inner.repeats > 0, "no kill fell between a report and its confirmation");
    });
}
