//! The search language: words, and fields that say what they are about.
//!
//! ```text
//! type:indicator tlp:amber seen:>2026-01-01 value:"evil.example" owner:EE -label:test wannacry "stop switch"
//! ```
//!
//! A query is terms set apart by blanks, joined by AND. A term is a word, a phrase in quotes, or `field:value`; a value
//! with blanks stands in quotes, in which `\"` and `\\` are read as written. Before any of them `-` says *not*. The same
//! field said more than once (and not denied) asks for any of its values. Reading never fails on what is not a field:
//! `http://evil.example` and `2001:db8::1` are words.
//!
//! | field | value |
//! |---|---|
//! | `type` | a STIX type |
//! | `tlp` | `clear`, `green`, `amber`, `amber+strict`, `red`, or `none` |
//! | `value` | a value an object holds, exactly; de-fanged spellings are understood |
//! | `under` | a domain name or network: hosts at or under it, addresses and networks inside it |
//! | `owner`, `group` | who shared it, where; a name, a country code or an id |
//! | `role` | the role of an indicator |
//! | `state` | `active`, `expired`, `revoked`, `recalled` |
//! | `label` | a label, in any case |
//! | `created_by` | the STIX id in `created_by_ref` |
//! | `added`, `seen` | when the hub took it, when it was last sighted: a day or a time, after `>`, `>=`, `<`, `<=`, or `A..B` |

use std::fmt;

use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits::{SEARCH_BYTES_MAX, SEARCH_TERMS_MAX};
use shieldwall_model::marking::Tlp;
use shieldwall_model::time::Timestamp;

/// The names of all fields.
pub const FIELDS: [&str; 12] = [
    "added",
    "created_by",
    "group",
    "label",
    "owner",
    "role",
    "seen",
    "state",
    "tlp",
    "type",
    "under",
    "value",
];

/// Microseconds of a day.
const DAY_MICROSECONDS: i64 = 86_400_000_000;

/// Why a text is no search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// Too long, or too many terms.
    #[error("a search has at most {SEARCH_BYTES_MAX} bytes and {SEARCH_TERMS_MAX} terms: say less")]
    TooLong,
    /// A quote that is not closed.
    #[error("at character {at}: this quote is not closed; put a \" where the phrase ends")]
    Quote {
        /// Which character, from 1.
        at: usize,
    },
    /// A field there is not.
    #[error("at character {at}: there is no field `{name}`; {hint}")]
    Field {
        /// Which character, from 1.
        at: usize,
        /// The name as typed.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// A value its field does not have.
    #[error("at character {at}: `{field}:` does not take {value:?}; {hint}")]
    Value {
        /// Which character, from 1.
        at: usize,
        /// The field.
        field: &'static str,
        /// The value as typed, cut to 40 characters.
        value: String,
        /// What it takes.
        hint: &'static str,
    },
}

impl SearchError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "search.too_long",
            Self::Quote { .. } => "search.quote",
            Self::Field { .. } => "search.field",
            Self::Value { .. } => "search.value",
        }
    }

    /// At which character it went wrong, from 1.
    pub fn at(&self) -> usize {
        match self {
            Self::TooLong => 1,
            Self::Quote { at } | Self::Field { at, .. } | Self::Value { at, .. } => *at,
        }
    }
}

/// A search, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Its terms, in the order typed.
    pub terms: Vec<Term>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether it must not be so.
    pub not: bool,
    /// What is asked.
    pub ask: Ask,
}

/// What a term asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A word, or words that stand together.
    Words(String),
    /// A STIX type.
    Type(String),
    /// A marking; `None` is none.
    Tlp(Option<Tlp>),
    /// A value.
    Value(String),
    /// A name or network that is above what an object holds.
    Under(String),
    /// An owner, as named.
    Owner(String),
    /// A group, as named.
    Group(String),
    /// A role.
    Role(IndicatorRole),
    /// A state.
    State(State),
    /// A label.
    Label(String),
    /// An id in `created_by_ref`.
    CreatedBy(String),
    /// When the hub took it.
    Added(Span),
    /// When it was last sighted.
    Seen(Span),
}

/// The state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use.
    Active,
    /// Past its end.
    Expired,
    /// Revoked by a version of its own.
    Revoked,
    /// Taken back by its owner.
    Recalled,
}

impl State {
    const ALL: [Self; 4] = [Self::Active, Self::Expired, Self::Revoked, Self::Recalled];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Recalled => "recalled",
        }
    }
}

/// A stretch of time: from the first on, before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl Search {
    /// Reads what a person typed.
    ///
    /// # Errors
    /// [`SearchError`] with the place and what to do.
    pub fn read(text: &str) -> Result<Self, SearchError> {
        if text.len() > SEARCH_BYTES_MAX {
            return Err(SearchError::TooLong);
        }
        let mut reader = Reader { rest: text, at: 1 };
        let mut terms = Vec::new();
        while let Some(term) = reader.term()? {
            if terms.len() >= SEARCH_TERMS_MAX {
                return Err(SearchError::TooLong);
            }
            terms.push(term);
        }
        Ok(Self { terms })
    }
}

/// What is left to read, and at which character it stands.
struct Reader<'a> {
    rest: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn skip(&mut self, bytes: usize) {
        let (over, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.at += over.chars().count();
        self.rest = rest;
    }

    fn term(&mut self) -> Result<Option<Term>, SearchError> {
        loop {
            self.skip(self.rest.len() - self.rest.trim_start().len());
            if self.rest.is_empty() {
                return Ok(None);
            }
            let not = self
                .rest
                .strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(|c: char| !c.is_whitespace() && c != '-'));
            if not {
                self.skip(1);
            }
            let ask = match self.field()? {
                Some((name, at)) => {
                    let (value_at, value) = (self.at, self.text()?.0);
                    read_field(name, &value, at, value_at)?
                }
                None => {
                    let (words, _) = self.text()?;
                    // An empty phrase asks for nothing.
                    if words.trim().is_empty() {
                        continue;
                    }
                    Ask::Words(words)
                }
            };
            return Ok(Some(Term { not, ask }));
        }
    }

    /// A field's name and where it stands, if one comes next; its colon is read as well.
    fn field(&mut self) -> Result<Option<(&'static str, usize)>, SearchError> {
        let Some((name, after)) = self.rest.split_once(':') else { return Ok(None) };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        // `http://…`, `c:\…`, `::` and a colon at the end of a word belong to words.
        let is_word =
            after.is_empty() || after.starts_with(['/', '\\', ':']) || after.starts_with(char::is_whitespace);
        if !is_name || name.len() > 40 {
            return Ok(None);
        }
        let lower = name.to_ascii_lowercase();
        let at = self.at;
        if let Some(known) = FIELDS.into_iter().find(|known| *known == lower) {
            self.skip(name.len() + 1);
            return Ok(Some((known, at)));
        }
        if is_word || self.word_is_address() {
            return Ok(None);
        }
        Err(SearchError::Field { at, name: name.to_owned(), hint: hint(&lower) })
    }

    fn word_is_address(&self) -> bool {
        let word = self.rest.split(char::is_whitespace).next().unwrap_or_default();
        word.parse::<std::net::IpAddr>().is_ok()
    }

    /// A word or what stands in quotes; whether it did.
    fn text(&mut self) -> Result<(String, bool), SearchError> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
            let word = self.rest.get(..end).unwrap_or_default().to_owned();
            self.skip(end);
            return Ok((word, false));
        };
        let (mut text, mut escaped) = (String::new(), false);
        for (offset, character) in quoted.char_indices() {
            match character {
                _ if escaped => {
                    // Only a quote and a backslash need it; a path's other backslashes stay.
                    if !matches!(character, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.skip(offset + 2);
                    return Ok((text, true));
                }
                _ => text.push(character),
            }
        }
        Err(SearchError::Quote { at: self.at })
    }
}

/// What may have been meant by a field there is not.
fn hint(name: &str) -> String {
    let meant = match name {
        "marking" => Some("tlp"),
        "ip" | "domain" | "url" | "hash" | "ioc" => Some("value"),
        "date" | "created" | "since" | "time" => Some("added"),
        "from" | "member" | "by" | "author" => Some("owner"),
        "tag" | "tags" | "labels" => Some("label"),
        "sighted" => Some("seen"),
        "status" => Some("state"),
        _ => FIELDS.into_iter().find(|field| near(name, field)),
    };
    match meant {
        Some(field) => format!("did you mean `{field}:`? To look for the words, put them in quotes"),
        None => format!("there are {}; to look for the words, put them in quotes", FIELDS.join(", ")),
    }
}

/// Whether one letter more, less or another, or two swapped, makes one the other.
fn near(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(common..).unwrap_or_default(), b.get(common..).unwrap_or_default());
    let tail = |text: &str, at: usize| text.get(at..).unwrap_or_default().to_owned();
    let swapped = a.len() >= 2
        && a.len() == b.len()
        && a.bytes().next() == b.as_bytes().get(1).copied()
        && a.as_bytes().get(1).copied() == b.bytes().next();
    tail(a, 1) == tail(b, 1) || tail(a, 1) == b || a == tail(b, 1) || swapped && tail(a, 2) == tail(b, 2)
}

fn read_field(name: &'static str, value: &str, at: usize, value_at: usize) -> Result<Ask, SearchError> {
    let refuse = |hint| SearchError::Value {
        at: value_at,
        field: name,
        value: value.chars().take(40).collect(),
        hint,
    };
    if value.trim().is_empty() {
        return Err(SearchError::Value {
            at,
            field: name,
            value: String::new(),
            hint: "write what to look for after the colon",
        });
    }
    let text = || value.to_owned();
    Ok(match name {
        "type" => {
            let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !plain {
                return Err(refuse("write a STIX type such as indicator, malware or x-my-type"));
            }
            Ask::Type(value.to_ascii_lowercase())
        }
        "tlp" => Ask::Tlp(if value.eq_ignore_ascii_case("none") {
            None
        } else {
            Some(
                read_tlp(value)
                    .ok_or_else(|| refuse("write clear, green, amber, amber+strict, red or none"))?,
            )
        }),
        "value" => Ask::Value(text()),
        "under" => Ask::Under(text()),
        "owner" => Ask::Owner(text()),
        "group" => Ask::Group(text()),
        "label" => Ask::Label(text()),
        "created_by" => Ask::CreatedBy(text()),
        "role" => Ask::Role(
            value
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| refuse("write malicious, suspect, kill-switch or another role of indicators"))?,
        ),
        "state" => {
            let lower = value.to_ascii_lowercase();
            let state = State::ALL.into_iter().find(|state| state.as_str() == lower);
            Ask::State(state.ok_or_else(|| refuse("write active, expired, revoked or recalled"))?)
        }
        _ => {
            let span = Span::read(value).ok_or_else(|| {
                refuse("write a day such as 2026-01-31 or a time such as 2026-01-31T09:30:00Z, after >, >=, < or <= if need be, or A..B")
            })?;
            if name == "added" { Ask::Added(span) } else { Ask::Seen(span) }
        }
    })
}

fn read_tlp(text: &str) -> Option<Tlp> {
    let text = text.to_ascii_uppercase();
    let text = text.strip_prefix("TLP:").unwrap_or(&text);
    Tlp::ALL.into_iter().find(|tlp| tlp.as_str().trim_start_matches("TLP:").eq_ignore_ascii_case(text))
}

impl Span {
    fn read(text: &str) -> Option<Self> {
        if let Some((from, until)) = text.split_once("..") {
            let from = if from.is_empty() { None } else { Some(Moment::read(from)?.start) };
            let until = if until.is_empty() { None } else { Some(Moment::read(until)?.end) };
            return (from.is_some() || until.is_some()).then_some(Self { from, until });
        }
        let after = |moment: Moment| Self { from: Some(moment.end), until: None };
        let from = |moment: Moment| Self { from: Some(moment.start), until: None };
        if let Some(rest) = text.strip_prefix(">=") {
            return Moment::read(rest).map(from);
        }
        if let Some(rest) = text.strip_prefix("<=") {
            return Some(Self { from: None, until: Some(Moment::read(rest)?.end) });
        }
        if let Some(rest) = text.strip_prefix('>') {
            return Moment::read(rest).map(after);
        }
        if let Some(rest) = text.strip_prefix('<') {
            return Some(Self { from: None, until: Some(Moment::read(rest)?.start) });
        }
        let moment = Moment::read(text.strip_prefix('=').unwrap_or(text))?;
        Some(Self { from: Some(moment.start), until: Some(moment.end) })
    }
}

/// A day, a month, a year or an instant: its start, and the first instant after it.
struct Moment {
    start: Timestamp,
    end: Timestamp,
}

impl Moment {
    fn read(text: &str) -> Option<Self> {
        if text.contains(['T', 't']) {
            let start = Timestamp::parse(&text.to_ascii_uppercase()).ok()?;
            return Some(Self { start, end: Timestamp::from_micros(start.as_micros().checked_add(1)?) });
        }
        let day = |text: &str| Timestamp::parse(&format!("{text}T00:00:00Z")).ok();
        match text.len() {
            10 => {
                let start = day(text)?;
                Some(Self {
                    start,
                    end: Timestamp::from_micros(start.as_micros().checked_add(DAY_MICROSECONDS)?),
                })
            }
            7 => {
                let (year, month) = text.split_once('-')?;
                let (year, month): (u16, u8) = (year.parse().ok()?, month.parse().ok()?);
                let (next_year, next) =
                    if month == 12 { (year.checked_add(1)?, 1) } else { (year, month.checked_add(1)?) };
                Some(Self {
                    start: day(&format!("{text}-01"))?,
                    end: day(&format!("{next_year:04}-{next:02}-01"))?,
                })
            }
            4 => {
                let year: u16 = text.parse().ok()?;
                Some(Self {
                    start: day(&format!("{text}-01-01"))?,
                    end: day(&format!("{:04}-01-01", year.checked_add(1)?))?,
                })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Search {
    /// One spelling of a search; it reads as the same search.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            if term.not {
                f.write_str("-")?;
            }
            term.ask.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => {
                let bare = words.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'));
                if bare { f.write_str(words) } else { f.write_str(&quoted(words)) }
            }
            Self::Type(text) => write!(f, "type:{text}"),
            Self::Tlp(None) => f.write_str("tlp:none"),
            Self::Tlp(Some(tlp)) => {
                write!(f, "tlp:{}", tlp.as_str().trim_start_matches("TLP:").to_ascii_lowercase())
            }
            Self::Value(text) => write!(f, "value:{}", quoted(text)),
            Self::Under(text) => write!(f, "under:{}", quoted(text)),
            Self::Owner(text) => write!(f, "owner:{}", quoted(text)),
            Self::Group(text) => write!(f, "group:{}", quoted(text)),
            Self::Role(role) => write!(f, "role:{}", role.as_str()),
            Self::State(state) => write!(f, "state:{}", state.as_str()),
            Self::Label(text) => write!(f, "label:{}", quoted(text)),
            Self::CreatedBy(text) => write!(f, "created_by:{}", quoted(text)),
            Self::Added(span) => write!(f, "added:{span}"),
            Self::Seen(span) => write!(f, "seen:{span}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `A..B` ends with B, and `<` before it: the instant before an end says the same.
        let last = |until: &Timestamp| Timestamp::from_micros(until.as_micros().saturating_sub(1));
        match (&self.from, &self.until) {
            (Some(from), None) => write!(f, ">={from}"),
            (None, Some(until)) => write!(f, "<{until}"),
            (Some(from), Some(until)) => write!(f, "{from}..{}", last(until)),
            (None, None) => Ok(()),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Search {
        Search::read(text).unwrap()
    }

    fn time(text: &str) -> Option<Timestamp> {
        Some(Timestamp::parse(text).unwrap())
    }

    #[test]
    fn the_example_of_the_house_is_read() {
        let search = read(
            r#"type:indicator TLP:Amber+Strict seen:>2026-01-01 value:"evil.example" owner:EE -type:note wannacry "stop switch""#,
        );
        let asks: Vec<(bool, Ask)> = search.terms.into_iter().map(|term| (term.not, term.ask)).collect();
        assert_eq!(
            asks,
            [
                (false, Ask::Type("indicator".into())),
                (false, Ask::Tlp(Some(Tlp::AmberStrict))),
                (false, Ask::Seen(Span { from: time("2026-01-02T00:00:00Z"), until: None })),
                (false, Ask::Value("evil.example".into())),
                (false, Ask::Owner("EE".into())),
                (true, Ask::Type("note".into())),
                (false, Ask::Words("wannacry".into())),
                (false, Ask::Words("stop switch".into())),
            ]
        );
    }

    #[test]
    fn what_is_no_field_is_words() {
        for text in [
            "http://evil.example/a",
            "2001:db8::1",
            "abcd::1",
            "c:\\windows",
            "a:",
            "hxxps://x",
            "-",
            "--",
            "1:2",
            "évil:x",
        ] {
            let search = read(text);
            assert_eq!(search.terms.len(), 1, "{text}");
            assert!(matches!(search.terms[0].ask, Ask::Words(_)), "{text}");
        }
        assert_eq!(read("  \"\" ").terms, []);
        assert_eq!(read(r#"value:"c:\x\"y\\""#).terms[0].ask, Ask::Value("c:\\x\"y\\".into()));
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        for (text, at, code, said) in [
            ("é type:indicator marking:red", 18, "search.field", "did you mean `tlp:`?"),
            ("ownr:EE", 1, "search.field", "did you mean `owner:`?"),
            ("tpye:x", 1, "search.field", "did you mean `type:`?"),
            ("zzz:x", 1, "search.field", "there are added, created_by"),
            ("x tlp:purple", 7, "search.value", "write clear, green"),
            ("added:yesterday", 7, "search.value", "2026-01-31"),
            ("added:2026-02-30", 7, "search.value", "2026-01-31"),
            ("value:", 1, "search.value", "after the colon"),
            ("a \"b c", 3, "search.quote", "not closed"),
            ("state:gone", 7, "search.value", "recalled"),
            ("role:boss", 6, "search.value", "kill-switch"),
            ("type:a_b", 6, "search.value", "STIX type"),
        ] {
            let error = Search::read(text).unwrap_err();
            assert_eq!((error.at(), error.code()), (at, code), "{text}");
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
        assert_eq!(Search::read(&"a ".repeat(SEARCH_TERMS_MAX + 1)).unwrap_err(), SearchError::TooLong);
        assert_eq!(Search::read(&"a".repeat(SEARCH_BYTES_MAX + 1)).unwrap_err(), SearchError::TooLong);
    }

    #[test]
    fn days_months_and_years_are_stretches() {
        for (text, from, until) in [
            ("2026-01-31", time("2026-01-31T00:00:00Z"), time("2026-02-01T00:00:00Z")),
            ("=2026-12", time("2026-12-01T00:00:00Z"), time("2027-01-01T00:00:00Z")),
            ("2026", time("2026-01-01T00:00:00Z"), time("2027-01-01T00:00:00Z")),
            (">2026", time("2027-01-01T00:00:00Z"), None),
            (">=2026", time("2026-01-01T00:00:00Z"), None),
            ("<2026", None, time("2026-01-01T00:00:00Z")),
            ("<=2026", None, time("2027-01-01T00:00:00Z")),
            ("2026-01..2026-02", time("2026-01-01T00:00:00Z"), time("2026-03-01T00:00:00Z")),
            ("..2026-02-01", None, time("2026-02-02T00:00:00Z")),
            ("2026-01-31T09:30:00Z..", time("2026-01-31T09:30:00Z"), None),
        ] {
            assert_eq!(Span::read(text), Some(Span { from, until }), "{text}");
        }
        for text in ["", "..", ">", "2026-13", "26", "2026-1-1", ">>2026"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
    }

    fn term() -> impl Strategy<Value = String> {
        let field = prop::sample::select(FIELDS.to_vec());
        let value = prop_oneof![
            "[a-zA-Z0-9.:+_-]{1,12}",
            "[<>=]{0,2}20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
            "20[0-9]{2}\\.\\.20[0-9]{2}",
            prop::sample::select(vec![
                "amber+strict",
                "red",
                "none",
                "active",
                "recalled",
                "malicious",
                "kill-switch"
            ])
            .prop_map(str::to_owned),
            "\"[^\"\\\\]{1,12}\"",
        ];
        prop_oneof![
            (any::<bool>(), field, value)
                .prop_map(|(not, field, value)| format!("{}{field}:{value}", if not { "-" } else { "" })),
            "\\PC{1,12}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = Search::read(&text);
        }

        #[test]
        fn what_is_printed_reads_as_the_same(terms in proptest::collection::vec(term(), 0..6)) {
            if let Ok(search) = Search::read(&terms.join(" ")) {
                let printed = search.to_string();
                prop_assert_eq!(Search::read(&printed), Ok(search), "{}", printed);
            }
        }
    }
}
