//! Takes the values of a stream of events, one event after the other, to the page of their hour.
//!
//! It sits on the hot path. Most values were met within the hour by the same host: for them a value costs a hash and a
//! look into a table that fits the cache, and nothing else is done.
//!
//! The **host** of an event is its first private address (RFC 1918, RFC 4193, RFC 6598) or, where it has none, its first
//! address. Telemetry writes the client first, and one end of a connection is nearly always inside.

use shieldwall_model::time::Timestamp;

use crate::fingerprint::{Fingerprint, MemoryKey};
use crate::heat::{Heat, SAMPLE};
use crate::page::Page;

/// What sort of value a fingerprint is of. The numbers stand in files: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    /// An IPv4 address (for how common it is; where it passed is kept as the address itself).
    Ipv4 = 1,
    /// An IPv6 address, 16 octets.
    Ipv6 = 2,
    /// An IPv6 network of 32, 48 or 64 bits: 16 octets and the length.
    Network6 = 3,
    /// A domain name in normal form.
    Domain = 4,
    /// A URL from its `//` on.
    Url = 5,
    /// An e-mail address.
    Email = 6,
    /// MD5 of a file.
    Md5 = 7,
    /// SHA-1 of a file.
    Sha1 = 8,
    /// SHA-256 of a file.
    Sha256 = 9,
    /// SHA-512 of a file.
    Sha512 = 10,
    /// JA3 fingerprint.
    Ja3 = 11,
    /// JA4 fingerprint.
    Ja4 = 12,
    /// Name of a file.
    FileName = 13,
    /// Address of a wallet.
    CryptoAddress = 14,
    /// An IPv4 network of 24 bits, for how common it is.
    Network4 = 15,
}

/// Lengths of IPv6 networks that can be asked for: what sites and providers are given.
pub const NETWORK6_LENGTHS: [u8; 3] = [32, 48, 64];

/// Entries of the table of what was met lately.
const LATELY: usize = 1 << 16;
/// Most octets of values kept of one event; what is beyond is not remembered.
const EVENT_BYTES_MAX: usize = 64 * 1024;
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Clone, Copy)]
struct Noted {
    hash: u64,
    from: u32,
    length: u32,
    code: Code,
}

/// See the module. One for each source.
pub struct Scribe {
    key: MemoryKey,
    /// What was met lately, by which host, in which hour.
    lately: Box<[u64]>,
    event: Vec<Noted>,
    bytes: Vec<u8>,
    host: Option<u128>,
    host_is_private: bool,
    lines: u64,
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scribe({} lines)", self.lines)
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Quick, and only ever compared with itself.
#[inline(always)]
fn quick(code: Code, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut state = (code as u64) << 56 ^ bytes.len() as u64 ^ ODD;
    for chunk in chunks {
        state = fold(state ^ u64::from_le_bytes(*chunk), ODD);
    }
    let tail = match bytes.last_chunk::<8>() {
        Some(tail) => u64::from_le_bytes(*tail),
        None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    fold(state ^ tail, 0xd6e8_feb8_6659_fd93)
}

fn is_private4(address: u32) -> bool {
    matches!(address.to_be_bytes(), [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..])
}

impl Scribe {
    /// For a source of the memory with that key.
    pub fn new(key: MemoryKey) -> Self {
        Self {
            key,
            lately: vec![0; LATELY].into(),
            event: Vec::new(),
            bytes: Vec::new(),
            host: None,
            host_is_private: false,
            lines: 0,
        }
    }

    #[inline]
    fn note(&mut self, code: Code, bytes: &[u8]) {
        let from = self.bytes.len();
        if from + bytes.len() <= EVENT_BYTES_MAX {
            self.bytes.extend_from_slice(bytes);
            let hash = quick(code, bytes);
            self.event.push(Noted { hash, from: from as u32, length: bytes.len() as u32, code });
        }
    }

    #[inline]
    fn end_of(&mut self, address: u128, is_private: bool) {
        if self.host.is_none() || is_private && !self.host_is_private {
            (self.host, self.host_is_private) = (Some(address), is_private);
        }
    }

    /// An IPv4 address.
    #[inline]
    pub fn ipv4(&mut self, address: u32) {
        self.end_of(u128::from(address), is_private4(address));
        self.note(Code::Ipv4, &address.to_be_bytes());
    }

    /// An IPv6 address.
    pub fn ipv6(&mut self, address: u128) {
        self.end_of(address, address >> 121 == 0xfc >> 1);
        self.note(Code::Ipv6, &address.to_be_bytes());
    }

    /// What may be a domain name, ASCII, in whichever case, without a dot at its end.
    #[inline]
    pub fn name(&mut self, name: &[u8]) {
        self.note(Code::Domain, name);
    }

    /// A value of another sort, in normal form.
    #[inline]
    pub fn value(&mut self, code: Code, normal: &[u8]) {
        self.note(code, normal);
    }

    /// The event is over; it goes to `page`, unless it does not `count`.
    pub fn end(&mut self, count: bool, page: &mut Page, heat: &mut Heat) {
        let (host, event) = (self.host.take(), std::mem::take(&mut self.event));
        self.host_is_private = false;
        if count {
            self.lines += 1;
            heat.line();
            let looked_at = self.lines.is_multiple_of(SAMPLE);
            // The same value may be met in the next hour again, and by another host.
            let by =
                host.map_or(0, |host| fold(host as u64 ^ (host >> 64) as u64 ^ ODD, 0x8ebc_6af0_9c88_c6e3));
            let by = by ^ fold(u64::from(page.hour.0) ^ ODD, 0x5899_65cc_7537_4cc3);
            for (place, noted) in event.iter().enumerate() {
                let pair = (noted.hash ^ by).max(1);
                let slot = self.lately.get_mut(pair as usize % LATELY);
                let known = slot.is_some_and(|slot| std::mem::replace(slot, pair) == pair);
                if !known || looked_at {
                    let twice =
                        event.get(..place).unwrap_or_default().iter().any(|other| other.hash == noted.hash);
                    self.write(*noted, host.filter(|_| !known), looked_at && !twice, page, heat);
                }
            }
        }
        self.event = event;
        self.event.clear();
        self.bytes.clear();
    }

    #[cold]
    fn write(&mut self, noted: Noted, host: Option<u128>, looked_at: bool, page: &mut Page, heat: &mut Heat) {
        let range = noted.from as usize..(noted.from + noted.length) as usize;
        let mut small = [0u8; 256];
        let bytes = self.bytes.get(range).unwrap_or_default();
        let host = host.map(|host| self.key.host(host));
        if let Some(host) = host {
            heat.host(host);
        }
        let count = |word: Fingerprint, heat: &mut Heat| {
            heat.met(word.0, host);
            if looked_at {
                heat.sampled(word.0);
            }
        };
        match (noted.code, bytes) {
            (Code::Ipv4, [a, b, c, d]) => {
                page.address(u32::from_be_bytes([*a, *b, *c, *d]));
                count(self.key.of(Code::Ipv4 as u8, bytes), heat);
                count(self.key.of(Code::Network4 as u8, &[*a, *b, *c]), heat);
            }
            (Code::Ipv6, bytes) => {
                let word = self.key.of(Code::Ipv6 as u8, bytes);
                page.word(word);
                count(word, heat);
                let address = bytes.first_chunk::<16>().map_or(0, |octets| u128::from_be_bytes(*octets));
                for length in NETWORK6_LENGTHS {
                    let word = network6(&self.key, address, length);
                    page.word(word);
                    count(word, heat);
                }
            }
            (Code::Domain, name) => {
                let Some(lower) = small.get_mut(..name.len()) else { return };
                lower.copy_from_slice(name);
                lower.make_ascii_lowercase();
                each_parent(lower, |name| {
                    let word = self.key.of(Code::Domain as u8, name);
                    page.word(word);
                    count(word, heat);
                });
            }
            (code, bytes) => {
                let word = self.key.of(code as u8, bytes);
                page.word(word);
                count(word, heat);
            }
        }
    }
}

/// The word under which an IPv6 network is kept.
pub fn network6(key: &MemoryKey, address: u128, length: u8) -> Fingerprint {
    let mut octets = [0u8; 17];
    let kept = address & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    octets.iter_mut().zip(kept.to_be_bytes()).for_each(|(to, from)| *to = from);
    octets[16] = length;
    key.of(Code::Network6 as u8, &octets)
}

/// Calls `each` with a lower-case name and each of its parents up to the name somebody registered (the public suffix
/// list); with nothing if it is no name.
fn each_parent(name: &[u8], mut each: impl FnMut(&[u8])) {
    if !is_name(name) {
        return;
    }
    each(name);
    let registered = psl::domain(name).map_or(name.len(), |domain| domain.as_bytes().len());
    let mut rest = name;
    while let Some(dot) = rest.iter().position(|byte| *byte == b'.') {
        rest = rest.get(dot + 1..).unwrap_or_default();
        if rest.len() < registered {
            break;
        }
        each(rest);
    }
}

/// Whether it is a domain name of at least two labels, as RFC 1035 section 2.3.4 bounds them, with underscores.
fn is_name(name: &[u8]) -> bool {
    if name.len() > 253 {
        return false;
    }
    let (mut labels, mut last_is_number) = (0, true);
    for label in name.split(|byte| *byte == b'.') {
        let fits = (1..=63).contains(&label.len())
            && label.iter().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
            });
        if !fits {
            return false;
        }
        labels += 1;
        last_is_number = label.iter().all(u8::is_ascii_digit);
    }
    labels > 1 && !last_is_number
}

/// The bounds of an IPv4 network.
pub fn network4(address: u32, length: u8) -> (u32, u32) {
    let kept = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(length))).unwrap_or(0);
    (address & kept, address | !kept)
}

/// Whether a time is one events can have: not long gone, and not ahead of `now` by more than an hour.
pub(crate) fn is_credible(time: Timestamp, now: Timestamp, days: u32) -> bool {
    time <= now.plus_seconds(3_600) && time >= now.plus_seconds(-i64::from(days) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hour;
    use crate::heat::Popularity;

    fn parents(name: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_parent(name.as_bytes(), |name| all.push(String::from_utf8(name.to_vec()).unwrap()));
        all
    }

    #[test]
    fn parents_end_at_what_was_registered() {
        assert_eq!(parents("a.b.evil.co.uk"), ["a.b.evil.co.uk", "b.evil.co.uk", "evil.co.uk"]);
        assert_eq!(parents("evil.example"), ["evil.example"]);
        assert_eq!(parents("co.uk"), ["co.uk"]);
        for none in ["localhost", "a..b", ".a.b", "a.b.", "10.0.0.1", "a b.example", "UPPER.example", ""] {
            assert!(parents(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn an_event_goes_to_its_page_and_one_that_does_not_count_goes_nowhere() {
        let key = MemoryKey::new([9; 32]);
        let (mut scribe, mut heat) = (Scribe::new(key.clone()), Heat::new(Hour(48)));
        let mut page = Page::new("eve".into(), Hour(50), "j".into(), 100);
        scribe.ipv4(0x0a00_0001);
        scribe.name(b"lost.example");
        scribe.end(false, &mut page, &mut heat);
        assert_eq!(page.values(), 0);
        for host in 0..40u32 {
            for _ in 0..16 {
                scribe.ipv4(0xc633_6407);
                scribe.ipv4(0x0a00_0001 + host);
                scribe.name(b"CDN.Evil.example");
                scribe.value(Code::Md5, &[7; 16]);
                scribe.end(true, &mut page, &mut heat);
            }
        }
        assert_eq!((page.addresses.len(), page.words.len()), (41, 3));
        let evil = key.of(Code::Domain as u8, b"evil.example");
        assert!(page.words.contains(&evil.0));
        let common = Popularity::over(std::slice::from_ref(&heat), &[vec![evil.0]])[0];
        assert!((30..50).contains(&common.hosts) && (38..43).contains(&common.all_hosts), "{common:?}");
        assert_eq!((common.lines, common.all_lines), (640, 640));
        // In the next hour all of it is new again.
        let mut next = Page::new("eve".into(), Hour(51), "j".into(), 100);
        scribe.name(b"cdn.evil.example");
        scribe.end(true, &mut next, &mut heat);
        assert_eq!(next.values(), 2);
    }

    #[test]
    fn networks_have_bounds() {
        assert_eq!(network4(0x0a01_0203, 16), (0x0a01_0000, 0x0a01_ffff));
        assert_eq!((network4(7, 32), network4(7, 0)), ((7, 7), (0, u32::MAX)));
        let key = MemoryKey::new([9; 32]);
        assert_eq!(network6(&key, 5, 64), network6(&key, 6, 64));
        assert_ne!(network6(&key, 5, 64), network6(&key, 5, 48));
    }
}
