//! Query logs of the name servers BIND and Unbound.

use memchr::memmem;

use super::cursor::{Cursor, is_number};
use super::{Each, Line, syslog, time};

/// `25-Nov-2026 08:29:25.123 queries: info: client @0x7f… 192.0.2.10#53211 (www.example.com): view x: query:
/// www.example.com IN A +E(0)K (192.0.2.53)`; date, category and level as configured, or syslog's header.
pub(super) fn bind(line: &[u8], each: &mut Each<'_>) -> Line {
    bind_parts(line, each).map_or(Line::Other, |()| Line::Event)
}

fn bind_parts(line: &[u8], each: &mut Each<'_>) -> Option<()> {
    let message = syslog::peel(line);
    let from = memmem::find(message.text, b"client ")?;
    let (before, mut at) = (message.text.get(..from)?, Cursor(message.text.get(from..)?));
    syslog::tell_header(&message, each);
    if let Some(time) = date(before) {
        each("time", time.as_bytes());
    }
    at.eat(b"client ")?;
    if at.0.starts_with(b"@0x") {
        at.word()?;
    }
    let client = at.until(b'#')?;
    let port = at.while_(|byte| byte.is_ascii_digit());
    if client.is_empty() || client.len() > 64 || port.is_empty() {
        return None;
    }
    each("client", client);
    each("port", port);
    // A signed query names its key here: `192.0.2.1#53/key name (…)`.
    let to = memmem::find(at.0, b": ")?;
    at = Cursor(at.0.get(to + 2..)?);
    if at.eat(b"view ").is_some() {
        each("view", at.until(b':')?);
        at.blanks();
    }
    let answered = at.eat(b"response: ").is_some();
    if !answered {
        at.eat(b"query: ")?;
    }
    let (name, class, kind) = (at.word()?, at.word()?, at.word()?);
    each("query", name);
    each("class", class);
    each("type", kind);
    if answered && let Some(code) = at.word() {
        each("rcode", code);
    }
    if let Some(flags) = at.word() {
        each("flags", flags);
    }
    if at.eat(b"(").is_some() {
        each("server", at.until(b')')?);
    }
    Some(())
}

/// `25-Nov-2026 08:29:25.123`, or RFC 3339 as `print-time iso8601` writes it, which without an offset is local time.
fn date(before: &[u8]) -> Option<String> {
    let mut at = Cursor(before);
    let first = at.word()?;
    if time::is_rfc3339(first) {
        return Some(String::from_utf8_lossy(first).into_owned());
    }
    let mut parts = first.split(|byte| *byte == b'-');
    let (day, month, year) = (parts.next()?, time::month(parts.next()?)?, parts.next()?);
    time::rfc3339(year, month, day, at.word()?, &[])
}

/// `[1494573840] unbound[1234:0] info: 192.0.2.10 www.example.com. A IN`, in a reply's line then the code and figures;
/// through syslog `unbound[1234]: [1234:0] info: …`.
pub(super) fn unbound(line: &[u8], each: &mut Each<'_>) -> Line {
    unbound_parts(line, each).map_or(Line::Other, |()| Line::Event)
}

fn unbound_parts(line: &[u8], each: &mut Each<'_>) -> Option<()> {
    let message = syslog::peel(line);
    syslog::tell_header(&message, each);
    let mut at = Cursor(message.text);
    if message.app != b"unbound" {
        at.eat(b"[")?;
        let written = at.until(b']')?;
        at.blanks();
        if is_number(written) {
            each("time", written);
        }
        at.eat(b"unbound")?;
    }
    at.eat(b"[")?;
    at.until(b']')?;
    at.blanks();
    at.eat(b"info: ")?;
    let client = at.word()?;
    // Newer versions write `reply:` or `query:` before the client.
    let client = if client == b"query:" || client == b"reply:" { at.word()? } else { client };
    let (name, kind, class) = (at.word()?, at.word()?, at.word()?);
    if crate::value::normal::ip(client).is_none()
        || !matches!(class, b"IN" | b"CH" | b"HS" | b"ANY" | b"NONE")
    {
        return None;
    }
    each("client", client);
    each("query", name);
    each("type", kind);
    each("class", class);
    if let Some(code) = at.word() {
        each("rcode", code);
    }
    Some(())
}
