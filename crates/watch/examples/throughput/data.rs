//! What is listed and what is read: values, and telemetry in several shapes.

use std::fmt::Write as _;

use serde::Serialize as _;
use shieldwall_watch::generate::{Generator, Telemetry};
use shieldwall_watch::value::{Kind, Value, refang};

/// Values, and where they come from: all of maltrail's list (or as many as asked for), then made-up ones after the
/// same shares.
pub(crate) fn listed(count: Option<usize>) -> Result<(Vec<Value>, &'static str), Box<dyn std::error::Error>> {
    let mut values = Vec::new();
    let mut source = "made-up values";
    if let Some(data) = std::env::var_os("SHIELDWALL_DATA") {
        source = "maltrail-indicators.csv";
        let file =
            std::fs::File::open(std::path::Path::new(&data).join("volume/maltrail-indicators.csv.zst"))?;
        let text = String::from_utf8(zstd::stream::decode_all(file)?)?;
        for line in text.lines().skip(1) {
            let mut cells = line.split(',');
            let (Some(kind), Some(value)) = (cells.next(), cells.next()) else { continue };
            if let Ok(value) = Value::new(kind.parse()?, &refang(value)) {
                values.push(value);
            }
        }
    }
    let wanted = count.unwrap_or(if values.is_empty() { 1_480_000 } else { values.len() });
    values.truncate(wanted);
    let mut number = 0u64;
    while values.len() < wanted {
        number += 1;
        values.push(made_up(number)?);
    }
    Ok((values, source))
}

/// The shares: 12 of 20 names, 3 an address with a port, 1 an address, 3 digests, 1 a URL.
fn made_up(number: u64) -> Result<Value, Box<dyn std::error::Error>> {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let address = || {
        format!("{}.{}.{}.{}", 11 + spread % 89, spread >> 10 & 255, spread >> 20 & 255, spread >> 30 & 255)
    };
    let ending = ["com", "net", "org", "info", "top", "xyz", "ru", "cn"]
        .get((spread >> 20) as usize % 8)
        .copied()
        .unwrap_or("com");
    let (kind, text) = match number % 20 {
        0..9 => (Kind::Domain, format!("{:x}{number:x}.{ending}", spread >> 48)),
        9..12 => (Kind::Domain, format!("{:x}.dyn-{}.{ending}", spread >> 36, number % 5_000)),
        12..15 => (Kind::IpPort, format!("{}:{}", address(), 1 | (spread >> 48))),
        15 => (Kind::Ipv4, address()),
        16 | 17 => (Kind::Sha256, format!("{spread:016x}{number:016x}{spread:032x}")),
        18 => (Kind::Md5, format!("{spread:032x}")),
        _ => (Kind::Url, format!("http://{:x}.dyn-{}.{ending}/{number:x}.php", spread >> 44, number % 5_000)),
    };
    Ok(Value::new(kind, &text)?)
}

/// How events are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One a line, no blanks: as Suricata writes them.
    Plain,
    /// One a line, a blank behind `:` and `,`.
    Spaced,
    /// Over several lines.
    Pretty,
    /// `/` as `\/`, and in every event a text with quotes, backslashes and `\u` escapes.
    Escaped,
}

impl Shape {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "plain" => Some(Self::Plain),
            "spaced" => Some(Self::Spaced),
            "pretty" => Some(Self::Pretty),
            "escaped" => Some(Self::Escaped),
            _ => None,
        }
    }

    fn spell(self, line: &str, number: usize, out: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        match self {
            Self::Plain => out.push_str(line),
            Self::Escaped => {
                let line = line.replace('/', "\\/");
                let body = line.strip_prefix('{').unwrap_or(&line);
                write!(
                    out,
                    r#"{{"note":"he said \"caf\u00e9 {number}\" in C:\\Users\\x{number}\\AppData\n\ton \u202e\u65e5\u672c",{body}"#
                )?;
            }
            Self::Spaced | Self::Pretty => {
                let raw: Box<serde_json::value::RawValue> = serde_json::from_str(line)?;
                let mut bytes = Vec::new();
                let value: Ordered = serde_json::from_str(raw.get())?;
                if self == Self::Pretty {
                    value.serialize(&mut serde_json::Serializer::pretty(&mut bytes))?;
                } else {
                    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Blanks))?;
                }
                out.push_str(std::str::from_utf8(&bytes)?);
            }
        }
        out.push('\n');
        Ok(())
    }
}

/// JSON that keeps the order of its keys.
enum Ordered {
    Object(Vec<(String, Ordered)>),
    Array(Vec<Ordered>),
    Other(serde_json::Value),
}

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(from)?;
        let bad = serde::de::Error::custom;
        match raw.get().bytes().next() {
            Some(b'{') => {
                struct Members;
                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = Vec<(String, Ordered)>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut all = Vec::new();
                        while let Some(member) = map.next_entry()? {
                            all.push(member);
                        }
                        Ok(all)
                    }
                }
                let mut from = serde_json::Deserializer::from_str(raw.get());
                serde::Deserializer::deserialize_map(&mut from, Members).map(Self::Object).map_err(bad)
            }
            Some(b'[') => serde_json::from_str(raw.get()).map(Self::Array).map_err(bad),
            _ => serde_json::from_str(raw.get()).map(Self::Other).map_err(bad),
        }
    }
}

impl serde::Serialize for Ordered {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(all) => to.collect_map(all.iter().map(|(key, value)| (key, value))),
            Self::Array(all) => to.collect_seq(all),
            Self::Other(value) => value.serialize(to),
        }
    }
}

/// A blank behind every `:` and `,`, as Python writes JSON.
struct Blanks;

impl serde_json::ser::Formatter for Blanks {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W) -> std::io::Result<()> {
        to.write_all(b": ")
    }
}

/// Telemetry: the text, where each event lies in it, and how many carry a listed value.
pub(crate) struct Events {
    pub(crate) text: String,
    pub(crate) events: Vec<(usize, usize)>,
    pub(crate) planted: usize,
}

impl Events {
    pub(crate) fn part(&self, (from, to): (usize, usize)) -> &[u8] {
        self.text.as_bytes().get(from..to).unwrap_or_default()
    }
}

/// At least so many octets of events; `per_mille` of them carry a listed value.
pub(crate) fn generate(
    format: Telemetry,
    shape: Shape,
    octets: usize,
    per_mille: usize,
    values: &[Value],
) -> Result<Events, Box<dyn std::error::Error>> {
    let mut generator = Generator::new(7);
    let mut all = Events { text: String::with_capacity(octets + (1 << 16)), events: Vec::new(), planted: 0 };
    let mut line = String::new();
    while all.text.len() < octets {
        let number = all.events.len();
        let carries = number * per_mille / 1000 != (number + 1) * per_mille / 1000;
        let value = values.get(number.wrapping_mul(7919) % values.len().max(1)).filter(|_| carries);
        all.planted += usize::from(value.is_some_and(|value| format.carries(value.kind())));
        line.clear();
        generator.write(&mut line, format, 1_767_225_600_000_000 + number as i64 * 500, value);
        let from = all.text.len();
        shape.spell(&line, number, &mut all.text)?;
        all.events.push((from, all.text.len() - 1));
    }
    Ok(all)
}
