//! What a group holds of an object already, and what follows for the same object coming in again.

use std::collections::HashMap;

use shieldwall_exchange::stix::{self, Code, Object};
use shieldwall_ledger::reading::{ObjectQuery, ReadError, Reading, VersionFilter};
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

/// What a group holds of an object.
pub(crate) struct Held {
    /// Who shared it.
    pub(crate) owner: Option<MemberId>,
    /// From which version on it is revoked, if its owner said so.
    revoked: Option<Timestamp>,
    /// Up to which version it was taken back, if it was.
    recalled: Option<Timestamp>,
    /// Whether nothing of it is in use.
    withdrawn: bool,
    /// Whether it holds the version asked for.
    pub(crate) this_version: bool,
    /// The bytes of that version, unless they were redacted.
    bytes: Option<Vec<u8>>,
}

/// What becomes of an object that was handed in.
pub(super) enum Standing {
    /// It is recorded.
    New,
    /// It is held; with a remark where what is held differs.
    Repeated(Option<(Code, &'static str)>),
    /// It is not taken: where, the code, and why.
    Refused(&'static str, &'static str, &'static str),
}

/// What `group` holds of the object `id` and its version.
pub(crate) fn held(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    id: &str,
    version: Timestamp,
) -> Result<Option<Held>, ReadError> {
    let Some(latest) = reading.latest_object(scope, group, id)? else { return Ok(None) };
    let query = ObjectQuery {
        ids: vec![id.to_owned()],
        versions: VersionFilter { at: vec![version], last: false, ..VersionFilter::default() },
        ..ObjectQuery::new(group, 1)
    };
    let found = reading.objects(scope, &query)?.into_inner().rows.into_iter().next();
    Ok(Some(Held {
        owner: latest.owner,
        revoked: (latest.revoked && !latest.withdrawn).then_some(latest.version),
        recalled: (latest.revoked && latest.withdrawn).then_some(latest.version),
        withdrawn: latest.withdrawn,
        this_version: found.is_some(),
        bytes: found.and_then(|object| object.bytes),
    }))
}

/// The objects of one body as they pass the desk, for those that come twice in it.
#[derive(Default)]
pub(super) struct Passed {
    versions: HashMap<(String, Timestamp), Vec<u8>>,
    revoked: HashMap<String, Timestamp>,
}

const CONFLICT: Standing = Standing::Refused(
    "modified",
    "stix.version.conflict",
    "the group holds this version with other content; a version never changes (STIX 2.1 section 3.6): raise `modified` with every change",
);
const REVOKED: Standing = Standing::Refused(
    "modified",
    "stix.version.revoked",
    "the object was revoked, and revoking is for good (STIX 2.1 section 3.2, `revoked`): make a new object",
);
const RECALLED: Standing = Standing::Refused(
    "modified",
    "stix.version.recalled",
    "its owner took this object back, and who polls was told that it is revoked; share a new object, or a version with a later `modified`",
);
const OTHERS: Standing = Standing::Refused("id", "stix.owner.other", super::OTHERS);

impl Passed {
    /// What becomes of an object of `member`, and remembers it.
    pub(super) fn judge(
        &mut self,
        object: &Object,
        bytes: &[u8],
        held: Option<&Held>,
        member: MemberId,
        by_id: bool,
    ) -> Standing {
        let (id, version) = (object.id.as_str(), object.version);
        let this = (id.to_owned(), version);
        if let Some(held) = held {
            let before = held.bytes.as_deref().filter(|_| held.this_version);
            if held.owner != Some(member) {
                return if belongs_to_nobody(object, before) {
                    repeated(object, before, bytes)
                } else {
                    OTHERS
                };
            }
            if held.recalled.is_some_and(|recalled| version <= recalled) {
                return RECALLED;
            }
            let by_id = by_id && !held.withdrawn;
            if by_id || held.this_version {
                return if by_id { Standing::Repeated(None) } else { repeated(object, before, bytes) };
            }
        }
        if let Some(before) = self.versions.get(&this) {
            return repeated(object, Some(before), bytes);
        }
        let revoked = self.revoked.get(id).copied().max(held.and_then(|held| held.revoked));
        if revoked.is_some_and(|revoked| version > revoked) {
            return REVOKED;
        }
        self.versions.insert(this, bytes.to_vec());
        if object.revoked {
            self.revoked.insert(id.to_owned(), version);
        }
        Standing::New
    }
}

/// An observable under the id its content gives, or one of the standard's TLP markings: whoever shared it first, it is
/// the same one, and nobody's own.
fn belongs_to_nobody(object: &Object, before: Option<&[u8]>) -> bool {
    Tlp::from_marking_id(object.id.as_str()).is_some()
        || object.deterministic && before.and_then(stix::read_one).is_some_and(|before| before.deterministic)
}

/// A version that is held: the same, or in conflict with what is held.
fn repeated(object: &Object, before: Option<&[u8]>, bytes: &[u8]) -> Standing {
    let Some(before) = before else { return Standing::Repeated(None) };
    if stix::is_same(before, bytes) {
        Standing::Repeated(None)
    } else if object.version == stix::UNVERSIONED || Tlp::from_marking_id(object.id.as_str()).is_some() {
        let reason = "held already with other properties; it has no versions, so what is held stays";
        Standing::Repeated(Some((Code::UnversionedHeld, reason)))
    } else {
        CONFLICT
    }
}
