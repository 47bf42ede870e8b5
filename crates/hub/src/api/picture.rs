//! The picture: the alliance at a glance, in numbers, on a map, over the last hour.

use std::collections::BTreeMap;

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use shieldwall_assess::rules::percentile;
use shieldwall_assess::view::Warning;
use shieldwall_model::access::{Action, Visible};
use shieldwall_model::id::MemberId;

use crate::api::warnings;
use crate::ask::{Ask, json};
use crate::fold::collection;
use crate::problem::Problem;

/// Warnings the picture is drawn from: the newest.
const WARNINGS_MAX: usize = 500;
/// A member counts as hit, and a warning as live, for this long after the last sighting.
const LIVE_SECONDS: i64 = 24 * 60 * 60;
/// Minutes in the chart.
const MINUTES: i64 = 60;

/// The picture in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Picture {
    /// Members of the alliance.
    pub members: usize,
    /// Indicators now watched, in the groups the reader is party to.
    pub indicators_active: u64,
    /// STIX objects in those groups.
    pub objects: u64,
    /// Events seen today (UTC) that carried an indicator.
    pub sightings_today: u64,
    /// Warnings with a sighting in the last 24 hours.
    pub warnings_live: usize,
    /// Of those, not yet acknowledged by a person of the reader's member.
    pub warnings_new: usize,
    /// Sensors live, of those the reader may see.
    pub sensors_live: usize,
    /// Sensors the reader may see.
    pub sensors: usize,
    /// From a sighting's entry to a member's first acknowledgement by machine, in milliseconds.
    pub time_to_warn_ms: TimeToWarn,
}

/// A distribution of times to warn.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TimeToWarn {
    /// Acknowledgements counted.
    pub count: usize,
    /// The median, nearest rank.
    pub p50: Option<i64>,
    /// The 95th percentile, nearest rank.
    pub p95: Option<i64>,
    /// The longest.
    pub max: Option<i64>,
}

/// A country on the map.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Country {
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// What to call it.
    pub name: String,
    /// `calm`, `warned` (a live warning it has taken note of), `hit` (it reported a sighting) or `silent` (a live warning it has not taken note of).
    pub state: &'static str,
    /// Its members' names.
    pub members: Vec<String>,
    /// One line about it, in the reader's language.
    pub detail: String,
    /// Live warnings it has to do with.
    pub warnings: Vec<String>,
}

/// A time series.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Chart {
    /// Seconds since 1970, one per value.
    pub x: Vec<i64>,
    /// The lines.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Series {
    /// Its name, in the reader's language.
    pub label: String,
    /// Its values.
    pub values: Vec<u64>,
}

/// `GET /api/v1/picture`.
///
/// # Errors
/// As `App::read`.
pub async fn read(ask: Ask) -> Result<Response, Problem> {
    json(&draw(&ask).await?)
}

/// The picture for this reader.
///
/// # Errors
/// As `App::read`.
pub async fn draw(ask: &Ask) -> Result<Picture, Problem> {
    let scope = ask.scope()?;
    let (now, mine) = (ask.app.now(), ask.reader().member());
    let today: String = now.to_string().chars().take(10).collect();
    let wanted = scope.clone();
    let (counts, seen) = ask
        .read(move |reading| {
            let counts = reading.counts(&wanted)?.into_inner();
            let seen = reading.documents_by_key(&wanted, collection::SEEN, &today)?.into_inner();
            Ok((counts, seen))
        })
        .await?;
    let recent = newest(ask).await?;
    let live: Vec<&Warning> = recent.iter().filter(|warning| is_live(warning, ask)).collect();
    let unread =
        |warning: &&&Warning| warning.acknowledged.get(&mine).is_none_or(|known| known.by_person.is_none());
    let mut times: Vec<i64> = recent
        .iter()
        .flat_map(|warning| {
            warning
                .acknowledged
                .values()
                .filter_map(|taken| Some(taken.by_machine?.since_micros(warning.raised) / 1_000))
        })
        .collect();
    let sensors =
        if ask.reader().may(Action::ReadSensors) { crate::api::sensors::visible(ask)? } else { Vec::new() };
    Ok(Picture {
        members: ask.app.directory().members().count(),
        indicators_active: counts.by_type().get("indicator").copied().unwrap_or(0),
        objects: counts.by_type().values().sum(),
        sightings_today: seen
            .iter()
            .filter_map(|document| serde_json::from_slice::<u64>(&document.body).ok())
            .sum(),
        warnings_live: live.len(),
        warnings_new: live.iter().filter(unread).count(),
        sensors_live: sensors.iter().filter(|sensor| sensor.state == "live").count(),
        sensors: sensors.len(),
        time_to_warn_ms: TimeToWarn {
            count: times.len(),
            p50: percentile(&mut times, 0.5),
            p95: percentile(&mut times, 0.95),
            max: times.iter().copied().max(),
        },
    })
}

async fn newest(ask: &Ask) -> Result<Visible<Vec<Warning>>, Problem> {
    // Whoever reads the picture reads warnings too; the rule's table says so, and this asks it.
    let scope = ask.reader().scope(Action::ReadWarnings)?;
    warnings::newest(&ask.app, scope, WARNINGS_MAX).await
}

fn is_live(warning: &Warning, ask: &Ask) -> bool {
    warning.withdrawn.is_none() && ask.app.now().since_micros(warning.updated) < LIVE_SECONDS * 1_000_000
}

/// `GET /api/v1/picture/map`.
///
/// # Errors
/// As `App::read`.
pub async fn map(ask: Ask) -> Result<Response, Problem> {
    json(&countries(&ask).await?)
}

/// The members by country, each with its state.
///
/// # Errors
/// As `App::read`.
pub async fn countries(ask: &Ask) -> Result<Vec<Country>, Problem> {
    let recent = newest(ask).await?;
    let live: Vec<&Warning> = recent.iter().filter(|warning| is_live(warning, ask)).collect();
    let directory = ask.app.directory();
    let state = |member: MemberId| {
        let concerned = || {
            live.iter().filter(|warning| {
                directory.group(warning.group).is_some_and(|group| group.members.contains(&member))
            })
        };
        let hit = |warning: &&Warning| {
            warning.named().any(|named| named == member)
                || (member == ask.reader().member() && warnings::reported_by(&ask.app, warning, member))
        };
        if live.iter().any(hit) {
            "hit"
        } else if concerned().next().is_none() {
            "calm"
        } else if concerned().all(|warning| warning.acknowledged.contains_key(&member)) {
            "warned"
        } else {
            "silent"
        }
    };
    const GRAVEST_FIRST: [&str; 4] = ["hit", "silent", "warned", "calm"];
    let mut countries: BTreeMap<String, Country> = BTreeMap::new();
    for member in directory.members() {
        let Some(code) = &member.country else { continue };
        let state = state(member.id);
        let entry = countries.entry(code.clone()).or_insert_with(|| Country {
            country: code.clone(),
            name: member.name.clone(),
            state: "calm",
            members: Vec::new(),
            detail: String::new(),
            warnings: Vec::new(),
        });
        let rank = |state: &str| GRAVEST_FIRST.iter().position(|known| *known == state);
        if rank(state) < rank(entry.state) {
            entry.state = state;
        }
        entry.members.push(member.name.clone());
        let concerned = live.iter().filter(|warning| {
            directory.group(warning.group).is_some_and(|group| group.members.contains(&member.id))
        });
        entry.warnings.extend(concerned.map(|warning| warning.id.to_string()));
        entry.warnings.sort_unstable();
        entry.warnings.dedup();
    }
    Ok(countries
        .into_values()
        .map(|mut country| {
            country.detail = ask.language.text_with(
                &format!("map-detail-{}", country.state),
                &[("count", country.warnings.len().into()), ("members", country.members.join(", ").into())],
            );
            country
        })
        .collect())
}

/// `GET /api/v1/picture/sightings`.
///
/// # Errors
/// As `App::read`.
pub async fn sightings(ask: Ask) -> Result<Response, Problem> {
    json(&chart(&ask).await?)
}

/// Events seen by minute, over the last hour.
///
/// # Errors
/// As `App::read`.
pub async fn chart(ask: &Ask) -> Result<Chart, Problem> {
    let scope = ask.scope()?;
    let minute = ask.app.now().as_seconds().div_euclid(60);
    let minutes: Vec<i64> = (minute - MINUTES + 1..=minute).collect();
    let keys: Vec<String> = minutes
        .iter()
        .map(|minute| {
            shieldwall_model::time::Timestamp::from_micros(minute * 60_000_000)
                .to_string()
                .chars()
                .take(16)
                .collect()
        })
        .collect();
    let values = ask
        .read(move |reading| {
            let mut values = Vec::with_capacity(keys.len());
            for key in &keys {
                let documents = reading.documents_by_key(&scope, collection::SEEN, key)?.into_inner();
                values.push(
                    documents
                        .iter()
                        .filter_map(|document| serde_json::from_slice::<u64>(&document.body).ok())
                        .sum(),
                );
            }
            Ok(values)
        })
        .await?;
    Ok(Chart {
        x: minutes.into_iter().map(|minute| minute * 60).collect(),
        series: vec![Series { label: ask.language.text("chart-sightings"), values }],
    })
}
