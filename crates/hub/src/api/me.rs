//! Who the reader is, as the hub sees it.

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_model::directory::{Member, SharingGroup, SightingNames};

use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Who the reader is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Me {
    /// The member acted for.
    pub member: MemberBody,
    /// Who acts: kind and id.
    pub principal: PrincipalBody,
    /// In which role.
    pub role: String,
    /// In which realm.
    pub realm: String,
    /// The sharing groups the member is party to.
    pub groups: Vec<GroupBody>,
}

/// A principal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PrincipalBody {
    /// `user`, `sensor`, `peer` or `hub`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
}

/// A member.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberBody {
    /// Its id, which is its STIX identity's.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `nation`, `organisation`, `company` or `partner`.
    pub kind: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// Its sectors.
    pub sectors: Vec<String>,
}

impl From<&Member> for MemberBody {
    fn from(member: &Member) -> Self {
        use shieldwall_model::directory::MemberKind as Kind;
        let kind = match member.kind {
            Kind::Nation => "nation",
            Kind::Organisation => "organisation",
            Kind::Company => "company",
            Kind::Partner => "partner",
        };
        Self {
            id: member.id.to_string(),
            name: member.name.clone(),
            kind: kind.into(),
            country: member.country.clone(),
            sectors: member.sectors.clone(),
        }
    }
}

/// A sharing group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GroupBody {
    /// Its id; the UUID in it is the TAXII collection's.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The strictest marking it may carry.
    pub ceiling: String,
    /// `shown` or `hidden`: whether sightings name their reporter.
    pub names: &'static str,
    /// Its parties' ids.
    pub members: Vec<String>,
}

impl From<&SharingGroup> for GroupBody {
    fn from(group: &SharingGroup) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.name.clone(),
            ceiling: group.ceiling.as_str().into(),
            names: match group.names {
                SightingNames::Shown => "shown",
                SightingNames::Hidden => "hidden",
            },
            members: group.members.iter().map(ToString::to_string).collect(),
        }
    }
}

/// `GET /api/v1/me`.
///
/// # Errors
/// 404 should the member be gone.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    use shieldwall_model::access::Principal;
    let directory = ask.app.directory();
    let reader = ask.reader();
    let member = directory.member(reader.member()).ok_or_else(Problem::absent)?;
    let kind = match reader.principal() {
        Principal::Hub => "hub",
        Principal::Peer(_) => "peer",
        Principal::Sensor(_) => "sensor",
        Principal::User(_) => "user",
    };
    json(&Me {
        member: member.into(),
        principal: PrincipalBody { kind, id: reader.principal().to_string() },
        role: reader.role().to_string(),
        realm: reader.realm().to_string(),
        groups: directory.groups_of(reader.member()).map(GroupBody::from).collect(),
    })
}
