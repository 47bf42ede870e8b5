//! Tokens that were asked for lately, kept in memory for as long as nothing in the accounts has changed.
//!
//! A request costs the look at one counter (`PRAGMA data_version`), which any commit by any other connection moves, that
//! of another process too: so a token revoked by the offline command counts no more from the very next request on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use shieldwall_model::time::Timestamp;

use super::{AccountsError, SecretHash, Token, is_stale};
use crate::files::{Mode, open};

/// Most tokens kept; then they are looked up anew.
const TOKENS_KEPT_MAX: usize = 10_000;

pub(super) struct Recent(Mutex<Kept>);

struct Kept {
    /// A connection that never writes: what any other commits moves its counter.
    connection: Connection,
    /// The counter when `tokens` were read.
    counter: i64,
    tokens: HashMap<SecretHash, Token>,
}

impl Recent {
    pub(super) fn open(path: &Path) -> Result<Self, AccountsError> {
        let mut kept =
            Kept { connection: open(path, Mode::Read)?, counter: i64::MIN, tokens: HashMap::new() };
        kept.look()?;
        Ok(Self(Mutex::new(kept)))
    }

    /// The counter now, to be told to [`Recent::keep`].
    pub(super) fn counter(&self) -> Result<i64, AccountsError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).look()
    }

    /// The token, if it is known, counts, and its last use need not be noted.
    pub(super) fn get(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Token>, AccountsError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.look()?;
        let token = kept.tokens.get(hash);
        Ok(token.filter(|token| token.expires > now && !is_stale(token, now)).cloned())
    }

    /// Keeps a token that was read while the counter stood at `counter`, unless something has changed since.
    pub(super) fn keep(&self, counter: i64, token: &Token) -> Result<(), AccountsError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A member that is yet to join is the slow path's business.
        if kept.look()? == counter && token.joining.is_none() {
            if kept.tokens.len() >= TOKENS_KEPT_MAX {
                kept.tokens.clear();
            }
            kept.tokens.insert(token.hash, token.clone());
        }
        Ok(())
    }
}

impl Kept {
    /// Looks at the counter, and forgets everything if it has moved.
    fn look(&mut self) -> Result<i64, AccountsError> {
        let counter =
            self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if counter != self.counter {
            self.tokens.clear();
            self.counter = counter;
        }
        Ok(counter)
    }
}
