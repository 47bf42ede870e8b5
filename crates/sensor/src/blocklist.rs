//! The one thing a sensor offers for acting on: a list of values a defender may block. It blocks nothing itself.
//!
//! Only values of [`IndicatorRole::may_be_blocked`] indicators are listed, and none whose blocking would touch a
//! value in another role: blocking a kill switch, its parent domain or the network it stands in lets the malware
//! run. No name is ever resolved: the rule looks at what is written alone.
//!
//! [`IndicatorRole::may_be_blocked`]: shieldwall_model::indicator::IndicatorRole::may_be_blocked

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use shieldwall_model::time::Timestamp;
use shieldwall_watch::reach::{Protected, is_too_broad};
use shieldwall_watch::value::Kind;

use crate::knowledge::Held;

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

impl Blocklist {
    /// What may be blocked of the `active` indicators.
    pub(crate) fn of<'a>(active: impl Iterator<Item = &'a Held> + Clone) -> Self {
        let protected = Protected::of(
            active.clone().filter(|held| !held.role.may_be_blocked()).flat_map(|held| &held.values),
        );
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

    /// The switches and the five suspected relays of WannaCry, May 2017, beside senders who took them for the attacker's:
    /// nothing of it is offered for blocking, nor what covers it.
    #[test]
    fn the_switches_and_relays_of_a_real_outbreak_are_never_offered() {
        let switches = [
            "iuqerfsodp9ifjaposdfjhgosurijfaewrwergwea.com",
            "ifferfsodp9ifjaposdfjhgosurijfaewrwergwea.com",
        ];
        let relays = [
            "128.31.0.39:9191",
            "197.231.221.211:9001",
            "149.202.160.69:9001",
            "46.101.166.19:9090",
            "91.121.65.179:9001",
        ];
        let mut items = Vec::new();
        let mut add = |role, kind, value: &str| {
            items.push(item(items.len() as u128 + 1, role, &[(kind, value)]));
        };
        for switch in switches {
            add(KillSwitch, "domain", switch);
            add(Malicious, "domain", switch);
            add(Malicious, "url", &format!("http://www.{switch}/").replace("www.", ""));
        }
        for relay in relays {
            let address = relay.split(':').next().unwrap();
            add(Suspect, "ip-port", relay);
            for (kind, value) in [
                ("ip-port", relay.to_owned()),
                ("ipv4", address.to_owned()),
                ("cidr4", format!("{address}/24")),
            ] {
                add(Malicious, kind, &value);
            }
        }
        add(Malicious, "sha256", "24d004a104d4d54034dbcffc2a4b19a11f39008a575aa614ea04703480b1022c");
        let (lines, list) = lines(items);
        assert_eq!(lines, ["24d004a104d4d54034dbcffc2a4b19a11f39008a575aa614ea04703480b1022c"]);
        assert_eq!(
            (list.touching, list.in_other_roles["kill-switch"], list.in_other_roles["suspect"]),
            (4 + 15, 2, 5)
        );
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
