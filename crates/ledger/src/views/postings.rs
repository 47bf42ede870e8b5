//! Postings: which objects hold what, by key. Never which objects belong together.
//!
//! Kept for the version of an object that is in use; a later version, a recall or a withdrawal takes them away. They lie
//! in a full-text index whose words are keys: it gathers new ones in memory and merges them in order, so that keys
//! spread at random cost no random writes, keeps a key held by thousands of objects in a byte or two each, and forgets
//! an object by its row alone. A key's word begins with its group's number, so what one group holds is never read on
//! the way to another's.
//!
//! | word | what it is |
//! |---|---|
//! | `<group>h` and 13 characters | a hashed key |
//! | `<group>i`, `<group>j` and the address | an IPv4 or IPv6 address; words are in the order of addresses |
//! | `<group>m`, `<group>n`, the first address, the length | an IPv4 or IPv6 network, in the same order |

use std::fmt::Write as _;
use std::net::IpAddr;

use rusqlite::params;

use super::{Put, Views, ViewsError};

/// What an object is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Anything that is equal or not, hashed by the caller.
    Hashed([u8; 8]),
    /// An address: also found by the networks around it.
    Address(IpAddr),
    /// A network by its first address and the length of its prefix.
    Network(IpAddr, u8),
}

impl Key {
    /// The words of all addresses and all networks inside a network, in the group of this number: from, to.
    pub(crate) fn words_inside(net: IpAddr, length: u8, group: i64) -> [(String, String); 2] {
        let (first, last) = ends(net, length);
        let addresses = (Self::Address(first).word(group), Self::Address(last).word(group));
        let networks = (Self::Network(first, length).word(group), Self::Network(last, u8::MAX).word(group));
        [addresses, networks]
    }

    /// The network of this length around an address; `None` when an address has not so many bits.
    pub fn around(ip: IpAddr, length: u8) -> Option<Self> {
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        (length <= bits).then(|| Self::Network(ends(ip, length).0, length))
    }

    /// The word it is kept under in the group of this number.
    pub(crate) fn word(&self, group: i64) -> String {
        let mut word = format!("{group:x}");
        match self {
            Self::Hashed(bytes) => {
                word.push('h');
                spell(&mut word, bytes);
            }
            Self::Address(ip) => {
                word.push(if ip.is_ipv4() { 'i' } else { 'j' });
                spell_ip(&mut word, *ip);
            }
            Self::Network(ip, length) => {
                word.push(if ip.is_ipv4() { 'm' } else { 'n' });
                spell_ip(&mut word, *ip);
                let _ = write!(word, "{length:02x}");
            }
        }
        word
    }
}

/// The first and the last address of a network.
fn ends(ip: IpAddr, length: u8) -> (IpAddr, IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            let bits = u32::from(ip);
            (IpAddr::V4((bits & !host).into()), IpAddr::V4((bits | host).into()))
        }
        IpAddr::V6(ip) => {
            let host = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            let bits = u128::from(ip);
            (IpAddr::V6((bits & !host).into()), IpAddr::V6((bits | host).into()))
        }
    }
}

/// Bytes in 32 characters whose order is that of the bytes (RFC 4648 section 7, lower case, not padded).
fn spell(word: &mut String, bytes: &[u8]) {
    let (mut waiting, mut bits) = (0u32, 0u32);
    let mut put = |five: u32| word.extend(char::from_digit(five & 31, 32));
    for byte in bytes {
        waiting = (waiting << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            put(waiting >> bits);
        }
    }
    if bits > 0 {
        put(waiting << (5 - bits));
    }
}

fn spell_ip(word: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => spell(word, &ip.octets()),
        IpAddr::V6(ip) => spell(word, &ip.octets()),
    }
}

impl Views<'_> {
    /// Keeps what a version of an object that was just put holds, if it is the one in use; what the one before it held
    /// is gone by then.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn put_keys(&mut self, put: Put, keys: &[Key]) -> Result<(), ViewsError> {
        let Put { group, row, alone } = put;
        let in_use = alone
            || self
                .connection
                .prepare_cached("SELECT latest = 1 AND withdrawn = 0 FROM objects WHERE row = ?1")?
                .query_row(params![row], |row| row.get(0))?;
        if !in_use || keys.is_empty() {
            return Ok(());
        }
        let words: Vec<String> = keys.iter().map(|key| key.word(group)).collect();
        self.connection
            .prepare_cached("INSERT INTO keys (rowid, held) VALUES (?1, ?2)")?
            .execute(params![row, words.join(" ")])?;
        for key in keys {
            let Key::Network(ip, length) = key else { continue };
            self.connection
                .prepare_cached(
                    "INSERT INTO prefixes (grp, family, length) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![group, family(*ip), length])?;
        }
        Ok(())
    }

    /// Takes away what the version in use holds, before another takes its place or it is withdrawn.
    pub(super) fn forget_keys(&self, group: i64, id: &str) -> Result<(), ViewsError> {
        self.connection
            .prepare_cached(
                "DELETE FROM keys WHERE rowid IN
                 (SELECT row FROM objects WHERE grp = ?1 AND id = ?2 AND latest = 1 AND withdrawn = 0)",
            )?
            .execute(params![group, id])?;
        Ok(())
    }
}

/// 4 or 6.
pub(crate) const fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 4 } else { 6 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_tell_groups_and_kinds_apart() {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(Key::Hashed([0xff; 8]).word(10), "ahvvvvvvvvvvvvu");
        assert_eq!(Key::Address(ip).word(1), "1io000408");
        assert_eq!(Key::Network("192.0.2.0".parse().unwrap(), 24).word(1), "1mo00040018");
        assert!(Key::Address("::1".parse().unwrap()).word(1).starts_with("1j"));
    }

    proptest! {
        #[test]
        fn words_are_in_the_order_of_addresses(a in any::<u32>(), b in any::<u32>(), c in any::<u128>(), d in any::<u128>()) {
            let v4 = |bits: u32| Key::Address(IpAddr::V4(bits.into())).word(3);
            prop_assert_eq!(a.cmp(&b), v4(a).cmp(&v4(b)));
            let v6 = |bits: u128| Key::Address(IpAddr::V6(bits.into())).word(3);
            prop_assert_eq!(c.cmp(&d), v6(c).cmp(&v6(d)));
        }
    }
}
