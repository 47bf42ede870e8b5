//! The habits of the house, checked over the whole tree: what no compiler or lint looks at.
//!
//! Each rule is a pure function from texts to complaints and has a test of its own that shows it can fail.
//! Forbidden words are written split (`concat!`), so that this file passes its own rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Longest Rust file in lines, unless listed in [`LONG_FILES`].
const FILE_LINES_MAX: usize = 800;

/// Longer files: path, most lines, reason.
const LONG_FILES: [(&str, usize, &str); 0] = [];

/// Where each crate stands. A crate may know only the crates on lower floors.
const FLOORS: [(&str, u8); 14] = [
    ("model", 1),
    ("fetch", 2),
    ("ledger", 2),
    ("memory", 2),
    ("watch", 2),
    ("assess", 3),
    ("council", 3),
    ("exchange", 3),
    ("readiness", 3),
    ("respond", 3),
    ("sigma", 3),
    ("hub", 4),
    ("sensor", 4),
    ("cli", 5),
];

/// Outside crates that mark a boundary: who may use it, and who in tests only.
const RESERVED: [(&str, &[&str], &[&str]); 5] = [
    ("axum", &["hub"], &["cli", "sensor"]),
    // Whatever the hub asks of others goes through `fetch`, which checks where it leads.
    ("reqwest", &["cli", "fetch", "sensor"], &["hub"]),
    ("rusqlite", &["ledger"], &[]),
    ("sonic-rs", &["watch"], &[]),
    ("tokio", &["cli", "fetch", "hub", "ledger", "sensor"], &[]),
];

/// Crates that hold `unsafe` code: name and reason. They deny it and allow it in one place; others forbid it.
const UNSAFE: [(&str, &str); 1] = [("watch", "vector instructions on the path every event takes")];

/// Words no Rust file may hold: unfinished work, and tests that hide something.
const RUST_WORDS: [&str; 7] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
    concat!("should", "_panic"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("db", "g!"),
];

/// Words no text file may hold: one machine's paths, and the hosts packages happen to come from.
const PLACES: [&str; 7] = [
    concat!("/wo", "rk/"),
    concat!("/tm", "p/w/"),
    concat!("registry.npm", "js.org"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("files.python", "hosted.org"),
    concat!("deb.deb", "ian.org"),
];

/// Directories that hold nothing written by hand.
const SKIPPED_DIRECTORIES: [&str; 6] = [".git", ".venv", "dist", "node_modules", "target", "tmp"];

/// Endings of text files written by hand, in which a line ends with its last word.
const TEXT_ENDINGS: [&str; 11] =
    ["css", "ftl", "html", "md", "mjs", "rs", "sh", "toml", "ts", "yml", "Makefile"];

// --- rules over one file -------------------------------------------------------------------------------------

fn module_header(path: &str, text: &str) -> Vec<String> {
    if path.ends_with(".rs") && !text.starts_with("//! ") {
        return vec![format!("{path}: open with a `//! ` line on what the module is for")];
    }
    Vec::new()
}

fn forbidden_in_rust(path: &str, text: &str) -> Vec<String> {
    if path.ends_with(".rs") { mentions(path, text, &RUST_WORDS) } else { Vec::new() }
}

fn forbidden_places(path: &str, text: &str) -> Vec<String> {
    mentions(path, text, &PLACES)
}

fn mentions(path: &str, text: &str, words: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in words.iter().filter(|word| mentions_word(line, word)) {
            complaints.push(format!("{path}:{number}: `{word}` has no place here"));
        }
    }
    complaints
}

/// Whether `word` stands in `line` and is not the tail or, for a bare word, the head of a longer one.
fn mentions_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let bare = word.chars().all(inside);
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line.get(..at).unwrap_or(""), line.get(at + word.len()..).unwrap_or(""));
        !(before.ends_with(inside) || bare && after.starts_with(inside))
    })
}

fn file_length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let most =
        LONG_FILES.iter().find(|(long, ..)| *long == path).map_or(FILE_LINES_MAX, |(_, most, _)| *most);
    if path.ends_with(".rs") && lines > most {
        return vec![format!("{path}: {lines} lines, at most {most}: split it, or list it with a reason")];
    }
    Vec::new()
}

fn trailing_whitespace(path: &str, text: &str) -> Vec<String> {
    if !TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
        return Vec::new();
    }
    let mut complaints: Vec<_> = (1..)
        .zip(text.split('\n'))
        .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
        .map(|(number, _)| format!("{path}:{number}: whitespace at the end of the line"))
        .collect();
    if !text.is_empty() && !text.ends_with('\n') {
        complaints.push(format!("{path}: no newline at the end of the file"));
    }
    complaints
}

// --- rules over manifests ------------------------------------------------------------------------------------

/// A crate's directory name and its manifest.
type Manifests = BTreeMap<String, Table>;

/// The names in a manifest's table, such as `dependencies`.
fn names<'a>(manifest: &'a Table, table: &str) -> impl Iterator<Item = &'a str> {
    manifest.get(table).and_then(Value::as_table).into_iter().flatten().map(|(name, _)| name.as_str())
}

fn floors(manifests: &Manifests) -> Vec<String> {
    let floor_of = |name: &str| FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor);
    let mut complaints = Vec::new();
    for (name, manifest) in manifests {
        let Some(floor) = floor_of(name) else {
            complaints.push(format!(
                "crates/{name}: stands on no floor; give it one in FLOORS and ARCHITECTURE.md"
            ));
            continue;
        };
        for table in ["dependencies", "build-dependencies"] {
            for other in names(manifest, table).filter_map(|known| known.strip_prefix("shieldwall-")) {
                if floor_of(other).is_none_or(|below| below >= floor) {
                    complaints
                        .push(format!("crates/{name}: may not know {other}, which is not on a lower floor"));
                }
            }
        }
    }
    complaints
}

fn reserved(manifests: &Manifests) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, manifest) in manifests {
        for (outside, users, testers) in RESERVED {
            let (user, tester) = (users.contains(&name.as_str()), testers.contains(&name.as_str()));
            let used = ["dependencies", "build-dependencies"]
                .iter()
                .any(|table| names(manifest, table).any(|known| known == outside));
            let tested = names(manifest, "dev-dependencies").any(|known| known == outside);
            if (used && !user) || (tested && !user && !tester) {
                complaints.push(format!(
                    "crates/{name}: {outside} belongs to {users:?} (in tests also {testers:?})"
                ));
            }
        }
    }
    complaints
}

fn lints(workspace: &Table, manifests: &Manifests) -> Vec<String> {
    let ours = workspace.get("workspace").and_then(|table| table.get("lints")).and_then(Value::as_table);
    let mut with_unsafe = ours.cloned().unwrap_or_default();
    if let Some(rust) = with_unsafe.get_mut("rust").and_then(Value::as_table_mut) {
        rust.insert("unsafe_code".into(), "deny".into());
    }
    let inherited: Table = [("workspace".to_owned(), Value::Boolean(true))].into_iter().collect();
    let mut complaints = Vec::new();
    for (name, manifest) in manifests {
        let own = manifest.get("lints").and_then(Value::as_table);
        let argued = UNSAFE.iter().any(|(crate_name, _)| crate_name == name) && own == Some(&with_unsafe);
        if own != Some(&inherited) && !argued {
            complaints.push(format!(
                "crates/{name}: write `[lints] workspace = true`; a crate in UNSAFE repeats the workspace's lints \
                 with unsafe_code = \"deny\""
            ));
        }
    }
    complaints
}

fn unused_dependencies(workspace: &Table, manifests: &Manifests) -> Vec<String> {
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let used: BTreeSet<_> =
        manifests.values().flat_map(|m| tables.iter().flat_map(|table| names(m, table))).collect();
    let listed = workspace.get("workspace").and_then(Value::as_table);
    listed
        .into_iter()
        .flat_map(|table| names(table, "dependencies"))
        .filter(|name| !used.contains(name))
        .map(|name| format!("Cargo.toml: no crate uses {name}"))
        .collect()
}

// --- rules over pairs of files -------------------------------------------------------------------------------

/// Each `make target` a document tells people to type is one.
fn make_targets(path: &str, document: &str, makefile: &str) -> Vec<String> {
    let targets: BTreeSet<_> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(target, _)| target).collect();
    commands(document, "make")
        .filter_map(|words| words.first().copied())
        .filter(|target| !targets.contains(target))
        .map(|target| format!("{path}: says `make {target}`, and the Makefile has no such target"))
        .collect()
}

/// The words after `program` wherever `document` shows it as a command: in a code block, or after a backtick.
fn commands<'a>(document: &'a str, program: &'a str) -> impl Iterator<Item = Vec<&'a str>> {
    let mut in_block = false;
    document.lines().flat_map(move |line| {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        let shown: Vec<&str> =
            if in_block { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        shown.into_iter().filter_map(move |code| {
            let mut words = code.split_whitespace().skip_while(|word| *word == "$" || word.contains('='));
            let called = words.next()?;
            (called == program || called.ends_with(&format!("/{program}"))).then(|| words.collect())
        })
    })
}

/// Two translations say the same things: equal message and attribute names, equal variables.
fn translations(first: (&str, &str), second: (&str, &str)) -> Vec<String> {
    let (left, right) = (fluent_names(first.1), fluent_names(second.1));
    let lacks = |path: &str, names: &BTreeSet<String>, others: &BTreeSet<String>| -> Vec<String> {
        others.difference(names).map(|name| format!("{path}: has no `{name}`")).collect()
    };
    [lacks(first.0, &left, &right), lacks(second.0, &right, &left)].concat()
}

/// `message`, `message.attribute` and `message {$variable}` for each in a Fluent file.
fn fluent_names(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut message = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let head = line.split_once('=').map_or("", |(head, _)| head.trim());
        let is_name = head
            .trim_start_matches(['-', '.'])
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if !head.is_empty() && is_name && line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-') {
            message = head.to_owned();
            found.insert(message.clone());
        } else if is_name && head.starts_with('.') {
            found.insert(format!("{message}{head}"));
        }
        for rest in line.split('$').skip(1) {
            let end =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).unwrap_or(rest.len());
            found.insert(format!("{message} {{${}}}", rest.get(..end).unwrap_or("")));
        }
    }
    found
}

// --- the tree ------------------------------------------------------------------------------------------------

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file written by hand, by its path from the root; what is not UTF-8 is no text and left out.
fn tree() -> std::io::Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    let mut pending = vec![root()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED_DIRECTORIES.contains(&name.as_str()) {
                    pending.push(entry.path());
                }
            } else if !name.ends_with(".log")
                && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
            {
                let path = entry.path();
                texts.insert(path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned(), text);
            }
        }
    }
    Ok(texts)
}

fn manifests(tree: &BTreeMap<String, String>) -> Result<Manifests, toml::de::Error> {
    tree.iter()
        .filter_map(|(path, text)| Some((path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?, text)))
        .filter(|(name, _)| !name.contains('/'))
        .map(|(name, text)| Ok((name.to_owned(), text.parse()?)))
        .collect()
}

fn check(complaints: Vec<String>) -> Outcome {
    if complaints.is_empty() { Ok(()) } else { Err(format!("\n{}\n", complaints.join("\n")).into()) }
}

#[test]
fn every_file_is_tidy() -> Outcome {
    let tree = tree()?;
    assert!(tree.len() > 50 && tree.contains_key("crates/model/src/lib.rs"), "looked in the wrong place");
    // Lock files are written by tools and do name registries.
    let by_hand =
        tree.iter().filter(|(path, _)| !path.ends_with(".lock") && !path.ends_with("package-lock.json"));
    let rules = [module_header, forbidden_in_rust, forbidden_places, file_length, trailing_whitespace];
    check(by_hand.flat_map(|(path, text)| rules.iter().flat_map(move |rule| rule(path, text))).collect())
}

#[test]
fn every_manifest_is_tidy() -> Outcome {
    let tree = tree()?;
    let manifests = manifests(&tree)?;
    assert!(manifests.len() >= 8, "looked in the wrong place");
    let workspace = tree.get("Cargo.toml").ok_or("no Cargo.toml")?.parse()?;
    check(
        [
            floors(&manifests),
            reserved(&manifests),
            lints(&workspace, &manifests),
            unused_dependencies(&workspace, &manifests),
        ]
        .concat(),
    )
}

#[test]
fn documents_and_translations_agree_with_the_tree() -> Outcome {
    let tree = tree()?;
    let text = |path: &str| tree.get(path).map(String::as_str).ok_or(format!("{path} is missing"));
    let makefile = text("Makefile")?;
    let mut complaints = Vec::new();
    for path in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "BENCHMARKS.md", "SECURITY.md"] {
        complaints.extend(make_targets(path, text(path)?, makefile));
    }
    let (english, french) = ("crates/hub/locales/en.ftl", "crates/hub/locales/fr.ftl");
    complaints.extend(translations((english, text(english)?), (french, text(french)?)));
    check(complaints)
}

// --- each rule can fail --------------------------------------------------------------------------------------

fn one(name: &str, manifest: &str) -> Result<Manifests, toml::de::Error> {
    Ok([(name.to_owned(), manifest.parse()?)].into())
}

#[test]
fn a_module_without_header_is_found() {
    assert_eq!(module_header("a.rs", "//! What for.\n"), Vec::<String>::new());
    assert_eq!(module_header("a.md", "use x;\n"), Vec::<String>::new());
    assert_eq!(module_header("a.rs", "use x;\n//! Late.\n").len(), 1);
}

#[test]
fn forbidden_words_are_found_whole_and_only_whole() {
    let [todo, .., note, shout, _] = RUST_WORDS;
    assert_eq!(forbidden_in_rust("a.rs", &format!("fn f() {{ {todo}() }}")).len(), 1);
    assert_eq!(forbidden_in_rust("a.rs", &format!("// {note}: later\n// {shout}\n")).len(), 2);
    assert!(forbidden_in_rust("a.rs", &format!("my_{todo}() {shout}L {note}D")).is_empty());
    assert!(forbidden_in_rust("a.md", todo).is_empty());
    let [machine, .., host] = PLACES;
    assert_eq!(forbidden_places("a.md", &format!("see {machine}main and {host}")).len(), 2);
    assert!(forbidden_places("a.md", &format!("net{machine}main")).is_empty());
}

#[test]
fn a_long_file_is_found() {
    assert!(file_length("a.rs", &"\n".repeat(FILE_LINES_MAX)).is_empty());
    assert_eq!(file_length("a.rs", &"\n".repeat(FILE_LINES_MAX + 1)).len(), 1);
    assert!(file_length("a.json", &"\n".repeat(FILE_LINES_MAX + 1)).is_empty());
}

#[test]
fn trailing_whitespace_is_found() {
    assert!(trailing_whitespace("a.rs", "a\n\nb\n").is_empty());
    assert_eq!(trailing_whitespace("a.rs", "a \nb\t\nc\r\nd").len(), 4);
    assert!(trailing_whitespace("a.golden", "a \n").is_empty());
}

#[test]
fn a_look_upwards_or_sideways_is_found() -> Outcome {
    assert!(floors(&one("hub", "[dependencies]\nshieldwall-ledger.workspace = true")?).is_empty());
    assert_eq!(floors(&one("watch", "[dependencies]\nshieldwall-ledger.workspace = true")?).len(), 1);
    assert_eq!(floors(&one("model", "[build-dependencies]\nshieldwall-watch.workspace = true")?).len(), 1);
    assert_eq!(floors(&one("cellar", "")?).len(), 1);
    Ok(())
}

#[test]
fn a_reserved_crate_in_the_wrong_place_is_found() -> Outcome {
    assert!(reserved(&one("hub", "[dev-dependencies]\nreqwest.workspace = true")?).is_empty());
    assert_eq!(reserved(&one("hub", "[dependencies]\nreqwest.workspace = true")?).len(), 1);
    assert_eq!(reserved(&one("hub", "[dev-dependencies]\nrusqlite.workspace = true")?).len(), 1);
    assert_eq!(reserved(&one("watch", "[dependencies]\ntokio.workspace = true")?).len(), 1);
    Ok(())
}

#[test]
fn missing_or_weakened_lints_are_found() -> Outcome {
    let workspace = "[workspace.lints]\nrust.unsafe_code = 'forbid'\nclippy.panic = 'warn'".parse()?;
    assert!(lints(&workspace, &one("hub", "[lints]\nworkspace = true")?).is_empty());
    assert_eq!(lints(&workspace, &one("hub", "")?).len(), 1);
    let own = "[lints]\nrust.unsafe_code = 'deny'\nclippy.panic = 'warn'";
    assert!(lints(&workspace, &one("watch", own)?).is_empty());
    assert_eq!(lints(&workspace, &one("hub", own)?).len(), 1);
    assert_eq!(lints(&workspace, &one("watch", "[lints]\nrust.unsafe_code = 'deny'")?).len(), 1);
    Ok(())
}

#[test]
fn an_unused_dependency_is_found() -> Outcome {
    let workspace = "[workspace.dependencies]\nurl = \"2\"\nuuid = \"1\"".parse()?;
    let manifests = one("hub", "[dev-dependencies]\nurl.workspace = true")?;
    assert_eq!(unused_dependencies(&workspace, &manifests), ["Cargo.toml: no crate uses uuid"]);
    Ok(())
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let document =
        "Run `make test`, `A=4 make fast` or\n```sh\n$ make demo A=1\nmake tea\n```\nto make sense.\n";
    let complaints = make_targets("a.md", document, "test: ## Tests\n\tcargo test\ndemo:\n");
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().any(|c| c.contains("fast")) && complaints.iter().any(|c| c.contains("tea")));
}

#[test]
fn a_missing_translation_is_found() {
    let english = "# note = no\nhello = Hello, { $name }\n    .title = A title\nbye = Bye\n";
    let french = "hello = Bonjour\n    .title = Un titre\nbye = Au revoir\n";
    assert_eq!(translations(("en", english), ("fr", french)), ["fr: has no `hello {$name}`"]);
    assert!(translations(("en", english), ("fr", english)).is_empty());
    assert_eq!(translations(("en", english), ("fr", "hello = { $name }\n")).len(), 2);
}
