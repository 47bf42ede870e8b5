//! A finished file of the memory: whatever stands in it, with right checksums or wrong ones, reading it ends and panics nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldwall_memory::{check_segment, check_segment_past_sums};

fuzz_target!(|input: &[u8]| {
    let path = std::env::temp_dir().join(format!("shieldwall-fuzz-memory-{}", std::process::id()));
    std::fs::write(&path, input).expect("a temporary file");
    let strict = check_segment(&path).expect("it can be read");
    let lenient = check_segment_past_sums(&path).expect("it can be read");
    // What passes with its checksums passes without them.
    assert!(strict.is_some() || lenient.is_none());
});
