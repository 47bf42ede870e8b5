//! The searches a person keeps, and how they are told of new objects that fit.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_exchange::search::Search;
use shieldwall_fetch::Fetcher;
use shieldwall_ledger::settings::Owner;
use shieldwall_model::access::{Action, Principal};
use shieldwall_model::id::UserId;
use shieldwall_model::limits;
use uuid::Uuid;

use crate::ask::{Ask, done, json};
use crate::problem::Problem;
use crate::searches::kept::{Delivery, Kept, PROGRESS, Progress, SEARCH, WEBHOOK, Webhook};
use crate::searches::{compile, problem};
use crate::secrets;

/// What stands before the secret of a webhook.
const SECRET_PREFIX: &str = "sws_";

/// The searches you keep.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Searches {
    /// The searches, by name.
    pub searches: Vec<SearchBody>,
}

/// A kept search.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SearchBody {
    /// Its id.
    pub id: String,
    /// What you call it.
    pub name: String,
    /// The search.
    pub query: String,
    /// Since when you keep it.
    pub created: String,
    /// Whether the live stream tells of it, as events named `search`.
    pub stream: bool,
    /// Where it is posted to.
    pub webhook: Option<String>,
    /// To whom it is mailed.
    pub email: Option<String>,
    /// The last deliveries, newest first.
    pub log: Vec<Delivery>,
}

/// A search to keep.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct NewSearch {
    /// What you call it.
    pub name: String,
    /// The search.
    pub query: String,
    /// Whether the live stream is to tell of it.
    #[serde(default)]
    pub stream: bool,
    /// Where it is to be posted to, an https address.
    #[serde(default)]
    pub webhook: Option<String>,
    /// To whom it is to be mailed.
    #[serde(default)]
    pub email: Option<String>,
}

/// A search just kept.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SearchMade {
    /// The search.
    #[serde(flatten)]
    pub search: SearchBody,
    /// What posts are signed with, shown this once.
    pub secret: Option<String>,
}

fn keeper(ask: &Ask) -> Result<UserId, Problem> {
    match ask.reader().principal() {
        Principal::User(user) => Ok(user),
        _ => Err(Problem::absent()),
    }
}

fn body(kept: &Kept, progress: Option<Progress>) -> SearchBody {
    SearchBody {
        id: kept.id.clone(),
        name: kept.name.clone(),
        query: kept.query.clone(),
        created: kept.created.to_string(),
        stream: kept.stream,
        webhook: kept.webhook.as_ref().map(|webhook| webhook.url.clone()),
        email: kept.email.clone(),
        log: progress.unwrap_or_default().log,
    }
}

/// `GET /api/v1/searches`.
///
/// # Errors
/// As `App::settings`.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Searches { searches: all(&ask).await? })
}

/// The reader's searches, by name.
///
/// # Errors
/// As [`list`].
pub async fn all(ask: &Ask) -> Result<Vec<SearchBody>, Problem> {
    let (owner, user) = (Owner::of(&ask.permit()?), keeper(ask)?);
    let (kept, progress) = ask
        .app
        .settings(move |settings| Ok((settings.list(SEARCH, owner)?, settings.list(PROGRESS, owner)?)))
        .await?;
    let mut searches: Vec<SearchBody> = kept
        .iter()
        .filter_map(|setting| Some((&setting.key, Kept::from_setting(setting)?.1)))
        .filter(|(_, kept)| kept.user == user)
        .map(|(key, kept)| {
            let progress = progress.iter().find(|one| one.key == *key);
            body(&kept, progress.and_then(|one| serde_json::from_slice(&one.body).ok()))
        })
        .collect();
    searches.sort_by_key(|search| search.name.to_lowercase());
    Ok(searches)
}

/// `POST /api/v1/searches`.
///
/// # Errors
/// 400 for a search that cannot be read, 422 for a name, address or number of searches that cannot be.
pub async fn make(mut ask: Ask) -> Result<Response, Problem> {
    let new: NewSearch = ask.json().await?;
    json(&keep(&ask, &new).await?)
}

/// Keeps a search for the reader.
///
/// # Errors
/// As [`make`].
pub async fn keep(ask: &Ask, new: &NewSearch) -> Result<SearchMade, Problem> {
    let (app, user, owner) = (&ask.app, keeper(ask)?, Owner::of(&ask.permit()?));
    let name = new.name.trim();
    if name.is_empty() || name.len() > limits::NAME_BYTES_MAX || name.contains(char::is_control) {
        let detail = format!("name the search in 1 to {} bytes", limits::NAME_BYTES_MAX);
        return Err(Problem::refused("search.name", detail));
    }
    let search = Search::read(&new.query).map_err(|error| problem(&error))?;
    if search.terms.is_empty() {
        return Err(Problem::refused(
            "search.empty",
            "say what to look for: an empty search fits everything",
        ));
    }
    compile(&search, ask.reader(), &app.directory(), app.now())?;
    let text = |field: &Option<String>| {
        field.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let email = text(&new.email);
    if let Some(address) = &email {
        if app.config().mail.is_none() {
            return Err(Problem::refused(
                "search.email.off",
                "this hub sends no mail: ask its operator to set up a server",
            ));
        }
        if address.len() > limits::NAME_BYTES_MAX || address.parse::<lettre::Address>().is_err() {
            return Err(Problem::refused("search.email.address", "this is no mail address"));
        }
    }
    let mut shown = None;
    let webhook = match text(&new.webhook) {
        None => None,
        Some(url) => {
            Fetcher::read_url(&url)
                .map_err(|error| Problem::refused("search.webhook.address", error.to_string()))?;
            let secret =
                secrets::make(SECRET_PREFIX, app.entropy()).map_err(|error| Problem::fault(&error))?;
            let sealed = app.seal().hide(WEBHOOK, &secret.text);
            shown = Some(secret.text);
            Some(Webhook { url, secret: sealed })
        }
    };
    if all(ask).await?.len() >= limits::SEARCHES_PER_PERSON_MAX {
        let detail = format!(
            "one person keeps at most {} searches: remove one first",
            limits::SEARCHES_PER_PERSON_MAX
        );
        return Err(Problem::refused("search.too_many", detail));
    }
    let scope = ask.reader().scope(Action::ReadIntelligence)?;
    let from = app.read(move |reading| Ok(reading.positions(&scope).into_inner())).await?;
    let mut random = [0; 16];
    app.entropy().fill(&mut random).map_err(|error| Problem::fault(&error))?;
    let now = app.now();
    let kept = Kept {
        id: uuid::Builder::from_random_bytes(random).into_uuid().to_string(),
        user,
        name: name.to_owned(),
        query: search.to_string(),
        created: now,
        from: from.into_iter().collect(),
        stream: new.stream,
        webhook,
        email,
    };
    let (key, bytes) =
        (Kept::key(user, &kept.id), serde_json::to_vec(&kept).map_err(|error| Problem::fault(&error))?);
    app.settings(move |settings| settings.put(SEARCH, owner, &key, &bytes, now)).await?;
    Ok(SearchMade { search: body(&kept, None), secret: shown })
}

/// `DELETE /api/v1/searches/{id}`.
///
/// # Errors
/// 404 for a search the reader does not keep.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    let_go(&ask).await?;
    Ok(done())
}

/// Removes the search named in the path.
///
/// # Errors
/// As [`remove`].
pub async fn let_go(ask: &Ask) -> Result<(), Problem> {
    let (owner, user) = (Owner::of(&ask.permit()?), keeper(ask)?);
    let id: Uuid = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    let key = Kept::key(user, &id.to_string());
    let was = ask
        .app
        .settings(move |settings| {
            settings.delete(PROGRESS, owner, &key)?;
            settings.delete(SEARCH, owner, &key)
        })
        .await?;
    if was { Ok(()) } else { Err(Problem::absent()) }
}
