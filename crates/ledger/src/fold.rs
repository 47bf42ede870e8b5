//! How views are folded from entries: the trait the hub implements, and the one loop that drives it.

use std::fs;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::Progress;
use crate::entry::Entry;
use crate::files::{Files, FilesError, Mode, open, remove_database, settle};
use crate::store::{ENTRY_COLUMNS, entry_from, meta};
use crate::texts::Words;
use crate::views::{SCHEMA, VIEWS_SCHEMA, Views, ViewsError};

/// Entries folded in one transaction while the views catch up or are rebuilt.
pub const FOLD_ENTRIES_MAX: u64 = 1_024;

/// What an entry means. Deterministic: it may look at the entry, the views and its own state, and at nothing else, so
/// that folding the logs again gives the same views.
pub trait Fold: Send {
    /// Raised whenever the same entries would give other views: views of another version are rebuilt on opening.
    fn version(&self) -> u32;

    /// Forgets its own state and loads it from the views, which are as they were after the last commit (empty before
    /// a rebuild). Views can only be read here.
    ///
    /// # Errors
    /// [`FoldError`]; nothing is folded until it succeeds.
    fn start(&mut self, views: &mut Views<'_>) -> Result<(), FoldError>;

    /// Folds one entry. Entries come in the order they were committed. A kind it does not know, or a body it cannot
    /// read (redacted, or from a newer version), is to be passed over without an error.
    ///
    /// # Errors
    /// [`FoldError::Views`] when the views fail: everything since the last commit is rolled back, `start` is called and
    /// the entries come again. [`FoldError::Refused`] when this entry cannot be folded: what was put for it is taken
    /// back, it is passed over for good and reported; the fold's own state must be as before.
    fn fold(&mut self, entry: &Entry, views: &mut Views<'_>) -> Result<(), FoldError>;

    /// What each entry is to be found by in a search.
    fn words(&self) -> Words;

    /// The views folded so far are committed: the place to publish state kept in memory.
    fn committed(&mut self) {}
}

/// Why an entry was not folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The views failed.
    #[error(transparent)]
    Views(#[from] ViewsError),
    /// The views' files failed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The ledger could not be read.
    #[error("the ledger could not be read while the views were folded: {0}")]
    Ledger(#[source] rusqlite::Error),
    /// The fold has no place for this entry.
    #[error("an entry was passed over by the views: {0}")]
    Refused(String),
}

impl FoldError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Views(error) => error.code(),
            Self::Files(error) => error.code(),
            Self::Ledger(_) => "ledger.fold.ledger",
            Self::Refused(_) => "ledger.fold.refused",
        }
    }
}

impl From<rusqlite::Error> for FoldError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Views(error.into())
    }
}

/// `views.db` and the fold that writes it.
pub(crate) struct ViewStore {
    pub(crate) connection: Connection,
    fold: Box<dyn Fold>,
    /// The last entry folded, by order of commit.
    pub(crate) cursor: u64,
    /// Whether something failed since the last commit, so that the fold's own state must be loaded anew.
    stale: bool,
}

impl ViewStore {
    /// Opens the views and folds what they lack; views that do not fit (another version, another ledger, no database at all)
    /// are rebuilt.
    pub(crate) fn open(files: &Files, fold: Box<dyn Fold>, ledger: &Connection) -> Result<Self, FoldError> {
        let path = files.views();
        let fitting = open(&path, Mode::Relaxed).and_then(|connection| {
            settle(&connection, &path, VIEWS_SCHEMA, SCHEMA)?;
            Ok(connection)
        });
        let cursor = fitting.as_ref().ok().and_then(|connection| fits(connection, ledger, fold.version()));
        match (fitting, cursor) {
            (Ok(connection), Some(cursor)) => {
                let mut views = Self { connection, fold, cursor, stale: true };
                views.catch_up(ledger, &mut |_, _| {})?;
                Ok(views)
            }
            (connection, _) => {
                drop(connection);
                tracing::info!(path = %path.display(), "views are rebuilt");
                Self::rebuild(files, fold, ledger, &mut |_, _| {})
            }
        }
    }

    /// Folds all entries into a new file aside, and swaps it in.
    pub(crate) fn rebuild(
        files: &Files,
        fold: Box<dyn Fold>,
        ledger: &Connection,
        progress: Progress<'_>,
    ) -> Result<Self, FoldError> {
        let (path, aside) = (files.views(), files.views().with_extension("new"));
        remove_database(&aside)?;
        let connection = open(&aside, Mode::Relaxed)?;
        settle(&connection, &aside, VIEWS_SCHEMA, SCHEMA)?;
        let mut views = Self { connection, fold, cursor: 0, stale: true };
        views.catch_up(ledger, progress)?;
        let Self { connection, fold, cursor, .. } = views;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| ViewsError::Sqlite(error))?;
        // The old database goes before its write-ahead log: a log without its database is ignored, a database without
        // its log may be half a state.
        remove_database(&path)?;
        fs::rename(&aside, &path).map_err(FilesError::io(&path))?;
        let connection = open(&path, Mode::Relaxed)?;
        Ok(Self { connection, fold, cursor, stale: false })
    }

    /// Folds the entries after the cursor, from the ledger, up to its end.
    pub(crate) fn catch_up(&mut self, ledger: &Connection, progress: Progress<'_>) -> Result<(), FoldError> {
        let end: u64 = ledger
            .query_row("SELECT coalesce(max(position), 0) FROM entries", [], |row| row.get(0))
            .map_err(FoldError::Ledger)?;
        self.restart(ledger)?;
        while self.cursor < end {
            let entries = entries_after(ledger, self.cursor, FOLD_ENTRIES_MAX).map_err(FoldError::Ledger)?;
            if entries.is_empty() {
                break;
            }
            self.commit(&entries, ledger)?;
            progress(self.cursor, end);
        }
        Ok(())
    }

    /// Folds a batch that has just been committed; catches up first if something failed before.
    pub(crate) fn fold(&mut self, entries: &[Entry], ledger: &Connection) -> Result<(), FoldError> {
        match entries.first() {
            Some(first) if !self.stale && first.position == self.cursor + 1 => self.commit(entries, ledger),
            Some(_) => self.catch_up(ledger, &mut |_, _| {}),
            None => Ok(()),
        }
    }

    fn restart(&mut self, ledger: &Connection) -> Result<(), FoldError> {
        if !self.stale {
            return Ok(());
        }
        if self.cursor == 0 {
            bind(&self.connection, ledger, self.fold.version())?;
        }
        self.fold.start(&mut Views::new(&self.connection, None))?;
        self.stale = false;
        self.fold.committed();
        Ok(())
    }

    fn commit(&mut self, entries: &[Entry], ledger: &Connection) -> Result<(), FoldError> {
        match self.commit_whole(entries, ledger, fold_trusting) {
            // Rare: what the batch put is gone with its transaction, and it is folded anew with each entry by itself, so
            // that what was refused leaves no trace.
            Err(FoldError::Refused(_)) => {
                self.restart(ledger)?;
                self.commit_whole(entries, ledger, fold_apart)
            }
            other => other,
        }
    }

    fn commit_whole(
        &mut self,
        entries: &[Entry],
        ledger: &Connection,
        one: FoldOne,
    ) -> Result<(), FoldError> {
        self.stale = true;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for entry in entries {
            one(&mut *self.fold, entry, &transaction)?;
        }
        let Some(last) = entries.last() else { return Ok(()) };
        let leaf = leaf_at(ledger, last.position).map_err(FoldError::Ledger)?.unwrap_or_default();
        put_state(&transaction, "cursor", &last.position.to_string())?;
        put_state(&transaction, "leaf", &leaf)?;
        transaction.commit()?;
        self.cursor = last.position;
        self.stale = false;
        self.fold.committed();
        Ok(())
    }
}

type FoldOne = fn(&mut dyn Fold, &Entry, &Connection) -> Result<(), FoldError>;

/// Folds one entry of a batch that is thrown away if any is refused. A savepoint for each would have the full-text index
/// written out for each, a fifth of all the work.
fn fold_trusting(fold: &mut dyn Fold, entry: &Entry, connection: &Connection) -> Result<(), FoldError> {
    fold.fold(entry, &mut Views::new(connection, Some(entry)))
}

/// Folds one entry; one that the fold refuses leaves no trace but its reason.
fn fold_apart(fold: &mut dyn Fold, entry: &Entry, connection: &Connection) -> Result<(), FoldError> {
    connection.prepare_cached("SAVEPOINT entry")?.execute([])?;
    match fold.fold(entry, &mut Views::new(connection, Some(entry))) {
        Ok(()) => {}
        Err(FoldError::Refused(reason)) => {
            tracing::error!(group = %entry.group, sequence = entry.sequence, kind = entry.kind, reason, "entry not folded");
            connection.prepare_cached("ROLLBACK TO entry")?.execute([])?;
            connection
                .prepare_cached("INSERT INTO skipped (position, reason) VALUES (?1, ?2)")?
                .execute(params![entry.position, reason])?;
        }
        Err(error) => return Err(error),
    }
    connection.prepare_cached("RELEASE entry")?.execute([])?;
    Ok(())
}

/// The cursor of views that fit this ledger and this fold.
fn fits(views: &Connection, ledger: &Connection, version: u32) -> Option<u64> {
    let layout: i64 = views.query_row("PRAGMA user_version", [], |row| row.get(0)).ok()?;
    if layout != VIEWS_SCHEMA {
        return None;
    }
    if state(views, "ledger").ok()?.is_none() {
        // New: nothing has been folded yet.
        let empty: bool =
            views.query_row("SELECT NOT EXISTS (SELECT 1 FROM groups)", [], |row| row.get(0)).ok()?;
        return empty.then_some(0);
    }
    stands_at(views, ledger, version)
}

/// The cursor of what was folded from this ledger by this version of the fold.
pub(crate) fn stands_at(folded: &Connection, ledger: &Connection, version: u32) -> Option<u64> {
    let (_, id) = meta(ledger).ok()??;
    let same = state(folded, "ledger").ok()?? == id && state(folded, "fold").ok()?? == version.to_string();
    let cursor: u64 = state(folded, "cursor").ok()??.parse().ok()?;
    let leaf = state(folded, "leaf").ok()??;
    // The leaf tells a ledger that was restored, or rolled back and grown anew, from the one that was folded.
    let joined = cursor == 0 || leaf_at(ledger, cursor).ok()?? == leaf;
    (same && joined).then_some(cursor)
}

/// Writes into empty views (or texts) which ledger and which fold they are of.
pub(crate) fn bind(views: &Connection, ledger: &Connection, version: u32) -> Result<(), FoldError> {
    let id = meta(ledger).map_err(FoldError::Ledger)?.map(|(_, id)| id).unwrap_or_default();
    for (key, value) in
        [("ledger", id), ("fold", version.to_string()), ("cursor", "0".into()), ("leaf", String::new())]
    {
        put_state(views, key, &value)?;
    }
    Ok(())
}

fn state(views: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    views.query_row("SELECT value FROM state WHERE key = ?1", params![key], |row| row.get(0)).optional()
}

pub(crate) fn put_state(views: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    views
        .prepare_cached(
            "INSERT INTO state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
        )?
        .execute(params![key, value])?;
    Ok(())
}

/// The leaf hash of the entry at a position, as hex.
pub(crate) fn leaf_at(ledger: &Connection, position: u64) -> rusqlite::Result<Option<String>> {
    ledger
        .prepare_cached(
            "SELECT lower(hex(f.hash)) FROM entries e JOIN leaves f ON f.log = e.log AND f.sequence = e.sequence
             WHERE e.position = ?1",
        )?
        .query_row(params![position], |row| row.get(0))
        .optional()
}

fn entries_after(ledger: &Connection, position: u64, limit: u64) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = ledger.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS} FROM entries e JOIN logs l ON l.log = e.log
         WHERE e.position > ?1 ORDER BY e.position LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![position, limit], entry_from)?;
    rows.collect()
}
