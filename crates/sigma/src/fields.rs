//! The fields that rules ask for, numbered, and where in an event each may stand.
//!
//! Formats disagree on where a field stands: the rules' `CommandLine` is a key of its own in flat exports, lies below
//! `Event.EventData` in EVTX as JSON and below `winlog.event_data` in what Winlogbeat ships, and is
//! `process.command_line` in ECS. Names that a rule writes itself are looked for first, exactly as `rsigma-eval` does.

use hashbrown::HashMap;
use rsigma_parser::fieldpath::{first_unescaped, unescape_brackets};

/// A field's number.
pub(crate) type Field = u32;

/// Fields that the choice of rules, the time of an event or another spelling of a field depends on, whether or not a
/// rule asks for them; each has a constant in [`known`].
const KNOWN: [&str; 26] = [
    "Channel",
    "EventID",
    "Provider_Name",
    "SourceName",
    "UtcTime",
    "ProcessGuid",
    "EventType",
    "product",
    "service",
    "category",
    "_path",
    "eventSource",
    "eventVersion",
    "NewProcessName",
    "ParentProcessName",
    "SubjectUserName",
    "Image",
    "ParentImage",
    "User",
    "CommandLine",
    "@timestamp",
    "timestamp",
    "TimeCreated",
    "SystemTime",
    "ts",
    "eventTime",
];

/// The numbers of the fields in [`KNOWN`].
pub(crate) mod known {
    use super::Field;
    pub(crate) const CHANNEL: Field = 0;
    pub(crate) const EVENT_ID: Field = 1;
    pub(crate) const PROVIDER: Field = 2;
    pub(crate) const SOURCE_NAME: Field = 3;
    pub(crate) const UTC_TIME: Field = 4;
    pub(crate) const PROCESS_GUID: Field = 5;
    pub(crate) const EVENT_TYPE: Field = 6;
    pub(crate) const PRODUCT: Field = 7;
    pub(crate) const SERVICE: Field = 8;
    pub(crate) const CATEGORY: Field = 9;
    pub(crate) const ZEEK_PATH: Field = 10;
    pub(crate) const CLOUD_SOURCE: Field = 11;
    pub(crate) const CLOUD_VERSION: Field = 12;
    pub(crate) const NEW_PROCESS_NAME: Field = 13;
    pub(crate) const PARENT_PROCESS_NAME: Field = 14;
    pub(crate) const SUBJECT_USER_NAME: Field = 15;
    pub(crate) const IMAGE: Field = 16;
    pub(crate) const PARENT_IMAGE: Field = 17;
    pub(crate) const USER: Field = 18;
    /// Where an event says when it was, the first one found counts.
    pub(crate) const TIMES: [Field; 7] = [20, 4, 23, 22, 21, 24, 25];
}

/// Other spellings: a path, and the field it stands for where the event has none of that name. From the field mappings
/// of ECS 8 (field reference) and of Winlogbeat's `winlog` object.
const ALIASES: [(&str, &str); 46] = [
    ("winlog.channel", "Channel"),
    ("winlog.event_id", "EventID"),
    ("winlog.provider_name", "Provider_Name"),
    ("winlog.computer_name", "Computer"),
    ("event.code", "EventID"),
    ("event.provider", "Provider_Name"),
    ("process.command_line", "CommandLine"),
    ("process.executable", "Image"),
    ("process.pe.original_file_name", "OriginalFileName"),
    ("process.pe.company", "Company"),
    ("process.pe.description", "Description"),
    ("process.pe.product", "Product"),
    ("process.pe.imphash", "Imphash"),
    ("process.working_directory", "CurrentDirectory"),
    ("process.pid", "ProcessId"),
    ("process.parent.executable", "ParentImage"),
    ("process.parent.command_line", "ParentCommandLine"),
    ("process.parent.pid", "ParentProcessId"),
    ("process.hash.md5", "md5"),
    ("process.hash.sha1", "sha1"),
    ("process.hash.sha256", "sha256"),
    ("file.path", "TargetFilename"),
    ("file.hash.md5", "md5"),
    ("file.hash.sha1", "sha1"),
    ("file.hash.sha256", "sha256"),
    ("dll.path", "ImageLoaded"),
    ("registry.path", "TargetObject"),
    ("registry.data.strings", "Details"),
    ("dns.question.name", "QueryName"),
    ("dns.question.name", "query"),
    ("source.ip", "SourceIp"),
    ("source.ip", "src_ip"),
    ("source.port", "SourcePort"),
    ("source.port", "src_port"),
    ("destination.ip", "DestinationIp"),
    ("destination.ip", "dst_ip"),
    ("destination.port", "DestinationPort"),
    ("destination.port", "dst_port"),
    ("destination.domain", "DestinationHostname"),
    ("network.transport", "Protocol"),
    ("user.name", "User"),
    ("url.original", "c-uri"),
    ("url.domain", "cs-host"),
    ("http.request.method", "cs-method"),
    ("http.response.status_code", "sc-status"),
    ("user_agent.original", "c-useragent"),
];

/// Objects whose keys are fields by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Spread {
    /// `Event` of EVTX as JSON: `System`, `EventData` and `UserData` below it.
    Evtx,
    /// `winlog` of Winlogbeat: `event_data` and `user_data` below it.
    Winlog,
    /// `EventData` or `event_data` at the top.
    Data,
}

/// A path that stands for a field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alias {
    pub(crate) path: &'static str,
    pub(crate) field: Field,
    /// Of several for one field, the one with the lower place counts.
    pub(crate) place: u8,
}

/// What may stand under one key at the top of an event.
#[derive(Default, Debug)]
pub(crate) struct Root {
    /// The field of that very name.
    pub(crate) field: Option<Field>,
    /// Fields whose path begins with this key.
    pub(crate) paths: Vec<Field>,
    /// Paths that begin with this key and stand for a field.
    pub(crate) aliases: Vec<Alias>,
    /// Whether keys below it are fields.
    pub(crate) spread: Option<Spread>,
}

impl Root {
    /// Whether something below the key is wanted, so that its value has to be kept whole for a moment.
    pub(crate) fn is_deep(&self) -> bool {
        self.spread.is_some() || !self.paths.is_empty() || !self.aliases.is_empty()
    }
}

/// The fields, numbered.
#[derive(Debug)]
pub(crate) struct Fields {
    numbers: HashMap<Box<str>, Field>,
    names: Vec<Box<str>>,
    roots: HashMap<Box<str>, Root>,
    /// Fields whose name is no path from the top (it begins with a dot or a bracket): looked for in the whole event.
    odd: Vec<Field>,
}

impl Fields {
    /// A table of the known fields and those in `names`.
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut fields = Self {
            numbers: HashMap::default(),
            names: Vec::new(),
            roots: HashMap::default(),
            odd: Vec::new(),
        };
        for name in KNOWN.into_iter().chain(names) {
            fields.add(name);
        }
        for (place, (path, name)) in (0u8..).zip(ALIASES) {
            let (Some(field), Some(root)) = (fields.number(name), root_of(path)) else { continue };
            let alias = Alias { path, field, place };
            fields.roots.entry(root).or_default().aliases.push(alias);
        }
        for (key, spread) in [
            ("Event", Spread::Evtx),
            ("winlog", Spread::Winlog),
            ("EventData", Spread::Data),
            ("event_data", Spread::Data),
        ] {
            fields.roots.entry(key.into()).or_default().spread = Some(spread);
        }
        fields
    }

    fn add(&mut self, name: &str) {
        if self.numbers.contains_key(name) {
            return;
        }
        let Ok(number) = Field::try_from(self.names.len()) else { return };
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        self.roots.entry(name.into()).or_default().field = Some(number);
        if name.contains(['.', '[', '\\']) {
            match root_of(name) {
                Some(root) => self.roots.entry(root).or_default().paths.push(number),
                None => self.odd.push(number),
            }
        }
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of a field by its name.
    pub(crate) fn number(&self, name: &str) -> Option<Field> {
        self.numbers.get(name).copied()
    }

    /// The name of a field.
    pub(crate) fn name(&self, field: Field) -> &str {
        self.names.get(field as usize).map_or("", |name| name)
    }

    /// What may stand under a key at the top of an event.
    pub(crate) fn root(&self, key: &str) -> Option<&Root> {
        self.roots.get(key)
    }

    /// Fields that are looked for in the whole event.
    pub(crate) fn odd(&self) -> &[Field] {
        &self.odd
    }
}

/// The key at the top where a path begins, as `rsigma-eval` reads paths.
fn root_of(path: &str) -> Option<Box<str>> {
    let until = |text: &str, mark| first_unescaped(text, mark).unwrap_or(text.len());
    let segment = path.get(..until(path, b'.'))?;
    let name = segment.get(..until(segment, b'['))?;
    (!name.is_empty()).then(|| unescape_brackets(name).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_fields_have_their_numbers() {
        let fields = Fields::new(std::iter::empty());
        for (number, name) in (0..).zip(KNOWN) {
            assert_eq!(fields.number(name), Some(number), "{name}");
            assert_eq!(fields.name(number), name);
        }
        assert_eq!(fields.name(known::USER), "User");
        assert_eq!(fields.name(known::CLOUD_VERSION), "eventVersion");
        let times: Vec<_> = known::TIMES.iter().map(|field| fields.name(*field)).collect();
        assert_eq!(
            times,
            ["@timestamp", "UtcTime", "SystemTime", "TimeCreated", "timestamp", "ts", "eventTime"]
        );
    }

    #[test]
    fn a_path_begins_at_its_first_key() {
        assert_eq!(root_of("userIdentity.type").as_deref(), Some("userIdentity"));
        assert_eq!(root_of("answers[0].data").as_deref(), Some("answers"));
        assert_eq!(root_of(r"odd\[1\].x").as_deref(), Some("odd[1]"));
        assert_eq!(root_of(".x"), None);
        assert_eq!(root_of("[0]"), None);
    }
}
