//! Peers: other hubs and TAXII servers this hub exchanges with, as their operator has set them up, and how far each has
//! got. A peer acts here for a member admitted for it, and is party to nothing else.

pub mod passing;
pub mod run;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shieldwall_exchange::peer::{Direction, Taken, Terms};
use shieldwall_ledger::settings::Owner;
use shieldwall_model::access::{Principal, Reader, Role};
use shieldwall_model::id::{GroupId, MemberId, PeerId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use crate::app::App;
use crate::problem::Problem;
use crate::rota::{Due, Errand};

/// The settings' collection of peers.
pub const PEER: &str = "peer";
/// The settings' collection of how far exchange with a peer has got, a group each.
const STATE: &str = "peer-state";
/// What secrets of peers are sealed for.
pub const SECRET: &str = "peer";

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Another Shieldwall hub; its URL is that of the hub.
    Hub,
    /// A TAXII 2.1 server; its URL is that of an API root.
    Taxii,
}

/// A peer, as set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub id: PeerId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it is; ends with a slash.
    pub url: String,
    /// The user for Basic; without one the secret is a Bearer token.
    pub user: Option<String>,
    /// Token or password, sealed.
    pub secret: Option<String>,
    /// The member it acts for here.
    pub member: MemberId,
    /// For which groups.
    pub links: Vec<Link>,
    /// The strictest marking that leaves.
    pub marking_max: Tlp,
    /// These types alone, unless empty.
    pub types: Vec<String>,
    /// Nothing older, in days.
    pub age_days_max: Option<i64>,
    /// How many hubs an object may have been through.
    pub hops_max: u8,
    /// How often, in seconds.
    pub interval_seconds: i64,
    /// Whether it rests.
    pub paused: bool,
}

/// One group exchanged with a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The group here.
    pub group: GroupId,
    /// What it is there: a group's or a collection's id.
    pub remote: String,
    /// Which way.
    pub direction: Direction,
    /// Whether its AMBER leaves for this peer.
    pub amber: bool,
}

/// Which exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkKey {
    /// The peer.
    pub peer: PeerId,
    /// The group.
    pub group: GroupId,
}

impl LinkKey {
    fn text(self) -> String {
        format!("{}/{}", self.peer.uuid(), self.group.uuid())
    }
}

/// How far the exchange of one group has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The cursor of the next page pulled.
    pub cursor: Option<String>,
    /// Of a TAXII server: everything added until then has been taken.
    pub added_after: Option<Timestamp>,
    /// Up to which entry of the group's log was pushed.
    pub pushed: u64,
    /// What came in, over all runs.
    pub taken: Taken,
    /// Objects sent, over all runs.
    pub sent: u64,
    /// Of these, held there already.
    pub sent_repeated: u64,
    /// Objects the terms kept here, over all runs.
    pub kept_back: u64,
    /// Of these, kept back because of the way they had come.
    pub kept_looped: u64,
    /// Runs so far.
    pub runs: u64,
    /// When the last run that reached its end did.
    pub done: Option<Timestamp>,
    /// Why the last run failed, if it did: code and words.
    pub error: Option<(String, String)>,
    /// Failures on end.
    pub failures: u32,
    /// When the next run is due.
    pub next: Option<Timestamp>,
}

impl Peer {
    /// What is agreed for `link`.
    pub fn terms(&self, link: &Link) -> Terms {
        Terms {
            marking_max: self.marking_max,
            amber: link.amber,
            types: self.types.iter().cloned().collect(),
            age_seconds_max: self.age_days_max.map(|days| days.saturating_mul(24 * 60 * 60)),
            hops_max: self.hops_max,
        }
    }

    /// The peer as a reader here.
    pub fn reader(&self, app: &App) -> Reader {
        let principal = Principal::Peer(self.id);
        Reader::new(app.realm().clone(), principal, self.member, Role::Peer, &app.directory())
    }
}

/// Every peer, by name.
///
/// # Errors
/// As `App::settings`.
pub async fn all(app: &App) -> Result<Vec<Peer>, Problem> {
    let settings = app.settings(|settings| settings.list(PEER, Owner::Hub)).await?;
    let mut peers: Vec<Peer> =
        settings.iter().filter_map(|setting| serde_json::from_slice(&setting.body).ok()).collect();
    peers.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    Ok(peers)
}

/// Keeps a peer.
///
/// # Errors
/// As `App::settings`.
pub async fn keep(app: &App, peer: &Peer) -> Result<(), Problem> {
    let body = serde_json::to_vec(peer).map_err(|error| Problem::fault(&error))?;
    let (key, now) = (peer.id.to_string(), app.now());
    app.settings(move |settings| settings.put(PEER, Owner::Hub, &key, &body, now)).await?;
    app.rota().changed();
    Ok(())
}

/// Forgets a peer and how far it got. True if it was there.
///
/// # Errors
/// As `App::settings`.
pub async fn forget(app: &App, peer: &Peer) -> Result<bool, Problem> {
    let key = peer.id.to_string();
    let states: Vec<String> =
        peer.links.iter().map(|link| LinkKey { peer: peer.id, group: link.group }.text()).collect();
    app.settings(move |settings| {
        for state in &states {
            settings.delete(STATE, Owner::Hub, state)?;
        }
        settings.delete(PEER, Owner::Hub, &key)
    })
    .await
}

/// How far each exchange has got.
///
/// # Errors
/// As `App::settings`.
pub async fn states(app: &App) -> Result<BTreeMap<String, State>, Problem> {
    let settings = app.settings(|settings| settings.list(STATE, Owner::Hub)).await?;
    let read = settings
        .into_iter()
        .filter_map(|setting| Some((setting.key, serde_json::from_slice(&setting.body).ok()?)));
    Ok(read.collect())
}

/// How far one exchange has got, out of [`states`].
pub fn state_of(states: &BTreeMap<String, State>, key: LinkKey) -> State {
    states.get(&key.text()).cloned().unwrap_or_default()
}

async fn state(app: &App, key: LinkKey) -> Result<State, Problem> {
    let text = key.text();
    let found = app.settings(move |settings| settings.get(STATE, Owner::Hub, &text)).await?;
    Ok(found.and_then(|setting| serde_json::from_slice(&setting.body).ok()).unwrap_or_default())
}

async fn keep_state(app: &App, key: LinkKey, state: &State) -> Result<(), Problem> {
    let body = serde_json::to_vec(state).map_err(|error| Problem::fault(&error))?;
    let (text, now) = (key.text(), app.now());
    app.settings(move |settings| {
        // A peer that was removed meanwhile leaves nothing behind.
        if settings.get(PEER, Owner::Hub, &key.peer.to_string())?.is_none() {
            return Ok(());
        }
        settings.put(STATE, Owner::Hub, &text, &body, now)
    })
    .await
}

/// When which exchange is due.
///
/// # Errors
/// As `App::settings`.
pub async fn due(app: &App) -> Result<Vec<Due>, Problem> {
    let (peers, states) = (all(app).await?, states(app).await?);
    let due = peers.iter().flat_map(|peer| {
        peer.links.iter().map(|link| {
            let key = LinkKey { peer: peer.id, group: link.group };
            let next = state_of(&states, key).next.unwrap_or_default();
            Due { errand: Errand::Peer(key), at: (!peer.paused).then_some(next) }
        })
    });
    Ok(due.collect())
}

/// What is agreed with the peers that act for `member` about `group`: the least, should there be several; GREEN and what
/// is more open where nobody has set anything up.
///
/// # Errors
/// As `App::settings`.
pub async fn terms_for(app: &App, member: MemberId, group: GroupId) -> Result<Terms, Problem> {
    let peers = all(app).await?;
    let mut found = peers
        .iter()
        .filter(|peer| peer.member == member)
        .flat_map(|peer| peer.links.iter().filter(|link| link.group == group).map(|link| peer.terms(link)));
    let Some(mut terms) = found.next() else { return Ok(Terms::default()) };
    for other in found {
        terms.marking_max = terms.marking_max.min(other.marking_max);
        terms.amber &= other.amber;
        terms.hops_max = terms.hops_max.min(other.hops_max);
        terms.age_seconds_max = match (terms.age_seconds_max, other.age_seconds_max) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if terms.types.is_empty() {
            terms.types = other.types;
        } else if !other.types.is_empty() {
            terms.types.retain(|one| other.types.contains(one));
            if terms.types.is_empty() {
                // Nothing both agree on: no type is called this.
                terms.types.insert(String::new());
            }
        }
    }
    Ok(terms)
}
