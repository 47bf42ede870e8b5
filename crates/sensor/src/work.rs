//! The matching thread: reads the inputs in turn, matches, counts, writes reports, keeps its place.
//!
//! Everything here blocks and none of it is async. One [`Worker::turn`] handles one block of each input and
//! leaves a state that may be kept, so tests can stop the sensor between any two writes.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shieldwall_memory::Memory;
use shieldwall_model::id::Entropy;
use shieldwall_model::time::Clock;
use shieldwall_watch::mapping::{MappingError, Mappings};
use shieldwall_watch::watchlist::LiveWatchlist;

use sha2::{Digest, Sha256};

use crate::aggregate::{Aggregator, Seen};
use crate::config::{Config, InputSource, Tell};
use crate::follow::{FollowError, Follower, Progress, hex};
use crate::knowledge::Names;
use crate::lines::{Filled, LineBuffer};
use crate::matching::{Matching, Met};
use crate::memory::Remembering;
use crate::shared::{Counts, Observer, Reading, SensorEvent, Shared, add};
use crate::spool::{Checkpoint, Report, Spool, SpoolError};
use crate::wire::{Sighting, ToldValue};

/// How often idle inputs are looked at, in milliseconds.
const IDLE_MILLISECONDS: u64 = 25;
/// How often the place is kept when nothing is to report, in milliseconds. A crash reads again what came since.
const KEEP_MILLISECONDS: u64 = 1_000;
/// How many blocks of standard input are read ahead.
const STDIN_BLOCKS: usize = 4;

/// Why matching stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// An input's mapping cannot be used.
    #[error("input {input}: {source}")]
    Mapping {
        /// The input.
        input: String,
        /// What is wrong with the mapping.
        source: Box<MappingError>,
    },
    /// An input cannot be read, and the sensor was told to read once.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The state directory failed at the end.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl WorkError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mapping { source, .. } => source.code(),
            Self::Follow(error) => error.code(),
            Self::Spool(error) => error.code(),
        }
    }
}

/// What a turn brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There was something; there may be more.
    Busy,
    /// There was nothing.
    Idle,
    /// Nothing may be read until reports can be written.
    Held,
    /// All inputs are at their end.
    Ended,
}

enum Source {
    File(Box<Follower>),
    Stdin { blocks: Receiver<(Vec<u8>, u64)>, ended: bool },
}

struct InputAtWork {
    name: String,
    source: Source,
    matching: Matching,
    skipped_lines: u64,
    remembering: Option<Remembering>,
}

/// What the worker borrows from the running sensor.
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a Config,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) spool: &'a Spool,
    pub(crate) observer: &'a Observer,
    pub(crate) counts: &'a Counts,
    pub(crate) memory: Option<&'a Mutex<Memory>>,
}

impl Shared {
    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            config: &self.config,
            clock: self.clock.as_ref(),
            entropy: self.entropy.as_ref(),
            spool: &self.spool,
            observer: &self.observer,
            counts: &self.counts,
            memory: self.memory.as_deref(),
        }
    }
}

/// See the module.
pub(crate) struct Worker {
    inputs: Vec<InputAtWork>,
    aggregator: Aggregator,
    live: Arc<LiveWatchlist>,
    names: Arc<Names>,
    /// A report that could not be written yet; nothing else is done before it was.
    stuck: Option<Report>,
    /// Something changed since the place was last kept, and when that was.
    unkept: bool,
    kept: Instant,
    once: bool,
    problems: BTreeMap<String, String>,
}

impl Worker {
    /// Opens the inputs where `from` left off.
    pub(crate) fn open(
        config: &Config,
        from: Checkpoint,
        live: Arc<LiveWatchlist>,
        names: Arc<Names>,
    ) -> Result<Self, WorkError> {
        let wrong = |input: &str, source: MappingError| WorkError::Mapping {
            input: input.to_owned(),
            source: Box::new(source),
        };
        let mappings = Arc::new(Mappings::built_in().map_err(|source| wrong("", source))?);
        let mut inputs = Vec::with_capacity(config.inputs.len());
        for input in &config.inputs {
            let name = input.source.to_string();
            let matching = Matching::new(&input.format, &mappings, live.current())
                .map_err(|source| wrong(&name, source))?;
            let source = match &input.source {
                InputSource::File(path) => {
                    let positions = from.inputs.get(&name).map_or(&[][..], Vec::as_slice);
                    Source::File(Box::new(Follower::new(path, positions, config.once)?))
                }
                InputSource::Stdin => Source::Stdin { blocks: read_stdin(), ended: false },
            };
            inputs.push(InputAtWork { name, source, matching, skipped_lines: 0, remembering: None });
        }
        let mut aggregator = Aggregator::new(config.first_report, config.repeat_report);
        from.waiting.into_iter().for_each(|sighting| aggregator.add_waiting(sighting));
        Ok(Self {
            inputs,
            aggregator,
            live,
            names,
            stuck: None,
            unkept: false,
            kept: Instant::now(),
            once: config.once,
            problems: BTreeMap::new(),
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut inputs = BTreeMap::new();
        for input in &self.inputs {
            if let Source::File(follower) = &input.source {
                inputs.insert(input.name.clone(), follower.positions());
            }
        }
        Checkpoint { sequence: 0, inputs, waiting: self.aggregator.waiting() }
    }

    /// Reads, matches and writes what is due. `Err` only for what makes going on pointless.
    pub(crate) fn turn(&mut self, around: &Surroundings<'_>, now: Instant) -> Result<Turn, WorkError> {
        if self.write_stuck(around).is_err() || around.spool.is_full() {
            return Ok(Turn::Held);
        }
        let (mut any, mut ended) = (false, true);
        for place in 0..self.inputs.len() {
            let (read, over) = self.read(place, around, now)?;
            any |= read;
            ended &= over;
        }
        self.unkept |= any;
        if self.report(around, now, false).is_err() {
            return Ok(Turn::Held);
        }
        if self.unkept && now.saturating_duration_since(self.kept) >= Duration::from_millis(KEEP_MILLISECONDS)
        {
            self.kept = now;
            match around.spool.commit(self.checkpoint()) {
                Ok(()) => self.unkept = false,
                Err(error) => {
                    tracing::error!(%error, code = error.code(), "the place in the inputs was not kept")
                }
            }
        }
        Ok(match (any, ended) {
            (true, _) => Turn::Busy,
            (false, true) => Turn::Ended,
            (false, false) => Turn::Idle,
        })
    }

    /// Reads one block of one input; tells whether there was something, and whether this was the end.
    fn read(
        &mut self,
        place: usize,
        around: &Surroundings<'_>,
        now: Instant,
    ) -> Result<(bool, bool), WorkError> {
        let Some(input) = self.inputs.get_mut(place) else { return Ok((false, true)) };
        let InputAtWork { name, source, matching, skipped_lines, remembering } = input;
        let mut block = Vec::new();
        let (lines, skipped, over) = match source {
            Source::File(follower) => match follower.step(now) {
                Ok(Progress::Lines) => (follower.lines(), follower.skipped_lines(), false),
                Ok(Progress::Idle) => {
                    self.problems.remove(name.as_str());
                    (&[][..], follower.skipped_lines(), self.once)
                }
                Err(error) if self.once => return Err(error.into()),
                Err(error) => {
                    let problem = error.to_string();
                    if self.problems.insert(name.clone(), problem.clone()).as_ref() != Some(&problem) {
                        tracing::warn!(%error, code = error.code(), "an input cannot be read; trying again");
                    }
                    return Ok((false, false));
                }
            },
            Source::Stdin { blocks, ended } => {
                let mut skipped = *skipped_lines;
                match blocks.try_recv() {
                    Ok((lines, so_far)) => (block, skipped) = (lines, so_far),
                    Err(TryRecvError::Disconnected) => *ended = true,
                    Err(TryRecvError::Empty) => {}
                }
                (block.as_slice(), skipped, *ended)
            }
        };
        add(&around.counts.skipped_lines, skipped.saturating_sub(*skipped_lines));
        *skipped_lines = skipped;
        if lines.is_empty() {
            return Ok((false, over));
        }
        let (aggregator, names) = (&mut self.aggregator, &self.names);
        // An event that carries a value in several fields is one event: it counts under the first of them.
        let mut counted: (u64, Vec<u32>) = (u64::MAX, Vec::new());
        let mut each = |met: Met<'_>| {
            if counted.0 != met.line {
                counted = (met.line, Vec::new());
            }
            if !counted.1.contains(&met.number) {
                counted.1.push(met.number);
                count(met, aggregator, names, around);
            }
        };
        let stats = match around.memory {
            Some(memory) => {
                let remembering = remembering.get_or_insert_with(|| Remembering::new(memory, name));
                remembering.run(matching, lines, &self.live, (memory, around.clock.now()), &mut each)
            }
            None => matching.run(lines, &self.live, None, &mut each),
        };
        add(&around.counts.events, stats.events);
        add(&around.counts.bytes, stats.bytes);
        add(&around.counts.bad_lines, stats.bad_lines);
        metrics::counter!("shieldwall_sensor_events_total").increment(stats.events);
        Ok((true, false))
    }

    fn write_stuck(&mut self, around: &Surroundings<'_>) -> Result<(), SpoolError> {
        let Some(report) = &self.stuck else { return Ok(()) };
        around.spool.write(report)?;
        (self.stuck, self.unkept) = (None, false);
        Ok(())
    }

    /// Writes reports of what is due.
    fn report(&mut self, around: &Surroundings<'_>, now: Instant, all: bool) -> Result<(), SpoolError> {
        loop {
            let due: Vec<Sighting> = self.aggregator.due(now, all);
            if due.is_empty() {
                return Ok(());
            }
            let report = match around.spool.prepare(due.clone(), self.checkpoint(), around.entropy) {
                Ok(report) => report,
                Err(error) => {
                    due.into_iter().for_each(|sighting| self.aggregator.add_waiting(sighting));
                    return Err(error);
                }
            };
            self.stuck = Some(report);
            if let Err(error) = self.write_stuck(around) {
                tracing::error!(%error, code = error.code(), "a report cannot be written; not reading on until it is");
                return Err(error);
            }
        }
    }

    /// Writes everything that waits, and the place.
    pub(crate) fn finish(&mut self, around: &Surroundings<'_>, now: Instant) -> Result<(), WorkError> {
        self.write_stuck(around)?;
        self.report(around, now, true)?;
        if self.unkept {
            around.spool.commit(self.checkpoint())?;
        }
        Ok(())
    }

    fn tell(&self, reading: &mut Reading, turn: Turn, now: Instant, spool: &Spool) {
        match turn {
            Turn::Idle | Turn::Ended => reading.behind_since = None,
            Turn::Busy | Turn::Held => _ = reading.behind_since.get_or_insert(now),
        }
        reading.held = (turn == Turn::Held).then(|| {
            let full = "the spool is full: the hub does not take reports";
            (if spool.is_full() { full } else { "reports cannot be written: check the disk" }).to_owned()
        });
        reading.inputs = self
            .inputs
            .iter()
            .map(|input| (input.name.clone(), self.problems.get(&input.name).cloned()))
            .collect();
    }
}

/// Counts one match, and tells the observer.
fn count(met: Met<'_>, aggregator: &mut Aggregator, names: &Names, around: &Surroundings<'_>) {
    // Removed since this block began.
    let Some(held) = names.get(met.number) else { return };
    let detected = around.clock.now();
    if !held.is_active(detected) {
        return;
    }
    add(&around.counts.matches, 1);
    metrics::counter!("shieldwall_sensor_matches_total").increment(1);
    around.observer.tell(|| SensorEvent::Matched {
        group: held.group,
        indicator: held.indicator.clone(),
        role: held.role,
        value: met.value.clone(),
        field: met.field.to_owned(),
        detected,
    });
    aggregator.add(Seen {
        group: held.group,
        indicator: held.indicator.clone(),
        kind: met.kind.as_str().to_owned(),
        field: met.field.to_owned(),
        value: match around.config.tell {
            Tell::Plain => ToldValue::Plain(met.value),
            Tell::Hashed => ToldValue::Sha256(hex(&Sha256::digest(met.value.as_bytes()))),
            Tell::Withheld => ToldValue::Withheld,
        },
        at: met.at.unwrap_or(detected),
        detected,
    });
}

/// Reads standard input on a thread of its own, because reading it cannot be interrupted. What was read and not
/// reported is lost with a crash: a pipe cannot be read twice.
fn read_stdin() -> Receiver<(Vec<u8>, u64)> {
    let (to, blocks) = sync_channel(STDIN_BLOCKS);
    std::thread::spawn(move || {
        let (mut input, mut lines) = (std::io::stdin().lock(), LineBuffer::default());
        loop {
            let found = match lines.fill(&mut input) {
                Ok(Filled::Lines(bytes)) => Some(bytes),
                Ok(Filled::Skipped(_) | Filled::Partial) => continue,
                Ok(Filled::End) => None,
                Err(error) => {
                    tracing::error!(%error, "standard input cannot be read");
                    None
                }
            };
            let last = found.is_none();
            let bytes = found.or_else(|| lines.last_line()).unwrap_or(0);
            if to.send((lines.first(bytes).to_vec(), lines.skipped_lines())).is_err() || last {
                return;
            }
        }
    });
    blocks
}

/// Runs a worker until its inputs end or `stop` closes; then writes what waits.
pub(crate) fn run(mut worker: Worker, shared: &Shared, stop: &Receiver<()>) -> Result<(), WorkError> {
    let around = shared.surroundings();
    loop {
        let now = Instant::now();
        let reports = shared.spool.reports();
        let turn = worker.turn(&around, now)?;
        if shared.spool.reports() != reports {
            shared.report_ready.notify_one();
        }
        worker.tell(&mut shared.reading(), turn, now, &shared.spool);
        let wait = match turn {
            Turn::Ended => break,
            Turn::Busy => Duration::ZERO,
            Turn::Held => Duration::from_millis(IDLE_MILLISECONDS),
            Turn::Idle => {
                let due = worker.aggregator.next_due(now).unwrap_or(Duration::MAX);
                due.clamp(Duration::from_millis(1), Duration::from_millis(IDLE_MILLISECONDS))
            }
        };
        match stop.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.finish(&around, Instant::now())
}

/// The two ends by which a worker is told to stop: dropping the first does it.
pub(crate) fn stopper() -> (SyncSender<()>, Receiver<()>) {
    sync_channel(1)
}

#[cfg(test)]
mod tests;
