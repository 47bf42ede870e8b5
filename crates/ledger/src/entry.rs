//! What a log is made of: drafts, entries, receipts, and the exact bytes a Merkle leaf is hashed from.
//!
//! # The leaf of an entry
//!
//! Integers are big-endian; `‖` joins bytes. A body is committed to by
//!
//! ```text
//! commitment = SHA-256( salt ‖ body )                      salt: 16 random bytes, one per entry
//! ```
//!
//! so that a body (and its salt) can be redacted while its leaf stays. The leaf is
//!
//! ```text
//! leaf = "shieldwall/entry/v1\n"                           20 bytes of ASCII
//!      ‖ u16 length of realm ‖ realm                       UTF-8, `real` or the exercise's slug
//!      ‖ group                                             16 bytes: the sharing group's UUID
//!      ‖ u64 sequence                                      1 for the first entry of the log
//!      ‖ i64 time                                          microseconds since 1970-01-01T00:00:00Z
//!      ‖ u8 0  |  u8 1 ‖ member                            member: 16 bytes, absent when the hub speaks for nobody
//!      ‖ u8 0  |  u8 1 ‖ peer  |  u8 2 ‖ sensor  |  u8 3 ‖ user      each id 16 bytes; 0 is the hub itself
//!      ‖ u16 length of kind ‖ kind                         1 to 64 of a-z, 0-9, `.` and `-`
//!      ‖ commitment                                        32 bytes
//! ```
//!
//! and its hash is RFC 6962 section 2.1's `SHA-256(0x00 ‖ leaf)`. The entry with sequence *n* is leaf *n* − 1.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use shieldwall_model::access::{Permit, Principal};
use shieldwall_model::id::{GroupId, MemberId, PeerId, SensorId, UserId};
use shieldwall_model::realm::Realm;
use shieldwall_model::time::Timestamp;
use tlog_tiles::Hash;
use uuid::Uuid;

/// Longest kind of an entry, in bytes.
pub const KIND_BYTES_MAX: usize = 64;
/// Longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Length of the salt a body is committed with, in bytes.
pub const SALT_BYTES: usize = 16;

const LEAF_PREFIX: &[u8] = b"shieldwall/entry/v1\n";

/// The last sequence seen of each log. What cursors and stream ids are made of: it never depends on logs its reader
/// may not see.
pub type Positions = BTreeMap<GroupId, u64>;

/// Who an entry is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author {
    /// On behalf of which member; `None` when the hub speaks for nobody.
    pub member: Option<MemberId>,
    /// Who acted.
    pub principal: Principal,
}

/// An entry to be appended.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) permit: Permit,
    pub(crate) group: GroupId,
    pub(crate) author: Author,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
    pub(crate) key: Option<String>,
    pub(crate) known: Known,
}

impl Draft {
    /// An entry by the permit's member and principal. `kind` is 1 to [`KIND_BYTES_MAX`] of `a-z`, `0-9`, `.` and `-`;
    /// `group` must be the permit's own where it has one. Both are checked by the append.
    pub fn new(permit: &Permit, group: GroupId, kind: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let author = Author { member: Some(permit.member()), principal: permit.principal() };
        Self {
            permit: permit.clone(),
            group,
            author,
            kind: kind.into(),
            body: body.into(),
            key: None,
            known: Known::default(),
        }
    }

    /// The same, recorded as the hub's own word for no member: what keeps a reporter's name out of a shared log.
    pub fn on_behalf(
        permit: &Permit,
        group: GroupId,
        kind: impl Into<String>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let author = Author { member: None, principal: Principal::Hub };
        Self { author, ..Self::new(permit, group, kind, body) }
    }

    /// Makes the append repeatable: a second draft with the same key for the same log from the same permit holder
    /// appends nothing and gets the first one's receipt. At most [`KEY_BYTES_MAX`].
    #[must_use]
    pub fn idempotency(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same, with what is known of the body beside it: see [`Known`].
    #[must_use]
    pub fn known(mut self, what: impl Any + Send + Sync) -> Self {
        self.known = Known(Some(Arc::new(what)));
        self
    }

    /// What an idempotency key is kept as: bound to who holds the permit (also where the entry does not name them),
    /// and hashed so that the shared log does not tell who that was.
    pub(crate) fn key_digest(&self) -> Option<[u8; 32]> {
        let key = self.key.as_ref()?;
        let mut hash = Sha256::new();
        hash.update(b"shieldwall/idempotency/v1\n");
        hash.update(self.permit.member().uuid().as_bytes());
        hash.update(self.permit.principal().to_string().as_bytes());
        hash.update(b"\n");
        hash.update(key.as_bytes());
        Some(hash.finalize().into())
    }
}

/// What whoever appends an entry has read out of its body already, so that the fold need not read it again. It is never
/// stored: a fold must find out the very same from the body, for that is all there is when views are rebuilt.
#[derive(Clone, Default)]
pub struct Known(Option<Arc<dyn Any + Send + Sync>>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Known(..)" } else { "Known" })
    }
}

// No part of what an entry is.
impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}

/// Whether `kind` may name a kind of entry.
pub(crate) fn is_kind(kind: &str) -> bool {
    (1..=KIND_BYTES_MAX).contains(&kind.len())
        && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
}

/// What the ledger says of an entry it has on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose log it is in.
    pub group: GroupId,
    /// Its number in that log, from 1 without gaps.
    pub sequence: u64,
    /// Its time in that log.
    pub time: Timestamp,
    /// Whether it had been appended before under the same idempotency key.
    pub repeated: bool,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose log it is in.
    pub group: GroupId,
    /// Its number in that log, from 1 without gaps.
    pub sequence: u64,
    /// When: strictly rising within the log, also when the clock is set back.
    pub time: Timestamp,
    /// Who.
    pub author: Author,
    /// What kind of fact.
    pub kind: String,
    /// The exact bytes as accepted; `None` once redacted.
    pub body: Option<Vec<u8>>,
    /// Order of commit over all logs of the hub. Kept inside the crate: a reader could count hidden entries by it.
    pub(crate) position: u64,
    pub(crate) known: Known,
}

impl Entry {
    /// What is known of the body, if the writer still has it and it is a `T`.
    pub fn known<T: Any>(&self) -> Option<&T> {
        self.known.0.as_deref()?.downcast_ref()
    }
}

/// An entry without its body: what its leaf is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) realm: &'a Realm,
    pub(crate) group: GroupId,
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    pub(crate) author: Author,
    pub(crate) kind: &'a str,
    pub(crate) commitment: [u8; 32],
}

impl Header<'_> {
    /// The leaf's bytes, as the module's documentation defines them.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let mut leaf = Vec::with_capacity(192);
        leaf.extend_from_slice(LEAF_PREFIX);
        text(&mut leaf, self.realm.as_str());
        leaf.extend_from_slice(self.group.uuid().as_bytes());
        leaf.extend_from_slice(&self.sequence.to_be_bytes());
        leaf.extend_from_slice(&self.time.as_micros().to_be_bytes());
        match self.author.member {
            None => leaf.push(0),
            Some(member) => {
                leaf.push(1);
                leaf.extend_from_slice(member.uuid().as_bytes());
            }
        }
        let (tag, id) = principal_columns(self.author.principal);
        leaf.push(tag);
        if let Some(id) = id {
            leaf.extend_from_slice(id.as_bytes());
        }
        text(&mut leaf, self.kind);
        leaf.extend_from_slice(&self.commitment);
        leaf
    }

    /// The leaf's hash (RFC 6962 section 2.1).
    pub(crate) fn leaf_hash(&self) -> Hash {
        tlog_tiles::record_hash(&self.leaf())
    }
}

/// A text with its length before it. A realm (40 bytes) and a kind (64) always fit; longer ones are cut to what the
/// length can say, and so hash to something else.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend(text.bytes().take(usize::from(length)));
}

/// SHA-256 over salt and body.
pub(crate) fn commitment(salt: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(body);
    hash.finalize().into()
}

/// A principal as the leaf and the database write it: what it is, and its id.
pub(crate) fn principal_columns(principal: Principal) -> (u8, Option<Uuid>) {
    match principal {
        Principal::Hub => (0, None),
        Principal::Peer(id) => (1, Some(id.uuid())),
        Principal::Sensor(id) => (2, Some(id.uuid())),
        Principal::User(id) => (3, Some(id.uuid())),
    }
}

/// The principal these columns name, if they name one.
pub(crate) fn principal_from(tag: u8, id: Option<Uuid>) -> Option<Principal> {
    match (tag, id) {
        (0, None) => Some(Principal::Hub),
        (1, Some(id)) => Some(Principal::Peer(PeerId::from_uuid(id))),
        (2, Some(id)) => Some(Principal::Sensor(SensorId::from_uuid(id))),
        (3, Some(id)) => Some(Principal::User(UserId::from_uuid(id))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: &str) -> Header<'_> {
        Header {
            realm: &Realm::Real,
            group: GroupId::from_uuid(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
            sequence: 7,
            time: Timestamp::from_micros(1_494_573_840_000_001),
            author: Author {
                member: Some(MemberId::from_uuid(Uuid::from_u128(1))),
                principal: Principal::Sensor(SensorId::from_uuid(Uuid::from_u128(2))),
            },
            kind,
            commitment: commitment(&[9; SALT_BYTES], b"{}"),
        }
    }

    /// Computed outside this crate from the description at the head of the module (Python's hashlib and struct).
    #[test]
    fn the_leaf_is_what_its_description_says() {
        let header = header("sighting.reported");
        assert_eq!(header.leaf().len(), 20 + 2 + 4 + 16 + 8 + 8 + 17 + 17 + 2 + 17 + 32);
        let hex: String = header.leaf_hash().0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "68ff68d8075a2c9269816612b00bb376f666384d0bcff156910201ad0735f18a");
    }

    #[test]
    fn every_part_of_the_header_moves_the_leaf() {
        let base = header("a");
        let others = [
            Header { realm: &Realm::Exercise("x".into()), ..base.clone() },
            Header { group: GroupId::ALLIANCE, ..base.clone() },
            Header { sequence: 8, ..base.clone() },
            Header { time: base.time.plus_micros(1), ..base.clone() },
            Header { author: Author { member: None, ..base.author }, ..base.clone() },
            Header { author: Author { principal: Principal::Hub, ..base.author }, ..base.clone() },
            header("b"),
            Header { commitment: commitment(&[9; SALT_BYTES], b"{ }"), ..base.clone() },
        ];
        for other in others {
            assert_ne!(other.leaf_hash(), base.leaf_hash(), "{other:?}");
        }
    }

    #[test]
    fn kinds_are_short_and_plain() {
        assert!(is_kind("object.shared") && is_kind("a"));
        for bad in ["", "Object", "a b", "é", &"x".repeat(KIND_BYTES_MAX + 1)] {
            assert!(!is_kind(bad), "{bad}");
        }
    }

    #[test]
    fn principals_read_back() {
        let uuid = Uuid::from_u128(5);
        for principal in [
            Principal::Hub,
            Principal::Peer(PeerId::from_uuid(uuid)),
            Principal::Sensor(SensorId::from_uuid(uuid)),
            Principal::User(UserId::from_uuid(uuid)),
        ] {
            let (tag, id) = principal_columns(principal);
            assert_eq!(principal_from(tag, id), Some(principal));
        }
        assert_eq!(principal_from(0, Some(uuid)), None);
        assert_eq!(principal_from(4, Some(uuid)), None);
    }
}
