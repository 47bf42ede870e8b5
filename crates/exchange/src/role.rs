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

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::stix::{Fields, Json};

/// The id of our property extension on indicators.
pub const EXTENSION_ID: &str = "extension-definition--487fb114-d80e-5423-9d1c-f0c87a95733c";

/// The STIX object that defines the extension: to be shared beside indicators that use it.
pub const EXTENSION_DEFINITION: &str = include_str!("extension-definition.json");

/// What an indicator's values mean for whoever meets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndicatorRole {
    /// A sign of an attack; block it.
    #[default]
    Malicious,
    /// The attack stops itself when it can reach this: a sign of infection that must never be blocked.
    KillSwitch,
    /// Its presence protects the machine: do not delete it.
    Vaccine,
    /// Belongs to somebody who was attacked: tell them, do not block them.
    VictimInfrastructure,
    /// Seen near an attack, not shown to be hostile: look, do not block.
    Suspect,
}

/// Why a text names no role.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no indicator role: write malicious, kill-switch, vaccine, victim-infrastructure or suspect"
)]
pub struct RoleError(String);

impl RoleError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "exchange.role.unknown"
    }
}

impl IndicatorRole {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::Malicious, Self::KillSwitch, Self::Vaccine, Self::VictimInfrastructure, Self::Suspect];

    /// The role as written in the extension, in queries and in entries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malicious => "malicious",
            Self::KillSwitch => "kill-switch",
            Self::Vaccine => "vaccine",
            Self::VictimInfrastructure => "victim-infrastructure",
            Self::Suspect => "suspect",
        }
    }

    /// Whether its values belong on block lists. Only of plainly malicious ones.
    pub const fn may_be_blocked(self) -> bool {
        matches!(self, Self::Malicious)
    }
}

impl fmt::Display for IndicatorRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IndicatorRole {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| RoleError(text.chars().take(40).collect()))
    }
}

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
    if let Some(role) = words("labels").filter_map(from_label).max_by_key(|role| role.as_caution()) {
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

impl IndicatorRole {
    /// Which of several stated roles counts: the one whose neglect does most harm.
    const fn as_caution(self) -> u8 {
        match self {
            Self::Malicious => 0,
            Self::Suspect => 1,
            Self::VictimInfrastructure => 2,
            Self::Vaccine => 3,
            Self::KillSwitch => 4,
        }
    }
}
