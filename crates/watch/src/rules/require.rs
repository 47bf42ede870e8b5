//! What must be met in an event before a test can hold: derived from `=`, `IN`, `LIKE`, `MATCHES` and `ISSUBSET`.
//!
//! The wakes of a test are alternatives: without one of them it cannot hold. Of tests joined by AND the best is
//! enough, of tests joined by OR all are needed. Texts are ASCII in lower case and at least four characters long, cut
//! where an event may spell something in parts (the host and path of a URL).

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::pattern::{
    Comparison, Literal, ObjectPath, Observation, Operator, Pattern, Step, Test, kind_of, rewrite,
};
use crate::value::{Kind, Value};

/// Shortest text looked for.
pub(super) const TEXT_BYTES_MIN: usize = 4;
/// Most alternatives of one regular expression.
const ALTERNATIVES_MAX: usize = 64;

/// Something that is met in an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Wake {
    /// A value the exact table finds.
    Value(Value),
    /// A text, in lower case.
    Text(Box<[u8]>),
}

impl Wake {
    /// How seldom it is met by chance; less is better.
    fn weakness(&self) -> usize {
        match self {
            Self::Value(_) => 0,
            Self::Text(text) => 64 / text.len().max(1) + 1,
        }
    }
}

/// For each test of a pattern, in order: where it starts, and its wakes, if it has any.
pub(super) fn of(pattern: &Pattern) -> Vec<(usize, Option<Vec<Wake>>)> {
    let mut tests = Vec::new();
    collect(&pattern.root, &mut tests);
    tests
}

fn collect(from: &Observation, tests: &mut Vec<(usize, Option<Vec<Wake>>)>) {
    match from {
        Observation::Test(comparison) => tests.push((comparison.at(), needs(comparison))),
        Observation::And(all) | Observation::Or(all) | Observation::FollowedBy(all) => {
            all.iter().for_each(|one| collect(one, tests));
        }
        Observation::Qualified { of, .. } => collect(of, tests),
    }
}

fn needs(comparison: &Comparison) -> Option<Vec<Wake>> {
    match comparison {
        Comparison::Test(test) => of_test(test),
        Comparison::Or(all) => {
            let parts: Option<Vec<Vec<Wake>>> = all.iter().map(needs).collect();
            parts.map(|parts| parts.into_iter().flatten().collect())
        }
        Comparison::And(all) => {
            let weakness =
                |wakes: &Vec<Wake>| (wakes.iter().map(Wake::weakness).max().unwrap_or(0), wakes.len());
            all.iter().filter_map(needs).min_by_key(weakness)
        }
    }
}

fn of_test(test: &Test) -> Option<Vec<Wake>> {
    if test.negated {
        return None;
    }
    let kind = kind_of(&test.path);
    let url = kind == Some(Kind::Url);
    let text = match test.literals.first() {
        Some((_, Literal::Text(text))) => text.as_str(),
        _ => "",
    };
    match test.operator {
        Operator::Equal | Operator::In => {
            test.literals.iter().map(|(_, literal)| equal(literal, kind, url)).collect()
        }
        Operator::IsSubset => match kind {
            Some(Kind::Ipv4) if !text.ends_with("/0") => {
                Value::new(Kind::Ipv4, text).ok().map(|value| vec![Wake::Value(value)])
            }
            _ => None,
        },
        Operator::Like => longest(text.split(['%', '_']), url).map(|text| vec![text]),
        Operator::Matches => {
            // A domain name is compared in its normal form, anything else as it stands; both fold case here.
            let hir = regex_syntax::parse(&rewrite(text).ok()?).ok()?;
            let found = of_expression(&hir, path_is_cut(&test.path, url))?;
            Some(found.into_iter().map(|text| Wake::Text(text.into())).collect())
        }
        _ => None,
    }
}

fn equal(literal: &Literal, kind: Option<Kind>, url: bool) -> Option<Wake> {
    match (literal, kind) {
        (Literal::Text(text), Some(kind)) => match Value::new(kind, text) {
            Ok(value) => Some(Wake::Value(value)),
            Err(_) => longest([text.as_str()], url),
        },
        (Literal::Text(text), None) => longest([text.as_str()], url),
        (Literal::Int(number), _) => longest([number.unsigned_abs().to_string().as_str()], false),
        _ => None,
    }
}

fn path_is_cut(path: &ObjectPath, url: bool) -> bool {
    // A directory and a name are told apart as well; both are parts of one text in the event.
    url || path.steps.iter().any(|step| matches!(step, Step::Key(key) if key == "url"))
}

/// The longest run of these parts that a raw line holds in one piece.
fn longest<'a>(parts: impl IntoIterator<Item = &'a str>, cut: bool) -> Option<Wake> {
    let mut best: Option<Vec<u8>> = None;
    for part in parts {
        let bytes: Vec<u8> = part.bytes().collect();
        consider(&bytes, cut, &mut best);
    }
    best.map(|text| Wake::Text(text.into()))
}

/// Takes the longest usable piece of `run` if it beats the best so far.
fn consider(run: &[u8], cut: bool, best: &mut Option<Vec<u8>>) {
    let mut piece = Vec::new();
    let mut end = |piece: &mut Vec<u8>| {
        if piece.len() >= TEXT_BYTES_MIN && best.as_ref().is_none_or(|best| best.len() < piece.len()) {
            *best = Some(std::mem::take(piece));
        }
        piece.clear();
    };
    // Before a host stands a slash that the event may not have: one is kept only where something stands before it.
    let mut before = b'/';
    for byte in run {
        let apart = matches!(std::mem::replace(&mut before, *byte), b'/' | b':');
        // A control character is spelled in many ways, and so is what is not ASCII.
        if !(b' '..0x7f).contains(byte) || (cut && *byte == b':') {
            end(&mut piece);
            continue;
        }
        if cut && *byte == b'/' {
            end(&mut piece);
            if apart {
                continue;
            }
        }
        piece.push(byte.to_ascii_lowercase());
    }
    end(&mut piece);
}

/// Texts one of which every match of the expression holds.
fn of_expression(hir: &Hir, cut: bool) -> Option<Vec<Vec<u8>>> {
    let best = |run: &[u8]| {
        let mut best = None;
        consider(run, cut, &mut best);
        best.map(|text| vec![text])
    };
    match hir.kind() {
        HirKind::Literal(literal) => best(&literal.0),
        HirKind::Capture(capture) => of_expression(&capture.sub, cut),
        HirKind::Repetition(repetition) if repetition.min > 0 => of_expression(&repetition.sub, cut),
        HirKind::Alternation(all) => {
            let parts: Option<Vec<Vec<Vec<u8>>>> = all.iter().map(|one| of_expression(one, cut)).collect();
            let all: Vec<Vec<u8>> = parts?.into_iter().flatten().collect();
            (all.len() <= ALTERNATIVES_MAX).then_some(all)
        }
        HirKind::Concat(all) => {
            let (mut found, mut run): (Vec<Vec<Vec<u8>>>, Vec<u8>) = (Vec::new(), Vec::new());
            for one in all {
                match one.kind() {
                    HirKind::Literal(literal) => run.extend_from_slice(&literal.0),
                    HirKind::Class(class) if either_case(class).is_some() => run.extend(either_case(class)),
                    _ => {
                        found.extend(best(&run));
                        run.clear();
                        found.extend(of_expression(one, cut));
                    }
                }
            }
            found.extend(best(&run));
            let shortest = |texts: &Vec<Vec<u8>>| texts.iter().map(Vec::len).min().unwrap_or(0);
            found.into_iter().max_by_key(shortest)
        }
        _ => None,
    }
}

/// The letter of a class that holds its two cases and nothing else in ASCII.
fn either_case(class: &Class) -> Option<u8> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
    };
    let mut letter = None;
    for (start, end) in ranges {
        // (?i)k holds the Kelvin sign too: a value with one would slip by, so such a class is no letter.
        let byte = u8::try_from(start).ok().filter(|byte| start == end && byte.is_ascii_alphabetic())?;
        match letter {
            None => letter = Some(byte.to_ascii_lowercase()),
            Some(known) if known == byte.to_ascii_lowercase() => {}
            Some(_) => return None,
        }
    }
    letter
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pattern: &str) -> Vec<String> {
        let tests = of(&crate::pattern::parse(pattern).unwrap());
        let wake = |wake: &Wake| match wake {
            Wake::Value(value) => format!("{} {value}", value.kind()),
            Wake::Text(text) => String::from_utf8_lossy(text).into_owned(),
        };
        let one = |wakes: &Option<Vec<Wake>>| match wakes {
            None => "-".to_owned(),
            Some(wakes) => wakes.iter().map(wake).collect::<Vec<_>>().join(" | "),
        };
        tests.iter().map(|(_, wakes)| one(wakes)).collect()
    }

    #[test]
    fn what_a_test_requires() {
        for (pattern, wanted) in [
            ("[domain-name:value = 'Evil.example']", "domain-name evil.example"),
            (
                "[domain-name:value = 'a.example' AND domain-name:value LIKE '%.long.example']",
                "domain-name a.example",
            ),
            (
                "[ipv4-addr:value ISSUBSET '198.51.100.0/24' AND network-traffic:dst_port > 5]",
                "ipv4-cidr 198.51.100.0/24",
            ),
            ("[ipv4-addr:value ISSUBSET '0.0.0.0/0']", "-"),
            ("[process:command_line LIKE '%_-enc SQBF%']", "-enc sqbf"),
            ("[process:command_line LIKE '%a%b%']", "-"),
            ("[process:name IN ('mimikatz.exe', 'psexec.exe')]", "mimikatz.exe | psexec.exe"),
            ("[process:name IN ('mimikatz.exe', 'x')]", "-"),
            ("[url:value LIKE 'http://evil.example/%/gate.php?id=%']", "evil.example"),
            ("[url:value LIKE '%.example/gate.php']", "/gate.php"),
            ("[url:value LIKE '%/evil.example/%']", "evil.example"),
            ("[file:name MATCHES '(?i)^invoice[0-9]+[.]js$']", "invoice"),
            ("[file:name MATCHES '(alpha|bravo)[.]exe']", "alpha | bravo"),
            ("[file:name MATCHES '^(abcdef)+x?(ghij)*$']", "abcdef"),
            ("[file:name MATCHES '.*']", "-"),
            ("[network-traffic:dst_port = 44444]", "44444"),
            ("[network-traffic:dst_port = 80]", "-"),
            ("[file:name != 'abcdef']", "-"),
            ("[x-a:b = '\u{e9}long-enough']", "long-enough"),
            ("[EXISTS file:name]", "-"),
            ("[file:size > 5 OR file:name = 'abcd.exe']", "-"),
        ] {
            assert_eq!(shown(pattern), [wanted], "{pattern}");
        }
        assert_eq!(
            shown("[url:value = 'http://a.example/'] FOLLOWEDBY [file:size > 1]"),
            ["url http://a.example/", "-"]
        );
    }
}
