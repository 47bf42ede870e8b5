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
        self.aggregator.next_due(now)
    }

    /// Takes everything, for one report, with what is to be acknowledged once that is on disk.
    pub(super) fn take(&mut self, now: Instant) -> (Vec<Sighting>, Origin, Vec<Subject>) {
        let origin =
            Origin { stream: self.stream.to_string(), sequences: std::mem::take(&mut self.sequences) };
        (self.aggregator.due(now, true), origin, std::mem::take(&mut self.replies))
    }
}
