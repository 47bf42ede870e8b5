//! What a source says, as objects to share: values made into indicators, STIX left as it is.

use std::collections::BTreeSet;

use shieldwall_exchange::indicator::IndicatorDraft;
use shieldwall_exchange::list::{self, List, ListError};
use shieldwall_exchange::prose::read_prose;
use shieldwall_exchange::stix;
use shieldwall_ledger::reading::{ReadError, Reading};
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::time::Timestamp;

use super::{Format, Source};
use crate::api::Refused;
use crate::fold::{IndicatorState, collection};
use crate::problem::Problem;

/// What a source says now, against what is shared already.
#[derive(Default)]
pub struct Said {
    /// The objects to hand in, as JSON.
    pub objects: Vec<Vec<u8>>,
    /// The ids of everything it lists, in the order it lists them.
    pub listed: Vec<String>,
    /// How many are shared already, and stay as they are.
    pub known: u64,
    /// Of the objects to hand in, how many are shared already and become good for longer.
    pub renewed: u64,
    /// What could not be read.
    pub refused: Vec<Refused>,
}

/// Reads the documents of a source into a list of values; `None` for STIX, whose objects stay as they are.
///
/// # Errors
/// 400 for what cannot be read as the source's format.
pub fn values(source: &Source, document: &[u8]) -> Result<Option<List>, Problem> {
    let list = match (source.format, &source.mapping) {
        (Format::Stix, _) => return Ok(None),
        (Format::Text, _) => read_prose(document),
        (Format::Plain, _) => list::read_plain(document),
        (Format::Csv, Some(mapping)) => list::read_csv_by(document, mapping),
        (Format::Csv, None) => list::read_csv(document),
    };
    list.map(Some).map_err(|error: ListError| Problem::unreadable(error.code(), error.to_string()))
}

/// The objects of STIX documents as they came.
///
/// # Errors
/// 400 for what holds no STIX objects.
pub fn objects(documents: &[bytes::Bytes]) -> Result<Said, Problem> {
    let mut said = Said::default();
    for document in documents {
        let checked = stix::read_bundle(document)
            .map_err(|error| Problem::unreadable(error.code(), error.to_string()))?;
        said.refused.extend(checked.refused.into_iter().map(Refused::from));
        for object in checked.accepted {
            said.objects.push(object.slice(document).to_vec());
            said.listed.push(object.id.to_string());
        }
    }
    Ok(said)
}

/// What is asked of the store about a list.
pub struct Against {
    /// Who shares.
    pub member: MemberId,
    /// Where.
    pub scope: ReadScope,
    /// In which group.
    pub group: GroupId,
    /// The time.
    pub now: Timestamp,
}

/// Makes indicators of the values that are not shared yet, were taken back, or end before half their time is over again.
///
/// # Errors
/// [`ReadError`].
pub fn indicators(
    reading: &Reading<'_>,
    source: &Source,
    list: List,
    at: &Against,
) -> Result<Said, ReadError> {
    let mut said = Said {
        refused: list
            .refused
            .into_iter()
            .map(|line| Refused {
                index: line.line,
                id: None,
                path: format!("line {}", line.line),
                code: line.code.to_owned(),
                reason: line.reason,
            })
            .collect(),
        ..Said::default()
    };
    let span = source.expiry_days.map(|days| days.saturating_mul(24 * 60 * 60));
    let mut seen = BTreeSet::new();
    for item in list.items {
        let labels: Vec<String> = item.label.into_iter().collect();
        let mut draft = IndicatorDraft {
            member: at.member,
            value: &item.value,
            role: source.role,
            name: None,
            created: at.now,
            modified: at.now,
            valid_from: at.now,
            valid_until: span.map(|span| at.now.plus_seconds(span)),
            confidence: Some(source.trust.min(100)),
            labels: &labels,
            marking: source.marking,
        };
        let id = draft.id().to_string();
        if !seen.insert(id.clone()) {
            continue;
        }
        match standing(reading, at, &id, span)? {
            Standing::New => said.objects.push(draft.to_json().into_bytes()),
            Standing::Known => said.known += 1,
            Standing::Again(created) => {
                // STIX 2.1 section 3.6: `created` never changes.
                draft.created = created.unwrap_or(at.now).min(at.now);
                said.objects.push(draft.to_json().into_bytes());
                said.renewed += 1;
            }
        }
        said.listed.push(id);
    }
    Ok(said)
}

enum Standing {
    /// Nobody has shared it here.
    New,
    /// It is shared, and good for long enough.
    Known,
    /// It was taken back, or ends soon; first made then.
    Again(Option<Timestamp>),
}

fn standing(reading: &Reading<'_>, at: &Against, id: &str, span: Option<i64>) -> Result<Standing, ReadError> {
    let Some(latest) = reading.latest_object(&at.scope, at.group, id)? else { return Ok(Standing::New) };
    if latest.owner != Some(at.member) {
        return Ok(Standing::Known);
    }
    let state = reading.document(&at.scope, collection::INDICATOR, at.group, id)?;
    let until = state
        .and_then(|state| serde_json::from_slice::<IndicatorState>(&state.body).ok())
        .and_then(|state| state.valid_until);
    let ends = match (until, span) {
        (Some(until), Some(span)) => until < at.now.plus_seconds(span / 2),
        // What ended and is still listed holds on, now without an end.
        (Some(until), None) => until <= at.now,
        (None, _) => false,
    };
    if !latest.withdrawn && !ends {
        return Ok(Standing::Known);
    }
    let versions = reading.object(&at.scope, id)?.into_inner();
    let created = versions.iter().rev().find_map(|version| {
        let checked = stix::read_bundle(version.bytes.as_deref()?).ok()?;
        checked.accepted.into_iter().next()?.created
    });
    Ok(Standing::Again(created))
}
