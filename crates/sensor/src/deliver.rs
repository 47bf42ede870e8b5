//! Hands the spool's reports to the hub, oldest first, until the hub has them all.

use std::sync::Arc;

use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::client::HubError;
use crate::shared::{SensorEvent, Shared, add};
use crate::spool::{Report, SpoolError};
use crate::wire::SightingsAnswer;

/// The answers that mean a report will never be taken as it is.
const REFUSALS: [u16; 4] = [400, 409, 413, 422];

/// Delivers reports. Ends when `written_all` is true and the hub has everything.
pub(crate) async fn deliver(shared: Arc<Shared>, mut written_all: watch::Receiver<bool>) {
    let mut backoff = Backoff::default();
    loop {
        let done = *written_all.borrow();
        let report = match with_spool(&shared, |shared| shared.spool.oldest()).await {
            Ok(Some(report)) => report,
            Ok(None) if done => return,
            Ok(None) => {
                tokio::select! {
                    () = shared.report_ready.notified() => {}
                    changed = written_all.changed() => if changed.is_err() { return },
                }
                continue;
            }
            Err(error) => {
                tracing::error!(%error, code = error.code(), "a report cannot be read");
                let busy = HubError::Busy { status: 0, after: None };
                tokio::time::sleep(backoff.after(&busy, shared.entropy.as_ref())).await;
                continue;
            }
        };
        let answer = shared.hub.sightings(report.key, &report.sightings, report.origin.as_ref()).await;
        if let Err(error) = settle(&shared, report, answer).await {
            shared.unreachable("handing in a report", &error);
            tokio::time::sleep(backoff.after(&error, shared.entropy.as_ref())).await;
        } else {
            backoff.succeeded();
        }
    }
}

/// Acts on the hub's answer; an error means: again later.
async fn settle(
    shared: &Arc<Shared>,
    report: Report,
    answer: Result<SightingsAnswer, HubError>,
) -> Result<(), HubError> {
    let sightings = report.sightings.len();
    let left = match answer {
        Ok(answer) => {
            for refused in answer.refused.iter().take(10) {
                let indicator =
                    report.sightings.get(refused.index).map(|sighting| sighting.indicator.to_string());
                tracing::warn!(code = %refused.code, reason = %refused.reason, indicator, "a sighting was refused");
            }
            let left = with_spool(shared, move |shared| shared.spool.confirmed(&report)).await;
            if left.is_ok() {
                add(&shared.counts.reports, 1);
                add(&shared.counts.sightings, u64::try_from(sightings).unwrap_or(u64::MAX));
                add(&shared.counts.accepted, answer.accepted);
                metrics::counter!("shieldwall_sensor_reports_total").increment(1);
                tracing::info!(sightings, accepted = answer.accepted, repeated = answer.repeated, "reported");
                shared.observer.tell(|| SensorEvent::Reported { sightings, accepted: answer.accepted });
            }
            left
        }
        Err(HubError::Refused { status, code, detail }) if REFUSALS.contains(&status) => {
            tracing::error!(
                status,
                code,
                detail,
                sightings,
                "the hub will not take a report; it is kept in spool/refused"
            );
            with_spool(shared, move |shared| shared.spool.refused(&report)).await
        }
        Err(error) => return Err(error),
    };
    // The hub has it; should the disk not let go of it, it is sent again and known again by its key.
    left.map_err(|error| HubError::Unreachable { reason: format!("(no fault of the hub) {error}") })
}

async fn with_spool<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || work(&shared)).await {
        Ok(result) => result,
        Err(_) => Err(SpoolError::Stopped),
    }
}
