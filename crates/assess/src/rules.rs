//! What follows from the facts: what to do about a warning, and which warnings belong together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shieldwall_model::id::{ObjectId, WarningId};
use shieldwall_model::indicator::IndicatorRole;

use crate::view::Warning;

/// What a warning advises about blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Block it.
    Block,
    /// Do **not** block it.
    DoNotBlock,
    /// Nothing to block on this alone.
    Nothing,
}

/// What a warning tells a member to do. The texts live with the pages; these are their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// About blocking.
    pub blocking: Step,
    /// What to check: the key of a text, such as `check-dns`.
    pub check: &'static str,
    /// Why the role matters: the key of a text, such as `role-kill-switch`.
    pub why: &'static str,
}

/// The advice for an indicator of this role and kind of value (`domain-name`, `sha256`…).
pub fn advice(role: IndicatorRole, kind: &str) -> Advice {
    let blocking = match role {
        IndicatorRole::Malicious => Step::Block,
        IndicatorRole::KillSwitch | IndicatorRole::Vaccine | IndicatorRole::VictimInfrastructure => {
            Step::DoNotBlock
        }
        IndicatorRole::Suspect => Step::Nothing,
    };
    let check = match kind {
        "domain-name" | "ja3" | "ja4" | "url" => "check-names",
        "ipv4-addr" | "ipv6-addr" | "ipv4-cidr" | "ipv6-cidr" | "ip-port" => "check-connections",
        "md5" | "sha1" | "sha256" | "sha512" | "file-name" => "check-files",
        "email-addr" => "check-mail",
        _ => "check-other",
    };
    let why = match role {
        IndicatorRole::KillSwitch => "role-kill-switch",
        IndicatorRole::Malicious => "role-malicious",
        IndicatorRole::Suspect => "role-suspect",
        IndicatorRole::Vaccine => "role-vaccine",
        IndicatorRole::VictimInfrastructure => "role-victim-infrastructure",
    };
    Advice { blocking, check, why }
}

/// The STIX types that make warnings fall together.
pub const CONTEXT_TYPES: [&str; 3] = ["campaign", "intrusion-set", "malware"];

/// Warnings that belong together, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// The warnings, most recently updated first.
    pub warnings: Vec<WarningId>,
    /// What ties them: each campaign, intrusion set or malware at least one of them indicates, with the warnings that do.
    pub ties: Vec<Tie>,
}

/// One thing several indicators point to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tie {
    /// The campaign, intrusion set or malware.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
    /// Each warning it ties, with the relationship that says so.
    pub by: Vec<(WarningId, ObjectId)>,
}

/// Puts together the warnings whose indicators point to the same campaign, intrusion set or malware, directly or over
/// a chain of such. A warning that shares nothing stands alone. Cost: O(n log n) in warnings and their contexts.
pub fn correlate(warnings: &[Warning]) -> Vec<Cluster> {
    let mut lead: Vec<usize> = (0..warnings.len()).collect();
    let mut first_with: BTreeMap<&ObjectId, usize> = BTreeMap::new();
    for (index, warning) in warnings.iter().enumerate() {
        for context in &warning.contexts {
            let first = *first_with.entry(&context.id).or_insert(index);
            let (a, b) = (leader(&lead, first), leader(&lead, index));
            if let Some(slot) = lead.get_mut(a.max(b)) {
                *slot = a.min(b);
            }
        }
    }
    let mut together: BTreeMap<usize, Vec<&Warning>> = BTreeMap::new();
    for (index, warning) in warnings.iter().enumerate() {
        together.entry(leader(&lead, index)).or_default().push(warning);
    }
    let mut clusters: Vec<(Vec<&Warning>, Cluster)> = together.into_values().map(cluster).collect();
    clusters.sort_by_key(|(members, _)| std::cmp::Reverse(members.first().map(|warning| warning.updated)));
    clusters.into_iter().map(|(_, cluster)| cluster).collect()
}

fn leader(lead: &[usize], mut index: usize) -> usize {
    while let Some(&next) = lead.get(index).filter(|next| **next != index) {
        index = next;
    }
    index
}

fn cluster(mut members: Vec<&Warning>) -> (Vec<&Warning>, Cluster) {
    members.sort_by_key(|warning| (std::cmp::Reverse(warning.updated), warning.id));
    let contexts: BTreeSet<(&ObjectId, &str)> = members
        .iter()
        .flat_map(|warning| warning.contexts.iter().map(|context| (&context.id, &*context.name)))
        .collect();
    let ties = contexts
        .into_iter()
        .map(|(id, name)| Tie {
            id: id.clone(),
            name: name.to_owned(),
            by: members
                .iter()
                .flat_map(|warning| {
                    warning.contexts.iter().filter(|c| c.id == *id).map(|c| (warning.id, c.via.clone()))
                })
                .collect(),
        })
        .collect();
    let warnings = members.iter().map(|warning| warning.id).collect();
    (members, Cluster { warnings, ties })
}

/// The value below which `share` (0 to 1) of `values` lie, by the nearest-rank method: index `ceil(share × n)`, counted from one.
/// `None` without values. Sorts in place.
pub fn percentile(values: &mut [i64], share: f64) -> Option<i64> {
    values.sort_unstable();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "share lies in 0 to 1"
    )]
    let rank = (share.clamp(0.0, 1.0) * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Context, tests::warning};
    use proptest::prelude::*;

    fn object(kind: &str, number: u8) -> ObjectId {
        format!("{kind}--00000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
    }

    #[test]
    fn nothing_but_a_malicious_indicator_is_ever_advised_to_be_blocked() {
        for role in IndicatorRole::ALL {
            for kind in ["domain-name", "sha256", "ipv4-addr", "ip-port", "something-new"] {
                assert_eq!(
                    advice(role, kind).blocking == Step::Block,
                    role.may_be_blocked(),
                    "{role} {kind}"
                );
            }
        }
    }

    #[test]
    fn warnings_fall_together_by_what_they_indicate_and_say_why() {
        let mut all = vec![warning(1), warning(2), warning(3)];
        for (index, via) in [(0, 10), (2, 11)] {
            all[index].contexts.push(Context {
                id: object("malware", 1),
                name: "Worm".into(),
                via: object("relationship", via),
            });
        }
        let clusters = correlate(&all);
        assert_eq!(clusters.len(), 2);
        let joined = clusters.iter().find(|cluster| cluster.warnings.len() == 2).unwrap();
        assert_eq!(joined.ties.len(), 1);
        assert_eq!(joined.ties[0].name, "Worm");
        assert_eq!(joined.ties[0].by.len(), 2);
        assert!(!joined.warnings.contains(&all[1].id));
    }

    proptest! {
        #[test]
        fn every_warning_is_in_exactly_one_cluster(links in proptest::collection::vec((0usize..12, 0u8..6), 0..40)) {
            let mut all: Vec<Warning> = (0..12).map(warning).collect();
            for (index, context) in links {
                all[index].contexts.push(Context { id: object("campaign", context), name: String::new(), via: object("relationship", 0) });
            }
            let clusters = correlate(&all);
            let mut seen: Vec<_> = clusters.iter().flat_map(|cluster| cluster.warnings.clone()).collect();
            seen.sort();
            let mut wanted: Vec<_> = all.iter().map(|warning| warning.id).collect();
            wanted.sort();
            prop_assert_eq!(seen, wanted);
            for (a, b) in all.iter().zip(all.iter().skip(1)) {
                let share = a.contexts.iter().any(|x| b.contexts.iter().any(|y| x.id == y.id));
                let same = clusters.iter().any(|c| c.warnings.contains(&a.id) && c.warnings.contains(&b.id));
                prop_assert!(!share || same);
            }
        }
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(percentile(&mut [], 0.5), None);
        assert_eq!(percentile(&mut [7], 0.95), Some(7));
        assert_eq!(percentile(&mut [4, 1, 3, 2], 0.5), Some(2));
        assert_eq!(percentile(&mut (1..=100).collect::<Vec<_>>(), 0.95), Some(95));
    }
}
