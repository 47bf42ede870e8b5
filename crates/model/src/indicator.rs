//! What an indicator is *for*: the role that decides what may be done with it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The role of an indicator. Every outlet respects it: only [`IndicatorRole::Malicious`] ever reaches a block list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndicatorRole {
    /// A stop switch inside the malware: blocking it lets the malware run. Watch it, never block it.
    KillSwitch,
    /// Belongs to the attack.
    #[default]
    Malicious,
    /// May well be harmless: watch it, do not act on it alone.
    Suspect,
    /// A file or key whose presence keeps the malware away: never delete it.
    Vaccine,
    /// Belongs to a victim: warn its owner, do not block it.
    VictimInfrastructure,
}

impl IndicatorRole {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::KillSwitch, Self::Malicious, Self::Suspect, Self::Vaccine, Self::VictimInfrastructure];

    /// The role's name as written in the STIX extension and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill-switch",
            Self::Malicious => "malicious",
            Self::Suspect => "suspect",
            Self::Vaccine => "vaccine",
            Self::VictimInfrastructure => "victim-infrastructure",
        }
    }

    /// Whether a value in this role may be put on a block list.
    pub const fn may_be_blocked(self) -> bool {
        matches!(self, Self::Malicious)
    }
}

impl fmt::Display for IndicatorRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names no role of an indicator.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no role of an indicator: write malicious, kill-switch, vaccine, victim-infrastructure or suspect"
)]
pub struct IndicatorRoleError(String);

impl IndicatorRoleError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "model.indicator_role.unknown"
    }
}

impl FromStr for IndicatorRole {
    type Err = IndicatorRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| IndicatorRoleError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_malicious_may_be_blocked() {
        let blocked: Vec<_> = IndicatorRole::ALL.into_iter().filter(|role| role.may_be_blocked()).collect();
        assert_eq!(blocked, [IndicatorRole::Malicious]);
        for role in IndicatorRole::ALL {
            assert_eq!(role.as_str().parse::<IndicatorRole>().unwrap(), role);
        }
    }
}
