//! Reading one STIX object into a small borrowed tree, refusing what no honest object needs: duplicate keys, deep
//! nesting, very long strings.
//!
//! The tree lives only while an object is checked; what is kept are the bytes as they came. Strings without
//! escapes are slices of the input.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use shieldwall_model::limits::{JSON_DEPTH_MAX, STRING_BYTES_MAX};

use super::finding::{Code, Problem};

/// A JSON value, borrowed from the input where it can be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Boolean(bool),
    /// A number written without fraction and exponent that fits 64 bits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    String(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Fields<'a>),
}

/// The properties of an object, in the order they came; no name twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields<'a> {
    entries: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Places of the entries by name, kept only for objects of more than [`SCANNED_MAX`] properties, so that no object
    /// makes looking up slow.
    sorted: Vec<usize>,
}

/// Up to so many properties, going through them is quicker than keeping them sorted.
const SCANNED_MAX: usize = 32;

impl<'a> Fields<'a> {
    /// These entries, or the name that occurs twice among them.
    fn without_repetition(entries: Vec<(Cow<'a, str>, Json<'a>)>) -> Result<Self, String> {
        if entries.len() <= SCANNED_MAX {
            let mut rest = entries.as_slice();
            while let [(key, _), tail @ ..] = rest {
                if tail.iter().any(|(other, _)| other == key) {
                    return Err(quoted(key));
                }
                rest = tail;
            }
            return Ok(Self { entries, sorted: Vec::new() });
        }
        let key = |at: usize| entries.get(at).map_or("", |(key, _)| key.as_ref());
        let mut sorted: Vec<usize> = (0..entries.len()).collect();
        sorted.sort_unstable_by(|a, b| key(*a).cmp(key(*b)));
        let twice = sorted.windows(2).find_map(|pair| match pair {
            [a, b] if key(*a) == key(*b) => Some(quoted(key(*a))),
            _ => None,
        });
        twice.map_or(Ok(Self { entries, sorted }), Err)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        if self.sorted.is_empty() {
            return self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        }
        let key = |at: &usize| self.entries.get(*at).map_or("", |(key, _)| key.as_ref());
        let found = self.sorted.binary_search_by(|at| key(at).cmp(name)).ok()?;
        self.entries.get(*self.sorted.get(found)?).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.entries.iter().map(|(key, value)| (key.as_ref(), value))
    }
}

impl<'a> Json<'a> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> &[Json<'a>] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Fields<'a>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// What the value is, as said in a reason.
    pub(crate) const fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number with a fraction or exponent",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads one JSON value.
///
/// # Errors
/// The one [`Problem`] that stopped the reading, its path relative to the value.
pub(crate) fn read(text: &str) -> Result<Json<'_>, Problem> {
    let mut guard = Guard::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Node { guard: &mut guard, depth: 0 }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => {
            let (code, reason) =
                guard.stop.unwrap_or_else(|| (Code::Json, format!("this is not JSON: {error}")));
            guard.path.reverse();
            Err(Problem { path: join(&guard.path), code, reason })
        }
    }
}

fn join(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments {
        match segment {
            Segment::Key(key) if path.is_empty() => path.push_str(key),
            Segment::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

enum Segment {
    Key(String),
    Index(usize),
}

/// What stopped the reading and where; the path is filled from the inside out while the reader backs out.
#[derive(Default)]
struct Guard {
    stop: Option<(Code, String)>,
    path: Vec<Segment>,
}

impl Guard {
    fn stop<E: serde::de::Error>(&mut self, code: Code, reason: String) -> E {
        self.stop = Some((code, reason));
        E::custom("refused")
    }
}

/// Cuts a text that is quoted in a reason.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(64).collect()
}

struct Node<'g> {
    guard: &'g mut Guard,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    fn fits<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        if text.len() <= STRING_BYTES_MAX {
            return Ok(());
        }
        let reason = format!(
            "a string of {} bytes; the longest allowed is {STRING_BYTES_MAX}: shorten it or refer to it by URL",
            text.len()
        );
        Err(self.guard.stop(Code::LimitString, reason))
    }

    fn deeper<E: serde::de::Error>(&mut self) -> Result<usize, E> {
        if self.depth < JSON_DEPTH_MAX {
            return Ok(self.depth + 1);
        }
        let reason = format!("nested more than {JSON_DEPTH_MAX} deep: flatten it");
        Err(self.guard.stop(Code::LimitDepth, reason))
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }

    fn visit_borrowed_str<E: serde::de::Error>(mut self, text: &'de str) -> Result<Json<'de>, E> {
        self.fits(text)?;
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<Json<'de>, E> {
        self.fits(text)?;
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Json<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        loop {
            match items.next_element_seed(Node { guard: self.guard, depth }) {
                Ok(Some(item)) => list.push(item),
                Ok(None) => return Ok(Json::List(list)),
                Err(error) => {
                    self.guard.path.push(Segment::Index(list.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut fields = Vec::with_capacity(if self.depth == 0 { 20 } else { 4 });
        while let Some(Key(key)) = entries.next_key()? {
            match entries.next_value_seed(Node { guard: self.guard, depth }) {
                Ok(value) => fields.push((key, value)),
                Err(error) => {
                    self.guard.path.push(Segment::Key(quoted(&key)));
                    return Err(error);
                }
            }
        }
        match Fields::without_repetition(fields) {
            Ok(fields) => Ok(Json::Object(fields)),
            Err(twice) => {
                let reason = format!("the property {twice:?} stands here twice: keep one of them");
                self.guard.path.push(Segment::Key(twice));
                Err(self.guard.stop(Code::DuplicateKey, reason))
            }
        }
    }
}

/// A property name, borrowed when it has no escapes.
pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}
