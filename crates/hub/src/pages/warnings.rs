//! Warnings as people read them: what was seen, by whom, what to check and block, and saying that one has read it.

use askama::Template;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use fluent_bundle::FluentValue;
use shieldwall_assess::entries::{Reporter, Taken};
use shieldwall_assess::rules::{Cluster, correlate};
use shieldwall_assess::view::Warning;
use shieldwall_model::access::Action;
use shieldwall_model::id::{GroupId, WarningId};

use crate::api::warnings::{WarningBody, body, newest, one as warning_in_path, take_note};
use crate::ask::{Ask, see_other};
use crate::pages::frame::{Frame, Place, csrf, warnings_new};
use crate::pages::html;
use crate::pages::markup::Html;
use crate::pages::members::group_name;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Most warnings on the page: the newest.
const WARNINGS_MAX: usize = 200;
/// Most warnings beside the picture.
const LIVE_MAX: usize = 5;
/// Most values a card lists; the page of the warning has them all.
const VALUES_SHOWN_MAX: usize = 3;

/// Which warnings to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// All that were not taken back.
    Open,
    /// Those no person of the reader's member has taken note of.
    New,
    /// Those taken back too.
    All,
}

impl Show {
    const ALL: [Self; 3] = [Self::Open, Self::New, Self::All];

    fn of(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|show| Some(show.as_str()) == text).unwrap_or(Self::Open)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::New => "new",
            Self::All => "all",
        }
    }

    const fn takes(self, withdrawn: bool, new: bool) -> bool {
        match self {
            Self::Open => !withdrawn,
            Self::New => !withdrawn && new,
            Self::All => true,
        }
    }
}

/// A warning as its card shows it.
pub(crate) struct Card {
    pub(crate) body: WarningBody,
    /// The level of its heading.
    pub(crate) level: u8,
    pub(crate) class: &'static str,
    pub(crate) badge: Html,
    pub(crate) role: Html,
    pub(crate) tlp: Html,
    pub(crate) group: Option<String>,
    pub(crate) title: String,
    pub(crate) seen: Html,
    pub(crate) by: String,
    pub(crate) mine: String,
    pub(crate) mine_seen: bool,
    pub(crate) values: Vec<String>,
    pub(crate) values_more: Option<String>,
    pub(crate) hold: Option<Hold>,
    pub(crate) blocks: bool,
    pub(crate) check: String,
    pub(crate) updated: Html,
    pub(crate) acknowledged: String,
    pub(crate) may_acknowledge: bool,
}

/// Why something must not be blocked.
pub(crate) struct Hold {
    pub(crate) title: String,
    pub(crate) why: String,
}

/// Warnings that stand together, and why.
pub(crate) struct Together {
    /// What ties them, where something does.
    pub(crate) tie: Option<Tie>,
    pub(crate) cards: Vec<Card>,
}

/// Why warnings fall together.
pub(crate) struct Tie {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) reason: Html,
    pub(crate) proofs: Vec<Html>,
}

/// A filter as a link.
struct Filter {
    href: String,
    label: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "warnings/page.html")]
struct WarningsPage {
    t: Texts,
    frame: Frame,
    show: &'static str,
    filters: Vec<Filter>,
    clusters: Vec<Together>,
    csrf: String,
}

#[derive(Template)]
#[template(path = "warnings/fragment.html")]
struct WarningsFragment {
    t: Texts,
    clusters: Vec<Together>,
    warnings_new: usize,
    csrf: String,
}

#[derive(Template)]
#[template(path = "warnings/live-fragment.html")]
struct LiveFragment {
    t: Texts,
    live: Vec<Card>,
    warnings_new: usize,
    csrf: String,
}

/// A report as the timeline shows it.
struct ReportRow {
    who: String,
    sectors: String,
    first: Html,
    last: Html,
    count: String,
}

/// Who has taken note, as the page of the warning shows it.
struct NoteRow {
    who: String,
    machine: Option<Html>,
    person: Option<Html>,
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "warnings/one.html")]
struct WarningPage {
    t: Texts,
    frame: Frame,
    card: Card,
    fields: Vec<String>,
    first: Html,
    last: Html,
    raised: Html,
    withdrawn: Option<Html>,
    kind: String,
    reports: Vec<ReportRow>,
    notes: Vec<NoteRow>,
}

/// What a card needs to know of its reader.
pub(crate) struct Viewer<'a> {
    ask: &'a Ask,
    t: Texts,
    watching: bool,
    may_acknowledge: bool,
}

impl<'a> Viewer<'a> {
    pub(crate) fn of(ask: &'a Ask) -> Self {
        let mine = ask.reader().member();
        let watching = ask.app.sensors().iter().any(|((member, _), _)| *member == mine);
        Self {
            ask,
            t: Texts::new(ask.language),
            watching,
            may_acknowledge: ask.reader().may(Action::AcknowledgeWarning),
        }
    }

    /// Whether the reader's own member reported it, by name or not.
    fn own(&self, warning: &Warning) -> bool {
        let mine = self.ask.reader().member();
        let unnamed = self.ask.app.pseudonym(warning.group, mine);
        warning.reports.values().any(|reported| match &reported.reporter {
            Reporter::Member(member) => *member == mine,
            Reporter::Pseudonym(word) => *word == unnamed,
        })
    }

    pub(crate) fn card(&self, warning: &Warning, level: u8) -> Card {
        let (t, directory, mine) = (self.t, self.ask.app.directory(), self.ask.reader().member());
        let body = body(&self.ask.app, warning, mine);
        let new = is_new(&body);
        let mine_seen = self.own(warning);
        let hold = (body.advice.blocking == "do-not-block").then(|| Hold {
            title: t.text(&format!("hold-title-{}", body.role)),
            why: t.text(body.advice.why),
        });
        let class = match (body.withdrawn.is_some() || !new, hold.is_some()) {
            (true, _) => "is-acknowledged",
            (false, true) => "is-hold",
            (false, false) => "is-new",
        };
        let badge = if body.withdrawn.is_some() {
            Html::badge("outline", &t.text("warning-withdrawn"))
        } else if new {
            Html::badge("new", &t.text("warning-new"))
        } else {
            Html::badge("good", &t.text("warning-acknowledged"))
        };
        let mine_text = match (mine_seen, self.watching) {
            (true, _) => t.text(&format!("warning-mine-seen-{}", body.role)),
            (false, true) => t.text("warning-mine-unseen"),
            (false, false) => t.text("warning-mine-blind"),
        };
        let all: Vec<String> =
            body.value.split(", ").filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let more = all.len().saturating_sub(VALUES_SHOWN_MAX);
        Card {
            level,
            class,
            badge,
            role: t.role(&body.role),
            tlp: t.tlp(body.marking.as_deref()),
            group: (warning.group != GroupId::ALLIANCE)
                .then(|| group_name(t, &directory, warning.group, mine)),
            title: title(t, &body),
            seen: seen(t, &body),
            by: by(t, &body),
            mine: mine_text,
            mine_seen,
            values: all.into_iter().take(VALUES_SHOWN_MAX).collect(),
            values_more: (more > 0).then(|| t.count("values-more", more)),
            blocks: body.advice.blocking == "block",
            hold,
            check: t.text(body.advice.check),
            updated: t.moment(&body.updated),
            acknowledged: acknowledged(t, &body),
            may_acknowledge: self.may_acknowledge && new && body.withdrawn.is_none(),
            body,
        }
    }
}

fn is_new(body: &WarningBody) -> bool {
    body.mine.by_person.is_none()
}

fn title(t: Texts, body: &WarningBody) -> String {
    let [count, shown] = t.counted(body.members);
    t.language().text_with("warning-title", &[("name", body.name.clone().into()), count, shown])
}

fn seen(t: Texts, body: &WarningBody) -> Html {
    let (first, last) = (("first", t.moment(&body.first_seen)), ("last", t.moment(&body.last_seen)));
    let same_minute = body.first_seen.get(..16) == body.last_seen.get(..16);
    if same_minute {
        t.rich("warning-seen-at", &[first], &t.counted(body.count))
    } else {
        t.rich("warning-seen", &[first, last], &t.counted(body.count))
    }
}

fn by(t: Texts, body: &WarningBody) -> String {
    let names: Vec<String> = body.named.iter().map(|member| member.name.clone()).collect();
    let who = if names.is_empty() {
        t.count("warning-by-hidden", body.members)
    } else {
        t.with("warning-by-named", "names", t.list(&names))
    };
    if body.sectors.is_empty() {
        who
    } else {
        format!("{who} {}", t.with("warning-sectors", "sectors", t.sectors(&body.sectors)))
    }
}

fn acknowledged(t: Texts, body: &WarningBody) -> String {
    let [count, shown] = t.counted(body.acknowledged);
    t.language()
        .text_with("warning-acknowledged-by", &[count, shown, ("parties", t.number(body.parties).into())])
}

/// Puts cards in their clusters, in the order of the clusters.
fn arrange(viewer: &Viewer<'_>, warnings: &[Warning], show: Show) -> Vec<Together> {
    let mine = viewer.ask.reader().member();
    let shown: Vec<Warning> = warnings
        .iter()
        .filter(|warning| {
            let new = warning.acknowledged.get(&mine).is_none_or(|known| known.by_person.is_none());
            show.takes(warning.withdrawn.is_some(), new)
        })
        .cloned()
        .collect();
    correlate(&shown)
        .iter()
        .map(|cluster| {
            let tie = tie(viewer.t, cluster, &shown);
            let level = if tie.is_some() { 3 } else { 2 };
            let cards = cluster
                .warnings
                .iter()
                .filter_map(|id| shown.iter().find(|warning| warning.id == *id))
                .map(|warning| viewer.card(warning, level))
                .collect();
            Together { tie, cards }
        })
        .collect()
}

/// Why the warnings of a cluster stand together; `None` for one that stands alone.
fn tie(t: Texts, cluster: &Cluster, warnings: &[Warning]) -> Option<Tie> {
    let first = cluster.warnings.first().filter(|_| cluster.warnings.len() > 1)?;
    let ties: Vec<_> = cluster.ties.iter().filter(|tie| tie.by.len() > 1).collect();
    let strongest = ties.iter().max_by_key(|tie| tie.by.len())?;
    let reasons: Vec<Html> = ties
        .iter()
        .map(|tie| {
            let object_type = t.object_type(tie.id.object_type());
            let what =
                Html::link(&format!("/intelligence/{}", tie.id), &format!("{object_type} {}", tie.name));
            let key = if tie.by.len() == 2 && cluster.warnings.len() == 2 {
                "cluster-both"
            } else {
                "cluster-many"
            };
            t.rich(key, &[("what", what)], &t.counted(tie.by.len()))
        })
        .collect();
    let name = |id: &WarningId| {
        warnings
            .iter()
            .find(|warning| warning.id == *id)
            .map_or_else(String::new, |warning| warning.subject.name.clone())
    };
    let proofs = ties
        .iter()
        .flat_map(|tie| {
            tie.by.iter().map(|(warning, via)| {
                let pieces = [
                    ("warning", Html::link(&format!("/warnings/{warning}"), &name(warning))),
                    ("via", Html::link(&format!("/intelligence/{via}"), &t.text("cluster-relationship"))),
                ];
                let plain: [(&str, FluentValue<'_>); 1] = [("what", tie.name.clone().into())];
                t.rich("cluster-proof", &pieces, &plain)
            })
        })
        .collect();
    let [count, shown] = t.counted(cluster.warnings.len());
    Some(Tie {
        id: format!("cluster-{}", first.uuid()),
        title: t
            .language()
            .text_with("cluster-title", &[("name", strongest.name.clone().into()), count, shown]),
        reason: Html::trusted(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        proofs,
    })
}

async fn arranged(ask: &Ask, show: Show) -> Result<Vec<Together>, Problem> {
    let warnings = newest(&ask.app, ask.scope()?, WARNINGS_MAX).await?;
    Ok(arrange(&Viewer::of(ask), &warnings, show))
}

/// `GET /warnings`.
///
/// # Errors
/// As `App::read`.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let show = Show::of(ask.query("show"));
    let filters = Show::ALL
        .into_iter()
        .map(|one| Filter {
            href: format!("/warnings?show={}", one.as_str()),
            label: t.text(&format!("warnings-{}", one.as_str())),
            current: one == show,
        })
        .collect();
    let frame = Frame::of(&ask, Place::Warnings, "warnings-title").await?;
    let clusters = arranged(&ask, show).await?;
    html(&WarningsPage { t, frame, show: show.as_str(), filters, clusters, csrf: csrf(&ask) })
}

/// `GET /fragments/warnings`.
///
/// # Errors
/// As `App::read`.
pub async fn fragment(ask: Ask) -> Result<Response, Problem> {
    let clusters = arranged(&ask, Show::of(ask.query("show"))).await?;
    let warnings_new = warnings_new(&ask).await?;
    html(&WarningsFragment { t: Texts::new(ask.language), clusters, warnings_new, csrf: csrf(&ask) })
}

/// The newest open warnings, for beside the picture.
///
/// # Errors
/// As `App::read`.
pub(crate) async fn live_cards(ask: &Ask) -> Result<Vec<Card>, Problem> {
    let scope = ask.reader().scope(Action::ReadWarnings)?;
    let warnings = newest(&ask.app, scope, WARNINGS_MAX).await?;
    let viewer = Viewer::of(ask);
    Ok(warnings
        .iter()
        .filter(|warning| warning.withdrawn.is_none())
        .take(LIVE_MAX)
        .map(|warning| viewer.card(warning, 3))
        .collect())
}

/// `GET /fragments/live-warnings`.
///
/// # Errors
/// As `App::read`.
pub async fn live(ask: Ask) -> Result<Response, Problem> {
    let live = live_cards(&ask).await?;
    html(&LiveFragment {
        t: Texts::new(ask.language),
        live,
        warnings_new: warnings_new(&ask).await?,
        csrf: csrf(&ask),
    })
}

/// `GET /warnings/{id}`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn one(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let warning = warning_in_path(&ask).await?;
    let viewer = Viewer::of(&ask);
    let mut card = viewer.card(&warning, 2);
    // The page of a warning lists all values.
    card.values = card.body.value.split(", ").filter(|value| !value.is_empty()).map(str::to_owned).collect();
    card.values_more = None;
    let frame = Frame::titled(&ask, Place::Warnings, card.title.clone())
        .await?
        .back_to(&format!("/warnings/{}", warning.id));
    let page = WarningPage {
        t,
        fields: card.body.fields.clone(),
        first: t.moment(warning.first_seen),
        last: t.moment(warning.last_seen),
        raised: t.moment(warning.raised),
        withdrawn: warning.withdrawn.map(|at| t.moment(at)),
        kind: t.known(&format!("value-kind-{}", warning.kind)).unwrap_or_else(|| warning.kind.clone()),
        reports: reports(&viewer, &warning),
        notes: notes(&viewer, &warning),
        card,
        frame,
    };
    html(&page)
}

fn reports(viewer: &Viewer<'_>, warning: &Warning) -> Vec<ReportRow> {
    let (t, directory, mine) = (viewer.t, viewer.ask.app.directory(), viewer.ask.reader().member());
    let own_word = viewer.ask.app.pseudonym(warning.group, mine);
    let mut unnamed = 0_usize;
    let mut reported: Vec<_> = warning.reports.values().collect();
    reported.sort_by_key(|reported| reported.first_seen);
    reported
        .into_iter()
        .map(|reported| ReportRow {
            who: match &reported.reporter {
                Reporter::Member(member) => {
                    directory.member(*member).map_or_else(|| member.to_string(), |member| member.name.clone())
                }
                Reporter::Pseudonym(word) if *word == own_word => t.text("reporter-own"),
                Reporter::Pseudonym(_) => {
                    unnamed += 1;
                    t.count("reporter-unnamed", unnamed)
                }
            },
            sectors: t.sectors(&reported.sectors),
            first: t.moment(reported.first_seen),
            last: t.moment(reported.last_seen),
            count: t.number(reported.count),
        })
        .collect()
}

fn notes(viewer: &Viewer<'_>, warning: &Warning) -> Vec<NoteRow> {
    let (t, directory) = (viewer.t, viewer.ask.app.directory());
    let mut notes: Vec<NoteRow> = warning
        .acknowledged
        .iter()
        .map(|(member, taken)| NoteRow {
            who: directory.member(*member).map_or_else(|| member.to_string(), |member| member.name.clone()),
            machine: taken.by_machine.map(|at| t.moment(at)),
            person: taken.by_person.map(|at| t.moment(at)),
            note: taken.note.clone(),
        })
        .collect();
    notes.sort_by(|a, b| a.who.cmp(&b.who));
    notes
}

/// `POST /warnings/{id}/acknowledge`.
///
/// # Errors
/// 404 when absent or hidden, else as `App::append`.
pub async fn acknowledge(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let note = Some(form.get("note").to_owned()).filter(|note| !note.is_empty());
    let warning = take_note(&ask, Taken::ByPerson, note).await?;
    if !ask.headers.contains_key("hx-request") {
        return Ok(see_other(&format!("/warnings/{}", warning.id)));
    }
    // The card is part of a fragment that is fetched anew: the same way whoever took note.
    let text = Texts::new(ask.language).text("warning-acknowledged-toast");
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert("hx-trigger", toast(&text)?);
    Ok(response)
}

/// The header that shows `text` for a moment and has the page's warnings fetched anew.
fn toast(text: &str) -> Result<HeaderValue, Problem> {
    let told =
        serde_json::json!({"sw:toast": {"text": text, "tone": "good"}, "sw:refresh-warning": {}}).to_string();
    let ascii: String = told.encode_utf16().fold(String::with_capacity(told.len()), |mut ascii, unit| {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(char::from(byte)),
            // A header holds ASCII; JSON can say the rest in it.
            _ => ascii.push_str(&format!("\\u{unit:04x}")),
        }
        ascii
    });
    HeaderValue::from_str(&ascii).map_err(|error| Problem::fault(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_take_what_they_say() {
        assert_eq!(Show::of(None), Show::Open);
        assert_eq!(Show::of(Some("new")), Show::New);
        assert_eq!(Show::of(Some("'")), Show::Open);
        assert!(Show::Open.takes(false, false) && !Show::Open.takes(true, true));
        assert!(
            Show::New.takes(false, true) && !Show::New.takes(false, false) && !Show::New.takes(true, true)
        );
        assert!(Show::All.takes(true, false));
    }

    #[test]
    fn a_toast_fits_in_a_header_in_any_language() {
        let header = toast("Alerte acquittée 🛡").unwrap();
        let read: serde_json::Value = serde_json::from_str(header.to_str().unwrap()).unwrap();
        assert_eq!(read["sw:toast"]["text"], "Alerte acquittée 🛡");
        assert!(read["sw:refresh-warning"].is_object());
    }
}
