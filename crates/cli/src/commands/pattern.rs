//! `pattern`: asks a STIX pattern of observed data, or only whether it is one.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shieldwall_watch::observed::{self, Observation};
use shieldwall_watch::pattern::{self, EvaluateError, Pattern, PatternError, Program};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::intake::input::Input;

/// Most characters of a pattern shown on either side of a place in it.
const SHOWN_CHARACTERS: usize = 60;

/// Evaluate and check STIX patterns.
#[derive(Debug, Args)]
pub(crate) struct PatternArgs {
    /// What to do
    #[command(subcommand)]
    command: PatternCommand,
}

/// What to do with a pattern.
#[derive(Debug, Subcommand)]
enum PatternCommand {
    Eval(EvalArgs),
    Check(CheckArgs),
}

/// Ask whether a STIX pattern matches observed data.
///
/// All of STIX 2.1 patterning is evaluated, on observed data of STIX 2.0 and 2.1. The file holds a bundle, one
/// observed-data object, or an array of either; in an array, each bundle usually holds one observed-data object and what
/// it refers to. Any object type counts, custom ones too; the file may be packed with gzip or zstd.
#[derive(Debug, Args)]
#[command(after_help = "\
A path starts at the objects that the observed data lists; references are followed to any object of the file. Regular \
expressions are PCRE without look-around, back-references and possessive repetition, which cannot be run in linear time.

A line of a batch is an object with pattern, observed (what a file would hold) and, if wanted, id. Each gets one line of \
JSON in answer, with its result: match, none, invalid, beyond (valid, and this engine cannot run it) or undecided.

Exit status: 0 the pattern matches, 1 it does not, 2 the pattern or the observed data is invalid, and the place is named. \
Of a batch: 2 if any line has no verdict, else 0 if any pattern matches, else 1.

Examples:
  shieldwall pattern eval --pattern \"[file:name LIKE '%.exe'] REPEATS 3 TIMES\" --observed seen.json
  shieldwall pattern eval --pattern \"$PATTERN\" --observed - --json < bundle.json
  shieldwall pattern eval --batch cases.ndjson")]
struct EvalArgs {
    /// The pattern
    #[arg(long, value_name = "PATTERN", required_unless_present = "batch", requires = "observed")]
    pattern: Option<String>,
    /// The file of observed data; - is standard input
    #[arg(long, value_name = "FILE", requires = "pattern")]
    observed: Option<PathBuf>,
    /// Many patterns, each with its observed data: one object of JSON a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pattern", "observed"])]
    batch: Option<PathBuf>,
}

/// Check whether a text is a STIX 2.1 pattern.
#[derive(Debug, Args)]
#[command(after_help = "\
What is a pattern by the standard and still cannot be run by this engine counts as valid; why it cannot is said.

Exit status: 0 valid, 2 not, and the place is named.

Examples:
  shieldwall pattern check --pattern \"[domain-name:value = 'evil.example']\"
  shieldwall pattern check --pattern \"$PATTERN\" --json")]
struct CheckArgs {
    /// The pattern
    #[arg(long, value_name = "PATTERN")]
    pattern: String,
}

/// What is wrong with a pattern or with observed data.
#[derive(Debug, Serialize)]
struct Wrong {
    code: &'static str,
    /// Offset in the pattern, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    message: String,
}

impl Wrong {
    /// As a fault of whoever wrote the pattern, the place marked below it.
    fn fault(&self, pattern: &str) -> Fault {
        let marked = self.at.map(|at| format!("\n{}", marked(pattern, at))).unwrap_or_default();
        Fault::usage(self.code, format!("{}{marked}", self.message))
    }
}

impl From<PatternError> for Wrong {
    fn from(error: PatternError) -> Self {
        Self { code: error.code(), at: Some(error.at()), message: error.to_string() }
    }
}

impl From<EvaluateError> for Wrong {
    fn from(error: EvaluateError) -> Self {
        let at = match &error {
            EvaluateError::Beyond { at, .. } => Some(*at),
            EvaluateError::Undecided => None,
        };
        Self { code: error.code(), at, message: error.to_string() }
    }
}

/// The answer to one pattern.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// Of a batch: the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Json>,
    /// match, none, invalid, beyond, undecided.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<bool>,
    /// How many observed-data objects there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    observations: Option<usize>,
    /// What each part in brackets accepts by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<Accepted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Wrong>,
}

#[derive(Debug, Serialize)]
struct Accepted {
    /// Where in the pattern it starts, in bytes.
    at: usize,
    /// Ids of observed data; its number, from 1, where it has none.
    observed: Vec<String>,
}

impl Answer {
    fn wrong(result: &'static str, error: Wrong) -> Self {
        Self { result, error: Some(error), ..Self::default() }
    }

    /// The verdict on one pattern.
    fn of(pattern: &str, observations: &[Observation]) -> Self {
        let read = match pattern::parse(pattern) {
            Ok(read) => read,
            Err(error) => return Self::wrong("invalid", error.into()),
        };
        let verdict = match Program::new(&read).and_then(|program| program.evaluate(observations)) {
            Ok(verdict) => verdict,
            Err(error @ EvaluateError::Beyond { .. }) => return Self::wrong("beyond", error.into()),
            Err(error) => return Self::wrong("undecided", error.into()),
        };
        let named = |number: &u32| {
            let id = observations.get(*number as usize).and_then(|observation| observation.id.clone());
            id.unwrap_or_else(|| (number + 1).to_string())
        };
        let tests = verdict
            .tests
            .iter()
            .map(|(at, accepted)| Accepted { at: *at, observed: accepted.iter().map(named).collect() });
        Self {
            result: if verdict.matched { "match" } else { "none" },
            matched: Some(verdict.matched),
            observations: Some(observations.len()),
            tests: tests.collect(),
            ..Self::default()
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A pattern, or observed data, that is invalid.
pub(crate) fn run(args: PatternArgs, console: &Console) -> Result<Outcome, Fault> {
    match args.command {
        PatternCommand::Check(args) => check(&args.pattern, console),
        PatternCommand::Eval(args) => match (&args.pattern, &args.observed, &args.batch) {
            (_, _, Some(batch)) => many(batch, console),
            (Some(pattern), Some(observed), None) => one(pattern, observed, console),
            _ => Err(Fault::usage("cli.usage", "give --pattern with --observed, or --batch")),
        },
    }
}

fn check(pattern: &str, console: &Console) -> Result<Outcome, Fault> {
    #[derive(Serialize)]
    struct Checked {
        valid: bool,
        /// Whether this engine can run it.
        runs: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Wrong>,
    }
    let checked = |read: &Pattern| Program::new(read).err().map(Wrong::from);
    let (checked, fault) = match pattern::parse(pattern) {
        Ok(read) => {
            let error = checked(&read);
            (Checked { valid: true, runs: error.is_none(), error }, None)
        }
        Err(error) => {
            let error = Wrong::from(error);
            let fault = error.fault(pattern);
            (Checked { valid: false, runs: false, error: Some(error) }, Some(fault))
        }
    };
    if fault.is_none() || console.json() {
        console.answer(&checked, |checked| match &checked.error {
            None => "valid".into(),
            Some(error) => {
                format!(
                    "valid, but not run here: {}\n{}",
                    error.message,
                    marked(pattern, error.at.unwrap_or(0))
                )
            }
        })?;
    }
    fault.map_or(Ok(Outcome::Done), Err)
}

fn one(pattern: &str, observed: &Path, console: &Console) -> Result<Outcome, Fault> {
    // A bad pattern is told before a large file is read.
    if let Err(error) = pattern::parse(pattern) {
        return refused(Answer::wrong("invalid", error.into()), pattern, console);
    }
    let bytes = Input::open(observed)?.whole()?;
    let observations = observed::read(&bytes).map_err(|error| Fault::wrong(error.code(), &error))?;
    if observations.is_empty() {
        console.remark(&format!("{} holds no observed data", observed.display()));
    }
    let answer = Answer::of(pattern, &observations);
    let Some(matched) = answer.matched else { return refused(answer, pattern, console) };
    console.answer(&answer, |answer| match (&answer.matched, &answer.observations) {
        (Some(true), _) => "match".into(),
        (_, count) => format!("no match in {} observed data", count.unwrap_or(0)),
    })?;
    Ok(Outcome::of(matched))
}

/// A pattern without a verdict.
fn refused(answer: Answer, pattern: &str, console: &Console) -> Result<Outcome, Fault> {
    if console.json() {
        console.answer(&answer, |_| String::new())?;
    }
    Err(match &answer.error {
        Some(error) => error.fault(pattern),
        None => Fault::usage("cli.pattern", "the pattern has no verdict"),
    })
}

fn many(batch: &Path, console: &Console) -> Result<Outcome, Fault> {
    #[derive(Deserialize)]
    struct Line {
        pattern: String,
        observed: Json,
        id: Option<Json>,
    }
    let bytes = Input::open(batch)?.whole()?;
    let gauge = console.bytes("evaluating", Some(bytes.len() as u64));
    let (mut matched, mut unanswered) = (false, 0u64);
    for (number, line) in (1u64..).zip(bytes.split(|byte| *byte == b'\n')) {
        gauge.add(line.len() as u64 + 1);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut answer = match serde_json::from_slice::<Line>(line) {
            Err(error) => {
                let message = format!("a line is an object with pattern and observed: {error}");
                Answer::wrong("invalid", Wrong { code: "cli.pattern.line", at: None, message })
            }
            Ok(Line { pattern, observed, id }) => {
                let mut answer = match observed::from_json(observed) {
                    Ok(observations) => Answer::of(&pattern, &observations),
                    Err(error) => {
                        let message = error.to_string();
                        Answer::wrong("invalid", Wrong { code: error.code(), at: None, message })
                    }
                };
                answer.id = id;
                answer
            }
        };
        answer.line = Some(number);
        matched |= answer.matched == Some(true);
        unanswered += u64::from(answer.matched.is_none());
        let line = serde_json::to_string(&answer).map_err(|error| {
            Fault::environment("cli.answer", "the answer cannot be written as JSON").because(error)
        })?;
        console.say(&line)?;
    }
    if unanswered > 0 {
        let message = format!("{unanswered} lines have no verdict; each says why");
        return Err(Fault::usage("cli.pattern.batch", message));
    }
    Ok(Outcome::of(matched))
}

/// The line of a pattern around a place, and a caret below the place.
fn marked(pattern: &str, at: usize) -> String {
    let (before, after) = pattern.split_at_checked(at).unwrap_or((pattern, ""));
    let before = before.rsplit(['\n', '\r']).next().unwrap_or_default();
    let after = after.split(['\n', '\r']).next().unwrap_or_default();
    // A pattern comes from others: nothing in it may steer a terminal.
    let tame = |c: char| if c.is_control() { ' ' } else { c };
    let skipped = before.chars().count().saturating_sub(SHOWN_CHARACTERS);
    let before: String = before.chars().skip(skipped).map(tame).collect();
    let after: String = after.chars().take(SHOWN_CHARACTERS).map(tame).collect();
    format!("  {before}{after}\n  {}^", " ".repeat(before.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_place() {
        assert_eq!(marked("[a:b ? 1]", 5), "  [a:b ? 1]\n       ^");
        assert_eq!(marked("[a:b = 1]", 9), "  [a:b = 1]\n           ^");
        assert_eq!(marked("[a:b = 1\nAND é:c = 2]", 13), "  AND é:c = 2]\n      ^");
        let long = format!("[a:b = '{}' ?]", "x".repeat(200));
        let shown = marked(&long, long.len() - 2);
        assert_eq!(shown.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [64, 63]);
        assert_eq!(marked("[\u{1b}[31m", 1), "  [ [31m\n   ^");
    }
}
