//! The filter's memory: lines of 64 octets, as a cache has them, in pages as large as the system gives.
//!
//! A probe of a filter of megabytes goes to a page that was not asked for lately, and translating its address takes
//! longer than the read itself: with pages of 4 KiB matching is a fifth slower.

use memmap2::MmapMut;

use super::TooLarge;

/// Octets of a line.
const LINE_BYTES: usize = 64;

/// The lines.
pub(super) struct Filter(MmapMut);

impl Filter {
    /// So many lines of zeros, one at least.
    ///
    /// # Errors
    /// [`TooLarge`] if the system has no such memory to give.
    pub(super) fn new(lines: usize) -> Result<Self, TooLarge> {
        let map = MmapMut::map_anon(lines.max(1) * LINE_BYTES).map_err(|_| TooLarge)?;
        // Where there are no large pages, small ones do.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self(map))
    }

    #[inline(always)]
    pub(super) fn lines(&self) -> &[[u8; LINE_BYTES]] {
        self.0.as_chunks().0
    }

    /// A word of a line; zero if there is none.
    #[inline(always)]
    pub(super) fn word(&self, line: usize, word: usize) -> u64 {
        let word = self.lines().get(line).and_then(|line| line.as_chunks().0.get(word));
        word.map_or(0, |word| u64::from_ne_bytes(*word))
    }

    /// Sets bits of a word.
    #[inline(always)]
    pub(super) fn enter(&mut self, line: usize, word: usize, bits: u64) {
        let lines = self.0.as_chunks_mut::<LINE_BYTES>().0;
        if let Some(word) = lines.get_mut(line).and_then(|line| line.as_chunks_mut().0.get_mut(word)) {
            *word = (u64::from_ne_bytes(*word) | bits).to_ne_bytes();
        }
    }

    /// Octets held.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }
}
