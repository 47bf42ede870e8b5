//! A running sensor: its parts started, watched over and stopped in order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use shieldwall_model::id::Entropy;
use shieldwall_model::time::Clock;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::client::{Hub, HubError};
use crate::config::{Config, ConfigError};
use crate::deliver;
use crate::disk::{self, Disk, DiskError, StateLock};
use crate::guard::Guard;
use crate::knowledge::{Armoury, Knowledge, KnowledgeError, Names};
use crate::memory;
use crate::shared::{Counts, Observer, Reading, Shared, get};
use crate::spool::{Checkpoint, Spool, SpoolError};
use crate::stream::Listener;
use crate::sync::{self, First};
use crate::wire::{Health, RuleCounts, ShedCounts};
use crate::work::{self, WorkError, Worker};

pub use crate::shared::SensorEvent;

/// How long a start waits for the hub before it goes on with what is on disk, in seconds.
const START_SECONDS: u64 = 5;
/// Most withheld indicators a heartbeat names.
const WITHHELD_TOLD_MAX: usize = 100;

/// Why a sensor could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state directory cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The kept watchlist cannot be used.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    /// The memory cannot be used.
    #[error(transparent)]
    Memory(#[from] shieldwall_memory::MemoryError),
    /// The hub does not let this sensor in.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Told to read once, with no hub in reach and no watchlist on disk.
    #[error(
        "there is nothing to watch for: the hub gave no watchlist within {START_SECONDS} s and none is on disk; check the hub's address, or start again once it is up"
    )]
    NothingToWatchFor,
    /// Matching stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A part of the sensor broke; that is a mistake in the program.
    #[error("the sensor broke ({what}); nothing reported is lost, start it again")]
    Broken {
        /// What is known of it.
        what: String,
    },
}

impl SensorError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::Disk(error) => error.code(),
            Self::Spool(error) => error.code(),
            Self::Knowledge(error) => error.code(),
            Self::Memory(error) => error.code(),
            Self::Hub(error) => error.code(),
            Self::NothingToWatchFor => "sensor.nothing_to_watch_for",
            Self::Work(error) => error.code(),
            Self::Broken { .. } => "sensor.broken",
        }
    }
}

/// What a sensor did between start and stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Lines read that are not blank.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Indicators met.
    pub matches: u64,
    /// Lines that were no event of their format.
    pub bad_lines: u64,
    /// Lines too long to be read.
    pub skipped_lines: u64,
    /// Messages from the network that found no room.
    pub dropped_messages: u64,
    /// Reports the hub confirmed.
    pub reports: u64,
    /// Sightings in them.
    pub sightings: u64,
    /// How many of those the hub took.
    pub accepted: u64,
    /// Reports that are still on disk; they go out at the next start.
    pub unsent_reports: u64,
    /// Sightings found by looking back at what passed before an indicator was known.
    pub retrospective: u64,
    /// Warnings and revisions of warnings received.
    pub warnings: u64,
    /// Events the observer was too slow for.
    pub events_unobserved: u64,
}

/// Runs a sensor until `shutdown` completes, or its inputs end ([`Config::once`], or standard input alone).
///
/// Then what was found is written, and [`Config::drain`] long the hub is asked to take it; what it does not
/// take stays on disk. `observer` hears what happens as it happens; it is never waited for.
///
/// # Errors
/// [`SensorError`] when the sensor cannot start (configuration, state directory, a token the hub refuses, an
/// input that cannot be read once), or broke. A hub that is down is no error: the sensor goes on without.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Option<mpsc::Sender<SensorEvent>>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Summary, SensorError> {
    let hub = Hub::new(&config)?;
    disk::make_directory(&config.state)?;
    let _lock = StateLock::take(&config.state)?;
    let disk = Disk::default();
    let (spool, from) = Spool::open(&config.state, disk.clone())?;
    let mut seed = [0; 8];
    entropy.fill(&mut seed).map_err(SpoolError::Key)?;
    let (path, now) = (config.state.join("watchlist.json"), clock.now());
    let unbound = config.unbound_patterns;
    let opened = aside(move || Knowledge::open(&path, now, u64::from_le_bytes(seed), unbound));
    let mut knowledge = opened.await??;
    let (with, random) = (config.clone(), Arc::clone(&entropy));
    let memory = aside(move || memory::open(&with, random.as_ref(), now)).await??;
    if let Some(memory) = &memory {
        let guard = Guard::of(&config);
        knowledge.guard(guard.clone(), guard.with(Arc::clone(memory), Arc::clone(&clock)))?;
    }
    let shared = Arc::new(Shared {
        config,
        clock,
        entropy,
        hub,
        disk,
        spool,
        memory,
        withheld: Mutex::default(),
        observer: Observer::new(observer),
        counts: Counts::default(),
        reading: Mutex::new(Reading::default()),
        report_ready: Notify::new(),
        poll_now: Notify::new(),
        stream_open: watch::Sender::new(false),
        stopping: watch::Sender::new(false),
    });
    greet(&shared).await?;
    let mut parts = Parts::start(&shared, knowledge, from)?;
    let worked = parts.work(&shared, shutdown).await;
    let result = parts.stop(&shared, worked).await;
    shared.observer.tell(|| SensorEvent::Finished);
    result.map(|()| summary(&shared))
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SensorError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| SensorError::Broken { what: error.to_string() })
}

/// Asks the hub who we are. A token it refuses is told at once, while a person is likely to look.
async fn greet(shared: &Shared) -> Result<(), SensorError> {
    let asked = tokio::time::timeout(Duration::from_secs(START_SECONDS), shared.hub.me()).await;
    match asked {
        Ok(Ok(me)) => {
            tracing::info!(member = %me.member.name, role = %me.role, realm = %me.realm, "the hub knows this sensor");
            if me.role != "sensor" {
                tracing::warn!(role = %me.role, "this token can do more than a sensor needs; make one with --role sensor");
            }
        }
        Ok(Err(error)) if error.needs_a_person() => return Err(error.into()),
        Ok(Err(error)) => shared.unreachable("greeting the hub", &error),
        Err(_) => {
            let error = HubError::Unreachable { reason: "no answer".into() };
            shared.unreachable("greeting the hub", &error);
        }
    }
    Ok(())
}

/// The running parts.
struct Parts {
    /// Sync, stream, chores and heartbeat; none ends before the stop.
    tasks: JoinSet<()>,
    delivery: JoinHandle<()>,
    written_all: watch::Sender<bool>,
    synced: watch::Receiver<First>,
    /// Whether a watchlist came from disk.
    known: bool,
    /// What the worker is opened with.
    worker: Option<(Checkpoint, Arc<Armoury>, Arc<Names>)>,
}

impl Parts {
    fn start(shared: &Arc<Shared>, knowledge: Knowledge, from: Checkpoint) -> Result<Self, SensorError> {
        let listener = Arc::new(Listener::open(Arc::clone(shared))?);
        let known = knowledge.is_known();
        let worker = Some((from, knowledge.armoury(), knowledge.names()));
        let (written_all, written) = watch::channel(false);
        let (sync_done, synced) = watch::channel(First::Asking);
        let mut tasks = JoinSet::new();
        tasks.spawn(sync::keep(Arc::clone(shared), knowledge, sync_done));
        tasks.spawn(Arc::clone(&listener).listen());
        tasks.spawn(listener.do_chores());
        tasks.spawn(beat(Arc::clone(shared)));
        tasks.spawn(memory::keep(Arc::clone(shared)));
        let delivery = tokio::spawn(deliver::deliver(Arc::clone(shared), written));
        Ok(Self { tasks, delivery, written_all, synced, known, worker })
    }

    /// Reads and matches until the inputs end or `shutdown` completes.
    async fn work(
        &mut self,
        shared: &Arc<Shared>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), SensorError> {
        let mut shutdown = std::pin::pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            broken = self.tasks.join_next() => return Err(ended(broken)),
            ready = first_list(&mut self.synced, self.known, shared.config.once) => ready?,
        }
        let Some((from, armoury, names)) = self.worker.take() else { return Ok(()) };
        let (stop, stopped) = work::stopper();
        let (tell, mut told) = oneshot::channel();
        let (with, runtime) = (Arc::clone(shared), Handle::current());
        let thread = std::thread::Builder::new().name("shieldwall-matching".into()).spawn(move || {
            let opened = Worker::open(&with.config, from, armoury, names, Some(&runtime));
            let _ = tell.send(opened.and_then(|worker| work::run(worker, &with, &stopped)));
        });
        let thread = thread.map_err(|error| SensorError::Broken { what: error.to_string() })?;
        let early = tokio::select! {
            () = &mut shutdown => None,
            broken = self.tasks.join_next() => Some(ended(broken)),
            done = &mut told => return finished(done),
        };
        drop(stop);
        let done = finished(told.await);
        drop(thread);
        early.map_or(done, Err)
    }

    /// Hands in what is written, then lets everything end.
    async fn stop(
        mut self,
        shared: &Arc<Shared>,
        worked: Result<(), SensorError>,
    ) -> Result<(), SensorError> {
        self.written_all.send_replace(true);
        if tokio::time::timeout(shared.config.drain, &mut self.delivery).await.is_err() {
            self.delivery.abort();
            tracing::warn!(
                reports = shared.spool.reports(),
                "stopping with reports the hub has not taken; they stay on disk"
            );
        }
        let last_beat = health(shared, 0.0);
        let _ = tokio::time::timeout(Duration::from_secs(1), shared.hub.health(&last_beat)).await;
        shared.stopping.send_replace(true);
        let mut result = worked;
        while let Some(task) = self.tasks.join_next().await {
            if let (Err(error), Ok(())) = (task, &result) {
                result = Err(SensorError::Broken { what: error.to_string() });
            }
        }
        if let Some(memory) = shared.memory.clone() {
            let clock = Arc::clone(&shared.clock);
            let _ = aside(move || memory::close(&memory, clock.as_ref())).await;
        }
        result
    }
}

fn ended(task: Option<Result<(), tokio::task::JoinError>>) -> SensorError {
    let what = match task {
        Some(Err(error)) => error.to_string(),
        _ => "a part ended before its time".into(),
    };
    SensorError::Broken { what }
}

fn finished(done: Result<Result<(), WorkError>, oneshot::error::RecvError>) -> Result<(), SensorError> {
    match done {
        Ok(result) => Ok(result?),
        Err(_) => Err(SensorError::Broken { what: "the matching thread broke".into() }),
    }
}

/// Waits for a watchlist: the hub's, or after a while the one on disk. Without either nothing is read, because
/// what passes unmatched is not read again.
async fn first_list(first: &mut watch::Receiver<First>, known: bool, once: bool) -> Result<(), SensorError> {
    let enough = |first: &First| *first == First::Synced || (known && *first == First::Failed);
    let start = Duration::from_secs(START_SECONDS);
    let in_time = tokio::time::timeout(start, first.wait_for(enough)).await.is_ok();
    if in_time || known {
        return Ok(());
    }
    if once {
        return Err(SensorError::NothingToWatchFor);
    }
    let _ = first.wait_for(enough).await;
    Ok(())
}

/// Sends the heartbeat until the sensor stops.
async fn beat(shared: Arc<Shared>) {
    let (mut events, mut since) = (0, Instant::now());
    loop {
        let total = get(&shared.counts.events);
        let seconds = since.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { to_float(total - events) / seconds } else { 0.0 };
        (events, since) = (total, Instant::now());
        let beat = health(&shared, rate);
        tokio::select! {
            () = shared.stopped() => return,
            sent = shared.hub.health(&beat) => if let Err(error) = sent {
                tracing::debug!(%error, "heartbeat");
            }
        }
        if !shared.wait(shared.config.health).await {
            return;
        }
    }
}

/// Exact up to 2^53, which no count reaches.
fn to_float(count: u64) -> f64 {
    count as f64
}

fn health(shared: &Shared, events_per_second: f64) -> Health {
    let reading = shared.reading();
    let inputs = reading.inputs.iter().map(|(name, problem)| match problem {
        Some(problem) => format!("{name} ({problem})"),
        None => name.clone(),
    });
    let counts = &shared.counts;
    let withheld = shared.withheld().clone();
    Health {
        name: shared.config.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        events: get(&counts.events),
        bytes: get(&counts.bytes),
        matches: get(&counts.matches),
        bad_lines: get(&counts.bad_lines),
        // Neither was read.
        skipped_lines: get(&counts.skipped_lines) + get(&counts.dropped_messages),
        events_per_second,
        lag_seconds: reading.behind_since.map_or(0.0, |since| since.elapsed().as_secs_f64()),
        spool_reports: u64::try_from(shared.spool.reports()).unwrap_or(u64::MAX),
        watchlist_items: get(&counts.watchlist_items),
        watchlist_version: get(&counts.watchlist_version),
        rules: RuleCounts {
            run: get(&counts.rules_run),
            passed_on: get(&counts.rules_passed_on),
            left_out: get(&counts.rules_left_out),
        },
        shed: ShedCounts { matches: get(&counts.shed_matches), ..reading.shed },
        slow_rules: reading.slow_rules.clone(),
        withheld_total: u64::try_from(withheld.len()).unwrap_or(u64::MAX),
        withheld: withheld.into_iter().take(WITHHELD_TOLD_MAX).collect(),
        retrospective: get(&counts.retrospective),
        inputs: inputs.collect(),
        held: reading.held.clone(),
    }
}

fn summary(shared: &Shared) -> Summary {
    let counts = &shared.counts;
    Summary {
        events: get(&counts.events),
        bytes: get(&counts.bytes),
        matches: get(&counts.matches),
        bad_lines: get(&counts.bad_lines),
        skipped_lines: get(&counts.skipped_lines),
        dropped_messages: get(&counts.dropped_messages),
        reports: get(&counts.reports),
        sightings: get(&counts.sightings),
        accepted: get(&counts.accepted),
        retrospective: get(&counts.retrospective),
        unsent_reports: u64::try_from(shared.spool.reports()).unwrap_or(u64::MAX),
        warnings: get(&counts.warnings),
        events_unobserved: shared.observer.dropped(),
    }
}
