//! The query of a TAXII request (sections 3.4 and 3.5): `added_after`, `limit`, `next` and `match[…]`.

use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::time::Timestamp;

use super::TaxiiError;

/// Which endpoint is asked; each takes its own parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// GET objects (section 5.4).
    Objects,
    /// GET manifest (section 5.3).
    Manifest,
    /// GET one object (section 5.6).
    Object,
    /// DELETE one object (section 5.7).
    Delete,
    /// GET an object's versions (section 5.8).
    Versions,
}

/// One alternative of `match[version]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// The oldest version.
    First,
    /// The newest version.
    Last,
    /// Every version.
    All,
    /// The version of this time.
    At(Timestamp),
}

/// A query, understood. An empty list of alternatives means no filter, but for `versions` and `spec_versions`:
/// see [`wants_version`](Self::wants_version) and [`wants_spec`](Self::wants_spec).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only what was added after this time, not at it.
    pub added_after: Option<Timestamp>,
    /// At most so many items on a page: 1 to [`PAGE_ITEMS_MAX`], more is cut to it.
    pub limit: Option<usize>,
    /// Where the client stopped: our own opaque text from an earlier envelope.
    pub next: Option<String>,
    /// `match[id]`.
    pub ids: Vec<String>,
    /// `match[type]`.
    pub types: Vec<String>,
    /// `match[version]`.
    pub versions: Vec<VersionMatch>,
    /// `match[spec_version]`.
    pub spec_versions: Vec<String>,
}

impl Query {
    /// Understands the parameters of a request, percent-decoded by the caller.
    ///
    /// A parameter that stands twice, a `match` field the endpoint does not have, an empty alternative, a time that is
    /// none, a limit below 1: all are refused, since an answer to another question is worse than none (the standard
    /// asks for 400 where the server did not understand the filter). Other unknown parameters are passed over.
    ///
    /// # Errors
    /// [`TaxiiError::Parameter`].
    pub fn parse<'q>(
        endpoint: Endpoint,
        pairs: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Self, TaxiiError> {
        let mut query = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in pairs {
            let wrong = |why| Err(TaxiiError::Parameter { name: name.chars().take(60).collect(), why });
            let paged = endpoint != Endpoint::Delete;
            let whole = matches!(endpoint, Endpoint::Objects | Endpoint::Manifest);
            let known = match name {
                "added_after" | "limit" | "next" => paged,
                "match[id]" | "match[type]" => whole,
                "match[version]" => endpoint != Endpoint::Versions,
                "match[spec_version]" => true,
                _ => false,
            };
            if !known {
                if name.starts_with("match[") || name == "match" {
                    return wrong("no filter of this endpoint; leave it out");
                }
                continue;
            }
            if seen.contains(&name) {
                return wrong("stands twice; give it once, alternatives separated by commas");
            }
            seen.push(name);
            match name {
                "added_after" => match Timestamp::parse(value) {
                    Ok(time) => query.added_after = Some(time),
                    Err(_) => return wrong("is no time; write one such as 2026-01-31T09:30:00.000000Z"),
                },
                "limit" => match value.parse::<u64>() {
                    Ok(0) | Err(_) => return wrong("is no whole number of at least 1"),
                    Ok(limit) => {
                        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                        query.limit = Some(limit.min(PAGE_ITEMS_MAX));
                    }
                },
                "next" if value.is_empty() => {
                    return wrong("is empty; give what the last page said, or leave it out");
                }
                "next" => query.next = Some(value.to_owned()),
                _ if value.split(',').any(str::is_empty) => {
                    return wrong("has an empty alternative; leave it out");
                }
                "match[version]" => {
                    for text in value.split(',') {
                        match version(text) {
                            Some(version) => query.versions.push(version),
                            None => return wrong("takes first, last, all and times"),
                        }
                    }
                }
                _ => {
                    let into = match name {
                        "match[id]" => &mut query.ids,
                        "match[type]" => &mut query.types,
                        _ => &mut query.spec_versions,
                    };
                    into.extend(value.split(',').map(str::to_owned));
                }
            }
        }
        Ok(query)
    }

    /// How many items a page holds.
    pub fn page_items(&self) -> usize {
        self.limit.unwrap_or(PAGE_ITEMS_MAX)
    }

    /// Whether an object of this id and type is asked for.
    pub fn wants(&self, id: &str, object_type: &str) -> bool {
        let any = |of: &[String], wanted: &str| of.is_empty() || of.iter().any(|one| one == wanted);
        any(&self.ids, id) && any(&self.types, object_type)
    }

    /// Whether a version is asked for; without `match[version]` that is the last.
    pub fn wants_version(&self, version: Timestamp, is_first: bool, is_last: bool) -> bool {
        if self.versions.is_empty() {
            return is_last;
        }
        self.versions.iter().any(|wanted| match wanted {
            VersionMatch::First => is_first,
            VersionMatch::Last => is_last,
            VersionMatch::All => true,
            VersionMatch::At(time) => *time == version,
        })
    }

    /// Whether an object of this specification is asked for; without `match[spec_version]` that is the latest the
    /// server has of it, so `is_latest`.
    pub fn wants_spec(&self, spec_version: &str, is_latest: bool) -> bool {
        if self.spec_versions.is_empty() {
            is_latest
        } else {
            self.spec_versions.iter().any(|one| one == spec_version)
        }
    }
}

fn version(text: &str) -> Option<VersionMatch> {
    Some(match text {
        "first" => VersionMatch::First,
        "last" => VersionMatch::Last,
        "all" => VersionMatch::All,
        time => VersionMatch::At(Timestamp::parse(time).ok()?),
    })
}
