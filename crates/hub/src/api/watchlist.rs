//! What a sensor matches: the values of active indicators, whole or as changes since a cursor.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ask::{Ask, json};
use crate::fold::{IndicatorState, WatchedValue, collection};
use crate::problem::Problem;

/// What cursors of the watchlist are sealed for.
const USE: &str = "watchlist";
/// Most changes on one page.
const CHANGES_MAX: usize = 10_000;

/// Changes to a sensor's watchlist.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Watchlist {
    /// Whether this starts from nothing: the sensor drops what it had.
    pub reset: bool,
    /// The cursor to ask with next time.
    pub next: String,
    /// Whether there is more to get now.
    pub more: bool,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Change {
    /// Match this indicator, in place of what was known of it.
    Put {
        /// The sharing group it comes from.
        group: String,
        /// The indicator's id.
        indicator: String,
        /// Its name.
        name: String,
        /// Its role.
        role: String,
        /// The values to match.
        values: Vec<WatchedValue>,
        /// When to stop: as its owner says, or when its score is spent; the earlier.
        valid_until: Option<String>,
    },
    /// Stop matching this indicator.
    Remove {
        /// The sharing group it came from.
        group: String,
        /// The indicator's id.
        indicator: String,
        /// `recalled`, `revoked`, `expired` or `replaced`.
        reason: String,
    },
}

/// `GET /api/v1/watchlist`.
///
/// # Errors
/// 410 for a cursor that is not this reader's.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    let scope = ask.scope()?;
    let limit = ask.limit(CHANGES_MAX, CHANGES_MAX)?;
    let cursor = ask.query("after");
    let reset = cursor.is_none();
    let after = cursor.map(|text| ask.app.seal().open(&scope, USE, text)).transpose()?.unwrap_or_default();
    let wanted = scope.clone();
    let page = ask
        .read(move |reading| reading.documents(&wanted, collection::INDICATOR, &after, limit))
        .await?
        .into_inner();
    let now = ask.app.now();
    let mut changes = Vec::with_capacity(page.rows.len());
    for document in page.rows {
        let Ok(state) = serde_json::from_slice::<IndicatorState>(&document.body) else { continue };
        let (group, indicator) = (document.group.to_string(), document.key);
        // Where its score is spent is an end like the one its owner set: sensors hold to it with the hub away.
        let ends = state.ends();
        let ended = match state.ended {
            Some(reason) => Some(reason),
            None if ends.is_some_and(|ends| ends <= now) => Some("expired".to_owned()),
            None if state.values.is_empty() => Some("replaced".to_owned()),
            None => None,
        };
        match ended {
            // Who starts from nothing need not be told what is gone.
            Some(_) if reset => {}
            Some(reason) => changes.push(Change::Remove { group, indicator, reason }),
            None => changes.push(Change::Put {
                group,
                indicator,
                name: state.name,
                role: state.role.to_string(),
                values: state.values,
                valid_until: ends.map(|ends| ends.to_string()),
            }),
        }
    }
    let next = ask.app.seal().seal(&scope, USE, &page.reached);
    json(&Watchlist { reset, next, more: page.more, changes })
}
