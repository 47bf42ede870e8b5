//! TAXII query strings: nothing panics, and no page is larger than it may be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_exchange::taxii::{Endpoint, Query};

fuzz_target!(|pairs: Vec<(String, String)>| {
    let pairs = || pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for endpoint in [Endpoint::Objects, Endpoint::Object, Endpoint::Manifest, Endpoint::Versions, Endpoint::Delete] {
        if let Ok(query) = Query::parse(endpoint, pairs()) {
            assert!((1..=shieldwall_model::limits::ENVELOPE_OBJECTS_MAX).contains(&query.page_items()));
        }
    }
});
