//! The house the play takes place in: a hub, members, a sharing group, people with sign-in links, and a sensor in
//! each member's network. Everything goes through the doors users go through: HTTP with a token.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use shieldwall_hub::api::alliance::{NewGroup, NewMember, admit_member, form_group};
use shieldwall_hub::api::tokens::mint;
use shieldwall_hub::api::users::{NewUser, make_user};
use shieldwall_hub::problem::Problem;
use shieldwall_hub::{Config, Hub, Running, StartError};
use shieldwall_ledger::accounts::Offline;
use shieldwall_model::access::Role;
use shieldwall_model::directory::{MemberKind, SightingNames};
use shieldwall_model::id::{Entropy, EntropyError, GroupId, MemberId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Clock;
use shieldwall_sensor::agent::{self, SensorError, Summary};
use shieldwall_sensor::config::{ConfigDraft, ConfigError, HiddenText, InputDraft};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::answers::{Entries, Entry, Taken};
use super::cast::Cast;
use super::ears::Ears;

/// The sharing group of the play.
const GROUP: &str = "Incident sharing";
/// What the hub signs its record as.
const HUB_NAME: &str = "demo.shieldwall.local";
/// What a sensor's observer may lag behind, in events.
const OBSERVED_EVENTS_MAX: usize = 65_536;
/// Least time between two sightings of the same value at a sensor, in seconds: the play is faster than life.
const REPEAT_SECONDS: u64 = 1;
/// How long a token of the demo lasts, in days.
const TOKEN_DAYS: i64 = 7;

/// Why there is no house to play in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HouseError {
    /// The hub does not start.
    #[error(transparent)]
    Hub(Box<StartError>),
    /// The hub refuses what the demo needs.
    #[error("the hub refuses {what}: {source}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Why not.
        source: Problem,
    },
    /// A sensor cannot be set up.
    #[error("the sensor of {member} cannot be set up")]
    Sensor {
        /// Whose.
        member: String,
        /// Why.
        source: ConfigError,
    },
    /// The hub cannot be asked over HTTP.
    #[error("{what}: the hub does not answer as it should: {reason}")]
    Answer {
        /// What was asked.
        what: String,
        /// What came instead.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl HouseError {
    /// The stable code of this error.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Hub(error) => error.code(),
            Self::Refused { source, .. } => source.code,
            Self::Sensor { source, .. } => source.code(),
            Self::Answer { .. } => "demo.house.answer",
            Self::File { .. } => "demo.house.file",
            Self::Entropy(error) => error.code(),
        }
    }
}

fn refused(what: &'static str) -> impl Fn(Problem) -> HouseError {
    move |source| HouseError::Refused { what, source }
}

/// A person's way in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Who, such as `duty officer (Alliance duty office)`.
    pub(crate) who: String,
    /// The one-time link.
    pub(crate) link: String,
}

/// What a member has in its network.
struct Desk {
    telemetry: File,
    telemetry_path: PathBuf,
    state: PathBuf,
    token: String,
    member: MemberId,
}

/// See the module.
pub(crate) struct House {
    running: Running,
    group: GroupId,
    desks: Vec<Desk>,
    officer: String,
    http: reqwest::Client,
    sensors: Vec<(String, JoinHandle<Result<Summary, SensorError>>)>,
    stop: watch::Sender<bool>,
    /// What the sensors say.
    pub(crate) ears: Arc<Ears>,
    /// The ways in.
    pub(crate) doors: Vec<Door>,
}

/// What a house is built with.
pub(crate) struct Ground<'a> {
    /// Where everything is kept.
    pub(crate) data: &'a Path,
    /// Where the hub listens.
    pub(crate) listen: SocketAddr,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness for secrets.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Players whose analysts get a link, beside the duty officer and the operator.
    pub(crate) analysts: [usize; 2],
}

impl House {
    /// Builds the house and starts everything in it.
    ///
    /// # Errors
    /// [`HouseError`], saying what does not work.
    pub(crate) async fn build(cast: &Cast, ground: Ground<'_>) -> Result<Self, HouseError> {
        let mut config = Config::new(ground.data.join("hub"));
        config.listen = ground.listen;
        config.name = HUB_NAME.into();
        let started = Hub::start(config, Arc::clone(&ground.clock), Arc::clone(&ground.entropy)).await;
        let running = started.map_err(|error| HouseError::Hub(Box::new(error)))?;
        let members = admit(&running, cast).await?;
        let group = NewGroup {
            name: GROUP.into(),
            ceiling: Tlp::Amber.as_str().into(),
            names: written(&SightingNames::Shown),
            members: members.iter().map(MemberId::to_string).collect(),
        };
        let group = form_group(running.app(), group).await.map_err(refused("a sharing group"))?.id;
        let doors = doors(&running, cast, &members, &ground).await?;
        let mut desks = Vec::with_capacity(members.len());
        for (player, member) in cast.players.iter().zip(&members) {
            let directory = ground.data.join("members").join(player.label().replace(' ', "-"));
            let telemetry_path = directory.join(format!("{}.log", player.format.mapping()));
            let wrong = |source| HouseError::File { path: telemetry_path.clone(), source };
            std::fs::create_dir_all(&directory).map_err(wrong)?;
            let telemetry = File::options().append(true).create(true).open(&telemetry_path).map_err(wrong)?;
            let token = token(&running, *member, Role::Analyst).await?;
            desks.push(Desk {
                telemetry,
                telemetry_path,
                state: directory.join("sensor"),
                token,
                member: *member,
            });
        }
        let officer = members.last().copied().unwrap_or(MemberId::from_uuid(GroupId::ALLIANCE.uuid()));
        let officer = token(&running, officer, Role::Officer).await?;
        // The hub is on this machine: no proxy stands between.
        let http =
            reqwest::Client::builder().no_proxy().build().map_err(|error| answer("setting up", &error))?;
        let (stop, _) = watch::channel(false);
        let ears = Arc::new(Ears::default());
        let mut house = Self { running, group, desks, officer, http, sensors: Vec::new(), stop, ears, doors };
        for player in 0..cast.players.len() {
            house.start_sensor(cast, player, &ground).await?;
        }
        Ok(house)
    }

    async fn start_sensor(
        &mut self,
        cast: &Cast,
        player: usize,
        ground: &Ground<'_>,
    ) -> Result<(), HouseError> {
        let (Some(desk), Some(role)) = (self.desks.get(player), cast.players.get(player)) else {
            return Ok(());
        };
        let draft = ConfigDraft {
            hub: Some(self.running.url()),
            token: Some(HiddenText(token(&self.running, desk.member, Role::Sensor).await?)),
            state: Some(desk.state.clone()),
            name: Some(format!("{} edge", role.label())),
            inputs: vec![InputDraft {
                path: desk.telemetry_path.clone(),
                format: Some(role.format.mapping().into()),
                ..InputDraft::default()
            }],
            repeat_report_seconds: Some(REPEAT_SECONDS),
            ..ConfigDraft::default()
        };
        let config = draft
            .check(|_| None)
            .map_err(|source| HouseError::Sensor { member: role.name.clone(), source })?;
        let (observer, mut events) = mpsc::channel(OBSERVED_EVENTS_MAX);
        let ears = Arc::clone(&self.ears);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                ears.hear(player, event);
            }
        });
        let mut stop = self.stop.subscribe();
        let stopped = async move {
            // The sender is gone only when the house is, and then the sensor may end as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let (clock, entropy) = (Arc::clone(&ground.clock), Arc::clone(&ground.entropy));
        let running =
            tokio::spawn(async move { agent::run(config, clock, entropy, Some(observer), stopped).await });
        self.sensors.push((role.name.clone(), running));
        Ok(())
    }

    /// The hub's address.
    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    /// The member a player is.
    pub(crate) fn member(&self, player: usize) -> Option<MemberId> {
        self.desks.get(player).map(|desk| desk.member)
    }

    /// Appends whole lines to a player's telemetry.
    ///
    /// # Errors
    /// [`HouseError::File`].
    pub(crate) fn append(&mut self, player: usize, lines: &str) -> Result<(), HouseError> {
        let Some(desk) = self.desks.get_mut(player) else { return Ok(()) };
        let path = &desk.telemetry_path;
        desk.telemetry
            .write_all(lines.as_bytes())
            .map_err(|source| HouseError::File { path: path.clone(), source })
    }

    /// What a player's sensor offers for blocking.
    pub(crate) fn block_list(&self, player: usize) -> Vec<String> {
        let text = self
            .desks
            .get(player)
            .and_then(|desk| std::fs::read_to_string(desk.state.join("blocklist.txt")).ok());
        let text = text.unwrap_or_default();
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }

    /// Shares an envelope as a player's analyst; returns the hub's report.
    ///
    /// # Errors
    /// [`HouseError::Answer`].
    pub(crate) async fn share(&self, player: usize, envelope: &Json) -> Result<Taken, HouseError> {
        let token = self.desks.get(player).map_or("", |desk| desk.token.as_str());
        let request = self
            .http
            .post(format!("{}/api/v1/objects?group={}", self.running.url(), self.group))
            .bearer_auth(token)
            .header("content-type", "application/stix+json;version=2.1")
            .body(envelope.to_string());
        read("sharing intelligence", request).await
    }

    /// Asks the hub as the duty officer.
    ///
    /// # Errors
    /// [`HouseError::Answer`].
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, HouseError> {
        let url = format!("{}/api/v1/{path}", self.running.url());
        read(path, self.http.get(url).bearer_auth(&self.officer).query(query)).await
    }

    /// Entries of one kind in the group's log, newest first, page by page.
    ///
    /// # Errors
    /// [`HouseError::Answer`].
    pub(crate) async fn entries(&self, kind: &str) -> Result<Vec<Entry>, HouseError> {
        const PAGE: usize = 1_000;
        let (group, limit) = (self.group.to_string(), PAGE.to_string());
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let before = entries.last().map(|entry| entry.sequence.to_string());
            let mut query = vec![("group", group.as_str()), ("kind", kind), ("limit", limit.as_str())];
            query.extend(before.as_deref().map(|before| ("before", before)));
            let page = self.ask::<Entries>("ledger/entries", &query).await?.entries;
            let last = page.len() < PAGE;
            entries.extend(page);
            if last {
                return Ok(entries);
            }
        }
    }

    /// Sensors that ended although nobody stopped them, and why.
    pub(crate) async fn fallen(&mut self) -> Vec<String> {
        let mut fallen = Vec::new();
        let mut standing = Vec::new();
        for (name, sensor) in std::mem::take(&mut self.sensors) {
            if !sensor.is_finished() {
                standing.push((name, sensor));
                continue;
            }
            let why = match sensor.await {
                Ok(Ok(_)) => "it ended".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            fallen.push(format!("the sensor of {name} fell: {why}"));
        }
        self.sensors = standing;
        fallen
    }

    /// Stops the sensors, then the hub; says what did not end well.
    pub(crate) async fn close(self) -> Vec<String> {
        let mut troubles = Vec::new();
        self.stop.send_replace(true);
        for (name, sensor) in self.sensors {
            if let Ok(Err(error)) = sensor.await {
                troubles.push(format!("the sensor of {name}: {error}"));
            }
        }
        if let Err(error) = self.running.stop().await {
            troubles.push(format!("the hub: {error}"));
        }
        troubles
    }
}

async fn admit(running: &Running, cast: &Cast) -> Result<Vec<MemberId>, HouseError> {
    let mut members = Vec::with_capacity(cast.players.len());
    for player in &cast.players {
        let new = NewMember {
            name: player.name.clone(),
            kind: written::<MemberKind>(&player.kind),
            country: player.country.clone(),
            sectors: player.sectors.clone(),
        };
        members.push(admit_member(running.app(), new).await.map_err(refused("a member"))?.id);
    }
    Ok(members)
}

/// Makes the people and their links.
async fn doors(
    running: &Running,
    cast: &Cast,
    members: &[MemberId],
    ground: &Ground<'_>,
) -> Result<Vec<Door>, HouseError> {
    let office = cast.office();
    let [one, two] = ground.analysts;
    let people = [
        ("duty officer", "officer", office),
        ("analyst", "analyst", one),
        ("analyst", "analyst", two),
        ("operator", "operator", office),
    ];
    let mut doors = Vec::with_capacity(people.len());
    for (title, role, player) in people {
        let (Some(player), Some(member)) = (cast.players.get(player), members.get(player)) else { continue };
        let mut secret = [0; 24];
        ground.entropy.fill(&mut secret)?;
        // Nobody ever learns it: the link is the way in.
        let password: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{} {title}", player.label()).to_lowercase().replace(' ', "-");
        let user = NewUser { name, member: member.to_string(), role: role.into(), password };
        let user = make_user(running.app(), Offline, user).await.map_err(refused("a user"))?;
        let link = running.sign_in_link(user.id).await.map_err(refused("a sign-in link"))?;
        doors.push(Door { who: format!("{title}, {}", player.name), link });
    }
    Ok(doors)
}

/// Makes a token, as `shieldwall token create` does beside the data.
async fn token(running: &Running, member: MemberId, role: Role) -> Result<String, HouseError> {
    let app = running.app();
    let directory = app.directory();
    let missing = || refused("a token")(Problem::absent());
    let member = directory.member(member).ok_or_else(missing)?;
    let minted =
        mint(member, &directory, role, &format!("demo {role}"), TOKEN_DAYS, app.now(), app.entropy())?;
    let record = minted.record;
    app.accounts(move |accounts| accounts.add_token(&Offline, &record)).await.map_err(refused("a token"))?;
    Ok(minted.text)
}

/// The word a type is written as in JSON.
fn written<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default()
}

fn answer(what: &str, error: &dyn std::fmt::Display) -> HouseError {
    HouseError::Answer { what: what.to_owned(), reason: error.to_string() }
}

async fn read<T: DeserializeOwned>(what: &str, request: reqwest::RequestBuilder) -> Result<T, HouseError> {
    let response = request.send().await.map_err(|error| answer(what, &error))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| answer(what, &error))?;
    if !status.is_success() {
        let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        return Err(answer(what, &format!("{status} {text}")));
    }
    serde_json::from_slice(&body).map_err(|error| answer(what, &error))
}
