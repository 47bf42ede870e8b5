//! `hunt`: asks a sensor's memory whether values passed, when, and in which input.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use shieldwall_memory::{Answers, Archive, Damage, Found, Hour, MemoryError, Question};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use shieldwall_sensor::memory::{Askable, DIRECTORY, question};
use shieldwall_watch::value::{Value, detect, refang};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{grouped, size};

/// Most hours and gaps a table lists.
const LISTED_MAX: usize = 12;
const MINUTE_SECONDS: i64 = 60;

/// Ask a sensor's memory whether values passed.
///
/// Reads the memory in a sensor's state directory, also while the sensor runs; nothing is written and nothing sent. A
/// domain finds the names below it, a network the addresses in it. The answer says which time was watched and how likely a
/// value is found that never passed.
#[derive(Debug, Args)]
#[command(after_help = "\
Values may be de-fanged (evil[.]example, hxxp://…). What is remembered: addresses without their ports, names with their \
parents, URLs without their scheme, IPv6 networks of 32, 48 and 64 bits; by the hour, for as long as the sensor keeps.

Exit status: 0 something passed, 1 nothing did, 2 the command or a value is wrong, 3 there is no memory to read.

Examples:
  shieldwall hunt evil.example 198.51.100.0/24 --state /var/lib/shieldwall-sensor
  shieldwall hunt --file values.txt --state /var/lib/shieldwall-sensor --since 7d --json
  shieldwall hunt evil.example --state /var/lib/shieldwall-sensor --since 2026-11-01 --until 2026-11-08T12:00:00Z")]
pub(crate) struct HuntArgs {
    /// Values to look for
    #[arg(value_name = "VALUE", required_unless_present = "file")]
    pub(crate) values: Vec<String>,
    /// A file with one value a line; empty lines and those that begin with # are skipped; - is standard input
    #[arg(long, value_name = "LIST")]
    pub(crate) file: Option<PathBuf>,
    /// The sensor's state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// From when on: a time, a day, or so long ago (7d, 12h); without, all that is remembered
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Until when, likewise; without, now
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Read every file of the memory whole first, and name those that are damaged
    #[arg(long)]
    pub(crate) check: bool,
}

/// A stretch of time.
#[derive(Debug, Serialize)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
}

/// What was found of a value.
#[derive(Debug, Serialize)]
struct ValueAnswer {
    value: String,
    kind: &'static str,
    /// `whole`, `address-only` (the port is not remembered), or `not` (it cannot be asked).
    asked: &'static str,
    found: bool,
    hours: usize,
    first: Option<Timestamp>,
    /// When the last hour it was seen in ends.
    last: Option<Timestamp>,
    sources: Vec<SourceAnswer>,
    /// Addresses of a network that passed, at most 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<std::net::Ipv4Addr>,
}

#[derive(Debug, Serialize)]
struct SourceAnswer {
    source: String,
    /// When each hour begins.
    hours: Vec<Timestamp>,
}

/// What was watched of a source.
#[derive(Debug, Serialize)]
struct Watched {
    source: String,
    minutes: u64,
    /// When nobody looked: the sensor was down, or what it knew was lost.
    gaps: Vec<Stretch>,
}

#[derive(Debug, Serialize)]
struct HuntAnswer {
    values: Vec<ValueAnswer>,
    window: Stretch,
    sources: Vec<Watched>,
    /// Of a value that never passed to be found all the same; addresses never are.
    false_positive_probability: f64,
    values_remembered: u64,
    bytes: u64,
    files: u64,
    damage: Vec<Damage>,
}

/// Runs the command.
///
/// # Errors
/// Exit status 2 for a value or time that cannot be read, 3 for a memory that cannot.
pub(crate) fn run(args: &HuntArgs, console: &Console) -> Result<Outcome, Fault> {
    let now = console.clock.now();
    let time = |text: &Option<String>| text.as_deref().map(|text| time_of(text, now)).transpose();
    let (since, until) = (time(&args.since)?, time(&args.until)?.unwrap_or(now));
    if since.is_some_and(|since| since >= until) {
        return Err(Fault::usage("cli.hunt.window", "--since must be before --until"));
    }
    let archive = open(&args.state)?;
    let values = values_of(args, console)?;
    let broken = |error: MemoryError| Fault::failed(error.code(), &error);
    let mut damage = if args.check { archive.check().map_err(broken)? } else { Vec::new() };
    let (mut questions, mut asked) = (Vec::new(), Vec::with_capacity(values.len()));
    for value in &values {
        let (how, question) = match question(archive.key(), value) {
            Askable::Whole(question) => ("whole", Some(question)),
            Askable::AddressOnly(question) => ("address-only", Some(question)),
            Askable::Not => ("not", None),
        };
        asked.push((how, question.map(|_| questions.len())));
        questions.extend(question);
    }
    let answers = ask(&archive, &questions, since, until)?;
    damage.extend(answers.damage.iter().cloned());
    damage.sort_by(|a, b| a.path.cmp(&b.path));
    damage.dedup();
    let first_known = answers.coverage.values().filter_map(|source| source.first()).min();
    let from = since.or(first_known).unwrap_or(until).min(until);
    let answer = HuntAnswer {
        values: values
            .iter()
            .zip(asked)
            .map(|(value, (how, place))| {
                value_answer(value, how, place.and_then(|place| answers.found.get(place)?.as_ref()))
            })
            .collect(),
        sources: answers
            .coverage
            .iter()
            .map(|(source, watched)| Watched {
                source: source.to_string(),
                minutes: watched.minutes(),
                gaps: watched.gaps(from, until).into_iter().map(|(from, to)| Stretch { from, to }).collect(),
            })
            .collect(),
        window: Stretch { from, to: until },
        false_positive_probability: answers.false_positives,
        values_remembered: answers.values,
        bytes: answers.bytes,
        files: answers.files,
        damage,
    };
    let any = answer.values.iter().any(|value| value.found);
    console.answer(&answer, text)?;
    console.remark(&remarks(&answer));
    Ok(Outcome::of(any))
}

fn open(state: &Path) -> Result<Archive, Fault> {
    let inside = state.join(DIRECTORY);
    let directory = if inside.is_dir() { &inside } else { state };
    Archive::open(directory).map_err(|error| Fault::failed(error.code(), &error))
}

fn ask(
    archive: &Archive,
    questions: &[Question],
    since: Option<Timestamp>,
    until: Timestamp,
) -> Result<Answers, Fault> {
    let (from, to) = (since.map_or(Hour(0), Hour::of), Hour::of(until));
    archive.ask(questions, from, to).map_err(|error| Fault::failed(error.code(), &error))
}

/// A time as typed: RFC 3339, a day, or so many days or hours ago.
fn time_of(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    let ago = |unit: char, seconds: i64| {
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        (0..=100_000).contains(&count).then(|| now.plus_seconds(-count * seconds))
    };
    let read = ago('d', 86_400)
        .or_else(|| ago('h', 3_600))
        .or_else(|| Timestamp::parse(text).ok())
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")).ok());
    read.ok_or_else(|| {
        let message = format!("{text:?} is no time: write 2026-11-20T08:00:00Z, 2026-11-20, 7d or 12h");
        Fault::usage("cli.hunt.time", message)
    })
}

fn values_of(args: &HuntArgs, console: &Console) -> Result<Vec<Value>, Fault> {
    let no_value = |text: &str| {
        let shown: String = text.chars().take(80).collect();
        Fault::usage(
            "cli.hunt.value",
            format!("{shown:?} is no address, network, name, URL, digest or other value"),
        )
    };
    let mut values = Vec::new();
    for text in &args.values {
        values.push(detect(&refang(text)).ok_or_else(|| no_value(text))?);
    }
    let Some(path) = &args.file else { return Ok(values) };
    let unreadable = |error: std::io::Error| {
        Fault::environment("cli.hunt.file", format!("{} cannot be read", path.display())).because(error)
    };
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(fs::File::open(path).map_err(unreadable)?))
    };
    let mut skipped = 0u64;
    for line in reader.lines() {
        let line = line.map_err(unreadable)?;
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match detect(&refang(text)) {
            Some(value) => values.push(value),
            None => skipped += 1,
        }
        if values.len() > limits::HUNT_VALUES_MAX {
            let message = format!("at most {} values at once: split the list", limits::HUNT_VALUES_MAX);
            return Err(Fault::usage("cli.hunt.many", message));
        }
    }
    if skipped > 0 {
        console.remark(&format!(
            "{} lines of {} are no values and were skipped",
            grouped(skipped),
            path.display()
        ));
    }
    Ok(values)
}

fn value_answer(value: &Value, asked: &'static str, found: Option<&Found>) -> ValueAnswer {
    let span = found.and_then(Found::span);
    let network = value.kind() == shieldwall_watch::value::Kind::Cidr4;
    ValueAnswer {
        value: value.to_string(),
        kind: value.kind().as_str(),
        asked,
        found: found.is_some(),
        hours: found.map_or(0, Found::hours),
        first: span.map(|(first, _)| first.begins()),
        last: span.map(|(_, last)| last.ends()),
        sources: found
            .iter()
            .flat_map(|found| &found.sources)
            .map(|(source, found)| SourceAnswer {
                source: source.to_string(),
                hours: found.hours().map(Hour::begins).collect(),
            })
            .collect(),
        addresses: found
            .filter(|_| network)
            .map(|found| found.addresses.iter().map(|address| (*address).into()).collect())
            .unwrap_or_default(),
    }
}

/// `2026-11-25 08:00`.
fn minute(time: Timestamp) -> String {
    time.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn text(answer: &HuntAnswer) -> String {
    let mut out = String::new();
    let width = answer.values.iter().map(|value| value.value.chars().count()).max().unwrap_or(0).min(60);
    for value in &answer.values {
        let said = match (value.asked, value.first, value.last) {
            ("not", ..) => "cannot be asked: IPv6 networks are remembered by 32, 48 and 64 bits".into(),
            (how, Some(first), Some(last)) => {
                let port =
                    if how == "address-only" { " (its address; the port is not remembered)" } else { "" };
                let hours = if value.hours == 1 { "hour" } else { "hours" };
                format!("passed in {} {hours}, {} to {} UTC{port}", value.hours, minute(first), minute(last))
            }
            _ => "did not pass, as far as was watched".into(),
        };
        let _ = writeln!(out, "{:width$}  {said}", value.value);
        for source in &value.sources {
            let hours: Vec<String> = source.hours.iter().take(LISTED_MAX).map(|hour| minute(*hour)).collect();
            let more = source.hours.len().saturating_sub(LISTED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _ = writeln!(out, "{:width$}    {}: {}{more}", "", source.source, hours.join(", "));
        }
        if !value.addresses.is_empty() {
            let all: Vec<String> = value.addresses.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "{:width$}    addresses: {}", "", all.join(", "));
        }
    }
    out.trim_end().to_owned()
}

/// What a person needs to know to believe the answer.
fn remarks(answer: &HuntAnswer) -> String {
    let HuntAnswer { window, sources, .. } = answer;
    let mut out = format!("Asked {} to {} UTC.", minute(window.from), minute(window.to));
    if sources.is_empty() {
        out.push_str(" Nothing of that time is remembered.");
    }
    for watched in sources {
        let gaps: Vec<String> = watched
            .gaps
            .iter()
            .take(LISTED_MAX)
            .map(|gap| format!("{} to {}", minute(gap.from), minute(gap.to)))
            .collect();
        let lost: i64 =
            watched.gaps.iter().map(|gap| gap.to.since_micros(gap.from) / 1_000_000 / MINUTE_SECONDS).sum();
        let _ = write!(
            out,
            "\n{}: {} minutes watched, {} not",
            watched.source,
            grouped(watched.minutes),
            grouped(u64::try_from(lost).unwrap_or(0))
        );
        if !gaps.is_empty() {
            let more = if watched.gaps.len() > LISTED_MAX { ", …" } else { "" };
            let _ = write!(out, " ({}{more})", gaps.join(", "));
        }
    }
    let _ = write!(
        out,
        "\n{} values remembered in {} files, {}. A value that never passed is found with a probability of {:.1e}; \
         an IPv4 address never is.",
        grouped(answer.values_remembered),
        grouped(answer.files),
        size(answer.bytes),
        answer.false_positive_probability
    );
    for damage in &answer.damage {
        let _ = write!(out, "\nDamaged, and missing from the answer: {damage}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = Timestamp::parse("2026-11-25T12:00:00Z").unwrap();
        for (text, wanted) in [
            ("7d", "2026-11-18T12:00:00.000000Z"),
            ("12h", "2026-11-25T00:00:00.000000Z"),
            ("2026-11-20", "2026-11-20T00:00:00.000000Z"),
            ("2026-11-20T08:30:00+01:00", "2026-11-20T07:30:00.000000Z"),
        ] {
            assert_eq!(time_of(text, now).unwrap().to_string(), wanted, "{text}");
        }
        for wrong in ["yesterday", "-3d", "d", ""] {
            assert_eq!(time_of(wrong, now).unwrap_err().code(), "cli.hunt.time", "{wrong}");
        }
    }
}
