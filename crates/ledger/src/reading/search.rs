//! Search over the latest versions of objects in the visible groups.
//!
//! Hits come newest first and never by relevance: a full-text rank is weighed by words of all documents, and so would
//! tell about hidden ones.

use std::net::IpAddr;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params_from_iter};
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use super::{ReadError, Reading, json_of, limited};
use crate::entry::Positions;
use crate::views::{Key, OBJECT_COLUMNS, ObjectRecord, marking_rank, object_from};

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
    /// What else is asked, all of it.
    pub conditions: Vec<Condition>,
    /// Only what came after these sequences; a group that is not named is read from its start.
    pub since: Option<Positions>,
    /// What its owners took back, instead of what is in use.
    pub withdrawn: bool,
    /// Continue after this hit.
    pub after: Option<SearchCursor>,
    /// At most so many; held to [`PAGE_ITEMS_MAX`].
    pub limit: usize,
}

/// Something asked of each hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Whether it must not be so.
    pub not: bool,
    /// What must be so.
    pub test: Test,
}

/// What an object may be asked. Lists are joined by OR; an empty one holds for nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Is of one of these types.
    Type(Vec<String>),
    /// Carries one of these markings; `None` stands for none.
    Marking(Vec<Option<Tlp>>),
    /// Is owned by one of these members.
    Owner(Vec<MemberId>),
    /// Lies in one of these groups.
    Group(Vec<GroupId>),
    /// Says it was created by one of these.
    CreatedBy(Vec<String>),
    /// Was added from the first of these times on and before the second.
    Added(Option<Timestamp>, Option<Timestamp>),
    /// Is revoked.
    Revoked,
    /// Is kept under one of these keys.
    Holds(Vec<Key>),
    /// Holds an address or a network inside this network.
    Inside(IpAddr, u8),
    /// Has a document of this collection under its id, in JSON, whose property of that name is a text that lies from the
    /// first of these on and before the second.
    Document {
        /// The collection.
        collection: &'static str,
        /// The property.
        property: &'static str,
        /// From this on.
        from: Option<String>,
        /// Before this.
        until: Option<String>,
    },
    /// Any of these.
    Any(Vec<Condition>),
    /// Has all these words, one after the other.
    Words(String),
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
        if words.is_some() || query.conditions.iter().any(Condition::asks_for_words) {
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
                statement.query_row([group.uuid().into_bytes()], |row| row.get(0)).optional()?;
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
        let after = query.since.as_ref().and_then(|since| since.get(&group)).copied().unwrap_or(0);
        let mut values = vec![
            Value::Blob(group.uuid().into_bytes().to_vec()),
            Value::Integer(before_sequence),
            Value::Integer(before_added),
            types,
            query.marking.map_or(Value::Null, |marking| Value::Integer(marking_rank(marking))),
            query.owner.map_or(Value::Null, |owner| Value::Blob(owner.uuid().into_bytes().to_vec())),
            Value::Integer(asked),
            words.map_or(Value::Null, |words| Value::Text(words.to_owned())),
            Value::Integer(i64::try_from(after).unwrap_or(i64::MAX)),
        ];
        let connection = self.loan.connection()?;
        let mut more = String::new();
        if !query.conditions.is_empty() {
            let number = connection
                .prepare_cached("SELECT grp FROM groups WHERE uuid = ?1")?
                .query_row([group.uuid().into_bytes()], |row| row.get(0));
            let Some(number) = number.optional()? else { return Ok(Vec::new()) };
            for condition in &query.conditions {
                more.push_str(" AND ");
                more.push_str(&condition.sql(group, number, &mut values));
            }
        }
        // Of what was taken back, the version that says so is the last.
        let withdrawn = if query.withdrawn { "o.withdrawn <> 0" } else { "o.withdrawn = 0" };
        let sql = format!(
            "SELECT {OBJECT_COLUMNS} FROM groups g JOIN objects o ON o.grp = g.grp
             WHERE g.uuid = ?1 AND o.latest = 1 AND {withdrawn} AND o.sequence > ?9 AND o.sequence < ?2 AND o.added < ?3
             AND (?4 IS NULL OR o.type IN (SELECT value FROM json_each(?4)))
             AND (?5 IS NULL OR o.marking = ?5) AND (?6 IS NULL OR o.owner = ?6) {matching} {more}
             ORDER BY o.sequence DESC LIMIT ?7"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), object_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Condition {
    /// Whether it is about words, which are indexed behind the views.
    fn asks_for_words(&self) -> bool {
        match &self.test {
            Test::Words(_) => true,
            Test::Any(any) => any.iter().any(Self::asks_for_words),
            _ => false,
        }
    }

    /// The condition as SQL, each value bound. Only fixed text goes into it.
    fn sql(&self, group: GroupId, number: i64, values: &mut Vec<Value>) -> String {
        let mut bind = |value: Value| {
            values.push(value);
            format!("?{}", values.len())
        };
        let test = match &self.test {
            Test::Type(types) => {
                format!("o.type IN (SELECT value FROM json_each({}))", bind(Value::Text(json_of(types))))
            }
            Test::Marking(markings) => {
                let ranks: Vec<i64> =
                    markings.iter().map(|marking| marking.map_or(-1, marking_rank)).collect();
                let ranks = Value::Text(serde_json::Value::from(ranks).to_string());
                format!("coalesce(o.marking, -1) IN (SELECT value FROM json_each({}))", bind(ranks))
            }
            Test::Owner(owners) => {
                let hex: Vec<String> = owners.iter().map(|owner| owner.uuid().simple().to_string()).collect();
                let listed = bind(Value::Text(json_of(&hex)));
                format!("(o.owner IS NOT NULL AND o.owner IN (SELECT unhex(value) FROM json_each({listed})))")
            }
            Test::Group(groups) => i32::from(groups.contains(&group)).to_string(),
            Test::CreatedBy(ids) => {
                let listed = bind(Value::Text(json_of(ids)));
                format!(
                    "(o.created_by IS NOT NULL AND o.created_by IN (SELECT value FROM json_each({listed})))"
                )
            }
            Test::Added(from, until) => {
                let at =
                    |time: &Option<Timestamp>, open| Value::Integer(time.map_or(open, Timestamp::as_micros));
                let (from, until) = (bind(at(from, i64::MIN)), bind(at(until, i64::MAX)));
                format!("(o.added >= {from} AND o.added < {until})")
            }
            Test::Revoked => "o.revoked = 1".to_owned(),
            Test::Holds(keys) => {
                let words: Vec<String> = keys.iter().map(|key| key.word(number)).collect();
                if words.is_empty() {
                    "0".to_owned()
                } else {
                    let words = bind(Value::Text(words.join(" OR ")));
                    format!("o.row IN (SELECT rowid FROM keys WHERE keys MATCH {words})")
                }
            }
            Test::Inside(net, length) => {
                let inside = Key::words_inside(*net, *length, number).map(|(from, to)| {
                    let (from, to) = (bind(Value::Text(from)), bind(Value::Text(to)));
                    format!("SELECT doc FROM key_words WHERE term >= {from} AND term <= {to}")
                });
                format!("o.row IN ({})", inside.join(" UNION "))
            }
            Test::Document { collection, property, from, until } => {
                let mut bound = |sign: &str, end: &Option<String>| {
                    let Some(end) = end else { return String::new() };
                    let (path, end) =
                        (bind(Value::Text(format!("$.{property}"))), bind(Value::Text(end.clone())));
                    format!(" AND json_extract(CAST(d.body AS TEXT), {path}) {sign} {end}")
                };
                let within = bound(">=", from) + &bound("<", until);
                format!(
                    "EXISTS (SELECT 1 FROM documents d WHERE d.collection = {} AND d.grp = o.grp AND d.key = o.id{within})",
                    bind(Value::Text((*collection).to_owned()))
                )
            }
            Test::Any(any) => {
                let any: Vec<String> = any.iter().map(|one| one.sql(group, number, values)).collect();
                if any.is_empty() { "0".to_owned() } else { format!("({})", any.join(" OR ")) }
            }
            Test::Words(text) => match phrase(text) {
                Some(phrase) => {
                    let phrase = bind(Value::Text(phrase));
                    format!("o.position IN (SELECT rowid FROM texts WHERE texts MATCH {phrase})")
                }
                None => "1".to_owned(),
            },
        };
        if self.not { format!("NOT ({test})") } else { test }
    }
}

/// Words that must stand one after the other, as an FTS5 phrase.
fn phrase(text: &str) -> Option<String> {
    let plain = text.replace(['"', '\0'], " ");
    plain.chars().any(char::is_alphanumeric).then(|| format!("\"{plain}\""))
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
