//! From a MISP event to STIX objects. Pure: the same event gives the same objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shieldwall_model::id::ObjectId;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::event::Event;
use super::made::{Audience, Made, MadeObject, Options};
use super::node::{self, Node, PIECE_BYTES_MAX};
use super::{EVENT_REF, EXTENSION_ID, custom, pattern};
use crate::indicator::millis;

/// Most references a report holds here; an event with more is a report of parts (STIX groupings).
pub const REFERENCES_PER_PART_MAX: usize = 4_000;
/// How an attribute in another group than its object names it.
pub(crate) const OBJECT_REF: &str = "x_misp_object_ref";
/// An attribute's galaxies and sightings, a galaxy's clusters, an object's attributes and references, in their order.
pub(crate) const GALAXY_REFS: &str = "x_misp_galaxy_refs";
pub(crate) const SIGHTING_REFS: &str = "x_misp_sighting_refs";
pub(crate) const CLUSTER_REFS: &str = "x_misp_cluster_refs";
pub(crate) const ATTRIBUTE_REFS: &str = "x_misp_attribute_refs";
pub(crate) const REFERENCE_REFS: &str = "x_misp_reference_refs";
/// Longest name given to an object, in bytes.
const NAME_CUT_BYTES: usize = 1_000;

/// Makes the STIX objects of an event.
pub fn to_stix(event: &Event, options: &Options) -> Made {
    let uuid = event.uuid();
    let modified = event.timestamp().unwrap_or(options.now);
    let day = node::moment(&event.node, "date").or_else(|| {
        node::text(&event.node, "date").and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")).ok())
    });
    let mut builder = Builder {
        event: uuid,
        report: id("report", uuid),
        created: day.unwrap_or(modified),
        modified,
        tlp: tlp(&event.node),
        audience: Audience::of(&event.node, options.audience),
        used: BTreeSet::new(),
        by_uuid: BTreeMap::new(),
        pending: Vec::new(),
        objects: Vec::new(),
        references: Vec::new(),
    };
    builder.event(&event.node);
    Made { event: uuid, report: builder.report, objects: builder.objects }
}

struct Builder {
    event: Uuid,
    report: ObjectId,
    created: Timestamp,
    modified: Timestamp,
    tlp: Option<Tlp>,
    audience: Audience,
    used: BTreeSet<ObjectId>,
    by_uuid: BTreeMap<Uuid, ObjectId>,
    /// Object references, resolved when every object has its id.
    pending: Vec<(ObjectId, Node, ObjectId, Audience)>,
    objects: Vec<MadeObject>,
    /// What the report refers to.
    references: Vec<ObjectId>,
}

impl Builder {
    fn event(&mut self, whole: &Node) {
        let mut rest = whole.clone();
        self.organisation(whole);
        let audience = self.audience;
        for (at, attribute) in taken(&mut rest, "Attribute").into_iter().enumerate() {
            let (id, audience) = self.attribute(&attribute, at, self.event, audience, None);
            self.hang(id, audience);
        }
        for (at, object) in taken(&mut rest, "Object").into_iter().enumerate() {
            let (id, audience) = self.object(&object, at);
            self.hang(id, audience);
        }
        for id in self.galaxies(taken(&mut rest, "Galaxy"), self.event, audience) {
            self.hang(id, audience);
        }
        for (at, report) in taken(&mut rest, "EventReport").into_iter().enumerate() {
            let (id, audience) = self.event_report(&report, at);
            self.hang(id, audience);
        }
        for (id, reference, source, audience) in std::mem::take(&mut self.pending) {
            self.relationship(id, &reference, &source, audience);
        }
        if self.objects.iter().any(|made| made.audience != self.audience) {
            // A number of attributes that not every reader of the report may know of.
            rest.remove("attribute_count");
        }
        self.report(whole, rest);
    }

    /// Lets the report refer to an object, or the object to the report where not all who read one may read the other.
    fn hang(&mut self, id: ObjectId, audience: Audience) {
        if audience == self.audience {
            self.references.push(id);
        } else if let Some(made) = self.objects.iter_mut().rev().find(|made| made.id == id) {
            made.object.insert(EVENT_REF.into(), self.report.as_str().into());
        }
    }

    fn organisation(&mut self, whole: &Node) {
        let orgc = whole.get("Orgc").or_else(|| whole.get("Org")).and_then(Value::as_object);
        let name = orgc.and_then(|orgc| node::text(orgc, "name")).unwrap_or("unknown");
        let id = self.named(custom::ORGANISATION, Uuid::new_v5(&self.event, b"organisation"));
        let mut object = self.base(&id, None, "organisation", None);
        object.insert("name".into(), cut(name).into());
        self.put(id.clone(), self.audience, object);
        self.references.push(id);
    }

    fn attribute(
        &mut self,
        whole: &Node,
        at: usize,
        parent: Uuid,
        inherited: Audience,
        of: Option<&ObjectId>,
    ) -> (ObjectId, Audience) {
        let audience = Audience::of(whole, inherited);
        let mut rest = whole.clone();
        let uuid = self.uuid_of(whole, parent, "attribute", at);
        let kind = node::text(whole, "type").unwrap_or("other");
        let value = node::shown(whole, "value");
        let detects = node::flag(whole, "to_ids") && !node::flag(whole, "deleted");
        let pattern = detects.then(|| pattern::of(kind, &value)).flatten();
        let id = self.named(if pattern.is_some() { "indicator" } else { custom::ATTRIBUTE }, uuid);
        self.by_uuid.entry(uuid).or_insert_with(|| id.clone());
        let galaxies = self.galaxies(taken(&mut rest, "Galaxy"), uuid, audience);
        let sightings = self.sightings(taken(&mut rest, "Sighting"), &id, uuid, audience);
        let mut object = self.base(&id, Some(rest), "attribute", Some(whole));
        object.insert("name".into(), cut(if value.is_empty() { kind } else { &value }).into());
        described(&mut object, node::text(whole, "comment"));
        let category = node::text(whole, "category");
        match pattern {
            Some(pattern) => {
                let from = node::moment(whole, "first_seen").unwrap_or_else(|| self.time(Some(whole)));
                object.insert("indicator_types".into(), json!(["malicious-activity"]));
                object.insert("pattern".into(), pattern.text.into());
                object.insert("pattern_type".into(), pattern.language.into());
                object.insert("valid_from".into(), millis(from).into());
                if let Some(category) = category {
                    let phase = category.to_lowercase().replace(' ', "-");
                    let phases = json!([{"kill_chain_name": "misp-category", "phase_name": phase}]);
                    object.insert("kill_chain_phases".into(), phases);
                }
            }
            None => {
                object.insert("attribute_type".into(), kind.into());
                object.insert("value".into(), cut_to(&value, PIECE_BYTES_MAX).into());
                object.extend(category.map(|category| ("category".to_owned(), category.into())));
            }
        }
        refer(&mut object, GALAXY_REFS, &galaxies);
        refer(&mut object, SIGHTING_REFS, &sightings);
        if let Some(of) = of.filter(|_| audience != inherited) {
            object.insert(OBJECT_REF.into(), of.as_str().into());
        }
        self.put(id.clone(), audience, object);
        (id, audience)
    }

    fn object(&mut self, whole: &Node, at: usize) -> (ObjectId, Audience) {
        let audience = Audience::of(whole, self.audience);
        let mut rest = whole.clone();
        let uuid = self.uuid_of(whole, self.event, "object", at);
        let id = self.named(custom::OBJECT, uuid);
        self.by_uuid.entry(uuid).or_insert_with(|| id.clone());
        let mut attributes = Vec::new();
        for (at, attribute) in taken(&mut rest, "Attribute").into_iter().enumerate() {
            let (attribute, its) = self.attribute(&attribute, at, uuid, audience, Some(&id));
            if its == audience {
                attributes.push(attribute);
            }
        }
        let mut references = Vec::new();
        let whole_list =
            node::list(whole, "ObjectReference").all(|one| node::uuid(one, "referenced_uuid").is_some());
        let taken = if whole_list { taken(&mut rest, "ObjectReference") } else { Vec::new() };
        for (at, reference) in taken.into_iter().enumerate() {
            let own = self.uuid_of(&reference, uuid, "reference", at);
            let own = self.named("relationship", own);
            references.push(own.clone());
            self.pending.push((own, reference, id.clone(), audience));
        }
        let mut object = self.base(&id, Some(rest), "object", Some(whole));
        let name = node::text(whole, "name").unwrap_or("object");
        object.insert("name".into(), cut(name).into());
        described(&mut object, node::text(whole, "comment").or_else(|| node::text(whole, "description")));
        refer(&mut object, ATTRIBUTE_REFS, &attributes);
        refer(&mut object, REFERENCE_REFS, &references);
        self.put(id.clone(), audience, object);
        (id, audience)
    }

    fn relationship(&mut self, id: ObjectId, whole: &Node, source: &ObjectId, audience: Audience) {
        let Some(uuid) = node::uuid(whole, "referenced_uuid") else { return };
        let target = self.by_uuid.get(&uuid).cloned().unwrap_or_else(|| {
            let kind = if node::number(whole, "referenced_type") == Some(1) {
                custom::OBJECT
            } else {
                custom::ATTRIBUTE
            };
            self::id(kind, uuid)
        });
        let said = node::text(whole, "relationship_type").unwrap_or_default().to_lowercase();
        let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let label: String = said.chars().map(plain).take(200).collect();
        let mut object = self.base(&id, Some(whole.clone()), "reference", Some(whole));
        let label = if label.is_empty() { "related-to" } else { &label };
        object.insert("relationship_type".into(), label.into());
        described(&mut object, node::text(whole, "comment"));
        object.insert("source_ref".into(), source.as_str().into());
        object.insert("target_ref".into(), target.as_str().into());
        self.put(id, audience, object);
    }

    fn sightings(
        &mut self,
        all: Vec<Node>,
        of: &ObjectId,
        parent: Uuid,
        audience: Audience,
    ) -> Vec<ObjectId> {
        let mut ids = Vec::new();
        for (at, whole) in all.into_iter().enumerate() {
            let uuid = self.uuid_of(&whole, parent, "sighting", at);
            let id = self.named(sighting_type(&whole), uuid);
            let when = node::seconds(&whole, "date_sighting").unwrap_or(self.modified);
            let object = sighting(&id, &whole, of, self.tlp, when);
            self.put(id.clone(), audience, object);
            ids.push(id);
        }
        ids
    }

    fn galaxies(&mut self, all: Vec<Node>, parent: Uuid, audience: Audience) -> Vec<ObjectId> {
        let mut ids = Vec::new();
        for (at, mut rest) in all.into_iter().enumerate() {
            // The same galaxy hangs on many events, and each event's copy is its own.
            let own = Uuid::new_v5(&parent, format!("galaxy {at} {}", node::shown(&rest, "uuid")).as_bytes());
            let mut clusters = Vec::new();
            for (at, cluster) in taken(&mut rest, "GalaxyCluster").into_iter().enumerate() {
                let name = format!("cluster {at} {}", node::shown(&cluster, "uuid"));
                let id = self.named(custom::CLUSTER, Uuid::new_v5(&own, name.as_bytes()));
                let mut object = self.base(&id, Some(cluster.clone()), "cluster", None);
                object.insert("name".into(), cut(node::text(&cluster, "value").unwrap_or("cluster")).into());
                self.put(id.clone(), audience, object);
                clusters.push(id);
            }
            let id = self.named(custom::GALAXY, own);
            let name = cut(node::text(&rest, "name").unwrap_or("galaxy"));
            let mut object = self.base(&id, Some(rest), "galaxy", None);
            object.insert("name".into(), name.into());
            refer(&mut object, CLUSTER_REFS, &clusters);
            self.put(id.clone(), audience, object);
            ids.push(id);
        }
        ids
    }

    fn event_report(&mut self, whole: &Node, at: usize) -> (ObjectId, Audience) {
        let audience = Audience::of(whole, self.audience);
        let id = self.uuid_of(whole, self.event, "report", at);
        let id = self.named("note", id);
        let mut object = self.base(&id, Some(whole.clone()), "report", Some(whole));
        let name = node::text(whole, "name").unwrap_or("report");
        object.insert("abstract".into(), cut(name).into());
        let content = node::text(whole, "content").unwrap_or(name);
        object.insert("content".into(), cut_to(content, PIECE_BYTES_MAX).into());
        object.insert("object_refs".into(), json!([self.report.as_str()]));
        self.put(id.clone(), audience, object);
        (id, audience)
    }

    fn report(&mut self, whole: &Node, rest: Node) {
        let name = cut(node::text(whole, "info").unwrap_or("MISP event without a title"));
        let mut references = std::mem::take(&mut self.references);
        if references.len() > REFERENCES_PER_PART_MAX {
            let mut parts = Vec::new();
            for (at, part) in references.chunks(REFERENCES_PER_PART_MAX).enumerate() {
                let own = Uuid::new_v5(&self.event, format!("part {at}").as_bytes());
                let id = self.named("grouping", own);
                let mut object = self.base(&id, None, "part", Some(whole));
                object.insert("name".into(), format!("{name} (part {})", at + 1).into());
                object.insert("context".into(), "unspecified".into());
                refer(&mut object, "object_refs", part);
                self.put(id.clone(), self.audience, object);
                parts.push(id);
            }
            references = parts;
        }
        let id = self.report.clone();
        let mut object = self.base(&id, Some(rest), "event", Some(whole));
        object.insert("name".into(), name.into());
        object.insert("report_types".into(), json!(["threat-report"]));
        let published = node::seconds(whole, "publish_timestamp").unwrap_or(self.modified);
        object.insert("published".into(), millis(published).into());
        let orgc = whole.get("Orgc").and_then(Value::as_object);
        let made_by = orgc.and_then(|orgc| node::text(orgc, "name")).map(cut);
        let mut origin = json!({"source_name": "misp", "external_id": self.event.to_string()});
        if let (Some(made_by), Some(origin)) = (made_by, origin.as_object_mut()) {
            origin.insert("description".into(), made_by.into());
        }
        object.insert("external_references".into(), json!([origin]));
        refer(&mut object, "object_refs", &references);
        self.put(id, self.audience, object);
    }

    /// What every object of this event has: times, labels and markings of its node.
    fn base(&self, id: &ObjectId, rest: Option<Node>, kind: &str, whole: Option<&Node>) -> Node {
        let modified = self.time(whole);
        let tlp = self.tlp.max(whole.and_then(tlp));
        let mut object = based(id, (self.created.min(modified), modified), tlp, rest, kind);
        let labels: Vec<String> = whole.map(|whole| node::tags(whole).map(cut).collect()).unwrap_or_default();
        if !labels.is_empty() {
            object.insert("labels".into(), labels.into());
        }
        object
    }

    fn time(&self, node: Option<&Node>) -> Timestamp {
        node.and_then(|node| node::seconds(node, "timestamp")).unwrap_or(self.modified)
    }

    fn uuid_of(&self, node: &Node, parent: Uuid, kind: &str, at: usize) -> Uuid {
        node::uuid(node, "uuid").unwrap_or_else(|| Uuid::new_v5(&parent, format!("{kind} {at}").as_bytes()))
    }

    /// An id nothing else of this event has: where a file names two things alike, the second gets another.
    fn named(&mut self, object_type: &str, uuid: Uuid) -> ObjectId {
        let mut at = uuid;
        loop {
            let named = id(object_type, at);
            if named != self.report && self.used.insert(named.clone()) {
                return named;
            }
            at = Uuid::new_v5(&at, b"again");
        }
    }

    fn put(&mut self, id: ObjectId, audience: Audience, object: Node) {
        self.objects.push(MadeObject { id, audience, object });
    }
}

/// The STIX type of a sighting: MISP's false positives and expirations are not what STIX calls one.
pub fn sighting_type(whole: &Node) -> &'static str {
    if matches!(node::number(whole, "type"), None | Some(0)) { "sighting" } else { custom::SIGHTING }
}

/// A sighting of `of` at `when`, as an object with this id. It is dated when it was seen, so that telling it again says
/// the same.
pub fn sighting(id: &ObjectId, whole: &Node, of: &ObjectId, tlp: Option<Tlp>, when: Timestamp) -> Node {
    let mut object = based(id, (when, when), tlp, Some(whole.clone()), "sighting");
    if id.object_type() == "sighting" {
        object.insert("first_seen".into(), millis(when).into());
        object.insert("last_seen".into(), millis(when).into());
        object.insert("count".into(), 1.into());
        object.insert("sighting_of_ref".into(), of.as_str().into());
    } else {
        let name = format!("sighting of type {}", node::shown(whole, "type"));
        object.insert("name".into(), name.into());
        object.insert("attribute_ref".into(), of.as_str().into());
    }
    described(&mut object, node::text(whole, "source"));
    object
}

/// What every object has.
fn based(
    id: &ObjectId,
    (created, modified): (Timestamp, Timestamp),
    tlp: Option<Tlp>,
    rest: Option<Node>,
    kind: &str,
) -> Node {
    let mut object = Map::new();
    object.insert("type".into(), id.object_type().into());
    object.insert("spec_version".into(), "2.1".into());
    object.insert("id".into(), id.as_str().into());
    object.insert("created".into(), millis(created).into());
    object.insert("modified".into(), millis(modified).into());
    object.extend(tlp.map(|tlp| ("object_marking_refs".to_owned(), json!([tlp.marking_id()]))));
    let mut extension = json!({"extension_type": "property-extension", "kind": kind});
    if let (Some(rest), Some(extension)) = (rest, extension.as_object_mut()) {
        extension.insert("node".into(), node::packed(&Value::Object(rest)));
    }
    object.insert("extensions".into(), json!({EXTENSION_ID: extension}));
    object
}

/// The nodes of a list, taken out; a list that holds anything but nodes stays where it is.
fn taken(node: &mut Node, key: &str) -> Vec<Node> {
    let whole = node
        .get(key)
        .and_then(Value::as_array)
        .is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_object));
    if !whole {
        return Vec::new();
    }
    let Some(Value::Array(all)) = node.remove(key) else { return Vec::new() };
    all.into_iter().filter_map(|one| if let Value::Object(one) = one { Some(one) } else { None }).collect()
}

fn described(object: &mut Node, text: Option<&str>) {
    object.extend(text.map(|text| ("description".to_owned(), cut_to(text, PIECE_BYTES_MAX).into())));
}

fn refer(object: &mut Node, key: &str, ids: &[ObjectId]) {
    if !ids.is_empty() {
        object.insert(key.into(), ids.iter().map(ObjectId::as_str).collect());
    }
}

fn cut(text: &str) -> String {
    cut_to(text, NAME_CUT_BYTES).to_owned()
}

fn cut_to(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The strictest TLP tag.
pub(crate) fn tlp(node: &Node) -> Option<Tlp> {
    node::tags(node)
        .filter(|tag| tag.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("tlp:")))
        .filter_map(|tag| tag.parse().ok())
        .max()
}

#[allow(clippy::expect_used, reason = "a type of ours or the standard's and a UUID always make a STIX id")]
fn id(object_type: &str, uuid: Uuid) -> ObjectId {
    ObjectId::of(object_type, uuid).expect("a STIX id")
}
