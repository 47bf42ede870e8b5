//! `feed export`: takes a feed of what may be blocked from a hub, into a file or to standard output.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shieldwall_exchange::feed::Format;

use crate::client::{Client, HubOptions};
use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// Take a feed of what may be blocked, as a device reads it.
///
/// A feed holds the malicious values your member may see and that are safe to block: nothing taken back, over, held
/// back, in another role, or that would also block a kill switch or a victim. --explain tells what was left out and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Devices can fetch the same by themselves: https://HUB/feeds/FORMAT with the token as the password (any user name) or as \
a Bearer token; If-None-Match spares what has not changed.

Exit status: 0 written, 2 the hub refuses, 3 no hub.

Examples:
  shieldwall feed export --hub https://hub.example --token-file t --format suricata-rules --output shieldwall.rules
  shieldwall feed export --hub https://hub.example --token-file t --format rpz --zone rpz.corp.example > rpz.zone
  shieldwall feed export --hub https://hub.example --token-file t --kind domain-name --days 30 --explain")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    hub: HubOptions,
    /// plain, csv, hosts, rpz, suricata-rules, suricata-domains, suricata-ips, suricata-ja3, suricata-datasets, zeek, stix
    #[arg(long, value_name = "FORMAT", default_value = "plain")]
    format: Format,
    /// Where to write it; - is standard output. The file is replaced as a whole
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Only values of this kind, such as domain-name; may be repeated
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only from this sharing group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only with at least this confidence, 0 to 100
    #[arg(long, value_name = "PERCENT")]
    confidence: Option<u8>,
    /// Only with at least this score, 0 to 100
    #[arg(long, value_name = "SCORE")]
    score: Option<u8>,
    /// Only what was shared or sighted within so many days
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
    /// Only what is marked at most so, such as GREEN
    #[arg(long, value_name = "MARKING")]
    marking: Option<String>,
    /// For rpz: the name of the zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Tell in JSON what was left out and why, instead of the feed
    #[arg(long)]
    explain: bool,
}

impl ExportArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let number = |name, value: Option<u64>| value.map(|value| (name, value.to_string()));
        let text = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let mut query: Vec<_> = self.kind.iter().map(|kind| ("kind", kind.clone())).collect();
        query.extend(
            [
                text("group", &self.group),
                number("confidence", self.confidence.map(u64::from)),
                number("score", self.score.map(u64::from)),
                number("days", self.days.map(u64::from)),
                text("marking", &self.marking),
                text("zone", &self.zone),
                self.explain.then(|| ("explain", "1".to_owned())),
            ]
            .into_iter()
            .flatten(),
        );
        query
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    format: &'static str,
    file: &'a str,
    bytes: usize,
}

/// Runs the command.
///
/// # Errors
/// A hub that cannot be reached or refuses, a file that cannot be written.
pub(crate) fn run(args: &ExportArgs, console: &Console) -> Result<Outcome, Fault> {
    let client = Client::new(&args.hub)?;
    let query = args.query();
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = format!("feeds/{}", args.format);
    let gauge = console.bytes(format!("fetching {}", args.format), None);
    let bytes = console.wait_for(client.get(&path, &query, "*/*"))?;
    drop(gauge);
    if args.output.as_os_str() == "-" {
        std::io::stdout().write_all(&bytes).map_err(Fault::output)?;
        return Ok(Outcome::Done);
    }
    let shown = args.output.display().to_string();
    let failed =
        |error| Fault::environment("cli.feed.write", format!("{shown} could not be written")).because(error);
    // Beside it first, then renamed: a device that reads it meanwhile sees the old one or the new one.
    let mut beside = args.output.clone().into_os_string();
    beside.push(".new");
    std::fs::write(&beside, &bytes).map_err(failed)?;
    std::fs::rename(&beside, &args.output).map_err(failed)?;
    let written = Written { format: args.format.as_str(), file: &shown, bytes: bytes.len() };
    console.answer(&written, |written| {
        format!("{}: {} bytes of {}", written.file, written.bytes, written.format)
    })?;
    Ok(Outcome::Done)
}
