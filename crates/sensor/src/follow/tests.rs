//! Rotation in all its forms, and restarts between any of them.

use super::*;
use std::io::Write;

struct Log {
    directory: tempfile::TempDir,
    now: Instant,
}

impl Log {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), now: Instant::now() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = File::options().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        // Rotated files are put in order by when they were last written; do not hang on the clock's grain.
        static TICK: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let tick = TICK.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + tick)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn follow(&self, positions: &[Position]) -> Follower {
        Follower::new(&self.path("eve.json"), positions, false).unwrap()
    }

    fn read(&self, follower: &mut Follower) -> String {
        let mut text = String::new();
        while follower.step(self.now).unwrap() == Progress::Lines {
            text.push_str(std::str::from_utf8(follower.lines()).unwrap());
        }
        text
    }
}

#[test]
fn only_whole_lines_are_handed_out_and_a_restart_goes_on_there() {
    let log = Log::new();
    log.append("eve.json", "a\nb\npart");
    let mut follower = log.follow(&[]);
    assert_eq!(log.read(&mut follower), "a\nb\n");
    let positions = follower.positions();
    log.append("eve.json", "ial\nc\n");
    assert_eq!(log.read(&mut follower), "partial\nc\n");
    assert_eq!(log.read(&mut log.follow(&positions)), "partial\nc\n");
    assert_eq!(log.read(&mut log.follow(&follower.positions())), "");
}

#[test]
fn a_renamed_file_is_read_to_its_end_beside_its_successor() {
    let log = Log::new();
    log.append("eve.json", "a\n");
    let mut follower = log.follow(&[]);
    assert_eq!(log.read(&mut follower), "a\n");
    log.rename("eve.json", "eve.json.1");
    assert_eq!(log.read(&mut follower), "");
    log.append("eve.json", "c\n");
    assert_eq!(log.read(&mut follower), "c\n");
    log.append("eve.json.1", "late\nno end");
    assert_eq!(log.read(&mut follower), "late\n");
    let mut later = Log { now: log.now + Duration::from_secs(QUIET_SECONDS), ..log };
    assert_eq!(later.read(&mut follower), "no end");
    later.now += Duration::from_secs(QUIET_SECONDS);
    assert_eq!(later.read(&mut follower), "");
    assert_eq!(follower.positions().len(), 1, "the old file is let go");
}

#[test]
fn a_cut_file_is_read_from_its_start_even_when_it_grew_past_the_old_end() {
    let log = Log::new();
    log.append("eve.json", "first line\n");
    let mut follower = log.follow(&[]);
    log.read(&mut follower);
    fs::write(log.path("eve.json"), "x\n").unwrap();
    assert_eq!(log.read(&mut follower), "x\n");
    let positions = follower.positions();
    fs::write(log.path("eve.json"), "another first line, longer\n").unwrap();
    assert_eq!(log.read(&mut follower), "another first line, longer\n");
    assert_eq!(log.read(&mut log.follow(&positions)), "another first line, longer\n");
}

#[test]
fn rotations_while_nobody_looked_lose_nothing() {
    let log = Log::new();
    log.append("eve.json", "a\n");
    let mut follower = log.follow(&[]);
    log.read(&mut follower);
    let positions = follower.positions();
    log.append("eve.json", "b\n");
    log.rename("eve.json", "eve.json.2");
    log.append("eve.json", "c\n");
    log.rename("eve.json", "eve.json.1");
    fs::copy(log.path("eve.json.2"), log.path("eve.json.backup")).unwrap();
    log.append("eve.json", "d\n");
    assert_eq!(log.read(&mut log.follow(&positions)), "b\nc\nd\n", "over a restart");
    assert_eq!(log.read(&mut follower), "b\nc\nd\n", "without one");
}

#[test]
fn a_file_may_appear_later_and_an_absent_one_is_said() {
    let log = Log::new();
    let mut follower = log.follow(&[]);
    assert_eq!(follower.step(log.now).unwrap_err().code(), "sensor.follow.absent");
    log.append("eve.json", "a\n");
    assert_eq!(log.read(&mut follower), "a\n");
    let mut directory = Follower::new(log.directory.path(), &[], false).unwrap();
    assert_eq!(directory.step(log.now).unwrap_err().code(), "sensor.follow.not_a_file");
}

#[test]
fn once_reads_the_last_line_without_line_end_too() {
    let log = Log::new();
    log.append("eve.json", "a\nb");
    let mut follower = Follower::new(&log.path("eve.json"), &[], true).unwrap();
    let mut text = String::new();
    while follower.step(log.now).unwrap() == Progress::Lines {
        text.push_str(std::str::from_utf8(follower.lines()).unwrap());
    }
    assert_eq!(text, "a\nb");
    assert_eq!(log.read(&mut log.follow(&follower.positions())), "");
}

#[test]
fn a_line_too_long_is_passed_over_also_across_a_restart() {
    let log = Log::new();
    log.append("eve.json", "a\n");
    log.append("eve.json", &"x".repeat(3 * shieldwall_model::limits::EVENT_BYTES_MAX));
    let mut follower = log.follow(&[]);
    assert_eq!(log.read(&mut follower), "a\n");
    let positions = follower.positions();
    log.append("eve.json", "tail\nb\n");
    assert_eq!(log.read(&mut follower), "b\n");
    assert_eq!(follower.skipped_lines(), 1);
    assert_eq!(log.read(&mut log.follow(&positions)), "b\n");
}
