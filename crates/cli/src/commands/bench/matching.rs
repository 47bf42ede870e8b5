//! `bench match`: one core over the same file, three ways: matching, parsing every line, looking for line ends.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::meter::{self, Cost, cost};
use crate::commands::generate::{PLANTED_PER_KIND_MAX, read_rate, write};
use crate::commands::matching::{BLOCK_BYTES, count, mappings};
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{grouped, per_second, rate, read_size, size};
use crate::intake::indicators::{Indicators, Summary as IndicatorSummary};
use crate::intake::input::Input;
use crate::telemetry::{Lines, TelemetryOption};
use shieldwall_watch::generate::Telemetry;

/// Measure matching on one core, beside parsing the same JSON and beside looking for line ends alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Events are generated into a temporary file (or given with --events) and read three ways in the same run, --rounds \
times; the best round counts. Times are this thread's on a core.

Examples:
  shieldwall bench match --indicators values.csv.zst
  shieldwall bench match --indicators values.csv.zst --bytes 4GB --rounds 5 --json
  shieldwall bench match --indicators bundle.json --events eve.json")]
pub(crate) struct BenchMatchArgs {
    /// Files of indicators
    #[arg(long, short, required = true, num_args = 1.., value_name = "FILE")]
    indicators: Vec<PathBuf>,
    /// A file of events, unpacked; generated when not given
    #[arg(long, short, value_name = "FILE")]
    events: Option<PathBuf>,
    /// What the events look like
    #[arg(long, short, value_name = "FORMAT", default_value = "suricata")]
    format: TelemetryOption,
    /// How much to generate
    #[arg(long, value_name = "SIZE", value_parser = read_size, default_value = "1GB")]
    bytes: u64,
    /// The generator's seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The share of generated events that carry an indicator
    #[arg(long, value_name = "RATE", default_value_t = 0.001, value_parser = read_rate)]
    rate: f64,
    /// How often each way is measured
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// One way through the file.
#[derive(Debug, Serialize)]
struct Way {
    way: &'static str,
    #[serde(flatten)]
    cost: Cost,
    events_per_second: f64,
    bytes_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Figures {
    events: u64,
    bytes: u64,
    planted: Option<u64>,
    matches: u64,
    events_matched: u64,
    bad_lines: u64,
    ways: Vec<Way>,
    /// Peak of the program's memory while it matched, the compiled indicators included.
    matching_peak_bytes: Option<u64>,
    /// Peak while the indicators were read and compiled.
    loading_peak_bytes: Option<u64>,
    indicators: IndicatorSummary,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read or written.
pub(crate) fn run(args: &BenchMatchArgs, console: &Console) -> Result<Outcome, Fault> {
    let telemetry = Telemetry::from(args.format);
    meter::forget_peak();
    let indicators = Indicators::load(&args.indicators, 0, console)?;
    let loading_peak_bytes = meter::peak_bytes();
    let (generated, planted) = match &args.events {
        Some(_) => (None, None),
        None => generate(args, telemetry, &indicators, console)
            .map(|(file, planted)| (Some(file), Some(planted)))?,
    };
    let path =
        args.events.as_deref().or(generated.as_ref().map(NamedTempFile::path)).unwrap_or(Path::new(""));
    let mapping =
        mappings(&[])?.get(telemetry.mapping()).map_err(|error| Fault::wrong(error.code(), &error))?;

    meter::forget_peak();
    let matching = || count(&mut Input::open(path)?, Arc::clone(&indicators.watchlist), Arc::clone(&mapping));
    let (stats, matched) = best(args.rounds, "matching", console, matching)?;
    let matching_peak_bytes = meter::peak_bytes();
    let (parsed_events, parsed) = best(args.rounds, "parsing", console, || parse(path))?;
    let (feeds, scanned) = best(args.rounds, "finding line ends", console, || line_ends(path))?;

    let (events, bytes) = (stats.events, stats.bytes);
    let way = |way, events, cost: Cost| Way {
        way,
        cost,
        events_per_second: rate(events, cost.core()),
        bytes_per_second: rate(bytes, cost.core()),
    };
    let figures = Figures {
        events,
        bytes,
        planted,
        matches: stats.matches,
        events_matched: stats.events_matched,
        bad_lines: stats.bad_lines,
        ways: vec![
            way("match", events, matched),
            way("serde_json::Value alone", parsed_events, parsed),
            way("line ends alone", feeds, scanned),
        ],
        matching_peak_bytes,
        loading_peak_bytes,
        indicators: indicators.summary,
    };
    console.answer(&figures, table)?;
    Ok(Outcome::Done)
}

fn generate(
    args: &BenchMatchArgs,
    telemetry: Telemetry,
    indicators: &Indicators,
    console: &Console,
) -> Result<(NamedTempFile, u64), Fault> {
    let unwritten = |error| {
        Fault::environment("cli.bench.file", "the events cannot be written; is TMPDIR full?").because(error)
    };
    let gauge = console.bytes("generating", Some(args.bytes));
    let mut lines = Lines::new(telemetry, args.seed, indicators.sample(PLANTED_PER_KIND_MAX), args.rate);
    let mut out = BufWriter::with_capacity(BLOCK_BYTES, NamedTempFile::new().map_err(unwritten)?);
    let tell = |written: &crate::commands::generate::Written| gauge.set(written.bytes);
    let written = write(&mut lines, &mut out, u64::MAX, args.bytes, tell).map_err(unwritten)?;
    out.flush().map_err(unwritten)?;
    let file = out.into_inner().map_err(|error| unwritten(error.into_error()))?;
    Ok((file, written.planted))
}

/// Does `work` so often and keeps the round that took the core the least.
fn best<T>(
    rounds: u32,
    what: &'static str,
    console: &Console,
    mut work: impl FnMut() -> Result<T, Fault>,
) -> Result<(T, Cost), Fault> {
    let gauge = console.count(what, Some(u64::from(rounds)));
    let mut best = cost(&mut work)?;
    gauge.add(1);
    for _ in 1..rounds {
        let (done, cost) = cost(&mut work)?;
        if cost.core_seconds < best.1.core_seconds {
            best = (done, cost);
        }
        gauge.add(1);
    }
    Ok(best)
}

/// Hands every block of a file to `each`.
fn blocks(path: &Path, mut each: impl FnMut(&[u8])) -> Result<(), Fault> {
    let mut input = Input::open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match input.read(&mut block)? {
            0 => return Ok(()),
            length => each(block.get(..length).unwrap_or_default()),
        }
    }
}

/// Counts line feeds.
fn line_ends(path: &Path) -> Result<u64, Fault> {
    let mut lines = 0;
    blocks(path, |block| lines += memchr::memchr_iter(b'\n', block).count() as u64)?;
    Ok(lines)
}

/// Parses every line whole; counts those that are JSON.
fn parse(path: &Path) -> Result<u64, Fault> {
    let (mut carry, mut events) = (Vec::new(), 0);
    let mut take = |line: &[u8]| {
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(line);
        events += u64::from(std::hint::black_box(parsed).is_ok());
    };
    blocks(path, |block| {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            let line = block.get(start..end).unwrap_or_default();
            if carry.is_empty() {
                take(line);
            } else {
                carry.extend_from_slice(line);
                take(&carry);
                carry.clear();
            }
            start = end + 1;
        }
        carry.extend_from_slice(block.get(start..).unwrap_or_default());
    })?;
    Ok(events)
}

fn table(figures: &Figures) -> String {
    let known = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".into(), size);
    let mut text = format!(
        "{} events, {}; {} indicators with {} values (read in {:.2} s, peak {})\n",
        grouped(figures.events),
        size(figures.bytes),
        grouped(figures.indicators.indicators),
        grouped(figures.indicators.values),
        figures.indicators.seconds,
        known(figures.loading_peak_bytes),
    );
    text.push_str(&format!("{:<26}{:>14}{:>14}{:>12}\n", "one core", "events/s", "bytes/s", "core s"));
    for Way { way, cost, bytes_per_second, .. } in &figures.ways {
        let events = per_second(figures.events, cost.core());
        let bytes = format!("{}/s", size(*bytes_per_second as u64));
        text.push_str(&format!("{way:<26}{events:>14}{bytes:>14}{:>12.2}\n", cost.core_seconds));
    }
    text.push_str(&format!(
        "{} matches in {} events; peak memory while matching {}",
        grouped(figures.matches),
        grouped(figures.events_matched),
        known(figures.matching_peak_bytes),
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_sees_every_event() {
        let mut file = NamedTempFile::new().unwrap();
        let mut lines = Lines::new(Telemetry::Suricata, 3, Vec::new(), 0.0);
        let written = write(&mut lines, &mut file, 3_000, u64::MAX, |_| {}).unwrap();
        file.flush().unwrap();
        assert!(written.bytes > BLOCK_BYTES as u64, "more than one block");
        assert_eq!(line_ends(file.path()).unwrap(), 3_000);
        assert_eq!(parse(file.path()).unwrap(), 3_000);
    }
}
