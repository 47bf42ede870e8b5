//! How much the postings take: for measuring, beside a hub that may be running.

use std::path::Path;

use shieldwall_model::realm::Realm;

use crate::accounts::Offline;
use crate::dump::DumpError;
use crate::files::{Files, Mode, check_stamps, open};
use crate::views::VIEWS_SCHEMA;

/// What the postings of a realm take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostingsSize {
    /// Versions of objects that have any.
    pub objects: u64,
    /// Postings: pairs of a key and an object that is kept under it.
    pub postings: u64,
    /// Bytes of all of it.
    pub bytes: u64,
}

/// Measures the postings of a realm, over all groups: for whoever can already read the data directory. Reads only.
///
/// # Errors
/// [`DumpError`].
pub fn postings_size(_: &Offline, dir: &Path, realm: &Realm) -> Result<PostingsSize, DumpError> {
    let path = Files::new(dir, realm.clone()).views();
    let connection = open(&path, Mode::Read)?;
    check_stamps(&connection, &path, VIEWS_SCHEMA)?;
    // The tables FTS5 keeps its index in (SQLite documentation, FTS5 section 9): blocks, places of terms, sizes.
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    let blocks = number("SELECT coalesce(sum(length(block) + 8), 0) FROM keys_data")?;
    let places = number("SELECT coalesce(sum(length(term) + 8), 0) FROM keys_idx")?;
    let sizes = number("SELECT coalesce(sum(length(sz) + 12), 0) FROM keys_docsize")?;
    Ok(PostingsSize {
        objects: number("SELECT count(*) FROM keys_docsize")?,
        postings: number("SELECT count(*) FROM key_words")?,
        bytes: blocks + places + sizes,
    })
}
