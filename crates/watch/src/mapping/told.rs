//! What an event tells beyond the values watched for: each mapped field with the STIX path it stands for.
//!
//! The scan looks for *watched* fields alone (`[fields]` of a mapping). *Told* fields, `[stix]`, cost it nothing: they
//! are read by a [`Teller`], from lines somebody asks it to read whole, so that STIX patterns can speak of ports,
//! command lines or registry keys.
//!
//! A watched field of which a mapping says nothing in `[stix]` is told by its reading: a `host` is a `domain-name` or an
//! address by what stands there, a `hash` a file's hash by its length. A few texts hold more than one value:
//!
//! | read as | STIX path written | told |
//! |---|---|---|
//! | `ip`, `host` | ends in `_ref.value` | there, and as `ipv4-addr:value`, `ipv6-addr:value` or `domain-name:value` |
//! | `ip`, `host` | `domain-name:value` or another address | by what stands there |
//! | `email` | ends in `_ref.value`, `_refs[*].value` | there, and as `email-addr:value` |
//! | `hash`, `hashes` | ends in `hashes.*` | the algorithm in place of `*` |
//! | `file` | ends in `name` | the text, its last part, and the directory as `parent_directory_ref.path` |
//! | `text` | any or none | the text there, and every address, name, URL and hash in it as what it is |

use std::net::IpAddr;

use super::{Action, Format, Mapping, Reading};
use crate::decode::{Line, Memory};
use crate::exact::{Extract, compose_url};
use crate::offer::{self, Offer, digest_kind};
use crate::pattern;
use crate::value::{Kind, normal};

/// What is told of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The path, without `[]`.
    pub path: String,
    /// How it is read, if it is watched.
    pub reading: Option<Reading>,
    /// What it is in STIX: object paths (STIX 2.1 section 9.6), or ones that end in `hashes.*`. May be empty for text.
    pub stix: Vec<Box<str>>,
}

/// One thing an event tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Telling<'a> {
    /// The field it stood in, as the mapping spells it.
    pub field: &'a str,
    /// The STIX object path it stands for.
    pub stix: &'a str,
    /// The value as written in the event; numbers and truth values as text.
    pub text: &'a str,
}

/// The line is no event of its mapping's format.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("the line is no event of this format")]
pub struct NotAnEvent;

/// Reads lines whole. Buffers are kept from line to line.
///
/// ```
/// use shieldwall_watch::mapping::{Mappings, Teller};
///
/// let suricata = Mappings::built_in()?.get("suricata")?;
/// let line = br#"{"timestamp":"2026-01-01T00:00:00Z","dest_ip":"192.0.2.7","dest_port":443}"#;
/// let mut teller = Teller::default();
/// let mut told = Vec::new();
/// teller.read(&suricata, line, &mut |one| told.push(format!("{} = {}", one.stix, one.text)))?;
/// assert_eq!(told, [
///     "network-traffic:dst_ref.value = 192.0.2.7", "ipv4-addr:value = 192.0.2.7", "network-traffic:dst_port = 443",
/// ]);
/// assert_eq!(teller.time(&suricata), Some("2026-01-01T00:00:00Z"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Teller {
    extract: Extract,
    memory: Memory,
    scratch: Vec<u8>,
    url: Vec<u8>,
}

impl Default for Teller {
    fn default() -> Self {
        Self { extract: Extract::telling(), memory: Memory::default(), scratch: Vec::new(), url: Vec::new() }
    }
}

impl Teller {
    /// Reads a line and hands out all it tells, in order of the event; a field of several STIX paths several times.
    /// Returns what the line was; of [`Line::Other`] the values found in its text were handed out.
    ///
    /// # Errors
    /// [`NotAnEvent`]; nothing was handed out then.
    pub fn read(
        &mut self,
        mapping: &Mapping,
        line: &[u8],
        sink: &mut dyn FnMut(Telling<'_>),
    ) -> Result<Line, NotAnEvent> {
        self.extract.clear();
        if self.memory.is_empty() {
            self.memory.clone_from(mapping.memory());
        }
        match mapping.format() {
            Format::Json => self.extract.json(mapping, line).map_err(|_| NotAnEvent)?,
            Format::Text => {
                let text = String::from_utf8_lossy(line);
                find("line", &text, &mut self.scratch, sink);
            }
            Format::Decoded(decoder) => {
                match self.extract.decoded(mapping, decoder, &mut self.memory, line) {
                    Line::Event => {}
                    Line::Aside => return Ok(Line::Aside),
                    Line::Other => {
                        let text = String::from_utf8_lossy(line);
                        find("line", &text, &mut self.scratch, sink);
                        return Ok(Line::Other);
                    }
                }
            }
        }
        for (node, text) in self.extract.found() {
            let Some(told) = mapping.told_at(node) else { continue };
            for stix in &told.stix {
                tell(told, stix, text, sink);
            }
            if told.reading == Some(Reading::Text) {
                find(&told.path, text, &mut self.scratch, sink);
            }
        }
        self.urls(mapping, sink);
        Ok(Line::Event)
    }

    /// When the event read last says it was, as written.
    pub fn time(&self, mapping: &Mapping) -> Option<&str> {
        self.extract.time(mapping)
    }

    /// URLs that the event spells in parts.
    fn urls(&mut self, mapping: &Mapping, sink: &mut dyn FnMut(Telling<'_>)) {
        for (number, rule) in mapping.urls().iter().enumerate() {
            let number = number as u16;
            let of = |wanted: Action| {
                let found = self.extract.found();
                found.filter(move |(node, _)| mapping.actions(*node).contains(&wanted)).map(|(_, text)| text)
            };
            let field = mapping.field(rule.field).map_or("", |field| field.path.as_str());
            let (Some(host), Some(path)) =
                (of(Action::UrlHost(number)).next(), of(Action::UrlPath(number)).next())
            else {
                continue;
            };
            let port = of(Action::UrlPort(number)).next();
            if !compose_url(host.as_bytes(), path.as_bytes(), port.map(str::as_bytes), &mut self.url) {
                continue;
            }
            let Ok(url) = std::str::from_utf8(&self.url) else { continue };
            let whole = match url.strip_prefix("//") {
                Some(rest) => format!("{}://{rest}", rule.scheme),
                None => url.to_owned(),
            };
            sink(Telling { field, stix: "url:value", text: &whole });
        }
    }
}

/// What a watched field is in STIX if its mapping does not say.
pub(super) fn by_reading(reading: Reading) -> Vec<Box<str>> {
    let path = match reading {
        Reading::Ip | Reading::Host => "domain-name:value",
        Reading::Url => "url:value",
        Reading::Email => "email-addr:value",
        Reading::Hash | Reading::Hashes => "file:hashes.*",
        Reading::Ja3 => "network-traffic:x_ja3",
        Reading::Ja4 => "network-traffic:x_ja4",
        Reading::File => "file:name",
        Reading::Text => return Vec::new(),
    };
    vec![path.into()]
}

/// Whether a mapping may say this of a path; if not, why.
pub(super) fn check(stix: &str) -> Result<(), String> {
    let plain = stix.strip_suffix("hashes.*").map(|head| format!("{head}hashes.MD5"));
    let plain = plain.as_deref().unwrap_or(stix);
    pattern::parse(&format!("[{plain} = 'x']")).map(|_| ()).map_err(|error| error.to_string())
}

fn address_path(text: &str) -> &'static str {
    match normal::ip(text.as_bytes()) {
        Some(IpAddr::V4(_)) => "ipv4-addr:value",
        Some(IpAddr::V6(_)) => "ipv6-addr:value",
        None => "domain-name:value",
    }
}

/// Hands out `text` as the STIX path a mapping gives for it.
fn tell(told: &Told, stix: &str, text: &str, sink: &mut dyn FnMut(Telling<'_>)) {
    let field = told.path.as_str();
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    match told.reading {
        None if stix.ends_with("_ref.value") => {
            sink(Telling { field, stix, text });
            sink(Telling { field, stix: address_path(text), text });
        }
        Some(Reading::Ip | Reading::Host) => {
            let host = match normal::split_port(text.as_bytes()) {
                Some((host, _)) if normal::ip(text.as_bytes()).is_none() => {
                    std::str::from_utf8(host).unwrap_or(text)
                }
                _ => text,
            };
            if !matches!(stix, "domain-name:value" | "ipv4-addr:value" | "ipv6-addr:value") {
                sink(Telling { field, stix, text: host });
                if !stix.ends_with("_ref.value") {
                    return;
                }
            }
            sink(Telling { field, stix: address_path(host), text: host });
        }
        Some(Reading::Email) => {
            let bare = text.rsplit_once('<').map_or(text, |(_, rest)| rest.split('>').next().unwrap_or(rest));
            sink(Telling { field, stix, text: bare });
            if stix.ends_with("_ref.value") || stix.ends_with("_refs[*].value") {
                sink(Telling { field, stix: "email-addr:value", text: bare });
            }
        }
        Some(Reading::Hash | Reading::Hashes) if stix.ends_with("hashes.*") => {
            hashes(field, stix, text, sink)
        }
        Some(Reading::File) if stix.ends_with(":name") || stix.ends_with(".name") => {
            sink(Telling { field, stix, text });
            if let Some((directory, name)) = text.rfind(['/', '\\']).and_then(|at| text.split_at_checked(at))
            {
                let name = name.get(1..).unwrap_or_default();
                let of = stix.strip_suffix("name").unwrap_or(stix);
                if !name.is_empty() {
                    sink(Telling { field, stix, text: name });
                }
                sink(Telling { field, stix: &format!("{of}parent_directory_ref.path"), text: directory });
            }
        }
        _ => sink(Telling { field, stix, text }),
    }
}

/// Hashes: one by its length, or `SHA256=…,MD5=…`. Names are those of the STIX 2.1 vocabulary (section 10.8).
fn hashes(field: &str, stix: &str, text: &str, sink: &mut dyn FnMut(Telling<'_>)) {
    let of = stix.strip_suffix('*').unwrap_or(stix);
    for part in text.split(',') {
        let (name, hash) = match part.split_once('=') {
            Some((name, hash)) => (name.trim(), hash.trim()),
            None => ("", part.trim()),
        };
        let known = match name.to_ascii_uppercase().as_str() {
            "" => digest_kind(hash.len()),
            "MD5" => Some(Kind::Md5),
            "SHA1" => Some(Kind::Sha1),
            "SHA256" => Some(Kind::Sha256),
            "SHA512" => Some(Kind::Sha512),
            _ => None,
        };
        let name = match known {
            Some(Kind::Md5) => "MD5",
            Some(Kind::Sha1) => "'SHA-1'",
            Some(Kind::Sha256) => "'SHA-256'",
            Some(Kind::Sha512) => "'SHA-512'",
            _ if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) => continue,
            _ => name,
        };
        sink(Telling { field, stix: &format!("{of}{name}"), text: hash });
    }
}

/// Hands out the values in a text as what they are. A file name may be any word with a dot: those are left out.
fn find(field: &str, text: &str, scratch: &mut Vec<u8>, sink: &mut dyn FnMut(Telling<'_>)) {
    offer::offer(Reading::Text, text.as_bytes(), None, scratch, &mut Finder { field, sink });
}

struct Finder<'a> {
    field: &'a str,
    sink: &'a mut dyn FnMut(Telling<'_>),
}

impl Finder<'_> {
    fn found(&mut self, stix: &str, shown: &[u8]) {
        if let Ok(text) = std::str::from_utf8(shown) {
            (self.sink)(Telling { field: self.field, stix, text });
        }
    }
}

impl Offer for Finder<'_> {
    fn kinds(&self) -> u32 {
        Kind::ALL.iter().fold(0, |bits, kind| bits | kind.bit()) & !Kind::FileName.bit()
    }

    fn ipv4(&mut self, _: u32, _: Option<u16>, shown: &[u8]) {
        self.found("ipv4-addr:value", shown);
    }

    fn ipv6(&mut self, _: u128, _: Option<u16>, shown: &[u8]) {
        self.found("ipv6-addr:value", shown);
    }

    fn name(&mut self, shown: &[u8]) {
        // No name of a host ends in a number (RFC 3696 section 2); versions do.
        let last = shown.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        if last.len() >= 2 && !last.iter().all(u8::is_ascii_digit) {
            self.found("domain-name:value", shown);
        }
    }

    fn url(&mut self, _: &[u8], shown: &[u8]) {
        self.found("url:value", shown);
    }

    fn plain(&mut self, kind: Kind, _: &[u8], shown: &[u8]) {
        let stix = match kind {
            Kind::Email => "email-addr:value",
            Kind::Md5 => "file:hashes.MD5",
            Kind::Sha1 => "file:hashes.'SHA-1'",
            Kind::Sha256 => "file:hashes.'SHA-256'",
            Kind::Sha512 => "file:hashes.'SHA-512'",
            _ => return,
        };
        self.found(stix, shown);
    }
}
