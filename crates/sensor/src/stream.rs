//! Listens to the hub: takes warnings the moment they are raised, and hears when to fetch the watchlist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shieldwall_model::id::WarningId;
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::client::{HubError, unreachable_hub};
use crate::disk::{self, DiskError};
use crate::events::{Event, EventReader};
use crate::shared::{SensorEvent, Shared, add};
use crate::wire::Warning;

/// Most warnings that are remembered; of more, those received first are forgotten.
const WARNINGS_MAX: usize = 10_000;
/// Largest memory file in bytes.
const MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Time between two writes of the memory, in milliseconds. What a crash loses of it is told again by the hub.
const SAVE_MILLISECONDS: u64 = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    revision: u64,
    received: Timestamp,
}

/// What the sensor knows of warnings, and where it is in the stream.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    last_event_id: Option<String>,
    warnings: BTreeMap<WarningId, Remembered>,
    unacknowledged: BTreeSet<WarningId>,
    /// Whether warnings may have been missed.
    #[serde(default)]
    behind: bool,
    #[serde(skip)]
    unsaved: bool,
}

impl Memory {
    /// Takes a warning; tells whether it is news.
    fn take(&mut self, warning: &Warning, received: Timestamp) -> bool {
        if warning.mine.by_machine.is_none() {
            self.unsaved |= self.unacknowledged.insert(warning.id);
        }
        if self.warnings.get(&warning.id).is_some_and(|known| known.revision >= warning.revision) {
            return false;
        }
        self.warnings.insert(warning.id, Remembered { revision: warning.revision, received });
        if self.warnings.len() > WARNINGS_MAX
            && let Some(oldest) =
                self.warnings.iter().min_by_key(|(_, known)| known.received).map(|(id, _)| *id)
        {
            self.warnings.remove(&oldest);
        }
        self.unsaved = true;
        true
    }
}

/// The listening part of a sensor.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    memory: Mutex<Memory>,
    /// Something is to be acknowledged or caught up with.
    chore: Notify,
}

impl Listener {
    /// Goes on where the last run stopped.
    pub(crate) fn open(shared: Arc<Shared>) -> Result<Self, DiskError> {
        let memory = remembered(&shared.state("stream.json"))?;
        Ok(Self { shared, memory: Mutex::new(memory), chore: Notify::new() })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until the sensor stops.
    pub(crate) async fn listen(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        loop {
            let result = tokio::select! {
                () = self.shared.stopped() => return,
                result = self.listen_once(&mut backoff) => result,
            };
            self.shared.stream_open.send_if_modified(|open| std::mem::replace(open, false));
            let error = match result {
                Ok(()) => HubError::Unreachable { reason: "the stream ended".into() },
                Err(error) => error,
            };
            if matches!(error, HubError::CursorStale | HubError::Refused { .. }) {
                self.start_anew();
            }
            self.shared.unreachable("listening to the hub", &error);
            if !self.shared.wait(backoff.after(&error, self.shared.entropy.as_ref())).await {
                return;
            }
        }
    }

    /// Forgets the place in the stream; what was missed is fetched.
    fn start_anew(&self) {
        let mut memory = self.memory();
        memory.last_event_id = None;
        (memory.behind, memory.unsaved) = (true, true);
        drop(memory);
        self.chore.notify_one();
    }

    async fn listen_once(&self, backoff: &mut Backoff) -> Result<(), HubError> {
        let after = self.memory().last_event_id.clone();
        if after.is_none() {
            self.start_anew();
        }
        let mut response = self.shared.hub.stream(after.as_deref()).await?;
        tracing::info!("listening to the hub");
        self.shared.stream_open.send_replace(true);
        // Whatever changed while nobody listened.
        self.shared.poll_now.notify_one();
        let mut reader = EventReader::default();
        while let Some(bytes) = response.chunk().await.map_err(|error| unreachable_hub(&error))? {
            backoff.succeeded();
            let mut events = Vec::new();
            reader
                .take(&bytes, |event| events.push(event))
                .map_err(|_| HubError::Answer { reason: "an event is too large".into() })?;
            events.into_iter().for_each(|event| self.heard(event));
        }
        Ok(())
    }

    fn heard(&self, event: Event) {
        match event.name.as_str() {
            "warning" => match serde_json::from_str::<Warning>(&event.data) {
                Ok(warning) => self.warned(&warning),
                Err(error) => {
                    tracing::error!(%error, "a warning cannot be read; hub and sensor may be of different versions")
                }
            },
            "watchlist" | "recall" => self.shared.poll_now.notify_one(),
            "reset" => {
                tracing::info!("the stream began anew");
                self.start_anew();
                self.shared.poll_now.notify_one();
            }
            _ => {}
        }
        if !event.id.is_empty() {
            let mut memory = self.memory();
            (memory.last_event_id, memory.unsaved) = (Some(event.id), true);
        }
    }

    fn warned(&self, warning: &Warning) {
        let received = self.shared.clock.now();
        let news = self.memory().take(warning, received);
        self.chore.notify_one();
        if !news {
            return;
        }
        add(&self.shared.counts.warnings, 1);
        metrics::counter!("shieldwall_sensor_warnings_total").increment(1);
        tracing::warn!(warning = %warning.id, indicator = %warning.indicator, role = %warning.role, revision = warning.revision, "warned");
        self.shared.observer.tell(|| SensorEvent::Warned {
            warning_id: warning.id,
            indicator: warning.indicator.clone(),
            role: warning.role,
            revision: warning.revision,
            raised: warning.raised,
            received,
            mine_seen: warning.mine.seen,
        });
    }

    /// Acknowledges warnings, catches up with those missed and keeps the memory on disk, until the sensor stops.
    pub(crate) async fn do_chores(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        let mut saves = tokio::time::interval(Duration::from_millis(SAVE_MILLISECONDS));
        loop {
            tokio::select! {
                () = self.shared.stopped() => break,
                () = self.chore.notified() => {}
                _ = saves.tick() => self.save().await,
            }
            let done = tokio::select! {
                () = self.shared.stopped() => break,
                done = self.do_chore() => done,
            };
            match done {
                Ok(()) => backoff.succeeded(),
                Err(error) => {
                    self.shared.unreachable("acknowledging warnings", &error);
                    if !self.shared.wait(backoff.after(&error, self.shared.entropy.as_ref())).await {
                        break;
                    }
                }
            }
        }
        self.save().await;
    }

    async fn do_chore(&self) -> Result<(), HubError> {
        loop {
            // A burst in one call: what piled up while the last one was under way goes together.
            let next: Vec<WarningId> =
                self.memory().unacknowledged.iter().copied().take(limits::PAGE_ITEMS_MAX).collect();
            if next.is_empty() {
                break;
            }
            match self.shared.hub.acknowledge(&next).await {
                // Refused as a whole: there is nothing in it that could be acknowledged later.
                Ok(()) | Err(HubError::Refused { .. }) => {
                    let mut memory = self.memory();
                    for warning in &next {
                        memory.unsaved |= memory.unacknowledged.remove(warning);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if self.memory().behind {
            // Before asking: what is raised meanwhile comes over the stream.
            let warnings = self.shared.hub.warnings().await?;
            warnings.iter().rev().for_each(|warning| self.warned(warning));
            let mut memory = self.memory();
            (memory.behind, memory.unsaved) = (false, true);
        }
        Ok(())
    }

    async fn save(&self) {
        let bytes = {
            let mut memory = self.memory();
            if !std::mem::take(&mut memory.unsaved) {
                return;
            }
            serde_json::to_vec(&*memory)
        };
        let (disk, path) = (self.shared.disk.clone(), self.shared.state("stream.json"));
        let saved = tokio::task::spawn_blocking(move || match bytes {
            Ok(bytes) => disk.replace(&path, &bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        });
        if let Ok(Err(error)) = saved.await {
            tracing::error!(%error, "the memory of warnings was not written");
            self.memory().unsaved = true;
        }
    }
}

fn remembered(path: &Path) -> Result<Memory, DiskError> {
    Ok(match disk::read(path, MEMORY_BYTES_MAX)? {
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::error!(%error, "the memory of warnings is damaged; asking the hub again");
            Memory::default()
        }),
        None => Memory::default(),
    })
}
