//! `fuzz SECONDS [TARGET…]`, `FUZZ_SEED=7`: mutates until the time is over; a finding is written to `fuzz/findings/`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use fuzz::{TARGETS, measure, session};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(seconds) = args.next().and_then(|text| text.parse().ok()) else {
        eprintln!("fuzz: say how many seconds: fuzz SECONDS [TARGET…]");
        return ExitCode::from(2);
    };
    let names: Vec<String> = args.collect();
    if let Some(unknown) = names.iter().find(|name| TARGETS.iter().all(|target| target.name != name.as_str()))
    {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("fuzz: no target '{unknown}'; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let seed = match std::env::var("FUZZ_SEED").map(|text| text.parse::<u64>()) {
        Ok(Ok(seed)) => seed,
        Ok(Err(e)) => {
            eprintln!("fuzz: FUZZ_SEED: {e}");
            return ExitCode::from(2);
        }
        Err(_) => 1,
    };
    // a finding is told below, with its input
    std::panic::set_hook(Box::new(|_| {}));
    let mut broken = false;
    for target in
        TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|name| name == target.name))
    {
        let done = session::run(target, seed, Duration::from_secs(seconds));
        let (memory, visits) = measure::peaks();
        println!(
            "{:<10} seed {seed}: {} inputs, {} outcomes; at most {memory} octets held, {visits} visits per octet",
            target.name, done.tried, done.outcomes
        );
        if let Some((input, what)) = done.broken {
            broken = true;
            println!("{:<10} BROKEN: {what}", target.name);
            println!("{:<10} input: {}", target.name, saved(target.name, seed, &input));
        }
    }
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Where the input was written, or itself as hex.
fn saved(target: &str, seed: u64, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let file = folder.join(format!("{target}-{seed}.bin"));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input));
    written.map_or_else(
        |_| input.iter().map(|octet| format!("{octet:02x}")).collect(),
        |()| file.display().to_string(),
    )
}
