//! The handle everything goes through: opening, appending, reading, following, closing.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::{Entropy, GroupId};
use shieldwall_model::limits::{APPENDS_WAITING_MAX, ENTRY_BYTES_MAX};
use shieldwall_model::realm::Realm;
use shieldwall_model::time::Clock;
use tokio::sync::{oneshot, watch};

use crate::Progress;
use crate::entry::{Draft, Entry, KEY_BYTES_MAX, Known, Positions, Receipt, is_kind};
use crate::files::{Files, FilesError};
use crate::fold::{Fold, FoldError, ViewStore};
use crate::follow::Follow;
use crate::identity::{Identity, IdentityError, RealmKey, seed};
use crate::pool::Pool;
use crate::reading::{ReadError, Reading};
use crate::signing::{SignNow, Signer, SigningError};
use crate::store::{Store, StoreError};
use crate::texts::{TextIndex, TextProgress};
use crate::writer::{AppendError, Message, Reopen, Writer};

/// Most bytes of bodies waiting for the writer; more are refused as [`AppendError::Busy`].
const APPENDS_WAITING_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most recent entries kept in memory for followers.
const RECENT_ENTRIES_MAX: usize = 4_096;
/// Most bytes of recent entries kept in memory for followers.
const RECENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How a ledger is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory.
    pub dir: PathBuf,
    /// The realm; each has its own logs in its own folder.
    pub realm: Realm,
    /// What the origin line of every checkpoint starts with, such as `shieldwall.example/real`: 1 to 200 bytes of ASCII
    /// without spaces and `+`. Fixed when the ledger is made; later ones are ignored.
    pub origin: String,
    /// How often grown logs get a checkpoint.
    pub checkpoint_every: Duration,
}

/// Why a ledger could not be opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The key or the origin is not good.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The ledger's own database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The views could not be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The logs do not fit what was signed of them.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
}

impl LedgerError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Fold(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::Thread(_) => "ledger.thread",
        }
    }
}

/// A handle on the logs and views of one realm. Cheap to clone; the last one dropped closes the ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    realm: Realm,
    identity: Identity,
    pool: Pool,
    published: Arc<Published>,
    sender: Mutex<Option<SyncSender<Message>>>,
    waiting_bytes: Arc<AtomicUsize>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<Writer>,
    signer: JoinHandle<Signer>,
    texts: JoinHandle<()>,
    /// Asks the signer to look now; dropped, ends it.
    sign_now: SyncSender<SignNow>,
    _lock: File,
}

impl Ledger {
    /// Opens the realm's ledger, makes it if there is none, and folds what the views lack.
    ///
    /// # Errors
    /// [`LedgerError`]: another hub has it, a file is damaged or newer, the logs are shorter than what was signed.
    pub fn open(
        options: Options,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        fold: Box<dyn Fold>,
    ) -> Result<Self, LedgerError> {
        let files = Files::new(options.dir, options.realm);
        files.make()?;
        let lock = files.take_lock()?;
        let key = RealmKey::derive(&seed(&files.key(), &*entropy)?, files.realm());
        let store = Store::open(&files, &options.origin, &key, &*entropy)?;
        let signer = Signer::open(&files, &store, key.clone())?;
        let (words, version) = (fold.words(), fold.version());
        let views = ViewStore::open(&files, fold, &store.connection)?;
        let texts = TextIndex::open(&files, words, version)?;
        let published = Arc::new(Published::new(&store, views.cursor, texts.cursor()));
        let texts = texts.spawn(Arc::clone(&published)).map_err(LedgerError::Thread)?;
        let (sender, receiver) = sync_channel(APPENDS_WAITING_MAX);
        let (realm, identity) = (files.realm().clone(), store.identity.1.clone());
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let reopen: Reopen = {
            let (files, entropy, origin) = (files.clone(), Arc::clone(&entropy), options.origin);
            Box::new(move || Store::open(&files, &origin, &key, &*entropy))
        };
        let writer = Writer {
            store: Some(store),
            reopen,
            views,
            clock,
            entropy,
            published: Arc::clone(&published),
            waiting_bytes: Arc::clone(&waiting_bytes),
            halted: None,
        }
        .spawn(receiver)
        .map_err(LedgerError::Thread)?;
        let (signer, sign_now) =
            signer.spawn(options.checkpoint_every, sender.clone()).map_err(LedgerError::Thread)?;
        Ok(Self(Arc::new(Inner {
            realm,
            identity,
            pool: Pool::new(files),
            published,
            sender: Mutex::new(Some(sender)),
            waiting_bytes,
            threads: Mutex::new(Some(Threads { writer, signer, texts, sign_now, _lock: lock })),
        })))
    }

    /// Appends all drafts or none. Resolves after they are on disk *and* the views were folded from them.
    ///
    /// # Errors
    /// [`AppendError`]. Of these, [`AppendError::Views`] alone means that the entries were kept.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, AppendError> {
        self.send(drafts)?.await.map_err(|_| AppendError::Closed)?
    }

    /// [`Ledger::append`] for threads that are not async.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn append_blocking(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, AppendError> {
        self.send(drafts)?.blocking_recv().map_err(|_| AppendError::Closed)?
    }

    fn send(
        &self,
        drafts: Vec<Draft>,
    ) -> Result<oneshot::Receiver<Result<Vec<Receipt>, AppendError>>, AppendError> {
        for draft in &drafts {
            self.check(draft)?;
        }
        let (reply, answer) = oneshot::channel();
        if drafts.is_empty() {
            // Nothing to keep; answered at once.
            let _ = reply.send(Ok(Vec::new()));
            return Ok(answer);
        }
        let bytes: usize = drafts.iter().map(|draft| draft.body.len()).sum();
        let sender = self.0.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sender = sender.ok_or(AppendError::Closed)?;
        if self.0.waiting_bytes.fetch_add(bytes, Ordering::SeqCst) + bytes > APPENDS_WAITING_BYTES_MAX {
            self.0.waiting_bytes.fetch_sub(bytes, Ordering::SeqCst);
            return Err(AppendError::Busy);
        }
        sender.try_send(Message::Append { drafts, bytes, reply }).map_err(|error| {
            self.0.waiting_bytes.fetch_sub(bytes, Ordering::SeqCst);
            match error {
                TrySendError::Full(_) => AppendError::Busy,
                TrySendError::Disconnected(_) => AppendError::Closed,
            }
        })?;
        Ok(answer)
    }

    fn check(&self, draft: &Draft) -> Result<(), AppendError> {
        if *draft.permit.realm() != self.0.realm {
            return Err(AppendError::Realm);
        }
        if draft.permit.group().is_some_and(|group| group != draft.group) {
            return Err(AppendError::Group);
        }
        if !is_kind(&draft.kind) {
            return Err(AppendError::Kind(draft.kind.chars().take(80).collect()));
        }
        if draft.body.len() > ENTRY_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes: draft.body.len() });
        }
        if draft.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
            return Err(AppendError::Key);
        }
        Ok(())
    }

    /// A reading connection. Blocking: waits a few seconds for a free one.
    ///
    /// # Errors
    /// [`ReadError::Busy`] when none gets free in time.
    pub fn read(&self) -> Result<Reading<'_>, ReadError> {
        Ok(Reading::new(self.0.pool.take()?, &self.0.published))
    }

    /// Follows the logs of a scope from after `after` on: first what is there, then what comes.
    pub fn follow(&self, scope: &ReadScope, after: Positions) -> Follow {
        Follow::new(self.clone(), scope.clone(), after)
    }

    /// The last folded sequence of each visible log, without a database in between.
    pub fn positions(&self, scope: &ReadScope) -> Visible<Positions> {
        Visible::under(scope, self.0.published.positions(scope))
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        &self.0.realm
    }

    /// Who signs the checkpoints.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// How many appends wait for the writer, in bytes of bodies: for the hub's metrics.
    pub fn waiting_bytes(&self) -> usize {
        self.0.waiting_bytes.load(Ordering::SeqCst)
    }

    /// How many entries the full-text index is behind, over all logs: for the hub's operator.
    pub fn texts_behind(&self) -> u64 {
        self.0.published.texts.behind()
    }

    /// Signs what has grown now instead of at the next tick. Blocking. The number of checkpoints signed.
    ///
    /// # Errors
    /// [`AppendError`] when the writer is closed or cannot keep them.
    pub fn checkpoint_now(&self) -> Result<usize, AppendError> {
        let (reply, answer) = oneshot::channel();
        let threads = self.0.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = threads.as_ref().map(|threads| threads.sign_now.clone()).ok_or(AppendError::Closed)?;
        drop(threads);
        sender.send(reply).map_err(|_| AppendError::Closed)?;
        drop(sender);
        answer.blocking_recv().map_err(|_| AppendError::Closed)?
    }

    pub(crate) fn published(&self) -> &Published {
        &self.0.published
    }

    /// Takes no more appends, finishes those that wait, signs a last checkpoint and lets go of the directory.
    ///
    /// # Errors
    /// [`LedgerError`] when the last checkpoint could not be signed; everything acknowledged is on disk all the same.
    pub fn close(self) -> Result<(), LedgerError> {
        self.0.close()
    }
}

impl Inner {
    fn close(&self) -> Result<(), LedgerError> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(sender), Some(threads)) = (sender, threads) else { return Ok(()) };
        // The signer first: it sends to the writer.
        drop(threads.sign_now);
        let signer = threads.signer.join();
        let _ = sender.send(Message::Stop);
        let writer = threads.writer.join();
        self.published.wake.send_modify(|position| *position |= CLOSED);
        self.published.texts.close();
        self.pool.close();
        let _ = threads.texts.join();
        let (Ok(mut signer), Ok(mut writer)) = (signer, writer) else { return Ok(()) };
        if let Some(store) = &mut writer.store {
            let signed = signer.due()?;
            store.keep(&signed)?;
            signer.remember(&signed)?;
            drop(signer);
            flush(&store.connection);
        }
        flush(&writer.views.connection);
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(code = error.code(), %error, "the last checkpoint was not signed");
        }
    }
}

/// Moves the write-ahead log into its database, so that the file is whole without it. Whatever reads meanwhile may keep
/// some of it back: that is moved on the next opening.
fn flush(connection: &rusqlite::Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log stays beside its database");
    }
}

/// Set in the position followers wait on once the ledger is closed.
pub(crate) const CLOSED: u64 = 1 << 63;

/// What readers may see: everything up to the last entry that is both durable and folded.
pub(crate) struct Published {
    sequences: RwLock<Positions>,
    recent: Mutex<Recent>,
    /// The last published position; [`CLOSED`] is added at the end.
    pub(crate) wake: watch::Sender<u64>,
    position: AtomicU64,
    /// How far the full-text index has got.
    pub(crate) texts: TextProgress,
}

#[derive(Default)]
struct Recent {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Published {
    fn new(store: &Store, cursor: u64, indexed: u64) -> Self {
        let sequences = store.logs.iter().map(|(group, log)| (*group, log.frontier.size())).collect();
        Self {
            sequences: RwLock::new(sequences),
            recent: Mutex::default(),
            wake: watch::channel(cursor).0,
            position: AtomicU64::new(cursor),
            texts: TextProgress::new(cursor, indexed),
        }
    }

    /// The last position.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::SeqCst)
    }

    /// The last sequence of a log.
    pub(crate) fn sequence(&self, group: GroupId) -> u64 {
        self.sequences.read().unwrap_or_else(PoisonError::into_inner).get(&group).copied().unwrap_or(0)
    }

    /// The last sequences of the logs in a scope.
    pub(crate) fn positions(&self, scope: &ReadScope) -> Positions {
        let sequences = self.sequences.read().unwrap_or_else(PoisonError::into_inner);
        scope.groups().filter_map(|group| sequences.get(&group).map(|sequence| (group, *sequence))).collect()
    }

    /// Makes entries visible. `position` is where the views now stand; when they had fallen behind, it lies beyond the
    /// entries given, and `sequences` says how far each log now reaches.
    pub(crate) fn publish(&self, mut entries: Vec<Entry>, position: u64, sequences: &BTreeMap<GroupId, u64>) {
        // Followers read what is on disk; what the writer knew beside it would only take memory.
        entries.iter_mut().for_each(|entry| entry.known = Known::default());
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.push(entries, self.position());
            let mut known = self.sequences.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(sequences.iter().map(|(group, sequence)| (*group, *sequence)));
            self.position.store(position, Ordering::SeqCst);
        }
        self.texts.publish(position);
        self.wake.send_replace(position);
    }

    /// Entries in scope among the recent ones after `reached`, at most `limit`, and how far that reaches; `None` when
    /// what comes right after `reached` is no longer (or not) among them.
    pub(crate) fn recent(
        &self,
        scope: &ReadScope,
        reached: u64,
        limit: usize,
    ) -> Option<(Vec<Arc<Entry>>, u64)> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.position();
        if reached >= last {
            return Some((Vec::new(), reached));
        }
        let first = recent.entries.front()?.position;
        let skip = usize::try_from((reached + 1).checked_sub(first)?).ok()?;
        let mut found = Vec::new();
        for entry in recent.entries.iter().skip(skip) {
            if scope.covers(entry.group) {
                if found.len() == limit {
                    return Some((found, entry.position - 1));
                }
                found.push(Arc::clone(entry));
            }
        }
        Some((found, last))
    }
}

impl Recent {
    /// Adds entries that follow on `last`; entries that do not (the views had fallen behind) start it anew.
    fn push(&mut self, entries: Vec<Entry>, last: u64) {
        let joined = entries.first().is_some_and(|first| first.position == last + 1);
        if !joined {
            self.entries.clear();
            self.bytes = 0;
            return;
        }
        for entry in entries {
            self.bytes += size(&entry);
            self.entries.push_back(Arc::new(entry));
        }
        while self.entries.len() > RECENT_ENTRIES_MAX || self.bytes > RECENT_BYTES_MAX {
            let Some(old) = self.entries.pop_front() else { break };
            self.bytes -= size(&old);
        }
    }
}

fn size(entry: &Entry) -> usize {
    entry.body.as_ref().map_or(0, Vec::len) + entry.kind.len() + std::mem::size_of::<Entry>()
}

/// Folds the views of a realm anew from its logs and swaps them in. No hub may run on it. The number of entries folded.
///
/// # Errors
/// [`LedgerError`].
pub fn rebuild(
    dir: impl Into<PathBuf>,
    realm: Realm,
    fold: Box<dyn Fold>,
    progress: Progress<'_>,
) -> Result<u64, LedgerError> {
    let files = Files::new(dir, realm);
    let ledger = crate::files::open(&files.ledger(), crate::files::Mode::Read)?;
    crate::files::check_stamps(&ledger, &files.ledger(), crate::files::LEDGER_SCHEMA)?;
    let _lock = files.take_lock()?;
    let (words, version) = (fold.words(), fold.version());
    let views = ViewStore::rebuild(&files, fold, &ledger, progress)?;
    TextIndex::rebuild(&files, words, version, views.cursor, progress)?;
    Ok(views.cursor)
}
