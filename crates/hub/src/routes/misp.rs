//! The routes of the MISP face, and of the MISP feed.
//!
//! MISP takes parameters as path segments too (`events/add/metadata:1`): `{options}` takes those its clients send, which
//! change nothing here.

use super::{Face, GROUP, Route, Run, about, delete, get, post, put};
use crate::misp::{attributes, connect, events, feed, search, sightings, tags, warninglists};
use shieldwall_model::access::Action;

pub(super) fn routes() -> Vec<Route> {
    [connecting(), of_events(), of_attributes(), of_objects(), of_tags_and_sightings(), of_feed()]
        .into_iter()
        .flatten()
        .collect()
}

fn connecting() -> Vec<Route> {
    use Action as A;
    let face = Face::Misp;
    let version = about("MISP: the version spoken");
    vec![
        get("/misp/servers/getVersion", A::ReadIntelligence, face, guarded!(connect::version), version),
        get(
            "/misp/servers/getPyMISPVersion.json",
            A::ReadIntelligence,
            face,
            guarded!(connect::pymisp_version),
            about("MISP: the version of PyMISP recommended"),
        ),
        get(
            "/misp/attributes/describeTypes.json",
            A::ReadIntelligence,
            face,
            guarded!(connect::types),
            about("MISP: types and categories of attributes"),
        ),
        get(
            "/misp/users/view/{id}",
            A::ReadIntelligence,
            face,
            guarded!(connect::user),
            about("MISP: who the reader is"),
        ),
        get(
            "/misp/warninglists/index",
            A::ReadIntelligence,
            face,
            guarded!(warninglists::index),
            about("MISP: warninglists"),
        ),
        post(
            "/misp/warninglists/checkValue",
            A::ReadIntelligence,
            face,
            guarded!(warninglists::check),
            about("MISP: which values are on a warninglist"),
        ),
    ]
}

fn of_events() -> Vec<Route> {
    use Action as A;
    let face = Face::Misp;
    let (read, share, recall) = (A::ReadIntelligence, A::ShareIntelligence, A::RecallIntelligence);
    let view = || about("MISP: one event");
    let add = || about("MISP: add an event").query(&[GROUP]);
    let change = || about("MISP: change an event");
    let index = || about("MISP: the events, newest first");
    let search = || about("MISP: search events");
    let gone = || about("MISP: take an event back");
    vec![
        get("/misp/events", read, face, guarded!(events::index), index()),
        get("/misp/events/index", read, face, guarded!(events::index), index()),
        post("/misp/events/index", read, face, guarded!(events::index), index()),
        get("/misp/events/restSearch", read, face, guarded!(search::events), search()),
        post("/misp/events/restSearch", read, face, guarded!(search::events), search()),
        post("/misp/events/add", share, face, guarded!(events::add), add()),
        post("/misp/events/add/{options}", share, face, guarded!(events::add), add()),
        get("/misp/events/view/{id}", read, face, guarded!(events::view), view()),
        post("/misp/events/view/{id}", read, face, guarded!(events::view), view()),
        get("/misp/events/view/{id}/{options}", read, face, guarded!(events::view), view()),
        post("/misp/events/view/{id}/{options}", read, face, guarded!(events::view), view()),
        get("/misp/events/{id}", read, face, guarded!(events::view), view()),
        post("/misp/events/edit/{id}", share, face, guarded!(events::change), change()),
        put("/misp/events/edit/{id}", share, face, guarded!(events::change), change()),
        post("/misp/events/edit/{id}/{options}", share, face, guarded!(events::change), change()),
        put("/misp/events/{id}", share, face, guarded!(events::change), change()),
        post("/misp/events/delete/{id}", recall, face, guarded!(events::remove), gone()),
        delete("/misp/events/delete/{id}", recall, face, guarded!(events::remove), gone()),
        delete("/misp/events/{id}", recall, face, guarded!(events::remove), gone()),
        post(
            "/misp/events/publish/{id}",
            share,
            face,
            guarded!(events::publish),
            about("MISP: publish an event"),
        ),
        post(
            "/misp/events/alert/{id}",
            share,
            face,
            guarded!(events::publish),
            about("MISP: publish an event; nobody is sent mail"),
        ),
        post(
            "/misp/events/unpublish/{id}",
            share,
            face,
            guarded!(events::unpublish),
            about("MISP: unpublish an event"),
        ),
    ]
}

fn of_attributes() -> Vec<Route> {
    use Action as A;
    let face = Face::Misp;
    let (read, share) = (A::ReadIntelligence, A::ShareIntelligence);
    let add = || about("MISP: add attributes to an event");
    let change = || about("MISP: change an attribute");
    let gone = || about("MISP: take an attribute back");
    let search = || about("MISP: search attributes");
    vec![
        get("/misp/attributes/restSearch", read, face, guarded!(search::attributes), search()),
        post("/misp/attributes/restSearch", read, face, guarded!(search::attributes), search()),
        post("/misp/attributes/add/{event}", share, face, guarded!(attributes::add), add()),
        post("/misp/attributes/add/{event}/{options}", share, face, guarded!(attributes::add), add()),
        get(
            "/misp/attributes/view/{id}",
            read,
            face,
            guarded!(attributes::view),
            about("MISP: one attribute"),
        ),
        post("/misp/attributes/edit/{id}", share, face, guarded!(attributes::change), change()),
        put("/misp/attributes/edit/{id}", share, face, guarded!(attributes::change), change()),
        post("/misp/attributes/delete/{id}", share, face, guarded!(attributes::remove), gone()),
        delete("/misp/attributes/delete/{id}", share, face, guarded!(attributes::remove), gone()),
    ]
}

fn of_objects() -> Vec<Route> {
    use Action as A;
    let face = Face::Misp;
    let (read, share) = (A::ReadIntelligence, A::ShareIntelligence);
    let add = || about("MISP: add an object to an event");
    let gone = || about("MISP: take an object back");
    vec![
        post(
            "/misp/objects/restSearch",
            read,
            face,
            guarded!(search::objects),
            about("MISP: search objects"),
        ),
        post("/misp/objects/add/{event}", share, face, guarded!(attributes::add_object), add()),
        post("/misp/objects/add/{event}/{options}", share, face, guarded!(attributes::add_object), add()),
        get(
            "/misp/objects/view/{id}",
            read,
            face,
            guarded!(attributes::view_object),
            about("MISP: one object"),
        ),
        post(
            "/misp/objects/edit/{id}",
            share,
            face,
            guarded!(attributes::change_object),
            about("MISP: change an object"),
        ),
        post("/misp/objects/delete/{id}", share, face, guarded!(attributes::remove_object), gone()),
        delete("/misp/objects/delete/{id}", share, face, guarded!(attributes::remove_object), gone()),
    ]
}

fn of_tags_and_sightings() -> Vec<Route> {
    use Action as A;
    let face = Face::Misp;
    let (read, share) = (A::ReadIntelligence, A::ShareIntelligence);
    let list = || about("MISP: sightings of an event or attribute");
    let see = || about("MISP: report a sighting of an attribute");
    vec![
        get("/misp/tags/index", read, face, guarded!(tags::index), about("MISP: tags in use")),
        post("/misp/tags/search", read, face, guarded!(tags::search), about("MISP: tags by name")),
        post("/misp/tags/add", share, face, guarded!(tags::add), about("MISP: name a tag")),
        post(
            "/misp/tags/attachTagToObject",
            share,
            face,
            guarded!(tags::attach),
            about("MISP: tag an event, attribute or object"),
        ),
        post(
            "/misp/tags/removeTagFromObject",
            share,
            face,
            guarded!(tags::detach),
            about("MISP: take a tag away"),
        ),
        post("/misp/sightings/add", A::ReportSighting, face, guarded!(sightings::add), see()),
        post("/misp/sightings/add/{id}", A::ReportSighting, face, guarded!(sightings::add), see()),
        post("/misp/sightings/listSightings", read, face, guarded!(sightings::list), list()),
        get("/misp/sightings/index", read, face, guarded!(sightings::index), about("MISP: sightings")),
        post("/misp/sightings/index", read, face, guarded!(sightings::index), about("MISP: sightings")),
    ]
}

fn of_feed() -> Vec<Route> {
    let (face, action) = (Face::Api, Action::PullFeeds);
    vec![
        get(
            "/feeds/misp/manifest.json",
            action,
            face,
            guarded!(feed::manifest),
            about("MISP feed: what it holds").query(&[GROUP]),
        ),
        get(
            "/feeds/misp/hashes.csv",
            action,
            face,
            guarded!(feed::hashes),
            about("MISP feed: MD5 of every value").query(&[GROUP]),
        ),
        get(
            "/feeds/misp/{file}",
            action,
            face,
            guarded!(feed::event),
            about("MISP feed: one event, as `{uuid}.json`").query(&[GROUP]),
        ),
    ]
}
