//! `generate`: writes made-up telemetry, the same for the same seed.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, read_size, size};
use crate::intake::indicators::Indicators;
use crate::telemetry::{Lines, TelemetryOption};

/// Most values of each kind taken from the indicators to be planted.
pub(crate) const PLANTED_PER_KIND_MAX: usize = 20_000;

/// Make up telemetry, to try `match` and sensors with.
///
/// Names and addresses are invented and never contacted. The same options give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  shieldwall generate --format suricata --events 100000 > eve.json
  shieldwall generate --format zeek --bytes 1GB --indicators values.csv --rate 0.01 | zstd > z.zst")]
pub(crate) struct GenerateArgs {
    /// What the telemetry looks like
    #[arg(long, short, value_name = "FORMAT")]
    pub(crate) format: TelemetryOption,
    /// How much: at least this many bytes, ended at a line, such as 500MB or 1GiB
    #[arg(long, value_name = "SIZE", value_parser = read_size, required_unless_present = "events")]
    pub(crate) bytes: Option<u64>,
    /// How much: this many events
    #[arg(long, value_name = "N", conflicts_with = "bytes")]
    pub(crate) events: Option<u64>,
    /// Another seed, other telemetry
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Files of indicators whose values some events carry
    #[arg(long, short, num_args = 1.., value_name = "FILE")]
    pub(crate) indicators: Vec<PathBuf>,
    /// The share of events that carry one, 0 to 1
    #[arg(long, value_name = "RATE", default_value_t = 0.001, value_parser = read_rate)]
    pub(crate) rate: f64,
}

/// What was written; to standard error, for standard output holds the telemetry.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) planted: u64,
}

/// Reads a share of events.
///
/// # Errors
/// A sentence that says what to write.
pub(crate) fn read_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is no share of events: write such as 0.001, at most 1"))
}

/// Runs the command.
///
/// # Errors
/// Indicators that cannot be read, or an output that cannot be written.
pub(crate) fn run(args: &GenerateArgs, console: &Console) -> Result<Outcome, Fault> {
    let values = match args.indicators.is_empty() {
        true => Vec::new(),
        false => Indicators::load(&args.indicators, 0, console)?.sample(PLANTED_PER_KIND_MAX),
    };
    let mut lines = Lines::new(args.format.into(), args.seed, values, args.rate);
    let (events, bytes) = (args.events.unwrap_or(u64::MAX), args.bytes.unwrap_or(u64::MAX));
    let gauge = match args.bytes {
        Some(bytes) => console.bytes("generating", Some(bytes)),
        None => console.count("generating", args.events),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let tell =
        |written: &Written| gauge.set(if args.bytes.is_some() { written.bytes } else { written.events });
    let written = write(&mut lines, &mut out, events, bytes, tell).map_err(Fault::output)?;
    out.flush().map_err(Fault::output)?;
    drop(gauge);
    if console.json() {
        let line = serde_json::to_string(&written).unwrap_or_default();
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
    let Written { events, bytes, planted } = written;
    console.remark(&format!("{}, {}, {planted} planted", counted(events, "event", "events"), size(bytes)));
    Ok(Outcome::Done)
}

/// Writes lines until there are so many events, or at least so many bytes.
pub(crate) fn write(
    lines: &mut Lines,
    out: &mut impl Write,
    events: u64,
    bytes: u64,
    tell: impl Fn(&Written),
) -> io::Result<Written> {
    let mut block = String::new();
    let mut written = Written { events: 0, bytes: 0, planted: 0 };
    while lines.events < events && written.bytes < bytes {
        lines.write(&mut block);
        written.bytes += block.len() as u64;
        out.write_all(block.as_bytes())?;
        block.clear();
        written.events = lines.events;
        written.planted = lines.planted;
        if lines.events.is_multiple_of(4_096) {
            tell(&written);
        }
    }
    Ok(written)
}
