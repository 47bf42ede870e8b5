//! What the operator allows beyond public addresses, https and port 443.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use crate::address::{Reach, reach};

/// One thing more that is allowed: `10.1.0.0/16`, `192.0.2.7:8443`, `wall.intranet.example`, `http://127.0.0.0/8`.
///
/// A network or an address is allowed as it stands, whatever lies there. A name is allowed on public addresses and in
/// networks of one's own, never on this machine or its link: who answers for a name may change its address. Without a
/// port any port is allowed there; only with `http://` before it also plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    plain: bool,
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Network(IpAddr, u8),
    Name(String),
}

/// Why a text allows nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} names nothing to fetch from: write a network (10.1.0.0/16), an address or a name, with :PORT after it if only \
     one port is meant and http:// before it if plain HTTP is"
)]
pub struct AllowError(String);

impl AllowError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "fetch.allow.form"
    }
}

impl FromStr for Allowed {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || AllowError(text.chars().take(80).collect());
        let text = text.trim();
        let (plain, rest) = match text.strip_prefix("http://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("https://").unwrap_or(text)),
        };
        let network = |text: &str| {
            let (address, length) = text.split_once('/')?;
            let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            let length: u8 = length.parse().ok()?;
            (length <= bits(address)).then_some((address, length))
        };
        if let Some((address, length)) = network(rest) {
            return Ok(Self { plain, place: Place::Network(address, length), port: None });
        }
        if let Ok(address) = rest.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self { plain, place: Place::Network(address, bits(address)), port: None });
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        let place = match Host::parse(host).map_err(|_| wrong())? {
            Host::Ipv4(address) => Place::Network(address.into(), 32),
            Host::Ipv6(address) => Place::Network(address.into(), 128),
            Host::Domain(name) if !name.is_empty() => Place::Name(name),
            Host::Domain(_) => return Err(wrong()),
        };
        Ok(Self { plain, place, port })
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.plain { "http://" } else { "" })?;
        match &self.place {
            Place::Network(address, length) => write!(f, "{address}/{length}")?,
            Place::Name(name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let shift = width.saturating_sub(u32::from(length));
        shift >= width || a >> shift == b >> shift
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

/// What may be fetched from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<Allowed>,
}

impl Policy {
    /// Public addresses by https on port 443, and what `allowed` adds.
    pub const fn new(allowed: Vec<Allowed>) -> Self {
        Self { allowed }
    }

    /// Why `address` may not be connected to for `url`; `None` when it may.
    pub(crate) fn refuses(&self, url: &Url, address: IpAddr) -> Option<&'static str> {
        let (plain, port) = (url.scheme() != "https", url.port_or_known_default());
        let domain = url.domain().map(|name| name.trim_end_matches('.'));
        let mut reason = match reach(address) {
            Reach::Public if plain => Some("plain http"),
            Reach::Public if port != Some(443) => Some("another port than 443"),
            Reach::Public => None,
            Reach::Private => Some("a private network"),
            Reach::Never(reason) => Some(reason),
        };
        for allowed in
            self.allowed.iter().filter(|allowed| allowed.port.is_none_or(|only| Some(only) == port))
        {
            let there = match &allowed.place {
                Place::Network(network, length) => within(address, *network, *length),
                Place::Name(name) => {
                    domain.is_some_and(|domain| domain == name) && !matches!(reach(address), Reach::Never(_))
                }
            };
            if there && (allowed.plain || !plain) {
                reason = None;
            }
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(allowed: &[&str], url: &str, address: &str) -> bool {
        let policy = Policy::new(allowed.iter().map(|text| text.parse().unwrap()).collect());
        policy.refuses(&Url::parse(url).unwrap(), address.parse().unwrap()).is_some()
    }

    #[test]
    fn only_public_https_without_a_list() {
        assert!(!refused(&[], "https://a.example/", "93.184.215.14"));
        assert!(refused(&[], "http://a.example/", "93.184.215.14"));
        assert!(refused(&[], "https://a.example:8443/", "93.184.215.14"));
        assert!(refused(&[], "https://a.example/", "10.0.0.1"));
    }

    #[test]
    fn a_list_allows_what_it_says_and_no_more() {
        let network = ["http://127.0.0.0/8"];
        assert!(!refused(&network, "http://127.0.0.1:9000/", "127.0.0.1"));
        assert!(refused(&network, "http://[::1]:9000/", "::1"));
        assert!(refused(&["127.0.0.0/8"], "http://127.0.0.1/", "127.0.0.1"), "plain HTTP has to be said");
        let name = ["wall.example:8787"];
        assert!(!refused(&name, "https://wall.example:8787/", "10.0.0.1"));
        assert!(!refused(&name, "https://wall.example:8787/", "1.1.1.1"));
        assert!(refused(&name, "https://wall.example:8788/", "1.1.1.1"));
        assert!(refused(&name, "https://wall.example:8787/", "127.0.0.1"), "a name is not this machine");
        assert!(refused(&name, "https://wall.example:8787/", "169.254.169.254"));
        assert!(refused(&name, "https://a.wall.example:8787/", "10.0.0.1"));
        assert!(!refused(&["10.0.0.0/8"], "https://any.example/", "10.9.8.7"));
        assert!(refused(&["10.0.0.0/16"], "https://any.example/", "10.9.8.7"));
    }

    #[test]
    fn texts_read_back() {
        for text in ["10.0.0.0/8", "http://127.0.0.0/8", "wall.example", "wall.example:8787", "fd00::/8"] {
            assert_eq!(text.parse::<Allowed>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:8787".parse::<Allowed>().unwrap().to_string(), "::1/128:8787");
        for bad in ["", "10.0.0.0/33", "a b", "wall.example:port", "http://"] {
            assert_eq!(bad.parse::<Allowed>().unwrap_err().code(), "fetch.allow.form", "{bad}");
        }
    }
}
