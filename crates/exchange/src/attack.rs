//! MITRE ATT&CK as a matrix, read from the objects themselves: nothing of it is built in.
//!
//! ATT&CK is published as STIX with three kinds of objects that make its matrices: `x-mitre-matrix` (which tactics, in
//! which order), `x-mitre-tactic` (a column) and `attack-pattern` (a technique, tied to its tactics by
//! `kill_chain_phases`). Source: the ATT&CK STIX data's USAGE document (github.com/mitre-attack/attack-stix-data).
//! Attack patterns that came without matrix or tactics are laid out by the phases they name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The types a matrix is made of.
pub const TYPES: [&str; 3] = ["attack-pattern", "x-mitre-tactic", "x-mitre-matrix"];

/// One matrix, such as Enterprise or ICS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// What techniques call it in `x_mitre_domains`, such as `enterprise-attack`; else the kill chain's name.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub tactics: Vec<Tactic>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tactic {
    /// The tactic's object, if it is here.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its techniques by name.
    pub techniques: Vec<Technique>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Technique {
    /// The attack pattern.
    pub id: String,
    /// Its number, such as `T1059` or `T1059.001`; empty where it has none.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Its sub-techniques by number.
    pub parts: Vec<Technique>,
}

/// What is read of an object; everything else is passed over.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(rename = "type", borrow)]
    object_type: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    x_mitre_deprecated: bool,
    #[serde(default)]
    x_mitre_is_subtechnique: bool,
    #[serde(borrow, default)]
    x_mitre_shortname: Cow<'a, str>,
    #[serde(default)]
    x_mitre_domains: Vec<String>,
    #[serde(default)]
    tactic_refs: Vec<String>,
    #[serde(default)]
    kill_chain_phases: Vec<Phase>,
    #[serde(default)]
    external_references: Vec<External>,
}

#[derive(Deserialize)]
struct Phase {
    kill_chain_name: String,
    phase_name: String,
}

#[derive(Deserialize)]
struct External {
    #[serde(default)]
    source_name: String,
    #[serde(default)]
    external_id: Option<String>,
}

impl Raw<'_> {
    /// The number ATT&CK gives it, else the first anybody gives.
    fn number(&self) -> String {
        let with_id = || self.external_references.iter().filter(|one| one.external_id.is_some());
        let own = with_id().find(|one| one.source_name.starts_with("mitre"));
        own.or_else(|| with_id().next()).and_then(|one| one.external_id.clone()).unwrap_or_default()
    }
}

/// The matrices that can be laid out from these objects, by domain. Objects that are none of [`TYPES`], that are revoked or
/// deprecated, or that cannot be read are passed over; of two with one id the first counts.
pub fn matrices<'a>(objects: impl IntoIterator<Item = &'a [u8]>) -> Vec<Matrix> {
    let mut seen = BTreeSet::new();
    let (mut matrices, mut tactics, mut techniques) = (Vec::new(), BTreeMap::new(), Vec::new());
    for bytes in objects {
        let Ok(raw) = serde_json::from_slice::<Raw<'a>>(bytes) else { continue };
        if raw.revoked || raw.x_mitre_deprecated || !seen.insert(raw.id.to_string()) {
            continue;
        }
        match &*raw.object_type {
            "x-mitre-matrix" => matrices.push(raw),
            "x-mitre-tactic" => drop(tactics.insert(raw.id.to_string(), raw)),
            "attack-pattern" => techniques.push(raw),
            _ => {}
        }
    }
    matrices.sort_by(|a, b| a.number().cmp(&b.number()).then_with(|| a.id.cmp(&b.id)));
    let mut laid: Vec<Matrix> = matrices.iter().map(|matrix| lay(matrix, &tactics, &techniques)).collect();
    laid.retain(|matrix| matrix.tactics.iter().any(|tactic| !tactic.techniques.is_empty()));
    let placed: BTreeSet<&str> = laid
        .iter()
        .flat_map(|matrix| &matrix.tactics)
        .flat_map(|tactic| &tactic.techniques)
        .flat_map(|technique| std::iter::once(technique).chain(&technique.parts))
        .map(|technique| technique.id.as_str())
        .collect();
    let left: Vec<&Raw<'_>> = techniques.iter().filter(|raw| !placed.contains(&*raw.id)).collect();
    let by_phase = by_phases(&left, &tactics);
    laid.extend(by_phase);
    laid
}

fn lay(matrix: &Raw<'_>, tactics: &BTreeMap<String, Raw<'_>>, techniques: &[Raw<'_>]) -> Matrix {
    let domain = matrix.number();
    let of_domain = |raw: &Raw<'_>| raw.x_mitre_domains.is_empty() || raw.x_mitre_domains.contains(&domain);
    let columns = matrix.tactic_refs.iter().filter_map(|id| tactics.get(id));
    Matrix {
        name: matrix.name.to_string(),
        tactics: columns
            .map(|tactic| Tactic {
                id: Some(tactic.id.to_string()),
                name: tactic.name.to_string(),
                techniques: column(techniques.iter().filter(|raw| {
                    of_domain(raw)
                        && raw
                            .kill_chain_phases
                            .iter()
                            .any(|phase| phase.phase_name == *tactic.x_mitre_shortname)
                })),
            })
            .collect(),
        domain,
    }
}

/// Attack patterns no matrix has a place for, by the kill chain and phases they name.
fn by_phases(techniques: &[&Raw<'_>], tactics: &BTreeMap<String, Raw<'_>>) -> Vec<Matrix> {
    let mut chains: BTreeMap<&str, BTreeMap<&str, Vec<&Raw<'_>>>> = BTreeMap::new();
    for raw in techniques {
        for phase in &raw.kill_chain_phases {
            let chain = chains.entry(&phase.kill_chain_name).or_default();
            let column = chain.entry(&phase.phase_name).or_default();
            if !column.iter().any(|known| known.id == raw.id) {
                column.push(raw);
            }
        }
    }
    let named = |short: &str| tactics.values().find(|tactic| tactic.x_mitre_shortname == short);
    chains
        .into_iter()
        .map(|(chain, phases)| Matrix {
            domain: chain.to_owned(),
            name: chain.replace('-', " "),
            tactics: phases
                .into_iter()
                .map(|(phase, techniques)| Tactic {
                    id: named(phase).map(|tactic| tactic.id.to_string()),
                    name: named(phase)
                        .map_or_else(|| phase.replace('-', " "), |tactic| tactic.name.to_string()),
                    techniques: column(techniques.into_iter()),
                })
                .collect(),
        })
        .collect()
}

/// Techniques with their sub-techniques under them; a sub-technique whose technique is elsewhere stands by itself.
fn column<'r, 'a: 'r>(raws: impl Iterator<Item = &'r Raw<'a>>) -> Vec<Technique> {
    let (parts, mut whole): (Vec<Technique>, Vec<Technique>) = {
        let (parts, whole): (Vec<_>, Vec<_>) = raws.partition(|raw| raw.x_mitre_is_subtechnique);
        let cell = |raw: &Raw<'_>| Technique {
            id: raw.id.to_string(),
            number: raw.number(),
            name: raw.name.to_string(),
            parts: Vec::new(),
        };
        (parts.into_iter().map(cell).collect(), whole.into_iter().map(cell).collect())
    };
    for part in parts {
        let above = part.number.rsplit_once('.').map(|(above, _)| above.to_owned());
        match whole.iter_mut().find(|cell| above.as_deref() == Some(cell.number.as_str())) {
            Some(cell) => cell.parts.push(part),
            None => whole.push(part),
        }
    }
    for cell in &mut whole {
        cell.parts.sort_by(|a, b| a.number.cmp(&b.number).then_with(|| a.id.cmp(&b.id)));
    }
    whole.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    whole
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn technique(n: u32, number: &str, phase: &str, domains: &[&str]) -> Value {
        json!({"type": "attack-pattern", "id": format!("attack-pattern--{n}"), "name": format!("Technique {n}"),
            "x_mitre_is_subtechnique": number.contains('.'), "x_mitre_domains": domains, "labels": ["ignored"],
            "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": phase}],
            "external_references": [{"source_name": "other", "external_id": "X"},
                {"source_name": "mitre-attack", "external_id": number}]})
    }

    fn tactic(n: u32, short: &str) -> Value {
        json!({"type": "x-mitre-tactic", "id": format!("x-mitre-tactic--{n}"), "name": format!("Tactic {n}"),
            "x_mitre_shortname": short})
    }

    fn matrix(domain: &str, tactics: &[u32]) -> Value {
        json!({"type": "x-mitre-matrix", "id": format!("x-mitre-matrix--{domain}"), "name": domain,
            "tactic_refs": tactics.iter().map(|n| format!("x-mitre-tactic--{n}")).collect::<Vec<_>>(),
            "external_references": [{"source_name": "mitre-attack", "external_id": domain}]})
    }

    fn laid(objects: &[Value]) -> Vec<Matrix> {
        let bytes: Vec<Vec<u8>> = objects.iter().map(|object| object.to_string().into_bytes()).collect();
        matrices(bytes.iter().map(Vec::as_slice))
    }

    #[test]
    fn tactics_stand_in_the_matrix_order_and_parts_under_their_technique() {
        let found = laid(&[
            technique(1, "T1", "late", &["enterprise-attack"]),
            technique(2, "T1.002", "late", &["enterprise-attack"]),
            technique(3, "T1.001", "late", &["enterprise-attack"]),
            technique(4, "T0800", "early", &["ics-attack"]),
            technique(5, "T5", "early", &["enterprise-attack", "ics-attack"]),
            tactic(1, "late"),
            tactic(2, "early"),
            matrix("ics-attack", &[2]),
            matrix("enterprise-attack", &[2, 1]),
        ]);
        let domains: Vec<&str> = found.iter().map(|matrix| matrix.domain.as_str()).collect();
        assert_eq!(domains, ["enterprise-attack", "ics-attack"]);
        let columns: Vec<(&str, Vec<&str>)> = found[0]
            .tactics
            .iter()
            .map(|tactic| {
                (tactic.name.as_str(), tactic.techniques.iter().map(|one| one.number.as_str()).collect())
            })
            .collect();
        assert_eq!(columns, [("Tactic 2", vec!["T5"]), ("Tactic 1", vec!["T1"])]);
        let parts: Vec<&str> =
            found[0].tactics[1].techniques[0].parts.iter().map(|part| part.number.as_str()).collect();
        assert_eq!(parts, ["T1.001", "T1.002"]);
        assert_eq!(found[1].tactics[0].techniques.len(), 2);
    }

    #[test]
    fn patterns_without_a_matrix_are_laid_out_by_the_phases_they_name() {
        let found = laid(&[technique(1, "T1", "execution", &[]), technique(2, "T9.001", "execution", &[])]);
        assert_eq!(
            (found[0].domain.as_str(), found[0].tactics[0].name.as_str()),
            ("mitre-attack", "execution")
        );
        assert_eq!(found[0].tactics[0].techniques.len(), 2, "a part without its technique stands by itself");
    }

    #[test]
    fn what_is_revoked_deprecated_broken_or_something_else_is_passed_over() {
        let mut gone = technique(1, "T1", "execution", &[]);
        gone["revoked"] = json!(true);
        let mut old = technique(2, "T2", "execution", &[]);
        old["x_mitre_deprecated"] = json!(true);
        let broken = json!({"type": "attack-pattern", "id": 7});
        assert_eq!(laid(&[gone, old, broken, json!({"type": "malware", "id": "malware--1"})]), []);
    }

    #[test]
    fn the_published_matrices_are_laid_out_whole() {
        let Ok(data) = std::env::var("SHIELDWALL_DATA") else { return };
        for (file, domain, tactics, most) in [
            ("enterprise-attack-18.1.json", "enterprise-attack", 14, 200),
            ("ics-attack-18.1.json", "ics-attack", 12, 60),
        ] {
            let text = std::fs::read(format!("{data}/attack/{file}")).unwrap();
            let checked = crate::stix::read_bundle(&text).unwrap();
            let found = matrices(checked.accepted.iter().map(|object| object.slice(&text)));
            assert_eq!(
                found.len(),
                1,
                "{file}: {:?}",
                found.iter().map(|matrix| &matrix.domain).collect::<Vec<_>>()
            );
            assert_eq!((found[0].domain.as_str(), found[0].tactics.len()), (domain, tactics), "{file}");
            let techniques: usize = found[0].tactics.iter().map(|tactic| tactic.techniques.len()).sum();
            assert!(techniques > most, "{file}: {techniques}");
        }
    }
}
