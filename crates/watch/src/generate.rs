//! Made-up telemetry that looks like a network at work: for benchmarks, tests and the demo.
//!
//! Everything follows from a seed. A line can carry a planted value; which formats can carry which kinds says
//! [`Telemetry::carries`]. Names and addresses are invented; nothing here is ever resolved or contacted.

mod events;

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::value::{Kind, Value, ValueRef};

/// The formats that can be made up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Telemetry {
    /// Suricata EVE.
    Suricata,
    /// Zeek JSON.
    Zeek,
    /// Elastic Common Schema.
    Ecs,
    /// Sysmon as JSON.
    Sysmon,
    /// Lines as syslog and servers write them.
    Text,
}

impl Telemetry {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Suricata, Self::Zeek, Self::Ecs, Self::Sysmon, Self::Text];

    /// Name of the mapping that reads it.
    pub fn mapping(self) -> &'static str {
        match self {
            Self::Suricata => "suricata",
            Self::Zeek => "zeek",
            Self::Ecs => "ecs",
            Self::Sysmon => "sysmon",
            Self::Text => "text",
        }
    }

    /// Whether a line of this format can carry a value of this kind.
    pub fn carries(self, kind: Kind) -> bool {
        match kind {
            Kind::Ipv4 | Kind::Ipv6 | Kind::Cidr4 | Kind::Cidr6 | Kind::IpPort | Kind::Domain => true,
            Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::FileName => true,
            Kind::Url => true,
            Kind::Email => self != Self::Sysmon,
            Kind::Ja3 | Kind::Ja4 => self != Self::Sysmon,
            Kind::Sha512 => matches!(self, Self::Ecs | Self::Text | Self::Sysmon),
            Kind::CryptoAddress => matches!(self, Self::Ecs | Self::Text | Self::Sysmon),
        }
    }
}

/// Small, fast, repeatable randomness (splitmix64, Steele and others 2014). Not for secrets.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `count`.
    fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }

    /// So many hex digits.
    fn hex(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            let _ = write!(text, "{:016x}", self.next());
        }
        text.truncate(length);
        text
    }

    /// True once in `count` times.
    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A number below `count`, low ones far more often (log-uniform), as traffic prefers a few hosts.
    fn skewed(&mut self, count: u64) -> u64 {
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        ((count as f64).powf(unit) - 1.0) as u64 % count
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.get(self.below(from.len() as u64) as usize).copied().unwrap_or("")
    }
}

const SYLLABLES: [&str; 40] = [
    "an", "bel", "cor", "dan", "el", "fin", "gra", "hol", "in", "jor", "kal", "lum", "mar", "nor", "ost",
    "per", "quen", "ros", "sil", "tor", "uni", "vel", "wes", "xan", "yor", "zen", "blu", "cra", "dri", "flo",
    "gle", "pri", "sta", "tra", "net", "web", "dat", "log", "hub", "lab",
];
const ENDINGS: [&str; 14] =
    ["com", "net", "org", "io", "de", "co.uk", "fr", "it", "info", "eu", "lu", "com.br", "app", "dev"];
const FRONTS: [&str; 14] = [
    "www",
    "api",
    "cdn",
    "mail",
    "static",
    "img",
    "edge-a12",
    "telemetry",
    "assets",
    "login",
    "update",
    "s3.eu-west-1",
    "ocsp",
    "m",
];
const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Microsoft-CryptoAPI/10.0",
    "curl/8.5.0",
    "Debian APT-HTTP/1.3 (2.6.1)",
];
const PORTS: [u64; 8] = [443, 80, 53, 22, 123, 8080, 445, 993];
const NAMES: [&str; 12] = [
    "Müller",
    "Dvořák",
    "Żółć",
    "Ærø",
    "İstanbul",
    "naïve",
    "Ελλάδα",
    "Österreich",
    "Århus",
    "Łódź",
    "café",
    "señal",
];

/// Makes up telemetry, line by line.
#[derive(Clone, Debug)]
pub struct Generator {
    dice: Dice,
    seed: u64,
}

/// What an event is about, before it is spelled in a format.
struct Facts {
    /// Microseconds since 1970 in UTC.
    time: i64,
    source: String,
    source_port: u64,
    target: String,
    target_port: u64,
    host: String,
    /// Path and query of a URL.
    path: String,
    https: bool,
    file: String,
    /// Digests in hex: MD5, SHA-1, SHA-256, SHA-512.
    digests: [String; 4],
    ja3: String,
    ja4: String,
    sender: String,
    receiver: String,
    /// Free text.
    note: String,
    /// Something with letters beyond ASCII, or empty.
    accent: String,
    about: About,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum About {
    Flow,
    Dns,
    Http,
    Tls,
    File,
    Mail,
    Note,
}

impl Generator {
    /// Everything that follows, follows from this seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice(seed), seed }
    }

    /// One line without its line feed. `unix_microseconds` is the event's time; a planted value stands in a field in
    /// which its kind is looked for. A value the format cannot carry (see [`Telemetry::carries`]) is left out.
    pub fn line(&mut self, format: Telemetry, unix_microseconds: i64, plant: Option<&Value>) -> String {
        let mut out = String::with_capacity(1024);
        self.write(&mut out, format, unix_microseconds, plant);
        out
    }

    /// As [`Self::line`], appended to `out`.
    pub fn write(
        &mut self,
        out: &mut String,
        format: Telemetry,
        unix_microseconds: i64,
        plant: Option<&Value>,
    ) {
        let mut facts = self.facts(unix_microseconds);
        if let Some(value) = plant {
            self.plant(&mut facts, format, value.as_ref());
        }
        match format {
            Telemetry::Suricata => self.suricata(out, &facts),
            Telemetry::Zeek => self.zeek(out, &facts),
            Telemetry::Ecs => self.ecs(out, &facts),
            Telemetry::Sysmon => self.sysmon(out, &facts),
            Telemetry::Text => self.text(out, &facts),
        }
    }

    fn facts(&mut self, time: i64) -> Facts {
        let dice = &mut self.dice;
        let about = match dice.below(100) {
            0..35 => About::Flow,
            35..62 => About::Dns,
            62..74 => About::Http,
            74..90 => About::Tls,
            90..96 => About::File,
            96..98 => About::Mail,
            _ => About::Note,
        };
        let source = format!("10.{}.{}.{}", dice.below(4), dice.below(256), 1 + dice.skewed(253));
        let target = self.address();
        let host = self.name();
        let path = self.path();
        let dice = &mut self.dice;
        let accent = if dice.one_in(20) { dice.pick(&NAMES).to_owned() } else { String::new() };
        let file = format!(
            "{}{}.{}",
            dice.pick(&SYLLABLES),
            dice.below(1000),
            dice.pick(&["exe", "pdf", "docx", "zip", "dll", "js"])
        );
        let digests = [32, 40, 64, 128].map(|length| dice.hex(length));
        let mut client = Dice(self.seed ^ dice.skewed(400));
        let ja3 = client.hex(32);
        let ja4 = format!(
            "t13d{:02}{:02}h2_{}_{}",
            client.below(30),
            client.below(20),
            client.hex(12),
            client.hex(12)
        );
        let source_port = 1024 + dice.below(64_000);
        let target_port = PORTS.get(dice.below(8) as usize).copied().unwrap_or(443);
        let sender = format!("{}.{}@{}", dice.pick(&SYLLABLES), dice.pick(&SYLLABLES), self.name());
        let receiver = format!("{}@member.example", self.dice.pick(&SYLLABLES));
        let note = format!(
            "session {} opened for {}",
            self.dice.below(100_000),
            self.dice.pick(&["backup", "svc-web", "admin"])
        );
        let https = self.dice.one_in(2);
        Facts {
            time,
            source,
            source_port,
            target,
            target_port,
            host,
            path,
            https,
            file,
            digests,
            ja3,
            ja4,
            sender,
            receiver,
            note,
            accent,
            about,
        }
    }

    /// An address out of a fixed population, common ones often.
    fn address(&mut self) -> String {
        let index = self.dice.skewed(300_000);
        let mut dice = Dice(self.seed ^ index.wrapping_mul(0x517c_c1b7));
        let [a, b, c, d] = [dice.below(89), dice.below(256), dice.below(256), dice.below(254)];
        if index.is_multiple_of(9) {
            return format!("2a0{}:{:x}:{:x}::{:x}", a % 10, b << 8 | c, dice.below(65536), 1 + d);
        }
        // 11 to 99 has no private and no special-use block.
        format!("{}.{b}.{c}.{}", 11 + a, 1 + d)
    }

    /// Path and query of a URL.
    fn path(&mut self) -> String {
        let dice = &mut self.dice;
        let mut path = String::from("/");
        for _ in 0..dice.below(4) {
            let _ = write!(path, "{}{}/", dice.pick(&SYLLABLES), dice.pick(&SYLLABLES));
        }
        match dice.below(20) {
            0..6 => {
                let _ = write!(
                    path,
                    "index.html?q={}&lang={}",
                    dice.below(1_000_000),
                    dice.pick(&["en", "fr", "de"])
                );
            }
            6 => {
                let _ = write!(path, "search?q=\"{}\"&x={{1}}", dice.pick(&SYLLABLES));
            }
            7..10 => {
                let _ = write!(path, "{}.js", dice.pick(&SYLLABLES));
            }
            _ => {}
        }
        path
    }

    /// A name out of a fixed population, common ones often.
    fn name(&mut self) -> String {
        let index = self.dice.skewed(200_000);
        let mut dice = Dice(self.seed.rotate_left(17) ^ index.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut name = String::with_capacity(40);
        if dice.below(3) > 0 {
            let _ = write!(name, "{}.", dice.pick(&FRONTS));
        }
        for _ in 0..2 + dice.below(3) {
            name.push_str(dice.pick(&SYLLABLES));
        }
        if dice.one_in(4) {
            let _ = write!(name, "-{}{}", dice.pick(&SYLLABLES), dice.below(100));
        }
        let _ = write!(name, ".{}", dice.pick(&ENDINGS));
        name
    }

    /// Puts a value where its kind is looked for.
    fn plant(&mut self, facts: &mut Facts, format: Telemetry, value: ValueRef<'_>) {
        if !format.carries(value.kind) {
            return;
        }
        let shown = value.to_string();
        match value.kind {
            Kind::Ipv4 | Kind::Ipv6 => (facts.about, facts.target) = (About::Flow, shown),
            Kind::Cidr4 | Kind::Cidr6 => {
                (facts.about, facts.target) = (About::Flow, self.within(value).unwrap_or(shown))
            }
            Kind::IpPort => {
                if let Ok(address) = shown.parse::<std::net::SocketAddr>() {
                    facts.about = About::Flow;
                    (facts.target, facts.target_port) = (address.ip().to_string(), address.port().into());
                }
            }
            Kind::Domain => {
                facts.about = if self.dice.one_in(2) { About::Dns } else { About::Tls };
                facts.host =
                    if self.dice.one_in(3) { format!("{}.{shown}", self.dice.pick(&FRONTS)) } else { shown };
            }
            Kind::Url => {
                facts.about = About::Http;
                facts.https = shown.starts_with("https:");
                let rest = shown.split_once("//").map_or(shown.as_str(), |(_, rest)| rest);
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                (facts.host, facts.path) = (host.to_owned(), format!("/{path}"));
            }
            Kind::Email => (facts.about, facts.sender) = (About::Mail, shown),
            Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => {
                facts.about = About::File;
                let place = match value.kind {
                    Kind::Md5 => 0,
                    Kind::Sha1 => 1,
                    Kind::Sha256 => 2,
                    _ => 3,
                };
                if let Some(digest) = facts.digests.get_mut(place) {
                    *digest = shown;
                }
            }
            Kind::Ja3 => (facts.about, facts.ja3) = (About::Tls, shown),
            Kind::Ja4 => (facts.about, facts.ja4) = (About::Tls, shown),
            Kind::FileName => (facts.about, facts.file) = (About::File, shown),
            Kind::CryptoAddress => {
                (facts.about, facts.note) = (About::Note, format!("note found: pay 300 to {shown} now"))
            }
        }
    }

    /// Some address of a network.
    fn within(&mut self, network: ValueRef<'_>) -> Option<String> {
        let (length, net) = network.bytes.split_last()?;
        let ip: IpAddr = match net.len() {
            4 => {
                let host = u32::MAX.checked_shr((*length).into()).unwrap_or(0) & self.dice.next() as u32;
                (u32::from_be_bytes(net.try_into().ok()?) | host).to_be_bytes().into()
            }
            _ => {
                let host =
                    u128::MAX.checked_shr((*length).into()).unwrap_or(0) & u128::from(self.dice.next());
                (u128::from_be_bytes(net.try_into().ok()?) | host).to_be_bytes().into()
            }
        };
        Some(ip.to_string())
    }
}

#[cfg(test)]
mod tests;
