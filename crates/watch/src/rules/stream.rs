//! What patterns over several observations have seen so far, and whether that is a match.
//!
//! A rule keeps the observations one of its tests accepts: as long as a match may reach back (its outermost `WITHIN`,
//! or the limit), plus the lateness, in which events may come out of order. Each one that is added asks the exact
//! evaluator whether those kept make a match. A match is reported once and uses up what was kept.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use shieldwall_model::limits::{
    RULE_STEPS_PER_EVENT_MAX, RULE_WINDOW_EVENTS_MAX, RULE_WINDOW_SECONDS_MAX, RULE_WINDOWS_EVENTS_MAX,
    UNBOUND_STEPS_PER_EVENT_MAX,
};
use shieldwall_model::time::Timestamp;

use super::{Part, RuleSet};
use crate::observed::Observation;
use crate::pattern::{Budget, EvaluateError, Span};

/// A rule has matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The rule, by the caller's number.
    pub rule: u32,
    /// When the last of the observations it took was made.
    pub at: Timestamp,
    /// How many observations the rule had kept, this one among them; 1 if it speaks of one alone.
    pub observations: usize,
}

/// What one rule has done and cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleStats {
    /// Events it was asked of.
    pub asked: u64,
    /// Matches.
    pub matches: u64,
    /// Steps taken: the measure by which a slow rule is found.
    pub steps: u64,
    /// Observations given up before their time because the windows were full.
    pub evicted: u64,
    /// Times it was not found out whether it matches, for lack of steps.
    pub undecided: u64,
}

/// What a stream has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Events shown.
    pub events: u64,
    /// Matches.
    pub matches: u64,
    /// Events that came later than the lateness allows: rules over several observations did not see them.
    pub late: u64,
    /// Observations kept now.
    pub kept: usize,
    /// Observations given up before their time because the windows were full.
    pub evicted: u64,
    /// Times it was not found out whether a rule matches, for lack of steps.
    pub undecided: u64,
    /// Unbound rules that were not asked of an event, for lack of steps.
    pub skipped: u64,
}

/// An observation a rule keeps.
#[derive(Debug, Clone)]
struct Kept {
    span: Span,
    tests: Box<[u32]>,
}

/// What a rule keeps, by its last moment.
#[derive(Debug, Default)]
struct Window {
    kept: VecDeque<Kept>,
    stats: RuleStats,
}

/// The state of a set's rules over one stream of events.
#[derive(Debug)]
pub struct Stream {
    set: Arc<RuleSet>,
    windows: Vec<Window>,
    lateness: i64,
    /// The latest moment seen, in microseconds.
    latest: i64,
    stats: StreamStats,
    parts: Vec<Part>,
}

impl Stream {
    /// The start of a stream in which events come at most `lateness` seconds out of order.
    pub fn new(set: Arc<RuleSet>, lateness: u32) -> Self {
        let windows = (0..set.rules.len()).map(|_| Window::default()).collect();
        let lateness = i64::from(lateness) * 1_000_000;
        Self { set, windows, lateness, latest: i64::MIN, stats: StreamStats::default(), parts: Vec::new() }
    }

    /// Goes on with another set. Rules that are in both, by number and text, keep what they have seen.
    pub fn adopt(&mut self, set: Arc<RuleSet>) {
        let windows = std::mem::take(&mut self.windows).into_iter();
        let mut known: HashMap<(u32, &str), Window> =
            self.set.rules.iter().map(|rule| (rule.id, &*rule.text)).zip(windows).collect();
        self.windows =
            set.rules.iter().map(|rule| known.remove(&(rule.id, &*rule.text)).unwrap_or_default()).collect();
        drop(known);
        self.set = set;
        self.stats.kept = self.windows.iter().map(|window| window.kept.len()).sum();
    }

    /// The set in use.
    pub fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// What was done so far.
    pub fn stats(&self) -> StreamStats {
        self.stats
    }

    /// What each rule did so far, by the caller's numbers.
    pub fn rules(&self) -> impl Iterator<Item = (u32, RuleStats)> {
        self.set.rules.iter().zip(&self.windows).map(|(rule, window)| (rule.id, window.stats))
    }

    /// Shows an event with the wakes it was found to hold (by number, in any order, repeats do no harm).
    pub fn observe(&mut self, observation: &Observation, woken: &[u32], sink: &mut dyn FnMut(Match)) {
        self.stats.events += 1;
        let set = Arc::clone(&self.set);
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        for wake in woken {
            parts.extend(set.wakes.get(*wake as usize).into_iter().flatten());
        }
        parts.sort_unstable();
        parts.dedup();
        let last = observation.last.as_micros();
        let late = last < self.latest.saturating_sub(self.lateness);
        self.latest = self.latest.max(last);
        self.stats.late += u64::from(late);
        for same in parts.chunk_by(|one, other| one.0 == other.0) {
            self.ask(&set, same, observation, late, &mut Budget::of(RULE_STEPS_PER_EVENT_MAX), sink);
        }
        self.parts = parts;
        let mut budget = Budget::of(UNBOUND_STEPS_PER_EVENT_MAX);
        for same in set.unbound.chunk_by(|one, other| one.0 == other.0) {
            if budget.left() == 0 {
                self.stats.skipped += 1;
                continue;
            }
            self.ask(&set, same, observation, late, &mut budget, sink);
        }
    }

    /// Asks some tests of one rule.
    fn ask(
        &mut self,
        set: &RuleSet,
        parts: &[Part],
        observation: &Observation,
        late: bool,
        budget: &mut Budget,
        sink: &mut dyn FnMut(Match),
    ) {
        let Some((number, _)) = parts.first() else { return };
        let (Some(rule), Some(window)) =
            (set.rules.get(*number as usize), self.windows.get_mut(*number as usize))
        else {
            return;
        };
        let before = budget.left();
        let accepted = |budget: &mut Budget| -> Result<Vec<u32>, EvaluateError> {
            let mut accepted = Vec::new();
            for (_, test) in parts {
                if rule.program.accepts(*test, observation, budget)? {
                    accepted.push(*test);
                }
            }
            Ok(accepted)
        };
        window.stats.asked += 1;
        let span = Span::of(observation);
        let verdict = accepted(budget).and_then(|tests| {
            if tests.is_empty() || (late && !rule.alone) {
                return Ok(None);
            }
            if rule.alone {
                let one = Kept { span, tests: tests.into() };
                return Ok(possible(rule, std::iter::once(&one), budget)?.then_some(1));
            }
            let keep = rule.horizon.unwrap_or(i64::MAX).min(RULE_WINDOW_SECONDS_MAX * 1_000_000);
            let oldest = self.latest.saturating_sub(keep).saturating_sub(self.lateness);
            let full = self.stats.kept >= RULE_WINDOWS_EVENTS_MAX;
            let had = window.kept.len();
            let evicted = window.keep(Kept { span, tests: tests.into() }, oldest, full);
            window.stats.evicted += evicted;
            self.stats.evicted += evicted;
            self.stats.kept = self.stats.kept.saturating_sub(had) + window.kept.len();
            let count = window.kept.len();
            Ok(possible(rule, window.kept.iter(), budget)?.then_some(count))
        });
        match verdict {
            Ok(Some(observations)) => {
                self.stats.kept = self.stats.kept.saturating_sub(window.kept.len());
                let at = window.kept.back().map_or(span.last, |kept| kept.span.last);
                window.kept.clear();
                window.stats.matches += 1;
                self.stats.matches += 1;
                sink(Match { rule: rule.id, at: Timestamp::from_micros(at), observations });
            }
            Ok(None) => {}
            Err(_) => {
                window.stats.undecided += 1;
                self.stats.undecided += 1;
            }
        }
        window.stats.steps += before - budget.left();
    }
}

impl Window {
    /// Keeps an observation and lets go of those older than `oldest`; returns how many younger ones had to go.
    fn keep(&mut self, one: Kept, oldest: i64, full: bool) -> u64 {
        while self.kept.front().is_some_and(|kept| kept.span.last < oldest) {
            self.kept.pop_front();
        }
        let mut evicted = 0;
        if self.kept.len() >= RULE_WINDOW_EVENTS_MAX || (full && !self.kept.is_empty()) {
            self.kept.pop_front();
            evicted += 1;
        } else if full {
            // No room anywhere, and nothing of its own to give up.
            return 1;
        }
        let place = self.kept.partition_point(|kept| kept.span.last <= one.span.last);
        self.kept.insert(place, one);
        evicted
    }
}

/// Whether these observations make a rule match.
fn possible<'a>(
    rule: &super::Rule,
    kept: impl Iterator<Item = &'a Kept> + Clone,
    budget: &mut Budget,
) -> Result<bool, EvaluateError> {
    let spans: Vec<Span> = kept.clone().map(|kept| kept.span).collect();
    let mut accepted: Vec<Vec<u32>> = vec![Vec::new(); rule.program.tests()];
    for (number, kept) in (0u32..).zip(kept) {
        for test in &kept.tests {
            if let Some(by) = accepted.get_mut(*test as usize) {
                by.push(number);
            }
        }
    }
    rule.program.possible(&spans, &accepted, budget)
}
