//! Windows event logs: written here by the format's grammar ([MS-EVEN6] section 2.2.12, and what is known of the file's
//! frame), read by the child process, matched by `match` and by a sensor.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;
use shieldwall_model::access::Role;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_sensor::agent::SensorEvent;
use shieldwall_sensor::config::InputDraft;

use crate::support::World;
use crate::support::sensor::Post;
use crate::support::stix::{domain, story};

const CHUNK_BYTES: usize = 65_536;
/// 2026-11-25T08:29:25Z in 100 ns since 1601.
const FILE_TIME: u64 = 134_070_821_650_000_000;

/// One chunk of records, each of `EventData` with these names and values.
struct Log {
    chunk: Vec<u8>,
    records: u64,
}

impl Log {
    fn new() -> Self {
        Self { chunk: vec![0; 512], records: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.chunk.extend_from_slice(bytes);
    }

    /// A name: its place in the chunk, and there its link, hash, length and letters.
    fn name(&mut self, name: &str) {
        let at = u32::try_from(self.chunk.len() + 4).unwrap();
        self.put(&at.to_le_bytes());
        self.put(&[0; 6]);
        self.put(&u16::try_from(name.len()).unwrap().to_le_bytes());
        name.encode_utf16().for_each(|unit| self.put(&unit.to_le_bytes()));
        self.put(&[0; 2]);
    }

    fn text(&mut self, text: &str) {
        self.put(&[0x05, 0x01]);
        self.put(&u16::try_from(text.encode_utf16().count()).unwrap().to_le_bytes());
        text.encode_utf16().for_each(|unit| self.put(&unit.to_le_bytes()));
    }

    /// An element, with a `Name` or not, around `inner`.
    fn element(&mut self, name: &str, named: Option<&str>, inner: &dyn Fn(&mut Self)) {
        self.put(&[if named.is_some() { 0x41 } else { 0x01 }]);
        let size_at = self.chunk.len();
        self.put(&[0; 4]);
        self.name(name);
        if let Some(named) = named {
            let list_at = self.chunk.len();
            self.put(&[0; 4]);
            self.put(&[0x06]);
            self.name("Name");
            self.text(named);
            let size = u32::try_from(self.chunk.len() - list_at - 4).unwrap();
            self.chunk[list_at..list_at + 4].copy_from_slice(&size.to_le_bytes());
        }
        self.put(&[0x02]);
        inner(self);
        self.put(&[0x04]);
        let size = u32::try_from(self.chunk.len() - size_at - 4).unwrap();
        self.chunk[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
    }

    fn record(&mut self, data: &[(&str, &str)]) {
        let from = self.chunk.len();
        self.records += 1;
        self.put(&0x2a2a_u32.to_le_bytes());
        self.put(&[0; 4]);
        self.put(&self.records.to_le_bytes());
        self.put(&FILE_TIME.to_le_bytes());
        self.put(&[0x0f, 1, 1, 0]);
        self.element("Event", None, &|log| {
            log.element("System", None, &|log| log.element("EventID", None, &|log| log.text("1")));
            log.element("EventData", None, &|log| {
                for (name, value) in data {
                    log.element("Data", Some(*name), &|log| log.text(value));
                }
            });
        });
        self.put(&[0x00]);
        let size = u32::try_from(self.chunk.len() - from + 4).unwrap().to_le_bytes();
        self.put(&size);
        self.chunk[from + 4..from + 8].copy_from_slice(&size);
    }

    /// The file: its header, and the chunk with its own.
    fn file(mut self) -> Vec<u8> {
        let end = u32::try_from(self.chunk.len()).unwrap();
        let mut head = b"ElfChnk\0".to_vec();
        for number in [1, self.records, 1, self.records] {
            head.extend(number.to_le_bytes());
        }
        head.extend(128_u32.to_le_bytes());
        head.extend(512_u32.to_le_bytes());
        head.extend(end.to_le_bytes());
        self.chunk[..head.len()].copy_from_slice(&head);
        self.chunk.resize(CHUNK_BYTES, 0);
        let mut file = b"ElfFile\0".to_vec();
        for number in [0, 0, self.records + 1] {
            file.extend(number.to_le_bytes());
        }
        file.extend(128_u32.to_le_bytes());
        for number in [1_u16, 3, 4096, 1] {
            file.extend(number.to_le_bytes());
        }
        file.resize(4096, 0);
        file.extend(self.chunk);
        file
    }
}

fn log() -> Vec<u8> {
    let mut log = Log::new();
    log.record(&[
        ("UtcTime", "2026-11-25 08:29:25.120"),
        ("Image", r"C:\Users\ann\setup.exe"),
        ("CommandLine", "setup.exe /quiet"),
        ("Hashes", "MD5=D41D8CD98F00B204E9800998ECF8427E"),
    ]);
    log.record(&[("UtcTime", "2026-11-25 08:29:26.120"), ("QueryName", "www.evil-evtx.example")]);
    log.file()
}

fn shieldwall(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shieldwall"));
    command.args(arguments).env_remove("SHIELDWALL_LOG").output().expect("the program starts")
}

fn path(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_event_log_is_told_and_matched() {
    let folder = tempfile::tempdir().unwrap();
    let events = path(folder.path(), "Sysmon.evtx", &log());
    let output = shieldwall(&["mapping", "test", &events, "--json"]);
    let told: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((told["mapping"].as_str(), told["events"].as_u64()), (Some("sysmon"), Some(2)), "{told}");
    let holds = |stix: &str, value: &str| {
        told["rows"].as_array().unwrap().iter().any(|row| row["stix"] == stix && row["value"] == value)
    };
    assert!(holds("process:command_line", "setup.exe /quiet"), "{told}");
    assert!(holds("file:hashes.MD5", "D41D8CD98F00B204E9800998ECF8427E"));
    assert!(holds("domain-name:value", "www.evil-evtx.example"));

    let values = path(folder.path(), "values.txt", b"evil-evtx.example\nd41d8cd98f00b204e9800998ecf8427e\n");
    let output = shieldwall(&["match", "--indicators", &values, "--events", &events, "--json"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let fields: Vec<String> = text
        .lines()
        .filter_map(|line| Some(serde_json::from_str::<Json>(line).unwrap()["field"].as_str()?.to_owned()))
        .collect();
    assert_eq!(fields, ["Event.EventData.Hashes", "Event.EventData.QueryName"]);
}

#[test]
fn a_damaged_event_log_is_named_and_stops_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let values = path(folder.path(), "values.txt", b"evil-evtx.example\n");
    let whole = log();
    for (name, bytes) in [("junk", b"ElfFile\0 and no more".to_vec()), ("noise", noise(&whole))] {
        let events = path(folder.path(), name, &bytes);
        let output = shieldwall(&["match", "--indicators", &values, "--events", &events, "--count"]);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{name}: {output:?}");
        if name == "junk" {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2));
            assert!(said.contains("event log"), "{said}");
        }
    }
}

/// The log with every seventh octet of its records turned over.
fn noise(log: &[u8]) -> Vec<u8> {
    log.iter()
        .enumerate()
        .map(|(at, byte)| if at > 4096 + 540 && at % 7 == 0 { !byte } else { *byte })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensor_reads_an_event_log_by_its_child() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let bad = domain("evil-evtx.example");
    let told = story(world.member("LU").id, &bad, IndicatorRole::Malicious, "Grey Heron", world.now());
    analyst.post("/api/v1/objects", "application/json", told.bundle).await.expect(200);
    let token = world.token("EE", Role::Sensor).await;
    let folder = tempfile::tempdir().unwrap();
    let events = path(folder.path(), "Sysmon.evtx", &log());
    let input = InputDraft { path: events.into(), ..InputDraft::default() };
    let mut sensor = Post::new(&world, "estonia", &token).start_on(vec![input]);
    let matched = sensor.until("a match", |event| matches!(event, SensorEvent::Matched { .. })).await;
    let SensorEvent::Matched { field, value, .. } = matched else { panic!("{matched:?}") };
    assert_eq!((field.as_str(), value.as_str()), ("Event.EventData.QueryName", "www.evil-evtx.example"));
    assert_eq!(sensor.ended().await.events, 2);
    world.end().await;
}
