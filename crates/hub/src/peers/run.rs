//! One run of an exchange: what the peer has is pulled page by page, what is new here is pushed page by page, and after
//! each page it is written down how far that got. A run that breaks off goes on there, without loss; what comes twice all
//! the same is held already and recorded once.

use serde::de::DeserializeOwned;
use shieldwall_exchange::peer::{Hello, HubId, Item, Page, Passage, Taken};
use shieldwall_exchange::stix::{self, Container};
use shieldwall_exchange::taxii::EnvelopeWriter;
use shieldwall_exchange::taxii::MEDIA_TYPE;
use shieldwall_fetch::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use shieldwall_fetch::{Answer, Credentials, FetchError, Fetcher, Request, Url};
use shieldwall_model::access::{Action, Denied};
use shieldwall_model::time::Timestamp;

use super::passing::{Outward, OutwardPage, What, inward, outward};
use super::{Kind, Link, LinkKey, Peer, SECRET, State};
use crate::app::App;
use crate::problem::Problem;
use crate::rota::after_failures;

/// Largest page taken from a peer, in bytes: as large as a page of large objects comes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Objects asked for at once of a TAXII server.
const TAXII_PAGE_OBJECTS: usize = 500;
/// Longest words of an error kept, in bytes.
const ERROR_BYTES_MAX: usize = 300;
/// Most pages of one run; the next run goes on.
const PAGES_MAX: usize = 10_000;

/// Why a run did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The peer could not be asked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The peer said no.
    #[error("the peer answers {status}{said}")]
    Status {
        /// Its status.
        status: u16,
        /// What it said, if anything that could be read.
        said: String,
    },
    /// The peer's answer cannot be read.
    #[error("the peer's answer is not what a peer of this kind gives: {0}")]
    Answer(String),
    /// The peer serves another realm.
    #[error("the peer serves the realm {0:?}, and realms never mix")]
    Realm(String),
    /// The peer is this hub.
    #[error("this address leads to this hub itself")]
    Itself,
    /// The secret cannot be opened.
    #[error("the peer's secret cannot be opened, as after a backup was restored elsewhere; set it anew")]
    Secret,
    /// The hub could not do its part.
    #[error("{}", .0.detail)]
    Hub(#[from] Problem),
}

impl RunError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::Status { .. } => "peer.status",
            Self::Answer(_) => "peer.answer",
            Self::Realm(_) => "peer.realm",
            Self::Itself => "peer.itself",
            Self::Secret => "peer.secret",
            Self::Hub(problem) => problem.code,
        }
    }
}

impl From<Denied> for RunError {
    fn from(denied: Denied) -> Self {
        Self::Hub(denied.into())
    }
}

/// Runs one exchange and writes down how it went.
pub async fn run(app: &App, key: &LinkKey) {
    if let Err(problem) = attempt(app, *key).await {
        tracing::warn!(code = problem.code, "the state of a peer could not be kept: {}", problem.detail);
    }
}

async fn attempt(app: &App, key: LinkKey) -> Result<(), Problem> {
    let peers = super::all(app).await?;
    let Some(peer) = peers.into_iter().find(|peer| peer.id == key.peer) else { return Ok(()) };
    let Some(link) = peer.links.iter().find(|link| link.group == key.group).cloned() else { return Ok(()) };
    let state = super::state(app, key).await?;
    let mut exchange = Exchange { app, key, state, link, peer };
    let outcome = exchange.all().await;
    let state = &mut exchange.state;
    state.runs += 1;
    match outcome {
        Ok(()) => {
            state.failures = 0;
            state.error = None;
            state.done = Some(app.now());
            state.next = Some(app.now().plus_seconds(exchange.peer.interval_seconds));
        }
        Err(error) => {
            state.failures = state.failures.saturating_add(1);
            let words = error.to_string().chars().take(ERROR_BYTES_MAX).collect();
            tracing::info!(code = error.code(), peer = exchange.peer.name, "exchange broke off: {words}");
            state.error = Some((error.code().to_owned(), words));
            state.next = Some(after_failures(app, state.failures));
        }
    }
    super::keep_state(app, key, &exchange.state).await
}

struct Exchange<'a> {
    app: &'a App,
    key: LinkKey,
    peer: Peer,
    link: Link,
    state: State,
}

impl Exchange<'_> {
    async fn all(&mut self) -> Result<(), RunError> {
        let to = match self.peer.kind {
            Kind::Hub => Some(self.greet().await?),
            Kind::Taxii => None,
        };
        if self.link.direction.pulls() {
            match self.peer.kind {
                Kind::Hub => self.pull_hub().await?,
                Kind::Taxii => self.pull_taxii().await?,
            }
        }
        if self.link.direction.pushes() {
            self.push(to).await?;
        }
        Ok(())
    }

    async fn save(&self) -> Result<(), RunError> {
        Ok(super::keep_state(self.app, self.key, &self.state).await?)
    }

    /// Asks a hub who it is.
    async fn greet(&self) -> Result<HubId, RunError> {
        let answer = self.ask("api/v1/exchange", &[], "application/json", None).await?;
        let hello: Hello = read(&answer)?;
        self.is_another(hello.hub, &hello.realm)?;
        Ok(hello.hub)
    }

    fn is_another(&self, hub: HubId, realm: &str) -> Result<(), RunError> {
        if hub == self.app.hub_id() {
            return Err(RunError::Itself);
        }
        if realm != self.app.realm().to_string() {
            return Err(RunError::Realm(realm.chars().take(80).collect()));
        }
        Ok(())
    }

    async fn take(&mut self, items: &[Item<'_>]) -> Result<(), RunError> {
        let (reader, terms) = (self.peer.reader(self.app), self.peer.terms(&self.link));
        self.state.taken += inward(self.app, &reader, self.link.group, &terms, items).await?;
        Ok(())
    }

    async fn pull_hub(&mut self) -> Result<(), RunError> {
        for _ in 0..PAGES_MAX {
            let path = format!("api/v1/exchange/{}", self.link.remote);
            let cursor = self.state.cursor.clone();
            let here = self.app.hub_id().to_string();
            let mut query = vec![("for", here.as_str())];
            query.extend(cursor.iter().map(|cursor| ("after", cursor.as_str())));
            let answer = match self.ask(&path, &query, "application/json", None).await {
                // A hub that was set up anew no longer knows its cursors: what is held already is told by its version.
                Err(RunError::Status { status: 410, .. }) if cursor.is_some() => {
                    self.state.cursor = None;
                    continue;
                }
                other => other?,
            };
            let page: Page<'_> =
                serde_json::from_slice(&answer.body).map_err(|error| RunError::Answer(error.to_string()))?;
            self.is_another(page.hub, &page.realm)?;
            self.take(&page.items).await?;
            self.state.cursor = page.next;
            self.save().await?;
            if !page.more {
                break;
            }
        }
        Ok(())
    }

    async fn pull_taxii(&mut self) -> Result<(), RunError> {
        let path = format!("collections/{}/objects/", self.link.remote);
        let limit = TAXII_PAGE_OBJECTS.to_string();
        let mut last = self.state.added_after;
        for _ in 0..PAGES_MAX {
            // A moment earlier than the last one seen: a server may have added more at that very time.
            let after = self.state.added_after.map(|time| time.plus_micros(-1).to_string());
            let next = self.state.cursor.clone();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(after.iter().map(|time| ("added_after", time.as_str())));
            query.extend(next.iter().map(|next| ("next", next.as_str())));
            let answer = match self.ask(&path, &query, MEDIA_TYPE, None).await {
                Err(RunError::Status { status: 400..=499, .. }) if next.is_some() => {
                    self.state.cursor = None;
                    continue;
                }
                other => other?,
            };
            let checked =
                stix::read_envelope(&answer.body).map_err(|error| RunError::Answer(error.to_string()))?;
            let passage = Passage { path: Vec::new(), marking: None };
            let mut items = Vec::with_capacity(checked.accepted.len());
            for object in &checked.accepted {
                let object = serde_json::from_slice(object.slice(&answer.body))
                    .map_err(|error| RunError::Answer(error.to_string()))?;
                items.push(Item { passage: passage.clone(), object: Some(object), recalled: None });
            }
            self.take(&items).await?;
            self.state.taken.refused += checked.refused.len() as u64;
            let added = answer.header("x-taxii-date-added-last").and_then(|text| Timestamp::parse(text).ok());
            last = last.max(added);
            let (more, next) = match checked.container {
                Container::Envelope { more, next } => (more, next),
                _ => (false, None),
            };
            if more && next.is_none() {
                // OpenTAXII has been seen to say so; only the time of the last object leads on.
                if last <= self.state.added_after {
                    return Err(RunError::Answer("it says there is more, and not where".into()));
                }
                self.state.added_after = last;
            }
            self.state.cursor = next.filter(|_| more);
            if !more {
                self.state.added_after = last;
            }
            self.save().await?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    async fn push(&mut self, to: Option<HubId>) -> Result<(), RunError> {
        for _ in 0..PAGES_MAX {
            let page = self.outward(to).await?;
            if !page.items.is_empty() {
                let taken = match self.peer.kind {
                    Kind::Hub => self.push_hub(&page).await?,
                    Kind::Taxii => self.push_taxii(&page).await?,
                };
                self.state.sent += taken.received + taken.recalled;
                self.state.sent_repeated += taken.repeated;
                self.state.kept_back += taken.stopped;
                self.state.kept_looped += taken.looped;
            }
            self.state.kept_back += page.kept_back;
            self.state.kept_looped += page.looped;
            self.state.pushed = page.reached;
            self.save().await?;
            if !page.more {
                break;
            }
        }
        Ok(())
    }

    async fn outward(&self, to: Option<HubId>) -> Result<OutwardPage, RunError> {
        let app = self.app;
        let reader = self.peer.reader(app);
        let scope = reader.scope(Action::ReadIntelligence)?.only(self.link.group)?;
        let ceiling = app.directory().group(self.link.group).map(|group| group.ceiling);
        let asked = Outward {
            group: self.link.group,
            ceiling: ceiling.ok_or_else(Problem::absent)?,
            member: self.peer.member,
            terms: self.peer.terms(&self.link),
            here: app.hub_id(),
            to,
            recalls: self.peer.kind == Kind::Hub,
            now: app.now(),
        };
        let after = self.state.pushed;
        Ok(app.read(move |reading| outward(reading, &scope, &asked, after)).await?)
    }

    async fn push_hub(&self, page: &OutwardPage) -> Result<Taken, RunError> {
        let items = page.items.iter().filter_map(|leaving| leaving.item()).collect();
        let realm = self.app.realm().to_string();
        let page = Page { hub: self.app.hub_id(), realm, items, next: None, more: false };
        let body = serde_json::to_vec(&page).map_err(|error| RunError::Answer(error.to_string()))?;
        let path = format!("api/v1/exchange/{}", self.link.remote);
        read(&self.ask(&path, &[], "application/json", Some(body)).await?)
    }

    async fn push_taxii(&self, page: &OutwardPage) -> Result<Taken, RunError> {
        let mut envelope = EnvelopeWriter::new(Vec::new());
        let mut sent = 0;
        for leaving in &page.items {
            if let What::Object(bytes) = &leaving.what {
                envelope.push(bytes).map_err(|error| RunError::Answer(error.to_string()))?;
                sent += 1;
            }
        }
        let body = envelope.finish(None).map_err(|error| RunError::Answer(error.to_string()))?;
        let path = format!("collections/{}/objects/", self.link.remote);
        let answer = self.ask(&path, &[], MEDIA_TYPE, Some(body)).await?;
        #[derive(serde::Deserialize)]
        struct Status {
            #[serde(default)]
            failure_count: u64,
        }
        let failed = read::<Status>(&answer)?.failure_count.min(sent);
        Ok(Taken { received: sent - failed, stopped: failed, ..Taken::default() })
    }

    async fn ask(
        &self,
        path: &str,
        query: &[(&str, &str)],
        media: &'static str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, RunError> {
        let mut url: Url = Fetcher::read_url(&self.peer.url)?
            .join(path)
            .map_err(|_| FetchError::Url("the group's or collection's id does not fit into a path"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let secret = match &self.peer.secret {
            Some(sealed) => Some(self.app.seal().reveal(SECRET, sealed).ok_or(RunError::Secret)?),
            None => None,
        };
        let credentials = match (secret, self.peer.user.clone()) {
            (Some(password), Some(user)) => Credentials::Basic { user, password },
            (Some(token), None) => Credentials::Bearer(token),
            (None, _) => Credentials::None,
        };
        let mut headers: Vec<(HeaderName, HeaderValue)> = vec![(ACCEPT, HeaderValue::from_static(media))];
        if body.is_some() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static(media)));
        }
        let request = Request {
            headers,
            credentials,
            body: body.map(Into::into),
            ..Request::get(url, ANSWER_BYTES_MAX)
        };
        let answer = self.app.fetcher().fetch(request).await?;
        if !answer.status.is_success() {
            return Err(RunError::Status { status: answer.status.as_u16(), said: said(&answer) });
        }
        Ok(answer)
    }
}

/// What a problem or a TAXII error says of itself: its code and title, since words may repeat what was sent.
fn said(answer: &Answer) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        #[serde(default, alias = "error_code")]
        code: String,
        #[serde(default)]
        title: String,
    }
    let Ok(said) = serde_json::from_slice::<Said>(&answer.body) else { return String::new() };
    let words: String = format!(" {} [{}]", said.title, said.code);
    words.chars().filter(|c| !c.is_control()).take(ERROR_BYTES_MAX / 2).collect()
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, RunError> {
    serde_json::from_slice(&answer.body).map_err(|error| RunError::Answer(error.to_string()))
}
