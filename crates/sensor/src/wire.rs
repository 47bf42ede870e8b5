//! The shapes of the hub's HTTP API that a sensor speaks, and nothing of what the hub does with them.

use serde::{Deserialize, Serialize};
use shieldwall_model::id::{GroupId, ObjectId, WarningId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::sequences::Sequences;
use shieldwall_model::time::Timestamp;

/// One value of an indicator: its kind by the watchlist's name (`domain`, `ipv4`, `sha256`…) and the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchedValue {
    /// The kind's name.
    pub kind: String,
    /// The value, normalised.
    pub value: String,
}

/// One change of the watchlist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Change {
    /// The indicator is to be watched for, as told here; replaces what was known of it.
    Put(Item),
    /// The indicator is no longer to be watched for.
    Remove {
        /// The sharing group.
        group: GroupId,
        /// The indicator.
        indicator: ObjectId,
        /// Why: recalled, revoked, expired or replaced.
        #[serde(default)]
        reason: String,
    },
}

/// An indicator as the watchlist tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The sharing group it was shared in.
    pub group: GroupId,
    /// The indicator.
    pub indicator: ObjectId,
    /// Its name, for people.
    #[serde(default)]
    pub name: String,
    /// What it is for; decides what may be done with it.
    pub role: IndicatorRole,
    /// The values to watch for.
    pub values: Vec<WatchedValue>,
    /// The rule to watch by, when it is more than values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Until when it holds; without end when absent.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
}

/// A rule as its owner wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its language: `stix`, `sigma`, `yara`, `snort` or `suricata`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of that language, if its owner says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its text.
    pub text: String,
}

/// One page of `GET /api/v1/watchlist`.
#[derive(Debug, Deserialize)]
pub struct WatchlistPage {
    /// Whether what was known before is to be dropped.
    pub reset: bool,
    /// Where the next page begins.
    pub next: String,
    /// Whether to ask again at once.
    pub more: bool,
    /// The changes, in order. A change of a form this version does not know is `None` and skipped.
    #[serde(deserialize_with = "known_changes")]
    pub changes: Vec<Option<Change>>,
}

/// Reads the changes one by one, so that one the sensor does not understand costs only itself.
fn known_changes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Option<Change>>, D::Error> {
    let raw = Vec::<Box<serde_json::value::RawValue>>::deserialize(deserializer)?;
    Ok(raw.into_iter().map(|change| serde_json::from_str(change.get()).ok()).collect())
}

/// What a sighting tells of the value that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToldValue {
    /// The value itself.
    Plain(String),
    /// The SHA-256 of the value, in lower-case hex.
    Sha256(String),
    /// Nothing.
    Withheld,
}

/// Which messages of a stream gave how many of a sighting's events each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Events of each message.
    pub count: u64,
    /// The messages.
    pub sequences: Sequences,
}

/// Where all of a report's sightings come from, when it is a stream whose messages may be handed out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The stream: its name and when it was made.
    pub stream: String,
    /// The messages this report speaks for: nothing else will be told of them.
    pub sequences: Sequences,
}

/// One sighting as sent to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The sharing group of the indicator.
    pub group: GroupId,
    /// The indicator that was seen.
    pub indicator: ObjectId,
    /// Earliest event, by the event's own time where it has one.
    pub first_seen: Timestamp,
    /// Latest event.
    pub last_seen: Timestamp,
    /// How many events.
    pub count: u64,
    /// The kind of the value.
    pub kind: String,
    /// The field it stood in, as the telemetry names it.
    pub field: String,
    /// What is told of the value.
    pub value: ToldValue,
    /// When the sensor noticed the first of them.
    pub detected: Timestamp,
    /// The messages they were in, when the report has an [`Origin`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributions: Vec<Contribution>,
    /// It passed before the indicator was known here, and was found in the sensor's memory; then `count` is in hours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retrospective: bool,
}

/// An indicator the sensor neither matches nor blocks, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldIndicator {
    /// The sharing group it was shared in.
    pub group: GroupId,
    /// The indicator.
    pub indicator: ObjectId,
    /// Why, for a person.
    pub reason: String,
}

impl WithheldIndicator {
    pub(crate) fn of(held: &crate::knowledge::Held, reason: &str) -> Self {
        Self { group: held.group, indicator: held.indicator.clone(), reason: reason.to_owned() }
    }
}

/// The body of `POST /api/v1/sightings`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SightingsBody {
    /// 1 to 1,000 sightings; 1 to 10,000 with an origin.
    pub sightings: Vec<Sighting>,
    /// Where they come from, when messages of it may be handed out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The answer to `POST /api/v1/sightings`.
#[derive(Debug, Deserialize)]
pub struct SightingsAnswer {
    /// How many were recorded.
    pub accepted: u64,
    /// Whether the hub had this report already.
    #[serde(default)]
    pub repeated: bool,
    /// Those the hub did not take, with the reason.
    #[serde(default)]
    pub refused: Vec<RefusedSighting>,
}

/// A sighting the hub did not take.
#[derive(Debug, Deserialize)]
pub struct RefusedSighting {
    /// Its place in the report.
    pub index: usize,
    /// The stable code of the reason.
    pub code: String,
    /// The reason in words.
    #[serde(default)]
    pub reason: String,
}

/// The body of `POST /api/v1/sensors/health`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The sensor's name.
    pub name: String,
    /// The sensor's version.
    pub version: String,
    /// Events read since start.
    pub events: u64,
    /// Bytes read since start.
    pub bytes: u64,
    /// Matches since start.
    pub matches: u64,
    /// Lines that were no event of the input's format, since start.
    pub bad_lines: u64,
    /// Lines longer than the limit, since start.
    pub skipped_lines: u64,
    /// Events a second since the last heartbeat.
    pub events_per_second: f64,
    /// For how long unread telemetry has been waiting, in seconds.
    pub lag_seconds: f64,
    /// Reports on disk that the hub has not confirmed.
    pub spool_reports: u64,
    /// Indicators watched for.
    pub watchlist_items: u64,
    /// How often the watchlist changed since start.
    pub watchlist_version: u64,
    /// What became of the rules among the indicators.
    #[serde(default)]
    pub rules: RuleCounts,
    /// What was not matched, and why.
    #[serde(default)]
    pub shed: ShedCounts,
    /// The rules that took the most time, the slowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow_rules: Vec<SlowRule>,
    /// Indicators withheld because they would touch too much of this network; at most 100 of them.
    #[serde(default)]
    pub withheld: Vec<WithheldIndicator>,
    /// How many are withheld in all.
    #[serde(default)]
    pub withheld_total: u64,
    /// Sightings found by looking back, since start.
    #[serde(default)]
    pub retrospective: u64,
    /// The inputs, and behind each in brackets what is wrong with it.
    pub inputs: Vec<String>,
    /// Why the sensor stopped reading, when it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<String>,
}

/// What a sensor does with the rules it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCounts {
    /// Run here.
    pub run: u64,
    /// Written to `rules/` for the tools that run them.
    pub passed_on: u64,
    /// Neither: past a limit, not understood, or not safe to pass on.
    pub left_out: u64,
}

/// What a sensor could not do in time or within its limits, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShedCounts {
    /// Evaluations of patterns left out or not finished because they were over their budget.
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
    pub matches: u64,
}

/// What a rule cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    pub shed: u64,
}

/// The part of a warning a sensor acts on; the rest is for people.
#[derive(Clone, Debug, Deserialize)]
pub struct Warning {
    /// The warning.
    pub id: WarningId,
    /// The indicator it is about.
    pub indicator: ObjectId,
    /// The indicator's role.
    pub role: IndicatorRole,
    /// Rises with every change.
    pub revision: u64,
    /// When it was raised.
    pub raised: Timestamp,
    /// What this member has done about it.
    #[serde(default)]
    pub mine: Mine,
}

/// The body of `POST /api/v1/warnings/acknowledge`.
#[derive(Debug, Serialize)]
pub(crate) struct AcknowledgeBody<'a> {
    /// The warnings taken note of.
    pub(crate) warnings: &'a [WarningId],
    /// By whom: `by-machine`.
    pub(crate) taken: &'a str,
}

/// What this member has done about a warning.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Mine {
    /// Whether this member saw the indicator itself.
    #[serde(default)]
    pub seen: bool,
    /// When a machine of this member acknowledged the warning.
    #[serde(default)]
    pub by_machine: Option<Timestamp>,
}

/// The answer of `GET /api/v1/warnings`.
#[derive(Debug, Deserialize)]
pub struct WarningsPage {
    /// The warnings, newest first.
    pub warnings: Vec<Warning>,
}

/// The answer of `GET /api/v1/me`, as far as a sensor reads it.
#[derive(Debug, Deserialize)]
pub struct Me {
    /// The member the sensor works for.
    pub member: MyMember,
    /// The role of its token.
    pub role: String,
    /// The realm the token is for.
    pub realm: String,
}

/// The member a sensor works for.
#[derive(Debug, Deserialize)]
pub struct MyMember {
    /// The member's name.
    pub name: String,
}

/// A problem document (RFC 9457), as far as a sensor reads it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGHTING: &str = r#"{"group":"group--00000000-0000-7000-8000-000000000001","indicator":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","first_seen":"2017-05-12T07:24:00.000000Z","last_seen":"2017-05-12T07:25:00.000000Z","count":3,"kind":"domain","field":"dns.rrname","value":{"plain":"evil.example"},"detected":"2017-05-12T07:24:01.000000Z"}"#;

    #[test]
    fn a_sighting_is_written_as_the_contract_says() {
        let read: Sighting = serde_json::from_str(SIGHTING).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), SIGHTING);
        let told = |value: ToldValue| serde_json::to_string(&value).unwrap();
        assert_eq!(told(ToldValue::Sha256("ab".into())), r#"{"sha256":"ab"}"#);
        assert_eq!(told(ToldValue::Withheld), r#""withheld""#);
    }

    #[test]
    fn a_rule_is_taken_where_a_hub_tells_one_and_missed_by_nobody() {
        let plain = r#"{"group":"group--00000000-0000-7000-8000-000000000001","indicator":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"n","role":"malicious","values":[],"valid_until":null}"#;
        let item: Item = serde_json::from_str(plain).unwrap();
        assert_eq!(item.rule, None, "a hub that tells values alone");
        assert_eq!(serde_json::to_string(&item).unwrap(), plain);
        let told = plain
            .replace(r#""values":[]"#, r#""values":[],"rule":{"type":"sigma","text":"title: t","more":1}"#);
        let item: Item = serde_json::from_str(&told).unwrap();
        assert_eq!(item.rule, Some(Rule { kind: "sigma".into(), version: None, text: "title: t".into() }));
    }

    #[test]
    fn a_change_of_unknown_form_costs_only_itself() {
        let page: WatchlistPage = serde_json::from_str(
            r#"{"reset":true,"next":"c1","more":false,"changes":[
            {"op":"put","group":"group--00000000-0000-7000-8000-000000000001","indicator":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"n","role":"kill-switch","values":[{"kind":"domain","value":"a.example"}],"valid_until":null},
            {"op":"transmogrify","group":"?"},
            {"op":"remove","group":"group--00000000-0000-7000-8000-000000000001","indicator":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","reason":"recalled"}]}"#,
        )
        .unwrap();
        let ops = page.changes.iter().map(|change| match change {
            Some(Change::Put(item)) => item.role.as_str(),
            Some(Change::Remove { reason, .. }) => reason,
            None => "unknown",
        });
        assert_eq!(ops.collect::<Vec<_>>(), ["kill-switch", "unknown", "recalled"]);
    }
}
