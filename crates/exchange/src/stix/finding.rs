//! What the validator has to say about an object: problems with a stable code, a path and what to do.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// The stable code of a [`Problem`]. What it means never changes; new ones may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

codes! {
    /// The container is not quite what the standard says; its objects are taken all the same (warning).
    Container = "stix.container",
    /// A custom property breaks the rule for names (STIX 2.1 section 11.1).
    CustomName = "stix.custom.name",
    /// A custom property without the `x_` the standard asks for (warning).
    CustomPrefix = "stix.custom.prefix",
    /// A property stands twice in one JSON object.
    DuplicateKey = "stix.json.duplicate-key",
    /// An extension breaks section 7.3.
    Extension = "stix.extension",
    /// A granular marking's selector names nothing in this object (section 7.2.3.1).
    Selector = "stix.granular.selector",
    /// The id is no STIX id.
    Id = "stix.id.form",
    /// An observable's id is not the deterministic one (section 2.9; warning).
    IdNotDeterministic = "stix.id.not-deterministic",
    /// The id names another type than the object's.
    IdType = "stix.id.type",
    /// This is not JSON, or holds a string or number no reader agrees on.
    Json = "stix.json",
    /// Nested too deep.
    LimitDepth = "stix.limit.depth",
    /// The object is too large.
    LimitObject = "stix.limit.object",
    /// The pattern is too long.
    LimitPattern = "stix.limit.pattern",
    /// Too many references.
    LimitReferences = "stix.limit.references",
    /// A string is too long.
    LimitString = "stix.limit.string",
    /// Not a JSON object.
    NotAnObject = "stix.object.form",
    /// The pattern is not one of STIX's language (section 9).
    Pattern = "stix.pattern",
    /// A property that must be there is not.
    Missing = "stix.property.missing",
    /// A property may not stand here, beside what else stands here.
    Forbidden = "stix.property.forbidden",
    /// A property is of the wrong JSON or STIX type.
    Type = "stix.property.type",
    /// A property is of the right type but has a value the standard excludes.
    Value = "stix.property.value",
    /// A reference names a type it may not name.
    ReferenceType = "stix.reference.type",
    /// The specification version is one this house cannot check.
    SpecVersion = "stix.spec-version.unknown",
    /// No specification version: read as STIX 2.0, as section 3.2 says (warning).
    SpecVersionAbsent = "stix.spec-version.absent",
    /// Two times in the wrong order.
    TimeOrder = "stix.time.order",
    /// A time not precise to the millisecond, which section 3.2 asks for (warning; see the crate's leniencies).
    TimePrecision = "stix.time.precision",
    /// A part marked too strictly for where it should go, and the object cannot go without it.
    RequiredPart = "stix.marking.required_part",
    /// A TLP 1 marking that is not one of the standard's four (section 7.2.1.4).
    Tlp = "stix.marking.tlp",
    /// The type's name breaks section 3.1.
    TypeName = "stix.type.name",
    /// Something that has no versions is held with other properties, and what is held stays (warning).
    UnversionedHeld = "stix.unversioned.held",
    /// It was STIX 2.0 and is kept as 2.1 (warning).
    UpgradedSpec = "stix.upgraded.2-0",
    /// A hash's name was spelled otherwise than the standard does and is kept in the standard's spelling (warning).
    UpgradedHashName = "stix.upgraded.hash-name",
    /// A TLP 1 marking was exchanged for its TLP 2.0 one (warning).
    UpgradedTlp = "stix.upgraded.tlp-1",
    /// Not a URL (RFC 3986; warning: what is malformed can still be what was seen).
    Url = "stix.url",
    /// A marking definition is marked with itself (section 3.2).
    MarkingCycle = "stix.marking.cycle",
    /// A value outside the suggested vocabulary (warning).
    Vocabulary = "stix.vocabulary",
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that is wrong with an object, or less than right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `external_references[2].url`; empty for the object as a whole.
    pub path: String,
    /// What kind of problem.
    pub code: Code,
    /// What is wrong and what to do, in plain words.
    pub reason: String,
}

/// Most problems and most warnings noted of one object.
pub(crate) const PROBLEMS_NOTED_MAX: usize = 16;

/// Where the validator stands: a list linked through the call stack, so that a path costs nothing until it is told.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub(crate) const fn key(&'p self, key: &'p str) -> Self {
        Self::Key(self, key)
    }

    pub(crate) const fn index(&'p self, index: usize) -> Self {
        Self::Index(self, index)
    }

    pub(crate) fn told(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(Path::Root, key) => super::json::quoted(key),
            Self::Key(parent, key) => format!("{}.{}", parent.told(), super::json::quoted(key)),
            Self::Index(parent, index) => format!("{}[{index}]", parent.told()),
        }
    }
}

/// What was found in one object.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    /// A hash's name is spelled otherwise than the standard does.
    pub(crate) respelled: bool,
    /// The object's id is the one its content gives.
    pub(crate) deterministic: bool,
}

impl Findings {
    /// The standard says MUST: the object is refused.
    pub(crate) fn refuse(&mut self, path: &Path<'_>, code: Code, reason: impl Into<Cow<'static, str>>) {
        note(&mut self.problems, path, code, reason.into());
    }

    /// The standard says SHOULD: the object is kept with this note.
    pub(crate) fn warn(&mut self, path: &Path<'_>, code: Code, reason: impl Into<Cow<'static, str>>) {
        note(&mut self.warnings, path, code, reason.into());
    }
}

fn note(notes: &mut Vec<Problem>, path: &Path<'_>, code: Code, reason: Cow<'static, str>) {
    if notes.len() < PROBLEMS_NOTED_MAX {
        notes.push(Problem { path: path.told(), code, reason: reason.into_owned() });
    }
}
