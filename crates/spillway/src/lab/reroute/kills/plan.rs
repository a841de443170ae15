//! When who is killed, drawn from a seed: the same seed, the same plan.

use std::time::Duration;

use sim::rng::Rng;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `spillway run`.
    Brain,
    /// `spillway absorb`, by its number.
    Absorber(u8),
    /// BIRD and its exporter, likewise.
    Edge(u8),
}

impl Part {
    /// As the report names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brain => "brain",
            Self::Absorber(1) => "absorber1",
            Self::Absorber(_) => "absorber2",
            Self::Edge(1) => "edge1",
            Self::Edge(_) => "edge2",
        }
    }
}

/// What goes on when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// Nobody attacks.
    Peace,
    /// An attack on the victim of this place begins; it is detected and diverted meanwhile, or given up.
    Begins(usize),
    /// Attacks on so many victims are diverted.
    Diverted(usize),
    /// The last victim is given up.
    Sacrificed,
    /// All attackers have stopped, and what was done is taken back.
    Released,
    /// Everything is as it was.
    After,
}

impl Moment {
    /// As the report names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Peace => "peace",
            Self::Begins(_) => "begins",
            Self::Diverted(_) => "diverted",
            Self::Sacrificed => "sacrificed",
            Self::Released => "released",
            Self::After => "after",
        }
    }

    /// How long after its begin somebody may be killed.
    const fn window(self) -> Duration {
        match self {
            // Detection takes one to two seconds, the way of an order another half.
            Self::Begins(_) => Duration::from_millis(4_000),
            // An attack is over after a minute of quiet; then it is tried whether it is.
            Self::Released => Duration::from_millis(80_000),
            Self::Peace | Self::Diverted(_) | Self::Sacrificed | Self::After => Duration::from_millis(1_500),
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    /// When.
    pub(crate) moment: Moment,
    /// So long after that began.
    pub(crate) after: Duration,
    /// Who.
    pub(crate) part: Part,
    /// Until it is started again.
    pub(crate) dead: Duration,
}

/// Moments of one round of attacks in the order in which a short plan takes them: those that cost little time first.
const MOMENTS: [Moment; 14] = [
    Moment::Begins(0),
    Moment::Diverted(1),
    Moment::Begins(2),
    Moment::Sacrificed,
    Moment::Diverted(2),
    Moment::Peace,
    Moment::Begins(1),
    Moment::Sacrificed,
    Moment::Diverted(2),
    Moment::Diverted(1),
    Moment::Sacrificed,
    Moment::Released,
    Moment::Released,
    Moment::After,
];
/// Each of them once before one comes again, and the brain twice.
const PARTS: [Part; 6] =
    [Part::Brain, Part::Brain, Part::Absorber(1), Part::Absorber(2), Part::Edge(1), Part::Edge(2)];
/// Of so many that are killed one stays dead for longer than the others wait for it.
const LONG: usize = 5;
/// A service manager starts a service again after a second, which takes it a while.
const SHORT: (u32, u32) = (300, 2_000);

/// How long a part stays dead where what it promised is to be seen ending.
pub(crate) const fn long(part: Part) -> Duration {
    match part {
        // Longer than routers keep routes and absorbers leases.
        Part::Brain => Duration::from_millis(22_500),
        // Longer than the brain bears its silence.
        Part::Absorber(_) => Duration::from_millis(9_000),
        // Longer than the hold time.
        Part::Edge(_) => Duration::from_millis(11_000),
    }
}

/// So many, in rounds; each round is in the order of time.
pub(crate) fn plan(count: usize, seed: u64) -> Vec<Vec<Kill>> {
    let mut rng = Rng::new(seed);
    let (mut parts, mut deaths) = (Deck::new(PARTS), Deck::new(std::array::from_fn::<_, LONG, _>(|n| n)));
    let mut rounds = Vec::new();
    let mut left = count;
    while left > 0 {
        let now = left.min(MOMENTS.len());
        left -= now;
        let draw = |moment: &Moment| {
            let part = parts.draw(&mut rng);
            let window = u32::try_from(moment.window().as_millis()).unwrap_or(u32::MAX);
            let after = Duration::from_millis(rng.range(0, window).into());
            let short = Duration::from_millis(rng.range(SHORT.0, SHORT.1).into());
            let dead = if deaths.draw(&mut rng) == 0 { long(part) } else { short };
            Kill { moment: *moment, after, part, dead }
        };
        let mut round: Vec<Kill> = MOMENTS.iter().take(now).map(draw).collect();
        round.sort_by_key(|kill| (kill.order(), kill.after));
        rounds.push(round);
    }
    rounds
}

impl Kill {
    /// Its place in a round.
    const fn order(&self) -> usize {
        match self.moment {
            Moment::Peace => 0,
            Moment::Begins(n) => 1 + 2 * n,
            Moment::Diverted(n) => 2 * n,
            Moment::Sacrificed => 6,
            Moment::Released => 7,
            Moment::After => 8,
        }
    }
}

/// Cards that all come before one comes again.
struct Deck<T, const N: usize> {
    cards: [T; N],
    left: usize,
}

impl<T: Copy, const N: usize> Deck<T, N> {
    const fn new(cards: [T; N]) -> Self {
        Self { cards, left: 0 }
    }

    #[expect(clippy::indexing_slicing, reason = "both places are below N, which is not 0")]
    fn draw(&mut self, rng: &mut Rng) -> T {
        if self.left == 0 {
            self.left = N;
        }
        let at = usize::try_from(rng.below(self.left as u64)).unwrap_or(0);
        self.left -= 1;
        self.cards.swap(at, self.left);
        self.cards[self.left]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_plan_and_another_is_another() {
        assert_eq!(plan(100, 7), plan(100, 7));
        assert_ne!(plan(100, 7), plan(100, 8));
        assert_eq!(plan(100, 7).iter().map(Vec::len).sum::<usize>(), 100);
        assert!(plan(0, 7).is_empty());
    }

    #[test]
    fn all_parts_are_killed_at_all_moments_and_rounds_are_in_the_order_of_time() {
        let rounds = plan(100, 1);
        let all: Vec<Kill> = rounds.iter().flatten().copied().collect();
        for part in PARTS {
            let of = |long_dead: bool| {
                all.iter().filter(|kill| kill.part == part && (kill.dead == long(part)) == long_dead).count()
            };
            assert!(of(true) >= 1 && of(false) >= 10, "{part:?}: {} and {}", of(true), of(false));
        }
        for moment in MOMENTS {
            assert!(all.iter().filter(|kill| kill.moment == moment).count() >= 7, "{moment:?}");
        }
        for round in &rounds {
            assert!(round.is_sorted_by_key(|kill| kill.order()), "{round:?}");
            assert!(round.iter().all(|kill| kill.after <= kill.moment.window()), "{round:?}");
        }
        // A diversion of two victims comes before the third is attacked.
        let at = |moment: Moment| rounds[0].iter().position(|kill| kill.moment == moment).unwrap();
        assert!(at(Moment::Begins(1)) < at(Moment::Diverted(2)));
        assert!(at(Moment::Diverted(2)) < at(Moment::Begins(2)));
        assert!(at(Moment::Begins(2)) < at(Moment::Sacrificed));
    }
}
