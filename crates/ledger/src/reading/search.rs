//! Search over the latest versions of objects in the visible groups.
//!
//! Hits come newest first and never by relevance: a full-text rank is weighed by words of all documents, and so would
//! tell about hidden ones.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params};
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use super::{ReadError, Reading, json_of, limited};
use crate::views::{OBJECT_COLUMNS, ObjectRecord, marking_rank, object_from};

/// Most words of a search text that are looked for; the rest are passed over.
const SEARCH_WORDS_MAX: usize = 16;

/// What is searched for. Empty fields ask for nothing in particular; different fields are joined by AND.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery {
    /// Words that must all occur, in any order; the last may be the beginning of one. No query language.
    pub text: String,
    /// These types alone.
    pub types: Vec<String>,
    /// These groups alone, as far as the scope covers them.
    pub group: Option<GroupId>,
    /// This marking alone.
    pub marking: Option<Tlp>,
    /// This owner's alone.
    pub owner: Option<MemberId>,
    /// Continue after this hit.
    pub after: Option<SearchCursor>,
    /// At most so many; held to [`PAGE_ITEMS_MAX`].
    pub limit: usize,
}

/// Where a page of hits ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchCursor {
    /// When the last hit was added.
    pub added: Timestamp,
    /// The group it is in.
    pub group: GroupId,
    /// Its sequence there.
    pub sequence: u64,
}

impl SearchCursor {
    fn of(record: &ObjectRecord) -> Self {
        Self { added: record.added, group: record.group, sequence: record.sequence }
    }
}

/// Some hits, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPage {
    /// The hits.
    pub rows: Vec<ObjectRecord>,
    /// Where to go on, if there are more.
    pub next: Option<SearchCursor>,
}

impl Reading<'_> {
    /// Latest versions, not withdrawn, that fit; newest first, ties by group and sequence.
    ///
    /// # Errors
    /// [`ReadError::TooLong`] when the search is too wide.
    pub fn search(&self, scope: &ReadScope, query: &SearchQuery) -> Result<Visible<SearchPage>, ReadError> {
        let (limit, asked) = limited(query.limit, PAGE_ITEMS_MAX);
        let words = words(&query.text);
        if words.is_some() {
            self.wait_for_words(scope)?;
        }
        let mut rows = Vec::new();
        // Within a group the order is that of its sequence, which has an index; the groups are merged here.
        for group in scope.groups().filter(|group| query.group.is_none_or(|only| only == *group)) {
            rows.extend(self.search_group(group, query, words.as_deref(), asked)?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(SearchCursor::of(row)));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(SearchCursor::of);
        Ok(Visible::under(scope, SearchPage { rows, next }))
    }

    /// Waits until the words of everything in the scope's groups can be found; what others share meanwhile is not
    /// waited for.
    fn wait_for_words(&self, scope: &ReadScope) -> Result<(), ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT o.position FROM groups g JOIN objects o ON o.grp = g.grp WHERE g.uuid = ?1
             ORDER BY o.sequence DESC LIMIT 1",
        )?;
        let mut last = 0;
        for group in scope.groups() {
            let position: Option<u64> =
                statement.query_row(params![group.uuid().into_bytes()], |row| row.get(0)).optional()?;
            last = last.max(position.unwrap_or(0));
        }
        self.published.texts.wait_for(last)
    }

    fn search_group(
        &self,
        group: GroupId,
        query: &SearchQuery,
        words: Option<&str>,
        asked: i64,
    ) -> Result<Vec<ObjectRecord>, ReadError> {
        // Sequences of this group that come after the cursor: it rises with the time added.
        let (before_sequence, before_added) = match query.after {
            None => (i64::MAX, i64::MAX),
            Some(at) if at.group == group => (i64::try_from(at.sequence).unwrap_or(i64::MAX), i64::MAX),
            Some(at) if group < at.group => (i64::MAX, at.added.as_micros().saturating_add(1)),
            Some(at) => (i64::MAX, at.added.as_micros()),
        };
        let types = if query.types.is_empty() { Value::Null } else { Value::Text(json_of(&query.types)) };
        let matching = match words {
            Some(_) => "AND o.position IN (SELECT rowid FROM texts WHERE texts MATCH ?8)",
            None => "AND ?8 IS NULL",
        };
        let sql = format!(
            "SELECT {OBJECT_COLUMNS} FROM groups g JOIN objects o ON o.grp = g.grp
             WHERE g.uuid = ?1 AND o.latest = 1 AND o.withdrawn = 0 AND o.sequence < ?2 AND o.added < ?3
             AND (?4 IS NULL OR o.type IN (SELECT value FROM json_each(?4)))
             AND (?5 IS NULL OR o.marking = ?5) AND (?6 IS NULL OR o.owner = ?6) {matching}
             ORDER BY o.sequence DESC LIMIT ?7"
        );
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                group.uuid().into_bytes(),
                before_sequence,
                before_added,
                types,
                query.marking.map(marking_rank),
                query.owner.map(|owner| owner.uuid().into_bytes()),
                asked,
                words,
            ],
            object_from,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// A person's words as an FTS5 expression in which nothing is an operator: each in quotes, the last one open-ended.
fn words(text: &str) -> Option<String> {
    let quoted: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(SEARCH_WORDS_MAX)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', " ")))
        .collect();
    if quoted.is_empty() { None } else { Some(format!("{}*", quoted.join(" "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_person_types_is_an_operator() {
        assert_eq!(words("  "), None);
        assert_eq!(words("-- \" *"), None);
        assert_eq!(words("evil.example OR").unwrap(), "\"evil.example\" \"OR\"*");
        assert_eq!(words("a\"b").unwrap(), "\"a\"\"b\"*");
    }
}
