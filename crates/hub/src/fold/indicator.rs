//! An indicator as sensors and feeds need it, and what moves it through its life: new versions, sightings, disputes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shieldwall_exchange::entries::Disputed;
use shieldwall_exchange::life::{BASE_DEFAULT, Course, Decay, Stage};
use shieldwall_exchange::stix;
use shieldwall_ledger::{Entry, FoldError, Views};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};

use super::{Said, collection, read, withdraw, write};

/// A later sighting counts once it is so much later than the one before, in seconds: else every report of a busy
/// sensor would go out to all the others as a change of the watchlist.
const SIGHTED_AGAIN_SECONDS: i64 = 3_600;

/// An indicator as sensors and feeds need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndicatorState {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: IndicatorRole,
    /// Its marking's label, if it carries one.
    pub marking: Option<String>,
    /// The values to match; empty when its pattern is beyond this version.
    pub values: Vec<WatchedValue>,
    /// Why there are no values.
    pub unmatched: Option<String>,
    /// When it ends, as its owner says.
    pub valid_until: Option<Timestamp>,
    /// Why it is no longer matched: `recalled` or `revoked`.
    pub ended: Option<String>,
    /// How sure its owner is, 0 to 100, if it says.
    #[serde(default)]
    pub confidence: Option<u8>,
    /// How fast it fades.
    #[serde(default)]
    pub decay: Decay,
    /// When this version was shared here, or from when it holds: the later.
    #[serde(default)]
    pub shared: Timestamp,
    /// When it was last sighted, to about an hour.
    #[serde(default)]
    pub sighted: Option<Timestamp>,
    /// The members that say it is a false positive.
    #[serde(default)]
    pub disputed: BTreeSet<MemberId>,
}

/// A value to match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WatchedValue {
    /// Its kind, such as `domain-name`.
    pub kind: String,
    /// The value, normalised.
    pub value: String,
}

impl WatchedValue {
    /// The value, if this version knows its kind.
    pub fn value(&self) -> Option<Value> {
        Value::new(self.kind.parse().ok()?, &self.value).ok()
    }
}

/// Where an indicator stands at some moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    /// Its stage.
    pub stage: Stage,
    /// Its score, 0 to 100.
    pub score: f64,
    /// When it ends, if nothing happens to it.
    pub ends: Option<Timestamp>,
}

/// How [`IndicatorState::unmatched`] begins where the pattern is in another language than STIX's.
const OTHER_LANGUAGE: &str = "pattern_type ";
/// Languages of rules that sensors run or pass on (STIX 2.1 section 10.17; `pcre` names no field to look in).
const RULE_LANGUAGES: [&str; 4] = ["sigma", "snort", "suricata", "yara"];
/// Why a valid STIX pattern gives no values: its rule is more than values, or compares with what is no value.
const BEYOND_VALUES: [&str; 2] = ["watch.pattern.unsupported", "watch.pattern.value"];

impl IndicatorState {
    /// The language of its rule, when it is one: a STIX pattern that is more than values, or a rule for another engine.
    /// The text stands in the object alone.
    pub fn rule(&self) -> Option<&str> {
        let reason = self.unmatched.as_deref()?;
        match reason.strip_prefix(OTHER_LANGUAGE) {
            Some(language) => RULE_LANGUAGES.contains(&language).then_some(language),
            None => BEYOND_VALUES.contains(&reason).then_some("stix"),
        }
    }

    /// What decides its score.
    pub fn course(&self) -> Course {
        Course {
            decay: self.decay,
            base: self.confidence.unwrap_or(BASE_DEFAULT),
            since: self.sighted.map_or(self.shared, |sighted| sighted.max(self.shared)),
            disputes: u32::try_from(self.disputed.len()).unwrap_or(u32::MAX),
        }
    }

    /// When it ends if nothing happens to it: as its owner says, or when its score is spent; the earlier.
    pub fn ends(&self) -> Option<Timestamp> {
        match (self.valid_until, self.course().ends()) {
            (Some(said), Some(spent)) => Some(said.min(spent)),
            (said, spent) => said.or(spent),
        }
    }

    /// Where it stands at `now`.
    pub fn life(&self, now: Timestamp) -> Life {
        let (course, ends) = (self.course(), self.ends());
        let stage = if self.ended.is_some() {
            Stage::Recalled
        } else if ends.is_some_and(|ends| ends <= now) {
            Stage::Expired
        } else if course.is_decaying(now) {
            Stage::Decaying
        } else if self.sighted.is_some() {
            Stage::Sighted
        } else {
            Stage::Active
        };
        let over = matches!(stage, Stage::Recalled | Stage::Expired);
        Life { stage, score: if over { 0.0 } else { course.score(now) }, ends }
    }
}

/// The values an indicator is to be matched by; none of what is no indicator. An error says why there are none.
pub(super) fn watched(object: &stix::Object) -> Result<Vec<Value>, String> {
    let Some(indicator) = &object.indicator else { return Ok(Vec::new()) };
    if indicator.pattern_type == "stix" {
        shieldwall_watch::pattern::values(&indicator.pattern).map_err(|error| error.code().to_owned())
    } else {
        Err(format!("{OTHER_LANGUAGE}{}", indicator.pattern_type))
    }
}

/// Keeps what sensors and feeds need of an indicator. Nearly every one is new, not `known`: then nothing need be looked
/// up or taken away.
pub(super) fn put(entry: &Entry, said: &Said, known: bool, views: &mut Views<'_>) -> Result<(), FoldError> {
    let object = &said.object;
    let Some(indicator) = &object.indicator else { return Ok(()) };
    let (values, unmatched) = match &said.watched {
        Ok(values) => (values.as_slice(), None),
        Err(reason) => (&[][..], Some(reason.clone())),
    };
    let role = object.role.unwrap_or_default();
    let before = if known { state(entry.group, object.id.as_str(), views)? } else { None };
    let state = IndicatorState {
        name: object.title.clone(),
        role,
        marking: object.tlp.map(|tlp| tlp.as_str().to_owned()),
        decay: Decay::of(role, &indicator.labels, values.iter().map(Value::kind)),
        values: values
            .iter()
            .map(|value| WatchedValue { kind: value.kind().to_string(), value: value.to_string() })
            .collect(),
        unmatched,
        valid_until: indicator.valid_until,
        ended: object.revoked.then(|| "revoked".to_owned()),
        confidence: indicator.confidence,
        shared: entry.time.max(indicator.valid_from),
        sighted: before.as_ref().and_then(|before| before.sighted),
        disputed: before.map(|before| before.disputed).unwrap_or_default(),
    };
    keep(entry, object.id.as_str(), &state, known, views)?;
    if object.revoked {
        withdraw(entry, object.id.as_str(), views)?;
    }
    Ok(())
}

/// Puts the state, and keeps what must never be blocked where it is found without going through everything.
fn keep(
    entry: &Entry,
    id: &str,
    state: &IndicatorState,
    known: bool,
    views: &mut Views<'_>,
) -> Result<(), FoldError> {
    let body = write(state);
    views.put_document(collection::INDICATOR, entry.group, id, entry.sequence, &body)?;
    if state.decay == Decay::Lasting && state.ended.is_none() {
        views.put_document(collection::GUARDED, entry.group, id, entry.sequence, &body)?;
    } else if known {
        views.delete_document(collection::GUARDED, entry.group, id)?;
    }
    Ok(())
}

pub(super) fn state(
    group: GroupId,
    id: &str,
    views: &mut Views<'_>,
) -> Result<Option<IndicatorState>, FoldError> {
    Ok(views.document(collection::INDICATOR, group, id)?.and_then(|body| read(&body)))
}

/// Its owner took it back.
pub(super) fn recalled(entry: &Entry, id: &str, views: &mut Views<'_>) -> Result<(), FoldError> {
    let Some(mut state) = state(entry.group, id, views)? else { return Ok(()) };
    state.ended = Some("recalled".into());
    keep(entry, id, &state, true, views)
}

/// It was seen at `seen`: what fades begins anew.
pub(super) fn sighted(
    entry: &Entry,
    id: &str,
    seen: Timestamp,
    state: &mut IndicatorState,
    views: &mut Views<'_>,
) -> Result<(), FoldError> {
    // A clock that runs ahead must not keep an indicator alive.
    let seen = seen.min(entry.time);
    let later = state.sighted.is_none_or(|before| seen > before.plus_seconds(SIGHTED_AGAIN_SECONDS));
    if !later {
        return Ok(());
    }
    state.sighted = Some(seen);
    keep(entry, id, state, true, views)
}

/// A member says that it is a false positive, or takes that back. Whoever owns it recalls it instead.
pub(super) fn disputed(
    entry: &Entry,
    member: Option<MemberId>,
    said: &Disputed,
    views: &mut Views<'_>,
) -> Result<(), FoldError> {
    let (Some(member), id) = (member, said.id.as_str()) else { return Ok(()) };
    let Some(mut state) = state(entry.group, id, views)? else { return Ok(()) };
    let news = if said.withdrawn { state.disputed.remove(&member) } else { state.disputed.insert(member) };
    if news { keep(entry, id, &state, true, views) } else { Ok(()) }
}

/// What a shared STIX sighting or opinion says of indicators: a sighting (STIX 2.1 section 5.2) with a count of 0 says
/// that it was not seen; an opinion (section 4.15) that disagrees disputes.
pub(super) fn said_of(
    entry: &Entry,
    object: &stix::Object,
    owner: Option<MemberId>,
    body: &[u8],
    views: &mut Views<'_>,
) -> Result<(), FoldError> {
    #[derive(Deserialize)]
    struct Said {
        count: Option<u64>,
        opinion: Option<String>,
    }
    let kind = object.object_type();
    if !matches!(kind, "sighting" | "opinion") || object.revoked {
        return Ok(());
    }
    let Some(said) = read::<Said>(body) else { return Ok(()) };
    for reference in object.references.iter().filter(|one| one.id.object_type() == "indicator") {
        let id = reference.id.as_str();
        match (kind, &*reference.property) {
            ("sighting", "sighting_of_ref") if said.count != Some(0) => {
                if let Some(mut state) = state(entry.group, id, views)? {
                    sighted(entry, id, object.version, &mut state, views)?;
                }
            }
            ("opinion", "object_refs") => {
                let against = matches!(said.opinion.as_deref(), Some("disagree" | "strongly-disagree"));
                let reason = "a STIX opinion".to_owned();
                let said = Disputed { id: reference.id.clone(), reason, withdrawn: !against };
                disputed(entry, owner, &said, views)?;
            }
            _ => {}
        }
    }
    Ok(())
}

impl WatchedValue {
    /// The kind, if this version knows it.
    pub fn kind(&self) -> Option<Kind> {
        self.kind.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shieldwall_model::id::RepeatableEntropy;

    fn state() -> IndicatorState {
        IndicatorState {
            name: "n".into(),
            role: IndicatorRole::Malicious,
            marking: None,
            values: Vec::new(),
            unmatched: None,
            valid_until: None,
            ended: None,
            confidence: None,
            decay: Decay::Network,
            shared: Timestamp::from_micros(0),
            sighted: None,
            disputed: BTreeSet::new(),
        }
    }

    fn day(days: i64) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(days * 86_400)
    }

    #[test]
    fn an_indicator_goes_through_its_stages() {
        let mut one = state();
        let stage = |one: &IndicatorState, days| one.life(day(days)).stage;
        assert_eq!(
            [0, 29, 31, 46, 47].map(|d| stage(&one, d)),
            [Stage::Active, Stage::Active, Stage::Decaying, Stage::Decaying, Stage::Expired]
        );
        one.sighted = Some(day(40));
        assert_eq!(
            [41, 47, 86, 87].map(|d| stage(&one, d)),
            [Stage::Sighted, Stage::Sighted, Stage::Decaying, Stage::Expired]
        );
        one.valid_until = Some(day(50));
        assert_eq!([49, 50].map(|d| stage(&one, d)), [Stage::Sighted, Stage::Expired]);
        one.ended = Some("recalled".into());
        assert_eq!((stage(&one, 41), one.life(day(41)).score), (Stage::Recalled, 0.0));
    }

    #[test]
    fn what_is_no_value_is_a_rule_where_an_engine_knows_its_language() {
        let rule = |reason: Option<&str>| {
            let unmatched = reason.map(str::to_owned);
            IndicatorState { unmatched, ..state() }.rule().map(str::to_owned)
        };
        assert_eq!(rule(Some("watch.pattern.unsupported")).as_deref(), Some("stix"));
        assert_eq!(rule(Some("pattern_type sigma")).as_deref(), Some("sigma"));
        for none in
            [None, Some("watch.pattern.invalid"), Some("pattern_type pcre"), Some("pattern_type stix")]
        {
            assert_eq!(rule(none), None, "{none:?}");
        }
    }

    #[test]
    fn disputes_of_two_members_end_it_and_a_kill_switch_stays() {
        let mut one = state();
        for number in 0..2u64 {
            one.disputed.insert(MemberId::new(Timestamp::default(), &RepeatableEntropy::new(number)));
        }
        assert_eq!(one.life(day(1)).stage, Stage::Expired);
        one.decay = Decay::Lasting;
        assert_eq!((one.ends(), one.life(day(5_000)).stage == Stage::Expired), (None, false));
    }
}
