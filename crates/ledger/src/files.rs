//! Where the files of a data directory lie, how their databases are opened, and who may write them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use shieldwall_model::realm::Realm;

/// Version of the layout of `ledger.db`, kept in its header. A newer one is refused.
pub const LEDGER_SCHEMA: i64 = 1;
/// Version of the layout of `accounts.db`, kept in its header. A newer one is refused.
pub const ACCOUNTS_SCHEMA: i64 = 1;
/// Version of the layout of `settings.db`.
pub const SETTINGS_SCHEMA: i64 = 1;
/// How long a statement waits for another process's lock, in milliseconds.
pub const LOCK_WAIT_MILLISECONDS: u64 = 5_000;
/// Largest write-ahead log kept on disk between commits, in bytes.
pub const WAL_KEPT_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Marks a database as one of ours ("SWLD").
const APPLICATION_ID: i64 = 0x5357_4c44;
/// Pages (of 4 KiB) in a write-ahead log before it is moved into its database. A page of an index by random ids is
/// changed again and again meanwhile, and moved once.
const WAL_PAGES_MAX: u32 = 8_192;
/// Memory for pages of each database that is written, in KiB.
const WRITER_CACHE_KIB: u32 = 16 * 1024;
/// Statements kept prepared on each connection.
const STATEMENTS_PREPARED_MAX: usize = 128;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Another process writes it.
    #[error("{0} is in use by another hub: stop that hub first, or choose another data directory")]
    Locked(PathBuf),
    /// There is nothing there.
    #[error("{0} does not exist: check the data directory and the realm")]
    Missing(PathBuf),
    /// A file was written by a newer version.
    #[error(
        "{path} has layout {found}, this version knows up to {known}: use the newer version of shieldwall"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The layout it has.
        found: i64,
        /// The newest layout known here.
        known: i64,
    },
    /// A file is no database of ours.
    #[error("{0} is not a database of shieldwall: move it away or restore a backup")]
    Foreign(PathBuf),
    /// The file system refused.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("cannot open {path}: {source}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl FilesError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked(_) => "ledger.files.locked",
            Self::Missing(_) => "ledger.files.missing",
            Self::Newer { .. } => "ledger.files.newer",
            Self::Foreign(_) => "ledger.files.foreign",
            Self::Io { .. } => "ledger.files.io",
            Self::Sqlite { .. } => "ledger.files.sqlite",
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.into(), source }
    }

    fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        move |source| Self::Sqlite { path: path.into(), source }
    }
}

/// The files of one realm in one data directory.
#[derive(Clone, Debug)]
pub struct Files {
    dir: PathBuf,
    realm: Realm,
}

impl Files {
    /// The files of `realm` in `dir`.
    pub fn new(dir: impl Into<PathBuf>, realm: Realm) -> Self {
        Self { dir: dir.into(), realm }
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The realm.
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The seed of the hub's signing keys.
    pub fn key(&self) -> PathBuf {
        self.dir.join("hub.key")
    }

    /// Users, sessions, tokens and links.
    pub fn accounts(&self) -> PathBuf {
        self.dir.join("accounts.db")
    }

    /// Entries, trees and checkpoints.
    pub fn ledger(&self) -> PathBuf {
        self.realm_dir().join("ledger.db")
    }

    /// What is folded from the entries.
    pub fn views(&self) -> PathBuf {
        self.realm_dir().join("views.db")
    }

    /// Words of the entries, to search by.
    pub fn texts(&self) -> PathBuf {
        self.realm_dir().join("texts.db")
    }

    /// What members and operators have set up.
    pub fn settings(&self) -> PathBuf {
        self.realm_dir().join("settings.db")
    }

    /// What was last signed.
    pub fn signed(&self) -> PathBuf {
        self.realm_dir().join("signed")
    }

    /// The advisory lock.
    pub fn lock(&self) -> PathBuf {
        self.realm_dir().join("lock")
    }

    /// The realm's own directory.
    pub fn realm_dir(&self) -> PathBuf {
        self.dir.join(self.realm.as_str())
    }

    /// Makes the directories, readable by their owner alone.
    pub(crate) fn make(&self) -> Result<(), FilesError> {
        private_dir(&self.dir)?;
        private_dir(&self.realm_dir())
    }

    /// Takes the realm's lock, or says who has it. Held until the file is dropped, or the process dies.
    pub(crate) fn take_lock(&self) -> Result<File, FilesError> {
        let path = self.lock();
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(FilesError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(FilesError::Locked(self.realm_dir())),
            Err(fs::TryLockError::Error(source)) => Err(FilesError::Io { path, source }),
        }
    }
}

/// A directory only its owner can enter; one that is there already keeps its mode.
pub(crate) fn private_dir(path: &Path) -> Result<(), FilesError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(FilesError::io(path))
}

/// Writes a file whole: aside, to disk, then renamed into place, with the directory flushed after.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    let aside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        use std::io::Write as _;
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        path.parent().map_or(Ok(()), sync_dir)
    };
    write().map_err(FilesError::io(path))
}

/// Makes names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// How a database is to be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Read and write, flushed to disk on every commit.
    Durable,
    /// Read and write, flushed on checkpoints of the write-ahead log alone.
    Relaxed,
    /// Read alone.
    Read,
}

/// Opens a database in the house's way.
pub(crate) fn open(path: &Path, mode: Mode) -> Result<Connection, FilesError> {
    let wrong = FilesError::sqlite(path);
    let flags = match mode {
        Mode::Read if !path.exists() => return Err(FilesError::Missing(path.into())),
        Mode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        _ => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(&wrong)?;
    connection.busy_timeout(Duration::from_millis(LOCK_WAIT_MILLISECONDS)).map_err(&wrong)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_PREPARED_MAX);
    // Without it SQLite plans a statement anew for each value bound where a table has a partial index: the parser would
    // run for every object that comes in (query planner stability guarantee, SQLite's documentation section 3.2).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(&wrong)?;
    connection
        .execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;",
        )
        .map_err(&wrong)?;
    if mode == Mode::Read {
        connection.execute_batch("PRAGMA query_only = ON;").map_err(&wrong)?;
    } else {
        let synchronous = if mode == Mode::Durable { "FULL" } else { "NORMAL" };
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;
                 PRAGMA journal_size_limit = {WAL_KEPT_BYTES_MAX};
                 PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}; PRAGMA cache_size = -{WRITER_CACHE_KIB};"
            ))
            .map_err(&wrong)?;
    }
    Ok(connection)
}

/// Makes the tables of an empty database; refuses a foreign or newer one.
pub(crate) fn settle(
    connection: &Connection,
    path: &Path,
    known: i64,
    schema: &str,
) -> Result<(), FilesError> {
    let wrong = FilesError::sqlite(path);
    let (application, found) = stamps(connection).map_err(&wrong)?;
    let empty: bool = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(&wrong)?;
    if empty {
        // Stamps and tables in one transaction: a crash leaves an empty file, never half a layout.
        return connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known}; {schema}
                 COMMIT;"
            ))
            .map_err(&wrong);
    }
    accept(path, application, found, known)
}

/// Refuses a foreign or newer database.
pub(crate) fn check_stamps(connection: &Connection, path: &Path, known: i64) -> Result<(), FilesError> {
    let (application, found) = stamps(connection).map_err(FilesError::sqlite(path))?;
    accept(path, application, found, known)
}

fn accept(path: &Path, application: i64, found: i64, known: i64) -> Result<(), FilesError> {
    if application != APPLICATION_ID || found < 1 {
        return Err(FilesError::Foreign(path.into()));
    }
    if found > known {
        return Err(FilesError::Newer { path: path.into(), found, known });
    }
    Ok(())
}

/// Deletes a database and what SQLite keeps beside it, the database first.
pub(crate) fn remove_database(path: &Path) -> Result<(), FilesError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let name = PathBuf::from(name);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(FilesError::io(&name)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn stamps(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let application = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok((application, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_or_foreign_database_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = open(&path, Mode::Durable).unwrap();
        settle(&connection, &path, 1, "CREATE TABLE t (x);").unwrap();
        settle(&connection, &path, 1, "CREATE TABLE t (x);").unwrap();
        connection.execute_batch("PRAGMA user_version = 9").unwrap();
        assert_eq!(settle(&connection, &path, 1, "").unwrap_err().code(), "ledger.files.newer");
        connection.execute_batch("PRAGMA application_id = 1").unwrap();
        assert_eq!(check_stamps(&connection, &path, 1).unwrap_err().code(), "ledger.files.foreign");
    }

    #[test]
    fn the_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path(), Realm::Real);
        files.make().unwrap();
        let held = files.take_lock().unwrap();
        assert_eq!(files.take_lock().unwrap_err().code(), "ledger.files.locked");
        drop(held);
        files.take_lock().unwrap();
    }
}
