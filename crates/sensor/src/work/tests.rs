//! The matching thread stopped at every step, held back, and started again.

use super::*;
use crate::config::{ConfigDraft, HiddenText, InputDraft};
use crate::disk::Disk;
use crate::knowledge::Knowledge;
use crate::knowledge::tests::{item, knowing};
use shieldwall_model::id::RepeatableEntropy;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::SystemClock;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

const ROUNDS: u64 = 6;

fn config(directory: &Path) -> Config {
    let draft = ConfigDraft {
        hub: Some("http://127.0.0.1:1".into()),
        token: Some(HiddenText("swt_AAAAAAAAAAAAAAAAAAAAAAAA".into())),
        state: Some(directory.join("state")),
        inputs: vec![InputDraft { path: directory.join("log"), ..InputDraft::default() }],
        // Most sightings wait over several reports and checkpoints.
        first_report_milliseconds: Some(0),
        repeat_report_seconds: Some(3),
        ..ConfigDraft::default()
    };
    draft.check(|_| None).unwrap()
}

fn knowledge() -> Knowledge {
    knowing(vec![
        item(1, IndicatorRole::Malicious, &[("domain", "a.example")]),
        item(2, IndicatorRole::Malicious, &[("domain", "b.example")]),
    ])
}

/// A hub that knows reports by their key.
#[derive(Default)]
struct Confirmed(BTreeMap<uuid::Uuid, Vec<Sighting>>);

impl Confirmed {
    fn take(&mut self, report: &Report) {
        let before = self.0.insert(report.key, report.sightings.clone());
        assert!(before.is_none_or(|before| before == report.sightings), "one key, two reports");
    }

    fn total(&self) -> u64 {
        self.0.values().flatten().map(|sighting| sighting.count).sum()
    }
}

struct Run {
    config: Config,
    knowledge: Knowledge,
    entropy: RepeatableEntropy,
    observer: Observer,
    counts: Counts,
    hub: Confirmed,
    now: Instant,
}

impl Run {
    fn new(directory: &Path) -> Self {
        Self {
            config: config(directory),
            knowledge: knowledge(),
            entropy: RepeatableEntropy::new(7),
            observer: Observer::new(None),
            counts: Counts::default(),
            hub: Confirmed::default(),
            now: Instant::now(),
        }
    }

    /// Runs from what is on `disk` until `rounds` are done, or until `disk` failed and `crash` is wanted.
    /// Returns the round reached.
    fn go(&mut self, disk: &Disk, from_round: u64, crash: bool) -> u64 {
        let opened = Spool::open(&self.config.state, disk.clone());
        let Ok((spool, from)) = opened else { return from_round };
        let (armoury, names) = (self.knowledge.armoury(), self.knowledge.names());
        let mut worker = Worker::open(&self.config, from, armoury, names, None).unwrap();
        let mut round = from_round;
        let busy = |worker: &Worker| {
            worker.stuck.is_some() || worker.unkept || !worker.aggregator.is_empty() || spool.reports() > 0
        };
        while round < ROUNDS || busy(&worker) {
            if round < ROUNDS {
                self.write_events(round);
                round += 1;
            }
            self.now += Duration::from_millis(700);
            let around = Surroundings {
                config: &self.config,
                clock: &SystemClock,
                entropy: &self.entropy,
                spool: &spool,
                observer: &self.observer,
                counts: &self.counts,
                memory: None,
            };
            worker.turn(&around, self.now).unwrap();
            if crash && disk.has_failed() {
                return round;
            }
            // The hub takes every report; that we hear of it may fail.
            if round.is_multiple_of(2)
                && let Some(report) = spool.oldest().unwrap()
            {
                self.hub.take(&report);
                let _ = spool.confirmed(&report);
                if crash && disk.has_failed() {
                    return round;
                }
            }
            round = if round >= ROUNDS { round + 1 } else { round };
            assert!(round < 200, "it never ends");
        }
        round
    }

    fn write_events(&self, round: u64) {
        let path = self.config.state.with_file_name("log");
        if round == 3 {
            std::fs::rename(&path, path.with_extension("1")).unwrap();
        }
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        for event in 0..=round {
            writeln!(file, "{} saw {}.example", event, if event % 3 == 0 { "b" } else { "a" }).unwrap();
        }
    }
}

/// One turn of a worker over `spool`, two seconds after the last.
fn turn(run: &mut Run, worker: &mut Worker, spool: &Spool) -> Turn {
    run.now += Duration::from_secs(2);
    let around = Surroundings {
        config: &run.config,
        clock: &SystemClock,
        entropy: &run.entropy,
        spool,
        observer: &run.observer,
        counts: &run.counts,
        memory: None,
    };
    worker.turn(&around, run.now).unwrap()
}

fn append(directory: &Path, line: &str) {
    let mut file = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[test]
fn the_place_is_kept_also_when_nothing_matches() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::new(directory.path());
    append(directory.path(), "nothing to see");
    for events in [1, 1] {
        let (spool, from) = Spool::open(&run.config.state, Disk::default()).unwrap();
        let mut worker =
            Worker::open(&run.config, from, run.knowledge.armoury(), run.knowledge.names(), None).unwrap();
        turn(&mut run, &mut worker, &spool);
        assert_eq!(
            crate::shared::get(&run.counts.events),
            events,
            "read once, and not again after a restart"
        );
    }
}

#[test]
fn an_event_that_carries_a_value_in_two_fields_is_one_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::new(directory.path());
    append(
        directory.path(),
        r#"{"timestamp":"2026-01-01T00:00:00.000000+0000","event_type":"dns","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","dns":{"rrname":"a.example","answers":[{"rrname":"a.example","rdata":"192.0.2.1"}]},"tls":{"sni":"b.example"}}"#,
    );
    let (spool, from) = Spool::open(&run.config.state, Disk::default()).unwrap();
    let mut worker =
        Worker::open(&run.config, from, run.knowledge.armoury(), run.knowledge.names(), None).unwrap();
    turn(&mut run, &mut worker, &spool);
    run.hub.take(&spool.oldest().unwrap().unwrap());
    assert_eq!(run.hub.total(), 2, "a.example once, b.example once");
}

#[test]
fn a_full_spool_stops_reading_until_the_hub_takes_something() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::new(directory.path());
    let (spool, from) = Spool::open_with_limit(&run.config.state, Disk::default(), 1).unwrap();
    let mut worker =
        Worker::open(&run.config, from, run.knowledge.armoury(), run.knowledge.names(), None).unwrap();
    append(directory.path(), "a.example");
    assert_eq!(turn(&mut run, &mut worker, &spool), Turn::Busy);
    append(directory.path(), "b.example");
    assert_eq!(turn(&mut run, &mut worker, &spool), Turn::Held);
    let mut reading = Reading::default();
    worker.tell(&mut reading, Turn::Held, run.now, &spool);
    assert!(reading.held.unwrap().contains("spool is full") && reading.behind_since.is_some());
    assert_eq!(crate::shared::get(&run.counts.events), 1);
    spool.confirmed(&spool.oldest().unwrap().unwrap()).unwrap();
    assert_eq!(turn(&mut run, &mut worker, &spool), Turn::Busy);
    assert_eq!(crate::shared::get(&run.counts.events), 2);
}

const EVENTS: u64 = ROUNDS * (ROUNDS + 1) / 2;

/// The sensor is stopped dead at each single write, flush, rename and removal it ever does, started again,
/// and in the end the hub has counted every event once.
#[test]
fn a_crash_at_any_step_loses_nothing_and_doubles_nothing() {
    let mut crashes = 0;
    for step in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let mut run = Run::new(directory.path());
        let disk = Disk::failing(step..u64::MAX);
        let round = run.go(&disk, 0, true);
        let crashed = disk.has_failed();
        run.go(&Disk::default(), round, false);
        assert_eq!(run.hub.total(), EVENTS, "crash at step {step}");
        if !crashed {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 40, "only {crashes} steps were tried");
}

/// The disk fails for a while and the sensor goes on running.
#[test]
fn a_disk_that_fails_for_a_while_loses_nothing_and_doubles_nothing() {
    for step in 0..60 {
        let directory = tempfile::tempdir().unwrap();
        let mut run = Run::new(directory.path());
        let round = run.go(&Disk::failing(step..step + 3), 0, false);
        // Once more from disk: what a failed write left there must not count again.
        run.go(&Disk::default(), round, false);
        assert_eq!(run.hub.total(), EVENTS, "failing from step {step}, until round {round}");
    }
}

const DNS: &str = "title: Evil names\nlogsource:\n  category: dns\ndetection:\n  selection:\n    dns.rrname|endswith: '.sigma.example'\n  condition: selection\n";

fn query(second: u32, name: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-01-01T00:00:{second:02}.000000+0000","event_type":"dns","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","dns":{{"rrname":"{name}"}}}}"#
    )
}

#[test]
fn rules_see_events_in_their_order_on_one_thread_and_on_several() {
    let pattern = "([domain-name:value LIKE 'stage-one-%'] FOLLOWEDBY [domain-name:value = 'b.example']) WITHIN 30 SECONDS";
    for threads in [1, 2] {
        let directory = tempfile::tempdir().unwrap();
        let mut run = Run::new(directory.path());
        run.config.threads = threads;
        run.config.inputs[0].format = crate::config::InputFormat::Named("suricata".into());
        let rule = crate::knowledge::tests::rule;
        run.knowledge = knowing(vec![
            item(2, IndicatorRole::Malicious, &[("domain", "b.example")]),
            rule(3, "stix", pattern),
            rule(4, "sigma", DNS),
            rule(5, "stix", "[domain-name:value != 'x']"),
        ]);
        assert_eq!(
            (run.knowledge.rules().run, run.knowledge.rules().left_out),
            (2, 1),
            "one would ask of everything"
        );
        // The second before the first is no match, and what lies too far apart is none.
        for (second, name) in
            [(0, "b.example"), (1, "stage-one-a.example"), (50, "b.example"), (51, "stage-one-b.example")]
        {
            append(directory.path(), &query(second, name));
        }
        append(directory.path(), &query(59, "x.sigma.example"));
        append(directory.path(), &query(59, "b.example"));
        let (spool, from) = Spool::open(&run.config.state, Disk::default()).unwrap();
        let mut worker =
            Worker::open(&run.config, from, run.knowledge.armoury(), run.knowledge.names(), None).unwrap();
        turn(&mut run, &mut worker, &spool);
        let report = spool.oldest().unwrap().unwrap();
        let mut found: Vec<_> = report
            .sightings
            .iter()
            .map(|one| {
                (one.indicator.to_string()[45..].to_owned(), one.kind.as_str(), one.count, one.value.clone())
            })
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let expected = [
            ("02", "domain-name", 3, ToldValue::Plain("b.example".into())),
            ("03", "pattern", 1, ToldValue::Withheld),
            ("04", "sigma", 1, ToldValue::Withheld),
        ];
        assert_eq!(
            found,
            expected.map(|(id, kind, count, value)| (id.to_owned(), kind, count, value)),
            "{threads}"
        );
        // Taken back, it wakes nothing and matches nothing.
        let cursor = "d".to_owned();
        run.knowledge.apply(true, vec![], cursor).unwrap();
        append(directory.path(), &query(59, "x.sigma.example"));
        turn(&mut run, &mut worker, &spool);
        assert_eq!(crate::shared::get(&run.counts.matches), 5, "{threads}");
        assert_eq!(run.knowledge.rules().run, 0);
    }
}
