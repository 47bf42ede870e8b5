//! `verify`: proves the record offline.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shieldwall_ledger::verify::{KeySource, Problem, VerifyReport, verify};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped};
use crate::intake::input::Input;
use crate::offline::DataOptions;

/// Prove the record: recompute every hash, tree and signature, offline.
///
/// Reads only, and works beside a running hub: what is checked is the state as of its start.
#[derive(Debug, Args)]
#[command(after_help = "\
A checkpoint is a signed promise of a log's size and root, as the hub gives it at /api/v1/ledger/GROUP/checkpoint. One \
kept elsewhere proves with --against that nothing before it was rewritten since.

Exit status: 0 sound, 1 something is wrong (each thing is named), 3 nothing could be checked.

Examples:
  shieldwall verify --data /var/lib/shieldwall
  shieldwall verify --data /var/lib/shieldwall --against last-month.checkpoint --json")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    data: DataOptions,
    /// Checkpoints kept elsewhere, one a file, that must still hold
    #[arg(long, num_args = 1.., value_name = "FILE")]
    against: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Found {
    sound: bool,
    entries: u64,
    checkpoints: u64,
    key: &'static str,
    origin: Option<String>,
    logs: Vec<Log>,
    problems: Vec<Wrong>,
    more_problems: u64,
}

#[derive(Debug, Serialize)]
struct Log {
    group: String,
    size: u64,
    root: String,
    checkpoints: u64,
    redacted: u64,
}

#[derive(Debug, Serialize)]
struct Wrong {
    code: &'static str,
    group: Option<String>,
    sequence: Option<u64>,
    what: String,
}

/// Runs the command.
///
/// # Errors
/// Nothing there to check, or a checkpoint file that cannot be read.
pub(crate) fn run(args: &VerifyArgs, console: &Console) -> Result<Outcome, Fault> {
    args.data.there()?;
    let against = args.against.iter().map(|path| checkpoint(path)).collect::<Result<Vec<_>, _>>()?;
    let gauge = console.count("verifying", Some(0));
    let report =
        verify(&args.data.data, &args.data.realm, &against, &mut |done, total| gauge.set_of(done, total))
            .map_err(|error| Fault::failed(error.code(), &error))?;
    drop(gauge);
    let found = found(report);
    console.answer(&found, told)?;
    Ok(Outcome::of(found.sound))
}

fn checkpoint(path: &std::path::Path) -> Result<String, Fault> {
    let bytes = Input::open(path)?.whole()?;
    String::from_utf8(bytes).map_err(|_| {
        Fault::usage("cli.verify.checkpoint", format!("{} is no checkpoint: it is not text", path.display()))
    })
}

fn found(report: VerifyReport) -> Found {
    let wrong = |Problem { group, sequence, kind, what }| Wrong {
        code: kind.code(),
        group: group.map(|group| group.to_string()),
        sequence,
        what,
    };
    Found {
        sound: report.is_sound(),
        entries: report.entries,
        checkpoints: report.checkpoints,
        key: match report.key {
            KeySource::File => "hub.key",
            KeySource::Ledger => "ledger",
        },
        origin: report.identity.map(|identity| identity.origin),
        logs: report
            .logs
            .into_iter()
            .map(|log| Log {
                group: log.group.to_string(),
                size: log.size,
                root: log.root,
                checkpoints: log.checkpoints,
                redacted: log.redacted,
            })
            .collect(),
        problems: report.problems.into_iter().map(wrong).collect(),
        more_problems: report.more_problems,
    }
}

fn told(found: &Found) -> String {
    let mut text = String::new();
    for Wrong { code, group, sequence, what } in &found.problems {
        let place = match (group, sequence) {
            (Some(group), Some(sequence)) => format!("{group} entry {sequence}: "),
            (Some(group), None) => format!("{group}: "),
            (None, _) => String::new(),
        };
        text.push_str(&format!("{place}{what} [{code}]\n"));
    }
    if found.more_problems > 0 {
        text.push_str(&format!("{} more\n", grouped(found.more_problems)));
    }
    for Log { group, size, root, .. } in &found.logs {
        text.push_str(&format!("{group}  {:>12}  {root}\n", grouped(*size)));
    }
    let verdict = if found.sound { "sound" } else { "NOT SOUND" };
    text.push_str(&format!(
        "{verdict}: {} in {}, {}",
        counted(found.entries, "entry", "entries"),
        counted(found.logs.len() as u64, "log", "logs"),
        counted(found.checkpoints, "signed checkpoint", "signed checkpoints"),
    ));
    if found.key == "ledger" {
        text.push_str("; signatures were checked with the keys named in the ledger itself, for there is no hub.key beside it");
    }
    text
}
