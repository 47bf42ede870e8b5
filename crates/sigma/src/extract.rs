//! Reads the fields of one event, once for all rules.
//!
//! From a line, only what rules ask for is kept; strings without escapes are borrowed. What `rsigma-eval` then asks of
//! the event (keywords, a path no rule was known to ask for) is answered from the whole event, parsed when first asked.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use rsigma_eval::{Event, EventValue, JsonEvent};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::fields::{Field, Fields, Root, Spread, known};

/// How much a spelling counts: a lower number goes before a higher one, whichever comes first; of equals the last.
type Rank = u8;
const DIRECT: Rank = 0;
/// Directly, but with spaces in the name.
const SPACED: Rank = 1;
const PATH: Rank = 2;
const EVTX: Rank = 3;
const WINLOG: Rank = 4;
const DATA: Rank = 5;
/// The first of the aliases; the others follow.
const ALIAS: Rank = 6;
/// What an event says under another name of our own giving.
const RENAMED: Rank = Rank::MAX;

/// Windows' own record of a new process.
const SECURITY_NEW_PROCESS: &str = "4688";

/// Where the value of each field lies, for one event after another.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    event: u32,
    at: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    event: u32,
    index: u32,
    rank: Rank,
}

impl Slots {
    /// Room for so many fields.
    pub(crate) fn new(fields: usize) -> Self {
        Self { event: 0, at: vec![Slot::default(); fields] }
    }

    /// Forgets the last event.
    fn next(&mut self) {
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.at.fill(Slot::default());
            self.event = 1;
        }
    }

    fn get(&self, field: Field) -> Option<usize> {
        let slot = self.at.get(field as usize)?;
        (slot.event == self.event).then_some(slot.index as usize)
    }
}

/// The whole event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whole<'a> {
    Line(&'a str),
    Value(&'a Value),
}

/// One event: the fields that rules ask for, and the rest on demand.
#[derive(Debug)]
pub(crate) struct View<'a> {
    fields: &'a Fields,
    slots: &'a Slots,
    values: Vec<(Field, EventValue<'a>)>,
    whole: Whole<'a>,
    parsed: OnceCell<Value>,
}

impl<'a> View<'a> {
    /// Reads a line that holds one JSON object.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub(crate) fn of_line(
        fields: &'a Fields,
        slots: &'a mut Slots,
        line: &'a str,
    ) -> Result<Self, serde_json::Error> {
        slots.next();
        let mut gather = Gather::new(fields, slots);
        let mut json = serde_json::Deserializer::from_str(line);
        Top(&mut gather).deserialize(&mut json)?;
        json.end()?;
        if gather.repeated || !fields.odd().is_empty() {
            // Of a key that is there twice only the last counts, with all that is below it.
            let whole: Value = serde_json::from_str(line)?;
            gather.slots.next();
            gather.values.clear();
            gather.all(&whole, |value| own(value));
        }
        Ok(gather.view(Whole::Line(line)))
    }

    /// Reads an event that was parsed already.
    pub(crate) fn of_value(fields: &'a Fields, slots: &'a mut Slots, value: &'a Value) -> Self {
        slots.next();
        let mut gather = Gather::new(fields, slots);
        gather.all(value, |value| value);
        gather.view(Whole::Value(value))
    }

    /// The fields found, with their values.
    pub(crate) fn found(&self) -> &[(Field, EventValue<'a>)] {
        &self.values
    }

    /// The value of a field.
    pub(crate) fn get(&self, field: Field) -> Option<&EventValue<'a>> {
        self.values.get(self.slots.get(field)?).map(|(_, value)| value)
    }

    /// The value of a field as text.
    pub(crate) fn text(&self, field: Field) -> Option<Cow<'_, str>> {
        self.get(field)?.as_str()
    }

    /// The whole event as it came.
    pub(crate) fn raw(&self) -> Whole<'a> {
        self.whole
    }

    fn whole(&self) -> &Value {
        match self.whole {
            Whole::Value(value) => value,
            // The line was read before, so this cannot fail.
            Whole::Line(line) => self.parsed.get_or_init(|| serde_json::from_str(line).unwrap_or_default()),
        }
    }
}

impl Event for View<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        match self.fields.number(path) {
            Some(field) => self.get(field).map(lend),
            // Only what no rule names comes here, such as a field of a pipeline's own making.
            None => JsonEvent::borrow(self.whole()).get_field(path).map(own),
        }
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        JsonEvent::borrow(self.whole()).any_string_value(pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let event = JsonEvent::borrow(self.whole());
        event.all_string_values().into_iter().map(|text| Cow::Owned(text.into_owned())).collect()
    }

    fn to_json(&self) -> Value {
        self.whole().clone()
    }
}

/// A value, borrowed from one that stays.
fn lend<'v>(value: &'v EventValue<'_>) -> EventValue<'v> {
    match value {
        EventValue::Str(text) => EventValue::Str(Cow::Borrowed(text)),
        EventValue::Int(number) => EventValue::Int(*number),
        EventValue::Float(number) => EventValue::Float(*number),
        EventValue::Bool(truth) => EventValue::Bool(*truth),
        EventValue::Null => EventValue::Null,
        EventValue::Array(list) => EventValue::Array(list.iter().map(lend).collect()),
        EventValue::Map(map) => {
            EventValue::Map(map.iter().map(|(key, value)| (Cow::Borrowed(&**key), lend(value))).collect())
        }
    }
}

/// A value that borrows nothing.
fn own(value: EventValue<'_>) -> EventValue<'static> {
    match value {
        EventValue::Str(text) => EventValue::Str(Cow::Owned(text.into_owned())),
        EventValue::Int(number) => EventValue::Int(number),
        EventValue::Float(number) => EventValue::Float(number),
        EventValue::Bool(truth) => EventValue::Bool(truth),
        EventValue::Null => EventValue::Null,
        EventValue::Array(list) => EventValue::Array(list.into_iter().map(own).collect()),
        EventValue::Map(map) => EventValue::Map(
            map.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), own(value))).collect(),
        ),
    }
}

/// Takes in the values of an event.
struct Gather<'a> {
    fields: &'a Fields,
    slots: &'a mut Slots,
    values: Vec<(Field, EventValue<'a>)>,
    /// Keys met that something is wanted from below of.
    deep: Vec<&'a Root>,
    /// Whether one of them was there twice.
    repeated: bool,
}

impl<'a> Gather<'a> {
    fn new(fields: &'a Fields, slots: &'a mut Slots) -> Self {
        Self { fields, slots, values: Vec::with_capacity(32), deep: Vec::new(), repeated: false }
    }

    /// Takes what is wanted from a whole event.
    fn all<'v>(&mut self, event: &'v Value, keep: impl Fn(EventValue<'v>) -> EventValue<'a>) {
        for (key, inner) in event.as_object().into_iter().flatten() {
            if let Some((root, rank)) = self.root(key) {
                if let Some(field) = root.field {
                    self.set(field, rank, keep(EventValue::from(inner)));
                }
                if root.is_deep() {
                    self.below(root, key, inner);
                }
            }
        }
        let event = JsonEvent::borrow(event);
        for field in self.fields.odd() {
            if let Some(value) = event.get_field(self.fields.name(*field)) {
                self.set(*field, PATH, own(value));
            }
        }
    }

    /// What may stand under a key; spaces in it, which some exports of Windows events have, do not count.
    fn root(&self, key: &str) -> Option<(&'a Root, Rank)> {
        if let Some(root) = self.fields.root(key) {
            return Some((root, DIRECT));
        }
        let root = key.contains(' ').then(|| self.fields.root(&key.replace(' ', ""))).flatten()?;
        Some((root, SPACED))
    }

    fn set(&mut self, field: Field, rank: Rank, value: EventValue<'a>) {
        let Some(slot) = self.slots.at.get_mut(field as usize) else { return };
        if slot.event == self.slots.event {
            if rank <= slot.rank
                && let Some(place) = self.values.get_mut(slot.index as usize)
            {
                slot.rank = rank;
                place.1 = value;
            }
            return;
        }
        let Ok(index) = u32::try_from(self.values.len()) else { return };
        *slot = Slot { event: self.slots.event, index, rank };
        self.values.push((field, value));
    }

    /// Takes what is wanted from below a key.
    fn below(&mut self, root: &Root, key: &str, inner: &Value) {
        if !inner.is_object() && !inner.is_array() {
            return;
        }
        if !root.paths.is_empty() || !root.aliases.is_empty() {
            let around = Value::Object(std::iter::once((key.to_owned(), inner.clone())).collect());
            let event = JsonEvent::borrow(&around);
            for field in &root.paths {
                if let Some(value) = event.get_field(self.fields.name(*field)) {
                    self.set(*field, PATH, own(value));
                }
            }
            for alias in &root.aliases {
                if let Some(value) = event.get_field(alias.path) {
                    self.set(alias.field, ALIAS.saturating_add(alias.place), own(value));
                }
            }
        }
        match root.spread {
            Some(Spread::Evtx) => self.evtx(inner),
            Some(Spread::Winlog) => {
                self.data(inner.get("event_data"), WINLOG);
                self.data(inner.get("user_data"), WINLOG);
            }
            Some(Spread::Data) => self.data(Some(inner), DATA),
            None => {}
        }
    }

    /// `Event` as the usual converters of EVTX write it.
    fn evtx(&mut self, event: &Value) {
        for (key, value) in event.get("System").and_then(Value::as_object).into_iter().flatten() {
            match key.as_str() {
                "Provider" => self.spread("Provider_Name", attribute(value, "Name"), EVTX),
                "TimeCreated" => self.spread("SystemTime", attribute(value, "SystemTime"), EVTX),
                _ => self.spread(key, Some(content(value)), EVTX),
            }
        }
        self.data(event.get("EventData"), EVTX);
        for (_, inner) in event.get("UserData").and_then(Value::as_object).into_iter().flatten() {
            self.data(Some(inner), EVTX);
        }
    }

    /// `EventData`: keys are fields, or a list of `Data` with names.
    fn data(&mut self, data: Option<&Value>, rank: Rank) {
        for (key, value) in data.and_then(Value::as_object).into_iter().flatten() {
            if key != "Data" {
                self.spread(key, Some(content(value)), rank);
                continue;
            }
            let one = std::slice::from_ref(value);
            for item in value.as_array().map_or(one, Vec::as_slice) {
                if let Some(name) = attribute(item, "Name").and_then(Value::as_str) {
                    self.spread(name, Some(content(item)), rank);
                }
            }
        }
    }

    fn spread(&mut self, name: &str, value: Option<&Value>, rank: Rank) {
        let Some(value) = value else { return };
        if let Some(field) = self.root(name).and_then(|(root, _)| root.field) {
            self.set(field, rank, own(EventValue::from(value)));
        }
    }

    /// Fields that Windows' own log of new processes names otherwise than Sysmon (event 4688).
    fn rename(&mut self) {
        let value = |field: Field| self.slots.get(field).and_then(|at| self.values.get(at)).map(|(_, value)| value);
        let is_new_process = value(known::EVENT_ID)
            .and_then(|id| id.as_str().map(|id| id == SECURITY_NEW_PROCESS))
            .unwrap_or_default();
        if !is_new_process {
            return;
        }
        for (from, to) in [
            (known::NEW_PROCESS_NAME, known::IMAGE),
            (known::PARENT_PROCESS_NAME, known::PARENT_IMAGE),
            (known::SUBJECT_USER_NAME, known::USER),
        ] {
            let found = self.slots.get(from).and_then(|at| self.values.get(at)).map(|(_, value)| value.clone());
            if let Some(found) = found {
                self.set(to, RENAMED, found);
            }
        }
    }

    fn view(mut self, whole: Whole<'a>) -> View<'a> {
        self.rename();
        let Self { fields, slots, values, .. } = self;
        View { fields, slots, values, whole, parsed: OnceCell::new() }
    }
}

/// What an XML element holds, as the converters write it.
fn content(value: &Value) -> &Value {
    value.get("#text").unwrap_or(value)
}

/// An attribute of an XML element, as the converters write it.
fn attribute<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let listed = value.get("#attributes").or_else(|| value.get("@attributes")).and_then(|list| list.get(name));
    listed.or_else(|| match name {
        "Name" => value.get("@Name").or_else(|| value.get("Name")),
        _ => value.get("@SystemTime").or_else(|| value.get("SystemTime")),
    })
}

/// The object at the top of a line.
struct Top<'g, 'a>(&'g mut Gather<'a>);

impl<'a> DeserializeSeed<'a> for Top<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Top<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event as a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let gather = self.0;
        while let Some(key) = map.next_key_seed(Text)? {
            let Some((root, rank)) = gather.root(&key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if root.is_deep() {
                let inner: Value = map.next_value()?;
                gather.repeated |= gather.deep.iter().any(|met| std::ptr::eq(*met, root));
                gather.deep.push(root);
                if let Some(field) = root.field {
                    gather.set(field, rank, own(EventValue::from(&inner)));
                }
                gather.below(root, &key, &inner);
            } else if let Some(field) = root.field {
                let value = map.next_value_seed(Any)?;
                gather.set(field, rank, value);
            }
        }
        Ok(())
    }
}

/// A text, borrowed where it can be.
struct Text;

impl<'a> DeserializeSeed<'a> for Text {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Text {
    type Value = Cow<'a, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Any value, as `rsigma-eval` sees it.
struct Any;

impl<'a> DeserializeSeed<'a> for Any {
    type Value = EventValue<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<EventValue<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Any {
    type Value = EventValue<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(EventValue::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(EventValue::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(EventValue::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(EventValue::Float(number as f64), EventValue::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(EventValue::Float(number))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(EventValue::Bool(truth))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(EventValue::Null)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Any)? {
            values.push(value);
        }
        Ok(EventValue::Array(values))
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<Self::Value, A::Error> {
        // As a parsed value, so that order and repeated keys are as everywhere else.
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        Ok(own(EventValue::from(&value)))
    }
}
