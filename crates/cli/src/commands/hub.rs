//! `hub`: runs the hub of an alliance until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use shieldwall_fetch::Allowed;
use shieldwall_hub::config::ConfigError;
use shieldwall_hub::{Config, Hub, Mail, StartError, TlsFiles};
use shieldwall_model::realm::Realm;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::console::Console;
use crate::fault::{Fault, Outcome};

/// Exit status after a second signal: 128 and the number of SIGINT, as shells count.
const STOPPED_AT_ONCE: i32 = 130;

/// Run the hub of an alliance.
///
/// The hub keeps all it knows in one directory, made at first start. Then it also prints a one-time link: open it to
/// make the operator's account. SIGTERM or Ctrl-C ends it in order, a second one at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  shieldwall hub --data /var/lib/shieldwall
  shieldwall hub --data /var/lib/shieldwall --listen 0.0.0.0:443 --name wall.example \\
      --tls-cert chain.pem --tls-key key.pem
  shieldwall hub --data /tmp/try --listen 127.0.0.1:0 --json     # prints {\"url\": …, \"first_run\": …}")]
pub(crate) struct HubArgs {
    /// The directory that holds all of the hub's data
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one. Any but this machine's own needs TLS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,
    /// The name under which the hub signs its record, such as wall.example; fixed at first start
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The realm: real, or the name of an exercise
    #[arg(long, value_name = "REALM", default_value = "real")]
    pub(crate) realm: Realm,
    /// The certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A directory of warninglists in MISP's format: indicators that would block what is on them are held back
    #[arg(long, value_name = "DIR")]
    pub(crate) warninglists: Option<PathBuf>,
    /// Where peers and sources may be, beyond public https addresses: a network, an address or a name, :PORT after it if
    /// only one is meant, http:// before it if plain HTTP is; may be given several times
    #[arg(long, value_name = "PLACE")]
    pub(crate) allow_fetch_from: Vec<Allowed>,
    /// A PEM file of certificates to trust beside the system's when fetching from peers and sources
    #[arg(long, value_name = "FILE")]
    pub(crate) fetch_ca: Option<PathBuf>,
    /// The mail server for notices, with user and password in the URL: smtps://USER:PASSWORD@HOST, or
    /// smtp://HOST:587?tls=required; others on this machine can see it: prefer the environment variable
    #[arg(long, value_name = "URL", env = "SHIELDWALL_SMTP", hide_env_values = true, requires = "mail_from")]
    pub(crate) smtp: Option<String>,
    /// The address notices are mailed from
    #[arg(long, value_name = "ADDRESS", requires = "smtp")]
    pub(crate) mail_from: Option<String>,
}

/// What is printed once the hub listens.
#[derive(Debug, Serialize)]
struct Listening<'a> {
    url: String,
    address: SocketAddr,
    first_run: Option<&'a str>,
}

impl HubArgs {
    fn config(self) -> Config {
        let mut config = Config::new(self.data);
        config.listen = self.listen;
        config.realm = self.realm;
        config.warninglists = self.warninglists;
        config.allow_fetch_from = self.allow_fetch_from;
        config.fetch_ca = self.fetch_ca;
        config.mail = self.smtp.zip(self.mail_from).map(|(server, from)| Mail { server, from });
        config.tls =
            self.tls_cert.zip(self.tls_key).map(|(certificates, key)| TlsFiles { certificates, key });
        if let Some(name) = self.name {
            config.name = name;
        }
        config
    }
}

/// Runs the command.
///
/// # Errors
/// What keeps the hub from starting, or what it ended with.
pub(crate) fn run(args: HubArgs, console: &Console) -> Result<Outcome, Fault> {
    let config = args.config();
    console.wait_for(async {
        let mut signals = Signals::new()?;
        let running = Hub::start(config, Arc::clone(&console.clock), Arc::clone(&console.entropy))
            .await
            .map_err(unstarted)?;
        let listening =
            Listening { url: running.url(), address: running.address(), first_run: running.first_run() };
        console.answer(&listening, |Listening { url, first_run, .. }| match first_run {
            Some(link) => format!("{url}\nFirst run: make the operator's account at\n{link}"),
            None => url.clone(),
        })?;
        signals.next().await;
        tracing::info!("closing; a second signal ends it at once");
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(STOPPED_AT_ONCE);
        });
        running.stop().await.map_err(|error| {
            Fault::environment("cli.hub.stop", "the hub did not close in order").because(error)
        })?;
        Ok(Outcome::Done)
    })
}

fn unstarted(error: StartError) -> Fault {
    match &error {
        StartError::Config(ConfigError::PublicWithoutTls(_) | ConfigError::Mail(_))
        | StartError::Tls { .. }
        | StartError::Warninglist { .. } => Fault::wrong(error.code(), &error),
        _ => Fault::failed(error.code(), &error),
    }
}

/// The signals that end a program.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// `cli.signals` when the system refuses.
    pub(crate) fn new() -> Result<Self, Fault> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Fault::environment("cli.signals", "signals cannot be listened for").because(error)
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
