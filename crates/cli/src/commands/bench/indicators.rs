//! Indicators to fill a server with: as many as asked for, each different, the same in every run.

use std::fmt::Write as _;

/// A generator of indicators; another seed gives others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indicators {
    seed: u64,
}

impl Indicators {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The id of the indicator `number`.
    pub(crate) fn id(self, number: u64) -> String {
        let (high, low) = (mixed(self.seed ^ mixed(number)), mixed(number ^ mixed(self.seed)));
        // Version 4 and the variant of RFC 9562 sections 4.1, 4.2.
        let (high, low) = (high & !0xf000 | 0x4000, low & !(0b11 << 62) | (0b10 << 62));
        format!(
            "indicator--{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// The domain the indicator `number` names.
    pub(crate) fn domain(self, number: u64) -> String {
        format!("{:x}.c{}.example", mixed(number.wrapping_add(self.seed)), number % 97)
    }

    /// An envelope of the indicators `from..to`: what a feed says of a domain, about 900 bytes each.
    pub(crate) fn envelope(self, from: u64, to: u64) -> Vec<u8> {
        let mut text = String::from("{\"objects\":[");
        for number in from..to {
            if number > from {
                text.push(',');
            }
            let (id, word) = (self.id(number), mixed(number.wrapping_add(self.seed)));
            let domain = self.domain(number);
            let _ = write!(
                text,
                r#"{{"type":"indicator","spec_version":"2.1","id":"{id}","created_by_ref":"identity--f431f809-377b-45e0-aa1c-6a4751cae5ff","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"Malicious domain {word:x}.example","description":"Seen in traffic to a command and control server by a sensor in the energy sector; resolves to an address that has served the same malware before.","indicator_types":["malicious-activity"],"pattern":"[domain-name:value = '{domain}']","pattern_type":"stix","pattern_version":"2.1","valid_from":"2026-01-01T00:00:00Z","valid_until":"2031-01-01T00:00:00Z","confidence":75,"labels":["c2","botnet"],"external_references":[{{"source_name":"sensor report {}","description":"internal case number"}}],"object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"]}}"#,
                number % 1_009,
            );
        }
        text.push_str("]}");
        text.into_bytes()
    }
}

/// A number that looks random (Steele, Lea, Flood: SplitMix64).
const fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use shieldwall_exchange::stix::read_envelope;

    use super::*;

    #[test]
    fn all_are_valid_and_different() {
        let read = read_envelope(&Indicators::new(7).envelope(0, 1_000)).unwrap();
        assert!(read.refused.is_empty(), "{:?}", read.refused.first());
        assert!(read.accepted.iter().all(|object| object.warnings.is_empty()), "{:?}", read.accepted.first());
        let ids: HashSet<String> = read.accepted.iter().map(|object| object.id.to_string()).collect();
        assert_eq!(ids.len(), 1_000);
        assert_ne!(Indicators::new(8).id(0), Indicators::new(7).id(0));
        assert!(ids.contains(&Indicators::new(7).id(999)));
    }
}
