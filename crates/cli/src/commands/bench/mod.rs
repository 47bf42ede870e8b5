//! `bench`: figures measured beside what they are compared with, in one run, so that the machine cancels out.

mod correlation;
mod flow;
mod import;
mod indicators;
mod matching;
mod meter;
mod pages;
mod taxii;
mod wire;

use clap::{Args, Subcommand};

use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// Measure: each figure beside what it is compared with, in one run.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure
    #[command(subcommand)]
    command: BenchCommand,
}

/// What to measure.
#[derive(Debug, Subcommand)]
enum BenchCommand {
    Correlation(correlation::BenchCorrelationArgs),
    Flow(flow::BenchFlowArgs),
    Match(matching::BenchMatchArgs),
    Import(import::BenchImportArgs),
    Pages(pages::BenchPagesArgs),
    Taxii(taxii::BenchTaxiiArgs),
}

/// Runs the command.
///
/// # Errors
/// What keeps it from measuring.
pub(crate) fn run(args: BenchArgs, console: &Console) -> Result<Outcome, Fault> {
    match args.command {
        BenchCommand::Correlation(args) => correlation::run(&args, console),
        BenchCommand::Flow(args) => flow::run(&args, console),
        BenchCommand::Match(args) => matching::run(&args, console),
        BenchCommand::Import(args) => import::run(args, console),
        BenchCommand::Pages(args) => pages::run(&args, console),
        BenchCommand::Taxii(args) => taxii::run(&args, console),
    }
}
