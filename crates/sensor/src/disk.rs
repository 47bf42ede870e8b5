//! The few ways this crate touches its state directory: whole files, replaced in one step, and the lock on it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Why the state directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Reading, writing or removing failed.
    #[error("cannot {doing} {path}: {source}; check the disk and who owns the state directory")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A state file is larger than any this program writes.
    #[error("{path} is larger than {bytes_max} bytes, so this program did not write it; move it away")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes it may have.
        bytes_max: u64,
    },
    /// Another sensor holds the state directory.
    #[error("another sensor works in {path}; give each sensor a state directory of its own")]
    InUse {
        /// The state directory.
        path: PathBuf,
    },
}

impl DiskError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "sensor.disk.io",
            Self::TooLarge { .. } => "sensor.disk.too_large",
            Self::InUse { .. } => "sensor.disk.in_use",
        }
    }
}

/// Turns an I/O error into one that says what was done to which file.
pub(crate) fn at<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> DiskError + 'a {
    move |source| DiskError::Io { doing, path: path.to_owned(), source }
}

/// Where the state lies. Every write passes through here, so tests can let any one of them fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    faults: Option<std::sync::Arc<tests::Faults>>,
}

impl Disk {
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        match &self.faults {
            Some(faults) if faults.next_fails() => Err(io::Error::other("planned failure")),
            _ => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the tests' version uses both")]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    /// Replaces `path` by `bytes` in one step: after a crash there is the old file or the new, never a part,
    /// and once this returned it is the new. The file beside it is named `path` + `.tmp`.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        let part = part_of(path);
        self.step().map_err(at("create", &part))?;
        let mut file = private_file(&part).map_err(at("create", &part))?;
        self.step().map_err(at("write", &part))?;
        file.write_all(bytes).map_err(at("write", &part))?;
        self.step().map_err(at("flush", &part))?;
        file.sync_all().map_err(at("flush", &part))?;
        drop(file);
        self.step().map_err(at("rename", &part))?;
        fs::rename(&part, path).map_err(at("rename", &part))?;
        self.step().map_err(at("flush the directory of", path))?;
        flush_directory(path).map_err(at("flush the directory of", path))
    }

    /// Removes `path`; one that is already gone is fine.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.step().map_err(at("remove", path))?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Moves `from` to `to` within the state directory.
    pub(crate) fn move_to(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.step().map_err(at("move", from))?;
        fs::rename(from, to).map_err(at("move", from))?;
        flush_directory(to).map_err(at("flush the directory of", to))
    }
}

/// The name under which a file is written before it takes its place.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Opens a file to write for this user alone.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a rename or a new name outlast a power cut.
fn flush_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if cfg!(unix) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// Reads a whole file of at most `bytes_max` bytes; `None` when there is none.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, DiskError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(at("open", path))?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(at("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max) {
        Ok(Some(bytes))
    } else {
        Err(DiskError::TooLarge { path: path.to_owned(), bytes_max })
    }
}

/// Makes `directory` with all above it, readable by this user alone.
pub(crate) fn make_directory(directory: &Path) -> Result<(), DiskError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(at("make the directory", directory))
}

/// The hold on a state directory; given back when dropped, also by a crash.
#[derive(Debug)]
pub(crate) struct StateLock(#[allow(dead_code, reason = "held open for its lock")] File);

impl StateLock {
    /// Takes `directory` for this process alone.
    ///
    /// # Errors
    /// [`DiskError::InUse`] when another sensor has it.
    pub(crate) fn take(directory: &Path) -> Result<Self, DiskError> {
        let path = directory.join("lock");
        let file = private_file(&path).map_err(at("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(DiskError::InUse { path: directory.to_owned() }),
            Err(TryLockError::Error(source)) => Err(at("lock", &path)(source)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::ops::Range;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Which steps of a disk fail.
    #[derive(Debug)]
    pub(crate) struct Faults {
        failing: Range<u64>,
        done: AtomicU64,
    }

    impl Faults {
        pub(super) fn next_fails(&self) -> bool {
            self.failing.contains(&self.done.fetch_add(1, Ordering::SeqCst))
        }
    }

    impl Disk {
        /// A disk whose steps within `failing` fail, counted from 0.
        pub(crate) fn failing(failing: Range<u64>) -> Self {
            Self { faults: Some(std::sync::Arc::new(Faults { failing, done: AtomicU64::new(0) })) }
        }

        /// Whether a step failed.
        pub(crate) fn has_failed(&self) -> bool {
            self.faults
                .as_ref()
                .is_some_and(|faults| faults.done.load(Ordering::SeqCst) > faults.failing.start)
        }
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_or_the_new_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut outcomes = Vec::new();
        for steps in 0..=5 {
            fs::write(&path, b"old").unwrap();
            let done = Disk::failing(steps..u64::MAX).replace(&path, b"newer").is_ok();
            let found = read(&path, 100).unwrap().unwrap();
            assert!(found == b"old" || found == b"newer", "{steps}: {found:?}");
            outcomes.push((done, found == b"newer"));
        }
        let never = (false, false);
        assert_eq!(outcomes, [never, never, never, never, (false, true), (true, true)]);
    }

    #[test]
    fn two_sensors_never_share_a_state_directory() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateLock::take(directory.path()).unwrap();
        assert_eq!(StateLock::take(directory.path()).unwrap_err().code(), "sensor.disk.in_use");
        drop(first);
        assert!(StateLock::take(directory.path()).is_ok());
    }

    #[test]
    fn a_file_too_large_is_refused_and_an_absent_one_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert_eq!(read(&path, 3).unwrap(), None);
        fs::write(&path, b"abcd").unwrap();
        assert_eq!(read(&path, 3).unwrap_err().code(), "sensor.disk.too_large");
        assert_eq!(read(&path, 4).unwrap().unwrap(), b"abcd");
    }
}
