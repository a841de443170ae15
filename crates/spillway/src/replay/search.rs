//! The first pass: records in, attacks out.

use base::map::Seed;
use engine::report::Attack;
use engine::{Output, Replay, Settings};
use telemetry::Record;

use super::{Feed, Findings, Item};

/// What a recording held.
#[derive(Debug, Default)]
pub struct Found {
    /// Its attacks.
    pub findings: Findings,
    /// Its packets, scaled where sampled.
    pub packets: u64,
    /// Their layer-3 octets by original length, scaled where sampled.
    pub bytes: u64,
    /// Packets that each shard counted.
    pub packets_per_shard: Vec<u64>,
}

/// How the work is cut and the tables are seeded: neither shows in the result.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Number of shards.
    pub shards: usize,
    /// Seed of the tables.
    pub seed: Seed,
}

/// Looks through all files; `each` sees every report as it is made.
pub fn search(
    feed: &mut Feed,
    settings: &Settings,
    cut: Cut,
    mut each: impl FnMut(&Attack) -> anyhow::Result<()>,
) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut replay = Replay::new(settings.clone(), cut.shards, &cut.seed);
    let mut take = |replay: &mut Replay, findings: &mut Findings| -> anyhow::Result<()> {
        while let Some(Output::Attack { at, attack }) = replay.poll_output() {
            each(&attack)?;
            findings.note(at, *attack);
        }
        Ok(())
    };
    feed.pass("looking for attacks:", |item| {
        let (packets, bytes) = size(&item);
        found.packets = found.packets.saturating_add(packets);
        found.bytes = found.bytes.saturating_add(bytes);
        match item {
            Item::Packet(_, None) => return Ok(()),
            Item::Packet(packet, Some(parsed)) => replay.record(&Record::packet(packet.at, parsed)),
            Item::Record(record) => replay.record(record),
        }
        take(&mut replay, &mut found.findings)
    })?;
    replay.finish();
    take(&mut replay, &mut found.findings)?;
    found.packets_per_shard = replay.packets_per_shard().to_vec();
    Ok(found)
}

/// Packets and octets of an item, scaled.
#[inline]
fn size(item: &Item<'_>) -> (u64, u64) {
    match item {
        Item::Packet(_, Some(parsed)) => (1, u64::from(parsed.headers.length)),
        Item::Packet(packet, None) => (1, u64::from(packet.layer3_len())),
        Item::Record(record) => {
            let rate = u64::from(record.sampling.rate.unwrap_or(1).max(1));
            (record.packets.saturating_mul(rate), record.bytes.saturating_mul(rate))
        }
    }
}

/// Packets that an item stands for.
#[inline]
pub fn packets(item: &Item<'_>) -> u64 {
    size(item).0
}
