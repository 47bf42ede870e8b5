//! The write side of the views: what a fold may put, and read back, while it folds an entry.
//!
//! Three shapes serve everything people look at: *objects* (an index of STIX objects whose bytes stay in the
//! ledger), *edges* between them, and *documents* (small bodies of the hub's own making, by collection, group and
//! key). Rows carry the group they belong to; the read side selects by it.

mod postings;
mod rows;

use std::cell::{Cell, RefCell};

use rusqlite::{Connection, OptionalExtension as _, params};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::time::Timestamp;

pub use self::postings::Key;
pub(crate) use self::postings::family;
pub use self::rows::{Document, Edge, EdgeRecord, ObjectRecord, ObjectRow};
pub(crate) use self::rows::{
    EDGES, OBJECT_COLUMNS, document_from, edge_from, group_at, marking_rank, object_from,
};
use crate::entry::Entry;

/// Version of the layout of `views.db`. Another one on disk is rebuilt.
pub(crate) const VIEWS_SCHEMA: i64 = 3;

/// The tables of `views.db`.
///
/// `groups` numbers the groups in the order they were first put; `objects.position` is where the bytes lie in the
/// ledger; `objects.withdrawn` is 1 for what was taken back and 2 for the version that says so. `edges.object` is the row
/// of the version that says so; an edge without a source starts at that object itself, so that an index by ids, which
/// come at random, is needed for relationships alone. `keys` holds what objects
/// in use are found by (see [`Key`]), `prefixes` the lengths of networks a group has ever held, so that looking for the
/// networks around an address takes as many look-ups as there are lengths in use. Words are in a database of their own,
/// `texts.db`.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE skipped (position INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
    CREATE TABLE groups (grp INTEGER PRIMARY KEY, uuid BLOB NOT NULL UNIQUE) STRICT;
    CREATE TABLE objects (
        row INTEGER PRIMARY KEY, grp INTEGER NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
        added INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL,
        spec_version TEXT NOT NULL, created_by TEXT, owner BLOB, name TEXT, marking INTEGER,
        revoked INTEGER NOT NULL, withdrawn INTEGER NOT NULL, first INTEGER NOT NULL, latest INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX objects_version ON objects (id, grp, version);
    CREATE INDEX objects_sequence ON objects (grp, sequence);
    CREATE INDEX objects_current ON objects (grp, type, sequence) WHERE latest = 1 AND withdrawn = 0;
    CREATE INDEX objects_revocations ON objects (grp, sequence) WHERE withdrawn = 2;
    CREATE VIRTUAL TABLE keys USING fts5 (
        held, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii'
    );
    CREATE VIRTUAL TABLE key_words USING fts5vocab (keys, instance);
    CREATE TABLE prefixes (
        grp INTEGER NOT NULL, family INTEGER NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (grp, family, length)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE edges (
        edge INTEGER PRIMARY KEY, object INTEGER NOT NULL, grp INTEGER NOT NULL, source TEXT, target TEXT NOT NULL,
        label TEXT NOT NULL
    ) STRICT;
    CREATE INDEX edges_object ON edges (object);
    CREATE INDEX edges_source ON edges (grp, source) WHERE source IS NOT NULL;
    CREATE INDEX edges_target ON edges (grp, target);
    CREATE TABLE documents (
        row INTEGER PRIMARY KEY, collection TEXT NOT NULL, grp INTEGER NOT NULL, key TEXT NOT NULL,
        sort INTEGER NOT NULL, changed INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX documents_key ON documents (collection, grp, key);
    CREATE INDEX documents_sort ON documents (collection, grp, sort, key);
    CREATE INDEX documents_changed ON documents (collection, grp, changed, key);
";

const INSERT: &str =
    "INSERT INTO objects (grp, sequence, position, added, id, type, version, spec_version, created_by,
    owner, name, marking, revoked, withdrawn, first, latest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)";

/// Why a view could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ViewsError {
    /// SQLite refused.
    #[error(
        "the views' database failed: {0}; free disk space, or rebuild the views with `shieldwall rebuild`"
    )]
    Sqlite(#[from] rusqlite::Error),
    /// Something was put while no entry was being folded.
    #[error("views change only while an entry is folded: move this out of `start`")]
    NoEntry,
}

impl ViewsError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "ledger.views.sqlite",
            Self::NoEntry => "ledger.views.no_entry",
        }
    }
}

/// The views inside the fold's transaction.
pub struct Views<'a> {
    connection: &'a Connection,
    entry: Option<&'a Entry>,
    /// The number of the group asked for last.
    numbered: Cell<Option<(GroupId, i64)>>,
    /// Of the entry's own group, the object asked for last, if the group has nothing of it.
    absent: RefCell<Option<String>>,
}

/// A version of an object that was just put.
#[derive(Clone, Copy, Debug)]
pub struct Put {
    group: i64,
    row: i64,
    /// Whether it is the only version of its object, and so the latest.
    alone: bool,
}

impl<'a> Views<'a> {
    pub(crate) fn new(connection: &'a Connection, entry: Option<&'a Entry>) -> Self {
        Self { connection, entry, numbered: Cell::new(None), absent: RefCell::new(None) }
    }

    fn entry(&self) -> Result<&'a Entry, ViewsError> {
        self.entry.ok_or(ViewsError::NoEntry)
    }

    /// Indexes the object that is the body of the entry being folded, for that entry's group. Whose it is, when it
    /// was added and where its bytes lie are taken from the entry. `None`, and nothing changed, when the group has this
    /// version already; a version that was withdrawn is in use again, as of this entry.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn put_object(&mut self, object: &ObjectRow<'_>) -> Result<Option<Put>, ViewsError> {
        let owner = self.entry()?.author.member;
        self.put_object_of(object, owner)
    }

    /// The same for an object that is `owner`'s, whoever appended the entry that holds it.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn put_object_of(
        &mut self,
        object: &ObjectRow<'_>,
        owner: Option<MemberId>,
    ) -> Result<Option<Put>, ViewsError> {
        let Some(put) = self.put_row(object, owner, 0)? else { return Ok(None) };
        if !put.alone {
            self.rank(put.group, object)?;
        }
        Ok(Some(put))
    }

    /// Indexes the version that says that an object of the group was taken back: the latest one, and withdrawn like the
    /// others, but for readers who ask for [`ObjectQuery::revocations_after`](crate::reading::ObjectQuery). False, and
    /// nothing changed, when the group has this version already.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn put_revocation(&mut self, object: &ObjectRow<'_>) -> Result<bool, ViewsError> {
        let Some(Put { group, row, .. }) = self.put_row(object, self.entry()?.author.member, 2)? else {
            return Ok(false);
        };
        self.connection
            .prepare_cached("UPDATE objects SET latest = (row = ?3) WHERE grp = ?1 AND id = ?2")?
            .execute(params![group, object.id, row])?;
        Ok(true)
    }

    /// Puts a version; `None` when it is there already.
    fn put_row(
        &self,
        object: &ObjectRow<'_>,
        owner: Option<MemberId>,
        withdrawn: i64,
    ) -> Result<Option<Put>, ViewsError> {
        let entry = self.entry()?;
        let group = self.number(entry.group)?;
        // Nearly every object is new: it is its own first and latest version, and nothing need be ranked.
        let new = match self.absent.take() {
            Some(id) if id == object.id => true,
            _ => self
                .connection
                .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM objects WHERE grp = ?1 AND id = ?2)")?
                .query_row(params![group, object.id], |row| row.get(0))?,
        };
        let alone = new && withdrawn == 0;
        let owner = owner.map(|member| member.uuid().into_bytes());
        let values = params![
            group,
            entry.sequence,
            entry.position,
            entry.time.as_micros(),
            object.id,
            object.object_type,
            object.version.as_micros(),
            object.spec_version,
            object.created_by,
            owner,
            object.name,
            object.marking.map(marking_rank),
            object.revoked,
            withdrawn,
            alone,
        ];
        if alone {
            // Without a clause for conflicts, or one that returns: either makes of the statement a savepoint, before which
            // the full-text index is written out.
            self.connection.prepare_cached(INSERT)?.execute(values)?;
            return Ok(Some(Put { group, row: self.connection.last_insert_rowid(), alone }));
        }
        let mut statement = self.connection.prepare_cached(&format!(
            "{INSERT} ON CONFLICT (grp, id, version) DO UPDATE SET sequence = ?2, position = ?3, added = ?4,
             spec_version = ?8, created_by = ?9, name = ?11, marking = ?12, revoked = ?13, withdrawn = ?14
             WHERE withdrawn <> 0 AND ?14 = 0
             RETURNING row"
        ))?;
        let row = statement.query_row(values, |row| row.get(0));
        Ok(row.optional()?.map(|row| Put { group, row, alone }))
    }

    /// Keeps the first and latest flags.
    fn rank(&self, group: i64, object: &ObjectRow<'_>) -> Result<(), ViewsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT min(version), max(version), count(*) FROM objects WHERE grp = ?1 AND id = ?2 AND withdrawn = 0",
        )?;
        let (first, latest, versions): (i64, i64, i64) = statement
            .query_row(params![group, object.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let version = object.version.as_micros();
        if version == latest {
            self.forget_keys(group, object.id)?;
        }
        if versions == 1 {
            // Withdrawn versions, if there are any, step back behind the one that is back in use.
            self.connection
                .prepare_cached("UPDATE objects SET first = 0, latest = 0 WHERE grp = ?1 AND id = ?2")?
                .execute(params![group, object.id])?;
        }
        if version == first || version == latest {
            self.connection
                .prepare_cached(
                    "UPDATE objects SET first = (version = ?3), latest = (version = ?4)
                     WHERE grp = ?1 AND id = ?2 AND withdrawn = 0",
                )?
                .execute(params![group, object.id, first, latest])?;
        }
        Ok(())
    }

    /// The latest version of an object in a group: the one in use, or else the last one withdrawn.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn latest_object(&self, group: GroupId, id: &str) -> Result<Option<ObjectRecord>, ViewsError> {
        // Withdrawn versions keep `latest`, so where there is none there is no version at all.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {OBJECT_COLUMNS} FROM objects o JOIN groups g ON g.grp = o.grp
             WHERE g.uuid = ?1 AND o.id = ?2 AND o.latest = 1"
        ))?;
        let found = statement.query_row(params![group.uuid().into_bytes(), id], object_from).optional()?;
        let absent = found.is_none() && self.entry.is_some_and(|entry| entry.group == group);
        *self.absent.borrow_mut() = absent.then(|| id.to_owned());
        Ok(found)
    }

    /// Marks every version of an object in a group as revoked: still served, but no longer advice. True if it was there.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn mark_revoked(&mut self, group: GroupId, id: &str) -> Result<bool, ViewsError> {
        self.entry()?;
        let group = self.number(group)?;
        let changed = self
            .connection
            .prepare_cached("UPDATE objects SET revoked = 1 WHERE grp = ?1 AND id = ?2")?
            .execute(params![group, id])?;
        Ok(changed > 0)
    }

    /// Takes every version of an object out of a group's pages and search. A later version may bring it back. True if
    /// it was there.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn withdraw(&mut self, group: GroupId, id: &str) -> Result<bool, ViewsError> {
        self.entry()?;
        let group = self.number(group)?;
        self.forget_keys(group, id)?;
        let changed = self
            .connection
            .prepare_cached("UPDATE objects SET withdrawn = 1 WHERE grp = ?1 AND id = ?2 AND withdrawn = 0")?
            .execute(params![group, id])?;
        Ok(changed > 0)
    }

    /// Takes some versions of an object out of a group's pages and search; the latest of those left is the latest again.
    /// True if one of them was there.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn withdraw_versions(
        &mut self,
        group: GroupId,
        id: &str,
        versions: &[Timestamp],
    ) -> Result<bool, ViewsError> {
        self.entry()?;
        let group = self.number(group)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT version FROM objects WHERE grp = ?1 AND id = ?2 AND latest = 1 AND withdrawn = 0",
        )?;
        let latest = statement.query_row(params![group, id], |row| row.get(0).map(Timestamp::from_micros));
        if latest.optional()?.is_some_and(|latest| versions.contains(&latest)) {
            self.forget_keys(group, id)?;
        }
        let mut changed = 0;
        for version in versions {
            let version = version.as_micros();
            changed += self
                .connection
                .prepare_cached(
                    "UPDATE objects SET withdrawn = 1 WHERE grp = ?1 AND id = ?2 AND version = ?3 AND withdrawn = 0",
                )?
                .execute(params![group, id, version])?;
        }
        // What is left is ranked anew; where nothing is left, the last one withdrawn stays what is known of the object.
        self.connection
            .prepare_cached(
                "UPDATE objects SET (first, latest) =
                 (SELECT objects.withdrawn = 0 AND objects.version = min(x.version),
                         objects.withdrawn = 0 AND objects.version = max(x.version)
                  FROM objects x WHERE x.grp = ?1 AND x.id = ?2 AND x.withdrawn = 0)
                 WHERE grp = ?1 AND id = ?2
                 AND EXISTS (SELECT 1 FROM objects x WHERE x.grp = ?1 AND x.id = ?2 AND x.withdrawn = 0)",
            )?
            .execute(params![group, id])?;
        Ok(changed > 0)
    }

    /// Puts a connection that the version just put says.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn put_edge(&mut self, put: Put, edge: &Edge<'_>) -> Result<(), ViewsError> {
        self.connection
            .prepare_cached(
                "INSERT INTO edges (object, grp, source, target, label) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![put.row, put.group, edge.source, edge.target, edge.label])?;
        Ok(())
    }

    /// Takes out the connections an object of a group says: its own references, and those of a relationship.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn delete_edges(&mut self, group: GroupId, via: &str) -> Result<(), ViewsError> {
        self.entry()?;
        let group = self.number(group)?;
        self.connection
            .prepare_cached(
                "DELETE FROM edges WHERE object IN (SELECT row FROM objects WHERE grp = ?1 AND id = ?2)",
            )?
            .execute(params![group, via])?;
        Ok(())
    }

    /// The connections of an object in a group, from it and to it, by source, target and label.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn edges(&self, group: GroupId, id: &str) -> Result<Vec<EdgeRecord>, ViewsError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "WITH seen AS MATERIALIZED (SELECT grp FROM groups WHERE uuid = ?2) {EDGES} ORDER BY 2, 3, 4, 5"
        ))?;
        let rows = statement.query_map(params![id, group.uuid().into_bytes()], edge_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts (or replaces) a document. `sort` says where it stands among the documents of its group.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn put_document(
        &mut self,
        collection: &str,
        group: GroupId,
        key: &str,
        sort: u64,
        body: &[u8],
    ) -> Result<(), ViewsError> {
        let changed = self.entry()?.time.as_micros();
        let group = self.number(group)?;
        self.connection
            .prepare_cached(
                "INSERT INTO documents (collection, grp, key, sort, changed, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (collection, grp, key) DO UPDATE SET sort = ?4, changed = ?5, body = ?6",
            )?
            .execute(params![collection, group, key, sort, changed, body])?;
        Ok(())
    }

    /// The bytes of a document.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn document(
        &self,
        collection: &str,
        group: GroupId,
        key: &str,
    ) -> Result<Option<Vec<u8>>, ViewsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT d.body FROM documents d JOIN groups g ON g.grp = d.grp
             WHERE d.collection = ?1 AND g.uuid = ?2 AND d.key = ?3",
        )?;
        let body = statement.query_row(params![collection, group.uuid().into_bytes(), key], |row| row.get(0));
        Ok(body.optional()?)
    }

    /// The documents of a collection in a group, by sort and key.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn documents(&self, collection: &str, group: GroupId) -> Result<Vec<Document>, ViewsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT g.uuid, d.key, d.sort, d.changed, d.body FROM documents d JOIN groups g ON g.grp = d.grp
             WHERE d.collection = ?1 AND g.uuid = ?2 ORDER BY d.sort, d.key",
        )?;
        let rows = statement.query_map(params![collection, group.uuid().into_bytes()], document_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The documents of a collection in all groups, by group, sort and key: for a fold to load its own state from.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn all_documents(&self, collection: &str) -> Result<Vec<Document>, ViewsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT g.uuid, d.key, d.sort, d.changed, d.body FROM documents d JOIN groups g ON g.grp = d.grp
             WHERE d.collection = ?1 ORDER BY g.uuid, d.sort, d.key",
        )?;
        let rows = statement.query_map(params![collection], document_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Deletes a document. True if it was there.
    ///
    /// # Errors
    /// [`ViewsError`].
    pub fn delete_document(
        &mut self,
        collection: &str,
        group: GroupId,
        key: &str,
    ) -> Result<bool, ViewsError> {
        self.entry()?;
        let group = self.number(group)?;
        let deleted = self
            .connection
            .prepare_cached("DELETE FROM documents WHERE collection = ?1 AND grp = ?2 AND key = ?3")?
            .execute(params![collection, group, key])?;
        Ok(deleted > 0)
    }

    /// The number of a group, given on first use.
    fn number(&self, group: GroupId) -> Result<i64, ViewsError> {
        if let Some((_, number)) = self.numbered.get().filter(|(known, _)| *known == group) {
            return Ok(number);
        }
        let uuid = group.uuid().into_bytes();
        let mut statement = self.connection.prepare_cached("SELECT grp FROM groups WHERE uuid = ?1")?;
        let number = match statement.query_row(params![uuid], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => {
                self.connection
                    .prepare_cached("INSERT INTO groups (uuid) VALUES (?1)")?
                    .execute(params![uuid])?;
                self.connection.last_insert_rowid()
            }
        };
        self.numbered.set(Some((group, number)));
        Ok(number)
    }
}
