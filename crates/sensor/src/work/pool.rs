//! Matching on several cores: blocks of lines go out to threads, and what they met comes back in order.
//!
//! One turn hands out at most so many blocks as the pool takes, and ends when all are matched: what was read and what
//! was counted are then the same, as with one thread, and a checkpoint may be kept.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use shieldwall_model::time::Timestamp;
use shieldwall_watch::mapping::Mapping;
use shieldwall_watch::matcher::Stats;

use crate::matching::{Matching, Met};
use crate::memory::{Remembering, SharedMemory};
use crate::rules::{Armed, Woken};

/// Blocks a thread may have before it and on its hands in one turn: enough that none waits for the slowest.
const BLOCKS_PER_THREAD: usize = 4;

/// A block to match.
pub(super) struct Job {
    /// Its place in the turn.
    pub(super) number: usize,
    /// By which mapping.
    pub(super) mapping: Arc<Mapping>,
    /// Whole lines.
    pub(super) lines: Vec<u8>,
    /// Against what.
    pub(super) armed: Arc<Armed>,
    /// The input it is from.
    pub(super) source: Arc<str>,
    /// What remembers it, and the time.
    pub(super) memory: Option<(SharedMemory, Timestamp)>,
}

/// A block that was matched.
pub(super) struct Done {
    pub(super) number: usize,
    pub(super) mapping: Arc<Mapping>,
    pub(super) lines: Vec<u8>,
    pub(super) woken: Woken,
    pub(super) met: Vec<Met>,
    pub(super) stats: Stats,
    /// The thread broke over it: a mistake in the program.
    pub(super) broken: bool,
}

/// Threads that match.
pub(super) struct Pool {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads` of them.
    pub(super) fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, to_do) = sync_channel(threads * BLOCKS_PER_THREAD);
        let (to, done) = sync_channel(threads * BLOCKS_PER_THREAD);
        let to_do = Arc::new(Mutex::new(to_do));
        let start = |number: usize| {
            let (to_do, to) = (Arc::clone(&to_do), to.clone());
            let named = std::thread::Builder::new().name(format!("shieldwall-match-{number}"));
            named.spawn(move || work(&to_do, &to))
        };
        let threads = (0..threads).map(start).collect::<Result<_, _>>()?;
        Ok(Self { jobs: Some(jobs), done, threads })
    }

    /// How many blocks one turn may hand out.
    pub(super) fn room(&self) -> usize {
        self.threads.len() * BLOCKS_PER_THREAD
    }

    /// Matches all of `jobs`, at most [`Self::room`], numbered from 0. `None` when a thread broke.
    pub(super) fn run(&self, jobs: Vec<Job>) -> Option<Vec<Done>> {
        let mut done: Vec<Done> = Vec::with_capacity(jobs.len());
        let handed_out = jobs.len();
        for job in jobs {
            self.jobs.as_ref()?.send(job).ok()?;
        }
        for _ in 0..handed_out {
            done.push(self.done.recv().ok()?);
        }
        done.sort_by_key(|done| done.number);
        done.iter().all(|done| !done.broken).then_some(done)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(to_do: &Mutex<Receiver<Job>>, to: &SyncSender<Done>) {
    // A matcher holds buffers alone, so one that fits the last block's mapping is kept.
    let mut matching: Option<Matching> = None;
    let mut remembering: BTreeMap<Arc<str>, Remembering> = BTreeMap::new();
    loop {
        // Held while waiting: whoever has it takes the next block.
        let job = to_do.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, mapping, lines, armed, source, memory }) = job else { return };
        let remembering = remembering.entry(Arc::clone(&source)).or_insert_with(|| Remembering::of(&source));
        let (mut met, mut woken) = (Vec::new(), Woken::new());
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let matching = match &mut matching {
                Some(matching) if Arc::ptr_eq(matching.mapping(), &mapping) => matching,
                other => other.insert(Matching::by(Arc::clone(&mapping), Arc::clone(&armed.list))),
            };
            matching.begin();
            let memory = memory.as_ref().map(|(memory, now)| (memory, *now));
            remembering.run(matching, &lines, &armed, &mut woken, memory, &mut |one| met.push(one))
        }));
        let (stats, broken) = ran.map_or_else(|_| (Stats::default(), true), |stats| (stats, false));
        if to.send(Done { number, mapping, lines, woken, met, stats, broken }).is_err() {
            return;
        }
    }
}
