//! `mapping`: which formats are read and how, and what is read from a sample.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;
use shieldwall_watch::mapping::{BUILT_IN, Candidate, Mapping, Trial};

use crate::commands::matching::mappings;
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::counted;
use crate::intake::input::Input;

/// How much of a sample is read, in bytes.
const SAMPLE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many lines that were not understood are named.
const OTHERS_SHOWN_MAX: usize = 10;

/// See which formats of telemetry are read, and what is read from a sample.
#[derive(Debug, Args)]
pub(crate) struct MappingArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Test(TestArgs),
    List(ListArgs),
    Show(ShowArgs),
}

/// Show what is read from a sample: field, how it is read, what it is in STIX, and the value.
///
/// The format is told from the first lines unless --mapping or --format says it, and what else would fit is named.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 when every line was understood, 1 when some were not (the first are named), 2 when the sample or a \
mapping cannot be read.

Examples:
  shieldwall mapping test /var/log/squid/access.log
  shieldwall mapping test --mapping proxy.toml sample.json --json")]
struct TestArgs {
    /// The sample; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A mapping file that is read with, whatever the sample looks like
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The name of a built-in mapping, instead
    #[arg(long, value_name = "NAME", conflicts_with = "mapping")]
    format: Option<String>,
}

/// List the formats that are read.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall mapping list")]
struct ListArgs {}

/// Print a built-in mapping, to read or to begin one's own with.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall mapping show zeek > own.toml")]
struct ShowArgs {
    /// Its name, as `shieldwall mapping list` shows it
    #[arg(value_name = "NAME")]
    name: String,
}

/// A format that is read.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    about: String,
    watched: usize,
    told: usize,
}

/// What a sample told.
#[derive(Debug, Serialize)]
struct Answer {
    why: String,
    candidates: Vec<Fitting>,
    #[serde(flatten)]
    trial: Trial,
}

/// A mapping that fits some lines.
#[derive(Debug, Serialize)]
struct Fitting {
    mapping: String,
    lines: usize,
    first: usize,
    first_not: Option<usize>,
    why_not: Option<String>,
}

impl From<Candidate> for Fitting {
    fn from(candidate: Candidate) -> Self {
        let (first_not, why_not) = candidate.not.unzip();
        Self { mapping: candidate.mapping, lines: candidate.fits, first: candidate.first, first_not, why_not }
    }
}

/// Runs the command.
///
/// # Errors
/// What cannot be read.
pub(crate) fn run(args: &MappingArgs, console: &Console) -> Result<Outcome, Fault> {
    match &args.what {
        What::Test(args) => test(args, console),
        What::List(ListArgs {}) => list(console),
        What::Show(args) => show(&args.name, console),
    }
}

fn test(args: &TestArgs, console: &Console) -> Result<Outcome, Fault> {
    let sample = whole_lines(Input::open(&args.file)?.head(SAMPLE_BYTES_MAX)?);
    let known = mappings(&[])?;
    let verdict = known.detect(&sample);
    let wrong = |error: shieldwall_watch::mapping::MappingError| Fault::wrong(error.code(), &error);
    let (mapping, why) = match (&args.mapping, &args.format) {
        (Some(path), _) => (Arc::new(Mapping::load(path).map_err(wrong)?), "asked for".to_owned()),
        (None, Some(name)) => (known.get(name).map_err(wrong)?, "asked for".to_owned()),
        (None, None) => (verdict.mapping, verdict.why),
    };
    let trial = Trial::run(&mapping, &sample);
    let understood = trial.others.is_empty();
    let candidates = verdict.candidates.into_iter().map(Fitting::from).collect();
    console.answer(&Answer { why, candidates, trial }, shown)?;
    Ok(Outcome::of(understood))
}

/// Without a last line that the limit cut off.
fn whole_lines(mut sample: Vec<u8>) -> Vec<u8> {
    if sample.len() >= SAMPLE_BYTES_MAX
        && let Some(end) = memchr::memrchr(b'\n', &sample)
    {
        sample.truncate(end + 1);
    }
    sample
}

fn shown(answer: &Answer) -> String {
    let Answer { why, candidates, trial } = answer;
    let mut text = format!("{}\nread as {}: {why}\n", trial.to_string().trim_end(), trial.mapping);
    for other in candidates.iter().filter(|other| other.mapping != trial.mapping) {
        text.push_str(&format!(
            "{} would fit {}",
            other.mapping,
            counted(other.lines as u64, "line", "lines")
        ));
        if let (Some(line), Some(why)) = (other.first_not, &other.why_not) {
            text.push_str(&format!("; line {line} {why}"));
        }
        text.push('\n');
    }
    text.push_str(&counted(trial.events as u64, "event", "events"));
    if trial.asides > 0 {
        text.push_str(&format!(", {}", counted(trial.asides as u64, "header", "headers")));
    }
    if !trial.others.is_empty() {
        let lines: Vec<String> = trial.others.iter().take(OTHERS_SHOWN_MAX).map(usize::to_string).collect();
        let more = if trial.others.len() > OTHERS_SHOWN_MAX { ", …" } else { "" };
        let count = counted(trial.others.len() as u64, "line", "lines");
        text.push_str(&format!(", {count} not understood ({}{more})", lines.join(", ")));
    }
    if !trial.unmet.is_empty() {
        text.push_str(&format!("\nnot in this sample: {}", trial.unmet.join(", ")));
    }
    text
}

fn list(console: &Console) -> Result<Outcome, Fault> {
    let all: Vec<Listed> = mappings(&[])?
        .iter()
        .map(|mapping| Listed {
            name: mapping.name().to_owned(),
            about: mapping.about().to_owned(),
            watched: mapping.fields().len(),
            told: mapping.told().len(),
        })
        .collect();
    console.answer(&all, |all| {
        let line = |one: &Listed| {
            let watched = counted(one.watched as u64, "field", "fields");
            format!("{:10} {} ({watched} watched, {} told)", one.name, one.about, one.told)
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Outcome::Done)
}

fn show(name: &str, console: &Console) -> Result<Outcome, Fault> {
    #[derive(Serialize)]
    struct Shown {
        name: String,
        toml: &'static str,
    }
    let found = BUILT_IN.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name));
    let Some((_, toml)) = found else {
        let names: Vec<&str> = BUILT_IN.iter().filter_map(|(file, _)| file.strip_suffix(".toml")).collect();
        let message = format!("there is no mapping named \"{name}\"; there are {}", names.join(", "));
        return Err(Fault::usage("watch.mapping.unknown", message));
    };
    console.answer(&Shown { name: name.to_owned(), toml }, |shown| shown.toml.trim_end().to_owned())?;
    Ok(Outcome::Done)
}
