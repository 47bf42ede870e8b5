//! Sorted numbers as gaps in Golomb-Rice code, in blocks that are read one by one.
//!
//! A block of up to [`BLOCK`] values: 6 bits for the parameter `k`, then each gap less one as a quotient by 2^k in unary
//! (zeros, ended by a one) and `k` bits of remainder. The first value stands in the index. In a file of several hours the
//! hours follow, each value's as `1` and 5 bits (one hour), `01` and twice 5 bits (two), or `00` and 24 bits (a mask).

/// Values in a block.
pub(crate) const BLOCK: usize = 256;
/// Hours in the longest file.
pub(crate) const HOURS: u8 = 24;

/// A value and its hours, one bit each from the file's first on.
pub(crate) type Item = (u64, u32);

/// A block does not hold what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    held: u64,
    bits: u32,
}

impl BitWriter {
    /// At most 56 bits.
    fn push(&mut self, value: u64, bits: u32) {
        self.held |= value << self.bits;
        self.bits += bits;
        while self.bits >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.bits -= 8;
        }
    }

    fn unary(&mut self, mut quotient: u64) {
        while quotient >= 32 {
            self.push(0, 32);
            quotient -= 32;
        }
        self.push(1 << quotient, quotient as u32 + 1);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.bits > 0 {
            self.bytes.push(self.held as u8);
        }
        self.bytes
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Bits of a look ahead that are there wherever in an octet it begins.
const AHEAD: u32 = 57;

impl BitReader<'_> {
    /// The next bits, at least [`AHEAD`] of them; zeros behind the end.
    #[inline(always)]
    fn peek(&self) -> u64 {
        let byte = self.at / 8;
        let word = match self.bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => {
                let rest = self.bytes.get(byte..).unwrap_or_default();
                rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
            }
        };
        word >> (self.at % 8)
    }

    fn past_the_end(&self) -> bool {
        self.at > self.bytes.len() * 8
    }

    /// At most 57 bits.
    #[inline(always)]
    fn take(&mut self, bits: u32) -> u64 {
        let value = self.peek() & ((1 << bits) - 1);
        self.at += bits as usize;
        value
    }

    #[inline(always)]
    fn unary(&mut self) -> Result<u64, Broken> {
        let mut quotient = 0;
        loop {
            let ahead = self.peek() & ((1 << AHEAD) - 1);
            if ahead != 0 {
                let zeros = ahead.trailing_zeros();
                self.at += zeros as usize + 1;
                return Ok(quotient + u64::from(zeros));
            }
            quotient += u64::from(AHEAD);
            self.at += AHEAD as usize;
            if self.past_the_end() {
                return Err(Broken);
            }
        }
    }
}

/// Writes 1 to [`BLOCK`] values in rising order, each once.
pub(crate) fn encode(items: &[Item], hours: u8) -> Vec<u8> {
    let mut to = BitWriter::default();
    let first = items.first().map_or(0, |item| item.0);
    let last = items.last().map_or(0, |item| item.0);
    let gaps = items.len().saturating_sub(1).max(1) as u64;
    // The mean gap, cut to a power of two, is within 0.1 bits of the best parameter for gaps of random values.
    let k = (last.saturating_sub(first) / gaps).checked_ilog2().unwrap_or(0).min(55);
    to.push(u64::from(k), 6);
    let mut before = first;
    for (value, _) in items.iter().skip(1) {
        let gap = value.saturating_sub(before).saturating_sub(1);
        to.unary(gap >> k);
        to.push(gap & ((1 << k) - 1), k);
        before = *value;
    }
    if hours > 1 {
        items.iter().for_each(|(_, mask)| push_hours(&mut to, *mask));
    }
    to.finish()
}

fn push_hours(to: &mut BitWriter, mask: u32) {
    let first = u64::from(mask.trailing_zeros());
    match mask.count_ones() {
        1 => to.push(1 | first << 1, 6),
        2 => to.push(0b10 | first << 2 | u64::from(mask.ilog2()) << 7, 12),
        _ => to.push(u64::from(mask) << 2, 26),
    }
}

/// Reads the values of a block of `count` into `values`; tells where, in bits, the hours begin.
pub(crate) fn decode(bytes: &[u8], first: u64, count: usize, values: &mut Vec<u64>) -> Result<usize, Broken> {
    values.clear();
    let mut from = BitReader { bytes, at: 0 };
    let k = from.take(6) as u32;
    if k > 55 || count == 0 || count > BLOCK {
        return Err(Broken);
    }
    let mut value = first;
    values.push(value);
    for _ in 1..count {
        let quotient = from.unary()?;
        // A quotient that large is no sum of gaps below 2^56.
        let high = quotient.checked_shl(k).filter(|high| high >> k == quotient).ok_or(Broken)?;
        let gap = high | from.take(k);
        value = value.checked_add(gap).and_then(|value| value.checked_add(1)).ok_or(Broken)?;
        values.push(value);
    }
    if from.past_the_end() { Err(Broken) } else { Ok(from.at) }
}

/// Reads the hours of a block of `count` from bit `at` on.
pub(crate) fn decode_hours(
    bytes: &[u8],
    at: usize,
    count: usize,
    hours: u8,
    masks: &mut Vec<u32>,
) -> Result<(), Broken> {
    masks.clear();
    if hours <= 1 {
        masks.resize(count, 1);
        return Ok(());
    }
    let mut from = BitReader { bytes, at };
    for _ in 0..count {
        let mask = if from.take(1) == 1 {
            1 << from.take(5)
        } else if from.take(1) == 1 {
            1 << from.take(5) | 1 << from.take(5)
        } else {
            from.take(24)
        };
        if mask == 0 || mask >> hours != 0 {
            return Err(Broken);
        }
        masks.push(mask as u32);
    }
    if from.past_the_end() { Err(Broken) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(bytes: &[u8], first: u64, count: usize, hours: u8) -> Result<Vec<Item>, Broken> {
        let (mut values, mut masks) = (Vec::new(), Vec::new());
        let at = decode(bytes, first, count, &mut values)?;
        decode_hours(bytes, at, count, hours, &mut masks)?;
        Ok(values.into_iter().zip(masks).collect())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in proptest::collection::btree_map(
                prop_oneof![0u64..1 << 56, 0u64..300, (1u64 << 56) - 300..1 << 56], 1u32..1 << 24, 1..=BLOCK),
            several in any::<bool>(),
        ) {
            let hours = if several { 24 } else { 1 };
            let items: Vec<Item> = values.into_iter().map(|(v, mask)| (v, if several { mask } else { 1 })).collect();
            let bytes = encode(&items, hours);
            prop_assert_eq!(back(&bytes, items[0].0, items.len(), hours), Ok(items));
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..400), first in any::<u64>(), count in 0usize..300) {
            let _ = back(&bytes, first, count, 24);
            let _ = back(&bytes, first, count, 1);
        }
    }

    #[test]
    fn random_values_cost_a_bit_and_a_half_over_the_least() {
        // 5 million values in 2^53, as a busy day has.
        let gap = (1u64 << 53) / 5_000_000;
        let mut state = 1u64;
        let mut items = Vec::new();
        let mut value = 0;
        for _ in 0..BLOCK {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 11) as f64 / (1u64 << 53) as f64;
            value += 1 + (-uniform.max(1e-12).ln() * gap as f64) as u64;
            items.push((value, 1));
        }
        let bits = encode(&items, 1).len() as f64 * 8.0 / BLOCK as f64;
        let least = (gap as f64).log2();
        assert!(bits < least + 1.9, "{bits} bits, {least}");
    }
}
