//! Keeps the watchlist as the hub has it: fetches what changed, lets it end in time, writes what follows from it.

use std::time::Duration;

use shieldwall_model::time::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::backoff::Backoff;
use crate::blocklist::Blocklist;
use crate::client::{Hub, HubError};
use crate::knowledge::{self, Knowledge, KnowledgeError};
use crate::shared::{SensorEvent, Shared};
use crate::wire::Change;

/// How often ends of indicators are looked for, in milliseconds.
const TICK_MILLISECONDS: u64 = 250;
/// Time between two polls while the stream is open and would tell of changes, in seconds.
const STREAMED_POLL_SECONDS: u64 = 60;
/// Least time between two writes of the snapshot, in milliseconds. What a crash loses of it is fetched again.
const SAVE_MILLISECONDS: u64 = 1_000;
/// Most pages of one sync: a hub that never ends must not fill the memory.
const PAGES_MAX: usize = 10_000;

/// What one sync brought.
struct Fetched {
    reset: bool,
    changes: Vec<Change>,
    cursor: String,
}

/// Fetches everything after `cursor`, to its end.
async fn fetch(hub: Hub, mut cursor: Option<String>) -> Result<Fetched, HubError> {
    let (mut reset, mut changes) = (cursor.is_none(), Vec::new());
    for _ in 0..PAGES_MAX {
        let page = match hub.watchlist(cursor.as_deref()).await {
            Err(HubError::CursorStale) if cursor.is_some() => {
                tracing::info!("the hub no longer knows our place in the watchlist; fetching all of it");
                (reset, cursor) = (true, None);
                changes.clear();
                continue;
            }
            other => other?,
        };
        if page.reset && cursor.is_some() {
            (reset, changes) = (true, Vec::new());
        }
        let told = page.changes.len();
        changes.extend(page.changes.into_iter().flatten());
        if changes.len() < told {
            tracing::warn!("the hub told of changes this version does not understand");
        }
        cursor = Some(page.next);
        if !page.more {
            break;
        }
    }
    match cursor {
        Some(cursor) => Ok(Fetched { reset, changes, cursor }),
        None => Err(HubError::Answer { reason: "the watchlist has no end".into() }),
    }
}

/// The knowledge and what was written of it.
struct Keeper {
    knowledge: Knowledge,
    blocklist: Option<Blocklist>,
    unsaved: bool,
}

impl Keeper {
    /// Writes the block list if it became another.
    fn publish(&mut self, shared: &Shared) {
        let (items, version) = (self.knowledge.active(), self.knowledge.live().version());
        let gauge = |count: &std::sync::atomic::AtomicU64, value: u64| {
            count.store(value, std::sync::atomic::Ordering::Relaxed);
        };
        gauge(&shared.counts.watchlist_items, u64::try_from(items).unwrap_or(u64::MAX));
        gauge(&shared.counts.watchlist_version, version);
        let active: Vec<_> = self.knowledge.iter_active().collect();
        let blocklist = Blocklist::of(active.iter().copied());
        if self.blocklist.as_ref() == Some(&blocklist) {
            return;
        }
        let text = blocklist.text(&shared.config.name, shared.clock.now());
        match shared.disk.replace(&shared.state("blocklist.txt"), text.as_bytes()) {
            Ok(()) => {
                let values = blocklist.len();
                self.blocklist = Some(blocklist);
                shared.observer.tell(|| SensorEvent::BlocklistWritten { values });
            }
            Err(error) => tracing::error!(%error, code = error.code(), "the block list was not written"),
        }
    }

    fn take(&mut self, fetched: Fetched, now: Timestamp, shared: &Shared) -> Result<bool, KnowledgeError> {
        self.unsaved |= self.knowledge.cursor() != Some(&fetched.cursor);
        self.knowledge.tick(now)?;
        let changed = self.knowledge.apply(fetched.reset, fetched.changes, fetched.cursor)?;
        if changed || self.blocklist.is_none() {
            self.publish(shared);
        }
        Ok(changed)
    }

    fn save(&mut self, shared: &Shared) {
        let path = shared.state("watchlist.json");
        let saved = self.knowledge.snapshot().and_then(|bytes| knowledge::save(&shared.disk, &path, &bytes));
        match saved {
            Ok(()) => self.unsaved = false,
            Err(error) => tracing::error!(%error, code = error.code(), "the watchlist was not kept on disk"),
        }
    }
}

/// Runs `work` where it may take its time.
async fn aside<T: Send + 'static>(
    mut keeper: Keeper,
    work: impl FnOnce(&mut Keeper) -> T + Send + 'static,
) -> Option<(Keeper, T)> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&mut keeper);
        (keeper, result)
    });
    done.await.ok()
}

/// Whether the watchlist came from the hub yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing is known yet.
    Asking,
    /// The hub was asked in vain; it is asked again.
    Failed,
    /// It came.
    Synced,
}

/// Keeps the watchlist until the sensor stops, and tells how the first sync goes.
pub(crate) async fn keep(shared: std::sync::Arc<Shared>, knowledge: Knowledge, first: watch::Sender<First>) {
    let mut keeper = Keeper { knowledge, blocklist: None, unsaved: false };
    if keeper.knowledge.cursor().is_some() {
        keeper.publish(&shared);
    }
    let mut stream_open = shared.stream_open.subscribe();
    let mut backoff = Backoff::default();
    let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MILLISECONDS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut next_poll, mut polled, mut next_save) = (Instant::now(), Instant::now(), Instant::now());
    let mut fetching: Option<tokio::task::JoinHandle<Result<Fetched, HubError>>> = None;
    loop {
        let idle = fetching.is_none();
        let fetched = async {
            match fetching.as_mut() {
                Some(task) => task.await,
                None => std::future::pending().await,
            }
        };
        let fetched = tokio::select! {
            () = shared.stopped() => break,
            _ = ticks.tick() => None,
            fetched = fetched => Some(fetched),
            () = shared.poll_now.notified(), if idle => {
                next_poll = Instant::now();
                None
            }
            changed = stream_open.changed() => {
                if changed.is_err() { break; }
                next_poll = next_poll.min(polled + pace(&shared, *stream_open.borrow_and_update()));
                None
            }
        };
        let now = shared.clock.now();
        if let Some(fetched) = fetched {
            fetching = None;
            polled = Instant::now();
            let fetched = fetched.unwrap_or_else(|error| Err(HubError::Answer { reason: error.to_string() }));
            match fetched {
                Ok(fetched) => {
                    let with = std::sync::Arc::clone(&shared);
                    let Some(done) = aside(keeper, move |keeper| keeper.take(fetched, now, &with)).await
                    else {
                        return;
                    };
                    keeper = done.0;
                    let first = first.send_replace(First::Synced) != First::Synced;
                    match done.1 {
                        Ok(changed) if changed || first => announce(&shared, &keeper),
                        Ok(_) => {}
                        Err(error) => {
                            tracing::error!(%error, code = error.code(), "the watchlist was not taken")
                        }
                    }
                    backoff.succeeded();
                    next_poll = polled + pace(&shared, *stream_open.borrow());
                }
                Err(error) => {
                    shared.unreachable("fetching the watchlist", &error);
                    first.send_if_modified(|first| {
                        *first == First::Asking && std::mem::replace(first, First::Failed) == First::Asking
                    });
                    next_poll = polled + backoff.after(&error, shared.entropy.as_ref());
                }
            }
        }
        match keeper.knowledge.tick(now) {
            Ok(true) => {
                let with = std::sync::Arc::clone(&shared);
                let Some(done) = aside(keeper, move |keeper| keeper.publish(&with)).await else { return };
                keeper = done.0;
                announce(&shared, &keeper);
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, code = error.code(), "indicators did not end in time"),
        }
        if keeper.unsaved && Instant::now() >= next_save {
            let with = std::sync::Arc::clone(&shared);
            let Some(done) = aside(keeper, move |keeper| keeper.save(&with)).await else { return };
            keeper = done.0;
            next_save = Instant::now() + Duration::from_millis(SAVE_MILLISECONDS);
        }
        if fetching.is_none() && Instant::now() >= next_poll {
            let cursor = keeper.knowledge.cursor().map(str::to_owned);
            fetching = Some(tokio::spawn(fetch(shared.hub.clone(), cursor)));
        }
    }
    if let Some(task) = fetching {
        task.abort();
    }
    if keeper.unsaved {
        let _ = aside(keeper, move |keeper| keeper.save(&shared)).await;
    }
}

fn announce(shared: &Shared, keeper: &Keeper) {
    let (items, version) = (keeper.knowledge.active(), keeper.knowledge.live().version());
    tracing::info!(items, version, "watchlist");
    shared.observer.tell(|| SensorEvent::Synced { items, version });
}

fn pace(shared: &Shared, stream_open: bool) -> Duration {
    if stream_open {
        Duration::from_secs(STREAMED_POLL_SECONDS).max(shared.config.poll)
    } else {
        shared.config.poll
    }
}
