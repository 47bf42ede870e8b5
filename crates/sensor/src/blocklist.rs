//! The one thing a sensor offers for acting on: a list of values a defender may block. It blocks nothing itself.
//!
//! Only values of [`IndicatorRole::may_be_blocked`] indicators are listed, and none whose blocking would touch a
//! value in another role: blocking a kill switch, its parent domain or the network it stands in lets the malware
//! run. No name is ever resolved: the rule looks at what is written alone.
//!
//! [`IndicatorRole::may_be_blocked`]: shieldwall_model::indicator::IndicatorRole::may_be_blocked

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};

use crate::knowledge::Held;

/// Networks wider than this many address bits fixed are never listed: too much that is harmless lies in them.
const NETWORK4_PREFIX_MIN: u32 = 8;
/// The same for IPv6.
const NETWORK6_PREFIX_MIN: u32 = 16;

/// The values that may be blocked, by kind, and what was left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Blocklist {
    values: BTreeMap<Kind, BTreeSet<String>>,
    /// Values in a role that is never blocked.
    in_other_roles: BTreeMap<&'static str, usize>,
    /// Malicious values whose blocking would touch one of those.
    touching: usize,
    /// Malicious values that are too broad, or local to every network.
    too_broad: usize,
}

/// Addresses from first to last, IPv4 and IPv6 apart.
type Range = (bool, u128, u128);

/// What must stay reachable.
#[derive(Default)]
struct Protected {
    values: HashSet<Value>,
    /// Protected names and all their parents: blocking one of these blocks a protected name.
    domains: HashSet<String>,
    /// Protected names alone.
    hosts: HashSet<String>,
    /// Sorted by first address, each with the highest last address up to it.
    ranges: Vec<(bool, u128, u128)>,
}

impl Blocklist {
    /// What may be blocked of the `active` indicators.
    pub(crate) fn of<'a>(active: impl Iterator<Item = &'a Held> + Clone) -> Self {
        let protected = Protected::of(active.clone().filter(|held| !held.role.may_be_blocked()));
        let mut list = Self::default();
        for held in active {
            if !held.role.may_be_blocked() {
                *list.in_other_roles.entry(held.role.as_str()).or_default() += held.values.len();
                continue;
            }
            for value in &held.values {
                if is_too_broad(value) {
                    list.too_broad += 1;
                } else if protected.is_touched_by(value) {
                    list.touching += 1;
                } else {
                    list.values.entry(value.kind()).or_default().insert(value.to_string());
                }
            }
        }
        list
    }

    /// How many values are listed.
    pub(crate) fn len(&self) -> usize {
        self.values.values().map(BTreeSet::len).sum()
    }

    /// The file: comments begin with `#`, every other line is one value.
    pub(crate) fn text(&self, sensor: &str, now: Timestamp) -> String {
        let mut text = String::new();
        let left_out: Vec<String> =
            self.in_other_roles.iter().map(|(role, count)| format!("{count} {role}")).collect();
        let _ = writeln!(text, "# Values {sensor} may have blocked, as of {now}: {}", self.len());
        let _ = writeln!(
            text,
            "# Left out because their role forbids it: {}",
            if left_out.is_empty() { "none".into() } else { left_out.join(", ") }
        );
        let _ =
            writeln!(text, "# Left out because blocking them would touch one of those: {}", self.touching);
        let _ = writeln!(text, "# Left out as too broad or local: {}", self.too_broad);
        for (kind, values) in &self.values {
            let _ = writeln!(text, "# {kind} ({})", values.len());
            // A value is one line: nothing an indicator holds may start another.
            for value in
                values.iter().filter(|value| !value.starts_with('#') && !value.contains(char::is_control))
            {
                let _ = writeln!(text, "{value}");
            }
        }
        text
    }
}

impl Protected {
    fn of<'a>(held: impl Iterator<Item = &'a Held>) -> Self {
        let mut protected = Self::default();
        for value in held.flat_map(|held| &held.values) {
            if let Some(host) = host_of(value) {
                let mut parent = Some(host.as_str());
                while let Some(name) = parent {
                    protected.domains.insert(name.to_owned());
                    parent = name.split_once('.').map(|(_, parent)| parent);
                }
                protected.hosts.insert(host);
            }
            protected.ranges.extend(range_of(value));
            protected.values.insert(value.clone());
        }
        protected.ranges.sort_unstable();
        let mut highest = None;
        for (six, _, last) in &mut protected.ranges {
            let so_far =
                highest.filter(|(of, _)| of == six).map_or(*last, |(_, high): (bool, u128)| high.max(*last));
            highest = Some((*six, so_far));
            *last = so_far;
        }
        protected
    }

    /// Whether blocking `value` would block something protected.
    fn is_touched_by(&self, value: &Value) -> bool {
        if self.values.contains(value) || range_of(value).is_some_and(|range| self.overlaps(range)) {
            return true;
        }
        match value.kind() {
            Kind::Domain => self.domains.contains(&value.to_string()),
            Kind::Url => host_of(value).is_some_and(|host| self.hosts.contains(&host)),
            _ => false,
        }
    }

    fn overlaps(&self, (six, first, last): Range) -> bool {
        let until = self.ranges.partition_point(|(of, start, _)| (*of, *start) <= (six, last));
        let before = until.checked_sub(1).and_then(|place| self.ranges.get(place));
        before.is_some_and(|(of, _, highest)| *of == six && *highest >= first)
    }
}

/// The name a value reaches, lower case.
fn host_of(value: &Value) -> Option<String> {
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

/// The addresses a value reaches as written.
fn range_of(value: &Value) -> Option<Range> {
    let one = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (false, u128::from(u32::from(ip)), u128::from(u32::from(ip))),
        IpAddr::V6(ip) => (true, u128::from(ip), u128::from(ip)),
    };
    match value.kind() {
        Kind::Ipv4 | Kind::Ipv6 => value.to_string().parse().ok().map(one),
        Kind::IpPort => value.to_string().parse::<std::net::SocketAddr>().ok().map(|socket| one(socket.ip())),
        Kind::Url => host_of(value)?.parse().ok().map(one),
        Kind::Cidr4 | Kind::Cidr6 => {
            let (six, first, fixed) = network_of(value)?;
            let free = (if six { 128 } else { 32u32 }).saturating_sub(fixed);
            Some((six, first, first | 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1)))
        }
        _ => None,
    }
}

/// A network's family, first address and prefix length.
fn network_of(value: &Value) -> Option<(bool, u128, u32)> {
    let text = value.to_string();
    let (address, fixed) = text.split_once('/')?;
    let fixed = fixed.parse().ok()?;
    Some(match value.kind() {
        Kind::Cidr4 => (false, u128::from(u32::from(address.parse::<Ipv4Addr>().ok()?)), fixed),
        _ => (true, u128::from(address.parse::<Ipv6Addr>().ok()?), fixed),
    })
}

/// Values no indicator can mean: whole registries of names, great parts of the address space, addresses every
/// network uses for itself (RFC 6890).
fn is_too_broad(value: &Value) -> bool {
    let local = |text: &str| match text.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_unspecified() || ip.is_loopback() || ip.is_broadcast(),
        Ok(IpAddr::V6(ip)) => ip.is_unspecified() || ip.is_loopback(),
        Err(_) => false,
    };
    match value.kind() {
        Kind::Domain => !value.to_string().contains('.'),
        Kind::Ipv4 | Kind::Ipv6 => local(&value.to_string()),
        Kind::Cidr4 => network_of(value).is_none_or(|(_, _, fixed)| fixed < NETWORK4_PREFIX_MIN),
        Kind::Cidr6 => network_of(value).is_none_or(|(_, _, fixed)| fixed < NETWORK6_PREFIX_MIN),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::tests::{item, knowing};
    use crate::wire::Item;
    use proptest::prelude::*;
    use shieldwall_model::indicator::IndicatorRole::{self, *};

    fn lines(items: Vec<Item>) -> (Vec<String>, Blocklist) {
        let knowledge = knowing(items);
        let active: Vec<_> = knowledge.iter_active().cloned().collect();
        let list = Blocklist::of(active.iter());
        let text = list.text("edge-1", Timestamp::from_micros(0));
        let values = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        (values, list)
    }

    #[test]
    fn only_malicious_values_are_listed_and_the_head_says_what_is_not() {
        let knowledge = knowing(vec![
            item(1, Malicious, &[("domain", "evil.example"), ("ipv4", "203.0.113.9")]),
            item(2, KillSwitch, &[("domain", "stop.example")]),
            item(3, Vaccine, &[("file-name", "perfc.dat")]),
            item(4, Malicious, &[("domain", "stop.example"), ("cidr4", "0.0.0.0/0")]),
        ]);
        let active: Vec<_> = knowledge.iter_active().cloned().collect();
        let text = Blocklist::of(active.iter()).text("edge-1", Timestamp::from_micros(0));
        assert_eq!(
            text,
            "# Values edge-1 may have blocked, as of 1970-01-01T00:00:00.000000Z: 2\n\
             # Left out because their role forbids it: 1 kill-switch, 1 vaccine\n\
             # Left out because blocking them would touch one of those: 1\n\
             # Left out as too broad or local: 1\n\
             # ipv4-addr (1)\n203.0.113.9\n# domain-name (1)\nevil.example\n"
        );
    }

    #[test]
    fn nothing_is_listed_whose_blocking_touches_a_protected_value() {
        let protected = [
            item(1, KillSwitch, &[("domain", "stop.bad.example")]),
            item(2, VictimInfrastructure, &[("ipv4", "198.51.100.7"), ("url", "http://192.0.2.80:8080/x")]),
            item(3, Suspect, &[("cidr4", "203.0.113.0/28"), ("cidr6", "2001:db8:1::/48")]),
        ];
        let touching = [
            ("domain", "stop.bad.example"),
            ("domain", "bad.example"),
            ("url", "http://stop.bad.example/payload"),
            ("ipv4", "198.51.100.7"),
            ("ip-port", "198.51.100.7:443"),
            ("cidr4", "198.51.100.0/24"),
            ("ipv4", "192.0.2.80"),
            ("ipv4", "203.0.113.15"),
            ("cidr4", "203.0.113.8/29"),
            ("cidr6", "2001:db8::/32"),
            ("ip-port", "[2001:db8:1::5]:80"),
        ];
        let free = [
            ("domain", "other.bad.example"),
            ("domain", "notbad.example"),
            ("ipv4", "198.51.100.8"),
            ("ipv4", "203.0.113.16"),
            ("cidr4", "203.0.113.16/28"),
            ("cidr6", "2001:db8:2::/48"),
            ("url", "http://other.bad.example/stop.bad.example"),
        ];
        for (values, listed) in [(&touching[..], false), (&free[..], true)] {
            for value in values {
                let mut items = protected.to_vec();
                items.push(item(9, Malicious, &[*value]));
                let (lines, list) = lines(items);
                assert_eq!((lines.len() == 1, list.touching == 1), (listed, !listed), "{value:?}: {lines:?}");
            }
        }
    }

    fn role() -> impl Strategy<Value = IndicatorRole> {
        proptest::sample::select(IndicatorRole::ALL.to_vec())
    }

    proptest! {
        /// Whatever carries it beside, a value in a role that is never blocked is never listed.
        #[test]
        fn a_value_in_another_role_is_never_listed(
            given in proptest::collection::vec((role(), 0u8..6), 1..30)
        ) {
            let name = |value: u8| format!("v{value}.example");
            let items = given.iter().enumerate().map(|(number, (role, value))| {
                item(number as u128 + 1, *role, &[("domain", &name(*value))])
            });
            let (lines, _) = lines(items.collect());
            for (role, value) in &given {
                if !role.may_be_blocked() {
                    prop_assert!(!lines.contains(&name(*value)));
                } else if given.iter().all(|(role, other)| other != value || role.may_be_blocked()) {
                    prop_assert!(lines.contains(&name(*value)));
                }
            }
        }
    }

    #[test]
    fn no_value_starts_a_line_of_its_own() {
        let hostile = "x\nstop.example";
        let (lines, _) = lines(vec![
            item(1, Malicious, &[("file-name", hostile), ("file-name", "#x"), ("file-name", "fine")]),
            item(2, KillSwitch, &[("domain", "stop.example")]),
        ]);
        assert_eq!(lines, ["fine"]);
    }
}
