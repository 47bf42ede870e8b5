//! Who takes part: the members of the demo's alliance for a scenario, and where its places lie.
//!
//! Which nations can be members stands in `scenarios/alliance.json`, not in code; everybody else a scenario hits is
//! an outside victim.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use shieldwall_model::directory::MemberKind;
use shieldwall_watch::generate::Telemetry;

use super::scenario::Scenario;

/// The nations that can be members, and the names of places.
const ALLIANCE: &str = include_str!("../../scenarios/alliance.json");
/// Least nations in the alliance; with the duty office there are one more members.
const NATIONS_MIN: usize = 11;
/// Most nations in the alliance: each runs a sensor in this process.
const NATIONS_MAX: usize = 24;
/// Most sectors of a member.
const SECTORS_MAX: usize = 4;
/// What nations' sensors read, in turn; the office's reads text.
const FORMATS: [Telemetry; 4] = [Telemetry::Suricata, Telemetry::Zeek, Telemetry::Ecs, Telemetry::Sysmon];

/// The table of nations and places.
#[derive(Debug, Deserialize)]
pub(crate) struct Atlas {
    office: Office,
    /// Other names of nations, to their codes.
    aliases: BTreeMap<String, String>,
    /// Names of everywhere.
    world: BTreeSet<String>,
    /// Other names of regions.
    regions: BTreeMap<String, Vec<String>>,
    /// Other names of sectors, to those of the STIX vocabulary.
    sectors: BTreeMap<String, String>,
    /// Those who can be members, in the order in which the alliance is filled up.
    nations: Vec<Nation>,
}

#[derive(Debug, Deserialize)]
struct Office {
    name: String,
    sectors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Nation {
    code: String,
    name: String,
    kind: MemberKind,
    regions: BTreeSet<String>,
    sectors: Vec<String>,
}

/// Where something happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In a nation that can be a member, by its code.
    Nation(String),
    /// In a region, by the nations of it that can be members.
    Region(BTreeSet<String>),
    /// In a country outside, or in a place that is not known.
    Outside(String),
}

/// A member in the demo.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Player {
    /// ISO 3166-1 alpha-2; none for the duty office.
    pub(crate) country: Option<String>,
    /// Its name.
    pub(crate) name: String,
    /// What kind of member it is.
    pub(crate) kind: MemberKind,
    /// Its sectors.
    pub(crate) sectors: Vec<String>,
    /// What its sensor reads.
    pub(crate) format: Telemetry,
}

impl Player {
    /// How it is named in figures: its country code, or its name.
    pub(crate) fn label(&self) -> &str {
        self.country.as_deref().unwrap_or(&self.name)
    }
}

/// Who takes part. Players are named by their place in `players`; the last is the duty office.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cast {
    /// The members.
    pub(crate) players: Vec<Player>,
    /// Victims' places that are not members.
    pub(crate) outside: BTreeSet<String>,
}

/// The table of nations does not read; a mistake in the program.
#[derive(Debug, thiserror::Error)]
#[error("the table of nations built into this program cannot be read: {0}")]
pub(crate) struct AtlasError(#[from] serde_json::Error);

impl AtlasError {
    /// The stable code of this error.
    pub(crate) fn code(&self) -> &'static str {
        "demo.cast.atlas"
    }
}

impl Atlas {
    /// The table that comes with the program.
    ///
    /// # Errors
    /// [`AtlasError`], never in a tested build.
    pub(crate) fn built_in() -> Result<Self, AtlasError> {
        Ok(serde_json::from_str(ALLIANCE)?)
    }

    fn nation(&self, code: &str) -> Option<&Nation> {
        self.nations.iter().find(|nation| nation.code == code)
    }

    /// The places a scenario names: codes, names and regions, several joined by `/`, `,`, `;`, `&`, `+` or ` and `.
    pub(crate) fn places(&self, text: &str) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        let parts = text.split(['/', ',', ';', '&', '+', '|']).flat_map(|part| part.split(" and "));
        for part in parts.map(str::trim) {
            // An empty part beside others says nothing; alone it is everywhere.
            if part.is_empty() && !text.trim().is_empty() {
                continue;
            }
            let place = self.place(part);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    fn place(&self, text: &str) -> Place {
        let same = |name: &str| name.to_lowercase() == text.to_lowercase();
        let by_alias = self.aliases.iter().find(|(alias, _)| same(alias)).map(|(_, code)| code.as_str());
        let nation = self.nations.iter().find(|nation| same(&nation.code) || same(&nation.name));
        if let Some(code) = nation.map(|nation| nation.code.as_str()).or(by_alias) {
            return Place::Nation(code.to_owned());
        }
        if self.world.iter().any(|name| same(name)) {
            return Place::Region(self.nations.iter().map(|nation| nation.code.clone()).collect());
        }
        let region =
            self.regions.iter().find(|(region, names)| same(region) || names.iter().any(|name| same(name)));
        let region = region.map_or_else(|| text.to_lowercase(), |(region, _)| region.clone());
        let codes: BTreeSet<String> = self
            .nations
            .iter()
            .filter(|nation| nation.regions.contains(&region))
            .map(|nation| nation.code.clone())
            .collect();
        if codes.is_empty() { Place::Outside(text.to_owned()) } else { Place::Region(codes) }
    }

    /// Sectors in the words of the STIX vocabulary where they have one.
    fn sectors_of(&self, text: &str) -> Vec<String> {
        let words = text.split(['/', ',', ';']).map(|word| word.trim().to_lowercase().replace(' ', "-"));
        words
            .filter(|word| !word.is_empty() && word.len() <= 60)
            .map(|word| self.sectors.get(&word).cloned().unwrap_or(word))
            .collect()
    }

    /// Chooses the members for `scenario`: those it names that can be, filled up in the table's order.
    pub(crate) fn cast(&self, scenario: &Scenario) -> Cast {
        let mut codes: Vec<String> = Vec::new();
        let mut outside = BTreeSet::new();
        let mut by_time: Vec<_> = scenario.events.iter().collect();
        by_time.sort_by_key(|event| event.at);
        let victims = scenario.victims.iter().map(|victim| victim.place.as_str());
        for text in by_time.iter().map(|event| event.place.as_str()).chain(victims.clone()) {
            for place in self.places(text) {
                match place {
                    Place::Nation(code) if !codes.contains(&code) => codes.push(code),
                    Place::Outside(name) if !name.is_empty() => _ = outside.insert(name),
                    _ => {}
                }
            }
        }
        for code in codes.split_off(codes.len().min(NATIONS_MAX)) {
            outside.insert(code);
        }
        let rest =
            self.nations.iter().map(|nation| nation.code.clone()).filter(|code| !outside.contains(code));
        for code in rest {
            if codes.len() < NATIONS_MIN && !codes.contains(&code) {
                codes.push(code);
            }
        }
        let mut players: Vec<Player> = codes
            .iter()
            .filter_map(|code| self.nation(code))
            .zip(FORMATS.into_iter().cycle())
            .map(|(nation, format)| Player {
                country: Some(nation.code.clone()),
                name: nation.name.clone(),
                kind: nation.kind,
                sectors: self.sectors_in(nation, scenario),
                format,
            })
            .collect();
        players.push(Player {
            country: None,
            name: self.office.name.clone(),
            kind: MemberKind::Organisation,
            sectors: self.office.sectors.clone(),
            format: Telemetry::Text,
        });
        Cast { players, outside }
    }

    /// The sectors of a nation's victims first, then its own.
    fn sectors_in(&self, nation: &Nation, scenario: &Scenario) -> Vec<String> {
        let mut sectors: Vec<String> = Vec::new();
        let here = Place::Nation(nation.code.clone());
        let hit = scenario.victims.iter().filter(|victim| self.places(&victim.place).contains(&here));
        for sector in
            hit.flat_map(|victim| self.sectors_of(&victim.sector)).chain(nation.sectors.iter().cloned())
        {
            if sectors.len() < SECTORS_MAX && !sectors.contains(&sector) {
                sectors.push(sector);
            }
        }
        sectors
    }
}

impl Cast {
    /// The player of a country.
    pub(crate) fn of_country(&self, code: &str) -> Option<usize> {
        self.players.iter().position(|player| player.country.as_deref() == Some(code))
    }

    /// The duty office.
    pub(crate) fn office(&self) -> usize {
        self.players.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::tests::{of, wannacry};
    use super::*;

    #[test]
    fn the_alliance_of_the_weekend() {
        let atlas = Atlas::built_in().unwrap();
        let cast = atlas.cast(&wannacry());
        let labels: Vec<&str> = cast.players.iter().map(Player::label).collect();
        assert_eq!(labels.len(), 12);
        for member in ["GB", "ES", "FR", "SI", "DE", "US", "JP"] {
            assert!(labels.contains(&member), "{member}");
        }
        assert_eq!(cast.outside, ["CN", "IN", "RU"].map(String::from).into());
        assert_eq!(cast.players[cast.office()].country, None);
        assert!(cast.players[cast.of_country("GB").unwrap()].sectors.contains(&"healthcare".to_owned()));
        let formats: BTreeSet<&str> = cast.players.iter().map(|player| player.format.mapping()).collect();
        assert_eq!(formats.len(), 5);
    }

    #[test]
    fn places_are_read_as_people_write_them() {
        let atlas = Atlas::built_in().unwrap();
        let nation = |code: &str| Place::Nation(code.into());
        assert_eq!(atlas.places("FR/SI"), [nation("FR"), nation("SI")]);
        assert_eq!(atlas.places("uk, Germany and el"), [nation("GB"), nation("DE"), nation("GR")]);
        assert_eq!(atlas.places("RU"), [Place::Outside("RU".into())]);
        assert_eq!(atlas.places("Atlantis"), [Place::Outside("Atlantis".into())]);
        let region = |text: &str| match atlas.places(text).as_slice() {
            [Place::Region(codes)] => codes.clone(),
            other => panic!("{text}: {other:?}"),
        };
        assert!(region("Europe").contains("ES") && !region("europe").contains("US"));
        assert!(region("EU").contains("ES") && !region("European Union").contains("GB"));
        assert_eq!(region("global"), region(""));
        assert_eq!(region("Nordics"), ["DK", "FI", "IS", "NO", "SE"].map(String::from).into());
    }

    #[test]
    fn any_scenario_has_an_alliance() {
        let atlas = Atlas::built_in().unwrap();
        let empty = atlas.cast(&of("{}"));
        assert_eq!((empty.players.len(), empty.outside.len()), (12, 0));
        let victims: Vec<String> =
            atlas.nations.iter().map(|nation| format!(r#"{{"country":"{}"}}"#, nation.code)).collect();
        let all = atlas.cast(&of(&format!(r#"{{"victims":[{}]}}"#, victims.join(","))));
        assert_eq!(all.players.len(), NATIONS_MAX + 1);
        assert_eq!(all.outside.len(), atlas.nations.len() - NATIONS_MAX);
    }

    #[test]
    fn the_table_is_in_order() {
        let atlas = Atlas::built_in().unwrap();
        let codes: BTreeSet<&str> = atlas.nations.iter().map(|nation| nation.code.as_str()).collect();
        assert_eq!(codes.len(), atlas.nations.len());
        assert!(atlas.aliases.values().all(|code| codes.contains(code.as_str())));
        assert!(atlas.nations.iter().all(|nation| nation.code.len() == 2 && !nation.regions.is_empty()));
        let regions: BTreeSet<&String> = atlas.nations.iter().flat_map(|nation| &nation.regions).collect();
        assert!(atlas.regions.keys().all(|region| regions.contains(region)));
    }
}
