//! From the text of a field to hashes for the filter, without bringing it into normal form.
//!
//! What [`crate::offer`] does exactly is done here roughly: a text is hashed as it stands where that gives the hash of
//! its normal form (upper and lower case hash alike). Whatever is spelled in another way than nearly all telemetry
//! spells it goes through [`crate::offer`]. A recorder wants normal forms, so with one only addresses and names are
//! taken as they stand.

use super::batch::Pass;
use super::scan::readings;
use crate::hash::Class;
use crate::mapping::{Reading, URL_HOST, URL_PATH};
use crate::offer::{ADDRESSES, HOSTS, Offer, digest_kind};
use crate::simd::{self, Glance, Vectors};
use crate::value::{Kind, normal};

const IP: u16 = Reading::Ip.flag();
const HOST: u16 = Reading::Host.flag();

/// A text of less than 32 octets without escapes; `inside` are its octets among those glanced at.
#[inline(always)]
pub(super) fn short<V: Vectors>(
    pass: &mut Pass<'_>,
    from: usize,
    length: usize,
    glance: &Glance,
    inside: u32,
    flags: u16,
) {
    if flags & IP != 0 {
        address::<V>(pass, from, length, glance.dot, IP);
    }
    if flags & HOST != 0 {
        host::<V>(pass, from, length, glance, inside);
    }
    if flags & !(IP | HOST) != 0 {
        others(pass, from, from + length, flags & !(IP | HOST));
    }
}

/// A longer text without escapes.
pub(super) fn long(pass: &mut Pass<'_>, from: usize, to: usize, flags: u16) {
    let text = pass.text;
    if flags & (IP | HOST) != 0 {
        readings(pass, text.get(from..to).unwrap_or_default(), flags & (IP | HOST));
    }
    others(pass, from, to, flags & !(IP | HOST));
}

#[inline(always)]
fn address<V: Vectors>(pass: &mut Pass<'_>, from: usize, length: usize, dots: u32, reading: u16) {
    let octets =
        from.checked_sub(4).and_then(|from| pass.text.get(from..)).and_then(|tail| tail.first_chunk::<20>());
    if let Some(address) = octets.and_then(|octets| simd::ipv4::<V>(octets, length, dots)) {
        if pass.kinds() & ADDRESSES != 0 {
            pass.ipv4(address, None, &[]);
        }
    } else {
        odd(pass, from, from + length, reading);
    }
}

/// What is not spelled as expected.
#[inline(never)]
fn odd(pass: &mut Pass<'_>, from: usize, to: usize, flags: u16) {
    let text = pass.text;
    readings(pass, text.get(from..to).unwrap_or_default(), flags);
}

#[inline(always)]
fn host<V: Vectors>(pass: &mut Pass<'_>, from: usize, length: usize, glance: &Glance, inside: u32) {
    let text = pass.text.get(from..from + length).unwrap_or_default();
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return };
    if last.is_ascii_digit() {
        return address::<V>(pass, from, length, glance.dot, HOST);
    }
    if (glance.colon | glance.high) & inside != 0 || !last.is_ascii_alphabetic() || *first <= b' ' {
        return odd(pass, from, from + length, HOST);
    }
    if pass.kinds() & HOSTS != 0 {
        // Without the last dot, the highest one left is where the last two labels begin.
        let dots = glance.dot & inside;
        let cut = 32 - dots.leading_zeros();
        let cut = if pass.root_labels == 2 {
            32 - (dots & (1u32 << (cut.wrapping_sub(1) & 31)).wrapping_sub(1)).leading_zeros()
        } else {
            cut
        };
        pass.plain_name(text, from, from + cut as usize);
    }
}

/// The other readings, and the parts of URLs.
fn others(pass: &mut Pass<'_>, from: usize, to: usize, flags: u16) {
    let text = pass.text;
    let raw = text.get(from..to).unwrap_or_default();
    if flags & URL_HOST != 0 {
        pass.url_host(from, to);
    }
    if flags & URL_PATH != 0 {
        pass.url_path(from, to, false);
    }
    let left = flags & super::scan::READINGS;
    if left == 0 {
        return;
    }
    let mut exactly = 0;
    let mut rest = left;
    while rest != 0 {
        let flag = rest & rest.wrapping_neg();
        if pass.recorded != 0 || !as_written(pass, raw, from, flag) {
            exactly |= flag;
        }
        rest ^= flag;
    }
    if exactly != 0 {
        readings(pass, raw, exactly);
    }
}

/// Hashes a text as it stands; false if it has to be read exactly.
fn as_written(pass: &mut Pass<'_>, raw: &[u8], from: usize, flag: u16) -> bool {
    const JA3: u16 = Reading::Ja3.flag();
    const JA4: u16 = Reading::Ja4.flag();
    const HASH: u16 = Reading::Hash.flag();
    const FILE: u16 = Reading::File.flag();
    const URL: u16 = Reading::Url.flag();
    const EMAIL: u16 = Reading::Email.flag();
    match flag {
        HASH => {
            if let Some(kind) = digest_kind(raw.len()) {
                pass.hashed(kind, Class::Digest, raw);
            }
        }
        JA3 if raw.len() == 32 => pass.hashed(Kind::Ja3, Class::Digest, raw),
        JA3 => {}
        JA4 => pass.hashed(Kind::Ja4, Class::Word, raw),
        FILE => {
            pass.hashed(Kind::FileName, Class::Word, raw);
            if let Some(at) = memchr::memrchr2(b'/', b'\\', raw) {
                pass.hashed(Kind::FileName, Class::Word, raw.get(at + 1..).unwrap_or_default());
            }
        }
        URL => return url(pass, raw, from),
        EMAIL => return email(pass, raw, from),
        _ => return false,
    }
    true
}

/// Whether an octet may stand in a host's name as it is.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// Whether a host is a name in normal form but for upper and lower case.
pub(super) fn is_plain_host(host: &[u8]) -> bool {
    host.iter().all(|byte| is_plain(*byte)) && host.last().is_some_and(u8::is_ascii_alphabetic)
}

/// A name that [`is_plain_host`].
fn name(pass: &mut Pass<'_>, from: usize, host: &[u8]) {
    let root = crate::table::last_labels(host, pass.root_labels);
    pass.plain_name(host, from, from + host.len() - root.len());
}

/// A URL: its host, and by its host whether it may be listed.
fn url(pass: &mut Pass<'_>, raw: &[u8], from: usize) -> bool {
    if pass.kinds() & (HOSTS | Kind::Url.bit()) == 0 {
        return true;
    }
    let (_, rest) = normal::split_scheme(raw);
    let end = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    // A user, a port, an address, letters beyond ASCII, a blank in front: to be looked at closely.
    if !matches!(rest.get(end), None | Some(b'/')) || !is_plain_host(host) {
        return false;
    }
    let start = from + raw.len() - rest.len();
    name(pass, start, host);
    pass.whole_url(host, from, from + raw.len());
    true
}

fn email(pass: &mut Pass<'_>, raw: &[u8], from: usize) -> bool {
    let Some(at) = memchr::memrchr(b'@', raw) else { return true };
    let host = raw.get(at + 1..).unwrap_or_default();
    // In brackets, with a blank in front, beyond ASCII: to be looked at closely.
    if !is_plain_host(host) || raw.first().is_none_or(|byte| *byte <= b' ') {
        return false;
    }
    pass.hashed(Kind::Email, Class::Email, raw);
    if pass.kinds() & HOSTS != 0 {
        name(pass, from + at + 1, host);
    }
    true
}
