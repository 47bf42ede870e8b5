//! Files written, read, asked and damaged.

use super::*;
use proptest::prelude::*;

fn write(path: &Path, hours: u8, words: &[Item], addresses: &[Item]) {
    let mut header = Header::new(Hour(480_000), hours, BITS, 7, "eve.json");
    header.minutes[0] = 0b101;
    let mut writer = Writer::create(path, header).unwrap();
    let items = |items: &[Item]| items.iter().map(|item| Ok::<_, MemoryError>(*item)).collect::<Vec<_>>();
    writer.section(Sort::Words, items(words).into_iter()).unwrap();
    writer.section(Sort::Addresses, items(addresses).into_iter()).unwrap();
    let size = writer.finish().unwrap();
    assert_eq!(size, fs::metadata(path).unwrap().len());
}

fn sample() -> (Vec<Item>, Vec<Item>) {
    let words: Vec<Item> =
        (0u64..3_000).map(|n| (n * 0x1234_5678_9abc / 3 + n * n, 1 << (n % 24) | 1)).collect();
    let addresses: Vec<Item> = (0u64..700).map(|n| (0x0a00_0000 + n * 3, 0xff_ffff >> (n % 20))).collect();
    (words, addresses)
}

#[test]
fn a_file_gives_back_what_went_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("day.seg");
    let (words, addresses) = sample();
    write(&path, 24, &words, &addresses);
    let segment = Segment::open(&path, Some(7)).unwrap().unwrap();
    assert_eq!((segment.header.source.as_str(), segment.header.minutes[0]), ("eve.json", 0b101));
    let all = |sort| segment.items(sort).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!((all(Sort::Words), all(Sort::Addresses)), (words.clone(), addresses));
    // Asked one by one, and out of order.
    for many in [false, true] {
        let mut blocks = segment.blocks(Sort::Words, many).unwrap();
        for (value, mask) in words.iter().step_by(37).chain(words.iter().rev().step_by(101)) {
            let number = blocks.block_of(*value).unwrap();
            let place = blocks.values(number).unwrap().binary_search(value).unwrap();
            assert_eq!(blocks.hours(place).unwrap(), *mask);
        }
    }
    assert_eq!(check(&path).unwrap(), None);
    let other = Segment::open(&path, Some(8)).unwrap().unwrap_err();
    assert!(other.to_string().contains("another key"), "{other}");
}

#[test]
fn an_empty_file_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.hour");
    write(&path, 1, &[], &[]);
    assert_eq!(check(&path).unwrap(), None);
    assert_eq!(Segment::open(&path, None).unwrap().unwrap().items(Sort::Words).unwrap().count(), 0);
}

#[test]
fn what_a_file_keeps_of_a_fingerprint_grows_with_what_it_holds() {
    for count in [0u64, 1, 2, 1_000, 5_000_000, 60_000_000] {
        let width = width_for(count);
        assert!(
            count as f64 / 2f64.powi(width as i32) <= 2f64.powi(-30) || count > 1 << 26,
            "{count}: {width}"
        );
        assert!(width <= BITS);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// One octet changed anywhere, or the end cut off, is noticed or makes no difference; nothing panics.
    #[test]
    fn damage_is_noticed(place in any::<proptest::sample::Index>(), to in any::<u8>(), cut in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.seg");
        let (words, addresses) = sample();
        write(&path, 24, &words, &addresses);
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        let changed = cut || bytes[place] != to;
        if cut { bytes.truncate(place) } else { bytes[place] = to }
        fs::write(&path, &bytes).unwrap();
        prop_assert_eq!(check(&path).unwrap().is_some(), changed);
    }
}

/// With `SHIELDWALL_SEEDS` naming a directory, writes the fuzzer's seeds there.
#[test]
fn seeds_are_whole() {
    let directory = tempfile::tempdir().unwrap();
    let place = std::env::var_os("SHIELDWALL_SEEDS").map_or(directory.path().to_owned(), PathBuf::from);
    let (words, addresses) = sample();
    let single: Vec<Item> = words.iter().take(300).map(|(word, _)| (*word, 1)).collect();
    write(&place.join("hour"), 1, &single, &[]);
    write(&place.join("day"), 24, &words[..600], &addresses[..300]);
    for name in ["hour", "day"] {
        assert_eq!(check(&place.join(name)).unwrap(), None);
        assert_eq!(check_past_sums(&place.join(name)).unwrap(), None);
    }
}
