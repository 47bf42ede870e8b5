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

use crate::api::{self, Report};
use crate::ask::{Ask, Front};
use crate::pages;
use crate::problem::Problem;
use crate::taxii;

/// What a handler answers.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// In whose manner a route speaks, above all when something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// JSON, problems as RFC 9457.
    Api,
    /// A file of the pages.
    Asset,
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

const fn delete(path: &'static str, action: Action, face: Face, run: Run, about: About) -> Route {
    Route { method: Method::DELETE, path, action, face, run, about }
}

/// Every route.
pub fn table() -> &'static [Route] {
    static TABLE: LazyLock<Vec<Route>> =
        LazyLock::new(|| [api_routes(), taxii_routes(), page_routes()].into_iter().flatten().collect());
    &TABLE
}

const LIMIT: (&str, &str) = ("limit", "most items on this page, 1 to 1000");
const AFTER: (&str, &str) = ("after", "the cursor of the page before");
const GROUP: (&str, &str) = ("group", "a sharing group's id; the alliance's without it");

fn api_routes() -> Vec<Route> {
    use Action as A;
    let api = Face::Api;
    vec![
        get(
            "/api/v1/health",
            A::SeeFront,
            api,
            open!(api::health::read),
            about("Whether the hub is up").gives::<api::health::HealthBody>(),
        ),
        get("/api/v1/openapi.json", A::SeeFront, api, open!(api::document::read), about("This description")),
        get(
            "/metrics",
            A::ReadMetrics,
            api,
            guarded!(api::health::metrics),
            about("Metrics in Prometheus' text format"),
        ),
        get(
            "/api/v1/me",
            A::KeepSession,
            api,
            guarded!(api::me::read),
            about("Who you are here").gives::<api::me::Me>(),
        ),
        get(
            "/api/v1/watchlist",
            A::PullWatchlist,
            api,
            guarded!(api::watchlist::read),
            about("What a sensor matches")
                .query(&[AFTER, ("limit", "most changes, 1 to 10000")])
                .gives::<api::watchlist::Watchlist>(),
        ),
        post(
            "/api/v1/sightings",
            A::ReportSighting,
            api,
            guarded!(api::sightings::report),
            about("Report sightings, once per Idempotency-Key")
                .takes::<api::sightings::SightingsReport>()
                .gives::<api::sightings::SightingsTaken>(),
        ),
        post(
            "/api/v1/sensors/health",
            A::ReportHealth,
            api,
            guarded!(api::sensors::report),
            about("Report a sensor's health").takes::<api::sensors::HealthReport>(),
        ),
        get(
            "/api/v1/sensors",
            A::ReadSensors,
            api,
            guarded!(api::sensors::list),
            about("The sensors and their health").gives::<api::sensors::Sensors>(),
        ),
        get(
            "/api/v1/stream",
            A::ReadWarnings,
            Face::Stream,
            guarded!(crate::stream::open),
            about("Follow what happens, as server-sent events")
                .query(&[("after", "the last event id seen, as Last-Event-ID would say")]),
        ),
        get(
            "/api/v1/warnings",
            A::ReadWarnings,
            api,
            guarded!(api::warnings::list),
            about("Warnings, newest first").query(&[LIMIT]).gives::<api::warnings::Warnings>(),
        ),
        get(
            "/api/v1/warnings/{id}",
            A::ReadWarnings,
            api,
            guarded!(api::warnings::read),
            about("One warning").gives::<api::warnings::WarningBody>(),
        ),
        post(
            "/api/v1/warnings/{id}/acknowledge",
            A::AcknowledgeWarning,
            api,
            guarded!(api::warnings::acknowledge),
            about("Say that a warning was taken note of")
                .takes::<api::warnings::Acknowledge>()
                .gives::<api::warnings::WarningBody>(),
        ),
        get(
            "/api/v1/objects",
            A::ReadIntelligence,
            api,
            guarded!(api::objects::list),
            about("Search STIX objects")
                .query(&[
                    ("text", "words to look for"),
                    ("type", "a STIX type; may be repeated"),
                    ("marking", "a TLP label"),
                    ("owner", "a member's id"),
                    GROUP,
                    LIMIT,
                    AFTER,
                ])
                .gives::<api::objects::Objects>(),
        ),
        post(
            "/api/v1/objects",
            A::ShareIntelligence,
            api,
            guarded!(api::objects::share),
            about("Share STIX objects, a list of values, or CSV")
                .query(&[
                    GROUP,
                    ("role", "for lists: the indicators' role"),
                    ("marking", "for lists: a TLP label"),
                    ("name", "for lists: the indicators' name"),
                ])
                .gives::<Report>(),
        ),
        get(
            "/api/v1/objects/{id}",
            A::ReadIntelligence,
            api,
            guarded!(api::objects::read),
            about("One object with its versions and relations").gives::<api::objects::ObjectRead>(),
        ),
        get(
            "/api/v1/objects/{id}/graph",
            A::ReadIntelligence,
            api,
            guarded!(api::objects::graph),
            about("An object's neighbourhood as a graph").gives::<api::objects::Graph>(),
        ),
        post(
            "/api/v1/objects/{id}/recall",
            A::RecallIntelligence,
            api,
            guarded!(api::objects::recall),
            about("Take back an object your member shared").takes::<api::objects::Recall>(),
        ),
        get(
            "/api/v1/picture",
            A::ReadPicture,
            api,
            guarded!(api::picture::read),
            about("The picture in numbers").gives::<api::picture::Picture>(),
        ),
        get(
            "/api/v1/picture/map",
            A::ReadPicture,
            api,
            guarded!(api::picture::map),
            about("The members on the map").gives::<Vec<api::picture::Country>>(),
        ),
        get(
            "/api/v1/picture/sightings",
            A::ReadPicture,
            api,
            guarded!(api::picture::sightings),
            about("Events seen by minute, the last hour").gives::<api::picture::Chart>(),
        ),
        get(
            "/api/v1/members",
            A::ReadMembers,
            api,
            guarded!(api::alliance::members),
            about("The members").gives::<api::alliance::Members>(),
        ),
        post(
            "/api/v1/members",
            A::Administer,
            api,
            guarded!(api::alliance::admit),
            about("Admit a member").takes::<api::alliance::NewMember>().gives::<api::me::MemberBody>(),
        ),
        get(
            "/api/v1/groups",
            A::ReadMembers,
            api,
            guarded!(api::alliance::groups),
            about("The sharing groups you are party to").gives::<api::alliance::Groups>(),
        ),
        post(
            "/api/v1/groups",
            A::Administer,
            api,
            guarded!(api::alliance::form),
            about("Form a sharing group").takes::<api::alliance::NewGroup>().gives::<api::me::GroupBody>(),
        ),
        get(
            "/api/v1/tokens",
            A::Administer,
            api,
            guarded!(api::tokens::list),
            about("The API tokens").gives::<api::tokens::Tokens>(),
        ),
        post(
            "/api/v1/tokens",
            A::Administer,
            api,
            guarded!(api::tokens::make),
            about("Make an API token").takes::<api::tokens::NewToken>().gives::<api::tokens::TokenMade>(),
        ),
        delete(
            "/api/v1/tokens/{id}",
            A::Administer,
            api,
            guarded!(api::tokens::revoke),
            about("Revoke an API token"),
        ),
        get(
            "/api/v1/users",
            A::Administer,
            api,
            guarded!(api::users::list),
            about("The people with accounts").gives::<api::users::Users>(),
        ),
        post(
            "/api/v1/users",
            A::Administer,
            api,
            guarded!(api::users::make),
            about("Make an account").takes::<api::users::NewUser>().gives::<api::users::UserBody>(),
        ),
        get(
            "/api/v1/ledger/entries",
            A::ReadLedger,
            api,
            guarded!(api::ledger::entries),
            about("Ledger entries you may see, newest first")
                .query(&[
                    GROUP,
                    ("before", "only entries before this sequence number"),
                    ("kind", "only this kind"),
                    LIMIT,
                ])
                .gives::<api::ledger::Entries>(),
        ),
        get(
            "/api/v1/ledger/{group}/checkpoint",
            A::ReadLedger,
            api,
            guarded!(api::ledger::checkpoint),
            about("The last signed checkpoint of a log, a C2SP signed note"),
        ),
        get(
            "/api/v1/ledger/{group}/verify",
            A::ReadLedger,
            api,
            guarded!(api::ledger::verify),
            about("Recompute a log's root and compare it with the last checkpoint")
                .gives::<api::ledger::Verified>(),
        ),
    ]
}

fn taxii_routes() -> Vec<Route> {
    use Action as A;
    let face = Face::Taxii;
    vec![
        get("/taxii2/", A::ReadIntelligence, face, guarded!(taxii::discovery), about("TAXII 2.1 discovery")),
        get(
            "/taxii2/api/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::api_root),
            about("TAXII 2.1 API root"),
        ),
        get(
            "/taxii2/api/status/{id}/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::status),
            about("TAXII 2.1 status of a POST"),
        ),
        get(
            "/taxii2/api/collections/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::collections),
            about("TAXII 2.1 collections: the sharing groups"),
        ),
        get(
            "/taxii2/api/collections/{collection}/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::collection),
            about("One TAXII 2.1 collection"),
        ),
        get(
            "/taxii2/api/collections/{collection}/manifest/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::manifest),
            about("TAXII 2.1 manifest"),
        ),
        get(
            "/taxii2/api/collections/{collection}/objects/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::objects),
            about("TAXII 2.1 objects"),
        ),
        post(
            "/taxii2/api/collections/{collection}/objects/",
            A::ShareIntelligence,
            face,
            guarded!(taxii::add),
            about("Add objects by TAXII 2.1"),
        ),
        get(
            "/taxii2/api/collections/{collection}/objects/{object}/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::object),
            about("One object by TAXII 2.1"),
        ),
        delete(
            "/taxii2/api/collections/{collection}/objects/{object}/",
            A::RecallIntelligence,
            face,
            guarded!(taxii::remove),
            about("Take back an object by TAXII 2.1"),
        ),
        get(
            "/taxii2/api/collections/{collection}/objects/{object}/versions/",
            A::ReadIntelligence,
            face,
            guarded!(taxii::versions),
            about("An object's versions by TAXII 2.1"),
        ),
    ]
}

fn page_routes() -> Vec<Route> {
    use Action as A;
    let page = Face::Page;
    vec![
        get(
            "/assets/{file}",
            A::SeeFront,
            Face::Asset,
            open!(pages::assets::file),
            about("A file of the pages"),
        ),
        get(
            "/language/{tag}",
            A::SeeFront,
            page,
            open!(pages::sign_in::language),
            about("Choose a language"),
        ),
        get("/setup/{secret}", A::SeeFront, page, open!(pages::setup::form), about("First run: the form")),
        post(
            "/setup/{secret}",
            A::SeeFront,
            page,
            open!(pages::setup::submit),
            about("First run: the first member and its operator"),
        ),
        get("/sign-in", A::SeeFront, page, open!(pages::sign_in::form), about("Sign in: the form")),
        post("/sign-in", A::SeeFront, page, open!(pages::sign_in::submit), about("Sign in")),
        get(
            "/sign-in/link/{secret}",
            A::SeeFront,
            page,
            open!(pages::sign_in::link),
            about("Sign in by a one-time link"),
        ),
        post("/sign-out", A::KeepSession, page, guarded!(pages::sign_in::out), about("Sign out")),
        get("/", A::ReadPicture, page, guarded!(pages::picture::page), about("The picture")),
        get(
            "/fragments/numbers",
            A::ReadPicture,
            page,
            guarded!(pages::picture::numbers),
            about("The picture's numbers"),
        ),
        get(
            "/fragments/feed",
            A::ReadPicture,
            page,
            guarded!(pages::picture::feed),
            about("What just happened"),
        ),
        get(
            "/fragments/live-warnings",
            A::ReadWarnings,
            page,
            guarded!(pages::warnings::live),
            about("The newest warnings"),
        ),
        get(
            "/fragments/warnings",
            A::ReadWarnings,
            page,
            guarded!(pages::warnings::fragment),
            about("The list of warnings"),
        ),
        get(
            "/fragments/sensors",
            A::ReadSensors,
            page,
            guarded!(pages::sensors::fragment),
            about("The table of sensors"),
        ),
        get(
            "/intelligence",
            A::ReadIntelligence,
            page,
            guarded!(pages::intelligence::list),
            about("Search intelligence"),
        ),
        get(
            "/intelligence/{id}",
            A::ReadIntelligence,
            page,
            guarded!(pages::intelligence::object),
            about("One object"),
        ),
        post(
            "/intelligence/{id}/recall",
            A::RecallIntelligence,
            page,
            guarded!(pages::intelligence::recall),
            about("Take an object back"),
        ),
        get("/warnings", A::ReadWarnings, page, guarded!(pages::warnings::list), about("Warnings")),
        get("/warnings/{id}", A::ReadWarnings, page, guarded!(pages::warnings::one), about("One warning")),
        post(
            "/warnings/{id}/acknowledge",
            A::AcknowledgeWarning,
            page,
            guarded!(pages::warnings::acknowledge),
            about("Acknowledge a warning"),
        ),
        get("/sensors", A::ReadSensors, page, guarded!(pages::sensors::page), about("Sensors")),
        get(
            "/members",
            A::ReadMembers,
            page,
            guarded!(pages::members::page),
            about("Members and sharing groups"),
        ),
        post("/members", A::Administer, page, guarded!(pages::members::admit), about("Admit a member")),
        post(
            "/groups",
            A::Administer,
            page,
            guarded!(pages::members::form_group),
            about("Form a sharing group"),
        ),
        get("/tokens", A::Administer, page, guarded!(pages::tokens::page), about("API tokens")),
        post("/tokens", A::Administer, page, guarded!(pages::tokens::make), about("Make an API token")),
        post(
            "/tokens/{id}/revoke",
            A::Administer,
            page,
            guarded!(pages::tokens::revoke),
            about("Revoke an API token"),
        ),
        get("/people", A::Administer, page, guarded!(pages::people::page), about("People with accounts")),
        post("/people", A::Administer, page, guarded!(pages::people::make), about("Make an account")),
        get("/ledger", A::ReadLedger, page, guarded!(pages::ledger::page), about("The ledger")),
        get(
            "/ledger/{group}/{sequence}",
            A::ReadLedger,
            page,
            guarded!(pages::ledger::entry),
            about("One entry"),
        ),
        get(
            "/ledger/{group}/verify",
            A::ReadLedger,
            page,
            guarded!(pages::ledger::verify),
            about("Verify a log"),
        ),
    ]
}
