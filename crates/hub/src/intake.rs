//! The one door for intelligence: whatever comes in, by API, page, TAXII, list or peer, is checked and recorded here.

mod held;

use std::borrow::Cow;

use shieldwall_exchange::entries::OBJECT_SHARED;
use shieldwall_exchange::indicator::IndicatorDraft;
use shieldwall_exchange::list::List;
use shieldwall_exchange::stix::{self, Object, Taken};
use shieldwall_ledger::Draft;
use shieldwall_ledger::reading::ReadError;
use shieldwall_model::access::{Permit, ReadScope};
use shieldwall_model::directory::Member;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use self::held::{Passed, Standing, held};
use crate::api::{Refused, Report};
use crate::app::App;
use crate::ask::Ask;
use crate::problem::Problem;

mod recall;
pub use self::recall::Versions;

/// Most remarks told back.
const REMARKS_MAX: usize = 1_000;

/// Where intelligence is handed in: by whom, with leave for which group.
pub struct Desk {
    app: App,
    scope: ReadScope,
    permit: Permit,
    group: GroupId,
    home: Option<Home>,
    dry: bool,
}

/// The sender's member's own log, for objects of which the group gets only a part.
struct Home {
    scope: ReadScope,
    permit: Permit,
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
        let scope = ask.scope()?;
        let desk = Self::new(&ask.app, &scope, ask.permit_in(group)?)?;
        let home = GroupId::home_of(ask.reader().member());
        Ok(match (scope.only(home), ask.permit_in(home)) {
            (Ok(scope), Ok(permit)) if home != group => desk.with_home(scope, permit),
            _ => desk,
        })
    }

    /// Has the whole of an object that the group gets only in part kept in the log of `permit`, the sender's member's own.
    #[must_use]
    pub fn with_home(mut self, scope: ReadScope, permit: Permit) -> Self {
        self.home = Some(Home { scope, permit });
        self
    }

    /// The desk of the permit's group.
    ///
    /// # Errors
    /// 404 when the permit is for no group, or the scope does not cover it.
    pub fn new(app: &App, scope: &ReadScope, permit: Permit) -> Result<Self, Problem> {
        let group = permit.group().ok_or_else(Problem::absent)?;
        Ok(Self { app: app.clone(), scope: scope.only(group)?, permit, group, home: None, dry: false })
    }

    /// A desk that says what would become of things, and records nothing.
    #[must_use]
    pub fn dry(self) -> Self {
        Self { dry: true, ..self }
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
        report.refused = checked.refused.into_iter().map(Refused::from).collect();
        let ahead = app.now().plus_seconds(limits::MODIFIED_AHEAD_SECONDS_MAX);
        let mut good = Vec::with_capacity(checked.accepted.len());
        for object in checked.accepted {
            let slice = object.slice(bytes);
            match stix::upgrade(object, slice) {
                Ok(upgraded) => {
                    for taken in upgraded {
                        self.fit(taken, ceiling, ahead, &mut good, &mut report);
                    }
                }
                Err(refusal) => report.refused.push(refusal.into()),
            }
        }
        for piece in good.chunks(limits::COMMIT_ENTRIES_MAX) {
            self.take_piece(piece, known, &mut report).await?;
        }
        report.refused.sort_by_key(|refused| refused.index);
        if self.dry {
            return Ok(report);
        }
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

    /// Finds what of an object has a place in this group: all of it, it without the parts marked too strictly, or none.
    fn fit<'b>(
        &self,
        taken: Taken<'b>,
        ceiling: Tlp,
        ahead: Timestamp,
        good: &mut Vec<Fitting<'b>>,
        report: &mut Report,
    ) {
        Refused::remarks(&taken.object).for_each(|remark| remember(remark, report));
        if let Some((path, code, reason)) = unfit(&taken.object, ceiling, ahead) {
            report.refused.push(refused(&taken.object, path, code, reason));
            return;
        }
        match stix::cut(&taken.object, &taken.bytes, ceiling) {
            Ok(None) => good.push(Fitting { taken, whole: None }),
            Ok(Some(cut)) => {
                let whole =
                    if self.home.is_some() { "; the whole object is in your member's own log" } else { "" };
                let reason = format!(
                    "{} marked more strictly than {ceiling}, the most this group carries, and was cut out{whole}",
                    cut.told()
                );
                remember(refused(&taken.object, "granular_markings", "stix.marking.cut", reason), report);
                good.push(Fitting { taken: cut.taken, whole: Some(taken.bytes) });
            }
            Err(problem) => {
                let stix::Problem { path, code, reason } = problem;
                report.refused.push(refused(&taken.object, &path, code.as_str(), reason));
            }
        }
    }

    async fn take_piece(
        &self,
        piece: &[Fitting<'_>],
        known_by: Known,
        report: &mut Report,
    ) -> Result<(), Problem> {
        let wanted: Vec<(String, Timestamp, bool)> = piece
            .iter()
            .map(|fitting| {
                let object = &fitting.taken.object;
                (object.id.to_string(), object.version, fitting.whole.is_some())
            })
            .collect();
        let (scope, group) = (self.scope.clone(), self.group);
        let home = self.home.as_ref().map(|home| home.scope.clone());
        let at_home = GroupId::home_of(self.permit.member());
        let held =
            self.app
                .read(move |reading| {
                    let one = |(id, version, cut): &(String, Timestamp, bool)| {
                        let whole = match home.as_ref().filter(|_| *cut) {
                            Some(scope) => held(reading, scope, at_home, id, *version)?
                                .is_some_and(|held| held.this_version),
                            None => false,
                        };
                        Ok::<_, ReadError>((held(reading, &scope, group, id, *version)?, whole))
                    };
                    wanted.iter().map(one).collect::<Result<Vec<_>, _>>()
                })
                .await?;
        let (member, by_id) = (self.permit.member(), known_by == Known::ById);
        let (mut drafts, mut kept) = (Vec::with_capacity(piece.len()), 0);
        let mut passed = Passed::default();
        for (Fitting { taken, whole }, (held, whole_held)) in piece.iter().zip(&held) {
            match passed.judge(&taken.object, &taken.bytes, held.as_ref(), member, by_id) {
                Standing::Refused(path, code, reason) => {
                    report.refused.push(refused(&taken.object, path, code, reason.into()));
                }
                Standing::Repeated(remark) => {
                    report.repeated += 1;
                    if let Some((code, reason)) = remark {
                        remember(refused(&taken.object, "", code.as_str(), reason.into()), report);
                    }
                }
                Standing::New => {
                    drafts.push(Draft::new(&self.permit, self.group, OBJECT_SHARED, taken.bytes.to_vec()));
                    if let (Some(whole), Some(home), false) = (whole, &self.home, whole_held) {
                        drafts.push(Draft::new(&home.permit, at_home, OBJECT_SHARED, whole.to_vec()));
                        kept += 1;
                    }
                }
            }
        }
        if self.dry {
            report.accepted += drafts.len().saturating_sub(kept);
        } else if !drafts.is_empty() {
            report.accepted += self.app.append(drafts).await?.len().saturating_sub(kept);
        }
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

/// An object with a place in the group.
struct Fitting<'b> {
    /// What the group gets.
    taken: Taken<'b>,
    /// The whole object, where the group gets only a part.
    whole: Option<Cow<'b, [u8]>>,
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

/// Tells a remark, up to [`REMARKS_MAX`].
fn remember(remark: Refused, report: &mut Report) {
    if report.warnings.len() < REMARKS_MAX {
        report.warnings.push(remark);
    }
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
