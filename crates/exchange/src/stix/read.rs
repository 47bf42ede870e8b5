//! From bytes to checked objects: finds the objects in whatever they came in, and checks each by itself, so that a bad
//! one never costs a good one its place.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use shieldwall_model::limits::{BUNDLE_FILE_BYTES_MAX, ENVELOPE_OBJECTS_MAX, OBJECT_BYTES_MAX};

use super::check::{object, type_row};
use super::finding::{Code, Findings, Path, Problem};
use super::json::{self, Json, Key, quoted};
use super::{Checked, Container, Object, Refusal, StixError, describe, scalar};

/// Reads and checks a STIX bundle, a TAXII envelope, a single object or an array of objects, of any number.
///
/// # Errors
/// [`StixError`] when the input as a whole cannot be read. What is wrong with one object never is an error; it is in
/// [`Checked::refused`].
pub fn read_bundle(input: &[u8]) -> Result<Checked, StixError> {
    read(input, usize::MAX)
}

/// As [`read_bundle`], for what comes over the network: at most
/// [`ENVELOPE_OBJECTS_MAX`](shieldwall_model::limits::ENVELOPE_OBJECTS_MAX) objects.
///
/// # Errors
/// As [`read_bundle`], and [`StixError::TooMany`].
pub fn read_envelope(input: &[u8]) -> Result<Checked, StixError> {
    read(input, ENVELOPE_OBJECTS_MAX)
}

fn read(input: &[u8], objects_max: usize) -> Result<Checked, StixError> {
    if u64::try_from(input.len()).unwrap_or(u64::MAX) > BUNDLE_FILE_BYTES_MAX {
        return Err(StixError::TooLarge(input.len()));
    }
    let whole =
        std::str::from_utf8(input).map_err(|source| StixError::Utf8 { at: source.valid_up_to(), source })?;
    // A byte order mark is no JSON, but common in files; positions stay those of the input.
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let mut intake = Intake { origin: whole.as_ptr() as usize, objects_max, ..Intake::default() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Top { intake: &mut intake }
        .deserialize(&mut deserializer)
        .and_then(|top| deserializer.end().map(|()| top));
    if intake.too_many {
        return Err(StixError::TooMany);
    }
    let top = read.map_err(|source| StixError::Json { source })?;
    let container = match top {
        Outer::Other => return Err(StixError::Shape),
        Outer::Array => Container::Array,
        Outer::Map(head) if head.objects || head.object_type.as_deref() == Some("bundle") => {
            match head.object_type.as_deref() {
                Some("bundle") => {
                    intake.bundle(&head);
                    Container::Bundle
                }
                None => Container::Envelope { more: head.more, next: head.next },
                Some(_) => intake.single(text),
            }
        }
        Outer::Map(head) if head.object_type.is_none() && head.is_envelope => {
            Container::Envelope { more: head.more, next: head.next }
        }
        Outer::Map(_) => intake.single(text),
    };
    if matches!(container, Container::Array) {
        for refusal in &mut intake.refused {
            refusal.path = refusal.path.trim_start_matches("objects").to_owned();
            for problem in &mut refusal.also {
                problem.path = problem.path.trim_start_matches("objects").to_owned();
            }
        }
    }
    Ok(Checked { container, accepted: intake.accepted, refused: intake.refused, warnings: intake.warnings })
}

/// What has been taken in so far.
#[derive(Default)]
struct Intake {
    /// The address of the input's first byte: an object's place is its own address less this.
    origin: usize,
    objects_max: usize,
    count: usize,
    too_many: bool,
    accepted: Vec<Object>,
    refused: Vec<Refusal>,
    warnings: Vec<Problem>,
}

impl Intake {
    fn take(&mut self, raw: &str) {
        let index = self.count;
        self.count += 1;
        let place = format!("objects[{index}]");
        self.check(index, &place, raw);
    }

    /// The whole input is one object.
    fn single(&mut self, text: &str) -> Container {
        self.accepted.clear();
        self.refused.clear();
        self.check(0, "", text.trim_matches([' ', '\t', '\r', '\n']));
        Container::Single
    }

    fn check(&mut self, index: usize, place: &str, raw: &str) {
        match checked(raw) {
            Ok(mut object) => {
                let start = (raw.as_ptr() as usize).saturating_sub(self.origin);
                object.index = index;
                object.bytes = start..start + raw.len();
                self.accepted.push(object);
            }
            Err(refused) => {
                let Refused { id, mut problems } = *refused;
                for problem in &mut problems {
                    problem.path = match (place.is_empty(), problem.path.is_empty()) {
                        (true, _) => std::mem::take(&mut problem.path),
                        (false, true) => place.to_owned(),
                        (false, false) if problem.path.starts_with('[') => format!("{place}{}", problem.path),
                        (false, false) => format!("{place}.{}", problem.path),
                    };
                }
                let mut problems = problems.into_iter();
                if let Some(Problem { path, code, reason }) = problems.next() {
                    self.refused.push(Refusal { index, id, path, code, reason, also: problems.collect() });
                }
            }
        }
    }

    fn bundle(&mut self, head: &Head) {
        let mut warn = |path: &str, reason: &str| {
            self.warnings.push(Problem { path: path.into(), code: Code::Container, reason: reason.into() });
        };
        if head.id.as_deref().and_then(scalar::id_type) != Some("bundle") {
            warn("id", "the bundle has no id of the form bundle--uuid; its objects are taken all the same");
        }
        if head.spec_version.as_deref() == Some("2.0") {
            for object in &mut self.accepted {
                object.warnings.retain(|warning| warning.code != Code::SpecVersionAbsent);
            }
        }
    }
}

/// An object that was not taken.
pub(super) struct Refused {
    pub(super) id: Option<String>,
    pub(super) problems: Vec<Problem>,
}

/// Checks one object by itself; its bytes are the whole of `raw`.
pub(super) fn checked(raw: &str) -> Result<Object, Box<Refused>> {
    let mut out = Findings::default();
    if raw.len() > OBJECT_BYTES_MAX {
        let reason = format!("{} bytes; an object may have {OBJECT_BYTES_MAX}: shorten it", raw.len());
        out.refuse(&Path::Root, Code::LimitObject, reason);
        return Err(Box::new(Refused { id: None, problems: out.problems }));
    }
    let value = json::read(raw).map_err(|problem| Box::new(Refused { id: None, problems: vec![problem] }))?;
    let Json::Object(fields) = &value else {
        let reason = format!("{} stands where a STIX object belongs", value.noun());
        out.refuse(&Path::Root, Code::NotAnObject, reason);
        return Err(Box::new(Refused { id: None, problems: out.problems }));
    };
    let described = identity(fields, &mut out).and_then(|(id, row)| {
        let version = object(fields, row, &mut out);
        describe::object(id, version, row, fields, &mut out)
    });
    match described {
        Some(mut object) if out.problems.is_empty() => {
            object.warnings = out.warnings;
            object.outdated |= out.respelled;
            object.bytes = 0..raw.len();
            Ok(object)
        }
        _ => {
            let id = fields.text("id").map(|id| id.chars().take(300).collect());
            Err(Box::new(Refused { id, problems: out.problems }))
        }
    }
}

type Identity = (shieldwall_model::id::ObjectId, Option<&'static super::schema::Type>);

/// `type` and `id`, without which nothing else can be asked.
fn identity(fields: &json::Fields<'_>, out: &mut Findings) -> Option<Identity> {
    let (at_type, at_id) = (Path::Root.key("type"), Path::Root.key("id"));
    let name = match fields.get("type") {
        Some(Json::String(name)) if name == "bundle" => {
            out.refuse(&at_type, Code::TypeName, "a bundle stands inside another: send its objects instead");
            return None;
        }
        Some(Json::String(name)) if scalar::is_type_name(name) => name.as_ref(),
        Some(Json::String(name)) => {
            let reason = format!("{:?} is no type: 3 to 250 of a-z, 0-9 and single `-`", quoted(name));
            out.refuse(&at_type, Code::TypeName, reason);
            return None;
        }
        Some(other) => {
            out.refuse(&at_type, Code::Type, format!("{} stands where a string belongs", other.noun()));
            return None;
        }
        None => {
            out.refuse(&at_type, Code::Missing, "`type` is required here: add it");
            return None;
        }
    };
    match fields.get("id") {
        Some(Json::String(text)) => {
            let Some((of, id)) = scalar::id_type(text).zip(text.parse().ok()) else {
                out.refuse(&at_id, Code::Id, format!("{:?} is no STIX id: write {name}--uuid", quoted(text)));
                return None;
            };
            if of != name {
                out.refuse(
                    &at_id,
                    Code::IdType,
                    format!("the id begins with {of}, the type is {name}: make them one"),
                );
                return None;
            }
            Some((id, type_row(name)))
        }
        Some(other) => {
            out.refuse(&at_id, Code::Type, format!("{} stands where a string belongs", other.noun()));
            None
        }
        None => {
            out.refuse(&at_id, Code::Missing, format!("`id` is required here: add {name}--uuid"));
            None
        }
    }
}

/// The outermost value.
enum Outer {
    Array,
    Map(Head),
    Other,
}

/// What the outermost object says of itself.
#[derive(Default)]
struct Head {
    object_type: Option<String>,
    id: Option<String>,
    spec_version: Option<String>,
    /// Whether there is a list `objects`.
    objects: bool,
    /// Whether nothing stands here that an envelope does not have.
    is_envelope: bool,
    more: bool,
    next: Option<String>,
}

struct Top<'i> {
    intake: &'i mut Intake,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Outer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outer, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Outer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("STIX objects")
    }

    fn visit_unit<E>(self) -> Result<Outer, E> {
        Ok(Outer::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outer, E> {
        Ok(Outer::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outer, E> {
        Ok(Outer::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outer, E> {
        Ok(Outer::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outer, E> {
        Ok(Outer::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Outer, E> {
        Ok(Outer::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Outer, A::Error> {
        Objects { intake: self.intake }.visit_seq(items)?;
        Ok(Outer::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Outer, A::Error> {
        let mut head = Head { is_envelope: true, ..Head::default() };
        let mut seen: Vec<String> = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            // Only the names that decide something can stand twice here; a single object is read again by itself.
            let decides = matches!(&*key, "type" | "id" | "spec_version" | "objects" | "more" | "next");
            if decides && seen.iter().any(|name| *name == key) {
                return Err(A::Error::custom(format!("the property {key:?} stands here twice")));
            }
            match &*key {
                "objects" => head.objects = entries.next_value_seed(Objects { intake: self.intake })?,
                "more" => head.more = entries.next_value::<&RawValue>()?.get() == "true",
                "type" => head.object_type = Some(string(entries.next_value()?)),
                "id" => head.id = Some(string(entries.next_value()?)),
                "spec_version" => head.spec_version = Some(string(entries.next_value()?)),
                "next" => head.next = Some(string(entries.next_value()?)),
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                    head.is_envelope = false;
                }
            }
            if decides {
                seen.push(key.into_owned());
            }
        }
        Ok(Outer::Map(head))
    }
}

/// A string, or nothing if it is none.
fn string(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// The list of objects; gives whether it is a list.
struct Objects<'i> {
    intake: &'i mut Intake,
}

impl<'de> DeserializeSeed<'de> for Objects<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of STIX objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        // `objects` of a single observed-data: looked at when that object is read.
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while let Some(raw) = items.next_element::<&RawValue>()? {
            if self.intake.count >= self.intake.objects_max {
                self.intake.too_many = true;
                return Err(A::Error::custom("too many objects"));
            }
            self.intake.take(raw.get());
        }
        Ok(true)
    }
}
