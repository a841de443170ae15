//! How soon, how surely and at what price attacks are found.

use crate::run::{Outcome, command, filtered, finish, yielding_cargo};

/// The quick run in the tests' profile, the whole in release.
pub(crate) fn run(args: &[String]) -> Outcome {
    let profile = if args.iter().any(|arg| arg == "--quick") { "ci" } else { "release" };
    finish(command("cargo", &RUN).args([profile, "--package", "evaluation", "--"]).args(args))
}

/// The quick run by the same build as the tests, and beside them; of its lines only what is broken.
pub(crate) fn quick() -> Outcome {
    let mut quick = yielding_cargo(&RUN);
    quick.args(["ci", "--package", "evaluation", "--", "--quick"]);
    if filtered(&mut quick, |line| line.starts_with("evaluate:") || line.starts_with("  "))? {
        Ok(())
    } else {
        Err("the evaluation is broken; `cargo xtask evaluate --quick` shows all of it".to_owned())
    }
}

const RUN: [&str; 4] = ["run", "--quiet", "--locked", "--profile"];
