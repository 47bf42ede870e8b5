//! Looking around in intelligence: the graph by pages, a bundle of what is shown, the ATT&CK matrix, versions, and the
//! preview, which records nothing and says just what sharing then does.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::indicator::IndicatorRole;

use crate::support::stix::{bundle, domain, indicator, story};
use crate::support::{Answer, Client, World};

async fn shared(client: &Client, group: &str, objects: &[String]) -> Json {
    let path = format!("/api/v1/objects?group={group}");
    let report = client.post(&path, "application/json", bundle(objects)).await.expect(200).json();
    assert_eq!(report["refused"], json!([]), "{report}");
    report
}

fn object(kind: &str, number: u32, more: &Json) -> String {
    let at = "2026-01-31T09:30:00.000Z";
    let mut object = json!({
        "type": kind, "spec_version": "2.1", "id": format!("{kind}--00000000-0000-4000-8000-{number:012}"),
        "created": at, "modified": at, "name": format!("{kind} {number}"),
    });
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object.to_string()
}

fn tie(number: u32, source: &str, label: &str, target: &str) -> String {
    let mut tie: Json = serde_json::from_str(&object("relationship", number, &json!({}))).unwrap();
    tie.as_object_mut().unwrap().remove("name");
    tie["relationship_type"] = json!(label);
    tie["source_ref"] = json!(source);
    tie["target_ref"] = json!(target);
    tie.to_string()
}

fn id_of(object: &str) -> String {
    serde_json::from_str::<Json>(object).unwrap()["id"].as_str().unwrap().to_owned()
}

/// A matrix of one tactic and one technique, and malware that uses it.
fn attack() -> (Vec<String>, String, String) {
    let reference = |number: &str| json!([{"source_name": "mitre-attack", "external_id": number}]);
    let tactic = object(
        "x-mitre-tactic",
        1,
        &json!({"x_mitre_shortname": "spread", "external_references": reference("TA1")}),
    );
    let technique = object(
        "attack-pattern",
        1,
        &json!({"kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "spread"}],
            "x_mitre_domains": ["works"], "external_references": reference("T1")}),
    );
    let matrix = object(
        "x-mitre-matrix",
        1,
        &json!({"tactic_refs": [id_of(&tactic)], "external_references": reference("works")}),
    );
    let malware = object("malware", 1, &json!({"is_family": true}));
    let uses = tie(1, &id_of(&malware), "uses", &id_of(&technique));
    let (technique_id, malware_id) = (id_of(&technique), id_of(&malware));
    (vec![tactic, technique, matrix, malware, uses], technique_id, malware_id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_is_read_by_pages_without_loss_and_taken_away_as_a_bundle() {
    let world = World::start().await;
    let group = world.group("Ours", "AMBER", "shown", &["LU", "EE"]).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let centre = object("malware", 7, &json!({"is_family": true}));
    let mut objects = vec![centre.clone()];
    for number in 100..130 {
        let tool = object("tool", number, &json!({}));
        objects.push(tie(number, &id_of(&centre), "uses", &id_of(&tool)));
        objects.push(tool);
    }
    shared(&analyst, &group.id.to_string(), &objects).await;
    let path = format!("/api/v1/objects/{}/graph?type=tool&limit=7", id_of(&centre));
    let (mut found, mut after, mut pages) = (BTreeSet::new(), None::<String>, 0);
    loop {
        let path = after.as_ref().map_or_else(|| path.clone(), |after| format!("{path}&after={after}"));
        let page = analyst.get_json(&path).await;
        assert_eq!(
            (page["nodes"][0]["id"].as_str(), page["total"].as_u64()),
            (Some(&*id_of(&centre)), Some(30))
        );
        for node in page["nodes"].as_array().unwrap().iter().skip(1) {
            assert!(found.insert(node["id"].as_str().unwrap().to_owned()), "{node} came twice");
        }
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!((found.len(), pages), (30, 5));
    let none = analyst.get_json(&format!("/api/v1/objects/{}/graph?label=targets", id_of(&centre))).await;
    assert_eq!(none["nodes"].as_array().unwrap().len(), 1);

    let mut ids: Vec<&str> = found.iter().map(String::as_str).collect();
    ids.push("tool--00000000-0000-4000-8000-999999999999");
    let taken = analyst.post_json("/api/v1/objects/bundle", &json!({"ids": ids})).await.expect(200).json();
    assert_eq!(taken["objects"].as_array().unwrap().len(), 30, "what is absent is left out");
    // To whoever is not party it is a bundle of nothing, as of ids nobody has.
    let outside = world.token("ES", Role::Analyst).await;
    let hidden = outside.post_json("/api/v1/objects/bundle", &json!({"ids": ids})).await.expect(200).json();
    assert_eq!(hidden["objects"], json!([]));
    let many: Vec<String> = (0..1_001).map(|number| format!("tool--{number}")).collect();
    analyst.post_json("/api/v1/objects/bundle", &json!({"ids": many})).await.expect(422);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_counts_what_its_reader_may_see_and_nothing_else() {
    let world = World::start().await;
    let theirs = world.group("Iberian desk", "AMBER", "shown", &["ES", "FR"]).await;
    let (luxembourg, spain) =
        (world.token("LU", Role::Analyst).await, world.token("ES", Role::Analyst).await);
    let alliance = shieldwall_model::id::GroupId::ALLIANCE.to_string();
    let (objects, technique, malware) = attack();
    shared(&luxembourg, &alliance, &objects).await;
    let seen = |read: &Json| read["tactics"][0]["techniques"][0]["seen"].clone();
    let before = luxembourg.get_json("/api/v1/matrix").await;
    assert_eq!(before["domain"], "works");
    assert_eq!(before["tactics"][0]["techniques"][0]["id"], technique.as_str());
    assert_eq!(seen(&before), json!({"users": 1, "indicators": 0, "warnings": 0, "sightings": 0}));

    // In a group Luxembourg is not party to, an indicator of the malware is shared and sighted.
    let (id, sign) = indicator(
        world.member("ES").id,
        &domain("hidden.evil-cdn.example"),
        IndicatorRole::Malicious,
        world.now(),
    );
    shared(&spain, &theirs.id.to_string(), &[sign, tie(2, id.as_str(), "indicates", &malware)]).await;
    let sensor = world.token("FR", Role::Sensor).await;
    let now = world.now().to_string();
    let sighting = json!({"sightings": [{"group": theirs.id, "indicator": id.as_str(), "first_seen": now,
        "last_seen": now, "count": 5, "kind": "domain-name", "field": "dns.rrname", "value": "withheld", "detected": now}]});
    let report = sensor
        .change(Method::POST, "/api/v1/sightings")
        .header("idempotency-key", "hidden-one")
        .json(&sighting);
    assert_eq!(Answer::to(report).await.expect(200).json()["accepted"], 1);
    assert_eq!(
        luxembourg.get_json("/api/v1/matrix").await,
        before,
        "the same to the byte for whoever is outside"
    );
    let inside = spain.get_json("/api/v1/matrix").await;
    assert_eq!(seen(&inside), json!({"users": 1, "indicators": 1, "warnings": 1, "sightings": 5}));

    // What is taken back is not counted any more.
    let recall = json!({"group": theirs.id, "reason": "a mistake"});
    spain.post_json(&format!("/api/v1/objects/{id}/recall"), &recall).await.expect(204);
    assert_eq!(seen(&spain.get_json("/api/v1/matrix").await), seen(&before));
    luxembourg.get("/api/v1/matrix?domain=elsewhere").await.expect(404);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_records_nothing_and_says_what_sharing_then_does() {
    let world = World::start().await;
    let group = world.group("Ours", "GREEN", "shown", &["LU", "EE"]).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let estonia = world.token("EE", Role::Analyst).await;
    let query = format!("group={}", group.id);
    let theirs = story(
        world.member("EE").id,
        &domain("theirs.example"),
        IndicatorRole::Malicious,
        "Kelp",
        world.now(),
    );
    estonia
        .post(&format!("/api/v1/objects?{query}"), "application/json", theirs.bundle.clone())
        .await
        .expect(200);
    let red = object(
        "tool",
        1,
        &json!({"object_marking_refs": ["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"]}),
    );
    let broken = object("malware", 2, &json!({"is_family": "yes"}));
    let good = object("tool", 3, &json!({}));
    let foreign: Json = serde_json::from_str(&theirs.bundle).unwrap();
    let mut foreign = foreign["objects"][0].clone();
    foreign["modified"] = json!(world.now().plus_seconds(60).to_string());
    let body = bundle(&[red, broken, good.clone(), good, foreign.to_string()]);

    let entries = analyst.get_json(&format!("/api/v1/ledger/entries?{query}")).await;
    let preview = analyst
        .post(&format!("/api/v1/objects/preview?{query}"), "application/json", body.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(
        analyst.get_json(&format!("/api/v1/ledger/entries?{query}")).await,
        entries,
        "nothing was recorded"
    );
    assert_eq!(preview["format"], "stix");
    assert_eq!(preview["shared"].as_array().unwrap().len(), 1);
    let members: Vec<&str> = preview["audiences"][0]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(members, ["Estonia", "Luxembourg"]);
    let report =
        analyst.post(&format!("/api/v1/objects?{query}"), "application/json", body).await.expect(200).json();
    assert_eq!(preview["report"], report, "the preview said it before");
    assert_eq!((report["accepted"].as_u64(), report["repeated"].as_u64()), (Some(1), Some(1)));
    let codes: Vec<&str> =
        report["refused"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["stix.marking.too_strict", "stix.property.type", "stix.owner.other"]);

    // A list in prose, told so.
    let text = "They met at evil-one[.]example, and again at hxxps://evil-two[.]example/x.";
    let path = format!("/api/v1/objects/preview?{query}&format=prose&role=suspect&marking=GREEN");
    let prose = analyst.post(&path, "text/plain", text).await.expect(200).json();
    assert_eq!((prose["format"].as_str(), prose["report"]["accepted"].as_u64()), (Some("prose"), Some(2)));
    assert_eq!(prose["shared"][0]["marking"], "GREEN");
    analyst
        .post(&format!("/api/v1/objects/preview?{query}&format=verse"), "text/plain", "x")
        .await
        .expect(400);
    world.token("ES", Role::Analyst).await.post(&path, "text/plain", "evil.example").await.expect(404);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_shared_by_form_and_only_with_the_forms_own_token() {
    let world = World::start().await;
    let person = world.session("LU", Role::Analyst).await;
    let form = |csrf: &str, step: &str| {
        let mut body = String::new();
        for (name, value) in [("csrf", csrf), ("step", step), ("marking", "GREEN")] {
            body += &format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body + "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"l.txt\"\r\n\r\nby-file.example\r\n--b0--\r\n"
    };
    let kind = "multipart/form-data; boundary=b0";
    let send = async |client: &Client, csrf: &str, step: &str| {
        let request = client.request(Method::POST, "/intelligence/import").header("content-type", kind);
        Answer::to(request.body(form(csrf, step))).await
    };
    send(&person.without_csrf(), "", "share").await.expect(403);
    send(&person.without_csrf(), "forged", "share").await.expect(403);
    let seen = send(&person.without_csrf(), person.csrf(), "audience").await.expect(200).text();
    assert!(seen.contains("by-file.example") && seen.contains("Who will see this"), "{seen}");
    let found =
        async || world.token("LU", Role::Analyst).await.get_json("/api/v1/objects?text=by-file").await;
    assert_eq!(found().await["objects"], json!([]));
    send(&person.without_csrf(), person.csrf(), "share").await.expect(200);
    assert_eq!(found().await["objects"][0]["marking"], "GREEN");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_those_the_reader_may_see() {
    let world = World::start().await;
    let theirs = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await;
    let analyst = world.token("LU", Role::Analyst).await;
    let first =
        object("tool", 5, &json!({"description": "seen by everybody, all the same to the last word"}));
    let later = object(
        "tool",
        5,
        &json!({"description": "seen by few of them, all the same to the last word", "modified": "2026-02-02T00:00:00.000Z"}),
    );
    let alliance = shieldwall_model::id::GroupId::ALLIANCE.to_string();
    shared(&analyst, &alliance, std::slice::from_ref(&first)).await;
    let path = format!("/intelligence/{}/versions", id_of(&first));
    let outside = world.session("ES", Role::Analyst).await;
    let before = outside.get(&path).await.expect(200).text();
    shared(&analyst, &theirs.id.to_string(), &[later]).await;
    assert_eq!(
        outside.get(&path).await.expect(200).text(),
        before,
        "whoever is outside sees no second version"
    );
    let inside = world.session("EE", Role::Analyst).await.get(&path).await.expect(200).text();
    assert!(
        inside.contains("<del>everybody,</del>") && inside.contains("<ins>few of them,</ins>"),
        "{inside}"
    );
    let hidden = format!(
        "{path}?from=2026-01-31T09:30:00.000000Z@{alliance}&to=2026-02-02T00:00:00.000000Z@{}",
        theirs.id
    );
    outside.get(&hidden).await.expect(404);
    world.end().await;
}
