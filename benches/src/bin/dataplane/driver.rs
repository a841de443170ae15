//! The program that gives another one a new packet each run.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::Context;
use aya::programs::Xdp;
use sys::bpf::Map;

use crate::mix::Packet;

static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("DRIVER_OBJECT"));

/// It, and its maps.
pub(crate) struct Driver {
    program: OwnedFd,
    answered: OwnedFd,
    carrier: OwnedFd,
    headers: Map,
    wholes: Map,
    carried: Map,
    slot: Map,
    counting: Map,
    lru: OwnedFd,
}

impl Driver {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let mut object = aya::Ebpf::load(OBJECT)?;
        let map = |name: &str| -> anyhow::Result<Map> {
            let (Some(aya::maps::Map::Array(data)) | Some(aya::maps::Map::ProgramArray(data))) =
                object.map(name)
            else {
                anyhow::bail!("no map {name}")
            };
            Ok(Map::of(data.fd().as_fd().try_clone_to_owned()?)?)
        };
        let (headers, wholes) = (map("headers")?, map("wholes")?);
        let carried = map("carried")?;
        let (slot, counting) = (map("slot")?, map("counting")?);
        let mut load = |name: &str| -> anyhow::Result<OwnedFd> {
            let program: &mut Xdp = object.program_mut(name).context("no driver")?.try_into()?;
            program.load()?;
            Ok(program.fd()?.as_fd().try_clone_to_owned()?)
        };
        Ok(Self {
            program: load("driver")?,
            answered: load("answered")?,
            carrier: load("carrier")?,
            lru: load("lru")?,
            headers,
            wholes,
            carried,
            slot,
            counting,
        })
    }

    /// Runs `program`, which writes answers over its frames, on these in turn; the least nanoseconds of nine runs.
    pub(crate) fn run_answered(&self, program: BorrowedFd<'_>, frames: &[Vec<u8>]) -> anyhow::Result<u32> {
        let mut first = Vec::new();
        for (key, frame) in (0u32..4096).zip(frames.iter().cycle()) {
            let mut whole = frame.clone();
            whole.resize(94, 0);
            whole.extend(u16::try_from(frame.len())?.to_ne_bytes());
            self.wholes.set(&key.to_ne_bytes(), &whole)?;
            first.clone_from(frame);
        }
        self.slot.set(&0u32.to_ne_bytes(), &program.as_raw_fd().to_ne_bytes())?;
        least(|| Ok(sys::bpf::test_run(self.answered.as_fd(), &first, 400_000)?.nanoseconds))
    }

    /// Runs `program`, which unwraps and wraps its frames, on these in turn; the least nanoseconds of nine runs. All are of 128 octets.
    pub(crate) fn run_carried(&self, program: BorrowedFd<'_>, frames: &[Vec<u8>]) -> anyhow::Result<u32> {
        for (key, frame) in (0u32..4096).zip(frames.iter().cycle()) {
            self.carried.set(&key.to_ne_bytes(), frame)?;
        }
        self.slot.set(&0u32.to_ne_bytes(), &program.as_raw_fd().to_ne_bytes())?;
        let first = frames.first().context("no frames")?;
        least(|| Ok(sys::bpf::test_run(self.carrier.as_fd(), first, 400_000)?.nanoseconds))
    }

    /// Runs `program` on these packets in turn; the least nanoseconds of nine runs.
    pub(crate) fn run(&self, program: BorrowedFd<'_>, packets: &[Packet]) -> anyhow::Result<u32> {
        let mut first = Vec::new();
        for (key, packet) in (0u32..4096).zip(packets.iter().cycle()) {
            let frame = packet.frame();
            self.headers.set(&key.to_ne_bytes(), frame.get(..64).unwrap_or(&frame))?;
            first = frame;
        }
        self.slot.set(&0u32.to_ne_bytes(), &program.as_raw_fd().to_ne_bytes())?;
        least(|| Ok(sys::bpf::test_run(self.program.as_fd(), &first, 400_000)?.nanoseconds))
    }

    /// A bucket for each source in an LRU table, and nothing else.
    pub(crate) fn lru(&self) -> BorrowedFd<'_> {
        self.lru.as_fd()
    }

    /// Runs `program` on a packet whose source counts up, so that none comes twice; the least nanoseconds of nine runs.
    pub(crate) fn fresh(&self, program: BorrowedFd<'_>, packet: &Packet) -> anyhow::Result<u32> {
        self.counting.set(&0u32.to_ne_bytes(), &1u32.to_ne_bytes())?;
        let taken = self.run(program, core::slice::from_ref(packet));
        self.counting.set(&0u32.to_ne_bytes(), &0u32.to_ne_bytes())?;
        taken
    }
}

/// The least of nine.
pub(crate) fn least(mut run: impl FnMut() -> anyhow::Result<u32>) -> anyhow::Result<u32> {
    let mut best = u32::MAX;
    for _ in 0..9 {
        best = best.min(run()?);
    }
    Ok(best)
}
