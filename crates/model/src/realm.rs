//! Realms: the real world, or one exercise. They share code and nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `real`, or one exercise by its slug. In every key, signature, URL and database path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Realm {
    /// The real world.
    #[default]
    Real,
    /// An exercise, named by a slug: 1 to 40 of `a-z`, `0-9` and `-`, and not `real`.
    Exercise(String),
}

/// Why a text names no realm.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} names no realm: write `real`, or an exercise as 1 to 40 of a-z, 0-9 and `-`")]
pub struct RealmError(String);

impl RealmError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "model.realm.invalid"
    }
}

impl Realm {
    /// The realm as it stands in keys and paths.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Real => "real",
            Self::Exercise(slug) => slug,
        }
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Realm {
    type Err = RealmError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "real" {
            return Ok(Self::Real);
        }
        let fits = (1..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self::Exercise(text.into())) } else { Err(RealmError(text.chars().take(64).collect())) }
    }
}

impl TryFrom<String> for Realm {
    type Error = RealmError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Realm> for String {
    fn from(realm: Realm) -> Self {
        realm.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_never_leaves_its_folder() {
        assert_eq!("real".parse::<Realm>().unwrap(), Realm::Real);
        assert_eq!("locked-wall-26".parse::<Realm>().unwrap().as_str(), "locked-wall-26");
        for bad in ["", "..", "a/b", "Real", "a b", &"x".repeat(41)] {
            assert_eq!(bad.parse::<Realm>().unwrap_err().code(), "model.realm.invalid");
        }
    }
}
