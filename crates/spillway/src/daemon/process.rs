//! What the process costs, from the kernel's own books.

use std::fs;

/// Resident memory in octets, CPU time (user and system) in seconds.
#[expect(clippy::cast_precision_loss, reason = "ticks of a hundredth of a second")]
pub(super) fn usage() -> (u64, f64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold anything; the fields after it are numbers: utime and stime are 14 and 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        fields.split_ascii_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux platform of ours.
    (resident.unwrap_or(0) * 1024, ticks as f64 / 100.0)
}
