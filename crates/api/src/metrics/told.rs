//! Numbers of what routers tell over BMP and their sessions, and of what RPKI caches tell.

use std::fmt;

use super::Page;

/// What routers and RPKI caches tell beside the sessions.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Prefixes whose origin is known.
    pub prefixes: u64,
    /// Routes that found no room.
    pub left_out: u64,
    /// Updates of which a part could not be believed.
    pub damaged: u64,
    /// Routers that are connected over BMP; `None`: there is no listener.
    pub routers: Option<u64>,
    /// BMP messages that could not be read, and streams that had to be closed.
    pub faults: u64,
    /// Routers and peers beyond what is taken at once.
    pub turned_away: u64,
    /// RPKI caches: address, payloads that hold, conversations that ended because of what it sent.
    pub caches: Vec<(String, Option<u64>, u64)>,
}

impl Told {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        out.gauge("spillway_learned_prefixes", "Prefixes whose origin AS is known", self.prefixes as f64)?;
        for (name, help, count) in [
            ("spillway_learned_left_out", "Routes told to us that found no room", self.left_out),
            ("spillway_learned_damaged", "Updates of which a part could not be believed", self.damaged),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        if let Some(routers) = self.routers {
            out.gauge("spillway_bmp_routers", "Routers that are connected over BMP", routers as f64)?;
            for (name, help, count) in [
                ("spillway_bmp_faults", "BMP messages that could not be read, streams closed", self.faults),
                ("spillway_bmp_turned_away", "Routers and peers beyond what is taken", self.turned_away),
            ] {
                out.counters(name, help, vec![(Vec::new(), count)])?;
            }
        }
        if self.caches.is_empty() {
            return Ok(());
        }
        let label = |address: &String| vec![("cache", address.clone())];
        let caches = || self.caches.iter();
        let tells = caches().map(|(at, payloads, _)| (label(at), f64::from(u8::from(payloads.is_some()))));
        out.gauges("spillway_rpki_cache_tells", "1 while what the cache told holds", tells.collect())?;
        let payloads = caches().map(|(at, payloads, _)| (label(at), payloads.unwrap_or(0) as f64));
        out.gauges("spillway_rpki_payloads", "Validated ROA payloads that hold", payloads.collect())?;
        let faults = caches().map(|(at, _, faults)| (label(at), *faults));
        out.counters("spillway_rpki_faults", "Conversations ended by what the cache sent", faults.collect())
    }
}
