//! Access logs: Squid's native format, and the common and combined formats of web servers.

use super::cursor::{Cursor, is_number, unescape};
use super::{Each, Line, syslog, time};

fn unless_nil(word: &[u8]) -> Option<&[u8]> {
    (word != b"-" && !word.is_empty()).then_some(word)
}

/// `1494573840.123    200 192.0.2.10 TCP_MISS/200 5120 GET http://www.example.com/a - HIER_DIRECT/198.51.100.7 text/html`.
pub(super) fn squid(line: &[u8], each: &mut Each<'_>) -> Line {
    squid_parts(line, each).map_or(Line::Other, |()| Line::Event)
}

fn squid_parts(line: &[u8], each: &mut Each<'_>) -> Option<()> {
    let message = syslog::peel(line);
    let mut at = Cursor(message.text);
    at.blanks();
    let (time, elapsed, client) = (at.word()?, at.word()?, at.word()?);
    let (result, size, method, url) = (at.word()?, at.word()?, at.word()?, at.word()?);
    let (user, hierarchy) = (at.word()?, at.word()?);
    let (seconds, milliseconds) = time.split_at_checked(time.iter().position(|byte| *byte == b'.')?)?;
    let slash = |word: &'_ [u8]| word.iter().position(|byte| *byte == b'/');
    let (cache, status) = result.split_at_checked(slash(result)?)?;
    let digits = elapsed.strip_prefix(b"-").unwrap_or(elapsed);
    let numbers =
        is_number(seconds) && is_number(milliseconds.get(1..)?) && is_number(digits) && is_number(size);
    if !numbers || !is_number(status.get(1..)?) {
        return None;
    }
    each("time", time);
    each("client", client);
    each("result", cache);
    each("status", status.get(1..)?);
    each("bytes", size);
    each("method", method);
    // A tunnel is asked for by host and port, everything else by URL.
    each(if method == b"CONNECT" { "target" } else { "url" }, url);
    if let Some(user) = unless_nil(user) {
        each("user", user);
    }
    if let Some((how, peer)) = slash(hierarchy).and_then(|at| hierarchy.split_at_checked(at)) {
        each("hierarchy", how);
        if let Some(peer) = unless_nil(peer.get(1..)?) {
            each("peer", peer);
        }
    }
    if let Some(kind) = at.word().and_then(unless_nil) {
        each("type", kind);
    }
    Some(())
}

/// `192.0.2.10 - ann [25/Nov/2026:08:29:25 +0000] "GET /a HTTP/1.1" 200 5120 "http://www.example.com/" "agent"`, the
/// last two in the combined format alone; `www.example.com:443` before it where virtual hosts are told.
pub(super) fn combined(line: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) -> Line {
    combined_parts(line, scratch, each).map_or(Line::Other, |()| Line::Event)
}

fn combined_parts(line: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) -> Option<()> {
    // A line of its own is the rule, and would be taken for no syslog only after a closer look.
    let text =
        if line.first() == Some(&b'<') || time::is_rfc3339(line) || time::month(line.get(..3)?).is_some() {
            syslog::peel(line).text
        } else {
            line
        };
    let mut at = Cursor(text);
    let mut client = at.word()?;
    let second = at.word()?;
    let third = at.word()?;
    let user = if at.0.first() == Some(&b'[') {
        third
    } else {
        let (host, port) = client.split_at_checked(memchr::memrchr(b':', client).unwrap_or(client.len()))?;
        each("vhost", host);
        if is_number(port.get(1..).unwrap_or_default()) {
            each("vport", port.get(1..)?);
        }
        client = second;
        at.word()?
    };
    at.eat(b"[")?;
    let written = at.until(b']')?;
    at.blanks();
    let request = at.quoted()?;
    at.blanks();
    let (status, size) = (at.word()?, at.word()?);
    if status.len() != 3 || !is_number(status) || !(size == b"-" || is_number(size)) {
        return None;
    }
    let moment = moment(written)?;
    each("time", moment.as_bytes());
    each("client", client);
    if let Some(user) = unless_nil(user) {
        each("user", user);
    }
    request_line(request, scratch, each);
    each("status", status);
    each("bytes", size);
    for key in ["referrer", "agent"] {
        let Some(text) = at.quoted() else { return Some(()) };
        at.blanks();
        if let Some(text) = unless_nil(text) {
            each(key, unescape(text, true, scratch));
        }
    }
    Some(())
}

/// `GET /a?b HTTP/1.1`; a proxy is asked with a whole URL, or for a tunnel to a host.
fn request_line(request: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) {
    let request = unescape(request, true, scratch);
    let mut at = Cursor(request);
    let (Some(method), Some(target)) = (at.word(), at.word()) else {
        // No request at all, as scanners send: what it says is all there is.
        return each("request", request);
    };
    each("method", method);
    let key = match target {
        [b'/' | b'*', ..] => "path",
        _ if method == b"CONNECT" => "target",
        _ => "url",
    };
    each(key, target);
}

/// `25/Nov/2026:08:29:25 +0000`.
fn moment(written: &[u8]) -> Option<String> {
    let mut at = Cursor(written);
    let (day, month, year) = (at.until(b'/')?, time::month(at.until(b'/')?)?, at.until(b':')?);
    time::rfc3339(year, month, day, at.word()?, at.0)
}
