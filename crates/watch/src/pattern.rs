//! STIX 2.1 patterns: the whole grammar is read; what the exact tier can match is taken out as values.
//!
//! Grammar and meaning: STIX 2.1 section 9. An indicator can be matched exactly if its pattern is equality
//! comparisons (`=`, `IN`, and `ISSUBSET` on an address) joined by OR, within one observation or across several.
//! `[ipv4-addr:value = A AND network-traffic:dst_port = N]` and its like on `network-traffic` is one
//! [`Kind::IpPort`]. Everything else is told apart as beyond the exact tier, naming what stands in the way; a
//! [`Program`] evaluates any pattern on [observations](crate::observed).

mod check;
mod compare;
mod evaluate;
mod lexer;
mod parser;
mod regular;
mod solve;
mod tree;
mod values;

pub(crate) use evaluate::Budget;
pub use evaluate::{EvaluateError, Program, Verdict};
pub(crate) use regular::rewrite;
pub(crate) use solve::Span;
pub use tree::{Comparison, Literal, ObjectPath, Observation, Operator, Pattern, Qualifier, Step, Test};
pub(crate) use values::kind_of;
pub use values::{Exact, Unsupported};

#[cfg(doc)]
use crate::value::Kind;
use crate::value::{Value, ValueError};

/// Why a pattern gave no values.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Not a STIX pattern.
    #[error("the pattern is invalid at byte {at}: {why}")]
    Invalid {
        /// Offset in bytes of the first thing that cannot stand there.
        at: usize,
        /// What was found and what may stand there.
        why: String,
    },
    /// Longer or deeper than the limits allow.
    #[error("the pattern is too large at byte {at}: {why}")]
    TooLarge {
        /// Offset in bytes where the limit was passed.
        at: usize,
        /// The limit.
        why: String,
    },
    /// A valid pattern that the exact tier cannot match.
    #[error("the pattern is valid, but {operator} (byte {at}) is not supported yet")]
    Unsupported {
        /// Offset in bytes of what is not supported.
        at: usize,
        /// The operator, qualifier or object path in question.
        operator: String,
    },
    /// A comparison with something that is no value of its kind.
    #[error("the pattern compares with a malformed value at byte {at}")]
    Value {
        /// Offset in bytes of the literal.
        at: usize,
        /// What is wrong with the value.
        #[source]
        source: ValueError,
    },
}

impl PatternError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "watch.pattern.invalid",
            Self::TooLarge { .. } => "watch.pattern.too_large",
            Self::Unsupported { .. } => "watch.pattern.unsupported",
            Self::Value { .. } => "watch.pattern.value",
        }
    }

    /// Where in the pattern, as an offset in bytes.
    pub fn at(&self) -> usize {
        match self {
            Self::Invalid { at, .. }
            | Self::TooLarge { at, .. }
            | Self::Unsupported { at, .. }
            | Self::Value { at, .. } => *at,
        }
    }
}

/// Reads a pattern into its tree.
///
/// # Errors
/// [`PatternError::Invalid`] or [`PatternError::TooLarge`]
/// (limits: `shieldwall_model::limits::PATTERN_BYTES_MAX`, `PATTERN_NODES_MAX`).
pub fn parse(pattern: &str) -> Result<Pattern, PatternError> {
    parser::parse(pattern)
}

/// The values of a pattern any one of which makes it match, in order, each once.
///
/// ```
/// use shieldwall_watch::pattern;
/// let values = pattern::values("[domain-name:value = 'evil.example' OR url:value = 'http://evil.example/a']")?;
/// assert_eq!(values.len(), 2);
/// assert_eq!(pattern::values("[file:name LIKE 'a%']").unwrap_err().code(), "watch.pattern.unsupported");
/// # Ok::<(), pattern::PatternError>(())
/// ```
///
/// # Errors
/// As [`parse`]; [`PatternError::Unsupported`] if any part is beyond equality joined by OR;
/// [`PatternError::Value`] if a literal is malformed. [`Pattern::exact`] gives what can be had of a partly
/// supported pattern.
pub fn values(pattern: &str) -> Result<Vec<Value>, PatternError> {
    let exact = parse(pattern)?.exact()?;
    match exact.unsupported.into_iter().next() {
        Some(Unsupported { at, operator }) => Err(PatternError::Unsupported { at, operator }),
        None => Ok(exact.values),
    }
}

#[cfg(test)]
mod tests;
