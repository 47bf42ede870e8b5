//! A small world to test the ledger in: three members, sharing groups, a fold that indexes what it is given.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shieldwall_ledger::views::{Edge, Key, ObjectRow};
use shieldwall_ledger::{Draft, Entry, Fold, FoldError, Ledger, Options, Views, Words};
use shieldwall_model::access::{Action, Permit, Principal, ReadScope, Reader, Role};
use shieldwall_model::directory::{Directory, Member, MemberKind, SharingGroup, SightingNames};
use shieldwall_model::id::{GroupId, MemberId, RepeatableEntropy, UserId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::realm::Realm;
use shieldwall_model::time::{ManualClock, Timestamp};

pub const START: &str = "2026-01-01T00:00:00Z";
pub const ORIGIN: &str = "shieldwall.example/real";

pub fn start() -> Timestamp {
    Timestamp::parse(START).unwrap()
}

/// Three members; `pair` is shared by the first two, `other` is the third's and the second's.
pub struct World {
    pub directory: Directory,
    pub members: [MemberId; 3],
    pub users: [UserId; 3],
    pub pair: GroupId,
    pub other: GroupId,
}

impl World {
    pub fn new() -> Self {
        let entropy = RepeatableEntropy::new(42);
        let mut directory = Directory::default();
        let members = ["Aland", "Bland", "Cland"].map(|name| {
            let id = MemberId::new(start(), &entropy);
            directory.join(Member {
                id,
                name: name.into(),
                kind: MemberKind::Nation,
                country: None,
                sectors: vec![],
            });
            id
        });
        let users = members.map(|_| UserId::new(start(), &entropy));
        let mut form = |name: &str, of: [MemberId; 2]| {
            let id = GroupId::new(start(), &entropy);
            directory.form(SharingGroup {
                id,
                name: name.into(),
                ceiling: Tlp::Red,
                names: SightingNames::Shown,
                members: of.into(),
            });
            id
        };
        let pair = form("pair", [members[0], members[1]]);
        let other = form("other", [members[1], members[2]]);
        Self { directory, members, users, pair, other }
    }

    pub fn reader(&self, member: usize, role: Role) -> Reader {
        let user = Principal::User(self.users[member]);
        Reader::new(Realm::Real, user, self.members[member], role, &self.directory)
    }

    pub fn scope(&self, member: usize) -> ReadScope {
        self.reader(member, Role::Analyst).scope(Action::ReadIntelligence).unwrap()
    }

    pub fn permit(&self, member: usize, group: GroupId) -> Permit {
        self.reader(member, Role::Analyst).permit_in(Action::ShareIntelligence, group).unwrap()
    }

    pub fn draft(&self, member: usize, group: GroupId, kind: &str, body: &str) -> Draft {
        Draft::new(&self.permit(member, group), group, kind, body)
    }

    /// A draft the test fold indexes as an object: `type|id|version seconds|spec|name|to`.
    pub fn object(&self, member: usize, group: GroupId, id: &str, version: i64, name: &str) -> Draft {
        let kind = id.split("--").next().unwrap();
        self.draft(member, group, "object", &format!("{kind}|{id}|{version}|2.1|{name}|"))
    }
}

/// A key as tests write it: an address, a network, or a word of at most 8 letters.
pub fn key(text: &str) -> Key {
    if let Some((net, length)) = text.split_once('/') {
        return Key::Network(net.parse().unwrap(), length.parse().unwrap());
    }
    text.parse().map_or_else(
        |_| {
            let mut bytes = [0; 8];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            Key::Hashed(bytes)
        },
        Key::Address,
    )
}

/// Entropy in every test from a seed.
pub fn entropy(seed: u64) -> Arc<RepeatableEntropy> {
    Arc::new(RepeatableEntropy::new(seed))
}

pub fn options(dir: &Path) -> Options {
    Options {
        dir: dir.into(),
        realm: Realm::Real,
        origin: ORIGIN.into(),
        checkpoint_every: Duration::from_secs(3_600),
    }
}

pub fn open(dir: &Path) -> Ledger {
    open_at(dir, Arc::new(ManualClock::new(start())))
}

pub fn open_at(dir: &Path, clock: Arc<ManualClock>) -> Ledger {
    Ledger::open(options(dir), clock, entropy(7), Box::new(TestFold::default())).unwrap()
}

/// Indexes objects, counts kinds in a document, keeps a state of its own that it loads from its views.
#[derive(Default)]
pub struct TestFold {
    pub version: u32,
    pub counts: BTreeMap<(GroupId, String), u64>,
    pub folded: Arc<AtomicU64>,
}

impl Fold for TestFold {
    fn version(&self) -> u32 {
        self.version
    }

    fn words(&self) -> Words {
        |entry| {
            let body = String::from_utf8(entry.body.clone()?).ok()?;
            match (entry.kind.as_str(), body.split('|').collect::<Vec<_>>().as_slice()) {
                ("object", [_, _, _, _, name, _]) => Some((*name).to_owned()),
                _ => None,
            }
        }
    }

    fn start(&mut self, views: &mut Views<'_>) -> Result<(), FoldError> {
        self.counts.clear();
        for document in views.all_documents("count")? {
            let count = String::from_utf8(document.body).unwrap().parse().unwrap();
            self.counts.insert((document.group, document.key), count);
        }
        Ok(())
    }

    fn fold(&mut self, entry: &Entry, views: &mut Views<'_>) -> Result<(), FoldError> {
        self.folded.fetch_add(1, Ordering::SeqCst);
        if entry.kind == "refuse" {
            views.put_document("count", entry.group, "refused", entry.sequence, b"0")?;
            return Err(FoldError::Refused("asked to".into()));
        }
        let count = self.counts.entry((entry.group, entry.kind.clone())).or_default();
        *count += 1;
        views.put_document(
            "count",
            entry.group,
            &entry.kind,
            entry.sequence,
            count.to_string().as_bytes(),
        )?;
        let body = entry.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        let parts: Vec<&str> = body.split('|').collect();
        match (entry.kind.as_str(), parts.as_slice()) {
            // `type|id|version seconds|spec version|name|points to|keys`, keys set apart by blanks, and only if it has any.
            ("object" | "revocation", [object_type, id, version, spec, name, to, keys @ ..]) => {
                let row = ObjectRow {
                    id,
                    object_type,
                    version: Timestamp::from_micros(version.parse::<i64>().unwrap() * 1_000_000),
                    spec_version: spec,
                    created_by: None,
                    name: Some(name),
                    marking: Some(Tlp::Green),
                    revoked: entry.kind == "revocation",
                };
                if row.revoked {
                    views.put_revocation(&row)?;
                } else if let Some(put) = views.put_object(&row)? {
                    if let Some(keys) = keys.first() {
                        let keys: Vec<Key> = keys.split_whitespace().map(key).collect();
                        views.put_keys(put, &keys)?;
                    }
                    if !to.is_empty() {
                        views.put_edge(put, &Edge { source: None, target: to, label: "points-to" })?;
                    }
                }
            }
            ("withdraw-versions", [id, versions @ ..]) => {
                let versions: Vec<Timestamp> = versions
                    .iter()
                    .map(|version| Timestamp::from_micros(version.parse::<i64>().unwrap() * 1_000_000))
                    .collect();
                views.withdraw_versions(entry.group, id, &versions)?;
            }
            ("withdraw", [id]) => {
                views.withdraw(entry.group, id)?;
                views.delete_edges(entry.group, id)?;
            }
            ("revoke", [id]) => {
                views.mark_revoked(entry.group, id)?;
            }
            ("many", _) => {
                for key in ["a", "b", "c"] {
                    views.put_document(
                        "tied",
                        entry.group,
                        &format!("{key}{}", entry.sequence),
                        entry.sequence,
                        b"",
                    )?;
                }
            }
            ("forget", [key]) => {
                views.delete_document("count", entry.group, key)?;
                self.counts.remove(&(entry.group, (*key).to_owned()));
            }
            _ => {}
        }
        Ok(())
    }
}
