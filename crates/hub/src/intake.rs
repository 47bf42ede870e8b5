//! The one door for intelligence: whatever comes in, by API, page, TAXII, list or peer, is checked and recorded here.

use std::collections::BTreeSet;

use shieldwall_exchange::entries::{OBJECT_RECALLED, OBJECT_SHARED, Recalled};
use shieldwall_exchange::format::{Format, format_of};
use shieldwall_exchange::indicator::IndicatorDraft;
use shieldwall_exchange::list::{self, List};
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

/// What would become of what was handed in.
pub struct Judged {
    /// What it is.
    pub format: Format,
    /// What a reader is told; `accepted` counts the objects in `good`.
    pub report: Report,
    /// The objects that would be recorded, in the order they came.
    pub good: Vec<Good>,
}

/// An object that would be recorded.
pub struct Good {
    /// What it says.
    pub object: Object,
    /// Its bytes as they came.
    pub bytes: Vec<u8>,
    /// Whether the group holds another version of it.
    pub revises: bool,
}

/// What a list does not say of itself.
#[derive(Clone, Debug, Default)]
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
    /// As [`Desk::judge`] and [`Desk::record`].
    pub async fn take(&self, bytes: &[u8], known: Known) -> Result<Report, Problem> {
        self.record(self.judge(bytes, known).await?).await
    }

    /// Says what would become of whatever is handed in, as [`Desk::record`] would do it; records nothing.
    ///
    /// # Errors
    /// 400 for what is in no format this version reads, else as [`Desk::judge`].
    pub async fn judge_any(&self, bytes: &[u8], options: &ListOptions) -> Result<Judged, Problem> {
        let format =
            format_of(bytes).map_err(|error| Problem::unreadable(error.code(), error.to_string()))?;
        let list = match format {
            Format::Stix => return self.judge(bytes, Known::ByVersion).await,
            Format::Csv => list::read_csv(bytes),
            Format::Plain => list::read_plain(bytes),
        };
        let list = list.map_err(|error| Problem::unreadable(error.code(), error.to_string()))?;
        Ok(Judged { format, ..self.judge_list(list, options).await? })
    }

    /// Makes indicators of a list's values and records those whose value the group does not hold.
    ///
    /// # Errors
    /// As [`Desk::take`].
    pub async fn take_list(&self, list: List, options: &ListOptions) -> Result<Report, Problem> {
        self.record(self.judge_list(list, options).await?).await
    }

    /// Makes indicators of a list's values and judges them; values the group holds are nothing new.
    ///
    /// # Errors
    /// As [`Desk::judge`].
    pub async fn judge_list(&self, list: List, options: &ListOptions) -> Result<Judged, Problem> {
        let directory = self.app.directory();
        let member = directory.member(self.permit.member()).ok_or_else(Problem::absent)?;
        let envelope = envelope_of(&list, member, options, self.app.now());
        let mut judged = self.judge(&envelope, Known::ById).await?;
        judged.report.refused.extend(list.refused.into_iter().map(|line| Refused {
            index: line.line,
            id: None,
            path: format!("line {}", line.line),
            code: line.code.to_owned(),
            reason: line.reason,
        }));
        Ok(judged)
    }

    /// Says what would become of the objects of a bundle or envelope; records nothing.
    ///
    /// # Errors
    /// 400 for a body that is no JSON of STIX objects at all, else as `App::read`.
    pub async fn judge(&self, bytes: &[u8], known: Known) -> Result<Judged, Problem> {
        let app = &self.app;
        let ceiling =
            app.directory().group(self.group).map(|group| group.ceiling).ok_or_else(Problem::absent)?;
        let read = if known == Known::ById { stix::read_bundle(bytes) } else { stix::read_envelope(bytes) };
        let checked = read.map_err(|error| Problem::unreadable(error.code(), error.to_string()))?;
        let mut report =
            Report { objects: checked.accepted.len() + checked.refused.len(), ..Report::default() };
        report.refused = checked.refused.into_iter().map(Refused::from).collect();
        report.warnings = checked.accepted.iter().flat_map(Refused::remarks).take(REMARKS_MAX).collect();
        let ahead = app.now().plus_seconds(limits::MODIFIED_AHEAD_SECONDS_MAX);
        let mut fit = Vec::with_capacity(checked.accepted.len());
        for object in checked.accepted {
            match unfit(&object, ceiling, ahead) {
                Some((path, code, reason)) => report.refused.push(refused(&object, path, code, reason)),
                None => fit.push(object),
            }
        }
        let mut judged = Judged { format: Format::Stix, report, good: Vec::with_capacity(fit.len()) };
        let mut within: BTreeSet<(String, Timestamp)> = BTreeSet::new();
        let mut left = fit.into_iter();
        loop {
            let piece: Vec<Object> = left.by_ref().take(limits::COMMIT_ENTRIES_MAX).collect();
            if piece.is_empty() {
                break;
            }
            self.judge_piece(piece, bytes, known, &mut within, &mut judged).await?;
        }
        judged.report.refused.sort_by_key(|refused| refused.index);
        judged.report.accepted = judged.good.len();
        Ok(judged)
    }

    async fn judge_piece(
        &self,
        piece: Vec<Object>,
        bytes: &[u8],
        known_by: Known,
        within: &mut BTreeSet<(String, Timestamp)>,
        judged: &mut Judged,
    ) -> Result<(), Problem> {
        let wanted: Vec<(String, Timestamp)> =
            piece.iter().map(|object| (object.id.to_string(), object.version)).collect();
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
        for (object, held) in piece.into_iter().zip(held) {
            if held.as_ref().is_some_and(|held| held.owner != Some(self.permit.member())) {
                let reason = "another member shared this object; only its owner revises it; make one of your own and relate the two";
                judged.report.refused.push(refused(&object, "id", "stix.owner.other", reason.into()));
            } else if held.as_ref().is_some_and(|held| held.this_version || known_by == Known::ById)
                || !within.insert((object.id.to_string(), object.version))
            {
                judged.report.repeated += 1;
            } else {
                let bytes = object.slice(bytes).to_vec();
                judged.good.push(Good { revises: held.is_some(), object, bytes });
            }
        }
        Ok(())
    }

    /// Records what was judged good.
    ///
    /// # Errors
    /// As `App::append`.
    pub async fn record(&self, judged: Judged) -> Result<Report, Problem> {
        let Judged { mut report, good, .. } = judged;
        report.accepted = 0;
        let mut left = good.into_iter();
        loop {
            let drafts: Vec<Draft> = left
                .by_ref()
                .take(limits::COMMIT_ENTRIES_MAX)
                .map(|good| Draft::new(&self.permit, self.group, OBJECT_SHARED, good.bytes))
                .collect();
            if drafts.is_empty() {
                break;
            }
            report.accepted += self.app.append(drafts).await?.len();
        }
        metrics::counter!("shieldwall_objects_accepted_total").increment(report.accepted as u64);
        metrics::counter!("shieldwall_objects_refused_total").increment(report.refused.len() as u64);
        Ok(report)
    }

    /// The group this desk shares in.
    pub const fn group(&self) -> GroupId {
        self.group
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
