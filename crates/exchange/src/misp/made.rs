//! What an event is made into: its objects, and for whom each of them is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shieldwall_model::id::ObjectId;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::import::{ATTRIBUTE_REFS, GALAXY_REFS, REFERENCE_REFS, SIGHTING_REFS};
use super::node::{self, Node};
use crate::indicator::millis;

/// For whom MISP's `distribution` means something (core format, section 2.2.1): never more than it says.
///
/// | distribution | audience |
/// |---|---|
/// | 0, your organisation only | [`Own`](Self::Own): the sender's own log |
/// | 1, this community; 2, connected communities; 3, all | [`Community`](Self::Community): the group the sender names |
/// | 4, sharing group | [`SharingGroup`](Self::SharingGroup): the group of that UUID, and no other |
/// | 5, inherit, or nothing said | as the object or event it hangs on |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// The sender's member alone.
    Own,
    /// The sharing group of this UUID; `None` when the event does not say which.
    SharingGroup(Option<Uuid>),
    /// The group the sender names.
    Community,
}

impl Audience {
    /// What a node says, or else what it hangs on says.
    pub(super) fn of(node: &Node, parent: Self) -> Self {
        let said = match node::number(node, "distribution") {
            Some(0) => Self::Own,
            Some(1..=3) => Self::Community,
            Some(4) => {
                let group = node.get("SharingGroup").and_then(Value::as_object);
                let named = group.and_then(|group| node::uuid(group, "uuid"));
                Self::SharingGroup(named.or_else(|| node::named(&node::shown(node, "sharing_group_id"))))
            }
            _ => parent,
        };
        // What hangs on something for the sender alone is for the sender alone.
        if parent == Self::Own { Self::Own } else { said }
    }
}

/// What an event does not say of itself.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time of nodes that have none.
    pub now: Timestamp,
    /// For whom it is when it does not say.
    pub audience: Audience,
}

/// The objects of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The event.
    pub event: Uuid,
    /// Its report's id.
    pub report: ObjectId,
    /// The objects; what a report, part or MISP object refers to stands before it, the report last.
    pub objects: Vec<MadeObject>,
}

/// One object, and for whom it is.
#[derive(Clone, Debug, PartialEq)]
pub struct MadeObject {
    /// Its id.
    pub id: ObjectId,
    /// For whom.
    pub audience: Audience,
    /// The object.
    pub object: Node,
}

impl MadeObject {
    /// The object as text.
    pub fn to_json(&self) -> String {
        // String keys and no floats beyond JSON: writing does not fail.
        serde_json::to_string(&self.object).unwrap_or_default()
    }

    /// Gives the object the times of a version.
    pub fn set_version(&mut self, created: Timestamp, modified: Timestamp) {
        self.object.insert("created".into(), millis(created).into());
        self.object.insert("modified".into(), millis(modified.max(created)).into());
    }
}

impl Made {
    /// The whole as a STIX bundle.
    pub fn to_bundle(&self) -> Vec<u8> {
        let objects: Vec<&Node> = self.objects.iter().map(|made| &made.object).collect();
        let id = format!("bundle--{}", Uuid::new_v5(&self.event, b"bundle"));
        serde_json::to_vec(&json!({"type": "bundle", "id": id, "objects": objects})).unwrap_or_default()
    }

    /// Takes out the objects that found no place, and every mention of them.
    pub fn without(&mut self, ids: &BTreeSet<ObjectId>) {
        self.objects.retain(|made| !ids.contains(&made.id));
        for made in &mut self.objects {
            for key in ["object_refs", ATTRIBUTE_REFS, REFERENCE_REFS, GALAXY_REFS, SIGHTING_REFS] {
                if let Some(Value::Array(refs)) = made.object.get_mut(key) {
                    refs.retain(|id| {
                        !id.as_str().is_some_and(|id| ids.iter().any(|gone| gone.as_str() == id))
                    });
                }
            }
        }
    }
}
