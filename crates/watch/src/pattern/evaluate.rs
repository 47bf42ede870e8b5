//! A pattern made ready to be asked of observations, and its verdict.

use shieldwall_model::limits::{PATTERN_REPEATED_MAX, PATTERN_STEPS_MAX};
use shieldwall_model::time::Timestamp;

use super::check::Tree;
use super::solve::{Plan, Span};
use super::tree::{Observation as Expression, Pattern, Qualifier};
use crate::observed::Observation;

/// Why a valid pattern was not evaluated.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
pub enum EvaluateError {
    /// Something this engine does not run.
    #[error("the pattern is valid, but cannot be run (byte {at}): {why}")]
    Beyond {
        /// Offset in bytes.
        at: usize,
        /// What cannot be run, and why.
        why: String,
    },
    /// It would take too long to tell.
    #[error(
        "whether the pattern matches was not found out within the limit of steps; ask it of fewer observations"
    )]
    Undecided,
}

impl EvaluateError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Beyond { .. } => "watch.pattern.beyond",
            Self::Undecided => "watch.pattern.undecided",
        }
    }
}

/// Steps a look at one observation takes, generously.
const STEPS_PER_LOOK: u64 = 1_000;

/// How many steps an evaluation may still take.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    /// So many steps.
    pub(crate) fn of(steps: u64) -> Self {
        Self(steps)
    }

    /// How many are left.
    pub(crate) fn left(&self) -> u64 {
        self.0
    }

    /// Takes so many steps.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), EvaluateError> {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.map(|_| ()).ok_or(EvaluateError::Undecided)
    }
}

/// An expression over observations, with its tests by number.
#[derive(Debug, Clone)]
enum Node {
    Test(usize),
    And(Vec<Node>),
    Or(Vec<Node>),
    FollowedBy(Vec<Node>),
    Within(Box<Node>, i64),
    Repeats(Box<Node>, u64),
    StartStop(Box<Node>, i64, i64),
}

impl Node {
    fn alone(&self) -> bool {
        match self {
            Self::Test(_) => true,
            Self::Or(all) => all.iter().all(Self::alone),
            Self::Within(of, _) | Self::StartStop(of, ..) | Self::Repeats(of, 1) => of.alone(),
            Self::And(_) | Self::FollowedBy(_) | Self::Repeats(..) => false,
        }
    }

    fn horizon(&self) -> Option<i64> {
        let at_most = |of: &Self, most: i64| of.horizon().map_or(most, |horizon| horizon.min(most));
        match self {
            Self::Test(_) => Some(0),
            Self::Or(all) => {
                all.iter().map(Self::horizon).try_fold(0, |most, horizon| Some(most.max(horizon?)))
            }
            Self::Within(of, micros) => Some(at_most(of, *micros)),
            Self::StartStop(of, start, stop) => Some(at_most(of, stop.saturating_sub(*start).max(0))),
            Self::Repeats(of, 1) => of.horizon(),
            Self::And(_) | Self::FollowedBy(_) | Self::Repeats(..) => None,
        }
    }
}

/// A pattern made ready to be evaluated.
///
/// ```
/// use shieldwall_watch::{observed, pattern::{self, Program}};
/// let program = Program::new(&pattern::parse("[file:size > 1000] REPEATS 2 TIMES")?)?;
/// let seen = observed::read(br#"{"type":"observed-data","first_observed":"2026-01-01T00:00:00Z",
///     "last_observed":"2026-01-01T00:00:05Z","number_observed":2,"objects":{"0":{"type":"file","size":1001}}}"#)?;
/// assert!(program.evaluate(&seen)?.matched);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    tests: Vec<(usize, Tree)>,
    root: Node,
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the pattern matches.
    pub matched: bool,
    /// For each test (what stands within brackets), in order: where it starts in the pattern, in bytes, and the
    /// observations it accepts, by number.
    pub tests: Vec<(usize, Vec<u32>)>,
}

impl Program {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`EvaluateError::Beyond`] for a regular expression beyond linear time or its limits, a literal that is no
    /// network where one is needed, and a set of mixed types.
    pub fn new(pattern: &Pattern) -> Result<Self, EvaluateError> {
        Self::compile(pattern, false)
    }

    /// The same for events of telemetry: `=` and `IN` on kinds a watchlist knows mean what they mean there.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_telemetry(pattern: &Pattern) -> Result<Self, EvaluateError> {
        Self::compile(pattern, true)
    }

    fn compile(pattern: &Pattern, listed: bool) -> Result<Self, EvaluateError> {
        let mut tests = Vec::new();
        let root = node(&pattern.root, listed, &mut tests)?;
        Ok(Self { tests, root })
    }

    /// Whether one observation is all a match takes.
    pub(crate) fn alone(&self) -> bool {
        self.root.alone()
    }

    /// How long a match lasts at most, in microseconds, if something bounds it.
    pub(crate) fn horizon(&self) -> Option<i64> {
        self.root.horizon()
    }

    /// Whether the pattern matches these observations.
    ///
    /// # Errors
    /// [`EvaluateError::Undecided`] past `PATTERN_STEPS_MAX` steps, and a thousand for each test and observation.
    pub fn evaluate(&self, observations: &[Observation]) -> Result<Verdict, EvaluateError> {
        // Looking at every observation once is no excess, however many there are.
        let looks = (self.tests.len() as u64).saturating_mul(observations.len() as u64);
        let mut budget = Budget::of(PATTERN_STEPS_MAX.saturating_add(looks.saturating_mul(STEPS_PER_LOOK)));
        let spans: Vec<Span> = observations.iter().map(Span::of).collect();
        let mut tests: Vec<Vec<u32>> = Vec::with_capacity(self.tests.len());
        for (_, tree) in &self.tests {
            let mut accepted = Vec::new();
            for (number, observation) in (0u32..).zip(observations) {
                if tree.holds(observation, &mut budget)? {
                    accepted.push(number);
                }
            }
            tests.push(accepted);
        }
        let matched = self.possible(&spans, &tests, &mut Budget::of(PATTERN_STEPS_MAX))?;
        let tests = self.tests.iter().map(|(at, _)| *at).zip(tests).collect();
        Ok(Verdict { matched, tests })
    }

    /// How many tests there are.
    pub(crate) fn tests(&self) -> usize {
        self.tests.len()
    }

    /// Whether a test accepts an observation.
    pub(crate) fn accepts(
        &self,
        test: u32,
        observation: &Observation,
        budget: &mut Budget,
    ) -> Result<bool, EvaluateError> {
        match self.tests.get(test as usize) {
            Some((_, tree)) => tree.holds(observation, budget),
            None => Ok(false),
        }
    }

    /// Whether observations of these times, accepted so by the tests, make the pattern match.
    pub(crate) fn possible(
        &self,
        spans: &[Span],
        accepted: &[Vec<u32>],
        budget: &mut Budget,
    ) -> Result<bool, EvaluateError> {
        let available = spans.iter().fold(0u64, |sum, span| sum.saturating_add(span.count));
        let layout = Layout { spans, accepted, available };
        layout.plan(&self.root, &[])?.possible(spans, budget)
    }
}

/// Lays a pattern out over observations.
struct Layout<'a> {
    spans: &'a [Span],
    accepted: &'a [Vec<u32>],
    available: u64,
}

impl Layout<'_> {
    /// `times` are the START … STOP around this node.
    fn plan(&self, node: &Node, times: &[(i64, i64)]) -> Result<Plan, EvaluateError> {
        let parts = |all: &[Node]| all.iter().map(|one| self.plan(one, times)).collect::<Result<Vec<_>, _>>();
        Ok(match node {
            Node::Test(number) => {
                let fits = |number: &u32| {
                    self.spans.get(*number as usize).is_some_and(|span| {
                        times
                            .iter()
                            .all(|(start, stop)| start < stop && span.first < *stop && span.last >= *start)
                    })
                };
                let accepted = self.accepted.get(*number).into_iter().flatten();
                match accepted.copied().filter(fits).collect::<Vec<_>>() {
                    none if none.is_empty() => Plan::Never,
                    some => Plan::Some(some, 1),
                }
            }
            Node::And(all) => Plan::all(parts(all)?),
            Node::Or(all) => Plan::any(parts(all)?),
            Node::FollowedBy(all) => {
                // From left to right: what came before, all of it, is no later than what follows.
                let mut parts = parts(all)?.into_iter();
                let first = parts.next().unwrap_or(Plan::Never);
                parts.fold(first, Plan::then)
            }
            Node::Within(of, micros) => Plan::within(self.plan(of, times)?, *micros),
            Node::Repeats(_, count) if *count > self.available => Plan::Never,
            Node::Repeats(of, count) => Plan::times(self.plan(of, times)?, *count, PATTERN_REPEATED_MAX)
                .ok_or(EvaluateError::Undecided)?,
            Node::StartStop(of, start, stop) => self.plan(of, &[times, &[(*start, *stop)]].concat())?,
        })
    }
}

fn node(from: &Expression, listed: bool, tests: &mut Vec<(usize, Tree)>) -> Result<Node, EvaluateError> {
    let mut all =
        |all: &[Expression]| all.iter().map(|one| node(one, listed, tests)).collect::<Result<Vec<_>, _>>();
    Ok(match from {
        Expression::Test(comparison) => {
            tests.push((comparison.at(), Tree::of(comparison, listed)?));
            Node::Test(tests.len() - 1)
        }
        Expression::And(parts) => Node::And(all(parts)?),
        Expression::Or(parts) => Node::Or(all(parts)?),
        Expression::FollowedBy(parts) => Node::FollowedBy(all(parts)?),
        Expression::Qualified { of, by, at } => {
            let of = Box::new(node(of, listed, tests)?);
            match by {
                // A float beyond the range becomes its end.
                Qualifier::Within(seconds) => Node::Within(of, (seconds * 1e6).round() as i64),
                Qualifier::Repeats(times) => Node::Repeats(of, *times),
                Qualifier::StartStop(start, stop) => {
                    let time = |text: &str| {
                        let why = |error: shieldwall_model::time::TimestampError| error.to_string();
                        let time = Timestamp::parse(text).map(Timestamp::as_micros);
                        time.map_err(|error| EvaluateError::Beyond { at: *at, why: why(error) })
                    };
                    Node::StartStop(of, time(start)?, time(stop)?)
                }
            }
        }
    })
}
