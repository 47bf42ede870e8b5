//! Events as a reader sees them, put together from the objects in the reader's groups.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shieldwall_exchange::misp::export::{self, Objects};
use shieldwall_exchange::misp::{self, EVENT_REF, Event, Node, Origin, custom, node};
use shieldwall_ledger::reading::{ObjectQuery, ReadError, Reading, SearchCursor, SearchQuery};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::access::ReadScope;
use shieldwall_model::directory::Directory;
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

/// The types an event is made of at its root.
pub(crate) const ROOTS: [&str; 3] = ["report", "grouping", "indicator"];
/// The types an attribute is kept as.
pub(crate) const ATTRIBUTES: [&str; 2] = ["indicator", custom::ATTRIBUTE];
/// Most objects of one event that are put together.
const OBJECTS_PER_EVENT_MAX: usize = 100_000;
/// How deep an attribute lies: event, part, object.
const DEPTH_MAX: usize = 4;

/// An event, and where its root stands.
pub(crate) struct Found {
    pub(crate) event: Event,
    pub(crate) group: GroupId,
    pub(crate) owner: Option<MemberId>,
    /// Whether it was made from MISP, and so can be changed here.
    pub(crate) is_misp: bool,
    /// The root's id.
    pub(crate) root: String,
    /// Every object it was put together from that its owner may take back, and its group.
    pub(crate) parts: Vec<(GroupId, String)>,
    /// When the root was added.
    pub(crate) added: Timestamp,
}

/// What is read of an event beside what it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    /// Only what it came with: to be changed and written again.
    Own,
    /// Also what was seen since.
    Sightings,
}

/// Reads events for one reader.
pub(crate) struct Store<'a> {
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) scope: &'a ReadScope,
    pub(crate) directory: &'a Directory,
}

impl Store<'_> {
    /// The event of this UUID.
    pub(crate) fn event(&self, uuid: Uuid, with: With) -> Result<Option<Found>, ReadError> {
        for kind in ROOTS {
            if let Some(record) = self.current(&format!("{kind}--{uuid}"))? {
                return self.load(&record, with);
            }
        }
        Ok(None)
    }

    /// The event that the attribute or object of this UUID stands in, and the id it is kept under.
    pub(crate) fn event_of(&self, uuid: Uuid, with: With) -> Result<Option<(Found, String)>, ReadError> {
        for kind in [custom::OBJECT, "indicator", custom::ATTRIBUTE] {
            let id = format!("{kind}--{uuid}");
            let Some(record) = self.current(&id)? else { continue };
            let root = self.root_of(&record)?;
            if let Some(found) = self.load(&root, with)? {
                return Ok(Some((found, id)));
            }
        }
        Ok(None)
    }

    /// The newest version of an object that counts, in the groups of the scope.
    pub(crate) fn current(&self, id: &str) -> Result<Option<ObjectRecord>, ReadError> {
        let mut best: Option<ObjectRecord> = None;
        for group in self.scope.groups() {
            let found = self.reading.latest_object(self.scope, group, id)?;
            let Some(found) = found.map(shieldwall_model::access::Visible::into_inner) else { continue };
            let counts = !found.withdrawn && !found.revoked;
            // Where two groups hold it, the one shared with others is the one meant.
            if counts && best.as_ref().is_none_or(|best| best.version < found.version) {
                best = Some(found);
            }
        }
        Ok(best)
    }

    /// What an object hangs on: the report at the end of the way up, or the object itself.
    pub(crate) fn root_of(&self, record: &ObjectRecord) -> Result<ObjectRecord, ReadError> {
        let mut at = record.clone();
        for _ in 0..DEPTH_MAX {
            let Some(above) = self.above(&at)? else { break };
            at = above;
        }
        Ok(at)
    }

    fn above(&self, record: &ObjectRecord) -> Result<Option<ObjectRecord>, ReadError> {
        let edges = self.reading.edges(self.scope, &record.id, limits::PAGE_ITEMS_MAX)?.into_inner();
        for edge in &edges {
            let up =
                edge.source == record.id && matches!(edge.label.as_str(), "x_misp_event" | "x_misp_object");
            let down = edge.target == record.id
                && (edge.label == "x_misp_attribute"
                    || edge.label == "object"
                        && (edge.source.starts_with("report--") || edge.source.starts_with("grouping--")));
            let id = if up { &edge.target } else { &edge.source };
            if (up || down)
                && let Some(above) = self.current(id)?
            {
                return Ok(Some(above));
            }
        }
        Ok(None)
    }

    /// The event of a root without what is in it; `None` for a part of another.
    pub(crate) fn head(&self, root: &ObjectRecord) -> Result<Option<Found>, ReadError> {
        let (mut objects, mut places) = (Objects::new(), Vec::new());
        self.fetch(root.group, std::slice::from_ref(&root.id), &mut objects, &mut places)?;
        let Some(node) = objects.remove(&root.id) else { return Ok(None) };
        let kind = export::carried(&node).map(|(kind, _)| kind.to_owned());
        if kind.as_deref() == Some("part") {
            return Ok(None);
        }
        let event = misp::to_event(&node, &objects, &self.origin(root));
        Ok(Some(Found {
            event,
            group: root.group,
            owner: root.owner,
            is_misp: kind.as_deref() == Some("event"),
            root: root.id.clone(),
            parts: Vec::new(),
            added: root.added,
        }))
    }

    /// Puts the event of a root together; `None` when the root is part of another event, or no longer readable.
    pub(crate) fn load(&self, root: &ObjectRecord, with: With) -> Result<Option<Found>, ReadError> {
        let (mut objects, mut places) = (Objects::new(), Vec::new());
        self.fetch(root.group, std::slice::from_ref(&root.id), &mut objects, &mut places)?;
        let Some(node) = objects.get(&root.id).cloned() else { return Ok(None) };
        let kind = export::carried(&node).map(|(kind, _)| kind.to_owned());
        if kind.as_deref() == Some("part") {
            return Ok(None);
        }
        self.below(root, &node, &mut objects, &mut places)?;
        if with == With::Sightings {
            self.sightings(&mut objects)?;
        }
        let origin = self.origin(root);
        let event = misp::to_event(&node, &objects, &origin);
        let carried = |id: &String| objects.get(id).is_some_and(|object| export::carried(object).is_some());
        let is_misp = kind.as_deref() == Some("event");
        let parts = places.into_iter().filter(|(_, id)| *id != root.id && is_misp && carried(id)).collect();
        Ok(Some(Found {
            event,
            group: root.group,
            owner: root.owner,
            is_misp,
            root: root.id.clone(),
            parts,
            added: root.added,
        }))
    }

    /// Everything a root refers to, level by level, in its own group; and what says from another group that it belongs.
    fn below(
        &self,
        root: &ObjectRecord,
        node: &Node,
        objects: &mut Objects,
        places: &mut Vec<(GroupId, String)>,
    ) -> Result<(), ReadError> {
        let mut wanted: BTreeMap<GroupId, Vec<String>> = BTreeMap::new();
        wanted.entry(root.group).or_default().extend(export::needs(node).map(str::to_owned));
        let mut hangers = vec![root.id.clone()];
        for _ in 0..DEPTH_MAX + 1 {
            for hanger in std::mem::take(&mut hangers) {
                for edge in
                    self.reading.edges(self.scope, &hanger, limits::ENVELOPE_OBJECTS_MAX)?.into_inner()
                {
                    if edge.target == hanger
                        && matches!(edge.label.as_str(), "x_misp_event" | "x_misp_object")
                    {
                        wanted.entry(edge.group).or_default().push(edge.source);
                    }
                }
            }
            let mut next: BTreeMap<GroupId, Vec<String>> = BTreeMap::new();
            for (group, ids) in wanted {
                let ids: Vec<String> = ids.into_iter().filter(|id| !objects.contains_key(id)).collect();
                if ids.is_empty() || objects.len() + ids.len() > OBJECTS_PER_EVENT_MAX {
                    continue;
                }
                self.fetch(group, &ids, objects, places)?;
                for id in &ids {
                    let Some(object) = objects.get(id) else { continue };
                    next.entry(group).or_default().extend(export::needs(object).map(str::to_owned));
                    if id.starts_with(custom::OBJECT) {
                        hangers.push(id.clone());
                    }
                }
            }
            wanted = next;
            if wanted.is_empty() && hangers.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Reads current versions out of one group.
    fn fetch(
        &self,
        group: GroupId,
        ids: &[String],
        objects: &mut Objects,
        places: &mut Vec<(GroupId, String)>,
    ) -> Result<(), ReadError> {
        for piece in ids.chunks(limits::PAGE_ITEMS_MAX) {
            let query = ObjectQuery { ids: piece.to_vec(), ..ObjectQuery::new(group, piece.len()) };
            for stored in self.reading.objects(self.scope, &query)?.into_inner().rows {
                let read =
                    stored.bytes.as_deref().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
                if let (false, Some(Value::Object(object))) = (stored.record.revoked, read) {
                    places.push((group, stored.record.id.clone()));
                    objects.insert(stored.record.id, object);
                }
            }
        }
        Ok(())
    }

    /// Adds the sightings of every attribute at hand.
    fn sightings(&self, objects: &mut Objects) -> Result<(), ReadError> {
        let of: Vec<String> = objects
            .keys()
            .filter(|id| ATTRIBUTES.iter().any(|kind| id.split("--").next() == Some(*kind)))
            .cloned()
            .collect();
        let mut found: BTreeMap<GroupId, BTreeSet<String>> = BTreeMap::new();
        for id in of {
            for edge in self.reading.edges(self.scope, &id, limits::PAGE_ITEMS_MAX)?.into_inner() {
                let seen = edge.target == id
                    && (edge.source.starts_with("sighting--") || edge.source.starts_with(custom::SIGHTING));
                if seen && !objects.contains_key(&edge.source) {
                    found.entry(edge.group).or_default().insert(edge.source);
                }
            }
        }
        for (group, ids) in found {
            let ids: Vec<String> = ids.into_iter().collect();
            self.fetch(group, &ids, objects, &mut Vec::new())?;
        }
        Ok(())
    }

    /// Whose an event is, in MISP's words.
    pub(crate) fn origin(&self, root: &ObjectRecord) -> Origin {
        let owner = root.owner.and_then(|owner| self.directory.member(owner));
        let group = self.directory.group(root.group);
        let is_home = root.owner.is_some_and(|owner| GroupId::home_of(owner) == root.group);
        let (distribution, sharing_group) = match group {
            Some(_) if is_home => (0, None),
            Some(group) if group.id != GroupId::ALLIANCE => (4, Some((group.id.uuid(), group.name.clone()))),
            _ => (1, None),
        };
        Origin {
            name: owner.map_or_else(|| "unknown".into(), |owner| owner.name.clone()),
            uuid: owner.map(|owner| owner.id.uuid()).unwrap_or_default(),
            distribution,
            sharing_group,
        }
    }

    /// The roots of events, newest first, each handed to `each` until it says that it has enough.
    pub(crate) fn roots(
        &self,
        query: &SearchQuery,
        each: &mut dyn FnMut(&ObjectRecord) -> Result<bool, ReadError>,
    ) -> Result<(), ReadError> {
        let mut seen = BTreeSet::new();
        let mut after: Option<SearchCursor> = None;
        loop {
            let query = SearchQuery { after, limit: limits::PAGE_ITEMS_MAX, ..query.clone() };
            let page = self.reading.search(self.scope, &query)?.into_inner();
            for record in &page.rows {
                if record.revoked || !self.is_root(record)? || !seen.insert(record.id.clone()) {
                    continue;
                }
                if !each(record)? {
                    return Ok(());
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn is_root(&self, record: &ObjectRecord) -> Result<bool, ReadError> {
        match record.object_type.as_str() {
            "report" => Ok(true),
            // A part of an event, or an indicator something refers to, is no event of its own.
            "grouping" | "indicator" => Ok(self.above(record)?.is_none()),
            _ => Ok(false),
        }
    }
}

/// The node with what an event of the reader's own instance carries: ids as numbers, and the member as `Org`.
pub(crate) fn presented(mut found: Found, directory: &Directory) -> Event {
    if let Some(owner) = found.owner.and_then(|owner| directory.member(owner)) {
        let org = serde_json::json!({"name": owner.name, "uuid": owner.id.uuid().to_string(), "local": true});
        found.event.node.insert("Org".into(), org);
    }
    misp::edit::number(&mut found.event);
    found.event.node.remove(EVENT_REF);
    found.event
}

/// The UUID of an attribute or object node; nil when it has none.
pub(crate) fn uuid_of(node: &Node) -> Uuid {
    node::uuid(node, "uuid").unwrap_or_default()
}
