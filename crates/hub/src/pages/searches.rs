//! The searches a person keeps: the list with what was told, and the form for another.

use askama::Template;
use axum::response::Response;
use shieldwall_model::limits;

use crate::api::searches::{self, NewSearch, SearchBody, SearchMade};
use crate::ask::{Ask, see_other};
use crate::pages::frame::{Frame, Place};
use crate::pages::markup::Html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// A search as its row shows it.
struct Row {
    id: String,
    name: String,
    query: String,
    href: String,
    ways: Vec<String>,
    log: Vec<LogRow>,
}

/// A delivery as its row shows it.
struct LogRow {
    time: Html,
    way: String,
    outcome: String,
    objects: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "intelligence/saved.html")]
struct SavedPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    typed: NewSearch,
    webhook: String,
    email: String,
    sends_mail: bool,
    name_max: usize,
    query_max: usize,
    made: Option<SearchMade>,
    error: Option<String>,
}

fn row(t: Texts, search: SearchBody) -> Row {
    let mut href = url::form_urlencoded::Serializer::new(String::from("/intelligence?"));
    href.append_pair("q", &search.query);
    let mut ways = Vec::new();
    if search.stream {
        ways.push(t.text("saved-way-stream"));
    }
    ways.extend(search.webhook.as_ref().map(|url| format!("{}: {url}", t.text("saved-way-webhook"))));
    ways.extend(search.email.as_ref().map(|address| format!("{}: {address}", t.text("saved-way-email"))));
    let log = search
        .log
        .iter()
        .map(|one| LogRow {
            time: t.moment(&one.time),
            way: t.text(&format!("saved-way-{}", one.channel)),
            outcome: t.text(&format!("saved-outcome-{}", one.outcome)),
            objects: t.count("shared-count", one.objects),
            error: one.error.clone(),
        })
        .collect();
    Row { id: search.id, name: search.name, query: search.query, href: href.finish(), ways, log }
}

async fn render(
    ask: &Ask,
    typed: NewSearch,
    made: Option<SearchMade>,
    error: Option<String>,
) -> Result<SavedPage, Problem> {
    let t = Texts::new(ask.language);
    Ok(SavedPage {
        t,
        frame: Frame::of(ask, Place::Intelligence, "saved-title").await?.back_to("/intelligence/saved"),
        tabs: tabs::intelligence(t, ask.reader(), "/intelligence/saved"),
        rows: searches::all(ask).await?.into_iter().map(|search| row(t, search)).collect(),
        webhook: typed.webhook.clone().unwrap_or_default(),
        email: typed.email.clone().unwrap_or_default(),
        typed,
        sends_mail: ask.app.config().mail.is_some(),
        name_max: limits::NAME_BYTES_MAX,
        query_max: limits::SEARCH_BYTES_MAX,
        made,
        error,
    })
}

/// `GET /intelligence/saved`; `query` fills the form.
///
/// # Errors
/// As `App::settings`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let typed = NewSearch {
        query: ask.query("query").unwrap_or_default().to_owned(),
        stream: true,
        ..NewSearch::default()
    };
    html(&render(&ask, typed, None, None).await?)
}

/// `POST /intelligence/saved`: the page that follows shows the secret of a webhook, once.
///
/// # Errors
/// As `App::settings`; what cannot be so is the form again.
pub async fn make(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let typed = NewSearch {
        name: form.get("name").to_owned(),
        query: form.get("query").to_owned(),
        stream: form.get("stream") == "yes",
        webhook: Some(form.get("webhook").to_owned()),
        email: Some(form.get("email").to_owned()),
    };
    match searches::keep(&ask, &typed).await {
        Ok(made) if made.secret.is_none() => Ok(see_other("/intelligence/saved")),
        Ok(made) => {
            let typed = NewSearch { stream: true, ..NewSearch::default() };
            html(&render(&ask, typed, Some(made), None).await?)
        }
        Err(problem) if problem.status.is_client_error() => {
            let error = Texts::new(ask.language).problem(&problem);
            html_about(&problem, &render(&ask, typed, None, Some(error)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /intelligence/saved/{id}/remove`.
///
/// # Errors
/// 404 for a search the reader does not keep.
pub async fn remove(mut ask: Ask) -> Result<Response, Problem> {
    // Read, so that the form's token is part of what was sent.
    ask.form().await?;
    searches::let_go(&ask).await?;
    Ok(see_other("/intelligence/saved"))
}
