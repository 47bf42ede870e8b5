//! Feeds out, from outside: what is in them and what never is, tags and changes, and the programs that read them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::ObjectId;
use shieldwall_model::indicator::IndicatorRole::{self, KillSwitch, Malicious, VictimInfrastructure};
use shieldwall_watch::value::{Kind, Value};

use crate::support::stix::{bundle, domain, indicator};
use crate::support::{Answer, Client, Workplace, World};

const FORMATS: [&str; 11] = [
    "plain",
    "csv",
    "hosts",
    "rpz",
    "suricata-rules",
    "suricata-domains",
    "suricata-ips",
    "suricata-ja3",
    "suricata-datasets",
    "zeek",
    "stix",
];

fn of(kind: Kind, text: &str) -> Value {
    Value::new(kind, text).expect("a value")
}

async fn share(
    world: &World,
    sender: &Client,
    member: &str,
    group: Option<&str>,
    values: &[(Value, IndicatorRole)],
) -> Vec<ObjectId> {
    let id = world.member(member).id;
    let made: Vec<(ObjectId, String)> =
        values.iter().map(|(value, role)| indicator(id, value, *role, world.now())).collect();
    let objects: Vec<String> = made.iter().map(|(_, object)| object.clone()).collect();
    let path = group.map_or("/api/v1/objects".to_owned(), |group| format!("/api/v1/objects?group={group}"));
    let report = sender.post(&path, "application/json", bundle(&objects)).await.expect(200).json();
    assert_eq!(report["refused"], json!([]), "{report}");
    made.into_iter().map(|(id, _)| id).collect()
}

async fn feed(reader: &Client, asked: &str) -> Answer {
    reader.get(&format!("/feeds/{asked}")).await.expect(200)
}

/// The values of the plain feed.
async fn plain(reader: &Client, query: &str) -> Vec<String> {
    let text = feed(reader, &format!("plain{query}")).await.text();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

async fn asked_again(reader: &Client, path: &str, etag: &str) -> Answer {
    Answer::to(reader.request(reqwest::Method::GET, path).header("if-none-match", etag)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_holds_what_may_be_blocked_and_says_why_the_rest_is_not_there() {
    let world = World::start().await;
    let (owner, device) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Sensor).await);
    let ids = share(
        &world,
        &owner,
        "LU",
        None,
        &[
            (domain("evil.example"), Malicious),
            (domain("gone.example"), Malicious),
            (domain("stop.bad.example"), KillSwitch),
            (domain("bad.example"), Malicious),
            (of(Kind::Ipv4, "203.0.113.0/24"), Malicious),
            (of(Kind::Ipv4, "203.0.113.77"), VictimInfrastructure),
            (domain("download.google.com"), Malicious),
            (of(Kind::Ipv4, "198.51.100.7"), Malicious),
        ],
    )
    .await;
    let recall = json!({"group": world.hub().app().directory().groups_of(world.member("LU").id).find(|group| group.members.len() == 5).unwrap().id, "reason": "a mistake"});
    owner.post_json(&format!("/api/v1/objects/{}/recall", ids[1]), &recall).await.expect(204);

    assert_eq!(plain(&device, "").await, ["evil.example", "198.51.100.7"]);
    let answer = feed(&device, "plain").await;
    assert_eq!(answer.header("x-feed-listed"), Some("2"));
    assert_eq!(answer.header("x-feed-left-out"), Some("held=1, recalled=1, not-for-blocking=2, protected=2"));
    for said in ["# left out, taken back: 1\n", "# left out, would block what must stay reachable: 2\n"] {
        assert!(answer.text().contains(said), "{}", answer.text());
    }
    let explained = feed(&device, "plain?explain=1").await.json();
    assert_eq!(
        (&explained["listed"], &explained["left_out"]["protected"]),
        (&json!(2), &json!(2)),
        "{explained}"
    );
    let reason = |id: &ObjectId| {
        let all = explained["examples"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["indicator"] == id.as_str()).unwrap_or(Json::Null)["reason"].clone()
    };
    assert_eq!(
        [&ids[1], &ids[2], &ids[3], &ids[4], &ids[6]].map(reason),
        ["recalled", "not-for-blocking", "protected", "protected", "held"]
    );
    for format in FORMATS {
        let text = feed(&device, format).await.text();
        for never in ["gone.example", "stop.bad", "203.0.113.0", "google"] {
            assert!(!text.contains(never), "{format} holds {never}: {text}");
        }
    }
    assert_eq!(plain(&device, "?kind=ip").await, ["198.51.100.7"]);
    assert_eq!(plain(&device, "?confidence=1").await, Vec::<String>::new());
    assert_eq!(plain(&device, "?score=79").await.len(), 2);
    assert_eq!(plain(&device, "?days=1&marking=RED").await.len(), 2);
    device.get("/feeds/plain?role=kill-switch").await.expect(422);
    device.get("/feeds/exe").await.expect(404);
    let bundle: Json = feed(&device, "stix").await.json();
    assert_eq!(bundle["objects"].as_array().unwrap().len(), 2);
    // As devices come: the token as the password.
    let basic = world
        .nobody()
        .request(reqwest::Method::GET, "/feeds/plain")
        .basic_auth("device", Some(device.secret()));
    assert_eq!(Answer::to(basic).await.expect(200).body, answer.body);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_spares_what_did_not_change_and_a_cursor_tells_what_did() {
    let world = World::start().await;
    let (owner, device) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Sensor).await);
    let first = share(
        &world,
        &owner,
        "LU",
        None,
        &[(domain("one.example"), Malicious), (domain("two.example"), Malicious)],
    )
    .await;
    let before = feed(&device, "plain").await;
    let (etag, cursor) =
        (before.header("etag").unwrap().to_owned(), before.header("x-feed-cursor").unwrap().to_owned());
    assert!(etag.starts_with('"'), "a strong tag: {etag}");
    assert!(asked_again(&device, "/feeds/plain", &etag).await.expect(304).body.is_empty());
    let same = feed(&device, "plain").await;
    assert_eq!((same.header("etag"), &same.body), (Some(etag.as_str()), &before.body));

    // What others share among themselves changes nothing for this reader: not a byte, not a tag.
    let theirs = world.group("Theirs", "AMBER", "shown", &["ES", "FR"]).await.id.to_string();
    let other = world.token("ES", Role::Analyst).await;
    share(
        &world,
        &other,
        "ES",
        Some(&theirs),
        &[(domain("hidden.example"), Malicious), (domain("two.example"), KillSwitch)],
    )
    .await;
    asked_again(&device, "/feeds/plain", &etag).await.expect(304);
    device.get(&format!("/feeds/plain?group={theirs}")).await.expect(404);

    share(
        &world,
        &owner,
        "LU",
        None,
        &[(domain("three.example"), Malicious), (domain("stop.two.example"), KillSwitch)],
    )
    .await;
    let group = world
        .hub()
        .app()
        .directory()
        .groups_of(world.member("LU").id)
        .find(|group| group.members.len() == 5)
        .unwrap()
        .id;
    let recall = json!({"group": group, "reason": "a mistake"});
    owner.post_json(&format!("/api/v1/objects/{}/recall", first[0]), &recall).await.expect(204);
    let after = asked_again(&device, "/feeds/plain", &etag).await.expect(200);
    assert_ne!(after.header("etag"), Some(etag.as_str()));
    let changes = feed(&device, &format!("plain?since={cursor}")).await;
    let mut lines: Vec<String> = changes.text().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(
        lines,
        ["+three.example", "-one.example", "-two.example"],
        "the kill switch below it took the second out"
    );
    let next = changes.header("x-feed-cursor").unwrap();
    assert_eq!(feed(&device, &format!("plain?since={next}")).await.text(), "");
    // A cursor is for its reader and its feed alone.
    assert_eq!(
        world
            .token("EE", Role::Sensor)
            .await
            .get(&format!("/feeds/plain?since={cursor}"))
            .await
            .expect(410)
            .code(),
        "cursor.stale"
    );
    assert_eq!(device.get(&format!("/feeds/csv?since={cursor}")).await.expect(410).code(), "feed.since.gone");
    device.get(&format!("/feeds/stix?since={cursor}")).await.expect(422);
    world.end().await;
}

/// A program that reads feeds, named by the variable; `None` when such are left out on purpose.
fn consumer(variable: &str) -> Option<PathBuf> {
    if let Some(program) = std::env::var_os(variable) {
        return Some(program.into());
    }
    let without = std::env::var("SHIELDWALL_WITHOUT").unwrap_or_default();
    assert!(
        without.split_whitespace().any(|part| part == "consumers"),
        "{variable} is not set: `make test` installs Suricata and BIND's checker and sets it. To leave this test out: \
         SHIELDWALL_WITHOUT=consumers"
    );
    eprintln!("LEFT OUT, as SHIELDWALL_WITHOUT asks: what reads the feeds ({variable})");
    None
}

fn ran(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {told}");
    told
}

/// A configuration that loads nothing but these rules.
fn suricata_yaml(dir: &Path) -> String {
    format!(
        "%YAML 1.1\n---\nvars:\n  address-groups:\n    HOME_NET: \"[10.0.0.0/8]\"\n    EXTERNAL_NET: \"!$HOME_NET\"\n\
         default-log-dir: {0}\ndefault-rule-path: {0}\nrule-files:\n  - shieldwall.rules\n  - shieldwall-datasets.rules\n\
         classification-file: {0}/classification.config\n\
         app-layer:\n  protocols:\n    tls:\n      enabled: yes\n      ja3-fingerprints: yes\n    http:\n      enabled: yes\n    dns:\n      tcp: {{enabled: yes}}\n      udp: {{enabled: yes}}\n",
        dir.display()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_consumers_accept_the_feeds() {
    let (Some(suricata), Some(checkzone)) =
        (consumer("SHIELDWALL_SURICATA"), consumer("SHIELDWALL_CHECKZONE"))
    else {
        return;
    };
    let world = World::start().await;
    let (owner, device) = (world.token("LU", Role::Analyst).await, world.token("EE", Role::Sensor).await);
    let mut values: Vec<(Value, IndicatorRole)> =
        (0..400).map(|n| (domain(&format!("host-{n}.evil-{}.example", n % 7)), Malicious)).collect();
    values.extend((0..60u32).map(|n| (of(Kind::Ipv4, &format!("198.51.100.{n}")), Malicious)));
    for (kind, text) in [
        (Kind::Ipv4, "203.0.113.0/26"),
        (Kind::Ipv6, "2001:db8:77::1"),
        (Kind::Ipv6, "2001:db8:5:6::/64"),
        (Kind::IpPort, "203.0.113.200:8443"),
        (Kind::IpPort, "[2001:db8::9]:443"),
        (Kind::Url, "http://bad.example:8080/a%20b/c.exe?x=\"1\";y|2\\3"),
        (Kind::Url, "https://203.0.113.201/gate.php"),
        (Kind::Url, "http://[2001:db8::7]/x"),
        (Kind::Ja3, "6734f37431670b3ab4292b8f60f29984"),
        (Kind::Domain, "_dmarc.under_score.example"),
        (Kind::Domain, "xn--bcher-kva.example"),
        (Kind::FileName, "a\";) pass ip any any -> any any (sid:1;"),
    ] {
        values.push((of(kind, text), Malicious));
    }
    share(&world, &owner, "LU", None, &values).await;
    let place = Workplace::new();
    let dir = place.path();
    let mut counts = Vec::new();
    for (format, file) in [
        ("suricata-rules", "shieldwall.rules"),
        ("suricata-datasets", "shieldwall-datasets.rules"),
        ("suricata-domains", "shieldwall-domains.lst"),
        ("suricata-ips", "shieldwall-ips.lst"),
        ("suricata-ja3", "shieldwall-ja3.lst"),
        ("rpz", "shieldwall.rpz"),
    ] {
        let answer = feed(&device, format).await;
        counts.push((format, answer.header("x-feed-listed").unwrap().to_owned()));
        std::fs::write(dir.join(file), &answer.body).unwrap();
    }
    std::fs::write(dir.join("suricata.yaml"), suricata_yaml(dir)).unwrap();
    std::fs::write(
        dir.join("classification.config"),
        "config classification: trojan-activity,A Network Trojan was detected,1\n",
    )
    .unwrap();
    let mut test = Command::new(&suricata);
    test.args(["-T", "-v", "--init-errors-fatal", "-c"])
        .arg(dir.join("suricata.yaml"))
        .arg("-l")
        .arg(dir)
        .current_dir(dir);
    let told = ran(&mut test);
    let loaded =
        told.lines().find(|line| line.contains("rules successfully loaded")).unwrap_or("").to_owned();
    println!("suricata -T: {loaded}");
    let rules: usize = counts[0].1.parse::<usize>().unwrap() + 6;
    assert!(
        loaded.contains(&format!("{rules} rules successfully loaded, 0 rules failed")),
        "{counts:?}: {told}"
    );
    let mut check = Command::new(&checkzone);
    check.args(["-i", "none", "rpz.shieldwall.invalid"]).arg(dir.join("shieldwall.rpz"));
    let told = ran(&mut check);
    println!("named-checkzone: {}", told.trim());
    assert!(told.contains("OK"), "{told}");
    // Broken once, to see that they look.
    std::fs::write(dir.join("shieldwall.rules"), "alert dns any any -> any any (msg:\"x; sid:1;)\n").unwrap();
    assert!(!test.output().unwrap().status.success());
    std::fs::write(dir.join("shieldwall.rpz"), "$ORIGIN x.\nevil.example CNAME .\n").unwrap();
    assert!(!check.output().unwrap().status.success());
    world.end().await;
}
