//! The demo end to end: a real hub, real sensors, whole scenarios.

use super::*;
use shieldwall_model::id::SystemEntropy;
use shieldwall_model::time::SystemClock;

fn how() -> How {
    How { json: true, progress: false, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

fn args(scenario: Option<PathBuf>, seconds: f64) -> DemoArgs {
    DemoArgs {
        scenario,
        speed: None,
        duration: Some(seconds),
        seed: 1,
        data: None,
        listen: None,
        headless: true,
        keep: false,
    }
}

/// Plays to the end, closes the house, and gives the report.
async fn played(args: &DemoArgs) -> Report {
    let (report, opened) = opened(args).await;
    closed(opened).await;
    report
}

async fn opened(args: &DemoArgs) -> (Report, Opened) {
    let (_stopper, stop) = watch::channel(false);
    play(args, &how(), None, stop).await.unwrap()
}

async fn closed(opened: Opened) {
    let troubles = opened.house.close().await;
    assert_eq!(troubles, Vec::<String>::new());
}

fn file(json: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), json).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weekend_closes_the_loop() {
    let (report, opened) = opened(&args(None, 2.0)).await;
    assert!(report.loop_closed, "{:?}", report.reasons);
    // The variants are told where the first warnings are: one case, not three.
    let answers::Warnings { warnings } = opened.house.ask("warnings", &[]).await.unwrap();
    assert_eq!(warnings.len(), 28);
    for warning in warnings {
        let names: Vec<&str> = warning.contexts.iter().map(|context| context.name.as_str()).collect();
        assert_eq!(names, ["WannaCry weekend (2 variants)"]);
        assert_eq!(warning.advice.blocking == "block", warning.role == "malicious");
    }
    assert_eq!(opened.house.doors.len(), 4);
    closed(opened).await;
    assert_eq!((report.members, report.warned), (12, 11));
    assert!(!report.kill_switch_blocked);
    assert_eq!(report.do_not_block_blocked, 0);
    assert_eq!(
        (report.indicators.shared, report.indicators.matched, report.indicators.planted),
        (34, 28, 28)
    );
    assert_eq!(report.indicators.not_matchable.len(), 6);
    assert_eq!(report.events.len(), 20);
    assert!(report.members_hit > 7 && report.members_warned_before_hit == report.members_hit - 1);
    assert!(report.time_to_warn_ms.is_some_and(|spread| spread.count > 300));
    let of = |kind: &str| report.events.iter().find(|event| event.kind == kind).unwrap();
    assert_eq!((of("killswitch").status, of("killswitch").warned), ("detected", 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_decide_and_names_do_not() {
    // Another attack with the same values under other roles: here the famous name is simply malicious.
    let file = file(
        r#"{"id":"turned","name":"Turned roles","window":["2031-02-01T06:00Z","2031-02-01T08:00Z"],
        "events":[{"t":"2031-01-30","precision":"week","kind":"leak","where":"global","text":"before"},
                  {"t":"2031-02-01T06:20Z","precision":"minutes","kind":"victim","where":"EE"},
                  {"t":"2031-02-01T07:00Z","kind":"victim","where":"KZ"},
                  {"t":"2031-02-01T07:10Z","kind":"vaccine","where":"LV","text":"keep perfc.dat"},
                  {"t":"2031-02-03","kind":"count","where":"global","text":"after"}],
        "indicators":[{"type":"domain","value":"iuqerfsodp9ifjaposdfjhgosurijfaewrwergwea.com","role":"malicious"},
                      {"type":"filename","value":"perfc.dat","role":"vaccine_do_not_delete"},
                      {"type":"domain","value":"mail.hospital.example","role":"victim_infrastructure"},
                      {"type":"domain","value":"stop.evil.example","role":"killswitch_do_not_block"},
                      {"type":"domain","value":"evil.example","role":"malicious"},
                      {"type":"ip","value":"198.51.100.7","role":"nobody_knows"}],
        "victims":[{"country":"EE","org":"ministry"},{"country":"LV"},{"country":"KZ"}]}"#,
    );
    let mut args = args(Some(file.path().to_owned()), 1.0);
    let directory = tempfile::tempdir().unwrap();
    args.data = Some(directory.path().to_owned());
    let report = played(&args).await;
    assert!(report.loop_closed, "{:?}", report.reasons);
    let statuses: Vec<&str> = report.events.iter().map(|event| event.status).collect();
    assert_eq!(statuses, ["history", "detected", "outside", "detected", "aftermath"]);
    assert_eq!(report.outside.iter().collect::<Vec<_>>(), ["KZ"]);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    // The parent of a kill switch is not listed although it is malicious itself.
    let list = std::fs::read_to_string(directory.path().join("members/LV/sensor/blocklist.txt")).unwrap();
    let values: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(values, ["iuqerfsodp9ifjaposdfjhgosurijfaewrwergwea.com"]);
    let error = play(&args, &how(), None, watch::channel(false).1).await.err().unwrap();
    assert_eq!((error.code(), error.is_usage()), ("demo.data.not_empty", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspects_alone_close_the_loop_and_block_nothing() {
    let file = file(
        r#"{"window":["2020-03","2020-06"],"victims":[{"country":"US","sector":"government"},{"country":"IR"}],
        "indicators":[{"type":"domain","value":"maybe.example","role":"suspect"}]}"#,
    );
    let report = played(&args(Some(file.path().to_owned()), 1.0)).await;
    assert!(report.loop_closed, "{:?}", report.reasons);
    assert!(report.events.is_empty() && !report.assumed.is_empty());
    assert_eq!((report.protected_before_hit, report.indicators.matched), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_close_says_why() {
    let file = file(
        r#"{"events":[{"t":"2020-01-01","kind":"count","where":"global"}],"indicators":[{"type":"domain","value":"a.example","role":"malicious"}]}"#,
    );
    let report = played(&args(Some(file.path().to_owned()), 1.0)).await;
    assert!(
        !report.loop_closed && report.reasons.iter().any(|reason| reason.contains("nobody who is hit")),
        "{:?}",
        report.reasons
    );
    assert_eq!(report.events[0].status, "told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_is_refused_with_its_place() {
    let file = file(r#"{"events":[{"t":"soon"}]}"#);
    let error = run(args(Some(file.path().to_owned()), 1.0), how()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.is_usage(), error.place().as_deref()),
        ("demo.scenario.place", true, Some("events[0].t"))
    );
}
