//! What the kinds of events in a scenario mean for the play.

/// What an event of a kind does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The attack is first seen: somebody there is hit.
    First,
    /// Somebody there is hit.
    Hit,
    /// Something that protects becomes known.
    Protection,
    /// The attack changes.
    Variant,
    /// It is told, and nothing is done.
    Told,
    /// The kind is not known. It is told; where its place names nations that are victims, they are hit.
    Unknown,
}

const FIRST: [&str; 4] = ["first-activity", "first-seen", "first-sighting", "onset"];
const HIT: [&str; 22] = [
    "victim",
    "victims",
    "hit",
    "infection",
    "outbreak",
    "attack",
    "intrusion",
    "breach",
    "compromise",
    "encryption",
    "destruction",
    "wiper",
    "defacement",
    "ddos",
    "spread",
    "lateral-movement",
    "exfiltration",
    "impact",
    "wave",
    "disruption",
    "outage",
    "deployment",
];
const PROTECTION: [&str; 5] = ["killswitch", "kill-switch", "stop-switch", "vaccine", "killswitch-found"];
const VARIANT: [&str; 2] = ["variant", "new-variant"];
const TOLD: [&str; 26] = [
    "fix",
    "patch",
    "leak",
    "warning",
    "alert",
    "advisory",
    "exchange",
    "escalation",
    "count",
    "sinkhole",
    "report",
    "disclosure",
    "discovery",
    "detection",
    "attribution",
    "attribution-lead",
    "takedown",
    "recovery",
    "decision",
    "statement",
    "sanction",
    "arrest",
    "legal",
    "preparation",
    "response",
    "analysis",
];

/// What an event of this kind does.
pub(crate) fn meaning(kind: &str) -> Meaning {
    let kind = kind.trim().to_lowercase().replace(['_', ' '], "-");
    let of = |words: &[&str]| words.contains(&kind.as_str());
    match () {
        () if of(&FIRST) => Meaning::First,
        () if of(&HIT) => Meaning::Hit,
        () if of(&PROTECTION) => Meaning::Protection,
        () if of(&VARIANT) => Meaning::Variant,
        () if of(&TOLD) => Meaning::Told,
        () => Meaning::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_any_spelling() {
        assert_eq!(meaning("first_activity"), Meaning::First);
        assert_eq!(meaning("First Activity"), Meaning::First);
        assert_eq!(meaning("victim"), Meaning::Hit);
        assert_eq!(meaning("killswitch"), Meaning::Protection);
        assert_eq!(meaning("variant"), Meaning::Variant);
        assert_eq!(meaning("attribution_lead"), Meaning::Told);
        assert_eq!(meaning("lunch"), Meaning::Unknown);
        assert_eq!(meaning(""), Meaning::Unknown);
    }
}
