//! A sensor in this process: its state directory, its telemetry file, and what it tells while it runs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::{Clock, SystemClock};
use shieldwall_sensor::agent::{self, SensorError, SensorEvent, Summary};
use shieldwall_sensor::config::{ConfigDraft, HiddenText, InputDraft, Tell};
use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::value::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Client, World, within};

/// Where a sensor lives and what it reads; it can be started there again and again.
pub(crate) struct Post {
    home: PathBuf,
    hub: String,
    token: String,
    generator: Generator,
    /// What a sighting tells of the value.
    pub(crate) tell: Tell,
}

impl Post {
    /// A place for a sensor with this token.
    pub(crate) fn new(world: &World, name: &str, token: &Client) -> Self {
        let home = world.beside(name);
        fs::create_dir_all(&home).expect("a directory for the sensor");
        fs::write(home.join("eve.json"), "").expect("a telemetry file");
        let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
        let (hub, token) = (world.url(), token.secret().to_owned());
        Self { home, hub, token, generator: Generator::new(seed), tell: Tell::Plain }
    }

    /// The telemetry file.
    pub(crate) fn telemetry(&self) -> PathBuf {
        self.home.join("eve.json")
    }

    /// Writes one DNS query for `value` as Suricata EVE JSON, after `before` lines of everyday traffic.
    pub(crate) fn see(&mut self, value: &Value, before: usize) {
        let now = SystemClock.now().as_micros();
        let mut lines = String::new();
        for _ in 0..before {
            lines.push_str(&self.generator.line(Telemetry::Suricata, now, None));
            lines.push('\n');
        }
        let query = serde_json::json!({
            "timestamp": "2017-05-12T07:44:00.000000+0000", "event_type": "dns", "src_ip": "10.0.0.7", "dest_ip": "10.0.0.1",
            "proto": "UDP", "dns": {"type": "query", "rrname": value.to_string(), "rrtype": "A"},
        });
        lines.push_str(&format!("{query}\n"));
        let mut file = OpenOptions::new().append(true).open(self.telemetry()).expect("the telemetry file");
        file.write_all(lines.as_bytes()).expect("the telemetry file takes lines");
    }

    /// The values on the sensor's block list.
    pub(crate) fn blocked(&self) -> Vec<String> {
        read_blocked(&self.home.join("state/blocklist.txt"))
    }

    /// Starts the sensor here.
    pub(crate) fn start(&self) -> Sensor {
        self.start_on(vec![InputDraft {
            path: self.telemetry(),
            format: Some("suricata".into()),
            ..InputDraft::default()
        }])
    }

    /// Starts the sensor on other inputs.
    pub(crate) fn start_on(&self, inputs: Vec<InputDraft>) -> Sensor {
        let draft = ConfigDraft {
            hub: Some(self.hub.clone()),
            token: Some(HiddenText(self.token.clone())),
            state: Some(self.home.join("state")),
            name: Some("edge-1".into()),
            inputs,
            decoder: Some(env!("CARGO_BIN_EXE_shieldwall").into()),
            tell: self.tell,
            first_report_milliseconds: Some(0),
            repeat_report_seconds: Some(0),
            poll_seconds: Some(1),
            drain_seconds: Some(1),
            ..ConfigDraft::default()
        };
        let config = draft.check(|_| None).unwrap_or_else(|error| panic!("{}: {error}", error.code()));
        let (sender, events) = mpsc::channel(10_000);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(agent::run(
            config,
            Arc::new(SystemClock),
            Arc::new(SystemEntropy),
            Some(sender),
            async {
                let _ = stopped.await;
            },
        ));
        Sensor { events, stop: Some(stop), task }
    }
}

fn read_blocked(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// A sensor that runs.
pub(crate) struct Sensor {
    events: mpsc::Receiver<SensorEvent>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<Summary, SensorError>>,
}

impl Sensor {
    /// The next event that `fits`; those before it are passed over.
    pub(crate) async fn until(&mut self, what: &str, fits: impl Fn(&SensorEvent) -> bool) -> SensorEvent {
        self.all_until(what, fits).await.pop().expect("the last one fits")
    }

    /// All events up to and with the next that `fits`.
    pub(crate) async fn all_until(
        &mut self,
        what: &str,
        fits: impl Fn(&SensorEvent) -> bool,
    ) -> Vec<SensorEvent> {
        let mut events = Vec::new();
        loop {
            let event = within(what, self.events.recv()).await;
            let Some(event) = event else { panic!("the sensor ended before {what}; it told {events:?}") };
            let last = fits(&event);
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// Waits until the watchlist holds at least `items`.
    pub(crate) async fn synced(&mut self, least: usize) {
        self.until(
            "the watchlist",
            |event| matches!(event, SensorEvent::Synced { items, .. } if *items >= least),
        )
        .await;
    }

    /// Waits until a report is confirmed; how many sightings the hub took.
    pub(crate) async fn reported(&mut self) -> u64 {
        match self.until("a report", |event| matches!(event, SensorEvent::Reported { .. })).await {
            SensorEvent::Reported { accepted, .. } => accepted,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until it has read all there is.
    pub(crate) async fn ended(self) -> Summary {
        let Self { task, stop, events: _events } = self;
        let summary = within("the sensor to end", task).await.expect("the sensor ends");
        drop(stop);
        summary.unwrap_or_else(|error| panic!("{}: {error}", error.code()))
    }

    /// Stops the sensor in order.
    pub(crate) async fn stop(mut self) -> Summary {
        let _ = self.stop.take().map(|stop| stop.send(()));
        within("the sensor to stop", self.task)
            .await
            .expect("the sensor ends")
            .unwrap_or_else(|error| panic!("{}: {error}", error.code()))
    }
}
