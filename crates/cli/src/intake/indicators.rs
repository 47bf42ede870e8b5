//! Reads indicator files (STIX, CSV, plain lists) into one watchlist, and remembers where each indicator came from.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use shieldwall_exchange::format::{Format, format_of};
use shieldwall_exchange::{list, misp, stix};
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{Builder, Watchlist};

use crate::console::Console;
use crate::fault::Fault;
use crate::intake::input::Input;

/// How many unusable lines and indicators are named one by one; the rest is counted by reason.
const NAMED_MAX: usize = 20;
/// Indicators are numbered with 32 bits.
const INDICATORS_MAX: usize = u32::MAX as usize;

/// Indicators ready to match, and where they came from.
pub(crate) struct Indicators {
    /// The compiled values.
    pub(crate) watchlist: Arc<Watchlist>,
    /// What was read.
    pub(crate) summary: Summary,
    origins: Origins,
}

/// What was read of the indicator files.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Indicators that are matched.
    pub(crate) indicators: u64,
    /// Distinct values they look for.
    pub(crate) values: u64,
    /// Indicators and lines that cannot be matched.
    pub(crate) unmatchable: u64,
    /// How many of those by stable code.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// The first of them, named.
    pub(crate) first_unmatchable: Vec<Unmatchable>,
    /// Bytes of memory the compiled watchlist takes.
    pub(crate) watchlist_bytes: u64,
    /// How long reading and compiling took, in seconds.
    pub(crate) seconds: f64,
}

/// An indicator or line that cannot be matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unmatchable {
    /// Which file.
    pub(crate) file: String,
    /// Where in it: `line 3`, `objects[7]`.
    pub(crate) place: String,
    /// The indicator's id, if it has one.
    pub(crate) id: Option<String>,
    /// The stable code.
    pub(crate) code: String,
    /// Why.
    pub(crate) reason: String,
}

/// An indicator, as a match names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Named<'a> {
    /// Its STIX id, if it is a STIX object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    /// Its name, or the label its list gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    /// What its values mean, if it says: `malicious`, `kill-switch`…
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    /// The file it stands in.
    pub(crate) file: &'a str,
    /// Its line in a list, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u32>,
}

/// Where indicators came from, by number.
#[derive(Default)]
struct Origins {
    files: Vec<String>,
    labels: Vec<Box<str>>,
    objects: Vec<Object>,
    all: Vec<Origin>,
}

#[derive(Clone, Copy)]
enum Origin {
    /// A line of a list. The label is counted from 1; 0 is none.
    Line {
        file: u32,
        line: u32,
        label: u32,
    },
    Object(u32),
}

struct Object {
    file: u32,
    id: Box<str>,
    name: Box<str>,
    role: &'static str,
}

impl Indicators {
    /// Reads and compiles `files`; the format of each is told by its content. `key` seeds the watchlist's hash: random
    /// where values come from strangers, fixed where runs must repeat.
    ///
    /// # Errors
    /// A file that cannot be read at all, or that is nothing this version reads.
    pub(crate) fn load(files: &[PathBuf], key: u64, console: &Console) -> Result<Self, Fault> {
        let start = Instant::now();
        let mut intake = Intake::new(key);
        for path in files {
            let input = Input::open(path)?;
            let _gauge = console.bytes(format!("reading {}", input.name), input.size);
            let name = input.name.clone();
            let bytes = input.whole()?;
            intake.file(&name, &bytes)?;
        }
        let mut indicators = intake.compile()?;
        indicators.summary.seconds = start.elapsed().as_secs_f64();
        Ok(indicators)
    }

    /// The indicator of that number.
    pub(crate) fn named(&self, number: u32) -> Named<'_> {
        let origins = &self.origins;
        let file = |at: u32| origins.files.get(at as usize).map_or("", String::as_str);
        match origins.all.get(number as usize) {
            Some(Origin::Line { file: at, line, label }) => Named {
                id: None,
                name: label.checked_sub(1).and_then(|at| origins.labels.get(at as usize)).map(AsRef::as_ref),
                role: None,
                file: file(*at),
                line: Some(*line),
            },
            Some(Origin::Object(at)) => match origins.objects.get(*at as usize) {
                Some(object) => Named {
                    id: Some(&object.id),
                    name: Some(&object.name),
                    role: Some(object.role),
                    file: file(object.file),
                    line: None,
                },
                None => Named { id: None, name: None, role: None, file: "", line: None },
            },
            None => Named { id: None, name: None, role: None, file: "", line: None },
        }
    }

    /// At most `most` values of each kind that events carry, in order: what a generator plants.
    pub(crate) fn sample(&self, most: usize) -> Vec<Value> {
        let mut taken: HashMap<Kind, usize> = HashMap::new();
        let mut sample: Vec<Value> = Vec::new();
        self.watchlist.for_each(|value, _| {
            let count = taken.entry(value.kind).or_default();
            if *count < most {
                *count += 1;
                sample.push(value.to_value());
            }
        });
        sample.sort();
        sample.dedup();
        sample
    }
}

/// Indicators on their way in.
struct Intake {
    builder: Builder,
    origins: Origins,
    labels: HashMap<Box<str>, u32>,
    summary: Summary,
}

impl Intake {
    fn new(key: u64) -> Self {
        Self {
            builder: Builder::new(key),
            origins: Origins::default(),
            labels: HashMap::new(),
            summary: Summary::default(),
        }
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let within = |code: &'static str, error: &(dyn std::error::Error + 'static)| {
            Fault::usage(code, format!("{name} cannot be used as indicators: {error}"))
        };
        let file = u32::try_from(self.origins.files.len()).unwrap_or(u32::MAX);
        self.origins.files.push(name.to_owned());
        match format_of(bytes).map_err(|error| within(error.code(), &error))? {
            Format::Stix => {
                let checked = stix::read_bundle(bytes).map_err(|error| within(error.code(), &error))?;
                self.objects(file, name, checked)
            }
            Format::Misp => {
                let events = misp::read_events(bytes).map_err(|error| within(error.code(), &error))?;
                // Times do not matter here: nothing is kept.
                let options =
                    misp::Options { now: Timestamp::default(), audience: misp::Audience::Community };
                for event in events {
                    let bundle = misp::to_stix(&event, &options).to_bundle();
                    let checked = stix::read_bundle(&bundle).map_err(|error| within(error.code(), &error))?;
                    self.objects(file, name, checked)?;
                }
                Ok(())
            }
            Format::Csv => {
                let read = list::read_csv(bytes).map_err(|error| within(error.code(), &error))?;
                self.lines(file, name, read)
            }
            Format::Plain => {
                let read = list::read_plain(bytes).map_err(|error| within(error.code(), &error))?;
                self.lines(file, name, read)
            }
        }
    }

    fn lines(&mut self, file: u32, name: &str, read: list::List) -> Result<(), Fault> {
        for refusal in read.refused {
            let (place, reason) = (format!("line {}", refusal.line), refusal.reason);
            self.unmatchable(Unmatchable {
                file: name.into(),
                place,
                id: None,
                code: refusal.code.into(),
                reason,
            });
        }
        self.origins.all.reserve(read.items.len());
        for item in read.items {
            let label = item.label.map_or(0, |label| self.label(label));
            let line = u32::try_from(item.line).unwrap_or(u32::MAX);
            let number = self.number(Origin::Line { file, line, label })?;
            self.add(&item.value, number)?;
        }
        Ok(())
    }

    fn objects(&mut self, file: u32, name: &str, checked: stix::Checked) -> Result<(), Fault> {
        for refusal in checked.refused.into_iter().filter(about_an_indicator) {
            let stix::Refusal { id, path, code, reason, .. } = refusal;
            self.unmatchable(Unmatchable {
                file: name.into(),
                place: path,
                id,
                code: code.as_str().into(),
                reason,
            });
        }
        for object in checked.accepted {
            let Some(indicator) = &object.indicator else { continue };
            let values = match values(&object, indicator) {
                Ok(values) => values,
                Err((code, reason)) => {
                    let place = format!("objects[{}]", object.index);
                    let id = Some(object.id.to_string());
                    self.unmatchable(Unmatchable { file: name.into(), place, id, code: code.into(), reason });
                    continue;
                }
            };
            let at = u32::try_from(self.origins.objects.len()).unwrap_or(u32::MAX);
            let role = object.role.unwrap_or_default().as_str();
            let (id, title) = (object.id.as_str().into(), object.title.into());
            self.origins.objects.push(Object { file, id, name: title, role });
            let number = self.number(Origin::Object(at))?;
            for value in values {
                self.add(&value, number)?;
            }
        }
        Ok(())
    }

    fn label(&mut self, label: String) -> u32 {
        if let Some(known) = self.labels.get(label.as_str()) {
            return *known;
        }
        let label: Box<str> = label.into();
        self.origins.labels.push(label.clone());
        let number = u32::try_from(self.origins.labels.len()).unwrap_or(0);
        self.labels.insert(label, number);
        number
    }

    fn number(&mut self, origin: Origin) -> Result<u32, Fault> {
        let number = self.origins.all.len();
        if number >= INDICATORS_MAX {
            return Err(Fault::usage(
                "cli.indicators.many",
                "more than 4 billion indicators: split the files",
            ));
        }
        self.origins.all.push(origin);
        self.summary.indicators += 1;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn add(&mut self, value: &Value, number: u32) -> Result<(), Fault> {
        self.builder.add(value, number).map_err(|error| Fault::wrong(error.code(), &error))
    }

    fn unmatchable(&mut self, what: Unmatchable) {
        self.summary.unmatchable += 1;
        *self.summary.reasons.entry(what.code.clone()).or_default() += 1;
        if self.summary.first_unmatchable.len() < NAMED_MAX {
            self.summary.first_unmatchable.push(what);
        }
    }

    fn compile(self) -> Result<Indicators, Fault> {
        let watchlist = self.builder.build().map_err(|error| Fault::wrong(error.code(), &error))?;
        let summary = Summary {
            values: watchlist.values() as u64,
            watchlist_bytes: watchlist.heap_bytes() as u64,
            ..self.summary
        };
        Ok(Indicators { watchlist: Arc::new(watchlist), summary, origins: self.origins })
    }
}

/// Whether a refused object would have been an indicator; other objects look for nothing.
fn about_an_indicator(refusal: &stix::Refusal) -> bool {
    refusal.id.as_deref().is_none_or(|id| id.starts_with("indicator--"))
}

/// The values an indicator looks for, as the hub takes them for its sensors.
fn values(object: &stix::Object, indicator: &stix::Indicator) -> Result<Vec<Value>, (&'static str, String)> {
    if object.revoked {
        return Err(("cli.indicators.revoked", "its creator has revoked it".into()));
    }
    if indicator.pattern_type != "stix" {
        let reason = format!("its pattern is {}, and only STIX patterns are matched", indicator.pattern_type);
        return Err(("cli.indicators.pattern_type", reason));
    }
    shieldwall_watch::pattern::values(&indicator.pattern).map_err(|error| (error.code(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<Indicators, Fault> {
        let mut intake = Intake::new(7);
        for (name, text) in files {
            intake.file(name, text.as_bytes())?;
        }
        intake.compile()
    }

    const BUNDLE: &str = r#"{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[
      {"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"First",
       "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","labels":["kill-switch"],
       "pattern":"[domain-name:value = 'evil.example' OR ipv4-addr:value = '192.0.2.7']","pattern_type":"stix",
       "valid_from":"2026-01-31T09:30:00Z"},
      {"type":"indicator","spec_version":"2.1","id":"indicator--9e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
       "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z",
       "pattern":"[file:name MATCHES '^a']","pattern_type":"stix","valid_from":"2026-01-31T09:30:00Z"},
      {"type":"indicator","spec_version":"2.1","id":"indicator--ae2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
       "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z",
       "pattern":"rule x {}","pattern_type":"yara","valid_from":"2026-01-31T09:30:00Z"},
      {"type":"malware","spec_version":"2.1","id":"malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
       "created":"2026-01-31T09:30:00.000Z","modified":"2026-01-31T09:30:00.000Z","is_family":"yes"}]}"#;

    #[test]
    fn stix_and_lists_become_one_watchlist_that_knows_its_sources() {
        let list = "type,value,family\ndomain,evil[.]example,wall\nurl,hxxp://evil.example/a,\nsha256,nothing of that sort,x\n";
        let indicators = load(&[("b.json", BUNDLE), ("l.csv", list)]).unwrap();
        assert_eq!((indicators.summary.indicators, indicators.summary.values), (3, 3));
        let domain = shieldwall_watch::value::detect("evil.example").unwrap();
        let found = indicators.watchlist.indicators_of(&domain);
        let named: Vec<Named<'_>> = found.iter().map(|number| indicators.named(*number)).collect();
        assert_eq!(named[0].id, Some("indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"));
        assert_eq!(
            (named[0].name, named[0].role, named[0].file),
            (Some("First"), Some("kill-switch"), "b.json")
        );
        assert_eq!((named[1].name, named[1].file, named[1].line), (Some("wall"), "l.csv", Some(2)));
        let unmatchable = &indicators.summary.first_unmatchable;
        let told: Vec<_> = unmatchable.iter().map(|what| (what.place.as_str(), what.code.as_str())).collect();
        let expected = [
            ("objects[1]", "watch.pattern.unsupported"),
            ("objects[2]", "cli.indicators.pattern_type"),
            ("line 4", "list.line.no-value"),
        ];
        assert_eq!(told, expected);
        assert_eq!(indicators.summary.reasons.values().sum::<u64>(), 3);
        assert_eq!(indicators.sample(1).len(), 3);
    }

    #[test]
    fn what_holds_no_indicators_is_refused_with_the_file_named() {
        for text in ["", "{\"Event\":{}}", "<xml/>"] {
            let fault = load(&[("x", text)]).err().unwrap();
            assert!(fault.to_string().starts_with("x cannot be used"), "{fault}");
        }
    }
}
