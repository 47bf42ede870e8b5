//! Whether the hub is up, and its metrics.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ask::{Ask, Front, json};
use crate::problem::Problem;

/// That the hub is up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HealthBody {
    /// `ok`.
    pub status: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The realm it serves.
    pub realm: String,
}

/// `GET /api/v1/health`.
///
/// # Errors
/// None: no answer is the other answer.
pub async fn read(front: Front) -> Result<Response, Problem> {
    json(&HealthBody {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        realm: front.app.realm().to_string(),
    })
}

/// `GET /metrics`, in Prometheus' text format.
///
/// # Errors
/// None past the access rule.
pub async fn metrics(ask: Ask) -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], ask.app.metrics()).into_response())
}
