//! From what was observed to the figures: how soon it was seen, how soon all were warned, who was warned before they
//! were hit, what stayed open, and whether the loop closed. Pure.
//!
//! Definitions: the project's metrics, with t0 the first malicious activity anywhere. Times between machines are real
//! milliseconds; times of the attack are scenario time. Denominators stand beside every share.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use shieldwall_assess::rules::percentile;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;

use super::cast::Cast;
use super::intel::Item;
use super::kinds::Meaning;
use super::scenario::Scenario;
use super::script::{Cause, Deed, Script, Telling};

/// What was observed while the script was played. Players and items are named by their places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// Contacts, as they were played.
    pub(crate) contacts: Vec<ContactSeen>,
    /// Matches, as the sensors made them.
    pub(crate) matches: Vec<MatchSeen>,
    /// Warnings, as the sensors received them.
    pub(crate) warnings: Vec<WarningSeen>,
    /// Items the hub took.
    pub(crate) shared: BTreeSet<usize>,
    /// What the hub refused, in words.
    pub(crate) refused: Vec<String>,
    /// Sightings that stand in the ledger: player and item.
    pub(crate) recorded: BTreeSet<(usize, usize)>,
    /// Items found where values to block stand although their role forbids it, and where.
    pub(crate) blocked: Vec<(usize, String)>,
    /// Warnings raised.
    pub(crate) raised: usize,
    /// Warnings a person acknowledged.
    pub(crate) by_person: usize,
    /// What went wrong, in words.
    pub(crate) troubles: Vec<String>,
    /// How long the replay took, in seconds.
    pub(crate) elapsed_seconds: f64,
}

/// A contact, as it was played.
#[derive(Clone, Debug)]
pub(crate) struct ContactSeen {
    /// What it belongs to.
    pub(crate) cause: Cause,
    /// In whose network.
    pub(crate) player: usize,
    /// When, in scenario time.
    pub(crate) at: Timestamp,
    /// When its first line was written, in real time.
    pub(crate) written: Timestamp,
    /// What it carried.
    pub(crate) items: Vec<usize>,
    /// Whether everything it carried that may be blocked was on the sensor's block list; none if nothing may be.
    pub(crate) guarded: Option<bool>,
}

/// A match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatchSeen {
    /// In whose network.
    pub(crate) player: usize,
    /// Of what.
    pub(crate) item: usize,
    /// When the sensor noticed, in real time.
    pub(crate) detected: Timestamp,
}

/// A warning that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WarningSeen {
    /// Where.
    pub(crate) player: usize,
    /// About what.
    pub(crate) item: usize,
    /// When, in real time.
    pub(crate) received: Timestamp,
}

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

/// What was to be played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play<'a> {
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// The members.
    pub(crate) cast: &'a Cast,
    /// The values.
    pub(crate) items: &'a [Item],
    /// The acts.
    pub(crate) script: &'a Script,
    /// The seed.
    pub(crate) seed: u64,
}

/// One member's first match of a value, and when each other member was warned of it.
struct First {
    player: usize,
    item: usize,
    contact: Option<usize>,
    /// By player; none where the warning never came.
    warned: BTreeMap<usize, Option<i64>>,
}

/// Puts the figures together.
pub(crate) fn report(play: Play<'_>, observed: &Observed, notes: &[String]) -> Report {
    let firsts = firsts(play, observed);
    let first_match = observed.matches.iter().min_by_key(|seen| seen.detected);
    let reporter = first_match.map(|seen| seen.player);
    let warned: BTreeSet<usize> =
        observed.warnings.iter().map(|seen| seen.player).filter(|player| Some(*player) != reporter).collect();
    let detect = first_match.and_then(|seen| {
        let contact = observed.contacts.get(contact_of(observed, seen)?)?;
        Some(contact.at.since_micros(play.script.first_activity?) as f64 / 1e6)
    });
    let mut times: Vec<i64> =
        firsts.iter().flat_map(|first| first.warned.values().flatten().copied()).collect();
    let hit = Hit::of(play, observed);
    let matched: BTreeSet<usize> = observed.matches.iter().map(|seen| seen.item).collect();
    let planted: BTreeSet<usize> =
        observed.contacts.iter().flat_map(|contact| contact.items.iter().copied()).collect();
    let role_of = |item: &usize| play.items.get(*item).map(|item| item.role);
    let reasons = reasons(play, observed, &firsts, warned.len());
    Report {
        loop_closed: reasons.is_empty(),
        reasons,
        scenario: play.scenario.id.clone(),
        members: play.cast.players.len(),
        warned: warned.len(),
        time_to_warn_ms: spread(&mut times),
        kill_switch_blocked: observed
            .blocked
            .iter()
            .any(|(item, _)| role_of(item) == Some(IndicatorRole::KillSwitch)),
        do_not_block_blocked: observed.blocked.iter().map(|(item, _)| item).collect::<BTreeSet<_>>().len(),
        time_to_detect_seconds: detect,
        members_hit: hit.members.len(),
        members_warned_before_hit: hit.warned_before.len(),
        protected_before_hit: hit.protected,
        open: open(play, observed, &firsts, &hit),
        events: events(play, observed, &firsts),
        assumed: assumed(play, observed, &firsts),
        indicators: Indicators {
            shared: observed.shared.len(),
            planted: planted.len(),
            matched: matched.len(),
            not_matchable: not_matchable(play, &planted),
        },
        outside: play.cast.outside.clone(),
        notes: notes.to_vec(),
        seed: play.seed,
        elapsed_seconds: (observed.elapsed_seconds * 1e3).round() / 1e3,
    }
}

/// Milliseconds to three digits out of microseconds; none without any.
fn spread(micros: &mut [i64]) -> Option<Spread> {
    let count = micros.len();
    let mut at = |share| percentile(micros, share).map(|micros| micros as f64 / 1e3);
    Some(Spread { p50: at(0.5)?, p95: at(0.95)?, max: at(1.0)?, count })
}

/// The contact a match comes from: the last one before it that carried the value there.
fn contact_of(observed: &Observed, seen: &MatchSeen) -> Option<usize> {
    let carried = |contact: &ContactSeen| {
        contact.player == seen.player
            && contact.written <= seen.detected
            && contact.items.contains(&seen.item)
    };
    observed.contacts.iter().rposition(carried)
}

fn firsts(play: Play<'_>, observed: &Observed) -> Vec<First> {
    let mut arrivals: BTreeMap<(usize, usize), Vec<Timestamp>> = BTreeMap::new();
    for seen in &observed.warnings {
        arrivals.entry((seen.player, seen.item)).or_default().push(seen.received);
    }
    let mut earliest: BTreeMap<(usize, usize), &MatchSeen> = BTreeMap::new();
    for seen in &observed.matches {
        let known = earliest.entry((seen.player, seen.item)).or_insert(seen);
        if seen.detected < known.detected {
            *known = seen;
        }
    }
    let others = |seen: &MatchSeen| {
        let (reporter, item, detected) = (seen.player, seen.item, seen.detected);
        (0..play.cast.players.len())
            .filter(move |player| *player != reporter)
            .map(move |player| (player, item, detected))
    };
    earliest
        .into_values()
        .map(|seen| First {
            player: seen.player,
            item: seen.item,
            contact: contact_of(observed, seen),
            warned: others(seen)
                .map(|(player, item, detected)| {
                    let after =
                        arrivals.get(&(player, item)).into_iter().flatten().filter(|at| **at >= detected);
                    (player, after.min().map(|at| at.since_micros(detected)))
                })
                .collect(),
        })
        .collect()
}

/// Who was hit, and how prepared.
struct Hit {
    members: BTreeSet<usize>,
    warned_before: BTreeSet<usize>,
    protected: usize,
}

impl Hit {
    fn of(play: Play<'_>, observed: &Observed) -> Self {
        let mut hit = Self { members: BTreeSet::new(), warned_before: BTreeSet::new(), protected: 0 };
        for player in 0..play.cast.players.len() {
            let Some(first) = observed.contacts.iter().find(|contact| contact.player == player) else {
                continue;
            };
            hit.members.insert(player);
            if observed.warnings.iter().any(|seen| seen.player == player && seen.received < first.written) {
                hit.warned_before.insert(player);
            }
            hit.protected += usize::from(first.guarded == Some(true));
        }
        hit
    }
}

fn reasons(play: Play<'_>, observed: &Observed, firsts: &[First], warned: usize) -> Vec<String> {
    let mut reasons = observed.troubles.clone();
    let mut say = |broken: bool, text: &str| {
        if broken {
            reasons.push(text.to_owned());
        }
    };
    let planted = observed.contacts.iter().any(|contact| !contact.items.is_empty());
    say(
        play.script.first_activity.is_none(),
        "the scenario names nobody who is hit: no victim, and no event that hits anybody",
    );
    say(play.items.is_empty(), "the scenario publishes no indicator that could be shared");
    say(
        !play.items.is_empty() && play.script.first_activity.is_some() && observed.shared.is_empty(),
        "no intelligence was shared",
    );
    let playable = !play.items.is_empty() && play.script.first_activity.is_some();
    say(playable && !planted, "none of the published values can stand in telemetry this version reads");
    say(planted && firsts.is_empty(), "nothing the attack showed was matched by a sensor");
    let unrecorded =
        firsts.iter().filter(|first| !observed.recorded.contains(&(first.player, first.item))).count();
    say(unrecorded > 0, &format!("{unrecorded} of {} sightings do not stand in the ledger", firsts.len()));
    let others = play.cast.players.len().saturating_sub(1);
    say(!firsts.is_empty() && warned < others, &format!("{warned} of {others} other members were warned"));
    let unwarned =
        firsts.iter().flat_map(|first| first.warned.values()).filter(|warned| warned.is_none()).count();
    say(unwarned > 0 && warned == others, &format!("{unwarned} warnings did not arrive"));
    let blocked: BTreeSet<&str> = observed.blocked.iter().map(|(_, place)| place.as_str()).collect();
    for place in blocked {
        say(true, &format!("a value that must not be blocked is to be blocked at {place}"));
    }
    reasons
}

fn open(play: Play<'_>, observed: &Observed, firsts: &[First], hit: &Hit) -> Vec<Open> {
    let mut open = Vec::new();
    let mut say = |what: &'static str, count: usize, text: String| {
        if count > 0 {
            open.push(Open { what, count, text });
        }
    };
    let unacknowledged = observed.raised.saturating_sub(observed.by_person);
    say(
        "unacknowledged",
        unacknowledged,
        format!(
            "{unacknowledged} of {} warnings were acknowledged by no person, only by machines",
            observed.raised
        ),
    );
    let cold: Vec<&str> =
        hit.members.difference(&hit.warned_before).filter_map(|player| label(play, *player)).collect();
    say("hit-unwarned", cold.len(), format!("hit before any warning: {}", cold.join(", ")));
    let planted: BTreeSet<usize> =
        observed.contacts.iter().flat_map(|contact| contact.items.iter().copied()).collect();
    let unmatchable = not_matchable(play, &planted);
    say(
        "not-matchable",
        unmatchable.len(),
        format!("{} published values cannot be matched in telemetry", unmatchable.len()),
    );
    let matched: BTreeSet<usize> = firsts.iter().map(|first| first.item).collect();
    let unseen = planted.difference(&matched).count();
    say("unmatched", unseen, format!("{unseen} values showed in telemetry and were matched nowhere"));
    let silent: BTreeSet<usize> = firsts
        .iter()
        .flat_map(|first| first.warned.iter().filter(|(_, at)| at.is_none()).map(|(player, _)| *player))
        .collect();
    let silent: Vec<&str> = silent.into_iter().filter_map(|player| label(play, player)).collect();
    say("warning-missing", silent.len(), format!("a warning did not arrive at: {}", silent.join(", ")));
    say("refused", observed.refused.len(), observed.refused.join("; "));
    say(
        "outside",
        play.cast.outside.len(),
        format!(
            "hit outside the alliance, and told by nobody: {}",
            play.cast.outside.iter().cloned().collect::<Vec<_>>().join(", ")
        ),
    );
    open
}

fn label<'a>(play: Play<'a>, player: usize) -> Option<&'a str> {
    play.cast.players.get(player).map(super::cast::Player::label)
}

fn not_matchable(play: Play<'_>, planted: &BTreeSet<usize>) -> Vec<NotMatchable> {
    let reason = |(index, item): (usize, &Item)| {
        let reason = match &item.not_planted {
            Some(reason) => reason.clone(),
            None if planted.contains(&index) || play.script.first_activity.is_none() => return None,
            None if to_be_planted(play, index) => return None,
            None => "no member that was hit reads telemetry in which this type of value stands".into(),
        };
        Some(NotMatchable { r#type: item.kind.clone(), value: item.shown.clone(), role: item.role, reason })
    };
    play.items.iter().enumerate().filter_map(reason).collect()
}

/// Whether the script puts a value into telemetry, played or not.
fn to_be_planted(play: Play<'_>, item: usize) -> bool {
    play.script
        .acts
        .iter()
        .any(|act| matches!(&act.deed, Deed::Contact { items, .. } if items.contains(&item)))
}

/// What the contacts of one cause brought.
struct Outcome {
    players: BTreeSet<usize>,
    planted: usize,
    detected: usize,
    warned: usize,
    times: Option<Spread>,
    status: &'static str,
}

fn outcome(play: Play<'_>, observed: &Observed, firsts: &[First], cause: Cause) -> Option<Outcome> {
    let of_cause: Vec<usize> = (0..observed.contacts.len())
        .filter(|index| observed.contacts.get(*index).is_some_and(|contact| contact.cause == cause))
        .collect();
    let contacts: Vec<&ContactSeen> =
        of_cause.iter().filter_map(|index| observed.contacts.get(*index)).collect();
    let players: BTreeSet<usize> = contacts.iter().map(|contact| contact.player).collect();
    let planted: BTreeSet<usize> =
        contacts.iter().flat_map(|contact| contact.items.iter().copied()).collect();
    let of_match =
        |seen: &&MatchSeen| contact_of(observed, seen).is_some_and(|contact| of_cause.contains(&contact));
    let detected: BTreeSet<usize> = observed.matches.iter().filter(of_match).map(|seen| seen.item).collect();
    let warned: BTreeSet<usize> = observed
        .warnings
        .iter()
        .filter(|seen| detected.contains(&seen.item) && !players.contains(&seen.player))
        .map(|seen| seen.player)
        .collect();
    let news = firsts.iter().filter(|first| first.contact.is_some_and(|contact| of_cause.contains(&contact)));
    let mut times: Vec<i64> = news.flat_map(|first| first.warned.values().flatten().copied()).collect();
    let last = contacts.iter().map(|contact| contact.at).max()?;
    let known = |item: &usize| {
        play.script.acts.iter().any(|act| {
            act.at <= last && matches!(&act.deed, Deed::Share { items, .. } if items.contains(item))
        })
    };
    let status = match () {
        () if planted.is_empty() => "nothing-to-match",
        () if detected.is_empty() && !planted.iter().any(known) => "before-intelligence",
        () if detected.is_empty() => "missed",
        () if warned.len() + players.len() < play.cast.players.len() => "detected-not-all-warned",
        () => "detected",
    };
    Some(Outcome {
        players,
        planted: planted.len(),
        detected: detected.len(),
        warned: warned.len(),
        times: spread(&mut times),
        status,
    })
}

fn events(play: Play<'_>, observed: &Observed, firsts: &[First]) -> Vec<EventReport> {
    let shared_with = |index: usize| {
        play.script.acts.iter().any(|act| {
            matches!(&act.deed, Deed::Share { event: Some(event), items, .. }
                if *event == index && items.iter().any(|item| observed.shared.contains(item)))
        })
    };
    let events = play.scenario.events.iter().zip(&play.script.fates).enumerate();
    events
        .map(|(index, (event, fate))| {
            let outcome = outcome(play, observed, firsts, Cause::Event(index));
            let status = match (&outcome, fate.telling) {
                (_, Telling::History) => "history",
                (_, Telling::Aftermath) => "aftermath",
                (Some(outcome), _) => outcome.status,
                (None, _) if !fate.players.is_empty() => "not-played",
                (None, _) if !fate.outside.is_empty() => "outside",
                (None, _)
                    if matches!(fate.meaning, Meaning::Protection | Meaning::Variant)
                        && shared_with(index) =>
                {
                    "shared"
                }
                (None, _) => "told",
            };
            EventReport {
                t: event.at,
                precision: event.precision.clone(),
                kind: event.kind.clone(),
                r#where: event.place.clone(),
                text: event.text.clone(),
                outside: fate.outside.clone(),
                assumed: fate.vague,
                ..reported(play, outcome, status)
            }
        })
        .collect()
}

fn assumed(play: Play<'_>, observed: &Observed, firsts: &[First]) -> Vec<EventReport> {
    let contacts = play.script.assumed.iter().enumerate();
    contacts
        .map(|(index, assumed)| {
            let outcome = outcome(play, observed, firsts, Cause::Assumed(index));
            let status = outcome.as_ref().map_or("not-played", |outcome| outcome.status);
            let (kind, text) = if assumed.victim {
                ("victim", "a victim the scenario gives no time for")
            } else {
                ("further-contact", "the attack reaches a member the scenario does not name")
            };
            EventReport {
                t: assumed.at,
                kind: kind.into(),
                r#where: label(play, assumed.player).unwrap_or_default().into(),
                text: text.into(),
                assumed: true,
                ..reported(play, outcome, status)
            }
        })
        .collect()
}

/// What is the same for events and assumptions.
fn reported(play: Play<'_>, outcome: Option<Outcome>, status: &'static str) -> EventReport {
    let members =
        outcome.iter().flat_map(|outcome| &outcome.players).filter_map(|player| label(play, *player));
    EventReport {
        t: Timestamp::default(),
        precision: None,
        kind: String::new(),
        r#where: String::new(),
        text: String::new(),
        members: members.map(str::to_owned).collect(),
        outside: Vec::new(),
        assumed: false,
        planted: outcome.as_ref().map_or(0, |outcome| outcome.planted),
        detected: outcome.as_ref().map_or(0, |outcome| outcome.detected),
        warned: outcome.as_ref().map_or(0, |outcome| outcome.warned),
        time_to_warn_ms: outcome.and_then(|outcome| outcome.times),
        status,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::tests::of;
    use super::super::script::tests::{Written, written};
    use super::*;

    const SMALL: &str = r#"{"id":"small","window":["2021-03-01T10:00:00Z","2021-03-01T11:00:00Z"],
        "events":[{"t":"2021-03-01T10:10:00Z","kind":"victim","where":"PL"},{"t":"2021-03-01T10:30:00Z","kind":"victim","where":"CZ"},
                  {"t":"2021-03-01T10:40:00Z","kind":"count","where":"RU"}],
        "indicators":[{"type":"domain","value":"bad.example","role":"malicious"},
                      {"type":"domain","value":"stop.example","role":"killswitch_do_not_block"},
                      {"type":"btc","value":"13AM4VW2dhxYgXeQepoHkHSQuy6NgaEb94","role":"malicious"}]}"#;

    fn real(milliseconds: i64) -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap().plus_micros(milliseconds * 1_000)
    }

    /// A house in which everything works: contacts a second apart, matched after 5 ms, warned 20 ms later.
    fn perfect(written: &Written) -> Observed {
        let mut observed = Observed { raised: 2, by_person: 1, elapsed_seconds: 1.0, ..Observed::default() };
        let mut clock = 0;
        for act in &written.script.acts {
            clock += 1_000;
            match &act.deed {
                Deed::Tell { .. } => {}
                Deed::Share { items, .. } => observed.shared.extend(items),
                Deed::Contact { player, items, cause, .. } => {
                    let guarded = Some(!observed.shared.is_empty());
                    let contact = ContactSeen {
                        cause: *cause,
                        player: *player,
                        at: act.at,
                        written: real(clock),
                        items: items.clone(),
                        guarded,
                    };
                    observed.contacts.push(contact);
                    for item in items
                        .iter()
                        .copied()
                        .filter(|item| observed.shared.contains(item))
                        .collect::<Vec<_>>()
                    {
                        observed.matches.push(MatchSeen { player: *player, item, detected: real(clock + 5) });
                        observed.recorded.insert((*player, item));
                        for other in 0..written.cast.players.len() {
                            observed.warnings.push(WarningSeen {
                                player: other,
                                item,
                                received: real(clock + 25),
                            });
                        }
                    }
                }
            }
        }
        observed
    }

    fn report_of(written: &Written, observed: &Observed) -> Report {
        let play = Play {
            scenario: &written.scenario,
            cast: &written.cast,
            items: &written.items,
            script: &written.script,
            seed: 1,
        };
        report(play, observed, &[])
    }

    #[test]
    fn a_perfect_house_closes_the_loop() {
        let written = written(of(SMALL), 1);
        let report = report_of(&written, &perfect(&written));
        assert!(report.loop_closed, "{:?}", report.reasons);
        assert_eq!((report.members, report.warned, report.kill_switch_blocked), (12, 11, false));
        let spread = report.time_to_warn_ms.unwrap();
        assert_eq!((spread.p50, spread.p95, spread.max), (20.0, 20.0, 20.0));
        assert_eq!(spread.count % 11, 0);
        // 36 s of analysis, 9 s until the network shows it again.
        assert_eq!(report.time_to_detect_seconds, Some(45.0));
        // Poland was hit before anybody could know; everybody after it was warned and protected.
        assert_eq!(report.members_warned_before_hit, report.members_hit - 1);
        assert_eq!(report.protected_before_hit, report.members_hit - 1);
        let statuses: Vec<&str> = report.events.iter().map(|event| event.status).collect();
        assert_eq!(statuses, ["detected", "detected", "told"]);
        assert_eq!(report.events[0].members, ["PL"]);
        assert_eq!(
            (report.events[0].planted, report.events[0].detected, report.events[0].warned),
            (2, 2, 11)
        );
        assert_eq!(
            (report.indicators.shared, report.indicators.planted, report.indicators.matched),
            (3, 2, 2)
        );
        assert_eq!(report.indicators.not_matchable[0].r#type, "btc");
        let open: Vec<&str> = report.open.iter().map(|open| open.what).collect();
        assert_eq!(open, ["unacknowledged", "hit-unwarned", "not-matchable", "outside"]);
        assert!(report.open[1].text.ends_with("PL"));
    }

    #[test]
    fn each_break_opens_the_loop_and_says_so() {
        let written = written(of(SMALL), 1);
        let broken = |spoil: &dyn Fn(&mut Observed), word: &str| {
            let mut observed = perfect(&written);
            spoil(&mut observed);
            let report = report_of(&written, &observed);
            assert!(
                !report.loop_closed && report.reasons.iter().any(|reason| reason.contains(word)),
                "{word}: {:?}",
                report.reasons
            );
            report
        };
        broken(&|observed| observed.shared.clear(), "no intelligence");
        broken(&|observed| observed.matches.clear(), "was matched by a sensor");
        broken(&|observed| _ = observed.recorded.pop_first(), "do not stand in the ledger");
        broken(&|observed| observed.warnings.retain(|seen| seen.player != 11), "10 of 11 other members");
        let last = perfect(&written).warnings.iter().map(|seen| seen.received).max().unwrap();
        let late = broken(
            &|observed| observed.warnings.retain(|seen| seen.player != 11 || seen.received < last),
            "did not arrive",
        );
        assert!(
            late.open.iter().any(|open| open.what == "warning-missing" && open.text.contains("duty office"))
        );
        broken(&|observed| observed.troubles.push("the hub fell over".into()), "fell over");
        let switch = broken(&|observed| observed.blocked.push((1, "PL".into())), "must not be blocked");
        assert!(switch.kill_switch_blocked);
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        for (json, word) in [
            ("{}", "nobody who is hit"),
            (
                r#"{"indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#,
                "nobody who is hit",
            ),
            (r#"{"victims":[{"country":"FR"}]}"#, "no indicator"),
            (
                r#"{"victims":[{"country":"FR"}],"indicators":[{"type":"mutex","value":"x","role":"malicious"}]}"#,
                "can stand in telemetry",
            ),
        ] {
            let written = written(of(json), 1);
            let report = report_of(&written, &perfect(&written));
            assert!(
                !report.loop_closed && report.reasons.iter().any(|reason| reason.contains(word)),
                "{json}: {:?}",
                report.reasons
            );
            assert_eq!(report.time_to_warn_ms, None);
        }
    }

    #[test]
    fn times_are_spread_by_nearest_rank() {
        let mut micros: Vec<i64> = (1..=100).map(|number| number * 1_000).rev().collect();
        assert_eq!(spread(&mut micros), Some(Spread { p50: 50.0, p95: 95.0, max: 100.0, count: 100 }));
        assert_eq!(spread(&mut []), None);
    }
}
