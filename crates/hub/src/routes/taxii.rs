//! TAXII's routes.

use super::{Face, Route, Run, about, delete, get, post};
use crate::taxii;
use shieldwall_model::access::Action;

pub(super) fn routes() -> Vec<Route> {
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
