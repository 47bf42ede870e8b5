//! Cuts a stream of bytes into blocks of whole lines, and passes over lines that are too long.

use std::io::{self, Read};

use shieldwall_model::limits;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// What reading on brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Whole lines stand at the front: this many bytes.
    Lines(usize),
    /// This many bytes at the front belong to a line that is too long; they go at the next call.
    Skipped(usize),
    /// Something, but no line end yet.
    Partial,
    /// Nothing.
    End,
}

/// Bytes read and not yet released. What a call found stays in place until [`LineBuffer::release`] or the next.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// How many at the front were handed out.
    out: usize,
    /// How many at the front are known to hold no line end.
    searched: usize,
    skipping: bool,
    skipped_lines: u64,
}

impl LineBuffer {
    /// A buffer that begins within a line that is being passed over, or not.
    pub(crate) fn within_skipped(skipping: bool) -> Self {
        Self { skipping, ..Self::default() }
    }

    /// Whether a line is being passed over.
    pub(crate) fn is_within_skipped(&self) -> bool {
        self.skipping
    }

    /// Lines passed over so far.
    pub(crate) fn skipped_lines(&self) -> u64 {
        self.skipped_lines
    }

    /// What was read and is not released.
    pub(crate) fn held(&self) -> &[u8] {
        &self.bytes
    }

    /// The first `bytes` of it.
    pub(crate) fn first(&self, bytes: usize) -> &[u8] {
        self.bytes.get(..bytes).unwrap_or(&[])
    }

    /// Lets go of what was handed out.
    pub(crate) fn release(&mut self) {
        let out = std::mem::take(&mut self.out).min(self.bytes.len());
        self.bytes.drain(..out);
        self.searched = self.searched.saturating_sub(out);
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.out, self.searched, self.skipping) = (0, 0, false);
    }

    /// Reads on once.
    pub(crate) fn fill(&mut self, reader: &mut impl Read) -> io::Result<Filled> {
        self.release();
        if self.bytes.len() == self.searched {
            // One read: a pipe hands over what it has, and the rest may take its time.
            self.bytes.resize(self.searched + READ_BYTES, 0);
            let read = match self.bytes.get_mut(self.searched..) {
                Some(room) => reader.read(room),
                None => Ok(0),
            };
            let count = read.as_ref().map_or(0, |count| *count);
            self.bytes.truncate(self.searched + count);
            match read {
                Ok(0) => return Ok(Filled::End),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Filled::Partial),
                other => _ = other?,
            }
        }
        let before = self.searched;
        let fresh = self.bytes.get(before..).unwrap_or(&[]);
        if self.skipping {
            let end = fresh.iter().position(|byte| *byte == b'\n');
            self.skipping = end.is_none();
            self.out = end.map_or(self.bytes.len(), |end| before + end + 1);
            return Ok(Filled::Skipped(self.out));
        }
        if let Some(end) = fresh.iter().rposition(|byte| *byte == b'\n') {
            self.out = before + end + 1;
            self.searched = self.bytes.len();
            return Ok(Filled::Lines(self.out));
        }
        self.searched = self.bytes.len();
        if self.searched > limits::EVENT_BYTES_MAX {
            self.skipping = true;
            self.skipped_lines += 1;
            self.out = self.searched;
            return Ok(Filled::Skipped(self.out));
        }
        Ok(Filled::Partial)
    }

    /// Hands out what is held as a line without line end.
    pub(crate) fn last_line(&mut self) -> Option<usize> {
        self.release();
        self.out = self.bytes.len();
        (self.out > 0).then_some(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out `bytes` in pieces of the given sizes, over and over.
    struct Pieces<'a>(&'a [u8], Vec<usize>, usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.1[self.2 % self.1.len()].min(self.0.len()).min(into.len());
            self.2 += 1;
            into[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn all(bytes: &[u8], sizes: Vec<usize>) -> (Vec<u8>, u64) {
        let (mut lines, mut out) = (LineBuffer::default(), Vec::new());
        let mut reader = Pieces(bytes, sizes, 0);
        loop {
            match lines.fill(&mut reader).unwrap() {
                Filled::Lines(found) => out.extend_from_slice(lines.first(found)),
                Filled::End => break,
                Filled::Skipped(_) | Filled::Partial => {}
            }
        }
        if let Some(found) = lines.last_line() {
            out.extend_from_slice(lines.first(found));
        }
        (out, lines.skipped_lines())
    }

    proptest! {
        #[test]
        fn every_byte_comes_out_once_and_in_order(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000),
            sizes in proptest::collection::vec(1usize..300, 1..5),
        ) {
            prop_assert_eq!(all(&bytes, sizes), (bytes, 0));
        }
    }

    #[test]
    fn a_line_longer_than_the_limit_is_left_out_and_counted() {
        let long = "x".repeat(limits::EVENT_BYTES_MAX * 2);
        let text = format!("a\n{long}\nb\n");
        assert_eq!(all(text.as_bytes(), vec![1 << 20]), (b"a\nb\n".to_vec(), 1));
    }
}
