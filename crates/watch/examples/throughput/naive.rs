//! What a good engineer writes first: each event a typed struct, each value asked of a hash map.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;
use shieldwall_watch::value::{Kind, Value};

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(borrow)]
    src_ip: Text<'a>,
    src_port: Option<u16>,
    #[serde(borrow)]
    dest_ip: Text<'a>,
    dest_port: Option<u16>,
    #[serde(borrow)]
    dns: Option<Dns<'a>>,
    #[serde(borrow)]
    http: Option<Http<'a>>,
    #[serde(borrow)]
    tls: Option<Tls<'a>>,
    #[serde(borrow)]
    fileinfo: Option<File<'a>>,
}

#[derive(Deserialize)]
struct Dns<'a> {
    #[serde(borrow)]
    rrname: Text<'a>,
    #[serde(borrow, default)]
    answers: Vec<Answer<'a>>,
    #[serde(borrow)]
    grouped: Option<Grouped<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    rrname: Text<'a>,
    #[serde(borrow)]
    rdata: Text<'a>,
}

#[derive(Deserialize)]
struct Grouped<'a> {
    #[serde(borrow, default, rename = "A")]
    a: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Http<'a> {
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Deserialize)]
struct Tls<'a> {
    #[serde(borrow)]
    sni: Text<'a>,
    #[serde(borrow)]
    ja3: Option<Ja3<'a>>,
}

#[derive(Deserialize)]
struct Ja3<'a> {
    #[serde(borrow)]
    hash: Text<'a>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    md5: Text<'a>,
    #[serde(borrow)]
    sha1: Text<'a>,
    #[serde(borrow)]
    sha256: Text<'a>,
}

/// The values of a hash map by their text.
pub(crate) struct Naive {
    values: HashMap<Box<str>, Kind, foldhash::fast::FixedState>,
    networks: HashSet<(u32, u8), foldhash::fast::FixedState>,
    lengths: Vec<u8>,
}

impl Naive {
    pub(crate) fn new(values: &[Value]) -> Self {
        let mut naive =
            Self { values: HashMap::default(), networks: HashSet::default(), lengths: Vec::new() };
        for value in values {
            if let (Kind::Cidr4, [a, b, c, d, length]) = (value.kind(), value.bytes()) {
                naive.networks.insert((u32::from_be_bytes([*a, *b, *c, *d]), *length));
                naive.lengths.push(*length);
            } else {
                naive.values.insert(value.to_string().into(), value.kind());
            }
        }
        naive.lengths.sort_unstable();
        naive.lengths.dedup();
        naive
    }

    fn has(&self, text: &str, kind: Kind) -> usize {
        usize::from(self.values.get(text) == Some(&kind))
    }

    fn ip(&self, text: &str, port: Option<u16>, buffer: &mut String) -> usize {
        use std::fmt::Write as _;
        let Ok(ip) = text.parse::<IpAddr>() else { return 0 };
        let mut hits = self.has(text, if ip.is_ipv4() { Kind::Ipv4 } else { Kind::Ipv6 });
        if let Some(port) = port {
            buffer.clear();
            let _ = write!(buffer, "{text}:{port}");
            hits += self.has(buffer, Kind::IpPort);
        }
        if let IpAddr::V4(ip) = ip {
            let within = |length: &&u8| {
                let net = u32::from(ip) & u32::MAX.checked_shl(32 - u32::from(**length)).unwrap_or(0);
                self.networks.contains(&(net, **length))
            };
            hits += self.lengths.iter().filter(within).count();
        }
        hits
    }

    fn host(&self, text: &str, buffer: &mut String) -> usize {
        if text.bytes().last().is_some_and(|last| last.is_ascii_digit()) && text.parse::<Ipv4Addr>().is_ok() {
            return self.ip(text, None, buffer);
        }
        let mut rest = Some(text);
        let mut hits = 0;
        while let Some(name) = rest {
            hits += self.has(name, Kind::Domain);
            rest = name.split_once('.').map(|(_, rest)| rest);
        }
        hits
    }

    /// The listed (field, value) pairs of an event.
    pub(crate) fn event(&self, event: &Event<'_>, buffer: &mut String) -> usize {
        let mut hits = 0;
        for (ip, port) in [(&event.src_ip, event.src_port), (&event.dest_ip, event.dest_port)] {
            hits += ip.as_deref().map_or(0, |ip| self.ip(ip, port, buffer));
        }
        if let Some(dns) = &event.dns {
            hits += dns.rrname.as_deref().map_or(0, |name| self.host(name, buffer));
            hits += self.distinct(dns.answers.iter().filter_map(|one| one.rrname.as_deref()), buffer);
            hits += self.distinct(dns.answers.iter().filter_map(|one| one.rdata.as_deref()), buffer);
            let grouped = dns.grouped.iter().flat_map(|grouped| &grouped.a);
            hits += self.distinct(grouped.map(AsRef::as_ref), buffer);
        }
        if let Some(http) = &event.http {
            hits += http.hostname.as_deref().map_or(0, |name| self.host(name, buffer));
            if let (Some(host), Some(path)) = (&http.hostname, &http.url) {
                for scheme in ["http:", "https:", ""] {
                    buffer.clear();
                    buffer.extend([scheme, "//", host, path]);
                    hits += self.has(buffer, Kind::Url);
                }
            }
        }
        if let Some(tls) = &event.tls {
            hits += tls.sni.as_deref().map_or(0, |name| self.host(name, buffer));
            let ja3 = tls.ja3.as_ref().and_then(|ja3| ja3.hash.as_deref());
            hits += ja3.map_or(0, |hash| self.has(hash, Kind::Ja3));
        }
        if let Some(file) = &event.fileinfo {
            for (hash, kind) in
                [(&file.md5, Kind::Md5), (&file.sha1, Kind::Sha1), (&file.sha256, Kind::Sha256)]
            {
                hits += hash.as_deref().map_or(0, |hash| self.has(hash, kind));
            }
        }
        hits
    }

    /// The same value twice in one field is one hit.
    fn distinct<'a>(&self, all: impl Iterator<Item = &'a str> + Clone, buffer: &mut String) -> usize {
        let again = |number: usize, one: &str| all.clone().take(number).any(|earlier| earlier == one);
        let firsts = all.clone().enumerate().filter(|(number, one)| !again(*number, one));
        firsts.map(|(_, one)| self.host(one, buffer)).sum()
    }
}
