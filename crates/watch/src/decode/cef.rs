//! ArcSight's Common Event Format: seven fields between bars, then `key=value` with blanks in the values.

use super::cursor::unescape;
use super::{Each, KEY_BYTES_MAX, Line, PAIRS_PER_LINE_MAX, syslog, time};

const HEADER: [&str; 7] = ["version", "vendor", "product", "device_version", "signature", "name", "severity"];
/// Keys that say when it was.
const TIMES: [&str; 3] = ["rt", "start", "end"];

pub(super) fn read(line: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) -> Line {
    let Some(from) = memchr::memmem::find(line, b"CEF:") else { return Line::Other };
    let (head, rest) = line.split_at_checked(from).unwrap_or((line, &[]));
    let whole = rest.get(4..).unwrap_or_default();
    let mut rest = whole;
    let version_known = matches!(whole, [b'0' | b'1', b'|' | b'.', ..]);
    if !version_known || !(head.is_empty() || head.ends_with(b" ") || head.ends_with(b":")) {
        return Line::Other;
    }
    if let Some(message) = syslog::parse(line) {
        syslog::tell_header(&message, each);
    }
    for key in HEADER {
        let Some(at) = bar(rest) else { return Line::Other };
        let (text, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        each(key, unescape(text, true, scratch));
        rest = tail.get(1..).unwrap_or_default();
    }
    extension(rest, scratch, each);
    Line::Event
}

/// The next bar without a backslash before it.
fn bar(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'|', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'|') {
            return Some(at);
        }
        from = at + 2;
    }
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
}

/// A value reaches to the blank before the next key.
fn extension(text: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) {
    let mut pending: Option<(&[u8], usize)> = None;
    let (mut from, mut pairs) = (0, 0);
    while let Some(at) =
        memchr::memchr2(b'=', b'\\', text.get(from..).unwrap_or_default()).map(|at| from + at)
    {
        if text.get(at) == Some(&b'\\') {
            from = at + 2;
            continue;
        }
        from = at + 1;
        let before = text.get(..at).unwrap_or_default();
        let key_from = before.iter().rposition(|byte| !is_key(*byte)).map_or(0, |blank| blank + 1);
        let key = before.get(key_from..).unwrap_or_default();
        let stands_free = key_from == 0 || text.get(key_from - 1) == Some(&b' ');
        let overlaps = pending.is_some_and(|(_, value)| key_from <= value && key_from != 0);
        // An equals sign that no key stands before belongs to the value.
        if key.is_empty() || key.len() > KEY_BYTES_MAX || !stands_free || overlaps {
            continue;
        }
        if let Some((key, value)) = pending.replace((key, at + 1)) {
            tell(key, text.get(value..key_from.saturating_sub(1)).unwrap_or_default(), scratch, each);
        }
        pairs += 1;
        if pairs >= PAIRS_PER_LINE_MAX {
            break;
        }
    }
    if let Some((key, value)) = pending {
        tell(key, text.get(value..).unwrap_or_default(), scratch, each);
    }
}

fn tell(key: &[u8], value: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) {
    let Ok(key) = std::str::from_utf8(key) else { return };
    let value = unescape(value.trim_ascii_end(), true, scratch);
    if TIMES.contains(&key)
        && let Some(time) = spelled_time(value)
    {
        return each(key, time.as_bytes());
    }
    each(key, value);
}

/// `Nov 25 2026 08:29:25`, with a fraction and a zone or not; milliseconds since 1970 stay as they are.
fn spelled_time(text: &[u8]) -> Option<String> {
    let mut words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let month = time::month(words.next()?)?;
    let (day, year, clock) = (words.next()?, words.next()?, words.next()?);
    let zone = match words.next() {
        None | Some(b"UTC" | b"GMT" | b"Z") => &[][..],
        Some(zone) => zone,
    };
    time::rfc3339(year, month, day, clock, zone)
}
