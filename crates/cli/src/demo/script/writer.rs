//! Who is hit when, who shares what, and what shows where: the writer behind [`super::write`].

use std::collections::BTreeSet;

use shieldwall_model::id::{Entropy, RepeatableEntropy};
use shieldwall_model::time::Timestamp;

use super::super::cast::{Atlas, Cast, Place};
use super::super::intel::Item;
use super::super::kinds::{Meaning, meaning};
use super::super::scenario::Scenario;
use super::{Act, Assumed, Cause, Deed, Fate, Telling};

/// How long analysis takes from a member's first contact to its sharing what it found, in seconds, at most.
const ANALYSIS_SECONDS_MAX: i64 = 30 * 60;
/// The same as a share of the window: one part in so many.
const ANALYSIS_PART: i64 = 100;
/// How long after values become known an infected network shows them again, in seconds, at most.
const AGAIN_SECONDS_MAX: i64 = 5 * 60;
/// The same as a share of the window: one part in so many.
const AGAIN_PART: i64 = 400;
/// Most values one contact carries.
pub(super) const PLANTS_PER_CONTACT_MAX: usize = 40;
/// Most members that show newly known values again.
const AGAIN_MEMBERS_MAX: usize = 6;
/// The same for values that become known after the first.
const AGAIN_LATER_MEMBERS_MAX: usize = 2;
/// Most members a victim event without a nation is put down to.
const VAGUE_MEMBERS_MAX: usize = 3;

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

/// See the module.
pub(super) struct Writer<'a> {
    scenario: &'a Scenario,
    cast: &'a Cast,
    items: &'a [Item],
    seed: u64,
    /// Players the scenario names as victims, in its order.
    victims: Vec<usize>,
    pub(super) fates: Vec<Fate>,
    hits: Vec<Hit>,
    pub(super) assumed: Vec<Assumed>,
    /// The places of each event.
    places: Vec<Vec<Place>>,
    /// Whether the scenario hits anybody, member or not.
    anybody: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        atlas: &'a Atlas,
        cast: &'a Cast,
        items: &'a [Item],
        seed: u64,
    ) -> Self {
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
            places: Vec::new(),
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
        writer.places = places;
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
    pub(super) fn first_activity(&self) -> Option<Timestamp> {
        let told = self.scenario.events.iter().zip(&self.fates).filter(|(_, fate)| {
            fate.telling == Telling::InTime
                && (fate.meaning == Meaning::First || !fate.players.is_empty() || !fate.outside.is_empty())
        });
        let first = told.map(|(event, _)| event.at).min();
        let span = self.scenario.end.since_micros(self.scenario.start);
        first.or_else(|| self.anybody.then(|| self.scenario.start.plus_micros(span / 50)))
    }

    /// Hits victims no event tells of, each at a time of its own; the very first, if nobody is hit otherwise, at once.
    pub(super) fn assume_victims(&mut self, first: Timestamp) {
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
    pub(super) fn assume_further(&mut self, known: Timestamp) {
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
    pub(super) fn shares(&self, first: Timestamp) -> Vec<Act> {
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
            // Whoever found it tells of it, where the scenario names one member.
            let finder = match event.and_then(|event| self.places.get(event)).map(Vec::as_slice) {
                Some([Place::Nation(code)]) => self.cast.of_country(code),
                _ => None,
            };
            let by = finder.unwrap_or(by);
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

    pub(super) fn contacts(&self) -> Vec<Act> {
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
    pub(super) fn again(&self, shares: &[Act]) -> Vec<Act> {
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

    pub(super) fn tellings(&self, end: Timestamp) -> Vec<Act> {
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
