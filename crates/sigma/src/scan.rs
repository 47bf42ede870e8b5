//! Finds all literals of one field in a text, with where they stand, in one pass.
//!
//! An automaton over the literals of thousands of rules is larger than a core's caches, and each byte waits for the one
//! before. Here each literal is found by four of its bytes, those that the fewest literals share: a bitmap that stays in
//! the nearest cache says at each place of the text whether any literal may be there, and only where it does, a table and
//! a comparison tell. Literals of less than four bytes have an automaton of their own, which is small.

use aho_corasick::automaton::Automaton;
use aho_corasick::{Anchored, BuildError, MatchKind, dfa::DFA};
use hashbrown::HashMap;

/// Bytes a literal is found by.
const GRAM: usize = 4;
/// Bits of the bitmap for each literal, before rounding up: one place in so many is looked at in vain.
const BITS_PER_LITERAL: usize = 32;
/// Fewest and most bits of the bitmap, as powers of two; the most is 32 KiB.
const BITS_POWER: (u32, u32) = (10, 18);

/// The literals of one field, compiled.
#[derive(Debug)]
pub(crate) struct Scanner {
    literals: Vec<Box<str>>,
    bitmap: Box<[u64]>,
    shift: u32,
    /// By four bytes: the literals found by them, as a range of `anchors`.
    grams: HashMap<u32, (u32, u32)>,
    /// A literal, and where in it the four bytes are.
    anchors: Vec<(u32, u32)>,
    short: Option<Short>,
}

/// Literals of less than four bytes.
#[derive(Debug)]
struct Short {
    table: DFA,
    /// The literal of each pattern.
    literals: Vec<u32>,
}

/// Where a literal was found: one bit each.
pub(crate) mod found {
    pub(crate) const ANYWHERE: u32 = 1;
    pub(crate) const START: u32 = 2;
    pub(crate) const END: u32 = 4;
    pub(crate) const WHOLE: u32 = 8;
    pub(crate) const ALL: u32 = 15;
}

/// How a piece from `start` to `end` stands in a text of `length` bytes.
const fn how(start: usize, end: usize, length: usize) -> u32 {
    match (start == 0, end == length) {
        (true, true) => found::ALL,
        (true, false) => found::ANYWHERE | found::START,
        (false, true) => found::ANYWHERE | found::END,
        (false, false) => found::ANYWHERE,
    }
}

impl Scanner {
    /// Compiles literals, in lower case and none of them empty; each is known by its place in the list.
    ///
    /// # Errors
    /// When the short ones do not fit into a table, which takes more of them than there are.
    pub(crate) fn new(literals: &[Box<str>]) -> Result<Self, BuildError> {
        let numbered = || (0u32..).zip(literals);
        let mut shared: HashMap<u32, u32> = HashMap::new();
        for (_, literal) in numbered() {
            for gram in grams(literal.as_bytes()) {
                *shared.entry(gram).or_default() += 1;
            }
        }
        let mut by_gram: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
        let mut short = Vec::new();
        for (number, literal) in numbered() {
            let rarest = (0u32..)
                .zip(grams(literal.as_bytes()))
                .min_by_key(|(_, gram)| shared.get(gram).copied().unwrap_or_default());
            match rarest {
                Some((offset, gram)) => by_gram.entry(gram).or_default().push((number, offset)),
                None => short.push(number),
            }
        }
        let wanted = (by_gram.len() * BITS_PER_LITERAL).next_power_of_two().ilog2();
        let power = wanted.clamp(BITS_POWER.0, BITS_POWER.1);
        let mut scanner = Self {
            bitmap: vec![0; 1 << (power - 6)].into(),
            shift: u32::BITS - power,
            grams: HashMap::with_capacity(by_gram.len()),
            anchors: Vec::with_capacity(literals.len()),
            short: None,
            literals: literals.to_vec(),
        };
        for (gram, anchors) in by_gram {
            let first = scanner.anchors.len() as u32;
            scanner.anchors.extend(anchors);
            scanner.grams.insert(gram, (first, scanner.anchors.len() as u32));
            let bit = scanner.bit(gram);
            if let Some(word) = scanner.bitmap.get_mut(bit >> 6) {
                *word |= 1 << (bit & 63);
            }
        }
        if !short.is_empty() {
            let patterns =
                short.iter().filter_map(|number| literals.get(*number as usize)).map(|text| text.as_bytes());
            let table = DFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(patterns)?;
            scanner.short = Some(Short { table, literals: short });
        }
        Ok(scanner)
    }

    /// Bytes the tables take.
    pub(crate) fn bytes(&self) -> usize {
        let texts: usize = self.literals.iter().map(|literal| literal.len() + size_of::<Box<str>>()).sum();
        let short = self.short.as_ref().map_or(0, |short| short.table.memory_usage());
        texts + short + self.bitmap.len() * 8 + self.anchors.len() * 8 + self.grams.capacity() * 13
    }

    /// Hands out every literal in the text, which is in lower case, and how it stands there.
    pub(crate) fn scan(&self, text: &[u8], met: &mut impl FnMut(usize, u32)) {
        if let Some(short) = &self.short {
            short.scan(&self.literals, text, met);
        }
        for (place, gram) in grams(text).enumerate() {
            let bit = self.bit(gram);
            if self.bitmap.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 == 1) {
                self.compare(text, place, gram, met);
            }
        }
    }

    /// The bit of four bytes. Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
    fn bit(&self, gram: u32) -> usize {
        (gram.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    /// Compares the literals that are found by four bytes with the text around them.
    fn compare(&self, text: &[u8], place: usize, gram: u32, met: &mut impl FnMut(usize, u32)) {
        let Some((first, last)) = self.grams.get(&gram) else { return };
        for (literal, offset) in self.anchors.get(*first as usize..*last as usize).unwrap_or_default() {
            let Some(start) = place.checked_sub(*offset as usize) else { continue };
            let Some(bytes) = self.literals.get(*literal as usize).map(|literal| literal.as_bytes()) else {
                continue;
            };
            let end = start + bytes.len();
            if text.get(start..end) == Some(bytes) {
                met(*literal as usize, how(start, end, text.len()));
            }
        }
    }
}

impl Short {
    fn scan(&self, literals: &[Box<str>], text: &[u8], met: &mut impl FnMut(usize, u32)) {
        let table = &self.table;
        let Ok(mut state) = table.start_state(Anchored::No) else { return };
        for (end, byte) in (1usize..).zip(text) {
            state = table.next_state(Anchored::No, state, *byte);
            if !table.is_special(state) || !table.is_match(state) {
                continue;
            }
            for index in 0..table.match_len(state) {
                let pattern = table.match_pattern(state, index).as_usize();
                let Some(literal) = self.literals.get(pattern).map(|literal| *literal as usize) else {
                    continue;
                };
                let length = literals.get(literal).map_or(0, |literal| literal.len());
                met(literal, how(end - length.min(end), end, text.len()));
            }
        }
    }
}

/// Every four bytes in a row.
fn grams(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.array_windows::<GRAM>().map(|window| u32::from_le_bytes(*window))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_are_found_inside_each_other_and_placed() {
        let literals: Vec<Box<str>> =
            ["cmd", "cmd.exe", "exe", "d.e", "absent", "d.exe"].map(Box::from).into();
        let scanner = Scanner::new(&literals).unwrap();
        let mut met = vec![0; literals.len()];
        scanner.scan(b"cmd.exe", &mut |literal, how| met[literal] |= how);
        let (start, end) = (found::ANYWHERE | found::START, found::ANYWHERE | found::END);
        assert_eq!(met, [start, found::ALL, end, found::ANYWHERE, 0, end]);
    }

    proptest! {
        #[test]
        fn the_scanner_finds_what_looking_for_each_literal_finds(
            literals in proptest::collection::btree_set("[abc]{1,7}", 0..60),
            text in "[abc]{0,60}",
        ) {
            let literals: Vec<Box<str>> = literals.into_iter().map(Box::from).collect();
            let mut met = vec![0; literals.len()];
            Scanner::new(&literals).unwrap().scan(text.as_bytes(), &mut |literal, how| met[literal] |= how);
            for (literal, met) in literals.iter().zip(met) {
                let expected = (u32::from(text.contains(&**literal)) * found::ANYWHERE)
                    | (u32::from(text.starts_with(&**literal)) * found::START)
                    | (u32::from(text.ends_with(&**literal)) * found::END)
                    | (u32::from(text == **literal) * found::WHOLE);
                prop_assert_eq!(met, expected, "{} in {}", literal, text);
            }
        }
    }
}
