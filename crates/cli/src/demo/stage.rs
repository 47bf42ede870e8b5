//! Plays the script in the house: keeps the scaled clock, writes telemetry, shares intelligence, and watches.
//!
//! Scenario time runs so many times faster than real time, but what the alliance itself does is not scaled: while an
//! indicator travels to the sensors, or a sighting to everybody, the scenario's clock stands still. What takes 40 ms
//! here took 40 ms there, and what came first does not depend on how fast the replay is.

mod survey;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use shieldwall_model::id::{Entropy, MemberId};
use shieldwall_model::time::{Clock, Timestamp};
use shieldwall_watch::generate::Generator;
use tokio::sync::watch;
use tokio::time::Instant;

use super::figures::{ContactSeen, Observed, Play};
use super::house::{House, HouseError};
use super::intel::{Item, Sharing};
use super::script::{Cause, Deed};
use super::show::Show;

/// Longest the clock stands still for one deed, in seconds. Far above what it takes; what has not come by then is
/// reported as missing.
const HOLD_SECONDS_MAX: u64 = 15;
/// How long the sensors may take to start, in seconds.
const START_SECONDS_MAX: u64 = 30;
/// How often ordinary telemetry is written, in milliseconds of real time.
const STEP_MILLISECONDS: i64 = 100;
/// How many lines of it each member writes then.
const STEP_LINES: i64 = 4;
/// Most objects sent in one request.
const OBJECTS_PER_REQUEST_MAX: usize = 1_000;

/// What the stage is given.
pub(crate) struct Setting<'a> {
    /// What is played.
    pub(crate) play: Play<'a>,
    /// Where.
    pub(crate) house: &'a mut House,
    /// Who watches.
    pub(crate) show: &'a Show,
    /// Real time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Scenario seconds in a real second.
    pub(crate) speed: f64,
    /// Turns true when the play is to be broken off.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Plays the script to its end and gathers what was observed.
///
/// # Errors
/// [`HouseError`] when the house does not do what it is asked; what merely goes wrong in the play is observed.
pub(crate) async fn perform(setting: Setting<'_>) -> Result<Observed, HouseError> {
    let mut stage = Stage::open(setting).await?;
    let began = Instant::now();
    let acts = &stage.set.play.script.acts;
    for act in acts {
        if !stage.until(act.at).await? {
            stage.observed.troubles.push("the replay was broken off".into());
            break;
        }
        match &act.deed {
            Deed::Tell { event } => stage.tell(*event),
            Deed::Share { by, items, event, variant } => {
                stage.share(act.at, *by, items, *event, *variant).await?
            }
            Deed::Contact { player, items, cause, again } => {
                stage.contact(act.at, *player, items, *cause, *again).await?
            }
        }
    }
    let end = stage.set.play.script.end;
    if stage.observed.troubles.is_empty() && !stage.until(end).await? {
        stage.observed.troubles.push("the replay was broken off".into());
    }
    stage.observed.elapsed_seconds = began.elapsed().as_secs_f64();
    stage.survey().await?;
    Ok(stage.observed)
}

/// The scaled clock.
struct Pace {
    start: Timestamp,
    began: Instant,
    held: Duration,
    speed: f64,
}

impl Pace {
    /// How long until scenario time `at`, in real time.
    fn until(&self, at: Timestamp) -> Duration {
        let due = Duration::try_from_secs_f64(at.since_micros(self.start).max(0) as f64 / 1e6 / self.speed);
        due.unwrap_or(Duration::MAX).saturating_sub(self.began.elapsed().saturating_sub(self.held))
    }
}

struct Stage<'a> {
    set: Setting<'a>,
    pace: Pace,
    /// One for each player: what it writes depends on the seed and the play alone.
    telemetry: Vec<Generator>,
    /// When ordinary telemetry is due next, in scenario time.
    next_step: Timestamp,
    step_micros: i64,
    observed: Observed,
    /// The malware's first sharer, and when it shared.
    malware: Option<(usize, MemberId, Timestamp)>,
    variants: usize,
}

impl<'a> Stage<'a> {
    async fn open(set: Setting<'a>) -> Result<Self, HouseError> {
        let players = set.play.cast.players.len();
        let ready = set
            .house
            .ears
            .wait_until(Duration::from_secs(START_SECONDS_MAX), |heard| heard.active.len() == players)
            .await;
        let mut observed = Observed::default();
        if !ready {
            observed.troubles.push(format!("not every sensor was ready within {START_SECONDS_MAX} s"));
        }
        let telemetry = (0..players as u64)
            .map(|player| Generator::new(set.play.seed ^ player.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        let (start, speed) = (set.play.scenario.start, set.speed);
        let step_micros = ((STEP_MILLISECONDS * 1_000) as f64 * speed).clamp(1.0, 1e15) as i64;
        Ok(Self {
            set,
            pace: Pace { start, began: Instant::now(), held: Duration::ZERO, speed },
            telemetry,
            next_step: start,
            step_micros,
            observed,
            malware: None,
            variants: 0,
        })
    }

    /// Lets the clock run to `at`, writing ordinary telemetry; false when the play is broken off.
    async fn until(&mut self, at: Timestamp) -> Result<bool, HouseError> {
        loop {
            let due = self.next_step.min(at);
            let wait = self.pace.until(due);
            self.set.show.clock(due);
            if *self.set.stop.borrow() {
                return Ok(false);
            }
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = self.set.stop.wait_for(|stop| *stop) => return Ok(false),
                }
            }
            if self.next_step > at {
                return Ok(true);
            }
            for player in 0..self.telemetry.len() {
                let lines = self.ordinary(player, self.next_step, STEP_LINES);
                self.set.house.append(player, &lines)?;
            }
            self.next_step = self.next_step.plus_micros(self.step_micros);
        }
    }

    /// Ordinary telemetry from `at` on.
    fn ordinary(&mut self, player: usize, at: Timestamp, lines: i64) -> String {
        let mut text = String::new();
        let (Some(generator), Some(role)) =
            (self.telemetry.get_mut(player), self.set.play.cast.players.get(player))
        else {
            return text;
        };
        for line in 0..lines {
            let time = at.plus_micros(self.step_micros / lines.max(1) * line);
            generator.write(&mut text, role.format, time.as_micros(), None);
            text.push('\n');
        }
        text
    }

    /// Keeps the clock still for what took since `began`.
    fn held(&mut self, began: Instant) {
        self.pace.held += began.elapsed();
    }

    fn name(&self, player: usize) -> &'a str {
        self.set.play.cast.players.get(player).map_or("", |player| player.name.as_str())
    }

    fn item(&self, item: usize) -> Option<&'a Item> {
        self.set.play.items.get(item)
    }

    fn tell(&self, event: usize) {
        let (Some(told), Some(fate)) =
            (self.set.play.scenario.events.get(event), self.set.play.script.fates.get(event))
        else {
            return;
        };
        self.set.show.event(told, fate);
    }

    async fn share(
        &mut self,
        at: Timestamp,
        by: usize,
        items: &[usize],
        event: Option<usize>,
        variant: bool,
    ) -> Result<(), HouseError> {
        let began = Instant::now();
        let Some(member) = self.set.house.member(by) else { return Ok(()) };
        let first = self.malware.is_none();
        // A scenario may lie ahead of the calendar; what is shared may not.
        let at = at.min(self.set.clock.now());
        let (owner, owned_by, created) = *self.malware.get_or_insert((by, member, at));
        let (scenario, entropy) = (self.set.play.scenario, Arc::clone(&self.set.entropy));
        let sharing = Sharing { member, at, malware: (&scenario.name, owned_by), entropy: entropy.as_ref() };
        let mut objects =
            if first { sharing.story(&scenario.techniques, &scenario.cves) } else { Vec::new() };
        let mut sent = Vec::with_capacity(items.len());
        for index in items {
            let Some((id, made)) = self.item(*index).and_then(|item| sharing.indicator(item)) else {
                continue;
            };
            self.set.house.ears.know(id.clone(), *index);
            sent.push((*index, id.to_string()));
            objects.extend(made);
        }
        let mut refused = self.send(by, &objects).await?;
        if variant && !first {
            self.variants += 1;
            let plural = if self.variants == 1 { "" } else { "s" };
            let name = format!("{} ({} variant{plural})", scenario.name, self.variants);
            let text =
                event.and_then(|event| scenario.events.get(event)).map_or("", |event| event.text.as_str());
            refused.extend(self.send(owner, &[sharing.renamed(created, &name, text)]).await?);
        }
        let taken: Vec<usize> =
            sent.iter().filter(|(_, id)| !refused.contains(id)).map(|(index, _)| *index).collect();
        self.observed.shared.extend(&taken);
        let matchable = self
            .observed
            .shared
            .iter()
            .filter(|index| self.item(**index).is_some_and(|item| item.value.is_some()))
            .count();
        let players = self.set.play.cast.players.len();
        let everywhere = |heard: &super::ears::Heard| {
            heard.active.len() == players && heard.active.values().all(|active| *active >= matchable)
        };
        if !self.set.house.ears.wait_until(Duration::from_secs(HOLD_SECONDS_MAX), everywhere).await {
            let behind = format!(
                "what {} shared did not reach every sensor within {HOLD_SECONDS_MAX} s",
                self.name(by)
            );
            self.observed.troubles.push(behind);
        }
        self.held(began);
        self.set.show.shared(self.name(by), taken.len(), began.elapsed());
        Ok(())
    }

    /// Sends objects; returns the ids of those refused, and keeps why.
    async fn send(&mut self, by: usize, objects: &[Json]) -> Result<BTreeSet<String>, HouseError> {
        let mut refused = BTreeSet::new();
        for piece in objects.chunks(OBJECTS_PER_REQUEST_MAX) {
            for refusal in self.set.house.share(by, &json!({ "objects": piece })).await?.refused {
                let id = refusal.id.unwrap_or_default();
                self.observed.refused.push(format!("{id}: {}", refusal.reason));
                refused.insert(id);
            }
        }
        Ok(refused)
    }

    async fn contact(
        &mut self,
        at: Timestamp,
        player: usize,
        items: &[usize],
        cause: Cause,
        again: bool,
    ) -> Result<(), HouseError> {
        let began = Instant::now();
        let guarded = self.guarded(player, items);
        let lines = self.attack(player, at, items);
        let written = self.set.clock.now();
        self.set.house.append(player, &lines)?;
        self.observed.contacts.push(ContactSeen {
            cause,
            player,
            at,
            written,
            items: items.to_vec(),
            guarded,
        });
        let known: Vec<usize> =
            items.iter().copied().filter(|item| self.observed.shared.contains(item)).collect();
        let news: Vec<usize> = {
            let heard = self.set.house.ears.heard();
            // Repeated matches are reported together and later; only a first one warns at once.
            known
                .iter()
                .copied()
                .filter(|item| heard.last_match.get(&(player, *item)).is_none_or(|at| *at >= written))
                .collect()
        };
        let players = self.set.play.cast.players.len();
        let done = |heard: &super::ears::Heard| {
            let matched =
                |item: &usize| heard.last_match.get(&(player, *item)).copied().filter(|at| *at >= written);
            known.iter().all(|item| matched(item).is_some())
                && news.iter().all(|item| {
                    let warned =
                        |other: usize| heard.last_warning.get(&(other, *item)).copied() >= matched(item);
                    (0..players).filter(|other| *other != player).all(warned)
                })
        };
        let complete = self.set.house.ears.wait_until(Duration::from_secs(HOLD_SECONDS_MAX), done).await;
        if !complete {
            let fallen = self.set.house.fallen().await;
            self.observed.troubles.extend(fallen);
        }
        self.held(began);
        let first = !self.observed.contacts.iter().rev().skip(1).any(|contact| contact.player == player);
        self.set.show.contact(&super::show::Contact {
            who: self.name(player),
            planted: items.len(),
            known: known.len(),
            news: news.len(),
            first,
            assumed: matches!(cause, Cause::Assumed(_)),
            again,
            guarded,
            complete,
            took: began.elapsed(),
        });
        Ok(())
    }

    /// Lines that carry the values, among ordinary ones.
    fn attack(&mut self, player: usize, at: Timestamp, items: &[usize]) -> String {
        let mut text = String::new();
        for (place, index) in (0_i64..).zip(items) {
            let time = at.plus_micros(place * 1_000);
            text.push_str(&self.ordinary(player, time, 1));
            let value = self.item(*index).and_then(|item| item.value.as_ref());
            let (Some(generator), Some(role)) =
                (self.telemetry.get_mut(player), self.set.play.cast.players.get(player))
            else {
                continue;
            };
            generator.write(&mut text, role.format, time.as_micros(), value);
            text.push('\n');
        }
        text
    }

    /// Whether everything of these values that may be blocked is on the player's block list.
    fn guarded(&self, player: usize, items: &[usize]) -> Option<bool> {
        let blockable =
            items.iter().filter_map(|item| self.item(*item)).filter(|item| item.role.may_be_blocked());
        let values: Vec<String> =
            blockable.filter_map(|item| item.value.as_ref()).map(ToString::to_string).collect();
        if values.is_empty() {
            return None;
        }
        let listed: BTreeSet<String> = self.set.house.block_list(player).into_iter().collect();
        Some(values.iter().all(|value| listed.contains(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn scenario_time_is_scaled_and_stands_still_when_held() {
        let start = Timestamp::from_micros(0);
        let mut pace = Pace { start, began: Instant::now(), held: Duration::ZERO, speed: 3_600.0 };
        assert_eq!(pace.until(start.plus_seconds(7_200)), Duration::from_secs(2));
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(pace.until(start.plus_seconds(7_200)), Duration::from_millis(500));
        pace.held = Duration::from_secs(1);
        assert_eq!(pace.until(start.plus_seconds(7_200)), Duration::from_millis(1_500));
        assert_eq!(pace.until(start), Duration::ZERO);
    }
}
