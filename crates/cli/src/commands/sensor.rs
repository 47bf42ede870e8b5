//! `sensor`: runs the agent in a member's network.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use shieldwall_sensor::agent::{self, Summary};
use shieldwall_sensor::config::{ConfigDraft, HiddenText, InputDraft, Tell};

use shieldwall_watch::mapping::BUILT_IN;

use crate::commands::hub::Signals;
use crate::console::Console;
use crate::fault::{Fault, Outcome};
use crate::figures::{counted, grouped, size};

/// Whether a sensor knows a format of this name.
fn is_format(name: &str) -> bool {
    name == "auto" || BUILT_IN.iter().any(|(file, _)| file.strip_suffix(".toml") == Some(name))
}

/// Run a sensor in a member's network.
///
/// A sensor pulls what to look for from the hub, follows log files (over rotation), matches, and reports sightings; no
/// telemetry leaves the network. It keeps its watchlist and unsent reports on disk, so it starts and matches with the
/// hub away, and an outage loses and doubles nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
An input is PATH, or PATH:FORMAT with a name that `shieldwall mapping list` shows, or PATH:FILE.toml with a mapping of \
one's own; without, the first lines tell. Files packed with gzip or zstd and Windows event logs are read once. Instead \
of a file it may be syslog+udp://ADDRESS:PORT or syslog+tcp://ADDRESS:PORT, where senders are listened to; \
syslog+tls:// needs its certificate in the configuration file. A NATS JetStream stream is shared by all sensors that \
name the same consumer: a message is acknowledged once what was seen in it is on disk, and what two sensors report of \
one message counts once. At the end (with --once, or after a signal) the figures are printed. The state directory holds \
`blocklist.txt`, the values this member may block, one a line, and in `rules/` the rules that Suricata, Snort and YARA \
run.

Exit status: 0 done, 1 with --once if the hub did not take every report in time (they stay in the state directory and \
go out at the next start), 2 set up wrongly, 3 failed.

Examples:
  shieldwall sensor --hub https://hub.example --token-file /etc/shieldwall/token \\
      --state /var/lib/shieldwall-sensor --input /var/log/suricata/eve.json
  zcat old.json.gz | shieldwall sensor --hub https://hub.example --token-file t --state s --stdin --once --json
  shieldwall sensor --hub https://hub.example --token-file t --state s --input syslog+udp://127.0.0.1:5514
  shieldwall sensor --config /etc/shieldwall/sensor.toml")]
pub(crate) struct SensorArgs {
    /// A TOML file with any of these settings; options given here win
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The hub's address, such as https://hub.example:8787
    #[arg(long, value_name = "URL")]
    pub(crate) hub: Option<String>,
    /// The sensor's token; others on this machine can see it: prefer --token-file or SHIELDWALL_TOKEN
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// A file that holds the token and nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// The directory of this sensor's memory; of this sensor alone
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The sensor's name, as people see it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What to read: PATH, PATH:FORMAT, or nats://HOST:4222/STREAM?consumer=NAME
    #[arg(long = "input", short, value_name = "PATH[:FORMAT]", num_args = 1..)]
    pub(crate) inputs: Vec<InputOption>,
    /// Read standard input too
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Threads that match; one for two cores when not told
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Read everything to its end, report, and stop
    #[arg(long)]
    pub(crate) once: bool,
    /// What a report tells of the value that was seen
    #[arg(long, value_name = "HOW")]
    pub(crate) tell: Option<TellOption>,
    /// A PEM file of certificates to trust beside the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// What a report tells of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TellOption {
    /// The value
    Plain,
    /// Its SHA-256
    Hashed,
    /// Nothing of it
    Withheld,
}

/// An input as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputOption {
    path: PathBuf,
    format: Option<String>,
    mapping: Option<PathBuf>,
}

impl FromStr for InputOption {
    type Err = String;

    /// What stands after the last colon is a format if it is the name of one, or ends in `.toml`; else it belongs to
    /// the path.
    fn from_str(text: &str) -> Result<Self, String> {
        let (path, format, mapping) = match text.rsplit_once(':') {
            Some((path, format)) if is_format(format) => (path, Some(format.to_owned()), None),
            Some((path, mapping)) if mapping.ends_with(".toml") => (path, None, Some(PathBuf::from(mapping))),
            _ => (text, None, None),
        };
        if path.is_empty() {
            return Err("an input is PATH or PATH:FORMAT, such as /var/log/suricata/eve.json:suricata".into());
        }
        Ok(Self { path: path.into(), format, mapping })
    }
}

impl SensorArgs {
    /// The settings of the file, if one is named, with what was typed laid over them.
    fn draft(self) -> Result<ConfigDraft, Fault> {
        let mut draft = match &self.config {
            Some(path) => ConfigDraft::read(path).map_err(|error| Fault::wrong(error.code(), &error))?,
            None => ConfigDraft::default(),
        };
        if self.token.is_some() || self.token_file.is_some() {
            (draft.token, draft.token_file) = (self.token.map(HiddenText), self.token_file);
        }
        draft.hub = self.hub.or(draft.hub);
        draft.state = self.state.or(draft.state);
        draft.name = self.name.or(draft.name);
        draft.ca_file = self.ca_file.or(draft.ca_file);
        draft.threads = self.threads.or(draft.threads);
        draft.once |= self.once;
        if let Some(tell) = self.tell {
            draft.tell = match tell {
                TellOption::Plain => Tell::Plain,
                TellOption::Hashed => Tell::Hashed,
                TellOption::Withheld => Tell::Withheld,
            };
        }
        if !self.inputs.is_empty() || self.stdin {
            let typed = self.inputs.into_iter();
            draft.inputs = typed
                .map(|InputOption { path, format, mapping }| InputDraft {
                    path,
                    format,
                    mapping,
                    ..InputDraft::default()
                })
                .collect();
        }
        if self.stdin && !draft.inputs.iter().any(|input| input.path == Path::new("-")) {
            draft.inputs.push(InputDraft { path: "-".into(), ..InputDraft::default() });
        }
        Ok(draft)
    }
}

/// Runs the command.
///
/// # Errors
/// What it is set up wrongly with, or what it failed of.
pub(crate) fn run(args: SensorArgs, console: &Console) -> Result<Outcome, Fault> {
    let mut draft = args.draft()?;
    draft.decoder = std::env::current_exe().ok();
    let once = draft.once;
    let config =
        draft.check(|name| std::env::var(name).ok()).map_err(|error| Fault::wrong(error.code(), &error))?;
    let (clock, entropy) = (Arc::clone(&console.clock), Arc::clone(&console.entropy));
    let summary = console.wait_for(async {
        let mut signals = Signals::new()?;
        let shutdown = async move { signals.next().await };
        agent::run(config, clock, entropy, None, shutdown)
            .await
            .map_err(|error| Fault::failed(error.code(), &error))
    })?;
    console.answer(&summary, told)?;
    Ok(Outcome::of(!once || summary.unsent_reports == 0))
}

fn told(summary: &Summary) -> String {
    let mut text = format!(
        "{} ({}), {}, {} not understood, {} skipped, {} dropped; {} with {} taken by the hub; {} received",
        counted(summary.events, "event", "events"),
        size(summary.bytes),
        counted(summary.matches, "match", "matches"),
        counted(summary.bad_lines, "line", "lines"),
        grouped(summary.skipped_lines),
        grouped(summary.dropped_messages),
        counted(summary.reports, "report", "reports"),
        counted(summary.accepted, "sighting", "sightings"),
        counted(summary.warnings, "warning", "warnings"),
    );
    if summary.unsent_reports > 0 {
        text.push_str(&format!(
            "; {} wait on disk for the next start",
            counted(summary.unsent_reports, "report", "reports")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_path_and_perhaps_a_format() {
        let read = |text: &str| text.parse::<InputOption>().unwrap();
        let of = |path: &str, format: Option<&str>, mapping: Option<&str>| InputOption {
            path: path.into(),
            format: format.map(Into::into),
            mapping: mapping.map(Into::into),
        };
        assert_eq!(read("/var/log/eve.json"), of("/var/log/eve.json", None, None));
        assert_eq!(read("/var/log/eve.json:suricata"), of("/var/log/eve.json", Some("suricata"), None));
        assert_eq!(read("/logs/2026-01-31T09:30"), of("/logs/2026-01-31T09:30", None, None));
        assert_eq!(read("a:b:zeek"), of("a:b", Some("zeek"), None));
        assert_eq!(read("-:own.toml"), of("-", None, Some("own.toml")));
        assert!(":zeek".parse::<InputOption>().is_err() && "".parse::<InputOption>().is_err());
    }

    fn args() -> SensorArgs {
        SensorArgs {
            config: None,
            hub: None,
            token: None,
            token_file: None,
            state: None,
            name: None,
            inputs: vec![],
            stdin: false,
            once: false,
            tell: None,
            ca_file: None,
            threads: None,
        }
    }

    #[test]
    fn what_is_typed_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sensor.toml");
        std::fs::write(
            &file,
            "hub = \"https://a.example\"\nname = \"a\"\ntoken = \"t\"\n[[input]]\npath = \"x.json\"\n",
        )
        .unwrap();
        let kept = SensorArgs { config: Some(file.clone()), ..args() }.draft().unwrap();
        assert_eq!((kept.name.as_deref(), kept.inputs.len(), kept.once), (Some("a"), 1, false));
        let over = SensorArgs {
            config: Some(file),
            name: Some("b".into()),
            token_file: Some("t2".into()),
            stdin: true,
            once: true,
            tell: Some(TellOption::Withheld),
            ..args()
        };
        let over = over.draft().unwrap();
        assert_eq!((over.hub.as_deref(), over.name.as_deref()), (Some("https://a.example"), Some("b")));
        assert!(over.token.is_none() && over.token_file == Some("t2".into()) && over.once);
        assert_eq!(
            over.inputs.iter().map(|input| input.path.clone()).collect::<Vec<_>>(),
            [PathBuf::from("-")]
        );
        assert_eq!(over.tell, Tell::Withheld);
    }
}
