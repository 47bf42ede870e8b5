//! STIX patterning beside tools that are not ours: PyPI's stix2-matcher and stix2-patterns, on every vector.
//!
//! Whatever they say otherwise than expected is listed in `differences.json` beside the vectors, with the reason; what
//! is listed and no longer differs fails too. The program itself answers the same vectors in one batch.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::taxii_client::python;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../watch/tests/vectors")
}

fn read(name: &str) -> Json {
    let path = vectors().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Case by case, what is expected; `beyond` is no answer.
fn expected(cases: &[Json]) -> BTreeMap<String, String> {
    let wanted =
        |case: &Json| case["grammar"].as_str().or(case["expected"].as_str()).expect("an outcome").to_owned();
    let answer = |case: &Json| match wanted(case).as_str() {
        "beyond" => "no answer".to_owned(),
        other => other.to_owned(),
    };
    cases.iter().map(|case| (case["id"].as_str().expect("id").to_owned(), answer(case))).collect()
}

#[test]
fn the_python_tools_agree_or_the_difference_is_argued() {
    let Some(python) = python("stix2-matcher and stix2-patterns on the patterning vectors") else { return };
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/patterns.py");
    let output = Command::new(python)
        .arg(script)
        .arg(vectors().join("patterning.json"))
        .output()
        .expect("Python runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let all = read("patterning.json");
    let cases = all["cases"].as_array().expect("cases");
    let expected = expected(cases);
    let argued: BTreeMap<(String, String), String> = read("differences.json")
        .as_array()
        .expect("differences")
        .iter()
        .flat_map(|group| {
            let reason =
                group["reason"].as_str().filter(|reason| reason.len() > 20).expect("a reason").to_owned();
            group["cases"].as_object().expect("cases").clone().into_iter().map(move |(pattern, theirs)| {
                // Argued by pattern and observed data: a number would move with every new case.
                ((pattern, theirs.as_str().expect("their verdict").to_owned()), reason.clone())
            })
        })
        .collect();
    let name = |case: &Json| match case["observed"].as_str() {
        Some(observed) => format!("{} | {observed}", case["pattern"].as_str().expect("pattern")),
        None => case["pattern"].as_str().expect("pattern").to_owned(),
    };
    let by_id: BTreeMap<&str, &Json> =
        cases.iter().map(|case| (case["id"].as_str().expect("id"), case)).collect();
    let (mut seen, mut met, mut wrong) = (0, 0, Vec::new());
    for line in String::from_utf8(output.stdout).expect("text").lines() {
        let answer: Json = serde_json::from_str(line).expect("a line of JSON");
        let (id, theirs) = (answer["id"].as_str().expect("id"), answer["verdict"].as_str().expect("verdict"));
        seen += 1;
        if expected[id] == theirs {
            continue;
        }
        let key = (name(by_id[id]), theirs.to_owned());
        match argued.contains_key(&key) {
            true => met += 1,
            false => wrong.push(format!("{id}: {} expected, {theirs} said: {}", expected[id], key.0)),
        }
    }
    assert_eq!(seen, cases.len());
    assert!(wrong.is_empty(), "{} not argued:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(met, argued.len(), "a difference is listed that is none any more");
    println!("{} of {seen} verdicts are the same, {met} differ and are argued", seen - met);
}

#[test]
fn the_program_answers_every_vector_in_one_batch() {
    let all = read("patterning.json");
    let cases: Vec<&Json> =
        all["cases"].as_array().expect("cases").iter().filter(|case| case["observed"].is_string()).collect();
    let mut program = Command::new(env!("CARGO_BIN_EXE_shieldwall"))
        .args(["pattern", "eval", "--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut input = program.stdin.take().expect("a pipe");
    let lines: Vec<String> = cases
        .iter()
        .map(|case| {
            let observed = &all["observed"][case["observed"].as_str().expect("name")]["file"];
            json!({"id": case["id"], "pattern": case["pattern"], "observed": observed}).to_string()
        })
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.join("\n").as_bytes()));
    let output = program.wait_with_output().expect("the program ends");
    writer.join().expect("the writer").expect("the program reads");
    // Some cases are beyond the engine.
    assert_eq!(output.status.code(), Some(2));
    let answers: Vec<Json> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(&answers) {
        assert_eq!(
            (&case["id"], &case["expected"]),
            (&answer["id"], &answer["result"]),
            "{}",
            case["pattern"]
        );
    }
}
