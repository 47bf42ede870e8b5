//! Changing a collection over TAXII 2.1: adding objects, taking one back, and the status of a request.
//!
//! A request is worked off before it is answered, so its status is complete from the start. It is kept as an entry in
//! the sender's own log, where it outlives a restart and nobody else can see it.

use axum::http::{StatusCode, header};
use axum::response::Response;
use shieldwall_exchange::taxii::{Endpoint, Query, Status, StatusDetail, StatusState, check_content_type};
use shieldwall_ledger::Draft;
use shieldwall_model::id::{GroupId, StatusId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::{acceptable, group_of, header_text, resource};
use crate::ask::{Ask, done};
use crate::fold::{TAXII_ANSWERED, collection};
use crate::intake::{Desk, Known};
use crate::problem::Problem;

/// Most objects a status tells one by one; the counts are always whole.
const DETAILS_MAX: usize = 1_000;

/// `POST …/objects/`.
///
/// # Errors
/// 404 for a collection that is hidden or absent, 406, 415, 413, 422 for a body that is no envelope.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    check_content_type(header_text(&ask.headers, &header::CONTENT_TYPE))?;
    let group = group_of(&ask)?;
    let desk = Desk::of(&ask, group)?;
    let received = ask.app.now();
    let bytes = ask.bytes().await?;
    let report = desk.take(&bytes, Known::ByVersion).await.map_err(|problem| match problem.status {
        StatusCode::BAD_REQUEST => Problem { status: StatusCode::UNPROCESSABLE_ENTITY, ..problem },
        _ => problem,
    })?;
    let refused: std::collections::BTreeSet<usize> =
        report.refused.iter().map(|refused| refused.index).collect();
    let successes: Vec<StatusDetail> = report
        .read
        .iter()
        .filter(|(index, ..)| !refused.contains(index))
        .take(DETAILS_MAX)
        .map(|(_, id, version)| StatusDetail { id: id.to_string(), version: *version, message: None })
        .collect();
    let version_of = |index: usize| {
        let read = report.read.binary_search_by_key(&index, |(at, ..)| *at).ok();
        read.and_then(|at| report.read.get(at)).map_or(Timestamp::default(), |(_, _, version)| *version)
    };
    let failures = report
        .refused
        .iter()
        .take(DETAILS_MAX)
        .map(|refused| StatusDetail {
            id: refused.id.clone().unwrap_or_else(|| format!("objects[{}]", refused.index)),
            version: version_of(refused.index),
            message: Some(format!("{}: {} ({})", refused.path, refused.reason, refused.code)),
        })
        .collect();
    let id = StatusId::new(ask.app.now(), ask.app.entropy());
    let failure_count = refused.len() as u64;
    let total_count = report.objects as u64;
    let status = Status {
        id: id.uuid().to_string(),
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

/// `DELETE …/objects/{object}/`: takes the object back, in all its versions, from everybody.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the owner, 400 for a filter: versions are not taken back one by one.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    let group = group_of(&ask)?;
    let pairs = ask.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = Query::parse(Endpoint::Delete, pairs)?;
    if !query.versions.is_empty() || !query.spec_versions.is_empty() {
        return Err(Problem::unreadable(
            "taxii.delete.filter",
            "an object is taken back as a whole; leave the filters out",
        ));
    }
    let id = ask.path("object")?.to_owned();
    Desk::of(&ask, group)?.recall(&id, "deleted over TAXII").await?;
    let mut response = done();
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}
