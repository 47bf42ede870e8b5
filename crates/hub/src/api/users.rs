//! People with accounts: listed and made by the operator.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_ledger::accounts::{AccountsError, MayAdminister, User};
use shieldwall_model::access::Role;
use shieldwall_model::directory::Directory;
use shieldwall_model::id::UserId;

use crate::api::alliance::named;
use crate::app::App;
use crate::ask::{Ask, json};
use crate::auth::password;
use crate::problem::Problem;

/// The people.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Users {
    /// All people, by name.
    pub users: Vec<UserBody>,
}

/// A person.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UserBody {
    /// The id.
    pub id: String,
    /// The name to sign in with.
    pub name: String,
    /// The member acted for.
    pub member: String,
    /// That member's name.
    pub member_name: String,
    /// The role.
    pub role: String,
    /// When the account was made.
    pub created: String,
    /// Whether it is closed.
    pub disabled: bool,
}

/// A person to make an account for.
#[derive(Deserialize, JsonSchema)]
pub struct NewUser {
    /// The name to sign in with.
    pub name: String,
    /// The member to act for: id, name or country code.
    pub member: String,
    /// The role.
    pub role: String,
    /// The password, at least 15 characters.
    pub password: String,
}

/// `GET /api/v1/users`.
///
/// # Errors
/// As `App::accounts`.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Users { users: all(&ask).await? })
}

/// All people, by name.
///
/// # Errors
/// As `App::accounts`.
pub async fn all(ask: &Ask) -> Result<Vec<UserBody>, Problem> {
    let permit = ask.permit()?;
    let users = ask.app.accounts(move |accounts| accounts.users(&permit, None)).await?;
    let directory = ask.app.directory();
    let mut users: Vec<UserBody> = users.into_iter().map(|user| body(user, &directory)).collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(users)
}

/// `POST /api/v1/users`.
///
/// # Errors
/// 422 for an account that cannot be made so.
pub async fn make(mut ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit()?;
    let new: NewUser = ask.json().await?;
    let user = make_user(&ask.app, permit, new).await?;
    json(&body(user, &ask.app.directory()))
}

fn body(user: User, directory: &Directory) -> UserBody {
    UserBody {
        id: user.id.to_string(),
        member: user.member.to_string(),
        member_name: directory.member(user.member).map_or_else(String::new, |member| member.name.clone()),
        role: user.role.to_string(),
        created: user.created.to_string(),
        disabled: user.disabled.is_some(),
        name: user.name,
    }
}

/// A name to sign in with, in its one spelling: trimmed, lower case.
pub fn canonical(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Makes an account.
///
/// # Errors
/// As [`make`].
pub async fn make_user(
    app: &App,
    leave: impl MayAdminister + Send + 'static,
    new: NewUser,
) -> Result<User, Problem> {
    let name = canonical(&named(&new.name)?);
    let role: Role = new.role.parse().map_err(|error| Problem::refused("user.role", format!("{error}")))?;
    if matches!(role, Role::Sensor | Role::Peer) {
        return Err(Problem::refused("user.role", "a sensor or a peer has an API token, not an account"));
    }
    password::check(&new.password, &name)?;
    let directory = app.directory();
    let member = directory.find_member(&new.member).map(|member| member.id).ok_or_else(|| {
        Problem::refused(
            "user.member.unknown",
            format!("{:?} names no single member of the alliance", new.member),
        )
    })?;
    let hashing = app.clone();
    let password_hash = app.hashing(move || password::hash(&new.password, hashing.entropy())).await??;
    let user = User {
        id: UserId::new(app.now(), app.entropy()),
        member,
        name,
        role,
        password: Some(password_hash),
        created: app.now(),
        disabled: None,
    };
    let record = user.clone();
    let added = app
        .accounts(move |accounts| match accounts.add_user(&leave, &record) {
            Ok(()) => Ok(true),
            Err(AccountsError::NameTaken) => Ok(false),
            Err(error) => Err(error),
        })
        .await?;
    if added {
        Ok(user)
    } else {
        Err(Problem::refused("user.name.taken", "somebody has that name already; choose another"))
    }
}
