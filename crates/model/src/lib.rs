//! The words of the house as types: ids, markings, members, the access rule, time, limits.
//!
//! This crate stands on the lowest floor: it knows nothing of storage, HTTP, STIX documents or matching.
//! Time and randomness come in through [`time::Clock`] and [`id::Entropy`], so every rule above it can be
//! tested from a seed.
//!
//! ```
//! use shieldwall_model::access::{Action, Principal, Reader, Role};
//! use shieldwall_model::directory::{Directory, Member, MemberKind, SharingGroup, SightingNames};
//! use shieldwall_model::id::{GroupId, MemberId, RepeatableEntropy, UserId};
//! use shieldwall_model::marking::Tlp;
//! use shieldwall_model::realm::Realm;
//! use shieldwall_model::time::Timestamp;
//!
//! let entropy = RepeatableEntropy::new(1);
//! let now = Timestamp::parse("2026-01-01T00:00:00Z")?;
//! let member = Member {
//!     id: MemberId::new(now, &entropy), name: "Luxembourg".into(), kind: MemberKind::Nation,
//!     country: Some("LU".into()), sectors: vec!["government".into()],
//! };
//! let group = SharingGroup {
//!     id: GroupId::new(now, &entropy), name: "All members".into(), ceiling: Tlp::Amber,
//!     names: SightingNames::Hidden, members: [member.id].into(),
//! };
//! let mut directory = Directory::default();
//! directory.join(member.clone());
//! directory.form(group.clone());
//!
//! let analyst = Reader::new(Realm::Real, Principal::User(UserId::new(now, &entropy)), member.id, Role::Analyst, &directory);
//! assert!(analyst.scope(Action::ReadIntelligence)?.covers(group.id));
//! assert!(analyst.permit(Action::Administer).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod access;
pub mod directory;
pub mod id;
pub mod indicator;
pub mod limits;
pub mod marking;
pub mod realm;
pub mod sequences;
pub mod time;
