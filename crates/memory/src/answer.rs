//! Questions to a memory, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shieldwall_model::time::Timestamp;

use crate::Hour;
use crate::error::Damage;
use crate::fingerprint::Fingerprint;

/// Most addresses told of one network.
pub(crate) const ADDRESSES_TOLD_MAX: usize = 16;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether this value passed.
    Word(Fingerprint),
    /// Whether an IPv4 address from the first to the last passed.
    Addresses(u32, u32),
}

/// In which hours of one source a value passed: for each day with one, a bit an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFound(BTreeMap<Hour, u32>);

impl SourceFound {
    pub(crate) fn add(&mut self, day: Hour, mask: u32) {
        *self.0.entry(day).or_default() |= mask;
    }

    /// The hours, in order.
    pub fn hours(&self) -> impl Iterator<Item = Hour> + '_ {
        self.0.iter().flat_map(|(day, mask)| {
            (0..24).filter(move |hour| mask >> hour & 1 == 1).map(|hour| Hour(day.0 + hour))
        })
    }
}

/// What was found of one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The hours, by source.
    pub sources: BTreeMap<Arc<str>, SourceFound>,
    /// The addresses that passed, at most 16 of a network.
    pub addresses: BTreeSet<u32>,
}

impl Found {
    /// The first hour and the last, over all sources.
    pub fn span(&self) -> Option<(Hour, Hour)> {
        let first = self.sources.values().filter_map(|source| source.hours().next()).min()?;
        let last = self.sources.values().filter_map(|source| source.hours().last()).max()?;
        Some((first, last))
    }

    /// In how many hours, of whichever source.
    pub fn hours(&self) -> usize {
        self.sources.values().flat_map(SourceFound::hours).collect::<BTreeSet<_>>().len()
    }
}

/// Which minutes of a source were watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCoverage(pub(crate) BTreeMap<Hour, u64>);

impl SourceCoverage {
    pub(crate) fn add(&mut self, hour: Hour, minutes: u64) {
        *self.0.entry(hour).or_default() |= minutes;
    }

    /// The first minute that was watched.
    pub fn first(&self) -> Option<Timestamp> {
        let (hour, minutes) = self.0.iter().find(|(_, minutes)| **minutes != 0)?;
        Some(hour.begins().plus_seconds(i64::from(minutes.trailing_zeros()) * 60))
    }

    /// How many minutes.
    pub fn minutes(&self) -> u64 {
        self.0.values().map(|minutes| u64::from(minutes.count_ones())).sum()
    }

    /// The stretches between `from` and `to` that were not watched, to the minute; each from its begin to its end.
    pub fn gaps(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let minute = |time: Timestamp| time.as_seconds().div_euclid(60);
        let watched = |minute: i64| {
            let hour = u32::try_from(minute.div_euclid(60)).ok();
            hour.and_then(|hour| self.0.get(&Hour(hour)))
                .is_some_and(|bits| bits >> minute.rem_euclid(60) & 1 == 1)
        };
        let time = |minute: i64| Timestamp::from_micros(0).plus_seconds(minute * 60);
        let mut gaps: Vec<(Timestamp, Timestamp)> = Vec::new();
        for minute in minute(from)..minute(to) {
            if watched(minute) {
                continue;
            }
            match gaps.last_mut() {
                Some((_, end)) if *end == time(minute) => *end = time(minute + 1),
                _ => gaps.push((time(minute), time(minute + 1))),
            }
        }
        gaps
    }
}

/// What a memory answered.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// For each question, in order, what was found.
    pub found: Vec<Option<Found>>,
    /// What was watched, by source.
    pub coverage: BTreeMap<Arc<str>, SourceCoverage>,
    /// The probability that a value which never passed is found all the same, per question; addresses never are.
    pub false_positives: f64,
    /// Values in the files that were asked.
    pub values: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// How many files were asked.
    pub files: u64,
    /// Files that could not be believed; what they held is missing from the answer.
    pub damage: Vec<Damage>,
}

/// Questions in the order files are in.
pub(crate) struct Sorted {
    pub(crate) words: Vec<(u64, usize)>,
    pub(crate) addresses: Vec<(u32, u32, usize)>,
}

impl Sorted {
    pub(crate) fn of(questions: &[Question]) -> Self {
        let (mut words, mut addresses) = (Vec::new(), Vec::new());
        for (place, question) in questions.iter().enumerate() {
            match question {
                Question::Word(word) => words.push((word.0, place)),
                Question::Addresses(first, last) => addresses.push((*first, *last, place)),
            }
        }
        words.sort_unstable();
        addresses.sort_unstable();
        Self { words, addresses }
    }
}

impl Answers {
    pub(crate) fn for_questions(count: usize) -> Self {
        Self { found: vec![None; count], ..Self::default() }
    }

    pub(crate) fn find(
        &mut self,
        place: usize,
        source: &Arc<str>,
        day: Hour,
        mask: u32,
        address: Option<u32>,
    ) {
        if let (Some(found), true) = (self.found.get_mut(place), mask != 0) {
            let found = found.get_or_insert_default();
            found.sources.entry(Arc::clone(source)).or_default().add(day, mask);
            if let Some(address) = address.filter(|_| found.addresses.len() < ADDRESSES_TOLD_MAX) {
                found.addresses.insert(address);
            }
        }
    }
}
