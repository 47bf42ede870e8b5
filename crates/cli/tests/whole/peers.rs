//! Hubs that federate, each a process of its own: what is marked stays where it belongs, loops end, and a cut link goes on
//! without loss or repetition.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_exchange::entries::{OBJECT_RECALLED, OBJECT_SHARED};
use shieldwall_model::id::GroupId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::binary::{HubProcess, run};
use crate::support::client::plain_http;
use crate::support::{Answer, Client, Workplace, within};

const LOOPBACK: [&str; 2] = ["--allow-fetch-from", "http://127.0.0.0/8"];

/// A hub in a process of its own, with a nation, an operator, and a member for each other hub.
struct Wall {
    name: &'static str,
    data: PathBuf,
    process: Option<HubProcess>,
    url: String,
    operator: Client,
    analyst: Client,
    peers: BTreeMap<&'static str, String>,
}

fn token(data: &std::path::Path, member: &str, role: &str, kind: &str) -> String {
    let data = data.to_str().unwrap();
    let said = run(["token", "create", "--data", data, "--member", member, "--role", role, "--kind", kind])
        .expect(0);
    said.out.trim().to_owned()
}

impl Wall {
    async fn start(place: &Workplace, name: &'static str, others: &[&'static str]) -> Self {
        let data = place.path().join(name);
        let nation = format!("Nation of {name}");
        let operator = token(&data, &nation, "operator", "nation");
        let analyst = token(&data, &nation, "analyst", "nation");
        let peers: BTreeMap<&'static str, String> =
            others.iter().map(|other| (*other, token(&data, &hub_name(other), "peer", "partner"))).collect();
        let process = HubProcess::start_with(&data, "127.0.0.1:0", &LOOPBACK);
        let (http, url) = (plain_http(), process.url.clone());
        let client = |token: &String| Client::token(http.clone(), url.clone(), token.clone());
        let (operator, analyst) = (client(&operator), client(&analyst));
        // Members join when their token is first used.
        for token in peers.values() {
            client(token).get("/api/v1/me").await.expect(200);
        }
        analyst.get("/api/v1/me").await.expect(200);
        Self { name, data, process: Some(process), url, operator, analyst, peers }
    }

    fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    fn go_on(&mut self) {
        let listen = self.url.trim_start_matches("http://").to_owned();
        self.process = Some(HubProcess::start_with(&self.data, &listen, &LOOPBACK));
        self.renew();
    }

    /// Connections to a hub that died are of no use.
    fn renew(&mut self) {
        for client in [&mut self.operator, &mut self.analyst] {
            *client = Client::token(plain_http(), self.url.clone(), client.secret().to_owned());
        }
    }

    async fn group(&self, ceiling: &str, members: &[&str]) -> String {
        let nation = format!("Nation of {}", self.name);
        let members: Vec<&str> = members.iter().copied().chain([nation.as_str()]).collect();
        let new = json!({"name": format!("{ceiling} {}", members.len()), "ceiling": ceiling, "names": "shown", "members": members});
        let formed = self.operator.post_json("/api/v1/groups", &new).await.expect(200).json();
        formed["id"].as_str().unwrap().to_owned()
    }

    async fn share(&self, group: &str, objects: &[Json]) {
        let bundle = json!({"objects": objects}).to_string();
        let path = format!("/api/v1/objects?group={group}");
        let report = self.analyst.post(&path, "application/json", bundle).await.expect(200).json();
        assert_eq!(report["accepted"], objects.len(), "{report}");
    }

    /// Sets `other` up as a peer; the settings of `more` go over those there are.
    async fn peer(&self, other: &Self, url: &str, groups: Json, more: Json) -> String {
        let mut new = json!({
            "name": other.name, "kind": "hub", "url": url, "secret": other.peers[self.name], "member": hub_name(other.name),
            "groups": groups, "interval_seconds": 1,
        });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.operator.post_json("/api/v1/peers", &new).await.expect(200).json();
        made["id"].as_str().unwrap().to_owned()
    }

    /// How the exchange of the first group of a peer goes; the operator's member is party to the group.
    async fn progress(&self, peer: &str) -> Json {
        self.operator.get_json(&format!("/api/v1/peers/{peer}")).await["groups"][0]["progress"].clone()
    }

    /// Waits for two more runs of `peer` that reach their end, the second begun after now.
    async fn settle(&self, peer: &str) -> Json {
        let before = self.progress(peer).await["runs"].as_u64().unwrap();
        within("two runs", async {
            loop {
                Answer::to(self.operator.change(Method::POST, &format!("/api/v1/peers/{peer}/run")))
                    .await
                    .expect(204);
                let now = self.progress(peer).await;
                if now["runs"].as_u64().unwrap() >= before + 2 && now["error"].is_null() {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }

    /// Ids of what a group's log holds, by kind of entry, in order, repetitions included.
    async fn log(&self, group: &str, kind: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("/api/v1/ledger/entries?group={group}&kind={kind}&limit=1000{before}");
            let page = self.analyst.get_json(&path).await;
            let entries = page["entries"].as_array().unwrap();
            ids.extend(
                entries.iter().map(|entry| entry["body"]["id"].as_str().unwrap_or_default().to_owned()),
            );
            match entries.last().and_then(|entry| entry["sequence"].as_u64()) {
                Some(sequence) if entries.len() == 1000 => before = format!("&before={sequence}"),
                _ => return ids,
            }
        }
    }

    async fn shared(&self, group: &str) -> BTreeSet<String> {
        let ids = self.log(group, OBJECT_SHARED).await;
        let different: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(ids.len(), different.len(), "{}: nothing is recorded twice", self.name);
        different
    }
}

fn hub_name(name: &str) -> String {
    format!("Hub {name}")
}

fn alliance() -> String {
    GroupId::ALLIANCE.to_string()
}

const LABELS: [(&str, &str); 5] = [
    ("CLEAR", "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    ("GREEN", "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    ("AMBER", "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    ("AMBER+STRICT", "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    ("RED", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
];

fn id(number: usize) -> String {
    format!("tool--00000000-0000-4000-8000-{number:012x}")
}

/// A tool, marked or not.
fn tool(number: usize, label: Option<&str>) -> Json {
    let mut object = json!({
        "type": "tool", "spec_version": "2.1", "id": id(number), "name": format!("tool {number}"),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "description": "so that a page of these is large enough to be cut ".repeat(8),
    });
    if let Some(label) = label {
        let (_, marking) = LABELS.iter().find(|(name, _)| *name == label).unwrap();
        object["object_marking_refs"] = json!([marking]);
    }
    object
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    numbers.into_iter().map(id).collect()
}

#[tokio::test]
async fn amber_stays_where_it_belongs_and_red_never_leaves() {
    let place = Workplace::new();
    let north = Wall::start(&place, "north", &["south"]).await;
    let south = Wall::start(&place, "south", &["north"]).await;
    // A group of each ceiling, here and there, with the other hub's member party to it; the ceiling there is always RED
    // but once, where it is GREEN.
    let mut pairs = Vec::new();
    for (ceiling, there) in
        [("RED", "RED"), ("AMBER", "RED"), ("AMBER", "GREEN"), ("GREEN", "GREEN"), ("AMBER", "AMBER")]
    {
        let here = north.group(ceiling, &["Hub south"]).await;
        pairs.push((ceiling, here, south.group(there, &["Hub north"]).await));
    }
    let mut number = 0;
    let mut objects: BTreeMap<usize, Vec<(usize, Option<&str>)>> = BTreeMap::new();
    for (at, (ceiling, group, _)) in pairs.iter().enumerate() {
        let rank = |label: &str| LABELS.iter().position(|(name, _)| *name == label).unwrap();
        let labels = LABELS.iter().map(|(label, _)| *label).filter(|label| rank(label) <= rank(ceiling));
        for label in labels.map(Some).chain([None]) {
            number += 1;
            objects.entry(at).or_default().push((number, label));
            north.share(group, &[tool(number, label)]).await;
        }
    }
    // South pulls; north has named the last group alone as one whose AMBER leaves, and says AMBER at most.
    let groups: Vec<Json> = pairs
        .iter()
        .enumerate()
        .map(|(at, (_, here, there))| json!({"group": here, "remote": there, "direction": "push", "amber": at >= 2}))
        .collect();
    let peer = north.peer(&south, &south.url, json!(groups), json!({"marking_max": "AMBER"})).await;
    for _ in 0..2 {
        north.settle(&peer).await;
    }
    let wait = within("every group", async {
        loop {
            let peer = north.operator.get_json(&format!("/api/v1/peers/{peer}")).await;
            let groups = peer["groups"].as_array().unwrap().clone();
            if groups.iter().all(|group| group["progress"]["runs"].as_u64() >= Some(1)) {
                return groups;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    for group in wait.await {
        assert!(group["progress"]["error"].is_null(), "{group}");
    }
    let (mut left, mut amber) = (0, 0);
    for (at, (ceiling, _, there)) in pairs.iter().enumerate() {
        let ceiling_there = ["RED", "RED", "GREEN", "GREEN", "AMBER"][at];
        let may = |label: Option<&str>| {
            let label = label.unwrap_or(ceiling);
            match label {
                "CLEAR" | "GREEN" => true,
                // Named (the third, fourth and fifth), and carried there (not the third).
                "AMBER" => at >= 2 && ceiling_there != "GREEN",
                _ => false,
            }
        };
        let expected = ids(objects[&at].iter().filter(|(_, label)| may(*label)).map(|(number, _)| *number));
        assert_eq!(south.shared(there).await, expected, "{ceiling} to {ceiling_there}");
        left += expected.len();
        amber += objects[&at]
            .iter()
            .filter(|(number, label)| label.unwrap_or(ceiling) == "AMBER" && expected.contains(&id(*number)))
            .count();
    }
    // The same by pulling, from the side of one who would like more: a token of the role peer gets no more than is agreed.
    let theirs = Client::token(plain_http(), north.url.clone(), north.peers["south"].clone());
    for (at, (_, here, _)) in pairs.iter().enumerate() {
        let page = theirs.get(&format!("/api/v1/exchange/{here}")).await.expect(200).text();
        for (number, label) in &objects[&at] {
            let strict = label.unwrap_or(pairs[at].0);
            let may = matches!(strict, "CLEAR" | "GREEN") || strict == "AMBER" && at >= 2;
            assert_eq!(page.contains(&id(*number)), may, "{at} {label:?}");
        }
    }
    println!(
        "{number} objects in {} groups: {left} arrived, {amber} of them AMBER, from the one group named",
        pairs.len()
    );
}

#[tokio::test]
async fn loops_end_among_three_hubs() {
    let place = Workplace::new();
    let names = ["one", "two", "three"];
    let mut walls = Vec::new();
    for name in names {
        let others: Vec<&'static str> = names.into_iter().filter(|other| *other != name).collect();
        walls.push(Wall::start(&place, name, &others).await);
    }
    // Everybody with everybody, both ways: each object can go round in either direction.
    let mut peers = Vec::new();
    for (at, wall) in walls.iter().enumerate() {
        for other in walls.iter().filter(|other| other.name != wall.name) {
            let groups = json!([{"group": "alliance", "direction": "both"}]);
            peers.push((at, wall.peer(other, &other.url, groups, json!({})).await));
        }
    }
    for (at, wall) in walls.iter().enumerate() {
        let objects: Vec<Json> = (0..20).map(|n| tool(100 * at + n, Some("GREEN"))).collect();
        wall.share(&alliance(), &objects).await;
    }
    let all = ids((0..3).flat_map(|at| (0..20).map(move |n| 100 * at + n)));
    // Until every hub has everything, and then some more rounds: nothing moves any more.
    for round in 0..4 {
        for (at, peer) in &peers {
            walls[*at].settle(peer).await;
        }
        if round > 1 {
            for wall in &walls {
                assert_eq!(wall.shared(&alliance()).await, all, "{} in round {round}", wall.name);
            }
        }
    }
    let mut before = Vec::new();
    for (at, peer) in &peers {
        let progress = walls[*at].progress(peer).await;
        before.push((progress["received"].clone(), progress["sent"].clone(), progress["repeated"].clone()));
    }
    for (at, peer) in &peers {
        walls[*at].settle(peer).await;
    }
    let (mut moved, mut looped) = (0, 0);
    for ((at, peer), before) in peers.iter().zip(before) {
        let progress = walls[*at].progress(peer).await;
        let now = (progress["received"].clone(), progress["sent"].clone(), progress["repeated"].clone());
        assert_eq!(now, before, "nothing goes round for ever");
        moved += progress["received"].as_u64().unwrap() + progress["sent"].as_u64().unwrap();
        looped += progress["looped"].as_u64().unwrap();
        // The way is kept: whoever has it from another knows through which hubs it came.
    }
    println!(
        "60 objects, 3 hubs, 6 peers both ways: {moved} transfers recorded, {looped} stopped by their way, then none"
    );
}

/// A proxy to `to` that cuts each of the first `cuts` connections after so many bytes of the answer.
async fn cutting_proxy(to: String, cuts: usize, after: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let address = to.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let Ok(server) = TcpStream::connect(&address).await else { continue };
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let up = tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                });
                let (mut buffer, mut passed) = (vec![0; 4096], 0);
                while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                    passed += read;
                    if passed > after && count.load(Ordering::SeqCst) < cuts {
                        count.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    if to_client.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
                up.abort();
            });
        }
    });
    (url, done)
}

#[tokio::test]
async fn a_cut_link_resumes_without_loss_or_repetition() {
    let place = Workplace::new();
    let mut north = Wall::start(&place, "north", &["south"]).await;
    let mut south = Wall::start(&place, "south", &["north"]).await;
    let objects: Vec<Json> = (0..2_000).map(|number| tool(number, Some("GREEN"))).collect();
    for piece in objects[..1_500].chunks(500) {
        north.share(&alliance(), piece).await;
    }
    // Six cuts, each in the middle of a page: a page has 250 objects of some 700 bytes.
    let (proxy, cuts) = cutting_proxy(north.url.clone(), 6, 100_000).await;
    let groups = json!([{"group": "alliance", "direction": "pull"}]);
    let peer = south.peer(&north, &proxy, groups, json!({})).await;
    within("six cuts", async {
        while cuts.load(Ordering::SeqCst) < 6 {
            Answer::to(south.operator.change(Method::POST, &format!("/api/v1/peers/{peer}/run")))
                .await
                .expect(204);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // The hub that is asked dies, and the one that asks dies; both come back.
    north.kill();
    south.kill();
    south.go_on();
    Answer::to(south.operator.change(Method::POST, &format!("/api/v1/peers/{peer}/run"))).await.expect(204);
    within("a failed run", async {
        while south.progress(&peer).await["error"].is_null() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let failed = south.progress(&peer).await;
    assert_eq!(failed["error_code"], "fetch.broken", "{failed}");
    north.go_on();
    north.share(&alliance(), &objects[1_500..]).await;
    let progress = south.settle(&peer).await;
    assert_eq!(south.shared(&alliance()).await, ids(0..2_000));
    assert_eq!(
        progress["received"].as_u64().unwrap() + progress["repeated"].as_u64().unwrap(),
        2_000,
        "{progress}"
    );
    assert!(progress["error"].is_null());
    println!(
        "2,000 objects over 6 cuts and 2 kills: {} received, {} repeated",
        progress["received"], progress["repeated"]
    );
}

#[tokio::test]
async fn a_recall_travels_and_so_does_a_new_version() {
    let place = Workplace::new();
    let north = Wall::start(&place, "north", &["south"]).await;
    let south = Wall::start(&place, "south", &["north"]).await;
    let groups = json!([{"group": "alliance", "direction": "pull"}]);
    let peer = south.peer(&north, &north.url, groups, json!({})).await;
    north.share(&alliance(), &[tool(1, Some("GREEN")), tool(2, Some("GREEN")), tool(3, Some("AMBER"))]).await;
    south.settle(&peer).await;
    assert_eq!(south.shared(&alliance()).await, ids([1, 2]));
    for number in [1, 3] {
        let recall = json!({"group": alliance(), "reason": "a mistake"});
        north.analyst.post_json(&format!("/api/v1/objects/{}/recall", id(number)), &recall).await.expect(204);
    }
    let mut later = tool(2, Some("GREEN"));
    later["modified"] = json!("2026-02-01T00:00:00.000Z");
    later["revoked"] = json!(true);
    north.share(&alliance(), &[later]).await;
    south.settle(&peer).await;
    assert_eq!(south.log(&alliance(), OBJECT_RECALLED).await, [id(1)], "what never left is not spoken of");
    let found = south.analyst.get_json(&format!("/api/v1/objects/{}", id(2))).await;
    assert_eq!(
        (found["versions"].as_array().unwrap().len(), &found["versions"][0]["withdrawn"]),
        (2, &json!(true))
    );
    // Once more from the start changes nothing.
    let progress = south.settle(&peer).await;
    assert_eq!((&progress["recalled"], &progress["received"]), (&json!(1), &json!(3)), "{progress}");
}

#[tokio::test]
async fn a_taxii_server_is_pulled_from_and_pushed_to() {
    let place = Workplace::new();
    let north = Wall::start(&place, "north", &["south"]).await;
    let south = Wall::start(&place, "south", &["north"]).await;
    let objects: Vec<Json> = (0..1_200).map(|number| tool(number, Some("GREEN"))).collect();
    for piece in objects.chunks(400) {
        north.share(&alliance(), piece).await;
    }
    let taxii = |url: &str| json!({"kind": "taxii", "url": format!("{url}/taxii2/api/"), "user": "anybody"});
    let groups = json!([{"group": "alliance", "direction": "both"}]);
    let peer = south.peer(&north, &north.url, groups, taxii(&north.url)).await;
    south.settle(&peer).await;
    assert_eq!(south.shared(&alliance()).await, ids(0..1_200));
    south.share(&alliance(), &[tool(5_000, Some("CLEAR")), tool(5_001, None)]).await;
    let progress = south.settle(&peer).await;
    let mut expected = ids(0..1_200);
    expected.insert(id(5_000));
    assert_eq!(
        north.shared(&alliance()).await,
        expected,
        "what came from there does not go back, unmarked is not GREEN"
    );
    assert_eq!((&progress["sent"], &progress["received"]), (&json!(1), &json!(1_200)), "{progress}");
}

#[tokio::test]
async fn secrets_of_peers_are_told_nobody() {
    let place = Workplace::new();
    let north = Wall::start(&place, "north", &["south"]).await;
    let mut south = Wall::start(&place, "south", &["north"]).await;
    // Once more, with everything logged that can be.
    south.kill();
    let log = place.path().join("log");
    let more = ["--log", "trace", LOOPBACK[0], LOOPBACK[1]];
    let listen = south.url.trim_start_matches("http://").to_owned();
    let file = std::fs::File::create(&log).unwrap();
    south.process = Some(HubProcess::start_logging(&south.data, &listen, &more, file));
    south.renew();
    let secrets: Vec<String> =
        (0..20).map(|number| format!("planted-secret-{number:02}-of-a-peer")).collect();
    for (at, secret) in secrets.iter().enumerate() {
        // Wrong secrets, wrong addresses, users: every way to fail.
        let (kind, url) = match at % 4 {
            0 => ("hub", north.url.clone()),
            1 => ("taxii", format!("{}/taxii2/api/", north.url)),
            2 => ("hub", "http://127.0.0.1:9/".into()),
            _ => ("taxii", "http://10.0.0.1/".into()),
        };
        let more = json!({"name": format!("peer {at}"), "kind": kind, "url": url, "secret": secret, "user": if at % 3 == 0 { Some("us") } else { None }});
        let groups = json!([{"group": "alliance", "direction": "both"}]);
        let peer = south.peer(&north, &north.url, groups, more).await;
        within("a failed run", async {
            while south.progress(&peer).await["error"].is_null() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    let mut told = String::new();
    for path in ["/api/v1/peers", "/metrics", "/api/v1/ledger/entries"] {
        told.push_str(&south.operator.get(path).await.text());
    }
    assert!(told.contains("peer 19"));
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("exchange broke off") && logged.len() > 10_000, "{} bytes logged", logged.len());
    told.push_str(&logged);
    let backup = place.path().join("backup");
    let (data, to) = (south.data.to_str().unwrap(), backup.to_str().unwrap());
    run(["backup", "--data", data, "--to", to]).expect(0);
    let mut files = vec![backup];
    let mut searched = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            searched += bytes.len();
            told.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    assert!(searched > 10_000);
    let found: Vec<&String> = secrets.iter().filter(|secret| told.contains(secret.as_str())).collect();
    assert_eq!(found, Vec::<&String>::new());
    let logged = logged.len();
    println!("20 planted secrets: 0 in answers, metrics, {logged} bytes of log and {searched} of backup");
}
