//! Figures. Each is a ratio to a peer in the same run, because machines differ and load comes and goes.

pub(crate) mod apart;
mod api;
mod daemons;
mod load;
mod peers;
mod replay;

use ::peers::{machine, sheet};

use crate::run::{Outcome, command, finish, output, root};

/// `bench [decode|replay|peers|api|dataplane|routing|planner|ledger|history]… [--write]`; all of them without a name.
pub(crate) fn run(args: &[String]) -> Outcome {
    let write = args.iter().any(|arg| arg == "--write");
    let names: Vec<&str> = args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    for (name, bench) in BENCHES {
        if !names.is_empty() && !names.contains(name) {
            continue;
        }
        eprintln!("== {name}");
        let table = bench()?;
        let text = format!("{}\n\n{table}", machine::line());
        println!("{text}");
        if write {
            let command = format!("cargo xtask bench {name} --write");
            sheet::replace(&root().join("BENCH.md"), name, &command, &text)?;
        }
    }
    match names.iter().find(|name| BENCHES.iter().all(|(known, _)| known != *name)) {
        Some(unknown) => Err(format!(
            "no bench '{unknown}'; there are decode, replay, peers, api, dataplane, routing, planner, ledger and history"
        )),
        None => Ok(()),
    }
}

type Bench = fn() -> Outcome<String>;

const BENCHES: &[(&str, Bench)] = &[
    ("decode", decode),
    ("replay", replay::run),
    ("peers", peers::run),
    ("api", api::run),
    ("dataplane", dataplane),
    ("routing", routing),
    ("planner", planner),
    ("ledger", ledger),
    ("history", history),
];

/// The divan benches: nanoseconds per record, with the allocations counted beside them.
fn decode() -> Outcome<String> {
    let text = output(&mut command(
        "cargo",
        &["bench", "--quiet", "--locked", "--package", "benches", "--bench", "decode"],
    ))?;
    Ok(format!("```\n{}\n```\n", text.trim_end()))
}

/// The kernel programs beside those that one would use instead; as root.
fn dataplane() -> Outcome<String> {
    output(&mut command(
        "cargo",
        &["run", "--quiet", "--release", "--locked", "--package", "benches", "--bin", "dataplane"],
    ))
}

/// The BGP speaker beside gobgpd, BIRD and ExaBGP; without link-time optimisation, which it does not need.
fn routing() -> Outcome<String> {
    output(&mut command(
        "cargo",
        &["run", "--quiet", "--profile", "quick", "--locked", "--package", "benches", "--bin", "routing"],
    ))
}

/// Plans beside those that HiGHS finds; in the profile of the tests, which compiles the planner as a release does.
fn planner() -> Outcome<String> {
    output(&mut command(
        "cargo",
        &["run", "--quiet", "--profile", "ci", "--locked", "--package", "benches", "--bin", "planner"],
    ))
}

/// Flow samples on the disk of the working copy.
fn history() -> Outcome<String> {
    output(&mut command(
        "cargo",
        &["run", "--quiet", "--profile", "quick", "--locked", "--package", "benches", "--bin", "history"],
    ))
}

/// The ledger on the disk of the working copy.
fn ledger() -> Outcome<String> {
    output(&mut command(
        "cargo",
        &["run", "--quiet", "--profile", "quick", "--locked", "--package", "benches", "--bin", "ledger"],
    ))
}

/// Release builds of what the benches start.
fn build() -> Outcome {
    finish(&mut command("cargo", &["build", "--release", "--locked", "--package", "spillway"]))?;
    finish(&mut command(
        "cargo",
        &["build", "--release", "--locked", "--package", "sim", "--example", "export"],
    ))
}
