//! What was observed, as patterns see it: observed data with the objects it holds or refers to (STIX 2.0 and 2.1).
//!
//! A file is a bundle, one observed-data object, or an array of either; a bundle in an array usually holds one
//! observed-data object and what it refers to. A pattern's object path starts at an object the observed data itself
//! lists (`object_refs`, or `objects` of STIX 2.0); references are then followed to whatever the file holds, the own
//! bundle first.

use std::sync::Arc;

use hashbrown::HashMap;
use serde_json::Value as Json;
use shieldwall_model::time::Timestamp;

/// Objects by id.
type Shelf = HashMap<Box<str>, Arc<Json>>;

/// Why a file of observed data was refused.
#[derive(thiserror::Error, Debug)]
pub enum ObservedError {
    /// Not JSON.
    #[error("the observed data is not JSON")]
    Json(#[source] serde_json::Error),
    /// JSON of another shape.
    #[error("{place}: {why}")]
    Shape {
        /// Where, as `[1].objects[0].first_observed`; `the file` for all of it.
        place: String,
        /// What is wrong and what may stand there.
        why: String,
    },
}

impl ObservedError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "watch.observed.json",
            Self::Shape { .. } => "watch.observed.shape",
        }
    }
}

/// One observed-data object: `count` observations of the same objects between two moments.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// First observed.
    pub first: Timestamp,
    /// Last observed, not before `first`.
    pub last: Timestamp,
    /// `number_observed`, at least 1.
    pub count: u64,
    roots: Vec<Arc<Json>>,
    /// Objects beside it, by the ids it uses for them.
    near: Arc<Shelf>,
    /// Objects of the whole file.
    far: Arc<Shelf>,
}

/// Types that are never observed themselves, though observed data may list a relationship (STIX 2.1 sections 4, 5, 7).
const NOT_OBSERVED: [&str; 25] = [
    "attack-pattern",
    "bundle",
    "campaign",
    "course-of-action",
    "extension-definition",
    "grouping",
    "identity",
    "incident",
    "indicator",
    "infrastructure",
    "intrusion-set",
    "language-content",
    "location",
    "malware",
    "malware-analysis",
    "marking-definition",
    "note",
    "observed-data",
    "opinion",
    "relationship",
    "report",
    "sighting",
    "threat-actor",
    "tool",
    "vulnerability",
];

impl Observation {
    /// One observation of these objects at one moment, as telemetry gives it. References in them are resolved by
    /// their keys.
    pub fn of(at: Timestamp, objects: impl IntoIterator<Item = (String, Json)>) -> Self {
        let shelf: Shelf = objects.into_iter().map(|(key, object)| (key.into(), Arc::new(object))).collect();
        let roots = shelf.values().cloned().collect();
        Self { id: None, first: at, last: at, count: 1, roots, near: Arc::new(shelf), far: Arc::default() }
    }

    /// The same with other times and another count.
    #[must_use]
    pub fn seen(mut self, first: Timestamp, last: Timestamp, count: u64) -> Self {
        (self.first, self.last, self.count) = (first, last, count.max(1));
        self
    }

    /// The objects a path can start at.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Json> {
        self.roots.iter().map(Arc::as_ref)
    }

    /// The object a reference names.
    pub(crate) fn resolve(&self, id: &str) -> Option<&Json> {
        self.near.get(id).or_else(|| self.far.get(id)).map(Arc::as_ref)
    }
}

/// Reads a file of observed data. Objects that are neither observed data nor referred to are passed over.
///
/// # Errors
/// [`ObservedError`], naming the place.
pub fn read(bytes: &[u8]) -> Result<Vec<Observation>, ObservedError> {
    from_json(serde_json::from_slice(bytes).map_err(ObservedError::Json)?)
}

/// The same from JSON that was read already.
///
/// # Errors
/// [`ObservedError::Shape`].
pub fn from_json(file: Json) -> Result<Vec<Observation>, ObservedError> {
    let mut bundles = Vec::new();
    let mut loose = Vec::new();
    match file {
        Json::Array(all) => {
            for (index, one) in all.into_iter().enumerate() {
                sort_in(one, format!("[{index}]"), &mut bundles, &mut loose)?;
            }
        }
        one => sort_in(one, String::new(), &mut bundles, &mut loose)?,
    }
    bundles.push(loose);
    let shelves: Vec<Arc<Shelf>> = bundles.iter().map(|objects| Arc::new(shelf(objects))).collect();
    let far: Arc<Shelf> = match shelves.as_slice() {
        [one] => Arc::clone(one),
        all => Arc::new(
            all.iter().flat_map(|shelf| shelf.iter().map(|(k, v)| (k.clone(), Arc::clone(v)))).collect(),
        ),
    };
    let mut observations = Vec::new();
    for (objects, near) in bundles.iter().zip(&shelves) {
        for (place, object) in objects {
            if object.get("type").and_then(Json::as_str) == Some("observed-data") {
                observations.push(observation(object, place, near, &far)?);
            }
        }
    }
    Ok(observations)
}

/// Where an object stands, and the object.
type Placed = (String, Arc<Json>);

fn wrong(place: &str, why: impl Into<String>) -> ObservedError {
    let place = if place.is_empty() { "the file" } else { place.trim_start_matches('.') };
    ObservedError::Shape { place: place.into(), why: why.into() }
}

/// Puts a bundle's objects together, and what stands outside one with its like.
fn sort_in(
    one: Json,
    place: String,
    bundles: &mut Vec<Vec<Placed>>,
    loose: &mut Vec<Placed>,
) -> Result<(), ObservedError> {
    let Json::Object(mut fields) = one else {
        return Err(wrong(&place, "write a bundle, observed data, or an array of either"));
    };
    if fields.get("type").and_then(Json::as_str) != Some("bundle") {
        loose.push((place, Arc::new(Json::Object(fields))));
        return Ok(());
    }
    let objects = match fields.remove("objects") {
        None => Vec::new(),
        Some(Json::Array(objects)) => objects,
        Some(_) => return Err(wrong(&format!("{place}.objects"), "the objects of a bundle are an array")),
    };
    let placed = objects.into_iter().enumerate();
    bundles.push(
        placed.map(|(index, object)| (format!("{place}.objects[{index}]"), Arc::new(object))).collect(),
    );
    Ok(())
}

fn shelf(objects: &[Placed]) -> Shelf {
    let id = |object: &Arc<Json>| object.get("id").and_then(Json::as_str).map(Box::from);
    objects.iter().filter_map(|(_, object)| Some((id(object)?, Arc::clone(object)))).collect()
}

fn observation(
    object: &Json,
    place: &str,
    near: &Arc<Shelf>,
    far: &Arc<Shelf>,
) -> Result<Observation, ObservedError> {
    let time = |name: &str| {
        let place = format!("{place}.{name}");
        let text =
            object.get(name).and_then(Json::as_str).ok_or_else(|| wrong(&place, "a timestamp is needed"))?;
        Timestamp::parse(text).map_err(|error| wrong(&place, error.to_string()))
    };
    let (first, last) = (time("first_observed")?, time("last_observed")?);
    if first > last {
        return Err(wrong(&format!("{place}.last_observed"), "it is earlier than first_observed"));
    }
    let count = object.get("number_observed").and_then(Json::as_u64).filter(|count| *count > 0);
    let count = count
        .ok_or_else(|| wrong(&format!("{place}.number_observed"), "a whole number above zero is needed"))?;
    let mut roots = Vec::new();
    let mut near = Arc::clone(near);
    match object.get("objects") {
        None => {}
        Some(Json::Object(objects)) => {
            let own: Shelf =
                objects.iter().map(|(key, object)| (key.as_str().into(), Arc::new(object.clone()))).collect();
            roots.extend(own.values().cloned());
            // A key such as "0" names an object of this observed data and of no other.
            near = Arc::new(own);
        }
        Some(_) => {
            return Err(wrong(&format!("{place}.objects"), "the objects of observed data are an object"));
        }
    }
    match object.get("object_refs") {
        None => {}
        Some(Json::Array(refs)) => {
            let found = |id: &str| near.get(id).or_else(|| far.get(id));
            roots.extend(refs.iter().filter_map(Json::as_str).filter_map(found).cloned());
        }
        Some(_) => return Err(wrong(&format!("{place}.object_refs"), "references are an array")),
    }
    roots.retain(|root| {
        root.get("type").and_then(Json::as_str).is_some_and(|object| !NOT_OBSERVED.contains(&object))
    });
    let id = object.get("id").and_then(Json::as_str).map(str::to_owned);
    Ok(Observation { id, first, last, count, roots, near, far: Arc::clone(far) })
}
