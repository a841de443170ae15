//! The house's own tool: `cargo xtask COMMAND`. The Makefile is a thin door to it.
//!
//! It runs other programs and reports; it knows nothing of traffic.

mod bench;
mod check;
mod crates;
mod deb;
mod evaluate;
mod fuzz;
mod run;
mod setup;
mod test;
mod times;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND
  check           format, types, lints (quick, dev profile)
  test | ci       everything: set-up, format, build with lints, doctests, tests
  setup GROUP…    Debian packages of scripts/apt-GROUP.txt
  crates          number of crates in the default build, and the newcomers since main
  deb [PROFILE]   the Debian package (release), by cargo-deb in target/tools
  times           what each part of the last `test` took
  fuzz [SECONDS] [TARGET…]   each decoder under mutated input (60 seconds each)
  bench [decode|replay|peers]… [--write]   figures beside the peers'; --write puts them into BENCH.md
  evaluate [--quick] [--only NAME]… [--write]   delays, false alarms, collateral; --write puts them into EVALUATION.md";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match command {
        "check" => check::run(),
        "test" | "ci" => test::run(rest),
        "setup" => setup::run(rest),
        "crates" => crates::run(),
        "deb" => deb::run(rest),
        "times" => times::print(),
        "bench" => bench::run(rest),
        "bench-inside" => bench::apart::inside(rest),
        "evaluate" => evaluate::run(rest),
        "fuzz" => fuzz::run(rest),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        other => {
            eprintln!("xtask: no command '{other}'\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
