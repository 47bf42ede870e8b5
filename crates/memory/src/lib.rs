//! What passed, hour by hour: a sensor's memory of every value it met, listed or not, kept small enough for months.
//!
//! An indicator is often known long after the attack it belongs to. Who remembers what passed can be asked then: was
//! this seen, when, in which input?
//!
//! | what | kept as | exact? |
//! |---|---|---|
//! | an IPv4 address | the address itself, in order | yes; networks of any size can be asked for |
//! | any other value | a [`Fingerprint`] of 56 bits, keyed | almost: see below |
//!
//! **False positives.** A fingerprint is two hashes of the value under keys of their own: the first finds the place in
//! the order, the second, independent of it, confirms. A file keeps at least 30 bits more than it takes to count its
//! values, so one value that never passed is found in it with a probability of at most 2⁻³⁰ (9.3·10⁻¹⁰). Asking 90 days of
//! one source is wrong in fewer than 1.2 of ten million cases; [`Answers::false_positives`] is the sum over the
//! files that were read.
//!
//! **On disk.** Sorted values as gaps in Golomb-Rice code (Golomb 1966, Rice 1979: `log2(U/n) + 1.5` bits each), in
//! blocks of 256 that are read one by one ([`std::os::unix::fs::FileExt::read_at`]). An hour is a file; when its day is
//! over, the hours become one file in which each value says its hours. Binary fuse filters would save half a byte, but
//! cannot be merged, cannot be walked in order and so cannot answer for networks.
//!
//! **Crashes.** What is new goes into a journal, flushed to disk at least once a minute. Finished files never change:
//! written beside their place, flushed, renamed. Every header and block has a checksum; a damaged file is named and set
//! aside, and what it held counts as not covered.
//!
//! **Hours** are those the caller names: by the events' own time where they have one. Which minutes were watched is
//! kept too, so that "not seen" can be told from "nobody looked".
//!
//! How many hosts met a value, and how often, is kept for the common ones alone .

mod answer;
mod archive;
mod codec;
mod error;
mod fingerprint;
mod heat;
mod journal;
mod merge;
mod page;
mod scribe;
mod segment;
mod store;

pub use answer::{Answers, Found, Question, SourceCoverage, SourceFound};
pub use archive::Archive;
pub use error::{Damage, MemoryError};
pub use fingerprint::{Fingerprint, MemoryKey};
pub use heat::{Heat, Popularity};
pub use page::Page;
pub use scribe::{Code, NETWORK6_LENGTHS, Scribe, network4, network6};
pub use segment::{check as check_segment, check_past_sums as check_segment_past_sums};
pub use store::{Limits, Memory, Opened, Upkeep};

use shieldwall_model::time::Timestamp;

/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;

/// An hour, counted since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub u32);

impl Hour {
    /// The hour a time lies in; times before 1970 are in the first.
    pub fn of(time: Timestamp) -> Self {
        Self(u32::try_from(time.as_seconds().div_euclid(HOUR_SECONDS).max(0)).unwrap_or(u32::MAX))
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(i64::from(self.0) * HOUR_SECONDS)
    }

    /// When it is over.
    pub fn ends(self) -> Timestamp {
        self.begins().plus_seconds(HOUR_SECONDS)
    }

    /// The first hour of its day.
    pub fn day(self) -> Self {
        Self(self.0 - self.0 % 24)
    }

    /// Its date, `2026-11-25`.
    pub fn date(self) -> String {
        self.begins().to_string().chars().take(10).collect()
    }
}
