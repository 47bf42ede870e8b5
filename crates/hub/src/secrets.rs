//! Secrets: how tokens, sessions and links are made, and which keys a hub keeps in files of its own.
//!
//! A secret is 32 random bytes, shown once; what is stored is its SHA-256. A random 256-bit secret cannot be guessed
//! from a fast hash, so checking one costs a microsecond, where a password needs Argon2id.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use shieldwall_model::id::{Entropy, EntropyError};

/// What stands before an API token, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "swt_";

/// A secret just made: what its owner keeps, and what the hub keeps of it.
pub struct Secret {
    /// The text its owner keeps.
    pub text: String,
    /// What the hub stores.
    pub hash: [u8; 32],
}

/// Makes a secret that begins with `prefix`.
///
/// # Errors
/// [`EntropyError`] when there is no randomness: then there is no secret.
pub fn make(prefix: &str, entropy: &dyn Entropy) -> Result<Secret, EntropyError> {
    let mut bytes = [0u8; 32];
    entropy.fill(&mut bytes)?;
    let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = hash(&text);
    Ok(Secret { text, hash })
}

/// What the hub stores of a secret.
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A keyed hash (HMAC-SHA-256, RFC 2104) of `text`, in hex, for pseudonyms and CSRF tokens.
pub fn keyed(key: &[u8; 32], purpose: &str, text: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32-byte key in `path`, made there (mode 0600) when missing.
///
/// # Errors
/// Whatever the file system says, a file of another size, or no randomness.
pub fn key_file(path: &Path, entropy: &dyn Entropy) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the key file does not hold 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0u8; 32];
            entropy.fill(&mut key).map_err(io::Error::other)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_model::id::RepeatableEntropy;

    #[test]
    fn a_secret_is_stored_as_a_hash_and_no_two_are_alike() {
        let entropy = RepeatableEntropy::new(1);
        let first = make(TOKEN_PREFIX, &entropy).unwrap();
        let second = make(TOKEN_PREFIX, &entropy).unwrap();
        assert!(first.text.starts_with("swt_") && first.text.len() == 47);
        assert_ne!(first.hash, second.hash);
        assert_eq!(hash(&first.text), first.hash);
    }

    #[test]
    fn a_key_is_made_once_and_read_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.key");
        let key = key_file(&path, &RepeatableEntropy::new(1)).unwrap();
        assert_eq!(key_file(&path, &RepeatableEntropy::new(2)).unwrap(), key);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
        fs::write(&path, b"short").unwrap();
        assert!(key_file(&path, &RepeatableEntropy::new(1)).is_err());
    }
}
