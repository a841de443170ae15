//! Sampling on an interface whose programs may be replaced meanwhile.

use std::time::{Duration, Instant, SystemTime};

use base::{Span, Timestamp};
use dataplane::sampling::Meter;
use dataplane::{Attachment, Sample, Sampler};

use crate::interrupt::Interrupt;

/// Between two looks at the ring: a megabyte takes some thousand samples.
const LOOK: Duration = Duration::from_millis(20);
/// Between two grants of the budget.
const GRANT: Duration = Duration::from_millis(100);
/// Between two looks whether the programs are still the same.
const RENEW: Duration = Duration::from_secs(1);

/// From the clock of samples to that of the wall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    ahead: u64,
}

impl Clock {
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        Self { ahead: wall.saturating_sub(Sampler::now()) }
    }

    pub(super) const fn wall(self, at: u64) -> Timestamp {
        Timestamp::from_nanos(at.saturating_add(self.ahead))
    }
}

/// The data plane of an interface.
pub(super) fn open(name: &str) -> anyhow::Result<Attachment> {
    let there = Attachment::open(name)?;
    there.ok_or_else(|| {
        anyhow::anyhow!("{name}: nothing is attached; `spillway dataplane attach {name}` does it")
    })
}

/// What has been asked, and what came of it.
pub(super) struct Session {
    interface: String,
    budget: [u32; 2],
    rule: Option<String>,
    started: Instant,
    sums: [Meter; 2],
    said: bool,
}

/// Counts of now, less those of before.
const fn less(now: Meter, before: Meter) -> Meter {
    Meter {
        offered: now.offered.saturating_sub(before.offered),
        taken: now.taken.saturating_sub(before.taken),
        over: now.over.saturating_sub(before.over),
        lost: now.lost.saturating_sub(before.lost),
    }
}

impl Session {
    pub(super) fn new(interface: String, budget: [u32; 2], rule: Option<String>) -> Self {
        Self { interface, budget, rule, started: Instant::now(), sums: [Meter::default(); 2], said: false }
    }

    /// Samples until the programs are others (then it says true), or until the end. `take` says whether it wants more.
    pub(super) fn round(
        &mut self,
        interrupt: &Interrupt,
        limit: Option<Duration>,
        take: &mut impl FnMut(&Sample) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let name = self.interface.clone();
        let attachment = open(&name)?;
        let program = attachment.program()?.id;
        let before = attachment.plane().meters()?;
        let mut sampler = attachment.sampler(self.budget, self.rule.as_deref())?;
        if !self.said {
            self.said = true;
            eprintln!("spillway: sampling on {name}; Ctrl-C ends it");
        }
        let (mut granted, mut renewed) = (Instant::now(), Instant::now());
        let mut more = true;
        let goes_on = loop {
            while let Some(sample) = sampler.take() {
                more = more && take(&sample)?;
            }
            if !more || interrupt.asked() || limit.is_some_and(|limit| self.started.elapsed() >= limit) {
                break false;
            }
            if granted.elapsed() >= GRANT {
                let passed = u64::try_from(granted.elapsed().as_nanos()).unwrap_or(u64::MAX);
                granted = Instant::now();
                sampler.grant(Span::from_nanos(passed))?;
            }
            if renewed.elapsed() >= RENEW {
                renewed = Instant::now();
                let there = Attachment::open(&name)?.map(|there| there.program()).transpose()?;
                match there {
                    Some(there) if there.id == program => {}
                    Some(_) => break true,
                    None => anyhow::bail!("{name}: the programs have been detached"),
                }
            }
            std::thread::sleep(LOOK);
        };
        let after = attachment.plane().meters()?;
        for ((sum, after), before) in self.sums.iter_mut().zip(after).zip(before) {
            let more = less(after, before);
            sum.offered += more.offered;
            sum.taken += more.taken;
            sum.over += more.over;
            sum.lost += more.lost;
        }
        Ok(goes_on)
    }

    /// What came of it, for each class.
    pub(super) const fn sums(&self) -> [Meter; 2] {
        self.sums
    }
}
