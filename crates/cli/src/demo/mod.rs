//! `demo`: shows the main job. A hub, an alliance and its sensors are started, one attack is replayed out of a scenario
//! file, and the figures say whether the loop closed.
//!
//! [`scenario`] is read, [`cast`] says who takes part, [`intel`] what the published values are, [`script`] writes the
//! acts; all of that is pure. [`house`] is what really runs, [`stage`] plays the script in it, [`figures`] makes the
//! report out of what was observed, [`show`] tells people.

mod answers;
mod cast;
mod ears;
mod figures;
mod house;
mod intel;
mod kinds;
mod scenario;
mod script;
mod show;
mod stage;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use shieldwall_model::id::{Entropy, RepeatableEntropy};
use shieldwall_model::time::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use cast::{Atlas, AtlasError};
use figures::{Play, Report};
use house::{Ground, House, HouseError};
use scenario::{Scenario, ScenarioError};
use script::Script;
use show::{Show, Voice};

/// The scenario that is played unless another is named.
const DEFAULT_SCENARIO: &str = include_str!("../../scenarios/wannacry.json");
/// How long a replay takes for people, in seconds.
const DURATION_SECONDS: f64 = 120.0;
/// How long it takes when nobody watches, in seconds.
const HEADLESS_DURATION_SECONDS: f64 = 20.0;
/// Where the hub listens for people, if that is free.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);
/// Exit status after a second signal: 128 and the number of SIGINT, as shells count.
const STOPPED_AT_ONCE: i32 = 130;

/// Show the main job: an alliance, its sensors and one attack, replayed.
///
/// Starts a hub in a fresh directory, an alliance of real countries with a sensor each, and replays the attack a
/// scenario file tells of, in scaled time, with made-up telemetry that carries the published values. What is done with
/// a value is decided by its role alone; no name is ever resolved and no address contacted.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  shieldwall demo                                # a weekend in two minutes; then look around until Ctrl-C
  shieldwall demo --headless --json              # for machines: one JSON object, exit status 0 if the loop closed
  shieldwall demo --scenario mine.json --duration 60

A scenario has the shape of crates/cli/scenarios/wannacry.json: events, indicators with roles, victims.")]
pub(crate) struct DemoArgs {
    /// The scenario file to play instead of the one that comes with the program
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// Scenario seconds in one real second
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = positive)]
    pub(crate) speed: Option<f64>,
    /// How many seconds the replay takes [default: 120, headless 20]
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) duration: Option<f64>,
    /// What telemetry and assumptions follow from: the same seed gives the same play
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keep everything in this directory, which must be new or empty [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where the hub listens [default: 127.0.0.1:8787 or a free port, headless a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Nobody watches: no progress bar, a faster replay, and an end when it is over
    #[arg(long)]
    pub(crate) headless: bool,
    /// Leave the temporary directory when done
    #[arg(long)]
    pub(crate) keep: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    let number =
        text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0 && *number <= 1e12);
    number.ok_or_else(|| "write a number above 0".to_owned())
}

/// How the demo speaks, and what it is given.
pub(crate) struct How {
    /// The figures as one JSON object, last on standard output.
    pub(crate) json: bool,
    /// Whether progress bars may be drawn.
    pub(crate) progress: bool,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness for secrets.
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// Why there was nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The scenario cannot be played.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The table of nations cannot be read.
    #[error(transparent)]
    Atlas(#[from] AtlasError),
    /// The house does not stand.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The data directory is in use.
    #[error("{0} holds something already: the demo wants a new or an empty directory")]
    NotEmpty(PathBuf),
    /// A directory cannot be made.
    #[error("no directory can be made for the demo's data: {path}")]
    Directory {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be listened for.
    #[error("signals cannot be listened for")]
    Signals(#[source] std::io::Error),
    /// Standard output cannot be written.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
}

impl DemoError {
    /// The stable code of this error.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Scenario(error) => error.code(),
            Self::Atlas(error) => error.code(),
            Self::House(error) => error.code(),
            Self::NotEmpty(_) => "demo.data.not_empty",
            Self::Directory { .. } => "demo.data.directory",
            Self::Signals(_) => "demo.signals",
            Self::Output(_) => "demo.output",
        }
    }

    /// Whether the command or its input is wrong, rather than something it needs.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Scenario(_) | Self::NotEmpty(_))
    }

    fn place(&self) -> Option<String> {
        if let Self::Scenario(error) = self { error.place() } else { None }
    }
}

/// Shows the demo; says whether the loop closed.
///
/// # Errors
/// [`DemoError`] when there is nothing to show; with [`How::json`] it is also the last line of standard output.
pub(crate) async fn run(args: DemoArgs, how: How) -> Result<bool, DemoError> {
    let json = how.json;
    let shown = run_inner(args, how).await;
    if let Err(error) = &shown
        && json
    {
        let object = json!({"loop_closed": false, "error": {"code": error.code(), "message": error.to_string(), "place": error.place()}});
        print(&object.to_string())?;
    }
    shown
}

async fn run_inner(args: DemoArgs, how: How) -> Result<bool, DemoError> {
    let (stopper, stop) = watch::channel(false);
    listen_for_signals(stopper).map_err(DemoError::Signals)?;
    let voice = Some(if how.json { Voice::Err } else { Voice::Out });
    let (report, opened) = play(&args, &how, voice, stop.clone()).await?;
    opened.show.figures(&report);
    if how.json {
        let line = serde_json::to_string(&report).map_err(|error| DemoError::Output(error.into()))?;
        print(&line)?;
    }
    let mut stop = stop;
    if !args.headless && !*stop.borrow() {
        opened.show.say(&format!("\nLook around at {}; Ctrl-C ends the demo.", opened.house.url()));
        // The sender lives as long as the program.
        let _ = stop.wait_for(|stop| *stop).await;
    }
    for trouble in opened.house.close().await {
        opened.show.say(&trouble);
    }
    if args.keep
        && let Some(directory) = opened.directory
    {
        opened.show.say(&format!("Everything is left in {}", directory.keep().display()));
    }
    Ok(report.loop_closed)
}

/// A demo that was played and still stands.
struct Opened {
    house: House,
    show: Show,
    /// The temporary directory, removed when dropped.
    directory: Option<tempfile::TempDir>,
}

/// Reads, casts, builds and plays.
async fn play(
    args: &DemoArgs,
    how: &How,
    voice: Option<Voice>,
    stop: watch::Receiver<bool>,
) -> Result<(Report, Opened), DemoError> {
    let scenario = match &args.scenario {
        Some(path) => scenario::read_file(path)?,
        None => scenario::read(DEFAULT_SCENARIO.as_bytes(), "built in", "scenario")?,
    };
    let atlas = Atlas::built_in()?;
    let cast = atlas.cast(&scenario);
    let mut notes = scenario.notes.clone();
    let items = intel::items(&scenario, &mut notes);
    let script = script::write(&scenario, &atlas, &cast, &items, args.seed);
    let speed = speed(args, &scenario, &script);
    let (data, directory) = data(args)?;
    let ground = Ground {
        data: &data,
        listen: args.listen.unwrap_or_else(|| free(args.headless)),
        clock: Arc::clone(&how.clock),
        entropy: Arc::clone(&how.entropy),
        analysts: script.analysts(cast.office()),
    };
    let mut house = House::build(&cast, ground).await?;
    let show = Show::new(voice, how.progress && !args.headless, &scenario, script.end);
    let seconds = script.end.since_micros(scenario.start) as f64 / 1e6 / speed;
    show.welcome(&scenario, &cast, &house.url(), &house.doors, seconds);
    let play = Play { scenario: &scenario, cast: &cast, items: &items, script: &script, seed: args.seed };
    let observed = stage::perform(stage::Setting {
        play,
        house: &mut house,
        show: &show,
        clock: Arc::clone(&how.clock),
        entropy: Arc::new(RepeatableEntropy::new(args.seed)),
        speed,
        stop,
    })
    .await;
    show.over();
    match observed {
        Ok(observed) => Ok((figures::report(play, &observed, &notes), Opened { house, show, directory })),
        Err(error) => {
            house.close().await;
            Err(error.into())
        }
    }
}

/// Scenario seconds in a real second.
fn speed(args: &DemoArgs, scenario: &Scenario, script: &Script) -> f64 {
    let usual = if args.headless { HEADLESS_DURATION_SECONDS } else { DURATION_SECONDS };
    let span = script.end.since_micros(scenario.start) as f64 / 1e6;
    // Where nobody is hit there is nothing to watch.
    let usual = if script.first_activity.is_none() { 1.0 } else { usual };
    args.speed.unwrap_or(span / args.duration.unwrap_or(usual)).max(f64::MIN_POSITIVE)
}

/// The directory to keep everything in, and its owner if it is a temporary one.
fn data(args: &DemoArgs) -> Result<(PathBuf, Option<tempfile::TempDir>), DemoError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::Directory { path, source }
    };
    let Some(path) = &args.data else {
        let directory = tempfile::Builder::new()
            .prefix("shieldwall-demo-")
            .tempdir()
            .map_err(wrong(&std::env::temp_dir()))?;
        return Ok((directory.path().to_owned(), Some(directory)));
    };
    std::fs::create_dir_all(path).map_err(wrong(path))?;
    let mut held = std::fs::read_dir(path).map_err(wrong(path))?;
    if held.next().is_some() { Err(DemoError::NotEmpty(path.clone())) } else { Ok((path.clone(), None)) }
}

/// An address to listen on: the usual one if it is free and people are to find it, else any free port.
fn free(headless: bool) -> SocketAddr {
    let usual = !headless && TcpListener::bind(LISTEN).is_ok();
    if usual { LISTEN } else { SocketAddr::new(LISTEN.ip(), 0) }
}

/// The first SIGINT or SIGTERM ends the demo in order, the second at once.
fn listen_for_signals(stopper: watch::Sender<bool>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if round > 0 {
                std::process::exit(STOPPED_AT_ONCE);
            }
            stopper.send_replace(true);
        }
    });
    Ok(())
}

fn print(line: &str) -> Result<(), DemoError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(DemoError::Output)
}
