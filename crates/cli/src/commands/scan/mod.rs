//! `scan`: files against YARA rules and listed hashes. Nothing is run, unpacked or changed.

mod engine;
mod walk;

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use md5::Md5;
use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use shieldwall_watch::value::{Kind, Value};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped, read_size, size, took};
use crate::intake::indicators::{Indicators, Named};
use crate::intake::input;
use engine::{Engine, Found};
use walk::{Entry, Walk};

/// How many bytes are read at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// Largest file held against rules, unless told otherwise.
const FILE_BYTES_DEFAULT: &str = "64MiB";
/// Largest file that the engine takes at all.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How many strings of a rule are named to people.
const STRINGS_SHOWN: usize = 3;

/// Scan files and folders with YARA rules and listed hashes.
///
/// Files are read and nothing else: not run, not unpacked, not moved. Links are not followed, so that a scan stays in the
/// folders it was given; devices and pipes are passed over. Rules are applied in a process of their own that opens no
/// file and is ended when a file takes too long.
#[derive(Debug, Args)]
#[command(after_help = "\
Rules need the engine, a program of its own (shieldwall-yara: `make yara` builds it). It is looked for beside shieldwall \
and on the PATH; --engine or SHIELDWALL_YARA name it otherwise. Hashes need no engine.

Prints one line for each thing found, and the figures at the end on standard error; with --json, one object for each file \
found or not read, and a last line {\"summary\": …}.

Exit status, as virus scanners have it: 0 nothing was found, 1 something was, 2 nothing was found but not everything could \
be looked at (each file is named) or the command is wrong, 3 the engine is missing or does not work.

Examples:
  shieldwall scan /media/usb --rules rules/
  shieldwall scan ~/Downloads --watchlist bundle.json hashes.txt
  shieldwall scan /srv --rules a.yar rules/ --watchlist hashes.csv --json > found.ndjson")]
pub(crate) struct ScanArgs {
    /// Files and folders to scan
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Files of YARA rules, or folders of them (.yar, .yara, .rule)
    #[arg(long, short, num_args = 1.., value_name = "FILE|DIR", required_unless_present = "watchlist")]
    rules: Vec<PathBuf>,
    /// Indicators whose MD5, SHA-1 and SHA-256 are looked for: STIX 2.1 bundles, CSV or plain lists
    #[arg(long, short, num_args = 1.., value_name = "FILE")]
    watchlist: Vec<PathBuf>,
    /// Largest file held against rules (at most 256MiB); of larger ones only the hashes are looked at
    #[arg(long, value_name = "SIZE", default_value = FILE_BYTES_DEFAULT, value_parser = read_size)]
    max_size: u64,
    /// How long rules may take over one file, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    timeout: NonZeroU64,
    /// The engine, if it is not where it is looked for
    #[arg(long, value_name = "FILE", env = "SHIELDWALL_YARA", hide_env_values = true)]
    engine: Option<PathBuf>,
}

/// A file in which something was found, or which could not be looked at.
#[derive(Debug, Serialize)]
struct FileLine<'a> {
    file: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<&'a Hashes>,
    rules: Vec<Found>,
    listed: Vec<Listed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// A hash of the file that is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    kind: &'static str,
    indicator: Named<'a>,
}

/// The hashes of a file, in lower case hex.
#[derive(Debug, Serialize)]
struct Hashes {
    md5: String,
    sha1: String,
    sha256: String,
}

/// The figures at the end.
#[derive(Debug, Default, Serialize)]
struct Summary {
    files: u64,
    bytes: u64,
    found: u64,
    failed: u64,
    links_passed_over: u64,
    others_passed_over: u64,
    too_large_for_rules: u64,
    rules: u64,
    rules_refused: u64,
    listed_values: u64,
    seconds: f64,
}

/// What a scan works with.
struct Scan<'c> {
    console: &'c Console,
    engine: Option<Engine>,
    indicators: Option<Indicators>,
    max_size: u64,
    summary: Summary,
}

/// Runs the command.
///
/// # Errors
/// What cannot be read, and an engine that is missing.
pub(crate) fn run(args: &ScanArgs, console: &Console) -> Result<Outcome, Fault> {
    if args.max_size > FILE_BYTES_MAX {
        let message = format!("--max-size is at most {FILE_BYTES_MAX} bytes");
        return Err(Fault::usage("cli.scan.size", message));
    }
    let start = Instant::now();
    let mut summary = Summary::default();
    let indicators = match args.watchlist.is_empty() {
        true => None,
        false => {
            input::check(&args.watchlist)?;
            Some(Indicators::load(&args.watchlist, console.random()?, console)?)
        }
    };
    summary.listed_values = indicators.as_ref().map_or(0, |indicators| indicators.summary.values);
    let engine = match args.rules.is_empty() {
        true => None,
        false => {
            let gauge = console.count("compiling rules", None);
            let engine =
                Engine::start(args.engine.as_deref(), &args.rules, Duration::from_secs(args.timeout.get()))?;
            drop(gauge);
            summary.rules = engine.ready().rules;
            summary.rules_refused = engine.ready().refused.len() as u64;
            for refused in &engine.ready().refused {
                console.remark(&format!(
                    "refused: {}: {}",
                    shown(&refused.place),
                    first_line(&refused.reason)
                ));
            }
            Some(engine)
        }
    };
    let mut scan = Scan { console, engine, indicators, max_size: args.max_size, summary };
    let gauge = console.count("scanning files", None);
    for path in &args.paths {
        for entry in Walk::new(path) {
            match entry {
                Entry::File(path) => scan.file(&path)?,
                Entry::Link => scan.summary.links_passed_over += 1,
                Entry::Other => scan.summary.others_passed_over += 1,
                Entry::Failed(path, error) => scan.failed(&path, 0, error.to_string())?,
            }
            gauge.set(scan.summary.files);
        }
    }
    drop(gauge);
    scan.finish(start.elapsed())
}

impl Scan<'_> {
    fn file(&mut self, path: &Path) -> Result<(), Fault> {
        self.summary.files += 1;
        let keep = if self.engine.is_some() { self.max_size } else { 0 };
        let (hashes, size, bytes) = match read(path, keep) {
            Ok(read) => read,
            Err(error) => return self.failed(path, 0, error.to_string()),
        };
        self.summary.bytes += size;
        let mut rules = Vec::new();
        if let Some(engine) = &mut self.engine {
            if size > self.max_size {
                self.summary.too_large_for_rules += 1;
            } else {
                let scanned = engine.scan(&bytes)?;
                rules = scanned.found;
                if let Some(reason) = scanned.failed {
                    return self.failed(path, size, format!("rules did not get through it: {reason}"));
                }
            }
        }
        let listed = self.indicators.as_ref().map_or_else(Vec::new, |indicators| listed(indicators, &hashes));
        if rules.is_empty() && listed.is_empty() {
            return Ok(());
        }
        self.summary.found += 1;
        let file = path.display().to_string();
        self.console
            .answer(&FileLine { file, size, hashes: Some(&hashes), rules, listed, failed: None }, |line| {
                told(line, &hashes)
            })
    }

    fn failed(&mut self, path: &Path, size: u64, reason: String) -> Result<(), Fault> {
        self.summary.failed += 1;
        let file = path.display().to_string();
        if !self.console.json() {
            self.console.remark(&format!("not scanned: {}: {}", shown(&file), shown(&reason)));
            return Ok(());
        }
        let (rules, listed) = (Vec::new(), Vec::new());
        let line = FileLine { file, size, hashes: None, rules, listed, failed: Some(reason) };
        self.console.answer(&line, |_| String::new())
    }

    fn finish(mut self, duration: Duration) -> Result<Outcome, Fault> {
        #[derive(Serialize)]
        struct Last<'a> {
            summary: &'a Summary,
        }
        self.summary.seconds = duration.as_secs_f64();
        let summary = &self.summary;
        if self.console.json() {
            self.console.answer(&Last { summary }, |_| String::new())?;
        }
        let mut words = format!(
            "{} with {} in {}: {} in {}",
            counted(summary.files, "file", "files"),
            size(summary.bytes),
            took(duration),
            if summary.found == 0 { "nothing found" } else { "something found" },
            counted(summary.found, "file", "files"),
        );
        for (number, what) in [
            (summary.failed, "not scanned"),
            (summary.too_large_for_rules, "too large for rules"),
            (summary.links_passed_over, "links passed over"),
            (summary.others_passed_over, "devices and pipes passed over"),
        ] {
            if number > 0 {
                words.push_str(&format!("; {} {what}", grouped(number)));
            }
        }
        self.console.remark(&words);
        Ok(match (summary.found, summary.failed + summary.rules_refused) {
            (0, 0) => Outcome::Done,
            (0, _) => Outcome::Partly,
            _ => Outcome::No,
        })
    }
}

/// The hashes of a file, its size, and its bytes if there are no more than `keep`.
fn read(path: &Path, keep: u64) -> std::io::Result<(Hashes, u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    walk::same(path, &file)?;
    let (mut md5, mut sha1, mut sha256) = (Md5::new(), Sha1::new(), Sha256::new());
    let mut block = vec![0; BLOCK_BYTES];
    let (mut bytes, mut size) = (Vec::new(), 0u64);
    loop {
        let length = match file.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = block.get(..length).unwrap_or_default();
        size += length as u64;
        md5.update(piece);
        sha1.update(piece);
        sha256.update(piece);
        if size <= keep {
            bytes.extend_from_slice(piece);
        } else {
            bytes = Vec::new();
        }
    }
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hashes =
        Hashes { md5: hex(&md5.finalize()), sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()) };
    Ok((hashes, size, bytes))
}

/// Which hashes of a file are listed.
fn listed<'i>(indicators: &'i Indicators, hashes: &Hashes) -> Vec<Listed<'i>> {
    let mut listed = Vec::new();
    for (kind, text) in [(Kind::Md5, &hashes.md5), (Kind::Sha1, &hashes.sha1), (Kind::Sha256, &hashes.sha256)]
    {
        let Ok(value) = Value::new(kind, text) else { continue };
        for number in indicators.watchlist.indicators_of(&value) {
            listed.push(Listed { kind: kind.as_str(), indicator: indicators.named(number) });
        }
    }
    listed
}

/// What was found in a file, for people: a line for each thing.
fn told(line: &FileLine<'_>, hashes: &Hashes) -> String {
    let file = shown(&line.file);
    let mut lines = Vec::new();
    for found in &line.rules {
        let mut text = format!("{file}: rule {}", shown(&found.rule));
        if let Some(description) = &found.description {
            text.push_str(&format!(", {}", shown(description)));
        }
        text.push_str(&format!(" ({})", shown(&found.place)));
        for (name, offset) in found.strings.iter().take(STRINGS_SHOWN) {
            text.push_str(&format!(" {}@{offset}", shown(name)));
        }
        lines.push(text);
    }
    for listed in &line.listed {
        let indicator = &listed.indicator;
        let name = indicator.name.or(indicator.id).unwrap_or(indicator.file);
        lines.push(format!("{file}: {} is listed: {}", listed.kind, shown(name)));
    }
    lines.push(format!("{file}: sha256 {}", hashes.sha256));
    lines.join("\n")
}

/// On one line and harmless to a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn first_line(text: &str) -> String {
    shown(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_whole_and_kept_only_if_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let (hashes, size, bytes) = read(&path, 3).unwrap();
        assert_eq!((size, bytes.as_slice()), (3, &b"abc"[..]));
        // RFC 1321 A.5; FIPS 180-4's example of one block.
        assert_eq!(hashes.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hashes.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hashes.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(read(&path, 2).unwrap().2, b"");
    }
}
