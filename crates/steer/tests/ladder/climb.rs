//! Up at once, down slowly.

use base::{Span, Timestamp};
use proptest::prelude::*;
use steer::hold::Settings;
use steer::ladder::{Choice, Climb, Look, Mode, Order, Plan, Step};

use crate::town::{Town, at};

const HOUR: Span = Span::from_secs(3600);

/// A choice of this step.
fn choice(step: Step) -> Choice {
    let mut choice = Town::new().choose();
    if let Some(Plan { step: chosen, .. }) = &mut choice.plan {
        *chosen = step;
    }
    choice
}

struct Walk {
    choices: [Choice; 4],
    climb: Climb,
    now: u64,
    /// How large the attack is shows.
    sized: bool,
    changes: Vec<Timestamp>,
}

impl Walk {
    fn new() -> Self {
        let choices = Step::ALL.map(choice);
        Self { choices, climb: Climb::new(Settings::default()), now: 0, sized: false, changes: Vec::new() }
    }

    fn look(&mut self, step: Step, attacked: bool, seen: bool, mode: Mode) -> Option<Order> {
        let choice =
            self.choices.iter_mut().find(|c| c.plan.as_ref().is_some_and(|p| p.step == step)).unwrap();
        choice.mode = mode;
        let order = self
            .climb
            .handle(at(self.now), &Look { choice, agreed: false, attacked, seen, sized: self.sized });
        if order.is_some() {
            self.changes.push(at(self.now));
        }
        self.now += 10;
        order
    }

    /// The same look until something is ordered: what, and after how many seconds.
    fn until(&mut self, step: Step, attacked: bool, seen: bool) -> (Order, u64) {
        let from = self.now;
        let found = (0..10_000).find_map(|_| self.look(step, attacked, seen, Mode::Enforce));
        (found.unwrap(), self.now - from)
    }
}

#[test]
fn up_at_once_and_down_when_less_suffices_for_long() {
    let mut walk = Walk::new();
    assert_eq!(walk.look(Step::Kernel, true, true, Mode::Enforce), Some(Order::Take(Step::Kernel)));
    assert_eq!(walk.look(Step::Flowspec, true, true, Mode::Enforce), Some(Order::Take(Step::Flowspec)));
    // For a moment less would do; that is no reason to go down.
    for _ in 0..20 {
        assert_eq!(walk.look(Step::Kernel, true, true, Mode::Enforce), None);
    }
    assert_eq!(walk.look(Step::Flowspec, true, true, Mode::Enforce), None);
    assert_eq!(walk.until(Step::Kernel, true, true), (Order::Lower(Some(Step::Kernel)), 300));
    // It comes back: the next time it takes twice as long.
    assert_eq!(walk.look(Step::Flowspec, true, true, Mode::Enforce), Some(Order::Take(Step::Flowspec)));
    assert_eq!(walk.climb.wait(), Span::from_secs(600));
    assert_eq!(walk.until(Step::Kernel, false, true), (Order::Lower(None), 590));
    assert_eq!(walk.climb.at(), None);
}

#[test]
fn a_blackhole_ends_by_a_part_first_and_silence_ends_no_filter() {
    let mut walk = Walk::new();
    assert_eq!(walk.until(Step::Blackhole, true, true).0, Order::Take(Step::Blackhole));
    // Nobody sees anything behind it.
    assert_eq!(walk.until(Step::Blackhole, false, false), (Order::Probe(Step::Blackhole), 300));
    assert_eq!(walk.until(Step::Kernel, true, true), (Order::Take(Step::Blackhole), 10));
    assert_eq!(walk.until(Step::Blackhole, false, false), (Order::Probe(Step::Blackhole), 600));
    assert_eq!(walk.until(Step::Blackhole, false, true), (Order::Lower(None), 60));
    let mut walk = Walk::new();
    assert_eq!(walk.until(Step::Kernel, true, true).0, Order::Take(Step::Kernel));
    for _ in 0..10_000 {
        assert_eq!(walk.look(Step::Kernel, false, false, Mode::Enforce), None);
    }
}

#[test]
fn a_blackhole_gives_way_to_a_gentler_step_that_suffices_while_the_attack_goes_on() {
    let mut walk = Walk::new();
    assert_eq!(walk.until(Step::Blackhole, true, true).0, Order::Take(Step::Blackhole));
    assert_eq!(walk.until(Step::Diversion, true, true), (Order::Lower(Some(Step::Diversion)), 300));
    assert_eq!(walk.climb.at(), Some(Step::Diversion));
    // That is held in its turn, and tried by a part when it is quiet.
    for _ in 0..100 {
        assert_eq!(walk.look(Step::Diversion, true, true, Mode::Enforce), None);
    }
    assert_eq!(walk.until(Step::Diversion, false, true).0, Order::Probe(Step::Diversion));
}

#[test]
fn what_is_only_proposed_is_not_climbed_until_somebody_agrees() {
    let mut walk = Walk::new();
    assert_eq!(walk.look(Step::Blackhole, true, true, Mode::Suggest), None);
    assert_eq!(walk.climb.at(), None);
    assert_eq!(walk.look(Step::Kernel, true, true, Mode::Enforce), Some(Order::Take(Step::Kernel)));
    // A larger step that waits for somebody is no reason to give up the smaller one.
    for _ in 0..100 {
        assert_eq!(walk.look(Step::Blackhole, true, true, Mode::Suggest), None);
    }
    let choice = Choice { mode: Mode::Suggest, person: true, ..choice(Step::Blackhole) };
    let look = Look { choice: &choice, agreed: true, attacked: true, seen: true, sized: false };
    assert_eq!(walk.climb.handle(at(walk.now), &look), Some(Order::Take(Step::Blackhole)));
    let asks = Choice { mode: Mode::Enforce, person: true, ..choice.clone() };
    let mut climb = Climb::new(Settings::default());
    assert_eq!(
        climb.handle(at(0), &Look { choice: &asks, agreed: false, attacked: true, seen: true, sized: false }),
        None
    );
}

#[test]
fn a_restart_forgets_no_doubling() {
    let mut walk = Walk::new();
    assert_eq!(walk.until(Step::Kernel, true, true).0, Order::Take(Step::Kernel));
    assert_eq!(walk.until(Step::Kernel, false, true), (Order::Lower(None), 300));
    assert_eq!(walk.until(Step::Kernel, true, true).0, Order::Take(Step::Kernel));
    let written = serde_json::to_string(&walk.climb).unwrap();
    let read: Climb = serde_json::from_str(&written).unwrap();
    assert_eq!(read, walk.climb);
    walk.climb = read;
    // Twice 300 seconds from the look that took it.
    assert_eq!(walk.until(Step::Kernel, false, true), (Order::Lower(None), 590));
}

proptest! {
    #[test]
    fn no_attacker_makes_the_ladder_flap(
        looks in prop::collection::vec((0_usize..4, any::<bool>(), any::<bool>(), 1_usize..60), 1..300),
    ) {
        let mut walk = Walk::new();
        let mut stands: Option<Step> = None;
        for (step, attacked, seen, times) in looks {
            for _ in 0..times {
                match walk.look(Step::ALL[step], attacked, seen, Mode::Enforce) {
                    Some(Order::Take(step)) => stands = Some(step),
                    Some(Order::Lower(step)) => {
                        prop_assert!(step < stands, "down goes down");
                        stands = step;
                    }
                    Some(Order::Probe(step)) => prop_assert_eq!(Some(step), stands),
                    None => {}
                }
                prop_assert_eq!(walk.climb.at(), stands);
                // An attack that is seen and needs a step has it at once.
                prop_assert!(!attacked || stands >= Some(Step::ALL[step]));
            }
        }
        for then in &walk.changes {
            let within = walk.changes.iter().filter(|other| *other >= then && other.since(*then) < HOUR).count();
            prop_assert!(within <= 16, "{within} changes within an hour");
        }
    }
}
