//! The route table: every address the hub answers, who may use it, and what it says of itself.
//!
//! The router, the authorisation matrix and the OpenAPI description are all built from here. A route cannot be
//! written down without its [`Action`], so a route without a rule does not compile; which roles the action admits is
//! the access rule's business (`shieldwall_model::access::extent`), and the matrix test shows both as one golden file.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use axum::http::Method;
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use shieldwall_model::access::Action;

use crate::ask::{Ask, Front};
use crate::problem::Problem;

/// What a handler answers.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// In whose manner a route speaks, above all when something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// JSON, problems as RFC 9457.
    Api,
    /// A file of the pages.
    Asset,
    /// MISP's REST interface: its JSON, its problems, its bare tokens.
    Misp,
    /// HTML.
    Page,
    /// Server-sent events: no time limit.
    Stream,
    /// TAXII 2.1 resources.
    Taxii,
}

/// A handler: open to all, or for readers whose role may do the route's action.
pub enum Run {
    /// Runs for anybody.
    Open(fn(Front) -> Answer),
    /// Runs for a reader the rule admits.
    Guarded(fn(Ask) -> Answer),
}

/// One address and method.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// What the route is for: the access rule decides by it.
    pub action: Action,
    /// In whose manner it speaks.
    pub face: Face,
    /// What it runs.
    pub run: Run,
    /// What it says of itself.
    pub about: About,
}

/// What a route says of itself in the OpenAPI description.
pub struct About {
    /// One line.
    pub summary: &'static str,
    /// Parameters of the query string, with what they mean.
    pub query: &'static [(&'static str, &'static str)],
    /// The request body.
    pub request: Option<Shape>,
    /// The body of a 200 answer.
    pub response: Option<Shape>,
}

/// The shape of a JSON body.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn about(summary: &'static str) -> About {
    About { summary, query: &[], request: None, response: None }
}

impl About {
    const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    const fn takes<T: JsonSchema>(mut self) -> Self {
        self.request = Some(shape::<T>);
        self
    }

    const fn gives<T: JsonSchema>(mut self) -> Self {
        self.response = Some(shape::<T>);
        self
    }
}

macro_rules! open {
    ($handler:path) => {
        Run::Open(|front| Box::pin($handler(front)))
    };
}

macro_rules! guarded {
    ($handler:path) => {
        Run::Guarded(|ask| Box::pin($handler(ask)))
    };
}

const fn get(path: &'static str, action: Action, face: Face, run: Run, about: About) -> Route {
    Route { method: Method::GET, path, action, face, run, about }
}

const fn post(path: &'static str, action: Action, face: Face, run: Run, about: About) -> Route {
    Route { method: Method::POST, path, action, face, run, about }
}

const fn put(path: &'static str, action: Action, face: Face, run: Run, about: About) -> Route {
    Route { method: Method::PUT, path, action, face, run, about }
}

const fn delete(path: &'static str, action: Action, face: Face, run: Run, about: About) -> Route {
    Route { method: Method::DELETE, path, action, face, run, about }
}

// After the macros, which they use: one file a face.
mod api;
mod exchange;
mod feeds;
mod misp;
mod pages;
mod searches;
mod taxii;

/// Every route.
pub fn table() -> &'static [Route] {
    static TABLE: LazyLock<Vec<Route>> = LazyLock::new(|| {
        [
            api::routes(),
            exchange::routes(),
            feeds::routes(),
            misp::routes(),
            searches::routes(),
            taxii::routes(),
            pages::routes(),
            exchange::page_routes(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
    &TABLE
}

const LIMIT: (&str, &str) = ("limit", "most items on this page, 1 to 1000");
const AFTER: (&str, &str) = ("after", "the cursor of the page before");
const GROUP: (&str, &str) = ("group", "a sharing group's id; the alliance's without it");
