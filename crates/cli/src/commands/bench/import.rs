//! `bench import`: files in over HTTP and every page out again, with a hub of its own on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use shieldwall_hub::api::tokens::mint;
use shieldwall_hub::{Config, Hub, Running};
use shieldwall_ledger::accounts::{Accounts, Offline};
use shieldwall_model::access::Role;
use shieldwall_model::directory::Directory;
use shieldwall_model::id::GroupId;
use tempfile::TempDir;

use super::pages::{self, Read};
use crate::client::{Client, HubOptions};
use crate::commands::feed::{Refusal, Tally, Told, import};
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{grouped, per_second, rate};
use crate::intake::input::Input;
use crate::offline::{account_fault, member};

/// Share files with a hub of its own, and read every page back.
#[derive(Debug, Args)]
#[command(after_help = "\
The hub runs in this program, in a temporary directory, on a free port of this machine; files go in as `feed import` \
sends them, and come out over TAXII.

Exit status 1 unless everything was taken and came back exactly once.

Example:
  shieldwall bench import enterprise-attack.json amnesty-*.json")]
pub(crate) struct BenchImportArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Objects a page, at most 1000
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Figures {
    #[serde(rename = "in")]
    shared: In,
    #[serde(rename = "out")]
    read: Read,
    /// Everything was taken, and came back exactly once.
    whole: bool,
    refused: Vec<Refusal>,
}

#[derive(Debug, Default, Serialize)]
struct In {
    objects: u64,
    accepted: u64,
    repeated: u64,
    refused: u64,
    seconds: f64,
    objects_per_second: f64,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read, or a hub that does not start.
pub(crate) fn run(args: BenchImportArgs, console: &Console) -> Result<Outcome, Fault> {
    let dir = temporary()?;
    let token = token(dir.path(), console)?;
    let figures = console.wait_for(measure(&args, &dir, token, console))?;
    console.answer(&figures, told)?;
    Ok(Outcome::of(figures.whole))
}

/// A directory that goes with the value.
pub(super) fn temporary() -> Result<TempDir, Fault> {
    TempDir::new().map_err(|error| {
        Fault::environment("cli.bench.dir", "no temporary directory could be made; is TMPDIR full?")
            .because(error)
    })
}

/// A token for a member that joins with it.
pub(super) fn token(dir: &Path, console: &Console) -> Result<String, Fault> {
    let directory = Directory::default();
    let member = member("LU", None, &directory, &[], console)?;
    let minted = mint(&member, &directory, Role::Analyst, "bench", 1, console.clock.now(), &*console.entropy)
        .map_err(|error| Fault::failed(error.code(), &error))?;
    let accounts = Accounts::open(dir).map_err(|error| account_fault(&error))?;
    accounts.add_token(&Offline, &minted.record).map_err(|error| account_fault(&error))?;
    Ok(minted.text)
}

/// A hub of its own, on a free port of this machine.
pub(super) async fn start(dir: &TempDir, console: &Console) -> Result<Running, Fault> {
    let mut config = Config::new(dir.path());
    config.listen.set_port(0);
    Hub::start(config, Arc::clone(&console.clock), Arc::clone(&console.entropy))
        .await
        .map_err(|error| Fault::failed(error.code(), &error))
}

async fn measure(
    args: &BenchImportArgs,
    dir: &TempDir,
    token: String,
    console: &Console,
) -> Result<Figures, Fault> {
    let hub = start(dir, console).await?;
    let client =
        Client::new(&HubOptions { hub: hub.url(), token: Some(token), token_file: None, ca_file: None })?;
    let (mut shared, mut refused, mut took) = (In::default(), Vec::new(), Duration::ZERO);
    for path in &args.files {
        let input = Input::open(path)?;
        let name = input.name.clone();
        let bytes = input.whole()?;
        let gauge = console.count(format!("sharing {name}"), Some(0));
        let start = Instant::now();
        let Tally { objects, accepted, repeated, refused: not_taken, .. } =
            import(&client, &name, &bytes, &Told::default(), &gauge, &mut |refusal| {
                refused.push(refusal);
                Ok(())
            })
            .await?;
        took += start.elapsed();
        shared.objects += objects;
        shared.accepted += accepted;
        shared.repeated += repeated;
        shared.refused += not_taken;
    }
    shared.seconds = took.as_secs_f64();
    shared.objects_per_second = rate(shared.objects, took);
    let gauge = console.count("reading pages", Some(shared.accepted));
    let read = pages::read(&client, GroupId::ALLIANCE, args.limit, &gauge).await?;
    drop(gauge);
    hub.stop().await.map_err(|error| {
        Fault::environment("cli.hub.stop", "the hub did not close in order").because(error)
    })?;
    let whole = shared.refused == 0 && read.each_once() && read.objects == shared.accepted;
    Ok(Figures { shared, read, whole, refused })
}

fn told(figures: &Figures) -> String {
    let In { objects, accepted, repeated, refused, seconds, .. } = figures.shared;
    let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let mut text = String::new();
    for Refusal { file, path, code, reason, .. } in &figures.refused {
        text.push_str(&format!("refused: {file} {path}: {reason} [{code}]\n"));
    }
    text.push_str(&format!(
        "in: {} objects: {} shared, {} repeated, {} refused: {} objects/s\n{}",
        grouped(objects),
        grouped(accepted),
        grouped(repeated),
        grouped(refused),
        per_second(objects, took),
        pages::told(&figures.read),
    ));
    text
}
