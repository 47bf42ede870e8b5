//! `user`: the people who sign in, made and listed beside the data.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use shieldwall_hub::api::users::canonical;
use shieldwall_hub::auth::password;
use shieldwall_ledger::accounts::{Offline, User};
use shieldwall_model::access::Role;
use shieldwall_model::id::UserId;
use shieldwall_model::limits::NAME_BYTES_MAX;
use shieldwall_model::time::Timestamp;

use crate::commands::link::one_time_link;
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::intake::input::Input;
use crate::offline::{DataOptions, account_fault};

/// Make and list the people who sign in, offline beside the data.
#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// What to do
    #[command(subcommand)]
    command: UserCommand,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
enum UserCommand {
    Create(CreateArgs),
    List(ListArgs),
}

/// Make an account, and print a one-time link that signs its owner in.
#[derive(Debug, Args)]
#[command(after_help = "\
The member must be in the alliance already. With --password-file the account gets that password, and no link is made.

Examples:
  shieldwall user create --data DIR --name anna --member LU --role analyst \\
      --url https://wall.example
  pass show wall | shieldwall user create --data DIR --name ben --member LU --role officer \\
      --password-file -")]
struct CreateArgs {
    #[command(flatten)]
    data: DataOptions,
    /// The name to sign in with
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The member to act for: id, name or country code
    #[arg(long, value_name = "MEMBER")]
    member: String,
    /// The role: analyst, auditor, delegate, observer, officer or operator
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// A file whose first line is the password; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The hub's address as people reach it, for the link
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    url: String,
}

/// List the accounts.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall user list --data /var/lib/shieldwall")]
struct ListArgs {
    #[command(flatten)]
    data: DataOptions,
}

#[derive(Debug, Serialize)]
struct Made {
    id: UserId,
    name: String,
    link: Option<String>,
}

#[derive(Debug, Serialize)]
struct Listed {
    id: UserId,
    name: String,
    member: String,
    member_name: Option<String>,
    role: Role,
    created: Timestamp,
    disabled: Option<Timestamp>,
    has_password: bool,
}

#[derive(Debug, Serialize)]
struct List {
    users: Vec<Listed>,
}

/// Runs the command.
///
/// # Errors
/// Data that cannot be used, or what no account can be made of.
pub(crate) fn run(args: UserArgs, console: &Console) -> Result<Outcome, Fault> {
    match args.command {
        UserCommand::Create(args) => create(&args, console),
        UserCommand::List(args) => list(&args, console),
    }
}

fn create(args: &CreateArgs, console: &Console) -> Result<Outcome, Fault> {
    let name = canonical(&args.name);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(Fault::usage("cli.user.name", message));
    }
    if matches!(args.role, Role::Sensor | Role::Peer) {
        let message = "a sensor or a peer has an API token, not an account: use `shieldwall token create`";
        return Err(Fault::usage("cli.user.role", message));
    }
    let accounts = args.data.accounts_there()?;
    let directory = args.data.directory()?;
    let Some(member) = directory.find_member(&args.member) else {
        let message = format!(
            "{:?} names no single member of the alliance: see `shieldwall member list`; a new member joins by its first \
             token or on the hub's pages",
            args.member
        );
        return Err(Fault::usage("cli.user.member", message));
    };
    let password = args.password_file.as_ref().map(|path| hashed(path, &name, console)).transpose()?;
    let with_password = password.is_some();
    let (now, role) = (console.clock.now(), args.role);
    let id = UserId::new(now, &*console.entropy);
    let user =
        User { id, member: member.id, name: name.clone(), role, password, created: now, disabled: None };
    accounts.add_user(&Offline, &user).map_err(|error| account_fault(&error))?;
    let link = if with_password { None } else { Some(one_time_link(&accounts, id, &args.url, console)?) };
    console.answer(&Made { id, name, link }, |made| match &made.link {
        Some(link) => link.clone(),
        None => made.id.to_string(),
    })?;
    Ok(Outcome::Done)
}

/// The password in the first line of a file, checked and hashed.
fn hashed(path: &std::path::Path, name: &str, console: &Console) -> Result<String, Fault> {
    let bytes = Input::open(path)?.whole()?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Fault::usage("cli.user.password", "the password is not UTF-8"))?;
    let line = text.lines().next().unwrap_or_default();
    password::check(line, name).map_err(|problem| Fault::usage("cli.user.password", problem.to_string()))?;
    password::hash(line, &*console.entropy)
        .map_err(|problem| Fault::environment("cli.user.hash", problem.to_string()))
}

fn list(args: &ListArgs, console: &Console) -> Result<Outcome, Fault> {
    let accounts = args.data.accounts_there()?;
    let directory = args.data.directory()?;
    let mut users: Vec<Listed> = Vec::new();
    loop {
        let after = users.last().map(|user| user.name.clone());
        let page = accounts.users(&Offline, after.as_deref()).map_err(|error| account_fault(&error))?;
        if page.is_empty() {
            break;
        }
        users.extend(page.into_iter().map(|user| Listed {
            id: user.id,
            member: user.member.to_string(),
            member_name: directory.member(user.member).map(|member| member.name.clone()),
            role: user.role,
            created: user.created,
            disabled: user.disabled,
            has_password: user.password.is_some(),
            name: user.name,
        }));
    }
    console.answer(&List { users }, table)?;
    Ok(Outcome::Done)
}

fn table(list: &List) -> String {
    if list.users.is_empty() {
        return "Nobody has an account yet: open the hub's first-run link, or use `shieldwall user create`."
            .into();
    }
    let rows = list.users.iter().map(|user| {
        let state = if user.disabled.is_some() { "disabled" } else { "active" };
        let Listed { name, role, id, .. } = user;
        format!("{name:<20} {role:<9} {state:<8} {:<24} {id}", user.member_name.as_deref().unwrap_or("?"))
    });
    rows.collect::<Vec<_>>().join("\n")
}
