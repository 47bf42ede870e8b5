//! `restore`: brings a copy back.

use std::path::PathBuf;

use clap::Args;
use shieldwall_ledger::backup::restore;

use crate::commands::backup::{Copied, fault};
use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// Bring a copy back.
///
/// Every file is compared with the manifest first; nothing is written when one is not what it should be.
#[derive(Debug, Args)]
#[command(after_help = "\
The hub that starts on it signs under a new identity, for a backup holds no secret key. Where the old hub.key was kept, \
put it beside the restored data before the first start.

Example:
  shieldwall restore --from /backup/monday --to /var/lib/shieldwall-2")]
pub(crate) struct RestoreArgs {
    /// The directory the copy was made in
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The data directory to make; it must not exist yet, or be empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A copy that is damaged, or a place that cannot be written.
pub(crate) fn run(args: &RestoreArgs, console: &Console) -> Result<Outcome, Fault> {
    let gauge = console.bytes("restoring", Some(0));
    let manifest = restore(&args.from, &args.to, &mut |done, total| gauge.set_of(done, total))
        .map_err(|error| fault(&error))?;
    drop(gauge);
    console.answer(&Copied::of(&manifest, &args.to), Copied::told)?;
    Ok(Outcome::Done)
}
