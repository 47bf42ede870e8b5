//! Picking values out of raw lines without parsing them.
//!
//! The scan is a sieve that may only let too much through. It finds every `"key":` whose key may be the last step of
//! a mapped path, wherever it stands, and offers the string, or the strings of the flat array, that follows. What it
//! cannot be sure of makes the line a candidate for the exact reader:
//!
//! - a blank between a key's quote and its colon,
//! - an escape `\u00XX` that may spell an octet of a mapped key,
//! - a value with `\u` escapes, or an array that holds anything but strings,
//! - several hosts or paths to put a URL together from, or a port that belongs to one,
//! - a line that does not start with `{` and end with `}`.

use super::batch::Pass;
use crate::mapping::{Keys, Reading, URL_HOST, URL_PATH, URL_PORT};
use crate::offer::offer;
use crate::simd::{self, Carry, Marks, WINDOW_BLOCKS, WINDOW_BYTES};

/// The flags of readings.
const READINGS: u16 = (1 << Reading::WORDS.len()) - 1;

/// Reads every line exactly.
pub(super) fn exact(pass: &mut Pass<'_>) {
    lines(pass, |pass, _, _| pass.unsure());
}

/// Finds every value in lines of text.
pub(super) fn text(pass: &mut Pass<'_>) {
    lines(pass, |pass, from, to| {
        let text = pass.text;
        let mut scratch = std::mem::take(&mut pass.batch.scratch);
        offer(Reading::Text, text.get(from..to).unwrap_or_default(), None, &mut scratch, pass);
        pass.batch.scratch = scratch;
    });
}

pub(super) fn lines<'a>(pass: &mut Pass<'a>, mut each: impl FnMut(&mut Pass<'a>, usize, usize)) {
    let text = pass.text;
    let mut from = 0;
    while from < text.len() {
        let rest = text.get(from..).unwrap_or_default();
        let to = from + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        each(pass, from, to);
        pass.end_line(to, false);
        from = to + 1;
    }
}

/// The marks of a stretch of text.
struct Window {
    /// Offset of the stretch in the text.
    from: usize,
    marks: [Marks; WINDOW_BLOCKS],
    used: usize,
}

impl Window {
    /// The first quote at or after `from`; behind the window it is searched for in the text.
    #[inline(always)]
    fn quote(&self, text: &[u8], from: usize) -> Option<usize> {
        let at = from - self.from;
        let mut block = at / 64;
        let mut kept = u64::MAX << (at % 64);
        while let Some(marks) = self.marks.get(block).filter(|_| block < self.used) {
            let bits = marks.quote & kept;
            if bits != 0 {
                return Some(self.from + block * 64 + bits.trailing_zeros() as usize);
            }
            kept = u64::MAX;
            block += 1;
        }
        let from = from.max(self.from + block * 64);
        memchr::memchr(b'"', text.get(from..)?).map(|found| from + found)
    }

    /// Whether a backslash stands in `from..to`.
    #[inline(always)]
    fn escaped(&self, text: &[u8], from: usize, to: usize) -> bool {
        let (first, last) = ((from - self.from) / 64, (to - self.from) / 64);
        let (head, tail) = (u64::MAX << ((from - self.from) % 64), !(u64::MAX << ((to - self.from) % 64)));
        if last >= self.used {
            return text.get(from..to).is_some_and(|text| memchr::memchr(b'\\', text).is_some());
        }
        let all = self.marks.get(first..=last).unwrap_or_default();
        match all {
            [only] => only.backslash & head & tail != 0,
            [one, between @ .., other] => {
                (one.backslash & head) | (other.backslash & tail) != 0
                    || between.iter().any(|marks| marks.backslash != 0)
            }
            [] => false,
        }
    }

    /// The end of the string whose first octet is at `from`, and whether it holds a backslash.
    #[inline(always)]
    fn string(&self, text: &[u8], from: usize) -> Option<(usize, bool)> {
        let end = self.quote(text, from)?;
        if self.escaped(text, from, end) { self.escaped_string(text, from, end) } else { Some((end, false)) }
    }

    /// The end of a string with escapes: the first quote no backslash escapes.
    #[inline(never)]
    fn escaped_string(&self, text: &[u8], from: usize, first: usize) -> Option<(usize, bool)> {
        let mut end = first;
        loop {
            let run = text.get(from..end)?.iter().rev().take_while(|byte| **byte == b'\\').count();
            if run % 2 == 0 {
                return Some((end, true));
            }
            end = self.quote(text, end + 1)?;
        }
    }
}

/// Picks the mapped values out of JSON lines.
pub(super) fn json(pass: &mut Pass<'_>) {
    let text = pass.text;
    let mut window = Window { from: 0, marks: [Marks::default(); WINDOW_BLOCKS], used: 0 };
    let mut carry = Carry::default();
    let keys = pass.mapping.keys();
    for (number, stretch) in text.chunks(WINDOW_BYTES).enumerate() {
        window.from = number * WINDOW_BYTES;
        window.used = simd::mark(stretch, &mut carry, &mut window.marks);
        for block in 0..window.used {
            let Some(marks) = window.marks.get(block).copied() else { break };
            let mut bits = marks.key | marks.loose | marks.newline | marks.backslash;
            let from = window.from + block * 64;
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                let at = from + bits.trailing_zeros() as usize;
                bits ^= bit;
                if marks.key & bit != 0 {
                    key(pass, keys, &window, at);
                } else if marks.newline & bit != 0 {
                    pass.end_line(at, true);
                } else if marks.backslash & bit != 0 {
                    escape(pass, at);
                } else {
                    loose_colon(pass, at);
                }
            }
        }
    }
    if text.last().is_some_and(|last| *last != b'\n') {
        pass.end_line(text.len(), true);
    }
}

/// `\u00XX` may spell a letter of a key.
#[inline]
fn escape(pass: &mut Pass<'_>, at: usize) {
    let Some([b'u', b'0', b'0', high, low]) = pass.text.get(at + 1..at + 6) else { return };
    let octet =
        char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16)).map(|(high, low)| high << 4 | low);
    if octet.is_some_and(|octet| pass.mapping.keys().spells(octet as u8)) {
        pass.unsure();
    }
}

/// A colon behind a blank ends a key if a quote stands before the blanks.
#[cold]
fn loose_colon(pass: &mut Pass<'_>, at: usize) {
    let head = pass.text.get(..at).unwrap_or_default();
    if head.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) == Some(&b'"') {
        pass.unsure();
    }
}

/// The colon at `at` ends a key.
#[inline(always)]
fn key(pass: &mut Pass<'_>, keys: &Keys, window: &Window, at: usize) {
    let text = pass.text;
    let octets =
        match at.checked_sub(9).and_then(|from| text.get(from..)).and_then(|tail| tail.first_chunk::<8>()) {
            Some(octets) => u64::from_le_bytes(*octets),
            None => {
                let head = text.get(..at.saturating_sub(1)).unwrap_or_default();
                head.iter().fold(0u64, |octets, byte| octets >> 8 | u64::from(*byte) << 56)
            }
        };
    let flags = keys.flags(octets);
    if flags != 0 {
        value(pass, window, at + 1, flags);
    }
}

#[inline(always)]
fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    from + text.get(from..).unwrap_or_default().iter().take_while(|byte| blank(**byte)).count()
}

#[inline]
fn value(pass: &mut Pass<'_>, window: &Window, from: usize, flags: u16) {
    let text = pass.text;
    if flags & URL_PORT != 0 {
        pass.unsure();
    }
    let mut from = from;
    if text.get(from).is_some_and(|byte| blank(*byte)) {
        from = skip_blanks(text, from);
    }
    match text.get(from) {
        Some(b'"') => match window.string(text, from + 1) {
            Some((end, escaped)) => string(pass, from + 1, end, escaped, flags),
            None => pass.unsure(),
        },
        Some(b'[') => array(pass, window, from + 1, flags),
        _ => {}
    }
}

/// The strings of a flat array; anything else in it is left to the exact reader.
fn array(pass: &mut Pass<'_>, window: &Window, from: usize, flags: u16) {
    let text = pass.text;
    let mut at = skip_blanks(text, from);
    if text.get(at) == Some(&b']') {
        return;
    }
    while text.get(at) == Some(&b'"') {
        let Some((end, escaped)) = window.string(text, at + 1) else { break };
        string(pass, at + 1, end, escaped, flags);
        at = skip_blanks(text, end + 1);
        match text.get(at) {
            Some(b',') => at = skip_blanks(text, at + 1),
            Some(b']') => return,
            _ => break,
        }
    }
    pass.unsure();
}

#[inline]
fn string(pass: &mut Pass<'_>, from: usize, to: usize, escaped: bool, flags: u16) {
    let text = pass.text;
    let raw = text.get(from..to).unwrap_or_default();
    if !escaped {
        if flags & URL_HOST != 0 {
            pass.url_host(from, to);
        }
        return readings(pass, raw, flags);
    }
    let mut plain = std::mem::take(&mut pass.batch.unescaped);
    if flags & URL_HOST != 0 || !unescape(raw, &mut plain) {
        pass.unsure();
    } else {
        readings(pass, &plain, flags);
    }
    pass.batch.unescaped = plain;
}

#[inline]
fn readings(pass: &mut Pass<'_>, text: &[u8], flags: u16) {
    if flags & URL_PATH != 0 {
        pass.url_path(text);
    }
    let mut scratch = std::mem::take(&mut pass.batch.scratch);
    let mut left = flags & READINGS;
    while left != 0 {
        if let Some((_, reading)) = Reading::WORDS.get(left.trailing_zeros() as usize) {
            offer(*reading, text, None, &mut scratch, pass);
        }
        left &= left - 1;
    }
    pass.batch.scratch = scratch;
}

/// Undoes the escapes of one letter; false if there is another.
fn unescape(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(head);
        let [_, letter, tail @ ..] = tail else { return false };
        out.push(match letter {
            b'"' | b'\\' | b'/' => *letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return false,
        });
        rest = tail;
    }
    out.extend_from_slice(rest);
    true
}
