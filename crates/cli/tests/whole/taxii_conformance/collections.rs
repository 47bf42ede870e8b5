//! Section 5: collections, manifest, objects, adding, deleting, versions.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use shieldwall_exchange::taxii::Collections;

use super::Outcome;
use super::stage::{ADDRESS, STATED, STATEMENT, Stage, TAXII, ask, hold, ids, listed, text, tool};
use crate::support::{Answer, Client};

const VERSION: &str = "2026-01-01T00:00:00.000Z";

/// Nobody, and somebody with a token that is none, get 401 with a word on how to sign in.
async fn unknown(stage: &Stage, method: Method, path: &str) -> Outcome {
    let liar = stage.nobody.request(method.clone(), path).basic_auth("anybody", Some("swt_of-nobody"));
    let answers = [
        ask(&stage.nobody, method.clone(), path).await,
        Answer::to(liar.header("accept", TAXII)).await,
        Answer::to(stage.nobody.request(method.clone(), path).bearer_auth("swt_of-nobody")).await,
    ];
    for answer in answers {
        let told = answer
            .header("www-authenticate")
            .is_some_and(|told| told.contains("Basic") && told.contains("Bearer"));
        hold(answer.status == 401 && told, || {
            format!("{method} {path}: {} {:?}", answer.status, answer.headers)
        })?;
    }
    Ok(())
}

/// A collection of others answers 404 to whoever asks; one's own answers 403 or 404 to whom it is of no use.
async fn hidden(stage: &Stage, method: Method, what: &str) -> Outcome {
    for (client, collection) in [
        (&stage.analyst, &stage.foreign),
        (&stage.observer, &stage.foreign),
        (&stage.sensor, &stage.foreign),
        (&stage.sensor, &stage.full),
    ] {
        let path = format!("{collection}{what}");
        let answer = ask(client, method.clone(), &path).await;
        let wanted: &[u16] = if *collection == stage.foreign { &[404] } else { &[403, 404] };
        hold(wanted.contains(&answer.status), || format!("{method} {path}: {}", answer.status))?;
    }
    Ok(())
}

pub(super) async fn unknown_at_collections(stage: &Stage) -> Outcome {
    unknown(stage, Method::GET, "/taxii2/api/collections/").await
}

pub(super) async fn unknown_at_a_collection(stage: &Stage) -> Outcome {
    unknown(stage, Method::GET, &stage.full).await?;
    unknown(stage, Method::GET, "/taxii2/api/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/").await
}

pub(super) async fn unknown_at_manifest(stage: &Stage) -> Outcome {
    unknown(stage, Method::GET, &format!("{}manifest/", stage.full)).await
}

pub(super) async fn unknown_at_objects(stage: &Stage) -> Outcome {
    unknown(stage, Method::GET, &format!("{}objects/", stage.full)).await
}

pub(super) async fn unknown_at_adding(stage: &Stage) -> Outcome {
    unknown(stage, Method::POST, &format!("{}objects/", stage.full)).await
}

pub(super) async fn unknown_at_an_object(stage: &Stage) -> Outcome {
    unknown(stage, Method::GET, &format!("{}objects/{ADDRESS}/", stage.full)).await
}

pub(super) async fn unknown_at_deleting(stage: &Stage) -> Outcome {
    unknown(stage, Method::DELETE, &format!("{}objects/{ADDRESS}/", stage.full)).await
}

pub(super) async fn unknown_at_versions(stage: &Stage) -> Outcome {
    unknown(stage, Method::GET, &format!("{}objects/{ADDRESS}/versions/", stage.full)).await
}

pub(super) async fn hidden_at_manifest(stage: &Stage) -> Outcome {
    hidden(stage, Method::GET, "manifest/").await
}

pub(super) async fn hidden_at_objects(stage: &Stage) -> Outcome {
    hidden(stage, Method::GET, "objects/").await
}

pub(super) async fn hidden_at_an_object(stage: &Stage) -> Outcome {
    hidden(stage, Method::GET, &format!("objects/{ADDRESS}/")).await
}

pub(super) async fn hidden_at_versions(stage: &Stage) -> Outcome {
    hidden(stage, Method::GET, &format!("objects/{ADDRESS}/versions/")).await
}

pub(super) async fn hidden_at_adding(stage: &Stage) -> Outcome {
    hidden(stage, Method::POST, "objects/").await?;
    let post = |client: &Client| {
        let request =
            client.change(Method::POST, &format!("{}objects/", stage.full)).header("content-type", TAXII);
        Answer::to(request.header("accept", TAXII).body("{}"))
    };
    let collection = ask(&stage.observer, Method::GET, &stage.full).await.expect(200).json();
    hold(collection["can_write"] == false && collection["can_read"] == true, || collection.to_string())?;
    let status = post(&stage.observer).await.status;
    hold(status == 403, || format!("an observer: {status}"))
}

pub(super) async fn no_collections(stage: &Stage) -> Outcome {
    // Whoever is known has two at least, so that this answer cannot be had; this is what would be written.
    let written = serde_json::to_string(&Collections::default()).map_err(|error| error.to_string())?;
    let some = listed(&stage.json("/taxii2/api/collections/").await, "collections").len();
    hold(written == "{}" && some >= 2, || format!("{written}, {some}"))
}

pub(super) async fn aliases_are_unique(stage: &Stage) -> Outcome {
    let all = listed(&stage.json("/taxii2/api/collections/").await, "collections");
    let aliases: BTreeSet<String> = all.iter().map(|one| text(&one["alias"])).collect();
    hold(aliases.len() == all.len(), || format!("{aliases:?}"))?;
    for one in &all {
        let by_alias = stage.json(&format!("/taxii2/api/collections/{}/", text(&one["alias"]))).await;
        hold(by_alias == *one, || format!("{by_alias} and {one}"))?;
    }
    Ok(())
}

pub(super) async fn media_types_are_whole(stage: &Stage) -> Outcome {
    let types = stage.json(&stage.full).await["media_types"].clone();
    let wanted = json!(["application/stix+json;version=2.1", "application/stix+json;version=2.0"]);
    hold(types == wanted, || types.to_string())
}

pub(super) async fn empty_manifest(stage: &Stage) -> Outcome {
    let body = stage.get(&format!("{}manifest/", stage.empty)).await.expect(200).text();
    hold(body == "{}", || body)
}

pub(super) async fn manifest_records(stage: &Stage) -> Outcome {
    let path = format!("{}manifest/?match[version]=all", stage.full);
    let records = listed(&stage.json(&path).await, "objects");
    let types = listed(&stage.json(&stage.full).await, "media_types");
    hold(records.iter().all(|record| types.contains(&record["media_type"])), || format!("{records:?}"))?;
    let told: BTreeSet<(String, String)> =
        records.iter().map(|record| (text(&record["id"]), text(&record["version"]))).collect();
    // Equal to `modified` to the letter, so that a client may compare text.
    let objects = listed(&stage.json(&path.replace("manifest", "objects")).await, "objects");
    for object in objects {
        let version = ["modified", "created"].iter().find_map(|name| object[*name].as_str());
        let version = version.unwrap_or("1970-01-01T00:00:00.000Z").to_owned();
        hold(told.contains(&(text(&object["id"]), version)), || format!("{object}, not in {told:?}"))?;
    }
    hold(told.contains(&(STATEMENT.into(), STATED.into())), || format!("{told:?}"))
}

pub(super) async fn empty_envelope(stage: &Stage) -> Outcome {
    for path in [format!("{}objects/", stage.empty), format!("{}objects/?match[type]=x-none", stage.full)] {
        let body = stage.get(&path).await.expect(200).text();
        hold(body == "{}", || format!("{path}: {body}"))?;
    }
    Ok(())
}

pub(super) async fn duplicates_are_no_error(stage: &Stage) -> Outcome {
    let (_, object) = tool(1, VERSION);
    let before = stage.json(&format!("{}manifest/", stage.full)).await;
    let status = stage.post(&stage.full, &[object.clone(), object]).await.expect(202).json();
    let counts = (&status["success_count"], &status["failure_count"]);
    hold(counts == (&json!(2), &json!(0)), || status.to_string())?;
    let after = stage.json(&format!("{}manifest/", stage.full)).await;
    hold(before == after, || "it is there twice".into())
}

pub(super) async fn named_by_stix_id(stage: &Stage) -> Outcome {
    let found = ids(&listed(&stage.json(&format!("{}objects/{ADDRESS}/", stage.full)).await, "objects"));
    hold(found == [ADDRESS], || format!("{found:?}"))?;
    for id in ["1", "tool", "tool--0f4c2a1e-5f20-4b7e-8a11-000000000099"] {
        for method in [Method::GET, Method::DELETE] {
            let status =
                ask(&stage.analyst, method.clone(), &format!("{}objects/{id}/", stage.full)).await.status;
            hold(status == 404, || format!("{method} {id}: {status}"))?;
        }
    }
    Ok(())
}

pub(super) async fn empty_object(stage: &Stage) -> Outcome {
    for query in
        ["match[version]=2001-01-01T00:00:00Z", "match[spec_version]=2.0", "added_after=2099-01-01T00:00:00Z"]
    {
        let answer = stage.get(&format!("{}objects/{ADDRESS}/?{query}", stage.full)).await;
        hold(answer.status == 200 && answer.text() == "{}", || format!("{query}: {}", answer.text()))?;
    }
    Ok(())
}

/// Two objects: one deleted whole, one in the first of its two versions. Their ids and paths.
async fn deleted(stage: &Stage) -> Result<[(String, String); 2], String> {
    let later = "2026-01-02T00:00:00.000Z";
    let (whole, part) = (stage.fresh(&[VERSION, later]).await, stage.fresh(&[VERSION, later]).await);
    for path in [whole.1.clone(), format!("{}?match[version]={VERSION}", part.1)] {
        let answer = ask(&stage.analyst, Method::DELETE, &path).await;
        hold(answer.status == 200 && answer.body.is_empty(), || format!("{path}: {}", answer.text()))?;
    }
    Ok([whole, part])
}

pub(super) async fn deleted_is_404(stage: &Stage) -> Outcome {
    let [(_, whole), (_, part)] = deleted(stage).await?;
    for path in [
        whole.clone(),
        format!("{whole}versions/"),
        format!("{whole}?match[version]=all"),
        format!("{whole}?match[version]={VERSION}"),
        format!("{whole}?added_after=2026-01-01T00:00:00Z"),
        format!("{part}?match[version]={VERSION}"),
    ] {
        let status = stage.get(&path).await.status;
        hold(status == 404, || format!("{path}: {status}"))?;
    }
    let again = ask(&stage.analyst, Method::DELETE, &whole).await.status;
    hold(again == 404, || format!("deleted again: {again}"))?;
    let left = stage.versions_at(&format!("{part}?match[version]=all")).await;
    hold(left == ["2026-01-02T00:00:00.000Z"], || format!("{left:?}"))
}

pub(super) async fn deleted_is_nowhere(stage: &Stage) -> Outcome {
    let [(whole, _), (part, path)] = deleted(stage).await?;
    for kind in ["manifest", "objects"] {
        // Page by page too: that a walk goes on is no reason to tell of what was gone before it began.
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page =
                stage.json(&format!("{}{kind}/?match[version]=all&limit=2{next}", stage.scratch)).await;
            found.extend(listed(&page, "objects"));
            match page["next"].as_str() {
                Some(more) => next = format!("&next={more}"),
                None => break,
            }
        }
        let (whole, part) = (&whole, &part);
        let count = |id: &str| found.iter().filter(|item| item["id"] == id).count();
        hold((count(whole), count(part)) == (0, 1), || format!("{kind}: {} {}", count(whole), count(part)))?;
    }
    let versions = stage.json(&format!("{path}versions/")).await;
    hold(versions == json!({"versions": ["2026-01-02T00:00:00.000Z"]}), || versions.to_string())
}

pub(super) async fn the_table_of_deleting(stage: &Stage) -> Outcome {
    let (id, path) = stage.fresh(&[VERSION]).await;
    let other = stage.world.token("EE", shieldwall_model::access::Role::Analyst).await;
    for (client, path, wanted, why) in [
        (&stage.sensor, path.clone(), 404, "neither reads nor writes"),
        (&stage.observer, format!("{}objects/{id}/", stage.foreign), 404, "a collection of others"),
        (&stage.analyst, format!("{}objects/{id}/", stage.foreign), 404, "a collection of others"),
        (&stage.observer, path.clone(), 403, "reads and does not write"),
        (&other, path.clone(), 403, "reads and writes, and is not the owner"),
        (&stage.analyst, format!("{path}?match[version]=all,last"), 400, "malformed"),
        (&stage.analyst, format!("{path}?match[version]=2001-01-01T00:00:00Z"), 404, "no such version"),
        (&stage.analyst, path.clone(), 200, "the owner"),
    ] {
        let status = ask(client, Method::DELETE, &path).await.status;
        hold(status == wanted, || format!("{why}: {status}, not {wanted}"))?;
    }
    Ok(())
}

pub(super) async fn versions_of_the_unversioned(stage: &Stage) -> Outcome {
    let body = stage.json(&format!("{}objects/{STATEMENT}/versions/", stage.full)).await;
    hold(body == json!({"versions": [STATED]}), || body.to_string())
}

pub(super) async fn no_versions(stage: &Stage) -> Outcome {
    let path = format!("{}objects/{ADDRESS}/versions/?match[spec_version]=2.0", stage.full);
    let answer = stage.get(&path).await;
    hold(answer.status == 200 && answer.text() == "{}", || format!("{} {}", answer.status, answer.text()))
}
