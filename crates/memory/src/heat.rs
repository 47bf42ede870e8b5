//! How common values are: by how many hosts they were met, and on what share of the lines. Kept for the common ones alone.
//!
//! Two tables a source and day, of fixed size, one by hosts and one by lines. Each value has eight places it may stand in; a
//! newcomer that finds them all taken wears the least used down by one, and takes its place when nothing is left of it
//! (Misra and Gries 1982, in each group of eight). So a value met often enough is in the table whatever else passes, and
//! one that is not is rare. What only one host met, as most values are, does not come in at all: a value must be met by
//! two hosts within a while (an hour, where 5 million values pass a day).
//! Hosts are counted by HyperLogLog (Flajolet et al. 2007), 64 registers a value: a standard error of 13 %.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Hour;
use crate::error::{MemoryError, at};
use crate::fingerprint::checksum;
use crate::segment::flush_directory;

const MAGIC: &[u8; 8] = b"SWHEAT\x00\x01";
/// Places a value may stand in.
const WAYS: usize = 8;
/// Groups of places in the table.
const GROUPS: usize = 1_024;
/// Groups of places in the table of lines: a value on a thousandth of them is always in it.
const LINE_GROUPS: usize = 128;
/// Values that wait for a second host.
const WAITING: usize = 1 << 18;
/// Registers for the hosts of a value.
const VALUE_REGISTERS: usize = 64;
/// Registers for the hosts of a source: a standard error of 3 %.
const ALL_REGISTERS: usize = 1_024;
/// Of how many lines one is looked at for the share of lines.
pub(crate) const SAMPLE: u64 = 16;
/// Largest file in bytes.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Counts distinct things without keeping them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sketch<const N: usize>([u8; N]);

impl<const N: usize> Default for Sketch<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Sketch<N> {
    fn add(&mut self, hash: u64) {
        let bits = N.trailing_zeros();
        let rank = (hash << bits | 1 << (bits - 1)).leading_zeros() as u8 + 1;
        if let Some(register) = self.0.get_mut((hash >> (64 - bits)) as usize) {
            *register = rank.max(*register);
        }
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(to, from)| *to = from.max(*to));
    }

    /// Flajolet et al. 2007, figure 3, with linear counting below 2.5 N; of 64-bit hashes, so no correction above.
    fn count(&self) -> u64 {
        let n = N as f64;
        let alpha = if N == 64 { 0.709 } else { 0.7213 / (1.0 + 1.079 / n) };
        let sum: f64 = self.0.iter().map(|rank| 2f64.powi(-i32::from(*rank))).sum();
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        let raw = alpha * n * n / sum;
        let count = if raw <= 2.5 * n && empty > 0 { n * (n / empty as f64).ln() } else { raw };
        count.round() as u64
    }
}

#[derive(Clone, Debug, Default)]
struct Entry {
    /// 0 is nobody's.
    value: u64,
    weight: u32,
    hosts: Sketch<VALUE_REGISTERS>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    value: u64,
    lines: u64,
}

/// The common values of one source on one day.
#[derive(Clone, Debug)]
pub struct Heat {
    pub(crate) day: Hour,
    entries: Vec<Entry>,
    tallies: Vec<Tally>,
    /// Half of a value's hash, and half of the one host's that met it.
    waiting: Vec<u32>,
    hosts: Sketch<ALL_REGISTERS>,
    lines: u64,
    pub(crate) changed: bool,
}

impl Heat {
    /// Nothing yet.
    pub fn new(day: Hour) -> Self {
        let entries = vec![Entry::default(); GROUPS * WAYS];
        let (tallies, waiting) = (vec![Tally::default(); LINE_GROUPS * WAYS], vec![0; WAITING]);
        Self { day, entries, tallies, waiting, hosts: Sketch::default(), lines: 0, changed: false }
    }

    fn group(value: u64) -> usize {
        // Fingerprints are spread evenly in their high bits.
        ((value >> 40) as usize % GROUPS) * WAYS
    }

    fn find(&self, value: u64) -> Option<&Entry> {
        let from = Self::group(value);
        self.entries.get(from..from + WAYS)?.iter().find(|entry| entry.value == value)
    }

    fn lines_of(&self, value: u64) -> u64 {
        let from = ((value >> 40) as usize % LINE_GROUPS) * WAYS;
        let group = self.tallies.get(from..from + WAYS).unwrap_or_default();
        group.iter().find(|tally| tally.value == value).map_or(0, |tally| tally.lines)
    }

    fn place(&mut self, value: u64) -> Option<&mut Entry> {
        let from = Self::group(value);
        let group = self.entries.get_mut(from..from + WAYS)?;
        let at = match group.iter().position(|entry| entry.value == value) {
            Some(at) => at,
            None => {
                let (at, least) = group.iter_mut().enumerate().min_by_key(|(_, entry)| entry.weight)?;
                if least.weight > 1 {
                    least.weight -= 1;
                    return None;
                }
                *least = Entry { value, ..Entry::default() };
                at
            }
        };
        let entry = group.get_mut(at)?;
        entry.weight = entry.weight.saturating_add(1);
        Some(entry)
    }

    /// A line went by.
    pub(crate) fn line(&mut self) {
        self.lines += 1;
    }

    /// `host` was there.
    pub(crate) fn host(&mut self, host: u64) {
        self.changed = true;
        self.hosts.add(host);
    }

    /// `host` met `value`.
    pub(crate) fn met(&mut self, value: u64, host: Option<u64>) {
        let Some(host) = host else { return };
        if self.find(value).is_none() {
            let met = (value as u32) << 16 | (host >> 48) as u32;
            let slot = self.waiting.get_mut((value >> 20) as usize % WAITING);
            let before = slot.map_or(met, |slot| std::mem::replace(slot, met));
            if before >> 16 != met >> 16 || before == met {
                return;
            }
        }
        if let Some(entry) = self.place(value) {
            entry.hosts.add(host);
        }
    }

    /// `value` stood in a line that was looked at.
    pub(crate) fn sampled(&mut self, value: u64) {
        let from = ((value >> 40) as usize % LINE_GROUPS) * WAYS;
        let Some(group) = self.tallies.get_mut(from..from + WAYS) else { return };
        if let Some(tally) = group.iter_mut().find(|tally| tally.value == value) {
            tally.lines = tally.lines.saturating_add(SAMPLE);
        } else if let Some(least) = group.iter_mut().min_by_key(|tally| tally.lines) {
            least.lines = least.lines.saturating_sub(SAMPLE);
            if least.lines == 0 {
                *least = Tally { value, lines: SAMPLE };
            }
        }
    }

    pub(crate) fn write(&mut self, path: &Path, key_check: u64) -> Result<(), MemoryError> {
        let mut to = MAGIC.to_vec();
        to.extend_from_slice(&key_check.to_le_bytes());
        to.extend_from_slice(&self.day.0.to_le_bytes());
        to.extend_from_slice(&self.lines.to_le_bytes());
        to.extend_from_slice(&self.hosts.0);
        for tally in &self.tallies {
            to.extend_from_slice(&tally.value.to_le_bytes());
            to.extend_from_slice(&tally.lines.to_le_bytes());
        }
        for entry in self.entries.iter().filter(|entry| entry.weight > 0) {
            to.extend_from_slice(&entry.value.to_le_bytes());
            to.extend_from_slice(&entry.weight.to_le_bytes());
            to.extend_from_slice(&entry.hosts.0);
        }
        to.extend_from_slice(&checksum(&to).to_le_bytes());
        let part = path.with_extension("heat-tmp");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&part).map_err(at("create", &part))?;
        file.write_all(&to).map_err(at("write", &part))?;
        file.sync_all().map_err(at("flush", &part))?;
        fs::rename(&part, path).map_err(at("rename", &part))?;
        self.changed = false;
        flush_directory(path)
    }

    /// Reads a table; `None` if it is not there or cannot be believed.
    pub(crate) fn read(path: &Path, key_check: u64) -> Result<Option<Self>, MemoryError> {
        let length = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(at("look at", path))?.len(),
        };
        if length > FILE_BYTES_MAX {
            return Ok(None);
        }
        Ok(Self::parse(&fs::read(path).map_err(at("read", path))?, key_check))
    }

    fn parse(bytes: &[u8], key_check: u64) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<8>()?;
        if checksum(content) != u64::from_le_bytes(*sum) {
            return None;
        }
        let rest = content.strip_prefix(MAGIC)?;
        let (check, rest) = rest.split_first_chunk::<8>()?;
        let (day, rest) = rest.split_first_chunk::<4>()?;
        let (lines, rest) = rest.split_first_chunk::<8>()?;
        let (hosts, mut rest) = rest.split_first_chunk::<ALL_REGISTERS>()?;
        if u64::from_le_bytes(*check) != key_check {
            return None;
        }
        let mut heat = Self::new(Hour(u32::from_le_bytes(*day)));
        (heat.lines, heat.hosts) = (u64::from_le_bytes(*lines), Sketch(*hosts));
        for tally in &mut heat.tallies {
            let (value, after) = rest.split_first_chunk::<8>()?;
            let (lines, after) = after.split_first_chunk::<8>()?;
            *tally = Tally { value: u64::from_le_bytes(*value), lines: u64::from_le_bytes(*lines) };
            rest = after;
        }
        while let Some((value, after)) = rest.split_first_chunk::<8>() {
            let (weight, after) = after.split_first_chunk::<4>()?;
            let (hosts, after) = after.split_first_chunk::<VALUE_REGISTERS>()?;
            let entry = Entry {
                value: u64::from_le_bytes(*value),
                weight: u32::from_le_bytes(*weight),
                hosts: Sketch(*hosts),
            };
            let from = Self::group(entry.value);
            let free = heat.entries.get_mut(from..from + WAYS)?.iter_mut().find(|entry| entry.weight == 0)?;
            *free = entry;
            rest = after;
        }
        Some(heat)
    }
}

/// How common a value was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Popularity {
    /// Hosts that met it, estimated; 0 when it is not among the common values.
    pub hosts: u64,
    /// Hosts there were.
    pub all_hosts: u64,
    /// Lines it stood in, estimated from one line in 16.
    pub lines: u64,
    /// Lines there were.
    pub all_lines: u64,
}

impl Popularity {
    /// Over several days and sources, of each of `values`; a network is the values it is made of.
    pub(crate) fn over(heats: &[Heat], values: &[Vec<u64>]) -> Vec<Self> {
        let mut all = Sketch::<ALL_REGISTERS>::default();
        heats.iter().for_each(|heat| all.join(&heat.hosts));
        let (all_hosts, all_lines) = (all.count(), heats.iter().map(|heat| heat.lines).sum());
        let of = |value: &Vec<u64>| {
            let (mut met, mut lines, mut any) = (Sketch::<VALUE_REGISTERS>::default(), 0, false);
            for (heat, part) in heats.iter().flat_map(|heat| value.iter().map(move |part| (heat, *part))) {
                if let Some(entry) = heat.find(part) {
                    met.join(&entry.hosts);
                    any = true;
                }
                lines += heat.lines_of(part);
            }
            let hosts = if any { met.count().min(all_hosts) } else { 0 };
            Self { hosts, all_hosts, lines: lines.min(all_lines), all_lines }
        };
        values.iter().map(of).collect()
    }

    /// Share of all hosts that met it, 0 to 1.
    pub fn share_of_hosts(&self) -> f64 {
        self.hosts as f64 / self.all_hosts.max(1) as f64
    }

    /// Share of all lines it stood in, 0 to 1.
    pub fn share_of_lines(&self) -> f64 {
        self.lines as f64 / self.all_lines.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryKey;

    fn key() -> MemoryKey {
        let mut bytes = [3; 32];
        bytes[5] = 200;
        MemoryKey::new(bytes)
    }

    #[test]
    fn common_values_are_known_among_a_million_rare_ones() {
        let (key, mut heat) = (key(), Heat::new(Hour(24)));
        let common: Vec<u64> = (0u32..500).map(|n| key.of(4, &n.to_le_bytes()).0).collect();
        for n in 0u32..1_000_000 {
            let host = key.host(u128::from(n % 2_000));
            // Each of the million by one host.
            heat.line();
            heat.host(host);
            heat.met(key.of(5, &n.to_le_bytes()).0, Some(host));
            if n % 20 == 0 {
                // Each of them by one host in ten.
                let value = common[(n / 20) as usize % 500];
                heat.met(value, Some(key.host(u128::from(n / 10_000 * 10))));
            }
            if u64::from(n) % SAMPLE == 0 {
                heat.sampled(common[7]);
            }
        }
        let ask = |heat: &Heat, value: u64| Popularity::over(std::slice::from_ref(heat), &[vec![value]])[0];
        let found = ask(&heat, common[3]);
        assert!((60..140).contains(&found.hosts), "{found:?}");
        assert!((1_800..2_200).contains(&found.all_hosts), "{found:?}");
        assert!(ask(&heat, common[7]).share_of_lines() > 0.9);
        assert_eq!(ask(&heat, key.of(5, &999_999_999u32.to_le_bytes()).0).hosts, 0);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.heat");
        heat.write(&path, 9).unwrap();
        let again = Heat::read(&path, 9).unwrap().unwrap();
        assert!(common.iter().all(|value| ask(&again, *value) == ask(&heat, *value)));
        assert!(Heat::read(&path, 8).unwrap().is_none(), "another key");
        let mut bytes = fs::read(&path).unwrap();
        for place in (0..bytes.len()).step_by(1_013) {
            bytes[place] ^= 1;
            assert!(Heat::parse(&bytes, 9).is_none());
            bytes[place] ^= 1;
        }
    }

    #[test]
    fn hosts_are_counted_within_the_error_of_the_method() {
        let key = key();
        for hosts in [1u64, 5, 20, 100, 1_000, 50_000] {
            let (mut few, mut many) =
                (Sketch::<VALUE_REGISTERS>::default(), Sketch::<ALL_REGISTERS>::default());
            for host in 0..hosts {
                few.add(key.host(u128::from(host)));
                many.add(key.host(u128::from(host)));
            }
            let off = |count: u64| (count as f64 - hosts as f64).abs() / hosts as f64;
            assert!(
                off(few.count()) < 0.4 && off(many.count()) < 0.12,
                "{hosts}: {} {}",
                few.count(),
                many.count()
            );
        }
    }
}
