//! What an indicator's values mean for whoever meets them, and how an indicator says so.
//!
//! STIX has no word for "seeing this is a sign, blocking it does harm". We say it with a property extension under
//! [`EXTENSION_ID`] (its definition is [`EXTENSION_DEFINITION`]):
//!
//! ```json
//! "extensions": {"extension-definition--487fb114-d80e-5423-9d1c-f0c87a95733c":
//!     {"extension_type": "property-extension", "role": "kill-switch"}}
//! ```
//!
//! Without the extension, labels and `indicator_types` are read, and only where they are plain.

use crate::stix::{Fields, Json};

/// The id of our property extension on indicators.
pub const EXTENSION_ID: &str = "extension-definition--487fb114-d80e-5423-9d1c-f0c87a95733c";

/// The STIX object that defines the extension: to be shared beside indicators that use it.
pub const EXTENSION_DEFINITION: &str = include_str!("extension-definition.json");

pub use shieldwall_model::indicator::{IndicatorRole, IndicatorRoleError as RoleError};

/// The role of an indicator that was checked: from the extension, else from labels, else from `indicator_types`, else
/// malicious. An extension with a role this version does not know counts as [`IndicatorRole::Suspect`]: whoever wrote
/// it meant something other than "block this".
pub(crate) fn of(fields: &Fields<'_>) -> IndicatorRole {
    let ours =
        fields.get("extensions").and_then(Json::as_object).and_then(|all| all.get(EXTENSION_ID)?.as_object());
    if let Some(ours) = ours {
        return ours.text("role").and_then(|role| role.parse().ok()).unwrap_or(IndicatorRole::Suspect);
    }
    let words = |name| fields.get(name).map_or(&[][..], Json::as_list).iter().filter_map(Json::as_str);
    if let Some(role) = words("labels").filter_map(from_label).max_by_key(|role| caution(*role)) {
        return role;
    }
    // STIX 2.0 kept the indicator's types in its labels.
    let types = || words("indicator_types").chain(words("labels"));
    if types().any(|kind| matches!(kind, "malicious-activity" | "attribution")) {
        return IndicatorRole::Malicious;
    }
    if types().any(|kind| kind == "compromised") {
        return IndicatorRole::VictimInfrastructure;
    }
    if types().any(|kind| matches!(kind, "benign" | "anomalous-activity" | "anonymization" | "unknown")) {
        return IndicatorRole::Suspect;
    }
    IndicatorRole::Malicious
}

/// Labels that plainly name a role other than malicious.
fn from_label(label: &str) -> Option<IndicatorRole> {
    let plain = label.to_ascii_lowercase().replace([' ', '_'], "-");
    match plain.as_str() {
        "kill-switch" | "killswitch" | "do-not-block" => Some(IndicatorRole::KillSwitch),
        "vaccine" => Some(IndicatorRole::Vaccine),
        "victim-infrastructure" => Some(IndicatorRole::VictimInfrastructure),
        "suspect" => Some(IndicatorRole::Suspect),
        _ => None,
    }
}

/// Which of several stated roles counts: the one whose neglect does most harm.
const fn caution(role: IndicatorRole) -> u8 {
    match role {
        IndicatorRole::Malicious => 0,
        IndicatorRole::Suspect => 1,
        IndicatorRole::VictimInfrastructure => 2,
        IndicatorRole::Vaccine => 3,
        IndicatorRole::KillSwitch => 4,
    }
}
