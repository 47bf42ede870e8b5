//! The picture: the first page, with the alliance at a glance.

use askama::Template;
use axum::response::Response;
use shieldwall_model::access::Action;

use crate::api::picture::{self, Chart, Picture};
use crate::ask::Ask;
use crate::pages::cards::Card;
use crate::pages::feed::{self, Item};
use crate::pages::frame::{Frame, Place, csrf};
use crate::pages::html;
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::pages::warnings::live_cards;
use crate::problem::Problem;

/// What the alliance promises: every member warned within this time, in milliseconds.
const PROMISE_MILLISECONDS: i64 = 1_000;

/// A number and what it is of.
pub(crate) struct Tile {
    label: String,
    value: String,
    unit: &'static str,
    note: String,
    tone: &'static str,
}

/// A country as the table beside the map shows it.
struct CountryRow {
    name: String,
    state: Html,
    members: String,
    detail: String,
}

/// A minute with sightings.
struct MinuteRow {
    at: Html,
    count: String,
}

#[derive(Template)]
#[template(path = "picture/page.html")]
struct PicturePage {
    t: Texts,
    frame: Frame,
    now: Html,
    tiles: Vec<Tile>,
    countries: Vec<CountryRow>,
    unplaced: Option<String>,
    chart: String,
    minutes: Vec<MinuteRow>,
    live: Vec<Card>,
    items: Vec<Item>,
    csrf: String,
    reads_ledger: bool,
}

#[derive(Template)]
#[template(path = "picture/numbers.html")]
struct Numbers {
    tiles: Vec<Tile>,
}

#[derive(Template)]
#[template(path = "picture/feed.html")]
struct Feed {
    t: Texts,
    items: Vec<Item>,
}

fn tiles(t: Texts, picture: &Picture, sees_sensors: bool) -> Vec<Tile> {
    let tile = |key: &str, value: String, note: String, tone| Tile {
        label: t.text(key),
        value,
        unit: "",
        note,
        tone,
    };
    let mut tiles = vec![
        tile(
            "tile-warnings",
            t.number(picture.warnings_live),
            t.count("tile-warnings-note", picture.warnings_new),
            if picture.warnings_new > 0 { "is-bad" } else { "" },
        ),
        tile(
            "tile-sightings",
            t.number(picture.sightings_today),
            t.text("tile-sightings-note"),
            if picture.sightings_today > 0 { "is-warn" } else { "" },
        ),
        tile(
            "tile-indicators",
            t.number(picture.indicators_active),
            t.count("tile-indicators-note", picture.objects),
            "",
        ),
        tile("tile-members", t.number(picture.members), t.text("tile-members-note"), ""),
    ];
    if sees_sensors {
        let silent = picture.sensors.saturating_sub(picture.sensors_live);
        let note = if picture.sensors == 0 {
            t.text("tile-sensors-none")
        } else {
            t.count("tile-sensors-note", silent)
        };
        tiles.push(tile(
            "tile-sensors",
            t.number(picture.sensors_live),
            note,
            if silent > 0 { "is-warn" } else { "" },
        ));
    }
    let times = &picture.time_to_warn_ms;
    for (key, value, note) in [
        ("tile-median", times.p50, t.count("tile-median-note", times.count)),
        ("tile-p95", times.p95, t.text("tile-p95-note")),
    ] {
        tiles.push(match value {
            None => tile(key, "–".into(), t.text("tile-time-none"), ""),
            Some(ms) => {
                let (value, unit) = duration(t, ms);
                Tile {
                    value,
                    unit,
                    ..tile(
                        key,
                        String::new(),
                        note,
                        if ms <= PROMISE_MILLISECONDS { "is-good" } else { "is-bad" },
                    )
                }
            }
        });
    }
    tiles
}

/// Milliseconds as people read them.
#[allow(clippy::cast_precision_loss, reason = "shown to one decimal")]
fn duration(t: Texts, milliseconds: i64) -> (String, &'static str) {
    match milliseconds {
        ..1_000 => (t.number(milliseconds.max(0)), "ms"),
        1_000..120_000 => (t.decimal(&(milliseconds as f64 / 1e3)), "s"),
        _ => (t.decimal(&(milliseconds as f64 / 60e3)), "min"),
    }
}

fn minutes(t: Texts, chart: &Chart) -> (String, Vec<MinuteRow>) {
    let values: &[u64] = chart.series.first().map_or(&[], |series| &series.values);
    let total: u64 = values.iter().sum();
    let peak = values.iter().copied().max().unwrap_or(0);
    let rows = chart
        .x
        .iter()
        .zip(values)
        .filter(|(_, value)| **value > 0)
        .map(|(at, value)| MinuteRow {
            at: t.moment(shieldwall_model::time::Timestamp::from_micros(at.saturating_mul(1_000_000))),
            count: t.number(value),
        })
        .rev()
        .collect();
    let [count, shown] = t.counted(total);
    (t.language().text_with("chart-summary", &[count, shown, ("peak", t.number(peak).into())]), rows)
}

async fn countries(ask: &Ask, t: Texts) -> Result<(Vec<CountryRow>, Option<String>), Problem> {
    let mut rows: Vec<CountryRow> = picture::countries(ask)
        .await?
        .into_iter()
        .map(|country| CountryRow {
            state: t.state(country.state),
            members: t.list(&country.members),
            name: country.name,
            detail: country.detail,
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let mut unplaced: Vec<String> = ask
        .app
        .directory()
        .members()
        .filter(|member| member.country.is_none())
        .map(|member| member.name.clone())
        .collect();
    unplaced.sort();
    Ok((rows, (!unplaced.is_empty()).then(|| t.with("map-unplaced", "members", t.list(&unplaced)))))
}

/// `GET /`.
///
/// # Errors
/// As `App::read`.
pub async fn page(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let drawn = picture::draw(&ask).await?;
    let (countries, unplaced) = countries(&ask, t).await?;
    let (chart, minutes) = minutes(t, &picture::chart(&ask).await?);
    html(&PicturePage {
        t,
        frame: Frame::of(&ask, Place::Picture, "picture-title").await?,
        now: t.moment(ask.app.now()),
        tiles: tiles(t, &drawn, ask.reader().may(Action::ReadSensors)),
        countries,
        unplaced,
        chart,
        minutes,
        live: live_cards(&ask).await?,
        items: feed::items(&ask, t).await?,
        csrf: csrf(&ask),
        reads_ledger: ask.reader().may(Action::ReadLedger),
    })
}

/// `GET /fragments/numbers`.
///
/// # Errors
/// As `App::read`.
pub async fn numbers(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    let drawn = picture::draw(&ask).await?;
    html(&Numbers { tiles: tiles(t, &drawn, ask.reader().may(Action::ReadSensors)) })
}

/// `GET /fragments/feed`.
///
/// # Errors
/// As `App::read`.
pub async fn feed(ask: Ask) -> Result<Response, Problem> {
    let t = Texts::new(ask.language);
    html(&Feed { t, items: feed::items(&ask, t).await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::picture::{Series, TimeToWarn};
    use crate::i18n::Language;

    const T: Texts = Texts::new(Language::English);

    fn drawn(p95: Option<i64>) -> Picture {
        Picture {
            members: 12,
            indicators_active: 9,
            objects: 24_771,
            sightings_today: 0,
            warnings_live: 3,
            warnings_new: 1,
            sensors_live: 2,
            sensors: 3,
            time_to_warn_ms: TimeToWarn { count: 11, p50: p95, p95, max: p95 },
        }
    }

    #[test]
    fn a_promise_broken_is_shown_as_broken() {
        let tone = |p95| tiles(T, &drawn(p95), true).pop().map(|tile| (tile.tone, tile.value, tile.unit));
        assert_eq!(tone(Some(187)), Some(("is-good", "187".into(), "ms")));
        assert_eq!(tone(Some(1_500)), Some(("is-bad", "1.5".into(), "s")));
        assert_eq!(tone(None), Some(("", "–".into(), "")));
    }

    #[test]
    fn who_may_not_read_sensors_gets_no_tile_of_them() {
        assert_eq!(tiles(T, &drawn(None), true).len(), tiles(T, &drawn(None), false).len() + 1);
    }

    #[test]
    fn the_chart_is_told_in_words_too() {
        let chart = Chart {
            x: vec![60, 120, 180],
            series: vec![Series { label: "s".into(), values: vec![0, 4, 2] }],
        };
        let (summary, rows) = minutes(T, &chart);
        assert!(summary.contains('6') && summary.contains('4'), "{summary}");
        assert_eq!(rows.iter().map(|row| row.count.as_str()).collect::<Vec<_>>(), ["2", "4"]);
    }
}
