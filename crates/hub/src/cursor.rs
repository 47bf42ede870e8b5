//! Opaque cursors and stream ids: authenticated, unreadable, and bound to their reader and use.
//!
//! A cursor holds positions in logs. It is sealed with AES-256-GCM-SIV (RFC 8452), which keeps its promises under a
//! fixed nonce, so that equal positions give equal cursors: a cursor says nothing but "where you were".

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use shieldwall_ledger::Positions;
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::GroupId;
use uuid::Uuid;

use crate::problem::Problem;

/// Longest sealed cursor taken, in bytes: a position is 24 bytes, and a reader is party to at most some hundred groups.
const CURSOR_BYTES_MAX: usize = 16 * 1024;

/// Seals and opens cursors.
pub struct Seal(Aes256GcmSiv);

impl Seal {
    /// A seal with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256GcmSiv::new(Key::<Aes256GcmSiv>::from_slice(key)))
    }

    /// Seals `positions` for the reader of `scope` and for `use_of` (such as `stream`) alone.
    pub fn seal(&self, scope: &ReadScope, use_of: &str, positions: &Positions) -> String {
        let mut plain = Vec::with_capacity(positions.len() * 24);
        for (group, sequence) in positions {
            plain.extend_from_slice(group.uuid().as_bytes());
            plain.extend_from_slice(&sequence.to_be_bytes());
        }
        self.seal_bytes(scope, use_of, &plain)
    }

    /// Seals any place a page ended at, as [`Seal::seal`] does.
    pub fn seal_bytes(&self, scope: &ReadScope, use_of: &str, plain: &[u8]) -> String {
        let aad = Self::bound_to(scope, use_of);
        // Encryption of a short text in memory fails for no input; an empty cursor means "from the start".
        let sealed = self
            .0
            .encrypt(&Nonce::default(), Payload { msg: plain, aad: aad.as_bytes() })
            .unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens a cursor this reader was given for this use.
    ///
    /// # Errors
    /// 410 `cursor.stale` for any other text: the reader starts again.
    pub fn open(&self, scope: &ReadScope, use_of: &str, text: &str) -> Result<Positions, Problem> {
        let plain = self.open_bytes(scope, use_of, text)?;
        let positions = plain.chunks(24).map(|chunk| {
            let (group, sequence) = chunk.split_at_checked(16)?;
            let group = GroupId::from_uuid(Uuid::from_slice(group).ok()?);
            Some((group, u64::from_be_bytes(sequence.try_into().ok()?)))
        });
        positions.collect::<Option<_>>().ok_or_else(stale)
    }

    /// Opens what [`Seal::seal_bytes`] sealed.
    ///
    /// # Errors
    /// As [`Seal::open`].
    pub fn open_bytes(&self, scope: &ReadScope, use_of: &str, text: &str) -> Result<Vec<u8>, Problem> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(stale());
        }
        let aad = Self::bound_to(scope, use_of);
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| stale())?;
        self.0.decrypt(&Nonce::default(), Payload { msg: &sealed, aad: aad.as_bytes() }).map_err(|_| stale())
    }

    /// Seals a secret that is kept in the settings, so that a copy of them without the hub's key tells nothing.
    /// `use_of` says what it is for, such as `peer`; it opens for nothing else.
    pub fn hide(&self, use_of: &str, secret: &str) -> String {
        let aad = format!("shieldwall/secret/v1/{use_of}");
        let sealed = self
            .0
            .encrypt(&Nonce::default(), Payload { msg: secret.as_bytes(), aad: aad.as_bytes() })
            .unwrap_or_default();
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what [`Seal::hide`] sealed; `None` under another key, as after a backup was restored elsewhere.
    pub fn reveal(&self, use_of: &str, text: &str) -> Option<String> {
        let aad = format!("shieldwall/secret/v1/{use_of}");
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = self.0.decrypt(&Nonce::default(), Payload { msg: &sealed, aad: aad.as_bytes() }).ok()?;
        String::from_utf8(plain).ok()
    }

    fn bound_to(scope: &ReadScope, use_of: &str) -> String {
        format!("shieldwall/cursor/v1/{use_of}/{}", scope.binding())
    }
}

fn stale() -> Problem {
    Problem::new(
        axum::http::StatusCode::GONE,
        "cursor.stale",
        "this cursor is not one of yours, or the hub has forgotten it; start again without it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shieldwall_model::access::{Action, Principal, Reader, Role};
    use shieldwall_model::directory::Directory;
    use shieldwall_model::id::{MemberId, RepeatableEntropy, UserId};
    use shieldwall_model::realm::Realm;
    use shieldwall_model::time::Timestamp;

    fn scope(seed: u64, realm: Realm) -> ReadScope {
        let entropy = RepeatableEntropy::new(seed);
        let user = Principal::User(UserId::new(Timestamp::default(), &entropy));
        let member = MemberId::new(Timestamp::default(), &entropy);
        Reader::new(realm, user, member, Role::Analyst, &Directory::default())
            .scope(Action::ReadWarnings)
            .unwrap()
    }

    proptest! {
        #[test]
        fn a_cursor_opens_for_its_reader_and_use_alone(positions in proptest::collection::btree_map(any::<u128>(), any::<u64>(), 0..5), flip in any::<prop::sample::Index>()) {
            let seal = Seal::new(&[7; 32]);
            let positions: Positions = positions.into_iter().map(|(id, at)| (GroupId::from_uuid(Uuid::from_u128(id)), at)).collect();
            let mine = scope(1, Realm::Real);
            let text = seal.seal(&mine, "stream", &positions);
            prop_assert_eq!(seal.open(&mine, "stream", &text).unwrap(), positions.clone());
            prop_assert_eq!(seal.seal(&mine, "stream", &positions), text.clone(), "equal positions, equal cursors");
            prop_assert!(seal.open(&mine, "watchlist", &text).is_err());
            prop_assert!(seal.open(&scope(2, Realm::Real), "stream", &text).is_err());
            prop_assert!(seal.open(&scope(1, Realm::Exercise("x".into())), "stream", &text).is_err());
            prop_assert!(Seal::new(&[8; 32]).open(&mine, "stream", &text).is_err());
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let at = flip.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert!(seal.open(&mine, "stream", &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }
    }

    #[test]
    fn a_secret_opens_for_its_use_under_its_key_alone() {
        let seal = Seal::new(&[7; 32]);
        let hidden = seal.hide("peer", "swt_secret");
        assert!(!hidden.contains("secret"));
        assert_eq!(seal.reveal("peer", &hidden).as_deref(), Some("swt_secret"));
        assert_eq!(seal.reveal("webhook", &hidden), None);
        assert_eq!(Seal::new(&[8; 32]).reveal("peer", &hidden), None);
        assert_eq!(seal.reveal("peer", "not sealed"), None);
    }

    #[test]
    fn any_other_text_is_stale() {
        let seal = Seal::new(&[7; 32]);
        for text in ["", "x", "AAAA", &"A".repeat(CURSOR_BYTES_MAX + 1), "ééé"] {
            assert_eq!(seal.open(&scope(1, Realm::Real), "stream", text).unwrap_err().code, "cursor.stale");
        }
    }
}
