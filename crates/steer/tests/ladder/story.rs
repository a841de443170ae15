//! All of it together: a router that takes rules and installs none, an absorber that works, an attack that ends.

use base::{Span, Timestamp};
use steer::effect::{Fate, Place, Seen, Verdict, Watch};
use steer::hold::Settings;
use steer::ladder::{Climb, InForce, Look, Order, Step};

use crate::town::{Town, at};

/// Packets a second of the attack.
const ATTACK: u64 = 750_000;
/// Seconds between two looks.
const LOOK: u64 = 5;
const PATIENCE: Span = Span::from_secs(120);

/// What stands in the way of the attack, and what that does.
#[derive(Default)]
struct Network {
    in_force: Vec<(Step, Watch)>,
    /// Steps that act when they are in force.
    work: Vec<Step>,
}

impl Network {
    /// Ends the others; the strongest that is left is judged anew.
    fn keep(&mut self, now: Timestamp, kept: impl Fn(Step) -> bool) {
        self.in_force.retain(|(step, _)| kept(*step));
        if let Some((_, watch)) = self.in_force.iter_mut().max_by_key(|(step, _)| *step) {
            watch.uncovered(now);
        }
    }

    /// What of the attack comes through.
    fn left(&self, attack: u64) -> u64 {
        let is_stopped = self.in_force.iter().any(|(step, _)| self.work.contains(step));
        if is_stopped { 0 } else { attack }
    }
}

/// Runs an attack of ten minutes: orders, with their seconds.
fn play(work: &[Step], telemetry: bool) -> Vec<(u64, Order)> {
    let mut town = Town::under(3000.0);
    let mut network = Network { work: work.to_vec(), ..Network::default() };
    let mut rolling = Watch::new(Span::from_secs(30), Span::from_secs(10));
    let mut climb = Climb::new(Settings::default());
    let mut orders = Vec::new();
    for now in (0..3000).step_by(5) {
        let attack = if (60..660).contains(&now) { ATTACK * LOOK } else { 0 };
        let left = network.left(attack);
        let seen = |packets| Seen { packets, sampled: packets / 1000, fate: Fate::Unknown };
        for watch in network.in_force.iter_mut().map(|(_, watch)| watch).chain([&mut rolling]) {
            // The border and the absorber together see the attack as it is; behind them is what comes through.
            watch.see(at(now), "border", Place::Before, seen(attack));
            if telemetry {
                watch.see(at(now), "router 2", Place::Behind, seen(left));
            }
        }
        town.in_force = Vec::new();
        for (step, watch) in &mut network.in_force {
            let judged =
                watch.judge(at(now), 1.0, PATIENCE).map_or(Verdict::Pending, |judged| judged.verdict);
            town.in_force.push(InForce::new(*step, judged));
        }
        let choice = town.choose();
        let look = Look { choice: &choice, agreed: false, attacked: attack > 0, seen: true, sized: false };
        let Some(order) = climb.handle(at(now), &look) else { continue };
        orders.push((now, order));
        match order {
            Order::Take(step) => {
                let mut watch = rolling.clone();
                watch.announced(at(now));
                network.in_force.retain(|(held, _)| *held != step);
                network.in_force.iter_mut().for_each(|(_, lower)| lower.covered(at(now), 1.0, PATIENCE));
                network.in_force.push((step, watch));
            }
            Order::Probe(step) => network.keep(at(now), |held| held != step),
            Order::Lower(to) => network.keep(at(now), |held| Some(held) <= to),
        }
    }
    orders
}

#[test]
fn rules_that_a_router_does_not_install_lead_to_the_next_step_and_all_ends_when_the_attack_does() {
    let orders = play(&[Step::Diversion, Step::Blackhole], true);
    let steps: Vec<Order> = orders.iter().map(|(_, order)| *order).collect();
    let up = [Order::Take(Step::Flowspec), Order::Take(Step::Diversion)];
    assert_eq!(steps, [up[0], up[1], Order::Probe(Step::Diversion), Order::Lower(None)], "{orders:?}");
    // It is known within half a minute that the rules do nothing.
    let seconds: Vec<u64> = orders.iter().map(|(second, _)| *second).collect();
    assert!(seconds[0] == 60 && seconds[1] <= 90, "{seconds:?}");
    // Five minutes of quiet after its end, and a minute with a part let through.
    assert!((955..970).contains(&seconds[2]) && (1015..1040).contains(&seconds[3]), "{seconds:?}");
}

#[test]
fn rules_that_work_are_enough() {
    let orders = play(&[Step::Flowspec], true);
    let steps: Vec<Order> = orders.iter().map(|(_, order)| *order).collect();
    assert_eq!(steps, [Order::Take(Step::Flowspec), Order::Lower(None)], "{orders:?}");
}

#[test]
fn what_nobody_sees_behind_it_leads_nowhere_by_itself() {
    // The rules do nothing, and nobody looks where that would show.
    let orders = play(&[], false);
    let steps: Vec<Order> = orders.iter().map(|(_, order)| *order).collect();
    assert_eq!(steps, [Order::Take(Step::Flowspec), Order::Lower(None)], "{orders:?}");
}
