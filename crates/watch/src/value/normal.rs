//! The normal form of each kind, written into a buffer the caller reuses: telemetry and lists go through the same code.

use std::net::{IpAddr, Ipv6Addr};

use super::Kind;

/// Why a text has no normal form.
pub(crate) type Why = &'static str;

/// Longest domain name in octets, without the trailing dot (RFC 1035 section 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;
/// Longest label in octets (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Appends the normal form of `text` to `out` and returns the kind it really is (the address kinds settle among
/// themselves). On error `out` holds a part of it: the caller truncates.
pub(crate) fn normalise(kind: Kind, text: &[u8], out: &mut Vec<u8>) -> Result<Kind, Why> {
    match kind {
        Kind::Ipv4 | Kind::Ipv6 | Kind::Cidr4 | Kind::Cidr6 => address(text, out),
        Kind::IpPort => {
            let (host, port) = split_port(text).ok_or("it is not written as address:port")?;
            let ip = ip(host).ok_or("what stands before the port is not an address")?;
            push_ip(ip, out);
            out.extend_from_slice(&port.to_be_bytes());
            Ok(Kind::IpPort)
        }
        Kind::Domain => domain(text, out).map(|()| Kind::Domain),
        Kind::Url => url(text, out).map(|_| Kind::Url),
        Kind::Email => email(text, out).map(|_| Kind::Email),
        Kind::Md5 | Kind::Ja3 => hex(text, 16, out, "it is not 32 hex digits").map(|()| kind),
        Kind::Sha1 => hex(text, 20, out, "it is not 40 hex digits").map(|()| kind),
        Kind::Sha256 => hex(text, 32, out, "it is not 64 hex digits").map(|()| kind),
        Kind::Sha512 => hex(text, 64, out, "it is not 128 hex digits").map(|()| kind),
        Kind::Ja4 => {
            if !is_ja4(text) {
                return Err(
                    "a JA4 fingerprint is three parts joined by \"_\", as in t13d1516h2_8daaf6152771_e5627efa2ab1",
                );
            }
            push_lower(text, out);
            Ok(kind)
        }
        Kind::FileName => {
            if text.is_empty() || text.iter().any(|byte| *byte < 0x20) {
                return Err("it is empty or has control characters");
            }
            push_lower(text, out);
            Ok(kind)
        }
        Kind::CryptoAddress => {
            if !(20..=128).contains(&text.len()) || !text.iter().all(u8::is_ascii_alphanumeric) {
                return Err("it is not 20 to 128 letters and digits");
            }
            let bech32 = text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"bc1"));
            if bech32 {
                push_lower(text, out)
            } else {
                out.extend_from_slice(text)
            }
            Ok(kind)
        }
    }
}

pub(crate) fn push_lower(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().map(u8::to_ascii_lowercase));
}

pub(crate) fn push_ip(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
}

/// Dotted-quad IPv4 as a number; strict: four decimal parts of one to three digits, each at most 255. A leading
/// zero is decimal (tools that log zero-padded addresses mean decimal).
#[inline]
pub(crate) fn ipv4(text: &[u8]) -> Option<u32> {
    if text.len() < 7 || text.len() > 15 {
        return None;
    }
    let (mut address, mut part, mut digits, mut dots) = (0u32, 0u32, 0u32, 0u32);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            part = part.wrapping_mul(10).wrapping_add(u32::from(digit));
            digits += 1;
        } else if byte == b'.' && digits.wrapping_sub(1) < 3 && part < 256 {
            address = address << 8 | part;
            (part, digits, dots) = (0, 0, dots + 1);
        } else {
            return None;
        }
    }
    (dots == 3 && digits.wrapping_sub(1) < 3 && part < 256).then_some(address << 8 | part)
}

/// An address, canonical: IPv4-mapped IPv6 becomes IPv4, a zone (`%eth0`) and brackets are dropped.
pub(crate) fn ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(v4) = ipv4(text) {
        return Some(IpAddr::V4(v4.into()));
    }
    let text = match text {
        [b'[', inner @ .., b']'] => inner,
        _ => text,
    };
    let text = memchr::memchr(b'%', text).and_then(|at| text.get(..at)).unwrap_or(text);
    if text.len() < 2 || text.len() > 45 || memchr::memchr(b':', text).is_none() {
        return None;
    }
    let v6: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(IpAddr::V6(v6).to_canonical())
}

fn address(text: &[u8], out: &mut Vec<u8>) -> Result<Kind, Why> {
    let (host, length) = match memchr::memrchr(b'/', text) {
        Some(at) => {
            let digits = text.get(at + 1..).unwrap_or_default();
            let length = number(digits, 128).ok_or("what follows the slash is not a prefix length")?;
            (text.get(..at).unwrap_or_default(), Some(length))
        }
        None => (text, None),
    };
    let before = host;
    let ip = ip(host).ok_or("it is not an IPv4 or IPv6 address")?;
    match (ip, length) {
        (IpAddr::V4(ip), Some(length)) => {
            // A mapped network (::ffff:192.0.2.0/120) counts its prefix in IPv6 bits.
            let length = if before.contains(&b':') { length.checked_sub(96) } else { Some(length) };
            let length = length.filter(|length| *length <= 32).ok_or("the prefix length is out of range")?;
            let net = u32::from(ip) & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            out.extend_from_slice(&net.to_be_bytes());
            if length == 32 {
                return Ok(Kind::Ipv4);
            }
            out.push(length as u8);
            Ok(Kind::Cidr4)
        }
        (IpAddr::V6(ip), Some(length)) => {
            let net = u128::from(ip) & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            out.extend_from_slice(&net.to_be_bytes());
            if length == 128 {
                return Ok(Kind::Ipv6);
            }
            out.push(length as u8);
            Ok(Kind::Cidr6)
        }
        (ip, None) => {
            push_ip(ip, out);
            Ok(if ip.is_ipv4() { Kind::Ipv4 } else { Kind::Ipv6 })
        }
    }
}

/// A decimal number of at most five digits, at most `max`.
pub(crate) fn number(digits: &[u8], max: u16) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0u32, |n, digit| n * 10 + u32::from(digit - b'0'));
    u16::try_from(number).ok().filter(|n| *n <= max)
}

/// Splits `host:port` and `[v6]:port`. A bare IPv6 address has no port.
pub(crate) fn split_port(text: &[u8]) -> Option<(&[u8], u16)> {
    let at = memchr::memrchr(b':', text)?;
    let (host, port) = (text.get(..at)?, number(text.get(at + 1..)?, u16::MAX)?);
    let bare = memchr::memchr(b':', host).is_none();
    (bare || matches!(host, [b'[', .., b']'])).then_some((host, port))
}

/// A domain name. Underscores are let through (service names carry them); `xn--` labels are taken as written.
pub(crate) fn domain(text: &[u8], out: &mut Vec<u8>) -> Result<(), Why> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let from = out.len();
    if text.is_ascii() {
        push_lower(text, out);
    } else {
        let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
        let ascii = idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY)
            .map_err(|_| "it is not a valid internationalised name")?;
        out.extend_from_slice(ascii.strip_suffix('.').unwrap_or(&ascii).as_bytes());
    }
    let name = out.get(from..).unwrap_or_default();
    if name.is_empty() || name.len() > DOMAIN_BYTES_MAX {
        return Err("a domain name has 1 to 253 characters");
    }
    let (mut label, mut digits) = (0, true);
    for &byte in name {
        match byte {
            b'.' if label == 0 => return Err("it has an empty label"),
            b'.' => (label, digits) = (0, true),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                label += 1;
                digits &= byte.is_ascii_digit();
                if label > LABEL_BYTES_MAX {
                    return Err("it has a label of more than 63 characters");
                }
            }
            _ => return Err("it has a character no domain name has"),
        }
    }
    // A name whose last label is all digits is a malformed IPv4 address (WHATWG URL section 3.5).
    if label == 0 || digits { Err("its last label is empty or a number") } else { Ok(()) }
}

/// Where the parts of a URL's normal form lie, as offsets into the buffer from where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UrlParts {
    /// Where `//` starts: the scheme and its colon end here.
    pub(crate) authority: usize,
    /// The host, brackets included.
    pub(crate) host: (usize, usize),
    /// The port as written, even the default one.
    pub(crate) port: Option<u16>,
}

fn default_port(scheme: &[u8]) -> Option<u16> {
    Some(match scheme {
        b"http" | b"ws" => 80,
        b"https" | b"wss" => 443,
        b"ftp" => 21,
        _ => return None,
    })
}

/// A URL: `scheme://authority/path?query#fragment`, `//authority/path`, or `host/path` (any scheme).
pub(crate) fn url(text: &[u8], out: &mut Vec<u8>) -> Result<UrlParts, Why> {
    let (scheme, rest) = split_scheme(text);
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, &[]));
    compose(scheme, authority, rest, out)
}

pub(crate) fn split_scheme(text: &[u8]) -> (&[u8], &[u8]) {
    if let Some(rest) = text.strip_prefix(b"//") {
        return (&[], rest);
    }
    let run =
        text.iter().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')));
    let Some((scheme, rest)) = run.and_then(|run| text.split_at_checked(run)) else { return (&[], text) };
    match rest.strip_prefix(b"://") {
        Some(rest) if scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.len() <= 16 => {
            (scheme, rest)
        }
        _ => (&[], text),
    }
}

/// A URL from its parts; `scheme` may be empty (unknown), `rest` is path, query and fragment.
pub(crate) fn compose(
    scheme: &[u8],
    authority: &[u8],
    rest: &[u8],
    out: &mut Vec<u8>,
) -> Result<UrlParts, Why> {
    let from = out.len();
    let (user, host) = match memchr::memrchr(b'@', authority) {
        Some(at) => authority.split_at_checked(at + 1).unwrap_or((&[], authority)),
        None => (&[][..], authority),
    };
    let (host, port) = match split_port(host) {
        Some((host, port)) => (host, Some(port)),
        None => (host.strip_suffix(b":").unwrap_or(host), None),
    };
    push_lower(scheme, out);
    if scheme.is_empty() {
        // A port that belongs to one scheme tells the scheme.
        out.extend_from_slice(match port {
            Some(80) => b"http",
            Some(443) => b"https",
            _ => b"",
        });
    }
    let default = default_port(out.get(from..).unwrap_or_default());
    if out.len() > from {
        out.push(b':');
    }
    let slashes = out.len() - from;
    out.extend_from_slice(b"//");
    out.extend_from_slice(user);
    let host_from = out.len() - from;
    push_host(host, out)?;
    let host_to = out.len() - from;
    if let Some(port) = port.filter(|port| Some(*port) != default) {
        out.push(b':');
        push_number(port, out);
    }
    let rest = memchr::memchr(b'#', rest).and_then(|at| rest.get(..at)).unwrap_or(rest);
    if !rest.starts_with(b"/") {
        out.push(b'/');
    }
    out.extend_from_slice(rest);
    if user.iter().chain(rest).any(|byte| *byte <= b' ') {
        return Err("it has a blank or control character");
    }
    Ok(UrlParts { authority: slashes, host: (host_from, host_to), port })
}

fn push_number(number: u16, out: &mut Vec<u8>) {
    let mut digits = [0u8; 5];
    let (mut number, mut used) = (number, 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(5 - used..).unwrap_or_default());
}

fn push_host(host: &[u8], out: &mut Vec<u8>) -> Result<(), Why> {
    match ip(host) {
        Some(IpAddr::V4(ip)) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                push_number(octet.into(), out);
            }
            Ok(())
        }
        Some(IpAddr::V6(ip)) => {
            use std::io::Write as _;
            write!(out, "[{ip}]").map_err(|_| "its address cannot be written")
        }
        None => domain(host, out),
    }
}

/// An e-mail address; what stands in `<…>` is taken if there is such a part. Returns where the domain starts,
/// counted from where the address begins in `out`.
pub(crate) fn email(text: &[u8], out: &mut Vec<u8>) -> Result<usize, Why> {
    let text = match (memchr::memrchr(b'<', text), text.strip_suffix(b">")) {
        (Some(open), Some(inner)) => inner.get(open + 1..).unwrap_or_default(),
        _ => text,
    };
    let at = memchr::memrchr(b'@', text).ok_or("it has no @")?;
    let (local, name) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    // RFC 5321 section 4.5.3.1.1
    if local.is_empty() || local.len() > 64 || local.iter().any(|byte| *byte <= b' ' || *byte == b'@') {
        return Err("what stands before the @ is empty, too long or has blanks");
    }
    out.extend_from_slice(local);
    out.push(b'@');
    domain(name, out)?;
    Ok(local.len() + 1)
}

pub(crate) const fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0xff,
    }
}

fn hex(text: &[u8], bytes: usize, out: &mut Vec<u8>, why: Why) -> Result<(), Why> {
    if text.len() != bytes * 2 {
        return Err(why);
    }
    let mut bad = 0;
    for pair in text.as_chunks::<2>().0 {
        let [high, low] = pair.map(hex_digit);
        bad |= high | low;
        out.push(high << 4 | low & 15);
    }
    if bad > 15 { Err(why) } else { Ok(()) }
}

/// The shape of a JA4 fingerprint: `a_b_c`, a of 10 characters, b and c of 12 hex digits.
pub(crate) fn is_ja4(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'_');
    let (Some(a), Some(b), Some(c), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digest = |part: &[u8]| part.len() == 12 && part.iter().all(u8::is_ascii_hexdigit);
    a.len() == 10 && a.iter().all(u8::is_ascii_alphanumeric) && digest(b) && digest(c)
}
