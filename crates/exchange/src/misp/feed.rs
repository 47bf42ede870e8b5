//! MISP feed directories: `manifest.json`, `<uuid>.json`, `hashes.csv`. Plain functions over bytes, for readers from disk
//! and over HTTP alike, and for whoever serves one.
//!
//! The manifest is an object from event UUIDs to what PyMISP calls an event's manifest (`Orgc`, `Tag`, `info`, `date`,
//! `analysis`, `threat_level_id`, `timestamp`), with `integrity:sha256` of the event file's bytes where the feed has
//! it. `hashes.csv` has a line `md5,event uuid` for each value of an attribute, each half of a composite one for itself.

use std::collections::{BTreeMap, BTreeSet};

use md5::Md5;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::{Event, MispError};
use super::node::{self, Node};

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// The hashes' file name.
pub const HASHES: &str = "hashes.csv";
/// The key of an event file's SHA-256 in the manifest.
pub const INTEGRITY: &str = "integrity:sha256";

/// A feed's table of contents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// The events, by UUID.
    pub events: BTreeMap<Uuid, ManifestEntry>,
    /// Keys that are no UUID, or have nothing under them: nothing is fetched for them.
    pub refused: Vec<String>,
}

/// What a manifest says of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestEntry {
    /// Its `info`.
    pub info: String,
    /// When it was last changed, in seconds since the epoch; 0 when it does not say.
    pub timestamp: i64,
    /// SHA-256 of the event file, in lower-case hexadecimal, where the feed has it.
    pub sha256: Option<String>,
    /// All of it.
    pub node: Node,
}

/// The name of an event's file. Made from a UUID, so that no manifest leads out of its directory.
pub fn file_name(event: Uuid) -> String {
    format!("{event}.json")
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`MispError`] when it is no JSON object.
    pub fn read(bytes: &[u8]) -> Result<Self, MispError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|source| MispError::Json { what: "feed manifest", source })?;
        let all = match value {
            Value::Object(all) => all,
            // An empty feed, as PHP writes an empty object.
            Value::Array(all) if all.is_empty() => Node::new(),
            _ => return Err(MispError::Shape("feed manifest")),
        };
        let mut manifest = Self::default();
        for (key, value) in all {
            let uuid = if key.len() == 36 { Uuid::try_parse(&key).ok() } else { None };
            match (uuid, value) {
                (Some(uuid), Value::Object(node)) => {
                    let sha256 = node::text(&node, INTEGRITY).map(str::to_ascii_lowercase);
                    let entry = ManifestEntry {
                        info: node::text(&node, "info").unwrap_or_default().to_owned(),
                        timestamp: node::number(&node, "timestamp").unwrap_or(0),
                        sha256,
                        node,
                    };
                    manifest.events.insert(uuid, entry);
                }
                _ => manifest.refused.push(key.chars().take(80).collect()),
            }
        }
        Ok(manifest)
    }

    /// The events that are new or changed to somebody who knows these, by UUID and timestamp.
    pub fn changed_since<'a>(
        &'a self,
        known: &'a BTreeMap<Uuid, i64>,
    ) -> impl Iterator<Item = (Uuid, &'a ManifestEntry)> {
        self.events.iter().filter_map(|(uuid, entry)| {
            let held = known.get(uuid).is_some_and(|at| *at >= entry.timestamp && entry.timestamp > 0);
            (!held).then_some((*uuid, entry))
        })
    }
}

impl ManifestEntry {
    /// Checks an event file's bytes against the manifest, where the manifest says what they are.
    ///
    /// # Errors
    /// [`MispError::Integrity`].
    pub fn check(&self, bytes: &[u8]) -> Result<(), MispError> {
        let Some(said) = &self.sha256 else { return Ok(()) };
        let found = sha256(bytes);
        if *said == found { Ok(()) } else { Err(MispError::Integrity { said: said.clone(), found }) }
    }
}

/// Reads one event file of a feed.
///
/// # Errors
/// [`MispError`] when it holds none, or more than one.
pub fn read_event(bytes: &[u8]) -> Result<Event, MispError> {
    let mut events = super::event::read_events(bytes)?;
    match (events.pop(), events.is_empty()) {
        (Some(event), true) => Ok(event),
        _ => Err(MispError::Shape("event")),
    }
}

/// What the manifest says of an event whose file has these bytes.
pub fn manifest_entry(event: &Event, file: &[u8]) -> Value {
    let node = &event.node;
    let orgc = node.get("Orgc").and_then(Value::as_object);
    let of_org = |key: &str| orgc.map(|org| node::shown(org, key)).unwrap_or_default();
    let tags: Vec<Value> = node::list(node, "Tag").map(feed_tag).collect();
    let or = |key: &str, otherwise: &str| match node::shown(node, key) {
        text if text.is_empty() => otherwise.to_owned(),
        text => text,
    };
    let mut entry = json!({
        "Orgc": {"name": of_org("name"), "uuid": of_org("uuid")},
        "Tag": tags,
        "info": event.info(),
        "date": or("date", "1970-01-01"),
        "analysis": or("analysis", "2"),
        "threat_level_id": or("threat_level_id", "4"),
        "timestamp": or("timestamp", "0"),
    });
    if let Some(fields) = entry.as_object_mut() {
        fields.insert(INTEGRITY.into(), Value::from(sha256(file)));
    }
    entry
}

fn feed_tag(tag: &Node) -> Value {
    json!({"name": node::shown(tag, "name"), "colour": node::text(tag, "colour").unwrap_or("#ffffff")})
}

/// A whole manifest, from each event's entry.
pub fn manifest<'a>(entries: impl IntoIterator<Item = (Uuid, &'a Value)>) -> Vec<u8> {
    let all: Map<String, Value> =
        entries.into_iter().map(|(uuid, entry)| (uuid.to_string(), entry.clone())).collect();
    serde_json::to_vec(&all).unwrap_or_default()
}

/// What an event's file holds: what is meant for others to read, without ids and audiences of this instance.
pub fn event_file(event: &Event) -> Vec<u8> {
    serde_json::to_vec(&json!({"Event": for_feed(&event.node)})).unwrap_or_default()
}

/// Keys of an instance, not of what it knows. Ids are numbers of that instance's tables.
const OF_AN_INSTANCE: [&str; 21] = [
    "id",
    "org_id",
    "orgc_id",
    "event_id",
    "object_id",
    "sharing_group_id",
    "distribution",
    "SharingGroup",
    "Org",
    "attribute_count",
    "event_creator_email",
    "user_id",
    "locked",
    "proposal_email_lock",
    "ShadowAttribute",
    "RelatedEvent",
    "RelatedAttribute",
    "Sighting",
    "galaxy_id",
    "galaxy_cluster_id",
    "referenced_galaxy_cluster_id",
];

fn for_feed(node: &Node) -> Node {
    let kept = node.iter().filter(|(key, _)| !OF_AN_INSTANCE.contains(&key.as_str()));
    let inside = |value: &Value| match value {
        Value::Object(inner) => Value::Object(for_feed(inner)),
        Value::Array(items) => items
            .iter()
            .filter(|item| !item.as_object().is_some_and(|node| node::flag(node, "deleted")))
            .map(|item| match item {
                Value::Object(inner) => Value::Object(for_feed(inner)),
                other => other.clone(),
            })
            .collect(),
        other => other.clone(),
    };
    kept.map(|(key, value)| (key.clone(), inside(value))).collect()
}

/// The lines of `hashes.csv` for these events.
pub fn hashes<'a>(events: impl IntoIterator<Item = &'a Event>) -> String {
    let mut text = String::new();
    for event in events {
        let uuid = event.uuid();
        let mut seen = BTreeSet::new();
        for attribute in event.attributes().filter(|attribute| !node::flag(attribute, "deleted")) {
            for half in halves(attribute) {
                let digest = hex(&Md5::digest(half.as_bytes()));
                if seen.insert(digest.clone()) {
                    text.push_str(&digest);
                    text.push_str(&format!(",{uuid}\n"));
                }
            }
        }
    }
    text
}

/// The values of an attribute: both of one whose type has two halves.
fn halves(attribute: &Node) -> Vec<String> {
    let value = node::shown(attribute, "value");
    match node::text(attribute, "type") {
        Some(kind) if kind.contains('|') || kind == "malware-sample" => {
            value.split('|').map(str::to_owned).collect()
        }
        _ => vec![value],
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
