//! Taking a MISP event in: each object to the group its distribution names, by the one door, as a new version where
//! something is new.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use shieldwall_exchange::misp::{Audience, Event, Made, MadeObject, Options, custom, read_events, to_stix};
use shieldwall_ledger::reading::ObjectQuery;
use shieldwall_model::access::Action;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use crate::api::{Refused, Report};
use crate::ask::Ask;
use crate::intake::{Desk, Good, Known};
use crate::problem::Problem;

/// Most objects handed in at once.
const PIECE_OBJECTS_MAX: usize = 2_000;
/// Most objects taken back at once; the ledger's writer gathers them into commits.
const RECALLS_AT_ONCE_MAX: usize = 64;

/// What an event that comes in may do to one that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is newer or it is nothing: what a file or feed says.
    Newer,
    /// It is what its owner now wants.
    Edit,
}

/// What an event is gone through for.
pub(crate) enum Purpose {
    /// To be recorded.
    Record,
    /// To see what would be recorded, and in which group; records nothing.
    Look(Vec<(GroupId, Good)>),
}

/// What became of an event that came in.
pub(crate) struct Taken {
    /// What was recorded, held already and refused.
    pub(crate) report: Report,
    /// Where its objects stand now.
    pub(crate) places: BTreeSet<(GroupId, String)>,
}

/// Takes an event into `group`, or where its distribution sends it.
///
/// # Errors
/// 403 `misp.distribution` when the event as a whole has no place here, 403 `misp.event.refused` when its report is
/// refused, else as `Desk::take`.
pub(crate) async fn take(ask: &Ask, event: &Event, group: GroupId, mode: Mode) -> Result<Taken, Problem> {
    take_for(ask, event, group, mode, &mut Purpose::Record).await
}

async fn take_for(
    ask: &Ask,
    event: &Event,
    group: GroupId,
    mode: Mode,
    purpose: &mut Purpose,
) -> Result<Taken, Problem> {
    let now = ask.app.now();
    let made = to_stix(event, &Options { now, audience: Audience::Community });
    let mut report = Report { objects: made.objects.len(), ..Report::default() };
    let (mut made, mut groups) = (made, BTreeMap::new());
    let whole = made.objects.last().map_or(Audience::Community, |root| root.audience);
    let home = placed(ask, whole, group, None)?;
    groups.insert(whole, home);
    let mut gone = BTreeSet::new();
    for (index, object) in made.objects.iter().enumerate() {
        let Entry::Vacant(place) = groups.entry(object.audience) else { continue };
        match placed(ask, object.audience, group, Some(home)) {
            Ok(group) => {
                place.insert(group);
            }
            Err(problem) => {
                gone.insert(object.id.clone());
                report.refused.push(Refused {
                    index,
                    id: Some(object.id.to_string()),
                    path: "distribution".into(),
                    code: problem.code.into(),
                    reason: problem.detail,
                });
            }
        }
    }
    made.without(&gone);
    // What others refer to first: what finds no place is then mentioned nowhere, and an event is seen whole or not yet.
    for wave in 0..3 {
        let refused = take_wave(ask, &made, wave, (&groups, mode), purpose, &mut report).await?;
        if refused.contains(&made.report) {
            let why = report.refused.pop().map(|refused| refused.reason).unwrap_or_default();
            return Err(Problem::new(axum::http::StatusCode::FORBIDDEN, "misp.event.refused", why));
        }
        made.without(&refused);
    }
    let place = |made: &MadeObject| Some((*groups.get(&made.audience)?, made.id.to_string()));
    let places = made.objects.iter().filter_map(place).collect();
    Ok(Taken { report, places })
}

/// Takes every event of a file into `group`, or where the events' distribution sends them.
///
/// # Errors
/// 400 for a file that holds no event; an event that finds no place is a refusal in the report.
pub(crate) async fn take_file(
    ask: &Ask,
    bytes: &[u8],
    group: GroupId,
    purpose: &mut Purpose,
) -> Result<Report, Problem> {
    let mut all = Report::default();
    for (index, event) in read_events(bytes)?.iter().enumerate() {
        let report = match take_for(ask, event, group, Mode::Newer, purpose).await {
            Ok(taken) => taken.report,
            Err(problem) if problem.status.is_server_error() => return Err(problem),
            Err(problem) => {
                let id = Some(format!("report--{}", event.uuid()));
                let (code, reason) = (problem.code.into(), problem.detail);
                let refused = Refused { index, id, path: "Event".into(), code, reason };
                Report { objects: 1, refused: vec![refused], ..Report::default() }
            }
        };
        all.objects += report.objects;
        all.accepted += report.accepted;
        all.repeated += report.repeated;
        all.held.extend(report.held);
        all.refused.extend(report.refused);
        all.warnings.extend(report.warnings);
    }
    Ok(all)
}

/// The group an audience means for this sender, never one that is wider.
fn placed(
    ask: &Ask,
    audience: Audience,
    named: GroupId,
    within: Option<GroupId>,
) -> Result<GroupId, Problem> {
    let refuse = |reason: &str| {
        Problem::new(axum::http::StatusCode::FORBIDDEN, "misp.distribution", reason.to_owned())
    };
    let directory = ask.app.directory();
    let group = match audience {
        Audience::Own => GroupId::home_of(ask.reader().member()),
        Audience::Community => named,
        Audience::SharingGroup(None) => {
            return Err(refuse(
                "distribution 4 without the sharing group's UUID: name it in SharingGroup, or choose another distribution",
            ));
        }
        Audience::SharingGroup(Some(uuid)) => GroupId::from_uuid(uuid),
    };
    if ask.permit_in(group).is_err() {
        return Err(match audience {
            Audience::SharingGroup(_) => refuse(
                "distribution 4 names a sharing group that is not yours here: name one your member is party to",
            ),
            _ => Problem::absent(),
        });
    }
    let members = |group| directory.group(group).map(|group| &group.members);
    let fits = within.is_none_or(|within| {
        within == group
            || members(group).zip(members(within)).is_some_and(|(inner, outer)| inner.is_subset(outer))
    });
    if fits {
        Ok(group)
    } else {
        Err(refuse(
            "part of this event is for members that may not see the event: give both one distribution",
        ))
    }
}

fn wave_of(made: &MadeObject) -> usize {
    match made.id.object_type() {
        "report" | "grouping" => 2,
        custom::OBJECT => 1,
        _ => 0,
    }
}

async fn take_wave(
    ask: &Ask,
    made: &Made,
    wave: usize,
    (groups, mode): (&BTreeMap<Audience, GroupId>, Mode),
    purpose: &mut Purpose,
    report: &mut Report,
) -> Result<BTreeSet<ObjectId>, Problem> {
    let mut refused = BTreeSet::new();
    for (audience, group) in groups {
        let objects: Vec<MadeObject> = made
            .objects
            .iter()
            .filter(|made| made.audience == *audience && wave_of(made) == wave)
            .cloned()
            .collect();
        let desk = Desk::of(ask, *group)?;
        for piece in objects.chunks(PIECE_OBJECTS_MAX) {
            let news = news(ask, *group, piece.to_vec(), mode).await?;
            report.repeated += piece.len() - news.len();
            if news.is_empty() {
                continue;
            }
            let body = envelope(&news);
            let judged = desk.judge(&body, Known::ByVersion).await?;
            let taken = match purpose {
                Purpose::Record => desk.record(judged).await?,
                Purpose::Look(good) => {
                    good.extend(judged.good.into_iter().map(|good| (*group, good)));
                    judged.report
                }
            };
            report.accepted += taken.accepted;
            report.repeated += taken.repeated;
            report.held.extend(taken.held);
            report.warnings.extend(taken.warnings);
            for one in taken.refused {
                refused.extend(one.id.as_deref().and_then(|id| id.parse::<ObjectId>().ok()));
                report.refused.push(one);
            }
        }
    }
    Ok(refused)
}

fn envelope(objects: &[MadeObject]) -> Vec<u8> {
    let texts: Vec<String> = objects.iter().map(MadeObject::to_json).collect();
    format!("{{\"objects\":[{}]}}", texts.join(",")).into_bytes()
}

/// The objects that say something the group does not hold yet, each with the times of its version.
async fn news(
    ask: &Ask,
    group: GroupId,
    objects: Vec<MadeObject>,
    mode: Mode,
) -> Result<Vec<MadeObject>, Problem> {
    let scope = ask.scope()?.only(group)?;
    let ids: Vec<String> = objects.iter().map(|made| made.id.to_string()).collect();
    let held = ask
        .read(move |reading| {
            let mut held = BTreeMap::new();
            for piece in ids.chunks(limits::PAGE_ITEMS_MAX) {
                let query = ObjectQuery {
                    ids: piece.to_vec(),
                    include_withdrawn: true,
                    ..ObjectQuery::new(group, piece.len() * 2)
                };
                for stored in reading.objects(&scope, &query)?.into_inner().rows {
                    held.insert(stored.record.id.clone(), (stored.record, stored.bytes));
                }
            }
            Ok(held)
        })
        .await?;
    let now = ask.app.now();
    let mut news = Vec::with_capacity(objects.len());
    for mut made in objects {
        let Some((record, bytes)) = held.get(made.id.as_str()) else {
            news.push(made);
            continue;
        };
        let old: Option<Value> = bytes.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let time = |object: &Value, key: &str| {
            object.get(key).and_then(Value::as_str).and_then(|text| Timestamp::parse(text).ok())
        };
        let modified = made.object.get("modified").and_then(Value::as_str);
        let modified = modified.and_then(|text| Timestamp::parse(text).ok()).unwrap_or(now);
        let stale = mode == Mode::Newer && modified < record.version;
        if !record.withdrawn && (stale || old.as_ref().is_some_and(|old| same(old, &made))) {
            continue;
        }
        let created = old.as_ref().and_then(|old| time(old, "created")).unwrap_or(modified);
        let later = if mode == Mode::Edit { now.max(modified.min(now)) } else { modified };
        // Versions are told apart by the millisecond.
        made.set_version(created, later.max(record.version.plus_micros(1_000)));
        news.push(made);
    }
    Ok(news)
}

/// Whether two versions differ in their times alone.
fn same(old: &Value, made: &MadeObject) -> bool {
    let Some(old) = old.as_object() else { return false };
    let rest = |key: &str| !matches!(key, "created" | "modified");
    old.len() == made.object.len()
        && old.iter().filter(|(key, _)| rest(key)).all(|(key, value)| made.object.get(key) == Some(value))
}

/// Takes objects back from everybody.
///
/// # Errors
/// As `Desk::recall`; what is not there, or was taken back before, is passed over.
pub(crate) async fn recall(
    ask: &Ask,
    places: Vec<(GroupId, String)>,
    reason: &str,
) -> Result<usize, Problem> {
    let mut desks = BTreeMap::new();
    let scope = ask.scope()?;
    for (group, _) in &places {
        if !desks.contains_key(group) {
            let permit = ask.reader().permit_in(Action::RecallIntelligence, *group)?;
            desks.insert(*group, Desk::new(&ask.app, &scope, permit)?);
        }
    }
    let count = places.len();
    let desks = &desks;
    stream::iter(places)
        .map(|(group, id)| async move {
            let Some(desk) = desks.get(&group) else { return Ok(()) };
            match desk.recall(&id, reason).await {
                Err(problem) if problem.status == axum::http::StatusCode::NOT_FOUND => Ok(()),
                other => other,
            }
        })
        .buffer_unordered(RECALLS_AT_ONCE_MAX)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(count)
}
