//! Telling the format of telemetry from its first lines.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{DETECT_LINES_MAX, Format, Mapping};

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

fn fits(mapping: &Mapping, line: &Json) -> bool {
    let (all, any) = (&mapping.detect_all, &mapping.detect_any);
    let asked = !all.is_empty() || !any.is_empty();
    asked
        && all.iter().all(|path| has(line, path))
        && (any.is_empty() || any.iter().any(|path| has(line, path)))
}

pub(super) fn detect(all: &[Arc<Mapping>], sample: &[u8]) -> Verdict {
    let sample = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample);
    let lines: Vec<&[u8]> = sample
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .take(DETECT_LINES_MAX)
        .collect();
    let parsed: Vec<Json> =
        lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).filter(Json::is_object).collect();
    let best = all
        .iter()
        .filter(|mapping| mapping.format == Format::Json)
        .map(|mapping| (mapping, parsed.iter().filter(|line| fits(mapping, line)).count()))
        // Of equals the first wins, so mappings a user adds go before built-in ones.
        .fold(None, |best: Option<(&Arc<Mapping>, usize)>, this| match best {
            Some(best) if best.1 >= this.1 => Some(best),
            _ => Some(this),
        });
    if let Some((mapping, fits)) = best.filter(|(_, fits)| *fits > 0) {
        let why = format!(
            "{fits} of {} lines are JSON with the keys of {} ({})",
            lines.len(),
            mapping.name,
            mapping
                .detect_all
                .iter()
                .chain(&mapping.detect_any)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        );
        return Verdict { mapping: Arc::clone(mapping), fits, lines: lines.len(), why };
    }
    let text = all.iter().find(|mapping| mapping.format == Format::Text);
    let mapping = text.or(all.first()).cloned().unwrap_or_else(|| Arc::new(plain()));
    let why = if parsed.is_empty() {
        "the lines are no JSON objects: read as text".to_owned()
    } else {
        format!(
            "{} of {} lines are JSON, but of no format known here: read as text",
            parsed.len(),
            lines.len()
        )
    };
    Verdict { mapping, fits: 0, lines: lines.len(), why }
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
        nodes: Vec::new(),
        urls: Vec::new(),
        keys: super::Keys::new(&[], &[]),
    }
}
