//! Pieces of markup that pages share: escaped text, links, icons and badges.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::pages::assets::asset;
use crate::pages::texts::Texts;

/// Markup in which everything that came from outside is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Html {}

/// Escapes what would be read as markup, in texts and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&#38;"),
            '<' => escaped.push_str("&#60;"),
            '>' => escaped.push_str("&#62;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

impl Html {
    /// Markup this program wrote itself.
    pub(crate) fn trusted(markup: String) -> Self {
        Self(markup)
    }

    /// A text.
    pub fn escaped(text: &str) -> Self {
        Self(escape(text))
    }

    /// A text that stands out.
    pub fn strong(text: &str) -> Self {
        Self(format!("<strong>{}</strong>", escape(text)))
    }

    /// A link.
    pub fn link(href: &str, text: &str) -> Self {
        Self(format!("<a href=\"{}\">{}</a>", escape(href), escape(text)))
    }

    /// A value, hash or field.
    pub fn code(text: &str) -> Self {
        Self(format!("<code class=\"value\">{}</code>", escape(text)))
    }

    /// A text that is there no more.
    pub fn removed(text: &str) -> Self {
        Self(format!("<del>{}</del>", escape(text)))
    }

    /// A text that is new.
    pub fn inserted(text: &str) -> Self {
        Self(format!("<ins>{}</ins>", escape(text)))
    }

    /// Pieces one after the other.
    pub fn joined(pieces: impl Iterator<Item = Self>) -> Self {
        Self(pieces.map(|piece| piece.0).collect())
    }

    /// A time: `datetime` for machines, `whole` on hovering, `shown` to read.
    pub fn time(datetime: &str, whole: &str, shown: &str) -> Self {
        Self(format!(
            "<time datetime=\"{}\" title=\"{}\">{}</time>",
            escape(datetime),
            escape(whole),
            escape(shown)
        ))
    }

    /// A badge in one of the design system's tones (`new`, `good`, `warn`, `bad`, `info`, `hold`, `outline`).
    pub fn badge(tone: &str, text: &str) -> Self {
        Self(format!("<span class=\"badge badge-{}\">{}</span>", escape(tone), escape(text)))
    }
}

/// An icon of the sprite, said to nobody: the text beside it says what it means.
pub fn icon(name: &str) -> Html {
    Html(format!(
        "<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{}#{}\"></use></svg>",
        asset("icons.svg"),
        escape(name)
    ))
}

impl Texts {
    /// An icon.
    pub fn icon(self, name: &str) -> Html {
        icon(name)
    }

    /// A large icon.
    pub fn icon_large(self, name: &str) -> Html {
        Html(icon(name).0.replacen("class=\"icon\"", "class=\"icon icon-l\"", 1))
    }

    /// A marking, always shown: also that there is none.
    pub fn tlp(self, marking: Option<&str>) -> Html {
        let Some(marking) = marking else { return Html::badge("outline", &self.text("marking-none")) };
        let class = match marking {
            "CLEAR" => "clear",
            "GREEN" => "green",
            "AMBER" => "amber",
            "AMBER+STRICT" => "amber-strict",
            // What is not known is handled as the strictest.
            _ => "red",
        };
        Html(format!("<span class=\"tlp tlp-{class}\">TLP:{}</span>", escape(marking)))
    }

    /// What an indicator is for.
    pub fn role(self, role: &str) -> Html {
        let label = self.known(&format!("role-label-{role}")).unwrap_or_else(|| role.to_owned());
        let sign = if role == "kill-switch" { icon("hold") } else { Html::default() };
        Html(format!("<span class=\"role role-{}\">{sign}{}</span>", escape(role), escape(&label)))
    }

    /// The number of new warnings beside the link to them; nothing where there is none.
    pub fn new_count(self, count: impl fmt::Display) -> Html {
        let count = count.to_string();
        if count == "0" {
            return Html::default();
        }
        let word = escape(&self.text("nav-warnings-new"));
        Html(format!(
            "<span class=\"count\">{}<span class=\"visually-hidden\"> {word}</span></span>",
            escape(&self.number(count))
        ))
    }

    /// A state on the map or of a sensor.
    pub fn state(self, state: &str) -> Html {
        let (class, key) = match state {
            "live" => ("ok", "state-live"),
            "silent-sensor" => ("down", "state-silent-sensor"),
            "hit" => ("hit", "state-hit"),
            "warned" => ("warned", "state-warned"),
            "silent" => ("silent", "state-silent"),
            _ => ("calm", "state-calm"),
        };
        Html(format!("<span class=\"state state-{class}\">{}</span>", escape(&self.text(key))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn nothing_typed_becomes_markup() {
        let evil = "\"><script>'&";
        for html in [
            Html::escaped(evil),
            Html::strong(evil),
            Html::removed(evil),
            Html::inserted(evil),
            Html::link(evil, evil),
            Html::code(evil),
            Html::time(evil, evil, evil),
            Html::badge(evil, evil),
        ] {
            let shown = html.to_string();
            assert!(
                !shown.contains("<script") && !shown.contains("\">\"") && !shown.contains("='"),
                "{shown}"
            );
        }
        assert_eq!(Html::escaped("a<b").to_string(), "a&#60;b");
    }

    #[test]
    fn a_marking_is_always_shown_and_an_unknown_one_as_the_strictest() {
        let t = Texts::new(Language::English);
        assert!(t.tlp(Some("AMBER+STRICT")).to_string().contains("tlp-amber-strict"));
        assert!(t.tlp(Some("PURPLE")).to_string().contains("tlp-red"));
        assert!(t.tlp(None).to_string().contains("No marking"));
    }
}
