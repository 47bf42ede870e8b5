//! Objects by page and by id: TAXII 2.1 sections 5.4 to 5.8 ask for exactly this.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits::ENVELOPE_OBJECTS_MAX;
use shieldwall_model::time::Timestamp;

use super::{ReadError, Reading, covered, groups_json, json_of, limited};
use crate::views::{EDGES, EdgeRecord, OBJECT_COLUMNS, ObjectRecord, edge_from, object_from};

/// Which versions of an object are wanted (TAXII 2.1 section 3.4.1, `match[version]`). All that is set is joined by OR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFilter {
    /// The earliest one here.
    pub first: bool,
    /// The latest one here.
    pub last: bool,
    /// Every one.
    pub all: bool,
    /// These ones exactly.
    pub at: Vec<Timestamp>,
}

impl Default for VersionFilter {
    /// The latest alone, as TAXII has it where nothing is said.
    fn default() -> Self {
        Self { first: false, last: true, all: false, at: Vec::new() }
    }
}

impl VersionFilter {
    /// Every version.
    pub const fn every() -> Self {
        Self { first: false, last: false, all: true, at: Vec::new() }
    }
}

/// What is asked of one group's objects. Empty lists ask for nothing in particular; different fields are joined by AND.
#[derive(Clone, Debug)]
pub struct ObjectQuery {
    /// Whose log.
    pub group: GroupId,
    /// These ids alone.
    pub ids: Vec<String>,
    /// These types alone.
    pub types: Vec<String>,
    /// These versions alone.
    pub versions: VersionFilter,
    /// Objects of these STIX specification versions alone. First and last are then counted among these.
    pub spec_versions: Vec<String>,
    /// Added strictly later than this.
    pub added_after: Option<Timestamp>,
    /// Continue after this sequence (the last one of the page before).
    pub after: Option<u64>,
    /// At most so many; held to [`ENVELOPE_OBJECTS_MAX`].
    pub limit: usize,
    /// No further than this sequence: so that two queries see the same.
    pub until: Option<u64>,
    /// Also what was taken back.
    pub include_withdrawn: bool,
    /// Instead of objects in use, the revocations later than this sequence: versions that say that an object was taken
    /// back, for a reader who may hold it.
    pub revocations_after: Option<u64>,
}

impl ObjectQuery {
    /// The latest version of everything in a group, from the start.
    pub fn new(group: GroupId, limit: usize) -> Self {
        Self {
            group,
            ids: Vec::new(),
            types: Vec::new(),
            versions: VersionFilter::default(),
            spec_versions: Vec::new(),
            added_after: None,
            after: None,
            limit,
            until: None,
            include_withdrawn: false,
            revocations_after: None,
        }
    }
}

/// An object with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// What the index holds.
    pub record: ObjectRecord,
    /// The exact bytes as accepted; `None` once redacted.
    pub bytes: Option<Vec<u8>>,
}

/// Some of what a query asks for, in the order it was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPage<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are more after the last one's sequence.
    pub more: bool,
}

/// What a page of bytes was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageEnd {
    /// Objects in it.
    pub objects: usize,
    /// When its first object was added.
    pub first: Option<Timestamp>,
    /// When its last object was added.
    pub last: Option<Timestamp>,
    /// The sequence to go on after.
    pub sequence: Option<u64>,
    /// Whether there are more after that.
    pub more: bool,
}

impl Reading<'_> {
    /// The bytes of a page of objects, each handed to `each` out of the database's own memory: the shortest way from the
    /// disk into an answer. Order and contents are those of [`Reading::objects`]; what was redacted is passed over.
    ///
    /// # Errors
    /// As [`Reading::objects`]; what `each` was given before is then to be thrown away.
    pub fn object_bytes(
        &self,
        scope: &ReadScope,
        query: &ObjectQuery,
        mut each: impl FnMut(&[u8]),
    ) -> Result<Visible<PageEnd>, ReadError> {
        let (sql, values, limit) = self.asked(
            scope,
            query,
            "o.sequence, o.added, e.body",
            "JOIN ledger.entries e ON e.position = o.position",
        )?;
        let mut statement = self.loan.connection()?.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut end = PageEnd::default();
        while let Some(row) = rows.next()? {
            if end.objects == limit {
                end.more = true;
                break;
            }
            end.objects += 1;
            end.sequence = Some(row.get(0)?);
            end.last = Some(Timestamp::from_micros(row.get(1)?));
            end.first = end.first.or(end.last);
            if let ValueRef::Blob(bytes) = row.get_ref(2)? {
                each(bytes);
            }
        }
        Ok(Visible::under(scope, end))
    }

    /// A page of objects with their bytes, by sequence (and so by the time they were added, which rises with it). A page
    /// costs the same wherever it lies, and what is added meanwhile only ever comes later.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group.
    pub fn objects(
        &self,
        scope: &ReadScope,
        query: &ObjectQuery,
    ) -> Result<Visible<ObjectPage<StoredObject>>, ReadError> {
        let page = self.page(
            scope,
            query,
            &format!("{OBJECT_COLUMNS}, e.body"),
            "JOIN ledger.entries e ON e.position = o.position",
            |row| Ok(StoredObject { record: object_from(row)?, bytes: row.get(15)? }),
        )?;
        Ok(Visible::under(scope, page))
    }

    /// The same page without the bytes.
    ///
    /// # Errors
    /// As [`Reading::objects`].
    pub fn manifest(
        &self,
        scope: &ReadScope,
        query: &ObjectQuery,
    ) -> Result<Visible<ObjectPage<ObjectRecord>>, ReadError> {
        Ok(Visible::under(scope, self.page(scope, query, OBJECT_COLUMNS, "", object_from)?))
    }

    fn page<T>(
        &self,
        scope: &ReadScope,
        query: &ObjectQuery,
        columns: &str,
        join: &str,
        row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<ObjectPage<T>, ReadError> {
        let (sql, values, limit) = self.asked(scope, query, columns, join)?;
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query_map(params_from_iter(values), row)?.collect::<Result<Vec<T>, _>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(ObjectPage { rows, more })
    }

    /// The statement of a query, its values, and the page's limit; it selects one row more.
    fn asked(
        &self,
        scope: &ReadScope,
        query: &ObjectQuery,
        columns: &str,
        join: &str,
    ) -> Result<(String, Vec<Value>, usize), ReadError> {
        let group = covered(scope, query.group)?;
        let (limit, asked) = limited(query.limit, ENVELOPE_OBJECTS_MAX);
        let mut values = vec![Value::Blob(group.to_vec())];
        let mut condition = condition(query, &mut values);
        if let Some(added) = query.added_after {
            // Beside the time itself, which no index holds: where in the log it lies.
            let after = self.sequence_at(group, added)?;
            values.push(Value::Integer(i64::try_from(after).unwrap_or(i64::MAX)));
            condition.push_str(&format!(" AND o.sequence > ?{}", values.len()));
        }
        values.push(Value::Integer(asked));
        // What is asked for by id is few: it is looked up by id and then put in order. Without the plus sign, the index
        // that has the order is gone through from one end to the other.
        let order = if query.ids.is_empty() { "o.sequence" } else { "+o.sequence" };
        let sql = format!(
            "SELECT {columns} FROM groups g JOIN objects o ON o.grp = g.grp {join}
             WHERE g.uuid = ?1 {condition} ORDER BY {order} LIMIT ?{}",
            values.len()
        );
        Ok((sql, values, limit))
    }

    /// A sequence before every object of a group added later than `time`, and not before any other object: found by
    /// halving, for times rise with sequences. So what is new costs a poller the same in a log of any length.
    fn sequence_at(&self, group: [u8; 16], time: Timestamp) -> Result<u64, ReadError> {
        let connection = self.loan.connection()?;
        let mut first = connection.prepare_cached(
            "SELECT o.sequence, o.added FROM groups g JOIN objects o ON o.grp = g.grp
             WHERE g.uuid = ?1 AND o.sequence >= ?2 ORDER BY o.sequence LIMIT 1",
        )?;
        let mut last = connection.prepare_cached(
            "SELECT o.sequence FROM groups g JOIN objects o ON o.grp = g.grp
             WHERE g.uuid = ?1 ORDER BY o.sequence DESC LIMIT 1",
        )?;
        let end: Option<u64> = last.query_row(params![group], |row| row.get(0)).optional()?;
        let (mut low, mut high) = (0, end.map_or(0, |end| end.saturating_add(1)));
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<(u64, i64)> =
                first.query_row(params![group, middle], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match found {
                Some((sequence, added)) if added <= time.as_micros() => low = sequence.saturating_add(1),
                _ => high = middle,
            }
        }
        Ok(low.saturating_sub(1))
    }

    /// Every version of an object in every visible group, by group and version, with its bytes. Empty when it is
    /// hidden or absent.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn object(&self, scope: &ReadScope, id: &str) -> Result<Visible<Vec<StoredObject>>, ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {OBJECT_COLUMNS}, e.body FROM objects o JOIN groups g ON g.grp = o.grp
             JOIN ledger.entries e ON e.position = o.position
             WHERE o.id = ?1 AND g.uuid IN (SELECT unhex(value) FROM json_each(?2)) ORDER BY g.uuid, o.version"
        ))?;
        let rows = statement.query_map(params![id, groups_json(scope)], |row| {
            Ok(StoredObject { record: object_from(row)?, bytes: row.get(15)? })
        })?;
        Ok(Visible::under(scope, rows.collect::<Result<_, _>>()?))
    }

    /// The latest version of an object in one group, without its bytes; what was withdrawn is told by its flag.
    ///
    /// # Errors
    /// [`ReadError::Denied`] when the scope does not cover the group.
    pub fn latest_object(
        &self,
        scope: &ReadScope,
        group: GroupId,
        id: &str,
    ) -> Result<Option<Visible<ObjectRecord>>, ReadError> {
        let uuid = covered(scope, group)?;
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {OBJECT_COLUMNS} FROM groups g JOIN objects o ON o.grp = g.grp
             WHERE g.uuid = ?1 AND o.id = ?2 AND o.latest = 1"
        ))?;
        let found = statement.query_row(params![uuid, id], object_from).optional()?;
        Ok(found.map(|record| Visible::under(scope, record)))
    }

    /// The connections of an object in every visible group, at most `limit` (held to [`ENVELOPE_OBJECTS_MAX`]), by
    /// source, target, label and group.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn edges(
        &self,
        scope: &ReadScope,
        id: &str,
        limit: usize,
    ) -> Result<Visible<Vec<EdgeRecord>>, ReadError> {
        let (_, asked) = limited(limit, ENVELOPE_OBJECTS_MAX);
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "WITH seen AS MATERIALIZED
             (SELECT grp FROM groups WHERE uuid IN (SELECT unhex(value) FROM json_each(?2)))
             {EDGES} ORDER BY 2, 3, 4, 5, 1 LIMIT ?3"
        ))?;
        let rows = statement.query_map(params![id, groups_json(scope), asked - 1], edge_from)?;
        Ok(Visible::under(scope, rows.collect::<Result<_, _>>()?))
    }

    /// The objects that say `label` of `target` now: ids, each once, at most `limit` (held to [`ENVELOPE_OBJECTS_MAX`])
    /// and then any of them. Neither the object nor what says so is revoked or taken back, in any visible group.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn sources(
        &self,
        scope: &ReadScope,
        target: &str,
        label: &str,
        limit: usize,
    ) -> Result<Visible<Vec<String>>, ReadError> {
        let (limit, _) = limited(limit, ENVELOPE_OBJECTS_MAX);
        let connection = self.loan.connection()?;
        // The limit stands inside: whoever is said a million things of costs no more than it.
        let mut statement = connection.prepare_cached(
            "WITH seen AS MATERIALIZED (SELECT grp FROM groups WHERE uuid IN (SELECT unhex(value) FROM json_each(?1)))
             SELECT DISTINCT source FROM (
               SELECT coalesce(e.source, v.id) AS source FROM seen
               CROSS JOIN edges e ON e.grp = seen.grp AND e.target = ?2 CROSS JOIN objects v ON v.row = e.object
               WHERE e.label = ?3 AND v.latest = 1 AND v.withdrawn = 0 AND v.revoked = 0
               AND EXISTS (SELECT 1 FROM objects o WHERE o.id = coalesce(e.source, v.id)
                           AND o.grp IN (SELECT grp FROM seen)
                           AND o.latest = 1 AND o.withdrawn = 0 AND o.revoked = 0)
               LIMIT ?4) ORDER BY source",
        )?;
        let asked = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            statement.query_map(params![groups_json(scope), target, label, asked], |row| row.get(0))?;
        Ok(Visible::under(scope, rows.collect::<Result<_, _>>()?))
    }
}

/// The conditions of a query, each value bound. Only fixed text goes into the SQL.
fn condition(query: &ObjectQuery, values: &mut Vec<Value>) -> String {
    let mut sql = String::new();
    let mut and = |text: &str, value: Value| {
        values.push(value);
        sql.push_str(&text.replace('@', &format!("?{}", values.len())));
    };
    if let Some(after) = query.after {
        and(" AND o.sequence > @", Value::Integer(i64::try_from(after).unwrap_or(i64::MAX)));
    }
    if let Some(until) = query.until {
        and(" AND o.sequence <= @", Value::Integer(i64::try_from(until).unwrap_or(i64::MAX)));
    }
    if let Some(since) = query.revocations_after {
        and(
            " AND o.withdrawn = 2 AND o.sequence > @",
            Value::Integer(i64::try_from(since).unwrap_or(i64::MAX)),
        );
    }
    if let Some(added) = query.added_after {
        and(" AND o.added > @", Value::Integer(added.as_micros()));
    }
    match query.ids.as_slice() {
        [] => {}
        [one] => and(" AND o.id = @", Value::Text(one.clone())),
        several => and(" AND o.id IN (SELECT value FROM json_each(@))", Value::Text(json_of(several))),
    }
    match query.types.as_slice() {
        [] => {}
        // One type can be read along its own index.
        [one] => and(" AND o.type = @", Value::Text(one.clone())),
        several => and(" AND o.type IN (SELECT value FROM json_each(@))", Value::Text(json_of(several))),
    }
    if !query.spec_versions.is_empty() {
        and(
            " AND o.spec_version IN (SELECT value FROM json_each(@))",
            Value::Text(json_of(&query.spec_versions)),
        );
    }
    if !query.include_withdrawn && query.revocations_after.is_none() {
        sql.push_str(" AND o.withdrawn = 0");
    }
    sql.push_str(&versions(query, values));
    sql
}

/// `match[version]`. The flags answer first and last for whole histories; among some specification versions only, the
/// ends are looked up in the index.
fn versions(query: &ObjectQuery, values: &mut Vec<Value>) -> String {
    let filter = &query.versions;
    if filter.all {
        return String::new();
    }
    let mut parts: Vec<String> = Vec::new();
    let mut end = |wanted: bool, flag: &str, end: &str, values: &mut Vec<Value>| {
        if !wanted {
            return;
        }
        if query.spec_versions.is_empty() {
            parts.push(format!("o.{flag} = 1"));
            return;
        }
        values.push(Value::Text(json_of(&query.spec_versions)));
        let withdrawn = if query.include_withdrawn { "" } else { "AND x.withdrawn = 0" };
        parts.push(format!(
            "o.version = (SELECT {end}(x.version) FROM objects x WHERE x.grp = o.grp AND x.id = o.id {withdrawn}
             AND x.spec_version IN (SELECT value FROM json_each(?{})))",
            values.len()
        ));
    };
    end(filter.first, "first", "min", values);
    end(filter.last, "latest", "max", values);
    if !filter.at.is_empty() {
        let times: Vec<i64> = filter.at.iter().map(|time| time.as_micros()).collect();
        values.push(Value::Text(serde_json::Value::from(times).to_string()));
        parts.push(format!("o.version IN (SELECT value FROM json_each(?{}))", values.len()));
    }
    // A filter that names nothing selects nothing.
    if parts.is_empty() { " AND 0".into() } else { format!(" AND ({})", parts.join(" OR ")) }
}
