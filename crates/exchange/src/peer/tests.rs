//! Whatever the objects, paths and terms: nothing RED leaves, nothing widens, nothing goes round.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn hub(number: u8) -> HubId {
    HubId::of_key(&number.to_string())
}

fn tlp() -> impl Strategy<Value = Tlp> {
    proptest::sample::select(Tlp::ALL.to_vec())
}

fn terms() -> impl Strategy<Value = Terms> {
    (tlp(), any::<bool>(), any::<bool>(), proptest::option::of(0..1_000i64), 0..12u8).prop_map(
        |(marking_max, amber, typed, age_seconds_max, hops_max)| Terms {
            marking_max,
            amber,
            types: typed.then(|| "indicator".to_owned()).into_iter().collect(),
            age_seconds_max,
            hops_max,
        },
    )
}

fn passage() -> impl Strategy<Value = Option<Passage>> {
    proptest::option::of(
        (proptest::collection::btree_set(0..8u8, 0..6), proptest::option::of(tlp()))
            .prop_map(|(path, marking)| Passage { path: path.into_iter().map(hub).collect(), marking }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_leaves_may(
        terms in terms(), passage in passage(), marking in proptest::option::of(tlp()), ceiling in tlp(),
        to in proptest::option::of(0..8u8), age in 0..2_000i64, indicator in any::<bool>(),
    ) {
        let object_type = if indicator { "indicator" } else { "malware" };
        let version = NOW.plus_seconds(-age);
        let passing = Passing { object_type, version, marking, passage: passage.as_ref() };
        let left = leaves(&passing, ceiling, &terms, hub(0), to.map(hub), NOW);
        let strict = marking.unwrap_or(ceiling).max(passage.as_ref().and_then(|p| p.marking).unwrap_or(Tlp::Clear));
        let before: Vec<HubId> = passage.iter().flat_map(|p| p.path.clone()).collect();
        if let Ok(left) = &left {
            prop_assert!(strict <= Tlp::Amber, "RED and AMBER+STRICT never leave");
            prop_assert!(strict < Tlp::Amber || terms.amber, "AMBER leaves where the group was named");
            prop_assert!(strict <= terms.marking_max);
            prop_assert_eq!(left.marking, Some(strict), "the next hub is told how strictly it is held here");
            prop_assert!(to.is_none_or(|to| !left.path.contains(&hub(to)) ), "never back to where it was");
            prop_assert_eq!(&left.path[..before.len()], &before[..], "its origin is kept");
            prop_assert!(left.path.len() <= usize::from(terms.hops_max));
            prop_assert!(terms.types.is_empty() || indicator);
            prop_assert!(terms.age_seconds_max.is_none_or(|most| age <= most));
        }
        // And nothing is stopped without one of these reasons.
        let may = strict <= terms.marking_max.min(if terms.amber { Tlp::Amber } else { Tlp::Green })
            && (terms.types.is_empty() || indicator)
            && terms.age_seconds_max.is_none_or(|most| age <= most)
            && !before.contains(&hub(0))
            && to.is_none_or(|to| to != 0 && !before.contains(&hub(to)))
            && before.len() < usize::from(terms.hops_max);
        prop_assert_eq!(left.is_ok(), may);
    }

    #[test]
    fn what_enters_is_held_as_strictly_as_where_it_was(
        terms in terms(), passage in passage(), marking in proptest::option::of(tlp()), there in tlp(), here in tlp(),
    ) {
        let passing = Passing { object_type: "indicator", version: NOW, marking, passage: passage.as_ref() };
        let mut terms = terms;
        terms.hops_max = 12;
        let Ok(left) = leaves(&passing, there, &terms, hub(9), Some(hub(0)), NOW) else { return Ok(()) };
        let arriving = Passing { passage: Some(&left), ..passing };
        match enters(&arriving, here, &terms, hub(0), NOW) {
            Ok(()) => prop_assert!(held_as(&arriving, here) >= held_as(&passing, there), "never a wider marking"),
            Err(stopped) => prop_assert!(stopped == Stopped::Ceiling && held_as(&passing, there) > here),
        }
    }

    #[test]
    fn an_object_ends_wherever_the_hubs_lead(links in proptest::collection::vec((0..6u8, 0..6u8), 0..30), hops in 0..6u8) {
        // A flood over any net of hubs: each holds what arrives once and passes it on by every link.
        let terms = Terms { hops_max: hops, ..Terms::default() };
        let mut arrived: std::collections::BTreeMap<u8, Passage> = [(0, Passage { path: vec![], marking: None })].into();
        let mut pending = vec![0u8];
        let mut sent = 0;
        while let Some(at) = pending.pop() {
            for (_, to) in links.iter().filter(|(from, _)| *from == at) {
                let held = arrived.get(&at).cloned();
                let passing = Passing { object_type: "indicator", version: NOW, marking: Some(Tlp::Green), passage: held.as_ref() };
                let Ok(left) = leaves(&passing, Tlp::Green, &terms, hub(at), Some(hub(*to)), NOW) else { continue };
                sent += 1;
                let arriving = Passing { passage: Some(&left), ..passing };
                prop_assert!(enters(&arriving, Tlp::Green, &terms, hub(*to), NOW).is_ok(), "both ends know the same rules");
                prop_assert!(left.path.len() <= usize::from(hops));
                if let std::collections::btree_map::Entry::Vacant(free) = arrived.entry(*to) {
                    free.insert(left);
                    pending.push(*to);
                }
            }
        }
        prop_assert!(sent <= links.len(), "each hub passes each object on once");
    }

    #[test]
    fn a_path_that_goes_round_is_refused(path in proptest::collection::vec(0..8u8, 0..40)) {
        let passage = Passage { path: path.iter().copied().map(hub).collect(), marking: None };
        let passing = Passing { object_type: "indicator", version: NOW, marking: Some(Tlp::Clear), passage: Some(&passage) };
        let terms = Terms { hops_max: 255, ..Terms::default() };
        let entered = enters(&passing, Tlp::Red, &terms, hub(0), NOW);
        let different: BTreeSet<u8> = path.iter().copied().collect();
        prop_assert_eq!(entered.is_ok(), different.len() == path.len() && !path.contains(&0));
    }
}

#[test]
fn waits_double_to_an_hour() {
    for (failures, seconds) in [(1, 2), (2, 4), (3, 8), (11, 2_048), (12, 3_600), (400, 3_600)] {
        assert_eq!(wait_milliseconds(failures, 255), seconds * 1_000, "{failures}");
        assert_eq!(wait_milliseconds(failures, 0), seconds * 500, "{failures}");
    }
}

#[test]
fn a_page_keeps_the_bytes_of_its_objects() {
    let object = r#"{ "id":"tool--x", "n":1.50 }"#;
    let raw: &RawValue = serde_json::from_str(object).unwrap();
    let passage = Passage { path: vec![hub(1)], marking: Some(Tlp::Green) };
    let page = Page {
        hub: hub(1),
        realm: "real".into(),
        items: vec![
            Item { passage: passage.clone(), object: Some(raw), recalled: None },
            Item {
                passage,
                object: None,
                recalled: Some(Recall { id: "tool--x".into(), reason: "wrong".into() }),
            },
        ],
        next: Some("c".into()),
        more: false,
    };
    let text = serde_json::to_string(&page).unwrap();
    let read: Page<'_> = serde_json::from_str(&text).unwrap();
    assert_eq!(read.items[0].object.unwrap().get(), object);
    assert_eq!(read.items[1].recalled.as_ref().unwrap().reason, "wrong");
    assert!(text.contains(r#""marking":"GREEN""#), "{text}");
    assert_eq!("hub--x".parse::<HubId>().unwrap_err().code(), "exchange.peer.hub_id");
}

#[test]
fn a_body_reads_back() {
    let id: ObjectId = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f".parse().unwrap();
    let passage = Passage { path: vec![hub(1), hub(2)], marking: None };
    let received = Received { items: vec![ReceivedItem { id, version: NOW, passage }] };
    assert_eq!(serde_json::from_slice::<Received>(&received.to_body()).unwrap(), received);
}
