//! The pages' routes, and those of their files.

use super::{Face, Route, Run, about, get, post};
use crate::pages;
use shieldwall_model::access::Action;

pub(super) fn routes() -> Vec<Route> {
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
