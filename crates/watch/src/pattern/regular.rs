//! `MATCHES`: a regular expression as the standard means it (PCRE), run in linear time.
//!
//! The standard asks for PCRE; what cannot be matched in linear time (look-around, back-references, atomic groups and
//! possessive repetition) is refused by name. The rest means the same here: where the two spell it differently, the
//! expression is rewritten. An expression is searched for anywhere in the value, `.` is any character but a line
//! feed, `$` is also before a line feed at the very end, as in PCRE without options.

use regex::{Regex, RegexBuilder, bytes};
use shieldwall_model::limits::{PATTERN_REGEX_BYTES_MAX, PATTERN_REGEX_SIZE_MAX};

/// An expression over texts and over bytes.
#[derive(Debug, Clone)]
pub(super) struct Regular {
    text: Regex,
    /// For binary properties: only if every character of the expression is a byte.
    bytes: Option<bytes::Regex>,
}

impl Regular {
    /// Compiles an expression (already in NFC).
    ///
    /// # Errors
    /// Why it cannot be run.
    pub(super) fn new(expression: &str) -> Result<Self, String> {
        if expression.len() > PATTERN_REGEX_BYTES_MAX {
            return Err(format!("a regular expression has at most {PATTERN_REGEX_BYTES_MAX} bytes"));
        }
        let rewritten = rewrite(expression)?;
        let text = RegexBuilder::new(&rewritten).size_limit(PATTERN_REGEX_SIZE_MAX).build();
        let text = text.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("compiled, this regular expression has more than {PATTERN_REGEX_SIZE_MAX} bytes")
            }
            other => {
                // The last line says why; those before draw the place in an expression that was rewritten.
                let why = other.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("this regular expression cannot be run: {why}")
            }
        })?;
        let latin: Option<String> = rewritten.chars().map(latin).collect();
        let bytes = latin.and_then(|latin| {
            bytes::RegexBuilder::new(&latin).unicode(false).size_limit(PATTERN_REGEX_SIZE_MAX).build().ok()
        });
        Ok(Self { text, bytes })
    }

    pub(super) fn in_text(&self, text: &str) -> bool {
        self.text.is_match(text)
    }

    pub(super) fn in_bytes(&self, bytes: &[u8]) -> bool {
        self.bytes.as_ref().is_some_and(|regex| regex.is_match(bytes))
    }
}

/// A character as the byte of its number, if it has one.
fn latin(character: char) -> Option<String> {
    match u32::from(character) {
        0..0x80 => Some(character.into()),
        number @ 0x80..0x100 => Some(format!("\\x{number:02x}")),
        _ => None,
    }
}

/// PCRE's spelling into that of the engine.
///
/// # Errors
/// What cannot be matched in linear time.
pub(crate) fn rewrite(expression: &str) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len() + 16);
    // `$` and `^` mean something else with (?m); nobody needs the fine difference at the end then.
    let multiline = flags(expression).any(|flags| flags.contains('m'));
    let mut rest = expression;
    let mut repeated = false;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        let mut now_repeated = false;
        rest = match character {
            '\\' => escape(after, &mut out)?,
            '[' => class(after, &mut out)?,
            '(' => {
                for (word, what) in [
                    ("?=", "look-ahead"),
                    ("?!", "look-ahead"),
                    ("?<=", "look-behind"),
                    ("?<!", "look-behind"),
                    ("?>", "an atomic group"),
                    ("?(", "a condition"),
                    ("?|", "a branch reset"),
                    ("?R", "recursion"),
                    ("?P=", "a back-reference"),
                    ("?P>", "recursion"),
                ] {
                    if after.starts_with(word) {
                        return Err(format!(
                            "{what} cannot be matched in linear time; write the expression without it"
                        ));
                    }
                }
                out.push('(');
                // A comment is no part of the expression.
                match after.strip_prefix("?#") {
                    Some(comment) => {
                        out.pop();
                        comment.find(')').and_then(|end| comment.get(end + 1..)).unwrap_or_default()
                    }
                    None => after,
                }
            }
            '$' if !multiline => {
                out.push_str("(?:\\n?\\z)");
                after
            }
            '{' if !counts(after) => {
                out.push_str("\\{");
                after
            }
            '{' => {
                let (count, after) = after.split_once('}').unwrap_or((after, ""));
                out.push('{');
                out.push_str(count);
                out.push('}');
                now_repeated = true;
                after
            }
            '+' if repeated => {
                return Err(
                    "possessive repetition cannot be matched in linear time; leave out the second +".into()
                );
            }
            other => {
                now_repeated =
                    matches!(other, '*' | '+') || (other == '?' && !repeated && !out.ends_with('('));
                out.push(other);
                after
            }
        };
        repeated = now_repeated;
    }
    Ok(out)
}

/// The letters of each `(?flags)` and `(?flags:`.
fn flags(expression: &str) -> impl Iterator<Item = &str> {
    expression.split("(?").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-')?;
        let on = rest.get(..end)?.split('-').next()?;
        matches!(rest.get(end..)?.chars().next(), Some(')' | ':')).then_some(on)
    })
}

/// Whether `{` opens a count: `{2}`, `{2,}`, `{2,5}`.
fn counts(after: &str) -> bool {
    let Some(inner) = after.split_once('}').map(|(inner, _)| inner) else { return false };
    let (low, high) = inner.split_once(',').unwrap_or((inner, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// What follows a backslash outside a class.
fn escape<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    let Some(letter) = after.chars().next() else { return Err("the regular expression ends with \\".into()) };
    let rest = after.get(letter.len_utf8()..).unwrap_or_default();
    match letter {
        '1'..='9' | 'k' | 'g' => {
            return Err(
                "a back-reference cannot be matched in linear time; write the expression without it".into()
            );
        }
        'Z' => out.push_str("(?:\\n?\\z)"),
        'R' => out.push_str("(?:\\r\\n|[\\n\\x0b\\f\\r\\x{85}\\x{2028}\\x{2029}])"),
        'h' => out.push_str("[\\t \\x{a0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{202f}\\x{205f}\\x{3000}]"),
        'N' => out.push_str("[^\\n]"),
        'Q' => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return Ok(rest);
        }
        other => one_escape(other, out),
    }
    Ok(rest)
}

/// Escapes that mean one character, in a class or out of it.
fn one_escape(letter: char, out: &mut String) {
    match letter {
        'e' => out.push_str("\\x1b"),
        '0' => out.push_str("\\x00"),
        // Anything that is no letter or digit stands for itself.
        other if !other.is_ascii_alphanumeric() => out.push_str(&regex::escape(&other.to_string())),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
}

/// A class: `[` and what the engine would read as set operations in it are taken literally, as PCRE does.
fn class<'a>(after: &'a str, out: &mut String) -> Result<&'a str, String> {
    out.push('[');
    let mut rest = after;
    if let Some(more) = rest.strip_prefix('^') {
        out.push('^');
        rest = more;
    }
    if let Some(more) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = more;
    }
    let start = out.len();
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        let first = out.len() == start;
        rest = match character {
            ']' => {
                out.push(']');
                return Ok(after);
            }
            '\\' => {
                let Some(letter) = after.chars().next() else { break };
                match letter {
                    'b' => out.push_str("\\x08"),
                    'h' => out.push_str("\\t \\x{a0}"),
                    other => one_escape(other, out),
                }
                after.get(letter.len_utf8()..).unwrap_or_default()
            }
            '[' => match after.strip_prefix(':').and_then(|name| name.split_once(":]")) {
                Some((name, more)) if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'^') => {
                    out.push_str("[:");
                    out.push_str(name);
                    out.push_str(":]");
                    more
                }
                _ => {
                    out.push_str("\\[");
                    after
                }
            },
            '&' | '~' => {
                out.push('\\');
                out.push(character);
                after
            }
            // `--` is a difference of sets to the engine. To PCRE it is a range that ends, or begins, with a hyphen.
            '-' if after.starts_with('-') && !first => {
                out.push_str("-\\-");
                after.get(1..).unwrap_or_default()
            }
            '-' if first => {
                out.push_str("\\-");
                after
            }
            other => {
                out.push(other);
                after
            }
        };
    }
    Err("a class of the regular expression is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pcre_spells_otherwise_means_the_same() {
        for (expression, text, found) in [
            ("^a.c$", "abc", true),
            ("^a.c$", "abc\n", true),
            ("^a.c$", "abc\nx", false),
            ("a.c", "a\nc", false),
            ("(?s)a.c", "a\nc", true),
            ("(?m)^b$", "a\nb\nc", true),
            ("[a&&b]+x", "&x", true),
            ("[[]x", "[x", true),
            ("[]a]x", "]x", true),
            ("[+--]x", ",x", true),
            ("[--0]x", ".x", true),
            ("[-a]x", "-x", true),
            ("[[:alpha:]]1", "q1", true),
            ("a{x}", "a{x}", true),
            ("a{,3}", "a{,3}", true),
            ("a{2}", "aa", true),
            ("\\/\\-\\_\\%", "/-_%", true),
            ("\\Qa.b\\E.", "a.bc", true),
            ("\\Qa.b\\E.", "axbc", false),
            ("a+?b", "aab", true),
            ("(?i)EVIL", "evil", true),
            ("(?<name>x)y", "xy", true),
            ("\\d{3}", "a123", true),
            ("a\\Z", "a\n", true),
            ("x(?#note)y", "xy", true),
            ("é", "caf\u{e9}", true),
        ] {
            let regular = Regular::new(expression).unwrap_or_else(|why| panic!("{expression}: {why}"));
            assert_eq!(regular.in_text(text), found, "{expression} in {text:?}");
        }
        assert!(Regular::new("^\\x00\\xff").unwrap().in_bytes(b"\x00\xff"));
    }

    #[test]
    fn what_needs_more_than_linear_time_is_refused_by_name() {
        for (expression, why) in [
            ("(?=a)", "look-ahead"),
            ("(?<!a)b", "look-behind"),
            ("(a)\\1", "back-reference"),
            ("(?>a+)b", "atomic"),
            ("a++b", "possessive"),
            ("a{2,3}+b", "possessive"),
            ("(", "unclosed"),
            ("[a", "not closed"),
            ("\\w{1,900}", "compiled"),
        ] {
            let refusal = Regular::new(expression).unwrap_err();
            assert!(refusal.contains(why), "{expression}: {refusal}");
        }
        assert!(Regular::new(&"a".repeat(PATTERN_REGEX_BYTES_MAX + 1)).is_err());
    }
}
