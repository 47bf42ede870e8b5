//! Handing intelligence in by page: paste or upload, see what would become of it, see who will see it, share.
//!
//! Nothing is kept between the steps but in the form itself, and the one that shares judges anew: what is recorded is
//! what the door says then, not what an older preview said.

use std::collections::BTreeSet;
use std::str::FromStr;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use shieldwall_exchange::list::{self, Mapping};
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;

use crate::api::{Refused, Report};
use crate::ask::{Ask, Form as Submitted};
use crate::intake::{Desk, Form, Given, ListOptions, Look};
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
    held: Vec<RefusedRow>,
    held_more: Option<String>,
    held_said: Option<String>,
    /// Whether there is anything to hand in.
    goes_on: bool,
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
    audiences: Vec<AudiencePanel>,
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
    let looked = match content(&form, &typed) {
        Ok(bytes) => desk.look(&ask, bytes, &typed.given).await,
        Err(problem) => Err(problem),
    };
    let look = match looked {
        Ok(look) => look,
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
        "audience" if !look.good.is_empty() || !look.report.held.is_empty() => 3,
        _ => 2,
    };
    let report = match step {
        4 => Some(desk.take_any(&ask, typed.content.as_bytes(), &typed.given).await?),
        _ => None,
    };
    html(&page(&ask, step, typed, Some((look, report)), None).await?)
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
    let sent = |name: &str| Some(form.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let name = sent("name").map(|name| name.chars().take(NAME_CHARACTERS_MAX).collect());
    Ok(Typed {
        content: form.verbatim("content").to_owned(),
        group: match form.get("group") {
            "" => GroupId::ALLIANCE,
            group => group.parse().map_err(|_| Problem::absent())?,
        },
        given: Given {
            form: read::<Form>(form, "format")?,
            columns: sent("column").map(|value| Mapping {
                value,
                kind: sent("kind-column"),
                label: sent("label-column"),
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
    let bytes = form.file("file").filter(|bytes| !bytes.is_empty()).unwrap_or(typed.content.as_bytes());
    if bytes.len() > limits::IMPORT_PAGE_BYTES_MAX {
        let detail = format!(
            "this page takes at most {} bytes; send more with `shieldwall feed import`",
            limits::IMPORT_PAGE_BYTES_MAX
        );
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "import.too_large", detail));
    }
    Ok(bytes)
}

fn outcome(t: Texts, look: &Look, report: &Report, done: bool) -> Outcome {
    let more = |all: usize, shown: usize| (all > shown).then(|| t.count("rows-more", all - shown));
    let Look { form, good, .. } = look;
    let cut = good.iter().filter(|(_, good)| good.cut).count();
    let shared = good.iter().take(ROWS_MAX).map(|(_, good)| SharedRow {
        is_value: is_value(&good.object().title),
        name: good.object().title.clone(),
        object_type: t.object_type(good.object().object_type()),
        tlp: t.tlp(good.object().tlp.map(Tlp::as_str)),
        revises: good.revises,
    });
    let rows = |list: &[Refused]| list.iter().take(ROWS_MAX).map(|one| refusal(t, one)).collect::<Vec<_>>();
    Outcome {
        format: t.text(&format!("format-{}", form.as_str())),
        is_list: !matches!(form, Form::Stix | Form::Misp),
        is_csv: *form == Form::Csv,
        accepted: t.number(report.accepted),
        none: if done { report.accepted == 0 } else { good.is_empty() },
        goes_on: !good.is_empty() || !report.held.is_empty(),
        repeated: t.number(report.repeated),
        refused: t.number(report.refused.len()),
        refused_said: t.count("import-cut", report.refused.len()),
        has_refused: !report.refused.is_empty(),
        held_said: (!report.held.is_empty()).then(|| t.count("import-held-said", report.held.len())),
        cut: (cut > 0).then(|| t.count("import-cut-parts", cut)),
        shared: shared.collect(),
        shared_more: more(good.len(), ROWS_MAX),
        held: rows(&report.held),
        held_more: more(report.held.len(), ROWS_MAX),
        refusals: rows(&report.refused),
        refusals_more: more(report.refused.len(), ROWS_MAX),
        remarks: rows(&report.warnings),
        meanings: meanings(t, good.iter().map(|(_, good)| good.object().tlp.map(Tlp::as_str))),
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
    let named = || {
        (1..).zip(&first).map(|(number, text): (usize, _)| (number.to_string(), format!("{number}: {text}")))
    };
    [
        ("column", "import-column"),
        ("kind-column", "import-column-kind"),
        ("label-column", "import-column-label"),
    ]
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
    looked: Option<(Look, Option<Report>)>,
    error: Option<String>,
) -> Result<ImportPage, Problem> {
    let t = Texts::new(ask.language);
    let (directory, mine) = (ask.app.directory(), ask.reader().member());
    let outcome = looked
        .as_ref()
        .map(|(look, done)| outcome(t, look, done.as_ref().unwrap_or(&look.report), done.is_some()));
    let mut seen_in: BTreeSet<GroupId> =
        looked.iter().flat_map(|(look, _)| &look.good).map(|(group, _)| *group).collect();
    if seen_in.is_empty() {
        seen_in.insert(typed.group);
    }
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
    let columns =
        if outcome.as_ref().is_some_and(|outcome| outcome.is_csv) { columns(t, &typed) } else { Vec::new() };
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
            Form::ALL
                .into_iter()
                .map(|form| (form.as_str().to_owned(), t.text(&format!("format-{}", form.as_str())))),
        ),
        columns,
        audiences: seen_in
            .into_iter()
            .filter_map(|group| AudiencePanel::of(t, &directory, group, mine))
            .collect(),
        outcome,
        typed,
    })
}
