//! The graph explorer: one object and its neighbours as a drawing that can be unfolded, and as a table beside it.

use askama::Template;
use axum::response::Response;
use shieldwall_model::marking::Tlp;

use crate::api::graph::{self, Graph, Wanted};
use crate::ask::Ask;
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::html;
use crate::pages::intelligence::{TYPES, is_value, with_any};
use crate::pages::markup::Html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Most objects in one drawing; more cannot be told apart.
const NODES_MAX: usize = 500;

/// An object as its row shows it.
struct Row {
    id: String,
    name: String,
    is_value: bool,
    known: bool,
    withdrawn: bool,
    object_type: String,
    tlp: Html,
    ties: String,
}

/// What is drawn first.
struct Drawn {
    id: String,
    name: String,
    rows: Vec<Row>,
    total: String,
    label: String,
    ids: String,
    next: Option<String>,
    first: Option<String>,
    source: String,
    /// What each type is called, as JSON for the drawing.
    type_names: String,
    types: Vec<Choice>,
    labels: Vec<Choice>,
    markings: Vec<Choice>,
    filtered: bool,
}

#[derive(Template)]
#[template(path = "intelligence/graph.html")]
struct GraphPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    most: usize,
    drawn: Option<Drawn>,
}

/// `GET /intelligence/graph`.
///
/// # Errors
/// 404 when the object is absent or hidden, 400 for a filter that is none.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let drawn = match ask.query("id") {
        Some(id) => {
            let wanted = Wanted::of(&ask)?;
            let found = graph::around(&ask, id, wanted.clone()).await?;
            // What can be chosen is what there is without the filter.
            let all = graph::around(&ask, id, Wanted { limit: wanted.limit, ..Wanted::default() }).await?;
            Some(drawn(&ask, t, found, &all))
        }
        None => None,
    };
    let title = match &drawn {
        Some(drawn) => t.with("graph-title-of", "name", &drawn.name),
        None => t.text("graph-title"),
    };
    html(&GraphPage {
        t,
        frame: Frame::titled(&ask, Place::Intelligence, title).await?,
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence/graph"),
        most: NODES_MAX,
        drawn,
    })
}

fn drawn(ask: &Ask, t: Texts, found: Graph, all: &Graph) -> Drawn {
    let mut nodes = found.nodes.into_iter();
    let (id, name) = nodes.next().map_or_else(Default::default, |centre| (centre.id, centre.label));
    let ids: Vec<String> = found.edges.iter().map(|edge| edge.via.clone()).collect();
    let rows: Vec<Row> = nodes
        .map(|node| Row {
            ties: ties(&id, &node.id, &found.edges),
            is_value: !node.known || is_value(&node.label),
            name: node.label,
            known: node.known,
            withdrawn: node.withdrawn,
            object_type: t.object_type(&node.object_type),
            tlp: t.tlp(node.marking.as_deref()),
            id: node.id,
        })
        .collect();
    let [count, shown] = t.counted(rows.len());
    let mut exported: Vec<&str> = std::iter::once(id.as_str())
        .chain(rows.iter().map(|row| row.id.as_str()))
        .chain(ids.iter().map(String::as_str))
        .collect();
    exported.sort_unstable();
    exported.dedup();
    let types = all.nodes.iter().skip(1).map(|node| node.object_type.clone());
    let labels = all.edges.iter().map(|edge| edge.label.clone());
    Drawn {
        total: t.count("graph-neighbours", found.total),
        label: t.language().text_with("graph-label", &[("name", name.clone().into()), count, shown]),
        ids: exported.join(" "),
        next: found.next.as_deref().map(|next| address(&ask.query, Some(next))),
        first: ask.query("after").map(|_| address(&ask.query, None)),
        source: source(&ask.query, &id),
        type_names: type_names(t),
        types: with_any(
            t.text("filter-type-any"),
            ask.query("type"),
            sorted(types).into_iter().map(|one| (one.clone(), t.object_type(&one))),
        ),
        labels: with_any(
            t.text("graph-relation-any"),
            ask.query("label"),
            sorted(labels).into_iter().map(|one| (one.clone(), one)),
        ),
        markings: with_any(
            t.text("filter-marking-any"),
            ask.query("marking"),
            Tlp::ALL.into_iter().map(|tlp| (tlp.as_str().to_owned(), tlp.to_string())),
        ),
        filtered: ["type", "label", "marking"].iter().any(|name| ask.query(name).is_some()),
        id,
        name,
        rows,
    }
}

fn type_names(t: Texts) -> String {
    let named = TYPES.iter().map(|one| ((*one).to_owned(), serde_json::Value::String(t.object_type(one))));
    serde_json::Value::Object(named.collect()).to_string()
}

fn sorted(items: impl Iterator<Item = String>) -> Vec<String> {
    items.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// How two objects are tied, each way with an arrow: `→ uses, ← indicates`.
fn ties(centre: &str, other: &str, edges: &[graph::GraphEdge]) -> String {
    let mut ties: Vec<String> = edges
        .iter()
        .filter_map(|edge| match (edge.source.as_str(), edge.target.as_str()) {
            (source, target) if source == centre && target == other => Some(format!("→ {}", edge.label)),
            (source, target) if source == other && target == centre => Some(format!("← {}", edge.label)),
            _ => None,
        })
        .collect();
    ties.sort_unstable();
    ties.dedup();
    ties.join(", ")
}

fn written(query: &[(String, String)], but: &[&str]) -> url::form_urlencoded::Serializer<'static, String> {
    let mut written = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in query.iter().filter(|(key, value)| !but.contains(&key.as_str()) && !value.is_empty())
    {
        written.append_pair(key, value);
    }
    written
}

/// This page with another `after`.
fn address(query: &[(String, String)], after: Option<&str>) -> String {
    let mut written = written(query, &["after"]);
    if let Some(after) = after {
        written.append_pair("after", after);
    }
    format!("/intelligence/graph?{}", written.finish())
}

/// Where the drawing gets the same page.
fn source(query: &[(String, String)], id: &str) -> String {
    format!("/api/v1/objects/{id}/graph?{}", written(query, &["id"]).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_tell_their_direction_and_nothing_of_others() {
        let edge = |source: &str, label: &str, target: &str| graph::GraphEdge {
            source: source.into(),
            target: target.into(),
            label: label.into(),
            via: "relationship--1".into(),
        };
        let edges = [
            edge("a", "uses", "b"),
            edge("b", "targets", "a"),
            edge("a", "uses", "c"),
            edge("a", "uses", "b"),
        ];
        assert_eq!(ties("a", "b", &edges), "← targets, → uses");
    }

    #[test]
    fn the_next_page_keeps_the_filter() {
        let query = [
            ("id".to_owned(), "a&b".to_owned()),
            ("type".into(), "tool".into()),
            ("after".into(), "x".into()),
        ];
        assert_eq!(address(&query, Some("y")), "/intelligence/graph?id=a%26b&type=tool&after=y");
        assert_eq!(source(&query, "tool--1"), "/api/v1/objects/tool--1/graph?type=tool&after=x");
    }
}
