//! Sections 2, 3, 7 and appendix B: types, headers, sorting, filters, pages, errors, names.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value as Json;
use shieldwall_exchange::stix;

use super::Outcome;
use super::stage::{ADDRESS, STATED, STATEMENT, Stage, TAXII, ask, hold, ids, is_timestamp, listed, text};
use crate::support::Answer;
use crate::support::client::percent;

/// What `walk` is told of a value: its name, and itself.
type See<'f> = &'f mut dyn FnMut(&str, &Json);

/// Goes through every value of a TAXII answer; objects are STIX's own business.
fn walk(name: &str, value: &Json, see: See<'_>) {
    see(name, value);
    match value {
        Json::Array(items) => items.iter().for_each(|item| walk(name, item, see)),
        Json::Object(fields) if name != "objects" || fields.contains_key("date_added") => {
            fields.iter().for_each(|(name, value)| walk(name, value, see));
        }
        _ => {}
    }
}

/// Every value of every endpoint's answer that is not as it should be.
async fn everywhere(stage: &Stage, wrong: fn(&str, &Json) -> bool) -> Outcome {
    let mut found = Vec::new();
    for path in stage.endpoints() {
        let body = stage.json(&path).await;
        walk("", &body, &mut |name, value| {
            if wrong(name, value) {
                found.push(format!("{path}: {name}: {value}"));
            }
        });
    }
    hold(found.is_empty(), || found.join("; "))
}

pub(super) async fn booleans_are_literals(stage: &Stage) -> Outcome {
    everywhere(stage, |name, value| matches!(name, "can_read" | "can_write" | "more") && !value.is_boolean())
        .await
}

pub(super) async fn identifiers_are_version_4(stage: &Stage) -> Outcome {
    // RFC 4122 section 4.1: the version is the first digit of the third part, the variant that of the fourth.
    let is_v4 = |id: &str| {
        let parts: Vec<&str> = id.split('-').collect();
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts[2].starts_with('4')
            && parts[3].starts_with(['8', '9', 'a', 'b'])
    };
    let mut all = ids(&listed(&stage.json("/taxii2/api/collections/").await, "collections"));
    all.push(text(&stage.status["id"]));
    let wrong: Vec<&String> = all.iter().filter(|id| !is_v4(id)).collect();
    hold(wrong.is_empty() && all.len() > 4, || format!("{wrong:?} of {all:?}"))
}

pub(super) async fn integers_fit(stage: &Stage) -> Outcome {
    everywhere(stage, |_, value| value.is_number() && value.as_u64().is_none_or(|n| n >= 1 << 53)).await
}

pub(super) async fn lists_hold_their_type(stage: &Stage) -> Outcome {
    everywhere(stage, |name, value| match name {
        "api_roots" | "versions" | "media_types" => !value.is_string() && !value.is_array(),
        "collections" | "successes" | "failures" | "pendings" | "objects" => {
            !value.is_object() && !value.is_array()
        }
        "title" | "description" | "alias" | "id" | "version" | "next" | "message" => !value.is_string(),
        _ => false,
    })
    .await
}

pub(super) async fn no_list_is_empty(stage: &Stage) -> Outcome {
    everywhere(stage, |_, value| value.as_array().is_some_and(Vec::is_empty)).await?;
    for path in ["manifest/", "objects/"] {
        let body = stage.json(&format!("{}{path}", stage.empty)).await;
        hold(body.get("objects").is_none(), || format!("{path}: {body}"))?;
    }
    Ok(())
}

pub(super) async fn timestamps(stage: &Stage) -> Outcome {
    everywhere(stage, |name, value| {
        matches!(name, "date_added" | "request_timestamp") && !value.as_str().is_some_and(is_timestamp)
    })
    .await
}

pub(super) async fn paths_end_in_a_slash(stage: &Stage) -> Outcome {
    for path in stage.endpoints() {
        let (bare, query) = path.split_once('?').unwrap_or((&path, ""));
        hold(bare.ends_with('/'), || format!("{path} has none"))?;
        // Who leaves it out is sent to where it is, whether or not anything is there.
        let short = format!("{}?{query}", bare.trim_end_matches('/'));
        let answer = stage.get(&short).await;
        hold(answer.status == 308 && answer.header("location") == Some(&format!("{bare}?{query}")), || {
            format!("{short} answers {}: {:?}", answer.status, answer.header("location"))
        })?;
    }
    Ok(())
}

pub(super) async fn successes_have_their_body(stage: &Stage) -> Outcome {
    let wanted = [
        "api_roots",
        "max_content_length",
        "collections",
        "total_count",
        "can_read",
        "objects",
        "objects",
        "objects",
        "versions",
        "versions",
    ];
    for (path, name) in stage.endpoints().iter().zip(wanted) {
        let body = stage.json(path).await;
        hold(!body[name].is_null(), || format!("{path} without {name}: {body}"))?;
    }
    Ok(())
}

pub(super) async fn every_answer_has_the_media_type(stage: &Stage) -> Outcome {
    let mut wrong = Vec::new();
    let mut look = |what: &str, status: u16, answer: &Answer| {
        if answer.header("content-type") != Some(TAXII) || answer.status != status {
            wrong.push(format!("{what}: {} {:?}", answer.status, answer.header("content-type")));
        }
    };
    for path in stage.endpoints() {
        look(&path, 200, &stage.get(&path).await);
        look(&path, 401, &ask(&stage.nobody, Method::GET, &path).await);
        look(
            &path,
            406,
            &Answer::to(stage.analyst.request(Method::GET, &path).header("accept", "text/html")).await,
        );
        look(&path, 405, &ask(&stage.analyst, Method::PUT, &path).await);
        let head = ask(&stage.analyst, Method::HEAD, &path).await;
        look(&path, 200, &head);
        hold(head.body.is_empty(), || format!("HEAD {path} has a body"))?;
    }
    look("malformed", 400, &stage.get(&format!("{}objects/?limit=0", stage.full)).await);
    look("absent", 404, &stage.get(&stage.foreign).await);
    look("unheard of", 404, &stage.get("/taxii2/api/channels/").await);
    look("forbidden", 403, &ask(&stage.sensor, Method::GET, "/taxii2/").await);
    look("too long", 414, &stage.get(&format!("/taxii2/?x={}", "x".repeat(8_000))).await);
    let objects = format!("{}objects/", stage.scratch);
    let post = |content_type: &'static str, body: String| {
        let request = stage.analyst.change(Method::POST, &objects).header("accept", TAXII);
        Answer::to(request.header("content-type", content_type).body(body))
    };
    look("no envelope", 422, &post(TAXII, "no".into()).await);
    look("no TAXII", 415, &post("text/csv", "no".into()).await);
    look("too large", 413, &post(TAXII, " ".repeat(10 * 1024 * 1024 + 1)).await);
    let (_, path) = stage.fresh(&["2026-01-01T00:00:00.000Z"]).await;
    look("deleting", 200, &ask(&stage.analyst, Method::DELETE, &path).await);
    hold(wrong.is_empty(), || wrong.join("; "))
}

pub(super) async fn defined_accepts(stage: &Stage) -> Outcome {
    for path in stage.endpoints() {
        for accept in [
            TAXII,
            "application/taxii+json",
            "application/taxii+json; version=2.1",
            "application/taxii+json;version=\"2.1\"",
            // What the manifest's table has, and what OpenCTI sends (opencti issue 4246).
            "application/taxii+json;version=2.1,application/stix+json;version=2.1",
            "application/json, text/plain, */*",
        ] {
            let answer = Answer::to(stage.analyst.request(Method::GET, &path).header("accept", accept)).await;
            hold(answer.status == 200, || format!("{path} for {accept}: {}", answer.status))?;
        }
        let lines =
            stage.analyst.request(Method::GET, &path).header("accept", "text/html").header("accept", TAXII);
        let answer = Answer::to(lines).await;
        hold(answer.status == 200, || format!("{path}, Accept in two lines: {}", answer.status))?;
    }
    Ok(())
}

pub(super) async fn defined_content_types(stage: &Stage) -> Outcome {
    for content_type in
        [TAXII, "application/taxii+json", "application/taxii+json; version=2.1; charset=utf-8"]
    {
        let request = stage.analyst.change(Method::POST, &format!("{}objects/", stage.scratch));
        let (_, object) = super::stage::tool(1, "2026-01-01T00:00:00.000Z");
        let request = request.header("accept", TAXII).header("content-type", content_type);
        let answer = Answer::to(request.body(crate::support::stix::envelope(&[object]))).await;
        hold(answer.status == 202, || format!("{content_type}: {}", answer.text()))?;
    }
    // On a GET it says nothing, and some clients send it all the same.
    let request = stage.analyst.request(Method::GET, "/taxii2/").header("content-type", "text/plain");
    let answer = Answer::to(request).await;
    hold(answer.status == 200, || answer.text())
}

pub(super) async fn filters_filter(stage: &Stage) -> Outcome {
    for kind in ["manifest", "objects"] {
        let found = ids(&listed(
            &stage.json(&format!("{}{kind}/?match[type]=ipv4-addr", stage.full)).await,
            "objects",
        ));
        hold(found == [ADDRESS], || format!("{kind}: {found:?}"))?;
        let path =
            format!("{}{kind}/?match[type]=tool,ipv4-addr&match[id]={ADDRESS},{}", stage.full, stage.tool);
        let found = ids(&listed(&stage.json(&path).await, "objects"));
        hold(found == [stage.tool.as_str(), ADDRESS], || format!("{kind}: {found:?}"))?;
    }
    Ok(())
}

pub(super) async fn the_tables_hold(stage: &Stage) -> Outcome {
    for path in stage.endpoints() {
        for method in [Method::PUT, Method::PATCH] {
            let status = ask(&stage.analyst, method.clone(), &path).await.status;
            hold(status == 405, || format!("{method} {path}: {status}"))?;
        }
    }
    // Pages by Range were 2.0's: no 206, no 416.
    let request = stage
        .analyst
        .request(Method::GET, &format!("{}objects/", stage.full))
        .header("range", "items 900-999");
    let answer = Answer::to(request).await;
    hold(answer.status == 200, || format!("a Range gives {}", answer.status))
}

async fn date_added(stage: &Stage, header: &str) -> Outcome {
    let mut paths: Vec<String> = stage.paged().into();
    // Empty pages too: they say up to when the client knows all, which is what it asked with (opencti issue 6973).
    let future = "2099-01-01T00:00:00.000000Z";
    paths.extend(stage.paged().iter().map(|path| format!("{path}?added_after={future}")));
    paths.extend(["manifest/", "objects/"].map(|kind| format!("{}{kind}", stage.empty)));
    for path in paths {
        let answer = stage.get(&path).await.expect(200);
        let value = answer.header(header).unwrap_or_default();
        let echoed = !path.ends_with(future) || value == future;
        hold(is_timestamp(value) && echoed, || format!("{path}: {value:?}"))?;
    }
    Ok(())
}

pub(super) async fn date_added_first(stage: &Stage) -> Outcome {
    let answer = stage.get(&format!("{}manifest/", stage.full)).await;
    let first = text(&answer.json()["objects"][0]["date_added"]);
    hold(answer.header("x-taxii-date-added-first") == Some(&first), || first)?;
    date_added(stage, "x-taxii-date-added-first").await
}

pub(super) async fn date_added_last(stage: &Stage) -> Outcome {
    let answer = stage.get(&format!("{}manifest/?limit=3", stage.full)).await;
    let last = text(&answer.json()["objects"][2]["date_added"]);
    hold(answer.header("x-taxii-date-added-last") == Some(&last), || last)?;
    date_added(stage, "x-taxii-date-added-last").await
}

pub(super) async fn ascending(stage: &Stage) -> Outcome {
    let manifest =
        listed(&stage.json(&format!("{}manifest/?match[version]=all", stage.full)).await, "objects");
    let added: Vec<String> = manifest.iter().map(|record| text(&record["date_added"])).collect();
    hold(added.len() > 10 && added.windows(2).all(|pair| pair[0] < pair[1]), || format!("{added:?}"))?;
    let objects = listed(&stage.json(&format!("{}objects/?match[version]=all", stage.full)).await, "objects");
    hold(ids(&objects) == ids(&manifest), || "objects and manifest are of two orders".into())
}

pub(super) async fn collections_keep_their_order(stage: &Stage) -> Outcome {
    let first = stage.get("/taxii2/api/collections/").await.body;
    for _ in 0..5 {
        hold(stage.get("/taxii2/api/collections/").await.body == first, || "another order".into())?;
    }
    Ok(())
}

/// All of these queries, on objects and manifest, give 400 and a word of advice.
async fn refused(stage: &Stage, queries: &[&str]) -> Outcome {
    for kind in ["manifest", "objects"] {
        for query in queries {
            let answer = stage.get(&format!("{}{kind}/?{query}", stage.full)).await;
            let advised = answer.status == 400 && answer.json()["description"].is_string();
            hold(advised, || format!("{kind}/?{query}: {} {}", answer.status, answer.text()))?;
        }
    }
    Ok(())
}

pub(super) async fn malformed_parameters(stage: &Stage) -> Outcome {
    let queries = [
        "added_after=yesterday",
        "limit=many",
        "next=",
        "next=made-up",
        "match[version]=newest",
        "match[id]=",
        "match[type]=a,,b",
    ];
    refused(stage, &queries).await
}

pub(super) async fn added_after_stands_once(stage: &Stage) -> Outcome {
    let time = "2026-01-01T00:00:00.000000Z";
    let twice = format!("added_after={time}&added_after={time}");
    refused(stage, &[&twice, &format!("added_after={time},{time}"), "added_after="]).await
}

pub(super) async fn oldest_first(stage: &Stage) -> Outcome {
    let found =
        listed(&stage.json(&format!("{}objects/?match[version]=all&limit=2", stage.full)).await, "objects");
    let versions: Vec<String> = found.iter().map(|object| text(&object["modified"])).collect();
    hold(versions == stage.versions[..2], || format!("{versions:?}"))
}

pub(super) async fn limit_is_positive(stage: &Stage) -> Outcome {
    refused(stage, &["limit=0", "limit=-1", "limit=1.5", "limit="]).await
}

pub(super) async fn limit_limits(stage: &Stage) -> Outcome {
    for limit in [1usize, 2, 7] {
        for path in [format!("{}objects/?", stage.full), format!("{}manifest/?", stage.full)] {
            let found =
                listed(&stage.json(&format!("{path}match[version]=all&limit={limit}")).await, "objects")
                    .len();
            hold(found == limit, || format!("{path}limit={limit}: {found}"))?;
        }
    }
    let path = format!("{}objects/{}/versions/?limit=2", stage.full, stage.tool);
    let found = listed(&stage.json(&path).await, "versions").len();
    hold(found == 2, || format!("{path}: {found}"))
}

pub(super) async fn what_fits_comes_whole(stage: &Stage) -> Outcome {
    let path = format!("{}objects/?match[version]=all", stage.full);
    let whole = listed(&stage.json(&path).await, "objects").len();
    hold(whole == 13, || format!("{whole} of 13"))?;
    for limit in [13, 14, 100_000] {
        let body = stage.json(&format!("{path}&limit={limit}")).await;
        let found = listed(&body, "objects").len();
        hold(found == whole && body["more"] != true, || {
            format!("limit {limit}: {found}, more {}", body["more"])
        })?;
    }
    Ok(())
}

pub(super) async fn more_is_true(stage: &Stage) -> Outcome {
    for path in [
        format!("{}manifest/", stage.full),
        format!("{}objects/", stage.full),
        format!("{}objects/{}/", stage.full, stage.tool),
    ] {
        let body = stage.json(&format!("{path}?match[version]=all&limit=2")).await;
        hold(body["more"] == true, || format!("{path}: {body}"))?;
        // Never more without next: a client that knows next alone would stop, or begin again for ever.
        hold(body["next"].as_str().is_some_and(|next| !next.is_empty()), || format!("{path}: no next"))?;
    }
    let body = stage.json(&format!("{}objects/{}/versions/?limit=2", stage.full, stage.tool)).await;
    hold(body["more"] == true && body["next"].is_string(), || body.to_string())
}

pub(super) async fn match_fields(stage: &Stage) -> Outcome {
    let Stage { full, tool, versions, .. } = stage;
    for (path, list, wanted) in [
        (format!("{full}objects/?match[id]={tool}"), "objects", 1),
        (format!("{full}objects/?match[type]=tool"), "objects", 9),
        (format!("{full}objects/?match[version]=first"), "objects", 11),
        (format!("{full}objects/?match[spec_version]=2.0"), "objects", 0),
        (format!("{full}manifest/?match[id]={tool}"), "objects", 1),
        (format!("{full}manifest/?match[type]=tool"), "objects", 9),
        (format!("{full}manifest/?match[version]={}", versions[1]), "objects", 1),
        (format!("{full}manifest/?match[spec_version]=2.1"), "objects", 11),
        (format!("{full}objects/{tool}/?match[version]=first,last"), "objects", 2),
        (format!("{full}objects/{tool}/?match[spec_version]=2.0,2.1"), "objects", 1),
        (format!("{full}objects/{tool}/versions/?match[spec_version]=2.1"), "versions", 3),
    ] {
        let found = listed(&stage.json(&path).await, list).len();
        hold(found == wanted, || format!("{path}: {found}, not {wanted}"))?;
    }
    let (_, path) = stage.fresh(&["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]).await;
    let answer =
        ask(&stage.analyst, Method::DELETE, &format!("{path}?match[version]=first&match[spec_version]=2.1"))
            .await;
    hold(answer.status == 200, || answer.text())?;
    let left = stage.versions_at(&format!("{path}?match[version]=all")).await;
    hold(left == ["2026-01-02T00:00:00.000Z"], || format!("{left:?}"))
}

pub(super) async fn match_fields_stand_once(stage: &Stage) -> Outcome {
    let twice = ["id=a", "type=tool", "version=last", "spec_version=2.1"];
    let twice: Vec<String> = twice
        .iter()
        .map(|field| field.split_once('=').unwrap())
        .map(|(name, value)| format!("match[{name}]={value}&match[{name}]={value}"))
        .collect();
    refused(stage, &twice.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn specs(stage: &Stage, query: &str) -> BTreeSet<String> {
    let path = format!("{}objects/?match[version]=all&{query}", stage.full);
    let objects = listed(&stage.json(&path).await, "objects");
    objects.iter().map(|object| object["spec_version"].as_str().unwrap_or("2.0").to_owned()).collect()
}

pub(super) async fn spec_version_filters(stage: &Stage) -> Outcome {
    // What comes in as 2.0 is brought up to 2.1 at the door, so that nothing of 2.0 is left to ask for.
    for (query, wanted) in [("2.1", Some("2.1")), ("2.0,2.1", Some("2.1")), ("2.0", None), ("3.0", None)] {
        let found = specs(stage, &format!("match[spec_version]={query}")).await;
        hold(found == wanted.map(str::to_owned).into_iter().collect(), || format!("{query}: {found:?}"))?;
    }
    Ok(())
}

pub(super) async fn spec_version_default(stage: &Stage) -> Outcome {
    let found = specs(stage, "").await;
    hold(found.iter().eq(["2.1"]), || format!("{found:?}"))?;
    let path = format!("{}manifest/?match[version]=all", stage.full);
    let manifest = listed(&stage.json(&path).await, "objects");
    let versions: BTreeSet<(String, String)> =
        manifest.iter().map(|record| (text(&record["id"]), text(&record["version"]))).collect();
    hold(versions.len() == manifest.len(), || "a version comes in two specifications".into())
}

pub(super) async fn every_type_is_valid(stage: &Stage) -> Outcome {
    const TYPES: &str = "attack-pattern,campaign,course-of-action,grouping,identity,incident,indicator,infrastructure,\
        intrusion-set,location,malware,malware-analysis,note,observed-data,opinion,report,threat-actor,tool,vulnerability,\
        relationship,sighting,artifact,autonomous-system,directory,domain-name,email-addr,email-message,file,ipv4-addr,\
        ipv6-addr,mac-addr,mutex,network-traffic,process,software,url,user-account,windows-registry-key,x509-certificate,\
        marking-definition,language-content,extension-definition";
    for kind in TYPES.split(',').chain([TYPES, "x-not-known"]) {
        let answer = stage.get(&format!("{}objects/?match[type]={kind}", stage.full)).await;
        hold(answer.status == 200, || format!("{kind}: {}", answer.text()))?;
    }
    Ok(())
}

pub(super) async fn version_default(stage: &Stage) -> Outcome {
    for path in [
        format!("{}objects/?match[id]={}", stage.full, stage.tool),
        format!("{}objects/{}/", stage.full, stage.tool),
    ] {
        let found = stage.versions_at(&path).await;
        hold(found == stage.versions[2..], || format!("{path}: {found:?}"))?;
    }
    Ok(())
}

pub(super) async fn created_stands_in(stage: &Stage) -> Outcome {
    let found = ids(&listed(
        &stage.json(&format!("{}objects/?match[version]={STATED}", stage.full)).await,
        "objects",
    ));
    hold(found == [STATEMENT], || format!("{found:?}"))
}

pub(super) async fn versions_stand_once(stage: &Stage) -> Outcome {
    let twice = format!("match[version]={0},{0}", stage.versions[0]);
    refused(stage, &["match[version]=last,last", "match[version]=first,last,first", &twice]).await
}

pub(super) async fn all_stands_alone(stage: &Stage) -> Outcome {
    let both = format!("match[version]={},all", stage.versions[0]);
    refused(stage, &["match[version]=all,last", "match[version]=all,all", &both]).await
}

pub(super) async fn version_is_exact(stage: &Stage) -> Outcome {
    let path = format!("{}objects/{}/?match[version]=", stage.full, stage.tool);
    let found = stage.versions_at(&format!("{path}{}", stage.versions[1])).await;
    hold(found == stage.versions[1..2], || format!("{found:?}"))?;
    let near = stage.versions_at(&format!("{path}2026-01-01T02:00:00.001Z")).await;
    hold(near.is_empty(), || format!("{near:?}"))
}

pub(super) async fn errors_say_their_status(stage: &Stage) -> Outcome {
    let full = &stage.full;
    for (path, status) in [
        (format!("{full}objects/?limit=0"), 400),
        (stage.foreign.clone(), 404),
        ("/taxii2/none/".to_owned(), 404),
    ] {
        let answer = stage.get(&path).await.expect(status);
        let body = answer.json();
        let good = text(&body["http_status"]).parse() == Ok(status)
            && body["title"].is_string()
            && body["error_code"].is_string();
        hold(good, || body.to_string())?;
    }
    let unknown = ask(&stage.nobody, Method::GET, full).await.expect(401).json();
    hold(unknown["http_status"] == "401", || unknown.to_string())
}

pub(super) async fn objects_come_in_an_envelope(stage: &Stage) -> Outcome {
    for path in [format!("{}objects/", stage.full), format!("{}objects/{ADDRESS}/", stage.full)] {
        let body = stage.json(&path).await;
        let names: Vec<&String> = body.as_object().map(|body| body.keys().collect()).unwrap_or_default();
        let known = names.iter().all(|name| matches!(name.as_str(), "objects" | "more" | "next"));
        hold(known && body["objects"].is_array(), || format!("{path}: {names:?}"))?;
    }
    Ok(())
}

pub(super) async fn envelopes_hold_stix(stage: &Stage) -> Outcome {
    let answer = stage.get(&format!("{}objects/?match[version]=all", stage.full)).await;
    let checked = stix::read_envelope(&answer.body).map_err(|error| error.to_string())?;
    hold(checked.refused.is_empty() && checked.accepted.len() == 13, || format!("{:?}", checked.refused))
}

pub(super) async fn names_are_the_tables(stage: &Stage) -> Outcome {
    const NAMES: &[&str] = &[
        "title",
        "description",
        "contact",
        "default",
        "api_roots",
        "versions",
        "max_content_length",
        "id",
        "status",
        "request_timestamp",
        "total_count",
        "success_count",
        "successes",
        "failure_count",
        "failures",
        "pending_count",
        "pendings",
        "version",
        "message",
        "collections",
        "alias",
        "can_read",
        "can_write",
        "media_types",
        "more",
        "next",
        "objects",
        "date_added",
        "media_type",
        "",
    ];
    everywhere(stage, |name, _| !NAMES.contains(&name)).await
}

pub(super) async fn required_properties(stage: &Stage) -> Outcome {
    let all: [&[&str]; 6] = [
        &["title"],
        &["title", "versions", "max_content_length"],
        &[],
        &["id", "status", "total_count", "success_count", "failure_count", "pending_count"],
        &["id", "title", "can_read", "can_write"],
        &[],
    ];
    for (path, required) in stage.endpoints().iter().zip(all) {
        let body = stage.json(path).await;
        for name in required {
            hold(!body[*name].is_null(), || format!("{path} without {name}"))?;
        }
    }
    let manifest = stage.json(&format!("{}manifest/", stage.full)).await;
    let whole = |record: &Json| ["id", "date_added", "version"].iter().all(|name| record[*name].is_string());
    hold(listed(&manifest, "objects").iter().all(whole), || manifest.to_string())?;
    let error = stage.get("/taxii2/none/").await.json();
    hold(error["title"].is_string(), || error.to_string())
}

pub(super) async fn custom_names(stage: &Stage) -> Outcome {
    everywhere(stage, |name, _| {
        let fits = (3..=250).contains(&name.len()) || matches!(name, "" | "id");
        !fits || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
    .await
}

pub(super) async fn next_is_not_trusted(stage: &Stage) -> Outcome {
    let Stage { full, scratch, .. } = stage;
    stage.fresh(&["2026-01-01T00:00:00.000Z"]).await;
    let next = text(&stage.json(&format!("{full}objects/?limit=1")).await["next"]);
    let mut forged = next.clone().into_bytes();
    forged[10] = if forged[10] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for (path, why) in [
        (format!("{full}objects/?next={forged}"), "forged"),
        (format!("{full}objects/?next=5"), "made up"),
        (format!("{full}objects/?next={}", percent("' OR 1=1")), "made up to harm"),
        (format!("{scratch}objects/?next={next}"), "of another collection"),
    ] {
        let answer = stage.get(&path).await;
        hold(answer.status == 400, || format!("{why}: {} {}", answer.status, answer.text()))?;
    }
    let other = stage.world.token("EE", shieldwall_model::access::Role::Analyst).await;
    let answer = ask(&other, Method::GET, &format!("{full}objects/?next={next}")).await;
    hold(answer.status == 400, || format!("of another client: {}", answer.status))
}

pub(super) async fn next_is_judged_in_its_query(stage: &Stage) -> Outcome {
    let next = text(&stage.json(&format!("{}objects/?limit=1", stage.full)).await["next"]);
    let path = format!("{}objects/?match[type]=ipv4-addr&next={next}", stage.full);
    let found = ids(&listed(&stage.json(&path).await, "objects"));
    hold(found == [ADDRESS], || format!("with another filter: {found:?}"))
}
