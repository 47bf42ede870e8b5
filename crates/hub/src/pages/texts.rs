//! Words, numbers and times as a page says them, in its reader's language.

use std::fmt::Display;

use fluent_bundle::FluentValue;

use crate::i18n::Language;
use crate::pages::markup::Html;
use crate::problem::Problem;

/// The language of a page, with everything a template says in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts(Language);

/// Where a time stands in a calendar, read from its RFC 3339 text in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calendar<'a> {
    year: &'a str,
    month: u8,
    day: u8,
    clock: &'a str,
    seconds: &'a str,
}

impl<'a> Calendar<'a> {
    fn read(text: &'a str) -> Option<Self> {
        Some(Self {
            year: text.get(0..4)?,
            month: text.get(5..7)?.parse().ok()?,
            day: text.get(8..10)?.parse().ok()?,
            clock: text.get(11..16)?,
            seconds: text.get(11..19)?,
        })
    }
}

impl Texts {
    /// The texts in `language`.
    pub const fn new(language: Language) -> Self {
        Self(language)
    }

    /// The language.
    pub const fn language(self) -> Language {
        self.0
    }

    /// The tag of the language, for `lang` attributes.
    pub const fn tag(self) -> &'static str {
        self.0.tag()
    }

    /// The tag of the other language.
    pub const fn other_tag(self) -> &'static str {
        self.0.other().tag()
    }

    /// The other language's name, in that language.
    pub fn other_name(self) -> String {
        self.0.other().text("language-name")
    }

    /// The text of `key`.
    pub fn text(self, key: &str) -> String {
        self.0.text(key)
    }

    /// The label of a table about what `key` names.
    pub fn table(self, key: &str) -> String {
        self.with("table-of", "name", self.text(key))
    }

    /// The text of `key`, if it has one.
    pub fn known(self, key: &str) -> Option<String> {
        let text = self.0.text(key);
        (text != key).then_some(text)
    }

    /// The text of `key` with one variable filled in.
    pub fn with(self, key: &str, name: &str, value: impl Display) -> String {
        self.0.text_with(key, &[(name, value.to_string().into())])
    }

    /// The text of `key` about a number: `$count` chooses the plural, `$shown` is how it is written.
    pub fn count(self, key: &str, number: impl Display) -> String {
        self.0.text_with(key, &Self::counted(self, number))
    }

    /// The variables of a text about a number.
    pub fn counted(self, number: impl Display) -> [(&'static str, FluentValue<'static>); 2] {
        let digits = number.to_string();
        let count: i64 = digits.parse().unwrap_or(i64::MAX);
        [("count", count.into()), ("shown", self.number(digits).into())]
    }

    /// A whole number with its digits in threes: `24,771` or `24 771` with a narrow space that does not break.
    pub fn number(self, number: impl Display) -> String {
        let digits = number.to_string();
        let separator = match self.0 {
            Language::English => ',',
            Language::French => '\u{202f}',
        };
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            let left = digits.len() - index;
            if index > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
                grouped.push(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// A number to one decimal where it is small, whole where it is large.
    pub fn decimal(self, number: &f64) -> String {
        if !number.is_finite() {
            return "0".into();
        }
        if number.abs() >= 100.0 || (number.fract().abs() < 0.05) {
            return self.number(format!("{number:.0}"));
        }
        let text = format!("{number:.1}");
        if self.0 == Language::French { text.replace('.', ",") } else { text }
    }

    /// A time as a day and a clock, in UTC.
    pub fn moment(self, at: impl Display) -> Html {
        self.time(&at.to_string(), |calendar| self.day_and_clock("moment", calendar))
    }

    /// A day, in UTC.
    pub fn day(self, at: impl Display) -> Html {
        self.time(&at.to_string(), |calendar| self.day_and_clock("day", calendar))
    }

    /// The time of day to the minute, in UTC.
    pub fn hour(self, at: impl Display) -> Html {
        self.time(&at.to_string(), |calendar| calendar.clock.to_owned())
    }

    /// A time as a day and a clock to the second, in UTC.
    pub fn instant(self, at: impl Display) -> Html {
        self.time(&at.to_string(), |calendar| {
            self.day_and_clock("moment", &Calendar { clock: calendar.seconds, ..*calendar })
        })
    }

    /// As [`Texts::instant`], without markup: for a choice of a list.
    pub fn instant_plain(self, at: &str) -> String {
        Calendar::read(at).map_or_else(
            || at.to_owned(),
            |calendar| self.day_and_clock("moment", &Calendar { clock: calendar.seconds, ..calendar }),
        )
    }

    /// The time of day to the second, in UTC; the day is in the element's title.
    pub fn clock(self, at: impl Display) -> Html {
        self.time(&at.to_string(), |calendar| calendar.seconds.to_owned())
    }

    fn day_and_clock(self, key: &str, calendar: &Calendar<'_>) -> String {
        let month = self.text(&format!("month-{}", calendar.month));
        self.0.text_with(
            key,
            &[
                ("day", calendar.day.into()),
                ("month", month.into()),
                // As text, or it would be grouped.
                ("year", calendar.year.to_owned().into()),
                ("clock", calendar.clock.to_owned().into()),
            ],
        )
    }

    fn time(self, at: &str, say: impl FnOnce(&Calendar<'_>) -> String) -> Html {
        match Calendar::read(at) {
            Some(calendar) => Html::time(at, &self.day_and_clock("moment", &calendar), &say(&calendar)),
            None => Html::escaped(at),
        }
    }

    /// The text of `key` with pieces of markup put in; everything else in it is escaped.
    pub fn rich(self, key: &str, pieces: &[(&str, Html)], plain: &[(&str, FluentValue<'_>)]) -> Html {
        // Fluent sees one private-use character for each piece; a text typed by somebody cannot pass for one, because
        // such characters are taken out of it.
        const FIRST: u32 = 0xE000;
        let mark = |index: usize| {
            u32::try_from(index).ok().and_then(|index| char::from_u32(FIRST + index)).unwrap_or(' ')
        };
        let is_mark = |letter: &char| (FIRST..FIRST + 0x100).contains(&u32::from(*letter));
        let mut variables: Vec<(&str, FluentValue<'_>)> = plain
            .iter()
            .map(|(name, value)| match value {
                FluentValue::String(text) => {
                    (*name, text.chars().filter(|letter| !is_mark(letter)).collect::<String>().into())
                }
                other => (*name, other.clone()),
            })
            .collect();
        for (index, (name, _)) in pieces.iter().enumerate() {
            variables.push((name, mark(index).to_string().into()));
        }
        let mut markup = Html::escaped(&self.0.text_with(key, &variables)).to_string();
        for (index, (_, piece)) in pieces.iter().enumerate() {
            markup = markup.replace(mark(index), &piece.to_string());
        }
        Html::trusted(markup)
    }

    /// A list in words: `a, b and c`.
    pub fn list(self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => self
                .0
                .text_with("list-and", &[("first", first.join(", ").into()), ("last", last.clone().into())]),
        }
    }

    /// Sectors in words, each as this language calls it.
    pub fn sectors(self, sectors: &[String]) -> String {
        let named: Vec<String> = sectors.iter().map(|sector| self.sector(sector)).collect();
        self.list(&named)
    }

    /// A sector as this language calls it, or as it was written.
    pub fn sector(self, sector: &str) -> String {
        self.known(&format!("sector-{sector}")).unwrap_or_else(|| sector.to_owned())
    }

    /// A STIX type as this language calls it, or as it is written.
    pub fn object_type(self, object_type: &str) -> String {
        self.known(&format!("type-{object_type}")).unwrap_or_else(|| object_type.to_owned())
    }

    /// How much was seen of a technique, in words.
    pub fn band(self, band: &u8) -> String {
        self.text(&format!("matrix-band-{band}"))
    }

    /// What happened, from a problem: in this language where the code has a text, else as the problem says it.
    pub fn problem(self, problem: &Problem) -> String {
        self.known(&problem_key(problem.code)).unwrap_or_else(|| problem.detail.clone())
    }

    /// How long ago something was, in words.
    pub fn ago(self, seconds: i64) -> String {
        match seconds {
            ..=0 => self.text("ago-now"),
            1..60 => self.count("ago-seconds", seconds),
            60..3_600 => self.count("ago-minutes", seconds / 60),
            3_600..86_400 => self.count("ago-hours", seconds / 3_600),
            _ => self.count("ago-days", seconds / 86_400),
        }
    }
}

/// The key of the text of a problem's code: `auth.csrf` has `problem-auth-csrf`.
fn problem_key(code: &str) -> String {
    format!("problem-{}", code.replace(['.', '_'], "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: Texts = Texts::new(Language::English);
    const FRENCH: Texts = Texts::new(Language::French);

    #[test]
    fn numbers_stand_in_threes() {
        for (number, english, french) in [
            ("0", "0", "0"),
            ("999", "999", "999"),
            ("24771", "24,771", "24\u{202f}771"),
            ("-1234567", "-1,234,567", "-1\u{202f}234\u{202f}567"),
            ("-123", "-123", "-123"),
        ] {
            assert_eq!(ENGLISH.number(number), english);
            assert_eq!(FRENCH.number(number), french);
        }
        assert_eq!((ENGLISH.decimal(&0.25), FRENCH.decimal(&0.25)), ("0.2".into(), "0,2".into()));
        assert_eq!(ENGLISH.decimal(&12_345.6), "12,346");
        assert_eq!(ENGLISH.decimal(&f64::NAN), "0");
    }

    #[test]
    fn a_time_is_short_for_people_and_exact_for_machines() {
        let at = "2017-05-12T07:24:09.000000Z";
        let shown = ENGLISH.moment(at).to_string();
        assert!(
            shown.contains(&format!("datetime=\"{at}\"")) && shown.contains(">12 May 2017 07:24 UTC<"),
            "{shown}"
        );
        assert!(FRENCH.moment(at).to_string().contains(">12 mai 2017 à 07:24 UTC<"), "{}", FRENCH.moment(at));
        assert!(FRENCH.day("2017-05-01T00:00:00Z").to_string().contains(">1er mai 2017<"));
        assert!(ENGLISH.instant(at).to_string().contains(">12 May 2017 07:24:09 UTC<"));
        assert!(ENGLISH.clock(at).to_string().contains(">07:24:09<"));
        assert_eq!(ENGLISH.moment("<not a time>").to_string(), "&#60;not a time&#62;");
    }

    #[test]
    fn plurals_follow_the_language() {
        assert_eq!(ENGLISH.count("members-count", 0), "0 members");
        assert_eq!(FRENCH.count("members-count", 0), "0 membre");
        assert_eq!(ENGLISH.count("members-count", 1), "1 member");
        assert_eq!(FRENCH.count("members-count", 2_000), "2\u{202f}000 membres");
    }

    #[test]
    fn markup_comes_from_pieces_and_from_nowhere_else() {
        let shown = ENGLISH.rich("feed-joined", &[("who", Html::link("/members", "<b>\u{e000}"))], &[]);
        assert!(shown.to_string().contains("<a href=\"/members\">&#60;b&#62;"), "{shown}");
        let forged = ENGLISH.rich(
            "feed-saw",
            &[("who", Html::strong("A"))],
            &[("what", "\u{e000}<i>".into()), ("count", 2.into()), ("shown", "\u{e000}".into())],
        );
        assert_eq!(forged.to_string().matches("<strong>").count(), 1, "{forged}");
    }

    #[test]
    fn lists_end_with_and() {
        let list = |items: &[&str]| ENGLISH.list(&items.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(FRENCH.sectors(&["energy".into(), "unheard-of".into()]), "énergie et unheard-of");
    }
}
