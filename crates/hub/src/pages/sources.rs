//! Sources: what a member takes in on its own; what each last brought, and what a run would bring before it is shared.

use askama::Template;
use axum::response::Response;
use bytes::Bytes;

use crate::api::sources::{NewSource, SourceBody, add_source, named_source, run_fetched, visible};
use crate::ask::{Ask, see_other};
use crate::pages::forms::Choice;
use crate::pages::frame::{Frame, Place};
use crate::pages::markup::Html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;
use crate::sources::run::{Preview, fetch, preview, take};
use crate::sources::{self, Format};

/// Where the page is.
pub const PATH: &str = "/intelligence/sources";
/// Formats to choose from.
const FORMATS: [(&str, Format); 4] =
    [("plain", Format::Plain), ("csv", Format::Csv), ("text", Format::Text), ("stix", Format::Stix)];

/// A source as its row shows it.
struct Row {
    source: SourceBody,
    format: String,
    state: Html,
}

/// A source as typed; the secret is never shown again.
#[derive(Default)]
struct Typed {
    name: String,
    url: String,
    column: String,
}

#[derive(Template)]
#[template(path = "sources/page.html")]
struct SourcesPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    typed: Typed,
    formats: Vec<Choice>,
    groups: Vec<Choice>,
    markings: Vec<Choice>,
    intervals: Vec<Choice>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "sources/preview.html")]
struct PreviewPage {
    t: Texts,
    frame: Frame,
    source: SourceBody,
    preview: Option<Preview>,
    content: String,
    error: Option<String>,
}

fn row(t: Texts, source: SourceBody) -> Row {
    let (tone, key) = match (&source.error, source.busy, &source.done) {
        (_, true, _) => ("good", "exchange-busy"),
        (Some(_), ..) => ("bad", "exchange-failed"),
        (None, _, Some(_)) => ("good", "exchange-good"),
        (None, _, None) => ("outline", "exchange-new"),
    };
    let name = FORMATS.iter().find(|(_, format)| *format == source.format).map_or("plain", |(name, _)| name);
    Row { format: t.text(&format!("source-format-{name}")), state: Html::badge(tone, &t.text(key)), source }
}

async fn render(ask: &Ask, typed: Typed, error: Option<String>) -> Result<SourcesPage, Problem> {
    let t = Texts::new(ask.language);
    let (directory, mine) = (ask.app.directory(), ask.reader().member());
    let groups = directory.groups_of(mine).map(|group| Choice {
        value: group.id.to_string(),
        label: crate::pages::members::group_name(t, &directory, group.id, mine),
        chosen: group.id == shieldwall_model::id::GroupId::ALLIANCE,
    });
    let choice = |value: &str, label: String| Choice { value: value.into(), label, chosen: false };
    let marked =
        ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"].map(|one| choice(one, format!("TLP:{one}")));
    Ok(SourcesPage {
        t,
        frame: Frame::of(ask, Place::Intelligence, "sources-title").await?.back_to(PATH),
        tabs: tabs::intelligence(t, ask.reader(), PATH),
        rows: visible(ask).await?.into_iter().map(|source| row(t, source)).collect(),
        typed,
        formats: FORMATS
            .map(|(name, _)| choice(name, t.text(&format!("source-format-{name}"))))
            .into_iter()
            .collect(),
        groups: groups.collect(),
        markings: [choice("", t.text("source-unmarked"))].into_iter().chain(marked).collect(),
        intervals: ["0", "900", "3600", "86400"]
            .map(|seconds| choice(seconds, t.text(&format!("source-every-{seconds}"))))
            .into_iter()
            .collect(),
        error,
    })
}

/// `GET /intelligence/sources`.
///
/// # Errors
/// As `App::settings`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    html(&render(&ask, Typed::default(), None).await?)
}

/// `POST /intelligence/sources`.
///
/// # Errors
/// As `App::settings`; what cannot be so is the form again.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let some = |name: &str| Some(form.get(name).to_owned()).filter(|text| !text.is_empty());
    let format = FORMATS.iter().find(|(name, _)| *name == form.get("format")).map(|(_, format)| *format);
    let number = |name: &str| some(name).map(|text| text.parse::<i64>().unwrap_or(-1));
    let typed = Typed {
        name: form.get("name").to_owned(),
        url: form.get("url").to_owned(),
        column: form.get("column").to_owned(),
    };
    let new = NewSource {
        name: typed.name.clone(),
        format: format.unwrap_or(Format::Plain),
        url: some("url"),
        user: some("user"),
        secret: some("secret"),
        value_column: some("column"),
        kind_column: None,
        label_column: None,
        group: some("group"),
        role: None,
        marking: some("marking"),
        // What is no number is refused as a number out of range.
        trust: number("trust").map(|trust| u8::try_from(trust).unwrap_or(u8::MAX)),
        expiry_days: number("expiry_days"),
        interval_seconds: number("interval_seconds").filter(|seconds| *seconds != 0),
        authoritative: form.get("authoritative") == "yes",
    };
    match add_source(&ask, new).await {
        Ok(_) => Ok(see_other(PATH)),
        Err(problem) if problem.status.is_client_error() => {
            let error = Texts::new(ask.language).problem(&problem);
            html_about(&problem, &render(&ask, typed, Some(error)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /intelligence/sources/{id}/preview`: what a run would bring, with the content handed in or fetched.
///
/// # Errors
/// 404 for a source there is not.
pub async fn look(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let (key, source) = named_source(&ask).await?;
    let content = form.verbatim("content").to_owned();
    let documents = if !content.is_empty() {
        Ok(vec![Bytes::from(content.clone())])
    } else if source.url.is_some() {
        fetch(&ask.app, &source, None).await.map(Option::unwrap_or_default)
    } else {
        Ok(Vec::new())
    };
    let seen = match documents {
        Ok(documents) if documents.is_empty() => Ok(None),
        Ok(documents) => preview(&ask.app, &key, &source, &documents).await.map(Some),
        Err(error) => Err(error),
    };
    let (preview, error) = match seen {
        Ok(preview) => (preview, None),
        Err(error) => (None, Some(Texts::new(ask.language).problem(&Problem::from(error)))),
    };
    let body = visible(&ask).await?.into_iter().find(|body| body.id == key.id).ok_or_else(Problem::absent)?;
    let frame = Frame::of(&ask, Place::Intelligence, "source-preview-title").await?.back_to(PATH);
    html(&PreviewPage { t: Texts::new(ask.language), frame, source: body, preview, content, error })
}

/// `POST /intelligence/sources/{id}/run`: takes in the content handed in, or has it fetched.
///
/// # Errors
/// As [`look`].
pub async fn run(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    let (key, source) = named_source(&ask).await?;
    if form.get("confirm") == "yes" {
        let state = sources::State { confirmed: true, ..sources::state(&ask.app, &key).await? };
        sources::keep_state(&ask.app, &key, &state).await?;
    }
    match form.verbatim("content") {
        "" => run_fetched(&ask, key, &source)?,
        content => {
            take(&ask.app, &key, &source, Bytes::from(content.to_owned())).await?;
        }
    }
    Ok(see_other(PATH))
}

/// `POST /intelligence/sources/{id}/remove`.
///
/// # Errors
/// 404 for a source there is not.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    let (key, _) = named_source(&ask).await?;
    sources::forget(&ask.app, &key).await?;
    Ok(see_other(PATH))
}
