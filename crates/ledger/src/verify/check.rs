//! The checks of `verify`, one method each, over one pass of the entries.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use shieldwall_model::id::GroupId;
use shieldwall_model::realm::Realm;
use shieldwall_model::time::Timestamp;
use tlog_tiles::Hash;
use uuid::Uuid;

use super::problems::Problems;
use super::{KeySource, LogReport, ProblemKind, VerifyReport};
use crate::Progress;
use crate::entry::{Header, commitment, is_kind};
use crate::files::Files;
use crate::identity::{Identity, RealmKey, parse};
use crate::signing::{Record, SigningError};
use crate::store::{author_from, identities, key_proof, meta};
use crate::tree::{Frontier, Node, TILE_HEIGHT};

/// Entries read in one transaction, so that a long check does not hold the write-ahead log.
const READ_ENTRIES_MAX: u64 = 4_096;
/// Longest report of SQLite's own check, in lines.
const INTEGRITY_LINES_MAX: u64 = 100;

/// One log while it is recomputed.
struct Log {
    group: GroupId,
    /// As its row states them.
    size: u64,
    root: Vec<u8>,
    tree: Frontier,
    /// The sequence that comes next.
    next: u64,
    last: Option<Timestamp>,
    redacted: u64,
    checkpoints: Vec<(u64, i64, String)>,
    /// Roots asked for by size, as something signed or remembered states them.
    wanted: BTreeSet<u64>,
    roots: BTreeMap<u64, Hash>,
    /// What was remembered elsewhere: size, root, and where.
    remembered: Vec<(u64, Hash, &'static str)>,
}

/// The check while it runs.
pub(super) struct Check<'a> {
    connection: &'a Connection,
    realm: &'a Realm,
    logs: BTreeMap<i64, Log>,
    identities: BTreeMap<i64, Identity>,
    /// The last position as of the start.
    end: u64,
    pub(super) problems: Problems,
}

impl<'a> Check<'a> {
    pub(super) fn new(connection: &'a Connection, realm: &'a Realm) -> Self {
        let problems = Problems::default();
        Self { connection, realm, logs: BTreeMap::new(), identities: BTreeMap::new(), end: 0, problems }
    }

    /// SQLite's own check of pages, rows and indexes.
    pub(super) fn structure(&mut self) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare(&format!("PRAGMA integrity_check({INTEGRITY_LINES_MAX})"))?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = line?;
            if line != "ok" {
                self.problems.add(ProblemKind::Database, (), line);
            }
        }
        Ok(())
    }

    /// What there is to be checked, all as of one moment.
    pub(super) fn snapshot(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        match meta(&transaction)? {
            Some((realm, id)) => {
                if realm != self.realm.as_str() {
                    let what = format!("the ledger says it is of the realm {realm:?}, not {}", self.realm);
                    self.problems.add(ProblemKind::Identity, (), what);
                }
                if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
                    self.problems.add(ProblemKind::Identity, (), "the ledger's id is malformed");
                }
            }
            None => {
                self.problems.add(ProblemKind::Identity, (), "the ledger does not say what realm it is of")
            }
        }
        self.identities = identities(&transaction)?.into_iter().collect();
        self.end =
            transaction.query_row("SELECT coalesce(max(position), 0) FROM entries", [], |row| row.get(0))?;
        let mut statement = transaction.prepare("SELECT log, grp, size, root FROM logs")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let log = Log {
                group: GroupId::from_uuid(Uuid::from_bytes(row.get(1)?)),
                size: row.get(2)?,
                root: row.get(3)?,
                tree: Frontier::default(),
                next: 1,
                last: None,
                redacted: 0,
                checkpoints: Vec::new(),
                wanted: BTreeSet::new(),
                roots: BTreeMap::new(),
                remembered: Vec::new(),
            };
            self.logs.insert(row.get(0)?, log);
        }
        let mut statement = transaction
            .prepare("SELECT log, size, identity, note FROM checkpoints ORDER BY log, size, identity")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (number, size): (i64, u64) = (row.get(0)?, row.get(1)?);
            let Some(log) = self.logs.get_mut(&number) else {
                self.problems.add(
                    ProblemKind::Checkpoint,
                    (),
                    format!("a checkpoint of log {number}, which is not there"),
                );
                continue;
            };
            log.checkpoints.push((size, row.get(2)?, row.get(3)?));
            log.wanted.insert(size);
        }
        Ok(())
    }

    /// That identities follow from each other, and the last from the key on disk.
    pub(super) fn key(&mut self, seed: Option<[u8; 32]>) -> KeySource {
        let first = self.identities.values().next().cloned();
        for (expected, (number, identity)) in (1i64..).zip(&self.identities) {
            let follows = match &first {
                Some(first) if expected > 1 => *identity == Identity::after(first, identity.public),
                _ => true,
            };
            if *number != expected || !follows {
                self.problems.add(
                    ProblemKind::Identity,
                    (),
                    format!("identity {number} ({}) does not follow from the first", identity.origin),
                );
            }
        }
        let (Some(seed), Some(last)) = (seed, self.identities.values().last()) else {
            return KeySource::Ledger;
        };
        if RealmKey::derive(&seed, self.realm).public() != last.public {
            self.problems.add(
                ProblemKind::Identity,
                (),
                "the ledger names another key than hub.key: one of them was exchanged",
            );
        }
        KeySource::File
    }

    /// Takes in what was signed before, as kept outside the database.
    pub(super) fn remembered(&mut self, files: &Files, against: &[String]) {
        let mut all: Vec<(GroupId, u64, Hash, &'static str)> = Vec::new();
        match Record::read(files) {
            Ok(record) => all.extend(
                record.0.into_iter().map(|(group, (size, root))| (group, size, root, "the signed file")),
            ),
            Err(error @ SigningError::Record(_)) => {
                self.problems.add(ProblemKind::Checkpoint, (), error.to_string());
            }
            Err(error) => self.problems.add(ProblemKind::Database, (), error.to_string()),
        }
        for note in against {
            match self.recognise(note) {
                Ok((group, size, root)) => all.push((group, size, root, "a remembered checkpoint")),
                Err(what) => self.problems.add(ProblemKind::Forked, (), what),
            }
        }
        for (group, size, root, from) in all {
            match self.logs.values_mut().find(|log| log.group == group) {
                Some(log) => {
                    log.wanted.insert(size);
                    log.remembered.push((size, root, from));
                }
                None => self.problems.add(
                    ProblemKind::RolledBack,
                    group,
                    format!("the log is not there, but {from} covers {size} entries of it"),
                ),
            }
        }
    }

    /// Which log a remembered checkpoint is of, by the identities this ledger knows.
    fn recognise(&self, note: &str) -> Result<(GroupId, u64, Hash), String> {
        let origin = parse(note).map_err(|error| error.to_string())?.origin().to_owned();
        let (base, group) = origin.rsplit_once('/').unwrap_or((&origin, ""));
        let identity = self.identities.values().find(|identity| identity.origin == base);
        if let (Some(identity), Ok(group)) = (identity, Uuid::try_parse(group)) {
            let group = GroupId::from_uuid(group);
            let (size, root) = identity.open(group, note).map_err(|error| error.to_string())?;
            return Ok((group, size, root));
        }
        Err(format!("the remembered checkpoint of {origin} was not signed under any identity of this ledger"))
    }

    /// Every entry in the order of commit.
    pub(super) fn entries(&mut self, progress: Progress<'_>) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(
            "SELECT e.position, e.log, e.sequence, e.time, e.member, e.principal, e.principal_id, e.kind, e.commitment,
             e.salt, e.redacted_by, e.body, f.hash, f.position
             FROM entries e LEFT JOIN leaves f ON f.log = e.log AND f.sequence = e.sequence
             WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position LIMIT ?3",
        )?;
        let mut nodes = self
            .connection
            .prepare("SELECT hash FROM nodes WHERE log = ?1 AND level = ?2 AND number = ?3")?;
        let mut done = 0u64;
        loop {
            let mut rows = statement.query(params![done, self.end, READ_ENTRIES_MAX])?;
            let before = done;
            while let Some(row) = rows.next()? {
                let position: u64 = row.get(0)?;
                let Some(missing) = position.checked_sub(done + 1) else {
                    self.problems.add(
                        ProblemKind::Order,
                        (),
                        format!("position {position} comes after {done}"),
                    );
                    return Ok(());
                };
                if missing > 0 {
                    let what = format!("{missing} entries are missing before position {position}");
                    self.problems.add(ProblemKind::Order, (), what);
                }
                done = position;
                self.entry(row, |number, node| {
                    nodes
                        .query_row(params![number, node.level, node.index], |row| row.get::<_, Vec<u8>>(0))
                        .is_ok_and(|hash| hash == node.hash.0)
                })?;
            }
            if done == before {
                return Ok(());
            }
            progress(done, self.end);
        }
    }

    /// Leaves out every log but one: what the others hold, and how much, then takes no part, not even in the time taken.
    pub(super) fn only(&mut self, group: GroupId) {
        self.logs.retain(|_, log| log.group == group);
    }

    /// The entries of the logs that are left, each log by its own order.
    pub(super) fn entries_of_logs(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(
            "SELECT e.position, e.log, e.sequence, e.time, e.member, e.principal, e.principal_id, e.kind, e.commitment,
             e.salt, e.redacted_by, e.body, f.hash, f.position
             FROM leaves f JOIN entries e ON e.position = f.position
             WHERE f.log = ?1 AND f.sequence <= ?2 ORDER BY f.sequence",
        )?;
        let mut nodes = self
            .connection
            .prepare("SELECT hash FROM nodes WHERE log = ?1 AND level = ?2 AND number = ?3")?;
        let logs: Vec<(i64, u64)> = self.logs.iter().map(|(number, log)| (*number, log.size)).collect();
        for (number, size) in logs {
            let mut rows = statement.query(params![number, size])?;
            while let Some(row) = rows.next()? {
                self.entry(row, |number, node| {
                    nodes
                        .query_row(params![number, node.level, node.index], |row| row.get::<_, Vec<u8>>(0))
                        .is_ok_and(|hash| hash == node.hash.0)
                })?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        row: &rusqlite::Row<'_>,
        mut node_is_stored: impl FnMut(i64, Node) -> bool,
    ) -> rusqlite::Result<()> {
        let number: i64 = row.get(1)?;
        let problems = &mut self.problems;
        let Some(log) = self.logs.get_mut(&number) else {
            problems.add(ProblemKind::Order, (), format!("an entry of log {number}, which is not there"));
            return Ok(());
        };
        let sequence: u64 = row.get(2)?;
        let at = (log.group, sequence);
        if sequence != log.next {
            let what = format!("found entry {sequence} where entry {} should be", log.next);
            problems.add(ProblemKind::Order, at, what);
        }
        log.next = sequence.saturating_add(1);
        let time = Timestamp::from_micros(row.get(3)?);
        if log.last.is_some_and(|last| last >= time) {
            problems.add(ProblemKind::Time, at, format!("its time {time} is not after the entry before it"));
        }
        log.last = Some(time);
        let (kind, stated): (String, Vec<u8>) = (row.get(7)?, row.get(8)?);
        let Ok(stated) = <[u8; 32]>::try_from(stated) else {
            problems.add(ProblemKind::Header, at, "its commitment is not 32 bytes");
            return Ok(());
        };
        body(row, log, at, &stated, problems)?;
        let author = match author_from(row, 4) {
            Ok(author) if is_kind(&kind) => author,
            _ => {
                problems.add(ProblemKind::Header, at, "its author or kind is malformed");
                return Ok(());
            }
        };
        let header = Header {
            realm: self.realm,
            group: log.group,
            sequence,
            time,
            author,
            kind: &kind,
            commitment: stated,
        };
        let hash = header.leaf_hash();
        let (leaf, position): (Option<Vec<u8>>, Option<u64>) = (row.get(12)?, row.get(13)?);
        if leaf.as_deref() != Some(&hash.0) {
            problems.add(ProblemKind::Header, at, "its header and its stored leaf do not fit each other");
        }
        if position != Some(row.get(0)?) {
            problems.add(ProblemKind::Tree, at, "its leaf points at another entry");
        }
        log.tree.push(hash, |node| {
            if !node_is_stored(number, node) {
                let what =
                    format!("node {} of tile level {} is not the recomputed one", node.index, node.level);
                problems.add(ProblemKind::Tree, at, what);
            }
        });
        if log.wanted.contains(&log.tree.size()) {
            log.roots.insert(log.tree.size(), log.tree.root());
        }
        Ok(())
    }

    /// What is stored of the trees beside the entries.
    pub(super) fn stored(&mut self) -> rusqlite::Result<()> {
        for (number, log) in &self.logs {
            let problems = &mut self.problems;
            if log.tree.size() != log.size || log.tree.root().0.as_slice() != log.root {
                let what = format!(
                    "the log states {} entries and a root; recomputed are {} entries and {}",
                    log.size,
                    log.tree.size(),
                    if log.tree.root().0.as_slice() == log.root { "the same root" } else { "another root" }
                );
                problems.add(ProblemKind::Tree, log.group, what);
            }
            let leaves: u64 = self.connection.query_row(
                "SELECT count(*) FROM leaves WHERE log = ?1 AND sequence <= ?2",
                params![number, log.size],
                |row| row.get(0),
            )?;
            let nodes: u64 = self.connection.query_row(
                "SELECT count(*) FROM nodes WHERE log = ?1 AND number < (?2 >> (level * ?3))",
                params![number, log.size, TILE_HEIGHT],
                |row| row.get(0),
            )?;
            let expected: u64 = (1..8).map(|level| log.size >> (level * TILE_HEIGHT)).sum();
            if leaves != log.size || nodes != expected {
                let what = format!(
                    "stored are {leaves} leaves and {nodes} nodes, expected {} and {expected}",
                    log.size
                );
                problems.add(ProblemKind::Tree, log.group, what);
            }
        }
        Ok(())
    }

    /// Rows of logs that are not there.
    pub(super) fn strangers(&mut self) -> rusqlite::Result<()> {
        let strangers: u64 = self.connection.query_row(
            "SELECT (SELECT count(*) FROM leaves WHERE log NOT IN (SELECT log FROM logs))
                + (SELECT count(*) FROM nodes WHERE log NOT IN (SELECT log FROM logs))
                + (SELECT count(*) FROM keys WHERE log NOT IN (SELECT log FROM logs))",
            [],
            |row| row.get(0),
        )?;
        if strangers > 0 {
            self.problems.add(
                ProblemKind::Tree,
                (),
                format!("{strangers} rows belong to a log that is not there"),
            );
        }
        Ok(())
    }

    /// That every idempotency key is as it was written.
    pub(super) fn keys(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare("SELECT log, key, sequence, proof FROM keys")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(log) = self.logs.get(&row.get(0)?) else { continue };
            let (key, sequence): (Vec<u8>, u64) = (row.get(1)?, row.get(2)?);
            let proof: Vec<u8> = row.get(3)?;
            let fits =
                <[u8; 32]>::try_from(key).is_ok_and(|key| key_proof(log.group, &key, sequence) == *proof);
            if !fits {
                let what = "an idempotency key was changed: a repeated append could be taken for a new one";
                self.problems.add(ProblemKind::Key, (log.group, sequence), what);
            }
        }
        Ok(())
    }

    /// Signatures and roots of everything signed.
    pub(super) fn checkpoints(&mut self) {
        for log in self.logs.values() {
            for (size, identity, note) in &log.checkpoints {
                let problem =
                    match self.identities.get(identity).map(|identity| identity.open(log.group, note)) {
                        None => Some("names an identity that is not there".to_owned()),
                        Some(Err(error)) => Some(format!("does not hold: {error}")),
                        Some(Ok((signed, _))) if signed != *size => {
                            Some(format!("is filed under {size} entries but covers {signed}"))
                        }
                        Some(Ok((_, root))) => disagreement(log, *size, root),
                    };
                if let Some(what) = problem {
                    let at = (log.group, *size);
                    self.problems.add(
                        ProblemKind::Checkpoint,
                        at,
                        format!("the checkpoint at {size} entries {what}"),
                    );
                }
            }
            for (size, root, from) in &log.remembered {
                if let Some(what) = disagreement(log, *size, *root) {
                    let kind =
                        if *size > log.tree.size() { ProblemKind::RolledBack } else { ProblemKind::Forked };
                    self.problems.add(kind, (log.group, *size), format!("{from} at {size} entries {what}"));
                }
            }
        }
    }

    pub(super) fn report(self, key: KeySource) -> VerifyReport {
        let mut logs: Vec<LogReport> = self
            .logs
            .into_values()
            .map(|log| LogReport {
                group: log.group,
                size: log.tree.size(),
                root: log.tree.root().to_string(),
                checkpoints: u64::try_from(log.checkpoints.len()).unwrap_or(u64::MAX),
                redacted: log.redacted,
            })
            .collect();
        logs.sort_by_key(|log| log.group);
        VerifyReport {
            entries: logs.iter().map(|log| log.size).sum(),
            checkpoints: logs.iter().map(|log| log.checkpoints).sum(),
            logs,
            key,
            identity: self.identities.into_values().last(),
            problems: self.problems.named,
            more_problems: self.problems.more,
        }
    }
}

/// A body against its commitment; one that was redacted must say by which later entry.
fn body(
    row: &rusqlite::Row<'_>,
    log: &mut Log,
    at: (GroupId, u64),
    stated: &[u8; 32],
    problems: &mut Problems,
) -> rusqlite::Result<()> {
    let (salt, by, body): (Option<Vec<u8>>, Option<u64>, Option<Vec<u8>>) =
        (row.get(9)?, row.get(10)?, row.get(11)?);
    match (salt, by, body) {
        (Some(salt), None, Some(body)) => {
            if commitment(&salt, &body) != *stated {
                problems.add(ProblemKind::Body, at, "its body or salt is not what was committed to");
            }
        }
        (None, Some(by), None) if by > at.1 && by <= log.size => log.redacted += 1,
        _ => problems.add(ProblemKind::Body, at, "its body is missing, and no later entry redacted it"),
    }
    Ok(())
}

/// How a signed root disagrees with the recomputed tree.
fn disagreement(log: &Log, size: u64, root: Hash) -> Option<String> {
    if size > log.tree.size() {
        return Some(format!("covers more than the {} entries there are: the log was cut", log.tree.size()));
    }
    let same = log.roots.get(&size).is_some_and(|computed| *computed == root);
    (!same).then(|| "has another root than the recomputed tree: the log was changed".to_owned())
}
