//! What a scenario's published values are: which role each has here, whether telemetry can carry it, with which
//! event it becomes known, and how it is written as STIX.
//!
//! The role alone decides what is done with a value. Nothing here looks at what a value is called, and no name is
//! ever resolved.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use shieldwall_exchange::indicator::{self, ContextKind, IndicatorDraft, millis};
use shieldwall_exchange::role::{EXTENSION_DEFINITION, EXTENSION_ID};
use shieldwall_model::id::{Entropy, MemberId, ObjectId, SensorId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value, refang};

use super::kinds::{Meaning, meaning};
use super::scenario::{Event, Published, Scenario};

/// The marking everything is shared with.
const MARKING: Tlp = Tlp::Amber;
/// Shortest beginning of a value, followed by an ellipsis, that counts as naming it, in characters.
const STEM_CHARACTERS_MIN: usize = 4;

/// A published value, understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Its type, in the scenario's word.
    pub(crate) kind: String,
    /// The value, as published and re-fanged.
    pub(crate) shown: String,
    /// The value in normal form; none when this version has no kind for it.
    pub(crate) value: Option<Value>,
    /// What it is for.
    pub(crate) role: IndicatorRole,
    /// The scenario's own word for the role, when it says more than [`Item::role`].
    pub(crate) label: Option<String>,
    /// What is said of it.
    pub(crate) note: String,
    /// Why it is not put into telemetry; none when it is.
    pub(crate) not_planted: Option<String>,
    /// The event with which it becomes known; without one, it is shared with the first intelligence.
    pub(crate) told_with: Option<usize>,
    /// Whether it does not exist before that event.
    pub(crate) appears_then: bool,
}

/// Understands a scenario's values; says in `notes` what had to be decided.
pub(crate) fn items(scenario: &Scenario, notes: &mut Vec<String>) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for published in &scenario.indicators {
        let item = item(published, notes);
        let key = match &item.value {
            Some(value) => (value.kind().to_string(), value.to_string()),
            None => (item.kind.to_lowercase(), item.shown.clone()),
        };
        match places.get(&key).and_then(|place| items.get_mut(*place)) {
            Some(known) => {
                notes.push(format!(
                    "{} stands there twice, as {} and as {}: the more careful role counts",
                    item.shown, known.role, item.role
                ));
                if care(item.role) > care(known.role) {
                    *known = item;
                }
            }
            None => {
                places.insert(key, items.len());
                items.push(item);
            }
        }
    }
    place_in_time(&mut items, scenario);
    items
}

/// How careful one must be with a value in this role; of two roles the more careful one counts.
const fn care(role: IndicatorRole) -> u8 {
    match role {
        IndicatorRole::Malicious => 0,
        IndicatorRole::Suspect => 1,
        IndicatorRole::VictimInfrastructure => 2,
        IndicatorRole::Vaccine => 3,
        IndicatorRole::KillSwitch => 4,
    }
}

fn item(published: &Published, notes: &mut Vec<String>) -> Item {
    let shown = refang(published.value.trim()).into_owned();
    let word = published.role.to_lowercase().replace(['_', ' '], "-");
    let (role, label) = role_of(&word);
    if label.as_deref() == Some(UNKNOWN_ROLE) {
        let told = if word.is_empty() {
            "no role".to_owned()
        } else {
            format!("the unknown role {:?}", published.role)
        };
        notes.push(format!("{shown} has {told}: taken as suspect, so nobody blocks it"));
    }
    let (value, mut not_planted) = match published.kind.parse::<Kind>() {
        Err(_) => (
            None,
            Some(format!(
                "this version matches no values of type {:?}; shared to be read by people",
                published.kind
            )),
        ),
        Ok(kind) => match Value::new(kind, &shown) {
            Err(error) => (None, Some(error.to_string())),
            Ok(value) if value.kind() == Kind::CryptoAddress => (
                Some(value),
                Some("wallets stand in ransom notes, not in the traffic and events sensors read".into()),
            ),
            Ok(value) => (Some(value), None),
        },
    };
    if label.as_deref() == Some(EVIDENCE) {
        not_planted = Some("evidence is for people who assess; nobody meets it in traffic".into());
    }
    Item {
        kind: published.kind.clone(),
        shown,
        value,
        role,
        label,
        note: published.note.clone(),
        not_planted,
        told_with: None,
        appears_then: false,
    }
}

/// The label of a value that is kept for assessment only.
const EVIDENCE: &str = "evidence";
/// The label of a value whose role this version does not know.
const UNKNOWN_ROLE: &str = "role-unknown";

/// The role a scenario's word stands for, and a label where the word says more.
fn role_of(word: &str) -> (IndicatorRole, Option<String>) {
    let plain =
        word.strip_suffix("-do-not-block").or_else(|| word.strip_suffix("-do-not-delete")).unwrap_or(word);
    match plain {
        "malicious" | "bad" | "c2" | "payload" => (IndicatorRole::Malicious, None),
        "killswitch" | "kill-switch" | "stop-switch" => (IndicatorRole::KillSwitch, None),
        "vaccine" => (IndicatorRole::Vaccine, None),
        "victim-infrastructure" | "victim" | "compromised" => (IndicatorRole::VictimInfrastructure, None),
        "suspect" => (IndicatorRole::Suspect, None),
        "suspect-false-positive" | "false-positive" => {
            (IndicatorRole::Suspect, Some("likely-false-positive".into()))
        }
        EVIDENCE => (IndicatorRole::Suspect, Some(EVIDENCE.into())),
        // A word that forbids blocking is obeyed whatever else it means.
        _ => (IndicatorRole::Suspect, Some(UNKNOWN_ROLE.into())),
    }
}

/// Decides with which event each value becomes known.
fn place_in_time(items: &mut [Item], scenario: &Scenario) {
    let inside = |event: &&(usize, &Event)| event.1.at >= scenario.start && event.1.at <= scenario.end;
    let mut events: Vec<(usize, &Event)> = scenario.events.iter().enumerate().collect();
    events.sort_by_key(|(_, event)| event.at);
    let first_of =
        |wanted: Meaning| events.iter().filter(inside).find(|(_, event)| meaning(&event.kind) == wanted);
    for item in items {
        let named = events.iter().filter(inside).find(|(_, event)| names(&event.text, &item.shown));
        let protective = matches!(item.role, IndicatorRole::KillSwitch | IndicatorRole::Vaccine);
        let variant =
            || item.note.to_lowercase().contains("variant").then(|| first_of(Meaning::Variant)).flatten();
        let with = match named {
            Some((_, event)) if meaning(&event.kind) == Meaning::Variant => named,
            _ if protective => named.or_else(variant).or_else(|| first_of(Meaning::Protection)),
            // What an attack uses is shared as soon as somebody has looked at it, whenever it is told of again.
            _ => None,
        };
        item.told_with = with.map(|(index, _)| *index);
        item.appears_then = with.is_some_and(|(_, event)| meaning(&event.kind) == Meaning::Variant);
    }
}

/// What to call an indicator: its value and what is said of it. Of a long value, such as a hash, its beginning is
/// enough in a title; the whole stands in the pattern.
fn title(value: &str, note: &str) -> String {
    const SHOWN_CHARACTERS: usize = 48;
    const BEGINNING_CHARACTERS: usize = 12;
    let shown = if value.chars().count() > SHOWN_CHARACTERS {
        format!("{}…", value.chars().take(BEGINNING_CHARACTERS).collect::<String>())
    } else {
        value.to_owned()
    };
    let name = if note.is_empty() { shown } else { format!("{shown}: {note}") };
    name.chars().take(150).collect()
}

/// Whether a text names a value: whole, or its beginning followed by an ellipsis.
fn names(text: &str, value: &str) -> bool {
    let (text, value) = (refang(text).to_lowercase(), value.to_lowercase());
    let whole = text.match_indices(&value).any(|(at, _)| {
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
        !inside(text.get(..at).and_then(|before| before.chars().next_back()))
            && !inside(text.get(at + value.len()..).and_then(|after| after.chars().next()))
    });
    let edge = |c: char| !(c.is_alphanumeric() || c == '-');
    let begun = text.split_whitespace().any(|word| {
        let word = word.trim_start_matches(edge);
        let Some(stem) = word.find("...").or_else(|| word.find('…')).and_then(|end| word.get(..end)) else {
            return false;
        };
        stem.chars().count() >= STEM_CHARACTERS_MIN && value.starts_with(stem)
    });
    whole || begun
}

/// STIX objects one member shares at one time.
pub(crate) struct Sharing<'a> {
    /// Who shares.
    pub(crate) member: MemberId,
    /// When, in scenario time; never ahead of the clock.
    pub(crate) at: Timestamp,
    /// What the malware is called, and the member that first called it so.
    pub(crate) malware: (&'a str, MemberId),
    /// Where ids of objects without a derived one come from.
    pub(crate) entropy: &'a dyn Entropy,
}

impl Sharing<'_> {
    /// The malware's id.
    pub(crate) fn malware_id(&self) -> ObjectId {
        indicator::context_id(ContextKind::Malware, self.malware.1, self.malware.0)
    }

    /// What is shared once: the meaning of roles, the malware, its techniques and the holes it uses.
    pub(crate) fn story(&self, techniques: &[String], cves: &[String]) -> Vec<Json> {
        let (name, member) = self.malware;
        let mut objects = vec![
            object(EXTENSION_DEFINITION),
            object(&indicator::context(ContextKind::Malware, member, name, self.at, Some(MARKING))),
        ];
        for technique in techniques {
            let reference = json!([{
                "source_name": "mitre-attack",
                "external_id": technique,
                "url": format!("https://attack.mitre.org/techniques/{}", technique.replace('.', "/")),
            }]);
            let name = format!("ATT&CK {technique}");
            self.tied(
                &mut objects,
                "attack-pattern",
                "uses",
                json!({"name": name, "external_references": reference}),
            );
        }
        for cve in cves {
            let reference = json!([{"source_name": "cve", "external_id": cve}]);
            self.tied(
                &mut objects,
                "vulnerability",
                "exploits",
                json!({"name": cve, "external_references": reference}),
            );
        }
        objects
    }

    /// An object of its own and the malware's relationship to it.
    fn tied(&self, objects: &mut Vec<Json>, object_type: &str, label: &str, mut properties: Json) {
        let Some(id) = self.new_id(object_type) else { return };
        self.head(&mut properties, object_type, &id);
        objects.push(properties);
        objects.push(object(&indicator::relationship(
            self.member,
            &self.malware_id(),
            label,
            &id,
            self.at,
            Some(MARKING),
        )));
    }

    /// The malware under a name that says what is new; warnings that point to it are told.
    pub(crate) fn renamed(&self, created: Timestamp, name: &str, description: &str) -> Json {
        let mut malware = object(&indicator::context(
            ContextKind::Malware,
            self.malware.1,
            self.malware.0,
            created,
            Some(MARKING),
        ));
        if let Some(fields) = malware.as_object_mut() {
            fields.insert("name".into(), name.into());
            fields.insert("description".into(), description.into());
            fields.insert("modified".into(), millis(self.at.max(created.plus_micros(1_000))).into());
        }
        malware
    }

    /// A value as an indicator, and what it indicates. Returns the indicator's id beside them.
    pub(crate) fn indicator(&self, item: &Item) -> Option<(ObjectId, Vec<Json>)> {
        let labels: Vec<String> = item.label.clone().into_iter().collect();
        let name = title(&item.shown, &item.note);
        let (id, mut indicator) = match &item.value {
            Some(value) => {
                let draft = IndicatorDraft {
                    member: self.member,
                    value,
                    role: item.role,
                    name: Some(&name),
                    created: self.at,
                    modified: self.at,
                    valid_from: self.at,
                    valid_until: None,
                    confidence: None,
                    labels: &labels,
                    marking: Some(MARKING),
                };
                (draft.id(), object(&draft.to_json()))
            }
            None => {
                let id = self.new_id("indicator")?;
                let mut properties = json!({
                    "name": name,
                    "indicator_types": ["unknown"],
                    "extensions": {EXTENSION_ID: {"extension_type": "property-extension", "role": item.role}},
                    "pattern": foreign_pattern(item),
                    "pattern_type": "stix",
                    "valid_from": millis(self.at),
                });
                self.head(&mut properties, "indicator", &id);
                (id, properties)
            }
        };
        if let Some(fields) = indicator.as_object_mut().filter(|_| !item.note.is_empty()) {
            fields.insert("description".into(), item.note.clone().into());
        }
        let relationship = indicator::relationship(
            self.member,
            &id,
            "indicates",
            &self.malware_id(),
            self.at,
            Some(MARKING),
        );
        Some((id, vec![indicator, object(&relationship)]))
    }

    fn new_id(&self, object_type: &str) -> Option<ObjectId> {
        format!("{object_type}--{}", SensorId::new(self.at, self.entropy).uuid()).parse().ok()
    }

    fn head(&self, properties: &mut Json, object_type: &str, id: &ObjectId) {
        if let Some(fields) = properties.as_object_mut() {
            fields.insert("type".into(), object_type.into());
            fields.insert("spec_version".into(), "2.1".into());
            fields.insert("id".into(), id.as_str().into());
            fields.insert("created_by_ref".into(), self.member.to_string().into());
            fields.insert("created".into(), millis(self.at).into());
            fields.insert("modified".into(), millis(self.at).into());
            fields.insert("object_marking_refs".into(), json!([MARKING.marking_id()]));
        }
    }
}

/// A value no sensor matches, as a pattern all the same: under a type of its own, so nobody takes it for another.
fn foreign_pattern(item: &Item) -> String {
    let kind: String = item
        .kind
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .trim_matches('-')
        .chars()
        .take(40)
        .collect();
    let kind = if kind.is_empty() { "value".to_owned() } else { kind };
    let value: String = item
        .shown
        .chars()
        .flat_map(|c| if matches!(c, '\'' | '\\') { vec!['\\', c] } else { vec![c] })
        .collect();
    format!("[x-published-{kind}:value = '{value}']")
}

/// Reads back what `shieldwall_exchange` wrote, to stand in an envelope beside others.
fn object(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use super::super::scenario::tests::{of, wannacry};
    use super::*;
    use shieldwall_exchange::stix;
    use shieldwall_model::id::RepeatableEntropy;

    fn items_of(json: &str) -> (Vec<Item>, Vec<String>) {
        let mut notes = Vec::new();
        let items = items(&of(json), &mut notes);
        (items, notes)
    }

    fn find<'a>(items: &'a [Item], start: &str) -> &'a Item {
        items.iter().find(|item| item.shown.starts_with(start)).unwrap()
    }

    #[test]
    fn roles_and_times_of_the_weekend() {
        let scenario = wannacry();
        let mut notes = Vec::new();
        let items = items(&scenario, &mut notes);
        assert_eq!((items.len(), notes.len()), (34, 0));
        let kind_of = |item: &Item| scenario.events[item.told_with.unwrap()].kind.clone();
        let switch = find(&items, "iuqerf");
        assert_eq!(
            (switch.role, kind_of(switch).as_str(), switch.appears_then),
            (IndicatorRole::KillSwitch, "killswitch", false)
        );
        for (start, day) in [("ifferf", "2017-05-14"), ("iuqssf", "2017-05-14"), ("ayylmao", "2017-05-15")] {
            let item = find(&items, start);
            assert!(
                item.appears_then && scenario.events[item.told_with.unwrap()].at.to_string().starts_with(day),
                "{start}"
            );
        }
        assert_eq!(find(&items, "24d004").told_with, None);
        assert_eq!(find(&items, "9c7c71").label.as_deref(), Some("evidence"));
        assert_eq!(items.iter().filter(|item| item.not_planted.is_some()).count(), 2 + 3 + 1);
        assert_eq!(items.iter().filter(|item| item.value.is_none()).count(), 1);
    }

    #[test]
    fn every_word_for_a_role_is_understood_or_harms_nobody() {
        let (items, notes) = items_of(
            r#"{"indicators":[{"type":"domain","value":"a.example","role":"malicious"},
            {"type":"domain","value":"b[.]example","role":"Killswitch_Do_Not_Block"},
            {"type":"filename","value":"perfc.dat","role":"vaccine_do_not_delete"},
            {"type":"ip","value":"192.0.2.1","role":"victim_infrastructure"},
            {"type":"url","value":"hxxp://c[.]example/x","role":"suspect"},
            {"type":"domain","value":"d.example","role":"galactic_do_not_block"},
            {"type":"domain","value":"e.example"},
            {"type":"mutex","value":"Global\\x'y","role":"malicious"},
            {"type":"sha256","value":"not a hash","role":"malicious"}]}"#,
        );
        let roles: Vec<&str> = items.iter().map(|item| item.role.as_str()).collect();
        assert_eq!(
            roles,
            [
                "malicious",
                "kill-switch",
                "vaccine",
                "victim-infrastructure",
                "suspect",
                "suspect",
                "suspect",
                "malicious",
                "malicious"
            ]
        );
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(items[1].shown, "b.example");
        assert_eq!(items[4].value.as_ref().unwrap().kind(), Kind::Url);
        assert_eq!(foreign_pattern(&items[7]), r"[x-published-mutex:value = 'Global\\x\'y']");
        assert!(items[8].value.is_none() && items[8].not_planted.is_some());
    }

    #[test]
    fn the_more_careful_of_two_roles_counts() {
        for order in [["malicious", "killswitch_do_not_block"], ["killswitch_do_not_block", "malicious"]] {
            let (items, notes) = items_of(&format!(
                r#"{{"indicators":[{{"type":"domain","value":"A.example","role":"{}"}},{{"type":"hostname","value":"a.example.","role":"{}"}}]}}"#,
                order[0], order[1]
            ));
            assert_eq!((items.len(), items[0].role, notes.len()), (1, IndicatorRole::KillSwitch, 1));
        }
    }

    #[test]
    fn a_title_holds_a_short_value_whole_and_a_long_one_begun() {
        assert_eq!(title("evil.example", "control"), "evil.example: control");
        assert_eq!(title(&"ab".repeat(32), "dropper"), "abababababab…: dropper");
        assert_eq!(title("evil.example", ""), "evil.example");
    }

    #[test]
    fn a_text_names_a_value_whole_or_begun() {
        for (text, named) in [
            ("found evil.example today", true),
            ("found evil[.]example.", true),
            ("a second (evil...) one", true),
            ("a second evil… one", true),
            ("notevil.example", false),
            ("evi...", false),
            ("evil", false),
        ] {
            assert_eq!(names(text, "evil.example"), named, "{text}");
        }
    }

    #[test]
    fn what_is_shared_is_sound_stix() {
        let scenario = wannacry();
        let (at, entropy) = (scenario.start, RepeatableEntropy::new(1));
        let member = MemberId::new(at, &entropy);
        let sharing = Sharing { member, at, malware: (&scenario.name, member), entropy: &entropy };
        let mut objects = sharing.story(&scenario.techniques, &scenario.cves);
        for item in &items(&scenario, &mut Vec::new()) {
            let (id, made) = sharing.indicator(item).unwrap();
            assert_eq!(made[0]["id"], id.as_str());
            objects.extend(made);
        }
        objects.push(sharing.renamed(at, "WannaCry weekend (1 variant)", "new"));
        let envelope = serde_json::to_vec(&json!({"objects": objects})).unwrap();
        let checked = stix::read_envelope(&envelope).unwrap();
        assert!(checked.refused.is_empty(), "{:?}", checked.refused);
        assert_eq!(checked.accepted.len(), 2 + 2 * 16 + 2 * 3 + 2 * 34 + 1);
        let roles: Vec<&str> =
            checked.accepted.iter().filter_map(|object| object.role).map(|role| role.as_str()).collect();
        assert_eq!(roles.iter().filter(|role| **role == "kill-switch").count(), 4);
        assert_eq!(roles.iter().filter(|role| **role == "suspect").count(), 9);
    }
}
