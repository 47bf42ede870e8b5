//! One input's lines through the matching engine: which indicators were met, in which field, with what value, when.

use std::sync::Arc;

use shieldwall_memory::Hour;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::mapping::{Mapping, MappingError, Mappings};
use shieldwall_watch::matcher::{self, Hit, Matcher, Stats};
use shieldwall_watch::record::Recorder;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{LiveWatchlist, Watchlist};

use crate::config::InputFormat;

/// How much of a block is looked at to tell its format, in bytes.
const SAMPLE_BYTES: usize = 64 * 1024;
/// How often a block is cut in halves to find where an hour ends; what is left is taken for one hour's.
const CUTS_MAX: u32 = 16;
/// How many lines are looked at for one that says its time.
const LINES_LOOKED_AT: usize = 8;

/// An indicator met in an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Met<'a> {
    /// Its number in the compiled watchlist.
    pub(crate) number: u32,
    /// Where its line begins: two matches of one line have this in common.
    pub(crate) line: u64,
    pub(crate) field: &'a str,
    /// What was seen, normalised.
    pub(crate) kind: Kind,
    pub(crate) value: String,
    /// When the event says it was.
    pub(crate) at: Option<Timestamp>,
}

/// The matching of one input.
pub(crate) struct Matching {
    mappings: Arc<Mappings>,
    /// Whether the mapping is to be told from what comes, and is not told for sure yet.
    undecided: bool,
    matcher: Matcher,
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
        Ok(Self { mappings: Arc::clone(mappings), undecided, matcher: Matcher::new(list, mapping) })
    }

    /// Matches whole lines; the last may lack its line end. Returns what this added to the counts.
    pub(crate) fn run(
        &mut self,
        lines: &[u8],
        live: &LiveWatchlist,
        mut recorder: Option<&mut dyn Recorder>,
        each: &mut dyn FnMut(Met<'_>),
    ) -> Stats {
        if self.undecided {
            self.decide(lines);
        }
        let current = live.current();
        if !Arc::ptr_eq(self.matcher.watchlist(), &current) {
            self.matcher.set_watchlist(current);
        }
        let before = self.matcher.stats();
        let mut sink = |hit: &Hit<'_>| each(met(hit));
        self.matcher.feed_recording(lines, recorder.as_mut().map(|to| &mut **to as _), &mut sink);
        let after = self.matcher.finish_recording(recorder, &mut sink);
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
        let verdict = self.mappings.detect(lines.get(..SAMPLE_BYTES).unwrap_or(lines));
        self.undecided = verdict.fits == 0;
        if !Arc::ptr_eq(self.matcher.mapping(), &verdict.mapping) {
            tracing::info!(format = verdict.mapping.name(), why = %verdict.why, "told the format of an input");
            self.matcher = Matcher::new(Arc::clone(self.matcher.watchlist()), verdict.mapping);
        }
    }
}

fn met<'a>(hit: &Hit<'a>) -> Met<'a> {
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
        line: hit.offset,
        number: hit.indicator,
        field: hit.field,
        kind: observed.kind(),
        value: observed.to_string(),
        at: hit.observed_time.and_then(event_time),
    }
}

/// The times telemetry writes: RFC 3339, also with `+0000` or a blank for the `T` (Suricata, Sysmon: without an
/// offset it is UTC), and seconds or milliseconds since 1970 (Zeek, OCSF).
fn event_time(text: &str) -> Option<Timestamp> {
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
    use shieldwall_watch::watchlist::Builder;

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
            let stats = matching.run(event.as_bytes(), &live, None, &mut |m| {
                assert_eq!(m.at.unwrap().to_string(), "2017-05-12T07:24:00.000000Z");
                met.push((m.number, m.field.to_owned(), m.kind, m.value));
            });
            assert_eq!((stats.events, stats.bytes), (1, event.len() as u64));
            met.sort();
            seen.push(met);
        };
        run(&mut matching);
        let remove = shieldwall_watch::watchlist::Change::Remove { indicator: 0 };
        live.apply([remove]).unwrap();
        run(&mut matching);
        let domain = (0, "dns.rrname".to_owned(), Kind::Domain, "www.evil.example".to_owned());
        let address = (1, "dest_ip".to_owned(), Kind::Ipv4, "203.0.113.9".to_owned());
        assert_eq!(seen, [vec![domain, address.clone()], vec![address]]);
    }
}
