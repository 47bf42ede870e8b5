//! TAXII 2.1 over HTTP, as the standard has it: media types, errors, pages, filters, manifest, versions, status, changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_hub::taxii::collection_id;
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::{ManualClock, Timestamp};

use crate::support::client::percent;
use crate::support::stix::{Envelope, Key, domain, envelope, indicator, key};
use crate::support::{Answer, Client, World};

const TAXII: &str = "application/taxii+json;version=2.1";

fn collection(group: GroupId) -> String {
    format!("/taxii2/api/collections/{}/", group.uuid())
}

async fn get(client: &Client, path: &str) -> Answer {
    Answer::to(client.request(Method::GET, path).header("accept", TAXII)).await
}

async fn post(client: &Client, group: GroupId, objects: &[String]) -> Json {
    let request = client.change(Method::POST, &format!("{}objects/", collection(group)));
    let request = request.header("accept", TAXII).header("content-type", TAXII).body(envelope(objects));
    Answer::to(request).await.expect(202).json()
}

/// Indicators of this member, each of its own value, all of the same version.
fn indicators(
    world: &World,
    member: &str,
    name: &str,
    count: usize,
    now: Timestamp,
) -> Vec<(String, String)> {
    let member = world.member(member).id;
    let one = |number| {
        let (id, object) = indicator(
            member,
            &domain(&format!("{name}-{number}.evil-cdn.example")),
            IndicatorRole::Malicious,
            now,
        );
        (id.to_string(), object)
    };
    (0..count).map(one).collect()
}

fn texts(objects: &[(String, String)]) -> Vec<String> {
    objects.iter().map(|(_, object)| object.clone()).collect()
}

/// The ids in an answer, in its order.
fn ids(answer: &Answer) -> Vec<String> {
    let read: Envelope<'_> = serde_json::from_slice(&answer.body).expect("an envelope");
    read.objects.into_iter().map(|object| key(object).id).collect()
}

/// An object with other `modified` and name: its next version.
fn version(object: &str, modified: Timestamp) -> String {
    let mut object: Json = serde_json::from_str(object).unwrap();
    object["modified"] = json!(shieldwall_exchange::indicator::millis(modified));
    object.to_string()
}

/// Every page of `path`, asked with the limits given one after another; what came, and how many pages it took.
async fn walk(client: &Client, path: &str, mut limits: impl Iterator<Item = usize>) -> (Vec<Key>, usize) {
    let (mut keys, mut pages, mut next) = (Vec::new(), 0, None::<String>);
    loop {
        let limit = limits.next().expect("limits without end");
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut asked = format!("{path}{sign}limit={limit}");
        if let Some(next) = &next {
            asked.push_str(&format!("&next={next}"));
        }
        let answer = get(client, &asked).await.expect(200);
        let read: Envelope<'_> = serde_json::from_slice(&answer.body).expect("an envelope");
        assert!(read.objects.len() <= limit, "a page holds what was asked for at most");
        assert_eq!(read.more, read.next.is_some(), "`next` comes with `more`");
        assert!(!read.objects.is_empty() || !read.more, "an empty page is the last");
        let dated =
            ["x-taxii-date-added-first", "x-taxii-date-added-last"].map(|name| answer.header(name).is_some());
        assert_eq!(dated, [true; 2], "the times of addition come with every page");
        keys.extend(read.objects.into_iter().map(key));
        pages += 1;
        match read.next {
            Some(more) => next = Some(more),
            None => return (keys, pages),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_types_and_errors_are_the_standards() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let alliance = collection(GroupId::ALLIANCE);
    let objects = format!("{alliance}objects/");
    let with = async |path: &str, accept: Option<&str>| {
        let request = analyst.request(Method::GET, path);
        Answer::to(match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        })
        .await
    };
    for path in [
        "/taxii2/",
        "/taxii2/api/",
        "/taxii2/api/collections/",
        &alliance,
        &objects,
        &format!("{alliance}manifest/"),
    ] {
        for accept in [
            None,
            Some(TAXII),
            Some("application/taxii+json"),
            Some("application/taxii+json; version=2.1, text/html;q=0.1"),
            Some("*/*"),
        ] {
            assert_eq!(
                with(path, accept).await.expect(200).header("content-type"),
                Some(TAXII),
                "{path} for {accept:?}"
            );
        }
        for accept in [
            "application/taxii+json;version=2.0",
            "text/html",
            "application/vnd.oasis.taxii+json; version=2.0",
        ] {
            let refused = with(path, Some(accept)).await.expect(406);
            assert_eq!(refused.header("content-type"), Some(TAXII));
            assert_eq!(
                (refused.json()["http_status"].as_str(), refused.code().as_str()),
                (Some("406"), "taxii.not-acceptable")
            );
        }
    }
    let send = async |content_type: &str, body: &str| {
        let request = analyst
            .change(Method::POST, &objects)
            .header("accept", TAXII)
            .header("content-type", content_type);
        Answer::to(request.body(body.to_owned())).await
    };
    assert_eq!(send("text/plain", "{}").await.expect(415).code(), "taxii.media-type");
    assert_eq!(
        send("application/stix+json;version=2.1", "{}").await.expect(415).json()["http_status"],
        "415"
    );
    for body in ["", "{", "[", "{\"objects\":3}", "\u{1}"] {
        let refused = send(TAXII, body).await.expect(422);
        assert!(
            refused.json()["title"].is_string() && refused.json()["error_code"].is_string(),
            "{body:?}: {}",
            refused.text()
        );
    }
    for query in [
        "limit=0",
        "limit=x",
        "limit=-1",
        "added_after=yesterday",
        "next=",
        "next=made-up",
        "match[version]=newest",
        "match[x]=1",
        "match[id]=a&match[id]=b",
    ] {
        let refused = get(&analyst, &format!("{objects}?{query}")).await.expect(400);
        let body = refused.json();
        assert_eq!(body["http_status"], "400", "{query}: {body}");
        assert!(
            body["description"].as_str().is_some_and(|text| !text.is_empty()),
            "{query} is refused without a word of advice"
        );
    }
    let nobody = get(&world.nobody(), "/taxii2/").await.expect(401);
    assert_eq!(nobody.header("content-type"), Some(TAXII));
    assert!(
        nobody.header("www-authenticate").is_some_and(|value| value.contains("Basic")),
        "a TAXII client learns how to sign in"
    );
    for path in [
        "/taxii2/api/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/",
        "/taxii2/api/collections/not-a-uuid/objects/",
        "/taxii2/api/status/91a7b528-80eb-42ed-a74d-c6fbd5a26116/",
        "/taxii2/other/",
        &format!("{objects}indicator--91a7b528-80eb-42ed-a74d-c6fbd5a26116/"),
    ] {
        assert_eq!(get(&analyst, path).await.expect(404).header("content-type"), Some(TAXII), "{path}");
    }
    // By Basic, any name, the token as the password.
    let basic = world.nobody().request(Method::GET, "/taxii2/").basic_auth("anybody", Some(analyst.secret()));
    let discovery = Answer::to(basic.header("accept", TAXII)).await.expect(200).json();
    assert_eq!(
        discovery["default"], "/taxii2/api/",
        "without TLS a path: the standard knows no `http:` API root"
    );
    assert_eq!(discovery["api_roots"], json!([discovery["default"]]));
    let root = get(&analyst, "/taxii2/api/").await.expect(200).json();
    assert_eq!((&root["versions"], &root["max_content_length"]), (&json!([TAXII]), &json!(10 * 1024 * 1024)));
    let all = get(&analyst, "/taxii2/api/collections/").await.expect(200).json();
    let mine: Vec<(&str, bool, bool)> = all["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["can_read"] == true, one["can_write"] == true))
        .collect();
    let groups = [GroupId::ALLIANCE, GroupId::home_of(world.member("LU").id)];
    let mut wanted = groups.map(|group| (collection_id(group).to_string(), true, true));
    wanted.sort();
    let mut found: Vec<(String, bool, bool)> =
        mine.into_iter().map(|(id, read, write)| (id.to_owned(), read, write)).collect();
    found.sort();
    assert_eq!(found, wanted);
    let observer = world.token("LU", Role::Observer).await;
    assert_eq!(get(&observer, &alliance).await.expect(200).json()["can_write"], false);
    assert_eq!(get(&analyst, &objects).await.expect(200).text(), "{}", "an empty envelope has no `objects`");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_page_sizes_each_object_comes_exactly_once() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    // All of one version, so that nothing but the time of addition can order them.
    let shared = indicators(&world, "LU", "page", 137, world.now());
    post(&analyst, GroupId::ALLIANCE, &texts(&shared)).await;
    let mut wanted: Vec<String> = shared.iter().map(|(id, _)| id.clone()).collect();
    let path = format!("{}objects/", collection(GroupId::ALLIANCE));
    let (all, pages) = walk(&analyst, &path, std::iter::repeat(1_000)).await;
    assert_eq!(
        (all.iter().map(|key| key.id.clone()).collect::<Vec<_>>(), pages),
        (wanted.clone(), 1),
        "in the order of addition"
    );
    for limit in [1, 2, 45, 136, 137, 138] {
        let (keys, pages) = walk(&analyst, &path, std::iter::repeat(limit)).await;
        assert_eq!(keys, all, "limit {limit}");
        assert_eq!(pages, 137usize.div_ceil(limit), "limit {limit}");
    }
    wanted.sort();
    let sizes = proptest::collection::vec(1..60usize, 1..12);
    let from = proptest::option::of(0..137usize);
    let runtime = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let manifest =
        get(&analyst, &format!("{}manifest/", collection(GroupId::ALLIANCE))).await.expect(200).json();
    let checked = tokio::task::block_in_place(|| {
        runner.run(&(sizes, from).prop_map(|pair| pair), |(sizes, from)| {
            runtime.block_on(async {
                let asked = match from {
                    Some(at) => format!(
                        "{path}?added_after={}",
                        manifest["objects"][at]["date_added"].as_str().unwrap()
                    ),
                    None => path.clone(),
                };
                let (keys, _) = walk(&analyst, &asked, sizes.into_iter().cycle()).await;
                let rest = from.map_or(&all[..], |at| &all[at + 1..]);
                if keys == rest {
                    Ok(())
                } else {
                    Err(TestCaseError::fail(format!("{} of {}", keys.len(), rest.len())))
                }
            })
        })
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paging_loses_and_repeats_nothing_while_others_write() {
    let world = Arc::new(World::start().await);
    let (analyst, writer) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let path = format!("{}objects/?match[version]=all", collection(GroupId::ALLIANCE));
    let now = world.now();
    let first = indicators(&world, "EE", "early", 40, now);
    post(&writer, GroupId::ALLIANCE, &texts(&first)).await;
    let writing = {
        let world = Arc::clone(&world);
        let first = first.clone();
        tokio::spawn(async move {
            for round in 0..12 {
                let fresh = indicators(&world, "EE", &format!("round-{round}"), 15, now);
                // New objects and new versions of old ones, in one request.
                let mut objects = texts(&fresh);
                objects.extend(
                    first.iter().take(5).map(|(_, object)| version(object, now.plus_seconds(round + 1))),
                );
                let status = post(&writer, GroupId::ALLIANCE, &objects).await;
                assert_eq!(status["success_count"], 20, "{status}");
            }
        })
    };
    let mut seen: BTreeMap<Key, usize> = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let done = writing.is_finished();
        let asked = after.as_ref().map_or(path.clone(), |after| format!("{path}&added_after={after}"));
        let (mut next, mut any) = (None::<String>, false);
        loop {
            let page = format!(
                "{asked}&limit=7{}",
                next.as_ref().map_or(String::new(), |next| format!("&next={next}"))
            );
            let answer = get(&analyst, &page).await.expect(200);
            let read: Envelope<'_> = serde_json::from_slice(&answer.body).unwrap();
            read.objects.iter().for_each(|object| *seen.entry(key(object)).or_default() += 1);
            any |= !read.objects.is_empty();
            after = answer.header("x-taxii-date-added-last").map(str::to_owned).or(after);
            match read.next {
                Some(more) => next = Some(more),
                None => break,
            }
        }
        if done && !any {
            break;
        }
    }
    writing.await.unwrap();
    assert_eq!(seen.len(), 40 + 12 * 20, "every version of every object");
    assert!(seen.values().all(|times| *times == 1), "{:?}", seen.iter().find(|(_, times)| **times > 1));
    Arc::into_inner(world).expect("nobody else holds it").end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_after_is_strict_to_the_microsecond_with_and_without_fractions() {
    let start = Timestamp::parse("2026-03-01T12:00:00.250000Z").unwrap();
    let clock = Arc::new(ManualClock::new(start));
    let world = World::start_by(clock.clone()).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let shared = indicators(&world, "LU", "clock", 4, start);
    for ((_, object), seconds) in shared.iter().zip([0, 1, 2, 3]) {
        clock.set(
            Timestamp::parse("2026-03-01T12:00:10Z").unwrap().plus_seconds(seconds).plus_micros(500_000),
        );
        post(&analyst, GroupId::ALLIANCE, std::slice::from_ref(object)).await;
    }
    let objects = format!("{}objects/", collection(GroupId::ALLIANCE));
    let count = async |after: &str| {
        ids(&get(&analyst, &format!("{objects}?added_after={}", percent(after))).await.expect(200)).len()
    };
    assert_eq!(count("2026-03-01T12:00:10Z").await, 4);
    assert_eq!(count("2026-03-01T12:00:10.4Z").await, 4);
    assert_eq!(count("2026-03-01T12:00:11Z").await, 3);
    assert_eq!(count("2026-03-01T12:00:11.500Z").await, 2, "added at that very time is not after it");
    assert_eq!(count("2026-03-01T12:00:11.499999Z").await, 3);
    assert_eq!(count("2026-03-01T13:00:11.500000+01:00").await, 2);
    assert_eq!(count("2099-01-01T00:00:00Z").await, 0);
    // The clock set back: what is added later is later all the same.
    clock.set(start);
    let late = indicators(&world, "LU", "late", 1, start);
    let last =
        get(&analyst, &objects).await.expect(200).header("x-taxii-date-added-last").unwrap().to_owned();
    post(&analyst, GroupId::ALLIANCE, &texts(&late)).await;
    let found = get(&analyst, &format!("{objects}?added_after={}", percent(&last))).await.expect(200);
    assert_eq!(ids(&found), [late[0].0.clone()]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_manifest_and_versions_tell_the_same_story() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let now = world.now().plus_seconds(-3_600);
    let shared = indicators(&world, "LU", "filter", 3, now);
    post(&analyst, GroupId::ALLIANCE, &texts(&shared)).await;
    let (id, object) = &shared[0];
    let later: Vec<Timestamp> = (1..=3).map(|minutes| now.plus_seconds(minutes * 60)).collect();
    // Newest first: the order of versions is that of `modified`, not of arrival.
    for modified in [later[2], later[0], later[1]] {
        assert_eq!(post(&analyst, GroupId::ALLIANCE, &[version(object, modified)]).await["success_count"], 1);
    }
    let malware = shieldwall_exchange::indicator::context(
        shieldwall_exchange::indicator::ContextKind::Malware,
        world.member("LU").id,
        "Grey Heron",
        now,
        None,
    );
    post(&analyst, GroupId::ALLIANCE, &[malware]).await;
    let base = collection(GroupId::ALLIANCE);
    let found = async |path: String| {
        let answer = get(&analyst, &path).await.expect(200);
        let read: Envelope<'_> = serde_json::from_slice(&answer.body).unwrap();
        let mut keys: Vec<Key> = read.objects.into_iter().map(key).collect();
        keys.sort();
        keys
    };
    let millis = shieldwall_exchange::indicator::millis;
    let of = |modified: Timestamp| Key { id: id.clone(), version: millis(modified) };
    let one = format!("{base}objects/{id}/");
    assert_eq!(found(one.clone()).await, [of(later[2])], "the last version unless asked");
    assert_eq!(found(format!("{one}?match[version]=first")).await, [of(now)]);
    assert_eq!(found(format!("{one}?match[version]=first,last")).await, [of(now), of(later[2])]);
    assert_eq!(
        found(format!("{one}?match[version]=all")).await,
        [of(now), of(later[0]), of(later[1]), of(later[2])]
    );
    assert_eq!(found(format!("{one}?match[version]={}", millis(later[0]))).await, [of(later[0])]);
    assert_eq!(found(format!("{one}?match[version]=2001-01-01T00:00:00Z")).await, []);
    assert_eq!(found(format!("{one}?match[spec_version]=2.1")).await, [of(later[2])]);
    assert_eq!(found(format!("{one}?match[spec_version]=2.0")).await, []);
    assert_eq!(found(format!("{base}objects/?match[type]=malware")).await.len(), 1);
    assert_eq!(found(format!("{base}objects/?match[type]=malware,indicator")).await.len(), 4);
    assert_eq!(found(format!("{base}objects/?match[id]={id},{}", shared[1].0)).await.len(), 2);
    assert_eq!(found(format!("{base}objects/?match[id]={id}&match[type]=malware")).await.len(), 0);

    let manifest = get(&analyst, &format!("{base}manifest/?match[version]=all")).await.expect(200).json();
    let records = manifest["objects"].as_array().unwrap();
    assert_eq!(records.len(), 7);
    let added: Vec<&str> = records.iter().map(|record| record["date_added"].as_str().unwrap()).collect();
    assert!(added.windows(2).all(|pair| pair[0] < pair[1]), "times of addition rise: {added:?}");
    assert!(records.iter().all(|record| record["media_type"] == "application/stix+json;version=2.1"));
    let mut told: Vec<String> = records
        .iter()
        .filter(|record| record["id"] == id.as_str())
        .map(|record| record["version"].as_str().unwrap().to_owned())
        .collect();
    told.sort();
    let same = |text: &str| Timestamp::parse(text).unwrap();
    assert_eq!(
        told.iter().map(|text| same(text)).collect::<Vec<_>>(),
        [now, later[0], later[1], later[2]].map(|time| same(&millis(time)))
    );
    // A manifest and the objects it tells of, page by page, are of one order.
    let page = get(&analyst, &format!("{base}manifest/?match[version]=all&limit=3")).await.expect(200);
    assert_eq!(page.json()["more"], true);
    let next =
        format!("{base}manifest/?match[version]=all&limit=3&next={}", page.json()["next"].as_str().unwrap());
    assert_eq!(
        get(&analyst, &next).await.expect(200).json()["objects"].as_array().unwrap()[..],
        records[3..6]
    );
    let rest = format!(
        "{base}manifest/?match[version]=all&added_after={}",
        page.header("x-taxii-date-added-last").unwrap()
    );
    assert_eq!(
        get(&analyst, &rest).await.expect(200).json()["objects"].as_array().unwrap()[..],
        records[3..]
    );
    let versions = get(&analyst, &format!("{one}versions/")).await.expect(200).json();
    let three = get(&analyst, &format!("{one}versions/?limit=3")).await.expect(200).json();
    let rest = format!("{one}versions/?limit=3&next={}", three["next"].as_str().unwrap());
    assert_eq!(get(&analyst, &rest).await.expect(200).json(), json!({"versions": [versions["versions"][3]]}));
    let mut times: Vec<Timestamp> =
        versions["versions"].as_array().unwrap().iter().map(|text| same(text.as_str().unwrap())).collect();
    times.sort();
    assert_eq!(times, [now, later[0], later[1], later[2]].map(|time| same(&millis(time))));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_posted_has_a_status_and_what_is_deleted_is_gone_for_everybody() {
    let mut world = World::start().await;
    let (analyst, other) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let shared = indicators(&world, "LU", "status", 2, world.now());
    let mut objects = texts(&shared);
    objects.push(
        r#"{"type":"indicator","spec_version":"2.1","id":"indicator--3b8b0e0d-6a2f-4a9e-9d3c-55aa66bb77cc"}"#
            .into(),
    );
    let status = post(&analyst, GroupId::ALLIANCE, &objects).await;
    assert_eq!(
        (
            &status["status"],
            &status["total_count"],
            &status["success_count"],
            &status["failure_count"],
            &status["pending_count"]
        ),
        (&json!("complete"), &json!(3), &json!(2), &json!(1), &json!(0))
    );
    assert_eq!(status["failures"][0]["id"], "indicator--3b8b0e0d-6a2f-4a9e-9d3c-55aa66bb77cc");
    assert!(
        status["failures"][0]["message"].as_str().is_some_and(|text| text.contains("objects[2]")),
        "{status}"
    );
    assert_eq!(status["successes"][0]["id"], shared[0].0);
    let path = format!("/taxii2/api/status/{}/", status["id"].as_str().unwrap());
    assert_eq!(get(&analyst, &path).await.expect(200).json(), status);
    get(&other, &path).await.expect(404);
    assert_eq!(
        post(&analyst, GroupId::ALLIANCE, &texts(&shared)).await["success_count"],
        2,
        "again does no harm"
    );
    // Nobody revises another member's object.
    let squatted =
        post(&other, GroupId::ALLIANCE, &[version(&shared[0].1, world.now().plus_seconds(60))]).await;
    assert_eq!((&squatted["success_count"], &squatted["failure_count"]), (&json!(0), &json!(1)));

    let base = collection(GroupId::ALLIANCE);
    let object = format!("{base}objects/{}/", shared[0].0);
    let delete = async |client: &Client, path: &str| {
        Answer::to(client.change(Method::DELETE, path).header("accept", TAXII)).await
    };
    assert_eq!(delete(&other, &object).await.expect(403).code(), "stix.owner.other");
    delete(&analyst, &format!("{object}?match[version]=2001-01-01T00:00:00Z")).await.expect(404);
    delete(&analyst, &object).await.expect(200);
    for client in [&analyst, &other] {
        get(client, &object).await.expect(404);
        get(client, &format!("{object}versions/")).await.expect(404);
        assert_eq!(ids(&get(client, &format!("{base}objects/")).await.expect(200)), [shared[1].0.clone()]);
        assert_eq!(
            get(client, &format!("{base}manifest/")).await.expect(200).json()["objects"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
    }
    world.pause().await;
    world.go_on().await;
    assert_eq!(get(&analyst, &path).await.expect(200).json(), status, "a status outlives a restart");
    get(&analyst, &object).await.expect(404);
    world.end().await;
}
