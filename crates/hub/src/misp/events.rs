//! Events: added, read, changed, published, listed, taken back.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use shieldwall_exchange::misp::{Event, edit, node};
use shieldwall_ledger::reading::{ReadError, SearchQuery};
use shieldwall_model::id::GroupId;
use uuid::Uuid;

use super::store::{Found, ROOTS, Store, With, presented};
use super::take::{Mode, recall, take};
use super::{body, fresh, named, not_yours, said, unwrapped};
use crate::api::Report;
use crate::ask::{Ask, json};
use crate::problem::Problem;

/// The header that names the sharing group an event goes to, for clients that can set one but no query string.
const GROUP_HEADER: &str = "shieldwall-group";

/// Most events in one answer.
pub(crate) const EVENTS_MAX: usize = 1_000;

/// The group a request names, by query string or header; the alliance's without either.
pub(crate) fn group_of(ask: &Ask) -> Result<GroupId, Problem> {
    if ask.query("group").is_some() {
        return ask.group();
    }
    let header = ask.headers.get(GROUP_HEADER).and_then(|value| value.to_str().ok());
    header.map_or(Ok(GroupId::ALLIANCE), |text| {
        text.parse().map_err(|_| Problem::unreadable("query.unreadable", "the header names no group's id"))
    })
}

/// Reads the store under the scope of the request.
pub(crate) async fn reading<T: Send + 'static>(
    ask: &Ask,
    read: impl FnOnce(&Store<'_>) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Problem> {
    let (scope, directory) = (ask.scope()?, ask.app.directory());
    ask.read(move |reading| read(&Store { reading, scope: &scope, directory: &directory })).await
}

/// The event of this UUID.
pub(crate) async fn one(ask: &Ask, uuid: Uuid, with: With) -> Result<Found, Problem> {
    reading(ask, move |store| store.event(uuid, with)).await?.ok_or_else(Problem::absent)
}

/// The event, if the reader's member may change it here.
pub(crate) fn own(ask: &Ask, found: Found) -> Result<Found, Problem> {
    if found.owner != Some(ask.reader().member()) {
        return Err(not_yours());
    }
    if !found.is_misp {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "misp.native",
            "this was shared as STIX: revise it as STIX, by TAXII or the API",
        ));
    }
    Ok(found)
}

fn shown(ask: &Ask, found: Found, report: Option<&Report>) -> Result<Response, Problem> {
    let mut answer = presented(found, &ask.app.directory()).wrapped();
    // Parts that found no place are named beside the event: a client that knows nothing of it passes it over.
    if let (Some(report), Some(answer)) = (report.filter(|r| !r.refused.is_empty()), answer.as_object_mut()) {
        let refused = serde_json::to_value(&report.refused).map_err(|error| Problem::fault(&error))?;
        answer.insert("refused".into(), refused);
    }
    json(&answer)
}

/// `POST /misp/events/add`.
///
/// # Errors
/// 400 for no event, 403 when it is there already or has no place here.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let group = group_of(&ask)?;
    let mut node = unwrapped(body(&mut ask).await?, "Event")?;
    edit::without_ids(&mut node);
    if node::text(&node, "info").is_none() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "misp.event.info",
            "Could not add Event: an event has an `info`",
        ));
    }
    let mut event = Event { node };
    let directory = ask.app.directory();
    let member = directory.member(ask.reader().member()).ok_or_else(Problem::absent)?;
    let orgc = json!({"name": member.name, "uuid": member.id.uuid().to_string()});
    edit::complete_event(&mut event, &orgc, ask.app.now(), &mut || fresh(&ask));
    let uuid = event.uuid();
    if reading(&ask, move |store| store.event(uuid, With::Own)).await?.is_some() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "misp.event.exists",
            "Event already exists, if you would like to edit it, use events/edit",
        ));
    }
    let taken = take(&ask, &event, group, Mode::Edit).await?;
    shown(&ask, one(&ask, uuid, With::Sightings).await?, Some(&taken.report))
}

/// `GET|POST /misp/events/view/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn view(ask: Ask) -> Result<Response, Problem> {
    let found = one(&ask, named(&ask, "id")?, With::Sightings).await?;
    shown(&ask, found, None)
}

/// `POST|PUT /misp/events/edit/{id}`.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the owner.
pub async fn change(mut ask: Ask) -> Result<Response, Problem> {
    let uuid = named(&ask, "id")?;
    let mut sent = unwrapped(body(&mut ask).await?, "Event")?;
    edit::without_ids(&mut sent);
    let mut found = own(&ask, one(&ask, uuid, With::Own).await?)?;
    let now = ask.app.now();
    let deleted = edit::merge(&mut found.event, &Event { node: sent }, now, &mut || fresh(&ask));
    edit::remove(&mut found.event, &deleted);
    let report = rewrite(&ask, found).await?;
    shown(&ask, one(&ask, uuid, With::Sightings).await?, Some(&report))
}

/// Records a changed event: new versions of what changed, and what is no longer part of it taken back.
pub(crate) async fn rewrite(ask: &Ask, found: Found) -> Result<Report, Problem> {
    let taken = take(ask, &found.event, found.group, Mode::Edit).await?;
    let mut held: BTreeSet<(GroupId, String)> = found.parts.into_iter().collect();
    held.insert((found.group, found.root));
    let gone = held.difference(&taken.places).cloned().collect();
    recall(ask, gone, "no longer part of its MISP event").await?;
    Ok(taken.report)
}

/// Changes the event of this UUID and records it.
pub(crate) async fn revise(
    ask: &Ask,
    found: Found,
    revise: impl FnOnce(&mut Event),
) -> Result<Report, Problem> {
    let mut found = own(ask, found)?;
    revise(&mut found.event);
    edit::touch(&mut found.event.node, ask.app.now());
    rewrite(ask, found).await
}

/// `POST /misp/events/publish/{id}`, and `alert`.
///
/// # Errors
/// As [`change`].
pub async fn publish(ask: Ask) -> Result<Response, Problem> {
    let at = ask.app.now().as_seconds().to_string();
    let found = one(&ask, named(&ask, "id")?, With::Own).await?;
    revise(&ask, found, |event| {
        event.node.insert("published".into(), true.into());
        event.node.insert("publish_timestamp".into(), at.into());
    })
    .await?;
    said("Event published", &ask.uri)
}

/// `POST /misp/events/unpublish/{id}`.
///
/// # Errors
/// As [`change`].
pub async fn unpublish(ask: Ask) -> Result<Response, Problem> {
    let found = one(&ask, named(&ask, "id")?, With::Own).await?;
    revise(&ask, found, |event| {
        event.node.insert("published".into(), false.into());
    })
    .await?;
    said("Event unpublished", &ask.uri)
}

/// `POST|DELETE /misp/events/delete/{id}`: takes the event and all it was made of back.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the owner.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    let found = one(&ask, named(&ask, "id")?, With::Own).await?;
    if found.owner != Some(ask.reader().member()) {
        return Err(not_yours());
    }
    // The event first: whoever looks meanwhile sees no event with holes.
    recall(&ask, vec![(found.group, found.root)], "deleted over MISP").await?;
    recall(&ask, found.parts, "deleted over MISP").await?;
    said("Event deleted.", &ask.uri)
}

/// `GET|POST /misp/events/index`: the events without what is in them, newest first.
///
/// # Errors
/// 400 for parameters that cannot be read.
pub async fn index(mut ask: Ask) -> Result<Response, Problem> {
    let asked = super::search::Asked::read(&mut ask).await?;
    let (limit, skip) = asked.page(EVENTS_MAX);
    let now = ask.app.now();
    let events = reading(&ask, move |store| {
        let mut events: Vec<Value> = Vec::new();
        let mut passed = 0;
        let query = SearchQuery { types: ROOTS.map(str::to_owned).to_vec(), ..SearchQuery::default() };
        store.roots(&query, &mut |record| {
            let Some(found) = store.head(record)? else { return Ok(true) };
            if !asked.event_fits(&found, store.directory, now) {
                return Ok(true);
            }
            passed += 1;
            if passed > skip {
                events.push(listed(presented(found, store.directory)));
            }
            Ok(events.len() < limit)
        })?;
        Ok(events)
    })
    .await?;
    json(&events)
}

/// An event as the index has it: tags under `EventTag`, nothing that hangs on it.
fn listed(mut event: Event) -> Value {
    let node = &mut event.node;
    for key in
        ["Attribute", "Object", "Galaxy", "EventReport", "ShadowAttribute", "RelatedEvent", "attribute_count"]
    {
        node.remove(key);
    }
    let tags: Vec<Value> = match node.remove("Tag") {
        Some(Value::Array(tags)) => tags.into_iter().map(|tag| json!({"Tag": tag})).collect(),
        _ => Vec::new(),
    };
    node.insert("EventTag".into(), tags.into());
    Value::Object(std::mem::take(node))
}

/// Kept for handlers that read beside the store.
pub(crate) fn directory(ask: &Ask) -> Arc<shieldwall_model::directory::Directory> {
    ask.app.directory()
}
