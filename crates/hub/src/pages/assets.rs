//! The files of the pages: styles, scripts, icons. They are part of the program and named by their content.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use serde::Deserialize;

use crate::ask::Front;
use crate::problem::Problem;

/// Where the files are served.
const PREFIX: &str = "/assets/";

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Dist;

#[derive(Deserialize)]
struct Manifest {
    entries: BTreeMap<String, String>,
}

/// The addresses of files by logical name.
static ENTRIES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let manifest =
        Dist::get("manifest.json").and_then(|file| serde_json::from_slice::<Manifest>(&file.data).ok());
    let entries = manifest.map(|manifest| manifest.entries).unwrap_or_default();
    entries.into_iter().map(|(name, file)| (name, format!("{PREFIX}{file}"))).collect()
});

/// The address of a file by its logical name, such as `app.css`.
pub fn asset(name: &str) -> String {
    ENTRIES.get(name).cloned().unwrap_or_else(|| format!("{PREFIX}{name}"))
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a file's name changes with its content, so that it may be kept for ever.
fn is_named_by_content(file: &str) -> bool {
    file.rsplit_once('.').and_then(|(stem, _)| stem.rsplit_once('-')).is_some_and(|(_, mark)| {
        mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

/// `GET /assets/{file}`.
///
/// # Errors
/// 404 for a file there is not.
pub async fn file(front: Front) -> Result<Response, Problem> {
    let name = front.path("file")?;
    let file = Dist::get(name).ok_or_else(Problem::absent)?;
    let keep =
        if is_named_by_content(name) { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    Ok(([(header::CONTENT_TYPE, content_type(name)), (header::CACHE_CONTROL, keep)], file.data.into_owned())
        .into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_a_page_names_is_embedded() {
        for name in [
            "app.css",
            "app.js",
            "htmx.js",
            "theme.js",
            "icons.svg",
            "logo.svg",
            "favicon.svg",
            "map.js",
            "graph.js",
            "chart.js",
        ] {
            let address = asset(name);
            let file = address.strip_prefix(PREFIX).unwrap();
            assert_ne!(file, name, "{name} is not in the manifest");
            assert!(Dist::get(file).is_some() && is_named_by_content(file), "{file}");
        }
        assert!(Dist::get("LICENSES.txt").is_some() && !is_named_by_content("LICENSES.txt"));
    }

    #[test]
    fn a_module_is_served_as_javascript() {
        assert!(content_type("app-AAAAAAAA.js").starts_with("text/javascript"));
        assert_eq!(content_type("icons-1.svg"), "image/svg+xml");
        assert_eq!(content_type("x"), "application/octet-stream");
    }
}
