//! Whether observations can be given to a pattern's tests so that all of it holds: an existence check.
//!
//! A test takes one observation, none is taken twice; observed data of `number_observed` n is n observations. What
//! the operators and qualifiers ask of those taken comes down to bounds on each test's times:
//!
//! * `START a STOP b`: first < b and last ≥ a;
//! * `A FOLLOWEDBY B`: there is a moment m with first ≤ m for all of A and last ≥ m for all of B;
//! * `A WITHIN d SECONDS`: there is a moment m with last ≥ m and first ≤ m + d for all of A.
//!
//! So the moments are tried (only the times that occur matter), and for given moments it is a matching of tests
//! with observations, solved exactly. A moment that leaves some test without enough observations is given up at once.

use super::{Budget, EvaluateError};
use crate::observed::Observation;

/// When something was observed, in microseconds, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u64,
}

impl Span {
    pub(crate) fn of(observation: &Observation) -> Self {
        let (first, last) = (observation.first.as_micros(), observation.last.as_micros());
        Self { first, last, count: observation.count }
    }
}

/// A pattern over observations, with what each test accepts.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// So many different ones of these observations (by number, ascending).
    Some(Vec<u32>, u64),
    All(Vec<Plan>),
    Any(Vec<Plan>),
    Then(Box<Plan>, Box<Plan>),
    Within(Box<Plan>, i64),
    Never,
}

impl Plan {
    /// All of them.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        if parts.iter().any(|part| matches!(part, Self::Never)) { Self::Never } else { Self::All(parts) }
    }

    /// Any of them: single tests become one that accepts what any of them does.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let (mut single, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Self::Some(accepted, 1) => single.extend(accepted),
                Self::Never => {}
                other => others.push(other),
            }
        }
        if !single.is_empty() {
            single.sort_unstable();
            single.dedup();
            others.insert(0, Self::Some(single, 1));
        }
        match others.len() {
            0 => Self::Never,
            1 => others.pop().unwrap_or(Self::Never),
            _ => Self::Any(others),
        }
    }

    /// The first, then the second.
    pub(super) fn then(first: Self, second: Self) -> Self {
        match (&first, &second) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            _ => Self::Then(Box::new(first), Box::new(second)),
        }
    }

    /// All of it within so many microseconds.
    pub(super) fn within(part: Self, micros: i64) -> Self {
        match part {
            Self::Never => Self::Never,
            // One observation is within any time of itself.
            Self::Some(_, 1) => part,
            other => Self::Within(Box::new(other), micros),
        }
    }

    /// So many times, with different observations each; `None` if written out it would be too large.
    pub(super) fn times(part: Self, times: u64, most: u64) -> Option<Self> {
        if times == 1 || matches!(part, Self::Never) {
            return Some(part);
        }
        if let Some(more) = part.multiplied(times) {
            return Some(more);
        }
        if part.size().checked_mul(times).is_none_or(|size| size > most) {
            return None;
        }
        Some(Self::All((0..times).map(|_| part.clone()).collect()))
    }

    /// The same with each test wanted so many times, where no choice and no moment differs from time to time.
    fn multiplied(&self, times: u64) -> Option<Self> {
        match self {
            Self::Some(accepted, need) => Some(Self::Some(accepted.clone(), need.saturating_mul(times))),
            Self::All(parts) => {
                parts.iter().map(|part| part.multiplied(times)).collect::<Option<_>>().map(Self::All)
            }
            _ => None,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Some(..) | Self::Never => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
            Self::Then(first, second) => first.size() + second.size(),
            Self::Within(part, _) => part.size(),
        }
    }

    /// Whether it can be met.
    ///
    /// # Errors
    /// [`EvaluateError::Undecided`] when the budget ran out.
    pub(super) fn possible(&self, spans: &[Span], budget: &mut Budget) -> Result<bool, EvaluateError> {
        search(vec![Task::Visit(self)], Laid::default(), spans, budget)
    }
}

/// A test with its bounds.
#[derive(Debug, Clone)]
struct Slot<'a> {
    accepted: &'a [u32],
    need: u64,
    /// last ≥ this.
    from: i64,
    /// first ≤ this.
    until: i64,
}

/// A moment to be found. Slots are named by range.
#[derive(Debug, Clone)]
enum Moment {
    Then { left: (usize, usize), right: (usize, usize) },
    Within { slots: (usize, usize), micros: i64 },
}

impl Moment {
    fn width(&self) -> usize {
        match self {
            Self::Then { left, right } => right.1 - left.0,
            Self::Within { slots, .. } => slots.1 - slots.0,
        }
    }
}

/// A plan with its alternatives chosen.
#[derive(Debug, Clone, Default)]
struct Laid<'a> {
    slots: Vec<Slot<'a>>,
    moments: Vec<Moment>,
}

#[derive(Debug, Clone)]
enum Task<'a> {
    Visit(&'a Plan),
    /// The second half of a FOLLOWEDBY that began at this slot.
    Second(&'a Plan, usize),
    Then(usize, usize),
    Within(usize, i64),
}

fn search<'a>(
    mut tasks: Vec<Task<'a>>,
    mut laid: Laid<'a>,
    spans: &[Span],
    budget: &mut Budget,
) -> Result<bool, EvaluateError> {
    while let Some(task) = tasks.pop() {
        let here = laid.slots.len();
        match task {
            Task::Visit(Plan::Never) => return Ok(false),
            Task::Visit(Plan::Some(accepted, need)) => {
                laid.slots.push(Slot { accepted, need: *need, from: i64::MIN, until: i64::MAX });
            }
            Task::Visit(Plan::All(parts)) => tasks.extend(parts.iter().rev().map(Task::Visit)),
            Task::Visit(Plan::Then(first, second)) => {
                tasks.extend([Task::Second(second, here), Task::Visit(first)]);
            }
            Task::Second(second, start) => tasks.extend([Task::Then(start, here), Task::Visit(second)]),
            Task::Then(start, middle) => {
                laid.moments.push(Moment::Then { left: (start, middle), right: (middle, here) });
            }
            Task::Visit(Plan::Within(part, micros)) => {
                tasks.extend([Task::Within(here, *micros), Task::Visit(part)]);
            }
            Task::Within(start, micros) => {
                laid.moments.push(Moment::Within { slots: (start, here), micros });
            }
            Task::Visit(Plan::Any(parts)) => {
                // What is laid so far must stand on its own before its continuations are tried.
                if !matched(&laid.slots, spans, budget)? {
                    return Ok(false);
                }
                for part in parts {
                    budget.spend(1 + (tasks.len() + laid.slots.len()) as u64)?;
                    let mut tasks = tasks.clone();
                    tasks.push(Task::Visit(part));
                    if search(tasks, laid.clone(), spans, budget)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
        }
    }
    // Wide ones first: they bound the most.
    laid.moments.sort_by_key(|moment| std::cmp::Reverse(moment.width()));
    moments(&mut laid.slots, &laid.moments, spans, budget)
}

/// Tries the moments one after the other.
fn moments(
    slots: &mut [Slot<'_>],
    left: &[Moment],
    spans: &[Span],
    budget: &mut Budget,
) -> Result<bool, EvaluateError> {
    if !matched(slots, spans, budget)? {
        return Ok(false);
    }
    let Some((moment, rest)) = left.split_first() else { return Ok(true) };
    let (asked, by): (_, fn(&Span) -> i64) = match moment {
        Moment::Then { left, .. } => (*left, |span| span.first),
        Moment::Within { slots, .. } => (*slots, |span| span.last),
    };
    let mut times: Vec<i64> = slots
        .get(asked.0..asked.1)
        .unwrap_or_default()
        .iter()
        .flat_map(|slot| accepted(slot, spans).map(|(_, span)| by(span)))
        .collect();
    budget.spend(times.len() as u64)?;
    times.sort_unstable();
    times.dedup();
    let kept: Vec<(i64, i64)> = slots.iter().map(|slot| (slot.from, slot.until)).collect();
    for time in times {
        let mut bound = |range: (usize, usize), from: i64, until: i64| {
            for slot in slots.get_mut(range.0..range.1).unwrap_or_default() {
                slot.from = slot.from.max(from);
                slot.until = slot.until.min(until);
            }
        };
        match moment {
            Moment::Then { left, right } => {
                bound(*left, i64::MIN, time);
                bound(*right, time, i64::MAX);
            }
            Moment::Within { slots, micros } => bound(*slots, time, time.saturating_add(*micros)),
        }
        let possible = moments(slots, rest, spans, budget)?;
        for (slot, (from, until)) in slots.iter_mut().zip(&kept) {
            (slot.from, slot.until) = (*from, *until);
        }
        if possible {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The observations a slot accepts within its bounds.
fn accepted<'a>(slot: &'a Slot<'_>, spans: &'a [Span]) -> impl Iterator<Item = (u32, &'a Span)> {
    let span = |number: &u32| spans.get(*number as usize).map(|span| (*number, span));
    slot.accepted
        .iter()
        .filter_map(span)
        .filter(|(_, span)| span.last >= slot.from && span.first <= slot.until)
}

/// Whether every slot can be given as many observations as it needs, none to two.
fn matched(slots: &[Slot<'_>], spans: &[Span], budget: &mut Budget) -> Result<bool, EvaluateError> {
    let wanted = slots.iter().fold(0u64, |sum, slot| sum.saturating_add(slot.need));
    let mut tight = Vec::new();
    for slot in slots {
        budget.spend(1 + slot.accepted.len() as u64)?;
        let supply = accepted(slot, spans).fold(0u64, |sum, (_, span)| sum.saturating_add(span.count));
        if supply < slot.need {
            return Ok(false);
        }
        // A slot that accepts more than all slots together need finds its own whatever the others took.
        if supply < wanted {
            tight.push(slot);
        }
    }
    if tight.is_empty() {
        return Ok(true);
    }
    budget.spend(spans.len() as u64)?;
    tight.sort_by_key(|slot| slot.accepted.len());
    let mut given = Given { spans, taken: vec![Vec::new(); spans.len()], tight: &tight };
    for (number, slot) in tight.iter().enumerate() {
        let mut need = slot.need;
        while need > 0 {
            let more = given.more(number, need, budget)?;
            if more == 0 {
                return Ok(false);
            }
            need -= more;
        }
    }
    Ok(true)
}

/// Who took how many of each observation.
struct Given<'a> {
    spans: &'a [Span],
    taken: Vec<Vec<(usize, u64)>>,
    tight: &'a [&'a Slot<'a>],
}

impl Given<'_> {
    fn left(&self, observation: u32) -> u64 {
        let taken =
            self.taken.get(observation as usize).map_or(0, |by| by.iter().map(|(_, count)| count).sum());
        self.spans.get(observation as usize).map_or(0, |span| span.count.saturating_sub(taken))
    }

    fn give(&mut self, observation: u32, slot: usize, count: u64) {
        let Some(by) = self.taken.get_mut(observation as usize) else { return };
        match by.iter_mut().find(|(who, _)| *who == slot) {
            Some((_, had)) => *had += count,
            None => by.push((slot, count)),
        }
    }

    fn withdraw(&mut self, observation: u32, slot: usize, count: u64) {
        let Some(by) = self.taken.get_mut(observation as usize) else { return };
        if let Some((_, had)) = by.iter_mut().find(|(who, _)| *who == slot) {
            *had -= count;
        }
        by.retain(|(_, count)| *count > 0);
    }

    /// Finds up to `need` more for a slot, others giving way where they have a choice (a shortest augmenting path).
    fn more(&mut self, slot: usize, need: u64, budget: &mut Budget) -> Result<u64, EvaluateError> {
        // For each slot on the way: the slot before it and the observation handed over.
        let mut came: Vec<Option<(usize, u32)>> = vec![None; self.tight.len()];
        let mut seen = vec![false; self.spans.len()];
        let mut queue = std::collections::VecDeque::from([slot]);
        while let Some(at) = queue.pop_front() {
            let Some(asking) = self.tight.get(at) else { continue };
            budget.spend(asking.accepted.len() as u64)?;
            for (observation, _) in accepted(asking, self.spans) {
                match seen.get_mut(observation as usize) {
                    Some(seen) if !*seen => *seen = true,
                    _ => continue,
                }
                let left = self.left(observation);
                if left > 0 {
                    return Ok(self.hand_over(slot, at, observation, need.min(left), &came));
                }
                for (holder, _) in self.taken.get(observation as usize).into_iter().flatten() {
                    if *holder != slot
                        && let Some(unseen @ None) = came.get_mut(*holder)
                    {
                        *unseen = Some((at, observation));
                        queue.push_back(*holder);
                    }
                }
            }
        }
        Ok(0)
    }

    fn hand_over(
        &mut self,
        slot: usize,
        end: usize,
        free: u32,
        most: u64,
        came: &[Option<(usize, u32)>],
    ) -> u64 {
        let held = |given: &Self, who: usize, observation: u32| {
            let by = given.taken.get(observation as usize);
            by.and_then(|by| by.iter().find(|(holder, _)| *holder == who)).map_or(0, |(_, count)| *count)
        };
        let (mut count, mut at) = (most, end);
        while at != slot {
            let Some(Some((before, observation))) = came.get(at) else { break };
            count = count.min(held(self, at, *observation));
            at = *before;
        }
        let (mut at, mut gained) = (end, free);
        loop {
            self.give(gained, at, count);
            if at == slot {
                return count;
            }
            let Some(Some((before, observation))) = came.get(at) else { return count };
            self.withdraw(*observation, at, count);
            (at, gained) = (*before, *observation);
        }
    }
}
