//! Sigma rules and an event: whatever they are, loading and matching end, and the reader finds what it finds from the
//! same event parsed beforehand.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use shieldwall_sigma::load::Loader;
use shieldwall_sigma::reader::Reader;

fuzz_target!(|data: &[u8]| {
    // Rules, a NUL, an event.
    let Some(cut) = data.iter().position(|byte| *byte == 0) else { return };
    let (rules, event) = (&data[..cut], &data[cut + 1..]);
    let Ok(text) = std::str::from_utf8(rules) else { return };
    let mut loader = Loader::default();
    loader.text("fuzz", text);
    let Ok((rules, _)) = loader.finish() else { return };
    let rules = Arc::new(rules);
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    let mut reader = Reader::new(Arc::clone(&rules));
    if reader.line(event, &mut |hit| drop(found[0].insert((hit.number, hit.correlated.is_some())))).is_err() {
        return;
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(event) else { return };
    // A reader of its own: rules that count remember.
    Reader::new(rules).value(&value, None, &mut |hit| {
        found[1].insert((hit.number, hit.correlated.is_some()));
    });
    assert_eq!(found[0], found[1]);
});
