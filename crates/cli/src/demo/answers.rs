//! The hub's answers, as much of them as the demo reads.

use serde::Deserialize;

/// To sharing objects.
#[derive(Debug, Deserialize)]
pub(crate) struct Taken {
    /// What was not taken.
    pub(crate) refused: Vec<Refusal>,
}

/// An object that was not taken.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    /// Its id.
    pub(crate) id: Option<String>,
    /// Why.
    pub(crate) reason: String,
}

/// A page of ledger entries, newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct Entries {
    /// The entries.
    pub(crate) entries: Vec<Entry>,
}

/// A ledger entry.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    /// Its place in the log.
    pub(crate) sequence: u64,
    /// The member that wrote it.
    pub(crate) member: Option<String>,
    /// What it says.
    #[serde(default)]
    pub(crate) body: Option<Body>,
}

/// What an entry says: of each kind of entry, the fields the demo asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Body {
    /// The id of a shared object.
    pub(crate) id: Option<String>,
    /// The indicator of a sighting.
    pub(crate) indicator: Option<String>,
    /// The warning acknowledged.
    pub(crate) warning: Option<String>,
    /// By whom: `by-person` or `by-machine`.
    pub(crate) taken: Option<String>,
}

/// The warnings.
#[derive(Debug, Deserialize)]
pub(crate) struct Warnings {
    /// Newest first.
    pub(crate) warnings: Vec<Warning>,
}

/// A warning.
#[derive(Debug, Deserialize)]
pub(crate) struct Warning {
    /// What was seen.
    pub(crate) indicator: String,
    /// What to do.
    pub(crate) advice: Advice,
    /// What it points to.
    #[cfg(test)]
    pub(crate) contexts: Vec<Context>,
    /// The role of what was seen.
    #[cfg(test)]
    pub(crate) role: String,
}

/// What a warning points to.
#[cfg(test)]
#[derive(Debug, Deserialize)]
pub(crate) struct Context {
    /// Its name.
    pub(crate) name: String,
}

/// What to do.
#[derive(Debug, Deserialize)]
pub(crate) struct Advice {
    /// `block`, `do-not-block` or `nothing`.
    pub(crate) blocking: String,
}

/// A page of what sensors are told to watch for.
#[derive(Debug, Deserialize)]
pub(crate) struct Watchlist {
    /// Where the next page begins.
    pub(crate) next: String,
    /// Whether there is one.
    pub(crate) more: bool,
    /// What is on this one.
    pub(crate) changes: Vec<Change>,
}

/// An indicator to watch for, or to watch for no longer.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    /// Its role.
    #[serde(default)]
    pub(crate) role: String,
    /// Its values.
    #[serde(default)]
    pub(crate) values: Vec<Watched>,
}

/// A value to watch for.
#[derive(Debug, Deserialize)]
pub(crate) struct Watched {
    /// The value, normalised.
    pub(crate) value: String,
}
