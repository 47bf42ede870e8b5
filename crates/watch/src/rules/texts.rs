//! Many texts looked for in raw bytes, without regard to ASCII case.
//!
//! Instead of an automaton, which would look at every byte and miss the cache at most of them: at every fourth place
//! six bytes are hashed and a small filter asked; each text has four of its windows in it, so that one of them falls
//! on such a place wherever the text stands. Texts shorter than nine bytes have filters of their own, which are only
//! asked where there are such texts. What passes is compared byte for byte.

use hashbrown::HashMap;

use super::require::TEXT_BYTES_MIN;

/// Bits of filter for each window in it; a filter has at least 2^12 and at most 2^22 bits.
const BITS_A_WINDOW: usize = 32;

/// Texts, ready to be looked for.
#[derive(Debug, Default)]
pub struct Texts {
    all: Vec<(Box<[u8]>, u32)>,
    long: Option<Filter<6, 4>>,
    middle: Option<Filter<4, 4>>,
    short: Option<Filter<4, 1>>,
}

/// Windows of `GRAM` bytes, looked for at every `STRIDE`th place.
#[derive(Debug)]
struct Filter<const GRAM: usize, const STRIDE: usize> {
    bits: Vec<u64>,
    shift: u32,
    /// Window to texts, and where in the text it lies.
    windows: HashMap<u64, Vec<(u32, u32)>, foldhash::fast::FixedState>,
}

/// A window as a number, letters in lower case (and some signs as others: what passes is compared anyway).
#[inline(always)]
fn number<const GRAM: usize>(window: &[u8]) -> u64 {
    let mut bytes = [0u8; 8];
    // The length is a constant once this is inlined: one or two loads.
    if let (Some(to), Some(from)) = (bytes.get_mut(..GRAM), window.get(..GRAM)) {
        to.copy_from_slice(from);
    }
    u64::from_le_bytes(bytes) | 0x2020_2020_2020_2020
}

impl<const GRAM: usize, const STRIDE: usize> Filter<GRAM, STRIDE> {
    const LENGTH_MIN: usize = GRAM + STRIDE - 1;

    fn new(texts: &[(Box<[u8]>, u32)], takes: impl Fn(usize) -> bool) -> Option<Self> {
        let mut windows: HashMap<u64, Vec<(u32, u32)>, _> = HashMap::default();
        for (at, (text, _)) in (0u32..).zip(texts).filter(|(_, (text, _))| takes(text.len())) {
            // The middle of a text tells more than its ends.
            let start = (text.len().saturating_sub(Self::LENGTH_MIN)) / 2;
            for offset in start..start + STRIDE {
                let window = text.get(offset..offset + GRAM).unwrap_or_default();
                windows.entry(number::<GRAM>(window)).or_default().push((at, offset as u32));
            }
        }
        if windows.is_empty() {
            return None;
        }
        let size = (windows.len() * BITS_A_WINDOW).next_power_of_two().clamp(1 << 12, 1 << 22);
        let shift = 64 - size.trailing_zeros();
        let mut bits = vec![0u64; size / 64];
        for window in windows.keys() {
            let place = Self::place(*window, shift);
            if let Some(word) = bits.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        Some(Self { bits, shift, windows })
    }

    #[inline(always)]
    fn place(window: u64, shift: u32) -> usize {
        // Multiplication by the golden ratio (Knuth, The Art of Computer Programming 3, section 6.4).
        (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
    }

    #[inline]
    fn scan(&self, all: &[(Box<[u8]>, u32)], text: &[u8], each: &mut dyn FnMut(u32, usize)) {
        let mask = if GRAM < 8 { (1 << (8 * GRAM)) - 1 } else { u64::MAX };
        let bits = self.bits.as_slice();
        let ask = |window: u64| {
            let place = Self::place(window, self.shift);
            bits.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
        };
        let mut at = 0;
        // One load of eight bytes a place; near the end, where there are no eight, byte by byte.
        while let Some(chunk) = text.get(at..at + 8).and_then(|rest| rest.first_chunk::<8>()) {
            let window = u64::from_le_bytes(*chunk) & mask | 0x2020_2020_2020_2020;
            if ask(window) {
                self.confirm(window, at, all, text, each);
            }
            at += STRIDE;
        }
        while let Some(window) = text.get(at..at + GRAM) {
            let window = number::<GRAM>(window);
            if ask(window) {
                self.confirm(window, at, all, text, each);
            }
            at += STRIDE;
        }
    }

    #[inline(never)]
    fn confirm(
        &self,
        window: u64,
        at: usize,
        all: &[(Box<[u8]>, u32)],
        text: &[u8],
        each: &mut dyn FnMut(u32, usize),
    ) {
        for (number, offset) in self.windows.get(&window).into_iter().flatten() {
            let Some((wanted, wake)) = all.get(*number as usize) else { continue };
            let Some(start) = at.checked_sub(*offset as usize) else { continue };
            if text.get(start..start + wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted)) {
                each(*wake, start);
            }
        }
    }
}

impl Texts {
    /// Texts of at least four bytes, each with the number it is reported by.
    pub(super) fn new(mut all: Vec<(Box<[u8]>, u32)>) -> Self {
        all.retain(|(text, _)| text.len() >= TEXT_BYTES_MIN);
        all.sort();
        let (long, middle) = (Filter::<6, 4>::LENGTH_MIN, Filter::<4, 4>::LENGTH_MIN);
        Self {
            long: Filter::new(&all, |length| length >= long),
            middle: Filter::new(&all, |length| length >= middle && length < long),
            short: Filter::new(&all, |length| length < middle),
            all,
        }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Reports each place of each text in `bytes` (a line or a block of lines, as they stand), by its number and
    /// offset, once a filter and place; in no order.
    pub fn scan(&self, bytes: &[u8], each: &mut dyn FnMut(u32, usize)) {
        if let Some(filter) = &self.long {
            filter.scan(&self.all, bytes, each);
        }
        if let Some(filter) = &self.middle {
            filter.scan(&self.all, bytes, each);
        }
        if let Some(filter) = &self.short {
            filter.scan(&self.all, bytes, each);
        }
    }

    /// The same in a block of lines, by the offset of the line. In a line of JSON that escapes anything, what it
    /// means is searched too. `scratch` is used freely.
    pub fn scan_lines(
        &self,
        block: &[u8],
        json: bool,
        scratch: &mut Vec<u8>,
        each: &mut dyn FnMut(u32, usize),
    ) {
        if self.is_empty() {
            return;
        }
        let start_of = |at: usize| {
            let before = block.get(..at).unwrap_or_default();
            memchr::memrchr(b'\n', before).map_or(0, |line_feed| line_feed + 1)
        };
        self.scan(block, &mut |wake, at| each(wake, start_of(at)));
        let mut from = 0;
        while json && let Some(at) = block.get(from..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            let start = start_of(from + at);
            let rest = block.get(start..).unwrap_or_default();
            let line = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
            unescape(line, scratch);
            self.scan(scratch, &mut |wake, _| each(wake, start));
            from = start + line.len();
        }
    }
}

/// Undoes JSON's escapes wherever a backslash stands; what is no escape stays as it is.
fn unescape(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escaped) = rest.split_at(at);
        out.extend_from_slice(plain);
        let mut taken = 2;
        match escaped.get(1) {
            Some(b'u') => {
                let digits = escaped.get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
                let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                // Halves of a surrogate pair stand for nothing that a text looked for holds.
                let character = unit.and_then(char::from_u32).unwrap_or('\u{fffd}');
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                taken = if unit.is_some() { 6 } else { 2 };
            }
            Some(b'n' | b'r' | b't' | b'b' | b'f') => out.push(b' '),
            Some(other) => out.push(*other),
            None => taken = 1,
        }
        rest = escaped.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(texts: &Texts, bytes: &[u8]) -> Vec<u32> {
        let mut found = Vec::new();
        texts.scan(bytes, &mut |wake, _| found.push(wake));
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn an_escaped_text_is_found() {
        let texts = Texts::new(vec![
            (b"c:\\windows\\evil.exe".as_slice().into(), 1),
            (b"gate/in".as_slice().into(), 2),
        ]);
        let mut scratch = Vec::new();
        let mut woken = Vec::new();
        let block = b"{\"a\":1}\n{\"a\":\"C:\\\\Windows\\\\EVIL.exe\",\"b\":\"gate\\/\\u0069n\"}\n{\"c\":\"gate/in\"}\n";
        texts.scan_lines(block, true, &mut scratch, &mut |wake, line| woken.push((line, wake)));
        woken.sort_unstable();
        let last = block.len() - 16;
        assert_eq!(woken, [(8, 1), (8, 2), (last, 2)]);
    }

    proptest! {
        #[test]
        fn exactly_the_texts_that_are_there_are_found(
            texts in proptest::collection::vec("[ab.]{4,16}", 1..12),
            line in "[abAB.]{0,80}",
        ) {
            let numbered = (0u32..).zip(&texts).map(|(number, text)| (text.as_bytes().into(), number)).collect();
            let lower = line.to_ascii_lowercase();
            let there: Vec<u32> =
                (0u32..).zip(&texts).filter(|(_, text)| lower.contains(text.as_str())).map(|(n, _)| n).collect();
            prop_assert_eq!(found(&Texts::new(numbered), line.as_bytes()), there);
        }
    }
}
