//! Intelligence as a graph: an object's neighbours by pages, and a bundle of whatever is shown.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_ledger::reading::{ReadError, Reading};
use shieldwall_ledger::views::{EdgeRecord, ObjectRecord};
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;
use uuid::Uuid;

use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Neighbours on a page unless told otherwise.
const NEIGHBOURS: usize = 24;
/// Most neighbours on a page.
const NEIGHBOURS_MAX: usize = 100;
/// Most connections of one object that are looked through.
const EDGES_MAX: usize = limits::ENVELOPE_OBJECTS_MAX;
/// How far a neighbour's own connections are counted.
const COUNTED_MAX: usize = 100;

/// An object's neighbourhood, or a page of it.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Graph {
    /// The object, then its neighbours on this page, by id.
    pub nodes: Vec<Node>,
    /// What ties them to it.
    pub edges: Vec<GraphEdge>,
    /// How many neighbours fit the filter by type and label.
    pub total: usize,
    /// What to give as `after` for the next page, if there is one.
    pub next: Option<String>,
}

/// An object in a graph.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Its name, or its id where the object itself is not here.
    pub label: String,
    /// Its type.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Its marking's label.
    pub marking: Option<String>,
    /// Whether the object itself is here, or only what refers to it.
    pub known: bool,
    /// Whether it was revoked or taken back.
    pub withdrawn: bool,
    /// How many connections it has, counted to 100.
    pub relations: usize,
}

/// A tie in a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GraphEdge {
    /// From.
    pub source: String,
    /// To.
    pub target: String,
    /// How.
    pub label: String,
    /// The object that says so.
    pub via: String,
}

/// Which neighbours are wanted. Empty fields ask for nothing in particular.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// These types alone.
    pub types: Vec<String>,
    /// Tied by one of these alone.
    pub labels: Vec<String>,
    /// This marking alone.
    pub marking: Option<Tlp>,
    /// Those whose id comes after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Wanted {
    /// What the query string of `ask` wants.
    ///
    /// # Errors
    /// 400 for a filter that is none.
    pub fn of(ask: &Ask) -> Result<Self, Problem> {
        let all = |name: &str| -> Vec<String> {
            let values = ask.query.iter().filter(|(key, value)| key == name && !value.is_empty());
            values.map(|(_, value)| value.clone()).collect()
        };
        Ok(Self {
            types: all("type"),
            labels: all("label"),
            marking: ask.query_as::<Tlp>("marking")?,
            after: ask.query("after").map(str::to_owned),
            limit: ask.limit(NEIGHBOURS, NEIGHBOURS_MAX)?,
        })
    }
}

/// `GET /api/v1/objects/{id}/graph`.
///
/// # Errors
/// 404 when absent or hidden, 400 for a filter that is none.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let wanted = Wanted::of(&ask)?;
    let id = ask.path("id")?.to_owned();
    json(&around(&ask, &id, wanted).await?)
}

/// The object `id` with those of its neighbours that are wanted.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn around(ask: &Ask, id: &str, wanted: Wanted) -> Result<Graph, Problem> {
    let id: ObjectId = id.parse().map_err(|_| Problem::absent())?;
    let scope = ask.scope()?;
    ask.read(move |reading| neighbourhood(reading, &scope, id.as_str(), &wanted))
        .await?
        .ok_or_else(Problem::absent)
}

fn neighbourhood(
    reading: &Reading<'_>,
    scope: &ReadScope,
    id: &str,
    wanted: &Wanted,
) -> Result<Option<Graph>, ReadError> {
    let Some(centre) = newest(reading, scope, id)? else { return Ok(None) };
    let edges = reading.edges(scope, id, EDGES_MAX)?.into_inner();
    let relations = edges.len().min(COUNTED_MAX);
    let ties = by_neighbour(id, edges, wanted);
    let mut graph = Graph { total: ties.len(), ..Graph::default() };
    graph.nodes.push(node(id, Some(&centre), relations));
    let mut last = None;
    for (other, edges) in ties {
        if wanted.after.as_ref().is_some_and(|after| other <= *after) {
            continue;
        }
        if graph.nodes.len() > wanted.limit {
            graph.next = last;
            break;
        }
        let record = newest(reading, scope, &other)?;
        if wanted.marking.is_some() && record.as_ref().and_then(|record| record.marking) != wanted.marking {
            continue;
        }
        let relations = reading.edges(scope, &other, COUNTED_MAX)?.len();
        graph.nodes.push(node(&other, record.as_ref(), relations));
        graph.edges.extend(edges);
        last = Some(other);
    }
    Ok(Some(graph))
}

/// What ties an object to each of its neighbours that fits by type and label; the neighbours by id.
fn by_neighbour(id: &str, edges: Vec<EdgeRecord>, wanted: &Wanted) -> BTreeMap<String, Vec<GraphEdge>> {
    let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
    let mut ties: BTreeMap<String, Vec<GraphEdge>> = BTreeMap::new();
    for edge in edges {
        let other = if edge.source == id { edge.target.clone() } else { edge.source.clone() };
        if other == id || !any(&wanted.types, type_of(&other)) || !any(&wanted.labels, &edge.label) {
            continue;
        }
        let tie = GraphEdge { source: edge.source, target: edge.target, label: edge.label, via: edge.via };
        let known = ties.entry(other).or_default();
        // Two groups may say the same.
        if !known.contains(&tie) {
            known.push(tie);
        }
    }
    ties
}

/// The newest version of an object in any visible group; one that was not withdrawn before one that was.
fn newest(reading: &Reading<'_>, scope: &ReadScope, id: &str) -> Result<Option<ObjectRecord>, ReadError> {
    let mut best: Option<ObjectRecord> = None;
    for group in scope.groups().collect::<Vec<GroupId>>() {
        let Some(record) = reading.latest_object(scope, group, id)? else { continue };
        let record = record.into_inner();
        let key = |record: &ObjectRecord| (!record.withdrawn, record.version);
        if best.as_ref().is_none_or(|best| key(best) < key(&record)) {
            best = Some(record);
        }
    }
    Ok(best)
}

fn type_of(id: &str) -> &str {
    id.split("--").next().unwrap_or_default()
}

fn node(id: &str, record: Option<&ObjectRecord>, relations: usize) -> Node {
    let name = record.and_then(|record| record.name.clone()).filter(|name| !name.is_empty());
    Node {
        id: id.to_owned(),
        label: name.unwrap_or_else(|| id.to_owned()),
        object_type: type_of(id).to_owned(),
        marking: record.and_then(|record| record.marking).map(|tlp| tlp.as_str().to_owned()),
        known: record.is_some(),
        withdrawn: record.is_some_and(|record| record.withdrawn || record.revoked),
        relations,
    }
}

/// Which objects a bundle is to hold.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Chosen {
    /// Their ids, at most 1,000; what is absent or hidden is left out.
    pub ids: Vec<String>,
}

/// A STIX bundle.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Bundle {
    /// Always `bundle`.
    #[serde(rename = "type")]
    pub object_type: &'static str,
    /// Its id.
    pub id: String,
    /// The objects, as their owners sent them.
    pub objects: Vec<serde_json::Value>,
}

/// `POST /api/v1/objects/bundle`: JSON, or a form whose `ids` are parted by blanks.
///
/// # Errors
/// 422 for too many objects or too large a bundle.
pub async fn bundle(mut ask: Ask) -> Result<Response, Problem> {
    let is_form = ask.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let ids: Vec<String> =
        if is_form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            ask.form().await?.get("ids").split_whitespace().map(str::to_owned).collect()
        } else {
            ask.json::<Chosen>().await?.ids
        };
    if ids.len() > limits::PAGE_ITEMS_MAX {
        let detail = format!("a bundle of what is shown holds at most {} objects", limits::PAGE_ITEMS_MAX);
        return Err(Problem::refused("graph.bundle.too_many", detail));
    }
    let scope = ask.scope()?;
    let bytes = ask.read(move |reading| bundled(reading, &scope, &ids)).await?.ok_or_else(|| {
        let detail =
            format!("these objects are more than {} bytes together; choose fewer", limits::BODY_BYTES_MAX);
        Problem::refused("graph.bundle.too_large", detail)
    })?;
    let mut response = bytes.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"shieldwall-graph.json\""),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The newest visible version of each object as its owner sent it; `None` when that is too much.
fn bundled(reading: &Reading<'_>, scope: &ReadScope, ids: &[String]) -> Result<Option<Vec<u8>>, ReadError> {
    let mut objects: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut size = 0;
    for id in ids {
        let versions = reading.object(scope, id)?.into_inner();
        let current = versions.into_iter().filter(|stored| !stored.record.withdrawn);
        let newest = current.max_by_key(|stored| stored.record.version).and_then(|stored| stored.bytes);
        let Some(bytes) = newest else { continue };
        size += bytes.len();
        if size > limits::BODY_BYTES_MAX {
            return Ok(None);
        }
        objects.insert(id, bytes);
    }
    // The same objects make the same bundle.
    let named: Vec<&str> = objects.keys().copied().collect();
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, named.join(" ").as_bytes());
    let mut bundle = format!(r#"{{"type":"bundle","id":"bundle--{id}","objects":["#).into_bytes();
    for (index, bytes) in objects.values().enumerate() {
        if index > 0 {
            bundle.push(b',');
        }
        bundle.extend_from_slice(bytes);
    }
    bundle.extend_from_slice(b"]}");
    Ok(Some(bundle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(source: &str, label: &str, target: &str) -> EdgeRecord {
        EdgeRecord {
            group: GroupId::ALLIANCE,
            source: source.into(),
            target: target.into(),
            label: label.into(),
            via: "relationship--1".into(),
            sequence: 1,
        }
    }

    #[test]
    fn neighbours_are_told_once_by_id_and_filtered_by_type_and_label() {
        let edges = || {
            vec![
                edge("malware--1", "uses", "tool--2"),
                edge("indicator--9", "indicates", "malware--1"),
                edge("indicator--9", "indicates", "malware--1"),
                edge("malware--1", "uses", "malware--1"),
                edge("tool--2", "related-to", "malware--1"),
            ]
        };
        let all = by_neighbour("malware--1", edges(), &Wanted::default());
        let told: Vec<(&str, usize)> = all.iter().map(|(id, ties)| (id.as_str(), ties.len())).collect();
        assert_eq!(told, [("indicator--9", 1), ("tool--2", 2)]);
        let tools = Wanted { types: vec!["tool".into()], labels: vec!["uses".into()], ..Wanted::default() };
        let found = by_neighbour("malware--1", edges(), &tools);
        assert_eq!(found.len(), 1);
        assert_eq!(found["tool--2"].len(), 1);
    }
}
