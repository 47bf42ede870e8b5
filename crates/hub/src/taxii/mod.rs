//! TAXII 2.1 (OASIS Standard, 10 June 2021): the sharing groups as collections.
//!
//! Media types, queries and resources are `shieldwall_exchange::taxii`'s; here they meet the store. Times of addition
//! rise strictly within a hub, so `added_after` and `next` page without losing or repeating an object.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shieldwall_exchange::taxii::{
    self, ApiRoot, Collection, Collections, Discovery, Endpoint, EnvelopeWriter, ErrorResource, MEDIA_TYPE,
    Manifest, ManifestRecord, Query, STIX_MEDIA_TYPE, TaxiiError, VersionMatch, Versions,
};
use shieldwall_ledger::reading::{ObjectQuery, VersionFilter};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::access::{Action, ReadScope};
use shieldwall_model::directory::SharingGroup;
use shieldwall_model::id::GroupId;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use crate::ask::Ask;
use crate::cursor::Positions;
use crate::problem::Problem;

mod add;
pub use self::add::{add, remove, status};

/// What cursors of TAXII pages are sealed for.
const USE: &str = "taxii";

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

/// Checks `Accept` (section 1.6.8.2).
pub(crate) fn acceptable(ask: &Ask) -> Result<(), Problem> {
    Ok(taxii::accepts(header_text(&ask.headers, &header::ACCEPT))?)
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
    let base = base(&ask);
    let root = format!("{base}/taxii2/api/");
    let discovery = Discovery {
        title: "Shieldwall".into(),
        description: Some("Threat intelligence shared in the alliance".into()),
        contact: None,
        default: Some(root.clone()),
        api_roots: vec![root],
    };
    resource(StatusCode::OK, &discovery)
}

/// The address the client used, which is what it can reach.
pub(crate) fn base(ask: &Ask) -> String {
    let host =
        header_text(&ask.headers, &header::HOST).filter(|host| host.len() <= 255).unwrap_or("localhost");
    let scheme = if ask.app.speaks_tls() { "https" } else { "http" };
    format!("{scheme}://{host}")
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
        Collection::new(group.id.uuid().to_string(), group.name.clone(), can_read, can_write);
    collection.description =
        Some(format!("Sharing group, at most {}, {} members", group.ceiling, group.members.len()));
    collection
}

/// The collection named in the path, if the reader is party to it.
pub(crate) fn group_of(ask: &Ask) -> Result<GroupId, Problem> {
    let text = ask.path("collection")?;
    let group = GroupId::from_uuid(Uuid::try_parse(text).map_err(|_| Problem::absent())?);
    ask.permit_in(group)?;
    Ok(group)
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

/// What a request asks of a collection, understood.
struct Asked {
    scope: ReadScope,
    group: GroupId,
    query: ObjectQuery,
}

fn asked(ask: &Ask, endpoint: Endpoint) -> Result<Asked, Problem> {
    acceptable(ask)?;
    let group = group_of(ask)?;
    let scope = ask.scope()?.only(group)?;
    let pairs = ask.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = Query::parse(endpoint, pairs)?;
    let after = match &query.next {
        Some(text) => {
            let stale = || {
                Problem::unreadable(
                    "taxii.next.stale",
                    "`next` is not one of yours, or belongs to another request; start again without it",
                )
            };
            ask.app.seal().open(&scope, USE, text).map_err(|_| stale())?.get(&group).copied()
        }
        None => None,
    };
    let limit = query.page_items();
    let mut ids = query.ids;
    if let Ok(object) = ask.path("object") {
        ids = vec![object.to_owned()];
    }
    let versions = match endpoint {
        Endpoint::Versions => VersionFilter::every(),
        _ => version_filter(&query.versions),
    };
    let query = ObjectQuery {
        ids,
        types: query.types,
        versions,
        spec_versions: query.spec_versions,
        added_after: query.added_after,
        after,
        ..ObjectQuery::new(group, limit)
    };
    Ok(Asked { scope, group, query })
}

fn version_filter(versions: &[VersionMatch]) -> VersionFilter {
    if versions.is_empty() {
        return VersionFilter::default();
    }
    let mut filter = VersionFilter { last: false, ..VersionFilter::default() };
    for version in versions {
        match version {
            VersionMatch::First => filter.first = true,
            VersionMatch::Last => filter.last = true,
            VersionMatch::All => filter.all = true,
            VersionMatch::At(time) => filter.at.push(*time),
        }
    }
    filter
}

/// The headers that say when the first and last item of a page were added (section 3.3).
fn dated(mut response: Response, first: Option<Timestamp>, last: Option<Timestamp>) -> Response {
    const FIRST: HeaderName = HeaderName::from_static("x-taxii-date-added-first");
    const LAST: HeaderName = HeaderName::from_static("x-taxii-date-added-last");
    for (name, time) in [(FIRST, first), (LAST, last)] {
        if let Some(value) = time.and_then(|time| HeaderValue::try_from(taxii::date_added(time)).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `GET …/objects/`.
///
/// # Errors
/// 400 for a query that cannot be understood, 404 for a collection that is hidden or absent, 406.
pub async fn objects(ask: Ask) -> Result<Response, Problem> {
    envelope(&ask, asked(&ask, Endpoint::Objects)?, false).await
}

/// `GET …/objects/{object}/`.
///
/// # Errors
/// As [`objects`]; 404 for an object that is not in the collection.
pub async fn object(ask: Ask) -> Result<Response, Problem> {
    envelope(&ask, asked(&ask, Endpoint::Object)?, true).await
}

async fn envelope(ask: &Ask, asked: Asked, must_exist: bool) -> Result<Response, Problem> {
    let Asked { scope, group, query } = asked;
    let first_page = query.after.is_none() && query.added_after.is_none();
    let wanted = scope.clone();
    let (page, known) = ask
        .read(move |reading| {
            let page = reading.objects(&wanted, &query)?.into_inner();
            // A filter may leave nothing of an object that is there: that is an empty envelope, not a 404.
            let known = match query.ids.first() {
                Some(id) if page.rows.is_empty() => {
                    reading.latest_object(&wanted, group, id)?.is_some_and(|known| !known.withdrawn)
                }
                _ => true,
            };
            Ok((page, known))
        })
        .await?;
    if must_exist && !known && first_page {
        return Err(Problem::absent());
    }
    let bytes = page.rows.iter().filter_map(|row| row.bytes.as_deref());
    let mut writer = EnvelopeWriter::new(Vec::with_capacity(
        bytes.clone().map(|bytes| bytes.len() + 1).sum::<usize>() + 128,
    ));
    for object in bytes {
        writer.push(object).map_err(|error| Problem::fault(&error))?;
    }
    let last = page.rows.last().map(|row| &row.record);
    let next = next(ask, &scope, last.filter(|_| page.more));
    let body = writer.finish(next.as_deref()).map_err(|error| Problem::fault(&error))?;
    let response = (StatusCode::OK, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
    Ok(dated(response, page.rows.first().map(|row| row.record.added), last.map(|last| last.added)))
}

/// What the page after one that ended with `last` is asked for with.
fn next(ask: &Ask, scope: &ReadScope, last: Option<&ObjectRecord>) -> Option<String> {
    last.map(|last| ask.app.seal().seal(scope, USE, &Positions::from([(last.group, last.sequence)])))
}

/// `GET …/manifest/`.
///
/// # Errors
/// As [`objects`].
pub async fn manifest(ask: Ask) -> Result<Response, Problem> {
    let Asked { scope, query, .. } = asked(&ask, Endpoint::Manifest)?;
    let wanted = scope.clone();
    let page = ask.read(move |reading| reading.manifest(&wanted, &query)).await?.into_inner();
    let next = next(&ask, &scope, page.rows.last().filter(|_| page.more));
    let (first, last) = (page.rows.first().map(|o| o.added), page.rows.last().map(|o| o.added));
    let objects = page
        .rows
        .into_iter()
        .map(|object| ManifestRecord {
            id: object.id,
            date_added: object.added,
            version: object.version,
            media_type: Some(match object.spec_version.as_str() {
                "2.0" => "application/stix+json;version=2.0".into(),
                _ => STIX_MEDIA_TYPE.into(),
            }),
        })
        .collect();
    let response = resource(StatusCode::OK, &Manifest { more: page.more, objects, next })?;
    Ok(dated(response, first, last))
}

/// `GET …/objects/{object}/versions/`.
///
/// # Errors
/// As [`objects`]; 404 for an object that is not in the collection.
pub async fn versions(ask: Ask) -> Result<Response, Problem> {
    let Asked { scope, query, .. } = asked(&ask, Endpoint::Versions)?;
    let first_page = query.after.is_none() && query.added_after.is_none();
    let wanted = scope.clone();
    let page = ask.read(move |reading| reading.manifest(&wanted, &query)).await?.into_inner();
    let next = next(&ask, &scope, page.rows.last().filter(|_| page.more));
    if page.rows.is_empty() && first_page {
        return Err(Problem::absent());
    }
    let (first, last) = (page.rows.first().map(|o| o.added), page.rows.last().map(|o| o.added));
    let versions =
        Versions { more: page.more, versions: page.rows.iter().map(|object| object.version).collect(), next };
    Ok(dated(resource(StatusCode::OK, &versions)?, first, last))
}
