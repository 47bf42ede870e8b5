//! `member list`: who is in the alliance, read beside the data.

use clap::{Args, Subcommand};
use serde::Serialize;
use shieldwall_model::id::MemberId;

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::offline::{DataOptions, kind_word};

/// List the members of the alliance, offline beside the data.
#[derive(Debug, Args)]
pub(crate) struct MemberArgs {
    /// What to do
    #[command(subcommand)]
    command: MemberCommand,
}

/// What to do with members.
#[derive(Debug, Subcommand)]
enum MemberCommand {
    List(ListArgs),
}

/// List the members of the alliance.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall member list --data /var/lib/shieldwall --json")]
struct ListArgs {
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Debug, Serialize)]
struct Listed {
    id: MemberId,
    name: String,
    kind: &'static str,
    country: Option<String>,
    sectors: Vec<String>,
}

#[derive(Debug, Serialize)]
struct List {
    members: Vec<Listed>,
}

/// Runs the command.
///
/// # Errors
/// Data that cannot be read.
pub(crate) fn run(args: &MemberArgs, console: &Console) -> Result<Outcome, Fault> {
    let MemberCommand::List(args) = &args.command;
    args.data.there()?;
    let directory = args.data.directory()?;
    let mut members: Vec<Listed> = directory
        .members()
        .map(|member| Listed {
            id: member.id,
            name: member.name.clone(),
            kind: kind_word(member.kind),
            country: member.country.clone(),
            sectors: member.sectors.clone(),
        })
        .collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    console.answer(&List { members }, table)?;
    Ok(Outcome::Done)
}

fn table(list: &List) -> String {
    if list.members.is_empty() {
        return "No member has joined yet.".into();
    }
    let rows = list.members.iter().map(|member| {
        let Listed { id, name, kind, country, sectors } = member;
        let country = country.as_deref().unwrap_or("--");
        format!("{country:<2}  {name:<28} {kind:<12} {id}  {}", sectors.join(", ")).trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}
