//! The life of an indicator: what is held back before anybody sees it, how sure one may be of it as time goes by, and
//! when it ends. Pure: the same facts and the same moment give the same answer, and nothing runs to keep it so.
//!
//! received → quarantined | active → sighted → decaying → expired | recalled
//!
//! **Held back** ([`judge`]): an object whose `modified` lies in the future, which nobody could ever revise; and an
//! indicator for blocking that would block what everybody uses. A kill switch is never held for being popular: it is
//! never blocked anyway, and watching it harms nobody. A revocation is never held.
//!
//! **Decay** ([`Course`]): the polynomial of MISP's decaying models, `score = base · (1 − (t/τ)^(1/δ))`, where `t` is
//! the time since it was shared or last sighted. What must not be blocked does not decay: to forget a kill switch
//! would be to let it be blocked.

use std::fmt;

use serde::{Deserialize, Serialize};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits::MODIFIED_AHEAD_SECONDS_MAX;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::pattern;
use shieldwall_watch::reach;
use shieldwall_watch::value::{Kind, Value};

use crate::stix::Object;
use crate::warninglist::{Category, Hit, Met, Warninglists, is_public_suffix};

/// Shortest prefix of an IPv4 network that is taken for blocking without a second look. Our setting: a /16 is the
/// largest block one operator was commonly given, and what is wider has many neighbours in it.
pub const NETWORK4_PREFIX_MIN: u32 = 16;
/// The same for IPv6: a /32 is what a registry gives one provider (RIPE-738 section 5.1).
pub const NETWORK6_PREFIX_MIN: u32 = 32;

/// Score an indicator has at first when its sender does not say how sure it is (MISP's decaying models: 80).
pub const BASE_DEFAULT: u8 = 80;
/// Score at which an indicator of [`BASE_DEFAULT`] ends (MISP's NIDS model: 30). Weaker ones end at the same share of
/// their base, so that little confidence means less weight, and not that nobody ever looks for it.
pub const THRESHOLD: f64 = 30.0;

const DAY_SECONDS: f64 = 86_400.0;

/// Why an object is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The stable code: `life.held.ahead`, `life.held.warninglist`, `life.held.too_broad`.
    pub code: String,
    /// What about it, and the value concerned.
    pub detail: String,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Whether an object that was checked is to be held back until a curator has looked at it.
pub fn judge(object: &Object, lists: &Warninglists, now: Timestamp) -> Option<Hold> {
    if object.version > now.plus_seconds(MODIFIED_AHEAD_SECONDS_MAX) {
        let detail = format!(
            "modified lies more than {MODIFIED_AHEAD_SECONDS_MAX} s ahead of the hub's clock: no later version \
             could replace it until then"
        );
        return Some(Hold { code: "life.held.ahead".into(), detail });
    }
    let indicator = object.indicator.as_ref().filter(|_| !object.revoked)?;
    if !object.role.unwrap_or_default().may_be_blocked() || indicator.pattern_type != "stix" {
        return None;
    }
    // What cannot be turned into values is matched and blocked by nobody.
    let values = pattern::values(&indicator.pattern).ok()?;
    values.iter().find_map(|value| judge_value(value, lists))
}

/// Whether a value may not be blocked without a second look.
pub fn judge_value(value: &Value, lists: &Warninglists) -> Option<Hold> {
    if let Some(why) = too_broad(value) {
        let detail = format!("{value} is too broad to be blocked: {why}");
        return Some(Hold { code: "life.held.too_broad".into(), detail });
    }
    let hits = lists.check(value);
    let shared = hits.iter().any(|hit| hit.list.category == Category::SharedHosting);
    if shared && is_single_page(value) {
        return None;
    }
    let hit = hits.into_iter().find(|hit| hit.list.category == Category::FalsePositive)?;
    Some(Hold { code: "life.held.warninglist".into(), detail: said_of(value, &hit) })
}

fn said_of(value: &Value, hit: &Hit<'_>) -> String {
    let how = match hit.met {
        Met::Exact => "is",
        Met::Below => "lies below",
        Met::Above => "would also block",
        Met::Part => "matches",
    };
    format!("{value} {how} {} on the warninglist \"{}\"", hit.entry, hit.list.name)
}

fn too_broad(value: &Value) -> Option<&'static str> {
    let fixed = reach::prefix_length(value);
    match value.kind() {
        Kind::Cidr4 if fixed.is_none_or(|fixed| fixed < NETWORK4_PREFIX_MIN) => Some("wider than a /16"),
        Kind::Cidr6 if fixed.is_none_or(|fixed| fixed < NETWORK6_PREFIX_MIN) => Some("wider than a /32"),
        Kind::Domain if is_public_suffix(&value.to_string()) => {
            Some("anybody may register names below it (public suffix)")
        }
        _ => None,
    }
}

/// Whether a URL names more than its host.
fn is_single_page(value: &Value) -> bool {
    let text = value.to_string();
    let rest = text.split_once("//").map_or("", |(_, rest)| rest);
    value.kind() == Kind::Url && rest.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}

/// How fast an indicator fades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Files, wallets: the same bytes stay the same. τ 1,095 d, δ 1: our setting, a line over three years.
    Content,
    /// What must not be blocked: never.
    Lasting,
    /// Addresses, names, URLs, fingerprints: τ 120 d, δ 2 (MISP's NIDS model).
    #[default]
    Network,
    /// Anything labelled as phishing: τ 3 d, δ 2.3 (MISP's phishing model).
    Phishing,
}

impl Decay {
    /// The model of an indicator: by its role, its labels, and the values in it (the one that lasts longest counts).
    pub fn of(
        role: IndicatorRole,
        labels: impl IntoIterator<Item = impl AsRef<str>>,
        kinds: impl IntoIterator<Item = Kind>,
    ) -> Self {
        if !matches!(role, IndicatorRole::Malicious | IndicatorRole::Suspect) {
            return Self::Lasting;
        }
        let content = |kind: Kind| {
            matches!(
                kind,
                Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 | Kind::FileName | Kind::CryptoAddress
            )
        };
        if kinds.into_iter().any(content) {
            return Self::Content;
        }
        if labels.into_iter().any(|label| label.as_ref().to_ascii_lowercase().contains("phishing")) {
            return Self::Phishing;
        }
        Self::Network
    }

    /// τ in days and δ; `None` for what never fades.
    pub const fn shape(self) -> Option<(f64, f64)> {
        match self {
            Self::Content => Some((1_095.0, 1.0)),
            Self::Lasting => None,
            Self::Network => Some((120.0, 2.0)),
            Self::Phishing => Some((3.0, 2.3)),
        }
    }

    /// The name as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Lasting => "lasting",
            Self::Network => "network",
            Self::Phishing => "phishing",
        }
    }
}

/// What decides an indicator's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// How fast it fades.
    pub decay: Decay,
    /// Its score at first: its `confidence`, or [`BASE_DEFAULT`].
    pub base: u8,
    /// When it was shared here, or last sighted: the later.
    pub since: Timestamp,
    /// How many members say that it is a false positive. One halves its weight, each further one halves it again.
    pub disputes: u32,
}

/// Where an indicator stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Held back: nobody matches or blocks it.
    Quarantined,
    /// Matched, not seen yet.
    Active,
    /// Matched, and seen.
    Sighted,
    /// Less than half of its first score is left.
    Decaying,
    /// Over: by `valid_until`, or because its score is spent.
    Expired,
    /// Taken back or revoked by its owner.
    Recalled,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 6] =
        [Self::Quarantined, Self::Active, Self::Sighted, Self::Decaying, Self::Expired, Self::Recalled];

    /// The name as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Active => "active",
            Self::Sighted => "sighted",
            Self::Decaying => "decaying",
            Self::Expired => "expired",
            Self::Recalled => "recalled",
        }
    }
}

impl Course {
    /// The base after disputes.
    fn weight(&self) -> f64 {
        let base = f64::from(self.base.clamp(1, 100));
        base * 0.5_f64.powi(i32::try_from(self.disputes).unwrap_or(i32::MAX).min(64))
    }

    /// The score at which it ends.
    fn threshold(&self) -> f64 {
        let base = f64::from(self.base.clamp(1, 100));
        THRESHOLD * (base / f64::from(BASE_DEFAULT)).min(1.0)
    }

    /// The score at `now`, 0 to 100.
    pub fn score(&self, now: Timestamp) -> f64 {
        let Some((tau, delta)) = self.decay.shape() else { return self.weight() };
        #[allow(clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
        let days = (now.as_micros().saturating_sub(self.since.as_micros())).max(0) as f64 / 1e6 / DAY_SECONDS;
        (self.weight() * (1.0 - (days / tau).powf(1.0 / delta))).max(0.0)
    }

    /// When its score is spent: the moment it falls to the threshold. `None` for what never fades.
    pub fn ends(&self) -> Option<Timestamp> {
        let (tau, delta) = self.decay.shape()?;
        let left = 1.0 - self.threshold() / self.weight();
        if left <= 0.0 {
            return Some(self.since);
        }
        let seconds = tau * left.powf(delta) * DAY_SECONDS;
        #[allow(clippy::cast_possible_truncation, reason = "at most three years of seconds")]
        Some(self.since.plus_seconds(seconds as i64))
    }

    /// Whether less than half of what it began with is left at `now`.
    pub fn is_decaying(&self, now: Timestamp) -> bool {
        self.score(now) * 2.0 < f64::from(self.base.clamp(1, 100))
    }
}

#[cfg(test)]
mod tests;
