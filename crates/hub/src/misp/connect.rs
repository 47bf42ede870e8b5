//! What a client asks when it connects: version, who it is, which types there are.

use axum::response::Response;
use serde_json::{Value, json};
use shieldwall_exchange::misp::{node, types};
use shieldwall_model::access::Action;

use crate::ask::{Ask, json};
use crate::problem::Problem;

/// The version of MISP whose answers these are. PyMISP compares it with its own.
const VERSION: &str = "2.5.34";

/// `GET /misp/servers/getVersion`.
///
/// # Errors
/// None beyond those of every answer.
pub async fn version(ask: Ask) -> Result<Response, Problem> {
    let may = |action| ask.reader().may(action);
    json(&json!({
        "version": VERSION,
        "pymisp_recommended_version": VERSION,
        "perm_sync": may(Action::ShareIntelligence),
        "perm_sighting": may(Action::ReportSighting),
        "perm_galaxy_editor": false,
        "request_encoding": ["gzip"],
        "filter_sightings": true,
    }))
}

/// `GET /misp/servers/getPyMISPVersion.json`.
///
/// # Errors
/// As [`version`].
pub async fn pymisp_version(_: Ask) -> Result<Response, Problem> {
    json(&json!({"version": VERSION}))
}

/// `GET /misp/attributes/describeTypes.json`.
///
/// # Errors
/// As [`version`].
pub async fn types(_: Ask) -> Result<Response, Problem> {
    json(&types::describe())
}

/// `GET /misp/users/view/{id}`: the reader themselves, and nobody else.
///
/// # Errors
/// 404 for any id but `me` and the reader's own.
pub async fn user(ask: Ask) -> Result<Response, Problem> {
    let reader = ask.reader();
    let principal = reader.principal().to_string();
    let uuid = principal.split_once("--").and_then(|(_, uuid)| uuid.parse().ok()).unwrap_or_default();
    let asked = ask.path("id")?;
    if asked != "me" && node::named(asked) != Some(uuid) {
        return Err(Problem::absent());
    }
    let may = |action| reader.may(action);
    let (share, read) = (may(Action::ShareIntelligence), may(Action::ReadIntelligence));
    let id = node::id_number(uuid);
    let role = reader.role().as_str();
    json(&json!({
        "User": {
            "id": id,
            "org_id": node::id_number(reader.member().uuid()),
            "email": format!("{role}@shieldwall.invalid"),
            "autoalert": false, "contactalert": false, "disabled": false, "termsaccepted": true,
            "change_pw": "0", "role_id": "1", "server_id": "0",
        },
        "Role": {
            "id": "1",
            "name": role,
            "perm_add": share, "perm_modify": share, "perm_modify_org": share, "perm_publish": share,
            "perm_sync": share, "perm_auth": read, "perm_tagger": share, "perm_tag_editor": share,
            "perm_sighting": may(Action::ReportSighting), "perm_object_template": false,
            "perm_admin": false, "perm_site_admin": false, "perm_audit": false, "perm_delegate": false,
            "perm_sharing_group": false, "perm_template": false, "perm_galaxy_editor": false,
            "perm_warninglist": false, "perm_decaying": false,
        },
        "UserSetting": Value::Array(Vec::new()),
    }))
}
