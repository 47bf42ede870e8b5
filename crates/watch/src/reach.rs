//! What a value reaches as written: the name of its host, the addresses it stands for; and what must stay reachable.
//!
//! Blocking a domain blocks the names below it, blocking a network the addresses in it. So whoever offers values to
//! be blocked asks a [`Protected`] set first: nothing may be blocked that is, contains, or is a parent of something
//! protected. No name is ever resolved: what is written alone counts.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::value::{Kind, Value};

/// Networks wider than this many address bits fixed are on no block list: too much that is harmless lies in them.
const NETWORK4_PREFIX_MIN: u32 = 8;
/// The same for IPv6.
const NETWORK6_PREFIX_MIN: u32 = 16;

/// Addresses from first to last; IPv4 and IPv6 apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// Whether they are IPv6 addresses.
    pub six: bool,
    /// The first one as a number.
    pub first: u128,
    /// The last one as a number.
    pub last: u128,
}

impl AddressRange {
    /// One address.
    pub fn one(ip: IpAddr) -> Self {
        let (six, number) = match ip.to_canonical() {
            IpAddr::V4(ip) => (false, u128::from(u32::from(ip))),
            IpAddr::V6(ip) => (true, u128::from(ip)),
        };
        Self { six, first: number, last: number }
    }

    /// Whether they share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.six == other.six && self.first <= other.last && other.first <= self.last
    }

    /// Whether every address of `other` is in here.
    pub fn contains(&self, other: &Self) -> bool {
        self.six == other.six && self.first <= other.first && other.last <= self.last
    }
}

/// The host a value names, lower case: a domain itself, the host of a URL (an address without brackets), the domain
/// of an e-mail address.
pub fn host(value: &Value) -> Option<String> {
    let text = value.to_string();
    match value.kind() {
        Kind::Domain => Some(text),
        Kind::Email => text.rsplit_once('@').map(|(_, host)| host.to_owned()),
        Kind::Url => {
            let rest = text.split_once("//").map_or(text.as_str(), |(_, rest)| rest);
            let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let host = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(host, _)| host);
            Some(host.trim_matches(['[', ']']).to_ascii_lowercase())
        }
        _ => None,
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The addresses a value stands for: an address, a network, the address of an endpoint or of a URL.
pub fn addresses(value: &Value) -> Option<AddressRange> {
    match value.kind() {
        Kind::Ipv4 | Kind::Ipv6 => value.to_string().parse().ok().map(AddressRange::one),
        Kind::IpPort => {
            let socket = value.to_string().parse::<std::net::SocketAddr>().ok()?;
            Some(AddressRange::one(socket.ip()))
        }
        Kind::Url => host(value)?.parse().ok().map(AddressRange::one),
        Kind::Cidr4 | Kind::Cidr6 => {
            let six = value.kind() == Kind::Cidr6;
            let (fixed, text) = (prefix_length(value)?, value.to_string());
            let first = AddressRange::one(text.split_once('/')?.0.parse().ok()?).first;
            let free = (if six { 128 } else { 32u32 }).saturating_sub(fixed);
            let last = first | 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
            Some(AddressRange { six, first, last })
        }
        _ => None,
    }
}

/// The prefix length of a network in bits; `None` for anything else.
pub fn prefix_length(value: &Value) -> Option<u32> {
    match value.kind() {
        Kind::Cidr4 | Kind::Cidr6 => value.bytes().last().map(|length| u32::from(*length)),
        _ => None,
    }
}

/// Values no indicator can mean: whole registries of names, great parts of the address space, addresses every
/// network uses for itself (RFC 6890).
pub fn is_too_broad(value: &Value) -> bool {
    let local = |text: &str| match text.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_unspecified() || ip.is_loopback() || ip.is_broadcast(),
        Ok(IpAddr::V6(ip)) => ip.is_unspecified() || ip.is_loopback(),
        Err(_) => false,
    };
    match value.kind() {
        Kind::Domain => !value.to_string().contains('.'),
        Kind::Ipv4 | Kind::Ipv6 => local(&value.to_string()),
        Kind::Cidr4 => prefix_length(value).is_none_or(|fixed| fixed < NETWORK4_PREFIX_MIN),
        Kind::Cidr6 => prefix_length(value).is_none_or(|fixed| fixed < NETWORK6_PREFIX_MIN),
        _ => false,
    }
}

/// What must stay reachable.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    values: HashSet<Value>,
    /// Protected names and all their parents: blocking one of these blocks a protected name.
    domains: HashSet<String>,
    /// Protected names alone.
    hosts: HashSet<String>,
    /// Sorted by first address, each with the highest last address up to it.
    ranges: Vec<AddressRange>,
}

impl Protected {
    /// The set of `values`.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut protected = Self::default();
        for value in values {
            if let Some(host) = host(value) {
                let mut parent = Some(host.as_str());
                while let Some(name) = parent {
                    protected.domains.insert(name.to_owned());
                    parent = name.split_once('.').map(|(_, parent)| parent);
                }
                protected.hosts.insert(host);
            }
            protected.ranges.extend(addresses(value));
            protected.values.insert(value.clone());
        }
        protected.ranges.sort_unstable();
        let mut highest: Option<(bool, u128)> = None;
        for range in &mut protected.ranges {
            let so_far = highest
                .filter(|(six, _)| *six == range.six)
                .map_or(range.last, |(_, high)| high.max(range.last));
            highest = Some((range.six, so_far));
            range.last = so_far;
        }
        protected
    }

    /// Whether nothing is protected.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether blocking `value` would block something protected.
    pub fn is_touched_by(&self, value: &Value) -> bool {
        if self.values.contains(value) || addresses(value).is_some_and(|range| self.overlaps(&range)) {
            return true;
        }
        match value.kind() {
            Kind::Domain => self.domains.contains(&value.to_string()),
            Kind::Url => host(value).is_some_and(|host| self.hosts.contains(&host)),
            _ => false,
        }
    }

    fn overlaps(&self, range: &AddressRange) -> bool {
        let until = self.ranges.partition_point(|known| (known.six, known.first) <= (range.six, range.last));
        let before = until.checked_sub(1).and_then(|place| self.ranges.get(place));
        before.is_some_and(|known| known.six == range.six && known.last >= range.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: &str, text: &str) -> Value {
        Value::new(kind.parse().unwrap(), text).unwrap()
    }

    #[test]
    fn hosts_and_addresses_are_read_as_written() {
        assert_eq!(host(&value("url", "http://u@[2001:db8::1]:8080/x")).as_deref(), Some("2001:db8::1"));
        assert_eq!(host(&value("url", "https://Evil.Example/a?b")).as_deref(), Some("evil.example"));
        assert_eq!(host(&value("email", "a@evil.example")).as_deref(), Some("evil.example"));
        assert_eq!(host(&value("ip", "192.0.2.1")), None);
        let whole = addresses(&value("cidr", "::/0")).unwrap();
        assert_eq!((whole.first, whole.last), (0, u128::MAX));
        let net = addresses(&value("cidr", "198.51.100.0/24")).unwrap();
        assert!(net.contains(&addresses(&value("ip-port", "198.51.100.255:80")).unwrap()));
        assert!(!net.overlaps(&addresses(&value("url", "http://198.51.101.0/")).unwrap()));
        assert!(!whole.overlaps(&net), "IPv4 is no part of IPv6");
    }

    #[test]
    fn a_parent_a_network_and_the_thing_itself_touch_what_is_protected() {
        let set = Protected::of(&[
            value("domain", "stop.bad.example"),
            value("cidr", "203.0.113.0/28"),
            value("cidr", "203.0.112.0/20"),
            value("url", "http://host.example/x"),
        ]);
        for (kind, text, touched) in [
            ("domain", "bad.example", true),
            ("domain", "example", true),
            ("domain", "other.bad.example", false),
            ("domain", "x.stop.bad.example", false),
            ("url", "https://stop.bad.example/y", true),
            ("url", "https://bad.example/y", false),
            ("domain", "host.example", true),
            ("ip", "203.0.127.255", true),
            ("ip", "203.0.128.0", false),
            ("cidr", "203.0.0.0/16", true),
            ("cidr6", "::/0", false),
        ] {
            assert_eq!(set.is_touched_by(&value(kind, text)), touched, "{text}");
        }
    }
}
