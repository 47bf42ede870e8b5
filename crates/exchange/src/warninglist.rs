//! Warninglists: values known to be harmless or shared by everybody, in the format of MISP's warninglists.
//!
//! A list is a `list.json`: `name`, `version`, `description`, `type` (`string`, `substring`, `hostname`, `cidr`,
//! `regex`), `matching_attributes` (MISP attribute types; none means all) and `list`. `category` says what a hit
//! means: `false_positive` (the default), `known`, or our own `shared-hosting`.
//!
//! Names are compared with parents and subdomains, whatever a list forgot: `download.microsoft.com` is met by an
//! entry `microsoft.com`, and `microsoft.com` by an entry `download.microsoft.com`, because blocking the parent
//! blocks the child. Going up ends at the name somebody registered (the public suffix list): `evil.github.io` is not
//! met by `github.io`, where anybody may publish. A list that names a registry, such as `gc.ca` for a government's
//! names, means it. A network is met by any entry it shares an address with, a URL by its host.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use shieldwall_model::limits::{
    WARNINGLIST_BYTES_MAX, WARNINGLIST_REGEX_BYTES_MAX, WARNINGLIST_REGEX_SIZE_MAX, WARNINGLIST_REGEXES_MAX,
};
use shieldwall_watch::reach;
use shieldwall_watch::value::{Kind, Value, detect, refang};

use self::index::{Names, Ranges, Texts};

mod index;

/// The lists shipped with the house: our own, small, and each a `list.json` in the tree.
const SHIPPED: [&str; 10] = [
    include_str!("../warninglists/popular-domains.json"),
    include_str!("../warninglists/much-asked-domains.json"),
    include_str!("../warninglists/shared-hosting.json"),
    include_str!("../warninglists/public-resolvers.json"),
    include_str!("../warninglists/root-servers.json"),
    include_str!("../warninglists/tor-authorities.json"),
    include_str!("../warninglists/cloud-front-doors.json"),
    include_str!("../warninglists/special-networks.json"),
    include_str!("../warninglists/documentation.json"),
    include_str!("../warninglists/empty-files.json"),
];

/// How a list's entries are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListType {
    /// The whole value.
    String,
    /// A part of the value.
    Substring,
    /// A name and the names below it.
    Hostname,
    /// A network and the addresses in it.
    Cidr,
    /// A regular expression, linear in time.
    Regex,
}

/// What a hit on a list means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// The value is harmless: as an indicator it is most likely a mistake, or meant to do harm.
    #[default]
    #[serde(alias = "false_positive", alias = "False positive")]
    FalsePositive,
    /// The value is known for something, which says neither good nor bad.
    #[serde(alias = "Known identifier", alias = "known_identifier")]
    Known,
    /// Anybody may publish under this host: the host is harmless, a single page of it need not be.
    #[serde(alias = "shared_hosting")]
    SharedHosting,
}

/// How a value met an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// It is the entry.
    Exact,
    /// It lies below the entry: a subdomain, an address or network inside.
    Below,
    /// It lies above the entry: a parent domain, a network around it.
    Above,
    /// A part of it is the entry, or the expression matches.
    Part,
}

/// A value met a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The list.
    pub list: &'a Warninglist,
    /// The entry, as the list has it or in normal form.
    pub entry: String,
    /// How they met.
    pub met: Met,
}

/// Why a list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WarninglistError {
    /// Too many bytes.
    #[error("a warninglist has at most {WARNINGLIST_BYTES_MAX} bytes, this one has {0}: split it")]
    TooLarge(usize),
    /// Not the format.
    #[error("this is no warninglist in MISP's format: {0}; it has at least `name`, `type` and `list`")]
    Json(#[from] serde_json::Error),
    /// Too many expressions.
    #[error("a list has at most {WARNINGLIST_REGEXES_MAX} regular expressions, this one has {0}: split it")]
    TooManyExpressions(usize),
}

impl WarninglistError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "exchange.warninglist.too_large",
            Self::Json(_) => "exchange.warninglist.json",
            Self::TooManyExpressions(_) => "exchange.warninglist.too_many_expressions",
        }
    }
}

/// One list, ready to be asked.
pub struct Warninglist {
    /// Its name.
    pub name: String,
    /// Its version; a date as a number, mostly.
    pub version: u64,
    /// What it is.
    pub description: String,
    /// How its entries are compared.
    pub list_type: ListType,
    /// What a hit means.
    pub category: Category,
    /// MISP attribute types it is for; empty means all.
    pub matching_attributes: Vec<String>,
    /// How many entries it has.
    pub entries: usize,
    /// Entries that could not be read as the type says, at most ten of them.
    pub unread: Vec<String>,
    kinds: u32,
    /// Names, and for a list of whole values those meant with what is below them.
    names: Names,
    texts: Texts,
    ranges: Ranges,
    expressions: Vec<regex::Regex>,
}

impl fmt::Debug for Warninglist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Warninglist({:?}, {} entries)", self.name, self.entries)
    }
}

impl PartialEq for Warninglist {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.version, self.entries) == (&other.name, other.version, other.entries)
    }
}

impl Eq for Warninglist {}

#[derive(Deserialize)]
struct File {
    name: String,
    #[serde(default)]
    version: serde_json::Value,
    #[serde(default)]
    description: String,
    r#type: ListType,
    #[serde(default)]
    category: Option<serde_json::Value>,
    #[serde(default)]
    matching_attributes: Vec<String>,
    list: Vec<String>,
}

/// The kinds of value a MISP attribute type can hold.
fn kinds_of(attribute: &str) -> &'static [Kind] {
    const ADDRESS: &[Kind] = &[Kind::Ipv4, Kind::Ipv6, Kind::Cidr4, Kind::Cidr6, Kind::IpPort];
    match attribute {
        "domain|ip" => &[Kind::Ipv4, Kind::Ipv6, Kind::Cidr4, Kind::Cidr6, Kind::IpPort, Kind::Domain],
        "ip-src" | "ip-dst" | "ip-src|port" | "ip-dst|port" => ADDRESS,
        // A URL is asked by its host.
        "domain" | "hostname" | "hostname|port" => &[Kind::Domain, Kind::Url],
        "url" | "uri" | "link" => &[Kind::Url],
        "email" | "email-src" | "email-dst" | "target-email" | "whois-registrant-email" | "dns-soa-email" => {
            &[Kind::Email]
        }
        "md5" | "filename|md5" => &[Kind::Md5],
        "sha1" | "filename|sha1" => &[Kind::Sha1],
        "sha256" | "filename|sha256" => &[Kind::Sha256],
        "sha512" | "filename|sha512" => &[Kind::Sha512],
        "ja3-fingerprint-md5" => &[Kind::Ja3],
        "filename" => &[Kind::FileName],
        "btc" | "xmr" | "dash" => &[Kind::CryptoAddress],
        _ => &[],
    }
}

fn bit(kind: Kind) -> u32 {
    1 << (kind as u8)
}

impl Warninglist {
    /// Reads a `list.json`.
    ///
    /// # Errors
    /// [`WarninglistError`].
    pub fn read(input: &[u8]) -> Result<Self, WarninglistError> {
        if input.len() > WARNINGLIST_BYTES_MAX {
            return Err(WarninglistError::TooLarge(input.len()));
        }
        let file: File = serde_json::from_slice(input)?;
        if file.r#type == ListType::Regex && file.list.len() > WARNINGLIST_REGEXES_MAX {
            return Err(WarninglistError::TooManyExpressions(file.list.len()));
        }
        let kinds = match file.matching_attributes.as_slice() {
            [] => u32::MAX,
            some => some.iter().flat_map(|name| kinds_of(name)).fold(0, |all, kind| all | bit(*kind)),
        };
        let version = file.version.as_u64().or_else(|| file.version.as_str()?.parse().ok()).unwrap_or(0);
        // A category of a later version says at least that it is not this one's default.
        let category = file
            .category
            .map_or(Category::FalsePositive, |said| serde_json::from_value(said).unwrap_or(Category::Known));
        let mut list = Self {
            name: file.name,
            version,
            description: file.description,
            list_type: file.r#type,
            category,
            matching_attributes: file.matching_attributes,
            entries: file.list.len(),
            unread: Vec::new(),
            kinds,
            names: Names::default(),
            texts: Texts::default(),
            ranges: Ranges::default(),
            expressions: Vec::new(),
        };
        list.fill(&file.list);
        Ok(list)
    }

    fn fill(&mut self, entries: &[String]) {
        let mut unread = Vec::new();
        let hosts = bit(Kind::Domain) | bit(Kind::Url);
        let (named, only_named) = (self.kinds & hosts != 0, self.kinds & !hosts == 0);
        let (mut names, mut texts, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            let text = entry.trim();
            let name = text.trim_start_matches(['*', '.']);
            let read = match self.list_type {
                ListType::Hostname => name_of(name).map(|name| names.push((name, true))),
                ListType::String if named && name.contains('.') && name_of(name).is_some() => {
                    if !only_named {
                        texts.push(text.to_lowercase());
                    }
                    // MISP writes `.example.org` for a name with all below it.
                    name_of(name).map(|read| names.push((read, name.len() < text.len())))
                }
                ListType::String | ListType::Substring => {
                    (!text.is_empty()).then(|| texts.push(text.to_lowercase()))
                }
                ListType::Cidr => Value::new(Kind::Ipv4, text)
                    .ok()
                    .and_then(|value| reach::addresses(&value))
                    .map(|range| ranges.push(range)),
                ListType::Regex => expression(text).map(|read| self.expressions.push(read)),
            };
            if read.is_none() && unread.len() < 10 {
                unread.push(entry.chars().take(80).collect());
            }
        }
        self.names = Names::new(names);
        self.texts = Texts::new(texts);
        self.ranges = Ranges::new(ranges);
        self.unread = unread;
    }

    /// How `value` meets this list, if it does.
    pub fn check(&self, value: &Value) -> Option<Hit<'_>> {
        if self.kinds & bit(value.kind()) == 0 {
            return None;
        }
        let hit = |entry: String, met: Met| Some(Hit { list: self, entry, met });
        if !self.ranges.is_empty()
            && let Some(range) = reach::addresses(value)
            && let Some(met) = self.ranges.find(&range)
        {
            return hit(met.0.to_string(), met.1);
        }
        if !self.names.is_empty()
            && let Some(host) = reach::host(value).filter(|_| value.kind() != Kind::Email)
            && let Some((entry, met)) = self.names.find(&host, value.kind() == Kind::Domain)
        {
            return hit(entry, met);
        }
        if self.texts.is_empty() && self.expressions.is_empty() {
            return None;
        }
        let shown = value.to_string();
        let text = shown.to_lowercase();
        if self.list_type == ListType::Substring {
            let part = self.texts.iter().find(|part| text.contains(part))?;
            return hit(part.to_owned(), Met::Part);
        }
        if self.texts.contains(&text) {
            return hit(text, Met::Exact);
        }
        let found = self.expressions.iter().find(|expression| expression.is_match(&shown))?;
        hit(found.as_str().to_owned(), Met::Part)
    }
}

/// A name in normal form; an address is none.
fn name_of(text: &str) -> Option<String> {
    let plain = !text.is_empty() && !text.contains(['/', '@', ':', ' ']);
    let value = plain.then(|| Value::new(Kind::Domain, text).ok())??;
    Some(value.to_string()).filter(|name| name.parse::<std::net::IpAddr>().is_err())
}

/// An expression as MISP's lists write it: `/…/flags`, or bare.
fn expression(text: &str) -> Option<regex::Regex> {
    let (inner, flags) = match text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
        Some((inner, flags)) => (inner, flags),
        None => (text, ""),
    };
    if inner.is_empty() || inner.len() > WARNINGLIST_REGEX_BYTES_MAX {
        return None;
    }
    // PCRE lets any punctuation be escaped; ours has to know why.
    let inner = inner.replace("\\@", "@").replace("\\/", "/").replace("\\:", ":").replace("\\_", "_");
    regex::RegexBuilder::new(&inner)
        .case_insensitive(flags.contains('i'))
        .size_limit(WARNINGLIST_REGEX_SIZE_MAX)
        .build()
        .ok()
}

/// All lists that are asked.
#[derive(Debug, Default)]
pub struct Warninglists {
    lists: Vec<Warninglist>,
}

impl Warninglists {
    /// The lists shipped with the house.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Warninglists> = OnceLock::new();
        BUILT_IN.get_or_init(Self::shipped)
    }

    /// The lists shipped with the house, to add others to.
    pub fn shipped() -> Self {
        // Every one of them is read in the tests, so none is left out here.
        Self { lists: SHIPPED.iter().filter_map(|text| Warninglist::read(text.as_bytes()).ok()).collect() }
    }

    /// No lists.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a list; one of the same name is replaced.
    pub fn add(&mut self, list: Warninglist) {
        self.lists.retain(|known| known.name != list.name);
        self.lists.push(list);
    }

    /// The lists.
    pub fn iter(&self) -> impl Iterator<Item = &Warninglist> {
        self.lists.iter()
    }

    /// Every list `value` meets, in the order they were added.
    pub fn check(&self, value: &Value) -> Vec<Hit<'_>> {
        self.lists.iter().filter_map(|list| list.check(value)).collect()
    }

    /// Every list a text meets, its kind told from how it is written (MISP's `warninglists/checkValue`). A text that
    /// is no value of ours meets the lists that hold it to the letter.
    pub fn check_text(&self, text: &str) -> Vec<Hit<'_>> {
        match detect(&refang(text)) {
            Some(value) => self.check(&value),
            None => Vec::new(),
        }
    }
}

/// Whether a name is one under which others register theirs: a top-level domain, `co.uk`, `github.io`.
pub fn is_public_suffix(name: &str) -> bool {
    psl::domain_str(name).is_none()
}

/// Whether a name is a registry's own: a public suffix that registries, not companies, have put on the list.
pub(crate) fn is_registry(name: &str) -> bool {
    let suffix = psl::suffix(name.as_bytes());
    suffix
        .is_some_and(|suffix| suffix.as_bytes().len() == name.len() && suffix.typ() == Some(psl::Type::Icann))
}

/// The name somebody registered that `name` lies under, itself included; `None` for a public suffix.
pub fn registered_name(name: &str) -> Option<&str> {
    psl::domain_str(name)
}

/// The MISP attribute types a kind of value has, for whoever speaks MISP.
pub fn attributes_of(kind: Kind) -> BTreeSet<&'static str> {
    const ALL: [&str; 22] = [
        "btc",
        "domain",
        "domain|ip",
        "email",
        "email-dst",
        "email-src",
        "filename",
        "filename|md5",
        "filename|sha1",
        "filename|sha256",
        "filename|sha512",
        "hostname",
        "ip-dst",
        "ip-dst|port",
        "ip-src",
        "ip-src|port",
        "ja3-fingerprint-md5",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "url",
    ];
    ALL.into_iter().filter(|name| kinds_of(name).contains(&kind)).collect()
}

#[cfg(test)]
mod tests;
