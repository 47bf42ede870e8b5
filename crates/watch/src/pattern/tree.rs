//! The tree of a pattern (STIX 2.1 section 9).

use std::fmt;

/// A pattern that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Pattern {
    /// The outermost expression.
    pub root: Observation,
}

/// An expression over observations.
#[derive(Clone, PartialEq, Debug)]
pub enum Observation {
    /// `[ … ]`.
    Test(Comparison),
    /// Both in different observations.
    And(Vec<Observation>),
    /// Either.
    Or(Vec<Observation>),
    /// The second no earlier than the first.
    FollowedBy(Vec<Observation>),
    /// An expression with a qualifier behind it.
    Qualified {
        /// What is qualified.
        of: Box<Observation>,
        /// The qualifier.
        by: Qualifier,
        /// Offset of the qualifier in bytes.
        at: usize,
    },
}

/// A qualifier of an observation expression.
#[derive(Clone, PartialEq, Debug)]
pub enum Qualifier {
    /// `WITHIN n SECONDS`.
    Within(f64),
    /// `REPEATS n TIMES`.
    Repeats(u64),
    /// `START t'…' STOP t'…'`.
    StartStop(String, String),
}

/// An expression over one observation.
#[derive(Clone, PartialEq, Debug)]
pub enum Comparison {
    /// One comparison.
    Test(Test),
    /// All of them.
    And(Vec<Comparison>),
    /// Any of them.
    Or(Vec<Comparison>),
}

impl Comparison {
    /// Where it starts, in bytes.
    pub fn at(&self) -> usize {
        match self {
            Self::Test(test) => test.at,
            Self::And(all) | Self::Or(all) => all.first().map_or(0, Self::at),
        }
    }
}

/// One comparison: `path operator literal`.
#[derive(Clone, PartialEq, Debug)]
pub struct Test {
    /// Where it starts, in bytes.
    pub at: usize,
    /// What is compared.
    pub path: ObjectPath,
    /// `NOT` before the operator (or `!=`, or before `EXISTS`).
    pub negated: bool,
    /// The operator.
    pub operator: Operator,
    /// What it is compared with: one literal, or the set of `IN` (which may be empty); none for `EXISTS`.
    pub literals: Vec<(usize, Literal)>,
}

/// A comparison operator. `!=` is [`Operator::Equal`], negated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Like,
    Matches,
    IsSubset,
    IsSuperset,
    Exists,
}

impl Operator {
    /// As a pattern spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "IN",
            Self::Like => "LIKE",
            Self::Matches => "MATCHES",
            Self::IsSubset => "ISSUBSET",
            Self::IsSuperset => "ISSUPERSET",
            Self::Exists => "EXISTS",
        }
    }
}

/// A literal of a pattern.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// `'…'`.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `t'…'`.
    Timestamp(String),
    /// `h'…'`.
    Hex(String),
    /// `b'…'`.
    Binary(String),
}

/// `type:step.step[index]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectPath {
    /// The object type before the colon.
    pub object: String,
    /// The steps behind it, at least one.
    pub steps: Vec<Step>,
}

/// One step of an object path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A property or key.
    Key(String),
    /// `[n]`.
    Index(i64),
    /// `[*]`.
    Any,
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.object)?;
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    let quote =
                        if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') { "" } else { "'" };
                    write!(f, "{}{quote}{key}{quote}", if index > 0 { "." } else { "" })?;
                }
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Any => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}
