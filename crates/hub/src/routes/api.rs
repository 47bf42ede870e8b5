//! The API's routes.

use super::{AFTER, Face, GROUP, LIMIT, Route, Run, about, delete, get, post};
use crate::api::{self, Report};
use shieldwall_model::access::Action;

/// What may be said of what is handed in.
const HANDED_IN: &[(&str, &str)] = &[
    GROUP,
    ("format", "`stix`, `misp`, `csv`, `plain` or `prose`; told from the content without it"),
    ("column", "for CSV: the column of values, by its heading or its number from 1"),
    ("kind-column", "for CSV: the column of kinds"),
    ("label-column", "for CSV: the column of labels"),
    ("role", "for lists: the indicators' role"),
    ("marking", "for lists: a TLP label"),
    ("name", "for lists: the indicators' name"),
];

pub(super) fn routes() -> Vec<Route> {
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
        post(
            "/api/v1/warnings/acknowledge",
            A::AcknowledgeWarning,
            api,
            guarded!(api::warnings::acknowledge_many),
            about("Say that several warnings were taken note of, in one commit")
                .takes::<api::warnings::AcknowledgeMany>()
                .gives::<api::warnings::AcknowledgedMany>(),
        ),
        get(
            "/api/v1/objects",
            A::ReadIntelligence,
            api,
            guarded!(api::objects::list),
            about("Search STIX objects")
                .query(&[
                    ("q", "a search, such as type:indicator value:\"evil.example\" added:>2026-01-01"),
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
            about("Share STIX objects, a list of values, or CSV").query(HANDED_IN).gives::<Report>(),
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
            guarded!(api::graph::read),
            about("An object's neighbourhood as a graph, by pages")
                .query(&[
                    ("type", "a neighbour's STIX type; may be repeated"),
                    ("label", "how they are tied, such as `uses`; may be repeated"),
                    ("marking", "a TLP label"),
                    ("limit", "most neighbours on this page, 1 to 100"),
                    ("after", "`next` of the page before"),
                ])
                .gives::<api::graph::Graph>(),
        ),
        post(
            "/api/v1/objects/bundle",
            A::ReadIntelligence,
            api,
            guarded!(api::graph::bundle),
            about("A STIX bundle of chosen objects")
                .takes::<api::graph::Chosen>()
                .gives::<api::graph::Bundle>(),
        ),
        post(
            "/api/v1/objects/preview",
            A::ShareIntelligence,
            api,
            guarded!(api::preview::read),
            about("What would happen if this were shared, and who would see it; records nothing")
                .query(HANDED_IN)
                .gives::<api::preview::Preview>(),
        ),
        get(
            "/api/v1/matrix",
            A::ReadIntelligence,
            api,
            guarded!(api::matrix::read),
            about("The ATT&CK matrix with what was seen of each technique")
                .query(&[("domain", "which matrix, such as `enterprise-attack`; the first without it")])
                .gives::<api::matrix::MatrixRead>(),
        ),
        get(
            "/api/v1/objects/{id}/related",
            A::ReadIntelligence,
            api,
            guarded!(api::correlation::read),
            about("What shares something with an object, and why")
                .gives::<api::correlation::RelatedObjects>(),
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
