//! The rules for one sort of log source, compiled into what is asked of an event: items, trees over them, and what wakes
//! a rule.
//!
//! Each distinct question (a field and a matcher) is one *item*, whichever rules ask it. A rule is a tree over items.
//! Of everything a rule requires, the rarest thing becomes its *gate*; only a rule whose gate was met is evaluated. A
//! gate never shuts out a rule that would match: it is necessary, not sufficient.

use hashbrown::HashMap;
use rsigma_eval::{CompiledDetection, CompiledDetectionItem, CompiledMatcher, CompiledRule};
use rsigma_parser::{ConditionExpr, Quantifier};

use crate::fields::{Field, Fields};
use crate::literal::{At, Literal, Needs, Test, needs_of, test_of};
use crate::scan::{Scanner, found};

/// Name under which a detection that is kept whole is evaluated.
pub(crate) const WHOLE: &str = "whole";

/// A literal of a program by its number, and the bits of [`found`] that count.
pub(crate) type Mark = (u32, u32);

/// A question asked of one field.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) field: Field,
    /// Whether it only asks if the field is there (or not).
    pub(crate) exists: Option<bool>,
    /// The whole answer for a text, where literals are all there is to it.
    pub(crate) test: Option<Test<Mark>>,
    /// Otherwise, what a text must hold.
    pub(crate) needs: Option<Wanted>,
    /// The matcher itself.
    pub(crate) matcher: CompiledMatcher,
}

/// What a text must hold, with literals by number.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) marks: Vec<Mark>,
    pub(crate) ascii_only: bool,
}

/// A rule as a tree over items.
#[derive(Debug)]
pub(crate) enum Node {
    Always(bool),
    Item(u32),
    /// A detection that is asked of the whole event.
    Whole(u32),
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    AtLeast(u64, Vec<Self>),
}

/// What is asked of one field.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) scanner: Option<Scanner>,
    /// Number of the scanner's first literal in the program.
    pub(crate) first: u32,
    /// Rules that wake when the field is there.
    pub(crate) present: Vec<u32>,
    /// Rules that wake when it is this number.
    pub(crate) numbers: HashMap<i64, Vec<u32>>,
    /// Rules that wake when it holds anything beyond ASCII.
    pub(crate) beyond_ascii: Vec<u32>,
}

/// What comes of meeting a literal; each with the bits of [`found`] that it wants.
#[derive(Debug, Default)]
pub(crate) struct Follows {
    /// Rules that wake.
    pub(crate) rules: Vec<(u32, u32)>,
    /// Lists of which it is one.
    pub(crate) lists: Vec<(u32, u32)>,
}

/// A rule of a program.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The rule's place among all rules.
    pub(crate) rule: u32,
    pub(crate) tree: Node,
}

/// The rules for one sort of log source.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) rules: Vec<Planned>,
    pub(crate) items: Vec<Item>,
    pub(crate) wholes: Vec<std::collections::HashMap<String, CompiledDetection>>,
    /// By field number; none where nothing is asked.
    asked: Vec<Option<Box<Asked>>>,
    /// By literal: what comes of meeting it.
    pub(crate) follows: Vec<Follows>,
    /// Lists of literals in all.
    pub(crate) lists: usize,
    /// Words of rules without fields, looked for in the whole event.
    pub(crate) words: Option<Scanner>,
    /// By word: the rules it wakes.
    pub(crate) woken_by: Vec<Vec<u32>>,
    /// Rules that any word wakes which cannot be looked for.
    pub(crate) wordy: Vec<u32>,
    /// Rules that every event wakes.
    pub(crate) always: Vec<u32>,
    /// Literals in all.
    pub(crate) literals: usize,
}

impl Program {
    /// Compiles the rules whose numbers are given.
    pub(crate) fn new(fields: &Fields, all: &[CompiledRule], chosen: impl Iterator<Item = usize>) -> Self {
        let mut maker = Maker::new(fields);
        for number in chosen {
            if let Some(rule) = all.get(number) {
                maker.add(number, rule);
            }
        }
        maker.finish()
    }

    /// What is asked of a field.
    pub(crate) fn asked(&self, field: Field) -> Option<&Asked> {
        self.asked.get(field as usize)?.as_deref()
    }

    /// Bytes its tables take.
    pub(crate) fn bytes(&self) -> usize {
        let tables =
            self.asked.iter().flatten().filter_map(|asked| asked.scanner.as_ref()).map(Scanner::bytes);
        tables.sum::<usize>()
            + self.items.len() * size_of::<Item>()
            + self.follows.len() * size_of::<Follows>()
    }
}

/// The bits that say a literal stands where it has to.
const fn bits(at: At) -> u32 {
    match at {
        At::Anywhere => found::ANYWHERE,
        At::Start => found::START,
        At::End => found::END,
        At::Whole => found::WHOLE,
    }
}

/// One thing of which an event that a rule matches must have at least one.
#[derive(Clone, Debug)]
enum Gate {
    Mark(Mark),
    /// A literal that holds for texts of ASCII alone.
    AsciiMark(Field, Mark),
    Number(Field, i64),
    Present(Field),
    /// A piece of a word that stands somewhere in the event, however that is written.
    Word(Box<str>),
}

/// How often a gate made of these may be met, as a share of events: rough, and only used to choose between gates.
type Share = f64;

/// Share of events that have any one field.
const PRESENT_SHARE: Share = 0.7;
/// Share of events where a field is one certain number.
const NUMBER_SHARE: Share = 0.05;

/// Alternatives from which on a list is made of them.
const LISTED_MIN: usize = 4;

/// What a rule requires: one of some gates; nothing where it requires nothing that can be told.
type Required = Option<(Share, Vec<Gate>)>;

/// The longest piece of a word that JSON never writes otherwise than as it is, unless it writes `\u`.
fn longest_plain(word: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii() && !c.is_ascii_control() && !matches!(c, '"' | '\\' | '/');
    let piece = word.split(|c| !plain(c)).max_by_key(|piece| piece.len())?;
    (piece.len() >= WORD_BYTES_MIN).then_some(piece)
}

/// Shortest piece of a word that is looked for.
const WORD_BYTES_MIN: usize = 3;

/// Everything that is said of one field's literals while a program is made.
#[derive(Default)]
struct Literals {
    numbers: HashMap<Box<str>, u32>,
    list: Vec<Box<str>>,
    /// By literal: how many rules name it. What many rules name is common in events too.
    uses: Vec<u32>,
}

/// An item before its literals have their final numbers.
type MadeItem = (Field, Option<bool>, CompiledMatcher, Option<Test<Literal>>, Option<Needs>);

struct Maker<'f> {
    fields: &'f Fields,
    by_field: Vec<Literals>,
    items: Vec<MadeItem>,
    known: HashMap<String, u32>,
    wholes: Vec<std::collections::HashMap<String, CompiledDetection>>,
    rules: Vec<Planned>,
}

impl<'f> Maker<'f> {
    fn new(fields: &'f Fields) -> Self {
        let by_field = (0..fields.len()).map(|_| Literals::default()).collect();
        let (items, known, wholes, rules) = (Vec::new(), HashMap::new(), Vec::new(), Vec::new());
        Self { fields, by_field, items, known, wholes, rules }
    }

    fn add(&mut self, number: usize, rule: &CompiledRule) {
        let Ok(number) = u32::try_from(number) else { return };
        // A rule matches if any of its conditions does.
        let tree = any(rule.conditions.iter().map(|condition| self.condition(condition, rule)).collect());
        self.rules.push(Planned { rule: number, tree });
    }

    fn condition(&mut self, condition: &ConditionExpr, rule: &CompiledRule) -> Node {
        match condition {
            ConditionExpr::Identifier(name) => match rule.detections.get(name) {
                Some(detection) => self.detection(detection),
                None => Node::Always(false),
            },
            ConditionExpr::And(parts) => all(parts.iter().map(|part| self.condition(part, rule)).collect()),
            ConditionExpr::Or(parts) => any(parts.iter().map(|part| self.condition(part, rule)).collect()),
            ConditionExpr::Not(part) => Node::Not(Box::new(self.condition(part, rule))),
            ConditionExpr::Selector { quantifier, pattern } => {
                let mut names: Vec<_> =
                    rule.detections.iter().filter(|(name, _)| pattern.matches_detection_name(name)).collect();
                names.sort_unstable_by_key(|(name, _)| name.as_str());
                let parts: Vec<_> =
                    names.into_iter().map(|(_, detection)| self.detection(detection)).collect();
                match quantifier {
                    Quantifier::Any => any(parts),
                    Quantifier::All => all(parts),
                    Quantifier::Count(least) => Node::AtLeast(*least, parts),
                }
            }
        }
    }

    fn detection(&mut self, detection: &CompiledDetection) -> Node {
        match detection {
            CompiledDetection::AllOf(items) => all(items.iter().map(|item| self.item(item)).collect()),
            CompiledDetection::AnyOf(parts) => any(parts.iter().map(|part| self.detection(part)).collect()),
            CompiledDetection::And(parts) => all(parts.iter().map(|part| self.detection(part)).collect()),
            CompiledDetection::Keywords(_)
            | CompiledDetection::ArrayMatch { .. }
            | CompiledDetection::Conditional { .. } => self.whole(detection.clone()),
        }
    }

    fn whole(&mut self, detection: CompiledDetection) -> Node {
        let number = u32::try_from(self.wholes.len()).unwrap_or(u32::MAX);
        self.wholes.push(std::iter::once((WHOLE.to_owned(), detection)).collect());
        Node::Whole(number)
    }

    fn item(&mut self, item: &CompiledDetectionItem) -> Node {
        let field = item.field.as_deref().and_then(|name| self.fields.number(name));
        let Some(field) = field else {
            return self.whole(CompiledDetection::AllOf(vec![item.clone()]));
        };
        let key = key(&item.matcher).map(|key| format!("{field} {:?} {key}", item.exists));
        if let Some(number) = key.as_ref().and_then(|key| self.known.get(key)) {
            return Node::Item(*number);
        }
        let number = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        if let Some(key) = key {
            self.known.insert(key, number);
        }
        let test = if item.exists.is_none() { test_of(&item.matcher) } else { None };
        let needs = if item.exists.is_none() { needs_of(&item.matcher) } else { None };
        if let Some(literals) = self.by_field.get_mut(field as usize) {
            if let Some(test) = &test {
                literals.take_test(test);
            }
            for literal in needs.iter().flat_map(|needs| &needs.literals) {
                literals.take(&literal.text);
            }
        }
        self.items.push((field, item.exists, item.matcher.clone(), test, needs));
        Node::Item(number)
    }

    fn finish(mut self) -> Program {
        self.count_uses();
        let mut firsts = Vec::with_capacity(self.by_field.len());
        let mut literals = 0u32;
        for of_field in &self.by_field {
            firsts.push(literals);
            literals = literals.saturating_add(u32::try_from(of_field.list.len()).unwrap_or(u32::MAX));
        }
        let mark = |by_field: &[Literals], field: Field, literal: &Literal| -> Mark {
            let first = firsts.get(field as usize).copied().unwrap_or_default();
            let number =
                by_field.get(field as usize).and_then(|of_field| of_field.numbers.get(&literal.text));
            (first + number.copied().unwrap_or_default(), bits(literal.at))
        };
        let required: Vec<Required> =
            self.rules.iter().map(|rule| self.required(&rule.tree, &mark)).collect();
        let mut asked: Vec<Option<Box<Asked>>> = (0..self.by_field.len()).map(|_| None).collect();
        let mut follows: Vec<Follows> = (0..literals).map(|_| Follows::default()).collect();
        let mut always = Vec::new();
        let mut words: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        let mut slot = |field: Field, change: &mut dyn FnMut(&mut Asked)| {
            if let Some(place) = asked.get_mut(field as usize) {
                change(place.get_or_insert_default());
            }
        };
        for (rule, required) in (0u32..).zip(required) {
            let Some((_, gates)) = required else {
                always.push(rule);
                continue;
            };
            for gate in gates {
                if let Gate::Mark((literal, how)) | Gate::AsciiMark(_, (literal, how)) = gate
                    && let Some(follows) = follows.get_mut(literal as usize)
                {
                    follows.rules.push((rule, how));
                }
                match gate {
                    Gate::Word(word) => words.entry(word).or_default().push(rule),
                    Gate::Mark(_) => {}
                    Gate::AsciiMark(field, _) => slot(field, &mut |asked| asked.beyond_ascii.push(rule)),
                    Gate::Number(field, number) => {
                        slot(field, &mut |asked| asked.numbers.entry(number).or_default().push(rule));
                    }
                    Gate::Present(field) => slot(field, &mut |asked| asked.present.push(rule)),
                }
            }
        }
        for ((field, of_field), first) in (0..).zip(&self.by_field).zip(&firsts) {
            if !of_field.list.is_empty() {
                // Without a table nothing of the field is found, so every rule that asks for it is woken.
                let scanner = Scanner::new(&of_field.list).ok();
                slot(field, &mut |asked| asked.first = *first);
                if let Some(scanner) = scanner {
                    let mut scanner = Some(scanner);
                    slot(field, &mut |asked| asked.scanner = scanner.take());
                } else {
                    always = (0..u32::try_from(self.rules.len()).unwrap_or(u32::MAX)).collect();
                }
            }
        }
        let mut wordy: Vec<u32> = words.values().flatten().copied().collect();
        wordy.sort_unstable();
        wordy.dedup();
        let (word_list, woken_by): (Vec<_>, Vec<_>) = words.into_iter().unzip();
        let words = if word_list.is_empty() { None } else { Scanner::new(&word_list).ok() };
        if words.is_none() {
            always.extend(wordy.iter().copied());
        }
        let Self { by_field, items, wholes, mut rules, .. } = self;
        let mut lists = 0;
        let items: Vec<Item> = items
            .into_iter()
            .map(|(field, exists, matcher, test, needs)| Item {
                field,
                exists,
                test: test.map(|test| {
                    let test = test.map(&mut |literal| mark(&by_field, field, &literal));
                    listed(test, &mut follows, &mut lists)
                }),
                needs: needs.map(|needs| Wanted {
                    marks: needs.literals.iter().map(|literal| mark(&by_field, field, literal)).collect(),
                    ascii_only: needs.ascii_only,
                }),
                matcher,
            })
            .collect();
        for rule in &mut rules {
            order(&mut rule.tree, &items);
        }
        let (lists, literals) = (lists as usize, literals as usize);
        Program { rules, items, wholes, asked, follows, lists, words, woken_by, wordy, always, literals }
    }

    /// Counts in how many rules each literal stands.
    fn count_uses(&mut self) {
        let mut seen: Vec<u32> = vec![u32::MAX; self.items.len()];
        let mut users = vec![0u32; self.items.len()];
        for (number, rule) in (0u32..).zip(&self.rules) {
            items_of(&rule.tree, &mut |item| {
                if let (Some(seen), Some(users)) = (seen.get_mut(item as usize), users.get_mut(item as usize))
                    && *seen != number
                {
                    *seen = number;
                    *users += 1;
                }
            });
        }
        for ((field, _, _, test, needs), users) in self.items.iter().zip(users) {
            let Some(of_field) = self.by_field.get_mut(*field as usize) else { continue };
            if let Some(test) = test {
                of_field.use_test(test, users);
            }
            for literal in needs.iter().filter(|_| test.is_none()).flat_map(|needs| &needs.literals) {
                of_field.used(&literal.text, users);
            }
        }
    }

    /// What a tree requires, with how often that may be met.
    fn required(&self, tree: &Node, mark: &impl Fn(&[Literals], Field, &Literal) -> Mark) -> Required {
        match tree {
            Node::Always(false) => Some((0.0, Vec::new())),
            Node::Always(true) | Node::Not(_) | Node::AtLeast(0, _) => None,
            Node::Whole(number) => self.whole_requires(*number),
            Node::Item(item) => self.item_requires(*item, mark),
            Node::Any(parts) | Node::AtLeast(_, parts) => {
                let mut sum = (0.0, Vec::new());
                for part in parts {
                    let (share, gates) = self.required(part, mark)?;
                    sum.0 += share;
                    sum.1.extend(gates);
                }
                Some(sum)
            }
            Node::All(parts) => {
                let known = parts.iter().filter_map(|part| self.required(part, mark));
                known.min_by(|a, b| a.0.total_cmp(&b.0))
            }
        }
    }

    /// What a detection without fields requires of the event: one of the pieces of its words.
    fn whole_requires(&self, number: u32) -> Required {
        let matcher = match self.wholes.get(number as usize)?.get(WHOLE)? {
            CompiledDetection::Keywords(matcher) => matcher,
            CompiledDetection::AllOf(items) => match items.as_slice() {
                [CompiledDetectionItem { field: None, exists: None, matcher, .. }] => matcher,
                _ => return None,
            },
            _ => return None,
        };
        let needs = needs_of(matcher).filter(|needs| !needs.ascii_only)?;
        let mut share = 0.0;
        let mut gates = Vec::with_capacity(needs.literals.len());
        for literal in &needs.literals {
            let word = longest_plain(&literal.text)?;
            share += 0.5f64.powi(i32::try_from(word.len()).unwrap_or(i32::MAX).min(24)) + 0.000_1;
            gates.push(Gate::Word(word.into()));
        }
        Some((share, gates))
    }

    fn item_requires(&self, item: u32, mark: &impl Fn(&[Literals], Field, &Literal) -> Mark) -> Required {
        let (field, exists, matcher, _, needs) = self.items.get(item as usize)?;
        let field = *field;
        if *exists == Some(false) || matches!(matcher, CompiledMatcher::Null) && exists.is_none() {
            return None;
        }
        let present = Some((PRESENT_SHARE, vec![Gate::Present(field)]));
        if exists.is_some() {
            return present;
        }
        if let Some(numbers) = numbers_of(matcher) {
            let share = NUMBER_SHARE * numbers.len() as f64;
            let gates = numbers.into_iter().map(|number| Gate::Number(field, number)).collect();
            return Some((share.min(PRESENT_SHARE), gates));
        }
        let Some(needs) = needs else { return present };
        let mut share = 0.0;
        let mut gates = Vec::with_capacity(needs.literals.len());
        for literal in &needs.literals {
            share += self.by_field.get(field as usize).map_or(1.0, |of_field| of_field.share(literal));
            let mark = mark(&self.by_field, field, literal);
            gates.push(if needs.ascii_only { Gate::AsciiMark(field, mark) } else { Gate::Mark(mark) });
        }
        if share < PRESENT_SHARE { Some((share, gates)) } else { present }
    }
}

impl Literals {
    fn take(&mut self, text: &str) {
        if !self.numbers.contains_key(text) {
            let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            self.numbers.insert(text.into(), number);
            self.list.push(text.into());
            self.uses.push(0);
        }
    }

    fn take_test(&mut self, test: &Test<Literal>) {
        each_literal(test, &mut |literal| self.take(&literal.text));
    }

    fn used(&mut self, text: &str, users: u32) {
        let number = self.numbers.get(text).copied().unwrap_or(u32::MAX);
        if let Some(uses) = self.uses.get_mut(number as usize) {
            *uses = uses.saturating_add(users);
        }
    }

    fn use_test(&mut self, test: &Test<Literal>, users: u32) {
        each_literal(test, &mut |literal| self.used(&literal.text, users));
    }

    /// How often a literal may be met: short ones and those that many rules name more often.
    fn share(&self, literal: &Literal) -> Share {
        let number = self.numbers.get(&literal.text).copied().unwrap_or(u32::MAX);
        let uses = self.uses.get(number as usize).copied().unwrap_or(1).max(1);
        let by_length = 0.5f64.powi(i32::try_from(literal.text.len()).unwrap_or(i32::MAX).min(24));
        (by_length + 0.000_5 * f64::from(uses - 1) + 0.000_1).min(1.0)
    }
}

fn each_literal<'t>(test: &'t Test<Literal>, take: &mut impl FnMut(&'t Literal)) {
    match test {
        Test::Always(_) | Test::Empty | Test::Listed(_) => {}
        Test::Literal(literal) => take(literal),
        Test::Any(tests) | Test::All(tests) => tests.iter().for_each(|test| each_literal(test, take)),
        Test::Not(test) => each_literal(test, take),
    }
}

fn items_of(tree: &Node, take: &mut impl FnMut(u32)) {
    match tree {
        Node::Always(_) | Node::Whole(_) => {}
        Node::Item(item) => take(*item),
        Node::Any(parts) | Node::All(parts) | Node::AtLeast(_, parts) => {
            parts.iter().for_each(|part| items_of(part, take));
        }
        Node::Not(part) => items_of(part, take),
    }
}

/// Makes lists of many alternatives, so that meeting one of them answers for all.
fn listed(test: Test<Mark>, follows: &mut [Follows], lists: &mut u32) -> Test<Mark> {
    let mut inner = |tests: Vec<_>| tests.into_iter().map(|test| listed(test, follows, lists)).collect();
    match test {
        Test::Any(tests) => {
            let marks: Vec<Mark> = tests
                .iter()
                .filter_map(|test| if let Test::Literal(mark) = test { Some(*mark) } else { None })
                .collect();
            if marks.len() < LISTED_MIN || marks.len() != tests.len() {
                return Test::Any(inner(tests));
            }
            for (literal, how) in marks {
                if let Some(follows) = follows.get_mut(literal as usize) {
                    follows.lists.push((*lists, how));
                }
            }
            *lists += 1;
            Test::Listed(*lists - 1)
        }
        Test::All(tests) => Test::All(inner(tests)),
        Test::Not(test) => Test::Not(Box::new(listed(*test, follows, lists))),
        other => other,
    }
}

/// One of these. Of none, none is true.
fn any(mut parts: Vec<Node>) -> Node {
    match parts.len() {
        0 => Node::Always(false),
        1 => parts.pop().unwrap_or(Node::Always(false)),
        _ => Node::Any(parts),
    }
}

/// All of these. Of none, all are true.
fn all(mut parts: Vec<Node>) -> Node {
    match parts.len() {
        0 => Node::Always(true),
        1 => parts.pop().unwrap_or(Node::Always(true)),
        _ => Node::All(parts),
    }
}

/// Puts what is answered cheaply before what is not.
fn order(tree: &mut Node, items: &[Item]) {
    match tree {
        Node::Any(parts) | Node::All(parts) | Node::AtLeast(_, parts) => {
            parts.iter_mut().for_each(|part| order(part, items));
            parts.sort_by_key(|part| price(part, items));
        }
        Node::Not(part) => order(part, items),
        Node::Always(_) | Node::Item(_) | Node::Whole(_) => {}
    }
}

/// Roughly how much work an answer is.
fn price(tree: &Node, items: &[Item]) -> u32 {
    match tree {
        Node::Always(_) => 0,
        Node::Item(item) => match items.get(*item as usize) {
            Some(Item { exists: Some(_), .. }) => 1,
            Some(Item { test: Some(_), .. }) => 2,
            Some(Item { needs: Some(_), .. }) => 8,
            _ => 16,
        },
        Node::Whole(_) => 1_000,
        Node::Any(parts) | Node::All(parts) | Node::AtLeast(_, parts) => {
            parts.iter().fold(1, |sum, part| sum.saturating_add(price(part, items)))
        }
        Node::Not(part) => price(part, items),
    }
}

/// The whole numbers one of which the field must be. `rsigma-eval` compares within `f64::EPSILON`, so that rounding
/// finds the number wherever it is 1 or more from zero.
fn numbers_of(matcher: &CompiledMatcher) -> Option<Vec<i64>> {
    match matcher {
        CompiledMatcher::NumericEq(number) => {
            let whole = number.abs() >= 1.0 && number.abs() < 9e15 && number.fract() == 0.0;
            whole.then(|| vec![*number as i64])
        }
        CompiledMatcher::AnyOf(children) if !children.is_empty() => {
            let lists = children.iter().map(numbers_of).collect::<Option<Vec<_>>>()?;
            Some(lists.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// A text that only matchers have in common that answer alike; none where that is not worth telling.
fn key(matcher: &CompiledMatcher) -> Option<String> {
    let list = |children: &[CompiledMatcher]| {
        children.iter().map(key).collect::<Option<Vec<_>>>().map(|keys| keys.join(","))
    };
    Some(match matcher {
        CompiledMatcher::AhoCorasickSet { needles, case_insensitive, .. } => {
            format!("Set{case_insensitive}{needles:?}")
        }
        CompiledMatcher::Regex(regex) => format!("Regex{:?}", regex.as_str()),
        CompiledMatcher::RegexSetMatch { set, mode } => format!("RegexSet{mode:?}{:?}", set.patterns()),
        CompiledMatcher::AnyOf(children) => format!("Any[{}]", list(children)?),
        CompiledMatcher::AllOf(children) => format!("All[{}]", list(children)?),
        CompiledMatcher::CaseInsensitiveGroup { children, mode } => {
            format!("Group{mode:?}[{}]", list(children)?)
        }
        CompiledMatcher::Not(inner) => format!("Not[{}]", key(inner)?),
        CompiledMatcher::Expand { .. } | CompiledMatcher::TimestampPart { .. } => return None,
        plain => format!("{plain:?}"),
    })
}
