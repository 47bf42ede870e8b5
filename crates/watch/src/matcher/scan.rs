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
//!
//! It goes window by window: vectors name the places where a key, an escape or a line may end; of the keys only those
//! that are likely mapped are kept, without a branch to guess wrong; what is left is looked at one by one.

use super::batch::Pass;
use super::sieve;
use crate::mapping::{Keys, Reading, URL_HOST, URL_PATH, URL_PORT};
use crate::offer::offer;
use crate::simd::{Carry, GLANCE_BYTES, Places, Vectors, WINDOW_BYTES};

/// The flags of readings.
pub(super) const READINGS: u16 = (1 << Reading::WORDS.len()) - 1;

/// Reads every event exactly.
pub(super) fn exact(pass: &mut Pass<'_>, values: Option<&[(usize, usize)]>) {
    match values {
        None => lines(pass, |pass, _, _| pass.unsure()),
        Some(values) => {
            for (from, to) in values {
                pass.unsure();
                pass.end_value(*from, *to);
            }
        }
    }
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
    while from < text.len() && pass.opened.is_none() {
        let rest = text.get(from..).unwrap_or_default();
        let to = from + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        each(pass, from, to);
        pass.end_line(to);
        from = to + 1;
    }
}

/// Buffers of the scan, kept from window to window.
pub(super) struct Windows {
    places: Places,
    kept: [u16; WINDOW_BYTES],
}

impl Default for Windows {
    fn default() -> Self {
        Self { places: Places::default(), kept: [0; WINDOW_BYTES] }
    }
}

/// Scans events: one a line, or those that lie at `values` (start and end) over several lines.
pub(super) fn json<V: Vectors>(pass: &mut Pass<'_>, values: Option<&[(usize, usize)]>) {
    let mut windows = pass.batch.windows.take().unwrap_or_default();
    windows_of::<V>(pass, &mut windows, values);
    pass.batch.windows = Some(windows);
}

fn windows_of<V: Vectors>(pass: &mut Pass<'_>, windows: &mut Windows, values: Option<&[(usize, usize)]>) {
    let text = pass.text;
    let keys = pass.mapping.keys();
    let mut carry = Carry::default();
    let mut values = values.map(<[_]>::iter);
    for (number, window) in text.chunks(WINDOW_BYTES).enumerate() {
        let from = number * WINDOW_BYTES;
        V::find(window, &mut carry, &mut windows.places);
        let kept = sift(text, from, windows.places.all(), keys, &mut windows.kept);
        for place in windows.kept.get(..kept).unwrap_or_default() {
            let at = from + usize::from(*place);
            match text.get(at) {
                Some(b':') => colon::<V>(pass, keys, at),
                Some(b'\n') => match &mut values {
                    None => {
                        pass.end_line(at);
                        if pass.opened.is_some() {
                            return;
                        }
                    }
                    Some(values) => end_values(pass, values, at),
                },
                _ => escape(pass, at),
            }
        }
    }
    match &mut values {
        Some(values) => end_values(pass, values, text.len()),
        None if text.last().is_some_and(|last| *last != b'\n') => pass.end_line(text.len()),
        None => {}
    }
}

/// The key scan by itself: finds the strings that the mapping's keys name, wherever they stand, and adds up their
/// number and octets; nothing is looked up, no line is ended, no array looked into. What matching is measured against.
pub(super) fn key_scan<V: Vectors>(text: &[u8], keys: &Keys) -> (u64, u64) {
    let (mut carry, mut windows, mut found) = (Carry::default(), Windows::default(), (0, 0));
    for (number, window) in text.chunks(WINDOW_BYTES).enumerate() {
        let from = number * WINDOW_BYTES;
        V::find(window, &mut carry, &mut windows.places);
        let kept = sift(text, from, windows.places.all(), keys, &mut windows.kept);
        for place in windows.kept.get(..kept).unwrap_or_default() {
            let at = from + usize::from(*place);
            let around =
                at.checked_sub(9).and_then(|from| text.get(from..)).and_then(|tail| tail.first_chunk::<11>());
            let Some([octets @ .., b'"', b':', b'"']) = around else { continue };
            if keys.flags(u64::from_le_bytes(*octets)) == 0 {
                continue;
            }
            let value = text.get(at + 2..).unwrap_or_default();
            let short = value.first_chunk::<GLANCE_BYTES>().map_or(0, |octets| V::look(octets).quote);
            let length = match short {
                0 => memchr::memchr(b'"', value).unwrap_or(0),
                quote => quote.trailing_zeros() as usize,
            };
            found = (found.0 + 1, found.1 + length as u64);
        }
    }
    found
}

/// Ends the values that are over before `at`.
fn end_values(pass: &mut Pass<'_>, values: &mut std::slice::Iter<'_, (usize, usize)>, at: usize) {
    while let Some((from, to)) = values.as_slice().first().copied().filter(|(_, to)| *to <= at) {
        // One that was never closed is no event.
        if to.checked_sub(1).and_then(|at| pass.text.get(at)) != Some(&b'}') {
            pass.unsure();
        }
        pass.end_value(from, to);
        values.next();
    }
}

/// Of the places found, keeps line ends, escapes with `\u`, loose colons, and the keys that are likely mapped.
/// Returns how many.
#[inline(always)]
fn sift(text: &[u8], from: usize, places: &[u16], keys: &Keys, kept: &mut [u16; WINDOW_BYTES]) -> usize {
    // Inside the text, every place of the window has nine octets before it and one behind it.
    let around = from.checked_sub(9).and_then(|from| text.get(from..)).and_then(|tail| tail.first_chunk());
    match around {
        Some(window) => sift_within(window, places, keys, kept),
        None => sift_at_edge(text, from, places, keys, kept),
    }
}

/// Whether a place is worth a look: the eight octets before the one before it, that one, its own, the one behind it.
#[inline(always)]
fn is_kept([octets @ .., before, here, after]: &[u8; 11], keys: &Keys) -> bool {
    let known = keys.may_know(u64::from_le_bytes(*octets));
    let (colon, quoted) = (*here == b':', *before == b'"');
    (colon & quoted & known)
        | (colon & (*before <= b' '))
        | (*here == b'\n')
        | ((*here == b'\\') & (*after == b'u'))
}

fn sift_within(
    window: &[u8; WINDOW_BYTES + 10],
    places: &[u16],
    keys: &Keys,
    kept: &mut [u16; WINDOW_BYTES],
) -> usize {
    const INSIDE: usize = WINDOW_BYTES - 1;
    let mut count = 0;
    for place in places {
        // The masks change nothing: they show the compiler that nothing lies outside.
        let at = usize::from(*place) & INSIDE;
        let keep =
            window.get(at..).and_then(|tail| tail.first_chunk()).is_some_and(|around| is_kept(around, keys));
        if let Some(slot) = kept.get_mut(count & INSIDE) {
            *slot = *place;
        }
        count += usize::from(keep);
    }
    count
}

/// The same at the start and the end of the text.
fn sift_at_edge(
    text: &[u8],
    from: usize,
    places: &[u16],
    keys: &Keys,
    kept: &mut [u16; WINDOW_BYTES],
) -> usize {
    let mut count = 0;
    for place in places {
        let at = from + usize::from(*place);
        let around = at.checked_sub(9).and_then(|from| text.get(from..)).and_then(|tail| tail.first_chunk());
        if around.is_none_or(|around| is_kept(around, keys))
            && let Some(slot) = kept.get_mut(count)
        {
            *slot = *place;
            count += 1;
        }
    }
    count
}

/// `\u00XX` may spell a letter of a key.
#[cold]
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
    if head.iter().rev().find(|byte| !blank(**byte)) == Some(&b'"') {
        pass.unsure();
    }
}

/// The colon at `at` may end a key.
#[inline(always)]
fn colon<V: Vectors>(pass: &mut Pass<'_>, keys: &Keys, at: usize) {
    let text = pass.text;
    let octets =
        match at.checked_sub(9).and_then(|from| text.get(from..)).and_then(|tail| tail.first_chunk::<9>()) {
            Some([octets @ .., b'"']) => u64::from_le_bytes(*octets),
            Some([.., byte]) if *byte <= b' ' => return loose_colon(pass, at),
            Some(_) => return,
            None => match text.get(..at).and_then(|head| head.split_last()) {
                Some((b'"', head)) => {
                    head.iter().fold(0u64, |octets, byte| octets >> 8 | u64::from(*byte) << 56)
                }
                Some((byte, _)) if *byte <= b' ' => return loose_colon(pass, at),
                _ => return,
            },
        };
    let flags = keys.flags(octets);
    if flags != 0 {
        value::<V>(pass, at + 1, flags);
    }
}

#[inline(always)]
fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    from + text.get(from..).unwrap_or_default().iter().take_while(|byte| blank(**byte)).count()
}

#[inline(always)]
fn value<V: Vectors>(pass: &mut Pass<'_>, from: usize, flags: u16) {
    let text = pass.text;
    if flags & URL_PORT != 0 {
        pass.unsure();
    }
    let mut from = from;
    if text.get(from).is_some_and(|byte| blank(*byte)) {
        from = skip_blanks(text, from);
    }
    match text.get(from) {
        Some(b'"') if string::<V>(pass, from + 1, flags).is_none() => pass.unsure(),
        Some(b'[') => array::<V>(pass, from + 1, flags),
        _ => {}
    }
}

/// The strings of a flat array; anything else in it is left to the exact reader.
fn array<V: Vectors>(pass: &mut Pass<'_>, from: usize, flags: u16) {
    let text = pass.text;
    let mut at = skip_blanks(text, from);
    if text.get(at) == Some(&b']') {
        return;
    }
    while text.get(at) == Some(&b'"') {
        let Some(end) = string::<V>(pass, at + 1, flags) else { break };
        at = skip_blanks(text, end + 1);
        match text.get(at) {
            Some(b',') => at = skip_blanks(text, at + 1),
            Some(b']') => return,
            _ => break,
        }
    }
    pass.unsure();
}

/// Offers the string whose first octet is at `from`; returns where its closing quote stands.
#[inline(always)]
fn string<V: Vectors>(pass: &mut Pass<'_>, from: usize, flags: u16) -> Option<usize> {
    let octets = pass.text.get(from..).and_then(|tail| tail.first_chunk::<GLANCE_BYTES>());
    let Some(octets) = octets else { return long_string(pass, from, flags) };
    let glance = V::look(octets);
    // All octets before the first quote; none has an escape.
    let inside = (glance.quote & glance.quote.wrapping_neg()).wrapping_sub(1);
    if glance.quote == 0 || glance.backslash & inside != 0 {
        return long_string(pass, from, flags);
    }
    let length = inside.count_ones() as usize;
    sieve::short::<V>(pass, from, length, &glance, inside, flags);
    Some(from + length)
}

/// A string that a glance does not reach the end of, or with escapes.
#[inline(never)]
fn long_string(pass: &mut Pass<'_>, from: usize, flags: u16) -> Option<usize> {
    let (mut at, mut escaped) = (from, false);
    loop {
        at += memchr::memchr2(b'"', b'\\', pass.text.get(at..)?)?;
        if pass.text.get(at) == Some(&b'"') {
            break;
        }
        (at, escaped) = (at + 2, true);
    }
    if !escaped {
        sieve::long(pass, from, at, flags);
        return Some(at);
    }
    let text = pass.text;
    let raw = text.get(from..at).unwrap_or_default();
    let mut plain = std::mem::take(&mut pass.batch.unescaped);
    if flags & URL_HOST != 0 || !unescape(raw, &mut plain) {
        pass.unsure();
    } else {
        if flags & URL_PATH != 0 {
            pass.url_path(from, at, true);
        }
        readings(pass, &plain, flags);
    }
    pass.batch.unescaped = plain;
    Some(at)
}

/// Offers a text by each of its readings, brought into normal form as the exact reader does.
pub(super) fn readings(pass: &mut Pass<'_>, text: &[u8], flags: u16) {
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
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) -> bool {
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
