//! Checks one object against the tables: every row, then the rules between rows.

use super::finding::{Code, Findings, Path};
use super::json::{Fields, Json, quoted};
use super::scalar;
use super::schema::{Category, Kind, Property, Rule, Shape, Targets, Type};
use super::vocabulary as ov;
use super::{SpecVersion, custom, deterministic, domain, meta, observable};

/// The row of a type of the standard.
pub(crate) fn type_row(name: &str) -> Option<&'static Type> {
    [domain::TYPES, observable::TYPES, meta::TYPES].into_iter().flatten().find(|row| row.name == name)
}

pub(crate) fn is_true(value: Option<&Json<'_>>) -> bool {
    value == Some(&Json::Boolean(true))
}

/// Properties 2.1 asks for and 2.0 did not know.
const NEW_IN_2_1: &[(&str, &str)] = &[("malware", "is_family"), ("indicator", "pattern_type")];

/// Types 2.0 did not know: without `spec_version` they are not 2.0 objects but incomplete 2.1 ones.
const TYPES_NEW_IN_2_1: &[&str] = &[
    "extension-definition",
    "grouping",
    "incident",
    "infrastructure",
    "language-content",
    "location",
    "malware-analysis",
    "note",
    "opinion",
];

/// Checks the fields of one object whose `type` names `row` (or nothing of the standard) and says which
/// specification it follows.
pub(crate) fn object(fields: &Fields<'_>, row: Option<&'static Type>, out: &mut Findings) -> SpecVersion {
    let version = spec_version(fields, row, out);
    let (common, own): (&[Property], &[Property]) = match row {
        Some(row) => (row.common, row.own),
        None => (domain::CUSTOM_COMMON, &[]),
    };
    for (name, value) in fields.iter() {
        let path = Path::Root.key(name);
        match own.iter().chain(common).find(|property| property.name == name) {
            Some(Property { kind: Kind::Extensions, .. }) => extensions(value, row, &path, out),
            Some(Property { kind: Kind::GranularMarkings, .. }) => {
                granular_markings(value, fields, &path, out)
            }
            Some(property) => check(property.kind, value, &path, out),
            None => custom::property(name, fields, row.is_some(), &path, out),
        }
    }
    let older = version == SpecVersion::V20;
    let type_name = row.map_or("", |row| row.name);
    for property in common.iter().chain(own).filter(|property| property.required) {
        let excused =
            older && (property.name == "spec_version" || NEW_IN_2_1.contains(&(type_name, property.name)));
        if !excused && !fields.has(property.name) {
            missing(property.name, &Path::Root, out);
        }
    }
    not_before("modified", "created", fields, &Path::Root, out);
    for rule in row.map_or(&[][..], |row| row.rules) {
        if !older || matches!(rule, Rule::NotBefore(..) | Rule::After(..)) {
            apply(rule, fields, &Path::Root, out);
        }
    }
    if let Some(row) = row.filter(|row| !row.identity.is_empty()) {
        deterministic::check(row, fields, out);
    }
    version
}

fn spec_version(fields: &Fields<'_>, row: Option<&'static Type>, out: &mut Findings) -> SpecVersion {
    match fields.get("spec_version") {
        Some(Json::String(text)) if text == "2.0" => SpecVersion::V20,
        Some(_) => SpecVersion::V21,
        None => match row {
            Some(row) if row.category == Category::Observable => SpecVersion::V21,
            Some(row) if TYPES_NEW_IN_2_1.contains(&row.name) => SpecVersion::V21,
            None if !fields.has("created") => SpecVersion::V21,
            _ => {
                let reason =
                    "no `spec_version`: read as STIX 2.0; write \"spec_version\": \"2.1\" if it is 2.1";
                out.warn(&Path::Root.key("spec_version"), Code::SpecVersionAbsent, reason);
                SpecVersion::V20
            }
        },
    }
}

fn missing(name: &str, path: &Path<'_>, out: &mut Findings) {
    out.refuse(&path.key(name), Code::Missing, format!("`{name}` is required here: add it"));
}

/// Checks one value against its row's kind.
pub(crate) fn check(kind: Kind, value: &Json<'_>, path: &Path<'_>, out: &mut Findings) {
    match kind {
        Kind::Own | Kind::Extensions | Kind::GranularMarkings => {}
        Kind::Boolean => {
            if !matches!(value, Json::Boolean(_)) {
                wrong_type(value, "true or false", path, out);
            }
        }
        Kind::Integer(from, to) => match value {
            Json::Integer(number) if (from..=to).contains(number) => {}
            Json::Integer(_) => out.refuse(path, Code::Value, format!("out of range: write {from} to {to}")),
            _ => wrong_type(value, "an integer", path, out),
        },
        Kind::Float(from, to) => match value {
            Json::Integer(number) if (from..=to).contains(&(*number as f64)) => {}
            Json::Float(number) if (from..=to).contains(number) => {}
            Json::Integer(_) | Json::Float(_) => {
                out.refuse(path, Code::Value, format!("out of range: write {from} to {to}"));
            }
            _ => wrong_type(value, "a number", path, out),
        },
        Kind::List(kind) => match value {
            Json::List(items) if items.is_empty() => {
                out.refuse(path, Code::Value, "a list may not be empty: leave the property out");
            }
            Json::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    check(*kind, item, &path.index(at), out);
                }
            }
            _ => wrong_type(value, "a list", path, out),
        },
        Kind::AnyObject | Kind::Dictionary | Kind::Hashes | Kind::Translations | Kind::Nested(_) => {
            match value {
                Json::Object(fields) => check_object(kind, fields, path, out),
                _ => wrong_type(value, "an object", path, out),
            }
        }
        _ => match value {
            Json::String(text) => check_text(kind, text, path, out),
            _ => wrong_type(value, "a string", path, out),
        },
    }
}

fn wrong_type(value: &Json<'_>, wanted: &str, path: &Path<'_>, out: &mut Findings) {
    out.refuse(path, Code::Type, format!("{} stands where {wanted} belongs", value.noun()));
}

fn check_object(kind: Kind, fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    if fields.is_empty() && !matches!(kind, Kind::AnyObject) {
        out.refuse(path, Code::Value, "this object may not be empty: leave the property out");
        return;
    }
    match kind {
        Kind::Hashes => hashes(fields, path, out),
        Kind::Nested(shape) => nested(shape, fields, path, out),
        Kind::Translations => {
            for (language, content) in fields.iter() {
                let path = path.key(language);
                if !scalar::is_language(language) {
                    out.refuse(&path, Code::Value, "not a language tag of RFC 5646: write one such as `fr`");
                }
                check(Kind::Dictionary, content, &path, out);
            }
        }
        Kind::Dictionary => {
            for (key, _) in fields.iter().filter(|(key, _)| !scalar::is_dictionary_key(key)) {
                let reason = "not a dictionary key: use at most 250 of a-z, A-Z, 0-9, `-` and `_`";
                out.refuse(&path.key(key), Code::Value, reason);
            }
        }
        _ => {}
    }
}

fn check_text(kind: Kind, text: &str, path: &Path<'_>, out: &mut Findings) {
    let mut value = |fits: bool, reason: &'static str| {
        if !fits {
            out.refuse(path, Code::Value, reason);
        }
    };
    match kind {
        Kind::Time | Kind::VersionTime => match scalar::time(text) {
            None => {
                let reason =
                    format!("{:?} is no STIX time: write UTC such as 2026-01-31T09:30:00.000Z", quoted(text));
                out.refuse(path, Code::Value, reason);
            }
            Some((_, digits)) if matches!(kind, Kind::VersionTime) && digits != 3 => {
                out.warn(
                    path,
                    Code::TimePrecision,
                    "the standard asks for exactly three fraction digits here",
                );
            }
            Some(_) => {}
        },
        Kind::SpecVersion if !matches!(text, "2.1" | "2.0") => {
            let reason = format!("specification {:?} is not known here: send 2.1 or 2.0", quoted(text));
            out.refuse(path, Code::SpecVersion, reason);
        }
        Kind::Id(targets) => reference(targets, text, path, out),
        Kind::Closed(words) if !words.contains(&text) => {
            let reason = format!("{:?} is not one of: {}", quoted(text), words.join(", "));
            out.refuse(path, Code::Value, reason);
        }
        Kind::Open(words) if !words.contains(&text) => {
            out.warn(
                path,
                Code::Vocabulary,
                format!("{:?} is outside the standard's vocabulary", quoted(text)),
            );
        }
        Kind::Hex => value(scalar::is_hex(text), "not hexadecimal: write an even number of 0-9, a-f"),
        Kind::Base64 => value(scalar::is_base64(text), "not base64 (RFC 4648 with padding): encode it again"),
        Kind::Language => {
            value(scalar::is_language(text), "not a language tag of RFC 5646: write one such as `en`")
        }
        Kind::Ipv4 => {
            value(
                scalar::is_network::<std::net::Ipv4Addr>(text, 32),
                "not an IPv4 address or network: write 192.0.2.0/24",
            );
        }
        Kind::Ipv6 => {
            value(
                scalar::is_network::<std::net::Ipv6Addr>(text, 128),
                "not an IPv6 address or network: write 2001:db8::/32",
            );
        }
        Kind::Url if !scalar::is_url(text) => {
            out.warn(
                path,
                Code::Url,
                "not a URL of RFC 3986: write scheme, colon and the rest without blanks",
            );
        }
        Kind::MacAddress => {
            value(
                scalar::is_mac_address(text),
                "not a MAC address: write six lower-case octets as 00:11:22:aa:bb:cc",
            );
        }
        Kind::RelationshipType => {
            value(scalar::is_relationship_type(text), "not a relationship type: use a-z, 0-9 and `-`");
        }
        Kind::PropertyName => {
            value(scalar::is_property_name(text), "not a property name: use 3 to 250 of a-z, 0-9 and `_`");
        }
        _ => {}
    }
}

fn reference(targets: Targets, text: &str, path: &Path<'_>, out: &mut Findings) {
    let Some(target) = scalar::id_type(text) else {
        out.refuse(path, Code::Id, format!("{:?} is no STIX id: write type--uuid", quoted(text)));
        return;
    };
    let category = || type_row(target).map_or(Category::Custom, |row| row.category);
    let fits = match targets {
        Targets::Any => true,
        Targets::Types(types) => types.contains(&target),
        _ if target == "bundle" => false,
        Targets::NotBundle => true,
        Targets::Domain => matches!(category(), Category::Domain | Category::Custom),
        Targets::Observable => matches!(category(), Category::Observable | Category::Custom),
        Targets::DomainOrObservable => {
            matches!(category(), Category::Domain | Category::Observable | Category::Custom)
        }
        Targets::ObservableOrRelation => {
            matches!(category(), Category::Observable | Category::Relation | Category::Custom)
        }
    };
    if !fits {
        let wanted = match targets {
            Targets::Types(types) => types.join(" or "),
            Targets::Domain => "a domain object".into(),
            Targets::Observable => "an observable".into(),
            Targets::DomainOrObservable => "a domain object or an observable".into(),
            Targets::ObservableOrRelation => "an observable or a relationship".into(),
            Targets::Any | Targets::NotBundle => "an object".into(),
        };
        out.refuse(
            path,
            Code::ReferenceType,
            format!("refers to a {}; it must refer to {wanted}", quoted(target)),
        );
    }
}

fn hashes(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    for (algorithm, value) in fields.iter() {
        let path = path.key(algorithm);
        let Some(hash) = value.as_str() else {
            wrong_type(value, "a string", &path, out);
            continue;
        };
        if let Some(digits) = scalar::hash_digits(algorithm) {
            if !scalar::is_hash(algorithm, hash) {
                out.refuse(&path, Code::Value, format!("no {algorithm}: write {digits} hexadecimal digits"));
            }
        } else if !scalar::is_dictionary_key(algorithm) {
            out.refuse(&path, Code::Value, "no name of a hash algorithm: use a-z, A-Z, 0-9, `-` and `_`");
        } else if !ov::HASH_ALGORITHM.contains(&algorithm) {
            out.respelled |= scalar::hash_spelling(algorithm).is_some_and(|name| scalar::is_hash(name, hash));
            let reason = "a hash algorithm outside the standard's vocabulary (it writes `SHA-256`)";
            out.warn(&path, Code::Vocabulary, reason);
        }
    }
}

fn nested(shape: &'static Shape, fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    for (name, value) in fields.iter() {
        if let Some(property) = shape.own.iter().find(|property| property.name == name) {
            check(property.kind, value, &path.key(name), out);
        }
    }
    for property in shape.own.iter().filter(|property| property.required && !fields.has(property.name)) {
        missing(property.name, path, out);
    }
    for rule in shape.rules {
        apply(rule, fields, path, out);
    }
}

fn apply(rule: &Rule, fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    match rule {
        Rule::AnyOf(names) => {
            if !names.iter().any(|name| fields.has(name)) {
                out.refuse(path, Code::Missing, format!("one of these is required: {}", names.join(", ")));
            }
        }
        Rule::OneOf(names) => match names.iter().filter(|name| fields.has(name)).count() {
            0 => out.refuse(path, Code::Missing, format!("one of these is required: {}", names.join(", "))),
            1 => {}
            _ => out.refuse(
                path,
                Code::Forbidden,
                format!("only one of these may stand here: {}", names.join(", ")),
            ),
        },
        Rule::Needs(name, other) => {
            if fields.has(name) && !fields.has(other) {
                out.refuse(
                    &path.key(other),
                    Code::Missing,
                    format!("`{name}` needs `{other}` beside it: add it"),
                );
            }
        }
        Rule::NotBefore(later, earlier) => not_before(later, earlier, fields, path, out),
        Rule::After(later, earlier) => {
            if let Some((a, b)) = times(later, earlier, fields)
                && a <= b
            {
                let reason = format!("`{later}` must be after `{earlier}`: correct one of them");
                out.refuse(&path.key(later), Code::TimeOrder, reason);
            }
        }
        Rule::Own(rule) => rule(fields, path, out),
    }
}

fn times(
    later: &str,
    earlier: &str,
    fields: &Fields<'_>,
) -> Option<(shieldwall_model::time::Timestamp, shieldwall_model::time::Timestamp)> {
    let read = |name| fields.text(name).and_then(scalar::time).map(|(time, _)| time);
    Some((read(later)?, read(earlier)?))
}

fn not_before(later: &str, earlier: &str, fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    if let Some((a, b)) = times(later, earlier, fields)
        && a < b
    {
        let reason = format!("`{later}` lies before `{earlier}`: correct one of them");
        out.refuse(&path.key(later), Code::TimeOrder, reason);
    }
}

/// Section 7.3: known extensions are checked by their table, others kept as they are.
fn extensions(value: &Json<'_>, row: Option<&'static Type>, path: &Path<'_>, out: &mut Findings) {
    let Json::Object(all) = value else { return wrong_type(value, "an object", path, out) };
    if all.is_empty() {
        return out.refuse(path, Code::Value, "this object may not be empty: leave the property out");
    }
    let known = row.map_or(&[][..], |row| row.extensions);
    for (name, value) in all.iter() {
        let path = path.key(name);
        let Json::Object(fields) = value else {
            wrong_type(value, "an object", &path, out);
            continue;
        };
        if let Some((_, shape)) = known.iter().find(|(known, _)| *known == name) {
            nested(shape, fields, &path, out);
        } else if scalar::id_type(name) == Some("extension-definition") {
            match fields.get("extension_type") {
                Some(kind) => check(Kind::Closed(ov::EXTENSION_TYPE), kind, &path.key("extension_type"), out),
                None => out.warn(
                    &path.key("extension_type"),
                    Code::Extension,
                    "an extension says its `extension_type`",
                ),
            }
        } else if scalar::is_dictionary_key(name) {
            out.warn(&path, Code::Extension, "an extension goes under the id of its extension-definition");
        } else {
            out.refuse(
                &path,
                Code::Extension,
                "no name of an extension: use the id of its extension-definition",
            );
        }
    }
}

/// Section 7.2.3: each says a marking or a language, and its selectors name what is there.
fn granular_markings(value: &Json<'_>, whole: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    const GRANULAR: Shape = Shape {
        own: &[
            super::schema::may("lang", Kind::Language),
            super::schema::may("marking_ref", super::schema::id_of(&["marking-definition"])),
            super::schema::must("selectors", Kind::List(&Kind::Text)),
        ],
        rules: &[Rule::OneOf(&["lang", "marking_ref"])],
    };
    check(Kind::List(&Kind::Nested(&GRANULAR)), value, path, out);
    for (at, marking) in value.as_list().iter().enumerate() {
        let Some(selectors) = marking.as_object().and_then(|fields| fields.get("selectors")) else {
            continue;
        };
        for (nth, selector) in selectors.as_list().iter().enumerate() {
            if selector.as_str().is_some_and(|selector| !selects(selector, whole)) {
                let (path, key) = (path.index(at), "selectors");
                let path = path.key(key);
                out.refuse(
                    &path.index(nth),
                    Code::Selector,
                    "selects nothing in this object: correct or remove it",
                );
            }
        }
    }
}

/// Whether a selector (`labels.[1]`, `external_references.[0].url`) names something that is there.
fn selects(selector: &str, whole: &Fields<'_>) -> bool {
    let mut steps = selector.split('.');
    let mut at = steps.next().and_then(|name| whole.get(name));
    for step in steps {
        at = at.and_then(|value| match step.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            Some(index) => index.parse::<usize>().ok().and_then(|index| value.as_list().get(index)),
            None => value.as_object().and_then(|fields| fields.get(step)),
        });
    }
    at.is_some()
}
