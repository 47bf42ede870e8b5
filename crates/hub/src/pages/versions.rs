//! The life of one object: its versions and what befell them, and what changed from one version to another.

use askama::Template;
use axum::response::Response;
use shieldwall_exchange::difference::{self, Differences, Kind};
use shieldwall_model::access::Action;
use shieldwall_model::limits;

use crate::api::objects::{self, ObjectRead, VersionRead};
use crate::ask::Ask;
use crate::fold::{IndicatorState, collection};
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::html;
use crate::pages::intelligence::{named_group, owner_name};
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Versions told; the list of an object written every minute for a day.
const VERSIONS_MAX: usize = 1_500;
/// Warnings looked through for those about the object.
const WARNINGS_MAX: usize = 500;

/// Something that befell the object.
struct Event {
    at: String,
    when: Html,
    icon: &'static str,
    what: Html,
    note: String,
    tlp: Option<Html>,
    /// Compares this version with the one before it.
    compare: Option<String>,
    shown: bool,
}

/// A change as its row shows it.
struct ChangeRow {
    path: String,
    kind: Html,
    before: Option<Html>,
    after: Option<Html>,
    words: Option<Html>,
}

#[derive(Template)]
#[template(path = "intelligence/versions.html")]
struct VersionsPage {
    t: Texts,
    frame: Frame,
    id: String,
    name: String,
    object_type: String,
    type_key: String,
    from: Vec<Choice>,
    to: Vec<Choice>,
    compared: bool,
    compared_said: Html,
    changes: Vec<ChangeRow>,
    more: usize,
    events: Vec<Event>,
}

/// How a version is named in an address: its time and whose log holds it.
fn key(version: &VersionRead) -> String {
    format!("{}@{}", version.about.version, version.about.group)
}

/// `GET /intelligence/{id}/versions`.
///
/// # Errors
/// 404 when the object or a version is absent or hidden.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let mut read = objects::one(&ask).await?;
    read.versions.truncate(VERSIONS_MAX);
    let about = read.versions.first().ok_or_else(Problem::absent)?.about.clone();
    let (from, to) = chosen(&read, ask.query("from"), ask.query("to"))?;
    let differences = match (from, to) {
        (Some(from), Some(to)) => difference::between(&from.object, &to.object),
        _ => Differences::default(),
    };
    let compared_said = match (from, to) {
        (Some(from), Some(to)) => t.rich(
            "versions-compared",
            &[("from", t.instant(&from.about.version)), ("to", t.instant(&to.about.version))],
            &[],
        ),
        _ => Html::default(),
    };
    let chosen_to = to.map(key);
    let options = |wanted: Option<&VersionRead>| -> Vec<Choice> {
        let wanted = wanted.map(key);
        read.versions
            .iter()
            .map(|version| Choice {
                value: key(version),
                label: format!(
                    "{} · {}",
                    t.instant_plain(&version.about.version),
                    named_group(&ask, t, &version.about.group)
                ),
                chosen: wanted == Some(key(version)),
            })
            .collect()
    };
    let mut events = version_events(&ask, t, &read, chosen_to.as_deref());
    events.extend(ended(&ask, t, &about.id).await?);
    events.extend(warned(&ask, t, &about.id).await?);
    events.sort_by(|a, b| b.at.cmp(&a.at));
    html(&VersionsPage {
        t,
        frame: Frame::titled(&ask, Place::Intelligence, t.with("versions-title-of", "name", &about.name))
            .await?,
        from: options(from),
        to: options(to),
        compared: from.is_some() && to.is_some(),
        compared_said,
        changes: differences.changes.iter().map(|change| row(t, change)).collect(),
        more: differences.more,
        events,
        object_type: t.object_type(&about.object_type),
        type_key: about.object_type,
        name: about.name,
        id: about.id,
    })
}

/// The two versions to compare: as asked, else the newest and the one before it.
fn chosen<'r>(
    read: &'r ObjectRead,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(Option<&'r VersionRead>, Option<&'r VersionRead>), Problem> {
    let named = |wanted: &str| {
        read.versions.iter().find(|version| key(version) == wanted).ok_or_else(Problem::absent)
    };
    let to = match to {
        Some(to) => Some(named(to)?),
        None => read.versions.first(),
    };
    let from = match (from, to) {
        (Some(from), _) => Some(named(from)?),
        (None, Some(to)) => before(read, to),
        (None, None) => None,
    };
    Ok((from, to))
}

/// The version before this one: in the same group if there is one, else in any.
fn before<'r>(read: &'r ObjectRead, version: &VersionRead) -> Option<&'r VersionRead> {
    let earlier = || read.versions.iter().filter(|other| other.about.version < version.about.version);
    earlier().find(|other| other.about.group == version.about.group).or_else(|| earlier().next())
}

fn version_events(ask: &Ask, t: Texts, read: &ObjectRead, chosen_to: Option<&str>) -> Vec<Event> {
    read.versions
        .iter()
        .map(|version| {
            let who = Html::strong(&owner_name(ask, t, version.about.owner.as_ref()));
            let before = before(read, version);
            let what = if before.is_some() { "event-revised" } else { "event-shared" };
            Event {
                at: version.about.added.clone(),
                when: t.instant(&version.about.added),
                icon: if before.is_some() { "ledger" } else { "plus" },
                what: t.rich(what, &[("who", who)], &[]),
                note: format!(
                    "{} · {}",
                    named_group(ask, t, &version.about.group),
                    t.with("event-version", "at", t.instant_plain(&version.about.version))
                ),
                tlp: Some(t.tlp(version.about.marking.as_deref())),
                compare: before.map(|before| {
                    let mut written = url::form_urlencoded::Serializer::new(String::new());
                    written.append_pair("from", &key(before)).append_pair("to", &key(version));
                    format!("/intelligence/{}/versions?{}", version.about.id, written.finish())
                }),
                shown: chosen_to == Some(key(version).as_str()),
            }
        })
        .collect()
}

/// That an indicator was recalled or revoked, in each group that says so.
async fn ended(ask: &Ask, t: Texts, id: &str) -> Result<Vec<Event>, Problem> {
    if !id.starts_with("indicator--") {
        return Ok(Vec::new());
    }
    let (scope, id) = (ask.scope()?, id.to_owned());
    let documents =
        ask.read(move |reading| reading.documents_by_key(&scope, collection::INDICATOR, &id)).await?;
    let events = documents.iter().filter_map(|document| {
        let state: IndicatorState = serde_json::from_slice(&document.body).ok()?;
        let ended = state.ended?;
        Some(Event {
            at: document.changed.to_string(),
            when: t.instant(document.changed),
            icon: "block",
            what: Html::escaped(
                &t.known(&format!("event-{ended}")).unwrap_or_else(|| t.with("event-ended", "why", &ended)),
            ),
            note: named_group(ask, t, &document.group.to_string()),
            tlp: None,
            compare: None,
            shown: false,
        })
    });
    Ok(events.collect())
}

/// The warnings an indicator raised.
async fn warned(ask: &Ask, t: Texts, id: &str) -> Result<Vec<Event>, Problem> {
    let Ok(scope) = ask.reader().scope(Action::ReadWarnings) else { return Ok(Vec::new()) };
    let newest =
        crate::api::warnings::newest(&ask.app, scope, WARNINGS_MAX.min(limits::PAGE_ITEMS_MAX)).await?;
    Ok(newest
        .iter()
        .filter(|warning| warning.subject.indicator.as_str() == id)
        .map(|warning| Event {
            at: warning.raised.to_string(),
            when: t.instant(warning.raised),
            icon: "eye",
            what: t.rich(
                "event-sighted",
                &[("warning", Html::link(&format!("/warnings/{}", warning.id), &t.text("event-warning")))],
                &[],
            ),
            note: format!(
                "{} · {}",
                named_group(ask, t, &warning.group.to_string()),
                t.count("members-count", warning.reporters())
            ),
            tlp: None,
            compare: None,
            shown: false,
        })
        .collect())
}

fn row(t: Texts, change: &difference::Change) -> ChangeRow {
    let (tone, word) = match change.kind {
        Kind::Added => ("good", "change-added"),
        Kind::Removed => ("bad", "change-removed"),
        Kind::Changed => ("info", "change-changed"),
    };
    let words = (!change.words.is_empty()).then(|| {
        let pieces = change.words.iter().map(|piece| match piece.kind {
            None | Some(Kind::Changed) => Html::escaped(&piece.text),
            Some(Kind::Removed) => Html::removed(&piece.text),
            Some(Kind::Added) => Html::inserted(&piece.text),
        });
        Html::joined(pieces)
    });
    let whole = words.is_none();
    ChangeRow {
        path: change.path.clone(),
        kind: Html::badge(tone, &t.text(word)),
        before: change.before.as_deref().filter(|_| whole).map(Html::removed),
        after: change.after.as_deref().filter(|_| whole).map(Html::inserted),
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::objects::ObjectBody;

    fn version(at: &str, group: &str) -> VersionRead {
        VersionRead {
            about: ObjectBody {
                id: "tool--1".into(),
                object_type: "tool".into(),
                name: "T".into(),
                marking: None,
                group: group.into(),
                version: at.into(),
                added: at.into(),
                owner: None,
                withdrawn: false,
            },
            object: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_version_is_compared_with_the_one_before_it_in_its_own_group() {
        let read = ObjectRead {
            versions: vec![version("4", "a"), version("3", "b"), version("2", "a"), version("1", "b")],
            relations: vec![],
        };
        let keys = |from: Option<&str>, to: Option<&str>| {
            let (from, to) = chosen(&read, from, to).unwrap();
            (from.map(key).unwrap_or_default(), to.map(key).unwrap_or_default())
        };
        assert_eq!(keys(None, None), ("2@a".into(), "4@a".into()));
        assert_eq!(keys(None, Some("2@a")), ("1@b".into(), "2@a".into()));
        assert_eq!(keys(Some("1@b"), Some("3@b")), ("1@b".into(), "3@b".into()));
        assert_eq!(keys(None, Some("1@b")).0, "", "the first has none before it");
        assert_eq!(chosen(&read, Some("9@a"), None).err().map(|problem| problem.status.as_u16()), Some(404));
    }
}
