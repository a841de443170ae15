//! How far along, on stderr, where a person looks.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Packets between two looks at the clock.
const STRIDE: u64 = 1 << 14;
/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// One line that redraws itself; silent for short input and where no terminal is.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    drawn: bool,
    last: Instant,
    total: u64,
    before: u64,
    packets: u64,
    verb: &'static str,
}

impl Progress {
    /// Over these files, read `passes` times.
    pub fn new(files: &[impl AsRef<Path>], passes: u64) -> Self {
        let total: u64 = files.iter().filter_map(|f| f.as_ref().metadata().ok()).map(|m| m.len()).sum();
        Self {
            shown: std::io::stderr().is_terminal(),
            drawn: false,
            last: Instant::now(),
            total: total * passes,
            before: 0,
            packets: 0,
            verb: "reading",
        }
    }

    /// One packet more; `offset` is the place in the current file.
    #[inline]
    pub fn step(&mut self, offset: u64) {
        self.packets += 1;
        if self.shown && self.packets.is_multiple_of(STRIDE) {
            self.draw(offset);
        }
    }

    /// A file is done.
    pub fn file_done(&mut self, length: u64) {
        self.before += length;
    }

    /// What is being done from now on.
    pub fn phase(&mut self, verb: &'static str) {
        self.verb = verb;
        self.packets = 0;
    }

    /// Leaves no trace.
    pub fn clear(&mut self) {
        if self.drawn {
            eprint!("\r\x1b[K");
            self.drawn = false;
        }
    }

    fn draw(&mut self, offset: u64) {
        if self.last.elapsed() < PAUSE {
            return;
        }
        self.last = Instant::now();
        self.drawn = true;
        let percent = (self.before + offset) * 100 / self.total.max(1);
        eprint!("\r\x1b[K{} {:3} %  {} packets", self.verb, percent.min(100), grouped(self.packets));
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
