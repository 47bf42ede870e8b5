//! `rebuild`: makes the views anew from the record.

use clap::Args;
use serde::Serialize;
use shieldwall_hub::fold::{HubFold, Published};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::counted;
use crate::offline::DataOptions;

/// Make the views anew from the record.
///
/// Views are what pages, API and sensors read; all of them follow from the logs. Stop the hub first.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall rebuild --data /var/lib/shieldwall")]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Debug, Serialize)]
struct Rebuilt {
    entries: u64,
}

/// Runs the command.
///
/// # Errors
/// Data that cannot be used, or a hub that runs on it.
pub(crate) fn run(args: RebuildArgs, console: &Console) -> Result<Outcome, Fault> {
    args.data.there()?;
    let gauge = console.count("folding", Some(0));
    let fold = Box::new(HubFold::new(Published::default()));
    let entries = shieldwall_ledger::rebuild(args.data.data, args.data.realm, fold, &mut |done, total| {
        gauge.set_of(done, total)
    })
    .map_err(|error| Fault::failed(error.code(), &error))?;
    drop(gauge);
    console.answer(&Rebuilt { entries }, |done| {
        format!("views made from {}", counted(done.entries, "entry", "entries"))
    })?;
    Ok(Outcome::Done)
}
