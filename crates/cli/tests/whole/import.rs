//! Intelligence in by the command line and out by TAXII: everything taken or named, once each, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;

use crate::support::binary::{Said, run_beside};
use crate::support::stix::Envelope;
use crate::support::{Answer, Client, World};

const TAXII: &str = "application/taxii+json;version=2.1";

/// Objects of the largest file.
const ENTERPRISE_ATTACK: usize = 24_771;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

async fn import(world: &World, client: &Client, more: &[&str], files: &[PathBuf]) -> Said {
    let mut arguments = ["--json", "feed", "import", "--hub", &world.url(), "--token", client.secret()]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(more.iter().map(|one| (*one).to_owned()));
    arguments.extend(files.iter().map(|file| file.to_str().expect("a path of text").to_owned()));
    run_beside(arguments).await
}

/// The refusals a run has named.
fn refusals(said: &Said) -> Vec<Json> {
    named(said, "refused")
}

/// The objects a run has named as `what`.
fn named(said: &Said, what: &str) -> Vec<Json> {
    let lines = said.out.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    lines.filter_map(|line| line.get(what).cloned()).collect()
}

/// Every object of a collection, page by page, as it came.
async fn collected(client: &Client, group: GroupId, limit: usize) -> Vec<String> {
    let path = format!("/taxii2/api/collections/{}/objects/?match[version]=all&limit={limit}", group.uuid());
    let (mut objects, mut next) = (Vec::new(), None::<String>);
    loop {
        let asked = next.as_ref().map_or(path.clone(), |next| format!("{path}&next={next}"));
        let answer =
            Answer::to(client.request(Method::GET, &asked).header("accept", TAXII)).await.expect(200);
        let read: Envelope<'_> = serde_json::from_slice(&answer.body).expect("an envelope");
        objects.extend(read.objects.iter().map(|object| object.get().to_owned()));
        match read.next {
            Some(more) => next = Some(more),
            None => return objects,
        }
    }
}

/// The objects of a bundle by the bytes they are, without those whose id was refused.
fn sent(file: &Path, refused: &[Json]) -> Vec<String> {
    let bytes = std::fs::read(file).expect("the file");
    let bundle: Envelope<'_> = serde_json::from_slice(&bytes).expect("a bundle");
    let is_refused = |text: &str| {
        let id = serde_json::from_str::<Json>(text).expect("an object")["id"].clone();
        refused.iter().any(|one| one["id"] == id)
    };
    bundle
        .objects
        .into_iter()
        .map(|object| object.get().to_owned())
        .filter(|text| !is_refused(text))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_comes_out_as_it_went_in_and_what_is_refused_is_named() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let file = data("odd-spellings.json");
    let said = import(&world, &analyst, &[], std::slice::from_ref(&file)).await.expect(1);
    let summary = &said.json()["summary"];
    assert_eq!(
        (&summary["objects"], &summary["accepted"], &summary["repeated"], &summary["refused"]),
        (&json!(16), &json!(11), &json!(0), &json!(4)),
        "{}",
        said.out
    );
    assert_eq!(summary["held"], 1, "{}", said.out);
    let refused: Vec<Json> = [refusals(&said), named(&said, "held")].concat();
    let told: Vec<(&str, &str)> =
        refused.iter().map(|one| (one["path"].as_str().unwrap(), one["code"].as_str().unwrap())).collect();
    for (place, code) in [
        ("objects[11]", "stix."),
        ("objects[12]", "stix."),
        ("objects[13]", "stix.marking.too_strict"),
        ("objects[14]", "stix."),
        ("objects[15]", "life.held.ahead"),
    ] {
        assert!(
            told.iter().any(|(path, told)| path.starts_with(place) && told.starts_with(code)),
            "{place} {code}: {told:?}"
        );
    }
    assert!(
        refused.iter().all(|one| one["reason"].as_str().is_some_and(|reason| !reason.is_empty())),
        "{refused:?}"
    );
    let wanted = sent(&file, &refused);
    for limit in [1_000, 3] {
        assert_eq!(collected(&analyst, GroupId::ALLIANCE, limit).await, wanted, "byte for byte, in order");
    }
    // Again: nothing new, the same refused.
    let again = import(&world, &analyst, &[], std::slice::from_ref(&file)).await.expect(1);
    assert_eq!(
        (&again.json()["summary"]["accepted"], &again.json()["summary"]["repeated"]),
        (&json!(0), &json!(11))
    );
    assert_eq!(collected(&analyst, GroupId::ALLIANCE, 1_000).await.len(), 11);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_tables_become_indicators_and_reach_the_watchlist() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let files = [data("seen.csv"), data("values.txt")];
    let options = ["--role", "suspect", "--marking", "GREEN"];
    let said = import(&world, &analyst, &options, &files).await.expect(1);
    let summary = said.json()["summary"].clone();
    assert_eq!((&summary["accepted"], &summary["refused"]), (&json!(8), &json!(2)), "{}", said.out);
    let lines: Vec<Json> = refusals(&said).into_iter().map(|one| one["path"].clone()).collect();
    assert_eq!(lines, [json!("line 6"), json!("line 7")]);
    let watchlist = world.token("EE", Role::Sensor).await.get_json("/api/v1/watchlist").await;
    let mut values: Vec<(String, String)> = Vec::new();
    for change in watchlist["changes"].as_array().unwrap() {
        assert_eq!((&change["op"], &change["role"]), (&json!("put"), &json!("suspect")));
        for value in change["values"].as_array().unwrap() {
            values.push((value["kind"].as_str().unwrap().into(), value["value"].as_str().unwrap().into()));
        }
    }
    values.sort();
    let wanted = [
        ("domain-name", "kettle.evil-cdn.example"),
        ("domain-name", "teapot.evil-cdn.example"),
        ("ipv4-addr", "203.0.113.9"),
        ("ipv4-cidr", "198.51.100.0/24"),
        ("md5", "84c82835a5d21bbcf75a61706d8ab549"),
        ("sha256", "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"),
        ("url", "http://198.51.100.7/x"),
        ("url", "https://kettle.evil-cdn.example/a"),
    ];
    assert_eq!(values, wanted.map(|(kind, value)| (kind.to_owned(), value.to_owned())));
    let again = import(&world, &analyst, &options, &files).await.expect(1).json();
    assert_eq!(
        (&again["summary"]["accepted"], &again["summary"]["repeated"]),
        (&json!(0), &json!(8)),
        "the same list again is nothing new"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_public_files_are_taken_whole_or_named_and_come_out_once_each() {
    let Some(directory) = std::env::var_os("SHIELDWALL_DATA").map(PathBuf::from) else {
        eprintln!("SHIELDWALL_DATA is not set: the samples in the tree stand for the large files");
        return;
    };
    let files: Vec<PathBuf> = [
        "attack/enterprise-attack-18.1.json",
        "stix/amnesty-cytrox.json",
        "stix/amnesty-malware.json",
        "stix/amnesty-novispy.json",
        "stix/amnesty-pegasus.json",
        "stix/amnesty-wintego_helios.json",
    ]
    .iter()
    .map(|name| directory.join(name))
    .collect();
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let start = Instant::now();
    let said = import(&world, &analyst, &[], &files).await;
    let seconds = start.elapsed().as_secs_f64();
    let summary = said.json()["summary"].clone();
    let count = |name: &str| usize::try_from(summary[name].as_u64().expect("a number")).unwrap();
    let refused = refusals(&said);
    assert_eq!(
        count("accepted") + count("repeated") + count("refused"),
        count("objects"),
        "every object is one of the three: {summary}"
    );
    assert_eq!(refused.len(), count("refused"), "each refusal is named");
    assert_eq!(said.status, i32::from(count("refused") > 0));
    assert_eq!(summary["files"][0]["objects"], ENTERPRISE_ATTACK);
    println!(
        "in: {} objects in {seconds:.1} s ({:.0}/s); {} refused",
        count("objects"),
        count("objects") as f64 / seconds,
        refused.len()
    );

    let start = Instant::now();
    let out = collected(&analyst, GroupId::ALLIANCE, 1_000).await;
    println!("out: {} objects in {:.1} s", out.len(), start.elapsed().as_secs_f64());
    assert_eq!(out.len(), count("accepted"));
    let mut times: BTreeMap<&str, i64> = BTreeMap::new();
    out.iter().for_each(|object| *times.entry(object).or_default() += 1);
    assert_eq!(times.values().filter(|times| **times != 1).count(), 0, "once each");
    let mut wanted: Vec<String> = files.iter().flat_map(|file| sent(file, &refused)).collect();
    wanted.sort();
    wanted.dedup();
    let missing = wanted.iter().filter(|object| !times.contains_key(object.as_str())).count();
    // Some files hold an object another one of them holds too, in the same version: those count as repeated.
    assert!(missing <= count("repeated"), "{missing} objects did not come out as they went in");
    assert!(
        out.iter().all(|object| wanted.binary_search(object).is_ok()),
        "nothing comes out that did not go in"
    );
    world.end().await;
}
