//! Who is in the alliance: members and sharing groups, and who is party to what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{GroupId, MemberId};
use crate::marking::Tlp;

/// What kind of participant a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberKind {
    /// A sovereign state.
    Nation,
    /// A body of states, such as the EU, or the alliance's own staff.
    Organisation,
    /// A company or a sector centre.
    Company,
    /// A participant by agreement.
    Partner,
}

/// A sovereign participant of the alliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id; outside, the id of its STIX identity.
    pub id: MemberId,
    /// Its name as shown.
    pub name: String,
    /// What kind of participant it is.
    pub kind: MemberKind,
    /// ISO 3166-1 alpha-2 code of its country, where it has one.
    pub country: Option<String>,
    /// Sectors it answers for, in the words of the STIX industry-sector vocabulary (section 10.7) where one fits.
    pub sectors: Vec<String>,
}

/// Whether the parties of a sharing group see by name who reported a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SightingNames {
    /// The reporting member is named.
    Shown,
    /// Only how many members, and in which sectors; the named entry stays in the reporting member's own log.
    Hidden,
}

/// Who may know: a fixed set of members and the highest TLP it may carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharingGroup {
    /// Its id; the UUID is the TAXII collection id.
    pub id: GroupId,
    /// Its name as shown.
    pub name: String,
    /// The strictest marking its log may carry.
    pub ceiling: Tlp,
    /// Whether sightings name their reporter.
    pub names: SightingNames,
    /// Its parties.
    pub members: BTreeSet<MemberId>,
}

impl GroupId {
    /// The group every member belongs to; its log records who joined.
    pub const ALLIANCE: Self = Self::from_uuid(Uuid::from_u128(0x5348_4945_4c44_8000_8000_5741_4c4c_0001));

    /// The group of one in which a member keeps what it shares with nobody (UUIDv5 of the member's id, RFC 9562 section 5.5).
    pub fn home_of(member: MemberId) -> Self {
        Self::from_uuid(Uuid::new_v5(&member.uuid(), b"shieldwall home group"))
    }
}

/// Members and sharing groups as folded from the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    members: BTreeMap<MemberId, Member>,
    groups: BTreeMap<GroupId, SharingGroup>,
}

impl Directory {
    /// A member joins (or is described anew); it is party to the alliance's group and to a group of its own from here on.
    pub fn join(&mut self, member: Member) {
        let id = member.id;
        self.groups
            .entry(GroupId::ALLIANCE)
            .or_insert_with(|| SharingGroup {
                id: GroupId::ALLIANCE,
                name: "Alliance".into(),
                ceiling: Tlp::Amber,
                names: SightingNames::Hidden,
                members: BTreeSet::new(),
            })
            .members
            .insert(id);
        self.groups.insert(
            GroupId::home_of(id),
            SharingGroup {
                id: GroupId::home_of(id),
                name: member.name.clone(),
                ceiling: Tlp::Red,
                names: SightingNames::Shown,
                members: [id].into(),
            },
        );
        self.members.insert(id, member);
    }

    /// A sharing group is formed (or described anew).
    pub fn form(&mut self, group: SharingGroup) {
        self.groups.insert(group.id, group);
    }

    /// A member by its id.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// A member by its name (in any case), its country code or its id.
    pub fn find_member(&self, text: &str) -> Option<&Member> {
        let by_id = text.parse().ok().and_then(|id| self.member(id));
        by_id.or_else(|| {
            self.members.values().find(|member| member.name.to_lowercase() == text.to_lowercase()).or_else(
                || {
                    let mut of_country = self.members.values().filter(|member| {
                        member.country.as_deref().is_some_and(|code| code.eq_ignore_ascii_case(text))
                    });
                    // A code that two members share names neither.
                    of_country.next().filter(|_| of_country.next().is_none())
                },
            )
        })
    }

    /// A sharing group by its id.
    pub fn group(&self, id: GroupId) -> Option<&SharingGroup> {
        self.groups.get(&id)
    }

    /// All members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// All sharing groups, by id.
    pub fn groups(&self) -> impl Iterator<Item = &SharingGroup> {
        self.groups.values()
    }

    /// The groups a member is party to.
    pub fn groups_of(&self, member: MemberId) -> impl Iterator<Item = &SharingGroup> {
        self.groups.values().filter(move |group| group.members.contains(&member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RepeatableEntropy;
    use crate::time::Timestamp;

    fn member(seed: u64, name: &str, country: &str) -> Member {
        Member {
            id: MemberId::new(Timestamp::default(), &RepeatableEntropy::new(seed)),
            name: name.into(),
            kind: MemberKind::Nation,
            country: Some(country.into()),
            sectors: vec![],
        }
    }

    #[test]
    fn a_member_is_found_by_name_country_or_id_but_never_by_a_guess() {
        let mut directory = Directory::default();
        let (first, second) = (member(1, "Estonia", "EE"), member(2, "Estonian grid", "EE"));
        directory.join(first.clone());
        assert_eq!(directory.find_member("ee"), Some(&first));
        directory.join(second);
        assert_eq!(directory.find_member("EE"), None, "two members share the code");
        assert_eq!(directory.find_member("estonia"), Some(&first));
        assert_eq!(directory.find_member(&first.id.to_string()), Some(&first));
    }

    #[test]
    fn whoever_joins_is_party_to_the_alliance_and_to_its_own_group_alone() {
        let mut directory = Directory::default();
        let (first, second) = (member(1, "A", "AA"), member(2, "B", "BB"));
        directory.join(first.clone());
        directory.join(second.clone());
        let groups: Vec<GroupId> = directory.groups_of(first.id).map(|group| group.id).collect();
        assert!(groups.contains(&GroupId::ALLIANCE) && groups.contains(&GroupId::home_of(first.id)));
        assert!(!groups.contains(&GroupId::home_of(second.id)));
    }
}
