//! Attributes as STIX patterns, and what a pattern says as attributes.
//!
//! An attribute of a type that is not here, or whose value is not of its type, has no pattern and stays an
//! `x-misp-attribute`. Of the types with two halves, a name beside a digest is left to the digest, which says more; a
//! name and an address are either; a host and its port are both.

use shieldwall_model::limits::PATTERN_BYTES_MAX;
use shieldwall_watch::value::{Kind, Value};

use crate::indicator::{literal, pattern};

/// A pattern and its language (STIX 2.1 section 10.20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The pattern.
    pub text: String,
    /// `stix`, `yara`, `sigma`, `snort` or `suricata`.
    pub language: &'static str,
}

/// The pattern of an attribute of type `kind`.
pub fn of(kind: &str, value: &str) -> Option<Pattern> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    let language = match kind {
        "yara" => "yara",
        "sigma" => "sigma",
        "snort" => "snort",
        "suricata" => "suricata",
        _ => "stix",
    };
    if language != "stix" {
        return Some(Pattern { text: value.to_owned(), language });
    }
    let text = stix(kind, value)?;
    let good = text.len() <= PATTERN_BYTES_MAX && shieldwall_watch::pattern::parse(&text).is_ok();
    good.then_some(Pattern { text, language })
}

fn stix(kind: &str, value: &str) -> Option<String> {
    if let Some(name) = kind.strip_prefix("filename|") {
        let (_, digest) = value.rsplit_once('|')?;
        return stix(name, digest);
    }
    let of_kinds = |kinds: &[Kind], text: &str| kinds.iter().find_map(|kind| Value::new(*kind, text).ok());
    let address = |text: &str| of_kinds(&[Kind::Ipv4, Kind::Ipv6, Kind::Cidr4, Kind::Cidr6], text);
    let known = match kind {
        "md5" => of_kinds(&[Kind::Md5], value),
        "sha1" => of_kinds(&[Kind::Sha1], value),
        "sha256" => of_kinds(&[Kind::Sha256], value),
        "sha512" => of_kinds(&[Kind::Sha512], value),
        "domain" | "hostname" => of_kinds(&[Kind::Domain], value),
        "ip-src" | "ip-dst" => address(value),
        "url" => of_kinds(&[Kind::Url], value),
        "email" | "email-src" | "email-dst" => of_kinds(&[Kind::Email], value),
        "filename" => of_kinds(&[Kind::FileName], value),
        "ja3-fingerprint-md5" => of_kinds(&[Kind::Ja3], value),
        "btc" | "xmr" | "dash" => of_kinds(&[Kind::CryptoAddress], value),
        "ip-src|port" | "ip-dst|port" => {
            let (host, port) = value.rsplit_once('|')?;
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            of_kinds(&[Kind::IpPort], &format!("{host}:{port}"))
        }
        _ => None,
    };
    if let Some(known) = known {
        return Some(pattern(&known));
    }
    if kind == "domain|ip" {
        let (name, at) = value.split_once('|')?;
        let (name, at) = (of_kinds(&[Kind::Domain], name)?, address(at)?);
        return Some(format!("{} OR {}", pattern(&name), pattern(&at)));
    }
    if kind == "hostname|port" {
        let (host, port) = value.rsplit_once('|')?;
        let (host, port) = (of_kinds(&[Kind::Domain], host)?, port.parse::<u16>().ok()?);
        return Some(format!(
            "[network-traffic:dst_ref.value = {} AND network-traffic:dst_port = {port}]",
            literal(&host.to_string())
        ));
    }
    named(kind, value)
}

/// Types whose value goes into one property as it is.
fn named(kind: &str, value: &str) -> Option<String> {
    let hex = |digits: usize| value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let path = match kind {
        "mutex" => "mutex:name",
        "regkey" => "windows-registry-key:key",
        "mac-address" => "mac-addr:value",
        "email-subject" => "email-message:subject",
        "user-agent" => "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'",
        "ssdeep" => "file:hashes.SSDEEP",
        "tlsh" => "file:hashes.TLSH",
        "sha3-256" if hex(64) => "file:hashes.'SHA3-256'",
        "sha3-512" if hex(128) => "file:hashes.'SHA3-512'",
        "x509-fingerprint-md5" if hex(32) => "x509-certificate:hashes.MD5",
        "x509-fingerprint-sha1" if hex(40) => "x509-certificate:hashes.'SHA-1'",
        "x509-fingerprint-sha256" if hex(64) => "x509-certificate:hashes.'SHA-256'",
        "AS" => {
            let number: u32 = value.trim_start_matches(['A', 'S', 'a', 's']).parse().ok()?;
            return Some(format!("[autonomous-system:number = {number}]"));
        }
        "regkey|value" => {
            let (key, data) = value.rsplit_once('|')?;
            return Some(format!(
                "[windows-registry-key:key = {} AND windows-registry-key:values[*].data = {}]",
                literal(key),
                literal(data)
            ));
        }
        "stix2-pattern" => return Some(value.to_owned()),
        _ => return None,
    };
    Some(format!("[{path} = {}]", literal(value)))
}

/// The type and value of the attribute that looks for `value`.
pub fn attribute_of(value: &Value) -> (&'static str, String) {
    let shown = value.to_string();
    let kind = match value.kind() {
        Kind::Ipv4 | Kind::Ipv6 | Kind::Cidr4 | Kind::Cidr6 => "ip-dst",
        Kind::IpPort => {
            let (host, port) = shown.rsplit_once(':').unwrap_or((&shown, "0"));
            let host = host.trim_start_matches('[').trim_end_matches(']');
            return ("ip-dst|port", format!("{host}|{port}"));
        }
        Kind::Domain => "domain",
        Kind::Url => "url",
        Kind::Email => "email-src",
        Kind::Md5 => "md5",
        Kind::Sha1 => "sha1",
        Kind::Sha256 => "sha256",
        Kind::Sha512 => "sha512",
        Kind::Ja3 => "ja3-fingerprint-md5",
        // MISP has no type for these.
        Kind::Ja4 => "other",
        Kind::FileName => "filename",
        Kind::CryptoAddress => "btc",
    };
    (kind, shown)
}

/// The type of an attribute that holds a pattern of this language as a whole.
pub fn type_of_language(language: &str) -> &'static str {
    match language {
        "stix" => "stix2-pattern",
        "yara" => "yara",
        "sigma" => "sigma",
        "snort" => "snort",
        "suricata" => "suricata",
        _ => "other",
    }
}
