//! `feed import`: shares files with a hub, whatever their format, in pieces a hub takes, and names what it refused.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use shieldwall_exchange::format::format_of;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::marking::Tlp;

use crate::client::{Client, HubOptions};
use crate::commands::export::{self, ExportArgs};
use crate::commands::source::{self, SourceArgs};
use crate::console::{Console, Gauge};
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped, per_second, rate, took};
use crate::intake::directory::{Listed, listed};
use crate::intake::input::{self, Input};
use crate::intake::pieces::{HEAD_BYTES, Piece, Shared};

/// Exchange intelligence with a hub.
#[derive(Debug, Args)]
pub(crate) struct FeedArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: FeedCommand,
}

/// What to do with intelligence.
#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    Export(ExportArgs),
    Import(ImportArgs),
    Source(SourceArgs),
}

/// Share files with a sharing group of a hub.
///
/// STIX 2.1 (bundles, TAXII envelopes, arrays, single objects), MISP events, CSV and plain lists of values; each may be
/// packed with gzip or zstd. What a file is, its content tells. A directory is read as a MISP feed, by its
/// manifest.json. STIX objects are sent byte for byte; a MISP event goes where its distribution sends it, to the
/// group told at most; of a list, each value becomes an indicator.
#[derive(Debug, Args)]
#[command(after_help = "\
Every object the hub does not take is named: file, place, id, code, reason. Importing the same file again does no \
harm: what the group holds already counts as repeated.

What would block what everybody uses, or is dated in the future, the hub holds back until a curator of another member \
releases it; it is named too.

Exit status: 0 all taken or held already, 1 some refused or held back, 2 a file could not be read or the hub refuses, 3 no hub.

Examples:
  shieldwall feed import --hub http://127.0.0.1:8787 --token \"$TOKEN\" enterprise-attack.json
  shieldwall feed import --hub https://hub.example --token-file t --role kill-switch --marking CLEAR stop.txt
  shieldwall feed import --hub https://hub.example --token-file t --group group--… --json values.csv.zst
  shieldwall feed import --hub https://hub.example --token-file t event.json misp-feed/")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) hub: HubOptions,
    /// The sharing group's id; the Alliance's when not told
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// What the values of lists mean: malicious, suspect, kill-switch, vaccine, victim-infrastructure
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<IndicatorRole>,
    /// How indicators made from lists are marked: CLEAR, GREEN, AMBER, AMBER+STRICT, RED
    #[arg(long, value_name = "MARKING")]
    pub(crate) marking: Option<Tlp>,
    /// What indicators made from lists are called; each by its value when not told
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The files, or directories of MISP feeds; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// What the hub answers to one piece.
#[derive(Debug, Default, Deserialize)]
struct Report {
    accepted: u64,
    repeated: u64,
    #[serde(default)]
    held: Vec<HubRefusal>,
    #[serde(default)]
    refused: Vec<HubRefusal>,
    #[serde(default)]
    warnings: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct HubRefusal {
    index: usize,
    id: Option<String>,
    #[serde(default)]
    path: String,
    code: String,
    reason: String,
}

/// An object that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    /// The file it stands in.
    pub(crate) file: String,
    /// Where in it.
    pub(crate) path: String,
    /// Its id, if it has one.
    pub(crate) id: Option<String>,
    /// The stable code.
    pub(crate) code: String,
    /// Why, and what to do.
    pub(crate) reason: String,
}

/// What became of one file, or of all.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Objects, or lines that hold something.
    pub(crate) objects: u64,
    /// Recorded now.
    pub(crate) accepted: u64,
    /// Held by the group already.
    pub(crate) repeated: u64,
    /// Held back until a curator has looked at them.
    pub(crate) held: u64,
    /// Not taken.
    pub(crate) refused: u64,
    /// Remarks on what was taken.
    pub(crate) remarks: u64,
    /// Requests it took.
    pub(crate) requests: u64,
}

#[derive(Debug, Serialize)]
struct Summary {
    #[serde(flatten)]
    all: Tally,
    seconds: f64,
    objects_per_second: f64,
    files: Vec<FileTally>,
}

#[derive(Debug, Serialize)]
struct FileTally {
    file: String,
    #[serde(flatten)]
    tally: Tally,
}

/// What goes with every piece of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The sharing group's id.
    pub(crate) group: Option<String>,
    role: Option<String>,
    marking: Option<String>,
    name: Option<String>,
}

impl Told {
    fn query(&self, is_list: bool) -> Vec<(&str, &str)> {
        let list = [("role", &self.role), ("marking", &self.marking), ("name", &self.name)];
        let list = list.into_iter().filter(|_| is_list);
        std::iter::once(("group", &self.group))
            .chain(list)
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
            .collect()
    }
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, a hub that cannot be reached or refuses the whole.
pub(crate) fn run(args: FeedArgs, console: &Console) -> Result<Outcome, Fault> {
    let args = match args.command {
        FeedCommand::Export(args) => return export::run(&args, console),
        FeedCommand::Import(args) => args,
        FeedCommand::Source(args) => return console.wait_for(source::run(args, console)),
    };
    let files_listed = listed(&args.files)?;
    check(&files_listed)?;
    let client = Client::new(&args.hub)?;
    let told = Told {
        group: args.group,
        role: args.role.map(|role| role.to_string()),
        marking: args.marking.map(|marking| marking.to_string()),
        name: args.name,
    };
    let start = Instant::now();
    let mut files = Vec::new();
    console.wait_for(async {
        for listed in &files_listed {
            let input = Input::open(&listed.path)?;
            let file = input.name.clone();
            let bytes = input.whole()?;
            listed.check(&bytes)?;
            let gauge = console.count(format!("sharing {file}"), Some(0));
            let mut tell = |refusal: Refusal| name(&refusal, console);
            let tally = import(&client, &file, &bytes, &told, &gauge, &mut tell).await?;
            files.push(FileTally { file, tally });
        }
        Ok(())
    })?;
    finish(files, start.elapsed(), console)
}

/// Makes sure that every file can be opened and is of a kind that is shared, before the first is sent.
fn check(files: &[Listed]) -> Result<(), Fault> {
    let paths: Vec<PathBuf> = files.iter().map(|listed| listed.path.clone()).collect();
    input::check(&paths)?;
    for path in paths.iter().filter(|path| path.as_path() != Path::new("-")) {
        let input = Input::open(path)?;
        let name = input.name.clone();
        format_of(&input.head(HEAD_BYTES)?).map_err(|error| unfit(&name, error.code(), error))?;
    }
    Ok(())
}

/// A file that holds nothing to share.
fn unfit(file: &str, code: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::usage(code, format!("{file} cannot be shared: {error}")).because(error)
}

/// Shares one file. Each object that is not taken is handed to `refused` as it becomes known.
///
/// # Errors
/// As [`run`].
pub(crate) async fn import(
    client: &Client,
    file: &str,
    bytes: &[u8],
    told: &Told,
    gauge: &Gauge,
    refused: &mut dyn FnMut(Refusal) -> Result<(), Fault>,
) -> Result<Tally, Fault> {
    let shared = Shared::read(bytes).map_err(|error| unfit(file, error.code(), error))?;
    let mut tally = Tally { objects: (shared.len() + shared.refused.len()) as u64, ..Tally::default() };
    for line in &shared.refused {
        tally.refused += 1;
        let (path, code, reason) = (format!("line {}", line.line), line.code.to_owned(), line.reason.clone());
        refused(Refusal { file: file.to_owned(), path, id: None, code, reason })?;
    }
    let total = shared.len() as u64;
    gauge.set_of(0, total);
    let query = told.query(shared.is_list());
    let mut next = 0;
    while let Some(Piece { objects, body, content_type }) = shared.piece(next) {
        let report: Report = client.post("api/v1/objects", &query, content_type, body.into()).await?;
        tally.requests += 1;
        tally.accepted += report.accepted;
        tally.repeated += report.repeated;
        tally.held += report.held.len() as u64;
        tally.refused += report.refused.len() as u64;
        tally.remarks += report.warnings.len() as u64;
        for refusal in report.refused.into_iter().chain(report.held) {
            let path = shared.place(objects.start + refusal.index, &refusal.path);
            let HubRefusal { id, code, reason, .. } = refusal;
            refused(Refusal { file: file.to_owned(), path, id, code, reason })?;
        }
        next = objects.end;
        gauge.set_of(next as u64, total);
    }
    if shared.is_misp() {
        // An event is many objects, and the hub alone knows how many.
        tally.objects = tally.accepted + tally.repeated + tally.refused;
    }
    Ok(tally)
}

/// How the codes of objects held back begin.
const HELD: &str = "life.held.";

/// Names an object that was not taken: machines get it on standard output, people on standard error.
fn name(refusal: &Refusal, console: &Console) -> Result<(), Fault> {
    let held = refusal.code.starts_with(HELD);
    if console.json() {
        #[derive(Serialize)]
        #[serde(rename_all = "lowercase")]
        enum Line<'a> {
            Held(&'a Refusal),
            Refused(&'a Refusal),
        }
        let line = if held { Line::Held(refusal) } else { Line::Refused(refusal) };
        return console.answer(&line, |_| String::new());
    }
    let Refusal { file, path, id, code, reason } = refusal;
    let what = if held { "held back" } else { "refused" };
    let id = id.as_deref().map_or(String::new(), |id| format!(" {id}"));
    console.remark(&format!("{what}: {file} {path}{id}: {reason} [{code}]"));
    Ok(())
}

fn finish(files: Vec<FileTally>, duration: Duration, console: &Console) -> Result<Outcome, Fault> {
    let mut all = Tally::default();
    for FileTally { tally, .. } in &files {
        all.objects += tally.objects;
        all.accepted += tally.accepted;
        all.repeated += tally.repeated;
        all.held += tally.held;
        all.refused += tally.refused;
        all.remarks += tally.remarks;
        all.requests += tally.requests;
    }
    let outcome = Outcome::of(all.refused == 0 && all.held == 0);
    let (seconds, objects_per_second) = (duration.as_secs_f64(), rate(all.objects, duration));
    #[derive(Serialize)]
    struct Last {
        summary: Summary,
    }
    let last = Last { summary: Summary { all, seconds, objects_per_second, files } };
    console.answer(&last, |Last { summary }| {
        let Tally { objects, accepted, repeated, held, refused, .. } = summary.all;
        format!(
            "{}: {} shared, {} held already, {} held back, {} refused, in {} ({} objects/s)",
            counted(objects, "object", "objects"),
            grouped(accepted),
            grouped(repeated),
            grouped(held),
            grouped(refused),
            took(duration),
            per_second(objects, duration),
        )
    })?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_lists_is_not_told_of_stix() {
        let told = Told {
            group: Some("g".into()),
            role: Some("suspect".into()),
            marking: None,
            name: Some("n".into()),
        };
        assert_eq!(told.query(true), [("group", "g"), ("role", "suspect"), ("name", "n")]);
        assert_eq!(told.query(false), [("group", "g")]);
        assert!(Told::default().query(true).is_empty());
    }
}
