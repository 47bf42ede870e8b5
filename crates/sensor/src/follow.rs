//! Follows a growing file over every kind of rotation, in big blocks of whole lines, from where it left off.
//!
//! A file is known by what it is (device, inode and a hash of its first bytes), not by its name: a renamed
//! file is read to its end beside its successor, a truncated one from its start again. What was handed out
//! is told as a list of [`Position`]s, so the caller decides when they count.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lines::{Filled, LineBuffer};

/// How many of a file's first bytes tell it from another.
const HEAD_BYTES_MAX: usize = 256;
/// How long a rotated file must have been quiet before it is let go, in seconds: its writer may still hold it.
const QUIET_SECONDS: u64 = 5;
/// Most files of one input that are read at the same time; of more, the oldest is let go.
const TAILS_MAX: usize = 64;
/// Endings of rotated files that cannot be read as lines.
const PACKED: [&str; 6] = ["gz", "xz", "zst", "bz2", "lz4", "zip"];

/// Why an input cannot be followed at the moment.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// There is no such file (yet).
    #[error("{path}: there is no such file")]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The path names something that is no regular file.
    #[error("{path}: is not a regular file; name a file, or pipe into standard input")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl FollowError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "sensor.follow.absent",
            Self::NotAFile { .. } => "sensor.follow.not_a_file",
            Self::Io { .. } => "sensor.follow.io",
        }
    }
}

/// How far one file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    device: u64,
    inode: u64,
    offset: u64,
    head_bytes: usize,
    head_sha256: String,
    /// Whether `offset` lies within a line that is too long and being passed over.
    #[serde(default)]
    within_skipped: bool,
}

impl Position {
    /// The start of a file that is read whole, such as a packed one.
    pub(crate) fn of_start(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let id = FileId::of(&file.metadata()?);
        let mut tail = Tail::start(file, id);
        (&tail.file).take(HEAD_BYTES_MAX as u64).read_to_end(&mut tail.head)?;
        Ok(tail.position())
    }

    /// Whether both are places in one file.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let whole = |place: &Self| Self { offset: 0, within_skipped: false, ..place.clone() };
        whole(self) == whole(other)
    }

    /// How many bytes lie before it; of a packed file, unpacked ones.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Another place in the same file.
    pub(crate) fn at(&self, offset: u64) -> Self {
        Self { offset, within_skipped: false, ..self.clone() }
    }
}

/// What a step forward brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Whole lines; see [`Follower::lines`].
    Lines,
    /// Nothing new at the moment.
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Without inodes a file is told by when it was made.
    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let made = metadata.created().ok().and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self { device: 0, inode: made.map_or(0, |made| u64::try_from(made.as_micros()).unwrap_or(0)) }
    }
}

/// One open file.
#[derive(Debug)]
struct Tail {
    file: File,
    id: FileId,
    /// Where the first byte not yet handed out lies.
    offset: u64,
    head: Vec<u8>,
    lines: LineBuffer,
    /// Length and change time when it was last read to its end, and since when nothing came.
    end: Option<(u64, Option<SystemTime>, Instant)>,
}

impl Tail {
    fn start(file: File, id: FileId) -> Self {
        Self { file, id, offset: 0, head: Vec::new(), lines: LineBuffer::default(), end: None }
    }

    /// Opens the file at `position`, or at its start when it is not the file it was.
    fn resume(mut file: File, id: FileId, position: &Position) -> io::Result<Self> {
        let mut head = vec![0; position.head_bytes.min(HEAD_BYTES_MAX)];
        let same = file.metadata()?.len() >= position.offset
            && file.read_exact(&mut head).is_ok()
            && hex(&Sha256::digest(&head)) == position.head_sha256;
        if !same {
            file.seek(SeekFrom::Start(0))?;
            return Ok(Self::start(file, id));
        }
        file.seek(SeekFrom::Start(position.offset))?;
        let lines = LineBuffer::within_skipped(position.within_skipped);
        Ok(Self { file, id, offset: position.offset, head, lines, end: None })
    }

    fn position(&self) -> Position {
        Position {
            device: self.id.device,
            inode: self.id.inode,
            offset: self.offset,
            head_bytes: self.head.len(),
            head_sha256: hex(&Sha256::digest(&self.head)),
            within_skipped: self.lines.is_within_skipped(),
        }
    }

    /// Counts the first `bytes` of what is held as handed out.
    fn hand_out(&mut self, bytes: usize) {
        let room = HEAD_BYTES_MAX.saturating_sub(self.head.len());
        if room > 0 {
            self.head.extend(self.lines.held().iter().take(bytes.min(room)));
        }
        self.offset = self.offset.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Whether the file was cut, or cut and written anew, since it was last read to its end.
    fn was_replaced(&mut self, length: u64) -> io::Result<bool> {
        let read_to = self.offset.saturating_add(u64::try_from(self.lines.held().len()).unwrap_or(u64::MAX));
        if length < read_to {
            return Ok(true);
        }
        let mut head = vec![0; self.head.len()];
        self.file.seek(SeekFrom::Start(0))?;
        let read = self.file.read_exact(&mut head);
        self.file.seek(SeekFrom::Start(read_to))?;
        Ok(read.is_err() || head != self.head)
    }

    /// Reads on. Lines found stand in `self.lines` until the next step; returns how many bytes of them.
    fn step(&mut self, now: Instant) -> io::Result<Option<usize>> {
        self.lines.release();
        let metadata = self.file.metadata()?;
        let (length, changed) = (metadata.len(), metadata.modified().ok());
        if let Some((end_length, end_changed, _)) = self.end {
            if (end_length, end_changed) == (length, changed) {
                return Ok(None);
            }
            if self.was_replaced(length)? {
                self.file.seek(SeekFrom::Start(0))?;
                (self.offset, self.end) = (0, None);
                self.head.clear();
                self.lines.clear();
            }
        }
        loop {
            match self.lines.fill(&mut self.file)? {
                Filled::Lines(bytes) => {
                    self.end = None;
                    self.hand_out(bytes);
                    return Ok(Some(bytes));
                }
                Filled::Skipped(bytes) => self.hand_out(bytes),
                Filled::Partial => {}
                Filled::End => {
                    self.end = Some((length, changed, now));
                    return Ok(None);
                }
            }
        }
    }

    /// Hands out a last line that has no line end.
    fn last_line(&mut self) -> Option<usize> {
        let bytes = self.lines.last_line()?;
        self.hand_out(bytes);
        Some(bytes)
    }

    fn quiet_for(&self, now: Instant) -> Option<Duration> {
        self.end.map(|(_, _, since)| now.saturating_duration_since(since))
    }
}

/// Follows one path.
#[derive(Debug)]
pub(crate) struct Follower {
    path: PathBuf,
    once: bool,
    /// Oldest first; the last is the file the path named when last looked.
    tails: Vec<Tail>,
    /// Whose lines were handed out last.
    current: usize,
    bytes: usize,
    skipped_lines: u64,
    /// Of files already let go.
    skipped_before: u64,
}

impl Follower {
    /// Follows `path` from where `positions` say; without any from its start. With `once`, [`Progress::Idle`]
    /// means the end: a last line without line end is handed out too.
    pub(crate) fn new(path: &Path, positions: &[Position], once: bool) -> Result<Self, FollowError> {
        let mut follower = Self {
            path: path.to_owned(),
            once,
            tails: Vec::new(),
            current: 0,
            bytes: 0,
            skipped_lines: 0,
            skipped_before: 0,
        };
        for position in positions {
            match follower.find(position) {
                Ok(Some((file, id))) => {
                    let tail = Tail::resume(file, id, position).map_err(|source| follower.error(source))?;
                    follower.tails.push(tail);
                }
                Ok(None) => tracing::warn!(
                    input = %path.display(),
                    "the file read last is gone; what was written to it after the last stop was not read"
                ),
                Err(source) => return Err(follower.error(source)),
            }
        }
        Ok(follower)
    }

    /// How far each file was handed out.
    pub(crate) fn positions(&self) -> Vec<Position> {
        self.tails.iter().map(Tail::position).collect()
    }

    /// Lines passed over because they were too long.
    pub(crate) fn skipped_lines(&self) -> u64 {
        self.skipped_lines
    }

    /// The lines the last step found.
    pub(crate) fn lines(&self) -> &[u8] {
        self.tails.get(self.current).map_or(&[], |tail| tail.lines.first(self.bytes))
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`FollowError`]; the same step may be tried again later.
    pub(crate) fn step(&mut self, now: Instant) -> Result<Progress, FollowError> {
        self.bytes = 0;
        let looked = self.look();
        let mut place = 0;
        while let Some(tail) = self.tails.get_mut(place) {
            let mut found = tail.step(now);
            let is_last = place + 1 == self.tails.len();
            let Some(tail) = self.tails.get_mut(place) else { break };
            let finished = self.once
                || (!is_last && tail.quiet_for(now).is_some_and(|quiet| quiet.as_secs() >= QUIET_SECONDS));
            if matches!(found, Ok(None)) && finished {
                found = Ok(tail.last_line());
            }
            match found {
                Ok(Some(bytes)) => {
                    (self.current, self.bytes) = (place, bytes);
                    self.count_skipped();
                    return Ok(Progress::Lines);
                }
                Ok(None) if finished && !is_last => self.let_go(place),
                Ok(None) => place += 1,
                Err(source) if is_last => return Err(self.error(source)),
                Err(error) => {
                    tracing::warn!(input = %self.path.display(), %error, "a rotated file cannot be read on");
                    self.let_go(place);
                }
            }
        }
        self.count_skipped();
        looked.map(|()| Progress::Idle)
    }

    fn let_go(&mut self, place: usize) {
        if place < self.tails.len() {
            self.skipped_before += self.tails.remove(place).lines.skipped_lines();
        }
    }

    fn count_skipped(&mut self) {
        let open: u64 = self.tails.iter().map(|tail| tail.lines.skipped_lines()).sum();
        self.skipped_lines = self.skipped_before + open;
    }

    /// Looks what the path names now, and opens what is new.
    fn look(&mut self) -> Result<(), FollowError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            // Renamed, and its successor not made yet: go on with the one that is open.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.tails.is_empty() => return Ok(()),
            Err(source) => return Err(self.error(source)),
        };
        if !metadata.is_file() {
            return Err(FollowError::NotAFile { path: self.path.clone() });
        }
        if self.tails.last().is_some_and(|tail| tail.id == FileId::of(&metadata)) {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|source| self.error(source))?;
        // Asked of the open file: the path may name another by now.
        let metadata = file.metadata().map_err(|source| self.error(source))?;
        let id = FileId::of(&metadata);
        if self.tails.iter().any(|tail| tail.id == id) {
            return Ok(());
        }
        for (file, id) in self.rotated_between(id) {
            self.tails.push(Tail::start(file, id));
        }
        self.tails.push(Tail::start(file, id));
        while self.tails.len() > TAILS_MAX {
            tracing::warn!(input = %self.path.display(), "more rotated files than can be read; letting go the oldest");
            self.let_go(0);
        }
        Ok(())
    }

    /// Files rotated away after the newest one that is open and before the one the path names now: it may
    /// have been rotated more than once while nobody looked.
    fn rotated_between(&self, now_named: FileId) -> Vec<(File, FileId)> {
        let Some(newest) = self.tails.last() else { return Vec::new() };
        let Some(newest_changed) = newest.file.metadata().ok().and_then(|of| of.modified().ok()) else {
            return Vec::new();
        };
        let mut between: Vec<(SystemTime, File, FileId)> = Vec::new();
        for path in self.siblings() {
            let packed = path.extension().is_some_and(|end| PACKED.iter().any(|packed| end == *packed));
            let Ok(file) = (if packed { Err(io::Error::other("packed")) } else { File::open(&path) }) else {
                continue;
            };
            let Ok(metadata) = file.metadata() else { continue };
            let (id, changed) =
                (FileId::of(&metadata), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            let known = id == now_named || self.tails.iter().any(|tail| tail.id == id);
            if metadata.is_file() && !known && changed > newest_changed && !is_copy(&file, newest) {
                between.push((changed, file, id));
            }
        }
        between.sort_by_key(|(changed, ..)| *changed);
        between.into_iter().map(|(_, file, id)| (file, id)).collect()
    }

    /// The files whose names begin with the followed one's: what it is called after a rotation.
    fn siblings(&self) -> Vec<PathBuf> {
        let Some(name) = self.path.file_name() else { return Vec::new() };
        let directory = match self.path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        };
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        entries
            .filter_map(Result::ok)
            .filter(|entry| {
                let other = entry.file_name();
                other != name && other.as_encoded_bytes().starts_with(name.as_encoded_bytes())
            })
            .map(|entry| entry.path())
            .collect()
    }

    /// Finds the file a position speaks of: under the path, or under the name it was rotated to.
    fn find(&self, position: &Position) -> io::Result<Option<(File, FileId)>> {
        let wanted = FileId { device: position.device, inode: position.inode };
        for path in std::iter::once(self.path.clone()).chain(self.siblings()) {
            let metadata = match fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            if metadata.is_file() && FileId::of(&metadata) == wanted {
                return Ok(Some((File::open(&path)?, wanted)));
            }
        }
        Ok(None)
    }

    fn error(&self, source: io::Error) -> FollowError {
        let path = self.path.clone();
        if source.kind() == io::ErrorKind::NotFound {
            FollowError::Absent { path }
        } else {
            FollowError::Io { path, source }
        }
    }
}

/// Whether `file` begins as `tail` does: then it is a copy of it, not its successor.
fn is_copy(mut file: &File, tail: &Tail) -> bool {
    let mut head = vec![0; tail.head.len()];
    let same = file.read_exact(&mut head).is_ok() && head == tail.head;
    file.seek(SeekFrom::Start(0)).is_err() || (same && !head.is_empty())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
