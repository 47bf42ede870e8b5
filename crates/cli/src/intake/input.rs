//! Opens a file or standard input and unpacks it on the way, whatever it was packed with; told by content.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shieldwall_model::limits::BUNDLE_FILE_BYTES_MAX;
use shieldwall_sensor::evtx;
use shieldwall_sensor::packed::{Bounded, Packing};

use crate::fault::Fault;

/// How many bytes are asked of the system at once.
const READ_BYTES: usize = 256 * 1024;
/// The longest signature looked for.
const SIGNATURE_BYTES: usize = Packing::HEAD_BYTES;

/// An open input.
pub(crate) struct Input {
    /// Its name as the person gave it; `-` is standard input.
    pub(crate) name: String,
    /// Its size as packed, if known.
    pub(crate) size: Option<u64>,
    packing: Option<Packing>,
    taken: Arc<AtomicU64>,
    reader: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Input {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// `cli.input.open` when it cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let (size, raw): (_, Box<dyn Read + Send>) = if path == Path::new("-") {
            (None, Box::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|error| unreadable(&name, error))?;
            let about = file.metadata().map_err(|error| unreadable(&name, error))?;
            if about.is_dir() {
                let message = format!("{name} is a directory: name the files in it, such as {name}/*");
                return Err(Fault::usage("cli.input.open", message));
            }
            (about.is_file().then_some(about.len()), Box::new(file))
        };
        let input = Self::unpacking(name, size, raw)?;
        match input.packing {
            Some(Packing::Evtx) => input.decoding(path),
            _ => Ok(input),
        }
    }

    /// The events of a Windows event log instead of its bytes: a child process reads it.
    fn decoding(mut self, path: &Path) -> Result<Self, Fault> {
        if path == Path::new("-") {
            let message = "an event log cannot be read from standard input: name the file";
            return Err(Fault::usage("cli.input.packed", message));
        }
        let program = std::env::current_exe().map_err(|error| unreadable(&self.name, error))?;
        let events = evtx::open(path, Some(&program)).map_err(|error| unreadable(&self.name, error))?;
        // How much of the file was read only the child knows.
        self.size = None;
        self.reader = Box::new(events);
        Ok(self)
    }

    /// The same over any reader.
    fn unpacking(name: String, size: Option<u64>, raw: Box<dyn Read + Send>) -> Result<Self, Fault> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut raw = BufReader::with_capacity(READ_BYTES, Counted { inner: raw, taken: Arc::clone(&taken) });
        let head = head(&mut raw).map_err(|error| unreadable(&name, error))?;
        let whole = Cursor::new(head.clone()).chain(raw);
        let packing = Packing::of(&head);
        let bound = Arc::clone(&taken);
        let reader: Box<dyn Read + Send> = match head.as_slice() {
            _ if packing == Some(Packing::Gzip) => {
                Box::new(Bounded::new(flate2::bufread::MultiGzDecoder::new(whole), bound))
            }
            _ if packing == Some(Packing::Zstd) => {
                let unpacked = zstd::stream::read::Decoder::with_buffer(whole);
                Box::new(Bounded::new(unpacked.map_err(|error| unreadable(&name, error))?, bound))
            }
            [b'P', b'K', 3, 4, ..] | [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', ..] => {
                let message = format!(
                    "{name} is packed in a way that is not read here: unpack it, or use gzip or zstd"
                );
                return Err(Fault::usage("cli.input.packed", message));
            }
            _ => Box::new(whole),
        };
        Ok(Self { name, size, packing, taken, reader })
    }

    /// Bytes read so far, as packed.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Reads some of it into `buffer`; 0 at its end.
    ///
    /// # Errors
    /// `cli.input.read` when it breaks off or is damaged.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&self.name, error)),
                Ok(length) => return Ok(length),
            }
        }
    }

    /// Reads its first bytes, at most `most`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn head(mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut head = vec![0; most];
        let mut length = 0;
        while let Some(rest) = head.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                more => length += more,
            }
        }
        head.truncate(length);
        Ok(head)
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// As [`Self::read`], and `cli.input.large` past [`BUNDLE_FILE_BYTES_MAX`] unpacked.
    pub(crate) fn whole(self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(
            self.size.and_then(|size| size.try_into().ok()).unwrap_or(0).min(READ_BYTES * 64),
        );
        let mut limited = self.reader.take(BUNDLE_FILE_BYTES_MAX + 1);
        limited.read_to_end(&mut bytes).map_err(|error| broken(&self.name, error))?;
        if bytes.len() as u64 > BUNDLE_FILE_BYTES_MAX {
            let message = format!(
                "{} holds more than the {BUNDLE_FILE_BYTES_MAX} bytes read at once: split it",
                self.name
            );
            return Err(Fault::usage("cli.input.large", message));
        }
        Ok(bytes)
    }
}

/// Makes sure that every file can be opened before the first is worked on.
///
/// # Errors
/// As [`Input::open`], for the first that cannot.
pub(crate) fn check(paths: &[PathBuf]) -> Result<(), Fault> {
    for path in paths.iter().filter(|path| path.as_path() != Path::new("-")) {
        File::open(path).map_err(|error| unreadable(&path.display().to_string(), error))?;
    }
    Ok(())
}

fn unreadable(name: &str, error: io::Error) -> Fault {
    Fault::usage("cli.input.open", format!("{name} cannot be opened; check the name and who may read it"))
        .because(error)
}

fn broken(name: &str, error: io::Error) -> Fault {
    Fault::usage("cli.input.read", format!("{name} cannot be read to its end; is it damaged or cut short?"))
        .because(error)
}

/// The first bytes, as far as there are any.
fn head(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(SIGNATURE_BYTES);
    reader.by_ref().take(SIGNATURE_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Counts what passes.
struct Counted {
    inner: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let size = bytes.len() as u64;
        let input = Input::unpacking("x".into(), Some(size), Box::new(Cursor::new(bytes)))?;
        let taken = Arc::clone(&input.taken);
        let whole = input.whole()?;
        assert_eq!(taken.load(Ordering::Relaxed), size);
        Ok(whole)
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let text = b"evil.example\n".repeat(1_000);
        assert_eq!(read(text.clone()).unwrap(), text);
        assert_eq!(read(zstd::encode_all(text.as_slice(), 1).unwrap()).unwrap(), text);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        let mut packed = gzip.finish().unwrap();
        // Two members one after the other are one file.
        packed.extend_from_within(..);
        assert_eq!(read(packed).unwrap(), text.repeat(2));
        for short in [&b""[..], b"a", b"\x1f"] {
            assert_eq!(read(short.to_vec()).unwrap(), short);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(Input::open(Path::new("/nowhere/x")).unwrap_err().code(), "cli.input.open");
        assert_eq!(Input::open(Path::new("/")).unwrap_err().code(), "cli.input.open");
        assert_eq!(read(b"PK\x03\x04....".to_vec()).unwrap_err().code(), "cli.input.packed");
        let mut cut = zstd::encode_all(&b"evil.example\n".repeat(1_000)[..], 1).unwrap();
        cut.truncate(cut.len() / 2);
        assert_eq!(read(cut).unwrap_err().code(), "cli.input.read");
    }
}
