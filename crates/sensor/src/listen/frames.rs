//! Messages out of a stream: counted (RFC 6587 section 3.4.1, RFC 5425 section 4.3) or ended by a line feed (section
//! 3.4.2), told apart message by message.

use super::MESSAGE_BYTES_MAX;

/// Most digits of a length.
const DIGITS_MAX: usize = 7;

/// Bytes of a stream not yet handed out as messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    held: Vec<u8>,
    /// How many of them are known to hold no line end.
    searched: usize,
    /// What is left of a counted message that is too long.
    passing: usize,
    /// Whether a line that is too long is being passed over.
    passing_line: bool,
    skipped: u64,
}

enum Step {
    /// This many bytes go without a message.
    Drop(usize),
    /// A message from here to there; everything up to the third goes.
    Message(usize, usize, usize),
    More,
}

impl Frames {
    /// Messages passed over because they were too long, since the last call.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_within(&self) -> bool {
        !self.held.is_empty() || self.passing > 0 || self.passing_line
    }

    /// Takes the next bytes and hands each whole message to `each`.
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.held.extend_from_slice(bytes);
        let mut from = 0;
        loop {
            match self.step(from) {
                Step::Drop(count) => from += count,
                Step::Message(start, end, gone) => {
                    each(self.held.get(from + start..from + end).unwrap_or_default());
                    from += gone;
                }
                Step::More => break,
            }
            self.searched = 0;
        }
        self.held.drain(..from.min(self.held.len()));
    }

    /// What is left when the stream ends: a line that lacks its end.
    pub(super) fn last(&mut self, mut each: impl FnMut(&[u8])) {
        if is_counted(&self.held).is_some_and(|digits| digits > 0) {
            // Less came than was announced.
            self.skipped += 1;
        } else if !self.held.is_empty() {
            each(&self.held);
        }
        self.held.clear();
    }

    fn step(&mut self, from: usize) -> Step {
        let rest = self.held.get(from..).unwrap_or_default();
        if rest.is_empty() {
            return Step::More;
        }
        if self.passing > 0 {
            let gone = self.passing.min(rest.len());
            self.passing -= gone;
            return Step::Drop(gone);
        }
        if self.passing_line {
            let end = memchr_newline(rest, 0);
            self.passing_line = end.is_none();
            return Step::Drop(end.map_or(rest.len(), |end| end + 1));
        }
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | b'\0' | b' ')).count();
        if blank > 0 {
            return Step::Drop(blank);
        }
        match is_counted(rest) {
            Some(digits) if digits == rest.len() => Step::More,
            Some(digits) => self.counted(from, digits),
            None => self.line(from),
        }
    }

    fn counted(&mut self, from: usize, digits: usize) -> Step {
        let rest = self.held.get(from..).unwrap_or_default();
        let written = rest.get(..digits).unwrap_or_default();
        let length = written.iter().fold(0usize, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        let start = digits + 1;
        if length > MESSAGE_BYTES_MAX {
            self.skipped += 1;
            self.passing = length;
            return Step::Drop(start);
        }
        if rest.len() < start + length {
            Step::More
        } else {
            Step::Message(start, start + length, start + length)
        }
    }

    fn line(&mut self, from: usize) -> Step {
        let rest = self.held.get(from..).unwrap_or_default();
        match memchr_newline(rest, self.searched) {
            Some(end) if end <= MESSAGE_BYTES_MAX => Step::Message(0, end, end + 1),
            Some(end) => {
                self.skipped += 1;
                Step::Drop(end + 1)
            }
            None if rest.len() > MESSAGE_BYTES_MAX => {
                self.skipped += 1;
                self.passing_line = true;
                Step::Drop(rest.len())
            }
            None => {
                self.searched = rest.len();
                Step::More
            }
        }
    }
}

/// How many digits of a length stand in front, with a blank or nothing yet behind them.
fn is_counted(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let fits = bytes.first() != Some(&b'0') && (1..=DIGITS_MAX).contains(&digits);
    (fits && bytes.get(digits).is_none_or(|byte| *byte == b' ')).then_some(digits)
}

fn memchr_newline(bytes: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..).unwrap_or_default();
    tail.iter().position(|byte| *byte == b'\n').map(|at| from + at)
}
