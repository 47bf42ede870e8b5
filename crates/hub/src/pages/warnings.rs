//! Warnings as people read them: what was seen, by whom, what to check and block, and saying that one has read it.

use askama::Template;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use shieldwall_assess::entries::{Reporter, Taken};
use shieldwall_assess::view::Warning;
use shieldwall_model::access::Action;

use crate::api::warnings::{newest, one as warning_in_path, take_note};
use crate::ask::{Ask, see_other};
use crate::pages::cards::{Card, Together, Viewer, arrange, is_new};
use crate::pages::frame::{Frame, Place, csrf, warnings_new};
use crate::pages::html;
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Most warnings on the page: the newest.
const WARNINGS_MAX: usize = 200;
/// Most warnings beside the picture.
const LIVE_MAX: usize = 5;
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

async fn arranged(ask: &Ask, show: Show) -> Result<Vec<Together>, Problem> {
    let warnings = newest(&ask.app, ask.scope()?, WARNINGS_MAX).await?;
    let mine = ask.reader().member();
    let shown: Vec<Warning> = warnings
        .iter()
        .filter(|warning| show.takes(warning.withdrawn.is_some(), is_new(warning, mine)))
        .cloned()
        .collect();
    Ok(arrange(&Viewer::of(ask), &shown))
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
            count: match reported.count {
                0 => t.text("warning-past"),
                count => t.number(count),
            },
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
    let also: Vec<String> = form.all("also").take(WARNINGS_MAX).map(str::to_owned).collect();
    for id in &also {
        // Each is asked for as if its own address had been: what the reader may not see answers 404 here too.
        ask.path.insert("id".into(), id.clone());
        take_note(&ask, Taken::ByPerson, None).await?;
    }
    if !ask.headers.contains_key("hx-request") {
        let back = if also.is_empty() { format!("/warnings/{}", warning.id) } else { "/warnings".into() };
        return Ok(see_other(&back));
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
