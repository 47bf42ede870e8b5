//! Rules this sensor does not run, as files for the tools that do.
//!
//! ```text
//! STATE/rules/suricata.rules          rules for Suricata, each behind a comment that names its indicator
//! STATE/rules/snort.rules             the same for Snort
//! STATE/rules/yara/<indicator>.yar    one file an indicator: one that does not compile spoils no other
//! ```
//!
//! What strangers wrote is handed to a tool that acts on it, so only what alerts goes through: no rule that drops or
//! lets pass, reads or writes files, or runs code. A file is replaced as a whole, and gone with its last indicator.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::{self, Disk, DiskError};
use crate::knowledge::Held;
use crate::wire::Rule;

/// What an alert rule must not contain (Suricata 8 and Snort 3 manuals): it reads or writes files, runs code, or keeps
/// or answers traffic.
const REFUSED_KEYWORDS: [&str; 12] = [
    "activates",
    "datarep",
    "dataset",
    "dataset-example",
    "filestore",
    "logto",
    "lua",
    "luajit",
    "react",
    "reject",
    "resp",
    "session",
];

/// What one outlet can take of a rule.
type Checked = Result<String, &'static str>;

/// What is passed on, and how much is not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlet {
    /// Contents by path below `rules/`.
    files: BTreeMap<PathBuf, String>,
    /// Rules in them.
    pub(crate) passed_on: u64,
    /// Rules for such tools that are not safe to pass on.
    pub(crate) left_out: u64,
}

/// Whether rules of this language are for other tools alone.
fn is_passed_on(kind: &str) -> bool {
    matches!(kind, "snort" | "suricata" | "yara")
}

impl Outlet {
    /// What is to be passed on of the `active` indicators.
    pub(crate) fn of<'a>(active: impl Iterator<Item = &'a Held>) -> Self {
        let mut outlet = Self::default();
        // One object may be shared in several groups: its rule goes out once.
        let mut told = BTreeSet::new();
        for held in active {
            let Some(rule) = held.rule.as_ref().filter(|rule| is_passed_on(&rule.kind)) else { continue };
            if !told.insert((rule.kind.as_str(), held.indicator.as_str(), rule.text.as_str())) {
                continue;
            }
            match outlet.add(held, rule) {
                Ok(()) => outlet.passed_on += 1,
                Err(reason) => {
                    outlet.left_out += 1;
                    tracing::warn!(indicator = %held.indicator, kind = %rule.kind, reason, "a rule is not passed on");
                }
            }
        }
        outlet
    }

    fn add(&mut self, held: &Held, rule: &Rule) -> Result<(), &'static str> {
        if rule.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err("it holds control characters");
        }
        let name: String = held.name.chars().filter(|c| !c.is_control()).collect();
        if rule.kind == "yara" {
            let text = yara(&rule.text)?;
            let stem = held.indicator.as_str();
            // Two versions of one indicator, in two groups: beside each other.
            let free = |path: &PathBuf| !self.files.contains_key(path);
            let path = (0..).map(|number: u32| match number {
                0 => Path::new("yara").join(format!("{stem}.yar")),
                _ => Path::new("yara").join(format!("{stem}.{number}.yar")),
            });
            let path = path.into_iter().find(free).unwrap_or_default();
            self.files.insert(path, format!("// {} {name}\n{text}\n", held.indicator));
        } else {
            let text = alerts(&rule.text)?;
            let file = self.files.entry(format!("{}.rules", rule.kind).into()).or_default();
            let _ = writeln!(file, "# {} {name}\n{text}", held.indicator);
        }
        Ok(())
    }

    /// How many files there are.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// Makes `directory` hold exactly these files, given that it holds those of `before`; what else lies there with
    /// such a name goes. Nothing is touched that stays as it was.
    pub(crate) fn publish(
        &self,
        directory: &Path,
        before: Option<&Self>,
        disk: &Disk,
    ) -> Result<(), DiskError> {
        if before.is_none() && self.files.is_empty() && !directory.exists() {
            return Ok(());
        }
        disk::make_directory(&directory.join("yara"))?;
        for (path, text) in &self.files {
            if before.and_then(|before| before.files.get(path)) != Some(text) {
                disk.replace(&directory.join(path), text.as_bytes())?;
            }
        }
        for path in written(directory)? {
            if !self.files.contains_key(&path) {
                disk.remove(&directory.join(&path))?;
            }
        }
        Ok(())
    }
}

/// The files of ours below `directory`.
fn written(directory: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for below in ["", "yara"] {
        let place = directory.join(below);
        for entry in fs::read_dir(&place).map_err(disk::at("list", &place))? {
            let path = entry.map_err(disk::at("list", &place))?.path();
            let ours = path.extension().is_some_and(|end| end == "rules" || end == "yar" || end == "tmp");
            if ours && let Some(name) = path.file_name() {
                found.push(Path::new(below).join(name));
            }
        }
    }
    Ok(found)
}

/// Rules of Suricata or Snort, each on one line; all of them alert and do no more.
fn alerts(text: &str) -> Checked {
    let mut rules = String::new();
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.split_whitespace().next() != Some("alert") {
            return Err("only rules that alert are passed on: it begins with another action");
        }
        let Some((_, options)) = line.split_once('(').filter(|_| line.ends_with(')')) else {
            return Err("it is no rule with options in brackets");
        };
        if keywords(options).any(|word| REFUSED_KEYWORDS.contains(&word)) {
            return Err("it reads or writes files, runs code or answers traffic");
        }
        rules.push_str(line);
        rules.push('\n');
    }
    if rules.is_empty() { Err("it holds no rule") } else { Ok(rules) }
}

/// The names of a rule's options: what stands at the start of each, outside quotes.
fn keywords(options: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let cut = move |c: char| {
        let was_escaped = escaped;
        escaped = !escaped && c == '\\';
        quoted ^= c == '"' && !was_escaped;
        c == ';' && !quoted && !was_escaped
    };
    let option = |option: &'_ str| option.trim_start().len();
    options.split(cut).filter(move |text| option(text) > 0).map(|text| {
        let text = text.trim_start();
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
            .unwrap_or(text.len());
        text.get(..end).unwrap_or_default()
    })
}

/// YARA rules that include no other file (YARA manual, "Including files").
fn yara(text: &str) -> Checked {
    let includes = text.match_indices("include").any(|(at, word)| {
        let after = text.get(at + word.len()..).unwrap_or_default();
        after.trim_start().starts_with('"')
    });
    if includes {
        return Err("it includes another file");
    }
    if !text.contains("rule") {
        return Err("it holds no rule");
    }
    Ok(text.replace('\r', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::tests::{knowing, rule};
    use crate::wire::Item;

    const ALERT: &str =
        r#"alert dns any any -> any any (msg:"a; lua: b"; dns.query; content:"evil.example"; sid:1;)"#;
    const YARA: &str = "rule One { condition: true }";

    fn outlet(items: Vec<Item>) -> Outlet {
        let knowledge = knowing(items);
        Outlet::of(knowledge.iter_active())
    }

    fn on_disk(directory: &Path) -> BTreeMap<PathBuf, String> {
        let files = written(directory).unwrap();
        files
            .into_iter()
            .map(|path| (path.clone(), fs::read_to_string(directory.join(path)).unwrap()))
            .collect()
    }

    #[test]
    fn rules_are_files_while_their_indicators_hold_and_no_longer() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("rules");
        let both =
            outlet(vec![rule(1, "suricata", ALERT), rule(2, "yara", YARA), rule(3, "sigma", "title: t")]);
        assert_eq!((both.passed_on, both.left_out, both.files()), (2, 0, 2));
        both.publish(&directory, None, &Disk::default()).unwrap();
        let files = on_disk(&directory);
        assert!(
            files[Path::new("suricata.rules")].ends_with(&format!("indicator 1\n{ALERT}\n\n")),
            "{files:?}"
        );
        assert_eq!(files.len(), 2);
        fs::write(directory.join("yara/stale.yar"), "left by a crash").unwrap();
        fs::write(directory.join("notes.txt"), "a person's").unwrap();
        let one = outlet(vec![rule(2, "yara", YARA)]);
        one.publish(&directory, Some(&both), &Disk::default()).unwrap();
        assert_eq!(on_disk(&directory).len(), 1);
        outlet(vec![]).publish(&directory, Some(&one), &Disk::default()).unwrap();
        assert_eq!((on_disk(&directory).len(), directory.join("notes.txt").exists()), (0, true));
    }

    #[test]
    fn nothing_goes_out_that_does_more_than_alert() {
        let alert = |options: &str| format!("alert tcp any any -> any any ({options})");
        let bad = [
            ("suricata", "drop ip any any -> any any (sid:1;)".to_owned()),
            ("suricata", "pass ip any any -> any any (sid:1;)".to_owned()),
            ("suricata", format!("{ALERT}\npass ip any any -> any any (sid:1;)")),
            ("suricata", alert("dataset:set,x,type string,save /etc/x; sid:1;")),
            ("suricata", alert("content:\"a\\\"\"; lua : x.lua; sid:1;")),
            ("snort", alert("logto:\"/etc/x\"; sid:1;")),
            ("snort", "# nothing".to_owned()),
            ("snort", "alert".to_owned()),
            ("snort", format!("alert \0{ALERT}")),
            ("yara", "include \"/etc/passwd\"\nrule a { condition: true }".to_owned()),
            ("yara", "nothing".to_owned()),
        ];
        for (kind, text) in bad {
            let outlet = outlet(vec![rule(1, kind, &text)]);
            assert_eq!((outlet.passed_on, outlet.left_out, outlet.files()), (0, 1, 0), "{text}");
        }
    }
}
