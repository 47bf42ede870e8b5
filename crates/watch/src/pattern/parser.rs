//! The recursive-descent reader that builds a pattern's tree (STIX 2.1 section 9).
//!
//! Precedence, tightest first: within brackets NOT-tests, AND, OR; between brackets qualifiers, AND, OR, FOLLOWEDBY.

use shieldwall_model::limits::{PATTERN_BYTES_MAX, PATTERN_NODES_MAX};

use super::PatternError;
use super::lexer::{Token, What, tokens};
use super::tree::{Comparison, Literal, ObjectPath, Observation, Operator, Pattern, Qualifier, Step, Test};

/// Words the grammar keeps for itself: as a type, property or key they are quoted.
#[rustfmt::skip]
const KEYWORDS: [&str; 19] = [
    "AND", "OR", "NOT", "FOLLOWEDBY", "LIKE", "MATCHES", "ISSUPERSET", "ISSUBSET", "EXISTS", "LAST", "IN",
    "START", "STOP", "SECONDS", "true", "false", "WITHIN", "REPEATS", "TIMES",
];

/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 64;

impl ObjectPath {
    /// Reads a path that stands by itself; `None` if it is none.
    pub fn read(text: &str) -> Option<Self> {
        let mut reader = Reader { tokens: tokens(text).ok()?, next: 0, nodes: 0, depth: 0 };
        let path = reader.path().ok()?;
        (*reader.peek() == What::End).then_some(path)
    }
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    nodes: usize,
    depth: usize,
}

type Read<T> = Result<T, PatternError>;

pub(super) fn parse(pattern: &str) -> Read<Pattern> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let why = format!("a pattern has at most {PATTERN_BYTES_MAX} bytes, this one {}", pattern.len());
        return Err(PatternError::TooLarge { at: PATTERN_BYTES_MAX, why });
    }
    let mut reader = Reader { tokens: tokens(pattern)?, next: 0, nodes: 0, depth: 0 };
    let root = reader.followed_by()?;
    if *reader.peek() != What::End {
        return Err(reader.expected("AND, OR, FOLLOWEDBY, a qualifier or the end"));
    }
    Ok(Pattern { root })
}

impl Reader {
    fn peek(&self) -> &What {
        self.tokens.get(self.next).map_or(&What::End, |token| &token.what)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn take(&mut self) -> What {
        let what = self.peek().clone();
        self.next += 1;
        what
    }

    fn expected(&self, what: &str) -> PatternError {
        PatternError::Invalid {
            at: self.at(),
            why: format!("found {}, expected {what}", self.peek().shown()),
        }
    }

    fn sign(&mut self, sign: &str) -> bool {
        let here = matches!(self.peek(), What::Sign(found) if *found == sign);
        self.next += usize::from(here);
        here
    }

    fn need(&mut self, sign: &str) -> Read<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.expected(&format!("\"{sign}\""))) }
    }

    fn keyword(&mut self, word: &str) -> bool {
        let here = matches!(self.peek(), What::Name(found) if found == word);
        self.next += usize::from(here);
        here
    }

    fn need_keyword(&mut self, word: &str) -> Read<()> {
        if self.keyword(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn node(&mut self) -> Read<()> {
        self.nodes += 1;
        if self.nodes > PATTERN_NODES_MAX {
            let why =
                format!("a pattern has at most {PATTERN_NODES_MAX} comparisons, literals and operators");
            return Err(PatternError::TooLarge { at: self.at(), why });
        }
        Ok(())
    }

    fn deeper(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let why = format!("parentheses nest at most {DEPTH_MAX} deep");
            return Err(PatternError::TooLarge { at: self.at(), why });
        }
        Ok(())
    }

    /// A chain of `inner` joined by `word`; a single one stays itself.
    fn chain<T>(&mut self, word: &str, inner: fn(&mut Self) -> Read<T>, join: fn(Vec<T>) -> T) -> Read<T> {
        let first = inner(self)?;
        if !matches!(self.peek(), What::Name(found) if found == word) {
            return Ok(first);
        }
        self.node()?;
        let mut all = vec![first];
        while self.keyword(word) {
            all.push(inner(self)?);
        }
        Ok(join(all))
    }

    fn followed_by(&mut self) -> Read<Observation> {
        self.chain("FOLLOWEDBY", Self::observation_or, Observation::FollowedBy)
    }

    fn observation_or(&mut self) -> Read<Observation> {
        self.chain("OR", Self::observation_and, Observation::Or)
    }

    fn observation_and(&mut self) -> Read<Observation> {
        self.chain("AND", Self::qualified, Observation::And)
    }

    fn qualified(&mut self) -> Read<Observation> {
        let mut once = None;
        let mut of = if self.sign("(") {
            self.deeper()?;
            let inner = self.followed_by()?;
            self.need(")")?;
            self.depth -= 1;
            inner
        } else if self.sign("[") {
            let inner = self.comparison_or()?;
            self.need("]")?;
            once = Some([false; 3]);
            Observation::Test(inner)
        } else {
            return Err(self.expected("\"[\" or \"(\""));
        };
        while let Some((by, at)) = self.qualifier()? {
            let which = match by {
                Qualifier::Within(_) => 0,
                Qualifier::Repeats(_) => 1,
                Qualifier::StartStop(..) => 2,
            };
            // Each sort once behind a test; a group in parentheses may be qualified again.
            if let Some(seen) = once.as_mut().and_then(|seen| seen.get_mut(which))
                && std::mem::replace(seen, true)
            {
                let why = "a test has at most one WITHIN, one REPEATS and one START … STOP".into();
                return Err(PatternError::Invalid { at, why });
            }
            self.node()?;
            of = Observation::Qualified { of: Box::new(of), by, at };
        }
        Ok(of)
    }

    /// One qualifier and where it starts, if there is one here.
    fn qualifier(&mut self) -> Read<Option<(Qualifier, usize)>> {
        let at = self.at();
        let by = if self.keyword("WITHIN") {
            let seconds = match self.take() {
                What::Int(number) if number > 0 => number as f64,
                What::Float(number) if number > 0.0 => number,
                _ => {
                    return Err(PatternError::Invalid { at, why: "WITHIN needs a number above zero".into() });
                }
            };
            self.need_keyword("SECONDS")?;
            Qualifier::Within(seconds)
        } else if self.keyword("REPEATS") {
            let times = match self.take() {
                What::Int(number) if number > 0 => number.unsigned_abs(),
                _ => {
                    return Err(PatternError::Invalid {
                        at,
                        why: "REPEATS needs a whole number above zero".into(),
                    });
                }
            };
            self.need_keyword("TIMES")?;
            Qualifier::Repeats(times)
        } else if self.keyword("START") {
            let start = self.timestamp()?;
            self.need_keyword("STOP")?;
            Qualifier::StartStop(start, self.timestamp()?)
        } else {
            return Ok(None);
        };
        Ok(Some((by, at)))
    }

    fn timestamp(&mut self) -> Read<String> {
        match self.peek() {
            What::Typed('t', text) => {
                let text = text.clone();
                self.next += 1;
                Ok(text)
            }
            _ => Err(self.expected("a timestamp as t'2026-01-31T12:00:00Z'")),
        }
    }

    fn comparison_or(&mut self) -> Read<Comparison> {
        self.chain("OR", Self::comparison_and, Comparison::Or)
    }

    fn comparison_and(&mut self) -> Read<Comparison> {
        self.chain("AND", Self::test, Comparison::And)
    }

    fn test(&mut self) -> Read<Comparison> {
        if self.sign("(") {
            self.deeper()?;
            let inner = self.comparison_or()?;
            self.need(")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        self.node()?;
        let at = self.at();
        let absent = self.keyword("NOT");
        if self.keyword("EXISTS") {
            let path = self.path()?;
            let test = Test { at, path, negated: absent, operator: Operator::Exists, literals: Vec::new() };
            return Ok(Comparison::Test(test));
        }
        if absent {
            return Err(self.expected("EXISTS; before another operator, NOT stands behind the path"));
        }
        let path = self.path()?;
        let mut negated = self.keyword("NOT");
        let operator = match self.peek() {
            What::Sign("=" | "==") => Operator::Equal,
            What::Sign("!=" | "<>") => {
                negated = !negated;
                Operator::Equal
            }
            What::Sign("<") => Operator::Less,
            What::Sign("<=") => Operator::LessOrEqual,
            What::Sign(">") => Operator::Greater,
            What::Sign(">=") => Operator::GreaterOrEqual,
            What::Name(word) => match word.as_str() {
                "IN" => Operator::In,
                "LIKE" => Operator::Like,
                "MATCHES" => Operator::Matches,
                "ISSUBSET" => Operator::IsSubset,
                "ISSUPERSET" => Operator::IsSuperset,
                _ => return Err(self.expected("a comparison operator")),
            },
            _ => return Err(self.expected("a comparison operator")),
        };
        self.next += 1;
        let literals = if operator == Operator::In { self.set()? } else { vec![self.literal()?] };
        let text_only = matches!(
            operator,
            Operator::Like | Operator::Matches | Operator::IsSubset | Operator::IsSuperset
        );
        if let Some((at, _)) = literals.iter().find(|(_, l)| text_only && !matches!(l, Literal::Text(_))) {
            return Err(PatternError::Invalid {
                at: *at,
                why: format!("{} needs a string", operator.as_str()),
            });
        }
        let ordered = matches!(
            operator,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual
        );
        if let Some((at, _)) = literals.iter().find(|(_, l)| ordered && matches!(l, Literal::Bool(_))) {
            let why = "true and false have no order: compare them with = or !=".into();
            return Err(PatternError::Invalid { at: *at, why });
        }
        Ok(Comparison::Test(Test { at, path, negated, operator, literals }))
    }

    fn set(&mut self) -> Read<Vec<(usize, Literal)>> {
        self.need("(")?;
        if self.sign(")") {
            return Ok(Vec::new());
        }
        let mut all = vec![self.literal()?];
        while self.sign(",") {
            all.push(self.literal()?);
        }
        self.need(")")?;
        Ok(all)
    }

    fn literal(&mut self) -> Read<(usize, Literal)> {
        self.node()?;
        let at = self.at();
        let literal = match self.peek().clone() {
            What::Text(text) => Literal::Text(text),
            What::Int(number) => Literal::Int(number),
            What::Float(number) => Literal::Float(number),
            What::Name(word) if word == "true" || word == "false" => Literal::Bool(word == "true"),
            What::Typed('t', text) => Literal::Timestamp(text),
            What::Typed('h', text) => Literal::Hex(text),
            What::Typed(_, text) => Literal::Binary(text),
            _ => return Err(self.expected("a literal such as 'text', 80, true or t'…'")),
        };
        self.next += 1;
        Ok((at, literal))
    }

    fn path(&mut self) -> Read<ObjectPath> {
        let object = match self.peek() {
            What::Name(name) if !KEYWORDS.contains(&name.as_str()) => name.clone(),
            _ => return Err(self.expected("an object path such as domain-name:value")),
        };
        self.next += 1;
        self.need(":")?;
        let mut steps = vec![self.step()?];
        loop {
            if self.sign(".") {
                steps.push(self.step()?);
            } else if self.sign("[") {
                steps.push(match self.peek() {
                    What::Int(number) => Step::Index(*number),
                    What::Sign("*") => Step::Any,
                    _ => return Err(self.expected("an index or \"*\"")),
                });
                self.next += 1;
                self.need("]")?;
            } else {
                return Ok(ObjectPath { object, steps });
            }
        }
    }

    fn step(&mut self) -> Read<Step> {
        let key = match self.peek() {
            What::Name(name) if KEYWORDS.contains(&name.as_str()) => {
                return Err(self.expected(&format!("a property; a keyword is quoted, as '{name}'")));
            }
            What::Name(name) if !name.contains('-') => name.clone(),
            What::Text(text) => text.clone(),
            What::Name(_) => {
                return Err(self.expected("a property; one with a hyphen is quoted, as 'SHA-256'"));
            }
            _ => return Err(self.expected("a property")),
        };
        self.next += 1;
        Ok(Step::Key(key))
    }
}
