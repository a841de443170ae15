//! Everything that is there through all phases, and how a phase is measured.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use dataplane::Attachment;
use serde::Serialize;

use super::super::enforce::program;
use super::super::honest::{Honest, Outcome, PATIENCE};
use super::super::process::Running;
use super::super::report::Phase;
use super::super::server;
use super::absorber::Absorber;
use super::brain::Brain;
use super::edge::Edge;
use super::kills::plan::Part;
use super::map::{Map, Place};
use super::victims::VICTIMS;
use super::watch::Watch;
use super::{CAPACITY, CAPACITY_TC, LINK_TC};
use crate::absorb::keys::Key;
use crate::folder::Folder;
use crate::interrupt::Interrupt;

/// Page loads a second that each victim is asked for.
const RATE: u32 = 40;
/// Until sessions and conversations stand.
const UP_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// The whole lab, as long as this lives.
pub(super) struct Stage<'a> {
    honest: Vec<Honest>,
    pub(super) brain: Brain,
    edges: Vec<Edge>,
    absorbers: Vec<Absorber>,
    nginx: Running,
    pub(super) watch: Watch,
    pub(super) map: &'a Map,
    pub(super) folder: &'a Folder,
    interrupt: &'a Interrupt,
}

/// What each victim's visitors got in a phase.
#[derive(Clone, Debug, Serialize)]
pub struct Passed {
    /// The victim.
    pub victim: &'static str,
    /// What it is worth.
    pub value: u8,
    /// Its visitors.
    #[serde(flatten)]
    pub phase: Phase,
}

impl<'a> Stage<'a> {
    /// Starts everything, and waits until it stands. For the brain an attack is over after `quiet`.
    pub(super) fn set(
        map: &'a Map,
        folder: &'a Folder,
        quiet: &str,
        interrupt: &'a Interrupt,
    ) -> anyhow::Result<Self> {
        let program = program()?;
        for n in [1, 2] {
            // Towards absorbers and customers there is less room than an attack takes.
            map.narrow(Place::Exchange, &format!("-xa{n}"), CAPACITY_TC)?;
            map.narrow(Place::Edge(n), &format!("-e{n}i"), LINK_TC)?;
            // What comes back in tunnels is unwrapped where customers are.
            let link = map.interface(&format!("-c{n}"));
            let ends = ["--decap", "100.64.0.0/24", "--decap", "2001:db8:64::/64"];
            let attach = [&["dataplane", "attach", &link, "--yes"][..], &ends].concat();
            map.at(Place::Customers).run(&program, &attach)?;
        }
        let first = VICTIMS.map(|victim| victim.addresses()[0]);
        let nginx = server::start(&map.at(Place::Customers), first[0], folder)?;
        let key = folder.path().join("brain.key");
        let print = Key::load_or_make(&key)?.fingerprint().to_string();
        let start = |n| Absorber::start(map, folder, n, &print, CAPACITY);
        let absorbers = vec![start(1)?, start(2)?];
        let edges = vec![Edge::start(map, folder, 1)?, Edge::start(map, folder, 2)?];
        let ways = |n: u8| (map.at(Place::Absorber(n)), map.interface(&format!("-a{n}")));
        let watch = Watch::start(vec![ways(1), ways(2)])?;
        let brain = Brain::start(map, &key, &absorbers, quiet, interrupt)?;
        let ask =
            |victim: super::victims::Victim| Honest::start(&map.at(Place::Clients), victim.addresses(), RATE);
        let honest = VICTIMS.into_iter().map(ask).collect::<anyhow::Result<_>>()?;
        let mut stage = Self { honest, brain, edges, absorbers, nginx, watch, map, folder, interrupt };
        let began = Instant::now();
        while let Err(why) = stage.brain.is_up()? {
            stage.check()?;
            if began.elapsed() > UP_WITHIN {
                bail!("sessions and absorbers do not stand after {} s: {why}", UP_WITHIN.as_secs());
            }
            stage.wait(LOOK)?;
        }
        Ok(stage)
    }

    /// Waits, unless it is interrupted.
    pub(super) fn wait(&self, length: Duration) -> anyhow::Result<()> {
        super::super::play::wait(self.interrupt, length)
    }

    /// An error when something has ended that should serve.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.nginx.check(self.folder)?;
        self.absorbers.iter_mut().try_for_each(|one| one.check(self.folder))?;
        self.edges.iter_mut().try_for_each(|one| one.check(self.folder))?;
        self.brain.daemon.check()
    }

    /// Kills a part.
    pub(super) fn kill(&mut self, part: Part) -> anyhow::Result<()> {
        match part {
            Part::Brain => self.brain.kill(),
            Part::Absorber(number) => at(&mut self.absorbers, number)?.kill(),
            Part::Edge(number) => at(&mut self.edges, number)?.kill(),
        }
    }

    /// Starts a killed part again.
    pub(super) fn again(&mut self, part: Part) -> anyhow::Result<()> {
        match part {
            Part::Brain => self.brain.again(self.map, self.interrupt),
            Part::Absorber(number) => at(&mut self.absorbers, number)?.again(self.map, self.folder),
            Part::Edge(number) => at(&mut self.edges, number)?.again(self.map, self.folder),
        }
    }

    /// Rules that the kernel has in force at an absorber.
    pub(super) fn rules_at(&self, absorber: u8) -> anyhow::Result<u32> {
        let there = Attachment::open(&self.map.interface(&format!("-a{absorber}")))?;
        Ok(there.map(|there| there.plane().in_force()).transpose()?.map_or(0, |force| force.rules))
    }

    /// Of each victim in turn, what became of requests that began between two instants.
    pub(super) fn outcomes(
        &self,
        from: Instant,
        to: Instant,
    ) -> impl Iterator<Item = (&'static str, Vec<Outcome>)> {
        VICTIMS.iter().zip(&self.honest).map(move |(victim, honest)| (victim.name, honest.between(from, to)))
    }

    /// Lives through a phase, and tells what visitors got.
    pub(super) fn measure(&mut self, name: &'static str, length: Duration) -> anyhow::Result<Vec<Passed>> {
        let from = Instant::now();
        self.wait(length)?;
        self.check()?;
        self.told(name, from, Instant::now())
    }

    /// Likewise, of a phase that was lived through.
    pub(super) fn told(&self, name: &'static str, from: Instant, to: Instant) -> anyhow::Result<Vec<Passed>> {
        // The last request has its outcome by then.
        self.wait(PATIENCE + PATIENCE / 5)?;
        Ok(self.between(name, from, to))
    }

    /// What visitors got whose requests began between two instants.
    fn between(&self, name: &'static str, from: Instant, to: Instant) -> Vec<Passed> {
        let of = |(victim, honest): (super::victims::Victim, &Honest)| {
            let phase = Phase::new(name, to - from, &honest.between(from, to));
            Passed { victim: victim.name, value: victim.value, phase }
        };
        VICTIMS.into_iter().zip(&self.honest).map(of).collect()
    }
}

fn at<T>(all: &mut [T], number: u8) -> anyhow::Result<&mut T> {
    all.get_mut(usize::from(number).saturating_sub(1)).with_context(|| format!("there is no number {number}"))
}
