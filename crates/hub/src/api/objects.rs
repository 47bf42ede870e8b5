//! STIX objects: shared, searched, read with their relations, recalled by their owner.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_exchange::list::Mapping;
use shieldwall_exchange::search::Search;
use shieldwall_ledger::reading::{ReadError, Reading, SearchCursor, SearchQuery};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use crate::ask::{Ask, json};
use crate::intake::{Desk, Form, Given, ListOptions};
use crate::problem::Problem;
use crate::searches;

/// What cursors of the search are sealed for.
const USE: &str = "objects";

/// Objects found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Objects {
    /// The objects, newest first.
    pub objects: Vec<ObjectBody>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// An object as a list shows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ObjectBody {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Its name, or a short label.
    pub name: String,
    /// Its marking's label.
    pub marking: Option<String>,
    /// The sharing group it was found in.
    pub group: String,
    /// Its version.
    pub version: String,
    /// When the hub took it.
    pub added: String,
    /// The member that shared it.
    pub owner: Option<String>,
    /// Whether it was revoked or recalled.
    pub withdrawn: bool,
}

/// One object in full.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ObjectRead {
    /// Its versions, newest first; the objects as their owner sent them.
    pub versions: Vec<VersionRead>,
    /// What it points to and what points to it.
    pub relations: Vec<Relation>,
}

/// One version of an object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VersionRead {
    /// What a list would show of it.
    #[serde(flatten)]
    pub about: ObjectBody,
    /// The object.
    pub object: serde_json::Value,
}

/// A relation between two objects.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Relation {
    /// From.
    pub source: String,
    /// To.
    pub target: String,
    /// How, such as `indicates`.
    pub label: String,
    /// The object that says so.
    pub via: String,
    /// The other end's name, if it is shared here.
    pub name: Option<String>,
}

/// A recall.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Recall {
    /// The sharing group to take it back from.
    pub group: String,
    /// Why.
    pub reason: String,
}

/// `POST /api/v1/objects`.
///
/// # Errors
/// 404 for a group the member is not party to, 400 for a body that cannot be read at all, else as `App::append`.
pub async fn share(mut ask: Ask) -> Result<Response, Problem> {
    let desk = Desk::of(&ask, ask.group()?)?;
    let bytes = ask.bytes().await?;
    json(&desk.take_any(&ask, &bytes, &given(&ask)?).await?)
}

/// What the query string says of what is handed in.
///
/// # Errors
/// 400 for a form, role or marking that is none.
pub fn given(ask: &Ask) -> Result<Given, Problem> {
    let column = |name: &str| ask.query(name).map(str::to_owned);
    let columns = column("column").map(|value| Mapping {
        value,
        kind: column("kind-column"),
        label: column("label-column"),
    });
    Ok(Given {
        form: ask.query_as::<Form>("format")?,
        columns,
        list: ListOptions {
            role: ask.query_as::<IndicatorRole>("role")?.unwrap_or_default(),
            marking: ask.query_as::<Tlp>("marking")?,
            name: ask.query("name").map(str::to_owned),
        },
    })
}

/// `GET /api/v1/objects`.
///
/// # Errors
/// 400 for a query that cannot be read, 410 for a cursor that is not this reader's.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&search(&ask, limits::PAGE_ITEMS_MAX).await?)
}

/// The objects the query string of `ask` asks for.
///
/// # Errors
/// As [`list`].
pub async fn search(ask: &Ask, most: usize) -> Result<Objects, Problem> {
    let mut scope = ask.scope()?;
    if let Some(group) = ask.query_as::<GroupId>("group")? {
        scope = scope.only(group)?;
    }
    let limit = ask.limit(most.min(100), most)?;
    let after = match ask.query("after") {
        Some(text) => {
            Some(read_cursor(&ask.app.seal().open_bytes(&scope, USE, text)?).ok_or_else(Problem::absent)?)
        }
        None => None,
    };
    let types = ask.query.iter().filter(|(key, value)| key == "type" && !value.is_empty());
    let asked = match ask.query("q") {
        Some(text) => {
            let search = Search::read(text).map_err(|error| searches::problem(&error))?;
            searches::compile(&search, ask.reader(), &ask.app.directory(), ask.app.now())?
        }
        None => SearchQuery::default(),
    };
    let query = SearchQuery {
        text: [ask.query("text").unwrap_or_default(), &asked.text].join(" "),
        types: types.map(|(_, value)| value.clone()).collect(),
        group: None,
        marking: ask.query_as::<Tlp>("marking")?,
        owner: ask.query_as("owner")?,
        after,
        limit,
        ..asked
    };
    let wanted = scope.clone();
    let page = ask.read(move |reading| reading.search(&wanted, &query)).await?.into_inner();
    let next = page.next.map(|cursor| ask.app.seal().seal_bytes(&scope, USE, &write_cursor(cursor)));
    Ok(Objects { objects: page.rows.iter().map(ObjectBody::from).collect(), next })
}

fn write_cursor(cursor: SearchCursor) -> Vec<u8> {
    let mut bytes = cursor.added.as_micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(cursor.group.uuid().as_bytes());
    bytes.extend_from_slice(&cursor.sequence.to_be_bytes());
    bytes
}

fn read_cursor(bytes: &[u8]) -> Option<SearchCursor> {
    let (added, rest) = bytes.split_at_checked(8)?;
    let (group, sequence) = rest.split_at_checked(16)?;
    Some(SearchCursor {
        added: Timestamp::from_micros(i64::from_be_bytes(added.try_into().ok()?)),
        group: GroupId::from_uuid(uuid::Uuid::from_slice(group).ok()?),
        sequence: u64::from_be_bytes(sequence.try_into().ok()?),
    })
}

impl From<&ObjectRecord> for ObjectBody {
    fn from(found: &ObjectRecord) -> Self {
        Self {
            id: found.id.clone(),
            object_type: found.object_type.clone(),
            name: found.name.clone().unwrap_or_default(),
            marking: found.marking.map(|tlp| tlp.as_str().to_owned()),
            group: found.group.to_string(),
            version: found.version.to_string(),
            added: found.added.to_string(),
            owner: found.owner.map(|owner| owner.to_string()),
            withdrawn: found.withdrawn || found.revoked,
        }
    }
}

/// `GET /api/v1/objects/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    json(&one(&ask).await?)
}

/// The object named in the path, with its relations.
///
/// # Errors
/// As [`read`].
pub async fn one(ask: &Ask) -> Result<ObjectRead, Problem> {
    let id: ObjectId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    let scope = ask.scope()?;
    let (versions, relations) = ask.read(move |reading| read_one(reading, &scope, &id)).await?;
    if versions.is_empty() {
        return Err(Problem::absent());
    }
    Ok(ObjectRead { versions, relations })
}

fn read_one(
    reading: &Reading<'_>,
    scope: &ReadScope,
    id: &ObjectId,
) -> Result<(Vec<VersionRead>, Vec<Relation>), ReadError> {
    let mut versions: Vec<VersionRead> = reading
        .object(scope, id.as_str())?
        .iter()
        .map(|stored| VersionRead {
            about: ObjectBody::from(&stored.record),
            object: stored
                .bytes
                .as_deref()
                .and_then(|bytes| serde_json::from_slice(bytes).ok())
                .unwrap_or_default(),
        })
        .collect();
    versions.sort_by(|a, b| b.about.version.cmp(&a.about.version));
    let mut relations = Vec::new();
    for edge in reading.edges(scope, id.as_str(), limits::PAGE_ITEMS_MAX)?.into_inner() {
        let other = if edge.source == id.as_str() { &edge.target } else { &edge.source };
        let name = reading.latest_object(scope, edge.group, other)?.and_then(|other| other.name.clone());
        relations.push(Relation {
            source: edge.source,
            target: edge.target,
            label: edge.label,
            via: edge.via,
            name,
        });
    }
    Ok((versions, relations))
}

/// `POST /api/v1/objects/{id}/recall`.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the owner.
pub async fn recall(mut ask: Ask) -> Result<Response, Problem> {
    let recall: Recall = ask.json().await?;
    let group: GroupId = recall.group.parse().map_err(|_| Problem::absent())?;
    let id = ask.path("id")?.to_owned();
    Desk::of(&ask, group)?.recall(&id, &recall.reason).await?;
    Ok(crate::ask::done())
}
