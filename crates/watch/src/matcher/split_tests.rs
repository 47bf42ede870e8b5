//! Events over several lines: cut where they end, matched as if they stood on one.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::tests::{mapping, watchlist_of};
use super::super::{Instructions, Matcher, Mode, Stats};

const LISTED: [&str; 3] = ["evil.example", "192.0.2.7", "http://bad.example/a"];

/// (indicator, field, observed) of each hit, whatever way the text is cut and read.
fn hits(text: &str, cut: usize) -> (Vec<(u32, String, String)>, Stats) {
    let list = watchlist_of(&LISTED);
    let run = |mode, instructions, cut: usize| {
        let mut matcher = Matcher::new(Arc::clone(&list), mapping("suricata"))
            .with_mode(mode)
            .with_instructions(instructions);
        let mut all = Vec::new();
        let mut sink = |hit: &super::super::Hit<'_>| {
            let event = &text[usize::try_from(hit.offset).unwrap()..];
            assert!(event.as_bytes().starts_with(hit.line), "the offset is where the event starts");
            all.push((
                hit.indicator,
                hit.field.to_owned(),
                String::from_utf8_lossy(hit.observed).into_owned(),
            ));
        };
        for block in text.as_bytes().chunks(cut.max(1)) {
            matcher.feed(block, &mut sink);
        }
        let stats = matcher.finish(&mut sink);
        assert_eq!(matcher.consumed(), text.len() as u64);
        (all, stats)
    };
    let whole = run(Mode::Scan, Instructions::Best, usize::MAX);
    for (mode, instructions, cut) in [
        (Mode::Exact, Instructions::Best, usize::MAX),
        (Mode::Scan, Instructions::Best, cut),
        (Mode::Scan, Instructions::Portable, cut),
        (Mode::Exact, Instructions::Best, cut),
    ] {
        let (found, stats) = run(mode, instructions, cut);
        assert_eq!(found, whole.0, "{mode:?} {instructions:?} {cut}: {text}");
        assert_eq!(
            (stats.events, stats.matches),
            (whole.1.events, whole.1.matches),
            "{mode:?} {cut}: {text}"
        );
    }
    whole
}

#[test]
fn pretty_events_match() {
    let pretty = "{\n  \"timestamp\": \"2026-01-01T00:00:00Z\",\n  \"dest_ip\": \"192.0.2.7\",\n  \"dns\": {\n    \"rrname\": \"a } { [ \\\" evil.example\",\n    \"answers\": [\n      {\n        \"rdata\": \"x.evil.example\"\n      }\n    ],\n    \"grouped\": {\n      \"A\": [\n        \"1.1.1.1\",\n        \"192.0.2.7\"\n      ]\n    }\n  }\n}\n";
    for cut in [1, 7, 40, usize::MAX] {
        let (found, stats) = hits(&pretty.repeat(3), cut);
        assert_eq!((found.len(), stats.events, stats.bad_lines), (9, 3, 0), "{found:?}");
        // An array of them, and of events one a line.
        let (found, stats) = hits(&format!("[\n{}]\n", pretty.replace("\n}\n", "\n},\n").repeat(2)), cut);
        assert_eq!((found.len(), stats.events), (6, 2));
        let (found, stats) =
            hits("[\n{\"dest_ip\":\"192.0.2.7\"},\n{\"dest_ip\":\"192.0.2.7\"} , \n]\n", cut);
        assert_eq!((found.len(), stats.events, stats.bad_lines), (2, 2, 0));
        // One a line and over several lines, mixed.
        let (found, stats) =
            hits(&format!("{{\"dest_ip\":\"192.0.2.7\"}}\n{pretty}{{\"dest_ip\":\"192.0.2.7\"}}"), cut);
        assert_eq!((found.len(), stats.events), (5, 3));
    }
}

#[test]
fn an_event_cut_off_does_not_take_the_next_one_along() {
    let pretty = "{\n  \"dest_ip\": \"192.0.2.7\"\n}\n";
    for broken in
        ["{\n  \"dest_ip\": \"192.0.2.7\",\n", "{\n  \"x\": [\n    {\n", "{\n  \"dest_ip\": \"192.0.\n"]
    {
        for cut in [1, 5, usize::MAX] {
            let (found, stats) = hits(&format!("{broken}{pretty}{pretty}"), cut);
            assert_eq!((found.len(), stats.events, stats.bad_lines), (2, 3, 1), "{broken:?} {cut}");
        }
    }
    // At the end of the stream it is a broken event.
    assert_eq!(hits("{\n  \"dest_ip\": \"192.0.2.7\",\n", 9).1.bad_lines, 1);
    assert_eq!(hits("{", 9).1.bad_lines, 1);
    // Not indented, brackets alone count.
    assert_eq!(
        hits("{\n\"dns\": {\n\"answers\": [\n{\n\"rdata\": \"evil.example\"\n}\n]\n}\n}\n", 3).0.len(),
        1
    );
}

proptest! {
    /// Brackets, quotes and line feeds at random: cut anywhere, read in any way, the outcome is the same.
    #[test]
    fn however_it_is_cut(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "{\n", "{\n  ", "}\n", "},\n", "\n", "[", "]", "\"", "\\\"", "\"dest_ip\": ", "\"192.0.2.7\"", "\"evil.example\"", ",", " ",
            "\"dns\": {\n", "\"rrname\": ", "{\"dest_ip\":\"192.0.2.7\"}\n", "{\n  \"dest_ip\": \"192.0.2.7\"\n}\n",
        ]), 0..40),
        cut in 1usize..60,
    ) {
        hits(&parts.concat(), cut);
    }
}
