//! Properties the standard does not define: kept untouched, checked for their names alone (STIX 2.1 section 11.1).

use super::finding::{Code, Findings, Path};
use super::json::{Fields, Json};
use super::scalar;

/// Checks a property that no row describes. In a type of the standard it should carry a prefix or come with an
/// extension that defines it.
pub(crate) fn property(name: &str, fields: &Fields<'_>, standard: bool, path: &Path<'_>, out: &mut Findings) {
    if !scalar::is_property_name(name) {
        out.refuse(path, Code::CustomName, "not a property name: use 3 to 250 of a-z, 0-9 and `_`");
    } else if standard && !name.starts_with("x_") && !has_top_level_extension(fields) {
        out.warn(
            path,
            Code::CustomPrefix,
            "not of the standard: give it the prefix `x_` or define a top-level extension",
        );
    }
}

/// Whether an extension says that it brings properties of the object itself (section 7.3).
fn has_top_level_extension(fields: &Fields<'_>) -> bool {
    let all = fields.get("extensions").and_then(Json::as_object);
    all.is_some_and(|all| {
        let mut kinds = all.iter().filter_map(|(_, one)| one.as_object()?.text("extension_type"));
        kinds.any(|kind| matches!(kind, "toplevel-property-extension" | "new-sdo" | "new-sco" | "new-sro"))
    })
}
