//! How a hub is set up, and what it refuses to be set up as.

use std::net::SocketAddr;
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
}

impl ConfigError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PublicWithoutTls(_) => "hub.config.public_without_tls",
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
        }
    }

    /// Refuses what would not be safe.
    ///
    /// # Errors
    /// [`ConfigError::PublicWithoutTls`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return Err(ConfigError::PublicWithoutTls(self.listen));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
