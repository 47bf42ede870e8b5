//! Sets of sequence numbers, such as the places of messages in a stream, with a text form.
//!
//! ```
//! use shieldwall_model::sequences::Sequences;
//!
//! let read: Sequences = "1-500,502".parse()?;
//! let again: Sequences = "499-503".parse()?;
//! assert_eq!(read.intersection(&again).to_string(), "499-500,502");
//! assert_eq!(again.difference(&read).to_string(), "501,503");
//! # Ok::<(), shieldwall_model::sequences::SequencesError>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most ranges of one set that is read from text.
pub const RANGES_MAX: usize = 200_000;

/// Why a text is no set of sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequencesError {
    /// A part is no number and no range of numbers.
    #[error("{0:?} is no range of numbers: write such as 1-500,502, rising")]
    Range(String),
    /// Too many ranges.
    #[error("more than {RANGES_MAX} ranges of numbers: tell them in pieces")]
    TooMany,
}

impl SequencesError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Range(_) => "sequences.range",
            Self::TooMany => "sequences.too_many",
        }
    }
}

/// A set of numbers, kept as ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sequences {
    /// First and last of each range.
    ranges: BTreeMap<u64, u64>,
}

impl Sequences {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges there are.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.iter().fold(0, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// The ranges in order, each by its first and last number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// Whether `number` is among them.
    pub fn contains(&self, number: u64) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    /// Takes in one number; tells whether it is new.
    pub fn insert(&mut self, number: u64) -> bool {
        let new = !self.contains(number);
        if new {
            self.insert_range(number, number);
        }
        new
    }

    /// Takes in all from `first` to `last`; nothing when they are the wrong way round.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        // Every range that begins no later than just behind the new one, from the back.
        while let Some((begin, end)) =
            self.ranges.range(..=last.saturating_add(1)).next_back().map(|(begin, end)| (*begin, *end))
        {
            if end.saturating_add(1) < first {
                break;
            }
            (first, last) = (first.min(begin), last.max(end));
            self.ranges.remove(&begin);
        }
        self.ranges.insert(first, last);
    }

    /// Takes in all of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|(first, last)| self.insert_range(first, last));
    }

    /// What both have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (first, last) in self.iter() {
            let before = other.ranges.range(..first).next_back();
            for (begin, end) in before.into_iter().chain(other.ranges.range(first..=last)) {
                both.insert_range(first.max(*begin), last.min(*end));
            }
        }
        both
    }

    /// What `other` has not.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (first, last) in self.iter() {
            let mut from = Some(first);
            let before = other.ranges.range(..first).next_back();
            for (begin, end) in before.into_iter().chain(other.ranges.range(first..=last)) {
                let Some(start) = from else { break };
                if *end < start {
                    continue;
                }
                if let Some(until) = begin.checked_sub(1) {
                    rest.insert_range(start, until.min(last));
                }
                from = end.checked_add(1);
            }
            if let Some(start) = from {
                rest.insert_range(start, last);
            }
        }
        rest
    }
}

impl fmt::Display for Sequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Sequences {
    type Err = SequencesError;

    fn from_str(text: &str) -> Result<Self, SequencesError> {
        let mut all = Self::default();
        if text.is_empty() {
            return Ok(all);
        }
        for (place, part) in text.split(',').enumerate() {
            if place >= RANGES_MAX {
                return Err(SequencesError::TooMany);
            }
            let wrong = || SequencesError::Range(part.chars().take(40).collect());
            let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(wrong());
            }
            all.insert_range(first, last);
        }
        Ok(all)
    }
}

impl From<Sequences> for String {
    fn from(sequences: Sequences) -> Self {
        sequences.to_string()
    }
}

impl TryFrom<String> for Sequences {
    type Error = SequencesError;

    fn try_from(text: String) -> Result<Self, SequencesError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(numbers: &BTreeSet<u64>) -> Sequences {
        let mut all = Sequences::default();
        numbers.iter().for_each(|number| _ = all.insert(*number));
        all
    }

    fn numbers() -> impl Strategy<Value = BTreeSet<u64>> {
        proptest::collection::btree_set(0u64..60, 0..40)
    }

    proptest! {
        /// Whatever is done with ranges is what would be done with the numbers one by one.
        #[test]
        fn ranges_are_sets(one in numbers(), other in numbers()) {
            let (a, b) = (set(&one), set(&other));
            prop_assert_eq!(a.len(), one.len() as u64);
            prop_assert_eq!(a.intersection(&b), set(&(&one & &other)));
            prop_assert_eq!(a.difference(&b), set(&(&one - &other)));
            let mut both = a.clone();
            both.extend(&b);
            prop_assert_eq!(&both, &set(&(&one | &other)));
            prop_assert!((0..60).all(|number| a.contains(number) == one.contains(&number)));
            prop_assert_eq!(both.to_string().parse::<Sequences>().unwrap(), both);
        }
    }

    #[test]
    fn ends_of_the_numbers_are_numbers_too() {
        let all: Sequences = "0-18446744073709551615".parse().unwrap();
        let end: Sequences = "0,18446744073709551615".parse().unwrap();
        assert_eq!(all.difference(&end).to_string(), "1-18446744073709551614");
        assert_eq!(all.intersection(&end), end);
        assert_eq!(all.len(), u64::MAX);
        for wrong in ["a", "2-1", "1,", "-", "1-", "18446744073709551616", "1--2", " 1"] {
            assert_eq!(wrong.parse::<Sequences>().unwrap_err().code(), "sequences.range", "{wrong}");
        }
    }
}
