//! Following logs: first what is there, then what comes, each visible entry once and in the order of commit.
//!
//! A follower's place is its [`Positions`]; everything else is a short cut. It waits on one signal for the whole hub,
//! but what it hands out, and when, depends on entries in its scope alone.

use std::collections::VecDeque;
use std::sync::Arc;

use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits::{STREAM_BACKLOG_BYTES_MAX, STREAM_BACKLOG_EVENTS_MAX};
use tokio::sync::watch;

use crate::entry::{Entry, Positions};
use crate::ledger::{CLOSED, Ledger};
use crate::reading::ReadError;

/// Why a follower cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It asks for what comes after an entry that was never there: the hub was restored from an older backup.
    #[error("this place in the log of {0} does not exist here: start again from the present")]
    Stale(GroupId),
    /// The backlog could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl FollowError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale(_) => "ledger.follow.stale",
            Self::Read(error) => error.code(),
        }
    }
}

/// A place in the logs of a scope that moves on as entries come.
pub struct Follow {
    ledger: Ledger,
    scope: ReadScope,
    positions: Positions,
    /// Everything visible up to this position has been handed out or lies in `ready`; `None` before the backlog was read.
    reached: Option<u64>,
    ready: VecDeque<Arc<Entry>>,
    wake: watch::Receiver<u64>,
}

impl Follow {
    pub(crate) fn new(ledger: Ledger, scope: ReadScope, mut after: Positions) -> Self {
        after.retain(|group, _| scope.covers(*group));
        let wake = ledger.published().wake.subscribe();
        Self { ledger, scope, positions: after, reached: None, ready: VecDeque::new(), wake }
    }

    /// The place after the last entry handed out: what to resume from.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// The next visible entry, once there is one; `None` when the ledger was closed. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Result<Visible<Arc<Entry>>, FollowError>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.positions.insert(entry.group, entry.sequence);
                return Some(Ok(Visible::under(&self.scope, entry)));
            }
            // Marked as seen before looking, so that what is published while looking wakes again.
            let seen = *self.wake.borrow_and_update();
            match self.look().await {
                Err(error) => return Some(Err(error)),
                Ok(()) if !self.ready.is_empty() => {}
                Ok(()) if seen & CLOSED != 0 || self.wake.changed().await.is_err() => return None,
                Ok(()) => {}
            }
        }
    }

    /// Fills `ready` with what came since, from memory where that reaches back far enough.
    async fn look(&mut self) -> Result<(), FollowError> {
        if let Some(reached) = self.reached {
            let recent = self.ledger.published().recent(&self.scope, reached, STREAM_BACKLOG_EVENTS_MAX);
            if let Some((entries, reached)) = recent {
                self.reached = Some(reached);
                self.ready.extend(entries);
                return Ok(());
            }
        } else if let Some(group) = self.stale() {
            return Err(FollowError::Stale(group));
        }
        let (ledger, scope, positions) = (self.ledger.clone(), self.scope.clone(), self.positions.clone());
        let until = ledger.published().position();
        let read = tokio::task::spawn_blocking(move || {
            ledger.read()?.backlog(
                &scope,
                &positions,
                until,
                STREAM_BACKLOG_EVENTS_MAX,
                STREAM_BACKLOG_BYTES_MAX,
            )
        });
        // The task is neither cancelled nor does it panic while the runtime lives.
        let (entries, all) = read.await.map_err(|_| ReadError::Busy)??;
        self.reached = if all { Some(until) } else { None };
        self.ready.extend(entries.into_iter().map(Arc::new));
        Ok(())
    }

    /// A log that ends before the place asked for.
    fn stale(&self) -> Option<GroupId> {
        let published = self.ledger.published();
        self.positions
            .iter()
            .find(|(group, sequence)| **sequence > published.sequence(**group))
            .map(|(group, _)| *group)
    }
}
