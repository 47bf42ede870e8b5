//! The HTTP API, one file per resource: what it takes, what it gives, and the handler between.

use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_exchange::stix;
use shieldwall_model::id::ObjectId;
use shieldwall_model::time::Timestamp;

pub mod alliance;
pub mod correlation;
pub mod document;
pub mod exchange;
pub mod graph;
pub mod health;
pub mod held;
pub mod indicators;
pub mod ledger;
pub mod matrix;
pub mod me;
pub mod objects;
pub mod peers;
pub mod picture;
pub mod preview;
pub mod searches;
pub mod sensors;
pub mod sightings;
pub mod sources;
pub mod tokens;
pub mod users;
pub mod warnings;
pub mod watchlist;

/// What became of objects sent in.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// Objects found in the body.
    pub objects: usize,
    /// Objects recorded.
    pub accepted: usize,
    /// Objects the group already held in this version; nothing was recorded for them.
    pub repeated: usize,
    /// Objects held back until a curator has looked at them, each with place and reason.
    pub held: Vec<Refused>,
    /// Objects not taken, each with place and reason.
    pub refused: Vec<Refused>,
    /// Objects taken although the standard advises otherwise.
    pub warnings: Vec<Refused>,
    /// Of each object that could be read: its place in the body, its id, its version. Not told; TAXII makes its status
    /// of it.
    #[serde(skip)]
    pub read: Vec<(usize, ObjectId, Timestamp)>,
}

/// One object that was not taken, or taken with a remark.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Refused {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Where in it.
    pub path: String,
    /// The stable code.
    pub code: String,
    /// Why, and what to do.
    pub reason: String,
}

impl From<stix::Refusal> for Refused {
    fn from(refusal: stix::Refusal) -> Self {
        let stix::Refusal { index, id, path, code, reason, .. } = refusal;
        Self { index, id, path, code: code.as_str().to_owned(), reason }
    }
}

impl Refused {
    /// The remarks on an object that was taken all the same.
    pub fn remarks(object: &stix::Object) -> impl Iterator<Item = Self> + '_ {
        object.warnings.iter().map(|problem| Self {
            index: object.index,
            id: Some(object.id.to_string()),
            path: problem.path.clone(),
            code: problem.code.as_str().to_owned(),
            reason: problem.reason.clone(),
        })
    }
}
