//! Numbers of absorbers that take what is diverted.

use std::fmt;

use super::Page;

/// An absorber that is spoken with.
#[derive(Clone, Debug, Default)]
pub struct Absorber {
    /// Its name in the configuration.
    pub name: String,
    /// Whether it is spoken with and said something lately.
    pub up: bool,
    /// Whether what it says of its load is not true.
    pub distrusted: bool,
    /// Prefixes that stand there.
    pub prefixes: u64,
    /// What came there in the last second, by its word: bits per second.
    pub received_bps: u64,
    /// Likewise, what went back: bits per second.
    pub returned_bps: u64,
    /// Likewise, what no rule dropped and what did not go back: packets per second.
    pub lost_pps: u64,
    /// Likewise, what could come beside that.
    pub free_bps: u64,
}

/// Name, help, value.
type Gauge = (&'static str, &'static str, fn(&Absorber) -> u64);

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
pub(super) fn encode(all: &[Absorber], out: &mut Page<'_>) -> fmt::Result {
    let gauges: [Gauge; 7] = [
        ("spillway_absorber_up", "1 while the absorber is spoken with", |one| u64::from(one.up)),
        ("spillway_absorber_distrusted", "1 while what the absorber says of its load is not true", |one| {
            u64::from(one.distrusted)
        }),
        ("spillway_absorber_prefixes", "Prefixes that stand at the absorber", |one| one.prefixes),
        ("spillway_absorber_received_bits_per_second", "What came there, by its word", |one| {
            one.received_bps
        }),
        ("spillway_absorber_returned_bits_per_second", "What went back from there, by its word", |one| {
            one.returned_bps
        }),
        (
            "spillway_absorber_lost_packets_per_second",
            "What no rule dropped there and what did not go back, by its word",
            |one| one.lost_pps,
        ),
        ("spillway_absorber_free_bits_per_second", "What could come beside that, by its word", |one| {
            one.free_bps
        }),
    ];
    for (name, help, of) in gauges {
        let values = all.iter().map(|one| (vec![("absorber", one.name.clone())], of(one) as f64));
        out.gauges(name, help, values.collect())?;
    }
    let ratio = |one: &Absorber| {
        let all = one.received_bps.saturating_add(one.free_bps);
        (all > 0).then(|| (vec![("absorber", one.name.clone())], one.received_bps as f64 / all as f64))
    };
    out.gauges(
        "spillway_absorber_load_ratio",
        "What came there of what can, by its word",
        all.iter().filter_map(ratio).collect(),
    )
}
