//! STIX patterning against the vectors of `tests/vectors`: every operator, qualifier and edge of section 9.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use shieldwall_watch::observed::{self, Observation};
use shieldwall_watch::pattern::{self, EvaluateError, PatternError, Program};

#[derive(Deserialize)]
struct Vectors {
    observed: BTreeMap<String, Observed>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Observed {
    file: Json,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    section: String,
    pattern: String,
    observed: Option<String>,
    expected: Option<String>,
    grammar: Option<String>,
}

/// The verdict on one pattern in the words of the vectors.
fn verdict(pattern: &str, observations: &[Observation]) -> String {
    let read = match pattern::parse(pattern) {
        Ok(read) => read,
        Err(PatternError::Invalid { .. }) => return "invalid".into(),
        Err(other) => return other.code().into(),
    };
    match Program::new(&read).and_then(|program| program.evaluate(observations)) {
        Ok(verdict) if verdict.matched => "match".into(),
        Ok(_) => "none".into(),
        Err(EvaluateError::Beyond { at, .. }) => {
            assert!(at < pattern.len(), "{pattern}: {at}");
            "beyond".into()
        }
        Err(undecided) => undecided.code().into(),
    }
}

#[test]
fn every_vector_has_the_outcome_expected() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/patterning.json")).expect("vectors");
    let observed: BTreeMap<&str, Vec<Observation>> = vectors
        .observed
        .iter()
        .map(|(name, observed)| {
            let read = observed::from_json(observed.file.clone());
            (name.as_str(), read.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect();
    assert!(vectors.cases.len() >= 250, "{} cases", vectors.cases.len());
    let mut wrong = Vec::new();
    for case in &vectors.cases {
        let (expected, found) = match (&case.grammar, &case.observed, &case.expected) {
            (Some(expected), None, None) => {
                let found = if pattern::parse(&case.pattern).is_ok() { "valid" } else { "invalid" };
                (expected, found.to_owned())
            }
            (None, Some(name), Some(expected)) => {
                (expected, verdict(&case.pattern, observed.get(name.as_str()).expect("observed")))
            }
            _ => panic!("{} has either grammar, or observed and expected", case.id),
        };
        if *expected != found {
            wrong.push(format!(
                "{} ({}): {expected} expected, {found} found: {}",
                case.id, case.section, case.pattern
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), vectors.cases.len(), wrong.join("\n"));
}
