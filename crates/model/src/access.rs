//! The access rule, whole and in one place: role × action × sharing group. Deny by default.
//!
//! [`extent`] is the rule as a table. A [`Reader`] is whoever asks; it turns the rule into a [`ReadScope`] (which
//! groups may be read) or a [`Permit`] (this one thing may be done). Both can only be made here, the store's
//! reads take a scope and its writes a permit, and what a scope brought back is [`Visible`]: so a handler never
//! holds what its reader may not see. Hidden and absent both answer 404.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::id::{GroupId, MemberId, PeerId, SensorId, UserId};
use crate::realm::Realm;

/// What somebody is trusted to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Works on intelligence, sightings and warnings for a member.
    Analyst,
    /// Reads the record.
    Auditor,
    /// Speaks for a member in the council.
    Delegate,
    /// Looks on.
    Observer,
    /// The alliance's duty officer.
    Officer,
    /// Runs the hub.
    Operator,
    /// Another hub.
    Peer,
    /// Anybody, not signed in.
    Public,
    /// A program in a member's network.
    Sensor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 9] = [
        Self::Analyst,
        Self::Auditor,
        Self::Delegate,
        Self::Observer,
        Self::Officer,
        Self::Operator,
        Self::Peer,
        Self::Public,
        Self::Sensor,
    ];

    /// The role's name as written in commands, tokens and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::Delegate => "delegate",
            Self::Observer => "observer",
            Self::Officer => "officer",
            Self::Operator => "operator",
            Self::Peer => "peer",
            Self::Public => "public",
            Self::Sensor => "sensor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text names no role.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no role: write analyst, auditor, delegate, observer, officer, operator, peer or sensor")]
pub struct RoleError(String);

impl RoleError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "model.role.unknown"
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| *role != Self::Public && role.as_str() == text)
            .ok_or_else(|| RoleError(text.chars().take(40).collect()))
    }
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Say that a warning was received or read.
    AcknowledgeWarning,
    /// Admit members, form sharing groups, make users and tokens.
    Administer,
    /// Judge indicators of a group: release what is held back, hold back, report false positives.
    CurateIntelligence,
    /// Keep one's own searches and what is to be told of them.
    KeepSearches,
    /// Sign in or out, choose a language, read one's own name.
    KeepSession,
    /// Set up other hubs and servers to exchange with.
    ManagePeers,
    /// Set up what a member takes in on its own: feeds and lists fetched on a schedule.
    ManageSources,
    /// Take feeds: block lists, rules and bundles for a member's own devices.
    PullFeeds,
    /// Take the values a sensor matches.
    PullWatchlist,
    /// Read STIX objects and search them.
    ReadIntelligence,
    /// Read ledger entries, checkpoints and proofs.
    ReadLedger,
    /// Read who the members are and the groups one is party to.
    ReadMembers,
    /// Read the hub's metrics.
    ReadMetrics,
    /// Read how exchange with other hubs and servers goes.
    ReadPeers,
    /// Read the picture: numbers, map and feed.
    ReadPicture,
    /// Read the health of sensors.
    ReadSensors,
    /// Read warnings and follow the live stream.
    ReadWarnings,
    /// Take back an object one's own member shared.
    RecallIntelligence,
    /// Report a sensor's health.
    ReportHealth,
    /// Report sightings.
    ReportSighting,
    /// See what anybody may see: that the hub is up, its pages' styles, its description.
    SeeFront,
    /// Share STIX objects.
    ShareIntelligence,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 22] = [
        Self::AcknowledgeWarning,
        Self::Administer,
        Self::CurateIntelligence,
        Self::KeepSearches,
        Self::KeepSession,
        Self::ManagePeers,
        Self::ManageSources,
        Self::PullFeeds,
        Self::PullWatchlist,
        Self::ReadIntelligence,
        Self::ReadLedger,
        Self::ReadMembers,
        Self::ReadMetrics,
        Self::ReadPeers,
        Self::ReadPicture,
        Self::ReadSensors,
        Self::ReadWarnings,
        Self::RecallIntelligence,
        Self::ReportHealth,
        Self::ReportSighting,
        Self::SeeFront,
        Self::ShareIntelligence,
    ];
}

/// How far a role's leave to act reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Nowhere.
    Never,
    /// Over what belongs to the reader's own member.
    Own,
    /// Over the sharing groups the reader's member is party to.
    Party,
    /// Over the whole realm.
    Alliance,
}

/// The access rule. Whatever is not listed is [`Extent::Never`].
///
/// | action | analyst | auditor | delegate | observer | officer | operator | peer | public | sensor |
/// |---|---|---|---|---|---|---|---|---|---|
/// | acknowledge a warning | party | | party | | party | | | | party |
/// | administer | | | | | | alliance | | | |
/// | curate intelligence | party | | | | party | | | | |
/// | keep searches | own | own | own | own | own | own | | | |
/// | keep a session | own | own | own | own | own | own | own | own | own |
/// | manage peers | | | | | | alliance | | | |
/// | manage sources | party | | | | party | | | | |
/// | pull feeds | party | | | | party | | party | | party |
/// | pull a watchlist | party | | | | party | | | | party |
/// | read intelligence | party | party | party | party | party | party | party | | |
/// | read the ledger | party | party | party | | party | party | party | | |
/// | read members | alliance | alliance | alliance | alliance | alliance | alliance | | | |
/// | read metrics | | alliance | | | alliance | alliance | | | |
/// | read peers | | alliance | | | alliance | alliance | | | |
/// | read the picture | party | party | party | party | party | party | | | |
/// | read sensors | own | alliance | own | | alliance | alliance | | | |
/// | read warnings | party | party | party | party | party | party | | | party |
/// | recall intelligence | party | | | | party | | party | | |
/// | report health | | | | | | | | | own |
/// | report a sighting | party | | | | party | | | | party |
/// | see the front | alliance | alliance | alliance | alliance | alliance | alliance | alliance | alliance | alliance |
/// | share intelligence | party | | | | party | | party | | |
///
/// An operator runs the hub and is party, as anybody, only to what its own member is party to.
pub const fn extent(role: Role, action: Action) -> Extent {
    use Action as A;
    use Role as R;
    match (action, role) {
        (A::SeeFront, _) | (A::Administer | A::ManagePeers, R::Operator) => Extent::Alliance,
        (A::KeepSearches, role) if is_person(role) => Extent::Own,
        (A::CurateIntelligence | A::ManageSources, R::Analyst | R::Officer)
        | (A::PullFeeds, R::Analyst | R::Officer | R::Peer | R::Sensor) => Extent::Party,
        (A::ReadPeers, R::Auditor | R::Officer | R::Operator) => Extent::Alliance,
        (A::KeepSession, _) | (A::ReportHealth, R::Sensor) => Extent::Own,
        (A::AcknowledgeWarning, R::Analyst | R::Delegate | R::Officer | R::Sensor)
        | (A::PullWatchlist | A::ReportSighting, R::Analyst | R::Officer | R::Sensor)
        | (A::RecallIntelligence | A::ShareIntelligence, R::Analyst | R::Officer | R::Peer) => Extent::Party,
        (A::ReadIntelligence, role) if is_person(role) || matches!(role, R::Peer) => Extent::Party,
        (A::ReadLedger, R::Observer) => Extent::Never,
        (A::ReadLedger, role) if is_person(role) || matches!(role, R::Peer) => Extent::Party,
        (A::ReadMembers, role) if is_person(role) => Extent::Alliance,
        (A::ReadMetrics | A::ReadSensors, R::Auditor | R::Officer | R::Operator) => Extent::Alliance,
        (A::ReadSensors, R::Analyst | R::Delegate) => Extent::Own,
        (A::ReadPicture, role) if is_person(role) => Extent::Party,
        (A::ReadWarnings, role) if is_person(role) || matches!(role, R::Sensor) => Extent::Party,
        _ => Extent::Never,
    }
}

const fn is_person(role: Role) -> bool {
    matches!(
        role,
        Role::Analyst | Role::Auditor | Role::Delegate | Role::Observer | Role::Officer | Role::Operator
    )
}

/// Who acts for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "id")]
pub enum Principal {
    /// The hub itself.
    Hub,
    /// Another hub.
    Peer(PeerId),
    /// A program in a member's network.
    Sensor(SensorId),
    /// A person, or a script a person answers for.
    User(UserId),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Peer(id) => id.fmt(f),
            Self::Sensor(id) => id.fmt(f),
            Self::User(id) => id.fmt(f),
        }
    }
}

/// Why a reader may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The reader's member is not party to it: it answers as if it were not there.
    #[error("there is no such thing here")]
    Hidden,
    /// The reader's role does not do this.
    #[error("the role {role} may not do this; ask your operator for a token or account with another role")]
    Role {
        /// The role that asked.
        role: Role,
        /// What it asked for.
        action: Action,
    },
}

impl Denied {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Hidden => "access.hidden",
            Self::Role { .. } => "access.role",
        }
    }
}

/// Whoever asks: a principal acting for a member in a role, and the groups that member was party to when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    realm: Realm,
    principal: Principal,
    member: MemberId,
    role: Role,
    groups: BTreeSet<GroupId>,
}

impl Reader {
    /// A reader as the directory knows it now.
    pub fn new(
        realm: Realm,
        principal: Principal,
        member: MemberId,
        role: Role,
        directory: &Directory,
    ) -> Self {
        let groups = directory.groups_of(member).map(|group| group.id).collect();
        Self { realm, principal, member, role, groups }
    }

    /// Who acts.
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// For which member.
    pub const fn member(&self) -> MemberId {
        self.member
    }

    /// In which role.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// In which realm.
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Whether the role may do this anywhere at all.
    pub const fn may(&self, action: Action) -> bool {
        !matches!(extent(self.role, action), Extent::Never)
    }

    /// What may be read under `action`.
    ///
    /// # Errors
    /// [`Denied::Role`] when the role never does this.
    pub fn scope(&self, action: Action) -> Result<ReadScope, Denied> {
        let extent = extent(self.role, action);
        if extent == Extent::Never {
            return Err(Denied::Role { role: self.role, action });
        }
        Ok(ReadScope {
            realm: self.realm.clone(),
            principal: self.principal,
            member: self.member,
            extent,
            groups: self.groups.clone(),
        })
    }

    /// Leave to do `action` in `group`.
    ///
    /// # Errors
    /// [`Denied::Role`] when the role never does this, [`Denied::Hidden`] when the member is not party to the group.
    pub fn permit_in(&self, action: Action, group: GroupId) -> Result<Permit, Denied> {
        match extent(self.role, action) {
            Extent::Never => Err(Denied::Role { role: self.role, action }),
            Extent::Alliance => Ok(self.leave(action, Some(group))),
            Extent::Own if GroupId::home_of(self.member) == group => Ok(self.leave(action, Some(group))),
            Extent::Party if self.groups.contains(&group) => Ok(self.leave(action, Some(group))),
            Extent::Own | Extent::Party => Err(Denied::Hidden),
        }
    }

    /// Leave to do `action` where no sharing group is concerned.
    ///
    /// # Errors
    /// [`Denied::Role`] when the role never does this.
    pub fn permit(&self, action: Action) -> Result<Permit, Denied> {
        match extent(self.role, action) {
            Extent::Never => Err(Denied::Role { role: self.role, action }),
            _ => Ok(self.leave(action, None)),
        }
    }

    fn leave(&self, action: Action, group: Option<GroupId>) -> Permit {
        Permit { realm: self.realm.clone(), principal: self.principal, member: self.member, action, group }
    }
}

/// What a reader may read: made by [`Reader::scope`] alone, asked for by every read of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadScope {
    realm: Realm,
    principal: Principal,
    member: MemberId,
    extent: Extent,
    groups: BTreeSet<GroupId>,
}

impl ReadScope {
    /// Whether `group`'s log lies in this scope.
    pub fn covers(&self, group: GroupId) -> bool {
        self.groups.contains(&group)
    }

    /// The groups whose logs lie in this scope, by id.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.groups.iter().copied()
    }

    /// This scope cut down to one group.
    ///
    /// # Errors
    /// [`Denied::Hidden`] when the group is not in it.
    pub fn only(&self, group: GroupId) -> Result<Self, Denied> {
        if !self.covers(group) {
            return Err(Denied::Hidden);
        }
        Ok(Self { groups: [group].into(), ..self.clone() })
    }

    /// How far the leave reaches, for what belongs to members and not to groups (sensors).
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// The reader's member.
    pub const fn member(&self) -> MemberId {
        self.member
    }

    /// The realm read.
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// What cursors and stream ids are bound to: realm, member and principal.
    pub fn binding(&self) -> String {
        format!("{}/{}/{}", self.realm, self.member, self.principal)
    }
}

/// Leave to do one thing: made by [`Reader::permit`] and [`Reader::permit_in`] alone, asked for by every write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    realm: Realm,
    principal: Principal,
    member: MemberId,
    action: Action,
    group: Option<GroupId>,
}

impl Permit {
    /// The sharing group it was given for, if for one.
    pub const fn group(&self) -> Option<GroupId> {
        self.group
    }

    /// What it allows.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The member on whose behalf.
    pub const fn member(&self) -> MemberId {
        self.member
    }

    /// Who acts.
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// In which realm.
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }
}

/// Something its reader may see. Only this can be rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Visible<T>(T);

impl<T> Visible<T> {
    /// Marks `value` as read under `scope`. Called where the store hands out what the scope selected.
    pub fn under(_scope: &ReadScope, value: T) -> Self {
        Self(value)
    }

    /// The value with its mark taken off.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The value turned into another that says no more.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Visible<U> {
        Visible(f(self.0))
    }
}

impl<T> Deref for Visible<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Member, MemberKind, SharingGroup, SightingNames};
    use crate::id::RepeatableEntropy;
    use crate::marking::Tlp;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    /// The table in the documentation of [`extent`], read from this file: the documentation is the golden table.
    fn documented() -> Vec<(Action, Role, Extent)> {
        let rows = include_str!("access.rs").lines().filter_map(|line| line.strip_prefix("/// | ")).skip(1);
        let cells: Vec<Vec<&str>> =
            rows.map(|row| row.trim_end_matches('|').split('|').map(str::trim).collect()).collect();
        assert_eq!(cells.len(), Action::ALL.len());
        let mut table = Vec::new();
        for (action, row) in Action::ALL.into_iter().zip(&cells) {
            for (role, cell) in Role::ALL.into_iter().zip(&row[1..]) {
                let extent = match *cell {
                    "own" => Extent::Own,
                    "party" => Extent::Party,
                    "alliance" => Extent::Alliance,
                    "" => Extent::Never,
                    other => panic!("{other}"),
                };
                table.push((action, role, extent));
            }
        }
        table
    }

    #[test]
    fn the_rule_is_what_its_table_says() {
        for (action, role, wanted) in documented() {
            assert_eq!(extent(role, action), wanted, "{role} {action:?}");
        }
    }

    fn world() -> (Directory, [MemberId; 3], GroupId) {
        let entropy = RepeatableEntropy::new(3);
        let mut directory = Directory::default();
        let members = ["A", "B", "C"].map(|name| {
            let id = MemberId::new(Timestamp::default(), &entropy);
            directory.join(Member {
                id,
                name: name.into(),
                kind: MemberKind::Nation,
                country: None,
                sectors: vec![],
            });
            id
        });
        let group = GroupId::new(Timestamp::default(), &entropy);
        directory.form(SharingGroup {
            id: group,
            name: "A and B".into(),
            ceiling: Tlp::Red,
            names: SightingNames::Shown,
            members: [members[0], members[1]].into(),
        });
        (directory, members, group)
    }

    proptest! {
        #[test]
        fn no_role_reaches_a_group_its_member_is_not_party_to(role in 0..Role::ALL.len(), action in 0..Action::ALL.len()) {
            let (directory, members, group) = world();
            let (role, action) = (Role::ALL[role], Action::ALL[action]);
            let entropy = RepeatableEntropy::new(9);
            let user = Principal::User(UserId::new(Timestamp::default(), &entropy));
            let outsider = Reader::new(Realm::Real, user, members[2], role, &directory);
            if let Ok(scope) = outsider.scope(action) {
                prop_assert!(!scope.covers(group));
                prop_assert!(scope.only(group).is_err());
            }
            if extent(role, action) != Extent::Alliance {
                prop_assert!(outsider.permit_in(action, group).is_err());
            }
            let party = Reader::new(Realm::Real, user, members[0], role, &directory);
            prop_assert_eq!(party.permit_in(action, group).is_ok(), matches!(extent(role, action), Extent::Party | Extent::Alliance));
        }
    }

    #[test]
    fn hidden_and_forbidden_are_told_apart_only_by_role() {
        let (directory, members, group) = world();
        let user = Principal::User(UserId::new(Timestamp::default(), &RepeatableEntropy::new(9)));
        let outsider = Reader::new(Realm::Real, user, members[2], Role::Analyst, &directory);
        assert_eq!(outsider.permit_in(Action::ShareIntelligence, group), Err(Denied::Hidden));
        let observer = Reader::new(Realm::Real, user, members[0], Role::Observer, &directory);
        assert_eq!(observer.permit_in(Action::ShareIntelligence, group).unwrap_err().code(), "access.role");
    }
}
