//! The description of the API: kept as a snapshot, whole in itself, and what the hub serves.

use std::collections::BTreeSet;

use serde_json::Value;
use shieldwall_hub::routes::{Face, table};
use shieldwall_model::access::Role;

use crate::golden;
use crate::support::World;

/// Every `$ref` in `value`.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner {
                    Value::String(target) if key == "$ref" => {
                        found.insert(target);
                    }
                    inner => references(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_served_is_the_snapshot_and_whole_in_itself() {
    let world = World::start().await;
    let served = world.nobody().get("/api/v1/openapi.json").await.expect(200).json();
    let text = serde_json::to_string_pretty(&served).unwrap();
    golden::compare("openapi.json", &format!("{text}\n"));

    assert_eq!(served["openapi"], "3.1.0");
    let mut targets = BTreeSet::new();
    references(&served, &mut targets);
    assert!(targets.len() > 10, "the shapes are told by reference: {targets:?}");
    for target in targets {
        let pointer =
            target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leads out of the document"));
        assert!(served.pointer(pointer).is_some(), "{target} leads nowhere");
    }

    for route in table() {
        let described = &served["paths"][route.path][route.method.as_str().to_lowercase()];
        let is_page = matches!(route.face, Face::Page | Face::Asset);
        assert_eq!(described.is_object(), !is_page, "{} {}", route.method, route.path);
        for parameter in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let told = described["parameters"].as_array().is_some_and(|told| {
                told.iter()
                    .any(|one| one["name"] == parameter && one["in"] == "path" && one["required"] == true)
            });
            assert!(is_page || told, "{} {} does not tell of {parameter}", route.method, route.path);
        }
    }
    // The description is the same for everybody: it must not tell who asks.
    let again = world.token("LU", Role::Operator).await.get("/api/v1/openapi.json").await.expect(200).json();
    assert_eq!(again, served);
    world.end().await;
}
