//! What a mapping reads from a sample, for people who write mappings: field, reading, STIX path and value, line by line.

use std::fmt;

use serde::Serialize;

use super::{Mapping, Reading, Teller};
use crate::decode::Line;

/// Most values kept of one trial; what follows is counted.
pub const ROWS_MAX: usize = 10_000;
/// Longest value shown, in bytes.
const TEXT_BYTES_MAX: usize = 512;
/// Widest column of the table but for the last, in characters.
const COLUMN_CHARACTERS_MAX: usize = 60;

/// What was read from a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The mapping's name.
    pub mapping: String,
    /// Lines that were events.
    pub events: usize,
    /// Headers and comments.
    pub asides: usize,
    /// Lines that are no event of the format, by number from 1; where lines are taken apart they were read as text.
    pub others: Vec<usize>,
    /// The values, in order.
    pub rows: Vec<Row>,
    /// How many more values there were.
    pub more: usize,
    /// Watched fields that were in no event.
    pub unmet: Vec<String>,
}

/// One value that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Number of the line, from 1.
    pub line: usize,
    /// The field as the mapping spells it.
    pub field: String,
    /// How it is read if it is watched; nothing if it is told alone.
    pub reading: Option<&'static str>,
    /// What it is in STIX.
    pub stix: String,
    /// The value as written.
    pub value: String,
}

impl Trial {
    /// Reads every line of `sample` by `mapping`.
    pub fn run(mapping: &Mapping, sample: &[u8]) -> Self {
        let mut trial = Self { mapping: mapping.name().into(), ..Self::default() };
        let mut teller = Teller::default();
        let sample = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample);
        for (at, line) in sample.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (rows, more) = (&mut trial.rows, &mut trial.more);
            let read = teller.read(mapping, line, &mut |one| {
                if rows.len() >= ROWS_MAX {
                    *more += 1;
                    return;
                }
                let reading = reading_of(mapping, one.field).map(Reading::as_str);
                let (field, stix) = (one.field.to_owned(), one.stix.to_owned());
                rows.push(Row { line: at + 1, field, reading, stix, value: shown(one.text) });
            });
            match read {
                Ok(Line::Event) => trial.events += 1,
                Ok(Line::Aside) => trial.asides += 1,
                Ok(Line::Other) | Err(_) => trial.others.push(at + 1),
            }
        }
        let met = |path: &str| trial.rows.iter().any(|row| row.field == path);
        let unmet = mapping.fields().iter().filter(|field| field.path != "line" && !met(&field.path));
        trial.unmet = unmet.map(|field| field.path.clone()).collect();
        trial
    }
}

fn reading_of(mapping: &Mapping, path: &str) -> Option<Reading> {
    mapping.fields().iter().find(|field| field.path == path).map(|field| field.reading)
}

/// A value on one line, not longer than a person reads.
fn shown(text: &str) -> String {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let head = text.get(..end).unwrap_or_default();
    head.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl fmt::Display for Trial {
    /// The table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[&str; 4]> = self
            .rows
            .iter()
            .map(|row| {
                [row.field.as_str(), row.reading.unwrap_or("-"), row.stix.as_str(), row.value.as_str()]
            })
            .collect();
        let width = |column: usize, head: &str| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).clamp(head.len(), COLUMN_CHARACTERS_MAX)
        };
        let (field, reading, stix) = (width(0, "field"), width(1, "reading"), width(2, "STIX path"));
        writeln!(f, "line  {:field$}  {:reading$}  {:stix$}  value", "field", "reading", "STIX path")?;
        for (row, [name, how, path, value]) in self.rows.iter().zip(&rows) {
            writeln!(f, "{:>4}  {name:field$}  {how:reading$}  {path:stix$}  {value}", row.line)?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more values", self.more)?;
        }
        Ok(())
    }
}
