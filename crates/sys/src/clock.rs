//! The clock of the kernel's programs.

/// Nanoseconds of `CLOCK_MONOTONIC`: what `bpf_ktime_get_ns` gives.
pub fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure it is given; this clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    part(now.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(now.tv_nsec))
}

/// Nanoseconds of a tick of the kernel: the resolution of `CLOCK_MONOTONIC_COARSE`.
pub fn tick() -> u64 {
    let mut resolution = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure it is given; this clock is always there.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &mut resolution) };
    u64::try_from(resolution.tv_nsec).unwrap_or(0).max(1)
}

/// Whether something keeps the clock of the day right, and by how many microseconds it may be off at most; `None`: the kernel
/// does not say.
pub fn kept() -> Option<(bool, u64)> {
    // SAFETY: a structure of plain numbers may be all zero; no mode is set, so nothing is changed.
    let mut state: libc::timex = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel fills the structure it is given.
    let answer = unsafe { libc::adjtimex(&mut state) };
    let is_kept = answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    (answer >= 0).then(|| (is_kept, u64::try_from(state.maxerror).unwrap_or(0)))
}
