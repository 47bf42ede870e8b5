//! Zeek's tab-separated logs: the header names the columns, and which hold several values.

use super::cursor::unescape;
use super::{Each, KEY_BYTES_MAX, Line, PAIRS_PER_LINE_MAX};

/// Longest header line in bytes.
const HEADER_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug)]
struct Column {
    key: String,
    /// A set or vector: its values are separated.
    many: bool,
}

/// What the header said last.
#[derive(Clone, Debug)]
pub(super) struct Header {
    columns: Vec<Column>,
    separator: u8,
    set_separator: u8,
    unset: Vec<u8>,
    empty: Vec<u8>,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            separator: b'\t',
            set_separator: b',',
            unset: b"-".to_vec(),
            empty: b"(empty)".to_vec(),
        }
    }
}

impl Header {
    /// Whether no columns are known.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    pub(super) fn read(&mut self, line: &[u8], scratch: &mut Vec<u8>, each: &mut Each<'_>) -> Line {
        if line.first() == Some(&b'#') {
            return if self.header(line, scratch).is_some() { Line::Aside } else { Line::Other };
        }
        if self.columns.is_empty()
            || memchr::memchr_iter(self.separator, line).count() + 1 != self.columns.len()
        {
            return Line::Other;
        }
        for (column, text) in self.columns.iter().zip(line.split(|byte| *byte == self.separator)) {
            let mut tell = |text: &[u8]| {
                if text != self.unset.as_slice() && text != self.empty.as_slice() && !text.is_empty() {
                    each(&column.key, unescape(text, false, scratch));
                }
            };
            if column.many {
                text.split(|byte| *byte == self.set_separator).take(PAIRS_PER_LINE_MAX).for_each(&mut tell);
            } else {
                tell(text);
            }
        }
        Line::Event
    }

    /// Takes in a header line; `None` if it is none.
    fn header(&mut self, line: &[u8], scratch: &mut Vec<u8>) -> Option<()> {
        if line.len() > HEADER_BYTES_MAX {
            return None;
        }
        let line = line.strip_prefix(b"#")?;
        // The first line of a header cannot be separated by what it is about to name.
        if let Some(written) = line.strip_prefix(b"separator ") {
            *self = Self { separator: *unescape(written, false, scratch).first()?, ..Self::default() };
            return Some(());
        }
        let mut parts = line.split(|byte| *byte == self.separator);
        let name = parts.next()?;
        match name {
            b"set_separator" => self.set_separator = *unescape(parts.next()?, false, scratch).first()?,
            b"empty_field" => self.empty = parts.next()?.to_vec(),
            b"unset_field" => self.unset = parts.next()?.to_vec(),
            b"fields" => {
                let key = |name: &[u8]| {
                    String::from_utf8_lossy(name.get(..KEY_BYTES_MAX).unwrap_or(name)).into_owned()
                };
                self.columns = parts
                    .take(PAIRS_PER_LINE_MAX)
                    .map(|name| Column { key: key(name), many: false })
                    .collect();
            }
            b"types" => {
                for (column, kind) in self.columns.iter_mut().zip(parts) {
                    column.many = kind.starts_with(b"set[") || kind.starts_with(b"vector[");
                }
            }
            b"path" | b"open" | b"close" => {}
            _ => return None,
        }
        Some(())
    }
}
