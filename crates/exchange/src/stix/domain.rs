//! The tables of STIX domain objects and relationship objects (STIX 2.1 sections 3.2, 4 and 5), one row a property.

use shieldwall_model::limits::PATTERN_BYTES_MAX;

use super::check::is_true;
use super::finding::{Code, Findings, Path};
use super::json::Fields;
use super::schema::{Category, Kind, Property, Rule, Shape, TEXTS, Targets, Type, id_of, may, must};
use super::vocabulary as ov;

const EXTERNAL_REFERENCE: Shape = Shape {
    own: &[
        must("source_name", Kind::Text),
        may("description", Kind::Text),
        may("url", Kind::Url),
        may("hashes", Kind::Hashes),
        may("external_id", Kind::Text),
    ],
    rules: &[Rule::AnyOf(&["description", "url", "external_id"])],
};

const KILL_CHAIN_PHASE: Shape =
    Shape { own: &[must("kill_chain_name", Kind::Text), must("phase_name", Kind::Text)], rules: &[] };

const KILL_CHAIN_PHASES: Kind = Kind::List(&Kind::Nested(&KILL_CHAIN_PHASE));

pub(super) const EXTERNAL_REFERENCES: Kind = Kind::List(&Kind::Nested(&EXTERNAL_REFERENCE));

pub(super) const MARKING_REFS: Kind = Kind::List(&id_of(&["marking-definition"]));

pub(super) const CREATED_BY: Kind = id_of(&["identity"]);

/// Section 3.2, for domain objects, relationships and language content.
pub(super) const COMMON: &[Property] = &[
    must("type", Kind::Own),
    must("spec_version", Kind::SpecVersion),
    must("id", Kind::Own),
    may("created_by_ref", CREATED_BY),
    must("created", Kind::VersionTime),
    must("modified", Kind::VersionTime),
    may("revoked", Kind::Boolean),
    may("labels", TEXTS),
    may("confidence", Kind::Integer(0, 100)),
    may("lang", Kind::Language),
    may("external_references", EXTERNAL_REFERENCES),
    may("object_marking_refs", MARKING_REFS),
    may("granular_markings", Kind::GranularMarkings),
    may("extensions", Kind::Extensions),
];

/// What is checked of a type the standard does not know: the same properties, where they stand.
pub(super) const CUSTOM_COMMON: &[Property] = &[
    must("type", Kind::Own),
    may("spec_version", Kind::SpecVersion),
    must("id", Kind::Own),
    may("created_by_ref", CREATED_BY),
    may("created", Kind::VersionTime),
    may("modified", Kind::VersionTime),
    may("revoked", Kind::Boolean),
    may("labels", TEXTS),
    may("confidence", Kind::Integer(0, 100)),
    may("lang", Kind::Language),
    may("external_references", EXTERNAL_REFERENCES),
    may("object_marking_refs", MARKING_REFS),
    may("granular_markings", Kind::GranularMarkings),
    may("extensions", Kind::Extensions),
];

const ALIASES: Property = may("aliases", TEXTS);
const DESCRIPTION: Property = may("description", Kind::Text);
const FIRST_SEEN: Property = may("first_seen", Kind::Time);
const LAST_SEEN: Property = may("last_seen", Kind::Time);
const NAME: Property = must("name", Kind::Text);
const PHASES: Property = may("kill_chain_phases", KILL_CHAIN_PHASES);
const OBJECT_REFS: Property = must("object_refs", Kind::List(&Kind::Id(Targets::NotBundle)));
const MOTIVATION: Kind = Kind::Open(ov::ATTACK_MOTIVATION);
const MOTIVATIONS: Kind = Kind::List(&MOTIVATION);
const SEEN_IN_ORDER: Rule = Rule::NotBefore("last_seen", "first_seen");
const SOFTWARE: Kind = id_of(&["software"]);

const fn domain(name: &'static str, own: &'static [Property], rules: &'static [Rule]) -> Type {
    Type { name, category: Category::Domain, common: COMMON, own, rules, extensions: &[], identity: &[] }
}

const fn relation(name: &'static str, own: &'static [Property], rules: &'static [Rule]) -> Type {
    Type { name, category: Category::Relation, common: COMMON, own, rules, extensions: &[], identity: &[] }
}

/// All domain and relationship objects; the two most frequent first.
pub(super) const TYPES: &[Type] = &[
    relation(
        "relationship",
        &[
            must("relationship_type", Kind::RelationshipType),
            DESCRIPTION,
            must("source_ref", Kind::Id(Targets::DomainOrObservable)),
            must("target_ref", Kind::Id(Targets::DomainOrObservable)),
            may("start_time", Kind::Time),
            may("stop_time", Kind::Time),
        ],
        &[Rule::After("stop_time", "start_time")],
    ),
    domain(
        "indicator",
        &[
            may("name", Kind::Text),
            DESCRIPTION,
            may("indicator_types", Kind::List(&Kind::Open(ov::INDICATOR_TYPE))),
            must("pattern", Kind::Text),
            must("pattern_type", Kind::Open(ov::PATTERN_TYPE)),
            may("pattern_version", Kind::Text),
            must("valid_from", Kind::Time),
            may("valid_until", Kind::Time),
            PHASES,
        ],
        &[Rule::After("valid_until", "valid_from"), Rule::Own(pattern_is_one)],
    ),
    relation(
        "sighting",
        &[
            DESCRIPTION,
            FIRST_SEEN,
            LAST_SEEN,
            may("count", Kind::Integer(0, 999_999_999)),
            must("sighting_of_ref", Kind::Id(Targets::Domain)),
            may("observed_data_refs", Kind::List(&id_of(&["observed-data"]))),
            may("where_sighted_refs", Kind::List(&id_of(&["identity", "location"]))),
            may("summary", Kind::Boolean),
        ],
        &[SEEN_IN_ORDER],
    ),
    domain("attack-pattern", &[NAME, DESCRIPTION, ALIASES, PHASES], &[]),
    domain(
        "campaign",
        &[NAME, DESCRIPTION, ALIASES, FIRST_SEEN, LAST_SEEN, may("objective", Kind::Text)],
        &[SEEN_IN_ORDER],
    ),
    domain("course-of-action", &[NAME, DESCRIPTION], &[]),
    domain(
        "grouping",
        &[
            may("name", Kind::Text),
            DESCRIPTION,
            must("context", Kind::Open(ov::GROUPING_CONTEXT)),
            OBJECT_REFS,
        ],
        &[],
    ),
    domain(
        "identity",
        &[
            NAME,
            DESCRIPTION,
            may("roles", TEXTS),
            may("identity_class", Kind::Open(ov::IDENTITY_CLASS)),
            may("sectors", Kind::List(&Kind::Open(ov::INDUSTRY_SECTOR))),
            may("contact_information", Kind::Text),
        ],
        &[],
    ),
    domain("incident", &[NAME, DESCRIPTION], &[]),
    domain(
        "infrastructure",
        &[
            NAME,
            DESCRIPTION,
            may("infrastructure_types", Kind::List(&Kind::Open(ov::INFRASTRUCTURE_TYPE))),
            ALIASES,
            PHASES,
            FIRST_SEEN,
            LAST_SEEN,
        ],
        &[SEEN_IN_ORDER],
    ),
    domain(
        "intrusion-set",
        &[
            NAME,
            DESCRIPTION,
            ALIASES,
            FIRST_SEEN,
            LAST_SEEN,
            may("goals", TEXTS),
            may("resource_level", Kind::Open(ov::ATTACK_RESOURCE_LEVEL)),
            may("primary_motivation", MOTIVATION),
            may("secondary_motivations", MOTIVATIONS),
        ],
        &[SEEN_IN_ORDER],
    ),
    domain(
        "location",
        &[
            may("name", Kind::Text),
            DESCRIPTION,
            may("latitude", Kind::Float(-90.0, 90.0)),
            may("longitude", Kind::Float(-180.0, 180.0)),
            may("precision", Kind::Float(0.0, f64::MAX)),
            may("region", Kind::Open(ov::REGION)),
            may("country", Kind::Text),
            may("administrative_area", Kind::Text),
            may("city", Kind::Text),
            may("street_address", Kind::Text),
            may("postal_code", Kind::Text),
        ],
        &[
            Rule::AnyOf(&["region", "country", "latitude"]),
            Rule::Needs("latitude", "longitude"),
            Rule::Needs("longitude", "latitude"),
            Rule::Needs("precision", "latitude"),
        ],
    ),
    domain(
        "malware",
        &[
            may("name", Kind::Text),
            DESCRIPTION,
            may("malware_types", Kind::List(&Kind::Open(ov::MALWARE_TYPE))),
            must("is_family", Kind::Boolean),
            ALIASES,
            PHASES,
            FIRST_SEEN,
            LAST_SEEN,
            may("operating_system_refs", Kind::List(&SOFTWARE)),
            may("architecture_execution_envs", Kind::List(&Kind::Open(ov::PROCESSOR_ARCHITECTURE))),
            may("implementation_languages", Kind::List(&Kind::Open(ov::IMPLEMENTATION_LANGUAGE))),
            may("capabilities", Kind::List(&Kind::Open(ov::MALWARE_CAPABILITY))),
            may("sample_refs", Kind::List(&id_of(&["artifact", "file"]))),
        ],
        &[SEEN_IN_ORDER, Rule::Own(family_has_a_name)],
    ),
    domain(
        "malware-analysis",
        &[
            must("product", Kind::Text),
            may("version", Kind::Text),
            may("host_vm_ref", SOFTWARE),
            may("operating_system_ref", SOFTWARE),
            may("installed_software_refs", Kind::List(&SOFTWARE)),
            may("configuration_version", Kind::Text),
            may("modules", TEXTS),
            may("analysis_engine_version", Kind::Text),
            may("analysis_definition_version", Kind::Text),
            may("submitted", Kind::Time),
            may("analysis_started", Kind::Time),
            may("analysis_ended", Kind::Time),
            may("result_name", Kind::Text),
            may("result", Kind::Open(ov::MALWARE_RESULT)),
            may("analysis_sco_refs", Kind::List(&Kind::Id(Targets::Observable))),
            may("sample_ref", Kind::Id(Targets::Observable)),
        ],
        &[Rule::AnyOf(&["result", "analysis_sco_refs"])],
    ),
    domain(
        "note",
        &[may("abstract", Kind::Text), must("content", Kind::Text), may("authors", TEXTS), OBJECT_REFS],
        &[],
    ),
    domain(
        "observed-data",
        &[
            must("first_observed", Kind::Time),
            must("last_observed", Kind::Time),
            must("number_observed", Kind::Integer(1, 999_999_999)),
            may("objects", Kind::Dictionary),
            may("object_refs", Kind::List(&Kind::Id(Targets::ObservableOrRelation))),
        ],
        &[Rule::NotBefore("last_observed", "first_observed"), Rule::OneOf(&["objects", "object_refs"])],
    ),
    domain(
        "opinion",
        &[
            may("explanation", Kind::Text),
            may("authors", TEXTS),
            must("opinion", Kind::Closed(ov::OPINION)),
            OBJECT_REFS,
        ],
        &[],
    ),
    domain(
        "report",
        &[
            NAME,
            DESCRIPTION,
            may("report_types", Kind::List(&Kind::Open(ov::REPORT_TYPE))),
            must("published", Kind::Time),
            OBJECT_REFS,
        ],
        &[],
    ),
    domain(
        "threat-actor",
        &[
            NAME,
            DESCRIPTION,
            may("threat_actor_types", Kind::List(&Kind::Open(ov::THREAT_ACTOR_TYPE))),
            ALIASES,
            FIRST_SEEN,
            LAST_SEEN,
            may("roles", Kind::List(&Kind::Open(ov::THREAT_ACTOR_ROLE))),
            may("goals", TEXTS),
            may("sophistication", Kind::Open(ov::THREAT_ACTOR_SOPHISTICATION)),
            may("resource_level", Kind::Open(ov::ATTACK_RESOURCE_LEVEL)),
            may("primary_motivation", MOTIVATION),
            may("secondary_motivations", MOTIVATIONS),
            may("personal_motivations", MOTIVATIONS),
        ],
        &[SEEN_IN_ORDER],
    ),
    domain(
        "tool",
        &[
            NAME,
            DESCRIPTION,
            may("tool_types", Kind::List(&Kind::Open(ov::TOOL_TYPE))),
            ALIASES,
            PHASES,
            may("tool_version", Kind::Text),
        ],
        &[],
    ),
    domain("vulnerability", &[NAME, DESCRIPTION], &[]),
];

/// Section 4.11: a family without a name could not be told from another.
fn family_has_a_name(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    if is_true(fields.get("is_family")) && !fields.has("name") {
        out.refuse(&path.key("name"), Code::Missing, "a malware family needs a name: add `name`");
    }
}

/// Section 4.7: the pattern must be one of its language. Only STIX's own is read here; the others are somebody else's
/// to judge, so long as something is there.
fn pattern_is_one(fields: &Fields<'_>, path: &Path<'_>, out: &mut Findings) {
    let Some(pattern) = fields.text("pattern") else { return };
    let path = path.key("pattern");
    if pattern.trim().is_empty() {
        out.refuse(&path, Code::Value, "the pattern is empty: write what is to be looked for");
    } else if fields.text("pattern_type") == Some("stix")
        && pattern.len() <= PATTERN_BYTES_MAX
        && let Err(error) = shieldwall_watch::pattern::parse(pattern)
    {
        out.refuse(&path, Code::Pattern, error.to_string());
    }
}
