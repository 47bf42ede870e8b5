//! Handing intelligence in by page: paste or upload, see what would become of it, see who will see it, share.
//!
//! Nothing is kept between the steps but in the form itself, and the one that shares judges anew: what is recorded is
//! what the door says then, not what an older preview said.

use std::str::FromStr;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use shieldwall_exchange::list::{self, Mapping};
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;

use crate::api::preview::Offered;
use crate::api::{Refused, Report};
use crate::ask::{Ask, Form as Submitted};
use crate::intake::{Desk, Form, Given, ListOptions};
use crate::pages::audience::{AudiencePanel, Meaning, meanings};
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::intelligence::{is_value, with_any};
use crate::pages::markup::Html;
use crate::pages::members::group_name;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// Rows of each table a preview shows; the numbers are always whole.
const ROWS_MAX: usize = 100;
/// Longest name, in characters, so that it stays below the limit in bytes.
const NAME_CHARACTERS_MAX: usize = limits::NAME_BYTES_MAX / 4;

/// What was typed.
struct Typed {
    content: String,
    group: GroupId,
    given: Given,
}

impl Typed {
    fn blank() -> Self {
        Self { content: String::new(), group: GroupId::ALLIANCE, given: Given::default() }
    }

    fn form(&self) -> &'static str {
        self.given.form.map_or("", Form::as_str)
    }

    fn marking(&self) -> &'static str {
        self.given.list.marking.map_or("", Tlp::as_str)
    }

    fn name(&self) -> &str {
        self.given.list.name.as_deref().unwrap_or_default()
    }

    fn column(&self, which: &str) -> &str {
        let column = self.given.columns.as_ref().and_then(|columns| match which {
            "kind-column" => columns.kind.as_deref(),
            "label-column" => columns.label.as_deref(),
            _ => Some(columns.value.as_str()),
        });
        column.unwrap_or_default()
    }
}

/// A column to choose.
struct ColumnField {
    name: &'static str,
    label: String,
    choices: Vec<Choice>,
}

/// An object that would be shared, as its row shows it.
struct SharedRow {
    name: String,
    is_value: bool,
    object_type: String,
    tlp: Html,
    revises: bool,
}

/// Something refused or remarked on, as its row shows it.
struct RefusedRow {
    place: String,
    id: Option<String>,
    reason: String,
    code: String,
}

/// What would become of what was handed in, or did.
struct Outcome {
    format: String,
    is_list: bool,
    is_csv: bool,
    /// How many objects lose parts, in words.
    cut: Option<String>,
    accepted: String,
    none: bool,
    repeated: String,
    refused: String,
    refused_said: String,
    has_refused: bool,
    shared: Vec<SharedRow>,
    shared_more: Option<String>,
    refusals: Vec<RefusedRow>,
    refusals_more: Option<String>,
    remarks: Vec<RefusedRow>,
    meanings: Vec<Meaning>,
}

/// One of the four steps.
struct Step {
    label: String,
    current: bool,
    done: bool,
}

#[derive(Template)]
#[template(path = "intelligence/import.html")]
struct ImportPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    step: u8,
    steps: Vec<Step>,
    most: String,
    error: Option<String>,
    typed: Typed,
    groups: Vec<Choice>,
    roles: Vec<Choice>,
    markings: Vec<Choice>,
    formats: Vec<Choice>,
    columns: Vec<ColumnField>,
    outcome: Option<Outcome>,
    audience: Option<AudiencePanel>,
}

/// `GET /intelligence/import`.
///
/// # Errors
/// As `App::read`.
pub async fn start(ask: Ask) -> Result<Response, Problem> {
    html(&page(&ask, 1, Typed::blank(), None, None).await?)
}

/// `POST /intelligence/import`: the step the form names: `preview`, `audience` or `share`.
///
/// # Errors
/// 404 for a group the member is not party to; what cannot be read is the form again.
pub async fn go_on(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let typed = typed(&form)?;
    // Hidden and absent groups answer alike, before anything is said of what was typed.
    let desk = Desk::of(&ask, typed.group)?;
    let judged = match content(&form, &typed) {
        Ok(bytes) => desk.judge_any(bytes, &typed.given).await,
        Err(problem) => Err(problem),
    };
    let (read_as, judged) = match judged {
        Ok(judged) => judged,
        Err(problem) if problem.status.is_client_error() => return again(&ask, typed, &problem).await,
        Err(problem) => return Err(problem),
    };
    // A file becomes the form's text from here on.
    let typed = match form.file("file").filter(|bytes| !bytes.is_empty()) {
        Some(bytes) => Typed { content: String::from_utf8_lossy(bytes).into_owned(), ..typed },
        None => typed,
    };
    let step = match form.get("step") {
        "share" => 4,
        "audience" if !judged.good.is_empty() => 3,
        _ => 2,
    };
    let t = Texts::new(ask.language);
    let cut = judged.good.iter().filter(|good| good.cut).count();
    let markings: Vec<Option<Tlp>> = judged.good.iter().map(|good| good.object.tlp).collect();
    let shared: Vec<Offered> = judged.good.iter().take(ROWS_MAX).map(Offered::from).collect();
    let report = if step == 4 { desk.record(judged).await? } else { judged.report };
    let outcome = Outcome { cut: (cut > 0).then(|| t.count("import-cut-parts", cut)), ..outcome(t, read_as, &report, &shared, &markings) };
    html(&page(&ask, step, typed, Some(outcome), None).await?)
}

/// The first step again, with what is wrong.
async fn again(ask: &Ask, typed: Typed, problem: &Problem) -> Result<Response, Problem> {
    let said = Texts::new(ask.language).problem(problem);
    html_about(problem, &page(ask, 1, typed, None, Some(said)).await?)
}

fn typed(form: &Submitted) -> Result<Typed, Problem> {
    fn read<T: FromStr>(form: &Submitted, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let text = Some(form.get(name)).filter(|text| !text.is_empty());
        let unknown = |error: T::Err| Problem::unreadable("query.unreadable", error.to_string());
        text.map(|text| text.parse().map_err(unknown)).transpose()
    }
    let text = |name: &str| Some(form.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let name = text("name").map(|name| name.chars().take(NAME_CHARACTERS_MAX).collect());
    Ok(Typed {
        content: form.verbatim("content").to_owned(),
        group: match form.get("group") {
            "" => GroupId::ALLIANCE,
            group => group.parse().map_err(|_| Problem::absent())?,
        },
        given: Given {
            form: read::<Form>(form, "format")?,
            columns: text("column").map(|value| Mapping {
                value,
                kind: text("kind-column"),
                label: text("label-column"),
            }),
            list: ListOptions {
                role: read::<IndicatorRole>(form, "role")?.unwrap_or_default(),
                marking: read::<Tlp>(form, "marking")?,
                name,
            },
        },
    })
}

/// What was handed in: the file if there is one, else what was pasted.
fn content<'f>(form: &'f Submitted, typed: &'f Typed) -> Result<&'f [u8], Problem> {
    let bytes =
        form.file("file").filter(|bytes| !bytes.is_empty()).unwrap_or_else(|| typed.content.as_bytes());
    if bytes.len() > limits::IMPORT_PAGE_BYTES_MAX {
        let detail = format!(
            "this page takes at most {} bytes; send more with `shieldwall feed import`",
            limits::IMPORT_PAGE_BYTES_MAX
        );
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "import.too_large", detail));
    }
    Ok(bytes)
}

fn outcome(t: Texts, form: Form, report: &Report, shared: &[Offered], markings: &[Option<Tlp>]) -> Outcome {
    let more = |all: usize, shown: usize| (all > shown).then(|| t.count("rows-more", all - shown));
    Outcome {
        format: t.text(&format!("format-{}", form.as_str())),
        is_list: form != Form::Stix,
        is_csv: form == Form::Csv,
        cut: None,
        accepted: t.number(if report.accepted == 0 { markings.len() } else { report.accepted }),
        none: markings.is_empty(),
        repeated: t.number(report.repeated),
        refused: t.number(report.refused.len()),
        refused_said: t.count("import-cut", report.refused.len()),
        has_refused: !report.refused.is_empty(),
        shared: shared
            .iter()
            .map(|one| SharedRow {
                is_value: is_value(&one.name),
                name: one.name.clone(),
                object_type: t.object_type(&one.object_type),
                tlp: t.tlp(one.marking.as_deref()),
                revises: one.revises,
            })
            .collect(),
        shared_more: more(markings.len(), shared.len()),
        refusals: report.refused.iter().take(ROWS_MAX).map(|one| refusal(t, one)).collect(),
        refusals_more: more(report.refused.len(), ROWS_MAX),
        remarks: report.warnings.iter().take(ROWS_MAX).map(|one| refusal(t, one)).collect(),
        meanings: meanings(t, markings.iter().map(|tlp| tlp.map(Tlp::as_str))),
    }
}

fn refusal(t: Texts, refused: &Refused) -> RefusedRow {
    RefusedRow {
        place: refused.path.clone(),
        id: refused.id.clone(),
        reason: t
            .known(&format!("problem-{}", refused.code.replace(['.', '_'], "-")))
            .unwrap_or_else(|| refused.reason.clone()),
        code: refused.code.clone(),
    }
}

/// The columns of a CSV to choose from, by number and by what stands in the first row.
fn columns(t: Texts, typed: &Typed) -> Vec<ColumnField> {
    let first = list::first_row(typed.content.as_bytes());
    let named = || (1..).zip(&first).map(|(number, text): (usize, _)| (number.to_string(), format!("{number}: {text}")));
    [("column", "import-column"), ("kind-column", "import-column-kind"), ("label-column", "import-column-label")]
        .into_iter()
        .map(|(name, key)| ColumnField {
            name,
            label: t.text(key),
            choices: with_any(
                t.text("import-column-any"),
                Some(typed.column(name)).filter(|chosen| !chosen.is_empty()),
                named(),
            ),
        })
        .collect()
}

async fn page(
    ask: &Ask,
    step: u8,
    typed: Typed,
    outcome: Option<Outcome>,
    error: Option<String>,
) -> Result<ImportPage, Problem> {
    let t = Texts::new(ask.language);
    let (directory, mine) = (ask.app.directory(), ask.reader().member());
    let mut groups: Vec<(bool, bool, Choice)> = directory
        .groups_of(mine)
        .map(|group| {
            let label = format!("{} ({})", group_name(t, &directory, group.id, mine), group.ceiling);
            let choice = Choice { value: group.id.to_string(), label, chosen: group.id == typed.group };
            (group.id == GroupId::home_of(mine), group.id != GroupId::ALLIANCE, choice)
        })
        .collect();
    // The alliance's first, one's own last.
    groups.sort_by(|a, b| (a.0, a.1, &a.2.label).cmp(&(b.0, b.1, &b.2.label)));
    let names = ["import-step-give", "import-step-preview", "import-step-audience", "import-step-report"];
    let columns = if outcome.as_ref().is_some_and(|outcome| outcome.is_csv) { columns(t, &typed) } else { Vec::new() };
    Ok(ImportPage {
        t,
        frame: Frame::of(ask, Place::Intelligence, "import-title").await?.back_to("/intelligence/import"),
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence/import"),
        step,
        steps: (1_u8..)
            .zip(names)
            .map(|(number, name)| Step { label: t.text(name), current: number == step, done: number < step })
            .collect(),
        most: t.number(limits::IMPORT_PAGE_BYTES_MAX / 1024 / 1024),
        error,
        groups: groups.into_iter().map(|(_, _, choice)| choice).collect(),
        roles: IndicatorRole::ALL
            .into_iter()
            .map(|role| Choice {
                value: role.as_str().into(),
                label: t.text(&format!("role-label-{}", role.as_str())),
                chosen: role == typed.given.list.role,
            })
            .collect(),
        markings: with_any(
            t.text("marking-none"),
            Some(typed.marking()).filter(|marking| !marking.is_empty()),
            Tlp::ALL.into_iter().map(|tlp| (tlp.as_str().to_owned(), tlp.to_string())),
        ),
        formats: with_any(
            t.text("format-any"),
            typed.given.form.map(Form::as_str),
            Form::ALL.into_iter().map(|form| (form.as_str().to_owned(), t.text(&format!("format-{}", form.as_str())))),
        ),
        columns,
        audience: AudiencePanel::of(t, &directory, typed.group, mine).filter(|_| step >= 2),
        outcome,
        typed,
    })
}
