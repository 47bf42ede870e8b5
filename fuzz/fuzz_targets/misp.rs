//! MISP events, feed manifests and warninglists: nothing panics, whatever they hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::misp;
use shieldwall_exchange::warninglist::Warninglist;

fuzz_target!(|input: &[u8]| {
    let _ = misp::event::read_events(input);
    let _ = misp::feed::Manifest::read(input);
    let _ = Warninglist::read(input);
});
