//! Warninglists: which values are on the lists of things that are no sign of an attack.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};
use shieldwall_exchange::misp::edit::tag_number;
use shieldwall_exchange::warninglist::{Warninglist, Warninglists};

use super::body;
use crate::ask::{Ask, json};
use crate::problem::Problem;

/// Most values asked about at once.
const VALUES_MAX: usize = 10_000;

/// `GET /misp/warninglists/index`.
///
/// # Errors
/// None beyond those of every answer.
pub async fn index(_: Ask) -> Result<Response, Problem> {
    let lists: Vec<Value> = Warninglists::built_in()
        .iter()
        .map(|list| {
            let mut told = about(list);
            if let Some(fields) = told.as_object_mut() {
                fields.insert("version".into(), list.version.to_string().into());
                fields.insert("description".into(), list.description.clone().into());
                fields.insert("enabled".into(), true.into());
                fields.insert("warninglist_entry_count".into(), list.entries.to_string().into());
            }
            json!({"Warninglist": told})
        })
        .collect();
    json(&json!({"Warninglists": lists}))
}

fn about(list: &Warninglist) -> Value {
    json!({"id": tag_number(&list.name), "name": list.name})
}

/// `POST /misp/warninglists/checkValue`: of each value on a list, the lists it is on.
///
/// # Errors
/// 422 for too many values.
pub async fn check(mut ask: Ask) -> Result<Response, Problem> {
    let sent = body(&mut ask).await?;
    let values: Vec<String> = match &sent {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(fields) => fields.values().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if values.len() > VALUES_MAX {
        let reason = format!("at most {VALUES_MAX} values at once: ask in several requests");
        return Err(Problem::refused("misp.warninglist.too_many", reason));
    }
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for value in values {
        let hits = Warninglists::built_in().check_text(&value);
        let lists: Vec<Value> = hits
            .iter()
            .map(|hit| {
                let mut told = about(hit.list);
                if let Some(fields) = told.as_object_mut() {
                    fields.insert("matched".into(), hit.entry.clone().into());
                }
                told
            })
            .collect();
        if !lists.is_empty() {
            found.insert(value, lists);
        }
    }
    // MISP answers an empty list where nothing was met.
    if found.is_empty() { json(&json!([])) } else { json(&found) }
}
