//! Each decoder under mutated input.

use crate::run::{Outcome, command, finish};

/// Seconds for each target when nobody says.
const SECONDS: &str = "60";

pub(crate) fn run(args: &[String]) -> Outcome {
    let (seconds, targets) = match args.split_first() {
        Some((first, rest)) if first.parse::<u32>().is_ok() => (first.as_str(), rest),
        _ => (SECONDS, args),
    };
    let mut line = vec!["run", "--quiet", "--locked", "--profile", "ci", "--package", "fuzz", "--", seconds];
    line.extend(targets.iter().map(String::as_str));
    finish(&mut command("cargo", &line))
}
