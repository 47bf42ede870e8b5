//! The one door for intelligence: whatever comes in, by API, page, TAXII, list or peer, is checked and recorded here.

mod given;
mod held;

use std::borrow::Cow;

use shieldwall_exchange::entries::{OBJECT_HELD, OBJECT_SHARED};
use shieldwall_exchange::indicator::IndicatorDraft;
use shieldwall_exchange::life;
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

pub use self::given::{Form, Given, Look};
pub(crate) use self::held::held;
use self::held::{Passed, Standing};
use crate::api::{Refused, Report};
use crate::app::App;
use crate::ask::Ask;
use crate::problem::Problem;
use crate::quarantine::Suspicious;

/// What whoever revises another's object is told.
pub(crate) const OTHERS: &str =
    "another member shared this object; only its owner revises it; make one of your own and relate the two";

mod recall;
pub use self::recall::Versions;

/// Most remarks told back.
const REMARKS_MAX: usize = 1_000;

/// Where intelligence is handed in: by whom, with leave for which group.
pub struct Desk {
    pub(crate) app: App,
    pub(crate) scope: ReadScope,
    pub(crate) permit: Permit,
    pub(crate) group: GroupId,
    home: Option<Home>,
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

/// What would become of what was handed in.
pub struct Judged {
    /// What its sender is told; `accepted` counts the objects in `good`.
    pub report: Report,
    /// The objects that would be recorded, in the order they came.
    pub good: Vec<Good>,
    /// What would be held back, as the bodies of its entries; the report's `held` tells of them.
    pub(crate) held_back: Vec<Vec<u8>>,
}

/// An object that would be recorded.
pub struct Good {
    /// What it says, without what the group may not carry.
    pub object: Object,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The whole of it, for the sender's member's own log, where the group gets a part alone.
    pub whole: Option<Vec<u8>>,
    /// Whether the group holds another version of it.
    pub revises: bool,
    /// Whether the group gets a part of it alone.
    pub cut: bool,
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
        Ok(Self { app: app.clone(), scope: scope.only(group)?, permit, group, home: None })
    }

    /// Checks the objects of a bundle or envelope and records the good ones.
    ///
    /// # Errors
    /// As [`Desk::judge`] and [`Desk::record`].
    pub async fn take(&self, bytes: &[u8], known: Known) -> Result<Report, Problem> {
        self.record(self.judge(bytes, known).await?).await
    }

    /// Makes indicators of a list's values and records those whose value the group does not hold.
    ///
    /// # Errors
    /// As [`Desk::take`].
    pub async fn take_list(&self, list: List, options: &ListOptions) -> Result<Report, Problem> {
        self.record(self.judge_list(list, options).await?).await
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
        let mut sorted = Sorted::default();
        for object in checked.accepted {
            let slice = object.slice(bytes);
            match stix::upgrade(object, slice) {
                Ok(upgraded) => {
                    for taken in upgraded {
                        self.fit(taken, ceiling, &mut sorted, &mut report);
                    }
                }
                Err(refusal) => report.refused.push(refusal.into()),
            }
        }
        let Sorted { good: fitting, suspicious } = sorted;
        let (mut passed, mut fresh) = (Passed::default(), Vec::with_capacity(fitting.len()));
        for piece in fitting.chunks(limits::COMMIT_ENTRIES_MAX) {
            self.judge_piece(piece, known, &mut passed, &mut fresh, &mut report).await?;
        }
        let good =
            fitting.into_iter().zip(fresh).filter_map(|(fitting, fresh)| Some(Good::of(fitting, fresh?)));
        let good: Vec<Good> = good.collect();
        let held_back = self.hold_back(&suspicious, known, &mut report).await?;
        report.refused.sort_by_key(|refused| refused.index);
        report.accepted = good.len();
        Ok(Judged { report, good, held_back })
    }

    /// Says what would become of a list: indicators are made of its values, and those the group holds are nothing new.
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

    /// Records what was judged good.
    ///
    /// # Errors
    /// As `App::append`.
    pub async fn record(&self, judged: Judged) -> Result<Report, Problem> {
        let Judged { mut report, good, held_back } = judged;
        report.accepted = 0;
        let at_home = GroupId::home_of(self.permit.member());
        let mut left = good.into_iter().peekable();
        while left.peek().is_some() {
            let (mut drafts, mut kept) = (Vec::new(), 0);
            for good in left.by_ref().take(limits::COMMIT_ENTRIES_MAX) {
                let draft = Draft::new(&self.permit, self.group, OBJECT_SHARED, good.bytes);
                drafts.push(draft.known(good.object));
                if let (Some(whole), Some(home)) = (good.whole, &self.home) {
                    drafts.push(Draft::new(&home.permit, at_home, OBJECT_SHARED, whole));
                    kept += 1;
                }
            }
            report.accepted += self.app.append(drafts).await?.len().saturating_sub(kept);
        }
        let mut left = held_back.into_iter().peekable();
        while left.peek().is_some() {
            let piece = left.by_ref().take(limits::COMMIT_ENTRIES_MAX);
            let drafts = piece.map(|body| Draft::new(&self.permit, self.group, OBJECT_HELD, body)).collect();
            self.app.append(drafts).await?;
        }
        metrics::counter!("shieldwall_objects_held_total").increment(report.held.len() as u64);
        metrics::counter!("shieldwall_objects_accepted_total").increment(report.accepted as u64);
        metrics::counter!("shieldwall_objects_refused_total").increment(report.refused.len() as u64);
        Ok(report)
    }

    /// Finds what of an object has a place in this group: all of it, it without the parts marked too strictly, or none.
    fn fit<'b>(&self, taken: Taken<'b>, ceiling: Tlp, sorted: &mut Sorted<'b>, report: &mut Report) {
        Refused::remarks(&taken.object).for_each(|remark| remember(remark, report));
        if let Some((path, code, reason)) = unfit(&taken.object, ceiling) {
            report.refused.push(refused(&taken.object, path, code, reason));
            return;
        }
        match stix::cut(&taken.object, &taken.bytes, ceiling) {
            Ok(None) => self.sort(Fitting { taken, whole: None }, sorted),
            Ok(Some(cut)) => {
                let whole =
                    if self.home.is_some() { "; the whole object is in your member's own log" } else { "" };
                let reason = format!(
                    "{} marked more strictly than {ceiling}, the most this group carries, and was cut out{whole}",
                    cut.told()
                );
                remember(refused(&taken.object, "granular_markings", "stix.marking.cut", reason), report);
                self.sort(Fitting { taken: cut.taken, whole: Some(taken.bytes) }, sorted);
            }
            Err(problem) => {
                let stix::Problem { path, code, reason } = problem;
                report.refused.push(refused(&taken.object, &path, code.as_str(), reason));
            }
        }
    }

    /// Puts what has a place in the group with the good, or with what would harm everybody if it were true.
    fn sort<'b>(&self, fitting: Fitting<'b>, sorted: &mut Sorted<'b>) {
        match life::judge(&fitting.taken.object, self.app.warninglists(), self.app.now()) {
            Some(hold) => sorted.suspicious.push(Suspicious { taken: fitting.taken, hold }),
            None => sorted.good.push(fitting),
        }
    }

    /// Finds of each object whether it is new to the group, in the order they stand.
    async fn judge_piece<'p>(
        &self,
        piece: &'p [Fitting<'_>],
        known_by: Known,
        passed: &mut Passed<'p>,
        fresh: &mut Vec<Option<Fresh>>,
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
        for (Fitting { taken, .. }, (held, whole_held)) in piece.iter().zip(&held) {
            let mut new = None;
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
                Standing::New => new = Some(Fresh { revises: held.is_some(), whole_held: *whole_held }),
            }
            fresh.push(new);
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

/// Of an object that is new to the group.
struct Fresh {
    revises: bool,
    whole_held: bool,
}

impl Good {
    fn of(fitting: Fitting<'_>, fresh: Fresh) -> Self {
        let Fitting { taken, whole } = fitting;
        Self {
            cut: whole.is_some(),
            object: taken.object,
            bytes: taken.bytes.into_owned(),
            whole: whole.filter(|_| !fresh.whole_held).map(Cow::into_owned),
            revises: fresh.revises,
        }
    }
}

/// What came in and has a place in the group.
#[derive(Default)]
struct Sorted<'b> {
    /// To be recorded.
    good: Vec<Fitting<'b>>,
    /// To be held back.
    suspicious: Vec<Suspicious<'b>>,
}

/// Why a valid object has no place in this group.
fn unfit(object: &Object, ceiling: Tlp) -> Option<(&'static str, &'static str, String)> {
    if let Some(tlp) = object.tlp.filter(|tlp| *tlp > ceiling) {
        let reason = format!(
            "marked {tlp}, and this group carries at most {ceiling}; share it in a group that may carry {tlp}"
        );
        return Some(("object_marking_refs", "stix.marking.too_strict", reason));
    }
    None
}

/// Tells a remark, up to [`REMARKS_MAX`].
fn remember(remark: Refused, report: &mut Report) {
    if report.warnings.len() < REMARKS_MAX {
        report.warnings.push(remark);
    }
}

pub(crate) fn refused(object: &Object, path: &str, code: &str, reason: String) -> Refused {
    Refused {
        index: object.index,
        id: Some(object.id.to_string()),
        path: path.into(),
        code: code.into(),
        reason,
    }
}
