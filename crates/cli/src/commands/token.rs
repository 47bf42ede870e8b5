//! `token`: API tokens, made, listed and revoked beside the data, whether or not the hub runs.

use clap::{Args, Subcommand};
use serde::Serialize;
use shieldwall_hub::api::tokens::mint;
use shieldwall_ledger::accounts::{Offline, Token};
use shieldwall_model::access::Role;
use shieldwall_model::directory::Directory;
use shieldwall_model::id::TokenId;
use shieldwall_model::limits::{NAME_BYTES_MAX, TOKEN_DAYS_DEFAULT, TOKEN_DAYS_MAX};
use shieldwall_model::time::Timestamp;

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::offline::{DataOptions, KindOption, account_fault, all_tokens, joining, member};

/// Make, list and revoke API tokens, offline beside the data.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// What to do
    #[command(subcommand)]
    command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Make a token and print it, alone; it is not shown again.
///
/// Works whether or not the hub runs. A member that is not in the alliance yet joins when its token is first used.
#[derive(Debug, Args)]
#[command(after_help = "\
A member is named by its id, its name or its country's code. A name that is not known yet makes a new member: a nation, \
or what --kind says.

Examples:
  TOKEN=$(shieldwall token create --data /var/lib/shieldwall --member LU --role analyst)
  shieldwall token create --data DIR --member \"The Grid\" --kind company --role sensor --label edge-1")]
struct CreateArgs {
    #[command(flatten)]
    data: DataOptions,
    /// The member the token acts for: id, name or country code
    #[arg(long, value_name = "MEMBER")]
    member: String,
    /// What the token may do: analyst, auditor, delegate, observer, officer, operator, peer or sensor
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// What the token is for, as lists show it
    #[arg(long, value_name = "LABEL", default_value = "made on the command line")]
    label: String,
    /// How many days it lasts
    #[arg(long, value_name = "N", default_value_t = TOKEN_DAYS_DEFAULT, value_parser = clap::value_parser!(i64).range(1..=TOKEN_DAYS_MAX))]
    days: i64,
    /// What kind of participant a new member is
    #[arg(long, value_name = "KIND")]
    kind: Option<KindOption>,
}

/// List the tokens, newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall token list --data /var/lib/shieldwall --json")]
struct ListArgs {
    #[command(flatten)]
    data: DataOptions,
}

/// Revoke a token, at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall token revoke --data /var/lib/shieldwall token--0193…")]
struct RevokeArgs {
    #[command(flatten)]
    data: DataOptions,
    /// The token's id, as `token list` shows it
    #[arg(value_name = "ID")]
    id: TokenId,
}

/// A token just made.
#[derive(Debug, Serialize)]
struct Made {
    token: String,
    id: TokenId,
    member: String,
    member_name: String,
    role: Role,
    expires: Timestamp,
}

/// A token as listed.
#[derive(Debug, Serialize)]
struct Listed {
    id: TokenId,
    label: String,
    member: String,
    member_name: Option<String>,
    role: Role,
    created: Timestamp,
    expires: Timestamp,
    revoked: Option<Timestamp>,
    last_used: Option<Timestamp>,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct List {
    tokens: Vec<Listed>,
}

/// Runs the command.
///
/// # Errors
/// Data that cannot be used, or what no token can be made of.
pub(crate) fn run(args: TokenArgs, console: &Console) -> Result<Outcome, Fault> {
    match args.command {
        TokenCommand::Create(args) => create(&args, console),
        TokenCommand::List(args) => list(&args, console),
        TokenCommand::Revoke(args) => revoke(&args, console),
    }
}

fn create(args: &CreateArgs, console: &Console) -> Result<Outcome, Fault> {
    let label = args.label.trim();
    if label.is_empty() || label.len() > NAME_BYTES_MAX || label.chars().any(char::is_control) {
        let message = format!("a label has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(Fault::usage("cli.token.label", message));
    }
    let accounts = args.data.accounts()?;
    let directory = args.data.directory()?;
    let member = member(&args.member, args.kind, &directory, &all_tokens(&accounts)?, console)?;
    let now = console.clock.now();
    let minted = mint(&member, &directory, args.role, label, args.days, now, &*console.entropy)
        .map_err(|error| Fault::failed(error.code(), &error))?;
    accounts.add_token(&Offline, &minted.record).map_err(|error| account_fault(&error))?;
    let made = Made {
        token: minted.text,
        id: minted.record.id,
        member: member.id.to_string(),
        member_name: member.name,
        role: args.role,
        expires: minted.record.expires,
    };
    console.answer(&made, |made| made.token.clone())?;
    Ok(Outcome::Done)
}

fn list(args: &ListArgs, console: &Console) -> Result<Outcome, Fault> {
    let tokens = all_tokens(&args.data.accounts_there()?)?;
    let directory = args.data.directory()?;
    let now = console.clock.now();
    let list = List { tokens: tokens.iter().map(|token| listed(token, &directory, now)).collect() };
    console.answer(&list, table)?;
    Ok(Outcome::Done)
}

fn listed(token: &Token, directory: &Directory, now: Timestamp) -> Listed {
    let known = directory.member(token.member).cloned().or_else(|| joining(token));
    let state = match token {
        token if token.revoked.is_some() => "revoked",
        token if token.expires <= now => "expired",
        _ => "active",
    };
    Listed {
        id: token.id,
        label: token.label.clone(),
        member: token.member.to_string(),
        member_name: known.map(|member| member.name),
        role: token.role,
        created: token.created,
        expires: token.expires,
        revoked: token.revoked,
        last_used: token.last_used,
        state,
    }
}

fn table(list: &List) -> String {
    if list.tokens.is_empty() {
        return "There are no tokens; `shieldwall token create` makes one.".into();
    }
    let rows = list.tokens.iter().map(|token| {
        let day = |time: Timestamp| time.to_string().chars().take(10).collect::<String>();
        let (member, used) =
            (token.member_name.as_deref().unwrap_or("?"), token.last_used.map_or("never".into(), day));
        let Listed { id, role, state, expires, label, .. } = token;
        format!("{id}  {role:<9} {state:<8} until {}  used {used:<10}  {member}: {label}", day(*expires))
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn revoke(args: &RevokeArgs, console: &Console) -> Result<Outcome, Fault> {
    let accounts = args.data.accounts_there()?;
    accounts.revoke_token(&Offline, args.id, console.clock.now()).map_err(|error| account_fault(&error))?;
    #[derive(Serialize)]
    struct Revoked {
        revoked: TokenId,
    }
    console
        .answer(&Revoked { revoked: args.id }, |revoked| format!("{} no longer counts", revoked.revoked))?;
    Ok(Outcome::Done)
}
