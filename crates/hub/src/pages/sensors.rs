//! Sensors: which are live, how far behind, what they match.

use askama::Template;
use axum::response::Response;

use crate::api::sensors::{SensorBody, visible};
use crate::ask::Ask;
use crate::pages::frame::{Frame, Place};
use crate::pages::html;
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// A sensor that lies further behind than this is shown as late, in seconds.
const LATE_SECONDS: f64 = 10.0;

/// A sensor as its row shows it.
struct Row {
    sensor: SensorBody,
    state: Html,
    lag: String,
    late: bool,
    rate: String,
    heard: String,
    /// Whether it was told any rules.
    rules_shown: bool,
    withheld: String,
}

#[derive(Template)]
#[template(path = "sensors/page.html")]
struct SensorsPage {
    t: Texts,
    frame: Frame,
    rows: Vec<Row>,
    administers: bool,
}

#[derive(Template)]
#[template(path = "sensors/table.html")]
struct SensorsTable {
    t: Texts,
    rows: Vec<Row>,
    administers: bool,
}

fn rows(ask: &Ask, t: Texts) -> Result<Vec<Row>, Problem> {
    let mut sensors = visible(ask)?;
    sensors.sort_by(|a, b| (&a.member_name, &a.name, &a.id).cmp(&(&b.member_name, &b.name, &b.id)));
    Ok(sensors
        .into_iter()
        .map(|sensor| Row {
            state: t.state(if sensor.state == "live" { "live" } else { "silent-sensor" }),
            lag: t.with("seconds-short", "number", t.decimal(&sensor.lag_seconds)),
            late: sensor.state == "live" && sensor.lag_seconds > LATE_SECONDS,
            rate: t.decimal(&sensor.events_per_second),
            heard: t.ago(sensor.heard_seconds_ago),
            rules_shown: sensor.rules.run + sensor.rules.passed_on + sensor.rules.left_out > 0,
            withheld: t
                .count("sensor-withheld", usize::try_from(sensor.withheld_total).unwrap_or(usize::MAX)),
            sensor,
        })
        .collect())
}

/// `GET /sensors`.
///
/// # Errors
/// As `App::read`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let frame = Frame::of(&ask, Place::Sensors, "sensors-title").await?;
    html(&SensorsPage { t, rows: rows(&ask, t)?, administers: frame.administers, frame })
}

/// `GET /fragments/sensors`.
///
/// # Errors
/// None past the access rule.
pub async fn fragment(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let administers = ask.reader().may(shieldwall_model::access::Action::Administer);
    html(&SensorsTable { t, rows: rows(&ask, t)?, administers })
}
