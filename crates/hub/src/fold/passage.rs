//! How objects came here: what a peer's entry says of the way of each, kept beside the objects.

use shieldwall_exchange::peer::{Passage, Received, passage_key};
use shieldwall_ledger::{Entry, FoldError, Views};

use super::{collection, read, write};

/// Keeps the passage of each object named, unless the group has that version already: the first way counts.
pub(super) fn received(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(received) = read::<Received>(body) else { return Ok(()) };
    for item in received.items {
        let (group, id) = (entry.group, item.id.as_str());
        let key = passage_key(id, item.version);
        let held = views.latest_object(group, id)?.is_some_and(|known| known.version == item.version);
        if held || views.document(collection::PASSAGE, group, &key)?.is_some() {
            continue;
        }
        let passage: Passage = item.passage;
        views.put_document(collection::PASSAGE, group, &key, entry.sequence, &write(&passage))?;
    }
    Ok(())
}
