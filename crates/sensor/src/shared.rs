//! What the parts of a running sensor have in common: its configuration, its hub, its counts, its observer.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use shieldwall_model::id::{Entropy, GroupId, ObjectId, WarningId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::{Clock, Timestamp};
use tokio::sync::{Notify, mpsc, watch};

use crate::client::Hub;
use crate::config::Config;
use crate::disk::Disk;
use crate::memory::SharedMemory;
use crate::spool::Spool;
use crate::wire::{ShedCounts, SlowRule, WithheldIndicator};

/// What a running sensor tells whoever watches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SensorEvent {
    /// The watchlist is as the hub has it.
    Synced {
        /// Active indicators.
        items: usize,
        /// How often the compiled list changed.
        version: u64,
    },
    /// An indicator was met.
    Matched {
        /// The sharing group it was shared in.
        group: GroupId,
        /// The indicator.
        indicator: ObjectId,
        /// What it is for.
        role: IndicatorRole,
        /// The value as it was seen; this event stays in the member's network.
        value: String,
        /// The field it stood in.
        field: String,
        /// When the sensor noticed.
        detected: Timestamp,
    },
    /// The hub confirmed a report.
    Reported {
        /// Sightings in it.
        sightings: usize,
        /// How many the hub took.
        accepted: u64,
    },
    /// The hub warned this member.
    Warned {
        /// The warning.
        warning_id: WarningId,
        /// What it is about.
        indicator: ObjectId,
        /// What that is for.
        role: IndicatorRole,
        /// Which revision of the warning this is.
        revision: u64,
        /// When the warning was raised.
        raised: Timestamp,
        /// When it arrived here.
        received: Timestamp,
        /// Whether this member saw the indicator itself.
        mine_seen: bool,
    },
    /// The block list on disk was written.
    BlocklistWritten {
        /// Values in it.
        values: usize,
    },
    /// The rules for other tools were written.
    RulesWritten {
        /// Rules in the files.
        rules: u64,
        /// Rules that are not safe to pass on.
        left_out: u64,
    },
    /// An input listens for senders.
    Listening {
        /// The input as configured.
        input: String,
        /// The address in use.
        address: std::net::SocketAddr,
    },
    /// The hub could not be talked to; it is tried again.
    HubUnreachable {
        /// What was tried and what happened.
        what: String,
    },
    /// The sensor is done; nothing follows.
    Finished,
}

/// The observer's end: never waits, counts what it could not take.
#[derive(Debug)]
pub(crate) struct Observer {
    to: Option<mpsc::Sender<SensorEvent>>,
    dropped: AtomicU64,
}

impl Observer {
    pub(crate) fn new(to: Option<mpsc::Sender<SensorEvent>>) -> Self {
        Self { to, dropped: AtomicU64::new(0) }
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> SensorEvent) {
        if let Some(to) = &self.to
            && to.try_send(event()).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Counts since the start. All but the gauges only rise.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) events: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) matches: AtomicU64,
    pub(crate) bad_lines: AtomicU64,
    pub(crate) skipped_lines: AtomicU64,
    /// Messages from the network that found no room.
    pub(crate) dropped_messages: AtomicU64,
    pub(crate) reports: AtomicU64,
    pub(crate) sightings: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) warnings: AtomicU64,
    pub(crate) watchlist_items: AtomicU64,
    pub(crate) watchlist_version: AtomicU64,
    pub(crate) rules_run: AtomicU64,
    pub(crate) rules_passed_on: AtomicU64,
    pub(crate) rules_left_out: AtomicU64,
    /// Matches of one message past what a report may hold.
    pub(crate) shed_matches: AtomicU64,
    /// Sightings found by looking back.
    pub(crate) retrospective: AtomicU64,
}

pub(crate) fn add(count: &AtomicU64, amount: u64) {
    count.fetch_add(amount, Ordering::Relaxed);
}

pub(crate) fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// What is the matter with reading, for the heartbeat.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Since when unread telemetry waits.
    pub(crate) behind_since: Option<Instant>,
    /// Why reading stopped, when it did.
    pub(crate) held: Option<String>,
    /// Each input with what is wrong with it.
    pub(crate) inputs: Vec<(String, Option<String>)>,
    /// What rules left out.
    pub(crate) shed: ShedCounts,
    /// The rules that took the most time.
    pub(crate) slow_rules: Vec<SlowRule>,
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) hub: Hub,
    pub(crate) disk: Disk,
    pub(crate) spool: Spool,
    /// What passed; none when none is to be kept.
    pub(crate) memory: Option<SharedMemory>,
    /// Indicators the guard withholds.
    pub(crate) withheld: Mutex<Vec<WithheldIndicator>>,
    pub(crate) observer: Observer,
    pub(crate) counts: Counts,
    pub(crate) reading: Mutex<Reading>,
    /// A report was written, or the last one was.
    pub(crate) report_ready: Notify,
    /// The watchlist changed at the hub.
    pub(crate) poll_now: Notify,
    /// Whether the stream is open.
    pub(crate) stream_open: watch::Sender<bool>,
    /// Set once, when everything but the delivery of reports is to end.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn withheld(&self) -> MutexGuard<'_, Vec<WithheldIndicator>> {
        self.withheld.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.config.state.join(name)
    }

    pub(crate) fn unreachable(&self, doing: &str, error: &crate::client::HubError) {
        if error.needs_a_person() {
            tracing::error!(%error, code = error.code(), "{doing}");
        } else {
            tracing::warn!(%error, code = error.code(), "{doing}");
        }
        self.observer.tell(|| SensorEvent::HubUnreachable { what: format!("{doing}: {error}") });
    }

    /// Completes when the sensor is to stop.
    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Waits, but not past the end; tells whether to go on.
    pub(crate) async fn wait(&self, time: std::time::Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.stopped() => false,
        }
    }
}
