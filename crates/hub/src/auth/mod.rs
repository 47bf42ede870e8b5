//! Who asks: API tokens, sessions, and what each is turned into: a [`Reader`].

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shieldwall_model::access::{Principal, Reader, Role};
use shieldwall_model::directory::Member;
use shieldwall_model::id::{MemberId, UserId};

use crate::app::App;
use crate::ask::cookie;
use crate::problem::Problem;
use crate::secrets;

pub mod password;
pub mod throttle;

/// The session cookie. The prefix makes browsers insist on `Secure`, `Path=/` and no domain (RFC 6265bis section 4.1.3).
pub const SESSION_COOKIE: &str = "__Host-session";

/// A person's session, as pages use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The person.
    pub user: UserId,
    /// The person's name as shown.
    pub name: String,
    /// What a form of this session must carry.
    pub csrf: String,
    /// What the hub knows the session by.
    pub hash: [u8; 32],
}

/// Somebody the hub knows.
pub struct Known {
    /// As the access rule sees them.
    pub reader: Reader,
    /// The session, if that is how they came.
    pub session: Option<Session>,
}

/// Who sent these headers: `None` without any credentials.
///
/// # Errors
/// 401 for credentials that are not, or no longer, good.
pub async fn known(app: &App, headers: &HeaderMap) -> Result<Option<Known>, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(token_of).ok_or_else(unknown_token)?;
        return by_token(app, &token).await.map(Some);
    }
    match cookie(headers, SESSION_COOKIE) {
        Some(text) => by_session(app, text).await,
        None => Ok(None),
    }
}

/// The token in an `Authorization` header: `Bearer token`, or `Basic` with the token as the password.
fn token_of(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// As [`known`] for clients of MISP, which send the token bare, as `Authorization` or `X-MISP-AUTH`.
///
/// # Errors
/// As [`known`].
pub async fn known_bare(app: &App, headers: &HeaderMap) -> Result<Option<Known>, Problem> {
    let sent = headers.get(header::AUTHORIZATION).or_else(|| headers.get("x-misp-auth"));
    let text = sent.and_then(|value| value.to_str().ok()).map(str::trim);
    match text.filter(|text| text.starts_with(secrets::TOKEN_PREFIX)) {
        Some(token) => by_token(app, token).await.map(Some),
        None => known(app, headers).await,
    }
}

fn unknown_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "auth.token.unknown",
        "this token is unknown, expired or revoked; ask your operator for a new one and send it as `Authorization: Bearer swt_…`",
    )
}

async fn by_token(app: &App, text: &str) -> Result<Known, Problem> {
    if !text.starts_with(secrets::TOKEN_PREFIX) || text.len() > 128 {
        return Err(unknown_token());
    }
    let (hash, now) = (secrets::hash(text), app.now());
    if let Some(token) = app.recent_token(&hash, now)? {
        return reader(app, token.principal, token.member, token.role)
            .map(|reader| Known { reader, session: None });
    }
    let token = app.accounts(move |accounts| accounts.token(&hash, now)).await?.ok_or_else(unknown_token)?;
    if let Some(member) = token.joining.as_deref().and_then(|text| serde_json::from_str::<Member>(text).ok())
    {
        if app.directory().member(member.id).is_none() {
            app.join(member).await?;
        }
        app.accounts(move |accounts| accounts.joined(token.id)).await?;
    }
    reader(app, token.principal, token.member, token.role).map(|reader| Known { reader, session: None })
}

async fn by_session(app: &App, text: &str) -> Result<Option<Known>, Problem> {
    if text.len() > 128 {
        return Ok(None);
    }
    let (hash, now) = (secrets::hash(text), app.now());
    let Some((session, user)) = app.accounts(move |accounts| accounts.session(&hash, now)).await? else {
        return Ok(None);
    };
    let reader = reader(app, Principal::User(user.id), user.member, user.role)?;
    let session =
        Session { user: user.id, name: user.name, csrf: app.csrf(&session.hash), hash: session.hash };
    Ok(Some(Known { reader, session: Some(session) }))
}

fn reader(app: &App, principal: Principal, member: MemberId, role: Role) -> Result<Reader, Problem> {
    let directory = app.directory();
    if directory.member(member).is_none() {
        return Err(unknown_token());
    }
    Ok(Reader::new(app.realm().clone(), principal, member, role, &directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_as_bearer_or_as_basic_password() {
        assert_eq!(token_of("Bearer swt_x").as_deref(), Some("swt_x"));
        assert_eq!(token_of("bearer  swt_x ").as_deref(), Some("swt_x"));
        let basic = format!("Basic {}", STANDARD.encode("anybody:swt_x"));
        assert_eq!(token_of(&basic).as_deref(), Some("swt_x"));
        for bad in ["", "Bearer", "Digest x", "Basic !!!", "Basic eA=="] {
            assert_eq!(token_of(bad), None, "{bad}");
        }
    }
}
