//! Checkpoints: on a cadence, each log that grew is re-read from disk, recomputed, proved to hold all that was signed
//! before, and only then signed (c2sp.org/tlog-checkpoint).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use shieldwall_model::id::GroupId;
use shieldwall_model::realm::Realm;
use shieldwall_model::time::Timestamp;
use tlog_tiles::{Hash, check_tree, prove_tree};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::entry::{Header, commitment};
use crate::files::{Files, FilesError, Mode, open, write_whole};
use crate::identity::{Identity, IdentityError, RealmKey, hex, unhex};
use crate::store::{Signed, Store, author_from};
use crate::tree::{Frontier, StoredHashes, TreeError};
use crate::writer::{AppendError, Message};

/// Entries re-read in one read transaction.
const REREAD_ENTRIES_MAX: u64 = 4_096;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The log is shorter than, or other than, what this directory signed.
    #[error(
        "the log of {group} is not what this hub signed at {size} entries: it was rolled back or changed; run `shieldwall verify`, and put a backup back with `shieldwall restore` into an empty directory"
    )]
    RolledBack {
        /// Whose log.
        group: GroupId,
        /// Entries the checkpoint covers.
        size: u64,
    },
    /// An entry does not have the leaf it was given.
    #[error(
        "entry {sequence} of {group} was changed on disk: nothing is signed; run `shieldwall verify` and restore a backup"
    )]
    Changed {
        /// Whose log.
        group: GroupId,
        /// Which entry.
        sequence: u64,
    },
    /// The record of what was signed cannot be read.
    #[error(
        "{0} is not readable as the record of what was signed: restore it, or restore a backup into an empty directory"
    )]
    Record(PathBuf),
    /// SQLite refused.
    #[error("the ledger could not be re-read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A stored tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The key refused.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl SigningError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RolledBack { .. } => "ledger.signing.rolled_back",
            Self::Changed { .. } => "ledger.signing.changed",
            Self::Record(_) => "ledger.signing.record",
            Self::Sqlite(_) => "ledger.signing.sqlite",
            Self::Files(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::Identity(error) => error.code(),
        }
    }

    /// Whether the log is proven damaged, and not merely unreadable now.
    const fn is_damage(&self) -> bool {
        matches!(self, Self::RolledBack { .. } | Self::Changed { .. } | Self::Tree(_))
    }
}

impl From<tlog_tiles::Error> for SigningError {
    fn from(error: tlog_tiles::Error) -> Self {
        Self::Tree(error.into())
    }
}

/// Asks the signer to look now, and where to answer.
pub(crate) type SignNow = oneshot::Sender<Result<usize, AppendError>>;

/// The signing thread's own: a reading connection, the key, and each log's tree as last proved.
pub(crate) struct Signer {
    files: Files,
    connection: Connection,
    key: RealmKey,
    identity: Identity,
    proved: BTreeMap<GroupId, Frontier>,
}

impl Signer {
    /// Checks that every log still holds what was signed of it: by the last checkpoint kept, and by the record beside
    /// the database, which tells when an older copy of the database was put in its place.
    pub(crate) fn open(files: &Files, store: &Store, key: RealmKey) -> Result<Self, SigningError> {
        let connection = open(&files.ledger(), Mode::Read)?;
        let record = Record::read(files)?;
        let mut proved = BTreeMap::new();
        for (group, log) in &store.logs {
            let stored = StoredHashes { connection: &connection, schema: "main", log: log.number };
            let Some((size, root)) = last_signed(&connection, log.number, *group)? else { continue };
            let frontier = at(&stored, *group, size, root, log.frontier.size())?;
            proved.insert(*group, frontier);
        }
        for (group, (size, root)) in record.0 {
            let log = store.logs.get(&group).ok_or(SigningError::RolledBack { group, size })?;
            let stored = StoredHashes { connection: &connection, schema: "main", log: log.number };
            at(&stored, group, size, root, log.frontier.size())?;
        }
        Ok(Self { files: files.clone(), connection, key, identity: store.identity.1.clone(), proved })
    }

    /// Starts the thread. It looks every so often, and when asked; it ends when the returned sender is dropped.
    pub(crate) fn spawn(
        self,
        every: Duration,
        writer: SyncSender<Message>,
    ) -> io::Result<(JoinHandle<Self>, SyncSender<SignNow>)> {
        let (ask, asked) = sync_channel(16);
        let handle = thread::Builder::new()
            .name("ledger-signer".into())
            .spawn(move || self.run(every, &writer, &asked))?;
        Ok((handle, ask))
    }

    fn run(mut self, every: Duration, writer: &SyncSender<Message>, asked: &Receiver<SignNow>) -> Self {
        loop {
            let reply = match asked.recv_timeout(every) {
                Ok(reply) => Some(reply),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self,
            };
            let outcome = self.sign(writer);
            if let Err(error) = &outcome {
                tracing::error!(code = error.code(), %error, "no checkpoint was signed");
            }
            if let Some(reply) = reply {
                let _ = reply.send(outcome);
            }
        }
    }

    fn sign(&mut self, writer: &SyncSender<Message>) -> Result<usize, AppendError> {
        let signed = match self.due() {
            Ok(signed) => signed,
            Err(error) if error.is_damage() => {
                let reason = error.to_string();
                let _ = writer.send(Message::Halt(reason.clone()));
                return Err(AppendError::Halted(reason));
            }
            Err(error) => return Err(AppendError::Storage(error.to_string())),
        };
        if signed.is_empty() {
            return Ok(0);
        }
        let (reply, answer) = oneshot::channel();
        let message = Message::Keep { signed: signed.clone(), reply };
        writer.send(message).map_err(|_| AppendError::Closed)?;
        answer.blocking_recv().map_err(|_| AppendError::Closed)??;
        self.remember(&signed).map_err(|error| AppendError::Storage(error.to_string()))?;
        Ok(signed.len())
    }

    /// Re-reads, proves and signs every log that grew. Nothing is remembered yet.
    pub(crate) fn due(&mut self) -> Result<Vec<Signed>, SigningError> {
        let mut statement = self.connection.prepare_cached("SELECT log, grp, size FROM logs ORDER BY log")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, GroupId::from_uuid(Uuid::from_bytes(row.get(1)?)), row.get(2)?))
        })?;
        let logs: Vec<(i64, GroupId, u64)> = rows.collect::<Result<_, _>>()?;
        drop(statement);
        let mut signed = Vec::new();
        for (log, group, size) in logs {
            let old = self.proved.get(&group).cloned().unwrap_or_default();
            if size <= old.size() {
                continue;
            }
            let new = reread(&self.connection, self.files.realm(), (log, group), &old, size)?;
            let root = new.root();
            let stored = StoredHashes { connection: &self.connection, schema: "main", log };
            if old.size() > 0 {
                let proof = prove_tree(size, old.size(), &stored)?;
                check_tree(&proof, size, root, old.size(), old.root())
                    .map_err(|_| SigningError::RolledBack { group, size: old.size() })?;
            }
            if Frontier::load(size, &stored)? != new {
                return Err(SigningError::RolledBack { group, size });
            }
            let note = self.key.sign(&self.identity.origin, group, size, root)?;
            self.identity.open(group, &note)?;
            self.proved.insert(group, new);
            signed.push(Signed { log, group, size, root, note });
        }
        Ok(signed)
    }

    /// Writes beside the database what was signed.
    pub(crate) fn remember(&self, signed: &[Signed]) -> Result<(), SigningError> {
        if signed.is_empty() {
            return Ok(());
        }
        let mut record = Record::read(&self.files)?;
        record.0.extend(signed.iter().map(|signed| (signed.group, (signed.size, signed.root))));
        record.write(&self.files)
    }
}

/// The tree at a size that was signed, if it still has the root that was signed.
fn at(
    stored: &StoredHashes<'_>,
    group: GroupId,
    size: u64,
    root: Hash,
    has: u64,
) -> Result<Frontier, SigningError> {
    if size > has {
        return Err(SigningError::RolledBack { group, size });
    }
    let frontier = Frontier::load(size, stored)?;
    if frontier.root() != root {
        return Err(SigningError::RolledBack { group, size });
    }
    Ok(frontier)
}

/// Size and root of the last checkpoint kept of a log, its signature checked.
fn last_signed(
    connection: &Connection,
    log: i64,
    group: GroupId,
) -> Result<Option<(u64, Hash)>, SigningError> {
    let last: Option<(String, Identity)> = connection
        .query_row(
            "SELECT c.note, i.origin, i.public FROM checkpoints c JOIN identities i ON i.number = c.identity
             WHERE c.log = ?1 ORDER BY c.size DESC LIMIT 1",
            params![log],
            |row| Ok((row.get(0)?, Identity { origin: row.get(1)?, public: row.get(2)? })),
        )
        .optional()?;
    last.map(|(note, identity)| Ok(identity.open(group, &note)?)).transpose()
}

/// The tree of `size` entries, grown from `old` by leaves computed anew from the entries as they lie on disk.
fn reread(
    connection: &Connection,
    realm: &Realm,
    (log, group): (i64, GroupId),
    old: &Frontier,
    size: u64,
) -> Result<Frontier, SigningError> {
    let mut tree = old.clone();
    let mut statement = connection.prepare_cached(
        "SELECT e.sequence, e.time, e.member, e.principal, e.principal_id, e.kind, e.commitment, e.salt, e.body, f.hash
         FROM leaves f JOIN entries e ON e.position = f.position
         WHERE f.log = ?1 AND f.sequence > ?2 AND f.sequence <= ?3 ORDER BY f.sequence LIMIT ?4",
    )?;
    while tree.size() < size {
        let before = tree.size();
        let mut rows = statement.query(params![log, before, size, REREAD_ENTRIES_MAX])?;
        while let Some(row) = rows.next()? {
            let sequence: u64 = row.get(0)?;
            let kind: String = row.get(5)?;
            let stated: [u8; 32] = row.get(6)?;
            let salt: Option<Vec<u8>> = row.get(7)?;
            let body: Option<Vec<u8>> = row.get(8)?;
            let author = author_from(row, 2)?;
            let time = Timestamp::from_micros(row.get(1)?);
            let header = Header { realm, group, sequence, time, author, kind: &kind, commitment: stated };
            let hash = header.leaf_hash();
            let true_body = match (&salt, &body) {
                (Some(salt), Some(body)) => commitment(salt, body) == stated,
                (None, None) => true,
                _ => false,
            };
            if !true_body || sequence != tree.size() + 1 || hash != Hash(row.get(9)?) {
                return Err(SigningError::Changed { group, sequence });
            }
            tree.push(hash, |_| {});
        }
        if tree.size() == before {
            return Err(SigningError::Changed { group, sequence: before + 1 });
        }
    }
    Ok(tree)
}

/// What this directory signed last: a line `<group UUID> <size> <root as hex>` for each log.
#[derive(Default)]
pub(crate) struct Record(pub(crate) BTreeMap<GroupId, (u64, Hash)>);

impl Record {
    /// Reads the record; a directory that never signed has none.
    pub(crate) fn read(files: &Files) -> Result<Self, SigningError> {
        let path = files.signed();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(FilesError::Io { path, source }.into()),
        };
        let line = |line: &str| {
            let mut words = line.split(' ');
            let group = GroupId::from_uuid(Uuid::try_parse(words.next()?).ok()?);
            let size = words.next()?.parse().ok()?;
            Some((group, (size, Hash(unhex(words.next()?)?))))
        };
        text.lines().map(line).collect::<Option<_>>().map(Self).ok_or(SigningError::Record(path))
    }

    fn write(&self, files: &Files) -> Result<(), SigningError> {
        use std::fmt::Write as _;
        let mut text = String::new();
        for (group, (size, root)) in &self.0 {
            let _ = writeln!(text, "{} {size} {}", group.uuid(), hex(&root.0));
        }
        Ok(write_whole(&files.signed(), text.as_bytes())?)
    }
}
