//! Settings: what a member or the hub's operator has set up and may change again, such as peers, sources and saved
//! searches, and how far each has got. Not facts, so in no log; durable, and part of a backup.
//!
//! A body is the caller's JSON. Secrets in it are the caller's to seal: a backup holds settings, and must hold no
//! secret. Whoever changes or lists settings does so under a permit; only the hub's own work reads those of all.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use shieldwall_model::access::Permit;
use shieldwall_model::id::MemberId;
use shieldwall_model::limits::{SETTING_BYTES_MAX, SETTINGS_PER_OWNER_MAX};
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use crate::files::{Files, FilesError, Mode, SETTINGS_SCHEMA, open, private_dir, settle};

const SCHEMA: &str = "
    CREATE TABLE settings (
        collection TEXT NOT NULL, owner BLOB NOT NULL, key TEXT NOT NULL, changed INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (collection, owner, key)
    ) STRICT, WITHOUT ROWID;
";

/// Why settings could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// SQLite refused.
    #[error("the settings could not be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A body is too large.
    #[error("a setting has at most {SETTING_BYTES_MAX} bytes: shorten it")]
    TooLarge,
    /// The owner has too many of them.
    #[error("there are {SETTINGS_PER_OWNER_MAX} of these already: remove one first")]
    TooMany,
}

impl SettingsError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "ledger.settings.sqlite",
            Self::Files(error) => error.code(),
            Self::TooLarge => "ledger.settings.too_large",
            Self::TooMany => "ledger.settings.too_many",
        }
    }
}

/// Whose a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The hub's: its operators set it up.
    Hub,
    /// A member's.
    Member(MemberId),
}

impl Owner {
    /// A member's own settings, for whoever acts for it.
    pub const fn of(permit: &Permit) -> Self {
        Self::Member(permit.member())
    }

    const fn bytes(self) -> [u8; 16] {
        match self {
            Self::Hub => [0; 16],
            Self::Member(member) => member.uuid().into_bytes(),
        }
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        if bytes == [0; 16] { Self::Hub } else { Self::Member(MemberId::from_uuid(Uuid::from_bytes(bytes))) }
    }
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whose it is.
    pub owner: Owner,
    /// Its key in its collection.
    pub key: String,
    /// When it was last put.
    pub changed: Timestamp,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// `settings.db` of a realm. Blocking, and quick; changes are on disk before they return.
pub struct Settings {
    connection: Mutex<Connection>,
}

impl Settings {
    /// Opens the settings of a realm, and makes them if there are none.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn open(files: &Files) -> Result<Self, SettingsError> {
        private_dir(&files.realm_dir())?;
        let path = files.settings();
        let connection = open(&path, Mode::Durable)?;
        settle(&connection, &path, SETTINGS_SCHEMA, SCHEMA)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts (or replaces) a setting.
    ///
    /// # Errors
    /// [`SettingsError::TooLarge`], [`SettingsError::TooMany`].
    pub fn put(
        &self,
        collection: &str,
        owner: Owner,
        key: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SettingsError> {
        if body.len() > SETTING_BYTES_MAX {
            return Err(SettingsError::TooLarge);
        }
        let connection = self.lock();
        let others: usize = connection
            .prepare_cached(
                "SELECT count(*) FROM settings WHERE collection = ?1 AND owner = ?2 AND key <> ?3",
            )?
            .query_row(params![collection, owner.bytes(), key], |row| row.get(0))?;
        if others >= SETTINGS_PER_OWNER_MAX {
            return Err(SettingsError::TooMany);
        }
        connection
            .prepare_cached(
                "INSERT INTO settings (collection, owner, key, changed, body) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (collection, owner, key) DO UPDATE SET changed = ?4, body = ?5",
            )?
            .execute(params![collection, owner.bytes(), key, now.as_micros(), body])?;
        Ok(())
    }

    /// One setting of an owner.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn get(&self, collection: &str, owner: Owner, key: &str) -> Result<Option<Setting>, SettingsError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT owner, key, changed, body FROM settings WHERE collection = ?1 AND owner = ?2 AND key = ?3",
        )?;
        Ok(statement.query_row(params![collection, owner.bytes(), key], setting_from).optional()?)
    }

    /// The settings of an owner, by key.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn list(&self, collection: &str, owner: Owner) -> Result<Vec<Setting>, SettingsError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT owner, key, changed, body FROM settings WHERE collection = ?1 AND owner = ?2 ORDER BY key",
        )?;
        let rows = statement.query_map(params![collection, owner.bytes()], setting_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The settings of every owner, by owner and key: for the hub's own work, never for an answer.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn of_all(&self, collection: &str) -> Result<Vec<Setting>, SettingsError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT owner, key, changed, body FROM settings WHERE collection = ?1 ORDER BY owner, key",
        )?;
        let rows = statement.query_map(params![collection], setting_from)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Deletes a setting. True if it was there.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn delete(&self, collection: &str, owner: Owner, key: &str) -> Result<bool, SettingsError> {
        let deleted = self
            .lock()
            .prepare_cached("DELETE FROM settings WHERE collection = ?1 AND owner = ?2 AND key = ?3")?
            .execute(params![collection, owner.bytes(), key])?;
        Ok(deleted > 0)
    }
}

fn setting_from(row: &Row<'_>) -> rusqlite::Result<Setting> {
    Ok(Setting {
        owner: Owner::from_bytes(row.get(0)?),
        key: row.get(1)?,
        changed: Timestamp::from_micros(row.get(2)?),
        body: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use shieldwall_model::id::RepeatableEntropy;
    use shieldwall_model::realm::Realm;

    use super::*;

    #[test]
    fn settings_are_kept_by_owner_and_survive_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path(), Realm::Real);
        let member = Owner::Member(MemberId::new(Timestamp::default(), &RepeatableEntropy::new(1)));
        let (early, late) = (Timestamp::from_micros(1), Timestamp::from_micros(2));
        {
            let settings = Settings::open(&files).unwrap();
            settings.put("peer", Owner::Hub, "a", b"1", early).unwrap();
            settings.put("peer", member, "a", b"2", early).unwrap();
            settings.put("peer", member, "a", b"3", late).unwrap();
            settings.put("source", member, "b", b"4", late).unwrap();
            assert!(matches!(
                settings.put("peer", member, "c", &vec![0; SETTING_BYTES_MAX + 1], late),
                Err(SettingsError::TooLarge)
            ));
        }
        let settings = Settings::open(&files).unwrap();
        assert_eq!(settings.get("peer", Owner::Hub, "a").unwrap().unwrap().body, b"1");
        let mine = settings.list("peer", member).unwrap();
        assert_eq!((mine.len(), mine[0].body.as_slice(), mine[0].changed), (1, &b"3"[..], late));
        assert_eq!(settings.of_all("peer").unwrap().len(), 2);
        assert!(settings.delete("peer", member, "a").unwrap());
        assert!(!settings.delete("peer", member, "a").unwrap());
        assert_eq!(settings.get("peer", member, "a").unwrap(), None);
    }

    #[test]
    fn an_owner_has_no_more_than_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::open(&Files::new(dir.path(), Realm::Real)).unwrap();
        for number in 0..SETTINGS_PER_OWNER_MAX {
            settings.put("peer", Owner::Hub, &number.to_string(), b"", Timestamp::default()).unwrap();
        }
        assert!(matches!(
            settings.put("peer", Owner::Hub, "one more", b"", Timestamp::default()),
            Err(SettingsError::TooMany)
        ));
        settings.put("peer", Owner::Hub, "0", b"again", Timestamp::default()).unwrap();
    }
}
