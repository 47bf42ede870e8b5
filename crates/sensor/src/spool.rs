//! What the sensor has done, on disk: reports the hub has not confirmed, and how far the inputs were read.
//!
//! A report is one file that appears whole or not at all, and it carries the [`Checkpoint`] as of which it was
//! written. So "these sightings were found" and "the inputs were read up to here" are one step: after a crash
//! either both are so or neither. A report leaves the disk only after the hub confirmed it, and the hub knows
//! it again by its key, so it may be sent any number of times.
//!
//! ```text
//! STATE/checkpoint.json            how far the inputs were read when nothing was to report
//! STATE/spool/<sequence>-<key>.json  a report
//! STATE/spool/refused/             reports the hub will never take, kept for a person to look at
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use shieldwall_model::id::Entropy;
use shieldwall_model::limits;
use uuid::Uuid;

use crate::disk::{self, Disk, DiskError};
use crate::follow::Position;
use crate::wire::{Origin, Sighting};

/// Largest report or checkpoint file in bytes.
const REPORT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most refused reports that are kept.
const REFUSED_KEPT_MAX: usize = 100;

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The state directory failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A report could not be written as JSON.
    #[error("a report could not be written: {0}")]
    Form(#[from] serde_json::Error),
    /// No random bytes for the report's key.
    #[error("a report got no key: {0}")]
    Key(#[from] shieldwall_model::id::EntropyError),
    /// The program is ending.
    #[error("the program is ending")]
    Stopped,
}

impl SpoolError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.code(),
            Self::Form(_) => "sensor.spool.form",
            Self::Key(error) => error.code(),
            Self::Stopped => "sensor.spool.stopped",
        }
    }
}

/// How far the sensor is: what was read, and what was seen and waits to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// Rises with every checkpoint, whether it stands alone or in a report.
    pub(crate) sequence: u64,
    /// How far each input's files were read, by the input's name.
    pub(crate) inputs: BTreeMap<String, Vec<Position>>,
    /// Sightings whose turn to be told had not come.
    pub(crate) waiting: Vec<Sighting>,
}

/// A report to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// By which the hub knows it again.
    pub(crate) key: Uuid,
    pub(crate) sightings: Vec<Sighting>,
    /// The messages the sightings come from, where they come from a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<Origin>,
    pub(crate) checkpoint: Checkpoint,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    path: PathBuf,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    bytes: u64,
    /// The sequence of the checkpoint file.
    committed: u64,
    /// The highest sequence given out.
    sequence: u64,
    /// How many reports were written since this was opened.
    written: u64,
}

/// The spool of one state directory.
#[derive(Debug)]
pub(crate) struct Spool {
    state: PathBuf,
    disk: Disk,
    bytes_max: u64,
    inner: Mutex<Inner>,
}

impl Spool {
    /// Opens the spool in `state` and tells how far the sensor was.
    pub(crate) fn open(state: &Path, disk: Disk) -> Result<(Self, Checkpoint), SpoolError> {
        Self::open_with_limit(state, disk, limits::SPOOL_BYTES_MAX)
    }

    pub(crate) fn open_with_limit(
        state: &Path,
        disk: Disk,
        bytes_max: u64,
    ) -> Result<(Self, Checkpoint), SpoolError> {
        let spool = state.join("spool");
        disk::make_directory(&spool.join("refused"))?;
        let mut newest = match disk::read(&state.join("checkpoint.json"), REPORT_BYTES_MAX)? {
            Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::error!(%error, "checkpoint.json is damaged; reading on from what the reports say");
                Checkpoint::default()
            }),
            None => Checkpoint::default(),
        };
        let mut inner = Inner { committed: newest.sequence, ..Inner::default() };
        let mut names: Vec<PathBuf> = fs::read_dir(&spool)
            .map_err(disk::at("list", &spool))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(disk::at("list", &spool))?;
        names.sort();
        for path in names {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("tmp") => disk.remove(&path)?,
                Some("json") => match Self::read_report(&path)? {
                    Some((report, bytes)) => {
                        inner.entries.push_back(Entry { sequence: report.checkpoint.sequence, path, bytes });
                        inner.bytes += bytes;
                        if report.checkpoint.sequence > newest.sequence {
                            newest = report.checkpoint;
                        }
                    }
                    None => {
                        tracing::error!(path = %path.display(), "a report is damaged and was put aside");
                        set_aside(&disk, &path)?;
                    }
                },
                _ => {}
            }
        }
        inner.sequence = newest.sequence;
        Ok((Self { state: state.to_owned(), disk, bytes_max, inner: Mutex::new(inner) }, newest))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_report(path: &Path) -> Result<Option<(Report, u64)>, SpoolError> {
        let Some(bytes) = disk::read(path, REPORT_BYTES_MAX)? else { return Ok(None) };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(serde_json::from_slice(&bytes).ok().map(|report| (report, length)))
    }

    /// Makes a report of `sightings` as of `checkpoint`, whose sequence is set here.
    pub(crate) fn prepare(
        &self,
        sightings: Vec<Sighting>,
        origin: Option<Origin>,
        mut checkpoint: Checkpoint,
        entropy: &dyn Entropy,
    ) -> Result<Report, SpoolError> {
        let mut random = [0; 16];
        entropy.fill(&mut random)?;
        let mut inner = self.inner();
        inner.sequence += 1;
        checkpoint.sequence = inner.sequence;
        let key = uuid::Builder::from_random_bytes(random).into_uuid();
        Ok(Report { key, sightings, origin, checkpoint })
    }

    /// Writes a report that stands beside the inputs: it says nothing of how far they were read. Under a key it was
    /// written with before, it is not written again while that one waits.
    pub(crate) fn write_beside(&self, sightings: Vec<Sighting>, key: Uuid) -> Result<(), SpoolError> {
        let report = Report { key, sightings, origin: None, checkpoint: Checkpoint::default() };
        let name = format!("-{key}.json");
        let waits = |entry: &Entry| entry.path.to_string_lossy().ends_with(&name);
        if self.inner().entries.iter().any(waits) {
            return Ok(());
        }
        self.write(&report)
    }

    /// Writes a report. Once this returned it outlasts a crash. When it failed it may be there or not: nothing
    /// may be prepared or committed before this very report was written after all.
    pub(crate) fn write(&self, report: &Report) -> Result<(), SpoolError> {
        let sequence = report.checkpoint.sequence;
        let bytes = serde_json::to_vec(report)?;
        let path = self.state.join("spool").join(format!("{sequence:020}-{}.json", report.key));
        self.disk.replace(&path, &bytes)?;
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut inner = self.inner();
        inner.bytes += bytes;
        inner.written += 1;
        inner.entries.push_back(Entry { sequence, path, bytes });
        Ok(())
    }

    /// Keeps `checkpoint` without a report.
    pub(crate) fn commit(&self, mut checkpoint: Checkpoint) -> Result<(), SpoolError> {
        let mut inner = self.inner();
        inner.sequence += 1;
        checkpoint.sequence = inner.sequence;
        self.commit_to(&mut inner, &checkpoint)
    }

    fn commit_to(&self, inner: &mut Inner, checkpoint: &Checkpoint) -> Result<(), SpoolError> {
        self.disk.replace(&self.state.join("checkpoint.json"), &serde_json::to_vec(checkpoint)?)?;
        inner.committed = checkpoint.sequence;
        Ok(())
    }

    /// The oldest report, if any.
    pub(crate) fn oldest(&self) -> Result<Option<Report>, SpoolError> {
        loop {
            let Some((path, bytes)) = self.inner().entries.front().map(|e| (e.path.clone(), e.bytes)) else {
                return Ok(None);
            };
            if let Some((report, _)) = Self::read_report(&path)? {
                return Ok(Some(report));
            }
            tracing::error!(path = %path.display(), "a report is damaged or gone and was put aside");
            if path.exists() {
                set_aside(&self.disk, &path)?;
            }
            let mut inner = self.inner();
            inner.entries.pop_front();
            inner.bytes = inner.bytes.saturating_sub(bytes);
        }
    }

    /// The hub confirmed this report (the oldest): it leaves the disk, and its checkpoint stays.
    pub(crate) fn confirmed(&self, report: &Report) -> Result<(), SpoolError> {
        self.leave(report, |disk, path| disk.remove(path))
    }

    /// The hub will never take this report (the oldest): it is set aside.
    pub(crate) fn refused(&self, report: &Report) -> Result<(), SpoolError> {
        self.leave(report, set_aside)
    }

    fn leave(
        &self,
        report: &Report,
        how: impl FnOnce(&Disk, &Path) -> Result<(), DiskError>,
    ) -> Result<(), SpoolError> {
        let mut inner = self.inner();
        if inner.committed < report.checkpoint.sequence {
            self.commit_to(&mut inner, &report.checkpoint)?;
        }
        if inner.entries.front().is_some_and(|entry| entry.sequence == report.checkpoint.sequence)
            && let Some(entry) = inner.entries.pop_front()
        {
            inner.bytes = inner.bytes.saturating_sub(entry.bytes);
            how(&self.disk, &entry.path)?;
        }
        Ok(())
    }

    /// How many reports wait for the hub.
    pub(crate) fn reports(&self) -> usize {
        self.inner().entries.len()
    }

    /// How many reports were written since this was opened. How many wait does not tell whether one was: another may have
    /// been handed in meanwhile.
    pub(crate) fn written(&self) -> u64 {
        self.inner().written
    }

    /// Whether no more may be written until the hub confirms some.
    pub(crate) fn is_full(&self) -> bool {
        self.inner().bytes >= self.bytes_max
    }
}

/// Moves a file into `refused/`, unless that is full: then it goes for good.
fn set_aside(disk: &Disk, path: &Path) -> Result<(), DiskError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let refused = directory.join("refused");
    let kept = fs::read_dir(&refused).map_err(disk::at("list", &refused))?.count();
    if kept < REFUSED_KEPT_MAX { disk.move_to(path, &refused.join(name)) } else { disk.remove(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_model::id::RepeatableEntropy;

    fn sighting(count: u64) -> Sighting {
        serde_json::from_value(serde_json::json!({
            "group": "group--00000000-0000-7000-8000-000000000001",
            "indicator": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "first_seen": "2017-05-12T07:24:00Z", "last_seen": "2017-05-12T07:24:00Z", "count": count,
            "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": "2017-05-12T07:24:00Z",
        }))
        .unwrap()
    }

    fn checkpoint(waiting: u64) -> Checkpoint {
        Checkpoint { waiting: vec![sighting(waiting)], ..Checkpoint::default() }
    }

    fn write(spool: &Spool, count: u64, waiting: u64, entropy: &RepeatableEntropy) {
        let report = spool.prepare(vec![sighting(count)], None, checkpoint(waiting), entropy).unwrap();
        spool.write(&report).unwrap();
    }

    #[test]
    fn reports_go_in_order_and_the_newest_checkpoint_wins() {
        let state = tempfile::tempdir().unwrap();
        let entropy = RepeatableEntropy::new(1);
        let (spool, found) = Spool::open(state.path(), Disk::default()).unwrap();
        assert_eq!(found, Checkpoint::default());
        write(&spool, 1, 10, &entropy);
        write(&spool, 2, 20, &entropy);
        let (spool, found) = Spool::open(state.path(), Disk::default()).unwrap();
        assert_eq!((found.sequence, found.waiting[0].count, spool.reports()), (2, 20, 2));
        let first = spool.oldest().unwrap().unwrap();
        assert_eq!(first.sightings, [sighting(1)]);
        spool.commit(checkpoint(30)).unwrap();
        spool.confirmed(&first).unwrap();
        let second = spool.oldest().unwrap().unwrap();
        assert_ne!(first.key, second.key);
        spool.confirmed(&second).unwrap();
        let (spool, found) = Spool::open(state.path(), Disk::default()).unwrap();
        assert_eq!((found.waiting[0].count, spool.reports()), (30, 0));
        assert_eq!(spool.written(), 0, "since it was opened");
    }

    #[test]
    fn the_checkpoint_of_a_confirmed_report_stays() {
        let state = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(state.path(), Disk::default()).unwrap();
        write(&spool, 1, 10, &RepeatableEntropy::new(1));
        spool.confirmed(&spool.oldest().unwrap().unwrap()).unwrap();
        assert_eq!(Spool::open(state.path(), Disk::default()).unwrap().1.waiting[0].count, 10);
    }

    #[test]
    fn a_full_spool_says_so_and_a_refused_report_makes_room() {
        let state = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open_with_limit(state.path(), Disk::default(), 100).unwrap();
        assert!(!spool.is_full());
        write(&spool, 1, 1, &RepeatableEntropy::new(1));
        assert!(spool.is_full());
        spool.refused(&spool.oldest().unwrap().unwrap()).unwrap();
        assert!(!spool.is_full());
        assert_eq!(fs::read_dir(state.path().join("spool/refused")).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_report_is_put_aside_and_the_rest_goes_on() {
        let state = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(state.path(), Disk::default()).unwrap();
        let entropy = RepeatableEntropy::new(1);
        write(&spool, 1, 1, &entropy);
        write(&spool, 2, 2, &entropy);
        let first = spool.inner().entries[0].path.clone();
        fs::write(&first, b"{").unwrap();
        fs::write(state.path().join("spool/x.json.tmp"), b"part").unwrap();
        assert_eq!(spool.oldest().unwrap().unwrap().sightings, [sighting(2)]);
        let (spool, _) = Spool::open(state.path(), Disk::default()).unwrap();
        assert_eq!(spool.reports(), 1);
        assert!(!state.path().join("spool/x.json.tmp").exists());
    }
}
