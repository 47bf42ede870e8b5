//! First run: the one-time link whose holder names the first member and becomes its operator.

use askama::Template;
use axum::response::Response;
use shieldwall_ledger::accounts::{LinkPurpose, Offline};

use crate::api::alliance::{NewMember, admit_member, named};
use crate::api::users::{NewUser, make_user};
use crate::ask::{Form, Front};
use crate::auth::password;
use crate::pages::forms::{Choice, MemberTyped, kinds, sectors};
use crate::pages::frame::Door;
use crate::pages::sign_in::{link_used, signed_in};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;
use crate::secrets;

#[derive(Template)]
#[template(path = "door/setup.html")]
struct SetupPage {
    t: Texts,
    door: Door,
    action: String,
    typed: MemberTyped,
    name: String,
    kinds: Vec<Choice>,
    sectors: Vec<Choice>,
    error: Option<String>,
}

fn page(
    front: &Front,
    typed: MemberTyped,
    name: String,
    error: Option<String>,
) -> Result<SetupPage, Problem> {
    let t = Texts::new(front.language);
    let action = format!("/setup/{}", front.path("secret")?);
    Ok(SetupPage {
        t,
        door: Door::new(&front.app, &action),
        action,
        kinds: kinds(t, &typed.kind),
        sectors: sectors(t, &typed.sectors),
        typed,
        name,
        error,
    })
}

/// Whether the link in the path is a first-run link that is still good; it is not used up by asking.
async fn is_good(front: &Front) -> Result<bool, Problem> {
    let (hash, now) = (secrets::hash(front.path("secret")?), front.app.now());
    let link = front.app.accounts(move |accounts| accounts.link(&hash, now)).await?;
    Ok(link == Some(LinkPurpose::FirstRun))
}

/// `GET /setup/{secret}`.
///
/// # Errors
/// As `App::accounts`; a link used up is a page that says so.
pub async fn form(front: Front) -> Result<Response, Problem> {
    if !is_good(&front).await? {
        return link_used(&front);
    }
    html(&page(&front, MemberTyped { kind: "nation".into(), ..MemberTyped::default() }, String::new(), None)?)
}

/// `POST /setup/{secret}`.
///
/// # Errors
/// As `App::append`; what cannot be so is the form again.
pub async fn submit(mut front: Front) -> Result<Response, Problem> {
    let form = front.form().await?;
    if !is_good(&front).await? {
        return link_used(&front);
    }
    let (typed, name) = (MemberTyped::read(&form), form.get("name").to_owned());
    // Everything that can be checked is checked before the link is used up.
    if let Err(problem) = fits(&typed, &name, &form) {
        let error = Texts::new(front.language).problem(&problem);
        return html_about(&problem, &page(&front, typed, name, Some(error))?);
    }
    let (hash, now) = (secrets::hash(front.path("secret")?), front.app.now());
    let taken = front.app.accounts(move |accounts| accounts.take_link(&hash, now)).await?;
    if taken.is_none() {
        return link_used(&front);
    }
    let member = admit_member(&front.app, NewMember::from(&typed)).await?;
    let new = NewUser {
        name,
        member: member.id.to_string(),
        role: "operator".into(),
        password: form.verbatim("password").to_owned(),
    };
    let user = make_user(&front.app, Offline, new).await?;
    signed_in(&front.app, user.id, "/members").await
}

fn fits(typed: &MemberTyped, name: &str, form: &Form) -> Result<(), Problem> {
    named(&typed.name)?;
    let name = named(name)?;
    let code = &typed.country;
    if !code.is_empty() && (code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        return Err(Problem::refused("member.country", "a country is two letters of ISO 3166-1, such as LU"));
    }
    if form.verbatim("password") != form.verbatim("again") {
        return Err(Problem::refused(
            "auth.password.differs",
            "the two passwords differ; type the same twice",
        ));
    }
    password::check(form.verbatim("password"), &name)
}
