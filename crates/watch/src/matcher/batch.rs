//! A batch of lines: values are queued with their hashes, then judged together.

use crate::exact::{Judge, compose_url};
use crate::hash::{self, Class};
use crate::mapping::Mapping;
use crate::matcher::{Sink, Stats};
use crate::offer::{ADDRESSES, Offer, plain_hash};
use crate::record::{self, Recorder};
use crate::table::{last_labels, schemeless};
use crate::value::Kind;
use crate::watchlist::Watchlist;
use shieldwall_model::limits::EVENT_BYTES_MAX;

/// Lines in a batch.
const BATCH_LINES: usize = 64;

/// A value waiting for the filter's answer.
struct Item {
    hash: u64,
    line: u32,
    /// A name's length, for the walk along its suffixes; 0 for every other value.
    name: u32,
    /// Where the name lies: in the text fed, or behind it in `names`.
    from: usize,
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
    lines: Vec<Line>,
    /// Names that do not lie in the text as they are.
    names: Vec<u8>,
    pub(super) scratch: Vec<u8>,
    pub(super) unescaped: Vec<u8>,
    /// What the decoder remembers; the exact side has a memory of its own, for it reads each line later.
    pub(super) memory: crate::decode::Memory,
    path: Vec<u8>,
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
    recorded: u32,
    key: u64,
    root_labels: usize,
    /// Where the current line starts.
    start: usize,
    /// The current line must be read exactly.
    candidate: bool,
    /// The scan cannot judge the current line.
    unsure: bool,
    /// Parts of URLs in the current line: how many of each, and where the last host lies. The last path is in
    /// `batch.path`.
    hosts: u32,
    paths: u32,
    host: (usize, usize),
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
            start: 0,
            candidate: false,
            unsure: false,
            hosts: 0,
            paths: 0,
            host: (0, 0),
        }
    }

    /// The scan cannot judge the current line.
    #[inline]
    pub(super) fn unsure(&mut self) {
        (self.candidate, self.unsure) = (true, true);
    }

    #[inline(always)]
    fn push(&mut self, hash: u64, from: usize, name: u32) {
        self.watchlist.prefetch(hash);
        let line = self.batch.lines.len() as u32;
        self.batch.items.push(Item { hash, line, name, from });
    }

    /// Host part of a URL, as it stands in the text.
    pub(super) fn url_host(&mut self, from: usize, to: usize) {
        self.hosts += 1;
        self.host = (from, to);
    }

    /// Path part of a URL, escapes undone.
    pub(super) fn url_path(&mut self, path: &[u8]) {
        self.paths += 1;
        self.batch.path.clear();
        self.batch.path.extend_from_slice(path);
    }

    fn put_url_together(&mut self) {
        if self.hosts > 1 || self.paths > 1 {
            self.unsure();
        } else if (self.kinds | self.recorded) & Kind::Url.bit() != 0 {
            let host = self.text.get(self.host.0..self.host.1).unwrap_or_default();
            let mut url = std::mem::take(&mut self.batch.scratch);
            if compose_url(host, &self.batch.path, None, &mut url) {
                self.url(&url, &[]);
            }
            self.batch.scratch = url;
        }
    }

    /// Ends the current line at `to`, where its line feed stands or the text ends.
    #[inline]
    pub(super) fn end_line(&mut self, to: usize, json: bool) {
        if self.hosts > 0 && self.paths > 0 {
            self.put_url_together();
        }
        (self.hosts, self.paths) = (0, 0);
        let from = std::mem::replace(&mut self.start, to + 1);
        let line = self.text.get(from..to).unwrap_or_default();
        let (first, last) = (line.first().copied(), line.last().copied());
        let mut candidate = std::mem::take(&mut self.candidate);
        let mut unsure = std::mem::take(&mut self.unsure);
        if json && (first, last) != (Some(b'{'), Some(b'}')) {
            if line.trim_ascii().is_empty() {
                return self.forget_line();
            }
            let odd = !line.trim_ascii().starts_with(b"{") || !line.trim_ascii().ends_with(b"}");
            (candidate, unsure) = (candidate || odd, unsure || odd);
        } else if !json && line.trim_ascii().is_empty() {
            return self.forget_line();
        }
        self.stats.events += 1;
        if line.len() > EVENT_BYTES_MAX {
            self.stats.long_lines += 1;
            return self.forget_line();
        }
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
    fn forget_line(&mut self) {
        self.end_record(false);
        let line = self.batch.lines.len() as u32;
        while self.batch.items.last().is_some_and(|item| item.line == line) {
            self.batch.items.pop();
        }
    }

    /// Asks filter and table for everything queued and reads the candidates exactly.
    pub(super) fn flush(&mut self) {
        let Self { batch, watchlist, text, .. } = self;
        for item in &batch.items {
            if !watchlist.may_hold(item.hash) {
                continue;
            }
            let Some(line) = batch.lines.get_mut(item.line as usize).filter(|line| !line.candidate) else {
                continue;
            };
            line.candidate = match item.name as usize {
                0 => watchlist.likely(item.hash),
                length => {
                    let name = match item.from.checked_sub(text.len()) {
                        None => text.get(item.from..item.from + length),
                        Some(from) => batch.names.get(from..from + length),
                    };
                    let name = name.unwrap_or_default();
                    // Beyond ASCII the listed form is spelled otherwise.
                    !name.is_ascii() || watchlist.likely_domain(name, last_labels(name, self.root_labels))
                }
            };
        }
        batch.items.clear();
        batch.names.clear();
        let mut lines = std::mem::take(&mut batch.lines);
        for line in lines.iter().filter(|line| line.candidate) {
            self.examine(line.from, line.to, line.unsure);
        }
        lines.clear();
        self.batch.lines = lines;
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
            self.push(hash::of_ipv4(self.key, address), 0, 0);
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
            self.push(hash::of_octets(self.key, Class::Address, &address.to_be_bytes()), 0, 0);
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
        if !root.is_ascii() {
            self.candidate = true;
            return;
        }
        // An empty name is none; its length would say it is no name at all.
        if name.is_empty() {
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
        self.push(hash::of_text(self.key, Class::Domain, root), from, name.len() as u32);
    }

    fn url(&mut self, normal: &[u8], _: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.value(Kind::Url, schemeless(normal));
        }
        if self.kinds & Kind::Url.bit() != 0 {
            self.push(hash::of_text(self.key, Class::Url, schemeless(normal)), 0, 0);
        }
    }

    fn plain(&mut self, kind: Kind, normal: &[u8], _: &[u8]) {
        if let Some(recorder) = &mut self.recorder
            && self.recorded & kind.bit() != 0
        {
            recorder.value(kind, normal);
        }
        if self.kinds & kind.bit() != 0 {
            self.push(plain_hash(self.key, kind, normal), 0, 0);
        }
    }
}
