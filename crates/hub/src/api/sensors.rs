//! The health of sensors: what each says of itself, kept until the hub restarts.

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_model::access::{Extent, Principal};
use shieldwall_model::limits;

use crate::ask::{Ask, done, json};
use crate::problem::Problem;

/// What a sensor says of itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct HealthReport {
    /// Its name.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// Events read since it started.
    pub events: u64,
    /// Bytes read since it started.
    pub bytes: u64,
    /// Matches since it started.
    pub matches: u64,
    /// Lines it could not read.
    #[serde(default)]
    pub bad_lines: u64,
    /// Lines over the limit.
    #[serde(default)]
    pub skipped_lines: u64,
    /// Events a second now.
    #[serde(default)]
    pub events_per_second: f64,
    /// How far behind its input it is.
    #[serde(default)]
    pub lag_seconds: f64,
    /// Reports not yet sent.
    #[serde(default)]
    pub spool_reports: u64,
    /// Indicators it matches.
    #[serde(default)]
    pub watchlist_items: u64,
    /// How often its watchlist has changed.
    #[serde(default)]
    pub watchlist_version: u64,
    /// What it does with the rules among its indicators.
    #[serde(default)]
    pub rules: RuleCounts,
    /// What it could not do in time or within its limits.
    #[serde(default)]
    pub shed: ShedCounts,
    /// The rules that took it the most time, the slowest first; at most 10.
    #[serde(default)]
    pub slow_rules: Vec<SlowRule>,
    /// Indicators it neither matches nor blocks because they would touch too much of its network; at most 100 of them.
    #[serde(default)]
    pub withheld: Vec<WithheldBody>,
    /// How many those are in all.
    #[serde(default)]
    pub withheld_total: u64,
    /// Sightings found by looking back.
    #[serde(default)]
    pub retrospective: u64,
    /// What it reads.
    #[serde(default)]
    pub inputs: Vec<String>,
}

/// What a sensor does with the rules it was told.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RuleCounts {
    /// Run by it.
    #[serde(default)]
    pub run: u64,
    /// Written to files for the tools that run them.
    #[serde(default)]
    pub passed_on: u64,
    /// Neither: past a limit, not understood, or not safe to pass on.
    #[serde(default)]
    pub left_out: u64,
}

/// What a sensor could not do in time or within its limits, since it started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ShedCounts {
    /// Evaluations of patterns left out or not finished because they were over their budget.
    #[serde(default)]
    pub rule_evaluations: u64,
    /// Sigma rules set aside because they were slower than the budget.
    #[serde(default)]
    pub rules_set_aside: u64,
    /// Events that patterns over several events let go of before their time, for lack of room.
    #[serde(default)]
    pub events_evicted: u64,
    /// Events that came too late for patterns over several events.
    #[serde(default)]
    pub events_late: u64,
    /// Matches of a single message past what a report may hold.
    #[serde(default)]
    pub matches: u64,
}

/// What a rule cost a sensor.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SlowRule {
    /// The indicator.
    pub indicator: String,
    /// Its name.
    pub name: String,
    /// Evaluations.
    pub evaluations: u64,
    /// Matches.
    pub matches: u64,
    /// Time of an evaluation on average, in microseconds.
    pub microseconds: f64,
    /// Evaluations left out because it was over its budget.
    #[serde(default)]
    pub shed: u64,
}

/// An indicator a sensor withholds until a person has looked.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct WithheldBody {
    /// The sharing group it was shared in.
    pub group: String,
    /// The indicator.
    pub indicator: String,
    /// Why.
    pub reason: String,
}

/// A sensor's health as kept.
#[derive(Clone, Debug)]
pub struct Health {
    /// What it said last.
    pub report: HealthReport,
    /// When, in hub time.
    pub heard: shieldwall_model::time::Timestamp,
}

/// A sensor.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SensorBody {
    /// Its id.
    pub id: String,
    /// Its member's id.
    pub member: String,
    /// Its member's name.
    pub member_name: String,
    /// Its name.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// `live`, or `silent` when it has missed three reports.
    pub state: &'static str,
    /// When it was last heard, in hub time.
    pub heard: String,
    /// Seconds since then.
    pub heard_seconds_ago: i64,
    /// Events read since it started.
    pub events: u64,
    /// Matches since it started.
    pub matches: u64,
    /// Lines it could not read.
    pub bad_lines: u64,
    /// Events a second now.
    pub events_per_second: f64,
    /// How far behind its input it is, in seconds.
    pub lag_seconds: f64,
    /// Reports not yet sent.
    pub spool_reports: u64,
    /// Indicators it matches.
    pub watchlist_items: u64,
    /// How often its watchlist has changed.
    pub watchlist_version: u64,
    /// What it does with the rules among its indicators.
    pub rules: RuleCounts,
    /// What it could not do in time or within its limits.
    pub shed: ShedCounts,
    /// The rules that took it the most time; told to its own member alone.
    pub slow_rules: Vec<SlowRule>,
    /// How many indicators it withholds because they would touch too much of its network.
    pub withheld_total: u64,
    /// Those indicators and why, at most 100; told to its own member alone.
    pub withheld: Vec<WithheldBody>,
    /// Sightings found by looking back.
    pub retrospective: u64,
    /// What it reads; told to its own member alone.
    pub inputs: Vec<String>,
}

/// The sensors the reader may see.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sensors {
    /// The sensors.
    pub sensors: Vec<SensorBody>,
}

/// A sensor reports every 10 s; after three missed reports it counts as silent.
const SILENT_SECONDS: i64 = 30;
/// Most inputs a sensor may name.
const INPUTS_MAX: usize = 100;
/// Most indicators a sensor names as withheld.
const WITHHELD_MAX: usize = 100;

/// Most rules a sensor names as slow.
const SLOW_RULES_MAX: usize = 10;

/// `POST /api/v1/sensors/health`.
///
/// # Errors
/// 400 for a body that cannot be read, 422 for one that says too much.
pub async fn report(mut ask: Ask) -> Result<Response, Problem> {
    let report: HealthReport = ask.json().await?;
    let too_long = |text: &String| text.len() > limits::STRING_BYTES_MAX / 16;
    if report.name.len() > limits::NAME_BYTES_MAX
        || report.version.len() > limits::NAME_BYTES_MAX
        || report.inputs.len() > INPUTS_MAX
        || report.inputs.iter().any(too_long)
        || report.slow_rules.len() > SLOW_RULES_MAX
        || report.slow_rules.iter().any(|rule| too_long(&rule.name) || too_long(&rule.indicator))
        || report.withheld.len() > WITHHELD_MAX
        || report
            .withheld
            .iter()
            .any(|one| [&one.group, &one.indicator, &one.reason].into_iter().any(too_long))
    {
        return Err(Problem::refused(
            "sensor.health.too_long",
            "a name has at most 200 bytes, and a sensor at most 100 inputs and 10 slow rules",
        ));
    }
    if let Principal::Sensor(sensor) = ask.reader().principal() {
        let health = Health { report, heard: ask.app.now() };
        ask.app.hear(ask.reader().member(), sensor, health);
    }
    Ok(done())
}

/// `GET /api/v1/sensors`.
///
/// # Errors
/// None past the access rule.
pub async fn list(ask: Ask) -> Result<Response, Problem> {
    json(&Sensors { sensors: visible(&ask)? })
}

/// The sensors this reader may see: its member's own, or all of the alliance's for those who watch over them.
///
/// # Errors
/// None past the access rule.
pub fn visible(ask: &Ask) -> Result<Vec<SensorBody>, Problem> {
    let scope = ask.reader().scope(shieldwall_model::access::Action::ReadSensors)?;
    let (directory, now) = (ask.app.directory(), ask.app.now());
    let mine = ask.reader().member();
    let seen = ask
        .app
        .sensors()
        .into_iter()
        .filter(|((member, _), _)| scope.extent() == Extent::Alliance || *member == mine);
    Ok(seen
        .map(|((member, id), Health { report, heard })| {
            let ago = now.since_micros(heard) / 1_000_000;
            SensorBody {
                id: id.to_string(),
                member: member.to_string(),
                member_name: directory.member(member).map_or_else(String::new, |member| member.name.clone()),
                name: report.name,
                version: report.version,
                state: if ago > SILENT_SECONDS { "silent" } else { "live" },
                heard: heard.to_string(),
                heard_seconds_ago: ago.max(0),
                events: report.events,
                matches: report.matches,
                bad_lines: report.bad_lines,
                events_per_second: report.events_per_second,
                lag_seconds: report.lag_seconds,
                spool_reports: report.spool_reports,
                watchlist_items: report.watchlist_items,
                watchlist_version: report.watchlist_version,
                rules: report.rules,
                shed: report.shed,
                slow_rules: if member == mine { report.slow_rules } else { Vec::new() },
                withheld_total: report.withheld_total,
                withheld: if member == mine { report.withheld } else { Vec::new() },
                retrospective: report.retrospective,
                inputs: if member == mine { report.inputs } else { Vec::new() },
            }
        })
        .collect())
}
