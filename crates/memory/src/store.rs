//! The memory as its sensor keeps it: open hours in memory and journal, finished ones as files, days merged, old ones
//! forgotten.
//!
//! ```text
//! memory/key                          32 random bytes, mode 0600
//! memory/last                         when it was last flushed, and whether it was closed
//! memory/open/<hour>-<source>.<n>.journal
//! memory/2026-11-25/<hour>-<source>.<n>.hour
//! memory/2026-11-25/<source>.<n>.day  once the day is over
//! memory/2026-11-25/<source>.heat     how common values were
//! memory/aside/                       damaged files, kept for a person to look at
//! ```
//! It is shared behind a mutex. Whoever records holds it for a block of telemetry; upkeep holds it to take things out and
//! writes without it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use shieldwall_model::id::Entropy;
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use crate::answer::{Answers, Question, Sorted};
use crate::archive::{ASIDE, Archive, OPEN, ask_page, days, files, is_gone, read_key};
use crate::error::{Damage, MemoryError, at};
use crate::fingerprint::{MemoryKey, checksum};
use crate::heat::{Heat, Popularity};
use crate::journal::{self, Record};
use crate::merge::{Unmerged, merge};
use crate::page::Page;
use crate::scribe::is_credible;
use crate::segment::{Header, Segment, Sort, Writer, flush_directory};
use crate::{Hour, MemoryKey as Key};

/// How long an hour stays open after its end, in seconds: events are read late.
const GRACE_SECONDS: i64 = 300;
/// How long an hour must not have been written to before it is finished, in seconds.
const QUIET_SECONDS: i64 = 60;
/// Most open hours of one source; with more, the one written to longest ago is finished.
const OPEN_HOURS_MAX: usize = 4;
/// Longest time between two flushes over which the minutes between count as watched, in seconds. More, and the machine slept.
const FLUSHES_APART_SECONDS_MAX: i64 = 180;
/// Most damaged files that are kept.
const ASIDE_KEPT_MAX: usize = 100;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For how many days.
    pub days: u32,
    /// Bytes on disk; the oldest days go first.
    pub bytes_max: u64,
    /// Most values of an open hour of one source.
    pub page_values_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            days: limits::MEMORY_DAYS_DEFAULT,
            bytes_max: limits::MEMORY_BYTES_MAX,
            page_values_max: limits::MEMORY_PAGE_VALUES_MAX,
        }
    }
}

/// What was found at the opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Values of open hours that were brought back.
    pub values: u64,
    /// The memory was not closed: what passed between here and the end of its sensor is not remembered.
    pub lost_from: Option<Timestamp>,
    /// Files that could not be believed, set aside or cut.
    pub damage: Vec<Damage>,
}

/// What a round of upkeep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Hours finished.
    pub finished: usize,
    /// Days merged.
    pub merged: usize,
    /// Days forgotten because they are too old.
    pub forgotten: Vec<String>,
    /// Days forgotten because the disk's share was used up.
    pub crowded_out: Vec<String>,
    /// Files set aside.
    pub damage: Vec<Damage>,
}

#[derive(Serialize, Deserialize)]
struct Last {
    flushed: Timestamp,
    closed: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Memory {
    directory: PathBuf,
    key: MemoryKey,
    limits: Limits,
    pages: BTreeMap<(Arc<str>, Hour), Page>,
    /// Hours on their way into files.
    leaving: Vec<Arc<Page>>,
    heats: BTreeMap<(Arc<str>, Hour), Heat>,
    sources: BTreeSet<Arc<str>>,
    journals: u64,
    /// Up to when minutes are marked as watched.
    marked: Timestamp,
    overflowed: u64,
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

fn make_directory(path: &Path) -> Result<(), MemoryError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(at("make", path))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), MemoryError> {
    let part = path.with_extension("tmp");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(at("create", &part))?;
    file.write_all(bytes).map_err(at("write", &part))?;
    file.sync_all().map_err(at("flush", &part))?;
    fs::rename(&part, path).map_err(at("rename", &part))?;
    flush_directory(path)
}

fn remove(path: &Path) -> Result<(), MemoryError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Moves a damaged file where a person may look at it; past a number of them they go for good.
fn set_aside(directory: &Path, path: &Path) -> Result<(), MemoryError> {
    let aside = directory.join(ASIDE);
    make_directory(&aside)?;
    let kept = fs::read_dir(&aside).map_err(at("list", &aside))?.count();
    let day = path.parent().and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or("");
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or("file");
    if kept >= ASIDE_KEPT_MAX {
        return remove(path);
    }
    fs::rename(path, aside.join(format!("{day}-{name}"))).map_err(at("set aside", path))
}

/// A source's name in file names.
fn short(source: &str) -> String {
    format!("{:08x}", checksum(source.as_bytes()) as u32)
}

/// The first name of this form nobody has.
fn free_name(directory: &Path, stem: &str, ending: &str) -> PathBuf {
    let mut number = 0u64;
    loop {
        let path = directory.join(format!("{stem}.{number}.{ending}"));
        if !path.exists() {
            return path;
        }
        number += 1;
    }
}

impl Memory {
    /// Opens the memory in `directory`, which is made if need be, and brings back the hours that were open.
    ///
    /// # Errors
    /// [`MemoryError`] when the directory or the key cannot be used. Damaged files are told, not errors.
    pub fn open(
        directory: &Path,
        limits: Limits,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(Self, Opened), MemoryError> {
        make_directory(&directory.join(OPEN))?;
        let key = match read_key(directory)? {
            Some(key) => key,
            None => {
                let mut bytes = [0; 32];
                entropy.fill(&mut bytes)?;
                replace(&directory.join("key"), &bytes)?;
                Key::new(bytes)
            }
        };
        let mut memory = Self {
            directory: directory.to_owned(),
            key,
            limits,
            pages: BTreeMap::new(),
            leaving: Vec::new(),
            heats: BTreeMap::new(),
            sources: BTreeSet::new(),
            journals: 0,
            marked: now,
            overflowed: 0,
        };
        let mut opened = Opened::default();
        memory.bring_back(&mut opened, now)?;
        let last = directory.join("last");
        let kept = fs::read(&last).ok().and_then(|bytes| serde_json::from_slice::<Last>(&bytes).ok());
        opened.lost_from = kept.filter(|last| !last.closed).map(|last| last.flushed);
        memory.write_last(now, false)?;
        Ok((memory, opened))
    }

    fn write_last(&self, now: Timestamp, closed: bool) -> Result<(), MemoryError> {
        let text = serde_json::to_vec(&Last { flushed: now, closed }).unwrap_or_default();
        replace(&self.directory.join("last"), &text)
    }

    fn bring_back(&mut self, opened: &mut Opened, now: Timestamp) -> Result<(), MemoryError> {
        for path in files(&self.directory.join(OPEN), &["journal"])? {
            match journal::read(&path, self.key.check(), self.limits.page_values_max)? {
                Ok(kept) => {
                    if kept.whole < kept.bytes {
                        let why = format!(
                            "its last {} bytes are no whole record and were cut",
                            kept.bytes - kept.whole
                        );
                        opened.damage.push(Damage { path: path.clone(), why });
                        journal::cut(&path, kept.whole)?;
                    }
                    opened.values += kept.page.values() as u64;
                    let mut page = kept.page;
                    page.touched = now;
                    match self.pages.get_mut(&(Arc::clone(&page.source), page.hour)) {
                        // Two journals of one hour: the first takes the other's values in.
                        Some(known) => {
                            page.words.iter().for_each(|word| known.word(crate::Fingerprint(*word)));
                            page.addresses.iter().for_each(|address| known.address(*address));
                            known.minutes |= page.minutes;
                        }
                        None => _ = self.pages.insert((Arc::clone(&page.source), page.hour), page),
                    }
                }
                Err(damage) => {
                    set_aside(&self.directory, &path)?;
                    opened.damage.push(damage);
                }
            }
        }
        Ok(())
    }

    /// What fingerprints are made with.
    pub fn key(&self) -> &MemoryKey {
        &self.key
    }

    /// Makes a source known, so that its quiet minutes count as watched.
    pub fn source(&mut self, name: &str) -> Arc<str> {
        let mut end = name.len().min(crate::segment::SOURCE_BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let source: Arc<str> = name.get(..end).unwrap_or_default().into();
        self.sources.insert(Arc::clone(&source));
        source
    }

    /// The hour an event belongs to: that of its own time, where it has a credible one, else that of `now`.
    pub fn hour_of(&self, event: Option<Timestamp>, now: Timestamp) -> Hour {
        Hour::of(event.filter(|time| is_credible(*time, now, self.limits.days)).unwrap_or(now))
    }

    /// The page of an hour, and how common values are on its day.
    pub fn desk(&mut self, source: &Arc<str>, hour: Hour, now: Timestamp) -> (&mut Page, &mut Heat) {
        let day = hour.day();
        let page = match self.pages.entry((Arc::clone(source), hour)) {
            std::collections::btree_map::Entry::Occupied(page) => page.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                self.journals += 1;
                let stem = format!("{:08}-{}", hour.0, short(source));
                let journal = free_name(&self.directory.join(OPEN), &stem, "journal");
                free.insert(Page::new(Arc::clone(source), hour, journal, self.limits.page_values_max))
            }
        };
        page.touched = now;
        let heat = match self.heats.entry((Arc::clone(source), day)) {
            std::collections::btree_map::Entry::Occupied(heat) => heat.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let path = self.directory.join(day.date()).join(format!("{}.heat", short(source)));
                let kept = Heat::read(&path, self.key.check()).ok().flatten();
                free.insert(kept.unwrap_or_else(|| Heat::new(day)))
            }
        };
        (page, heat)
    }

    /// Values that found their hour full, since the start.
    pub fn overflowed(&self) -> u64 {
        self.overflowed + self.pages.values().map(|page| page.overflowed).sum::<u64>()
    }

    /// Marks the minutes since the last time as watched, for every source.
    fn mark(&mut self, now: Timestamp) {
        let apart = now.as_seconds() - self.marked.as_seconds();
        if !(0..=FLUSHES_APART_SECONDS_MAX).contains(&apart) {
            self.marked = now;
            return;
        }
        // A minute counts when it was watched from its begin to its end.
        let begin = (self.marked.as_micros() + 59_999_999).div_euclid(60_000_000);
        let end = now.as_micros().div_euclid(60_000_000);
        let sources: Vec<Arc<str>> = self.sources.iter().cloned().collect();
        for minute in begin..end {
            let time = Timestamp::from_micros(minute * 60_000_000);
            for source in &sources {
                let (page, _) = self.desk(source, Hour::of(time), now);
                page.watched(time);
            }
        }
        if end > begin {
            self.marked = Timestamp::from_micros(end * 60_000_000);
        }
    }

    /// Brings what is new onto disk. Once this returned it outlasts a crash.
    ///
    /// # Errors
    /// [`MemoryError::Io`]; what could not be written is tried again next time.
    pub fn flush(memory: &Mutex<Self>, now: Timestamp) -> Result<(), MemoryError> {
        let (records, check) = {
            let mut memory = lock(memory);
            memory.mark(now);
            let fresh = memory.pages.values_mut().filter(|page| !page.new.is_empty());
            let records: Vec<Record> = fresh
                .map(|page| Record {
                    source: Arc::clone(&page.source),
                    hour: page.hour,
                    new: std::mem::take(&mut page.new),
                    minutes: page.minutes,
                    journal: page.journal.clone(),
                })
                .collect();
            (records, memory.key.check())
        };
        let mut failed = None;
        for record in records {
            if let Err(error) = record.append(check) {
                let mut memory = lock(memory);
                if let Some(page) = memory.pages.get_mut(&(Arc::clone(&record.source), record.hour)) {
                    page.new.words.extend(record.new.words);
                    page.new.addresses.extend(record.new.addresses);
                    page.new.minutes = true;
                }
                failed = Some(error);
            }
        }
        match failed {
            Some(error) => Err(error),
            None => lock(memory).write_last(now, false),
        }
    }

    /// Finishes hours that are over, merges days that are over, forgets what is too old.
    ///
    /// # Errors
    /// [`MemoryError::Io`]; the rest is tried again next time.
    pub fn tidy(memory: &Mutex<Self>, now: Timestamp) -> Result<Upkeep, MemoryError> {
        let mut upkeep = Upkeep::default();
        Self::finish_hours(memory, now, &mut upkeep)?;
        let (directory, check, limits, open) = {
            let memory = lock(memory);
            let open: BTreeSet<(String, Hour)> =
                memory.pages.keys().map(|(source, hour)| (short(source), hour.day())).collect();
            (memory.directory.clone(), memory.key.check(), memory.limits, open)
        };
        merge_days(&directory, check, &open, now, &mut upkeep)?;
        forget(&directory, limits, now, &mut upkeep)?;
        Ok(upkeep)
    }

    fn finish_hours(memory: &Mutex<Self>, now: Timestamp, upkeep: &mut Upkeep) -> Result<(), MemoryError> {
        Self::write_heats(memory, Some(now))?;
        let leaving = lock(memory).take_leaving(now);
        let mut failed = None;
        for page in leaving {
            let (directory, check) = {
                let memory = lock(memory);
                (memory.directory.clone(), memory.key.check())
            };
            let written = write_page(&directory, check, &page);
            let mut memory = lock(memory);
            memory.leaving.retain(|other| !Arc::ptr_eq(other, &page));
            match written {
                Ok(()) => upkeep.finished += 1,
                Err(error) => {
                    // It goes on being open, and is tried again.
                    if let Ok(page) = Arc::try_unwrap(page) {
                        memory.pages.entry((Arc::clone(&page.source), page.hour)).or_insert(page);
                    }
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn take_leaving(&mut self, now: Timestamp) -> Vec<Arc<Page>> {
        let mut leave: BTreeSet<(Arc<str>, Hour)> = BTreeSet::new();
        let mut by_source: BTreeMap<&Arc<str>, Vec<(Timestamp, Hour)>> = BTreeMap::new();
        for (key, page) in &self.pages {
            let over = now.as_seconds() > page.hour.ends().as_seconds() + GRACE_SECONDS;
            if page.is_full() || over && now.as_seconds() > page.touched.as_seconds() + QUIET_SECONDS {
                leave.insert(key.clone());
            } else {
                by_source.entry(&key.0).or_default().push((page.touched, page.hour));
            }
        }
        for (source, mut open) in by_source {
            open.sort_unstable();
            let surplus = open.len().saturating_sub(OPEN_HOURS_MAX);
            leave.extend(open.into_iter().take(surplus).map(|(_, hour)| (Arc::clone(source), hour)));
        }
        let pages: Vec<Arc<Page>> =
            leave.iter().filter_map(|key| self.pages.remove(key)).map(Arc::new).collect();
        self.overflowed += pages.iter().map(|page| page.overflowed).sum::<u64>();
        self.leaving.extend(pages.iter().cloned());
        pages
    }

    /// Writes the tables of common values that changed; with `now`, lets go of those of days long over.
    fn write_heats(memory: &Mutex<Self>, now: Option<Timestamp>) -> Result<(), MemoryError> {
        let mut memory = lock(memory);
        let (directory, check) = (memory.directory.clone(), memory.key.check());
        for ((source, day), heat) in &mut memory.heats {
            if heat.changed {
                let place = directory.join(day.date());
                make_directory(&place)?;
                heat.write(&place.join(format!("{}.heat", short(source))), check)?;
            }
        }
        if let Some(now) = now {
            let pages: BTreeSet<_> =
                memory.pages.keys().map(|(source, hour)| (Arc::clone(source), hour.day())).collect();
            let today = Hour::of(now).day();
            memory.heats.retain(|key, _| pages.contains(key) || key.1 >= today);
        }
        Ok(())
    }

    /// Brings everything onto disk and says that nothing is missing.
    ///
    /// # Errors
    /// [`MemoryError::Io`].
    pub fn close(memory: &Mutex<Self>, now: Timestamp) -> Result<(), MemoryError> {
        Self::flush(memory, now)?;
        Self::write_heats(memory, None)?;
        lock(memory).write_last(now, true)
    }

    /// Asks everything: open hours, and the files, which are read without holding up those who record.
    ///
    /// # Errors
    /// [`MemoryError::Io`] when the directory cannot be read.
    pub fn ask(
        memory: &Mutex<Self>,
        questions: &[Question],
        from: Hour,
        to: Hour,
    ) -> Result<Answers, MemoryError> {
        let sorted = Sorted::of(questions);
        let mut answers = Answers::for_questions(questions.len());
        let archive = {
            let memory = lock(memory);
            for page in memory.pages.values().chain(memory.leaving.iter().map(AsRef::as_ref)) {
                if (from..=to).contains(&page.hour) {
                    ask_page(page, &sorted, &mut answers);
                }
            }
            Archive::with_key(memory.directory.clone(), memory.key.clone())
        };
        archive.ask_files(&sorted, from, to, &mut answers)?;
        Ok(answers)
    }

    /// How common values were over the `days` up to `now`; each value is the words it is made of.
    ///
    /// # Errors
    /// [`MemoryError::Io`] when the directory cannot be read.
    pub fn popularity(
        memory: &Mutex<Self>,
        values: &[Vec<u64>],
        now: Timestamp,
        days: u32,
    ) -> Result<Vec<Popularity>, MemoryError> {
        // Today's table goes to disk with the rest; asking is rare.
        Self::write_heats(memory, None)?;
        let archive = {
            let memory = lock(memory);
            Archive::with_key(memory.directory.clone(), memory.key.clone())
        };
        archive.popularity(values, Hour::of(now.plus_seconds(-i64::from(days) * 86_400)))
    }
}

/// Writes an hour as a file, and lets go of its journal.
fn write_page(directory: &Path, key_check: u64, page: &Page) -> Result<(), MemoryError> {
    let place = directory.join(page.hour.date());
    make_directory(&place)?;
    let path = free_name(&place, &format!("{:02}-{}", page.hour.0 % 24, short(&page.source)), "hour");
    let mut header = Header::new(page.hour, 1, crate::fingerprint::BITS, key_check, &page.source);
    if let Some(minutes) = header.minutes.first_mut() {
        *minutes = page.minutes;
    }
    let mut writer = Writer::create(&path, header)?;
    writer.section(Sort::Words, page.sorted_words())?;
    writer.section(Sort::Addresses, page.sorted_addresses())?;
    writer.finish()?;
    remove(&page.journal)
}

/// The short name of the source in a file's name: `08-<source>.0.hour`, `<source>.0.day`.
fn source_of(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?.split('.').next()?;
    Some(name.rsplit_once('-').map_or(name, |(_, source)| source))
}

fn merge_days(
    directory: &Path,
    key_check: u64,
    open: &BTreeSet<(String, Hour)>,
    now: Timestamp,
    upkeep: &mut Upkeep,
) -> Result<(), MemoryError> {
    for (day, path) in days(directory)? {
        if now.as_seconds() < day.begins().as_seconds() + 86_400 + 2 * GRACE_SECONDS {
            continue;
        }
        let mut sources: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in files(&path, &["hour", "day"])? {
            if let Some(source) = source_of(&file) {
                sources.entry(source.to_owned()).or_default().push(file);
            }
        }
        for (source, files) in sources {
            let done =
                files.len() == 1 && files.iter().all(|file| file.extension() == Some(OsStr::new("day")));
            if !done && !open.contains(&(source.clone(), day)) {
                merge_source(directory, &path, key_check, day, &source, files, upkeep)?;
            }
        }
    }
    Ok(())
}

fn merge_source(
    directory: &Path,
    place: &Path,
    key_check: u64,
    day: Hour,
    source: &str,
    mut files: Vec<PathBuf>,
    upkeep: &mut Upkeep,
) -> Result<(), MemoryError> {
    // Each round takes a damaged file out, so this ends.
    loop {
        let mut segments = Vec::with_capacity(files.len());
        let mut damaged = None;
        for file in &files {
            match Segment::open(file, Some(key_check)) {
                Ok(Ok(segment)) => segments.push(segment),
                Ok(Err(damage)) => damaged = Some(damage),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if damaged.is_none() {
            if segments.is_empty() {
                return Ok(());
            }
            match merge(&free_name(place, source, "day"), day, &segments) {
                Ok(()) => {
                    upkeep.merged += 1;
                    return files.iter().try_for_each(|file| remove(file));
                }
                Err(Unmerged::Disk(error)) => return Err(error),
                Err(Unmerged::Damaged(damage)) => damaged = Some(damage),
            }
        }
        if let Some(damage) = damaged {
            set_aside(directory, &damage.path)?;
            files.retain(|file| *file != damage.path);
            upkeep.damage.push(damage);
        }
    }
}

fn forget(directory: &Path, limits: Limits, now: Timestamp, upkeep: &mut Upkeep) -> Result<(), MemoryError> {
    let oldest = Hour::of(now.plus_seconds(-i64::from(limits.days) * 86_400)).day();
    let all = days(directory)?;
    let (old, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|(day, _)| *day < oldest);
    for (day, path) in old {
        fs::remove_dir_all(&path).map_err(at("remove", &path))?;
        upkeep.forgotten.push(day.date());
    }
    let mut sizes = Vec::with_capacity(kept.len());
    for (day, path) in kept {
        let mut bytes = 0;
        for file in files(&path, &["hour", "day", "heat"])? {
            bytes += fs::metadata(&file).map_or(0, |file| file.len());
        }
        sizes.push((day, path, bytes));
    }
    let mut total: u64 = sizes.iter().map(|(.., bytes)| bytes).sum();
    // Never the newest: a limit that small would forget what it has just learnt.
    let days = sizes.len();
    for (day, path, bytes) in sizes.into_iter().take(days.saturating_sub(1)) {
        if total <= limits.bytes_max {
            break;
        }
        fs::remove_dir_all(&path).map_err(at("remove", &path))?;
        upkeep.crowded_out.push(day.date());
        total -= bytes;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
