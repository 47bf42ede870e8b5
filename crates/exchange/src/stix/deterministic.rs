//! The deterministic ids of observables (STIX 2.1 section 2.9): UUIDv5 over the canonical JSON (RFC 8785) of the
//! properties that identify one. An id that is not this is a warning, never a refusal.

use std::fmt::Write as _;

use uuid::Uuid;

use super::finding::{Code, Findings, Path};
use super::json::{Fields, Json};
use super::schema::Type;

/// The namespace of section 2.9.
const NAMESPACE: Uuid = Uuid::from_u128(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);
/// Which hash identifies a file, in order of preference (section 2.9); any other comes after these.
const HASH_PREFERENCE: [&str; 4] = ["MD5", "SHA-1", "SHA-256", "SHA-512"];

/// Warns when an observable's id is not the one its content gives.
pub(super) fn check(row: &Type, fields: &Fields<'_>, out: &mut Findings) {
    let (Some(id), Some(expected)) = (fields.text("id"), id_of(row, fields)) else { return };
    if id.get(row.name.len() + 2..).is_none_or(|uuid| !uuid.eq_ignore_ascii_case(&expected.to_string())) {
        let reason = format!(
            "the id this content gives is {}--{expected}: use it so that equal observables are one",
            row.name
        );
        out.warn(&Path::Root.key("id"), Code::IdNotDeterministic, reason);
    } else {
        out.deterministic = true;
    }
}

/// The UUID an observable's content gives; `None` where the standard leaves it open (nothing identifying is there) or
/// where a very large or very small number stands among it.
pub(super) fn id_of(row: &Type, fields: &Fields<'_>) -> Option<Uuid> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for name in row.identity {
        let Some(value) = fields.get(name) else { continue };
        let mut text = String::new();
        match value.as_object().filter(|_| *name == "hashes") {
            Some(hashes) => {
                let preferred = HASH_PREFERENCE.into_iter().find_map(|name| Some((name, hashes.get(name)?)));
                let (algorithm, hash) = preferred.or_else(|| hashes.iter().min_by_key(|(name, _)| *name))?;
                object([(algorithm, hash)].into_iter(), &mut text)?;
            }
            None => canonical(value, &mut text)?,
        }
        parts.push((name, text));
    }
    if parts.is_empty() {
        return None;
    }
    // Property names are ASCII: byte order is the order of RFC 8785.
    parts.sort_unstable();
    let body: Vec<String> = parts.into_iter().map(|(name, text)| format!("\"{name}\":{text}")).collect();
    Some(Uuid::new_v5(&NAMESPACE, format!("{{{}}}", body.join(",")).as_bytes()))
}

/// RFC 8785 for everything but numbers that ECMAScript writes with an exponent.
fn canonical(value: &Json<'_>, out: &mut String) -> Option<()> {
    match value {
        Json::Null => out.push_str("null"),
        Json::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Integer(number) => write!(out, "{number}").ok()?,
        // In this range the shortest digits that read back are what ECMAScript writes, without exponent.
        Json::Float(number) if (1e-6..1e21).contains(&number.abs()) => write!(out, "{number}").ok()?,
        Json::Float(_) => return None,
        Json::String(text) => string(text, out)?,
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(item, out)?;
            }
            out.push(']');
        }
        Json::Object(fields) => object(fields.iter(), out)?,
    }
    Some(())
}

fn object<'f, 'a: 'f>(fields: impl Iterator<Item = (&'f str, &'f Json<'a>)>, out: &mut String) -> Option<()> {
    let mut sorted: Vec<_> = fields.collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(name, out)?;
        out.push(':');
        canonical(value, out)?;
    }
    out.push('}');
    Some(())
}

/// serde_json escapes a string exactly as RFC 8785 section 3.2.2.2 asks.
fn string(text: &str, out: &mut String) -> Option<()> {
    out.push_str(&serde_json::to_string(text).ok()?);
    Some(())
}
