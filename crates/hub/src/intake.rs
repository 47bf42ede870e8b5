//! The one door for intelligence: whatever comes in, by API, page, TAXII, list or peer, is checked and recorded here.

mod given;
mod held;

use std::borrow::Cow;
use std::vec;

use futures_util::future;
use shieldwall_exchange::entries::{OBJECT_HELD, OBJECT_SHARED};
use shieldwall_exchange::indicator::IndicatorDraft;
use shieldwall_exchange::life;
use shieldwall_exchange::list::List;
use shieldwall_exchange::stix::{self, Object, Taken};
use shieldwall_ledger::Draft;
use shieldwall_ledger::reading::{ReadError, Reading};
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
use crate::fold::Said;
use crate::problem::Problem;
use crate::quarantine::Suspicious;

/// What whoever revises another's object is told.
pub(crate) const OTHERS: &str =
    "another member shared this object; only its owner revises it; make one of your own and relate the two";

mod recall;
pub use self::recall::Versions;

/// Most remarks told back.
const REMARKS_MAX: usize = 1_000;
/// How many objects of a body are judged while those before are written: few enough that the writer does not wait long
/// for the first, enough that a flush to disk is shared.
const PIECE_OBJECTS: usize = 256;

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
    said: Said,
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

    /// Checks the objects of a bundle or envelope and records the good ones: while some are written, the next are read.
    ///
    /// # Errors
    /// As [`Desk::judge`] and [`Desk::record`].
    pub async fn take(&self, bytes: &[u8], known: Known) -> Result<Report, Problem> {
        let mut passing = self.open(bytes, known)?;
        let (mut accepted, mut piece) = (0, passing.next().await?);
        while let Some(good) = piece {
            let (written, next) = future::join(self.share(good), passing.next()).await;
            accepted += written?;
            piece = next?;
        }
        let (report, held_back) = passing.end().await?;
        self.close(Report { accepted, ..report }, held_back).await
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
        let mut passing = self.open(bytes, known)?;
        let mut good = Vec::new();
        while let Some(piece) = passing.next().await? {
            good.extend(piece);
        }
        let (report, held_back) = passing.end().await?;
        Ok(Judged { report: Report { accepted: good.len(), ..report }, good, held_back })
    }

    /// Reads a body as far as its objects.
    fn open<'d>(&'d self, bytes: &'d [u8], known: Known) -> Result<Passing<'d>, Problem> {
        let ceiling =
            self.app.directory().group(self.group).map(|group| group.ceiling).ok_or_else(Problem::absent)?;
        let read = if known == Known::ById { stix::read_bundle(bytes) } else { stix::read_envelope(bytes) };
        let checked = read.map_err(|error| Problem::unreadable(error.code(), error.to_string()))?;
        let report = Report {
            objects: checked.accepted.len() + checked.refused.len(),
            refused: checked.refused.into_iter().map(Refused::from).collect(),
            ..Report::default()
        };
        Ok(Passing {
            desk: self,
            bytes,
            known,
            ceiling,
            left: checked.accepted.into_iter(),
            passed: Passed::default(),
            suspicious: Vec::new(),
            report,
        })
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
        let mut left = good.into_iter().peekable();
        while left.peek().is_some() {
            report.accepted += self.share(left.by_ref().take(limits::COMMIT_ENTRIES_MAX).collect()).await?;
        }
        self.close(report, held_back).await
    }

    /// Writes objects into the group's log, and what is whole of them into the member's own; how many the group got.
    async fn share(&self, good: Vec<Good>) -> Result<usize, Problem> {
        let at_home = GroupId::home_of(self.permit.member());
        let (mut drafts, mut kept) = (Vec::with_capacity(good.len()), 0);
        for Good { said, bytes, whole, .. } in good {
            drafts.push(Draft::new(&self.permit, self.group, OBJECT_SHARED, bytes).known(said));
            if let (Some(whole), Some(home)) = (whole, &self.home) {
                drafts.push(Draft::new(&home.permit, at_home, OBJECT_SHARED, whole));
                kept += 1;
            }
        }
        Ok(self.app.append(drafts).await?.len().saturating_sub(kept))
    }

    /// Writes what is held back, and counts.
    async fn close(&self, report: Report, held_back: Vec<Vec<u8>>) -> Result<Report, Problem> {
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
}

/// The objects of one body on their way through the desk, a piece at a time.
struct Passing<'d> {
    desk: &'d Desk,
    bytes: &'d [u8],
    known: Known,
    ceiling: Tlp,
    left: vec::IntoIter<Object>,
    passed: Passed,
    suspicious: Vec<Suspicious<'d>>,
    report: Report,
}

impl<'d> Passing<'d> {
    /// The good ones of the next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<Good>>, Problem> {
        if self.left.len() == 0 {
            return Ok(None);
        }
        let mut fitting = Vec::with_capacity(PIECE_OBJECTS.min(self.left.len()));
        for object in self.left.by_ref().take(PIECE_OBJECTS).collect::<Vec<_>>() {
            let slice = object.slice(self.bytes);
            match stix::upgrade(object, slice) {
                Ok(upgraded) => upgraded.into_iter().for_each(|taken| self.fit(taken, &mut fitting)),
                Err(refusal) => self.report.refused.push(refusal.into()),
            }
        }
        Ok(Some(self.judge(fitting).await?))
    }

    /// What is told of them all, and the bodies of what is held back.
    async fn end(self) -> Result<(Report, Vec<Vec<u8>>), Problem> {
        let Self { desk, known, suspicious, mut report, .. } = self;
        let held_back = desk.hold_back(&suspicious, known, &mut report).await?;
        report.refused.sort_by_key(|refused| refused.index);
        Ok((report, held_back))
    }

    /// Finds what of an object has a place in this group: all of it, it without the parts marked too strictly, or none.
    fn fit(&mut self, taken: Taken<'d>, fitting: &mut Vec<Fitting<'d>>) {
        let (report, ceiling) = (&mut self.report, self.ceiling);
        Refused::remarks(&taken.object).for_each(|remark| remember(remark, report));
        if let Some((path, code, reason)) = unfit(&taken.object, ceiling) {
            report.refused.push(refused(&taken.object, path, code, reason));
            return;
        }
        match stix::cut(&taken.object, &taken.bytes, ceiling) {
            Ok(None) => self.sort(Fitting { taken, whole: None }, fitting),
            Ok(Some(cut)) => {
                let whole = if self.desk.home.is_some() {
                    "; the whole object is in your member's own log"
                } else {
                    ""
                };
                let reason = format!(
                    "{} marked more strictly than {ceiling}, the most this group carries, and was cut out{whole}",
                    cut.told()
                );
                remember(refused(&taken.object, "granular_markings", "stix.marking.cut", reason), report);
                self.sort(Fitting { taken: cut.taken, whole: Some(taken.bytes) }, fitting);
            }
            Err(problem) => {
                let stix::Problem { path, code, reason } = problem;
                report.refused.push(refused(&taken.object, &path, code.as_str(), reason));
            }
        }
    }

    /// Puts what has a place in the group with the good, or with what would harm everybody if it were true.
    fn sort(&mut self, one: Fitting<'d>, fitting: &mut Vec<Fitting<'d>>) {
        let app = &self.desk.app;
        match life::judge(&one.taken.object, app.warninglists(), app.now()) {
            Some(hold) => self.suspicious.push(Suspicious { taken: one.taken, hold }),
            None => fitting.push(one),
        }
    }

    /// Keeps those that are new to the group, in the order they stand.
    async fn judge(&mut self, fitting: Vec<Fitting<'d>>) -> Result<Vec<Good>, Problem> {
        let wanted: Vec<(String, Timestamp, bool)> = fitting
            .iter()
            .map(|fitting| {
                let object = &fitting.taken.object;
                (object.id.to_string(), object.version, fitting.whole.is_some())
            })
            .collect();
        let (scope, group) = (self.desk.scope.clone(), self.desk.group);
        let home = self.desk.home.as_ref().map(|home| home.scope.clone());
        let at_home = GroupId::home_of(self.desk.permit.member());
        let read = move |reading: &Reading<'_>| {
            let one = |(id, version, cut): &(String, Timestamp, bool)| {
                let whole = match home.as_ref().filter(|_| *cut) {
                    Some(scope) => {
                        held(reading, scope, at_home, id, *version)?.is_some_and(|held| held.this_version)
                    }
                    None => false,
                };
                Ok::<_, ReadError>((held(reading, &scope, group, id, *version)?, whole))
            };
            wanted.iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        let held = self.desk.app.read(read).await?;
        let (member, by_id) = (self.desk.permit.member(), self.known == Known::ById);
        let mut good = Vec::with_capacity(fitting.len());
        for (fitting, (held, whole_held)) in fitting.into_iter().zip(held) {
            let Taken { object, bytes } = &fitting.taken;
            match self.passed.judge(object, bytes, held.as_ref(), member, by_id) {
                Standing::Refused(path, code, reason) => {
                    self.report.refused.push(refused(object, path, code, reason.into()));
                }
                Standing::Repeated(remark) => {
                    self.report.repeated += 1;
                    if let Some((code, reason)) = remark {
                        remember(refused(object, "", code.as_str(), reason.into()), &mut self.report);
                    }
                }
                Standing::New => good.push(Good::of(fitting, held.is_some(), whole_held)),
            }
        }
        Ok(good)
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

impl Good {
    /// What it says, without what the group may not carry.
    pub fn object(&self) -> &Object {
        &self.said.object
    }

    fn of(fitting: Fitting<'_>, revises: bool, whole_held: bool) -> Self {
        let Fitting { taken: Taken { object, bytes }, whole } = fitting;
        Self {
            cut: whole.is_some(),
            said: Said::of(object, &bytes),
            bytes: bytes.into_owned(),
            whole: whole.filter(|_| !whole_held).map(Cow::into_owned),
            revises,
        }
    }
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
