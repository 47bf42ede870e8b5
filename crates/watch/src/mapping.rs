//! Which fields of an event hold which sort of value: read from TOML files, compiled for reader and scan.
//!
//! A mapping names paths and how to read what stands there:
//!
//! ```toml
//! name = "my-proxy"
//! about = "Log of the proxy"
//! format = "json"                  # or "text": every value anywhere in the line; or the word of a `decode::Decoder`
//! time = ["when"]                  # where an event says when it was, first found counts
//! under = ["", "data"]             # optional: every field is looked for below each of these
//!
//! [detect]                         # a line is of this format if it has all of these and one of those
//!                                  # `last = true`: only if nearly every line is, and of nothing else
//! all = ["when"]
//! any = ["client_ip", "target"]
//!
//! [fields]
//! "client_ip" = "ip"
//! "target" = "url"
//! "answers[].data" = "host"
//!
//! [stix]                           # optional: what a path is in STIX; see [`Told`]
//! "client_ip" = "network-traffic:src_ref.value"
//! "client_port" = "network-traffic:src_port"
//!
//! [[endpoint]]                     # an address and the port that belongs to it
//! ip = "client_ip"
//! port = "client_port"
//!
//! [[url]]                          # a URL that the event spells in parts
//! host = "http.hostname"
//! path = "http.url"
//! ```
//!
//! `like = "zeek"` takes from that built-in mapping what the file leaves out: fields, endpoints, URLs, STIX paths.
//!
//! A path is steps joined by dots. An event may nest them or write them as one dotted key: `source.ip` is found in
//! `{"source":{"ip":…}}` and in `{"source.ip":…}`. Arrays are looked through; `[]` may be written where one is
//! expected. How a text is read is a [`Reading`].

mod detect;
mod file;
mod keys;
mod told;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::decode::{Decoder, Memory};

pub use detect::{Candidate, Verdict};
pub use told::{NotAnEvent, Teller, Telling, Told};
pub use trial::{ROWS_MAX, Row, Trial};

pub(crate) use keys::{Keys, URL_HOST, URL_PATH, URL_PORT};

/// Most lines looked at to tell a format.
pub const DETECT_LINES_MAX: usize = 64;
/// Most fields, time paths, endpoint and URL paths of one mapping, after `under` is multiplied out.
pub const FIELDS_MAX: usize = 4_096;
/// Largest mapping file in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How the text of a field is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reading {
    /// An IP address.
    Ip,
    /// An IP address or a domain name, with or without a port.
    Host,
    /// A URL; its host counts as well.
    Url,
    /// An e-mail address, bare or in `<…>`; its domain counts as well.
    Email,
    /// MD5, SHA-1, SHA-256 or SHA-512 in hex, told by length.
    Hash,
    /// `SHA256=…,MD5=…` as Sysmon writes it.
    Hashes,
    /// A JA3 hash.
    Ja3,
    /// A JA4 fingerprint.
    Ja4,
    /// A file name or path: the whole and the last part are compared.
    File,
    /// Free text: every value in it is found.
    Text,
}

impl Reading {
    /// Every reading with the word a mapping file uses for it.
    pub const WORDS: [(&'static str, Self); 10] = [
        ("ip", Self::Ip),
        ("host", Self::Host),
        ("url", Self::Url),
        ("email", Self::Email),
        ("hash", Self::Hash),
        ("hashes", Self::Hashes),
        ("ja3", Self::Ja3),
        ("ja4", Self::Ja4),
        ("file", Self::File),
        ("text", Self::Text),
    ];

    /// The word a mapping file uses.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, reading)| *reading == self).map_or("", |(word, _)| word)
    }
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Any text.
    Text,
    /// Lines that a decoder takes apart; a line it cannot is read as text.
    Decoded(Decoder),
}

/// Why a mapping was refused.
#[derive(thiserror::Error, Debug)]
pub enum MappingError {
    /// The file or directory could not be read.
    #[error("cannot read the mapping {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, or not of a mapping's shape.
    #[error("{file}, line {line}: {why}")]
    Toml {
        /// File name, or the mapping's name if it has no file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what may stand there.
        why: String,
    },
    /// A path that cannot be one.
    #[error("{file}, line {line}: \"{key}\" is no path: {why}")]
    BadPath {
        /// File name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The path as written.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A reading that does not exist.
    #[error(
        "{file}, line {line}: the field \"{key}\" cannot be read as \"{reading}\"; use one of ip, host, url, email, hash, hashes, ja3, ja4, file, text"
    )]
    BadReading {
        /// File name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The field's path.
        key: String,
        /// The word as written.
        reading: String,
    },
    /// A path that is none of STIX's.
    #[error("{file}, line {line}: \"{stix}\", given for \"{key}\", is no STIX object path: {why}")]
    BadStix {
        /// File name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The field's path.
        key: String,
        /// What was written.
        stix: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two mappings of one name in one directory or list.
    #[error("{file}: a mapping named \"{name}\" was read before; give this one another name")]
    Twice {
        /// File name.
        file: String,
        /// The name.
        name: String,
    },
    /// No mapping of that name.
    #[error("there is no mapping named \"{name}\"; there are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

impl MappingError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "watch.mapping.unreadable",
            Self::Toml { .. } => "watch.mapping.malformed",
            Self::BadPath { .. } => "watch.mapping.bad_path",
            Self::BadReading { .. } => "watch.mapping.bad_reading",
            Self::BadStix { .. } => "watch.mapping.bad_stix",
            Self::Twice { .. } => "watch.mapping.twice",
            Self::Unknown { .. } => "watch.mapping.unknown",
        }
    }
}

/// A field of a mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its path, without `[]`.
    pub path: String,
    /// How its text is read.
    pub reading: Reading,
}

/// What is done with a text found at a node of the path tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Read it as this field; an address belongs to this endpoint.
    Field {
        field: u16,
        endpoint: Option<u16>,
    },
    /// Port of an endpoint.
    Port(u16),
    /// Parts of a URL rule.
    UrlHost(u16),
    UrlPath(u16),
    UrlPort(u16),
    /// When it was; the lower number wins.
    Time(u16),
}

/// A URL spelled in parts; hits carry the path's field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UrlRule {
    pub(crate) field: u16,
    /// What it begins with where it is told.
    pub(crate) scheme: Box<str>,
}

#[derive(Default, Debug, Clone)]
pub(crate) struct Node {
    children: HashMap<Box<str>, u32, foldhash::fast::FixedState>,
    pub(crate) actions: Vec<Action>,
    /// Number of what is told of this path.
    told: Option<u16>,
}

/// A compiled mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    name: String,
    about: String,
    format: Format,
    fields: Vec<Field>,
    told: Vec<Told>,
    detect_all: Vec<String>,
    detect_any: Vec<String>,
    /// Taken only if it fits nearly every line and nothing else fits most.
    detect_last: bool,
    /// What a decoder knows before the first line.
    memory: Memory,
    nodes: Vec<Node>,
    urls: Vec<UrlRule>,
    keys: Keys,
}

impl Mapping {
    /// Reads a mapping from TOML text. `file` names it in errors.
    ///
    /// # Errors
    /// [`MappingError`] naming file, line and key.
    pub fn parse(file: &str, text: &str) -> Result<Self, MappingError> {
        file::parse(file, text)
    }

    /// Reads a mapping file.
    ///
    /// # Errors
    /// As [`Self::parse`]; [`MappingError::Read`].
    pub fn load(path: &Path) -> Result<Self, MappingError> {
        let unreadable = |source| MappingError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_BYTES_MAX {
            return Err(unreadable(std::io::Error::other("a mapping file has at most 1 MiB")));
        }
        Self::parse(&path.display().to_string(), &std::fs::read_to_string(path).map_err(unreadable)?)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, one line.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What a line is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its fields, by number.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn field(&self, number: u16) -> Option<&Field> {
        self.fields.get(usize::from(number))
    }

    /// What is told of its paths beyond the values watched for: each path once, with what it is in STIX.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// What is told of the path a node stands for.
    pub(crate) fn told_at(&self, node: u32) -> Option<&Told> {
        let number = self.nodes.get(node as usize)?.told?;
        self.told.get(usize::from(number))
    }

    /// What a decoder knows before the first line.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// This mapping for lines that follow `lines`, if those hold a header that what follows needs: the blocks of one
    /// log can then be matched apart from each other.
    #[must_use]
    pub fn after(&self, lines: &[u8]) -> Option<Self> {
        let Format::Decoded(decoder) = self.format else { return None };
        let mut memory = self.memory.clone();
        memory.learn(decoder, lines).then(|| Self { memory, ..self.clone() })
    }

    /// The field of what is read as text: a whole line.
    pub(crate) fn line_field(&self) -> u16 {
        (self.fields.len().saturating_sub(1)) as u16
    }

    pub(crate) fn urls(&self) -> &[UrlRule] {
        &self.urls
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn actions(&self, node: u32) -> &[Action] {
        self.nodes.get(node as usize).map_or(&[], |node| &node.actions)
    }

    /// Where a key leads from a node; a dotted key takes several steps.
    pub(crate) fn child(&self, node: u32, key: &str) -> Option<u32> {
        let here = self.nodes.get(node as usize)?;
        if let Some(child) = here.children.get(key) {
            return Some(*child);
        }
        let mut at = node;
        if !key.contains('.') {
            return None;
        }
        for step in key.split('.') {
            at = *self.nodes.get(at as usize)?.children.get(step)?;
        }
        Some(at)
    }
}

/// The mappings to choose from.
#[derive(Debug, Clone)]
pub struct Mappings {
    all: Vec<Arc<Mapping>>,
}

/// The mappings that come with the program: file name and text.
pub const BUILT_IN: [(&str, &str); 14] = [
    ("suricata.toml", include_str!("../mappings/suricata.toml")),
    ("zeek.toml", include_str!("../mappings/zeek.toml")),
    ("sysmon.toml", include_str!("../mappings/sysmon.toml")),
    ("ecs.toml", include_str!("../mappings/ecs.toml")),
    ("ocsf.toml", include_str!("../mappings/ocsf.toml")),
    ("zeek-tsv.toml", include_str!("../mappings/zeek-tsv.toml")),
    ("cef.toml", include_str!("../mappings/cef.toml")),
    ("bind.toml", include_str!("../mappings/bind.toml")),
    ("unbound.toml", include_str!("../mappings/unbound.toml")),
    ("postfix.toml", include_str!("../mappings/postfix.toml")),
    ("squid.toml", include_str!("../mappings/squid.toml")),
    ("combined.toml", include_str!("../mappings/combined.toml")),
    ("syslog.toml", include_str!("../mappings/syslog.toml")),
    ("text.toml", include_str!("../mappings/text.toml")),
];

impl Mappings {
    /// The mappings that come with the program.
    ///
    /// # Errors
    /// None, as a test proves; the type is that of [`Mapping::parse`].
    pub fn built_in() -> Result<Self, MappingError> {
        let all = BUILT_IN.iter().map(|(file, text)| Mapping::parse(file, text).map(Arc::new));
        Ok(Self { all: all.collect::<Result<_, _>>()? })
    }

    /// Adds one mapping; it takes the place of a built-in one of the same name and goes before all others in
    /// detection.
    pub fn add(&mut self, mapping: Mapping) {
        self.all.retain(|known| known.name != mapping.name);
        self.all.insert(0, Arc::new(mapping));
    }

    /// Adds a mapping file, or every `*.toml` of a directory in order of name.
    ///
    /// # Errors
    /// The first [`MappingError`]; two files of one directory may not share a name.
    pub fn load(&mut self, path: &Path) -> Result<(), MappingError> {
        if !path.is_dir() {
            self.add(Mapping::load(path)?);
            return Ok(());
        }
        let unreadable = |source| MappingError::Read { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|end| end == "toml") {
                files.push(file);
            }
        }
        files.sort();
        let mut loaded: Vec<Mapping> = Vec::new();
        for file in files {
            let mapping = Mapping::load(&file)?;
            if loaded.iter().any(|known| known.name == mapping.name) {
                return Err(MappingError::Twice { file: file.display().to_string(), name: mapping.name });
            }
            loaded.push(mapping);
        }
        // Added last to first, so that the first file ends up in front.
        loaded.into_iter().rev().for_each(|mapping| self.add(mapping));
        Ok(())
    }

    /// The mapping of that name.
    ///
    /// # Errors
    /// [`MappingError::Unknown`], listing what there is.
    pub fn get(&self, name: &str) -> Result<Arc<Mapping>, MappingError> {
        self.all.iter().find(|mapping| mapping.name == name).cloned().ok_or_else(|| MappingError::Unknown {
            name: name.into(),
            known: self.all.iter().map(|mapping| mapping.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// All of them, in the order detection asks.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Mapping>> {
        self.all.iter()
    }

    /// Tells the format of a sample (the start of a file; a last line cut short is no harm) and why.
    pub fn detect(&self, sample: &[u8]) -> Verdict {
        detect::detect(&self.all, sample)
    }
}

#[cfg(test)]
mod sample_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told_tests;
