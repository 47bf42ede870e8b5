//! The live stream: server-sent events (WHATWG HTML section 9.2) of what a reader may see, with resume.
//!
//! A stream is a tail of the reader's logs. Its ids are sealed positions, so a client that comes back with
//! `Last-Event-ID` misses and repeats nothing, and an id tells nothing about other logs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use shieldwall_assess::entries::{
    SIGHTING_REPORTED, SightingReported, WARNING_ACKNOWLEDGED, WarningAcknowledged,
};
use shieldwall_assess::view::Warning;
use shieldwall_exchange::entries::{
    INDICATOR_DISPUTED, OBJECT_RECALLED, OBJECT_RELEASED, OBJECT_SHARED, Recalled,
};
use shieldwall_exchange::stix;
use shieldwall_ledger::{Entry, Follow};
use shieldwall_model::access::{Action, Principal, ReadScope, Reader, Visible};
use shieldwall_model::id::GroupId;
use tokio::sync::{OnceCell, broadcast};

use crate::api::warnings;
use crate::app::{App, StreamPlace};
use crate::ask::Ask;
use crate::cursor::Positions;
use crate::fold::{GROUP_FORMED, MEMBER_JOINED};
use crate::notify::Notice;
use crate::problem::Problem;

/// What cursors of the stream are sealed for.
const USE: &str = "stream";
/// How often a quiet stream says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /api/v1/stream`.
///
/// # Errors
/// 429 when the reader holds too many streams.
pub async fn open(ask: Ask) -> Result<Response, Problem> {
    let scope = ask.scope()?;
    let app = ask.app.clone();
    let place = app.open_stream(ask.reader().principal())?;
    let last =
        ask.headers.get("last-event-id").and_then(|value| value.to_str().ok()).or_else(|| ask.query("after"));
    let (positions, stale) = match last.map(|text| app.seal().open(&scope, USE, text)) {
        Some(Ok(positions)) => (Some(positions), false),
        Some(Err(_)) => (None, true),
        None => (None, false),
    };
    let present = {
        let scope = scope.clone();
        app.read(move |reading| Ok(reading.positions(&scope).into_inner())).await?
    };
    let from = positions.unwrap_or(present);
    let tail = Tail {
        follow: app.ledger().follow(&scope, from.clone()),
        scope,
        reader: ask.reader().clone(),
        positions: from,
        closing: app.closing(),
        notices: app.board().listen(),
        app,
        first: Some(if stale { "reset" } else { "open" }),
        waiting: Vec::new(),
        _place: place,
    };
    let events = stream::unfold(tail, |mut tail| async move {
        tail.next().await.map(|event| (Ok::<_, Infallible>(event), tail))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive")).into_response())
}

struct Tail {
    follow: Follow,
    scope: ReadScope,
    reader: Reader,
    positions: Positions,
    closing: tokio::sync::watch::Receiver<bool>,
    notices: broadcast::Receiver<(Principal, Arc<Notice>)>,
    app: App,
    first: Option<&'static str>,
    waiting: Vec<Event>,
    _place: StreamPlace,
}

impl Tail {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(first) = self.first.take() {
                return Some(self.identified(Event::default().event(first).data("{}")));
            }
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            let entry = tokio::select! {
                entry = self.follow.next() => entry?,
                notice = self.notices.recv() => match notice {
                    // It has no id: what it tells of stands in the logs, and a client that was away searches again.
                    Ok((reader, notice)) if reader == self.reader.principal() => {
                        return Event::default().event("search").json_data(&*notice).ok();
                    }
                    _ => continue,
                },
                _ = self.closing.changed() => return None,
            };
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::warn!(%error, "a stream ended early; its client resumes");
                    return None;
                }
            };
            self.positions.insert(entry.group, entry.sequence);
            let group_changed = matches!(entry.kind.as_str(), MEMBER_JOINED | GROUP_FORMED);
            self.tell(&entry).await;
            if group_changed && !self.same_scope() {
                // The reader's groups have changed: the client comes back with its id and gets a stream over the new ones.
                return self.waiting.pop();
            }
        }
    }

    fn same_scope(&self) -> bool {
        let now = Reader::new(
            self.reader.realm().clone(),
            self.reader.principal(),
            self.reader.member(),
            self.reader.role(),
            &self.app.directory(),
        );
        now == self.reader
    }

    fn identified(&self, event: Event) -> Event {
        event.id(self.app.seal().seal(&self.scope, USE, &self.positions))
    }

    /// Puts what an entry means for this reader in the queue, last first; the last event carries the id, so a client
    /// cut off in between gets the whole entry again rather than half of it.
    async fn tell(&mut self, entry: &Visible<std::sync::Arc<Entry>>) {
        let mut events = self.events(entry).await;
        if let Some(last) = events.pop() {
            self.waiting.push(self.identified(last));
            while let Some(event) = events.pop() {
                self.waiting.push(event);
            }
        }
    }

    async fn events(&self, entry: &Entry) -> Vec<Event> {
        let Some(body) = entry.body.as_deref() else { return Vec::new() };
        let group = entry.group;
        match entry.kind.as_str() {
            OBJECT_SHARED | OBJECT_RELEASED => {
                match stix::read_bundle(body).ok().and_then(|checked| checked.accepted.into_iter().next()) {
                    Some(object) => {
                        let mut events = Vec::new();
                        if self.reader.may(Action::ReadIntelligence) {
                            let data = json!({"group": group, "id": object.id, "type": object.object_type(), "name": object.title});
                            events.push(event("object", &data));
                        }
                        if object.indicator.is_some() {
                            events.push(event("watchlist", &json!({})));
                        }
                        events
                    }
                    None => Vec::new(),
                }
            }
            INDICATOR_DISPUTED => vec![event("watchlist", &json!({}))],
            OBJECT_RECALLED => match serde_json::from_slice::<Recalled>(body) {
                Ok(recalled) => vec![
                    event("recall", &json!({"group": group, "id": recalled.id, "reason": recalled.reason})),
                    event("watchlist", &json!({})),
                ],
                Err(_) => Vec::new(),
            },
            SIGHTING_REPORTED => {
                let Ok(seen) = serde_json::from_slice::<SightingReported>(body) else { return Vec::new() };
                let mut events = vec![event(
                    "sighting",
                    &json!({
                        "group": group, "indicator": seen.indicator, "count": seen.count,
                        "retrospective": seen.retrospective
                    }),
                )];
                for warning in self.warnings_of(entry, seen.indicator.as_str()).await {
                    events.push(event("warning", &warning));
                }
                events
            }
            WARNING_ACKNOWLEDGED => match serde_json::from_slice::<WarningAcknowledged>(body) {
                Ok(said) => vec![event(
                    "acknowledged",
                    &json!({"group": group, "warning": said.warning, "member": entry.author.member, "taken": said.taken}),
                )],
                Err(_) => Vec::new(),
            },
            MEMBER_JOINED => vec![event("member", &json!({}))],
            _ => Vec::new(),
        }
    }

    /// The warnings a sighting raised or changed. One burst goes to every stream at once: the first to get there reads
    /// them, the others share what it read, and each says it in its own reader's terms.
    async fn warnings_of(&self, entry: &Entry, indicator: &str) -> Vec<serde_json::Value> {
        let cell = self.app.burst().cell(entry.group, entry.sequence);
        let read = || warnings::of_indicator(&self.app, &self.scope, entry.group, indicator.to_owned());
        match cell.get_or_try_init(read).await {
            Ok(found) => {
                let mine = self.reader.member();
                let bodies = found.iter().map(|warning| warnings::body(&self.app, warning, mine));
                bodies.filter_map(|body| serde_json::to_value(body).ok()).collect()
            }
            Err(problem) => {
                tracing::warn!(code = problem.code, "a warning could not be read for a stream");
                Vec::new()
            }
        }
    }
}

/// Most sightings whose warnings are kept for the streams that have not told them yet.
const BURST_MAX: usize = 1_024;

/// What the last sightings' entries raised or changed, read once for all streams. Only a stream that was handed the
/// entry knows its place, so nobody gets at what their scope does not hold.
#[derive(Default)]
pub struct Burst(Mutex<BTreeMap<(u64, GroupId), Cell>>);

type Cell = Arc<OnceCell<Vec<Warning>>>;

impl Burst {
    fn cell(&self, group: GroupId, sequence: u64) -> Cell {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(cells.entry((sequence, group)).or_default());
        if cells.len() > BURST_MAX {
            cells.pop_first();
        }
        cell
    }
}

fn event(name: &str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}
