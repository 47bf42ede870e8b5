//! What follows when an object, or some versions of it, are taken back.

use shieldwall_exchange::entries::{Recalled, VersionsRecalled};
use shieldwall_exchange::stix;
use shieldwall_ledger::{Entry, FoldError, Views};

use super::{indicator, read, row, withdraw};

/// An object is gone from pages, search and sensors, and the warnings about it are withdrawn.
pub(super) fn object_recalled(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(recalled) = read::<Recalled>(body) else { return Ok(()) };
    let (group, id) = (entry.group, recalled.id.as_str());
    if !owned(entry, id, views)? {
        return Ok(());
    }
    views.withdraw(group, id)?;
    indicator::recalled(entry, id, views)?;
    withdraw(entry, id, views)
}

/// The version that tells of it is kept for those who poll. It says nothing new to anybody else.
pub(super) fn object_revoked(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(object) = stix::read_bundle(body).ok().and_then(|checked| checked.accepted.into_iter().next())
    else {
        return Ok(());
    };
    let known = views.latest_object(entry.group, object.id.as_str())?;
    let taken_back = known.is_some_and(|known| known.owner == entry.author.member && known.withdrawn);
    if taken_back && object.revoked {
        views.put_revocation(&row(&object))?;
    }
    Ok(())
}

/// Some versions are gone. Where the last one was among them, the version that is the last again follows as an entry of
/// its own, and what sensors match follows from that.
pub(super) fn versions_recalled(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(recalled) = read::<VersionsRecalled>(body) else { return Ok(()) };
    if owned(entry, recalled.id.as_str(), views)? {
        views.withdraw_versions(entry.group, recalled.id.as_str(), &recalled.versions)?;
    }
    Ok(())
}

/// Whether the object is the entry's author's own: nobody else takes it back.
fn owned(entry: &Entry, id: &str, views: &mut Views<'_>) -> Result<bool, FoldError> {
    Ok(views.latest_object(entry.group, id)?.is_some_and(|known| known.owner == entry.author.member))
}
