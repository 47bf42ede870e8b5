//! Syslog: RFC 5424, RFC 3164 (BSD), and both as relays write them to files (without priority, or with RFC 3339 times).
//!
//! A library was looked at (`syslog_loose`): it reads text that is UTF-8 and builds a message of owned parts with a
//! calendar time; here a line is any octets, nothing is built, and a time without a year stays untold.

use super::cursor::{Cursor, is_number};
use super::{Each, KEY_BYTES_MAX, Line, PAIRS_PER_LINE_MAX, time};

/// Longest tag (RFC 3164 allows 32, programs take more) in bytes.
const TAG_BYTES_MAX: usize = 64;
/// Longest host name in bytes (RFC 5424 section 6).
const HOST_BYTES_MAX: usize = 255;

/// A message taken apart; what it does not tell is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// Facility times eight plus severity.
    pub priority: Option<u8>,
    /// When it was, as written.
    pub time: &'a [u8],
    /// Whether the time tells year and zone (RFC 3339).
    pub is_whole_time: bool,
    /// The host that says so.
    pub host: &'a [u8],
    /// The program.
    pub app: &'a [u8],
    /// Its process id.
    pub process: &'a [u8],
    /// The kind of message (RFC 5424 MSGID).
    pub id: &'a [u8],
    /// Structured data as written, with its brackets.
    pub data: &'a [u8],
    /// What it says.
    pub text: &'a [u8],
}

/// Takes a message apart; `None` if it is no syslog.
pub fn parse(line: &[u8]) -> Option<Message<'_>> {
    let mut at = Cursor(line);
    let priority = priority(&mut at);
    if priority.is_some()
        && at.0.starts_with(b"1 ")
        && let Some(message) = rfc5424(at)
    {
        return Some(Message { priority, ..message });
    }
    match rfc3164(at, priority.is_some()) {
        Some(message) => Some(Message { priority, ..message }),
        // RFC 3164 section 4.3.3: with a priority and nothing else that is known, all of it is what it says.
        None => priority.map(|_| Message { priority, text: at.0, ..Message::default() }),
    }
}

/// `<0>` to `<191>`.
fn priority(at: &mut Cursor<'_>) -> Option<u8> {
    let mut ahead = *at;
    ahead.eat(b"<")?;
    let digits = ahead.until(b'>')?;
    let number = std::str::from_utf8(digits).ok().filter(|_| digits.len() <= 3 && is_number(digits))?;
    let priority: u8 = number.parse().ok().filter(|priority| *priority <= 191)?;
    *at = ahead;
    Some(priority)
}

fn unless_nil(word: &[u8]) -> &[u8] {
    if word == b"-" { &[] } else { word }
}

fn rfc5424(mut at: Cursor<'_>) -> Option<Message<'_>> {
    at.eat(b"1 ")?;
    let mut word = || at.until(b' ').filter(|word| !word.is_empty());
    let (time, host, app, process, id) = (word()?, word()?, word()?, word()?, word()?);
    if time != b"-" && !time::is_rfc3339(time) {
        return None;
    }
    let before = at.0;
    if at.eat(b"-").is_none() {
        while at.0.first() == Some(&b'[') {
            element(&mut at, &mut |_, _, _| ())?;
        }
    }
    let data = before.get(..before.len() - at.0.len()).filter(|data| !data.is_empty())?;
    if !at.0.is_empty() {
        at.eat(b" ")?;
    }
    let text = at.0.strip_prefix(b"\xef\xbb\xbf").unwrap_or(at.0);
    Some(Message {
        priority: None,
        time: unless_nil(time),
        is_whole_time: time != b"-",
        host: unless_nil(host),
        app: unless_nil(app),
        process: unless_nil(process),
        id: unless_nil(id),
        data: unless_nil(data),
        text,
    })
}

/// One `[ID NAME="VALUE" …]`; hands out id, name and value as written.
fn element<'a>(at: &mut Cursor<'a>, each: &mut dyn FnMut(&'a [u8], &'a [u8], &'a [u8])) -> Option<()> {
    at.eat(b"[")?;
    let name = |byte: u8| byte > b' ' && byte < 0x7f && !matches!(byte, b'=' | b']' | b'"');
    let id = at.while_(name);
    if id.is_empty() {
        return None;
    }
    loop {
        if at.eat(b"]").is_some() {
            return Some(());
        }
        at.eat(b" ")?;
        at.blanks();
        if at.eat(b"]").is_some() {
            return Some(());
        }
        let key = at.while_(name);
        at.eat(b"=")?;
        each(id, key, at.quoted()?);
    }
}

fn rfc3164(mut at: Cursor<'_>, has_priority: bool) -> Option<Message<'_>> {
    let start = at.0;
    let mut is_whole_time = false;
    let time = if time::is_rfc3339(at.0) {
        is_whole_time = true;
        at.word()?
    } else {
        time::month(at.0.get(..3)?)?;
        at.word()?;
        let day = at.word()?;
        // Some routers write the year behind the day.
        let mut clock = at.word()?;
        if clock.len() == 4 && is_number(clock) {
            clock = at.word()?;
        }
        let clock = clock.strip_suffix(b":").unwrap_or(clock);
        if day.len() > 2 || !is_number(day) || !time::is_clock(clock) {
            return None;
        }
        let (from, to) = (start.as_ptr() as usize, clock.as_ptr() as usize + clock.len());
        start.get(..to.wrapping_sub(from))?
    };
    let host = at.word().filter(|host| host.len() <= HOST_BYTES_MAX && !host.ends_with(b":"));
    let Some(host) = host else {
        // No host, as `logger` on the machine itself writes: the word was the tag already.
        return has_priority.then_some(Message { time, is_whole_time, text: at.0, ..Message::default() });
    };
    let rest = at.0;
    match tag(&mut at) {
        Some((app, process)) => {
            Some(Message { time, is_whole_time, host, app, process, text: at.0, ..Message::default() })
        }
        None if has_priority => Some(Message { time, is_whole_time, host, text: rest, ..Message::default() }),
        None => None,
    }
}

/// `app:` or `app[process]:`.
fn tag<'a>(at: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let app = at.while_(|byte| byte > b' ' && byte < 0x7f && !matches!(byte, b'[' | b':' | b'{' | b'"'));
    if app.is_empty() || app.len() > TAG_BYTES_MAX {
        return None;
    }
    let mut process: &[u8] = &[];
    if at.eat(b"[").is_some() {
        process = at.until(b']')?;
        if process.len() > TAG_BYTES_MAX {
            return None;
        }
    }
    at.eat(b":")?;
    at.blanks();
    Some((app, process))
}

/// What a line says, with the syslog header before it taken off if there is one.
pub(super) fn peel(line: &[u8]) -> Message<'_> {
    parse(line).unwrap_or(Message { text: line, ..Message::default() })
}

/// Hands out the header's time, if it tells enough, and host.
pub(super) fn tell_header(message: &Message<'_>, each: &mut Each<'_>) {
    if message.is_whole_time {
        each("time", message.time);
    }
    if !message.host.is_empty() {
        each("host", message.host);
    }
}

pub(super) fn read(line: &[u8], each: &mut Each<'_>) -> Line {
    let Some(message) = parse(line) else { return Line::Other };
    tell_header(&message, each);
    if let Some(priority) = message.priority {
        each("priority", priority.to_string().as_bytes());
    }
    for (key, text) in [("app", message.app), ("process", message.process), ("id", message.id)] {
        if !text.is_empty() {
            each(key, text);
        }
    }
    if !message.data.is_empty() {
        tell_data(message.data, each);
    }
    each("message", message.text);
    Line::Event
}

/// Structured data: each value under `sd.ID.NAME`, and all of it as `data`.
fn tell_data(data: &[u8], each: &mut Each<'_>) {
    let (mut at, mut left, mut key) = (Cursor(data), PAIRS_PER_LINE_MAX, String::new());
    each("data", data);
    while at.0.first() == Some(&b'[') {
        let read = element(&mut at, &mut |id, name, value| {
            if left > 0 && id.len() + name.len() < KEY_BYTES_MAX {
                left -= 1;
                key.clear();
                key.push_str("sd.");
                key.push_str(&String::from_utf8_lossy(id));
                key.push('.');
                key.push_str(&String::from_utf8_lossy(name));
                each(&key, value);
            }
        });
        if read.is_none() {
            return;
        }
    }
}
