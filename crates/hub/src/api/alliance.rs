//! Members and sharing groups: who they are, admitting members, forming groups.

use std::collections::BTreeSet;

use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shieldwall_model::directory::{Member, MemberKind, SharingGroup, SightingNames};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::limits;
use shieldwall_model::marking::Tlp;

use crate::api::me::{GroupBody, MemberBody};
use crate::app::App;
use crate::ask::{Ask, json};
use crate::problem::Problem;

/// The members.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Members {
    /// All members, by name.
    pub members: Vec<MemberBody>,
}

/// A member to admit.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NewMember {
    /// Its name.
    pub name: String,
    /// `nation`, `organisation`, `company` or `partner`.
    pub kind: String,
    /// ISO 3166-1 alpha-2 code, where it has a country.
    #[serde(default)]
    pub country: Option<String>,
    /// Its sectors.
    #[serde(default)]
    pub sectors: Vec<String>,
}

/// The sharing groups the reader's member is party to (all of them, for an operator).
#[derive(Debug, Serialize, JsonSchema)]
pub struct Groups {
    /// The groups.
    pub groups: Vec<GroupBody>,
}

/// A sharing group to form.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// The strictest marking it may carry.
    pub ceiling: String,
    /// Whether sightings name their reporter: `shown` or `hidden`.
    pub names: String,
    /// Its parties: ids, names or country codes.
    pub members: Vec<String>,
}

/// `GET /api/v1/members`.
///
/// # Errors
/// None past the access rule.
pub async fn members(ask: Ask) -> Result<Response, Problem> {
    let directory = ask.app.directory();
    let mut members: Vec<MemberBody> = directory.members().map(MemberBody::from).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    json(&Members { members })
}

/// `POST /api/v1/members`.
///
/// # Errors
/// 422 for a member that cannot be admitted so, else as `App::append`.
pub async fn admit(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let new: NewMember = ask.json().await?;
    json(&MemberBody::from(&admit_member(&ask.app, new).await?))
}

/// Admits a member.
///
/// # Errors
/// As [`admit`].
pub async fn admit_member(app: &App, new: NewMember) -> Result<Member, Problem> {
    let name = named(&new.name)?;
    if app.directory().members().any(|member| member.name.to_lowercase() == name.to_lowercase()) {
        return Err(Problem::refused(
            "member.name.taken",
            "a member of that name is in the alliance already",
        ));
    }
    let kind = match new.kind.as_str() {
        "nation" => MemberKind::Nation,
        "organisation" => MemberKind::Organisation,
        "company" => MemberKind::Company,
        "partner" => MemberKind::Partner,
        _ => {
            return Err(Problem::refused(
                "member.kind",
                "a member is a nation, an organisation, a company or a partner",
            ));
        }
    };
    let country = new.country.filter(|code| !code.is_empty()).map(|code| code.to_ascii_uppercase());
    if country
        .as_ref()
        .is_some_and(|code| code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        return Err(Problem::refused("member.country", "a country is two letters of ISO 3166-1, such as LU"));
    }
    if new.sectors.len() > 50 || new.sectors.iter().any(|sector| sector.len() > limits::NAME_BYTES_MAX) {
        return Err(Problem::refused("member.sectors", "a member answers for at most 50 sectors"));
    }
    let id = MemberId::new(app.now(), app.entropy());
    let member = Member { id, name, kind, country, sectors: new.sectors };
    app.join(member.clone()).await?;
    Ok(member)
}

/// `GET /api/v1/groups`.
///
/// # Errors
/// None past the access rule.
pub async fn groups(ask: Ask) -> Result<Response, Problem> {
    let directory = ask.app.directory();
    json(&Groups { groups: directory.groups_of(ask.reader().member()).map(GroupBody::from).collect() })
}

/// `POST /api/v1/groups`.
///
/// # Errors
/// 422 for a group that cannot be formed so, else as `App::append`.
pub async fn form(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let new: NewGroup = ask.json().await?;
    json(&GroupBody::from(&form_group(&ask.app, new).await?))
}

/// Forms a sharing group.
///
/// # Errors
/// As [`form`].
pub async fn form_group(app: &App, new: NewGroup) -> Result<SharingGroup, Problem> {
    let directory = app.directory();
    let ceiling: Tlp =
        new.ceiling.parse().map_err(|error| Problem::refused("group.ceiling", format!("{error}")))?;
    let names = match new.names.as_str() {
        "shown" => SightingNames::Shown,
        "hidden" => SightingNames::Hidden,
        _ => {
            return Err(Problem::refused(
                "group.names",
                "sightings in a group are `shown` by name or `hidden`",
            ));
        }
    };
    let mut members = BTreeSet::new();
    for text in &new.members {
        let member = directory.find_member(text).ok_or_else(|| {
            Problem::refused(
                "group.member.unknown",
                format!("{text:?} names no single member of the alliance"),
            )
        })?;
        members.insert(member.id);
    }
    if members.is_empty() {
        return Err(Problem::refused("group.empty", "a sharing group has at least one member"));
    }
    let id = GroupId::new(app.now(), app.entropy());
    let group = SharingGroup { id, name: named(&new.name)?, ceiling, names, members };
    app.form(&group).await?;
    Ok(group)
}

/// A name a person typed.
///
/// # Errors
/// 422 for an empty, long or unprintable one.
pub fn named(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if name.is_empty() || name.len() > limits::NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Problem::refused(
            "name.unfit",
            format!("a name has 1 to {} bytes and no control characters", limits::NAME_BYTES_MAX),
        ));
    }
    Ok(name.to_owned())
}
