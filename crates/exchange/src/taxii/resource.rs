//! The resources of TAXII 2.1, property for property; what is optional is left out when it is not there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use shieldwall_model::time::Timestamp;

use super::{MEDIA_TYPE, STIX_20_MEDIA_TYPE, STIX_MEDIA_TYPE, version_text};

/// Discovery (section 4.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// The server's name.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The API root to use if in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// URLs of the API roots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_roots: Vec<String>,
}

/// API root (section 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRoot {
    /// Its name.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media types of the versions spoken here.
    pub versions: Vec<String>,
    /// Largest body in bytes.
    pub max_content_length: u64,
}

impl ApiRoot {
    /// An API root that speaks TAXII 2.1 and takes bodies of the house's limit.
    pub fn new(title: impl Into<String>, description: Option<String>) -> Self {
        Self {
            title: title.into(),
            description,
            versions: vec![MEDIA_TYPE.into()],
            max_content_length: u64::try_from(shieldwall_model::limits::BODY_BYTES_MAX).unwrap_or(u64::MAX),
        }
    }
}

/// Collections (section 5.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collections {
    /// The collections the reader may see; left out when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<Collection>,
}

/// Collection (section 5.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Its UUID.
    pub id: String,
    /// Its name.
    pub title: String,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Another name for it in URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether the reader may get objects.
    pub can_read: bool,
    /// Whether the reader may add objects.
    pub can_write: bool,
    /// Media types of what it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_types: Vec<String>,
}

impl Collection {
    /// A collection of STIX objects: 2.1, and 2.0 where a member still sends it.
    pub fn new(id: impl Into<String>, title: impl Into<String>, can_read: bool, can_write: bool) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            description: None,
            alias: None,
            can_read,
            can_write,
            media_types: vec![STIX_MEDIA_TYPE.into(), STIX_20_MEDIA_TYPE.into()],
        }
    }
}

/// Manifest (section 5.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Whether there is more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// The records; left out when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ManifestRecord>,
    /// What the next page is asked for with. The standard leaves it to `added_after`, but its Python client
    /// (taxii2-client 2.3) pages a manifest by `next` alone, and asks for the first page for ever without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One version of one object, as a manifest tells it (section 5.3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    /// The object's id.
    pub id: String,
    /// When it was added here.
    pub date_added: Timestamp,
    /// Its version.
    #[serde(serialize_with = "one_version")]
    pub version: Timestamp,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// The versions of an object (section 5.8.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Whether there are more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// The versions, oldest first by when they were added; left out when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "all_versions")]
    pub versions: Vec<Timestamp>,
    /// What the next page is asked for with, as in a [`Manifest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How far a POST has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    /// All is done.
    Complete,
    /// Some is still to be done.
    Pending,
}

/// Status of a POST (section 4.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The status's UUID.
    pub id: String,
    /// How far it has come.
    pub status: StatusState,
    /// When the request was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_timestamp: Option<Timestamp>,
    /// How many objects were sent.
    pub total_count: u64,
    /// How many were taken.
    pub success_count: u64,
    /// Which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successes: Vec<StatusDetail>,
    /// How many were refused.
    pub failure_count: u64,
    /// Which, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StatusDetail>,
    /// How many are still to be done.
    pub pending_count: u64,
    /// Which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pendings: Vec<StatusDetail>,
}

/// What became of one object of a POST (section 4.3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDetail {
    /// The object's id.
    pub id: String,
    /// Its version: `modified`, else `created`, else the epoch.
    #[serde(serialize_with = "one_version")]
    pub version: Timestamp,
    /// What to say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Error (section 3.6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResource {
    /// What happened, in a few words.
    pub title: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// This one occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// The kind of error: our stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The HTTP status, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<String>,
    /// A URL that says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_details: Option<String>,
    /// More, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl ErrorResource {
    /// An error with what it always has.
    pub fn new(
        title: impl Into<String>,
        http_status: u16,
        code: &str,
        description: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            description: Some(description.into()),
            error_code: Some(code.into()),
            http_status: Some(http_status.to_string()),
            ..Self::default()
        }
    }
}

fn one_version<S: Serializer>(version: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&version_text(*version))
}

fn all_versions<S: Serializer>(versions: &[Timestamp], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(versions.iter().map(|version| version_text(*version)))
}
