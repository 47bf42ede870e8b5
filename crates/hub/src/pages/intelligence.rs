//! Intelligence: searching STIX objects, and one object with its facts, relations and warnings.

use askama::Template;
use axum::response::Response;
use shieldwall_model::access::Action;
use shieldwall_model::id::{GroupId, MemberId, ObjectId};
use shieldwall_model::marking::Tlp;

use crate::api::indicators;
use crate::api::objects::{self, ObjectBody, ObjectRead, Objects, Relation};
use crate::ask::{Ask, see_other};
use crate::fold::{IndicatorState, collection};
use crate::intake::Desk;
use crate::pages::audience::AudiencePanel;
use crate::pages::correlation::{self, Shared};
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::indent::indented;
use crate::pages::markup::Html;
use crate::pages::members::group_name;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// Objects on a page.
const PAGE_OBJECTS: usize = 50;
/// Warnings looked through for those about an object.
const WARNINGS_MAX: usize = 500;
/// Values of an indicator listed among its facts.
const VALUES_SHOWN_MAX: usize = 50;
/// Types offered in the filter; the words of the search find the rest.
pub(crate) const TYPES: [&str; 19] = [
    "indicator",
    "malware",
    "campaign",
    "intrusion-set",
    "threat-actor",
    "attack-pattern",
    "course-of-action",
    "identity",
    "infrastructure",
    "location",
    "note",
    "observed-data",
    "opinion",
    "relationship",
    "report",
    "sighting",
    "tool",
    "vulnerability",
    "marking-definition",
];

/// An object as its row shows it.
struct Row {
    id: String,
    name: String,
    is_value: bool,
    object_type: String,
    tlp: Html,
    group: String,
    owner: String,
    added: Html,
    withdrawn: bool,
}

#[derive(Template)]
#[template(path = "intelligence/list.html")]
struct ListPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    text: String,
    error: Option<String>,
    may_keep: bool,
    types: Vec<Choice>,
    markings: Vec<Choice>,
    groups: Vec<Choice>,
    filtered: bool,
    first: Option<String>,
    next: Option<String>,
    shown: String,
    rows: Vec<Row>,
    may_share: bool,
}

/// A relation as its row shows it.
struct RelationRow {
    outgoing: bool,
    label: String,
    other: String,
    name: String,
    is_value: bool,
    object_type: String,
    via: Option<String>,
}

/// A version as its row shows it.
struct VersionRow {
    version: Option<Html>,
    added: Html,
    group: String,
    tlp: Html,
    withdrawn: bool,
}

/// A warning about the object.
struct WarningRow {
    href: String,
    is_value: bool,
    name: String,
    members: String,
    updated: Html,
}

/// Where an indicator stands in one group.
struct LifeRow {
    group: String,
    stage: Html,
    score: String,
    ends: Option<Html>,
    sighted: Option<Html>,
    disputed: Option<String>,
}

/// What is known of an object that is an indicator.
struct IndicatorFacts {
    role: Html,
    values: Vec<String>,
    values_more: Option<String>,
    unmatched: Option<String>,
    valid_until: Option<Html>,
}

#[derive(Template)]
#[template(path = "intelligence/object.html")]
struct ObjectPage {
    t: Texts,
    frame: Frame,
    about: ObjectBody,
    is_value: bool,
    object_type: String,
    tlp: Html,
    owner: String,
    description: Option<String>,
    indicator: Option<IndicatorFacts>,
    lives: Vec<LifeRow>,
    disputable: Vec<Choice>,
    versions: Vec<VersionRow>,
    relations: Vec<RelationRow>,
    relations_label: String,
    shared: Shared,
    warnings: Vec<WarningRow>,
    json: String,
    recallable: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "intelligence/recall.html")]
struct RecallPage {
    t: Texts,
    frame: Frame,
    id: String,
    name: String,
    group: String,
    group_name: String,
    reason: String,
    error: Option<String>,
    audience: Option<AudiencePanel>,
}

/// Whether a name is a value (a hash, an address, a path) rather than words: it is then set to be read letter by letter.
pub(crate) fn is_value(name: &str) -> bool {
    let one_word = !name.contains(' ') && name.contains(['.', ':', '/', '\\', '@']);
    one_word || name.split(' ').any(|word| word.len() >= 32)
}

/// The member that shared an object, or the hub.
pub(crate) fn owner_name(ask: &Ask, t: Texts, owner: Option<&String>) -> String {
    let directory = ask.app.directory();
    let member = owner
        .and_then(|id| id.parse::<MemberId>().ok())
        .and_then(|id| directory.member(id).map(|member| member.name.clone()));
    member.unwrap_or_else(|| t.text("owner-none"))
}

/// What a group's id is called by this reader.
pub(crate) fn named_group(ask: &Ask, t: Texts, group: &str) -> String {
    group.parse().map_or_else(
        |_| group.to_owned(),
        |id| group_name(t, &ask.app.directory(), id, ask.reader().member()),
    )
}

/// A choice of everything, then of each.
pub(crate) fn with_any(
    any: String,
    chosen: Option<&str>,
    each: impl Iterator<Item = (String, String)>,
) -> Vec<Choice> {
    let mut choices = vec![Choice { value: String::new(), label: any, chosen: chosen.is_none() }];
    choices.extend(each.map(|(value, label)| Choice {
        chosen: chosen == Some(value.as_str()),
        value,
        label,
    }));
    choices
}

/// The query string of `query` with `after` in place of what it had.
fn page_after(query: &[(String, String)], after: Option<&str>) -> String {
    let mut written = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in query.iter().filter(|(key, value)| key != "after" && !value.is_empty()) {
        written.append_pair(key, value);
    }
    if let Some(after) = after {
        written.append_pair("after", after);
    }
    format!("/intelligence?{}", written.finish())
}

/// `GET /intelligence`.
///
/// # Errors
/// 400 for a filter that is none, 410 for a page that is gone.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    // A search that cannot be read is the form again, with what is wrong.
    let (found, problem) = match objects::search(&ask, PAGE_OBJECTS).await {
        Ok(found) => (found, None),
        Err(problem) if problem.code.starts_with("search.") => {
            (Objects { objects: Vec::new(), next: None }, Some(problem))
        }
        Err(problem) => return Err(problem),
    };
    let rows: Vec<Row> = found
        .objects
        .iter()
        .map(|object| Row {
            id: object.id.clone(),
            is_value: is_value(&object.name),
            name: object.name.clone(),
            object_type: t.object_type(&object.object_type),
            tlp: t.tlp(object.marking.as_deref()),
            group: named_group(&ask, t, &object.group),
            owner: owner_name(&ask, t, object.owner.as_ref()),
            added: t.moment(&object.added),
            withdrawn: object.withdrawn,
        })
        .collect();
    let mut types: Vec<(String, String)> =
        TYPES.iter().map(|one| ((*one).to_owned(), t.object_type(one))).collect();
    types.sort_by_key(|(_, label)| label.to_lowercase());
    let directory = ask.app.directory();
    let mine = ask.reader().member();
    let groups = directory
        .groups_of(mine)
        .map(|group| (group.id.to_string(), group_name(t, &directory, group.id, mine)));
    let page = ListPage {
        t,
        frame: Frame::of(&ask, Place::Intelligence, "intelligence-title").await?,
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence"),
        text: ask.query("q").or_else(|| ask.query("text")).unwrap_or_default().to_owned(),
        error: problem.as_ref().map(|problem| t.problem(problem)),
        may_keep: ask.reader().may(Action::KeepSearches),
        types: with_any(t.text("filter-type-any"), ask.query("type"), types.into_iter()),
        markings: with_any(
            t.text("filter-marking-any"),
            ask.query("marking"),
            Tlp::ALL.into_iter().map(|tlp| (tlp.as_str().to_owned(), tlp.to_string())),
        ),
        groups: with_any(t.text("filter-group-any"), ask.query("group"), groups),
        filtered: ["q", "text", "type", "marking", "group", "owner"]
            .iter()
            .any(|name| ask.query(name).is_some()),
        first: ask.query("after").map(|_| page_after(&ask.query, None)),
        next: found.next.as_deref().map(|next| page_after(&ask.query, Some(next))),
        shown: t.count("objects-shown", rows.len()),
        rows,
        may_share: ask.reader().may(Action::ShareIntelligence),
    };
    match &problem {
        Some(problem) => html_about(problem, &page),
        None => html(&page),
    }
}

fn relation_rows(t: Texts, id: &str, relations: &[Relation]) -> Vec<RelationRow> {
    let mut rows: Vec<RelationRow> = relations
        .iter()
        .map(|relation| {
            let outgoing = relation.source == id;
            let other = if outgoing { &relation.target } else { &relation.source };
            RelationRow {
                outgoing,
                label: relation.label.clone(),
                is_value: relation.name.as_deref().is_none_or(is_value),
                name: relation.name.clone().unwrap_or_else(|| other.clone()),
                object_type: t.object_type(other.split("--").next().unwrap_or_default()),
                other: other.clone(),
                via: Some(relation.via.clone()).filter(|via| via.starts_with("relationship--")),
            }
        })
        .collect();
    rows.sort_by(|a, b| (!a.outgoing, &a.label, &a.name).cmp(&(!b.outgoing, &b.label, &b.name)));
    rows
}

async fn indicator_facts(ask: &Ask, t: Texts, id: &str) -> Result<Option<IndicatorFacts>, Problem> {
    if !id.starts_with("indicator--") {
        return Ok(None);
    }
    let (scope, id) = (ask.scope()?, id.to_owned());
    let found = ask
        .read(move |reading| {
            for group in scope.groups() {
                if let Some(document) = reading.document(&scope, collection::INDICATOR, group, &id)? {
                    return Ok(Some(document));
                }
            }
            Ok(None)
        })
        .await?;
    let state = found.and_then(|document| serde_json::from_slice::<IndicatorState>(&document.body).ok());
    Ok(state.map(|state| {
        let more = state.values.len().saturating_sub(VALUES_SHOWN_MAX);
        IndicatorFacts {
            role: t.role(state.role.as_str()),
            values: state.values.iter().take(VALUES_SHOWN_MAX).map(|value| value.value.clone()).collect(),
            values_more: (more > 0).then(|| t.count("values-more", more)),
            unmatched: state.unmatched,
            valid_until: state.valid_until.map(|until| t.moment(until)),
        }
    }))
}

/// Where an indicator stands, and the groups in which the reader's member may say that it is a false positive.
async fn life_rows(ask: &Ask, t: Texts, about: &ObjectBody) -> Result<(Vec<LifeRow>, Vec<Choice>), Problem> {
    let (mut rows, mut disputable) = (Vec::new(), Vec::new());
    if about.object_type != "indicator" {
        return Ok((rows, disputable));
    }
    let mine = ask.reader().member().to_string();
    for (body, _) in indicators::lives(ask, &about.id).await? {
        let tone = match body.stage.as_str() {
            "sighted" => "warn",
            "active" => "good",
            "decaying" => "info",
            _ => "outline",
        };
        let over = matches!(body.stage.as_str(), "expired" | "recalled");
        let may = ask.reader().may(Action::CurateIntelligence) && about.owner.as_deref() != Some(&mine);
        if may && !over && !body.disputed_by.contains(&mine) {
            disputable.push(Choice {
                value: body.group.clone(),
                label: named_group(ask, t, &body.group),
                chosen: disputable.is_empty(),
            });
        }
        rows.push(LifeRow {
            group: named_group(ask, t, &body.group),
            stage: Html::badge(tone, &t.text(&format!("stage-{}", body.stage))),
            score: t.number(body.score),
            ends: body.ends.as_ref().map(|at| t.moment(at)),
            sighted: body.sighted.as_ref().map(|at| t.moment(at)),
            disputed: (!body.disputed_by.is_empty())
                .then(|| t.count("life-disputed", body.disputed_by.len())),
        });
    }
    Ok((rows, disputable))
}

async fn warnings_about(ask: &Ask, t: Texts, id: &str) -> Result<Vec<WarningRow>, Problem> {
    let Ok(scope) = ask.reader().scope(Action::ReadWarnings) else { return Ok(Vec::new()) };
    let newest = crate::api::warnings::newest(&ask.app, scope, WARNINGS_MAX).await?;
    Ok(newest
        .iter()
        .filter(|warning| {
            warning.subject.indicator.as_str() == id
                || warning.contexts.iter().any(|context| context.id.as_str() == id)
        })
        .map(|warning| WarningRow {
            href: format!("/warnings/{}", warning.id),
            is_value: is_value(&warning.subject.name),
            name: warning.subject.name.clone(),
            members: t.count("members-count", warning.reporters()),
            updated: t.moment(warning.updated),
        })
        .collect())
}

/// The groups from which the reader may take an object back: those in which its member shared it.
fn recallable(ask: &Ask, t: Texts, read: &ObjectRead) -> Vec<Choice> {
    let mine = ask.reader().member().to_string();
    if !ask.reader().may(Action::RecallIntelligence) {
        return Vec::new();
    }
    let mut groups: Vec<Choice> = Vec::new();
    for version in &read.versions {
        let about = &version.about;
        if about.withdrawn
            || about.owner.as_deref() != Some(&mine)
            || groups.iter().any(|known| known.value == about.group)
        {
            continue;
        }
        groups.push(Choice {
            value: about.group.clone(),
            label: named_group(ask, t, &about.group),
            chosen: groups.is_empty(),
        });
    }
    groups
}

/// The newest version of an object as its owner sent it, set out for reading.
async fn as_sent(ask: &Ask, id: &str) -> Result<String, Problem> {
    let (scope, id) = (ask.scope()?, id.to_owned());
    let versions = ask.read(move |reading| reading.object(&scope, &id)).await?;
    let newest = versions.iter().max_by_key(|stored| stored.record.version);
    let bytes = newest.and_then(|stored| stored.bytes.as_deref()).unwrap_or_default();
    Ok(indented(&String::from_utf8_lossy(bytes)))
}

/// `GET /intelligence/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn object(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let read = objects::one(&ask).await?;
    let newest = read.versions.first().ok_or_else(Problem::absent)?;
    let about = newest.about.clone();
    let relations = relation_rows(t, &about.id, &read.relations);
    let [count, shown] = t.counted(relations.len());
    let (lives, disputable) = life_rows(&ask, t, &about).await?;
    let versions = read
        .versions
        .iter()
        .map(|version| VersionRow {
            // Observables have no version; the hub gives them the epoch.
            version: (!version.about.version.starts_with("1970-01-01T00:00:00"))
                .then(|| t.moment(&version.about.version)),
            added: t.moment(&version.about.added),
            group: named_group(&ask, t, &version.about.group),
            tlp: t.tlp(version.about.marking.as_deref()),
            withdrawn: version.about.withdrawn,
        })
        .collect();
    html(&ObjectPage {
        t,
        frame: Frame::titled(&ask, Place::Intelligence, about.name.clone()).await?,
        is_value: is_value(&about.name),
        object_type: t.object_type(&about.object_type),
        tlp: t.tlp(about.marking.as_deref()),
        owner: owner_name(&ask, t, about.owner.as_ref()),
        description: newest.object.get("description").and_then(|text| text.as_str()).map(str::to_owned),
        indicator: indicator_facts(&ask, t, &about.id).await?,
        lives,
        disputable,
        versions,
        relations_label: t
            .language()
            .text_with("graph-label", &[("name", about.name.clone().into()), count, shown]),
        relations,
        shared: correlation::shared(&ask, t).await?,
        warnings: warnings_about(&ask, t, &about.id).await?,
        json: as_sent(&ask, &about.id).await?,
        recallable: recallable(&ask, t, &read),
        about,
    })
}

/// `POST /intelligence/{id}/recall`: asks once more, and takes the object back when the form says so.
///
/// # Errors
/// 404 when absent or hidden, 403 for anybody but the owner.
pub async fn recall(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let t = Texts::new(ask.language);
    let id = ask.path("id")?.to_owned();
    let group: GroupId = form.get("group").parse().map_err(|_| Problem::absent())?;
    let reason = form.get("reason").to_owned();
    // Hidden and absent groups answer alike, before anything is shown about the object.
    let desk = Desk::of(&ask, group)?;
    let mut error = None;
    if form.get("sure") == "yes" {
        match desk.recall(&id, &reason).await {
            Ok(()) => return Ok(see_other(&format!("/intelligence/{id}"))),
            Err(problem) if problem.code == "object.recall.reason" => error = Some(problem),
            Err(problem) => return Err(problem),
        }
    }
    let read = objects::one(&ask).await?;
    let name = read.versions.first().map_or_else(String::new, |version| version.about.name.clone());
    let page = RecallPage {
        t,
        frame: Frame::of(&ask, Place::Intelligence, "recall-title")
            .await?
            .back_to(&format!("/intelligence/{id}")),
        id,
        name,
        group_name: named_group(&ask, t, &group.to_string()),
        group: group.to_string(),
        reason,
        error: error.as_ref().map(|problem| t.problem(problem)),
        audience: AudiencePanel::of(t, &ask.app.directory(), group, ask.reader().member()),
    };
    match &error {
        Some(problem) => html_about(problem, &page),
        None => html(&page),
    }
}

/// `POST /intelligence/{id}/dispute`.
///
/// # Errors
/// 404 when absent or hidden, 422 for a reason that says nothing.
pub async fn dispute(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let id: ObjectId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    let desk = crate::api::held::desk(&ask, form.get("group"))?;
    desk.dispute(&id, form.get("reason"), false).await?;
    Ok(see_other(&format!("/intelligence/{id}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    fn relation(source: &str, label: &str, target: &str) -> Relation {
        Relation {
            source: source.into(),
            target: target.into(),
            label: label.into(),
            via: "relationship--1".into(),
            name: None,
        }
    }

    #[test]
    fn the_next_page_keeps_the_search_and_the_first_forgets_the_place() {
        let query = [
            ("text".to_owned(), "wanna cry&".to_owned()),
            ("type".into(), String::new()),
            ("after".into(), "old".into()),
        ];
        assert_eq!(page_after(&query, Some("n+w")), "/intelligence?text=wanna+cry%26&after=n%2Bw");
        assert_eq!(page_after(&query, None), "/intelligence?text=wanna+cry%26");
    }

    #[test]
    fn values_are_told_from_words() {
        for value in ["203.0.113.40", "c:\\windows\\perfc", "24d004a104d4d54034dbcffc2a4b19a1", "a@b.example"]
        {
            assert!(is_value(value), "{value}");
        }
        for words in ["WannaCry", "EternalBlue use, May 2017", "a very long name of an operation by somebody"]
        {
            assert!(!is_value(words), "{words}");
        }
    }

    #[test]
    fn what_the_object_says_stands_before_what_is_said_of_it() {
        let t = Texts::new(Language::English);
        let rows = relation_rows(
            t,
            "malware--1",
            &[
                relation("indicator--1", "indicates", "malware--1"),
                relation("malware--1", "targets", "identity--1"),
            ],
        );
        assert_eq!(
            rows.iter().map(|row| (row.outgoing, row.other.as_str())).collect::<Vec<_>>(),
            [(true, "identity--1"), (false, "indicator--1")]
        );
        assert_eq!(rows[1].object_type, "Indicator");
    }
}
