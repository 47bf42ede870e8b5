//! Where an indicator stands in its life, and saying that it is a false positive.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_model::id::ObjectId;

use crate::api::held::desk;
use crate::ask::{Ask, done, json};
use crate::fold::{IndicatorState, collection};
use crate::problem::Problem;

/// Where an indicator stands, in each sharing group that has it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Lives {
    /// By group.
    pub groups: Vec<LifeBody>,
}

/// Where an indicator stands in one sharing group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LifeBody {
    /// The sharing group.
    pub group: String,
    /// `active`, `sighted`, `decaying`, `expired` or `recalled`.
    pub stage: String,
    /// Its score now, 0 to 100.
    pub score: u8,
    /// How it fades: `network`, `phishing`, `content` or `lasting`.
    pub decay: String,
    /// When it was shared, or from when it holds.
    pub shared: String,
    /// When it was last sighted, to about an hour.
    pub sighted: Option<String>,
    /// When it ends if nothing happens to it.
    pub ends: Option<String>,
    /// The members that say it is a false positive.
    pub disputed_by: Vec<String>,
}

/// A dispute.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Dispute {
    /// The sharing group.
    pub group: String,
    /// Why it is a false positive.
    #[serde(default)]
    pub reason: String,
    /// Whether your member takes back what it said.
    #[serde(default)]
    pub withdrawn: bool,
}

/// `GET /api/v1/indicators/{id}/life`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn life(ask: Ask) -> Result<Response, Problem> {
    let groups = lives(&ask, ask.path("id")?).await?;
    if groups.is_empty() {
        return Err(Problem::absent());
    }
    json(&Lives { groups: groups.into_iter().map(|(body, _)| body).collect() })
}

/// Where the indicator `id` stands in each group the reader is party to.
///
/// # Errors
/// 404 for a text that is no id.
pub async fn lives(ask: &Ask, id: &str) -> Result<Vec<(LifeBody, IndicatorState)>, Problem> {
    let id: ObjectId = id.parse().map_err(|_| Problem::absent())?;
    let scope = ask.scope()?;
    let found = ask
        .read(move |reading| reading.documents_by_key(&scope, collection::INDICATOR, id.as_str()))
        .await?
        .into_inner();
    let now = ask.app.now();
    let lives = found.into_iter().filter_map(|document| {
        let state: IndicatorState = serde_json::from_slice(&document.body).ok()?;
        let life = state.life(now);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let score = life.score.round().clamp(0.0, 100.0) as u8;
        let body = LifeBody {
            group: document.group.to_string(),
            stage: life.stage.as_str().to_owned(),
            score,
            decay: state.decay.as_str().to_owned(),
            shared: state.shared.to_string(),
            sighted: state.sighted.map(|at| at.to_string()),
            ends: life.ends.map(|at| at.to_string()),
            disputed_by: state.disputed.iter().map(ToString::to_string).collect(),
        };
        Some((body, state))
    });
    Ok(lives.collect())
}

/// `POST /api/v1/indicators/{id}/dispute`.
///
/// # Errors
/// 404 when absent or hidden, 422 for a reason that says nothing.
pub async fn dispute(mut ask: Ask) -> Result<Response, Problem> {
    let dispute: Dispute = ask.json().await?;
    let id: ObjectId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    desk(&ask, &dispute.group)?.dispute(&id, &dispute.reason, dispute.withdrawn).await?;
    Ok(done())
}
