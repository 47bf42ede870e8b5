//! The MISP face: the part of MISP's REST interface that its clients use, PyMISP first among them, over the same store,
//! rule and door as everything else.
//!
//! Events are read out of the reader's groups and written by their owner: a change is a new version of the STIX objects
//! behind it, a deletion takes them back. The numbers clients expect for ids say their UUID and nothing else
//! (`shieldwall_exchange::misp::node::id_number`). What was shared as STIX is read here as events, and revised there.

pub mod attributes;
pub mod connect;
pub mod events;
pub mod feed;
pub mod search;
pub mod sightings;
pub mod store;
pub mod tags;
pub mod take;
pub mod warninglists;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use shieldwall_exchange::misp::{MispError, Node};
use shieldwall_model::id::StatusId;
use uuid::Uuid;

use crate::ask::{Ask, json};
use crate::problem::Problem;

/// A problem in MISP's shape.
pub fn problem(problem: &Problem, uri: &str) -> Response {
    let body = json!({
        "saved": false,
        "name": problem.detail,
        "message": problem.detail,
        "url": uri,
        "errors": {"code": problem.code, "detail": problem.detail},
    });
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    (problem.status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

impl From<MispError> for Problem {
    fn from(error: MispError) -> Self {
        Self::unreadable(error.code(), error.to_string())
    }
}

/// What a client that may not is told in the words PyMISP looks for.
pub(crate) fn not_yours() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "misp.not_yours", "You do not have permission to do that.")
}

/// The body as a JSON object; an empty one where there is no body.
pub(crate) async fn body(ask: &mut Ask) -> Result<Value, Problem> {
    let bytes = ask.bytes().await?;
    if bytes.trim_ascii().is_empty() {
        return Ok(json!({}));
    }
    let bytes = shieldwall_exchange::misp::node::long_numbers_quoted(&bytes);
    serde_json::from_slice(&bytes).map_err(|error| Problem::unreadable("body.json", error.to_string()))
}

/// A node out of a body, which may be wrapped in `name`.
pub(crate) fn unwrapped(value: Value, name: &str) -> Result<Node, Problem> {
    match value {
        Value::Object(mut node) => match node.remove(name) {
            Some(Value::Object(inner)) => Ok(inner),
            Some(_) => Err(unreadable(name)),
            None => Ok(node),
        },
        _ => Err(unreadable(name)),
    }
}

fn unreadable(name: &str) -> Problem {
    Problem::unreadable("misp.shape", format!("this is no {name}: send a JSON object as MISP has it"))
}

/// A UUID nobody has had.
pub(crate) fn fresh(ask: &Ask) -> Uuid {
    StatusId::new(ask.app.now(), ask.app.entropy()).uuid()
}

/// The UUID in the path, by itself or as a number.
pub(crate) fn named(ask: &Ask, parameter: &str) -> Result<Uuid, Problem> {
    shieldwall_exchange::misp::node::named(ask.path(parameter)?).ok_or_else(Problem::absent)
}

/// What MISP says when something was done.
pub(crate) fn said(name: &str, uri: &str) -> Result<Response, Problem> {
    json(&json!({"saved": true, "success": true, "name": name, "message": name, "url": uri}))
}
