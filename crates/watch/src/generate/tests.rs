//! Made-up telemetry is well-formed, repeatable, and carries what was planted.

use std::sync::Arc;

use super::*;
use crate::mapping::Mappings;
use crate::matcher::{Matcher, Mode};
use crate::watchlist::Builder;

fn planted() -> Vec<Value> {
    let of = |kind, text: &str| Value::new(kind, text).unwrap();
    vec![
        of(Kind::Ipv4, "203.0.113.7"),
        of(Kind::Ipv6, "2001:db8::7"),
        of(Kind::Cidr4, "198.51.100.0/25"),
        of(Kind::Cidr6, "2001:db8:5::/48"),
        of(Kind::IpPort, "192.0.2.3:9001"),
        of(Kind::IpPort, "[2001:db8::3]:9001"),
        of(Kind::Domain, "kill-switch.example"),
        of(Kind::Url, "http://drop.example/a/b.php?c=d"),
        of(Kind::Url, "drop2.example/x"),
        of(Kind::Email, "mallory@evil.example"),
        of(Kind::Md5, "db349b97c37d22f5ea1d1841e3c89eb4"),
        of(Kind::Sha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        of(Kind::Sha256, "24d004a104d4d54034dbcffc2a4b19a11f39008a575aa614ea04703480b1022c"),
        of(Kind::Sha512, &"ab".repeat(64)),
        of(Kind::Ja3, "0123456789abcdef0123456789abcdef"),
        of(Kind::Ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1"),
        of(Kind::FileName, "@Please_Read_Me@.txt"),
        of(Kind::CryptoAddress, "12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw"),
    ]
}

#[test]
fn what_is_planted_is_found_and_nothing_else() {
    let values = planted();
    let mut builder = Builder::new(1);
    for (index, value) in values.iter().enumerate() {
        builder.add(value, index as u32).unwrap();
    }
    let list = Arc::new(builder.build().unwrap());
    let mappings = Mappings::built_in().unwrap();
    for format in Telemetry::ALL {
        let mapping = mappings.get(format.mapping()).unwrap();
        for (index, value) in values.iter().enumerate() {
            let mut generator = Generator::new(index as u64);
            for round in 0..20 {
                let line = generator.line(format, 1_494_573_840_000_000 + round, Some(value));
                let mut ids = Vec::new();
                let mut matcher = Matcher::new(Arc::clone(&list), Arc::clone(&mapping));
                matcher.feed(line.as_bytes(), &mut |hit| ids.push(hit.indicator));
                matcher.finish(&mut |hit| ids.push(hit.indicator));
                ids.dedup();
                let wanted: &[u32] = if format.carries(value.kind()) { &[index as u32] } else { &[] };
                assert_eq!(ids, wanted, "{} {value}: {line}", format.mapping());
            }
        }
    }
}

#[test]
fn lines_are_well_formed_repeatable_and_varied() {
    let mappings = Mappings::built_in().unwrap();
    let nothing = Arc::new(Builder::new(0).build().unwrap());
    for format in Telemetry::ALL {
        let (mut one, mut other, mut third) = (Generator::new(9), Generator::new(9), Generator::new(10));
        let mut text = String::new();
        let mut different = 0;
        for number in 0..2000 {
            let line = one.line(format, number * 250_000, None);
            assert_eq!(line, other.line(format, number * 250_000, None));
            different += u32::from(line != third.line(format, number * 250_000, None));
            assert!(!line.contains('\n'));
            if format != Telemetry::Text {
                let json: serde_json::Value =
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(json.is_object());
            }
            text.push_str(&line);
            text.push('\n');
        }
        assert_eq!(different, 2000);
        let mut matcher = Matcher::new(Arc::clone(&nothing), mappings.get(format.mapping()).unwrap())
            .with_mode(Mode::Exact);
        matcher.feed(text.as_bytes(), &mut |_| {});
        let stats = matcher.finish(&mut |_| {});
        assert_eq!((stats.events, stats.bad_lines, stats.matches), (2000, 0, 0), "{}", format.mapping());
        // Some lines carry escapes and letters beyond ASCII, as real ones do.
        assert!(format == Telemetry::Text || text.contains('\\'), "{}", format.mapping());
        assert!(!text.is_ascii(), "{}", format.mapping());
    }
}

#[test]
fn times_are_those_of_the_calendar() {
    let mut generator = Generator::new(0);
    // 12 May 2017, 07:24 UTC.
    let line = generator.line(Telemetry::Suricata, 1_494_573_840_000_000, None);
    assert!(line.starts_with("{\"timestamp\":\"2017-05-12T07:24:00.000000+0000\""), "{line}");
    let line = generator.line(Telemetry::Ecs, 951_782_400_500_000, None);
    assert!(line.contains("\"2000-02-29T00:00:00.500000Z\""), "{line}");
    let line = generator.line(Telemetry::Zeek, 1_494_573_840_000_001, None);
    assert!(line.starts_with("{\"ts\":1494573840.000001,"), "{line}");
}
