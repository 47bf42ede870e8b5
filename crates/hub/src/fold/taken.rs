//! Which messages of a member's telemetry streams were reported, in pieces that stay small however long a stream is.

use std::collections::BTreeMap;

use shieldwall_assess::entries::TelemetryTaken;
use shieldwall_ledger::{Entry, FoldError, Views};
use shieldwall_model::id::GroupId;
use shieldwall_model::sequences::Sequences;

use super::{collection, read, write};

/// Messages of one document.
const MESSAGES_OF_ONE: u64 = 4_096;
/// How many documents of a stream are kept before the newest: 268 million messages. One that is handed out again after
/// so many others counts again.
const KEPT_OF_STREAM: u64 = 65_536;

/// The messages by the document they stand in.
pub fn by_document(stream: &str, sequences: &Sequences) -> BTreeMap<String, Sequences> {
    let mut all: BTreeMap<String, Sequences> = BTreeMap::new();
    for (first, last) in sequences.iter() {
        for piece in first / MESSAGES_OF_ONE..=last / MESSAGES_OF_ONE {
            let begin = piece * MESSAGES_OF_ONE;
            let end = begin + (MESSAGES_OF_ONE - 1);
            all.entry(key(stream, piece)).or_default().insert_range(first.max(begin), last.min(end));
        }
    }
    all
}

fn key(stream: &str, piece: u64) -> String {
    format!("{piece}/{stream}")
}

pub(super) fn taken(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let mine = entry.author.member.is_some_and(|member| GroupId::home_of(member) == entry.group);
    let Some(said) = read::<TelemetryTaken>(body).filter(|_| mine) else { return Ok(()) };
    for (key, sequences) in by_document(&said.stream, &said.sequences) {
        let before: Option<Sequences> =
            views.document(collection::TAKEN, entry.group, &key)?.and_then(|body| read(&body));
        if before.is_none() {
            forget(entry, &said.stream, &sequences, views)?;
        }
        let mut all = before.unwrap_or_default();
        all.extend(&sequences);
        views.put_document(collection::TAKEN, entry.group, &key, entry.sequence, &write(&all))?;
    }
    Ok(())
}

/// Lets go of what is far behind a new document.
fn forget(entry: &Entry, stream: &str, new: &Sequences, views: &mut Views<'_>) -> Result<(), FoldError> {
    let piece = new.iter().next().map_or(0, |(first, _)| first / MESSAGES_OF_ONE);
    if let Some(old) = piece.checked_sub(KEPT_OF_STREAM) {
        views.delete_document(collection::TAKEN, entry.group, &key(stream, old))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stand_in_the_documents_of_their_range() {
        let sequences: Sequences = "1-2,4095-4097,12288".parse().unwrap();
        let pieces = by_document("EVE", &sequences);
        let told: Vec<_> = pieces.iter().map(|(key, some)| (key.as_str(), some.to_string())).collect();
        let expected = [("0/EVE", "1-2,4095"), ("1/EVE", "4096-4097"), ("3/EVE", "12288")];
        assert_eq!(told, expected.map(|(key, some)| (key, some.to_owned())));
    }
}
