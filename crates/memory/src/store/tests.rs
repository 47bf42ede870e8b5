//! Days lived through in a moment: hours finished, days merged, what is asked found again.

use super::*;
use crate::scribe::Code;
use proptest::prelude::*;
use shieldwall_model::id::RepeatableEntropy;

const DAY: i64 = 1_764_028_800; // 2025-11-25T00:00:00Z

fn at_second(second: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(DAY + second)
}

fn open(directory: &Path, now: Timestamp) -> (Mutex<Memory>, Opened) {
    let (memory, opened) =
        Memory::open(directory, Limits::default(), &RepeatableEntropy::new(5), now).unwrap();
    (Mutex::new(memory), opened)
}

fn word(memory: &Mutex<Memory>, name: &str) -> Question {
    Question::Word(lock(memory).key().of(Code::Domain as u8, name.as_bytes()))
}

fn put(memory: &Mutex<Memory>, source: &str, time: Timestamp, name: &str, address: u32) {
    let mut memory = lock(memory);
    let source = memory.source(source);
    let word = memory.key().of(Code::Domain as u8, name.as_bytes());
    let hour = memory.hour_of(Some(time), time);
    let (page, _) = memory.desk(&source, hour, time);
    page.word(word);
    page.address(address);
    page.watched(time);
}

/// Hours after the day's begin in which `name` was seen, by source.
fn seen(memory: &Mutex<Memory>, question: Question) -> BTreeMap<String, Vec<u32>> {
    let first = Hour::of(at_second(0)).0;
    let answers = Memory::ask(memory, &[question], Hour(0), Hour(u32::MAX)).unwrap();
    assert!(answers.damage.is_empty(), "{:?}", answers.damage);
    let found = answers.found[0].clone().unwrap_or_default();
    found
        .sources
        .iter()
        .map(|(source, found)| (source.to_string(), found.hours().map(|hour| hour.0 - first).collect()))
        .collect()
}

fn hours(source: &str, hours: &[u32]) -> BTreeMap<String, Vec<u32>> {
    [(source.to_owned(), hours.to_vec())].into()
}

#[test]
fn what_passed_is_found_in_every_state_of_its_hour() {
    let directory = tempfile::tempdir().unwrap();
    let (memory, _) = open(directory.path(), at_second(0));
    put(&memory, "eve", at_second(3_700), "evil.example", 7);
    put(&memory, "eve", at_second(9 * 3_600 + 5), "evil.example", 9);
    put(&memory, "zeek", at_second(9 * 3_600 + 6), "other.example", 9);
    let evil = word(&memory, "evil.example");
    let check = |memory: &Mutex<Memory>| {
        assert_eq!(seen(memory, evil), hours("eve", &[1, 9]));
        assert_eq!(seen(memory, word(memory, "never.example")), BTreeMap::new());
        let nines: BTreeMap<_, _> = [("eve".to_owned(), vec![9]), ("zeek".to_owned(), vec![9])].into();
        assert_eq!(seen(memory, Question::Addresses(8, 1_000)), nines);
    };
    check(&memory);
    Memory::flush(&memory, at_second(9 * 3_600 + 10)).unwrap();
    // Offline, another process sees what was flushed.
    let archive = Archive::open(directory.path()).unwrap();
    let offline = archive.ask(&[evil], Hour(0), Hour(u32::MAX)).unwrap();
    assert_eq!(offline.found[0].as_ref().unwrap().hours(), 2);
    // A new start finds it in the journal.
    Memory::close(&memory, at_second(9 * 3_600 + 11)).unwrap();
    drop(memory);
    let (memory, opened) = open(directory.path(), at_second(9 * 3_600 + 12));
    assert_eq!((opened.values, opened.lost_from), (6, None));
    check(&memory);
    // The hours are over.
    let upkeep = Memory::tidy(&memory, at_second(11 * 3_600)).unwrap();
    assert_eq!((upkeep.finished, upkeep.merged), (3, 0));
    assert!(files(&directory.path().join(OPEN), &["journal"]).unwrap().is_empty());
    check(&memory);
    // The day is over: one file a source.
    let upkeep = Memory::tidy(&memory, at_second(86_400 + 3_600)).unwrap();
    assert_eq!(upkeep.merged, 2);
    let place = directory.path().join("2025-11-25");
    assert_eq!(files(&place, &["hour"]).unwrap().len(), 0);
    assert_eq!(files(&place, &["day"]).unwrap().len(), 2);
    check(&memory);
    // What comes late goes into the same day.
    put(&memory, "eve", at_second(3_800), "late.example", 7);
    Memory::tidy(&memory, at_second(86_400 + 7_200)).unwrap();
    Memory::tidy(&memory, at_second(86_400 + 7_300)).unwrap();
    assert_eq!(files(&place, &["hour", "day"]).unwrap().len(), 2);
    assert_eq!(seen(&memory, word(&memory, "late.example")), hours("eve", &[1]));
    check(&memory);
    // Ninety days on it is forgotten.
    let upkeep = Memory::tidy(&memory, at_second(91 * 86_400)).unwrap();
    assert_eq!(upkeep.forgotten, ["2025-11-25"]);
    assert_eq!(seen(&memory, evil), BTreeMap::new());
}

#[test]
fn a_question_is_answered_for_its_hours_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (memory, _) = open(directory.path(), at_second(0));
    for hour in [2, 5, 8] {
        put(&memory, "eve", at_second(hour * 3_600), "evil.example", 7);
    }
    let evil = word(&memory, "evil.example");
    let first = Hour::of(at_second(0)).0;
    for tidied in [false, true] {
        if tidied {
            assert_eq!(Memory::tidy(&memory, at_second(2 * 86_400)).unwrap().merged, 1);
        }
        let answers = Memory::ask(&memory, &[evil], Hour(first + 3), Hour(first + 7)).unwrap();
        let found = answers.found[0].as_ref().unwrap();
        assert_eq!(found.span(), Some((Hour(first + 5), Hour(first + 5))));
        let answers = Memory::ask(&memory, &[evil], Hour(first + 3), Hour(first + 4)).unwrap();
        assert_eq!(answers.found[0], None);
    }
}

#[test]
fn unwatched_minutes_are_gaps_and_an_unclean_end_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (memory, opened) = open(directory.path(), at_second(30));
    assert_eq!(opened.lost_from, None, "a first start lost nothing");
    lock(&memory).source("eve");
    for second in [60, 120, 185] {
        Memory::flush(&memory, at_second(second)).unwrap();
    }
    drop(memory);
    // It was killed, and started again at minute 10.
    let (memory, opened) = open(directory.path(), at_second(600));
    assert_eq!(opened.lost_from, Some(at_second(185)));
    lock(&memory).source("eve");
    Memory::flush(&memory, at_second(780)).unwrap();
    // The machine slept for an hour: those minutes were not watched.
    Memory::flush(&memory, at_second(4_400)).unwrap();
    let answers = Memory::ask(&memory, &[], Hour(0), Hour(u32::MAX)).unwrap();
    let eve = &answers.coverage["eve"];
    let gaps = eve.gaps(at_second(0), at_second(900));
    let wanted = [(0, 60), (180, 600), (780, 900)].map(|(from, to)| (at_second(from), at_second(to)));
    assert_eq!(gaps, wanted);
    assert_eq!(eve.minutes(), 5);
    Memory::close(&memory, at_second(4_401)).unwrap();
    assert_eq!(open(directory.path(), at_second(4_500)).1.lost_from, None);
}

#[test]
fn a_torn_journal_is_cut_and_a_damaged_file_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (memory, _) = open(directory.path(), at_second(0));
    put(&memory, "eve", at_second(60), "kept.example", 1);
    Memory::flush(&memory, at_second(61)).unwrap();
    put(&memory, "eve", at_second(62), "torn.example", 2);
    Memory::flush(&memory, at_second(63)).unwrap();
    let (kept, torn) = (word(&memory, "kept.example"), word(&memory, "torn.example"));
    drop(memory);
    let journal = files(&directory.path().join(OPEN), &["journal"]).unwrap().remove(0);
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 1]).unwrap();
    let (memory, opened) = open(directory.path(), at_second(64));
    assert_eq!((opened.values, opened.damage.len()), (2, 1));
    assert_eq!((seen(&memory, kept), seen(&memory, torn)), (hours("eve", &[0]), BTreeMap::new()));
    // What is appended behind the cut can be read.
    put(&memory, "eve", at_second(65), "torn.example", 2);
    Memory::flush(&memory, at_second(66)).unwrap();
    drop(memory);
    let (memory, opened) = open(directory.path(), at_second(67));
    assert_eq!((opened.values, opened.damage.len()), (4, 0));
    put(&memory, "eve", at_second(3_700), "kept.example", 1);
    assert_eq!(Memory::tidy(&memory, at_second(3 * 3_600)).unwrap().finished, 2);
    let hour = files(&directory.path().join("2025-11-25"), &["hour"]).unwrap().remove(0);
    let mut bytes = fs::read(&hour).unwrap();
    let middle = bytes.len() - 40;
    bytes[middle] ^= 1;
    fs::write(&hour, bytes).unwrap();
    // Asked, it is named; merged, it is set aside, and the rest of the day stays.
    let answers = Memory::ask(&memory, &[kept, torn], Hour(0), Hour(u32::MAX)).unwrap();
    assert_eq!(answers.damage[0].path, hour);
    let upkeep = Memory::tidy(&memory, at_second(2 * 86_400)).unwrap();
    assert_eq!((upkeep.damage.len(), upkeep.merged), (1, 1));
    assert_eq!(seen(&memory, kept), hours("eve", &[1]));
    assert_eq!(fs::read_dir(directory.path().join(ASIDE)).unwrap().count(), 1);
}

#[test]
fn a_full_hour_and_a_full_disk_have_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { page_values_max: 100, bytes_max: 3_000, ..Limits::default() };
    let memory = Memory::open(directory.path(), limits, &RepeatableEntropy::new(5), at_second(0)).unwrap().0;
    let memory = Mutex::new(memory);
    for n in 0..95 {
        put(&memory, "eve", at_second(60), &format!("n{n}.example"), n);
    }
    // Nine tenths full: the hour goes on in a second file.
    assert_eq!(Memory::tidy(&memory, at_second(61)).unwrap().finished, 1);
    for n in 95..300 {
        put(&memory, "eve", at_second(62), &format!("n{n}.example"), n);
    }
    assert_eq!(lock(&memory).overflowed(), 2 * 105);
    assert_eq!(seen(&memory, word(&memory, "n3.example")), hours("eve", &[0]));
    assert_eq!(seen(&memory, word(&memory, "n190.example")), hours("eve", &[0]));
    for day in 1..6 {
        put(&memory, "eve", at_second(day * 86_400), "x.example", 5);
    }
    let upkeep = Memory::tidy(&memory, at_second(6 * 86_400 + 3_600)).unwrap();
    let upkeep = Memory::tidy(&memory, at_second(6 * 86_400 + 3_700)).map(|more| [upkeep, more]).unwrap();
    let crowded: Vec<_> = upkeep.iter().flat_map(|upkeep| upkeep.crowded_out.clone()).collect();
    assert!(crowded.first().is_some_and(|day| day == "2025-11-25") && crowded.len() < 6, "{crowded:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is put in, in whatever order, with tidying at any moment: exactly that is found.
    #[test]
    fn nothing_is_lost_and_nothing_made_up(
        puts in proptest::collection::vec((0i64..72, 0u32..40, 0u32..2, any::<bool>()), 1..120)
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (memory, _) = open(directory.path(), at_second(0));
        let mut wanted: BTreeMap<u32, BTreeMap<String, BTreeSet<u32>>> = BTreeMap::new();
        for (hour, value, source, tidy) in puts {
            let source = ["eve", "zeek"][source as usize];
            put(&memory, source, at_second(hour * 3_600), &format!("v{value}.example"), value);
            wanted.entry(value).or_default().entry(source.into()).or_default().insert(hour as u32);
            if tidy {
                Memory::flush(&memory, at_second(80 * 3_600)).unwrap();
                Memory::tidy(&memory, at_second(80 * 3_600)).unwrap();
            }
        }
        for value in 0..40 {
            let right: BTreeMap<String, Vec<u32>> = wanted
                .get(&value)
                .map(|all| all.iter().map(|(s, h)| (s.clone(), h.iter().copied().collect())).collect())
                .unwrap_or_default();
            prop_assert_eq!(&seen(&memory, word(&memory, &format!("v{value}.example"))), &right);
            prop_assert_eq!(&seen(&memory, Question::Addresses(value, value)), &right);
        }
    }
}
