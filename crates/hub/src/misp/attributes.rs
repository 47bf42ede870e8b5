//! Attributes and objects of an event: added, read, changed, deleted.

use std::collections::BTreeSet;

use axum::response::Response;
use serde_json::{Value, json};
use shieldwall_exchange::misp::{Event, Node, edit, node};
use uuid::Uuid;

use super::events::{one, own, reading, rewrite};
use super::store::{Found, With, presented, uuid_of};
use super::{body, fresh, named, unwrapped};
use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Most attributes added at once.
const ATTRIBUTES_AT_ONCE_MAX: usize = 5_000;

/// The event that the attribute or object in the path stands in, and the UUID.
async fn holder(ask: &Ask, with: With) -> Result<(Found, Uuid), Problem> {
    let uuid = named(ask, "id")?;
    let found = reading(ask, move |store| store.event_of(uuid, with)).await?;
    Ok((found.ok_or_else(Problem::absent)?.0, uuid))
}

fn put(event: &mut Event, key: &str, node: Node) {
    match event.node.get_mut(key).and_then(Value::as_array_mut) {
        Some(list) => list.push(Value::Object(node)),
        None => {
            event.node.insert(key.into(), json!([node]));
        }
    }
}

/// The node as a client sees it, under its name.
fn shown(ask: &Ask, found: Found, uuid: Uuid, name: &str) -> Result<Response, Problem> {
    json(&json!({name: taken_out(ask, found, uuid)?}))
}

fn taken_out(ask: &Ask, found: Found, uuid: Uuid) -> Result<Node, Problem> {
    let mut event = presented(found, &ask.app.directory());
    let event_uuid = event.uuid().to_string();
    let mut node = edit::find_in(&mut event, uuid).cloned().ok_or_else(Problem::absent)?;
    node.insert("event_uuid".into(), event_uuid.into());
    Ok(node)
}

/// `POST /misp/attributes/add/{event}`: one attribute, or a list of them.
///
/// # Errors
/// 404 for an event absent or hidden, 403 for anybody but its owner, 422 for too many.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let uuid = named(&ask, "event")?;
    let sent = match body(&mut ask).await? {
        Value::Array(items) => items,
        other => vec![other],
    };
    if sent.len() > ATTRIBUTES_AT_ONCE_MAX {
        let reason =
            format!("at most {ATTRIBUTES_AT_ONCE_MAX} attributes at once: send them in several requests");
        return Err(Problem::refused("misp.attributes.too_many", reason));
    }
    let mut found = own(&ask, one(&ask, uuid, With::Own).await?)?;
    let now = ask.app.now();
    let mut uuids = Vec::new();
    for one in sent {
        let mut attribute = unwrapped(one, "Attribute")?;
        // Several values of one type may be sent as a list.
        let values = match attribute.remove("value") {
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
            None => Vec::new(),
        };
        for value in values {
            let mut attribute = attribute.clone();
            attribute.insert("value".into(), value);
            edit::without_ids(&mut attribute);
            check(&attribute)?;
            edit::complete_attribute(&mut attribute, now, &mut || fresh(&ask));
            if edit::find_in(&mut found.event, uuid_of(&attribute)).is_some() {
                return Err(Problem::new(
                    axum::http::StatusCode::FORBIDDEN,
                    "misp.attribute.exists",
                    "Could not add Attribute: this event has an attribute of that UUID",
                ));
            }
            uuids.push(uuid_of(&attribute));
            put(&mut found.event, "Attribute", attribute);
        }
    }
    edit::touch(&mut found.event.node, now);
    let report = rewrite(&ask, found).await?;
    let found = one(&ask, uuid, With::Own).await?;
    let mut event = presented(found, &ask.app.directory());
    let mut nodes: Vec<Node> =
        uuids.iter().filter_map(|uuid| edit::find_in(&mut event, *uuid).cloned()).collect();
    if nodes.is_empty() {
        let why = report.refused.into_iter().next().map(|refused| refused.reason);
        return Err(Problem::refused(
            "misp.attribute.refused",
            why.unwrap_or_else(|| "Could not add Attribute: send `type` and `value`".into()),
        ));
    }
    if nodes.len() == 1 {
        json(&json!({"Attribute": nodes.remove(0)}))
    } else {
        json(&json!({"Attribute": nodes}))
    }
}

fn check(attribute: &Node) -> Result<(), Problem> {
    for key in ["type", "value"] {
        if node::shown(attribute, key).trim().is_empty() {
            let reason = format!("Could not add Attribute: it has a `{key}`");
            return Err(Problem::new(axum::http::StatusCode::FORBIDDEN, "misp.attribute.incomplete", reason));
        }
    }
    Ok(())
}

/// `GET /misp/attributes/view/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn view(ask: Ask) -> Result<Response, Problem> {
    let (found, uuid) = holder(&ask, With::Sightings).await?;
    shown(&ask, found, uuid, "Attribute")
}

/// `GET /misp/objects/view/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn view_object(ask: Ask) -> Result<Response, Problem> {
    let (found, uuid) = holder(&ask, With::Sightings).await?;
    shown(&ask, found, uuid, "Object")
}

/// `POST|PUT /misp/attributes/edit/{id}`.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the event's owner.
pub async fn change(ask: Ask) -> Result<Response, Problem> {
    lay(ask, "Attribute").await
}

/// `POST|PUT /misp/objects/edit/{id}`.
///
/// # Errors
/// As [`change`].
pub async fn change_object(ask: Ask) -> Result<Response, Problem> {
    lay(ask, "Object").await
}

async fn lay(mut ask: Ask, name: &str) -> Result<Response, Problem> {
    let mut sent = unwrapped(body(&mut ask).await?, name)?;
    edit::without_ids(&mut sent);
    let (found, uuid) = holder(&ask, With::Own).await?;
    let mut found = own(&ask, found)?;
    let event = found.event.uuid();
    let now = ask.app.now();
    let mut deleted = BTreeSet::new();
    if let Some(held) = edit::find_in(&mut found.event, uuid) {
        edit::lay(held, &sent, now, &mut || fresh(&ask), &mut deleted);
    }
    edit::remove(&mut found.event, &deleted);
    edit::touch(&mut found.event.node, now);
    rewrite(&ask, found).await?;
    shown(&ask, one(&ask, event, With::Sightings).await?, uuid, name)
}

/// `POST|DELETE /misp/attributes/delete/{id}`.
///
/// # Errors
/// As [`change`].
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    gone(ask, "Attribute deleted.").await
}

/// `POST|DELETE /misp/objects/delete/{id}`.
///
/// # Errors
/// As [`change`].
pub async fn remove_object(ask: Ask) -> Result<Response, Problem> {
    gone(ask, "Object deleted").await
}

async fn gone(ask: Ask, message: &str) -> Result<Response, Problem> {
    let (found, uuid) = holder(&ask, With::Own).await?;
    let mut found = own(&ask, found)?;
    edit::remove(&mut found.event, &BTreeSet::from([uuid]));
    edit::touch(&mut found.event.node, ask.app.now());
    rewrite(&ask, found).await?;
    json(&json!({"message": message, "saved": true, "success": true, "name": message, "url": ask.uri}))
}

/// `POST /misp/objects/add/{event}`.
///
/// # Errors
/// As [`add`].
pub async fn add_object(mut ask: Ask) -> Result<Response, Problem> {
    let uuid = named(&ask, "event")?;
    let mut object = unwrapped(body(&mut ask).await?, "Object")?;
    edit::without_ids(&mut object);
    if node::text(&object, "name").is_none() {
        return Err(Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "misp.object.incomplete",
            "Could not save object: it has a `name`",
        ));
    }
    let mut found = own(&ask, one(&ask, uuid, With::Own).await?)?;
    let now = ask.app.now();
    edit::complete_object(&mut object, now, &mut || fresh(&ask));
    let own_uuid = uuid_of(&object);
    put(&mut found.event, "Object", object);
    edit::touch(&mut found.event.node, now);
    rewrite(&ask, found).await?;
    shown(&ask, one(&ask, uuid, With::Own).await?, own_uuid, "Object")
}
