//! Decoders: on any lines, for every format, the scan and the exact reader report the same, and nothing stalls.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use shieldwall_watch::decode::{Decoder, PAIRS_PER_LINE_MAX, syslog};
use shieldwall_watch::mapping::{Mapping, Mappings, Trial};
use shieldwall_watch::matcher::{Hit, Matcher, Mode};
use shieldwall_watch::value::detect;
use shieldwall_watch::watchlist::{Builder, Watchlist};

const LISTED: [&str; 10] = [
    "a.example", "192.0.2.1", "192.0.2.1:53", "198.51.100.0/24", "2001:db8::1", "http://a.example/b", "x@a.example",
    "d41d8cd98f00b204e9800998ecf8427e", "setup.exe", "xn--bcher-kva.example",
];

static HOUSE: LazyLock<(Mappings, Arc<Watchlist>)> = LazyLock::new(|| {
    let mut builder = Builder::new(1);
    for (number, value) in LISTED.iter().enumerate() {
        builder.add(&detect(value).expect("a value"), number as u32).expect("room");
    }
    (Mappings::built_in().expect("built in"), Arc::new(builder.build().expect("a list")))
});

fn hits(list: &Arc<Watchlist>, mapping: &Arc<Mapping>, mode: Mode, text: &[u8]) -> Vec<(u64, u32, String, Vec<u8>)> {
    let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping)).with_mode(mode);
    let mut all = Vec::new();
    let mut sink = |hit: &Hit<'_>| all.push((hit.offset, hit.indicator, hit.field.to_owned(), hit.observed.to_vec()));
    matcher.feed(text, &mut sink);
    matcher.finish(&mut sink);
    all
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let (mappings, list) = &*HOUSE;
    let (word, decoder) = Decoder::WORDS[usize::from(*first) % Decoder::WORDS.len()];
    let mapping = mappings.get(word).expect("every decoder has a mapping");
    let _ = mappings.detect(text);
    let scan = hits(list, &mapping, Mode::Scan, text);
    assert_eq!(scan, hits(list, &mapping, Mode::Exact, text), "{decoder:?}");
    let trial = Trial::run(&mapping, text);
    assert!(trial.rows.len() <= text.len() * 16 + PAIRS_PER_LINE_MAX);
    let _ = syslog::parse(text);
});
