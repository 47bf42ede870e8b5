//! What was seen in messages of one stream since its last report. A report speaks for whole messages: all that was seen
//! in them goes out together, and only then are they acknowledged.

use std::sync::Arc;
use std::time::Instant;

use async_nats::Subject;
use shieldwall_model::limits;
use shieldwall_model::sequences::Sequences;

use crate::aggregate::{Aggregator, Seen};
use crate::config::Config;
use crate::nats::Block;
use crate::wire::{Origin, Sighting};

/// Messages after which a report goes out, whatever else.
const MESSAGES_MAX: u64 = 50_000;

/// See the module.
pub(super) struct Gathered {
    stream: Arc<str>,
    sequences: Sequences,
    aggregator: Aggregator,
    replies: Vec<Subject>,
}

impl Gathered {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            stream: Arc::default(),
            sequences: Sequences::default(),
            aggregator: Aggregator::of_stream(config.first_report, config.repeat_report),
            replies: Vec::new(),
        }
    }

    /// Whether a block can be taken before a report has gone out: it is of the same stream.
    pub(super) fn fits(&self, block: &Block) -> bool {
        self.sequences.is_empty() || self.stream == block.stream
    }

    /// Takes a block in, which [`Self::fits`]; tells of each message whether it is new. One that came again before it
    /// was acknowledged counts once.
    pub(super) fn begin(&mut self, block: &mut Block) -> Vec<(usize, u64, bool)> {
        self.stream = Arc::clone(&block.stream);
        self.replies.append(&mut block.replies);
        block.ends.iter().map(|(end, number)| (*end, *number, self.sequences.insert(*number))).collect()
    }

    /// Counts one match; false when a report has no room for it.
    pub(super) fn add(&mut self, seen: Seen) -> bool {
        let room = self.aggregator.tallies() < limits::SIGHTINGS_PER_STREAM_REPORT_MAX;
        if room {
            self.aggregator.add(seen);
        }
        room
    }

    /// What may be acknowledged without a report: nothing was seen.
    pub(super) fn clean(&mut self) -> Vec<Subject> {
        if !self.aggregator.is_empty() {
            return Vec::new();
        }
        self.sequences = Sequences::default();
        std::mem::take(&mut self.replies)
    }

    /// Whether a report is to go out now.
    pub(super) fn is_due(&self, now: Instant, all: bool) -> bool {
        let full = self.aggregator.tallies() >= limits::SIGHTINGS_PER_REPORT_MAX
            || self.sequences.len() >= MESSAGES_MAX;
        !self.aggregator.is_empty() && (all || full || self.next_due(now).is_some_and(|wait| wait.is_zero()))
    }

    /// How long until a report is due.
    pub(super) fn next_due(&self, now: Instant) -> Option<std::time::Duration> {
        self.aggregator.next_due_together(now)
    }

    /// Takes everything, for one report, with what is to be acknowledged once that is on disk.
    pub(super) fn take(&mut self, now: Instant) -> (Vec<Sighting>, Origin, Vec<Subject>) {
        let origin =
            Origin { stream: self.stream.to_string(), sequences: std::mem::take(&mut self.sequences) };
        (self.aggregator.due(now, true), origin, std::mem::take(&mut self.replies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Contribution, ToldValue};
    use shieldwall_model::id::GroupId;
    use shieldwall_model::time::Timestamp;
    use std::time::Duration;
    use uuid::Uuid;

    fn gathered() -> Gathered {
        Gathered {
            stream: Arc::default(),
            sequences: Sequences::default(),
            aggregator: Aggregator::of_stream(Duration::from_millis(200), Duration::from_secs(5)),
            replies: Vec::new(),
        }
    }

    fn seen(indicator: u128, message: u64) -> Seen {
        Seen {
            group: GroupId::from_uuid(Uuid::from_u128(1)),
            indicator: format!("indicator--{}", Uuid::from_u128(indicator)).parse().unwrap(),
            kind: "domain-name".into(),
            field: "dns.rrname".into(),
            value: ToldValue::Plain("a.example".into()),
            at: Timestamp::from_micros(1),
            detected: Timestamp::from_micros(2),
            message: Some(message),
        }
    }

    fn block(messages: &[u64]) -> Block {
        let ends = messages.iter().map(|number| (1, *number)).collect();
        let replies = messages.iter().map(|number| format!("ack.{number}").into()).collect();
        Block { stream: "EVE@1".into(), ends, replies, ..Block::default() }
    }

    #[test]
    fn a_report_speaks_for_whole_messages_and_one_that_comes_again_counts_once() {
        let (mut gathered, start) = (gathered(), Instant::now());
        assert_eq!(
            gathered.begin(&mut block(&[7, 8, 9])).iter().map(|one| one.2).collect::<Vec<_>>(),
            [true; 3]
        );
        for message in [7, 7, 9] {
            assert!(gathered.add(seen(1, message)));
        }
        assert!(gathered.clean().is_empty(), "nothing is acknowledged before it is on disk");
        let again: Vec<bool> = gathered.begin(&mut block(&[9, 10])).iter().map(|one| one.2).collect();
        assert_eq!(again, [false, true]);
        assert!(gathered.is_due(start, false));
        let (sightings, origin, replies) = gathered.take(start);
        assert_eq!((origin.stream.as_str(), origin.sequences.to_string()), ("EVE@1", "7-10".into()));
        let of = |count, text: &str| Contribution { count, sequences: text.parse().unwrap() };
        assert_eq!(sightings.len(), 1);
        assert_eq!((sightings[0].count, &sightings[0].contributions), (3, &vec![of(1, "9"), of(2, "7")]));
        assert_eq!(replies.len(), 5, "what came twice is acknowledged twice");
        assert!(!gathered.is_due(start, true) && gathered.sequences.is_empty());
        gathered.begin(&mut block(&[11]));
        assert_eq!((gathered.clean().len(), gathered.sequences.is_empty()), (1, true));
    }

    #[test]
    fn news_goes_soon_and_what_is_known_with_less_haste() {
        let (mut gathered, start) = (gathered(), Instant::now());
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        gathered.begin(&mut block(&[1]));
        gathered.add(seen(1, 1));
        gathered.take(start);
        gathered.begin(&mut block(&[2]));
        gathered.add(seen(1, 2));
        assert!(!gathered.is_due(after(4_999), false) && gathered.is_due(after(5_000), false));
        gathered.begin(&mut block(&[3]));
        gathered.add(seen(2, 3));
        assert!(!gathered.is_due(after(199), false) && gathered.is_due(after(200), false));
        assert!(
            !gathered.fits(&Block { stream: "EVE@2".into(), ..block(&[1]) }),
            "another stream waits for that"
        );
    }
}
