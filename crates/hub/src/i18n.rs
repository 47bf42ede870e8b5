//! The hub's two languages: which one a reader gets, and the texts, from Fluent files.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language of the alliance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
}

impl Language {
    /// The BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The other language.
    pub const fn other(self) -> Self {
        match self {
            Self::English => Self::French,
            Self::French => Self::English,
        }
    }

    /// The language of a tag, such as a cookie holds.
    pub fn from_tag(tag: &str) -> Option<Self> {
        [Self::English, Self::French].into_iter().find(|language| language.tag() == tag)
    }

    /// The reader's choice: the cookie, else the first language of `Accept-Language` that is ours, by quality
    /// (RFC 9110 section 12.5.4), else English.
    pub fn choose(cookie: Option<&str>, accept: Option<&str>) -> Self {
        if let Some(chosen) = cookie.and_then(Self::from_tag) {
            return chosen;
        }
        let mut best = (0.0_f32, Self::English);
        for range in accept.unwrap_or("").split(',') {
            let (tag, quality) = range.split_once(";q=").unwrap_or((range, "1"));
            let language = Self::from_tag(tag.trim().split('-').next().unwrap_or(""));
            let quality: f32 = quality.trim().parse().unwrap_or(0.0);
            if let Some(language) = language.filter(|_| quality > best.0) {
                best = (quality, language);
            }
        }
        best.1
    }

    fn bundle(self) -> &'static FluentBundle<FluentResource> {
        static ENGLISH: OnceLock<FluentBundle<FluentResource>> = OnceLock::new();
        static FRENCH: OnceLock<FluentBundle<FluentResource>> = OnceLock::new();
        match self {
            Self::English => ENGLISH.get_or_init(|| load(self, include_str!("../locales/en.ftl"))),
            Self::French => FRENCH.get_or_init(|| load(self, include_str!("../locales/fr.ftl"))),
        }
    }

    /// The text of `key`. A key without a text answers itself, and a test makes sure that none is.
    pub fn text(self, key: &str) -> String {
        self.text_with(key, &[])
    }

    /// The text of `key` with its variables filled in.
    pub fn text_with(self, key: &str, variables: &[(&str, FluentValue<'_>)]) -> String {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let mut args = FluentArgs::with_capacity(variables.len());
        for (name, value) in variables {
            args.set(*name, value.clone());
        }
        let mut problems = Vec::new();
        bundle.format_pattern(pattern, Some(&args), &mut problems).into_owned()
    }
}

fn load(language: Language, source: &str) -> FluentBundle<FluentResource> {
    let resource = match FluentResource::try_new(source.to_owned()) {
        Ok(resource) => resource,
        // The files are part of the program; what does parse is still better than no text at all.
        Err((resource, _)) => resource,
    };
    let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Isolation marks would end up in copied hashes and addresses.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(source: &str) -> BTreeSet<String> {
        let resource = FluentResource::try_new(source.to_owned()).expect("the file is valid Fluent");
        resource
            .entries()
            .filter_map(|entry| match entry {
                fluent_syntax::ast::Entry::Message(message) => Some(message.id.name.to_owned()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let (english, french) =
            (keys(include_str!("../locales/en.ftl")), keys(include_str!("../locales/fr.ftl")));
        assert!(english.len() > 10);
        assert_eq!(
            english.difference(&french).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "missing in French"
        );
        assert_eq!(
            french.difference(&english).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "missing in English"
        );
    }

    #[test]
    fn a_reader_gets_the_language_asked_for() {
        let choose = Language::choose;
        assert_eq!(choose(Some("fr"), Some("en")), Language::French);
        assert_eq!(choose(None, Some("de, fr-LU;q=0.8, en;q=0.7")), Language::French);
        assert_eq!(choose(None, Some("en-GB,en;q=0.9,fr;q=0.8")), Language::English);
        assert_eq!(choose(Some("xx"), None), Language::English);
    }
}
