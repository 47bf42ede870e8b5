//! What two hubs tell each other: who they are, and a group's record page by page with the way of every object.
//!
//! What leaves here is what the terms with the asking member's peer let leave, whoever asks: where no peer is set up for
//! it, GREEN and what is more open.

use axum::response::Response;
use shieldwall_exchange::peer::{Hello, HubId, Page};
use shieldwall_model::id::GroupId;
use uuid::Uuid;

use crate::ask::{Ask, json};
use crate::cursor::Positions;
use crate::peers::passing::{Outward, inward, outward};
use crate::peers::terms_for;
use crate::problem::Problem;

/// What cursors of these pages are sealed for.
const USE: &str = "exchange";

/// `GET /api/v1/exchange`.
///
/// # Errors
/// None past the access rule.
pub async fn hello(ask: Ask) -> Result<Response, Problem> {
    let directory = ask.app.directory();
    let groups = directory.groups_of(ask.reader().member());
    json(&Hello {
        hub: ask.app.hub_id(),
        realm: ask.app.realm().to_string(),
        groups: groups.map(|group| (group.id.to_string(), group.name.clone())).collect(),
    })
}

/// The group in the path: its id, or its UUID alone.
fn group_of(ask: &Ask) -> Result<GroupId, Problem> {
    let text = ask.path("group")?;
    let group = text.parse().or_else(|_| Uuid::try_parse(text).map(GroupId::from_uuid));
    let group = group.map_err(|_| Problem::absent())?;
    ask.permit_in(group)?;
    Ok(group)
}

/// `GET /api/v1/exchange/{group}`.
///
/// # Errors
/// 404 for a group that is hidden or absent, 410 for a cursor that is not this reader's.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let group = group_of(&ask)?;
    let (app, scope) = (&ask.app, ask.scope()?.only(group)?);
    let after = match ask.query("after") {
        Some(text) => app.seal().open(&scope, USE, text)?.get(&group).copied().unwrap_or(0),
        None => 0,
    };
    let ceiling = app.directory().group(group).map(|group| group.ceiling).ok_or_else(Problem::absent)?;
    let member = ask.reader().member();
    let asked = Outward {
        group,
        ceiling,
        member,
        terms: terms_for(app, member, group).await?,
        here: app.hub_id(),
        to: ask.query_as::<HubId>("for")?,
        recalls: true,
        now: app.now(),
    };
    let wanted = scope.clone();
    let found = ask.read(move |reading| outward(reading, &wanted, &asked, after)).await?;
    json(&Page {
        hub: app.hub_id(),
        realm: app.realm().to_string(),
        items: found.items.iter().filter_map(|leaving| leaving.item()).collect(),
        next: Some(app.seal().seal(&scope, USE, &Positions::from([(group, found.reached)]))),
        more: found.more,
    })
}

/// `POST /api/v1/exchange/{group}`.
///
/// # Errors
/// 404 for a group that is hidden or absent, 400 for a body that is no page, 409 for one of another realm or of this hub.
pub async fn take(mut ask: Ask) -> Result<Response, Problem> {
    let group = group_of(&ask)?;
    let bytes = ask.bytes().await?;
    let page: Page<'_> = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::unreadable("exchange.page", error.to_string()))?;
    let conflict =
        |code, words: &str| Err(Problem::new(axum::http::StatusCode::CONFLICT, code, words.to_owned()));
    if page.realm != ask.app.realm().to_string() {
        return conflict("exchange.realm", "this hub serves another realm, and realms never mix");
    }
    if page.hub == ask.app.hub_id() {
        return conflict("exchange.itself", "this page comes from this hub itself");
    }
    let terms = terms_for(&ask.app, ask.reader().member(), group).await?;
    json(&inward(&ask.app, ask.reader(), group, &terms, &page.items).await?)
}
