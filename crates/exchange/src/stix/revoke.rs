//! The version of an object that says it is no longer held to be true.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use shieldwall_model::time::Timestamp;

use super::json::Key;
use crate::indicator::millis;

/// A millisecond in microseconds: the step of `modified` (STIX 2.1 section 3.2).
const MILLISECOND: i64 = 1_000;

/// The next version of `object`, revoked at `now` (STIX 2.1 section 3.6): `revoked` is true and `modified` is `now`, or a
/// millisecond after what it was should that lie ahead. Everything else is copied byte for byte. `None` for what STIX
/// gives no versions (observables, marking definitions) and for what is no JSON object: neither can be revoked.
pub fn revoked(object: &[u8], now: Timestamp) -> Option<Vec<u8>> {
    let Properties(properties) = serde_json::from_slice(object).ok()?;
    let modified = properties.iter().find(|(name, _)| name == "modified")?;
    let modified = Timestamp::parse(&serde_json::from_str::<String>(modified.1.get()).ok()?).ok()?;
    let least = modified.as_micros().div_euclid(MILLISECOND).saturating_add(1).saturating_mul(MILLISECOND);
    let modified = Timestamp::from_micros(least.max(now.as_micros().div_euclid(MILLISECOND) * MILLISECOND));
    let mut out = Vec::with_capacity(object.len() + 64);
    out.push(b'{');
    for (name, value) in properties.iter().filter(|(name, _)| name != "revoked") {
        serde_json::to_writer(&mut out, name).ok()?;
        out.push(b':');
        if name == "modified" {
            serde_json::to_writer(&mut out, &millis(modified)).ok()?;
        } else {
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b',');
    }
    out.extend_from_slice(b"\"revoked\":true}");
    Some(out)
}

/// The properties of an object in the order they came, their values as text.
struct Properties<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Properties<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a STIX object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut properties = Vec::new();
                while let Some(Key(name)) = entries.next_key()? {
                    properties.push((name.into_owned(), entries.next_value()?));
                }
                Ok(Properties(properties))
            }
        }
        deserializer.deserialize_map(Read)
    }
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
            r#"{"type":"tool","modified":"2026-03-01T12:00:00.123Z","x_n":1.50,"name":"\u00e9","revoked":true}"#
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
