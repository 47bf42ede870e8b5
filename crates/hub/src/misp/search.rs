//! `restSearch`: events, attributes and objects by what a client asks of them, in the format it asks for.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use shieldwall_exchange::misp::formats::{self, COLUMNS, Found as InEvent, found_in};
use shieldwall_exchange::misp::{Event, Node, node};
use shieldwall_exchange::warninglist::Warninglists;
use shieldwall_ledger::reading::{ReadError, SearchQuery};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::directory::Directory;
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use uuid::Uuid;

use super::body;
use super::events::{EVENTS_MAX, reading};
use super::store::{Found, ROOTS, Store, With, presented};
use super::tags::like;
use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Most attributes in one answer.
const ATTRIBUTES_MAX: usize = 10_000;
/// Most objects a word may find before an event is asked for.
const HITS_MAX: usize = 1_000;

/// What a client asks: the fields of its body, and of the query string.
pub(crate) struct Asked(Node);

/// What must be, of which one must be, and what must not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    any: Vec<String>,
    all: Vec<String>,
    none: Vec<String>,
}

impl Asked {
    /// Reads a request.
    pub(crate) async fn read(ask: &mut Ask) -> Result<Self, Problem> {
        let mut fields = super::unwrapped(body(ask).await?, "request")?;
        for (key, value) in &ask.query {
            fields.entry(key.clone()).or_insert_with(|| value.clone().into());
        }
        fields.retain(|_, value| !value.is_null());
        Ok(Self(fields))
    }

    fn terms(&self, keys: &[&str]) -> Option<Terms> {
        let value = keys.iter().find_map(|key| self.0.get(*key))?;
        let mut terms = Terms::default();
        terms.gather(value, 'o');
        (terms != Terms::default()).then_some(terms)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).map(|_| node::flag(&self.0, key))
    }

    /// The bounds of a page: how many, and how many before it.
    pub(crate) fn page(&self, most: usize) -> (usize, usize) {
        let number = |key: &str| node::number(&self.0, key).and_then(|n| usize::try_from(n).ok());
        let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(most).min(most);
        let page = number("page").unwrap_or(1).max(1);
        (limit, (page - 1).saturating_mul(limit))
    }

    /// Whether an event fits what is asked of events.
    pub(crate) fn event_fits(&self, found: &Found, directory: &Directory, now: Timestamp) -> bool {
        let node = &found.event.node;
        let uuid = found.event.uuid();
        let named = |term: &str| node::named(term) == Some(uuid);
        let owner = found.owner.and_then(|owner| directory.member(owner));
        let orgc = node.get("Orgc").and_then(Value::as_object);
        let of_org = |term: &str| {
            let name = orgc.map(|orgc| node::shown(orgc, "name")).unwrap_or_default();
            let own = orgc.and_then(|orgc| node::uuid(orgc, "uuid"));
            let asked = node::named(term);
            name.eq_ignore_ascii_case(term)
                || owner.is_some_and(|owner| owner.name.eq_ignore_ascii_case(term))
                || asked.is_some() && (asked == own || asked == owner.map(|owner| owner.id.uuid()))
        };
        let tagged = |term: &str| node::tags(node).any(|tag| like_whole(tag, term));
        let date = node::text(node, "date").unwrap_or_default().to_owned();
        let day = |key: &[&str]| key.iter().find_map(|key| self.moment(key, now)).map(|at| day_of(at));
        let published = node::flag(node, "published");
        self.terms(&["eventid", "event_id"]).is_none_or(|terms| terms.fit(named))
            && self.terms(&["eventinfo"]).is_none_or(|terms| terms.fit(|term| like(found.event.info(), term)))
            && self.terms(&["org"]).is_none_or(|terms| terms.fit(of_org))
            && self.terms(&["event_tags"]).is_none_or(|terms| terms.fit(tagged))
            && self
                .terms(&["sharinggroup"])
                .is_none_or(|terms| terms.fit(|term| node::named(term) == Some(found.group.uuid())))
            && self.flag("published").is_none_or(|wanted| wanted == published)
            && day(&["from", "datefrom", "date_from"]).is_none_or(|from| date >= from)
            && day(&["to", "dateuntil", "date_to"]).is_none_or(|to| date <= to)
            && self.within("event_timestamp", node::seconds(node, "timestamp"), now)
            && self.within(
                "publish_timestamp",
                node::seconds(node, "publish_timestamp").or(Some(found.added)),
                now,
            )
            && self.within("last", node::seconds(node, "publish_timestamp").or(Some(found.added)), now)
    }

    /// Whether anything is asked of attributes.
    fn asks_attributes(&self) -> bool {
        const KEYS: [&str; 9] = [
            "value",
            "type",
            "category",
            "to_ids",
            "quickFilter",
            "searchall",
            "object_name",
            "object_relation",
            "uuid",
        ];
        KEYS.iter().any(|key| self.0.contains_key(*key)) || self.flag("enforceWarninglist") == Some(true)
    }

    fn attribute_fits(&self, found: &InEvent<'_>, of_attributes: bool, now: Timestamp) -> bool {
        let InEvent { event, object, attribute } = found;
        let value = node::shown(attribute, "value");
        let is = |key: &str, term: &str| like_whole(&node::shown(attribute, key), term);
        let words = |term: &str| {
            like(&value, term) || like(&node::shown(attribute, "comment"), term) || like(event.info(), term)
        };
        let tagged = |term: &str| {
            node::tags(attribute).chain(node::tags(&event.node)).any(|tag| like_whole(tag, term))
        };
        let uuids = |term: &str| {
            let asked = node::named(term);
            [
                Some(event.uuid()),
                node::uuid(attribute, "uuid"),
                object.and_then(|object| node::uuid(object, "uuid")),
            ]
            .into_iter()
            .flatten()
            .any(|uuid| asked == Some(uuid))
        };
        let valued = |term: &str| {
            like_whole(&value, term)
                || value.contains('|') && value.split('|').any(|half| like_whole(half, term))
        };
        !node::flag(attribute, "deleted")
            && self.terms(&["value"]).is_none_or(|terms| terms.fit(valued))
            && self.terms(&["type"]).is_none_or(|terms| terms.fit(|term| is("type", term)))
            && self.terms(&["category"]).is_none_or(|terms| terms.fit(|term| is("category", term)))
            && self
                .terms(&["object_relation"])
                .is_none_or(|terms| terms.fit(|term| is("object_relation", term)))
            && self.terms(&["object_name"]).is_none_or(|terms| {
                object.is_some_and(|object| terms.fit(|term| like_whole(&node::shown(object, "name"), term)))
            })
            && self.terms(&["tags", "tag"]).is_none_or(|terms| terms.fit(tagged))
            && self.terms(&["uuid"]).is_none_or(|terms| terms.fit(uuids))
            && self.terms(&["quickFilter", "searchall"]).is_none_or(|terms| terms.fit(words))
            && self.flag("to_ids").is_none_or(|wanted| wanted == node::flag(attribute, "to_ids"))
            && (!of_attributes || self.within("timestamp", node::seconds(attribute, "timestamp"), now))
            && (self.flag("enforceWarninglist") != Some(true)
                || Warninglists::built_in().check_text(&value).is_empty())
    }

    /// Whether a time lies where `key` asks: since one time, or between two.
    fn within(&self, key: &str, at: Option<Timestamp>, now: Timestamp) -> bool {
        let bounds = match self.0.get(key) {
            None => return true,
            Some(Value::Array(two)) => two.iter().map(|one| moment(one, now)).collect::<Vec<_>>(),
            Some(one) => vec![moment(one, now)],
        };
        let Some(at) = at else { return false };
        let (from, to) = (bounds.first().copied().flatten(), bounds.get(1).copied().flatten());
        // The two may come in either order.
        let (from, to) =
            if to.is_some_and(|to| from.is_some_and(|from| from > to)) { (to, from) } else { (from, to) };
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
    }

    fn moment(&self, key: &str, now: Timestamp) -> Option<Timestamp> {
        moment(self.0.get(key)?, now)
    }

    /// The words that find candidates, if the request has any.
    fn words(&self) -> Option<Vec<String>> {
        let terms = self.terms(&["value"]).or_else(|| self.terms(&["quickFilter", "searchall"]))?;
        let words: Vec<String> = if terms.all.is_empty() { terms.any } else { terms.all };
        // A part of a word finds nothing in an index of words: then everything is looked through.
        let whole = |word: &String| !word.contains('%') && word.chars().any(char::is_alphanumeric);
        (!words.is_empty() && words.iter().all(whole) && self.0.contains_key("value")).then_some(words)
    }
}

impl Terms {
    fn gather(&mut self, value: &Value, place: char) {
        let mut put = |text: String| {
            let (place, text) = match text.strip_prefix('!') {
                Some(rest) => ('n', rest.to_owned()),
                None => (place, text),
            };
            if text.trim().is_empty() {
                return;
            }
            match place {
                'n' => self.none.push(text),
                'a' => self.all.push(text),
                _ => self.any.push(text),
            }
        };
        match value {
            Value::String(text) => text.split("||").for_each(|part| put(part.trim().to_owned())),
            Value::Number(number) => put(number.to_string()),
            Value::Bool(flag) => put(u8::from(*flag).to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, place)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let place = match key.as_str() {
                        "NOT" => 'n',
                        "AND" => 'a',
                        _ => 'o',
                    };
                    self.gather_as(value, place);
                }
            }
            Value::Null => {}
        }
    }

    fn gather_as(&mut self, value: &Value, place: char) {
        // One level of OR, AND and NOT is all there is.
        if !value.is_object() {
            self.gather(value, place);
        }
    }

    fn fit(&self, is: impl Fn(&str) -> bool) -> bool {
        (self.any.is_empty() || self.any.iter().any(|term| is(term)))
            && self.all.iter().all(|term| is(term))
            && !self.none.iter().any(|term| is(term))
    }
}

/// A text that is the pattern, `%` standing for anything, in any case.
fn like_whole(text: &str, pattern: &str) -> bool {
    if !pattern.contains('%') {
        return text.eq_ignore_ascii_case(pattern) || text.to_lowercase() == pattern.to_lowercase();
    }
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let first = pattern.split('%').next().unwrap_or_default();
    let last = pattern.rsplit('%').next().unwrap_or_default();
    text.len() >= first.len() + last.len()
        && text.starts_with(first)
        && text.ends_with(last)
        && like(&text, &pattern)
}

/// A time as MISP's clients write it: seconds since the epoch, `7d`, `12h`, `30m`, a date, or RFC 3339.
fn moment(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let text = match value {
        Value::Number(number) => number.as_f64().map(|seconds| format!("{seconds:.0}"))?,
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(Timestamp::from_micros(0).plus_seconds(seconds.clamp(0, 253_402_300_799)));
    }
    let unit = match text.chars().last()? {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => 0,
    };
    if unit > 0
        && let Some(count) = text.get(..text.len() - 1).and_then(|count| count.parse::<i64>().ok())
    {
        return Some(now.plus_seconds(-count.clamp(0, 1_000_000).saturating_mul(unit)));
    }
    Timestamp::parse(&text).or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z"))).ok()
}

fn day_of(at: Timestamp) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

/// The formats answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Text,
    Suricata,
}

fn format(asked: &Asked) -> Result<Format, Problem> {
    match node::text(&asked.0, "returnFormat").unwrap_or("json") {
        "json" => Ok(Format::Json),
        "csv" => Ok(Format::Csv),
        "text" => Ok(Format::Text),
        "suricata" => Ok(Format::Suricata),
        _ => Err(Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "misp.format",
            "Invalid output format: ask for json, csv, text or suricata; STIX is served over TAXII",
        )),
    }
}

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Events,
    Attributes,
    Objects,
}

/// `GET|POST /misp/events/restSearch`.
///
/// # Errors
/// 403 for a format that is not spoken, 422 when this reads too much.
pub async fn events(ask: Ask) -> Result<Response, Problem> {
    search(ask, Sort::Events).await
}

/// `GET|POST /misp/attributes/restSearch`.
///
/// # Errors
/// As [`events`].
pub async fn attributes(ask: Ask) -> Result<Response, Problem> {
    search(ask, Sort::Attributes).await
}

/// `POST /misp/objects/restSearch`.
///
/// # Errors
/// As [`events`].
pub async fn objects(ask: Ask) -> Result<Response, Problem> {
    search(ask, Sort::Objects).await
}

async fn search(mut ask: Ask, sort: Sort) -> Result<Response, Problem> {
    let asked = Asked::read(&mut ask).await?;
    let format = format(&asked)?;
    let now = ask.app.now();
    let counts_events = sort == Sort::Events && format == Format::Json;
    let (limit, skip) = asked.page(if counts_events { EVENTS_MAX } else { ATTRIBUTES_MAX });
    let columns: Vec<String> = match asked.terms(&["requested_attributes"]) {
        Some(terms) => {
            terms.any.iter().flat_map(|part| part.split(',')).map(|part| part.trim().to_owned()).collect()
        }
        None => COLUMNS.map(str::to_owned).to_vec(),
    };
    let header = asked.flag("headerless") != Some(true);
    let events = reading(&ask, move |store| matching(store, &asked, sort, format, now, limit + skip)).await?;
    let attributes: Vec<InEvent<'_>> = events
        .iter()
        .flat_map(|(event, fitting)| {
            found_in(event).filter(|found| fitting.contains(&node::shown(found.attribute, "id")))
        })
        .skip(skip)
        .take(limit)
        .collect();
    let page = || attributes.iter().copied();
    let (body, content_type, count) = match (format, sort) {
        (Format::Csv, _) => {
            (formats::csv(page(), &columns, header), "text/csv; charset=utf-8", attributes.len())
        }
        (Format::Text, _) => (formats::text(page()), "text/plain; charset=utf-8", attributes.len()),
        (Format::Suricata, _) => (formats::suricata(page()), "text/plain; charset=utf-8", attributes.len()),
        (Format::Json, sort) => {
            let (answer, count) = match sort {
                Sort::Events => {
                    let all: Vec<Value> =
                        events.iter().skip(skip).take(limit).map(|(event, _)| event.wrapped()).collect();
                    let count = all.len();
                    (Value::Array(all), count)
                }
                Sort::Attributes => {
                    let all: Vec<Value> = page().map(|found| attribute_in(&found)).collect();
                    let count = all.len();
                    (json!({"Attribute": all}), count)
                }
                Sort::Objects => {
                    let all = objects_of(&events);
                    let all: Vec<Value> = all.into_iter().skip(skip).take(limit).collect();
                    let count = all.len();
                    (Value::Array(all), count)
                }
            };
            let mut response = json(&json!({"response": answer}))?;
            response.headers_mut().insert("x-result-count", HeaderValue::from(count));
            return Ok(response);
        }
    };
    let mut response = ([(header::CONTENT_TYPE, content_type)], body).into_response();
    response.headers_mut().insert("x-result-count", HeaderValue::from(count));
    Ok(response)
}

/// An attribute, with what its event is.
fn attribute_in(found: &InEvent<'_>) -> Value {
    let event = &found.event.node;
    let mut attribute = found.attribute.clone();
    let mut about = Node::new();
    for key in ["id", "uuid", "info", "org_id", "orgc_id", "distribution", "publish_timestamp"] {
        about.extend(event.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    attribute.insert("Event".into(), about.into());
    if let Some(object) = found.object {
        let mut about = Node::new();
        for key in ["id", "uuid", "name", "meta-category", "distribution"] {
            about.extend(object.get(key).map(|value| (key.to_owned(), value.clone())));
        }
        attribute.insert("Object".into(), about.into());
    }
    Value::Object(attribute)
}

fn objects_of(events: &[(Event, BTreeSet<String>)]) -> Vec<Value> {
    let mut all = Vec::new();
    for (event, fitting) in events {
        for object in node::list(&event.node, "Object") {
            if node::list(object, "Attribute").any(|one| fitting.contains(&node::shown(one, "id"))) {
                all.push(json!({"Object": object}));
            }
        }
    }
    all
}

/// The events that fit, newest first, each with the ids of the attributes that do; until there are `enough`.
fn matching(
    store: &Store<'_>,
    asked: &Asked,
    sort: Sort,
    format: Format,
    now: Timestamp,
    enough: usize,
) -> Result<Vec<(Event, BTreeSet<String>)>, ReadError> {
    let counts_events = sort == Sort::Events && format == Format::Json;
    let of_attributes = sort != Sort::Events;
    let metadata = asked.flag("metadata") == Some(true);
    let (mut all, mut count) = (Vec::new(), 0);
    let mut each = |record: &ObjectRecord| {
        let Some(found) = store.load(record, With::Sightings)? else { return Ok(true) };
        if !asked.event_fits(&found, store.directory, now)
            || !of_attributes && !asked.within("timestamp", found.event.timestamp(), now)
        {
            return Ok(true);
        }
        let mut event = presented(found, store.directory);
        let fits = |found: &InEvent<'_>| {
            let rule = format != Format::Suricata || node::flag(found.attribute, "to_ids");
            rule && asked.attribute_fits(found, of_attributes, now)
        };
        let ids: BTreeSet<String> =
            found_in(&event).filter(fits).map(|found| node::shown(found.attribute, "id")).collect();
        let untagged = asked
            .terms(&["tags", "tag"])
            .is_some_and(|terms| !terms.fit(|term| node::tags(&event.node).any(|tag| like_whole(tag, term))));
        if ids.is_empty() && (!counts_events || asked.asks_attributes() || untagged) {
            return Ok(true);
        }
        if metadata {
            event.node.remove("Attribute");
            event.node.remove("Object");
        }
        count += if counts_events { 1 } else { ids.len() };
        all.push((event, ids));
        Ok(count < enough && all.len() < EVENTS_MAX)
    };
    for record in candidates(store, asked)? {
        if !each(&record)? {
            return Ok(all);
        }
    }
    if asked.words().is_none() && asked.named().is_none() {
        let query = SearchQuery { types: ROOTS.map(str::to_owned).to_vec(), ..SearchQuery::default() };
        store.roots(&query, &mut each)?;
    }
    Ok(all)
}

impl Asked {
    /// The events or attributes a request names outright.
    fn named(&self) -> Option<Vec<Uuid>> {
        let terms = self.terms(&["eventid", "event_id"]).or_else(|| self.terms(&["uuid"]))?;
        let named: Vec<Uuid> = terms.any.iter().filter_map(|term| node::named(term)).collect();
        (terms.none.is_empty() && terms.all.is_empty()).then_some(named)
    }
}

/// The roots of the events in question where the request names them, or words that are in an index.
fn candidates(store: &Store<'_>, asked: &Asked) -> Result<Vec<ObjectRecord>, ReadError> {
    let mut roots: Vec<ObjectRecord> = Vec::new();
    let mut put = |root: ObjectRecord| {
        if ROOTS.contains(&root.object_type.as_str()) && !roots.iter().any(|known| known.id == root.id) {
            roots.push(root);
        }
    };
    if let Some(named) = asked.named() {
        for uuid in named {
            for kind in ["report", "grouping", "indicator", "x-misp-attribute", "x-misp-object"] {
                if let Some(record) = store.current(&format!("{kind}--{uuid}"))? {
                    put(store.root_of(&record)?);
                }
            }
        }
        return Ok(roots);
    }
    for word in asked.words().unwrap_or_default() {
        let mut after = None;
        let mut hits = 0;
        while hits < HITS_MAX {
            let query = SearchQuery {
                text: word.clone(),
                after,
                limit: limits::PAGE_ITEMS_MAX,
                ..SearchQuery::default()
            };
            let page = store.reading.search(store.scope, &query)?.into_inner();
            hits += page.rows.len();
            for record in page.rows.iter().filter(|record| !record.revoked) {
                put(store.root_of(record)?);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(roots)
}
