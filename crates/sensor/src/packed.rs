//! Files that are not lines as they lie there: gzip, zstd, and Windows event logs. What a file is, its first bytes tell.
//!
//! Unpacking is bounded: a file that becomes more than [`RATIO_MAX`] times its size is given up.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::evtx;

/// How many times its size a packed file may become. Logs reach 100 times; gzip cannot pass 1,032.
pub const RATIO_MAX: u64 = 4_096;
/// What may always be unpacked, however small the file, in bytes.
pub const UNPACKED_BYTES_FREE: u64 = 16 * 1024 * 1024;
/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// A Windows event log.
    Evtx,
}

impl Packing {
    /// How many of a file's first bytes tell.
    pub const HEAD_BYTES: usize = 8;

    /// Tells it from a file's first bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'E', b'l', b'f', b'F', b'i', b'l', b'e', 0, ..] => Some(Self::Evtx),
            _ => None,
        }
    }
}

/// Opens a packed file for reading as lines; `None` if it is not packed.
pub(crate) fn open(path: &Path, decoder: Option<&Path>) -> io::Result<Option<Box<dyn Read + Send>>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let mut head = Vec::new();
    file.by_ref().take(Packing::HEAD_BYTES as u64).read_to_end(&mut head)?;
    let Some(packing) = Packing::of(&head) else { return Ok(None) };
    let taken = Arc::new(AtomicU64::new(0));
    let whole = io::Cursor::new(head).chain(file);
    let raw = BufReader::with_capacity(READ_BYTES, Counted { inner: whole, taken: Arc::clone(&taken) });
    Ok(Some(match packing {
        Packing::Gzip => Box::new(Bounded::new(flate2::bufread::MultiGzDecoder::new(raw), taken)),
        Packing::Zstd => Box::new(Bounded::new(zstd::stream::read::Decoder::with_buffer(raw)?, taken)),
        Packing::Evtx => Box::new(evtx::open(path, decoder)?),
    }))
}

/// Counts what passes.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Hands out what is unpacked as long as it stays within bounds.
pub struct Bounded<R> {
    inner: R,
    /// Packed bytes read so far.
    taken: Arc<AtomicU64>,
    unpacked: u64,
}

impl<R> Bounded<R> {
    /// Bounds `inner`, which has read as many packed bytes as `taken` says.
    pub fn new(inner: R, taken: Arc<AtomicU64>) -> Self {
        Self { inner, taken, unpacked: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.unpacked += length as u64;
        let most = self.taken.load(Ordering::Relaxed).saturating_mul(RATIO_MAX).max(UNPACKED_BYTES_FREE);
        if self.unpacked > most {
            return Err(io::Error::other(format!(
                "it becomes more than {RATIO_MAX} times its size; unpack it by hand if that is meant"
            )));
        }
        Ok(length)
    }
}
