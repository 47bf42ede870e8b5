//! The matching thread: reads the inputs in turn, matches, counts, writes reports, keeps its place.
//!
//! Everything here blocks and none of it is async. One [`Worker::turn`] handles one block of each input and
//! leaves a state that may be kept, so tests can stop the sensor between any two writes.

mod gathered;
mod inputs;
mod pool;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use async_nats::Subject;
use sha2::{Digest, Sha256};
use shieldwall_model::id::Entropy;
use shieldwall_model::time::Clock;
use shieldwall_watch::mapping::{MappingError, Mappings};
use shieldwall_watch::matcher::Stats;
use tokio::runtime::Handle;

use self::gathered::Gathered;
use self::inputs::{InputAtWork, Messages};
use self::pool::{Job, Pool};
use crate::aggregate::{Aggregator, Seen};
use crate::config::{Config, Tell};
use crate::follow::{FollowError, hex};
use crate::knowledge::{Armoury, Names};
use crate::listen::ListenError;
use crate::matching::Met;
use crate::memory::SharedMemory;
use crate::rules::{Engine, RuleMatch, Woken};
use crate::shared::{Counts, Observer, Reading, SensorEvent, Shared, add};
use crate::spool::{Checkpoint, Report, Spool, SpoolError};
use crate::wire::{Sighting, SlowRule, ToldValue};

/// How often idle inputs are looked at, in milliseconds.
const IDLE_MILLISECONDS: u64 = 25;
/// How often the costs of rules are told, in milliseconds.
const TELL_MILLISECONDS: u64 = 2_000;
/// How often the place is kept when nothing is to report, in milliseconds. A crash reads again what came since.
const KEEP_MILLISECONDS: u64 = 1_000;

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
    /// An input cannot be listened for.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A stream cannot be read here.
    #[error("input {input}: streams are read by a running sensor alone")]
    Unread {
        /// The input.
        input: String,
    },
    /// The matching threads did not start.
    #[error("the matching threads did not start: {0}; write a smaller `threads`")]
    Threads(#[source] std::io::Error),
    /// A matching thread broke; that is a mistake in the program.
    #[error("a matching thread broke; nothing reported is lost, start the sensor again")]
    Broken,
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
            Self::Listen(error) => error.code(),
            Self::Unread { .. } => "sensor.work.unread",
            Self::Threads(_) => "sensor.work.threads",
            Self::Broken => "sensor.work.broken",
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

/// What the worker borrows from the running sensor.
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a Config,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) spool: &'a Spool,
    pub(crate) observer: &'a Observer,
    pub(crate) counts: &'a Counts,
    pub(crate) memory: Option<&'a SharedMemory>,
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
            memory: self.memory.as_ref(),
        }
    }
}

/// A report that could not be written yet.
struct Stuck {
    report: Report,
    /// The input whose messages are acknowledged after that.
    acknowledges: Option<(usize, Vec<Subject>)>,
}

/// See the module.
pub(crate) struct Worker {
    inputs: Vec<InputAtWork>,
    aggregator: Aggregator,
    armoury: Arc<Armoury>,
    names: Arc<Names>,
    engine: Engine,
    woken: Woken,
    /// When the costs of rules were last told.
    told: Instant,
    /// Nothing else is done before this was written.
    stuck: Option<Stuck>,
    /// Something changed since the place was last kept, and when that was.
    unkept: bool,
    kept: Instant,
    once: bool,
    /// Other threads that match, where there are any.
    pool: Option<Pool>,
}

impl Worker {
    /// Opens the inputs where `from` left off. Streams are read on `runtime`.
    pub(crate) fn open(
        config: &Config,
        from: Checkpoint,
        armoury: Arc<Armoury>,
        names: Arc<Names>,
        runtime: Option<&Handle>,
    ) -> Result<Self, WorkError> {
        let mappings = Mappings::built_in()
            .map_err(|source| WorkError::Mapping { input: String::new(), source: Box::new(source) })?;
        let mappings = Arc::new(mappings);
        let mut inputs = Vec::with_capacity(config.inputs.len());
        for input in &config.inputs {
            let positions = from.inputs.get(&input.source.to_string()).map_or(&[][..], Vec::as_slice);
            let armed = armoury.load();
            inputs.push(InputAtWork::open(input, positions, config, &mappings, &armed, runtime)?);
        }
        let mut aggregator = Aggregator::new(config.first_report, config.repeat_report);
        from.waiting.into_iter().for_each(|sighting| aggregator.add_waiting(sighting));
        let pool = match config.threads {
            0 | 1 => None,
            threads => Some(Pool::start(threads).map_err(WorkError::Threads)?),
        };
        Ok(Self {
            inputs,
            aggregator,
            armoury,
            names,
            engine: Engine::new(config.lateness, config.rule_budget),
            woken: Woken::new(),
            told: Instant::now(),
            stuck: None,
            unkept: false,
            kept: Instant::now(),
            once: config.once,
            pool,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let inputs = self.inputs.iter().filter_map(|input| Some((input.name.clone(), input.positions()?)));
        Checkpoint { sequence: 0, inputs: inputs.collect(), waiting: self.aggregator.waiting() }
    }

    /// Reads, matches and writes what is due. `Err` only for what makes going on pointless.
    pub(crate) fn turn(&mut self, around: &Surroundings<'_>, now: Instant) -> Result<Turn, WorkError> {
        if self.write_stuck(around).is_err() || around.spool.is_full() {
            return Ok(Turn::Held);
        }
        for input in &self.inputs {
            let dropped = input.take_dropped();
            if dropped > 0 {
                add(&around.counts.dropped_messages, dropped);
                metrics::counter!("shieldwall_sensor_dropped_messages_total").increment(dropped);
            }
        }
        let (any, ended) = match self.pool.take() {
            None => self.read_one_by_one(around, now)?,
            Some(pool) => {
                let read = self.read_at_once(&pool, around, now);
                self.pool = Some(pool);
                read?
            }
        };
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

    /// Reads and matches one block of each input; tells whether there was something, and whether all ended.
    fn read_one_by_one(
        &mut self,
        around: &Surroundings<'_>,
        now: Instant,
    ) -> Result<(bool, bool), WorkError> {
        let (mut any, mut ended) = (false, true);
        let armed = self.armoury.load_full();
        self.engine.adopt(&armed.rules);
        for input in &mut self.inputs {
            let skipped_before = input.skipped_lines;
            let (read, matching, gathered, remembering) = input.read(now, self.once)?;
            let Some(read) = read else {
                ended = false;
                continue;
            };
            let skipped_lines = read.skipped_lines;
            add(&around.counts.skipped_lines, skipped_lines.saturating_sub(skipped_before));
            ended &= read.over;
            if !read.lines.is_empty() {
                any = true;
                let (aggregator, names) = (&mut self.aggregator, &self.names);
                let mut counting = Counting::of(read.messages, aggregator, gathered, names, around);
                self.woken.clear();
                let stats = remembering.run(
                    matching,
                    &read.lines,
                    &armed,
                    &mut self.woken,
                    around.memory.map(|memory| (memory, around.clock.now())),
                    &mut |met| counting.take(met),
                );
                tally(&stats, around);
                if !armed.rules.is_empty() {
                    let (lines, now) = (&read.lines, around.clock.now());
                    self.engine.run(matching.mapping(), lines, &mut self.woken, now, &mut |met| {
                        counting.take_rule(met);
                    });
                }
            }
            input.skipped_lines = skipped_lines;
            input.acknowledge_clean();
        }
        Ok((any, ended))
    }

    /// Reads as many blocks as the pool takes and matches them at once; counts them in the order they were read.
    fn read_at_once(
        &mut self,
        pool: &Pool,
        around: &Surroundings<'_>,
        now: Instant,
    ) -> Result<(bool, bool), WorkError> {
        let (mut jobs, mut of) = (Vec::with_capacity(pool.room()), Vec::with_capacity(pool.room()));
        let armed = self.armoury.load_full();
        self.engine.adopt(&armed.rules);
        let mut ended = true;
        let share = (pool.room() / self.inputs.len().max(1)).max(1);
        for (place, input) in self.inputs.iter_mut().enumerate() {
            let source: Arc<str> = input.name.as_str().into();
            for _ in 0..share.min(pool.room().saturating_sub(jobs.len())) {
                let skipped_before = input.skipped_lines;
                let (read, matching, ..) = input.read(now, self.once)?;
                let Some(read) = read else {
                    ended = false;
                    break;
                };
                let skipped_lines = read.skipped_lines;
                add(&around.counts.skipped_lines, skipped_lines.saturating_sub(skipped_before));
                let empty = read.lines.is_empty();
                if !empty {
                    let mapping = matching.mapping_for(&read.lines);
                    let (number, lines) = (jobs.len(), read.lines.into_owned());
                    let memory = around.memory.map(|memory| (Arc::clone(memory), around.clock.now()));
                    let (source, armed) = (Arc::clone(&source), Arc::clone(&armed));
                    jobs.push(Job { number, mapping, lines, armed, source, memory });
                    of.push((place, read.messages));
                }
                ended &= read.over;
                input.skipped_lines = skipped_lines;
                if empty {
                    break;
                }
            }
        }
        if jobs.is_empty() {
            self.inputs.iter_mut().for_each(InputAtWork::acknowledge_clean);
            return Ok((false, ended));
        }
        for (mut done, (place, messages)) in pool.run(jobs).ok_or(WorkError::Broken)?.into_iter().zip(of) {
            let gathered = self.inputs.get_mut(place).and_then(|input| input.gathered.as_mut());
            let mut counting = Counting::of(messages, &mut self.aggregator, gathered, &self.names, around);
            done.met.into_iter().for_each(|met| counting.take(met));
            tally(&done.stats, around);
            if !armed.rules.is_empty() {
                let now = around.clock.now();
                self.engine.run(&done.mapping, &done.lines, &mut done.woken, now, &mut |met| {
                    counting.take_rule(met);
                });
            }
        }
        self.inputs.iter_mut().for_each(InputAtWork::acknowledge_clean);
        Ok((true, false))
    }

    fn write_stuck(&mut self, around: &Surroundings<'_>) -> Result<(), SpoolError> {
        let Some(stuck) = &self.stuck else { return Ok(()) };
        around.spool.write(&stuck.report)?;
        if let Some((place, replies)) = self.stuck.take().and_then(|stuck| stuck.acknowledges)
            && let Some(input) = self.inputs.get(place)
        {
            input.acknowledge(replies);
        }
        self.unkept = false;
        Ok(())
    }

    /// Writes reports of what is due.
    fn report(&mut self, around: &Surroundings<'_>, now: Instant, all: bool) -> Result<(), SpoolError> {
        loop {
            let due: Vec<Sighting> = self.aggregator.due(now, all);
            if due.is_empty() {
                break;
            }
            let report = match around.spool.prepare(due.clone(), None, self.checkpoint(), around.entropy) {
                Ok(report) => report,
                Err(error) => {
                    due.into_iter().for_each(|sighting| self.aggregator.add_waiting(sighting));
                    return Err(error);
                }
            };
            self.stuck = Some(Stuck { report, acknowledges: None });
            self.write_out(around)?;
        }
        for place in 0..self.inputs.len() {
            self.report_stream(place, around, now, all)?;
        }
        Ok(())
    }

    /// Writes a report of what was seen in messages of a stream, if one is due.
    fn report_stream(
        &mut self,
        place: usize,
        around: &Surroundings<'_>,
        now: Instant,
        all: bool,
    ) -> Result<(), SpoolError> {
        let due = |input: &InputAtWork| {
            let held_up = input.is_held_up();
            input.gathered.as_ref().is_some_and(|gathered| gathered.is_due(now, all || held_up))
        };
        if !self.inputs.get(place).is_some_and(due) {
            return Ok(());
        }
        let mut report = around.spool.prepare(Vec::new(), None, self.checkpoint(), around.entropy)?;
        let gathered = self.inputs.get_mut(place).and_then(|input| input.gathered.as_mut());
        if let Some((sightings, origin, replies)) = gathered.map(|gathered| gathered.take(now)) {
            (report.sightings, report.origin) = (sightings, Some(origin));
            self.stuck = Some(Stuck { report, acknowledges: Some((place, replies)) });
            self.write_out(around)?;
        }
        Ok(())
    }

    fn write_out(&mut self, around: &Surroundings<'_>) -> Result<(), SpoolError> {
        self.write_stuck(around).inspect_err(|error| {
            tracing::error!(%error, code = error.code(), "a report cannot be written; not reading on until it is");
        })
    }

    /// What listens, and where.
    fn listening(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.inputs.iter().filter_map(|input| Some((input.name.as_str(), input.address()?)))
    }

    /// How long until something may be due; `None` when nothing waits.
    fn next_due(&self, now: Instant) -> Option<Duration> {
        let streams = self.inputs.iter().filter_map(|input| input.gathered.as_ref()?.next_due(now));
        streams.chain(self.aggregator.next_due(now)).min()
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

    fn tell(&mut self, reading: &mut Reading, turn: Turn, now: Instant, spool: &Spool) {
        if now.saturating_duration_since(self.told) >= Duration::from_millis(TELL_MILLISECONDS) {
            self.told = now;
            reading.shed = self.engine.shed();
            let named = |(number, mut rule): (u32, SlowRule)| {
                let held = self.names.get(number)?;
                (rule.indicator, rule.name) = (held.indicator.to_string(), held.name.clone());
                Some(rule)
            };
            reading.slow_rules = self.engine.slow().into_iter().filter_map(named).collect();
        }
        match turn {
            Turn::Idle | Turn::Ended => reading.behind_since = None,
            Turn::Busy | Turn::Held => _ = reading.behind_since.get_or_insert(now),
        }
        reading.held = (turn == Turn::Held).then(|| {
            let full = "the spool is full: the hub does not take reports";
            (if spool.is_full() { full } else { "reports cannot be written: check the disk" }).to_owned()
        });
        reading.inputs =
            self.inputs.iter().map(|input| (input.name.clone(), input.problem.clone())).collect();
    }
}

impl InputAtWork {
    /// Acknowledges messages in which nothing was seen.
    fn acknowledge_clean(&mut self) {
        let clean = self.gathered.as_mut().map(Gathered::clean);
        self.acknowledge(clean.unwrap_or_default());
    }
}

/// Adds what a block brought to the counts.
fn tally(stats: &Stats, around: &Surroundings<'_>) {
    add(&around.counts.events, stats.events);
    add(&around.counts.bytes, stats.bytes);
    add(&around.counts.bad_lines, stats.bad_lines);
    metrics::counter!("shieldwall_sensor_events_total").increment(stats.events);
}

/// Counts what one block meets.
struct Counting<'a> {
    messages: Option<Messages>,
    aggregator: &'a mut Aggregator,
    gathered: Option<&'a mut Gathered>,
    names: &'a Names,
    around: &'a Surroundings<'a>,
    /// The line that is being counted and the indicators counted in it: an event that carries a value in several
    /// fields is one event and counts under the first of them.
    line: (usize, Vec<u32>),
}

impl<'a> Counting<'a> {
    fn of(
        messages: Option<Messages>,
        aggregator: &'a mut Aggregator,
        gathered: Option<&'a mut Gathered>,
        names: &'a Names,
        around: &'a Surroundings<'a>,
    ) -> Self {
        Self { messages, aggregator, gathered, names, around, line: (usize::MAX, Vec::new()) }
    }

    fn take(&mut self, met: Met) {
        if self.line.0 != met.line {
            self.line = (met.line, Vec::new());
        }
        if self.line.1.contains(&met.number) {
            return;
        }
        self.line.1.push(met.number);
        let message = self.messages.as_ref().map(|messages| {
            messages.get(messages.partition_point(|(end, ..)| *end <= met.line)).copied().unwrap_or_default()
        });
        match message {
            Some((_, _, false)) => {}
            Some((_, number, true)) => self.count(met, Some(number)),
            None => self.count(met, None),
        }
    }

    /// Counts the match of a rule.
    fn take_rule(&mut self, met: RuleMatch) {
        let RuleMatch { number, line, kind, at } = met;
        self.take(Met { number, line, field: kind.into(), kind, value: None, at: Some(at) });
    }

    /// Counts one match, and tells the observer.
    fn count(&mut self, met: Met, message: Option<u64>) {
        let around = self.around;
        // Removed since this block began.
        let Some(held) = self.names.get(met.number) else { return };
        let detected = around.clock.now();
        if !held.is_active(detected) {
            return;
        }
        add(&around.counts.matches, 1);
        let tier = if met.value.is_some() { "exact" } else { met.kind };
        metrics::counter!("shieldwall_sensor_matches_total", "tier" => tier).increment(1);
        around.observer.tell(|| SensorEvent::Matched {
            group: held.group,
            indicator: held.indicator.clone(),
            role: held.role,
            value: met.value.clone().unwrap_or_else(|| held.name.clone()),
            field: met.field.clone(),
            detected,
        });
        let seen = Seen {
            group: held.group,
            indicator: held.indicator.clone(),
            kind: met.kind.to_owned(),
            field: met.field,
            value: match (around.config.tell, met.value) {
                (Tell::Plain, Some(value)) => ToldValue::Plain(value),
                (Tell::Hashed, Some(value)) => ToldValue::Sha256(hex(&Sha256::digest(value.as_bytes()))),
                (Tell::Withheld, _) | (_, None) => ToldValue::Withheld,
            },
            at: met.at.unwrap_or(detected),
            detected,
            message,
        };
        match &mut self.gathered {
            None => self.aggregator.add(seen),
            Some(gathered) => {
                if !gathered.add(seen) {
                    add(&around.counts.shed_matches, 1);
                    metrics::counter!("shieldwall_sensor_shed_total", "what" => "matches").increment(1);
                }
            }
        }
    }
}

/// Runs a worker until its inputs end or `stop` closes; then writes what waits.
pub(crate) fn run(mut worker: Worker, shared: &Shared, stop: &Receiver<()>) -> Result<(), WorkError> {
    let around = shared.surroundings();
    for (input, address) in worker.listening() {
        around.observer.tell(|| SensorEvent::Listening { input: input.to_owned(), address });
    }
    loop {
        let now = Instant::now();
        let written = shared.spool.written();
        let turn = worker.turn(&around, now)?;
        if shared.spool.written() != written {
            shared.report_ready.notify_one();
        }
        worker.tell(&mut shared.reading(), turn, now, &shared.spool);
        let wait = match turn {
            Turn::Ended => break,
            Turn::Busy => Duration::ZERO,
            Turn::Held => Duration::from_millis(IDLE_MILLISECONDS),
            Turn::Idle => {
                let due = worker.next_due(now).unwrap_or(Duration::MAX);
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
