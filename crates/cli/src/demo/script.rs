//! The play as a timed list of acts: scenario, cast and seed in, acts out. Pure, and the same for the same input.
//!
//! Who is hit by an event follows from its kind and place. What the scenario leaves open is assumed, marked as
//! assumed, and decided by the seed: who shares first and how soon, when a victim without an event of its own was
//! hit, and which further members the attack reaches later, so that it shows what a warning was worth.

#[cfg(test)]
pub(crate) mod tests;
mod writer;

use std::collections::BTreeSet;

use shieldwall_model::time::Timestamp;

use super::cast::{Atlas, Cast};
use super::intel::Item;
use super::kinds::Meaning;
use super::scenario::Scenario;
use writer::Writer;

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
