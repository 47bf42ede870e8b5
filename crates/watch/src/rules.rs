//! Many patterns asked of a stream of events: candidate and stateful tier.
//!
//! A [`RuleSet`] holds compiled patterns and what must be met before one is worth evaluating, its *wakes*: values of
//! a kind a watchlist knows, which the caller lists in its exact table ([`RuleSet::values`]), and texts, which
//! [`Texts`] finds in the raw line. Every test of a pattern (what stands in brackets) is woken by itself. A pattern
//! with a test that requires no such thing is refused, or taken into a small number of *unbound* ones, which are asked
//! of every event under a budget.
//!
//! A [`Stream`] keeps what the patterns that span several observations have seen, in bounded windows. Its answer is the
//! one [`Program::evaluate`] would give on all events that were not late or evicted; both are counted.
//!
//! `=` and `IN` on a kind a watchlist knows mean what they mean there: an address may be listed as a network, names
//! below a domain count, spelling is normalised. Everything else compares what the event says, as the standard does.
//!
//! ```
//! use std::sync::Arc;
//! use shieldwall_watch::rules::{Event, RuleSet, Stream};
//!
//! let (set, refused) = RuleSet::build(
//!     [(7, "[process:command_line LIKE '%-enc SQBF%'] FOLLOWEDBY [url:value MATCHES '/gate[.]php$']")], 0);
//! assert!(refused.is_empty());
//! let set = Arc::new(set);
//! let mut stream = Stream::new(Arc::clone(&set), 60);
//! let mut matched = Vec::new();
//! for (time, path, text) in [
//!     ("2026-01-01T00:00:00Z", "process:command_line", "powershell -enc SQBFAFgA"),
//!     ("2026-01-01T00:00:09Z", "url:value", "http://evil.example/gate.php"),
//! ] {
//!     let mut woken = Vec::new();
//!     set.texts().scan(text.as_bytes(), &mut |wake, _| woken.push(wake));
//!     let mut event = Event::default();
//!     event.tell(path, text);
//!     stream.observe(&event.observation(time.parse()?), &woken, &mut |found| matched.push(found.rule));
//! }
//! assert_eq!(matched, [7]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;
mod require;
mod stream;
mod texts;

use hashbrown::HashMap;

pub use event::Event;
pub use stream::{Match, RuleStats, Stream, StreamStats};
pub use texts::Texts;

use crate::pattern::{self as language, EvaluateError, PatternError, Program};
use crate::value::Value;
use require::Wake;

/// Why a pattern was not taken into a set.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
pub enum RuleError {
    /// Not a pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Not one this engine runs.
    #[error(transparent)]
    Run(#[from] EvaluateError),
    /// Nothing has to be met before it is evaluated, and no more such patterns are taken.
    #[error(
        "the test at byte {at} requires no value and no text of four characters, so that it would be asked of every event; \
         add one with AND, or allow more unbound patterns"
    )]
    Unbound {
        /// Offset of the test in bytes.
        at: usize,
    },
}

impl RuleError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pattern(error) => error.code(),
            Self::Run(error) => error.code(),
            Self::Unbound { .. } => "watch.rules.unbound",
        }
    }
}

/// A pattern that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The rule, by the caller's number.
    pub rule: u32,
    /// Why.
    pub error: RuleError,
}

/// One pattern of a set.
#[derive(Debug)]
struct Rule {
    /// The caller's number.
    id: u32,
    text: Box<str>,
    program: Program,
    /// Whether one observation is all a match takes.
    alone: bool,
    /// How long a match lasts at most, in microseconds; none if nothing bounds it.
    horizon: Option<i64>,
}

/// A test of a rule: both by number.
type Part = (u32, u32);

/// Many patterns, compiled. Immutable: a change is a new set, which [`Stream::adopt`] takes over.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// What each wake wakes.
    wakes: Vec<Vec<Part>>,
    values: Vec<(Value, u32)>,
    texts: Texts,
    unbound: Vec<Part>,
}

impl RuleSet {
    /// Compiles patterns, each with a number of the caller's. Up to `unbound` patterns are taken that nothing wakes.
    pub fn build<'a>(
        patterns: impl IntoIterator<Item = (u32, &'a str)>,
        unbound: usize,
    ) -> (Self, Vec<Refused>) {
        let (mut set, mut refused) = (Self::default(), Vec::new());
        let mut known: HashMap<Wake, u32> = HashMap::new();
        let mut left = unbound;
        for (id, text) in patterns {
            match set.add(id, text, &mut known, &mut left) {
                Ok(()) => {}
                Err(error) => refused.push(Refused { rule: id, error }),
            }
        }
        let mut texts = Vec::new();
        for (wake, number) in known {
            match wake {
                Wake::Value(value) => set.values.push((value, number)),
                Wake::Text(text) => texts.push((text, number)),
            }
        }
        set.values.sort_by_key(|(_, number)| *number);
        set.texts = Texts::new(texts);
        (set, refused)
    }

    fn add(
        &mut self,
        id: u32,
        text: &str,
        known: &mut HashMap<Wake, u32>,
        left: &mut usize,
    ) -> Result<(), RuleError> {
        let pattern = language::parse(text)?;
        let program = Program::for_telemetry(&pattern)?;
        let wanted = require::of(&pattern);
        let missing = wanted.iter().find(|(_, wakes)| wakes.is_none());
        if let Some((at, _)) = missing {
            *left = left.checked_sub(1).ok_or(RuleError::Unbound { at: *at })?;
        }
        let rule = self.rules.len() as u32;
        for (test, (_, wakes)) in (0u32..).zip(wanted) {
            let Some(wakes) = wakes else {
                self.unbound.push((rule, test));
                continue;
            };
            for wake in wakes {
                let number = *known.entry(wake).or_insert_with(|| {
                    self.wakes.push(Vec::new());
                    self.wakes.len() as u32 - 1
                });
                if let Some(parts) = self.wakes.get_mut(number as usize) {
                    parts.push((rule, test));
                }
            }
        }
        let (alone, horizon) = (program.alone(), program.horizon());
        self.rules.push(Rule { id, text: text.into(), program, alone, horizon });
        Ok(())
    }

    /// The values to list in a watchlist, each with the number of the wake it is.
    pub fn values(&self) -> impl Iterator<Item = (&Value, u32)> {
        self.values.iter().map(|(value, wake)| (value, *wake))
    }

    /// The texts to look for in raw lines.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that are asked of every event, by the caller's numbers: whoever took them should say so.
    pub fn unbound(&self) -> impl Iterator<Item = u32> {
        let mut rules: Vec<u32> = self.unbound.iter().map(|(rule, _)| *rule).collect();
        rules.dedup();
        rules.into_iter().filter_map(|rule| self.rules.get(rule as usize).map(|rule| rule.id))
    }

    /// Whether every event has to be shown to the stream, woken or not.
    pub fn wants_everything(&self) -> bool {
        !self.unbound.is_empty()
    }
}

#[cfg(test)]
mod tests;
