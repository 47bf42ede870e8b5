//! The facts this crate records: what was seen, and who has taken note of a warning.

use serde::{Deserialize, Serialize};
use shieldwall_model::id::{MemberId, ObjectId, WarningId};
use shieldwall_model::sequences::Sequences;
use shieldwall_model::time::Timestamp;

/// Entry kind of [`SightingReported`].
pub const SIGHTING_REPORTED: &str = "sighting.reported";
/// Entry kind of a [`SightingReported`] that a member keeps, with its name and the value, in its own log, when the
/// group it reported to does not name reporters.
pub const SIGHTING_KEPT: &str = "sighting.kept";
/// Entry kind of [`TelemetryTaken`].
pub const TELEMETRY_TAKEN: &str = "telemetry.taken";
/// Entry kind of [`WarningAcknowledged`].
pub const WARNING_ACKNOWLEDGED: &str = "warning.acknowledged";

/// Who reported, as the readers of this log may know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reporter {
    /// The member by name.
    Member(MemberId),
    /// One and the same member every time this word stands in this log, and no more than that.
    Pseudonym(String),
}

impl Reporter {
    /// A key that is equal for equal reporters.
    pub fn key(&self) -> String {
        match self {
            Self::Member(member) => member.to_string(),
            Self::Pseudonym(word) => word.clone(),
        }
    }
}

/// The value seen, as much of it as the reporting member tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenValue {
    /// As it stood in the telemetry, normalised.
    Plain(String),
    /// SHA-256 of the normalised value, in hex.
    Sha256(String),
    /// Not told.
    Withheld,
}

/// One indicator was seen in a member's own network: the aggregate of one reporting interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightingReported {
    /// The indicator.
    pub indicator: ObjectId,
    /// When it was first seen in this interval.
    pub first_seen: Timestamp,
    /// When it was last seen in this interval.
    pub last_seen: Timestamp,
    /// How many events carried it.
    pub count: u64,
    /// Kind of value, such as `domain-name` or `sha256`.
    pub kind: String,
    /// The telemetry field it stood in, such as `dns.rrname`.
    pub field: String,
    /// The value seen.
    pub value: SeenValue,
    /// Who saw it.
    pub reporter: Reporter,
    /// The sectors of the member that saw it.
    pub sectors: Vec<String>,
    /// When the sensor made the match, by its own clock.
    pub detected: Timestamp,
    /// It passed before the indicator was known there, and was found by looking back; `count` is then in hours, and the
    /// times are those of the first and the last hour.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retrospective: bool,
}

/// Messages of a member's telemetry stream whose sightings were reported: handed out to another sensor once more, they
/// count no more. In the member's own log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryTaken {
    /// The stream: its name and when it was made.
    pub stream: String,
    /// The messages.
    pub sequences: Sequences,
}

/// By what a warning was taken note of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// A sensor received it and acts on it.
    ByMachine,
    /// A person read it.
    ByPerson,
}

/// A member has taken note of a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarningAcknowledged {
    /// The warning.
    pub warning: WarningId,
    /// Whether a machine or a person took note.
    pub taken: Taken,
    /// What the member says about it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
