//! Changing an event as MISP's clients ask for it: what they send is laid over what is there.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::event::Event;
use super::node::{self, Node};
use super::types;

/// Numbers of an instance's tables: a client sends back what it was given, and they name nothing here.
const IDS: [&str; 6] = ["id", "event_id", "object_id", "org_id", "orgc_id", "galaxy_id"];
/// Lists that are laid over node by node.
const LISTS: [&str; 4] = ["Attribute", "Object", "Tag", "Sighting"];
/// What a client cannot change.
const FIXED: [&str; 6] = ["uuid", "timestamp", "Org", "Orgc", "RelatedEvent", "attribute_count"];

/// Takes the ids of an instance out of a node and all below it.
pub fn without_ids(node: &mut Node) {
    for id in IDS {
        node.remove(id);
    }
    for value in node.values_mut() {
        match value {
            Value::Object(inner) => without_ids(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(without_ids),
            _ => {}
        }
    }
}

/// Gives an attribute what MISP gives one that does not say: UUID, time, category, whether it is for detection.
pub fn complete_attribute(attribute: &mut Node, now: Timestamp, fresh: &mut dyn FnMut() -> Uuid) {
    identify(attribute, now, fresh);
    let kind = types::by_name(node::text(attribute, "type").unwrap_or("other"));
    let mut or = |key: &str, value: Value| {
        if attribute.get(key).is_none_or(Value::is_null) {
            attribute.insert(key.into(), value);
        }
    };
    or("category", kind.map_or("Other", |kind| kind.category).into());
    or("to_ids", kind.is_some_and(|kind| kind.to_ids).into());
    or("distribution", "5".into());
    or("comment", "".into());
    or("deleted", false.into());
    or("disable_correlation", false.into());
}

/// Gives an object and its attributes what they do not say.
pub fn complete_object(object: &mut Node, now: Timestamp, fresh: &mut dyn FnMut() -> Uuid) {
    identify(object, now, fresh);
    let own = node::shown(object, "uuid");
    for attribute in nodes(object, "Attribute") {
        complete_attribute(attribute, now, fresh);
    }
    for reference in nodes(object, "ObjectReference") {
        identify(reference, now, fresh);
        reference.entry("object_uuid").or_insert_with(|| own.clone().into());
    }
    object.entry("distribution").or_insert_with(|| "5".into());
    object.entry("deleted").or_insert_with(|| false.into());
}

/// Gives a new event what it does not say; `orgc` is who sends it.
pub fn complete_event(event: &mut Event, orgc: &Value, now: Timestamp, fresh: &mut dyn FnMut() -> Uuid) {
    let node = &mut event.node;
    identify(node, now, fresh);
    for attribute in nodes(node, "Attribute") {
        complete_attribute(attribute, now, fresh);
    }
    for object in nodes(node, "Object") {
        complete_object(object, now, fresh);
    }
    for report in nodes(node, "EventReport") {
        identify(report, now, fresh);
    }
    let mut or = |key: &str, value: Value| {
        if node.get(key).is_none_or(|held| held.is_null() || held.as_str() == Some("")) {
            node.insert(key.into(), value);
        }
    };
    or("date", now.to_string().get(..10).unwrap_or("1970-01-01").into());
    or("Orgc", orgc.clone());
    or("published", false.into());
    or("analysis", "0".into());
    or("threat_level_id", "4".into());
    or("distribution", "1".into());
}

fn identify(node: &mut Node, now: Timestamp, fresh: &mut dyn FnMut() -> Uuid) {
    if node::uuid(node, "uuid").is_none() {
        node.insert("uuid".into(), fresh().to_string().into());
    }
    if node::seconds(node, "timestamp").is_none() {
        touch(node, now);
    }
}

/// Says that a node changed now.
pub fn touch(node: &mut Node, now: Timestamp) {
    node.insert("timestamp".into(), now.as_seconds().to_string().into());
}

fn nodes<'a>(node: &'a mut Node, key: &str) -> impl Iterator<Item = &'a mut Node> {
    let list = node.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Lays what was sent over an event; the UUIDs of attributes and objects that were said to be deleted. Those are left in
/// place, for whoever takes them back to do so by name.
pub fn merge(
    held: &mut Event,
    sent: &Event,
    now: Timestamp,
    fresh: &mut dyn FnMut() -> Uuid,
) -> BTreeSet<Uuid> {
    let mut deleted = BTreeSet::new();
    lay_fields(&mut held.node, &sent.node);
    lay_tags(&mut held.node, &sent.node);
    lay_list(&mut held.node, &sent.node, "Attribute", now, fresh, &mut deleted);
    lay_list(&mut held.node, &sent.node, "Object", now, fresh, &mut deleted);
    touch(&mut held.node, now);
    deleted
}

/// Lays what was sent over one attribute or object; whether anything changed.
pub fn lay(
    held: &mut Node,
    sent: &Node,
    now: Timestamp,
    fresh: &mut dyn FnMut() -> Uuid,
    deleted: &mut BTreeSet<Uuid>,
) -> bool {
    let before = held.clone();
    lay_fields(held, sent);
    lay_tags(held, sent);
    lay_list(held, sent, "Attribute", now, fresh, deleted);
    let changed = *held != before;
    if changed {
        touch(held, now);
    }
    changed
}

fn lay_fields(held: &mut Node, sent: &Node) {
    let fields = sent.iter().filter(|(key, _)| {
        let key = key.as_str();
        !FIXED.contains(&key) && !IDS.contains(&key) && !LISTS.contains(&key)
    });
    for (key, value) in fields {
        // A client that read "0" may send 0, and neither is a change.
        let same = held.get(key).is_some_and(|old| {
            old == value
                || node::shown(held, key) == node::shown(sent, key) && !old.is_object() && !old.is_array()
        });
        let says_nothing = value.is_null() && held.get(key).is_none();
        if !same && !says_nothing {
            held.insert(key.clone(), value.clone());
        }
    }
}

fn lay_tags(held: &mut Node, sent: &Node) {
    let names: Vec<String> = node::tags(sent).map(str::to_owned).collect();
    for name in names {
        add_tag(held, &name);
    }
}

/// Adds a tag; whether it was not there.
pub fn add_tag(node: &mut Node, name: &str) -> bool {
    if node::tags(node).any(|held| held == name) {
        return false;
    }
    let tag = json!({"name": name});
    match node.get_mut("Tag").and_then(Value::as_array_mut) {
        Some(tags) => tags.push(tag),
        None => {
            node.insert("Tag".into(), json!([tag]));
        }
    }
    true
}

/// Takes a tag away; whether it was there.
pub fn remove_tag(node: &mut Node, name: &str) -> bool {
    let Some(tags) = node.get_mut("Tag").and_then(Value::as_array_mut) else { return false };
    let before = tags.len();
    tags.retain(|tag| tag.get("name").and_then(Value::as_str) != Some(name));
    tags.len() < before
}

fn lay_list(
    held: &mut Node,
    sent: &Node,
    key: &str,
    now: Timestamp,
    fresh: &mut dyn FnMut() -> Uuid,
    deleted: &mut BTreeSet<Uuid>,
) {
    for one in node::list(sent, key) {
        let uuid = node::uuid(one, "uuid");
        if let Some(uuid) = uuid.filter(|_| node::flag(one, "deleted")) {
            deleted.insert(uuid);
            continue;
        }
        let known = uuid.and_then(|uuid| find(held, key, uuid));
        if let Some(known) = known {
            lay(known, one, now, fresh, deleted);
            continue;
        }
        let mut new = one.clone();
        new.remove("timestamp");
        if key == "Object" {
            complete_object(&mut new, now, fresh);
        } else {
            complete_attribute(&mut new, now, fresh);
        }
        match held.get_mut(key).and_then(Value::as_array_mut) {
            Some(list) => list.push(Value::Object(new)),
            None => {
                held.insert(key.into(), Value::Array(vec![Value::Object(new)]));
            }
        }
    }
}

fn find<'a>(node: &'a mut Node, key: &str, uuid: Uuid) -> Option<&'a mut Node> {
    nodes(node, key).find(|one| node::uuid(one, "uuid") == Some(uuid))
}

/// The attribute or object of an event with this UUID, at whatever depth.
pub fn find_in(event: &mut Event, uuid: Uuid) -> Option<&mut Node> {
    let key = if find(&mut event.node, "Attribute", uuid).is_some() {
        "Attribute"
    } else if find(&mut event.node, "Object", uuid).is_some() {
        "Object"
    } else {
        let objects = nodes(&mut event.node, "Object");
        return objects
            .flat_map(|object| nodes(object, "Attribute"))
            .find(|one| node::uuid(one, "uuid") == Some(uuid));
    };
    find(&mut event.node, key, uuid)
}

/// Takes the attributes and objects of these UUIDs out; with an object go its attributes.
pub fn remove(event: &mut Event, uuids: &BTreeSet<Uuid>) {
    let gone = |value: &Value| {
        value.as_object().and_then(|one| node::uuid(one, "uuid")).is_some_and(|uuid| uuids.contains(&uuid))
    };
    for key in ["Attribute", "Object"] {
        if let Some(list) = event.node.get_mut(key).and_then(Value::as_array_mut) {
            list.retain(|one| !gone(one));
        }
    }
    for object in nodes(&mut event.node, "Object") {
        if let Some(list) = object.get_mut("Attribute").and_then(Value::as_array_mut) {
            list.retain(|one| !gone(one));
        }
    }
}

/// Numbers everything as a client of this instance is to see it: each id says its UUID and nothing else.
pub fn number(event: &mut Event) {
    let uuid = event.uuid();
    let own = node::id_number(uuid);
    let node = &mut event.node;
    node.insert("uuid".into(), uuid.to_string().into());
    node.insert("id".into(), own.clone().into());
    let orgc = org_number(node, "Orgc");
    node.insert("orgc_id".into(), orgc.clone().into());
    let org = if node.contains_key("Org") { org_number(node, "Org") } else { orgc };
    node.insert("org_id".into(), org.into());
    number_tags(node);
    let mut count = 0usize;
    for attribute in nodes(node, "Attribute") {
        number_attribute(attribute, &own, "0");
        count += 1;
    }
    for object in nodes(node, "Object") {
        let id = number_one(object, &own);
        for attribute in nodes(object, "Attribute") {
            number_attribute(attribute, &own, &id);
            count += 1;
        }
        for reference in nodes(object, "ObjectReference") {
            number_one(reference, &own);
            reference.insert("object_id".into(), id.clone().into());
            let target = node::uuid(reference, "referenced_uuid").map(node::id_number);
            reference.insert("referenced_id".into(), target.unwrap_or_default().into());
        }
        object.entry("Attribute").or_insert_with(|| json!([]));
        object.entry("ObjectReference").or_insert_with(|| json!([]));
    }
    for report in nodes(node, "EventReport") {
        number_one(report, &own);
    }
    for key in ["Attribute", "Object", "Tag", "Galaxy", "EventReport", "ShadowAttribute", "RelatedEvent"] {
        node.entry(key).or_insert_with(|| json!([]));
    }
    node.insert("attribute_count".into(), count.to_string().into());
}

/// Numbers one attribute of the event and object of these numbers.
pub fn number_attribute(attribute: &mut Node, event: &str, object: &str) {
    let id = number_one(attribute, event);
    attribute.insert("object_id".into(), object.into());
    number_tags(attribute);
    for sighting in nodes(attribute, "Sighting") {
        number_one(sighting, event);
        sighting.insert("attribute_id".into(), id.clone().into());
    }
}

fn number_one(node: &mut Node, event: &str) -> String {
    let id = node::uuid(node, "uuid").map_or_else(|| "0".into(), node::id_number);
    node.insert("id".into(), id.clone().into());
    node.insert("event_id".into(), event.into());
    id
}

fn org_number(node: &mut Node, key: &str) -> String {
    let Some(org) = node.get_mut(key).and_then(Value::as_object_mut) else { return "0".into() };
    let id = node::uuid(org, "uuid").map_or_else(|| "0".into(), node::id_number);
    org.insert("id".into(), id.clone().into());
    id
}

fn number_tags(node: &mut Node) {
    for tag in nodes(node, "Tag") {
        let name = node::shown(tag, "name");
        tag.insert("id".into(), tag_number(&name).into());
        tag.entry("colour").or_insert_with(|| "#5b6770".into());
        tag.entry("exportable").or_insert_with(|| true.into());
    }
}

/// The number of a tag: tags have no UUID, and are what they are called.
pub fn tag_number(name: &str) -> String {
    node::id_number(Uuid::new_v5(&super::event::NAMESPACE, name.as_bytes()))
}
