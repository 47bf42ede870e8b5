//! The tests within brackets, compiled, and asked of one observation.
//!
//! A test holds for an object of the path's type if one of the values its path selects passes. `NOT` turns the
//! verdict on each value, so nothing passes where nothing is selected. AND and OR are about one and the same object
//! (STIX 2.1 section 9.6). Values of types that do not fit together are unequal and in no order.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::compare::{
    Compared, Constant, Like, Network, Selected, bytes_of, compare, constant, is_listed, network_of, nfc,
    set, text_of,
};
use super::regular::Regular;
use super::tree::{Comparison, Literal, ObjectPath, Operator, Step, Test};
use super::values::kind_of;
use super::{Budget, EvaluateError};
use crate::observed::Observation;
use crate::value::{Kind, Value};

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
