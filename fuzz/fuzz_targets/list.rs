//! Plain lists and CSV: nothing panics, and every value found reads again as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::{format, list};
use shieldwall_watch::value::Value;

fuzz_target!(|input: &[u8]| {
    let _ = format::format_of(input);
    for read in [list::read_plain(input), list::read_csv(input)] {
        let Ok(read) = read else { continue };
        for item in read.items {
            let again = Value::new(item.value.kind(), &item.value.to_string()).expect("a normal value is one");
            assert_eq!(again, item.value);
        }
    }
});
