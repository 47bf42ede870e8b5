//! Tags: what events, attributes and objects are labelled with. A tag is there when something carries it; there is no
//! table of tags, so that nobody learns of one from a group they are not party to.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};
use shieldwall_exchange::misp::{edit, export, node};
use shieldwall_ledger::reading::{ReadError, SearchQuery};
use shieldwall_model::limits;
use uuid::Uuid;

use super::events::{reading, revise};
use super::store::{Found, Store, With};
use super::{body, unwrapped};
use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Most objects looked at for tags.
const OBJECTS_MAX: usize = 5_000;

fn tag(name: &str) -> Value {
    json!({
        "id": edit::tag_number(name), "name": name, "colour": "#5b6770", "exportable": true, "org_id": "0",
        "user_id": "0", "hide_tag": false, "numerical_value": Value::Null, "is_galaxy": name.starts_with("misp-galaxy:"),
    })
}

/// `POST /misp/tags/add`: says what the tag will be called; it is there once something carries it.
///
/// # Errors
/// 403 for a name that is none.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let sent = unwrapped(body(&mut ask).await?, "Tag")?;
    let name = node::text(&sent, "name").map(str::trim).filter(|name| !name.is_empty());
    let name = name.filter(|name| name.len() <= limits::NAME_BYTES_MAX).ok_or_else(bad_name)?;
    let mut made = tag(name);
    if let (Some(colour), Some(made)) = (node::text(&sent, "colour"), made.as_object_mut()) {
        made.insert("colour".into(), colour.into());
    }
    json(&json!({"Tag": made}))
}

fn bad_name() -> Problem {
    let reason = format!("a tag has a name of 1 to {} bytes", limits::NAME_BYTES_MAX);
    Problem::new(axum::http::StatusCode::FORBIDDEN, "misp.tag.name", reason)
}

/// `GET /misp/tags/index`.
///
/// # Errors
/// 422 when this reads too much.
pub async fn index(ask: Ask) -> Result<Response, Problem> {
    let names = reading(&ask, |store| carried(store, "")).await?;
    let tags: Vec<Value> = names
        .into_iter()
        .map(|(name, count)| {
            let mut tag = tag(&name);
            if let Some(fields) = tag.as_object_mut() {
                fields.insert("count".into(), count.into());
            }
            tag
        })
        .collect();
    json(&json!({"Tag": tags}))
}

/// `POST /misp/tags/search`: by a part of the name, `%` standing for anything.
///
/// # Errors
/// As [`index`].
pub async fn search(mut ask: Ask) -> Result<Response, Problem> {
    let sent = body(&mut ask).await?;
    let text = |key: &str| sent.get(key).and_then(Value::as_str);
    let wanted = text("tagname").or_else(|| text("name")).unwrap_or_default().to_owned();
    let strict = sent.get("strict_tagname").is_some_and(|strict| *strict == true || *strict == 1);
    let looked_for = wanted.replace('%', " ");
    let names = reading(&ask, move |store| carried(store, &looked_for)).await?;
    let fits = |name: &str| {
        if strict { name == wanted } else { like(name, &wanted) }
    };
    let found: Vec<Value> = names
        .keys()
        .filter(|name| fits(name))
        .map(|name| json!({"Tag": tag(name), "Taxonomy": [], "TaxonomyPredicate": []}))
        .collect();
    json(&found)
}

/// Whether a name holds the parts of a pattern between `%`, in order, in any case.
pub(crate) fn like(name: &str, pattern: &str) -> bool {
    let (mut rest, pattern) = (name.to_lowercase(), pattern.to_lowercase());
    for part in pattern.split('%').filter(|part| !part.is_empty()) {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.split_off(at + part.len());
    }
    true
}

/// The tags carried by what the reader may see and these words find.
fn carried(store: &Store<'_>, words: &str) -> Result<BTreeMap<String, usize>, ReadError> {
    let mut names = BTreeMap::new();
    let (mut after, mut looked) = (None, 0);
    loop {
        let query = SearchQuery {
            text: words.to_owned(),
            after,
            limit: limits::PAGE_ITEMS_MAX,
            ..SearchQuery::default()
        };
        let page = store.reading.search(store.scope, &query)?.into_inner();
        looked += page.rows.len();
        for record in page.rows.iter().filter(|record| !record.revoked) {
            let versions = store.reading.object(store.scope, &record.id)?.into_inner();
            let current = versions.into_iter().find(|stored| {
                stored.record.group == record.group && stored.record.sequence == record.sequence
            });
            let read = current.and_then(|stored| serde_json::from_slice::<Value>(&stored.bytes?).ok());
            let Some(object) = read.as_ref().and_then(Value::as_object) else { continue };
            for name in export::references(object, "labels") {
                *names.entry(name.to_owned()).or_insert(0) += 1;
            }
        }
        match page.next {
            Some(next) if looked < OBJECTS_MAX => after = Some(next),
            _ => return Ok(names),
        }
    }
}

/// `POST /misp/tags/attachTagToObject`: to an event, an attribute or an object, by its UUID.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the owner.
pub async fn attach(ask: Ask) -> Result<Response, Problem> {
    put(ask, true).await
}

/// `POST /misp/tags/removeTagFromObject`.
///
/// # Errors
/// As [`attach`].
pub async fn detach(ask: Ask) -> Result<Response, Problem> {
    put(ask, false).await
}

async fn put(mut ask: Ask, attach: bool) -> Result<Response, Problem> {
    let sent = body(&mut ask).await?;
    let text = |key: &str| sent.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (uuid, name) = (node::named(&text("uuid")).ok_or_else(Problem::absent)?, text("tag"));
    if name.trim().is_empty() || name.len() > limits::NAME_BYTES_MAX {
        return Err(bad_name());
    }
    let (found, is_event) = carrier(&ask, uuid).await?;
    let now = ask.app.now();
    revise(&ask, found, |event| {
        let node = if is_event { Some(&mut event.node) } else { edit::find_in(event, uuid) };
        if let Some(node) = node {
            let changed = if attach { edit::add_tag(node, &name) } else { edit::remove_tag(node, &name) };
            if changed {
                edit::touch(node, now);
            }
        }
    })
    .await?;
    let done = if attach { "successfully attached to" } else { "successfully removed from" };
    super::said(&format!("Tag {name} {done} {uuid}"), &ask.uri)
}

async fn carrier(ask: &Ask, uuid: Uuid) -> Result<(Found, bool), Problem> {
    let found = reading(ask, move |store| {
        if let Some(found) = store.event(uuid, With::Own)?
            && found.is_misp
        {
            return Ok(Some((found, true)));
        }
        if let Some((found, _)) = store.event_of(uuid, With::Own)? {
            return Ok(Some((found, false)));
        }
        Ok(store.event(uuid, With::Own)?.map(|found| (found, true)))
    })
    .await?;
    found.ok_or_else(Problem::absent)
}
