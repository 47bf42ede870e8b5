//! What an open hour holds, on disk: a head that says which hour of which source, then a record a flush.
//!
//! A record is its length, its checksum and its content; the first that is not whole ends the file. So a crash costs
//! what was not flushed and nothing more.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::Hour;
use crate::error::{Damage, MemoryError, at};
use crate::fingerprint::checksum;
use crate::page::{New, Page};
use crate::segment::{SOURCE_BYTES_MAX, flush_directory};

const MAGIC: &[u8; 8] = b"SWMEMJ\x00\x01";
/// Octets of a fingerprint here.
const WORD_BYTES: usize = 7;
/// Largest journal in bytes: one with every value a page takes, twice over.
const JOURNAL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What is to be written of one page.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) source: Arc<str>,
    pub(crate) hour: Hour,
    pub(crate) new: New,
    pub(crate) minutes: u64,
    pub(crate) journal: std::path::PathBuf,
}

impl Record {
    fn content(&self) -> Vec<u8> {
        let New { words, addresses, .. } = &self.new;
        let mut to = Vec::with_capacity(16 + words.len() * WORD_BYTES + addresses.len() * 4);
        to.extend_from_slice(&self.minutes.to_le_bytes());
        to.extend_from_slice(&(words.len() as u32).to_le_bytes());
        to.extend_from_slice(&(addresses.len() as u32).to_le_bytes());
        for word in words {
            to.extend(word.to_le_bytes().into_iter().take(WORD_BYTES));
        }
        addresses.iter().for_each(|address| to.extend_from_slice(&address.to_le_bytes()));
        to
    }

    fn head(&self, key_check: u64) -> Vec<u8> {
        let mut name = self.source.as_bytes();
        name = name.get(..SOURCE_BYTES_MAX).unwrap_or(name);
        let mut to = MAGIC.to_vec();
        to.extend_from_slice(&key_check.to_le_bytes());
        to.extend_from_slice(&self.hour.0.to_le_bytes());
        to.extend_from_slice(&(name.len() as u32).to_le_bytes());
        to.extend_from_slice(name);
        to
    }

    /// Appends it to its journal. Once this returned it outlasts a crash.
    pub(crate) fn append(&self, key_check: u64) -> Result<(), MemoryError> {
        let path = &self.journal;
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(path).map_err(at("open", path))?;
        let fresh = file.metadata().map_err(at("look at", path))?.len() == 0;
        let mut bytes = if fresh { framed(&self.head(key_check)) } else { Vec::new() };
        bytes.extend(framed(&self.content()));
        file.write_all(&bytes).map_err(at("write", path))?;
        file.sync_data().map_err(at("flush", path))?;
        if fresh { flush_directory(path) } else { Ok(()) }
    }
}

fn framed(content: &[u8]) -> Vec<u8> {
    let mut to = Vec::with_capacity(content.len() + 12);
    to.extend_from_slice(&(content.len() as u32).to_le_bytes());
    to.extend_from_slice(&checksum(content).to_le_bytes());
    to.extend_from_slice(content);
    to
}

/// The next whole record, taken off the front.
fn frame<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (sum, after) = after.split_first_chunk::<8>()?;
    let content = after.get(..u32::from_le_bytes(*length) as usize)?;
    if checksum(content) != u64::from_le_bytes(*sum) {
        return None;
    }
    *rest = after.get(content.len()..)?;
    Some(content)
}

/// An hour as a journal has it.
pub(crate) struct Kept {
    pub(crate) page: Page,
    /// How far the journal is whole, in bytes, and how long it is.
    pub(crate) whole: u64,
    pub(crate) bytes: u64,
}

/// Reads a journal up to the first record that is not whole.
pub(crate) fn read(
    path: &Path,
    key_check: u64,
    values_max: usize,
) -> Result<Result<Kept, Damage>, MemoryError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at("open", path))?;
    file.take(JOURNAL_BYTES_MAX).read_to_end(&mut bytes).map_err(at("read", path))?;
    let damage = |why: &str| Ok(Err(Damage { path: path.to_owned(), why: why.into() }));
    let mut rest = bytes.as_slice();
    let Some(head) = frame(&mut rest).and_then(|head| head.strip_prefix(MAGIC)) else {
        return damage("it is no journal of a memory, or its first record is not whole");
    };
    let Some((check, after)) = head.split_first_chunk::<8>() else { return damage("its head is cut short") };
    let Some((hour, after)) = after.split_first_chunk::<4>() else { return damage("its head is cut short") };
    let name = after.get(4..).and_then(|name| std::str::from_utf8(name).ok());
    let Some(name) = name else { return damage("its head names no source") };
    if u64::from_le_bytes(*check) != key_check {
        return damage("it was written under another key");
    }
    let hour = Hour(u32::from_le_bytes(*hour));
    let mut page = Page::new(name.into(), hour, path.to_owned(), values_max);
    while !rest.is_empty() {
        let before = rest;
        let Some(content) = frame(&mut rest) else {
            rest = before;
            break;
        };
        if take(content, &mut page).is_none() {
            rest = before;
            break;
        }
    }
    page.new = New::default();
    let bytes_all = bytes.len() as u64;
    Ok(Ok(Kept { page, whole: bytes_all - rest.len() as u64, bytes: bytes_all }))
}

fn take(content: &[u8], page: &mut Page) -> Option<()> {
    let (minutes, rest) = content.split_first_chunk::<8>()?;
    let (words, rest) = rest.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let split = (u32::from_le_bytes(*words) as usize).checked_mul(WORD_BYTES)?;
    let (words, addresses) = rest.split_at_checked(split)?;
    page.minutes |= u64::from_le_bytes(*minutes);
    for word in words.as_chunks::<WORD_BYTES>().0 {
        let mut whole = [0; 8];
        whole.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        page.words.insert(u64::from_le_bytes(whole));
    }
    for address in addresses.as_chunks::<4>().0 {
        page.addresses.insert(u32::from_le_bytes(*address));
    }
    Some(())
}

/// Cuts a journal behind its last whole record, so that what is appended can be read.
pub(crate) fn cut(path: &Path, whole: u64) -> Result<(), MemoryError> {
    let file = fs::OpenOptions::new().write(true).open(path).map_err(at("open", path))?;
    file.set_len(whole).map_err(at("cut", path))?;
    file.sync_all().map_err(at("flush", path))
}
