//! Consumers that know TAXII alone and poll: whatever is added, revised, revoked or taken back, whenever they ask, they come
//! to hold what the collection holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_exchange::indicator::millis;
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_model::time::Timestamp;

use crate::support::stix::{domain, envelope, indicator};
use crate::support::{Answer, Client, World};

const TAXII: &str = "application/taxii+json;version=2.1";
/// An address, which has no versions.
const ADDRESS: &str = "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd";

fn collection(group: GroupId) -> String {
    format!("/taxii2/api/collections/{}/", group.uuid())
}

async fn ask(client: &Client, method: Method, path: &str) -> Answer {
    Answer::to(client.change(method, path).header("accept", TAXII)).await
}

async fn post(client: &Client, base: &str, object: &str) -> Json {
    let request = client.change(Method::POST, &format!("{base}objects/")).header("accept", TAXII);
    let request = request.header("content-type", TAXII).body(envelope(&[object.to_owned()]));
    Answer::to(request).await.expect(202).json()
}

/// A consumer: what it was told last of each object, and where it stands.
struct Consumer {
    client: Client,
    base: String,
    /// Asked of the collection each time, such as `&match[version]=last`.
    filter: &'static str,
    next: Option<String>,
    after: Option<String>,
    /// The time its present walk asks with.
    walking: Option<String>,
    held: BTreeMap<String, Json>,
    /// How often each version came.
    seen: BTreeMap<(String, String), usize>,
}

impl Consumer {
    fn new(client: &Client, base: &str, filter: &'static str) -> Self {
        Self {
            client: client.clone(),
            base: base.to_owned(),
            filter,
            next: None,
            after: None,
            walking: None,
            held: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Takes one page, or begins to poll again. What came, and whether there is more.
    async fn page(&mut self, limit: usize) -> (Vec<Json>, bool) {
        let mut path = format!("{}objects/?limit={limit}{}", self.base, self.filter);
        if let Some(next) = &self.next {
            path.push_str(&format!("&next={next}"));
        } else {
            self.walking.clone_from(&self.after);
        }
        if let Some(after) = &self.walking {
            path.push_str(&format!("&added_after={after}"));
        }
        let answer = ask(&self.client, Method::GET, &path).await.expect(200);
        let body = answer.json();
        self.next = body["next"].as_str().map(str::to_owned);
        self.after = answer.header("x-taxii-date-added-last").map(str::to_owned);
        let objects = body["objects"].as_array().cloned().unwrap_or_default();
        for object in &objects {
            let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            *self.seen.entry((text("id"), text("modified"))).or_default() += 1;
            self.held.insert(text("id"), object.clone());
        }
        (objects, self.next.is_some())
    }

    /// Everything there is by now; what came.
    async fn poll(&mut self) -> Vec<Json> {
        let mut all = Vec::new();
        loop {
            let (objects, more) = self.page(50).await;
            let any = !objects.is_empty();
            all.extend(objects);
            if !more && !any {
                return all;
            }
        }
    }

    /// What it goes by: what it holds and was not revoked.
    fn goes_by(&self) -> BTreeMap<String, String> {
        let valid = self.held.iter().filter(|(_, object)| object["revoked"] != true);
        valid
            .map(|(id, object)| (id.clone(), object["modified"].as_str().unwrap_or_default().to_owned()))
            .collect()
    }
}

fn names(objects: &[Json]) -> Vec<(&str, bool)> {
    objects.iter().map(|object| (object["id"].as_str().unwrap(), object["revoked"] == true)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_polls_learns_what_was_revoked_and_what_was_taken_back() {
    let mut world = World::start().await;
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let (owner, other) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let base = collection(group);
    let now = world.now().plus_seconds(-3_600);
    let made: Vec<(String, String)> = (0..4)
        .map(|number| {
            let value = domain(&format!("poll-{number}.evil-cdn.example"));
            let (id, object) = indicator(world.member("LU").id, &value, IndicatorRole::Malicious, now);
            (id.to_string(), object)
        })
        .collect();
    let address = json!({"type": "ipv4-addr", "spec_version": "2.1", "id": ADDRESS, "value": "198.51.100.3"})
        .to_string();
    for object in made.iter().map(|(_, object)| object.as_str()).chain([&*address]) {
        assert_eq!(post(&owner, &base, object).await["success_count"], 1);
    }
    let mut consumer = Consumer::new(&other, &base, "");
    assert_eq!(consumer.poll().await.len(), 5);
    assert!(consumer.poll().await.is_empty(), "nothing comes twice");

    // Revoked by its owner: a version like any other.
    let mut revised: Json = serde_json::from_str(&made[0].1).unwrap();
    revised["modified"] = json!(millis(now.plus_seconds(60)));
    revised["revoked"] = json!(true);
    post(&owner, &base, &revised.to_string()).await;
    assert_eq!(names(&consumer.poll().await), [(made[0].0.as_str(), true)]);

    // Deleted over TAXII, and recalled by the API: as a revocation, everything else as it was.
    let one = |id: &str| format!("{base}objects/{id}/");
    assert_eq!(ask(&other, Method::DELETE, &one(&made[1].0)).await.status, 403, "not by another member");
    ask(&owner, Method::DELETE, &one(&made[1].0)).await.expect(200);
    let recall = json!({"group": group.to_string(), "reason": "a mistake of ours"});
    owner.post_json(&format!("/api/v1/objects/{}/recall", made[2].0), &recall).await.expect(204);
    let told = consumer.poll().await;
    assert_eq!(names(&told), [(made[1].0.as_str(), true), (made[2].0.as_str(), true)]);
    for (told, (_, object)) in told.iter().zip(&made[1..3]) {
        let mut was: Json = serde_json::from_str(object).unwrap();
        assert!(told["modified"].as_str() > was["modified"].as_str(), "later than what it revokes");
        was["modified"] = told["modified"].clone();
        was["revoked"] = json!(true);
        assert_eq!(*told, was);
    }
    // The manifest tells the same to who asks by time, and nobody else is told at all.
    let time = now.to_string();
    let manifest =
        ask(&other, Method::GET, &format!("{base}manifest/?added_after={time}")).await.expect(200).json();
    assert_eq!(manifest["objects"].as_array().unwrap().len(), 5, "{manifest}");
    let mut late = Consumer::new(&other, &base, "");
    assert!(!late.page(50).await.1, "one page");
    let there: BTreeSet<&str> = late.seen.keys().map(|(id, _)| id.as_str()).collect();
    assert_eq!(there, [&*made[0].0, &*made[3].0, ADDRESS].into(), "who comes later sees what is there");
    // What was shared is in the log as it came, beside the version that takes it back.
    let read = other.get_json(&format!("/api/v1/objects/{}", made[1].0)).await;
    let was: Json = serde_json::from_str(&made[1].1).unwrap();
    assert_eq!(read["versions"].as_array().unwrap().len(), 2, "{read}");
    assert_eq!(
        (&read["versions"][1]["object"], &read["versions"][0]["object"]["revoked"]),
        (&was, &json!(true))
    );
    let sensor = world.token("EE", Role::Sensor).await;
    let watched = sensor.get_json("/api/v1/watchlist").await;
    assert_eq!(watched["changes"].as_array().unwrap().len(), 1, "sensors match what is left: {watched}");

    // A revocation is for ever: no version that is not later comes after it.
    let status = post(&owner, &base, &made[1].1).await;
    assert!(status["failures"][0]["message"].as_str().unwrap().contains("stix.version.recalled"), "{status}");
    // What has no versions is taken back without a word to pollers: STIX has none. It can come back as it was.
    ask(&owner, Method::DELETE, &one(ADDRESS)).await.expect(200);
    assert!(consumer.poll().await.is_empty());
    assert_eq!(post(&owner, &base, &address).await["success_count"], 1);
    assert_eq!(consumer.poll().await.len(), 1, "added anew");
    // One version taken back: the one before it is the last again, and comes once more.
    for seconds in [120, 180] {
        let mut revised: Json = serde_json::from_str(&made[3].1).unwrap();
        revised["modified"] = json!(millis(now.plus_seconds(seconds)));
        post(&owner, &base, &revised.to_string()).await;
    }
    consumer.poll().await;
    let last = millis(now.plus_seconds(180));
    ask(&owner, Method::DELETE, &format!("{}?match[version]=last", one(&made[3].0))).await.expect(200);
    assert_eq!(
        ask(&other, Method::GET, &format!("{}?match[version]={last}", one(&made[3].0))).await.status,
        404
    );
    let again = consumer.poll().await;
    assert_eq!((again.len(), &again[0]["modified"]), (1, &json!(millis(now.plus_seconds(120)))));
    let versions =
        ask(&other, Method::GET, &format!("{}versions/", one(&made[3].0))).await.expect(200).json();
    assert_eq!(versions["versions"], json!([millis(now), millis(now.plus_seconds(120))]));

    // All of it is in the log: after a restart the same comes.
    let held = consumer.goes_by();
    let mut before = Consumer::new(&other, &base, "&match[version]=all");
    before.after = Some(now.to_string());
    before.poll().await;
    world.pause().await;
    world.go_on().await;
    let mut after = Consumer::new(&other, &base, "&match[version]=all");
    after.after = Some(now.to_string());
    after.poll().await;
    assert_eq!(after.seen, before.seen);
    assert_eq!(consumer.poll().await.len(), 0);
    assert_eq!(consumer.goes_by(), held);
    world.end().await;
}

/// What happens between two looks of a consumer.
#[derive(Clone, Copy, Debug)]
enum Step {
    Add(u8),
    Revise(u8),
    /// A version older than the last one.
    ReviseLate(u8),
    Revoke(u8),
    Delete(u8),
    DeleteLast(u8),
    DeleteFirst(u8),
    Page(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..6u8;
    prop_oneof![
        3 => which.clone().prop_map(Step::Add),
        3 => which.clone().prop_map(Step::Revise),
        1 => which.clone().prop_map(Step::ReviseLate),
        1 => which.clone().prop_map(Step::Revoke),
        2 => which.clone().prop_map(Step::Delete),
        1 => which.clone().prop_map(Step::DeleteLast),
        1 => which.prop_map(Step::DeleteFirst),
        6 => (1..4usize).prop_map(Step::Page),
    ]
}

/// Writes as an owner would, and refuses nothing it does: a step that makes no sense is refused by the hub.
struct Owner<'w> {
    client: &'w Client,
    base: &'w str,
    start: Timestamp,
    /// The hour of the next version: each is an hour after the one before, far in the past.
    hour: i64,
    again: bool,
}

impl Owner<'_> {
    async fn take(&mut self, step: Step, round: usize) {
        let id = |which: u8| format!("tool--7d3a9c1e-5f20-4b7e-8a11-{round:06}{which:06}");
        self.hour += 1;
        match step {
            Step::Add(which) | Step::Revise(which) => self.share(&id(which), self.hour * 60, false).await,
            Step::ReviseLate(which) => self.share(&id(which), self.hour * 60 - 90, false).await,
            Step::Revoke(which) => self.share(&id(which), self.hour * 60, true).await,
            Step::Delete(which) => self.delete(&id(which), "").await,
            Step::DeleteLast(which) => {
                self.again = true;
                self.delete(&id(which), "?match[version]=last").await;
            }
            Step::DeleteFirst(which) => {
                self.again = true;
                self.delete(&id(which), "?match[version]=first").await;
            }
            Step::Page(_) => {}
        }
    }

    async fn share(&self, id: &str, minutes: i64, revoked: bool) {
        let object = json!({
            "type": "tool", "spec_version": "2.1", "id": id, "name": "a tool", "created": millis(self.start),
            "modified": millis(self.start.plus_seconds(minutes * 60)), "revoked": revoked,
        });
        post(self.client, self.base, &object.to_string()).await;
    }

    async fn delete(&self, id: &str, query: &str) {
        let status =
            ask(self.client, Method::DELETE, &format!("{}objects/{id}/{query}", self.base)).await.status;
        assert!(matches!(status, 200 | 404), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_between_two_pages_a_consumer_ends_with_what_is_there() {
    let world = Arc::new(World::start().await);
    let (owner, reader) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let runtime = tokio::runtime::Handle::current();
    let round = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let case = async |steps: Vec<Step>| {
        let number = round.get() + 1;
        round.set(number);
        let group = world.group(&format!("round {number}"), "AMBER", "shown", &["LU", "EE"]).await.id;
        let base = collection(group);
        let start = Timestamp::parse("2020-01-01T00:00:00Z").unwrap();
        let mut owner = Owner { client: &owner, base: &base, start, hour: 2, again: false };
        let mut consumer = Consumer::new(&reader, &base, "");
        for step in &steps {
            match step {
                Step::Page(limit) => {
                    consumer.page(*limit).await;
                }
                step => owner.take(*step, number).await,
            }
        }
        consumer.poll().await;
        let mut fresh = Consumer::new(&reader, &base, "");
        fresh.poll().await;
        if consumer.goes_by() != fresh.goes_by() {
            return Err(TestCaseError::fail(format!(
                "holds {:?}, there is {:?}",
                consumer.goes_by(),
                fresh.goes_by()
            )));
        }
        // Only what was added anew, since a version after it was taken back, may come again.
        let twice = consumer.seen.iter().find(|(_, times)| **times > 1);
        match twice {
            Some(twice) if !owner.again => Err(TestCaseError::fail(format!("{twice:?} came again"))),
            _ => Ok(()),
        }
    };
    let checked = tokio::task::block_in_place(|| {
        runner.run(&proptest::collection::vec(step(), 1..40), |steps| runtime.block_on(case(steps)))
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    Arc::into_inner(world).expect("nobody else holds it").end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_while_a_reader_pages_by_the_last_version_are_never_lost() {
    let world = Arc::new(World::start().await);
    let (owner, reader) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Analyst).await);
    let base = collection(GroupId::ALLIANCE);
    let start = Timestamp::parse("2020-01-01T00:00:00Z").unwrap();
    let share = async |client: &Client, which: u32, hour: i64| {
        let object = json!({
            "type": "tool", "spec_version": "2.1", "id": format!("tool--7d3a9c1e-5f20-4b7e-8a11-{which:012}"),
            "name": "a tool", "created": millis(start), "modified": millis(start.plus_seconds(hour * 3_600)),
        });
        post(client, &base, &object.to_string()).await;
    };
    for which in 0..40 {
        share(&owner, which, 0).await;
    }
    let writing = async {
        for hour in 1..6 {
            for which in (0..40).step_by(3) {
                share(&owner, which, hour).await;
            }
            let gone = format!("{base}objects/tool--7d3a9c1e-5f20-4b7e-8a11-{:012}/", hour * 3 + 1);
            ask(&owner, Method::DELETE, &gone).await.expect(200);
        }
    };
    let mut consumer = Consumer::new(&reader, &base, "&match[version]=last");
    let reading = async {
        for _ in 0..60 {
            consumer.page(3).await;
        }
    };
    tokio::join!(writing, reading);
    consumer.poll().await;
    let mut fresh = Consumer::new(&reader, &base, "");
    fresh.poll().await;
    assert_eq!(fresh.goes_by().len(), 35);
    assert_eq!(consumer.goes_by(), fresh.goes_by());
    assert!(consumer.seen.values().all(|times| *times == 1), "{:?}", consumer.seen);
    Arc::into_inner(world).expect("nobody else holds it").end().await;
}
