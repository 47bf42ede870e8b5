//! The hub's state: what every handler shares, and the few things it does on the hub's own behalf.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use metrics_exporter_prometheus::PrometheusHandle;
use shieldwall_exchange::peer::HubId;
use shieldwall_exchange::warninglist::Warninglists;
use shieldwall_fetch::Fetcher;
use shieldwall_ledger::accounts::{Accounts, AccountsError, SecretHash, Token};
use shieldwall_ledger::settings::{Settings, SettingsError};
use shieldwall_ledger::verify::verify_log;
use shieldwall_ledger::{AppendError, Draft, Ledger, ReadError, Reading, Receipt};
use shieldwall_model::access::{Action, Principal, Reader, Role};
use shieldwall_model::directory::{Directory, Member, SharingGroup};
use shieldwall_model::id::{Entropy, GroupId, MemberId, SensorId};
use shieldwall_model::limits;
use shieldwall_model::realm::Realm;
use shieldwall_model::time::{Clock, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::sensors::Health;
use crate::auth::throttle::Throttle;
use crate::config::Config;
use crate::cursor::Seal;
use crate::feeds::Feeds;
use crate::fold::{GROUP_FORMED, MEMBER_JOINED, Published};
use crate::notify::Board;
use crate::problem::Problem;
use crate::rota::Rota;
use crate::secrets;
use crate::stream::Burst;

/// Most passwords hashed at once: each takes 19 MiB and a core.
const HASHINGS_AT_ONCE_MAX: usize = 2;
/// Most sensors whose health is kept.
const SENSORS_MAX: usize = 10_000;

/// The hub as handlers hold it; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What a hub is made of.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) ledger: Ledger,
    pub(crate) accounts: Accounts,
    pub(crate) settings: Settings,
    pub(crate) directory: Published,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) seal: Seal,
    pub(crate) key: [u8; 32],
    pub(crate) metrics: PrometheusHandle,
    pub(crate) throttle: Throttle,
    pub(crate) hashings: Arc<Semaphore>,
    pub(crate) verifications: Arc<Semaphore>,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) sensors: RwLock<BTreeMap<(MemberId, SensorId), Health>>,
    pub(crate) streams: Mutex<HashMap<Principal, usize>>,
    pub(crate) telemetry: Mutex<HashMap<MemberId, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) burst: Burst,
    pub(crate) board: Board,
    pub(crate) warninglists: Arc<Warninglists>,
    pub(crate) fetcher: Fetcher,
    pub(crate) rota: Rota,
    pub(crate) feeds: Feeds,
    pub(crate) closing: tokio::sync::watch::Receiver<bool>,
}

/// The parts [`App::new`] does not make itself.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) ledger: Ledger,
    pub(crate) accounts: Accounts,
    pub(crate) settings: Settings,
    pub(crate) directory: Published,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) key: [u8; 32],
    pub(crate) metrics: PrometheusHandle,
    pub(crate) warninglists: Warninglists,
    pub(crate) fetcher: Fetcher,
    pub(crate) closing: tokio::sync::watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            config,
            ledger,
            accounts,
            settings,
            directory,
            clock,
            entropy,
            key,
            metrics,
            warninglists,
            fetcher,
            closing,
        } = parts;
        Self(Arc::new(Inner {
            config,
            ledger,
            accounts,
            settings,
            directory,
            clock,
            entropy,
            seal: Seal::new(&key),
            key,
            metrics,
            throttle: Throttle::default(),
            hashings: Arc::new(Semaphore::new(HASHINGS_AT_ONCE_MAX)),
            verifications: Arc::new(Semaphore::new(1)),
            requests: Arc::new(Semaphore::new(limits::REQUESTS_AT_ONCE_MAX)),
            sensors: RwLock::default(),
            streams: Mutex::default(),
            telemetry: Mutex::default(),
            burst: Burst::default(),
            board: Board::default(),
            warninglists: Arc::new(warninglists),
            fetcher,
            rota: Rota::default(),
            feeds: Feeds::default(),
            closing,
        }))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A moment to measure a request's time from.
    #[allow(clippy::unused_self, reason = "measured where requests are")]
    pub fn started(&self) -> Instant {
        Instant::now()
    }

    /// The source of randomness.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }

    /// How the hub is set up.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The realm it serves.
    pub fn realm(&self) -> &Realm {
        &self.0.config.realm
    }

    /// Whether it speaks TLS itself.
    pub fn speaks_tls(&self) -> bool {
        self.0.config.tls.is_some()
    }

    /// Members and sharing groups as of the last commit.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.0.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seals and opens cursors.
    pub fn seal(&self) -> &Seal {
        &self.0.seal
    }

    /// The ledger, for tails and appends.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// What the last sightings raised, shared by the streams that tell it.
    pub fn burst(&self) -> &Burst {
        &self.0.burst
    }

    /// The warninglists that are asked about what comes in.
    pub fn warninglists(&self) -> &Arc<Warninglists> {
        &self.0.warninglists
    }

    /// Asks others: the only way there is.
    pub fn fetcher(&self) -> &Fetcher {
        &self.0.fetcher
    }

    /// The exchange with peers and sources: when which is next.
    pub fn rota(&self) -> &Rota {
        &self.0.rota
    }

    /// As which hub others know this one.
    pub fn hub_id(&self) -> HubId {
        HubId::of_key(&self.0.ledger.identity().verifier_key(GroupId::ALLIANCE).unwrap_or_default())
    }

    /// The feeds made last.
    pub(crate) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    /// Where streams hear of kept searches.
    pub fn board(&self) -> &Board {
        &self.0.board
    }

    /// Who has failed to sign in.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// The metrics in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.0.metrics.render()
    }

    /// Turns true when the hub closes; streams end on it.
    pub fn closing(&self) -> tokio::sync::watch::Receiver<bool> {
        self.0.closing.clone()
    }

    /// What forms of a session must carry: derived, so nothing need be stored.
    pub fn csrf(&self, session: &[u8; 32]) -> String {
        secrets::keyed(&self.0.key, "csrf", session)
    }

    /// What stands for a member in a group that does not name its reporters: the same word in the same group, and
    /// different in every other.
    pub fn pseudonym(&self, group: GroupId, member: MemberId) -> String {
        let text = [group.uuid().into_bytes(), member.uuid().into_bytes()].concat();
        let word = secrets::keyed(&self.0.key, "pseudonym", &text);
        format!("r-{}", word.get(..16).unwrap_or_default())
    }

    /// A place among the requests worked on at once.
    ///
    /// # Errors
    /// 503 when all are taken.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0.requests).try_acquire_owned().map_err(|_| {
            metrics::counter!("shieldwall_requests_shed_total").increment(1);
            Problem::busy("the hub is working on as much as it can; try again in a second")
        })
    }

    /// Reads the store, off the threads that serve requests.
    ///
    /// # Errors
    /// 503 when every read connection is taken, 500 when the store fails.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reading<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        let result = tokio::task::spawn_blocking(move || {
            let reading = app.0.ledger.read()?;
            read(&reading)
        })
        .await
        .map_err(|error| Problem::fault(&error))?;
        result.map_err(|error| match error {
            ReadError::Behind => Problem::busy(error.to_string()),
            ReadError::Busy => {
                Problem::busy("the store is read by as many as it can bear; try again in a second")
            }
            ReadError::Denied(denied) => denied.into(),
            ReadError::TooLong => Problem::refused(
                "ledger.read.too_long",
                "this reads more than a request may; narrow the search",
            ),
            error => Problem::fault(&error),
        })
    }

    /// Asks the accounts, off the threads that serve requests.
    ///
    /// # Errors
    /// 500 when the store fails.
    pub async fn accounts<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Accounts) -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || ask(&app.0.accounts))
            .await
            .map_err(|error| Problem::fault(&error))?
            .map_err(|error| Problem::fault(&error))
    }

    /// A token that was asked for a moment ago: from memory, so on the thread that serves the request.
    ///
    /// # Errors
    /// 500 when the store fails.
    pub fn recent_token(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Token>, Problem> {
        self.0.accounts.recent_token(hash, now).map_err(|error| Problem::fault(&error))
    }

    /// Recomputes a log from what is on disk. One at a time: it reads a lot.
    ///
    /// # Errors
    /// 503 while another is recomputed, 500 when the store fails.
    pub async fn verify(&self, group: GroupId) -> Result<LogVerified, Problem> {
        let place = Arc::clone(&self.0.verifications)
            .try_acquire_owned()
            .map_err(|_| Problem::busy("another log is being recomputed; try again in a few seconds"))?;
        let (dir, realm) = (self.0.config.data.clone(), self.realm().clone());
        let report = tokio::task::spawn_blocking(move || {
            let _place = place;
            verify_log(&dir, &realm, group)
        });
        let report =
            report.await.map_err(|error| Problem::fault(&error))?.map_err(|error| Problem::fault(&error))?;
        let log = report.logs.into_iter().find(|log| log.group == group);
        let (size, root) = log.map_or((0, String::new()), |log| (log.size, log.root));
        let problems =
            report.problems.into_iter().filter(|problem| problem.group.is_none_or(|of| of == group));
        let told = problems.map(|problem| match problem.sequence {
            Some(sequence) => format!("entry {sequence}: {} ({})", problem.what, problem.kind.code()),
            None => format!("{} ({})", problem.what, problem.kind.code()),
        });
        Ok(LogVerified { size, root, problems: told.collect() })
    }

    /// Asks the settings, off the threads that serve requests. Secrets in what comes back are sealed: see
    /// [`Seal::reveal`].
    ///
    /// # Errors
    /// 422 for a setting too large or one too many, 500 when the store fails.
    pub async fn settings<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Settings) -> Result<T, SettingsError> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || ask(&app.0.settings))
            .await
            .map_err(|error| Problem::fault(&error))?
            .map_err(|error| match error {
                SettingsError::TooLarge | SettingsError::TooMany => {
                    Problem::refused(error.code(), error.to_string())
                }
                error => Problem::fault(&error),
            })
    }

    /// Runs password hashing, as many at once as memory allows.
    ///
    /// # Errors
    /// 500 when the task is lost.
    pub async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.0.hashings.acquire().await.map_err(|error| Problem::fault(&error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| Problem::fault(&error))
    }

    /// Appends to the ledger; comes back once it is on disk and folded.
    ///
    /// # Errors
    /// 413 for a body too large, 503 when too much waits, 507 when the disk is full, 500 otherwise.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, Problem> {
        self.0.ledger.append(drafts).await.map_err(|error| append_problem(&error))
    }

    /// The hub acting for itself, as `member`'s reader where a member is concerned.
    fn own_reader(&self, member: MemberId) -> Reader {
        Reader::new(self.realm().clone(), Principal::Hub, member, Role::Operator, &self.directory())
    }

    /// Records that a member joins.
    ///
    /// # Errors
    /// As [`App::append`].
    pub async fn join(&self, member: Member) -> Result<(), Problem> {
        let permit = self.own_reader(member.id).permit(Action::Administer)?;
        let body = serde_json::to_vec(&member).map_err(|error| Problem::fault(&error))?;
        self.append(vec![Draft::on_behalf(&permit, GroupId::ALLIANCE, MEMBER_JOINED, body)]).await?;
        Ok(())
    }

    /// Records that a sharing group is formed.
    ///
    /// # Errors
    /// As [`App::append`].
    pub async fn form(&self, group: &SharingGroup) -> Result<(), Problem> {
        let member = group
            .members
            .first()
            .copied()
            .ok_or_else(|| Problem::refused("group.empty", "a sharing group has at least one member"))?;
        let permit = self.own_reader(member).permit(Action::Administer)?;
        let body = serde_json::to_vec(group).map_err(|error| Problem::fault(&error))?;
        self.append(vec![Draft::on_behalf(&permit, group.id, GROUP_FORMED, body)]).await?;
        Ok(())
    }

    /// Keeps what a sensor says of itself.
    pub fn hear(&self, member: MemberId, sensor: SensorId, health: Health) {
        let mut sensors = self.0.sensors.write().unwrap_or_else(PoisonError::into_inner);
        if sensors.len() < SENSORS_MAX || sensors.contains_key(&(member, sensor)) {
            sensors.insert((member, sensor), health);
        }
    }

    /// The turn of one of a member's reports from telemetry streams: what others of its sensors have reported is looked
    /// up and added to by one at a time.
    pub(crate) fn telemetry_of(&self, member: MemberId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.0.telemetry.lock().unwrap_or_else(PoisonError::into_inner).entry(member).or_default())
    }

    /// The health of all sensors heard since the hub started.
    pub fn sensors(&self) -> Vec<((MemberId, SensorId), Health)> {
        let sensors = self.0.sensors.read().unwrap_or_else(PoisonError::into_inner);
        sensors.iter().map(|(key, health)| (*key, health.clone())).collect()
    }

    /// Opens one of the few streams a principal may hold; the place is given back when dropped.
    ///
    /// # Errors
    /// 429 when all are taken.
    pub fn open_stream(&self, principal: Principal) -> Result<StreamPlace, Problem> {
        let mut streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(principal).or_insert(0);
        if *open >= limits::STREAMS_PER_PRINCIPAL_MAX {
            return Err(Problem {
                retry_after_seconds: Some(5),
                ..Problem::new(
                    axum::http::StatusCode::TOO_MANY_REQUESTS,
                    "stream.too_many",
                    format!("at most {} streams at once; close one", limits::STREAMS_PER_PRINCIPAL_MAX),
                )
            });
        }
        *open += 1;
        metrics::gauge!("shieldwall_streams_open").increment(1.0);
        Ok(StreamPlace { app: self.clone(), principal })
    }
}

/// What came of recomputing a log.
pub struct LogVerified {
    /// Entries.
    pub size: u64,
    /// The root of all of them, base64.
    pub root: String,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// A place among a principal's streams.
pub struct StreamPlace {
    app: App,
    principal: Principal,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut streams = self.app.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.principal) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.principal);
            }
        }
        metrics::gauge!("shieldwall_streams_open").decrement(1.0);
    }
}

fn append_problem(error: &AppendError) -> Problem {
    use axum::http::StatusCode;
    match error {
        AppendError::Busy => Problem::busy("too much is waiting to be written; try again in a second"),
        AppendError::TooLarge { .. } => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "ledger.append.too_large", error.to_string())
        }
        AppendError::Closed => Problem::busy(error.to_string()),
        AppendError::DiskFull => Problem {
            retry_after_seconds: Some(60),
            ..Problem::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "ledger.append.disk_full",
                "the hub's disk is full; nothing was recorded; its operator must make room",
            )
        },
        error => Problem::fault(error),
    }
}
