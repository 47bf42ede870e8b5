//! A TAXII client that is not ours: PyPI's taxii2-client walks the hub from discovery to the last object.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};
use shieldwall_hub::taxii::collection_id;
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;

use crate::support::stix::{bundle, domain, envelope, indicator};
use crate::support::{Client, World};

/// The Python that has the clients; `None` when they are left out on purpose, `what` among them.
pub(crate) fn python(what: &str) -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("SHIELDWALL_PYTHON") {
        return Some(python.into());
    }
    let without = std::env::var("SHIELDWALL_WITHOUT").unwrap_or_default();
    assert!(
        without.split_whitespace().any(|part| part == "clients"),
        "SHIELDWALL_PYTHON is not set: `make test` installs taxii2-client and PyMISP and sets it; by hand, make a virtual environment, \
         `pip install -r scripts/requirements.txt` and name its python. To leave this test out: SHIELDWALL_WITHOUT=clients"
    );
    eprintln!("LEFT OUT, as SHIELDWALL_WITHOUT asks: {what}");
    None
}

fn walk(python: &Path, world: &World, client: &Client, group: GroupId, envelope: &Path) -> Json {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/taxii_walk.py");
    let output = Command::new(python)
        .arg(script)
        .args([format!("{}/taxii2/", world.url()), collection_id(group).to_string()])
        .arg(envelope)
        .env("SHIELDWALL_TOKEN", client.secret())
        .env("NO_PROXY", "*")
        .output()
        .expect("SHIELDWALL_PYTHON names a Python that runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client failed: {told}");
    let line = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(line.trim()).unwrap_or_else(|error| panic!("{error}: {line}\n{told}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taxii2_client_walks_from_discovery_to_the_last_object() {
    let Some(python) = python("taxii2-client's walk") else { return };
    let world = World::start().await;
    let group = world.group("Baltic desk", "AMBER", "shown", &["LU", "EE"]).await.id;
    let analyst = world.token("LU", Role::Analyst).await;
    let member = world.member("LU").id;
    let made: Vec<(String, String)> = (0..173)
        .map(|number| {
            let value = domain(&format!("walk-{number}.evil-cdn.example"));
            let (id, object) = indicator(member, &value, IndicatorRole::Malicious, world.now());
            (id.to_string(), object)
        })
        .collect();
    let texts: Vec<String> = made.iter().map(|(_, object)| object.clone()).collect();
    let path = format!("/api/v1/objects?group={group}");
    assert_eq!(
        analyst.post(&path, "application/json", bundle(&texts)).await.expect(200).json()["accepted"],
        173
    );
    let (_, extra) =
        indicator(member, &domain("posted.evil-cdn.example"), IndicatorRole::Malicious, world.now());
    let file = world.beside("envelope.json");
    std::fs::write(&file, envelope(&[extra])).expect("a file for the client");

    let (world, told) = tokio::task::spawn_blocking(move || {
        let told = walk(&python, &world, &analyst, group, &file);
        (world, told)
    })
    .await
    .expect("the walk ends");
    let ids: Vec<&str> = made.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(told["object_ids"], json!(ids), "every object once, in the order of addition");
    assert_eq!(told["manifest_ids"], json!(ids), "and the manifest tells of the same");
    assert_eq!(
        (&told["object_pages"], &told["manifest_pages"], &told["whole"]),
        (&json!(4), &json!(4), &json!(173))
    );
    // The alliance's, this one and the member's own.
    assert_eq!((&told["api_roots"], &told["collections"]), (&json!(1), &json!(3)));
    assert_eq!((&told["can_read"], &told["can_write"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&told["typed"], &told["after"], &told["one"], &told["versions"]),
        (&json!(173), &json!(172), &json!([ids[0]]), &json!(1))
    );
    assert_eq!(told["status"], json!(["complete", 1, 1, 0, 0]));
    assert_eq!(told["status_again"], json!([true, "complete", 1]));
    assert_eq!(
        (&told["back"], &told["left"]),
        (&json!(true), &json!(0)),
        "posted, read back as it was, deleted"
    );
    let checks = told["checks"].as_object().expect("the client's checks");
    let failed: Vec<&String> =
        checks.iter().filter(|(_, held)| **held != true).map(|(name, _)| name).collect();
    assert!(failed.is_empty() && checks.len() > 30, "{failed:?} of {}", checks.len());
    println!("taxii2-client: {} more questions answered as they should be", checks.len());
    println!(
        "taxii2-client read 173 objects in {} pages in {:.3} s",
        told["object_pages"],
        told["seconds"].as_f64().unwrap()
    );
    world.end().await;
}
