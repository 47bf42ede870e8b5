//! Bundles and envelopes: nothing panics, and every accepted object stands in the input where it says it does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::stix;

fuzz_target!(|input: &[u8]| {
    let Ok(checked) = stix::read_bundle(input) else { return };
    for object in &checked.accepted {
        let slice = object.slice(input);
        assert!(slice.first() == Some(&b'{') && slice.last() == Some(&b'}'));
        // Read by itself it is the same object: what the ledger folds is what the door let in.
        let again = stix::read_bundle(slice).expect("an accepted object reads by itself");
        assert_eq!((again.accepted.len(), again.refused.len()), (1, 0));
        assert_eq!(again.accepted[0].id, object.id);
        assert_eq!(again.accepted[0].version, object.version);
    }
});
