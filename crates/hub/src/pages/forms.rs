//! What several forms share: choices of members, roles and sectors, and what was typed.

use shieldwall_model::access::Role;
use shieldwall_model::directory::Directory;

use crate::ask::Form;
use crate::pages::texts::Texts;

/// Something to choose.
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// Whether it is chosen now.
    pub chosen: bool,
}

impl Choice {
    fn new(value: impl Into<String>, label: impl Into<String>, chosen: &str) -> Self {
        let value = value.into();
        Self { chosen: value == chosen, label: label.into(), value }
    }
}

/// Sectors a member may answer for: the STIX industry-sector vocabulary (section 10.7), the general words of it.
pub const SECTORS: [&str; 26] = [
    "aerospace",
    "agriculture",
    "automotive",
    "chemical",
    "communications",
    "construction",
    "defense",
    "education",
    "emergency-services",
    "energy",
    "entertainment",
    "financial-services",
    "government",
    "healthcare",
    "hospitality-leisure",
    "insurance",
    "manufacturing",
    "mining",
    "non-profit",
    "nuclear",
    "pharmaceuticals",
    "retail",
    "technology",
    "telecommunications",
    "transportation",
    "water",
];

/// Kinds of members.
const KINDS: [&str; 4] = ["nation", "organisation", "company", "partner"];

/// The kinds of members to choose from.
pub fn kinds(t: Texts, chosen: &str) -> Vec<Choice> {
    KINDS.into_iter().map(|kind| Choice::new(kind, t.text(&format!("member-kind-{kind}")), chosen)).collect()
}

/// The sectors to choose from, by name.
pub fn sectors(t: Texts, chosen: &[String]) -> Vec<Choice> {
    let mut sectors: Vec<Choice> = SECTORS
        .into_iter()
        .map(|sector| Choice {
            value: sector.into(),
            label: t.sector(sector),
            chosen: chosen.iter().any(|one| one == sector),
        })
        .collect();
    sectors.sort_by_key(|sector| sector.label.to_lowercase());
    sectors
}

/// The members to choose from, by name.
pub fn members(directory: &Directory, chosen: &[String]) -> Vec<Choice> {
    let mut members: Vec<Choice> = directory
        .members()
        .map(|member| {
            let value = member.id.to_string();
            Choice { chosen: chosen.contains(&value), label: member.name.clone(), value }
        })
        .collect();
    members.sort_by(|a, b| a.label.cmp(&b.label));
    members
}

/// The roles to choose from; those of programs too, when `programs`.
pub fn roles(t: Texts, chosen: &str, programs: bool) -> Vec<Choice> {
    Role::ALL
        .into_iter()
        .filter(|role| *role != Role::Public && (programs || !matches!(role, Role::Sensor | Role::Peer)))
        .map(|role| Choice::new(role.as_str(), t.text(&format!("person-role-{role}")), chosen))
        .collect()
}

/// What a form's many-valued field holds.
pub fn all(form: &Form, name: &str) -> Vec<String> {
    form.all(name).map(str::to_owned).collect()
}

/// A member as typed.
#[derive(Default)]
pub struct MemberTyped {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its country.
    pub country: String,
    /// Its sectors.
    pub sectors: Vec<String>,
}

impl MemberTyped {
    /// A member as typed in `form`.
    pub fn read(form: &Form) -> Self {
        Self {
            name: form.get("member").to_owned(),
            kind: form.get("kind").to_owned(),
            country: form.get("country").to_owned(),
            sectors: all(form, "sectors"),
        }
    }
}

impl From<&MemberTyped> for crate::api::alliance::NewMember {
    fn from(typed: &MemberTyped) -> Self {
        Self {
            name: typed.name.clone(),
            kind: typed.kind.clone(),
            country: Some(typed.country.clone()),
            sectors: typed.sectors.clone(),
        }
    }
}
