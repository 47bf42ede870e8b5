//! The tabs under Intelligence: one row a page, shown to readers whose role may open it.

use shieldwall_model::access::{Action, Reader};

use super::texts::Texts;

/// A tab as a template shows it.
pub struct Tab {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: String,
    /// Whether its page is the one shown.
    pub current: bool,
}

/// Address, key of the words, and what the reader's role must allow.
const INTELLIGENCE: &[(&str, &str, Action)] = &[
    ("/intelligence", "tab-search", Action::ReadIntelligence),
    ("/intelligence/graph", "tab-graph", Action::ReadIntelligence),
    ("/intelligence/matrix", "tab-matrix", Action::ReadIntelligence),
    ("/intelligence/import", "tab-import", Action::ShareIntelligence),
    ("/intelligence/saved", "tab-saved", Action::KeepSearches),
    ("/intelligence/held", "tab-held", Action::ReadIntelligence),
    ("/intelligence/feeds", "tab-feeds", Action::PullFeeds),
    ("/intelligence/sources", "tab-sources", Action::ManageSources),
    ("/intelligence/peers", "tab-peers", Action::ReadPeers),
];

/// The tabs under Intelligence for this reader, `current` being the address of the page shown.
pub fn intelligence(t: Texts, reader: &Reader, current: &str) -> Vec<Tab> {
    INTELLIGENCE
        .iter()
        .filter(|(_, _, action)| reader.may(*action))
        .map(|(href, key, _)| Tab { href, label: t.text(key), current: *href == current })
        .collect()
}
