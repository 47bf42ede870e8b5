//! Who will see this: the panel shown before anything is shared, and what a marking asks of those who see it.

use shieldwall_model::directory::Directory;
use shieldwall_model::id::{GroupId, MemberId};

use crate::api::preview::Audience;
use crate::pages::markup::Html;
use crate::pages::members::group_name;
use crate::pages::texts::Texts;

/// A party of the group.
pub struct Party {
    /// Its country's code, or the first letters of its name.
    pub sign: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether it is the reader's own member.
    pub own: bool,
}

/// The panel.
pub struct AudiencePanel {
    /// The group's id.
    pub id: String,
    /// The group's name.
    pub group: String,
    /// How many see it, in a sentence.
    pub said: String,
    /// Whether nobody but the reader's own member does.
    pub alone: bool,
    /// Its parties.
    pub parties: Vec<Party>,
    /// The strictest marking it may carry.
    pub ceiling: Html,
    /// Whether sightings name their reporter there.
    pub names: String,
}

/// A marking and what it asks.
pub struct Meaning {
    /// The marking.
    pub tlp: Html,
    /// How many objects carry it; empty where that goes without saying.
    pub count: String,
    /// What it asks, in a sentence.
    pub said: String,
}

impl AudiencePanel {
    /// The panel of a group for a reader of `mine`; `None` for a group that is not there.
    pub fn of(t: Texts, directory: &Directory, group: GroupId, mine: MemberId) -> Option<Self> {
        let audience = Audience::of(directory, group)?;
        let others = audience.members.iter().filter(|member| member.id != mine.to_string()).count();
        let names = if audience.names_reporters { "group-names-shown" } else { "group-names-hidden" };
        Some(Self {
            id: group.to_string(),
            group: group_name(t, directory, group, mine),
            said: if others == 0 { t.text("audience-alone") } else { t.count("audience-others", others) },
            alone: others == 0,
            ceiling: t.tlp(Some(&audience.ceiling)),
            names: t.text(names),
            parties: audience
                .members
                .into_iter()
                .map(|member| Party {
                    own: member.id == mine.to_string(),
                    kind: t.text(&format!("member-kind-{}", member.kind)),
                    sign: member
                        .country
                        .unwrap_or_else(|| member.name.chars().take(2).collect::<String>().to_uppercase()),
                    name: member.name,
                })
                .collect(),
        })
    }
}

/// What each of these markings asks of whoever sees it, most open first; each with how many carry it.
pub fn meanings<'a>(t: Texts, markings: impl Iterator<Item = Option<&'a str>>) -> Vec<Meaning> {
    let mut counts: std::collections::BTreeMap<Option<&str>, usize> = std::collections::BTreeMap::new();
    for marking in markings {
        *counts.entry(marking).or_default() += 1;
    }
    let order = [None, Some("CLEAR"), Some("GREEN"), Some("AMBER"), Some("AMBER+STRICT"), Some("RED")];
    order
        .into_iter()
        .filter_map(|marking| counts.get(&marking).map(|count| (marking, *count)))
        .map(|(marking, count)| Meaning {
            tlp: t.tlp(marking),
            count: t.count("objects-count", count),
            said: meaning(t, marking),
        })
        .collect()
}

/// What a marking asks, in a sentence (FIRST, Traffic Light Protocol 2.0).
pub fn meaning(t: Texts, marking: Option<&str>) -> String {
    let key = marking.map_or_else(|| "none".to_owned(), |marking| marking.to_lowercase().replace('+', "-"));
    t.known(&format!("tlp-meaning-{key}")).unwrap_or_else(|| t.text("tlp-meaning-red"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn every_marking_is_explained_in_both_languages_and_an_unknown_one_as_the_strictest() {
        for language in [Language::English, Language::French] {
            let t = Texts::new(language);
            for tlp in shieldwall_model::marking::Tlp::ALL {
                assert!(!meaning(t, Some(tlp.as_str())).starts_with("tlp-meaning"), "{tlp}");
            }
            assert!(!meaning(t, None).starts_with("tlp-meaning"));
            assert_eq!(meaning(t, Some("PURPLE")), meaning(t, Some("RED")));
        }
    }

    #[test]
    fn markings_are_counted_most_open_first() {
        let t = Texts::new(Language::English);
        let told = meanings(t, [Some("AMBER"), None, Some("AMBER"), Some("CLEAR")].into_iter());
        let counts: Vec<&str> = told.iter().map(|one| one.count.as_str()).collect();
        assert_eq!(counts, ["1 object", "1 object", "2 objects"]);
    }
}
