//! Values in free text, with exact word boundaries.
//!
//! The text is cut into *runs*: as many letters, digits, `-`, `_`, `.` and non-ASCII octets as stand together. A run
//! (without dots and hyphens at its ends, nor an underscore behind) is
//!
//! - an IPv4 address, alone or with the `:port` that follows it,
//! - a domain name, if it has a dot; with `@` and a local part before it an e-mail address as well,
//! - the host of a URL, if a `/` follows (also behind a port) or `://` stands before it; the URL ends before a blank,
//!   a quote, `<`, `>`, `` ` ``, `{`, `}`, `|`, `\`, `^`, and without `.,;:!?'` at its end, nor a closing bracket that
//!   was not opened in it,
//! - a digest in hex, a JA4 fingerprint, a wallet, by its length and letters,
//! - with what stands around it up to a blank, quote, bracket or slash: a file name, if it has a dot.
//!
//! IPv6 addresses are runs of hex digits, `:` and `.` that no letter or digit touches. A hyphen or underscore belongs
//! to the run: `a-evil.example` is not `evil.example`. De-fanged spellings are not looked for in telemetry.

use std::net::IpAddr;

use crate::offer::{DIGESTS, HOSTS, Offer, digest_kind, plain};
use crate::value::{Kind, normal};

const RUN: u8 = 1;
const LOCAL: u8 = 2;
const URL: u8 = 4;
const FILE: u8 = 8;
const HEX: u8 = 16;

/// Longest local part of an e-mail address (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest file name looked for around a run.
const FILE_BYTES_MAX: usize = 255;
/// Longest URL looked for.
const URL_BYTES_MAX: usize = 2_048;

const CLASS: [u8; 256] = {
    let mut class = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let octet = byte as u8;
        let word = octet.is_ascii_alphanumeric();
        let mut of = 0;
        if word || octet >= 0x80 || matches!(octet, b'-' | b'_' | b'.') {
            of |= RUN;
        }
        if word || matches!(octet, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') {
            of |= LOCAL;
        }
        if octet > b' '
            && octet != 0x7f
            && !matches!(octet, b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|' | b'\\' | b'^')
        {
            of |= URL;
        }
        let split = matches!(
            octet,
            b'"' | b'\''
                | b'`'
                | b'<'
                | b'>'
                | b'|'
                | b':'
                | b'*'
                | b'?'
                | b'/'
                | b'\\'
                | b','
                | b';'
                | b'='
                | b'&'
                | b'('
                | b')'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | 0x7f
        );
        if octet > b' ' && !split {
            of |= FILE;
        }
        if octet.is_ascii_hexdigit() {
            of |= HEX;
        }
        // The array has 256 places and `byte` stays below.
        #[allow(clippy::indexing_slicing)]
        {
            class[byte] = of;
        }
        byte += 1;
    }
    class
};

#[inline(always)]
fn is(byte: u8, class: u8) -> bool {
    CLASS.get(usize::from(byte)).is_some_and(|of| of & class != 0)
}

#[inline(always)]
fn at(text: &[u8], index: usize) -> u8 {
    text.get(index).copied().unwrap_or(b' ')
}

fn before(text: &[u8], index: usize) -> u8 {
    index.checked_sub(1).map_or(b' ', |index| at(text, index))
}

/// How far the class reaches from `from` on, at most `most` octets.
fn reach(text: &[u8], from: usize, class: u8, most: usize) -> usize {
    let tail = text.get(from..).unwrap_or_default();
    let tail = tail.get(..most).unwrap_or(tail);
    from + tail.iter().position(|byte| !is(*byte, class)).unwrap_or(tail.len())
}

/// How far the class reaches back from `to`, at most `most` octets.
fn reach_back(text: &[u8], to: usize, class: u8, most: usize) -> usize {
    let head = text.get(..to).unwrap_or_default();
    let head = head.get(head.len().saturating_sub(most)..).unwrap_or(head);
    to - head.iter().rev().position(|byte| !is(*byte, class)).unwrap_or(head.len())
}

fn slice(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to).unwrap_or_default()
}

/// Shortest run without a dot that is anything: the shortest wallet (see `value`).
const WORD_BYTES_MIN: usize = 20;
const WORDS: u32 = DIGESTS | Kind::Ja3.bit() | Kind::Ja4.bit() | Kind::CryptoAddress.bit();
/// Where an IPv6 address with a port is listed, the bit of addresses is set too (see `table`).
const ADDRESSES6: u32 = Kind::Ipv6.bit() | Kind::Cidr6.bit();
const DOTTED: u32 = HOSTS | Kind::Url.bit() | Kind::Email.bit() | Kind::FileName.bit();

/// Offers every value in `text`: the runs with a dot, then the long ones without, then IPv6 addresses. Each sort is
/// found from octets it cannot be without, so most of the text is never looked at twice.
pub(crate) fn search(text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    let kinds = to.kinds();
    if kinds & DOTTED != 0 {
        let mut done = 0;
        for dot in memchr::memchr_iter(b'.', text) {
            if dot >= done {
                let from = reach_back(text, dot, RUN, usize::MAX);
                done = reach(text, dot + 1, RUN, usize::MAX);
                Run::trimmed(text, from, done).offer(text, kinds, scratch, to);
            }
        }
    }
    if kinds & WORDS != 0 {
        // A run this long covers one of the places looked at.
        let mut place = WORD_BYTES_MIN - 1;
        while let Some(byte) = text.get(place) {
            if is(*byte, RUN) {
                let from = reach_back(text, place, RUN, usize::MAX);
                let end = reach(text, place + 1, RUN, usize::MAX);
                let run = Run::trimmed(text, from, end);
                word(slice(text, run.from, run.to), kinds, scratch, to);
                place = end;
            }
            place += WORD_BYTES_MIN;
        }
    }
    if kinds & ADDRESSES6 != 0 {
        let mut done = 0;
        for colon in memchr::memchr_iter(b':', text) {
            let (from, end) = if is(before(text, colon), RUN) {
                (reach_back(text, colon, RUN, usize::MAX), colon)
            } else if is(at(text, colon + 1), RUN) {
                (colon + 1, reach(text, colon + 1, RUN, usize::MAX))
            } else {
                continue;
            };
            if from >= done {
                done = ipv6(text, from, end, to);
            }
        }
    }
}

/// A run of word octets: where it lies in the text, as found and trimmed.
struct Run {
    whole: (usize, usize),
    from: usize,
    to: usize,
}

impl Run {
    fn trimmed(text: &[u8], from: usize, end: usize) -> Self {
        let run = slice(text, from, end);
        let head = run.iter().take_while(|byte| matches!(byte, b'.' | b'-')).count();
        let tail = run.iter().rev().take_while(|byte| matches!(byte, b'.' | b'-' | b'_')).count();
        Self { whole: (from, end), from: from + head, to: (end - tail).max(from + head) }
    }

    fn offer(&self, text: &[u8], kinds: u32, scratch: &mut Vec<u8>, to: &mut impl Offer) {
        let run = slice(text, self.from, self.to);
        if kinds & (HOSTS | Kind::Url.bit() | Kind::Email.bit()) != 0 && memchr::memchr(b'.', run).is_some() {
            self.host(text, run, kinds, scratch, to);
        }
        if kinds & Kind::FileName.bit() != 0
            && memchr::memchr(b'.', slice(text, self.whole.0, self.to)).is_some()
        {
            self.file(text, scratch, to);
        }
    }

    /// A run with a dot: address or name, and the e-mail address or URL around it.
    fn host(&self, text: &[u8], run: &[u8], kinds: u32, scratch: &mut Vec<u8>, to: &mut impl Offer) {
        let (port, behind) = match port(text, self.to) {
            Some((port, end)) => (Some(port), end),
            None => (None, self.to),
        };
        let address = normal::ipv4(run);
        match address {
            Some(address) => to.ipv4(address, port, run),
            None => to.name(run),
        }
        if kinds & Kind::Email.bit() != 0 && address.is_none() && before(text, self.from) == b'@' {
            let local = reach_back(text, self.from - 1, LOCAL, LOCAL_BYTES_MAX);
            plain(Kind::Email, slice(text, local, self.to), scratch, to);
        }
        if kinds & Kind::Url.bit() != 0 {
            let scheme = text.get(..self.from).is_some_and(|head| head.ends_with(b"://"));
            if scheme || at(text, behind) == b'/' {
                self.url(text, scheme, scratch, to);
            }
        }
    }

    fn url(&self, text: &[u8], scheme: bool, scratch: &mut Vec<u8>, to: &mut impl Offer) {
        let from = if scheme { reach_back(text, self.from - 3, RUN, 16) } else { self.from };
        let end = reach(text, self.to, URL, URL_BYTES_MAX);
        let mut url = slice(text, from, end);
        while let Some((last, rest)) = url.split_last() {
            let loose = match last {
                b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' => true,
                b')' => memchr::memchr(b'(', rest).is_none(),
                b']' => memchr::memchr(b'[', rest).is_none(),
                _ => false,
            };
            if !loose {
                break;
            }
            url = rest;
        }
        scratch.clear();
        if normal::url(url, scratch).is_ok() {
            to.url(scratch, url);
        }
    }

    /// The file name around a run: what stands with it up to a blank, quote, bracket or slash.
    fn file(&self, text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
        let from = reach_back(text, self.whole.0, FILE, FILE_BYTES_MAX);
        // A run cut short at its end (a full stop) ends the name there.
        let end = if self.to == self.whole.1 { reach(text, self.to, FILE, FILE_BYTES_MAX) } else { self.to };
        plain(Kind::FileName, slice(text, from, end), scratch, to);
    }
}

/// A long run, if it has no dot.
fn word(run: &[u8], kinds: u32, scratch: &mut Vec<u8>, to: &mut impl Offer) {
    if run.len() < WORD_BYTES_MIN || run.len() > 128 || memchr::memchr(b'.', run).is_some() {
        return;
    }
    if kinds & (DIGESTS | Kind::Ja3.bit()) != 0
        && let Some(kind) = digest_kind(run.len())
        && run.iter().all(|byte| is(*byte, HEX))
    {
        plain(kind, run, scratch, to);
        if kind == Kind::Md5 && kinds & Kind::Ja3.bit() != 0 {
            plain(Kind::Ja3, run, scratch, to);
        }
    }
    if kinds & Kind::Ja4.bit() != 0 && run.len() == 36 {
        plain(Kind::Ja4, run, scratch, to);
    }
    if kinds & Kind::CryptoAddress.bit() != 0 {
        plain(Kind::CryptoAddress, run, scratch, to);
    }
}

/// `:port` at `from`, not followed by a further word octet: the port and where it ends.
fn port(text: &[u8], from: usize) -> Option<(u16, usize)> {
    if at(text, from) != b':' {
        return None;
    }
    let digits = text.get(from + 1..)?.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let end = from + 1 + digits;
    let next = at(text, end);
    // A full stop may end a sentence; a letter, or a dot before a digit, makes it something else.
    if is(next, RUN) && (next != b'.' || is(at(text, end + 1), RUN)) {
        return None;
    }
    normal::number(slice(text, from + 1, end), u16::MAX).map(|port| (port, end))
}

/// The IPv6 address a run is part of. Returns where to look for the next one.
fn ipv6(text: &[u8], from: usize, end: usize, to: &mut impl Offer) -> usize {
    let part = |byte: u8| is(byte, HEX) || matches!(byte, b':' | b'.');
    // From the run back over the colons of a leading `::` only: an address starts at its first group.
    let head = text.get(..from).unwrap_or_default();
    let start = from - head.iter().rev().take(40).take_while(|byte| **byte == b':').count();
    let start = if from - start == 2 { start } else { from };
    let mut stop =
        start + text.get(start..).unwrap_or_default().iter().take(46).take_while(|byte| part(**byte)).count();
    if stop < end || is(before(text, start), RUN) || before(text, start) == b':' {
        return end;
    }
    while stop > start && before(text, stop) == b'.' {
        stop -= 1;
    }
    // A colon that ends a sentence or a field is no part of it; two are (`fe80::`).
    if before(text, stop) == b':' && before(text, stop - 1) != b':' {
        stop -= 1;
    }
    let address = slice(text, start, stop);
    let colons = memchr::memchr_iter(b':', address).count();
    let short = memchr::memmem::find(address, b"::").is_some();
    let mut behind = at(text, stop);
    if colons < 2 || !(short || colons >= 6) {
        return stop;
    }
    if behind == b'%' {
        behind = at(text, reach(text, stop + 1, RUN, 16));
    } else if is(behind, RUN) && behind != b'.' {
        return stop;
    }
    let Some(IpAddr::V6(ip)) = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()) else {
        return stop;
    };
    let bracketed = before(text, start) == b'[' && behind == b']';
    let port = bracketed.then(|| port(text, stop + 1)).flatten().map(|(port, _)| port);
    match IpAddr::V6(ip).to_canonical() {
        IpAddr::V4(ip) => to.ipv4(ip.into(), port, address),
        IpAddr::V6(ip) => to.ipv6(ip.into(), port, address),
    }
    stop
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
