//! `completions`: a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::options::Options;

/// Write a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(shieldwall completions bash)
  shieldwall completions fish > ~/.config/fish/completions/shieldwall.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// An output that cannot be written.
pub(crate) fn run(args: &CompletionsArgs, console: &Console) -> Result<Outcome, Fault> {
    let mut script = Vec::new();
    generate(args.shell, &mut Options::command(), "shieldwall", &mut script);
    console.say(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Outcome::Done)
}
