//! The weekend as it was played, and scenarios of other kinds.

use super::super::intel;
use super::super::scenario::tests::{of, wannacry};
use super::*;
use proptest::prelude::*;

pub(crate) struct Written {
    pub(crate) scenario: Scenario,
    pub(crate) cast: Cast,
    pub(crate) items: Vec<Item>,
    pub(crate) script: Script,
}

pub(crate) fn written(scenario: Scenario, seed: u64) -> Written {
    let atlas = Atlas::built_in().unwrap();
    let cast = atlas.cast(&scenario);
    let items = intel::items(&scenario, &mut Vec::new());
    let script = write(&scenario, &atlas, &cast, &items, seed);
    Written { scenario, cast, items, script }
}

impl Written {
    fn contacts(&self) -> Vec<(Timestamp, &str, Cause, bool, &[usize])> {
        let contact = |act: &'_ Act| match &act.deed {
            Deed::Contact { player, items, cause, again } => {
                Some((act.at, *player, *cause, *again, items.clone()))
            }
            _ => None,
        };
        let found: Vec<_> = self.script.acts.iter().filter_map(contact).collect();
        found
            .into_iter()
            .zip(self.script.acts.iter().filter_map(|act| match &act.deed {
                Deed::Contact { items, .. } => Some(items.as_slice()),
                _ => None,
            }))
            .map(|((at, player, cause, again, _), items)| {
                (at, self.cast.players[player].label(), cause, again, items)
            })
            .collect()
    }

    fn shares(&self) -> Vec<(Timestamp, &str, usize)> {
        let share = |act: &Act| match &act.deed {
            Deed::Share { by, items, .. } => Some((act.at, *by, items.len())),
            _ => None,
        };
        let shares = self.script.acts.iter().filter_map(share);
        shares.map(|(at, by, count)| (at, self.cast.players[by].label(), count)).collect()
    }

    fn told(&self) -> usize {
        self.script.acts.iter().filter(|act| matches!(act.deed, Deed::Tell { .. })).count()
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn the_weekend_is_played_as_it_was() {
    let written = written(wannacry(), 1);
    assert_eq!(written.script.first_activity, Some(time("2017-05-12T07:24:00Z")));
    let shares = written.shares();
    assert_eq!(shares[0], (time("2017-05-12T07:54:00Z"), "ES", 30));
    assert_eq!(shares[1], (time("2017-05-12T15:08:04Z"), "ES", 1));
    assert_eq!(shares[2..].iter().map(|(_, _, count)| *count).sum::<usize>(), 3);
    let contacts = written.contacts();
    let firsts: Vec<&str> = contacts.iter().filter(|contact| !contact.3).map(|contact| contact.1).collect();
    assert_eq!(firsts[..4], ["ES", "ES", "ES", "GB"]);
    for member in ["FR", "SI", "DE", "US", "JP"] {
        assert!(firsts.contains(&member), "{member}");
    }
    assert_eq!(contacts.iter().find(|contact| contact.3).unwrap().1, "ES");
    assert_eq!(written.told(), 20);
    assert_eq!(written.script.fates[0].telling, Telling::History);
    assert_eq!(written.script.fates[19].telling, Telling::Aftermath);
    // Evidence and wallets are nowhere in telemetry, and a variant's name is not there before the variant.
    for (at, _, _, _, items) in &contacts {
        for item in items.iter().map(|item| &written.items[*item]) {
            assert_eq!(item.not_planted, None);
            assert!(!item.appears_then || *at >= time("2017-05-14T00:00:00Z"), "{}", item.shown);
        }
    }
}

#[test]
fn an_hour_with_days_and_no_kill_switch() {
    let written = written(
        of(r#"{"window":["2021-03-01T10:00:00Z","2021-03-01T11:00:00Z"],
            "events":[{"t":"2021-03-01T10:10:00Z","precision":"minutes","kind":"victim","where":"PL"},
                      {"t":"2021-03-01","precision":"day","kind":"victim","where":"CZ"},
                      {"t":"2021-03-01T10:20:00Z","kind":"lunch","where":"RU"}],
            "indicators":[{"type":"ip","value":"198.51.100.7","role":"malicious"}]}"#),
        7,
    );
    assert_eq!(written.script.first_activity, Some(time("2021-03-01T10:10:00Z")));
    assert_eq!(written.shares(), [(time("2021-03-01T10:10:36Z"), "PL", 1)]);
    assert_eq!(written.script.fates[1].telling, Telling::History, "a day that began before the window");
    assert_eq!(written.script.fates[2].meaning, Meaning::Unknown);
    assert!(written.script.fates[2].players.is_empty() && written.script.fates[2].outside.is_empty());
    let (again, later): (Vec<_>, Vec<_>) = written.contacts().into_iter().partition(|contact| contact.3);
    assert_eq!((again.len(), again[0].1), (1, "PL"));
    assert!(later.len() > 3 && later.iter().all(|contact| contact.0 <= time("2021-03-01T11:00:00Z")));
}

#[test]
fn months_with_victims_and_no_events() {
    let written = written(
        of(
            r#"{"window":["2020-03","2020-12"],"victims":[{"country":"US"},{"country":"GB"},{"country":"IR"}],
            "indicators":[{"type":"domain","value":"a.example","role":"suspect"},{"type":"sha1","value":"nonsense","role":"malicious"}]}"#,
        ),
        3,
    );
    assert_eq!(written.script.assumed.iter().filter(|assumed| assumed.victim).count(), 2);
    assert_eq!(Some(written.script.assumed[0].at), written.script.first_activity);
    assert_eq!(written.shares().len(), 1);
    assert_eq!(written.shares()[0].1, "US");
    assert!(written.contacts().iter().all(|contact| contact.4.len() == 1));
}

#[test]
fn victims_outside_alone() {
    let written = written(
        of(r#"{"events":[{"t":"2022-01-01T00:00:00Z","kind":"victim","where":"KZ"}],
            "indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#),
        1,
    );
    assert_eq!(written.script.fates[0].outside, ["KZ"]);
    assert_eq!(written.shares()[0].1, "Alliance duty office");
    assert!(
        !written.contacts().is_empty()
            && written.contacts().iter().all(|contact| matches!(contact.2, Cause::Assumed(_)))
    );
}

#[test]
fn nothing_to_play() {
    let empty = written(of("{}"), 1);
    assert_eq!((empty.script.first_activity, empty.script.acts.len()), (None, 0));
    let unhit =
        written(of(r#"{"indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#), 1);
    assert!(unhit.script.acts.is_empty());
    let unarmed = written(of(r#"{"victims":[{"country":"FR"}]}"#), 1);
    assert!(unarmed.shares().is_empty() && unarmed.contacts().iter().all(|contact| contact.4.is_empty()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_seed_writes_the_same_script_in_order(
        seed in any::<u64>(),
        events in proptest::collection::vec(
            (0i64..2_000_000, "victim|first_activity|variant|killswitch|count|[a-z]{0,6}", "GB|FR/SI|RU|Europe|global||[a-zA-Z]{0,4}"), 0..12),
        roles in proptest::collection::vec("malicious|killswitch_do_not_block|suspect|evidence|[a-z]{0,5}", 0..60),
    ) {
        let start = time("2017-05-01T00:00:00Z");
        let events: Vec<_> = events.iter()
            .map(|(seconds, kind, place)| serde_json::json!({"t": start.plus_seconds(*seconds).to_string(), "kind": kind, "where": place, "text": "v7.ex..."}))
            .collect();
        let indicators: Vec<_> = roles.iter().enumerate()
            .map(|(index, role)| serde_json::json!({"type": "domain", "value": format!("v{index}.example"), "role": role}))
            .collect();
        let json = serde_json::json!({"window": ["2017-05-02", "2017-05-15"], "events": events, "indicators": indicators}).to_string();
        let (one, two) = (written(of(&json), seed), written(of(&json), seed));
        prop_assert_eq!(&one.script, &two.script);
        prop_assert!(one.script.acts.is_sorted_by_key(|act| act.at));
        prop_assert_eq!(one.told(), events.len());
        prop_assert_eq!(one.script.fates.len(), events.len());
        // What is shared is shared once; what is planted was published; nothing lies after the end.
        let mut shared = BTreeSet::new();
        for act in &one.script.acts {
            prop_assert!(act.at >= one.scenario.start && act.at <= one.script.end);
            match &act.deed {
                Deed::Share { items, .. } => for item in items { prop_assert!(shared.insert(*item)); },
                Deed::Contact { items, .. } => prop_assert!(items.len() <= writer::PLANTS_PER_CONTACT_MAX && items.iter().all(|item| *item < one.items.len())),
                Deed::Tell { .. } => {}
            }
        }
    }
}
