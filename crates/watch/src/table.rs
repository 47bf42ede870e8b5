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
//! The filter also holds every suffix of every listed domain name: "this name or one below it is listed", and beside
//! it, in the same cache line, whether the name itself is. A lookup walks from the last two labels inwards and stops
//! at the first suffix the filter does not know, which for nearly every name in telemetry is the first. The hosts of
//! listed URLs are in the filter too, so that a URL is put together only where its host is known.
//!
//! Listed IPv4 and IPv6 networks are kept as sorted ranges of addresses beside their records: whether an address lies
//! in one is a bitmap of /16s, then one binary search, whatever prefix lengths are listed.

mod build;
mod filter;

use crate::hash::{self, Class};
use crate::value::{Kind, ValueRef};

pub(crate) use build::{TableBuilder, TooLarge, table_of};
use filter::Filter;

/// Of a record's kind: several indicators.
const MANY: u8 = 0x80;
/// How far the bits that say "this name itself" are turned against those that say "this name or one below it".
const NAME_TURN: u32 = 23;

/// The compiled, immutable table.
pub(crate) struct Table {
    key: u64,
    filter: Filter,
    /// Start of each bucket in the arena, and the arena's end.
    starts: Box<[u32]>,
    arena: Box<[u8]>,
    /// One bit a [`Kind`] present; that of IPv6 addresses also for one with a port.
    pub(crate) kinds: u32,
    /// /16 networks that overlap a listed IPv4 network.
    networks16: Option<Box<[u64; 1024]>>,
    /// /16 networks with a listed IPv4 address in them: what stays at home is told from what may be listed by them.
    addresses16: Option<Box<[u64; 1024]>>,
    /// Listed networks as first and last address, sorted, none touching another.
    ranges4: Box<[(u32, u32)]>,
    ranges6: Box<[(u128, u128)]>,
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
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 | Kind::Ja3 => hash::of_digest(key, bytes),
        Kind::Ja4 | Kind::FileName | Kind::CryptoAddress => hash::of_text(key, Class::Word, bytes),
    }
}

/// A URL in normal form without its scheme.
pub(crate) fn schemeless(url: &[u8]) -> &[u8] {
    memchr::memmem::find(url, b"//").and_then(|at| url.get(at..)).unwrap_or(url)
}

/// The host of a URL in normal form, without user and port.
pub(crate) fn url_host(url: &[u8]) -> &[u8] {
    let rest = schemeless(url);
    let rest = rest.strip_prefix(b"//").unwrap_or(rest);
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let host = memchr::memrchr(b'@', authority).and_then(|at| authority.get(at + 1..)).unwrap_or(authority);
    crate::value::normal::split_port(host).map_or(host, |(host, _)| host)
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
    fn line_of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.filter.lines().len() as u128) >> 64) as usize
    }

    /// Which word of its cache line a hash is entered in, and its four bits there.
    #[inline(always)]
    fn mark(hash: u64) -> (usize, u64) {
        let picks = hash.wrapping_mul(0x8ebc_6af0_9c88_c6e3) >> 32;
        let bits = 1u64 << (picks & 63)
            | 1u64 << (picks >> 6 & 63)
            | 1u64 << (picks >> 12 & 63)
            | 1u64 << (picks >> 18 & 63);
        ((picks >> 24 & 7) as usize, bits)
    }

    #[inline(always)]
    fn word(&self, hash: u64, word: usize) -> u64 {
        self.filter.word(self.line_of(hash), word)
    }

    /// Whether a value of this hash, or for a name one below it, may be here.
    #[inline(always)]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let (word, bits) = Self::mark(hash);
        self.word(hash, word) & bits == bits
    }

    /// Whether a name of this hash may be listed itself.
    #[inline(always)]
    pub(crate) fn may_list(&self, hash: u64) -> bool {
        let (word, bits) = Self::mark(hash);
        let bits = bits.rotate_left(NAME_TURN);
        self.word(hash, word ^ 1) & bits == bits
    }

    /// Brings the filter's cache line on its way.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        if let Some(line) = self.filter.lines().get(self.line_of(hash)) {
            crate::simd::prefetch(line);
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

    /// Whether an address lies in a listed network.
    #[inline]
    pub(crate) fn near_network4(&self, address: u32) -> bool {
        in16(self.networks16.as_deref(), address) && within(&self.ranges4, address)
    }

    /// Whether an IPv4 address of the same /16 is listed.
    #[inline(always)]
    pub(crate) fn near_address4(&self, address: u32) -> bool {
        in16(self.addresses16.as_deref(), address)
    }

    /// The same for IPv6.
    pub(crate) fn near_network6(&self, address: u128) -> bool {
        within(&self.ranges6, address)
    }

    /// Bytes held in memory.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.filter.bytes()
            + size_of_val(&*self.starts)
            + self.arena.len()
            + self.networks16.as_ref().map_or(0, |bits| size_of_val(&**bits))
            + self.addresses16.as_ref().map_or(0, |bits| size_of_val(&**bits))
            + size_of_val(&*self.ranges4)
            + size_of_val(&*self.ranges6)
    }
}

/// Whether an address's /16 is marked.
#[inline(always)]
fn in16(bits: Option<&[u64; 1024]>, address: u32) -> bool {
    let word = bits.and_then(|bits| bits.get((address >> 22) as usize));
    word.is_some_and(|word| word >> (address >> 16 & 63) & 1 == 1)
}

/// Whether a number lies in one of the sorted ranges.
fn within<T: Ord + Copy>(ranges: &[(T, T)], number: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= number);
    let range = behind.checked_sub(1).and_then(|at| ranges.get(at));
    range.is_some_and(|(_, last)| number <= *last)
}

/// Sorts ranges and joins those that overlap.
fn joined<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlaps = next.0 <= kept.1;
        if overlaps {
            kept.1 = kept.1.max(next.1);
        }
        overlaps
    });
    ranges.into()
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
