//! Peers, for those who run the hub or watch over it: set up, listed with how far each has got, paused, run, removed.
//!
//! Figures of a group are told to those party to it alone. Secrets go in and never come out.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_exchange::peer::{Direction, HOPS_DEFAULT};
use shieldwall_fetch::Fetcher;
use shieldwall_model::access::{Action, Extent, extent};
use shieldwall_model::directory::Directory;
use shieldwall_model::id::{GroupId, PeerId};
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;
use uuid::Uuid;

use crate::api::alliance::named;
use crate::app::App;
use crate::ask::{Ask, done, json};
use crate::peers::{self, Kind, Link, LinkKey, Peer, SECRET, State, state_of};
use crate::problem::Problem;
use crate::rota::Errand;

/// Shortest and longest interval, in seconds.
const INTERVAL_SECONDS: std::ops::RangeInclusive<i64> = 1..=7 * 24 * 60 * 60;
/// How often unless told otherwise, in seconds.
const INTERVAL_SECONDS_DEFAULT: i64 = 60;
/// Most groups exchanged with one peer.
const LINKS_MAX: usize = 64;
/// Most types a peer may be cut down to.
const TYPES_MAX: usize = 64;

/// A peer to set up.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPeer {
    /// Its name.
    pub name: String,
    /// `hub` for another Shieldwall hub, `taxii` for any TAXII 2.1 server.
    pub kind: Kind,
    /// A hub's URL, or a TAXII API root's.
    pub url: String,
    /// The user for Basic; without one the secret is sent as a Bearer token.
    #[serde(default)]
    pub user: Option<String>,
    /// The token or password. It is sealed, and told nobody.
    #[serde(default)]
    pub secret: Option<String>,
    /// The member the peer acts for here: id, name or country code.
    pub member: String,
    /// Which groups are exchanged.
    pub groups: Vec<NewLink>,
    /// The strictest marking that leaves: CLEAR, GREEN (if not told) or AMBER. RED and AMBER+STRICT never leave.
    #[serde(default)]
    pub marking_max: Option<String>,
    /// These types of objects alone, either way.
    #[serde(default)]
    pub types: Vec<String>,
    /// Nothing older than so many days, either way.
    #[serde(default)]
    pub age_days_max: Option<i64>,
    /// How many hubs an object may have been through.
    #[serde(default)]
    pub hops_max: Option<u8>,
    /// How often, in seconds.
    #[serde(default)]
    pub interval_seconds: Option<i64>,
}

/// A group to exchange.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// The group here.
    pub group: String,
    /// The group's or collection's id there; the same as here if not told.
    #[serde(default)]
    pub remote: Option<String>,
    /// `pull` (if not told), `push` or `both`.
    #[serde(default)]
    pub direction: Option<String>,
    /// Whether AMBER objects of this group leave for this peer.
    #[serde(default)]
    pub amber: bool,
}

/// The peers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Peers {
    /// By name.
    pub peers: Vec<PeerBody>,
}

/// A peer, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PeerBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub url: String,
    /// Whether it is given a token or password.
    pub has_secret: bool,
    /// The member it acts for here.
    pub member: String,
    /// That member's name.
    pub member_name: String,
    /// The strictest marking that leaves.
    pub marking_max: String,
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
    /// Which groups are exchanged.
    pub groups: Vec<LinkBody>,
}

/// A group exchanged with a peer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkBody {
    /// The group here.
    pub group: String,
    /// Its name; told to those party to it.
    pub group_name: Option<String>,
    /// What it is there.
    pub remote: String,
    /// Which way: `pull`, `push`, `both`.
    pub direction: String,
    /// Whether its AMBER leaves.
    pub amber: bool,
    /// How far it has got; told to those party to the group.
    pub progress: Option<Progress>,
}

/// How far an exchange has got, since it was set up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Progress {
    /// Whether it is being worked on, or about to be.
    pub busy: bool,
    /// Runs so far.
    pub runs: u64,
    /// When the last run that reached its end did.
    pub done: Option<String>,
    /// Seconds since then.
    pub lag_seconds: Option<i64>,
    /// When the next run is due.
    pub next: Option<String>,
    /// Why the last run failed, if it did.
    pub error: Option<String>,
    /// The stable code of that.
    pub error_code: Option<String>,
    /// Objects that came in.
    pub received: u64,
    /// Objects that came and were held already.
    pub repeated: u64,
    /// Objects that came and were refused for what they say.
    pub refused: u64,
    /// Objects that came and were held back until a curator has looked at them.
    pub held: u64,
    /// Objects that came or were to go and were stopped by the terms.
    pub stopped: u64,
    /// Of these, because of the way they had come.
    pub looped: u64,
    /// Objects taken back on the peer's word.
    pub recalled: u64,
    /// Objects and recalls the peer took.
    pub sent: u64,
    /// Objects sent that the peer held already.
    pub sent_repeated: u64,
}

/// Whether a peer is to rest.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// True to rest, false to go on.
    pub paused: bool,
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Pull => "pull",
        Direction::Push => "push",
        Direction::Both => "both",
    }
}

fn progress(app: &App, key: LinkKey, state: &State) -> Progress {
    let (taken, now) = (state.taken, app.now());
    Progress {
        busy: app.rota().is_busy(&Errand::Peer(key)),
        runs: state.runs,
        done: state.done.map(|at| at.to_string()),
        lag_seconds: state.done.map(|at| (now.since_micros(at) / 1_000_000).max(0)),
        next: state.next.map(|at| at.to_string()),
        error: state.error.as_ref().map(|(_, words)| words.clone()),
        error_code: state.error.as_ref().map(|(code, _)| code.clone()),
        received: taken.received,
        repeated: taken.repeated,
        refused: taken.refused,
        held: taken.held,
        stopped: taken.stopped + state.kept_back,
        looped: taken.looped + state.kept_looped,
        recalled: taken.recalled,
        sent: state.sent,
        sent_repeated: state.sent_repeated,
    }
}

/// The peers as this reader may see them.
///
/// # Errors
/// As `App::settings`.
pub async fn visible(ask: &Ask) -> Result<Vec<PeerBody>, Problem> {
    let (app, directory) = (&ask.app, ask.app.directory());
    let states = peers::states(app).await?;
    let manages = extent(ask.reader().role(), Action::ManagePeers) != Extent::Never;
    let scope = ask.scope()?;
    let mut bodies = Vec::new();
    for peer in peers::all(app).await? {
        let links: Vec<LinkBody> = peer
            .links
            .iter()
            .filter(|link| manages || scope.covers(link.group))
            .map(|link| {
                let key = LinkKey { peer: peer.id, group: link.group };
                let party = scope.covers(link.group);
                let group = directory.group(link.group).filter(|_| party);
                LinkBody {
                    group: link.group.to_string(),
                    group_name: group.map(|group| group.name.clone()),
                    remote: link.remote.clone(),
                    direction: word(link.direction).into(),
                    amber: link.amber,
                    progress: party.then(|| progress(app, key, &state_of(&states, key))),
                }
            })
            .collect();
        if manages || !links.is_empty() {
            bodies.push(body_of(peer, links, &directory));
        }
    }
    Ok(bodies)
}

fn body_of(peer: Peer, groups: Vec<LinkBody>, directory: &Directory) -> PeerBody {
    PeerBody {
        id: peer.id.to_string(),
        name: peer.name,
        kind: peer.kind,
        url: peer.url,
        has_secret: peer.secret.is_some(),
        member: peer.member.to_string(),
        member_name: directory.member(peer.member).map_or_else(String::new, |member| member.name.clone()),
        marking_max: peer.marking_max.as_str().to_owned(),
        types: peer.types,
        age_days_max: peer.age_days_max,
        hops_max: peer.hops_max,
        interval_seconds: peer.interval_seconds,
        paused: peer.paused,
        groups,
    }
}

/// `GET /api/v1/peers`.
///
/// # Errors
/// As `App::settings`.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Peers { peers: visible(&ask).await? })
}

/// `GET /api/v1/peers/{id}`.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let id = ask.path("id")?.to_owned();
    let found = visible(&ask).await?.into_iter().find(|peer| peer.id == id);
    json(&found.ok_or_else(Problem::absent)?)
}

/// `POST /api/v1/peers`.
///
/// # Errors
/// 422 for a peer that cannot be so.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let new: NewPeer = ask.json().await?;
    let peer = add_peer(&ask, new).await?;
    let found = visible(&ask).await?.into_iter().find(|body| body.id == peer.to_string());
    json(&found.ok_or_else(Problem::absent)?)
}

/// Sets a peer up.
///
/// # Errors
/// As [`add`].
pub async fn add_peer(ask: &Ask, new: NewPeer) -> Result<PeerId, Problem> {
    ask.permit()?;
    let (app, directory) = (&ask.app, ask.app.directory());
    let name = named(&new.name)?;
    if peers::all(app).await?.iter().any(|peer| peer.name == name) {
        return Err(Problem::refused("peer.name.taken", "there is a peer of that name; choose another"));
    }
    let member = directory.find_member(&new.member).ok_or_else(|| {
        let words = format!("{:?} names no single member; admit one for this peer first", new.member);
        Problem::refused("peer.member.unknown", words)
    })?;
    let mut links = Vec::with_capacity(new.groups.len());
    for link in &new.groups {
        let link = link_of(link, new.kind)?;
        let party = directory.group(link.group).is_some_and(|group| group.members.contains(&member.id));
        if !party || links.iter().any(|other: &Link| other.group == link.group) {
            return Err(Problem::refused(
                "peer.group",
                format!("{} is no group, named once, that {} is party to", link.group, member.name),
            ));
        }
        links.push(link);
    }
    let id = PeerId::new(app.now(), app.entropy());
    let mut peer = Peer {
        id,
        name,
        kind: new.kind,
        url: url_of(&new.url)?,
        user: new.user.filter(|user| !user.is_empty()),
        secret: None,
        member: member.id,
        links,
        marking_max: Tlp::Green,
        types: new.types,
        age_days_max: new.age_days_max,
        hops_max: new.hops_max.unwrap_or(HOPS_DEFAULT),
        interval_seconds: new.interval_seconds.unwrap_or(INTERVAL_SECONDS_DEFAULT),
        paused: false,
    };
    if let Some(text) = &new.marking_max {
        peer.marking_max = text
            .parse()
            .map_err(|error| Problem::refused("peer.marking", format!("`marking_max`: {error}")))?;
    }
    checked(&peer)?;
    peer.secret = sealed(app, new.secret.as_deref())?;
    peers::keep(app, &peer).await?;
    Ok(id)
}

/// A secret as it is kept.
fn sealed(app: &App, secret: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(secret) = secret.map(str::trim).filter(|secret| !secret.is_empty()) else { return Ok(None) };
    if secret.len() > 4096 || secret.chars().any(char::is_control) {
        return Err(Problem::refused("peer.secret", "a secret has at most 4096 bytes on one line"));
    }
    Ok(Some(app.seal().hide(SECRET, secret)))
}

fn url_of(text: &str) -> Result<String, Problem> {
    let mut url = Fetcher::read_url(text).map_err(|error| Problem::refused("peer.url", error.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Problem::refused("peer.url", "the address of a peer ends with its path"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url.to_string())
}

fn link_of(new: &NewLink, kind: Kind) -> Result<Link, Problem> {
    let text = new.group.trim();
    let group = text.parse::<GroupId>().ok().or_else(|| Uuid::try_parse(text).ok().map(GroupId::from_uuid));
    let group = match (group, text) {
        (_, "" | "alliance") => GroupId::ALLIANCE,
        (Some(group), _) => group,
        (None, _) => {
            let words = format!("{:?} is no group's id", text.chars().take(80).collect::<String>());
            return Err(Problem::refused("peer.group", words));
        }
    };
    let direction = match new.direction.as_deref().unwrap_or("pull") {
        "pull" => Direction::Pull,
        "push" => Direction::Push,
        "both" => Direction::Both,
        _ => return Err(Problem::refused("peer.direction", "a direction is pull, push or both")),
    };
    let remote = match new.remote.as_deref().map(str::trim).filter(|remote| !remote.is_empty()) {
        Some(remote) => remote.to_owned(),
        None if kind == Kind::Hub => group.to_string(),
        None => group.uuid().to_string(),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if remote.len() > limits::NAME_BYTES_MAX || !remote.chars().all(fits) || remote.starts_with('.') {
        return Err(Problem::refused("peer.remote", "an id there is letters, digits, -, _ and dots"));
    }
    Ok(Link { group, remote, direction, amber: new.amber })
}

fn checked(peer: &Peer) -> Result<(), Problem> {
    let refused = |code, words: String| Err(Problem::refused(code, words));
    if peer.links.is_empty() || peer.links.len() > LINKS_MAX {
        return refused("peer.group", format!("a peer has 1 to {LINKS_MAX} groups"));
    }
    if peer.marking_max > Tlp::Amber {
        return refused(
            "peer.marking",
            "RED and AMBER+STRICT never leave: write CLEAR, GREEN or AMBER".into(),
        );
    }
    if !INTERVAL_SECONDS.contains(&peer.interval_seconds) {
        return refused("peer.interval", "an interval is a second to a week".into());
    }
    if peer.hops_max == 0 || usize::from(peer.hops_max) > shieldwall_exchange::peer::PATH_HUBS_MAX {
        return refused("peer.hops", "an object may go 1 to 32 hubs far".into());
    }
    if peer.age_days_max.is_some_and(|days| !(1..=36_500).contains(&days)) {
        return refused("peer.age", "an age is 1 to 36500 days".into());
    }
    if peer.types.len() > TYPES_MAX || peer.types.iter().any(|one| one.len() > 250) {
        return refused("peer.types", format!("at most {TYPES_MAX} types of objects"));
    }
    if peer.user.as_ref().is_some_and(|user| user.len() > limits::NAME_BYTES_MAX) {
        return refused("peer.user", "a user's name has at most 200 bytes".into());
    }
    Ok(())
}

/// The peer named in the path.
async fn named_peer(ask: &Ask) -> Result<Peer, Problem> {
    ask.permit()?;
    let id: PeerId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    peers::all(&ask.app).await?.into_iter().find(|peer| peer.id == id).ok_or_else(Problem::absent)
}

/// `POST /api/v1/peers/{id}/pause`.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn pause(mut ask: Ask) -> Result<Response, Problem> {
    let pause: Pause = ask.json().await?;
    pause_peer(&ask, pause.paused).await?;
    Ok(done())
}

/// Has the peer named in the path rest, or go on.
///
/// # Errors
/// As [`pause`].
pub async fn pause_peer(ask: &Ask, paused: bool) -> Result<(), Problem> {
    let peer = Peer { paused, ..named_peer(ask).await? };
    peers::keep(&ask.app, &peer).await
}

/// `POST /api/v1/peers/{id}/run`: at once, whenever it would be due.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn run(ask: Ask) -> Result<Response, Problem> {
    run_peer(&ask).await?;
    Ok(done())
}

/// Has the peer named in the path run at once.
///
/// # Errors
/// As [`run`].
pub async fn run_peer(ask: &Ask) -> Result<(), Problem> {
    let peer = named_peer(ask).await?;
    for link in &peer.links {
        ask.app.rota().ask(Errand::Peer(LinkKey { peer: peer.id, group: link.group }));
    }
    Ok(())
}

/// `DELETE /api/v1/peers/{id}`: what came from it stays.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    remove_peer(&ask).await?;
    Ok(done())
}

/// Removes the peer named in the path.
///
/// # Errors
/// As [`remove`].
pub async fn remove_peer(ask: &Ask) -> Result<(), Problem> {
    let peer = named_peer(ask).await?;
    peers::forget(&ask.app, &peer).await?;
    ask.app.rota().changed();
    Ok(())
}
