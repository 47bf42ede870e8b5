//! What a matcher requires of a text, as literals: exactly where it is nothing but literals, else as what must be there.
//!
//! Literals and texts are compared in lower case, as Sigma does by default and with the same function as `rsigma-eval`
//! (`str::to_lowercase`). A case-sensitive matcher requires its literal in lower case too, and more.

use regex_syntax::hir::{Class, Hir, HirKind};
use rsigma_eval::CompiledMatcher;
use rsigma_eval::matcher::GroupMode;

/// Shortest literal of a regular expression worth looking for, in bytes.
const REGEX_LITERAL_BYTES_MIN: usize = 2;
/// Most literals one of which a matcher requires; with more it is asked whenever its field is there.
const NEEDS_MAX: usize = 4_096;

/// Where in a text a literal has to stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum At {
    /// Anywhere.
    Anywhere,
    /// At the start.
    Start,
    /// At the end.
    End,
    /// It is the whole text.
    Whole,
}

/// A literal in lower case and where it has to stand.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Literal {
    pub(crate) text: Box<str>,
    pub(crate) at: At,
}

/// A matcher that is nothing but literals, over one text in lower case. Generic over how a literal is referred to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Test<L> {
    Always(bool),
    Empty,
    Literal(L),
    /// Any of many literals, by the number of the list.
    Listed(u32),
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
}

impl<L> Test<L> {
    /// The same test with its literals referred to otherwise.
    pub(crate) fn map<M>(self, refer: &mut impl FnMut(L) -> M) -> Test<M> {
        match self {
            Self::Always(truth) => Test::Always(truth),
            Self::Empty => Test::Empty,
            Self::Listed(list) => Test::Listed(list),
            Self::Literal(literal) => Test::Literal(refer(literal)),
            Self::Any(tests) => Test::Any(tests.into_iter().map(|test| test.map(refer)).collect()),
            Self::All(tests) => Test::All(tests.into_iter().map(|test| test.map(refer)).collect()),
            Self::Not(test) => Test::Not(Box::new(test.map(refer))),
        }
    }
}

/// What must be in a text: at least one of these literals.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Needs {
    pub(crate) literals: Vec<Literal>,
    /// Holds for texts of ASCII alone: beyond it, case-insensitive regular expressions know more spellings of a letter
    /// than lower case does.
    pub(crate) ascii_only: bool,
}

impl Needs {
    fn one(text: &str, at: At) -> Option<Self> {
        let literal = Literal { text: text.into(), at };
        (!text.is_empty()).then(|| Self { literals: vec![literal], ascii_only: false })
    }

    /// One of these or one of those.
    fn or(mut self, more: Self) -> Option<Self> {
        self.literals.extend(more.literals);
        self.literals.sort_unstable();
        self.literals.dedup();
        self.ascii_only |= more.ascii_only;
        (self.literals.len() <= NEEDS_MAX).then_some(self)
    }

    fn any(parts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let first = parts.next()??;
        parts.try_fold(first, |all, part| all.or(part?))
    }

    /// Of several that are all required, the one that tells most: the longest shortest literal, then the fewest.
    fn all(parts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        let shortest = |needs: &Self| needs.literals.iter().map(|literal| literal.text.len()).min().unwrap_or(0);
        parts
            .into_iter()
            .flatten()
            .max_by_key(|needs| (shortest(needs), std::cmp::Reverse(needs.literals.len())))
    }
}

/// The matcher as a test over literals, if it is nothing else.
pub(crate) fn test_of(matcher: &CompiledMatcher) -> Option<Test<Literal>> {
    let literal = |text: &str, at| match (text.is_empty(), at) {
        (true, At::Whole) => Test::Empty,
        (true, _) => Test::Always(true),
        (false, at) => Test::Literal(Literal { text: text.into(), at }),
    };
    let tests = |children: &[CompiledMatcher]| children.iter().map(test_of).collect::<Option<Vec<_>>>();
    Some(match matcher {
        CompiledMatcher::Contains { value, case_insensitive: true } => literal(value, At::Anywhere),
        CompiledMatcher::StartsWith { value, case_insensitive: true } => literal(value, At::Start),
        CompiledMatcher::EndsWith { value, case_insensitive: true } => literal(value, At::End),
        CompiledMatcher::Exact { value, case_insensitive: true } => literal(value, At::Whole),
        CompiledMatcher::AhoCorasickSet { needles, case_insensitive: true, .. } => {
            Test::Any(needles.iter().map(|needle| literal(needle, At::Anywhere)).collect())
        }
        CompiledMatcher::AnyOf(children)
        | CompiledMatcher::CaseInsensitiveGroup { children, mode: GroupMode::Any } => Test::Any(tests(children)?),
        CompiledMatcher::AllOf(children)
        | CompiledMatcher::CaseInsensitiveGroup { children, mode: GroupMode::All } => Test::All(tests(children)?),
        CompiledMatcher::Not(inner) => Test::Not(Box::new(test_of(inner)?)),
        _ => return None,
    })
}

/// What any text, or any member of a list of texts, must hold for the matcher to match; nothing if that cannot be said.
pub(crate) fn needs_of(matcher: &CompiledMatcher) -> Option<Needs> {
    let fold = |text: &str, insensitive: bool, at| match (insensitive, text.is_ascii()) {
        // Folded by the compiler already.
        (true, _) => Needs::one(text, at),
        (false, true) => Needs::one(&text.to_ascii_lowercase(), at),
        (false, false) => None,
    };
    match matcher {
        CompiledMatcher::Contains { value, case_insensitive } => fold(value, *case_insensitive, At::Anywhere),
        CompiledMatcher::StartsWith { value, case_insensitive } => fold(value, *case_insensitive, At::Start),
        CompiledMatcher::EndsWith { value, case_insensitive } => fold(value, *case_insensitive, At::End),
        CompiledMatcher::Exact { value, case_insensitive } => fold(value, *case_insensitive, At::Whole),
        CompiledMatcher::AhoCorasickSet { needles, case_insensitive, .. } => {
            Needs::any(needles.iter().map(|needle| fold(needle, *case_insensitive, At::Anywhere)))
        }
        CompiledMatcher::Regex(regex) => regex_needs(regex.as_str()),
        CompiledMatcher::RegexSetMatch { set, mode } => {
            let parts = set.patterns().iter().map(|pattern| regex_needs(pattern));
            match mode {
                GroupMode::Any => Needs::any(parts),
                GroupMode::All => Needs::all(parts),
            }
        }
        CompiledMatcher::AnyOf(children)
        | CompiledMatcher::CaseInsensitiveGroup { children, mode: GroupMode::Any } => {
            Needs::any(children.iter().map(needs_of))
        }
        CompiledMatcher::AllOf(children)
        | CompiledMatcher::CaseInsensitiveGroup { children, mode: GroupMode::All } => {
            Needs::all(children.iter().map(needs_of))
        }
        _ => None,
    }
}

/// Literals one of which every text holds that a regular expression matches.
fn regex_needs(pattern: &str) -> Option<Needs> {
    let tree = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
    let literals = hir_literals(&tree)?;
    if literals.iter().any(|literal| literal.len() < REGEX_LITERAL_BYTES_MIN) {
        return None;
    }
    let literals =
        literals.into_iter().map(|text| Literal { text: text.into(), at: At::Anywhere }).collect::<Vec<_>>();
    (literals.len() <= NEEDS_MAX).then_some(Needs { literals, ascii_only: true })
}

/// One character, in lower case, if the tree matches that character alone, in whatever case.
fn one_letter(tree: &Hir) -> Option<char> {
    let mut letters = match tree.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            if ranges.iter().any(|range| range.start() != range.end()) || ranges.len() > 4 {
                return None;
            }
            ranges.iter().map(|range| range.start()).collect::<Vec<_>>()
        }
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = class.ranges();
            if ranges.iter().any(|range| range.start() != range.end()) || ranges.len() > 2 {
                return None;
            }
            ranges.iter().map(|range| char::from(range.start())).collect()
        }
        _ => return None,
    };
    // Letters beyond ASCII that fold to this one occur in no text of ASCII, and for others the need does not hold.
    letters.retain(char::is_ascii);
    let first = letters.first()?.to_ascii_lowercase();
    letters.iter().all(|letter| letter.to_ascii_lowercase() == first).then_some(first)
}

/// As [`regex_needs`], for a part; the literals in lower case.
fn hir_literals(tree: &Hir) -> Option<Vec<String>> {
    let better = |a: &Vec<String>, b: &Vec<String>| {
        let key = |list: &Vec<String>| {
            (list.iter().map(String::len).min().unwrap_or(0), std::cmp::Reverse(list.len()))
        };
        key(a) > key(b)
    };
    match tree.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            text.is_ascii().then(|| vec![text.to_ascii_lowercase()])
        }
        HirKind::Class(_) => one_letter(tree).map(|letter| vec![letter.to_string()]),
        HirKind::Concat(children) => {
            let mut best: Option<Vec<String>> = None;
            let mut take = |found: Vec<String>| {
                if best.as_ref().is_none_or(|best| better(&found, best)) {
                    best = Some(found);
                }
            };
            // Letters and literals next to each other are one literal.
            let mut run = String::new();
            for child in children {
                let piece = match child.kind() {
                    HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_owned),
                    _ => one_letter(child).map(String::from),
                };
                match piece.filter(|piece| piece.is_ascii()) {
                    Some(piece) => run.push_str(&piece.to_ascii_lowercase()),
                    None => {
                        if !run.is_empty() {
                            take(vec![std::mem::take(&mut run)]);
                        }
                        if let Some(found) = hir_literals(child) {
                            take(found);
                        }
                    }
                }
            }
            if !run.is_empty() {
                take(vec![run]);
            }
            best
        }
        HirKind::Alternation(children) => {
            let mut all = Vec::new();
            for child in children {
                all.extend(hir_literals(child)?);
            }
            Some(all)
        }
        HirKind::Repetition(repetition) if repetition.min >= 1 => hir_literals(&repetition.sub),
        HirKind::Capture(capture) => hir_literals(&capture.sub),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pattern: &str) -> Option<Vec<String>> {
        Some(regex_needs(pattern)?.literals.into_iter().map(|literal| literal.text.into()).collect())
    }

    #[test]
    fn regular_expressions_say_what_they_require() {
        assert_eq!(words("(?i)^.*mimi.*katz.*$").as_deref(), Some(&["mimi".to_owned()][..]));
        assert_eq!(words("Invoke-[A-Z]+Expression"), Some(vec!["expression".into()]));
        assert_eq!(words("(?i)(alpha|beta)x").as_deref(), Some(&["alpha".to_owned(), "beta".into()][..]));
        assert_eq!(words("(?:foobar)+"), Some(vec!["foobar".into()]));
        assert_eq!(words("(?:foobar)*"), None);
        assert_eq!(words("[a-z]{3}"), None);
        assert_eq!(words("a.b"), None, "one letter tells nothing");
        assert_eq!(words("ab|c"), None, "every branch has to say something");
    }
}
