//! An hour of one source while it is open: what it holds is in memory, and what is new waits for the journal.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use shieldwall_model::time::Timestamp;

use crate::fingerprint::Fingerprint;
use crate::{Hour, MemoryError};

/// Spreads numbers that are spread already, or nearly.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let product = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ product >> 29;
    }
}

pub(crate) type Numbers<T> = HashSet<T, BuildHasherDefault<Spread>>;

/// See the module.
#[derive(Debug)]
pub struct Page {
    pub(crate) source: Arc<str>,
    pub(crate) hour: Hour,
    pub(crate) words: Numbers<u64>,
    pub(crate) addresses: Numbers<u32>,
    pub(crate) new: New,
    /// The minutes that were watched, a bit each.
    pub(crate) minutes: u64,
    pub(crate) journal: PathBuf,
    /// Most values it takes.
    pub(crate) values_max: usize,
    /// Values it did not take.
    pub(crate) overflowed: u64,
    /// When it was last written to.
    pub(crate) touched: Timestamp,
}

/// What the journal does not have yet.
#[derive(Debug, Default)]
pub(crate) struct New {
    pub(crate) words: Vec<u64>,
    pub(crate) addresses: Vec<u32>,
    /// The minutes changed.
    pub(crate) minutes: bool,
}

impl New {
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.addresses.is_empty() && !self.minutes
    }
}

impl Page {
    pub(crate) fn new(source: Arc<str>, hour: Hour, journal: PathBuf, values_max: usize) -> Self {
        Self {
            source,
            hour,
            words: Numbers::default(),
            addresses: Numbers::default(),
            new: New::default(),
            minutes: 0,
            journal,
            values_max,
            overflowed: 0,
            touched: Timestamp::default(),
        }
    }

    /// Remembers a value that is not an IPv4 address.
    #[inline]
    pub fn word(&mut self, word: Fingerprint) {
        if self.words.len() >= self.values_max {
            self.overflowed += u64::from(!self.words.contains(&word.0));
        } else if self.words.insert(word.0) {
            self.new.words.push(word.0);
        }
    }

    /// Remembers an IPv4 address.
    #[inline]
    pub fn address(&mut self, address: u32) {
        if self.addresses.len() >= self.values_max {
            self.overflowed += u64::from(!self.addresses.contains(&address));
        } else if self.addresses.insert(address) {
            self.new.addresses.push(address);
        }
    }

    /// The minute `time` lies in was watched, if it is one of this hour.
    pub fn watched(&mut self, time: Timestamp) {
        let minute = time.since_micros(self.hour.begins()).div_euclid(60_000_000);
        if let Some(bit) = u32::try_from(minute).ok().filter(|minute| *minute < 60) {
            self.new.minutes |= self.minutes & 1 << bit == 0;
            self.minutes |= 1 << bit;
        }
    }

    /// How many values it holds.
    pub fn values(&self) -> usize {
        self.words.len() + self.addresses.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.words.len().max(self.addresses.len()) * 10 >= self.values_max * 9
    }

    /// The words in order, as a file holds them.
    pub(crate) fn sorted_words(&self) -> impl Iterator<Item = Result<(u64, u32), MemoryError>> + use<> {
        let mut all: Vec<u64> = self.words.iter().copied().collect();
        all.sort_unstable();
        all.into_iter().map(|word| Ok((word, 1)))
    }

    /// The addresses in order.
    pub(crate) fn sorted_addresses(&self) -> impl Iterator<Item = Result<(u64, u32), MemoryError>> + use<> {
        let mut all: Vec<u32> = self.addresses.iter().copied().collect();
        all.sort_unstable();
        all.into_iter().map(|address| Ok((u64::from(address), 1)))
    }
}
