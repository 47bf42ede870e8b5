//! The pages: HTML for people, one file and one folder of templates per capability.
//!
//! A handler asks the same functions as the API's, turns what comes back into a view of plain texts, and renders it.
//! What every page shares is in [`frame`] (the top bar and who is signed in), [`texts`] (words, numbers and times in
//! the reader's language) and [`markup`] (badges, icons, links).

use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::i18n::Language;
use crate::problem::Problem;

use self::frame::Door;
use self::texts::Texts;

pub mod assets;
pub mod audience;
pub mod cards;
pub mod correlation;
pub mod feed;
pub mod feeds;
pub mod forms;
pub mod frame;
pub mod graph;
pub mod held;
pub mod import;
pub mod indent;
pub mod intelligence;
pub mod ledger;
pub mod markup;
pub mod matrix;
pub mod members;
pub mod peers;
pub mod people;
pub mod picture;
pub mod searches;
pub mod sensors;
pub mod setup;
pub mod sign_in;
pub mod sources;
pub mod tabs;
pub mod texts;
pub mod tokens;
pub mod versions;
pub mod warnings;

/// An answer in HTML.
///
/// # Errors
/// 500 should the template fail.
pub(crate) fn html(template: &impl Template) -> Result<Response, Problem> {
    let body = template.render().map_err(|error| Problem::fault(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response())
}

/// As [`html`], with the status of the problem the page tells of.
///
/// # Errors
/// As [`html`].
pub(crate) fn html_about(problem: &Problem, template: &impl Template) -> Result<Response, Problem> {
    let mut response = html(template)?;
    *response.status_mut() = problem.status;
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    t: Texts,
    door: Door,
    status: u16,
    title: String,
    detail: String,
    code: &'static str,
}

/// The page that says what went wrong and what to do.
pub fn problem(app: &App, language: Language, problem: &Problem) -> Response {
    let t = Texts::new(language);
    let status = problem.status.as_u16();
    let page = ProblemPage {
        t,
        door: Door::new(app, "/"),
        status,
        title: t.known(&format!("problem-title-{status}")).unwrap_or_else(|| t.text("problem-title")),
        detail: t.problem(problem),
        code: problem.code,
    };
    html_about(problem, &page).unwrap_or_else(|failed| failed.into_response())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use shieldwall_model::access::Role;
    use shieldwall_model::indicator::IndicatorRole;

    use super::*;

    fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path, ending));
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path);
            }
        }
        found
    }

    /// The keys a source names: what stands in quotes right after one of the calls that say a text.
    fn named(source: &str) -> BTreeSet<String> {
        const CALLS: [&str; 13] = [
            "text(",
            "count(",
            "with(",
            "rich(",
            "text_with(",
            "tile(",
            "table(",
            "Place::Picture, ",
            "Place::Warnings, ",
            "Place::Intelligence, ",
            "Place::Sensors, ",
            "Place::Members, ",
            "Place::Ledger, ",
        ];
        let mut keys = BTreeSet::new();
        for call in CALLS {
            for (at, _) in source.match_indices(call) {
                let rest = source[at + call.len()..].trim_start();
                let Some(key) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                    continue;
                };
                let is_key =
                    |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
                if is_key(key) && key.contains('-') && !key.ends_with('-') {
                    keys.insert(key.to_owned());
                }
            }
        }
        keys
    }

    /// The keys that are put together while a page is drawn.
    fn composed() -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        let mut add = |stem: &str, ends: &[&str]| keys.extend(ends.iter().map(|end| format!("{stem}{end}")));
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        add("person-role-", &roles);
        let indicator_roles: Vec<&str> = IndicatorRole::ALL.iter().map(|role| role.as_str()).collect();
        add("role-label-", &indicator_roles);
        add("role-", &indicator_roles);
        add("warning-mine-seen-", &indicator_roles);
        add("hold-title-", &["kill-switch", "vaccine", "victim-infrastructure"]);
        add("check-", &["names", "connections", "files", "mail", "other"]);
        add("map-detail-", &["calm", "warned", "hit", "silent"]);
        add("state-", &["calm", "warned", "hit", "silent", "live", "silent-sensor", "late"]);
        add("warnings-", &["open", "new", "all"]);
        add("member-kind-", &["nation", "organisation", "company", "partner"]);
        add("month-", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
        add("sector-", &forms::SECTORS);
        add("nav-", &["picture", "warnings", "intelligence", "sensors", "members", "ledger"]);
        add("tab-", &["search", "held", "saved", "graph", "matrix", "import", "feeds", "peers", "sources"]);
        add("exchange-", &["paused", "busy", "failed", "good", "new"]);
        add("peer-kind-", &["hub", "taxii"]);
        add("peer-direction-", &["pull", "push", "both"]);
        add("source-format-", &["plain", "csv", "text", "stix"]);
        add("source-every-", &["0", "900", "3600", "86400"]);
        add("format-", &["any", "stix", "misp", "csv", "plain", "prose"]);
        add("import-column", &["", "-kind", "-label"]);
        add("import-step-", &["give", "preview", "audience", "report"]);
        add("matrix-band-", &["0", "1", "2", "3"]);
        add("event-", &["revoked", "recalled"]);
        add("tlp-meaning-", &["none", "clear", "green", "amber", "amber-strict", "red"]);
        add("feed-how-", &shieldwall_exchange::feed::Format::ALL.map(|format| format.as_str()));
        add("left-out-", &shieldwall_exchange::feed::LeftOut::ALL.map(|why| why.as_str()));
        add("held-life-held-", &["ahead", "warninglist", "too-broad"]);
        add("stage-", &shieldwall_exchange::life::Stage::ALL.map(|stage| stage.as_str()));
        let ties = ["value", "host", "certificate", "parent", "site", "vulnerability", "technique"];
        add("tie-same-", &ties);
        add("saved-way-", &["stream", "webhook", "email"]);
        add("saved-outcome-", &["delivered", "failed", "given-up"]);
        add("tie-", &["in-network", "holds-address", "neighbours", "strong", "fair", "weak"]);
        add("token-", &["good", "expired", "revoked"]);
        add("cluster-", &["both", "all", "many"]);
        add("warning-seen", &["", "-at", "-day"]);
        add("tile-", &["median", "p95", "median-note", "p95-note"]);
        let kinds = shieldwall_watch::value::Kind::ALL.map(|kind| kind.as_str());
        add("value-kind-", &kinds);
        keys
    }

    #[test]
    fn every_text_a_page_says_is_written_down() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut keys = composed();
        let sources =
            [files(&root.join("templates"), ".html"), files(&root.join("src/pages"), ".rs")].concat();
        assert!(sources.len() > 30, "found {} sources", sources.len());
        for path in sources {
            let source = fs::read_to_string(&path).unwrap();
            keys.extend(named(source.split("#[cfg(test)]").next().unwrap()));
        }
        assert!(keys.len() > 300, "found {} keys", keys.len());
        let missing: Vec<&String> =
            keys.iter().filter(|key| Texts::new(Language::English).known(key).is_none()).collect();
        assert_eq!(missing, Vec::<&String>::new());
    }

    #[test]
    fn no_template_needs_inline_code() {
        // The content security policy forbids it, and would break the page in silence.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for path in files(&root.join("templates"), ".html") {
            let source = fs::read_to_string(&path).unwrap();
            for forbidden in
                [" style=", "<style", "<script>", " onclick=", " onsubmit=", "hx-on", "js:", "|safe"]
            {
                assert!(!source.contains(forbidden), "{} has {forbidden:?}", path.display());
            }
            let forms = source.matches("method=\"post\"").count();
            let open = usize::from(path.to_str().unwrap().contains("/door/"));
            assert!(
                source.matches("name=\"csrf\"").count() >= forms - forms.min(open),
                "{}: a form without its token",
                path.display()
            );
        }
    }
}
