//! Whether the hub is up, and its metrics.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusBuilder;
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_ledger::reading::Counts;
use shieldwall_model::access::{Role, Visible};

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
/// An operator, who runs the machine, gets the program's own figures: requests, times, what was shed. These count
/// everybody's doings, so whoever else may read metrics gets figures of the logs they are party to, and no others.
///
/// # Errors
/// 503 when every read connection is taken.
pub async fn metrics(ask: Ask) -> Result<Response, Problem> {
    let text = if ask.reader().role() == Role::Operator {
        ask.app.metrics()
    } else {
        let scope = ask.scope()?;
        figures(&ask.read(move |reading| reading.counts(&scope)).await?)
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// How much there is, as metrics.
fn figures(counts: &Visible<Counts>) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for row in &counts.objects {
            let labels = [("group", row.group.to_string()), ("type", row.object_type.clone())];
            // Counts stay far below 2^53, up to where a float is exact.
            metrics::gauge!("shieldwall_objects", &labels).set(row.count as f64);
        }
        for (group, entries) in &counts.entries {
            metrics::gauge!("shieldwall_entries", "group" => group.to_string()).set(*entries as f64);
        }
    });
    // The recorder keeps what it was told by hash; in order, equal figures are equal bytes.
    let rendered = recorder.handle().render();
    let mut lines: Vec<&str> = rendered.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_by_key(|line| (family(line), !line.starts_with('#'), *line));
    lines.join("\n") + "\n"
}

/// The metric a line of the text format is about.
fn family(line: &str) -> &str {
    line.trim_start_matches("# TYPE ").trim_start_matches("# HELP ").split([' ', '{']).next().unwrap_or("")
}
