//! Reads a scenario file: what happened when and where, which values were published, who was hit.
//!
//! The shape is that of `scenarios/wannacry.json`. Reading is liberal with what may be missing or vague and strict
//! with what cannot be played: an error always names the place, such as `events[3].t`.

use std::path::Path;

use serde_json::{Map, Value};
use shieldwall_model::time::Timestamp;

/// Largest scenario file in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most events, indicators, victims, techniques or CVEs of one scenario.
const ITEMS_MAX: usize = 5_000;
/// Longest text kept, in characters.
const TEXT_CHARACTERS_MAX: usize = 1_000;
/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;
/// How much is played before the first and after the last event when no window is told, in seconds.
const MARGIN_SECONDS: i64 = 3_600;

/// What there is to play.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    /// Its id, such as `wannacry-2017-05`.
    pub(crate) id: String,
    /// Its name, which the malware it shares is called by.
    pub(crate) name: String,
    /// When the replay begins.
    pub(crate) start: Timestamp,
    /// When the replay ends.
    pub(crate) end: Timestamp,
    /// ATT&CK technique ids.
    pub(crate) techniques: Vec<String>,
    /// CVE ids.
    pub(crate) cves: Vec<String>,
    /// What happened, in the file's order.
    pub(crate) events: Vec<Event>,
    /// Published values, in the file's order.
    pub(crate) indicators: Vec<Published>,
    /// Who was hit, in the file's order.
    pub(crate) victims: Vec<Victim>,
    /// What was missing and assumed.
    pub(crate) notes: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// When; the beginning of the day, month or year when no more is known.
    pub(crate) at: Timestamp,
    /// How exactly that is known, in the file's word.
    pub(crate) precision: Option<String>,
    /// What sort of event, in the file's word.
    pub(crate) kind: String,
    /// Where, in the file's words.
    pub(crate) place: String,
    /// What happened.
    pub(crate) text: String,
}

/// A published value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Published {
    /// Its type, in the file's word.
    pub(crate) kind: String,
    /// The value.
    pub(crate) value: String,
    /// Its role, in the file's word; empty when not told.
    pub(crate) role: String,
    /// What else is said of it.
    pub(crate) note: String,
}

/// Somebody who was hit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Victim {
    /// Where, in the file's words; mostly a country code.
    pub(crate) place: String,
    /// Who.
    pub(crate) organisation: String,
    /// Sectors, in the file's words.
    pub(crate) sector: String,
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScenarioError {
    /// It cannot be read.
    #[error("the scenario {file} cannot be read")]
    File {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large.
    #[error("the scenario {file} has more than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// It is not JSON.
    #[error("the scenario {file} is not JSON: line {line}, column {column}: {source}", line = source.line(), column = source.column())]
    Json {
        /// The file.
        file: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Something in it cannot be played.
    #[error("the scenario {file}: {place}: {problem}")]
    Place {
        /// The file.
        file: String,
        /// The place, such as `events[3].t`.
        place: String,
        /// What is wrong there, and what to write.
        problem: String,
    },
}

impl ScenarioError {
    /// The stable code of this error.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "demo.scenario.file",
            Self::TooLarge { .. } => "demo.scenario.too_large",
            Self::Json { .. } => "demo.scenario.json",
            Self::Place { .. } => "demo.scenario.place",
        }
    }

    /// The place in the file, where one can be named.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::File { .. } | Self::TooLarge { .. } => None,
            Self::Json { source, .. } => Some(format!("line {}, column {}", source.line(), source.column())),
            Self::Place { place, .. } => Some(place.clone()),
        }
    }
}

/// Reads the scenario in `path`.
///
/// # Errors
/// [`ScenarioError`], with the place.
pub(crate) fn read_file(path: &Path) -> Result<Scenario, ScenarioError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| ScenarioError::File { file: file.clone(), source })?;
    let fallback =
        path.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy().into_owned());
    read(&bytes, &file, &fallback)
}

/// Reads a scenario. `file` names it in errors, `fallback` is its id should it tell none.
///
/// # Errors
/// [`ScenarioError`], with the place.
pub(crate) fn read(bytes: &[u8], file: &str, fallback: &str) -> Result<Scenario, ScenarioError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ScenarioError::TooLarge { file: file.into() });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let json: Value =
        serde_json::from_slice(bytes).map_err(|source| ScenarioError::Json { file: file.into(), source })?;
    whole(&json, fallback).map_err(|Wrong { place, problem }| ScenarioError::Place {
        file: file.into(),
        place,
        problem,
    })
}

/// What is wrong, and where.
struct Wrong {
    place: String,
    problem: String,
}

fn wrong<T>(place: impl Into<String>, problem: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { place: place.into(), problem: problem.into() })
}

fn whole(json: &Value, fallback: &str) -> Result<Scenario, Wrong> {
    let Value::Object(fields) = json else {
        return wrong("the top", "a scenario is an object with `events`, `indicators` and `victims`");
    };
    let mut notes = Vec::new();
    let mut events = Vec::new();
    for (place, item) in items(fields, "events", &["t"])? {
        let Some((at, _)) = item.get("t").and_then(Value::as_str).and_then(moment) else {
            return wrong(
                format!("{place}.t"),
                "write a time such as 2017-05-12T07:24:00Z, or a day such as 2017-05-12",
            );
        };
        events.push(Event {
            at,
            precision: Some(text(item, &place, "precision")?).filter(|precision| !precision.is_empty()),
            kind: text(item, &place, "kind")?,
            place: text(item, &place, "where")?,
            text: text(item, &place, "text")?,
        });
    }
    let mut indicators = Vec::new();
    for (place, item) in items(fields, "indicators", &["value"])? {
        let value = text(item, &place, "value")?;
        if value.trim().is_empty() {
            return wrong(format!("{place}.value"), "an indicator needs a value");
        }
        indicators.push(Published {
            kind: text(item, &place, "type")?,
            value,
            role: text(item, &place, "role")?,
            note: text(item, &place, "note")?,
        });
    }
    let mut victims = Vec::new();
    for (place, item) in items(fields, "victims", &["country"])? {
        victims.push(Victim {
            place: text(item, &place, "country")?,
            organisation: text(item, &place, "org")?,
            sector: text(item, &place, "sector")?,
        });
    }
    let id =
        Some(text(fields, "", "id")?).filter(|id| !id.trim().is_empty()).unwrap_or_else(|| fallback.into());
    let name =
        Some(text(fields, "", "name")?).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| id.clone());
    let (start, end) = window(fields, &events, &mut notes)?;
    let (techniques, cves) = (words(fields, "techniques")?, words(fields, "cves")?);
    Ok(Scenario { id, name, start, end, techniques, cves, events, indicators, victims, notes })
}

/// An object and its place.
type Placed<'a> = (String, &'a Map<String, Value>);

/// The objects of a list, each with its place. What is missing or null is empty; `alone` names the field a bare
/// string stands for.
fn items<'a>(fields: &'a Map<String, Value>, name: &str, alone: &[&str]) -> Result<Vec<Placed<'a>>, Wrong> {
    let list = match fields.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return wrong(name, "this is a list"),
    };
    if list.len() > ITEMS_MAX {
        return wrong(name, format!("at most {ITEMS_MAX} can be played"));
    }
    let mut found = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        match item {
            Value::Object(item) => found.push((format!("{name}[{index}]"), item)),
            _ => {
                return wrong(
                    format!("{name}[{index}]"),
                    format!("this is an object with at least `{}`", alone.join("`, `")),
                );
            }
        }
    }
    Ok(found)
}

/// A text; empty when missing or null. A number is its digits, a list of texts is joined by `/`.
fn text(fields: &Map<String, Value>, place: &str, name: &str) -> Result<String, Wrong> {
    let at = || if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    let found = match fields.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("/")
        }
        Some(_) => return wrong(at(), "this is a text"),
    };
    if found.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return wrong(at(), "this text holds control characters");
    }
    Ok(found.chars().take(TEXT_CHARACTERS_MAX).collect())
}

/// A list of short texts.
fn words(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, Wrong> {
    let list = match fields.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= ITEMS_MAX => list,
        Some(_) => return wrong(name, format!("this is a list of at most {ITEMS_MAX} texts")),
    };
    let mut words = Vec::with_capacity(list.len());
    for (index, word) in list.iter().enumerate() {
        let Some(word) = word.as_str().map(str::trim) else {
            return wrong(format!("{name}[{index}]"), "this is a text");
        };
        if !word.is_empty() && word.len() <= 64 && !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    Ok(words)
}

/// The window told, or one around the events.
fn window(
    fields: &Map<String, Value>,
    events: &[Event],
    notes: &mut Vec<String>,
) -> Result<(Timestamp, Timestamp), Wrong> {
    let told = match fields.get("window") {
        None | Some(Value::Null) => None,
        Some(Value::Array(list)) if list.is_empty() => None,
        Some(Value::Array(list)) => Some(list.as_slice()),
        Some(_) => return wrong("window", "this is a list of two times: [start, end]"),
    };
    if let Some(told) = told {
        let [start, end] = told else { return wrong("window", "this is a list of two times: [start, end]") };
        let read = |value: &Value, index: usize| {
            let moment = value.as_str().and_then(moment);
            moment.ok_or_else(|| Wrong {
                place: format!("window[{index}]"),
                problem: "write a time such as 2017-05-12T00:00:00Z, or a day such as 2017-05-12".into(),
            })
        };
        let (start, (end, lasts)) = (read(start, 0)?.0, read(end, 1)?);
        // A day written as the end is meant whole.
        let end = end.plus_seconds(lasts);
        if end <= start {
            return wrong("window[1]", "the end is not after the start");
        }
        return Ok((start, end));
    }
    let times = || events.iter().map(|event| event.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        notes.push("no window and no events are told: one day is played".into());
        return Ok((Timestamp::from_micros(0), Timestamp::from_micros(0).plus_seconds(DAY_SECONDS)));
    };
    notes.push(
        "no window is told: it is played from an hour before the first event to an hour after the last"
            .into(),
    );
    Ok((first.plus_seconds(-MARGIN_SECONDS), last.plus_seconds(MARGIN_SECONDS)))
}

/// Reads a time as people write it: RFC 3339, without seconds, without a zone (UTC), a day, a month or a year.
/// Returns its beginning and how many seconds it lasts (0 for a point in time).
fn moment(text: &str) -> Option<(Timestamp, i64)> {
    let text = text.trim();
    if !text.is_ascii() || text.len() > 40 {
        return None;
    }
    let parse = |text: &str| Timestamp::parse(text).ok();
    match text.len() {
        4 if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let start = parse(&format!("{text}-01-01T00:00:00Z"))?;
            let next = parse(&format!("{:04}-01-01T00:00:00Z", text.parse::<u32>().ok()? + 1));
            Some((start, next.map_or(365 * DAY_SECONDS, |next| next.since_micros(start) / 1_000_000)))
        }
        7 => {
            let start = parse(&format!("{text}-01T00:00:00Z"))?;
            let (year, month) = (text.get(..4)?.parse::<u32>().ok()?, text.get(5..)?.parse::<u32>().ok()?);
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            let next = parse(&format!("{year:04}-{month:02}-01T00:00:00Z"));
            Some((start, next.map_or(30 * DAY_SECONDS, |next| next.since_micros(start) / 1_000_000)))
        }
        10 => Some((parse(&format!("{text}T00:00:00Z"))?, DAY_SECONDS)),
        _ => {
            let whole = text.replacen(' ', "T", 1);
            let at = whole.find('T')?;
            let (day, time) = whole.split_at(at);
            let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
            let (time, zone) = time.split_at(zone);
            let time = match time.len() {
                3 => format!("{time}:00:00"),
                6 => format!("{time}:00"),
                _ => time.to_owned(),
            };
            let zone = match zone {
                "" | "z" => "Z".to_owned(),
                zone if zone.len() == 5 && !zone.contains(':') => {
                    format!("{}:{}", zone.get(..3)?, zone.get(3..)?)
                }
                zone => zone.to_owned(),
            };
            Some((parse(&format!("{day}{time}{zone}"))?, 0))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The scenario that comes with the program.
    pub(crate) fn wannacry() -> Scenario {
        read(super::super::DEFAULT_SCENARIO.as_bytes(), "wannacry.json", "wannacry").unwrap()
    }

    pub(crate) fn of(json: &str) -> Scenario {
        read(json.as_bytes(), "test.json", "test").unwrap()
    }

    fn place_of(json: &str) -> String {
        read(json.as_bytes(), "test.json", "test").unwrap_err().place().unwrap()
    }

    #[test]
    fn the_scenario_that_comes_with_the_program_is_whole() {
        let scenario = wannacry();
        assert_eq!((scenario.id.as_str(), scenario.name.as_str()), ("wannacry-2017-05", "WannaCry weekend"));
        assert_eq!((scenario.events.len(), scenario.indicators.len(), scenario.victims.len()), (20, 34, 11));
        assert_eq!((scenario.techniques.len(), scenario.cves.len()), (16, 3));
        assert_eq!(scenario.end.since_micros(scenario.start) / 1_000_000, 4 * DAY_SECONDS);
        assert!(scenario.notes.is_empty());
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, written, lasts) in [
            ("2017-05-12T07:24:00Z", "2017-05-12T07:24:00.000000Z", 0),
            ("2017-05-12T09:24:00+02:00", "2017-05-12T07:24:00.000000Z", 0),
            ("2017-05-12T09:24+0200", "2017-05-12T07:24:00.000000Z", 0),
            ("2017-05-12 07:24", "2017-05-12T07:24:00.000000Z", 0),
            ("2017-05-12T07:24:30.5", "2017-05-12T07:24:30.500000Z", 0),
            ("2017-05-12T07Z", "2017-05-12T07:00:00.000000Z", 0),
            ("2017-05-12", "2017-05-12T00:00:00.000000Z", DAY_SECONDS),
            ("2017-02", "2017-02-01T00:00:00.000000Z", 28 * DAY_SECONDS),
            ("2017-12", "2017-12-01T00:00:00.000000Z", 31 * DAY_SECONDS),
            ("2016", "2016-01-01T00:00:00.000000Z", 366 * DAY_SECONDS),
        ] {
            let (at, told) = moment(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((at.to_string().as_str(), told), (written, lasts), "{text}");
        }
        for text in
            ["", "soon", "2017-13", "2017-02-30", "12.05.2017", "2017-05-12T25:00Z", "20170", "2017-05-12T"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn an_error_names_the_place() {
        assert_eq!(place_of(r#"{"events":[{"t":"2017-05-12"},{"t":"soon"}]}"#), "events[1].t");
        assert_eq!(place_of(r#"{"events":[{"kind":"victim"}]}"#), "events[0].t");
        assert_eq!(place_of(r#"{"events":{"a":1}}"#), "events");
        assert_eq!(place_of(r#"{"indicators":[{"type":"domain"}]}"#), "indicators[0].value");
        assert_eq!(place_of(r#"{"indicators":["evil.example"]}"#), "indicators[0]");
        assert_eq!(place_of(r#"{"victims":[{"country":{}}]}"#), "victims[0].country");
        assert_eq!(place_of(r#"{"window":["2017-05-12"]}"#), "window");
        assert_eq!(place_of(r#"{"window":["2017-05-12","soon"]}"#), "window[1]");
        assert_eq!(place_of(r#"{"window":["2017-05-13","2017-05-12"]}"#), "window[1]");
        assert_eq!(place_of(r#"{"techniques":["T1210",7]}"#), "techniques[1]");
        assert_eq!(place_of(r#"{"name":"a\u0007"}"#), "name");
        assert_eq!(place_of("[]"), "the top");
        assert_eq!(place_of("{\"events\":\n  oops}"), "line 2, column 3");
    }

    #[test]
    fn what_may_be_missing_is_assumed_and_said() {
        let empty = of("{}");
        assert_eq!((empty.id.as_str(), empty.name.as_str(), empty.notes.len()), ("test", "test", 1));
        assert!(empty.events.is_empty() && empty.indicators.is_empty() && empty.victims.is_empty());
        let nulls =
            of(r#"{"events":null,"indicators":[],"victims":null,"window":null,"techniques":null,"id":null}"#);
        assert_eq!(nulls, empty);
        let around = of(
            r#"{"events":[{"t":"2020-01-02T10:00:00Z"},{"t":"2020-01-02T09:00:00Z","where":["GB","FR"]}]}"#,
        );
        assert_eq!(around.start.to_string(), "2020-01-02T08:00:00.000000Z");
        assert_eq!(around.end.to_string(), "2020-01-02T11:00:00.000000Z");
        assert_eq!(around.events[1].place, "GB/FR");
        let days = of(r#"{"window":["2020-12-13","2020-12-13"]}"#);
        assert_eq!(days.end.since_micros(days.start) / 1_000_000, DAY_SECONDS);
    }
}
