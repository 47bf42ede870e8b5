//! The scan's view of a mapping: the last step of each path, recognised by the eight octets before its closing quote.
//!
//! The scan does not know where in an event it is, so a key counts wherever it stands: more lines than needed are
//! looked at closely, never fewer.

use super::{Action, Field, Node, Reading};

/// What to do with a key's value: one bit for each [`Reading`], and three for the parts of a URL.
pub(crate) type Flags = u16;

pub(crate) const URL_HOST: Flags = 1 << 10;
pub(crate) const URL_PATH: Flags = 1 << 11;
pub(crate) const URL_PORT: Flags = 1 << 12;

impl Reading {
    pub(crate) const fn flag(self) -> Flags {
        1 << self as u16
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    octets: u64,
    mask: u64,
    flags: Flags,
}

const SLOTS: usize = 512;

/// Keys by the last two octets of their eight, then compared under a mask.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// For each slot, the first of its entries (high half) and how many there are.
    slots: [u32; SLOTS],
    entries: Vec<Entry>,
    /// Octets that occur in these keys, and the dot: an escape sequence for one of them may hide a key.
    octets: [bool; 128],
}

#[inline(always)]
fn slot(octets: u64) -> usize {
    (((octets >> 48) as u32).wrapping_mul(0x9e37_79b1) >> 23) as usize
}

impl Keys {
    pub(super) fn new(nodes: &[Node], fields: &[Field]) -> Self {
        let mut octets = [false; 128];
        let mut mark = |byte: u8| {
            if let Some(seen) = octets.get_mut(usize::from(byte)) {
                *seen = true;
            }
        };
        mark(b'.');
        let mut entries: Vec<Entry> = Vec::new();
        for parent in nodes {
            for (key, child) in &parent.children {
                let actions = nodes.get(*child as usize).map_or(&[][..], |node| &node.actions);
                let flags = actions.iter().fold(0, |flags, action| {
                    flags
                        | match action {
                            Action::Field { field, .. } => {
                                fields.get(usize::from(*field)).map_or(0, |field| field.reading.flag())
                            }
                            Action::UrlHost(_) => URL_HOST,
                            Action::UrlPath(_) => URL_PATH,
                            Action::UrlPort(_) => URL_PORT,
                            Action::Port(_) | Action::Time(_) => 0,
                        }
                });
                if flags == 0 {
                    continue;
                }
                key.bytes().for_each(&mut mark);
                for before in [b'"', b'.'] {
                    enter(&mut entries, before, key.as_bytes(), flags);
                }
            }
        }
        entries.sort_by_key(|entry| slot(entry.octets));
        // The entries of a slot stand together; `FIELDS_MAX` keeps their number, twice the keys', within 16 bits.
        let mut slots = [0u32; SLOTS];
        for (index, entry) in entries.iter().enumerate() {
            if let Some(slot) = slots.get_mut(slot(entry.octets)) {
                *slot = if *slot == 0 { (index as u32) << 16 | 1 } else { *slot + 1 };
            }
        }
        Self { slots, entries, octets }
    }

    /// What to do with the value of the key whose last eight octets (up to its closing quote) these are, the last
    /// one in the highest place.
    #[inline(always)]
    pub(crate) fn flags(&self, octets: u64) -> Flags {
        match self.slots.get(slot(octets)) {
            None | Some(0) => 0,
            Some(range) => self.among(octets, *range),
        }
    }

    #[inline]
    fn among(&self, octets: u64, range: u32) -> Flags {
        let (from, count) = ((range >> 16) as usize, (range & 0xffff) as usize);
        let all = self.entries.get(from..from + count).unwrap_or_default();
        all.iter().find(|entry| (octets ^ entry.octets) & entry.mask == 0).map_or(0, |entry| entry.flags)
    }

    /// Whether a `\u00XX` escape of this octet might spell part of a key.
    pub(crate) fn spells(&self, octet: u8) -> bool {
        self.octets.get(usize::from(octet)).copied().unwrap_or(false)
    }
}

/// Enters a key as it ends after `before`. Keys of the same last eight octets share one entry.
fn enter(entries: &mut Vec<Entry>, before: u8, key: &[u8], flags: Flags) {
    let (mut octets, mut mask) = ([0u8; 8], [0u8; 8]);
    let spelled = std::iter::once(before).chain(key.iter().copied());
    let known = key.len() + 1;
    let tail = spelled.skip(known.saturating_sub(8));
    let places = octets.iter_mut().zip(mask.iter_mut()).skip(8usize.saturating_sub(known));
    for ((octet, mask), byte) in places.zip(tail) {
        (*octet, *mask) = (byte, 0xff);
    }
    let (octets, mask) = (u64::from_le_bytes(octets), u64::from_le_bytes(mask));
    match entries.iter_mut().find(|entry| entry.octets == octets && entry.mask == mask) {
        Some(entry) => entry.flags |= flags,
        None => entries.push(Entry { octets, mask, flags }),
    }
}
