//! Sightings of attributes: reported and listed.
//!
//! A sighting of an indicator is what a sensor reports, and warns the others. The STIX object beside it, which MISP's
//! clients list, goes into the indicator's group where that group names its reporters, and into the reporting member's
//! own log where it does not.

use std::collections::BTreeSet;

use axum::response::Response;
use serde_json::{Value, json};
use shieldwall_exchange::misp::import::{sighting, sighting_type};
use shieldwall_exchange::misp::{Node, custom, export, node};
use shieldwall_ledger::reading::SearchQuery;
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::directory::SightingNames;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use super::events::{one, reading};
use super::store::{ATTRIBUTES, With, presented};
use super::{body, fresh, unwrapped};
use crate::api::sightings::{SightingBody, ValueBody, draft};
use crate::ask::{Ask, json};
use crate::intake::{Desk, Known};
use crate::problem::Problem;

/// Most attributes one request sights by their value.
const SIGHTED_AT_ONCE_MAX: usize = 100;

/// `POST /misp/sightings/add`, and `add/{id}`: of an attribute by id or UUID, or of every one with a value.
///
/// # Errors
/// 404 when nothing of that name is there or visible, 403 for a request that names nothing.
pub async fn add(mut ask: Ask) -> Result<Response, Problem> {
    let sent = unwrapped(body(&mut ask).await?, "Sighting")?;
    let named = ask.path.get("id").cloned().or_else(|| {
        ["uuid", "id"].into_iter().map(|key| node::shown(&sent, key)).find(|text| !text.is_empty())
    });
    let targets = match named {
        Some(text) => by_name(&ask, &text).await?,
        None => by_value(&ask, &sent).await?,
    };
    let now = ask.app.now();
    let when = moment(&sent).unwrap_or(now).min(now);
    let mut told = None;
    for target in &targets {
        let node = record(&ask, target, &sent, when).await?;
        told.get_or_insert(node);
    }
    let told = told.ok_or_else(Problem::absent)?;
    json(&json!({"Sighting": told, "count": targets.len()}))
}

fn moment(sent: &Node) -> Option<Timestamp> {
    let stated = ["timestamp", "date_sighting"].into_iter().find_map(|key| node::seconds(sent, key));
    stated.or_else(|| {
        let (date, time) = (node::text(sent, "date")?, node::text(sent, "time").unwrap_or("00:00:00"));
        Timestamp::parse(&format!("{date}T{time}Z")).ok()
    })
}

async fn by_name(ask: &Ask, text: &str) -> Result<Vec<ObjectRecord>, Problem> {
    let uuid = node::named(text).ok_or_else(Problem::absent)?;
    reading(ask, move |store| {
        let mut found = Vec::new();
        for kind in ATTRIBUTES {
            found.extend(store.current(&format!("{kind}--{uuid}"))?);
        }
        found.truncate(1);
        Ok(found)
    })
    .await
}

async fn by_value(ask: &Ask, sent: &Node) -> Result<Vec<ObjectRecord>, Problem> {
    let mut values: Vec<String> = sent
        .get("values")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    values.extend(node::text(sent, "value").map(str::to_owned));
    values.retain(|value| !value.trim().is_empty());
    if values.is_empty() {
        return Err(Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "misp.sighting.of",
            "Could not add Sighting: name an attribute by id, uuid or value",
        ));
    }
    reading(ask, move |store| {
        let mut found: Vec<ObjectRecord> = Vec::new();
        for value in &values {
            let query = SearchQuery {
                text: value.clone(),
                types: ATTRIBUTES.map(str::to_owned).to_vec(),
                limit: SIGHTED_AT_ONCE_MAX,
                ..SearchQuery::default()
            };
            let page = store.reading.search(store.scope, &query)?.into_inner();
            let same = page.rows.into_iter().filter(|record| record.name.as_deref() == Some(value.trim()));
            found.extend(same.filter(|record| !record.revoked));
        }
        found.truncate(SIGHTED_AT_ONCE_MAX);
        Ok(found)
    })
    .await
}

/// Records one sighting; what a client is told of it.
async fn record(ask: &Ask, target: &ObjectRecord, sent: &Node, when: Timestamp) -> Result<Node, Problem> {
    let of: ObjectId = target.id.parse().map_err(|_| Problem::absent())?;
    let member = ask.reader().member();
    let directory = ask.app.directory();
    let about = directory.member(member).ok_or_else(Problem::absent)?;
    let uuid = fresh(ask);
    let kind = match node::number(sent, "type") {
        Some(kind @ 1..=2) => kind.to_string(),
        _ => "0".to_owned(),
    };
    let told = json!({
        "uuid": uuid.to_string(), "type": kind, "source": node::text(sent, "source").unwrap_or_default(),
        "date_sighting": when.as_seconds().to_string(),
        "Organisation": {"name": about.name, "uuid": member.uuid().to_string()},
    });
    let Value::Object(told) = told else { return Err(Problem::absent()) };
    if kind == "0" && of.object_type() == "indicator" {
        let body = SightingBody {
            contributions: Vec::new(),
            group: target.group.to_string(),
            indicator: target.id.clone(),
            first_seen: when.to_string(),
            last_seen: when.to_string(),
            count: 1,
            kind: "misp".into(),
            field: "misp.sighting".into(),
            value: ValueBody::Withheld,
            detected: ask.app.now().to_string(),
            retrospective: false,
        };
        ask.app.append(draft(ask, body, &uuid.to_string()).await?).await?;
    }
    let id = ObjectId::of(sighting_type(&told), uuid).map_err(|error| Problem::fault(&error))?;
    let object = sighting(&id, &told, &of, target.marking, when);
    let names = directory.group(target.group).map_or(SightingNames::Hidden, |group| group.names);
    let group = if names == SightingNames::Shown { target.group } else { GroupId::home_of(member) };
    let bytes = serde_json::to_vec(&object).map_err(|error| Problem::fault(&error))?;
    let report = Desk::of(ask, group)?.take(&bytes, Known::ByVersion).await?;
    if let Some(refused) = report.refused.into_iter().next() {
        return Err(Problem::refused("misp.sighting.refused", refused.reason));
    }
    let mut told = told;
    let attribute = target.id.split_once("--").and_then(|(_, uuid)| uuid.parse().ok()).map(node::id_number);
    told.insert("id".into(), node::id_number(uuid).into());
    told.insert("attribute_id".into(), attribute.unwrap_or_default().into());
    told.insert("org_id".into(), node::id_number(member.uuid()).into());
    Ok(told)
}

/// `POST /misp/sightings/listSightings`: of an event or an attribute, by the context told.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn list(mut ask: Ask) -> Result<Response, Problem> {
    let sent = unwrapped(body(&mut ask).await?, "Sighting")?;
    let uuid = ["uuid", "id"].into_iter().find_map(|key| node::named(&node::shown(&sent, key)));
    let uuid = uuid.ok_or_else(Problem::absent)?;
    let by = node::named(&node::shown(&sent, "org_id")).map(|uuid| uuid.to_string());
    let of_event = node::text(&sent, "context") == Some("event");
    let found = if of_event {
        one(&ask, uuid, With::Sightings).await?
    } else {
        let found = reading(&ask, move |store| store.event_of(uuid, With::Sightings)).await?;
        found.ok_or_else(Problem::absent)?.0
    };
    let event = presented(found, &ask.app.directory());
    let wanted = uuid.to_string();
    let attributes = event.attributes().filter(|one| of_event || node::text(one, "uuid") == Some(&wanted));
    let by_whom = |sighting: &&Node| {
        let org = sighting.get("Organisation").and_then(Value::as_object);
        by.is_none() || org.and_then(|org| node::text(org, "uuid")) == by.as_deref()
    };
    let all: Vec<Value> = attributes
        .flat_map(|attribute| node::list(attribute, "Sighting"))
        .filter(by_whom)
        .map(|sighting| json!({"Sighting": sighting}))
        .collect();
    json(&all)
}

/// `GET|POST /misp/sightings/index`: the newest sightings.
///
/// # Errors
/// 422 when this reads too much.
pub async fn index(ask: Ask) -> Result<Response, Problem> {
    let all = reading(&ask, |store| {
        let query = SearchQuery {
            types: vec!["sighting".into(), custom::SIGHTING.into()],
            limit: limits::PAGE_ITEMS_MAX,
            ..SearchQuery::default()
        };
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for record in store.reading.search(store.scope, &query)?.into_inner().rows {
            if !seen.insert(record.id.clone()) {
                continue;
            }
            let versions = store.reading.object(store.scope, &record.id)?.into_inner();
            let mut read =
                versions.into_iter().filter_map(|stored| serde_json::from_slice::<Node>(&stored.bytes?).ok());
            all.extend(read.next_back().and_then(|object| export::carried(&object)?.1));
        }
        Ok(all)
    })
    .await?;
    json(&all.into_iter().map(|node| json!({"Sighting": node})).collect::<Vec<_>>())
}
