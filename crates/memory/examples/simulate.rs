//! Days of telemetry lived through at once: disk, time to answer, false positives, each as measured.
//!
//! ```sh
//! cargo run --release -p shieldwall-memory --example simulate -- 30 5000000 100000 /var/tmp/memory
//! ```
//! Arguments: days, distinct values a day (hours repeat some of them), questions, and where to work (an empty directory that
//! is made and left there; one that is there already is asked as it is). A fifth of the values are IPv4 addresses, the others are names, URLs and digests, which the
//! memory does not tell apart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a program for figures, run by hand"
)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use shieldwall_memory::{Archive, Hour, Limits, Memory, Question};
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::Timestamp;

/// Minutes between two flushes here; a sensor flushes every 15 seconds.
const FLUSH_MINUTES: u64 = 10;
const START: i64 = 1_764_028_800; // 2025-11-25T00:00:00Z

/// SplitMix64: a number for a place.
fn mix(mut n: u64) -> u64 {
    n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// An address as networks have them: most from few networks, some from anywhere.
fn address(seed: u64) -> u32 {
    let n = mix(seed);
    if n.is_multiple_of(3) {
        n as u32
    } else {
        ((mix(n % 20_000) as u32) & 0xffff_ff00) | (n >> 40) as u32 & 0xff
    }
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(default, |text| text.parse().expect("a number"));
    let (days, per_day, asked) = (number(3), number(200_000), number(10_000));
    let directory =
        arguments.next().map_or_else(|| std::env::temp_dir().join("shieldwall-memory"), PathBuf::from);
    if !directory.exists() {
        build(&directory, days, per_day);
    }
    ask(&directory, days, per_day, asked);
}

/// Lives through the days.
fn build(directory: &std::path::Path, days: u64, per_day: u64) {
    let at = |second: i64| Timestamp::from_micros(0).plus_seconds(START + second);
    let memory = Memory::open(directory, Limits::default(), &SystemEntropy, at(0)).unwrap().0;
    let key = memory.key().clone();
    let memory = Mutex::new(memory);
    let source = memory.lock().unwrap().source("eve.json");
    let word = |seed: u64| key.of(4, &mix(seed).to_le_bytes());
    let (mut put, mut worst_flush, mut merging) = (0u64, 0.0f64, 0.0f64);
    let started = Instant::now();
    let mut distinct = std::collections::HashSet::new();
    let mut distinct_total = 0u64;
    for day in 0..days {
        let per_hour = per_day / 24;
        distinct.clear();
        for hour in 0..24u64 {
            let now = at((day * 86_400 + hour * 3_600) as i64);
            for minute in (0..60u64).step_by(FLUSH_MINUTES as usize) {
                let time = now.plus_seconds((minute * 60) as i64);
                {
                    let mut memory = memory.lock().unwrap();
                    let (page, _) = memory.desk(&source, Hour::of(time), time);
                    for n in minute * per_hour / 60..(minute + FLUSH_MINUTES) * per_hour / 60 {
                        // New today; and beside every fourth, one that was met in an earlier hour of the day.
                        let seed = (day * 24 + hour) << 32 | n;
                        let again = (day * 24 + mix(seed) % (hour + 1)) << 32 | n;
                        for seed in [Some(seed), (n % 4 == 0).then_some(again)].into_iter().flatten() {
                            put += 1;
                            if seed % 5 == 0 {
                                page.address(address(seed));
                                distinct.insert(u64::from(address(seed)));
                            } else {
                                page.word(word(seed));
                                distinct.insert(word(seed).as_u64() | 1 << 63);
                            }
                        }
                    }
                    page.watched(time);
                }
                let flushing = Instant::now();
                Memory::flush(&memory, time).unwrap();
                worst_flush = worst_flush.max(flushing.elapsed().as_secs_f64());
            }
            if hour >= 1 {
                Memory::tidy(&memory, now.plus_seconds(3_500)).unwrap();
            }
        }
        distinct_total += distinct.len() as u64;
        let merge = Instant::now();
        Memory::tidy(&memory, at(((day + 1) * 86_400 + 3_600) as i64)).unwrap();
        merging += merge.elapsed().as_secs_f64();
    }
    let building = started.elapsed().as_secs_f64();
    Memory::close(&memory, at((days * 86_400 + 3_700) as i64)).unwrap();
    drop(memory);
    let bytes: u64 = walk(directory);
    println!(
        "days {days}; distinct values {distinct_total} ({} a day), {put} put over the hours",
        distinct_total / days
    );
    println!(
        "disk {:.1} MB; {:.3} bytes a distinct value of a day",
        bytes as f64 / 1e6,
        bytes as f64 / distinct_total as f64
    );
    println!(
        "built in {building:.1} s; longest flush {worst_flush:.3} s; merging {:.2} s a day",
        merging / days as f64
    );
}

/// Asks, and counts what is wrong.
fn ask(directory: &std::path::Path, days: u64, per_day: u64, asked: u64) {
    let archive = Archive::open(directory).unwrap();
    let word = |seed: u64| archive.key().of(4, &mix(seed).to_le_bytes());
    // Half never passed, half did; then as many that never did, to count false positives.
    let all = Hour(u32::MAX);
    let seen = |n: u64| (mix(n) % days * 24 + mix(n + 1) % 24) << 32 | (mix(n + 2) % (per_day / 24));
    let questions: Vec<Question> = (0..asked)
        .map(|n| match (n % 2, seen(n)) {
            (0, seed) if seed % 5 == 0 => Question::Addresses(address(seed), address(seed)),
            (0, seed) => Question::Word(word(seed)),
            _ => Question::Word(word(1 << 60 | n)),
        })
        .collect();
    let mut times: Vec<f64> = Vec::new();
    let mut last = None;
    for _ in 0..3 {
        let asking = Instant::now();
        last = Some(archive.ask(&questions, Hour(0), all).unwrap());
        times.push(asking.elapsed().as_secs_f64());
    }
    let answers = last.unwrap();
    let found = answers.found.iter().step_by(2).filter(|found| found.is_some()).count();
    let wrong = answers.found.iter().skip(1).step_by(2).filter(|found| found.is_some()).count();
    println!(
        "{asked} questions over {} files ({:.0} MB): {:?} s; found {found} of {} that passed, {wrong} that did not",
        answers.files,
        answers.bytes as f64 / 1e6,
        times,
        asked.div_ceil(2)
    );
    let single = Instant::now();
    let one = archive.ask(&questions[..1], Hour(0), all).unwrap();
    println!("one question: {:.4} s over {} files", single.elapsed().as_secs_f64(), one.files);
    let networks: Vec<Question> = (0..1_000u64)
        .map(|n| (mix(n) as u32) & 0xffff_0000)
        .map(|net| Question::Addresses(net, net | 0xffff))
        .collect();
    let asking = Instant::now();
    archive.ask(&networks, Hour(0), all).unwrap();
    println!("1,000 networks of 16 bits: {:.3} s", asking.elapsed().as_secs_f64());

    // False positives: values that never passed, until there are ten million answers a file at least.
    let mut false_positives = 0u64;
    let mut never = 0u64;
    for round in 0..10u64 {
        let questions: Vec<Question> =
            (0..1_000_000u64).map(|n| Question::Word(word(1 << 61 | round << 32 | n))).collect();
        let answers = archive.ask(&questions, Hour(0), all).unwrap();
        false_positives += answers.found.iter().filter(|found| found.is_some()).count() as u64;
        never += questions.len() as u64;
    }
    println!(
        "false positives: {false_positives} of {never} values that never passed, each asked of all files; stated {:.2e} a value",
        answers.false_positives
    );
    println!("peak memory {} MB", peak_megabytes());
}

fn walk(directory: &std::path::Path) -> u64 {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let data = entry.metadata().unwrap();
            if data.is_dir() { walk(&entry.path()) } else { data.len() }
        })
        .sum()
}
