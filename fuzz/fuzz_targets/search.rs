//! The search language: nothing panics, and what is printed reads back as the same search.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::search::Search;

fuzz_target!(|text: &str| {
    if let Ok(search) = Search::read(text) {
        assert_eq!(Search::read(&search.to_string()).expect("what is printed reads back"), search);
    }
});
