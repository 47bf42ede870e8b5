//! One run of a source: fetched if it has changed, read, shared by the one door, and compared with what it listed before.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use shieldwall_exchange::stix::{self, Container};
use shieldwall_exchange::taxii::pieces;
use shieldwall_fetch::header::{
    ACCEPT, ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use shieldwall_fetch::{Credentials, FetchError, Fetcher, Request, StatusCode, Url};
use shieldwall_ledger::files::Files;
use shieldwall_model::access::{Action, Denied};
use shieldwall_model::limits;

use super::reading::{Against, Said, indicators, objects, values};
use super::{Counts, Format, SECRET, Source, SourceKey, State};
use crate::api::{Refused, Report};
use crate::app::App;
use crate::intake::{Desk, Known};
use crate::problem::Problem;
use crate::rota::after_failures;

/// Largest document fetched, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long fetching one document may take, in seconds: within a request's time, since a preview fetches too.
const DOCUMENT_SECONDS_MAX: u64 = 20;
/// Most pages of a TAXII collection in one run.
const PAGES_MAX: usize = 100;
/// Longest words of an error kept, in characters.
const ERROR_CHARS_MAX: usize = 300;
/// With so many values gone at once, and more than half of all, somebody has to say that it is no mistake.
const GONE_MIN: usize = 10;
/// Most refusals told back.
const REFUSALS_MAX: usize = 100;

/// Why a run did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The server said no.
    #[error("the server answers {0}")]
    Status(u16),
    /// The address or secret cannot be opened.
    #[error(
        "what was sealed of this source cannot be opened, as after a backup was restored elsewhere; set it up anew"
    )]
    Sealed,
    /// What was listed before cannot be kept.
    #[error("what the source lists could not be kept: {0}")]
    Listed(#[from] io::Error),
    /// Too much is gone at once.
    #[error(
        "{gone} of {before} values are gone at once, and nothing was taken back: see the source; if it is right, run it with confirmation"
    )]
    Gone {
        /// How many are gone.
        gone: usize,
        /// How many were listed before.
        before: usize,
    },
    /// The hub could not do its part.
    #[error("{}", .0.detail)]
    Hub(#[from] Problem),
}

impl RunError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::Status(_) => "source.status",
            Self::Sealed => "source.sealed",
            Self::Listed(_) => "source.listed",
            Self::Gone { .. } => "source.gone",
            Self::Hub(problem) => problem.code,
        }
    }
}

impl From<Denied> for RunError {
    fn from(denied: Denied) -> Self {
        Self::Hub(denied.into())
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Hub(problem) => problem,
            RunError::Listed(error) => Self::fault(&error),
            error => Self::refused(error.code(), error.to_string()),
        }
    }
}

/// Runs a source that is fetched, and writes down how it went.
pub async fn run(app: &App, key: &SourceKey) {
    if let Err(problem) = attempt(app, key).await {
        tracing::warn!(code = problem.code, "the state of a source could not be kept: {}", problem.detail);
    }
}

async fn attempt(app: &App, key: &SourceKey) -> Result<(), Problem> {
    let sources = super::of(app, key.member).await?;
    let Some(source) = sources.into_iter().find(|source| source.id == key.id) else { return Ok(()) };
    let mut state = super::state(app, key).await?;
    let outcome = fetched(app, key, &source, &mut state).await;
    finish(app, key, &source, state, outcome.map(|_| ())).await
}

/// Takes in what was handed in for a source.
///
/// # Errors
/// 400 for what cannot be read, 422 for what looks like a mistake.
pub async fn take(app: &App, key: &SourceKey, source: &Source, document: Bytes) -> Result<Counts, Problem> {
    let mut state = super::state(app, key).await?;
    let outcome = worked(app, key, source, &mut state, &[document]).await;
    let counts = state.counts;
    let told = outcome.as_ref().err().map(|error| (error.code(), error.to_string()));
    finish(app, key, source, state, outcome).await?;
    match told {
        Some((code, words)) => Err(Problem::refused(code, words)),
        None => Ok(counts),
    }
}

async fn finish(
    app: &App,
    key: &SourceKey,
    source: &Source,
    mut state: State,
    outcome: Result<(), RunError>,
) -> Result<(), Problem> {
    state.runs += 1;
    state.worked = None;
    state.confirmed = false;
    match outcome {
        Ok(()) => {
            state.failures = 0;
            state.error = None;
            state.done = Some(app.now());
            state.next = source.interval_seconds.map(|seconds| app.now().plus_seconds(seconds));
        }
        Err(error) => {
            state.failures = state.failures.saturating_add(1);
            // A document half taken is asked for whole again.
            (state.etag, state.last_modified) = (None, None);
            let words = error.to_string().chars().take(ERROR_CHARS_MAX).collect();
            tracing::info!(code = error.code(), source = source.name, "a source broke off: {words}");
            state.error = Some((error.code().to_owned(), words));
            state.next = Some(after_failures(app, state.failures));
        }
    }
    super::keep_state(app, key, &state).await
}

/// Fetches and takes in. False when nothing has changed.
async fn fetched(app: &App, key: &SourceKey, source: &Source, state: &mut State) -> Result<bool, RunError> {
    let confirmed = state.confirmed;
    let Some(documents) = fetch(app, source, (!confirmed).then_some(&mut *state)).await? else {
        state.unchanged += 1;
        return Ok(false);
    };
    worked(app, key, source, state, &documents).await?;
    Ok(true)
}

/// The documents of a source; `None` when the server says that nothing has changed since `state`.
///
/// # Errors
/// [`RunError`].
pub async fn fetch(
    app: &App,
    source: &Source,
    mut state: Option<&mut State>,
) -> Result<Option<Vec<Bytes>>, RunError> {
    let open = |sealed: &Option<String>| match sealed {
        Some(sealed) => app.seal().reveal(SECRET, sealed).map(Some).ok_or(RunError::Sealed),
        None => Ok(None),
    };
    let Some(address) = open(&source.url)? else {
        return Err(
            Problem::refused("source.no_url", "this source has no address: hand its content in").into()
        );
    };
    let url: Url = Fetcher::read_url(&address)?;
    let credentials = match (open(&source.secret)?, source.user.clone()) {
        (Some(password), Some(user)) => Credentials::Basic { user, password },
        (Some(token), None) => Credentials::Bearer(token),
        (None, _) => Credentials::None,
    };
    let mut documents = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut url = url.clone();
        if let Some(next) = &next {
            url.query_pairs_mut().append_pair("next", next);
        }
        let mut request = Request::get(url, DOCUMENT_BYTES_MAX);
        request.seconds_max = DOCUMENT_SECONDS_MAX;
        request.credentials = credentials.clone();
        request.headers = headers(source, state.as_deref().filter(|_| next.is_none()));
        let answer = app.fetcher().fetch(request).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(RunError::Status(answer.status.as_u16()));
        }
        if let (Some(state), None) = (state.as_deref_mut(), &next) {
            state.etag = answer.header(ETAG.as_str()).map(str::to_owned);
            state.last_modified = answer.header(LAST_MODIFIED.as_str()).map(str::to_owned);
        }
        next = if source.format == Format::Stix { more(&answer.body) } else { None };
        documents.push(answer.body);
        if next.is_none() {
            break;
        }
    }
    Ok(Some(documents))
}

/// Where a TAXII envelope says it goes on.
fn more(document: &[u8]) -> Option<String> {
    match stix::read_bundle(document).ok()?.container {
        Container::Envelope { more: true, next } => next,
        _ => None,
    }
}

fn headers(source: &Source, state: Option<&State>) -> Vec<(HeaderName, HeaderValue)> {
    let accept = match source.format {
        Format::Stix => "application/taxii+json;version=2.1, application/stix+json, application/json;q=0.9",
        _ => "text/plain, text/csv, */*;q=0.5",
    };
    let mut headers = vec![(ACCEPT, HeaderValue::from_static(accept))];
    let known = [
        (IF_NONE_MATCH, state.and_then(|state| state.etag.as_deref())),
        (IF_MODIFIED_SINCE, state.and_then(|state| state.last_modified.as_deref())),
    ];
    for (name, value) in known {
        headers.extend(value.and_then(|value| HeaderValue::from_str(value).ok()).map(|value| (name, value)));
    }
    headers
}

/// Shares what is new, and takes back what is gone where the source's word counts for that.
async fn worked(
    app: &App,
    key: &SourceKey,
    source: &Source,
    state: &mut State,
    documents: &[Bytes],
) -> Result<(), RunError> {
    let said = say(app, key, source, documents).await?;
    let before = listed(app, key).await?;
    let mut counts = counted(&said, &before);
    let desk = desk(app, key, source, Action::ShareIntelligence)?;
    let total = said.objects.len() as u64;
    let mut done = 0;
    for piece in envelopes(&said.objects) {
        let report = desk.take(&piece, Known::ByVersion).await?;
        done += report.objects as u64;
        tally(&mut counts, &report);
        state.worked = Some((done, total));
        state.counts = counts;
        super::keep_state(app, key, state).await?;
    }
    counts.new = counts.new.saturating_sub(said.renewed);
    let now: BTreeSet<&str> = said.listed.iter().map(String::as_str).collect();
    let gone: Vec<String> = before.iter().filter(|id| !now.contains(id.as_str())).cloned().collect();
    let mut kept = said.listed.clone();
    let mass = gone.len() >= GONE_MIN && gone.len() * 2 > before.len();
    let held_back = source.authoritative && mass && !state.confirmed;
    if held_back {
        // Until somebody has looked they count as listed, so that the question stays.
        kept.extend(gone.iter().cloned());
    } else if source.authoritative {
        let desk = self::desk(app, key, source, Action::RecallIntelligence)?;
        for id in &gone {
            let reason = format!("no longer listed by {}", source.name);
            match desk.recall(id, &reason).await {
                Ok(()) => counts.recalled += 1,
                // Taken back by hand already, or never ours: nothing is left to do.
                Err(problem) if problem.status.is_client_error() => {}
                Err(problem) => return Err(problem.into()),
            }
        }
    }
    state.counts = counts;
    keep_listed(app, key, kept).await?;
    if held_back {
        return Err(RunError::Gone { gone: gone.len(), before: before.len() });
    }
    Ok(())
}

fn counted(said: &Said, before: &BTreeSet<String>) -> Counts {
    let now: BTreeSet<&str> = said.listed.iter().map(String::as_str).collect();
    Counts {
        found: (said.listed.len() + said.refused.len()) as u64,
        known: said.known,
        renewed: said.renewed,
        refused: said.refused.len() as u64,
        gone: before.iter().filter(|id| !now.contains(id.as_str())).count() as u64,
        ..Counts::default()
    }
}

fn tally(counts: &mut Counts, report: &Report) {
    counts.new += report.accepted as u64;
    counts.known += report.repeated as u64;
    counts.held += report.held.len() as u64;
    counts.refused += report.refused.len() as u64;
}

fn envelopes(objects: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let objects = objects.iter().map(Vec::as_slice);
    pieces(objects, limits::BODY_BYTES_MAX, limits::ENVELOPE_OBJECTS_MAX)
}

fn desk(app: &App, key: &SourceKey, source: &Source, action: Action) -> Result<Desk, RunError> {
    let reader = key.reader(app);
    let scope = reader.scope(Action::ReadIntelligence)?;
    Ok(Desk::new(app, &scope, reader.permit_in(action, source.group)?)?)
}

/// What a source says, against what is shared.
async fn say(app: &App, key: &SourceKey, source: &Source, documents: &[Bytes]) -> Result<Said, RunError> {
    if source.format == Format::Stix {
        return Ok(objects(documents)?);
    }
    let document: Vec<u8> = documents.concat();
    let Some(list) = values(source, &document)? else { return Ok(Said::default()) };
    let scope = key.reader(app).scope(Action::ReadIntelligence)?.only(source.group)?;
    let at = Against { member: key.member, scope, group: source.group, now: app.now() };
    let source = source.clone();
    Ok(app.read(move |reading| indicators(reading, &source, list, &at)).await?)
}

/// What a run would come to.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Preview {
    /// In figures; `new` would be shared, `gone` would be taken back if the source's word counts for that.
    pub counts: Counts,
    /// The first of what would be shared.
    pub shared: Vec<Previewed>,
    /// The first of what would be refused.
    pub refused: Vec<Refused>,
}

/// An object that would be shared.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Previewed {
    /// Its id.
    pub id: String,
    /// Its name, or a short label.
    pub name: String,
    /// Its marking.
    pub marking: Option<String>,
}

/// Says what a run with these documents would come to; records nothing.
///
/// # Errors
/// As [`take`].
pub async fn preview(
    app: &App,
    key: &SourceKey,
    source: &Source,
    documents: &[Bytes],
) -> Result<Preview, RunError> {
    let mut said = say(app, key, source, documents).await?;
    let mut counts = counted(&said, &listed(app, key).await?);
    let desk = desk(app, key, source, Action::ShareIntelligence)?;
    let mut refused = std::mem::take(&mut said.refused);
    let mut shared = Vec::new();
    for piece in envelopes(&said.objects) {
        let report = desk.judge(&piece, Known::ByVersion).await?.report;
        tally(&mut counts, &report);
        let no: BTreeSet<usize> = report.refused.iter().map(|refused| refused.index).collect();
        refused.extend(report.refused);
        let accepted = stix::read_bundle(&piece).map(|checked| checked.accepted).unwrap_or_default();
        let room = REFUSALS_MAX.saturating_sub(shared.len());
        shared.extend(accepted.into_iter().filter(|object| !no.contains(&object.index)).take(room).map(
            |object| Previewed {
                id: object.id.to_string(),
                name: object.title,
                marking: object.tlp.map(|tlp| tlp.as_str().to_owned()),
            },
        ));
    }
    counts.new = counts.new.saturating_sub(said.renewed);
    refused.truncate(REFUSALS_MAX);
    Ok(Preview { counts, shared, refused })
}

/// Where the ids a source listed last are kept. Beside the record and in no backup: they can be made again, and a source
/// without them has nothing that is gone.
fn listed_path(app: &App, key: &SourceKey) -> PathBuf {
    let files = Files::new(&app.config().data, app.realm().clone());
    files.realm_dir().join("sources").join(&key.id)
}

async fn listed(app: &App, key: &SourceKey) -> Result<BTreeSet<String>, RunError> {
    match tokio::fs::read_to_string(listed_path(app, key)).await {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error.into()),
    }
}

async fn keep_listed(app: &App, key: &SourceKey, ids: Vec<String>) -> Result<(), RunError> {
    let path = listed_path(app, key);
    tokio::task::spawn_blocking(move || {
        use std::io::Write;
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let beside = path.with_extension("new");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(ids.join("\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)
    })
    .await
    .map_err(io::Error::other)??;
    Ok(())
}

/// Forgets what a source listed.
pub(super) async fn forget_listed(app: &App, key: &SourceKey) {
    // Not there is as good as gone.
    let _ = tokio::fs::remove_file(listed_path(app, key)).await;
}
