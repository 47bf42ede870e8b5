//! Changing a collection over TAXII 2.1: adding objects, taking them back, and the status of a request.
//!
//! A request is worked off before it is answered, so its status is complete from the start. It is kept as an entry in
//! the sender's own log, where it outlives a restart and nobody else can see it.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use shieldwall_exchange::stix::UNVERSIONED;
use shieldwall_exchange::taxii::{
    Endpoint, MEDIA_TYPE, Query, Status, StatusDetail, StatusState, check_content_type,
};
use shieldwall_ledger::Draft;
use shieldwall_model::id::{GroupId, StatusId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::page::version_filter;
use super::{acceptable, group_of, header_text, resource};
use crate::api::Refused;
use crate::ask::Ask;
use crate::fold::{TAXII_ANSWERED, collection};
use crate::intake::{Desk, Known, Versions};
use crate::problem::Problem;

/// Most objects a status tells one by one; the counts are always whole.
const DETAILS_MAX: usize = 1_000;

/// `POST …/objects/`.
///
/// # Errors
/// 404 for a collection that is hidden or absent, 406, 415, 413, 422 for a body that is no envelope or an empty one.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    let desk = Desk::of(&ask, group_of(&ask)?)?;
    check_content_type(header_text(&ask.headers, &header::CONTENT_TYPE))?;
    let received = ask.app.now();
    let bytes = ask.bytes().await?;
    let report = desk.take(&bytes, Known::ByVersion).await.map_err(|problem| match problem.status {
        StatusCode::BAD_REQUEST => Problem { status: StatusCode::UNPROCESSABLE_ENTITY, ..problem },
        _ => problem,
    })?;
    if report.objects == 0 {
        return Err(Problem::refused(
            "taxii.envelope.empty",
            "the envelope holds no objects, and a list has at least one (section 2); send it once there are some",
        ));
    }
    let refused: BTreeMap<usize, &Refused> =
        report.refused.iter().map(|refused| (refused.index, refused)).collect();
    let held: BTreeMap<usize, &Refused> = report.held.iter().map(|held| (held.index, held)).collect();
    let (mut successes, mut failures) = (Vec::new(), Vec::new());
    for (index, Sent { id, version }) in sent(&bytes).into_iter().enumerate() {
        let known = refused.get(&index);
        let (into, message) = match known {
            Some(why) => (&mut failures, Some(format!("{}: {} ({})", why.path, why.reason, why.code))),
            None => {
                let waits =
                    |why: &&Refused| format!("held back until a curator has looked at it: {}", why.reason);
                (&mut successes, held.get(&index).map(waits))
            }
        };
        if into.len() < DETAILS_MAX {
            let id = id.unwrap_or_else(|| format!("objects[{index}]"));
            into.push(StatusDetail { id, version, message });
        }
    }
    let total_count = report.objects as u64;
    let failure_count = refused.len() as u64;
    let status = Status {
        id: StatusId::random(ask.app.entropy()).map_err(|error| Problem::fault(&error))?.uuid().to_string(),
        status: StatusState::Complete,
        request_timestamp: Some(received),
        total_count,
        success_count: total_count.saturating_sub(failure_count),
        successes,
        failure_count,
        failures,
        pending_count: 0,
        pendings: Vec::new(),
    };
    keep(&ask, &status).await?;
    resource(StatusCode::ACCEPTED, &status)
}

/// What a status says of an object, taken from what was sent, whether or not that is any good.
struct Sent {
    id: Option<String>,
    version: Timestamp,
}

/// The objects of an envelope, a list or by themselves, in order.
fn sent(bytes: &[u8]) -> Vec<Sent> {
    #[derive(Deserialize)]
    struct Envelope<'b> {
        #[serde(borrow)]
        objects: Vec<&'b RawValue>,
    }
    /// Of whatever type they are: what is wrong with them has been said.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Names {
        id: serde_json::Value,
        modified: serde_json::Value,
        created: serde_json::Value,
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let objects = serde_json::from_slice::<Envelope<'_>>(bytes)
        .map(|envelope| envelope.objects)
        .or_else(|_| serde_json::from_slice::<Vec<&RawValue>>(bytes))
        .or_else(|_| serde_json::from_slice::<&RawValue>(bytes).map(|one| vec![one]))
        .unwrap_or_default();
    let read = |object: &&RawValue| {
        let names: Names = serde_json::from_str(object.get()).unwrap_or_default();
        let time = |value: &serde_json::Value| value.as_str().and_then(|text| Timestamp::parse(text).ok());
        Sent {
            id: names.id.as_str().map(|id| id.chars().take(300).collect()),
            version: time(&names.modified).or_else(|| time(&names.created)).unwrap_or(UNVERSIONED),
        }
    };
    objects.iter().map(read).collect()
}

/// Keeps a status in the sender's own log.
async fn keep(ask: &Ask, status: &Status) -> Result<(), Problem> {
    let home = GroupId::home_of(ask.reader().member());
    let permit = ask.permit_in(home)?;
    let bytes = serde_json::to_vec(status).map_err(|error| Problem::fault(&error))?;
    ask.app.append(vec![Draft::new(&permit, home, TAXII_ANSWERED, bytes)]).await?;
    Ok(())
}

/// `GET /taxii2/api/status/{id}/`.
///
/// # Errors
/// 404 for a status that is not one of the reader's member's, or is older than two days.
pub async fn status(ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    let id = Uuid::try_parse(ask.path("id")?).map_err(|_| Problem::absent())?;
    let home = GroupId::home_of(ask.reader().member());
    let scope = ask.scope()?.only(home)?;
    let document =
        ask.read(move |reading| reading.document(&scope, collection::STATUS, home, &id.to_string())).await?;
    let status: Status = document
        .and_then(|document| serde_json::from_slice(&document.body).ok())
        .ok_or_else(Problem::absent)?;
    let oldest = ask.app.now().plus_seconds(-limits::TAXII_STATUS_SECONDS);
    if status.request_timestamp.is_some_and(|at| at < oldest) {
        return Err(Problem::absent());
    }
    resource(StatusCode::OK, &status)
}

/// `DELETE …/objects/{object}/`: takes the object back, or the versions the query names, from everybody.
///
/// Without `match[version]` every version goes: section 5.7 deletes an object, and a version where one is named.
///
/// # Errors
/// 404 when absent or hidden or no version fits, 403 for anybody but the owner, 400.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    const REASON: &str = "deleted over TAXII";
    acceptable(&ask)?;
    let group = group_of(&ask)?;
    let pairs = ask.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = Query::parse(Endpoint::Delete, pairs)?;
    let id = ask.path("object")?.to_owned();
    let desk = Desk::of(&ask, group)?;
    if query.versions.is_empty() && query.spec_versions.is_empty() {
        desk.recall(&id, REASON).await?;
    } else {
        let versions = match query.versions.as_slice() {
            [] => shieldwall_ledger::reading::VersionFilter::every(),
            versions => version_filter(versions),
        };
        desk.recall_versions(&id, Versions { versions, spec_versions: query.spec_versions }, REASON).await?;
    }
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, MEDIA_TYPE)]).into_response())
}
