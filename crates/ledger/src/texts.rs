//! The full-text index, `texts.db`: words by entry, folded behind the views by a thread and in transactions of its own,
//! so that whoever shares objects does not wait for it.
//!
//! What an entry is found by is a function of that entry alone ([`Fold::words`](crate::Fold::words)), so the index is a
//! function of the log and of how far it has got. That cursor is committed together with the words: after a crash the
//! index goes on where it was; deleted, or of another ledger, it is made anew.
//!
//! **Whoever searches finds their own writes.** A search waits until everything in its reader's groups is indexed, at
//! most [`SEARCH_WAIT`]; then it is told to come back. While nobody searches, the index waits for a quiet moment or
//! for [`BEHIND_ENTRIES_MAX`] entries, so that it does not take the disk and a core from those who write.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, sync::Arc};

use rusqlite::{Connection, TransactionBehavior, params};

use crate::Progress;
use crate::entry::Entry;
use crate::files::{Files, FilesError, Mode, open, remove_database, settle};
use crate::fold::{FoldError, bind, leaf_at, put_state, stands_at};
use crate::ledger::Published;
use crate::reading::ReadError;
use crate::store::{ENTRY_COLUMNS, entry_from};

/// What an entry is to be found by: `None` for what nobody searches. It may look at the entry and at nothing else.
pub type Words = fn(&Entry) -> Option<String>;

/// Version of the layout of `texts.db`.
pub(crate) const TEXTS_SCHEMA: i64 = 1;
/// Entries indexed in one transaction: an index of words is written the cheaper the more come at once.
const BATCH_ENTRIES_MAX: u64 = 8_192;
/// Entries the index may be behind while there is no quiet moment.
const BEHIND_ENTRIES_MAX: u64 = 32_768;
/// How long nothing must have been appended for the moment to be quiet.
const QUIET: Duration = Duration::from_millis(20);
/// How long a search waits for the index.
pub(crate) const SEARCH_WAIT: Duration = Duration::from_secs(4);
/// Most searches that wait at once; each keeps a reading connection.
const SEARCHES_WAITING_MAX: usize = 4;
/// How long the index rests after it failed.
const RETRY: Duration = Duration::from_secs(1);

/// Words alone (contentless FTS5), by the position of the entry they are from. An older version's words stay: a search
/// looks at the row the position belongs to.
const SCHEMA: &str = "
    CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE VIRTUAL TABLE texts USING fts5 (
        words, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
    );
    INSERT INTO texts (texts, rank) VALUES ('hashsize', 8388608);
";

/// `texts.db` and what it is made from.
pub(crate) struct TextIndex {
    connection: Connection,
    ledger: Connection,
    words: Words,
    cursor: u64,
}

impl TextIndex {
    /// Opens the index; one that does not fit (another version, another ledger, no database at all) is made anew, empty.
    pub(crate) fn open(files: &Files, words: Words, version: u32) -> Result<Self, FoldError> {
        let (path, ledger) = (files.texts(), open(&files.ledger(), Mode::Read)?);
        let make = || {
            let connection = open(&path, Mode::Relaxed)?;
            settle(&connection, &path, TEXTS_SCHEMA, SCHEMA)?;
            Ok::<_, FilesError>(connection)
        };
        if let Ok(connection) = make()
            && let Some(cursor) = stands_at(&connection, &ledger, version)
        {
            return Ok(Self { connection, ledger, words, cursor });
        }
        remove_database(&path)?;
        let connection = make()?;
        bind(&connection, &ledger, version)?;
        Ok(Self { connection, ledger, words, cursor: 0 })
    }

    /// Makes the index anew from all entries.
    pub(crate) fn rebuild(
        files: &Files,
        words: Words,
        version: u32,
        until: u64,
        progress: Progress<'_>,
    ) -> Result<(), FoldError> {
        remove_database(&files.texts())?;
        let mut index = Self::open(files, words, version)?;
        while index.cursor < until {
            index.advance(until)?;
            progress(index.cursor, until);
        }
        Ok(index.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Indexes the next entries, none beyond `until`, in one transaction.
    fn advance(&mut self, until: u64) -> Result<(), FoldError> {
        let until = until.min(self.cursor.saturating_add(BATCH_ENTRIES_MAX));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO texts (rowid, words) VALUES (?1, ?2)")?;
            let sql = format!(
                "SELECT {ENTRY_COLUMNS} FROM entries e JOIN logs l ON l.log = e.log
                 WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position"
            );
            let mut entries = self.ledger.prepare_cached(&sql).map_err(FoldError::Ledger)?;
            let mut rows = entries.query(params![self.cursor, until]).map_err(FoldError::Ledger)?;
            while let Some(row) = rows.next().map_err(FoldError::Ledger)? {
                let entry = entry_from(row).map_err(FoldError::Ledger)?;
                if let Some(words) = (self.words)(&entry).filter(|words| !words.is_empty()) {
                    insert.execute(params![entry.position, words])?;
                }
            }
        }
        let leaf = leaf_at(&self.ledger, until).map_err(FoldError::Ledger)?.unwrap_or_default();
        put_state(&transaction, "cursor", &until.to_string())?;
        put_state(&transaction, "leaf", &leaf)?;
        transaction.commit()?;
        self.cursor = until;
        Ok(())
    }

    /// How far it has got.
    pub(crate) const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Starts the thread; it ends after [`TextProgress::close`].
    pub(crate) fn spawn(mut self, published: Arc<Published>) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("ledger-texts".into()).spawn(move || {
            while let Some(until) = published.texts.next() {
                match self.advance(until) {
                    Ok(()) => published.texts.reached(self.cursor),
                    Err(error) => {
                        tracing::error!(code = error.code(), %error, "the full-text index has fallen behind");
                        if !published.texts.rest() {
                            break;
                        }
                    }
                }
            }
            if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
                tracing::warn!(%error, "the write-ahead log of the full-text index stays beside it");
            }
        })
    }
}

/// How far the index has got, and who waits for it.
#[derive(Debug)]
pub(crate) struct TextProgress {
    state: Mutex<State>,
    moved: Condvar,
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// The last position that may be indexed.
    published: u64,
    /// When that last rose.
    at: Instant,
    /// The last position indexed.
    indexed: u64,
    /// The position a search waits for.
    wanted: u64,
    closing: bool,
}

impl TextProgress {
    pub(crate) fn new(published: u64, indexed: u64) -> Self {
        let state = State { published, at: Instant::now(), indexed, wanted: 0, closing: false };
        Self { state: Mutex::new(state), moved: Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is more to index.
    pub(crate) fn publish(&self, position: u64) {
        let mut state = self.lock();
        // Woken once when there is something to do; whether the moment is quiet is then looked at by the clock.
        let wake = state.indexed == state.published;
        (state.published, state.at) = (position, Instant::now());
        drop(state);
        if wake {
            self.moved.notify_all();
        }
    }

    /// Waits until everything up to `position` is indexed.
    pub(crate) fn wait_for(&self, position: u64) -> Result<(), ReadError> {
        let mut state = self.lock();
        if state.indexed >= position {
            return Ok(());
        }
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= SEARCHES_WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(ReadError::Behind);
        }
        state.wanted = state.wanted.max(position);
        self.moved.notify_all();
        let until = Instant::now() + SEARCH_WAIT;
        while state.indexed < position && !state.closing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        if state.indexed >= position { Ok(()) } else { Err(ReadError::Behind) }
    }

    /// How many entries are not indexed yet.
    pub(crate) fn behind(&self) -> u64 {
        let state = self.lock();
        state.published.saturating_sub(state.indexed)
    }

    /// The index finishes what little it is behind, and ends.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.moved.notify_all();
    }

    /// For the index: up to where to index now, once there is a reason to; `None` at the end.
    fn next(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            let behind = state.published.saturating_sub(state.indexed);
            let quiet = QUIET.saturating_sub(state.at.elapsed());
            if state.closing && (behind == 0 || behind > BEHIND_ENTRIES_MAX) {
                return None;
            }
            let asked = state.closing || state.wanted > state.indexed || behind >= BEHIND_ENTRIES_MAX;
            if behind > 0 && (asked || quiet.is_zero()) {
                return Some(state.published);
            }
            let wait = if behind == 0 { Duration::MAX } else { quiet };
            state = self.moved.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn reached(&self, position: u64) {
        self.lock().indexed = position;
        self.moved.notify_all();
    }

    /// Waits a while after a failure; false when the ledger closes.
    fn rest(&self) -> bool {
        let state = self.lock();
        let state = self
            .moved
            .wait_timeout_while(state, RETRY, |state| !state.closing)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        !state.closing
    }
}
