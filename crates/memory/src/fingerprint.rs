//! What is kept of a value: 56 bits under a key that never leaves its directory.
//!
//! The key keeps others from choosing values that are taken for each other, and a copied file from being asked for
//! words without it. The hash folds the 128-bit product of two words into one (wyhash's step), in two lanes
//! that share nothing but the value.

use std::fmt;

/// Bits of a fingerprint.
pub(crate) const BITS: u32 = 56;
/// Bits that find the place; the others confirm.
const PLACE_BITS: u32 = 24;
const CONFIRM_BITS: u32 = BITS - PLACE_BITS;

/// What is kept of a value that is not an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub(crate) u64);

impl Fingerprint {
    /// It as a number below 2⁵⁶.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// The secret of one memory.
#[derive(Clone)]
pub struct MemoryKey {
    place: [u64; 2],
    confirm: [u64; 2],
}

impl fmt::Debug for MemoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryKey(hidden)")
    }
}

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// SplitMix64's finalizer (Steele, Lea, Flood 2014): no word of a key is poor in ones, whatever the bytes.
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

impl MemoryKey {
    /// The key of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let mut words = [0u64; 4];
        for ((word, chunk), place) in words.iter_mut().zip(bytes.as_chunks::<8>().0).zip(1u64..) {
            *word = mix(u64::from_le_bytes(*chunk).wrapping_add(place.wrapping_mul(ODD)));
        }
        let [a, b, c, d] = words;
        Self { place: [a, b], confirm: [c, d] }
    }

    /// The fingerprint of a value: the number of its kind, and its normal form.
    #[inline]
    pub fn of(&self, kind: u8, value: &[u8]) -> Fingerprint {
        let (place, confirm) = self.lanes(u64::from(kind), value);
        Fingerprint(place >> (64 - PLACE_BITS) << CONFIRM_BITS | confirm >> (64 - CONFIRM_BITS))
    }

    /// A word of 64 bits for an address, by which hosts are told apart.
    #[inline]
    pub fn host(&self, address: u128) -> u64 {
        self.lanes(u64::MAX, &address.to_le_bytes()).1
    }

    /// By which a file knows the key it was written under; tells nothing of it.
    pub(crate) fn check(&self) -> u64 {
        let (a, b) = self.lanes(u64::MAX - 1, b"which key is this");
        fold(a, b)
    }

    #[inline(always)]
    fn lanes(&self, kind: u64, value: &[u8]) -> (u64, u64) {
        let ([p0, p1], [c0, c1]) = (self.place, self.confirm);
        let seed = kind << 32 ^ value.len() as u64;
        let (mut place, mut confirm) = (fold(p0 ^ seed, p1 ^ ODD), fold(c0 ^ seed, c1 ^ ODD));
        let (chunks, rest) = value.as_chunks::<16>();
        let mut step = |low: u64, high: u64| {
            place = fold(low ^ p0 ^ place, high ^ p1);
            confirm = fold(low ^ c1 ^ confirm, high ^ c0);
        };
        for chunk in chunks {
            let whole = u128::from_le_bytes(*chunk);
            step(whole as u64, (whole >> 64) as u64);
        }
        if !rest.is_empty() {
            let mut last = [0u8; 16];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            let whole = u128::from_le_bytes(last);
            step(whole as u64, (whole >> 64) as u64);
        }
        (fold(place ^ p1, ODD ^ p0), fold(confirm ^ c0, ODD ^ c1))
    }
}

/// A checksum against accidents (not against people), in 64 bits.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mut key = [0u8; 32];
    for (place, byte) in key.iter_mut().enumerate() {
        *byte = (place as u8).wrapping_mul(0x9d) ^ 0xa5;
    }
    let (a, b) = MemoryKey::new(key).lanes(1, bytes);
    a ^ b.rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn kind_key_length_and_every_octet_count() {
        let key = MemoryKey::new([7; 32]);
        let base = key.of(5, b"evil.example.of.some.length");
        assert!(base.0 < 1 << BITS);
        assert_ne!(base, key.of(6, b"evil.example.of.some.length"));
        assert_ne!(base, MemoryKey::new([8; 32]).of(5, b"evil.example.of.some.length"));
        assert_ne!(key.of(5, b"a"), key.of(5, b"a\0"));
        let mut all = HashSet::new();
        for place in 0..27 {
            for bit in 0..8 {
                let mut bytes = *b"evil.example.of.some.length";
                bytes[place] ^= 1 << bit;
                all.insert(key.of(5, &bytes));
            }
        }
        assert_eq!(all.len(), 27 * 8);
        assert_eq!(format!("{key:?}"), "MemoryKey(hidden)");
    }

    #[test]
    fn fingerprints_are_spread_evenly_and_the_two_parts_do_not_depend_on_each_other() {
        let mut seed = [0; 32];
        seed.iter_mut().zip(1u8..).for_each(|(byte, n)| *byte = n.wrapping_mul(37));
        let key = MemoryKey::new(seed);
        let (mut high, mut low, mut both) = ([0u32; 64], [0u32; 64], vec![0u32; 4096]);
        for n in 0u32..400_000 {
            let Fingerprint(f) = key.of(5, format!("host-{n}.example").as_bytes());
            let (a, b) = ((f >> 50) as usize, (f >> 26 & 63) as usize);
            high[a] += 1;
            low[b] += 1;
            both[a * 64 + b] += 1;
        }
        // 6250 expected each, standard deviation 79; and 97.7 each, 9.9.
        assert!(high.iter().chain(&low).all(|count| count.abs_diff(6250) < 500), "{high:?} {low:?}");
        assert!(both.iter().all(|count| count.abs_diff(98) < 60));
    }
}
