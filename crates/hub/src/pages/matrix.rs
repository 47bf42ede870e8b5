//! The ATT&CK matrix, coloured by what the alliance has seen; the same as a list beside it.

use askama::Template;
use axum::response::Response;
use shieldwall_model::access::Action;

use crate::api::matrix::{self, MatrixRead, Seen, TechniqueRead};
use crate::ask::Ask;
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// A cell.
struct Cell {
    id: String,
    number: String,
    name: String,
    /// Of the technique alone.
    band: u8,
    /// Of the technique and what is under it: what the folded cell shows.
    folded: u8,
    /// What was seen, in words; empty where nothing was.
    said: String,
    parts: Vec<Cell>,
    parts_said: String,
}

/// A column.
struct Column {
    name: String,
    href: Option<String>,
    count: String,
    cells: Vec<Cell>,
}

/// A technique as the list shows it.
struct Row {
    id: String,
    number: String,
    name: String,
    tactics: String,
    band: u8,
    seen: Seen,
}

/// One step of the legend.
struct Step {
    band: u8,
    label: String,
    count: String,
}

#[derive(Template)]
#[template(path = "intelligence/matrix.html")]
struct MatrixPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    domains: Vec<Choice>,
    columns: Vec<Column>,
    legend: Vec<Step>,
    rows: Vec<Row>,
    at_least: bool,
    only_seen: bool,
    all_href: String,
    seen_href: String,
    may_share: bool,
}

/// `GET /intelligence/matrix`.
///
/// # Errors
/// 404 for a matrix that is not here.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let read = matrix::of(&ask).await?;
    let only_seen = ask.query("show") == Some("seen");
    let domain = read.domain.clone().unwrap_or_default();
    let href = |show: &str| {
        let mut written = url::form_urlencoded::Serializer::new(String::new());
        written.append_pair("domain", &domain).append_pair("show", show);
        format!("/intelligence/matrix?{}", written.finish())
    };
    let rows = rows(&read);
    let legend = (0..4)
        .map(|band| Step {
            band,
            label: t.text(&format!("matrix-band-{band}")),
            count: t.number(rows.iter().filter(|row| row.band == band).count()),
        })
        .collect();
    html(&MatrixPage {
        t,
        frame: Frame::of(&ask, Place::Intelligence, "matrix-title").await?,
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence/matrix"),
        domains: read
            .domains
            .iter()
            .map(|one| Choice {
                value: one.domain.clone(),
                label: one.name.clone(),
                chosen: one.domain == domain,
            })
            .collect(),
        at_least: read.at_least,
        columns: columns(t, read, only_seen),
        legend,
        rows,
        only_seen,
        all_href: href("all"),
        seen_href: href("seen"),
        may_share: ask.reader().may(Action::ShareIntelligence),
    })
}

fn columns(t: Texts, read: MatrixRead, only_seen: bool) -> Vec<Column> {
    read.tactics
        .into_iter()
        .map(|tactic| {
            let cells: Vec<Cell> = tactic
                .techniques
                .into_iter()
                .map(|technique| cell(t, technique))
                .filter(|cell| !only_seen || cell.folded > 1)
                .collect();
            Column {
                href: tactic.id.map(|id| format!("/intelligence/{id}")),
                count: t.count("matrix-techniques", cells.len()),
                name: tactic.name,
                cells,
            }
        })
        .collect()
}

fn cell(t: Texts, technique: TechniqueRead) -> Cell {
    let parts: Vec<Cell> = technique.parts.into_iter().map(|part| cell(t, part)).collect();
    let band = technique.seen.band();
    Cell {
        folded: parts.iter().map(|part| part.folded).fold(band, u8::max),
        parts_said: if parts.is_empty() { String::new() } else { t.count("matrix-parts", parts.len()) },
        id: technique.id,
        number: technique.number,
        name: technique.name,
        band,
        said: said(t, &technique.seen),
        parts,
    }
}

/// The strongest thing known, in few words.
fn said(t: Texts, seen: &Seen) -> String {
    match seen.band() {
        3 => t.count("matrix-said-warnings", seen.warnings),
        2 => t.count("matrix-said-indicators", seen.indicators),
        1 => t.count("matrix-said-users", seen.users),
        _ => String::new(),
    }
}

/// Every technique once, with all its tactics; the strongest first.
fn rows(read: &MatrixRead) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut at: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for tactic in &read.tactics {
        for technique in tactic.techniques.iter().flat_map(|one| std::iter::once(one).chain(&one.parts)) {
            let known = at.get(technique.id.as_str()).and_then(|index| rows.get_mut(*index));
            if let Some(row) = known {
                row.tactics = format!("{}, {}", row.tactics, tactic.name);
                continue;
            }
            at.insert(&technique.id, rows.len());
            rows.push(Row {
                id: technique.id.clone(),
                number: technique.number.clone(),
                name: technique.name.clone(),
                tactics: tactic.name.clone(),
                band: technique.seen.band(),
                seen: technique.seen,
            });
        }
    }
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.band, row.seen.warnings, row.seen.indicators, row.seen.users);
        key(b).cmp(&key(a)).then_with(|| a.number.cmp(&b.number))
    });
    rows
}
