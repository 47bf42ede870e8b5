//! `shieldwall verify`: everything a ledger claims, recomputed from what lies on disk. Reads only, and works beside a
//! running hub: what is checked is the state as of its start.
//!
//! Checked are the database's own structure, dense positions and sequences, rising times, every body against its
//! commitment, every header against its leaf, every stored leaf, node, size and root against the recomputed tree,
//! every checkpoint's signature and root, idempotency keys, and what was remembered elsewhere: the `signed` file
//! beside the database and any checkpoints handed in. Two checkpoints whose roots are both roots of the one
//! recomputed tree are consistent (RFC 6962 section 2.1.2 asks for no more).

mod check;
mod problems;

use std::path::Path;

use shieldwall_model::id::GroupId;
use shieldwall_model::realm::Realm;

use self::check::Check;
use crate::Progress;
use crate::files::{Files, FilesError, LEDGER_SCHEMA, Mode, check_stamps, open};
use crate::identity::{Identity, IdentityError, read_seed};

/// Most problems a report names; the rest are counted.
pub const PROBLEMS_MAX: usize = 1_000;

/// Why nothing could be checked. What is wrong *in* the ledger is a [`Problem`].
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The hub's key cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl VerifyError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(error) => error.code(),
            Self::Identity(error) => error.code(),
        }
    }
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The database's structure.
    Database,
    /// The realm, an identity or the key.
    Identity,
    /// An entry is missing, doubled or out of order.
    Order,
    /// A time does not rise.
    Time,
    /// A body does not fit its commitment.
    Body,
    /// A header does not fit its leaf.
    Header,
    /// A stored leaf, node, size or root does not fit the recomputed tree.
    Tree,
    /// A checkpoint's signature or root.
    Checkpoint,
    /// The log is shorter than what was signed.
    RolledBack,
    /// The log is other than what was signed.
    Forked,
    /// An idempotency key.
    Key,
}

impl ProblemKind {
    /// The stable code of this kind.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Database => "verify.database",
            Self::Identity => "verify.identity",
            Self::Order => "verify.order",
            Self::Time => "verify.time",
            Self::Body => "verify.body",
            Self::Header => "verify.header",
            Self::Tree => "verify.tree",
            Self::Checkpoint => "verify.checkpoint",
            Self::RolledBack => "verify.rolled_back",
            Self::Forked => "verify.forked",
            Self::Key => "verify.key",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In whose log, if in one.
    pub group: Option<GroupId>,
    /// At which entry, if at one.
    pub sequence: Option<u64>,
    /// What kind of thing.
    pub kind: ProblemKind,
    /// What is wrong.
    pub what: String,
}

/// Which key the checkpoints were checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `hub.key` beside the ledger names the same key as the ledger.
    File,
    /// There is no `hub.key` here: the key is the one the ledger itself names, so compare it with one noted elsewhere.
    Ledger,
}

/// One log as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Whose log.
    pub group: GroupId,
    /// Entries.
    pub size: u64,
    /// The recomputed root, base64.
    pub root: String,
    /// Checkpoints of it.
    pub checkpoints: u64,
    /// Entries whose body was redacted.
    pub redacted: u64,
}

/// What was checked and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The logs, by group.
    pub logs: Vec<LogReport>,
    /// Entries over all logs.
    pub entries: u64,
    /// Checkpoints over all logs.
    pub checkpoints: u64,
    /// Where the key is from.
    pub key: KeySource,
    /// The origin and key that sign now, if any ever did.
    pub identity: Option<Identity>,
    /// What is wrong, at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How much more is wrong.
    pub more_problems: u64,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks one log of a realm: its entries, tree and checkpoints, and nothing that depends on other logs. For a reader who
/// waits; [`verify`] checks more.
///
/// # Errors
/// [`VerifyError`] when there is nothing to check.
pub fn verify_log(dir: &Path, realm: &Realm, group: GroupId) -> Result<VerifyReport, VerifyError> {
    let files = Files::new(dir, realm.clone());
    let connection = open(&files.ledger(), Mode::Read)?;
    check_stamps(&connection, &files.ledger(), LEDGER_SCHEMA)?;
    let mut check = Check::new(&connection, realm);
    let checked = check.snapshot().and_then(|()| {
        check.only(group);
        check.entries_of_logs().and_then(|()| check.stored())
    });
    if let Err(error) = checked {
        check.problems.database(&error);
    }
    check.checkpoints();
    Ok(check.report(KeySource::Ledger))
}

/// Checks a realm's ledger. `against` are checkpoints (whole signed notes) remembered elsewhere.
///
/// # Errors
/// [`VerifyError`] when there is nothing to check.
pub fn verify(
    dir: &Path,
    realm: &Realm,
    against: &[String],
    progress: Progress<'_>,
) -> Result<VerifyReport, VerifyError> {
    let files = Files::new(dir, realm.clone());
    let connection = open(&files.ledger(), Mode::Read)?;
    check_stamps(&connection, &files.ledger(), LEDGER_SCHEMA)?;
    let seed = read_seed(&files.key())?;
    let mut check = Check::new(&connection, realm);
    let key = match check.structure().and_then(|()| check.snapshot()) {
        Ok(()) => {
            let key = check.key(seed);
            check.remembered(&files, against);
            if let Err(error) = check
                .entries(progress)
                .and_then(|()| check.stored())
                .and_then(|()| check.strangers())
                .and_then(|()| check.keys())
            {
                check.problems.database(&error);
            }
            check.checkpoints();
            key
        }
        Err(error) => {
            check.problems.database(&error);
            KeySource::Ledger
        }
    };
    Ok(check.report(key))
}
