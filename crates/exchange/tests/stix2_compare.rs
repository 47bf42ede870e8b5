//! Our verdicts on the corpus beside those of PyPI's `stix2`, the OASIS reference library; every difference is explained
//! in `data/stix2-differences.json`, and nothing stands there that is none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails this way fails well"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use shieldwall_exchange::stix::read_bundle;

/// The Python that has `stix2`; `None` when it is left out on purpose.
fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("SHIELDWALL_PYTHON") {
        return Some(python.into());
    }
    let without = std::env::var("SHIELDWALL_WITHOUT").unwrap_or_default();
    assert!(
        without.split_whitespace().any(|part| part == "clients"),
        "SHIELDWALL_PYTHON is not set: `make test` installs stix2 and sets it; by hand, make a virtual environment, \
         `pip install -r scripts/requirements.txt` and name its python. To leave this test out: SHIELDWALL_WITHOUT=clients"
    );
    eprintln!("LEFT OUT, as SHIELDWALL_WITHOUT asks: the comparison with the reference library");
    None
}

const FILES: [&str; 2] = ["tests/data/valid.jsonl", "tests/data/invalid.jsonl"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether we accept each case.
fn ours() -> BTreeMap<String, bool> {
    let mut verdicts = BTreeMap::new();
    for file in FILES {
        for line in std::fs::read_to_string(here(file)).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            // As a bundle's object, whatever JSON it is.
            let bundle = format!(r#"{{"objects":[{}]}}"#, row["object"]);
            let accepted = read_bundle(bundle.as_bytes()).unwrap().refused.is_empty();
            assert_eq!(
                verdicts.insert(row["case"].as_str().unwrap().to_owned(), accepted),
                None,
                "{}",
                row["case"]
            );
        }
    }
    verdicts
}

#[test]
fn every_difference_from_the_reference_library_is_explained() {
    let Some(python) = python() else { return };
    let output = Command::new(python)
        .arg(here("../../scripts/stix2-compare.py"))
        .args(FILES.map(here))
        .output()
        .expect("SHIELDWALL_PYTHON names a Python that runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (version, theirs) = told.split_first().expect("its version first");
    let ours = ours();
    assert_eq!(theirs.len(), ours.len(), "a verdict for every case");
    let explained: BTreeSet<String> =
        serde_json::from_str::<Value>(include_str!("data/stix2-differences.json"))
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| {
                assert!(
                    group["reason"].as_str().unwrap().len() > 20
                        && !group["sections"].as_str().unwrap().is_empty()
                );
                group["cases"].as_array().unwrap().iter().map(|case| case.as_str().unwrap().to_owned())
            })
            .collect();
    let (mut both_accept, mut both_refuse, mut we_alone, mut they_alone) = (0, 0, 0, 0);
    let mut different = BTreeSet::new();
    for row in theirs {
        let case = row["case"].as_str().unwrap();
        let count = match (ours[case], row["accepted"].as_bool().unwrap()) {
            (true, true) => &mut both_accept,
            (false, false) => &mut both_refuse,
            (true, false) => &mut we_alone,
            (false, true) => &mut they_alone,
        };
        *count += 1;
        if ours[case] != row["accepted"] {
            different.insert(case.to_owned());
            assert!(
                explained.contains(case),
                "{case}: we {}, stix2 says {}; explain it in data/stix2-differences.json, or correct us",
                if ours[case] { "accept it" } else { "refuse it" },
                row["said"]
            );
        }
    }
    assert_eq!(different, explained, "an explanation without a difference: take it out");
    println!(
        "{} objects beside stix2 {}: both accept {both_accept}, both refuse {both_refuse}, we alone accept {we_alone}, \
         we alone refuse {they_alone}; all {} differences explained",
        ours.len(),
        version["stix2"].as_str().unwrap(),
        different.len()
    );
}
