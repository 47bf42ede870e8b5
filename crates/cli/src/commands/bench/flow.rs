//! `bench flow`: several sensors share one NATS stream, one of them is killed, and every sighting is counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shieldwall_hub::Running;
use shieldwall_model::id::GroupId;
use shieldwall_sensor::nats::{self, Backlog, NatsInput};
use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::value::{Kind, Value};
use tempfile::TempDir;

use super::import::{start, temporary, token};
use super::indicators::Indicators;
use crate::client::{Client, HubOptions};
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped};

/// How long a message waits to be acknowledged before another sensor gets it, in seconds.
const ACKNOWLEDGE_SECONDS: u64 = 5;
/// How long anything is waited for, in seconds.
const PATIENCE_SECONDS: u64 = 600;
/// How often a process is looked at, in milliseconds.
const LOOK_MILLISECONDS: u64 = 50;
/// Every so many events one carries an indicator.
const PLANTED_ONE_IN: u64 = 20;
/// Entries on a page when they are counted.
const PAGE: &str = "1000";

/// Measure sensors that share a NATS stream, one of which is killed on the way.
#[derive(Debug, Args)]
#[command(after_help = "\
Starts a hub, a NATS server and the sensors on this machine, each sensor in a process of its own, and replays Suricata \
EVE of which every twentieth event carries an indicator. One sensor gets SIGKILL about half-way; once the others have \
read everything it is started again and hands in what it had on disk. The sightings at the hub are then compared with \
what was planted, indicator by indicator.

Exit status: 0 when every event is counted once, 1 when not.

Examples:
  shieldwall bench flow --nats target/venv/bin/nats-server
  shieldwall bench flow --events 20000 --lines 10 --json")]
pub(crate) struct BenchFlowArgs {
    /// Events replayed
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,
    /// Sensors that share the stream
    #[arg(long, value_name = "N", default_value_t = 3)]
    sensors: usize,
    /// Indicators shared and planted
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    indicators: u64,
    /// Events in one message
    #[arg(long, value_name = "N", default_value_t = 1)]
    lines: u64,
    /// Threads that match in each sensor
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// The NATS server, 2.10 or newer
    #[arg(long, value_name = "FILE", env = "SHIELDWALL_NATS", default_value = "nats-server")]
    nats: PathBuf,
}

/// What was seen and what should have been.
#[derive(Debug, Default, Serialize)]
struct Figures {
    events: u64,
    messages: u64,
    sensors: usize,
    /// Events that carry an indicator.
    planted: u64,
    /// Events the sightings at the hub count.
    counted: u64,
    /// Events planted and not counted, over all indicators.
    lost: u64,
    /// Events counted more often than planted, over all indicators.
    doubled: u64,
    /// Sightings at the hub.
    sightings: u64,
    /// Messages that were read by the time one sensor was killed.
    read_when_killed: u64,
    /// Messages the killed sensor had and had not acknowledged: others get them again.
    handed_out_again: u64,
    /// Reports on the killed sensor's disk that the hub did not have.
    reports_left: u64,
    /// From the first sensor's start until all messages were acknowledged, in seconds.
    seconds: f64,
    /// Of these, the part before the kill; the rest includes the wait for the killed sensor's messages.
    seconds_before: f64,
    events_per_second_before: f64,
}

/// A process that goes with this value.
struct Process(Child);

impl Process {
    fn start(command: &mut Command, what: &str) -> Result<Self, Fault> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(Self).map_err(|error| {
            Fault::environment("cli.bench.process", format!("{what} does not start")).because(error)
        })
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs the command.
///
/// # Errors
/// What keeps it from measuring.
pub(crate) fn run(args: &BenchFlowArgs, console: &Console) -> Result<Outcome, Fault> {
    if args.events == 0 || args.sensors < 2 || args.indicators == 0 || args.lines == 0 {
        return Err(Fault::usage(
            "cli.bench.flow",
            "name at least 1 event, line and indicator, and 2 sensors",
        ));
    }
    let dir = temporary()?;
    let token = token(dir.path(), console)?;
    let figures = console.wait_for(measure(args, &dir, &token, console))?;
    console.answer(&figures, told)?;
    Ok(Outcome::of(figures.lost == 0 && figures.doubled == 0))
}

async fn measure(
    args: &BenchFlowArgs,
    dir: &TempDir,
    token: &str,
    console: &Console,
) -> Result<Figures, Fault> {
    let hub = start(dir, console).await?;
    let options =
        HubOptions { hub: hub.url(), token: Some(token.to_owned()), token_file: None, ca_file: None };
    let client = Client::new(&options)?;
    let indicators = Indicators::new(7);
    share(&client, indicators, args.indicators).await?;
    let (_server, address) = nats_server(&args.nats, dir.path()).await?;
    let input = NatsInput::of("nats", &format!("{address}/FLOW?consumer=bench"), None, None)
        .map_err(|error| Fault::failed(error.code(), &error))?;
    let truth = publish(args, &input, indicators, console).await?;
    let mut figures = replay(args, &input, &hub, token, dir.path(), console).await?;
    (figures.events, figures.sensors) = (args.events, args.sensors);
    compare(&mut figures, &truth, &counts(&client).await?);
    Ok(figures)
}

async fn share(client: &Client, indicators: Indicators, count: u64) -> Result<(), Fault> {
    let mut from = 0;
    while from < count {
        let to = (from + 1_000).min(count);
        let envelope = indicators.envelope(from, to);
        let mut bundle = br#"{"type":"bundle","id":"bundle--6a3b3c0e-5a5e-4d0e-9a58-1e55f1d3f2aa","#.to_vec();
        bundle.extend_from_slice(envelope.get(1..).unwrap_or_default());
        let _: Json = client.post("/api/v1/objects", &[], "application/json", bundle.into()).await?;
        from = to;
    }
    Ok(())
}

/// Starts a server on a free port of this machine, and its address.
async fn nats_server(program: &Path, dir: &Path) -> Result<(Process, String), Fault> {
    #[derive(Deserialize)]
    struct Ports {
        nats: Vec<String>,
    }
    let ports = dir.join("nats-ports");
    fs::create_dir_all(&ports).map_err(|error| {
        Fault::environment("cli.bench.dir", "no directory for the NATS server").because(error)
    })?;
    let mut command = Command::new(program);
    command.args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir"]).arg(dir.join("nats"));
    command.arg("--ports_file_dir").arg(&ports).stderr(Stdio::null());
    let server = Process::start(&mut command, "the NATS server (--nats or SHIELDWALL_NATS)")?;
    for _ in 0..PATIENCE_SECONDS * 1_000 / LOOK_MILLISECONDS {
        let told = fs::read_dir(&ports).ok().and_then(|mut files| files.next()?.ok());
        let text = told.and_then(|file| fs::read_to_string(file.path()).ok()).unwrap_or_default();
        if let Some(address) =
            serde_json::from_str::<Ports>(&text).ok().and_then(|ports| ports.nats.into_iter().next())
        {
            return Ok((server, address));
        }
        look_again().await;
    }
    Err(Fault::environment("cli.bench.nats", "the NATS server does not say where it listens"))
}

async fn look_again() {
    tokio::time::sleep(Duration::from_millis(LOOK_MILLISECONDS)).await;
}

/// Fills the stream, and tells how often each indicator is in it.
async fn publish(
    args: &BenchFlowArgs,
    input: &NatsInput,
    indicators: Indicators,
    console: &Console,
) -> Result<BTreeMap<String, u64>, Fault> {
    let mut truth: BTreeMap<String, u64> = BTreeMap::new();
    let values: Vec<Value> = (0..args.indicators)
        .map(|number| Value::new(Kind::Domain, &indicators.domain(number)))
        .collect::<Result<_, _>>()
        .map_err(|error| Fault::failed(error.code(), &error))?;
    let mut generator = Generator::new(11);
    let (now, gauge) = (console.clock.now().as_micros(), console.count("events in", Some(args.events)));
    let mut next = 0;
    let messages = std::iter::from_fn(|| {
        if next >= args.events {
            return None;
        }
        let mut message = Vec::new();
        for event in next..(next + args.lines).min(args.events) {
            let number = (event / PLANTED_ONE_IN) % args.indicators;
            let planted = event.is_multiple_of(PLANTED_ONE_IN);
            let value = values.get(usize::try_from(number).unwrap_or_default()).filter(|_| planted);
            if value.is_some() {
                *truth.entry(indicators.id(number)).or_default() += 1;
            }
            let at = now.saturating_add(i64::try_from(event).unwrap_or_default());
            message.extend_from_slice(generator.line(Telemetry::Suricata, at, value).as_bytes());
            message.push(b'\n');
        }
        next = next.saturating_add(args.lines);
        gauge.set(next);
        Some(message)
    });
    let wait = Duration::from_secs(ACKNOWLEDGE_SECONDS);
    nats::publish(input, true, wait, messages).await.map_err(|error| Fault::failed(error.code(), &error))?;
    Ok(truth)
}

fn sensor(
    args: &BenchFlowArgs,
    input: &NatsInput,
    hub: &Running,
    token: &str,
    state: &Path,
) -> Result<Process, Fault> {
    let program = std::env::current_exe().map_err(|error| {
        Fault::environment("cli.bench.program", "this program is not there").because(error)
    })?;
    let mut command = Command::new(program);
    command.args(["--log", "error", "sensor", "--hub", &hub.url(), "--threads", &args.threads.to_string()]);
    command.arg("--state").arg(state).arg("--input").arg(format!("{input}:suricata"));
    command.env("SHIELDWALL_TOKEN", token).env("NO_PROXY", "*");
    Process::start(&mut command, "a sensor")
}

async fn backlog(input: &NatsInput) -> Result<Backlog, Fault> {
    let asked = nats::backlog(input).await.map_err(|error| Fault::failed(error.code(), &error))?;
    asked.ok_or_else(|| Fault::environment("cli.bench.nats", "the consumer is gone"))
}

/// Waits until `done`; asks how far the consumer is in between.
async fn until(
    what: &str,
    input: &NatsInput,
    mut done: impl FnMut(Backlog) -> bool,
) -> Result<Backlog, Fault> {
    for _ in 0..PATIENCE_SECONDS * 1_000 / LOOK_MILLISECONDS {
        let now = backlog(input).await?;
        if done(now) {
            return Ok(now);
        }
        look_again().await;
    }
    Err(Fault::environment("cli.bench.wait", format!("waited {PATIENCE_SECONDS} s in vain for {what}")))
}

/// Reports in a sensor's spool.
fn reports_in(state: &Path) -> u64 {
    let files = fs::read_dir(state.join("spool")).into_iter().flatten().filter_map(Result::ok);
    files.filter(|file| file.path().extension().is_some_and(|end| end == "json")).count() as u64
}

async fn replay(
    args: &BenchFlowArgs,
    input: &NatsInput,
    hub: &Running,
    token: &str,
    dir: &Path,
    console: &Console,
) -> Result<Figures, Fault> {
    let messages = args.events.div_ceil(args.lines);
    let state = |number: usize| dir.join(format!("sensor-{number}"));
    let started = Instant::now();
    let mut sensors = (0..args.sensors)
        .map(|number| sensor(args, input, hub, token, &state(number)))
        .collect::<Result<Vec<_>, _>>()?;
    let gauge = console.count("messages read", Some(messages));
    let half = until("half of the messages", input, |now| {
        gauge.set(messages.saturating_sub(now.waiting));
        now.waiting <= messages / 2
    });
    let half = half.await?;
    let seconds_before = started.elapsed().as_secs_f64();
    if let Some(first) = sensors.first_mut() {
        first.kill();
    }
    let reports_left = reports_in(&state(0));
    // What waits now beside what the living work on is the killed one's; it is told by being handed out again.
    let mut handed_out_again = 0;
    until("the rest of the messages", input, |now| {
        gauge.set(messages.saturating_sub(now.waiting));
        handed_out_again = handed_out_again.max(now.redelivered as u64);
        now.waiting == 0 && now.unacknowledged == 0
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    // It comes back, and what it had on disk is handed in.
    if let Some(first) = sensors.first_mut() {
        *first = sensor(args, input, hub, token, &state(0))?;
    }
    let mut empty = false;
    for _ in 0..PATIENCE_SECONDS * 1_000 / LOOK_MILLISECONDS {
        empty = (0..args.sensors).all(|number| reports_in(&state(number)) == 0);
        if empty {
            break;
        }
        look_again().await;
    }
    if !empty {
        return Err(Fault::environment("cli.bench.wait", "the sensors do not hand in their reports"));
    }
    let read = messages.saturating_sub(half.waiting);
    Ok(Figures {
        messages,
        read_when_killed: read,
        handed_out_again,
        reports_left,
        seconds,
        seconds_before,
        events_per_second_before: (read * args.lines) as f64 / seconds_before,
        ..Figures::default()
    })
}

/// How many events the hub's sightings count of each indicator, and how many sightings there are.
async fn counts(client: &Client) -> Result<(BTreeMap<String, u64>, u64), Fault> {
    #[derive(Deserialize)]
    struct Page {
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        sequence: u64,
        body: Option<Body>,
    }
    #[derive(Deserialize)]
    struct Body {
        indicator: String,
        count: u64,
    }
    let (mut all, mut sightings, mut before) = (BTreeMap::new(), 0, u64::MAX >> 1);
    let group = GroupId::ALLIANCE.to_string();
    loop {
        let from = before.to_string();
        let query =
            [("group", group.as_str()), ("kind", "sighting.reported"), ("before", &from), ("limit", PAGE)];
        let bytes = client.get("/api/v1/ledger/entries", &query, "application/json").await?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|error| {
            Fault::environment("cli.bench.entries", "the hub's entries cannot be read").because(error)
        })?;
        let Some(last) = page.entries.last() else { return Ok((all, sightings)) };
        before = last.sequence;
        for body in page.entries.into_iter().filter_map(|entry| entry.body) {
            sightings += 1;
            *all.entry(body.indicator).or_default() += body.count;
        }
    }
}

fn compare(figures: &mut Figures, truth: &BTreeMap<String, u64>, found: &(BTreeMap<String, u64>, u64)) {
    let (found, sightings) = found;
    figures.sightings = *sightings;
    figures.planted = truth.values().sum();
    figures.counted = found.values().sum();
    for (id, planted) in truth {
        let counted = found.get(id).copied().unwrap_or_default();
        figures.lost += planted.saturating_sub(counted);
        figures.doubled += counted.saturating_sub(*planted);
    }
    // What was seen and never planted counts as seen too often.
    figures.doubled +=
        found.iter().filter(|(id, _)| !truth.contains_key(*id)).map(|(_, count)| count).sum::<u64>();
}

fn told(figures: &Figures) -> String {
    format!(
        "{} in {} through {}, one killed after {}\n\
         {} events/s before the kill; {:.1} s in all, with the wait for the killed one's messages\n\
         left by the killed one: {} handed out again, {} on its disk\n\
         planted {}, counted {} in {}: {} lost, {} doubled",
        counted(figures.events, "event", "events"),
        counted(figures.messages, "message", "messages"),
        counted(figures.sensors as u64, "sensor", "sensors"),
        counted(figures.read_when_killed, "message", "messages"),
        grouped(figures.events_per_second_before as u64),
        figures.seconds,
        counted(figures.handed_out_again, "message", "messages"),
        counted(figures.reports_left, "report", "reports"),
        grouped(figures.planted),
        grouped(figures.counted),
        counted(figures.sightings, "sighting", "sightings"),
        grouped(figures.lost),
        grouped(figures.doubled),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_and_what_is_doubled_do_not_make_up_for_each_other() {
        let of = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
            counts.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect()
        };
        let mut figures = Figures::default();
        compare(
            &mut figures,
            &of(&[("a", 3), ("b", 2), ("c", 1)]),
            &(of(&[("a", 2), ("b", 3), ("x", 4)]), 9),
        );
        assert_eq!((figures.planted, figures.counted), (6, 9));
        assert_eq!((figures.lost, figures.doubled, figures.sightings), (2, 5, 9));
    }
}
