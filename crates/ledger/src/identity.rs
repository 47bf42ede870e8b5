//! Who signs the checkpoints: the hub's key, one identity for each realm, and C2SP signed notes
//! (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).
//!
//! `hub.key` holds 32 random bytes as hex. A realm's Ed25519 seed is
//! `SHA-256("shieldwall/checkpoint key/v1\n" ‖ realm ‖ "\n" ‖ hub seed)`, so that no realm signs with another's key.
//! A log's origin line and key name are `<origin>/<group UUID>`.
//!
//! An identity is an (origin, public key). A ledger that meets a `hub.key` it does not know (it was restored
//! elsewhere, or the key was lost) starts a *new* identity, whose origin carries `key-` and the first 8 hex digits of
//! SHA-256 of its public key: it can therefore never sign a smaller tree under a name that signed a larger one. What
//! earlier identities signed stays verifiable.

use std::path::Path;

use ed25519_dalek::{Signature, SignatureError, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use shieldwall_model::id::{Entropy, EntropyError, GroupId};
use shieldwall_model::realm::Realm;
use signed_note::{Note, NoteError, VerifierList};
use tlog_tiles::{Checkpoint, Hash};

use crate::files::{FilesError, write_whole};

/// Longest origin, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 200;
/// What C2SP signed notes call Ed25519.
const ALGORITHM_ED25519: u8 = 1;

/// Why a key or a checkpoint is not good.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key file holds no key.
    #[error("{0} does not hold 64 hex digits: restore the file, or move it away to start a new identity")]
    Key(std::path::PathBuf),
    /// The key file cannot be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// No randomness to make a key from.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The origin cannot name a key.
    #[error(
        "{0:?} cannot be an origin: 1 to 200 bytes without spaces and `+`, such as `shieldwall.example/real`"
    )]
    Origin(String),
    /// The text is no checkpoint.
    #[error("this is no checkpoint of a log: expected origin, size, root and signature lines")]
    Form,
    /// No good signature by the key asked for.
    #[error("the checkpoint of {origin} is not signed by the key of this ledger")]
    Signature {
        /// The origin it names.
        origin: String,
    },
}

impl IdentityError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(_) => "ledger.identity.key",
            Self::Files(error) => error.code(),
            Self::Entropy(error) => error.code(),
            Self::Origin(_) => "ledger.identity.origin",
            Self::Form => "ledger.identity.form",
            Self::Signature { .. } => "ledger.identity.signature",
        }
    }
}

/// Reads the hub's seed, or makes one on first use.
pub(crate) fn seed(path: &Path, entropy: &dyn Entropy) -> Result<[u8; 32], IdentityError> {
    if let Some(seed) = read_seed(path)? {
        return Ok(seed);
    }
    let mut seed = [0u8; 32];
    entropy.fill(&mut seed)?;
    write_whole(path, format!("{}\n", hex(&seed)).as_bytes())?;
    Ok(seed)
}

/// Reads the hub's seed, if the file is there.
pub(crate) fn read_seed(path: &Path) -> Result<Option<[u8; 32]>, IdentityError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FilesError::Io { path: path.into(), source }.into()),
    };
    unhex(text.trim()).map(Some).ok_or_else(|| IdentityError::Key(path.into()))
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// 32 bytes from 64 hex digits.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0u8; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The key a realm signs with.
#[derive(Clone)]
pub(crate) struct RealmKey(SigningKey);

impl RealmKey {
    /// The realm's key from the hub's seed.
    pub(crate) fn derive(seed: &[u8; 32], realm: &Realm) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"shieldwall/checkpoint key/v1\n");
        hash.update(realm.as_str().as_bytes());
        hash.update(b"\n");
        hash.update(seed);
        Self(SigningKey::from_bytes(&hash.finalize().into()))
    }

    /// The public half.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs the head of a log.
    pub(crate) fn sign(
        &self,
        origin: &str,
        group: GroupId,
        size: u64,
        root: Hash,
    ) -> Result<String, IdentityError> {
        let line = origin_line(origin, group);
        let text = Checkpoint::new(&line, size, root, "").map_err(|_| IdentityError::Form)?.to_bytes();
        let mut note = Note::new(&text, &[]).map_err(|_| IdentityError::Form)?;
        let signer =
            LogSigner { id: signed_note::key_id(&line, &typed(&self.public())), name: line, key: &self.0 };
        note.add_sigs(&[&signer]).map_err(|_| IdentityError::Form)?;
        String::from_utf8(note.to_bytes()).map_err(|_| IdentityError::Form)
    }
}

struct LogSigner<'a> {
    name: String,
    id: u32,
    key: &'a SigningKey,
}

impl signed_note::Signer for LogSigner<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.key.try_sign(message)?.to_vec())
    }
}

/// A verifier that takes no malleable signature, unlike the one `signed_note` brings (RFC 8032 section 5.1.7 leaves
/// both open).
struct LogVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl signed_note::Verifier for LogVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

fn typed(key: &[u8; 32]) -> Vec<u8> {
    [&[ALGORITHM_ED25519], key.as_slice()].concat()
}

/// An origin and the public key that signs under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The origin, before `/<group UUID>`.
    pub origin: String,
    /// The Ed25519 public key.
    pub public: [u8; 32],
}

impl Identity {
    /// The first identity of a ledger.
    ///
    /// # Errors
    /// [`IdentityError::Origin`] when the origin cannot name a key.
    pub(crate) fn first(origin: &str, public: [u8; 32]) -> Result<Self, IdentityError> {
        if origin.len() > ORIGIN_BYTES_MAX || !signed_note::is_key_name_valid(origin) || !origin.is_ascii() {
            return Err(IdentityError::Origin(origin.chars().take(ORIGIN_BYTES_MAX).collect()));
        }
        Ok(Self { origin: origin.to_owned(), public })
    }

    /// The identity that follows when the key is another.
    pub(crate) fn after(first: &Self, public: [u8; 32]) -> Self {
        let tag: String = hex(&Sha256::digest(public)).chars().take(8).collect();
        Self { origin: format!("{}/key-{tag}", first.origin), public }
    }

    /// The C2SP verifier key (`name+id+key`) of a log under this identity: what a witness is given.
    pub fn verifier_key(&self, group: GroupId) -> Option<String> {
        let key = VerifyingKey::from_bytes(&self.public).ok()?;
        Some(signed_note::new_ed25519_verifier_key(&origin_line(&self.origin, group), &key))
    }

    /// Size and root of a checkpoint of `group`, once its origin and its signature under this identity hold.
    ///
    /// # Errors
    /// [`IdentityError::Form`] and [`IdentityError::Signature`].
    pub fn open(&self, group: GroupId, note: &str) -> Result<(u64, Hash), IdentityError> {
        let checkpoint = parse(note)?;
        let refused = || IdentityError::Signature { origin: checkpoint.origin().to_owned() };
        if checkpoint.origin() != origin_line(&self.origin, group) {
            return Err(refused());
        }
        let name = origin_line(&self.origin, group);
        let id = signed_note::key_id(&name, &typed(&self.public));
        let key = VerifyingKey::from_bytes(&self.public).map_err(|_| refused())?;
        let verifier = LogVerifier { name, id, key };
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| IdentityError::Form)?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|error| match error {
            NoteError::MalformedNote => IdentityError::Form,
            _ => refused(),
        })?;
        Ok((checkpoint.size(), *checkpoint.hash()))
    }
}

/// The origin line and key name of a log.
pub fn origin_line(origin: &str, group: GroupId) -> String {
    format!("{origin}/{}", group.uuid())
}

/// Origin, size and root of a note, its signature not looked at.
pub(crate) fn parse(note: &str) -> Result<Checkpoint, IdentityError> {
    let note = Note::from_bytes(note.as_bytes()).map_err(|_| IdentityError::Form)?;
    Checkpoint::from_bytes(note.text()).map_err(|_| IdentityError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_model::id::RepeatableEntropy;

    fn identity(key: &RealmKey) -> Identity {
        Identity::first("shieldwall.example/real", key.public()).unwrap()
    }

    #[test]
    fn the_seed_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.key");
        let made = seed(&path, &RepeatableEntropy::new(1)).unwrap();
        assert_eq!(seed(&path, &RepeatableEntropy::new(2)).unwrap(), made);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "nonsense").unwrap();
        assert_eq!(seed(&path, &RepeatableEntropy::new(2)).unwrap_err().code(), "ledger.identity.key");
    }

    #[test]
    fn a_checkpoint_opens_only_as_it_was_signed() {
        let key = RealmKey::derive(&[1; 32], &Realm::Real);
        let root = tlog_tiles::record_hash(b"x");
        let note = key.sign("shieldwall.example/real", GroupId::ALLIANCE, 5, root).unwrap();
        assert!(
            note.starts_with(&format!("shieldwall.example/real/{}\n5\n", GroupId::ALLIANCE.uuid())),
            "{note}"
        );
        let identity = identity(&key);
        assert_eq!(identity.open(GroupId::ALLIANCE, &note).unwrap(), (5, root));
        let grown = note.replacen("\n5\n", "\n6\n", 1);
        assert_eq!(identity.open(GroupId::ALLIANCE, &grown).unwrap_err().code(), "ledger.identity.signature");
        let other = GroupId::from_uuid(uuid::Uuid::from_u128(3));
        assert_eq!(identity.open(other, &note).unwrap_err().code(), "ledger.identity.signature");
        let exercise = RealmKey::derive(&[1; 32], &Realm::Exercise("x".into()));
        assert_ne!(exercise.public(), key.public());
        let swapped = Identity { public: exercise.public(), ..identity };
        assert_eq!(swapped.open(GroupId::ALLIANCE, &note).unwrap_err().code(), "ledger.identity.signature");
        assert_eq!(swapped.open(GroupId::ALLIANCE, "x").unwrap_err().code(), "ledger.identity.form");
    }

    #[test]
    fn another_key_is_another_origin() {
        let first = identity(&RealmKey::derive(&[1; 32], &Realm::Real));
        let next = Identity::after(&first, RealmKey::derive(&[2; 32], &Realm::Real).public());
        assert!(next.origin.starts_with("shieldwall.example/real/key-"), "{}", next.origin);
        assert_eq!(Identity::first("a b", [0; 32]).unwrap_err().code(), "ledger.identity.origin");
    }
}
