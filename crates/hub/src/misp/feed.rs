//! The MISP feed of a reader's groups: `/feeds/misp/`, which a MISP instance or PyMISP's tools read as a feed directory.
//!
//! It holds the published events of the groups the reader is party to, or of one of them, newest first up to a bound;
//! how many are older than that a header says. What was recalled or revoked is not in it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use shieldwall_exchange::misp::feed::{self, sha256};
use shieldwall_exchange::misp::{Event, node};
use shieldwall_ledger::reading::{ReadError, SearchQuery};
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::GroupId;
use uuid::Uuid;

use super::store::{ROOTS, Store, With};
use crate::ask::Ask;
use crate::problem::Problem;

/// Most events a feed holds.
const FEED_EVENTS_MAX: usize = 2_000;
/// How many events are older than a feed goes back.
const LEFT_OUT: &str = "x-shieldwall-left-out";

fn scope(ask: &Ask) -> Result<ReadScope, Problem> {
    let scope = ask.scope()?;
    match ask.query_as::<GroupId>("group")? {
        Some(group) => Ok(scope.only(group)?),
        None => Ok(scope),
    }
}

/// The events of the feed, each handed to `each`; how many were left out for their age.
async fn events<T: Send + 'static>(
    ask: &Ask,
    each: impl Fn(Event) -> T + Send + 'static,
) -> Result<(Vec<T>, usize), Problem> {
    let (scope, directory) = (scope(ask)?, super::events::directory(ask));
    ask.read(move |reading| {
        let store = Store { reading, scope: &scope, directory: &directory };
        let (mut all, mut left_out) = (Vec::new(), 0);
        let query = SearchQuery { types: ROOTS.map(str::to_owned).to_vec(), ..SearchQuery::default() };
        store.roots(&query, &mut |record| {
            if all.len() >= FEED_EVENTS_MAX {
                left_out += 1;
                return Ok(true);
            }
            if let Some(event) = published(&store, record)? {
                all.push(each(event));
            }
            Ok(true)
        })?;
        Ok((all, left_out))
    })
    .await
}

fn published(
    store: &Store<'_>,
    record: &shieldwall_ledger::views::ObjectRecord,
) -> Result<Option<Event>, ReadError> {
    let found = store.load(record, With::Own)?;
    Ok(found.map(|found| found.event).filter(|event| node::flag(&event.node, "published")))
}

/// `GET /feeds/misp/manifest.json`.
///
/// # Errors
/// 404 for a group the reader is not party to.
pub async fn manifest(ask: Ask) -> Result<Response, Problem> {
    let told = |event: Event| (event.uuid(), feed::manifest_entry(&event, &feed::event_file(&event)));
    let (entries, left_out) = events(&ask, told).await?;
    let body = feed::manifest(entries.iter().map(|(uuid, entry): &(Uuid, Value)| (*uuid, entry)));
    Ok(answer(&ask, body, "application/json", left_out))
}

/// `GET /feeds/misp/hashes.csv`.
///
/// # Errors
/// As [`manifest`].
pub async fn hashes(ask: Ask) -> Result<Response, Problem> {
    let (texts, left_out) = events(&ask, |event| feed::hashes([&event])).await?;
    Ok(answer(&ask, texts.concat().into_bytes(), "text/csv; charset=utf-8", left_out))
}

/// `GET /feeds/misp/{uuid}.json`.
///
/// # Errors
/// 404 for an event absent, hidden or not published.
pub async fn event(ask: Ask) -> Result<Response, Problem> {
    let name = ask.path("file")?.strip_suffix(".json").ok_or_else(Problem::absent)?;
    let uuid = Uuid::try_parse(name).map_err(|_| Problem::absent())?;
    let (scope, directory) = (scope(&ask)?, super::events::directory(&ask));
    let found = ask
        .read(move |reading| Store { reading, scope: &scope, directory: &directory }.event(uuid, With::Own))
        .await?;
    let event = found.map(|found| found.event).filter(|event| node::flag(&event.node, "published"));
    let event = event.ok_or_else(Problem::absent)?;
    Ok(answer(&ask, feed::event_file(&event), "application/json", 0))
}

/// The body under its entity tag; 304 to whoever has it.
fn answer(ask: &Ask, body: Vec<u8>, content_type: &'static str, left_out: usize) -> Response {
    let tag = format!("\"{}\"", sha256(&body));
    let known = ask.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    if left_out > 0 {
        response.headers_mut().insert(LEFT_OUT, HeaderValue::from(left_out));
    }
    response
}
