//! What a thread and a process have used, as the kernel counts it.

use std::process::{Command, Stdio};

use base::{Span, Timestamp};
use engine::{Profile, Settings};
use peers::Outcome;
use serde::{Deserialize, Serialize};
use sim::exporter::Fleet;
use sim::{Config, World};

use crate::feed::Feed;
use crate::watch;

/// CPU time of this thread so far, as a clock.
pub(crate) fn cpu() -> Timestamp {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0);
    Timestamp::from_nanos(nanos)
}

/// A load in a process of its own, so that its memory can be told from the harness's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// The world alone.
    Generate,
    /// The world and everything that reads and decides.
    Detect,
}

/// What it used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) records: u64,
    /// CPU seconds of decoding, counting and deciding.
    pub(crate) cpu: f64,
    /// MB at most.
    pub(crate) resident: f64,
}

/// The command with which this program calls itself.
pub(crate) const INSIDE: &str = "inside-load";
/// 65,536 hosts at 1:100 for so long: 1.2 million records.
const SPAN: Span = Span::from_secs(1200);

impl Load {
    pub(crate) fn key(self) -> String {
        format!("load {self:?}")
    }

    pub(crate) fn run(self) -> Result<Cost, String> {
        let myself = std::env::current_exe().map_err(|e| e.to_string())?;
        let what = if self == Self::Detect { "detect" } else { "generate" };
        let mut command = Command::new(myself);
        let out =
            command.args([INSIDE, what]).stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
        serde_json::from_slice(&out.stdout).map_err(|e| format!("{}: {e}", self.key()))
    }
}

/// The other half: `inside-load detect|generate` prints one JSON object.
pub(crate) fn inside(args: &[String]) -> Outcome {
    let config = Config { span: SPAN, thin: 100, ..Config::default() };
    let routers = Feed::Prompt.routers(config.routers, config.thin, config.start, config.seed);
    let settings = Settings { networks: config.networks.clone(), ..Settings::of(Profile::Daemon) };
    let fleet = Fleet::new(World::new(config, Vec::new()), routers);
    let (records, used) = if args.first().is_some_and(|what| what == "detect") {
        let seen = watch::datagrams(fleet, settings, |_| false);
        (seen.records, seen.cpu)
    } else {
        (fleet.map(|sent| u64::from(sent.records)).sum(), Span::ZERO)
    };
    let cost = Cost { records, cpu: used.as_secs_f64(), resident: peers::process::resident_peak("self") };
    println!("{}", serde_json::to_string(&cost).map_err(|e| e.to_string())?);
    Ok(())
}
