//! What the sensors of all members say, gathered in one place that can be waited on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shieldwall_model::id::ObjectId;
use shieldwall_model::time::Timestamp;
use shieldwall_sensor::agent::SensorEvent;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::figures::{MatchSeen, WarningSeen};

/// Most matches and most warnings kept: past it figures stand on the first so many.
const KEPT_MAX: usize = 1_000_000;

/// Everything heard so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Which item an indicator is.
    known: HashMap<ObjectId, usize>,
    /// Active indicators at each player's sensor; none before its first word from the hub.
    pub(crate) active: BTreeMap<usize, usize>,
    /// All matches.
    pub(crate) matches: Vec<MatchSeen>,
    /// All warnings.
    pub(crate) warnings: Vec<WarningSeen>,
    /// The last match of an item at a player.
    pub(crate) last_match: BTreeMap<(usize, usize), Timestamp>,
    /// The last warning of an item at a player.
    pub(crate) last_warning: BTreeMap<(usize, usize), Timestamp>,
    /// What sensors had trouble with, by player: the last words.
    pub(crate) troubles: BTreeMap<usize, String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    heard: Mutex<Heard>,
    news: Notify,
}

impl Ears {
    /// What was heard so far.
    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on `indicator` is known as `item`. To be told before the indicator is shared.
    pub(crate) fn know(&self, indicator: ObjectId, item: usize) {
        self.heard().known.insert(indicator, item);
    }

    /// Which item an indicator is, if it is one of the play's.
    pub(crate) fn item_of(&self, indicator: &ObjectId) -> Option<usize> {
        self.heard().known.get(indicator).copied()
    }

    /// Takes in what a player's sensor says.
    pub(crate) fn hear(&self, player: usize, event: SensorEvent) {
        self.heard().take(player, event);
        self.news.notify_waiters();
    }

    /// Waits until what was heard is enough; says whether that came about within `most`.
    pub(crate) async fn wait_until(&self, most: Duration, mut enough: impl FnMut(&Heard) -> bool) -> bool {
        let end = Instant::now() + most;
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Registered before looking, so that nothing said in between is missed.
            news.as_mut().enable();
            if enough(&self.heard()) {
                return true;
            }
            if tokio::time::timeout_at(end, news).await.is_err() {
                return enough(&self.heard());
            }
        }
    }
}

impl Heard {
    fn take(&mut self, player: usize, event: SensorEvent) {
        match event {
            SensorEvent::Synced { items, .. } => _ = self.active.insert(player, items),
            SensorEvent::Matched { indicator, detected, .. } => {
                let Some(item) = self.known.get(&indicator).copied() else { return };
                if self.matches.len() < KEPT_MAX {
                    self.matches.push(MatchSeen { player, item, detected });
                }
                self.last_match.insert((player, item), detected);
            }
            SensorEvent::Warned { indicator, received, .. } => {
                let Some(item) = self.known.get(&indicator).copied() else { return };
                if self.warnings.len() < KEPT_MAX {
                    self.warnings.push(WarningSeen { player, item, received });
                }
                self.last_warning.insert((player, item), received);
            }
            SensorEvent::HubUnreachable { what } => _ = self.troubles.insert(player, what),
            SensorEvent::Listening { .. }
            | SensorEvent::Reported { .. }
            | SensorEvent::BlocklistWritten { .. }
            | SensorEvent::RulesWritten { .. }
            | SensorEvent::Finished => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn waiting_ends_with_the_news_it_waits_for() {
        let ears = Arc::new(Ears::default());
        let waiting = Arc::clone(&ears);
        let all = tokio::spawn(async move {
            waiting
                .wait_until(Duration::from_secs(60), |heard| heard.active.values().sum::<usize>() >= 6)
                .await
        });
        for player in 0..3 {
            ears.hear(player, SensorEvent::Synced { items: 2, version: 1 });
            tokio::task::yield_now().await;
        }
        assert!(all.await.unwrap());
        assert!(!ears.wait_until(Duration::ZERO, |heard| heard.active.len() > 3).await);
    }
}
