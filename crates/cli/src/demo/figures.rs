//! From what was observed to the figures: how soon it was seen, how soon all were warned, who was warned before they
//! were hit, what stayed open, and whether the loop closed. Pure.
//!
//! Definitions: the project's metrics, with t0 the first malicious activity anywhere. Times between machines are real
//! milliseconds; times of the attack are scenario time. Denominators stand beside every share.

mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use shieldwall_assess::rules::percentile;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;

use super::cast::Cast;
use super::intel::Item;
use super::kinds::Meaning;
use super::scenario::Scenario;
use super::script::{Cause, Deed, Script, Telling};

pub(crate) use report::{EventReport, Indicators, NotMatchable, Open, Report, Spread};

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
            not_matchable: not_matchable(play),
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
    let unmatchable = not_matchable(play).len();
    say(
        "not-matchable",
        unmatchable,
        format!("{unmatchable} published values cannot be matched in telemetry"),
    );
    let unshown = play.items.len().saturating_sub(unmatchable + planted.len());
    say("not-shown", unshown, format!("{unshown} values could be matched and showed nowhere in this play"));
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

/// Values nobody can meet in the telemetry of this alliance, and why.
fn not_matchable(play: Play<'_>) -> Vec<NotMatchable> {
    let carried = |item: &Item| {
        let kind = item.value.as_ref().map(|value| value.kind());
        kind.is_some_and(|kind| play.cast.players.iter().any(|player| player.format.carries(kind)))
    };
    let reason = |item: &Item| {
        let reason = match &item.not_planted {
            Some(reason) => reason.clone(),
            None if carried(item) => return None,
            None => "no member reads telemetry in which values of this type stand".into(),
        };
        Some(NotMatchable { r#type: item.kind.clone(), value: item.shown.clone(), role: item.role, reason })
    };
    play.items.iter().filter_map(reason).collect()
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
