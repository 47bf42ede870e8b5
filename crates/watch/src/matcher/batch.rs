//! A batch of lines: values are queued with their hashes, then judged together.
//!
//! Judging goes in rounds. In each, every hash queued is asked of the filter, whose cache lines have arrived by then.
//! A name whose suffix the filter knows is queued once more with the next longer suffix, so that no step of the walk
//! waits for memory either.

use crate::exact::{Judge, compose_url};
use crate::hash::{self, Class};
use crate::mapping::Mapping;
use crate::matcher::{Sink, Stats};
use crate::offer::{ADDRESSES, Offer, plain_hash};
use crate::record::{self, Recorder};
use crate::table::{last_labels, longer, schemeless};
use crate::value::{Kind, normal};
use crate::watchlist::Watchlist;
use shieldwall_model::limits::EVENT_BYTES_MAX;

use super::scan::{Windows, unescape};
use super::sieve::is_plain_host;

/// Lines in a batch.
const BATCH_LINES: usize = 64;

/// What waits for the filter's answer.
#[derive(Clone, Copy)]
enum What {
    /// A value as it is.
    Whole,
    /// A suffix of a name, so long; the name is so long in all and lies in the text, or behind it in `names`.
    Name { suffix: u16, length: u16 },
    /// The host of a URL, which lies in `urls`.
    Url,
}

struct Item {
    hash: u64,
    /// Where a name lies, or a URL's number.
    from: usize,
    what: What,
    line: u16,
}

/// A URL in the text: whole, or in two parts.
#[derive(Clone, Copy)]
struct UrlParts {
    /// Host; empty if the path is the whole URL.
    host: (usize, usize),
    path: (usize, usize),
    /// The path has escapes.
    escaped: bool,
}

struct Line {
    from: usize,
    to: usize,
    candidate: bool,
    /// The scan could not judge it, so that its values are recorded by the exact reader.
    unsure: bool,
}

/// Buffers of a batch, kept from batch to batch.
#[derive(Default)]
pub(super) struct Batch {
    items: Vec<Item>,
    /// The next round's items.
    next: Vec<Item>,
    lines: Vec<Line>,
    /// Names that do not lie in the text as they are.
    names: Vec<u8>,
    urls: Vec<UrlParts>,
    pub(super) scratch: Vec<u8>,
    pub(super) unescaped: Vec<u8>,
    /// What the decoder remembers; the exact side has a memory of its own, for it reads each line later.
    pub(super) memory: crate::decode::Memory,
    pub(super) windows: Option<Box<Windows>>,
}

/// One run over complete lines.
pub(super) struct Pass<'a> {
    watchlist: &'a Watchlist,
    pub(super) mapping: &'a Mapping,
    pub(super) text: &'a [u8],
    offset: u64,
    pub(super) batch: &'a mut Batch,
    judge: &'a mut Judge,
    stats: &'a mut Stats,
    recorder: Option<&'a mut (dyn Recorder + 'a)>,
    sink: &'a mut Sink<'a>,
    kinds: u32,
    /// Kinds the recorder is told of; none without one.
    pub(super) recorded: u32,
    key: u64,
    pub(super) root_labels: usize,
    /// One JSON object a line.
    json: bool,
    /// Where the current line starts.
    start: usize,
    /// Where a line starts that only opens an event written over several lines: the run ends there.
    pub(super) opened: Option<usize>,
    /// The current line must be read exactly.
    candidate: bool,
    /// The scan cannot judge the current line.
    unsure: bool,
    /// Parts of URLs in the current line: how many of each, and where the last ones lie.
    hosts: u32,
    paths: u32,
    parts: UrlParts,
}

impl<'a> Pass<'a> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        watchlist: &'a Watchlist,
        mapping: &'a Mapping,
        text: &'a [u8],
        offset: u64,
        batch: &'a mut Batch,
        judge: &'a mut Judge,
        stats: &'a mut Stats,
        recorder: Option<&'a mut dyn Recorder>,
        sink: &'a mut Sink<'_>,
    ) -> Self {
        Self {
            kinds: watchlist.kinds(),
            key: watchlist.key(),
            root_labels: watchlist.root_labels(),
            watchlist,
            mapping,
            text,
            offset,
            batch,
            judge,
            stats,
            recorded: recorder.as_ref().map_or(0, |_| record::recorded(mapping.format())),
            recorder,
            sink,
            json: mapping.format() == crate::mapping::Format::Json,
            start: 0,
            opened: None,
            candidate: false,
            unsure: false,
            hosts: 0,
            paths: 0,
            parts: UrlParts { host: (0, 0), path: (0, 0), escaped: false },
        }
    }

    /// The scan cannot judge the current line.
    #[inline]
    pub(super) fn unsure(&mut self) {
        (self.candidate, self.unsure) = (true, true);
    }

    #[inline(always)]
    fn push(&mut self, hash: u64, from: usize, what: What) {
        self.watchlist.prefetch(hash);
        let line = self.batch.lines.len() as u16;
        self.batch.items.push(Item { hash, from, what, line });
    }

    /// A value of a kind that hashes as it is written.
    #[inline]
    pub(super) fn hashed(&mut self, kind: Kind, class: Class, raw: &[u8]) {
        if self.kinds & kind.bit() != 0 {
            self.push(hash::of_text(self.key, class, raw), 0, What::Whole);
        }
    }

    /// A name in ASCII that stands at `from` in the text, the last labels asked first at `root`.
    #[inline(always)]
    pub(super) fn plain_name(&mut self, name: &[u8], from: usize, root: usize) {
        if let Some(recorder) = &mut self.recorder {
            recorder.name(name);
        }
        let suffix = name.get(root - from..).unwrap_or_default();
        if self.kinds & Kind::Domain.bit() != 0 {
            let hash = hash::of_text(self.key, Class::Domain, suffix);
            let length = name.len() as u16;
            self.push(hash, from, What::Name { suffix: suffix.len() as u16, length });
        }
    }

    /// Host part of a URL, as it stands in the text.
    #[inline]
    pub(super) fn url_host(&mut self, from: usize, to: usize) {
        self.hosts += 1;
        self.parts.host = (from, to);
    }

    /// Path part of a URL, as it stands in the text.
    #[inline]
    pub(super) fn url_path(&mut self, from: usize, to: usize, escaped: bool) {
        self.paths += 1;
        (self.parts.path, self.parts.escaped) = ((from, to), escaped);
    }

    /// A whole URL that stands in the text, of this host.
    pub(super) fn whole_url(&mut self, host: &[u8], from: usize, to: usize) {
        self.url_at(host, UrlParts { host: (0, 0), path: (from, to), escaped: false });
    }

    #[inline]
    fn url_at(&mut self, host: &[u8], parts: UrlParts) {
        if self.kinds & Kind::Url.bit() != 0 {
            self.push(hash::of_text(self.key, Class::UrlHost, host), self.batch.urls.len(), What::Url);
            self.batch.urls.push(parts);
        }
    }

    fn part(&self, (from, to): (usize, usize)) -> &'a [u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    #[inline]
    fn put_url_together(&mut self) {
        if self.hosts > 1 || self.paths > 1 {
            return self.unsure();
        }
        if (self.kinds | self.recorded) & Kind::Url.bit() == 0 {
            return;
        }
        let parts = self.parts;
        let host = self.part(parts.host);
        if self.recorded == 0 && self.part(parts.path).first() == Some(&b'/') && is_plain_host(host) {
            return self.url_at(host, parts);
        }
        let mut url = std::mem::take(&mut self.batch.scratch);
        if self.compose(&parts, &mut url) {
            self.url(&url, &[]);
        }
        self.batch.scratch = url;
    }

    /// Writes the normal form of a URL; false if it has none.
    fn compose(&mut self, parts: &UrlParts, out: &mut Vec<u8>) -> bool {
        let path = self.part(parts.path);
        if parts.host == (0, 0) {
            out.clear();
            return normal::url(path.trim_ascii(), out).is_ok();
        }
        let host = self.part(parts.host);
        if !parts.escaped {
            return compose_url(host, path, None, out);
        }
        let mut plain = std::mem::take(&mut self.batch.unescaped);
        let good = unescape(path, &mut plain) && compose_url(host, &plain, None, out);
        self.batch.unescaped = plain;
        good
    }

    /// Ends the current line at `to`, where its line feed stands or the text ends.
    #[inline(always)]
    pub(super) fn end_line(&mut self, to: usize) {
        let from = std::mem::replace(&mut self.start, to + 1);
        let line = self.text.get(from..to).unwrap_or_default();
        let odd = match (self.json, line.first(), line.last()) {
            (true, Some(b'{'), Some(b'}')) => None,
            (false, Some(byte), _) if *byte > b' ' => None,
            _ => Some(self.odd_line(from, line)),
        };
        match odd {
            None => self.end_value(from, to),
            Some(Odd::Event(length)) => self.end_value(from, from + length),
            Some(Odd::None) => self.forget_line(),
        }
    }

    /// A line that does not look like an event at first sight.
    #[inline(never)]
    fn odd_line(&mut self, from: usize, line: &[u8]) -> Odd {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            return Odd::None;
        }
        if !self.json {
            return Odd::Event(line.len());
        }
        // What stands around the events of an array, one a line.
        if matches!(trimmed, b"[" | b"]" | b"," | b"],") {
            return Odd::None;
        }
        if trimmed == b"{" {
            self.opened = Some(from);
            return Odd::None;
        }
        // Without the comma behind it, if it is one of an array's.
        let event = line.trim_ascii_end();
        let event = event.strip_suffix(b",").map_or(event, <[u8]>::trim_ascii_end);
        if !event.trim_ascii_start().starts_with(b"{") || !event.ends_with(b"}") {
            self.unsure();
        }
        Odd::Event(event.len())
    }

    /// Ends an event that lies from `from` to `to`.
    #[inline(always)]
    pub(super) fn end_value(&mut self, from: usize, to: usize) {
        if self.hosts > 0 && self.paths > 0 {
            self.put_url_together();
        }
        (self.hosts, self.paths) = (0, 0);
        self.stats.events += 1;
        if to - from > EVENT_BYTES_MAX {
            self.stats.long_lines += 1;
            return self.forget_line();
        }
        let candidate = std::mem::take(&mut self.candidate);
        let unsure = std::mem::take(&mut self.unsure);
        self.end_record(!unsure);
        self.batch.lines.push(Line { from, to, candidate, unsure });
        if self.batch.lines.len() >= BATCH_LINES {
            self.flush();
        }
    }

    #[inline]
    fn end_record(&mut self, count: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end(count);
        }
    }

    /// Drops what was queued for the current line.
    #[inline(never)]
    fn forget_line(&mut self) {
        self.end_record(false);
        (self.hosts, self.paths) = (0, 0);
        (self.candidate, self.unsure) = (false, false);
        let line = self.batch.lines.len() as u16;
        while self.batch.items.last().is_some_and(|item| item.line == line) {
            self.batch.items.pop();
        }
    }

    /// Asks filter and table for everything queued and reads the candidates exactly.
    pub(super) fn flush(&mut self) {
        let mut items = std::mem::take(&mut self.batch.items);
        let mut next = std::mem::take(&mut self.batch.next);
        while !items.is_empty() {
            for item in &items {
                if self.watchlist.may_hold(item.hash) {
                    self.passed(item, &mut next);
                }
            }
            items.clear();
            std::mem::swap(&mut items, &mut next);
        }
        self.batch.items = items;
        self.batch.next = next;
        self.batch.names.clear();
        self.batch.urls.clear();
        let mut lines = std::mem::take(&mut self.batch.lines);
        for line in lines.iter().filter(|line| line.candidate) {
            self.examine(line.from, line.to, line.unsure);
        }
        lines.clear();
        self.batch.lines = lines;
    }

    /// The filter let a hash pass: is it listed, or is there more to ask?
    #[inline(never)]
    fn passed(&mut self, item: &Item, next: &mut Vec<Item>) {
        let line = usize::from(item.line);
        if self.batch.lines.get(line).is_none_or(|line| line.candidate) {
            return;
        }
        let likely = match item.what {
            What::Whole => self.watchlist.likely(item.hash),
            What::Name { suffix, length } => {
                let length = usize::from(length);
                let name = match item.from.checked_sub(self.text.len()) {
                    None => self.text.get(item.from..item.from + length),
                    Some(from) => self.batch.names.get(from..from + length),
                };
                let name = name.unwrap_or_default();
                let suffix = name.get(length - usize::from(suffix)..).unwrap_or_default();
                if suffix.len() < length
                    && let Some(longer) = longer(name, suffix)
                {
                    let hash = hash::of_text(self.key, Class::Domain, longer);
                    self.watchlist.prefetch(hash);
                    let what = What::Name { suffix: longer.len() as u16, length: length as u16 };
                    next.push(Item { hash, what, ..*item });
                }
                // Beyond ASCII the listed form is spelled otherwise.
                !name.is_ascii() || self.watchlist.likely_name(item.hash)
            }
            What::Url => {
                let Some(parts) = self.batch.urls.get(item.from) else { return };
                let parts = *parts;
                let mut url = std::mem::take(&mut self.batch.scratch);
                let good = self.compose(&parts, &mut url);
                let hash = hash::of_text(self.key, Class::Url, schemeless(&url));
                self.batch.scratch = url;
                good && self.watchlist.likely(hash)
            }
        };
        if likely && let Some(line) = self.batch.lines.get_mut(line) {
            line.candidate = true;
        }
    }

    fn examine(&mut self, from: usize, to: usize, record: bool) {
        self.stats.slow_lines += 1;
        let line = self.text.get(from..to).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A byte order mark is no part of the first line.
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let offset = self.offset + from as u64;
        let recorder = self.recorder.as_mut().filter(|_| record).map(|to| &mut **to as _);
        match self.judge.examine(self.watchlist, self.mapping, line, offset, recorder, self.sink) {
            Ok(hits) => {
                self.stats.matches += hits as u64;
                self.stats.events_matched += u64::from(hits > 0);
            }
            Err(crate::exact::BadLine) => self.stats.bad_lines += 1,
        }
    }
}

/// What a line is that does not start with `{` and end with `}`.
enum Odd {
    /// No event.
    None,
    /// An event, so many octets long.
    Event(usize),
}

impl Offer for Pass<'_> {
    #[inline(always)]
    fn kinds(&self) -> u32 {
        self.kinds | self.recorded
    }

    #[inline(always)]
    fn ipv4(&mut self, address: u32, _: Option<u16>, _: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.ipv4(address);
        }
        if self.kinds & ADDRESSES != 0 {
            if self.watchlist.near_network4(address) {
                self.candidate = true;
            }
            if self.watchlist.near_address4(address) {
                self.push(hash::of_ipv4(self.key, address), 0, What::Whole);
            }
        }
    }

    fn ipv6(&mut self, address: u128, _: Option<u16>, _: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.ipv6(address);
        }
        if self.kinds & ADDRESSES != 0 {
            if self.watchlist.near_network6(address) {
                self.candidate = true;
            }
            self.push(hash::of_octets(self.key, Class::Address, &address.to_be_bytes()), 0, What::Whole);
        }
    }

    #[inline]
    fn name(&mut self, shown: &[u8]) {
        let name = shown.strip_suffix(b".").unwrap_or(shown);
        if let Some(recorder) = &mut self.recorder {
            recorder.name(name);
        }
        if self.kinds & Kind::Domain.bit() == 0 {
            return;
        }
        let root = last_labels(name, self.root_labels);
        let Ok(length) = u16::try_from(name.len()) else {
            self.candidate = true;
            return;
        };
        if !root.is_ascii() {
            self.candidate = true;
            return;
        }
        let within = (name.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let from = if within < self.text.len() {
            within
        } else {
            let from = self.text.len() + self.batch.names.len();
            self.batch.names.extend_from_slice(name);
            from
        };
        let what = What::Name { suffix: root.len() as u16, length };
        self.push(hash::of_text(self.key, Class::Domain, root), from, what);
    }

    fn url(&mut self, normal: &[u8], _: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.value(Kind::Url, schemeless(normal));
        }
        if self.kinds & Kind::Url.bit() != 0 {
            self.push(hash::of_text(self.key, Class::Url, schemeless(normal)), 0, What::Whole);
        }
    }

    fn plain(&mut self, kind: Kind, normal: &[u8], _: &[u8]) {
        if let Some(recorder) = &mut self.recorder
            && self.recorded & kind.bit() != 0
        {
            recorder.value(kind, normal);
        }
        if self.kinds & kind.bit() != 0 {
            self.push(plain_hash(self.key, kind, normal), 0, What::Whole);
        }
    }
}
