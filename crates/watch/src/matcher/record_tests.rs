//! What a recorder is told by the scan, beside what the exact reader tells.

use std::collections::BTreeSet;

use super::tests::{lines, mapping, watchlist_of};
use super::*;
use crate::value::{Kind, Value};
use proptest::prelude::*;

/// Keeps what it is told, event by event.
#[derive(Default)]
struct Notes {
    open: BTreeSet<String>,
    all: BTreeSet<String>,
    events: usize,
}

impl Recorder for Notes {
    fn ipv4(&mut self, address: u32) {
        self.open.insert(std::net::Ipv4Addr::from(address).to_string());
    }

    fn ipv6(&mut self, address: u128) {
        self.open.insert(std::net::Ipv6Addr::from(address).to_string());
    }

    fn name(&mut self, name: &[u8]) {
        if let Ok(value) = Value::new(Kind::Domain, &String::from_utf8_lossy(name)) {
            self.open.insert(value.to_string());
        }
    }

    fn value(&mut self, kind: Kind, normal: &[u8]) {
        self.open.insert(format!("{kind} {}", crate::value::ValueRef { kind, bytes: normal }));
    }

    fn end(&mut self, count: bool) {
        let told = std::mem::take(&mut self.open);
        if count {
            self.all.extend(told);
            self.events += 1;
        }
    }
}

fn notes(listed: &[&str], format: &str, mode: Mode, text: &[u8]) -> Notes {
    let mut matcher = Matcher::new(watchlist_of(listed), mapping(format)).with_mode(mode);
    let mut notes = Notes::default();
    matcher.feed_recording(text, Some(&mut notes), &mut |_| {});
    matcher.finish_recording(Some(&mut notes), &mut |_| {});
    assert!(notes.open.is_empty(), "an event without an end");
    notes
}

#[test]
fn every_value_is_told_whatever_is_listed() {
    let text = br#"{"timestamp":"2026-01-01T00:00:00Z","src_ip":"10.0.0.5","dest_ip":"2001:db8::7","dns":{"rrname":"A.Some.example."},"http":{"hostname":"w.example","url":"/x?y"},"fileinfo":{"filename":"C:\\a\\B.exe"}}
{"src_ip":"10.0.0.6"
no event at all
"#;
    for mode in [Mode::Scan, Mode::Exact] {
        for listed in [&[][..], &["w.example", "10.0.0.0/8"]] {
            let notes = notes(listed, "suricata", mode, text);
            let wanted = [
                "10.0.0.5",
                "2001:db8::7",
                "a.some.example",
                "file-name b.exe",
                "url //w.example/x?y",
                "w.example",
            ];
            assert!(wanted.iter().all(|value| notes.all.contains(*value)), "{mode:?}: {:?}", notes.all);
            assert!(!notes.all.contains("10.0.0.6"), "a line that is no event");
            assert_eq!(notes.events, 1);
        }
    }
    let told =
        notes(&[], "text", Mode::Scan, b"from 10.0.0.5 for a.example, 0123456789abcdef0123456789abcdef\n");
    let wanted = [
        "10.0.0.5",
        "a.example",
        "crypto-address 0123456789abcdef0123456789abcdef",
        "ja3 0123456789abcdef0123456789abcdef",
        "md5 0123456789abcdef0123456789abcdef",
    ];
    assert_eq!(told.all.iter().map(String::as_str).collect::<Vec<_>>(), wanted, "and no names of files");
}

#[test]
fn the_time_of_an_event_is_told() {
    let line = br#"{"timestamp":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(event_time(&mapping("suricata"), line).as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(event_time(&mapping("suricata"), b"{"), None);
    assert_eq!(event_time(&mapping("text"), line), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// The scan may tell more (a key it knows that stands elsewhere), never less.
    #[test]
    fn the_scan_tells_all_the_exact_reader_tells(text in lines(), format in 0usize..5) {
        let format = ["suricata", "zeek", "ecs", "sysmon", "text"][format];
        let scanned = notes(&["evil.example"], format, Mode::Scan, &text);
        let exact = notes(&["evil.example"], format, Mode::Exact, &text);
        let missing: Vec<_> = exact.all.difference(&scanned.all).collect();
        prop_assert!(missing.is_empty(), "{:?}", missing);
    }
}
