//! A MISP event, and the files events come in.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use shieldwall_model::limits::BUNDLE_FILE_BYTES_MAX;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::node::{self, Node};

/// Why something of MISP's could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MispError {
    /// Not JSON.
    #[error("this is not the JSON of a MISP {what}: {source}; correct it at that place")]
    Json {
        /// What was expected.
        what: &'static str,
        /// What the reader said, with line and column.
        source: serde_json::Error,
    },
    /// JSON, but not what was expected.
    #[error("this is JSON but no MISP {0}: send an event as MISP exports it, or a feed's manifest")]
    Shape(&'static str),
    /// More bytes than are ever read.
    #[error("{0} bytes are more than the {BUNDLE_FILE_BYTES_MAX} that are read at once: split the file")]
    TooLarge(usize),
    /// The event's bytes are not those the manifest speaks of.
    #[error("the event's SHA-256 is {found} and the manifest says {said}: fetch the feed again")]
    Integrity {
        /// What the manifest says.
        said: String,
        /// What was computed.
        found: String,
    },
}

impl MispError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "misp.json",
            Self::Shape(_) => "misp.shape",
            Self::TooLarge(_) => "misp.too-large",
            Self::Integrity { .. } => "misp.feed.integrity",
        }
    }
}

/// One event: its node, without the `Event` around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The node.
    pub node: Node,
}

/// What UUIDs of things that have none are derived from.
pub(crate) const NAMESPACE: Uuid = Uuid::from_u128(0x6d0b_8f2e_41a7_5d0c_9d63_0a4f_7e1c_9b52);

impl Event {
    /// An event of this node, which may be wrapped in `Event`.
    pub fn of(node: Node) -> Option<Self> {
        let node = match node.get("Event") {
            Some(Value::Object(inner)) => inner.clone(),
            Some(_) => return None,
            None => node,
        };
        let known = ["info", "Attribute", "Object", "Orgc"].into_iter().any(|key| node.contains_key(key));
        known.then_some(Self { node })
    }

    /// Its UUID; one without is named by its content.
    pub fn uuid(&self) -> Uuid {
        node::uuid(&self.node, "uuid").unwrap_or_else(|| {
            let text = serde_json::to_vec(&self.node).unwrap_or_default();
            Uuid::new_v5(&NAMESPACE, &Sha256::digest(text))
        })
    }

    /// When it was last changed.
    pub fn timestamp(&self) -> Option<Timestamp> {
        node::seconds(&self.node, "timestamp")
    }

    /// Its `info`; empty when it says nothing.
    pub fn info(&self) -> &str {
        node::text(&self.node, "info").unwrap_or_default()
    }

    /// The attributes, those of objects after those of the event itself.
    pub fn attributes(&self) -> impl Iterator<Item = &Node> {
        let of_objects = node::list(&self.node, "Object").flat_map(|object| node::list(object, "Attribute"));
        node::list(&self.node, "Attribute").chain(of_objects)
    }

    /// `{"Event": …}`, as MISP writes it.
    pub fn wrapped(&self) -> Value {
        Value::Object(Map::from_iter([("Event".to_owned(), Value::Object(self.node.clone()))]))
    }
}

/// Reads whatever holds events: one, wrapped or not, a `response` of one or many, an array.
///
/// # Errors
/// [`MispError`] when it is no JSON or holds nothing that looks like an event.
pub fn read_events(bytes: &[u8]) -> Result<Vec<Event>, MispError> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > BUNDLE_FILE_BYTES_MAX {
        return Err(MispError::TooLarge(bytes.len()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value =
        serde_json::from_slice(bytes).map_err(|source| MispError::Json { what: "event", source })?;
    let mut events = Vec::new();
    gather(value, &mut events, 0);
    if events.is_empty() { Err(MispError::Shape("event")) } else { Ok(events) }
}

fn gather(value: Value, events: &mut Vec<Event>, depth: usize) {
    // A response of a list of wrapped events is as deep as real files go.
    const DEPTH_MAX: usize = 4;
    match value {
        Value::Array(items) if depth < DEPTH_MAX => {
            items.into_iter().for_each(|item| gather(item, events, depth + 1));
        }
        Value::Object(mut node) if depth < DEPTH_MAX => match node.remove("response") {
            Some(inner) => gather(inner, events, depth + 1),
            None => events.extend(Event::of(node)),
        },
        _ => {}
    }
}
