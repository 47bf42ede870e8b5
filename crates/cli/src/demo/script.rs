//! The play as a timed list of acts: scenario, cast and seed in, acts out. Pure, and the same for the same input.
//!
//! Who is hit by an event follows from its kind and place. What the scenario leaves open is assumed, marked as
//! assumed, and decided by the seed: who shares first and how soon, when a victim without an event of its own was
//! hit, and which further members the attack reaches later, so that it shows what a warning was worth.

use std::collections::BTreeSet;

use shieldwall_model::id::{Entropy, RepeatableEntropy};
use shieldwall_model::time::Timestamp;

use super::cast::{Atlas, Cast, Place};
use super::intel::Item;
use super::kinds::{Meaning, meaning};
use super::scenario::Scenario;

/// How long analysis takes from a member's first contact to its sharing what it found, in seconds, at most.
const ANALYSIS_SECONDS_MAX: i64 = 30 * 60;
/// The same as a share of the window: one part in so many.
const ANALYSIS_PART: i64 = 100;
/// How long after values become known an infected network shows them again, in seconds, at most.
const AGAIN_SECONDS_MAX: i64 = 5 * 60;
/// The same as a share of the window: one part in so many.
const AGAIN_PART: i64 = 400;
/// Most values one contact carries.
const PLANTS_PER_CONTACT_MAX: usize = 40;
/// Most members that show newly known values again.
const AGAIN_MEMBERS_MAX: usize = 6;
/// The same for values that become known after the first.
const AGAIN_LATER_MEMBERS_MAX: usize = 2;
/// Most members a victim event without a nation is put down to.
const VAGUE_MEMBERS_MAX: usize = 3;

/// The play.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    /// What is done, in order.
    pub(crate) acts: Vec<Act>,
    /// When the first malicious activity is, anywhere.
    pub(crate) first_activity: Option<Timestamp>,
    /// When the last act or the window ends.
    pub(crate) end: Timestamp,
    /// What becomes of each event, in the scenario's order.
    pub(crate) fates: Vec<Fate>,
    /// Contacts no event tells of.
    pub(crate) assumed: Vec<Assumed>,
}

impl Script {
    /// Two players to sign in for: the first to share, and one the attack reaches last or never.
    pub(crate) fn analysts(&self, office: usize) -> [usize; 2] {
        let sharer = self
            .acts
            .iter()
            .find_map(|act| if let Deed::Share { by, .. } = act.deed { Some(by) } else { None });
        let first = sharer.filter(|by| *by != office).unwrap_or(0);
        let reached = |player: &usize| {
            self.acts
                .iter()
                .position(|act| matches!(act.deed, Deed::Contact { player: hit, .. } if hit == *player))
        };
        let last = (0..office)
            .filter(|player| *player != first)
            .max_by_key(|player| reached(player).unwrap_or(usize::MAX));
        [first, last.unwrap_or(first)]
    }
}

/// Something done at a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Act {
    /// When, in scenario time.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) deed: Deed,
}

/// Something done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// An event is told.
    Tell {
        /// Its place in the scenario.
        event: usize,
    },
    /// A member shares values.
    Share {
        /// Who.
        by: usize,
        /// Their places among the items.
        items: Vec<usize>,
        /// The event they become known with.
        event: Option<usize>,
        /// Whether the attack changed with it.
        variant: bool,
    },
    /// The attack shows in a member's network.
    Contact {
        /// Whose.
        player: usize,
        /// The places of the values it carries among the items.
        items: Vec<usize>,
        /// Why.
        cause: Cause,
        /// Whether it is the network hit before, showing values that became known since.
        again: bool,
    },
}

/// What a contact belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// An event, by its place in the scenario.
    Event(usize),
    /// An assumption, by its place in [`Script::assumed`].
    Assumed(usize),
}

/// When an event lies, seen from the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Before: told at once, as history.
    History,
    /// Inside: told in its time.
    InTime,
    /// After: told at the end.
    Aftermath,
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fate {
    /// When it is told.
    pub(crate) telling: Telling,
    /// What its kind means.
    pub(crate) meaning: Meaning,
    /// Members hit by it.
    pub(crate) players: BTreeSet<usize>,
    /// Places outside the alliance it names as hit.
    pub(crate) outside: Vec<String>,
    /// Whether its place names no nation, so that the members are assumed.
    pub(crate) vague: bool,
}

/// A contact no event tells of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assumed {
    /// When.
    pub(crate) at: Timestamp,
    /// Whose network.
    pub(crate) player: usize,
    /// Whether the scenario names it as a victim.
    pub(crate) victim: bool,
}

#[derive(Clone, Debug)]
struct Hit {
    at: Timestamp,
    player: usize,
    cause: Cause,
}

/// Repeatable choices.
struct Dice(RepeatableEntropy);

impl Dice {
    /// Choices of their own for each purpose, so that one more here changes nothing there (FNV-1a over the purpose).
    fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self(RepeatableEntropy::new(mixed))
    }

    fn below(&self, count: usize) -> usize {
        let mut bytes = [0; 8];
        // This source does not fail.
        let _ = self.0.fill(&mut bytes);
        let wide = u128::from(u64::from_le_bytes(bytes)) * count as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A time between two parts in a hundred of `from`..`to`.
    fn between(&self, from: Timestamp, to: Timestamp, low: i64, high: i64) -> Timestamp {
        let span = to.since_micros(from).max(100);
        let part = low * 10
            + i64::try_from(self.below(usize::try_from((high - low) * 10).unwrap_or(1))).unwrap_or(0);
        // Whole seconds read better; the window is seldom so short that they cannot be.
        let micros = span / 1_000 * part;
        from.plus_micros(if micros > 1_000_000 { micros / 1_000_000 * 1_000_000 } else { micros })
    }

    fn choose<T: Clone>(&self, from: &[T], count: usize) -> Vec<T> {
        let mut left = from.to_vec();
        let mut chosen = Vec::with_capacity(count.min(left.len()));
        while chosen.len() < count && !left.is_empty() {
            chosen.push(left.swap_remove(self.below(left.len())));
        }
        chosen
    }
}

/// Writes the script.
pub(crate) fn write(scenario: &Scenario, atlas: &Atlas, cast: &Cast, items: &[Item], seed: u64) -> Script {
    let mut writer = Writer::new(scenario, atlas, cast, items, seed);
    let first_activity = writer.first_activity();
    if let Some(first) = first_activity {
        writer.assume_victims(first);
    }
    let shares = first_activity.map(|first| writer.shares(first)).unwrap_or_default();
    if let Some(first) = first_activity {
        let known = shares.iter().map(|act| act.at).min().unwrap_or(first);
        writer.assume_further(known);
    }
    let mut acts = writer.again(&shares);
    acts.extend(writer.contacts());
    acts.extend(shares);
    let end = acts.iter().map(|act| act.at).max().map_or(scenario.end, |last| last.max(scenario.end));
    acts.extend(writer.tellings(end));
    // What is told or shared at a time is known to what happens at that time.
    acts.sort_by_key(|act| {
        (
            act.at,
            match act.deed {
                Deed::Tell { .. } => 0,
                Deed::Share { .. } => 1,
                Deed::Contact { .. } => 2,
            },
        )
    });
    Script { acts, first_activity, end, fates: writer.fates, assumed: writer.assumed }
}

struct Writer<'a> {
    scenario: &'a Scenario,
    cast: &'a Cast,
    items: &'a [Item],
    seed: u64,
    /// Players the scenario names as victims, in its order.
    victims: Vec<usize>,
    fates: Vec<Fate>,
    hits: Vec<Hit>,
    assumed: Vec<Assumed>,
    /// Whether the scenario hits anybody, member or not.
    anybody: bool,
}

impl<'a> Writer<'a> {
    fn new(scenario: &'a Scenario, atlas: &'a Atlas, cast: &'a Cast, items: &'a [Item], seed: u64) -> Self {
        let mut victims = Vec::new();
        for place in scenario.victims.iter().flat_map(|victim| atlas.places(&victim.place)) {
            if let Place::Nation(code) = place
                && let Some(player) = cast.of_country(&code)
                && !victims.contains(&player)
            {
                victims.push(player);
            }
        }
        let anybody = !scenario.victims.is_empty();
        let mut writer = Self {
            scenario,
            cast,
            items,
            seed,
            victims,
            fates: Vec::new(),
            hits: Vec::new(),
            assumed: Vec::new(),
            anybody,
        };
        let places: Vec<Vec<Place>> =
            scenario.events.iter().map(|event| atlas.places(&event.place)).collect();
        for (index, event) in scenario.events.iter().enumerate() {
            let telling = match event.at {
                at if at < scenario.start => Telling::History,
                at if at > scenario.end => Telling::Aftermath,
                _ => Telling::InTime,
            };
            let meaning = meaning(&event.kind);
            let mut fate =
                Fate { telling, meaning, players: BTreeSet::new(), outside: Vec::new(), vague: false };
            if telling == Telling::InTime
                && matches!(meaning, Meaning::First | Meaning::Hit | Meaning::Unknown)
            {
                for place in places.get(index).into_iter().flatten() {
                    writer.locate(&mut fate, index, place, &places);
                }
            }
            writer.anybody |= !fate.outside.is_empty();
            let hit = |player: &usize| Hit { at: event.at, player: *player, cause: Cause::Event(index) };
            writer.hits.extend(fate.players.iter().map(hit));
            writer.fates.push(fate);
        }
        writer
    }

    /// Puts an event down to members at one of its places.
    fn locate(&self, fate: &mut Fate, event: usize, place: &Place, places: &[Vec<Place>]) {
        let unknown = fate.meaning == Meaning::Unknown;
        match place {
            Place::Nation(code) => match self.cast.of_country(code) {
                Some(player) if !unknown || self.victims.contains(&player) => _ = fate.players.insert(player),
                Some(_) => {}
                None if unknown => {}
                None => fate.outside.push(code.clone()),
            },
            Place::Outside(_) | Place::Region(_) if unknown => {}
            Place::Outside(name) => fate.outside.push(name.clone()),
            Place::Region(codes) => {
                fate.vague = true;
                let here = |player: &usize| {
                    self.cast
                        .players
                        .get(*player)
                        .and_then(|player| player.country.as_ref())
                        .is_some_and(|code| codes.contains(code))
                };
                let chosen = if fate.meaning == Meaning::First {
                    self.first_reporter(places, &here).into_iter().collect()
                } else {
                    let own = self.named(places);
                    let without =
                        self.victims.iter().copied().filter(|player| here(player) && !own.contains(player));
                    without.take(VAGUE_MEMBERS_MAX).collect::<Vec<_>>()
                };
                let all: Vec<usize> = (0..self.cast.office()).filter(here).collect();
                let dice = Dice::new(self.seed, &format!("place of event {event}"));
                fate.players.extend(if chosen.is_empty() { dice.choose(&all, 1) } else { chosen });
            }
        }
    }

    /// Players that victim events name.
    fn named(&self, places: &[Vec<Place>]) -> Vec<usize> {
        let hits =
            self.scenario.events.iter().zip(places).filter(|(event, _)| meaning(&event.kind) == Meaning::Hit);
        let mut named: Vec<(Timestamp, usize)> = hits
            .filter(|(event, _)| event.at >= self.scenario.start && event.at <= self.scenario.end)
            .flat_map(|(event, places)| places.iter().map(move |place| (event.at, place)))
            .filter_map(|(at, place)| match place {
                Place::Nation(code) => Some((at, self.cast.of_country(code)?)),
                _ => None,
            })
            .collect();
        named.sort_by_key(|(at, _)| *at);
        named.into_iter().map(|(_, player)| player).collect()
    }

    /// The member activity without a nation is put down to: the first that is named as hit, else the first victim.
    fn first_reporter(&self, places: &[Vec<Place>], here: &impl Fn(&usize) -> bool) -> Option<usize> {
        let named = self.named(places);
        named.iter().chain(&self.victims).copied().find(here)
    }

    /// When the first malicious activity is; none when nobody is hit.
    fn first_activity(&self) -> Option<Timestamp> {
        let told = self.scenario.events.iter().zip(&self.fates).filter(|(_, fate)| {
            fate.telling == Telling::InTime
                && (fate.meaning == Meaning::First || !fate.players.is_empty() || !fate.outside.is_empty())
        });
        let first = told.map(|(event, _)| event.at).min();
        let span = self.scenario.end.since_micros(self.scenario.start);
        first.or_else(|| self.anybody.then(|| self.scenario.start.plus_micros(span / 50)))
    }

    /// Hits victims no event tells of, each at a time of its own; the very first, if nobody is hit otherwise, at once.
    fn assume_victims(&mut self, first: Timestamp) {
        for player in self.victims.clone() {
            if self.hits.iter().any(|hit| hit.player == player) {
                continue;
            }
            let dice = Dice::new(self.seed, &format!("victim {player}"));
            let at = if self.hits.is_empty() { first } else { dice.between(first, self.scenario.end, 8, 60) };
            self.assume(at, player, true);
        }
    }

    /// Lets the attack reach half of the nations it has not reached, after its values are known.
    fn assume_further(&mut self, known: Timestamp) {
        let hit: BTreeSet<usize> = self.hits.iter().map(|hit| hit.player).collect();
        let rest: Vec<usize> = (0..self.cast.office()).filter(|player| !hit.contains(player)).collect();
        let dice = Dice::new(self.seed, "further");
        let end = self.scenario.end.max(known.plus_seconds(60));
        for player in dice.choose(&rest, rest.len().div_ceil(2)) {
            let at = dice.between(known, end, 15, 90);
            self.assume(at, player, false);
        }
    }

    fn assume(&mut self, at: Timestamp, player: usize, victim: bool) {
        self.hits.push(Hit { at, player, cause: Cause::Assumed(self.assumed.len()) });
        self.assumed.push(Assumed { at, player, victim });
    }

    /// Who shares what, and when.
    fn shares(&self, first: Timestamp) -> Vec<Act> {
        let span = self.scenario.end.since_micros(self.scenario.start) / 1_000_000;
        let analysis = (span / ANALYSIS_PART).clamp(1, ANALYSIS_SECONDS_MAX);
        let earliest = self.hits.iter().min_by_key(|hit| hit.at);
        // Whom nobody in the alliance can tell, the duty office hears it from outside.
        let (at, by) = earliest.map_or((first, self.cast.office()), |hit| (hit.at, hit.player));
        let at = at.plus_seconds(analysis);
        let mut groups: Vec<Option<usize>> = vec![None];
        let mut events: Vec<usize> = self.items.iter().filter_map(|item| item.told_with).collect();
        events.sort_by_key(|event| self.scenario.events.get(*event).map(|event| event.at));
        events.dedup();
        groups.extend(events.into_iter().map(Some));
        let mut acts = Vec::new();
        for event in groups {
            let items: Vec<usize> = (0..self.items.len())
                .filter(|item| self.items.get(*item).is_some_and(|item| item.told_with == event))
                .collect();
            if items.is_empty() {
                continue;
            }
            let told = event.and_then(|event| self.scenario.events.get(event));
            let variant = told.is_some_and(|event| meaning(&event.kind) == Meaning::Variant);
            let at = told.map_or(at, |event| event.at.max(at));
            acts.push(Act { at, deed: Deed::Share { by, items, event, variant } });
        }
        acts
    }

    /// The values of `among` that the attack shows in a player's telemetry at a time.
    fn plants(&self, player: usize, at: Timestamp, among: &[usize]) -> Vec<usize> {
        let Some(format) = self.cast.players.get(player).map(|player| player.format) else {
            return Vec::new();
        };
        let shows = |item: &&usize| {
            self.items.get(**item).is_some_and(|item| {
                let since = item
                    .told_with
                    .filter(|_| item.appears_then)
                    .and_then(|event| self.scenario.events.get(event));
                item.not_planted.is_none()
                    && item.value.as_ref().is_some_and(|value| format.carries(value.kind()))
                    && since.is_none_or(|event| event.at <= at)
            })
        };
        let mut plants: Vec<usize> = among.iter().filter(shows).copied().collect();
        if plants.len() > PLANTS_PER_CONTACT_MAX {
            let turn = Dice::new(self.seed, &format!("plants {player} {at}")).below(plants.len());
            plants.rotate_left(turn);
            plants.truncate(PLANTS_PER_CONTACT_MAX);
        }
        plants
    }

    fn contacts(&self) -> Vec<Act> {
        let all: Vec<usize> = (0..self.items.len()).collect();
        let contact = |hit: &Hit| {
            let items = self.plants(hit.player, hit.at, &all);
            Act {
                at: hit.at,
                deed: Deed::Contact { player: hit.player, items, cause: hit.cause, again: false },
            }
        };
        self.hits.iter().map(contact).collect()
    }

    /// Networks hit before values became known show them again soon after.
    fn again(&self, shares: &[Act]) -> Vec<Act> {
        let span = self.scenario.end.since_micros(self.scenario.start) / 1_000_000;
        let soon = (span / AGAIN_PART).clamp(1, AGAIN_SECONDS_MAX);
        let first = shares.iter().map(|act| act.at).min();
        let mut acts = Vec::new();
        for (place, share) in shares.iter().enumerate() {
            let Deed::Share { items, event, .. } = &share.deed else { continue };
            let mut hits: Vec<&Hit> = self.hits.iter().filter(|hit| hit.at <= share.at).collect();
            hits.sort_by_key(|hit| hit.at);
            let mut players: Vec<usize> = Vec::new();
            for hit in &hits {
                if !players.contains(&hit.player) {
                    players.push(hit.player);
                }
            }
            if Some(share.at) == first && event.is_none() {
                players.truncate(AGAIN_MEMBERS_MAX);
            } else {
                players =
                    Dice::new(self.seed, &format!("again {place}")).choose(&players, AGAIN_LATER_MEMBERS_MAX);
            }
            let at = share.at.plus_seconds(soon);
            for player in players {
                let of_event = event.map(Cause::Event);
                let of_hit = hits.iter().rev().find(|hit| hit.player == player).map(|hit| hit.cause);
                let (Some(cause), items) = (of_event.or(of_hit), self.plants(player, at, items)) else {
                    continue;
                };
                if !items.is_empty() {
                    acts.push(Act { at, deed: Deed::Contact { player, items, cause, again: true } });
                }
            }
        }
        acts
    }

    fn tellings(&self, end: Timestamp) -> Vec<Act> {
        let mut order: Vec<usize> = (0..self.fates.len()).collect();
        order.sort_by_key(|event| self.scenario.events.get(*event).map(|event| event.at));
        order
            .into_iter()
            .filter_map(|event| {
                let at = match self.fates.get(event)?.telling {
                    Telling::History => self.scenario.start,
                    Telling::InTime => self.scenario.events.get(event)?.at,
                    Telling::Aftermath => end,
                };
                Some(Act { at, deed: Deed::Tell { event } })
            })
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::intel;
    use super::super::scenario::tests::{of, wannacry};
    use super::*;
    use proptest::prelude::*;

    pub(crate) struct Written {
        pub(crate) scenario: Scenario,
        pub(crate) cast: Cast,
        pub(crate) items: Vec<Item>,
        pub(crate) script: Script,
    }

    pub(crate) fn written(scenario: Scenario, seed: u64) -> Written {
        let atlas = Atlas::built_in().unwrap();
        let cast = atlas.cast(&scenario);
        let items = intel::items(&scenario, &mut Vec::new());
        let script = write(&scenario, &atlas, &cast, &items, seed);
        Written { scenario, cast, items, script }
    }

    impl Written {
        fn contacts(&self) -> Vec<(Timestamp, &str, Cause, bool, &[usize])> {
            let contact = |act: &'_ Act| match &act.deed {
                Deed::Contact { player, items, cause, again } => {
                    Some((act.at, *player, *cause, *again, items.clone()))
                }
                _ => None,
            };
            let found: Vec<_> = self.script.acts.iter().filter_map(contact).collect();
            found
                .into_iter()
                .zip(self.script.acts.iter().filter_map(|act| match &act.deed {
                    Deed::Contact { items, .. } => Some(items.as_slice()),
                    _ => None,
                }))
                .map(|((at, player, cause, again, _), items)| {
                    (at, self.cast.players[player].label(), cause, again, items)
                })
                .collect()
        }

        fn shares(&self) -> Vec<(Timestamp, &str, usize)> {
            let share = |act: &Act| match &act.deed {
                Deed::Share { by, items, .. } => Some((act.at, *by, items.len())),
                _ => None,
            };
            let shares = self.script.acts.iter().filter_map(share);
            shares.map(|(at, by, count)| (at, self.cast.players[by].label(), count)).collect()
        }

        fn told(&self) -> usize {
            self.script.acts.iter().filter(|act| matches!(act.deed, Deed::Tell { .. })).count()
        }
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_weekend_is_played_as_it_was() {
        let written = written(wannacry(), 1);
        assert_eq!(written.script.first_activity, Some(time("2017-05-12T07:24:00Z")));
        let shares = written.shares();
        assert_eq!(shares[0], (time("2017-05-12T07:54:00Z"), "ES", 30));
        assert_eq!(shares[1], (time("2017-05-12T15:08:04Z"), "ES", 1));
        assert_eq!(shares[2..].iter().map(|(_, _, count)| *count).sum::<usize>(), 3);
        let contacts = written.contacts();
        let firsts: Vec<&str> =
            contacts.iter().filter(|contact| !contact.3).map(|contact| contact.1).collect();
        assert_eq!(firsts[..4], ["ES", "ES", "ES", "GB"]);
        for member in ["FR", "SI", "DE", "US", "JP"] {
            assert!(firsts.contains(&member), "{member}");
        }
        assert_eq!(contacts.iter().find(|contact| contact.3).unwrap().1, "ES");
        assert_eq!(written.told(), 20);
        assert_eq!(written.script.fates[0].telling, Telling::History);
        assert_eq!(written.script.fates[19].telling, Telling::Aftermath);
        // Evidence and wallets are nowhere in telemetry, and a variant's name is not there before the variant.
        for (at, _, _, _, items) in &contacts {
            for item in items.iter().map(|item| &written.items[*item]) {
                assert_eq!(item.not_planted, None);
                assert!(!item.appears_then || *at >= time("2017-05-14T00:00:00Z"), "{}", item.shown);
            }
        }
    }

    #[test]
    fn an_hour_with_days_and_no_kill_switch() {
        let written = written(
            of(r#"{"window":["2021-03-01T10:00:00Z","2021-03-01T11:00:00Z"],
                "events":[{"t":"2021-03-01T10:10:00Z","precision":"minutes","kind":"victim","where":"PL"},
                          {"t":"2021-03-01","precision":"day","kind":"victim","where":"CZ"},
                          {"t":"2021-03-01T10:20:00Z","kind":"lunch","where":"RU"}],
                "indicators":[{"type":"ip","value":"198.51.100.7","role":"malicious"}]}"#),
            7,
        );
        assert_eq!(written.script.first_activity, Some(time("2021-03-01T10:10:00Z")));
        assert_eq!(written.shares(), [(time("2021-03-01T10:10:36Z"), "PL", 1)]);
        assert_eq!(written.script.fates[1].telling, Telling::History, "a day that began before the window");
        assert_eq!(written.script.fates[2].meaning, Meaning::Unknown);
        assert!(written.script.fates[2].players.is_empty() && written.script.fates[2].outside.is_empty());
        let (again, later): (Vec<_>, Vec<_>) = written.contacts().into_iter().partition(|contact| contact.3);
        assert_eq!((again.len(), again[0].1), (1, "PL"));
        assert!(later.len() > 3 && later.iter().all(|contact| contact.0 <= time("2021-03-01T11:00:00Z")));
    }

    #[test]
    fn months_with_victims_and_no_events() {
        let written = written(
            of(
                r#"{"window":["2020-03","2020-12"],"victims":[{"country":"US"},{"country":"GB"},{"country":"IR"}],
                "indicators":[{"type":"domain","value":"a.example","role":"suspect"},{"type":"sha1","value":"nonsense","role":"malicious"}]}"#,
            ),
            3,
        );
        assert_eq!(written.script.assumed.iter().filter(|assumed| assumed.victim).count(), 2);
        assert_eq!(Some(written.script.assumed[0].at), written.script.first_activity);
        assert_eq!(written.shares().len(), 1);
        assert_eq!(written.shares()[0].1, "US");
        assert!(written.contacts().iter().all(|contact| contact.4.len() == 1));
    }

    #[test]
    fn victims_outside_alone() {
        let written = written(
            of(r#"{"events":[{"t":"2022-01-01T00:00:00Z","kind":"victim","where":"KZ"}],
                "indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#),
            1,
        );
        assert_eq!(written.script.fates[0].outside, ["KZ"]);
        assert_eq!(written.shares()[0].1, "Alliance duty office");
        assert!(
            !written.contacts().is_empty()
                && written.contacts().iter().all(|contact| matches!(contact.2, Cause::Assumed(_)))
        );
    }

    #[test]
    fn nothing_to_play() {
        let empty = written(of("{}"), 1);
        assert_eq!((empty.script.first_activity, empty.script.acts.len()), (None, 0));
        let unhit =
            written(of(r#"{"indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#), 1);
        assert!(unhit.script.acts.is_empty());
        let unarmed = written(of(r#"{"victims":[{"country":"FR"}]}"#), 1);
        assert!(unarmed.shares().is_empty() && unarmed.contacts().iter().all(|contact| contact.4.is_empty()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_same_seed_writes_the_same_script_in_order(
            seed in any::<u64>(),
            events in proptest::collection::vec(
                (0i64..2_000_000, "victim|first_activity|variant|killswitch|count|[a-z]{0,6}", "GB|FR/SI|RU|Europe|global||[a-zA-Z]{0,4}"), 0..12),
            roles in proptest::collection::vec("malicious|killswitch_do_not_block|suspect|evidence|[a-z]{0,5}", 0..60),
        ) {
            let start = time("2017-05-01T00:00:00Z");
            let events: Vec<_> = events.iter()
                .map(|(seconds, kind, place)| serde_json::json!({"t": start.plus_seconds(*seconds).to_string(), "kind": kind, "where": place, "text": "v7.ex..."}))
                .collect();
            let indicators: Vec<_> = roles.iter().enumerate()
                .map(|(index, role)| serde_json::json!({"type": "domain", "value": format!("v{index}.example"), "role": role}))
                .collect();
            let json = serde_json::json!({"window": ["2017-05-02", "2017-05-15"], "events": events, "indicators": indicators}).to_string();
            let (one, two) = (written(of(&json), seed), written(of(&json), seed));
            prop_assert_eq!(&one.script, &two.script);
            prop_assert!(one.script.acts.is_sorted_by_key(|act| act.at));
            prop_assert_eq!(one.told(), events.len());
            prop_assert_eq!(one.script.fates.len(), events.len());
            // What is shared is shared once; what is planted was published; nothing lies after the end.
            let mut shared = BTreeSet::new();
            for act in &one.script.acts {
                prop_assert!(act.at >= one.scenario.start && act.at <= one.script.end);
                match &act.deed {
                    Deed::Share { items, .. } => for item in items { prop_assert!(shared.insert(*item)); },
                    Deed::Contact { items, .. } => prop_assert!(items.len() <= PLANTS_PER_CONTACT_MAX && items.iter().all(|item| *item < one.items.len())),
                    Deed::Tell { .. } => {}
                }
            }
        }
    }
}
