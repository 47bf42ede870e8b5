//! What a sensor is told: its hub, its token, where its state lies, what it reads and how much it tells.
//!
//! A [`ConfigDraft`] is what stands in the TOML file; the command line lays its options over it, and
//! [`ConfigDraft::check`] makes a [`Config`] of it that can be run.
//!
//! ```toml
//! hub = "https://hub.example:8787"
//! token_file = "/etc/shieldwall/token"
//! state = "/var/lib/shieldwall/sensor"
//! name = "edge-1"
//! tell = "hashed"
//!
//! [[input]]
//! path = "/var/log/suricata/eve.json"
//! format = "suricata"
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use shieldwall_model::limits;
use shieldwall_watch::mapping::BUILT_IN;
use url::{Host, Url};

use crate::disk;
use crate::listen::{self, Listen, TlsFiles, Transport};
use crate::nats::{self, NatsInput};

/// The environment variable that may hold the token.
pub const TOKEN_VARIABLE: &str = "SHIELDWALL_TOKEN";
/// Largest configuration, token or certificate file in bytes.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// Most inputs of one sensor.
const INPUTS_MAX: usize = 256;
/// How long a Sigma rule may take on average when nothing is told, in microseconds: a hundred times the usual.
const RULE_BUDGET_MICROSECONDS: u64 = 2_000;
/// Most patterns that are asked of every event.
const UNBOUND_PATTERNS_MAX: usize = 64;
/// Most matching threads.
const THREADS_MAX: usize = 64;
/// From which share of hosts or lines on an indicator is withheld, unless told otherwise, in percent: our setting.
const WITHHOLD_PERCENT: u8 = 5;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file named by the configuration, or the configuration itself, could not be read.
    #[error("cannot read {path}, named as {what}: {reason}")]
    File {
        /// The setting that names it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The configuration file is not TOML of the right form.
    #[error("{path}, line {line}: {problem}")]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there. The line itself is not repeated: it may hold the token.
        problem: String,
    },
    /// A setting is missing.
    #[error("`{setting}` is missing: {hint}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// What to write.
        hint: &'static str,
    },
    /// A setting cannot be used as it stands.
    #[error("`{setting}` {problem}")]
    Unusable {
        /// The setting, with its place for those in a list.
        setting: String,
        /// What is wrong with it and what to write.
        problem: String,
    },
}

impl ConfigError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "sensor.config.file",
            Self::Form { .. } => "sensor.config.form",
            Self::Missing { .. } => "sensor.config.missing",
            Self::Unusable { .. } => "sensor.config.unusable",
        }
    }
}

/// An API token. It is never shown: its debug form hides it, and it has no other text form.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a token as handed out by the hub; blanks around it are cut.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] when it has not the form `swt_…`; the text is not repeated in the error.
    pub fn new(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let fits = text.strip_prefix("swt_").is_some_and(|secret| {
            (16..=256).contains(&secret.len())
                && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(unusable(
                "token",
                "is not an API token: it begins with swt_; make one with `shieldwall token create`",
            ))
        }
    }

    /// The token itself, for the one header it goes into.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// What a sighting tells the alliance of the value that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    /// The value as it was seen.
    #[default]
    Plain,
    /// Its SHA-256.
    Hashed,
    /// Nothing but the indicator.
    Withheld,
}

/// How an input is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InputFormat {
    /// Told from its first lines.
    #[default]
    Auto,
    /// By the built-in mapping of this name, such as `suricata`.
    Named(String),
    /// By a mapping file.
    Mapping(PathBuf),
}

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSource {
    /// A file that is followed over rotation.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Syslog from the network.
    Syslog(Listen),
    /// A NATS JetStream stream, shared with other sensors.
    Nats(NatsInput),
}

impl fmt::Display for InputSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Syslog(listen) => write!(f, "{listen}"),
            Self::Nats(input) => write!(f, "{input}"),
        }
    }
}

/// One stream of telemetry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where it comes from.
    pub source: InputSource,
    /// How it is read.
    pub format: InputFormat,
}

/// Everything a sensor is told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hub's address, without a path.
    pub hub: Url,
    /// What the sensor proves itself with.
    pub token: Token,
    /// The directory of the sensor's memory; of this sensor alone.
    pub state: PathBuf,
    /// The sensor's name, shown to people.
    pub name: String,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// Whether to read to the end, report and stop.
    pub once: bool,
    /// What a sighting tells of the value.
    pub tell: Tell,
    /// Least time between two reports: a first sighting after a quiet while goes out at once.
    pub first_report: Duration,
    /// Least time between two sightings of the same indicator; what happens meanwhile is counted together.
    pub repeat_report: Duration,
    /// A PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Time between two heartbeats.
    pub health: Duration,
    /// Time between two polls of the watchlist while the stream is down.
    pub poll: Duration,
    /// How long a stopping sensor goes on trying to hand in its last reports.
    pub drain: Duration,
    /// The program that takes event log files apart, see [`crate::evtx`]; without it they are refused.
    pub decoder: Option<PathBuf>,
    /// Threads that match; with 1, the one that reads does.
    pub threads: usize,
    /// How long a Sigma rule may take on average before it is set aside.
    pub rule_budget: Option<Duration>,
    /// How late an event may come and still count for patterns over several events.
    pub lateness: Duration,
    /// How many patterns are run that have to be asked of every event.
    pub unbound_patterns: usize,
    /// For how many days what passes is remembered; 0 keeps no memory.
    pub memory_days: u32,
    /// Most bytes of memory on disk.
    pub memory_bytes: u64,
    /// From which share of this network's hosts on an indicator they met is withheld, in percent.
    pub withhold_hosts_percent: u8,
    /// From which share of the lines on.
    pub withhold_lines_percent: u8,
    /// Indicators, by id or value, that are never withheld: a person has looked.
    pub release: Vec<String>,
}

/// A configuration as written: everything optional, nothing checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigDraft {
    /// The hub's address, such as `https://hub.example:8787`.
    pub hub: Option<String>,
    /// The token itself; better kept in `token_file`.
    pub token: Option<HiddenText>,
    /// A file with the token and nothing else.
    pub token_file: Option<PathBuf>,
    /// The state directory.
    pub state: Option<PathBuf>,
    /// The sensor's name; `sensor` when not told.
    pub name: Option<String>,
    /// The inputs.
    #[serde(default, rename = "input")]
    pub inputs: Vec<InputDraft>,
    /// Whether to read to the end, report and stop.
    #[serde(default)]
    pub once: bool,
    /// What a sighting tells of the value: `plain`, `hashed` or `withheld`.
    #[serde(default)]
    pub tell: Tell,
    /// See [`Config::first_report`]; 200 when not told.
    pub first_report_milliseconds: Option<u64>,
    /// See [`Config::repeat_report`]; 5 when not told.
    pub repeat_report_seconds: Option<u64>,
    /// See [`Config::ca_file`].
    pub ca_file: Option<PathBuf>,
    /// See [`Config::health`]; 10 when not told.
    pub health_seconds: Option<u64>,
    /// See [`Config::poll`]; 5 when not told.
    pub poll_seconds: Option<u64>,
    /// See [`Config::drain`]; 10 when not told.
    pub drain_seconds: Option<u64>,
    /// See [`Config::decoder`]; set by the program, not by the file.
    #[serde(skip)]
    pub decoder: Option<PathBuf>,
    /// See [`Config::threads`]; one for two cores when not told.
    pub threads: Option<usize>,
    /// See [`Config::rule_budget`]; 2000 when not told, 0 for none.
    pub rule_budget_microseconds: Option<u64>,
    /// See [`Config::lateness`]; 300 when not told.
    pub lateness_seconds: Option<u64>,
    /// See [`Config::unbound_patterns`]; none when not told.
    pub unbound_patterns: Option<usize>,
    /// See [`Config::memory_days`]; 90 when not told.
    pub memory_days: Option<u32>,
    /// See [`Config::memory_bytes`], in gigabytes of 2^30 bytes; 16 when not told.
    pub memory_gigabytes: Option<u32>,
    /// See [`Config::withhold_hosts_percent`]; 5 when not told, over 100 is never.
    pub withhold_hosts_percent: Option<u8>,
    /// See [`Config::withhold_lines_percent`]; 5 when not told, over 100 is never.
    pub withhold_lines_percent: Option<u8>,
    /// See [`Config::release`].
    #[serde(default)]
    pub release: Vec<String>,
}

/// A text that must not be shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct HiddenText(pub String);

impl fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// An input as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDraft {
    /// The file, `-` for standard input, `syslog+udp://127.0.0.1:5514` (`+tcp`, `+tls`), or `nats://HOST:4222/STREAM?consumer=NAME`.
    pub path: PathBuf,
    /// `auto`, or the name of a built-in mapping, such as `suricata`.
    pub format: Option<String>,
    /// A mapping file, instead of `format`.
    pub mapping: Option<PathBuf>,
    /// A PEM file of the certificate that `syslog+tls` shows, and those that lead to one senders trust.
    pub certificates: Option<PathBuf>,
    /// A PEM file of its private key.
    pub key: Option<PathBuf>,
    /// A PEM file of who signs senders' certificates; without it `syslog+tls` asks for none.
    pub client_ca: Option<PathBuf>,
    /// A file of NATS credentials, for a stream.
    pub credentials: Option<PathBuf>,
    /// A PEM file of certificates to trust beside the system's, for a stream.
    pub ca_file: Option<PathBuf>,
}

impl InputDraft {
    /// The stream it names, if it names one.
    fn stream(&self) -> Option<&str> {
        self.path.to_str().filter(|path| nats::is_stream(path))
    }

    /// The address to listen on, if it names one.
    fn listened(&self) -> Option<&str> {
        self.path.to_str().filter(|path| listen::is_listen(path))
    }

    /// What to listen for.
    fn listen(&self, path: &str, setting: &str) -> Result<Listen, ConfigError> {
        let (transport, address) = listen::parse(path).map_err(|problem| unusable(setting, problem))?;
        let tls = match (transport, &self.certificates, &self.key) {
            (Transport::Tls, Some(certificates), Some(key)) => Some(TlsFiles {
                certificates: certificates.clone(),
                key: key.clone(),
                client_ca: self.client_ca.clone(),
            }),
            (Transport::Tls, ..) => {
                return Err(unusable(
                    setting,
                    "needs certificates = \"….pem\" and key = \"….key\" beside it",
                ));
            }
            (_, None, None) if self.client_ca.is_none() => None,
            _ => {
                return Err(unusable(
                    setting,
                    "has certificates or a key, which are for syslog+tls:// alone",
                ));
            }
        };
        Ok(Listen { transport, address, tls })
    }
}

pub(crate) fn unusable(setting: impl Into<String>, problem: impl Into<String>) -> ConfigError {
    ConfigError::Unusable { setting: setting.into(), problem: problem.into() }
}

/// Reads a small text file that the setting `what` names.
fn text_of(what: &'static str, path: &Path) -> Result<String, ConfigError> {
    let wrong = |reason: String| ConfigError::File { what, path: path.to_owned(), reason };
    let bytes = disk::read(path, CONFIG_BYTES_MAX)
        .map_err(|error| wrong(error.to_string()))?
        .ok_or_else(|| wrong("there is no such file".into()))?;
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".into()))
}

impl ConfigDraft {
    /// Reads a configuration file. Paths in it are taken from the directory the file lies in.
    ///
    /// # Errors
    /// [`ConfigError::File`] or, with the line, [`ConfigError::Form`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = text_of("the configuration", path)?;
        let mut draft: Self = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            ConfigError::Form { path: path.to_owned(), line, problem: error.message().to_owned() }
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        for named in [&mut draft.token_file, &mut draft.state, &mut draft.ca_file].into_iter().flatten() {
            *named = base.join(&*named);
        }
        for input in &mut draft.inputs {
            if input.path != Path::new("-") && input.stream().is_none() && input.listened().is_none() {
                input.path = base.join(&input.path);
            }
            let files = [
                &mut input.mapping,
                &mut input.certificates,
                &mut input.key,
                &mut input.client_ca,
                &mut input.credentials,
                &mut input.ca_file,
            ];
            for named in files.into_iter().flatten() {
                *named = base.join(&*named);
            }
        }
        Ok(draft)
    }

    /// Makes a runnable configuration. The token comes from `token`, else `token_file`, else `environment`
    /// asked for [`TOKEN_VARIABLE`].
    ///
    /// # Errors
    /// [`ConfigError`], naming the setting and what to write.
    pub fn check(self, environment: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let hub = hub_address(self.hub.as_deref())?;
        let token = match (self.token, self.token_file) {
            (Some(HiddenText(token)), _) => Token::new(&token)?,
            (None, Some(path)) => Token::new(&text_of("token_file", &path)?)?,
            (None, None) => Token::new(&environment(TOKEN_VARIABLE).ok_or(ConfigError::Missing {
                setting: "token",
                hint: "write token_file = \"…\" or set SHIELDWALL_TOKEN; `shieldwall token create` makes one",
            })?)?,
        };
        let state = self.state.ok_or(ConfigError::Missing {
            setting: "state",
            hint: "name a directory of this sensor alone, such as state = \"/var/lib/shieldwall/sensor\"",
        })?;
        let name = self.name.unwrap_or_else(|| "sensor".into());
        if name.is_empty() || name.len() > limits::NAME_BYTES_MAX || name.chars().any(char::is_control) {
            let problem = format!("must be 1 to {} bytes without control characters", limits::NAME_BYTES_MAX);
            return Err(unusable("name", problem));
        }
        let inputs = checked_inputs(self.inputs)?;
        if self.once && inputs.iter().any(|input| matches!(input.source, InputSource::Syslog(_))) {
            return Err(unusable("once", "has no end with a syslog+ input: leave one of them out"));
        }
        let seconds =
            |told: Option<u64>, setting: &str, default: u64, least: u64| match told.unwrap_or(default) {
                value if (least..=3600).contains(&value) => Ok(Duration::from_secs(value)),
                _ => Err(unusable(setting, format!("must be {least} to 3600"))),
            };
        let threads = self.threads.unwrap_or_else(|| cores() / 2).max(1);
        if self.threads == Some(0) || threads > THREADS_MAX {
            return Err(unusable("threads", format!("must be 1 to {THREADS_MAX}")));
        }
        let unbound_patterns = self.unbound_patterns.unwrap_or(0);
        if unbound_patterns > UNBOUND_PATTERNS_MAX {
            return Err(unusable("unbound_patterns", format!("must be 0 to {UNBOUND_PATTERNS_MAX}")));
        }
        let budget = self.rule_budget_microseconds.unwrap_or(RULE_BUDGET_MICROSECONDS);
        let first = self.first_report_milliseconds.unwrap_or(200);
        if first > 60_000 {
            return Err(unusable("first_report_milliseconds", "must be 0 to 60000"));
        }
        let memory_days = self.memory_days.unwrap_or(limits::MEMORY_DAYS_DEFAULT);
        if memory_days > 3_660 {
            return Err(unusable("memory_days", "must be 0 (no memory) to 3660"));
        }
        let memory_bytes = match self.memory_gigabytes {
            Some(0) => {
                return Err(unusable("memory_gigabytes", "must be at least 1; memory_days = 0 keeps none"));
            }
            Some(gigabytes) => u64::from(gigabytes) << 30,
            None => limits::MEMORY_BYTES_MAX,
        };
        for (percent, setting) in [
            (self.withhold_hosts_percent, "withhold_hosts_percent"),
            (self.withhold_lines_percent, "withhold_lines_percent"),
        ] {
            if percent == Some(0) {
                return Err(unusable(setting, "must be 1 to 101; 101 is never"));
            }
        }
        Ok(Config {
            memory_days,
            memory_bytes,
            withhold_hosts_percent: self.withhold_hosts_percent.unwrap_or(WITHHOLD_PERCENT),
            withhold_lines_percent: self.withhold_lines_percent.unwrap_or(WITHHOLD_PERCENT),
            release: self.release,
            hub,
            token,
            state,
            name,
            inputs,
            once: self.once,
            tell: self.tell,
            first_report: Duration::from_millis(first),
            repeat_report: seconds(self.repeat_report_seconds, "repeat_report_seconds", 5, 0)?,
            ca_file: self.ca_file,
            health: seconds(self.health_seconds, "health_seconds", 10, 1)?,
            poll: seconds(self.poll_seconds, "poll_seconds", 5, 1)?,
            drain: seconds(self.drain_seconds, "drain_seconds", 10, 0)?,
            decoder: self.decoder,
            threads,
            rule_budget: (budget > 0).then(|| Duration::from_micros(budget)),
            lateness: seconds(self.lateness_seconds, "lateness_seconds", 300, 0)?,
            unbound_patterns,
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// The hub's address: https, or http to this machine alone, because the token goes over the wire.
fn hub_address(told: Option<&str>) -> Result<Url, ConfigError> {
    let hint = "write the hub's address, such as hub = \"https://hub.example:8787\"";
    let text = told.ok_or(ConfigError::Missing { setting: "hub", hint })?;
    let hub =
        Url::parse(text).map_err(|error| unusable("hub", format!("is no address ({error}): {hint}")))?;
    if !matches!(hub.scheme(), "http" | "https") || hub.host().is_none() {
        return Err(unusable("hub", format!("is no http address: {hint}")));
    }
    if !hub.username().is_empty() || hub.password().is_some() {
        return Err(unusable("hub", "must not carry a user or password: the token proves who this is"));
    }
    if !matches!(hub.path(), "" | "/") || hub.query().is_some() || hub.fragment().is_some() {
        return Err(unusable("hub", format!("must end after the port: {hint}")));
    }
    if hub.scheme() == "http" && !is_this_machine(&hub) {
        return Err(unusable("hub", "must be https: over plain http everyone on the way reads the token"));
    }
    Ok(hub)
}

/// Whether the address can only be this machine.
pub(crate) fn is_this_machine(hub: &Url) -> bool {
    match hub.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn checked_inputs(drafts: Vec<InputDraft>) -> Result<Vec<Input>, ConfigError> {
    if drafts.is_empty() || drafts.len() > INPUTS_MAX {
        let hint = "name 1 to 256 inputs, such as [[input]] path = \"/var/log/suricata/eve.json\"";
        return Err(ConfigError::Missing { setting: "input", hint });
    }
    let known = BUILT_IN.map(|(file, _)| file.trim_end_matches(".toml"));
    let mut inputs = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        let stream = draft.stream().map(str::to_owned);
        let setting = format!("input[{place}].path");
        let listened = draft.listened().map(|path| draft.listen(path, &setting)).transpose()?;
        if listened.is_none() && (draft.certificates.is_some() || draft.key.is_some()) {
            return Err(unusable(setting, "has certificates or a key, which are for syslog+tls:// alone"));
        }
        let format = match (draft.format.as_deref(), draft.mapping) {
            (Some(_), Some(_)) => {
                return Err(unusable(format!("input[{place}]"), "has both format and mapping: keep one"));
            }
            (None, Some(path)) => InputFormat::Mapping(path),
            (None | Some("auto"), None) => InputFormat::Auto,
            (Some(name), None) if known.contains(&name) => InputFormat::Named(name.to_owned()),
            (Some(other), None) => {
                let problem = format!("is {other:?}: write auto, {}", known.join(", "));
                return Err(unusable(format!("input[{place}].format"), problem));
            }
        };
        let source = match draft.path {
            _ if let Some(listen) = listened => InputSource::Syslog(listen),
            _ if let Some(stream) = stream => {
                let setting = format!("input[{place}].path");
                InputSource::Nats(NatsInput::of(&setting, &stream, draft.credentials, draft.ca_file)?)
            }
            _ if draft.credentials.is_some() || draft.ca_file.is_some() => {
                let problem = "has credentials or ca_file, which are for nats:// streams alone";
                return Err(unusable(format!("input[{place}]"), problem));
            }
            path if path.as_os_str().is_empty() => {
                return Err(unusable(
                    format!("input[{place}].path"),
                    "is empty: name a file, or - for standard input",
                ));
            }
            path if path == Path::new("-") => InputSource::Stdin,
            path => InputSource::File(path),
        };
        if inputs.iter().any(|other: &Input| other.source == source) {
            return Err(unusable(format!("input[{place}].path"), format!("{source} is named twice")));
        }
        inputs.push(Input { source, format });
    }
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "swt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn draft(text: &str) -> ConfigDraft {
        toml::from_str(text).unwrap()
    }

    const WHOLE: &str = r#"
        hub = "https://hub.example:8787"
        state = "/s"
        tell = "hashed"
        [[input]]
        path = "/var/log/eve.json"
        format = "suricata"
        [[input]]
        path = "-"
        mapping = "own.toml"
    "#;

    #[test]
    fn a_whole_file_is_read_with_its_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sensor.toml");
        std::fs::write(&path, WHOLE).unwrap();
        let config = ConfigDraft::read(&path).unwrap().check(|_| Some(TOKEN.into())).unwrap();
        assert_eq!(config.tell, Tell::Hashed);
        assert_eq!(config.first_report, Duration::from_millis(200));
        assert_eq!(config.inputs[0].source, InputSource::File("/var/log/eve.json".into()));
        assert_eq!(config.inputs[1].format, InputFormat::Mapping(directory.path().join("own.toml")));
    }

    #[test]
    fn errors_name_the_place_and_what_to_write() {
        let cases = [
            ("", "sensor.config.missing", "`hub`"),
            ("hub = 'http://hub.example'", "sensor.config.unusable", "https"),
            ("hub = 'https://u:p@hub.example'", "sensor.config.unusable", "user or password"),
            ("hub = 'https://hub.example/api'", "sensor.config.unusable", "after the port"),
            ("hub = 'http://127.0.0.1:1'", "sensor.config.missing", "`state`"),
            ("hub = 'http://[::1]:1'\nstate = 's'", "sensor.config.missing", "`input`"),
            (
                "hub = 'http://localhost'\nstate = 's'\n[[input]]\npath = 'a'\n[[input]]\npath = 'b'\nformat = 'pcap'",
                "sensor.config.unusable",
                "`input[1].format` is \"pcap\"",
            ),
            (
                "hub = 'http://localhost'\nstate = 's'\n[[input]]\npath = 'a'\n[[input]]\npath = 'a'",
                "sensor.config.unusable",
                "named twice",
            ),
            (
                "hub = 'http://localhost'\nstate = 's'\nhealth_seconds = 0\n[[input]]\npath = 'a'",
                "sensor.config.unusable",
                "`health_seconds` must be 1 to 3600",
            ),
        ];
        for (text, code, part) in cases {
            let error = draft(text).check(|_| Some(TOKEN.into())).unwrap_err();
            assert_eq!(error.code(), code, "{text}: {error}");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sensor.toml");
        std::fs::write(&path, "hub = 'https://a'\nhubb = 1\n").unwrap();
        let error = ConfigDraft::read(&path).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        std::fs::write(&path, format!("token = {TOKEN}\n")).unwrap();
        let error = ConfigDraft::read(&path).unwrap_err();
        assert!(
            error.code() == "sensor.config.form" && !format!("{error} {error:?}").contains(TOKEN),
            "{error}"
        );
    }

    #[test]
    fn the_token_is_never_shown() {
        let mut told = draft(WHOLE);
        told.token = Some(HiddenText(TOKEN.into()));
        assert!(!format!("{told:?}").contains(TOKEN));
        let config = told.check(|_| None).unwrap();
        assert!(!format!("{config:?}").contains("AAAA"), "{config:?}");
        let refused = Token::new("secret-of-another-kind").unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert!(!format!("{refused:?}").contains("secret-of"), "{refused:?}");
    }

    #[test]
    fn the_token_comes_from_its_file_or_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        let mut told = draft(WHOLE);
        told.token_file = Some(file);
        assert_eq!(told.check(|_| None).unwrap().token.secret(), TOKEN);
        assert_eq!(draft(WHOLE).check(|_| None).unwrap_err().code(), "sensor.config.missing");
        let asked = draft(WHOLE).check(|name| (name == TOKEN_VARIABLE).then(|| TOKEN.into()));
        assert_eq!(asked.unwrap().token.secret(), TOKEN);
    }
}
