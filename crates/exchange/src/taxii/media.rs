//! Media types of TAXII 2.1 and what is taken for them (sections 1.6.6 to 1.6.8).

use super::TaxiiError;

/// The media type of every TAXII answer.
pub const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";
/// The media type of what a collection holds, as it stands in `media_types`.
pub const STIX_MEDIA_TYPE: &str = "application/stix+json;version=2.1";
/// The media type of the STIX 2.0 objects a collection holds.
pub const STIX_20_MEDIA_TYPE: &str = "application/stix+json;version=2.0";

/// Whether an `Accept` header lets us answer with [`MEDIA_TYPE`].
///
/// Liberal, because real clients are: no header, `*/*`, `application/*`, `application/json` and the type without a
/// version all do. Another version alone does not, nor does a type with `q=0`.
///
/// # Errors
/// [`TaxiiError::NotAcceptable`].
pub fn accepts(accept: Option<&str>) -> Result<(), TaxiiError> {
    let Some(accept) = accept.map(str::trim).filter(|accept| !accept.is_empty()) else { return Ok(()) };
    let fits = accept.split(',').any(|range| {
        let (name, version, refused) = media_range(range);
        let known =
            matches!(name.as_str(), "*/*" | "application/*" | "application/json" | "application/taxii+json");
        known && !refused && (name != "application/taxii+json" || version.is_none_or(|v| v == "2.1"))
    });
    if fits { Ok(()) } else { Err(TaxiiError::NotAcceptable) }
}

/// Whether the body of a POST is of a type we read: TAXII 2.1, with or without its version, or plain JSON.
///
/// # Errors
/// [`TaxiiError::UnsupportedMediaType`], also without a header.
pub fn check_content_type(content_type: Option<&str>) -> Result<(), TaxiiError> {
    let (name, version, _) = media_range(content_type.unwrap_or_default());
    match name.as_str() {
        "application/taxii+json" if version.as_deref().is_none_or(|v| v == "2.1") => Ok(()),
        "application/json" => Ok(()),
        _ => Err(TaxiiError::UnsupportedMediaType),
    }
}

/// Type, version and whether `q=0` forbids it. Case and blanks do not count (RFC 9110 section 8.3.1).
fn media_range(range: &str) -> (String, Option<String>, bool) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let (mut version, mut refused) = (None, false);
    for part in parts {
        let Some((key, value)) = part.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "version" => version = Some(value.to_owned()),
            "q" => refused = value.parse::<f32>().is_ok_and(|q| q <= 0.0),
            _ => {}
        }
    }
    (name, version, refused)
}
