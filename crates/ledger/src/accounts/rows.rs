//! What the accounts are made of, and how each is read from its row.

use rusqlite::Row;
use shieldwall_model::access::{Action, Permit, Principal, Role};
use shieldwall_model::id::{MemberId, TokenId, UserId};
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::AccountsError;
use crate::entry::principal_from;

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// A person who acts for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// For whom.
    pub member: MemberId,
    /// The name to sign in with; unique in any case.
    pub name: String,
    /// In which role.
    pub role: Role,
    /// The password as a PHC string; `None` until one was chosen.
    pub password: Option<String>,
    /// Since when.
    pub created: Timestamp,
    /// Since when it may no longer sign in.
    pub disabled: Option<Timestamp>,
}

/// Somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Hash of the cookie.
    pub hash: SecretHash,
    /// Who.
    pub user: UserId,
    /// Hash of the token each change must carry.
    pub csrf: SecretHash,
    /// Since when.
    pub created: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

/// An API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Hash of its secret.
    pub hash: SecretHash,
    /// What its maker called it.
    pub label: String,
    /// For whom it acts.
    pub member: MemberId,
    /// In which role.
    pub role: Role,
    /// As whom.
    pub principal: Principal,
    /// Since when.
    pub created: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// Since when it no longer counts.
    pub revoked: Option<Timestamp>,
    /// When it was last used, to [`super::LAST_USED_SECONDS`].
    pub last_used: Option<Timestamp>,
    /// A member not in the directory yet, as the hub writes it: it joins when the token is first used.
    pub joining: Option<String>,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// To make the first operator.
    FirstRun,
    /// To sign in as a user.
    SignIn(UserId),
    /// To choose a password as a user.
    Password(UserId),
}

impl LinkPurpose {
    pub(super) fn columns(self) -> (&'static str, Option<[u8; 16]>) {
        match self {
            Self::FirstRun => ("first-run", None),
            Self::SignIn(user) => ("sign-in", Some(user.uuid().into_bytes())),
            Self::Password(user) => ("password", Some(user.uuid().into_bytes())),
        }
    }

    fn from(purpose: &str, user: Option<[u8; 16]>) -> Option<Self> {
        let user = user.map(|uuid| UserId::from_uuid(Uuid::from_bytes(uuid)));
        match (purpose, user) {
            ("first-run", None) => Some(Self::FirstRun),
            ("sign-in", Some(user)) => Some(Self::SignIn(user)),
            ("password", Some(user)) => Some(Self::Password(user)),
            _ => None,
        }
    }
}

/// Stands in for a permit where nobody is signed in: a command run by whoever can already read the data directory, and
/// the hub's own first run and sign-in links.
#[derive(Clone, Copy, Debug)]
pub struct Offline;

/// Leave to list and change accounts.
pub trait MayAdminister {
    /// Whether it is one.
    ///
    /// # Errors
    /// [`AccountsError::Permit`] when it is leave for something else.
    fn allow(&self) -> Result<(), AccountsError>;
}

impl MayAdminister for Offline {
    fn allow(&self) -> Result<(), AccountsError> {
        Ok(())
    }
}

impl MayAdminister for Permit {
    fn allow(&self) -> Result<(), AccountsError> {
        if self.action() == Action::Administer { Ok(()) } else { Err(AccountsError::Permit) }
    }
}

pub(super) const USER: &str = "SELECT id, member, name, role, password, created, disabled FROM users";
pub(super) const TOKEN: &str =
    "SELECT id, hash, label, member, role, principal, principal_id, created, expires, revoked, last_used,
    joining FROM tokens";

fn uuid(row: &Row<'_>, at: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_bytes(row.get(at)?))
}

fn role(row: &Row<'_>, at: usize) -> rusqlite::Result<Role> {
    let text: String = row.get(at)?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_micros(row.get(at)?))
}

fn maybe_time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_micros))
}

pub(super) fn user_from(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::from_uuid(uuid(row, 0)?),
        member: MemberId::from_uuid(uuid(row, 1)?),
        name: row.get(2)?,
        role: role(row, 3)?,
        password: row.get(4)?,
        created: time(row, 5)?,
        disabled: maybe_time(row, 6)?,
    })
}

pub(super) fn token_from(row: &Row<'_>) -> rusqlite::Result<Token> {
    let principal_id: Option<[u8; 16]> = row.get(6)?;
    let principal = principal_from(row.get(5)?, principal_id.map(Uuid::from_bytes)).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(5, "principal".into(), rusqlite::types::Type::Integer)
    })?;
    Ok(Token {
        id: TokenId::from_uuid(uuid(row, 0)?),
        hash: row.get(1)?,
        label: row.get(2)?,
        member: MemberId::from_uuid(uuid(row, 3)?),
        role: role(row, 4)?,
        principal,
        created: time(row, 7)?,
        expires: time(row, 8)?,
        revoked: maybe_time(row, 9)?,
        last_used: maybe_time(row, 10)?,
        joining: row.get(11)?,
    })
}

pub(super) fn link_from(row: &Row<'_>) -> rusqlite::Result<Option<LinkPurpose>> {
    let purpose: String = row.get(0)?;
    Ok(LinkPurpose::from(&purpose, row.get(1)?))
}
