//! The read side: everything asked with a scope, everything answered as [`Visible`]. No unfiltered read is public.

mod correlation;
mod documents;
mod entries;
mod objects;
mod proofs;
mod search;

use shieldwall_model::access::{Denied, ReadScope};
use shieldwall_model::id::GroupId;

pub use correlation::Prefix;
pub use documents::{DocumentPage, NewestCursor};
pub use entries::{Counts, EntryPage, EntryQuery, ObjectCount};
pub use objects::{ObjectPage, ObjectQuery, PageEnd, StoredObject, VersionFilter};
pub use proofs::{CheckpointRecord, ConsistencyProof, InclusionProof};
pub use search::{Condition, SearchCursor, SearchPage, SearchQuery, Test};

use crate::files::FilesError;
use crate::ledger::Published;
use crate::pool::Loan;
use crate::tree::TreeError;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The group is not in the scope, or not there at all.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Every connection is taken.
    #[error("too much is being read at once: try again in a second")]
    Busy,
    /// The full-text index has not got to what the reader's groups hold.
    #[error("the search index is catching up with what was shared: try again in a few seconds")]
    Behind,
    /// The statement ran into its time limit.
    #[error("this reads more than a request may: narrow the search")]
    TooLong,
    /// SQLite refused.
    #[error("the database could not be read: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// A file cannot be opened.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The tree has no such proof.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl ReadError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::Busy => "ledger.read.busy",
            Self::Behind => "ledger.read.behind",
            Self::TooLong => "ledger.read.too_long",
            Self::Sqlite(_) => "ledger.read.sqlite",
            Self::Files(error) => error.code(),
            Self::Tree(error) => error.code(),
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => Self::TooLong,
            Some(rusqlite::ErrorCode::DatabaseBusy) => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}

/// A reading connection on loan. Each method is one short read transaction, as of the last folded entry or later.
/// Blocking: call it off the async threads.
pub struct Reading<'a> {
    loan: Loan<'a>,
    published: &'a Published,
}

impl<'a> Reading<'a> {
    pub(crate) const fn new(loan: Loan<'a>, published: &'a Published) -> Self {
        Self { loan, published }
    }
}

/// The groups of a scope as a JSON array of hex UUIDs, to be bound to `IN (SELECT unhex(value) FROM json_each(?))`.
fn groups_json(scope: &ReadScope) -> String {
    let uuids: Vec<String> = scope.groups().map(|group| group.uuid().simple().to_string()).collect();
    json_of(&uuids)
}

/// Texts as a JSON array.
fn json_of<T: AsRef<str>>(texts: &[T]) -> String {
    serde_json::Value::from_iter(texts.iter().map(AsRef::as_ref)).to_string()
}

/// The group, if the scope covers it.
fn covered(scope: &ReadScope, group: GroupId) -> Result<[u8; 16], ReadError> {
    if scope.covers(group) { Ok(group.uuid().into_bytes()) } else { Err(Denied::Hidden.into()) }
}

/// A limit held to `most`, and the number of rows to ask for so as to know whether there are more.
fn limited(limit: usize, most: usize) -> (usize, i64) {
    let limit = limit.clamp(1, most);
    (limit, i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
}
