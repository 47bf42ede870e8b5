//! What passed before it was known: found again, reported as a hit of then, shown as one, and hunted for offline.

use shieldwall_model::access::Role;
use shieldwall_model::indicator::IndicatorRole;
use shieldwall_sensor::agent::SensorEvent;

use crate::support::World;
use crate::support::binary::run_beside;
use crate::support::sensor::Post;
use crate::support::stix::{domain, story};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passed_before_it_was_known_is_told_as_a_hit_of_then() {
    let world = World::start().await;
    let analyst = world.token("LU", Role::Analyst).await;
    let share = async |value: &str| {
        let told =
            story(world.member("LU").id, &domain(value), IndicatorRole::Malicious, "Grey Heron", world.now());
        let sent =
            analyst.post("/api/v1/objects", "application/json", told.bundle.clone()).await.expect(200).json();
        assert_eq!(sent["refused"].as_array().map(Vec::len), Some(0), "{sent}");
        told.indicator.to_string()
    };
    share("known.example").await;
    let mut post = Post::new(&world, "estonia", &world.token("EE", Role::Sensor).await);
    let mut sensor = post.start();
    sensor.synced(1).await;
    // What is not known yet passes first; once the one behind it is met, it was read.
    post.see(&domain("cdn.later.example"), 5);
    post.see(&domain("known.example"), 0);
    sensor.until("the live match", |event| matches!(event, SensorEvent::Matched { .. })).await;
    assert_eq!(sensor.reported().await, 1);
    let reader = world.token("FR", Role::Analyst).await;
    let mut events = reader.events(None).await;
    let indicator = share("later.example").await;
    let warned = events
        .until("the warning", |event| {
            event.name == "warning" && event.data["indicator"] == indicator.as_str()
        })
        .await
        .data;
    assert_eq!((&warned["retrospective"], warned["count"].as_u64()), (&true.into(), Some(0)), "{warned}");
    assert_eq!((&warned["members"], &warned["fields"][0]), (&1.into(), &"memory".into()));
    // The page says that it is a hit of then.
    let person = world.session("EE", Role::Analyst).await;
    let page = person.get(&format!("/warnings/{}", warned["id"].as_str().unwrap())).await.expect(200).text();
    assert!(page.contains("passed at 1 member before it was known"), "{page}");
    assert!(page.contains("you were hit then"), "{page}");
    // Met again now that it is known, it is a live one.
    post.see(&domain("later.example"), 0);
    let live = events
        .until("the live one", |event| {
            event.name == "warning"
                && event.data["indicator"] == indicator.as_str()
                && event.data["count"] == 1
        })
        .await
        .data;
    assert_eq!((&live["retrospective"], &live["id"]), (&false.into(), &warned["id"]));
    assert_eq!(sensor.stop().await.retrospective, 1);
    let state = world.beside("estonia").join("state").display().to_string();
    let hunt = |values: &[&str]| {
        let mut arguments = vec!["hunt".to_owned(), "--json".to_owned(), "--state".to_owned(), state.clone()];
        arguments.extend(values.iter().map(|value| (*value).to_owned()));
        arguments
    };
    let said = run_beside(hunt(&["later[.]example", "never.example", "10.0.0.0/24", "10.0.0.7:53"]))
        .await
        .expect(0)
        .json();
    let found: Vec<_> =
        said["values"].as_array().unwrap().iter().map(|value| value["found"].clone()).collect();
    assert_eq!(found, [true, false, true, true], "{said}");
    assert_eq!(said["values"][3]["asked"], "address-only");
    assert!(said["values"][2]["addresses"].as_array().unwrap().contains(&"10.0.0.7".into()));
    assert!(said["false_positive_probability"].as_f64().unwrap() < 1e-6);
    run_beside(hunt(&["never.example"])).await.expect(1);
    run_beside(hunt(&["no value"])).await.expect(2);
    let nowhere = ["hunt", "a.example", "--state", "nowhere"].map(str::to_owned).to_vec();
    assert!(run_beside(nowhere).await.expect(3).err.contains("memory.absent"));
}
