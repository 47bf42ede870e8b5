//! Values found in prose: nothing panics, and every value found reads again as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::prose;
use shieldwall_watch::value::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(read) = prose::read_prose(input) else { return };
    for item in read.items {
        let again = Value::new(item.value.kind(), &item.value.to_string()).expect("a normal value is one");
        assert_eq!(again, item.value);
    }
});
