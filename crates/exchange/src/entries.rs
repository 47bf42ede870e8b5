//! The facts this crate has recorded in a log, and their bodies.
//!
//! | kind | body |
//! |---|---|
//! | [`OBJECT_SHARED`] | the STIX object, the exact bytes as accepted; who shared it is the entry's author, whatever `created_by_ref` says |
//! | [`OBJECT_RECALLED`] | [`Recalled`] as JSON: the member that shared an object takes it back |
//! | [`OBJECT_REVOKED`] | the STIX object in one more version, revoked: what those are told who hold it already |
//! | [`VERSIONS_RECALLED`] | [`VersionsRecalled`] as JSON: the member that shared an object takes some versions of it back |
//! | [`OBJECT_HELD`] | [`HeldBack`] as JSON: an object came and is held back until a curator has looked at it |
//! | [`OBJECT_RELEASED`] | the object held back, the exact bytes; the entry's author is the curator, the owner whoever sent it |
//! | [`OBJECT_REJECTED`] | [`Rejected`] as JSON: a curator has decided against an object held back |
//! | [`INDICATOR_DISPUTED`] | [`Disputed`] as JSON: a member says that an indicator is a false positive |

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shieldwall_model::id::ObjectId;
use shieldwall_model::time::Timestamp;

/// A member shared a STIX object, or a new version of one.
pub const OBJECT_SHARED: &str = "object.shared";
/// A member took an object back: nobody is to match, block or pass it on any more.
pub const OBJECT_RECALLED: &str = "object.recalled";
/// An object that was taken back, in a version the hub made for its owner: the last one with `revoked` true and a later
/// `modified`. It follows its [`OBJECT_RECALLED`]; a reader that polls is told by it, since nothing else in TAXII tells
/// of a deletion.
pub const OBJECT_REVOKED: &str = "object.revoked";
/// A member took some versions of an object back; the others stay.
pub const VERSIONS_RECALLED: &str = "object.versions-recalled";
/// An object came in and is held back: in no page, feed, watchlist or search until a curator releases it.
pub const OBJECT_HELD: &str = "object.held";
/// A curator released an object that was held back: from here on it is as if its sender had shared it now.
pub const OBJECT_RELEASED: &str = "object.released";
/// A curator rejected an object that was held back.
pub const OBJECT_REJECTED: &str = "object.rejected";
/// A member says that an indicator is a false positive, or takes that back.
pub const INDICATOR_DISPUTED: &str = "indicator.disputed";

/// The body of [`OBJECT_HELD`]: `{"code":"life.held.warninglist","detail":"…","object":{…}}`, the object byte for byte.
#[derive(Debug, Serialize, Deserialize)]
pub struct HeldBack<'a> {
    /// Why: a stable code.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// Why, in words.
    #[serde(borrow)]
    pub detail: Cow<'a, str>,
    /// The object.
    #[serde(borrow)]
    pub object: &'a RawValue,
}

/// The body of [`OBJECT_REJECTED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// What the quarantine knows the object by.
    pub key: String,
    /// Why, in the curator's words.
    pub reason: String,
}

/// The body of [`INDICATOR_DISPUTED`]. The last one of each member counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disputed {
    /// The indicator.
    pub id: ObjectId,
    /// Why, in the member's words.
    pub reason: String,
    /// Whether the member takes back what it said before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// The body of [`OBJECT_RECALLED`]: `{"id":"indicator--…","reason":"false positive","replaced_by":"indicator--…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recalled {
    /// The object, in all its versions.
    pub id: ObjectId,
    /// Why, in the member's words.
    pub reason: String,
    /// What to use instead, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<ObjectId>,
}

/// The body of [`VERSIONS_RECALLED`]: `{"id":"indicator--…","versions":["2026-01-31T09:30:00.000000Z"],"reason":"…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsRecalled {
    /// The object.
    pub id: ObjectId,
    /// The versions taken back.
    pub versions: Vec<Timestamp>,
    /// Why, in the member's words.
    pub reason: String,
}

impl VersionsRecalled {
    /// The body as written to the log.
    pub fn to_body(&self) -> Vec<u8> {
        // Strings alone: writing them does not fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Why a body is not what its kind says.
#[derive(Debug, thiserror::Error)]
#[error(
    "the body of {kind} cannot be read: {source}; the entry was written by another version or is damaged"
)]
pub struct EntryError {
    kind: &'static str,
    source: serde_json::Error,
}

impl EntryError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "exchange.entry.body"
    }
}

impl Recalled {
    /// The body as written to the log.
    pub fn to_body(&self) -> Vec<u8> {
        // Strings alone: writing them does not fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a body out of the log.
    ///
    /// # Errors
    /// [`EntryError`] when it is none.
    pub fn from_body(body: &[u8]) -> Result<Self, EntryError> {
        serde_json::from_slice(body).map_err(|source| EntryError { kind: OBJECT_RECALLED, source })
    }
}
