//! Searches people keep, as settings: what is looked for, and how its keeper is told of new objects that fit.

use serde::{Deserialize, Serialize};
use shieldwall_ledger::Positions;
use shieldwall_ledger::settings::{Owner, Setting};
use shieldwall_model::id::{GroupId, UserId};
use shieldwall_model::time::Timestamp;

/// Collection of kept searches; owner is the member, key is `<user>/<id>`.
pub const SEARCH: &str = "search";
/// Collection of how far telling about each has got; same owner and key.
pub const PROGRESS: &str = "search-progress";
/// What secrets of webhooks are sealed for.
pub const WEBHOOK: &str = "search-webhook";
/// Deliveries kept in the log of one search.
pub const LOG_MAX: usize = 20;
/// How long to wait before each further attempt at a delivery, in seconds. After the last it is given up.
pub const RETRY_SECONDS: [i64; 5] = [1, 10, 60, 600, 3_600];

/// A kept search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: UserId,
    /// What its keeper calls it.
    pub name: String,
    /// The search.
    pub query: String,
    /// Since when.
    pub created: Timestamp,
    /// Where the logs stood then: what came before is not told.
    pub from: Vec<(GroupId, u64)>,
    /// Whether the live stream tells of it.
    pub stream: bool,
    /// Where it is posted to.
    pub webhook: Option<Webhook>,
    /// To whom it is mailed.
    pub email: Option<String>,
}

/// Where a search is posted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The address.
    pub url: String,
    /// What it is signed with, sealed.
    pub secret: String,
}

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// On the live stream.
    Stream,
    /// By a POST.
    Webhook,
    /// By mail.
    Email,
}

impl Channel {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Webhook => "webhook",
            Self::Email => "email",
        }
    }
}

impl Kept {
    /// Its key among its member's settings.
    pub fn key(user: UserId, id: &str) -> String {
        format!("{user}/{id}")
    }

    /// A kept search and its owner from a setting.
    pub fn from_setting(setting: &Setting) -> Option<(Owner, Self)> {
        Some((setting.owner, serde_json::from_slice(&setting.body).ok()?))
    }

    /// How its keeper is told.
    pub fn channels(&self) -> Vec<Channel> {
        let all = [
            (self.stream, Channel::Stream),
            (self.webhook.is_some(), Channel::Webhook),
            (self.email.is_some(), Channel::Email),
        ];
        all.into_iter().filter_map(|(is_set, channel)| is_set.then_some(channel)).collect()
    }
}

/// How far telling about a search has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// By channel.
    pub channels: Vec<(Channel, Reached)>,
    /// The last deliveries, newest first.
    pub log: Vec<Delivery>,
}

/// How far one channel has got. What lies beyond is looked up anew at each attempt, so that nothing waits here that its
/// keeper may no longer read: the queue is as long as one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Told, or given up, up to here.
    pub at: Vec<(GroupId, u64)>,
    /// Attempts at what comes next.
    pub attempts: usize,
    /// When to try again.
    pub next: Option<Timestamp>,
}

/// One attempt at telling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Delivery {
    /// When.
    pub time: String,
    /// How: `stream`, `webhook` or `email`.
    pub channel: String,
    /// About how many objects.
    pub objects: usize,
    /// Which attempt it was, from 1.
    pub attempt: usize,
    /// `delivered`, `failed`, or `given-up`.
    pub outcome: String,
    /// What went wrong.
    pub error: Option<String>,
}

impl Progress {
    /// The place of a channel, from where the search was kept if nothing was told yet.
    pub fn reached(&mut self, kept: &Kept, channel: Channel) -> &mut Reached {
        if let Some(at) = self.channels.iter().position(|(known, _)| *known == channel) {
            // Found just now.
            #[allow(clippy::indexing_slicing, reason = "the position was found in this very list")]
            return &mut self.channels[at].1;
        }
        let new = Reached { at: kept.from.clone(), ..Reached::default() };
        self.channels.insert(0, (channel, new));
        #[allow(clippy::indexing_slicing, reason = "put there in the line before")]
        &mut self.channels[0].1
    }

    /// Notes an attempt.
    pub fn note(&mut self, delivery: Delivery) {
        self.log.insert(0, delivery);
        self.log.truncate(LOG_MAX);
    }
}

impl Reached {
    /// Its place as the store takes it.
    pub fn positions(&self) -> Positions {
        self.at.iter().copied().collect()
    }

    /// Whether it is time for an attempt.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// Everything up to `until` was told.
    pub fn told(&mut self, until: &Positions) {
        *self = Self { at: until.iter().map(|(group, at)| (*group, *at)).collect(), ..Self::default() };
    }

    /// An attempt failed: when the next one is, or that it was given up, with everything up to `until`.
    pub fn failed(&mut self, until: &Positions, now: Timestamp) -> Outcome {
        let Some(seconds) = RETRY_SECONDS.get(self.attempts) else {
            self.told(until);
            return Outcome::GivenUp;
        };
        self.attempts += 1;
        self.next = Some(now.plus_seconds(*seconds));
        Outcome::Failed
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It got there.
    Delivered,
    /// It is tried again.
    Failed,
    /// It is not.
    GivenUp,
}

impl Outcome {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given-up",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_again_ever_later_and_given_up_in_the_end() {
        let (mut reached, mut now) = (Reached::default(), Timestamp::default());
        let until: Positions = [(GroupId::ALLIANCE, 7)].into();
        for seconds in RETRY_SECONDS {
            assert_eq!(reached.failed(&until, now), Outcome::Failed);
            assert!(!reached.is_due(now) && !reached.is_due(now.plus_seconds(seconds - 1)));
            now = now.plus_seconds(seconds);
            assert!(reached.is_due(now) && reached.at.is_empty(), "nothing counts as told yet");
        }
        assert_eq!(reached.failed(&until, now), Outcome::GivenUp);
        assert_eq!((reached.positions(), reached.attempts, reached.next), (until, 0, None));
    }

    #[test]
    fn the_log_is_bounded() {
        let mut progress = Progress::default();
        for attempt in 0..LOG_MAX + 5 {
            progress.note(Delivery {
                time: String::new(),
                channel: "webhook".into(),
                objects: 1,
                attempt,
                outcome: Outcome::Failed.as_str().into(),
                error: None,
            });
        }
        assert_eq!((progress.log.len(), progress.log[0].attempt), (LOG_MAX, LOG_MAX + 4));
    }
}
