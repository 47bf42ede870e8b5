//! From STIX objects to a MISP event: those made here give back what they were made from, others go out by rule.
//!
//! | STIX 2.1, not made here | MISP |
//! |---|---|
//! | report, grouping and what it refers to | event |
//! | an indicator nothing refers to | an event of its own, with the indicator's UUID |
//! | indicator of values | an attribute each, `to_ids` if its role is malicious |
//! | indicator of another pattern | one attribute with the pattern (`stix2-pattern`, `yara`, `sigma`, …) |
//! | domain-name, address, url, email-addr, file, mutex … | attribute of that type, not `to_ids` |
//! | vulnerability | attribute `vulnerability` |
//! | malware, tool, intrusion-set, threat-actor, attack-pattern, campaign, course-of-action | tag `misp-galaxy:stix-2.1-<type>="<name>"` |
//! | note | event report |
//! | sighting of one of these | sighting of its attribute |
//! | TLP marking, labels | tags |
//! | relationship, identity, marking definition … | left out: MISP has no place for them in an event |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::event::Event;
use super::import::{ATTRIBUTE_REFS, CLUSTER_REFS, GALAXY_REFS, OBJECT_REF, REFERENCE_REFS, SIGHTING_REFS};
use super::node::{self, Node};
use super::{EXTENSION_ID, pattern};

/// Whose an event is that was not made from MISP, and for whom.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The member that shared it, as MISP names organisations.
    pub name: String,
    /// Its UUID.
    pub uuid: Uuid,
    /// MISP's distribution: 0, 1 or 4.
    pub distribution: u8,
    /// The sharing group, where distribution is 4: UUID and name.
    pub sharing_group: Option<(Uuid, String)>,
}

/// The objects an event is made of, by id.
pub type Objects = BTreeMap<String, Node>;

/// What an object carries of MISP's, if it was made here: the kind, and the node.
pub fn carried(object: &Node) -> Option<(&str, Option<Node>)> {
    let extension = object.get("extensions")?.as_object()?.get(EXTENSION_ID)?.as_object()?;
    let node = extension.get("node").map(node::unpacked);
    let node = node.and_then(|node| if let Value::Object(node) = node { Some(node) } else { None });
    Some((node::text(extension, "kind")?, node))
}

/// The ids an object lists under `key`.
pub fn references<'a>(object: &'a Node, key: &str) -> impl Iterator<Item = &'a str> {
    object.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_str)
}

/// Every id an event needs beside `object`: what it refers to in MISP's sense.
pub fn needs(object: &Node) -> impl Iterator<Item = &str> {
    ["object_refs", ATTRIBUTE_REFS, REFERENCE_REFS, GALAXY_REFS, SIGHTING_REFS, CLUSTER_REFS]
        .into_iter()
        .flat_map(|key| references(object, key))
}

/// The event of `root`, a report, grouping or indicator, out of the objects at hand. What is not there is left out.
pub fn to_event(root: &Node, objects: &Objects, origin: &Origin) -> Event {
    let mut writer = Writer {
        objects,
        sightings: BTreeMap::new(),
        done: BTreeSet::new(),
        lists: BTreeMap::new(),
        tags: Vec::new(),
    };
    writer.index();
    let root_id = node::text(root, "id").unwrap_or_default();
    writer.done.insert(root_id);
    let carried = carried(root).and_then(|(kind, node)| if kind == "event" { node } else { None });
    let mut event = carried.unwrap_or_else(|| native(root, origin));
    if root.get("type").and_then(Value::as_str) == Some("indicator") {
        writer.one(root);
    }
    writer.all(references(root, "object_refs"));
    let hanging = objects.values().filter(|object| node::text(object, super::EVENT_REF) == Some(root_id));
    writer.all(hanging.filter_map(|object| node::text(object, "id")));
    for (key, mut list) in writer.lists {
        match event.get_mut(key).and_then(Value::as_array_mut) {
            Some(held) => held.append(&mut list),
            None => {
                event.insert(key.into(), list.into());
            }
        }
    }
    if !writer.tags.is_empty() {
        let mut tags: Vec<Value> = event.get("Tag").and_then(Value::as_array).cloned().unwrap_or_default();
        for name in writer.tags {
            let tag = json!({"name": name});
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        event.insert("Tag".into(), tags.into());
    }
    Event { node: event }
}

struct Writer<'a> {
    objects: &'a Objects,
    /// Sightings by what they are of.
    sightings: BTreeMap<&'a str, Vec<&'a Node>>,
    done: BTreeSet<&'a str>,
    lists: BTreeMap<&'static str, Vec<Value>>,
    /// Tags of a native event.
    tags: Vec<String>,
}

impl<'a> Writer<'a> {
    fn index(&mut self) {
        for object in self.objects.values() {
            let of = node::text(object, "sighting_of_ref").or_else(|| {
                (object.get("type").and_then(Value::as_str) == Some(super::custom::SIGHTING))
                    .then(|| node::text(object, "attribute_ref"))
                    .flatten()
            });
            if let Some(of) = of {
                self.sightings.entry(of).or_default().push(object);
            }
        }
    }

    fn all(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            if let Some(object) = self.objects.get(id) {
                self.one(object);
            }
        }
    }

    fn one(&mut self, object: &'a Node) {
        let Some(id) = node::text(object, "id") else { return };
        if !self.done.insert(id) && object.get("type").and_then(Value::as_str) != Some("indicator") {
            return;
        }
        match carried(object) {
            Some(("part", _)) => self.all(references(object, "object_refs")),
            Some(("organisation", _)) => {}
            Some(("attribute", Some(node))) => {
                let node = self.attribute(object, node);
                self.push("Attribute", node);
            }
            Some(("object", Some(node))) => {
                let node = self.object(object, node);
                self.push("Object", node);
            }
            Some(("galaxy", Some(node))) => {
                let node = self.galaxy(object, node);
                self.push("Galaxy", node);
            }
            Some(("report", Some(node))) => self.push("EventReport", node),
            Some(("event", _)) => {}
            _ => self.native(object),
        }
    }

    fn push(&mut self, key: &'static str, node: Node) {
        self.lists.entry(key).or_default().push(Value::Object(node));
    }

    fn attribute(&mut self, object: &'a Node, mut node: Node) -> Node {
        let galaxies: Vec<Value> = references(object, GALAXY_REFS)
            .filter_map(|id| self.objects.get(id))
            .filter_map(|galaxy| Some(Value::Object(self.galaxy(galaxy, carried(galaxy)?.1?))))
            .collect();
        append(&mut node, "Galaxy", galaxies);
        let sightings = self.sightings_of(object);
        append(&mut node, "Sighting", sightings);
        node
    }

    /// The sightings of an object: those it came with in their order, then what was seen since.
    fn sightings_of(&self, object: &Node) -> Vec<Value> {
        let came: Vec<&str> = references(object, SIGHTING_REFS).collect();
        let id = node::text(object, "id").unwrap_or_default();
        let since = self
            .sightings
            .get(id)
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .copied()
            .filter(|sighting| node::text(sighting, "id").is_some_and(|id| !came.contains(&id)));
        let first = came.iter().filter_map(|id| self.objects.get(*id));
        first.chain(since).map(|sighting| Value::Object(self::sighting(sighting))).collect()
    }

    fn object(&mut self, object: &'a Node, mut node: Node) -> Node {
        let own = node::text(object, "id").unwrap_or_default();
        let apart = self.objects.values().filter(|other| node::text(other, OBJECT_REF) == Some(own));
        let apart = apart.filter_map(|other| node::text(other, "id"));
        let ids: Vec<&str> = references(object, ATTRIBUTE_REFS).chain(apart).collect();
        let mut attributes = Vec::new();
        for attribute in ids.into_iter().filter_map(|id| self.objects.get(id)) {
            if let Some(("attribute", Some(inner))) = carried(attribute) {
                attributes.push(Value::Object(self.attribute(attribute, inner)));
            }
        }
        append(&mut node, "Attribute", attributes);
        let found = references(object, REFERENCE_REFS).filter_map(|id| self.objects.get(id));
        let found = found.filter_map(|reference| Some(Value::Object(carried(reference)?.1?))).collect();
        append(&mut node, "ObjectReference", found);
        node
    }

    fn galaxy(&self, object: &Node, mut node: Node) -> Node {
        let clusters = references(object, CLUSTER_REFS).filter_map(|id| self.objects.get(id));
        let clusters = clusters.filter_map(|cluster| Some(Value::Object(carried(cluster)?.1?))).collect();
        append(&mut node, "GalaxyCluster", clusters);
        node
    }

    /// An object that was not made here.
    fn native(&mut self, object: &'a Node) {
        let Some(kind) = node::text(object, "type") else { return };
        let name = node::text(object, "name").unwrap_or_default();
        match kind {
            "indicator" => {
                for mut attribute in indicator(object) {
                    append(&mut attribute, "Sighting", self.sightings_of(object));
                    self.push("Attribute", attribute);
                }
            }
            "vulnerability" => self.push("Attribute", attribute(object, "vulnerability", name, false)),
            "note" => {
                let report = json!({
                    "uuid": uuid_of(object).to_string(),
                    "name": node::text(object, "abstract").unwrap_or("Note"),
                    "content": node::text(object, "content").unwrap_or_default(),
                    "timestamp": seconds_of(object).to_string(),
                    "distribution": "5", "sharing_group_id": "0", "deleted": false,
                });
                if let Value::Object(report) = report {
                    self.push("EventReport", report);
                }
            }
            "attack-pattern" | "campaign" | "course-of-action" | "infrastructure" | "intrusion-set"
            | "malware" | "threat-actor" | "tool"
                if !name.is_empty() =>
            {
                let name = name.replace('"', "'");
                self.tags.push(format!("misp-galaxy:stix-2.1-{kind}=\"{name}\""));
            }
            _ => {
                for attribute in observable(object, kind) {
                    self.push("Attribute", attribute);
                }
            }
        }
    }
}

fn append(node: &mut Node, key: &str, mut list: Vec<Value>) {
    if list.is_empty() {
        return;
    }
    match node.get_mut(key).and_then(Value::as_array_mut) {
        Some(held) => held.append(&mut list),
        None => {
            node.insert(key.into(), list.into());
        }
    }
}

fn uuid_of(object: &Node) -> Uuid {
    let id = node::text(object, "id").unwrap_or_default();
    id.split_once("--").and_then(|(_, uuid)| Uuid::try_parse(uuid).ok()).unwrap_or_default()
}

fn time_of(object: &Node, key: &str) -> Option<Timestamp> {
    node::text(object, key).and_then(|text| Timestamp::parse(text).ok())
}

fn seconds_of(object: &Node) -> i64 {
    time_of(object, "modified").or_else(|| time_of(object, "created")).map_or(0, Timestamp::as_seconds)
}

fn markings(object: &Node) -> Option<Tlp> {
    Tlp::strictest(references(object, "object_marking_refs"))
}

/// Tags for what an object is labelled and marked with.
fn tags_of(object: &Node) -> Vec<Value> {
    let marking = markings(object).map(|tlp| json!({"name": format!("tlp:{}", tlp.as_str().to_lowercase())}));
    let labels = references(object, "labels").map(|label| json!({"name": label}));
    marking.into_iter().chain(labels).collect()
}

/// The event of a report, grouping or loose indicator that was not made here, before anything hangs on it.
fn native(root: &Node, origin: &Origin) -> Node {
    let name = node::text(root, "name").or_else(|| node::text(root, "pattern")).unwrap_or("without a name");
    let kind = node::text(root, "type").unwrap_or("object");
    let info = if kind == "indicator" { format!("Indicator: {name}") } else { name.to_owned() };
    let made = time_of(root, "published").or_else(|| time_of(root, "created")).unwrap_or_default();
    let seconds = seconds_of(root).to_string();
    let event = json!({
        "uuid": uuid_of(root).to_string(),
        "info": info,
        "date": made.to_string().get(..10).unwrap_or("1970-01-01"),
        "timestamp": seconds,
        "publish_timestamp": seconds,
        "published": true,
        "analysis": "2",
        "threat_level_id": "4",
        "distribution": origin.distribution.to_string(),
        "sharing_group_id": origin.sharing_group.as_ref().map_or_else(|| "0".into(), |(uuid, _)| node::id_number(*uuid)),
        "extends_uuid": "",
        "Orgc": {"name": origin.name, "uuid": origin.uuid.to_string()},
        "Tag": tags_of(root),
    });
    let mut event = if let Value::Object(event) = event { event } else { Node::new() };
    if let Some((uuid, name)) = &origin.sharing_group {
        event.insert("SharingGroup".into(), json!({"uuid": uuid.to_string(), "name": name}));
    }
    event
}

/// An attribute with the object's UUID, times, labels and words.
fn attribute(object: &Node, kind: &str, value: &str, to_ids: bool) -> Node {
    let category = super::types::by_name(kind).map_or("Other", |kind| kind.category);
    let comment =
        node::text(object, "description").or_else(|| node::text(object, "name")).unwrap_or_default();
    let mut attribute = json!({
        "uuid": uuid_of(object).to_string(),
        "type": kind,
        "category": category,
        "value": value,
        "to_ids": to_ids,
        "comment": if comment == value { "" } else { comment },
        "timestamp": seconds_of(object).to_string(),
        "distribution": "5",
        "sharing_group_id": "0",
        "deleted": false,
        "disable_correlation": false,
        "object_relation": Value::Null,
        "Tag": tags_of(object),
    });
    if let Some(fields) = attribute.as_object_mut() {
        for key in ["first_seen", "last_seen"] {
            fields.extend(node::text(object, key).map(|time| (key.to_owned(), time.into())));
        }
    }
    if let Value::Object(attribute) = attribute { attribute } else { Node::new() }
}

/// What an indicator looks for, an attribute a value.
fn indicator(object: &Node) -> Vec<Node> {
    let text = node::text(object, "pattern").unwrap_or_default();
    let language = node::text(object, "pattern_type").unwrap_or("stix");
    let role = serde_json::to_vec(object)
        .ok()
        .and_then(|bytes| crate::stix::read_bundle(&bytes).ok()?.accepted.pop()?.role)
        .unwrap_or_default();
    let malicious = role == IndicatorRole::Malicious;
    let values = if language == "stix" { shieldwall_watch::pattern::values(text).ok() } else { None };
    let mut all = match values.filter(|values| !values.is_empty()) {
        None => vec![attribute(object, pattern::type_of_language(language), text, malicious)],
        Some(values) => {
            let several = values.len() > 1;
            let made = values.iter().map(|value| {
                let (kind, shown) = pattern::attribute_of(value);
                let mut made = attribute(object, kind, &shown, malicious);
                if several {
                    let own = Uuid::new_v5(&uuid_of(object), format!("{kind} {shown}").as_bytes());
                    made.insert("uuid".into(), own.to_string().into());
                }
                made
            });
            made.collect()
        }
    };
    if !malicious {
        for made in &mut all {
            let said = node::text(made, "comment").unwrap_or_default();
            let comment = format!("{role}: not to be blocked. {said}");
            made.insert("comment".into(), comment.trim_end().into());
        }
    }
    all
}

/// What an observable or any other object comes to.
fn observable(object: &Node, kind: &str) -> Vec<Node> {
    let value = node::text(object, "value").unwrap_or_default();
    let of = |kind: &str, value: &str| {
        if value.is_empty() { Vec::new() } else { vec![attribute(object, kind, value, false)] }
    };
    match kind {
        "ipv4-addr" | "ipv6-addr" => of("ip-dst", value),
        "domain-name" => of("domain", value),
        "url" => of("url", value),
        "email-addr" => of("email", value),
        "mac-addr" => of("mac-address", value),
        "mutex" => of("mutex", node::text(object, "name").unwrap_or_default()),
        "windows-registry-key" => of("regkey", node::text(object, "key").unwrap_or_default()),
        "autonomous-system" => of("AS", &format!("AS{}", node::shown(object, "number"))),
        "file" => {
            let hashes = object.get("hashes").and_then(Value::as_object);
            let hashes = hashes.into_iter().flatten().filter_map(|(name, hash)| {
                let name = name.to_ascii_lowercase().replacen("sha-", "sha", 1);
                Some((name, hash.as_str()?.to_owned()))
            });
            let name = node::text(object, "name").map(|name| ("filename".to_owned(), name.to_owned()));
            let all: Vec<(String, String)> =
                hashes.chain(name).filter(|(kind, _)| super::types::by_name(kind).is_some()).collect();
            let made = all.iter().map(|(kind, value)| {
                let mut made = attribute(object, kind, value, false);
                let own = Uuid::new_v5(&uuid_of(object), format!("{kind} {value}").as_bytes());
                made.insert("uuid".into(), own.to_string().into());
                made
            });
            made.collect()
        }
        _ => Vec::new(),
    }
}

/// A sighting, as MISP has it.
fn sighting(object: &Node) -> Node {
    if let Some(("sighting", Some(node))) = carried(object) {
        return node;
    }
    let seen = time_of(object, "last_seen").or_else(|| time_of(object, "created")).unwrap_or_default();
    let node = json!({
        "uuid": uuid_of(object).to_string(),
        "type": "0",
        "source": node::text(object, "description").unwrap_or_default(),
        "date_sighting": seen.as_seconds().to_string(),
    });
    if let Value::Object(node) = node { node } else { Node::new() }
}
