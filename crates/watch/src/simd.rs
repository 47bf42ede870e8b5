//! The only unsafe code of this crate: vector instructions, chosen at run time, and a prefetch.
//!
//! Two things are done with vectors: finding the places in a stretch of text where something may begin or end
//! ([`Vectors::find`]), and looking at the 32 octets a value begins with ([`Vectors::look`], [`ipv4`]). Each exists in
//! plain Rust as well: for other processors, and as the measure of the vector code.
#![allow(unsafe_code)]

/// Brings the cache line at `target` on its way. Does nothing where the processor has no such instruction.
#[inline(always)]
pub(crate) fn prefetch<T>(target: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of every x86-64; a prefetch of a valid reference reads nothing a program could notice.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
            std::ptr::from_ref(target).cast(),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = target;
}

/// Octets looked at in one go.
pub(crate) const WINDOW_BYTES: usize = 4096;
/// Octets [`Vectors::look`] looks at.
pub(crate) const GLANCE_BYTES: usize = 32;

/// Where in a window something may begin or end: a colon behind `"`, a blank or a control character, a line feed, a
/// backslash. Plain Rust names every colon.
pub(crate) struct Places {
    at: [u16; WINDOW_BYTES + 8],
    used: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { at: [0; WINDOW_BYTES + 8], used: 0 }
    }
}

impl Places {
    /// The places, ascending, from the start of the window.
    #[inline(always)]
    pub(crate) fn all(&self) -> &[u16] {
        self.at.get(..self.used).unwrap_or_default()
    }

    /// Appends the places of the bits of one block of 64.
    #[inline(always)]
    fn push(&mut self, base: usize, bits: u64) {
        let mut left = bits;
        let mut next = || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (base + bit) as u16
        };
        let count = bits.count_ones() as usize;
        // Most blocks hold few: four are written, needed or not, and then four more, so that little hangs on a guess of
        // their number.
        let Some(out) = self.at.get_mut(self.used..).and_then(|tail| tail.first_chunk_mut::<8>()) else {
            return;
        };
        let [first, second, third, fourth, others @ ..] = out;
        (*first, *second, *third, *fourth) = (next(), next(), next(), next());
        if count > 4 {
            *others = [next(), next(), next(), next()];
        }
        if count > 8 {
            let out = self.at.get_mut(self.used..self.used + count).unwrap_or_default();
            out.iter_mut().skip(8).for_each(|place| *place = next());
        }
        self.used += count;
    }
}

/// What the blocks before say about the first octet of the next.
#[derive(Clone, Copy, Default)]
pub(crate) struct Carry {
    /// The last octet ends a key if a colon follows: `"`, a blank or a control character.
    open: u64,
}

/// The first 32 octets of a value, as masks: bit n is octet n.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Glance {
    /// `"`
    pub(crate) quote: u32,
    /// `\`
    pub(crate) backslash: u32,
    /// `.`
    pub(crate) dot: u32,
    /// `:`
    pub(crate) colon: u32,
    /// Octets beyond ASCII.
    pub(crate) high: u32,
}

/// The instructions to use.
pub(crate) trait Vectors {
    /// Finds the places in at most [`WINDOW_BYTES`] octets.
    fn find(text: &[u8], carry: &mut Carry, out: &mut Places);
    /// Looks at 32 octets.
    fn look(octets: &[u8; GLANCE_BYTES]) -> Glance;
    /// Of 16 octets, which are decimal digits: bit n is octet n.
    fn digits(octets: &[u8; 16]) -> u32;
}

/// Plain Rust, eight octets at a time.
pub(crate) struct Plain;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// The high bit of each octet that equals `byte`.
#[inline(always)]
fn equal8(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * u64::from(byte));
    !(((differs & LOW) + LOW) | differs | LOW)
}

/// The high bits of eight octets as one octet, the first octet lowest.
#[inline(always)]
fn gather8(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[inline(always)]
fn masked<const N: usize>(octets: &[u8; N], of: impl Fn(u64) -> u64) -> u64 {
    let (words, _) = octets.as_chunks::<8>();
    words.iter().rev().fold(0, |mask, word| mask << 8 | gather8(of(u64::from_le_bytes(*word))))
}

impl Vectors for Plain {
    fn find(text: &[u8], carry: &mut Carry, out: &mut Places) {
        out.used = 0;
        carry.open = 1;
        let (blocks, tail) = text.as_chunks::<64>();
        let of = |word| equal8(word, b':') | equal8(word, b'\n') | equal8(word, b'\\');
        for (number, block) in blocks.iter().enumerate() {
            out.push(number * 64, masked(block, of));
        }
        if !tail.is_empty() {
            out.push(blocks.len() * 64, masked(&padded(tail), of));
        }
    }

    fn look(octets: &[u8; GLANCE_BYTES]) -> Glance {
        let of = |byte| masked(octets, |word| equal8(word, byte)) as u32;
        Glance {
            quote: of(b'"'),
            backslash: of(b'\\'),
            dot: of(b'.'),
            colon: of(b':'),
            high: masked(octets, |word| word & !LOW) as u32,
        }
    }

    fn digits(octets: &[u8; 16]) -> u32 {
        octets.iter().rev().fold(0, |mask, byte| mask << 1 | u32::from(byte.is_ascii_digit()))
    }
}

/// A block cut short, filled up with zeros, which are no place of interest.
#[inline]
fn padded(tail: &[u8]) -> [u8; 64] {
    let mut block = [0u8; 64];
    block.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    block
}

/// Dotted-quad IPv4 at the head of 16 octets, `length` long, with `before` the four octets in front of them: without
/// a guess on how many digits a part has. `None` where `value::normal::ipv4` says so too.
#[inline(always)]
pub(crate) fn ipv4<V: Vectors>(octets: &[u8; 20], length: usize, dots: u32) -> Option<u32> {
    if !(7..=15).contains(&length) {
        return None;
    }
    let all = (1u32 << length) - 1;
    let dots = dots & all;
    let digits = V::digits(octets.last_chunk::<16>()?) & all;
    let two = dots & dots.wrapping_sub(1);
    let three = two & two.wrapping_sub(1);
    let ends = [dots.trailing_zeros(), two.trailing_zeros(), three.trailing_zeros(), length as u32];
    if digits | dots != all || three == 0 || three & three.wrapping_sub(1) != 0 {
        return None;
    }
    let (mut address, mut from, mut good) = (0u32, 0u32, true);
    for end in ends {
        let digits = end.wrapping_sub(from);
        good &= digits.wrapping_sub(1) < 3;
        // The four octets that end with the part's last digit; those before its first are pushed out.
        let word = octets.get(end as usize..).and_then(|tail| tail.first_chunk::<4>())?;
        let spare = 32u32.wrapping_sub(digits.wrapping_mul(8)) & 31;
        let digits = (u32::from_le_bytes(*word) & 0x0f0f_0f0f) >> spare << spare;
        let part = (digits >> 8 & 0xff) * 100 + (digits >> 16 & 0xff) * 10 + (digits >> 24);
        good &= part < 256;
        address = address << 8 | part & 0xff;
        from = end + 1;
    }
    good.then_some(address)
}

/// The best there is here: chosen at run time.
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::Avx2 as Best;
/// What every processor of this architecture has.
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::Baseline;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use {Plain as Baseline, Plain as Best};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Carry, GLANCE_BYTES, Glance, Places, Vectors, padded};

    fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt")
    }

    /// One block's octets as masks.
    struct Raw {
        quote: u64,
        colon: u64,
        other: u64,
        blank: u64,
    }

    /// Finds the places of a text with `$raw`, a function from 64 octets to masks.
    macro_rules! find {
        ($text:expr, $carry:expr, $out:expr, $raw:expr) => {{
            $out.used = 0;
            let (blocks, tail) = $text.as_chunks::<64>();
            let last = [padded(tail)];
            let last = if tail.is_empty() { &[][..] } else { &last[..] };
            // One loop for all: what it does is written out once, not called.
            for (number, block) in blocks.iter().chain(last).enumerate() {
                let raw: Raw = $raw(block);
                let open = raw.quote | raw.blank;
                let colon = raw.colon & (open << 1 | $carry.open);
                $carry.open = open >> 63;
                $out.push(number * 64, colon | raw.other);
            }
        }};
    }

    /// AVX2 where the processor has it.
    pub(crate) struct Avx2;

    impl Vectors for Avx2 {
        #[inline]
        fn find(text: &[u8], carry: &mut Carry, out: &mut Places) {
            if has_avx2() {
                // SAFETY: the processor has AVX2, BMI1 and POPCNT, as just asked (a look at a flag, once a window).
                unsafe { find_avx2(text, carry, out) }
            } else {
                Baseline::find(text, carry, out);
            }
        }

        #[inline(always)]
        fn look(octets: &[u8; GLANCE_BYTES]) -> Glance {
            Baseline::look(octets)
        }

        #[inline(always)]
        fn digits(octets: &[u8; 16]) -> u32 {
            Baseline::digits(octets)
        }
    }

    /// What every x86-64 has: SSE2.
    pub(crate) struct Baseline;

    impl Vectors for Baseline {
        fn find(text: &[u8], carry: &mut Carry, out: &mut Places) {
            // SAFETY: SSE2 is part of every x86-64.
            unsafe { find_sse2(text, carry, out) }
        }

        #[inline(always)]
        fn look(octets: &[u8; GLANCE_BYTES]) -> Glance {
            // SAFETY: SSE2 is part of every x86-64.
            unsafe { look_sse2(octets) }
        }

        #[inline(always)]
        fn digits(octets: &[u8; 16]) -> u32 {
            // SAFETY: SSE2 is part of every x86-64.
            unsafe { digits_sse2(octets) }
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn look_sse2(octets: &[u8; GLANCE_BYTES]) -> Glance {
        // SAFETY: both loads lie within the 32 octets and ask for no alignment.
        let halves = unsafe {
            let at = octets.as_ptr().cast::<__m128i>();
            [_mm_loadu_si128(at), _mm_loadu_si128(at.add(1))]
        };
        let bits = |half: __m128i| _mm_movemask_epi8(half).cast_unsigned();
        let join = |[low, high]: [__m128i; 2]| bits(low) | bits(high) << 16;
        let equal = |byte: u8| {
            let wanted = _mm_set1_epi8(byte.cast_signed());
            join(halves.map(|half| _mm_cmpeq_epi8(half, wanted)))
        };
        Glance {
            quote: equal(b'"'),
            backslash: equal(b'\\'),
            dot: equal(b'.'),
            colon: equal(b':'),
            high: join(halves),
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn digits_sse2(octets: &[u8; 16]) -> u32 {
        // SAFETY: the load lies within the 16 octets and asks for no alignment.
        let octets = unsafe { _mm_loadu_si128(octets.as_ptr().cast()) };
        let above_zero = _mm_sub_epi8(octets, _mm_set1_epi8(b'0'.cast_signed()));
        let digits = _mm_cmpeq_epi8(_mm_min_epu8(above_zero, _mm_set1_epi8(9)), above_zero);
        _mm_movemask_epi8(digits).cast_unsigned()
    }

    #[target_feature(enable = "sse2")]
    fn find_sse2(text: &[u8], carry: &mut Carry, out: &mut Places) {
        find!(text, carry, out, raw_sse2);
    }

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn find_avx2(text: &[u8], carry: &mut Carry, out: &mut Places) {
        find!(text, carry, out, raw_avx2);
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn raw_avx2(block: &[u8; 64]) -> Raw {
        // SAFETY: both loads lie within the 64 octets of the block and ask for no alignment.
        let halves = unsafe {
            [_mm256_loadu_si256(block.as_ptr().cast()), _mm256_loadu_si256(block.as_ptr().add(32).cast())]
        };
        let bits = |half: __m256i| u64::from(_mm256_movemask_epi8(half).cast_unsigned());
        let join = |[low, high]: [__m256i; 2]| bits(low) | bits(high) << 32;
        let equal = |half: __m256i, byte: u8| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte.cast_signed()));
        let space = _mm256_set1_epi8(0x20);
        Raw {
            quote: join(halves.map(|half| equal(half, b'"'))),
            colon: join(halves.map(|half| equal(half, b':'))),
            other: join(halves.map(|half| _mm256_or_si256(equal(half, b'\n'), equal(half, b'\\')))),
            blank: join(halves.map(|half| _mm256_cmpeq_epi8(_mm256_min_epu8(half, space), half))),
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn raw_sse2(block: &[u8; 64]) -> Raw {
        // SAFETY: the four loads lie within the 64 octets of the block and ask for no alignment.
        let quarters = unsafe {
            let at = block.as_ptr().cast::<__m128i>();
            [
                _mm_loadu_si128(at),
                _mm_loadu_si128(at.add(1)),
                _mm_loadu_si128(at.add(2)),
                _mm_loadu_si128(at.add(3)),
            ]
        };
        let bits = |quarter: __m128i| u64::from(_mm_movemask_epi8(quarter).cast_unsigned());
        let join = |[a, b, c, d]: [__m128i; 4]| bits(a) | bits(b) << 16 | bits(c) << 32 | bits(d) << 48;
        let equal = |quarter, byte: u8| _mm_cmpeq_epi8(quarter, _mm_set1_epi8(byte.cast_signed()));
        let space = _mm_set1_epi8(0x20);
        Raw {
            quote: join(quarters.map(|quarter| equal(quarter, b'"'))),
            colon: join(quarters.map(|quarter| equal(quarter, b':'))),
            other: join(quarters.map(|quarter| _mm_or_si128(equal(quarter, b'\n'), equal(quarter, b'\\')))),
            blank: join(quarters.map(|quarter| _mm_cmpeq_epi8(_mm_min_epu8(quarter, space), quarter))),
        }
    }
}

#[cfg(test)]
#[path = "simd_tests.rs"]
mod tests;
