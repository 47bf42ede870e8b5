//! Makes STIX 2.1 objects out of what the house knows: values as indicators, members as identities, families and
//! campaigns, the relationships between them, and sightings.
//!
//! Keys stand in a fixed order and ids are derived (UUIDv5, RFC 9562 section 5.5, over the member and what is named),
//! so that reading the same list twice names the same objects. Pass the `created` of the version there is when there
//! is one: STIX 2.1 section 3.6 lets it never change.

use std::fmt::Write as _;

use serde::Serialize;
use shieldwall_model::directory::{Member, MemberKind};
use shieldwall_model::id::{MemberId, ObjectId};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};
use uuid::Uuid;

use crate::role::{EXTENSION_ID, IndicatorRole};

/// A value on its way to becoming an indicator.
#[derive(Clone, Debug)]
pub struct IndicatorDraft<'a> {
    /// Whose indicator it is.
    pub member: MemberId,
    /// What it looks for.
    pub value: &'a Value,
    /// What the value means for whoever meets it.
    pub role: IndicatorRole,
    /// What to call it; without one, the value itself.
    pub name: Option<&'a str>,
    /// When the indicator was first made.
    pub created: Timestamp,
    /// When this version was made; not before `created`.
    pub modified: Timestamp,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// Until when, after `valid_from`.
    pub valid_until: Option<Timestamp>,
    /// How sure the member is, 0 to 100 (STIX 2.1 appendix A).
    pub confidence: Option<u8>,
    /// Labels of the list it came from.
    pub labels: &'a [String],
    /// Its marking.
    pub marking: Option<Tlp>,
}

impl IndicatorDraft<'_> {
    /// The indicator's id: the same for the same member and value, whatever else changes.
    pub fn id(&self) -> ObjectId {
        derived("indicator", self.member, &format!("{}:{}", self.value.kind(), self.value))
    }

    /// The indicator as STIX 2.1.
    pub fn to_json(&self) -> String {
        let id = self.id();
        let pattern = pattern(self.value);
        let shown = self.value.to_string();
        let mut labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        if self.role != IndicatorRole::Malicious && !labels.contains(&self.role.as_str()) {
            labels.push(self.role.as_str());
        }
        written(&Indicator {
            head: Head::new("indicator", &id, Some(self.member), self.created, self.modified),
            confidence: self.confidence.map(|confidence| confidence.min(100)),
            labels,
            object_marking_refs: self.marking.map(|tlp| [tlp.marking_id()]),
            extensions: Extensions {
                role: RoleExtension { extension_type: "property-extension", role: self.role },
            },
            name: self.name.unwrap_or(&shown),
            indicator_types: [indicator_type(self.role)],
            pattern: &pattern,
            pattern_type: "stix",
            pattern_version: "2.1",
            valid_from: millis(self.valid_from),
            valid_until: self.valid_until.map(millis),
        })
    }
}

/// The type of indicator (STIX 2.1 section 10.7) that tells a reader who does not know our extension the least
/// harmful truth: a kill switch is "benign", in itself not malicious but a sign.
const fn indicator_type(role: IndicatorRole) -> &'static str {
    match role {
        IndicatorRole::Malicious => "malicious-activity",
        IndicatorRole::KillSwitch | IndicatorRole::Vaccine => "benign",
        IndicatorRole::VictimInfrastructure => "compromised",
        IndicatorRole::Suspect => "anomalous-activity",
    }
}

/// The STIX pattern that matches exactly this value; `shieldwall_watch::pattern::values` reads it back.
///
/// JA3, JA4 and wallets have no property in STIX 2.1; they stand under `network-traffic:x_ja3`,
/// `network-traffic:x_ja4` and `x-cryptocurrency-wallet:address`.
pub fn pattern(value: &Value) -> String {
    let shown = value.to_string();
    let path = match value.kind() {
        Kind::Ipv4 | Kind::Cidr4 => "ipv4-addr:value",
        Kind::Ipv6 | Kind::Cidr6 => "ipv6-addr:value",
        Kind::IpPort => {
            let (address, port) = shown.rsplit_once(':').unwrap_or((&shown, "0"));
            let address = address.trim_start_matches('[').trim_end_matches(']');
            return format!(
                "[network-traffic:dst_ref.value = {} AND network-traffic:dst_port = {port}]",
                literal(address)
            );
        }
        Kind::Domain => "domain-name:value",
        Kind::Url => "url:value",
        Kind::Email => "email-addr:value",
        Kind::Md5 => "file:hashes.MD5",
        Kind::Sha1 => "file:hashes.'SHA-1'",
        Kind::Sha256 => "file:hashes.'SHA-256'",
        Kind::Sha512 => "file:hashes.'SHA-512'",
        Kind::Ja3 => "network-traffic:x_ja3",
        Kind::Ja4 => "network-traffic:x_ja4",
        Kind::FileName => "file:name",
        Kind::CryptoAddress => "x-cryptocurrency-wallet:address",
    };
    format!("[{path} = {}]", literal(&shown))
}

/// A string of the pattern language (STIX 2.1 section 9.1): quotes and backslashes escaped.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// What an indicator can point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextKind {
    /// A malware family.
    Malware,
    /// An intrusion set.
    IntrusionSet,
    /// A campaign.
    Campaign,
}

impl ContextKind {
    /// The STIX type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malware => "malware",
            Self::IntrusionSet => "intrusion-set",
            Self::Campaign => "campaign",
        }
    }
}

/// The id of a malware family, intrusion set or campaign as this member names it; case and blanks around do not count.
pub fn context_id(kind: ContextKind, member: MemberId, name: &str) -> ObjectId {
    derived(kind.as_str(), member, &name.trim().to_lowercase())
}

/// A malware family, intrusion set or campaign, known by name.
pub fn context(
    kind: ContextKind,
    member: MemberId,
    name: &str,
    created: Timestamp,
    marking: Option<Tlp>,
) -> String {
    written(&Context {
        head: Head::new(kind.as_str(), &context_id(kind, member, name), Some(member), created, created),
        object_marking_refs: marking.map(|tlp| [tlp.marking_id()]),
        name: name.trim(),
        is_family: (kind == ContextKind::Malware).then_some(true),
    })
}

/// The id of the relationship `source` `label` `target` as this member states it.
pub fn relationship_id(member: MemberId, source: &ObjectId, label: &str, target: &ObjectId) -> ObjectId {
    derived("relationship", member, &format!("{source} {label} {target}"))
}

/// A relationship, such as `indicates` from an indicator to a malware family.
pub fn relationship(
    member: MemberId,
    source: &ObjectId,
    label: &str,
    target: &ObjectId,
    created: Timestamp,
    marking: Option<Tlp>,
) -> String {
    written(&Relationship {
        head: Head::new(
            "relationship",
            &relationship_id(member, source, label, target),
            Some(member),
            created,
            created,
        ),
        object_marking_refs: marking.map(|tlp| [tlp.marking_id()]),
        relationship_type: label,
        source_ref: source.as_str(),
        target_ref: target.as_str(),
    })
}

/// A member as a STIX identity.
pub fn identity(member: &Member, created: Timestamp) -> String {
    let id = as_object_id(member.id);
    written(&Identity {
        head: Head::new("identity", &id, None, created, created),
        name: &member.name,
        identity_class: match member.kind {
            MemberKind::Nation | MemberKind::Organisation | MemberKind::Company | MemberKind::Partner => {
                "organization"
            }
        },
        sectors: &member.sectors,
    })
}

/// An indicator was seen: what a member reports of it, summed up.
#[derive(Clone, Debug)]
pub struct SightingDraft<'a> {
    /// The sighting's id.
    pub id: &'a ObjectId,
    /// Who saw it.
    pub member: MemberId,
    /// Whether to say who saw it (`where_sighted_refs`, `created_by_ref`).
    pub named: bool,
    /// The indicator.
    pub of: &'a ObjectId,
    /// The first time.
    pub first_seen: Timestamp,
    /// The last time; not before `first_seen`.
    pub last_seen: Timestamp,
    /// How often; STIX 2.1 section 5.2 ends at 999,999,999.
    pub count: u64,
    /// When the sighting was first reported.
    pub created: Timestamp,
    /// When it was last summed up.
    pub modified: Timestamp,
    /// Its marking.
    pub marking: Option<Tlp>,
}

impl SightingDraft<'_> {
    /// The sighting as STIX 2.1.
    pub fn to_json(&self) -> String {
        let by = self.named.then_some(self.member);
        written(&Sighting {
            head: Head::new("sighting", self.id, by, self.created, self.modified),
            object_marking_refs: self.marking.map(|tlp| [tlp.marking_id()]),
            first_seen: millis(self.first_seen),
            last_seen: millis(self.last_seen),
            count: self.count.min(999_999_999),
            sighting_of_ref: self.of.as_str(),
            where_sighted_refs: by.map(|member| [member.to_string()]),
        })
    }
}

fn as_object_id(member: MemberId) -> ObjectId {
    of_uuid("identity", member.uuid())
}

fn derived(object_type: &str, member: MemberId, name: &str) -> ObjectId {
    of_uuid(object_type, Uuid::new_v5(&member.uuid(), format!("{object_type} {name}").as_bytes()))
}

#[allow(
    clippy::expect_used,
    reason = "a type of ours and a UUID always make a STIX id; a test holds every type"
)]
fn of_uuid(object_type: &str, uuid: Uuid) -> ObjectId {
    format!("{object_type}--{uuid}").parse().expect("a STIX id")
}

/// A time with exactly three fraction digits, as STIX 2.1 section 3.2 asks for; the rest is cut.
pub fn millis(time: Timestamp) -> String {
    let mut text = String::with_capacity(28);
    // Display writes six digits and `Z`; writing to a string does not fail.
    let _ = write!(text, "{time}");
    text.truncate(text.len().saturating_sub(4));
    text.push('Z');
    text
}

/// Serialising these structs does not fail: string keys, no floats.
fn written(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

#[derive(Serialize)]
struct Head<'a> {
    r#type: &'static str,
    spec_version: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by_ref: Option<String>,
    created: String,
    modified: String,
}

impl<'a> Head<'a> {
    fn new(
        object_type: &'static str,
        id: &'a ObjectId,
        by: Option<MemberId>,
        created: Timestamp,
        modified: Timestamp,
    ) -> Self {
        Self {
            r#type: object_type,
            spec_version: "2.1",
            id: id.as_str(),
            created_by_ref: by.map(|member| member.to_string()),
            created: millis(created),
            modified: millis(modified.max(created)),
        }
    }
}

#[derive(Serialize)]
struct RoleExtension {
    extension_type: &'static str,
    role: IndicatorRole,
}

struct Extensions {
    role: RoleExtension,
}

impl Serialize for Extensions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(EXTENSION_ID, &self.role)])
    }
}

#[derive(Serialize)]
struct Indicator<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_marking_refs: Option<[&'static str; 1]>,
    extensions: Extensions,
    name: &'a str,
    indicator_types: [&'static str; 1],
    pattern: &'a str,
    pattern_type: &'static str,
    pattern_version: &'static str,
    valid_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

#[derive(Serialize)]
struct Context<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_marking_refs: Option<[&'static str; 1]>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_family: Option<bool>,
}

#[derive(Serialize)]
struct Relationship<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_marking_refs: Option<[&'static str; 1]>,
    relationship_type: &'a str,
    source_ref: &'a str,
    target_ref: &'a str,
}

#[derive(Serialize)]
struct Identity<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    name: &'a str,
    identity_class: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    sectors: &'a [String],
}

#[derive(Serialize)]
struct Sighting<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_marking_refs: Option<[&'static str; 1]>,
    first_seen: String,
    last_seen: String,
    count: u64,
    sighting_of_ref: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    where_sighted_refs: Option<[String; 1]>,
}
