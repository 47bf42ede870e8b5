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

/// Fewest slots; there are eight for each entry at least.
const SLOTS_MIN: usize = 1024;
/// Slots of the first, cheap answer.
const KNOWN_BITS: u32 = 11;

/// Keys by their last octets, then compared under a mask.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Whether some key's last octets hash to a place.
    known: Box<[bool; 1 << KNOWN_BITS]>,
    /// For each slot, the number of its bucket; 0 for none.
    slots: Vec<u16>,
    /// First entry of each bucket, and the end.
    buckets: Vec<u16>,
    entries: Vec<Entry>,
    /// How far to shift eight octets so that those are left which every key has (four at most).
    shift: u32,
    /// How far to shift their hash.
    fold: u32,
    /// Octets that occur in these keys, and the dot: an escape sequence for one of them may hide a key.
    octets: [bool; 128],
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
        Self::of(entries, octets)
    }

    fn of(mut entries: Vec<Entry>, octets: [bool; 128]) -> Self {
        let known = entries.iter().map(|entry| entry.mask.count_ones() / 8).min().unwrap_or(4).clamp(1, 4);
        // `FIELDS_MAX` keeps the number of entries, twice the keys', within 16 bits.
        let places = (entries.len() * 8).next_power_of_two().max(SLOTS_MIN);
        let mut keys = Self {
            known: Box::new([false; 1 << KNOWN_BITS]),
            slots: vec![0; places],
            buckets: vec![0],
            entries: Vec::new(),
            shift: 64 - 8 * known,
            fold: 64 - places.trailing_zeros(),
            octets,
        };
        entries.sort_by_key(|entry| (keys.slot(entry.octets), std::cmp::Reverse(entry.mask)));
        for (index, entry) in entries.iter().enumerate() {
            let place = keys.place(entry.octets);
            if let Some(known) = keys.known.get_mut(place) {
                *known = true;
            }
            let slot = keys.slot(entry.octets);
            let bucket = keys.buckets.len() as u16;
            if let Some(known) = keys.slots.get_mut(slot)
                && *known == 0
            {
                *known = bucket;
                keys.buckets.push(index as u16);
            }
        }
        keys.buckets.push(entries.len() as u16);
        keys.entries = entries;
        keys
    }

    #[inline(always)]
    fn hash(&self, octets: u64) -> u64 {
        (octets >> self.shift).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[inline(always)]
    fn slot(&self, octets: u64) -> usize {
        (self.hash(octets) >> self.fold) as usize
    }

    #[inline(always)]
    fn place(&self, octets: u64) -> usize {
        (self.hash(octets) >> (64 - KNOWN_BITS)) as usize
    }

    /// Whether these may be the last eight octets of a key that counts (up to its closing quote, the last one in the
    /// highest place): a first, cheap answer.
    #[inline(always)]
    pub(crate) fn may_know(&self, octets: u64) -> bool {
        self.known.get(self.place(octets)).copied().unwrap_or(false)
    }

    /// What to do with the value of the key whose last eight octets these are.
    #[inline(always)]
    pub(crate) fn flags(&self, octets: u64) -> Flags {
        let bucket = self.slots.get(self.slot(octets)).map_or(0, |bucket| usize::from(*bucket));
        let Some([from, to]) = self.buckets.get(bucket..).and_then(|tail| tail.first_chunk::<2>()) else {
            return 0;
        };
        let all = self.entries.get(usize::from(*from)..usize::from(*to)).unwrap_or_default();
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
