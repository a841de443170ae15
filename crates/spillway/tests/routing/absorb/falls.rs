//! Either end is killed, restarted, or says what is not true.

use std::time::{Duration, Instant};

use super::super::ladder::router::{Flood, Router};
use super::*;

#[test]
fn without_the_brain_everything_at_the_absorber_ends_with_its_lease_and_its_routes_with_the_session() {
    let Some(scene) = Scene::new("brain", CAPACITY, &declared(), "") else { return };
    let absorber = scene.absorber.start();
    let brain = scene.house.start();
    scene.up();
    scene.divert().unwrap();
    wait("the route", || scene.routed());
    let killed = Instant::now();
    brain.signal("-KILL");
    let _ = brain.ended();
    // The peer's profile: no graceful restart, so the routes go with the connection.
    wait("the route's end", || !scene.routed());
    assert!(killed.elapsed() < Duration::from_secs(13), "the route outlived the lease of what it leads to");
    std::thread::sleep(Duration::from_secs(15).saturating_sub(killed.elapsed()));
    absorber.signal("-TERM");
    let (_, errors) = absorber.ended();
    assert!(errors.contains("its lease ended"), "{errors}");
}

#[test]
fn a_brain_that_comes_back_finds_what_it_left_and_both_agree_again() {
    let Some(scene) = Scene::new("back", CAPACITY, &declared(), "") else { return };
    let absorber = scene.absorber.start();
    let brain = scene.house.start();
    scene.up();
    let one = scene.divert().unwrap();
    wait("the route", || scene.routed());
    brain.signal("-KILL");
    let _ = brain.ended();
    let _brain = scene.house.start();
    scene.up();
    wait("the prefix", || scene.place()["state"] == "stands");
    wait("the route", || scene.routed());
    assert_eq!(scene.house.mitigations()[0]["id"], one["id"]);
    std::thread::sleep(Duration::from_secs(14));
    assert_eq!(scene.place()["state"], "stands");
    absorber.signal("-TERM");
    let (_, errors) = absorber.ended();
    assert!(!errors.contains("its lease ended"), "{errors}");
}

#[test]
fn an_absorber_that_is_lost_loses_its_route_and_gets_it_again_when_it_is_back() {
    let Some(scene) = Scene::new("lost", CAPACITY, &declared(), "") else { return };
    let absorber = scene.absorber.start();
    let _brain = scene.house.start();
    scene.up();
    let one = scene.divert().unwrap();
    wait("the route", || scene.routed());
    absorber.signal("-KILL");
    let _ = absorber.ended();
    wait("the route's end", || !scene.routed());
    let held = scene.house.mitigations().remove(0);
    assert_eq!((&held["id"], &held["peers"][0]["state"]), (&one["id"], &"waiting".into()), "{held}");
    let why = held["peers"][0]["reason"].as_str().unwrap();
    assert!(why.contains("absorber `scrub` is lost, silent for"), "{why}");
    assert_eq!(scene.shown()["state"], "down");
    let back = Instant::now();
    let _absorber = scene.absorber.start();
    wait("the route again", || scene.routed());
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    assert_eq!(scene.place()["state"], "stands");
    let history = scene.house.history();
    for event in ["announced", "held back", "announced again"] {
        assert!(history.contains(&event.to_owned()), "{event}: {history:?}");
    }
}

#[test]
fn an_absorber_that_restarts_at_once_keeps_its_route() {
    let Some(scene) = Scene::new("quick", CAPACITY, &declared(), "") else { return };
    let absorber = scene.absorber.start();
    let _brain = scene.house.start();
    scene.up();
    scene.divert().unwrap();
    wait("the route", || scene.routed());
    absorber.signal("-TERM");
    let _ = absorber.ended();
    let _absorber = scene.absorber.start();
    wait("the conversation", || scene.shown()["state"] == "up" && scene.place()["state"] == "stands");
    wait("the route", || scene.routed());
    assert_eq!(scene.house.mitigations()[0]["peers"][0]["state"], "announced");
}

#[test]
fn an_absorber_whose_load_is_not_what_routers_send_is_found_and_left_out() {
    let ladder = "[routing.ladder]\nhold = \"5s\"\nsettle = \"1s\"\nsteps = [\"diversion\"]\n[dataplane]\nblind = true\n";
    let Some(scene) = Scene::new("lies", CAPACITY, &declared(), ladder) else { return };
    let _absorber = scene.absorber.start();
    let brain = scene.house.start();
    scene.up();
    let router = Router::start(brain.listen(0));
    router.flood(Flood::Forwarded);
    scene.divert().unwrap();
    wait("the route", || scene.routed());
    // It looks at no interface: by its own word nothing comes, while routers send half a million packets a second.
    wait("that it is found", || scene.shown()["state"] == "distrusted");
    let why = scene.shown()["reason"].as_str().unwrap().to_owned();
    assert!(why.contains("it says it receives 0 packets/s, but routers send it"), "{why}");
    wait("the route's end", || !scene.routed());
    let held = scene.house.mitigations().remove(0);
    assert!(held["peers"][0]["reason"].as_str().unwrap().contains("is left out"), "{held}");
}
