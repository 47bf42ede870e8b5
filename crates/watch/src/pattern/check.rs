//! The tests within brackets, compiled, and asked of one observation.
//!
//! A test holds for an object of the path's type if one of the values its path selects passes. `NOT` turns the
//! verdict on each value, so nothing passes where nothing is selected. AND and OR are about one and the same object
//! (STIX 2.1 section 9.6). Values of types that do not fit together are unequal and in no order.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::memmem;
use serde_json::Value as Json;
use shieldwall_model::time::Timestamp;

use super::parser::{Comparison, Literal, ObjectPath, Operator, Step, Test};
use super::regular::Regular;
use super::values::kind_of;
use super::{Budget, EvaluateError};
use crate::observed::Observation;
use crate::value::{Kind, Value};

/// A constant of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Constant {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Timestamp),
    Bytes(Vec<u8>),
}

/// What is asked of a value.
#[derive(Debug, Clone)]
enum Question {
    Equal(Constant),
    /// The orderings that pass.
    Order(Constant, [bool; 3]),
    In(Vec<Constant>),
    Like(Like),
    Matches(Box<Regular>),
    /// Any of these, as a watchlist compares them.
    Listed(Kind, Vec<Value>),
    Subset(Network),
    Superset(Network),
    Exists,
}

/// One comparison, compiled.
#[derive(Debug, Clone)]
pub(super) struct Check {
    path: ObjectPath,
    negated: bool,
    question: Question,
}

/// The tests within one pair of brackets, compiled.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    Check(Check),
    And(Vec<Tree>),
    Or(Vec<Tree>),
}

impl Tree {
    /// Compiles a comparison; `listed`: equality of kinds a watchlist knows is that of a watchlist.
    ///
    /// # Errors
    /// [`EvaluateError::Beyond`] naming what cannot be run, and where.
    pub(super) fn of(from: &Comparison, listed: bool) -> Result<Self, EvaluateError> {
        let all =
            |all: &[Comparison]| all.iter().map(|one| Self::of(one, listed)).collect::<Result<Vec<_>, _>>();
        Ok(match from {
            Comparison::Test(test) => Self::Check(Check::of(test, listed)?),
            Comparison::And(inner) => Self::And(all(inner)?),
            Comparison::Or(inner) => Self::Or(all(inner)?),
        })
    }

    /// Whether some object of the observation passes.
    pub(super) fn holds(
        &self,
        observation: &Observation,
        budget: &mut Budget,
    ) -> Result<bool, EvaluateError> {
        for root in observation.roots() {
            let Some(object) = root.get("type").and_then(Json::as_str) else { continue };
            if self.at(observation, root, object, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn at(
        &self,
        observation: &Observation,
        root: &Json,
        object: &str,
        budget: &mut Budget,
    ) -> Result<bool, EvaluateError> {
        match self {
            Self::Check(check) => check.at(observation, root, object, budget),
            Self::And(all) => {
                for one in all {
                    if !one.at(observation, root, object, budget)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(all) => {
                for one in all {
                    if one.at(observation, root, object, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// A value a path selected.
enum Selected<'a> {
    Json(&'a Json),
    /// Of a property whose name ends in `_hex` or `_bin` (STIX 2.1 section 9.6.3).
    Bytes(Vec<u8>),
    /// References that were followed and are not steps further.
    Objects,
}

impl Question {
    /// Equality as a watchlist has it, where the path is of a kind it knows and each literal a value of that kind.
    fn listed(test: &Test) -> Option<Self> {
        let kind = kind_of(&test.path).filter(|_| matches!(test.operator, Operator::Equal | Operator::In))?;
        let value = |literal: &Literal| match literal {
            Literal::Text(text) => Value::new(kind, text).ok(),
            _ => None,
        };
        let values: Option<Vec<Value>> = test.literals.iter().map(|(_, literal)| value(literal)).collect();
        values.map(|values| Self::Listed(kind, values))
    }
}

/// Whether a value that was met is a listed one, below a listed name or within a listed network.
fn is_listed(listed: &Value, met: &Value) -> bool {
    if listed == met {
        return true;
    }
    match listed.kind() {
        Kind::Domain => {
            let parent = met.bytes().strip_suffix(listed.bytes());
            met.kind() == Kind::Domain && parent.is_some_and(|rest| rest.ends_with(b"."))
        }
        Kind::Cidr4 | Kind::Cidr6 => {
            let network = |value: &Value| Network::parse(&value.to_string());
            network(listed).zip(network(met)).is_some_and(|(listed, met)| listed.holds(&met))
        }
        _ => false,
    }
}

impl Check {
    fn of(test: &Test, listed: bool) -> Result<Self, EvaluateError> {
        if let Some(question) = listed.then(|| Question::listed(test)).flatten() {
            return Ok(Self { path: test.path.clone(), negated: test.negated, question });
        }
        let (at, first) = match test.literals.first() {
            Some((at, literal)) => (*at, Some(literal)),
            None => (test.at, None),
        };
        let text = || match first {
            Some(Literal::Text(text)) => nfc(text),
            _ => String::new(),
        };
        let order = |pass| Ok(Question::Order(first.map_or(Constant::Bool(false), constant), pass));
        let question = match (test.operator, first) {
            (Operator::Exists, _) => Ok(Question::Exists),
            (Operator::Equal, Some(literal)) => Ok(Question::Equal(constant(literal))),
            (Operator::Equal, None) | (Operator::In, _) => set(&test.literals).map(Question::In),
            (Operator::Less, _) => order([true, false, false]),
            (Operator::LessOrEqual, _) => order([true, true, false]),
            (Operator::Greater, _) => order([false, false, true]),
            (Operator::GreaterOrEqual, _) => order([false, true, true]),
            (Operator::Like, _) => Ok(Question::Like(Like::new(&text()))),
            (Operator::Matches, _) => {
                Regular::new(&text()).map(|regular| Question::Matches(Box::new(regular)))
            }
            (operator @ (Operator::IsSubset | Operator::IsSuperset), _) => match Network::parse(&text()) {
                Some(network) if operator == Operator::IsSubset => Ok(Question::Subset(network)),
                Some(network) => Ok(Question::Superset(network)),
                None => Err(format!(
                    "{} needs an address or a network such as '198.51.100.0/24' or '2001:db8::/32'",
                    operator.as_str()
                )),
            },
        };
        let question = question.map_err(|why| EvaluateError::Beyond { at, why })?;
        Ok(Self { path: test.path.clone(), negated: test.negated, question })
    }

    fn at(
        &self,
        observation: &Observation,
        root: &Json,
        object: &str,
        budget: &mut Budget,
    ) -> Result<bool, EvaluateError> {
        if object != self.path.object {
            return Ok(false);
        }
        let mut asked = Ask { check: self, observation, budget };
        let passed = asked.walk(root, &self.path.steps)?;
        // Only for existence does NOT speak of the object instead of a value.
        Ok(if matches!(self.question, Question::Exists) { passed != self.negated } else { passed })
    }

    fn passes(&self, value: &Selected<'_>) -> bool {
        let verdict = match &self.question {
            Question::Exists => return true,
            Question::Equal(constant) => compare(value, constant) == Compared::As(Ordering::Equal),
            Question::Order(constant, pass) => match compare(value, constant) {
                Compared::As(order) => pass.get((order as i8 + 1) as usize).copied().unwrap_or(false),
                // Text that is no bytes is still compared, with the verdict no.
                Compared::Unlike => false,
                Compared::Never => return false,
            },
            Question::In(set) => set.iter().any(|one| compare(value, one) == Compared::As(Ordering::Equal)),
            Question::Like(like) => text_of(value).is_some_and(|text| like.fits(&text)),
            Question::Matches(regular) => match value {
                Selected::Json(Json::String(text)) => regular.in_text(&nfc(text)),
                Selected::Bytes(bytes) => regular.in_bytes(bytes),
                _ => false,
            },
            Question::Listed(kind, listed) => match value {
                Selected::Json(Json::String(text)) => Value::new(*kind, text)
                    .is_ok_and(|met| listed.iter().any(|listed| is_listed(listed, &met))),
                _ => false,
            },
            Question::Subset(network) => network_of(value).is_some_and(|inner| network.holds(&inner)),
            Question::Superset(network) => network_of(value).is_some_and(|outer| outer.holds(network)),
        };
        verdict != self.negated
    }
}

/// One check at work on one observation.
struct Ask<'a, 'b> {
    check: &'a Check,
    observation: &'a Observation,
    budget: &'b mut Budget,
}

impl<'a> Ask<'a, '_> {
    /// Whether a value that the steps lead to passes.
    fn walk(&mut self, value: &'a Json, steps: &[Step]) -> Result<bool, EvaluateError> {
        self.budget.spend(1)?;
        let Some((step, rest)) = steps.split_first() else {
            return Ok(self.check.passes(&Selected::Json(value)));
        };
        match (step, value) {
            (Step::Key(key), Json::Object(fields)) => match fields.get(key) {
                Some(value) => self.property(key, value, rest),
                None => Ok(false),
            },
            (Step::Index(index), Json::Array(all)) => {
                match usize::try_from(*index).ok().and_then(|index| all.get(index)) {
                    Some(value) => self.walk(value, rest),
                    None => Ok(false),
                }
            }
            (Step::Any, Json::Array(all)) => {
                for value in all {
                    if self.walk(value, rest)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// A property: its name says whether its text is bytes, or a reference to follow.
    fn property(&mut self, key: &str, value: &'a Json, rest: &[Step]) -> Result<bool, EvaluateError> {
        match value {
            Json::String(id) if key.ends_with("_ref") => match self.observation.resolve(id) {
                Some(_) if rest.is_empty() => Ok(self.check.passes(&Selected::Objects)),
                Some(object) => self.walk(object, rest),
                None => Ok(false),
            },
            Json::Array(ids) if key.ends_with("_refs") => self.references(ids, rest),
            Json::String(text) if rest.is_empty() => match bytes_of(key, text) {
                Some(bytes) => Ok(self.check.passes(&Selected::Bytes(bytes))),
                None => self.walk(value, rest),
            },
            _ => self.walk(value, rest),
        }
    }

    fn references(&mut self, ids: &'a [Json], rest: &[Step]) -> Result<bool, EvaluateError> {
        let observation = self.observation;
        let mut found = ids.iter().map(|id| id.as_str().and_then(|id| observation.resolve(id)));
        let (step, rest) = match rest.split_first() {
            None => return Ok(found.any(|object| object.is_some()) && self.check.passes(&Selected::Objects)),
            Some(split) => split,
        };
        match step {
            Step::Key(_) => Ok(false),
            Step::Index(index) => {
                match usize::try_from(*index).ok().and_then(|index| found.nth(index)).flatten() {
                    Some(object) => self.object(object, rest),
                    None => Ok(false),
                }
            }
            Step::Any => {
                for object in found.flatten() {
                    if self.object(object, rest)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn object(&mut self, object: &'a Json, rest: &[Step]) -> Result<bool, EvaluateError> {
        self.budget.spend(1)?;
        if rest.is_empty() { Ok(self.check.passes(&Selected::Objects)) } else { self.walk(object, rest) }
    }
}

/// The bytes of a property by its name's ending.
fn bytes_of(key: &str, text: &str) -> Option<Vec<u8>> {
    if key.ends_with("_hex") {
        return hex(text);
    }
    key.ends_with("_bin").then(|| base64::engine::general_purpose::STANDARD.decode(text).ok()).flatten()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn constant(literal: &Literal) -> Constant {
    match literal {
        Literal::Text(text) => Constant::Text(text.clone()),
        Literal::Int(number) => Constant::Int(*number),
        Literal::Float(number) => Constant::Float(*number),
        Literal::Bool(truth) => Constant::Bool(*truth),
        // The lexer has read each of these; what it would not read is none.
        Literal::Timestamp(text) => Constant::Time(Timestamp::parse(text).unwrap_or_default()),
        Literal::Hex(text) => Constant::Bytes(hex(text).unwrap_or_default()),
        Literal::Binary(text) => {
            Constant::Bytes(base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default())
        }
    }
}

/// A set is of one type; whole numbers and fractions are one.
fn set(literals: &[(usize, Literal)]) -> Result<Vec<Constant>, String> {
    let set: Vec<Constant> = literals.iter().map(|(_, literal)| constant(literal)).collect();
    let sort = |constant: &Constant| match constant {
        Constant::Text(_) => 0,
        Constant::Int(_) | Constant::Float(_) => 1,
        Constant::Bool(_) => 2,
        Constant::Time(_) => 3,
        Constant::Bytes(_) => 4,
    };
    match set.windows(2).any(|pair| matches!(pair, [one, other] if sort(one) != sort(other))) {
        true => Err("the members of a set are of one type".into()),
        false => Ok(set),
    }
}

/// How a value stands to a constant.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Compared {
    As(Ordering),
    /// Comparable types, and no order between these two: text beyond what bytes can be, no time.
    Unlike,
    /// The types have nothing to do with each other.
    Never,
}

fn compare(value: &Selected<'_>, constant: &Constant) -> Compared {
    let known = |order: Option<Ordering>| order.map_or(Compared::Unlike, Compared::As);
    match (value, constant) {
        (Selected::Json(Json::String(text)), Constant::Text(other)) => Compared::As(text.as_str().cmp(other)),
        (Selected::Json(Json::String(text)), Constant::Time(time)) => {
            known(Timestamp::parse(text).ok().map(|stamp| stamp.cmp(time)))
        }
        (Selected::Json(Json::String(text)), Constant::Bytes(bytes)) => {
            known(latin(text).map(|text| text.cmp(bytes)))
        }
        (Selected::Bytes(bytes), Constant::Text(text)) => known(latin(text).map(|text| bytes.cmp(&text))),
        (Selected::Bytes(bytes), Constant::Bytes(other)) => Compared::As(bytes.cmp(other)),
        (Selected::Json(Json::Bool(truth)), Constant::Bool(other)) if truth == other => {
            Compared::As(Ordering::Equal)
        }
        (Selected::Json(Json::Number(number)), Constant::Int(_) | Constant::Float(_)) => {
            known(numbers(number, constant))
        }
        _ => Compared::Never,
    }
}

/// The bytes a text stands for beside binary: one a character, if each is below 256 (STIX 2.1 section 9.6.3).
fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// Numbers are compared by what they are worth, without rounding.
fn numbers(value: &serde_json::Number, constant: &Constant) -> Option<Ordering> {
    let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    match (whole, constant) {
        (Some(whole), Constant::Int(other)) => Some(whole.cmp(&i128::from(*other))),
        (Some(whole), Constant::Float(other)) => whole_beside(whole, *other),
        (None, Constant::Int(other)) => {
            whole_beside(i128::from(*other), value.as_f64()?).map(Ordering::reverse)
        }
        (None, Constant::Float(other)) => value.as_f64()?.partial_cmp(other),
        _ => None,
    }
}

fn whole_beside(whole: i128, float: f64) -> Option<Ordering> {
    if float.abs() >= 1e30 {
        return 0f64.partial_cmp(&float);
    }
    // Within that range the whole part of a float is exact.
    let part = float.trunc() as i128;
    Some(whole.cmp(&part).then_with(|| 0f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)))
}

/// Normal form C, which LIKE and MATCHES work on; `=` and the order compare code points as they are (section 9.6.2).
fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

fn text_of(value: &Selected<'_>) -> Option<String> {
    match value {
        Selected::Json(Json::String(text)) => Some(nfc(text)),
        Selected::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(nfc),
        _ => None,
    }
}

/// `LIKE`: `%` is any run of characters, `_` any one.
#[derive(Debug, Clone)]
struct Like {
    /// What stands between the `%`.
    parts: Vec<Vec<char>>,
}

impl Like {
    fn new(pattern: &str) -> Self {
        Self { parts: pattern.split('%').map(|part| part.chars().collect()).collect() }
    }

    fn fits(&self, text: &str) -> bool {
        let (first, rest) = match self.parts.split_first() {
            Some(split) => split,
            None => return text.is_empty(),
        };
        let Some((last, middle)) = rest.split_last() else { return taken(first, text) == Some("") };
        let Some(mut left) = taken(first, text) else { return false };
        for part in middle {
            match after(part, left) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        let mut starts = left.char_indices().rev().map(|(at, _)| at);
        let start = match last.len() {
            0 => Some(left.len()),
            length => starts.nth(length - 1),
        };
        start.and_then(|start| left.get(start..)).is_some_and(|end| taken(last, end) == Some(""))
    }
}

/// What is left of `text` behind `part` at its start.
fn taken<'a>(part: &[char], text: &'a str) -> Option<&'a str> {
    let mut characters = text.chars();
    for wanted in part {
        let character = characters.next()?;
        if *wanted != '_' && *wanted != character {
            return None;
        }
    }
    Some(characters.as_str())
}

/// What is left of `text` behind the first place of `part`.
fn after<'a>(part: &[char], text: &'a str) -> Option<&'a str> {
    if !part.contains(&'_') {
        let part: String = part.iter().collect();
        let at = memmem::find(text.as_bytes(), part.as_bytes())?;
        return text.get(at + part.len()..);
    }
    text.char_indices().find_map(|(at, _)| taken(part, text.get(at..)?))
}

/// A network, or an address as the smallest one. An IPv4-mapped IPv6 address stays IPv6.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    bits: u128,
    length: u8,
    wide: bool,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (bits, most, wide) = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32, false),
            IpAddr::V6(ip) => (u128::from(ip), 128, true),
        };
        let length = match length {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (length <= most).then_some(Self { bits, length, wide })
    }

    /// Whether `inner` lies within, or is the same.
    fn holds(&self, inner: &Self) -> bool {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
        self.wide == inner.wide && self.length <= inner.length && (self.bits ^ inner.bits) & mask == 0
    }
}

fn network_of(value: &Selected<'_>) -> Option<Network> {
    match value {
        Selected::Json(Json::String(text)) => Network::parse(text),
        _ => None,
    }
}
