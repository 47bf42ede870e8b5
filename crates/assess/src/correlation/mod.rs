//! Correlation: which other objects an object has something in common with, what, and how much that tells.
//!
//! Nothing is paired in advance. An object's [`traits`] are kept as postings; when somebody looks at an object, its
//! traits are looked up, the rarest first, and what shares them is weighed and ranked here.
//!
//! **Weight of one tie.** `strength × rarity`, both in 0..=1. The strength is that of the [`Tie`]: what sharing such a
//! thing tells when it is rare. The rarity is the inverse document frequency (K. Spärck Jones, "A statistical
//! interpretation of term specificity", Journal of Documentation 28 (1972)), scaled to 0..=1: `ln(N / n) / ln(N)`,
//! where `n` objects hold the trait out of `N`, both counted in the reader's own logs alone. Few logs of few entries
//! would make everything common, so `N` is at least [`OBJECTS_MIN`].
//!
//! **Weight of a relation.** Ties are taken as independent hints: `1 − Π(1 − weight)`.

pub mod traits;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use self::traits::{Class, Trait};

/// Most traits of an object that are looked up.
pub const TRAITS_LOOKED_UP_MAX: usize = 48;
/// A trait held by more objects than this is told as a number, not as a list.
pub const SHARED_LISTED_MAX: usize = 100;
/// Most related objects told.
pub const RELATED_MAX: usize = 50;
/// Most ties told of one related object.
pub const TIES_MAX: usize = 8;
/// The least number of objects that rarity is measured against.
pub const OBJECTS_MIN: u64 = 1_000;
/// Bits of the network an IPv4 address is a neighbour in.
pub const NEIGHBOURS_V4_BITS: u8 = 24;
/// Bits of the network an IPv6 address is a neighbour in (a site's usual allocation, RFC 6177).
pub const NEIGHBOURS_V6_BITS: u8 = 48;

/// How two objects are tied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// Both hold the same value.
    SameValue,
    /// Both name the same host.
    SameHost,
    /// Both hold the same certificate serial number.
    SameCertificate,
    /// This one's address lies in the other's network.
    InNetwork,
    /// The other's address or network lies in this one's network.
    HoldsAddress,
    /// Hosts under one name below the registrable domain.
    SameParent,
    /// Hosts under one registrable domain.
    SameSite,
    /// Addresses in one /24 (IPv4) or /48 (IPv6).
    Neighbours,
    /// Both refer to the same CVE id.
    SameVulnerability,
    /// Both refer to the same ATT&CK technique.
    SameTechnique,
}

impl Tie {
    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameValue => "same-value",
            Self::SameHost => "same-host",
            Self::SameCertificate => "same-certificate",
            Self::InNetwork => "in-network",
            Self::HoldsAddress => "holds-address",
            Self::SameParent => "same-parent",
            Self::SameSite => "same-site",
            Self::Neighbours => "neighbours",
            Self::SameVulnerability => "same-vulnerability",
            Self::SameTechnique => "same-technique",
        }
    }

    /// What it tells when nothing else shares it, 0..=1. A judgement of ours: the same value or host is the same
    /// thing; what stands in one network or under one registrable domain may be rented side by side by strangers; a
    /// vulnerability or technique is used by many.
    pub const fn strength(self) -> f64 {
        match self {
            Self::SameValue | Self::SameCertificate => 1.0,
            Self::SameHost => 0.95,
            Self::InNetwork | Self::HoldsAddress => 0.7,
            Self::SameParent => 0.75,
            Self::SameSite => 0.65,
            Self::Neighbours => 0.4,
            Self::SameVulnerability => 0.4,
            Self::SameTechnique => 0.2,
        }
    }

    /// The tie between two objects that hold a trait of this class.
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Value | Class::Address | Class::Network | Class::Text | Class::Label | Class::Role => {
                Self::SameValue
            }
            Class::Host => Self::SameHost,
            Class::Parent => Self::SameParent,
            Class::Site => Self::SameSite,
            Class::Certificate => Self::SameCertificate,
            Class::Vulnerability => Self::SameVulnerability,
            Class::Technique => Self::SameTechnique,
        }
    }
}

/// How much a tie tells, 0..=1, when `sharing` of `objects` share it.
pub fn weight(tie: Tie, sharing: usize, objects: u64) -> f64 {
    // Counts stay far below 2^52.
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let (sharing, objects) = (sharing.max(1) as f64, objects.max(OBJECTS_MIN) as f64);
    let rarity = ((objects / sharing).ln() / objects.ln()).clamp(0.0, 1.0);
    tie.strength() * rarity
}

/// The traits to look up, at most [`TRAITS_LOOKED_UP_MAX`]: those that can tell most first.
pub fn looked_up(mut traits: Vec<Trait>) -> Vec<Trait> {
    traits.retain(|one| one.class.correlates());
    traits.sort_by(|a, b| {
        descending(Tie::of(a.class).strength(), Tie::of(b.class).strength()).then_with(|| a.cmp(b))
    });
    traits.truncate(TRAITS_LOOKED_UP_MAX);
    traits
}

/// One reason why two objects are related.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// How they are tied.
    pub tie: Tie,
    /// What they share, as people read it.
    pub shared: String,
    /// How many objects the reader may see share it, counted up to a limit.
    pub sharing: usize,
    /// How much it tells, 0..=1.
    pub weight: f64,
}

/// A related object, whatever stands for it with the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Related<T> {
    /// The object.
    pub object: T,
    /// How much all ties together tell, 0..=1.
    pub weight: f64,
    /// Why, the strongest tie first.
    pub why: Vec<Why>,
}

/// Puts what was found together: one line an object, the most telling first, ties in order of the objects.
pub fn rank<T: Ord>(found: impl IntoIterator<Item = (T, Why)>) -> Vec<Related<T>> {
    let mut by_object: BTreeMap<T, Vec<Why>> = BTreeMap::new();
    for (object, why) in found {
        let all = by_object.entry(object).or_default();
        if !all.iter().any(|known| known.tie == why.tie && known.shared == why.shared) {
            all.push(why);
        }
    }
    let mut related: Vec<Related<T>> = by_object
        .into_iter()
        .map(|(object, mut why)| {
            why.sort_by(|a, b| {
                descending(a.weight, b.weight).then_with(|| (a.tie, &a.shared).cmp(&(b.tie, &b.shared)))
            });
            let weight = 1.0 - why.iter().map(|one| 1.0 - one.weight).product::<f64>();
            why.truncate(TIES_MAX);
            Related { object, weight, why }
        })
        .collect();
    // Stable: equal weights stay in the order of the objects.
    related.sort_by(|a, b| descending(a.weight, b.weight));
    related.truncate(RELATED_MAX);
    related
}

fn descending(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn why(tie: Tie, shared: &str, weight: f64) -> Why {
        Why { tie, shared: shared.into(), sharing: 2, weight }
    }

    #[test]
    fn what_few_share_tells_more_than_what_many_do() {
        let all = 1_000_000;
        assert!(weight(Tie::SameValue, 2, all) > 0.9);
        assert!(weight(Tie::SameValue, 10_000, all) < 0.4);
        assert!(weight(Tie::SameSite, 2, all) > weight(Tie::SameTechnique, 2, all));
        assert!(weight(Tie::SameValue, 2, 5) > 0.8, "a small alliance's few objects are not common things");
    }

    #[test]
    fn ties_add_up_and_the_strongest_stands_first() {
        let related = rank([
            ("b", why(Tie::SameSite, "evil.example", 0.5)),
            ("a", why(Tie::SameSite, "evil.example", 0.5)),
            ("a", why(Tie::SameSite, "evil.example", 0.5)),
            ("a", why(Tie::SameHost, "x.evil.example", 0.8)),
        ]);
        assert_eq!(related.iter().map(|one| one.object).collect::<Vec<_>>(), ["a", "b"]);
        assert!((related[0].weight - 0.9).abs() < 1e-9, "said twice, counted once");
        assert_eq!(related[0].why[0].tie, Tie::SameHost);
    }

    #[test]
    fn labels_are_searched_for_and_relate_nothing() {
        let traits = traits::of_object(br#"{"type":"domain-name","value":"a.evil.example","labels":["x"]}"#);
        let looked_up = looked_up(traits);
        let classes: Vec<Class> = looked_up.iter().map(|one| one.class).collect();
        assert_eq!(classes, [Class::Host, Class::Site]);
    }

    proptest! {
        #[test]
        fn weights_are_bounded_and_fall_as_more_share(sharing in 1usize..20_000, more in 1usize..20_000, objects in 0u64..10_000_000) {
            for tie in [Tie::SameValue, Tie::SameTechnique] {
                let one = weight(tie, sharing, objects);
                prop_assert!((0.0..=1.0).contains(&one));
                prop_assert!(weight(tie, sharing + more, objects) <= one);
            }
        }

        #[test]
        fn the_order_found_does_not_matter(mut found in proptest::collection::vec((0u8..20, 0u8..4, 0.0f64..1.0), 0..60), seed in any::<u64>()) {
            let ranked = |found: &[(u8, u8, f64)]| rank(found.iter().map(|(object, shared, weight)| (*object, why(Tie::SameValue, &shared.to_string(), *weight))));
            // The same tie found twice has the same weight.
            found.sort_by_key(|(object, shared, _)| (*object, *shared));
            found.dedup_by_key(|(object, shared, _)| (*object, *shared));
            let straight = ranked(&found);
            prop_assert!(straight.len() <= RELATED_MAX);
            let turn = usize::try_from(seed % 60).unwrap_or(0) % found.len().max(1);
            found.rotate_left(turn);
            let turned = ranked(&found);
            prop_assert_eq!(straight.iter().map(|one| one.object).collect::<Vec<_>>(), turned.iter().map(|one| one.object).collect::<Vec<_>>());
        }
    }
}
