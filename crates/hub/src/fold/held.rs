//! The quarantine as a view: what is held back in a group, and what was decided about it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use shieldwall_exchange::entries::{HeldBack, Rejected};
use shieldwall_exchange::stix;
use shieldwall_ledger::{Entry, FoldError, Views};
use shieldwall_model::id::MemberId;
use shieldwall_model::time::Timestamp;

use super::{collection, read, share, write};

/// An object that is held back.
#[derive(Debug, Serialize, Deserialize)]
pub struct HeldState {
    /// Its STIX id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Timestamp,
    /// Its marking's label.
    pub marking: Option<String>,
    /// Why it is held back: a stable code.
    pub code: String,
    /// Why, in words.
    pub detail: String,
    /// The member that sent it.
    pub owner: MemberId,
    /// When it came.
    pub held: Timestamp,
    /// The object, byte for byte.
    pub object: Box<RawValue>,
}

/// What was decided about an object that was held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedState {
    /// Its STIX id.
    pub id: String,
    /// Whether it was released; else it was rejected.
    pub released: bool,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// The member whose curator decided.
    pub by: Option<MemberId>,
    /// When.
    pub at: Timestamp,
}

/// What the quarantine knows an object by: its id and the first 64 bits of its SHA-256. Whoever sends the same bytes
/// again meets the same place, and another's object of the same id does not.
pub fn key(id: &str, object: &[u8]) -> String {
    let hash = Sha256::digest(object);
    let short: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{id}/{short}")
}

/// An object came and is held back.
pub(super) fn held(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let (Ok(back), Some(owner)) = (serde_json::from_slice::<HeldBack<'_>>(body), entry.author.member) else {
        return Ok(());
    };
    let bytes = back.object.get().as_bytes();
    let Some(object) = stix::read_bundle(bytes).ok().and_then(|read| read.accepted.into_iter().next()) else {
        return Ok(());
    };
    let key = key(object.id.as_str(), bytes);
    if views.document(collection::HELD, entry.group, &key)?.is_some() {
        return Ok(());
    }
    let state = HeldState {
        id: object.id.to_string(),
        name: object.title.clone(),
        version: object.version,
        marking: object.tlp.map(|tlp| tlp.as_str().to_owned()),
        code: back.code.into_owned(),
        detail: back.detail.into_owned(),
        owner,
        held: entry.time,
        object: back.object.to_owned(),
    };
    views.put_document(collection::HELD, entry.group, &key, entry.sequence, &write(&state))?;
    views.put_document(collection::HELD_AS, entry.group, &state.id, entry.sequence, &write(&key))?;
    Ok(())
}

/// A curator released it: from here on it is as if its sender had shared it now.
pub(super) fn released(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(object) = stix::read_bundle(body).ok().and_then(|read| read.accepted.into_iter().next()) else {
        return Ok(());
    };
    let key = key(object.id.as_str(), body);
    // Nothing is released that was not held back: the one door stays the one door.
    let Some(state) = decided(entry, &key, None, views)? else { return Ok(()) };
    share(entry, body, Some(state.owner), views)
}

/// A curator rejected it.
pub(super) fn rejected(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(rejected) = read::<Rejected>(body) else { return Ok(()) };
    decided(entry, &rejected.key, Some(rejected.reason.clone()), views)?;
    Ok(())
}

/// Takes an object out of the quarantine and keeps what was decided.
fn decided(
    entry: &Entry,
    key: &str,
    rejected: Option<String>,
    views: &mut Views<'_>,
) -> Result<Option<HeldState>, FoldError> {
    let held = views.document(collection::HELD, entry.group, key)?.and_then(|body| read::<HeldState>(&body));
    let Some(held) = held else { return Ok(None) };
    views.delete_document(collection::HELD, entry.group, key)?;
    let decided = DecidedState {
        id: held.id.clone(),
        released: rejected.is_none(),
        reason: rejected,
        by: entry.author.member,
        at: entry.time,
    };
    views.put_document(collection::DECIDED, entry.group, key, entry.sequence, &write(&decided))?;
    Ok(Some(held))
}
