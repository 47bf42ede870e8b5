//! What would happen if this were shared: a dry run of the one door, and who would see it. Nothing is recorded.

use std::collections::BTreeSet;

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_model::directory::{Directory, SightingNames};
use shieldwall_model::id::GroupId;
use shieldwall_model::limits;

use crate::api::Report;
use crate::api::me::MemberBody;
use crate::api::objects::given;
use crate::ask::{Ask, json};
use crate::intake::{Desk, Good, Look};
use crate::problem::Problem;

/// What would become of what was handed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Preview {
    /// What it is: `stix`, `misp`, `csv`, `plain`, `prose`.
    pub format: String,
    /// What the report would say; `accepted` counts what would be recorded.
    pub report: Report,
    /// What would be shared, the first 1,000.
    pub shared: Vec<Offered>,
    /// Who would see it: one group, or for events that say so themselves, several; none where nothing would be shared.
    pub audiences: Vec<Audience>,
}

/// An object that would be shared.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Offered {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub object_type: String,
    /// Its name, or a short label.
    pub name: String,
    /// Its marking's label.
    pub marking: Option<String>,
    /// Whether the group holds another version of it.
    pub revises: bool,
    /// Whether the group gets a part of it alone: what is marked too strictly is cut out.
    pub cut: bool,
}

/// Who sees what is shared in a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Audience {
    /// The sharing group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// The strictest marking it may carry.
    pub ceiling: String,
    /// Its parties, by name, the reader's own member among them.
    pub members: Vec<MemberBody>,
    /// Whether sightings of it name the member that saw it.
    pub names_reporters: bool,
}

impl Audience {
    /// The audience of `group`; `None` for a group that is not there. Ask only of groups the reader's member is party to.
    pub fn of(directory: &Directory, group: GroupId) -> Option<Self> {
        let group = directory.group(group)?;
        let mut members: Vec<MemberBody> =
            group.members.iter().filter_map(|id| directory.member(*id)).map(MemberBody::from).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Self {
            group: group.id.to_string(),
            name: group.name.clone(),
            ceiling: group.ceiling.as_str().to_owned(),
            members,
            names_reporters: group.names == SightingNames::Shown,
        })
    }
}

impl From<&Good> for Offered {
    fn from(good: &Good) -> Self {
        Self {
            id: good.object().id.to_string(),
            object_type: good.object().object_type().to_owned(),
            name: good.object().title.clone(),
            marking: good.object().tlp.map(|tlp| tlp.as_str().to_owned()),
            revises: good.revises,
            cut: good.cut,
        }
    }
}

/// `POST /api/v1/objects/preview`.
///
/// # Errors
/// As sharing: 404 for a group the member is not party to, 400 for a body that cannot be read at all.
pub async fn read(mut ask: Ask) -> Result<Response, Problem> {
    let desk = Desk::of(&ask, ask.group()?)?;
    let bytes = ask.bytes().await?;
    let Look { form, report, good } = desk.look(&ask, &bytes, &given(&ask)?).await?;
    let directory = ask.app.directory();
    let groups: BTreeSet<GroupId> = good.iter().map(|(group, _)| *group).collect();
    json(&Preview {
        format: form.as_str().to_owned(),
        shared: good.iter().take(limits::PAGE_ITEMS_MAX).map(|(_, good)| Offered::from(good)).collect(),
        report,
        audiences: groups.into_iter().filter_map(|group| Audience::of(&directory, group)).collect(),
    })
}
