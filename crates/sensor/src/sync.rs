//! Keeps the watchlist as the hub has it: fetches what changed, lets it end in time, writes what follows from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shieldwall_model::time::Timestamp;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::backoff::Backoff;
use crate::blocklist::Blocklist;
use crate::client::{Hub, HubError};

use crate::knowledge::{self, Knowledge, KnowledgeError};
use crate::outlet::Outlet;
use crate::retrospect::Asking;
use crate::shared::{SensorEvent, Shared};
use crate::wire::{Change, WithheldIndicator};

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
    outlet: Option<Outlet>,
    unsaved: bool,
}

impl Keeper {
    /// Writes the block list and the rules for other tools if they became others.
    fn publish(&mut self, shared: &Shared) {
        self.publish_blocklist(shared);
        self.publish_rules(shared);
    }

    fn publish_rules(&mut self, shared: &Shared) {
        let outlet = Outlet::of(self.knowledge.iter_active());
        let rules = self.knowledge.rules();
        let left_out = outlet.left_out + self.knowledge.rules_over() + rules.left_out;
        gauge(&shared.counts.rules_run, rules.run);
        gauge(&shared.counts.rules_passed_on, outlet.passed_on);
        gauge(&shared.counts.rules_left_out, left_out);
        if self.outlet.as_ref() == Some(&outlet) {
            return;
        }
        match outlet.publish(&shared.state("rules"), self.outlet.as_ref(), &shared.disk) {
            Ok(()) => {
                let (rules, left_out) = (outlet.passed_on, outlet.left_out);
                if rules + left_out > 0 || self.outlet.is_some() {
                    tracing::info!(rules, left_out, files = outlet.files(), "rules for other tools");
                    shared.observer.tell(|| SensorEvent::RulesWritten { rules, left_out });
                }
                self.outlet = Some(outlet);
            }
            Err(error) => {
                // Whatever lies there now is looked at anew next time.
                self.outlet = None;
                tracing::error!(%error, code = error.code(), "the rules for other tools were not written");
            }
        }
    }

    fn publish_blocklist(&mut self, shared: &Shared) {
        let (items, version) = (self.knowledge.active(), self.knowledge.live().version());
        gauge(&shared.counts.watchlist_items, u64::try_from(items).unwrap_or(u64::MAX));
        gauge(&shared.counts.watchlist_version, version);
        *shared.withheld() =
            self.knowledge.withheld().map(|(held, why)| WithheldIndicator::of(held, why)).collect();
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
        if changed || self.blocklist.is_none() || self.outlet.is_none() {
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

fn gauge(count: &AtomicU64, value: u64) {
    count.store(value, Ordering::Relaxed);
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

/// The sync as it runs.
struct Running {
    shared: Arc<Shared>,
    keeper: Keeper,
    backoff: Backoff,
    first: watch::Sender<First>,
    stream_open: watch::Receiver<bool>,
    fetching: Option<JoinHandle<Result<Fetched, HubError>>>,
    polled: Instant,
    next_poll: Instant,
    next_save: Instant,
    /// What is new is asked of the memory.
    asking: Asking,
}

/// Keeps the watchlist until the sensor stops, and tells how the first sync goes.
pub(crate) async fn keep(shared: Arc<Shared>, knowledge: Knowledge, first: watch::Sender<First>) {
    let mut keeper = Keeper { knowledge, blocklist: None, outlet: None, unsaved: false };
    if keeper.knowledge.is_known() {
        keeper.publish(&shared);
    }
    let now = Instant::now();
    let stream_open = shared.stream_open.subscribe();
    let (backoff, fetching) = (Backoff::default(), None);
    let mut running = Running {
        shared,
        keeper,
        backoff,
        first,
        stream_open,
        fetching,
        polled: now,
        next_poll: now,
        next_save: now,
        asking: Asking::default(),
    };
    running.run().await;
}

impl Running {
    async fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MILLISECONDS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let idle = self.fetching.is_none();
            let fetched = async {
                match self.fetching.as_mut() {
                    Some(task) => task.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shared.stopped() => break,
                _ = ticks.tick() => {}
                () = shared.poll_now.notified(), if idle => self.next_poll = Instant::now(),
                fetched = fetched => {
                    self.fetching = None;
                    self.polled = Instant::now();
                    match fetched.unwrap_or_else(|error| Err(HubError::Answer { reason: error.to_string() })) {
                        Ok(fetched) => self.take(fetched),
                        Err(error) => self.failed(&error),
                    }
                }
                changed = self.stream_open.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.next_poll = self.next_poll.min(self.polled + self.pace());
                }
            }
            self.tick();
            self.asking.add(self.keeper.knowledge.take_fresh());
            self.asking.go_on(&shared).await;
        }
        if let Some(task) = self.fetching.take() {
            task.abort();
        }
        if self.keeper.unsaved && self.asking.is_done() {
            self.aside(Keeper::save);
        }
    }

    /// Runs `work` where it may take its time.
    fn aside<T>(&mut self, work: impl FnOnce(&mut Keeper, &Shared) -> T) -> T {
        // The matching thread and the other tasks go on meanwhile; a current-thread runtime just waits.
        let (keeper, shared) = (&mut self.keeper, &self.shared);
        match tokio::runtime::Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(|| work(keeper, shared)),
            _ => work(keeper, shared),
        }
    }

    fn take(&mut self, fetched: Fetched) {
        let now = self.shared.clock.now();
        let taken = self.aside(move |keeper, shared| keeper.take(fetched, now, shared));
        let first = self.first.send_replace(First::Synced) != First::Synced;
        match taken {
            Ok(changed) if changed || first => announce(&self.shared, &self.keeper),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, code = error.code(), "the watchlist was not taken"),
        }
        self.backoff.succeeded();
        self.next_poll = self.polled + self.pace();
    }

    fn failed(&mut self, error: &HubError) {
        self.shared.unreachable("fetching the watchlist", error);
        self.first.send_if_modified(|first| {
            *first == First::Asking && std::mem::replace(first, First::Failed) == First::Asking
        });
        self.next_poll = self.polled + self.backoff.after(error, self.shared.entropy.as_ref());
    }

    /// What is to be done by the clock.
    fn tick(&mut self) {
        match self.keeper.knowledge.tick(self.shared.clock.now()) {
            Ok(true) => {
                self.aside(Keeper::publish);
                announce(&self.shared, &self.keeper);
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, code = error.code(), "indicators did not end in time"),
        }
        // What is kept counts as asked.
        if self.keeper.unsaved && self.asking.is_done() && Instant::now() >= self.next_save {
            self.aside(Keeper::save);
            self.next_save = Instant::now() + Duration::from_millis(SAVE_MILLISECONDS);
        }
        if self.fetching.is_none() && Instant::now() >= self.next_poll {
            let cursor = self.keeper.knowledge.cursor().map(str::to_owned);
            self.fetching = Some(tokio::spawn(fetch(self.shared.hub.clone(), cursor)));
        }
    }

    fn pace(&self) -> Duration {
        let streamed = Duration::from_secs(STREAMED_POLL_SECONDS);
        let poll = self.shared.config.poll;
        if *self.stream_open.borrow() { streamed.max(poll) } else { poll }
    }
}

fn announce(shared: &Shared, keeper: &Keeper) {
    let (items, version) = (keeper.knowledge.active(), keeper.knowledge.live().version());
    tracing::info!(items, version, "watchlist");
    shared.observer.tell(|| SensorEvent::Synced { items, version });
}
