//! What a replay cost: for `--stats`, never for standard output.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

/// Facts about this host and this run.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// From start to end.
    pub wall_seconds: f64,
    /// Of the first pass, which feeds the engine.
    pub detect_seconds: f64,
    /// Packets read.
    pub packets: u64,
    /// Packets read through the engine in a second.
    pub packets_per_second: f64,
    /// Packets each shard counted.
    pub packets_per_shard: Vec<u64>,
    /// Largest resident memory; `null` where the kernel does not tell.
    pub max_rss_bytes: Option<u64>,
    /// Version of the program.
    pub version: &'static str,
}

impl Stats {
    /// At the end of a run.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn new(started: Instant, detect_seconds: f64, packets: u64, packets_per_shard: Vec<u64>) -> Self {
        Self {
            wall_seconds: started.elapsed().as_secs_f64(),
            detect_seconds,
            packets,
            packets_per_second: packets as f64 / detect_seconds.max(1e-9),
            packets_per_shard,
            max_rss_bytes: max_rss_bytes(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Writes the document.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
    }
}

/// `VmHWM` of proc(5).
fn max_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
