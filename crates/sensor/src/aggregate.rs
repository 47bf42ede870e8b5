//! Counts what was seen until it is told: the first sighting of an indicator at once, later ones together.
//!
//! Pure: the caller brings the time, as a monotonic [`Instant`] for waiting and a [`Timestamp`] for telling.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::sequences::Sequences;
use shieldwall_model::time::Timestamp;

use crate::wire::{Contribution, Sighting, ToldValue};

/// Most sightings that wait for their turn; with more, all go out early.
pub(crate) const WAITING_MAX: usize = 4 * limits::SIGHTINGS_PER_REPORT_MAX;
/// Most different (field, value) pairs told of one indicator at a time; what is beyond is counted with its value
/// withheld, so that a tunnel through a million names below one domain makes one sighting and not a million.
const VALUES_PER_INDICATOR_MAX: usize = 64;

/// One match, as it enters the count.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) group: GroupId,
    pub(crate) indicator: ObjectId,
    pub(crate) kind: String,
    pub(crate) field: String,
    pub(crate) value: ToldValue,
    /// When it happened: the event's own time where it has one.
    pub(crate) at: Timestamp,
    /// When the sensor noticed.
    pub(crate) detected: Timestamp,
    /// The message of a stream it was in.
    pub(crate) message: Option<u64>,
}

type Subject = (GroupId, ObjectId);
/// Field, kind and value; no value when it is withheld.
type Aspect = (String, String, Option<(bool, String)>);

#[derive(Clone, Debug)]
struct Tally {
    first_seen: Timestamp,
    last_seen: Timestamp,
    detected: Timestamp,
    count: u64,
    /// Messages of a stream, as they came, and how many events each of them held.
    messages: Vec<(u64, u64)>,
}

#[derive(Debug, Default)]
struct Waiting {
    reported: Option<Instant>,
    tallies: BTreeMap<Aspect, Tally>,
}

/// What was seen and not told yet.
#[derive(Debug)]
pub(crate) struct Aggregator {
    first_report: Duration,
    repeat_report: Duration,
    /// Most sightings of one report.
    report_max: usize,
    waiting: BTreeMap<Subject, Waiting>,
    /// Tallies over all subjects.
    tallies: usize,
    reported: Option<Instant>,
    /// Whether something waits of an indicator that was not told of lately.
    news: bool,
}

impl Aggregator {
    /// At most one report every `first_report`, and one sighting of an indicator every `repeat_report`.
    pub(crate) fn new(first_report: Duration, repeat_report: Duration) -> Self {
        let report_max = limits::SIGHTINGS_PER_REPORT_MAX;
        Self {
            first_report,
            repeat_report,
            report_max,
            waiting: BTreeMap::new(),
            tallies: 0,
            reported: None,
            news: false,
        }
    }

    /// The same for reports of messages from a stream, which are never cut in two.
    pub(crate) fn of_stream(first_report: Duration, repeat_report: Duration) -> Self {
        let report_max = limits::SIGHTINGS_PER_STREAM_REPORT_MAX;
        Self { report_max, ..Self::new(first_report, repeat_report) }
    }

    /// How many different sightings wait.
    pub(crate) fn tallies(&self) -> usize {
        self.tallies
    }

    /// Counts one match.
    pub(crate) fn add(&mut self, seen: Seen) {
        let messages = seen.message.map(|message| (message, 1)).into_iter().collect();
        let tally =
            Tally { first_seen: seen.at, last_seen: seen.at, detected: seen.detected, count: 1, messages };
        self.count((seen.group, seen.indicator), aspect(seen.field, seen.kind, seen.value), tally);
    }

    /// Counts a sighting that waited before a restart.
    pub(crate) fn add_waiting(&mut self, sighting: Sighting) {
        let Sighting { group, indicator, first_seen, last_seen, count, kind, field, value, detected, .. } =
            sighting;
        let tally = Tally { first_seen, last_seen, detected, count, messages: Vec::new() };
        self.count((group, indicator), aspect(field, kind, value), tally);
    }

    fn count(&mut self, subject: Subject, mut aspect: Aspect, tally: Tally) {
        let waiting = self.waiting.entry(subject).or_default();
        if waiting.tallies.len() >= VALUES_PER_INDICATOR_MAX && !waiting.tallies.contains_key(&aspect) {
            aspect.2 = None;
            // Fields are named by mappings, not by events; still, one that is not met yet must not grow the count.
            if waiting.tallies.len() >= 2 * VALUES_PER_INDICATOR_MAX && !waiting.tallies.contains_key(&aspect)
            {
                aspect.0 = "other".into();
            }
        }
        self.news |= waiting.reported.is_none();
        let before = waiting.tallies.len();
        let total = waiting.tallies.entry(aspect).or_insert_with(|| Tally {
            count: 0,
            messages: Vec::new(),
            ..tally.clone()
        });
        for (message, events) in tally.messages {
            match total.messages.last_mut() {
                Some((last, so_far)) if *last == message => *so_far += events,
                _ => total.messages.push((message, events)),
            }
        }
        total.first_seen = total.first_seen.min(tally.first_seen);
        total.last_seen = total.last_seen.max(tally.last_seen);
        total.detected = total.detected.min(tally.detected);
        total.count = total.count.saturating_add(tally.count);
        self.tallies += waiting.tallies.len() - before;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.tallies == 0
    }

    /// Takes the sightings that are to be told now, at most one report's worth. With `all`, those too whose turn
    /// has not come.
    pub(crate) fn due(&mut self, now: Instant, all: bool) -> Vec<Sighting> {
        let all = all || self.tallies >= WAITING_MAX;
        let since = |then: Option<Instant>, least: Duration| {
            then.is_none_or(|then| now.saturating_duration_since(then) >= least)
        };
        if !all && (self.is_empty() || !since(self.reported, self.first_report)) {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.waiting.retain(|subject, waiting| {
            let turn = since(waiting.reported, self.repeat_report);
            let room = self.report_max.saturating_sub(due.len());
            if (turn || all) && !waiting.tallies.is_empty() && room >= waiting.tallies.len() {
                due.extend(
                    std::mem::take(&mut waiting.tallies).into_iter().map(|tally| told(subject, tally)),
                );
                waiting.reported = Some(now);
                return true;
            }
            !(turn && waiting.tallies.is_empty())
        });
        self.tallies = self.tallies.saturating_sub(due.len());
        if !due.is_empty() {
            (self.reported, self.news) = (Some(now), false);
        }
        due
    }

    /// How long until something may be due; `None` when nothing waits.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Duration> {
        let left = |then: Option<Instant>, least: Duration| {
            then.map_or(Duration::ZERO, |then| least.saturating_sub(now.saturating_duration_since(then)))
        };
        self.waiting
            .values()
            .filter(|waiting| !waiting.tallies.is_empty())
            .map(|waiting| left(waiting.reported, self.repeat_report))
            .min()
            .map(|turn| turn.max(left(self.reported, self.first_report)))
    }

    /// The same where all goes out together: news soon, what is known already with less haste.
    pub(crate) fn next_due_together(&self, now: Instant) -> Option<Duration> {
        let least = if self.news { self.first_report } else { self.repeat_report.max(self.first_report) };
        let waited = |then| now.saturating_duration_since(then);
        (!self.is_empty())
            .then(|| self.reported.map_or(Duration::ZERO, |then| least.saturating_sub(waited(then))))
    }

    /// What waits, to be kept over a restart.
    pub(crate) fn waiting(&self) -> Vec<Sighting> {
        let of = |(subject, waiting): (&Subject, &Waiting)| {
            let subject = subject.clone();
            let tallies: Vec<_> =
                waiting.tallies.iter().map(|(a, t)| told(&subject, (a.clone(), t.clone()))).collect();
            tallies
        };
        self.waiting.iter().flat_map(of).collect()
    }
}

fn aspect(field: String, kind: String, value: ToldValue) -> Aspect {
    let value = match value {
        ToldValue::Plain(text) => Some((true, text)),
        ToldValue::Sha256(hash) => Some((false, hash)),
        ToldValue::Withheld => None,
    };
    (field, kind, value)
}

fn told(subject: &Subject, ((field, kind, value), tally): (Aspect, Tally)) -> Sighting {
    Sighting {
        group: subject.0,
        indicator: subject.1.clone(),
        first_seen: tally.first_seen,
        last_seen: tally.last_seen,
        count: tally.count,
        kind,
        field,
        value: match value {
            Some((true, text)) => ToldValue::Plain(text),
            Some((false, hash)) => ToldValue::Sha256(hash),
            None => ToldValue::Withheld,
        },
        detected: tally.detected,
        contributions: contributions(&tally.messages),
        retrospective: false,
    }
}

/// Messages by how many events each of them held.
fn contributions(messages: &[(u64, u64)]) -> Vec<Contribution> {
    let mut by_count: BTreeMap<u64, Sequences> = BTreeMap::new();
    for (message, count) in messages {
        by_count.entry(*count).or_default().insert(*message);
    }
    by_count.into_iter().map(|(count, sequences)| Contribution { count, sequences }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const FIRST: Duration = Duration::from_millis(200);
    const REPEAT: Duration = Duration::from_secs(5);

    fn seen(indicator: u128, value: &str, at: i64) -> Seen {
        Seen {
            group: GroupId::from_uuid(Uuid::from_u128(1)),
            indicator: format!("indicator--{}", Uuid::from_u128(indicator)).parse().unwrap(),
            kind: "domain-name".into(),
            field: "dns.rrname".into(),
            value: ToldValue::Plain(value.into()),
            at: Timestamp::from_micros(at),
            detected: Timestamp::from_micros(at + 1_000),
            message: None,
        }
    }

    #[test]
    fn the_first_goes_at_once_and_later_ones_together() {
        let mut aggregator = Aggregator::new(FIRST, REPEAT);
        let start = Instant::now();
        assert_eq!(aggregator.next_due(start), None);
        aggregator.add(seen(1, "a", 50));
        assert_eq!(aggregator.due(start, false).len(), 1);
        for at in [30, 20, 40] {
            aggregator.add(seen(1, "a", at));
        }
        assert_eq!(aggregator.due(start + FIRST, false), []);
        assert_eq!(aggregator.next_due(start + FIRST), Some(REPEAT - FIRST));
        let later = aggregator.due(start + REPEAT, false);
        let [one] = later.as_slice() else { panic!("{later:?}") };
        let micros = Timestamp::from_micros;
        assert_eq!((one.count, one.first_seen, one.last_seen), (3, micros(20), micros(40)));
        assert_eq!(one.detected, micros(1_020));
    }

    #[test]
    fn another_indicators_first_sighting_does_not_wait_for_the_first_ones_turn() {
        let mut aggregator = Aggregator::new(FIRST, REPEAT);
        let start = Instant::now();
        aggregator.add(seen(1, "a", 1));
        aggregator.due(start, false);
        aggregator.add(seen(1, "a", 2));
        aggregator.add(seen(2, "b", 3));
        assert_eq!(aggregator.next_due(start), Some(FIRST));
        let due = aggregator.due(start + FIRST, false);
        assert_eq!(due.iter().map(|s| s.first_seen.as_micros()).collect::<Vec<_>>(), [3]);
        assert_eq!(aggregator.waiting().len(), 1);
    }

    #[test]
    fn a_million_names_below_one_domain_stay_a_few_sightings() {
        let mut aggregator = Aggregator::new(FIRST, REPEAT);
        for name in 0..10_000 {
            aggregator.add(seen(1, &format!("{name}.evil.example"), name));
        }
        let due = aggregator.due(Instant::now(), false);
        assert_eq!(due.len(), VALUES_PER_INDICATOR_MAX + 1);
        assert_eq!(due.iter().map(|sighting| sighting.count).sum::<u64>(), 10_000);
        assert!(aggregator.is_empty());
    }

    proptest! {
        /// However matches, reports and restarts follow each other, every match is told exactly once.
        #[test]
        fn every_match_is_told_exactly_once(
            steps in proptest::collection::vec((0u8..8, 1u128..40, 0u64..3_000), 1..300)
        ) {
            let mut aggregator = Aggregator::new(FIRST, REPEAT);
            let (mut now, mut added, mut told) = (Instant::now(), 0u64, 0u64);
            for (what, indicator, wait) in steps {
                now += Duration::from_millis(wait);
                match what {
                    0 => {
                        let due = aggregator.due(now, false);
                        prop_assert!(due.len() <= limits::SIGHTINGS_PER_REPORT_MAX);
                        told += due.iter().map(|sighting| sighting.count).sum::<u64>();
                    }
                    1 => {
                        let waiting = aggregator.waiting();
                        aggregator = Aggregator::new(FIRST, REPEAT);
                        waiting.into_iter().for_each(|sighting| aggregator.add_waiting(sighting));
                    }
                    _ => {
                        aggregator.add(seen(indicator, &indicator.to_string(), 1));
                        added += 1;
                    }
                }
            }
            while !aggregator.is_empty() {
                told += aggregator.due(now, true).iter().map(|sighting| sighting.count).sum::<u64>();
            }
            prop_assert_eq!(told, added);
        }
    }
}
