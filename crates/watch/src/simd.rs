//! The only unsafe code of this crate: vector instructions, chosen at run time, and a prefetch.
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

/// Blocks of 64 octets in one [`Window`].
pub(crate) const WINDOW_BLOCKS: usize = 64;
/// Octets in one [`Window`].
pub(crate) const WINDOW_BYTES: usize = WINDOW_BLOCKS * 64;

/// Where the octets JSON is made of stand in a block of 64: bit n is octet n.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Marks {
    /// `"`
    pub(crate) quote: u64,
    /// `:` right behind `"`: the end of a key, mostly.
    pub(crate) key: u64,
    /// `:` right behind a blank: the end of a key perhaps.
    pub(crate) loose: u64,
    /// Line feed.
    pub(crate) newline: u64,
    /// `\`
    pub(crate) backslash: u64,
}

/// What one block says about the first octet of the next.
#[derive(Clone, Copy, Default)]
pub(crate) struct Carry {
    quote: u64,
    blank: u64,
}

/// The octets of one block as masks: quote, colon, line feed, backslash, blank or control.
struct Raw {
    quote: u64,
    colon: u64,
    newline: u64,
    backslash: u64,
    blank: u64,
}

#[inline(always)]
fn marks(raw: &Raw, carry: &mut Carry) -> Marks {
    let key = raw.colon & (raw.quote << 1 | carry.quote);
    let loose = raw.colon & (raw.blank << 1 | carry.blank);
    *carry = Carry { quote: raw.quote >> 63, blank: raw.blank >> 63 };
    Marks { quote: raw.quote, key, loose, newline: raw.newline, backslash: raw.backslash }
}

/// Marks up to [`WINDOW_BYTES`] of text and returns how many blocks that were. A last block cut short is filled up
/// with zeros, which mark nothing.
pub(crate) fn mark(text: &[u8], carry: &mut Carry, out: &mut [Marks; WINDOW_BLOCKS]) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if x86::has_avx512() {
            // SAFETY: the processor has AVX-512 F and BW, as just asked.
            return unsafe { x86::mark_avx512(text, carry, out) };
        }
        if x86::has_avx2() {
            // SAFETY: the processor has AVX2, as just asked.
            return unsafe { x86::mark_avx2(text, carry, out) };
        }
        // SAFETY: SSE2 is part of every x86-64.
        unsafe { x86::mark_sse2(text, carry, out) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    mark_plain(text, carry, out)
}

/// Runs `raw` over the blocks of a text.
macro_rules! over_blocks {
    ($text:expr, $carry:expr, $out:expr, $raw:expr) => {{
        let (blocks, tail) = $text.as_chunks::<64>();
        let mut used = 0;
        for (block, out) in blocks.iter().zip($out.iter_mut()) {
            *out = marks(&$raw(block), $carry);
            used += 1;
        }
        if !tail.is_empty()
            && let Some(out) = $out.get_mut(used)
        {
            let mut block = [0u8; 64];
            block.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
            *out = marks(&$raw(&block), $carry);
            used += 1;
        }
        used
    }};
}

/// The same in plain Rust, eight octets at a time: for other processors, and as the measure of the vector code.
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(crate) fn mark_plain(text: &[u8], carry: &mut Carry, out: &mut [Marks; WINDOW_BLOCKS]) -> usize {
    over_blocks!(text, carry, out, plain_block)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_block(block: &[u8; 64]) -> Raw {
    let of = |fits: fn(u8) -> bool| {
        block.iter().enumerate().fold(0u64, |mask, (at, byte)| mask | u64::from(fits(*byte)) << at)
    };
    Raw {
        quote: of(|byte| byte == b'"'),
        colon: of(|byte| byte == b':'),
        newline: of(|byte| byte == b'\n'),
        backslash: of(|byte| byte == b'\\'),
        blank: of(|byte| byte <= b' '),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Carry, Marks, Raw, WINDOW_BLOCKS, marks};

    pub(super) fn has_avx512() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
    }

    pub(super) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2")
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn mark_avx512(text: &[u8], carry: &mut Carry, out: &mut [Marks; WINDOW_BLOCKS]) -> usize {
        over_blocks!(text, carry, out, raw_avx512)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn raw_avx512(block: &[u8; 64]) -> Raw {
        // SAFETY: the block is 64 octets long, and the load asks for no alignment.
        let octets = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        let equal = |byte: u8| _mm512_cmpeq_epi8_mask(octets, _mm512_set1_epi8(byte.cast_signed()));
        Raw {
            quote: equal(b'"'),
            colon: equal(b':'),
            newline: equal(b'\n'),
            backslash: equal(b'\\'),
            blank: _mm512_cmple_epu8_mask(octets, _mm512_set1_epi8(0x20)),
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn mark_avx2(text: &[u8], carry: &mut Carry, out: &mut [Marks; WINDOW_BLOCKS]) -> usize {
        over_blocks!(text, carry, out, raw_avx2)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn raw_avx2(block: &[u8; 64]) -> Raw {
        // SAFETY: both loads lie within the 64 octets of the block and ask for no alignment.
        let halves = unsafe {
            [_mm256_loadu_si256(block.as_ptr().cast()), _mm256_loadu_si256(block.as_ptr().add(32).cast())]
        };
        let bits = |half: __m256i| u64::from(_mm256_movemask_epi8(half).cast_unsigned());
        let join = |[low, high]: [__m256i; 2]| bits(low) | bits(high) << 32;
        let equal = |byte: u8| {
            let wanted = _mm256_set1_epi8(byte.cast_signed());
            join(halves.map(|half| _mm256_cmpeq_epi8(half, wanted)))
        };
        let space = _mm256_set1_epi8(0x20);
        Raw {
            quote: equal(b'"'),
            colon: equal(b':'),
            newline: equal(b'\n'),
            backslash: equal(b'\\'),
            blank: join(halves.map(|half| _mm256_cmpeq_epi8(_mm256_min_epu8(half, space), half))),
        }
    }

    #[target_feature(enable = "sse2")]
    pub(super) fn mark_sse2(text: &[u8], carry: &mut Carry, out: &mut [Marks; WINDOW_BLOCKS]) -> usize {
        over_blocks!(text, carry, out, raw_sse2)
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
        let equal = |byte: u8| {
            let wanted = _mm_set1_epi8(byte.cast_signed());
            join(quarters.map(|quarter| _mm_cmpeq_epi8(quarter, wanted)))
        };
        let space = _mm_set1_epi8(0x20);
        Raw {
            quote: equal(b'"'),
            colon: equal(b':'),
            newline: equal(b'\n'),
            backslash: equal(b'\\'),
            blank: join(quarters.map(|quarter| _mm_cmpeq_epi8(_mm_min_epu8(quarter, space), quarter))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Mark = fn(&[u8], &mut Carry, &mut [Marks; WINDOW_BLOCKS]) -> usize;

    #[cfg(target_arch = "x86_64")]
    fn variants() -> Vec<(&'static str, Mark)> {
        // SAFETY: SSE2 is part of every x86-64; the others are entered only where the processor has them.
        let mut all: Vec<(&'static str, Mark)> =
            vec![("chosen", mark), ("sse2", |text, carry, out| unsafe { x86::mark_sse2(text, carry, out) })];
        if x86::has_avx2() {
            // SAFETY: asked just now.
            all.push(("avx2", |text, carry, out| unsafe { x86::mark_avx2(text, carry, out) }));
        }
        if x86::has_avx512() {
            // SAFETY: asked just now.
            all.push(("avx512", |text, carry, out| unsafe { x86::mark_avx512(text, carry, out) }));
        }
        all
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn variants() -> Vec<(&'static str, Mark)> {
        vec![("chosen", mark)]
    }

    proptest::proptest! {
        #[test]
        fn every_variant_marks_as_plain_rust_does(
            text in proptest::collection::vec(proptest::sample::select(b"\":\\\n \tax{},\x00\x7f\x80\xff".to_vec()), 0..WINDOW_BYTES)
        ) {
            let (mut wanted, mut carry) = ([Marks::default(); WINDOW_BLOCKS], Carry::default());
            let blocks = mark_plain(&text, &mut carry, &mut wanted);
            proptest::prop_assert_eq!(blocks, text.len().div_ceil(64));
            for (name, variant) in variants() {
                let (mut found, mut found_carry) = ([Marks::default(); WINDOW_BLOCKS], Carry::default());
                proptest::prop_assert_eq!(variant(&text, &mut found_carry, &mut found), blocks, "{}", name);
                proptest::prop_assert_eq!(&found[..], &wanted[..], "{}", name);
                proptest::prop_assert_eq!((found_carry.quote, found_carry.blank), (carry.quote, carry.blank));
            }
        }
    }

    #[test]
    fn marks_say_what_they_say() {
        let mut out = [Marks::default(); WINDOW_BLOCKS];
        let mut carry = Carry::default();
        assert_eq!(mark(b"{\"a\":1, \"b\" :\"\\\"\"}\n", &mut carry, &mut out), 1);
        let at = |mask: u64| (0..64).filter(|bit| mask >> bit & 1 == 1).collect::<Vec<_>>();
        assert_eq!(at(out[0].quote), [1, 3, 8, 10, 13, 15, 16]);
        assert_eq!(at(out[0].key), [4]);
        assert_eq!(at(out[0].loose), [12]);
        assert_eq!(at(out[0].backslash), [14]);
        assert_eq!(at(out[0].newline), [18]);
    }
}
