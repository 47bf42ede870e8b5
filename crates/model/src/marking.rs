//! TLP 2.0 markings, with the official STIX marking-definition ids, and TLP 1 mapped on the way in.
//!
//! Sources: FIRST, Traffic Light Protocol 2.0 (August 2022); OASIS CTI, "TLP 2.0" extension definition
//! `extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d`; STIX 2.1 section 7.2.1.4 for the TLP 1 ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A TLP 2.0 label, from the most open to the most closed; the order is the order of strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tlp {
    /// May be told to anyone.
    Clear,
    /// May be told within the recipients' community.
    Green,
    /// May be told within the recipients' organisations and to their clients, where they need to know.
    Amber,
    /// May be told within the recipients' organisations alone.
    AmberStrict,
    /// For the eyes of the recipients alone.
    Red,
}

/// Why a text is not a TLP label.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no TLP label: write CLEAR, GREEN, AMBER, AMBER+STRICT or RED")]
pub struct TlpError(String);

impl TlpError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "model.marking.unknown"
    }
}

impl Tlp {
    /// All labels, most open first.
    pub const ALL: [Self; 5] = [Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// The STIX property extension that carries TLP 2.0.
    pub const EXTENSION_ID: &'static str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

    /// The id of the official marking-definition object of this label.
    pub const fn marking_id(self) -> &'static str {
        match self {
            Self::Clear => "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
            Self::Green => "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
            Self::Amber => "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
            Self::AmberStrict => "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
            Self::Red => "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
        }
    }

    /// The label a marking-definition id stands for: TLP 2.0, or TLP 1 (WHITE is now CLEAR; GREEN, AMBER and RED
    /// keep their names). `None` for any other marking.
    pub fn from_marking_id(id: &str) -> Option<Self> {
        match id {
            "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9" => Some(Self::Clear),
            "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da" => Some(Self::Green),
            "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82" => Some(Self::Amber),
            "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed" => Some(Self::Red),
            _ => Self::ALL.into_iter().find(|tlp| tlp.marking_id() == id),
        }
    }

    /// The strictest label among marking-definition ids; other markings are passed over. `None` when none is a TLP label.
    pub fn strictest<'a>(marking_ids: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        marking_ids.into_iter().filter_map(Self::from_marking_id).max()
    }

    /// The label without the `TLP:` before it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        }
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLP:{}", self.as_str())
    }
}

impl FromStr for Tlp {
    type Err = TlpError;

    /// Reads a label in any case, with or without `TLP:`, and WHITE (TLP 1) as CLEAR.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let label = upper.strip_prefix("TLP:").unwrap_or(&upper);
        if label == "WHITE" {
            return Ok(Self::Clear);
        }
        Self::ALL
            .into_iter()
            .find(|tlp| tlp.as_str() == label)
            .ok_or_else(|| TlpError(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Tlp {
    type Error = TlpError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Tlp> for String {
    fn from(tlp: Tlp) -> Self {
        tlp.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_reads_back_from_its_id_and_its_text() {
        for tlp in Tlp::ALL {
            assert_eq!(Tlp::from_marking_id(tlp.marking_id()), Some(tlp));
            assert_eq!(tlp.to_string().to_lowercase().parse::<Tlp>().unwrap(), tlp);
        }
        assert_eq!("tlp:white".parse::<Tlp>().unwrap(), Tlp::Clear);
        assert_eq!("purple".parse::<Tlp>().unwrap_err().code(), "model.marking.unknown");
    }

    #[test]
    fn the_strictest_marking_counts_and_strangers_are_passed_over() {
        let ids = [
            "marking-definition--fa42a846-8d90-4e51-bc29-71d5b4802168",
            Tlp::Green.marking_id(),
            Tlp::Red.marking_id(),
        ];
        assert_eq!(Tlp::strictest(ids), Some(Tlp::Red));
        assert_eq!(Tlp::strictest(["marking-definition--fa42a846-8d90-4e51-bc29-71d5b4802168"]), None);
        assert!(Tlp::Amber < Tlp::AmberStrict && Tlp::AmberStrict < Tlp::Red);
    }
}
