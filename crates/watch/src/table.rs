//! The immutable table: a blocked Bloom filter in front of bucketed, packed records.
//!
//! Records lie in one byte arena in order of their hash, so a bucket is a slice of it and needs four bytes of index
//! for about four records. A record is
//!
//! | bytes | what |
//! |---|---|
//! | 1 | low octet of the hash: most records of a bucket are passed over by it |
//! | 1 | kind; bit 7: several indicators |
//! | 2 | length of the value |
//! | 4 | the indicator, or how many there are |
//! | 4 each | the indicators, if several |
//! | length | the value in normal form |
//!
//! The filter also holds every suffix of every listed domain name: "this name or one below it is listed". A lookup
//! walks from the last two labels inwards and stops at the first suffix the filter does not know, which for nearly
//! every name in telemetry is the first.

use crate::hash::{self, Class};
use crate::value::{Kind, Value, ValueRef};

/// Bits of filter for each key.
const FILTER_BITS_PER_KEY: usize = 16;
/// Mean number of records in a bucket.
const BUCKET_RECORDS: usize = 4;
/// Most bytes of records: offsets are 32 bits wide.
const ARENA_BYTES_MAX: usize = u32::MAX as usize;
/// Longest value a record can hold; [`crate::value::VALUE_BYTES_MAX`] keeps below it.
const MANY: u8 = 0x80;

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Block([u64; 8]);

/// The compiled, immutable table.
pub(crate) struct Table {
    key: u64,
    filter: Box<[Block]>,
    /// Start of each bucket in the arena, and the arena's end.
    starts: Box<[u32]>,
    arena: Box<[u8]>,
    /// One bit a [`Kind`] present.
    pub(crate) kinds: u32,
    /// /16 networks that overlap a listed IPv4 network.
    networks16: Option<Box<[u64; 1024]>>,
    /// Bit n: an IPv4 network of prefix length n is listed.
    lengths4: u64,
    /// The same for IPv6.
    lengths6: u128,
    /// Whether a name of a single label is listed.
    pub(crate) single_label: bool,
    /// Distinct values.
    pub(crate) values: usize,
    /// (value, indicator) pairs.
    pub(crate) entries: usize,
}

/// The class and hashed bytes of a value: what a probe for it uses.
pub(crate) fn hash_of(key: u64, kind: Kind, bytes: &[u8]) -> u64 {
    match kind {
        Kind::Ipv4 | Kind::Ipv6 => hash::of_octets(key, Class::Address, bytes),
        Kind::IpPort => {
            let address = bytes.get(..bytes.len().saturating_sub(2)).unwrap_or_default();
            hash::of_octets(key, Class::Address, address)
        }
        Kind::Cidr4 | Kind::Cidr6 => hash::of_octets(key, Class::Network, bytes),
        Kind::Domain => hash::of_text(key, Class::Domain, bytes),
        Kind::Url => hash::of_text(key, Class::Url, schemeless(bytes)),
        Kind::Email => hash::of_text(key, Class::Email, bytes),
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 | Kind::Ja3 => {
            hash::of_octets(key, Class::Digest, bytes)
        }
        Kind::Ja4 | Kind::FileName | Kind::CryptoAddress => hash::of_text(key, Class::Word, bytes),
    }
}

/// A URL in normal form without its scheme.
pub(crate) fn schemeless(url: &[u8]) -> &[u8] {
    memchr::memmem::find(url, b"//").and_then(|at| url.get(at..)).unwrap_or(url)
}

/// The last `labels` labels of a name, or all of it if it has fewer.
#[inline]
pub(crate) fn last_labels(name: &[u8], labels: usize) -> &[u8] {
    let mut left = labels;
    for (at, byte) in name.iter().enumerate().rev() {
        if *byte == b'.' {
            left -= 1;
            if left == 0 {
                return name.get(at + 1..).unwrap_or(name);
            }
        }
    }
    name
}

/// The next longer suffix of `name` after `suffix`, at a label's start.
#[inline]
pub(crate) fn longer<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let dot = name.len().checked_sub(suffix.len() + 1)?;
    let head = name.get(..dot)?;
    let from = memchr::memrchr(b'.', head).map_or(0, |at| at + 1);
    name.get(from..)
}

impl Table {
    #[inline(always)]
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    #[inline(always)]
    fn block_index(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.filter.len() as u128) >> 64) as usize
    }

    /// Five bits of one cache line, each picked by nine bits of the remixed hash.
    #[inline(always)]
    fn bits(hash: u64) -> [(usize, u64); 5] {
        let picks = hash.wrapping_mul(0x8ebc_6af0_9c88_c6e3) >> 19;
        [0u32, 9, 18, 27, 36].map(|shift| {
            let nine = picks >> shift;
            ((nine & 7) as usize, 1u64 << (nine >> 3 & 63))
        })
    }

    /// Whether a value of this hash may be here.
    #[inline(always)]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let Some(Block(words)) = self.filter.get(self.block_index(hash)) else { return false };
        Self::bits(hash)
            .iter()
            .fold(true, |all, (word, bit)| all & words.get(*word).is_some_and(|w| w & bit != 0))
    }

    /// Brings the filter's cache line on its way.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        if let Some(block) = self.filter.get(self.block_index(hash)) {
            crate::simd::prefetch(block);
        }
    }

    fn bucket(&self, hash: u64) -> &[u8] {
        let buckets = self.starts.len().saturating_sub(1) as u64;
        let index = (((hash >> 32) * buckets) >> 32) as usize;
        match self.starts.get(index..).and_then(|tail| tail.first_chunk::<2>()) {
            Some([from, to]) => self.arena.get(*from as usize..*to as usize).unwrap_or_default(),
            None => &[],
        }
    }

    /// Whether a record with this hash's tag is in its bucket.
    pub(crate) fn tagged(&self, hash: u64) -> bool {
        Records(self.bucket(hash)).any(|record| record.tag == hash as u8)
    }

    /// Every record that may be of this hash; the caller compares.
    pub(crate) fn records(&self, hash: u64) -> impl Iterator<Item = Record<'_>> {
        Records(self.bucket(hash)).filter(move |record| record.tag == hash as u8)
    }

    /// Every record there is.
    pub(crate) fn all(&self) -> impl Iterator<Item = Record<'_>> {
        Records(&self.arena)
    }

    /// The networks around an address: hash and key octets of each prefix length that is listed.
    pub(crate) fn networks4(&self, address: u32) -> impl Iterator<Item = (u64, [u8; 5])> + '_ {
        let near = self.networks16.as_ref().is_some_and(|bits| {
            bits.get((address >> 22) as usize).is_some_and(|word| word >> (address >> 16 & 63) & 1 == 1)
        });
        let mut lengths = if near { self.lengths4 } else { 0 };
        std::iter::from_fn(move || {
            if lengths == 0 {
                return None;
            }
            let length = lengths.trailing_zeros();
            lengths &= lengths - 1;
            let [a, b, c, d] = (address & u32::MAX.checked_shl(32 - length).unwrap_or(0)).to_be_bytes();
            let octets = [a, b, c, d, length as u8];
            Some((hash::of_octets(self.key, Class::Network, &octets), octets))
        })
    }

    /// The same for IPv6.
    pub(crate) fn networks6(&self, address: u128) -> impl Iterator<Item = (u64, [u8; 17])> + '_ {
        let mut lengths = self.lengths6;
        std::iter::from_fn(move || {
            if lengths == 0 {
                return None;
            }
            let length = lengths.trailing_zeros();
            lengths &= lengths - 1;
            let net = address & u128::MAX.checked_shl(128 - length).unwrap_or(0);
            let mut octets = [length as u8; 17];
            if let Some(head) = octets.first_chunk_mut::<16>() {
                *head = net.to_be_bytes();
            }
            Some((hash::of_octets(self.key, Class::Network, &octets), octets))
        })
    }

    /// Whether an address, alone or in a listed network, may be here. For the scan.
    #[inline]
    pub(crate) fn near_network4(&self, address: u32) -> bool {
        self.networks16.is_some()
            && self.networks4(address).any(|(hash, _)| self.may_hold(hash) && self.tagged(hash))
    }

    /// The same for IPv6.
    pub(crate) fn near_network6(&self, address: u128) -> bool {
        self.networks6(address).any(|(hash, _)| self.may_hold(hash) && self.tagged(hash))
    }

    /// Bytes held on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.filter)
            + size_of_val(&*self.starts)
            + self.arena.len()
            + self.networks16.as_ref().map_or(0, |bits| size_of_val(&**bits))
    }
}

/// One record of the arena.
pub(crate) struct Record<'a> {
    tag: u8,
    pub(crate) value: ValueRef<'a>,
    indicators: &'a [[u8; 4]],
}

impl<'a> Record<'a> {
    pub(crate) fn indicators(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.indicators.iter().map(|id| u32::from_le_bytes(*id))
    }
}

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let ([tag, kind, low, high], rest) = self.0.split_first_chunk::<4>()?;
        let ids = if kind & MANY == 0 { 1 } else { u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize };
        let rest = if kind & MANY == 0 { rest } else { rest.get(4..)? };
        let (ids, rest) = rest.split_at_checked(ids * 4)?;
        let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([*low, *high])))?;
        self.0 = rest;
        let kind = Kind::from_number(kind & !MANY)?;
        Some(Record { tag: *tag, value: ValueRef { kind, bytes }, indicators: ids.as_chunks::<4>().0 })
    }
}

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
            self.suffixes += memchr::memchr_iter(b'.', value.bytes).count().saturating_sub(1);
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
        order.sort_unstable();
        let blocks = ((order.len() + suffixes) * FILTER_BITS_PER_KEY).div_ceil(512).max(1);
        let buckets = (order.len() / BUCKET_RECORDS).max(1);
        let mut table = Table {
            key,
            filter: vec![Block([0; 8]); blocks].into(),
            starts: Box::default(),
            arena: Box::default(),
            kinds: 0,
            networks16: None,
            lengths4: 0,
            lengths6: 0,
            single_label: false,
            values: 0,
            entries: 0,
        };
        let mut starts = Vec::with_capacity(buckets + 1);
        let mut arena: Vec<u8> = Vec::with_capacity(pending.len() + order.len());
        for group in order.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
            let Some(bucket) = group.first().map(|first| ((first >> 32) * buckets as u64) >> 32) else {
                continue;
            };
            starts.resize(starts.len().max(bucket as usize + 1), arena.len() as u32);
            group.sort_unstable_by(|a, b| Self::at(&pending, *a).cmp(&Self::at(&pending, *b)));
            for same in group.chunk_by(|a, b| {
                let ((kind, bytes, _), (other, others, _)) = (Self::at(&pending, *a), Self::at(&pending, *b));
                kind == other && bytes == others
            }) {
                let Some((number, bytes, first)) = same.first().map(|one| Self::at(&pending, *one)) else {
                    continue;
                };
                let Some(kind) = Kind::from_number(number) else { continue };
                let hash = hash_of(key, kind, bytes);
                let mut ids: Vec<u32> = Vec::new();
                if same.len() > 1 {
                    ids.extend(same.iter().map(|one| Self::at(&pending, *one).2));
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
                table.values += 1;
                table.entries += ids.len().max(1);
                table.note(kind, bytes, hash);
            }
            if arena.len() > ARENA_BYTES_MAX {
                return Err(TooLarge);
            }
        }
        starts.resize(buckets + 1, arena.len() as u32);
        table.starts = starts.into();
        table.arena = arena.into();
        Ok(table)
    }
}

impl Table {
    /// Enters a value into filter and summaries.
    fn note(&mut self, kind: Kind, bytes: &[u8], hash: u64) {
        self.kinds |= kind.bit();
        self.set(hash);
        match kind {
            Kind::Domain => {
                let mut suffix = last_labels(bytes, 1);
                self.single_label |= suffix.len() == bytes.len();
                while suffix.len() < bytes.len() {
                    self.set(hash::of_text(self.key, Class::Domain, suffix));
                    let Some(next) = longer(bytes, suffix) else { break };
                    suffix = next;
                }
            }
            Kind::Cidr4 => {
                let [a, b, c, d, length] = *bytes else { return };
                self.lengths4 |= 1 << length;
                let net = u32::from_be_bytes([a, b, c, d]);
                let last = net | u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                let bits = self.networks16.get_or_insert_with(|| Box::new([0; 1024]));
                for sixteen in net >> 16..=last >> 16 {
                    if let Some(word) = bits.get_mut((sixteen >> 6) as usize) {
                        *word |= 1 << (sixteen & 63);
                    }
                }
            }
            Kind::Cidr6 => {
                if let Some(length) = bytes.last() {
                    self.lengths6 |= 1 << length;
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, hash: u64) {
        let index = self.block_index(hash);
        if let Some(Block(words)) = self.filter.get_mut(index) {
            for (word, bit) in Self::bits(hash) {
                if let Some(word) = words.get_mut(word) {
                    *word |= bit;
                }
            }
        }
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
