//! The finished files of a memory, read-only: whoever may read the directory may ask, while a sensor writes it too.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shieldwall_model::time::Timestamp;

use crate::answer::{Answers, Question, Sorted};
use crate::error::{Damage, MemoryError, at};
use crate::fingerprint::{BITS, MemoryKey};
use crate::heat::{Heat, Popularity};
use crate::page::Page;
use crate::segment::{Segment, Sort};
use crate::{Hour, journal};

/// How often the directory is read anew when files go while they are asked (their day was merged).
const ATTEMPTS: usize = 5;

/// See the module.
#[derive(Clone, Debug)]
pub struct Archive {
    directory: PathBuf,
    key: MemoryKey,
}

/// The directory of open hours.
pub(crate) const OPEN: &str = "open";
/// The directory of damaged files.
pub(crate) const ASIDE: &str = "aside";

pub(crate) fn read_key(directory: &Path) -> Result<Option<MemoryKey>, MemoryError> {
    let path = directory.join("key");
    match fs::read(&path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Some(MemoryKey::new(key))),
            Err(_) => Err(MemoryError::Key { path }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("read", &path)(error)),
    }
}

/// The files in `directory` with that ending, in order of their names; none when it is not there.
pub(crate) fn files(directory: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, MemoryError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(at("list", directory))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(at("list", directory))?.path();
        if path.extension().and_then(OsStr::to_str).is_some_and(|ending| endings.contains(&ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The days that have a directory: the first hour of each and where it lies, in order.
pub(crate) fn days(directory: &Path) -> Result<Vec<(Hour, PathBuf)>, MemoryError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(at("list", directory))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(at("list", directory))?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.len() == 10
            && let Ok(day) = Timestamp::parse(&format!("{name}T00:00:00Z"))
        {
            found.push((Hour::of(day), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the error says that a file is gone.
pub(crate) fn is_gone(error: &MemoryError) -> bool {
    matches!(error, MemoryError::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

impl Archive {
    /// The memory in `directory`.
    ///
    /// # Errors
    /// [`MemoryError::Absent`] when there is none, [`MemoryError::Key`], [`MemoryError::Io`].
    pub fn open(directory: &Path) -> Result<Self, MemoryError> {
        let key = read_key(directory)?.ok_or_else(|| MemoryError::Absent { path: directory.to_owned() })?;
        Ok(Self { directory: directory.to_owned(), key })
    }

    pub(crate) fn with_key(directory: PathBuf, key: MemoryKey) -> Self {
        Self { directory, key }
    }

    /// What fingerprints are made with.
    pub fn key(&self) -> &MemoryKey {
        &self.key
    }

    /// Asks every file of the hours `from` to `to`, both included, and the journals of open hours.
    ///
    /// # Errors
    /// [`MemoryError::Io`] when the directory cannot be read. A damaged file is no error: see [`Answers::damage`].
    pub fn ask(&self, questions: &[Question], from: Hour, to: Hour) -> Result<Answers, MemoryError> {
        // Journals first: an hour that is finished meanwhile is then found in its file.
        let mut answers = Answers::for_questions(questions.len());
        let sorted = Sorted::of(questions);
        let check = self.key.check();
        for path in files(&self.directory.join(OPEN), &["journal"])? {
            match journal::read(&path, check, usize::MAX) {
                Ok(Ok(kept)) if (from..=to).contains(&kept.page.hour) => {
                    ask_page(&kept.page, &sorted, &mut answers)
                }
                Ok(Ok(_)) => {}
                Ok(Err(damage)) => answers.damage.push(damage),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.ask_files(&sorted, from, to, &mut answers)?;
        Ok(answers)
    }

    /// Asks the finished files alone.
    pub(crate) fn ask_files(
        &self,
        sorted: &Sorted,
        from: Hour,
        to: Hour,
        answers: &mut Answers,
    ) -> Result<(), MemoryError> {
        for (day, path) in days(&self.directory)? {
            if day.0.saturating_add(23) >= from.0 && day <= to {
                self.ask_day(sorted, &path, from, to, answers)?;
            }
        }
        Ok(())
    }

    fn ask_day(
        &self,
        sorted: &Sorted,
        directory: &Path,
        from: Hour,
        to: Hour,
        answers: &mut Answers,
    ) -> Result<(), MemoryError> {
        let mut done = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let mut gone = false;
            for path in files(directory, &["hour", "day"])? {
                if done.contains_key(&path) {
                    continue;
                }
                match Segment::open(&path, Some(self.key.check())) {
                    Ok(Ok(segment)) => {
                        if let Err(damage) = ask_segment(&segment, sorted, from, to, answers) {
                            answers.damage.push(damage);
                        }
                    }
                    Ok(Err(damage)) => answers.damage.push(damage),
                    Err(error) if is_gone(&error) => {
                        gone = true;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                done.insert(path, ());
            }
            if !gone {
                break;
            }
        }
        Ok(())
    }

    /// How common values were from the day of `from` on, as far as files say.
    ///
    /// # Errors
    /// [`MemoryError::Io`] when the directory cannot be read.
    pub fn popularity(&self, values: &[Vec<u64>], from: Hour) -> Result<Vec<Popularity>, MemoryError> {
        let mut heats = Vec::new();
        for (day, path) in days(&self.directory)? {
            if day >= from.day() {
                for file in files(&path, &["heat"])? {
                    match Heat::read(&file, self.key.check()) {
                        Ok(Some(heat)) => heats.push(heat),
                        // A sketch that cannot be read is missed, and made anew; nothing hangs on one day's.
                        Ok(None) => {}
                        Err(error) if is_gone(&error) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(Popularity::over(&heats, values))
    }

    /// Reads every finished file whole.
    ///
    /// # Errors
    /// [`MemoryError::Io`] when the directory cannot be read.
    pub fn check(&self) -> Result<Vec<Damage>, MemoryError> {
        let mut damage = Vec::new();
        for (_, path) in days(&self.directory)? {
            for file in files(&path, &["hour", "day"])? {
                match crate::segment::check(&file) {
                    Ok(found) => damage.extend(found),
                    Err(error) if is_gone(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(damage)
    }
}

/// Asks an open hour.
pub(crate) fn ask_page(page: &Page, sorted: &Sorted, answers: &mut Answers) {
    let (day, mask) = (page.hour.day(), 1 << (page.hour.0 % 24));
    answers.coverage.entry(Arc::clone(&page.source)).or_default().add(page.hour, page.minutes);
    answers.values += page.values() as u64;
    answers.false_positives += page.words.len() as f64 / 2f64.powi(BITS as i32);
    for (_, place) in sorted.words.iter().filter(|(word, _)| page.words.contains(word)) {
        answers.find(*place, &page.source, day, mask, None);
    }
    for (first, last, place) in &sorted.addresses {
        // Whichever is less work: asking for each address, or looking at all there are.
        if ((last - first) as usize) < page.addresses.len() {
            for address in (*first..=*last).filter(|address| page.addresses.contains(address)) {
                answers.find(*place, &page.source, day, mask, Some(address));
            }
        } else {
            for address in page.addresses.iter().filter(|address| (*first..=*last).contains(address)) {
                answers.find(*place, &page.source, day, mask, Some(*address));
            }
        }
    }
}

fn ask_segment(
    segment: &Segment,
    sorted: &Sorted,
    from: Hour,
    to: Hour,
    answers: &mut Answers,
) -> Result<(), Damage> {
    let header = &segment.header;
    // Hours outside what was asked for do not count.
    let mut allowed = 0u32;
    for hour in 0..u32::from(header.hours) {
        let whole = Hour(header.first.0.saturating_add(hour));
        allowed |= u32::from((from..=to).contains(&whole)) << hour;
    }
    if allowed == 0 {
        return Ok(());
    }
    let source: Arc<str> = header.source.as_str().into();
    // Without values it has an empty index, and only says what was watched.
    let shift = header.first.0 % 24;
    let day = header.first.day();
    ask_words(segment, sorted, &mut |place, mask| {
        answers.find(place, &source, day, (mask & allowed) << shift, None);
    })?;
    ask_addresses(segment, sorted, &mut |place, mask, address| {
        answers.find(place, &source, day, (mask & allowed) << shift, Some(address));
    })?;
    let coverage = answers.coverage.entry(source).or_default();
    for (hour, minutes) in (0u32..).zip(&header.minutes) {
        if allowed >> hour & 1 == 1 && *minutes != 0 {
            coverage.add(Hour(header.first.0 + hour), *minutes);
        }
    }
    answers.false_positives += header.false_positives();
    answers.values += u64::from(header.words.count) + u64::from(header.addresses.count);
    answers.bytes += segment.bytes;
    answers.files += 1;
    Ok(())
}

/// Tells the place of each question whose word is there, with its hours.
fn ask_words(segment: &Segment, sorted: &Sorted, each: &mut dyn FnMut(usize, u32)) -> Result<(), Damage> {
    if sorted.words.is_empty() || segment.header.words.count == 0 {
        return Ok(());
    }
    let many = sorted.words.len() * 4 >= segment.header.words.count as usize / crate::codec::BLOCK;
    let mut blocks = segment.blocks(Sort::Words, many)?;
    let cut = BITS - segment.header.width;
    for (word, place) in &sorted.words {
        let wanted = word >> cut;
        let Some(number) = blocks.block_of(wanted) else { continue };
        if let Ok(at) = blocks.values(number)?.binary_search(&wanted) {
            each(*place, blocks.hours(at)?);
        }
    }
    Ok(())
}

/// Tells the place of each question and each address that is there, with its hours. Of a network no more than are told of
/// once its hours are all known.
fn ask_addresses(
    segment: &Segment,
    sorted: &Sorted,
    each: &mut dyn FnMut(usize, u32, u32),
) -> Result<(), Damage> {
    if sorted.addresses.is_empty() || segment.header.addresses.count == 0 {
        return Ok(());
    }
    let many = sorted.addresses.len() * 4 >= segment.header.addresses.count as usize / crate::codec::BLOCK;
    let mut blocks = segment.blocks(Sort::Addresses, many)?;
    for (first, last, place) in &sorted.addresses {
        let (first, last) = (u64::from(*first), u64::from(*last));
        let mut number = blocks.block_of(first).unwrap_or(0);
        while number < blocks.len() {
            let values = blocks.values(number)?;
            let from = values.partition_point(|value| *value < first);
            let to = values.partition_point(|value| *value <= last);
            let (all, within) = (values.len(), values.get(from..to).unwrap_or_default().to_vec());
            for (at, address) in (from..).zip(within) {
                let mask = blocks.hours(at)?;
                each(*place, mask, u32::try_from(address).unwrap_or(u32::MAX));
            }
            if to < all {
                break;
            }
            number += 1;
        }
    }
    Ok(())
}
