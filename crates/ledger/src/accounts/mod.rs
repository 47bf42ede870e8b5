//! Users, sessions, tokens and one-time links: who may sign in. A file of its own, opened by the hub and by the
//! offline commands at the same time.
//!
//! Secrets never come here: passwords as PHC strings the hub made, everything else as SHA-256 the hub computed.
//! Sign-in looks up by such a hash, before anybody is known, so those calls take no permit; whatever lists or changes
//! accounts takes one for [`Action::Administer`], or [`Offline`], which only a program on the hub's own machine makes.

mod recent;
mod rows;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use shieldwall_model::access::{Principal, Role};
use shieldwall_model::id::{MemberId, TokenId, UserId};
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use self::recent::Recent;
pub use self::rows::{LinkPurpose, MayAdminister, Offline, SecretHash, Session, Token, User};
use self::rows::{TOKEN, USER, link_from, token_from, user_from};
use crate::entry::principal_columns;
use crate::files::{ACCOUNTS_SCHEMA, Files, FilesError, Mode, open, private_dir, settle};

/// A token's time of last use is kept to this many seconds, so that using it does not write each time.
pub const LAST_USED_SECONDS: i64 = 60;

const SCHEMA: &str = "
    CREATE TABLE users (
        id BLOB PRIMARY KEY, member BLOB NOT NULL, name TEXT NOT NULL UNIQUE COLLATE NOCASE, role TEXT NOT NULL,
        password TEXT, created INTEGER NOT NULL, disabled INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        hash BLOB PRIMARY KEY, user BLOB NOT NULL, csrf BLOB NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_user ON sessions (user);
    CREATE TABLE tokens (
        id BLOB PRIMARY KEY, hash BLOB NOT NULL UNIQUE, label TEXT NOT NULL, member BLOB NOT NULL, role TEXT NOT NULL,
        principal INTEGER NOT NULL, principal_id BLOB, created INTEGER NOT NULL, expires INTEGER NOT NULL,
        revoked INTEGER, last_used INTEGER, joining TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE links (
        hash BLOB PRIMARY KEY, purpose TEXT NOT NULL, user BLOB, expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Why an account could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// SQLite refused.
    #[error("the accounts could not be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The permit is for something else.
    #[error("this permit does not cover accounts: it must be for administering")]
    Permit,
    /// Somebody has that name.
    #[error("there is a user of that name: choose another")]
    NameTaken,
    /// No such row.
    #[error("there is no such account")]
    Absent,
}

impl AccountsError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "ledger.accounts.sqlite",
            Self::Files(error) => error.code(),
            Self::Permit => "ledger.accounts.permit",
            Self::NameTaken => "ledger.accounts.name_taken",
            Self::Absent => "ledger.accounts.absent",
        }
    }
}

/// Whether a use now has to be noted.
fn is_stale(token: &Token, now: Timestamp) -> bool {
    let since = |used| now.since_micros(used).saturating_abs() >= LAST_USED_SECONDS * 1_000_000;
    token.last_used.is_none_or(since)
}

/// `accounts.db`. Blocking, and quick; changes are flushed to disk before they return.
pub struct Accounts {
    connection: Mutex<Connection>,
    recent: Recent,
}

impl Accounts {
    /// Opens the accounts of a data directory, and makes them if there are none.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub fn open(dir: &Path) -> Result<Self, AccountsError> {
        private_dir(dir)?;
        let path = Files::new(dir, shieldwall_model::realm::Realm::Real).accounts();
        let connection = open(&path, Mode::Durable)?;
        settle(&connection, &path, ACCOUNTS_SCHEMA, SCHEMA)?;
        Ok(Self { connection: Mutex::new(connection), recent: Recent::open(&path)? })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`AccountsError::NameTaken`].
    pub fn add_user(&self, leave: &impl MayAdminister, user: &User) -> Result<(), AccountsError> {
        leave.allow()?;
        let added = self.lock().execute(
            "INSERT INTO users (id, member, name, role, password, created, disabled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            params![
                user.id.uuid().into_bytes(),
                user.member.uuid().into_bytes(),
                user.name,
                user.role.as_str(),
                user.password,
                user.created.as_micros(),
                user.disabled.map(Timestamp::as_micros),
            ],
        )?;
        if added == 1 { Ok(()) } else { Err(AccountsError::NameTaken) }
    }

    /// A user by the name it signs in with, in any case (ASCII). No permit: nobody is known yet.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn user_by_name(&self, name: &str) -> Result<Option<User>, AccountsError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{USER} WHERE name = ?1"))?;
        Ok(statement.query_row(params![name], user_from).optional()?)
    }

    /// A user by its id, as a session names it.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn user(&self, id: UserId) -> Result<Option<User>, AccountsError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{USER} WHERE id = ?1"))?;
        Ok(statement.query_row(params![id.uuid().into_bytes()], user_from).optional()?)
    }

    /// For which member and in which role a person acts now: by an account that may sign in, or by a token that counts.
    /// `None` once neither is so. For work that the hub does for somebody who is not there.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn acting(&self, id: UserId, now: Timestamp) -> Result<Option<(MemberId, Role)>, AccountsError> {
        if let Some(user) = self.user(id)? {
            return Ok(user.disabled.is_none().then_some((user.member, user.role)));
        }
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "{TOKEN} WHERE principal_id = ?1 AND expires > ?2 AND revoked IS NULL ORDER BY created DESC LIMIT 1"
        ))?;
        let token =
            statement.query_row(params![id.uuid().into_bytes(), now.as_micros()], token_from).optional()?;
        Ok(token
            .filter(|token| token.principal == Principal::User(id))
            .map(|token| (token.member, token.role)))
    }

    /// All users by name, at most [`PAGE_ITEMS_MAX`] after `after`.
    ///
    /// # Errors
    /// [`AccountsError::Permit`].
    pub fn users(&self, leave: &impl MayAdminister, after: Option<&str>) -> Result<Vec<User>, AccountsError> {
        leave.allow()?;
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "{USER} WHERE ?1 IS NULL OR name > ?1 ORDER BY name LIMIT {PAGE_ITEMS_MAX}"
        ))?;
        let rows = statement.query_map(params![after], user_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether there is any user at all: a hub without one is in its first run.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn has_users(&self) -> Result<bool, AccountsError> {
        Ok(self.lock().query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |row| row.get(0))?)
    }

    /// Sets a user's password and ends its sessions. No permit: the user does this for itself, once the hub has seen
    /// the old password or a link.
    ///
    /// # Errors
    /// [`AccountsError::Absent`].
    pub fn set_password(&self, id: UserId, phc: &str) -> Result<(), AccountsError> {
        self.change_user(id, "UPDATE users SET password = ?2 WHERE id = ?1", phc)
    }

    /// Gives a user another role and ends its sessions.
    ///
    /// # Errors
    /// [`AccountsError::Permit`], [`AccountsError::Absent`].
    pub fn set_role(&self, leave: &impl MayAdminister, id: UserId, role: Role) -> Result<(), AccountsError> {
        leave.allow()?;
        self.change_user(id, "UPDATE users SET role = ?2 WHERE id = ?1", role.as_str())
    }

    /// Lets a user sign in no more (or again, with `None`), and ends its sessions.
    ///
    /// # Errors
    /// [`AccountsError::Permit`], [`AccountsError::Absent`].
    pub fn disable_user(
        &self,
        leave: &impl MayAdminister,
        id: UserId,
        since: Option<Timestamp>,
    ) -> Result<(), AccountsError> {
        leave.allow()?;
        let since = since.map(Timestamp::as_micros);
        self.change_user(id, "UPDATE users SET disabled = ?2 WHERE id = ?1", since)
    }

    fn change_user(&self, id: UserId, sql: &str, value: impl rusqlite::ToSql) -> Result<(), AccountsError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = id.uuid().into_bytes();
        if transaction.execute(sql, params![id, value])? == 0 {
            return Err(AccountsError::Absent);
        }
        transaction.execute("DELETE FROM sessions WHERE user = ?1", params![id])?;
        Ok(transaction.commit()?)
    }

    /// Begins a session, and forgets those that have expired.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn add_session(&self, session: &Session) -> Result<(), AccountsError> {
        let connection = self.lock();
        connection
            .execute("DELETE FROM sessions WHERE expires <= ?1", params![session.created.as_micros()])?;
        connection.execute(
            "INSERT INTO sessions (hash, user, csrf, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                session.hash,
                session.user.uuid().into_bytes(),
                session.csrf,
                session.created.as_micros(),
                session.expires.as_micros(),
            ],
        )?;
        Ok(())
    }

    /// The session of a cookie and its user, while it lasts and the user may sign in.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn session(
        &self,
        hash: &SecretHash,
        now: Timestamp,
    ) -> Result<Option<(Session, User)>, AccountsError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT u.id, u.member, u.name, u.role, u.password, u.created, u.disabled, s.hash, s.csrf, s.created, s.expires
             FROM sessions s JOIN users u ON u.id = s.user
             WHERE s.hash = ?1 AND s.expires > ?2 AND u.disabled IS NULL",
        )?;
        let found = statement.query_row(params![hash, now.as_micros()], |row| {
            let user = user_from(row)?;
            let session = Session {
                hash: row.get(7)?,
                user: user.id,
                csrf: row.get(8)?,
                created: Timestamp::from_micros(row.get(9)?),
                expires: Timestamp::from_micros(row.get(10)?),
            };
            Ok((session, user))
        });
        Ok(found.optional()?)
    }

    /// Ends a session. True if there was one.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn end_session(&self, hash: &SecretHash) -> Result<bool, AccountsError> {
        Ok(self.lock().execute("DELETE FROM sessions WHERE hash = ?1", params![hash])? > 0)
    }

    /// Keeps a token.
    ///
    /// # Errors
    /// [`AccountsError::Permit`].
    pub fn add_token(&self, leave: &impl MayAdminister, token: &Token) -> Result<(), AccountsError> {
        leave.allow()?;
        let (principal, principal_id) = principal_columns(token.principal);
        self.lock().execute(
            "INSERT INTO tokens (id, hash, label, member, role, principal, principal_id, created, expires, revoked,
             last_used, joining) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                token.id.uuid().into_bytes(),
                token.hash,
                token.label,
                token.member.uuid().into_bytes(),
                token.role.as_str(),
                principal,
                principal_id.map(Uuid::into_bytes),
                token.created.as_micros(),
                token.expires.as_micros(),
                token.revoked.map(Timestamp::as_micros),
                token.last_used.map(Timestamp::as_micros),
                token.joining,
            ],
        )?;
        Ok(())
    }

    /// The token of a secret that was asked for a moment ago, while it counts. Never waits for the disk, and never later
    /// than a change of any token; `None` says nothing but that [`Accounts::token`] has to be asked.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn recent_token(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Token>, AccountsError> {
        self.recent.get(hash, now)
    }

    /// The token of a secret, while it counts; notes that it was used.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn token(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Token>, AccountsError> {
        let counter = self.recent.counter()?;
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(&format!("{TOKEN} WHERE hash = ?1 AND expires > ?2 AND revoked IS NULL"))?;
        let Some(token) = statement.query_row(params![hash, now.as_micros()], token_from).optional()? else {
            return Ok(None);
        };
        if is_stale(&token, now) {
            connection
                .prepare_cached("UPDATE tokens SET last_used = ?2 WHERE hash = ?1")?
                .execute(params![hash, now.as_micros()])?;
        } else {
            self.recent.keep(counter, &token)?;
        }
        Ok(Some(token))
    }

    /// All tokens, newest first, at most [`PAGE_ITEMS_MAX`] older than `before`.
    ///
    /// # Errors
    /// [`AccountsError::Permit`].
    pub fn tokens(
        &self,
        leave: &impl MayAdminister,
        before: Option<TokenId>,
    ) -> Result<Vec<Token>, AccountsError> {
        leave.allow()?;
        let connection = self.lock();
        // A token's id is a UUIDv7: its order is the order of making.
        let mut statement = connection.prepare_cached(&format!(
            "{TOKEN} WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT {PAGE_ITEMS_MAX}"
        ))?;
        let rows = statement.query_map(params![before.map(|id| id.uuid().into_bytes())], token_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Revokes a token; one that was revoked before keeps its first time.
    ///
    /// # Errors
    /// [`AccountsError::Permit`], [`AccountsError::Absent`].
    pub fn revoke_token(
        &self,
        leave: &impl MayAdminister,
        id: TokenId,
        now: Timestamp,
    ) -> Result<(), AccountsError> {
        leave.allow()?;
        let changed = self.lock().execute(
            "UPDATE tokens SET revoked = coalesce(revoked, ?2) WHERE id = ?1",
            params![id.uuid().into_bytes(), now.as_micros()],
        )?;
        if changed == 1 { Ok(()) } else { Err(AccountsError::Absent) }
    }

    /// The member a token brought has joined: forgets what it carried.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn joined(&self, id: TokenId) -> Result<(), AccountsError> {
        self.lock()
            .execute("UPDATE tokens SET joining = NULL WHERE id = ?1", params![id.uuid().into_bytes()])?;
        Ok(())
    }

    /// Keeps a one-time link, and forgets those that have expired. A new first-run link takes the place of an old one.
    ///
    /// # Errors
    /// [`AccountsError::Permit`].
    pub fn add_link(
        &self,
        leave: &impl MayAdminister,
        hash: &SecretHash,
        purpose: LinkPurpose,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), AccountsError> {
        leave.allow()?;
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM links WHERE expires <= ?1", params![now.as_micros()])?;
        if purpose == LinkPurpose::FirstRun {
            transaction.execute("DELETE FROM links WHERE purpose = 'first-run'", [])?;
        }
        let (purpose, user) = purpose.columns();
        transaction.execute(
            "INSERT INTO links (hash, purpose, user, expires) VALUES (?1, ?2, ?3, ?4)",
            params![hash, purpose, user, expires.as_micros()],
        )?;
        Ok(transaction.commit()?)
    }

    /// What a link is for, without using it up: for the page that asks for confirmation.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn link(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<LinkPurpose>, AccountsError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT purpose, user FROM links WHERE hash = ?1 AND expires > ?2")?;
        let found = statement.query_row(params![hash, now.as_micros()], link_from).optional()?;
        Ok(found.flatten())
    }

    /// Uses up a link: of any number who try, one gets its purpose.
    ///
    /// # Errors
    /// [`AccountsError::Sqlite`].
    pub fn take_link(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<LinkPurpose>, AccountsError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("DELETE FROM links WHERE hash = ?1 AND expires > ?2 RETURNING purpose, user")?;
        let found = statement.query_row(params![hash, now.as_micros()], link_from).optional()?;
        Ok(found.flatten())
    }
}
