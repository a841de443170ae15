//! What is amiss with the daemon itself, told like attacks.

use std::io::Read as _;

use serde_json::Value;

use super::Receiver;
use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::{Scratch, spillway};

#[test]
fn what_is_amiss_and_configurations_are_told_and_a_reload_changes_channels() {
    let scratch = Scratch::new("notify-troubles");
    let Some(far) = Receiver::start(&scratch) else { return };
    let more = |path: &str, free: &str| {
        format!(
            "[notify.hook]\nkind = \"webhook\"\nurl = \"{}\"\ngroup_wait = \"100ms\"\n\
             events = [\"trouble_started\", \"trouble_ended\", \"configuration_taken\", \"configuration_refused\"]\n\
             [notify.attacks]\nkind = \"webhook\"\nurl = \"{}\"\n[history]\nmin_free = \"{free}\"\n",
            far.url(path),
            far.url("/attacks")
        )
    };
    let file = config(&scratch, "", &more("/first", "1048576 GiB"));
    let daemon = Daemon::start(&file);
    // (kind, what it is about)
    let heard = |path: &str| -> Vec<(String, String)> {
        let all = far.got(path);
        assert!(all.iter().all(|one| one["wrong"] == ""), "{all:?}");
        let events = all.iter().flat_map(|one| one["body"]["events"].as_array().unwrap().clone());
        let about = |event: &Value| {
            event["trouble"]["id"].as_str().or_else(|| event["note"].as_str()).unwrap_or("").to_owned()
        };
        events.map(|event| (event["kind"].as_str().unwrap().to_owned(), about(&event))).collect()
    };
    let has = |path: &str, kind: &str, about: &str| {
        wait(&format!("{kind} {about}"), || {
            heard(path).into_iter().find(|(a, b)| a == kind && b.contains(about))
        })
    };
    has("/first", "trouble_started", "disk");
    // The way changes with a reload, and what was told as amiss is told as well again on the new one.
    config(&scratch, "", &more("/second", "1 MiB"));
    assert!(spillway(["control", "reload", "-c", &file]).status.success());
    has("/second", "trouble_ended", "disk");
    let all = [heard("/first"), heard("/second")].concat();
    assert!(all.iter().any(|(kind, _)| kind == "configuration_taken"), "{all:?}");
    config(&scratch, "netwroks = []", &more("/second", "1 MiB"));
    daemon.signal("-HUP");
    let (_, why) = has("/second", "configuration_refused", "stays in force");
    assert!(why.contains("did you mean `networks`"), "{why}");
    assert!(far.got("/attacks").is_empty(), "who hears of attacks alone hears nothing of it");
}

#[test]
fn a_ledger_that_cannot_be_written_is_said_by_readyz_and_told_until_it_can_be_again() {
    let scratch = Scratch::new("notify-ledger");
    let Some(far) = Receiver::start(&scratch) else { return };
    let more = format!(
        "[notify.hook]\nkind = \"webhook\"\nurl = \"{}\"\ngroup_wait = \"100ms\"\nevents = [\"trouble_started\", \"trouble_ended\"]\n",
        far.url("/ok")
    );
    let file = config(&scratch, "", &more);
    let ledger = scratch.path("state/ledger");
    let Some((daemon, inside)) = Daemon::in_tmpfs(&file, &ledger, 256) else { return };
    let ballast = inside.join("ballast");
    wait("the first entry", || (daemon.sum("spillway_ledger_size") >= 1.0).then_some(()));
    let mut zeroes = std::io::repeat(0).take(1 << 20);
    std::io::copy(&mut zeroes, &mut std::fs::File::create(&ballast).unwrap()).unwrap_err();
    config(&scratch, "mode = \"suggest\"", &more);
    assert!(spillway(["control", "reload", "-c", &file]).status.success());
    wait("readyz", || {
        let (status, text) = daemon.get("/readyz");
        (status == 200 && text.contains("the ledger cannot be written") && text.contains("No space left"))
            .then_some(())
    });
    let told = |kind: &str| {
        wait(kind, || {
            let mut events =
                far.got("/ok").into_iter().flat_map(|one| one["body"]["events"].as_array().unwrap().clone());
            events.find(|event| event["kind"] == kind && event["trouble"]["what"] == "ledger")
        })
    };
    told("trouble_started");
    attacked(&daemon);
    std::fs::remove_file(&ballast).unwrap();
    let over = told("trouble_ended");
    assert!(over["trouble"]["text"].as_str().unwrap().contains("the ledger cannot be written"), "{over}");
    wait("readyz", || (!daemon.get("/readyz").1.contains("ledger")).then_some(()));
}
