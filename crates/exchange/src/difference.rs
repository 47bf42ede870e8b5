//! What changed between two versions of an object, property by property, long texts word by word.
//!
//! Lists of plain values are compared as what they hold, not by place: a label moved is no label gone. Lists of objects
//! are compared element by element, and an element that was replaced by one other is looked into.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag, DiffOp, TextDiff, capture_diff_slices};

/// Most changes told; the rest are counted.
const CHANGES_MAX: usize = 500;
/// Longest text, in bytes, that is compared word by word: the comparison takes time in length times difference.
const WORDS_BYTES_MAX: usize = 8 * 1024;
/// Shorter texts, in bytes, are shown whole, before and after: nothing is gained by cutting them into words.
const WORDS_BYTES_MIN: usize = 40;
/// Most elements of a list of objects that are compared one by one.
const ELEMENTS_MAX: usize = 500;
/// Longest value shown, in bytes.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// What happened to a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It was not there before.
    Added,
    /// It is there no more.
    Removed,
    /// It says something else.
    Changed,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, as `labels[2]` or `external_references[0].url`; a place that is gone is named as it was before.
    pub path: String,
    /// What happened there.
    pub kind: Kind,
    /// What stood there, strings without quotes, anything else as JSON; at most 4 KiB.
    pub before: Option<String>,
    /// What stands there now.
    pub after: Option<String>,
    /// The text word by word, for longer texts; empty otherwise.
    pub words: Vec<Piece>,
}

/// A run of words of a changed text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// `None` where both versions say it.
    pub kind: Option<Kind>,
    /// The words with what stands between them.
    pub text: String,
}

/// All that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// The changes, by place.
    pub changes: Vec<Change>,
    /// How many more there are than are told.
    pub more: usize,
}

/// What changed from `before` to `after`.
pub fn between(before: &Value, after: &Value) -> Differences {
    let mut found = Differences::default();
    compare(String::new(), before, after, &mut found);
    found
}

impl Differences {
    fn push(&mut self, change: impl FnOnce() -> Change) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(change());
        } else {
            self.more += 1;
        }
    }

    fn gone(&mut self, path: String, value: &Value) {
        self.push(|| Change {
            path,
            kind: Kind::Removed,
            before: Some(shown(value)),
            after: None,
            words: vec![],
        });
    }

    fn added(&mut self, path: String, value: &Value) {
        self.push(|| Change {
            path,
            kind: Kind::Added,
            before: None,
            after: Some(shown(value)),
            words: vec![],
        });
    }

    fn changed(&mut self, path: String, before: &Value, after: &Value) {
        let words = match (before, after) {
            (Value::String(before), Value::String(after)) => words(before, after),
            _ => Vec::new(),
        };
        self.push(|| Change {
            path,
            kind: Kind::Changed,
            before: Some(shown(before)),
            after: Some(shown(after)),
            words,
        });
    }
}

fn compare(path: String, before: &Value, after: &Value, found: &mut Differences) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => objects(&path, before, after, found),
        (Value::Array(old), Value::Array(new)) => {
            if old.iter().chain(new).all(|item| !item.is_object() && !item.is_array()) {
                plain_lists(&path, (before, old), (after, new), found);
            } else if old.len().max(new.len()) > ELEMENTS_MAX {
                found.changed(path, before, after);
            } else {
                lists(&path, old, new, found);
            }
        }
        _ => found.changed(path, before, after),
    }
}

fn objects(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Differences) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    // Both are sorted by key: merged, so that the changes come by place.
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) => compare(below(key), before, after, found),
            (Some(before), None) => found.gone(below(key), before),
            (None, Some(after)) => found.added(below(key), after),
            (None, None) => {}
        }
    }
}

/// Lists whose order says nothing: what is in one alone. The same values in another order are one change.
fn plain_lists(path: &str, before: (&Value, &[Value]), after: (&Value, &[Value]), found: &mut Differences) {
    let mut balance: BTreeMap<String, usize> = BTreeMap::new();
    for item in after.1 {
        *balance.entry(item.to_string()).or_default() += 1;
    }
    let mut take = |item: &Value| match balance.get_mut(&item.to_string()) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    let mut same = true;
    for (at, item) in before.1.iter().enumerate() {
        if !take(item) {
            same = false;
            found.gone(format!("{path}[{at}]"), item);
        }
    }
    // What is left over in the balance is new; the later of equal ones are the new ones.
    for (at, item) in after.1.iter().enumerate() {
        let left = balance.get(&item.to_string()).copied().unwrap_or(0);
        let later = after.1.iter().skip(at).filter(|other| *other == item).take(left + 1).count();
        if left > 0 && later <= left {
            same = false;
            found.added(format!("{path}[{at}]"), item);
        }
    }
    if same {
        found.changed(path.to_owned(), before.0, after.0);
    }
}

fn lists(path: &str, before: &[Value], after: &[Value], found: &mut Differences) {
    let texts = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
    let at = |index: usize| format!("{path}[{index}]");
    for op in capture_diff_slices(Algorithm::Myers, &texts(before), &texts(after)) {
        let (old, new) = (op.old_range(), op.new_range());
        if let DiffOp::Equal { .. } = op {
            continue;
        }
        let pairs = if old.len() == new.len() { old.len() } else { 0 };
        for step in 0..pairs {
            let (old, new) = (old.start + step, new.start + step);
            if let (Some(before), Some(after)) = (before.get(old), after.get(new)) {
                compare(at(new), before, after, found);
            }
        }
        if pairs == 0 {
            old.for_each(|index| before.get(index).into_iter().for_each(|item| found.gone(at(index), item)));
            new.for_each(|index| after.get(index).into_iter().for_each(|item| found.added(at(index), item)));
        }
    }
}

/// Two texts word by word, where they are long enough to gain by it and short enough to bear it.
fn words(before: &str, after: &str) -> Vec<Piece> {
    let longest = before.len().max(after.len());
    if !(WORDS_BYTES_MIN..=WORDS_BYTES_MAX).contains(&longest) {
        return Vec::new();
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        let kind = match change.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Delete => Some(Kind::Removed),
            ChangeTag::Insert => Some(Kind::Added),
        };
        match pieces.last_mut().filter(|last| last.kind == kind) {
            Some(last) => last.text.push_str(change.value()),
            None => pieces.push(Piece { kind, text: change.value().to_owned() }),
        }
    }
    pieces
}

fn shown(value: &Value) -> String {
    let mut text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() > SHOWN_BYTES_MAX {
        let mut end = SHOWN_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> Vec<(String, Kind)> {
        between(before, after).changes.into_iter().map(|change| (change.path, change.kind)).collect()
    }

    #[test]
    fn each_property_is_named_with_what_happened_to_it() {
        let before = json!({"name": "A", "labels": ["x", "y"], "modified": "1", "confidence": 10,
            "external_references": [{"source_name": "s", "url": "u"}, {"source_name": "t"}]});
        let after = json!({"name": "B", "labels": ["y", "z", "x"], "modified": "2", "description": "new",
            "external_references": [{"source_name": "s", "url": "v"}, {"source_name": "t"}]});
        assert_eq!(
            told(&before, &after),
            [
                ("confidence".to_owned(), Kind::Removed),
                ("description".to_owned(), Kind::Added),
                ("external_references[0].url".to_owned(), Kind::Changed),
                ("labels[1]".to_owned(), Kind::Added),
                ("modified".to_owned(), Kind::Changed),
                ("name".to_owned(), Kind::Changed),
            ]
        );
    }

    #[test]
    fn the_same_values_in_another_order_are_one_change_and_a_second_of_a_kind_is_new() {
        assert_eq!(
            told(&json!({"l": ["a", "b"]}), &json!({"l": ["b", "a"]})),
            [("l".to_owned(), Kind::Changed)]
        );
        assert_eq!(told(&json!({"l": ["a"]}), &json!({"l": ["a", "a"]})), [("l[1]".to_owned(), Kind::Added)]);
        assert_eq!(
            told(&json!({"l": ["a", "a"]}), &json!({"l": ["a"]})),
            [("l[1]".to_owned(), Kind::Removed)]
        );
    }

    #[test]
    fn an_element_put_between_others_is_the_only_change() {
        let (a, b, c) = (json!({"n": 1}), json!({"n": 2}), json!({"n": 3}));
        assert_eq!(told(&json!({"l": [a, c]}), &json!({"l": [a, b, c]})), [("l[1]".to_owned(), Kind::Added)]);
    }

    #[test]
    fn long_texts_are_compared_word_by_word() {
        let before =
            json!({"description": "The dropper asks a name that does not exist, and stops if it does."});
        let after =
            json!({"description": "The dropper asks a name that must not exist, and stops if it does."});
        let found = between(&before, &after);
        let marked: Vec<(Option<Kind>, &str)> =
            found.changes[0].words.iter().map(|piece| (piece.kind, piece.text.as_str())).collect();
        assert_eq!(
            marked,
            [
                (None, "The dropper asks a name that "),
                (Some(Kind::Removed), "does"),
                (Some(Kind::Added), "must"),
                (None, " not exist, and stops if it does."),
            ]
        );
        let long = json!({"description": "a ".repeat(WORDS_BYTES_MAX)});
        assert!(between(&before, &long).changes[0].words.is_empty(), "too long to be compared in time");
    }

    #[test]
    fn more_changes_than_are_told_are_counted() {
        let after: Map<String, Value> =
            (0..CHANGES_MAX + 7).map(|n| (format!("k{n:04}"), json!(n))).collect();
        let found = between(&json!({}), &Value::Object(after));
        assert_eq!((found.changes.len(), found.more), (CHANGES_MAX, 7));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..5).prop_map(Value::from),
            "[ab ]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[abc]", inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn there_is_a_difference_exactly_where_two_values_differ(a in any_json(), b in any_json()) {
            prop_assert_eq!(between(&a, &b).changes.is_empty(), a == b, "{} {}", a, b);
        }

        #[test]
        fn the_words_give_both_texts_back(a in "[a-c ]{40,90}", b in "[a-c ]{40,90}") {
            let pieces = words(&a, &b);
            let side = |other: Kind| pieces.iter().filter(|p| p.kind != Some(other)).map(|p| p.text.as_str()).collect::<String>();
            prop_assert_eq!(side(Kind::Added), a);
            prop_assert_eq!(side(Kind::Removed), b);
        }
    }
}
