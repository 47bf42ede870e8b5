//! STIX objects of the tests' own, made by the house's own makers.

use serde::Deserialize;
use serde_json::value::RawValue;
use shieldwall_exchange::indicator::{
    ContextKind, IndicatorDraft, context, context_id, relationship, relationship_id,
};
use shieldwall_model::id::{MemberId, ObjectId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};

/// A domain as a value.
pub(crate) fn domain(text: &str) -> Value {
    Value::new(Kind::Domain, text).expect("a domain")
}

/// An indicator of one value, and its id.
pub(crate) fn indicator(
    member: MemberId,
    value: &Value,
    role: IndicatorRole,
    now: Timestamp,
) -> (ObjectId, String) {
    marked_indicator(member, value, role, now, None)
}

/// An indicator of one value with a marking, and its id.
pub(crate) fn marked_indicator(
    member: MemberId,
    value: &Value,
    role: IndicatorRole,
    now: Timestamp,
    marking: Option<Tlp>,
) -> (ObjectId, String) {
    let draft = IndicatorDraft {
        member,
        value,
        role,
        name: None,
        created: now,
        modified: now,
        valid_from: now,
        valid_until: None,
        confidence: None,
        labels: &[],
        marking,
    };
    (draft.id(), draft.to_json())
}

/// An indicator, the malware it points to, and the relationship that says so.
pub(crate) struct Story {
    /// The indicator.
    pub(crate) indicator: ObjectId,
    /// The malware.
    pub(crate) malware: ObjectId,
    /// The relationship.
    pub(crate) relationship: ObjectId,
    /// The three as a bundle.
    pub(crate) bundle: String,
}

/// The story of one value and one malware family.
pub(crate) fn story(
    member: MemberId,
    value: &Value,
    role: IndicatorRole,
    family: &str,
    now: Timestamp,
) -> Story {
    let (id, object) = indicator(member, value, role, now);
    let malware = context_id(ContextKind::Malware, member, family);
    let objects = [
        object,
        context(ContextKind::Malware, member, family, now, None),
        relationship(member, &id, "indicates", &malware, now, None),
    ];
    Story {
        relationship: relationship_id(member, &id, "indicates", &malware),
        indicator: id,
        malware,
        bundle: bundle(&objects),
    }
}

/// Objects as a bundle.
pub(crate) fn bundle(objects: &[String]) -> String {
    format!(
        "{{\"type\":\"bundle\",\"id\":\"bundle--6a3b3c0e-5a5e-4d0e-9a58-1e55f1d3f2aa\",\"objects\":[{}]}}",
        objects.join(",")
    )
}

/// Objects as a TAXII envelope.
pub(crate) fn envelope(objects: &[String]) -> String {
    format!("{{\"objects\":[{}]}}", objects.join(","))
}

/// A bundle or an envelope, its objects as the bytes they are.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    /// The objects.
    #[serde(borrow, default)]
    pub(crate) objects: Vec<&'a RawValue>,
    /// Whether there is more.
    #[serde(default)]
    pub(crate) more: bool,
    /// What the next page is asked for with.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// The id and version of an object.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The id.
    pub(crate) id: String,
    /// The version: `modified`, else `created`.
    #[serde(alias = "modified", default)]
    pub(crate) version: String,
}

/// The id and version of an object.
pub(crate) fn key(object: &RawValue) -> Key {
    let value: serde_json::Value = serde_json::from_str(object.get()).expect("an object is JSON");
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Key { id: text("id").expect("an id"), version: text("modified").or(text("created")).unwrap_or_default() }
}
