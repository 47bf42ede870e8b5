//! The API's own description: OpenAPI 3.1, built from the route table.

use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use shieldwall_model::access::{Extent, Role, extent};

use crate::ask::Front;
use crate::problem::{Problem, ProblemBody};
use crate::routes::{Face, Route, Run, table};

/// `GET /api/v1/openapi.json`.
///
/// # Errors
/// None.
pub async fn read(_front: Front) -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/json")], describe().to_string()).into_response())
}

/// The description of every route but the pages.
pub fn describe() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in table().iter().filter(|route| !matches!(route.face, Face::Page | Face::Asset)) {
        let operation = operation(route, &mut generator);
        let entry = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = entry.as_object_mut() {
            methods.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    let problem = generator.subschema_for::<ProblemBody>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Shieldwall",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What an alliance shares, sees and decides.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token, swt_…; Basic with the token as the password works too."},
            },
            "responses": {
                "Problem": {
                    "description": "What went wrong, and what to do (RFC 9457)",
                    "content": {"application/problem+json": {"schema": problem}},
                },
            },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let roles: Vec<&str> = Role::ALL
        .into_iter()
        .filter(|role| extent(*role, route.action) != Extent::Never && *role != Role::Public)
        .map(Role::as_str)
        .collect();
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(
        route
            .about
            .query
            .iter()
            .map(|(name, text)| json!({"name": name, "in": "query", "description": text, "schema": {"type": "string"}})),
    );
    let mut responses = json!({"default": {"$ref": "#/components/responses/Problem"}});
    let done = match route.about.response {
        Some(shape) => {
            json!({"description": "Done", "content": {"application/json": {"schema": shape(generator)}}})
        }
        None => json!({"description": "Done"}),
    };
    if let Some(map) = responses.as_object_mut() {
        map.insert(success(route).into(), done);
    }
    let mut operation = json!({
        "summary": route.about.summary,
        "description": match route.run {
            Run::Open(_) => "For anybody.".to_owned(),
            Run::Guarded(_) => format!("For the roles: {}.", roles.join(", ")),
        },
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(map) = operation.as_object_mut() {
        if let Some(shape) = route.about.request {
            map.insert(
                "requestBody".into(),
                json!({"required": true, "content": {"application/json": {"schema": shape(generator)}}}),
            );
        }
        if matches!(route.run, Run::Open(_)) {
            map.insert("security".into(), json!([]));
        }
    }
    operation
}

fn success(route: &Route) -> &'static str {
    match (&route.method, route.face, route.about.response.is_some()) {
        (&Method::POST, Face::Taxii, _) => "202",
        (&Method::POST | &Method::DELETE, Face::Api, false) => "204",
        _ => "200",
    }
}
