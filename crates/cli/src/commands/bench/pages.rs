//! `bench pages`: reads every TAXII page of a sharing group, and checks that each object came exactly once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shieldwall_model::id::GroupId;

use crate::client::{Client, HubOptions};
use crate::console::{Console, Gauge};
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, per_second, rate, size};

/// The media type of TAXII 2.1 (section 1.6.8.1).
const TAXII: &str = "application/taxii+json;version=2.1";

/// Read every TAXII page of a sharing group from a running hub.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status 1 if an object came twice.

Example:
  shieldwall bench pages --hub http://127.0.0.1:8787 --token-file t --limit 1000")]
pub(crate) struct BenchPagesArgs {
    #[command(flatten)]
    hub: HubOptions,
    /// The sharing group's id; the Alliance's when not told
    #[arg(long, value_name = "GROUP")]
    group: Option<GroupId>,
    /// Objects a page, at most 1000
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
}

/// What reading all pages came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Read {
    /// Pages read.
    pub(crate) pages: u64,
    /// Objects in them, every version counted.
    pub(crate) objects: u64,
    /// Different objects and versions among them.
    pub(crate) distinct: u64,
    /// Bytes of the answers.
    pub(crate) bytes: u64,
    /// Time until the answers were there, in seconds.
    pub(crate) seconds: f64,
    /// Objects a second.
    pub(crate) objects_per_second: f64,
}

impl Read {
    /// Whether no object came twice.
    pub(crate) const fn each_once(&self) -> bool {
        self.objects == self.distinct
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    more: bool,
    next: Option<String>,
    #[serde(borrow)]
    objects: Vec<&'a RawValue>,
}

/// What tells objects apart.
#[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
struct Key {
    id: String,
    #[serde(default)]
    modified: String,
    #[serde(default)]
    created: String,
}

/// Runs the command.
///
/// # Errors
/// A hub that cannot be reached or refuses.
pub(crate) fn run(args: &BenchPagesArgs, console: &Console) -> Result<Outcome, Fault> {
    let client = Client::new(&args.hub)?;
    let gauge = console.count("reading pages", None);
    let read =
        console.wait_for(read(&client, args.group.unwrap_or(GroupId::ALLIANCE), args.limit, &gauge))?;
    drop(gauge);
    console.answer(&read, told)?;
    Ok(Outcome::of(read.each_once()))
}

/// Reads all pages of a group's collection, every version of every object.
///
/// # Errors
/// As [`run`].
pub(crate) async fn read(
    client: &Client,
    group: GroupId,
    limit: usize,
    gauge: &Gauge,
) -> Result<Read, Fault> {
    let path = format!("taxii2/api/collections/{}/objects/", group.uuid());
    let limit = limit.to_string();
    let (mut seen, mut took, mut next) = (HashSet::new(), Duration::ZERO, None::<String>);
    let mut read =
        Read { pages: 0, objects: 0, distinct: 0, bytes: 0, seconds: 0.0, objects_per_second: 0.0 };
    loop {
        let mut query = vec![("limit", limit.as_str()), ("match[version]", "all")];
        query.extend(next.as_deref().map(|next| ("next", next)));
        let start = Instant::now();
        let page = client.get(&path, &query, TAXII).await?;
        took += start.elapsed();
        let envelope: Envelope<'_> = serde_json::from_slice(&page).map_err(unread)?;
        read.pages += 1;
        read.bytes += page.len() as u64;
        read.objects += envelope.objects.len() as u64;
        for object in &envelope.objects {
            seen.insert(serde_json::from_str::<Key>(object.get()).map_err(unread)?);
        }
        gauge.set(read.objects);
        match envelope.next.filter(|_| envelope.more) {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    read.distinct = seen.len() as u64;
    read.seconds = took.as_secs_f64();
    read.objects_per_second = rate(read.objects, took);
    Ok(read)
}

fn unread(error: serde_json::Error) -> Fault {
    Fault::environment("cli.bench.page", "a page is no TAXII envelope").because(error)
}

/// The figures in a sentence.
pub(crate) fn told(read: &Read) -> String {
    let once = if read.each_once() { "each exactly once" } else { "SOME MORE THAN ONCE" };
    let took = Duration::try_from_secs_f64(read.seconds).unwrap_or_default();
    format!(
        "out: {} on {}, {once}: {} objects/s, {}/s",
        counted(read.objects, "object", "objects"),
        counted(read.pages, "page", "pages"),
        per_second(read.objects, took),
        size(rate(read.bytes, took) as u64),
    )
}
