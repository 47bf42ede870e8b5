//! Plain lists and CSV of values: one value a line or a row, de-fanged or not, the kind told from the value.
//!
//! Each line that is not taken is named with its number and why; the good lines are taken all the same.

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shieldwall_model::limits::{BUNDLE_FILE_BYTES_MAX, NAME_BYTES_MAX, STRING_BYTES_MAX};
use shieldwall_watch::value::{Kind, Value, detect, refang};

/// A list, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The values in the order they stand, repetitions included.
    pub items: Vec<Item>,
    /// The lines that were not taken.
    pub refused: Vec<LineRefusal>,
}

/// One value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its line, from 1.
    pub line: usize,
    /// The value in its normal form.
    pub value: Value,
    /// What the list says of it: a family or other label, if it has a column for that.
    pub label: Option<String>,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineRefusal {
    /// Its number, from 1.
    pub line: usize,
    /// The stable code: `list.line.no-value`, `list.line.too-long`, `list.line.malformed`, `list.line.utf8`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub reason: String,
}

/// Why a list could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// More bytes than are ever read.
    #[error("{0} bytes are more than the {BUNDLE_FILE_BYTES_MAX} that are read at once: split the list")]
    TooLarge(usize),
    /// A column named is not there.
    #[error("this CSV has no column {0:?}: name one by its heading, or by its number from 1")]
    NoColumn(String),
    /// No column holds values.
    #[error(
        "no column of this CSV holds addresses, names, URLs or hashes: check the separator and the columns"
    )]
    NoValueColumn,
}

impl ListError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "list.too-large",
            Self::NoColumn(_) => "list.no-column",
            Self::NoValueColumn => "list.no-value-column",
        }
    }
}

/// How many rows are looked at to find the columns.
const SAMPLE_ROWS: usize = 200;
/// How many columns are looked at to find the one of values.
const COLUMNS_MAX: usize = 256;
/// How many columns are shown to choose from.
const COLUMNS_SHOWN_MAX: usize = 64;
/// Longest line in bytes.
const LINE_BYTES_MAX: usize = STRING_BYTES_MAX;

/// Reads a plain list: one value a line; blank lines, and lines that begin with `#`, `;` or `//`, are passed over, and
/// so is what follows ` #` or a blank and `//` on a line.
///
/// # Errors
/// [`ListError::TooLarge`].
pub fn read_plain(input: &[u8]) -> Result<List, ListError> {
    fits(input)?;
    let mut list = List { items: Vec::new(), refused: Vec::new() };
    for (line, text) in lines(input) {
        let text = match text {
            Ok(text) => uncommented(text),
            Err(refusal) => {
                list.refused.push(refusal);
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        match value_of(text, None) {
            Ok(value) => list.items.push(Item { line, value, label: None }),
            Err(reason) => list.refused.push(LineRefusal { line, code: "list.line.no-value", reason }),
        }
    }
    Ok(list)
}

/// Reads CSV with `,`, `;` or tab between, with a header or without. The column of values is found by what stands in
/// it (a header `value`, `indicator`, `ioc`… is believed first), a column of kinds and one of labels by their headers
/// (`type`, `kind`; `family`, `label`, `malware`, `tag`, `threat`), the kind also by the words in it.
///
/// # Errors
/// [`ListError::TooLarge`], [`ListError::NoValueColumn`].
pub fn read_csv(input: &[u8]) -> Result<List, ListError> {
    fits(input)?;
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let separator = separator(input);
    let columns = columns(input, separator).ok_or(ListError::NoValueColumn)?;
    Ok(read_rows(input, separator, &columns))
}

/// Which columns of a CSV hold what: each by its heading, in any case, or by its number from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The column of values.
    pub value: String,
    /// The column of kinds, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The column of labels, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The first row of a CSV, to choose columns by: at most 64 fields, each cut to the length of a name.
pub fn first_row(input: &[u8]) -> Vec<String> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let row = reader(input, separator(input)).byte_records().next().and_then(Result::ok).unwrap_or_default();
    row.iter().take(COLUMNS_SHOWN_MAX).map(|field| cut(&String::from_utf8_lossy(field)).to_owned()).collect()
}

/// Reads CSV whose columns are known.
///
/// # Errors
/// [`ListError::TooLarge`], [`ListError::NoColumn`].
pub fn read_csv_by(input: &[u8], mapping: &Mapping) -> Result<List, ListError> {
    fits(input)?;
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let separator = separator(input);
    let first = reader(input, separator).byte_records().next().and_then(Result::ok).unwrap_or_default();
    let mut header = false;
    let mut at = |name: &str| {
        if let Ok(number) = name.trim().parse::<usize>() {
            let numbered = number.checked_sub(1).filter(|at| *at < COLUMNS_MAX);
            return numbered.ok_or_else(|| ListError::NoColumn(name.to_owned()));
        }
        let headed = first.iter().position(|field| field.eq_ignore_ascii_case(name.trim().as_bytes()));
        header |= headed.is_some();
        headed.ok_or_else(|| ListError::NoColumn(name.to_owned()))
    };
    let value = at(&mapping.value)?;
    let kind = mapping.kind.as_deref().map(&mut at).transpose()?;
    let label = mapping.label.as_deref().map(&mut at).transpose()?;
    // Columns told by number say nothing of a heading; a first field that is no value is one.
    let headed = first.get(value).is_some_and(|field| detect(&String::from_utf8_lossy(field)).is_none());
    Ok(read_rows(input, separator, &Columns { header: header || headed, value, kind, label }))
}

fn read_rows(input: &[u8], separator: u8, columns: &Columns) -> List {
    let mut list = List { items: Vec::new(), refused: Vec::new() };
    let mut record = csv::ByteRecord::new();
    let mut rows = reader(input, separator);
    let mut first = true;
    loop {
        let line = usize::try_from(rows.position().line()).unwrap_or(usize::MAX);
        match rows.read_byte_record(&mut record) {
            Ok(false) => return list,
            Ok(true) => {}
            Err(error) => {
                let reason = format!("this row is not CSV: {error}");
                list.refused.push(LineRefusal { line, code: "list.line.malformed", reason });
                // The reader goes on after the row; where it cannot, it says that it is done.
                if matches!(error.kind(), csv::ErrorKind::Io(_)) {
                    return list;
                }
                continue;
            }
        }
        let line = record.position().map_or(line, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        if std::mem::take(&mut first) && columns.header {
            continue;
        }
        row(&record, line, columns, &mut list);
    }
}

fn row(record: &csv::ByteRecord, line: usize, columns: &Columns, list: &mut List) {
    let mut refuse = |code, reason: String| list.refused.push(LineRefusal { line, code, reason });
    let field = |at: usize| record.get(at).map(std::str::from_utf8);
    let Some(text) = field(columns.value) else {
        return refuse(
            "list.line.no-value",
            "this row has no column of values: add the missing fields".into(),
        );
    };
    let Ok(text) = text else {
        return refuse("list.line.utf8", "this row is not UTF-8: convert the file".into());
    };
    if text.len() > LINE_BYTES_MAX {
        return refuse(
            "list.line.too-long",
            format!("more than {LINE_BYTES_MAX} bytes: no value is that long"),
        );
    }
    let kind = columns.kind.and_then(field).and_then(Result::ok).and_then(|name| Kind::from_str(name).ok());
    match value_of(text.trim(), kind) {
        Ok(value) => {
            let label = columns.label.and_then(field).and_then(Result::ok).map(str::trim);
            let label = label.filter(|label| !label.is_empty()).map(|label| cut(label).to_owned());
            list.items.push(Item { line, value, label });
        }
        Err(reason) => refuse("list.line.no-value", reason),
    }
}

/// A value of the kind stated, else of the kind it looks like.
fn value_of(text: &str, kind: Option<Kind>) -> Result<Value, String> {
    let stated = kind.and_then(|kind| Value::new(kind, &refang(text)).ok());
    stated.or_else(|| detect(text)).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        format!("{shown:?} is no address, name, URL, hash or other value: correct it, or put `#` before it")
    })
}

fn fits(input: &[u8]) -> Result<(), ListError> {
    if u64::try_from(input.len()).unwrap_or(u64::MAX) > BUNDLE_FILE_BYTES_MAX {
        return Err(ListError::TooLarge(input.len()));
    }
    Ok(())
}

/// The lines of an input, trimmed, with their numbers; a byte order mark and `\r` fall away.
fn lines(input: &[u8]) -> impl Iterator<Item = (usize, Result<&str, LineRefusal>)> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    input.split(|byte| *byte == b'\n').enumerate().map(|(at, bytes)| {
        let line = at + 1;
        if bytes.len() > LINE_BYTES_MAX {
            let reason = format!("more than {LINE_BYTES_MAX} bytes: no value is that long");
            return (line, Err(LineRefusal { line, code: "list.line.too-long", reason }));
        }
        let text = std::str::from_utf8(bytes).map(str::trim).map_err(|_| LineRefusal {
            line,
            code: "list.line.utf8",
            reason: "this line is not UTF-8: convert the file".into(),
        });
        (line, text)
    })
}

/// A line without its comment. `//` begins one only at the start or after a blank (a URL holds it too).
fn uncommented(text: &str) -> &str {
    if text.starts_with(['#', ';']) || text.starts_with("//") {
        return "";
    }
    let end = [" #", "\t#", " //", "\t//", " ;", "\t;"].into_iter().filter_map(|mark| text.find(mark)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim_end()
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn reader(input: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(input)
}

/// The separator that occurs most in the first rows.
pub(crate) fn separator(input: &[u8]) -> u8 {
    let sample = input.get(..input.len().min(16 * 1024)).unwrap_or(input);
    let count = |wanted: u8| sample.iter().filter(|byte| **byte == wanted).count();
    [b',', b'\t', b';'].into_iter().max_by_key(|wanted| (count(*wanted), *wanted == b',')).unwrap_or(b',')
}

/// Which column holds what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    header: bool,
    value: usize,
    kind: Option<usize>,
    label: Option<usize>,
}

const VALUE_NAMES: [&str; 10] =
    ["value", "indicator", "ioc", "observable", "ip", "domain", "url", "hash", "sha256", "dst_ip"];
const KIND_NAMES: [&str; 6] = ["type", "kind", "indicator_type", "ioc_type", "itype", "category"];
const LABEL_NAMES: [&str; 9] =
    ["family", "label", "labels", "malware", "tag", "tags", "threat", "signature", "malware_printable"];

fn columns(input: &[u8], separator: u8) -> Option<Columns> {
    let mut rows: Vec<csv::ByteRecord> = Vec::new();
    for row in reader(input, separator).byte_records().take(SAMPLE_ROWS) {
        rows.extend(row.ok());
    }
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_ascii_lowercase();
    let first: Vec<String> = rows.first()?.iter().map(text).collect();
    let named = |names: &[&str]| names.iter().find_map(|name| first.iter().position(|field| field == name));
    // A header says names and holds no value; a first row that holds one is data.
    let header = !first.iter().any(|field| detect(field).is_some())
        && (named(&VALUE_NAMES).is_some() || named(&KIND_NAMES).is_some() || rows.len() > 1);
    let body = || rows.iter().skip(usize::from(header));
    let width = rows.iter().map(csv::ByteRecord::len).max().unwrap_or(0).min(COLUMNS_MAX);
    let share = |at: usize, fits: &dyn Fn(&str) -> bool| {
        body().filter(|row| row.get(at).is_some_and(|field| fits(&String::from_utf8_lossy(field)))).count()
    };
    let is_value = |field: &str| detect(field).is_some();
    let is_kind = |field: &str| Kind::from_str(field).is_ok();
    let found = || {
        let best = (0..width).map(|at| (share(at, &is_value), std::cmp::Reverse(at))).max()?;
        (best.0 > 0).then_some(best.1.0)
    };
    let value = header
        .then(|| named(&VALUE_NAMES))
        .flatten()
        .filter(|at| share(*at, &is_value) > 0)
        .or_else(found)?;
    let other = |at: &usize| *at != value;
    let kind = header.then(|| named(&KIND_NAMES)).flatten().filter(other).or_else(|| {
        let rows = body().count();
        (0..width).filter(other).find(|at| rows > 0 && share(*at, &is_kind) * 2 > rows)
    });
    let label = header.then(|| named(&LABEL_NAMES)).flatten().filter(|at| other(at) && Some(*at) != kind);
    Some(Columns { header, value, kind, label })
}

/// A value as people may safely pass it on: `hxxp`, and `[.]` for dots; [`refang`] undoes it.
pub fn defanged(value: &Value) -> Cow<'static, str> {
    let shown = value.to_string();
    match value.kind() {
        Kind::Domain | Kind::Url | Kind::Email | Kind::Ipv4 | Kind::IpPort | Kind::Cidr4 => {
            let shown = shown.replacen("http", "hxxp", usize::from(value.kind() == Kind::Url));
            Cow::Owned(shown.replace('.', "[.]"))
        }
        _ => Cow::Owned(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_by_heading_or_number() {
        let by = |value: &str, label: Option<&str>| Mapping {
            value: value.into(),
            kind: None,
            label: label.map(str::to_owned),
        };
        let csv = b"when,Host,note\n2026-01-01,evil.example,c2\n2026-01-02,bad.example,\n";
        for mapping in [by("host", Some("NOTE")), by("2", Some("3"))] {
            let list = read_csv_by(csv, &mapping).unwrap();
            let read: Vec<_> =
                list.items.iter().map(|item| (item.value.to_string(), item.label.clone())).collect();
            assert_eq!(read, [("evil.example".into(), Some("c2".into())), ("bad.example".into(), None)]);
            assert_eq!(list.refused, []);
        }
        assert_eq!(read_csv_by(csv, &by("hosts", None)).unwrap_err().code(), "list.no-column");
        assert_eq!(read_csv_by(b"evil.example;1\nbad.example;2\n", &by("1", None)).unwrap().items.len(), 2);
    }
}
