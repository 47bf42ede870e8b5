//! What this sensor was told to watch for: the hub's changes applied in order, kept on disk, compiled for matching.
//!
//! The compiled [`LiveWatchlist`] holds exactly the indicators that are active now. Each (sharing group,
//! indicator) has a number there; [`Names`] tells the matching thread what a number means.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::value::{Kind, Value};
use shieldwall_watch::watchlist::{Builder, Change as WatchChange, LiveWatchlist, WatchlistError};

use arc_swap::ArcSwap;

use crate::disk::{self, Disk, DiskError};
use crate::guard::{Guard, Judge};
use crate::rules::{self, Armed, Rules};
use crate::wire::{Change, Item, Rule, WatchedValue};

/// Largest snapshot in bytes.
const SNAPSHOT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Why the watchlist could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The state directory failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The list does not compile.
    #[error(transparent)]
    Watchlist(#[from] WatchlistError),
    /// The snapshot could not be written as JSON.
    #[error("the watchlist could not be written: {0}")]
    Form(#[from] serde_json::Error),
}

impl KnowledgeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk(error) => error.code(),
            Self::Watchlist(error) => error.code(),
            Self::Form(_) => "sensor.knowledge.form",
        }
    }
}

/// An indicator as it is held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) group: GroupId,
    pub(crate) indicator: ObjectId,
    pub(crate) name: String,
    pub(crate) role: IndicatorRole,
    pub(crate) values: Vec<Value>,
    /// The rule it is, when it is more than values.
    pub(crate) rule: Option<Rule>,
    pub(crate) valid_until: Option<Timestamp>,
    /// Why it is neither matched nor blocked here, if it is not.
    pub(crate) withheld: Option<String>,
}

/// An indicator that is new or changed, with those of its values that are new; all of them when none are named.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) held: Arc<Held>,
    pub(crate) values: Option<Vec<Value>>,
}

impl Held {
    /// Takes what the hub told; values this version cannot watch for are left out.
    fn of(item: Item) -> Self {
        let value = |told: &WatchedValue| {
            let kind: Kind = told.kind.parse().ok()?;
            Value::new(kind, &told.value).ok()
        };
        let values: Vec<Value> = item.values.iter().filter_map(value).collect();
        if values.len() < item.values.len() {
            let left_out = item.values.len() - values.len();
            tracing::warn!(indicator = %item.indicator, left_out, "values this sensor cannot watch for");
        }
        let Item { group, indicator, name, role, valid_until, rule, .. } = item;
        Self { group, indicator, name, role, values, rule, valid_until, withheld: None }
    }

    fn item(&self) -> Item {
        let value =
            |value: &Value| WatchedValue { kind: value.kind().as_str().into(), value: value.to_string() };
        Item {
            group: self.group,
            indicator: self.indicator.clone(),
            name: self.name.clone(),
            role: self.role,
            values: self.values.iter().map(value).collect(),
            rule: self.rule.clone(),
            valid_until: self.valid_until,
        }
    }

    /// Whether it is a rule that is run here.
    fn is_run(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rules::is_run(&rule.kind))
    }

    fn rule_bytes(&self) -> usize {
        self.rule.as_ref().map_or(0, |rule| rule.text.len())
    }

    /// Whether it holds at `now`.
    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        self.withheld.is_none() && self.valid_until.is_none_or(|until| now < until)
    }
}

/// What the numbers in the compiled watchlist mean.
#[derive(Debug, Default)]
pub(crate) struct Names(RwLock<BTreeMap<u32, Arc<Held>>>);

impl Names {
    /// The indicator of this number, if it is still held.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<Held>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }
}

/// Of the snapshot's form: those before knew no rules, and what is kept in them has to be told anew.
const SNAPSHOT_FORM: u32 = 2;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Snapshot {
    #[serde(default)]
    form: u32,
    cursor: Option<String>,
    items: Vec<Item>,
    /// Indicators that are withheld, and why.
    #[serde(default)]
    withheld: Vec<(GroupId, ObjectId, String)>,
}

type Key = (GroupId, ObjectId);

/// Everything the sensor was told to watch for.
pub(crate) struct Knowledge {
    items: BTreeMap<Key, (u32, Arc<Held>)>,
    /// When which number ends.
    ends: BTreeMap<(Timestamp, u32), Key>,
    /// As of when ends were applied.
    now: Timestamp,
    next_number: u32,
    cursor: Option<String>,
    live: Arc<LiveWatchlist>,
    names: Arc<Names>,
    room: Room,
    rules: Arc<Rules>,
    /// Patterns that are taken though nothing wakes them.
    unbound: usize,
    armoury: Arc<Armoury>,
    /// Judges what is new before it may match.
    judge: Option<Judge>,
    /// What is new and was not asked of the memory yet.
    fresh: Vec<Fresh>,
}

/// What is matched by, as it is now; never waits.
pub(crate) type Armoury = ArcSwap<Armed>;

/// What there is of rules, so that no hub fills the memory.
#[derive(Debug, Default)]
struct Room {
    rules: usize,
    bytes: usize,
    /// Rules there was no room for since the start.
    over: u64,
}

impl Room {
    /// Counts an indicator's rule in, or takes it away where there is no room.
    fn take(&mut self, held: &mut Held) {
        let bytes = held.rule_bytes();
        if held.rule.is_none() {
            return;
        }
        let fits = bytes <= limits::RULE_BYTES_MAX
            && self.rules < limits::RULES_MAX
            && self.bytes + bytes <= limits::RULES_BYTES_MAX;
        if fits {
            self.rules += 1;
            self.bytes += bytes;
        } else {
            tracing::warn!(indicator = %held.indicator, bytes, "a rule this sensor has no room for");
            (held.rule, self.over) = (None, self.over + 1);
        }
    }

    fn give_back(&mut self, held: &Held) {
        if held.rule.is_some() {
            self.rules = self.rules.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(held.rule_bytes());
        }
    }
}

impl Knowledge {
    /// Reads the snapshot, if there is one, and compiles what is active at `now`. `seed` keys the compiled table; up to
    /// `unbound` patterns are run that have to be asked of every event.
    pub(crate) fn open(
        path: &Path,
        now: Timestamp,
        seed: u64,
        unbound: usize,
    ) -> Result<Self, KnowledgeError> {
        let snapshot: Snapshot = match disk::read(path, SNAPSHOT_BYTES_MAX)? {
            Some(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::error!(%error, "the kept watchlist is damaged; asking the hub for all of it");
                Snapshot::default()
            }),
            None => Snapshot::default(),
        };
        let mut builder = Builder::new(seed);
        let (mut items, mut ends, mut names) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mut next_number, mut room) = (0, Room::default());
        let mut withheld: BTreeMap<Key, String> =
            snapshot.withheld.into_iter().map(|(group, indicator, why)| ((group, indicator), why)).collect();
        for item in snapshot.items {
            let mut held = Held::of(item);
            room.take(&mut held);
            held.withheld = withheld.remove(&(held.group, held.indicator.clone()));
            let held = Arc::new(held);
            let key = (held.group, held.indicator.clone());
            if held.is_active(now) {
                for value in &held.values {
                    builder.add(value, next_number)?;
                }
            }
            if let Some(end) = held.valid_until {
                ends.insert((end, next_number), key.clone());
            }
            names.insert(next_number, Arc::clone(&held));
            items.insert(key, (next_number, held));
            next_number += 1;
        }
        let rules = Arc::new(compiled(&items, now, unbound));
        for (value, wake) in rules.wakes() {
            builder.add(value, wake)?;
        }
        let live = Arc::new(LiveWatchlist::new(builder.build()?));
        let armed = Armed { list: live.current(), rules: Arc::clone(&rules) };
        let (armoury, names) = (Arc::new(ArcSwap::from_pointee(armed)), Arc::new(Names(RwLock::new(names))));
        let cursor = snapshot.cursor.filter(|_| snapshot.form >= SNAPSHOT_FORM);
        Ok(Self {
            items,
            ends,
            now,
            next_number,
            cursor,
            live,
            names,
            room,
            rules,
            unbound,
            armoury,
            judge: None,
            fresh: Vec::new(),
        })
    }

    /// Rules there was no room for since the start.
    pub(crate) fn rules_over(&self) -> u64 {
        self.room.over
    }

    /// Whether anything was ever told.
    pub(crate) fn is_known(&self) -> bool {
        self.cursor.is_some() || !self.items.is_empty()
    }

    /// The compiled watchlist.
    pub(crate) fn live(&self) -> Arc<LiveWatchlist> {
        Arc::clone(&self.live)
    }

    /// What is matched by: the list and the rules that belong together.
    pub(crate) fn armoury(&self) -> Arc<Armoury> {
        Arc::clone(&self.armoury)
    }

    /// The rules that are run.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Applies changes of the list in one step, with those of the rules if `rules` changed.
    fn publish(&mut self, mut changes: Vec<WatchChange>, rules: bool) -> Result<(), KnowledgeError> {
        if rules {
            let before =
                std::mem::replace(&mut self.rules, Arc::new(compiled(&self.items, self.now, self.unbound)));
            changes.extend(before.wakes().map(|(_, indicator)| WatchChange::Remove { indicator }));
            let wakes = self.rules.wakes();
            changes.extend(
                wakes.map(|(value, indicator)| WatchChange::Put { indicator, values: vec![value.clone()] }),
            );
        }
        self.live.apply(changes)?;
        self.armoury.store(Arc::new(Armed { list: self.live.current(), rules: Arc::clone(&self.rules) }));
        Ok(())
    }

    /// From now on judges what is new; what a person has let through since holds again.
    pub(crate) fn guard(&mut self, guard: Guard, judge: Judge) -> Result<(), KnowledgeError> {
        let released: Vec<Key> = self
            .items
            .iter()
            .filter(|(_, (_, held))| held.withheld.is_some() && guard.lets_through(held))
            .map(|(key, _)| key.clone())
            .collect();
        let mut watch = Vec::with_capacity(released.len());
        let mut rules = false;
        for key in released {
            if let Some((number, held)) = self.items.get_mut(&key) {
                let mut free = held.as_ref().clone();
                free.withheld = None;
                rules |= free.is_run();
                watch.push(put_if(free.is_active(self.now), *number, &free));
                *held = Arc::new(free);
                write(&self.names).insert(*number, Arc::clone(held));
                self.fresh.push(Fresh { held: Arc::clone(held), values: None });
            }
        }
        self.judge = Some(judge);
        if !watch.is_empty() {
            self.publish(watch, rules)?;
        }
        Ok(())
    }

    /// Takes what is new since the last time.
    pub(crate) fn take_fresh(&mut self) -> Vec<Fresh> {
        std::mem::take(&mut self.fresh)
    }

    /// Those withheld, with the reason.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = (&Held, &str)> {
        self.items.values().filter_map(|(_, held)| Some((held.as_ref(), held.withheld.as_deref()?)))
    }

    /// What its numbers mean.
    pub(crate) fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// Where the next sync goes on; `None` when nothing was ever synced.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// How many indicators are active.
    pub(crate) fn active(&self) -> usize {
        self.iter_active().count()
    }

    /// The active indicators.
    pub(crate) fn iter_active(&self) -> impl Iterator<Item = &Held> {
        self.items.values().map(|(_, held)| held.as_ref()).filter(|held| held.is_active(self.now))
    }

    /// Applies what one sync brought, as one step for those who match. With `reset`, what is not in `changes` is
    /// dropped. Returns whether anything is different now.
    pub(crate) fn apply(
        &mut self,
        reset: bool,
        changes: Vec<Change>,
        cursor: String,
    ) -> Result<bool, KnowledgeError> {
        let mut last: BTreeMap<Key, Option<Held>> = BTreeMap::new();
        if reset {
            last.extend(self.items.keys().map(|key| (key.clone(), None)));
        }
        for change in changes {
            match change {
                Change::Put(item) => {
                    let mut held = Held::of(item);
                    let key = (held.group, held.indicator.clone());
                    // What is told once more stays as it was judged.
                    held.withheld = self.items.get(&key).and_then(|(_, old)| old.withheld.clone());
                    last.insert(key, Some(held));
                }
                Change::Remove { group, indicator, .. } => {
                    last.insert((group, indicator), None);
                }
            }
        }
        last.retain(|key, held| self.items.get(key).map(|(_, old)| old.as_ref()) != held.as_ref());
        self.cursor = Some(cursor);
        if last.is_empty() {
            return Ok(false);
        }
        if let Some(judge) = &self.judge {
            judge(&mut last.values_mut().flatten().collect::<Vec<_>>());
        }
        let mut watch = Vec::with_capacity(last.len());
        let mut rules = false;
        let names = Arc::clone(&self.names);
        for (key, held) in last {
            let old = self.items.remove(&key);
            if let Some((number, old)) = &old
                && let Some(end) = old.valid_until
            {
                self.ends.remove(&(end, *number));
            }
            if let Some((_, old)) = &old {
                self.room.give_back(old);
                rules |= old.is_run();
            }
            match held {
                Some(mut held) => {
                    self.room.take(&mut held);
                    rules |= held.is_run();
                    let before = old.as_ref().map(|(_, old)| old).filter(|old| old.withheld.is_none());
                    let values: Option<Vec<Value>> = before.map(|old| {
                        held.values.iter().filter(|value| !old.values.contains(value)).cloned().collect()
                    });
                    let number = old.map_or(self.next_number, |(number, _)| number);
                    self.next_number = self.next_number.max(number.saturating_add(1));
                    if let Some(end) = held.valid_until {
                        self.ends.insert((end, number), key.clone());
                    }
                    watch.push(put_if(held.is_active(self.now), number, &held));
                    let held = Arc::new(held);
                    if values.as_ref().is_none_or(|new| !new.is_empty()) && held.withheld.is_none() {
                        self.fresh.push(Fresh { held: Arc::clone(&held), values });
                    }
                    write(&names).insert(number, Arc::clone(&held));
                    self.items.insert(key, (number, held));
                }
                None => {
                    if let Some((number, _)) = old {
                        watch.push(WatchChange::Remove { indicator: number });
                        write(&names).remove(&number);
                    }
                }
            }
        }
        self.publish(watch, rules)?;
        Ok(true)
    }

    /// Lets indicators end (or, should the clock have gone back, hold again) as of `now`. Returns whether any did.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Result<bool, KnowledgeError> {
        let (low, high) = (self.now.min(now), self.now.max(now));
        // An end at `low` was applied then, one at `high` is now.
        let span = (Bound::Excluded((low, u32::MAX)), Bound::Included((high, u32::MAX)));
        let touched: Vec<Key> = self.ends.range(span).map(|(_, key)| key.clone()).collect();
        self.now = now;
        if touched.is_empty() {
            return Ok(false);
        }
        let changes = touched.iter().filter_map(|key| self.items.get(key)).map(|(number, held)| {
            tracing::info!(indicator = %held.indicator, active = held.is_active(now), "an indicator's time");
            put_if(held.is_active(now), *number, held)
        });
        let changes = changes.collect();
        let rules = touched.iter().filter_map(|key| self.items.get(key)).any(|(_, held)| held.is_run());
        self.publish(changes, rules)?;
        Ok(true)
    }

    /// What is to be written to disk: all items and the cursor they stand for.
    pub(crate) fn snapshot(&self) -> Result<Vec<u8>, KnowledgeError> {
        let items = self.items.values().map(|(_, held)| held.item()).collect();
        let withheld = self.withheld();
        let withheld =
            withheld.map(|(held, why)| (held.group, held.indicator.clone(), why.to_owned())).collect();
        Ok(serde_json::to_vec(&Snapshot {
            form: SNAPSHOT_FORM,
            cursor: self.cursor.clone(),
            items,
            withheld,
        })?)
    }
}

/// The rules that hold at `now`.
fn compiled(items: &BTreeMap<Key, (u32, Arc<Held>)>, now: Timestamp, unbound: usize) -> Rules {
    let active = items.values().filter(|(_, held)| held.is_run() && held.is_active(now));
    Rules::compile(active.map(|(number, held)| (*number, held.as_ref())), unbound)
}

/// Writes a snapshot.
pub(crate) fn save(disk: &Disk, path: &Path, snapshot: &[u8]) -> Result<(), KnowledgeError> {
    Ok(disk.replace(path, snapshot)?)
}

fn write(names: &Names) -> std::sync::RwLockWriteGuard<'_, BTreeMap<u32, Arc<Held>>> {
    names.0.write().unwrap_or_else(PoisonError::into_inner)
}

fn put_if(active: bool, number: u32, held: &Held) -> WatchChange {
    if active {
        WatchChange::Put { indicator: number, values: held.values.clone() }
    } else {
        WatchChange::Remove { indicator: number }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use uuid::Uuid;

    pub(crate) fn item(number: u128, role: IndicatorRole, values: &[(&str, &str)]) -> Item {
        let value =
            |(kind, value): &(&str, &str)| WatchedValue { kind: (*kind).into(), value: (*value).into() };
        Item {
            group: GroupId::from_uuid(Uuid::from_u128(1)),
            indicator: format!("indicator--{}", Uuid::from_u128(number)).parse().unwrap(),
            name: format!("indicator {number}"),
            role,
            values: values.iter().map(value).collect(),
            rule: None,
            valid_until: None,
        }
    }

    /// An indicator that is a rule.
    pub(crate) fn rule(number: u128, kind: &str, text: &str) -> Item {
        let rule = Rule { kind: kind.into(), version: None, text: text.into() };
        Item { rule: Some(rule), ..item(number, IndicatorRole::Malicious, &[]) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(seconds)
    }

    pub(crate) fn knowing(items: Vec<Item>) -> Knowledge {
        let directory = tempfile::tempdir().unwrap();
        let mut knowledge = Knowledge::open(&directory.path().join("none"), at(0), 1, 0).unwrap();
        knowledge.apply(true, items.into_iter().map(Change::Put).collect(), "c".into()).unwrap();
        knowledge
    }

    fn watched(knowledge: &Knowledge, domain: &str) -> Vec<String> {
        let value = Value::new(Kind::Domain, domain).unwrap();
        let numbers = knowledge.live.current().indicators_of(&value);
        numbers.into_iter().map(|number| knowledge.names.get(number).unwrap().name.clone()).collect()
    }

    const BAD: IndicatorRole = IndicatorRole::Malicious;

    #[test]
    fn changes_apply_in_order_and_a_reset_drops_what_is_not_told_again() {
        let mut one = item(1, BAD, &[("domain", "a.example"), ("no-such-kind", "x")]);
        let mut knowledge = knowing(vec![one.clone(), item(2, BAD, &[("domain", "a.example")])]);
        assert_eq!(watched(&knowledge, "a.example"), ["indicator 1", "indicator 2"]);
        one.values[0].value = "b.example".into();
        let (group, indicator) = (one.group, item(2, BAD, &[]).indicator);
        let remove = Change::Remove { group, indicator, reason: "recalled".into() };
        assert!(knowledge.apply(false, vec![Change::Put(one.clone()), remove], "d".into()).unwrap());
        assert_eq!(watched(&knowledge, "a.example"), Vec::<String>::new());
        assert_eq!(watched(&knowledge, "b.example"), ["indicator 1"]);
        let again = vec![Change::Put(one)];
        assert!(!knowledge.apply(false, again.clone(), "e".into()).unwrap(), "nothing new");
        assert!(!knowledge.apply(true, again, "f".into()).unwrap(), "nothing new");
        assert!(knowledge.apply(true, vec![], "g".into()).unwrap());
        assert_eq!((watched(&knowledge, "b.example").len(), knowledge.active()), (0, 0));
    }

    #[test]
    fn rules_are_kept_within_bounds_and_a_snapshot_from_before_them_is_told_anew() {
        let long = rule(2, "yara", &"x".repeat(limits::RULE_BYTES_MAX + 1));
        let mut knowledge = knowing(vec![rule(1, "sigma", "title: one"), long]);
        let kept = |knowledge: &Knowledge| {
            let rules = knowledge.iter_active().filter_map(|held| held.rule.clone());
            rules.map(|rule| rule.text).collect::<Vec<_>>()
        };
        assert_eq!((kept(&knowledge), knowledge.rules_over()), (vec!["title: one".to_owned()], 1));
        assert_eq!((knowledge.room.rules, knowledge.room.bytes), (1, 10));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watchlist.json");
        let snapshot = knowledge.snapshot().unwrap();
        save(&Disk::default(), &path, &snapshot).unwrap();
        let again = Knowledge::open(&path, at(0), 1, 0).unwrap();
        assert_eq!((kept(&again), again.cursor(), again.room.bytes), (kept(&knowledge), Some("c"), 10));
        let older = String::from_utf8(snapshot).unwrap().replace("\"form\":2,", "");
        save(&Disk::default(), &path, older.as_bytes()).unwrap();
        let again = Knowledge::open(&path, at(0), 1, 0).unwrap();
        assert_eq!((again.cursor(), again.items.len()), (None, 2), "matches on, and asks for everything");
        let change = Change::Put(rule(1, "sigma", "title: other one"));
        knowledge.apply(false, vec![change], "d".into()).unwrap();
        assert_eq!((knowledge.room.rules, knowledge.room.bytes), (1, 16));
        knowledge.apply(true, vec![], "e".into()).unwrap();
        assert_eq!((knowledge.room.rules, knowledge.room.bytes), (0, 0));
    }

    #[test]
    fn an_indicator_ends_by_the_clock_and_holds_again_should_it_go_back() {
        let mut ending = item(1, BAD, &[("domain", "a.example")]);
        ending.valid_until = Some(at(10));
        let mut knowledge = knowing(vec![ending, item(2, BAD, &[("domain", "b.example")])]);
        for (second, changed, active) in
            [(9, false, 2), (10, true, 1), (11, false, 1), (10, false, 1), (9, true, 2)]
        {
            assert_eq!(knowledge.tick(at(second)).unwrap(), changed, "{second}");
            assert_eq!(knowledge.active(), active, "{second}");
            assert_eq!(knowledge.iter_active().count(), active, "{second}");
            assert_eq!(watched(&knowledge, "a.example").len(), active - 1, "{second}");
        }
    }

    #[test]
    fn a_snapshot_brings_back_the_list_and_its_cursor_without_what_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watchlist.json");
        let mut ending = item(1, BAD, &[("domain", "a.example")]);
        ending.valid_until = Some(at(10));
        let knowledge =
            knowing(vec![ending, item(2, IndicatorRole::KillSwitch, &[("sha256", &"ab".repeat(32))])]);
        save(&Disk::default(), &path, &knowledge.snapshot().unwrap()).unwrap();
        let early = Knowledge::open(&path, at(5), 1, 0).unwrap();
        assert_eq!((early.cursor(), early.active(), watched(&early, "a.example").len()), (Some("c"), 2, 1));
        assert_eq!(early.items, knowledge.items);
        let late = Knowledge::open(&path, at(10), 1, 0).unwrap();
        assert_eq!((late.active(), watched(&late, "a.example").len()), (1, 0));
    }
}
