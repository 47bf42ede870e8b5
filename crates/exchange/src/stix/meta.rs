//! The tables of marking definitions, language content, extension definitions and bundles (STIX 2.1 sections 7 and 8).

use shieldwall_model::marking::Tlp;

use super::domain::{COMMON, CREATED_BY, EXTERNAL_REFERENCES, MARKING_REFS};
use super::finding::{Code, Findings, Path};
use super::json::{Fields, Json, quoted};
use super::schema::{Category, Kind, Property, Rule, TEXTS, Targets, Type, may, must};
use super::vocabulary as ov;

/// A marking definition has no versions (section 7.2.1).
const MARKING_COMMON: &[Property] = &[
    must("type", Kind::Own),
    must("spec_version", Kind::SpecVersion),
    must("id", Kind::Own),
    may("created_by_ref", CREATED_BY),
    must("created", Kind::VersionTime),
    may("external_references", EXTERNAL_REFERENCES),
    may("object_marking_refs", MARKING_REFS),
    may("granular_markings", Kind::GranularMarkings),
    may("extensions", Kind::Extensions),
];

/// An extension definition says who made it (section 7.3).
const EXTENSION_COMMON: &[Property] = &[
    must("type", Kind::Own),
    must("spec_version", Kind::SpecVersion),
    must("id", Kind::Own),
    must("created_by_ref", CREATED_BY),
    must("created", Kind::VersionTime),
    must("modified", Kind::VersionTime),
    may("revoked", Kind::Boolean),
    may("labels", TEXTS),
    may("external_references", EXTERNAL_REFERENCES),
    may("object_marking_refs", MARKING_REFS),
    may("granular_markings", Kind::GranularMarkings),
    may("extensions", Kind::Extensions),
];

const fn meta(
    name: &'static str,
    common: &'static [Property],
    own: &'static [Property],
    rules: &'static [Rule],
) -> Type {
    Type { name, category: Category::Meta, common, own, rules, extensions: &[], identity: &[] }
}

pub(super) const TYPES: &[Type] = &[
    meta(
        "marking-definition",
        MARKING_COMMON,
        &[may("name", Kind::Text), may("definition_type", Kind::Text), may("definition", Kind::AnyObject)],
        &[
            Rule::Own(defined_here_or_by_extension),
            Rule::Own(definition_fits_its_type),
            Rule::Own(tlp_2_is_official),
            Rule::Own(not_marked_with_itself),
        ],
    ),
    meta(
        "language-content",
        COMMON,
        &[
            must("object_ref", Kind::Id(Targets::Any)),
            may("object_modified", Kind::Time),
            must("contents", Kind::Translations),
        ],
        &[],
    ),
    meta(
        "extension-definition",
        EXTENSION_COMMON,
        &[
            must("name", Kind::Text),
            may("description", Kind::Text),
            must("schema", Kind::Text),
            must("version", Kind::Text),
            must("extension_types", Kind::List(&Kind::Closed(ov::EXTENSION_TYPE))),
            may("extension_properties", Kind::List(&Kind::PropertyName)),
        ],
        &[Rule::Own(properties_only_at_top_level)],
    ),
];

/// Section 7.2.1: without `extensions`, both the definition and its type MUST be there.
fn defined_here_or_by_extension(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    if fields.has("extensions") {
        return;
    }
    for name in ["definition_type", "definition"] {
        if !fields.has(name) {
            out.refuse(
                &path.key(name),
                Code::Missing,
                format!("without `extensions`, `{name}` is required: add it"),
            );
        }
    }
}

/// Section 7.2.1.3 and 7.2.1.4: a statement holds its text; TLP 1 is one of four objects fixed by the standard.
fn definition_fits_its_type(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    let Some(definition) = fields.get("definition").and_then(|value| value.as_object()) else { return };
    let path = path.key("definition");
    match fields.text("definition_type") {
        Some("statement") if definition.text("statement").is_none() => {
            out.refuse(
                &path.key("statement"),
                Code::Missing,
                "a statement marking needs its text: add `statement`",
            );
        }
        Some("tlp") => {
            let stated = definition.text("tlp").unwrap_or("");
            let stands_for = fields.text("id").and_then(Tlp::from_marking_id);
            if stands_for.is_none() || stated.parse::<Tlp>().ok() != stands_for {
                let reason = format!(
                    "{:?} with this id is none of the standard's TLP markings: refer to the official object instead of making one",
                    quoted(stated)
                );
                out.refuse(&path.key("tlp"), Code::Tlp, reason);
            }
        }
        _ => {}
    }
}

/// The TLP 2.0 extension's own text: its five markings are fixed objects, and nobody else makes one.
fn tlp_2_is_official(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    let Some(ours) = fields.get("extensions").and_then(|all| all.as_object()?.get(Tlp::EXTENSION_ID)) else {
        return;
    };
    let stated = ours.as_object().and_then(|ours| ours.text("tlp_2_0")).unwrap_or("");
    let official = Tlp::ALL.into_iter().find(|tlp| fields.text("id") == Some(tlp.marking_id()));
    if official.is_none() || stated.parse().ok() != official {
        let reason = format!(
            "{:?} with this id is none of the five TLP 2.0 markings: refer to the official object instead of making one",
            quoted(stated)
        );
        out.refuse(&path.key("extensions"), Code::Tlp, reason);
    }
}

/// Section 3.2: a marking definition may be marked, but not with itself.
fn not_marked_with_itself(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    let id = fields.text("id");
    let reason = "a marking definition is marked with itself: remove the reference";
    let whole = path.key("object_marking_refs");
    for (at, marking) in fields.get("object_marking_refs").map_or(&[][..], Json::as_list).iter().enumerate() {
        if marking.as_str() == id {
            out.refuse(&whole.index(at), Code::MarkingCycle, reason);
        }
    }
    let parts = path.key("granular_markings");
    for (at, part) in fields.get("granular_markings").map_or(&[][..], Json::as_list).iter().enumerate() {
        if part.as_object().is_some_and(|part| part.text("marking_ref") == id) {
            out.refuse(&parts.index(at).key("marking_ref"), Code::MarkingCycle, reason);
        }
    }
}

/// Section 7.3: `extension_properties` belongs to extensions at the top level.
fn properties_only_at_top_level(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    let at_top = fields.get("extension_types").is_some_and(|types| {
        types.as_list().iter().any(|t| t.as_str() == Some("toplevel-property-extension"))
    });
    if fields.has("extension_properties") && !at_top {
        let reason = "`extension_properties` goes with `toplevel-property-extension` only: leave it out or add that type";
        out.refuse(&path.key("extension_properties"), Code::Forbidden, reason);
    }
}
