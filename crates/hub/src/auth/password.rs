//! Passwords: Argon2id (RFC 9106), and what a password has to be.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use shieldwall_model::id::Entropy;
use shieldwall_model::limits;

use crate::problem::Problem;

/// Argon2id with 19 MiB, two passes, one lane: the first recommendation of OWASP's password storage sheet.
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// Hashes a password that [`check`] let through, as a PHC string.
///
/// # Errors
/// 500 without randomness.
pub fn hash(password: &str, entropy: &dyn Entropy) -> Result<String, Problem> {
    let mut random = [0u8; 16];
    entropy.fill(&mut random).map_err(|error| Problem::fault(&error))?;
    let salt = SaltString::encode_b64(&random).map_err(|error| Problem::fault(&error))?;
    let hash = hasher().hash_password(password.as_bytes(), &salt).map_err(|error| Problem::fault(&error))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one behind `hash`. Costs some 30 ms of one core whatever the answer.
pub fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok())
}

/// A hash nobody knows the password of: verified against when the name is unknown, so that time tells nothing.
pub const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2hpZWxkd2FsbC1ub2JvZHk$kC0JlZ0kUyZr0nWqk0cJ7hQp4b4mC0N1mQ7m4l3X9mE";

/// Says what is wrong with a password (NIST SP 800-63B-4 section 3.1.1: length, no composition rules).
///
/// # Errors
/// 422 with the reason.
pub fn check(password: &str, name: &str) -> Result<(), Problem> {
    let length = password.chars().count();
    if length < limits::PASSWORD_CHARACTERS_MIN {
        return Err(Problem::refused(
            "auth.password.short",
            format!(
                "a password has at least {} characters; four or five words do well",
                limits::PASSWORD_CHARACTERS_MIN
            ),
        ));
    }
    if length > limits::PASSWORD_CHARACTERS_MAX {
        return Err(Problem::refused(
            "auth.password.long",
            format!("a password has at most {} characters", limits::PASSWORD_CHARACTERS_MAX),
        ));
    }
    let lower = password.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
    if distinct.len() < 5 || (name.len() >= 4 && lower.contains(&name.to_lowercase())) {
        return Err(Problem::refused(
            "auth.password.guessable",
            "this password repeats itself or holds the name; four or five unrelated words do well",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_model::id::RepeatableEntropy;

    #[test]
    fn a_password_is_kept_as_argon2id_and_checked() {
        let hash = hash("four unrelated quiet words", &RepeatableEntropy::new(1)).unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify("four unrelated quiet words", &hash));
        assert!(!verify("four unrelated quiet word", &hash));
        assert!(PasswordHash::new(NOBODY).is_ok(), "an unknown name costs as much time as a known one");
        assert!(!verify("", NOBODY));
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        for (password, code) in [
            ("short", "auth.password.short"),
            ("aaaaaaaaaaaaaaaaaaaa", "auth.password.guessable"),
            ("duty.officer-2026-x", "auth.password.guessable"),
        ] {
            assert_eq!(check(password, "duty.officer").unwrap_err().code, code);
        }
        assert!(check("four unrelated quiet words", "duty.officer").is_ok());
    }
}
