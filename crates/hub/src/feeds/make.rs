//! Making a feed: page by page from the views into a file, so that a million values never stand in memory.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};
use shieldwall_exchange::feed::{Format, Item, LeftOut, Summary, Writer};
use shieldwall_ledger::reading::ObjectQuery;
use shieldwall_ledger::views::Document;
use shieldwall_ledger::{ReadError, Reading};
use shieldwall_model::access::ReadScope;
use shieldwall_model::directory::Directory;
use shieldwall_model::id::GroupId;
use shieldwall_model::limits::PAGE_ITEMS_MAX;
use shieldwall_model::time::Timestamp;
use shieldwall_watch::reach::{Protected, is_too_broad};
use shieldwall_watch::value::Value;

use super::query::Selection;
use crate::cursor::Positions;
use crate::fold::{IndicatorState, WatchedValue, collection};

/// How much of a file is read or written at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Most things left out that are told one by one.
const EXPLAINED_MAX: usize = 1_000;
/// Most values in one feed: what is known of them to keep out repetitions is 16 bytes each.
const VALUES_MAX: u64 = 5_000_000;

/// Something left out, for whoever asks why.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Explained {
    /// Why: `expired`, `protected`…
    pub reason: String,
    /// The sharing group.
    pub group: String,
    /// The indicator.
    pub indicator: String,
    /// The value, where one of several was left out.
    pub value: Option<String>,
}

/// A feed in the making.
pub(super) struct Making {
    scope: ReadScope,
    format: Format,
    selection: Selection,
    directory: Arc<Directory>,
    now: Timestamp,
    writer: Writer,
    body: BufWriter<File>,
    seen: HashSet<u64>,
    hasher: RandomState,
    protected: Protected,
    guarded: Vec<Value>,
    pub(super) summary: Summary,
    pub(super) reached: BTreeMap<&'static str, Positions>,
    /// When the next value ends by the clock.
    pub(super) soonest: Option<Timestamp>,
    pub(super) explained: Vec<Explained>,
    failed: Option<io::Error>,
}

impl Making {
    /// A feed that is written into `dir` on the way.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn new(
        scope: ReadScope,
        format: Format,
        selection: Selection,
        directory: Arc<Directory>,
        now: Timestamp,
        dir: &Path,
    ) -> io::Result<Self> {
        let writer = Writer::new(format, selection.zone.as_deref());
        let body = BufWriter::with_capacity(PIECE_BYTES, tempfile::tempfile_in(dir)?);
        Ok(Self {
            scope,
            format,
            selection,
            directory,
            now,
            writer,
            body,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            protected: Protected::default(),
            guarded: Vec::new(),
            summary: Summary::default(),
            reached: BTreeMap::new(),
            soonest: None,
            explained: Vec::new(),
            failed: None,
        })
    }

    /// A page of what must stay reachable, in whatever group the reader is party to. True while there is more.
    pub(super) fn guards(&mut self, reading: &Reading<'_>) -> Result<bool, ReadError> {
        let (page, more) = self.next(reading, collection::GUARDED)?;
        for state in page.iter().filter_map(state_of) {
            if state.ends().is_none_or(|ends| ends > self.now) {
                self.guarded.extend(state.values.iter().filter_map(WatchedValue::value));
                self.ending(state.ends());
            }
        }
        if !more {
            self.protected = Protected::of(&std::mem::take(&mut self.guarded));
        }
        Ok(more)
    }

    /// A page of what is held back or was decided on, which is told and never listed. True while there is more.
    pub(super) fn held(&mut self, reading: &Reading<'_>, of: &'static str) -> Result<bool, ReadError> {
        let (page, more) = self.next(reading, of)?;
        for document in page.iter().filter(|_| of == collection::HELD) {
            let id = document.key.split('/').next().unwrap_or_default();
            self.leave_out(LeftOut::Held, document.group, id, None);
        }
        Ok(more)
    }

    /// A page of indicators. True while there is more.
    pub(super) fn indicators(&mut self, reading: &Reading<'_>) -> Result<bool, ReadError> {
        let (page, more) = self.next(reading, collection::INDICATOR)?;
        let mut objects: BTreeMap<GroupId, Vec<String>> = BTreeMap::new();
        for document in &page {
            let Some(state) = state_of(document) else { continue };
            self.summary.changed = self.summary.changed.max(document.changed);
            match self.why_not(document.group, &state) {
                Some(why) => self.leave_out(why, document.group, &document.key, None),
                None if self.format == Format::Stix => {
                    if self.may_go_whole(document, &state) {
                        objects.entry(document.group).or_default().push(document.key.clone());
                    }
                }
                None => self.values(document, &state),
            }
        }
        for (group, ids) in objects {
            self.objects(reading, group, ids)?;
        }
        Ok(more && self.summary.listed < VALUES_MAX && self.failed.is_none())
    }

    fn next(&mut self, reading: &Reading<'_>, of: &'static str) -> Result<(Vec<Document>, bool), ReadError> {
        let after = self.reached.entry(of).or_default();
        let page = reading.documents(&self.scope, of, after, PAGE_ITEMS_MAX)?.into_inner();
        *after = page.reached;
        Ok((page.rows, page.more))
    }

    fn why_not(&mut self, group: GroupId, state: &IndicatorState) -> Option<LeftOut> {
        match state.ended.as_deref() {
            Some("revoked") => return Some(LeftOut::Revoked),
            Some(_) => return Some(LeftOut::Recalled),
            None => {}
        }
        let ends = state.ends();
        if let Some(ends) = ends.filter(|ends| *ends <= self.now) {
            self.summary.changed = self.summary.changed.max(ends);
            return Some(LeftOut::Expired);
        }
        self.ending(ends);
        if !state.role.may_be_blocked() {
            return Some(LeftOut::NotForBlocking);
        }
        if state.values.is_empty() {
            return Some(LeftOut::NoValues);
        }
        (!self.selection.takes(group, state, &self.directory, self.now)).then_some(LeftOut::Filtered)
    }

    fn ending(&mut self, ends: Option<Timestamp>) {
        self.soonest = match (self.soonest, ends) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn value_why_not(&self, value: &Value) -> Option<LeftOut> {
        if is_too_broad(value) {
            Some(LeftOut::TooBroad)
        } else if self.protected.is_touched_by(value) {
            Some(LeftOut::Protected)
        } else {
            (!self.selection.takes_kind(value.kind())).then_some(LeftOut::Filtered)
        }
    }

    fn values(&mut self, document: &Document, state: &IndicatorState) {
        let directory = Arc::clone(&self.directory);
        let group = directory.group(document.group).map_or("", |group| group.name.as_str());
        for value in state.values.iter().filter_map(WatchedValue::value) {
            let mut why = self.value_why_not(&value);
            if why.is_none() && !self.seen.insert(self.hasher.hash_one(&value)) {
                why = Some(LeftOut::Repeated);
            }
            let item = Item {
                value: &value,
                indicator: &document.key,
                name: &state.name,
                group,
                marking: state.marking.as_deref(),
                confidence: state.confidence,
                ends: state.ends(),
            };
            let mut line = Vec::new();
            match why.map_or_else(|| self.writer.item(&item, &mut line), Err) {
                Ok(()) => {
                    self.summary.listed += 1;
                    self.write(&line);
                }
                Err(why) => self.leave_out(why, document.group, &document.key, Some(&value)),
            }
        }
    }

    /// An object goes into a bundle as a whole, so each of its values must be fit.
    fn may_go_whole(&mut self, document: &Document, state: &IndicatorState) -> bool {
        let values: Vec<Value> = state.values.iter().filter_map(WatchedValue::value).collect();
        let unfit = values.iter().find_map(|value| Some((value, self.value_why_not(value)?)));
        if let Some((value, why)) = unfit {
            self.leave_out(why, document.group, &document.key, Some(value));
            return false;
        }
        if !self.seen.insert(self.hasher.hash_one(&document.key)) {
            self.leave_out(LeftOut::Repeated, document.group, &document.key, None);
            return false;
        }
        true
    }

    fn objects(&mut self, reading: &Reading<'_>, group: GroupId, ids: Vec<String>) -> Result<(), ReadError> {
        let query = ObjectQuery { ids, ..ObjectQuery::new(group, PAGE_ITEMS_MAX) };
        let scope = self.scope.clone();
        for object in reading.objects(&scope, &query)?.into_inner().rows {
            let Some(bytes) = object.bytes else { continue };
            let comma = if self.summary.listed > 0 { &b",\n"[..] } else { b"\n" };
            self.summary.listed += 1;
            self.write(comma);
            self.write(&bytes);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.body.write_all(bytes) {
            self.failed = Some(error);
        }
    }

    fn leave_out(&mut self, why: LeftOut, group: GroupId, indicator: &str, value: Option<&Value>) {
        self.summary.leave_out(why);
        if self.explained.len() < EXPLAINED_MAX {
            self.explained.push(Explained {
                reason: why.as_str().to_owned(),
                group: group.to_string(),
                indicator: indicator.to_owned(),
                value: value.map(ToString::to_string),
            });
        }
    }

    /// Puts head, body and tail together into `out`; the SHA-256 of all of it, in hex.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn finish(mut self, out: &mut File) -> io::Result<(Finished, String)> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut body = self.body.into_inner().map_err(io::IntoInnerError::into_error)?;
        body.rewind()?;
        let mut hashed = Hashed { to: out, hash: Sha256::new() };
        // A bundle needs an id; one made of what it was made from is the same for the same bundle.
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{:?}", self.summary).as_bytes());
        hashed.write_all(&self.writer.head(&self.summary, &id.to_string()))?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = body.read(&mut piece)?;
            match piece.get(..read) {
                Some(bytes) if read > 0 => hashed.write_all(bytes)?,
                _ => break,
            }
        }
        hashed.write_all(self.writer.tail())?;
        let tag: String = hashed.hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let finished = Finished {
            summary: self.summary,
            reached: self.reached,
            soonest: self.soonest,
            explained: self.explained,
        };
        Ok((finished, tag))
    }
}

/// What is known of a feed that was made.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    pub(super) summary: Summary,
    pub(super) reached: BTreeMap<&'static str, Positions>,
    pub(super) soonest: Option<Timestamp>,
    pub(super) explained: Vec<Explained>,
}

fn state_of(document: &Document) -> Option<IndicatorState> {
    serde_json::from_slice(&document.body).ok()
}

struct Hashed<'a> {
    to: &'a mut File,
    hash: Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes what became different: `-` before a line that is gone, then `+` before one that is new. Comments and the
/// frame of a zone are not told.
///
/// # Errors
/// The file system's.
pub(super) fn difference(old: &mut File, new: &mut File, format: Format, out: &mut File) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(PIECE_BYTES, out);
    lines_not_in(old, new, format, b"-", &mut out)?;
    lines_not_in(new, old, format, b"+", &mut out)?;
    out.flush()
}

/// Writes the lines of `of` that are not in `from`. Of each line of `from` 8 bytes are kept.
fn lines_not_in(
    of: &mut File,
    from: &mut File,
    format: Format,
    sign: &[u8],
    out: &mut impl Write,
) -> io::Result<()> {
    let (hasher, mut known) = (RandomState::new(), HashSet::new());
    each_line(from, format, |line| {
        known.insert(hasher.hash_one(line));
        Ok(())
    })?;
    each_line(of, format, |line| {
        if known.contains(&hasher.hash_one(line)) {
            return Ok(());
        }
        out.write_all(sign)?;
        out.write_all(line)?;
        out.write_all(b"\n")
    })
}

fn each_line(
    file: &mut File,
    format: Format,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    file.rewind()?;
    let mut reader = io::BufReader::with_capacity(PIECE_BYTES, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::BufRead::read_until(&mut reader, b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let frame = match format {
            Format::Rpz => matches!(line.first(), Some(b';' | b'@' | b'$')),
            _ => line.first() == Some(&b'#'),
        };
        if !frame && !line.is_empty() {
            take(&line)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_gone_and_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let mut file = tempfile::tempfile_in(dir.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        let mut out = tempfile::tempfile_in(dir.path()).unwrap();
        let (mut old, mut new) = (file("# 3 values\na\nb\nc\n"), file("# 3 values\nc\nd\na\n"));
        difference(&mut old, &mut new, Format::Plain, &mut out).unwrap();
        out.rewind().unwrap();
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(text, "-b\n+d\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing stays behind");
    }
}
