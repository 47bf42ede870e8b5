//! Checkpoints and Merkle proofs of visible logs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension as _, params};
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::time::Timestamp;
use tlog_tiles::{Hash, prove_record, prove_tree};

use super::{ReadError, Reading, covered, limited};
use crate::identity::{Identity, parse};
use crate::tree::{Frontier, StoredHashes, TreeError};

/// A signed head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRecord {
    /// Entries it covers.
    pub size: u64,
    /// The root, base64.
    pub root: String,
    /// The time of the last entry it covers.
    pub time: Timestamp,
    /// The whole signed note (c2sp.org/tlog-checkpoint).
    pub note: String,
    /// The C2SP verifier key that checks it.
    pub verifier_key: String,
}

/// That an entry is in a tree (RFC 6962 section 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Entries in the tree.
    pub size: u64,
    /// The entry's sequence; its leaf is one less.
    pub sequence: u64,
    /// The leaf's hash, base64.
    pub leaf: String,
    /// The tree's root, base64.
    pub root: String,
    /// The audit path from the leaf upwards, base64.
    pub hashes: Vec<String>,
}

/// That a tree only grew (RFC 6962 section 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Entries in the smaller tree.
    pub from: u64,
    /// Entries in the larger tree.
    pub to: u64,
    /// The smaller tree's root, base64.
    pub from_root: String,
    /// The larger tree's root, base64.
    pub to_root: String,
    /// The proof, base64.
    pub hashes: Vec<String>,
}

fn text(hash: Hash) -> String {
    STANDARD.encode(hash.0)
}

impl Reading<'_> {
    /// The last checkpoint of a log, if one was signed yet.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group.
    pub fn checkpoint(
        &self,
        scope: &ReadScope,
        group: GroupId,
    ) -> Result<Option<Visible<CheckpointRecord>>, ReadError> {
        let mut newest = self.checkpoints(scope, group, None, 1)?.into_inner();
        Ok(newest.pop().map(|record| Visible::under(scope, record)))
    }

    /// The checkpoints of a log with fewer entries than `below`, newest first, at most `limit` (held to
    /// [`PAGE_ITEMS_MAX`]).
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group.
    pub fn checkpoints(
        &self,
        scope: &ReadScope,
        group: GroupId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Visible<Vec<CheckpointRecord>>, ReadError> {
        let uuid = covered(scope, group)?;
        let (_, asked) = limited(limit, PAGE_ITEMS_MAX);
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT c.size, c.note, e.time, i.origin, i.public FROM ledger.logs l
             JOIN ledger.checkpoints c ON c.log = l.log JOIN ledger.identities i ON i.number = c.identity
             JOIN ledger.leaves f ON f.log = c.log AND f.sequence = c.size
             JOIN ledger.entries e ON e.position = f.position
             WHERE l.grp = ?1 AND c.size < ?2 ORDER BY c.size DESC, c.identity DESC LIMIT ?3",
        )?;
        let below = below.and_then(|below| i64::try_from(below).ok()).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![uuid, below, asked - 1], |row| {
            let note: String = row.get(1)?;
            let identity = Identity { origin: row.get(3)?, public: row.get(4)? };
            Ok(CheckpointRecord {
                size: row.get(0)?,
                root: parse(&note).map(|checkpoint| text(*checkpoint.hash())).unwrap_or_default(),
                time: Timestamp::from_micros(row.get(2)?),
                note,
                verifier_key: identity.verifier_key(group).unwrap_or_default(),
            })
        })?;
        Ok(Visible::under(scope, rows.collect::<Result<_, _>>()?))
    }

    /// Proof that the entry with this sequence is in the tree of `size` entries.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group, [`ReadError::Tree`] when the log has no such entry
    /// or size.
    pub fn inclusion_proof(
        &self,
        scope: &ReadScope,
        group: GroupId,
        sequence: u64,
        size: u64,
    ) -> Result<Visible<InclusionProof>, ReadError> {
        let stored = self.stored(scope, group, size)?;
        let Some(index) = sequence.checked_sub(1).filter(|index| *index < size) else {
            return Err(TreeError::Range { size, asked: sequence }.into());
        };
        let leaf = tlog_tiles::HashReader::read_hashes(&stored, &[tlog_tiles::stored_hash_index(0, index)])
            .map_err(TreeError::from)?;
        let hashes = prove_record(size, index, &stored).map_err(TreeError::from)?;
        let proof = InclusionProof {
            size,
            sequence,
            leaf: leaf.into_iter().map(text).collect(),
            root: text(Frontier::load(size, &stored)?.root()),
            hashes: hashes.into_iter().map(text).collect(),
        };
        Ok(Visible::under(scope, proof))
    }

    /// Proof that the tree of `to` entries is the tree of `from` entries and more.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group, [`ReadError::Tree`] when the log has no such sizes.
    pub fn consistency_proof(
        &self,
        scope: &ReadScope,
        group: GroupId,
        from: u64,
        to: u64,
    ) -> Result<Visible<ConsistencyProof>, ReadError> {
        let stored = self.stored(scope, group, to)?;
        if from == 0 || from > to {
            return Err(TreeError::Range { size: to, asked: from }.into());
        }
        let hashes = prove_tree(to, from, &stored).map_err(TreeError::from)?;
        let proof = ConsistencyProof {
            from,
            to,
            from_root: text(Frontier::load(from, &stored)?.root()),
            to_root: text(Frontier::load(to, &stored)?.root()),
            hashes: hashes.into_iter().map(text).collect(),
        };
        Ok(Visible::under(scope, proof))
    }

    /// The stored hashes of a visible log that has at least `size` folded entries.
    fn stored(&self, scope: &ReadScope, group: GroupId, size: u64) -> Result<StoredHashes<'_>, ReadError> {
        let uuid = covered(scope, group)?;
        let folded = self.published.sequence(group);
        if size == 0 || size > folded {
            return Err(TreeError::Range { size: folded, asked: size }.into());
        }
        let connection = self.loan.connection()?;
        let log: Option<i64> = connection
            .prepare_cached("SELECT log FROM ledger.logs WHERE grp = ?1")?
            .query_row(params![uuid], |row| row.get(0))
            .optional()?;
        let log = log.ok_or(TreeError::Range { size: 0, asked: size })?;
        Ok(StoredHashes { connection, schema: "ledger", log })
    }
}
