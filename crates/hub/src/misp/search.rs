//! `restSearch`: events, attributes and objects by what a client asks of them, in the format it asks for.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use shieldwall_exchange::misp::formats::{self, COLUMNS, Found as InEvent, found_in};
use shieldwall_exchange::misp::{Event, Node, node};
use shieldwall_ledger::reading::{ReadError, SearchQuery};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use super::events::{EVENTS_MAX, reading};
use super::store::{ROOTS, Store, With, presented};
use crate::ask::{Ask, json};
use crate::problem::Problem;

mod asked;
pub(crate) use self::asked::Asked;
use self::asked::like_whole;

/// Most attributes in one answer.
const ATTRIBUTES_MAX: usize = 10_000;
/// Most objects a word may find before an event is asked for.
const HITS_MAX: usize = 1_000;

/// The formats answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Text,
    Suricata,
}

fn format(asked: &Asked) -> Result<Format, Problem> {
    match node::text(&asked.0, "returnFormat").unwrap_or("json") {
        "json" => Ok(Format::Json),
        "csv" => Ok(Format::Csv),
        "text" => Ok(Format::Text),
        "suricata" => Ok(Format::Suricata),
        _ => Err(Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "misp.format",
            "Invalid output format: ask for json, csv, text or suricata; STIX is served over TAXII",
        )),
    }
}

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Events,
    Attributes,
    Objects,
}

/// `GET|POST /misp/events/restSearch`.
///
/// # Errors
/// 403 for a format that is not spoken, 422 when this reads too much.
pub async fn events(ask: Ask) -> Result<Response, Problem> {
    search(ask, Sort::Events).await
}

/// `GET|POST /misp/attributes/restSearch`.
///
/// # Errors
/// As [`events`].
pub async fn attributes(ask: Ask) -> Result<Response, Problem> {
    search(ask, Sort::Attributes).await
}

/// `POST /misp/objects/restSearch`.
///
/// # Errors
/// As [`events`].
pub async fn objects(ask: Ask) -> Result<Response, Problem> {
    search(ask, Sort::Objects).await
}

async fn search(mut ask: Ask, sort: Sort) -> Result<Response, Problem> {
    let asked = Asked::read(&mut ask).await?;
    let format = format(&asked)?;
    let now = ask.app.now();
    let counts_events = sort == Sort::Events && format == Format::Json;
    let (limit, skip) = asked.page(if counts_events { EVENTS_MAX } else { ATTRIBUTES_MAX });
    let columns: Vec<String> = match asked.terms(&["requested_attributes"]) {
        Some(terms) => {
            terms.any.iter().flat_map(|part| part.split(',')).map(|part| part.trim().to_owned()).collect()
        }
        None => COLUMNS.map(str::to_owned).to_vec(),
    };
    let header = asked.flag("headerless") != Some(true);
    let events = reading(&ask, move |store| matching(store, &asked, sort, format, now, limit + skip)).await?;
    let attributes: Vec<InEvent<'_>> = events
        .iter()
        .flat_map(|(event, fitting)| {
            found_in(event).filter(|found| fitting.contains(&node::shown(found.attribute, "id")))
        })
        .skip(skip)
        .take(limit)
        .collect();
    let page = || attributes.iter().copied();
    let (body, content_type, count) = match (format, sort) {
        (Format::Csv, _) => {
            (formats::csv(page(), &columns, header), "text/csv; charset=utf-8", attributes.len())
        }
        (Format::Text, _) => (formats::text(page()), "text/plain; charset=utf-8", attributes.len()),
        (Format::Suricata, _) => (formats::suricata(page()), "text/plain; charset=utf-8", attributes.len()),
        (Format::Json, sort) => {
            let (answer, count) = match sort {
                Sort::Events => {
                    let all: Vec<Value> =
                        events.iter().skip(skip).take(limit).map(|(event, _)| event.wrapped()).collect();
                    let count = all.len();
                    (Value::Array(all), count)
                }
                Sort::Attributes => {
                    let all: Vec<Value> = page().map(|found| attribute_in(&found)).collect();
                    let count = all.len();
                    (json!({"Attribute": all}), count)
                }
                Sort::Objects => {
                    let all = objects_of(&events);
                    let all: Vec<Value> = all.into_iter().skip(skip).take(limit).collect();
                    let count = all.len();
                    (Value::Array(all), count)
                }
            };
            let mut response = json(&json!({"response": answer}))?;
            response.headers_mut().insert("x-result-count", HeaderValue::from(count));
            return Ok(response);
        }
    };
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    response.headers_mut().insert("x-result-count", HeaderValue::from(count));
    Ok(response)
}

/// An attribute, with what its event is.
fn attribute_in(found: &InEvent<'_>) -> Value {
    let event = &found.event.node;
    let mut attribute = found.attribute.clone();
    let mut about = Node::new();
    for key in ["id", "uuid", "info", "org_id", "orgc_id", "distribution", "publish_timestamp"] {
        about.extend(event.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    attribute.insert("Event".into(), about.into());
    if let Some(object) = found.object {
        let mut about = Node::new();
        for key in ["id", "uuid", "name", "meta-category", "distribution"] {
            about.extend(object.get(key).map(|value| (key.to_owned(), value.clone())));
        }
        attribute.insert("Object".into(), about.into());
    }
    Value::Object(attribute)
}

fn objects_of(events: &[(Event, BTreeSet<String>)]) -> Vec<Value> {
    let mut all = Vec::new();
    for (event, fitting) in events {
        for object in node::list(&event.node, "Object") {
            if node::list(object, "Attribute").any(|one| fitting.contains(&node::shown(one, "id"))) {
                all.push(json!({"Object": object}));
            }
        }
    }
    all
}

/// The events that fit, newest first, each with the ids of the attributes that do; until there are `enough`.
fn matching(
    store: &Store<'_>,
    asked: &Asked,
    sort: Sort,
    format: Format,
    now: Timestamp,
    enough: usize,
) -> Result<Vec<(Event, BTreeSet<String>)>, ReadError> {
    let counts_events = sort == Sort::Events && format == Format::Json;
    let of_attributes = sort != Sort::Events;
    let metadata = asked.flag("metadata") == Some(true);
    let (mut all, mut count) = (Vec::new(), 0);
    let mut each = |record: &ObjectRecord| {
        let Some(found) = store.load(record, With::Sightings)? else { return Ok(true) };
        if !asked.event_fits(&found, store.directory, now)
            || !of_attributes && !asked.within("timestamp", found.event.timestamp(), now)
        {
            return Ok(true);
        }
        let mut event = presented(found, store.directory);
        let fits = |found: &InEvent<'_>| {
            let rule = format != Format::Suricata || node::flag(found.attribute, "to_ids");
            rule && asked.attribute_fits(found, of_attributes, now)
        };
        let ids: BTreeSet<String> =
            found_in(&event).filter(fits).map(|found| node::shown(found.attribute, "id")).collect();
        let untagged = asked
            .terms(&["tags", "tag"])
            .is_some_and(|terms| !terms.fit(|term| node::tags(&event.node).any(|tag| like_whole(tag, term))));
        if ids.is_empty() && (!counts_events || asked.asks_attributes() || untagged) {
            return Ok(true);
        }
        if metadata {
            event.node.remove("Attribute");
            event.node.remove("Object");
        }
        count += if counts_events { 1 } else { ids.len() };
        all.push((event, ids));
        Ok(count < enough && all.len() < EVENTS_MAX)
    };
    for record in candidates(store, asked)? {
        if !each(&record)? {
            return Ok(all);
        }
    }
    if asked.words().is_none() && asked.named().is_none() {
        let query = SearchQuery { types: ROOTS.map(str::to_owned).to_vec(), ..SearchQuery::default() };
        store.roots(&query, &mut each)?;
    }
    Ok(all)
}

/// The roots of the events in question where the request names them, or words that are in an index.
fn candidates(store: &Store<'_>, asked: &Asked) -> Result<Vec<ObjectRecord>, ReadError> {
    let mut roots: Vec<ObjectRecord> = Vec::new();
    let mut put = |root: ObjectRecord| {
        if ROOTS.contains(&root.object_type.as_str()) && !roots.iter().any(|known| known.id == root.id) {
            roots.push(root);
        }
    };
    if let Some(named) = asked.named() {
        for uuid in named {
            for kind in ["report", "grouping", "indicator", "x-misp-attribute", "x-misp-object"] {
                if let Some(record) = store.current(&format!("{kind}--{uuid}"))? {
                    put(store.root_of(&record)?);
                }
            }
        }
        return Ok(roots);
    }
    for word in asked.words().unwrap_or_default() {
        let mut after = None;
        let mut hits = 0;
        while hits < HITS_MAX {
            let query = SearchQuery {
                text: word.clone(),
                after,
                limit: limits::PAGE_ITEMS_MAX,
                ..SearchQuery::default()
            };
            let page = store.reading.search(store.scope, &query)?.into_inner();
            hits += page.rows.len();
            for record in page.rows.iter().filter(|record| !record.revoked) {
                put(store.root_of(record)?);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(roots)
}
