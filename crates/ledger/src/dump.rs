//! A logical dump of the views: the same content gives the same lines, whatever order it was written in. Row numbers,
//! page layout and index internals are left out. Words are those of versions in use; beside a hub that runs, as far as its
//! full-text index has got.

use std::io::{self, Write};
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use sha2::{Digest, Sha256};
use shieldwall_model::realm::Realm;

use crate::accounts::Offline;
use crate::files::{Files, FilesError, Mode, check_stamps, open};
use crate::identity::hex;
use crate::texts::TEXTS_SCHEMA;
use crate::views::{Document, VIEWS_SCHEMA, document_from};

/// Why the views could not be dumped.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The views cannot be opened.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// SQLite refused.
    #[error("the views could not be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The lines could not be written.
    #[error("the dump could not be written: {0}")]
    Write(#[from] io::Error),
}

impl DumpError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Sqlite(_) => "ledger.dump.sqlite",
            Self::Write(_) => "ledger.dump.write",
        }
    }
}

/// What was dumped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpReport {
    /// Lines.
    pub rows: u64,
    /// SHA-256 of all lines, as hex.
    pub sha256: String,
}

/// Name and query of each part; every query has one order.
const PARTS: [(&str, &str); 7] = [
    ("state", "SELECT key, value FROM state WHERE key IN ('cursor', 'fold', 'leaf') ORDER BY key"),
    ("skipped", "SELECT position, reason FROM skipped ORDER BY position"),
    (
        "object",
        "SELECT hex(g.uuid), o.id, o.version, o.sequence, o.position, o.added, o.type, o.spec_version, o.created_by,
         hex(o.owner), o.name, o.marking, o.revoked, o.withdrawn, o.first, o.latest
         FROM objects o JOIN groups g ON g.grp = o.grp ORDER BY g.uuid, o.id, o.version",
    ),
    (
        "word",
        "SELECT hex(g.uuid), o.id, o.version, w.offset, w.term FROM temp.words w
         JOIN objects o ON o.position = w.doc AND o.latest = 1 AND o.withdrawn = 0 JOIN groups g ON g.grp = o.grp
         ORDER BY g.uuid, o.id, o.version, w.offset, w.term",
    ),
    (
        // A word begins with its group's number, in hex: left out.
        "key",
        "SELECT hex(g.uuid), o.id, o.version, substr(k.term, length(printf('%x', o.grp)) + 1) AS word
         FROM key_words k LEFT JOIN objects o ON o.row = k.doc LEFT JOIN groups g ON g.grp = o.grp
         ORDER BY g.uuid, o.id, o.version, word",
    ),
    (
        "edge",
        "SELECT hex(g.uuid), coalesce(e.source, o.id) AS source, e.target, e.label, o.id, o.sequence
         FROM edges e JOIN objects o ON o.row = e.object JOIN groups g ON g.grp = e.grp
         ORDER BY g.uuid, source, e.target, e.label, o.id",
    ),
    (
        "document",
        "SELECT d.collection, hex(g.uuid), d.key, d.sort, d.changed, hex(d.body)
         FROM documents d JOIN groups g ON g.grp = d.grp ORDER BY d.collection, g.uuid, d.key",
    ),
];

/// Writes the views of a realm as lines, each the name of its part and a JSON array. As of one moment; reads only.
///
/// # Errors
/// [`DumpError`].
pub fn dump_views(dir: &Path, realm: &Realm, out: &mut dyn Write) -> Result<DumpReport, DumpError> {
    let files = Files::new(dir, realm.clone());
    let (path, texts) = (files.views(), files.texts());
    let connection = open(&path, Mode::Read)?;
    check_stamps(&connection, &path, VIEWS_SCHEMA)?;
    check_stamps(&open(&texts, Mode::Read)?, &texts, TEXTS_SCHEMA)?;
    connection.execute("ATTACH ?1 AS words", [texts.to_string_lossy()])?;
    // A temporary table is no change of the database, which is opened read-only.
    connection.execute_batch(
        "PRAGMA query_only = OFF; CREATE VIRTUAL TABLE temp.words USING fts5vocab (words, texts, instance);",
    )?;
    let transaction = connection.unchecked_transaction()?;
    let (mut hash, mut rows) = (Sha256::new(), 0);
    for (name, sql) in PARTS {
        part(&transaction, name, sql, &mut |line| {
            hash.update(line);
            rows += 1;
            out.write_all(line)
        })?;
    }
    Ok(DumpReport { rows, sha256: hex(&hash.finalize()) })
}

/// The documents of a collection over all groups, by group and sort, beside a hub that may be running: for commands run
/// by whoever can already read the data directory, which [`Offline`] stands for. Reads only.
///
/// # Errors
/// [`DumpError`].
pub fn documents(
    _: &Offline,
    dir: &Path,
    realm: &Realm,
    collection: &str,
) -> Result<Vec<Document>, DumpError> {
    let path = Files::new(dir, realm.clone()).views();
    let connection = open(&path, Mode::Read)?;
    check_stamps(&connection, &path, VIEWS_SCHEMA)?;
    let mut statement = connection.prepare(
        "SELECT g.uuid, d.key, d.sort, d.changed, d.body FROM documents d JOIN groups g ON g.grp = d.grp
         WHERE d.collection = ?1 ORDER BY g.uuid, d.sort, d.key",
    )?;
    let rows = statement.query_map([collection], document_from)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn part(
    connection: &Connection,
    name: &str,
    sql: &str,
    line: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), DumpError> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<serde_json::Value> =
            (0..columns).map(|at| value(row, at)).collect::<Result<_, _>>()?;
        line(format!("{name} {}\n", serde_json::Value::from(values)).as_bytes())?;
    }
    Ok(())
}

fn value(row: &Row<'_>, at: usize) -> rusqlite::Result<serde_json::Value> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => hex(bytes).into(),
    })
}
