//! `sigma`: rules in Sigma's format, checked and held against events on this machine alone.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};
use shieldwall_model::limits::EVENT_BYTES_MAX;
use shieldwall_sigma::load::{Loader, Refused};
use shieldwall_sigma::reader::{Budget, Figures, Match, Reader};
use shieldwall_sigma::rules::{RuleInfo, Rules};
use shieldwall_sigma::source::Given;

use crate::console::{Console, Gauge};
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped, per_second, rate, size, took};
use crate::intake::input::{self, Input};

/// How many bytes of events are read at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// Longest piece of a field that a match shows people, in characters.
const SHOWN_CHARACTERS_MAX: usize = 120;
/// How many of the slowest rules the figures name.
const SLOWEST_SHOWN: usize = 5;
/// Evaluations timed before a rule is judged against a budget.
const TIMED_MIN: u64 = 100;

/// Check Sigma rules, or hold events against them.
///
/// Rules are read from files and folders (.yml, .yaml): detections, correlations and filters, several in a file or one.
#[derive(Debug, Args)]
pub(crate) struct SigmaArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Check(CheckArgs),
    Match(MatchArgs),
}

/// Load rules, and name each that cannot be, with the reason.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 all rules load, 1 some do not (each is named), 2 a path cannot be read.

Examples:
  shieldwall sigma check rules/
  shieldwall sigma check --pipeline ecs_windows rules/ --json")]
struct CheckArgs {
    /// Files of rules, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Field mappings to apply: files in Sigma's pipeline format, or ecs_windows, sysmon, fibratus_windows
    #[arg(long, value_name = "NAME")]
    pipeline: Vec<String>,
}

/// Hold events against rules and print what matches.
///
/// Events are lines of JSON: Windows events as Sysmon, Winlogbeat or converters of EVTX write them, ECS, Zeek,
/// CloudTrail, or any other whose fields the rules name. Files may be packed with gzip or zstd.
#[derive(Debug, Args)]
#[command(after_help = "\
Where an event comes from decides which rules are meant for it. Windows' channels and event ids, Zeek's _path and \
CloudTrail's fields tell; so do fields product, category and service in the event, and the options of these names. An \
event of which nothing is known is held against all rules.

Prints one line for each match and the figures at the end (on standard error; with --json, as a last line \
{\"summary\": …}), with the slowest rules. The exit status does not tell whether anything matched: it is 0 when all was \
read, 2 when something could not be.

Examples:
  shieldwall sigma match --rules rules/ sysmon.json
  shieldwall sigma match --rules rules/ mine.yml -- events.json.gz --json > matches.ndjson
  journalctl -o json -f | shieldwall sigma match --rules linux/ --product linux -")]
struct MatchArgs {
    /// Files of rules, or folders of them
    #[arg(long, short, required = true, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Files of events; - is standard input
    #[arg(required = true, value_name = "FILE")]
    events: Vec<PathBuf>,
    /// Field mappings to apply: files in Sigma's pipeline format, or ecs_windows, sysmon, fibratus_windows
    #[arg(long, value_name = "NAME")]
    pipeline: Vec<String>,
    /// The product all events come from, such as windows or linux
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// The category of all events, such as process_creation
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// The service all events come from, such as sysmon or sshd
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Print at most this many matches; the rest is counted
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,
    /// Set aside rules that take longer than this on average, in microseconds an event
    #[arg(long, value_name = "MICROSECONDS")]
    budget: Option<NonZeroU64>,
}

/// What came of loading.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    rules: usize,
    refused: Vec<&'a Refused>,
    remarks: Vec<&'a Refused>,
}

/// A match as machines read it.
#[derive(Debug, Serialize)]
struct MatchLine<'a> {
    file: &'a str,
    line: u64,
    time: Option<String>,
    rule: &'a RuleInfo,
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<u64>,
}

/// The figures at the end.
#[derive(Debug, Serialize)]
struct Summary {
    rules: usize,
    refused: usize,
    #[serde(flatten)]
    figures: Figures,
    bytes: u64,
    seconds: f64,
    events_per_second: f64,
    uncounted: u64,
    slowest: Vec<Slow>,
    set_aside: Vec<RuleInfo>,
}

/// A rule and what it takes.
#[derive(Debug, Serialize)]
struct Slow {
    rule: RuleInfo,
    evaluated: u64,
    mean_nanoseconds: u64,
}

/// Runs the command.
///
/// # Errors
/// What cannot be read.
pub(crate) fn run(args: &SigmaArgs, console: &Console) -> Result<Outcome, Fault> {
    match &args.what {
        What::Check(args) => check(args, console),
        What::Match(args) => hold(args, console),
    }
}

fn load(paths: &[PathBuf], pipelines: &[String], console: &Console) -> Result<(Rules, Vec<Refused>), Fault> {
    let wrong = |error: shieldwall_sigma::load::LoadError| Fault::wrong(error.code(), &error);
    let mut loader = Loader::default();
    for pipeline in pipelines {
        loader.pipeline(pipeline).map_err(wrong)?;
    }
    let gauge = console.count("reading rules", Some(paths.len() as u64));
    for path in paths {
        loader.path(path).map_err(wrong)?;
        gauge.add(1);
    }
    loader.finish().map_err(wrong)
}

fn check(args: &CheckArgs, console: &Console) -> Result<Outcome, Fault> {
    let (rules, all) = load(&args.paths, &args.pipeline, console)?;
    let (remarks, refused): (Vec<_>, Vec<_>) = all.iter().partition(|refused| refused.taken);
    let sound = refused.is_empty();
    console.answer(&Checked { rules: rules.len(), refused, remarks }, |checked| {
        let mut text = String::new();
        for (word, list) in [("refused", &checked.refused), ("remark", &checked.remarks)] {
            for one in list {
                text.push_str(&told(word, one));
                text.push('\n');
            }
        }
        text.push_str(&counted(checked.rules as u64, "rule loads", "rules load"));
        text.push_str(&format!(", {} refused", grouped(checked.refused.len() as u64)));
        text
    })?;
    Ok(Outcome::of(sound))
}

/// What is said of a rule that was not taken, or taken with a remark.
fn told(word: &str, refused: &Refused) -> String {
    let title = refused.title.as_deref().map_or(String::new(), |title| format!(" ({})", shown(title)));
    format!("{word}: {}{title}: {} [{}]", refused.place, shown(&refused.reason), refused.code)
}

fn hold(args: &MatchArgs, console: &Console) -> Result<Outcome, Fault> {
    input::check(&args.events)?;
    let (rules, refused) = load(&args.rules, &args.pipeline, console)?;
    let lost: Vec<_> = refused.iter().filter(|refused| !refused.taken).collect();
    for refused in &lost {
        console.remark(&told("refused", refused));
    }
    let given = Given {
        product: args.product.clone(),
        category: args.category.clone(),
        service: args.service.clone(),
    };
    let rules = std::sync::Arc::new(rules);
    let start = Instant::now();
    let mut reader = Reader::new(std::sync::Arc::clone(&rules))
        .given(given)
        .timed(Box::new(move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)));
    if let Some(budget) = args.budget {
        reader = reader
            .within(Budget { nanoseconds_max: budget.get().saturating_mul(1_000), timed_min: TIMED_MIN });
    }
    let mut printer = Printer {
        json: console.json(),
        left: args.limit.map_or(u64::MAX, NonZeroU64::get),
        out: BufWriter::new(io::stdout().lock()),
        failed: None,
    };
    let mut bytes = 0;
    for path in &args.events {
        let mut input = Input::open(path)?;
        // Matches and a bar on one screen would tear each other.
        let gauge = match io::stdout().is_terminal() {
            true => Gauge::hidden(),
            false => console.bytes(format!("matching {}", input.name), input.size),
        };
        bytes += scan(&mut input, &mut reader, &gauge, &mut printer)?;
    }
    let duration = start.elapsed();
    printer.out.flush().map_err(Fault::output)?;
    drop(printer);
    finish(&Summary::new(&rules, lost.len(), &reader, bytes, duration), duration, console)
}

/// Feeds an input to a reader, line by line; says how many bytes it had.
fn scan(
    input: &mut Input,
    reader: &mut Reader,
    gauge: &Gauge,
    printer: &mut Printer<'_>,
) -> Result<u64, Fault> {
    let name = input.name.clone();
    let mut block = vec![0; BLOCK_BYTES];
    let (mut carried, mut number, mut bytes) = (Vec::new(), 0, 0);
    loop {
        let length = input.read(&mut block)?;
        let mut rest = block.get(..length).unwrap_or_default();
        bytes += length as u64;
        if length == 0 {
            if !carried.is_empty() {
                number += 1;
                one(&carried, &name, number, reader, printer)?;
            }
            printer.out.flush().map_err(Fault::output)?;
            return Ok(bytes);
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            number += 1;
            if carried.is_empty() {
                one(line, &name, number, reader, printer)?;
            } else {
                carried.extend_from_slice(line);
                one(&carried, &name, number, reader, printer)?;
                carried.clear();
            }
            rest = after.get(1..).unwrap_or_default();
        }
        // Of a line that is too long only so much is kept as shows that it is.
        let room = (EVENT_BYTES_MAX + 1).saturating_sub(carried.len());
        carried.extend_from_slice(rest.get(..room).unwrap_or(rest));
        printer.out.flush().map_err(Fault::output)?;
        gauge.set(input.taken());
    }
}

/// Holds one line against the rules. Lines that are no events are counted by the reader.
fn one(
    line: &[u8],
    file: &str,
    number: u64,
    reader: &mut Reader,
    printer: &mut Printer<'_>,
) -> Result<(), Fault> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    // Bad lines are in the figures.
    let _ = reader.line(line, &mut |hit| {
        if printer.failed.is_none() {
            printer.failed = printer.print(file, number, hit).err();
        }
    });
    printer.failed.take().map_or(Ok(()), |error| Err(Fault::output(error)))
}

/// Writes matches out.
struct Printer<'a> {
    json: bool,
    left: u64,
    out: BufWriter<StdoutLock<'a>>,
    failed: Option<io::Error>,
}

impl Printer<'_> {
    fn print(&mut self, file: &str, line: u64, hit: &Match<'_>) -> io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        let fields = hit.fields();
        if self.json {
            let line = MatchLine {
                file,
                line,
                time: hit.time.map(|time| time.to_string()),
                rule: hit.rule,
                fields: fields.into_iter().collect(),
                counted: hit.correlated.as_ref().map(|correlated| correlated.value),
                window_seconds: hit.correlated.as_ref().map(|correlated| correlated.window_seconds),
            };
            serde_json::to_writer(&mut self.out, &line)?;
            return self.out.write_all(b"\n");
        }
        let level = hit.rule.level.unwrap_or("no level");
        write!(self.out, "{file}:{line}: {level}: {}", shown(&hit.rule.title))?;
        if let Some(correlated) = &hit.correlated {
            write!(self.out, ", {} in {} s", correlated.value, correlated.window_seconds)?;
        }
        for (name, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            write!(self.out, " {}={}", shown(&name), shown(&text))?;
        }
        let id = hit.rule.id.as_deref().unwrap_or(&hit.rule.place);
        writeln!(self.out, " ({})", shown(id))
    }
}

/// On one line, harmless to a terminal and not longer than a person reads.
fn shown(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    clean.take(SHOWN_CHARACTERS_MAX).collect()
}

impl Summary {
    fn new(rules: &Rules, refused: usize, reader: &Reader, bytes: u64, duration: Duration) -> Self {
        let mut slowest: Vec<_> = rules
            .list()
            .iter()
            .zip(reader.costs())
            .filter(|(_, cost)| cost.timed > 0)
            .map(|(rule, cost)| Slow {
                rule: rule.clone(),
                evaluated: cost.evaluated,
                mean_nanoseconds: cost.mean_nanoseconds(),
            })
            .collect();
        slowest.sort_by_key(|slow| std::cmp::Reverse(slow.mean_nanoseconds));
        slowest.truncate(SLOWEST_SHOWN);
        let figures = reader.figures();
        Self {
            rules: rules.len(),
            refused,
            figures,
            bytes,
            seconds: duration.as_secs_f64(),
            events_per_second: rate(figures.events, duration),
            uncounted: reader.correlator().map_or(0, shieldwall_sigma::correlate::Correlator::untimed),
            slowest,
            set_aside: reader.set_aside().cloned().collect(),
        }
    }
}

fn finish(summary: &Summary, duration: Duration, console: &Console) -> Result<Outcome, Fault> {
    if console.json() {
        #[derive(Serialize)]
        struct Last<'a> {
            summary: &'a Summary,
        }
        console.answer(&Last { summary }, |_| String::new())?;
        return Ok(Outcome::Done);
    }
    let Figures { events, events_matched, matches, bad_lines, unplaced, .. } = summary.figures;
    let odd = if bad_lines == 0 {
        String::new()
    } else {
        format!("; {} not understood", counted(bad_lines, "line", "lines"))
    };
    console.remark(&format!(
        "{} against {}: {} in {}{odd}",
        counted(summary.rules as u64, "rule", "rules"),
        counted(events, "event", "events"),
        counted(matches, "match", "matches"),
        counted(events_matched, "event", "events"),
    ));
    if unplaced > 0 {
        console.remark(&format!(
            "{} held against all rules: where they come from is not known (--product, --category, --service)",
            counted(unplaced, "event was", "events were")
        ));
    }
    if summary.uncounted > 0 {
        let matches = counted(summary.uncounted, "match", "matches");
        console.remark(&format!(
            "{matches} not counted by correlation rules: the events do not say when they were"
        ));
    }
    console.remark(&format!(
        "{} in {}: {} events/s",
        size(summary.bytes),
        took(duration),
        per_second(events, duration)
    ));
    for slow in &summary.slowest {
        console.remark(&format!(
            "slowest: {} ns an event, {} evaluated: {}",
            grouped(slow.mean_nanoseconds),
            counted(slow.evaluated, "time", "times"),
            shown(&slow.rule.title),
        ));
    }
    for rule in &summary.set_aside {
        console.remark(&format!(
            "set aside, slower than the budget: {} ({})",
            shown(&rule.title),
            rule.place
        ));
    }
    Ok(Outcome::Done)
}
