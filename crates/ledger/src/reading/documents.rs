//! Documents the hub's fold put, by key, by what changed since, and newest first.

use rusqlite::{OptionalExtension as _, params};
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::time::Timestamp;

use super::{ReadError, Reading, covered, limited};
use crate::entry::Positions;
use crate::views::{Document, document_from};

/// Most documents on one page.
const DOCUMENTS_MAX: usize = 10_000;

/// Some documents of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentPage {
    /// The documents, group by group, each by sort and key.
    pub rows: Vec<Document>,
    /// What to ask for next: `after` with the sort reached in each group.
    pub reached: Positions,
    /// Whether there are more.
    pub more: bool,
}

/// Where a page of newest documents ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewestCursor {
    /// When the last one changed.
    pub changed: Timestamp,
    /// The group it is in.
    pub group: GroupId,
    /// Its key.
    pub key: String,
}

impl NewestCursor {
    /// The place of a document.
    pub fn of(document: &Document) -> Self {
        Self { changed: document.changed, group: document.group, key: document.key.clone() }
    }
}

impl Reading<'_> {
    /// One document, if it is there and visible.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group.
    pub fn document(
        &self,
        scope: &ReadScope,
        collection: &str,
        group: GroupId,
        key: &str,
    ) -> Result<Option<Visible<Document>>, ReadError> {
        let uuid = covered(scope, group)?;
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT g.uuid, d.key, d.sort, d.changed, d.body FROM groups g JOIN documents d ON d.grp = g.grp
             WHERE g.uuid = ?1 AND d.collection = ?2 AND d.key = ?3",
        )?;
        let found = statement.query_row(params![uuid, collection, key], document_from).optional()?;
        Ok(found.map(|document| Visible::under(scope, document)))
    }

    /// Every visible document with this key, by group.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn documents_by_key(
        &self,
        scope: &ReadScope,
        collection: &str,
        key: &str,
    ) -> Result<Visible<Vec<Document>>, ReadError> {
        let mut found = Vec::new();
        for group in scope.groups() {
            found.extend(self.document(scope, collection, group, key)?.map(Visible::into_inner));
        }
        Ok(Visible::under(scope, found))
    }

    /// The documents whose sort lies beyond what `after` says of their group (a group it does not name is read from
    /// the start). About `limit` of them (held to [`DOCUMENTS_MAX`]): documents of one group with one sort are never
    /// torn apart, so that `reached` loses none of them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn documents(
        &self,
        scope: &ReadScope,
        collection: &str,
        after: &Positions,
        limit: usize,
    ) -> Result<Visible<DocumentPage>, ReadError> {
        let (limit, _) = limited(limit, DOCUMENTS_MAX);
        let mut page = DocumentPage { rows: Vec::new(), reached: after.clone(), more: false };
        page.reached.retain(|group, _| scope.covers(*group));
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT g.uuid, d.key, d.sort, d.changed, d.body FROM groups g JOIN documents d ON d.grp = g.grp
             WHERE g.uuid = ?1 AND d.collection = ?2 AND d.sort > ?3 ORDER BY d.sort, d.key",
        )?;
        for group in scope.groups() {
            let from = after.get(&group).copied().unwrap_or(0);
            // `sort > 0` would lose a document put at 0.
            let from = if after.contains_key(&group) { i64::try_from(from).unwrap_or(i64::MAX) } else { -1 };
            let mut rows =
                statement.query_map(params![group.uuid().into_bytes(), collection, from], document_from)?;
            for row in &mut rows {
                let row = row?;
                let tied = page.rows.last().is_some_and(|last| last.group == group && last.sort == row.sort);
                if page.rows.len() >= limit && !tied {
                    page.more = true;
                    return Ok(Visible::under(scope, page));
                }
                page.reached.insert(group, row.sort);
                page.rows.push(row);
            }
        }
        Ok(Visible::under(scope, page))
    }

    /// The documents of a collection that changed last, newest first, at most `limit` (held to [`PAGE_ITEMS_MAX`]),
    /// from after `before` on; ties by group and key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn documents_newest(
        &self,
        scope: &ReadScope,
        collection: &str,
        before: Option<&NewestCursor>,
        limit: usize,
    ) -> Result<Visible<Vec<Document>>, ReadError> {
        let (limit, _) = limited(limit, PAGE_ITEMS_MAX);
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT g.uuid, d.key, d.sort, d.changed, d.body FROM groups g JOIN documents d ON d.grp = g.grp
             WHERE g.uuid = ?1 AND d.collection = ?2 AND (d.changed < ?3 OR (d.changed = ?3 AND d.key < ?4))
             ORDER BY d.changed DESC, d.key DESC LIMIT ?5",
        )?;
        let mut found: Vec<Document> = Vec::new();
        for group in scope.groups() {
            // Before the cursor: earlier, or as early and in a lesser group, or there with a lesser key.
            let (changed, key) = match before {
                None => (i64::MAX, ""),
                Some(at) if group < at.group => (at.changed.as_micros().saturating_add(1), ""),
                Some(at) if group == at.group => (at.changed.as_micros(), at.key.as_str()),
                Some(at) => (at.changed.as_micros(), ""),
            };
            let asked = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(
                params![group.uuid().into_bytes(), collection, changed, key, asked],
                document_from,
            )?;
            for row in rows {
                found.push(row?);
            }
        }
        found.sort_by_cached_key(|document| std::cmp::Reverse(NewestCursor::of(document)));
        found.truncate(limit);
        Ok(Visible::under(scope, found))
    }
}
