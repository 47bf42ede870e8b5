//! One binary for every job of the alliance: arguments in, answers, progress and exit status out.
//!
//! [`options`] says what can be asked, each command has one file under [`commands`], and what none of them could do
//! comes back as a [`fault::Fault`].

mod client;
mod commands;
mod console;
mod countries;
mod demo;
mod fault;
mod figures;
mod intake;
mod offline;
mod options;
mod telemetry;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use console::Console;
use fault::Fault;
use options::{Options, logging};

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return refused(&error),
    };
    let json = options.common.json;
    let console = Console::new(json, !options.common.no_progress);
    let done = logging::start(&options.common, options.command.serves())
        .and_then(|()| commands::run(options.command, &console));
    match done {
        Ok(outcome) => ExitCode::from(outcome.status()),
        Err(fault) => {
            if let Some(report) = fault.report(json) {
                // Nobody to tell is no reason for another error.
                let _ = writeln!(std::io::stderr().lock(), "{report}");
            }
            ExitCode::from(fault.status())
        }
    }
}

/// Help, the version, or what is wrong with the arguments.
fn refused(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !json {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let words = error.render().to_string();
    let message = words.trim().trim_start_matches("error: ");
    let fault = Fault::usage("cli.usage", message);
    let _ = writeln!(std::io::stderr().lock(), "{}", fault.report(true).unwrap_or_default());
    ExitCode::from(fault.status())
}
