//! A process that remembers, killed over and over: what was flushed is there, what was not is told as lost.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use shieldwall_memory::{Archive, Hour, Limits, Memory, Question};
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::Timestamp;

const TEST: &str = "a_kill_costs_what_was_not_flushed_and_is_told";
const PLACE: &str = "SHIELDWALL_TEST_MEMORY_PLACE";
const FROM: &str = "SHIELDWALL_TEST_MEMORY_FROM";
const KILLS: u64 = 30;
/// Values between two flushes.
const ROUND: u64 = 200;

/// Time passes with the values: a second each, so that hours and days are finished on the way.
fn time(value: u64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(1_764_028_800 + i64::try_from(value).unwrap())
}

fn word(memory: &Mutex<Memory>, value: u64) -> shieldwall_memory::Fingerprint {
    memory.lock().unwrap().key().of(4, &value.to_le_bytes())
}

/// Remembers one value after the other, and says so after each flush, until it is killed.
fn remember(place: &Path, from: u64) {
    let (memory, opened) = Memory::open(place, Limits::default(), &SystemEntropy, time(from)).unwrap();
    let memory = Mutex::new(memory);
    let source = memory.lock().unwrap().source("log");
    println!("opened {}", opened.lost_from.map_or(-1, Timestamp::as_seconds));
    for value in from.. {
        let (word, now) = (word(&memory, value), time(value));
        {
            let mut memory = memory.lock().unwrap();
            let (page, _) = memory.desk(&source, Hour::of(now), now);
            page.word(word);
            page.address(u32::try_from(value).unwrap());
        }
        if value % ROUND == ROUND - 1 {
            Memory::flush(&memory, now).unwrap();
            println!("flushed {value}");
            std::io::stdout().flush().unwrap();
            if value % (8 * ROUND) == ROUND - 1 {
                Memory::tidy(&memory, now).unwrap();
            }
        }
    }
}

#[test]
fn a_kill_costs_what_was_not_flushed_and_is_told() {
    if let (Some(place), Ok(from)) = (std::env::var_os(PLACE), std::env::var(FROM)) {
        return remember(Path::new(&place), from.parse().unwrap());
    }
    let place = tempfile::tempdir().unwrap();
    let (mut from, mut flushed, mut lost) = (0u64, Vec::new(), 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(PLACE, place.path())
            .env(FROM, from.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut last, mut rounds) = (None, 0);
        for line in lines.map_while(Result::ok) {
            if let Some(said) = line.strip_prefix("opened ") {
                // The first start lost nothing; each after a kill says from when on something is missing.
                let wanted = from.checked_sub(1).map_or(-1, |before| time(before).as_seconds());
                assert_eq!(said.parse::<i64>().unwrap(), wanted);
            }
            if let Some(value) = line.strip_prefix("flushed ") {
                last = Some(value.parse::<u64>().unwrap());
                rounds += 1;
                // Killed while it writes on: within a flush, a tidying, a merge, wherever that falls.
                if rounds == 1 + kill * 7 % 23 {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let last = last.unwrap();
        flushed.push(from..=last);
        lost += 1;
        from = last + 1;
    }
    let archive = Archive::open(place.path()).unwrap();
    let all: Vec<u64> = flushed.into_iter().flatten().collect();
    let mut questions: Vec<Question> =
        all.iter().map(|value| Question::Word(archive.key().of(4, &value.to_le_bytes()))).collect();
    questions
        .extend(all.iter().map(|value| u32::try_from(*value).unwrap()).map(|ip| Question::Addresses(ip, ip)));
    let answers = archive.ask(&questions, Hour(0), Hour(u32::MAX)).unwrap();
    let missing = answers.found.iter().filter(|found| found.is_none()).count();
    assert_eq!((missing, answers.damage.len()), (0, 0), "of {}", questions.len());
    assert!(archive.check().unwrap().is_empty());
    println!("{lost} kills, {} values flushed, none missing", all.len());
}
