//! Feeds out: the values a member's own devices may block, each format as the device reads it.
//!
//! Every writer is pure: an item goes in, its line comes out, or why there is none. Whatever a value holds, it stays on
//! its line, in its rule, in its zone: a value that could not be written so is left out and counted, never bent.
//!
//! | format | what takes it | what it can hold |
//! |---|---|---|
//! | `plain` | anything | every kind, one value a line |
//! | `csv` | spreadsheets, scripts | every kind, with what is known of it |
//! | `hosts` | `/etc/hosts`, Pi-hole | domains |
//! | `rpz` | BIND, Unbound, PowerDNS, Knot | domains with all below them, addresses, networks |
//! | `suricata-rules` | Suricata from 7 on | domains, addresses, networks, endpoints, URLs, JA3 |
//! | `suricata-domains`, `suricata-ips`, `suricata-ja3` | Suricata datasets | one kind each, a million of them |
//! | `suricata-datasets` | Suricata | the rules that load those lists |
//! | `zeek` | Zeek's intelligence framework | domains, addresses, networks, URLs, mail addresses, file hashes and names |
//! | `stix` | anything that reads STIX 2.1 | the indicators as their owners sent them |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::Serialize;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};

mod dns;
mod suricata;
mod text;

pub use self::dns::ZONE_DEFAULT;
pub use self::suricata::{SID_FIRST, SID_LAST, sid};

/// How a feed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One value a line.
    Plain,
    /// A table with a header.
    Csv,
    /// A hosts file.
    Hosts,
    /// A DNS response policy zone.
    Rpz,
    /// Suricata rules.
    SuricataRules,
    /// A Suricata dataset of domains.
    SuricataDomains,
    /// A Suricata dataset of addresses.
    SuricataIps,
    /// A Suricata dataset of JA3 fingerprints.
    SuricataJa3,
    /// The Suricata rules that load the datasets.
    SuricataDatasets,
    /// A file of Zeek's intelligence framework.
    Zeek,
    /// A STIX 2.1 bundle.
    Stix,
}

impl Format {
    /// Every format, in the order they are shown.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Csv,
        Self::Hosts,
        Self::Rpz,
        Self::SuricataRules,
        Self::SuricataDomains,
        Self::SuricataIps,
        Self::SuricataJa3,
        Self::SuricataDatasets,
        Self::Zeek,
        Self::Stix,
    ];

    /// The name as it stands in addresses and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Csv => "csv",
            Self::Hosts => "hosts",
            Self::Rpz => "rpz",
            Self::SuricataRules => "suricata-rules",
            Self::SuricataDomains => "suricata-domains",
            Self::SuricataIps => "suricata-ips",
            Self::SuricataJa3 => "suricata-ja3",
            Self::SuricataDatasets => "suricata-datasets",
            Self::Zeek => "zeek",
            Self::Stix => "stix",
        }
    }

    /// The media type it is sent as.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Stix => "application/stix+json;version=2.1",
            Self::Rpz => "text/dns; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// What to call its file; the rules that load the datasets name them so.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Plain => "shieldwall.txt",
            Self::Csv => "shieldwall.csv",
            Self::Hosts => "shieldwall.hosts",
            Self::Rpz => "shieldwall.rpz",
            Self::SuricataRules => "shieldwall.rules",
            Self::SuricataDomains => "shieldwall-domains.lst",
            Self::SuricataIps => "shieldwall-ips.lst",
            Self::SuricataJa3 => "shieldwall-ja3.lst",
            Self::SuricataDatasets => "shieldwall-datasets.rules",
            Self::Zeek => "shieldwall.intel",
            Self::Stix => "shieldwall.json",
        }
    }

    /// Whether each line stands for itself, so that changes can be told as lines added and removed.
    pub const fn has_lines(self) -> bool {
        !matches!(self, Self::Stix | Self::SuricataDatasets)
    }

    /// What begins a comment, where the format has comments.
    const fn comment(self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Hosts | Self::SuricataRules | Self::SuricataDatasets | Self::Zeek => {
                Some("#")
            }
            Self::Rpz => Some(";"),
            Self::Csv | Self::SuricataDomains | Self::SuricataIps | Self::SuricataJa3 | Self::Stix => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no format of a feed: write plain, csv, hosts, rpz, suricata-rules, suricata-domains, suricata-ips, suricata-ja3, suricata-datasets, zeek or stix"
)]
pub struct FormatError(String);

impl FormatError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "exchange.feed.format"
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| FormatError(text.chars().take(40).collect()))
    }
}

/// Why something does not stand in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// Held back: no curator has looked at it yet.
    Held,
    /// Over, by its owner's word or because its score is spent.
    Expired,
    /// Taken back by its owner.
    Recalled,
    /// Revoked by its owner.
    Revoked,
    /// A pattern that is no list of values.
    NoValues,
    /// A role other than malicious: watched, never blocked.
    NotForBlocking,
    /// Blocking it would block something that must stay reachable.
    Protected,
    /// Too broad, or local to every network.
    TooBroad,
    /// Not asked for by this reader.
    Filtered,
    /// The same value stands in the feed already.
    Repeated,
    /// This format has no place for its kind.
    NoPlace,
    /// This format cannot write it without harm to other lines.
    Unwritable,
}

impl LeftOut {
    /// Every reason, in order.
    pub const ALL: [Self; 12] = [
        Self::Held,
        Self::Expired,
        Self::Recalled,
        Self::Revoked,
        Self::NoValues,
        Self::NotForBlocking,
        Self::Protected,
        Self::TooBroad,
        Self::Filtered,
        Self::Repeated,
        Self::NoPlace,
        Self::Unwritable,
    ];

    /// The name as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Recalled => "recalled",
            Self::Revoked => "revoked",
            Self::NoValues => "no-values",
            Self::NotForBlocking => "not-for-blocking",
            Self::Protected => "protected",
            Self::TooBroad => "too-broad",
            Self::Filtered => "filtered",
            Self::Repeated => "repeated",
            Self::NoPlace => "no-place",
            Self::Unwritable => "unwritable",
        }
    }

    /// The reason in words, for comments.
    const fn words(self) -> &'static str {
        match self {
            Self::Held => "held back until a curator has looked at them",
            Self::Expired => "over",
            Self::Recalled => "taken back",
            Self::Revoked => "revoked",
            Self::NoValues => "patterns that are no list of values",
            Self::NotForBlocking => "in a role that is never blocked",
            Self::Protected => "would block what must stay reachable",
            Self::TooBroad => "too broad or local",
            Self::Filtered => "not asked for",
            Self::Repeated => "listed already",
            Self::NoPlace => "of a kind this format has no place for",
            Self::Unwritable => "not writable in this format",
        }
    }
}

/// What a feed holds and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Values listed (in a bundle: objects).
    pub listed: u64,
    /// What was left out, and how often.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// When what this feed is made of last changed: the serial of a zone.
    pub changed: Timestamp,
}

impl Summary {
    /// Counts one that is left out.
    pub fn leave_out(&mut self, why: LeftOut) {
        *self.left_out.entry(why).or_default() += 1;
    }

    /// The counts of what was left out, `expired=3, protected=1`.
    pub fn left_out_line(&self) -> String {
        let pairs: Vec<String> =
            self.left_out.iter().map(|(why, count)| format!("{}={count}", why.as_str())).collect();
        pairs.join(", ")
    }
}

/// A value on its way into a feed.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The value.
    pub value: &'a Value,
    /// The indicator's id.
    pub indicator: &'a str,
    /// Its name, as somebody wrote it.
    pub name: &'a str,
    /// The name of the sharing group it comes from.
    pub group: &'a str,
    /// Its marking's label.
    pub marking: Option<&'a str>,
    /// How sure its owner is.
    pub confidence: Option<u8>,
    /// When it ends.
    pub ends: Option<Timestamp>,
}

/// Writes one feed.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    zone: String,
    sids: BTreeSet<u32>,
}

impl Writer {
    /// A writer of this format; `zone` is the name of a response policy zone.
    pub fn new(format: Format, zone: Option<&str>) -> Self {
        let zone = zone.and_then(dns::zone_name).unwrap_or_else(|| ZONE_DEFAULT.to_owned());
        Self { format, zone, sids: BTreeSet::new() }
    }

    /// Writes the line or lines of `item`.
    ///
    /// # Errors
    /// [`LeftOut::NoPlace`], [`LeftOut::Unwritable`]; then nothing was written.
    pub fn item(&mut self, item: &Item<'_>, out: &mut Vec<u8>) -> Result<(), LeftOut> {
        let mut line = String::new();
        match self.format {
            Format::Plain => text::plain(item, &mut line)?,
            Format::Csv => text::csv(item, &mut line)?,
            Format::Hosts => text::hosts(item, &mut line)?,
            Format::Rpz => dns::records(item, &self.zone, &mut line)?,
            Format::SuricataRules => suricata::rule(item, &mut self.sids, &mut line)?,
            Format::SuricataDomains | Format::SuricataIps | Format::SuricataJa3 => {
                suricata::dataset_line(self.format, item, &mut line)?;
            }
            Format::Zeek => text::zeek(item, &mut line)?,
            Format::SuricataDatasets | Format::Stix => return Err(LeftOut::NoPlace),
        }
        out.extend_from_slice(line.as_bytes());
        Ok(())
    }

    /// What stands before the items. It tells no time: the same values give the same bytes.
    pub fn head(&self, summary: &Summary, id: &str) -> Vec<u8> {
        let mut out = String::new();
        // Zeek reads the first line as the fields.
        match self.format {
            Format::Csv => out.push_str(text::CSV_HEAD),
            Format::Zeek => out.push_str(text::ZEEK_HEAD),
            Format::Stix => {
                let _ = write!(out, r#"{{"type":"bundle","id":"bundle--{id}","objects":["#);
            }
            _ => {}
        }
        if let Some(sign) = self.format.comment() {
            let _ = writeln!(out, "{sign} Shieldwall: what may be blocked, {} values", summary.listed);
            for (why, count) in &summary.left_out {
                let _ = writeln!(out, "{sign} left out, {}: {count}", why.words());
            }
        }
        match self.format {
            Format::Rpz => dns::head(&self.zone, summary.changed, &mut out),
            Format::SuricataDatasets => suricata::dataset_rules(&mut out),
            _ => {}
        }
        out.into_bytes()
    }

    /// What stands after them.
    pub fn tail(&self) -> &'static [u8] {
        if self.format == Format::Stix { b"]}\n" } else { b"" }
    }
}

/// Whether a text can stand on a line of its own and stay there: no control character, and none of those that some
/// readers take for the end of a line.
fn is_one_line(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}'))
}

/// Whether a name is made of what host names are made of, so that it means nothing else anywhere.
fn is_plain_name(text: &str) -> bool {
    text.contains('.')
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A domain that can be written anywhere.
fn domain(value: &Value) -> Result<String, LeftOut> {
    let name = value.to_string();
    match value.kind() {
        Kind::Domain if is_plain_name(&name) => Ok(name),
        Kind::Domain => Err(LeftOut::Unwritable),
        _ => Err(LeftOut::NoPlace),
    }
}

#[cfg(test)]
mod tests;
