//! `feed source`: what a member takes in on its own, set up and looked after over the hub's API.

#![allow(clippy::indexing_slicing, reason = "a JSON value indexed by a name it lacks is null, never a panic")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::{Client, HubOptions, small_file};
use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// How often a run is asked about.
const LOOK_MILLISECONDS: u64 = 200;

/// Take in lists, reports and STIX on a schedule.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// What to do
    #[command(subcommand)]
    command: SourceCommand,
}

/// What to do with sources.
#[derive(Debug, Subcommand)]
enum SourceCommand {
    Add(Box<AddArgs>),
    /// List the member's sources and what each last brought.
    #[command(
        after_help = "Example:\n  shieldwall feed source list --hub https://hub.example --token-file t"
    )]
    List(ListArgs),
    /// Say what a run would share, refuse and take back; nothing is shared.
    #[command(
        after_help = "Example:\n  shieldwall feed source preview blocklist --hub https://hub.example --token-file t"
    )]
    Preview(ContentArgs),
    /// Take in what a source says, fetched or from a file.
    #[command(
        after_help = "Example:\n  shieldwall feed source run blocklist --hub https://hub.example --token-file t"
    )]
    Run(RunArgs),
    /// Remove a source; what came from it stays.
    #[command(
        after_help = "Example:\n  shieldwall feed source remove blocklist --hub https://hub.example --token-file t"
    )]
    Remove(NamedArgs),
}

/// Set up a source of one's member.
#[derive(Debug, Args)]
#[command(after_help = "\
Look at what it would bring with `feed source preview` before anything is shared.

Examples:
  shieldwall feed source add blocklist --hub https://hub.example --token-file t --url https://lists.example/ips.txt \\
      --interval 3600 --trust 70 --expiry-days 14 --authoritative
  shieldwall feed source add reports --hub https://hub.example --token-file t --format text --marking GREEN
  shieldwall feed source add rows --hub https://hub.example --token-file t --format csv --value-column ioc \\
      --url https://lists.example/all.csv")]
struct AddArgs {
    #[command(flatten)]
    hub: HubOptions,
    /// What to call it
    #[arg(value_name = "NAME")]
    name: String,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "plain")]
    format: FormatOption,
    /// Where it is; without one its content is handed in
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The user for a password; without one the secret is a token
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// A file that holds the token or password and nothing else
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// For CSV: the column of values, by heading or number; found by itself when not told
    #[arg(long, value_name = "COLUMN")]
    value_column: Option<String>,
    /// For CSV: the column of kinds
    #[arg(long, value_name = "COLUMN")]
    kind_column: Option<String>,
    /// For CSV: the column of labels
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// The sharing group's id; the Alliance's when not told
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// What its values mean: malicious, suspect, kill-switch, vaccine, victim-infrastructure
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// How its indicators are marked: CLEAR, GREEN, AMBER, AMBER+STRICT, RED
    #[arg(long, value_name = "MARKING")]
    marking: Option<String>,
    /// How far it is trusted, 0 to 100: its indicators' confidence
    #[arg(long, value_name = "N", default_value_t = 50)]
    trust: u8,
    /// How many days an indicator holds after it was last listed
    #[arg(long, value_name = "DAYS")]
    expiry_days: Option<i64>,
    /// How often it is fetched, in seconds; when asked if not told
    #[arg(long, value_name = "SECONDS")]
    interval: Option<i64>,
    /// Take back what it no longer lists
    #[arg(long)]
    authoritative: bool,
}

/// How a source is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatOption {
    /// One value a line
    Plain,
    /// Rows of fields
    Csv,
    /// Prose with values in it
    Text,
    /// A STIX 2.1 bundle, or the objects of a TAXII collection
    Stix,
}

/// List the member's sources and what each last brought.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    hub: HubOptions,
}

/// Remove a source; what came from it stays.
#[derive(Debug, Args)]
struct NamedArgs {
    #[command(flatten)]
    hub: HubOptions,
    /// Its name or id
    #[arg(value_name = "SOURCE")]
    source: String,
}

/// Say what a run would share, refuse and take back; nothing is shared.
#[derive(Debug, Args)]
struct ContentArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// A file with its content; fetched when not told
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Take in what a source says, fetched or from a file.
#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    content: ContentArgs,
    /// Take back what is gone even if it is more than half of what was listed
    #[arg(long)]
    confirm: bool,
}

/// Runs the command.
///
/// # Errors
/// What the hub refuses, or that it cannot be reached.
pub(crate) async fn run(args: SourceArgs, console: &Console) -> Result<Outcome, Fault> {
    match args.command {
        SourceCommand::Add(args) => add(&args, console).await,
        SourceCommand::List(args) => {
            let sources: Value = Client::new(&args.hub)?.get_json("api/v1/sources").await?;
            console.answer(&sources, |sources| {
                let lines: Vec<String> = each(sources).map(line).collect();
                let none = "There are no sources; `shieldwall feed source add` sets one up.";
                if lines.is_empty() { none.to_owned() } else { lines.join("\n") }
            })?;
            Ok(Outcome::Done)
        }
        SourceCommand::Preview(args) => {
            let (client, path, _) = find(&args.named).await?;
            let body = content(&args)?;
            let seen: Value =
                client.post(&format!("{path}/preview"), &[], "application/octet-stream", body).await?;
            console.answer(&seen, previewed)?;
            Ok(Outcome::Done)
        }
        SourceCommand::Run(args) => take(&args, console).await,
        SourceCommand::Remove(args) => {
            let (client, path, source) = find(&args).await?;
            client.send(reqwest::Method::DELETE, &path, None).await?;
            let told = json!({"id": source["id"], "name": source["name"], "state": "is removed"});
            console.answer(&told, |told| format!("{} is removed", text(&told["name"])))?;
            Ok(Outcome::Done)
        }
    }
}

async fn add(args: &AddArgs, console: &Console) -> Result<Outcome, Fault> {
    let secret = args.secret_file.as_deref().map(small_file).transpose()?;
    let format = match args.format {
        FormatOption::Plain => "plain",
        FormatOption::Csv => "csv",
        FormatOption::Text => "text",
        FormatOption::Stix => "stix",
    };
    let new = json!({
        "name": args.name, "format": format, "url": args.url, "user": args.user, "secret": secret,
        "value_column": args.value_column, "kind_column": args.kind_column, "label_column": args.label_column,
        "group": args.group, "role": args.role, "marking": args.marking, "trust": args.trust,
        "expiry_days": args.expiry_days, "interval_seconds": args.interval, "authoritative": args.authoritative,
    });
    let body = bytes::Bytes::from(new.to_string());
    let source: Value = Client::new(&args.hub)?.post("api/v1/sources", &[], "application/json", body).await?;
    console.answer(&source, |source| format!("{}\n  {}", line(source), text(&source["id"])))?;
    Ok(Outcome::Done)
}

/// The source of this name or id: its path, and what there is of it.
async fn find(args: &NamedArgs) -> Result<(Client, String, Value), Fault> {
    let client = Client::new(&args.hub)?;
    let sources: Value = client.get_json("api/v1/sources").await?;
    let is_it = |source: &&Value| [&source["name"], &source["id"]].iter().any(|one| text(one) == args.source);
    let found = each(&sources).find(is_it).cloned().ok_or_else(|| {
        let message = format!("there is no source {:?}; `feed source list` shows them", args.source);
        Fault::usage("cli.source.unknown", message)
    })?;
    let path = format!("api/v1/sources/{}", text(&found["id"]));
    Ok((client, path, found))
}

fn content(args: &ContentArgs) -> Result<bytes::Bytes, Fault> {
    let Some(path) = &args.file else { return Ok(bytes::Bytes::new()) };
    let read = std::fs::read(path).map_err(|error| {
        Fault::usage("cli.source.file", format!("{} cannot be read", path.display())).because(error)
    })?;
    if read.is_empty() {
        return Err(Fault::usage("cli.source.file", format!("{} is empty", path.display())));
    }
    Ok(read.into())
}

async fn take(args: &RunArgs, console: &Console) -> Result<Outcome, Fault> {
    let (client, path, before) = find(&args.content.named).await?;
    let body = content(&args.content)?;
    let query: &[(&str, &str)] = if args.confirm { &[("confirm", "yes")] } else { &[] };
    let _: Value = client.post(&format!("{path}/run"), query, "application/octet-stream", body).await?;
    let bar = console.count(format!("taking in {}", text(&before["name"])), None);
    let now = loop {
        let now: Value = client.get_json(&path).await?;
        if let (Some(worked), Some(total)) = (now["worked"].as_u64(), now["total"].as_u64()) {
            bar.set_of(worked, total);
        }
        if now["busy"] == false && now["runs"].as_u64() > before["runs"].as_u64() {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MILLISECONDS)).await;
    };
    drop(bar);
    console.answer(&now, line)?;
    Ok(Outcome::of(now["error"].is_null()))
}

fn each(sources: &Value) -> impl Iterator<Item = &Value> {
    sources["sources"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn figures(counts: &Value) -> String {
    let of = |name: &str| counts[name].as_u64().unwrap_or(0);
    format!(
        "found {}: new {}, known {}, renewed {}, gone {} ({} taken back), refused {}",
        of("found"),
        of("new"),
        of("known"),
        of("renewed"),
        of("gone"),
        of("recalled"),
        of("refused"),
    )
}

fn line(source: &Value) -> String {
    let place = source["url"].as_str().unwrap_or("handed in");
    let state = source["error"].as_str().map_or_else(|| figures(&source["counts"]), str::to_owned);
    format!("{}  {}  {place}  {state}", text(&source["name"]), text(&source["format"]))
}

fn previewed(seen: &Value) -> String {
    let mut out = format!("Nothing has been shared. A run would have {}", figures(&seen["counts"]));
    for shared in seen["shared"].as_array().into_iter().flatten() {
        out.push_str(&format!("\n  + {}", text(&shared["name"])));
    }
    for refused in seen["refused"].as_array().into_iter().flatten() {
        out.push_str(&format!("\n  - {}: {}", text(&refused["path"]), text(&refused["reason"])));
    }
    out
}
