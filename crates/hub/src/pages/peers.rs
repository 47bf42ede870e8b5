//! Peers: other hubs and servers, how far behind each is, what went which way, and what stopped on the way.

use askama::Template;
use axum::response::Response;

use crate::api::peers::{
    NewLink, NewPeer, PeerBody, Progress, add_peer, pause_peer, remove_peer, run_peer, visible,
};
use crate::ask::{Ask, see_other};
use crate::pages::forms::{self, Choice};
use crate::pages::frame::{Frame, Place};
use crate::pages::markup::Html;
use crate::pages::tabs::{self, Tab};
use crate::pages::texts::Texts;
use crate::pages::{html, html_about};
use crate::peers::Kind;
use crate::problem::Problem;

/// Where the page is.
pub const PATH: &str = "/intelligence/peers";

/// A group of a peer, as its row shows it.
struct Row {
    peer: PeerBody,
    first: bool,
    kind: String,
    group: String,
    direction: String,
    state: Html,
    lag: String,
    error: Option<String>,
    progress: Option<Progress>,
}

/// A peer as typed; the secret is never shown again.
#[derive(Default)]
struct Typed {
    name: String,
    url: String,
    user: String,
    remote: String,
    amber: bool,
}

#[derive(Template)]
#[template(path = "peers/page.html")]
struct PeersPage {
    t: Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    manages: bool,
    typed: Typed,
    kinds: Vec<Choice>,
    members: Vec<Choice>,
    groups: Vec<Choice>,
    directions: Vec<Choice>,
    markings: Vec<Choice>,
    error: Option<String>,
}

fn rows(ask: &Ask, t: Texts, peers: Vec<PeerBody>) -> Vec<Row> {
    let mut rows = Vec::new();
    for peer in peers {
        for (at, link) in peer.groups.iter().enumerate() {
            let progress = link.progress.clone();
            let failed = progress.as_ref().is_some_and(|progress| progress.error.is_some());
            let busy = progress.as_ref().is_some_and(|progress| progress.busy);
            let (tone, key) = match (peer.paused, failed, busy) {
                (true, ..) => ("outline", "exchange-paused"),
                (_, _, true) => ("good", "exchange-busy"),
                (_, true, _) => ("bad", "exchange-failed"),
                _ if progress.as_ref().is_some_and(|progress| progress.done.is_some()) => {
                    ("good", "exchange-good")
                }
                _ => ("outline", "exchange-new"),
            };
            let id = link.group.parse().ok().filter(|_| progress.is_some());
            let group = id.map(|id| {
                crate::pages::members::group_name(t, &ask.app.directory(), id, ask.reader().member())
            });
            rows.push(Row {
                first: at == 0,
                kind: t.text(if peer.kind == Kind::Hub { "peer-kind-hub" } else { "peer-kind-taxii" }),
                group: group.unwrap_or_else(|| link.group.clone()),
                direction: t.text(&format!("peer-direction-{}", link.direction)),
                state: Html::badge(tone, &t.text(key)),
                lag: progress
                    .as_ref()
                    .and_then(|progress| progress.lag_seconds)
                    .map_or_else(|| t.text("never"), |seconds| t.ago(seconds)),
                error: progress.as_ref().and_then(|progress| progress.error.clone()),
                progress,
                peer: peer.clone(),
            });
        }
    }
    rows
}

async fn render(ask: &Ask, typed: Typed, error: Option<String>) -> Result<PeersPage, Problem> {
    let t = Texts::new(ask.language);
    let directory = ask.app.directory();
    let choice = |value: &str, key: &str| Choice { value: value.into(), label: t.text(key), chosen: false };
    let groups = directory.groups_of(ask.reader().member()).map(|group| Choice {
        value: group.id.to_string(),
        label: crate::pages::members::group_name(t, &directory, group.id, ask.reader().member()),
        chosen: group.id == shieldwall_model::id::GroupId::ALLIANCE,
    });
    Ok(PeersPage {
        t,
        frame: Frame::of(ask, Place::Intelligence, "peers-title").await?.back_to(PATH),
        tabs: tabs::intelligence(t, ask.reader(), PATH),
        rows: rows(ask, t, visible(ask).await?),
        manages: ask.reader().may(shieldwall_model::access::Action::ManagePeers),
        typed,
        kinds: vec![choice("hub", "peer-kind-hub"), choice("taxii", "peer-kind-taxii")],
        members: forms::members(&directory, &[]),
        groups: groups.collect(),
        directions: ["pull", "push", "both"]
            .map(|one| choice(one, &format!("peer-direction-{one}")))
            .into_iter()
            .collect(),
        markings: ["GREEN", "CLEAR", "AMBER"]
            .map(|one| Choice { value: one.into(), label: format!("TLP:{one}"), chosen: false })
            .into_iter()
            .collect(),
        error,
    })
}

/// `GET /intelligence/peers`.
///
/// # Errors
/// As `App::settings`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    html(&render(&ask, Typed::default(), None).await?)
}

/// `POST /intelligence/peers`.
///
/// # Errors
/// As `App::settings`; what cannot be so is the form again.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    ask.permit()?;
    let form = ask.form().await?;
    let some = |name: &str| Some(form.get(name).to_owned()).filter(|text| !text.is_empty());
    let new = NewPeer {
        name: form.get("name").to_owned(),
        kind: if form.get("kind") == "taxii" { Kind::Taxii } else { Kind::Hub },
        url: form.get("url").to_owned(),
        user: some("user"),
        secret: some("secret"),
        member: form.get("member").to_owned(),
        groups: vec![NewLink {
            group: form.get("group").to_owned(),
            remote: some("remote"),
            direction: some("direction"),
            amber: form.get("amber") == "yes",
        }],
        marking_max: some("marking_max"),
        types: Vec::new(),
        age_days_max: None,
        hops_max: None,
        interval_seconds: None,
    };
    let typed = Typed {
        name: new.name.clone(),
        url: new.url.clone(),
        user: form.get("user").to_owned(),
        remote: form.get("remote").to_owned(),
        amber: form.get("amber") == "yes",
    };
    match add_peer(&ask, new).await {
        Ok(_) => Ok(see_other(PATH)),
        Err(problem) if problem.status.is_client_error() => {
            let error = Texts::new(ask.language).problem(&problem);
            html_about(&problem, &render(&ask, typed, Some(error)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /intelligence/peers/{id}/pause`.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn pause(mut ask: Ask) -> Result<Response, Problem> {
    let form = ask.form().await?;
    pause_peer(&ask, form.get("paused") == "yes").await?;
    Ok(see_other(PATH))
}

/// `POST /intelligence/peers/{id}/run`.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn run(ask: Ask) -> Result<Response, Problem> {
    run_peer(&ask).await?;
    Ok(see_other(PATH))
}

/// `POST /intelligence/peers/{id}/remove`.
///
/// # Errors
/// 404 for a peer there is not.
pub async fn remove(ask: Ask) -> Result<Response, Problem> {
    remove_peer(&ask).await?;
    Ok(see_other(PATH))
}
