//! Whether the end of an attack could be seen: of its witnesses, the exporters that tell of it, who is heard?

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};

use crate::silence::{Hearing, SHARE, Silence};

/// Exporters named in a line.
const NAMED_MAX: usize = 4;

/// How the telemetry of one attack stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    /// Packets by exporter, as an earlier run counted them.
    pub(crate) witnesses: BTreeMap<IpAddr, u64>,
    /// Set when an earlier run opened it: nobody looked in between.
    pub(crate) resumed: bool,
    /// Since when too many witnesses are missing.
    since: Option<Timestamp>,
    /// Until when they last were.
    until: Timestamp,
    /// For how long in all, the present time left out.
    missed: Span,
    /// Who is missing, and their share of the attack.
    missing: (String, f64),
    /// Whose numbers are doubtful, and by how much.
    doubts: String,
    /// What the exporter that tells most of it permits, where that is a flow cache; said once.
    pub(crate) delay: Option<String>,
}

impl Sight {
    /// Looks again; true when that is news.
    pub(crate) fn judge(
        &mut self,
        silence: &Silence,
        entries: &BTreeMap<(u32, Option<u32>), u64>,
        (now, whole): (Timestamp, bool),
    ) -> bool {
        if std::mem::take(&mut self.resumed) {
            self.until = now;
        }
        if whole && self.since.is_none() {
            return false;
        }
        let (missing, share) = self.missing(silence, entries);
        match (share >= SHARE, self.since) {
            (true, since) => {
                self.since = since.or(Some(now));
                self.until = now;
                if since.is_none() || share > self.missing.1 {
                    self.missing = (missing, share);
                }
                since.is_none()
            }
            (false, Some(since)) => {
                self.missed = Span::from_nanos(self.missed.nanos() + now.since(since).nanos());
                (self.since, self.until) = (None, now);
                true
            }
            (false, None) => false,
        }
    }

    /// Notes how early it could be seen, if who tells most of it keeps flows in a cache; where nobody counted, the first one.
    pub(crate) fn note_delay(&mut self, silence: &Silence, entries: &BTreeMap<(u32, Option<u32>), u64>) {
        if self.delay.is_some() {
            return;
        }
        let weights = self.weights(silence, entries);
        let most = weights.iter().max_by_key(|(address, packets)| (**packets, std::cmp::Reverse(**address)));
        let told = silence.delayed().find(|(address, _)| most.is_none_or(|(most, _)| most == address));
        self.delay = told.map(|(address, (export, lasting))| {
            let (export, lasting) = (export.as_secs_f64(), lasting.as_secs_f64());
            format!(
                "told by a flow cache: of 100 flows of {address} 99 come within {export:.1} s of their first packet and last at most {lasting:.1} s; earliest possible detection: {:.1} s after the first packet",
                export + 1.0
            )
        });
    }

    /// Notes whose numbers are doubtful, of those who tell of it; where nobody counted them, of all.
    pub(crate) fn doubt(&mut self, silence: &Silence, entries: &BTreeMap<(u32, Option<u32>), u64>) {
        let weights = self.weights(silence, entries);
        let tells = |address: &IpAddr| weights.is_empty() || weights.contains_key(address);
        let mut names: Vec<String> = silence
            .doubtful()
            .filter(|(address, _)| tells(address))
            .map(|(address, factor)| {
                format!("the interfaces of {address} count or pass {factor:.2} times what it tells")
            })
            .collect();
        if let Some(more) = names.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            names.truncate(NAMED_MAX);
            names.push(format!("{more} more"));
        }
        if !names.is_empty() {
            self.doubts = names.join(", ");
        }
    }

    /// Says why nothing acts on an attack that is mostly told by exporters whose numbers are doubtful.
    pub(crate) fn explain_doubt(&self, part: u64, whole: u64) -> String {
        format!(
            "nothing acts on it: {} % of its packets were told by exporters whose numbers are doubtful ({})",
            part.saturating_mul(100) / whole.max(1),
            self.doubts
        )
    }

    /// From when on quiet counts: nothing is known of a time without witnesses. `None`: they are missing now.
    pub(crate) fn quiet_from(&self, last: Timestamp) -> Option<Timestamp> {
        self.since.is_none().then(|| last.max(self.until))
    }

    /// Says what of it matters, to whoever reads of an attack that had its last packet at `last`.
    pub(crate) fn explain(&self, last: Timestamp, over: bool) -> Option<String> {
        let (who, share) = &self.missing;
        if let Some(since) = self.since {
            return Some(format!(
                "its end cannot be seen: since {since} telemetry is missing that told of {:.0} % of it ({who}); it stays active until that is back and shows the attack gone",
                share * 100.0
            ));
        }
        if self.missed == Span::ZERO {
            return None;
        }
        let until = self.until;
        Some(if over && last < until {
            format!(
                "telemetry was missing for {} until {until} ({who}): it may have ended at any time between the last packet seen and then",
                self.missed
            )
        } else {
            format!("telemetry was missing for {} in all, last until {until} ({who})", self.missed)
        })
    }

    /// Packets by exporter. Those of the run before count as long as this one has seen less.
    pub(crate) fn weights(
        &self,
        silence: &Silence,
        entries: &BTreeMap<(u32, Option<u32>), u64>,
    ) -> BTreeMap<IpAddr, u64> {
        let mut weights = self.witnesses.clone();
        for ((exporter, _), packets) in entries {
            if let Some(address) = silence.address(*exporter) {
                *weights.entry(address).or_default() += packets;
            }
        }
        weights
    }

    /// Who of them is missing, and their share.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn missing(&self, silence: &Silence, entries: &BTreeMap<(u32, Option<u32>), u64>) -> (String, f64) {
        if !silence.somebody() {
            return ("no exporter is heard as usual".to_owned(), 1.0);
        }
        let weights = self.weights(silence, entries);
        let all: u64 = weights.values().sum();
        let heard = |address: &IpAddr| silence.memory(address).map_or(Hearing::Whole, |m| m.hearing);
        let missing: Vec<_> =
            weights.iter().filter(|(address, _)| heard(address) != Hearing::Whole).collect();
        let share = missing.iter().map(|(_, packets)| **packets).sum::<u64>() as f64 / all.max(1) as f64;
        let mut names: Vec<String> = missing
            .iter()
            .take(NAMED_MAX)
            .map(|(address, _)| match heard(address) {
                Hearing::Silent => format!("{address} is silent"),
                _ => format!("{address} is heard in part"),
            })
            .collect();
        if let Some(more) = missing.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            names.push(format!("{more} more"));
        }
        (names.join(", "), share)
    }
}
