//! When which exchange is next: every peer's groups and every source, each at its own pace, never two of the same at once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shieldwall_exchange::peer::wait_milliseconds;
use shieldwall_model::time::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::app::App;
use crate::problem::Problem;
use crate::{peers, sources};

/// Most exchanges at once.
const ERRANDS_AT_ONCE_MAX: usize = 16;
/// The longest time between two looks at what is due, in seconds.
const LOOK_SECONDS_MAX: i64 = 30;

/// What has been asked for ahead of its time, and what is being done.
#[derive(Default)]
pub struct Rota {
    wake: Notify,
    asked: Mutex<BTreeSet<Errand>>,
    busy: Mutex<BTreeSet<Errand>>,
    door: tokio::sync::Mutex<()>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// Exchange with a peer for one group.
    Peer(peers::LinkKey),
    /// Take in from a source.
    Source(sources::SourceKey),
}

/// When an errand is due.
pub struct Due {
    /// Which.
    pub errand: Errand,
    /// When; `None` for one that waits to be asked for.
    pub at: Option<Timestamp>,
}

impl Rota {
    /// Has `errand` done at once, or again once it is done if it is being done.
    pub fn ask(&self, errand: Errand) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(errand);
        self.wake.notify_one();
    }

    /// The door for what other hubs send, one page at a time: what comes by two ways at once would else be looked for by
    /// both before either has recorded it, and be recorded twice.
    pub async fn door(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.door.lock().await
    }

    /// The settings have changed.
    pub fn changed(&self) {
        self.wake.notify_one();
    }

    /// Whether `errand` is being done, or about to be.
    pub fn is_busy(&self, errand: &Errand) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(errand)
            || self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(errand)
    }

    fn begin(&self, errand: &Errand) -> bool {
        let begun = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(errand.clone());
        if begun {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(errand);
        }
        begun
    }

    fn end(&self, errand: &Errand) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(errand);
    }

    fn is_asked(&self, errand: &Errand) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(errand)
    }
}

/// Ends an errand, however it ends.
struct Busy<'a>(&'a Rota, Errand);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.end(&self.1);
    }
}

/// Does what is due until the hub closes.
pub async fn keep(app: App) {
    let mut closing = app.closing();
    let mut errands = JoinSet::new();
    while !*closing.borrow() {
        let wait = match begin(&app, &mut errands).await {
            Ok(wait) => wait,
            Err(problem) => {
                tracing::warn!(code = problem.code, "what is due could not be read: {}", problem.detail);
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            _ = closing.changed() => {}
            () = app.rota().wake.notified() => {}
            Some(_) = errands.join_next(), if !errands.is_empty() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    // What was taken is recorded page by page: an errand that is broken off goes on where it was.
    errands.shutdown().await;
}

/// Begins what is due, and says how long there is nothing more.
async fn begin(app: &App, errands: &mut JoinSet<()>) -> Result<Duration, Problem> {
    let mut due = peers::due(app).await?;
    due.extend(sources::due(app).await?);
    let now = app.now();
    let mut next = now.plus_seconds(LOOK_SECONDS_MAX);
    for Due { errand, at } in due {
        let wanted = app.rota().is_asked(&errand) || at.is_some_and(|at| at <= now);
        if !wanted {
            next = next.min(at.unwrap_or(next));
        } else if errands.len() < ERRANDS_AT_ONCE_MAX && app.rota().begin(&errand) {
            let app = app.clone();
            errands.spawn(async move {
                let _busy = Busy(app.rota(), errand.clone());
                match &errand {
                    Errand::Peer(key) => peers::run::run(&app, key).await,
                    Errand::Source(key) => sources::run::run(&app, key).await,
                }
            });
        }
    }
    let micros = u64::try_from(next.since_micros(now)).unwrap_or(0);
    Ok(Duration::from_micros(micros).max(Duration::from_millis(50)))
}

/// When to try again after so many failures on end.
pub fn after_failures(app: &App, failures: u32) -> Timestamp {
    let mut random = [0];
    // Without randomness the wait is the shortest of its range: nothing secret hangs on it.
    let _ = app.entropy().fill(&mut random);
    let wait = wait_milliseconds(failures, random.first().copied().unwrap_or(0));
    app.now().plus_micros(wait.saturating_mul(1_000))
}
