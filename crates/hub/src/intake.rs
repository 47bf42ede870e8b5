//! The one door for intelligence: whatever comes in, by API, page, TAXII, list or peer, is checked and recorded here.

use std::collections::BTreeSet;

use shieldwall_exchange::entries::{OBJECT_RECALLED, OBJECT_SHARED, Recalled};
use shieldwall_exchange::indicator::IndicatorDraft;
use shieldwall_exchange::list::List;
use shieldwall_exchange::stix::{self, Object};
use shieldwall_ledger::Draft;
use shieldwall_ledger::reading::{ObjectQuery, ReadError, Reading, VersionFilter};
use shieldwall_model::access::{Permit, ReadScope};
use shieldwall_model::directory::Member;
use shieldwall_model::id::{GroupId, MemberId, ObjectId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use crate::api::{Refused, Report};
use crate::app::App;
use crate::ask::Ask;
use crate::problem::Problem;

/// Most remarks told back.
const REMARKS_MAX: usize = 1_000;

/// Where intelligence is handed in: by whom, with leave for which group.
pub struct Desk {
    app: App,
    scope: ReadScope,
    permit: Permit,
    group: GroupId,
}

/// When an object counts as held already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// When the group holds its id: values read from a list again are nothing new.
    ById,
    /// When the group holds this version of it.
    ByVersion,
}

/// What a list does not say of itself.
pub struct ListOptions {
    /// The indicators' role.
    pub role: IndicatorRole,
    /// Their marking.
    pub marking: Option<Tlp>,
    /// Their name.
    pub name: Option<String>,
}

impl Desk {
    /// The desk of `group` for whoever asks, with the leave of their route.
    ///
    /// # Errors
    /// 404 when the reader's member is not party to the group.
    pub fn of(ask: &Ask, group: GroupId) -> Result<Self, Problem> {
        Self::new(&ask.app, &ask.scope()?, ask.permit_in(group)?)
    }

    /// The desk of the permit's group.
    ///
    /// # Errors
    /// 404 when the permit is for no group, or the scope does not cover it.
    pub fn new(app: &App, scope: &ReadScope, permit: Permit) -> Result<Self, Problem> {
        let group = permit.group().ok_or_else(Problem::absent)?;
        Ok(Self { app: app.clone(), scope: scope.only(group)?, permit, group })
    }

    /// Checks the objects of a bundle or envelope and records the good ones.
    ///
    /// # Errors
    /// 400 for a body that is no JSON of STIX objects at all, else as `App::append`.
    pub async fn take(&self, bytes: &[u8], known: Known) -> Result<Report, Problem> {
        let app = &self.app;
        let ceiling =
            app.directory().group(self.group).map(|group| group.ceiling).ok_or_else(Problem::absent)?;
        let read = if known == Known::ById { stix::read_bundle(bytes) } else { stix::read_envelope(bytes) };
        let checked = read.map_err(|error| Problem::unreadable(error.code(), error.to_string()))?;
        let mut report =
            Report { objects: checked.accepted.len() + checked.refused.len(), ..Report::default() };
        report.read = checked.accepted.iter().map(|o| (o.index, o.id.clone(), o.version)).collect();
        report.refused = checked.refused.into_iter().map(Refused::from).collect();
        report.warnings = checked.accepted.iter().flat_map(Refused::remarks).take(REMARKS_MAX).collect();
        let ahead = app.now().plus_seconds(limits::MODIFIED_AHEAD_SECONDS_MAX);
        let mut good = Vec::with_capacity(checked.accepted.len());
        for object in checked.accepted {
            let slice = object.slice(bytes);
            match unfit(&object, ceiling, ahead) {
                Some((path, code, reason)) => {
                    report.refused.push(refused(&object, path, code, reason));
                }
                None => good.push((object, slice)),
            }
        }
        let mut good = good.into_iter();
        loop {
            let piece: Vec<_> = good.by_ref().take(limits::COMMIT_ENTRIES_MAX).collect();
            if piece.is_empty() {
                break;
            }
            self.take_piece(piece, known, &mut report).await?;
        }
        report.refused.sort_by_key(|refused| refused.index);
        metrics::counter!("shieldwall_objects_accepted_total").increment(report.accepted as u64);
        metrics::counter!("shieldwall_objects_refused_total").increment(report.refused.len() as u64);
        Ok(report)
    }

    /// Makes indicators of a list's values and records those whose value the group does not hold.
    ///
    /// # Errors
    /// As [`Desk::take`].
    pub async fn take_list(&self, list: List, options: &ListOptions) -> Result<Report, Problem> {
        let directory = self.app.directory();
        let member = directory.member(self.permit.member()).ok_or_else(Problem::absent)?;
        let envelope = envelope_of(&list, member, options, self.app.now());
        let mut report = self.take(&envelope, Known::ById).await?;
        report.refused.extend(list.refused.into_iter().map(|line| Refused {
            index: line.line,
            id: None,
            path: format!("line {}", line.line),
            code: line.code.to_owned(),
            reason: line.reason,
        }));
        Ok(report)
    }

    async fn take_piece(
        &self,
        piece: Vec<(Object, &[u8])>,
        known_by: Known,
        report: &mut Report,
    ) -> Result<(), Problem> {
        let wanted: Vec<(String, Timestamp)> =
            piece.iter().map(|(object, _)| (object.id.to_string(), object.version)).collect();
        let (scope, group) = (self.scope.clone(), self.group);
        let held = self
            .app
            .read(move |reading| {
                wanted
                    .iter()
                    .map(|(id, version)| held(reading, &scope, group, id, *version))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let mut drafts = Vec::with_capacity(piece.len());
        let mut within: BTreeSet<(ObjectId, Timestamp)> = BTreeSet::new();
        for ((object, slice), held) in piece.into_iter().zip(held) {
            if held.as_ref().is_some_and(|held| held.owner != Some(self.permit.member())) {
                let reason = "another member shared this object; only its owner revises it; make one of your own and relate the two";
                report.refused.push(refused(&object, "id", "stix.owner.other", reason.into()));
            } else if held.as_ref().is_some_and(|held| held.this_version || known_by == Known::ById)
                || !within.insert((object.id.clone(), object.version))
            {
                report.repeated += 1;
            } else {
                let draft = Draft::new(&self.permit, self.group, OBJECT_SHARED, slice.to_vec());
                drafts.push(draft.known(object));
            }
        }
        if !drafts.is_empty() {
            report.accepted += self.app.append(drafts).await?.len();
        }
        Ok(())
    }

    /// Takes back the object `id`, in all its versions, from everybody.
    ///
    /// # Errors
    /// 404 when absent or hidden, 403 for anybody but the owner, 422 for a reason that says nothing.
    pub async fn recall(&self, id: &str, reason: &str) -> Result<(), Problem> {
        let id: ObjectId = id.parse().map_err(|_| Problem::absent())?;
        if reason.trim().is_empty() || reason.len() > limits::NAME_BYTES_MAX * 10 {
            return Err(Problem::refused(
                "object.recall.reason",
                "say in 1 to 2000 bytes why it is taken back",
            ));
        }
        let (scope, group, wanted) = (self.scope.clone(), self.group, id.to_string());
        let known = self.app.read(move |reading| reading.latest_object(&scope, group, &wanted)).await?;
        match known.map(|known| known.owner) {
            None => return Err(Problem::absent()),
            Some(owner) if owner != Some(self.permit.member()) => {
                return Err(Problem::new(
                    axum::http::StatusCode::FORBIDDEN,
                    "stix.owner.other",
                    "another member shared this object; only its owner takes it back",
                ));
            }
            Some(_) => {}
        }
        let bytes = Recalled { id, reason: reason.trim().to_owned(), replaced_by: None }.to_body();
        self.app.append(vec![Draft::new(&self.permit, group, OBJECT_RECALLED, bytes)]).await?;
        Ok(())
    }
}

/// The indicators of a list as a STIX envelope.
fn envelope_of(list: &List, member: &Member, options: &ListOptions, now: Timestamp) -> Vec<u8> {
    let mut envelope = br#"{"objects":["#.to_vec();
    for (index, item) in list.items.iter().enumerate() {
        if index > 0 {
            envelope.push(b',');
        }
        let labels: Vec<String> = item.label.clone().into_iter().collect();
        let draft = IndicatorDraft {
            member: member.id,
            value: &item.value,
            role: options.role,
            name: options.name.as_deref(),
            created: now,
            modified: now,
            valid_from: now,
            valid_until: None,
            confidence: None,
            labels: &labels,
            marking: options.marking,
        };
        envelope.extend_from_slice(draft.to_json().as_bytes());
    }
    envelope.extend_from_slice(b"]}");
    envelope
}

/// Why a valid object has no place in this group.
fn unfit(object: &Object, ceiling: Tlp, ahead: Timestamp) -> Option<(&'static str, &'static str, String)> {
    if let Some(tlp) = object.tlp.filter(|tlp| *tlp > ceiling) {
        let reason = format!(
            "marked {tlp}, and this group carries at most {ceiling}; share it in a group that may carry {tlp}"
        );
        return Some(("object_marking_refs", "stix.marking.too_strict", reason));
    }
    if object.version > ahead {
        let reason = format!(
            "modified lies more than {} s ahead of the hub's clock; mend the sender's clock",
            limits::MODIFIED_AHEAD_SECONDS_MAX
        );
        return Some(("modified", "stix.modified.ahead", reason));
    }
    None
}

fn refused(object: &Object, path: &str, code: &str, reason: String) -> Refused {
    Refused {
        index: object.index,
        id: Some(object.id.to_string()),
        path: path.into(),
        code: code.into(),
        reason,
    }
}

/// What a group holds of an object.
struct Held {
    owner: Option<MemberId>,
    this_version: bool,
}

fn held(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    id: &str,
    version: Timestamp,
) -> Result<Option<Held>, ReadError> {
    let Some(latest) = reading.latest_object(scope, group, id)? else { return Ok(None) };
    let this_version = latest.version == version || {
        let query = ObjectQuery {
            ids: vec![id.to_owned()],
            versions: VersionFilter { at: vec![version], last: false, ..VersionFilter::default() },
            include_withdrawn: true,
            ..ObjectQuery::new(group, 1)
        };
        !reading.manifest(scope, &query)?.rows.is_empty()
    };
    Ok(Some(Held { owner: latest.owner, this_version }))
}
