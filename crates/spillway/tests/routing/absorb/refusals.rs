//! Who is not let in, and what is not taken.

use super::*;

fn refused(name: &str, top: &str, prefixes: &str, words: &[&str]) {
    let Some(scene) = Scene::new(name, top, prefixes, "") else { return };
    let _absorber = scene.absorber.start();
    let _brain = scene.house.start();
    scene.up();
    let why = scene.divert().unwrap_err();
    for word in words {
        assert!(why.contains(word), "{word}: {why}");
    }
    assert!(!scene.routed());
    assert!(scene.house.mitigations().is_empty());
    let history = scene.house.route(&["history"]).unwrap().to_string();
    assert!(history.contains(words[0]), "it stands in the journal: {history}");
}

#[test]
fn what_the_owner_did_not_declare_is_refused() {
    refused(
        "declared",
        CAPACITY,
        "[prefixes.\"203.0.113.0/24\"]\n",
        &["198.51.100.0/24 is not declared at `declared`"],
    );
}

#[test]
fn a_full_absorber_refuses_and_says_how_full_it_is() {
    let top = format!("{CAPACITY}\nheld = 0");
    refused("full", &top, &declared(), &["`full` holds 0 prefixes already, as many as it may"]);
}

#[test]
fn a_wrong_key_is_refused_at_either_end_and_named() {
    let Some(scene) = Scene::new("keys", CAPACITY, &declared(), "") else { return };
    let absorber = scene.absorber.start();
    // The brain has another key than the absorber knows.
    let ours = key(&scene.house.path("state/other.key"));
    std::fs::rename(scene.house.path("state/other.key"), scene.house.path("state/absorbers.key")).unwrap();
    let brain = scene.house.start();
    wait("the refusal", || {
        scene.shown()["reason"].as_str().is_some_and(|why| !why.contains("not reached yet"))
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(scene.shown()["state"], "down");
    drop(brain);
    absorber.signal("-TERM");
    let (_, errors) = absorber.ended();
    assert!(
        errors.contains(&format!("the other end has the key {ours}, which is not known here")),
        "{errors}"
    );
    // The absorber has another key than the brain knows.
    std::fs::remove_file(scene.absorber.scratch.path("key")).unwrap();
    let theirs = key(&scene.absorber.scratch.path("key"));
    let _absorber = scene.absorber.start();
    let _brain = scene.house.start();
    wait("the refusal", || {
        scene.shown()["reason"].as_str().is_some_and(|why| why.contains(&format!("has the key {theirs}")))
    });
    assert!(scene.divert().unwrap_err().contains(&theirs));
}
