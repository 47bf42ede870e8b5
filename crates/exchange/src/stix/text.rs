//! An object's JSON as pieces of text: what is changed is written anew, every other value keeps its letters as they
//! came, number spellings and order included.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::Key;

/// One JSON value.
#[derive(Clone, Debug)]
pub(super) enum Piece<'a> {
    /// Something nobody has looked into, as it came.
    Raw(&'a str),
    /// JSON text made here.
    Made(String),
    /// A list that was opened.
    List(Vec<Piece<'a>>),
    /// An object that was opened; its properties in the order they came.
    Object(Properties<'a>),
}

/// The properties of an opened object.
pub(super) type Properties<'a> = Vec<(Cow<'a, str>, Piece<'a>)>;

impl<'a> Piece<'a> {
    /// A string.
    pub(super) fn string(text: &str) -> Self {
        Self::Made(serde_json::Value::from(text).to_string())
    }

    /// A list of strings.
    pub(super) fn strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self::List(texts.into_iter().map(|text| Self::string(text.as_ref())).collect())
    }

    /// The text, if this is a string.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        let text = match self {
            Self::Raw(text) => *text,
            Self::Made(text) => text.as_str(),
            _ => return None,
        };
        let text = text.trim_ascii();
        match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
            Some(_) => serde_json::from_str(text).ok().map(Cow::Owned),
            None => None,
        }
    }

    /// The texts of a list of strings; what is no string is passed over.
    pub(super) fn texts(&mut self) -> Vec<String> {
        let items = self.open_list().map_or(&[][..], |items| items.as_slice());
        items.iter().filter_map(|item| item.text().map(Cow::into_owned)).collect()
    }

    /// The items, if this is a list.
    pub(super) fn open_list(&mut self) -> Option<&mut Vec<Piece<'a>>> {
        if let Self::Raw(text) = self {
            let items: Vec<&'a RawValue> = serde_json::from_str(text).ok()?;
            *self = Self::List(items.into_iter().map(|raw| Piece::Raw(raw.get())).collect());
        }
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The properties, if this is an object.
    pub(super) fn open_object(&mut self) -> Option<&mut Properties<'a>> {
        if let Self::Raw(text) = self {
            let Pairs(pairs) = serde_json::from_str(text).ok()?;
            *self = Self::Object(pairs);
        }
        match self {
            Self::Object(properties) => Some(properties),
            _ => None,
        }
    }

    /// Opens a list or an object and says whether it is one.
    pub(super) fn open(&mut self) -> bool {
        match self {
            Self::Raw(text) => match text.trim_ascii_start().as_bytes().first() {
                Some(b'{') => self.open_object().is_some(),
                Some(b'[') => self.open_list().is_some(),
                _ => false,
            },
            Self::Made(_) => false,
            Self::List(_) | Self::Object(_) => true,
        }
    }

    /// Appends the value as JSON.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Raw(text) => out.push_str(text),
            Self::Made(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(properties) => {
                out.push('{');
                for (at, (name, value)) in properties.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(name.as_ref()).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as JSON.
    pub(super) fn written(&self) -> String {
        let mut out = String::with_capacity(512);
        self.write(&mut out);
        out
    }
}

/// The property of that name.
pub(super) fn property<'p, 'a>(properties: &'p mut Properties<'a>, name: &str) -> Option<&'p mut Piece<'a>> {
    properties.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Takes the property of that name out.
pub(super) fn remove<'a>(properties: &mut Properties<'a>, name: &str) -> Option<Piece<'a>> {
    let at = properties.iter().position(|(key, _)| key == name)?;
    Some(properties.remove(at).1)
}

/// Sets a property where it stands, or puts it at the end.
pub(super) fn set<'a>(properties: &mut Properties<'a>, name: &'static str, value: Piece<'a>) {
    match property(properties, name) {
        Some(held) => *held = value,
        None => properties.push((Cow::Borrowed(name), value)),
    }
}

/// An object's properties, each value as raw text.
struct Pairs<'a>(Properties<'a>);

impl<'de> serde::Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::with_capacity(16);
                while let Some((Key(key), raw)) = entries.next_entry::<Key<'de>, &'de RawValue>()? {
                    pairs.push((key, Piece::Raw(raw.get())));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_keeps_its_letters() {
        let text = r#"{"a" : 1.50, "b\u0041":[1e2 , {"c":"\u00e4"}],"d":null}"#;
        let mut piece = Piece::Raw(text);
        let properties = piece.open_object().unwrap();
        assert!(properties.get_mut(1).unwrap().1.open());
        set(properties, "d", Piece::string("q\"uote"));
        set(properties, "e", Piece::strings(["x"]));
        assert_eq!(remove(properties, "a").unwrap().written(), "1.50");
        assert_eq!(piece.written(), r#"{"bA":[1e2,{"c":"\u00e4"}],"d":"q\"uote","e":["x"]}"#);
        assert_eq!(Piece::Raw(r#" "\u00e4" "#).text().as_deref(), Some("ä"));
    }
}
