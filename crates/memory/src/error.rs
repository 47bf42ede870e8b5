//! What can go wrong with a memory on disk.

use std::io;
use std::path::{Path, PathBuf};

/// Why the memory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Reading, writing or removing failed.
    #[error("cannot {doing} {path}: {source}; check the disk and who owns the directory")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no memory there.
    #[error("{path} holds no memory: name the state directory of a sensor that keeps one")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The key is not as long as a key is.
    #[error(
        "{path} is damaged: a key has 32 bytes; without it nothing remembered can be asked, so restore it or move the directory away"
    )]
    Key {
        /// The key file.
        path: PathBuf,
    },
    /// No random bytes for a new key.
    #[error("the memory got no key: {0}")]
    Entropy(#[from] shieldwall_model::id::EntropyError),
}

impl MemoryError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "memory.io",
            Self::Absent { .. } => "memory.absent",
            Self::Key { .. } => "memory.key",
            Self::Entropy(error) => error.code(),
        }
    }
}

/// Turns an I/O error into one that says what was done to which file.
pub(crate) fn at<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> MemoryError + 'a {
    move |source| MemoryError::Io { doing, path: path.to_owned(), source }
}

/// A file that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}
