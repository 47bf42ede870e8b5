//! Correlation as the hub does it: what an object holds becomes keys of the ledger's postings, and what shares them is
//! looked up, weighed and ranked when somebody looks at the object. The rules are `shieldwall_assess::correlation`'s.

use std::collections::BTreeMap;
use std::net::IpAddr;

use shieldwall_assess::correlation::traits::{Trait, of_object};
use shieldwall_assess::correlation::{
    NEIGHBOURS_V4_BITS, NEIGHBOURS_V6_BITS, Related, SHARED_LISTED_MAX, Tie, Why, looked_up, rank, weight,
};
use shieldwall_exchange::stix;
use shieldwall_ledger::reading::{Prefix, ReadError, Reading, StoredObject};
use shieldwall_ledger::views::{Key, ObjectRecord};
use shieldwall_model::access::ReadScope;
use shieldwall_model::limits::SHARED_COUNT_MAX;

/// Most objects read for one answer.
const READ_MAX: usize = 1_000;

/// What shares something with an object.
pub struct Correlated {
    /// Related objects, the most telling first.
    pub related: Vec<Related<Hit>>,
    /// What more objects share than are listed: told as a number.
    pub common: Vec<Common>,
}

/// A related object, known by its id; two records of one object in two groups are one hit.
#[derive(Clone, Debug)]
pub struct Hit(pub ObjectRecord);

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Hit {}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

/// Something that many share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// How it ties them.
    pub tie: Tie,
    /// What is shared.
    pub shared: String,
    /// How many visible objects share it, this one among them; counted up to [`SHARED_COUNT_MAX`].
    pub sharing: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    /// The search that finds them.
    pub search: String,
}

/// The key a trait is posted under.
pub fn key_of(one: &Trait) -> Key {
    match (one.address(), one.network()) {
        (Some(ip), _) => Key::Address(ip),
        (_, Some((net, length))) => Key::Network(net, length),
        _ => Key::Hashed(one.key()),
    }
}

/// The keys an object is posted under: what it holds, its labels, its role.
pub fn keys_of(object: &stix::Object, bytes: &[u8]) -> Vec<Key> {
    let role = object.role.map(|role| Trait::role(role.as_str()));
    let mut keys: Vec<Key> = of_object(bytes).iter().chain(&role).map(key_of).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// One look-up: a trait of the object, or what follows from one of its addresses or networks.
struct LookUp {
    tie: Tie,
    shared: String,
    /// What finds it in a search.
    search: String,
    what: What,
    /// Records of the object itself that it will meet.
    own: usize,
}

enum What {
    Key(Key),
    Inside(IpAddr, u8),
}

/// What shares something with the object of which these are the visible versions.
///
/// # Errors
/// [`ReadError`].
pub fn correlate(
    reading: &Reading<'_>,
    scope: &ReadScope,
    versions: &[StoredObject],
) -> Result<Correlated, ReadError> {
    let current: Vec<&StoredObject> =
        versions.iter().filter(|version| version.record.latest && !version.record.withdrawn).collect();
    let Some(id) = current.first().map(|version| version.record.id.clone()) else {
        return Ok(Correlated { related: Vec::new(), common: Vec::new() });
    };
    // In how many groups the object itself holds each trait.
    let mut held: BTreeMap<Trait, usize> = BTreeMap::new();
    for version in &current {
        for one in of_object(version.bytes.as_deref().unwrap_or_default()) {
            *held.entry(one).or_default() += 1;
        }
    }
    let objects = reading.positions(scope).values().sum();
    let prefixes = reading.prefixes(scope)?.into_inner();
    let mut look_ups = Vec::new();
    for one in looked_up(held.keys().cloned().collect()) {
        let own = held.get(&one).copied().unwrap_or(1);
        look_ups.extend(look_ups_of(&one, own, &prefixes));
    }
    let mut counted = Vec::with_capacity(look_ups.len());
    for look_up in look_ups {
        let sharing = match &look_up.what {
            What::Key(key) => {
                reading.sharing_counts(scope, std::slice::from_ref(key))?.first().copied().unwrap_or(0)
            }
            What::Inside(net, length) => *reading.inside_count(scope, *net, *length, SHARED_COUNT_MAX)?,
        };
        if sharing > look_up.own {
            counted.push((sharing, look_up));
        }
    }
    // The rarest first: what tells most is read even where not all is.
    counted.sort_by(|(a, one), (b, other)| (a, one.tie, &one.shared).cmp(&(b, other.tie, &other.shared)));
    let (mut found, mut common, mut read) = (Vec::new(), Vec::new(), 0usize);
    for (sharing, look_up) in counted {
        if sharing > SHARED_LISTED_MAX || read >= READ_MAX {
            common.push(common_of(look_up, sharing));
            continue;
        }
        let records = match &look_up.what {
            What::Key(key) => reading.sharing(scope, key, SHARED_LISTED_MAX)?,
            What::Inside(net, length) => reading.inside(scope, *net, *length, SHARED_LISTED_MAX)?,
        };
        read += records.len();
        let weight = weight(look_up.tie, sharing, objects);
        for record in records.into_inner() {
            if record.id == id || record.revoked || record.withdrawn {
                continue;
            }
            let why = Why { tie: look_up.tie, shared: look_up.shared.clone(), sharing, weight };
            found.push((Hit(record), why));
        }
    }
    Ok(Correlated { related: rank(found), common })
}

fn common_of(look_up: LookUp, sharing: usize) -> Common {
    Common {
        tie: look_up.tie,
        shared: look_up.shared,
        sharing: sharing.min(SHARED_COUNT_MAX),
        more: sharing > SHARED_COUNT_MAX,
        search: look_up.search,
    }
}

/// The look-ups that follow from a trait.
fn look_ups_of(one: &Trait, own: usize, prefixes: &[Prefix]) -> Vec<LookUp> {
    let tie = Tie::of(one.class);
    let field = if matches!(tie, Tie::SameParent | Tie::SameSite) { "under" } else { "value" };
    let quoted =
        |field: &str, text: &str| format!("{field}:\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut all = vec![LookUp {
        tie,
        shared: one.shown.clone(),
        search: quoted(field, &one.shown),
        what: What::Key(key_of(one)),
        own,
    }];
    let around = |ip: IpAddr, shorter_than: u8| {
        prefixes
            .iter()
            .filter(move |prefix| prefix.suits(ip) && prefix.length < shorter_than)
            .filter_map(move |prefix| Key::around(ip, prefix.length))
            .filter_map(|key| match key {
                Key::Network(net, length) => Some((key, format!("{net}/{length}"))),
                _ => None,
            })
    };
    let inside = |tie, net: IpAddr, length: u8, own| {
        let shared = format!("{net}/{length}");
        LookUp { tie, search: quoted("under", &shared), shared, what: What::Inside(net, length), own }
    };
    if let Some(ip) = one.address() {
        for (key, shared) in around(ip, u8::MAX) {
            all.push(LookUp {
                tie: Tie::InNetwork,
                search: quoted("value", &shared),
                shared,
                what: What::Key(key),
                own: 0,
            });
        }
        let bits = if ip.is_ipv4() { NEIGHBOURS_V4_BITS } else { NEIGHBOURS_V6_BITS };
        if let Some(Key::Network(net, length)) = Key::around(ip, bits) {
            all.push(inside(Tie::Neighbours, net, length, own));
        }
    }
    if let Some((net, length)) = one.network() {
        for (key, shared) in around(net, length) {
            all.push(LookUp {
                tie: Tie::InNetwork,
                search: quoted("value", &shared),
                shared,
                what: What::Key(key),
                own: 0,
            });
        }
        all.push(inside(Tie::HoldsAddress, net, length, own));
    }
    all
}
