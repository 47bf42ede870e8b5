//! The demo, as a machine runs it: it ends well only when the loop has closed.

use std::fs;

use serde_json::Value as Json;

use crate::support::Workplace;
use crate::support::binary::run;

#[test]
fn the_demo_closes_the_loop_and_says_so_last() {
    let place = Workplace::new();
    let data = place.path().join("demo");
    let said =
        run(["demo", "--headless", "--json", "--duration", "6", "--data", data.to_str().unwrap()]).expect(0);
    let told = said.json();
    assert_eq!(told["loop_closed"], true, "{told}");
    assert!(told["members"].as_u64().is_some_and(|members| members >= 8), "{told}");
    assert_eq!(told["kill_switch_blocked"], false, "a kill switch is on no block list");
    let wait = &told["time_to_warn_ms"];
    let figure = |name: &str| wait[name].as_f64().unwrap_or_else(|| panic!("no {name}: {wait}"));
    assert!(figure("p50") <= figure("p95") && figure("p95") <= figure("max"), "{wait}");
    println!(
        "warned {} after p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms",
        told["warned"],
        figure("p50"),
        figure("p95"),
        figure("max")
    );
    // Looked at from outside: what the sensors left, against what the scenario says of each value.
    let scenario: Json =
        serde_json::from_str(include_str!("../../scenarios/wannacry.json")).expect("a scenario");
    let values = |role: &str| -> Vec<String> {
        let all = scenario["indicators"].as_array().expect("indicators").iter();
        all.filter(|one| one["role"] == role)
            .map(|one| one["value"].as_str().expect("a value").to_owned())
            .collect()
    };
    assert!(!values("killswitch_do_not_block").is_empty());
    let mut lists = 0;
    for member in fs::read_dir(data.join("members")).expect("the members' sensors") {
        let list = member.expect("a member").path().join("sensor/blocklist.txt");
        let Ok(list) = fs::read_to_string(&list) else { continue };
        lists += 1;
        for value in values("killswitch_do_not_block") {
            assert!(!list.contains(&value), "{value} is blocked");
        }
        assert!(
            list.lines().any(|line| !line.starts_with('#') && !line.is_empty()),
            "what is malicious is blocked: {list}"
        );
    }
    assert!(lists >= 8, "{lists} block lists");
    let hub = data.join("hub");
    assert_eq!(
        run(["--json", "verify", "--data", hub.to_str().unwrap()]).expect(0).json()["sound"],
        true,
        "its record is sound"
    );
}
