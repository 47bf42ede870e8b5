//! Suricata: rules, one a value, and datasets for what is too much for rules (Suricata user guide, "Rules" and
//! "Datasets").
//!
//! A rule's number is made of its value, so it stays when everything around it changes: see [`sid`].

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shieldwall_watch::reach;
use shieldwall_watch::value::{Kind, Value};
use uuid::Uuid;

use super::{Format, Item, LeftOut, domain, is_plain_name};

/// The first number of our rules. Below two billion stand the ranges others have been given; the datasets' own rules
/// have the ten before this.
pub const SID_FIRST: u32 = 3_000_000_010;
/// The last number Suricata takes: one below what 32 bits hold.
pub const SID_LAST: u32 = u32::MAX - 1;
/// The numbers of the rules that load the datasets.
const SID_DATASETS: u32 = 3_000_000_000;

/// The namespace of rule numbers, made once at random.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0e_7c7a_3a52_4c58_9d0c_2f0a_4a1e_77b3);

/// The number of a value's rule: the first 32 bits of a name-based UUID (RFC 9562 section 5.5) over its kind and
/// normal form, folded into [`SID_FIRST`]..=[`SID_LAST`]. Two values can meet in one number (at 10,000 rules about one
/// pair in twenty-five feeds): then the later one in the feed takes the next that is free.
pub fn sid(value: &Value) -> u32 {
    let name = format!("{}:{value}", value.kind());
    let bytes = *Uuid::new_v5(&NAMESPACE, name.as_bytes()).as_bytes();
    let [a, b, c, d, ..] = bytes;
    SID_FIRST + u32::from_be_bytes([a, b, c, d]) % (SID_LAST - SID_FIRST + 1)
}

fn free_sid(value: &Value, taken: &mut BTreeSet<u32>) -> u32 {
    let mut number = sid(value);
    while !taken.insert(number) {
        number = if number == SID_LAST { SID_FIRST } else { number + 1 };
    }
    number
}

/// Text inside a `msg`: what would end it or the rule is left out.
fn message(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ';' | '\\' | ':' | '|');
    let kept: String = text.chars().map(|c| if plain(c) { c } else { ' ' }).take(80).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text inside a `content`: anything but letters, digits and the plainest signs as hex between bars.
fn content(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'=' | b'&' | b'?') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "|{byte:02x}|");
        }
    }
    out
}

/// The rule of a value.
pub(super) fn rule(item: &Item<'_>, taken: &mut BTreeSet<u32>, out: &mut String) -> Result<(), LeftOut> {
    let value = item.value.to_string();
    let (head, matching) = match item.value.kind() {
        Kind::Domain => {
            let name = domain(item.value)?;
            (
                "dns $HOME_NET any -> any any",
                format!("dns.query; dotprefix; content:\".{name}\"; nocase; endswith;"),
            )
        }
        Kind::Url => ("http $HOME_NET any -> any any", url(&value)?),
        Kind::Ja3 => ("tls $HOME_NET any -> any any", format!("ja3.hash; content:\"{value}\";")),
        Kind::Ipv4 | Kind::Ipv6 | Kind::Cidr4 | Kind::Cidr6 => {
            let number = free_sid(item.value, taken);
            let _ = write!(out, "alert ip $HOME_NET any <> {} any ", address(item.value)?);
            close(item, "", number, out);
            return Ok(());
        }
        Kind::IpPort => {
            let (host, port) = value.rsplit_once(':').ok_or(LeftOut::Unwritable)?;
            let number = free_sid(item.value, taken);
            let _ = write!(out, "alert ip $HOME_NET any -> {host} {port} ");
            close(item, "", number, out);
            return Ok(());
        }
        _ => return Err(LeftOut::NoPlace),
    };
    let number = free_sid(item.value, taken);
    let _ = write!(out, "alert {head} ");
    close(item, &matching, number, out);
    Ok(())
}

fn close(item: &Item<'_>, matching: &str, number: u32, out: &mut String) {
    let (name, id) = (message(item.name), message(item.indicator));
    let matching = if matching.is_empty() { String::new() } else { format!("{matching} ") };
    let _ = writeln!(
        out,
        "(msg:\"Shieldwall {name}\"; {matching}classtype:trojan-activity; metadata:indicator {id}; sid:{number}; rev:1;)"
    );
}

/// Addresses as a rule has them: IPv6 in brackets where a port could follow.
fn address(value: &Value) -> Result<String, LeftOut> {
    // What the value reaches is read back, so nothing but an address can come out.
    reach::addresses(value).map(|_| value.to_string()).ok_or(LeftOut::Unwritable)
}

/// A URL by its host and the beginning of its path. Encrypted requests show neither: only the host's name does, by DNS.
fn url(text: &str) -> Result<String, LeftOut> {
    let (_, rest) = text.split_once("//").ok_or(LeftOut::Unwritable)?;
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    let is_host = is_plain_name(host) || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    // A content holds at most 255 bytes.
    if !is_host || host.is_empty() || path.len() > 250 || host.len() > 250 {
        return Err(LeftOut::Unwritable);
    }
    let host = content(host);
    // `bsize` is not asked: what comes after the listed path is the same place with more to it.
    Ok(format!(
        "http.host; content:\"{host}\"; startswith; endswith; http.uri; content:\"/{}\"; startswith;",
        content(path)
    ))
}

/// A line of a dataset: `string` sets are base64, sets of addresses are text.
pub(super) fn dataset_line(format: Format, item: &Item<'_>, out: &mut String) -> Result<(), LeftOut> {
    let kind = item.value.kind();
    let line = match format {
        Format::SuricataDomains if kind == Kind::Domain => STANDARD.encode(domain(item.value)?),
        Format::SuricataIps if matches!(kind, Kind::Ipv4 | Kind::Ipv6) => address(item.value)?,
        Format::SuricataJa3 if kind == Kind::Ja3 => STANDARD.encode(item.value.to_string()),
        _ => return Err(LeftOut::NoPlace),
    };
    let _ = writeln!(out, "{line}");
    Ok(())
}

/// The rules that load the lists. A set knows whole names alone: a name below a listed one is met by the rules feed or
/// by the zone.
pub(super) fn dataset_rules(out: &mut String) {
    let sets = [
        (
            "dns $HOME_NET any -> any any",
            "domain asked for",
            "dns.query; to_lowercase",
            "string",
            Format::SuricataDomains,
        ),
        (
            "tls $HOME_NET any -> any any",
            "domain in TLS",
            "tls.sni; to_lowercase",
            "string",
            Format::SuricataDomains,
        ),
        ("http $HOME_NET any -> any any", "domain in HTTP", "http.host", "string", Format::SuricataDomains),
        ("ip $HOME_NET any -> any any", "address spoken to", "ip.dst", "ip", Format::SuricataIps),
        ("ip any any -> $HOME_NET any", "address that speaks", "ip.src", "ip", Format::SuricataIps),
        ("tls $HOME_NET any -> any any", "JA3", "ja3.hash", "string", Format::SuricataJa3),
    ];
    for (number, (head, what, buffer, kind, format)) in (SID_DATASETS..).zip(sets) {
        let file = format.file_name();
        let set = file.trim_end_matches(".lst");
        let _ = writeln!(
            out,
            "alert {head} (msg:\"Shieldwall {what}\"; {buffer}; dataset:isset,{set},type {kind},load {file}; classtype:trojan-activity; sid:{number}; rev:1;)"
        );
    }
}
