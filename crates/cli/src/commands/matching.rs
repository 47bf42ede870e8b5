//! `match`: events against indicators on this machine alone, with the engine a sensor uses.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use shieldwall_watch::mapping::{Mapping, Mappings};
use shieldwall_watch::matcher::{Hit, Matcher, Stats};
use shieldwall_watch::watchlist::Watchlist;

use crate::console::{Console, Gauge};
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped, per_second, rate, size, took};
use crate::intake::indicators::{Indicators, Named, Summary as IndicatorSummary};
use crate::intake::input::{self, Input};

/// How many bytes of events are read and matched at once.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;
/// Longest piece of an event that a match shows, in characters.
const OBSERVED_CHARACTERS_MAX: usize = 300;

/// Match events against indicators, with no hub at all.
///
/// Indicators are STIX 2.1 bundles, CSV or plain lists; events are lines of JSON or text, or Windows event logs. Both
/// may be packed with gzip or zstd, and what a file is, its content tells. Events are read as a stream: their size does not matter.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints one line for each match and the figures at the end (on standard error; with --json, as a last line \
{\"summary\": …}). A value below a listed domain or inside a listed network matches too.

The exit status does not tell whether anything matched: it is 0 when all was read, 2 when something could not be.

Examples:
  shieldwall match --indicators bundle.json --events /var/log/suricata/eve.json
  shieldwall match --indicators values.csv.zst more.txt --events *.json.gz --json > matches.ndjson
  tail -F /var/log/zeek/dns.log | shieldwall match --indicators bundle.json --events - --format zeek
  shieldwall match --indicators values.txt --events proxy.log --mapping proxy.toml --count")]
pub(crate) struct MatchArgs {
    /// Files of indicators
    #[arg(long, short, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) indicators: Vec<PathBuf>,
    /// Files of events; - is standard input
    #[arg(long, short, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) events: Vec<PathBuf>,
    /// How events are read: auto (told from each file's first lines), a name that `shieldwall mapping list` shows, or
    /// the name in a mapping given with --mapping
    #[arg(long, short, default_value = "auto", value_name = "FORMAT")]
    pub(crate) format: String,
    /// Mapping files, or directories of them, that say where values stand in other formats
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(crate) mapping: Vec<PathBuf>,
    /// Print at most this many matches; the rest is counted
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroU64>,
    /// Print no matches, only the figures
    #[arg(long, short, conflicts_with = "limit")]
    pub(crate) count: bool,
}

/// The figures at the end.
#[derive(Debug, Serialize)]
struct Summary {
    events: u64,
    events_matched: u64,
    matches: u64,
    bad_lines: u64,
    long_lines: u64,
    bytes: u64,
    seconds: f64,
    events_per_second: f64,
    bytes_per_second: f64,
    files: Vec<FileSummary>,
    indicators: IndicatorSummary,
}

/// What was found in one file of events.
#[derive(Debug, Serialize)]
struct FileSummary {
    file: String,
    format: String,
    why: String,
    events: u64,
    events_matched: u64,
    matches: u64,
    bad_lines: u64,
    long_lines: u64,
    bytes: u64,
}

/// A match as machines read it.
#[derive(Debug, Serialize)]
struct MatchLine<'a> {
    file: &'a str,
    line: u64,
    offset: u64,
    time: Option<&'a str>,
    field: &'a str,
    kind: &'static str,
    value: String,
    observed: String,
    indicator: Named<'a>,
}

/// Runs the command.
///
/// # Errors
/// What cannot be read.
pub(crate) fn run(args: &MatchArgs, console: &Console) -> Result<Outcome, Fault> {
    input::check(&args.indicators)?;
    input::check(&args.events)?;
    let mappings = mappings(&args.mapping)?;
    let indicators = Indicators::load(&args.indicators, console.random()?, console)?;
    report_unmatchable(&indicators.summary, console);
    let most = if args.count { 0 } else { args.limit.map_or(u64::MAX, NonZeroU64::get) };
    let mut printer = Printer {
        json: console.json(),
        left: most,
        indicators: &indicators,
        out: BufWriter::new(io::stdout().lock()),
    };
    let start = Instant::now();
    let mut files = Vec::new();
    for path in &args.events {
        let mut input = Input::open(path)?;
        let mut block = vec![0; BLOCK_BYTES];
        let first = first_block(&mut input, &mut block)?;
        let (mapping, why) = choose(&mappings, &args.format, block.get(..first).unwrap_or_default())?;
        // Matches and a bar on one screen would tear each other.
        let gauge = match most > 0 && io::stdout().is_terminal() {
            true => Gauge::hidden(),
            false => console.bytes(format!("matching {}", input.name), input.size),
        };
        let matcher = Matcher::new(Arc::clone(&indicators.watchlist), Arc::clone(&mapping));
        let stats = scan(&mut input, matcher, (&mut block, first), &gauge, &mut printer)?;
        files.push(FileSummary::new(input.name, &mapping, why, stats));
    }
    let took = start.elapsed();
    printer.out.flush().map_err(Fault::output)?;
    drop(printer);
    finish(Summary::new(files, indicators.summary, took), took, console)
}

/// The mappings that come with the program and those in `paths`.
pub(crate) fn mappings(paths: &[PathBuf]) -> Result<Mappings, Fault> {
    let wrong = |error: shieldwall_watch::mapping::MappingError| Fault::wrong(error.code(), &error);
    let mut mappings = Mappings::built_in().map_err(wrong)?;
    for path in paths {
        mappings.load(path).map_err(wrong)?;
    }
    Ok(mappings)
}

/// The mapping asked for, or the one the sample tells; and why.
fn choose(mappings: &Mappings, format: &str, sample: &[u8]) -> Result<(Arc<Mapping>, String), Fault> {
    if format == "auto" {
        let verdict = mappings.detect(sample);
        return Ok((verdict.mapping, verdict.why));
    }
    let mapping = mappings.get(format).map_err(|error| Fault::wrong(error.code(), &error))?;
    Ok((mapping, "asked for".into()))
}

/// Reads the first block: at least one line, so that its format can be told, without waiting for more than there is.
fn first_block(input: &mut Input, block: &mut [u8]) -> Result<usize, Fault> {
    let mut length = 0;
    while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
        let more = input.read(rest)?;
        let line_ends = rest.get(..more).is_some_and(|read| read.contains(&b'\n'));
        length += more;
        if more == 0 || line_ends {
            break;
        }
    }
    Ok(length)
}

/// Feeds an input to a matcher to its end. `(block, first)` is the buffer and how much of it is filled already.
fn scan(
    input: &mut Input,
    mut matcher: Matcher,
    (block, first): (&mut [u8], usize),
    gauge: &Gauge,
    printer: &mut Printer<'_>,
) -> Result<Stats, Fault> {
    let name = input.name.clone();
    let mut lines = LineCounter::default();
    let mut length = first;
    let mut failed = None;
    while length > 0 {
        let mut bytes = block.get(..length).unwrap_or_default();
        if lines.read == 0 {
            bytes = lines.skip_mark(bytes);
        }
        matcher.feed(bytes, &mut |hit| {
            let line = lines.line_of(bytes, hit.offset);
            if failed.is_none() {
                failed = printer.print(&name, line, lines.skipped, hit).err();
            }
        });
        lines.pass(bytes);
        match failed.take() {
            Some(error) => return Err(Fault::output(error)),
            None => printer.out.flush().map_err(Fault::output)?,
        }
        gauge.set(input.taken());
        length = input.read(block)?;
    }
    let stats = matcher.finish(&mut |hit| {
        let line = lines.line_of(&[], hit.offset);
        if failed.is_none() {
            failed = printer.print(&name, line, lines.skipped, hit).err();
        }
    });
    match failed {
        Some(error) => Err(Fault::output(error)),
        None => Ok(stats),
    }
}

/// Tells line numbers from offsets, counting only where something matched and over what has passed.
#[derive(Debug, Default)]
struct LineCounter {
    /// Bytes passed, the byte order mark not counted.
    read: u64,
    /// Line feeds among them.
    lines: u64,
    /// Bytes of a byte order mark at the start.
    skipped: u64,
}

impl LineCounter {
    /// Takes a byte order mark off the first block: it belongs to no line.
    fn skip_mark<'a>(&mut self, block: &'a [u8]) -> &'a [u8] {
        match block.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => {
                self.skipped = 3;
                rest
            }
            None => block,
        }
    }

    /// The number, from 1, of the line that starts at `offset`, which lies in `block` or before it.
    fn line_of(&self, block: &[u8], offset: u64) -> u64 {
        let within = usize::try_from(offset.saturating_sub(self.read)).unwrap_or(usize::MAX);
        let before = block.get(..within.min(block.len())).unwrap_or_default();
        self.lines + feeds(before) + 1
    }

    fn pass(&mut self, block: &[u8]) {
        self.lines += feeds(block);
        self.read += block.len() as u64;
    }
}

fn feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Writes matches out.
struct Printer<'a> {
    json: bool,
    left: u64,
    indicators: &'a Indicators,
    out: BufWriter<StdoutLock<'a>>,
}

impl Printer<'_> {
    fn print(&mut self, file: &str, line: u64, skipped: u64, hit: &Hit<'_>) -> io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        let indicator = self.indicators.named(hit.indicator);
        let observed = shown(hit.observed);
        if self.json {
            let (kind, value, offset) =
                (hit.value.kind.as_str(), hit.value.to_string(), hit.offset + skipped);
            let (time, field) = (hit.observed_time, hit.field);
            let line = MatchLine { file, line, offset, time, field, kind, value, observed, indicator };
            serde_json::to_writer(&mut self.out, &line)?;
            return self.out.write_all(b"\n");
        }
        let value = hit.value.to_string();
        write!(self.out, "{file}:{line}: {} {observed}", hit.field)?;
        if value != observed {
            write!(self.out, " matches {value}")?;
        }
        writeln!(self.out, " ({}; {})", hit.value.kind, source_of(&indicator))
    }
}

/// Where an indicator comes from, for people.
fn source_of(indicator: &Named<'_>) -> String {
    let mut words = match (indicator.id, indicator.line) {
        (Some(id), _) => id.to_owned(),
        (None, Some(line)) => format!("{}:{line}", indicator.file),
        (None, None) => indicator.file.to_owned(),
    };
    for more in [indicator.name, indicator.role.filter(|role| *role != "malicious")].into_iter().flatten() {
        words.push_str(", ");
        words.push_str(more);
    }
    words
}

/// What stood in the event, on one line and not longer than a person reads.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    clean.take(OBSERVED_CHARACTERS_MAX).collect()
}

impl FileSummary {
    fn new(file: String, mapping: &Mapping, why: String, stats: Stats) -> Self {
        let Stats { events, bytes, matches, events_matched, bad_lines, long_lines, .. } = stats;
        Self {
            file,
            format: mapping.name().into(),
            why,
            events,
            events_matched,
            matches,
            bad_lines,
            long_lines,
            bytes,
        }
    }
}

impl Summary {
    fn new(files: Vec<FileSummary>, indicators: IndicatorSummary, took: Duration) -> Self {
        let sum = |of: fn(&FileSummary) -> u64| files.iter().map(of).sum::<u64>();
        let (events, bytes) = (sum(|file| file.events), sum(|file| file.bytes));
        Self {
            events,
            events_matched: sum(|file| file.events_matched),
            matches: sum(|file| file.matches),
            bad_lines: sum(|file| file.bad_lines),
            long_lines: sum(|file| file.long_lines),
            bytes,
            seconds: took.as_secs_f64(),
            events_per_second: rate(events, took),
            bytes_per_second: rate(bytes, took),
            files,
            indicators,
        }
    }
}

/// Tells people which indicators cannot be matched.
fn report_unmatchable(summary: &IndicatorSummary, console: &Console) {
    for what in &summary.first_unmatchable {
        let id = what.id.as_deref().map_or(String::new(), |id| format!(" {id}"));
        console.remark(&format!(
            "not matched: {} {}{id}: {} [{}]",
            what.file, what.place, what.reason, what.code
        ));
    }
    let more = summary.unmatchable.saturating_sub(summary.first_unmatchable.len() as u64);
    if more > 0 {
        console.remark(&format!("not matched: {} more", grouped(more)));
    }
}

fn finish(summary: Summary, duration: Duration, console: &Console) -> Result<Outcome, Fault> {
    if console.json() {
        #[derive(Serialize)]
        struct Last {
            summary: Summary,
        }
        console.answer(&Last { summary }, |_| String::new())?;
        return Ok(Outcome::Done);
    }
    for file in &summary.files {
        console.remark(&format!("{} read as {}: {}", file.file, file.format, file.why));
    }
    let odd = match (summary.bad_lines, summary.long_lines) {
        (0, 0) => String::new(),
        (bad, long) => {
            format!("; {} not understood, {} too long", counted(bad, "line", "lines"), grouped(long))
        }
    };
    console.remark(&format!(
        "{} with {} values against {}: {} in {}{odd}",
        counted(summary.indicators.indicators, "indicator", "indicators"),
        grouped(summary.indicators.values),
        counted(summary.events, "event", "events"),
        counted(summary.matches, "match", "matches"),
        counted(summary.events_matched, "event", "events"),
    ));
    console.remark(&format!(
        "{} in {}: {} events/s, {}/s; indicators read in {}, {} compiled",
        size(summary.bytes),
        took(duration),
        per_second(summary.events, duration),
        size(summary.bytes_per_second as u64),
        took(Duration::from_secs_f64(summary.indicators.seconds)),
        size(summary.indicators.watchlist_bytes),
    ));
    Ok(Outcome::Done)
}

/// Matches a whole input and prints nothing: what a benchmark measures.
///
/// # Errors
/// As [`run`].
pub(crate) fn count(
    input: &mut Input,
    watchlist: Arc<Watchlist>,
    mapping: Arc<Mapping>,
) -> Result<Stats, Fault> {
    let mut matcher = Matcher::new(watchlist, mapping);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match input.read(&mut block)? {
            0 => return Ok(matcher.finish(&mut |_| {})),
            length => matcher.feed(block.get(..length).unwrap_or_default(), &mut |_| {}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_over_blocks() {
        let text = b"\xef\xbb\xbfa\nbb\n\nccc\nd";
        for cut in 3..text.len() {
            let (first, second) = text.split_at(cut);
            let mut counter = LineCounter::default();
            let first = counter.skip_mark(first);
            assert_eq!(counter.line_of(first, 0), 1);
            counter.pass(first);
            // A line that ends in a later block may start before it.
            let carried = first.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) as u64;
            assert_eq!(counter.line_of(second, carried), counter.lines + 1);
            let start_of_d = 10;
            assert_eq!(counter.line_of(second, start_of_d), 5, "cut at {cut}");
            assert_eq!(counter.skipped, 3);
        }
    }

    #[test]
    fn what_stood_in_an_event_cannot_harm_a_terminal() {
        assert_eq!(shown(b"evil\x1b[31m\nexample"), "evil\u{fffd}[31m\u{fffd}example");
        assert_eq!(shown(&b"x".repeat(9_000)).len(), OBSERVED_CHARACTERS_MAX);
        assert_eq!(shown(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn a_source_is_named_shortly() {
        let listed = Named { id: None, name: Some("wall"), role: None, file: "l.csv", line: Some(7) };
        assert_eq!(source_of(&listed), "l.csv:7, wall");
        let object = Named {
            id: Some("indicator--1"),
            name: Some("X"),
            role: Some("kill-switch"),
            file: "b",
            line: None,
        };
        assert_eq!(source_of(&object), "indicator--1, X, kill-switch");
    }
}
