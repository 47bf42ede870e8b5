//! Finds all literals of one field in a text, with where they stand, in one pass.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, BuildError, MatchKind, dfa::DFA};

/// Most bytes of literals for which the larger, quicker table is made.
const QUICK_BYTES_MAX: usize = 24 * 1024;

/// The literals of one field, compiled.
#[derive(Debug)]
pub(crate) struct Scanner {
    table: Table,
    lengths: Vec<u32>,
}

#[derive(Debug)]
enum Table {
    Quick(DFA),
    Small(NFA),
}

/// Where a literal was found: one bit each.
pub(crate) mod found {
    pub(crate) const ANYWHERE: u32 = 1;
    pub(crate) const START: u32 = 2;
    pub(crate) const END: u32 = 4;
    pub(crate) const WHOLE: u32 = 8;
    pub(crate) const ALL: u32 = 15;
}

impl Scanner {
    /// Compiles literals, in lower case and none of them empty; each is known by its place in the list.
    ///
    /// # Errors
    /// When there are too many of them for a table.
    pub(crate) fn new(literals: &[Box<str>]) -> Result<Self, BuildError> {
        let bytes: usize = literals.iter().map(|literal| literal.len()).sum();
        let patterns = literals.iter().map(|literal| literal.as_bytes());
        let small = aho_corasick::nfa::noncontiguous::Builder::new()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(patterns)?;
        let table = if bytes <= QUICK_BYTES_MAX {
            let builder = DFA::builder();
            Table::Quick(builder.build_from_noncontiguous(&small)?)
        } else {
            Table::Small(NFA::builder().build_from_noncontiguous(&small)?)
        };
        let lengths = literals.iter().map(|literal| u32::try_from(literal.len()).unwrap_or(u32::MAX)).collect();
        Ok(Self { table, lengths })
    }

    /// Bytes the table takes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.table {
            Table::Quick(table) => table.memory_usage(),
            Table::Small(table) => table.memory_usage(),
        }
    }

    /// Hands out every literal in the text, which is in lower case, and how it stands there.
    pub(crate) fn scan(&self, text: &[u8], met: &mut impl FnMut(usize, u32)) {
        match &self.table {
            Table::Quick(table) => self.run(table, text, met),
            Table::Small(table) => self.run(table, text, met),
        }
    }

    fn run<A: Automaton>(&self, table: &A, text: &[u8], met: &mut impl FnMut(usize, u32)) {
        let Ok(mut state) = table.start_state(Anchored::No) else { return };
        for (end, byte) in (1usize..).zip(text) {
            state = table.next_state(Anchored::No, state, *byte);
            if !table.is_special(state) || !table.is_match(state) {
                continue;
            }
            for index in 0..table.match_len(state) {
                let literal = table.match_pattern(state, index).as_usize();
                let length = self.lengths.get(literal).map_or(0, |length| *length as usize);
                let mut how = found::ANYWHERE;
                if length == end {
                    how |= found::START;
                }
                if end == text.len() {
                    how |= found::END | if length == end { found::WHOLE } else { 0 };
                }
                met(literal, how);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_inside_each_other_and_placed() {
        let literals: Vec<Box<str>> = ["cmd", "cmd.exe", "exe", "d.e", "absent"].map(Box::from).into();
        let scanner = Scanner::new(&literals).unwrap();
        let mut met = vec![0; literals.len()];
        scanner.scan(b"cmd.exe", &mut |literal, how| met[literal] |= how);
        let (start, end) = (found::ANYWHERE | found::START, found::ANYWHERE | found::END);
        assert_eq!(met, [start, found::ALL, end, found::ANYWHERE, 0]);
    }

    #[test]
    fn both_tables_find_the_same() {
        let literals: Vec<Box<str>> = (0..9_000).map(|n| format!("{n:x}-{}", n % 7).into()).collect();
        let quick = Scanner::new(&literals[..1_000]).unwrap();
        let small = Scanner::new(&literals).unwrap();
        assert!(matches!((&quick.table, &small.table), (Table::Quick(_), Table::Small(_))));
        let text: String = (0..3_000).step_by(13).map(|n| format!("{n:x}-{}", n % 7)).collect();
        let list = |scanner: &Scanner| {
            let mut list = Vec::new();
            scanner.scan(text.as_bytes(), &mut |literal, how| list.push((literal, how)));
            list.retain(|(literal, _)| *literal < 1_000);
            list.sort_unstable();
            list
        };
        assert_eq!(list(&quick), list(&small));
    }
}
