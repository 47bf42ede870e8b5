//! The Merkle tree of a log (RFC 6962 section 2.1), kept in the C2SP tile shape (c2sp.org/tlog-tiles).
//!
//! Stored are the leaf hashes, one a row, and, for tiles of height 8, the hash of every full run of 256, 65,536, …
//! leaves (level 1, 2, …): 1/255 more. Every other node is computed from at most 128 of these when a proof asks for
//! it. The arithmetic of indexes and proofs is `tlog_tiles`'s; [`Frontier`] adds what it lacks, a tree that grows in
//! memory without reading.

use rusqlite::{Connection, params};
use tlog_tiles::{Hash, HashReader, node_hash, split_stored_hash_index, sub_tree_index};

/// Height of a tile in levels: a full one spans 2^8 = 256 hashes.
pub const TILE_HEIGHT: u8 = 8;

/// Why a tree cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A hash that should be stored is not there, or has another length.
    #[error("the stored tree lacks a hash: run `shieldwall verify` and restore a backup")]
    Broken(#[from] tlog_tiles::Error),
    /// The tree asked about is larger than the log, or the question has no answer.
    #[error("a tree of {size} entries has no proof for {asked}: ask for 1 to {size}")]
    Range {
        /// Entries in the tree.
        size: u64,
        /// What was asked for.
        asked: u64,
    },
}

impl TreeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broken(_) => "ledger.tree.broken",
            Self::Range { .. } => "ledger.tree.range",
        }
    }
}

/// A full run of leaves whose hash is stored: 256^`level` leaves from leaf `index` × 256^`level`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) hash: Hash,
}

/// The right edge of a tree: the hashes of its largest full subtrees from left to right, one for each 1 in the binary
/// form of its size. Enough to append to it and to know its root.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge of the tree of `size` leaves as stored.
    pub(crate) fn load(size: u64, stored: &impl HashReader) -> Result<Self, TreeError> {
        if size == 0 {
            return Ok(Self::default());
        }
        let peaks = stored.read_hashes(&sub_tree_index(0, size, Vec::new()))?;
        Ok(Self { size, peaks })
    }

    /// Leaves in the tree.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; calls `full` for each tile-aligned run it completes.
    pub(crate) fn push(&mut self, leaf: Hash, mut full: impl FnMut(Node)) {
        let mut hash = leaf;
        self.size += 1;
        for level in 1..=self.size.trailing_zeros() {
            // One peak for each 1 in the old size: there is one to join at each trailing 1.
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(left, hash);
            if level % u32::from(TILE_HEIGHT) == 0 {
                let tile_level = u8::try_from(level / u32::from(TILE_HEIGHT)).unwrap_or(u8::MAX);
                full(Node { level: tile_level, index: (self.size >> level) - 1, hash });
            }
        }
        self.peaks.push(hash);
    }

    /// The root of the tree (RFC 6962 section 2.1; of the empty tree, the hash of nothing).
    pub(crate) fn root(&self) -> Hash {
        let mut from_right = self.peaks.iter().rev();
        let Some(last) = from_right.next() else { return tlog_tiles::EMPTY_HASH };
        from_right.fold(*last, |right, left| node_hash(*left, right))
    }
}

/// The hashes of one log as they lie in a ledger database; `schema` is the name it is attached under.
pub(crate) struct StoredHashes<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) schema: &'static str,
    pub(crate) log: i64,
}

impl StoredHashes<'_> {
    /// `count` stored hashes of a tile level, from `from` on.
    fn run(&self, level: u8, from: u64, count: u64) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let failed = |error: rusqlite::Error| tlog_tiles::Error::InvalidInput(error.to_string());
        let sql = if level == 0 {
            format!(
                "SELECT hash FROM {}.leaves WHERE log = ?1 AND sequence > ?3 AND sequence <= ?3 + ?4 AND ?2 = 0 ORDER BY sequence",
                self.schema
            )
        } else {
            format!(
                "SELECT hash FROM {}.nodes WHERE log = ?1 AND level = ?2 AND number >= ?3 AND number < ?3 + ?4 ORDER BY number",
                self.schema
            )
        };
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let rows = statement
            .query_map(params![self.log, level, from, count], |row| row.get::<_, [u8; 32]>(0))
            .map_err(failed)?;
        let hashes: Vec<Hash> = rows.map(|row| row.map(Hash)).collect::<Result<_, _>>().map_err(failed)?;
        if u64::try_from(hashes.len()).ok() != Some(count) {
            return Err(tlog_tiles::Error::IndexesNotInTree);
        }
        Ok(hashes)
    }
}

impl HashReader for StoredHashes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let read = |index: &u64| {
            let (level, number) = split_stored_hash_index(*index);
            let within = level % TILE_HEIGHT;
            let mut hashes = self.run(level / TILE_HEIGHT, number << within, 1 << within)?;
            while hashes.len() > 1 {
                hashes = hashes
                    .chunks(2)
                    .filter_map(|pair| match pair {
                        [left, right] => Some(node_hash(*left, *right)),
                        _ => None,
                    })
                    .collect();
            }
            hashes.pop().ok_or(tlog_tiles::Error::IndexesNotInTree)
        };
        indexes.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog_tiles::{
        check_record, check_tree, prove_record, prove_tree, record_hash, stored_hash_index,
        stored_hashes_for_record_hash, tree_hash,
    };

    /// The reference: every hash `tlog_tiles` itself would store, in its own order.
    #[derive(Default)]
    struct Reference(Vec<Hash>);

    impl HashReader for Reference {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
        }
    }

    fn leaf(n: u64) -> Hash {
        record_hash(&n.to_be_bytes())
    }

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(crate::store::SCHEMA).unwrap();
        connection
    }

    #[test]
    fn the_frontier_and_the_stored_tiles_agree_with_the_reference_at_every_size() {
        let connection = database();
        let group = [7u8; 16];
        connection
            .execute("INSERT INTO logs (log, grp, size, root) VALUES (1, ?1, 0, x'')", params![group])
            .unwrap();
        let (mut frontier, mut reference) = (Frontier::default(), Reference::default());
        let stored = StoredHashes { connection: &connection, schema: "main", log: 1 };
        for n in 0..1_100u64 {
            let hashes = stored_hashes_for_record_hash(n, leaf(n), &reference).unwrap();
            reference.0.extend(hashes);
            connection
                .execute(
                    "INSERT INTO leaves (log, sequence, position, hash) VALUES (1, ?1, ?1, ?2)",
                    params![n + 1, leaf(n).0],
                )
                .unwrap();
            let mut full = Vec::new();
            frontier.push(leaf(n), |node| full.push(node));
            for node in full {
                assert_eq!(
                    reference.0[usize::try_from(stored_hash_index(node.level * 8, node.index)).unwrap()],
                    node.hash
                );
                connection
                    .execute(
                        "INSERT INTO nodes (log, level, number, hash) VALUES (1, ?1, ?2, ?3)",
                        params![node.level, node.index, node.hash.0],
                    )
                    .unwrap();
            }
            assert_eq!(frontier.root(), tree_hash(n + 1, &reference).unwrap(), "root at {n}");
            if n % 97 == 0 || (250..260).contains(&n) || (510..514).contains(&n) {
                assert_eq!(Frontier::load(n + 1, &stored).unwrap(), frontier, "reloaded at {n}");
                let root = frontier.root();
                for of in [0, n / 2, n] {
                    let proof = prove_record(n + 1, of, &stored).unwrap();
                    assert_eq!(proof, prove_record(n + 1, of, &reference).unwrap());
                    check_record(&proof, n + 1, root, of, leaf(of)).unwrap();
                    let old = tree_hash(of + 1, &reference).unwrap();
                    let proof = prove_tree(n + 1, of + 1, &stored).unwrap();
                    check_tree(&proof, n + 1, root, of + 1, old).unwrap();
                }
            }
        }
    }

    /// RFC 6962 section 2.1: the hash of an empty tree is the hash of nothing; one leaf is its own root.
    #[test]
    fn small_trees_follow_the_rfc() {
        let mut frontier = Frontier::default();
        assert_eq!(
            frontier.root().to_string(),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "base64 of SHA-256 of nothing"
        );
        frontier.push(leaf(0), |_| {});
        assert_eq!(frontier.root(), leaf(0));
        frontier.push(leaf(1), |_| {});
        frontier.push(leaf(2), |_| {});
        assert_eq!(frontier.root(), node_hash(node_hash(leaf(0), leaf(1)), leaf(2)));
    }

    #[test]
    fn a_missing_hash_is_an_error_not_a_guess() {
        let connection = database();
        let stored = StoredHashes { connection: &connection, schema: "main", log: 1 };
        assert_eq!(Frontier::load(3, &stored).unwrap_err().code(), "ledger.tree.broken");
    }
}
