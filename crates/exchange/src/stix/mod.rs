//! STIX 2.1 objects: read, checked against the standard's tables, and described; their bytes never touched.
//!
//! [`read_bundle`] takes a bundle, a TAXII envelope, one object or an array of objects. All of it is checked: good
//! objects are [`Object`]s (where their bytes lie in the input, and the few fields the product asks for), the others
//! [`Refusal`]s that say where and why. What the standard says MUST refuses an object; what it says SHOULD is a
//! warning kept with it.
//!
//! # Where this house is more lenient than the letter
//! - `created` and `modified` with another number of fraction digits than three: warning (much real data, and TAXII
//!   servers that rewrite times, would be refused otherwise; order is kept to the microsecond).
//! - A malformed URL: warning, since in intelligence it may be exactly what was seen. Domain names and e-mail addresses
//!   are not judged, for the same reason.
//! - A bundle without a valid `id`: warning on the container; a bundle is a wrapping and is not kept.
//! - A `spec_version` absent on a type that STIX 2.0 knew: read as 2.0 (section 3.2), and then only identity, times,
//!   references and property types are checked. At the door it is then written as 2.1 ([`upgrade`]) and checked in full.

mod check;
mod custom;
mod cut;
mod describe;
mod deterministic;
mod domain;
mod finding;
mod json;
mod meta;
mod observable;
mod read;
mod revoke;
mod same;
mod scalar;
mod schema;
mod text;
mod upgrade;
mod vocabulary;

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use shieldwall_model::id::ObjectId;
use shieldwall_model::limits::{BUNDLE_FILE_BYTES_MAX, ENVELOPE_OBJECTS_MAX};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

pub use self::cut::{Cut, cut};
pub use self::finding::{Code, Problem};
pub(crate) use self::json::{Fields, Json};
pub use self::read::{read_bundle, read_envelope};
pub use self::revoke::revoked;
pub use self::same::{is_same, read_one};
pub use self::upgrade::{Taken, upgrade};
use crate::role::IndicatorRole;

/// The version given to objects that have none of their own (observables have neither `modified` nor `created`):
/// the epoch. TAXII 2.1 section 3.4.1 leaves the value to the server and asks only that it stays the same.
pub const UNVERSIONED: Timestamp = Timestamp::from_micros(0);

/// The specification an object follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SpecVersion {
    /// STIX 2.0.
    #[serde(rename = "2.0")]
    V20,
    /// STIX 2.1.
    #[serde(rename = "2.1")]
    V21,
}

impl SpecVersion {
    /// The version as written in `spec_version` and `match[spec_version]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V20 => "2.0",
            Self::V21 => "2.1",
        }
    }
}

/// An object that was accepted: what is asked of it, beside where its bytes lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its place among the objects of the input, from 0.
    pub index: usize,
    /// Its id; [`ObjectId::object_type`] is its type.
    pub id: ObjectId,
    /// The specification it follows.
    pub spec_version: SpecVersion,
    /// `modified`, else `created`, else [`UNVERSIONED`].
    pub version: Timestamp,
    /// `created`, where the type has it.
    pub created: Option<Timestamp>,
    /// Whether its creator has revoked it.
    pub revoked: bool,
    /// Who claims to have made it. A claim: the owner is the member that shared it.
    pub created_by: Option<ObjectId>,
    /// Every marking it refers to, on the whole or on parts of it, each once.
    pub marking_ids: Vec<ObjectId>,
    /// The strictest TLP label on the whole of it, TLP 1 included. Labels on parts do not count: whoever may not see a
    /// part gets the object without it ([`cut`]).
    pub tlp: Option<Tlp>,
    /// The strictest TLP label among its granular markings.
    pub parts_tlp: Option<Tlp>,
    /// Whether something of it is of STIX 2.0 or TLP 1, or a hash's name is spelled otherwise than the standard does:
    /// [`upgrade`] brings it up to date.
    pub outdated: bool,
    /// Whether it is an observable under the id its content gives (section 2.9): the same one for whoever saw it.
    pub deterministic: bool,
    /// What to call it: its name, or a short label made for its type; at most
    /// [`NAME_BYTES_MAX`](shieldwall_model::limits::NAME_BYTES_MAX) bytes.
    pub title: String,
    /// Its words for full-text search, one string of the object a line: names, descriptions, aliases, labels, values,
    /// external ids and custom strings; no ids, times or URLs of references. At most [`TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// The objects it refers to, in the order they stand, markings left out.
    pub references: Vec<Reference>,
    /// What it links, if it is a relationship.
    pub relationship: Option<Relationship>,
    /// What it looks for, if it is an indicator.
    pub indicator: Option<Indicator>,
    /// What the indicator's values mean for whoever meets them, if it is an indicator.
    pub role: Option<IndicatorRole>,
    /// What the standard says should be otherwise; paths begin at the object.
    pub warnings: Vec<Problem>,
    /// Where the object stands in the input, from `{` to `}`.
    pub bytes: Range<usize>,
}

/// Longest [`Object::text`] in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

impl Object {
    /// The object's type, such as `indicator`.
    pub fn object_type(&self) -> &str {
        self.id.object_type()
    }

    /// The object exactly as it was sent, out of the `input` it was read from. Empty for any other input too short.
    pub fn slice<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        input.get(self.bytes.clone()).unwrap_or_default()
    }
}

/// One reference of an object to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The property that holds it, at whatever depth: `source_ref`, `object_refs`.
    pub property: Cow<'static, str>,
    /// The object referred to.
    pub id: ObjectId,
}

/// What a relationship says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// From which object.
    pub source: ObjectId,
    /// `relationship_type`, such as `indicates`.
    pub label: String,
    /// To which object.
    pub target: ObjectId,
}

/// What an indicator looks for, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// The pattern, unescaped.
    pub pattern: String,
    /// Its language: `stix`, `sigma`, `yara`… STIX 2.0 knew only `stix`.
    pub pattern_type: String,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// Until when it holds, if it says.
    pub valid_until: Option<Timestamp>,
    /// How sure its creator is, 0 to 100, if it says (STIX 2.1 appendix A).
    pub confidence: Option<u8>,
    /// Its labels and indicator types.
    pub labels: Vec<String>,
}

/// An object that was not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its place among the objects of the input, from 0.
    pub index: usize,
    /// Its id, where it could be read.
    pub id: Option<String>,
    /// Where in the input: `objects[3].pattern`, `[3].pattern` in an array, `pattern` in a single object.
    pub path: String,
    /// What kind of problem.
    pub code: Code,
    /// What is wrong and what to do.
    pub reason: String,
    /// What else is wrong with it, with the same kind of paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Problem>,
}

/// What the objects came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container {
    /// A STIX bundle.
    Bundle,
    /// A TAXII envelope.
    Envelope {
        /// Whether the sender has more.
        more: bool,
        /// Where to go on.
        next: Option<String>,
    },
    /// One object by itself.
    Single,
    /// An array of objects.
    Array,
}

/// A whole input, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What the objects came in.
    pub container: Container,
    /// The good objects, in the order they came.
    pub accepted: Vec<Object>,
    /// The others, in the order they came.
    pub refused: Vec<Refusal>,
    /// What is less than right with the container itself. Warnings about an object are with the object.
    pub warnings: Vec<Problem>,
}

/// Why an input could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum StixError {
    /// Not UTF-8.
    #[error("the input is not UTF-8 from byte {at} on: convert it, or send JSON")]
    Utf8 {
        /// The first byte that is not.
        at: usize,
        /// What the decoder said.
        source: std::str::Utf8Error,
    },
    /// Not JSON as a whole.
    #[error("the input is not JSON: {source}; correct it at that place")]
    Json {
        /// What the reader said, with line and column.
        source: serde_json::Error,
    },
    /// JSON, but nothing that holds STIX objects.
    #[error("this holds no STIX objects: send a bundle, a TAXII envelope, one object or an array of objects")]
    Shape,
    /// More bytes than are ever read.
    #[error("{0} bytes are more than the {BUNDLE_FILE_BYTES_MAX} that are read at once: split the bundle")]
    TooLarge(usize),
    /// More objects than one envelope may hold.
    #[error("more than {ENVELOPE_OBJECTS_MAX} objects in one envelope: send them in several")]
    TooMany,
}

impl StixError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Utf8 { .. } => "stix.input.utf8",
            Self::Json { .. } => "stix.input.json",
            Self::Shape => "stix.input.shape",
            Self::TooLarge(_) => "stix.input.too-large",
            Self::TooMany => "stix.input.too-many",
        }
    }
}
