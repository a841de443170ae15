//! What each part of a test run took: written by `test`, shown by `times`; it warns and never fails.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::run::{Outcome, root};

/// A clean clone on two cores stays below this.
const WHOLE_MAX: Duration = Duration::from_secs(35 * 60);

/// Parts in the order they ran.
pub(crate) struct Times {
    begun: Instant,
    parts: Vec<(&'static str, Duration)>,
}

impl Times {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), parts: Vec::new() }
    }

    /// Runs a part and remembers what it took.
    pub(crate) fn part<T>(&mut self, name: &'static str, run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        eprintln!("== {name}");
        let begun = Instant::now();
        let done = run();
        self.parts.push((name, begun.elapsed()));
        done
    }

    /// Leaves the table behind for `times` and prints it.
    pub(crate) fn close(&self) -> Outcome {
        let mut text = String::new();
        for (name, took) in self.parts.iter().chain([&("whole", self.begun.elapsed())]) {
            writeln!(text, "{:>8.1} s  {name}", took.as_secs_f64()).map_err(|e| e.to_string())?;
        }
        if self.begun.elapsed() > WHOLE_MAX {
            writeln!(text, "warning: over {} minutes", WHOLE_MAX.as_secs() / 60)
                .map_err(|e| e.to_string())?;
        }
        std::fs::write(path(), &text).map_err(|e| format!("{}: {e}", path().display()))?;
        eprint!("{text}");
        Ok(())
    }
}

pub(crate) fn print() -> Outcome {
    let text = std::fs::read_to_string(path())
        .map_err(|_| "no times yet: run `cargo xtask test` first".to_owned())?;
    print!("{text}");
    Ok(())
}

fn path() -> PathBuf {
    root().join("target/xtask-times.txt")
}
