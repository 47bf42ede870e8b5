//! People with accounts, for the operator.

use askama::Template;
use axum::response::Response;
use shieldwall_model::limits;

use crate::api::users::{self, NewUser, UserBody};
use crate::ask::{Ask, see_other};
use crate::pages::forms::{self, Choice};
use crate::pages::frame::{Frame, Place};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// A person as the row shows them.
struct Row {
    user: UserBody,
    role: String,
}

/// A person as typed; the password is never shown again.
#[derive(Default)]
struct Typed {
    name: String,
    member: String,
    role: String,
}

#[derive(Template)]
#[template(path = "people/page.html")]
struct PeoplePage {
    t: Texts,
    frame: Frame,
    tab: &'static str,
    rows: Vec<Row>,
    typed: Typed,
    members: Vec<Choice>,
    roles: Vec<Choice>,
    password_min: usize,
    error: Option<String>,
}

async fn render(ask: &Ask, typed: Typed, error: Option<String>) -> Result<PeoplePage, Problem> {
    let t = Texts::new(ask.language);
    let rows = users::all(ask)
        .await?
        .into_iter()
        .map(|user| Row { role: t.text(&format!("person-role-{}", user.role)), user })
        .collect();
    Ok(PeoplePage {
        t,
        frame: Frame::of(ask, Place::Members, "people-title").await?.back_to("/people"),
        tab: "people",
        rows,
        members: forms::members(&ask.app.directory(), std::slice::from_ref(&typed.member)),
        roles: forms::roles(t, &typed.role, false),
        typed,
        password_min: limits::PASSWORD_CHARACTERS_MIN,
        error,
    })
}

/// `GET /people`.
///
/// # Errors
/// As `App::accounts`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    html(&render(&ask, Typed { role: "analyst".into(), ..Typed::default() }, None).await?)
}

/// `POST /people`.
///
/// # Errors
/// As `App::accounts`; what cannot be so is the form again.
pub async fn make(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let form = ask.form().await?;
    let typed = Typed {
        name: form.get("name").to_owned(),
        member: form.get("member").to_owned(),
        role: form.get("role").to_owned(),
    };
    let made = if form.verbatim("password") == form.verbatim("again") {
        let new = NewUser {
            name: typed.name.clone(),
            member: typed.member.clone(),
            role: typed.role.clone(),
            password: form.verbatim("password").to_owned(),
        };
        users::make_user(&ask.app, ask.permit()?, new).await
    } else {
        Err(Problem::refused("auth.password.differs", "the two passwords differ; type the same twice"))
    };
    match made {
        Ok(_) => Ok(see_other("/people")),
        Err(problem) if problem.status.is_client_error() => {
            let error = Texts::new(ask.language).problem(&problem);
            html_about(&problem, &render(&ask, typed, Some(error)).await?)
        }
        Err(problem) => Err(problem),
    }
}
