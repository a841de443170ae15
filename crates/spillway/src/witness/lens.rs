//! A worker's side: what is of an attack is copied into a batch, which is handed over at the latest with the tick.

use std::net::IpAddr;
use std::sync::Arc;

use telemetry::discard::Discard;
use telemetry::record::Detail;
use telemetry::told::Raw;
use telemetry::{Record, Told};

use super::Door;
use super::aim::Aim;

/// Records of one batch.
const BATCH_MAX: usize = 2048;
/// Records of attacks that one worker hands over in one tick; further ones are left out and counted.
const TICK_MAX: usize = 16_384;
/// Records of quiet traffic that one worker hands over in one tick, spread over it.
const QUIET_MAX: u64 = 64;

/// A record, copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// The record.
    pub(crate) record: Record,
    /// Who told.
    pub(crate) exporter: IpAddr,
    /// Where the front of the packet stands in [`Batch::octets`].
    pub(crate) raw: Option<Raw>,
    /// It is of an attack's target; else it is of quiet traffic.
    pub(crate) attack: bool,
}

/// Records with the octets of their packets.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// In order of arrival.
    pub(crate) items: Vec<Item>,
    /// Fronts of packets, one behind the other.
    pub(crate) octets: Vec<u8>,
}

/// See above.
#[derive(Debug)]
pub(crate) struct Lens {
    door: Door,
    aim: Arc<Aim>,
    batch: Batch,
    /// Records of attacks in this tick.
    attack: usize,
    /// Other records in this tick, and every which of them is handed over.
    quiet: u64,
    stride: u64,
    left_out: u64,
}

impl Lens {
    /// Looks for what this door asks for.
    pub(crate) fn new(door: Door) -> Self {
        let (aim, batch) = (Arc::default(), Batch::default());
        Self { door, aim, batch, attack: 0, quiet: 0, stride: 1, left_out: 0 }
    }

    /// A record that counts as traffic came in this datagram.
    #[inline]
    pub(crate) fn see(&mut self, datagram: &[u8], told: &Told, record: &Record) {
        if self.aim.is_blind() {
            return;
        }
        if self.aim.is_of_attack(record.headers.src, record.headers.dst) {
            self.take(datagram, (told.exporter, told.raw), record);
        } else {
            self.quiet += 1;
            if self.quiet.is_multiple_of(self.stride) {
                self.look(datagram, told, record);
            }
        }
    }

    /// This datagram told of a packet that was dropped by policy: no traffic, and as good a witness of who attacks.
    pub(crate) fn see_dropped(&mut self, datagram: &[u8], exporter: IpAddr, discard: &Discard) {
        let record = &discard.record;
        if self.aim.is_of_attack(record.headers.src, record.headers.dst) {
            self.take(datagram, (exporter, discard.raw), record);
        }
    }

    /// The tick has ended: hands over what there is, and aims anew.
    pub(crate) fn close(&mut self) {
        self.hand_over();
        self.door.left_out(std::mem::take(&mut self.left_out));
        self.stride = self.quiet / QUIET_MAX + 1;
        (self.attack, self.quiet) = (0, 0);
        self.aim = self.door.aim();
    }

    #[cold]
    fn look(&mut self, datagram: &[u8], told: &Told, record: &Record) {
        let is_packet = record.detail == Detail::Packet;
        if is_packet && self.aim.comes_in(record.headers.src, record.headers.dst) {
            self.copy(datagram, (told.exporter, None), record, false);
        }
    }

    #[inline]
    fn take(&mut self, datagram: &[u8], by: (IpAddr, Option<Raw>), record: &Record) {
        self.attack += 1;
        if self.attack > TICK_MAX {
            self.left_out += 1;
            return;
        }
        self.copy(datagram, by, record, true);
    }

    fn copy(
        &mut self,
        datagram: &[u8],
        (exporter, raw): (IpAddr, Option<Raw>),
        record: &Record,
        attack: bool,
    ) {
        let raw = raw.map(|raw| {
            let at = self.batch.octets.len();
            self.batch.octets.extend_from_slice(raw.octets(datagram));
            Raw { at, ..raw }
        });
        self.batch.items.push(Item { record: *record, exporter, raw, attack });
        if self.batch.items.len() >= BATCH_MAX {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if self.batch.items.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        if let Some(back) = self.door.tell(batch) {
            self.left_out += u64::try_from(back.items.iter().filter(|item| item.attack).count()).unwrap_or(0);
            // Its memory serves the next one.
            self.batch = back;
            self.batch.items.clear();
            self.batch.octets.clear();
        }
    }
}
