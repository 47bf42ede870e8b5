//! The reader finds what `rsigma-eval` finds when it evaluates every rule by itself, on events made from the rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rsigma_eval::{JsonEvent, evaluate_rule};
use serde_json::{Value, json};

use crate::extract::{Slots, View};
use crate::generate::{Generator, Mix};
use crate::load::{Loader, Refused};
use crate::reader::Reader;
use crate::rules::Rules;
use crate::source::Given;

pub(crate) fn samples() -> (Rules, Vec<Refused>) {
    let mut loader = Loader::default();
    loader.path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")).unwrap();
    loader.finish().unwrap()
}

/// The large public rule set, where there is one.
fn public_rules() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("SHIELDWALL_DATA")?).join("sigma"))
}

/// What plain evaluation finds: every rule that is meant for the event, one after another.
fn plain(rules: &Rules, event: &Value) -> BTreeSet<usize> {
    let mut slots = Slots::new(rules.fields.len());
    let view = View::of_value(&rules.fields, &mut slots, event);
    let class = rules.names.class_of(&view, &Given::default());
    let all = rules.compiled.iter().zip(&rules.sources).enumerate();
    let meant = all.filter(|(_, (_, source))| class.admits(source));
    meant
        .filter(|(_, (rule, _))| {
            let found = evaluate_rule(rule, &JsonEvent::borrow(event)).is_some();
            assert_eq!(found, evaluate_rule(rule, &view).is_some(), "{} on {event}", rule.title);
            found
        })
        .map(|(number, _)| number)
        .collect()
}

fn read(reader: &mut Reader, event: &Value) -> [BTreeSet<usize>; 2] {
    let mut sets = [BTreeSet::new(), BTreeSet::new()];
    let keep = |set: &mut BTreeSet<usize>, hit: &crate::reader::Match<'_>| {
        if !hit.rule.correlation {
            set.insert(hit.number);
        }
    };
    reader.line(event.to_string().as_bytes(), &mut |hit| keep(&mut sets[0], hit)).unwrap();
    reader.value(event, None, &mut |hit| keep(&mut sets[1], hit));
    sets
}

/// Changes an event in ways that must not matter to whether the two agree.
fn disturb(event: &mut Value, how: u32, at: usize) {
    let Some(object) = event.as_object_mut() else { return };
    let keys: Vec<_> = object.keys().cloned().collect();
    let Some(key) = keys.get(at % keys.len().max(1)) else { return };
    let Some(value) = object.get_mut(key) else { return };
    let text = value.as_str().map(str::to_owned);
    *value = match (how, text) {
        (0, Some(text)) => text.to_uppercase().into(),
        (1, Some(text)) => format!("{text}\u{212a}\u{17f}É").into(),
        (2, Some(text)) => json!([text, 7, null, "other"]),
        (3, Some(text)) => json!({ "inner": text }),
        (4, Some(text)) => text.chars().rev().collect::<String>().into(),
        (5, _) => Value::Null,
        (6, _) => json!(""),
        (7, _) => json!(4625.0),
        (8, Some(text)) => format!("x{text}x").into(),
        (9, Some(text)) => text.replace('s', "\u{17f}").replace('k', "\u{212a}").into(),
        _ => return,
    };
}

#[test]
fn every_sample_is_taken() {
    let (rules, refused) = samples();
    assert_eq!(refused, []);
    assert_eq!(rules.len(), 15);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_agrees_with_plain_evaluation(
        seed: u64,
        changes in proptest::collection::vec((0u32..11, 0usize..40), 0..4),
    ) {
        thread_local! {
            static RULES: Arc<Rules> = Arc::new(samples().0);
        }
        let rules = RULES.with(Arc::clone);
        let mix = Mix { matching_per_mille: 600, near_per_mille: 300, windows: false };
        let mut generator = Generator::new(&rules, mix, seed);
        let mut reader = Reader::new(Arc::clone(&rules));
        for _ in 0..4 {
            let mut event = generator.event();
            for (how, at) in &changes {
                disturb(&mut event, *how, *at);
            }
            let expected: BTreeSet<_> =
                plain(&rules, &event).into_iter().filter(|number| !rules.plan.silent[*number]).collect();
            let [line, value] = read(&mut reader, &event);
            prop_assert_eq!(&line, &expected, "{}", event);
            prop_assert_eq!(&value, &expected, "{}", event);
        }
    }
}

#[test]
fn generated_events_do_match() {
    let (rules, _) = samples();
    let rules = Arc::new(rules);
    let mix = Mix { matching_per_mille: 1_000, near_per_mille: 0, windows: false };
    let mut generator = Generator::new(&rules, mix, 1);
    let mut matched = BTreeSet::new();
    for _ in 0..400 {
        matched.extend(plain(&rules, &generator.event()));
    }
    assert!(matched.len() >= 11, "{matched:?} of {}", rules.compiled.len());
}

#[test]
fn the_public_rules_load_and_agree() {
    let Some(path) = public_rules() else { return };
    let mut loader = Loader::default();
    loader.path(&path).unwrap();
    let (rules, refused) = loader.finish().unwrap();
    let lost: Vec<_> = refused.iter().filter(|refused| !refused.taken).collect();
    assert_eq!(rules.len() + lost.len(), 3_754, "every rule loads or is named: {lost:?}");
    assert!(lost.is_empty(), "{lost:?}");
    let rules = Arc::new(rules);
    let mix = Mix { matching_per_mille: 500, near_per_mille: 300, windows: false };
    let mut generator = Generator::new(&rules, mix, 3);
    let mut reader = Reader::new(Arc::clone(&rules));
    let mut matches = 0;
    for number in 0..400u32 {
        let mut event = generator.event();
        if number.is_multiple_of(2) {
            disturb(&mut event, number / 2 % 11, number as usize);
        }
        let expected = plain(&rules, &event);
        matches += expected.len();
        let [line, value] = read(&mut reader, &event);
        assert_eq!(line, expected, "{event}");
        assert_eq!(value, expected, "{event}");
    }
    assert!(matches > 100, "{matches}");
}
