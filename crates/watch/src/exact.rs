//! The exact side: reads a line as JSON really is (or as text), looks every value up and reports the hits.
//!
//! This is the oracle of the scan. Every occurrence of a repeated key counts: which of them another tool would take
//! is not known, and none may hide a value.

use std::fmt;
use std::net::IpAddr;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::decode::{Decoder, Line, Memory};
use crate::mapping::{Action, Format, Mapping, Reading};
use crate::matcher::Hit;
use crate::offer::{self, Offer};
use crate::record::{self, Recorder};
use crate::table::schemeless;
use crate::value::{Kind, ValueRef, normal};
use crate::watchlist::Watchlist;

/// Most hits reported for one line; a line built to hit more is cut there.
const HITS_PER_LINE_MAX: usize = 4_096;
/// Most parts of URLs put together for one line.
const URL_PARTS_MAX: usize = 64;

/// What a line's mapped paths hold: texts in one buffer, reused from line to line.
#[derive(Default)]
pub(crate) struct Extract {
    buffer: String,
    /// Node of the path tree, and where its text lies in `buffer`.
    found: Vec<(u32, usize, usize)>,
    /// Whether fields that are told but not watched are wanted too.
    told: bool,
}

impl Extract {
    /// One that takes told fields as well as watched ones.
    pub(crate) fn telling() -> Self {
        Self { told: true, ..Self::default() }
    }

    /// Lets go of the last line.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.found.clear();
    }

    /// Whether a text at this node is worth taking.
    pub(crate) fn wants(&self, mapping: &Mapping, node: u32) -> bool {
        !mapping.actions(node).is_empty() || (self.told && mapping.told_at(node).is_some())
    }

    /// What was found, in order: node and text.
    pub(crate) fn found(&self) -> impl Iterator<Item = (u32, &str)> {
        self.found.iter().map(|(node, from, to)| (*node, self.buffer.get(*from..*to).unwrap_or_default()))
    }

    /// Reads a line as JSON along the mapping's paths.
    pub(crate) fn json(&mut self, mapping: &Mapping, line: &[u8]) -> Result<(), BadLine> {
        let mut reader = serde_json::Deserializer::from_slice(line);
        Walk { mapping, node: 0, root: true, out: self }
            .deserialize(&mut reader)
            .and_then(|()| reader.end())
            .map_err(|_| BadLine)
    }

    /// Takes a line apart by a decoder, along the mapping's paths.
    pub(crate) fn decoded(
        &mut self,
        mapping: &Mapping,
        decoder: Decoder,
        memory: &mut Memory,
        line: &[u8],
    ) -> Line {
        let read = decoder.read(memory, line, &mut |key, text| {
            if let Some(node) = mapping.child(0, key).filter(|node| self.wants(mapping, *node)) {
                self.push(node, &String::from_utf8_lossy(text));
            }
        });
        if read != Line::Event {
            self.clear();
        }
        read
    }

    /// When the event says it was: of the paths that may say so, the first the mapping names.
    pub(crate) fn time(&self, mapping: &Mapping) -> Option<&str> {
        let mut time: Option<(u16, &str)> = None;
        for (node, text) in self.found() {
            for action in mapping.actions(node) {
                if let Action::Time(rank) = action
                    && time.is_none_or(|(best, _)| *rank < best)
                {
                    time = Some((*rank, text));
                }
            }
        }
        time.map(|(_, text)| text)
    }

    pub(crate) fn push(&mut self, node: u32, text: &str) {
        let from = self.buffer.len();
        self.buffer.push_str(text);
        self.found.push((node, from, self.buffer.len()));
    }

    fn push_shown(&mut self, node: u32, value: impl fmt::Display) {
        use fmt::Write as _;
        let from = self.buffer.len();
        if write!(self.buffer, "{value}").is_ok() {
            self.found.push((node, from, self.buffer.len()));
        }
    }
}

/// When the event in `line` says it was, as written; `None` in text, or where it says nothing.
pub fn event_time(mapping: &Mapping, line: &[u8]) -> Option<String> {
    let mut extract = Extract::default();
    let read = match mapping.format() {
        Format::Json => extract.json(mapping, line).is_ok(),
        Format::Decoded(decoder) => {
            extract.decoded(mapping, decoder, &mut mapping.memory().clone(), line) == Line::Event
        }
        Format::Text => false,
    };
    extract.time(mapping).filter(|_| read).map(str::to_owned)
}

/// Walks the JSON along the mapping's paths.
struct Walk<'a> {
    mapping: &'a Mapping,
    node: u32,
    root: bool,
    out: &'a mut Extract,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_> {
    fn text<E: serde::de::Error>(self, push: impl FnOnce(&mut Extract, u32)) -> Result<(), E> {
        if self.root {
            return Err(E::custom("a line is one JSON object"));
        }
        if self.out.wants(self.mapping, self.node) {
            push(self.out, self.node);
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.text(|out, node| out.push(node, text))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.text(|out, node| out.push_shown(node, number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.text(|out, node| out.push_shown(node, number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.text(|out, node| out.push_shown(node, number))
    }

    fn visit_bool<E: serde::de::Error>(self, is: bool) -> Result<(), E> {
        self.text(|out, node| out.push(node, if is { "true" } else { "false" }))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.text(|_, _| {})
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        if self.root {
            return Err(A::Error::custom("a line is one JSON object"));
        }
        let Self { mapping, node, out, .. } = self;
        while all.next_element_seed(Walk { mapping, node, root: false, out: &mut *out })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { mapping, node, out, .. } = self;
        while let Some(child) = map.next_key_seed(Key { mapping, node })? {
            match child {
                Some(node) => map.next_value_seed(Walk { mapping, node, root: false, out: &mut *out })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Key<'a> {
    mapping: &'a Mapping,
    node: u32,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<u32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u32>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Option<u32>, E> {
        Ok(self.mapping.child(self.node, key))
    }
}

/// A line that is not what its format asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadLine;

/// Looks lines up exactly. Buffers are kept from line to line.
#[derive(Default)]
pub(crate) struct Judge {
    extract: Extract,
    hits: Hits,
    memory: Memory,
    scratch: Vec<u8>,
    /// A name in normal form, and a URL being put together.
    name: Vec<u8>,
    url: Vec<u8>,
}

/// Hits of one line, in one buffer.
#[derive(Default)]
struct Hits {
    bytes: Vec<u8>,
    all: Vec<Found>,
}

#[derive(Clone, Copy)]
struct Found {
    indicator: u32,
    field: u16,
    kind: Kind,
    value: (usize, usize),
    observed: (usize, usize),
}

impl Hits {
    fn push(&mut self, indicator: u32, field: u16, value: ValueRef<'_>, shown: &[u8]) {
        let known = self.all.iter().any(|hit| {
            hit.indicator == indicator
                && hit.field == field
                && hit.kind == value.kind
                && self.bytes.get(hit.value.0..hit.value.1) == Some(value.bytes)
        });
        if known || self.all.len() >= HITS_PER_LINE_MAX {
            return;
        }
        let from = self.bytes.len();
        self.bytes.extend_from_slice(value.bytes);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(shown);
        let observed = (middle, self.bytes.len());
        self.all.push(Found { indicator, field, kind: value.kind, value: (from, middle), observed });
    }
}

/// Offers go to the watchlist; what is listed becomes a hit of `field`.
struct LookUp<'a> {
    watchlist: &'a Watchlist,
    field: u16,
    hits: &'a mut Hits,
    name: &'a mut Vec<u8>,
    /// Told of every value, with the kinds it is told of.
    recorder: Option<&'a mut dyn Recorder>,
    recorded: u32,
}

impl Offer for LookUp<'_> {
    fn kinds(&self) -> u32 {
        self.watchlist.kinds() | self.recorded
    }

    fn ipv4(&mut self, address: u32, port: Option<u16>, shown: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.ipv4(address);
        }
        let (field, hits) = (self.field, &mut *self.hits);
        self.watchlist
            .find_ip(IpAddr::V4(address.into()), port, &mut |value, id| hits.push(id, field, value, shown));
    }

    fn ipv6(&mut self, address: u128, port: Option<u16>, shown: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.ipv6(address);
        }
        let (field, hits) = (self.field, &mut *self.hits);
        self.watchlist
            .find_ip(IpAddr::V6(address.into()), port, &mut |value, id| hits.push(id, field, value, shown));
    }

    fn name(&mut self, shown: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.name(shown.strip_suffix(b".").unwrap_or(shown));
        }
        self.name.clear();
        if normal::domain(shown, self.name).is_ok() {
            let (field, hits) = (self.field, &mut *self.hits);
            self.watchlist.find_domain(self.name, &mut |value, id| hits.push(id, field, value, shown));
        }
    }

    fn url(&mut self, normal: &[u8], shown: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.value(Kind::Url, schemeless(normal));
        }
        let (field, hits) = (self.field, &mut *self.hits);
        self.watchlist.find_url(normal, &mut |value, id| hits.push(id, field, value, shown));
    }

    fn plain(&mut self, kind: Kind, normal: &[u8], shown: &[u8]) {
        if let Some(recorder) = &mut self.recorder
            && self.recorded & kind.bit() != 0
        {
            recorder.value(kind, normal);
        }
        let (field, hits) = (self.field, &mut *self.hits);
        self.watchlist.find_plain(kind, normal, &mut |value, id| hits.push(id, field, value, shown));
    }
}

impl Judge {
    /// Starts a new stream.
    pub(crate) fn begin(&mut self, mapping: &Mapping) {
        self.memory.clone_from(mapping.memory());
    }

    /// Reads a line exactly and reports what is listed. Returns how many hits there were.
    ///
    /// # Errors
    /// [`BadLine`] if the format is JSON and the line is no JSON object: it has no hits then.
    pub(crate) fn examine(
        &mut self,
        watchlist: &Watchlist,
        mapping: &Mapping,
        line: &[u8],
        offset: u64,
        mut recorder: Option<&mut dyn Recorder>,
        sink: &mut dyn FnMut(&Hit<'_>),
    ) -> Result<usize, BadLine> {
        let recorded = recorder.as_ref().map_or(0, |_| record::recorded(mapping.format()));
        self.hits.bytes.clear();
        self.hits.all.clear();
        self.extract.clear();
        match mapping.format() {
            Format::Text => {
                let mut to = LookUp {
                    watchlist,
                    field: 0,
                    hits: &mut self.hits,
                    name: &mut self.name,
                    recorder: recorder.as_mut().map(|to| &mut **to as _),
                    recorded,
                };
                offer::offer(Reading::Text, line, None, &mut self.scratch, &mut to);
            }
            Format::Decoded(decoder) => {
                match self.extract.decoded(mapping, decoder, &mut self.memory, line) {
                    Line::Event => {
                        let recorder = recorder.as_mut().map(|to| &mut **to as _);
                        self.look_up(watchlist, mapping, recorder, recorded);
                    }
                    Line::Aside => {}
                    Line::Other => {
                        let field = mapping.line_field();
                        let mut to = LookUp {
                            watchlist,
                            field,
                            hits: &mut self.hits,
                            name: &mut self.name,
                            recorder: recorder.as_mut().map(|to| &mut **to as _),
                            recorded,
                        };
                        offer::offer(Reading::Text, line, None, &mut self.scratch, &mut to);
                    }
                }
            }
            Format::Json => {
                if self.extract.json(mapping, line).is_err() {
                    if let Some(recorder) = recorder {
                        recorder.end(false);
                    }
                    return Err(BadLine);
                }
                self.look_up(watchlist, mapping, recorder.as_mut().map(|to| &mut **to as _), recorded);
            }
        }
        if let Some(recorder) = recorder {
            recorder.end(true);
        }
        self.report(mapping, line, offset, sink);
        Ok(self.hits.all.len())
    }

    fn look_up<'a>(
        &'a mut self,
        watchlist: &'a Watchlist,
        mapping: &Mapping,
        recorder: Option<&'a mut dyn Recorder>,
        recorded: u32,
    ) {
        let Self { extract, hits, scratch, name, url, .. } = self;
        let text = |from: usize, to: usize| extract.buffer.as_bytes().get(from..to).unwrap_or_default();
        let found = || {
            extract.found.iter().flat_map(|(node, from, to)| {
                mapping.actions(*node).iter().map(move |action| (*action, text(*from, *to)))
            })
        };
        let mut to = LookUp { watchlist, field: 0, hits, name, recorder, recorded };
        for (action, text) in found() {
            let Action::Field { field, endpoint } = action else { continue };
            let Some(reading) = mapping.field(field).map(|field| field.reading) else { continue };
            to.field = field;
            offer::offer(reading, text, None, scratch, &mut to);
            // The address once more with every port its endpoint shows: hits already known are not repeated.
            for (action, port) in found() {
                if matches!((action, endpoint), (Action::Port(of), Some(endpoint)) if of == endpoint)
                    && let Some(port) = normal::number(port, u16::MAX)
                {
                    offer::offer(reading, text, Some(port), scratch, &mut to);
                }
            }
        }
        for (number, rule) in mapping.urls().iter().enumerate() {
            let of = |wanted: Action| {
                found().filter(move |(action, _)| *action == wanted).map(|(_, text)| text).take(URL_PARTS_MAX)
            };
            let number = number as u16;
            to.field = rule.field;
            for path in of(Action::UrlPath(number)) {
                for host in of(Action::UrlHost(number)) {
                    let mut ports = of(Action::UrlPort(number)).peekable();
                    if ports.peek().is_none() {
                        compose(host, path, None, url, &mut to);
                    }
                    for port in ports {
                        compose(host, path, Some(port), url, &mut to);
                    }
                }
            }
        }
    }

    fn report(&self, mapping: &Mapping, line: &[u8], offset: u64, sink: &mut dyn FnMut(&Hit<'_>)) {
        if self.hits.all.is_empty() {
            return;
        }
        let time = self.extract.time(mapping);
        let bytes = |(from, to): (usize, usize)| self.hits.bytes.get(from..to).unwrap_or_default();
        for hit in &self.hits.all {
            sink(&Hit {
                indicator: hit.indicator,
                field: mapping.field(hit.field).map_or("", |field| field.path.as_str()),
                value: ValueRef { kind: hit.kind, bytes: bytes(hit.value) },
                observed: bytes(hit.observed),
                observed_time: time,
                offset,
                line,
            });
        }
    }
}

/// Puts a URL together as an event spells it. A path that is a whole URL (a proxy's request line) is taken as it is.
fn compose(host: &[u8], path: &[u8], port: Option<&[u8]>, url: &mut Vec<u8>, to: &mut LookUp<'_>) {
    if compose_url(host, path, port, url) {
        to.url(url, path);
    }
}

/// Writes the normal form of a URL spelled in parts; false if it has none.
pub(crate) fn compose_url(host: &[u8], path: &[u8], port: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    out.clear();
    if path.first() != Some(&b'/') && memchr::memmem::find(path, b"://").is_some() {
        return normal::url(path, out).is_ok();
    }
    match port {
        None => normal::compose(b"", host, path, out).is_ok(),
        Some(port) => {
            let mut authority = host.to_vec();
            authority.push(b':');
            authority.extend_from_slice(port);
            normal::compose(b"", &authority, path, out).is_ok()
        }
    }
}
