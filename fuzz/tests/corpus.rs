//! The fixed corpus: what `make test` runs of the fuzz targets, and inputs that broke something once.

#[cfg(test)]
mod corpus {
    use fuzz::rng::Rng;
    use fuzz::{TARGETS, mutate, session};

    /// Inputs mutated from the seeds with a fixed seed, besides the systematic ones.
    const MUTATED: usize = 2_000;

    #[test]
    fn seeds_their_cuts_and_their_damages_break_nothing() {
        std::thread::scope(|scope| {
            for target in TARGETS {
                scope.spawn(move || walk(target));
            }
        });
    }

    #[test]
    fn every_target_has_seeds_that_decode() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(seeds.len() >= 3, "{}", target.name);
            let decoded = seeds.iter().filter(|seed| (target.run)(seed).decoded > 0).count();
            // templates alone decode to nothing: of the recorded v9 datagrams most are templates
            assert!(6 * decoded >= seeds.len(), "{}: {decoded} of {} seeds decode", target.name, seeds.len());
        }
    }

    #[test]
    fn a_session_is_its_seed() {
        let target = TARGETS.first().unwrap();
        let seeds = (target.seeds)();
        let walk = |seed| {
            let mut rng = Rng::new(seed);
            let mut input = seeds.first().unwrap().clone();
            (0..50).for_each(|_| mutate::mutate(&mut rng, &mut input, &seeds));
            input
        };
        assert_eq!(walk(1), walk(1));
        assert_ne!(walk(1), walk(2));
    }

    fn walk(target: &fuzz::Target) {
        let try_one = |input: &[u8]| {
            if let Err(what) = session::attempt(target, input) {
                panic!("{}: {what}: input {}", target.name, hex(input));
            }
        };
        let seeds = (target.seeds)();
        try_one(&[]);
        for seed in &seeds {
            // short ones wholly, long ones at steps, so that a walk stays a second or two
            let step = 1 + seed.len() / 256;
            for cut in (0..=seed.len()).step_by(step) {
                try_one(&seed[..cut]);
            }
            for at in (0..seed.len()).step_by(step) {
                for with in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = seed.clone();
                    damaged[at] = with;
                    try_one(&damaged);
                }
            }
        }
        let mut rng = Rng::new(7);
        for _ in 0..MUTATED {
            let mut input = rng.pick(&seeds).cloned().unwrap_or_default();
            mutate::mutate(&mut rng, &mut input, &seeds);
            try_one(&input);
        }
    }

    fn hex(input: &[u8]) -> String {
        input.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}
