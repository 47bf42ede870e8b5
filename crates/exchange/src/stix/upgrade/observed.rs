//! Observed data of STIX 2.0 taken apart: the observables it held in `objects` become objects of their own.
//!
//! Each gets the id its content gives (STIX 2.1 section 2.9). Where the standard leaves the id open, it is a UUIDv5 of the
//! observable's key under the observed data's own UUID, so that the same input always gives the same objects. References
//! by key become ids; properties that 2.1 renamed get their new names, properties it dropped are kept with the prefix
//! `x_`. The markings of the observed data are put on each, since their content was marked with them; a granular
//! marking on one of them marks that one as a whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use shieldwall_model::limits::{BODY_BYTES_MAX, JSON_DEPTH_MAX, REFERENCES_MAX};
use uuid::Uuid;

use crate::stix::check::type_row;
use crate::stix::finding::Code;
use crate::stix::json::{self, Json};
use crate::stix::text::{Piece, Properties, property, remove, set};
use crate::stix::{Object, Refusal, deterministic};

/// What 2.1 renamed, by type (2.0 part 4 beside 2.1 section 6); a new name with `x_` is one 2.1 has no property for.
const RENAMED: &[(&str, &str, &str)] = &[
    ("directory", "created", "ctime"),
    ("directory", "modified", "mtime"),
    ("directory", "accessed", "atime"),
    ("file", "created", "ctime"),
    ("file", "modified", "mtime"),
    ("file", "accessed", "atime"),
    ("file", "is_encrypted", "x_is_encrypted"),
    ("file", "encryption_algorithm", "x_encryption_algorithm"),
    ("file", "decryption_key", "x_decryption_key"),
    ("process", "created", "created_time"),
    ("process", "binary_ref", "image_ref"),
    ("process", "name", "x_name"),
    ("process", "arguments", "x_arguments"),
    ("user-account", "password_last_changed", "credential_last_changed"),
    ("windows-registry-key", "modified", "modified_time"),
    ("archive-ext", "version", "x_version"),
    ("raster-image-ext", "image_compression_algorithm", "x_image_compression_algorithm"),
    ("socket-ext", "protocol_family", "x_protocol_family"),
];

fn name_in_2_1(of: &str, name: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(kind, old, _)| *kind == of && *old == name).map(|(.., new)| *new)
}

/// Takes `objects` out of an observed data's properties, puts `object_refs` in, and gives the observables as JSON.
pub(super) fn take_apart(object: &Object, properties: &mut Properties<'_>) -> Result<Vec<String>, Refusal> {
    let Some(mut held) = remove(properties, "objects") else { return Ok(Vec::new()) };
    let Some(held) = held.open_object() else { return Ok(Vec::new()) };
    if held.len() > REFERENCES_MAX {
        let reason =
            format!("{} observables; one observed data may hold {REFERENCES_MAX}: split it", held.len());
        return Err(refusal(object, "objects".into(), Code::LimitReferences, reason));
    }
    let markings = Markings::taken(properties);
    let uuid =
        object.id.as_str().rsplit_once("--").and_then(|(_, uuid)| uuid.parse().ok()).unwrap_or_default();
    let mut world = World { uuid, of: BTreeMap::new(), ids: BTreeMap::new() };
    let mut keys = Vec::with_capacity(held.len());
    for (key, value) in std::mem::take(held) {
        let mut value = value;
        let kind =
            value.open_object().and_then(|inside| property(inside, "type")?.text().map(Cow::into_owned));
        let Some(kind) = kind else {
            let path = format!("objects.{}.type", json::quoted(&key));
            return Err(refusal(object, path, Code::Missing, "an observable says its `type`: add it".into()));
        };
        keys.push(key.to_string());
        world.of.insert(key.to_string(), (kind, value));
    }
    let mut refs: Vec<String> = Vec::with_capacity(keys.len());
    let mut made: BTreeSet<String> = BTreeSet::new();
    let (mut observables, mut bytes) = (Vec::with_capacity(keys.len()), 0);
    for key in keys {
        let id = world.id(&key, 0).unwrap_or_default();
        if !made.insert(id.clone()) {
            continue;
        }
        let Some((kind, value)) = world.of.get(&key).cloned() else { continue };
        let Piece::Object(mut inside) = world.written_anew(&kind, value, JSON_DEPTH_MAX) else { continue };
        remove(&mut inside, "type");
        remove(&mut inside, "id");
        remove(&mut inside, "spec_version");
        let head = [("type", kind.as_str()), ("spec_version", "2.1"), ("id", id.as_str())];
        let head = head.map(|(name, text)| (Cow::Borrowed(name), Piece::string(text)));
        inside.splice(0..0, head);
        let markings = markings.of(&key);
        if !markings.is_empty() {
            set(&mut inside, "object_marking_refs", Piece::strings(markings));
        }
        super::respell_hashes(&mut inside);
        let text = Piece::Object(inside).written();
        // Each has all the markings: many of both would fill the memory.
        bytes += text.len();
        if bytes > BODY_BYTES_MAX {
            let reason = format!("its observables make more than {BODY_BYTES_MAX} bytes: split it");
            return Err(refusal(object, "objects".into(), Code::LimitObject, reason));
        }
        observables.push(text);
        refs.push(id);
    }
    set(properties, "object_refs", Piece::strings(refs));
    Ok(observables)
}

fn refusal(object: &Object, path: String, code: Code, reason: String) -> Refusal {
    Refusal { index: object.index, id: Some(object.id.to_string()), path, code, reason, also: Vec::new() }
}

/// The markings an observable inherits, as ids of TLP 2.0 where they are TLP.
struct Markings {
    all: Vec<String>,
    /// By key.
    some: BTreeMap<String, Vec<String>>,
}

impl Markings {
    /// Takes the markings on embedded observables out of the observed data's own.
    fn taken(properties: &mut Properties<'_>) -> Self {
        let current = |id: &str| super::newer_tlp(id).unwrap_or(id).to_owned();
        let whole = property(properties, "object_marking_refs").map(Piece::texts).unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut all: Vec<String> =
            whole.iter().map(|id| current(id)).filter(|id| seen.insert(id.clone())).collect();
        let mut some: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut left = Vec::new();
        let mut parts = remove(properties, "granular_markings");
        for mut part in parts.as_mut().and_then(Piece::open_list).map(std::mem::take).unwrap_or_default() {
            let Some(fields) = part.open_object() else { continue };
            let marking = property(fields, "marking_ref").and_then(|id| Some(current(&id.text()?)));
            let selectors = property(fields, "selectors").map(Piece::texts).unwrap_or_default();
            let (inside, outside): (Vec<String>, Vec<String>) = selectors
                .into_iter()
                .partition(|selector| selector == "objects" || selector.starts_with("objects."));
            for selector in &inside {
                let Some(marking) = &marking else { continue };
                match selector.split('.').nth(1) {
                    Some(key) => some.entry(key.to_owned()).or_default().push(marking.clone()),
                    None if seen.insert(marking.clone()) => all.push(marking.clone()),
                    None => {}
                }
            }
            if !outside.is_empty() {
                if !inside.is_empty() {
                    set(fields, "selectors", Piece::strings(outside));
                }
                left.push(part);
            }
        }
        if !left.is_empty() {
            set(properties, "granular_markings", Piece::List(left));
        }
        Self { all, some }
    }

    /// Each once, in order.
    fn of(&self, key: &str) -> Vec<&str> {
        let mut markings: Vec<&str> = self.all.iter().map(String::as_str).collect();
        for own in self.some.get(key).into_iter().flatten() {
            if !markings.contains(&own.as_str()) {
                markings.push(own);
            }
        }
        markings
    }
}

/// The observables of one observed data, by key.
struct World<'a> {
    uuid: Uuid,
    of: BTreeMap<String, (String, Piece<'a>)>,
    ids: BTreeMap<String, String>,
}

impl<'a> World<'a> {
    /// The id of the observable under `key`; `None` when there is none. An observable that identifies itself by itself,
    /// over references, gets the id the standard leaves open.
    fn id(&mut self, key: &str, depth: usize) -> Option<String> {
        if let Some(id) = self.ids.get(key) {
            return Some(id.clone());
        }
        let (kind, value) = self.of.get(key).cloned()?;
        let open = format!("{kind}--{}", Uuid::new_v5(&self.uuid, key.as_bytes()));
        // Whoever comes back here on a circle finds this.
        self.ids.insert(key.to_owned(), open.clone());
        if depth >= JSON_DEPTH_MAX {
            return Some(open);
        }
        let id = self.own_id(&kind, value, depth).map_or(open, |uuid| format!("{kind}--{uuid}"));
        self.ids.insert(key.to_owned(), id.clone());
        Some(id)
    }

    /// The id the content gives.
    fn own_id(&mut self, kind: &str, value: Piece<'a>, depth: usize) -> Option<Uuid> {
        let row = type_row(kind).filter(|row| !row.identity.is_empty())?;
        let Piece::Object(mut inside) = value else { return None };
        inside.retain(|(name, _)| row.identity.contains(&name.as_ref()));
        let Piece::Object(mut inside) =
            self.written_anew_at(kind, Piece::Object(inside), JSON_DEPTH_MAX, depth)
        else {
            return None;
        };
        super::respell_hashes(&mut inside);
        let text = Piece::Object(inside).written();
        match json::read(&text).ok()? {
            Json::Object(fields) => deterministic::id_of(row, &fields),
            _ => None,
        }
    }

    fn written_anew(&mut self, of: &str, piece: Piece<'a>, levels: usize) -> Piece<'a> {
        self.written_anew_at(of, piece, levels, 0)
    }

    /// The value with keys exchanged for ids and properties renamed; `of` is the type or extension it belongs to.
    fn written_anew_at(&mut self, of: &str, mut piece: Piece<'a>, levels: usize, depth: usize) -> Piece<'a> {
        if levels == 0 || !piece.open() {
            return piece;
        }
        match piece {
            Piece::Object(properties) => Piece::Object(
                properties
                    .into_iter()
                    .map(|(name, mut value)| {
                        if name.ends_with("_ref") {
                            self.exchange(&mut value, depth);
                        } else if name.ends_with("_refs") {
                            value
                                .open_list()
                                .into_iter()
                                .flatten()
                                .for_each(|value| self.exchange(value, depth));
                        } else {
                            let inner = if name.ends_with("-ext") { name.to_string() } else { String::new() };
                            value = self.written_anew_at(&inner, value, levels - 1, depth);
                        }
                        (name_in_2_1(of, &name).map_or(name, Cow::Borrowed), value)
                    })
                    .collect(),
            ),
            Piece::List(items) => Piece::List(
                items.into_iter().map(|item| self.written_anew_at("", item, levels - 1, depth)).collect(),
            ),
            other => other,
        }
    }

    fn exchange(&mut self, value: &mut Piece<'a>, depth: usize) {
        let key = value.text().map(Cow::into_owned);
        if let Some(id) = key.and_then(|key| self.id(&key, depth + 1)) {
            *value = Piece::string(&id);
        }
    }
}
