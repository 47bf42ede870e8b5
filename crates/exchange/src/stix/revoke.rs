//! The version of an object that says it is no longer held to be true.

use shieldwall_model::time::Timestamp;

use super::text::{Piece, property, set};
use crate::indicator::millis;

/// A millisecond in microseconds: the step of `modified` (STIX 2.1 section 3.2).
const MILLISECOND: i64 = 1_000;

/// The next version of `object`, revoked at `now` (STIX 2.1 section 3.6): `revoked` is true and `modified` is `now`, or a
/// millisecond after what it was should that lie ahead. Every other value keeps its letters. `None` for what STIX gives no
/// versions (observables, marking definitions) and for what is no JSON object: neither can be revoked.
pub fn revoked(object: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let mut whole = Piece::Raw(std::str::from_utf8(object).ok()?);
    let properties = whole.open_object()?;
    let modified = Timestamp::parse(&property(properties, "modified")?.text()?).ok()?;
    let least = modified.as_micros().div_euclid(MILLISECOND).saturating_add(1).saturating_mul(MILLISECOND);
    let modified = Timestamp::from_micros(least.max(now.as_micros().div_euclid(MILLISECOND) * MILLISECOND));
    set(properties, "modified", Piece::string(&millis(modified)));
    set(properties, "revoked", Piece::Made("true".into()));
    Some(whole.written().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-03-01T12:00:00.123456Z";

    fn text(object: &str) -> Option<String> {
        revoked(object.as_bytes(), Timestamp::parse(NOW).unwrap())
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn only_modified_and_revoked_change() {
        let object = r#"{ "type":"tool","modified" : "2026-01-01T00:00:00.000Z", "x_n":1.50, "revoked":false,"name":"\u00e9" }"#;
        assert_eq!(
            text(object).unwrap(),
            r#"{"type":"tool","modified":"2026-03-01T12:00:00.123Z","x_n":1.50,"revoked":true,"name":"\u00e9"}"#
        );
    }

    #[test]
    fn the_version_is_later_than_the_last_even_if_that_lies_ahead() {
        let ahead = r#"{"modified":"2026-03-01T12:00:00.123Z"}"#;
        assert_eq!(text(ahead).unwrap(), r#"{"modified":"2026-03-01T12:00:00.124Z","revoked":true}"#);
        let ahead = r#"{"modified":"2026-03-01T12:01:00.5009Z"}"#;
        assert_eq!(text(ahead).unwrap(), r#"{"modified":"2026-03-01T12:01:00.501Z","revoked":true}"#);
    }

    #[test]
    fn what_has_no_versions_cannot_be_revoked() {
        for object in [r#"{"type":"ipv4-addr","value":"198.51.100.1"}"#, r#"{"modified":3}"#, "[]", "", "{"] {
            assert_eq!(text(object), None, "{object}");
        }
    }
}
