//! The form of the tables: what a row says of a property, and what a rule says of several.
//!
//! A type is a [`Type`] row with a list of [`Property`] rows; a new object type is a new table, not new code.

use super::finding::{Findings, Path};
use super::json::Fields;

/// What kind of object a type is; who may refer to whom depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    /// STIX domain object (section 4).
    Domain,
    /// STIX relationship object (section 5).
    Relation,
    /// STIX cyber-observable object (section 6).
    Observable,
    /// Marking definition, language content, extension definition (section 7), bundle (section 8).
    Meta,
    /// Not of the standard.
    Custom,
}

/// One object type of the standard.
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) category: Category,
    /// Properties common to the category.
    pub(crate) common: &'static [Property],
    /// Properties of this type alone.
    pub(crate) own: &'static [Property],
    pub(crate) rules: &'static [Rule],
    /// The extensions the standard defines for it, by name.
    pub(crate) extensions: &'static [(&'static str, &'static Shape)],
    /// The properties an observable's deterministic id is made of (section 2.9).
    pub(crate) identity: &'static [&'static str],
}

/// One property: a row of the standard's table.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// A nested object with properties and rules of its own.
pub(crate) struct Shape {
    pub(crate) own: &'static [Property],
    pub(crate) rules: &'static [Rule],
}

/// The type of a property's value (section 2).
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Boolean,
    /// From and to, both included.
    Integer(i64, i64),
    /// From and to, both included.
    Float(f64, f64),
    Time,
    /// A time that should have exactly three fraction digits.
    VersionTime,
    Hex,
    Base64,
    Language,
    /// The object's own `id` and `type`, checked before anything else.
    Own,
    SpecVersion,
    /// One of these and nothing else.
    Closed(&'static [&'static str]),
    /// One of these, or something else with a warning.
    Open(&'static [&'static str]),
    Id(Targets),
    List(&'static Kind),
    Hashes,
    /// A non-empty dictionary of anything.
    Dictionary,
    /// A non-empty dictionary of dictionaries under language tags.
    Translations,
    Nested(&'static Shape),
    /// Known extensions are checked, others are left as they are.
    Extensions,
    GranularMarkings,
    /// What a custom check looks into; here only that it is an object.
    AnyObject,
    /// A property name of an extension definition.
    PropertyName,
    /// A relationship type: `a-z`, `0-9`, `-`.
    RelationshipType,
    /// A URL of RFC 3986; a malformed one is a warning.
    Url,
    /// An IPv4 address or network.
    Ipv4,
    /// An IPv6 address or network.
    Ipv6,
    /// A physical address `00:11:22:aa:bb:cc`.
    MacAddress,
}

/// What an identifier may refer to.
#[derive(Clone, Copy)]
pub(crate) enum Targets {
    Any,
    /// These types alone.
    Types(&'static [&'static str]),
    /// Domain objects and custom ones.
    Domain,
    /// Domain objects, observables and custom ones.
    DomainOrObservable,
    /// Observables and custom ones.
    Observable,
    /// Observables, relationships and custom ones.
    ObservableOrRelation,
    /// Anything but a bundle.
    NotBundle,
}

/// What must hold between properties of one object.
pub(crate) enum Rule {
    /// At least one of these.
    AnyOf(&'static [&'static str]),
    /// Exactly one of these.
    OneOf(&'static [&'static str]),
    /// The first only together with the second.
    Needs(&'static str, &'static str),
    /// The first time is not before the second.
    NotBefore(&'static str, &'static str),
    /// The first time is after the second.
    After(&'static str, &'static str),
    /// What no row can say.
    Own(fn(&Fields<'_>, &Path<'_>, &mut Findings)),
}

pub(crate) const fn must(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, required: true }
}

pub(crate) const fn may(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, required: false }
}

pub(crate) const COUNT: Kind = Kind::Integer(0, INTEGER_MAX);
/// The largest integer of section 2.7: 2^53 - 1.
pub(crate) const INTEGER_MAX: i64 = 9_007_199_254_740_991;
pub(crate) const INTEGER: Kind = Kind::Integer(-INTEGER_MAX, INTEGER_MAX);
pub(crate) const FLOAT: Kind = Kind::Float(f64::MIN, f64::MAX);
pub(crate) const TEXTS: Kind = Kind::List(&Kind::Text);

pub(crate) const fn id_of(types: &'static [&'static str]) -> Kind {
    Kind::Id(Targets::Types(types))
}
