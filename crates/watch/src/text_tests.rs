//! What is found in free text, and what is not.

use std::sync::Arc;

use proptest::prelude::*;

use crate::mapping::{Mapping, Mappings};
use crate::matcher::{Matcher, Mode};
use crate::value::{Kind, Value, detect};
use crate::watchlist::{Builder, Watchlist};

const LISTED: [&str; 15] = [
    "evil.example",
    "192.0.2.7",
    "198.51.100.0/24",
    "203.0.113.9:9001",
    "2001:db8::7",
    "[2001:db8::8]:443",
    "http://bad.example/a?b=c",
    "bad.example/d",
    "mallory@evil.test",
    "d41d8cd98f00b204e9800998ecf8427e",
    "t13d1516h2_8daaf6152771_e5627efa2ab1",
    "12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw",
    "@Please_Read_Me@.txt",
    "mssecsvc.exe",
    "::5",
];

fn list() -> Arc<Watchlist> {
    let mut builder = Builder::new(8);
    for (index, text) in LISTED.iter().enumerate() {
        let value = if text.contains('@') && text.ends_with(".txt") {
            Value::new(Kind::FileName, text).ok()
        } else {
            detect(text)
        };
        builder.add(&value.unwrap(), index as u32).unwrap();
    }
    Arc::new(builder.build().unwrap())
}

fn mapping() -> Arc<Mapping> {
    Mappings::built_in().unwrap().get("text").unwrap()
}

fn found(list: &Arc<Watchlist>, mapping: &Arc<Mapping>, text: &str) -> Vec<u32> {
    let in_mode = |mode| {
        let mut ids = Vec::new();
        let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping)).with_mode(mode);
        matcher.feed(text.as_bytes(), &mut |hit| ids.push(hit.indicator));
        matcher.finish(&mut |hit| ids.push(hit.indicator));
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let ids = in_mode(Mode::Scan);
    assert_eq!(ids, in_mode(Mode::Exact), "{text}");
    ids
}

#[test]
fn boundaries_are_exact() {
    let (list, mapping) = (list(), mapping());
    let one = |text: &str| found(&list, &mapping, text);
    for text in [
        "evil.example",
        "EVIL.example.",
        "x evil.example y",
        "(evil.example)",
        "host=evil.example;",
        "\"a.evil.example\"",
        "evil.example:443",
        "evil.example/x",
        "http://evil.example",
        "https://u@evil.example/",
        "CONNECT evil.example:443",
        "?u=evil.example&",
        "é evil.example",
        "->evil.example<-",
        "*.evil.example",
        "evil.example...",
    ] {
        assert_eq!(one(text), [0], "{text}");
    }
    for text in [
        "notevil.example",
        "x-evil.example",
        "evil.example2",
        "evil.example-x",
        "evil.examples",
        "evil.example.org",
        "evil-example",
        "evil. example",
        "evil[.]example",
        "évil.example",
        "_evil.example",
    ] {
        assert_eq!(one(text), [0u32; 0], "{text}");
    }
    for text in [
        "192.0.2.7",
        "SRC=192.0.2.7 DST",
        "192.0.2.7:80",
        "[192.0.2.7]",
        "192.0.2.7/24",
        "192.0.2.7.",
        "::ffff:192.0.2.7",
        "http://192.0.2.7/",
    ] {
        assert_eq!(one(text), [1], "{text}");
    }
    for text in ["1192.0.2.7", "192.0.2.77", "192.0.2.7.1", "v192.0.2.7", "192.0.2.7a", "192.0.2"] {
        assert_eq!(one(text), [0u32; 0], "{text}");
    }
    assert_eq!(one("198.51.100.255,"), [2]);
    for (text, hit) in [
        ("203.0.113.9:9001", true),
        ("203.0.113.9:9001.", true),
        ("203.0.113.9:90010", false),
        ("203.0.113.9 9001", false),
        ("203.0.113.9:9001x", false),
    ] {
        assert_eq!(one(text).contains(&3), hit, "{text}");
    }
}

#[test]
fn ipv6_in_text() {
    let (list, mapping) = (list(), mapping());
    let one = |text: &str| found(&list, &mapping, text);
    for text in [
        "2001:db8::7",
        "2001:0DB8:0::7",
        "from 2001:db8::7: refused",
        "2001:db8::7.",
        "[2001:db8::7]:22",
        "src=2001:db8::7,",
        "2001:db8::7%eth0",
        "2001:db8:0:0:0:0:0:7",
    ] {
        assert_eq!(one(text), [4], "{text}");
    }
    for text in [
        "2001:db8::77",
        "12001:db8::7",
        "x2001:db8::7",
        "2001:db8::7g",
        "2001:db8::7:1",
        "12:34:56",
        "aa:bb:cc:dd:ee:ff",
        "::",
        "a::b::c",
    ] {
        assert_eq!(one(text), [0u32; 0], "{text}");
    }
    assert_eq!(one("at ::5, again"), [14]);
    for text in ["xyz::5", "1:::5", "a::5", "::5a", "::5:1"] {
        assert_eq!(one(text), [0u32; 0], "{text}");
    }
    assert_eq!(one("[2001:db8::8]:443"), [5]);
    assert_eq!(one("[2001:db8::8]:444 2001:db8::8"), [0u32; 0]);
}

#[test]
fn urls_mails_and_words() {
    let (list, mapping) = (list(), mapping());
    let one = |text: &str| found(&list, &mapping, text);
    for text in [
        "GET http://bad.example/a?b=c HTTP/1.1",
        "<http://BAD.example:80/a?b=c>",
        "(http://bad.example/a?b=c).",
        "'http://bad.example/a?b=c'",
        "http://bad.example/a?b=c#d",
        "bad.example/a?b=c",
    ] {
        assert_eq!(one(text), [6], "{text}");
    }
    for text in [
        "https://bad.example/a?b=c",
        "http://bad.example/a?b=cd",
        "http://bad.example/A?b=c",
        "http://x.bad.example/a?b=c",
    ] {
        assert_eq!(one(text), [0u32; 0], "{text}");
    }
    assert_eq!(one("https://bad.example/d, http://bad.example/d"), [7]);
    for (text, hit) in [
        ("from=<mallory@EVIL.test>", true),
        ("mallory@evil.test.", true),
        ("xmallory@evil.test", false),
        ("mallory@evil.tests", false),
        ("mallory @evil.test", false),
    ] {
        assert_eq!(one(text) == [8], hit, "{text}");
    }
    for (text, id) in [
        ("md5=D41D8CD98F00B204E9800998ECF8427E,", 9),
        ("ja4=t13d1516h2_8daaf6152771_e5627efa2ab1", 10),
        ("pay to 12t9YDPgwueZ9NyMgw519p7AA8isjr6SMw!", 11),
        ("/home/x/@Please_Read_Me@.txt", 12),
        ("\"@please_read_me@.TXT\"", 12),
        ("C:\\Windows\\MSSECSVC.EXE started", 13),
        ("mssecsvc.exe.", 13),
    ] {
        assert_eq!(one(text), [id], "{text}");
    }
    for text in [
        "0d41d8cd98f00b204e9800998ecf8427e",
        "12t9ydpgwuez9nymgw519p7aa8isjr6smw",
        "xmssecsvc.exe",
        "mssecsvc.exe.bak",
        "Please_Read_Me@.txt",
    ] {
        assert_eq!(one(text), [0u32; 0], "{text}");
    }
}

proptest! {
    /// Values and near misses, put between separators that bound words: exactly the values are found.
    #[test]
    fn values_between_separators(
        parts in proptest::collection::vec(
            (proptest::sample::select(vec![
                ("evil.example", 0), ("a.b.Evil.Example", 0), ("192.0.2.7", 1), ("198.51.100.33", 2), ("203.0.113.9:9001", 3), ("2001:db8::7", 4), ("http://bad.example/a?b=c", 6),
                ("bad.example/d", 7), ("mallory@evil.test", 8), ("d41d8cd98f00b204e9800998ecf8427e", 9), ("mssecsvc.exe", 13),
                ("notevil.example", 99), ("192.0.2.70", 99), ("203.0.113.9:9002", 99), ("2001:db8::17", 99), ("bad.example/dd", 99), ("d41d8cd98f00b204e9800998ecf8427", 99), ("word", 99),
                ("2026-01-01T00:00:00Z", 99), ("é", 99), ("1.2.3", 99), ("", 99),
            ]), proptest::sample::select(vec![" ", "  ", "\t", "\"", " (", ") ", "<", ">", "> <", " -- "])),
            0..12,
        )
    ) {
        let text: String = parts.iter().map(|((token, _), separator)| format!("{separator}{token}")).collect();
        let mut wanted: Vec<u32> = parts.iter().map(|((_, id), _)| *id).filter(|id| *id < 99).collect();
        wanted.sort_unstable();
        wanted.dedup();
        prop_assert_eq!(found(&list(), &mapping(), &text), wanted, "{}", text);
    }

    #[test]
    fn no_text_makes_it_stumble(text in prop_oneof!["\\PC{0,80}", "[0-9a-f:.\\[\\]@/%-]{0,80}"]) {
        found(&list(), &mapping(), &text);
    }
}
