//! The few fields the product asks for, taken from an object that was checked.

use std::borrow::Cow;
use std::collections::BTreeSet;

use shieldwall_model::id::ObjectId;
use shieldwall_model::limits::{NAME_BYTES_MAX, PATTERN_BYTES_MAX, REFERENCES_MAX};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use super::finding::{Code, Findings, Path};
use super::json::{Fields, Json};
use super::schema::{Kind, Type};
use super::{Indicator, Object, Reference, Relationship, SpecVersion, TEXT_BYTES_MAX, UNVERSIONED, scalar};
use crate::role;

/// Describes an object. `None` only together with a problem.
pub(super) fn object(
    id: ObjectId,
    spec_version: SpecVersion,
    row: Option<&'static Type>,
    fields: &Fields<'_>,
    out: &mut Findings,
) -> Option<Object> {
    let mut walk = Walk { row, text: String::with_capacity(512), references: Vec::new(), more: 0 };
    for (name, value) in fields.iter() {
        walk.property(name, value);
    }
    if walk.references.len() + walk.more > REFERENCES_MAX {
        let count = walk.references.len() + walk.more;
        let reason = format!("{count} references; an object may hold {REFERENCES_MAX}: split it");
        out.refuse(&Path::Root, Code::LimitReferences, reason);
        return None;
    }
    let indicator = if id.object_type() == "indicator" { Some(indicator(fields, out)?) } else { None };
    let created = at(fields, "created");
    let markings = markings(fields, out)?;
    Some(Object {
        index: 0,
        spec_version,
        version: at(fields, "modified").or(created).unwrap_or(UNVERSIONED),
        created,
        revoked: super::check::is_true(fields.get("revoked")),
        created_by: fields.text("created_by_ref").and_then(|id| id.parse().ok()),
        tlp: markings.whole,
        parts_tlp: markings.parts,
        outdated: spec_version == SpecVersion::V20 || markings.tlp_1,
        marking_ids: markings.ids,
        deterministic: out.deterministic,
        title: title(&id, fields),
        text: walk.text,
        references: walk.references,
        relationship: relationship(fields).filter(|_| id.object_type() == "relationship"),
        role: indicator.as_ref().map(|_| role::of(fields)),
        indicator,
        warnings: Vec::new(),
        bytes: 0..0,
        id,
    })
}

fn at(fields: &Fields<'_>, name: &str) -> Option<Timestamp> {
    fields.text(name).and_then(scalar::time).map(|(time, _)| time)
}

fn relationship(fields: &Fields<'_>) -> Option<Relationship> {
    Some(Relationship {
        source: fields.text("source_ref")?.parse().ok()?,
        label: fields.text("relationship_type")?.to_owned(),
        target: fields.text("target_ref")?.parse().ok()?,
    })
}

fn indicator(fields: &Fields<'_>, out: &mut Findings) -> Option<Indicator> {
    let pattern = fields.text("pattern")?;
    let pattern_type = fields.text("pattern_type").unwrap_or("stix");
    if pattern_type == "stix" && pattern.len() > PATTERN_BYTES_MAX {
        let reason =
            format!("a pattern of {} bytes; it may have {PATTERN_BYTES_MAX}: split it", pattern.len());
        out.refuse(&Path::Root.key("pattern"), Code::LimitPattern, reason);
        return None;
    }
    Some(Indicator {
        pattern: pattern.to_owned(),
        pattern_type: pattern_type.to_owned(),
        valid_from: at(fields, "valid_from")?,
        valid_until: at(fields, "valid_until"),
        confidence: match fields.get("confidence") {
            Some(Json::Integer(said)) => u8::try_from(*said).ok().map(|said| said.min(100)),
            _ => None,
        },
        labels: ["labels", "indicator_types"]
            .iter()
            .flat_map(|name| fields.get(name).map_or(&[][..], Json::as_list))
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
    })
}

/// The markings an object refers to.
#[derive(Default)]
struct Markings {
    /// Each once, in order.
    ids: Vec<ObjectId>,
    /// The strictest TLP label on the whole.
    whole: Option<Tlp>,
    /// The strictest TLP label on a part.
    parts: Option<Tlp>,
    /// Whether one of them is of TLP 1.
    tlp_1: bool,
}

/// Every marking of the whole and of parts; `None` together with the problem that there are too many.
fn markings(fields: &Fields<'_>, out: &mut Findings) -> Option<Markings> {
    let whole = fields.get("object_marking_refs").map_or(&[][..], Json::as_list).iter();
    let parts = fields.get("granular_markings").map_or(&[][..], Json::as_list).iter();
    let parts = parts.filter_map(|part| part.as_object()?.text("marking_ref"));
    let all = whole.filter_map(|id| Some((false, id.as_str()?))).chain(parts.map(|id| (true, id)));
    let (mut markings, mut seen, mut count) = (Markings::default(), BTreeSet::new(), 0);
    for (on_part, id) in all {
        count += 1;
        let tlp = Tlp::from_marking_id(id);
        let strictest = if on_part { &mut markings.parts } else { &mut markings.whole };
        *strictest = tlp.max(*strictest);
        markings.tlp_1 |= tlp.is_some_and(|tlp| tlp.marking_id() != id);
        if seen.insert(id) {
            markings.ids.extend(id.parse::<ObjectId>());
        }
    }
    if count > REFERENCES_MAX {
        let reason =
            format!("{count} references to markings; an object may hold {REFERENCES_MAX}: remove some");
        out.refuse(&Path::Root.key("object_marking_refs"), Code::LimitReferences, reason);
        return None;
    }
    Some(markings)
}

/// Goes through the whole object once for its words and its references.
struct Walk {
    row: Option<&'static Type>,
    text: String,
    references: Vec<Reference>,
    /// References past the limit.
    more: usize,
}

impl Walk {
    fn property(&mut self, name: &str, value: &Json<'_>) {
        match name {
            "type"
            | "id"
            | "spec_version"
            | "created"
            | "modified"
            | "revoked"
            | "object_marking_refs"
            | "granular_markings"
            | "extension_type"
            | "payload_bin"
            | "lang" => {}
            _ if name.ends_with("_ref") => self.reference(name, value),
            _ if name.ends_with("_refs") => value.as_list().iter().for_each(|id| self.reference(name, id)),
            "external_references" => {
                for reference in value.as_list().iter().filter_map(Json::as_object) {
                    for name in ["source_name", "external_id", "description"] {
                        reference.get(name).into_iter().for_each(|value| self.words(value));
                    }
                }
            }
            _ => self.inside(value),
        }
    }

    fn inside(&mut self, value: &Json<'_>) {
        match value {
            Json::List(items) => items.iter().for_each(|item| self.inside(item)),
            Json::Object(fields) => fields.iter().for_each(|(name, value)| self.property(name, value)),
            other => self.words(other),
        }
    }

    /// Takes a string's words; times are none.
    fn words(&mut self, value: &Json<'_>) {
        let Some(words) = value.as_str() else { return };
        let is_time = words.len() < 40 && scalar::time(words).is_some();
        if words.is_empty() || is_time || self.text.len() + words.len() + 1 > TEXT_BYTES_MAX {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(words);
    }

    fn reference(&mut self, name: &str, value: &Json<'_>) {
        match value.as_str().and_then(|id| id.parse().ok()) {
            Some(_) if self.references.len() >= REFERENCES_MAX => self.more += 1,
            Some(id) => self.references.push(Reference { property: self.spelled(name), id }),
            // A name that only looks like a reference, such as the keys of STIX 2.0's observed data.
            None => self.inside(value),
        }
    }

    fn spelled(&self, name: &str) -> Cow<'static, str> {
        let known = self.row.and_then(|row| {
            let mut properties = row.own.iter().chain(row.common);
            properties.find(|property| property.name == name && !matches!(property.kind, Kind::Own))
        });
        known.map_or_else(|| Cow::Owned(name.to_owned()), |property| Cow::Borrowed(property.name))
    }
}

/// What to call an object: the first of its telling properties, by type.
fn title(id: &ObjectId, fields: &Fields<'_>) -> String {
    let kind = id.object_type();
    let told = ["name", "value", "abstract", "path", "subject", "key", "pattern", "product", "command_line"]
        .into_iter()
        .find_map(|name| fields.text(name))
        .or_else(|| fields.text("content").or_else(|| fields.text("explanation")))
        .or_else(|| {
            ["display_name", "account_login", "user_id"].into_iter().find_map(|name| fields.text(name))
        });
    if let Some(told) = told.map(str::trim).filter(|told| !told.is_empty()) {
        return cut(told);
    }
    match kind {
        "relationship" => cut(fields.text("relationship_type").unwrap_or(kind)),
        "opinion" => cut(fields.text("opinion").unwrap_or(kind)),
        "marking-definition" => marking_title(id, fields),
        "autonomous-system" => match fields.get("number") {
            Some(Json::Integer(number)) => format!("AS{number}"),
            _ => kind.to_owned(),
        },
        "file" | "artifact" | "x509-certificate" => {
            let hashes = fields.get("hashes").and_then(Json::as_object);
            let hash = hashes.and_then(|hashes| hashes.iter().next()).and_then(|(_, hash)| hash.as_str());
            cut(hash.or_else(|| fields.text("serial_number")).or_else(|| fields.text("url")).unwrap_or(kind))
        }
        "location" => cut(fields.text("country").or_else(|| fields.text("region")).unwrap_or(kind)),
        _ => kind.replace('-', " "),
    }
}

fn marking_title(id: &ObjectId, fields: &Fields<'_>) -> String {
    if let Some(tlp) = Tlp::from_marking_id(id.as_str()) {
        return tlp.to_string();
    }
    let statement = fields.get("definition").and_then(Json::as_object).and_then(|d| d.text("statement"));
    cut(statement.unwrap_or("marking definition"))
}

/// Cuts at a character's end.
fn cut(text: &str) -> String {
    let mut end = text.len().min(NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
