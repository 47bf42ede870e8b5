//! STIX patterns: nothing panics, and what has values has a parse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_watch::pattern;

fuzz_target!(|text: &str| {
    if pattern::values(text).is_ok() {
        pattern::parse(text).expect("a pattern with values parses");
    }
});
