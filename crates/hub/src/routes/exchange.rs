//! The routes of exchange with others: peers, what two hubs tell each other, and sources.

use super::{AFTER, Face, Route, Run, about, delete, get, post};
use crate::{api, pages};
use shieldwall_model::access::Action;

pub(super) fn routes() -> Vec<Route> {
    use Action as A;
    let api = Face::Api;
    vec![
        get(
            "/api/v1/exchange",
            A::ReadIntelligence,
            api,
            guarded!(api::exchange::hello),
            about("Which hub this is, and the groups you are party to"),
        ),
        get(
            "/api/v1/exchange/{group}",
            A::ReadIntelligence,
            api,
            guarded!(api::exchange::page),
            about("A group's record for another hub, with the way of every object")
                .query(&[AFTER, ("for", "the asking hub's id: what has been there is left out")]),
        ),
        post(
            "/api/v1/exchange/{group}",
            A::ShareIntelligence,
            api,
            guarded!(api::exchange::take),
            about("Take part of another hub's record of a group"),
        ),
        get(
            "/api/v1/peers",
            A::ReadPeers,
            api,
            guarded!(api::peers::list),
            about("Other hubs and servers, and how exchange with each goes").gives::<api::peers::Peers>(),
        ),
        post(
            "/api/v1/peers",
            A::ManagePeers,
            api,
            guarded!(api::peers::add),
            about("Set up a peer").takes::<api::peers::NewPeer>().gives::<api::peers::PeerBody>(),
        ),
        get(
            "/api/v1/peers/{id}",
            A::ReadPeers,
            api,
            guarded!(api::peers::read),
            about("One peer").gives::<api::peers::PeerBody>(),
        ),
        delete(
            "/api/v1/peers/{id}",
            A::ManagePeers,
            api,
            guarded!(api::peers::remove),
            about("Remove a peer; what came from it stays"),
        ),
        post(
            "/api/v1/peers/{id}/pause",
            A::ManagePeers,
            api,
            guarded!(api::peers::pause),
            about("Have a peer rest, or go on").takes::<api::peers::Pause>(),
        ),
        post(
            "/api/v1/peers/{id}/run",
            A::ManagePeers,
            api,
            guarded!(api::peers::run),
            about("Exchange with a peer at once"),
        ),
        get(
            "/api/v1/sources",
            A::ManageSources,
            api,
            guarded!(api::sources::list),
            about("What your member takes in on its own").gives::<api::sources::Sources>(),
        ),
        post(
            "/api/v1/sources",
            A::ManageSources,
            api,
            guarded!(api::sources::add),
            about("Set up a source").takes::<api::sources::NewSource>().gives::<api::sources::SourceBody>(),
        ),
        get(
            "/api/v1/sources/{id}",
            A::ManageSources,
            api,
            guarded!(api::sources::read),
            about("One source").gives::<api::sources::SourceBody>(),
        ),
        delete(
            "/api/v1/sources/{id}",
            A::ManageSources,
            api,
            guarded!(api::sources::remove),
            about("Remove a source; what came from it stays"),
        ),
        post(
            "/api/v1/sources/{id}/preview",
            A::ManageSources,
            api,
            guarded!(api::sources::look),
            about("What a run would share, refuse and take back, with the content in the body or fetched")
                .gives::<crate::sources::run::Preview>(),
        ),
        post(
            "/api/v1/sources/{id}/run",
            A::ManageSources,
            api,
            guarded!(api::sources::run),
            about("Take in the content in the body, or have it fetched at once")
                .query(&[("confirm", "`yes` to take back more than half of what was listed")])
                .gives::<crate::sources::Counts>(),
        ),
    ]
}

/// The pages of the same.
pub(super) fn page_routes() -> Vec<Route> {
    use Action as A;
    let page = Face::Page;
    vec![
        get(
            "/intelligence/peers",
            A::ReadPeers,
            page,
            guarded!(pages::peers::page),
            about("Other hubs and servers, and how exchange goes"),
        ),
        post(
            "/intelligence/peers",
            A::ManagePeers,
            page,
            guarded!(pages::peers::add),
            about("Set up a peer"),
        ),
        post(
            "/intelligence/peers/{id}/pause",
            A::ManagePeers,
            page,
            guarded!(pages::peers::pause),
            about("Have a peer rest, or go on"),
        ),
        post(
            "/intelligence/peers/{id}/run",
            A::ManagePeers,
            page,
            guarded!(pages::peers::run),
            about("Exchange with a peer at once"),
        ),
        post(
            "/intelligence/peers/{id}/remove",
            A::ManagePeers,
            page,
            guarded!(pages::peers::remove),
            about("Remove a peer"),
        ),
        get(
            "/intelligence/sources",
            A::ManageSources,
            page,
            guarded!(pages::sources::page),
            about("What a member takes in on its own"),
        ),
        post(
            "/intelligence/sources",
            A::ManageSources,
            page,
            guarded!(pages::sources::add),
            about("Set up a source"),
        ),
        post(
            "/intelligence/sources/{id}/preview",
            A::ManageSources,
            page,
            guarded!(pages::sources::look),
            about("What a run would bring"),
        ),
        post(
            "/intelligence/sources/{id}/run",
            A::ManageSources,
            page,
            guarded!(pages::sources::run),
            about("Take in what a source says"),
        ),
        post(
            "/intelligence/sources/{id}/remove",
            A::ManageSources,
            page,
            guarded!(pages::sources::remove),
            about("Remove a source"),
        ),
    ]
}
