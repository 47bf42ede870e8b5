//! YARA rules over bytes, behind a type of our own: compiled within bounds, each file by itself, and scanned within time.
//!
//! [`Rules`] are compiled from files; what does not compile is [named](Refused) and the rest is used. Rules are taken as
//! people wrote them: YARA is never generated from indicators (a table of values is what `watch` is for). A rule may not
//! include files. Nothing that is scanned is run, unpacked or written anywhere.

pub mod frame;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use yara_x::{Compiler, MetaValue, Scanner, SourceCode};

/// Largest file of rules in bytes.
pub const RULE_FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most files of rules.
pub const RULE_FILES_MAX: usize = 20_000;
/// Most bytes of rules in all.
pub const RULES_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Deepest folder below the one that is named.
pub const FOLDER_DEPTH_MAX: usize = 32;
/// Most occurrences of one pattern looked at in one file.
const OCCURRENCES_MAX: usize = 10_000;
/// Most strings named for one match.
const STRINGS_SHOWN_MAX: usize = 16;
/// Longest explanation of why a file of rules was refused, in characters.
const REASON_CHARACTERS_MAX: usize = 600;

/// Why there are no rules at all.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A file of rules that was not taken, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The file.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub rule: String,
    /// The file it is from.
    pub place: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it says it is, from its `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The strings of it that were found, each with the offset of its first occurrence.
    pub strings: Vec<(String, u64)>,
}

/// What became of one scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// The rules that matched.
    pub found: Vec<Found>,
    /// Why it was not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Compiled rules.
#[derive(Debug)]
pub struct Rules {
    rules: yara_x::Rules,
    refused: Vec<Refused>,
    count: usize,
}

impl Rules {
    /// Compiles files of rules and the `.yar`, `.yara` and `.rule` files below folders. Links to folders are not followed.
    ///
    /// # Errors
    /// When a file or folder that is named cannot be read.
    pub fn load(paths: &[PathBuf]) -> Result<Self, RulesError> {
        let mut files = Vec::new();
        let mut refused = Vec::new();
        for path in paths {
            let failed = |source| RulesError::Read { path: path.clone(), source };
            if fs::metadata(path).map_err(failed)?.is_dir() {
                below(path, 0, &mut files, &mut refused).map_err(failed)?;
            } else {
                fs::File::open(path).map_err(failed)?;
                files.push(path.clone());
            }
        }
        let mut texts = Vec::new();
        let mut bytes = 0;
        for path in files {
            let place = path.display().to_string();
            let mut refuse = |reason: String| refused.push(Refused { place: place.clone(), reason });
            if texts.len() >= RULE_FILES_MAX || bytes >= RULES_BYTES_MAX {
                refuse(format!("more than {RULE_FILES_MAX} files or {RULES_BYTES_MAX} bytes of rules"));
                continue;
            }
            match read(&path) {
                Ok(text) => {
                    bytes += text.len() as u64;
                    texts.push((place, text));
                }
                Err(reason) => refuse(reason),
            }
        }
        Ok(Self::compile(texts, refused))
    }

    /// Compiles rules from texts, each with the name of the place it is from.
    pub fn compile(texts: Vec<(String, String)>, mut refused: Vec<Refused>) -> Self {
        let mut compiler = Compiler::new();
        compiler.enable_includes(false).colorize_errors(false);
        for (place, text) in &texts {
            // A namespace a file: files may use the same names.
            compiler.new_namespace(place);
            if let Err(error) = compiler.add_source(SourceCode::from(text.as_str()).with_origin(place)) {
                let reason = error.to_string().chars().take(REASON_CHARACTERS_MAX).collect();
                refused.push(Refused { place: place.clone(), reason });
            }
        }
        let rules = compiler.build();
        let count = rules.iter().len();
        Self { rules, refused, count }
    }

    /// How many rules there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What was not taken.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// A scanner over these rules that takes at most `time` for each scan.
    pub fn scanner(&self, time: Duration) -> Engine<'_> {
        let mut scanner = Scanner::new(&self.rules);
        scanner.set_timeout(time).max_matches_per_pattern(OCCURRENCES_MAX);
        Engine(scanner)
    }
}

/// Scans with some rules.
pub struct Engine<'r>(Scanner<'r>);

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine<'_> {
    /// Holds bytes against the rules.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        let results = match self.0.scan(bytes) {
            Ok(results) => results,
            Err(error) => return Scan { found: Vec::new(), failed: Some(error.to_string()) },
        };
        let found = results.matching_rules().map(|rule| {
            let strings = rule.patterns().filter_map(|pattern| {
                let first = pattern.matches().next()?;
                Some((pattern.identifier().to_owned(), first.range().start as u64))
            });
            let mut about = rule.metadata().filter(|(name, _)| *name == "description");
            Found {
                rule: rule.identifier().into(),
                place: rule.namespace().into(),
                tags: rule.tags().map(|tag| tag.identifier().to_owned()).collect(),
                description: about.next().and_then(|(_, value)| match value {
                    MetaValue::String(text) => Some(text.to_owned()),
                    _ => None,
                }),
                strings: strings.take(STRINGS_SHOWN_MAX).collect(),
            }
        });
        Scan { found: found.collect(), failed: None }
    }
}

fn below(
    folder: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
    refused: &mut Vec<Refused>,
) -> std::io::Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(folder)?.flatten().map(|name| (name.path(), name.file_type())).collect();
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in names {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let refuse = |reason: String| Refused { place: path.display().to_string(), reason };
        if kind.is_ok_and(|kind| kind.is_dir()) {
            if depth >= FOLDER_DEPTH_MAX {
                refused.push(refuse(format!("more than {FOLDER_DEPTH_MAX} folders deep")));
            } else if let Err(error) = below(&path, depth + 1, files, refused) {
                refused.push(refuse(error.to_string()));
            }
        } else if ["yar", "yara", "rule"].contains(&ending) {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        return Err("not a file".into());
    }
    file.take(RULE_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > RULE_FILE_BYTES_MAX {
        return Err(format!("more than {RULE_FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "not a text in UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule that matches a word of ours; harmless by itself.
    const WORD: &str = r#"
        rule word : sample { meta: description = "a word" strings: $w = "shieldwall-sample-7f3a" condition: $w }
    "#;

    fn rules(texts: &[(&str, &str)]) -> Rules {
        let own = |(place, text): &(&str, &str)| ((*place).to_owned(), (*text).to_owned());
        Rules::compile(texts.iter().map(own).collect(), Vec::new())
    }

    #[test]
    fn a_word_is_found_with_its_place() {
        let rules = rules(&[("a.yar", WORD)]);
        assert_eq!((rules.count(), rules.refused()), (1, &[][..]));
        let mut engine = rules.scanner(Duration::from_secs(10));
        let scan = engine.scan(b"....shieldwall-sample-7f3a....");
        let found = Found {
            rule: "word".into(),
            place: "a.yar".into(),
            tags: vec!["sample".into()],
            description: Some("a word".into()),
            strings: vec![("$w".into(), 4)],
        };
        assert_eq!(scan, Scan { found: vec![found], failed: None });
        assert_eq!(engine.scan(b"nothing").found, []);
    }

    #[test]
    fn what_does_not_compile_is_named_and_the_rest_is_used() {
        let wrong = "rule broken { condition: $nowhere }";
        let include = "include \"/etc/passwd\"\nrule more { condition: true }";
        let unknown = "import \"cuckoo\"\nrule with_module { condition: cuckoo.network.http_request(/x/) }";
        let rules = rules(&[("w.yar", wrong), ("i.yar", include), ("u.yar", unknown), ("a.yar", WORD)]);
        let places: Vec<_> = rules.refused().iter().map(|refused| refused.place.as_str()).collect();
        assert_eq!(places, ["w.yar", "i.yar", "u.yar"]);
        assert!(rules.refused()[0].reason.contains("$nowhere"), "{:?}", rules.refused()[0]);
        let scan = rules.scanner(Duration::from_secs(10)).scan(b"shieldwall-sample-7f3a");
        assert!(scan.found.iter().any(|found| found.rule == "word"));
    }

    #[test]
    fn modules_work() {
        let text = r#"import "hash" import "math" import "pe" import "elf"
            rule both { condition: hash.sha256(0, filesize) ==
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" and math.entropy(0, filesize) > 1
                and not pe.is_pe }"#;
        let rules = rules(&[("m.yar", text)]);
        assert_eq!(rules.refused(), []);
        assert_eq!(rules.scanner(Duration::from_secs(10)).scan(b"abc").found.len(), 1);
    }

    #[test]
    fn folders_are_walked_and_oversize_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/a.yar"), WORD).unwrap();
        fs::write(folder.path().join("not-rules.txt"), "x").unwrap();
        fs::write(folder.path().join("bytes.yar"), b"\xff\xfe").unwrap();
        let rules = Rules::load(&[folder.path().to_owned()]).unwrap();
        assert_eq!(rules.count(), 1);
        assert_eq!(rules.refused().len(), 1);
        assert!(Rules::load(&[folder.path().join("absent")]).is_err());
    }
}
