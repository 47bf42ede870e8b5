//! Whether two objects are one: the same content in other letters, the same observable from two senders.

use super::json::{self, Json};
use super::{Object, read_bundle, scalar, upgrade};

/// Whether these are the bytes of the same object with the same content: equal as JSON (RFC 8259), whatever the order of
/// properties, the blanks and the spelling of strings, numbers and times. What was kept as STIX 2.0 or under TLP 1 equals its
/// upgraded form.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one == other || equal(one, other) || current(one).is_some_and(|one| one == other || equal(&one, other))
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes| std::str::from_utf8(bytes).ok().and_then(|text| json::read(text).ok());
    read(one).zip(read(other)).is_some_and(|(one, other)| equals(&one, &other))
}

fn equals(one: &Json<'_>, other: &Json<'_>) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => {
            one.iter().count() == other.iter().count()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| equals(value, other)))
        }
        (Json::List(one), Json::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equals(one, other))
        }
        (Json::Integer(integer), Json::Float(float)) | (Json::Float(float), Json::Integer(integer)) => {
            *integer as f64 == *float
        }
        // TAXII servers rewrite times: 09:30:00Z is 09:30:00.000Z.
        (Json::String(one), Json::String(other)) => {
            one == other
                || scalar::time(one)
                    .zip(scalar::time(other))
                    .is_some_and(|((one, _), (other, _))| one == other)
        }
        (one, other) => one == other,
    }
}

/// The upgraded form of older bytes; `None` where they need none.
fn current(bytes: &[u8]) -> Option<Vec<u8>> {
    let object = read_one(bytes).filter(|object| object.outdated)?;
    let first = upgrade(object, bytes).ok()?.into_iter().next()?;
    Some(first.bytes.into_owned())
}

/// Reads the bytes of one object, such as an entry's body; `None` where they are none that is accepted.
pub fn read_one(bytes: &[u8]) -> Option<Object> {
    read_bundle(bytes).ok()?.accepted.into_iter().next()
}
