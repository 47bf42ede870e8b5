//! The commands, one file each: its options and help, and what it does.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod dump;
pub(crate) mod evtx;
pub(crate) mod export;
pub(crate) mod feed;
pub(crate) mod generate;
pub(crate) mod hub;
pub(crate) mod hunt;
pub(crate) mod link;
pub(crate) mod mapping;
pub(crate) mod matching;
pub(crate) mod member;
pub(crate) mod pattern;
pub(crate) mod peer;
pub(crate) mod rebuild;
pub(crate) mod restore;
pub(crate) mod scan;
pub(crate) mod search;
pub(crate) mod sensor;
pub(crate) mod sigma;
pub(crate) mod source;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod verify;

use std::sync::Arc;

use crate::console::Console;
use crate::demo::{self, DemoArgs, DemoError, How};
use crate::fault::{Fault, Outcome};
use crate::options::Command;

/// Does what was asked.
///
/// # Errors
/// Why it could not.
pub(crate) fn run(command: Command, console: &Console) -> Result<Outcome, Fault> {
    match command {
        Command::Backup(args) => backup::run(&args, console),
        Command::Bench(args) => bench::run(args, console),
        Command::Completions(args) => completions::run(&args, console),
        Command::Demo(args) => show(args, console),
        Command::Dump(args) => dump::run(&args, console),
        Command::Feed(args) => feed::run(args, console),
        Command::Generate(args) => generate::run(&args, console),
        Command::Hub(args) => hub::run(args, console),
        Command::Hunt(args) => hunt::run(&args, console),
        Command::Link(args) => link::run(&args, console),
        Command::DecodeEvtx(args) => evtx::run(&args),
        Command::Mapping(args) => mapping::run(&args, console),
        Command::Match(args) => matching::run(&args, console),
        Command::Member(args) => member::run(&args, console),
        Command::Pattern(args) => pattern::run(args, console),
        Command::Peer(args) => peer::run(args, console),
        Command::Rebuild(args) => rebuild::run(args, console),
        Command::Restore(args) => restore::run(&args, console),
        Command::Scan(args) => scan::run(&args, console),
        Command::Search(args) => search::run(&args, console),
        Command::Sensor(args) => sensor::run(args, console),
        Command::Sigma(args) => sigma::run(&args, console),
        Command::Token(args) => token::run(args, console),
        Command::User(args) => user::run(args, console),
        Command::Verify(args) => verify::run(&args, console),
    }
}

fn show(args: DemoArgs, console: &Console) -> Result<Outcome, Fault> {
    let how = How {
        json: console.json(),
        progress: console.progress(),
        clock: Arc::clone(&console.clock),
        entropy: Arc::clone(&console.entropy),
    };
    let fault = |error| match error {
        DemoError::Output(error) => Fault::output(error),
        error if error.is_usage() => Fault::wrong(error.code(), &error),
        error => Fault::failed(error.code(), &error),
    };
    console.wait_for(async { demo::run(args, how).await.map(Outcome::of).map_err(fault) })
}
