//! `make test`: everything, in the order that fails soonest; the last line is the test runner's.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::evaluate;
use crate::run::{self, Outcome, command, filtered, finish, linting_cargo, root, yielding_cargo};
use crate::setup;
use crate::times::Times;

pub(crate) fn run(filter: &[String]) -> Outcome {
    let mut times = Times::new();
    let mut packages = setup::start(&["core", "lab", "python", "web"])?;
    let early = before_tests(&mut times);
    // waited for in any case: an apt call must not outlive us
    times.part("packages (beside the above)", || packages.wait().map_err(|e| e.to_string()))?;
    early?;
    let filter: Vec<&str> = filter.iter().map(String::as_str).collect();
    // who asks for single tests does not want it; what it finds is told behind the tests' own findings
    let examine = || if filter.is_empty() { examined() } else { Ok(()) };
    let (report, examined) = if run::exists("cargo-nextest", "--version") {
        let both = || {
            std::thread::scope(|scope| {
                let examined = scope.spawn(examine);
                let report = with_nextest(&filter)?;
                Ok((report, examined.join().expect("it does not panic")))
            })
        };
        times.part("tests; doctests and evaluation beside the first of them", both)?
    } else {
        let examined = times.part("doctests and evaluation", || Ok(examine()))?;
        (times.part("tests", || with_cargo(&filter))?, examined)
    };
    for skipped in &report.skipped {
        println!("{skipped}");
    }
    times.close()?;
    println!("{}", report.last_line);
    if report.passed { examined } else { Err("tests failed".to_owned()) }
}

fn before_tests(times: &mut Times) -> Outcome {
    times.part("format", || finish(&mut command("cargo", &["fmt", "--all", "--check"])))?;
    times.part("build with lints", || {
        finish(&mut linting_cargo(&["build", "--locked", "--profile", "ci", "--workspace", "--all-targets"]))
    })
}

/// What is done with what the first tests leave of the processors: those that measure come last, long after it.
fn examined() -> Outcome {
    let doctests = ["test", "--quiet", "--locked", "--profile", "ci", "--workspace", "--doc"];
    let keep =
        |line: &str| !line.is_empty() && !line.starts_with("running 0") && !line.contains("ok. 0 passed");
    let documented = filtered(&mut yielding_cargo(&doctests), keep)?;
    evaluate::quick()?;
    if documented { Ok(()) } else { Err("doctests failed".to_owned()) }
}

struct Report {
    passed: bool,
    last_line: String,
    skipped: BTreeSet<String>,
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many places tests have: as `.config/nextest.toml` deals them out, one that works for each processor, and those that wait.
fn places() -> String {
    (WORKS * processors() + WAIT).to_string()
}

/// Places of a test that works, and how many wait beside them, one place each.
const WORKS: usize = 5;
const WAIT: usize = 4;

fn with_nextest(filter: &[&str]) -> Outcome<Report> {
    let places = places();
    let mut args =
        vec!["nextest", "run", "--locked", "--cargo-profile", "ci", "--workspace", "--no-tests", "fail"];
    args.extend(["--profile", "all", "--test-threads", &places]);
    args.extend(filter);
    let junit = root().join("target/nextest/all/junit.xml");
    // a report of an earlier run would tell its skips again
    let _ = std::fs::remove_file(&junit);
    let summary = Mutex::new(String::new());
    let passed = filtered(&mut linting_cargo(&args), |line| {
        if line.trim_start().starts_with("Summary [") {
            summary.lock().expect("no holder panics").clone_from(&line.trim().to_owned());
        }
        true
    })?;
    let report = std::fs::read_to_string(&junit).unwrap_or_default();
    let skipped = report.lines().filter_map(skip_reason).map(unescaped).collect();
    Ok(Report { passed, last_line: summary.into_inner().expect("no holder panics"), skipped })
}

fn with_cargo(filter: &[&str]) -> Outcome<Report> {
    let common = ["test", "--locked", "--profile", "ci", "--workspace", "--no-fail-fast"];
    let threads = (2 * processors()).to_string();
    // Who waits for routers' daemons most of the time waits beside others, as with nextest.
    let waiting = ["--lib", "--test", "cli", "--", "routing::", "--test-threads", &threads, "--show-output"];
    let rest = ["--all-targets", "--", "--skip", "routing::", "--show-output"];
    let chosen = [&["--all-targets"][..], filter, &["--", "--show-output"]].concat();
    let runs: &[&[&str]] = if filter.is_empty() { &[&rest, &waiting] } else { &[&chosen] };
    let seen = Mutex::new(CargoTests::default());
    let mut passed = true;
    for run in runs {
        let args = [&common[..], run].concat();
        passed &=
            filtered(&mut linting_cargo(&args), |line| seen.lock().expect("no holder panics").line(line))?;
    }
    let seen = seen.into_inner().expect("no holder panics");
    let word = if passed { "ok" } else { "FAILED" };
    let last_line = format!(
        "test result: {word}. {} passed; {} failed; {} ignored, in {} binaries",
        seen.passed, seen.failed, seen.ignored, seen.binaries
    );
    Ok(Report { passed, last_line, skipped: seen.skipped })
}

/// Adds up what `cargo test` prints per binary.
#[derive(Default)]
struct CargoTests {
    passed: u64,
    failed: u64,
    ignored: u64,
    binaries: u64,
    skipped: BTreeSet<String>,
    within_successes: bool,
}

impl CargoTests {
    /// Takes a line; says whether to show it. Output of tests that passed is shown only as reason of a skip.
    fn line(&mut self, line: &str) -> bool {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.within_successes = false;
            self.binaries += 1;
            let words: Vec<&str> = counts.split([' ', '.', ';']).filter(|word| !word.is_empty()).collect();
            for pair in words.windows(2) {
                let [number, what] = pair else { continue };
                let Ok(number) = number.parse::<u64>() else { continue };
                match *what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.ignored += number,
                    _ => {}
                }
            }
            return true;
        }
        match line {
            "successes:" => self.within_successes = true,
            "failures:" => self.within_successes = false,
            _ => {}
        }
        if self.within_successes {
            self.skipped.extend(skip_reason(line).map(str::to_owned));
        }
        !self.within_successes
    }
}

/// Tests that cannot run say `skipped: REASON`.
fn skip_reason(line: &str) -> Option<&str> {
    line.find("skipped: ").map(|at| line.get(at..).unwrap_or(line).trim_end())
}

/// The five XML entities.
fn unescaped(text: &str) -> String {
    let text = text.split("</system-").next().unwrap_or(text);
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_prints_is_added_up_and_skips_are_told() {
        let text = "\
running 2 tests
test a ... ok
test b ... ok

successes:

---- a stdout ----
chatter
skipped: no nft here

successes:
    a
    b

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let mut seen = CargoTests::default();
        let shown: Vec<&str> = text.lines().filter(|line| seen.line(line)).collect();
        assert_eq!((seen.passed, seen.failed, seen.ignored, seen.binaries), (5, 4, 1, 2));
        assert_eq!(seen.skipped.into_iter().collect::<Vec<_>>(), ["skipped: no nft here"]);
        assert!(!shown.contains(&"chatter") && shown.contains(&"test a ... ok"));
    }

    #[test]
    fn a_skip_in_a_report_is_read_back() {
        let line = "            <system-err>skipped: needs root &amp; nft &gt;= 1.0</system-err>";
        assert_eq!(skip_reason(line).map(unescaped).as_deref(), Some("skipped: needs root & nft >= 1.0"));
    }
}
