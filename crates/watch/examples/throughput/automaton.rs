//! Text beside an automaton of all values: daachorse, the fastest of its kind for so many.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use shieldwall_watch::mapping::Mapping;
use shieldwall_watch::matcher::{Instructions, Matcher, Mode};
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{Builder, Watchlist};

use crate::data::Events;
use crate::{BLOCK_BYTES, Failure, PART, cpu_seconds, memory_megabytes};

/// Kinds whose text as listed is what stands in a line: so the automaton can find them.
const KINDS: [Kind; 3] = [Kind::Domain, Kind::Ipv4, Kind::IpPort];

/// Measures matching of text beside the automaton's finding of the same values, and compares hits.
pub(crate) fn compare(
    all: &Arc<Watchlist>,
    mapping: &Arc<Mapping>,
    values: &[Value],
    telemetry: &Events,
    rounds: usize,
    count: usize,
) -> Result<(), Failure> {
    let text = telemetry.text.as_bytes();
    let events = telemetry.events.len();
    let mut seen = BTreeSet::new();
    let taken: Vec<&Value> = values
        .iter()
        .filter(|value| KINDS.contains(&value.kind()) && seen.insert(*value))
        .take(count)
        .collect();
    let mut builder = Builder::new(0x5eed);
    for (value, number) in taken.iter().zip(0..) {
        builder.add(value, number)?;
    }
    let list = Arc::new(builder.build()?);
    let texts: Vec<String> = taken.iter().map(|value| value.to_string()).collect();
    let before = memory_megabytes("VmRSS");
    let start = Instant::now();
    let automaton =
        daachorse::DoubleArrayAhoCorasick::<u32>::new(&texts).map_err(|error| error.to_string())?;
    println!(
        "automaton: {} values, built in {:.1} s, {:.1} MB (resident +{:.0} MB); watchlist of the same: {:.1} MB, 1/{:.1}",
        texts.len(),
        start.elapsed().as_secs_f64(),
        automaton.heap_bytes() as f64 / 1e6,
        memory_megabytes("VmRSS") - before,
        list.heap_bytes() as f64 / 1e6,
        automaton.heap_bytes() as f64 / list.heap_bytes() as f64,
    );
    let part = text.get(..telemetry.events.get(events / PART).map_or(0, |(from, _)| *from)).unwrap_or(text);
    let ours = |list: &Arc<Watchlist>, mode, text: &[u8]| {
        let mut found = BTreeSet::new();
        let mut matcher = Matcher::new(Arc::clone(list), Arc::clone(mapping))
            .with_mode(mode)
            .with_instructions(Instructions::Best);
        for block in text.chunks(BLOCK_BYTES) {
            matcher.feed(block, &mut |hit| {
                found.insert((hit.offset, hit.indicator));
            });
        }
        matcher.finish(&mut |_| {});
        found
    };
    let theirs = |text: &[u8], bounded: bool| {
        let mut found = Vec::new();
        for hit in automaton.find_overlapping_iter(text) {
            if !bounded || is_whole(text, hit.start(), hit.end()) {
                found.push((hit.start(), hit.value()));
            }
        }
        found
    };
    let mut best = [f64::MAX; 3];
    for _ in 0..rounds {
        let mut time = |way: usize, work: &mut dyn FnMut()| {
            let start = Instant::now();
            let before = cpu_seconds(start);
            work();
            if let Some(best) = best.get_mut(way) {
                *best = best.min(cpu_seconds(start) - before);
            }
        };
        time(0, &mut || drop(black_box(ours(all, Mode::Scan, text))));
        time(1, &mut || drop(black_box(ours(&list, Mode::Scan, text))));
        time(2, &mut || drop(black_box(theirs(part, true))));
    }
    let rate = |octets: usize, seconds: f64| octets as f64 / 1e9 / seconds;
    let [every, same, other] = best;
    let other = rate(part.len(), other);
    println!(
        "{:38} {:>8} {:>12} {:>14}",
        "one core, best of rounds taking turns", "GB/s", "events/s", "x automaton"
    );
    for (name, rate) in [
        ("match text, every value and kind", rate(text.len(), every)),
        ("match text, the automaton's values", rate(text.len(), same)),
        ("daachorse with boundaries", other),
    ] {
        let events = rate * 1e9 / (text.len() as f64 / events as f64);
        println!("{name:38} {rate:>8.3} {events:>12.0} {:>14.2}", rate / other);
    }
    let line_of =
        |at: usize| memchr::memrchr(b'\n', part.get(..at).unwrap_or_default()).map_or(0, |end| end + 1);
    let bounded: BTreeSet<(u64, u32)> =
        theirs(part, true).into_iter().map(|(at, number)| (line_of(at) as u64, number)).collect();
    let (scan, exact) = (ours(&list, Mode::Scan, part), ours(&list, Mode::Exact, part));
    println!(
        "a tenth: {} hits by the scan, {} by the exact reader, {} by the automaton ({} before its hits were bounded)",
        scan.len(),
        exact.len(),
        bounded.len(),
        theirs(part, false).len(),
    );
    if let Some((at, number)) = scan.symmetric_difference(&bounded).next() {
        let line = part.get(*at as usize..).unwrap_or_default();
        let line = line.get(..memchr::memchr(b'\n', line).unwrap_or(0)).unwrap_or_default();
        let value = texts.get(*number as usize);
        println!("first difference: {value:?} in {}", String::from_utf8_lossy(line));
    }
    if scan == exact && scan == bounded { Ok(()) } else { Err("the matchers do not agree".into()) }
}

/// Whether what was found is a whole word, by the rules of matching in text: no letter, digit, hyphen or underscore
/// goes on at either end, but labels may stand before a name, and a port behind an address.
fn is_whole(text: &[u8], from: usize, to: usize) -> bool {
    let word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80 || matches!(byte, b'-' | b'_'))
    };
    let found = text.get(from..to).unwrap_or_default();
    let port = found.contains(&b':');
    let address = port || found.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let (before, after) = (from.checked_sub(1).and_then(|at| text.get(at)), text.get(to));
    let dotted = |at: Option<&u8>, beyond: Option<&u8>| at == Some(&b'.') && word(beyond);
    let left = word(before) || (address && dotted(before, from.checked_sub(2).and_then(|at| text.get(at))));
    let right = word(after) || dotted(after, text.get(to + 1));
    !left && !right
}
