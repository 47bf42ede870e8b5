//! Entries as they stand in the logs, and how much of what there is.

use std::collections::BTreeMap;

use rusqlite::params;
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::time::Timestamp;

use super::{ReadError, Reading, covered, groups_json, json_of, limited};
use crate::entry::{Entry, Positions};
use crate::store::{ENTRY_COLUMNS, entry_from};
use crate::views::group_at;

/// What is asked of the logs. Empty fields ask for nothing in particular; different fields are joined by AND.
#[derive(Clone, Debug, Default)]
pub struct EntryQuery {
    /// This group's log alone.
    pub group: Option<GroupId>,
    /// These kinds alone.
    pub kinds: Vec<String>,
    /// Entries by this member alone.
    pub author: Option<MemberId>,
    /// Sequences beyond these; of a group not named, everything.
    pub after: Positions,
    /// Sequences below these; of a group not named, everything.
    pub before: Positions,
    /// Newest first.
    pub newest_first: bool,
    /// At most so many; held to [`PAGE_ITEMS_MAX`].
    pub limit: usize,
}

/// Some entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries, by time, then group and sequence; the other way round when newest first.
    pub rows: Vec<Entry>,
    /// Whether there are more.
    pub more: bool,
}

/// How many objects of one type a group has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCount {
    /// The group.
    pub group: GroupId,
    /// The object type.
    pub object_type: String,
    /// How many, each by its latest version, without those withdrawn.
    pub count: u64,
}

/// How much there is of what the scope covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects by group and type.
    pub objects: Vec<ObjectCount>,
    /// Entries by group.
    pub entries: Positions,
}

impl Counts {
    /// Objects by type over all groups; one that is in two groups counts twice.
    pub fn by_type(&self) -> BTreeMap<&str, u64> {
        let mut totals = BTreeMap::new();
        for row in &self.objects {
            *totals.entry(row.object_type.as_str()).or_default() += row.count;
        }
        totals
    }
}

impl Reading<'_> {
    /// Entries of the visible logs.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the query names a group the scope does not cover.
    pub fn entries(&self, scope: &ReadScope, query: &EntryQuery) -> Result<Visible<EntryPage>, ReadError> {
        if let Some(group) = query.group {
            covered(scope, group)?;
        }
        let (limit, asked) = limited(query.limit, PAGE_ITEMS_MAX);
        let mut rows = Vec::new();
        for group in scope.groups().filter(|group| query.group.is_none_or(|only| only == *group)) {
            rows.extend(self.entries_of(group, query, asked)?);
        }
        // Within a log time rises with the sequence; between logs time alone orders, so that nothing is told of others.
        rows.sort_by_key(|entry: &(Timestamp, GroupId, u64, u64)| (entry.0, entry.1, entry.2));
        if query.newest_first {
            rows.reverse();
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let positions: Vec<u64> = rows.iter().map(|row| row.3).collect();
        let page = EntryPage { rows: self.entries_at(&positions)?, more };
        Ok(Visible::under(scope, page))
    }

    /// (time, group, sequence, position) of the entries of one log that fit.
    fn entries_of(
        &self,
        group: GroupId,
        query: &EntryQuery,
        asked: i64,
    ) -> Result<Vec<(Timestamp, GroupId, u64, u64)>, ReadError> {
        let direction = if query.newest_first { "DESC" } else { "ASC" };
        let folded = self.published.sequence(group);
        let before = query.before.get(&group).copied().unwrap_or(u64::MAX).min(folded.saturating_add(1));
        let kinds = if query.kinds.is_empty() { None } else { Some(json_of(&query.kinds)) };
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT e.time, l.grp, e.sequence, e.position FROM ledger.logs l
             JOIN ledger.leaves f ON f.log = l.log JOIN ledger.entries e ON e.position = f.position
             WHERE l.grp = ?1 AND f.sequence > ?2 AND f.sequence < ?3
             AND (?4 IS NULL OR e.kind IN (SELECT value FROM json_each(?4))) AND (?5 IS NULL OR e.member = ?5)
             ORDER BY f.sequence {direction} LIMIT ?6"
        ))?;
        let rows = statement.query_map(
            params![
                group.uuid().into_bytes(),
                query.after.get(&group).copied().unwrap_or(0),
                before,
                kinds,
                query.author.map(|author| author.uuid().into_bytes()),
                asked,
            ],
            |row| Ok((Timestamp::from_micros(row.get(0)?), group_at(row, 1)?, row.get(2)?, row.get(3)?)),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whole entries by position, in the order asked.
    fn entries_at(&self, positions: &[u64]) -> Result<Vec<Entry>, ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {ENTRY_COLUMNS} FROM ledger.entries e JOIN ledger.logs l ON l.log = e.log WHERE e.position = ?1"
        ))?;
        let mut rows = Vec::with_capacity(positions.len());
        for position in positions {
            rows.push(statement.query_row(params![position], entry_from)?);
        }
        Ok(rows)
    }

    /// Entries of visible logs after `after`, in the order of commit, up to the position `until`; at most `limit`, and
    /// no more after `bytes` of bodies. True when there are none left up to `until`.
    pub(crate) fn backlog(
        &self,
        scope: &ReadScope,
        after: &Positions,
        until: u64,
        limit: usize,
        bytes: usize,
    ) -> Result<(Vec<Entry>, bool), ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT f.position FROM ledger.logs l JOIN ledger.leaves f ON f.log = l.log
             WHERE l.grp = ?1 AND f.sequence > ?2 AND f.position <= ?3 ORDER BY f.sequence LIMIT ?4",
        )?;
        let asked = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut positions: Vec<u64> = Vec::new();
        for group in scope.groups() {
            let from = after.get(&group).copied().unwrap_or(0);
            let rows = statement
                .query_map(params![group.uuid().into_bytes(), from, until, asked], |row| row.get(0))?;
            for row in rows {
                positions.push(row?);
            }
        }
        positions.sort_unstable();
        let mut all = positions.len() <= limit;
        positions.truncate(limit);
        let (mut entries, mut size) = (Vec::new(), 0usize);
        for position in positions {
            if size > bytes {
                all = false;
                break;
            }
            let entry = self.entries_at(&[position])?;
            size += entry.iter().map(|entry| entry.body.as_ref().map_or(0, Vec::len)).sum::<usize>();
            entries.extend(entry);
        }
        Ok((entries, all))
    }

    /// How much there is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn counts(&self, scope: &ReadScope) -> Result<Visible<Counts>, ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT g.uuid, o.type, count(*) FROM groups g JOIN objects o ON o.grp = g.grp
             WHERE g.uuid IN (SELECT unhex(value) FROM json_each(?1)) AND o.latest = 1 AND o.withdrawn = 0
             GROUP BY g.uuid, o.type ORDER BY g.uuid, o.type",
        )?;
        let rows = statement.query_map(params![groups_json(scope)], |row| {
            Ok(ObjectCount { group: group_at(row, 0)?, object_type: row.get(1)?, count: row.get(2)? })
        })?;
        let objects = rows.collect::<Result<_, _>>()?;
        let counts = Counts { objects, entries: self.published.positions(scope) };
        Ok(Visible::under(scope, counts))
    }

    /// The last folded sequence of each visible log that has entries. Take these first and read after: what
    /// [`follow`](crate::Ledger::follow) gives from here on then misses nothing.
    pub fn positions(&self, scope: &ReadScope) -> Visible<Positions> {
        Visible::under(scope, self.published.positions(scope))
    }
}
