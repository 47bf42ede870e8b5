//! Values an indicator can name: a kind and the one normal form in which values of that kind are compared.
//!
//! | kind | normal form (bytes) | shown as |
//! |---|---|---|
//! | [`Kind::Ipv4`] | 4 octets; an IPv4-mapped IPv6 address is its IPv4 address | `192.0.2.1` |
//! | [`Kind::Ipv6`] | 16 octets, zone dropped | RFC 5952 text |
//! | [`Kind::Cidr4`], [`Kind::Cidr6`] | network octets with host bits cleared, then the prefix length; a full-length prefix is the address | `192.0.2.0/24` |
//! | [`Kind::IpPort`] | 4 or 16 octets, then the port (big endian) | `192.0.2.1:443`, `[2001:db8::1]:443` |
//! | [`Kind::Domain`] | lower case, IDNA A-labels, no trailing dot | the same |
//! | [`Kind::Url`] | scheme and host lower case, default port and fragment dropped, empty path is `/`; without a scheme it starts with `//` and stands for any scheme | the same |
//! | [`Kind::Email`] | domain as above, local part untouched | the same |
//! | [`Kind::Md5`], [`Kind::Sha1`], [`Kind::Sha256`], [`Kind::Sha512`], [`Kind::Ja3`] | the raw digest | lower-case hex |
//! | [`Kind::Ja4`] | lower case | the same |
//! | [`Kind::FileName`] | ASCII lower case (names are compared as Windows does) | the same |
//! | [`Kind::CryptoAddress`] | as written; `bc1…` lower case | the same |

mod detect;
pub(crate) mod normal;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

pub use detect::{detect, refang};

/// Longest value in bytes, in normal form. Longer ones are refused: nothing in telemetry is that long and meant.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// What sort of observable a value is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Kind {
    /// One IPv4 address.
    Ipv4,
    /// One IPv6 address.
    Ipv6,
    /// An IPv4 network.
    Cidr4,
    /// An IPv6 network.
    Cidr6,
    /// An address together with a port: both must be met in one endpoint.
    IpPort,
    /// A domain name; names below it match as well.
    Domain,
    /// A URL.
    Url,
    /// An e-mail address.
    Email,
    /// MD5 of a file.
    Md5,
    /// SHA-1 of a file.
    Sha1,
    /// SHA-256 of a file.
    Sha256,
    /// SHA-512 of a file.
    Sha512,
    /// JA3 fingerprint of a TLS client (an MD5).
    Ja3,
    /// JA4 fingerprint of a TLS client.
    Ja4,
    /// Name of a file, or its whole path.
    FileName,
    /// Address of a cryptocurrency wallet.
    CryptoAddress,
}

impl Kind {
    /// Every kind, in order of its number.
    pub const ALL: [Self; 16] = [
        Self::Ipv4,
        Self::Ipv6,
        Self::Cidr4,
        Self::Cidr6,
        Self::IpPort,
        Self::Domain,
        Self::Url,
        Self::Email,
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Ja3,
        Self::Ja4,
        Self::FileName,
        Self::CryptoAddress,
    ];

    /// The name used in lists, reports and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4-addr",
            Self::Ipv6 => "ipv6-addr",
            Self::Cidr4 => "ipv4-cidr",
            Self::Cidr6 => "ipv6-cidr",
            Self::IpPort => "ip-port",
            Self::Domain => "domain-name",
            Self::Url => "url",
            Self::Email => "email-addr",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Ja3 => "ja3",
            Self::Ja4 => "ja4",
            Self::FileName => "file-name",
            Self::CryptoAddress => "crypto-address",
        }
    }

    pub(crate) const fn bit(self) -> u32 {
        1 << self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ValueError;

    /// Reads a kind's name, and the names common lists use for it (`ip`, `domain`, `btc`, `ipv4-addr:port`…).
    /// `ip` and `cidr` read as the IPv4 kind; [`Value::new`] settles the family by what is written.
    fn from_str(name: &str) -> Result<Self, ValueError> {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        Ok(match name.as_str() {
            "ipv4-addr" | "ipv4" | "ip" | "ip-addr" | "ip-dst" | "ip-src" => Self::Ipv4,
            "ipv6-addr" | "ipv6" => Self::Ipv6,
            "ipv4-cidr" | "cidr" | "cidr4" | "network" => Self::Cidr4,
            "ipv6-cidr" | "cidr6" => Self::Cidr6,
            "ip-port" | "ipv4-addr:port" | "ipv6-addr:port" | "ip:port" | "ip-dst|port" | "ip-src|port" => {
                Self::IpPort
            }
            "domain-name" | "domain" | "hostname" | "host" | "fqdn" => Self::Domain,
            "url" | "uri" | "link" => Self::Url,
            "email-addr" | "email" | "e-mail" | "email-src" | "email-dst" => Self::Email,
            "md5" => Self::Md5,
            "sha1" | "sha-1" => Self::Sha1,
            "sha256" | "sha-256" => Self::Sha256,
            "sha512" | "sha-512" => Self::Sha512,
            "ja3" | "ja3-fingerprint-md5" => Self::Ja3,
            "ja4" => Self::Ja4,
            "file-name" | "filename" | "file" => Self::FileName,
            "crypto-address" | "btc" | "bitcoin" | "cryptocurrency-wallet" | "xmr" | "eth" => {
                Self::CryptoAddress
            }
            _ => return Err(ValueError::Kind { name }),
        })
    }
}

/// Why a text is not a value.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// The kind's name is unknown.
    #[error(
        "\"{name}\" is not a kind of value; use one of ipv4-addr, ipv6-addr, ipv4-cidr, ipv6-cidr, ip-port, domain-name, url, email-addr, md5, sha1, sha256, sha512, ja3, ja4, file-name, crypto-address"
    )]
    Kind {
        /// The name as given, lower case.
        name: String,
    },
    /// The text is not a value of that kind.
    #[error("\"{text}\" is not a valid {kind}: {why}")]
    Text {
        /// The kind asked for.
        kind: Kind,
        /// The text, cut to 80 characters.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ValueError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kind { .. } => "watch.value.unknown_kind",
            Self::Text { .. } => "watch.value.malformed",
        }
    }
}

/// A value in normal form. Two values are the same observable exactly if they are equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value {
    kind: Kind,
    bytes: Box<[u8]>,
}

impl Value {
    /// Brings `text` (already re-fanged, see [`refang`]) into the normal form of `kind`.
    ///
    /// The four address kinds are read alike: whichever of address or network, IPv4 or IPv6 is written, is taken,
    /// since lists rarely name the family right. What a private or unspecified address means is not judged here.
    ///
    /// # Errors
    /// [`ValueError::Text`] if `text` is not a value of this kind.
    pub fn new(kind: Kind, text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        let mut bytes = Vec::with_capacity(trimmed.len());
        let refuse = |why| ValueError::Text { kind, text: trimmed.chars().take(80).collect(), why };
        if trimmed.len() > VALUE_BYTES_MAX {
            return Err(refuse("it is longer than 8 KiB"));
        }
        let kind = normal::normalise(kind, trimmed.as_bytes(), &mut bytes).map_err(refuse)?;
        Ok(Self { kind, bytes: bytes.into() })
    }

    /// An address as a value (an IPv4-mapped IPv6 address becomes its IPv4 address).
    pub fn from_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self { kind: Kind::Ipv4, bytes: ip.octets().into() },
            IpAddr::V6(ip) => Self { kind: Kind::Ipv6, bytes: ip.octets().into() },
        }
    }

    /// An address and port as a value.
    pub fn from_ip_port(ip: IpAddr, port: u16) -> Self {
        let mut bytes = Self::from_ip(ip).bytes.into_vec();
        bytes.extend_from_slice(&port.to_be_bytes());
        Self { kind: Kind::IpPort, bytes: bytes.into() }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The normal form, as the table in the module's head describes it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A borrowed view.
    pub fn as_ref(&self) -> ValueRef<'_> {
        ValueRef { kind: self.kind, bytes: &self.bytes }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// A value borrowed from wherever it is kept (a watchlist's table, mostly).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ValueRef<'a> {
    /// The kind.
    pub kind: Kind,
    /// The normal form.
    pub bytes: &'a [u8],
}

impl ValueRef<'_> {
    /// An owned copy.
    pub fn to_value(self) -> Value {
        Value { kind: self.kind, bytes: self.bytes.into() }
    }
}

fn ip_of(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(|o| Ipv4Addr::from(o).into()),
        16 => <[u8; 16]>::try_from(octets).ok().map(|o| Ipv6Addr::from(o).into()),
        _ => None,
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Ipv4 | Kind::Ipv6 => match ip_of(self.bytes) {
                Some(ip) => write!(f, "{ip}"),
                None => Ok(()),
            },
            Kind::Cidr4 | Kind::Cidr6 => match self.bytes.split_last() {
                Some((length, net)) => match ip_of(net) {
                    Some(ip) => write!(f, "{ip}/{length}"),
                    None => Ok(()),
                },
                None => Ok(()),
            },
            Kind::IpPort => match self.bytes.split_last_chunk::<2>() {
                Some((octets, port)) => match ip_of(octets) {
                    Some(ip) => write!(f, "{}", std::net::SocketAddr::new(ip, u16::from_be_bytes(*port))),
                    None => Ok(()),
                },
                None => Ok(()),
            },
            Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 | Kind::Ja3 => {
                self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Kind::Domain | Kind::Url | Kind::Email | Kind::Ja4 | Kind::FileName | Kind::CryptoAddress => {
                f.write_str(&String::from_utf8_lossy(self.bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests;
