//! Who may do what: every route of the table, by every role, on one's own and on others', as a golden file.
//!
//! Each cell is a real request with input that would succeed for whoever may. A route without a recipe here fails, so
//! nobody adds one without saying what it lets through.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value as Json, json};
use shieldwall_hub::routes::{Face, Route, table};
use shieldwall_model::access::Role;
use shieldwall_model::id::GroupId;
use shieldwall_model::indicator::IndicatorRole;

use crate::golden;
use crate::support::stix::{bundle, domain, envelope, indicator};
use crate::support::{Answer, Client, PASSWORD, World, person_name};

const TAXII: &str = "application/taxii+json;version=2.1";

/// One side of the table: a group with something of everything in it.
struct Side {
    /// The member whose things they are.
    member: &'static str,
    group: GroupId,
    indicator: String,
    warning: String,
    status: String,
    /// A MISP event, and an attribute and an object of it.
    event: MispIds,
    /// Who shares on this side.
    owner: Client,
}

/// Everything the recipes draw on.
struct Stage {
    world: World,
    ours: Side,
    theirs: Side,
    asset: String,
    setup: String,
}

/// Somebody of Luxembourg in one role, at a program and, if a person, at a browser.
struct Reader {
    role: Role,
    program: Client,
    browser: Option<Client>,
}

impl Reader {
    async fn new(world: &World, role: Role) -> Self {
        let program = if role == Role::Public { world.nobody() } else { world.token("LU", role).await };
        let is_person = !matches!(role, Role::Public | Role::Sensor | Role::Peer);
        let browser = if is_person { Some(world.session("LU", role).await) } else { None };
        Self { role, program, browser }
    }

    /// As people come to pages.
    fn at_page(&self) -> &Client {
        self.browser.as_ref().unwrap_or(&self.program)
    }
}

impl Side {
    async fn new(world: &World, member: &'static str, group: GroupId) -> Self {
        let owner = world.token(member, Role::Analyst).await;
        let id = share(world, &owner, member, group).await;
        let reporter = world.token(member, Role::Sensor).await;
        let body = sighting(world, group, &id);
        let request = reporter
            .change(Method::POST, "/api/v1/sightings")
            .header("idempotency-key", format!("side-of-{member}"))
            .json(&body);
        assert_eq!(Answer::to(request).await.expect(200).json()["accepted"], 1);
        let warnings = owner.get_json("/api/v1/warnings").await;
        let warning = warnings["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|warning| warning["indicator"] == id.as_str());
        let warning = warning.expect("a warning of this side")["id"].as_str().unwrap().to_owned();
        let (_, object) =
            indicator(world.member(member).id, &value(world), IndicatorRole::Malicious, world.now());
        let path = format!("/taxii2/api/collections/{}/objects/", group.uuid());
        let posted = owner.post(&path, TAXII, envelope(&[object])).await.expect(202).json();
        let status = posted["id"].as_str().unwrap().to_owned();
        let event = misp_event(&owner, group).await;
        Self { member, group, indicator: id, warning, status, event, owner }
    }
}

/// The id of nothing.
const ABSENT: &str = "0b6f0c1e-8f0e-4a7b-9d3e-0123456789ab";

/// A search kept by whoever this is, if they may.
async fn kept(client: &Client) -> String {
    let new = json!({"name": "to remove", "query": "type:indicator"});
    let made = client.post_json("/api/v1/searches", &new).await;
    if made.status == 200 { made.json()["id"].as_str().unwrap().to_owned() } else { ABSENT.to_owned() }
}

/// A value no other object has.
fn value(world: &World) -> shieldwall_watch::value::Value {
    domain(&format!("host-{}.evil-cdn.example", world.number()))
}

/// Shares a fresh indicator; its id.
async fn share(world: &World, owner: &Client, member: &str, group: GroupId) -> String {
    let (id, object) =
        indicator(world.member(member).id, &value(world), IndicatorRole::Malicious, world.now());
    let path = format!("/api/v1/objects?group={group}");
    assert_eq!(
        owner.post(&path, "application/json", bundle(&[object])).await.expect(200).json()["accepted"],
        1
    );
    id.to_string()
}

/// A MISP event, and an attribute and an object of it, by UUID.
struct MispIds {
    event: String,
    attribute: String,
    object: String,
}

/// Adds a MISP event to a group.
async fn misp_event(owner: &Client, group: GroupId) -> MispIds {
    let event = json!({"Event": {"info": "matrix", "published": true, "distribution": "1",
        "Attribute": [{"type": "domain", "value": "matrix.evil-cdn.example", "to_ids": true}],
        "Object": [{"name": "file", "meta-category": "file", "Attribute": [
            {"type": "md5", "object_relation": "md5", "value": "0123456789abcdef0123456789abcdef", "to_ids": true}]}]}});
    let request =
        owner.change(Method::POST, "/misp/events/add").header("shieldwall-group", group.to_string());
    let made = Answer::to(request.json(&event)).await.expect(200).json();
    let text = |value: &Json| value["uuid"].as_str().expect("a UUID").to_owned();
    let event = &made["Event"];
    MispIds { event: text(event), attribute: text(&event["Attribute"][0]), object: text(&event["Object"][0]) }
}

fn sighting(world: &World, group: GroupId, indicator: &str) -> Json {
    let now = world.now().to_string();
    json!({"sightings": [{
        "group": group, "indicator": indicator, "first_seen": now, "last_seen": now, "count": 1, "kind": "domain-name",
        "field": "dns.rrname", "value": "withheld", "detected": now,
    }]})
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let setup = world
            .hub()
            .first_run()
            .expect("nobody has an account yet")
            .strip_prefix(&world.url())
            .unwrap()
            .to_owned();
        let ours = world.group("Ours", "AMBER", "shown", &["LU", "EE"]).await;
        let theirs = world.group("Theirs", "AMBER", "shown", &["ES", "FR"]).await;
        let (ours, theirs) =
            (Side::new(&world, "LU", ours.id).await, Side::new(&world, "ES", theirs.id).await);
        let page = world.nobody().get("/sign-in").await.expect(200).text();
        let asset = page
            .split("\"/assets/")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("the page has a style")
            .to_owned();
        world.person("LU", Role::Analyst).await;
        let ledger = world.hub().app().ledger().clone();
        tokio::task::spawn_blocking(move || ledger.checkpoint_now()).await.unwrap().expect("checkpoints");
        Self { world, ours, theirs, asset, setup }
    }

    /// Sends what the route is for, so that whoever may succeeds; `None` for a route nobody thought of.
    async fn ask(&self, route: &Route, reader: &Reader, side: &Side) -> Option<Answer> {
        match route.face {
            Face::Api if route.path.starts_with("/feeds/misp/") => self.ask_misp(route, reader, side).await,
            Face::Misp => self.ask_misp(route, reader, side).await,
            Face::Api | Face::Stream => self.ask_api(route, reader, side).await,
            Face::Taxii => self.ask_taxii(route, reader, side).await,
            Face::Page | Face::Asset => self.ask_page(route, reader, side).await,
        }
    }

    async fn ask_api(&self, route: &Route, reader: &Reader, side: &Side) -> Option<Answer> {
        let (client, world) = (&reader.program, &self.world);
        let name = format!("name {}", world.number());
        let (warning, object, group) = (&side.warning, &side.indicator, side.group);
        Some(match (route.method.as_str(), route.path) {
            (
                "GET",
                "/api/v1/health"
                | "/api/v1/openapi.json"
                | "/metrics"
                | "/api/v1/me"
                | "/api/v1/watchlist"
                | "/api/v1/sensors"
                | "/api/v1/warnings"
                | "/api/v1/picture"
                | "/api/v1/picture/map"
                | "/api/v1/picture/sightings"
                | "/api/v1/members"
                | "/api/v1/groups"
                | "/api/v1/searches"
                | "/api/v1/tokens"
                | "/api/v1/users"
                | "/api/v1/matrix"
                | "/api/v1/exchange"
                | "/api/v1/peers"
                | "/api/v1/sources",
            ) => client.get(route.path).await,
            ("GET", "/api/v1/stream") => Answer::head_of(client.request(Method::GET, route.path)).await,
            ("GET", "/api/v1/objects" | "/api/v1/ledger/entries" | "/api/v1/held") => {
                client.get(&format!("{}?group={group}", route.path)).await
            }
            ("GET", "/api/v1/warnings/{id}") => client.get(&format!("/api/v1/warnings/{warning}")).await,
            ("GET", "/api/v1/objects/{id}") => client.get(&format!("/api/v1/objects/{object}")).await,
            ("GET", "/api/v1/objects/{id}/graph") => {
                client.get(&format!("/api/v1/objects/{object}/graph")).await
            }
            ("GET", "/api/v1/objects/{id}/related") => {
                client.get(&format!("/api/v1/objects/{object}/related")).await
            }
            ("POST", "/api/v1/searches") => {
                client.post_json(route.path, &json!({"name": name, "query": "type:indicator"})).await
            }
            ("DELETE", "/api/v1/searches/{id}") => {
                let id = kept(client).await;
                Answer::to(client.change(Method::DELETE, &format!("/api/v1/searches/{id}"))).await
            }
            ("GET", "/api/v1/ledger/{group}/checkpoint") => {
                client.get(&format!("/api/v1/ledger/{group}/checkpoint")).await
            }
            ("GET", "/api/v1/ledger/{group}/verify") => {
                client.get(&format!("/api/v1/ledger/{group}/verify")).await
            }
            ("GET", "/api/v1/exchange/{group}") => client.get(&format!("/api/v1/exchange/{group}")).await,
            ("POST", "/api/v1/exchange/{group}") => {
                let hub = "hub--00000000-0000-5000-8000-000000000001";
                let page = json!({"hub": hub, "realm": "real", "items": []});
                client.post_json(&format!("/api/v1/exchange/{group}"), &page).await
            }
            ("POST", "/api/v1/peers") => client.post_json(route.path, &new_peer(&name, side)).await,
            ("POST", "/api/v1/sources") => client.post_json(route.path, &new_source(&name, side)).await,
            (_, path) if path.starts_with("/api/v1/peers/{id}") => {
                let path = path.replace("{id}", &self.fresh_peer(side).await);
                match (route.method.as_str(), path.ends_with("/pause")) {
                    ("POST", true) => client.post_json(&path, &json!({"paused": true})).await,
                    _ => Answer::to(client.change(route.method.clone(), &path)).await,
                }
            }
            (_, path) if path.starts_with("/api/v1/sources/{id}") => {
                let path = path.replace("{id}", &self.fresh_source(side).await);
                let request = client.change(route.method.clone(), &path);
                let takes = path.ends_with("/run") || path.ends_with("/preview");
                Answer::to(if takes { request.body("198.51.100.9") } else { request }).await
            }
            ("POST", "/api/v1/sightings") => {
                let key = format!("key-of-cell-{}", world.number());
                let request = client.change(Method::POST, route.path).header("idempotency-key", key);
                Answer::to(request.json(&sighting(world, group, object))).await
            }
            ("POST", "/api/v1/sensors/health") => {
                let health = json!({"name": "edge", "version": "0", "events": 1, "bytes": 1, "matches": 0});
                client.post_json(route.path, &health).await
            }
            ("POST", "/api/v1/warnings/{id}/acknowledge") => {
                client
                    .post_json(
                        &format!("/api/v1/warnings/{warning}/acknowledge"),
                        &json!({"taken": "by-person"}),
                    )
                    .await
            }
            ("POST", "/api/v1/warnings/acknowledge") => {
                client.post_json(route.path, &json!({"warnings": [warning], "taken": "by-person"})).await
            }
            ("POST", "/api/v1/objects") => {
                client
                    .post(&format!("/api/v1/objects?group={group}"), "text/plain", value(world).to_string())
                    .await
            }
            ("POST", "/api/v1/objects/preview") => {
                let path = format!("/api/v1/objects/preview?group={group}");
                client.post(&path, "text/plain", value(world).to_string()).await
            }
            ("POST", "/api/v1/objects/bundle") => {
                client.post_json(route.path, &json!({"ids": [object]})).await
            }
            ("POST", "/api/v1/objects/{id}/recall") => {
                let fresh = share(world, &side.owner, side.member, group).await;
                client
                    .post_json(
                        &format!("/api/v1/objects/{fresh}/recall"),
                        &json!({"group": group, "reason": "a mistake"}),
                    )
                    .await
            }
            ("GET", "/feeds/{format}") => client.get(&format!("/feeds/plain?group={group}")).await,
            ("POST", "/api/v1/held/release" | "/api/v1/held/reject") => {
                let key = self.fresh_hold(side).await;
                let decide = json!({"group": group, "key": key, "reason": "a mistake"});
                client.post_json(route.path, &decide).await
            }
            ("GET", "/api/v1/indicators/{id}/life") => {
                client.get(&format!("/api/v1/indicators/{object}/life")).await
            }
            ("POST", "/api/v1/indicators/{id}/dispute") => {
                let dispute = json!({"group": group, "reason": "ours"});
                client.post_json(&format!("/api/v1/indicators/{object}/dispute"), &dispute).await
            }
            ("POST", "/api/v1/members") => {
                client.post_json(route.path, &json!({"name": name, "kind": "partner"})).await
            }
            ("POST", "/api/v1/groups") => {
                let new = json!({"name": name, "ceiling": "GREEN", "names": "hidden", "members": ["PT"]});
                client.post_json(route.path, &new).await
            }
            ("POST", "/api/v1/tokens") => {
                client
                    .post_json(route.path, &json!({"label": name, "member": side.member, "role": "observer"}))
                    .await
            }
            ("DELETE", "/api/v1/tokens/{id}") => {
                let id = self.fresh_token(side).await;
                Answer::to(client.change(Method::DELETE, &format!("/api/v1/tokens/{id}"))).await
            }
            ("POST", "/api/v1/users") => {
                let new =
                    json!({"name": name, "member": side.member, "role": "observer", "password": PASSWORD});
                client.post_json(route.path, &new).await
            }
            _ => return None,
        })
    }

    /// A search kept at the page by whoever this is, if they may.
    async fn kept_at_page(&self, client: &Client) -> String {
        let name = format!("to remove {}", self.world.number());
        client.post_form("/intelligence/saved", &[("name", &name), ("query", "type:indicator")]).await;
        let page = client.get("/intelligence/saved").await.text();
        let row = page.split(&name).nth(1).and_then(|rest| rest.split("/intelligence/saved/").nth(1));
        row.and_then(|rest| rest.split('/').next()).map_or_else(|| ABSENT.to_owned(), str::to_owned)
    }

    async fn fresh_peer(&self, side: &Side) -> String {
        let new = new_peer(&format!("name {}", self.world.number()), side);
        let made = self.world.operator().post_json("/api/v1/peers", &new).await.expect(200).json();
        made["id"].as_str().unwrap().to_owned()
    }

    async fn fresh_source(&self, side: &Side) -> String {
        let new = new_source(&format!("name {}", self.world.number()), side);
        let made = side.owner.post_json("/api/v1/sources", &new).await.expect(200).json();
        made["id"].as_str().unwrap().to_owned()
    }

    async fn fresh_token(&self, side: &Side) -> String {
        let new = json!({"label": "to revoke", "member": side.member, "role": "observer"});
        let made = self.world.operator().post_json("/api/v1/tokens", &new).await.expect(200).json();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Something held back on `side`, sent by the other member of its group; what it is known by.
    async fn fresh_hold(&self, side: &Side) -> String {
        let world = &self.world;
        let other = if side.member == "LU" { "EE" } else { "FR" };
        let bad = domain(&format!("n{}.google.com", world.number()));
        let (id, object) = indicator(world.member(other).id, &bad, IndicatorRole::Malicious, world.now());
        let sender = world.token(other, Role::Analyst).await;
        let path = format!("/api/v1/objects?group={}", side.group);
        let report = sender.post(&path, "application/json", bundle(&[object])).await.expect(200).json();
        assert_eq!(report["held"].as_array().map(Vec::len), Some(1), "{report}");
        let held = sender.get_json(&format!("/api/v1/held?group={}", side.group)).await;
        let all = held["held"].as_array().unwrap();
        let ours = all.iter().find(|one| one["id"] == id.as_str()).expect("it is held back");
        ours["key"].as_str().unwrap().to_owned()
    }

    async fn ask_taxii(&self, route: &Route, reader: &Reader, side: &Side) -> Option<Answer> {
        let client = &reader.program;
        let collection = side.group.uuid().to_string();
        let path = route
            .path
            .replace("{collection}", &collection)
            .replace("{object}", &side.indicator)
            .replace("{id}", &side.status);
        let world = &self.world;
        Some(match (route.method.as_str(), route.path) {
            ("GET", _) if route.path.starts_with("/taxii2/") => {
                Answer::to(client.request(Method::GET, &path).header("accept", TAXII)).await
            }
            ("POST", "/taxii2/api/collections/{collection}/objects/") => {
                let (_, object) =
                    indicator(world.member("LU").id, &value(world), IndicatorRole::Malicious, world.now());
                let request =
                    client.change(Method::POST, &path).header("accept", TAXII).header("content-type", TAXII);
                Answer::to(request.body(envelope(&[object]))).await
            }
            ("DELETE", "/taxii2/api/collections/{collection}/objects/{object}/") => {
                let fresh = share(world, &side.owner, side.member, side.group).await;
                let path = format!("/taxii2/api/collections/{collection}/objects/{fresh}/");
                Answer::to(client.change(Method::DELETE, &path).header("accept", TAXII)).await
            }
            _ => return None,
        })
    }

    /// One recipe for the whole face: a path made of the side's ids, and a body by what the path is for. What takes
    /// something away gets something fresh to take.
    async fn ask_misp(&self, route: &Route, reader: &Reader, side: &Side) -> Option<Answer> {
        let client = &reader.program;
        let takes = ["/edit/", "/delete/", "/unpublish/"].iter().any(|part| route.path.contains(part))
            || route.path == "/misp/events/{id}" && route.method != Method::GET;
        let fresh = if takes { Some(misp_event(&side.owner, side.group).await) } else { None };
        let ids = fresh.as_ref().unwrap_or(&side.event);
        let of = match route.path.split('/').nth(2)? {
            "users" => "me",
            "attributes" | "sightings" => &ids.attribute,
            "objects" => &ids.object,
            _ => &ids.event,
        };
        let path = route
            .path
            .replace("{id}", of)
            .replace("{event}", &ids.event)
            .replace("{options}", "breakOnDuplicate:0")
            .replace("{file}", &format!("{}.json", ids.event));
        let group = side.group.to_string();
        let body = match path.split('/').nth(3).unwrap_or_default() {
            "add" if path.starts_with("/misp/events/") => json!({"info": "added", "distribution": "1"}),
            "add" if path.starts_with("/misp/attributes/") => {
                json!({"type": "domain", "value": value(&self.world).to_string()})
            }
            "add" if path.starts_with("/misp/objects/") => json!({"name": "file", "Attribute": []}),
            "add" if path.starts_with("/misp/tags/") => json!({"name": "tag"}),
            "add" => json!({"uuid": ids.attribute, "source": "matrix"}),
            "edit" if path.starts_with("/misp/attributes/") => json!({"comment": "changed"}),
            "edit" if path.starts_with("/misp/objects/") => json!({"comment": "changed"}),
            "attachTagToObject" | "removeTagFromObject" => json!({"uuid": ids.event, "tag": "seen"}),
            "listSightings" => json!({"context": "attribute", "id": ids.attribute}),
            "checkValue" => json!(["192.0.2.1"]),
            "search" => json!({"tagname": "seen"}),
            "restSearch" => json!({"returnFormat": "json", "eventid": ids.event}),
            _ => json!({"info": "changed"}),
        };
        let request = match route.method {
            Method::GET if path.starts_with("/feeds/") => {
                client.request(Method::GET, &format!("{path}?group={group}"))
            }
            Method::GET => client.request(Method::GET, &path),
            _ => client.change(route.method.clone(), &path).header("shieldwall-group", &group).json(&body),
        };
        Some(Answer::to(request).await)
    }

    async fn ask_page(&self, route: &Route, reader: &Reader, side: &Side) -> Option<Answer> {
        let (client, world) = (reader.at_page(), &self.world);
        let name = format!("name {}", world.number());
        let (warning, object, group) = (&side.warning, &side.indicator, side.group);
        Some(match (route.method.as_str(), route.path) {
            (
                "GET",
                "/"
                | "/fragments/numbers"
                | "/fragments/feed"
                | "/fragments/live-warnings"
                | "/fragments/warnings"
                | "/fragments/sensors"
                | "/intelligence"
                | "/intelligence/matrix"
                | "/intelligence/import"
                | "/intelligence/feeds"
                | "/intelligence/held"
                | "/intelligence/saved"
                | "/warnings"
                | "/sensors"
                | "/members"
                | "/tokens"
                | "/people"
                | "/ledger"
                | "/intelligence/peers"
                | "/intelligence/sources"
                | "/sign-in",
            ) => client.get(route.path).await,
            ("GET", "/assets/{file}") => client.get(&format!("/assets/{}", self.asset)).await,
            ("GET", "/language/{tag}") => client.get("/language/fr").await,
            ("GET", "/setup/{secret}") => client.get(&self.setup).await,
            // Two passwords that differ: refused as a form, so the link stays good for the next cell.
            ("POST", "/setup/{secret}") => {
                let fields = [
                    ("member", "x"),
                    ("kind", "nation"),
                    ("name", "x"),
                    ("password", PASSWORD),
                    ("again", "other"),
                ];
                client.post_form(&self.setup, &fields).await
            }
            ("POST", "/sign-in") => {
                let fields = [
                    ("name", person_name("LU", Role::Analyst)),
                    ("password", PASSWORD.into()),
                    ("next", "/warnings".into()),
                ];
                client
                    .post_form("/sign-in", &fields.each_ref().map(|(name, value)| (*name, value.as_str())))
                    .await
            }
            ("GET", "/sign-in/link/{secret}") => {
                let link = world.sign_in_link("LU", Role::Analyst).await;
                client.get(link.strip_prefix(&world.url()).unwrap()).await
            }
            ("POST", "/sign-out") => {
                let again = Reader::new(world, reader.role).await;
                again.at_page().post_form("/sign-out", &[]).await
            }
            ("GET", "/intelligence/{id}") => client.get(&format!("/intelligence/{object}")).await,
            ("GET", "/intelligence/graph") => client.get(&format!("/intelligence/graph?id={object}")).await,
            ("GET", "/intelligence/{id}/versions") => {
                client.get(&format!("/intelligence/{object}/versions")).await
            }
            ("POST", "/intelligence/import") => {
                let (group, value) = (group.to_string(), value(world).to_string());
                let fields = [("step", "share"), ("group", &*group), ("content", &*value)];
                client.post_form("/intelligence/import", &fields).await
            }
            ("POST", "/intelligence/{id}/recall") => {
                let fresh = share(world, &side.owner, side.member, group).await;
                let fields =
                    [("group", group.to_string()), ("reason", "a mistake".into()), ("sure", "yes".into())];
                client
                    .post_form(
                        &format!("/intelligence/{fresh}/recall"),
                        &fields.each_ref().map(|(n, v)| (*n, v.as_str())),
                    )
                    .await
            }
            ("POST", "/intelligence/held") => {
                let key = self.fresh_hold(side).await;
                let fields = [("group", group.to_string()), ("key", key), ("do", "release".into())];
                client
                    .post_form("/intelligence/held", &fields.each_ref().map(|(n, v)| (*n, v.as_str())))
                    .await
            }
            ("POST", "/intelligence/{id}/dispute") => {
                let fields = [("group", group.to_string()), ("reason", "ours".into())];
                client
                    .post_form(
                        &format!("/intelligence/{object}/dispute"),
                        &fields.each_ref().map(|(n, v)| (*n, v.as_str())),
                    )
                    .await
            }
            ("POST", "/intelligence/saved") => {
                client.post_form(route.path, &[("name", name.as_str()), ("query", "type:indicator")]).await
            }
            ("POST", "/intelligence/saved/{id}/remove") => {
                client.post_form(&route.path.replace("{id}", &self.kept_at_page(client).await), &[]).await
            }
            ("GET", "/warnings/{id}") => client.get(&format!("/warnings/{warning}")).await,
            ("POST", "/warnings/{id}/acknowledge") => {
                client.post_form(&format!("/warnings/{warning}/acknowledge"), &[("note", "seen")]).await
            }
            ("POST", "/members") => {
                client.post_form("/members", &[("member", &name), ("kind", "partner")]).await
            }
            ("POST", "/groups") => {
                let fields =
                    [("name", name.as_str()), ("ceiling", "GREEN"), ("names", "hidden"), ("members", "PT")];
                client.post_form("/groups", &fields).await
            }
            ("POST", "/intelligence/peers") => {
                let group = group.to_string();
                let fields = [
                    ("name", name.as_str()),
                    ("kind", "hub"),
                    ("url", "http://127.0.0.1:9/"),
                    ("member", side.member),
                    ("group", group.as_str()),
                ];
                client.post_form(route.path, &fields).await
            }
            ("POST", path) if path.starts_with("/intelligence/peers/{id}") => {
                let path = path.replace("{id}", &self.fresh_peer(side).await);
                client.post_form(&path, &[("paused", "yes")]).await
            }
            ("POST", "/intelligence/sources") => {
                let group = group.to_string();
                let fields = [("name", name.as_str()), ("format", "plain"), ("group", group.as_str())];
                client.post_form(route.path, &fields).await
            }
            ("POST", path) if path.starts_with("/intelligence/sources/{id}") => {
                let path = path.replace("{id}", &self.fresh_source(side).await);
                client.post_form(&path, &[("content", "198.51.100.9")]).await
            }
            ("POST", "/tokens") => {
                let fields =
                    [("label", name.as_str()), ("member", side.member), ("role", "observer"), ("days", "7")];
                client.post_form("/tokens", &fields).await
            }
            ("POST", "/tokens/{id}/revoke") => {
                let id = self.fresh_token(side).await;
                client.post_form(&format!("/tokens/{id}/revoke"), &[("sure", "yes")]).await
            }
            ("POST", "/people") => {
                let fields = [
                    ("name", name.as_str()),
                    ("member", side.member),
                    ("role", "observer"),
                    ("password", PASSWORD),
                    ("again", PASSWORD),
                ];
                client.post_form("/people", &fields).await
            }
            ("GET", "/ledger/{group}/{sequence}") => client.get(&format!("/ledger/{group}/1")).await,
            ("GET", "/ledger/{group}/verify") => client.get(&format!("/ledger/{group}/verify")).await,
            _ => return None,
        })
    }
}

/// A peer of this side that rests before its first run is due: nobody answers there.
fn new_peer(name: &str, side: &Side) -> Json {
    json!({"name": name, "kind": "hub", "url": "http://127.0.0.1:9/", "member": side.member,
        "groups": [{"group": side.group}], "interval_seconds": 86_400})
}

/// A source of this side whose content is handed in.
fn new_source(name: &str, side: &Side) -> Json {
    json!({"name": name, "format": "plain", "group": side.group})
}

/// What came of one request, in a word or two.
fn told(answer: &Answer) -> String {
    let to_sign_in = answer.header("location").is_some_and(|place| place.starts_with("/sign-in?next="));
    if answer.status == 303 && to_sign_in {
        return "sign-in".into();
    }
    // A report is taken in part: the part that is not names its reason.
    let is_json = answer.header("content-type") == Some("application/json");
    let refused =
        if is_json { answer.json()["refused"][0]["code"].as_str().map(str::to_owned) } else { None };
    match refused {
        Some(code) if code == "access.hidden" => "hidden".into(),
        Some(code) => format!("{} {code}", answer.status),
        None => answer.status.to_string(),
    }
}

const HEAD: &str = "\
Who may do what. Written by crates/cli/tests/whole/authorisation.rs; every cell is a real request.

A cell is the status of a request that succeeds for whoever may make it: on what one's own member is party to, then
after a bar on what it is not party to, where that differs. 401 and `sign-in` (a page that leads to signing in):
nobody known; 403: the role may not; 404 (in a report taken in part, `hidden`): absent or hidden, which are one to the
reader. 422 under /setup and 303 under /sign-in are what anybody gets who holds the link or the password.
`public` comes without credentials, people to pages with a session, everybody else with an API token.

";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_every_role_as_the_table_says() {
    let stage = Stage::set().await;
    let mut readers = vec![Reader::new(&stage.world, Role::Public).await];
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Public) {
        readers.push(Reader::new(&stage.world, role).await);
    }
    let mut rows = vec![vec!["METHOD".to_owned(), "PATH".to_owned()]];
    rows[0].extend(readers.iter().map(|reader| reader.role.to_string()));
    let mut unthought = Vec::new();
    for route in table() {
        let mut row = vec![route.method.to_string(), route.path.to_owned()];
        for reader in &readers {
            let Some(ours) = stage.ask(route, reader, &stage.ours).await else {
                unthought.push(format!("{} {}", route.method, route.path));
                break;
            };
            let theirs =
                stage.ask(route, reader, &stage.theirs).await.expect("the other side of the same recipe");
            for answer in [&ours, &theirs] {
                assert!(
                    answer.status < 500,
                    "{} {} by {}: {}",
                    route.method,
                    route.path,
                    reader.role,
                    answer.text()
                );
            }
            let (ours, theirs) = (told(&ours), told(&theirs));
            row.push(if ours == theirs { ours } else { format!("{ours} | {theirs}") });
        }
        rows.push(row);
    }
    assert!(unthought.is_empty(), "routes nobody wrote a recipe for in authorisation.rs: {unthought:#?}");
    golden::compare("authorisation.txt", &format!("{HEAD}{}", lined_up(&rows)));
    stage.world.end().await;
}

/// Rows with their columns lined up.
fn lined_up(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_is_not_in_the_table_gets_nobody_in() {
    let world = World::start().await;
    let operator = world.operator();
    let listed: BTreeSet<(&str, &str)> =
        table().iter().map(|route| (route.method.as_str(), route.path)).collect();
    let paths: BTreeSet<&str> = listed.iter().map(|(_, path)| *path).collect();
    for path in paths {
        let path_asked: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            // Where two patterns fit one address (`/api/v1/…/{id}` and a longer one), the table lists either.
            if listed.contains(&(method.as_str(), path)) {
                continue;
            }
            for client in [operator, &world.nobody()] {
                let answer = Answer::to(client.change(method.clone(), &path_asked)).await;
                let shadowed = listed
                    .iter()
                    .any(|(listed, other)| *listed == method.as_str() && fits(other, &path_asked));
                assert!(
                    answer.status == 405 || shadowed,
                    "{method} {path_asked}: {} {}",
                    answer.status,
                    answer.text()
                );
            }
        }
        // HEAD is GET without a body, and asks the same rule.
        if listed.contains(&("GET", path)) && path != "/api/v1/stream" {
            let (head, get) =
                (world.nobody().request(Method::HEAD, &path_asked), world.nobody().get(&path_asked).await);
            assert_eq!(Answer::to(head).await.status, get.status, "HEAD {path_asked}");
        }
    }
    world.end().await;
}

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(a, b)| a.starts_with('{') || a == b)
}
