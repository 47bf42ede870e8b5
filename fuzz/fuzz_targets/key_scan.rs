//! Matching: whatever the bytes, the key scan reports what the exact reader reports, with every kind of instructions
//! and however the stream is cut. The first octet picks the format, the second where it is cut.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use shieldwall_watch::mapping::{Mapping, Mappings};
use shieldwall_watch::matcher::{Instructions, Matcher, Mode, Stats};
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{Builder, Watchlist};

/// Short values, so that a few octets in the right place are a hit.
const LISTED: [(Kind, &str); 13] = [
    (Kind::Domain, "a.b"),
    (Kind::Domain, "e.ex"),
    (Kind::Ipv4, "1.2.3.4"),
    (Kind::Cidr4, "1.0.0.0/8"),
    (Kind::IpPort, "9.9.9.9:53"),
    (Kind::Ipv6, "2001:db8::7"),
    (Kind::Cidr6, "2001:db8:1::/48"),
    (Kind::Url, "http://b.ex/a"),
    (Kind::Url, "b.ex/c"),
    (Kind::Email, "m@a.b"),
    (Kind::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
    (Kind::Ja3, "d41d8cd98f00b204e9800998ecf8427e"),
    (Kind::FileName, "a.exe"),
];

static LIST: LazyLock<Arc<Watchlist>> = LazyLock::new(|| {
    let mut builder = Builder::new(3);
    for ((kind, text), number) in LISTED.iter().zip(0..) {
        builder.add(&Value::new(*kind, text).expect("a value"), number).expect("room");
    }
    Arc::new(builder.build().expect("a list"))
});

static MAPPINGS: LazyLock<Vec<Arc<Mapping>>> =
    LazyLock::new(|| Mappings::built_in().expect("mappings").iter().cloned().collect());

type Hits = Vec<(u32, String, Vec<u8>, Option<String>, u64)>;

fn run(
    mapping: &Arc<Mapping>,
    mode: Mode,
    instructions: Instructions,
    text: &[u8],
    cut: usize,
) -> (Hits, Stats) {
    let mut matcher =
        Matcher::new(Arc::clone(&LIST), Arc::clone(mapping)).with_mode(mode).with_instructions(instructions);
    let mut hits = Vec::new();
    let mut sink = |hit: &shieldwall_watch::matcher::Hit<'_>| {
        let time = hit.observed_time.map(str::to_owned);
        hits.push((hit.indicator, hit.field.to_owned(), hit.observed.to_vec(), time, hit.offset));
    };
    for block in text.chunks(cut) {
        matcher.feed(block, &mut sink);
    }
    let stats = matcher.finish(&mut sink);
    (hits, stats)
}

fuzz_target!(|input: &[u8]| {
    let [format, cut, text @ ..] = input else { return };
    let Some(mapping) = MAPPINGS.get(usize::from(*format) % MAPPINGS.len()) else { return };
    let (exact, exact_stats) = run(mapping, Mode::Exact, Instructions::Best, text, usize::MAX);
    for (instructions, cut) in [
        (Instructions::Best, usize::MAX),
        (Instructions::Best, 1 + usize::from(*cut)),
        (Instructions::Baseline, usize::MAX),
        (Instructions::Portable, 1 + usize::from(*cut)),
    ] {
        let (hits, stats) = run(mapping, Mode::Scan, instructions, text, cut);
        assert_eq!(hits, exact, "{instructions:?}, cut at {cut}");
        assert_eq!((stats.events, stats.matches), (exact_stats.events, exact_stats.matches));
        assert!(stats.bad_lines <= exact_stats.bad_lines);
    }
});
