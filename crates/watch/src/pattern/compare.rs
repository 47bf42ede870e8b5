//! A value of an observation beside a constant of a pattern: equality, order, `LIKE`, networks, lists.
//!
//! Types that have nothing to do with each other are unequal and in no order (STIX 2.1 section 9.6.1). Numbers are
//! compared by what they are worth, texts by code points, bytes with a text by the code points below 256.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::memmem;
use serde_json::Value as Json;
use shieldwall_model::time::Timestamp;

use super::tree::Literal;
use crate::value::{Kind, Value};

/// A constant of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Timestamp),
    Bytes(Vec<u8>),
}

/// A value a path selected.
pub(super) enum Selected<'a> {
    Json(&'a Json),
    /// Of a property whose name ends in `_hex` or `_bin` (STIX 2.1 section 9.6.3).
    Bytes(Vec<u8>),
    /// References that were followed and are not steps further.
    Objects,
}

/// Whether a value that was met is a listed one, below a listed name or within a listed network.
pub(super) fn is_listed(listed: &Value, met: &Value) -> bool {
    if listed == met {
        return true;
    }
    match listed.kind() {
        Kind::Domain => {
            let parent = met.bytes().strip_suffix(listed.bytes());
            met.kind() == Kind::Domain && parent.is_some_and(|rest| rest.ends_with(b"."))
        }
        Kind::Cidr4 | Kind::Cidr6 => {
            let network = |value: &Value| Network::parse(&value.to_string());
            network(listed).zip(network(met)).is_some_and(|(listed, met)| listed.holds(&met))
        }
        _ => false,
    }
}

/// The bytes of a property by its name's ending.
pub(super) fn bytes_of(key: &str, text: &str) -> Option<Vec<u8>> {
    if key.ends_with("_hex") {
        return hex(text);
    }
    key.ends_with("_bin").then(|| base64::engine::general_purpose::STANDARD.decode(text).ok()).flatten()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

pub(super) fn constant(literal: &Literal) -> Constant {
    match literal {
        Literal::Text(text) => Constant::Text(text.clone()),
        Literal::Int(number) => Constant::Int(*number),
        Literal::Float(number) => Constant::Float(*number),
        Literal::Bool(truth) => Constant::Bool(*truth),
        // The lexer has read each of these; what it would not read is none.
        Literal::Timestamp(text) => Constant::Time(Timestamp::parse(text).unwrap_or_default()),
        Literal::Hex(text) => Constant::Bytes(hex(text).unwrap_or_default()),
        Literal::Binary(text) => {
            Constant::Bytes(base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default())
        }
    }
}

/// A set is of one type; whole numbers and fractions are one.
pub(super) fn set(literals: &[(usize, Literal)]) -> Result<Vec<Constant>, String> {
    let set: Vec<Constant> = literals.iter().map(|(_, literal)| constant(literal)).collect();
    let sort = |constant: &Constant| match constant {
        Constant::Text(_) => 0,
        Constant::Int(_) | Constant::Float(_) => 1,
        Constant::Bool(_) => 2,
        Constant::Time(_) => 3,
        Constant::Bytes(_) => 4,
    };
    match set.windows(2).any(|pair| matches!(pair, [one, other] if sort(one) != sort(other))) {
        true => Err("the members of a set are of one type".into()),
        false => Ok(set),
    }
}

/// How a value stands to a constant.
#[derive(PartialEq, Eq, Clone, Copy)]
pub(super) enum Compared {
    As(Ordering),
    /// Comparable types, and no order between these two: text beyond what bytes can be, no time.
    Unlike,
    /// The types have nothing to do with each other.
    Never,
}

pub(super) fn compare(value: &Selected<'_>, constant: &Constant) -> Compared {
    let known = |order: Option<Ordering>| order.map_or(Compared::Unlike, Compared::As);
    match (value, constant) {
        (Selected::Json(Json::String(text)), Constant::Text(other)) => Compared::As(text.as_str().cmp(other)),
        (Selected::Json(Json::String(text)), Constant::Time(time)) => {
            known(Timestamp::parse(text).ok().map(|stamp| stamp.cmp(time)))
        }
        (Selected::Json(Json::String(text)), Constant::Bytes(bytes)) => {
            known(latin(text).map(|text| text.cmp(bytes)))
        }
        (Selected::Bytes(bytes), Constant::Text(text)) => known(latin(text).map(|text| bytes.cmp(&text))),
        (Selected::Bytes(bytes), Constant::Bytes(other)) => Compared::As(bytes.cmp(other)),
        (Selected::Json(Json::Bool(truth)), Constant::Bool(other)) if truth == other => {
            Compared::As(Ordering::Equal)
        }
        (Selected::Json(Json::Number(number)), Constant::Int(_) | Constant::Float(_)) => {
            known(numbers(number, constant))
        }
        _ => Compared::Never,
    }
}

/// The bytes a text stands for beside binary: one a character, if each is below 256 (STIX 2.1 section 9.6.3).
fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// Numbers are compared by what they are worth, without rounding.
fn numbers(value: &serde_json::Number, constant: &Constant) -> Option<Ordering> {
    let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    match (whole, constant) {
        (Some(whole), Constant::Int(other)) => Some(whole.cmp(&i128::from(*other))),
        (Some(whole), Constant::Float(other)) => whole_beside(whole, *other),
        (None, Constant::Int(other)) => {
            whole_beside(i128::from(*other), value.as_f64()?).map(Ordering::reverse)
        }
        (None, Constant::Float(other)) => value.as_f64()?.partial_cmp(other),
        _ => None,
    }
}

fn whole_beside(whole: i128, float: f64) -> Option<Ordering> {
    if float.abs() >= 1e30 {
        return 0f64.partial_cmp(&float);
    }
    // Within that range the whole part of a float is exact.
    let part = float.trunc() as i128;
    Some(whole.cmp(&part).then_with(|| 0f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)))
}

/// Normal form C, which LIKE and MATCHES work on; `=` and the order compare code points as they are (section 9.6.2).
pub(super) fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

pub(super) fn text_of(value: &Selected<'_>) -> Option<String> {
    match value {
        Selected::Json(Json::String(text)) => Some(nfc(text)),
        Selected::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(nfc),
        _ => None,
    }
}

/// `LIKE`: `%` is any run of characters, `_` any one.
#[derive(Debug, Clone)]
pub(super) struct Like {
    /// What stands between the `%`.
    parts: Vec<Vec<char>>,
}

impl Like {
    pub(super) fn new(pattern: &str) -> Self {
        Self { parts: pattern.split('%').map(|part| part.chars().collect()).collect() }
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        let (first, rest) = match self.parts.split_first() {
            Some(split) => split,
            None => return text.is_empty(),
        };
        let Some((last, middle)) = rest.split_last() else { return taken(first, text) == Some("") };
        let Some(mut left) = taken(first, text) else { return false };
        for part in middle {
            match after(part, left) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        let mut starts = left.char_indices().rev().map(|(at, _)| at);
        let start = match last.len() {
            0 => Some(left.len()),
            length => starts.nth(length - 1),
        };
        start.and_then(|start| left.get(start..)).is_some_and(|end| taken(last, end) == Some(""))
    }
}

/// What is left of `text` behind `part` at its start.
fn taken<'a>(part: &[char], text: &'a str) -> Option<&'a str> {
    let mut characters = text.chars();
    for wanted in part {
        let character = characters.next()?;
        if *wanted != '_' && *wanted != character {
            return None;
        }
    }
    Some(characters.as_str())
}

/// What is left of `text` behind the first place of `part`.
fn after<'a>(part: &[char], text: &'a str) -> Option<&'a str> {
    if !part.contains(&'_') {
        let part: String = part.iter().collect();
        let at = memmem::find(text.as_bytes(), part.as_bytes())?;
        return text.get(at + part.len()..);
    }
    text.char_indices().find_map(|(at, _)| taken(part, text.get(at..)?))
}

/// A network, or an address as the smallest one. An IPv4-mapped IPv6 address stays IPv6.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    bits: u128,
    length: u8,
    wide: bool,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (bits, most, wide) = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32, false),
            IpAddr::V6(ip) => (u128::from(ip), 128, true),
        };
        let length = match length {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (length <= most).then_some(Self { bits, length, wide })
    }

    /// Whether `inner` lies within, or is the same.
    pub(super) fn holds(&self, inner: &Self) -> bool {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
        self.wide == inner.wide && self.length <= inner.length && (self.bits ^ inner.bits) & mask == 0
    }
}

pub(super) fn network_of(value: &Selected<'_>) -> Option<Network> {
    match value {
        Selected::Json(Json::String(text)) => Network::parse(text),
        _ => None,
    }
}
