//! Telemetry out of a NATS JetStream stream, shared by all sensors that name the same consumer.
//!
//! ```text
//! stream ──► consumer ──► fetch ──► blocks ──► matching thread ──► spool
//!                ▲                                                   │
//!                └─────────────── acknowledgements ◄─────────────────┘
//! ```
//!
//! The consumer hands each message to one sensor and, should that sensor not acknowledge it in time, to another. A
//! message is acknowledged only once what was seen in it is on disk, so a sensor that dies loses nothing; what it had
//! reported already and another reports again, the hub knows by the messages' numbers ([`Origin`]) and counts once.
//! That holds for one hub and as long as the stream is the same: made anew, it is another.
//!
//! [`Origin`]: crate::wire::Origin

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{self, consumer};
use async_nats::{Client, ConnectOptions, Subject};
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use crate::config::{ConfigError, unusable};

/// Blocks that wait for the matching thread; with more, nothing is fetched.
const BLOCKS_WAITING_MAX: usize = 4;
/// Most lists of messages that wait for their acknowledgement to leave.
const REPLIES_WAITING_MAX: usize = 1_024;
/// Most messages and bytes fetched by one request.
const FETCH_MESSAGES_MAX: usize = 2_000;
const FETCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long one request waits for messages, in milliseconds.
const FETCH_MILLISECONDS: u64 = 1_000;
/// How many bytes of messages make a block.
const BLOCK_BYTES: usize = 256 * 1024;
/// How long the consumer waits for an acknowledgement, in seconds: longer than anything is gathered before it is told.
const ACKNOWLEDGE_SECONDS: u64 = 30;
/// Most messages of one consumer that wait for theirs.
const UNACKNOWLEDGED_MAX: i64 = 200_000;
/// Time between two attempts to read, in milliseconds.
const RETRY_MILLISECONDS: u64 = 1_000;
/// How long a stopping sensor waits for its last acknowledgements to leave, in seconds.
const CLOSE_SECONDS: u64 = 5;
/// The consumer of sensors that name none.
const CONSUMER: &str = "shieldwall";
/// What an acknowledgement says (NATS: JetStream wire API, "+ACK").
const ACKNOWLEDGED: &[u8] = b"+ACK";

/// A stream to read and how to get at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsInput {
    /// The server, as `nats://host:port` or `tls://host:port`.
    pub server: Url,
    /// The stream's name.
    pub stream: String,
    /// The durable consumer that sensors share; made if it is not there.
    pub consumer: String,
    /// A file of NATS credentials.
    pub credentials: Option<PathBuf>,
    /// A PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Display for NatsInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}?consumer={}", self.server.as_str().trim_end_matches('/'), self.stream, self.consumer)
    }
}

/// Whether a path names a stream.
pub(crate) fn is_stream(path: &str) -> bool {
    path.starts_with("nats://") || path.starts_with("tls://")
}

/// Whether a host can only be this machine.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl NatsInput {
    /// Reads `nats://HOST:PORT/STREAM?consumer=NAME`, set as `setting`.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] with what to write.
    pub fn of(
        setting: &str,
        text: &str,
        credentials: Option<PathBuf>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let hint = "write nats://HOST:4222/STREAM?consumer=NAME";
        let mut url = Url::parse(text)
            .map_err(|error| unusable(setting, format!("is no address ({error}): {hint}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(unusable(setting, "must not carry a user or password: name a file as `credentials`"));
        }
        let stream = url.path().trim_start_matches('/').to_owned();
        let mut consumer = CONSUMER.to_owned();
        for (key, value) in url.query_pairs() {
            if key != "consumer" {
                return Err(unusable(setting, format!("has {key:?}: {hint}")));
            }
            consumer = value.into_owned();
        }
        // Names of streams and consumers become parts of subjects (NATS: naming).
        let named = |name: &str| {
            (1..=128).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if url.host_str().is_none_or(str::is_empty) || !named(&stream) || !named(&consumer) {
            return Err(unusable(
                setting,
                format!("names no stream and consumer of a-z, A-Z, 0-9, - and _: {hint}"),
            ));
        }
        url.set_query(None);
        url.set_fragment(None);
        url.set_path("");
        Ok(Self { server: url, stream, consumer, credentials, ca_file })
    }

    async fn connect(&self) -> Result<Client, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("cannot connect: {error}");
        // To another machine telemetry goes encrypted, whatever the server would do by itself.
        let tls =
            self.server.scheme() == "tls" || !is_this_machine(self.server.host_str().unwrap_or_default());
        let mut options = ConnectOptions::new()
            .name("shieldwall-sensor")
            .require_tls(tls)
            .subscription_capacity(2 * FETCH_MESSAGES_MAX);
        if let Some(file) = &self.credentials {
            options = options.credentials_file(file).await.map_err(|error| wrong(&error))?;
        }
        if let Some(file) = &self.ca_file {
            options = options.add_root_certificates(file.clone());
        }
        options.connect(self.server.as_str()).await.map_err(|error| wrong(&error))
    }

    /// How the consumer is made where it is not there.
    fn wanted(&self) -> consumer::pull::Config {
        consumer::pull::Config {
            durable_name: Some(self.consumer.clone()),
            ack_policy: consumer::AckPolicy::Explicit,
            ack_wait: Duration::from_secs(ACKNOWLEDGE_SECONDS),
            max_ack_pending: UNACKNOWLEDGED_MAX,
            ..consumer::pull::Config::default()
        }
    }

    /// The consumer, made if it is not there, and what tells its stream from any other.
    async fn open(&self, client: &Client) -> Result<(jetstream::consumer::PullConsumer, Arc<str>), String> {
        let context = jetstream::new(client.clone());
        let stream = context
            .get_stream(&self.stream)
            .await
            .map_err(|error| format!("no stream {:?}: {error}", self.stream))?;
        let made = stream.cached_info().created.unix_timestamp_nanos();
        let consumer: jetstream::consumer::PullConsumer = stream
            .get_or_create_consumer(&self.consumer, self.wanted())
            .await
            .map_err(|error| format!("no consumer {:?}: {error}", self.consumer))?;
        if consumer.cached_info().config.ack_policy != consumer::AckPolicy::Explicit {
            return Err(format!(
                "the consumer {:?} does not wait for acknowledgements: give it the policy `explicit`, or name another",
                self.consumer
            ));
        }
        Ok((consumer, format!("{}@{made}", self.stream).into()))
    }
}

/// Messages as they came, their lines behind each other.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// What tells their stream from any other.
    pub(crate) stream: Arc<str>,
    /// Whole lines.
    pub(crate) lines: Vec<u8>,
    /// Where each message ends in them, and its number in the stream.
    pub(crate) ends: Vec<(usize, u64)>,
    /// Where each is acknowledged.
    pub(crate) replies: Vec<Subject>,
    /// Messages passed over because they were too long.
    pub(crate) skipped: u64,
}

impl Block {
    fn add(&mut self, message: &jetstream::Message) {
        // What has no number came from no stream: nobody waits for it.
        let Ok(info) = message.info() else { return };
        if message.payload.len() > FETCH_BYTES_MAX {
            self.skipped += 1;
        } else {
            self.lines.extend_from_slice(&message.payload);
            if self.lines.last().is_some_and(|byte| *byte != b'\n') {
                self.lines.push(b'\n');
            }
        }
        self.ends.push((self.lines.len(), info.stream_sequence));
        self.replies.extend(message.reply.clone());
    }
}

/// What the two ends have in common.
#[derive(Debug, Default)]
struct State {
    problem: Option<String>,
    /// Nothing came for as long as one request waits.
    at_end: bool,
}

/// The matching thread's end of a stream.
pub(crate) struct Tap {
    blocks: mpsc::Receiver<Block>,
    replies: Option<mpsc::Sender<Vec<Subject>>>,
    state: Arc<Mutex<State>>,
    runtime: Handle,
    reading: JoinHandle<()>,
    acknowledging: Option<JoinHandle<()>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    /// Begins to fetch.
    pub(crate) fn open(input: NatsInput, runtime: &Handle) -> Self {
        let (to, blocks) = mpsc::channel(BLOCKS_WAITING_MAX);
        let (replies, to_acknowledge) = mpsc::channel(REPLIES_WAITING_MAX);
        let (connected, client) = tokio::sync::watch::channel(None);
        let state = Arc::new(Mutex::new(State::default()));
        let acknowledging = runtime.spawn(acknowledge(to_acknowledge, client));
        let reading = runtime.spawn(read(input, to, connected, Arc::clone(&state)));
        Self {
            blocks,
            replies: Some(replies),
            state,
            runtime: runtime.clone(),
            reading,
            acknowledging: Some(acknowledging),
        }
    }

    /// The next block, if one is there.
    pub(crate) fn next(&mut self) -> Option<Block> {
        self.blocks.try_recv().ok()
    }

    /// What is wrong, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        lock(&self.state).problem.clone()
    }

    /// Whether everything there was came.
    pub(crate) fn is_at_end(&self) -> bool {
        lock(&self.state).at_end && self.blocks.is_empty()
    }

    /// Acknowledges messages: what was seen in them is on disk.
    pub(crate) fn acknowledge(&self, replies: Vec<Subject>) {
        if let Some(to) = self.replies.as_ref().filter(|_| !replies.is_empty()) {
            // Without room the server has not answered for long: it hands the messages out again, and the hub takes off what
            // already counts.
            let _ = to.try_send(replies);
        }
    }
}

impl Drop for Tap {
    /// Lets the last acknowledgements leave. Those that do not cost nothing but work done twice.
    fn drop(&mut self) {
        self.reading.abort();
        self.replies = None;
        if let Some(task) = self.acknowledging.take()
            && Handle::try_current().is_err()
        {
            let wait = Duration::from_secs(CLOSE_SECONDS);
            let _ = self.runtime.block_on(async { tokio::time::timeout(wait, task).await });
        }
    }
}

/// Fetches until the other end is gone; whatever goes wrong is told and tried again.
async fn read(
    input: NatsInput,
    to: mpsc::Sender<Block>,
    connected: tokio::sync::watch::Sender<Option<Client>>,
    state: Arc<Mutex<State>>,
) {
    let mut client: Option<Client> = None;
    loop {
        let result = async {
            let used = match &client {
                Some(client) => client.clone(),
                None => client.insert(input.connect().await?).clone(),
            };
            connected.send_replace(Some(used.clone()));
            let (consumer, stream) = input.open(&used).await?;
            tracing::info!(input = %input, "reading a stream");
            lock(&state).problem = None;
            fetch(&consumer, &stream, &to, &state).await
        };
        match result.await {
            Ok(()) => return,
            Err(problem) => {
                if lock(&state).problem.replace(problem.clone()).as_ref() != Some(&problem) {
                    tracing::warn!(input = %input, problem, "a stream cannot be read; trying again");
                }
                tokio::time::sleep(Duration::from_millis(RETRY_MILLISECONDS)).await;
            }
        }
    }
}

/// `Ok` once nobody takes blocks any more.
async fn fetch(
    consumer: &consumer::PullConsumer,
    stream: &Arc<str>,
    to: &mpsc::Sender<Block>,
    state: &Mutex<State>,
) -> Result<(), String> {
    let broken = |error: &dyn std::fmt::Display| format!("cannot be fetched from: {error}");
    loop {
        let mut messages = consumer
            .batch()
            .max_messages(FETCH_MESSAGES_MAX)
            .max_bytes(FETCH_BYTES_MAX)
            .expires(Duration::from_millis(FETCH_MILLISECONDS))
            .messages()
            .await
            .map_err(|error| broken(&error))?;
        let mut any = false;
        let mut next = messages.next().await;
        while let Some(message) = next {
            let mut block = Block { stream: Arc::clone(stream), ..Block::default() };
            block.add(&message.map_err(|error| broken(&error))?);
            // What is there already goes along.
            let mut after = None;
            while block.lines.len() < BLOCK_BYTES && after.is_none() {
                match messages.next().now_or_never() {
                    Some(Some(Ok(message))) => block.add(&message),
                    Some(other) => after = Some(other),
                    None => break,
                }
            }
            any = true;
            lock(state).at_end = false;
            if to.send(block).await.is_err() {
                return Ok(());
            }
            next = match after {
                Some(after) => after,
                None => messages.next().await,
            };
        }
        lock(state).at_end = !any;
        if to.is_closed() {
            return Ok(());
        }
    }
}

/// Sends acknowledgements until the other end is gone.
async fn acknowledge(
    mut replies: mpsc::Receiver<Vec<Subject>>,
    mut client: tokio::sync::watch::Receiver<Option<Client>>,
) {
    let Ok(client) = client.wait_for(Option::is_some).await.map(|client| client.clone()) else { return };
    let Some(client) = client else { return };
    while let Some(some) = replies.recv().await {
        for reply in some {
            if let Err(error) = client.publish(reply, ACKNOWLEDGED.into()).await {
                tracing::warn!(%error, "acknowledgements did not leave; the messages come again");
            }
        }
    }
    let _ = client.flush().await;
}

/// Why a stream could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the stream {stream:?} cannot be written: {reason}")]
pub struct PublishError {
    /// The stream.
    pub stream: String,
    /// What went wrong.
    pub reason: String,
}

impl PublishError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "sensor.nats.publish"
    }
}

/// Messages published and not confirmed at a time.
const PUBLISHING_MAX: usize = 512;

/// Makes `input`'s stream and consumer if they are not there, in the server's memory or on its disk, and puts `messages`
/// into it, in order, each confirmed. For tests, measuring and trying out; what feeds a real stream is the network's own affair.
///
/// # Errors
/// [`PublishError`]; some messages may be in the stream then.
pub async fn publish(
    input: &NatsInput,
    on_disk: bool,
    acknowledge_within: Duration,
    messages: impl Iterator<Item = Vec<u8>>,
) -> Result<u64, PublishError> {
    let wrong = |reason: String| PublishError { stream: input.stream.clone(), reason };
    let client = input.connect().await.map_err(wrong)?;
    let context = jetstream::new(client);
    let storage =
        if on_disk { jetstream::stream::StorageType::File } else { jetstream::stream::StorageType::Memory };
    let subject = format!("telemetry.{}", input.stream);
    // What the consumer is set up with here stands for all that use it later.
    let config = jetstream::stream::Config {
        name: input.stream.clone(),
        subjects: vec![subject.clone()],
        storage,
        ..jetstream::stream::Config::default()
    };
    let stream = context.get_or_create_stream(config).await.map_err(|error| wrong(error.to_string()))?;
    let wanted = consumer::pull::Config { ack_wait: acknowledge_within, ..input.wanted() };
    stream.get_or_create_consumer(&input.consumer, wanted).await.map_err(|error| wrong(error.to_string()))?;
    let (mut under_way, mut published) = (std::collections::VecDeque::new(), 0);
    for message in messages {
        let sent = context.publish(subject.clone(), message.into()).await;
        under_way.push_back(sent.map_err(|error| wrong(error.to_string()))?);
        published += 1;
        if under_way.len() >= PUBLISHING_MAX
            && let Some(oldest) = under_way.pop_front()
        {
            oldest.await.map_err(|error| wrong(error.to_string()))?;
        }
    }
    for sent in under_way {
        sent.await.map_err(|error| wrong(error.to_string()))?;
    }
    Ok(published)
}

/// How far a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Messages not handed out yet.
    pub waiting: u64,
    /// Messages handed out and not acknowledged.
    pub unacknowledged: usize,
    /// Messages handed out more than once and not acknowledged.
    pub redelivered: usize,
}

/// Asks how far `input`'s consumer is; [`None`] while there is none.
///
/// # Errors
/// [`PublishError`] when the server cannot be asked.
pub async fn backlog(input: &NatsInput) -> Result<Option<Backlog>, PublishError> {
    let wrong = |reason: String| PublishError { stream: input.stream.clone(), reason };
    let context = jetstream::new(input.connect().await.map_err(wrong)?);
    let stream = context.get_stream(&input.stream).await.map_err(|error| wrong(error.to_string()))?;
    let Ok(info) = stream.consumer_info(&input.consumer).await else { return Ok(None) };
    Ok(Some(Backlog {
        waiting: info.num_pending,
        unacknowledged: info.num_ack_pending,
        redelivered: info.num_redelivered,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_one_address() {
        let read = |text: &str| NatsInput::of("input[0].path", text, None, None);
        let input = read("nats://127.0.0.1:4222/EVE?consumer=ten-sensors").unwrap();
        assert_eq!((input.stream.as_str(), input.consumer.as_str()), ("EVE", "ten-sensors"));
        assert_eq!(input.server.as_str().trim_end_matches('/'), "nats://127.0.0.1:4222");
        assert_eq!(input.to_string(), "nats://127.0.0.1:4222/EVE?consumer=ten-sensors");
        assert_eq!(read("tls://nats.example/EVE").unwrap().consumer, CONSUMER);
        for wrong in [
            "nats://127.0.0.1:4222",
            "nats://127.0.0.1:4222/",
            "nats://127.0.0.1:4222/a.b",
            "nats://127.0.0.1:4222/EVE?consumer=",
            "nats://127.0.0.1:4222/EVE?durable=x",
            "nats://u:p@127.0.0.1:4222/EVE",
            "nats:///EVE",
        ] {
            assert_eq!(read(wrong).unwrap_err().code(), "sensor.config.unusable", "{wrong}");
        }
    }
}
