//! A sample of every format: how it is told, and what is read from it, against golden files.
//!
//! `SHIELDWALL_UPDATE_GOLDEN=1` writes them anew.

use std::path::PathBuf;

use super::*;

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

#[test]
fn every_built_in_mapping_reads_its_sample_as_its_golden_file_says() {
    let all = Mappings::built_in().unwrap();
    for mapping in all.iter() {
        let name = mapping.name();
        let sample = std::fs::read(place(&format!("{name}.log"))).unwrap();
        let verdict = all.detect(&sample);
        assert_eq!(verdict.mapping.name(), name, "{}: {:#?}", verdict.why, verdict.candidates);
        let trial = Trial::run(mapping, &sample);
        assert!(trial.events > 0 && !trial.rows.is_empty());
        let shown = format!("{}\n{trial}", verdict.why);
        let golden = place(&format!("{name}.golden"));
        if std::env::var_os("SHIELDWALL_UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &shown).unwrap();
        }
        let known = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(shown, known, "{} differs; look at the difference, then update it", golden.display());
    }
}

#[test]
fn a_verdict_names_what_else_fits_and_the_line_that_does_not() {
    let all = Mappings::built_in().unwrap();
    let sample = std::fs::read(place("postfix.log")).unwrap();
    let verdict = all.detect(&sample);
    let of = |name: &str| verdict.candidates.iter().find(|candidate| candidate.mapping == name).unwrap();
    assert_eq!((of("postfix").fits, of("postfix").first), (5, 1));
    assert_eq!(of("postfix").not.as_ref().map(|(line, _)| *line), Some(6));
    assert_eq!((of("syslog").fits, of("syslog").not.clone()), (6, None));
    assert!(verdict.why.contains("5 of 6 lines") && verdict.why.contains("line 6"), "{}", verdict.why);
    // Few lines of a format among others do not make a file of it.
    let mixed = b"one\ntwo\nthree\n[1764059365] unbound[1:0] info: 192.0.2.1 a.example. A IN\n";
    assert_eq!(all.detect(mixed).mapping.name(), "text");
}

#[test]
fn a_mapping_can_be_like_another() {
    let all = Mappings::built_in().unwrap();
    let (tsv, json) = (all.get("zeek-tsv").unwrap(), all.get("zeek").unwrap());
    assert_eq!(tsv.fields().len(), json.fields().len() + 1, "and the line itself");
    assert_eq!(tsv.told(), json.told());
    let error = Mapping::parse("m.toml", "name='x'\nformat='cef'\nlike='nothing'").unwrap_err().to_string();
    assert!(error.contains("m.toml, line 3") && error.contains("nothing"), "{error}");
    let error = Mapping::parse("m.toml", "name='x'\nformat='cfe'").unwrap_err().to_string();
    assert!(error.contains("m.toml, line 2") && error.contains("zeek-tsv"), "{error}");
}
