//! A bounded set of reading connections: `views.db` with `ledger.db` attached, both read-only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::files::{Files, FilesError, Mode, open};
use crate::reading::ReadError;

/// Most connections reading at once.
const READ_CONNECTIONS_MAX: usize = 8;
/// How long a reader waits for a connection, in milliseconds, before it is told to come back.
const READ_WAIT_MILLISECONDS_MAX: u64 = 5_000;
/// How long one statement may read, in milliseconds. A read transaction lasts no longer than its statement, so this
/// is what keeps the write-ahead log from growing without end.
const READ_MILLISECONDS_MAX: u64 = 10_000;
/// Virtual machine steps between two looks at the time.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

pub(crate) struct Pool {
    files: Files,
    state: Mutex<State>,
    returned: Condvar,
    born: Instant,
}

#[derive(Default)]
struct State {
    idle: Vec<Lease>,
    open: usize,
}

/// A connection and the moment its statement must end, in milliseconds of the pool's life.
struct Lease {
    connection: Connection,
    deadline: Arc<AtomicU64>,
}

/// A connection on loan; it goes back when dropped.
pub(crate) struct Loan<'a> {
    pool: &'a Pool,
    lease: Option<Lease>,
}

impl Pool {
    pub(crate) fn new(files: Files) -> Self {
        Self { files, state: Mutex::default(), returned: Condvar::new(), born: Instant::now() }
    }

    /// A connection, once one is free.
    pub(crate) fn take(&self) -> Result<Loan<'_>, ReadError> {
        let until = Instant::now() + Duration::from_millis(READ_WAIT_MILLISECONDS_MAX);
        let mut state = self.lock();
        loop {
            if let Some(lease) = state.idle.pop() {
                return Ok(Loan { pool: self, lease: Some(lease) });
            }
            if state.open < READ_CONNECTIONS_MAX {
                state.open += 1;
                drop(state);
                return match self.open() {
                    Ok(lease) => Ok(Loan { pool: self, lease: Some(lease) }),
                    Err(error) => {
                        self.lock().open -= 1;
                        self.returned.notify_one();
                        Err(error)
                    }
                };
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ReadError::Busy);
            }
            state = self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closes the connections nobody uses, so that the writer can tidy up after them.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.open -= state.idle.len();
        state.idle.clear();
    }

    fn open(&self) -> Result<Lease, ReadError> {
        let mut connection = open(&self.files.views(), Mode::Read)?;
        // An attached database is opened with the flags of the first: read-only.
        for (file, name) in [(self.files.ledger(), "ledger"), (self.files.texts(), "words")] {
            let Some(path) = file.to_str() else { return Err(FilesError::Missing(file).into()) };
            connection.execute(&format!("ATTACH ?1 AS {name}"), params![path])?;
        }
        let deadline = Arc::new(AtomicU64::new(u64::MAX));
        let (seen, born) = (Arc::clone(&deadline), self.born);
        connection.progress_handler(
            STEPS_BETWEEN_LOOKS,
            Some(move || millis(born.elapsed()) > seen.load(Ordering::Relaxed)),
        )?;
        Ok(Lease { connection, deadline })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Loan<'_> {
    /// The connection, with time for one more statement.
    pub(crate) fn connection(&self) -> Result<&Connection, ReadError> {
        let lease = self.lease.as_ref().ok_or(ReadError::Busy)?;
        let now = millis(self.pool.born.elapsed());
        lease.deadline.store(now.saturating_add(READ_MILLISECONDS_MAX), Ordering::Relaxed);
        Ok(&lease.connection)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.lease.take() {
            Some(lease) => state.idle.push(lease),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
