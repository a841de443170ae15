//! A minute on one target.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::measure::Outcome;
use crate::mutate::mutate;
use crate::rng::Rng;
use crate::targets::Target;

/// Inputs kept for further mutation; when full, a new one takes the place of a chosen old one that is no seed.
const CORPUS_MAX: usize = 4096;

/// What a session did.
#[derive(Debug)]
pub struct Session {
    /// Inputs tried.
    pub tried: u64,
    /// Different outcomes seen.
    pub outcomes: usize,
    /// The first input that broke something, made as short as it stays broken, and what it broke.
    pub broken: Option<(Vec<u8>, String)>,
}

/// Mutates and runs until `time` is over or something breaks.
pub fn run(target: &Target, seed: u64, time: Duration) -> Session {
    let mut rng = Rng::new(seed);
    let mut corpus = (target.seeds)();
    let fixed = corpus.len();
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut tried = 0;
    let begun = Instant::now();
    while begun.elapsed() < time {
        // a look at the clock costs as much as a short input
        for _ in 0..64 {
            let mut input = rng.pick(&corpus).cloned().unwrap_or_default();
            mutate(&mut rng, &mut input, &corpus);
            tried += 1;
            match attempt(target, &input) {
                Ok(outcome) => {
                    let seen = outcomes.entry(outcome).or_default();
                    *seen += 1;
                    if *seen == 1 {
                        keep(&mut corpus, fixed, &mut rng, input);
                    }
                }
                Err(what) => {
                    let input = shortened(target, input);
                    return Session { tried, outcomes: outcomes.len(), broken: Some((input, what)) };
                }
            }
        }
    }
    Session { tried, outcomes: outcomes.len(), broken: None }
}

/// Runs one input; the error says what broke.
pub fn attempt(target: &Target, input: &[u8]) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

fn keep(corpus: &mut Vec<Vec<u8>>, fixed: usize, rng: &mut Rng, input: Vec<u8>) {
    if corpus.len() < CORPUS_MAX {
        corpus.push(input);
    } else {
        let at = fixed + rng.below(corpus.len().saturating_sub(fixed));
        if let Some(place) = corpus.get_mut(at) {
            *place = input;
        }
    }
}

/// Cuts pieces away while it still breaks.
fn shortened(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut shorter = input.clone();
            shorter.drain(at..(at + piece).min(input.len()));
            if attempt(target, &shorter).is_err() {
                input = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}
