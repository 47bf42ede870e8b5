//! Making a table: values are collected as they come, put in order of their hashes, then written once.

use super::{Filter, MANY, NAME_TURN, Table, hash_of, joined, last_labels, longer, url_host};
use crate::hash::{self, Class};
use crate::value::{Kind, Value, ValueRef};

/// Bits of filter for each key.
const FILTER_BITS_PER_KEY: usize = 16;
/// Mean number of records in a bucket.
const BUCKET_RECORDS: usize = 4;
/// Most bytes of records: offsets are 32 bits wide.
const ARENA_BYTES_MAX: usize = u32::MAX as usize;
/// How many records ahead memory is called for.
const READ_AHEAD: usize = 24;

/// More values than a table can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Collects values for a [`Table`].
pub(crate) struct TableBuilder {
    key: u64,
    /// kind, length, indicator, value; in order of arrival.
    pending: Vec<u8>,
    /// High half of the hash, then the offset in `pending`: sorts into bucket order.
    order: Vec<u64>,
    suffixes: usize,
}

const PENDING_HEAD: usize = 7;

/// Listed networks by first and last address.
#[derive(Default)]
struct Networks {
    four: Vec<(u32, u32)>,
    six: Vec<(u128, u128)>,
}

impl TableBuilder {
    pub(crate) fn new(key: u64) -> Self {
        Self { key, pending: Vec::new(), order: Vec::new(), suffixes: 0 }
    }

    pub(crate) fn add(&mut self, value: ValueRef<'_>, indicator: u32) -> Result<(), TooLarge> {
        let at = self.pending.len();
        let length = u16::try_from(value.bytes.len()).map_err(|_| TooLarge)?;
        if at + PENDING_HEAD + value.bytes.len() > ARENA_BYTES_MAX {
            return Err(TooLarge);
        }
        let hash = hash_of(self.key, value.kind, value.bytes);
        self.order.push(hash >> 32 << 32 | at as u64);
        self.pending.push(value.kind as u8);
        self.pending.extend_from_slice(&length.to_le_bytes());
        self.pending.extend_from_slice(&indicator.to_le_bytes());
        self.pending.extend_from_slice(value.bytes);
        if value.kind == Kind::Domain {
            // Its suffixes but the last label, and itself once more.
            self.suffixes += memchr::memchr_iter(b'.', value.bytes).count();
        } else if value.kind == Kind::Url {
            self.suffixes += 1;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    fn at(pending: &[u8], order: u64) -> (u8, &[u8], u32) {
        let tail = pending.get(order as u32 as usize..).unwrap_or_default();
        let Some(([kind, l0, l1, i0, i1, i2, i3], rest)) = tail.split_first_chunk::<PENDING_HEAD>() else {
            return (0, &[], 0);
        };
        let length = usize::from(u16::from_le_bytes([*l0, *l1]));
        (*kind, rest.get(..length).unwrap_or_default(), u32::from_le_bytes([*i0, *i1, *i2, *i3]))
    }

    pub(crate) fn finish(self) -> Result<Table, TooLarge> {
        let Self { key, pending, mut order, suffixes } = self;
        sort_by_high_half(&mut order);
        let lines = ((order.len() + suffixes) * FILTER_BITS_PER_KEY).div_ceil(512).max(1);
        let buckets = (order.len() / BUCKET_RECORDS).max(1);
        let mut networks = Networks::default();
        let mut table = Table {
            key,
            filter: Filter::new(lines)?,
            starts: Box::default(),
            arena: Box::default(),
            kinds: 0,
            networks16: None,
            addresses16: None,
            ranges4: Box::default(),
            ranges6: Box::default(),
            lengths4: 0,
            lengths6: 0,
            single_label: false,
            values: 0,
            entries: 0,
        };
        let mut starts = Vec::with_capacity(buckets + 1);
        let mut arena: Vec<u8> = Vec::with_capacity(pending.len() + order.len());
        let mut from = 0;
        while let Some(first) = order.get(from).copied() {
            // What is read next lies anywhere: it is called for well before.
            let ahead = order.get(from + READ_AHEAD).map_or(0, |order| *order as u32 as usize);
            if let Some(byte) = pending.get(ahead) {
                crate::simd::prefetch(byte);
            }
            let equal =
                order.get(from..).unwrap_or_default().iter().take_while(|next| *next >> 32 == first >> 32);
            let to = from + equal.count();
            let bucket = ((first >> 32) * buckets as u64) >> 32;
            starts.resize(starts.len().max(bucket as usize + 1), arena.len() as u32);
            let group = order.get_mut(from..to).unwrap_or_default();
            if group.len() > 1 {
                group.sort_unstable_by(|a, b| Self::at(&pending, *a).cmp(&Self::at(&pending, *b)));
            }
            for same in group.chunk_by(|a, b| {
                let ((kind, bytes, _), (other, others, _)) = (Self::at(&pending, *a), Self::at(&pending, *b));
                kind == other && bytes == others
            }) {
                table.take(&pending, same, &mut arena, &mut networks);
            }
            if arena.len() > ARENA_BYTES_MAX {
                return Err(TooLarge);
            }
            from = to;
        }
        starts.resize(buckets + 1, arena.len() as u32);
        table.starts = starts.into();
        table.arena = arena.into();
        table.ranges4 = joined(networks.four);
        table.ranges6 = joined(networks.six);
        Ok(table)
    }
}

/// Sorts by the high half of each number, in three passes of eleven bits.
fn sort_by_high_half(numbers: &mut Vec<u64>) {
    const BITS: u32 = 11;
    if numbers.len() < 1 << BITS {
        return numbers.sort_unstable();
    }
    let mut sorted = vec![0u64; numbers.len()];
    for shift in [32, 32 + BITS, 32 + 2 * BITS] {
        let digit = |number: u64| (number >> shift) as usize & ((1 << BITS) - 1);
        let mut places = [0usize; 1 << BITS];
        for number in numbers.iter() {
            if let Some(count) = places.get_mut(digit(*number)) {
                *count += 1;
            }
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for number in numbers.iter() {
            let Some(place) = places.get_mut(digit(*number)) else { continue };
            if let Some(slot) = sorted.get_mut(*place) {
                *slot = *number;
            }
            *place += 1;
        }
        std::mem::swap(numbers, &mut sorted);
    }
}

impl Table {
    /// Writes the record of one value, which was added once or several times.
    fn take(&mut self, pending: &[u8], same: &[u64], arena: &mut Vec<u8>, networks: &mut Networks) {
        let Some((number, bytes, first)) = same.first().map(|one| TableBuilder::at(pending, *one)) else {
            return;
        };
        let Some(kind) = Kind::from_number(number) else { return };
        let hash = hash_of(self.key, kind, bytes);
        let mut ids: Vec<u32> = Vec::new();
        if same.len() > 1 {
            ids.extend(same.iter().map(|one| TableBuilder::at(pending, *one).2));
            ids.dedup();
        }
        arena.push(hash as u8);
        arena.push(if ids.len() > 1 { number | MANY } else { number });
        arena.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        if ids.len() > 1 {
            arena.extend_from_slice(&(ids.len() as u32).to_le_bytes());
            ids.iter().for_each(|id| arena.extend_from_slice(&id.to_le_bytes()));
        } else {
            arena.extend_from_slice(&first.to_le_bytes());
        }
        arena.extend_from_slice(bytes);
        self.values += 1;
        self.entries += ids.len().max(1);
        self.note(kind, bytes, hash, networks);
    }

    /// Enters a value into filter and summaries.
    fn note(&mut self, kind: Kind, bytes: &[u8], hash: u64, networks: &mut Networks) {
        self.kinds |= kind.bit();
        self.set(hash);
        match kind {
            Kind::Domain => {
                self.set_name(hash);
                let mut suffix = last_labels(bytes, 1);
                self.single_label |= suffix.len() == bytes.len();
                while suffix.len() < bytes.len() {
                    self.set(hash::of_text(self.key, Class::Domain, suffix));
                    let Some(next) = longer(bytes, suffix) else { break };
                    suffix = next;
                }
            }
            Kind::Ipv4 | Kind::IpPort => {
                // One with a port may be an IPv6 address: text is searched for those only where one is listed.
                if bytes.len() > 6 {
                    self.kinds |= Kind::Ipv6.bit();
                }
                if let [a, b, _, _] | [a, b, _, _, _, _] = *bytes {
                    let sixteen = usize::from(u16::from_be_bytes([a, b]));
                    let bits = self.addresses16.get_or_insert_with(|| Box::new([0; 1024]));
                    if let Some(word) = bits.get_mut(sixteen >> 6) {
                        *word |= 1 << (sixteen & 63);
                    }
                }
            }
            Kind::Url => self.set(hash::of_text(self.key, Class::UrlHost, url_host(bytes))),
            Kind::Cidr4 => {
                let [a, b, c, d, length] = *bytes else { return };
                self.lengths4 |= 1 << length;
                let net = u32::from_be_bytes([a, b, c, d]);
                let last = net | u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                networks.four.push((net, last));
                let bits = self.networks16.get_or_insert_with(|| Box::new([0; 1024]));
                for sixteen in net >> 16..=last >> 16 {
                    if let Some(word) = bits.get_mut((sixteen >> 6) as usize) {
                        *word |= 1 << (sixteen & 63);
                    }
                }
            }
            Kind::Cidr6 => {
                if let Some((net, length)) = bytes.split_first_chunk::<16>()
                    && let [length] = length
                {
                    self.lengths6 |= 1 << length;
                    let net = u128::from_be_bytes(*net);
                    let last = net | u128::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
                    networks.six.push((net, last));
                }
            }
            _ => {}
        }
    }

    #[inline(always)]
    fn enter(&mut self, hash: u64, word: usize, bits: u64) {
        let line = self.line_of(hash);
        self.filter.enter(line, word, bits);
    }

    fn set(&mut self, hash: u64) {
        let (word, bits) = Self::mark(hash);
        self.enter(hash, word, bits);
    }

    fn set_name(&mut self, hash: u64) {
        let (word, bits) = Self::mark(hash);
        self.enter(hash, word ^ 1, bits.rotate_left(NAME_TURN));
    }
}

/// A table of the given values; for the delta of a live watchlist.
pub(crate) fn table_of<'a>(
    key: u64,
    values: impl Iterator<Item = (&'a Value, u32)>,
) -> Result<Table, TooLarge> {
    let mut builder = TableBuilder::new(key);
    for (value, indicator) in values {
        builder.add(value.as_ref(), indicator)?;
    }
    builder.finish()
}
