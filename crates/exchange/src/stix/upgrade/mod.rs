//! Older intelligence brought up to date at the door: STIX 2.0 objects become 2.1, TLP 1 markings TLP 2.0, and names of
//! hashes get the standard's spelling.
//!
//! An object that needs none of this keeps its exact bytes. The others keep their ids, their order of properties and
//! the letters of every value that is not concerned. The same input always gives the same output, and what came out
//! is not changed again.

mod observed;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use shieldwall_model::marking::Tlp;

use super::finding::{Code, Problem};
use super::read::checked;
use super::text::{Piece, Properties, property, remove, set};
use super::{Object, Refusal, SpecVersion, scalar, vocabulary as ov};

/// An object that was checked, and the bytes to keep of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<'i> {
    /// What it says; [`Object::bytes`] lie within [`Taken::bytes`] only where those were made here.
    pub object: Object,
    /// Its bytes: as they were sent where nothing had to be changed.
    pub bytes: Cow<'i, [u8]>,
}

/// Brings an accepted object, whose bytes these are, up to date. One object comes out, then, for the observed data of
/// STIX 2.0, the observables that stood inside it. What was changed is the first of the object's warnings.
///
/// From 2.0 to 2.1: `spec_version`; `labels` that 2.0 reserved for the kind of indicator, malware, report, threat actor or
/// tool (2.0 part 2 section 3 and its vocabularies, part 1 section 7) into `indicator_types` and so on, free words stay
/// `labels`; `is_family` true for malware, since 2.0 could describe no sample; `pattern_type` `stix` and
/// `pattern_version` `2.0`, which section 4.7.1 otherwise takes from the specification's version; embedded observables
/// into objects of their own (module `observed`). TLP 1 ids (section 7.2.1.4) become those of TLP 2.0, WHITE becoming CLEAR.
///
/// # Errors
/// A [`Refusal`] when the object is none that 2.1 accepts even so.
pub fn upgrade(object: Object, bytes: &[u8]) -> Result<Vec<Taken<'_>>, Refusal> {
    let as_sent = |object| Ok(vec![Taken { object, bytes: Cow::Borrowed(bytes) }]);
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|_| object.outdated) else {
        return as_sent(object);
    };
    let mut whole = Piece::Raw(text.trim_ascii());
    let Some(properties) = whole.open_object() else { return as_sent(object) };
    let mut notes = Vec::new();
    let mut inside = Vec::new();
    if object.spec_version == SpecVersion::V20 {
        inside = to_2_1(&object, properties, &mut notes)?;
    }
    if exchange_tlp(properties) {
        let reason = "its TLP 1 marking is kept as the TLP 2.0 marking of the same meaning";
        notes.push(note("object_marking_refs", Code::UpgradedTlp, reason.into()));
    }
    if let Some(path) = respell_hashes(properties) {
        let reason = "the name of a hash is kept as the standard spells it (section 10.8)";
        notes.push(note(&path, Code::UpgradedHashName, reason.into()));
    }
    if notes.is_empty() {
        return as_sent(object);
    }
    let mut taken = vec![read_again(&object, whole.written(), notes)?];
    for text in inside {
        taken.push(read_again(&object, text, Vec::new())?);
    }
    Ok(taken)
}

fn note(path: &str, code: Code, reason: String) -> Problem {
    Problem { path: path.to_owned(), code, reason }
}

fn read_again(from: &Object, text: String, notes: Vec<Problem>) -> Result<Taken<'static>, Refusal> {
    let mut object = checked(&text).map_err(|refused| {
        let mut problems = refused.problems.into_iter();
        let first = problems.next();
        let (path, code, reason) =
            first.map_or((String::new(), Code::UpgradedSpec, String::new()), |p| (p.path, p.code, p.reason));
        Refusal {
            index: from.index,
            id: Some(from.id.to_string()),
            path,
            code,
            reason: format!("as STIX 2.1: {reason}"),
            also: problems.collect(),
        }
    })?;
    object.index = from.index;
    object.warnings.splice(0..0, notes);
    Ok(Taken { object, bytes: Cow::Owned(text.into_bytes()) })
}

/// The types whose kind stood in `labels` in 2.0: where it stands in 2.1, and the words that name a kind (the 2.1
/// vocabularies hold every word of 2.0's).
const KINDS: &[(&str, &str, &[&str])] = &[
    ("indicator", "indicator_types", ov::INDICATOR_TYPE),
    ("malware", "malware_types", ov::MALWARE_TYPE),
    ("report", "report_types", ov::REPORT_TYPE),
    ("threat-actor", "threat_actor_types", ov::THREAT_ACTOR_TYPE),
    ("tool", "tool_types", ov::TOOL_TYPE),
];

/// Makes a 2.0 object one of 2.1; gives the observables that stood inside it.
fn to_2_1(
    object: &Object,
    properties: &mut Properties<'_>,
    notes: &mut Vec<Problem>,
) -> Result<Vec<String>, Refusal> {
    match property(properties, "spec_version") {
        Some(version) => *version = Piece::string("2.1"),
        None => properties.insert(properties.len().min(1), ("spec_version".into(), Piece::string("2.1"))),
    }
    let mut reason = "it was STIX 2.0 and is kept as STIX 2.1".to_owned();
    let kind = object.object_type();
    if let Some((_, types, words)) = KINDS.iter().find(|(of, ..)| *of == kind) {
        split_labels(properties, types, words);
    }
    let missing = |properties: &Properties<'_>, name: &str| !properties.iter().any(|(key, _)| key == name);
    let mut inside = Vec::new();
    match kind {
        "malware" if missing(properties, "is_family") => {
            set(properties, "is_family", Piece::Raw("true"));
        }
        "indicator" if missing(properties, "pattern_type") => {
            set(properties, "pattern_type", Piece::string("stix"));
            if missing(properties, "pattern_version") {
                set(properties, "pattern_version", Piece::string("2.0"));
            }
        }
        "observed-data" if !missing(properties, "objects") => {
            inside = observed::take_apart(object, properties)?;
            reason.push_str(&format!(", {} of its observables as objects of their own", inside.len()));
        }
        _ => {}
    }
    notes.push(note("spec_version", Code::UpgradedSpec, reason));
    Ok(inside)
}

/// Moves the words that name a kind from `labels` to their 2.1 property; free words stay where they are.
fn split_labels(properties: &mut Properties<'_>, types: &'static str, words: &[&str]) {
    if properties.iter().any(|(key, _)| key == types) {
        return;
    }
    let labels = property(properties, "labels").map(Piece::texts).unwrap_or_default();
    let (kinds, free): (Vec<String>, Vec<String>) =
        labels.into_iter().partition(|label| words.contains(&label.as_str()));
    if kinds.is_empty() {
        return;
    }
    // Labels that a granular marking selects stay where they are: moved, they would lose their marking.
    if property(properties, "granular_markings")
        .is_some_and(|markings| markings.written().contains("\"labels"))
    {
        return;
    }
    if free.is_empty() {
        remove(properties, "labels");
    } else {
        set(properties, "labels", Piece::strings(free));
    }
    set(properties, types, Piece::strings(kinds));
}

/// The TLP 2.0 id in place of a TLP 1 one.
fn newer_tlp(id: &str) -> Option<&'static str> {
    Tlp::from_marking_id(id).map(Tlp::marking_id).filter(|newer| *newer != id)
}

/// Exchanges TLP 1 ids for those of TLP 2.0, each once in a list; gives whether there were any.
fn exchange_tlp(properties: &mut Properties<'_>) -> bool {
    let mut any = false;
    if let Some(refs) = property(properties, "object_marking_refs") {
        let before = refs.texts();
        if before.iter().any(|id| newer_tlp(id).is_some()) {
            let mut seen = BTreeSet::new();
            let after = before.iter().map(|id| newer_tlp(id).unwrap_or(id)).filter(|id| seen.insert(*id));
            *refs = Piece::strings(after);
            any = true;
        }
    }
    let parts = property(properties, "granular_markings").and_then(Piece::open_list);
    for part in parts.into_iter().flatten() {
        let marking = part.open_object().and_then(|part| property(part, "marking_ref"));
        if let Some(marking) = marking
            && let Some(newer) = marking.text().and_then(|id| newer_tlp(&id))
        {
            *marking = Piece::string(newer);
            any = true;
        }
    }
    any
}

/// What was renamed: from which selector to which.
type Renamed = BTreeMap<String, String>;

/// Gives the names of hashes the standard's spelling, at whatever depth, and the selectors that name them too; gives
/// the path of one of them.
fn respell_hashes(properties: &mut Properties<'_>) -> Option<String> {
    let mut renamed = Renamed::new();
    for (name, value) in properties.iter_mut() {
        walk_hashes(name.as_ref(), name.as_ref(), value, &mut renamed);
    }
    let first = renamed.keys().next().map(|old| old.replace(".[", "["))?;
    let parts = property(properties, "granular_markings").and_then(Piece::open_list);
    for part in parts.into_iter().flatten() {
        let Some(selectors) = part.open_object().and_then(|part| property(part, "selectors")) else {
            continue;
        };
        let before = selectors.texts();
        if before.iter().any(|selector| renamed.contains_key(selector)) {
            *selectors =
                Piece::strings(before.iter().map(|selector| renamed.get(selector).unwrap_or(selector)));
        }
    }
    Some(first)
}

/// Properties whose value is a dictionary of hashes.
fn holds_hashes(name: &str) -> bool {
    matches!(name, "hashes" | "file_header_hashes")
}

fn walk_hashes(name: &str, path: &str, value: &mut Piece<'_>, renamed: &mut Renamed) {
    if !value.open() {
        return;
    }
    match value {
        Piece::Object(hashes) if holds_hashes(name) => respell(path, hashes, renamed),
        Piece::Object(properties) => {
            for (name, value) in properties {
                let path = format!("{path}.{name}");
                walk_hashes(name.as_ref(), &path, value, renamed);
            }
        }
        Piece::List(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                walk_hashes("", &format!("{path}.[{at}]"), item, renamed);
            }
        }
        Piece::Raw(_) | Piece::Made(_) => {}
    }
}

fn respell(path: &str, hashes: &mut Properties<'_>, renamed: &mut Renamed) {
    let text = |value: &Piece<'_>| value.text().map(Cow::into_owned);
    let standard = |name: &str, value: &Piece<'_>| {
        scalar::hash_spelling(name)
            .zip(text(value))
            .filter(|(standard, hash)| scalar::is_hash(standard, hash))
    };
    let mut under: BTreeMap<&'static str, Option<String>> = BTreeMap::new();
    for (name, value) in hashes.iter() {
        if let Some(known) = ov::HASH_ALGORITHM.iter().find(|known| *known == name) {
            under.insert(known, text(value));
        }
    }
    hashes.retain_mut(|(name, value)| {
        let Some((standard, hash)) = standard(name, value) else { return true };
        let is_new = match under.get(standard) {
            None => true,
            // The same hash under both names: one is enough.
            Some(Some(other)) if other.eq_ignore_ascii_case(&hash) => false,
            // Two hashes under one name cannot both be kept there.
            Some(_) => return true,
        };
        renamed.insert(format!("{path}.{name}"), format!("{path}.{standard}"));
        if is_new {
            under.insert(standard, Some(hash));
            *name = standard.into();
        }
        is_new
    });
}
