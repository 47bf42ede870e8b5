//! An event of telemetry as an observation: what its fields say, put together to STIX objects.
//!
//! Fields of one type make one object until one of them says something else of the same property; then the next
//! object begins. What stands behind a reference (`dst_ref.value`) is an object of its own that is found through the
//! reference alone. Names of domains are brought into lower case; numbers and truth values are told by their property.

use hashbrown::HashMap;
use serde_json::{Map, Value as Json};
use shieldwall_model::limits::JSON_DEPTH_MAX;
use shieldwall_model::time::Timestamp;

use crate::observed::Observation;
use crate::pattern::{ObjectPath, Step};

/// Properties that are whole numbers (STIX 2.1 section 6, and those of ours that begin with `x_`).
const NUMBERS: [&str; 12] = [
    "dst_byte_count",
    "dst_packets",
    "dst_port",
    "number",
    "number_of_subkeys",
    "pid",
    "size",
    "src_byte_count",
    "src_packets",
    "src_port",
    "exit_code",
    "priority",
];

/// What an event tells, gathered.
#[derive(Debug, Default)]
pub struct Event {
    objects: Vec<Map<String, Json>>,
    /// The object of each type that is being filled; those behind references have none.
    open: HashMap<String, usize>,
}

impl Event {
    /// Adds one field: its STIX object path and what stands there. A path that is none is passed over.
    pub fn tell(&mut self, path: &str, text: &str) {
        if let Some(path) = ObjectPath::read(path).filter(|path| path.steps.len() < JSON_DEPTH_MAX) {
            self.tell_path(&path, text);
        }
    }

    /// The same with a path that was read before.
    pub fn tell_path(&mut self, path: &ObjectPath, text: &str) {
        let value = typed(path, text);
        let object = match self.open.get(&path.object) {
            Some(object) => *object,
            None => self.begin(&path.object),
        };
        if !self.set(object, &path.steps, &value) {
            let object = self.begin(&path.object);
            self.set(object, &path.steps, &value);
        }
    }

    /// The observation of all that was told, at this moment; afterwards the event is empty.
    pub fn observation(&mut self, at: Timestamp) -> Observation {
        self.open.clear();
        let objects = std::mem::take(&mut self.objects).into_iter().enumerate();
        Observation::of(at, objects.map(|(number, object)| (number.to_string(), Json::Object(object))))
    }

    fn begin(&mut self, object: &str) -> usize {
        let mut fields = Map::new();
        fields.insert("type".into(), object.into());
        self.objects.push(fields);
        self.open.insert(object.into(), self.objects.len() - 1);
        self.objects.len() - 1
    }

    /// Puts a value where the steps lead; `false` if something else stands there.
    fn set(&mut self, object: usize, steps: &[Step], value: &Json) -> bool {
        let Some((Step::Key(key), rest)) = steps.split_first() else { return true };
        let several = matches!(rest.first(), Some(Step::Any | Step::Index(_)));
        let behind = if several { rest.get(1..).unwrap_or_default() } else { rest };
        if behind.is_empty() || !(key.ends_with("_ref") || key.ends_with("_refs")) {
            return match self.objects.get_mut(object) {
                Some(fields) => put(fields, key, rest, value),
                None => false,
            };
        }
        if !several && self.objects.get(object).is_some_and(|fields| fields.contains_key(key)) {
            return self.set_behind(object, key, behind, value);
        }
        // A new object behind the reference. It has no type: nothing starts there, and most are known by their path.
        let number = self.objects.len();
        self.objects.push(Map::new());
        let Some(fields) = self.objects.get_mut(object) else { return false };
        let id = Json::from(number.to_string());
        if several {
            match fields.entry(key.as_str()).or_insert_with(|| Json::Array(Vec::new())) {
                Json::Array(all) => all.push(id),
                _ => return false,
            }
        } else {
            fields.insert(key.clone(), id);
        }
        self.set(number, behind, value)
    }

    /// Goes on in the object a reference already leads to.
    fn set_behind(&mut self, object: usize, key: &str, steps: &[Step], value: &Json) -> bool {
        let number = self.objects.get(object).and_then(|fields| fields.get(key)).and_then(Json::as_str);
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => self.set(number, steps, value),
            None => false,
        }
    }
}

/// The same within one object.
fn put(fields: &mut Map<String, Json>, key: &str, rest: &[Step], value: &Json) -> bool {
    match rest.split_first() {
        None => match fields.get(key) {
            None => {
                fields.insert(key.into(), value.clone());
                true
            }
            Some(known) => known == value,
        },
        Some((Step::Key(next), rest)) => {
            match fields.entry(key).or_insert_with(|| Json::Object(Map::new())) {
                Json::Object(inner) => put(inner, next, rest, value),
                _ => false,
            }
        }
        Some((Step::Any | Step::Index(_), rest)) => {
            let Json::Array(all) = fields.entry(key).or_insert_with(|| Json::Array(Vec::new())) else {
                return false;
            };
            let one = match rest.split_first() {
                Some((Step::Key(next), rest)) => {
                    let mut inner = Map::new();
                    put(&mut inner, next, rest, value);
                    Json::Object(inner)
                }
                _ => value.clone(),
            };
            if !all.contains(&one) {
                all.push(one);
            }
            true
        }
    }
}

/// A text as the type its property has.
fn typed(path: &ObjectPath, text: &str) -> Json {
    let last = path.steps.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        _ => None,
    });
    let last = last.unwrap_or_default();
    if NUMBERS.contains(&last) || last.starts_with("x_") {
        // As a number is written, so that an id with leading zeros stays a text.
        if let Some(number) = text.parse::<i64>().ok().filter(|number| number.to_string() == text) {
            return number.into();
        }
    }
    match text {
        "true" | "false" if last.starts_with("is_") => Json::Bool(text == "true"),
        _ if path.object == "domain-name" && last == "value" && path.steps.len() == 1 => {
            text.trim_end_matches('.').to_lowercase().into()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Program, parse};

    #[test]
    fn an_event_is_asked_by_paths() {
        let mut event = Event::default();
        for (path, text) in [
            ("network-traffic:src_ref.value", "10.0.0.5"),
            ("network-traffic:dst_ref.value", "198.51.100.7"),
            ("network-traffic:dst_port", "443"),
            ("network-traffic:protocols[*]", "tcp"),
            ("network-traffic:protocols[*]", "tls"),
            ("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'", "curl"),
            ("domain-name:value", "CDN.Evil.example."),
            ("domain-name:resolves_to_refs[*].value", "198.51.100.7"),
            ("domain-name:value", "other.example"),
            ("file:name", "a.exe"),
            ("file:hashes.'SHA-256'", "ab"),
            ("process:is_hidden", "true"),
            ("process:pid", "007"),
            ("no path", "x"),
        ] {
            event.tell(path, text);
        }
        let observation = event.observation(Timestamp::default());
        for (pattern, holds) in [
            ("[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 443]", true),
            ("[network-traffic:dst_ref.value = '10.0.0.5']", false),
            ("[network-traffic:protocols[*] = 'tls']", true),
            ("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'curl']", true),
            (
                "[domain-name:value = 'cdn.evil.example' AND domain-name:resolves_to_refs[*].value = '198.51.100.7']",
                true,
            ),
            ("[domain-name:value = 'other.example']", true),
            ("[domain-name:value = 'other.example' AND EXISTS domain-name:resolves_to_refs]", false),
            ("[file:name = 'a.exe' AND file:hashes.'SHA-256' = 'ab']", true),
            ("[process:is_hidden = true AND process:pid = '007']", true),
        ] {
            let program = Program::new(&parse(pattern).unwrap()).unwrap();
            assert_eq!(
                program.evaluate(std::slice::from_ref(&observation)).unwrap().matched,
                holds,
                "{pattern}"
            );
        }
    }
}
