//! MISP's attribute types and categories (core format, section 2.4), with the defaults MISP gives them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// The categories, in MISP's order.
pub const CATEGORIES: [&str; 16] = [
    "Internal reference",
    "Targeting data",
    "Antivirus detection",
    "Payload delivery",
    "Artifacts dropped",
    "Payload installation",
    "Persistence mechanism",
    "Network activity",
    "Payload type",
    "Attribution",
    "External analysis",
    "Financial fraud",
    "Support Tool",
    "Social network",
    "Person",
    "Other",
];

/// One type: name, whether it is for detection by default, its default category and all it may stand in, as places
/// in [`CATEGORIES`]. A line a type, tab between the fields.
const TABLE: &str = include_str!("types.tsv");

/// A type of attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeType {
    /// Its name.
    pub name: &'static str,
    /// Whether it is for detection where nothing is said.
    pub to_ids: bool,
    /// The category where nothing is said.
    pub category: &'static str,
    /// The categories it may stand in.
    pub categories: Vec<&'static str>,
}

static TYPES: LazyLock<Vec<AttributeType>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());

fn read(line: &'static str) -> Option<AttributeType> {
    let mut fields = line.split('\t');
    let (name, to_ids) = (fields.next()?, fields.next()? == "1");
    let category = |text: &str| CATEGORIES.get(text.parse::<usize>().ok()?).copied();
    let default = category(fields.next()?)?;
    let categories = fields.next()?.split(',').filter_map(category).collect();
    Some(AttributeType { name, to_ids, category: default, categories })
}

/// All types, in MISP's order.
pub fn all() -> &'static [AttributeType] {
    &TYPES
}

/// A type by its name.
pub fn by_name(name: &str) -> Option<&'static AttributeType> {
    TYPES.iter().find(|kind| kind.name == name)
}

/// What `attributes/describeTypes` answers.
pub fn describe() -> Value {
    let defaults: BTreeMap<&str, Value> = TYPES
        .iter()
        .map(|kind| (kind.name, json!({"default_category": kind.category, "to_ids": u8::from(kind.to_ids)})))
        .collect();
    let within = |category: &&str| -> Vec<&str> {
        TYPES.iter().filter(|kind| kind.categories.contains(category)).map(|kind| kind.name).collect()
    };
    let mappings: BTreeMap<&str, Vec<&str>> =
        CATEGORIES.iter().map(|category| (*category, within(category))).collect();
    json!({"result": {
        "sane_defaults": defaults,
        "types": TYPES.iter().map(|kind| kind.name).collect::<Vec<_>>(),
        "categories": CATEGORIES,
        "category_type_mappings": mappings,
    }})
}
