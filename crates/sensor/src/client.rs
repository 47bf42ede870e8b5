//! Talks to the hub: one method for each thing a sensor asks, every answer bounded, the token in one header.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shieldwall_model::id::WarningId;
use shieldwall_model::limits;
use url::Url;
use uuid::Uuid;

use crate::config::{Config, ConfigError, is_this_machine};
use crate::disk;
use crate::wire::{
    AcknowledgeBody, Health, Me, Origin, Problem, Sighting, SightingsAnswer, SightingsBody, Warning,
    WarningsPage, WatchlistPage,
};

/// Most changes asked for on one page of the watchlist.
const WATCHLIST_PAGE_ITEMS: usize = 5_000;
/// Largest answer taken from the hub, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest part of an error answer that is looked at, in bytes.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// How long a connection may take, in seconds.
const CONNECT_SECONDS: u64 = 10;
/// How long a stream may be silent before it counts as dead, in seconds: three of the hub's keep-alives.
const STREAM_SILENCE_SECONDS: u64 = 45;
/// Longest wait the hub may ask for, in seconds.
const RETRY_AFTER_SECONDS_MAX: u64 = 300;

/// Why the hub did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No answer: not there, too slow, or the connection broke.
    #[error("the hub cannot be reached: {reason}")]
    Unreachable {
        /// What went wrong, with its causes.
        reason: String,
    },
    /// The hub does not know the token.
    #[error(
        "the hub does not accept this token: it is unknown, expired or revoked; make a new one with `shieldwall token create`"
    )]
    Token,
    /// The hub knows the token, but what was asked is not for sensors.
    #[error("this token may not do that ({detail}); a sensor needs a token with the role sensor")]
    Forbidden {
        /// What the hub said.
        detail: String,
    },
    /// The hub asks to come back later.
    #[error("the hub is busy (status {status})")]
    Busy {
        /// The HTTP status: 429 or a 5xx.
        status: u16,
        /// When to come back, if it said so.
        after: Option<Duration>,
    },
    /// The cursor is one the hub no longer knows.
    #[error("the hub no longer knows the place in the watchlist")]
    CursorStale,
    /// The hub will not take this, now or later.
    #[error("the hub refused (status {status}, {code}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The hub's stable code.
        code: String,
        /// What the hub said.
        detail: String,
    },
    /// The answer is not what the contract says.
    #[error("the hub's answer cannot be read: {reason}; hub and sensor may be of different versions")]
    Answer {
        /// What is wrong with it.
        reason: String,
    },
}

impl HubError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "sensor.hub.unreachable",
            Self::Token => "sensor.hub.token",
            Self::Forbidden { .. } => "sensor.hub.forbidden",
            Self::Busy { .. } => "sensor.hub.busy",
            Self::CursorStale => "sensor.hub.cursor_stale",
            Self::Refused { .. } => "sensor.hub.refused",
            Self::Answer { .. } => "sensor.hub.answer",
        }
    }

    /// Whether a person has to act before asking again can help.
    pub(crate) fn needs_a_person(&self) -> bool {
        matches!(self, Self::Token | Self::Forbidden { .. })
    }
}

/// The hub, as this sensor sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    base: Url,
    requests: Client,
    streams: Client,
}

impl Hub {
    /// Makes the client; asks nothing yet.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let request_timeout = Duration::from_secs(limits::REQUEST_TIMEOUT_SECONDS + 5);
        let requests = client(config, |builder| builder.timeout(request_timeout))?;
        let silence = Duration::from_secs(STREAM_SILENCE_SECONDS);
        let streams = client(config, |builder| builder.read_timeout(silence))?;
        Ok(Self { base: config.hub.clone(), requests, streams })
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.requests.request(method, self.url(path))
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    /// Who this token is.
    pub(crate) async fn me(&self) -> Result<Me, HubError> {
        answer(self.request(Method::GET, &["me"])).await
    }

    /// A page of the watchlist after `after`; from the start without it.
    pub(crate) async fn watchlist(&self, after: Option<&str>) -> Result<WatchlistPage, HubError> {
        let mut request = self.request(Method::GET, &["watchlist"]).query(&[("limit", WATCHLIST_PAGE_ITEMS)]);
        if let Some(after) = after {
            request = request.query(&[("after", after)]);
        }
        answer(request).await
    }

    /// Hands in a report under its key.
    pub(crate) async fn sightings(
        &self,
        key: Uuid,
        sightings: &[Sighting],
        origin: Option<&Origin>,
    ) -> Result<SightingsAnswer, HubError> {
        let body = json(&SightingsBody { sightings: sightings.to_vec(), origin: origin.cloned() })?;
        let request = self.request(Method::POST, &["sightings"]).header("Idempotency-Key", key.to_string());
        answer(with_json(request, body)).await
    }

    /// Sends a heartbeat.
    pub(crate) async fn health(&self, health: &Health) -> Result<(), HubError> {
        checked(with_json(self.request(Method::POST, &["sensors", "health"]), json(health)?))
            .await
            .map(|_| ())
    }

    /// The newest warnings.
    pub(crate) async fn warnings(&self) -> Result<Vec<Warning>, HubError> {
        let request = self.request(Method::GET, &["warnings"]).query(&[("limit", limits::PAGE_ITEMS_MAX)]);
        answer::<WarningsPage>(request).await.map(|page| page.warnings)
    }

    /// Says that a machine of this member has taken note of warnings, at most [`limits::PAGE_ITEMS_MAX`]. One that is
    /// withdrawn or no longer this member's to see is passed over by the hub.
    pub(crate) async fn acknowledge(&self, warnings: &[WarningId]) -> Result<(), HubError> {
        let body = json(&AcknowledgeBody { warnings, taken: "by-machine" })?;
        let request = self.request(Method::POST, &["warnings", "acknowledge"]);
        checked(with_json(request, body)).await.map(|_| ())
    }

    /// Opens the stream, after the event `after` if given.
    pub(crate) async fn stream(&self, after: Option<&str>) -> Result<Response, HubError> {
        let mut request = self.streams.get(self.url(&["stream"])).header("Accept", "text/event-stream");
        if let Some(after) = after.and_then(|after| HeaderValue::from_str(after).ok()) {
            request = request.header("Last-Event-ID", after);
        }
        let opening = checked(request);
        let wait = Duration::from_secs(limits::REQUEST_TIMEOUT_SECONDS);
        tokio::time::timeout(wait, opening).await.unwrap_or_else(|_| {
            Err(HubError::Unreachable { reason: "the stream did not open in time".into() })
        })
    }
}

fn client(
    config: &Config,
    shape: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<Client, ConfigError> {
    let unusable =
        |setting: &str, problem: String| ConfigError::Unusable { setting: setting.into(), problem };
    let mut token = HeaderValue::from_str(&format!("Bearer {}", config.token.secret()))
        .map_err(|_| unusable("token", "cannot be sent".into()))?;
    token.set_sensitive(true);
    let mut builder = Client::builder()
        .user_agent(concat!("shieldwall-sensor/", env!("CARGO_PKG_VERSION")))
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]))
        // A redirect could carry the token elsewhere.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS));
    if is_this_machine(&config.hub) {
        builder = builder.no_proxy();
    }
    let mut extra = Vec::new();
    if let Some(path) = &config.ca_file {
        let wrong = |reason: String| ConfigError::File { what: "ca_file", path: path.clone(), reason };
        let pem = disk::read(path, 1024 * 1024)
            .map_err(|error| wrong(error.to_string()))?
            .ok_or_else(|| wrong("there is no such file".into()))?;
        extra = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(causes(&error)))?;
        if extra.is_empty() {
            return Err(wrong("it holds no PEM certificate".into()));
        }
    }
    builder = match config.hub.scheme() {
        // No TLS: a machine without any certificates installed is fine too.
        "http" => builder.tls_certs_only([]),
        _ => builder.tls_certs_merge(extra),
    };
    shape(builder)
        .build()
        .map_err(|error| unusable("hub", format!("cannot be talked to: {}", causes(&error))))
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, HubError> {
    serde_json::to_vec(body).map_err(|error| HubError::Answer { reason: error.to_string() })
}

fn with_json(request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
    request.header("Content-Type", "application/json").body(body)
}

/// An error with everything below it: reqwest's own text leaves out what the operating system said.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text = format!("{text}: {cause}");
        below = cause.source();
    }
    text
}

/// Reads at most `bytes_max` of an answer.
async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, HubError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable_hub(&error))? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(HubError::Answer { reason: format!("it is longer than {bytes_max} bytes") });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

pub(crate) fn unreachable_hub(error: &reqwest::Error) -> HubError {
    HubError::Unreachable { reason: causes(error) }
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, HubError> {
    let bytes = body(checked(request).await?, ANSWER_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| HubError::Answer { reason: error.to_string() })
}

/// Sends, and turns every answer that is not a success into its error.
async fn checked(request: RequestBuilder) -> Result<Response, HubError> {
    let response = request.send().await.map_err(|error| unreachable_hub(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok())
        .map(|seconds| Duration::from_secs(seconds.min(RETRY_AFTER_SECONDS_MAX)));
    let problem: Problem = match body(response, PROBLEM_BYTES_MAX).await {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => Problem::default(),
    };
    Err(match status {
        StatusCode::UNAUTHORIZED => HubError::Token,
        StatusCode::FORBIDDEN => HubError::Forbidden { detail: problem.detail },
        StatusCode::GONE => HubError::CursorStale,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            HubError::Busy { status: status.as_u16(), after }
        }
        status if status.is_server_error() => HubError::Busy { status: status.as_u16(), after },
        status => HubError::Refused { status: status.as_u16(), code: problem.code, detail: problem.detail },
    })
}
