//! Told of every value met, listed or not: what a memory of what passed is filled by.

use crate::mapping::Format;
use crate::offer::{DIGESTS, HOSTS};
use crate::value::Kind;

/// Takes every value a matcher meets, event by event.
///
/// A value may come several times in one event. A recorder sits on the hot path: it must be cheap.
pub trait Recorder {
    /// An IPv4 address.
    fn ipv4(&mut self, address: u32);
    /// An IPv6 address, canonical.
    fn ipv6(&mut self, address: u128);
    /// What may be a domain name, as written, without a dot at its end. Whoever keeps it checks it.
    fn name(&mut self, name: &[u8]);
    /// A value of another kind in normal form; a URL from its `//` on.
    fn value(&mut self, kind: Kind, normal: &[u8]);
    /// The event is over. When it does not `count`, what was told of it is to be forgotten: the line was no event, or
    /// it is told once more, read exactly.
    fn end(&mut self, count: bool);
}

/// The kinds of value a recorder is told of. In text every word with a dot could be the name of a file, so names of
/// files are told where a field holds them and not from text.
pub(crate) const fn recorded(format: Format) -> u32 {
    let all = HOSTS | DIGESTS | Kind::Url.bit() | Kind::Email.bit() | Kind::Ja3.bit() | Kind::Ja4.bit();
    match format {
        Format::Text => all | Kind::CryptoAddress.bit(),
        Format::Json | Format::Decoded(_) => all | Kind::FileName.bit(),
    }
}
