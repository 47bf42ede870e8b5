//! From entries to views: what the hub knows of members, intelligence, sightings and warnings.
//!
//! Deterministic: the same entries give the same views, whenever they are folded. What an entry means is said here
//! and in the crates it calls; the ledger stores what comes out without looking inside.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shieldwall_assess::entries::{
    SIGHTING_REPORTED, SightingReported, TELEMETRY_TAKEN, WARNING_ACKNOWLEDGED, WarningAcknowledged,
};
use shieldwall_assess::rules::CONTEXT_TYPES;
use shieldwall_assess::view::{Context, Subject, Warning};
use shieldwall_exchange::entries::{
    INDICATOR_DISPUTED, OBJECT_HELD, OBJECT_RECALLED, OBJECT_REJECTED, OBJECT_RELEASED, OBJECT_REVOKED,
    OBJECT_SHARED, VERSIONS_RECALLED,
};
use shieldwall_exchange::peer::EXCHANGE_RECEIVED;
use shieldwall_exchange::stix::{self, Object};
use shieldwall_ledger::views::{Edge, Key, ObjectRow, Put};
use shieldwall_ledger::{Entry, Fold, FoldError, Views, Words};
use shieldwall_model::directory::{Directory, Member, SharingGroup};
use shieldwall_model::id::{GroupId, MemberId, ObjectId, WarningId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::Value;

pub use self::indicator::{IndicatorState, Life, WatchedValue};

pub mod held;
pub mod indicator;

mod passage;
mod recall;
pub mod taken;

use crate::correlation;

/// Entry kind: a member joined, or is described anew; the body is a [`Member`]. In the alliance's log.
pub const MEMBER_JOINED: &str = "member.joined";
/// Entry kind: a sharing group was formed, or is described anew; the body is a [`SharingGroup`]. In the group's own log.
pub const GROUP_FORMED: &str = "group.formed";

/// Entry kind: what a TAXII request was answered; the body is a TAXII status. In the sender's own log.
pub const TAXII_ANSWERED: &str = "taxii.answered";

/// The relationship that ties an indicator to a campaign, intrusion set or malware (STIX 2.1 section 4.6).
const INDICATES: &str = "indicates";

/// Raise this when the same entries would fold to other views: they are then rebuilt on opening.
const VERSION: u32 = 3;

/// Collections of documents in the views.
pub mod collection {
    /// Members, in the alliance's group; bodies are `Member`.
    pub const MEMBER: &str = "member";
    /// Sharing groups, each in its own; bodies are `SharingGroup`.
    pub const GROUP: &str = "group";
    /// Indicators as sensors need them; bodies are [`super::IndicatorState`].
    pub const INDICATOR: &str = "indicator";
    /// Those among them that must never be blocked; the same bodies.
    pub const GUARDED: &str = "guarded";
    /// Objects held back; bodies are [`super::held::HeldState`].
    pub const HELD: &str = "held";
    /// Under which key an object of this id was last held back; bodies are texts.
    pub const HELD_AS: &str = "held-as";
    /// What was decided about objects held back; bodies are [`super::held::DecidedState`].
    pub const DECIDED: &str = "decided";
    /// Warnings; bodies are `shieldwall_assess::view::Warning`.
    pub const WARNING: &str = "warning";
    /// Which warnings an indicator has; bodies are lists of warning ids.
    pub const WARNINGS_OF: &str = "warnings-of";
    /// How objects from peers came here, by id and version; bodies are `shieldwall_exchange::peer::Passage`.
    pub const PASSAGE: &str = "passage";
    /// What TAXII requests were answered, in the sender's own group; bodies are TAXII status resources.
    pub const STATUS: &str = "status";
    /// Messages of telemetry streams that were reported, in a member's own group; bodies are sets of sequence numbers.
    pub const TAKEN: &str = "taken";
    /// When an indicator was last sighted; bodies are `{"last": time}`.
    pub const SIGHTED: &str = "sighted";
    /// Events seen by minute (`2026-01-31T09:30`) and by day (`2026-01-31`); bodies are whole numbers.
    pub const SEEN: &str = "seen";
}

/// When an indicator was last sighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sighted {
    last: Timestamp,
}

/// Where the folded directory is published for readers.
pub type Published = Arc<RwLock<Arc<Directory>>>;

/// The hub's fold.
pub struct HubFold {
    directory: Directory,
    changed: bool,
    published: Published,
}

impl HubFold {
    /// A fold that publishes the directory in `published`.
    pub fn new(published: Published) -> Self {
        Self { directory: Directory::default(), changed: false, published }
    }
}

impl Fold for HubFold {
    fn version(&self) -> u32 {
        VERSION
    }

    fn words(&self) -> Words {
        |entry| {
            let body = entry
                .body
                .as_deref()
                .filter(|_| matches!(entry.kind.as_str(), OBJECT_SHARED | OBJECT_RELEASED))?;
            object_of(body).map(|object| object.text)
        }
    }

    fn start(&mut self, views: &mut Views<'_>) -> Result<(), FoldError> {
        self.directory = Directory::default();
        for document in views.all_documents(collection::MEMBER)? {
            if let Some(member) = read::<Member>(&document.body) {
                self.directory.join(member);
            }
        }
        for document in views.all_documents(collection::GROUP)? {
            if let Some(group) = read::<SharingGroup>(&document.body) {
                self.directory.form(group);
            }
        }
        self.changed = true;
        self.committed();
        Ok(())
    }

    fn fold(&mut self, entry: &Entry, views: &mut Views<'_>) -> Result<(), FoldError> {
        // A redacted entry keeps its place in the log and says nothing any more.
        let Some(body) = entry.body.as_deref() else { return Ok(()) };
        match entry.kind.as_str() {
            MEMBER_JOINED => self.member_joined(entry, body, views),
            GROUP_FORMED => self.group_formed(entry, body, views),
            OBJECT_SHARED => share(entry, body, entry.author.member, views),
            OBJECT_HELD => held::held(entry, body, views),
            OBJECT_RELEASED => held::released(entry, body, views),
            OBJECT_REJECTED => held::rejected(entry, body, views),
            INDICATOR_DISPUTED => match read(body) {
                Some(said) => indicator::disputed(entry, entry.author.member, &said, views),
                None => Ok(()),
            },
            OBJECT_RECALLED => recall::object_recalled(entry, body, views),
            OBJECT_REVOKED => recall::object_revoked(entry, body, views),
            VERSIONS_RECALLED => recall::versions_recalled(entry, body, views),
            SIGHTING_REPORTED => sighting_reported(entry, body, views),
            TELEMETRY_TAKEN => taken::taken(entry, body, views),
            WARNING_ACKNOWLEDGED => warning_acknowledged(entry, body, views),
            EXCHANGE_RECEIVED => passage::received(entry, body, views),
            TAXII_ANSWERED => taxii_answered(entry, body, views),
            // A newer hub's kinds are kept in the log and shown there; this version folds nothing from them.
            _ => Ok(()),
        }
    }

    fn committed(&mut self) {
        if std::mem::take(&mut self.changed) {
            let directory = Arc::new(self.directory.clone());
            *self.published.write().unwrap_or_else(PoisonError::into_inner) = directory;
        }
    }
}

impl HubFold {
    fn member_joined(&mut self, entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
        let Some(member) = read::<Member>(body).filter(|_| entry.group == GroupId::ALLIANCE) else {
            return Ok(());
        };
        views.put_document(collection::MEMBER, entry.group, &member.id.to_string(), entry.sequence, body)?;
        self.directory.join(member);
        self.changed = true;
        Ok(())
    }

    fn group_formed(&mut self, entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
        // A group is described in its own log, and nowhere can one log speak of another's audience.
        let Some(group) = read::<SharingGroup>(body).filter(|group| group.id == entry.group) else {
            return Ok(());
        };
        views.put_document(collection::GROUP, entry.group, "group", entry.sequence, body)?;
        self.directory.form(group);
        self.changed = true;
        Ok(())
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

fn write<T: Serialize>(value: &T) -> Vec<u8> {
    // These types always serialise: string keys, no fallible fields.
    serde_json::to_vec(value).unwrap_or_default()
}

/// The object that is an entry's body.
fn object_of(body: &[u8]) -> Option<Object> {
    stix::read_bundle(body).ok()?.accepted.into_iter().next()
}

/// What an entry that shares an object says, read once: by whoever takes it in, away from the one writer, or by the
/// fold of an entry from the log.
pub(crate) struct Said {
    pub(crate) object: Object,
    keys: Vec<Key>,
    /// What an indicator is to be matched by, or why it is not.
    watched: Result<Vec<Value>, String>,
}

impl Said {
    /// Of the object that `body` holds.
    pub(crate) fn of(object: Object, body: &[u8]) -> Self {
        let (keys, watched) = (correlation::keys_of(&object, body), indicator::watched(&object));
        Self { object, keys, watched }
    }
}

/// The same object, wherever it was read; remarks made on its way in are not part of it.
fn same(one: &Object, other: &Object) -> bool {
    let placed = |object: &Object| Object { index: 0, bytes: 0..0, warnings: Vec::new(), ..object.clone() };
    placed(one) == placed(other)
}

/// An object is shared by `owner`, whoever appended the entry that holds it.
fn share(
    entry: &Entry,
    body: &[u8],
    owner: Option<MemberId>,
    views: &mut Views<'_>,
) -> Result<(), FoldError> {
    // Whoever took it in has read it just now, and reads it as it is read here.
    let read;
    let said = match entry.known::<Said>() {
        Some(said) => said,
        None => {
            let Some(object) = object_of(body) else { return Ok(()) };
            read = Said::of(object, body);
            &read
        }
    };
    let object = &said.object;
    debug_assert!(object_of(body).is_some_and(|read| same(&read, object)), "what is known is what is read");
    let (group, id) = (entry.group, object.id.as_str());
    let known = views.latest_object(group, id)?;
    if known.as_ref().is_some_and(|known| known.owner != owner) {
        // Only the owner revises an object. The hub refuses this at the door; two at the same door are settled here.
        return Ok(());
    }
    let put = views.put_object_of(&row(object), owner)?;
    if let Some(put) = put {
        views.put_keys(put, &said.keys)?;
    }
    // What was taken back is known by its last version; whatever comes after is in use alone.
    let newest = known.as_ref().is_none_or(|known| known.withdrawn || known.version < object.version);
    let Some(put) = put.filter(|_| newest) else { return Ok(()) };
    if known.is_some() {
        views.delete_edges(group, id)?;
    }
    put_edges(object, put, views)?;
    indicator::put(entry, said, known.is_some(), views)?;
    indicator::said_of(entry, object, owner, body, views)?;
    if let Some(relationship) =
        object.relationship.as_ref().filter(|relationship| relationship.label == INDICATES)
    {
        let context = context(group, &relationship.target, &object.id, views)?;
        learn(entry, relationship.source.as_str(), context, views)?;
    }
    if CONTEXT_TYPES.contains(&object.object_type()) {
        for edge in
            views.edges(group, id)?.into_iter().filter(|edge| edge.target == id && edge.label == INDICATES)
        {
            let Ok(via) = edge.via.parse() else { continue };
            let context = Some(Context { id: object.id.clone(), name: object.title.clone(), via });
            learn(entry, &edge.source, context, views)?;
        }
    }
    Ok(())
}

/// An object's row of the index.
fn row(object: &Object) -> ObjectRow<'_> {
    ObjectRow {
        id: object.id.as_str(),
        object_type: object.object_type(),
        version: object.version,
        spec_version: object.spec_version.as_str(),
        created_by: object.created_by.as_ref().map(ObjectId::as_str),
        name: Some(&object.title),
        marking: object.tlp,
        revoked: object.revoked,
    }
}

/// Keeps what an object points to: a relationship's two ends, and any object's references but that to a TLP label, which
/// stands in its row and would make neighbours of all the alliance holds.
fn put_edges(object: &Object, put: Put, views: &mut Views<'_>) -> Result<(), FoldError> {
    if let Some(relationship) = &object.relationship {
        let (source, target) = (Some(relationship.source.as_str()), relationship.target.as_str());
        views.put_edge(put, &Edge { source, target, label: &relationship.label })?;
    }
    let mut kept = BTreeSet::new();
    for reference in &object.references {
        let target = reference.id.as_str();
        let told = match &*reference.property {
            "source_ref" | "target_ref" => object.relationship.is_some(),
            "object_marking_refs" => Tlp::from_marking_id(target).is_some(),
            _ => false,
        };
        let label = reference.property.trim_end_matches("_refs").trim_end_matches("_ref");
        if !told && kept.insert((target, label)) {
            views.put_edge(put, &Edge { source: None, target, label })?;
        }
    }
    Ok(())
}

fn sighting_reported(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(seen) = read::<SightingReported>(body) else { return Ok(()) };
    let (group, indicator) = (entry.group, seen.indicator.as_str());
    let time = entry.time.to_string();
    // The minute (`2026-01-31T09:30`) for the chart, the day (`2026-01-31`) for the number.
    // What was found by looking back passed at another time, and is in hours.
    let now = [time.get(..16), time.get(..10)].into_iter().flatten().filter(|_| !seen.retrospective);
    for key in now {
        let so_far: u64 =
            views.document(collection::SEEN, group, key)?.and_then(|body| read(&body)).unwrap_or(0);
        views.put_document(
            collection::SEEN,
            group,
            key,
            entry.sequence,
            &write(&so_far.saturating_add(seen.count)),
        )?;
    }
    put_sighted(entry, &seen, views)?;
    let Some(mut state) = self::indicator::state(group, indicator, views)? else { return Ok(()) };
    self::indicator::sighted(entry, indicator, seen.last_seen, &mut state, views)?;
    let mut ids = warnings_of(group, indicator, views)?;
    // One warning per (indicator, campaign): the first sighting settles which, later ones update it.
    if let Some(mut warning) = ids.first().map(|id| warning(group, *id, views)).transpose()?.flatten() {
        warning.see(&seen, entry.time);
        return put_warning(&warning, entry.sequence, views);
    }
    let mut contexts = Vec::new();
    for edge in views
        .edges(group, indicator)?
        .into_iter()
        .filter(|edge| edge.source == indicator && edge.label == INDICATES)
    {
        let (Ok(target), Ok(via)) = (edge.target.parse(), edge.via.parse()) else { continue };
        contexts.extend(context(group, &target, &via, views)?);
    }
    contexts.sort_by(|a, b| a.id.cmp(&b.id));
    contexts.dedup_by(|a, b| a.id == b.id);
    let value = state.values.iter().map(|value| value.value.as_str()).collect::<Vec<_>>().join(", ");
    let subject = Subject {
        indicator: seen.indicator.clone(),
        name: state.name,
        role: state.role,
        value,
        marking: state.marking,
    };
    let warning = Warning::raise(group, subject, contexts, &seen, entry.time);
    ids.push(warning.id);
    views.put_document(collection::WARNINGS_OF, group, indicator, entry.sequence, &write(&ids))?;
    put_warning(&warning, entry.sequence, views)
}

/// Keeps when an indicator was last sighted, for the search.
fn put_sighted(entry: &Entry, seen: &SightingReported, views: &mut Views<'_>) -> Result<(), FoldError> {
    let (group, indicator) = (entry.group, seen.indicator.as_str());
    let known =
        views.document(collection::SIGHTED, group, indicator)?.and_then(|body| read::<Sighted>(&body));
    if known.is_none_or(|known| known.last < seen.last_seen) {
        let body = write(&Sighted { last: seen.last_seen });
        views.put_document(collection::SIGHTED, group, indicator, entry.sequence, &body)?;
    }
    Ok(())
}

fn warning_acknowledged(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let (Some(said), Some(member)) = (read::<WarningAcknowledged>(body), entry.author.member) else {
        return Ok(());
    };
    let Some(mut warning) = warning(entry.group, said.warning, views)? else { return Ok(()) };
    if warning.acknowledge(member, said.taken, said.note, entry.time) {
        put_warning(&warning, entry.sequence, views)?;
    }
    Ok(())
}

fn taxii_answered(entry: &Entry, body: &[u8], views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(status) = read::<shieldwall_exchange::taxii::Status>(body) else { return Ok(()) };
    Ok(views.put_document(collection::STATUS, entry.group, &status.id, entry.sequence, body)?)
}

/// The campaign, intrusion set or malware `target` is, with its name if this log tells it.
fn context(
    group: GroupId,
    target: &ObjectId,
    via: &ObjectId,
    views: &mut Views<'_>,
) -> Result<Option<Context>, FoldError> {
    if !CONTEXT_TYPES.contains(&target.object_type()) {
        return Ok(None);
    }
    let name = views
        .latest_object(group, target.as_str())?
        .and_then(|known| known.name)
        .unwrap_or_else(|| target.to_string());
    Ok(Some(Context { id: target.clone(), name, via: via.clone() }))
}

fn learn(
    entry: &Entry,
    indicator: &str,
    context: Option<Context>,
    views: &mut Views<'_>,
) -> Result<(), FoldError> {
    let (Some(context), group) = (context, entry.group) else { return Ok(()) };
    for id in warnings_of(group, indicator, views)? {
        let Some(mut warning) = warning(group, id, views)? else { continue };
        let renamed =
            warning.contexts.iter_mut().find(|known| known.id == context.id && known.name != context.name);
        let news = match renamed {
            Some(known) => {
                known.name.clone_from(&context.name);
                true
            }
            None => warning.learn(context.clone(), entry.time),
        };
        if news {
            put_warning(&warning, entry.sequence, views)?;
        }
    }
    Ok(())
}

fn withdraw(entry: &Entry, indicator: &str, views: &mut Views<'_>) -> Result<(), FoldError> {
    for id in warnings_of(entry.group, indicator, views)? {
        let Some(mut warning) = warning(entry.group, id, views)? else { continue };
        warning.withdraw(entry.time);
        put_warning(&warning, entry.sequence, views)?;
    }
    Ok(())
}

fn warnings_of(group: GroupId, indicator: &str, views: &mut Views<'_>) -> Result<Vec<WarningId>, FoldError> {
    Ok(views
        .document(collection::WARNINGS_OF, group, indicator)?
        .and_then(|body| read(&body))
        .unwrap_or_default())
}

fn warning(group: GroupId, id: WarningId, views: &mut Views<'_>) -> Result<Option<Warning>, FoldError> {
    Ok(views.document(collection::WARNING, group, &id.to_string())?.and_then(|body| read(&body)))
}

fn put_warning(warning: &Warning, sequence: u64, views: &mut Views<'_>) -> Result<(), FoldError> {
    Ok(views.put_document(
        collection::WARNING,
        warning.group,
        &warning.id.to_string(),
        sequence,
        &write(warning),
    )?)
}
