//! `link`: makes a one-time link that signs a person in.

use clap::Args;
use serde::Serialize;
use shieldwall_hub::api::users::canonical;
use shieldwall_hub::secrets;
use shieldwall_ledger::accounts::{Accounts, LinkPurpose, Offline};
use shieldwall_model::id::UserId;
use shieldwall_model::limits::LINK_SECONDS_MAX;
use shieldwall_model::time::Timestamp;

use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::offline::{DataOptions, account_fault};

/// Make a one-time link that signs a person in, and print it, alone.
///
/// For who has lost a password, and for the first sign-in. Whoever opens the link first is signed in; it lasts a day.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  shieldwall link --data /var/lib/shieldwall --user anna --url https://wall.example")]
pub(crate) struct LinkArgs {
    #[command(flatten)]
    data: DataOptions,
    /// The name the person signs in with
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The hub's address as people reach it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8787")]
    url: String,
}

#[derive(Debug, Serialize)]
struct Made {
    link: String,
    user: UserId,
    expires: Timestamp,
}

/// Runs the command.
///
/// # Errors
/// Data that cannot be used, or nobody of that name.
pub(crate) fn run(args: &LinkArgs, console: &Console) -> Result<Outcome, Fault> {
    let accounts = args.data.accounts_there()?;
    let user = accounts.user_by_name(&canonical(&args.user)).map_err(|error| account_fault(&error))?;
    let Some(user) = user.filter(|user| user.disabled.is_none()) else {
        let message = format!("nobody signs in as {:?}: `shieldwall user list` shows who does", args.user);
        return Err(Fault::usage("cli.link.user", message));
    };
    let expires = console.clock.now().plus_seconds(LINK_SECONDS_MAX);
    let link = one_time_link(&accounts, user.id, &args.url, console)?;
    console.answer(&Made { link, user: user.id, expires }, |made| made.link.clone())?;
    Ok(Outcome::Done)
}

/// Makes and keeps a link that signs `user` in once, on the hub at `url`.
///
/// # Errors
/// No randomness, or accounts that cannot be written.
pub(crate) fn one_time_link(
    accounts: &Accounts,
    user: UserId,
    url: &str,
    console: &Console,
) -> Result<String, Fault> {
    let secret = secrets::make("", &*console.entropy).map_err(|error| Fault::failed(error.code(), &error))?;
    let now = console.clock.now();
    accounts
        .add_link(&Offline, &secret.hash, LinkPurpose::SignIn(user), now, now.plus_seconds(LINK_SECONDS_MAX))
        .map_err(|error| account_fault(&error))?;
    Ok(format!("{}/sign-in/link/{}", url.trim_end_matches('/'), secret.text))
}
