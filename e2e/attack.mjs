// A small matrix in ATT&CK's form, with invented tactics and techniques, and something that uses and something that
// indicates one of them.
import { createHash } from "node:crypto";

const AT = "2026-01-31T09:30:00.000Z";

/** A STIX id that is always the same for a name. */
export function id(type, name) {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${type}--${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export const object = (type, name, more = {}) => ({ type, spec_version: "2.1", id: id(type, name), created: AT, modified: AT, name, ...more });

export const relationship = (source, label, target) => {
  const { name, ...rest } = object("relationship", `${source.id} ${label} ${target.id}`);
  return { ...rest, relationship_type: label, source_ref: source.id, target_ref: target.id };
};

export const bundle = (objects) => JSON.stringify({ type: "bundle", id: id("bundle", objects.map((one) => one.id).join()), objects });

export const indicator = (value, more = {}) =>
  object("indicator", value, { pattern: `[domain-name:value = '${value}']`, pattern_type: "stix", valid_from: AT, indicator_types: ["malicious-activity"], ...more });

function tactic(domain, short, name) {
  return object("x-mitre-tactic", name, { x_mitre_shortname: short, x_mitre_domains: [domain], external_references: [{ source_name: "mitre-attack", external_id: `TA-${short}` }] });
}

function technique(domain, number, name, ...phases) {
  return object("attack-pattern", name, {
    x_mitre_domains: [domain], x_mitre_is_subtechnique: number.includes("."),
    kill_chain_phases: phases.map((phase_name) => ({ kill_chain_name: "mitre-attack", phase_name })),
    external_references: [{ source_name: "mitre-attack", external_id: number }],
  });
}

function matrix(domain, name, tactics) {
  return object("x-mitre-matrix", name, { tactic_refs: tactics.map((one) => one.id), x_mitre_domains: [domain], external_references: [{ source_name: "mitre-attack", external_id: domain }] });
}

/** Two matrices; in the first, `worm` uses `spread`, and `sign` indicates the worm. */
export function sample() {
  const works = "enterprise-attack";
  const plant = "ics-attack";
  const tactics = [tactic(works, "arrive", "Arrive"), tactic(works, "spread", "Spread"), tactic(works, "harm", "Harm")];
  const spread = technique(works, "T9010", "Spread over an open share", "spread");
  const techniques = [
    technique(works, "T9001", "Letter with a trap", "arrive"), technique(works, "T9001.001", "Trap in a table", "arrive"), technique(works, "T9001.002", "Trap in a picture", "arrive"),
    technique(works, "T9002", "Stolen key", "arrive", "spread"), spread, technique(works, "T9020", "Lock what is stored", "harm"),
  ];
  const plantTactics = [tactic(plant, "stop-the-plant", "Stop the plant")];
  const plantTechniques = [technique(plant, "T9801", "Wrong reading", "stop-the-plant")];
  const worm = object("malware", "Paper worm", { is_family: true, malware_types: ["worm"] });
  const sign = indicator("paper-worm.example", { name: "Paper worm, its name server" });
  const ties = [relationship(worm, "uses", spread), relationship(sign, "indicates", worm)];
  return { objects: [...tactics, ...techniques, ...plantTactics, ...plantTechniques, worm, sign, ...ties, matrix(works, "Works", tactics), matrix(plant, "Plant", plantTactics)], worm, sign, spread };
}
