//! What sensors and analysts report: sightings of shared indicators, taken once however often they are sent.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_assess::entries::{Reporter, SIGHTING_KEPT, SIGHTING_REPORTED, SeenValue, SightingReported};
use shieldwall_ledger::Draft;
use shieldwall_model::directory::SightingNames;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use crate::ask::{Ask, json};
use crate::fold::{IndicatorState, collection};
use crate::problem::Problem;

/// A report of sightings.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SightingsReport {
    /// 1 to 1000 sightings.
    pub sightings: Vec<SightingBody>,
}

/// One sighting: an indicator seen in the reporting member's own network within one interval.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SightingBody {
    /// The sharing group the indicator came from.
    pub group: String,
    /// The indicator's id.
    pub indicator: String,
    /// First seen, RFC 3339.
    pub first_seen: String,
    /// Last seen, RFC 3339.
    pub last_seen: String,
    /// How many events.
    pub count: u64,
    /// The kind of value, such as `domain-name`.
    pub kind: String,
    /// The telemetry field, such as `dns.rrname`.
    pub field: String,
    /// The value, as much of it as the member tells.
    pub value: ValueBody,
    /// When the sensor made the match.
    pub detected: String,
    /// It passed before the indicator was known there, and was found by looking back; `count` is then in hours.
    #[serde(default)]
    pub retrospective: bool,
}

/// A value as much of it as the member tells.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueBody {
    /// As it stood in the telemetry, normalised.
    Plain(String),
    /// SHA-256 of the normalised value, in hex.
    Sha256(String),
    /// Not told.
    Withheld,
}

/// What became of a report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SightingsTaken {
    /// Sightings recorded (or recorded before, when repeated).
    pub accepted: usize,
    /// Whether this report was taken before; nothing more was recorded.
    pub repeated: bool,
    /// Sightings not taken.
    pub refused: Vec<SightingRefused>,
}

/// One sighting that was not taken.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SightingRefused {
    /// Its place in the report, from 0.
    pub index: usize,
    /// The stable code.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// `POST /api/v1/sightings`, with an `Idempotency-Key`.
///
/// # Errors
/// 400 without a key or for a body that cannot be read, 422 for none or too many sightings, else as `App::append`.
pub async fn report(mut ask: Ask) -> Result<Response, Problem> {
    let key = ask
        .headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .filter(|key| (8..=64).contains(&key.len()))
        .map(str::to_owned)
        .ok_or_else(|| {
            Problem::unreadable(
                "sighting.key",
                "send an `Idempotency-Key` of 8 to 64 characters, a new UUID for each report",
            )
        })?;
    let report: SightingsReport = ask.json().await?;
    if report.sightings.is_empty() || report.sightings.len() > limits::SIGHTINGS_PER_REPORT_MAX {
        return Err(Problem::refused(
            "sighting.count",
            format!("a report holds 1 to {} sightings", limits::SIGHTINGS_PER_REPORT_MAX),
        ));
    }
    let mut refused = Vec::new();
    let mut drafts = Vec::new();
    let mut accepted = 0;
    for (index, sighting) in report.sightings.into_iter().enumerate() {
        match draft(&ask, sighting, &format!("{key}/{index}")).await {
            Ok(made) => {
                accepted += 1;
                drafts.extend(made);
            }
            Err(problem) if problem.status.is_server_error() => return Err(problem),
            Err(problem) => {
                refused.push(SightingRefused { index, code: problem.code.into(), reason: problem.detail });
            }
        }
    }
    let receipts = if drafts.is_empty() { Vec::new() } else { ask.app.append(drafts).await? };
    let repeated = !receipts.is_empty() && receipts.iter().all(|receipt| receipt.repeated);
    if !repeated {
        metrics::counter!("shieldwall_sightings_total").increment(accepted as u64);
    }
    json(&SightingsTaken { accepted, repeated, refused })
}

/// The entries a sighting becomes: one in the indicator's group, and where that group does not name its reporters,
/// the named one in the reporting member's own log.
///
/// # Errors
/// 404 for a group the member is not party to, 422 for a sighting that cannot be read or of nothing that is there.
pub(crate) async fn draft(ask: &Ask, body: SightingBody, key: &str) -> Result<Vec<Draft>, Problem> {
    let unreadable =
        |error: &dyn std::fmt::Display| Problem::refused("sighting.unreadable", error.to_string());
    let group: GroupId = body.group.parse().map_err(|error| unreadable(&error))?;
    let indicator: ObjectId = body.indicator.parse().map_err(|error| unreadable(&error))?;
    let time = |text: &str| Timestamp::parse(text).map_err(|error| unreadable(&error));
    let (first_seen, last_seen, detected) =
        (time(&body.first_seen)?, time(&body.last_seen)?, time(&body.detected)?);
    if body.count == 0 || first_seen > last_seen {
        return Err(Problem::refused(
            "sighting.unreadable",
            "count is at least 1, and first_seen not after last_seen",
        ));
    }
    if body.field.len() > limits::NAME_BYTES_MAX || body.kind.len() > limits::NAME_BYTES_MAX {
        return Err(Problem::refused("sighting.unreadable", "field and kind have at most 200 bytes"));
    }
    let permit = ask.permit_in(group)?;
    let scope = ask.scope()?.only(group)?;
    let wanted = indicator.to_string();
    let document =
        ask.read(move |reading| reading.document(&scope, collection::INDICATOR, group, &wanted)).await?;
    let state: Option<IndicatorState> =
        document.and_then(|document| serde_json::from_slice(&document.body).ok());
    let Some(state) = state else {
        return Err(Problem::refused("sighting.indicator.unknown", "this group holds no such indicator"));
    };
    if state.ended.is_some() {
        return Err(Problem::refused(
            "sighting.indicator.ended",
            "this indicator was taken back; stop matching it",
        ));
    }
    let member = ask.reader().member();
    let directory = ask.app.directory();
    let sectors = directory.member(member).map(|member| member.sectors.clone()).unwrap_or_default();
    let named = SightingReported {
        indicator,
        first_seen,
        last_seen,
        count: body.count,
        kind: body.kind,
        field: body.field,
        value: match body.value {
            ValueBody::Plain(value) if value.len() <= limits::STRING_BYTES_MAX / 16 => {
                SeenValue::Plain(value)
            }
            ValueBody::Sha256(hash) if hash.len() == 64 => SeenValue::Sha256(hash),
            _ => SeenValue::Withheld,
        },
        reporter: Reporter::Member(member),
        sectors,
        detected,
        retrospective: body.retrospective,
    };
    let bytes = |seen: &SightingReported| serde_json::to_vec(seen).map_err(|error| Problem::fault(&error));
    let names = directory.group(group).map_or(SightingNames::Hidden, |group| group.names);
    if names == SightingNames::Shown {
        return Ok(vec![
            Draft::new(&permit, group, SIGHTING_REPORTED, bytes(&named)?).idempotency(key.to_owned()),
        ]);
    }
    let home = GroupId::home_of(member);
    let kept = ask.permit_in(home)?;
    let unnamed = SightingReported {
        reporter: Reporter::Pseudonym(ask.app.pseudonym(group, member)),
        value: SeenValue::Withheld,
        ..named.clone()
    };
    Ok(vec![
        Draft::on_behalf(&permit, group, SIGHTING_REPORTED, bytes(&unnamed)?)
            .idempotency(format!("{}/{key}", ask.reader().principal())),
        Draft::new(&kept, home, SIGHTING_KEPT, bytes(&named)?).idempotency(key.to_owned()),
    ])
}
