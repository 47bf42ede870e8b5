//! The routes of an indicator's life, of the quarantine, and of feeds out.

use super::{Face, GROUP, LIMIT, Route, Run, about, get, post};
use crate::{api, feeds, pages};
use shieldwall_model::access::Action;

pub(super) fn routes() -> Vec<Route> {
    use Action as A;
    let (api, page) = (Face::Api, Face::Page);
    vec![
        get(
            "/feeds/{format}",
            A::PullFeeds,
            api,
            guarded!(feeds::read),
            about("A feed of what may be blocked: plain, csv, hosts, rpz, suricata-…, zeek, stix").query(&[
                ("kind", "a kind of value, such as domain-name; may be repeated"),
                ("group", "a sharing group's id; all of yours without it"),
                ("confidence", "at least this confidence, 0 to 100"),
                ("score", "at least this score, 0 to 100"),
                ("days", "shared or sighted within so many days"),
                ("marking", "marked at most so, such as GREEN"),
                ("zone", "for rpz: the name of the zone"),
                (
                    "since",
                    "the X-Feed-Cursor of an earlier answer: tell lines added (+) and removed (-) since",
                ),
                ("explain", "1: tell in JSON what was left out and why"),
            ]),
        ),
        get(
            "/api/v1/held",
            A::ReadIntelligence,
            api,
            guarded!(api::held::list),
            about("Objects held back, and why").query(&[GROUP, LIMIT]).gives::<api::held::Held>(),
        ),
        post(
            "/api/v1/held/release",
            A::CurateIntelligence,
            api,
            guarded!(api::held::release),
            about("Release an object another member sent").takes::<api::held::Decide>(),
        ),
        post(
            "/api/v1/held/reject",
            A::CurateIntelligence,
            api,
            guarded!(api::held::reject),
            about("Reject an object that is held back").takes::<api::held::Decide>(),
        ),
        get(
            "/api/v1/indicators/{id}/life",
            A::ReadIntelligence,
            api,
            guarded!(api::indicators::life),
            about("Where an indicator stands in its life").gives::<api::indicators::Lives>(),
        ),
        post(
            "/api/v1/indicators/{id}/dispute",
            A::CurateIntelligence,
            api,
            guarded!(api::indicators::dispute),
            about("Say that an indicator is a false positive").takes::<api::indicators::Dispute>(),
        ),
        get(
            "/intelligence/feeds",
            A::PullFeeds,
            page,
            guarded!(pages::feeds::page),
            about("Feeds out, and what they leave out"),
        ),
        get(
            "/intelligence/held",
            A::ReadIntelligence,
            page,
            guarded!(pages::held::page),
            about("Objects held back"),
        ),
        post(
            "/intelligence/held",
            A::CurateIntelligence,
            page,
            guarded!(pages::held::decide),
            about("Release or reject an object held back"),
        ),
        post(
            "/intelligence/{id}/dispute",
            A::CurateIntelligence,
            page,
            guarded!(pages::intelligence::dispute),
            about("Say that an indicator is a false positive"),
        ),
    ]
}
