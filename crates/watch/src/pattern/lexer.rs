//! Tokens of the STIX patterning grammar (STIX 2.1 section 9, ANTLR grammar of OASIS as its reading).

use shieldwall_model::time::Timestamp;

use super::PatternError;

/// One token and where it starts.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) what: What,
}

/// What a token is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum What {
    /// A name or keyword (keywords are told by the parser; they are upper case in the standard).
    Name(String),
    /// `'…'` with its escapes undone.
    Text(String),
    /// An integer, as written.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// `t'…'`, `h'…'` or `b'…'`: the letter and what stands within.
    Typed(char, String),
    /// `[ ] ( ) , : . * = != < <= > >= ==` and `<>`.
    Sign(&'static str),
    /// The end of the pattern.
    End,
}

impl What {
    /// The token as an error message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("\"{name}\""),
            Self::Text(text) => format!("'{}'", text.chars().take(40).collect::<String>()),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Typed(letter, text) => format!("{letter}'{}'", text.chars().take(40).collect::<String>()),
            Self::Sign(sign) => format!("\"{sign}\""),
            Self::End => "the end".into(),
        }
    }
}

const SIGNS: [&str; 17] =
    ["!=", "<>", "<=", ">=", "==", "=", "<", ">", "[", "]", "(", ")", ",", ":", ".", "*", "-"];

fn invalid(at: usize, why: impl Into<String>) -> PatternError {
    PatternError::Invalid { at, why: why.into() }
}

/// Cuts a pattern into tokens; the last one is [`What::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, PatternError> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(skipped) = blank(rest, at)? {
            at += skipped;
            continue;
        }
        let (what, length) = match byte {
            b'\'' => quoted(rest, at)?,
            b't' | b'h' | b'b' if bytes.get(at + 1) == Some(&b'\'') => {
                let (what, length) = quoted(rest.get(1..).unwrap_or_default(), at + 1)?;
                let What::Text(inner) = what else { return Err(invalid(at, "a literal has no text")) };
                (typed(char::from(byte), inner, at)?, length + 1)
            }
            b'0'..=b'9' | b'-' | b'+' | b'.' if starts_number(rest) => number(rest, at)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                let length = rest.bytes().position(|b| !name(b)).unwrap_or(rest.len());
                (What::Name(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (What::Sign(sign), sign.len()),
                None => {
                    let found = rest.chars().next().unwrap_or(' ');
                    return Err(invalid(at, format!("the character {found:?} has no place in a pattern")));
                }
            },
        };
        tokens.push(Token { at, what });
        at += length;
    }
    tokens.push(Token { at, what: What::End });
    Ok(tokens)
}

/// Length of the blank or comment at the start of `rest`, if there is one.
fn blank(rest: &str, at: usize) -> Result<Option<usize>, PatternError> {
    if rest.starts_with("/*") {
        return match rest.get(2..).and_then(|inner| inner.find("*/")) {
            Some(end) => Ok(Some(end + 4)),
            None => Err(invalid(at, "a comment is not closed")),
        };
    }
    if rest.starts_with("//") {
        return Ok(Some(rest.find(['\n', '\r']).unwrap_or(rest.len())));
    }
    Ok(rest.chars().next().filter(|c| c.is_whitespace()).map(char::len_utf8))
}

/// `'…'`: `\'` and `\\` are the only escapes.
fn quoted(rest: &str, at: usize) -> Result<(What, usize), PatternError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((offset, character)) = characters.next() {
        match character {
            '\'' => return Ok((What::Text(text), offset + 1)),
            '\\' => match characters.next() {
                Some((_, escaped @ ('\'' | '\\'))) => text.push(escaped),
                _ => return Err(invalid(at + offset, "only \\' and \\\\ are escapes in a string")),
            },
            other => text.push(other),
        }
    }
    Err(invalid(at, "a string is not closed"))
}

/// Checks what stands within `t'…'`, `h'…'`, `b'…'`.
fn typed(letter: char, inner: String, at: usize) -> Result<What, PatternError> {
    let bytes = inner.as_bytes();
    let good = match letter {
        'h' => bytes.len().is_multiple_of(2) && bytes.iter().all(u8::is_ascii_hexdigit),
        'b' => {
            let body = inner.trim_end_matches('=');
            // The grammar knows an empty h'' and no empty b''.
            !bytes.is_empty()
                && bytes.len().is_multiple_of(4)
                && inner.len() - body.len() <= 2
                && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        }
        // The calendar knows which months have 31 days.
        _ => is_timestamp(bytes) && Timestamp::parse(&inner).is_ok(),
    };
    if good {
        return Ok(What::Typed(letter, inner));
    }
    Err(invalid(
        at,
        match letter {
            'h' => "a hex literal has pairs of hex digits",
            'b' => "a binary literal is base64",
            _ => "a timestamp is written 2026-01-31T12:00:00Z",
        },
    ))
}

/// RFC 3339 in UTC with `T` and `Z`, any number of decimals (STIX 2.1 section 2.16).
fn is_timestamp(text: &[u8]) -> bool {
    let Some((head, tail)) = text.split_at_checked(19) else { return false };
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = head.iter().zip(shape).all(|(byte, form)| match form {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let pair = |from: usize| {
        head.get(from..from + 2)
            .map_or(99, |d| d.iter().fold(0, |n, b| n * 10 + u32::from(b.wrapping_sub(b'0'))))
    };
    let ranges = (1..=12).contains(&pair(5))
        && (1..=31).contains(&pair(8))
        && pair(11) < 24
        && pair(14) < 60
        && pair(17) <= 60;
    let fraction = match tail {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    fits && ranges && fraction
}

/// Whether a number starts here: a sign and whole digits are optional before a point that digits follow.
fn starts_number(rest: &str) -> bool {
    let unsigned = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|c: char| c.is_ascii_digit())
}

fn number(rest: &str, at: usize) -> Result<(What, usize), PatternError> {
    let sign = usize::from(rest.starts_with(['-', '+']));
    let digits = |from: usize| rest.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let whole = sign + digits(sign);
    if rest.as_bytes().get(whole) == Some(&b'.') && digits(whole + 1) > 0 {
        let length = whole + 1 + digits(whole + 1);
        let number = rest.get(..length).and_then(|text| text.parse().ok());
        return number.map(|n| (What::Float(n), length)).ok_or_else(|| invalid(at, "this is no number"));
    }
    if whole > sign + 1 && rest.as_bytes().get(sign) == Some(&b'0') {
        return Err(invalid(at, "a whole number has no leading zeros"));
    }
    let number = rest.get(..whole).and_then(|text| text.parse().ok());
    number.map(|n| (What::Int(n), whole)).ok_or_else(|| invalid(at, "this number does not fit in 64 bits"))
}
