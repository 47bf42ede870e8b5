//! Properties the standard does not define: kept untouched, checked for their names alone (STIX 2.1 section 11.1).

use super::finding::{Code, Findings, Path};
use super::json::Fields;
use super::scalar;

/// Checks a property that no row describes. In a type of the standard it should carry a prefix or come with an
/// extension that defines it.
pub(crate) fn property(name: &str, fields: &Fields<'_>, standard: bool, path: &Path<'_>, out: &mut Findings) {
    if !scalar::is_property_name(name) {
        out.refuse(path, Code::CustomName, "not a property name: use 3 to 250 of a-z, 0-9 and `_`");
    } else if standard && !name.starts_with("x_") && !fields.has("extensions") {
        out.warn(
            path,
            Code::CustomPrefix,
            "not of the standard: give it the prefix `x_` or define an extension",
        );
    }
}
