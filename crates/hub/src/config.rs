//! How a hub is set up, and what it refuses to be set up as.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use shieldwall_fetch::Allowed;
use shieldwall_model::realm::Realm;

/// How a hub is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it keeps its logs, views, accounts and keys.
    pub data: PathBuf,
    /// The address it listens on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Certificate chain and private key, both PEM files; needed for any address but loopback.
    pub tls: Option<TlsFiles>,
    /// The realm it serves.
    pub realm: Realm,
    /// The name under which it signs checkpoints and which its links carry, such as `wall.example`.
    pub name: String,
    /// A directory of warninglists in MISP's format, asked beside the ones shipped with the house: every `list.json`
    /// in a directory below it, and every other `.json` file right in it.
    pub warninglists: Option<PathBuf>,
    /// From where it may fetch beyond public https addresses: peers and sources on this machine or in its network.
    pub allow_fetch_from: Vec<Allowed>,
    /// Certificates to trust beside the system's when it fetches, a PEM file.
    pub fetch_ca: Option<PathBuf>,
    /// How it sends mail; it sends none without.
    pub mail: Option<Mail>,
}

/// How a hub sends mail.
#[derive(Clone)]
pub struct Mail {
    /// The server, with user and password if it asks for them: `smtps://user:password@mail.example`, or
    /// `smtp://mail.example:587?tls=required`. Without TLS only on this machine.
    pub server: String,
    /// The address it sends from.
    pub from: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mail from {}", self.from)
    }
}

/// The files of a TLS identity.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate chain, PEM.
    pub certificates: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// Why a set-up is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A public address without TLS.
    #[error(
        "{0} can be reached by others, and without TLS they could read what is shared: give --tls-cert and --tls-key, \
         or listen on 127.0.0.1 behind a proxy that speaks TLS"
    )]
    PublicWithoutTls(SocketAddr),
    /// Mail that could be read on its way, or an address that is none.
    #[error(
        "mail is not sent like this: {0}; write --smtp smtps://user:password@mail.example, or smtp://…?tls=required, and \
         --mail-from an address"
    )]
    Mail(&'static str),
}

impl ConfigError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PublicWithoutTls(_) => "hub.config.public_without_tls",
            Self::Mail(_) => "hub.config.mail",
        }
    }
}

impl Config {
    /// A hub on loopback, port 8787.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            tls: None,
            realm: Realm::Real,
            name: "shieldwall.local".into(),
            warninglists: None,
            allow_fetch_from: Vec::new(),
            fetch_ca: None,
            mail: None,
        }
    }

    /// Refuses what would not be safe.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PublicWithoutTls(self.listen));
        }
        self.mail.as_ref().map_or(Ok(()), Mail::check)
    }
}

impl Mail {
    fn check(&self) -> Result<(), ConfigError> {
        let url = url::Url::parse(&self.server).map_err(|_| ConfigError::Mail("the server is no URL"))?;
        let here = url.host_str().is_some_and(|host| {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        let required = url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
        match url.scheme() {
            "smtps" => {}
            "smtp" if required || here => {}
            "smtp" => return Err(ConfigError::Mail("without TLS it could be read on its way")),
            _ => return Err(ConfigError::Mail("the server's URL begins with smtps:// or smtp://")),
        }
        if self.from.parse::<lettre::Address>().is_err() {
            return Err(ConfigError::Mail("the address it is sent from is none"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_not_sent_in_the_clear_beyond_this_machine() {
        let mut config = Config::new("/nowhere");
        for (server, from, good) in [
            ("smtps://u:p@mail.example", "wall@wall.example", true),
            ("smtp://mail.example:587?tls=required", "wall@wall.example", true),
            ("smtp://127.0.0.1:2525", "wall@wall.example", true),
            ("smtp://[::1]:2525", "wall@wall.example", true),
            ("smtp://mail.example:587", "wall@wall.example", false),
            ("smtp://mail.example:587?tls=opportunistic", "wall@wall.example", false),
            ("https://mail.example", "wall@wall.example", false),
            ("mail.example", "wall@wall.example", false),
            ("smtps://mail.example", "nobody", false),
        ] {
            config.mail = Some(Mail { server: server.into(), from: from.into() });
            assert_eq!(config.check().is_ok(), good, "{server} {from}");
        }
        assert!(!format!("{config:?}").contains("mail.example"), "what holds a password is not shown");
    }

    #[test]
    fn a_public_address_needs_tls() {
        let mut config = Config::new("/nowhere");
        assert!(config.check().is_ok());
        for public in ["0.0.0.0:8787", "[::]:8787", "192.0.2.1:443"] {
            config.listen = public.parse().unwrap();
            assert_eq!(config.check().unwrap_err().code(), "hub.config.public_without_tls");
        }
        config.tls = Some(TlsFiles { certificates: "c.pem".into(), key: "k.pem".into() });
        assert!(config.check().is_ok());
    }
}
