//! The routes of kept searches, in the API and as pages.

use super::{Face, Route, Run, about, delete, get, post};
use crate::api::searches as api;
use crate::pages::searches as pages;
use shieldwall_model::access::Action;

pub(super) fn routes() -> Vec<Route> {
    let keep = Action::KeepSearches;
    vec![
        get(
            "/api/v1/searches",
            keep,
            Face::Api,
            guarded!(api::list),
            about("The searches you keep, with their last deliveries").gives::<api::Searches>(),
        ),
        post(
            "/api/v1/searches",
            keep,
            Face::Api,
            guarded!(api::make),
            about("Keep a search, and be told of new objects that fit")
                .takes::<api::NewSearch>()
                .gives::<api::SearchMade>(),
        ),
        delete(
            "/api/v1/searches/{id}",
            keep,
            Face::Api,
            guarded!(api::remove),
            about("Keep a search no longer"),
        ),
        get("/intelligence/saved", keep, Face::Page, guarded!(pages::page), about("Kept searches")),
        post("/intelligence/saved", keep, Face::Page, guarded!(pages::make), about("Keep a search")),
        post(
            "/intelligence/saved/{id}/remove",
            keep,
            Face::Page,
            guarded!(pages::remove),
            about("Keep a search no longer"),
        ),
    ]
}
