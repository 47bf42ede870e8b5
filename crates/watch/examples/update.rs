//! What an update costs those who match meanwhile: `cargo run --release -p shieldwall-watch --example update`.
//!
//! One thread matches Suricata EVE in blocks of 64 KiB against `-- INDICATORS` values (a million when not told) and notes
//! how long each block took; another applies 100,000 new indicators in one change, again and again, with the merges that
//! follow. An event is not done before its block is, so the time of a block is the latency of its events. The two kinds
//! of blocks, with and without an update under way, alternate by rounds, so that the machine cancels out. On a machine
//! with one core the second thread takes the first one's time, and the figures say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::mapping::Mappings;
use shieldwall_watch::matcher::Matcher;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{Builder, Change, LiveWatchlist};

const BLOCK_BYTES: usize = 64 * 1024;
const UPDATE: u32 = 100_000;
const ROUNDS: u32 = 6;
const ROUND: Duration = Duration::from_secs(3);

fn value(number: u32) -> Result<Value, Box<dyn std::error::Error>> {
    Ok(Value::new(Kind::Domain, &format!("n{number:x}.listed{}.example", number % 977))?)
}

fn changes(from: u32) -> Result<Vec<Change>, Box<dyn std::error::Error>> {
    (from..from + UPDATE)
        .map(|number| Ok(Change::Put { indicator: number, values: vec![value(number)?] }))
        .collect()
}

/// The sorted times at these shares, in microseconds.
fn told(times: &mut [Duration]) -> Vec<f64> {
    times.sort_unstable();
    let last = times.len().saturating_sub(1) as f64;
    let at = |share: f64| times.get((last * share) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    [0.5, 0.9, 0.99, 0.999, 1.0].map(at).to_vec()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let mut builder = Builder::new(7);
    for number in 0..count {
        builder.add(&value(number)?, number)?;
    }
    let live = Arc::new(LiveWatchlist::new(builder.build()?));
    let (mut generator, mut text) = (Generator::new(3), String::new());
    while text.len() < 64 << 20 {
        text.push_str(&generator.line(Telemetry::Suricata, 1_700_000_000_000_000, None));
        text.push('\n');
    }
    let mut blocks = Vec::new();
    let mut rest = text.as_bytes();
    while let Some(end) =
        rest.get(..BLOCK_BYTES).and_then(|head| head.iter().rposition(|byte| *byte == b'\n'))
    {
        let (block, after) = rest.split_at(end + 1);
        blocks.push(block);
        rest = after;
    }
    let (updating, applied, stop) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = {
        let (live, updating, applied, stop) =
            (Arc::clone(&live), Arc::clone(&updating), Arc::clone(&applied), Arc::clone(&stop));
        // Made before anything is measured: an update comes parsed.
        let updates = [changes(count)?, changes(count + UPDATE)?];
        std::thread::spawn(move || {
            let mut next = updates.iter().cycle();
            let (mut took, mut longest) = (Duration::ZERO, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                if !updating.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                let update = next.next().cloned().unwrap_or_default();
                let start = Instant::now();
                if live.apply(update).is_err() {
                    return (took, longest);
                }
                (took, longest) = (took + start.elapsed(), longest.max(start.elapsed()));
                applied.fetch_add(1, Ordering::Relaxed);
            }
            (took, longest)
        })
    };
    let mapping = Mappings::built_in()?.get("suricata")?;
    let mut matcher = Matcher::new(live.current(), mapping);
    let (mut quiet, mut during, mut bytes) = (Vec::new(), Vec::new(), [0usize; 2]);
    for round in 0..ROUNDS {
        let update = round % 2 == 1;
        updating.store(update, Ordering::Relaxed);
        let start = Instant::now();
        for block in blocks.iter().cycle() {
            let begin = Instant::now();
            let current = live.current();
            if !Arc::ptr_eq(matcher.watchlist(), &current) {
                matcher.set_watchlist(current);
            }
            matcher.feed(block, &mut |_| {});
            let took = begin.elapsed();
            if let Some(total) = bytes.get_mut(usize::from(update)) {
                *total += block.len();
            }
            if update {
                during.push(took)
            } else {
                quiet.push(took)
            }
            if start.elapsed() > ROUND {
                break;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (took, longest) = writer.join().map_err(|_| "the writer broke")?;
    let applied = applied.load(Ordering::Relaxed);
    let seconds = ROUND.as_secs_f64() * f64::from(ROUNDS / 2);
    println!(
        "{count} indicators, {} cores, blocks of {BLOCK_BYTES} bytes",
        std::thread::available_parallelism()?
    );
    for (name, times, bytes) in [("no update", &mut quiet, bytes[0]), ("updates", &mut during, bytes[1])] {
        let rate = bytes as f64 / seconds / 1e9;
        let blocks = times.len();
        let [p50, p90, p99, p999, most] = told(times)[..] else { continue };
        println!(
            "{name:>10}: {rate:.2} GB/s, {blocks} blocks; µs a block: p50 {p50:.0}, p90 {p90:.0}, p99 {p99:.0}, p99.9 {p999:.0}, most {most:.0}"
        );
    }
    println!(
        "{applied} updates of {UPDATE} indicators, {:.0} ms each on average, the longest (with a merge) {:.0} ms",
        took.as_secs_f64() * 1e3 / applied.max(1) as f64,
        longest.as_secs_f64() * 1e3
    );
    Ok(())
}
