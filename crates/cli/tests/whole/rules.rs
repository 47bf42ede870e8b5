//! `sigma` and `scan`, as they are typed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const RULES: &str = r"
title: Shadow copies deleted
id: 0b1e0003-5f5e-4c3a-9a51-6d6f7b1c0001
logsource: { product: windows, category: process_creation }
detection:
    selection:
        Image|endswith: '\vssadmin.exe'
        CommandLine|contains|all: [delete, shadows]
    condition: selection
tags: [attack.t1490]
level: high
---
title: Failed logon
name: failed
id: 0b1e0003-5f5e-4c3a-9a51-6d6f7b1c0002
logsource: { product: windows, service: security }
detection:
    selection: { EventID: 4625 }
    condition: selection
---
title: Many failed logons
id: 0b1e0003-5f5e-4c3a-9a51-6d6f7b1c0003
correlation:
    type: event_count
    rules: [failed]
    group-by: [IpAddress]
    timespan: 1m
    condition: { gte: 3 }
level: medium
";

/// One event each as Sysmon in flat JSON, EVTX as JSON, Winlogbeat and ECS; then three failed logons; then no event.
const EVENTS: &str = r##"{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"UtcTime":"2026-01-31 09:30:00.000","Image":"C:\\Windows\\System32\\vssadmin.exe","CommandLine":"vssadmin Delete Shadows /all"}
{"Event":{"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational"},"EventData":{"Image":"C:\\Windows\\System32\\vssadmin.exe","Command Line":"vssadmin delete shadows"}}}
{"@timestamp":"2026-01-31T09:30:02Z","winlog":{"channel":"Security","event_id":4688,"event_data":{"NewProcessName":"C:\\Windows\\System32\\vssadmin.exe","CommandLine":"vssadmin delete shadows"}}}
{"@timestamp":"2026-01-31T09:30:03Z","category":"process_creation","product":"windows","process":{"executable":"C:\\Windows\\System32\\vssadmin.exe","command_line":"vssadmin delete shadows"}}
{"Channel":"Security","EventID":4625,"SystemTime":"2026-01-31T09:30:04Z","IpAddress":"10.0.0.9"}
{"Channel":"Security","EventID":4625,"SystemTime":"2026-01-31T09:30:05Z","IpAddress":"10.0.0.9"}

{"Channel":"Security","EventID":4625,"SystemTime":"2026-01-31T09:30:06Z","IpAddress":"10.0.0.9"}
no event
"##;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shieldwall"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

#[track_caller]
fn lines(output: &Output, status: i32) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(status), "{output:#?}");
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn rules_load_or_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    std::fs::write(folder.path().join("rules/good.yml"), RULES).unwrap();
    let said = lines(&run(folder.path(), &["sigma", "check", "rules", "--json"]), 0);
    assert_eq!(said[0]["rules"], 3);
    let bad = RULES.replace("condition: selection", "condition: selection and nowhere");
    std::fs::write(folder.path().join("rules/bad.yml"), bad).unwrap();
    std::fs::write(folder.path().join("rules/worse.yaml"), "title: [").unwrap();
    let said = lines(&run(folder.path(), &["sigma", "check", "rules", "--json"]), 1);
    let places: Vec<_> = said[0]["refused"].as_array().unwrap().iter().map(|one| &one["place"]).collect();
    assert!(places.contains(&&Value::from("rules/worse.yaml")), "{said:?}");
    assert!(places.contains(&&Value::from("rules/bad.yml")), "{said:?}");
    assert_eq!(run(folder.path(), &["sigma", "check", "absent"]).status.code(), Some(2));
}

#[test]
fn events_of_every_spelling_match_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), RULES).unwrap();
    std::fs::write(folder.path().join("events.json"), EVENTS).unwrap();
    let said =
        lines(&run(folder.path(), &["sigma", "match", "--rules", "rules.yml", "--json", "--", "events.json"]), 0);
    let titles: Vec<_> = said.iter().filter_map(|line| Some((line["line"].as_u64()?, &line["rule"]["title"]))).collect();
    let deleted = Value::from("Shadow copies deleted");
    let many = Value::from("Many failed logons");
    assert_eq!(titles, [(1, &deleted), (2, &deleted), (3, &deleted), (4, &deleted), (8, &many)]);
    assert_eq!(said[0]["fields"]["Image"], "C:\\Windows\\System32\\vssadmin.exe");
    assert_eq!(said[0]["time"], "2026-01-31T09:30:00.000Z");
    assert_eq!((&said[4]["counted"], &said[4]["fields"]["IpAddress"]), (&3.0.into(), &"10.0.0.9".into()));
    let summary = &said[5]["summary"];
    assert_eq!((&summary["events"], &summary["matches"], &summary["bad_lines"]), (&7.into(), &5.into(), &1.into()));
}

/// Hashes are of the text `abc` (FIPS 180-4's example).
const LISTED: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";

#[test]
fn listed_hashes_are_found_without_an_engine() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("stick/deep")).unwrap();
    std::fs::write(folder.path().join("hashes.txt"), LISTED).unwrap();
    std::fs::write(folder.path().join("stick/harmless"), "abcd").unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("stick/way-out")).unwrap();
    let scan = ["scan", "stick", "--watchlist", "hashes.txt", "--json"];
    let said = lines(&run(folder.path(), &scan), 0);
    assert_eq!((&said[0]["summary"]["files"], &said[0]["summary"]["links_passed_over"]), (&1.into(), &1.into()));
    std::fs::write(folder.path().join("stick/deep/bad"), "abc").unwrap();
    let said = lines(&run(folder.path(), &scan), 1);
    assert_eq!(said[0]["file"], "stick/deep/bad");
    assert_eq!(said[0]["listed"][0]["kind"], "sha256");
    let said = lines(&run(folder.path(), &["scan", "absent", "--watchlist", "hashes.txt", "--json"]), 2);
    assert_eq!(said[1]["summary"]["failed"], 1);
    assert_eq!(run(folder.path(), &["scan", "stick"]).status.code(), Some(2), "nothing to scan with");
    let without = ["scan", "stick", "--rules", "hashes.txt", "--engine", "./absent"];
    assert_eq!(run(folder.path(), &without).status.code(), Some(3));
}

/// The engine, or nothing if it was left out by name.
fn engine() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SHIELDWALL_YARA") {
        return Some(path.into());
    }
    let without = std::env::var("SHIELDWALL_WITHOUT").unwrap_or_default();
    assert!(
        without.split_whitespace().any(|part| part == "yara"),
        "SHIELDWALL_YARA is not set: `make test` builds the YARA engine and sets it; by hand, `make yara` and name \
         target/yara/release/shieldwall-yara. To leave this test out: SHIELDWALL_WITHOUT=yara"
    );
    eprintln!("LEFT OUT, as SHIELDWALL_WITHOUT asks: YARA rules over files");
    None
}

#[test]
fn rules_are_applied_by_the_engine() {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("stick")).unwrap();
    std::fs::create_dir_all(folder.path().join("rules")).unwrap();
    let rule = "import \"hash\"\nrule word { meta: description = \"a word\" strings: $w = \"shieldwall-sample-7f3a\" \
                condition: $w and hash.md5(0, filesize) != \"\" }";
    std::fs::write(folder.path().join("rules/word.yar"), rule).unwrap();
    std::fs::write(folder.path().join("stick/a"), "nothing").unwrap();
    let scan = ["scan", "stick", "--rules", "rules", "--json", "--engine"];
    let scan = |more: &[&str]| run(folder.path(), &[&scan[..], &[engine.to_str().unwrap()], more].concat());
    lines(&scan(&[]), 0);
    std::fs::write(folder.path().join("stick/b"), "..shieldwall-sample-7f3a..").unwrap();
    std::fs::write(folder.path().join("stick/c"), vec![b'x'; 5_000]).unwrap();
    let said = lines(&scan(&["--max-size", "4kB"]), 1);
    assert_eq!(said[0]["file"], "stick/b");
    assert_eq!(said[0]["rules"][0]["rule"], "word");
    assert_eq!(said[0]["rules"][0]["strings"], serde_json::json!([["$w", 2]]));
    assert_eq!(said[1]["summary"]["too_large_for_rules"], 1);
    // A file of rules that does not compile is named, and the rest is used.
    std::fs::write(folder.path().join("rules/broken.yar"), "rule {").unwrap();
    std::fs::remove_file(folder.path().join("stick/b")).unwrap();
    let said = lines(&scan(&[]), 2);
    assert_eq!(said[0]["summary"]["rules_refused"], 1);
}

#[test]
fn an_engine_that_hangs_is_ended_and_the_scan_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("stick")).unwrap();
    for name in ["a", "b"] {
        std::fs::write(folder.path().join("stick").join(name), "x").unwrap();
    }
    std::fs::write(folder.path().join("r.yar"), "").unwrap();
    // It takes rules, and breaks over whatever it is given.
    let broken = "#!/bin/sh\necho '{\"rules\":1,\"refused\":[]}'\nexec /usr/bin/head -c 1 >/dev/null\n";
    let path = folder.path().join("engine");
    std::fs::write(&path, broken).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let said = lines(&run(folder.path(), &["scan", "stick", "--rules", "r.yar", "--engine", "./engine", "--json"]), 2);
    assert_eq!(said[2]["summary"]["failed"], 2);
    assert!(said[0]["failed"].as_str().unwrap().contains("broke"), "{said:?}");
}
