//! `decode-evtx`, hidden: the child process that reads a Windows event log for its parent.

use std::io::{self, BufWriter};
use std::path::PathBuf;

use clap::Args;
use shieldwall_sensor::evtx;

use crate::fault::{Fault, Outcome};

/// Write the events of a Windows event log as lines of JSON; the program calls itself by this.
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "\
Example:
  shieldwall decode-evtx Security.evtx"
)]
pub(crate) struct EvtxArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, or an output that is closed.
pub(crate) fn run(args: &EvtxArgs) -> Result<Outcome, Fault> {
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let done = evtx::decode(&args.file, &mut out).map_err(|error| {
        let message = format!("{} cannot be read as an event log: {error}", args.file.display());
        Fault::usage("cli.evtx", message)
    })?;
    if done.broken > 0 {
        tracing::warn!(records = done.broken, "records of an event log cannot be read");
    }
    Ok(Outcome::Done)
}
