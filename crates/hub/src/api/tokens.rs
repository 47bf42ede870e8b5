//! API tokens: made, listed and revoked by the operator. A token's text is shown once.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_ledger::accounts::{AccountsError, Token};
use shieldwall_model::access::{Principal, Role};
use shieldwall_model::directory::{Directory, Member};
use shieldwall_model::id::{Entropy, EntropyError, PeerId, SensorId, TokenId, UserId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use crate::api::alliance::named;
use crate::ask::{Ask, done, json};
use crate::problem::Problem;
use crate::secrets;

/// The tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tokens {
    /// All tokens, newest first.
    pub tokens: Vec<TokenBody>,
}

/// A token, without its text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenBody {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// The member it acts for.
    pub member: String,
    /// That member's name.
    pub member_name: String,
    /// Its role.
    pub role: String,
    /// When it was made.
    pub created: String,
    /// When it ends.
    pub expires: String,
    /// When it was revoked.
    pub revoked: Option<String>,
    /// When it was last used, to the hour.
    pub last_used: Option<String>,
}

/// A token to make.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NewToken {
    /// What it is for.
    pub label: String,
    /// The member it acts for: id, name or country code.
    pub member: String,
    /// Its role.
    pub role: String,
    /// How many days it lasts, 1 to 366.
    #[serde(default)]
    pub days: Option<i64>,
}

/// A token just made. Its text is not shown again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TokenMade {
    /// Its id.
    pub id: String,
    /// Its text.
    pub token: String,
    /// When it ends.
    pub expires: String,
}

/// A token to be written down: the record, and the text for its owner.
pub struct Minted {
    /// What the hub keeps.
    pub record: Token,
    /// What its owner keeps.
    pub text: String,
}

/// Makes a token for `member`; nothing is stored yet.
///
/// # Errors
/// [`EntropyError`] without randomness.
pub fn mint(
    member: &Member,
    known: &Directory,
    role: Role,
    label: &str,
    days: i64,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Minted, EntropyError> {
    let secret = secrets::make(secrets::TOKEN_PREFIX, entropy)?;
    let principal = match role {
        Role::Sensor => Principal::Sensor(SensorId::new(now, entropy)),
        Role::Peer => Principal::Peer(PeerId::new(now, entropy)),
        _ => Principal::User(UserId::new(now, entropy)),
    };
    let record = Token {
        id: TokenId::new(now, entropy),
        hash: secret.hash,
        label: label.to_owned(),
        member: member.id,
        role,
        principal,
        created: now,
        expires: now.plus_seconds(days.clamp(1, limits::TOKEN_DAYS_MAX) * 86_400),
        revoked: None,
        last_used: None,
        joining: known.member(member.id).is_none().then(|| serde_json::to_string(member).unwrap_or_default()),
    };
    Ok(Minted { record, text: secret.text })
}

/// `GET /api/v1/tokens`.
///
/// # Errors
/// As `App::accounts`.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Tokens { tokens: all(&ask).await? })
}

/// All tokens, newest first.
///
/// # Errors
/// As `App::accounts`.
pub async fn all(ask: &Ask) -> Result<Vec<TokenBody>, Problem> {
    let permit = ask.permit()?;
    let tokens = ask.app.accounts(move |accounts| accounts.tokens(&permit, None)).await?;
    let directory = ask.app.directory();
    let mut tokens: Vec<TokenBody> = tokens
        .into_iter()
        .map(|token| TokenBody {
            id: token.id.to_string(),
            label: token.label,
            member: token.member.to_string(),
            member_name: directory
                .member(token.member)
                .map_or_else(|| joining_name(token.joining.as_deref()), |member| member.name.clone()),
            role: token.role.to_string(),
            created: token.created.to_string(),
            expires: token.expires.to_string(),
            revoked: token.revoked.map(|at| at.to_string()),
            last_used: token.last_used.map(|at| at.to_string()),
        })
        .collect();
    tokens.sort_by(|a, b| b.created.cmp(&a.created).then(b.id.cmp(&a.id)));
    Ok(tokens)
}

/// The name of a member that joins at its token's first use.
fn joining_name(joining: Option<&str>) -> String {
    joining
        .and_then(|text| serde_json::from_str::<Member>(text).ok())
        .map(|member| member.name)
        .unwrap_or_default()
}

/// `POST /api/v1/tokens`.
///
/// # Errors
/// 422 for a token that cannot be made so.
pub async fn make(mut ask: Ask) -> Result<Response, Problem> {
    let new: NewToken = ask.json().await?;
    json(&make_token(&ask, &new).await?)
}

/// Makes a token and keeps its record.
///
/// # Errors
/// As [`make`].
pub async fn make_token(ask: &Ask, new: &NewToken) -> Result<TokenMade, Problem> {
    let (app, permit) = (&ask.app, ask.permit()?);
    let role: Role = new.role.parse().map_err(|error| Problem::refused("token.role", format!("{error}")))?;
    let days = new.days.unwrap_or(limits::TOKEN_DAYS_DEFAULT);
    if !(1..=limits::TOKEN_DAYS_MAX).contains(&days) {
        return Err(Problem::refused(
            "token.days",
            format!("a token lasts 1 to {} days", limits::TOKEN_DAYS_MAX),
        ));
    }
    let label = named(&new.label)?;
    let directory = app.directory();
    let member = directory.find_member(&new.member).ok_or_else(|| {
        Problem::refused(
            "token.member.unknown",
            format!("{:?} names no single member of the alliance", new.member),
        )
    })?;
    let minted = mint(member, &directory, role, &label, days, app.now(), app.entropy())
        .map_err(|error| Problem::fault(&error))?;
    let made = TokenMade {
        id: minted.record.id.to_string(),
        token: minted.text,
        expires: minted.record.expires.to_string(),
    };
    let record = minted.record;
    app.accounts(move |accounts| accounts.add_token(&permit, &record)).await?;
    Ok(made)
}

/// `DELETE /api/v1/tokens/{id}`: revokes it, at once.
///
/// # Errors
/// 404 for a token there is not.
pub async fn revoke(ask: Ask) -> Result<Response, Problem> {
    revoke_token(&ask).await?;
    Ok(done())
}

/// Revokes the token named in the path.
///
/// # Errors
/// As [`revoke`].
pub async fn revoke_token(ask: &Ask) -> Result<(), Problem> {
    let permit = ask.permit()?;
    let id: TokenId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    let now = ask.app.now();
    let found = ask
        .app
        .accounts(move |accounts| match accounts.revoke_token(&permit, id, now) {
            Ok(()) => Ok(true),
            Err(AccountsError::Absent) => Ok(false),
            Err(error) => Err(error),
        })
        .await?;
    if found { Ok(()) } else { Err(Problem::absent()) }
}
