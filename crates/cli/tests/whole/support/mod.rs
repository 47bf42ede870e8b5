//! The testkit: a hub in this process with an alliance in it, and what speaks to it.

pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod sensor;
pub(crate) mod stix;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use shieldwall_hub::api::alliance::{NewGroup, NewMember, admit_member, form_group};
use shieldwall_hub::{Config, Hub, Running};
use shieldwall_model::access::Role;
use shieldwall_model::directory::{Member, SharingGroup};
use shieldwall_model::id::{Entropy, SystemEntropy, UserId};
use shieldwall_model::time::{Clock, SystemClock, Timestamp};
use tempfile::TempDir;
use tokio::sync::Mutex;

pub(crate) use client::{Answer, Client};

/// How long anything is waited for before the test gives up: far more than it takes anywhere.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The alliance of every test: country code, name, sector.
pub(crate) const MEMBERS: [(&str, &str, &str); 5] = [
    ("LU", "Luxembourg", "government"),
    ("EE", "Estonia", "communications"),
    ("ES", "Spain", "telecommunications"),
    ("FR", "France", "healthcare"),
    ("PT", "Portugal", "energy"),
];

/// A password nobody uses twice.
pub(crate) const PASSWORD: &str = "seven-calm-herons-stand";

/// Waits for `future`, and says what was waited for when it does not come.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// A directory that is kept when its test fails.
pub(crate) struct Workplace(Option<TempDir>);

impl Workplace {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self(Some(tempfile::Builder::new().prefix("shieldwall-").tempdir().expect("a temporary directory")))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().expect("it is there until dropped").path()
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Some(directory) = self.0.take().filter(|_| std::thread::panicking()) {
            eprintln!("kept for a look: {}", directory.keep().display());
        }
    }
}

/// A hub in this process, and the alliance it serves.
pub(crate) struct World {
    place: Workplace,
    running: Option<Running>,
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    http: reqwest::Client,
    operator: Option<Client>,
    people: Mutex<BTreeMap<(String, &'static str), UserId>>,
    made: AtomicU64,
    set_up: SetUp,
}

/// What a test changes about how the hub is set up.
pub(crate) type SetUp = Box<dyn Fn(&mut Config) + Send + Sync>;

impl World {
    /// A hub with the [`MEMBERS`], by the system's clock.
    pub(crate) async fn start() -> Self {
        Self::start_by(Arc::new(SystemClock)).await
    }

    /// A hub with the [`MEMBERS`], by this clock.
    pub(crate) async fn start_by(clock: Arc<dyn Clock>) -> Self {
        Self::start_as(clock, Box::new(|_| {})).await
    }

    /// A hub with the [`MEMBERS`], by this clock, set up like this.
    pub(crate) async fn start_as(clock: Arc<dyn Clock>, set_up: SetUp) -> Self {
        Self::start_of(clock, Arc::new(SystemEntropy), set_up).await
    }

    /// A hub with the [`MEMBERS`], by this clock and this source of randomness.
    pub(crate) async fn start_with(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self::start_of(clock, entropy, Box::new(|_| {})).await
    }

    async fn start_of(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, set_up: SetUp) -> Self {
        let mut world = Self {
            place: Workplace::new(),
            running: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock,
            entropy,
            http: client::plain_http(),
            operator: None,
            people: Mutex::default(),
            made: AtomicU64::new(0),
            set_up,
        };
        world.go_on().await;
        for (country, name, sector) in MEMBERS {
            world.admit(name, Some(country), sector).await;
        }
        world.operator = Some(world.token("LU", Role::Operator).await);
        world
    }

    fn config(&self) -> Config {
        // Peers and sources of a test are on this machine.
        let allow_fetch_from = vec!["http://127.0.0.0/8".parse().expect("a network")];
        let mut config = Config { listen: self.address, allow_fetch_from, ..Config::new(self.data()) };
        (self.set_up)(&mut config);
        config
    }

    /// Starts the hub (again), on the address it had.
    pub(crate) async fn go_on(&mut self) {
        assert!(self.running.is_none(), "the hub runs already");
        let running = Hub::start(self.config(), Arc::clone(&self.clock), Arc::clone(&self.entropy)).await;
        let running = running.unwrap_or_else(|error| {
            panic!("{}: {error}: {:?}", error.code(), std::error::Error::source(&error))
        });
        self.address = running.address();
        self.running = Some(running);
    }

    /// Stops the hub; its directory and address stay.
    pub(crate) async fn pause(&mut self) {
        let running = self.running.take().expect("the hub runs");
        within("the hub to close", running.stop()).await.expect("the hub closes in order");
    }

    /// Closes the hub in order, so that nothing writes any more when the directory goes.
    pub(crate) async fn end(mut self) {
        self.pause().await;
    }

    /// The hub.
    pub(crate) fn hub(&self) -> &Running {
        self.running.as_ref().expect("the hub runs")
    }

    /// The hub's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.path().join("hub")
    }

    /// A directory beside the hub's, for a sensor or a file.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The hub's URL, also while it is away.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The time by the hub's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number no other call gets.
    pub(crate) fn number(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Admits a member.
    pub(crate) async fn admit(&self, name: &str, country: Option<&str>, sector: &str) -> Member {
        let new = NewMember {
            name: name.into(),
            kind: "nation".into(),
            country: country.map(str::to_owned),
            sectors: vec![sector.into()],
        };
        admit_member(self.hub().app(), new).await.expect("the member is admitted")
    }

    /// A member by its country.
    pub(crate) fn member(&self, country: &str) -> Member {
        self.hub().app().directory().find_member(country).expect("a member").clone()
    }

    /// Forms a sharing group, its sightings `shown` by name or `hidden`.
    pub(crate) async fn group(
        &self,
        name: &str,
        ceiling: &str,
        names: &str,
        members: &[&str],
    ) -> SharingGroup {
        let new = NewGroup {
            name: name.into(),
            ceiling: ceiling.into(),
            names: names.into(),
            members: members.iter().map(|member| (*member).to_owned()).collect(),
        };
        form_group(self.hub().app(), new).await.expect("the group is formed")
    }

    /// Somebody without credentials.
    pub(crate) fn nobody(&self) -> Client {
        Client::nobody(self.http.clone(), self.url())
    }

    /// A new program of `member`, acting in `role` by an API token.
    pub(crate) async fn token(&self, member: &str, role: Role) -> Client {
        let text = match &self.operator {
            Some(operator) => {
                let new =
                    json!({"label": format!("{member} {role}"), "member": member, "role": role.as_str()});
                let made = operator.post_json("/api/v1/tokens", &new).await.expect(200).json();
                made["token"].as_str().expect("the token's text").to_owned()
            }
            None => client::first_token(self.hub(), &self.data(), &self.member(member), role),
        };
        Client::token(self.http.clone(), self.url(), text)
    }

    /// Who runs the hub.
    pub(crate) fn operator(&self) -> &Client {
        self.operator.as_ref().expect("made at the start")
    }

    /// The account of a person of `member` in `role`, made when there is none.
    pub(crate) async fn person(&self, member: &str, role: Role) -> UserId {
        let mut people = self.people.lock().await;
        if let Some(user) = people.get(&(member.to_owned(), role.as_str())) {
            return *user;
        }
        let new = json!({"name": person_name(member, role), "member": member, "role": role.as_str(), "password": PASSWORD});
        let made = self.operator().post_json("/api/v1/users", &new).await.expect(200).json();
        let user: UserId = made["id"].as_str().expect("an id").parse().expect("a user's id");
        people.insert((member.to_owned(), role.as_str()), user);
        user
    }

    /// A person of `member` in `role`, signed in anew.
    pub(crate) async fn session(&self, member: &str, role: Role) -> Client {
        let link = self.sign_in_link(member, role).await;
        Client::session(self.http.clone(), self.url(), &link).await
    }

    /// A one-time link for a person of `member` in `role`.
    pub(crate) async fn sign_in_link(&self, member: &str, role: Role) -> String {
        let user = self.person(member, role).await;
        self.hub().sign_in_link(user).await.expect("a sign-in link")
    }
}

/// What a person of `member` in `role` signs in as.
pub(crate) fn person_name(member: &str, role: Role) -> String {
    format!("{}-{role}", member.to_lowercase())
}
