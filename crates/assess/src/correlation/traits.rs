//! What an object can have in common with another: the values it holds, in normal form, and what follows from them.
//!
//! | trait | taken from |
//! |---|---|
//! | value | exact values of a STIX pattern; values and hashes of observables; hosts and addresses inside them |
//! | host | a domain name, the host of a URL, the domain of an e-mail address |
//! | parent, site | the name above a host; its registrable domain (Public Suffix List) |
//! | address, network | IP addresses, also those of URLs and endpoints; networks in CIDR notation |
//! | certificate | an X.509 serial number; its fingerprints are values |
//! | vulnerability, technique | external references to CVE ids and to ATT&CK techniques |

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use shieldwall_model::limits::TRAITS_PER_OBJECT_MAX;
use shieldwall_watch::pattern;
use shieldwall_watch::value::{Kind, Value, detect, refang};

/// Longest text compared, in bytes: a longer one is nobody's name for anything.
const TEXT_BYTES_MAX: usize = 1_024;

/// What sort of thing is held in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A value of a kind the watchlist knows, other than an address, network or domain name.
    Value,
    /// An IP address.
    Address,
    /// A network.
    Network,
    /// A host name.
    Host,
    /// The name a host stands under, below its registrable domain.
    Parent,
    /// A registrable domain.
    Site,
    /// The serial number of a certificate.
    Certificate,
    /// A CVE id.
    Vulnerability,
    /// An ATT&CK technique.
    Technique,
    /// Any other name of an observable: a mutex, a registry key, a MAC address, an autonomous system.
    Text,
    /// A label. Searched for, not correlated by.
    Label,
    /// The role of an indicator. Searched for, not correlated by.
    Role,
}

impl Class {
    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Address => "address",
            Self::Network => "network",
            Self::Host => "host",
            Self::Parent => "parent",
            Self::Site => "site",
            Self::Certificate => "certificate",
            Self::Vulnerability => "vulnerability",
            Self::Technique => "technique",
            Self::Text => "text",
            Self::Label => "label",
            Self::Role => "role",
        }
    }

    /// Whether objects that share it are related.
    pub const fn correlates(self) -> bool {
        !matches!(self, Self::Label | Self::Role)
    }
}

/// One thing an object can have in common with another. Two are the same if class and bytes are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trait {
    /// What sort.
    pub class: Class,
    /// Its normal form: what is compared.
    pub bytes: Box<[u8]>,
    /// As people read it.
    pub shown: String,
}

impl Trait {
    fn new(class: Class, text: &str) -> Self {
        Self { class, bytes: text.as_bytes().into(), shown: text.to_owned() }
    }

    /// A label, in any case.
    pub fn label(text: &str) -> Self {
        Self::new(Class::Label, &text.trim().to_lowercase())
    }

    /// A role.
    pub fn role(text: &str) -> Self {
        Self::new(Class::Role, text)
    }

    /// What hosts under this name share with it: the name as their parent, and as their registrable domain.
    pub fn names_above(name: &Self) -> [Self; 3] {
        [Class::Host, Class::Parent, Class::Site].map(|class| Self { class, ..name.clone() })
    }

    /// The address it is, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        if self.class == Class::Address { ip_of(&self.bytes) } else { None }
    }

    /// The network it is, if it is one: its first address and the length of its prefix.
    pub fn network(&self) -> Option<(IpAddr, u8)> {
        let (length, net) = self.bytes.split_last()?;
        if self.class == Class::Network { Some((ip_of(net)?, *length)) } else { None }
    }

    /// The first 8 bytes of SHA-256 over class, a zero byte and normal form: what a posting is kept under.
    ///
    /// Eight bytes: among ten million values two share a key by chance with a probability of 3 in a million, and to
    /// meet the key of a value of somebody else's takes 2^64 attempts.
    pub fn key(&self) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(self.class.as_str());
        hash.update([0]);
        hash.update(&self.bytes);
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The few properties that are looked at; the rest is passed over.
#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    r#type: Json,
    #[serde(default)]
    pattern: Json,
    #[serde(default)]
    pattern_type: Json,
    #[serde(default)]
    labels: Json,
    #[serde(default)]
    external_references: Json,
    /// The observables inside a STIX 2.0 `observed-data`.
    #[serde(default)]
    objects: Json,
    #[serde(default)]
    value: Json,
    #[serde(default)]
    hashes: Json,
    #[serde(default)]
    name: Json,
    #[serde(default)]
    key: Json,
    #[serde(default)]
    number: Json,
    #[serde(default)]
    serial_number: Json,
    #[serde(default)]
    message_id: Json,
    #[serde(default)]
    account_login: Json,
    #[serde(default)]
    url: Json,
}

/// The traits of an object, each once, at most [`TRAITS_PER_OBJECT_MAX`]. None for bytes that are no object.
pub fn of_object(bytes: &[u8]) -> Vec<Trait> {
    let Ok(shape) = serde_json::from_slice::<Shape>(bytes) else { return Vec::new() };
    let mut found = Found::default();
    found.object(&shape);
    found.traits
}

/// What a text a person typed may stand for, de-fanged spellings undone: the traits under which objects hold it.
pub fn of_text(text: &str) -> Vec<Trait> {
    let mut found = Found::default();
    let plain = refang(text);
    if let Some(value) = detect(&plain) {
        found.exact(&value);
        if value.kind() == Kind::Md5 {
            // The two look alike.
            found.read(Kind::Ja3, &plain, false);
        }
    }
    // A name without a dot, a path: what no look can tell is compared as it stands.
    found.read(Kind::FileName, &plain, false);
    found.reference(plain.trim());
    found.text(Class::Text, &plain);
    found.text(Class::Certificate, &plain);
    found.traits
}

#[derive(Default)]
struct Found {
    traits: Vec<Trait>,
    seen: BTreeSet<(Class, Box<[u8]>)>,
}

impl Found {
    fn put(&mut self, one: Trait) {
        if self.traits.len() < TRAITS_PER_OBJECT_MAX && self.seen.insert((one.class, one.bytes.clone())) {
            self.traits.push(one);
        }
    }

    /// A name without a kind of its own, compared without regard to case.
    fn text(&mut self, class: Class, text: &str) {
        let text = text.trim();
        if !text.is_empty() && text.len() <= TEXT_BYTES_MAX {
            self.put(Trait { class, bytes: text.to_lowercase().into_bytes().into(), shown: text.to_owned() });
        }
    }

    fn object(&mut self, shape: &Shape) {
        let object_type = shape.r#type.as_str().unwrap_or_default();
        if object_type == "indicator" && shape.pattern_type.as_str().unwrap_or("stix") == "stix" {
            let exact = shape.pattern.as_str().and_then(|text| pattern::parse(text).ok()?.exact().ok());
            exact.iter().flat_map(|exact| &exact.values).for_each(|value| self.value(value));
        }
        self.observable(object_type, shape);
        if let Some(inside) = shape.objects.as_object() {
            for part in inside.values() {
                if let Ok(shape) = serde_json::from_value::<Shape>(part.clone()) {
                    self.observable(shape.r#type.as_str().unwrap_or_default(), &shape);
                }
            }
        }
        if object_type == "vulnerability" {
            shape.name.as_str().into_iter().for_each(|name| self.reference(name));
        }
        let references = shape.external_references.as_array().map_or(&[][..], Vec::as_slice);
        for reference in references {
            let id = reference.get("external_id").and_then(Json::as_str);
            id.into_iter().for_each(|id| self.reference(id));
        }
        let labels = shape.labels.as_array().map_or(&[][..], Vec::as_slice);
        for label in labels.iter().filter_map(Json::as_str).filter(|label| label.len() <= TEXT_BYTES_MAX) {
            self.put(Trait::label(label));
        }
    }

    /// A CVE id or an ATT&CK technique, whoever's reference names it.
    fn reference(&mut self, id: &str) {
        let id = id.trim().to_ascii_uppercase();
        if is_cve(&id) {
            self.put(Trait::new(Class::Vulnerability, &id));
        } else if is_technique(&id) {
            self.put(Trait::new(Class::Technique, &id));
        }
    }

    /// What an observable (STIX 2.1 section 6) is known by.
    fn observable(&mut self, object_type: &str, shape: &Shape) {
        let kind = match object_type {
            "ipv4-addr" | "ipv6-addr" => Some(Kind::Ipv4),
            "domain-name" => Some(Kind::Domain),
            "url" => Some(Kind::Url),
            "email-addr" => Some(Kind::Email),
            _ => None,
        };
        match (object_type, kind, shape.value.as_str()) {
            (_, Some(kind), Some(text)) => self.read(kind, text, true),
            ("mac-addr", _, Some(text)) => self.text(Class::Text, text),
            _ => {}
        }
        let named = match object_type {
            "file" => {
                shape.name.as_str().into_iter().for_each(|name| self.read(Kind::FileName, name, true));
                None
            }
            "mutex" => shape.name.as_str(),
            "windows-registry-key" => shape.key.as_str(),
            "email-message" => shape.message_id.as_str(),
            "user-account" => shape.account_login.as_str(),
            _ => None,
        };
        named.into_iter().for_each(|text| self.text(Class::Text, text));
        match object_type {
            "x509-certificate" => {
                shape.serial_number.as_str().into_iter().for_each(|text| self.text(Class::Certificate, text));
            }
            "autonomous-system" => {
                let number = shape.number.as_u64();
                number.into_iter().for_each(|number| self.text(Class::Text, &format!("AS{number}")));
            }
            "artifact" => shape.url.as_str().into_iter().for_each(|text| self.read(Kind::Url, text, true)),
            _ => {}
        }
        if matches!(object_type, "file" | "artifact" | "x509-certificate") {
            shape.hashes.as_object().into_iter().for_each(|hashes| self.hashes(hashes));
        }
    }

    fn hashes(&mut self, hashes: &Map<String, Json>) {
        for (name, hash) in hashes {
            let Some(hash) = hash.as_str() else { continue };
            let name = name.to_ascii_lowercase();
            match name.trim_matches('\'').parse::<Kind>() {
                Ok(kind @ (Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512)) => {
                    self.read(kind, hash, true);
                }
                // Fuzzy hashes and rarer ones: equal or not.
                _ => self.text(Class::Text, hash),
            }
        }
    }

    fn read(&mut self, kind: Kind, text: &str, derive: bool) {
        match Value::new(kind, text) {
            Ok(value) if derive => self.value(&value),
            Ok(value) => self.exact(&value),
            Err(_) => {}
        }
    }

    /// A value under the one trait that stands for itself.
    fn exact(&mut self, value: &Value) {
        let class = match value.kind() {
            Kind::Ipv4 | Kind::Ipv6 => Class::Address,
            Kind::Cidr4 | Kind::Cidr6 => Class::Network,
            Kind::Domain => Class::Host,
            _ => Class::Value,
        };
        let bytes = if class == Class::Value {
            // Kinds whose bytes could be alike are told apart.
            [value.kind().as_str().as_bytes(), &[0], value.bytes()].concat()
        } else {
            value.bytes().to_vec()
        };
        self.put(Trait { class, bytes: bytes.into(), shown: value.to_string() });
    }

    /// A value, and what follows from it.
    fn value(&mut self, value: &Value) {
        self.exact(value);
        match value.kind() {
            Kind::IpPort => {
                let ip = value.bytes().split_last_chunk::<2>().and_then(|(octets, _)| ip_of(octets));
                ip.into_iter().for_each(|ip| self.exact(&Value::from_ip(ip)));
            }
            Kind::Domain => self.above(&value.to_string()),
            Kind::Url => self.host(host_of(&value.to_string())),
            Kind::Email => {
                let text = value.to_string();
                self.host(text.rsplit_once('@').map(|(_, domain)| domain));
            }
            _ => {}
        }
    }

    fn host(&mut self, host: Option<&str>) {
        let Some(host) = host.filter(|host| !host.is_empty()) else { return };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => self.exact(&Value::from_ip(ip)),
            Err(_) => self.read(Kind::Domain, host, true),
        }
    }

    /// The names a host stands under, as far as its registrable domain.
    fn above(&mut self, name: &str) {
        let Some(site) = psl::domain_str(name) else { return };
        if let Some((_, parent)) = name.split_once('.').filter(|(_, parent)| name != site && *parent != site)
        {
            self.put(Trait::new(Class::Parent, parent));
        }
        self.put(Trait::new(Class::Site, site));
    }
}

/// The host of a URL in normal form: what stands between `//` and the port, path or query, without user and password.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("//")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return host.split_once(']').map(|(host, _)| host);
    }
    Some(host.split_once(':').map_or(host, |(host, _)| host))
}

/// `CVE-2021-44228`: the year has four digits, the number at least four (CVE JSON 5.1, `cveId`).
fn is_cve(id: &str) -> bool {
    let Some((year, number)) = id.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    year.len() == 4 && (4..=19).contains(&number.len()) && digits(year) && digits(number)
}

/// `T1059` or `T1059.001`: a technique or sub-technique of ATT&CK.
fn is_technique(id: &str) -> bool {
    let Some(rest) = id.strip_prefix('T') else { return false };
    let (technique, sub) = rest.split_once('.').map_or((rest, None), |(t, s)| (t, Some(s)));
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(technique, 4) && sub.is_none_or(|sub| digits(sub, 3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traits(object: &str) -> Vec<(&'static str, String)> {
        let found = of_object(object.as_bytes());
        found.into_iter().map(|one| (one.class.as_str(), one.shown)).collect()
    }

    fn own(found: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        found.iter().map(|(class, shown)| (*class, (*shown).to_owned())).collect()
    }

    #[test]
    fn a_url_brings_its_host_and_what_that_stands_under() {
        let found = traits(
            r#"{"type":"indicator","pattern_type":"stix","labels":["Botnet"],
                "pattern":"[url:value = 'http://user@a.b.evil.co.uk:8080/x?y' OR ipv4-addr:value = '192.0.2.0/24']"}"#,
        );
        assert_eq!(
            found,
            own(&[
                ("value", "http://user@a.b.evil.co.uk:8080/x?y"),
                ("host", "a.b.evil.co.uk"),
                ("parent", "b.evil.co.uk"),
                ("site", "evil.co.uk"),
                ("network", "192.0.2.0/24"),
                ("label", "botnet"),
            ])
        );
        assert_eq!(
            traits(r#"{"type":"url","value":"https://[2001:db8::1]:8443/"}"#),
            own(&[("value", "https://[2001:db8::1]:8443/"), ("address", "2001:db8::1")])
        );
    }

    #[test]
    fn observables_are_known_by_their_names_and_hashes() {
        let found = traits(
            r#"{"type":"x509-certificate","serial_number":"02:08","hashes":{"SHA-1":"da39a3ee5e6b4b0d3255bfef95601890afd80709","TLSH":"T1AB"}}"#,
        );
        assert_eq!(
            found,
            own(&[
                ("certificate", "02:08"),
                ("value", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
                ("text", "T1AB"),
            ])
        );
        let found = traits(
            r#"{"type":"observed-data","objects":{"0":{"type":"domain-name","value":"evil.example"},"1":{"type":"mutex","name":"Global\\M"}}}"#,
        );
        assert_eq!(found, own(&[("host", "evil.example"), ("site", "evil.example"), ("text", "Global\\M")]));
    }

    #[test]
    fn references_name_vulnerabilities_and_techniques_and_nothing_else() {
        let found = traits(
            r#"{"type":"report","external_references":[{"source_name":"cve","external_id":"cve-2021-44228"},
                {"source_name":"mitre-attack","external_id":"T1059.001"},{"source_name":"x","external_id":"TA0001"},
                {"source_name":"cve","external_id":"CVE-21-1"}]}"#,
        );
        assert_eq!(found, own(&[("vulnerability", "CVE-2021-44228"), ("technique", "T1059.001")]));
    }

    #[test]
    fn what_a_person_types_finds_what_an_object_holds() {
        for (typed, object) in [
            ("hxxp://evil[.]example/a", r#"{"type":"url","value":"http://evil.example/a"}"#),
            ("EVIL[.]example", r#"{"type":"domain-name","value":"evil.example"}"#),
            ("192.0.2[.]1", r#"{"type":"ipv4-addr","value":"192.0.2.1"}"#),
            ("192.0.2.7/24", r#"{"type":"ipv4-addr","value":"192.0.2.0/24"}"#),
            ("tasksche.exe", r#"{"type":"file","name":"Tasksche.EXE"}"#),
            ("perfc", r#"{"type":"file","name":"perfc"}"#),
            ("global\\m", r#"{"type":"mutex","name":"Global\\M"}"#),
            ("as64496", r#"{"type":"autonomous-system","number":64496}"#),
            (
                "t1059",
                r#"{"type":"attack-pattern","external_references":[{"source_name":"mitre-attack","external_id":"T1059"}]}"#,
            ),
            (
                "d41d8cd98f00b204e9800998ecf8427e",
                r#"{"type":"file","hashes":{"MD5":"D41D8CD98F00B204E9800998ECF8427E"}}"#,
            ),
        ] {
            let asked: BTreeSet<[u8; 8]> = of_text(typed).iter().map(Trait::key).collect();
            assert!(of_object(object.as_bytes()).iter().any(|held| asked.contains(&held.key())), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_object_has_too_many(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            of_object(&bytes);
            of_text(&text);
            let many: Vec<String> = (0..400).map(|number| format!("domain-name:value = '{number}.{text}x.example'")).collect();
            let object = serde_json::json!({"type": "indicator", "pattern": format!("[{}]", many.join(" OR "))});
            prop_assert!(of_object(object.to_string().as_bytes()).len() <= TRAITS_PER_OBJECT_MAX);
        }
    }
}
