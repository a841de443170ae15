//! Attacks: diverted to absorbers, and where one does not take it, the ladder goes on.

use super::super::ladder::router::{Flood, Router};
use super::*;

pub(super) fn ladder(steps: &str) -> String {
    format!(
        "[routing.ladder]\nhold = \"5s\"\nsettle = \"1s\"\nsteps = [{steps}]\n[dataplane]\nblind = true\n"
    )
}

const APPROVALS: &str = "[routing.approvals]\ndiversion = \"automatic\"\nblackhole = \"automatic\"\n";

#[test]
fn an_attack_is_diverted_by_itself_and_where_the_absorber_refuses_the_next_step_is_taken_with_its_reason() {
    let capacity = "capacity = \"10 Gbps\"";
    let gives_nothing = format!("{}return = \"none\"\n", declared());
    for (name, top, prefixes, reason) in [
        ("takes", capacity.to_owned(), declared(), None),
        (
            "refuses",
            format!("{capacity}\nheld = 0"),
            declared(),
            Some("takes 0 prefixes of ours at one time"),
        ),
        // Whose traffic is discarded is not kept by that.
        ("null", format!("{capacity}\nkind = \"null\""), declared(), Some("`scrub` discards all that comes")),
        ("none", capacity.to_owned(), gives_nothing, Some("gives nothing back to 198.51.100.0/24")),
    ] {
        let more = format!("{APPROVALS}{}", ladder("\"diversion\", \"blackhole\""));
        let Some(scene) = Scene::acting(name, &top, &prefixes, &more) else { return };
        let _absorber = scene.absorber.start();
        let brain = scene.house.start();
        scene.up();
        let router = Router::start(brain.listen(0));
        router.flood(Flood::Forwarded);
        let Some(reason) = reason else {
            wait("the route", || scene.routed());
            assert_eq!(scene.place()["state"], "stands");
            let one = scene.house.mitigations().remove(0);
            assert_eq!((&one["class"], &one["actor"]), (&"diversion".into(), &"the engine".into()), "{one}");
            continue;
        };
        wait("the blackhole", || scene.router.view().blackholes == ["198.51.100.7/32"]);
        assert!(!scene.routed());
        wait("the absorber's reason", || {
            let attacks = brain.attacks();
            let rejected = attacks.iter().map(|attack| attack["mitigation"]["rejected"].to_string());
            rejected.into_iter().any(|text| text.contains(reason))
        });
    }
}
