//! TAXII 2.1 (OASIS Standard, 10 June 2021): the sharing groups as collections.
//!
//! Media types, queries and resources are `shieldwall_exchange::taxii`'s; here they meet the store. Times of addition
//! rise strictly within a hub, so `added_after` and `next` page without losing or repeating an object.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shieldwall_exchange::taxii::{
    self, ApiRoot, Collection, Collections, Discovery, ErrorResource, MEDIA_TYPE, TaxiiError,
};
use shieldwall_model::access::{Action, Reader};
use shieldwall_model::directory::{Directory, SharingGroup};
use shieldwall_model::id::GroupId;
use uuid::Uuid;

use crate::app::App;
use crate::ask::Ask;
use crate::problem::Problem;

mod add;
mod page;
pub use self::add::{add, remove, status};
pub use self::page::{manifest, object, objects, versions};

/// A problem as a TAXII error resource (section 3.6.1).
pub fn problem(problem: &Problem) -> Response {
    let title = problem.status.canonical_reason().unwrap_or("Problem");
    let resource = ErrorResource::new(title, problem.status.as_u16(), problem.code, problem.detail.clone());
    let body = serde_json::to_vec(&resource).unwrap_or_default();
    (problem.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response()
}

impl From<TaxiiError> for Problem {
    fn from(error: TaxiiError) -> Self {
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, error.code(), error.to_string())
    }
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Checks `Accept` (section 1.6.8.2), which may stand in several lines (RFC 9110 section 5.3).
pub(crate) fn acceptable(ask: &Ask) -> Result<(), Problem> {
    let lines: Vec<&str> =
        ask.headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
    Ok(taxii::accepts(Some(&lines.join(",")))?)
}

/// A resource, in TAXII's media type.
pub(crate) fn resource<T: Serialize>(status: StatusCode, value: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::fault(&error))?;
    Ok((status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
}

/// `GET /taxii2/`.
///
/// # Errors
/// 406 for a client that takes nothing we can send.
pub async fn discovery(ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    let root = api_root_url(&ask);
    let discovery = Discovery {
        title: "Shieldwall".into(),
        description: Some("Threat intelligence shared in the alliance".into()),
        contact: None,
        default: Some(root.clone()),
        api_roots: vec![root],
    };
    resource(StatusCode::OK, &discovery)
}

/// Where the API root is: at the address the client used, if that is HTTPS of our own. Otherwise as a path, which the
/// standard has beside HTTPS URLs (section 4.1.1) and which holds behind any proxy that adds the TLS.
fn api_root_url(ask: &Ask) -> String {
    const PATH: &str = "/taxii2/api/";
    let host = header_text(&ask.headers, &header::HOST).filter(|host| host.len() <= 255);
    match host {
        Some(host) if ask.app.speaks_tls() => format!("https://{host}{PATH}"),
        _ => PATH.into(),
    }
}

/// `GET /taxii2/api/`.
///
/// # Errors
/// As [`discovery`].
pub async fn api_root(ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    resource(StatusCode::OK, &ApiRoot::new("Shieldwall", Some("The sharing groups you are party to".into())))
}

/// `GET /taxii2/api/collections/`.
///
/// # Errors
/// As [`discovery`].
pub async fn collections(ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    let directory = ask.app.directory();
    let mut groups: Vec<&SharingGroup> = directory.groups_of(ask.reader().member()).collect();
    // The group of all members first: it is what a client that looks no further should find.
    groups.sort_by_key(|group| (group.id != GroupId::ALLIANCE, &group.name, group.id));
    let collections = groups.into_iter().map(|group| described(&ask, group)).collect();
    resource(StatusCode::OK, &Collections { collections })
}

fn described(ask: &Ask, group: &SharingGroup) -> Collection {
    let can_read = ask.reader().permit_in(Action::ReadIntelligence, group.id).is_ok();
    let can_write = ask.reader().permit_in(Action::ShareIntelligence, group.id).is_ok();
    let mut collection =
        Collection::new(collection_id(group.id).to_string(), group.name.clone(), can_read, can_write);
    collection.alias = Some(group.id.uuid().to_string());
    collection.description =
        Some(format!("Sharing group, at most {}, {} members", group.ceiling, group.members.len()));
    collection
}

/// The collection named in the path, if the reader is party to it.
pub(crate) fn group_of(ask: &Ask) -> Result<GroupId, Problem> {
    let group = group_named(&ask.app.directory(), ask.reader(), ask.path("collection")?)?;
    ask.permit_in(group)?;
    Ok(group)
}

/// The id of a group's collection. TAXII 2.1 section 2 asks for a UUIDv4, which a group's own id is not, so it is one made
/// of the hash of that; whoever knows the group's id may use that as well, and it is the collection's alias.
pub fn collection_id(group: GroupId) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"shieldwall/taxii/collection/v1\n");
    hash.update(group.uuid().as_bytes());
    let mut bytes = [0u8; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The group a collection's id or alias names, among those the reader's member is party to.
fn group_named(directory: &Directory, reader: &Reader, text: &str) -> Result<GroupId, Problem> {
    let id = Uuid::try_parse(text).map_err(|_| Problem::absent())?;
    directory
        .groups_of(reader.member())
        .map(|group| group.id)
        .find(
            |group| if id.get_version_num() == 4 { collection_id(*group) == id } else { group.uuid() == id },
        )
        .ok_or_else(Problem::absent)
}

/// Answers 404 for a collection the reader can neither read nor write, whatever was asked of it: only of a collection that
/// is theirs to see does anybody learn what their role may not do (section 5.7 has a table of it).
///
/// # Errors
/// 404.
pub(crate) fn hide(app: &App, reader: &Reader, collection: Option<&String>) -> Result<(), Problem> {
    let Some(text) = collection else { return Ok(()) };
    group_named(&app.directory(), reader, text)?;
    let of_use = reader.may(Action::ReadIntelligence) || reader.may(Action::ShareIntelligence);
    if of_use { Ok(()) } else { Err(Problem::absent()) }
}

/// `GET /taxii2/api/collections/{collection}/`.
///
/// # Errors
/// 404 for a collection that is hidden or absent.
pub async fn collection(ask: Ask) -> Result<Response, Problem> {
    acceptable(&ask)?;
    let group = group_of(&ask)?;
    let directory = ask.app.directory();
    resource(StatusCode::OK, &described(&ask, directory.group(group).ok_or_else(Problem::absent)?))
}
