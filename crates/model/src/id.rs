//! Identifiers as types: a UUIDv7 inside, the STIX form `type--uuid` outside.
//!
//! Each thing has a type of its own, so a member can never be handed in where a sharing group is asked for.
//! Randomness comes from an [`Entropy`].

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::time::Timestamp;

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`EntropyError`] when the source has none to give; nothing secret may then be made.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness failed.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct EntropyError(String);

impl EntropyError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "model.entropy.unavailable"
    }
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|error| EntropyError(error.to_string()))
    }
}

/// The same bytes for the same seed (SplitMix64, Steele et al. 2014): for tests and generated data, never for secrets.
#[derive(Debug)]
pub struct RepeatableEntropy(AtomicU64);

impl RepeatableEntropy {
    /// A source that repeats itself for the same `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for RepeatableEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(GOLDEN_GAMMA, Ordering::SeqCst).wrapping_add(GOLDEN_GAMMA);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            for (byte, random) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

/// A UUIDv7 (RFC 9562 section 5.7) of this time. Falls back to the time and a counter should randomness fail:
/// an id is a name, not a secret.
fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> Uuid {
    static SPARE: AtomicU64 = AtomicU64::new(0);
    let mut random = [0u8; 10];
    if entropy.fill(&mut random).is_err() {
        let spare = SPARE.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        for (byte, value) in random.iter_mut().skip(2).zip(spare) {
            *byte = value;
        }
    }
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Why a text is not the identifier asked for.
#[derive(Debug, thiserror::Error)]
pub enum IdError {
    /// The text has another form.
    #[error("{text:?} is not an id of the form {wanted}--<uuid>")]
    Form {
        /// What stood there, cut to 80 characters.
        text: String,
        /// The type the id should name.
        wanted: &'static str,
    },
    /// The type part of a STIX id breaks the rule of STIX 2.1 section 2.9.
    #[error("{text:?} is not a STIX id: the type is 3 to 250 of a-z, 0-9 and `-`, then `--` and a UUID")]
    Stix {
        /// What stood there, cut to 80 characters.
        text: String,
    },
}

impl IdError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form { .. } => "model.id.form",
            Self::Stix { .. } => "model.id.stix",
        }
    }
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The type that stands before `--` in the written form.
            pub const PREFIX: &'static str = $prefix;

            /// A new id of this time.
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(now, entropy))
            }

            /// The id that holds this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID alone, as it stands in keys and TAXII collection ids.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "--{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "--"))
                    .and_then(|uuid| Uuid::try_parse(uuid).ok())
                    .map(Self)
                    .ok_or_else(|| IdError::Form { text: text.chars().take(80).collect(), wanted: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

typed_id!(
    /// A member of the alliance. Outside it is the id of the member's STIX identity.
    MemberId, "identity"
);
typed_id!(
    /// A person who acts for a member.
    UserId, "user"
);
typed_id!(
    /// A program in a member's network.
    SensorId, "sensor"
);
typed_id!(
    /// Another hub.
    PeerId, "peer"
);
typed_id!(
    /// A sharing group, and with it its log and its TAXII collection.
    GroupId, "group"
);
typed_id!(
    /// An API token.
    TokenId, "token"
);
typed_id!(
    /// A warning to the members of a sharing group.
    WarningId, "warning"
);
typed_id!(
    /// The status resource of a TAXII POST.
    StatusId, "status"
);

impl WarningId {
    /// The id of the one warning about `subject` in `group`: the same for the same two (UUIDv5, RFC 9562
    /// section 5.5), so that folding a log again gives the same warnings.
    pub fn about(group: GroupId, subject: &str) -> Self {
        Self(Uuid::new_v5(&group.uuid(), subject.as_bytes()))
    }
}

impl StatusId {
    /// A new id of random bits alone (UUIDv4, RFC 9562 section 5.4), which is what TAXII 2.1 section 2 asks of its
    /// identifiers.
    ///
    /// # Errors
    /// [`EntropyError`]; an id that could be guessed would not be one.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0u8; 16];
        entropy.fill(&mut random)?;
        Ok(Self(uuid::Builder::from_random_bytes(random).into_uuid()))
    }
}

/// The id of a STIX object, `type--uuid` (STIX 2.1 section 2.9), kept as it was spelled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(String);

impl ObjectId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of this object type and UUID, where the type is one the program itself names.
    ///
    /// # Errors
    /// [`IdError::Stix`] for a type that breaks STIX 2.1 section 2.9.
    pub fn of(object_type: &str, uuid: Uuid) -> Result<Self, IdError> {
        format!("{object_type}--{uuid}").parse()
    }

    /// The object type, such as `indicator`.
    pub fn object_type(&self) -> &str {
        self.0.split_once("--").map_or("", |(object_type, _)| object_type)
    }
}

impl FromStr for ObjectId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || IdError::Stix { text: text.chars().take(80).collect() };
        let (object_type, uuid) = text.split_once("--").ok_or_else(wrong)?;
        let type_fits = (3..=250).contains(&object_type.len())
            && object_type.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        // The hyphenated form alone: `Uuid::try_parse` would also take braces and bare hex.
        let uuid_fits = uuid.len() == 36 && Uuid::try_parse(uuid).is_ok();
        if type_fits && uuid_fits { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for ObjectId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_time_and_type() {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let entropy = RepeatableEntropy::new(7);
        let first = MemberId::new(now, &entropy);
        let later = MemberId::new(now.plus_seconds(1), &entropy);
        assert!(first < later, "{first} {later}");
        assert_eq!(first.uuid().get_version_num(), 7);
        assert_eq!(first.to_string().parse::<MemberId>().unwrap(), first);
        assert_eq!(first.to_string().parse::<GroupId>().unwrap_err().code(), "model.id.form");
    }

    #[test]
    fn a_warning_keeps_its_id_over_folds() {
        let group = GroupId::from_uuid(Uuid::from_u128(1));
        assert_eq!(WarningId::about(group, "a"), WarningId::about(group, "a"));
        assert_ne!(WarningId::about(group, "a"), WarningId::about(group, "b"));
    }

    #[test]
    fn stix_ids_follow_section_2_9() {
        let good = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
        assert_eq!(good.parse::<ObjectId>().unwrap().object_type(), "indicator");
        for bad in [
            "indicator",
            "indicator--",
            "in--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "Indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "indicator--8e2e2d2b17d44cbf938f98ee46b3cd3f",
            "indicator--{8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3}",
        ] {
            assert_eq!(bad.parse::<ObjectId>().unwrap_err().code(), "model.id.stix", "{bad}");
        }
    }
}
