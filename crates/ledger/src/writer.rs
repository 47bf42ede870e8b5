//! The one writer: takes what waits, commits it as one batch, folds the views, then answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use shieldwall_model::id::Entropy;
use shieldwall_model::limits::{COMMIT_ENTRIES_MAX, COMMIT_WAIT_MILLISECONDS_MAX, ENTRY_BYTES_MAX};
use shieldwall_model::time::Clock;
use tokio::sync::oneshot;

use crate::entry::{Draft, Entry, Positions, Receipt};
use crate::fold::ViewStore;
use crate::ledger::Published;
use crate::store::{Signed, Store, StoreError, Written};

/// While more than one append came in, how long the writer waits for yet another before it commits. Clients that wait
/// for their answer send again within this.
const COMMIT_GAP: Duration = Duration::from_micros(200);
/// Most bytes of bodies in one commit, beyond the call that exceeds it.
const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How often the writer looks, while nothing is asked of it, whether it has something to recover from.
const RETRY: Duration = Duration::from_secs(1);

/// Why an append was refused. Of these, [`AppendError::Views`] alone means that the entries were kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too much waits already.
    #[error("the hub is writing as fast as it can: try again in a second")]
    Busy,
    /// A body is too large.
    #[error("the body has {bytes} bytes, more than the {ENTRY_BYTES_MAX} an entry may have: split it")]
    TooLarge {
        /// The size it has.
        bytes: usize,
    },
    /// The permit was given for another group.
    #[error("the permit was given for another sharing group")]
    Group,
    /// The permit was given in another realm.
    #[error("the permit was given in another realm")]
    Realm,
    /// The text names no kind of entry.
    #[error("{0:?} names no kind of entry: write 1 to 64 of a-z, 0-9, `.` and `-`")]
    Kind(String),
    /// The idempotency key is empty or too long.
    #[error("an idempotency key has 1 to 256 bytes")]
    Key,
    /// The disk is full; nothing was kept.
    #[error("the hub's disk is full: nothing was kept; try again once there is space")]
    DiskFull,
    /// The disk failed; nothing was acknowledged.
    #[error("the hub could not write: {0}")]
    Storage(String),
    /// The log does not fit what was signed of it; nothing more is written.
    #[error("the hub stopped writing: {0}")]
    Halted(String),
    /// The entries are on disk, but cannot be seen yet.
    #[error("kept, but the hub's views have fallen behind: {0}")]
    Views(String),
    /// The ledger is closed.
    #[error("the hub is shutting down: try again in a few seconds")]
    Closed,
}

impl AppendError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "ledger.append.busy",
            Self::TooLarge { .. } => "ledger.append.too_large",
            Self::Group => "ledger.append.group",
            Self::Realm => "ledger.append.realm",
            Self::Kind(_) => "ledger.append.kind",
            Self::Key => "ledger.append.key",
            Self::DiskFull => "ledger.append.disk_full",
            Self::Storage(_) => "ledger.append.storage",
            Self::Halted(_) => "ledger.append.halted",
            Self::Views(_) => "ledger.append.views",
            Self::Closed => "ledger.append.closed",
        }
    }

    pub(crate) fn of(error: &StoreError) -> Self {
        if error.is_full() { Self::DiskFull } else { Self::Storage(error.to_string()) }
    }
}

type Reply = oneshot::Sender<Result<Vec<Receipt>, AppendError>>;

/// What the writer is asked.
pub(crate) enum Message {
    /// Append these, all or none.
    Append { drafts: Vec<Draft>, bytes: usize, reply: Reply },
    /// Keep these checkpoints.
    Keep { signed: Vec<Signed>, reply: oneshot::Sender<Result<(), AppendError>> },
    /// Write no more: the logs do not fit what was signed of them.
    Halt(String),
    /// Finish what waits, and end.
    Stop,
}

/// How the writer opens `ledger.db` anew after a failed write.
pub(crate) type Reopen = Box<dyn Fn() -> Result<Store, StoreError> + Send>;

pub(crate) struct Writer {
    /// `None` after a failed write, until it could be opened again.
    pub(crate) store: Option<Store>,
    pub(crate) reopen: Reopen,
    pub(crate) views: ViewStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) published: Arc<Published>,
    pub(crate) waiting_bytes: Arc<AtomicUsize>,
    pub(crate) halted: Option<String>,
}

#[derive(Default)]
struct Batch {
    calls: Vec<Vec<Draft>>,
    replies: Vec<Reply>,
    entries: usize,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, drafts: Vec<Draft>, bytes: usize, reply: Reply) {
        self.entries += drafts.len();
        self.bytes += bytes;
        self.calls.push(drafts);
        self.replies.push(reply);
    }
}

impl Writer {
    /// Starts the thread; it gives back the writer when it ends.
    pub(crate) fn spawn(self, receiver: Receiver<Message>) -> io::Result<JoinHandle<Self>> {
        thread::Builder::new().name("ledger-writer".into()).spawn(move || self.run(&receiver))
    }

    fn run(mut self, receiver: &Receiver<Message>) -> Self {
        let mut next = None;
        loop {
            let message = match next.take() {
                Some(message) => message,
                None => match receiver.recv_timeout(RETRY) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => {
                        self.recover();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return self,
                },
            };
            match message {
                Message::Append { drafts, bytes, reply } => {
                    let mut batch = Batch::default();
                    batch.add(drafts, bytes, reply);
                    next = gather(&mut batch, receiver);
                    self.commit(batch);
                }
                Message::Keep { signed, reply } => {
                    let _ = reply.send(self.keep(&signed));
                }
                Message::Halt(reason) => self.halted = Some(reason),
                // Nothing is sent after it: what waited was sent before.
                Message::Stop => return self,
            }
        }
    }

    fn commit(&mut self, batch: Batch) {
        let Batch { calls, replies, bytes, .. } = batch;
        let answer = self.write(calls);
        self.waiting_bytes.fetch_sub(bytes, Ordering::SeqCst);
        match answer {
            Ok(receipts) => {
                for (reply, receipts) in replies.into_iter().zip(receipts) {
                    // A caller that went away has its entries all the same.
                    let _ = reply.send(Ok(receipts));
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn write(&mut self, calls: Vec<Vec<Draft>>) -> Result<Vec<Vec<Receipt>>, AppendError> {
        if let Some(reason) = &self.halted {
            return Err(AppendError::Halted(reason.clone()));
        }
        let (now, entropy) = (self.clock.now(), Arc::clone(&self.entropy));
        match self.store()?.append(calls, now, &*entropy) {
            Ok(Written { receipts, entries }) => {
                self.fold(entries)?;
                Ok(receipts)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The store; opened anew if the last write failed.
    fn store(&mut self) -> Result<&mut Store, AppendError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => (self.reopen)().map_err(|error| self.failed(&error))?,
        };
        Ok(self.store.insert(store))
    }

    /// Lets go of a store whose write failed: what it remembers may not be what is on disk.
    fn failed(&mut self, error: &StoreError) -> AppendError {
        tracing::error!(code = error.code(), %error, "a write failed; nothing of it was acknowledged");
        self.store = None;
        AppendError::of(error)
    }

    /// Folds and publishes what was committed; when the views had fallen behind, everything they lack.
    fn fold(&mut self, entries: Vec<Entry>) -> Result<(), AppendError> {
        let (Some(store), Some(last)) = (&self.store, entries.last()) else { return Ok(()) };
        let (last, before) = (last.position, self.views.cursor);
        self.views.fold(&entries, &store.connection).map_err(|error| {
            tracing::error!(code = error.code(), %error, "the views have fallen behind");
            AppendError::Views(error.to_string())
        })?;
        let joined = u64::try_from(entries.len()).is_ok_and(|count| before + count == last);
        let sequences: Positions = if joined {
            entries.iter().map(|entry| (entry.group, entry.sequence)).collect()
        } else {
            store.logs.iter().map(|(group, log)| (*group, log.frontier.size())).collect()
        };
        self.published.publish(entries, self.views.cursor, &sequences);
        Ok(())
    }

    /// Between appends: opens the store and brings the views up, if either failed.
    fn recover(&mut self) {
        if self.halted.is_some() || self.store().is_err() {
            return;
        }
        let Some(store) = &self.store else { return };
        if self.views.cursor == store.position {
            return;
        }
        match self.views.catch_up(&store.connection, &mut |_, _| {}) {
            Ok(()) => {
                let sequences = store.logs.iter().map(|(group, log)| (*group, log.frontier.size())).collect();
                self.published.publish(Vec::new(), self.views.cursor, &sequences);
            }
            Err(error) => tracing::error!(code = error.code(), %error, "the views are still behind"),
        }
    }

    fn keep(&mut self, signed: &[Signed]) -> Result<(), AppendError> {
        if let Some(reason) = &self.halted {
            return Err(AppendError::Halted(reason.clone()));
        }
        match self.store()?.keep(signed) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }
}

/// Takes what else waits into the batch. An append that came alone is not kept waiting; where several came, more are on
/// their way, and the flush is worth sharing. Returns a message that is no append.
fn gather(batch: &mut Batch, receiver: &Receiver<Message>) -> Option<Message> {
    let deadline = Instant::now() + Duration::from_millis(COMMIT_WAIT_MILLISECONDS_MAX);
    while batch.entries < COMMIT_ENTRIES_MAX && batch.bytes < BATCH_BYTES_MAX {
        let message = match receiver.try_recv() {
            Ok(message) => message,
            Err(_) if batch.calls.len() == 1 => return None,
            Err(_) => {
                let left = deadline.saturating_duration_since(Instant::now());
                match receiver.recv_timeout(left.min(COMMIT_GAP)) {
                    Ok(message) => message,
                    Err(_) => return None,
                }
            }
        };
        match message {
            Message::Append { drafts, bytes, reply } => batch.add(drafts, bytes, reply),
            other => return Some(other),
        }
    }
    None
}
