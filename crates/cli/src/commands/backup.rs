//! `backup`: copies the data, whether or not the hub runs.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shieldwall_ledger::backup::{BackupError, Manifest, backup};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, size};
use crate::offline::shown;

/// Copy the data while the hub runs.
///
/// The copy is of one moment. It holds accounts and every realm's record, and no secret key: a hub restored from it
/// signs under a new identity.
#[derive(Debug, Args)]
#[command(after_help = "\
Keep it as safe as the data itself: it holds everything members shared. A manifest in it names every file with its \
SHA-256.

Example:
  shieldwall backup --data /var/lib/shieldwall --to /backup/monday")]
pub(crate) struct BackupArgs {
    /// The hub's data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The directory to make the copy in; it must not exist yet, or be empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// What was copied.
#[derive(Debug, Serialize)]
pub(crate) struct Copied {
    to: String,
    files: u64,
    bytes: u64,
    logs: u64,
    entries: u64,
}

impl Copied {
    /// What the manifest says, and where it is now.
    pub(crate) fn of(manifest: &Manifest, to: &std::path::Path) -> Self {
        Self {
            to: shown(to),
            files: manifest.files.len() as u64,
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            logs: manifest.logs.len() as u64,
            entries: manifest.logs.iter().map(|log| log.size).sum(),
        }
    }

    /// The same for people.
    pub(crate) fn told(&self) -> String {
        format!(
            "{}: {} ({}), {} with {}",
            self.to,
            counted(self.files, "file", "files"),
            size(self.bytes),
            counted(self.logs, "log", "logs"),
            counted(self.entries, "entry", "entries"),
        )
    }
}

/// A directory that was named wrongly, or a machine that failed.
pub(crate) fn fault(error: &BackupError) -> Fault {
    match error {
        BackupError::NotEmpty(_) => Fault::wrong(error.code(), error),
        _ => Fault::failed(error.code(), error),
    }
}

/// Runs the command.
///
/// # Errors
/// Data that cannot be read, or a place that cannot be written.
pub(crate) fn run(args: &BackupArgs, console: &Console) -> Result<Outcome, Fault> {
    let gauge = console.bytes("copying", Some(0));
    let manifest = backup(&args.data, &args.to, &mut |done, total| gauge.set_of(done, total))
        .map_err(|error| fault(&error))?;
    drop(gauge);
    console.answer(&Copied::of(&manifest, &args.to), Copied::told)?;
    Ok(Outcome::Done)
}
