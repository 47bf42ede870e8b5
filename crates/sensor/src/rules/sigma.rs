//! Sigma rules, each known by its indicator's number.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shieldwall_model::time::Timestamp;
use shieldwall_sigma::load::Loader;
use shieldwall_sigma::reader::{self, Budget};

use crate::knowledge::Held;
use crate::wire::SlowRule;

/// Evaluations that are timed before a rule is judged by its budget.
const TIMED_MIN: u64 = 64;

/// Rules, compiled.
pub(super) struct Set(Arc<shieldwall_sigma::rules::Rules>);

impl Set {
    /// Compiles texts, each with the number of its indicator; tells how many of the indicators are run.
    pub(super) fn compile<'a>(
        texts: impl Iterator<Item = (u32, &'a Held, &'a str)> + Clone,
    ) -> (Option<Self>, usize) {
        let mut loader = Loader::default();
        // The number as its place: by it a match is told.
        texts.clone().for_each(|(number, _, text)| loader.text(&number.to_string(), text));
        match loader.finish() {
            Ok((rules, refused)) => {
                for one in refused.iter().filter(|one| !one.taken) {
                    let held = texts.clone().find(|(number, ..)| number.to_string() == one.place);
                    let indicator = held.map(|(_, held, _)| held.indicator.to_string());
                    tracing::warn!(indicator, code = one.code, reason = %one.reason, "a Sigma rule is not run");
                }
                let places: BTreeSet<&str> = rules.list().iter().map(|rule| rule.place.as_str()).collect();
                let run = places.len();
                ((run > 0).then(|| Self(Arc::new(rules))), run)
            }
            Err(error) => {
                tracing::error!(%error, code = error.code(), "no Sigma rule is run");
                (None, 0)
            }
        }
    }
}

/// Holds lines against a set.
pub(super) struct Reader {
    set: Arc<Set>,
    reader: reader::Reader,
}

impl Reader {
    /// A reader that times some events, and sets rules aside that are slower than `budget` on average.
    pub(super) fn new(set: Arc<Set>, budget: Option<Duration>) -> Self {
        let start = Instant::now();
        let stopwatch = move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut reader = reader::Reader::new(Arc::clone(&set.0)).timed(Box::new(stopwatch));
        if let Some(budget) = budget {
            let nanoseconds_max = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
            reader = reader.within(Budget { nanoseconds_max, timed_min: TIMED_MIN });
        }
        Self { set, reader }
    }

    /// Tells of each match the indicator's number and when it was. A line that is no event was counted where it was
    /// matched.
    pub(super) fn line(&mut self, line: &[u8], now: Timestamp, each: &mut dyn FnMut(u32, Option<Timestamp>)) {
        let _ = self.reader.line_at(line, Some(now), &mut |found| {
            if let Ok(number) = found.rule.place.parse() {
                each(number, found.time);
            }
        });
    }

    /// Rules that are no longer asked.
    pub(super) fn set_aside(&self) -> u64 {
        u64::try_from(self.reader.set_aside().count()).unwrap_or(u64::MAX)
    }

    /// What rules have cost: microseconds in all, the number, the details.
    pub(super) fn costs(&self) -> impl Iterator<Item = (f64, u32, SlowRule)> {
        let asked = self.reader.costs().iter().zip(self.set.0.list());
        asked.filter(|(cost, _)| cost.evaluated > 0).filter_map(|(cost, rule)| {
            let microseconds = cost.mean_nanoseconds() as f64 / 1e3;
            let (evaluations, matches) = (cost.evaluated, cost.matched);
            let slow = SlowRule { evaluations, matches, microseconds, ..SlowRule::default() };
            Some((microseconds * cost.evaluated as f64, rule.place.parse().ok()?, slow))
        })
    }
}
