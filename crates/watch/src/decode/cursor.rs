//! Walking along a line.

use memchr::memchr;

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    /// Takes `prefix` off, if it stands here.
    pub(super) fn eat(&mut self, prefix: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(prefix)?;
        Some(())
    }

    /// Takes everything up to `end`, and `end`.
    pub(super) fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(memchr(end, self.0)?)?;
        self.0 = tail.get(1..).unwrap_or_default();
        Some(head)
    }

    /// Takes a word and the blanks behind it; `None` if none is left.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        let at = memchr(b' ', self.0).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(at)?;
        self.0 = rest;
        self.blanks();
        (!word.is_empty()).then_some(word)
    }

    /// Passes over blanks.
    pub(super) fn blanks(&mut self) {
        let blanks = self.0.iter().position(|byte| *byte != b' ').unwrap_or(self.0.len());
        self.0 = self.0.get(blanks..).unwrap_or_default();
    }

    /// Takes as many octets as `fit`.
    pub(super) fn while_(&mut self, fit: impl Fn(u8) -> bool) -> &'a [u8] {
        let at = self.0.iter().position(|byte| !fit(*byte)).unwrap_or(self.0.len());
        let (head, tail) = self.0.split_at_checked(at).unwrap_or((self.0, &[]));
        self.0 = tail;
        head
    }

    /// Takes a text in double quotes, in which a backslash hides the next octet. What is returned is as written.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        self.eat(b"\"")?;
        let mut from = 0;
        loop {
            let at = from + memchr::memchr2(b'"', b'\\', self.0.get(from..)?)?;
            if self.0.get(at) == Some(&b'"') {
                let text = self.0.get(..at)?;
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Some(text);
            }
            from = at + 2;
        }
    }
}

/// Whether a text is digits and nothing else.
pub(super) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Undoes `\xHH` and, where `letters`, `\n`, `\r`, `\t` and a backslash before anything else; borrows if there is none.
pub(super) fn unescape<'a>(text: &'a [u8], letters: bool, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(b'\\', text).is_none() {
        return text;
    }
    scratch.clear();
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        scratch.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at..).unwrap_or_default();
        let hex = match escape {
            [_, b'x', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let (byte, length) = match (hex, escape.get(1)) {
            (Some(byte), _) => (byte, 4),
            (None, Some(next)) if letters => match next {
                b'n' => (b'\n', 2),
                b'r' => (b'\r', 2),
                b't' => (b'\t', 2),
                other => (*other, 2),
            },
            _ => (b'\\', 1),
        };
        scratch.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    scratch.extend_from_slice(rest);
    scratch
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}
