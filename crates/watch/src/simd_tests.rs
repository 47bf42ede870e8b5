//! Vector code against plain Rust, and plain Rust against what it says it does.

use proptest::prelude::*;

use super::*;
use crate::value::normal;

fn places<V: Vectors>(text: &[u8]) -> Vec<usize> {
    let (mut carry, mut found) = (Carry::default(), Places::default());
    let mut all = Vec::new();
    for (number, window) in text.chunks(WINDOW_BYTES).enumerate() {
        V::find(window, &mut carry, &mut found);
        all.extend(found.all().iter().map(|place| number * WINDOW_BYTES + usize::from(*place)));
    }
    all
}

/// What [`Vectors::find`] has to find, and what it may.
fn wanted(text: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let before = |at: usize| at.checked_sub(1).map(|at| text[at]);
    let ends = |at: &usize| match text[*at] {
        b'\n' | b'\\' => true,
        b':' => before(*at).is_some_and(|byte| byte == b'"' || byte <= b' '),
        _ => false,
    };
    (
        (0..text.len()).filter(ends).collect(),
        (0..text.len()).filter(|at| b":\n\\".contains(&text[*at])).collect(),
    )
}

/// An address as the scan reads it.
fn address<V: Vectors>(text: &[u8]) -> Option<u32> {
    let mut octets = *b"0123456789.0123456789.0123456789.012";
    octets.iter_mut().skip(4).zip(text).for_each(|(to, from)| *to = *from);
    let dots = V::look(octets[4..].first_chunk().unwrap()).dot;
    ipv4::<V>(octets.first_chunk().unwrap(), text.len(), dots)
}

fn check<V: Vectors>(text: &[u8], name: &str) {
    let (must, may) = wanted(text);
    let found = places::<V>(text);
    assert!(must.iter().all(|at| found.contains(at)), "{name}");
    assert!(found.iter().all(|at| may.contains(at)), "{name}");
    for octets in text.windows(GLANCE_BYTES).take(200) {
        let octets = octets.first_chunk().unwrap();
        let of = |fits: &dyn Fn(u8) -> bool| {
            octets.iter().enumerate().fold(0u32, |mask, (at, byte)| mask | u32::from(fits(*byte)) << at)
        };
        let glance = Glance {
            quote: of(&|byte| byte == b'"'),
            backslash: of(&|byte| byte == b'\\'),
            dot: of(&|byte| byte == b'.'),
            colon: of(&|byte| byte == b':'),
            high: of(&|byte| byte >= 0x80),
        };
        assert_eq!(V::look(octets), glance, "{name}");
        assert_eq!(V::digits(octets.first_chunk().unwrap()), of(&|byte| byte.is_ascii_digit()) & 0xffff);
    }
}

proptest! {
    #[test]
    fn every_variant_finds_what_is_there(
        text in proptest::collection::vec(
            proptest::sample::select(b"\":\\\n \tax{}.,09/\x00\x7f\x80\xff".to_vec()), 0..2 * WINDOW_BYTES,
        )
    ) {
        check::<Plain>(&text, "plain");
        check::<Baseline>(&text, "baseline");
        check::<Best>(&text, "best");
    }

    #[test]
    fn addresses_are_read_as_the_exact_reader_reads_them(
        text in prop_oneof!["[0-9]{1,4}\\.[0-9]{1,3}\\.[0-9]{0,4}\\.[0-9]{1,3}", "[0-9.]{5,17}", "[0-9.:ax/]{7,15}"]
    ) {
        let wanted = normal::ipv4(text.as_bytes());
        prop_assert_eq!(address::<Plain>(text.as_bytes()), wanted);
        prop_assert_eq!(address::<Baseline>(text.as_bytes()), wanted);
    }
}
