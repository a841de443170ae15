//! Random operations beside real daemons: whatever happened, their tables are the model at the end.

use std::collections::BTreeSet;

use sim::rng::Rng;

use super::daemons::{Daemon, Kind, Options};
use super::*;

const OPERATIONS: u32 = 10_000;
const HOSTS: u64 = 150;

fn host(rng: &mut Rng) -> String {
    let number = rng.below(HOSTS);
    if rng.chance(0.5) {
        format!("198.51.100.{number}/32")
    } else {
        format!("2001:db8:1::{}/128", number + 1)
    }
}

fn operate(kind: Kind) {
    let Some(mut daemon) = Daemon::start(kind, Options { restarts: true, ..Options::default() }) else {
        return;
    };
    let mut ours = neighbor(daemon.port);
    ours.settings.restart_time = Some(120);
    let mut speaker = started(ours.clone(), &daemon);
    ours.restarting = true;
    let (mut rng, mut wanted) = (Rng::new(9), BTreeSet::new());
    let (mut restarts, mut kills) = (0, 0);
    for operation in 0..OPERATIONS {
        let one = host(&mut rng);
        if rng.chance(0.6) {
            speaker.announce("peer", blackhole(&one)).unwrap();
            wanted.insert(one);
        } else {
            speaker.withdraw("peer", blackhole(&one).key, false).unwrap();
            wanted.remove(&one);
        }
        match operation % 2_500 {
            1_200 => {
                daemon.restart();
                restarts += 1;
            }
            2_400 => {
                // As after a crash: what the journal says is wanted again, and what it says no more is not.
                kills += 1;
                let farewell = Neighbor {
                    settings: Settings { on_stop: Farewell::Keep, ..ours.settings.clone() },
                    ..ours.clone()
                };
                drop(std::mem::replace(&mut speaker, Speaker::start(vec![farewell]).unwrap()));
                let routes = wanted.iter().map(|host| blackhole(host)).collect();
                assert_eq!(speaker.announce_all("peer", routes).unwrap(), []);
            }
            _ => {}
        }
        if operation % 100 == 0 {
            // Time for some of it to go by itself.
            std::thread::sleep(Duration::from_millis(rng.below(50)));
        }
        // A daemon that falls with routes on the way is suspected of them; a person lets them out.
        for (key, _) in status(&speaker).quarantine {
            let _ = speaker.release("peer", key);
        }
    }
    let mut model: Vec<String> = wanted.into_iter().collect();
    model.sort();
    let name = kind.name();
    wait(&format!("{name} has the model"), || {
        for (key, _) in status(&speaker).quarantine {
            let _ = speaker.release("peer", key);
        }
        daemon.view().blackholes == model
    });
    println!(
        "{name}: {OPERATIONS} operations, {restarts} restarts of it, {kills} of ours, {} routes",
        model.len()
    );
    assert!(model.len() > 50 && restarts == 4 && kills == 4);
}

#[test]
fn gobgpd_ends_with_what_is_wanted_after_ten_thousand_operations() {
    operate(Kind::Gobgp);
}

#[test]
fn bird_ends_with_what_is_wanted_after_ten_thousand_operations() {
    operate(Kind::Bird);
}
