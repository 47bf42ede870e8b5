//! Golden files: what came out is compared with what is kept in the tree, or kept there when asked to.

use std::fs;
use std::path::PathBuf;

/// The variable that asks to write golden files anew.
const UPDATE: &str = "SHIELDWALL_UPDATE_GOLDEN";

/// Compares `found` with `tests/golden/{name}`, line by line.
pub(crate) fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        fs::write(&path, found).expect("a golden file can be written");
        println!("written: {}", path.display());
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept == found {
        return;
    }
    let differing = differences(&kept, found);
    panic!(
        "{name} is no longer what is kept in the tree:\n{differing}\nIf that is meant, look at the change and keep it: \
         {UPDATE}=1 cargo test -p shieldwall-cli --test whole",
    );
}

/// The lines only one of the two has, at most 60 of them.
fn differences(kept: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), found.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    let all: Vec<String> = gone.chain(come).collect();
    let rest = all.len().saturating_sub(60);
    let mut text = all.into_iter().take(60).collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        text = "the same lines in another order or number".into();
    }
    if rest > 0 {
        text.push_str(&format!("\n… and {rest} more"));
    }
    text
}

#[test]
fn a_difference_is_shown_line_by_line() {
    assert_eq!(differences("a\nb\n", "a\nc\n"), "- b\n+ c");
    assert!(differences("a\nb\n", "b\na\n").contains("another order"));
}
