//! A member's sources: set up, listed with how far each has got, previewed, run, removed. Addresses' queries and secrets go
//! in and never come out.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_exchange::list::Mapping;
use shieldwall_fetch::Fetcher;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;

use crate::api::alliance::named;
use crate::ask::{Ask, done, json};
use crate::problem::Problem;
use crate::rota::Errand;
use crate::sources::run::{fetch, preview, take};
use crate::sources::{self, Counts, Format, SECRET, Source, SourceKey, State};

/// Shortest and longest interval, in seconds.
const INTERVAL_SECONDS: std::ops::RangeInclusive<i64> = 1..=30 * 24 * 60 * 60;

/// A source to set up.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    /// Its name.
    pub name: String,
    /// How it is written: `text`, `plain`, `csv`, `stix`.
    pub format: Format,
    /// Where it is; none for one whose content is handed in.
    #[serde(default)]
    pub url: Option<String>,
    /// The user for Basic; without one the secret is sent as a Bearer token.
    #[serde(default)]
    pub user: Option<String>,
    /// The token or password. It is sealed, and told nobody.
    #[serde(default)]
    pub secret: Option<String>,
    /// For CSV: the column of values, by heading or number from 1; found by what stands in it if not told.
    #[serde(default)]
    pub value_column: Option<String>,
    /// The column of kinds.
    #[serde(default)]
    pub kind_column: Option<String>,
    /// The column of labels.
    #[serde(default)]
    pub label_column: Option<String>,
    /// The group it is shared in; the alliance's if not told.
    #[serde(default)]
    pub group: Option<String>,
    /// What its values mean: `malicious` if not told.
    #[serde(default)]
    pub role: Option<String>,
    /// How its indicators are marked.
    #[serde(default)]
    pub marking: Option<String>,
    /// How far it is trusted, 0 to 100: its indicators' confidence; 50 if not told.
    #[serde(default)]
    pub trust: Option<u8>,
    /// How many days an indicator holds after it was last listed.
    #[serde(default)]
    pub expiry_days: Option<i64>,
    /// How often it is fetched, in seconds; when asked if not told.
    #[serde(default)]
    pub interval_seconds: Option<i64>,
    /// Whether what is no longer listed is taken back.
    #[serde(default)]
    pub authoritative: bool,
}

/// The sources.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sources {
    /// By name.
    pub sources: Vec<SourceBody>,
}

/// A source, without its secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SourceBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// Where it is, without its query.
    pub url: Option<String>,
    /// The group it is shared in.
    pub group: String,
    /// That group's name.
    pub group_name: String,
    /// What its values mean.
    pub role: String,
    /// How its indicators are marked.
    pub marking: Option<String>,
    /// How far it is trusted.
    pub trust: u8,
    /// How many days an indicator holds.
    pub expiry_days: Option<i64>,
    /// How often it is fetched, in seconds.
    pub interval_seconds: Option<i64>,
    /// Whether what is no longer listed is taken back.
    pub authoritative: bool,
    /// Whether it is being worked on, or about to be.
    pub busy: bool,
    /// How many the run there is has worked off.
    pub worked: Option<u64>,
    /// Of how many.
    pub total: Option<u64>,
    /// Runs so far.
    pub runs: u64,
    /// Of these, runs that found nothing had changed.
    pub unchanged: u64,
    /// When the last run that reached its end did.
    pub done: Option<String>,
    /// When the next run is due.
    pub next: Option<String>,
    /// What the last run with something in it came to.
    pub counts: Counts,
    /// Why the last run failed, if it did.
    pub error: Option<String>,
    /// The stable code of that.
    pub error_code: Option<String>,
}

/// The member's sources.
///
/// # Errors
/// As `App::settings`.
pub async fn visible(ask: &Ask) -> Result<Vec<SourceBody>, Problem> {
    let (app, member) = (&ask.app, ask.reader().member());
    let mut bodies = Vec::new();
    for source in sources::of(app, member).await? {
        let key = SourceKey { member, id: source.id.clone() };
        let state = sources::state(app, &key).await?;
        bodies.push(body_of(ask, source, state, app.rota().is_busy(&Errand::Source(key))));
    }
    Ok(bodies)
}

fn body_of(ask: &Ask, source: Source, state: State, busy: bool) -> SourceBody {
    let directory = ask.app.directory();
    SourceBody {
        group_name: directory.group(source.group).map_or_else(String::new, |group| group.name.clone()),
        id: source.id,
        name: source.name,
        format: source.format,
        url: source.shown,
        group: source.group.to_string(),
        role: source.role.to_string(),
        marking: source.marking.map(|tlp| tlp.as_str().to_owned()),
        trust: source.trust,
        expiry_days: source.expiry_days,
        interval_seconds: source.interval_seconds,
        authoritative: source.authoritative,
        busy,
        worked: state.worked.map(|(done, _)| done),
        total: state.worked.map(|(_, total)| total),
        runs: state.runs,
        unchanged: state.unchanged,
        done: state.done.map(|at| at.to_string()),
        next: state.next.map(|at| at.to_string()),
        counts: state.counts,
        error: state.error.as_ref().map(|(_, words)| words.clone()),
        error_code: state.error.map(|(code, _)| code),
    }
}

/// `GET /api/v1/sources`.
///
/// # Errors
/// As `App::settings`.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Sources { sources: visible(&ask).await? })
}

/// `GET /api/v1/sources/{id}`.
///
/// # Errors
/// 404 for a source there is not.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let id = ask.path("id")?.to_owned();
    let found = visible(&ask).await?.into_iter().find(|source| source.id == id);
    json(&found.ok_or_else(Problem::absent)?)
}

/// `POST /api/v1/sources`.
///
/// # Errors
/// 404 for a group the member is not party to, 422 for a source that cannot be so.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let new: NewSource = ask.json().await?;
    let id = add_source(&ask, new).await?;
    let found = visible(&ask).await?.into_iter().find(|source| source.id == id);
    json(&found.ok_or_else(Problem::absent)?)
}

/// Sets a source up.
///
/// # Errors
/// As [`add`].
pub async fn add_source(ask: &Ask, new: NewSource) -> Result<String, Problem> {
    let refused = |code, words: &str| Err(Problem::refused(code, words.to_owned()));
    let (app, member) = (&ask.app, ask.reader().member());
    let group = match new.group.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        None | Some("alliance") => GroupId::ALLIANCE,
        Some(text) => text.parse().map_err(|_| Problem::absent())?,
    };
    ask.permit_in(group)?;
    let name = named(&new.name)?;
    if sources::of(app, member).await?.iter().any(|source| source.name == name) {
        return refused("source.name.taken", "there is a source of that name; choose another");
    }
    let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let long = |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.len() > most);
    let (value, kind, label) = (text(new.value_column), text(new.kind_column), text(new.label_column));
    if [&value, &kind, &label].into_iter().any(|column| long(column, limits::NAME_BYTES_MAX)) {
        return refused("source.column", "a column's heading has at most 200 bytes");
    }
    if value.is_none() && (kind.is_some() || label.is_some()) {
        return refused("source.column", "name the column of values too");
    }
    let role = text(new.role).map(|role| role.parse::<IndicatorRole>()).transpose();
    let marking = text(new.marking).map(|marking| marking.parse::<Tlp>()).transpose();
    let trust = new.trust.unwrap_or(50);
    if trust > 100 {
        return refused("source.trust", "trust is 0 to 100");
    }
    if new.expiry_days.is_some_and(|days| !(1..=3_660).contains(&days)) {
        return refused("source.expiry", "an indicator holds 1 to 3660 days");
    }
    if new.interval_seconds.is_some_and(|seconds| !INTERVAL_SECONDS.contains(&seconds)) {
        return refused("source.interval", "an interval is a second to thirty days");
    }
    let (user, secret) = (text(new.user), text(new.secret));
    if long(&user, limits::NAME_BYTES_MAX) || long(&secret, 4096) {
        return refused("source.secret", "a user's name has at most 200 bytes, a secret 4096");
    }
    let mut shown = None;
    let mut url = None;
    if let Some(address) = text(new.url) {
        let mut read =
            Fetcher::read_url(&address).map_err(|error| Problem::refused("source.url", error.to_string()))?;
        url = Some(app.seal().hide(SECRET, read.as_str()));
        read.set_query(None);
        read.set_fragment(None);
        shown = Some(read.to_string());
    }
    let mut random = [0; 16];
    app.entropy().fill(&mut random).map_err(|error| Problem::fault(&error))?;
    let id = format!("source--{}", uuid::Builder::from_random_bytes(random).into_uuid());
    let source = Source {
        id: id.clone(),
        name,
        format: new.format,
        url,
        shown,
        user,
        secret: secret.map(|secret| app.seal().hide(SECRET, &secret)),
        mapping: value.map(|value| Mapping { value, kind, label }),
        group,
        role: role.map_err(|error| Problem::refused("source.role", error.to_string()))?.unwrap_or_default(),
        marking: marking.map_err(|error| Problem::refused("source.marking", error.to_string()))?,
        trust,
        expiry_days: new.expiry_days,
        interval_seconds: new.interval_seconds,
        authoritative: new.authoritative,
    };
    sources::keep(app, &SourceKey { member, id: id.clone() }, &source).await?;
    Ok(id)
}

/// The source named in the path, if it is the reader's member's.
pub(crate) async fn named_source(ask: &Ask) -> Result<(SourceKey, Source), Problem> {
    let (member, id) = (ask.reader().member(), ask.path("id")?.to_owned());
    let found = sources::of(&ask.app, member).await?.into_iter().find(|source| source.id == id);
    let source = found.ok_or_else(Problem::absent)?;
    ask.permit_in(source.group)?;
    Ok((SourceKey { member, id }, source))
}

/// `POST /api/v1/sources/{id}/preview`: with the content in the body, or fetched.
///
/// # Errors
/// 404 for a source there is not, 400 for content that cannot be read, 422 for what cannot be fetched.
pub async fn look(mut ask: Ask) -> Result<Response, Problem> {
    let (key, source) = named_source(&ask).await?;
    let body = ask.bytes().await?;
    let documents =
        if body.is_empty() { fetch(&ask.app, &source, None).await?.unwrap_or_default() } else { vec![body] };
    json(&preview(&ask.app, &key, &source, &documents).await?)
}

/// `POST /api/v1/sources/{id}/run`: takes in the content in the body, or has it fetched at once.
///
/// # Errors
/// As [`look`].
pub async fn run(mut ask: Ask) -> Result<Response, Problem> {
    let (key, source) = named_source(&ask).await?;
    let body = ask.bytes().await?;
    if ask.query("confirm") == Some("yes") {
        let mut state = sources::state(&ask.app, &key).await?;
        state.confirmed = true;
        sources::keep_state(&ask.app, &key, &state).await?;
    }
    if !body.is_empty() {
        return json(&take(&ask.app, &key, &source, body).await?);
    }
    run_fetched(&ask, key, &source)?;
    json(&Counts::default())
}

/// Has a source fetched at once.
///
/// # Errors
/// 422 for one without an address.
pub fn run_fetched(ask: &Ask, key: SourceKey, source: &Source) -> Result<(), Problem> {
    if source.url.is_none() {
        return Err(Problem::refused("source.no_url", "this source has no address: hand its content in"));
    }
    ask.app.rota().ask(Errand::Source(key));
    Ok(())
}

/// `DELETE /api/v1/sources/{id}`: what came from it stays.
///
/// # Errors
/// 404 for a source there is not.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    let (key, _) = named_source(&ask).await?;
    sources::forget(&ask.app, &key).await?;
    Ok(done())
}
