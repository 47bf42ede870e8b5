//! What may pass between this hub and others: the rules of federation, and what two hubs tell each other.
//!
//! An object's *passage* is the hubs it has been through, first one first, and how strictly it was marked at the last of
//! them. It travels with the object between hubs and is recorded where the object is taken
//! ([`EXCHANGE_RECEIVED`]), so that
//!
//! - nothing goes back to a hub it has been through, and nothing goes further than the hop limit;
//! - a marking never widens: what a group's ceiling said of an unmarked object holds at the next hub too;
//! - RED and AMBER+STRICT never leave ("recipients alone", "the organisation alone": FIRST, TLP 2.0, August 2022), and
//!   AMBER leaves a group only where the operator has named that group for this peer.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use shieldwall_model::id::ObjectId;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

/// Entry kind: objects came from a peer, and by which way; the body is [`Received`]. Stands in the group's log before
/// the objects themselves.
pub const EXCHANGE_RECEIVED: &str = "exchange.received";

/// Most hubs a passage may name; a longer one is nonsense.
pub const PATH_HUBS_MAX: usize = 32;
/// How far an object may go unless told otherwise.
pub const HOPS_DEFAULT: u8 = 4;

/// A hub, as others know it. Nothing is proved by it: it only ends loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubId(Uuid);

impl HubId {
    /// The id of the hub that signs with this verifier key (C2SP signed note); UUIDv5, RFC 9562 section 5.5.
    pub fn of_key(verifier_key: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("shieldwall hub {verifier_key}").as_bytes()))
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hub--{}", self.0)
    }
}

/// Why a text names no hub.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no hub's id of the form hub--<uuid>")]
pub struct HubIdError(String);

impl HubIdError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "exchange.peer.hub_id"
    }
}

impl FromStr for HubId {
    type Err = HubIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid = text.strip_prefix("hub--").filter(|uuid| uuid.len() == 36);
        let uuid = uuid.and_then(|uuid| Uuid::try_parse(uuid).ok());
        uuid.map(Self).ok_or_else(|| HubIdError(text.chars().take(60).collect()))
    }
}

impl Serialize for HubId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HubId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which way intelligence goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the peer to here.
    #[default]
    Pull,
    /// From here to the peer.
    Push,
    /// Either way.
    Both,
}

impl Direction {
    /// Whether the peer is asked for what it has.
    pub const fn pulls(self) -> bool {
        matches!(self, Self::Pull | Self::Both)
    }

    /// Whether the peer is sent what is here.
    pub const fn pushes(self) -> bool {
        matches!(self, Self::Push | Self::Both)
    }
}

/// What is agreed with a peer for one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The strictest marking that leaves; never beyond AMBER.
    pub marking_max: Tlp,
    /// Whether the group was named as one whose AMBER leaves.
    pub amber: bool,
    /// These types of objects alone, either way, unless empty.
    pub types: BTreeSet<String>,
    /// Nothing whose version is older than this, either way.
    pub age_seconds_max: Option<i64>,
    /// How many hubs an object may have been through when it arrives.
    pub hops_max: u8,
}

impl Default for Terms {
    /// GREEN and what is more open, four hubs far.
    fn default() -> Self {
        Self {
            marking_max: Tlp::Green,
            amber: false,
            types: BTreeSet::new(),
            age_seconds_max: None,
            hops_max: HOPS_DEFAULT,
        }
    }
}

/// How an object came to be here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The hubs it has been through, first one first; empty when a peer that is no hub of ours sent it.
    pub path: Vec<HubId>,
    /// How strictly the last of them holds it, if it said so.
    pub marking: Option<Tlp>,
}

/// An object that may be about to pass.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// Its type.
    pub object_type: &'a str,
    /// Its version.
    pub version: Timestamp,
    /// Its own marking.
    pub marking: Option<Tlp>,
    /// How it came here, if a peer sent it.
    pub passage: Option<&'a Passage>,
}

/// Why an object does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stopped {
    /// It is, or must be held to be, too strictly marked to leave.
    Marking,
    /// Not of the types agreed.
    Type,
    /// Too old.
    Age,
    /// It has been there before.
    Loop,
    /// It has gone far enough.
    Hops,
    /// Marked more strictly where it comes from than this group may carry.
    Ceiling,
    /// Its path is nonsense.
    Path,
}

impl Stopped {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Marking => "peer.stopped.marking",
            Self::Type => "peer.stopped.type",
            Self::Age => "peer.stopped.age",
            Self::Loop => "peer.stopped.loop",
            Self::Hops => "peer.stopped.hops",
            Self::Ceiling => "peer.stopped.ceiling",
            Self::Path => "peer.stopped.path",
        }
    }

    /// Whether the way it came is the reason.
    pub const fn is_of_the_way(self) -> bool {
        matches!(self, Self::Loop | Self::Hops | Self::Path)
    }
}

/// How strictly an object in a group of this ceiling has to be held: its own marking, else the ceiling's, and never less
/// than where it came from.
pub fn held_as(passing: &Passing<'_>, ceiling: Tlp) -> Tlp {
    let before = passing.passage.and_then(|passage| passage.marking).unwrap_or(Tlp::Clear);
    passing.marking.unwrap_or(ceiling).max(before)
}

/// Whether an object of a group with this ceiling may leave for the hub `to` (`None` where the peer is no hub of ours),
/// and with which passage it does.
///
/// # Errors
/// Why not.
pub fn leaves(
    passing: &Passing<'_>,
    ceiling: Tlp,
    terms: &Terms,
    here: HubId,
    to: Option<HubId>,
    now: Timestamp,
) -> Result<Passage, Stopped> {
    let marking = held_as(passing, ceiling);
    let most = if terms.amber { Tlp::Amber } else { Tlp::Green };
    if marking > terms.marking_max.min(most) {
        return Err(Stopped::Marking);
    }
    fits(passing, terms, now)?;
    let before = passing.passage.map_or(&[][..], |passage| &passage.path);
    if to.is_some_and(|to| to == here || before.contains(&to)) || before.contains(&here) {
        return Err(Stopped::Loop);
    }
    if before.len() + 1 > usize::from(terms.hops_max).min(PATH_HUBS_MAX) {
        return Err(Stopped::Hops);
    }
    let path = before.iter().copied().chain([here]).collect();
    Ok(Passage { path, marking: Some(marking) })
}

/// Whether an object that comes with this passage may enter a group with this ceiling.
///
/// # Errors
/// Why not.
pub fn enters(
    passing: &Passing<'_>,
    ceiling: Tlp,
    terms: &Terms,
    here: HubId,
    now: Timestamp,
) -> Result<(), Stopped> {
    let path = passing.passage.map_or(&[][..], |passage| &passage.path);
    let different: BTreeSet<&HubId> = path.iter().collect();
    if path.len() > PATH_HUBS_MAX || different.len() < path.len() {
        return Err(Stopped::Path);
    }
    if path.contains(&here) {
        return Err(Stopped::Loop);
    }
    if path.len() > usize::from(terms.hops_max) {
        return Err(Stopped::Hops);
    }
    // In a group that carries less, an unmarked object would count for less than it does where it comes from.
    if held_as(passing, Tlp::Clear) > ceiling {
        return Err(Stopped::Ceiling);
    }
    fits(passing, terms, now)
}

fn fits(passing: &Passing<'_>, terms: &Terms, now: Timestamp) -> Result<(), Stopped> {
    if !terms.types.is_empty() && !terms.types.contains(passing.object_type) {
        return Err(Stopped::Type);
    }
    // What has no version of its own (observables) has no age either.
    let unversioned = passing.version == crate::stix::UNVERSIONED;
    let oldest = terms.age_seconds_max.map(|age| now.plus_seconds(-age));
    if !unversioned && oldest.is_some_and(|oldest| passing.version < oldest) {
        return Err(Stopped::Age);
    }
    Ok(())
}

/// The first wait after a failure, in seconds.
const WAIT_SECONDS_FIRST: u64 = 2;
/// The longest wait after failures, in seconds.
const WAIT_SECONDS_MAX: u64 = 60 * 60;

/// How long to wait after so many failures on end, in milliseconds: doubling from two seconds to an hour, a random half of
/// it left off, so that hubs do not return all at once after an outage.
pub fn wait_milliseconds(failures: u32, random: u8) -> i64 {
    let seconds =
        WAIT_SECONDS_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(WAIT_SECONDS_MAX);
    let whole = seconds * 1_000;
    i64::try_from(whole / 2 + whole * u64::from(random) / 510).unwrap_or(i64::MAX)
}

/// The body of [`EXCHANGE_RECEIVED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// What came, in the order it came.
    pub items: Vec<ReceivedItem>,
}

/// One object that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedItem {
    /// Its id.
    pub id: ObjectId,
    /// Its version.
    pub version: Timestamp,
    /// How it came.
    #[serde(flatten)]
    pub passage: Passage,
}

impl Received {
    /// The body as written to the log.
    pub fn to_body(&self) -> Vec<u8> {
        // Strings alone: writing them does not fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Under which key the passage of a version of an object is kept.
pub fn passage_key(id: &str, version: Timestamp) -> String {
    format!("{id}/{}", version.as_micros())
}

/// What a hub says of itself to one that is allowed to ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Who it is.
    pub hub: HubId,
    /// The realm it serves.
    pub realm: String,
    /// The groups the asking peer's member is party to: id and name.
    pub groups: Vec<(String, String)>,
}

/// Part of a group's record on its way from one hub to another, in the order of the record.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page<'a> {
    /// Which hub it comes from.
    pub hub: HubId,
    /// The realm of that hub; another is refused.
    pub realm: String,
    /// What passes.
    #[serde(borrow)]
    pub items: Vec<Item<'a>>,
    /// Where the next page begins; ask with it whether or not there is more now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether there is more now.
    #[serde(default)]
    pub more: bool,
}

/// One thing that passes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Item<'a> {
    /// How it came.
    #[serde(flatten)]
    pub passage: Passage,
    /// An object, byte for byte as its owner shared it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub object: Option<&'a RawValue>,
    /// Or the word that one was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalled: Option<Recall>,
}

/// An object was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Which.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// What became of a page that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Objects recorded.
    pub received: u64,
    /// Objects held already.
    pub repeated: u64,
    /// Objects refused for what they say.
    pub refused: u64,
    /// Objects held back until a curator has looked at them.
    #[serde(default)]
    pub held: u64,
    /// Objects stopped by the terms.
    pub stopped: u64,
    /// Of these, objects stopped because of the way they came.
    pub looped: u64,
    /// Objects taken back.
    pub recalled: u64,
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, more: Self) {
        self.received += more.received;
        self.repeated += more.repeated;
        self.refused += more.refused;
        self.held += more.held;
        self.stopped += more.stopped;
        self.looped += more.looped;
        self.recalled += more.recalled;
    }
}

#[cfg(test)]
mod tests;
