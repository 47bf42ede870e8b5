//! `search`: asks a hub for objects, in the language of its search box.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::client::{Client, HubOptions};
use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// Most objects on a page of the hub.
const PAGE_OBJECTS: usize = 1_000;

/// Search a hub's intelligence.
///
/// A search is words that must all occur, phrases in quotes, and fields with a value, all joined by AND; the same field
/// twice asks for either, and - before a term says not.
#[derive(Debug, Args)]
#[command(after_help = "\
Fields: type, tlp, value, under, owner, group, role, state, label, created_by, added, seen. Times are a day, month, year \
or instant, after >, >=, < or <=, or A..B. Exit status 1 when nothing was found.

Examples:
  shieldwall search 'type:indicator value:\"evil[.]example\"' --hub https://hub.example --token-file token
  shieldwall search 'under:192.0.2.0/24 added:>2026-01-01 -label:test' --hub URL --json
  shieldwall search 'wannacry \"stop switch\" role:kill-switch' --hub URL --limit 10")]
pub(crate) struct SearchArgs {
    /// What to look for
    #[arg(value_name = "QUERY")]
    query: String,
    #[command(flatten)]
    hub: HubOptions,
    /// At most so many objects, newest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Found {
    objects: Vec<Object>,
    /// Whether there are more than were asked for.
    more: bool,
}

/// A page of the hub's answer.
#[derive(Debug, Deserialize)]
struct Page {
    objects: Vec<Object>,
    next: Option<String>,
}

/// An object as lists show it.
#[derive(Debug, Serialize, Deserialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    object_type: String,
    name: String,
    marking: Option<String>,
    group: String,
    version: String,
    added: String,
    owner: Option<String>,
    withdrawn: bool,
}

/// Runs the command.
///
/// # Errors
/// A search that cannot be read, or a hub that cannot be reached or refuses.
pub(crate) fn run(args: &SearchArgs, console: &Console) -> Result<Outcome, Fault> {
    let search = shieldwall_exchange::search::Search::read(&args.query)
        .map_err(|error| Fault::usage(error.code(), error.to_string()))?;
    let client = Client::new(&args.hub)?;
    let found = console.wait_for(ask(&client, &search.to_string(), args.limit.max(1), console))?;
    console.answer(&found, told)?;
    Ok(Outcome::of(!found.objects.is_empty()))
}

async fn ask(client: &Client, query: &str, most: usize, console: &Console) -> Result<Found, Fault> {
    let gauge = console.count("searching", None);
    let (mut found, mut next) = (Found::default(), None::<String>);
    loop {
        let limit = most.saturating_sub(found.objects.len()).min(PAGE_OBJECTS).to_string();
        let mut parameters = vec![("q", query), ("limit", limit.as_str())];
        parameters.extend(next.as_deref().map(|next| ("after", next)));
        let bytes = client.get("api/v1/objects", &parameters, "application/json").await?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|error| {
            Fault::environment("cli.search.answer", "the hub answered something else than objects")
                .because(error)
        })?;
        found.objects.extend(page.objects);
        gauge.set(found.objects.len() as u64);
        match page.next {
            Some(cursor) if found.objects.len() < most => next = Some(cursor),
            rest => {
                found.more = rest.is_some();
                return Ok(found);
            }
        }
    }
}

fn told(found: &Found) -> String {
    let mut lines: Vec<String> = found
        .objects
        .iter()
        .map(|object| {
            let marking = object.marking.as_deref().unwrap_or("-");
            let end = if object.withdrawn { "  (withdrawn)" } else { "" };
            // Names come from others: nothing in them may steer a terminal.
            let name: String = object.name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            format!("{}  {marking}  {}  {name}{end}", object.added, object.id)
        })
        .collect();
    match (found.objects.len(), found.more) {
        (0, _) => lines.push("nothing found".into()),
        (_, true) => lines.push("there are more: raise --limit".into()),
        _ => {}
    }
    lines.join("\n")
}
