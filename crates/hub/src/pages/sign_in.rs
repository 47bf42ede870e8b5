//! Signing in and out, by password or by a one-time link, and choosing a language.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use shieldwall_ledger::accounts::{LinkPurpose, Session, User};
use shieldwall_model::id::UserId;
use shieldwall_model::limits;

use crate::api::users::canonical;
use crate::app::App;
use crate::ask::{Ask, Front, see_other};
use crate::auth::{self, SESSION_COOKIE, password};
use crate::i18n::Language;
use crate::pages::frame::Door;
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;
use crate::secrets;
use crate::serve::LANGUAGE_COOKIE;

/// How long a browser remembers the language, in seconds.
const LANGUAGE_SECONDS: i64 = 365 * 24 * 60 * 60;

#[derive(Template)]
#[template(path = "door/sign-in.html")]
struct SignInPage {
    t: Texts,
    door: Door,
    next: String,
    name: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "door/link-used.html")]
struct LinkUsedPage {
    t: Texts,
    door: Door,
}

/// Where to go after signing in: a page of this hub, or the first one.
pub fn safe_next(next: Option<&str>) -> String {
    let fits = |next: &&str| {
        let mut letters = next.chars();
        letters.next() == Some('/')
            && !matches!(letters.next(), Some('/' | '\\'))
            && next.len() <= limits::QUERY_BYTES_MAX
            && next.chars().all(|letter| letter.is_ascii_graphic() && letter != '\\')
            && !["/sign-in", "/setup", "/language", "/fragments", "/api/"]
                .iter()
                .any(|closed| next.starts_with(closed))
    };
    next.filter(fits).unwrap_or("/").to_owned()
}

/// `GET /sign-in`.
///
/// # Errors
/// As `App::accounts`.
pub async fn form(front: Front) -> Result<Response, Problem> {
    let next = safe_next(front.query("next"));
    // Credentials that are no longer good are no reason to refuse the form that mends them.
    if matches!(auth::known(&front.app, &front.headers).await, Ok(Some(_))) {
        return Ok(see_other(&next));
    }
    html(&page(&front, next, String::new(), None))
}

fn page(front: &Front, next: String, name: String, error: Option<String>) -> SignInPage {
    let t = Texts::new(front.language);
    let next_encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    SignInPage { t, door: Door::new(&front.app, &format!("/sign-in?next={next_encoded}")), next, name, error }
}

/// `POST /sign-in`.
///
/// # Errors
/// As `App::accounts`; a wrong name or password is the form again.
pub async fn submit(mut front: Front) -> Result<Response, Problem> {
    let form = front.form().await?;
    let t = Texts::new(front.language);
    let next = safe_next(Some(form.get("next")));
    let typed = form.get("name").to_owned();
    let name = canonical(&typed);
    let keys = [format!("name:{name}"), format!("peer:{}", front.peer)];
    let now = front.app.now();
    if let Some(seconds) = keys.iter().filter_map(|key| front.app.throttle().wait_seconds(key, now)).max() {
        let problem = Problem {
            retry_after_seconds: Some(seconds),
            ..Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "auth.throttled",
                "too many attempts; wait and try again",
            )
        };
        let error = t.count("sign-in-throttled", seconds.div_ceil(60));
        return html_about(&problem, &page(&front, next, typed, Some(error)));
    }
    let password = form.verbatim("password").to_owned();
    match checked(&front.app, name, password).await? {
        Some(user) => {
            if let Some(key) = keys.first() {
                front.app.throttle().succeeded(key);
            }
            signed_in(&front.app, user.id, &next).await
        }
        None => {
            for key in &keys {
                front.app.throttle().failed(key, now);
            }
            metrics::counter!("shieldwall_sign_in_failures_total").increment(1);
            let problem = Problem::refused("auth.sign_in.wrong", "name or password is wrong");
            html_about(&problem, &page(&front, next, typed, Some(t.text("sign-in-wrong"))))
        }
    }
}

/// The person of that name, if the password is theirs. Takes as long for a name nobody has.
async fn checked(app: &App, name: String, password: String) -> Result<Option<User>, Problem> {
    if name.len() > limits::NAME_BYTES_MAX || password.chars().count() > limits::PASSWORD_CHARACTERS_MAX {
        return Ok(None);
    }
    let user = app.accounts(move |accounts| accounts.user_by_name(&name)).await?;
    let hash = user.as_ref().map_or_else(
        || password::NOBODY.to_owned(),
        |user| user.password.clone().unwrap_or_else(|| password::NOBODY.to_owned()),
    );
    let right = app.hashing(move || password::verify(&password, &hash)).await?;
    Ok(user.filter(|user| right && user.password.is_some() && user.disabled.is_none()))
}

/// Opens a session for a person and sends them on to `next`.
///
/// # Errors
/// As `App::accounts`; 500 without randomness.
pub async fn signed_in(app: &App, user: UserId, next: &str) -> Result<Response, Problem> {
    let secret = secrets::make("", app.entropy()).map_err(|error| Problem::fault(&error))?;
    let now = app.now();
    let csrf = secrets::hash(&app.csrf(&secret.hash));
    let expires = now.plus_seconds(limits::SESSION_SECONDS_MAX);
    let session = Session { hash: secret.hash, user, csrf, created: now, expires };
    app.accounts(move |accounts| accounts.add_session(&session)).await?;
    let mut response = see_other(next);
    set_cookie(&mut response, &session_cookie(&secret.text, limits::SESSION_SECONDS_MAX))?;
    Ok(response)
}

fn session_cookie(value: &str, seconds: i64) -> String {
    format!("{SESSION_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

fn set_cookie(response: &mut Response, cookie: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(cookie).map_err(|error| Problem::fault(&error))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

/// `GET /sign-in/link/{secret}`: good once.
///
/// # Errors
/// As `App::accounts`; a link used up is a page that says so.
pub async fn link(front: Front) -> Result<Response, Problem> {
    let hash = secrets::hash(front.path("secret")?);
    let now = front.app.now();
    let link = front
        .app
        .accounts(move |accounts| {
            // A first-run link is for the set-up page and is not used up here.
            let signs_in = matches!(accounts.link(&hash, now)?, Some(LinkPurpose::SignIn(_)));
            if signs_in { accounts.take_link(&hash, now) } else { Ok(None) }
        })
        .await?;
    match link {
        Some(LinkPurpose::SignIn(user)) => signed_in(&front.app, user, &safe_next(front.query("next"))).await,
        _ => link_used(&front),
    }
}

/// The page that says a link is used up or has run out.
///
/// # Errors
/// As [`html`].
pub fn link_used(front: &Front) -> Result<Response, Problem> {
    let problem = Problem::new(StatusCode::GONE, "auth.link.used", "this link is used up or has run out");
    html_about(
        &problem,
        &LinkUsedPage { t: Texts::new(front.language), door: Door::new(&front.app, "/sign-in") },
    )
}

/// `POST /sign-out`.
///
/// # Errors
/// As `App::accounts`.
pub async fn out(ask: Ask) -> Result<Response, Problem> {
    if let Some(session) = ask.session() {
        let hash = session.hash;
        ask.app.accounts(move |accounts| accounts.end_session(&hash)).await?;
    }
    let mut response = see_other("/sign-in");
    set_cookie(&mut response, &session_cookie("", 0))?;
    Ok(response)
}

/// `GET /language/{tag}`.
///
/// # Errors
/// 404 for a language that is not ours.
pub async fn language(front: Front) -> Result<Response, Problem> {
    let language = Language::from_tag(front.path("tag")?).ok_or_else(Problem::absent)?;
    let mut response = see_other(&safe_return(front.query("next")));
    let cookie =
        format!("{LANGUAGE_COOKIE}={}; Path=/; SameSite=Lax; Max-Age={LANGUAGE_SECONDS}", language.tag());
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

/// Where to go after choosing a language: as [`safe_next`], and the sign-in and set-up pages themselves.
fn safe_return(next: Option<&str>) -> String {
    match next {
        Some(next) if next == "/sign-in" || next.starts_with("/sign-in?next=") => {
            let kept = next.strip_prefix("/sign-in?next=").unwrap_or("");
            let plain = kept.chars().all(|letter| letter.is_ascii_graphic() && letter != '\\');
            if plain { next.to_owned() } else { "/sign-in".into() }
        }
        Some(next) if next.strip_prefix("/setup/").is_some_and(is_secret) => next.to_owned(),
        next => safe_next(next),
    }
}

fn is_secret(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_a_page_of_this_hub_and_nowhere_else() {
        for good in ["/", "/warnings", "/warnings?show=new", "/intelligence/malware--1?x=%2F"] {
            assert_eq!(safe_next(Some(good)), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "/a\r\nSet-Cookie: x",
            "/a b",
            "/é",
            "/sign-in",
            "/sign-in?next=/x",
            "/setup/x",
            "/language/fr?next=/",
            "/fragments/feed",
            "/api/v1/stream",
            "/a\\b",
        ] {
            assert_eq!(safe_next(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(safe_next(None), "/");
    }

    #[test]
    fn choosing_a_language_leads_back_to_where_it_was_chosen() {
        for good in ["/sign-in", "/sign-in?next=%2Fwarnings", "/setup/aB3-_", "/members"] {
            assert_eq!(safe_return(Some(good)), good);
        }
        for bad in ["/setup/../x", "/setup/a/b", "//x", "/sign-in?next=a b\n"] {
            assert!(!safe_return(Some(bad)).contains(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_session_cookie_is_for_this_host_alone() {
        let cookie = session_cookie("x", 60);
        for part in ["__Host-session=x;", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=60"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
}
