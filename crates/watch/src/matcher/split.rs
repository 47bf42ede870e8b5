//! Cutting events that lie over several lines out of a stream, by counting brackets outside of strings.

/// Looks for the end of one event.
#[derive(Clone, Debug)]
pub(super) struct Splitter {
    /// Brackets open.
    depth: u32,
    /// In a string.
    string: bool,
    /// Behind a backslash in a string.
    escape: bool,
    /// The last octet was a line feed.
    line_start: bool,
    /// The event's second line has come, and was indented.
    second: Option<bool>,
}

impl Splitter {
    /// An event opened by this line, which holds one bracket.
    pub(super) fn opened(line: &[u8]) -> Self {
        let line_start = line.last() == Some(&b'\n');
        Self { depth: 1, string: false, escape: false, line_start, second: None }
    }

    /// Looks at the next stretch of the event. Returns where the event ends in it: behind its last bracket, or where
    /// the next event starts though this one was not closed.
    pub(super) fn advance(&mut self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            if self.string {
                // A string has no line feed in it; what has one was cut off.
                if std::mem::take(&mut self.escape) && *byte != b'\n' {
                    at += 1;
                    continue;
                }
                let rest = text.get(at..).unwrap_or_default();
                let found = memchr::memchr3(b'"', b'\\', b'\n', rest)?;
                at += found + 1;
                match rest.get(found) {
                    Some(b'\\') => self.escape = true,
                    Some(b'\n') => (self.string, self.line_start) = (false, true),
                    _ => self.string = false,
                }
                continue;
            }
            if std::mem::take(&mut self.line_start) {
                let indented = matches!(byte, b' ' | b'\t');
                let others_indented = *self.second.get_or_insert(indented);
                if *byte == b'{' && others_indented {
                    return Some(at);
                }
                let rest = text.get(at..).unwrap_or_default();
                if let Some(end) = memchr::memchr(b'\n', rest)
                    && let Some(step) = plain_line(rest.get(..end).unwrap_or_default())
                {
                    let depth = match step {
                        Step::None => self.depth,
                        Step::Opens => self.depth + 1,
                        Step::Closes(_) => self.depth.saturating_sub(1),
                    };
                    self.depth = depth;
                    if let (Step::Closes(behind), 0) = (step, depth) {
                        return Some(at + behind);
                    }
                    (at, self.line_start) = (at + end + 1, true);
                    continue;
                }
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b'\n' => self.line_start = true,
                _ => {}
            }
            at += 1;
        }
        None
    }
}

/// What a line does to the number of brackets open.
#[derive(Clone, Copy)]
enum Step {
    None,
    Opens,
    /// The bracket that closes ends here.
    Closes(usize),
}

/// What nearly every line of an event printed for people is: without brackets, or with one at its end that opens, or
/// with nothing but one that closes. `None` for any other line.
fn plain_line(line: &[u8]) -> Option<Step> {
    let line = line.trim_ascii_end();
    let found = |one, other| memchr::memchr2(one, other, line).unwrap_or(line.len());
    let at = found(b'{', b'}').min(found(b'[', b']'));
    let behind = line.get(at + 1..).unwrap_or_default();
    match line.get(at) {
        None => Some(Step::None),
        Some(b'{' | b'[') if behind.is_empty() => {
            let quotes = memchr::memchr_iter(b'"', line).count();
            (quotes.is_multiple_of(2) && memchr::memchr(b'\\', line).is_none()).then_some(Step::Opens)
        }
        Some(b'}' | b']') if matches!(behind, b"" | b",") => {
            let alone = line.get(..at).unwrap_or_default().trim_ascii().is_empty();
            alone.then_some(Step::Closes(at + 1))
        }
        Some(_) => None,
    }
}

/// How much of a text stands before the event in it: blanks.
pub(super) fn indent(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The line a text starts with, and how long it is with its line feed; `None` if the text ends before it does.
fn line(text: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr::memchr(b'\n', text)?;
    Some((text.get(..end)?.trim_ascii(), end + 1))
}

/// Cuts the events over several lines that a block starts with into `values` (start and end), up to the first that is
/// not closed in it or that starts otherwise. Returns how much of the block they take, and the splitter of one that
/// goes on behind the block.
pub(super) fn split(block: &[u8], values: &mut Vec<(usize, usize)>) -> (usize, Option<Splitter>) {
    let mut done = 0;
    loop {
        let rest = block.get(done..).unwrap_or_default();
        let Some((b"{", head)) = line(rest) else { return (done, None) };
        let mut splitter = Splitter::opened(rest.get(..head).unwrap_or_default());
        let Some(end) = splitter.advance(rest.get(head..).unwrap_or_default()) else {
            return (done, Some(splitter));
        };
        values.push((done + indent(rest), done + head + end));
        done += head + end;
        // The rest of the line its bracket stands on; one that was never closed is over at the start of a line.
        if rest.get(head + end - 1) == Some(&b'\n') {
            continue;
        }
        match line(block.get(done..).unwrap_or_default()) {
            Some((b"" | b",", length)) => done += length,
            _ => return (done, None),
        }
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
