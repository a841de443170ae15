//! Sets take turns while packets run: none is lost, none is judged by half a set.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use dataplane::{Clock, Plane, Policy};
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane_with};
use crate::make::udp;

/// Packets at once, between two looks at whether the sets have taken turns often enough.
const BATCH: u32 = 20_000;
const PACKETS: u64 = 1_000_000;
const TURNS: u32 = 200;

fn policy(id: &str, more: usize) -> Policy {
    // The packet is dropped by the last rule of each set, after others that do not match it.
    let mut text: String = (0..more).map(|n| format!("x{n} proto tcp dst-port {n} -> pass\n")).collect();
    text.push_str(&format!("{id} proto udp -> drop\n"));
    Policy { rules: RuleSet::new(parse::rules(&text).unwrap()), ..Policy::default() }
}

fn dropped(plane: &Plane) -> (u64, u64) {
    let leaves = plane.leaves().unwrap();
    let all = leaves.iter().map(|leave| leave.packets).sum();
    (leaves.iter().find(|leave| leave.place == "dropped").unwrap().packets, all)
}

#[test]
fn a_million_packets_under_two_hundred_turns_are_all_judged_and_counted() {
    let Some(plane) = plane_with(Clock::Kernel) else { return };
    let policies = [policy("a", 0), policy("b", 40), policy("c", 7)];
    plane.install(&policies[0]).unwrap();
    let (turns, done) = (AtomicU32::new(0), AtomicBool::new(false));
    let frame = frame(&udp().bytes());
    let mut sent = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for policy in policies.iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                plane.install(policy).unwrap();
                turns.fetch_add(1, Ordering::Relaxed);
            }
        });
        while sent < PACKETS || turns.load(Ordering::Relaxed) < TURNS {
            sys::bpf::live_frames(plane.entry().as_fd(), &frame, BATCH).unwrap();
            sent += u64::from(BATCH);
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{sent} packets, {} turns", turns.load(Ordering::Relaxed));
    assert_eq!(dropped(&plane), (sent, sent));
}
