//! What is known to go wrong between TAXII servers and clients, each by the name it goes by where it was reported.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;

use crate::support::stix::envelope;
use crate::support::{Answer, Client, World};

const TAXII: &str = "application/taxii+json;version=2.1";

/// A hub with 25 tools in one collection, shared in one request; who shared them, and the collection's path.
async fn stage() -> (World, Client, String) {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let base = format!("/taxii2/api/collections/{}/", GroupId::ALLIANCE.uuid());
    let objects: Vec<String> = (0..25).map(|number| tool(number, "2026-01-01T00:00:00.000Z")).collect();
    let request = analyst.change(Method::POST, &format!("{base}objects/")).header("content-type", TAXII);
    let status = Answer::to(request.body(envelope(&objects))).await.expect(202).json();
    assert_eq!(status["success_count"], 25, "{status}");
    (world, analyst, base)
}

fn tool(number: u32, modified: &str) -> String {
    json!({
        "type": "tool", "spec_version": "2.1", "id": format!("tool--7d3a9c1e-5f20-4b7e-8a11-{number:012}"),
        "created": "2026-01-01T00:00:00.000Z", "modified": modified, "name": format!("tool {number}"),
    })
    .to_string()
}

async fn get(client: &Client, path: &str) -> Answer {
    Answer::to(client.request(Method::GET, path).header("accept", TAXII)).await
}

fn ids(body: &Json) -> Vec<String> {
    let objects = body["objects"].as_array().cloned().unwrap_or_default();
    objects.iter().map(|object| object["id"].as_str().expect("an id").to_owned()).collect()
}

/// Walks `path` and asks for each page by `step` from the page before; the ids as they came.
async fn walk(client: &Client, path: &str, step: impl Fn(&Answer) -> Option<String>) -> Vec<String> {
    let (mut found, mut more) = (Vec::new(), String::new());
    for _ in 0..100 {
        let answer = get(client, &format!("{path}{more}")).await.expect(200);
        let body = answer.json();
        found.extend(ids(&body));
        if body["more"] != true {
            return found;
        }
        more = step(&answer).expect("a page that has more says how to ask for it");
    }
    panic!("a client turns in circles: {} ids", found.len());
}

fn by_next(answer: &Answer) -> Option<String> {
    answer.json()["next"].as_str().map(|next| format!("&next={next}"))
}

fn by_time(answer: &Answer) -> Option<String> {
    answer.header("x-taxii-date-added-last").map(|time| format!("&added_after={time}"))
}

/// OpenTAXII: a limit of 0 is no limit, or a page that never ends. The standard: malformed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentaxii_a_limit_of_zero_is_refused_with_advice() {
    let (world, analyst, base) = stage().await;
    for kind in ["objects", "manifest"] {
        let refused = get(&analyst, &format!("{base}{kind}/?limit=0")).await.expect(400).json();
        assert!(refused["description"].as_str().unwrap().contains("limit"), "{refused}");
    }
    world.end().await;
}

/// OpenTAXII: a manifest has `more` and no way on; taxii2-client then asks for the first page for ever (also
/// oasis-tcs/cti-taxii2 issue 110). And pages of one instant come again or not at all (cti-taxii2 issue 50, opencti 4537,
/// connectors 7604): here no two objects were ever added at one time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentaxii_manifest_pages_and_more_without_next() {
    let (world, analyst, base) = stage().await;
    let whole = ids(&get(&analyst, &format!("{base}objects/")).await.json());
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 25);
    for kind in ["objects", "manifest"] {
        for limit in [1, 4, 24, 25] {
            let path = format!("{base}{kind}/?limit={limit}");
            assert_eq!(walk(&analyst, &path, by_next).await, whole, "{path} by next");
            assert_eq!(walk(&analyst, &path, by_time).await, whole, "{path} by time");
            // A client that sends both (opencti issue 5681).
            let both = |answer: &Answer| Some(by_next(answer)? + &by_time(answer)?);
            assert_eq!(walk(&analyst, &path, both).await, whole, "{path} by both");
        }
        // `next` goes with filters, and with another limit than before.
        let path = format!("{base}{kind}/?match[type]=tool&match[spec_version]=2.1&match[version]=first");
        let first = get(&analyst, &format!("{path}&limit=3")).await;
        let rest = get(&analyst, &format!("{path}&limit=50{}", by_next(&first).unwrap())).await.expect(200);
        assert_eq!([ids(&first.json()), ids(&rest.json())].concat(), whole);
    }
    world.end().await;
}

/// OpenTAXII: `added_after` without fractions is refused, or compared as text; and the `+` of an offset that was not
/// escaped (OpenCTI sends `+00:00`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentaxii_added_after_without_fractions_and_other_spellings() {
    let (world, analyst, base) = stage().await;
    let second = world.now().plus_seconds(-60).to_string();
    let second = second.split('.').next().unwrap();
    for written in
        ["Z", ".0Z", ".000Z", ".000000Z", ".000000000Z", "%2B00:00", "+00:00", ".000000+00:00", "z"]
    {
        let path = format!("{base}objects/?added_after={second}{written}");
        assert_eq!(ids(&get(&analyst, &path).await.expect(200).json()).len(), 25, "{path}");
    }
    let late = get(&analyst, &format!("{base}manifest/?added_after=2099-01-01")).await.expect(200);
    assert_eq!(late.text(), "{}");
    world.end().await;
}

/// opencti issue 6973: without objects the two headers were `undefined`, and clients broke on it. The value given is good
/// to ask with again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opencti_an_empty_page_still_says_up_to_when_all_is_known() {
    let (world, analyst, base) = stage().await;
    let path = format!("{base}objects/?added_after=");
    let last =
        get(&analyst, &format!("{base}objects/")).await.header("x-taxii-date-added-last").unwrap().to_owned();
    let idle = get(&analyst, &format!("{path}{last}")).await.expect(200);
    assert_eq!((idle.text().as_str(), idle.header("x-taxii-date-added-last")), ("{}", Some(&*last)));
    let empty =
        format!("/taxii2/api/collections/{}/objects/", GroupId::home_of(world.member("LU").id).uuid());
    let empty = get(&analyst, &empty).await.expect(200);
    assert_eq!(empty.header("x-taxii-date-added-last"), Some("1970-01-01T00:00:00.000000Z"));
    world.end().await;
}

/// medallion and opencti 4246: 406 for what HTTP clients send by default; opencti 5621: answers without the media type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn medallion_accept_as_http_clients_write_it() {
    let (world, analyst, base) = stage().await;
    for accept in [None, Some("*/*"), Some("application/json"), Some("application/json, text/plain, */*")] {
        let mut request = analyst.request(Method::GET, &format!("{base}objects/?limit=1"));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = Answer::to(request.header("content-type", "application/json")).await.expect(200);
        assert_eq!(answer.header("content-type"), Some(TAXII), "{accept:?}");
    }
    world.end().await;
}

/// connectors issue 1123: the manifest of an object just received was an empty list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opencti_connectors_the_manifest_knows_what_was_just_received() {
    let (world, analyst, base) = stage().await;
    let object = get(&analyst, &format!("{base}objects/?limit=1")).await.json()["objects"][0].clone();
    let (id, version) = (object["id"].as_str().unwrap(), object["modified"].as_str().unwrap());
    let path = format!("{base}manifest/?match[id]={id}&match[version]={version}");
    let manifest = get(&analyst, &path).await.expect(200).json();
    assert_eq!((ids(&manifest), &manifest["objects"][0]["version"]), (vec![id.to_owned()], &json!(version)));
    world.end().await;
}

/// OpenTAXII pull requests 272 and 279: a deletion that deletes nothing, the object's type in the place of the
/// specification's version, objects without `modified` taken with a time made up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentaxii_deletions_media_types_and_missing_times() {
    let (world, analyst, base) = stage().await;
    let manifest = get(&analyst, &format!("{base}manifest/")).await.json();
    let id = ids(&manifest)[3].clone();
    assert_eq!(manifest["objects"][3]["media_type"], "application/stix+json;version=2.1");
    let gone =
        Answer::to(analyst.change(Method::DELETE, &format!("{base}objects/{id}/")).header("accept", TAXII))
            .await;
    assert_eq!(gone.expect(200).header("content-type"), Some(TAXII));
    assert!(!ids(&get(&analyst, &format!("{base}manifest/?match[version]=all")).await.json()).contains(&id));
    let timeless = r#"{"type":"tool","spec_version":"2.1","id":"tool--7d3a9c1e-5f20-4b7e-8a11-000000000900","name":"x"}"#;
    let request = analyst.change(Method::POST, &format!("{base}objects/")).header("content-type", TAXII);
    let status = Answer::to(request.body(envelope(&[timeless.into()]))).await.expect(202).json();
    assert_eq!((&status["success_count"], &status["failure_count"]), (&json!(0), &json!(1)), "{status}");
    world.end().await;
}

/// MISP and OpenCTI give objects ids and values of their own: here what comes back is what was sent, byte for byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misp_and_opencti_ids_and_spellings_come_back_as_they_were_sent() {
    let (world, analyst, base) = stage().await;
    let odd = r#"{ "modified":"2026-01-01T00:00:00.000Z","type":"tool", "spec_version":"2.1","id":"tool--7d3a9c1e-5f20-4b7e-8a11-00000000AAAA","created":"2026-01-01T00:00:00.000Z","name":"\u00e9\/t\u0061n","x_ratio":1.50e0 ,"x_list":[ ] }"#;
    let request = analyst.change(Method::POST, &format!("{base}objects/")).header("content-type", TAXII);
    let status = Answer::to(request.body(envelope(&[odd.into()]))).await.expect(202).json();
    assert_eq!(status["success_count"], 1, "{status}");
    let path = format!("{base}objects/tool--7d3a9c1e-5f20-4b7e-8a11-00000000AAAA/");
    let back = get(&analyst, &path).await.expect(200).text();
    assert_eq!(back, format!("{{\"objects\":[{odd}],\"more\":false}}"));
    world.end().await;
}

/// connectors issue 792: a path without its last slash. It is sent on, whether or not anything is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opencti_connectors_a_path_without_its_last_slash() {
    let (world, analyst, base) = stage().await;
    for (client, path) in [
        (&analyst, format!("{base}objects?limit=2")),
        (&analyst, "/taxii2/api/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/objects?limit=2".into()),
        (&world.nobody(), "/taxii2".into()),
    ] {
        let sent = get(client, &path).await.expect(308);
        let (bare, query) =
            path.split_once('?').map_or((&*path, String::new()), |(a, b)| (a, format!("?{b}")));
        assert_eq!(sent.header("location"), Some(&*format!("{bare}/{query}")));
    }
    world.end().await;
}

/// An envelope without objects: the standard has no empty lists, and no status for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_envelope_is_refused_and_custom_properties_are_passed_over() {
    let (world, analyst, base) = stage().await;
    let post = |body: String| {
        let request = analyst.change(Method::POST, &format!("{base}objects/")).header("content-type", TAXII);
        Answer::to(request.body(body))
    };
    for body in ["{}", r#"{"objects":[]}"#, r#"{"more":false}"#] {
        assert_eq!(post(body.into()).await.expect(422).code(), "taxii.envelope.empty", "{body}");
    }
    let custom = format!(
        r#"{{"x_acme_scoring":{{"impact":"high"}},"objects":[{}]}}"#,
        tool(901, "2026-01-01T00:00:00.000Z")
    );
    assert_eq!(post(custom).await.expect(202).json()["success_count"], 1);
    world.end().await;
}
