//! Members and sharing groups: who is in the alliance, who shares what with whom; for the operator, admitting and forming.

use askama::Template;
use axum::response::Response;
use shieldwall_model::directory::{Directory, SharingGroup, SightingNames};
use shieldwall_model::id::{GroupId, MemberId};
use shieldwall_model::marking::Tlp;

use crate::api::alliance::{self, NewGroup, NewMember, admit_member};
use crate::api::me::MemberBody;
use crate::ask::{Ask, see_other};
use crate::pages::forms::{self, Choice, MemberTyped};
use crate::pages::frame::{Frame, Place};
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::problem::Problem;

/// A member as its row shows it.
struct MemberRow {
    body: MemberBody,
    kind: String,
    sectors: String,
    own: bool,
}

/// A sharing group as its card shows it.
struct GroupRow {
    id: String,
    name: String,
    ceiling: Html,
    names: String,
    parties: String,
    explained: Option<String>,
}

/// A group as typed.
#[derive(Default)]
struct GroupTyped {
    name: String,
    ceiling: String,
    names: String,
    members: Vec<String>,
}

#[derive(Template)]
#[template(path = "members/page.html")]
struct MembersPage {
    t: Texts,
    frame: Frame,
    tab: &'static str,
    members: Vec<MemberRow>,
    groups: Vec<GroupRow>,
    typed: MemberTyped,
    kinds: Vec<Choice>,
    sectors: Vec<Choice>,
    member_error: Option<String>,
    group: GroupTyped,
    parties: Vec<Choice>,
    ceilings: Vec<Choice>,
    group_error: Option<String>,
}

/// What a sharing group is called by a reader of `mine`.
pub fn group_name(t: Texts, directory: &Directory, group: GroupId, mine: MemberId) -> String {
    if group == GroupId::ALLIANCE {
        t.text("group-alliance")
    } else if group == GroupId::home_of(mine) {
        t.text("group-own")
    } else {
        directory.group(group).map_or_else(|| group.to_string(), |group| group.name.clone())
    }
}

fn group_row(t: Texts, directory: &Directory, group: &SharingGroup, mine: MemberId) -> GroupRow {
    let mut parties: Vec<String> = group
        .members
        .iter()
        .filter_map(|id| directory.member(*id))
        .map(|member| member.name.clone())
        .collect();
    parties.sort();
    let explained = match group.id {
        GroupId::ALLIANCE => Some(t.text("group-alliance-explained")),
        id if id == GroupId::home_of(mine) => Some(t.text("group-own-explained")),
        _ => None,
    };
    GroupRow {
        id: group.id.to_string(),
        name: group_name(t, directory, group.id, mine),
        ceiling: t.tlp(Some(group.ceiling.as_str())),
        names: match group.names {
            SightingNames::Shown => t.text("group-names-shown"),
            SightingNames::Hidden => t.text("group-names-hidden"),
        },
        parties: t.list(&parties),
        explained,
    }
}

fn rows(t: Texts, directory: &Directory, mine: MemberId) -> (Vec<MemberRow>, Vec<GroupRow>) {
    let mut members: Vec<MemberRow> = directory
        .members()
        .map(|member| MemberRow {
            own: member.id == mine,
            kind: String::new(),
            sectors: t.sectors(&member.sectors),
            body: member.into(),
        })
        .map(|row| MemberRow { kind: t.text(&format!("member-kind-{}", row.body.kind)), ..row })
        .collect();
    members.sort_by(|a, b| a.body.name.cmp(&b.body.name));
    let mut groups: Vec<&SharingGroup> = directory.groups_of(mine).collect();
    // The alliance's first, one's own last.
    groups.sort_by_key(|group| {
        (group.id == GroupId::home_of(mine), group.id != GroupId::ALLIANCE, group.name.clone())
    });
    (members, groups.into_iter().map(|group| group_row(t, directory, group, mine)).collect())
}

/// What was typed and refused, if anything was.
#[derive(Default)]
struct Typed {
    member: MemberTyped,
    member_error: Option<String>,
    group: GroupTyped,
    group_error: Option<String>,
}

async fn render(ask: &Ask, typed: Typed) -> Result<MembersPage, Problem> {
    let t = Texts::new(ask.language);
    let directory = ask.app.directory();
    let (members, groups) = rows(t, &directory, ask.reader().member());
    let Typed { member, member_error, group, group_error } = typed;
    let ceilings = Tlp::ALL
        .into_iter()
        .map(|tlp| Choice {
            value: tlp.as_str().into(),
            label: tlp.to_string(),
            chosen: group.ceiling == tlp.as_str(),
        })
        .collect();
    Ok(MembersPage {
        t,
        frame: Frame::of(ask, Place::Members, "members-title").await?.back_to("/members"),
        tab: "members",
        members,
        groups,
        kinds: forms::kinds(t, &member.kind),
        sectors: forms::sectors(t, &member.sectors),
        typed: member,
        member_error,
        parties: forms::members(&directory, &group.members),
        ceilings,
        group,
        group_error,
    })
}

/// `GET /members`.
///
/// # Errors
/// As `App::read`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let member = MemberTyped { kind: "nation".into(), ..MemberTyped::default() };
    let group =
        GroupTyped { ceiling: Tlp::Amber.as_str().into(), names: "hidden".into(), ..GroupTyped::default() };
    html(&render(&ask, Typed { member, group, ..Typed::default() }).await?)
}

/// `POST /members`.
///
/// # Errors
/// As `App::append`; what cannot be so is the form again.
pub async fn admit(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let form = ask.form().await?;
    let member = MemberTyped::read(&form);
    match admit_member(&ask.app, NewMember::from(&member)).await {
        Ok(_) => Ok(see_other("/members")),
        Err(problem) if problem.status.is_client_error() => {
            let member_error = Some(Texts::new(ask.language).problem(&problem));
            html_about(&problem, &render(&ask, Typed { member, member_error, ..Typed::default() }).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /groups`.
///
/// # Errors
/// As `App::append`; what cannot be so is the form again.
pub async fn form_group(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let form = ask.form().await?;
    let group = GroupTyped {
        name: form.get("name").to_owned(),
        ceiling: form.get("ceiling").to_owned(),
        names: form.get("names").to_owned(),
        members: forms::all(&form, "members"),
    };
    let new = NewGroup {
        name: group.name.clone(),
        ceiling: group.ceiling.clone(),
        names: group.names.clone(),
        members: group.members.clone(),
    };
    match alliance::form_group(&ask.app, new).await {
        Ok(_) => Ok(see_other("/members")),
        Err(problem) if problem.status.is_client_error() => {
            let group_error = Some(Texts::new(ask.language).problem(&problem));
            html_about(&problem, &render(&ask, Typed { group, group_error, ..Typed::default() }).await?)
        }
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;
    use shieldwall_model::directory::{Member, MemberKind};
    use shieldwall_model::id::RepeatableEntropy;
    use shieldwall_model::time::Timestamp;

    fn member(seed: u64, name: &str) -> Member {
        let id = MemberId::new(Timestamp::default(), &RepeatableEntropy::new(seed));
        Member {
            id,
            name: name.into(),
            kind: MemberKind::Nation,
            country: None,
            sectors: vec!["energy".into()],
        }
    }

    #[test]
    fn a_reader_sees_the_alliance_first_and_its_own_group_by_that_name() {
        let (estonia, latvia) = (member(1, "Estonia"), member(2, "Latvia"));
        let mut directory = Directory::default();
        directory.join(latvia.clone());
        directory.join(estonia.clone());
        let t = Texts::new(Language::English);
        let (members, groups) = rows(t, &directory, estonia.id);
        assert_eq!(
            members.iter().map(|row| (row.body.name.as_str(), row.own)).collect::<Vec<_>>(),
            [("Estonia", true), ("Latvia", false)]
        );
        assert_eq!(groups.len(), 2, "nobody sees another member's own group");
        assert_eq!(groups[0].name, t.text("group-alliance"));
        assert_eq!(groups[1].name, t.text("group-own"));
        assert_eq!(groups[0].parties, "Estonia and Latvia");
    }
}
