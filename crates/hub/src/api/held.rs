//! What is held back in one's sharing groups, and deciding about it.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_ledger::reading::NewestCursor;
use shieldwall_model::id::GroupId;
use shieldwall_model::limits;

use crate::ask::{Ask, done, json};
use crate::fold::collection;
use crate::fold::held::HeldState;
use crate::intake::Desk;
use crate::problem::Problem;

/// Objects that are held back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Held {
    /// The objects, newest first.
    pub held: Vec<HeldBody>,
}

/// An object that is held back: in no page, feed, watchlist or search until a curator releases it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HeldBody {
    /// What to release or reject it by.
    pub key: String,
    /// The sharing group it was sent to.
    pub group: String,
    /// Its STIX id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its marking's label.
    pub marking: Option<String>,
    /// Why it is held back: a stable code.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// The member that sent it.
    pub owner: String,
    /// When it came.
    pub held: String,
    /// The object.
    pub object: serde_json::Value,
}

/// A decision about an object that is held back.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Decide {
    /// The sharing group.
    pub group: String,
    /// What it is known by.
    pub key: String,
    /// Why, when it is rejected.
    #[serde(default)]
    pub reason: String,
}

/// `GET /api/v1/held`.
///
/// # Errors
/// 404 for a group the member is not party to.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Held { held: all(&ask).await? })
}

/// What is held back, newest first, at most [`limits::PAGE_ITEMS_MAX`].
///
/// # Errors
/// As [`list`].
pub async fn all(ask: &Ask) -> Result<Vec<HeldBody>, Problem> {
    let mut scope = ask.scope()?;
    if let Some(group) = ask.query_as::<GroupId>("group")? {
        scope = scope.only(group)?;
    }
    let limit = ask.limit(limits::PAGE_ITEMS_MAX, limits::PAGE_ITEMS_MAX)?;
    let before: Option<&NewestCursor> = None;
    let page = ask
        .read(move |reading| reading.documents_newest(&scope, collection::HELD, before, limit))
        .await?
        .into_inner();
    let body = |document: shieldwall_ledger::views::Document| {
        let state: HeldState = serde_json::from_slice(&document.body).ok()?;
        Some(HeldBody {
            key: document.key,
            group: document.group.to_string(),
            id: state.id,
            name: state.name,
            version: state.version.to_string(),
            marking: state.marking,
            code: state.code,
            reason: state.detail,
            owner: state.owner.to_string(),
            held: state.held.to_string(),
            object: serde_json::from_str(state.object.get()).unwrap_or_default(),
        })
    };
    Ok(page.into_iter().filter_map(body).collect())
}

/// `POST /api/v1/held/release`.
///
/// # Errors
/// 404 when absent or hidden, 403 for the sender's own member.
pub async fn release(mut ask: Ask) -> Result<Response, Problem> {
    let decide: Decide = ask.json().await?;
    desk(&ask, &decide.group)?.release(&decide.key).await?;
    Ok(done())
}

/// `POST /api/v1/held/reject`.
///
/// # Errors
/// 404 when absent or hidden, 422 for a reason that says nothing.
pub async fn reject(mut ask: Ask) -> Result<Response, Problem> {
    let decide: Decide = ask.json().await?;
    desk(&ask, &decide.group)?.reject(&decide.key, &decide.reason).await?;
    Ok(done())
}

/// The desk of the group named in a body or form.
///
/// # Errors
/// 404 for a group that is none, hidden or absent.
pub fn desk(ask: &Ask, group: &str) -> Result<Desk, Problem> {
    Desk::of(ask, group.parse().map_err(|_| Problem::absent())?)
}
