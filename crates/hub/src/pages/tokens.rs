//! API tokens, for the operator: made (the text is shown once), listed, revoked after a second look.

use askama::Template;
use axum::response::Response;
use shieldwall_model::limits;

use crate::api::tokens::{self, NewToken, TokenBody, TokenMade};
use crate::ask::{Ask, see_other};
use crate::pages::forms::{self, Choice};
use crate::pages::frame::{Frame, Place};
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// A token as its row shows it.
struct Row {
    token: TokenBody,
    role: String,
    state: Html,
    good: bool,
}

/// A token as typed.
struct Typed {
    label: String,
    member: String,
    role: String,
    days: String,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            label: String::new(),
            member: String::new(),
            role: "sensor".into(),
            days: limits::TOKEN_DAYS_DEFAULT.to_string(),
        }
    }
}

#[derive(Template)]
#[template(path = "tokens/page.html")]
struct TokensPage {
    t: Texts,
    frame: Frame,
    tab: &'static str,
    rows: Vec<Row>,
    typed: Typed,
    members: Vec<Choice>,
    roles: Vec<Choice>,
    days_max: i64,
    made: Option<TokenMade>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "tokens/revoke.html")]
struct RevokePage {
    t: Texts,
    frame: Frame,
    token: TokenBody,
}

async fn render(
    ask: &Ask,
    typed: Typed,
    made: Option<TokenMade>,
    error: Option<String>,
) -> Result<TokensPage, Problem> {
    let t = Texts::new(ask.language);
    let now = ask.app.now().to_string();
    let rows = tokens::all(ask)
        .await?
        .into_iter()
        .map(|token| {
            let (tone, key, good) = if token.revoked.is_some() {
                ("bad", "token-revoked", false)
            } else if token.expires <= now {
                ("outline", "token-expired", false)
            } else {
                ("good", "token-good", true)
            };
            Row {
                role: t.text(&format!("person-role-{}", token.role)),
                state: Html::badge(tone, &t.text(key)),
                good,
                token,
            }
        })
        .collect();
    Ok(TokensPage {
        t,
        frame: Frame::of(ask, Place::Members, "tokens-title").await?.back_to("/tokens"),
        tab: "tokens",
        rows,
        members: forms::members(&ask.app.directory(), std::slice::from_ref(&typed.member)),
        roles: forms::roles(t, &typed.role, true),
        typed,
        days_max: limits::TOKEN_DAYS_MAX,
        made,
        error,
    })
}

/// `GET /tokens`.
///
/// # Errors
/// As `App::accounts`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    html(&render(&ask, Typed::default(), None, None).await?)
}

/// `POST /tokens`: the page that follows shows the token's text, once.
///
/// # Errors
/// As `App::accounts`; what cannot be so is the form again.
pub async fn make(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let form = ask.form().await?;
    let typed = Typed {
        label: form.get("label").to_owned(),
        member: form.get("member").to_owned(),
        role: form.get("role").to_owned(),
        days: form.get("days").to_owned(),
    };
    let new = NewToken {
        label: typed.label.clone(),
        member: typed.member.clone(),
        role: typed.role.clone(),
        // What is no number is refused as a number of days out of range.
        days: Some(typed.days.parse().unwrap_or(0)),
    };
    match tokens::make_token(&ask, &new).await {
        Ok(made) => html(&render(&ask, Typed::default(), Some(made), None).await?),
        Err(problem) if problem.status.is_client_error() => {
            let error = Texts::new(ask.language).problem(&problem);
            html_about(&problem, &render(&ask, typed, None, Some(error)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /tokens/{id}/revoke`: asks once more, and revokes when the form says so.
///
/// # Errors
/// 404 for a token there is not.
pub async fn revoke(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    if form.get("sure") == "yes" {
        tokens::revoke_token(&ask).await?;
        return Ok(see_other("/tokens"));
    }
    let id = ask.path("id")?.to_owned();
    let token =
        tokens::all(&ask).await?.into_iter().find(|token| token.id == id).ok_or_else(Problem::absent)?;
    let frame = Frame::of(&ask, Place::Members, "token-revoke-title").await?.back_to("/tokens");
    html(&RevokePage { t: Texts::new(ask.language), frame, token })
}
