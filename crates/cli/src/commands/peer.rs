//! `peer`: other hubs and TAXII servers a hub exchanges with, set up and looked after over its API.

#![allow(clippy::indexing_slicing, reason = "a JSON value indexed by a name it lacks is null, never a panic")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::{Client, HubOptions, small_file};
use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// How often a run is asked about.
const LOOK_MILLISECONDS: u64 = 200;

/// Exchange with other hubs and TAXII servers.
#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    /// What to do
    #[command(subcommand)]
    command: PeerCommand,
}

/// What to do with peers.
#[derive(Debug, Subcommand)]
enum PeerCommand {
    Add(Box<AddArgs>),
    /// List the peers and how exchange with each goes.
    #[command(after_help = "Example:\n  shieldwall peer list --hub https://hub.example --token-file t")]
    List(ListArgs),
    /// Show one peer: its terms, and how exchange with it goes.
    #[command(
        after_help = "Example:\n  shieldwall peer show baltic --hub https://hub.example --token-file t"
    )]
    Show(NamedArgs),
    /// Have a peer rest, or go on.
    #[command(
        after_help = "Example:\n  shieldwall peer pause baltic --hub https://hub.example --token-file t"
    )]
    Pause(PauseArgs),
    /// Run a peer at once, and wait for what comes of it.
    #[command(after_help = "Example:\n  shieldwall peer run baltic --hub https://hub.example --token-file t")]
    Run(NamedArgs),
    /// Remove a peer; what came from it stays.
    #[command(
        after_help = "Example:\n  shieldwall peer remove baltic --hub https://hub.example --token-file t"
    )]
    Remove(NamedArgs),
}

/// Set up a peer.
///
/// Another Shieldwall hub is asked with a token of the role peer, made there. A TAXII server takes a token, or a user and
/// a password. Here the peer acts for a member of its own, admitted for it: it is party to what that member is party to.
#[derive(Debug, Args)]
#[command(after_help = "\
RED and AMBER+STRICT never leave. AMBER leaves a group only when it is named with --amber, and --marking-max is AMBER.
An unmarked object counts for what its group may carry at most.

Examples:
  shieldwall peer add north --hub https://hub.example --token-file t --url https://north.example --secret-file s \\
      --member North --group alliance --direction both
  shieldwall peer add vendor --hub https://hub.example --token-file t --kind taxii --url https://taxii.example/api1/ \\
      --user us --secret-file s --member Vendor --group alliance=91a7b528-80eb-42ed-a74d-c6fbd5a26116 --type indicator")]
struct AddArgs {
    #[command(flatten)]
    hub: HubOptions,
    /// What to call it
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is
    #[arg(long, value_name = "KIND", default_value = "hub")]
    kind: KindOption,
    /// A hub's address, or a TAXII API root's
    #[arg(long, value_name = "URL")]
    url: String,
    /// The user for a password; without one the secret is a token
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// A file that holds the token or password and nothing else
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The member it acts for here: id, name or country code
    #[arg(long, value_name = "MEMBER")]
    member: String,
    /// A group to exchange, as `HERE` or `HERE=THERE`: ids, or `alliance`; may be given several times
    #[arg(long, value_name = "GROUP", default_value = "alliance")]
    group: Vec<String>,
    /// A group whose AMBER leaves for this peer; may be given several times
    #[arg(long, value_name = "GROUP")]
    amber: Vec<String>,
    /// Which way
    #[arg(long, value_name = "DIRECTION", default_value = "pull")]
    direction: DirectionOption,
    /// The strictest marking that leaves: CLEAR, GREEN or AMBER
    #[arg(long, value_name = "MARKING", default_value = "GREEN")]
    marking_max: String,
    /// A type of objects to exchange, such as indicator; all when not told; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Nothing older than so many days
    #[arg(long, value_name = "DAYS")]
    age_days_max: Option<i64>,
    /// How many hubs an object may have been through
    #[arg(long, value_name = "N", default_value_t = 4)]
    hops_max: u8,
    /// How often, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    interval: i64,
}

/// What a peer is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindOption {
    /// Another Shieldwall hub
    Hub,
    /// A TAXII 2.1 server
    Taxii,
}

/// Which way intelligence goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DirectionOption {
    /// From the peer
    Pull,
    /// To the peer
    Push,
    /// Either way
    Both,
}

/// List the peers and how exchange with each goes.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    hub: HubOptions,
}

/// Do something with one peer: show it, run it at once, or remove it (what came from it stays).
#[derive(Debug, Args)]
struct NamedArgs {
    #[command(flatten)]
    hub: HubOptions,
    /// Its name or id
    #[arg(value_name = "PEER")]
    peer: String,
}

/// Have a peer rest, or go on.
#[derive(Debug, Args)]
struct PauseArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Go on again
    #[arg(long)]
    resume: bool,
}

/// Runs the command.
///
/// # Errors
/// What the hub refuses, or that it cannot be reached.
pub(crate) fn run(args: PeerArgs, console: &Console) -> Result<Outcome, Fault> {
    console.wait_for(async {
        match args.command {
            PeerCommand::Add(args) => add(&args, console).await,
            PeerCommand::List(args) => {
                let client = Client::new(&args.hub)?;
                let peers: Value = client.get_json("api/v1/peers").await?;
                console.answer(&peers, |peers| each(peers, line))?;
                Ok(Outcome::Done)
            }
            PeerCommand::Show(args) => {
                let (_, peer) = find(&args).await?;
                console.answer(&peer, shown)?;
                Ok(Outcome::Done)
            }
            PeerCommand::Pause(args) => {
                let (client, peer) = find(&args.named).await?;
                let paused = !args.resume;
                let path = format!("api/v1/peers/{}/pause", text(&peer["id"]));
                client.send(reqwest::Method::POST, &path, Some(&json!({ "paused": paused }))).await?;
                told(console, &peer, if paused { "rests" } else { "goes on" })
            }
            PeerCommand::Run(args) => run_now(&args, console).await,
            PeerCommand::Remove(args) => {
                let (client, peer) = find(&args).await?;
                client
                    .send(reqwest::Method::DELETE, &format!("api/v1/peers/{}", text(&peer["id"])), None)
                    .await?;
                told(console, &peer, "is removed")
            }
        }
    })
}

fn told(console: &Console, peer: &Value, what: &'static str) -> Result<Outcome, Fault> {
    #[derive(Serialize)]
    struct Told<'a> {
        id: &'a Value,
        name: &'a Value,
        state: &'static str,
    }
    let told = Told { id: &peer["id"], name: &peer["name"], state: what };
    console.answer(&told, |told| format!("{} {what}", text(told.name)))?;
    Ok(Outcome::Done)
}

async fn add(args: &AddArgs, console: &Console) -> Result<Outcome, Fault> {
    let secret = args.secret_file.as_deref().map(small_file).transpose()?;
    let direction = match args.direction {
        DirectionOption::Pull => "pull",
        DirectionOption::Push => "push",
        DirectionOption::Both => "both",
    };
    let groups: Vec<Value> = args
        .group
        .iter()
        .map(|text| {
            let (here, there) =
                text.split_once('=').map_or((text.as_str(), None), |(here, there)| (here, Some(there)));
            let amber = args.amber.iter().any(|amber| amber == here);
            json!({"group": here, "remote": there, "direction": direction, "amber": amber})
        })
        .collect();
    let new = json!({
        "name": args.name,
        "kind": match args.kind { KindOption::Hub => "hub", KindOption::Taxii => "taxii" },
        "url": args.url, "user": args.user, "secret": secret, "member": args.member, "groups": groups,
        "marking_max": args.marking_max, "types": args.types, "age_days_max": args.age_days_max,
        "hops_max": args.hops_max, "interval_seconds": args.interval,
    });
    let client = Client::new(&args.hub)?;
    let body = bytes::Bytes::from(new.to_string());
    let peer: Value = client.post("api/v1/peers", &[], "application/json", body).await?;
    console.answer(&peer, shown)?;
    Ok(Outcome::Done)
}

/// The peer of this name or id.
async fn find(args: &NamedArgs) -> Result<(Client, Value), Fault> {
    let client = Client::new(&args.hub)?;
    let peers: Value = client.get_json("api/v1/peers").await?;
    let found =
        peers["peers"].as_array().into_iter().flatten().find(|peer| {
            peer["name"].as_str() == Some(&args.peer) || peer["id"].as_str() == Some(&args.peer)
        });
    let found = found.cloned().ok_or_else(|| {
        Fault::usage("cli.peer.unknown", format!("there is no peer {:?}; `peer list` shows them", args.peer))
    })?;
    Ok((client, found))
}

/// Runs a peer at once and waits until every group has been gone through.
async fn run_now(args: &NamedArgs, console: &Console) -> Result<Outcome, Fault> {
    let (client, before) = find(args).await?;
    let path = format!("api/v1/peers/{}", text(&before["id"]));
    client.send(reqwest::Method::POST, &format!("{path}/run"), None).await?;
    let bar = console.count(format!("exchanging with {}", args.peer), None);
    let now = loop {
        tokio::time::sleep(Duration::from_millis(LOOK_MILLISECONDS)).await;
        let now: Value = client.get_json(&path).await?;
        bar.set(links(&now).map(|link| count(link, "received") + count(link, "sent")).sum());
        // Figures of groups this reader is not party to are not told, and not waited for.
        let pending = links(&now).zip(links(&before)).any(|(now, before)| {
            !now["progress"].is_null()
                && (now["progress"]["busy"] == true || count(now, "runs") <= count(before, "runs"))
        });
        if !pending {
            break now;
        }
    };
    drop(bar);
    let failed = links(&now).any(|link| !link["progress"]["error"].is_null());
    console.answer(&now, shown)?;
    Ok(if failed { Outcome::No } else { Outcome::Done })
}

fn links(peer: &Value) -> impl Iterator<Item = &Value> {
    peer["groups"].as_array().into_iter().flatten()
}

fn count(link: &Value, name: &str) -> u64 {
    link["progress"][name].as_u64().unwrap_or(0)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn each(peers: &Value, line: impl Fn(&Value) -> String) -> String {
    let lines: Vec<String> = peers["peers"].as_array().into_iter().flatten().map(line).collect();
    if lines.is_empty() {
        "There are no peers; `shieldwall peer add` sets one up.".into()
    } else {
        lines.join("\n")
    }
}

fn line(peer: &Value) -> String {
    let sum = |name| links(peer).map(|link| count(link, name)).sum::<u64>();
    let lag = links(peer).filter_map(|link| link["progress"]["lag_seconds"].as_u64()).max();
    let error = links(peer).find_map(|link| link["progress"]["error"].as_str());
    let state = match (peer["paused"].as_bool(), error) {
        (Some(true), _) => "paused".to_owned(),
        (_, Some(error)) => error.to_owned(),
        (_, None) => lag.map_or("not run yet".to_owned(), |lag| format!("{lag} s ago")),
    };
    format!(
        "{}  {}  {}  in {}  out {}  stopped {}  {state}",
        text(&peer["name"]),
        text(&peer["kind"]),
        text(&peer["url"]),
        sum("received"),
        sum("sent"),
        sum("stopped"),
    )
}

fn shown(peer: &Value) -> String {
    let mut out = format!("{}\n  {}", line(peer), text(&peer["id"]));
    for link in links(peer) {
        let name = link["group_name"].as_str().unwrap_or(text(&link["group"]));
        let amber = if link["amber"] == true { ", AMBER too" } else { "" };
        out.push_str(&format!(
            "\n  {name} ({}{amber}): received {}, repeated {}, refused {}, sent {}, stopped {} ({} by their way), recalled {}",
            text(&link["direction"]),
            count(link, "received"),
            count(link, "repeated"),
            count(link, "refused"),
            count(link, "sent"),
            count(link, "stopped"),
            count(link, "looped"),
            count(link, "recalled"),
        ));
    }
    out
}
