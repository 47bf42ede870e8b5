//! Sets and streams beside the exact evaluator, and their limits.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use shieldwall_model::limits::{RULE_WINDOW_EVENTS_MAX, RULE_WINDOW_SECONDS_MAX};
use shieldwall_model::time::Timestamp;

use super::*;
use crate::observed::Observation;
use crate::pattern::{Comparison, Literal, Observation as Expression, Qualifier, parse};

const WORDS: [&str; 3] = ["alpha", "bravo", "charlie"];

/// An observation of objects that say these words.
fn said(words: &[&str], first: i64, last: i64, count: u64) -> Observation {
    let object = |(number, word): (usize, &&str)| (number.to_string(), json!({"type": "x-event", "v": word}));
    let at = Timestamp::from_micros(0);
    let time = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
    Observation::of(at, words.iter().enumerate().map(object)).seen(time(first), time(last), count)
}

fn woken(set: &RuleSet, words: &[&str]) -> Vec<u32> {
    let mut woken = Vec::new();
    set.texts().scan(words.join(" ").as_bytes(), &mut |wake, _| woken.push(wake));
    woken
}

fn set_of(pattern: &str) -> Arc<RuleSet> {
    let (set, refused) = RuleSet::build([(1, pattern)], 0);
    assert_eq!(refused, [], "{pattern}");
    Arc::new(set)
}

fn test() -> impl Strategy<Value = String> {
    proptest::sample::select(WORDS.to_vec()).prop_map(|word| format!("[x-event:v = '{word}']"))
}

/// Every way to give observations to a pattern's tests, written out: slow, and beyond doubt.
///
/// A way is the numbers of the observations taken, each as often as it was taken, with the counts checked.
fn ways(from: &Expression, seen: &[Seen]) -> Vec<Vec<usize>> {
    let fits = |way: &Vec<usize>| {
        (0..seen.len()).all(|one| way.iter().filter(|taken| **taken == one).count() as u64 <= seen[one].2)
    };
    let together =
        |left: Vec<Vec<usize>>, right: &[Vec<usize>], asked: &dyn Fn(&[usize], &[usize]) -> bool| {
            let mut all = Vec::new();
            for one in &left {
                for other in right.iter().filter(|other| asked(one, other)) {
                    let way = [one.as_slice(), other].concat();
                    all.extend(Some(way).filter(|way| fits(way)));
                }
            }
            all.sort();
            all.dedup();
            all
        };
    let fold = |parts: &[Expression], asked: &dyn Fn(&[usize], &[usize]) -> bool| {
        let mut parts = parts.iter().map(|part| ways(part, seen));
        let first = parts.next().unwrap();
        parts.fold(first, |left, right| together(left, &right, asked))
    };
    let time = |one: &usize| seen[*one].1;
    match from {
        Expression::Test(Comparison::Test(test)) => {
            let Some((_, Literal::Text(word))) = test.literals.first() else { panic!("a word") };
            (0..seen.len()).filter(|one| seen[*one].0.contains(&word.as_str())).map(|one| vec![one]).collect()
        }
        Expression::Test(_) => panic!("one comparison"),
        Expression::Or(parts) => parts.iter().flat_map(|part| ways(part, seen)).collect(),
        Expression::And(parts) => fold(parts, &|_, _| true),
        Expression::FollowedBy(parts) => {
            fold(parts, &|left, right| left.iter().map(time).max() <= right.iter().map(time).min())
        }
        Expression::Qualified { of, by, .. } => {
            let mut of = ways(of, seen);
            match by {
                Qualifier::Within(seconds) => of.retain(|way| {
                    let times = || way.iter().map(time);
                    (times().max().unwrap() - times().min().unwrap()) as f64 <= *seconds
                }),
                Qualifier::StartStop(start, stop) => {
                    let moment = |text: &str| Timestamp::parse(text).unwrap().as_seconds();
                    of.retain(|way| way.iter().all(|one| (moment(start)..moment(stop)).contains(&time(one))));
                }
                Qualifier::Repeats(times) => {
                    let once = of.clone();
                    for _ in 1..*times {
                        of = together(of, &once, &|_, _| true);
                    }
                }
            }
            of
        }
    }
}

/// Small patterns over the three words, many of them bounded in time as a whole.
fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        inner_pattern(),
        (inner_pattern(), 1..15).prop_map(|(a, seconds)| format!("({a}) WITHIN {seconds} SECONDS")),
    ]
}

fn inner_pattern() -> impl Strategy<Value = String> {
    test().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} FOLLOWEDBY {b})")),
            (inner.clone(), 1..4).prop_map(|(a, times)| format!("({a}) REPEATS {times} TIMES")),
            (inner.clone(), 1..30).prop_map(|(a, seconds)| format!("({a}) WITHIN {seconds} SECONDS")),
            (inner, 0..40u32, 1..30u32).prop_map(|(a, start, length)| {
                let time =
                    |seconds: u32| format!("t'1970-01-01T00:{:02}:{:02}Z'", seconds / 60, seconds % 60);
                format!("({a}) START {} STOP {}", time(start), time(start + length))
            }),
        ]
    })
}

type Seen = (Vec<&'static str>, i64, u64);

fn seen() -> impl Strategy<Value = Vec<Seen>> {
    let one = (proptest::sample::subsequence(WORDS.to_vec(), 1..3), 0..60i64, 1..3u64);
    proptest::collection::vec(one, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// In any order within the lateness, a stream finds a match exactly if the evaluator finds one in all of it.
    #[test]
    fn a_stream_answers_as_the_evaluator_does(
        pattern in pattern(), mut seen in seen(), order in proptest::collection::vec(0..20i64, 12),
    ) {
        const LATENESS: u32 = 20;
        let program = Program::new(&parse(&pattern).unwrap()).unwrap();
        let all: Vec<Observation> = seen.iter().map(|(words, at, count)| said(words, *at, *at, *count)).collect();
        let exact = program.evaluate(&all).unwrap().matched;
        // Each event is put off by less than the lateness.
        let mut put_off: Vec<(i64, Seen)> = seen.drain(..).zip(order).map(|(one, off)| (one.1 + off, one)).collect();
        put_off.sort_by_key(|(at, _)| *at);
        let set = set_of(&pattern);
        let mut stream = Stream::new(Arc::clone(&set), LATENESS);
        let mut matched = false;
        for (_, (words, at, count)) in &put_off {
            stream.observe(&said(words, *at, *at, *count), &woken(&set, words), &mut |_| matched = true);
        }
        prop_assert_eq!(matched, exact, "{}", pattern);
        let stats = stream.stats();
        prop_assert_eq!((stats.late, stats.evicted, stats.undecided), (0, 0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The evaluator finds a match exactly if there is a way.
    #[test]
    fn the_evaluator_finds_what_there_is(pattern in pattern(), mut seen in seen()) {
        seen.truncate(5);
        let read = parse(&pattern).unwrap();
        let all: Vec<Observation> = seen.iter().map(|(words, at, count)| said(words, *at, *at, *count)).collect();
        let found = Program::new(&read).unwrap().evaluate(&all).unwrap().matched;
        prop_assert_eq!(found, !ways(&read.root, &seen).is_empty(), "{}", pattern);
    }
}

#[test]
fn what_nothing_wakes_is_refused_or_asked_of_every_event() {
    let patterns = [
        (1, "[file:size > 5]"),
        (2, "[file:name = 'abcd.exe']"),
        (3, "[file:size > 6]"),
        (4, "[file:"),
        (5, "[file:name MATCHES '(?=a)']"),
    ];
    let (set, refused) = RuleSet::build(patterns, 1);
    let codes: Vec<(u32, &str)> =
        refused.iter().map(|refused| (refused.rule, refused.error.code())).collect();
    assert_eq!(
        codes,
        [(3, "watch.rules.unbound"), (4, "watch.pattern.invalid"), (5, "watch.pattern.beyond")]
    );
    assert!(refused.iter().any(|refused| refused.error.to_string().contains("asked of every event")));
    assert_eq!((set.len(), set.unbound().collect::<Vec<_>>()), (2, vec![1]));
    assert!(set.wants_everything());
    let mut stream = Stream::new(Arc::new(set), 0);
    let mut matched = Vec::new();
    let event = Observation::of(Timestamp::default(), [("0".into(), json!({"type": "file", "size": 6}))]);
    stream.observe(&event, &[], &mut |found| matched.push(found.rule));
    assert_eq!(matched, [1]);
}

#[test]
fn equality_of_a_watched_kind_means_what_it_means_on_a_watchlist() {
    for (pattern, path, text, holds) in [
        (
            "[ipv4-addr:value = '198.51.100.0/24' AND EXISTS ipv4-addr:value]",
            "ipv4-addr:value",
            "198.51.100.7",
            true,
        ),
        (
            "[ipv4-addr:value = '198.51.100.0/24' AND EXISTS ipv4-addr:value]",
            "ipv4-addr:value",
            "198.51.101.7",
            false,
        ),
        (
            "[domain-name:value = 'Evil.example' AND EXISTS domain-name:value]",
            "domain-name:value",
            "cdn.EVIL.example",
            true,
        ),
        (
            "[domain-name:value = 'evil.example' AND EXISTS domain-name:value]",
            "domain-name:value",
            "notevil.example",
            false,
        ),
        (
            "[file:hashes.MD5 = 'D41D8CD98F00B204E9800998ECF8427E' AND EXISTS file:hashes]",
            "file:hashes.MD5",
            "d41d8cd98f00b204e9800998ecf8427e",
            true,
        ),
        ("[file:name = 'A.exe' AND EXISTS file:name]", "file:name", "a.EXE", true),
        (
            "[url:value != 'http://a.example/' AND url:value = 'http://A.example']",
            "url:value",
            "http://a.example/",
            false,
        ),
        ("[url:value = 'http://A.example' AND EXISTS url:value]", "url:value", "http://a.example/", true),
    ] {
        let set = set_of(pattern);
        let wakes: Vec<u32> = set.values().map(|(_, wake)| wake).collect();
        assert_eq!(wakes.len(), 1, "{pattern}");
        let mut event = Event::default();
        event.tell(path, text);
        let mut matched = false;
        Stream::new(set, 0)
            .observe(&event.observation(Timestamp::default()), &wakes, &mut |_| matched = true);
        assert_eq!(matched, holds, "{pattern} {text}");
    }
}

#[test]
fn windows_are_bounded_and_what_is_given_up_is_counted() {
    let set = set_of("[x-event:v = 'alpha'] REPEATS 2000 TIMES");
    let mut stream = Stream::new(Arc::clone(&set), 0);
    let wakes = woken(&set, &["alpha"]);
    for at in 0..RULE_WINDOW_EVENTS_MAX as i64 + 10 {
        stream.observe(&said(&["alpha"], at, at, 1), &wakes, &mut |_| panic!("no match"));
    }
    let stats = stream.stats();
    assert_eq!((stats.kept, stats.evicted), (RULE_WINDOW_EVENTS_MAX, 10));
    assert_eq!(stream.rules().next().map(|(rule, stats)| (rule, stats.evicted)), Some((1, 10)));
    // What is older than any match may reach back goes without being counted.
    let later = RULE_WINDOW_SECONDS_MAX * 2;
    stream.observe(&said(&["alpha"], later, later, 1), &wakes, &mut |_| panic!("no match"));
    assert_eq!((stream.stats().kept, stream.stats().evicted), (1, 10));
    // What comes too late is not seen by rules over several observations.
    stream.observe(&said(&["alpha"], 0, 0, 1), &wakes, &mut |_| panic!("no match"));
    assert_eq!((stream.stats().kept, stream.stats().late), (1, 1));
}

#[test]
fn a_new_set_keeps_what_its_rules_have_seen() {
    let followed = "[x-event:v = 'alpha'] FOLLOWEDBY [x-event:v = 'bravo']";
    let set = set_of(followed);
    let mut stream = Stream::new(Arc::clone(&set), 0);
    stream.observe(&said(&["alpha"], 0, 0, 1), &woken(&set, &["alpha"]), &mut |_| {});
    let (grown, _) = RuleSet::build([(9, "[x-event:v = 'charlie']"), (1, followed)], 0);
    let grown = Arc::new(grown);
    stream.adopt(Arc::clone(&grown));
    assert_eq!(stream.stats().kept, 1);
    let mut matched = Vec::new();
    stream.observe(&said(&["bravo"], 1, 1, 1), &woken(&grown, &["bravo"]), &mut |found| matched.push(found));
    assert_eq!(matched, [Match { rule: 1, at: Timestamp::from_micros(1_000_000), observations: 2 }]);
    assert_eq!(stream.stats().kept, 0);
}

#[test]
fn a_rule_that_cannot_be_decided_says_so() {
    let pair = "([x-event:v IN ('alpha', 'bravo')] FOLLOWEDBY [x-event:v IN ('alpha', 'bravo')])";
    let set = set_of(&format!(
        "{pair} WITHIN 1 SECONDS AND ({pair} REPEATS 40 TIMES) WITHIN 100 SECONDS AND [x-event:v = 'charlie']"
    ));
    let mut stream = Stream::new(Arc::clone(&set), 0);
    let wakes = woken(&set, &["alpha", "charlie"]);
    for at in 0..90 {
        stream.observe(&said(&["alpha", "charlie"], at, at, 1), &wakes, &mut |_| {});
    }
    let (_, stats) = stream.rules().next().unwrap();
    assert!(stats.undecided == stream.stats().undecided && stats.steps > 0, "{stats:?}");
}
