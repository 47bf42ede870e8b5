//! Telling the format of telemetry from its first lines.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{DETECT_LINES_MAX, Format, Mapping};
use crate::decode::{Line, Memory};

/// The mapping chosen for a sample, and the reason.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The mapping.
    pub mapping: Arc<Mapping>,
    /// How many lines of the sample it fits.
    pub fits: usize,
    /// How many lines were looked at.
    pub lines: usize,
    /// The reason in words.
    pub why: String,
    /// What was found of each mapping that fits any line, best first.
    pub candidates: Vec<Candidate>,
}

/// How one mapping fits a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub mapping: String,
    /// How many lines it fits.
    pub fits: usize,
    /// The first line it fits, blank ones not counted, from 1.
    pub first: usize,
    /// The first line it does not fit, and why.
    pub not: Option<(usize, String)>,
}

/// Looks a path up in a value, by nested or dotted keys, through arrays.
fn has(json: &Json, path: &str) -> bool {
    match json {
        Json::Object(map) => map.iter().any(|(key, value)| match path.strip_prefix(key.as_str()) {
            Some("") => !value.is_null(),
            Some(rest) => rest.strip_prefix('.').is_some_and(|rest| has(value, rest)),
            None => false,
        }),
        Json::Array(all) => all.iter().any(|value| has(value, path)),
        _ => false,
    }
}

/// Whether a line has the keys a mapping asks for; if not, what it lacks.
fn keys(mapping: &Mapping, has: impl Fn(&str) -> bool) -> Result<(), String> {
    if let Some(lacked) = mapping.detect_all.iter().find(|path| !has(path)) {
        return Err(format!("has no {lacked}"));
    }
    if !mapping.detect_any.is_empty() && !mapping.detect_any.iter().any(|path| has(path)) {
        return Err(format!("has none of {}", mapping.detect_any.join(", ")));
    }
    Ok(())
}

/// What every line is to this mapping; `None` if it is never chosen.
fn judge(mapping: &Mapping, lines: &[&[u8]], parsed: &[Option<Json>]) -> Option<Vec<Result<(), String>>> {
    if mapping.detect_all.is_empty() && mapping.detect_any.is_empty() {
        return None;
    }
    match mapping.format {
        Format::Text => None,
        Format::Json => Some(
            parsed
                .iter()
                .map(|line| match line {
                    Some(json) => keys(mapping, |path| has(json, path)),
                    None => Err("is no JSON object".to_owned()),
                })
                .collect(),
        ),
        Format::Decoded(decoder) => {
            let mut memory = Memory::default();
            let mut found: Vec<String> = Vec::new();
            let judged = lines.iter().map(|line| {
                found.clear();
                match decoder.read(&mut memory, line, &mut |key, _| found.push(key.to_owned())) {
                    Line::Event => keys(mapping, |path| found.iter().any(|key| key == path)),
                    // A header is as good as what follows it.
                    Line::Aside => Ok(()),
                    Line::Other => Err(format!("is not spelled as {} is", decoder.as_str())),
                }
            });
            Some(judged.collect())
        }
    }
}

pub(super) fn detect(all: &[Arc<Mapping>], sample: &[u8]) -> Verdict {
    let sample = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample);
    let lines: Vec<&[u8]> = sample
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .take(DETECT_LINES_MAX)
        .collect();
    let parsed: Vec<Option<Json>> =
        lines.iter().map(|line| serde_json::from_slice(line).ok().filter(Json::is_object)).collect();
    let mut fitting: Vec<(&Arc<Mapping>, Candidate)> = Vec::new();
    for mapping in all {
        let Some(judged) = judge(mapping, &lines, &parsed) else { continue };
        let fits = judged.iter().filter(|line| line.is_ok()).count();
        let Some(first) = judged.iter().position(Result::is_ok) else { continue };
        let not = judged.into_iter().enumerate().find_map(|(at, line)| Some((at + 1, line.err()?)));
        fitting.push((mapping, Candidate { mapping: mapping.name.clone(), fits, first: first + 1, not }));
    }
    // A stable sort: of equals the first wins, so mappings a user adds go before built-in ones.
    fitting.sort_by_key(|(mapping, candidate)| (mapping.detect_last, usize::MAX - candidate.fits));
    let enough = |mapping: &Mapping, fits: usize| match (mapping.format, mapping.detect_last) {
        (_, true) => fits * 20 >= lines.len() * 19,
        (Format::Json, false) => true,
        // What is no JSON may look like another format by chance.
        (_, false) => fits * 2 >= lines.len(),
    };
    let chosen = fitting.iter().find(|(mapping, candidate)| enough(mapping, candidate.fits));
    let (mapping, fits, why) = match chosen {
        Some((mapping, candidate)) => {
            (Arc::clone(mapping), candidate.fits, because(mapping, candidate, lines.len()))
        }
        None => (text(all), 0, unknown(parsed.iter().flatten().count(), lines.len())),
    };
    let candidates = fitting.iter().map(|(_, candidate)| candidate.clone()).collect();
    Verdict { mapping, fits, lines: lines.len(), why, candidates }
}

fn because(mapping: &Mapping, candidate: &Candidate, lines: usize) -> String {
    let kind = match mapping.format {
        Format::Decoded(_) => "are spelled as",
        _ => "are JSON with the keys of",
    };
    let keys: Vec<&str> = mapping.detect_all.iter().chain(&mapping.detect_any).map(String::as_str).collect();
    let mut why =
        format!("{} of {lines} lines {kind} {} ({})", candidate.fits, mapping.name, keys.join(", "));
    if let Some((line, reason)) = &candidate.not {
        why.push_str(&format!("; line {line} {reason}"));
    }
    why
}

fn unknown(json: usize, lines: usize) -> String {
    match json {
        0 => "the lines are no JSON objects and of no other format known here: read as text".to_owned(),
        _ => format!("{json} of {lines} lines are JSON, but of no format known here: read as text"),
    }
}

fn text(all: &[Arc<Mapping>]) -> Arc<Mapping> {
    let text = all.iter().find(|mapping| mapping.format == Format::Text);
    text.or(all.first()).cloned().unwrap_or_else(|| Arc::new(plain()))
}

/// A text mapping made from nothing, for a set of mappings that has none.
fn plain() -> Mapping {
    Mapping {
        name: "text".into(),
        about: "Any text, line by line".into(),
        format: Format::Text,
        fields: vec![super::Field { path: "line".into(), reading: super::Reading::Text }],
        told: Vec::new(),
        detect_all: Vec::new(),
        detect_any: Vec::new(),
        detect_last: false,
        memory: Memory::default(),
        nodes: Vec::new(),
        urls: Vec::new(),
        keys: super::Keys::new(&[], &[]),
    }
}
