//! `ledger.db` as it is written: entries, leaves, tree nodes and checkpoints, each batch in one transaction.

use std::collections::BTreeMap;
use std::collections::btree_map;

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use shieldwall_model::id::{Entropy, EntropyError, GroupId, MemberId};
use shieldwall_model::realm::Realm;
use shieldwall_model::time::Timestamp;
use tlog_tiles::Hash;
use uuid::Uuid;

use crate::entry::{
    Author, Draft, Entry, Header, Known, Receipt, SALT_BYTES, commitment, principal_columns, principal_from,
};
use crate::files::{Files, FilesError, LEDGER_SCHEMA, Mode, open, settle};
use crate::identity::{Identity, IdentityError, RealmKey};
use crate::tree::{Frontier, StoredHashes, TreeError};

/// The tables of `ledger.db`. Integers are as the leaf's description counts them; UUIDs are 16 bytes.
///
/// * `meta`: realm and id of the ledger. `identities`: who signed, in order.
/// * `logs`: one row a log, with its size and root after the last commit.
/// * `entries`: the log lines; `position` is the order of commit over all logs. The body stands last, so that reading
///   a header never touches its overflow pages. `salt` and `body` are null once redacted by entry `redacted_by` of
///   the same log.
/// * `leaves`: leaf hash by sequence, and where the entry lies. `nodes`: hashes of full tile-aligned runs.
/// * `keys`: idempotency keys; `proof` ties the row to its content, for the tree does not cover it.
/// * `checkpoints`: every one ever signed.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE identities (number INTEGER PRIMARY KEY, origin TEXT NOT NULL, public BLOB NOT NULL) STRICT;
    CREATE TABLE logs (
        log INTEGER PRIMARY KEY, grp BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, root BLOB NOT NULL
    ) STRICT;
    CREATE TABLE entries (
        position INTEGER PRIMARY KEY, log INTEGER NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL,
        member BLOB, principal INTEGER NOT NULL, principal_id BLOB, kind TEXT NOT NULL,
        commitment BLOB NOT NULL, salt BLOB, redacted_by INTEGER, body BLOB
    ) STRICT;
    CREATE TABLE leaves (
        log INTEGER NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
        PRIMARY KEY (log, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE nodes (
        log INTEGER NOT NULL, level INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL,
        PRIMARY KEY (log, level, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE keys (
        log INTEGER NOT NULL, key BLOB NOT NULL, sequence INTEGER NOT NULL, proof BLOB NOT NULL,
        PRIMARY KEY (log, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE checkpoints (
        log INTEGER NOT NULL, size INTEGER NOT NULL, identity INTEGER NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (log, size, identity)
    ) STRICT, WITHOUT ROWID;
";

/// The columns [`entry_from`] reads, of `entries AS e` joined to `logs AS l`.
pub(crate) const ENTRY_COLUMNS: &str =
    "e.position, l.grp, e.sequence, e.time, e.member, e.principal, e.principal_id, e.kind, e.body";

/// Why the ledger's own file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// SQLite refused.
    #[error("the ledger's database failed: {0}; check the disk and run `shieldwall verify`")]
    Sqlite(#[from] rusqlite::Error),
    /// No randomness to salt a body with.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A stored tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The key or origin is not good.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file belongs to another realm.
    #[error("this ledger belongs to the realm {found}, not {wanted}: check the data directory")]
    Realm {
        /// Whose it is.
        found: String,
        /// Who asked.
        wanted: Realm,
    },
    /// What was read cannot have been written by this program.
    #[error("the ledger is damaged: {0}; run `shieldwall verify` and restore a backup")]
    Damaged(String),
}

impl StoreError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Sqlite(_) => "ledger.store.sqlite",
            Self::Entropy(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::Realm { .. } => "ledger.store.realm",
            Self::Damaged(_) => "ledger.store.damaged",
        }
    }

    /// Whether the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// One log as the writer knows it.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) number: i64,
    pub(crate) frontier: Frontier,
    last: Timestamp,
}

/// What a committed batch wrote: the receipts of each call, and the new entries in order.
pub(crate) struct Written {
    pub(crate) receipts: Vec<Vec<Receipt>>,
    pub(crate) entries: Vec<Entry>,
}

/// A checkpoint to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) log: i64,
    pub(crate) group: GroupId,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) note: String,
}

/// The one writing connection to `ledger.db`, and the state that goes with it. Dropped and opened anew after any
/// failed write, so that memory never runs ahead of the disk.
pub(crate) struct Store {
    pub(crate) connection: Connection,
    realm: Realm,
    pub(crate) logs: BTreeMap<GroupId, Log>,
    pub(crate) position: u64,
    /// The latest time the clock has been seen to show; it stands in for a clock that was set back.
    clock_high: Timestamp,
    pub(crate) identity: (i64, Identity),
}

impl Store {
    /// Opens or makes the realm's `ledger.db`. `origin` counts only while there is none.
    pub(crate) fn open(
        files: &Files,
        origin: &str,
        key: &RealmKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, StoreError> {
        let path = files.ledger();
        let mut connection = open(&path, Mode::Durable)?;
        settle(&connection, &path, LEDGER_SCHEMA, SCHEMA)?;
        claim(&mut connection, files.realm(), entropy)?;
        let identity = identify(&mut connection, origin, key)?;
        let (logs, position, clock_high) = load(&connection)?;
        let realm = files.realm().clone();
        Ok(Self { connection, realm, logs, position, clock_high, identity })
    }

    /// Writes the drafts of several calls in one transaction, each call whole. `now` is the clock's time.
    pub(crate) fn append(
        &mut self,
        calls: Vec<Vec<Draft>>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Written, StoreError> {
        let now = now.max(self.clock_high);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch {
            connection: &transaction,
            realm: &self.realm,
            known: &self.logs,
            touched: BTreeMap::new(),
            next_log: i64::try_from(self.logs.len()).unwrap_or(i64::MAX).saturating_add(1),
            position: self.position,
            now,
            entries: Vec::new(),
        };
        let receipts = calls
            .into_iter()
            .map(|drafts| drafts.into_iter().map(|draft| batch.append(draft, entropy)).collect())
            .collect::<Result<Vec<Vec<Receipt>>, StoreError>>()?;
        batch.close()?;
        let Batch { touched, position, entries, .. } = batch;
        if !entries.is_empty() {
            transaction.commit()?;
        }
        self.logs.extend(touched);
        self.position = position;
        self.clock_high = now;
        Ok(Written { receipts, entries })
    }

    /// Keeps checkpoints. One that is not larger than the last of its log is refused: it would be a fork.
    pub(crate) fn keep(&mut self, signed: &[Signed]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for checkpoint in signed {
            let last: Option<u64> = transaction.query_row(
                "SELECT max(size) FROM checkpoints WHERE log = ?1",
                params![checkpoint.log],
                |row| row.get(0),
            )?;
            if last.is_some_and(|last| last >= checkpoint.size) {
                return Err(StoreError::Damaged(format!(
                    "a checkpoint of {} for {} entries is not larger than the last",
                    checkpoint.group, checkpoint.size
                )));
            }
            transaction.execute(
                "INSERT INTO checkpoints (log, size, identity, note) VALUES (?1, ?2, ?3, ?4)",
                params![checkpoint.log, checkpoint.size, self.identity.0, checkpoint.note],
            )?;
        }
        Ok(transaction.commit()?)
    }
}

/// One transaction's worth of appends; the logs it touched stand aside until it is committed.
struct Batch<'a> {
    connection: &'a Connection,
    realm: &'a Realm,
    known: &'a BTreeMap<GroupId, Log>,
    touched: BTreeMap<GroupId, Log>,
    next_log: i64,
    position: u64,
    now: Timestamp,
    entries: Vec<Entry>,
}

impl Batch<'_> {
    fn append(&mut self, draft: Draft, entropy: &dyn Entropy) -> Result<Receipt, StoreError> {
        let key = draft.key_digest();
        if let Some(receipt) = self.repeated(draft.group, key)? {
            return Ok(receipt);
        }
        let mut salt = [0u8; SALT_BYTES];
        entropy.fill(&mut salt)?;
        let commitment = commitment(&salt, &draft.body);
        let now = self.now;
        let (connection, realm, position) = (self.connection, self.realm, self.position + 1);
        let log = self.log(draft.group)?;
        let (sequence, time) = (log.frontier.size() + 1, now.max(log.last.plus_micros(1)));
        let header = Header {
            realm,
            group: draft.group,
            sequence,
            time,
            author: draft.author,
            kind: &draft.kind,
            commitment,
        };
        let hash = header.leaf_hash();
        let mut nodes = Vec::new();
        log.frontier.push(hash, |node| nodes.push(node));
        log.last = time;
        let number = log.number;
        let (principal, principal_id) = principal_columns(draft.author.principal);
        connection
            .prepare_cached(
                "INSERT INTO entries (position, log, sequence, time, member, principal, principal_id, kind, commitment,
                 salt, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                position,
                number,
                sequence,
                time.as_micros(),
                draft.author.member.map(|member| member.uuid().into_bytes()),
                principal,
                principal_id.map(Uuid::into_bytes),
                draft.kind,
                commitment,
                salt,
                draft.body,
            ])?;
        connection
            .prepare_cached("INSERT INTO leaves (log, sequence, position, hash) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![number, sequence, position, hash.0])?;
        for node in nodes {
            connection
                .prepare_cached("INSERT INTO nodes (log, level, number, hash) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![number, node.level, node.index, node.hash.0])?;
        }
        if let Some(key) = key {
            connection
                .prepare_cached("INSERT INTO keys (log, key, sequence, proof) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![number, key, sequence, key_proof(draft.group, &key, sequence)])?;
        }
        self.position = position;
        self.entries.push(Entry {
            group: draft.group,
            sequence,
            time,
            author: draft.author,
            kind: draft.kind,
            body: Some(draft.body),
            position,
            known: draft.known,
        });
        Ok(Receipt { group: draft.group, sequence, time, repeated: false })
    }

    /// The log to append to, made when this is its first entry.
    fn log(&mut self, group: GroupId) -> Result<&mut Log, StoreError> {
        match self.touched.entry(group) {
            btree_map::Entry::Occupied(log) => Ok(log.into_mut()),
            btree_map::Entry::Vacant(vacant) => {
                let log = match self.known.get(&group) {
                    Some(log) => log.clone(),
                    None => {
                        let number = self.next_log;
                        self.next_log += 1;
                        self.connection
                            .prepare_cached(
                                "INSERT INTO logs (log, grp, size, root) VALUES (?1, ?2, 0, x'')",
                            )?
                            .execute(params![number, group.uuid().into_bytes()])?;
                        Log { number, frontier: Frontier::default(), last: Timestamp::from_micros(i64::MIN) }
                    }
                };
                Ok(vacant.insert(log))
            }
        }
    }

    /// The receipt of the entry this key was used for first.
    fn repeated(&self, group: GroupId, key: Option<[u8; 32]>) -> Result<Option<Receipt>, StoreError> {
        let log = self.touched.get(&group).or_else(|| self.known.get(&group));
        let (Some(key), Some(log)) = (key, log) else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(
            "SELECT e.sequence, e.time FROM keys k JOIN leaves f ON f.log = k.log AND f.sequence = k.sequence
             JOIN entries e ON e.position = f.position WHERE k.log = ?1 AND k.key = ?2",
        )?;
        let found = statement.query_row(params![log.number, key], |row| {
            Ok(Receipt {
                group,
                sequence: row.get(0)?,
                time: Timestamp::from_micros(row.get(1)?),
                repeated: true,
            })
        });
        Ok(found.optional()?)
    }

    /// Writes the new sizes and roots.
    fn close(&self) -> Result<(), StoreError> {
        for log in self.touched.values() {
            self.connection
                .prepare_cached("UPDATE logs SET size = ?2, root = ?3 WHERE log = ?1")?
                .execute(params![log.number, log.frontier.size(), log.frontier.root().0])?;
        }
        Ok(())
    }
}

/// What ties a row of `keys` to its content.
pub(crate) fn key_proof(group: GroupId, key: &[u8; 32], sequence: u64) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    hash.update(b"shieldwall/key/v1\n");
    hash.update(group.uuid().as_bytes());
    hash.update(key);
    hash.update(sequence.to_be_bytes());
    hash.finalize().into()
}

/// Writes realm and a random id into a new ledger; checks the realm of an old one.
fn claim(connection: &mut Connection, realm: &Realm, entropy: &dyn Entropy) -> Result<(), StoreError> {
    if let Some((found, _)) = meta(connection)? {
        return if found == realm.as_str() {
            Ok(())
        } else {
            Err(StoreError::Realm { found, wanted: realm.clone() })
        };
    }
    let mut random = [0u8; 16];
    entropy.fill(&mut random)?;
    let id = crate::identity::hex(&random);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT INTO meta (key, value) VALUES ('realm', ?1)", params![realm.as_str()])?;
    transaction.execute("INSERT INTO meta (key, value) VALUES ('ledger', ?1)", params![id])?;
    Ok(transaction.commit()?)
}

/// Realm and id of the ledger.
pub(crate) fn meta(connection: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    connection
        .query_row(
            "SELECT r.value, i.value FROM meta r, meta i WHERE r.key = 'realm' AND i.key = 'ledger'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
}

/// All identities, in order.
pub(crate) fn identities(connection: &Connection) -> rusqlite::Result<Vec<(i64, Identity)>> {
    let mut statement =
        connection.prepare("SELECT number, origin, public FROM identities ORDER BY number")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, Identity { origin: row.get(1)?, public: row.get(2)? })))?;
    rows.collect()
}

/// The identity the hub's key signs under: the last one if it is that key's, or a new one.
fn identify(
    connection: &mut Connection,
    origin: &str,
    key: &RealmKey,
) -> Result<(i64, Identity), StoreError> {
    let known = identities(connection)?;
    let identity = match (known.first(), known.last()) {
        (_, Some(last)) if last.1.public == key.public() => return Ok(last.clone()),
        (Some((_, first)), _) => {
            let next = Identity::after(first, key.public());
            tracing::warn!(origin = next.origin, "hub.key is new to this ledger: it signs as a new identity");
            next
        }
        _ => Identity::first(origin, key.public())?,
    };
    let number = i64::try_from(known.len()).unwrap_or(i64::MAX).saturating_add(1);
    connection.execute(
        "INSERT INTO identities (number, origin, public) VALUES (?1, ?2, ?3)",
        params![number, identity.origin, identity.public],
    )?;
    Ok((number, identity))
}

type Loaded = (BTreeMap<GroupId, Log>, u64, Timestamp);

/// The state that goes with what is on disk.
fn load(connection: &Connection) -> Result<Loaded, StoreError> {
    let position: u64 =
        connection.query_row("SELECT coalesce(max(position), 0) FROM entries", [], |row| row.get(0))?;
    let mut logs = BTreeMap::new();
    let mut clock_high = Timestamp::from_micros(i64::MIN);
    let mut statement = connection.prepare(
        "SELECT l.log, l.grp, l.size, l.root, e.time FROM logs l
         LEFT JOIN leaves f ON f.log = l.log AND f.sequence = l.size LEFT JOIN entries e ON e.position = f.position",
    )?;
    let rows = statement.query_map([], |row| {
        let group = GroupId::from_uuid(Uuid::from_bytes(row.get(1)?));
        Ok((row.get::<_, i64>(0)?, group, row.get::<_, u64>(2)?, row.get::<_, Vec<u8>>(3)?, row.get(4)?))
    })?;
    for row in rows {
        let (number, group, size, root, last): (i64, GroupId, u64, Vec<u8>, Option<i64>) = row?;
        let Some(last) = last.map(Timestamp::from_micros) else {
            return Err(StoreError::Damaged(format!("the last entry of {group} is missing")));
        };
        let frontier = Frontier::load(size, &StoredHashes { connection, schema: "main", log: number })?;
        if frontier.root().0.as_slice() != root {
            return Err(StoreError::Damaged(format!(
                "the tree of {group} does not have the root it was left with"
            )));
        }
        clock_high = clock_high.max(last);
        logs.insert(group, Log { number, frontier, last });
    }
    Ok((logs, position, clock_high))
}

/// An entry from the columns [`ENTRY_COLUMNS`].
pub(crate) fn entry_from(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        position: row.get(0)?,
        group: GroupId::from_uuid(Uuid::from_bytes(row.get(1)?)),
        sequence: row.get(2)?,
        time: Timestamp::from_micros(row.get(3)?),
        author: author_from(row, 4)?,
        kind: row.get(7)?,
        body: row.get(8)?,
        known: Known::default(),
    })
}

/// The author from three columns: member, principal and the principal's id.
pub(crate) fn author_from(row: &Row<'_>, at: usize) -> rusqlite::Result<Author> {
    let member: Option<[u8; 16]> = row.get(at)?;
    let id: Option<[u8; 16]> = row.get(at + 2)?;
    let principal = principal_from(row.get(at + 1)?, id.map(Uuid::from_bytes)).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(at + 1, "principal".into(), rusqlite::types::Type::Integer)
    })?;
    Ok(Author { member: member.map(|member| MemberId::from_uuid(Uuid::from_bytes(member))), principal })
}

#[cfg(test)]
mod tests;
