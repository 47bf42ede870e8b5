//! A perfect house, and one broken in each way the figures must tell.

use super::super::scenario::tests::of;
use super::super::script::tests::{Written, written};
use super::*;

const SMALL: &str = r#"{"id":"small","window":["2021-03-01T10:00:00Z","2021-03-01T11:00:00Z"],
    "events":[{"t":"2021-03-01T10:10:00Z","kind":"victim","where":"PL"},{"t":"2021-03-01T10:30:00Z","kind":"victim","where":"CZ"},
              {"t":"2021-03-01T10:40:00Z","kind":"count","where":"RU"}],
    "indicators":[{"type":"domain","value":"bad.example","role":"malicious"},
                  {"type":"domain","value":"stop.example","role":"killswitch_do_not_block"},
                  {"type":"btc","value":"13AM4VW2dhxYgXeQepoHkHSQuy6NgaEb94","role":"malicious"}]}"#;

fn real(milliseconds: i64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap().plus_micros(milliseconds * 1_000)
}

/// A house in which everything works: contacts a second apart, matched after 5 ms, warned 20 ms later.
fn perfect(written: &Written) -> Observed {
    let mut observed = Observed { raised: 2, by_person: 1, elapsed_seconds: 1.0, ..Observed::default() };
    let mut clock = 0;
    for act in &written.script.acts {
        clock += 1_000;
        match &act.deed {
            Deed::Tell { .. } => {}
            Deed::Share { items, .. } => observed.shared.extend(items),
            Deed::Contact { player, items, cause, .. } => {
                let guarded = Some(!observed.shared.is_empty());
                let contact = ContactSeen {
                    cause: *cause,
                    player: *player,
                    at: act.at,
                    written: real(clock),
                    items: items.clone(),
                    guarded,
                };
                observed.contacts.push(contact);
                for item in
                    items.iter().copied().filter(|item| observed.shared.contains(item)).collect::<Vec<_>>()
                {
                    observed.matches.push(MatchSeen { player: *player, item, detected: real(clock + 5) });
                    observed.recorded.insert((*player, item));
                    for other in 0..written.cast.players.len() {
                        observed.warnings.push(WarningSeen {
                            player: other,
                            item,
                            received: real(clock + 25),
                        });
                    }
                }
            }
        }
    }
    observed
}

fn report_of(written: &Written, observed: &Observed) -> Report {
    let play = Play {
        scenario: &written.scenario,
        cast: &written.cast,
        items: &written.items,
        script: &written.script,
        seed: 1,
    };
    report(play, observed, &[])
}

#[test]
fn a_perfect_house_closes_the_loop() {
    let written = written(of(SMALL), 1);
    let report = report_of(&written, &perfect(&written));
    assert!(report.loop_closed, "{:?}", report.reasons);
    assert_eq!((report.members, report.warned, report.kill_switch_blocked), (12, 11, false));
    let spread = report.time_to_warn_ms.unwrap();
    assert_eq!((spread.p50, spread.p95, spread.max), (20.0, 20.0, 20.0));
    assert_eq!(spread.count % 11, 0);
    // 36 s of analysis, 9 s until the network shows it again.
    assert_eq!(report.time_to_detect_seconds, Some(45.0));
    // Poland was hit before anybody could know; everybody after it was warned and protected.
    assert_eq!(report.members_warned_before_hit, report.members_hit - 1);
    assert_eq!(report.protected_before_hit, report.members_hit - 1);
    let statuses: Vec<&str> = report.events.iter().map(|event| event.status).collect();
    assert_eq!(statuses, ["detected", "detected", "told"]);
    assert_eq!(report.events[0].members, ["PL"]);
    assert_eq!((report.events[0].planted, report.events[0].detected, report.events[0].warned), (2, 2, 11));
    assert_eq!((report.indicators.shared, report.indicators.planted, report.indicators.matched), (3, 2, 2));
    assert_eq!(report.indicators.not_matchable[0].r#type, "btc");
    let open: Vec<&str> = report.open.iter().map(|open| open.what).collect();
    assert_eq!(open, ["unacknowledged", "hit-unwarned", "not-matchable", "outside"]);
    assert!(report.open[1].text.ends_with("PL"));
}

#[test]
fn each_break_opens_the_loop_and_says_so() {
    let written = written(of(SMALL), 1);
    let broken = |spoil: &dyn Fn(&mut Observed), word: &str| {
        let mut observed = perfect(&written);
        spoil(&mut observed);
        let report = report_of(&written, &observed);
        assert!(
            !report.loop_closed && report.reasons.iter().any(|reason| reason.contains(word)),
            "{word}: {:?}",
            report.reasons
        );
        report
    };
    broken(&|observed| observed.shared.clear(), "no intelligence");
    broken(&|observed| observed.matches.clear(), "was matched by a sensor");
    broken(&|observed| _ = observed.recorded.pop_first(), "do not stand in the ledger");
    broken(&|observed| observed.warnings.retain(|seen| seen.player != 11), "10 of 11 other members");
    let last = perfect(&written).warnings.iter().map(|seen| seen.received).max().unwrap();
    let late = broken(
        &|observed| observed.warnings.retain(|seen| seen.player != 11 || seen.received < last),
        "did not arrive",
    );
    assert!(late.open.iter().any(|open| open.what == "warning-missing" && open.text.contains("duty office")));
    broken(&|observed| observed.troubles.push("the hub fell over".into()), "fell over");
    let switch = broken(&|observed| observed.blocked.push((1, "PL".into())), "must not be blocked");
    assert!(switch.kill_switch_blocked);
}

#[test]
fn what_cannot_be_played_says_why() {
    for (json, word) in [
        ("{}", "nobody who is hit"),
        (r#"{"indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#, "nobody who is hit"),
        (r#"{"victims":[{"country":"FR"}]}"#, "no indicator"),
        (
            r#"{"victims":[{"country":"FR"}],"indicators":[{"type":"mutex","value":"x","role":"malicious"}]}"#,
            "can stand in telemetry",
        ),
    ] {
        let written = written(of(json), 1);
        let report = report_of(&written, &perfect(&written));
        assert!(
            !report.loop_closed && report.reasons.iter().any(|reason| reason.contains(word)),
            "{json}: {:?}",
            report.reasons
        );
        assert_eq!(report.time_to_warn_ms, None);
    }
}

#[test]
fn times_are_spread_by_nearest_rank() {
    let mut micros: Vec<i64> = (1..=100).map(|number| number * 1_000).rev().collect();
    assert_eq!(spread(&mut micros), Some(Spread { p50: 50.0, p95: 95.0, max: 100.0, count: 100 }));
    assert_eq!(spread(&mut []), None);
}
