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

/// A query, understood. An empty list of alternatives means no filter; without `versions`, the last one is meant where
/// objects are asked for, and every one where versions are listed or deleted.
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
    /// A parameter that stands twice, a `match` field the standard does not have, an empty alternative, a version that
    /// stands twice or beside `all`, a time that is none, a limit below 1: all are refused, since an answer to another
    /// question is worse than none (section 3.4 asks for 400 where a parameter is malformed). Other unknown parameters
    /// are passed over. Blanks around alternatives do not count, and a field of another endpoint is applied where it
    /// makes sense: section 3.1 itself shows `match[type]` on one object, section 5.6 does not have it.
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
            let wrong = |why| TaxiiError::Parameter { name: name.chars().take(60).collect(), why };
            let known = match name {
                "added_after" | "limit" | "next" | "match[id]" | "match[type]" => {
                    endpoint != Endpoint::Delete
                }
                "match[version]" | "match[spec_version]" => true,
                _ => false,
            };
            if !known {
                if name.starts_with("match[") || name == "match" {
                    return Err(wrong("no filter of this endpoint; leave it out"));
                }
                continue;
            }
            if seen.contains(&name) {
                return Err(wrong("stands twice; give it once, alternatives separated by commas"));
            }
            seen.push(name);
            query.take(name, value.trim()).map_err(wrong)?;
        }
        Ok(query)
    }

    /// Takes in one parameter; the error says what is wrong with it.
    fn take(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "added_after" => self.added_after = Some(time(value).ok_or(NO_TIME)?),
            "limit" => match value.parse::<u64>() {
                Ok(0) | Err(_) => return Err("is no whole number of at least 1"),
                Ok(limit) => {
                    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                    self.limit = Some(limit.min(PAGE_ITEMS_MAX));
                }
            },
            "next" if value.is_empty() => {
                return Err("is empty; give what the last page said, or leave it out");
            }
            "next" => self.next = Some(value.to_owned()),
            _ => {
                let alternatives: Vec<&str> = value.split(',').map(str::trim).collect();
                if alternatives.contains(&"") {
                    return Err("has an empty alternative; leave it out");
                }
                let into = match name {
                    "match[version]" => {
                        self.versions = versions(&alternatives)?;
                        return Ok(());
                    }
                    "match[id]" => &mut self.ids,
                    "match[type]" => &mut self.types,
                    _ => &mut self.spec_versions,
                };
                into.extend(alternatives.into_iter().map(str::to_owned));
            }
        }
        Ok(())
    }

    /// How many items a page holds.
    pub fn page_items(&self) -> usize {
        self.limit.unwrap_or(PAGE_ITEMS_MAX)
    }
}

const NO_TIME: &str = "is no time; write one such as 2026-01-31T09:30:00.000000Z";

/// The alternatives of `match[version]` (section 3.4.1): none stands twice, and `all` stands alone.
fn versions(alternatives: &[&str]) -> Result<Vec<VersionMatch>, &'static str> {
    let mut versions = Vec::with_capacity(alternatives.len());
    for text in alternatives {
        let version = match *text {
            "first" => VersionMatch::First,
            "last" => VersionMatch::Last,
            "all" => VersionMatch::All,
            text => VersionMatch::At(time(text).ok_or("takes first, last, all and times")?),
        };
        if versions.contains(&version) {
            return Err("names a version twice; name each once");
        }
        versions.push(version);
    }
    if versions.len() > 1 && versions.contains(&VersionMatch::All) {
        return Err("has `all` beside others; `all` stands alone");
    }
    Ok(versions)
}

/// A time as clients write it: RFC 3339 with any number of fraction digits and any offset, the `+` of an offset also as
/// the blank that an unescaped query string makes of it, and a day alone for its beginning.
fn time(text: &str) -> Option<Timestamp> {
    const DAY: usize = "2026-01-31".len();
    match Timestamp::parse(text) {
        Ok(time) => Some(time),
        Err(_) if text.len() == DAY => Timestamp::parse(&format!("{text}T00:00:00Z")).ok(),
        Err(_) => {
            let (rest, offset) = text.rsplit_once(' ')?;
            Timestamp::parse(&format!("{rest}+{offset}")).ok().filter(|_| rest.len() > DAY)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(endpoint: Endpoint, pairs: &[(&str, &str)]) -> Result<Query, String> {
        Query::parse(endpoint, pairs.iter().copied()).map_err(|error| {
            assert_eq!((error.http_status(), error.code()), (400, "taxii.parameter"));
            error.to_string()
        })
    }

    #[test]
    fn times_are_read_as_clients_write_them() {
        let wanted = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        for text in [
            "2026-01-31T09:30:00Z",
            "2026-01-31T09:30:00.0Z",
            "2026-01-31T09:30:00.000Z",
            "2026-01-31T09:30:00.000000Z",
            "2026-01-31T09:30:00.000000000Z",
            "2026-01-31t09:30:00z",
            "2026-01-31T09:30:00+00:00",
            "2026-01-31T11:30:00.000+02:00",
            // What `+00:00` becomes when a client does not escape its query string.
            "2026-01-31T09:30:00.000000 00:00",
            " 2026-01-31T09:30:00Z ",
        ] {
            let query = parse(Endpoint::Objects, &[("added_after", text)]).unwrap();
            assert_eq!(query.added_after, Some(wanted), "{text}");
        }
        assert_eq!(
            parse(Endpoint::Objects, &[("added_after", "2026-01-31")]).unwrap().added_after,
            Timestamp::parse("2026-01-31T00:00:00Z").ok()
        );
        // Cut to what is kept, towards the past: nothing added within that microsecond is passed over.
        assert_eq!(
            parse(Endpoint::Objects, &[("added_after", "2026-01-31T09:30:00.000000999Z")])
                .unwrap()
                .added_after,
            Some(wanted)
        );
        for text in
            ["", "yesterday", "1769851800", "2026-01-31T09:30:00", "2026-13-01", "2026-01-31T09:30:00Z,x"]
        {
            parse(Endpoint::Objects, &[("added_after", text)]).unwrap_err();
        }
    }

    #[test]
    fn alternatives_are_separated_by_commas_and_blanks_do_not_count() {
        let query = parse(
            Endpoint::Manifest,
            &[
                ("match[type]", "indicator, malware"),
                ("match[id]", "a,b"),
                ("match[spec_version]", "2.0,2.1"),
                ("match[version]", "first, 2016-01-01T01:01:01.000Z,last"),
                ("unknown", "x"),
            ],
        )
        .unwrap();
        assert_eq!(
            (query.types, query.ids),
            (vec!["indicator".to_owned(), "malware".into()], vec!["a".to_owned(), "b".into()])
        );
        assert_eq!(query.spec_versions, ["2.0", "2.1"]);
        let at = VersionMatch::At(Timestamp::parse("2016-01-01T01:01:01Z").unwrap());
        assert_eq!(query.versions, [VersionMatch::First, at, VersionMatch::Last]);
    }

    #[test]
    fn what_the_standard_forbids_is_malformed() {
        for pairs in [
            &[("limit", "0")][..],
            &[("limit", "-1")],
            &[("limit", "1.5")],
            &[("limit", "")],
            &[("next", "")],
            &[("match[version]", "all,last")],
            &[("match[version]", "last,last")],
            &[("match[version]", "2016-01-01T01:01:01Z,2016-01-01T01:01:01.000Z")],
            &[("match[version]", "newest")],
            &[("match[type]", "indicator,")],
            &[("match[type]", "indicator"), ("match[type]", "malware")],
            &[("limit", "1"), ("limit", "1")],
            &[("added_after", "2026-01-31T09:30:00Z"), ("added_after", "2026-01-31T09:30:00Z")],
            &[("match[name]", "x")],
            &[("match", "x")],
        ] {
            parse(Endpoint::Objects, pairs).unwrap_err();
        }
        for name in ["match[id]", "match[type]"] {
            parse(Endpoint::Delete, &[(name, "x")]).unwrap_err();
        }
        assert_eq!(
            parse(Endpoint::Delete, &[("match[version]", "first")]).unwrap().versions,
            [VersionMatch::First]
        );
        assert_eq!(
            parse(Endpoint::Objects, &[("limit", "18446744073709551615")]).unwrap().page_items(),
            PAGE_ITEMS_MAX
        );
    }
}
