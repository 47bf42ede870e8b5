//! Attributes in the formats MISP's `restSearch` returns beside JSON: CSV, text, Suricata rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::event::Event;
use super::node::{self, Node};
use uuid::Uuid;

/// The columns of MISP's CSV where the request names none.
pub const COLUMNS: [&str; 13] = [
    "uuid",
    "event_id",
    "category",
    "type",
    "value",
    "comment",
    "to_ids",
    "date",
    "object_relation",
    "attribute_tag",
    "object_uuid",
    "object_name",
    "object_meta_category",
];

/// An attribute, with what it stands in.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its event.
    pub event: &'a Event,
    /// Its object, if it stands in one.
    pub object: Option<&'a Node>,
    /// Itself.
    pub attribute: &'a Node,
}

/// Every attribute of an event, with its object.
pub fn found_in(event: &Event) -> impl Iterator<Item = Found<'_>> {
    let own =
        node::list(&event.node, "Attribute").map(move |attribute| Found { event, object: None, attribute });
    let of_objects = node::list(&event.node, "Object").flat_map(move |object| {
        node::list(object, "Attribute").map(move |attribute| Found { event, object: Some(object), attribute })
    });
    own.chain(of_objects)
}

/// CSV with these columns; a column nobody knows is empty.
pub fn csv<'a>(found: impl IntoIterator<Item = Found<'a>>, columns: &[String], header: bool) -> String {
    let mut text = String::new();
    if header {
        text.push_str(&columns.join(","));
        text.push('\n');
    }
    for one in found {
        let fields: Vec<String> = columns.iter().map(|column| quoted(&field(&one, column))).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn field(found: &Found<'_>, column: &str) -> String {
    let Found { event, object, attribute } = found;
    let of_object = |key: &str| object.map(|object| node::shown(object, key)).unwrap_or_default();
    match column {
        "date" | "event_date" => node::shown(attribute, "timestamp"),
        "attribute_tag" => node::tags(attribute).collect::<Vec<_>>().join(","),
        "object_uuid" => of_object("uuid"),
        "object_name" => of_object("name"),
        "object_meta_category" => of_object("meta-category"),
        "event_uuid" => event.uuid().to_string(),
        "event_info" => event.info().to_owned(),
        "event_id" => node::id_number(event.uuid()),
        column => node::shown(attribute, column),
    }
}

/// A field of CSV (RFC 4180 section 2), in quotes where it must be. One that a spreadsheet would take for a formula
/// stays as it is: whoever reads this reads it by program.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The values, one a line, each once.
pub fn text<'a>(found: impl IntoIterator<Item = Found<'a>>) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for one in found {
        let value = node::shown(one.attribute, "value");
        if !value.contains(['\n', '\r']) && seen.insert(value.clone()) {
            text.push_str(&value);
            text.push('\n');
        }
    }
    text
}

/// Lowest signature id given to a rule; below it lie those of public rule sets.
const SID_MIN: u32 = 1_000_000_000;

/// Suricata rules for the attributes for detection that have one.
pub fn suricata<'a>(found: impl IntoIterator<Item = Found<'a>>) -> String {
    let mut sids = BTreeSet::new();
    let mut text = String::from("# Rules that alert; made from what was shared, attribute by attribute.\n");
    for one in found.into_iter().filter(|one| node::flag(one.attribute, "to_ids")) {
        let kind = node::text(one.attribute, "type").unwrap_or_default();
        let value = node::shown(one.attribute, "value");
        let uuid = node::uuid(one.attribute, "uuid").unwrap_or_default();
        if matches!(kind, "snort" | "suricata") && !value.contains('\n') {
            text.push_str(&value);
            text.push('\n');
            continue;
        }
        for (head, matching) in rules(kind, &value) {
            let sid = sid(uuid, &mut sids);
            let revision = node::number(one.attribute, "timestamp").unwrap_or(1).clamp(1, 2_147_483_647);
            let message = plain(&format!("{kind} {value} (event {})", one.event.uuid()));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "alert {head} (msg:\"{message}\"; {matching} reference:url,misp/{uuid}; metadata:attribute {uuid}; sid:{sid}; rev:{revision};)"
            );
        }
    }
    text
}

/// An id for a rule: the same for the same attribute, unless two want one.
fn sid(uuid: Uuid, used: &mut BTreeSet<u32>) -> u32 {
    let mut sid = SID_MIN + (uuid.as_u128() % 1_000_000_000) as u32;
    while !used.insert(sid) {
        sid = if sid >= SID_MIN + 999_999_999 { SID_MIN } else { sid + 1 };
    }
    sid
}

/// Protocol, addresses and conditions of the rules for a value.
fn rules(kind: &str, value: &str) -> Vec<(String, String)> {
    let address = |text: &str| -> Option<String> {
        let (host, bits) = text.split_once('/').map_or((text, None), |(host, bits)| (host, Some(bits)));
        host.parse::<std::net::IpAddr>().ok()?;
        bits.map_or(Some(()), |bits| bits.parse::<u8>().ok().map(|_| ()))?;
        Some(text.to_owned())
    };
    let name = |name: &str| -> Vec<(String, String)> {
        let good = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !good {
            return Vec::new();
        }
        let content = format!("content:\"{}\"; nocase; endswith;", name.to_ascii_lowercase());
        vec![
            (
                "dns any any -> any any".to_owned(),
                format!("dns.query; dotprefix; {}", content.replacen('"', "\".", 1)),
            ),
            (
                "tls any any -> any any".to_owned(),
                format!("tls.sni; dotprefix; {}", content.replacen('"', "\".", 1)),
            ),
        ]
    };
    match kind {
        "ip-dst" => {
            address(value).map(|at| (format!("ip any any -> {at} any"), String::new())).into_iter().collect()
        }
        "ip-src" => {
            address(value).map(|at| (format!("ip {at} any -> any any"), String::new())).into_iter().collect()
        }
        "ip-dst|port" | "ip-src|port" => {
            let Some((host, port)) = value.split_once('|') else { return Vec::new() };
            let (Some(host), Ok(port)) = (address(host), port.parse::<u16>()) else { return Vec::new() };
            let head = if kind == "ip-dst|port" {
                format!("ip any any -> {host} {port}")
            } else {
                format!("ip {host} {port} -> any any")
            };
            vec![(head, String::new())]
        }
        "domain" | "hostname" => name(value),
        "domain|ip" | "hostname|port" => {
            value.split_once('|').map(|(host, _)| name(host)).unwrap_or_default()
        }
        "url" => {
            let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            let host = host.split_once(':').map_or(host, |(host, _)| host);
            if host.is_empty() {
                return Vec::new();
            }
            let matching = format!(
                "http.host; content:\"{}\"; bsize:{}; http.uri; content:\"{}\"; startswith;",
                content(&host.to_ascii_lowercase()),
                host.len(),
                content(&format!("/{path}"))
            );
            vec![("http any any -> any any".to_owned(), matching)]
        }
        "user-agent" if !value.is_empty() => {
            vec![(
                "http any any -> any any".to_owned(),
                format!("http.user_agent; content:\"{}\";", content(value)),
            )]
        }
        "ja3-fingerprint-md5" if value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            vec![(
                "tls any any -> any any".to_owned(),
                format!("ja3.hash; content:\"{}\";", value.to_ascii_lowercase()),
            )]
        }
        _ => Vec::new(),
    }
}

/// Bytes of a `content`: all but letters, digits and a few marks in hexadecimal.
fn content(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "|{byte:02X}|");
        }
    }
    out
}

/// Words of a message: what ends a string or an option is taken out.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | ';' | '\\' | '|') { c } else { ' ' })
        .take(200)
        .collect()
}
