//! What can be asked of the program: its commands, and the options all of them share.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    backup, bench, completions, dump, evtx, feed, generate, hub, hunt, link, mapping, matching, member,
    pattern, peer, rebuild, restore, scan, search, sensor, sigma, token, user, verify,
};
use crate::demo;

/// An attack on one is answered by all.
///
/// Shieldwall is the software an alliance runs to defend itself together: its members share what they know about
/// attacks, each matches it against its own telemetry, and whoever is hit warns everyone else in under a second.
#[derive(Debug, Parser)]
#[command(
    name = "shieldwall",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    infer_subcommands = false,
    max_term_width = 100,
    after_help = "\
Examples:
  shieldwall demo
  shieldwall hub --data /var/lib/shieldwall
  shieldwall match --indicators bundle.json values.csv --events eve.json

Exit status:
  0  done
  1  done, and the answer is no (a proof failed, an object was refused, the loop stayed open)
  2  the command or its input is wrong
  3  something it needs is missing or does not work (a file, the network, the hub)

`shieldwall COMMAND --help` says more on each command."
)]
pub(crate) struct Options {
    /// What all commands share.
    #[command(flatten)]
    pub(crate) common: Common,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands share.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Answer in JSON: one document, or one object a line where there are many; errors as JSON on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to log to standard error: error, warn, info, debug, trace, or as in RUST_LOG
    #[arg(long, global = true, value_name = "LEVEL", env = "SHIELDWALL_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,
    /// How to write the log
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub(crate) log_format: LogFormat,
    /// Draw no progress bars (none are drawn anyway where standard error is no terminal)
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Hub(hub::HubArgs),
    Sensor(sensor::SensorArgs),
    Match(matching::MatchArgs),
    Mapping(mapping::MappingArgs),
    #[command(name = shieldwall_sensor::evtx::COMMAND)]
    DecodeEvtx(evtx::EvtxArgs),
    Pattern(pattern::PatternArgs),
    Sigma(sigma::SigmaArgs),
    Scan(scan::ScanArgs),
    Search(search::SearchArgs),
    Hunt(hunt::HuntArgs),
    Feed(feed::FeedArgs),
    Peer(peer::PeerArgs),
    Token(token::TokenArgs),
    User(user::UserArgs),
    Member(member::MemberArgs),
    Link(link::LinkArgs),
    Verify(verify::VerifyArgs),
    Rebuild(rebuild::RebuildArgs),
    Dump(dump::DumpArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Generate(generate::GenerateArgs),
    Bench(bench::BenchArgs),
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// Whether the command runs until it is stopped, so that its log is wanted unasked.
    pub(crate) const fn serves(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::Sensor(_))
    }
}

pub(crate) mod logging {
    //! Structured logs to standard error.

    use std::io;

    use tracing_subscriber::EnvFilter;

    use super::{Common, LogFormat};
    use crate::fault::Fault;

    /// Starts the log: at the level asked for, else `info` for what runs on and `error` for the rest.
    ///
    /// # Errors
    /// `cli.log` when the level cannot be read.
    pub(crate) fn start(common: &Common, serves: bool) -> Result<(), Fault> {
        let level = common.log.as_deref().unwrap_or(if serves { "info" } else { "error" });
        let filter = EnvFilter::try_new(level).map_err(|error| {
            let message = format!("--log {level:?} is no level: write error, warn, info, debug or trace");
            Fault::usage("cli.log", message).because(error)
        })?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(true);
        match common.log_format {
            LogFormat::Text => log.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself_with_an_example() {
        fn check(command: &clap::Command, path: &str) {
            assert!(command.get_about().is_some(), "{path} says nothing about itself");
            if command.has_subcommands() {
                command
                    .get_subcommands()
                    .for_each(|below| check(below, &format!("{path} {}", below.get_name())));
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example") && help.contains(path), "{path} has no example: {help}");
            }
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
        }
        check(&Options::command(), "shieldwall");
    }
}
