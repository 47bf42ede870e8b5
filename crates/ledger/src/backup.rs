//! Copies of a data directory, taken beside a running hub, and put back.
//!
//! A backup holds the ledgers and settings of all realms and the accounts, each as of one moment, with a manifest of SHA-256 sums.
//! It holds no views (they are folded again) and **no `hub.key`**: a hub restored from it makes a key of its own and
//! signs as a new identity (see [`crate::identity`]), so that it can never sign a smaller tree under a name that
//! already signed a larger one, however old the copy is.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shieldwall_model::realm::Realm;
use uuid::Uuid;

use crate::Progress;
use crate::files::{
    Files, FilesError, LEDGER_SCHEMA, Mode, check_stamps, open, private_dir, sync_dir, write_whole,
};
use crate::identity::hex;

/// The manifest's name in a backup.
pub const MANIFEST: &str = "manifest.json";
/// Version of the manifest's layout.
pub const MANIFEST_FORMAT: u32 = 1;
/// Database pages copied between two calls of the progress function.
const PAGES_AT_ONCE: i32 = 1_024;

/// Why a backup could not be made or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// SQLite refused.
    #[error("a database could not be copied: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The target has something in it.
    #[error("{0} is not empty: choose a directory that does not exist yet")]
    NotEmpty(PathBuf),
    /// There is nothing to copy.
    #[error("{0} holds no ledger: check the data directory")]
    Nothing(PathBuf),
    /// The manifest cannot be read.
    #[error("{0} is no backup of shieldwall, or from a newer version: its manifest cannot be read")]
    Manifest(PathBuf),
    /// A file of the backup is missing or was changed.
    #[error("{0} is not what the manifest says: this backup is damaged, use another")]
    Damaged(PathBuf),
}

impl BackupError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Sqlite(_) => "ledger.backup.sqlite",
            Self::NotEmpty(_) => "ledger.backup.not_empty",
            Self::Nothing(_) => "ledger.backup.nothing",
            Self::Manifest(_) => "ledger.backup.manifest",
            Self::Damaged(_) => "ledger.backup.damaged",
        }
    }

    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FilesError::Io { path: path.into(), source }.into()
    }
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The files, by path.
    pub files: Vec<ManifestFile>,
    /// The logs, by realm and group.
    pub logs: Vec<ManifestLog>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its path in the backup, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, as hex.
    pub sha256: String,
}

/// One log of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestLog {
    /// Its realm.
    pub realm: Realm,
    /// Its group's UUID.
    pub group: Uuid,
    /// Entries.
    pub size: u64,
    /// The root, as hex.
    pub root: String,
}

/// Copies what a data directory holds to `to`, which must not exist or be empty. `progress` counts bytes.
///
/// # Errors
/// [`BackupError`]; `to` is then of no use.
pub fn backup(dir: &Path, to: &Path, progress: Progress<'_>) -> Result<Manifest, BackupError> {
    let realms = realms(dir)?;
    if realms.is_empty() {
        return Err(BackupError::Nothing(dir.into()));
    }
    empty(to)?;
    private_dir(to)?;
    let mut sources = Vec::new();
    let mut total = 0;
    for realm in realms {
        let files = Files::new(dir, realm.clone());
        private_dir(&to.join(realm.as_str()))?;
        if files.settings().exists() {
            sources.push((files.settings(), format!("{realm}/settings.db"), None));
        }
        sources.push((files.ledger(), format!("{realm}/ledger.db"), Some(realm)));
    }
    let accounts = Files::new(dir, Realm::Real).accounts();
    if accounts.exists() {
        sources.push((accounts, "accounts.db".to_owned(), None));
    }
    let mut opened = Vec::new();
    for (path, name, realm) in sources {
        let source = open(&path, Mode::Read)?;
        // The read transaction held from here on keeps the copy at this moment, and keeps SQLite's online backup from
        // starting over whenever the hub writes.
        source.execute_batch("BEGIN")?;
        total += size(&source)?;
        opened.push((source, name, realm));
    }
    let mut manifest = Manifest { format: MANIFEST_FORMAT, files: Vec::new(), logs: Vec::new() };
    let mut done = 0;
    for (source, name, realm) in &opened {
        let path = to.join(name);
        copy(source, &path, &mut |bytes| progress(done + bytes, total))?;
        done += size(source)?;
        let (bytes, sha256) = sum(&path)?;
        manifest.files.push(ManifestFile { path: name.clone(), bytes, sha256 });
        if let Some(realm) = realm {
            manifest.logs.extend(logs(&path, realm)?);
        }
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    let text = serde_json::to_vec_pretty(&manifest).map_err(|_| BackupError::Manifest(to.join(MANIFEST)))?;
    write_whole(&to.join(MANIFEST), &text)?;
    Ok(manifest)
}

/// Puts a backup into `to`, which must not exist or be empty. `progress` counts bytes. Every file is checked against the
/// manifest first, every log after. The views are folded, and a new `hub.key` made, when a hub first opens it.
///
/// # Errors
/// [`BackupError::Damaged`] before anything is written, when the backup is not what it says.
pub fn restore(from: &Path, to: &Path, progress: Progress<'_>) -> Result<Manifest, BackupError> {
    let manifest_path = from.join(MANIFEST);
    let unreadable = || BackupError::Manifest(manifest_path.clone());
    let text = fs::read(&manifest_path).map_err(|_| unreadable())?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    if manifest.format != MANIFEST_FORMAT {
        return Err(unreadable());
    }
    empty(to)?;
    let mut found = Vec::new();
    for file in &manifest.files {
        let path = from.join(&file.path);
        let damaged = || BackupError::Damaged(path.clone());
        if sum(&path).map_err(|_| damaged())? != (file.bytes, file.sha256.clone()) {
            return Err(damaged());
        }
        match file.path.split_once('/') {
            None if file.path == "accounts.db" => {}
            Some((realm, "settings.db")) => {
                realm.parse::<Realm>().map_err(|_| unreadable())?;
            }
            Some((realm, "ledger.db")) => {
                let realm: Realm = realm.parse().map_err(|_| unreadable())?;
                found.extend(logs(&path, &realm)?);
            }
            _ => return Err(unreadable()),
        }
    }
    if found != manifest.logs {
        return Err(BackupError::Damaged(manifest_path));
    }
    private_dir(to)?;
    let total = manifest.files.iter().map(|file| file.bytes).sum();
    let mut done = 0;
    for file in &manifest.files {
        let target = to.join(&file.path);
        if let Some(parent) = target.parent() {
            private_dir(parent)?;
        }
        fs::copy(from.join(&file.path), &target).map_err(BackupError::io(&target))?;
        File::open(&target).and_then(|file| file.sync_all()).map_err(BackupError::io(&target))?;
        if sum(&target)?.1 != file.sha256 {
            return Err(BackupError::Damaged(target));
        }
        if let Some(parent) = target.parent() {
            sync_dir(parent).map_err(BackupError::io(parent))?;
        }
        done += file.bytes;
        progress(done, total);
    }
    Ok(manifest)
}

/// The realms a data directory has ledgers of, by name.
///
/// # Errors
/// [`BackupError::Files`] when it cannot be read.
pub fn realms(dir: &Path) -> Result<Vec<Realm>, BackupError> {
    let mut realms = Vec::new();
    for item in fs::read_dir(dir).map_err(BackupError::io(dir))? {
        let item = item.map_err(BackupError::io(dir))?;
        let realm = item.file_name().to_str().and_then(|name| name.parse::<Realm>().ok());
        if let Some(realm) = realm.filter(|_| item.path().join("ledger.db").is_file()) {
            realms.push(realm);
        }
    }
    realms.sort();
    Ok(realms)
}

fn empty(path: &Path) -> Result<(), BackupError> {
    match fs::read_dir(path) {
        Ok(mut items) => match items.next() {
            Some(_) => Err(BackupError::NotEmpty(path.into())),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::io(path)(error)),
    }
}

fn size(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        [],
        |row| row.get(0),
    )
}

/// Copies a database as its open read transaction sees it.
fn copy(source: &Connection, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), BackupError> {
    let page: u64 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let mut target = Connection::open(to)?;
    {
        let backup = Backup::new(source, &mut target)?;
        loop {
            let step = backup.step(PAGES_AT_ONCE)?;
            let state = backup.progress();
            progress(page * u64::try_from(state.pagecount - state.remaining).unwrap_or(0));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Someone holds a lock on a file that is not the hub's to begin with.
                _ => std::thread::yield_now(),
            }
        }
    }
    target.close().map_err(|(_, error)| error)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(BackupError::io(to))?;
    Ok(())
}

/// Size and SHA-256 of a file.
fn sum(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(BackupError::io(path))?;
    let (mut hash, mut bytes) = (Sha256::new(), 0u64);
    let mut buffer = vec![0u8; 1024 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(BackupError::io(path))?;
        if read == 0 {
            return Ok((bytes, hex(&hash.finalize())));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += u64::try_from(read).unwrap_or(0);
    }
}

/// Sizes and roots of the logs in a copied ledger, which nobody writes.
fn logs(path: &Path, realm: &Realm) -> Result<Vec<ManifestLog>, BackupError> {
    // Without `immutable`, reading a database in WAL mode would leave files beside it.
    let uri = format!("file:{}?immutable=1", escaped(path));
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    check_stamps(&connection, path, LEDGER_SCHEMA)?;
    let mut statement = connection.prepare("SELECT grp, size, hex(root) FROM logs ORDER BY grp")?;
    let rows = statement.query_map([], |row| {
        Ok(ManifestLog {
            realm: realm.clone(),
            group: Uuid::from_bytes(row.get(0)?),
            size: row.get(1)?,
            root: row.get::<_, String>(2)?.to_lowercase(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A path as the path of a URI (RFC 3986 section 2.1).
fn escaped(path: &Path) -> String {
    use std::fmt::Write as _;
    path.to_string_lossy().bytes().fold(String::new(), |mut uri, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte))
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
        uri
    })
}
