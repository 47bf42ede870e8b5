//! Pages of a collection: objects, manifest and versions, stable whatever is written meanwhile.
//!
//! A page goes by the sequence of entries in the log. What is added meanwhile only ever comes later; a version that stops
//! being the last does so because one came later. So a walk shows each object at least once, and the same version never
//! twice.
//!
//! What was taken back is in no page (section 5.7). But who asks with `added_after` or `next` has been here before and may
//! hold it: to them its revocation is told, a version of its own that came after, in the order of all others.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shieldwall_exchange::taxii::{
    self, Endpoint, EnvelopeWriter, MEDIA_TYPE, Manifest, ManifestRecord, Query, STIX_20_MEDIA_TYPE,
    STIX_MEDIA_TYPE, VersionMatch, Versions,
};
use shieldwall_ledger::reading::{
    ObjectPage, ObjectQuery, PageEnd, ReadError, Reading, StoredObject, VersionFilter,
};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::id::GroupId;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::{acceptable, group_of, resource};
use crate::ask::Ask;
use crate::problem::Problem;

/// What cursors of TAXII pages are sealed for.
const USE: &str = "taxii";
/// Room made for an envelope before it is known how large it gets, in bytes.
const ENVELOPE_BYTES: usize = 4 * 1024;

/// Where a page ended.
#[derive(Clone, Copy)]
struct Place {
    group: GroupId,
    /// The sequence of its last item.
    after: u64,
    /// Revocations later than this are told on the next page: what the log had reached when the walk began, or 0.
    since: u64,
    /// When its last item was added.
    added: Timestamp,
}

impl Place {
    fn write(self) -> [u8; 40] {
        let mut bytes = [0u8; 40];
        let parts = self.group.uuid().into_bytes().into_iter();
        let parts = parts.chain(self.after.to_be_bytes()).chain(self.since.to_be_bytes());
        bytes
            .iter_mut()
            .zip(parts.chain(self.added.as_micros().to_be_bytes()))
            .for_each(|(to, from)| *to = from);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (group, rest) = bytes.split_first_chunk::<16>()?;
        let (after, rest) = rest.split_first_chunk::<8>()?;
        let (since, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            group: GroupId::from_uuid(Uuid::from_bytes(*group)),
            after: u64::from_be_bytes(*after),
            since: u64::from_be_bytes(*since),
            added: Timestamp::from_micros(i64::from_be_bytes(rest.try_into().ok()?)),
        })
    }
}

/// What a request asks of a collection, understood.
struct Asked {
    scope: ReadScope,
    query: ObjectQuery,
    /// Revocations later than this are told; none to a client that begins with nothing.
    since: Option<u64>,
    /// Everything up to this time is known to the client.
    reached: Timestamp,
    /// Whether one object is asked for, which is there or is not.
    one: bool,
}

fn asked(ask: &Ask, endpoint: Endpoint) -> Result<Asked, Problem> {
    acceptable(ask)?;
    let group = group_of(ask)?;
    let scope = ask.scope()?.only(group)?;
    let pairs = ask.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let asked = Query::parse(endpoint, pairs)?;
    let place = asked.next.as_deref().map(|text| place(ask, &scope, group, text)).transpose()?;
    let mut query = ObjectQuery::new(group, asked.page_items());
    query.added_after = asked.added_after;
    query.after = place.map(|place| place.after);
    query.versions = match (endpoint, asked.versions.as_slice()) {
        (Endpoint::Versions, []) => VersionFilter::every(),
        (_, versions) => version_filter(versions),
    };
    query.ids = asked.ids;
    query.types = asked.types;
    query.spec_versions = asked.spec_versions;
    let one = ask.path("object").ok();
    if let Some(id) = one {
        if !query.ids.is_empty() && !query.ids.iter().any(|wanted| wanted == id) {
            return Err(Problem::absent());
        }
        query.ids = vec![id.to_owned()];
    }
    let reached = place.map(|place| place.added).into_iter().chain(asked.added_after).max();
    Ok(Asked {
        scope,
        query,
        since: match (one, place, asked.added_after) {
            (None, Some(place), _) => Some(place.since),
            (None, None, Some(_)) => Some(0),
            _ => None,
        },
        reached: reached.unwrap_or_default(),
        one: one.is_some(),
    })
}

fn place(ask: &Ask, scope: &ReadScope, group: GroupId, text: &str) -> Result<Place, Problem> {
    let bytes = ask.app.seal().open_bytes(scope, USE, text).ok();
    bytes.and_then(|bytes| Place::read(&bytes)).filter(|place| place.group == group).ok_or_else(|| {
        Problem::unreadable(
            "taxii.next.stale",
            "`next` is not one of yours, or belongs to another collection; start again without it",
        )
    })
}

/// `match[version]`; without it the last version is meant.
pub(super) fn version_filter(versions: &[VersionMatch]) -> VersionFilter {
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

/// A page read, and what is to be said of it.
struct Page<T> {
    rows: Vec<T>,
    /// What the next page is asked for with.
    next: Option<String>,
    /// When the first and last item were added; on an empty page, up to when the client knows all.
    dated: [Timestamp; 2],
}

/// How a page is read: with the bytes, or without.
type Fetch<T> = fn(&Reading<'_>, &ReadScope, &ObjectQuery) -> Result<Visible<ObjectPage<T>>, ReadError>;

async fn page<T: Send + 'static>(
    ask: &Ask,
    asked: Asked,
    fetch: Fetch<T>,
    of: fn(&T) -> &ObjectRecord,
) -> Result<Page<T>, Problem> {
    let Asked { scope, query, since, reached, one } = asked;
    let (group, wanted) = (query.group, scope.clone());
    let read = ask
        .read(move |reading| {
            // Before anything else, so that whatever is taken back from here on is later than it.
            let head = reading.positions(&wanted).get(&group).copied().unwrap_or(0);
            let page = match since {
                Some(since) => with_revocations(reading, &wanted, query, (since, head), fetch, of)?,
                None if one => match one_object(reading, &wanted, &query, fetch)? {
                    Some(page) => page,
                    None => return Ok(None),
                },
                None => fetch(reading, &wanted, &query)?.into_inner(),
            };
            Ok(Some((page, since.unwrap_or(head))))
        })
        .await?;
    let (ObjectPage { rows, more }, since) = read.ok_or_else(Problem::absent)?;
    let last = rows.last().map(of);
    let next = last.filter(|_| more).map(|last| {
        let place = Place { group, after: last.sequence, since, added: last.added };
        ask.app.seal().seal_bytes(&scope, USE, &place.write())
    });
    let dated = [rows.first().map(of), last].map(|row| row.map_or(reached, |row| row.added));
    Ok(Page { next, dated, rows })
}

/// A page of objects in use and of revocations, as of one place in the log.
fn with_revocations<T>(
    reading: &Reading<'_>,
    scope: &ReadScope,
    query: ObjectQuery,
    (since, head): (u64, u64),
    fetch: Fetch<T>,
    of: fn(&T) -> &ObjectRecord,
) -> Result<ObjectPage<T>, ReadError> {
    // Two statements see two states; what neither has beyond this place, the next page has.
    let query = ObjectQuery { until: Some(head), ..query };
    let told = ObjectQuery { revocations_after: Some(since), ..query.clone() };
    let told = fetch(reading, scope, &told)?.into_inner();
    let mut page = fetch(reading, scope, &query)?.into_inner();
    if !told.rows.is_empty() {
        page.rows.extend(told.rows);
        page.rows.sort_by_key(|row| of(row).sequence);
        page.more |= told.more || page.rows.len() > query.limit;
        page.rows.truncate(query.limit);
    }
    Ok(page)
}

/// The page of one object; `None` when the collection does not have it, or had the very versions asked for and they were
/// taken back (section 5.7). A filter that leaves nothing of an object that is there gives an empty page.
fn one_object<T>(
    reading: &Reading<'_>,
    scope: &ReadScope,
    query: &ObjectQuery,
    fetch: Fetch<T>,
) -> Result<Option<ObjectPage<T>>, ReadError> {
    let page = fetch(reading, scope, query)?.into_inner();
    if !page.rows.is_empty() {
        return Ok(Some(page));
    }
    let known = match query.ids.first() {
        Some(id) => reading.latest_object(scope, query.group, id)?,
        None => None,
    };
    if known.is_none_or(|known| known.withdrawn) {
        return Ok(None);
    }
    let gone = ObjectQuery { include_withdrawn: true, ..query.clone() };
    let gone = !query.versions.at.is_empty() && !reading.manifest(scope, &gone)?.rows.is_empty();
    Ok((!gone).then_some(page))
}

/// Adds the headers that say when the first and last item of a page were added (section 3.2), which every page carries:
/// on an empty one they are the time up to which the client knows all, good to ask with again.
fn dated(mut response: Response, dated: [Timestamp; 2]) -> Response {
    const NAMES: [HeaderName; 2] = [
        HeaderName::from_static("x-taxii-date-added-first"),
        HeaderName::from_static("x-taxii-date-added-last"),
    ];
    for (name, time) in NAMES.into_iter().zip(dated) {
        if let Ok(value) = HeaderValue::try_from(taxii::date_added(time)) {
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
    envelope(&ask, asked(&ask, Endpoint::Objects)?).await
}

/// `GET …/objects/{object}/`.
///
/// # Errors
/// As [`objects`]; 404 for an object that is not in the collection.
pub async fn object(ask: Ask) -> Result<Response, Problem> {
    envelope(&ask, asked(&ask, Endpoint::Object)?).await
}

async fn envelope(ask: &Ask, asked: Asked) -> Result<Response, Problem> {
    if asked.one {
        return rows_envelope(ask, asked).await;
    }
    let (scope, query, since) = (asked.scope.clone(), asked.query.clone(), asked.since);
    let (group, limit) = (query.group, query.limit);
    let found = ask.read(move |reading| written(reading, &scope, query, since)).await?;
    // Revocations stand among the objects: the page is put together from rows.
    let Some(Written { writer, end, since }) = found else { return rows_envelope(ask, asked).await };
    let place = |after| Place { group, after, since, added: end.last.unwrap_or_default() };
    let next = end.sequence.filter(|_| end.more).map(place);
    let next = next.map(|place| ask.app.seal().seal_bytes(&asked.scope, USE, &place.write()));
    debug_assert!(end.objects <= limit);
    let body =
        writer.and_then(|writer| writer.finish(next.as_deref())).map_err(|error| Problem::fault(&error))?;
    let response = (StatusCode::OK, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
    Ok(dated(response, [end.first, end.last].map(|time| time.unwrap_or(asked.reached))))
}

/// A page of objects as it goes out, straight from the disk.
struct Written {
    writer: std::io::Result<EnvelopeWriter<Vec<u8>>>,
    end: PageEnd,
    since: u64,
}

/// Writes a page that has no revocations in it; `None` when there are any to tell.
fn written(
    reading: &Reading<'_>,
    scope: &ReadScope,
    query: ObjectQuery,
    since: Option<u64>,
) -> Result<Option<Written>, ReadError> {
    // Before anything else, so that whatever is taken back from here on is later than it.
    let head = reading.positions(scope).get(&query.group).copied().unwrap_or(0);
    let query = match since {
        None => query,
        Some(since) => {
            let query = ObjectQuery { until: Some(head), ..query };
            let told = ObjectQuery { revocations_after: Some(since), limit: 1, ..query.clone() };
            if !reading.manifest(scope, &told)?.rows.is_empty() {
                return Ok(None);
            }
            query
        }
    };
    let mut writer = EnvelopeWriter::new(Vec::with_capacity(ENVELOPE_BYTES));
    let mut failed = None;
    let end = reading.object_bytes(scope, &query, |object| {
        if failed.is_none() {
            failed = writer.push(object).err();
        }
    })?;
    let writer = failed.map_or(Ok(writer), Err);
    Ok(Some(Written { writer, end: end.into_inner(), since: since.unwrap_or(head) }))
}

async fn rows_envelope(ask: &Ask, asked: Asked) -> Result<Response, Problem> {
    let page = page(ask, asked, |reading, scope, query| reading.objects(scope, query), record_of).await?;
    let bytes = page.rows.iter().filter_map(|row| row.bytes.as_deref());
    let mut writer = EnvelopeWriter::new(Vec::with_capacity(
        bytes.clone().map(|bytes| bytes.len() + 1).sum::<usize>() + 128,
    ));
    for object in bytes {
        writer.push(object).map_err(|error| Problem::fault(&error))?;
    }
    let body = writer.finish(page.next.as_deref()).map_err(|error| Problem::fault(&error))?;
    let response = (StatusCode::OK, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
    Ok(dated(response, page.dated))
}

fn record_of(row: &StoredObject) -> &ObjectRecord {
    &row.record
}

/// A page without the objects' bytes.
async fn records(ask: &Ask, asked: Asked) -> Result<Page<ObjectRecord>, Problem> {
    page(ask, asked, |reading, scope, query| reading.manifest(scope, query), |record| record).await
}

/// `GET …/manifest/`.
///
/// # Errors
/// As [`objects`].
pub async fn manifest(ask: Ask) -> Result<Response, Problem> {
    let Page { rows, next, dated: times } = records(&ask, asked(&ask, Endpoint::Manifest)?).await?;
    let objects = rows
        .into_iter()
        .map(|object| ManifestRecord {
            id: object.id,
            date_added: object.added,
            version: object.version,
            media_type: Some(match object.spec_version.as_str() {
                "2.0" => STIX_20_MEDIA_TYPE.into(),
                _ => STIX_MEDIA_TYPE.into(),
            }),
        })
        .collect();
    let response = resource(StatusCode::OK, &Manifest { more: next.is_some(), objects, next })?;
    Ok(dated(response, times))
}

/// `GET …/objects/{object}/versions/`.
///
/// # Errors
/// As [`objects`]; 404 for an object that is not in the collection.
pub async fn versions(ask: Ask) -> Result<Response, Problem> {
    let Page { rows, next, dated: times } = records(&ask, asked(&ask, Endpoint::Versions)?).await?;
    let versions = rows.iter().map(|object| object.version).collect();
    let response = resource(StatusCode::OK, &Versions { more: next.is_some(), versions, next })?;
    Ok(dated(response, times))
}
