//! `dump`: writes the views in a form that can be compared.

use std::io::{self, BufWriter, Write};

use clap::Args;
use serde_json::json;
use shieldwall_ledger::dump::{DumpError, dump_views};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::counted;
use crate::offline::DataOptions;

/// Write the views in a form that can be compared.
///
/// The same content gives the same lines, whatever order it was written in. Works beside a running hub.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line is the name of a part and a JSON array. The number of lines and their SHA-256 go to standard error.

Examples:
  shieldwall dump --data /var/lib/shieldwall > before
  shieldwall dump --data /var/lib/shieldwall --digest --json")]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    data: DataOptions,
    /// Print only the number of lines and their SHA-256, on standard output
    #[arg(long)]
    digest: bool,
}

/// Runs the command.
///
/// # Errors
/// Views that cannot be read, or an output that cannot be written.
pub(crate) fn run(args: &DumpArgs, console: &Console) -> Result<Outcome, Fault> {
    args.data.there()?;
    let failed = |error: DumpError| match error {
        DumpError::Write(error) => Fault::output(error),
        other => Fault::failed(other.code(), &other),
    };
    let told = |rows, sha256: &str| format!("{}, SHA-256 {sha256}", counted(rows, "line", "lines"));
    if args.digest {
        let report = dump_views(&args.data.data, &args.data.realm, &mut io::sink()).map_err(failed)?;
        console.answer(&json!({"lines": report.rows, "sha256": report.sha256}), |_| {
            told(report.rows, &report.sha256)
        })?;
        return Ok(Outcome::Done);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let report = dump_views(&args.data.data, &args.data.realm, &mut out).map_err(failed)?;
    out.flush().map_err(Fault::output)?;
    console.remark(&told(report.rows, &report.sha256));
    Ok(Outcome::Done)
}
