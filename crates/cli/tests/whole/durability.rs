//! What is acknowledged stays: over rebuilding, backups under load, flipped bytes, and hubs killed in the middle of things.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::{Clock, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::binary::{HubProcess, run, run_beside};
use crate::support::client::{Client, plain_http};
use crate::support::stix::{bundle, domain, indicator, story};
use crate::support::{Answer, Workplace, World, within};

const CYCLES: usize = 5;

/// A little of everything: objects, versions, sightings in hidden and named groups, acknowledgements, a recall, TAXII.
async fn live_a_little(world: &World) {
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE", "ES"]).await.id;
    let (analyst, sensor) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Sensor).await);
    let member = world.member("LU").id;
    let mut ids = Vec::new();
    for number in 0..6 {
        let value = domain(&format!("life-{number}.evil-cdn.example"));
        let told = story(member, &value, IndicatorRole::Malicious, "Grey Heron", world.now());
        for target in [GroupId::ALLIANCE, group] {
            let path = format!("/api/v1/objects?group={target}");
            analyst.post(&path, "application/json", told.bundle.clone()).await.expect(200);
            let now = world.now().to_string();
            let body = json!({"sightings": [{"group": target, "indicator": told.indicator, "first_seen": now, "last_seen": now,
                "count": number + 1, "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": now}]});
            let request = sensor
                .change(Method::POST, "/api/v1/sightings")
                .header("idempotency-key", format!("life-{target}-{number}"));
            Answer::to(request.json(&body)).await.expect(200);
        }
        ids.push(told.indicator);
    }
    let warnings = analyst.get_json("/api/v1/warnings").await;
    let first = warnings["warnings"][0]["id"].as_str().unwrap().to_owned();
    analyst
        .post_json(
            &format!("/api/v1/warnings/{first}/acknowledge"),
            &json!({"taken": "by-person", "note": "looked"}),
        )
        .await
        .expect(200);
    let recall = json!({"group": GroupId::ALLIANCE, "reason": "a mistake"});
    analyst.post_json(&format!("/api/v1/objects/{}/recall", ids[0]), &recall).await.expect(204);
}

/// Everything this reader can see, as the API tells it.
async fn seen_by(client: &Client) -> Vec<String> {
    let mut seen = Vec::new();
    for path in [
        "/api/v1/objects",
        "/api/v1/warnings",
        "/api/v1/ledger/entries",
        "/api/v1/groups",
        "/api/v1/members",
        "/api/v1/watchlist",
    ] {
        seen.push(client.get(path).await.expect(200).text());
    }
    seen
}

async fn dumped(data: &Path) -> String {
    run_beside(vec!["dump".to_owned(), "--data".into(), text(data)]).await.expect(0).out
}

/// Waits until the words of everything there is can be found: they follow behind the views.
async fn indexed(world: &World) {
    within("the full text to catch up", async {
        while world.hub().app().ledger().texts_behind() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_made_anew_from_the_record_are_the_views_there_were() {
    let mut world = World::start().await;
    live_a_little(&world).await;
    let reader = world.token("ES", Role::Analyst).await;
    let shown = seen_by(&reader).await;
    indexed(&world).await;
    let before = dumped(&world.data()).await;
    assert!(before.lines().count() > 50, "the views hold something:\n{before}");
    world.pause().await;
    let rebuilt =
        run_beside(vec!["--json".to_owned(), "rebuild".into(), "--data".into(), text(&world.data())])
            .await
            .expect(0)
            .json();
    assert!(rebuilt["entries"].as_u64().is_some_and(|entries| entries > 40), "{rebuilt}");
    assert_eq!(dumped(&world.data()).await, before);
    // And with the file gone, as after a damaged disk.
    for name in ["views.db", "views.db-wal", "views.db-shm"] {
        let _ = fs::remove_file(world.data().join("real").join(name));
    }
    world.go_on().await;
    indexed(&world).await;
    assert_eq!(dumped(&world.data()).await, before);
    assert_eq!(seen_by(&reader).await, shown);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_others_write_is_whole_and_a_hub_starts_from_it() {
    let world = Arc::new(World::start().await);
    live_a_little(&world).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let indicators = async |client: &Client| {
        let found = client.get_json("/api/v1/objects?limit=1000&type=indicator").await;
        found["objects"].as_array().expect("objects").len()
    };
    let at_first = indicators(&analyst).await;
    let stop = Arc::new(AtomicBool::new(false));
    let count = watch::Sender::new(0usize);
    let mut sent = count.subscribe();
    let writing = {
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        let writer = world.token("EE", Role::Analyst).await;
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let number = *count.borrow();
                let value = domain(&format!("copy-{number}.evil-cdn.example"));
                let (_, object) =
                    indicator(world.member("EE").id, &value, IndicatorRole::Malicious, world.now());
                let taken = writer
                    .post("/api/v1/objects", "application/json", bundle(&[object]))
                    .await
                    .expect(200)
                    .json();
                assert_eq!(taken["accepted"], 1);
                count.send_replace(number + 1);
            }
            *count.borrow()
        })
    };
    let before = *within("writes", sent.wait_for(|sent| *sent >= 5)).await.expect("it writes on");
    let copy = world.beside("copy");
    let told = run_beside(vec![
        "--json".to_owned(),
        "backup".into(),
        "--data".into(),
        text(&world.data()),
        "--to".into(),
        text(&copy),
    ])
    .await;
    let told = told.expect(0).json();
    let during = *sent.borrow();
    let _ = within("writes after the copy", sent.wait_for(|sent| *sent >= during + 5))
        .await
        .expect("it writes on");
    stop.store(true, Ordering::SeqCst);
    let all = writing.await.unwrap();
    let restored = world.beside("restored");
    run_beside(vec!["restore".to_owned(), "--from".into(), text(&copy), "--to".into(), text(&restored)])
        .await
        .expect(0);
    let proof = run_beside(vec!["--json".to_owned(), "verify".into(), "--data".into(), text(&restored)])
        .await
        .expect(0)
        .json();
    assert_eq!((&proof["sound"], &proof["entries"]), (&json!(true), &told["entries"]));

    let path = restored.clone();
    let hub = tokio::task::spawn_blocking(move || HubProcess::start(&path, "127.0.0.1:0")).await.unwrap();
    // The accounts are part of the copy: the same token opens the same door.
    let there = Client::token(plain_http(), hub.url.clone(), analyst.secret().to_owned());
    let copied = indicators(&there).await - at_first;
    assert!(
        (before..all).contains(&copied),
        "what was acknowledged before the copy is in it: {before} {copied}"
    );
    let (_, object) = indicator(
        world.member("LU").id,
        &domain("after.evil-cdn.example"),
        IndicatorRole::Malicious,
        world.now(),
    );
    assert_eq!(
        there.post("/api/v1/objects", "application/json", bundle(&[object])).await.expect(200).json()["accepted"],
        1,
        "and it goes on"
    );
    drop(hub);
    // A copy of which one byte has turned is not brought back.
    let file = fs::read_dir(copy.join("real"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.ends_with("ledger.db"))
        .expect("the record in the copy");
    flip(&file, b"life-3.evil-cdn.example");
    let refused = run_beside(vec![
        "--json".to_owned(),
        "restore".into(),
        "--from".into(),
        text(&copy),
        "--to".into(),
        text(&world.beside("bad")),
    ])
    .await;
    assert_ne!(refused.status, 0, "{}", refused.out);
    Arc::into_inner(world).expect("nobody else holds it").end().await;
}

/// Turns one bit of the first place `mark` stands at.
fn flip(file: &Path, mark: &[u8]) {
    let mut bytes = fs::read(file).expect("the file");
    let at =
        bytes.windows(mark.len()).position(|window| window == mark).expect("the mark stands in the file");
    bytes[at] ^= 1;
    fs::write(file, bytes).expect("written back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_turned_byte_in_the_record_is_found() {
    let mut world = World::start().await;
    live_a_little(&world).await;
    let analyst = world.token("LU", Role::Analyst).await;
    world.pause().await;
    let verify = vec!["--json".to_owned(), "verify".into(), "--data".into(), text(&world.data())];
    assert_eq!(run_beside(verify.clone()).await.expect(0).json()["sound"], true, "sound before");
    flip(&world.data().join("real/ledger.db"), b"life-3.evil-cdn.example");
    let found = run_beside(verify).await.expect(1).json();
    assert_eq!(found["sound"], false);
    let problem = &found["problems"][0];
    assert!(problem["sequence"].is_u64() && problem["group"].is_string(), "the place is named: {found}");
    // The hub that runs on it says so too, to whoever may see that log.
    world.go_on().await;
    let path = format!("/api/v1/ledger/{}/verify", problem["group"].as_str().unwrap());
    let told = analyst.get_json(&path).await;
    assert_eq!(told["agrees"], false, "{told}");
    world.end().await;
}

/// What the clients of a hub that is killed again and again hold on to.
#[derive(Default)]
struct Kept {
    /// Ids of objects the hub has acknowledged.
    objects: Mutex<BTreeSet<String>>,
    /// Acknowledged reports, each of one event, by key.
    reports: Mutex<BTreeMap<String, Json>>,
    /// How many answers there were, of either kind.
    acknowledged: watch::Sender<usize>,
}

/// Sends objects until the hub is gone. Each is sent once; one without an answer may be there or not.
async fn send_objects(
    client: Client,
    member: shieldwall_model::id::MemberId,
    worker: String,
    kept: Arc<Kept>,
) {
    for number in 0.. {
        let value = domain(&format!("{worker}-{number}.evil-cdn.example"));
        let (id, object) = indicator(member, &value, IndicatorRole::Malicious, SystemClock.now());
        let request = client
            .change(Method::POST, "/api/v1/objects")
            .header("content-type", "application/json")
            .body(bundle(&[object]));
        let Some(1) = acknowledged(request).await.and_then(|answer| answer["accepted"].as_u64()) else {
            return;
        };
        kept.objects.lock().unwrap().insert(id.to_string());
        kept.acknowledged.send_modify(|count| *count += 1);
    }
}

/// Sends reports until the hub is gone; gives back the one that has no answer, to be sent again under its key.
async fn send_reports(
    client: Client,
    indicator: String,
    worker: String,
    mut open: Option<(String, Json)>,
    kept: Arc<Kept>,
) -> Option<(String, Json)> {
    for number in 0.. {
        let (key, body) = open.take().unwrap_or_else(|| {
            let now = SystemClock.now().to_string();
            let body = json!({"sightings": [{"group": GroupId::ALLIANCE, "indicator": indicator, "first_seen": now, "last_seen": now,
                "count": 1, "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": now}]});
            (format!("{worker}-{number}"), body)
        });
        let request =
            client.change(Method::POST, "/api/v1/sightings").header("idempotency-key", &key).json(&body);
        match acknowledged(request).await.and_then(|answer| answer["accepted"].as_u64()) {
            Some(taken) => {
                assert_eq!(taken, 1);
                kept.reports.lock().unwrap().insert(key, body);
                kept.acknowledged.send_modify(|count| *count += 1);
            }
            None => return Some((key, body)),
        }
    }
    None
}

/// The answer, if the hub lived to give it whole.
async fn acknowledged(request: reqwest::RequestBuilder) -> Option<Json> {
    let response = request.send().await.ok().filter(|response| response.status() == 200)?;
    response.json().await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_killed_under_load_has_lost_and_doubled_nothing() {
    let place = Workplace::new();
    let data = place.path().join("hub");
    let token = |member: &str, role: &str| {
        let said =
            run(["token", "create", "--data", &text(&data), "--member", member, "--role", role]).expect(0);
        assert_eq!(said.out.trim().lines().count(), 1, "the token alone: {:?}", said.out);
        said.out.trim().to_owned()
    };
    let (analyst, sensor) = (token("LU", "analyst"), token("EE", "sensor"));
    let kept = Arc::new(Kept::default());
    let mut open: BTreeMap<usize, (String, Json)> = BTreeMap::new();
    let (mut listen, mut watched) = ("127.0.0.1:0".to_owned(), None);
    for cycle in 0..CYCLES {
        let (path, at) = (data.clone(), listen.clone());
        let hub = tokio::task::spawn_blocking(move || HubProcess::start(&path, &at)).await.unwrap();
        listen = hub.address();
        let client = |token: &str| Client::token(plain_http(), hub.url.clone(), token.to_owned());
        let me =
            client(&analyst).get_json("/api/v1/me").await["member"]["id"].as_str().unwrap().parse().unwrap();
        if watched.is_none() {
            let (id, object) = indicator(
                me,
                &domain("watched.evil-cdn.example"),
                IndicatorRole::Malicious,
                SystemClock.now(),
            );
            client(&analyst).post("/api/v1/objects", "application/json", bundle(&[object])).await.expect(200);
            watched = Some(id.to_string());
        }
        let goal = *kept.acknowledged.borrow() + 40 + 17 * cycle;
        let mut objects = JoinSet::new();
        let mut reports = JoinSet::new();
        for worker in 0..3 {
            objects.spawn(send_objects(
                client(&analyst),
                me,
                format!("cycle-{cycle}-worker-{worker}"),
                Arc::clone(&kept),
            ));
            let (sender, indicator, kept) = (client(&sensor), watched.clone().unwrap(), Arc::clone(&kept));
            let (name, left) = (format!("cycle-{cycle}-sensor-{worker}"), open.remove(&worker));
            reports.spawn(async move { (worker, send_reports(sender, indicator, name, left, kept).await) });
        }
        let mut acknowledged = kept.acknowledged.subscribe();
        let _ = within("acknowledgements", acknowledged.wait_for(|count| *count >= goal))
            .await
            .expect("they are counted");
        hub.kill();
        within("the senders to notice", objects.join_all()).await;
        open.extend(
            within("the senders to notice", reports.join_all())
                .await
                .into_iter()
                .filter_map(|(worker, left)| Some((worker, left?))),
        );
    }
    let path = data.clone();
    let hub = tokio::task::spawn_blocking(move || HubProcess::start(&path, &listen)).await.unwrap();
    let (reader, sender) = (
        Client::token(plain_http(), hub.url.clone(), analyst),
        Client::token(plain_http(), hub.url.clone(), sensor),
    );
    let again = async |key: &str, body: &Json| {
        let request =
            sender.change(Method::POST, "/api/v1/sightings").header("idempotency-key", key).json(body);
        let taken = Answer::to(request).await.expect(200).json();
        assert_eq!(taken["accepted"], 1);
        taken["repeated"] == true
    };
    // What was acknowledged before some kill is known again by its key; what was not may be known or new.
    let mut reports = std::mem::take(&mut *kept.reports.lock().unwrap());
    for (key, body) in &reports {
        assert!(again(key, body).await, "{key} was acknowledged and is not known any more");
    }
    for (key, body) in open.into_values() {
        again(&key, &body).await;
        reports.insert(key, body);
    }
    let warnings = reader.get_json("/api/v1/warnings").await;
    assert_eq!(
        warnings["warnings"].as_array().map(Vec::len),
        Some(1),
        "one warning, however often the hub died: {warnings}"
    );
    let events = reports.len();
    assert_eq!(warnings["warnings"][0]["count"], events, "every report counts once");
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = reader.get_json(&format!("/api/v1/objects?type=indicator&limit=500{after}")).await;
        page["objects"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(|object| *found.entry(object["id"].as_str().unwrap().into()).or_default() += 1);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let objects = kept.objects.lock().unwrap();
    let lost: Vec<&String> = objects.iter().filter(|id| !found.contains_key(*id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(found.values().all(|times| *times == 1), "doubled: {found:?}");
    println!(
        "{CYCLES} kills: {} objects and {events} reports acknowledged, none lost, none doubled",
        objects.len()
    );
    drop(hub);
    assert_eq!(run(["--json", "verify", "--data", &text(&data)]).expect(0).json()["sound"], true);
}
