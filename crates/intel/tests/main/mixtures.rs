//! Verdicts and spoof shares on labelled mixtures: who is named, who never is, and how sure shares are.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use base::map::Seed;
use intel::dossier::{Dossier, Incident, Reporter};
use intel::enrich::{Enrich, Nothing};
use intel::finding::{Class, Verified};
use intel::{Observer, Rules, Scope};
use sim::rng::Rng;

use crate::mixture::{Mixture, Real, Recipe, VECTORS, target};

pub(crate) fn incident(v4: bool) -> Incident {
    let prefix = base::Prefix::host(target(v4));
    Incident {
        id: "0011223344556677".into(),
        target: prefix,
        targets: vec![prefix],
        outgoing: false,
        started: Timestamp::from_secs(1_700_000_000),
        detected: Timestamp::from_secs(1_700_000_001),
        last: Timestamp::from_secs(1_700_000_010),
        over: true,
        peak_pps: 0,
        peak_bps: 0,
        packets: 0,
        bytes: 0,
        sampling: Some(1),
        vectors: Vec::new(),
        rules: Vec::new(),
        source_count: 0,
        ingress: Vec::new(),
    }
}

pub(crate) fn scope(vectors: &[&str]) -> Scope {
    Scope {
        vectors: vectors.iter().map(ToString::to_string).collect(),
        started: Timestamp::from_secs(1_700_000_000),
        culprits: Vec::new(),
        proven: Vec::new(),
        sources_max: intel::table::SOURCES_MAX,
        key: 7,
        seed: Seed::default(),
    }
}

fn dossier(mixture: &Mixture, v4: bool, rules: &Arc<Rules>) -> Dossier {
    dossier_by(mixture, v4, rules, &Nothing)
}

/// What is said of a mixture by somebody who knows this.
pub(crate) fn dossier_by(mixture: &Mixture, v4: bool, rules: &Arc<Rules>, enrich: &dyn Enrich) -> Dossier {
    let mut observer = Observer::new(Arc::clone(rules), scope(&VECTORS));
    mixture.show(
        |packet, vector, inbound| {
            if inbound { observer.receive(packet, vector) } else { observer.answer(packet) }
        },
    );
    observer.conclude(incident(v4), Reporter::default(), enrich)
}

/// What verdicts were right, by what sources really are.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) told: BTreeMap<(Real, Class), u64>,
    /// Forged or honest sources that a report could name.
    pub(crate) false_reports: Vec<String>,
    squares: f64,
    judged: f64,
}

impl Score {
    pub(crate) fn add(&mut self, mixture: &Mixture, dossier: &Dossier) {
        for finding in &dossier.findings {
            let Some(real) = mixture.truth.get(&finding.address) else { continue };
            *self.told.entry((*real, finding.class)).or_default() += 1;
            let named = match finding.verified() {
                None => None,
                Some(Verified::Reflector(_)) => (*real != Real::Reflector).then_some("reflector"),
                Some(Verified::Bot(_) | Verified::Real(_)) => {
                    (!matches!(real, Real::Bot | Real::ProvenBot)).then_some("sender")
                }
            };
            if let Some(named) = named {
                self.false_reports.push(format!("{} is {real:?}, named as {named}", finding.address));
            }
            let forged = match finding.class {
                Class::Spoofed => finding.confidence,
                Class::Unknown => 0.5,
                _ => 1.0 - finding.confidence,
            };
            let off = forged - f64::from(u8::from(*real == Real::Forged));
            self.squares += off * off;
            self.judged += 1.0;
        }
    }

    fn share(&self, real: Real, class: Class, of: u64) -> f64 {
        self.told.get(&(real, class)).copied().unwrap_or(0) as f64 / of as f64
    }
}

pub(crate) fn recipe(rng: &mut Rng) -> Recipe {
    let sources = 10_000;
    let forged = rng.range(1_000, 9_000);
    // In every third world a part of the addresses is taken from a list of real networks.
    let listed = if rng.chance(0.33) { forged / 4 } else { 0 };
    // In half of the others nothing tells but that some addresses are nobody's.
    let hidden = listed == 0 && rng.chance(0.75);
    let proven = rng.range(50, 300);
    Recipe {
        forged,
        listed,
        bots: sources - forged - proven,
        proven,
        reflectors: 300,
        honest: 300,
        v4: true,
        hidden,
    }
}

/// Seeds of the claim about intervals; 91 % is what 95 % may come to in so many, three deviations below.
const SEEDS: u64 = 200;

#[test]
fn verdicts_and_shares_are_right_on_labelled_mixtures() {
    let rules = Arc::new(Rules::embedded().unwrap());
    let mut score = Score::default();
    let (mut inside, mut widths, mut misses) = (0, Vec::new(), Vec::new());
    let mut many: BTreeMap<Real, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let recipe = recipe(&mut Rng::part(seed, 0x7265_6369));
        let mixture = Mixture::of(&recipe, seed);
        let dossier = dossier(&mixture, true, &rules);
        mixture.truth.values().for_each(|real| *many.entry(*real).or_default() += 1);
        score.add(&mixture, &dossier);
        let share = dossier.incident.vectors[0].spoofed.unwrap();
        let truth = f64::from(recipe.forged) / f64::from(recipe.forged + recipe.bots + recipe.proven);
        if (share.low..=share.high).contains(&truth) {
            inside += 1;
        } else {
            misses.push(format!("{seed}: {truth:.3} not in {:.3}..{:.3}, {recipe:?}", share.low, share.high));
        }
        widths.push(share.high - share.low);
    }
    widths.sort_by(f64::total_cmp);
    let median = widths[widths.len() / 2];
    let of = |real| many[&real];
    let bots = score.share(Real::ProvenBot, Class::Bot, of(Real::ProvenBot));
    let reflectors = score.share(Real::Reflector, Class::Reflector, of(Real::Reflector));
    let honest = score.share(Real::Honest, Class::Legitimate, of(Real::Honest));
    println!("verdicts: {:?}", score.told);
    println!("inside {inside} of {SEEDS}, median width {median:.3}, widest {:.3}", widths[widths.len() - 1]);
    println!("bots {bots:.4} reflectors {reflectors:.4} honest {honest:.4}");
    println!("Brier score {:.4} over {} sources", score.squares / score.judged, score.judged);
    assert!(
        score.false_reports.is_empty(),
        "{:#?}",
        &score.false_reports[..score.false_reports.len().min(9)]
    );
    assert!(inside * 100 >= SEEDS * 91, "{inside}: {misses:#?}");
    assert!(median <= 0.10 && widths[widths.len() - 1] <= 0.12, "{widths:?}");
    assert!(reflectors >= 0.99 && bots >= 0.95 && honest >= 0.80);
}

#[test]
fn forged_sources_of_ipv6_arrive_in_one_way_and_nobody_is_named_for_them() {
    let rules = Arc::new(Rules::embedded().unwrap());
    let mut score = Score::default();
    let recipe = Recipe {
        forged: 4_000,
        listed: 0,
        bots: 0,
        proven: 60,
        reflectors: 300,
        honest: 300,
        v4: false,
        hidden: false,
    };
    let mixture = Mixture::of(&recipe, 3);
    let dossier = dossier(&mixture, false, &rules);
    score.add(&mixture, &dossier);
    assert!(score.false_reports.is_empty(), "{:#?}", score.false_reports);
    let forged = score.share(Real::Forged, Class::Spoofed, 4_000);
    assert!(forged >= 0.95, "{:?}", score.told);
    assert!(score.share(Real::Reflector, Class::Reflector, 300) >= 0.99);
    assert!(score.share(Real::Honest, Class::Legitimate, 300) >= 0.80);
    assert!(dossier.incident.vectors[0].spoofed.unwrap().high >= 0.98);
}
