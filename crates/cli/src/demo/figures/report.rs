//! The figures as they are told: what stands in the JSON object, field by field.

use std::collections::BTreeSet;

use serde::Serialize;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;

/// The figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Shared, matched, recorded, everybody warned, and nothing blocked that must not be.
    pub(crate) loop_closed: bool,
    /// Why not, in words.
    pub(crate) reasons: Vec<String>,
    /// The scenario's id.
    pub(crate) scenario: String,
    /// Members of the alliance.
    pub(crate) members: usize,
    /// Members other than the first to report that received a warning.
    pub(crate) warned: usize,
    /// From the match at the reporting sensor to the warning at each other member's.
    pub(crate) time_to_warn_ms: Option<Spread>,
    /// Whether a kill switch stood on any block list.
    pub(crate) kill_switch_blocked: bool,
    /// Values that stood on a block list although their role forbids it.
    pub(crate) do_not_block_blocked: usize,
    /// From the first malicious activity to the first sighting, in scenario time.
    pub(crate) time_to_detect_seconds: Option<f64>,
    /// Members in whose networks the attack showed.
    pub(crate) members_hit: usize,
    /// How many of them had been warned before.
    pub(crate) members_warned_before_hit: usize,
    /// How many of them had all that may be blocked on their block list before.
    pub(crate) protected_before_hit: usize,
    /// What stayed open.
    pub(crate) open: Vec<Open>,
    /// What became of each event, in the scenario's order.
    pub(crate) events: Vec<EventReport>,
    /// What became of contacts no event tells of.
    pub(crate) assumed: Vec<EventReport>,
    /// What became of the published values.
    pub(crate) indicators: Indicators,
    /// Victims' places outside the alliance.
    pub(crate) outside: BTreeSet<String>,
    /// What was decided where the scenario is silent.
    pub(crate) notes: Vec<String>,
    /// The seed.
    pub(crate) seed: u64,
    /// How long the replay took.
    pub(crate) elapsed_seconds: f64,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Half of them are at most this, in milliseconds.
    pub(crate) p50: f64,
    /// 95 in a hundred are at most this.
    pub(crate) p95: f64,
    /// All are at most this.
    pub(crate) max: f64,
    /// How many there are.
    pub(crate) count: usize,
}

/// Something that stayed open.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Open {
    /// What sort, as a stable word.
    pub(crate) what: &'static str,
    /// How many.
    pub(crate) count: usize,
    /// In words.
    pub(crate) text: String,
}

/// What became of an event, or of a contact no event tells of.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EventReport {
    /// When.
    pub(crate) t: Timestamp,
    /// How exactly that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) precision: Option<String>,
    /// Its kind, in the scenario's word.
    pub(crate) kind: String,
    /// Where, in the scenario's words.
    pub(crate) r#where: String,
    /// What happened.
    pub(crate) text: String,
    /// Members in whose networks the attack showed.
    pub(crate) members: Vec<String>,
    /// Places outside the alliance that were hit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) outside: Vec<String>,
    /// Whether the scenario does not name these members.
    pub(crate) assumed: bool,
    /// Values that showed there.
    pub(crate) planted: usize,
    /// Values of these that were matched.
    pub(crate) detected: usize,
    /// Other members that were warned of them.
    pub(crate) warned: usize,
    /// Of values this member was the first to see here: from match to warning.
    pub(crate) time_to_warn_ms: Option<Spread>,
    /// `history`, `told`, `shared`, `outside`, `detected`, `detected-not-all-warned`, `before-intelligence`, `missed`,
    /// `nothing-to-match`, `not-played` or `aftermath`.
    pub(crate) status: &'static str,
}

/// What became of the published values.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Indicators {
    /// Taken by the hub.
    pub(crate) shared: usize,
    /// Put into telemetry somewhere.
    pub(crate) planted: usize,
    /// Matched somewhere.
    pub(crate) matched: usize,
    /// Never put into telemetry, and why.
    pub(crate) not_matchable: Vec<NotMatchable>,
}

/// A value that was shared to be read by people alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NotMatchable {
    /// Its type.
    pub(crate) r#type: String,
    /// The value.
    pub(crate) value: String,
    /// Its role.
    pub(crate) role: IndicatorRole,
    /// Why.
    pub(crate) reason: String,
}
