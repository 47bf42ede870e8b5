//! Sources: what a member takes in on its own, on a schedule or from its own files, as it has set them up, and how far
//! each has got.

pub mod reading;
pub mod run;

use serde::{Deserialize, Serialize};
use shieldwall_exchange::list::Mapping;
use shieldwall_ledger::settings::Owner;
use shieldwall_model::access::{Principal, Reader, Role};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

use crate::app::App;
use crate::problem::Problem;
use crate::rota::{Due, Errand};

/// The settings' collection of sources.
const SOURCE: &str = "source";
/// The settings' collection of how far each has got.
const STATE: &str = "source-state";
/// What secrets of sources are sealed for.
pub const SECRET: &str = "source";

/// How a source is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Prose with values in it: a report, a page.
    Text,
    /// One value a line.
    Plain,
    /// Rows of fields.
    Csv,
    /// STIX 2.1: a bundle, or the objects of a TAXII collection.
    Stix,
}

/// A source, as set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Its id, `source--<uuid>`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// Where it is, sealed, since a query may hold a key; none for one that is handed in.
    pub url: Option<String>,
    /// Where it is, without its query.
    pub shown: Option<String>,
    /// The user for Basic; without one the secret is a Bearer token.
    pub user: Option<String>,
    /// Token or password, sealed.
    pub secret: Option<String>,
    /// Which columns hold what, for CSV.
    pub mapping: Option<Mapping>,
    /// The group it is shared in.
    pub group: GroupId,
    /// What its values mean.
    pub role: IndicatorRole,
    /// How its indicators are marked.
    pub marking: Option<Tlp>,
    /// How far it is trusted, 0 to 100: the confidence of its indicators (STIX 2.1 appendix A).
    pub trust: u8,
    /// How long its indicators hold after they were last listed, in days.
    pub expiry_days: Option<i64>,
    /// How often it is fetched, in seconds; none for when asked.
    pub interval_seconds: Option<i64>,
    /// Whether a value that is no longer listed is taken back.
    pub authoritative: bool,
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counts {
    /// Values or objects found.
    pub found: u64,
    /// Shared for the first time.
    pub new: u64,
    /// Shared already, and left as they are.
    pub known: u64,
    /// Shared already, and good for longer now.
    pub renewed: u64,
    /// Listed the last time and no longer.
    pub gone: u64,
    /// Of these, taken back.
    pub recalled: u64,
    /// Held back until a curator has looked at them.
    #[serde(default)]
    pub held: u64,
    /// Not taken.
    pub refused: u64,
}

/// How far a source has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What the server called the last content: `ETag` (RFC 9110 section 8.8.3).
    pub etag: Option<String>,
    /// When it said that was changed last: `Last-Modified`.
    pub last_modified: Option<String>,
    /// Runs so far.
    pub runs: u64,
    /// Runs that found nothing had changed.
    pub unchanged: u64,
    /// When the last run that reached its end did.
    pub done: Option<Timestamp>,
    /// What the last run with something in it came to.
    pub counts: Counts,
    /// Of how many this run has worked off how many.
    pub worked: Option<(u64, u64)>,
    /// Why the last run failed, if it did: code and words.
    pub error: Option<(String, String)>,
    /// Failures on end.
    pub failures: u32,
    /// When the next run is due.
    pub next: Option<Timestamp>,
    /// Whether so many values may be taken back at once as look like a mistake.
    pub confirmed: bool,
}

/// Which source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey {
    /// Whose.
    pub member: MemberId,
    /// Its id.
    pub id: String,
}

impl SourceKey {
    const fn owner(&self) -> Owner {
        Owner::Member(self.member)
    }

    /// The hub doing what the member has set up, with no more leave than an analyst of it.
    pub fn reader(&self, app: &App) -> Reader {
        Reader::new(app.realm().clone(), Principal::Hub, self.member, Role::Analyst, &app.directory())
    }
}

/// A member's sources, by name.
///
/// # Errors
/// As `App::settings`.
pub async fn of(app: &App, member: MemberId) -> Result<Vec<Source>, Problem> {
    let settings = app.settings(move |settings| settings.list(SOURCE, Owner::Member(member))).await?;
    let mut sources: Vec<Source> =
        settings.iter().filter_map(|setting| serde_json::from_slice(&setting.body).ok()).collect();
    sources.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(sources)
}

/// Keeps a source.
///
/// # Errors
/// As `App::settings`.
pub async fn keep(app: &App, key: &SourceKey, source: &Source) -> Result<(), Problem> {
    let body = serde_json::to_vec(source).map_err(|error| Problem::fault(&error))?;
    let (owner, id, now) = (key.owner(), key.id.clone(), app.now());
    app.settings(move |settings| settings.put(SOURCE, owner, &id, &body, now)).await?;
    app.rota().changed();
    Ok(())
}

/// Forgets a source and how far it got.
///
/// # Errors
/// As `App::settings`.
pub async fn forget(app: &App, key: &SourceKey) -> Result<(), Problem> {
    let (owner, id) = (key.owner(), key.id.clone());
    app.settings(move |settings| {
        settings.delete(STATE, owner, &id)?;
        settings.delete(SOURCE, owner, &id)
    })
    .await?;
    run::forget_listed(app, key).await;
    app.rota().changed();
    Ok(())
}

/// How far a source has got.
///
/// # Errors
/// As `App::settings`.
pub async fn state(app: &App, key: &SourceKey) -> Result<State, Problem> {
    let (owner, id) = (key.owner(), key.id.clone());
    let found = app.settings(move |settings| settings.get(STATE, owner, &id)).await?;
    Ok(found.and_then(|setting| serde_json::from_slice(&setting.body).ok()).unwrap_or_default())
}

/// Keeps how far a source has got.
///
/// # Errors
/// As `App::settings`.
pub async fn keep_state(app: &App, key: &SourceKey, state: &State) -> Result<(), Problem> {
    let body = serde_json::to_vec(state).map_err(|error| Problem::fault(&error))?;
    let (owner, id, now) = (key.owner(), key.id.clone(), app.now());
    app.settings(move |settings| {
        // A source that was removed meanwhile leaves nothing behind.
        if settings.get(SOURCE, owner, &id)?.is_none() {
            return Ok(());
        }
        settings.put(STATE, owner, &id, &body, now)
    })
    .await
}

/// When which source is due.
///
/// # Errors
/// As `App::settings`.
pub async fn due(app: &App) -> Result<Vec<Due>, Problem> {
    let (sources, states) =
        app.settings(|settings| Ok((settings.of_all(SOURCE)?, settings.of_all(STATE)?))).await?;
    let mut due = Vec::with_capacity(sources.len());
    for setting in sources {
        let (Owner::Member(member), Ok(source)) =
            (setting.owner, serde_json::from_slice::<Source>(&setting.body))
        else {
            continue;
        };
        let state = states.iter().find(|state| state.owner == setting.owner && state.key == setting.key);
        let state =
            state.and_then(|state| serde_json::from_slice::<State>(&state.body).ok()).unwrap_or_default();
        let scheduled = source.url.is_some() && source.interval_seconds.is_some();
        due.push(Due {
            errand: Errand::Source(SourceKey { member, id: setting.key }),
            at: scheduled.then(|| state.next.unwrap_or_default()),
        });
    }
    Ok(due)
}
