//! What the views are made of, and how each is read from its row.

use rusqlite::Row;
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

/// A STIX object found in the entry that is being folded: the few fields that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow<'a> {
    /// Its STIX id.
    pub id: &'a str,
    /// Its type.
    pub object_type: &'a str,
    /// Its version in TAXII's sense (`modified`, or what stands in for it where a type has none).
    pub version: Timestamp,
    /// Its STIX specification version, `2.1` or `2.0`.
    pub spec_version: &'a str,
    /// Its `created_by_ref`; says nothing about who owns it.
    pub created_by: Option<&'a str>,
    /// Its name, to be shown in lists.
    pub name: Option<&'a str>,
    /// Its strictest TLP label.
    pub marking: Option<Tlp>,
    /// Whether this version says `revoked`.
    pub revoked: bool,
}

/// An object as the index holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord {
    /// Whose log holds it.
    pub group: GroupId,
    /// The entry whose body is the object.
    pub sequence: u64,
    /// When it was added: that entry's time.
    pub added: Timestamp,
    /// Its STIX id.
    pub id: String,
    /// Its type.
    pub object_type: String,
    /// Its version.
    pub version: Timestamp,
    /// Its STIX specification version.
    pub spec_version: String,
    /// Its `created_by_ref`.
    pub created_by: Option<String>,
    /// The member that appended it; nobody else may revise, revoke or recall it.
    pub owner: Option<MemberId>,
    /// Its name.
    pub name: Option<String>,
    /// Its strictest TLP label.
    pub marking: Option<Tlp>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether its owner took it back.
    pub withdrawn: bool,
    /// Whether no earlier version of it is in this group.
    pub first: bool,
    /// Whether no later version of it is in this group.
    pub latest: bool,
}

/// A connection between two objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge<'a> {
    /// The id it starts at, if not the object that says so.
    pub source: Option<&'a str>,
    /// The id it leads to.
    pub target: &'a str,
    /// What it says, such as `indicates` or `created_by_ref`.
    pub label: &'a str,
}

/// A connection as the views hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeRecord {
    /// Whose log says so.
    pub group: GroupId,
    /// The id it starts at.
    pub source: String,
    /// The id it leads to.
    pub target: String,
    /// What it says.
    pub label: String,
    /// The object that says so.
    pub via: String,
    /// The entry that said so.
    pub sequence: u64,
}

/// A document as the views hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The group whose parties may read it.
    pub group: GroupId,
    /// Its key in its collection and group.
    pub key: String,
    /// Where it stands in its group: usually the sequence of the entry that put it last.
    pub sort: u64,
    /// The time of the entry that put it last.
    pub changed: Timestamp,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// The connections of the object `?1` in the groups `seen` (by `grp`), as [`edge_from`] reads them: those it says of
/// itself, those others say of it, and those that lead to it. One look-up each, by an index each.
pub(crate) const EDGES: &str = "
    SELECT g.uuid, o.id, e.target, e.label, o.id, o.sequence FROM seen CROSS JOIN groups g ON g.grp = seen.grp
    CROSS JOIN objects o ON o.id = ?1 AND o.grp = seen.grp CROSS JOIN edges e ON e.object = o.row
    WHERE e.source IS NULL
    UNION
    SELECT g.uuid, e.source, e.target, e.label, o.id, o.sequence FROM seen CROSS JOIN groups g ON g.grp = seen.grp
    CROSS JOIN edges e ON e.grp = seen.grp AND e.source = ?1 CROSS JOIN objects o ON o.row = e.object
    UNION
    SELECT g.uuid, coalesce(e.source, o.id), e.target, e.label, o.id, o.sequence
    FROM seen CROSS JOIN groups g ON g.grp = seen.grp
    CROSS JOIN edges e ON e.grp = seen.grp AND e.target = ?1 CROSS JOIN objects o ON o.row = e.object";

/// The columns [`object_from`] reads, of `objects AS o` joined to `groups AS g`.
pub(crate) const OBJECT_COLUMNS: &str =
    "g.uuid, o.sequence, o.added, o.id, o.type, o.version, o.spec_version,
    o.created_by, o.owner, o.name, o.marking, o.revoked, o.withdrawn, o.first, o.latest";

/// A label as a column: its place in the order of strictness.
pub(crate) fn marking_rank(marking: Tlp) -> i64 {
    Tlp::ALL.iter().position(|tlp| *tlp == marking).and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
}

fn marking_at(rank: i64) -> Option<Tlp> {
    usize::try_from(rank).ok().and_then(|rank| Tlp::ALL.get(rank).copied())
}

/// A group from a column of 16 bytes.
pub(crate) fn group_at(row: &Row<'_>, at: usize) -> rusqlite::Result<GroupId> {
    Ok(GroupId::from_uuid(Uuid::from_bytes(row.get(at)?)))
}

/// An object from [`OBJECT_COLUMNS`].
pub(crate) fn object_from(row: &Row<'_>) -> rusqlite::Result<ObjectRecord> {
    Ok(ObjectRecord {
        group: group_at(row, 0)?,
        sequence: row.get(1)?,
        added: Timestamp::from_micros(row.get(2)?),
        id: row.get(3)?,
        object_type: row.get(4)?,
        version: Timestamp::from_micros(row.get(5)?),
        spec_version: row.get(6)?,
        created_by: row.get(7)?,
        owner: row.get::<_, Option<[u8; 16]>>(8)?.map(|uuid| MemberId::from_uuid(Uuid::from_bytes(uuid))),
        name: row.get(9)?,
        marking: row.get::<_, Option<i64>>(10)?.and_then(marking_at),
        revoked: row.get(11)?,
        withdrawn: row.get(12)?,
        first: row.get(13)?,
        latest: row.get(14)?,
    })
}

/// A connection from (group, source, target, label, via, sequence).
pub(crate) fn edge_from(row: &Row<'_>) -> rusqlite::Result<EdgeRecord> {
    Ok(EdgeRecord {
        group: group_at(row, 0)?,
        source: row.get(1)?,
        target: row.get(2)?,
        label: row.get(3)?,
        via: row.get(4)?,
        sequence: row.get(5)?,
    })
}

/// A document from (group, key, sort, changed, body).
pub(crate) fn document_from(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        group: group_at(row, 0)?,
        key: row.get(1)?,
        sort: row.get(2)?,
        changed: Timestamp::from_micros(row.get(3)?),
        body: row.get(4)?,
    })
}
