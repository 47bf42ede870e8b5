//! Looking back: new and changed indicators are asked of the memory, and what passed before they were known is reported
//! as a sighting that says so.
//!
//! A report carries a key made from what is in it, so asking twice (after a crash, say) reports once. The watchlist's
//! snapshot is kept only once everything new in it was asked, so nothing new goes unasked.

use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use shieldwall_memory::{Found, Hour, Memory, MemoryError, Question};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::Value;
use uuid::Uuid;

use crate::config::Tell;
use crate::knowledge::{Fresh, Held};
use crate::memory::{Askable, lock, question};
use crate::shared::{Shared, add};
use crate::spool::SpoolError;
use crate::wire::{Sighting, ToldValue};

/// Most indicators asked in one go.
pub(crate) const BATCH: usize = 100_000;
/// What stands where a sighting names the telemetry field.
pub(crate) const FIELD: &str = "memory";

/// Why looking back failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetrospectError {
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl RetrospectError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Memory(error) => error.code(),
            Self::Spool(error) => error.code(),
        }
    }
}

/// Asks for everything in `fresh`, and puts what passed into the spool.
pub(crate) fn look_back(shared: &Shared, fresh: &[Fresh]) -> Result<(), RetrospectError> {
    let Some(memory) = &shared.memory else { return Ok(()) };
    let now = shared.clock.now();
    let sightings = ask(memory, fresh, shared.config.tell, now)?;
    if sightings.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        sightings = sightings.len(),
        "indicators new to this sensor were met before they were known"
    );
    for report in sightings.chunks(limits::SIGHTINGS_PER_REPORT_MAX) {
        shared.spool.write_beside(report.to_vec(), key_of(report))?;
        add(&shared.counts.retrospective, u64::try_from(report.len()).unwrap_or(u64::MAX));
        shared.report_ready.notify_one();
    }
    Ok(())
}

/// What passed of the values that are new.
fn ask(
    memory: &Mutex<Memory>,
    fresh: &[Fresh],
    tell: Tell,
    now: Timestamp,
) -> Result<Vec<Sighting>, MemoryError> {
    let key = lock(memory).key().clone();
    let (mut questions, mut of): (Vec<Question>, Vec<(&Held, &Value)>) = (Vec::new(), Vec::new());
    for Fresh { held, values } in fresh.iter().filter(|fresh| fresh.held.is_active(now)) {
        for value in values.as_ref().unwrap_or(&held.values) {
            // An address without its port would claim more than is known.
            if let Askable::Whole(question) = question(&key, value) {
                questions.push(question);
                of.push((held, value));
            }
        }
    }
    let answers = Memory::ask(memory, &questions, Hour(0), Hour(u32::MAX))?;
    for damage in &answers.damage {
        tracing::error!(%damage, "a file of the memory is damaged; what it held is missing from the answer");
    }
    let found = answers.found.iter().zip(of);
    Ok(found.filter_map(|(found, (held, value))| sighting(held, value, found.as_ref()?, tell, now)).collect())
}

fn sighting(held: &Held, value: &Value, found: &Found, tell: Tell, now: Timestamp) -> Option<Sighting> {
    let (first, last) = found.span()?;
    let first_seen = first.begins().min(now);
    // What lay below a name is not remembered as such, so the listed value is what can be told.
    let text = value.to_string();
    Some(Sighting {
        group: held.group,
        indicator: held.indicator.clone(),
        first_seen,
        last_seen: last.ends().min(now).max(first_seen),
        // Hours, since events are not counted: at least so many.
        count: u64::try_from(found.hours()).unwrap_or(u64::MAX).max(1),
        kind: value.kind().as_str().to_owned(),
        field: FIELD.to_owned(),
        value: match tell {
            Tell::Plain => ToldValue::Plain(text),
            Tell::Hashed => ToldValue::Sha256(crate::follow::hex(&Sha256::digest(text.as_bytes()))),
            Tell::Withheld => ToldValue::Withheld,
        },
        detected: now,
        contributions: Vec::new(),
        retrospective: true,
    })
}

/// The same for the same sightings, whenever they are made.
fn key_of(report: &[Sighting]) -> Uuid {
    let mut hash = Sha256::new();
    for sighting in report {
        // When it was noticed, and how far into the running hour that is, is not what it is about.
        let about =
            (&sighting.group, &sighting.indicator, &sighting.kind, &sighting.value, sighting.first_seen);
        hash.update(serde_json::to_vec(&about).unwrap_or_default());
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// An answer on its way.
type Answer = tokio::task::JoinHandle<Result<(), RetrospectError>>;

/// What is asked, and what waits for it.
#[derive(Default)]
pub(crate) struct Asking {
    waiting: Vec<Fresh>,
    running: Option<(Answer, Arc<Vec<Fresh>>)>,
}

impl Asking {
    /// Whether everything was asked.
    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    pub(crate) fn add(&mut self, fresh: Vec<Fresh>) {
        self.waiting.extend(fresh);
    }

    /// Takes in what was answered, and asks on.
    pub(crate) async fn go_on(&mut self, shared: &Arc<Shared>) {
        if shared.memory.is_none() {
            self.waiting.clear();
            return;
        }
        if self.running.as_ref().is_some_and(|(task, _)| task.is_finished())
            && let Some((task, batch)) = self.running.take()
        {
            let failed = match task.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((error.to_string(), error.code())),
                Err(error) => Some((error.to_string(), "sensor.broken")),
            };
            if let Some((error, code)) = failed {
                tracing::error!(error, code, "looking back failed; trying again");
                self.waiting.extend(batch.iter().cloned());
            }
        }
        if self.running.is_none() && !self.waiting.is_empty() {
            let rest = self.waiting.split_off(self.waiting.len().min(BATCH));
            let batch = Arc::new(std::mem::replace(&mut self.waiting, rest));
            let (with, fresh) = (Arc::clone(shared), Arc::clone(&batch));
            let task = tokio::task::spawn_blocking(move || look_back(&with, &fresh));
            self.running = Some((task, batch));
        }
    }
}
