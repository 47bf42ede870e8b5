//! The program as it is typed: arguments in, standard output, standard error and exit status out.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that stops has failed, and says where"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program, with nothing of this machine's environment that it would read.
fn shieldwall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shieldwall"));
    command
        .env_remove("SHIELDWALL_LOG")
        .env_remove("SHIELDWALL_TOKEN")
        .env_remove("RUST_LOG")
        .env("COLUMNS", "100");
    command
}

fn run(arguments: &[&str]) -> Output {
    shieldwall().args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

fn run_in(dir: &Path, arguments: &[&str]) -> Output {
    shieldwall().current_dir(dir).args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| json(line.as_bytes())).collect()
}

#[track_caller]
fn exits(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{output:#?}");
}

/// A directory with indicators and events.
fn ground() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("values.txt", b"# published\nevil[.]example\n192.0.2.0/24\nwords of no kind\n");
    write(
        "values.csv",
        b"type,value,family\nsha256,275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F,eicar\n",
    );
    write("bundle.json", BUNDLE.as_bytes());
    write("eve.json", EVENTS.as_bytes());
    write("eve.json.zst", &zstd::encode_all(EVENTS.as_bytes(), 3).unwrap());
    dir
}

const BUNDLE: &str = r#"{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[
 {"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"Stop switch",
  "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","labels":["kill-switch"],
  "pattern":"[domain-name:value = 'stop.example']","pattern_type":"stix","valid_from":"2026-01-31T09:30:00Z"},
 {"type":"indicator","spec_version":"2.1","id":"indicator--9e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
  "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z",
  "pattern":"[file:name LIKE 'a%']","pattern_type":"stix","valid_from":"2026-01-31T09:30:00Z"}]}"#;

const EVENTS: &str = concat!(
    r#"{"timestamp":"2026-01-31T09:30:00.000000+0000","flow_id":1,"event_type":"dns","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","dns":{"rrname":"www.example.org"}}"#,
    "\n\n",
    r#"{"timestamp":"2026-01-31T09:30:01.000000+0000","flow_id":2,"event_type":"dns","src_ip":"10.0.0.1","dest_ip":"192.0.2.9","dns":{"rrname":"a.evil.example"}}"#,
    "\nno JSON at all\n",
    r#"{"timestamp":"2026-01-31T09:30:02.000000+0000","flow_id":3,"event_type":"tls","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","tls":{"sni":"stop.example"}}"#,
);

#[test]
fn help_is_as_written_down() {
    // Set SHIELDWALL_BLESS=1 to write the golden files anew, and read the difference.
    let bless = std::env::var_os("SHIELDWALL_BLESS").is_some();
    let pages: [&[&str]; 30] = [
        &[],
        &["hub"],
        &["sensor"],
        &["demo"],
        &["match"],
        &["mapping", "test"],
        &["pattern", "eval"],
        &["pattern", "check"],
        &["sigma", "check"],
        &["sigma", "match"],
        &["scan"],
        &["feed", "export"],
        &["feed", "import"],
        &["feed", "source", "add"],
        &["peer", "add"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["user", "create"],
        &["member", "list"],
        &["link"],
        &["verify"],
        &["rebuild"],
        &["dump"],
        &["backup"],
        &["restore"],
        &["generate"],
        &["bench", "match"],
        &["bench", "import"],
        &["bench", "pages"],
    ];
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help");
    for page in pages {
        let output = run(&[page, &["--help"]].concat());
        exits(&output, 0);
        let name = if page.is_empty() { "shieldwall".to_owned() } else { page.join("-") };
        let path = golden.join(format!("{name}.txt"));
        if bless {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &output.stdout).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text(&output.stdout),
            known,
            "{} differs; SHIELDWALL_BLESS=1 writes it anew",
            path.display()
        );
        assert!(known.lines().all(|line| line.chars().count() <= 120), "{name} has overlong lines");
    }
}

#[test]
fn a_pattern_ends_as_grep_does() {
    let dir = ground();
    let observed = r#"{"type":"observed-data","first_observed":"2026-01-31T09:30:00Z","last_observed":"2026-01-31T09:30:00Z",
        "number_observed":2,"objects":{"0":{"type":"file","name":"a.exe"}}}"#;
    let file = dir.path().join("observed.json");
    std::fs::write(&file, observed).unwrap();
    let ask = |pattern: &str, more: &[&str]| {
        run(&[&["pattern", "eval", "--pattern", pattern, "--observed", file.to_str().unwrap()], more]
            .concat())
    };
    exits(&ask("[file:name = 'a.exe'] REPEATS 2 TIMES", &[]), 0);
    exits(&ask("[file:name = 'a.exe'] REPEATS 3 TIMES", &[]), 1);
    let invalid = ask("[file:name 'a.exe']", &[]);
    exits(&invalid, 2);
    let told = text(&invalid.stderr);
    assert!(told.starts_with("error[watch.pattern.invalid]: the pattern is invalid at byte 11"), "{told}");
    assert!(told.contains("\n  [file:name 'a.exe']\n             ^"), "{told}");
    let beyond = ask("[file:name MATCHES '(?=a)']", &["--json"]);
    exits(&beyond, 2);
    let answer: serde_json::Value = serde_json::from_slice(&beyond.stdout).unwrap();
    assert_eq!((answer["result"].as_str(), answer["error"]["at"].as_u64()), (Some("beyond"), Some(19)));
    let none: serde_json::Value =
        serde_json::from_slice(&ask("[file:name = 'b']", &["--json"]).stdout).unwrap();
    assert_eq!(none["matched"], false);

    exits(&run(&["pattern", "check", "--pattern", "[file:name = 'a']"]), 0);
    exits(&run(&["pattern", "check", "--pattern", "[file:name MATCHES '(?=a)']"]), 0);
    exits(&run(&["pattern", "check", "--pattern", "[file:name = 'a'"]), 2);

    let batch = dir.path().join("batch.ndjson");
    let line = |id: u8, pattern: &str| {
        let observed: serde_json::Value = serde_json::from_str(observed).unwrap();
        serde_json::json!({"id": id, "pattern": pattern, "observed": observed}).to_string()
    };
    let lines = [line(1, "[file:name = 'b']"), line(2, "[file:name = 'a.exe']")];
    std::fs::write(&batch, lines.join("\n")).unwrap();
    let all = run(&["pattern", "eval", "--batch", batch.to_str().unwrap()]);
    exits(&all, 0);
    let results: Vec<serde_json::Value> =
        text(&all.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&results[0]["result"], &results[1]["result"]), (&"none".into(), &"match".into()));
    assert_eq!((&results[0]["id"], &results[1]["line"]), (&1.into(), &2.into()));
    std::fs::write(&batch, format!("{}\nno JSON\n", line(1, "[file:name = 'a.exe']"))).unwrap();
    exits(&run(&["pattern", "eval", "--batch", batch.to_str().unwrap()]), 2);
    std::fs::write(&file, r#"{"type":"observed-data","number_observed":0}"#).unwrap();
    let shape = ask("[file:name = 'a.exe']", &[]);
    exits(&shape, 2);
    assert!(text(&shape.stderr).contains("first_observed"), "{}", text(&shape.stderr));
}

#[test]
fn what_is_typed_wrongly_ends_with_2_and_what_is_missing_with_3() {
    exits(&run(&["--version"]), 0);
    exits(&run(&[]), 2);
    exits(&run(&["conquer"]), 2);
    exits(&run(&["match", "--indicators", "x"]), 2);
    exits(&run(&["verify", "--data", "/nowhere", "--log", "=loud="]), 2);
    let missing = run(&["verify", "--data", "/nowhere/at/all"]);
    exits(&missing, 3);
    assert!(text(&missing.stderr).starts_with("error[cli.data.missing]: "), "{missing:?}");
    let token = run(&["token", "create", "--data", "/nowhere", "--member", "LU", "--role", "emperor"]);
    exits(&token, 2);
    assert!(text(&token.stderr).contains("write analyst, auditor"), "{token:?}");
}

#[test]
fn machines_get_errors_as_json() {
    let usage = run(&["conquer", "--json"]);
    exits(&usage, 2);
    assert_eq!(json(&usage.stderr)["error"]["code"], "cli.usage");
    let unreadable = run(&["match", "--json", "--indicators", "/nowhere", "--events", "-"]);
    exits(&unreadable, 2);
    let error = &json(&unreadable.stderr)["error"];
    assert_eq!(error["code"], "cli.input.open");
    assert!(error["causes"][0].as_str().unwrap().contains("No such file"), "{error}");
    assert!(unreadable.stdout.is_empty());
    let unreachable =
        run(&["feed", "import", "--json", "--hub", "http://127.0.0.1:1", "--token", "t", file!()]);
    assert_eq!(json(&unreachable.stderr)["error"]["code"].as_str().map(|code| &code[..4]), Some("cli."));
}

#[test]
fn match_names_each_match_and_sums_up() {
    let dir = ground();
    let arguments = [
        "match",
        "--json",
        "--indicators",
        "values.txt",
        "values.csv",
        "bundle.json",
        "--events",
        "eve.json",
    ];
    let output = run_in(dir.path(), &arguments);
    exits(&output, 0);
    let found = lines(&output.stdout);
    let (summary, matches) = found.split_last().unwrap();
    let told: Vec<_> = matches
        .iter()
        .map(|hit| {
            (hit["line"].as_u64().unwrap(), hit["field"].as_str().unwrap(), hit["value"].as_str().unwrap())
        })
        .collect();
    let expected =
        [(3, "dest_ip", "192.0.2.0/24"), (3, "dns.rrname", "evil.example"), (5, "tls.sni", "stop.example")];
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{told:?}");
    let switch = matches.iter().find(|hit| hit["line"] == 5).unwrap();
    assert_eq!(switch["indicator"]["id"], "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f");
    assert_eq!(switch["indicator"]["role"], "kill-switch");
    assert_eq!(switch["time"], "2026-01-31T09:30:02.000000+0000");
    let offset = usize::try_from(switch["offset"].as_u64().unwrap()).unwrap();
    assert!(EVENTS[offset..].starts_with(r#"{"timestamp":"2026-01-31T09:30:02"#));
    let below = matches.iter().find(|hit| hit["field"] == "dns.rrname").unwrap();
    assert_eq!((&below["observed"], &below["indicator"]["line"]), (&"a.evil.example".into(), &2.into()));

    let summary = &summary["summary"];
    assert_eq!(
        [&summary["events"], &summary["events_matched"], &summary["matches"], &summary["bad_lines"]],
        [4, 2, 3, 1].map(Value::from).each_ref(),
        "{summary}"
    );
    assert_eq!(summary["files"][0]["format"], "suricata");
    assert_eq!(
        (&summary["indicators"]["indicators"], &summary["indicators"]["unmatchable"]),
        (&4.into(), &2.into())
    );
    assert_eq!(summary["indicators"]["reasons"]["watch.pattern.unsupported"], 1);
}

#[test]
fn match_reads_what_is_packed_and_what_is_piped_alike() {
    let dir = ground();
    let matches = |output: &Output| -> Vec<Value> {
        let mut found = lines(&output.stdout);
        found.pop();
        found.iter_mut().for_each(|hit| hit["file"] = Value::Null);
        found
    };
    let arguments = ["match", "--json", "--indicators", "values.txt", "--events"];
    let plain = matches(&run_in(dir.path(), &[&arguments[..], &["eve.json"]].concat()));
    assert_eq!(plain.len(), 2);
    assert_eq!(matches(&run_in(dir.path(), &[&arguments[..], &["eve.json.zst"]].concat())), plain);
    let mut child = piped(&dir, &[&arguments[..], &["-"]].concat());
    child.stdin.take().unwrap().write_all(EVENTS.as_bytes()).unwrap();
    assert_eq!(matches(&child.wait_with_output().unwrap()), plain);
}

fn piped(dir: &TempDir, arguments: &[&str]) -> Child {
    let (input, output) = (Stdio::piped(), Stdio::piped());
    shieldwall().current_dir(dir.path()).args(arguments).stdin(input).stdout(output).spawn().unwrap()
}

#[test]
fn match_prints_no_more_than_it_is_asked_for_and_counts_all() {
    let dir = ground();
    let arguments = ["match", "--indicators", "values.txt", "bundle.json", "--events", "eve.json"];
    let all = run_in(dir.path(), &arguments);
    exits(&all, 0);
    assert_eq!(text(&all.stdout).lines().count(), 3, "{all:?}");
    assert!(
        text(&all.stdout).contains("eve.json:5: tls.sni stop.example (domain-name; indicator--8e2e2d2b"),
        "{all:?}"
    );
    let told = text(&all.stderr);
    assert!(
        told.contains("not matched: values.txt line 4: ") && told.contains("3 matches in 2 events"),
        "{told}"
    );
    let one = run_in(dir.path(), &[&arguments[..], &["--limit", "1"]].concat());
    assert_eq!(text(&one.stdout).lines().count(), 1);
    assert!(text(&one.stderr).contains("3 matches"), "{one:?}");
    let none = run_in(dir.path(), &[&arguments[..], &["--count"]].concat());
    exits(&none, 0);
    assert!(none.stdout.is_empty() && text(&none.stderr).contains("3 matches"), "{none:?}");
    // Nothing found is no failure either.
    let nothing = run_in(dir.path(), &["match", "--indicators", "values.csv", "--events", "eve.json"]);
    exits(&nothing, 0);
    assert!(nothing.stdout.is_empty());
}

#[test]
fn match_takes_a_mapping_of_ones_own() {
    let dir = ground();
    let mapping = "name = \"proxy\"\nabout = \"Log of the proxy\"\nformat = \"json\"\ntime = [\"when\"]\n\n[detect]\nall = [\"when\", \"target\"]\n\n[fields]\n\"target\" = \"url\"\n";
    std::fs::write(dir.path().join("proxy.toml"), mapping).unwrap();
    std::fs::write(dir.path().join("proxy.json"), "{\"when\":\"t\",\"target\":\"http://evil.example/x\"}\n")
        .unwrap();
    let arguments = [
        "match",
        "--json",
        "--indicators",
        "values.txt",
        "--events",
        "proxy.json",
        "--mapping",
        "proxy.toml",
    ];
    let output = run_in(dir.path(), &arguments);
    exits(&output, 0);
    let found = lines(&output.stdout);
    assert_eq!(
        (&found[0]["field"], &found[1]["summary"]["files"][0]["format"]),
        (&"target".into(), &"proxy".into())
    );
    let unknown = run_in(
        dir.path(),
        &["match", "--indicators", "values.txt", "--events", "eve.json", "--format", "morse"],
    );
    exits(&unknown, 2);
    assert!(text(&unknown.stderr).contains("suricata"), "what there is: {unknown:?}");
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let dir = ground();
    let mut child = shieldwall()
        .current_dir(dir.path())
        .args(["generate", "--format", "text", "--bytes", "20MB"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closing our end of the pipe is what `head` does.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    exits(&output, 0);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn generated_telemetry_repeats_itself_and_carries_what_it_is_told_to() {
    let dir = ground();
    let arguments = [
        "generate",
        "--format",
        "zeek",
        "--events",
        "300",
        "--indicators",
        "values.txt",
        "--rate",
        "0.1",
        "--json",
    ];
    let first = run_in(dir.path(), &arguments);
    exits(&first, 0);
    assert_eq!(text(&first.stdout).lines().count(), 300);
    assert_eq!(run_in(dir.path(), &arguments).stdout, first.stdout);
    let planted = json(&first.stderr)["planted"].as_u64().unwrap();
    assert!(planted > 0);
    std::fs::write(dir.path().join("zeek.json"), &first.stdout).unwrap();
    let output = run_in(
        dir.path(),
        &["match", "--json", "--count", "--indicators", "values.txt", "--events", "zeek.json"],
    );
    let summary = &json(&output.stdout)["summary"];
    assert!(summary["events_matched"].as_u64().unwrap() >= planted, "{summary}");
}

#[test]
fn a_token_is_printed_alone_listed_without_its_text_and_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    let create = |member: &str, role: &str| {
        run(&["token", "create", "--data", &data, "--member", member, "--role", role])
    };
    let made = create("lu", "analyst");
    exits(&made, 0);
    let token = text(&made.stdout).trim();
    assert!(
        token.starts_with("swt_") && token.len() == 47 && text(&made.stdout).lines().count() == 1,
        "{made:?}"
    );
    exits(&create("Luxembourg", "sensor"), 0);
    exits(&create("Spain", "officer"), 0);
    exits(&create("qq", "officer"), 2);

    let list = run(&["token", "list", "--data", &data, "--json"]);
    exits(&list, 0);
    assert!(!text(&list.stdout).contains(token));
    let list = json(&list.stdout);
    let tokens = list["tokens"].as_array().unwrap();
    let told: Vec<_> = tokens
        .iter()
        .map(|token| (token["member_name"].as_str().unwrap(), token["role"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("Spain", "officer"), ("Luxembourg", "sensor"), ("Luxembourg", "analyst")]);
    // A member about to join is one member, however often it is named.
    assert_eq!(tokens[1]["member"], tokens[2]["member"]);
    assert_ne!(tokens[0]["member"], tokens[1]["member"]);

    let id = tokens[0]["id"].as_str().unwrap();
    exits(&run(&["token", "revoke", "--data", &data, id]), 0);
    let list = json(&run(&["token", "list", "--data", &data, "--json"]).stdout);
    assert_eq!(
        (&list["tokens"][0]["state"], &list["tokens"][1]["state"]),
        (&"revoked".into(), &"active".into())
    );
    let absent = run(&["token", "revoke", "--data", &data, "token--01890a5d-ac96-774b-bcce-b302099a8057"]);
    exits(&absent, 2);
}

/// A hub that runs, ended when dropped.
struct Hub {
    child: Child,
    listening: Value,
}

impl Hub {
    fn start(data: &str) -> Self {
        let mut child = shieldwall()
            .args(["hub", "--data", data, "--listen", "127.0.0.1:0", "--json", "--log", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { listening: json(line.as_bytes()), child }
    }

    fn url(&self) -> &str {
        self.listening["url"].as_str().unwrap()
    }

    /// Ends it with SIGTERM, as a service manager does; the exit status.
    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two good objects and one that is none.
const SHARED: &str = r#"{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[
 {"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"Stop switch",
  "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z",
  "pattern":"[domain-name:value = 'stop.example']","pattern_type":"stix","valid_from":"2026-01-31T09:30:00Z"},
 {"type":"malware","spec_version":"2.1","id":"malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
  "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","is_family":"yes"},
 {"type":"malware","spec_version":"2.1","id":"malware--9e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"Wall",
  "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","is_family":true}]}"#;

#[test]
fn files_are_shared_with_a_hub_and_each_refusal_is_named() {
    let dir = ground();
    let data = dir.path().join("data").display().to_string();
    let token = run(&["token", "create", "--data", &data, "--member", "LU", "--role", "analyst"]);
    let token = text(&token.stdout).trim().to_owned();
    let hub = Hub::start(&data);
    assert!(hub.listening["first_run"].as_str().unwrap().starts_with(hub.url()), "{}", hub.listening);
    std::fs::write(dir.path().join("shared.json"), SHARED).unwrap();
    let import = |more: &[&str]| {
        run_in(
            dir.path(),
            &[&["feed", "import", "--hub", hub.url(), "--token", &token, "--json"], more].concat(),
        )
    };
    let first = import(&["shared.json", "values.txt"]);
    exits(&first, 1);
    let told = lines(&first.stdout);
    let refused: Vec<_> = told.iter().filter_map(|line| line.get("refused")).collect();
    assert_eq!(refused.len(), 2, "{told:?}");
    assert_eq!(refused[0]["path"], "objects[1].is_family");
    assert_eq!(refused[0]["id"], "malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f");
    assert_eq!((&refused[1]["file"], &refused[1]["path"]), (&"values.txt".into(), &"line 4".into()));
    let summary = &told.last().unwrap()["summary"];
    assert_eq!(
        [&summary["objects"], &summary["accepted"], &summary["refused"]],
        [6, 4, 2].map(Value::from).each_ref()
    );

    // Again: all of it is there already; a good file alone ends with 0.
    let again = import(&["values.csv"]);
    exits(&again, 0);
    let again = import(&["values.csv"]);
    exits(&again, 0);
    assert_eq!(lines(&again.stdout).last().unwrap()["summary"]["repeated"], 1);
    let wrong = run_in(
        dir.path(),
        &["feed", "import", "--hub", hub.url(), "--token", "swt_x", "--json", "values.csv"],
    );
    exits(&wrong, 2);
    assert_eq!(json(&wrong.stderr)["error"]["code"], "cli.hub.token");

    // A file that is nothing to share is found before the first is sent.
    let manifest = "{\"6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01\":{\"info\":\"x\"}}";
    std::fs::write(dir.path().join("manifest.json"), manifest).unwrap();
    let misp = import(&["bundle.json", "manifest.json"]);
    exits(&misp, 2);
    assert_eq!(json(&misp.stderr)["error"]["code"], "format.misp-manifest");
    assert!(misp.stdout.is_empty());

    let pages = run(&["bench", "pages", "--hub", hub.url(), "--token", &token, "--limit", "2", "--json"]);
    exits(&pages, 0);
    let pages = json(&pages.stdout);
    assert_eq!(
        [&pages["pages"], &pages["objects"], &pages["distinct"]],
        [3, 5, 5].map(Value::from).each_ref()
    );
    assert_eq!(hub.stop(), Some(0));
}

#[test]
fn the_record_is_proved_copied_and_brought_back() {
    let dir = ground();
    let place = |name: &str| dir.path().join(name).display().to_string();
    let (data, copy, second) = (place("data"), place("copy"), place("second"));
    let token = run(&["token", "create", "--data", &data, "--member", "Luxembourg", "--role", "analyst"]);
    let token = text(&token.stdout).trim().to_owned();
    let hub = Hub::start(&data);
    let import = ["feed", "import", "--hub", hub.url(), "--token", &token, "values.csv", "bundle.json"];
    exits(&run_in(dir.path(), &import), 0);
    // All of these work beside the running hub.
    let members = json(&run(&["member", "list", "--data", &data, "--json"]).stdout);
    assert_eq!(
        (&members["members"][0]["name"], &members["members"][0]["country"]),
        (&"Luxembourg".into(), &"LU".into())
    );
    exits(&run(&["verify", "--data", &data]), 0);
    exits(&run(&["backup", "--data", &data, "--to", &copy]), 0);
    let busy = run(&["rebuild", "--data", &data, "--json"]);
    exits(&busy, 3);
    assert_eq!(json(&busy.stderr)["error"]["code"], "ledger.files.locked");
    assert_eq!(hub.stop(), Some(0));

    let digest = |data: &str| json(&run(&["dump", "--data", data, "--digest", "--json"]).stdout);
    let before = digest(&data);
    assert!(before["lines"].as_u64().unwrap() > 5, "{before}");
    exits(&run(&["rebuild", "--data", &data]), 0);
    assert_eq!(digest(&data), before);

    exits(&run(&["restore", "--from", &copy, "--to", &second]), 0);
    exits(&run(&["restore", "--from", &copy, "--to", &second]), 2);
    let proved = run(&["verify", "--data", &second, "--json"]);
    exits(&proved, 0);
    let proved = json(&proved.stdout);
    assert_eq!((&proved["sound"], &proved["key"]), (&true.into(), &"ledger".into()));

    flip(&dir.path().join("second/real/ledger.db"), b"stop.example");
    let broken = run(&["verify", "--data", &second, "--json"]);
    exits(&broken, 1);
    let broken = json(&broken.stdout);
    assert_eq!(broken["sound"], false);
    assert!(broken["problems"][0]["code"].as_str().unwrap().starts_with("verify."), "{broken}");
}

/// Changes one bit of every place where `words` stand in a file.
fn flip(path: &Path, words: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(words)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at] ^= 1);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_person_gets_an_account_and_a_link_that_signs_in_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    let token = run(&["token", "create", "--data", &data, "--member", "LU", "--role", "analyst"]);
    let hub = Hub::start(&data);
    let create = ["user", "create", "--data", &data, "--name", "Anna", "--member", "LU", "--role", "analyst"];
    // The member joins when its token is first used, and not before.
    exits(&run(&create), 2);
    exits(&run(&["bench", "pages", "--hub", hub.url(), "--token", text(&token.stdout).trim()]), 0);
    let made = run(&[&create[..], &["--url", hub.url()]].concat());
    exits(&made, 0);
    let link = text(&made.stdout).trim();
    assert!(
        link.starts_with(&format!("{}/sign-in/link/", hub.url())) && text(&made.stdout).lines().count() == 1
    );
    exits(&run(&create), 2);

    let users = json(&run(&["user", "list", "--data", &data, "--json"]).stdout);
    let anna = &users["users"][0];
    assert_eq!(
        (&anna["name"], &anna["member_name"], &anna["has_password"]),
        (&"anna".into(), &"Luxembourg".into(), &false.into())
    );
    let another = run(&["link", "--data", &data, "--user", "anna", "--url", hub.url()]);
    exits(&another, 0);
    assert_ne!(text(&another.stdout).trim(), link);
    exits(&run(&["link", "--data", &data, "--user", "nobody"]), 2);
    assert_eq!(hub.stop(), Some(0));
}

#[test]
fn a_public_address_without_tls_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().display().to_string();
    let output = run(&["hub", "--data", &data, "--listen", "0.0.0.0:0", "--json"]);
    exits(&output, 2);
    assert_eq!(json(&output.stderr)["error"]["code"], "hub.config.public_without_tls");
    exits(&run(&["hub", "--data", &data, "--tls-cert", "c.pem"]), 2);
}

#[test]
fn a_completion_script_knows_the_commands() {
    let output = run(&["completions", "bash"]);
    exits(&output, 0);
    assert!(
        text(&output.stdout).contains("shieldwall__subcmd__feed") || text(&output.stdout).contains("feed")
    );
    exits(&run(&["completions", "abacus"]), 2);
}
