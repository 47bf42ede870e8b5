//! Events in, hits out: the runner that a sensor, or `shieldwall match`, feeds with blocks of a file.
//!
//! A block is cut into lines; what is left of a last line waits for the next block. About 64 lines form a batch:
//! the scan picks values out of the raw lines and hashes them, the filter is asked once the batch is full (its cache
//! lines have arrived by then), and a line with a likely value, or one the scan cannot judge, is read exactly.
//!
//! JSON is one event a line, or an array of such lines. An event may also lie over several lines, as printers for
//! people write it, if its first line is `{` alone: such events are cut by counting brackets outside of strings, then
//! scanned like all others; that costs about a second look at every octet. An event cut off in the middle is over
//! where the next one starts: at a `{` that is not indented though the lines before were.

mod batch;
mod decoded;
mod scan;
mod sieve;
mod split;

pub use crate::exact::event_time;

use std::sync::Arc;

use shieldwall_model::limits::EVENT_BYTES_MAX;

use crate::exact::Judge;
use crate::mapping::{Format, Mapping};
use crate::record::Recorder;
use crate::simd::{Baseline, Best, Plain};
use crate::value::ValueRef;
use crate::watchlist::Watchlist;

use batch::Batch;
use split::Splitter;

/// A listed value met in an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit<'a> {
    /// The indicator, by the number it was listed under.
    pub indicator: u32,
    /// Path of the field as the mapping spells it; `line` for text.
    pub field: &'a str,
    /// The listed value, in normal form.
    pub value: ValueRef<'a>,
    /// What stood in the event (below a listed domain or within a listed network it is not the listed value).
    pub observed: &'a [u8],
    /// When the event says it was, as written; none in text.
    pub observed_time: Option<&'a str>,
    /// Where the line starts, in bytes from the start of what was fed.
    pub offset: u64,
    /// The whole line.
    pub line: &'a [u8],
}

/// What a [`Matcher`] has done so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Lines that are not blank.
    pub events: u64,
    /// Bytes fed.
    pub bytes: u64,
    /// Hits reported.
    pub matches: u64,
    /// Events with at least one hit.
    pub events_matched: u64,
    /// Lines of a JSON format that are no JSON object, as far as it was noticed: a line that does not start with `{`
    /// and end with `}`, or that was read exactly. What is broken inside a line nothing else drew attention to is
    /// not looked for; such a line has no hits either way.
    pub bad_lines: u64,
    /// Lines longer than the limit (`shieldwall_model::limits::EVENT_BYTES_MAX`), skipped.
    pub long_lines: u64,
    /// Lines that went to the exact reader.
    pub slow_lines: u64,
}

/// Whether the scan decides which lines are read exactly, or all are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// The scan decides.
    #[default]
    Scan,
    /// Every line is read exactly: slow, and what the scan is measured against.
    Exact,
}

/// Which instructions the scan uses. Hits are the same with all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Instructions {
    /// The best the processor has.
    #[default]
    Best,
    /// What every processor of this architecture has: SSE2 on x86-64.
    Baseline,
    /// Plain Rust, as on architectures without vector code here.
    Portable,
}

/// Matches a stream of telemetry of one format against a watchlist.
///
/// ```
/// use std::sync::Arc;
/// use shieldwall_watch::{mapping::Mappings, matcher::Matcher, value::detect, watchlist::Builder};
///
/// let mut builder = Builder::new(0);
/// builder.add(&detect("evil[.]example").unwrap(), 7)?;
/// let mapping = Mappings::built_in()?.get("suricata")?;
/// let mut matcher = Matcher::new(Arc::new(builder.build()?), mapping);
/// let mut seen = Vec::new();
/// matcher.feed(b"{\"timestamp\":\"2026-01-01T00:00:00Z\",\"dns\":{\"rrname\":\"a.evil.example\"}}\n", &mut |hit| {
///     seen.push((hit.indicator, hit.field.to_owned(), String::from_utf8_lossy(hit.observed).into_owned()));
/// });
/// matcher.finish(&mut |_| {});
/// assert_eq!(seen, [(7, "dns.rrname".to_owned(), "a.evil.example".to_owned())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Matcher {
    watchlist: Arc<Watchlist>,
    mapping: Arc<Mapping>,
    mode: Mode,
    instructions: Instructions,
    /// Start of a line, or of an event over several lines, whose end has not come yet.
    carry: Vec<u8>,
    /// The rest of a line or event that is too long is passed over.
    skipping: bool,
    /// Looks for the end of the event over several lines that `carry` holds the start of.
    splitter: Option<Splitter>,
    values: Vec<(usize, usize)>,
    /// Offset of the first byte not yet taken as part of a line.
    offset: u64,
    batch: Batch,
    judge: Judge,
    stats: Stats,
}

/// Takes hits.
pub type Sink<'a> = dyn FnMut(&Hit<'_>) + 'a;

impl Matcher {
    /// A matcher at the start of a stream.
    pub fn new(watchlist: Arc<Watchlist>, mapping: Arc<Mapping>) -> Self {
        let mut matcher = Self {
            watchlist,
            mapping,
            mode: Mode::Scan,
            instructions: Instructions::Best,
            carry: Vec::new(),
            skipping: false,
            splitter: None,
            values: Vec::new(),
            offset: 0,
            batch: Batch::default(),
            judge: Judge::default(),
            stats: Stats::default(),
        };
        matcher.begin();
        matcher
    }

    /// The same, in another mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same, with other instructions: to measure and test what other processors do.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.instructions = instructions;
        self
    }

    /// From the next [`Self::feed`] on, matches against this watchlist.
    pub fn set_watchlist(&mut self, watchlist: Arc<Watchlist>) {
        self.watchlist = watchlist;
    }

    /// The watchlist in use.
    pub fn watchlist(&self) -> &Arc<Watchlist> {
        &self.watchlist
    }

    /// The mapping in use.
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Starts a new stream of the same format: what a decoder remembered of the last one is forgotten.
    pub fn begin(&mut self) {
        self.batch.memory.clone_from(self.mapping.memory());
        self.judge.begin(&self.mapping);
    }

    /// Takes the next block of the stream, cut anywhere. Blocks of 64 KiB to 1 MiB are best. Hits of every line that
    /// is complete now are handed to `sink`, in order of lines.
    pub fn feed(&mut self, block: &[u8], sink: &mut Sink<'_>) {
        self.feed_recording(block, None, sink);
    }

    /// As [`Self::feed`], and tells `recorder` of every value in those lines, listed or not.
    pub fn feed_recording(
        &mut self,
        block: &[u8],
        mut recorder: Option<&mut dyn Recorder>,
        sink: &mut Sink<'_>,
    ) {
        self.stats.bytes += block.len() as u64;
        let mut block = block;
        while !block.is_empty() {
            let recorder = recorder.as_mut().map(|to| &mut **to as _);
            block = if self.splitter.is_some() {
                self.rest_of_event(block, recorder, sink)
            } else if self.skipping || !self.carry.is_empty() {
                self.rest_of_line(block, recorder, sink)
            } else {
                self.lines(block, recorder, sink)
            };
        }
    }

    /// The rest of an event over several lines whose start was kept. Returns what comes behind.
    fn rest_of_event<'b>(
        &mut self,
        block: &'b [u8],
        recorder: Option<&mut dyn Recorder>,
        sink: &mut Sink<'_>,
    ) -> &'b [u8] {
        let end = self.splitter.as_mut().and_then(|splitter| splitter.advance(block));
        let Some(end) = end else {
            self.keep(block);
            return &[];
        };
        self.splitter = None;
        let (head, tail) = block.split_at_checked(end).unwrap_or((block, &[]));
        if std::mem::take(&mut self.skipping) {
            self.offset += head.len() as u64;
            return tail;
        }
        let mut event = std::mem::take(&mut self.carry);
        event.extend_from_slice(head);
        self.run(&event, Some(&[(split::indent(&event), event.len())]), recorder, sink);
        event.clear();
        self.carry = event;
        tail
    }

    /// The rest of a line whose start was kept.
    fn rest_of_line<'b>(
        &mut self,
        block: &'b [u8],
        recorder: Option<&mut dyn Recorder>,
        sink: &mut Sink<'_>,
    ) -> &'b [u8] {
        let Some(end) = memchr::memchr(b'\n', block) else {
            self.keep(block);
            return &[];
        };
        let (head, tail) = block.split_at_checked(end + 1).unwrap_or((block, &[]));
        if std::mem::take(&mut self.skipping) {
            self.offset += head.len() as u64;
            return tail;
        }
        let mut line = std::mem::take(&mut self.carry);
        line.extend_from_slice(head);
        match self.run(&line, None, recorder, sink) {
            // The line opens an event: its octets are the start of it.
            Some(_) => {
                self.splitter = Some(Splitter::opened(&line));
                self.carry = line;
            }
            None => {
                line.clear();
                self.carry = line;
            }
        }
        tail
    }

    /// Whole lines. Returns what comes behind those that could be matched, unless that was kept.
    fn lines<'b>(
        &mut self,
        block: &'b [u8],
        mut recorder: Option<&mut dyn Recorder>,
        sink: &mut Sink<'_>,
    ) -> &'b [u8] {
        let whole = memchr::memrchr(b'\n', block).map_or(0, |end| end + 1);
        let (lines, rest) = block.split_at_checked(whole).unwrap_or((block, &[]));
        let Some(opened) = self.run(lines, None, recorder.as_mut().map(|to| &mut **to as _), sink) else {
            self.keep(rest);
            return &[];
        };
        // Events over several lines, as many as follow each other in this block.
        let block = block.get(opened..).unwrap_or_default();
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        let (done, splitter) = split::split(block, &mut values);
        let (events, rest) = block.split_at_checked(done).unwrap_or((block, &[]));
        if !values.is_empty() {
            self.run(events, Some(&values), recorder, sink);
        }
        self.values = values;
        self.splitter = splitter;
        if self.splitter.is_some() {
            self.keep(rest);
            return &[];
        }
        rest
    }

    /// Takes what is left as the last line, though no line feed ended it, and returns the final figures.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Stats {
        self.finish_recording(None, sink)
    }

    /// As [`Self::finish`], and tells `recorder` of every value in that line.
    pub fn finish_recording(&mut self, recorder: Option<&mut dyn Recorder>, sink: &mut Sink<'_>) -> Stats {
        let line = std::mem::take(&mut self.carry);
        // What was opened and never closed is one broken event.
        let whole = [(split::indent(&line), line.len())];
        let opened = self.splitter.take().is_some() || line.trim_ascii() == b"{";
        let values = (opened && self.mapping.format() == Format::Json).then_some(&whole[..]);
        self.run(&line, values, recorder, sink);
        self.skipping = false;
        self.stats
    }

    /// Bytes taken as complete lines so far: where to start again after a stop.
    pub fn consumed(&self) -> u64 {
        self.offset
    }

    /// Keeps the start of a line, or gives the line up once it is too long.
    fn keep(&mut self, start: &[u8]) {
        if self.skipping {
            self.offset += start.len() as u64;
            return;
        }
        if self.carry.len() + start.len() > EVENT_BYTES_MAX {
            self.offset += (self.carry.len() + start.len()) as u64;
            self.carry.clear();
            self.skipping = true;
            self.stats.events += 1;
            self.stats.long_lines += 1;
            return;
        }
        self.carry.extend_from_slice(start);
    }

    /// Matches complete lines, or the events that lie at `values` in them. Returns where a line starts that opens an
    /// event over several lines; nothing from there on was matched.
    fn run(
        &mut self,
        lines: &[u8],
        values: Option<&[(usize, usize)]>,
        recorder: Option<&mut dyn Recorder>,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        if lines.is_empty() {
            return None;
        }
        let mut pass = batch::Pass::new(
            &self.watchlist,
            &self.mapping,
            lines,
            self.offset,
            &mut self.batch,
            &mut self.judge,
            &mut self.stats,
            recorder.map(|to| to as _),
            sink,
        );
        match (self.mode, self.mapping.format(), self.instructions) {
            (Mode::Exact, _, _) => scan::exact(&mut pass, values),
            (Mode::Scan, Format::Text, _) => scan::text(&mut pass),
            (Mode::Scan, Format::Decoded(decoder), _) => decoded::scan(&mut pass, decoder),
            (Mode::Scan, Format::Json, Instructions::Portable) => scan::json::<Plain>(&mut pass, values),
            (Mode::Scan, Format::Json, Instructions::Best) => scan::json::<Best>(&mut pass, values),
            (Mode::Scan, Format::Json, Instructions::Baseline) => scan::json::<Baseline>(&mut pass, values),
        }
        pass.flush();
        let opened = pass.opened;
        self.offset += opened.unwrap_or(lines.len()) as u64;
        opened
    }
}

/// The key scan by itself, as a measure of what matching costs beyond it: how many strings the mapping's keys name in a
/// text, and how many octets they have. Escapes are not seen, nothing is looked up.
pub fn key_scan(mapping: &Mapping, text: &[u8]) -> (u64, u64) {
    scan::key_scan::<Best>(text, mapping.keys())
}

#[cfg(test)]
mod decoded_tests;
#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;
