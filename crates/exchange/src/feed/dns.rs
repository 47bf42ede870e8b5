//! A DNS response policy zone (draft-vixie-dnsop-dns-rpz): what is asked for by these names, or answered with these
//! addresses, does not exist.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use shieldwall_model::time::Timestamp;
use shieldwall_watch::reach;
use shieldwall_watch::value::Kind;

use super::{Item, LeftOut, domain, is_plain_name};

/// The name of the zone where none is asked for: a name that exists nowhere (RFC 6761 section 6.4).
pub const ZONE_DEFAULT: &str = "rpz.shieldwall.invalid";

/// Longest name in octets as it is sent: 255 with lengths, so 253 as text (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// A zone's name, if it is one.
pub(super) fn zone_name(text: &str) -> Option<String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let good = name.split('.').all(|label| (1..=63).contains(&label.len()) && !label.contains('_'));
    (good && is_plain_name(&name) && name.len() <= 100).then_some(name)
}

/// What a zone begins with. The serial is the second something last changed: it rises when there is news.
pub(super) fn head(zone: &str, changed: Timestamp, out: &mut String) {
    // Serials are 32 bits and compared in a circle (RFC 1982).
    let serial = changed.as_seconds().rem_euclid(1 << 32);
    let _ = writeln!(
        out,
        "$ORIGIN {zone}.\n$TTL 300\n@ SOA localhost. hostmaster.localhost. {serial} 3600 600 604800 300\n@ NS localhost."
    );
}

/// The records that make a value not exist: for a name it and all below it, for addresses the answers that hold them.
pub(super) fn records(item: &Item<'_>, zone: &str, out: &mut String) -> Result<(), LeftOut> {
    let owner = match item.value.kind() {
        Kind::Domain => domain(item.value)?,
        Kind::Ipv4 | Kind::Ipv6 | Kind::Cidr4 | Kind::Cidr6 => trigger(item).ok_or(LeftOut::Unwritable)?,
        _ => return Err(LeftOut::NoPlace),
    };
    // With the zone's name and, for names, `*.` before it.
    if owner.len() + zone.len() + 3 > NAME_BYTES_MAX || owner.split('.').any(|label| label.len() > 63) {
        return Err(LeftOut::Unwritable);
    }
    let _ = writeln!(out, "{owner} CNAME .");
    if item.value.kind() == Kind::Domain {
        let _ = writeln!(out, "*.{owner} CNAME .");
    }
    Ok(())
}

/// `24.0.113.0.203.rpz-ip`: the prefix length, then the address's parts from the last to the first; in IPv6 `zz` is
/// the longest run of zeros.
fn trigger(item: &Item<'_>) -> Option<String> {
    let range = reach::addresses(item.value)?;
    if !range.six {
        let [a, b, c, d] = Ipv4Addr::from(u32::try_from(range.first).ok()?).octets();
        let bits = reach::prefix_length(item.value).unwrap_or(32);
        return Some(format!("{bits}.{d}.{c}.{b}.{a}.rpz-ip"));
    }
    let segments = Ipv6Addr::from(range.first).segments();
    let bits = reach::prefix_length(item.value).unwrap_or(128);
    let zeros = longest_zeros(&segments);
    let mut parts: Vec<String> = Vec::with_capacity(8);
    for (index, segment) in segments.iter().enumerate().rev() {
        match &zeros {
            Some(run) if run.contains(&index) => {
                if index == run.start {
                    parts.push("zz".into());
                }
            }
            _ => parts.push(format!("{segment:x}")),
        }
    }
    Some(format!("{bits}.{}.rpz-ip", parts.join(".")))
}

/// The first of the longest runs of two or more zero segments.
fn longest_zeros(segments: &[u16; 8]) -> Option<std::ops::Range<usize>> {
    let mut best: Option<std::ops::Range<usize>> = None;
    let mut start = 0;
    for index in 0..=segments.len() {
        if segments.get(index) == Some(&0) {
            continue;
        }
        let length = index - start;
        if length > 1 && best.as_ref().is_none_or(|best| length > best.len()) {
            best = Some(start..index);
        }
        start = index + 1;
    }
    best
}
