//! Patterns evaluated on observed data, exactly and in a stream: nothing panics, nothing hangs.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use shieldwall_watch::observed;
use shieldwall_watch::pattern::{self, Program};
use shieldwall_watch::rules::{RuleSet, Stream};

/// What is asked where the input holds no observed data of its own.
const SAMPLE: &[u8] = br#"[{"type":"observed-data","first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:05Z",
    "number_observed":3,"objects":{"0":{"type":"file","name":"a.exe","size":5,"x_refs":["0"],"hashes":{"MD5":"00"}}}},
    {"type":"observed-data","first_observed":"2026-01-01T00:00:01Z","last_observed":"2026-01-01T00:00:01Z",
    "number_observed":1,"objects":{"0":{"type":"file","name":"b.exe"},"1":{"type":"url","value":"http://a/"}}}]"#;

fuzz_target!(|input: &str| {
    // A pattern, then observed data, with an empty line between them.
    let (text, file) = input.split_once("\n\n").unwrap_or((input, ""));
    let Ok(observations) = observed::read(file.as_bytes()).or_else(|_| observed::read(SAMPLE)) else { return };
    let Ok(pattern) = pattern::parse(text) else { return };
    if let Ok(program) = Program::new(&pattern) {
        let _ = program.evaluate(&observations);
    }
    let (set, _) = RuleSet::build([(1, text)], 1);
    let wakes: Vec<u32> = (0..600).collect();
    let mut stream = Stream::new(Arc::new(set), 1);
    for observation in observations.iter().take(64) {
        stream.observe(observation, &wakes, &mut |_| {});
    }
});
