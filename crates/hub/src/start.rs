//! Putting a hub together, starting it, and closing it in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use shieldwall_exchange::warninglist::{Warninglist, Warninglists};
use shieldwall_fetch::{FetchError, Fetcher, Policy, SystemResolver};
use shieldwall_ledger::accounts::{Accounts, AccountsError, LinkPurpose, Offline};
use shieldwall_ledger::files::Files;
use shieldwall_ledger::settings::{Settings, SettingsError};
use shieldwall_ledger::{Ledger, LedgerError, Options};
use shieldwall_model::directory::Directory;
use shieldwall_model::id::{Entropy, UserId};
use shieldwall_model::limits;
use shieldwall_model::time::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, Parts};
use crate::config::{Config, ConfigError};
use crate::fold::{HubFold, Published};
use crate::problem::Problem;
use crate::{notify, rota, secrets, serve};

/// How long open requests may take to end when the hub closes.
const CLOSING_SECONDS_MAX: u64 = 10;
/// How often a log that grew gets a signed checkpoint.
const CHECKPOINT_SECONDS: u64 = 5;

/// Why a hub does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The set-up is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The accounts cannot be opened.
    #[error("the accounts in {path} cannot be opened")]
    Accounts {
        /// The data directory.
        path: String,
        /// Why.
        source: AccountsError,
    },
    /// The ledger cannot be opened.
    #[error("the ledger in {path} cannot be opened")]
    Ledger {
        /// The data directory.
        path: String,
        /// Why.
        source: Box<LedgerError>,
    },
    /// The settings cannot be opened.
    #[error("the settings in {path} cannot be opened")]
    Settings {
        /// The data directory.
        path: String,
        /// Why.
        source: SettingsError,
    },
    /// A key file cannot be read or made.
    #[error("the key file {path} cannot be read or made")]
    Key {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on; is another hub running there? choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The certificate or its key cannot be read.
    #[error("the certificate {certificates} and its key {key} cannot be read as PEM")]
    Tls {
        /// The certificate file.
        certificates: String,
        /// The key file.
        key: String,
        /// Why.
        source: io::Error,
    },
    /// The warninglists cannot be read.
    #[error("the warninglist {path} cannot be used: {reason}; mend it, or take it out of the directory")]
    Warninglist {
        /// The file or directory.
        path: String,
        /// Why.
        reason: String,
    },
    /// The certificates to trust when fetching cannot be read.
    #[error("the certificates to trust in {path} cannot be read as PEM")]
    FetchCa {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The first-run link cannot be made.
    #[error("the link for the first run cannot be made: {0}")]
    Link(Problem),
}

impl StartError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::Accounts { .. } => "hub.start.accounts",
            Self::Ledger { .. } => "hub.start.ledger",
            Self::Key { .. } => "hub.start.key",
            Self::Settings { .. } => "hub.start.settings",
            Self::Listen { .. } => "hub.start.listen",
            Self::Tls { .. } => "hub.start.tls",
            Self::Warninglist { .. } => "hub.start.warninglist",
            Self::FetchCa { .. } => "hub.start.fetch_ca",
            Self::Link(_) => "hub.start.link",
        }
    }
}

/// A hub, before it runs.
pub struct Hub;

/// A hub that runs.
pub struct Running {
    address: SocketAddr,
    first_run: Option<String>,
    app: App,
    closing: watch::Sender<bool>,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<io::Result<()>>,
    exchanging: JoinHandle<()>,
}

impl Hub {
    /// Opens what is in `config.data` (or makes it), listens, and serves.
    ///
    /// # Errors
    /// [`StartError`], each saying what to do.
    pub async fn start(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Running, StartError> {
        config.check()?;
        let (sender, receiver) = watch::channel(false);
        let app = open(config.clone(), clock, entropy, receiver)?;
        let listen_error = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(listen_error)?;
        listener.set_nonblocking(true).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let handle = Handle::new();
        let service = serve::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let serving = match &config.tls {
            None => {
                let mut server =
                    axum_server::from_tcp(listener).map_err(listen_error)?.handle(handle.clone());
                bound(server.http_builder());
                tokio::spawn(server.serve(service))
            }
            Some(files) => {
                // One TLS provider for the whole program; a second installation finds the first.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let tls =
                    RustlsConfig::from_pem_file(&files.certificates, &files.key).await.map_err(|source| {
                        StartError::Tls {
                            certificates: files.certificates.display().to_string(),
                            key: files.key.display().to_string(),
                            source,
                        }
                    })?;
                let mut server =
                    axum_server::from_tcp_rustls(listener, tls).map_err(listen_error)?.handle(handle.clone());
                bound(server.http_builder());
                tokio::spawn(server.serve(service))
            }
        };
        let exchanging = tokio::spawn(rota::keep(app.clone()));
        let mut running =
            Running { address, first_run: None, app, closing: sender, handle, serving, exchanging };
        if !running.app.accounts(Accounts::has_users).await.map_err(StartError::Link)? {
            let secret = running.link(LinkPurpose::FirstRun).await.map_err(StartError::Link)?;
            running.first_run = Some(format!("{}/setup/{secret}", running.url()));
        }
        tokio::spawn(notify::run(running.app.clone()));
        tracing::info!(%address, realm = %config.realm, "the hub listens");
        Ok(running)
    }
}

/// Opens the store and puts the state together, without listening.
fn open(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    closing: watch::Receiver<bool>,
) -> Result<App, StartError> {
    let path = config.data.display().to_string();
    let directory: Published = Arc::new(RwLock::new(Arc::new(Directory::default())));
    let options = Options {
        dir: config.data.clone(),
        realm: config.realm.clone(),
        origin: format!("{}/{}", config.name, config.realm),
        checkpoint_every: Duration::from_secs(CHECKPOINT_SECONDS),
    };
    let fold = Box::new(HubFold::new(Arc::clone(&directory)));
    let ledger = Ledger::open(options, Arc::clone(&clock), Arc::clone(&entropy), fold)
        .map_err(|source| StartError::Ledger { path: path.clone(), source: Box::new(source) })?;
    let accounts = Accounts::open(&config.data).map_err(|source| StartError::Accounts { path, source })?;
    let settings = Settings::open(&Files::new(&config.data, config.realm.clone()))
        .map_err(|source| StartError::Settings { path: config.data.display().to_string(), source })?;
    let key_path = config.data.join("cursor.key");
    let key = secrets::key_file(&key_path, &*entropy)
        .map_err(|source| StartError::Key { path: key_path.display().to_string(), source })?;
    let warninglists = warninglists(config.warninglists.as_deref())?;
    let fetcher = fetcher(&config)?;
    Ok(App::new(Parts {
        config,
        ledger,
        accounts,
        settings,
        directory,
        clock,
        entropy,
        key,
        metrics: recorder(),
        warninglists,
        fetcher,
        closing,
    }))
}

/// The lists shipped with the house, and those in `dir`. A list that cannot be read keeps the hub from starting: whoever
/// put it there counts on it.
fn warninglists(dir: Option<&Path>) -> Result<Warninglists, StartError> {
    let mut lists = Warninglists::shipped();
    let Some(dir) = dir else { return Ok(lists) };
    let failed = |path: &Path, reason: &dyn std::fmt::Display| StartError::Warninglist {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    let entries = std::fs::read_dir(dir).map_err(|error| failed(dir, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let inside = path.join("list.json");
            if inside.is_file() {
                return Some(inside);
            }
            Some(path).filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        })
        .collect();
    files.sort();
    for path in files {
        let bytes = std::fs::read(&path).map_err(|error| failed(&path, &error))?;
        let list = Warninglist::read(&bytes).map_err(|error| failed(&path, &error))?;
        if let Some(first) = list.unread.first() {
            tracing::warn!(list = list.name, first, "entries of a warninglist could not be read");
        }
        lists.add(list);
    }
    tracing::info!(lists = lists.iter().count(), "warninglists");
    Ok(lists)
}

/// What asks others, as far as the set-up allows.
fn fetcher(config: &Config) -> Result<Fetcher, StartError> {
    let (policy, resolver) = (Policy::new(config.allow_fetch_from.clone()), Arc::new(SystemResolver));
    let Some(path) = &config.fetch_ca else { return Ok(Fetcher::new(policy, resolver)) };
    let wrong = |source| StartError::FetchCa { path: path.display().to_string(), source };
    let pem = std::fs::read(path).map_err(wrong)?;
    Fetcher::trusting(policy, resolver, &pem).map_err(|error: FetchError| wrong(io::Error::other(error)))
}

/// Bounds what a connection may cost before a request is known.
fn bound(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits::HEADER_TIMEOUT_SECONDS))
        .max_buf_size(64 * 1024);
    builder.http2().timer(hyper_util::rt::TokioTimer::new()).max_concurrent_streams(100);
}

/// The one metrics recorder of the program.
fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Another recorder in the same program would be the host's choice; then ours stays empty.
            let _ = metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

impl Running {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.app.speaks_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The one-time link of the first run, when nobody has an account yet.
    pub fn first_run(&self) -> Option<&str> {
        self.first_run.as_deref()
    }

    /// The hub's state, for the program that runs it.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// A one-time link that signs `user` in.
    ///
    /// # Errors
    /// 500 without randomness or when the store fails.
    pub async fn sign_in_link(&self, user: UserId) -> Result<String, Problem> {
        let secret = self.link(LinkPurpose::SignIn(user)).await?;
        Ok(format!("{}/sign-in/link/{secret}", self.url()))
    }

    async fn link(&self, purpose: LinkPurpose) -> Result<String, Problem> {
        let secret = secrets::make("", self.app.entropy()).map_err(|error| Problem::fault(&error))?;
        let now = self.app.now();
        let expires = now.plus_seconds(limits::LINK_SECONDS_MAX);
        self.app
            .accounts(move |accounts| accounts.add_link(&Offline, &secret.hash, purpose, now, expires))
            .await?;
        Ok(secret.text)
    }

    /// Ends streams, lets open requests finish, and closes the ledger with a last checkpoint.
    ///
    /// # Errors
    /// What the server ended with.
    pub async fn stop(self) -> io::Result<()> {
        let _ = self.closing.send(true);
        self.handle.graceful_shutdown(Some(Duration::from_secs(CLOSING_SECONDS_MAX)));
        self.exchanging.await.map_err(io::Error::other)?;
        let ended = self.serving.await.map_err(io::Error::other)?;
        let ledger = self.app.ledger().clone();
        tokio::task::spawn_blocking(move || ledger.close())
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)?;
        ended
    }
}
