//! Postfix in a mail log: `postfix/smtp[31]: 4F1A2B3C: to=<a@example.com>, relay=mx.example.com[192.0.2.25]:25, …`.

use memchr::{memchr, memmem};

use super::cursor::is_number;
use super::{Each, Line, PAIRS_PER_LINE_MAX, syslog};

/// Where a client's name, address and port are told.
const CLIENT: [&str; 3] = ["client.host", "client.ip", "client.port"];
/// Attributes whose text is a host with its address: `name[192.0.2.1]:25`.
const PEERS: [(&[u8], [&str; 3]); 2] =
    [(b"client", CLIENT), (b"relay", ["relay.host", "relay.ip", "relay.port"])];
/// Words that a peer follows in lines of another form.
const CLIENTS: [&[u8]; 4] = [b"connect from ", b"RCPT from ", b"MAIL from ", b"DATA from "];
/// Attributes told as they are, without `<>`.
const PLAIN: [(&[u8], &str); 11] = [
    (b"from", "from"),
    (b"to", "to"),
    (b"orig_to", "orig_to"),
    (b"message-id", "message_id"),
    (b"resent-message-id", "message_id"),
    (b"helo", "helo"),
    (b"sasl_username", "user"),
    (b"status", "status"),
    (b"size", "size"),
    (b"proto", "protocol"),
    (b"dsn", "dsn"),
];

pub(super) fn postfix(line: &[u8], each: &mut Each<'_>) -> Line {
    let Some(message) = syslog::parse(line) else { return Line::Other };
    // `postfix/smtpd`, `postfix/submission/smtpd`, or a second instance: `postfix-out/smtp`.
    if !message.app.starts_with(b"postfix") || memchr(b'/', message.app).is_none() {
        return Line::Other;
    }
    syslog::tell_header(&message, each);
    each("process", message.app);
    let text = message.text;
    let queue_end = memchr(b':', text).unwrap_or(0);
    let queue = text.get(..queue_end).unwrap_or_default();
    if !queue.is_empty() && queue.len() <= 20 && queue.iter().all(u8::is_ascii_alphanumeric) {
        each("queue", queue);
    }
    let mut told = 0;
    for word in CLIENTS {
        if let Some(at) = memmem::find(text, word) {
            peer(text.get(at + word.len()..).unwrap_or_default(), CLIENT, each);
            told += 1;
            break;
        }
    }
    told += attributes(text, each);
    // What has no attributes, or says more than they do, is read as text.
    if told == 0
        || [&b"reject"[..], b"warning", b"fatal", b"statistics"]
            .iter()
            .any(|word| memmem::find(text, word).is_some())
    {
        each("message", text);
    }
    Line::Event
}

/// Every `name=text` up to a comma or, after a text in `<>`, a blank.
fn attributes(text: &[u8], each: &mut Each<'_>) -> usize {
    let (mut from, mut told) = (0, 0);
    while let Some(at) = memchr(b'=', text.get(from..).unwrap_or_default()).map(|at| from + at) {
        let before = text.get(..at).unwrap_or_default();
        let name_from =
            before.iter().rposition(|byte| matches!(byte, b' ' | b',' | b';')).map_or(0, |at| at + 1);
        let name = before.get(name_from..).unwrap_or_default();
        let rest = text.get(at + 1..).unwrap_or_default();
        let (value, length) = match rest.first() {
            Some(b'<') => {
                let end = memchr(b'>', rest).unwrap_or(rest.len());
                (rest.get(1..end).unwrap_or_default(), end)
            }
            _ => {
                let end =
                    rest.iter().position(|byte| matches!(byte, b',' | b' ' | b';')).unwrap_or(rest.len());
                (rest.get(..end).unwrap_or_default(), end)
            }
        };
        from = at + 1 + length;
        if told >= PAIRS_PER_LINE_MAX {
            break;
        }
        if let Some((_, keys)) = PEERS.iter().find(|(peer, _)| *peer == name) {
            peer(value, *keys, each);
            told += 1;
        } else if let Some((_, key)) = PLAIN.iter().find(|(known, _)| *known == name)
            && !value.is_empty()
        {
            each(key, value);
            told += 1;
        }
    }
    told
}

/// `name[192.0.2.1]:25`; `unknown` and `none` are no names.
fn peer(text: &[u8], [host_key, ip_key, port_key]: [&str; 3], each: &mut Each<'_>) {
    let Some(open) = memchr(b'[', text) else { return };
    let Some(close) = memchr(b']', text).filter(|close| *close > open) else { return };
    let host = text.get(..open).unwrap_or_default();
    if host != b"unknown" && host != b"none" && !host.is_empty() {
        each(host_key, host);
    }
    let ip = text.get(open + 1..close).unwrap_or_default();
    each(ip_key, ip.strip_prefix(b"IPv6:").unwrap_or(ip));
    let port = text.get(close + 1..).and_then(|rest| rest.strip_prefix(b":")).unwrap_or_default();
    let digits = port.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(port.len());
    let port = port.get(..digits).unwrap_or_default();
    if is_number(port) {
        each(port_key, port);
    }
}
