//! The corpus of valid and invalid objects: each with its expected verdict, code and path.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails this way fails well"
)]

use serde::Deserialize;
use serde_json::value::RawValue;
use shieldwall_exchange::stix::read_bundle;

#[derive(Deserialize)]
struct Invalid<'a> {
    case: &'a str,
    code: &'a str,
    path: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Valid<'a> {
    case: &'a str,
    warnings: Vec<String>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[test]
fn every_invalid_object_is_refused_where_and_as_expected() {
    let mut wrong = Vec::new();
    let corpus = include_str!("data/invalid.jsonl");
    for line in corpus.lines() {
        let expected: Invalid<'_> = serde_json::from_str(line).unwrap();
        let bundle = format!(
            r#"{{"type":"bundle","id":"bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","objects":[{}]}}"#,
            expected.object.get()
        );
        let checked = read_bundle(bundle.as_bytes()).unwrap();
        let path = match expected.path.as_str() {
            "" => "objects[0]".to_owned(),
            path => format!("objects[0].{path}"),
        };
        let got = checked.refused.first().map(|refusal| (refusal.code.as_str(), refusal.path.clone()));
        if got != Some((expected.code, path.clone())) || !checked.accepted.is_empty() {
            wrong.push(format!("{}: wanted {} at {path}, got {got:?}", expected.case, expected.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(corpus.lines().count() >= 150);
}

#[test]
fn every_valid_object_is_accepted_with_the_warnings_expected() {
    let mut wrong = Vec::new();
    let corpus = include_str!("data/valid.jsonl");
    for line in corpus.lines() {
        let expected: Valid<'_> = serde_json::from_str(line).unwrap();
        let raw = expected.object.get();
        let checked = read_bundle(raw.as_bytes()).unwrap();
        match checked.accepted.as_slice() {
            [object] => {
                let codes: Vec<&str> = object.warnings.iter().map(|warning| warning.code.as_str()).collect();
                if codes != expected.warnings {
                    wrong.push(format!("{}: warnings {:?}", expected.case, object.warnings));
                }
                assert_eq!(object.slice(raw.as_bytes()), raw.as_bytes());
                assert!(!object.title.is_empty(), "{}", expected.case);
            }
            _ => wrong.push(format!("{}: {:?}", expected.case, checked.refused)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(corpus.lines().count() >= 100);
}

/// Every type of the standard (sections 4 to 7).
const TYPES: &str = "attack-pattern campaign course-of-action grouping identity incident indicator infrastructure \
    intrusion-set location malware malware-analysis note observed-data opinion report threat-actor tool vulnerability \
    relationship sighting artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr \
    ipv6-addr mac-addr mutex network-traffic process software url user-account windows-registry-key x509-certificate \
    marking-definition language-content extension-definition";

#[test]
fn the_corpus_knows_every_type() {
    for corpus in [include_str!("data/valid.jsonl"), include_str!("data/invalid.jsonl")] {
        let known: Vec<String> = corpus
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["object"]["type"].to_string()
            })
            .collect();
        for kind in TYPES.split_whitespace() {
            assert!(known.contains(&format!("{kind:?}")), "no {kind}");
        }
    }
}
