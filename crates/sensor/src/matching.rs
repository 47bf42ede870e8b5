//! One input's lines through the matching engine: which indicators were met, in which field, with what value, when.

use std::sync::Arc;

use shieldwall_memory::Hour;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::mapping::{Mapping, MappingError, Mappings};
use shieldwall_watch::matcher::{self, Hit, Matcher, Stats};
use shieldwall_watch::record::Recorder;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::Watchlist;

use crate::config::InputFormat;
use crate::rules::{Armed, WAKES, Woken};

/// How much of a block is looked at to tell its format, in bytes.
const SAMPLE_BYTES: usize = 64 * 1024;
/// How often a block is cut in halves to find where an hour ends; what is left is taken for one hour's.
const CUTS_MAX: u32 = 16;
/// How many lines are looked at for one that says its time.
const LINES_LOOKED_AT: usize = 8;

/// An indicator met in an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Met {
    /// Its number in the compiled watchlist.
    pub(crate) number: u32,
    /// Where its line begins in the block: two matches of one line have this in common.
    pub(crate) line: usize,
    pub(crate) field: String,
    /// The kind of what was seen; `pattern` or `sigma` for a rule.
    pub(crate) kind: &'static str,
    /// What was seen, normalised; nothing for a rule.
    pub(crate) value: Option<String>,
    /// When the event says it was.
    pub(crate) at: Option<Timestamp>,
}

/// The matching of one input.
pub(crate) struct Matching {
    mappings: Option<Arc<Mappings>>,
    /// Whether the mapping is to be told from what comes, and is not told for sure yet.
    undecided: bool,
    matcher: Matcher,
    scratch: Vec<u8>,
}

impl Matching {
    /// Prepares for lines of this format.
    pub(crate) fn new(
        format: &InputFormat,
        mappings: &Arc<Mappings>,
        list: Arc<Watchlist>,
    ) -> Result<Self, MappingError> {
        let mapping = match format {
            InputFormat::Auto => mappings.get("text")?,
            InputFormat::Named(name) => mappings.get(name)?,
            InputFormat::Mapping(path) => Arc::new(Mapping::load(path)?),
        };
        let undecided = *format == InputFormat::Auto;
        let mappings = undecided.then(|| Arc::clone(mappings));
        Ok(Self { mappings, undecided, matcher: Matcher::new(list, mapping), scratch: Vec::new() })
    }

    /// Prepares for lines of a mapping that is told for sure.
    pub(crate) fn by(mapping: Arc<Mapping>, list: Arc<Watchlist>) -> Self {
        Self { mappings: None, undecided: false, matcher: Matcher::new(list, mapping), scratch: Vec::new() }
    }

    /// The mapping for these lines, which come next.
    pub(crate) fn mapping_for(&mut self, lines: &[u8]) -> Arc<Mapping> {
        if self.undecided {
            self.decide(lines);
        }
        let mapping = Arc::clone(self.matcher.mapping());
        self.learn(lines);
        mapping
    }

    /// Takes in the header in these lines, for blocks that are matched apart from them.
    pub(crate) fn learn(&mut self, lines: &[u8]) {
        if let Some(mapping) = self.matcher.mapping().after(lines) {
            self.matcher = Matcher::new(Arc::clone(self.matcher.watchlist()), Arc::new(mapping));
        }
    }

    /// Takes in the first lines of an input that is read on from later.
    pub(crate) fn begin_with(&mut self, head: &[u8]) {
        if self.undecided {
            self.decide(head);
        }
        self.learn(head);
    }

    /// Forgets what the last block told of those that follow it.
    pub(crate) fn begin(&mut self) {
        self.matcher.begin();
    }

    /// The mapping in use.
    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        self.matcher.mapping()
    }

    /// Matches whole lines; the last may lack its line end. Returns what this added to the counts. What they wake of
    /// rules is added to `woken`.
    pub(crate) fn run(
        &mut self,
        lines: &[u8],
        armed: &Armed,
        mut recorder: Option<&mut dyn Recorder>,
        woken: &mut Woken,
        each: &mut dyn FnMut(Met),
    ) -> Stats {
        if self.undecided {
            self.decide(lines);
        }
        if !Arc::ptr_eq(self.matcher.watchlist(), &armed.list) {
            self.matcher.set_watchlist(Arc::clone(&armed.list));
        }
        let (before, start) = (self.matcher.stats(), self.matcher.consumed());
        let mut sink = |hit: &Hit<'_>| match hit.indicator.checked_sub(WAKES) {
            Some(wake) => woken.push((place(hit, start), wake)),
            None => each(met(hit, start)),
        };
        self.matcher.feed_recording(lines, recorder.as_mut().map(|to| &mut **to as _), &mut sink);
        let after = self.matcher.finish_recording(recorder, &mut sink);
        armed.rules.scan(self.matcher.mapping(), lines, &mut self.scratch, woken);
        Stats {
            events: after.events - before.events,
            bytes: after.bytes - before.bytes,
            matches: after.matches - before.matches,
            events_matched: after.events_matched - before.events_matched,
            bad_lines: after.bad_lines - before.bad_lines,
            long_lines: after.long_lines - before.long_lines,
            slow_lines: after.slow_lines - before.slow_lines,
        }
    }

    /// Cuts lines where the hour of their own time changes; each piece with a time of its first line that has one. Lines
    /// are taken to be in order.
    pub(crate) fn hours<'a>(&mut self, lines: &'a [u8]) -> Vec<(Option<Timestamp>, &'a [u8])> {
        if self.undecided {
            self.decide(lines);
        }
        let mut pieces = Vec::new();
        self.cut(lines, CUTS_MAX, &mut pieces);
        pieces
    }

    fn cut<'a>(&self, lines: &'a [u8], cuts: u32, pieces: &mut Vec<(Option<Timestamp>, &'a [u8])>) {
        let time = |line: &[u8]| event_time(&matcher::event_time(self.matcher.mapping(), line)?);
        let mut each = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let first = each.by_ref().take(LINES_LOOKED_AT).find_map(time);
        let last = each.rev().take(LINES_LOOKED_AT).find_map(time);
        let differ = first.zip(last).is_some_and(|(first, last)| Hour::of(first) != Hour::of(last));
        let middle = lines.len() / 2;
        let at = lines.get(middle..).and_then(|half| half.iter().position(|byte| *byte == b'\n'));
        let at = at.map(|at| middle + at + 1).filter(|at| *at < lines.len() && differ && cuts > 0);
        // A long last line: it is cut off before it.
        let at = at.or_else(|| {
            let end = lines.strip_suffix(b"\n").unwrap_or(lines);
            let before = end.iter().rposition(|byte| *byte == b'\n')? + 1;
            (differ && cuts > 0).then_some(before)
        });
        match at.and_then(|at| lines.split_at_checked(at)) {
            Some((head, tail)) => {
                self.cut(head, cuts - 1, pieces);
                self.cut(tail, cuts - 1, pieces);
            }
            None => pieces.push((first, lines)),
        }
    }

    /// Tells the format from the first lines, and again until some line fits one.
    fn decide(&mut self, lines: &[u8]) {
        let Some(mappings) = &self.mappings else { return };
        let verdict = mappings.detect(lines.get(..SAMPLE_BYTES).unwrap_or(lines));
        self.undecided = verdict.fits == 0;
        if !Arc::ptr_eq(self.matcher.mapping(), &verdict.mapping) {
            tracing::info!(format = verdict.mapping.name(), why = %verdict.why, "told the format of an input");
            self.matcher = Matcher::new(Arc::clone(self.matcher.watchlist()), verdict.mapping);
        }
    }
}

/// Where the line of a hit begins in the block that began at `start`; a block is far smaller than what a number holds.
fn place(hit: &Hit<'_>, start: u64) -> usize {
    usize::try_from(hit.offset.saturating_sub(start)).unwrap_or(usize::MAX)
}

fn met(hit: &Hit<'_>, start: u64) -> Met {
    let observed = match hit.value.kind {
        // The port stands in another field: only the listed value has both.
        Kind::IpPort => hit.value.to_value(),
        // Below a listed name or within a listed network it is not the listed value; normalised, all members
        // tell, or hash, the same.
        kind => std::str::from_utf8(hit.observed)
            .ok()
            .and_then(|text| Value::new(kind, text).ok())
            .unwrap_or_else(|| hit.value.to_value()),
    };
    Met {
        line: place(hit, start),
        number: hit.indicator,
        field: hit.field.to_owned(),
        kind: observed.kind().as_str(),
        value: Some(observed.to_string()),
        at: hit.observed_time.and_then(event_time),
    }
}

/// The times telemetry writes: RFC 3339, also with `+0000` or a blank for the `T` (Suricata, Sysmon: without an
/// offset it is UTC), and seconds or milliseconds since 1970 (Zeek, OCSF).
pub(crate) fn event_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) =
        Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{}Z", text.replacen(' ', "T", 1))))
    {
        return Some(time);
    }
    let number: f64 = text.parse().ok()?;
    // Seconds reach the year 5138 before they look like milliseconds.
    let seconds = if number.abs() >= 1e11 { number / 1e3 } else { number };
    // Within the years 1 to 9999, so the cast cannot cut.
    (-6.2e10..2.5e11).contains(&seconds).then(|| Timestamp::from_micros((seconds * 1e6).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_watch::watchlist::{Builder, LiveWatchlist};

    #[test]
    fn event_times_are_read_as_each_format_writes_them() {
        for written in [
            "2017-05-12T07:24:00.5Z",
            "2017-05-12T07:24:00.500000+0000",
            "2017-05-12T09:24:00.500000+02:00",
            "2017-05-12 07:24:00.500",
            "1494573840.5",
            "1494573840500",
        ] {
            let read = event_time(written).unwrap_or_default();
            assert_eq!(read.to_string(), "2017-05-12T07:24:00.500000Z", "{written}");
        }
        for nonsense in ["", "yesterday", "1e300", "NaN", "-1e300"] {
            assert_eq!(event_time(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_was_seen_is_told_normalised_and_the_list_may_change_between_blocks() {
        let mut builder = Builder::new(1);
        for (number, (kind, value)) in [
            (Kind::Domain, "evil.example"),
            (Kind::Cidr4, "203.0.113.0/24"),
            (Kind::IpPort, "198.51.100.7:443"),
        ]
        .iter()
        .enumerate()
        {
            builder.add(&Value::new(*kind, value).unwrap(), u32::try_from(number).unwrap()).unwrap();
        }
        let live = LiveWatchlist::new(builder.build().unwrap());
        let mappings = Arc::new(Mappings::built_in().unwrap());
        let mut matching = Matching::new(&InputFormat::Auto, &mappings, live.current()).unwrap();
        let event = concat!(
            r#"{"timestamp":"2017-05-12T07:24:00.000000+0000","event_type":"dns","src_ip":"10.0.0.1","src_port":9,"#,
            r#""dest_ip":"203.0.113.9","dest_port":53,"dns":{"rrname":"WWW.Evil.Example"}}"#
        );
        let mut seen = Vec::new();
        let mut run = |matching: &mut Matching| {
            let mut met = Vec::new();
            let armed = Armed { list: live.current(), rules: Arc::default() };
            let stats = matching.run(event.as_bytes(), &armed, None, &mut Vec::new(), &mut |m| {
                assert_eq!(m.at.unwrap().to_string(), "2017-05-12T07:24:00.000000Z");
                met.push((m.number, m.field, m.kind, m.value));
            });
            assert_eq!((stats.events, stats.bytes), (1, event.len() as u64));
            met.sort();
            seen.push(met);
        };
        run(&mut matching);
        let remove = shieldwall_watch::watchlist::Change::Remove { indicator: 0 };
        live.apply([remove]).unwrap();
        run(&mut matching);
        let domain = (0, "dns.rrname".to_owned(), "domain-name", Some("www.evil.example".to_owned()));
        let address = (1, "dest_ip".to_owned(), "ipv4-addr", Some("203.0.113.9".to_owned()));
        assert_eq!(seen, [vec![domain, address.clone()], vec![address]]);
    }

    #[test]
    fn blocks_of_a_zeek_log_that_are_matched_apart_know_their_columns() {
        let mut builder = Builder::new(1);
        builder.add(&Value::new(Kind::Domain, "evil.example").unwrap(), 0).unwrap();
        let live = LiveWatchlist::new(builder.build().unwrap());
        let armed = Armed { list: live.current(), rules: Arc::default() };
        let mappings = Arc::new(Mappings::built_in().unwrap());
        let mut input = Matching::new(&InputFormat::Auto, &mappings, live.current()).unwrap();
        let head = b"#separator \\x09\n#fields\tts\tuid\tquery\n#types\ttime\tstring\tstring\n1.5\tC1\tfirst.example\n";
        let row = b"2.5\tC2\tevil.example\n";
        let fields = |mapping, before: &[u8]| {
            let (mut apart, mut fields) = (Matching::by(mapping, live.current()), Vec::new());
            // Whatever a thread matched before, it is another log's.
            apart.run(before, &armed, None, &mut Vec::new(), &mut |_| ());
            apart.begin();
            apart.run(row, &armed, None, &mut Vec::new(), &mut |met| fields.push(met.field));
            fields
        };
        let first = input.mapping_for(head);
        assert_eq!(fields(first, head), ["line"], "this block's header is not known without it");
        assert_eq!(fields(input.mapping_for(row), b""), ["query"]);
        let mut resumed = Matching::new(&InputFormat::Auto, &mappings, live.current()).unwrap();
        resumed.begin_with(head);
        assert_eq!(fields(resumed.mapping_for(row), b"#fields\tquery\tts\tuid\n"), ["query"]);
    }
}
