//! The quarantine as a page: what is held back and why, and a curator's decision about each.

use askama::Template;
use axum::response::Response;
use shieldwall_model::access::Action;

use crate::api::held::{self, HeldBody};
use crate::ask::{Ask, see_other};
use crate::pages::frame::{Frame, Place};
use crate::pages::intelligence::{named_group, owner_name};
use crate::pages::markup::Html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// An object held back, as its row shows it.
struct Row {
    key: String,
    group: String,
    group_name: String,
    name: String,
    id: String,
    tlp: Html,
    why: String,
    detail: String,
    owner: String,
    held: Html,
    own: bool,
}

#[derive(Template)]
#[template(path = "intelligence/held.html")]
struct HeldPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    may_curate: bool,
    error: Option<String>,
}

async fn render(ask: &Ask, error: Option<&Problem>) -> Result<HeldPage, Problem> {
    let t = Texts::new(ask.language);
    let mine = ask.reader().member().to_string();
    let row = |body: HeldBody| Row {
        group_name: named_group(ask, t, &body.group),
        tlp: t.tlp(body.marking.as_deref()),
        why: t.known(&format!("held-{}", body.code.replace(['.', '_'], "-"))).unwrap_or(body.code),
        owner: owner_name(ask, t, Some(&body.owner)),
        held: t.moment(&body.held),
        own: body.owner == mine,
        key: body.key,
        group: body.group,
        name: body.name,
        id: body.id,
        detail: body.reason,
    };
    let rows = held::all(ask).await?.into_iter().map(row).collect();
    Ok(HeldPage {
        t,
        frame: Frame::of(ask, Place::Intelligence, "held-title").await?.back_to("/intelligence/held"),
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence/held"),
        rows,
        may_curate: ask.reader().may(Action::CurateIntelligence),
        error: error.map(|problem| t.problem(problem)),
    })
}

/// `GET /intelligence/held`.
///
/// # Errors
/// As `App::read`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    html(&render(&ask, None).await?)
}

/// `POST /intelligence/held`: releases or rejects, as the button that was pressed says.
///
/// # Errors
/// 404 when absent or hidden; what cannot be so is the page again.
pub async fn decide(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let desk = held::desk(&ask, form.get("group"))?;
    let done = match form.get("do") {
        "release" => desk.release(form.get("key")).await,
        _ => desk.reject(form.get("key"), form.get("reason")).await,
    };
    match done {
        Ok(()) => Ok(see_other("/intelligence/held")),
        Err(problem)
            if problem.status.is_client_error() && problem.status != axum::http::StatusCode::NOT_FOUND =>
        {
            html_about(&problem, &render(&ask, Some(&problem)).await?)
        }
        Err(problem) => Err(problem),
    }
}
