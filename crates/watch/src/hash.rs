//! The keyed hash behind filter and table.
//!
//! Folded multiplication (as wyhash and foldhash do): fast on short keys and good enough for a table that compares
//! byte for byte afterwards. The key is per watchlist, so that values cannot be chosen to collide from outside.

/// What a hash is of. Kinds that one probe should find together share a class: an address and an address with a
/// port, MD5 and JA3, whatever a plain word of text may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum Class {
    /// IPv4 or IPv6 address, with or without port: hashed by the address alone.
    Address = 0x9ae1_6a3b_2f90_404f,
    /// Network: prefix octets and length.
    Network = 0xc3a5_c85c_97cb_3127,
    /// Domain name, or a suffix of one at a dot.
    Domain = 0xb492_b66f_be98_f273,
    /// URL from its `//` on.
    Url = 0x9ddf_ea08_eb38_2d69,
    /// E-mail address.
    Email = 0xe703_7ed1_a0b4_28db,
    /// Digest, by its digits in hex: telemetry is hashed as it is written.
    Digest = 0x8ebc_6af0_9c88_c6e3,
    /// JA4, file name, wallet.
    Word = 0x5899_65cc_7537_4cc3,
    /// Host of a listed URL; in the filter alone.
    UrlHost = 0x1d8e_4e27_c47d_124f,
}

const FOLD: u64 = 0x2020_2020_2020_2020;
const K1: u64 = 0x9e37_79b9_7f4a_7c15;
const K2: u64 = 0xd6e8_feb8_6659_fd93;

#[inline(always)]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Hash of raw octets.
#[inline(always)]
pub(crate) fn of_octets(key: u64, class: Class, bytes: &[u8]) -> u64 {
    hash(key ^ class as u64, bytes, 0)
}

/// Hash of text that does not tell upper from lower case: bit 5 of every octet is set before hashing, which folds
/// `A` onto `a` and, harmlessly, a few signs onto others (the table compares afterwards).
#[inline(always)]
pub(crate) fn of_text(key: u64, class: Class, bytes: &[u8]) -> u64 {
    hash(key ^ class as u64, bytes, FOLD)
}

/// Hash of an IPv4 address: what [`of_octets`] gives for its octets, for every key.
#[inline(always)]
pub(crate) fn of_ipv4(key: u64, address: u32) -> u64 {
    let word = u64::from(address.swap_bytes());
    finish(key ^ Class::Address as u64, word, word, 4)
}

/// Hash of the hex digits of a raw digest, as [`of_text`] gives it for the digits.
pub(crate) fn of_digest(key: u64, bytes: &[u8]) -> u64 {
    let mut digits = [0u8; 128];
    let used = (bytes.len() * 2).min(digits.len());
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [byte >> 4, byte & 15].map(|digit| digit + if digit < 10 { b'0' } else { b'a' - 10 });
    }
    of_text(key, Class::Digest, digits.get(..used).unwrap_or_default())
}

#[inline(always)]
fn finish(state: u64, a: u64, b: u64, length: usize) -> u64 {
    mix(mix(a ^ K1, b ^ state) ^ K2, K1 ^ length as u64)
}

#[inline(always)]
fn hash(key: u64, bytes: &[u8], fold: u64) -> u64 {
    let length = bytes.len();
    let mut state = key;
    let (a, b) = if length <= 16 {
        if let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)))
        } else {
            match *bytes {
                [a] => (u64::from(a), 0),
                [a, b] => (u64::from(a) | u64::from(b) << 8, 0),
                [a, b, c] => (u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16, 0),
                _ => (0, 0),
            }
        }
    } else {
        let (chunks, _) = bytes.as_chunks::<16>();
        for chunk in chunks {
            let (head, tail) = halves(chunk);
            state = mix((head | fold) ^ K2, (tail | fold) ^ state);
        }
        bytes.last_chunk::<16>().map_or((0, 0), halves)
    };
    finish(state, a | fold, b | fold, length)
}

#[inline(always)]
fn halves(chunk: &[u8; 16]) -> (u64, u64) {
    let whole = u128::from_le_bytes(*chunk);
    (whole as u64, (whole >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_folds_case_and_octets_do_not() {
        for text in ["a", "ab", "abc", "abcd", "evil.example", "a-rather-long-name.of.evil.example", ""] {
            let upper = text.to_ascii_uppercase();
            assert_eq!(
                of_text(7, Class::Domain, text.as_bytes()),
                of_text(7, Class::Domain, upper.as_bytes())
            );
            if !text.is_empty() {
                assert_ne!(
                    of_octets(7, Class::Digest, text.as_bytes()),
                    of_octets(7, Class::Digest, upper.as_bytes())
                );
            }
        }
    }

    #[test]
    fn class_key_and_every_octet_count() {
        let base = of_octets(1, Class::Digest, &[0; 32]);
        assert_ne!(base, of_octets(2, Class::Digest, &[0; 32]));
        assert_ne!(base, of_octets(1, Class::Network, &[0; 32]));
        for length in 1..64 {
            for at in 0..length {
                let (plain, mut other) = (vec![1u8; length], vec![1u8; length]);
                other[at] = 2;
                assert_ne!(
                    of_octets(1, Class::Digest, &plain),
                    of_octets(1, Class::Digest, &other),
                    "{length} {at}"
                );
            }
        }
    }

    #[test]
    fn a_digest_hashes_as_it_is_written() {
        for length in [16, 20, 32, 64] {
            let bytes: Vec<u8> = (0..length).map(|byte: u8| byte.wrapping_mul(37)).collect();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(of_digest(5, &bytes), of_text(5, Class::Digest, hex.as_bytes()));
        }
    }

    #[test]
    fn the_ipv4_short_cut_agrees() {
        for address in [0u32, 1, 0xc000_0201, u32::MAX] {
            assert_eq!(of_ipv4(9, address), of_octets(9, Class::Address, &address.to_be_bytes()));
        }
    }
}
