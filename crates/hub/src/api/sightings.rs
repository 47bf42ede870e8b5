//! What sensors and analysts report: sightings of shared indicators, taken once however often they are sent.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_assess::entries::{
    Reporter, SIGHTING_KEPT, SIGHTING_REPORTED, SeenValue, SightingReported, TELEMETRY_TAKEN, TelemetryTaken,
};
use shieldwall_ledger::Draft;
use shieldwall_model::directory::SightingNames;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::sequences::{Sequences, SequencesError};
use shieldwall_model::time::Timestamp;

use crate::ask::{Ask, json};
use crate::fold::{IndicatorState, collection, taken};
use crate::problem::Problem;

/// A report of sightings.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SightingsReport {
    /// 1 to 1000 sightings; up to 10000 with an origin.
    pub sightings: Vec<SightingBody>,
    /// The stream all of them come from, when its messages may be handed out to sensors more than once.
    #[serde(default)]
    pub origin: Option<OriginBody>,
}

/// The messages a report speaks for. Whatever another report of this member said of one of them stands: here it counts
/// no more.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OriginBody {
    /// The stream: its name and when it was made, the same at every sensor that reads it.
    pub stream: String,
    /// The messages by their numbers in the stream, such as `1-500,502`: at most 1000000.
    pub sequences: String,
}

/// Messages, and how many of a sighting's events each of them holds.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ContributionBody {
    /// Events in each.
    pub count: u64,
    /// The messages, such as `3,17-20`.
    pub sequences: String,
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
    /// With an origin: which messages the events were in. Together they are `count`.
    #[serde(default)]
    pub contributions: Vec<ContributionBody>,
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
    let most = match report.origin {
        Some(_) => limits::SIGHTINGS_PER_STREAM_REPORT_MAX,
        None => limits::SIGHTINGS_PER_REPORT_MAX,
    };
    if report.sightings.is_empty() || report.sightings.len() > most {
        return Err(Problem::refused("sighting.count", format!("a report holds 1 to {most} sightings")));
    }
    let origin = report.origin.map(Origin::of).transpose()?;
    let turn = ask.app.telemetry_of(ask.reader().member());
    let _turn = match &origin {
        Some(_) => Some(turn.lock().await),
        None => None,
    };
    let before = match &origin {
        Some(origin) => Some(origin.taken_before(&ask).await?),
        None => None,
    };
    let mut refused = Vec::new();
    let mut drafts = Vec::new();
    let (mut accepted, mut counted_before) = (0, 0);
    for (index, mut sighting) in report.sightings.into_iter().enumerate() {
        if let (Some(origin), Some(before)) = (&origin, &before) {
            match origin.counted_before(&sighting, before) {
                Ok(again) if again == sighting.count => {
                    counted_before += 1;
                    continue;
                }
                Ok(again) => sighting.count -= again,
                Err(problem) => {
                    refused.push(SightingRefused {
                        index,
                        code: problem.code.into(),
                        reason: problem.detail,
                    });
                    continue;
                }
            }
        }
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
    if let (Some(origin), Some(before)) = (&origin, &before) {
        drafts.extend(origin.draft(&ask, before, &key)?);
    }
    let receipts = if drafts.is_empty() { Vec::new() } else { ask.app.append(drafts).await? };
    let repeated = match receipts.as_slice() {
        [] => counted_before > 0,
        all => all.iter().all(|receipt| receipt.repeated),
    };
    if !repeated {
        metrics::counter!("shieldwall_sightings_total").increment(accepted as u64);
    }
    json(&SightingsTaken { accepted: accepted + counted_before, repeated, refused })
}

/// Most messages one report speaks for.
const MESSAGES_PER_REPORT_MAX: u64 = 1_000_000;

/// Where a report's sightings come from.
struct Origin {
    stream: String,
    sequences: Sequences,
}

impl Origin {
    fn of(body: OriginBody) -> Result<Self, Problem> {
        let OriginBody { stream, sequences } = body;
        if stream.is_empty() || stream.len() > limits::NAME_BYTES_MAX || stream.chars().any(char::is_control)
        {
            return Err(Problem::refused(
                "sighting.origin",
                "`stream` has 1 to 200 bytes, none of them control",
            ));
        }
        let sequences = numbers(&sequences)?;
        if sequences.is_empty() || sequences.len() > MESSAGES_PER_REPORT_MAX {
            let most = format!("a report speaks for 1 to {MESSAGES_PER_REPORT_MAX} messages");
            return Err(Problem::refused("sighting.origin", most));
        }
        Ok(Self { stream, sequences })
    }

    /// Those of its messages that a report of this member spoke for before.
    async fn taken_before(&self, ask: &Ask) -> Result<Sequences, Problem> {
        let home = GroupId::home_of(ask.reader().member());
        let scope = ask.scope()?.only(home)?;
        let wanted = taken::by_document(&self.stream, &self.sequences);
        ask.read(move |reading| {
            let mut before = Sequences::default();
            for (key, wanted) in &wanted {
                let document = reading.document(&scope, collection::TAKEN, home, key)?;
                let all: Option<Sequences> =
                    document.and_then(|document| serde_json::from_slice(&document.body).ok());
                before.extend(&all.unwrap_or_default().intersection(wanted));
            }
            Ok(before)
        })
        .await
    }

    /// How many of a sighting's events were counted before.
    fn counted_before(&self, sighting: &SightingBody, before: &Sequences) -> Result<u64, Problem> {
        let (mut all, mut again) = (0u64, 0u64);
        for part in &sighting.contributions {
            let sequences = numbers(&part.sequences)?;
            if !sequences.difference(&self.sequences).is_empty() {
                let wrong = "it contributes messages that the report does not speak for";
                return Err(Problem::refused("sighting.origin", wrong));
            }
            all = all.saturating_add(part.count.saturating_mul(sequences.len()));
            again = again.saturating_add(part.count.saturating_mul(sequences.intersection(before).len()));
        }
        if all == sighting.count {
            Ok(again)
        } else {
            Err(Problem::refused("sighting.origin", "its contributions do not add up to its count"))
        }
    }

    /// The entry by which these messages count no more, unless all of them do not already.
    fn draft(&self, ask: &Ask, before: &Sequences, key: &str) -> Result<Option<Draft>, Problem> {
        let sequences = self.sequences.difference(before);
        if sequences.is_empty() {
            return Ok(None);
        }
        let home = GroupId::home_of(ask.reader().member());
        let permit = ask.permit_in(home)?;
        let taken = TelemetryTaken { stream: self.stream.clone(), sequences };
        let body = serde_json::to_vec(&taken).map_err(|error| Problem::fault(&error))?;
        Ok(Some(Draft::new(&permit, home, TELEMETRY_TAKEN, body).idempotency(format!("{key}/taken"))))
    }
}

fn numbers(text: &str) -> Result<Sequences, Problem> {
    text.parse().map_err(|error: SequencesError| Problem::refused("sighting.origin", error.to_string()))
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
