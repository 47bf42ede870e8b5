//! What an object has in common with others.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_assess::correlation::Why;
use shieldwall_model::id::ObjectId;

use super::objects::ObjectBody;
use crate::ask::{Ask, json};
use crate::correlation::{Common, Correlated, correlate};
use crate::problem::Problem;

/// What shares something with an object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RelatedObjects {
    /// Related objects, the most telling first; at most 50.
    pub related: Vec<RelatedBody>,
    /// What so many objects share that it is told as a number.
    pub common: Vec<CommonBody>,
}

/// A related object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RelatedBody {
    /// What a list shows of it.
    #[serde(flatten)]
    pub about: ObjectBody,
    /// How much all ties together tell, 0 to 1.
    pub weight: f64,
    /// Why it is here, the strongest tie first.
    pub why: Vec<WhyBody>,
}

/// A tie.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhyBody {
    /// How they are tied, such as `same-value` or `in-network`.
    pub tie: &'static str,
    /// What they share.
    pub shared: String,
    /// How many objects you may see share it.
    pub sharing: usize,
    /// How much it tells, 0 to 1.
    pub weight: f64,
}

/// Something many share.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CommonBody {
    /// How it ties them.
    pub tie: &'static str,
    /// What is shared.
    pub shared: String,
    /// How many objects you may see share it.
    pub sharing: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    /// The search that finds them.
    pub search: String,
}

/// To three places: more would pretend to know.
fn rounded(weight: f64) -> f64 {
    (weight * 1_000.0).round() / 1_000.0
}

impl From<&Why> for WhyBody {
    fn from(why: &Why) -> Self {
        Self {
            tie: why.tie.as_str(),
            shared: why.shared.clone(),
            sharing: why.sharing,
            weight: rounded(why.weight),
        }
    }
}

impl From<&Common> for CommonBody {
    fn from(common: &Common) -> Self {
        Self {
            tie: common.tie.as_str(),
            shared: common.shared.clone(),
            sharing: common.sharing,
            more: common.more,
            search: common.search.clone(),
        }
    }
}

impl From<&Correlated> for RelatedObjects {
    fn from(found: &Correlated) -> Self {
        Self {
            related: found
                .related
                .iter()
                .map(|one| RelatedBody {
                    about: ObjectBody::from(&one.object.0),
                    weight: rounded(one.weight),
                    why: one.why.iter().map(WhyBody::from).collect(),
                })
                .collect(),
            common: found.common.iter().map(CommonBody::from).collect(),
        }
    }
}

/// `GET /api/v1/objects/{id}/related`.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    json(&related(&ask).await?)
}

/// What shares something with the object named in the path.
///
/// # Errors
/// As [`read`].
pub async fn related(ask: &Ask) -> Result<RelatedObjects, Problem> {
    let id: ObjectId = ask.path("id")?.parse().map_err(|_| Problem::absent())?;
    let scope = ask.scope()?;
    let found = ask
        .read(move |reading| {
            let versions = reading.object(&scope, id.as_str())?.into_inner();
            if versions.is_empty() {
                return Ok(None);
            }
            correlate(reading, &scope, &versions).map(Some)
        })
        .await?;
    found.as_ref().map(RelatedObjects::from).ok_or_else(Problem::absent)
}
