//! What the checks draw on: a hub, those who ask, and a collection with a little of everything in it.

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_hub::taxii::collection_id;
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::time::Timestamp;

use super::Outcome;
use crate::support::stix::envelope;
use crate::support::{Answer, Client, World};

/// TAXII's media type.
pub(super) const TAXII: &str = "application/taxii+json;version=2.1";
/// An address, which has no versions.
pub(super) const ADDRESS: &str = "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd";
/// A statement marking, which has `created` alone.
pub(super) const STATEMENT: &str = "marking-definition--f1b7a2a0-3c5e-4c0b-9a58-1e55f1d3f2aa";
/// When it was created.
pub(super) const STATED: &str = "2017-01-20T00:00:00.000Z";

/// A hub and those who ask it.
pub(super) struct Stage {
    /// The hub.
    pub(super) world: World,
    /// Reads and writes.
    pub(super) analyst: Client,
    /// Reads alone.
    pub(super) observer: Client,
    /// Neither.
    pub(super) sensor: Client,
    /// Is not known.
    pub(super) nobody: Client,
    /// The path of the collection with everything in it.
    pub(super) full: String,
    /// The path of a collection for checks that change something.
    pub(super) scratch: String,
    /// The path of a collection with nothing in it.
    pub(super) empty: String,
    /// The path of a collection of others.
    pub(super) foreign: String,
    /// An indicator in three versions, oldest first.
    pub(super) tool: String,
    /// Its versions.
    pub(super) versions: [String; 3],
    /// The status of the first POST.
    pub(super) status: Json,
}

/// The path of a group's collection.
pub(super) fn path(group: GroupId) -> String {
    format!("/taxii2/api/collections/{}/", collection_id(group))
}

/// A tool, which is the simplest object with versions.
pub(super) fn tool(number: u32, modified: &str) -> (String, String) {
    let id = format!("tool--7d3a9c1e-5f20-4b7e-8a11-{number:012}");
    let object = json!({
        "type": "tool", "spec_version": "2.1", "id": id, "created": "2026-01-01T00:00:00.000Z", "modified": modified,
        "name": format!("tool {number}"),
    });
    (id, object.to_string())
}

impl Stage {
    /// Sets it.
    pub(super) async fn set() -> Self {
        let world = World::start().await;
        let full = world.group("Full", "AMBER", "shown", &["LU", "EE"]).await.id;
        let scratch = world.group("Scratch", "AMBER", "shown", &["LU", "EE"]).await.id;
        let empty = world.group("Empty", "AMBER", "shown", &["LU", "EE"]).await.id;
        let foreign = world.group("Foreign", "AMBER", "shown", &["ES", "EE"]).await.id;
        let versions = [1, 2, 3].map(|hour| format!("2026-01-01T0{hour}:00:00.000Z"));
        let mut objects: Vec<String> = versions.iter().map(|version| tool(0, version).1).collect();
        objects.extend((1..8).map(|number| tool(number, "2026-01-01T00:00:00.000Z").1));
        objects.push(
            json!({"type": "ipv4-addr", "spec_version": "2.1", "id": ADDRESS, "value": "198.51.100.3"})
                .to_string(),
        );
        objects.push(
            json!({
                "type": "marking-definition", "spec_version": "2.1", "id": STATEMENT, "created": STATED,
                "definition_type": "statement", "definition": {"statement": "Copyright nobody"},
            })
            .to_string(),
        );
        // As STIX 2.0 has it, without `spec_version`: brought up to 2.1 at the door.
        objects.push(
            json!({
                "type": "tool", "id": "tool--0f4c2a1e-5f20-4b7e-8a11-000000000020", "created": "2016-01-01T00:00:00.000Z",
                "modified": "2016-01-01T00:00:00.000Z", "name": "an old tool", "labels": ["remote-access"],
            })
            .to_string(),
        );
        // No good, and told as a failure.
        objects.push(
            json!({"type": "tool", "spec_version": "2.1", "id": "tool--0f4c2a1e-5f20-4b7e-8a11-000000000021",
                "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T05:00:00.000Z"})
            .to_string(),
        );
        let mut stage = Self {
            analyst: world.token("LU", Role::Analyst).await,
            observer: world.token("LU", Role::Observer).await,
            sensor: world.token("LU", Role::Sensor).await,
            nobody: world.nobody(),
            full: path(full),
            scratch: path(scratch),
            empty: path(empty),
            foreign: path(foreign),
            tool: tool(0, "").0,
            versions,
            status: Json::Null,
            world,
        };
        stage.status = stage.post(&stage.full, &objects).await.expect(202).json();
        stage
    }

    /// GET by the analyst.
    pub(super) async fn get(&self, path: &str) -> Answer {
        ask(&self.analyst, Method::GET, path).await
    }

    /// GET by the analyst of JSON that must be there.
    pub(super) async fn json(&self, path: &str) -> Json {
        self.get(path).await.expect(200).json()
    }

    /// POST by the analyst.
    pub(super) async fn post(&self, collection: &str, objects: &[String]) -> Answer {
        let request = self.analyst.change(Method::POST, &format!("{collection}objects/"));
        let request = request.header("accept", TAXII).header("content-type", TAXII);
        Answer::to(request.body(envelope(objects))).await
    }

    /// A new tool in the scratch collection; its id and the path of its object.
    pub(super) async fn fresh(&self, versions: &[&str]) -> (String, String) {
        let number = u32::try_from(self.world.number()).expect("few") + 1_000;
        let objects: Vec<String> = versions.iter().map(|version| tool(number, version).1).collect();
        let status = self.post(&self.scratch, &objects).await.expect(202).json();
        assert_eq!(status["failure_count"], 0, "{status}");
        let id = tool(number, "").0;
        (id.clone(), format!("{}objects/{id}/", self.scratch))
    }

    /// The GET endpoints, each with something to answer.
    pub(super) fn endpoints(&self) -> Vec<String> {
        let Self { full, tool, status, .. } = self;
        let mut all = vec!["/taxii2/".to_owned(), "/taxii2/api/".into(), "/taxii2/api/collections/".into()];
        all.push(format!("/taxii2/api/status/{}/", status["id"].as_str().expect("an id")));
        all.push(full.clone());
        all.extend(self.paged());
        all.push(format!("{full}objects/{tool}/versions/?limit=1"));
        all
    }

    /// The endpoints that have pages.
    pub(super) fn paged(&self) -> [String; 4] {
        let Self { full, tool, .. } = self;
        [
            format!("{full}manifest/"),
            format!("{full}objects/"),
            format!("{full}objects/{tool}/"),
            format!("{full}objects/{tool}/versions/"),
        ]
    }

    /// The times of the versions an envelope holds, as text.
    pub(super) async fn versions_at(&self, path: &str) -> Vec<String> {
        listed(&self.json(path).await, "objects").iter().map(|object| text(&object["modified"])).collect()
    }
}

/// A request with TAXII's Accept.
pub(super) async fn ask(client: &Client, method: Method, path: &str) -> Answer {
    let request =
        if method == Method::GET { client.request(method, path) } else { client.change(method, path) };
    Answer::to(request.header("accept", TAXII)).await
}

/// A list of an answer; none when it is left out.
pub(super) fn listed(body: &Json, name: &str) -> Vec<Json> {
    body[name].as_array().cloned().unwrap_or_default()
}

/// A string.
pub(super) fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The ids of a list.
pub(super) fn ids(list: &[Json]) -> Vec<String> {
    list.iter().map(|item| text(&item["id"])).collect()
}

/// Holds, or why not.
pub(super) fn hold(holds: bool, why: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(why()) }
}

/// Whether a text is a TAXII timestamp (section 2): RFC 3339, six fraction digits, Z.
pub(super) fn is_timestamp(text: &str) -> bool {
    Timestamp::parse(text).is_ok_and(|time| time.to_string() == text)
}
