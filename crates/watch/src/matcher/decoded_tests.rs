//! Lines taken apart: the scan lets the same lines through as reading every line exactly does.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::decode::Decoder;
use crate::mapping::Mappings;
use crate::value::detect;
use crate::watchlist::{Builder, Watchlist};

const LISTED: [&str; 17] = [
    "example.com",
    "evil.example",
    "198.51.100.7",
    "198.51.100.0/28",
    "2001:db8::443",
    "192.0.2.99",
    "http://www.example.com/next",
    "https://www.example.com/login",
    "ann@example.com",
    "x@evil.example",
    "setup.exe",
    "d41d8cd98f00b204e9800998ecf8427e",
    "invoice.docm",
    "odd-name.example",
    "192.0.2.25:25",
    "mx.example.org",
    "192.0.2.44",
];

fn watchlist() -> Arc<Watchlist> {
    let mut builder = Builder::new(3);
    for (number, value) in LISTED.iter().enumerate() {
        builder.add(&detect(value).unwrap(), number as u32).unwrap();
    }
    Arc::new(builder.build().unwrap())
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let place = |name: &str| format!("{}/samples/{name}.log", env!("CARGO_MANIFEST_DIR"));
    Decoder::WORDS.map(|(word, _)| (word.to_owned(), std::fs::read(place(word)).unwrap())).to_vec()
}

fn hits(name: &str, mode: Mode, cuts: usize, text: &[u8]) -> Vec<(u64, u32, String, Vec<u8>)> {
    static KNOWN: LazyLock<(Mappings, Arc<Watchlist>)> =
        LazyLock::new(|| (Mappings::built_in().unwrap(), watchlist()));
    let (mappings, list) = &*KNOWN;
    let mut matcher = Matcher::new(Arc::clone(list), mappings.get(name).unwrap()).with_mode(mode);
    let mut all = Vec::new();
    let mut sink =
        |hit: &Hit<'_>| all.push((hit.offset, hit.indicator, hit.field.to_owned(), hit.observed.to_vec()));
    for block in text.chunks(cuts.max(1)) {
        matcher.feed(block, &mut sink);
    }
    matcher.finish(&mut sink);
    all
}

#[test]
fn every_sample_has_hits_in_named_fields() {
    for (name, sample) in samples() {
        let met = hits(&name, Mode::Scan, 64, &sample);
        assert!(!met.is_empty(), "{name}: {met:?}");
        assert_eq!(met, hits(&name, Mode::Exact, usize::MAX >> 1, &sample), "{name}");
    }
    let fields = |name: &str| {
        let (_, sample) = samples().into_iter().find(|(known, _)| known == name).unwrap();
        let mut fields: Vec<String> =
            hits(name, Mode::Scan, 4096, &sample).into_iter().map(|hit| hit.2).collect();
        fields.sort();
        fields.dedup();
        fields
    };
    assert_eq!(fields("squid"), ["peer", "url"]);
    assert_eq!(fields("bind"), ["query"]);
    assert_eq!(fields("combined"), ["path", "referrer"]);
    // The address with its port is one value; the last line is another program's, read as text.
    assert_eq!(
        fields("postfix"),
        ["client.ip", "from", "helo", "line", "message", "relay.host", "relay.ip", "to"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_scan_and_the_exact_reader_agree_on_broken_lines(
        which in 0..Decoder::WORDS.len(),
        swaps in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..40), 0..6),
        noise in proptest::collection::vec((any::<prop::sample::Index>(), proptest::sample::select(&b" \"\\[]<>|=,\t\n#:\xff0"[..])), 0..8),
        cuts in 1usize..3000,
    ) {
        let (name, mut text) = samples().swap_remove(which);
        for (from, to, length) in swaps {
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            let piece = text[from..(from + length).min(text.len())].to_vec();
            text.splice(to..to, piece);
        }
        for (at, byte) in noise {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let (scan, exact) = (hits(&name, Mode::Scan, cuts, &text), hits(&name, Mode::Exact, usize::MAX >> 1, &text));
        prop_assert_eq!(scan, exact);
    }
}
