//! Rules this sensor runs itself: STIX patterns that are more than values, and Sigma rules.
//!
//! [`Rules`] are compiled once a change and shared by all that match; an [`Engine`] is what one thread has seen of
//! events so far. What patterns require is part of the watchlist: a number from [`WAKES`] on there is no indicator but
//! something that wakes patterns, so that one scan serves both. Rules are asked in the order events were read, on the
//! thread that reads, because what several events make together depends on it.

mod sigma;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shieldwall_model::time::Timestamp;
use shieldwall_watch::mapping::{Format, Mapping, Teller};
use shieldwall_watch::rules::{Event, RuleSet, Stream};
use shieldwall_watch::value::Value;
use shieldwall_watch::watchlist::Watchlist;

use crate::knowledge::Held;
use crate::matching::event_time;
use crate::wire::{ShedCounts, SlowRule};

/// From here on a number in the watchlist wakes patterns.
pub(crate) const WAKES: u32 = 1 << 31;
/// Most rules that are named as slow.
const SLOW_RULES_MAX: usize = 10;

/// Rules, compiled.
#[derive(Default)]
pub(crate) struct Rules {
    patterns: Arc<RuleSet>,
    sigma: Option<Arc<sigma::Set>>,
    /// How many indicators are run as rules.
    pub(crate) run: u64,
    /// How many cannot be.
    pub(crate) left_out: u64,
}

/// What is matched by, as of one moment.
pub(crate) struct Armed {
    pub(crate) list: Arc<Watchlist>,
    pub(crate) rules: Arc<Rules>,
}

/// Whether rules of this language are run here.
pub(crate) fn is_run(kind: &str) -> bool {
    matches!(kind, "stix" | "sigma")
}

impl Rules {
    /// Compiles the rules among `active`, each with its number. Up to `unbound` patterns that would have to be asked of
    /// every event are taken.
    pub(crate) fn compile<'a>(active: impl Iterator<Item = (u32, &'a Held)> + Clone, unbound: usize) -> Self {
        let texts = |kind: &'static str| {
            active.clone().filter_map(move |(number, held)| {
                let rule = held.rule.as_ref().filter(|rule| rule.kind == kind)?;
                Some((number, held, rule.text.as_str()))
            })
        };
        let name = |number: u32| texts("stix").find(|(other, ..)| *other == number).map(|(_, held, _)| held);
        let stix = || texts("stix").map(|(number, _, text)| (number, text));
        let (patterns, refused) = RuleSet::build(stix(), unbound);
        for one in &refused {
            let indicator = name(one.rule).map(|held| held.indicator.to_string());
            tracing::warn!(indicator, error = %one.error, code = one.error.code(), "a pattern is not run");
        }
        let mut rules =
            Self { run: count(patterns.len()), left_out: count(refused.len()), ..Self::default() };
        rules.patterns = Arc::new(patterns);
        rules.add_sigma(texts("sigma"));
        rules
    }

    fn add_sigma<'a>(&mut self, texts: impl Iterator<Item = (u32, &'a Held, &'a str)> + Clone) {
        let all = texts.clone().count();
        if all > 0 {
            let (sigma, run) = sigma::Set::compile(texts);
            self.sigma = sigma.map(Arc::new);
            self.run += count(run);
            self.left_out += count(all.saturating_sub(run));
        }
    }

    /// The values that wake patterns, each with its number in the watchlist.
    pub(crate) fn wakes(&self) -> impl Iterator<Item = (&Value, u32)> {
        self.patterns.values().map(|(value, wake)| (value, WAKES | wake))
    }

    /// Whether there is nothing to ask.
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.sigma.is_none()
    }

    /// Adds what the texts in these lines wake, as (start of the line, wake).
    pub(crate) fn scan(&self, mapping: &Mapping, lines: &[u8], scratch: &mut Vec<u8>, woken: &mut Woken) {
        let json = mapping.format() == Format::Json;
        self.patterns.texts().scan_lines(lines, json, scratch, &mut |wake, start| woken.push((start, wake)));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// What was woken where: the start of the line in the block, and the wake.
pub(crate) type Woken = Vec<(usize, u32)>;

/// The lines of a block with where each starts; blank ones are left out.
fn each_line(lines: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    lines.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let line = line.trim_ascii_end();
        (!line.is_empty()).then_some((at, line))
    })
}

/// A rule that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleMatch {
    /// The indicator's number.
    pub(crate) number: u32,
    /// Where the line begins that made it match.
    pub(crate) line: usize,
    /// `pattern` or `sigma`.
    pub(crate) kind: &'static str,
    /// When it was.
    pub(crate) at: Timestamp,
}

/// What the rules have seen so far.
pub(crate) struct Engine {
    rules: Arc<Rules>,
    patterns: Stream,
    sigma: Option<sigma::Reader>,
    teller: Teller,
    event: Event,
    budget: Option<Duration>,
    /// Time spent on patterns, to tell what a step costs.
    spent: Duration,
    /// Of readers that were replaced.
    set_aside_before: u64,
}

impl Engine {
    /// An engine for events that come at most `lateness` out of order. Sigma rules slower than `budget` on average are
    /// set aside.
    pub(crate) fn new(lateness: Duration, budget: Option<Duration>) -> Self {
        let rules = Arc::new(Rules::default());
        let seconds = u32::try_from(lateness.as_secs()).unwrap_or(u32::MAX);
        Self {
            patterns: Stream::new(Arc::clone(&rules.patterns), seconds),
            sigma: None,
            teller: Teller::default(),
            event: Event::default(),
            budget,
            spent: Duration::ZERO,
            set_aside_before: 0,
            rules,
        }
    }

    /// Goes on with these rules.
    pub(crate) fn adopt(&mut self, rules: &Arc<Rules>) {
        if Arc::ptr_eq(&self.rules, rules) {
            return;
        }
        self.patterns.adopt(Arc::clone(&rules.patterns));
        let same = |one: &Option<Arc<_>>, other: &Option<Arc<_>>| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        if !same(&self.rules.sigma, &rules.sigma) {
            self.set_aside_before += self.set_aside();
            self.sigma = rules.sigma.as_ref().map(|set| sigma::Reader::new(Arc::clone(set), self.budget));
        }
        self.rules = Arc::clone(rules);
    }

    /// Shows a block whose lines were matched, with what they woke.
    pub(crate) fn run(
        &mut self,
        mapping: &Mapping,
        lines: &[u8],
        woken: &mut Woken,
        now: Timestamp,
        sink: &mut dyn FnMut(RuleMatch),
    ) {
        if !self.rules.patterns.is_empty() {
            let begin = Instant::now();
            self.ask_patterns(mapping, lines, woken, now, sink);
            self.spent += begin.elapsed();
        }
        // Sigma rules ask for the fields of an object by their names in it.
        if let Some(reader) = self.sigma.as_mut().filter(|_| mapping.format() == Format::Json) {
            for (start, line) in each_line(lines) {
                reader.line(line, now, &mut |number, at| {
                    sink(RuleMatch { number, line: start, kind: "sigma", at: at.unwrap_or(now) });
                });
            }
        }
    }

    fn ask_patterns(
        &mut self,
        mapping: &Mapping,
        lines: &[u8],
        woken: &mut Woken,
        now: Timestamp,
        sink: &mut dyn FnMut(RuleMatch),
    ) {
        woken.sort_unstable();
        woken.dedup();
        let mut rest = woken.as_slice();
        let everything = self.rules.patterns.wants_everything();
        let mut wakes = Vec::new();
        for (start, line) in each_line(lines) {
            let mine = rest.partition_point(|(at, _)| *at <= start);
            let (here, after) = rest.split_at_checked(mine).unwrap_or((rest, &[]));
            rest = after;
            if here.is_empty() {
                if everything {
                    self.observe(mapping, line, start, &[], now, sink);
                } else if rest.is_empty() {
                    break;
                }
                continue;
            }
            wakes.clear();
            wakes.extend(here.iter().map(|(_, wake)| *wake));
            self.observe(mapping, line, start, &wakes, now, sink);
        }
    }

    fn observe(
        &mut self,
        mapping: &Mapping,
        line: &[u8],
        start: usize,
        wakes: &[u32],
        now: Timestamp,
        sink: &mut dyn FnMut(RuleMatch),
    ) {
        let event = &mut self.event;
        if self.teller.read(mapping, line, &mut |one| event.tell(one.stix, one.text)).is_err() {
            return;
        }
        let at = self.teller.time(mapping).and_then(event_time).unwrap_or(now);
        let observation = event.observation(at);
        self.patterns.observe(&observation, wakes, &mut |found| {
            sink(RuleMatch { number: found.rule, line: start, kind: "pattern", at: found.at });
        });
    }

    fn set_aside(&self) -> u64 {
        self.sigma.as_ref().map_or(0, sigma::Reader::set_aside)
    }

    /// What was left out so far.
    pub(crate) fn shed(&self) -> ShedCounts {
        let patterns = self.patterns.stats();
        ShedCounts {
            rule_evaluations: patterns.undecided + patterns.skipped,
            rules_set_aside: self.set_aside_before + self.set_aside(),
            events_evicted: patterns.evicted,
            events_late: patterns.late,
            matches: 0,
        }
    }

    /// The rules that took the most time, the slowest first, by number.
    pub(crate) fn slow(&self) -> Vec<(u32, SlowRule)> {
        let steps: u64 = self.patterns.rules().map(|(_, stats)| stats.steps).sum();
        let microseconds_a_step = self.spent.as_secs_f64() * 1e6 / steps.max(1) as f64;
        let mut all: Vec<(f64, u32, SlowRule)> = Vec::new();
        for (number, stats) in self.patterns.rules().filter(|(_, stats)| stats.asked > 0) {
            let total = stats.steps as f64 * microseconds_a_step;
            let rule = SlowRule {
                evaluations: stats.asked,
                matches: stats.matches,
                microseconds: total / stats.asked as f64,
                shed: stats.undecided,
                ..SlowRule::default()
            };
            all.push((total, number, rule));
        }
        all.extend(self.sigma.iter().flat_map(sigma::Reader::costs));
        all.sort_by(|one, other| other.0.total_cmp(&one.0));
        all.into_iter().take(SLOW_RULES_MAX).map(|(_, number, rule)| (number, rule)).collect()
    }
}
