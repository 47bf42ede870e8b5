//! MISP's JSON nodes, read leniently: real files write numbers as strings, and booleans as either.

use std::borrow::Cow;

use serde_json::{Map, Value};
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

/// One JSON object of MISP's.
pub type Node = Map<String, Value>;

/// Longest string kept in one piece, in bytes: below what a STIX object may hold
/// ([`STRING_BYTES_MAX`](shieldwall_model::limits::STRING_BYTES_MAX)).
pub(crate) const PIECE_BYTES_MAX: usize = 60_000;
/// The key of a string kept in pieces.
const PARTS: &str = "x_misp_parts";

/// A text, unless it is empty.
pub fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A text or a number, as text; empty when it is neither.
pub fn shown(node: &Node, key: &str) -> String {
    match node.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => u8::from(*flag).to_string(),
        _ => String::new(),
    }
}

/// A whole number, written as one or as text.
pub fn number(node: &Node, key: &str) -> Option<i64> {
    match node.get(key)? {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().split('.').next()?.parse().ok(),
        _ => None,
    }
}

/// A flag, written as a boolean, a number or text.
pub fn flag(node: &Node, key: &str) -> bool {
    match node.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true" | "True"),
        _ => false,
    }
}

/// Its UUID, if it has one.
pub fn uuid(node: &Node, key: &str) -> Option<Uuid> {
    let text = text(node, key)?;
    // The hyphenated form alone, as everywhere.
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// A list of nodes; what is no node is passed over.
pub fn list<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a Node> {
    node.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_object)
}

/// The names of its tags.
pub fn tags(node: &Node) -> impl Iterator<Item = &str> {
    list(node, "Tag").filter_map(|tag| text(tag, "name"))
}

/// A time in seconds since the epoch, as MISP's `timestamp`; zero is none.
pub fn seconds(node: &Node, key: &str) -> Option<Timestamp> {
    let seconds = number(node, key).filter(|seconds| (1..=253_402_300_799).contains(seconds))?;
    Some(Timestamp::from_micros(0).plus_seconds(seconds))
}

/// A time in ISO 8601, as MISP's `first_seen`; without an offset it is UTC.
pub fn moment(node: &Node, key: &str) -> Option<Timestamp> {
    let text = text(node, key)?;
    Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{text}Z"))).ok()
}

/// Puts long strings in pieces.
pub(crate) fn packed(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > PIECE_BYTES_MAX => {
            let mut parts = Vec::new();
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let mut end = rest.len().min(PIECE_BYTES_MAX);
                while !rest.is_char_boundary(end) {
                    end -= 1;
                }
                let (part, after) = rest.split_at(end);
                parts.push(Value::from(part));
                rest = after;
            }
            Value::Object(Map::from_iter([(PARTS.to_owned(), Value::Array(parts))]))
        }
        Value::Array(items) => items.iter().map(packed).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), packed(value))).collect())
        }
        other => other.clone(),
    }
}

/// Puts pieces together again.
pub(crate) fn unpacked(value: &Value) -> Value {
    match value {
        Value::Object(fields) => match fields.get(PARTS).and_then(Value::as_array) {
            Some(parts) if fields.len() == 1 => {
                Value::String(parts.iter().filter_map(Value::as_str).collect())
            }
            _ => Value::Object(fields.iter().map(|(key, value)| (key.clone(), unpacked(value))).collect()),
        },
        Value::Array(items) => items.iter().map(unpacked).collect(),
        other => other.clone(),
    }
}

/// A UUID as the number MISP's clients expect for an id: its 128 bits in decimal, so that it says nothing but itself.
pub fn id_number(uuid: Uuid) -> String {
    uuid.as_u128().to_string()
}

/// JSON with its long whole numbers in quotes: clients send [`id_number`]s back as numbers, and none of those fits the
/// numbers JSON readers know.
pub fn long_numbers_quoted(json: &[u8]) -> Cow<'_, [u8]> {
    // The longest that a double holds to the last digit has fifteen.
    const DIGITS_MAX: usize = 15;
    let mut out: Vec<u8> = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = json.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = json.get(at..).unwrap_or_default();
                let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let number = rest.get(..rest.iter().take_while(is_part).count()).unwrap_or_default();
                if number.len() > DIGITS_MAX && number.iter().all(u8::is_ascii_digit) {
                    out.extend_from_slice(json.get(copied..at).unwrap_or_default());
                    out.push(b'"');
                    out.extend_from_slice(number);
                    out.push(b'"');
                    copied = at + number.len();
                }
                at += number.len().max(1);
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The UUID a client names, by itself or by its number ([`id_number`]).
pub fn named(text: &str) -> Option<Uuid> {
    if text.len() == 36 {
        return Uuid::try_parse(text).ok();
    }
    text.parse().ok().map(Uuid::from_u128)
}
