//! From a field's text to the values in it: one reading of text for the scan and for the exact reader.
//!
//! Whoever looks values up implements [`Offer`]. The scan hashes what it is offered, the exact side looks it up; both
//! are offered the same, so they can only differ in how they found the text.

use std::net::IpAddr;

use crate::mapping::Reading;
use crate::table::hash_of;
use crate::text;
use crate::value::{Kind, normal};

/// Takes the values found in a text. `shown` is always the part of the text the value was read from.
pub(crate) trait Offer {
    /// Which kinds are worth offering, one bit each.
    fn kinds(&self) -> u32;
    /// An IPv4 address.
    fn ipv4(&mut self, address: u32, port: Option<u16>, shown: &[u8]);
    /// An IPv6 address, canonical.
    fn ipv6(&mut self, address: u128, port: Option<u16>, shown: &[u8]);
    /// What may be a domain name, as written.
    fn name(&mut self, shown: &[u8]);
    /// A URL in normal form.
    fn url(&mut self, normal: &[u8], shown: &[u8]);
    /// A value of another kind, in normal form.
    fn plain(&mut self, kind: Kind, normal: &[u8], shown: &[u8]);
}

pub(crate) const ADDRESSES: u32 =
    Kind::Ipv4.bit() | Kind::Ipv6.bit() | Kind::Cidr4.bit() | Kind::Cidr6.bit() | Kind::IpPort.bit();
pub(crate) const HOSTS: u32 = ADDRESSES | Kind::Domain.bit();
pub(crate) const DIGESTS: u32 = Kind::Md5.bit() | Kind::Sha1.bit() | Kind::Sha256.bit() | Kind::Sha512.bit();

/// Offers every value that `text`, read as `reading`, holds. `port` is the port of an address's endpoint.
/// `scratch` is used freely.
#[inline]
pub(crate) fn offer(
    reading: Reading,
    text: &[u8],
    port: Option<u16>,
    scratch: &mut Vec<u8>,
    to: &mut impl Offer,
) {
    let kinds = to.kinds();
    match reading {
        Reading::Ip if kinds & ADDRESSES != 0 => ip(text, port, to),
        Reading::Host if kinds & HOSTS != 0 => host(text, port, to),
        Reading::Url if kinds & (HOSTS | Kind::Url.bit()) != 0 => url(text, scratch, to),
        Reading::Email if kinds & (HOSTS | Kind::Email.bit()) != 0 => email(text, scratch, to),
        Reading::Hash if kinds & DIGESTS != 0 => digest(text, scratch, to),
        Reading::Hashes if kinds & DIGESTS != 0 => hashes(text, scratch, to),
        Reading::Ja3 if kinds & Kind::Ja3.bit() != 0 => plain(Kind::Ja3, text, scratch, to),
        Reading::Ja4 if kinds & Kind::Ja4.bit() != 0 => plain(Kind::Ja4, text, scratch, to),
        Reading::File if kinds & Kind::FileName.bit() != 0 => file(text, scratch, to),
        Reading::Text => text::search(text, scratch, to),
        _ => {}
    }
}

#[inline(always)]
fn ip(text: &[u8], port: Option<u16>, to: &mut impl Offer) {
    match normal::ipv4(text) {
        Some(address) => to.ipv4(address, port, text),
        None => ip_any(text, port, to),
    }
}

#[inline(never)]
fn ip_any(text: &[u8], port: Option<u16>, to: &mut impl Offer) {
    match normal::ip(text.trim_ascii()) {
        Some(IpAddr::V4(ip)) => to.ipv4(ip.into(), port, text),
        Some(IpAddr::V6(ip)) => to.ipv6(ip.into(), port, text),
        None => {}
    }
}

#[inline(always)]
fn host(text: &[u8], port: Option<u16>, to: &mut impl Offer) {
    // A digit at the end of the last label or a colon: an address, or a port that stands with the name.
    let odd = text.last().is_none_or(|last| !last.is_ascii_alphabetic())
        || text.first().is_none_or(|first| *first <= b' ');
    if odd {
        host_any(text, port, to)
    } else if memchr::memchr(b':', text).is_some() {
        ip_any(text, port, to)
    } else {
        to.name(text)
    }
}

#[inline(never)]
fn host_any(text: &[u8], port: Option<u16>, to: &mut impl Offer) {
    let text = text.trim_ascii();
    if let Some(address) = normal::ipv4(text) {
        return to.ipv4(address, port, text);
    }
    if normal::ip(text).is_some() {
        return ip_any(text, port, to);
    }
    match normal::split_port(text) {
        Some((host, port)) if normal::ip(host).is_some() => ip_any(host, Some(port), to),
        Some((host, _)) => to.name(host),
        None => to.name(text),
    }
}

fn url(text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    scratch.clear();
    let Ok(parts) = normal::url(text.trim_ascii(), scratch) else { return };
    if to.kinds() & Kind::Url.bit() != 0 {
        to.url(scratch, text);
    }
    let host = scratch.get(parts.host.0..parts.host.1).unwrap_or_default();
    match normal::ip(host) {
        Some(IpAddr::V4(ip)) => to.ipv4(ip.into(), parts.port, host),
        Some(IpAddr::V6(ip)) => to.ipv6(ip.into(), parts.port, host),
        None => to.name(host),
    }
}

fn email(text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    scratch.clear();
    let Ok(domain) = normal::email(text.trim_ascii(), scratch) else { return };
    to.plain(Kind::Email, scratch, text);
    to.name(scratch.get(domain..).unwrap_or_default());
}

/// The kind of a hex digest by its length in characters.
pub(crate) fn digest_kind(characters: usize) -> Option<Kind> {
    match characters {
        32 => Some(Kind::Md5),
        40 => Some(Kind::Sha1),
        64 => Some(Kind::Sha256),
        128 => Some(Kind::Sha512),
        _ => None,
    }
}

fn digest(text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    if let Some(kind) = digest_kind(text.len()).filter(|kind| to.kinds() & kind.bit() != 0) {
        plain(kind, text, scratch, to);
    }
}

fn hashes(text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    for part in text.split(|byte| *byte == b',') {
        let Some(at) = memchr::memchr(b'=', part) else { continue };
        let (name, hex) = (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default());
        let kind = match name.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"MD5") => Kind::Md5,
            name if name.eq_ignore_ascii_case(b"SHA1") => Kind::Sha1,
            name if name.eq_ignore_ascii_case(b"SHA256") => Kind::Sha256,
            name if name.eq_ignore_ascii_case(b"SHA512") => Kind::Sha512,
            // IMPHASH is as long as an MD5 and no hash of the file.
            _ => continue,
        };
        plain(kind, hex.trim_ascii(), scratch, to);
    }
}

pub(crate) fn plain(kind: Kind, text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    scratch.clear();
    if normal::normalise(kind, text, scratch).is_ok() {
        to.plain(kind, scratch, text);
    }
}

fn file(text: &[u8], scratch: &mut Vec<u8>, to: &mut impl Offer) {
    plain(Kind::FileName, text, scratch, to);
    if let Some(at) = memchr::memrchr2(b'/', b'\\', text) {
        plain(Kind::FileName, text.get(at + 1..).unwrap_or_default(), scratch, to);
    }
}

/// Hash of a value of one of the kinds [`Offer::plain`] takes.
pub(crate) fn plain_hash(key: u64, kind: Kind, normal: &[u8]) -> u64 {
    hash_of(key, kind, normal)
}
