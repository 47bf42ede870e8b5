//! Several files of one source and day become one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use crate::Hour;
use crate::codec::{HOURS, Item};
use crate::error::{Damage, MemoryError};
use crate::fingerprint::BITS;
use crate::segment::{Header, Items, Segment, Sort, Writer, width_for};

/// Why files could not be merged.
pub(crate) enum Unmerged {
    Disk(MemoryError),
    /// One of them is damaged; without it the others can be.
    Damaged(Damage),
}

impl From<MemoryError> for Unmerged {
    fn from(error: MemoryError) -> Self {
        Self::Disk(error)
    }
}

impl From<Damage> for Unmerged {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// The values of all files in order, each once with all its hours.
struct Union<'a> {
    from: Vec<(Items<'a>, u32, u32)>,
    next: BinaryHeap<Reverse<(u64, u32, usize)>>,
    failed: Option<Damage>,
}

impl<'a> Union<'a> {
    /// Words are cut to `width` bits.
    fn of(files: &'a [Segment], day: Hour, sort: Sort, width: u32) -> Result<Self, Damage> {
        let mut from = Vec::with_capacity(files.len());
        for file in files {
            let cut = if sort == Sort::Words { file.header.width.saturating_sub(width) } else { 0 };
            from.push((file.items(sort)?, cut, file.header.first.0.saturating_sub(day.0)));
        }
        let mut union = Self { from, next: BinaryHeap::new(), failed: None };
        (0..files.len()).for_each(|place| union.pull(place));
        Ok(union)
    }

    fn pull(&mut self, place: usize) {
        let Some((items, cut, shift)) = self.from.get_mut(place) else { return };
        match items.next() {
            Some(Ok((value, mask))) => self.next.push(Reverse((value >> *cut, mask << *shift, place))),
            Some(Err(damage)) => self.failed = Some(damage),
            None => {}
        }
    }
}

impl Iterator for Union<'_> {
    type Item = Result<Item, Unmerged>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((value, mut mask, place)) = self.next.pop()?;
        self.pull(place);
        while let Some(Reverse((other, more, place))) = self.next.peek().copied()
            && other == value
        {
            mask |= more;
            self.next.pop();
            self.pull(place);
        }
        match self.failed.take() {
            Some(damage) => {
                self.next.clear();
                Some(Err(damage.into()))
            }
            None => Some(Ok((value, mask))),
        }
    }
}

/// Writes the union of `files`, all of one source within the day that begins at `day`. Two passes over the values: the
/// first counts them, so that the second knows how many bits to keep.
pub(crate) fn merge(path: &Path, day: Hour, files: &[Segment]) -> Result<(), Unmerged> {
    let narrowest = files.iter().map(|file| file.header.width).min().unwrap_or(BITS);
    let mut count = 0u64;
    for item in Union::of(files, day, Sort::Words, narrowest)? {
        item?;
        count += 1;
    }
    let width = width_for(count).min(narrowest);
    let Some(any) = files.first() else { return Ok(()) };
    let mut header = Header::new(day, HOURS, width, any.header.key_check, &any.header.source);
    for file in files {
        let shift = file.header.first.0.saturating_sub(day.0) as usize;
        for (to, from) in header.minutes.iter_mut().skip(shift).zip(&file.header.minutes) {
            *to |= from;
        }
    }
    let mut writer = Writer::create(path, header)?;
    writer.section(Sort::Words, Union::of(files, day, Sort::Words, width)?)?;
    writer.section(Sort::Addresses, Union::of(files, day, Sort::Addresses, width)?)?;
    writer.finish()?;
    Ok(())
}
