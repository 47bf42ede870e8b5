//! A finished file: the values of one source in one hour, or in one day with the hours of each.
//!
//! ```text
//! 0    header, 512 bytes: magic, version, what it covers, two sections, its own checksum in the last 8
//! 512  fingerprints: blocks, then an index of 16 bytes a block (first value, offset, checksum)
//!      addresses: the same
//! ```
//! All numbers are little endian. Blocks are at most a few kilobytes and are read by position, so that nothing but what
//! is asked for is in memory.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::Hour;
use crate::codec::{self, BLOCK, HOURS, Item};
use crate::error::{Damage, MemoryError, at};
use crate::fingerprint::{BITS, checksum};

const MAGIC: &[u8; 8] = b"SWMEMORY";
const VERSION: u16 = 1;
/// Size of the header.
const HEADER_BYTES: usize = 512;
/// Longest name of a source in bytes; longer ones are cut.
pub(crate) const SOURCE_BYTES_MAX: usize = 200;
/// Most values of a section: what a file of 32-bit offsets holds with room to spare.
pub(crate) const VALUES_MAX: u32 = 1 << 28;
/// An entry of the index in bytes.
const ENTRY_BYTES: usize = 16;
/// Bits a file keeps of a fingerprint beyond those it takes to count its values. With 30, a value that never passed
/// is found in one file in 2^30 at most.
const MARGIN_BITS: u32 = 30;
/// Blocks read at once where most of them are asked for.
const WINDOW_BLOCKS: usize = 64;
/// Longest block in bytes: each value has at most 56 bits of remainder, 26 of hours, and quotients of two bits on average.
const BLOCK_BYTES_MAX: usize = BLOCK * 12 + 16;

/// Where the values of one sort lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) count: u32,
    data_at: u64,
    data_bytes: u64,
    index_check: u64,
}

impl Section {
    fn blocks(&self) -> usize {
        (self.count as usize).div_ceil(BLOCK)
    }
}

/// The two sorts of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Words,
    Addresses,
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) first: Hour,
    /// 1 or 24.
    pub(crate) hours: u8,
    /// Bits kept of each fingerprint, the high ones.
    pub(crate) width: u32,
    pub(crate) key_check: u64,
    pub(crate) source: String,
    /// The minutes that were watched, a bit each, for each hour.
    pub(crate) minutes: Vec<u64>,
    pub(crate) words: Section,
    pub(crate) addresses: Section,
}

/// Bits to keep of each of `count` fingerprints.
pub(crate) fn width_for(count: u64) -> u32 {
    (MARGIN_BITS + count.max(1).next_power_of_two().ilog2()).min(BITS)
}

/// Takes numbers off the front of a header.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.0 = rest;
                *head
            }
            None => [0; N],
        }
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    fn section(&mut self) -> Section {
        Section { count: self.u32(), data_at: self.u64(), data_bytes: self.u64(), index_check: self.u64() }
    }
}

impl Header {
    pub(crate) fn new(first: Hour, hours: u8, width: u32, key_check: u64, source: &str) -> Self {
        let mut end = source.len().min(SOURCE_BYTES_MAX);
        while !source.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            first,
            hours,
            width,
            key_check,
            source: source.get(..end).unwrap_or_default().to_owned(),
            minutes: vec![0; usize::from(hours)],
            words: Section::default(),
            addresses: Section::default(),
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(HEADER_BYTES);
        to.extend_from_slice(MAGIC);
        to.extend_from_slice(&VERSION.to_le_bytes());
        to.push(self.hours);
        to.push(self.width as u8);
        to.extend_from_slice(&self.first.0.to_le_bytes());
        to.extend_from_slice(&self.key_check.to_le_bytes());
        for section in [&self.words, &self.addresses] {
            to.extend_from_slice(&section.count.to_le_bytes());
            for number in [section.data_at, section.data_bytes, section.index_check] {
                to.extend_from_slice(&number.to_le_bytes());
            }
        }
        for hour in 0..usize::from(HOURS) {
            to.extend_from_slice(&self.minutes.get(hour).copied().unwrap_or(0).to_le_bytes());
        }
        to.extend_from_slice(&(self.source.len() as u16).to_le_bytes());
        to.extend_from_slice(self.source.as_bytes());
        to.resize(HEADER_BYTES - 8, 0);
        to.extend_from_slice(&checksum(&to).to_le_bytes());
        to
    }

    fn read(bytes: &[u8], sums: bool) -> Result<Self, String> {
        let wrong = |what: &str| Err(what.to_owned());
        let Some((head, sum)) = bytes.get(..HEADER_BYTES).and_then(|head| head.split_last_chunk::<8>())
        else {
            return wrong("it is shorter than a header");
        };
        let mut fields = Fields(head);
        if fields.bytes() != *MAGIC {
            return wrong("it is no file of a memory");
        }
        match fields.u16() {
            VERSION => {}
            other => {
                return Err(format!("it is of version {other}, and this program reads version {VERSION}"));
            }
        }
        if sums && checksum(head) != u64::from_le_bytes(*sum) {
            return wrong("the checksum of its header is wrong");
        }
        let [hours, width] = fields.bytes();
        let (first, key_check) = (Hour(fields.u32()), fields.u64());
        let (words, addresses) = (fields.section(), fields.section());
        let mut minutes: Vec<u64> = (0..HOURS).map(|_| fields.u64()).collect();
        minutes.truncate(usize::from(hours));
        let length = usize::from(fields.u16());
        let source = fields.0.get(..length).and_then(|name| std::str::from_utf8(name).ok());
        let (Some(source), true, 1..=BITS) = (
            source.filter(|name| name.len() <= SOURCE_BYTES_MAX),
            hours == 1 || hours == HOURS,
            u32::from(width),
        ) else {
            return wrong("its header makes no sense");
        };
        if words.count.max(addresses.count) > VALUES_MAX {
            return wrong("it claims more values than a file may hold");
        }
        let source = source.to_owned();
        Ok(Self { first, hours, width: u32::from(width), key_check, source, minutes, words, addresses })
    }

    /// The probability that a value that never passed is found here.
    pub(crate) fn false_positives(&self) -> f64 {
        f64::from(self.words.count) / 2f64.powi(self.width as i32)
    }
}

/// A file, ready to be asked.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    pub(crate) bytes: u64,
    file: File,
    /// Whether checksums are looked at.
    sums: bool,
}

/// An entry of the index.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: u64,
    offset: u32,
    check: u32,
}

/// The index of a section.
pub(crate) struct Index {
    section: Section,
    entries: Vec<Entry>,
}

impl Index {
    /// The block `value` would lie in.
    fn block_of(&self, value: u64) -> Option<usize> {
        self.entries.partition_point(|entry| entry.first <= value).checked_sub(1)
    }

    /// Where block `number` lies in the section's data.
    fn place(&self, number: usize) -> Option<(u64, usize)> {
        let from = u64::from(self.entries.get(number)?.offset);
        let to = match self.entries.get(number + 1) {
            Some(next) => u64::from(next.offset),
            None => self.section.data_bytes,
        };
        let length =
            usize::try_from(to.checked_sub(from)?).ok().filter(|length| *length <= BLOCK_BYTES_MAX)?;
        Some((from, length))
    }

    fn count(&self, number: usize) -> usize {
        (self.section.count as usize).saturating_sub(number * BLOCK).min(BLOCK)
    }
}

impl Segment {
    /// Opens a file and checks its header. `key_check` is that of the key its values are asked under; `None` does not look.
    pub(crate) fn open(path: &Path, key_check: Option<u64>) -> Result<Result<Self, Damage>, MemoryError> {
        Self::open_with(path, key_check, true)
    }

    fn open_with(
        path: &Path,
        key_check: Option<u64>,
        sums: bool,
    ) -> Result<Result<Self, Damage>, MemoryError> {
        let file = File::open(path).map_err(at("open", path))?;
        let bytes = file.metadata().map_err(at("look at", path))?.len();
        let damage = |why: String| Ok(Err(Damage { path: path.to_owned(), why }));
        let mut head = vec![0; HEADER_BYTES];
        if bytes < HEADER_BYTES as u64 {
            return damage("it is shorter than a header".into());
        }
        file.read_exact_at(&mut head, 0).map_err(at("read", path))?;
        let header = match Header::read(&head, sums) {
            Ok(header) => header,
            Err(why) => return damage(why),
        };
        if key_check.is_some_and(|check| check != header.key_check) {
            return damage("it was written under another key".into());
        }
        for section in [&header.words, &header.addresses] {
            let index = section.blocks() as u64 * ENTRY_BYTES as u64;
            let end = section.data_at.checked_add(section.data_bytes).and_then(|end| end.checked_add(index));
            if end.is_none_or(|end| end > bytes) {
                return damage("it is shorter than its header says".into());
            }
        }
        Ok(Ok(Self { path: path.to_owned(), header, bytes, file, sums }))
    }

    fn damage(&self, why: &str) -> Damage {
        Damage { path: self.path.clone(), why: why.into() }
    }

    fn read(&self, from: u64, bytes: &mut [u8]) -> Result<(), Damage> {
        self.file
            .read_exact_at(bytes, from)
            .map_err(|error| self.damage(&format!("it cannot be read: {error}")))
    }

    fn section(&self, sort: Sort) -> Section {
        match sort {
            Sort::Words => self.header.words,
            Sort::Addresses => self.header.addresses,
        }
    }

    pub(crate) fn index(&self, sort: Sort) -> Result<Index, Damage> {
        let section = self.section(sort);
        let mut bytes = vec![0; section.blocks() * ENTRY_BYTES];
        self.read(section.data_at + section.data_bytes, &mut bytes)?;
        if self.sums && checksum(&bytes) != section.index_check && section.count > 0 {
            return Err(self.damage("the checksum of an index is wrong"));
        }
        let entries = bytes.as_chunks::<ENTRY_BYTES>().0.iter().map(|chunk| {
            let mut fields = Fields(chunk);
            Entry { first: fields.u64(), offset: fields.u32(), check: fields.u32() }
        });
        Ok(Index { section, entries: entries.collect() })
    }

    /// A reader of blocks in rising order.
    pub(crate) fn blocks(&self, sort: Sort, many: bool) -> Result<Blocks<'_>, Damage> {
        Ok(Blocks {
            segment: self,
            index: self.index(sort)?,
            ahead: if many { WINDOW_BLOCKS } else { 1 },
            window: Vec::new(),
            window_at: 0,
            number: usize::MAX,
            values: Vec::new(),
            hours_at: 0,
            block: (0, 0),
            masks: Vec::new(),
            masks_of: usize::MAX,
        })
    }

    /// Every value in order.
    pub(crate) fn items(&self, sort: Sort) -> Result<Items<'_>, Damage> {
        Ok(Items { blocks: self.blocks(sort, true)?, next: (0, 0) })
    }
}

/// Blocks of a section, each read and decoded once when they are asked for in order.
pub(crate) struct Blocks<'a> {
    segment: &'a Segment,
    index: Index,
    ahead: usize,
    window: Vec<u8>,
    /// Where the window begins in the section's data.
    window_at: u64,
    /// The block that is decoded.
    number: usize,
    values: Vec<u64>,
    hours_at: usize,
    /// Where the block lies in the window.
    block: (usize, usize),
    masks: Vec<u32>,
    masks_of: usize,
}

impl Blocks<'_> {
    pub(crate) fn block_of(&self, value: u64) -> Option<usize> {
        self.index.block_of(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.index.entries.len()
    }

    fn wrong(&self, number: usize) -> Damage {
        self.segment.damage(&format!("block {number} does not hold what its index says"))
    }

    /// The values of a block.
    pub(crate) fn values(&mut self, number: usize) -> Result<&[u64], Damage> {
        if self.number != number {
            self.load(number)?;
        }
        Ok(&self.values)
    }

    fn load(&mut self, number: usize) -> Result<(), Damage> {
        self.number = usize::MAX;
        let (from, length) = self.index.place(number).ok_or_else(|| self.wrong(number))?;
        let inside =
            from >= self.window_at && from + length as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            let last = (number + self.ahead).min(self.len()) - 1;
            let (last_from, last_length) = self.index.place(last).ok_or_else(|| self.wrong(last))?;
            let whole = (last_from + last_length as u64).saturating_sub(from);
            let whole = usize::try_from(whole).ok().filter(|whole| *whole <= self.ahead * BLOCK_BYTES_MAX);
            self.window.resize(whole.ok_or_else(|| self.wrong(number))?, 0);
            self.window_at = from;
            let mut window = std::mem::take(&mut self.window);
            let read = self.segment.read(self.index.section.data_at + from, &mut window);
            self.window = window;
            read?;
        }
        let start = (from - self.window_at) as usize;
        let bytes = self.window.get(start..start + length).unwrap_or_default();
        let sums = self.segment.sums;
        let entry = self.index.entries.get(number).copied();
        let entry = entry
            .filter(|entry| !sums || entry.check == checksum(bytes) as u32)
            .ok_or_else(|| self.wrong(number))?;
        let count = self.index.count(number);
        self.hours_at =
            codec::decode(bytes, entry.first, count, &mut self.values).map_err(|_| self.wrong(number))?;
        (self.number, self.block) = (number, (start, start + length));
        Ok(())
    }

    /// The hours of value `place` of the block that was read last.
    pub(crate) fn hours(&mut self, place: usize) -> Result<u32, Damage> {
        if self.masks_of != self.number {
            let bytes = self.window.get(self.block.0..self.block.1).unwrap_or_default();
            let hours = self.segment.header.hours;
            codec::decode_hours(bytes, self.hours_at, self.values.len(), hours, &mut self.masks)
                .map_err(|_| self.wrong(self.number))?;
            self.masks_of = self.number;
        }
        self.masks.get(place).copied().ok_or_else(|| self.wrong(self.number))
    }
}

/// All values of a section in order, with their hours.
pub(crate) struct Items<'a> {
    blocks: Blocks<'a>,
    /// Block, and place in it.
    next: (usize, usize),
}

impl Iterator for Items<'_> {
    type Item = Result<Item, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, place) = self.next;
        if number >= self.blocks.len() {
            return None;
        }
        let (value, last) = match self.blocks.values(number) {
            Ok(values) => (values.get(place).copied().unwrap_or(0), place + 1 >= values.len()),
            Err(damage) => {
                self.next = (usize::MAX, 0);
                return Some(Err(damage));
            }
        };
        self.next = if last { (number + 1, 0) } else { (number, place + 1) };
        Some(self.blocks.hours(place).map(|mask| (value, mask)))
    }
}

/// Writes a file beside its place; it takes its place when it is whole and on disk.
pub(crate) struct Writer {
    path: PathBuf,
    part: PathBuf,
    to: BufWriter<File>,
    header: Header,
    at: u64,
}

impl Writer {
    pub(crate) fn create(path: &Path, header: Header) -> Result<Self, MemoryError> {
        let part = path.with_extension("tmp");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&part).map_err(at("create", &part))?;
        let mut to = BufWriter::with_capacity(256 * 1024, file);
        to.write_all(&[0; HEADER_BYTES]).map_err(at("write", &part))?;
        Ok(Self { path: path.to_owned(), part, to, header, at: HEADER_BYTES as u64 })
    }

    /// Writes a section: values in rising order, each once. The words first, then the addresses.
    pub(crate) fn section<E: From<MemoryError>>(
        &mut self,
        sort: Sort,
        items: impl Iterator<Item = Result<Item, E>>,
    ) -> Result<(), E> {
        let data_at = self.at;
        let (mut block, mut index, mut count) = (Vec::with_capacity(BLOCK), Vec::new(), 0u32);
        let mut put = |writer: &mut Self, block: &mut Vec<Item>| -> Result<(), MemoryError> {
            let Some((first, _)) = block.first() else { return Ok(()) };
            let bytes = codec::encode(block, writer.header.hours);
            index.extend_from_slice(&first.to_le_bytes());
            index.extend_from_slice(&((writer.at - data_at) as u32).to_le_bytes());
            index.extend_from_slice(&(checksum(&bytes) as u32).to_le_bytes());
            block.clear();
            writer.write(&bytes)
        };
        for item in items {
            block.push(item?);
            count = count.saturating_add(1);
            if block.len() == BLOCK {
                put(self, &mut block)?;
            }
        }
        put(self, &mut block)?;
        let section =
            Section { count, data_at, data_bytes: self.at - data_at, index_check: checksum(&index) };
        self.write(&index)?;
        match sort {
            Sort::Words => self.header.words = section,
            Sort::Addresses => self.header.addresses = section,
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.at += bytes.len() as u64;
        self.to.write_all(bytes).map_err(at("write", &self.part))
    }

    /// Writes the header, flushes, renames. Returns the size in bytes.
    pub(crate) fn finish(mut self) -> Result<u64, MemoryError> {
        let part = self.part;
        self.to.flush().map_err(at("write", &part))?;
        let file = self.to.get_ref();
        file.write_all_at(&self.header.write(), 0).map_err(at("write", &part))?;
        file.sync_all().map_err(at("flush", &part))?;
        fs::rename(&part, &self.path).map_err(at("rename", &part))?;
        flush_directory(&self.path)?;
        Ok(self.at)
    }
}

/// Makes a new name outlast a power cut.
pub(crate) fn flush_directory(path: &Path) -> Result<(), MemoryError> {
    match path.parent() {
        Some(parent) => {
            File::open(parent).and_then(|file| file.sync_all()).map_err(at("flush the directory of", path))
        }
        None => Ok(()),
    }
}

/// Reads a finished file whole and says what is wrong with it, if anything.
///
/// # Errors
/// [`MemoryError::Io`] when it cannot be read at all.
pub fn check(path: &Path) -> Result<Option<Damage>, MemoryError> {
    check_with(path, true)
}

/// As [`check`], without looking at checksums: what comes behind them must hold by itself. For fuzzing.
///
/// # Errors
/// As [`check`].
pub fn check_past_sums(path: &Path) -> Result<Option<Damage>, MemoryError> {
    check_with(path, false)
}

fn check_with(path: &Path, sums: bool) -> Result<Option<Damage>, MemoryError> {
    let segment = match Segment::open_with(path, None, sums)? {
        Ok(segment) => segment,
        Err(damage) => return Ok(Some(damage)),
    };
    for sort in [Sort::Words, Sort::Addresses] {
        let items = match segment.items(sort) {
            Ok(items) => items,
            Err(damage) => return Ok(Some(damage)),
        };
        let mut before = None;
        for item in items {
            match item {
                Ok((value, _)) if before.is_some_and(|before| before >= value) => {
                    return Ok(Some(segment.damage("its values do not rise")));
                }
                Ok((value, _)) => before = Some(value),
                Err(damage) => return Ok(Some(damage)),
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
