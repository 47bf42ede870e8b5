//! The least a hub must do for a sensor, with switches for everything that can go wrong.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

pub(crate) const TOKEN: &str = "swt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
pub(crate) const GROUP: &str = "group--00000000-0000-7000-8000-000000000001";

pub(crate) fn indicator(number: u32) -> String {
    format!("indicator--00000000-0000-4000-8000-{number:012}")
}

pub(crate) fn put(number: u32, role: &str, kind: &str, value: &str) -> Value {
    json!({"op": "put", "group": GROUP, "indicator": indicator(number), "name": "n", "role": role,
        "values": [{"kind": kind, "value": value}], "valid_until": null})
}

pub(crate) fn remove(number: u32) -> Value {
    json!({"op": "remove", "group": GROUP, "indicator": indicator(number), "reason": "recalled"})
}

/// What to do with the next report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Take,
    /// Record it, then hang up without an answer.
    TakeAndHangUp,
    /// Hang up without recording it.
    HangUp,
    Refuse,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub changes: Vec<Value>,
    /// Cursors of before this change are stale.
    pub oldest_cursor: usize,
    pub down: bool,
    pub plan: Vec<Report>,
    pub by_key: HashMap<String, u64>,
    pub reports: u64,
    pub repeats: u64,
    /// Counted sightings by indicator.
    pub counted: BTreeMap<String, u64>,
    pub sightings: Vec<Value>,
    pub warnings: Vec<Value>,
    pub acknowledged: HashSet<String>,
    pub stream_ids: Vec<Option<String>>,
    pub health: Vec<Value>,
    pub unauthorised: bool,
}

pub(crate) struct FakeHub {
    pub address: SocketAddr,
    pub inner: Mutex<Inner>,
    /// Rises with everything that happens.
    pub happened: watch::Sender<u64>,
    events: broadcast::Sender<(String, String, String)>,
}

impl FakeHub {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            inner: Mutex::default(),
            happened: watch::Sender::new(0),
            events: broadcast::Sender::new(64),
        });
        let app = Router::new()
            .route("/api/v1/me", get(me))
            .route("/api/v1/watchlist", get(watchlist))
            .route("/api/v1/sightings", post(sightings))
            .route("/api/v1/sensors/health", post(health))
            .route("/api/v1/stream", get(stream))
            .route("/api/v1/warnings", get(warnings))
            .route("/api/v1/warnings/acknowledge", post(acknowledge))
            .with_state(Arc::clone(&hub));
        tokio::spawn(async move { axum::serve(listener, app).await });
        hub
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let result = act(&mut self.inner.lock().unwrap());
        self.happened.send_modify(|count| *count += 1);
        result
    }

    /// Waits until `true`, without a clock: after each thing that happens it is asked again.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Inner) -> bool) {
        let mut happened = self.happened.subscribe();
        let waiting = async {
            while !holds(&self.inner.lock().unwrap()) {
                happened.changed().await.unwrap();
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    pub(crate) fn tell(&self, id: &str, name: &str, data: &Value) {
        let _ = self.events.send((id.into(), name.into(), data.to_string()));
    }

    /// Ends all streams.
    pub(crate) fn hang_up(&self) {
        self.tell("", "hang-up", &Value::Null);
    }

    /// Changes the watchlist and says so on the stream.
    pub(crate) fn change(&self, changes: impl IntoIterator<Item = Value>) {
        self.with(|hub| hub.changes.extend(changes));
        self.tell("w", "watchlist", &json!({}));
    }
}

type Hub = State<Arc<FakeHub>>;

fn problem(status: u16, code: &str) -> Response {
    let body = json!({"type": "about:blank", "status": status, "code": code, "detail": "as planned"});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn entry(hub: &FakeHub, headers: &HeaderMap) -> Result<(), Response> {
    let inner = hub.inner.lock().unwrap();
    if inner.down {
        return Err(problem(503, "busy"));
    }
    let right = headers.get("authorization").is_some_and(|given| *given == *format!("Bearer {TOKEN}"));
    if right && !inner.unauthorised { Ok(()) } else { Err(problem(401, "token.unknown")) }
}

async fn me(State(hub): Hub, headers: HeaderMap) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    Ok(Json(json!({"member": {"name": "Luxembourg"}, "role": "sensor", "realm": "real"})).into_response())
}

async fn watchlist(
    State(hub): Hub,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    let inner = hub.inner.lock().unwrap();
    let after = query.get("after").map(|after| after.parse::<usize>().unwrap());
    if after.is_some_and(|after| after < inner.oldest_cursor) {
        return Err(problem(410, "cursor.stale"));
    }
    let from = after.unwrap_or(inner.oldest_cursor);
    // Pages of two, so that every test walks pages.
    let to = (from + 2).min(inner.changes.len());
    let page = json!({"reset": after.is_none(), "next": to.to_string(), "more": to < inner.changes.len(),
        "changes": inner.changes[from..to]});
    Ok(Json(page).into_response())
}

async fn sightings(
    State(hub): Hub,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let plan = hub.with(|inner| {
        let plan = if inner.plan.is_empty() { Report::Take } else { inner.plan.remove(0) };
        if plan == Report::HangUp || plan == Report::Refuse {
            return plan;
        }
        let sightings = body["sightings"].as_array().unwrap();
        let total = sightings.iter().map(|sighting| sighting["count"].as_u64().unwrap()).sum();
        match inner.by_key.insert(key, total) {
            Some(before) => {
                assert_eq!(before, total, "another body under the same key");
                inner.repeats += 1;
            }
            None => {
                inner.reports += 1;
                for sighting in sightings {
                    let id = sighting["indicator"].as_str().unwrap().to_owned();
                    // Looking back says what passed once, not how many events there were.
                    if sighting["retrospective"] != true {
                        *inner.counted.entry(id).or_default() += sighting["count"].as_u64().unwrap();
                    }
                    inner.sightings.push(sighting.clone());
                }
            }
        }
        plan
    });
    match plan {
        Report::Take => {
            let count = body["sightings"].as_array().unwrap().len();
            Ok(Json(json!({"accepted": count, "repeated": false, "refused": []})).into_response())
        }
        Report::Refuse => Err(problem(422, "sightings.refused")),
        // The connection closes within the answer: the sensor cannot know what became of the report.
        Report::TakeAndHangUp | Report::HangUp => {
            let cut = futures_util::stream::iter([Err::<String, _>(std::io::Error::other("cut"))]);
            Ok(axum::body::Body::from_stream(cut).into_response())
        }
    }
}

async fn health(State(hub): Hub, headers: HeaderMap, Json(body): Json<Value>) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    hub.with(|inner| inner.health.push(body));
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn warnings(State(hub): Hub, headers: HeaderMap) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    let warnings = hub.inner.lock().unwrap().warnings.clone();
    Ok(Json(json!({ "warnings": warnings })).into_response())
}

async fn acknowledge(
    State(hub): Hub,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    assert_eq!(body["taken"], "by-machine");
    let ids = body["warnings"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    hub.with(|inner| inner.acknowledged.extend(ids));
    Ok(Json(json!({})).into_response())
}

async fn stream(State(hub): Hub, headers: HeaderMap) -> Result<Response, Response> {
    entry(&hub, &headers)?;
    let events = hub.events.subscribe();
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    hub.with(|inner| inner.stream_ids.push(last));
    let stream = futures_util::stream::unfold(events, |mut events| async move {
        let (id, name, data) = events.recv().await.ok()?;
        let event = Event::default().id(id).event(&name).data(data);
        (name != "hang-up").then_some((Ok::<_, Infallible>(event), events))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}
