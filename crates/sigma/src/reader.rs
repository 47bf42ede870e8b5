//! Holds events against rules: one thread's scratch space and counters.

use std::sync::Arc;

use hashbrown::HashMap;
use rsigma_eval::compiler::eval_condition;
use rsigma_eval::{CompiledMatcher, EvaluationResult, EventValue, ResultBody, evaluate_rule};
use rsigma_parser::ConditionExpr;
use serde::Serialize;
use serde_json::Value;
use shieldwall_model::limits::EVENT_BYTES_MAX;
use shieldwall_model::time::Timestamp;

use crate::correlate::{Correlated, Correlator};
use crate::extract::{Slots, View, Whole};
use crate::fields::known;
use crate::literal::Test;
use crate::program::{Asked, Item, Mark, Node, Program, WHOLE};
use crate::rules::{RuleInfo, Rules};
use crate::scan::{Scanner, found};
use crate::source::{Class, Given};

/// One event in so many is timed, where there is a stopwatch.
const TIMED_EVERY: u64 = 32;
/// Bits of a stamp that are not the number of the event.
const STAMP_BITS: u32 = 4;
/// Events before stamps begin anew.
const STAMPS: u32 = 1 << (32 - STAMP_BITS);

/// Why a line was not read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Longer than an event may be.
    #[error("the line has {bytes} bytes, at most {EVENT_BYTES_MAX} are read")]
    Long {
        /// How long it is.
        bytes: usize,
    },
    /// No text.
    #[error("the line is not in UTF-8")]
    Encoding(#[from] std::str::Utf8Error),
    /// No JSON object.
    #[error("the line is not one JSON object; Sigma rules ask for fields")]
    Json(#[from] serde_json::Error),
}

impl LineError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Long { .. } => "sigma.line.long",
            Self::Encoding(_) => "sigma.line.encoding",
            Self::Json(_) => "sigma.line.json",
        }
    }
}

/// A rule that matched.
#[derive(Debug)]
pub struct Match<'m> {
    /// The rule.
    pub rule: &'m RuleInfo,
    /// Its place in [`Rules::list`].
    pub number: usize,
    /// When the event says it was.
    pub time: Option<Timestamp>,
    /// What a rule that counts found; nothing for a rule over one event.
    pub correlated: Option<Correlated>,
    event: &'m View<'m>,
    rules: &'m Rules,
}

impl Match<'_> {
    /// The fields the rule looked at in this event and what stood in them, each once, by name.
    pub fn fields(&self) -> Vec<(String, Value)> {
        if let Some(correlated) = &self.correlated {
            return correlated.group.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        }
        let found = self.rules.compiled.get(self.number).and_then(|rule| evaluate_rule(rule, self.event));
        let Some(EvaluationResult { body: ResultBody::Detection(body), .. }) = found else { return Vec::new() };
        let mut fields: Vec<_> =
            body.matched_fields.into_iter().map(|field| (field.field, field.value)).collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.dedup_by(|a, b| a.0 == b.0);
        fields
    }
}

/// What a rule has cost one reader.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Events it was evaluated for.
    pub evaluated: u64,
    /// Events it matched.
    pub matched: u64,
    /// Evaluations that were timed.
    pub timed: u64,
    /// Nanoseconds those took. What rules ask in common counts for the first that asks.
    pub nanoseconds: u64,
}

impl Cost {
    /// Nanoseconds an evaluation takes on average, of those timed.
    pub fn mean_nanoseconds(&self) -> u64 {
        self.nanoseconds.checked_div(self.timed).unwrap_or(0)
    }
}

/// How slow a rule may be before it is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most nanoseconds an evaluation may take on average.
    pub nanoseconds_max: u64,
    /// Evaluations timed before a rule is judged.
    pub timed_min: u64,
}

/// How a reader has fared.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Events read.
    pub events: u64,
    /// Events that some rule matched.
    pub events_matched: u64,
    /// Matches, those of rules that count others included.
    pub matches: u64,
    /// Lines that were none, or too long.
    pub bad_lines: u64,
    /// Rules evaluated, over all events.
    pub evaluated: u64,
    /// Events of which it could not be told where they come from, so that all rules were held against them.
    pub unplaced: u64,
}

/// Reads nanoseconds off a clock that never goes back.
pub type Stopwatch = Box<dyn Fn() -> u64 + Send>;

/// Holds events against rules.
pub struct Reader {
    rules: Arc<Rules>,
    given: Given,
    slots: Slots,
    benches: HashMap<Class, Bench>,
    correlator: Option<Correlator>,
    costs: Vec<Cost>,
    set_aside: Vec<bool>,
    stopwatch: Option<Stopwatch>,
    budget: Option<Budget>,
    figures: Figures,
    hits: Vec<u32>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reader").field("figures", &self.figures).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader that has seen nothing yet.
    pub fn new(rules: impl Into<Arc<Rules>>) -> Self {
        let rules = rules.into();
        Self {
            given: Given::default(),
            slots: Slots::new(rules.fields.len()),
            benches: HashMap::new(),
            correlator: Correlator::new(&rules.plan),
            costs: vec![Cost::default(); rules.compiled.len()],
            set_aside: vec![false; rules.compiled.len()],
            stopwatch: None,
            budget: None,
            figures: Figures::default(),
            hits: Vec::new(),
            rules,
        }
    }

    /// With what is known of where the events come from.
    #[must_use]
    pub fn given(mut self, given: Given) -> Self {
        self.given = given;
        self
    }

    /// With a stopwatch: one event in 32 is timed, so that [`Reader::costs`] tells which rules are slow.
    #[must_use]
    pub fn timed(mut self, stopwatch: Stopwatch) -> Self {
        self.stopwatch = Some(stopwatch);
        self
    }

    /// With a budget: rules slower than that are [set aside](Reader::set_aside). It needs a stopwatch.
    #[must_use]
    pub fn within(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Holds a line, one JSON object, against the rules.
    ///
    /// # Errors
    /// When the line is none; it is counted.
    pub fn line(&mut self, line: &[u8], sink: &mut dyn FnMut(&Match<'_>)) -> Result<(), LineError> {
        self.line_at(line, None, sink)
    }

    /// As [`Reader::line`], for an event that was at `at` if it does not say so itself.
    ///
    /// # Errors
    /// As there.
    pub fn line_at(
        &mut self,
        line: &[u8],
        at: Option<Timestamp>,
        sink: &mut dyn FnMut(&Match<'_>),
    ) -> Result<(), LineError> {
        let rules = Arc::clone(&self.rules);
        let mut slots = std::mem::take(&mut self.slots);
        let view = text_of(line).and_then(|text| Ok(View::of_line(&rules.fields, &mut slots, text)?));
        let done = match view {
            Ok(view) => {
                self.event(&rules, &view, at, sink);
                Ok(())
            }
            Err(error) => {
                self.figures.bad_lines += 1;
                Err(error)
            }
        };
        self.slots = slots;
        done
    }

    /// Holds an event that was parsed already against the rules.
    pub fn value(&mut self, event: &Value, at: Option<Timestamp>, sink: &mut dyn FnMut(&Match<'_>)) {
        let rules = Arc::clone(&self.rules);
        let mut slots = std::mem::take(&mut self.slots);
        let view = View::of_value(&rules.fields, &mut slots, event);
        self.event(&rules, &view, at, sink);
        self.slots = slots;
    }

    /// How it has fared.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// What each rule over single events has cost, in the order of [`Rules::list`].
    pub fn costs(&self) -> &[Cost] {
        &self.costs
    }

    /// The rules that are no longer evaluated, because they were slower than the budget.
    pub fn set_aside(&self) -> impl Iterator<Item = &RuleInfo> {
        self.rules.infos.iter().zip(&self.set_aside).filter(|(_, aside)| **aside).map(|(info, _)| info)
    }

    /// The windows of rules that count.
    pub fn correlator(&self) -> Option<&Correlator> {
        self.correlator.as_ref()
    }

    fn event(
        &mut self,
        rules: &Rules,
        view: &View<'_>,
        at: Option<Timestamp>,
        sink: &mut dyn FnMut(&Match<'_>),
    ) {
        self.figures.events += 1;
        let class = rules.names.class_of(view, &self.given);
        self.figures.unplaced += u64::from(class == Class::default());
        let mut hits = std::mem::take(&mut self.hits);
        hits.clear();
        let bench = self.benches.entry(class).or_insert_with(|| Bench::new(rules, class));
        let timed = self.figures.events.is_multiple_of(TIMED_EVERY);
        let mut meter = Meter {
            costs: &mut self.costs,
            set_aside: &mut self.set_aside,
            stopwatch: self.stopwatch.as_ref().filter(|_| timed),
            budget: self.budget,
            evaluated: 0,
        };
        bench.run(rules, class, view, &mut meter, &mut hits);
        self.figures.evaluated += meter.evaluated;
        if !hits.is_empty() {
            hits.sort_unstable();
            self.report(rules, view, at, &hits, sink);
        }
        self.hits = hits;
    }

    /// Hands out what matched, and what that completes.
    #[cold]
    fn report(
        &mut self,
        rules: &Rules,
        event: &View<'_>,
        at: Option<Timestamp>,
        hits: &[u32],
        sink: &mut dyn FnMut(&Match<'_>),
    ) {
        let time = time_of(event);
        let mut reported = 0;
        let mut counted = Vec::new();
        for number in hits.iter().map(|hit| *hit as usize) {
            if rules.plan.fed.get(number) == Some(&true)
                && let Some(rule) = rules.compiled.get(number)
            {
                counted.extend(evaluate_rule(rule, event));
            }
            if rules.plan.silent.get(number) == Some(&true) {
                continue;
            }
            if let Some(rule) = rules.infos.get(number) {
                reported += 1;
                sink(&Match { rule, number, time, correlated: None, event, rules });
            }
        }
        if let Some(correlator) = self.correlator.as_mut().filter(|_| !counted.is_empty()) {
            for result in correlator.feed(event, counted, time.or(at)) {
                let ResultBody::Correlation(body) = result.body else { continue };
                let header = &result.header;
                let same = |info: &RuleInfo| {
                    info.correlation && info.id == header.rule_id && info.title == header.rule_title
                };
                let Some(number) = rules.infos.iter().position(same) else { continue };
                let Some(rule) = rules.infos.get(number) else { continue };
                let correlated = Some(Correlated {
                    group: body.group_key,
                    value: body.aggregated_value,
                    window_seconds: body.timespan_secs,
                });
                reported += 1;
                sink(&Match { rule, number, time: time.or(at), correlated, event, rules });
            }
        }
        self.figures.matches += reported;
        self.figures.events_matched += u64::from(reported > 0);
    }
}

fn text_of(line: &[u8]) -> Result<&str, LineError> {
    if line.len() > EVENT_BYTES_MAX {
        return Err(LineError::Long { bytes: line.len() });
    }
    Ok(std::str::from_utf8(line)?)
}

/// When an event says it was: RFC 3339, `2026-01-31 09:30:00.123` as Sysmon writes it (UTC), or seconds, milliseconds or
/// microseconds since the epoch, told by size.
fn time_of(event: &View<'_>) -> Option<Timestamp> {
    let value = known::TIMES.iter().find_map(|field| event.get(*field))?;
    let micros = match value {
        EventValue::Str(text) => {
            let text = text.trim().replacen(' ', "T", 1);
            let zoned = text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
            return Timestamp::parse(&if zoned { text } else { text + "Z" }).ok();
        }
        EventValue::Int(number) if number.unsigned_abs() >= 100_000_000_000_000 => *number,
        EventValue::Int(number) if number.unsigned_abs() >= 100_000_000_000 => number.saturating_mul(1_000),
        EventValue::Int(number) => number.saturating_mul(1_000_000),
        EventValue::Float(number) if number.abs() < 100_000_000_000.0 => (number * 1e6) as i64,
        _ => return None,
    };
    Some(Timestamp::from_micros(micros))
}

/// What evaluating costs and whether it may go on.
struct Meter<'r> {
    costs: &'r mut [Cost],
    set_aside: &'r mut [bool],
    stopwatch: Option<&'r Stopwatch>,
    budget: Option<Budget>,
    evaluated: u64,
}

impl Meter<'_> {
    fn evaluate(&mut self, rule: u32, work: impl FnOnce() -> bool) -> bool {
        let (Some(cost), Some(aside)) =
            (self.costs.get_mut(rule as usize), self.set_aside.get_mut(rule as usize))
        else {
            return false;
        };
        if *aside {
            return false;
        }
        self.evaluated += 1;
        cost.evaluated += 1;
        let matched = match self.stopwatch {
            None => work(),
            Some(stopwatch) => {
                let start = stopwatch();
                let matched = work();
                cost.timed += 1;
                cost.nanoseconds += stopwatch().saturating_sub(start);
                *aside = self.budget.is_some_and(|budget| {
                    cost.timed >= budget.timed_min && cost.mean_nanoseconds() > budget.nanoseconds_max
                });
                matched
            }
        };
        cost.matched += u64::from(matched);
        matched
    }
}

/// Scratch space for one program.
struct Bench {
    program: Arc<Program>,
    /// Whether the program holds only rules that are meant for these events.
    exact: bool,
    /// Number of the event: stamps of another event count as unset.
    event: u32,
    /// By literal: how it stands in the event.
    met: Vec<u32>,
    /// By list of literals: whether one of it was met.
    lists: Vec<u32>,
    /// By rule: whether it woke.
    woken: Vec<u32>,
    /// By item: its answer.
    answers: Vec<u32>,
    awake: Vec<u32>,
    folded: Vec<u8>,
    whole: ConditionExpr,
}

impl Bench {
    fn new(rules: &Rules, class: Class) -> Self {
        let (program, exact) = rules.program(class);
        Self {
            event: 0,
            met: vec![0; program.literals],
            lists: vec![0; program.lists],
            woken: vec![0; program.rules.len()],
            answers: vec![0; program.items.len()],
            awake: Vec::new(),
            folded: Vec::new(),
            whole: ConditionExpr::Identifier(WHOLE.into()),
            program,
            exact,
        }
    }

    fn run(
        &mut self,
        rules: &Rules,
        class: Class,
        view: &View<'_>,
        meter: &mut Meter<'_>,
        hits: &mut Vec<u32>,
    ) {
        self.event += 1;
        if self.event == STAMPS {
            self.event = 1;
            self.met.fill(0);
            self.lists.fill(0);
            self.woken.fill(0);
            self.answers.fill(0);
        }
        let program = Arc::clone(&self.program);
        self.awake.clear();
        self.wake(&program.always);
        if let Some(words) = &program.words {
            self.words(&program, words, view);
        }
        for (field, value) in view.found() {
            if let Some(asked) = program.asked(*field) {
                self.field(&program, asked, value);
            }
        }
        let awake = std::mem::take(&mut self.awake);
        for index in &awake {
            let Some(planned) = program.rules.get(*index as usize) else { continue };
            let meant = self.exact
                || rules.sources.get(planned.rule as usize).is_some_and(|source| class.admits(source));
            if meant && meter.evaluate(planned.rule, || self.holds(&program, &planned.tree, view)) {
                hits.push(planned.rule);
            }
        }
        self.awake = awake;
    }

    fn wake(&mut self, rules: &[u32]) {
        for rule in rules {
            wake(&mut self.woken, &mut self.awake, self.event, *rule);
        }
    }

    /// Wakes the rules without fields of which a word stands anywhere in the event.
    fn words(&mut self, program: &Program, words: &Scanner, view: &View<'_>) {
        match view.raw() {
            // Written with escapes a word may look like anything.
            Whole::Line(line) if memchr::memmem::find(line.as_bytes(), b"\\u").is_some() => self.wake(&program.wordy),
            Whole::Line(line) => self.words_in(program, words, line),
            Whole::Value(value) => self.words_below(program, words, value),
        }
    }

    fn words_below(&mut self, program: &Program, words: &Scanner, value: &Value) {
        match value {
            Value::String(text) => self.words_in(program, words, text),
            Value::Array(list) => list.iter().for_each(|value| self.words_below(program, words, value)),
            Value::Object(map) => map.values().for_each(|value| self.words_below(program, words, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn words_in(&mut self, program: &Program, words: &Scanner, text: &str) {
        fold(&mut self.folded, text);
        let Self { event, woken, awake, folded, .. } = self;
        words.scan(folded, &mut |word, _| {
            for rule in program.woken_by.get(word).into_iter().flatten() {
                wake(woken, awake, *event, *rule);
            }
        });
    }

    /// Meets the literals of one field's value and wakes the rules whose gates they are.
    fn field(&mut self, program: &Program, asked: &Asked, value: &EventValue<'_>) {
        self.wake(&asked.present);
        match value {
            EventValue::Str(text) => {
                if let Some(rules) = number_in(text).and_then(|number| asked.numbers.get(&number)) {
                    self.wake(rules);
                }
                self.text(program, asked, text);
            }
            EventValue::Int(number) => {
                if let Some(rules) = asked.numbers.get(number) {
                    self.wake(rules);
                }
                self.text(program, asked, &number.to_string());
            }
            EventValue::Float(number) => {
                if let Some(rules) = asked.numbers.get(&(number.round() as i64)) {
                    self.wake(rules);
                }
                self.text(program, asked, &number.to_string());
            }
            EventValue::Bool(truth) => self.text(program, asked, if *truth { "true" } else { "false" }),
            EventValue::Array(values) => values.iter().for_each(|value| self.field(program, asked, value)),
            EventValue::Null | EventValue::Map(_) => {}
        }
    }

    fn text(&mut self, program: &Program, asked: &Asked, text: &str) {
        if !asked.beyond_ascii.is_empty() && !text.is_ascii() {
            self.wake(&asked.beyond_ascii);
        }
        let Some(scanner) = &asked.scanner else { return };
        fold(&mut self.folded, text);
        let Self { event, met, lists, woken, awake, folded, .. } = self;
        let (event, first) = (*event, asked.first as usize);
        scanner.scan(folded, &mut |literal, how| {
            let literal = first + literal;
            let Some(stamp) = met.get_mut(literal) else { return };
            let before = if *stamp >> STAMP_BITS == event { *stamp & found::ALL } else { 0 };
            if before | how == before {
                return;
            }
            *stamp = event << STAMP_BITS | before | how;
            let Some(follows) = program.follows.get(literal) else { return };
            for (rule, wanted) in &follows.rules {
                if how & wanted != 0 {
                    wake(woken, awake, event, *rule);
                }
            }
            for (list, wanted) in &follows.lists {
                if how & wanted != 0
                    && let Some(stamp) = lists.get_mut(*list as usize)
                {
                    *stamp = event;
                }
            }
        });
    }

    /// Whether a tree holds for the event.
    fn holds(&mut self, program: &Program, tree: &Node, view: &View<'_>) -> bool {
        match tree {
            Node::Always(truth) => *truth,
            Node::Item(item) => self.answer(program, *item, view),
            Node::Whole(number) => program.wholes.get(*number as usize).is_some_and(|detections| {
                eval_condition(&self.whole, detections, view, &mut Vec::new())
            }),
            Node::Any(parts) => parts.iter().any(|part| self.holds(program, part, view)),
            Node::All(parts) => parts.iter().all(|part| self.holds(program, part, view)),
            Node::Not(part) => !self.holds(program, part, view),
            Node::AtLeast(least, parts) => {
                let mut left = *least;
                left == 0
                    || parts.iter().any(|part| {
                        left -= u64::from(self.holds(program, part, view));
                        left == 0
                    })
            }
        }
    }

    /// The answer to an item, worked out once an event.
    fn answer(&mut self, program: &Program, number: u32, view: &View<'_>) -> bool {
        let Some(stamp) = self.answers.get(number as usize) else { return false };
        if *stamp >> STAMP_BITS == self.event {
            return *stamp & 1 == 1;
        }
        let answer = program.items.get(number as usize).is_some_and(|item| self.ask(item, view));
        if let Some(stamp) = self.answers.get_mut(number as usize) {
            *stamp = self.event << STAMP_BITS | u32::from(answer);
        }
        answer
    }

    fn ask(&self, item: &Item, view: &View<'_>) -> bool {
        let value = view.get(item.field);
        if let Some(wanted) = item.exists {
            return value.is_some_and(|value| !value.is_null()) == wanted;
        }
        let Some(value) = value else { return matches!(item.matcher, CompiledMatcher::Null) };
        let (ascii, empty) = match value {
            EventValue::Str(text) => (item.needs.is_none() || text.is_ascii(), text.is_empty()),
            EventValue::Int(_) | EventValue::Float(_) | EventValue::Bool(_) => (true, false),
            // Of a list any member may match, but the same one has to match all of it: the matcher knows.
            EventValue::Null | EventValue::Array(_) | EventValue::Map(_) => {
                return item.matcher.matches(value, view);
            }
        };
        if let Some(test) = &item.test {
            return self.passes(test, empty);
        }
        if let Some(needs) = item.needs.as_ref().filter(|needs| ascii || !needs.ascii_only)
            && !needs.marks.iter().any(|mark| self.is_met(*mark))
        {
            return false;
        }
        item.matcher.matches(value, view)
    }

    fn passes(&self, test: &Test<Mark>, empty: bool) -> bool {
        match test {
            Test::Always(truth) => *truth,
            Test::Empty => empty,
            Test::Literal(mark) => self.is_met(*mark),
            Test::Listed(list) => self.lists.get(*list as usize) == Some(&self.event),
            Test::Any(tests) => tests.iter().any(|test| self.passes(test, empty)),
            Test::All(tests) => tests.iter().all(|test| self.passes(test, empty)),
            Test::Not(test) => !self.passes(test, empty),
        }
    }

    fn is_met(&self, (literal, how): Mark) -> bool {
        let stamp = self.met.get(literal as usize).copied().unwrap_or(0);
        stamp >> STAMP_BITS == self.event && stamp & how != 0
    }
}

/// Puts a text into lower case, as `rsigma-eval` does.
fn fold(folded: &mut Vec<u8>, text: &str) {
    folded.clear();
    if text.is_ascii() {
        folded.extend_from_slice(text.as_bytes());
        folded.make_ascii_lowercase();
    } else {
        folded.extend_from_slice(text.to_lowercase().as_bytes());
    }
}

fn wake(woken: &mut [u32], awake: &mut Vec<u32>, event: u32, rule: u32) {
    if let Some(stamp) = woken.get_mut(rule as usize)
        && *stamp != event
    {
        *stamp = event;
        awake.push(rule);
    }
}

/// The whole number a text is, as `rsigma-eval` reads numbers out of texts.
fn number_in(text: &str) -> Option<i64> {
    let first = *text.as_bytes().first()?;
    // Most texts are no number, and most of those tell by how they begin.
    if !first.is_ascii_digit() && !matches!(first, b'-' | b'+' | b'.') {
        return None;
    }
    text.parse::<f64>().ok().map(|number| number.round() as i64)
}
