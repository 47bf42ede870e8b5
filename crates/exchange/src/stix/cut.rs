//! Granular markings enforced: an object without the parts that are marked more strictly than a reader may see.
//!
//! STIX 2.1 section 7.2 leaves open how markings that meet on one property combine. Here the strictest one counts: a
//! part is cut out as soon as one granular marking on it, or on something it lies in, is stricter than the ceiling. A
//! granular marking less strict than the object's own opens nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use shieldwall_model::marking::Tlp;

use super::finding::{Code, Problem};
use super::json::quoted;
use super::read::checked;
use super::text::{Piece, property, remove, set};
use super::{Object, Taken};

/// Properties an object never goes without, or whose absence would say something else: who an object is, which version,
/// that it was taken back, and how it is marked.
const NEVER_CUT: [&str; 8] = [
    "type",
    "id",
    "spec_version",
    "created",
    "modified",
    "revoked",
    "object_marking_refs",
    "granular_markings",
];

/// An object after cutting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What is left, as it reads now. [`Taken::bytes`] are its bytes.
    pub taken: Taken<'static>,
    /// What was cut out, as the selectors named it.
    pub selectors: Vec<String>,
}

impl Cut {
    /// What was cut out, for a person to read: the first few selectors by name.
    pub fn told(&self) -> String {
        told(&self.selectors)
    }
}

/// Gives `object`, whose bytes these are, without what its granular markings mark more strictly than `ceiling`;
/// `None` where there is nothing to cut. The granular markings that selected what is gone go with it, and selectors
/// (STIX 2.1 section 7.2.3.1) of list items behind a cut one are numbered anew. A list or object that is left empty
/// goes too (section 2: neither may be empty).
///
/// Whatever is handed on to a reader or peer with a lower ceiling than the group's must pass through here. A marking on
/// the whole object is not looked at: that is the caller's to compare ([`Object::tlp`]).
///
/// The id stays, and the deterministic id of an observable is made of its content: whoever guesses what was cut of one
/// can see that the guess was right. Mark such an observable as a whole.
///
/// # Errors
/// `stix.marking.required_part`, with the selector as its path, when the object may not lose that part: it is required,
/// says which version this is or how it is marked, or without it an indicator would mean something else.
pub fn cut(object: &Object, bytes: &[u8], ceiling: Tlp) -> Result<Option<Cut>, Problem> {
    if object.parts_tlp.is_none_or(|tlp| tlp <= ceiling) {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    let mut whole = Piece::Raw(text.trim_ascii());
    let Some(properties) = whole.open_object() else { return Ok(None) };
    let Some(mut markings) = remove(properties, "granular_markings") else { return Ok(None) };
    let mut markings = markings.open_list().map(std::mem::take).unwrap_or_default();
    let selectors = stricter(&mut markings, ceiling);
    let mut parts = Part::default();
    for selector in &selectors {
        if NEVER_CUT.contains(&selector.split('.').next().unwrap_or_default()) {
            return Err(required(selector, "an object never goes without it"));
        }
        parts.add(selector);
    }
    parts.cut_from(&mut whole);
    let Some(properties) = whole.open_object() else { return Ok(None) };
    let left = renumbered(markings, &parts);
    if !left.is_empty() {
        set(properties, "granular_markings", Piece::List(left));
    }
    let text = whole.written();
    let mut after = match checked(&text) {
        Ok(after) => after,
        Err(refused) => {
            let problem = refused.problems.into_iter().next();
            let path = problem.as_ref().map_or("", |problem| problem.path.as_str());
            let selector = selectors.iter().find(|selector| path_of(selector).starts_with(path));
            let named = selector.map_or_else(|| told(&selectors), Clone::clone);
            return Err(required(&named, problem.as_ref().map_or("", |problem| problem.reason.as_str())));
        }
    };
    if after.role != object.role {
        return Err(required(&told(&selectors), "without it the indicator would mean something else"));
    }
    after.index = object.index;
    let taken = Taken { object: after, bytes: Cow::Owned(text.into_bytes()) };
    Ok(Some(Cut { taken, selectors }))
}

fn required(selector: &str, why: &str) -> Problem {
    Problem {
        path: path_of(selector),
        code: Code::RequiredPart,
        reason: format!(
            "{selector:?} is marked more strictly than this group may carry and cannot be cut out: {why}; share the object in a group that may carry all of it, or mark another part"
        ),
    }
}

/// A selector (`external_references.[0].url`) as the paths of this house are written (`external_references[0].url`).
fn path_of(selector: &str) -> String {
    selector.replace(".[", "[")
}

/// The selectors of every marking stricter than the ceiling, each once, in order.
fn stricter(markings: &mut [Piece<'_>], ceiling: Tlp) -> Vec<String> {
    let mut selectors = Vec::new();
    let mut seen = BTreeSet::new();
    for marking in markings {
        let Some(properties) = marking.open_object() else { continue };
        let tlp = property(properties, "marking_ref").and_then(|id| Tlp::from_marking_id(&id.text()?));
        if tlp.is_none_or(|tlp| tlp <= ceiling) {
            continue;
        }
        for selector in property(properties, "selectors").map(Piece::texts).unwrap_or_default() {
            if seen.insert(selector.clone()) {
                selectors.push(selector);
            }
        }
    }
    selectors
}

/// The granular markings that still select something, with their selectors as things stand after the cut.
fn renumbered<'a>(markings: Vec<Piece<'a>>, parts: &Part) -> Vec<Piece<'a>> {
    let mut left = Vec::with_capacity(markings.len());
    for mut marking in markings {
        let Some(properties) = marking.open_object() else { continue };
        let Some(selectors) = property(properties, "selectors") else { continue };
        let before = selectors.texts();
        let after: Vec<String> = before.iter().filter_map(|selector| parts.renumber(selector)).collect();
        if after.is_empty() {
            continue;
        }
        if after != before {
            *selectors = Piece::strings(after);
        }
        left.push(marking);
    }
    left
}

/// The selectors as told to a person: the first few by name.
fn told(selectors: &[String]) -> String {
    const NAMED_MAX: usize = 8;
    let named: Vec<String> = selectors.iter().take(NAMED_MAX).map(|selector| quoted(selector)).collect();
    match selectors.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// One step of a selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Property(String),
    Item(usize),
}

fn steps(selector: &str) -> impl Iterator<Item = Step> + '_ {
    selector.split('.').map(|step| {
        let item = step.strip_prefix('[').and_then(|step| step.strip_suffix(']'));
        match item.and_then(|index| index.parse().ok()) {
            Some(index) => Step::Item(index),
            None => Step::Property(step.to_owned()),
        }
    })
}

/// What is to be cut, as a tree of selectors.
#[derive(Debug, Default)]
struct Part {
    /// This part itself goes; after the cut also, what was left empty.
    gone: bool,
    inside: BTreeMap<Step, Part>,
    /// Which items of this list went, in order.
    items_gone: Vec<usize>,
}

impl Part {
    fn add(&mut self, selector: &str) {
        let mut at = self;
        for step in steps(selector) {
            at = at.inside.entry(step).or_default();
        }
        at.gone = true;
    }

    /// Cuts from `piece` and notes what went because nothing of it was left.
    fn cut_from(&mut self, piece: &mut Piece<'_>) {
        if self.gone || self.inside.is_empty() || !piece.open() {
            return;
        }
        match piece {
            Piece::List(items) => {
                let mut index = 0;
                items.retain_mut(|item| {
                    let part = self.inside.get_mut(&Step::Item(index));
                    let gone = part.is_some_and(|part| {
                        part.cut_from(item);
                        part.gone
                    });
                    if gone {
                        self.items_gone.push(index);
                    }
                    index += 1;
                    !gone
                });
                self.gone = items.is_empty();
            }
            Piece::Object(properties) => {
                properties.retain_mut(|(name, value)| {
                    let part = self.inside.get_mut(&Step::Property(name.to_string()));
                    !part.is_some_and(|part| {
                        part.cut_from(value);
                        part.gone
                    })
                });
                self.gone = properties.is_empty();
            }
            Piece::Raw(_) | Piece::Made(_) => {}
        }
    }

    /// The selector of the same part after the cut; `None` when that part is gone.
    fn renumber(&self, selector: &str) -> Option<String> {
        let mut at = Some(self);
        let mut told = String::with_capacity(selector.len());
        for step in steps(selector) {
            if !told.is_empty() {
                told.push('.');
            }
            match &step {
                Step::Property(name) => told.push_str(name),
                Step::Item(index) => {
                    let before = at.map_or(0, |part| part.items_gone.partition_point(|gone| gone < index));
                    told.push_str(&format!("[{}]", index.saturating_sub(before)));
                }
            }
            at = at.and_then(|part| part.inside.get(&step));
            if at.is_some_and(|part| part.gone) {
                return None;
            }
        }
        Some(told)
    }
}
