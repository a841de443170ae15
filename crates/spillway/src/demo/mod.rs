//! The demonstration: a world, the real daemon as a child process, and a teller who asks its API.

pub(crate) mod http;
mod script;
mod sender;
mod teller;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use access::Access;
use anyhow::Context as _;

use crate::companion::Daemon;
use crate::daemon::clock::Clock;
use crate::interrupt::Interrupt;
use crate::output::{Format, Paint};
use script::Script;
use sender::Sender;
use teller::Teller;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which world.
    pub seed: u64,
    /// Whether anything bad happens in it.
    pub attacks: bool,
    /// Whether to end with the summary.
    pub once: bool,
    /// `Text` tells the story; the others print one document at the end.
    pub format: Format,
    /// Colours.
    pub paint: Paint,
}

/// The daemon's state, in its folder.
const STATE: &str = "state";
/// How often the API is asked.
const POLL: Duration = Duration::from_millis(250);

/// Runs it from beginning to end. Whatever happens, the daemon is ended and its folder removed.
pub fn run(options: &Options, interrupt: &Interrupt) -> anyhow::Result<()> {
    let script = Script::new(options.seed, options.attacks);
    let mut teller = Teller::new(options, &script)?;
    teller.opening()?;
    let mut daemon = start(&script, interrupt)?;
    teller.serving(&daemon, &login(&daemon)?)?;
    let mut sender = Sender::start(&script, daemon.collector())?;
    let began = Instant::now();
    let mut acts = script.acts().into_iter().peekable();
    let mut next = began;
    while !interrupt.asked() && began.elapsed() < script.length() {
        daemon.check()?;
        sender.check()?;
        while let Some(act) = acts.next_if(|act| began.elapsed() >= act.at) {
            teller.act(&act)?;
        }
        teller.look(daemon.api())?;
        next += POLL;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let broken_off = interrupt.asked().then(|| began.elapsed());
    teller.summary(daemon.api(), broken_off)?;
    if !options.once && options.format == Format::Text && !interrupt.asked() {
        teller.stay(&daemon)?;
        while !interrupt.asked() {
            daemon.check()?;
            sender.check()?;
            std::thread::sleep(POLL);
        }
    }
    sender.stop();
    daemon.stop()
}

/// The dashboard's address with a link that opens one session of the administrator.
fn login(daemon: &Daemon) -> anyhow::Result<String> {
    let access = Access::open(&daemon.folder().join(STATE)).context("cannot make a link to log in")?;
    let link = access.make_link("admin", Clock::start().now()).context("cannot make a link to log in")?;
    Ok(format!("{}/#/login/{}", daemon.api(), link.secret))
}

fn start(script: &Script, interrupt: &Interrupt) -> anyhow::Result<Daemon> {
    let program = std::env::current_exe().context("cannot find my own program")?;
    Daemon::start("spillway-demo", Command::new(program), |folder| configuration(script, folder), interrupt)
}

/// A router that is not there: what it is asked to do is shown, and waits.
const ROUTER: &str = r#"
[routing]
asn = 64512
router_id = "192.0.2.1"

[routing.approvals]
blackhole = 2

[routing.peers.edge-that-is-not-there]
address = "127.0.0.1:9"
asn = 64512
local = "127.0.0.1"
carries = ["blackhole", "flowspec"]
blackhole_next_hop = "192.0.2.66"
blackhole_next_hop6 = "2001:db8::66"
"#;

fn configuration(script: &Script, folder: &Path) -> String {
    let networks: Vec<String> = script.networks().iter().map(|network| format!("\"{network}\"")).collect();
    // JSON's strings are TOML's basic strings.
    let state = serde_json::Value::String(folder.join(STATE).display().to_string());
    format!(
        "networks = [{}]\nstate_dir = {state}\nmode = \"suggest\"\n\n\
         [listen]\nsflow = \"127.0.0.1:0\"\n\n[api]\nlisten = \"127.0.0.1:0\"\nbanner = \"DEMO DATA\"\n{ROUTER}",
        networks.join(", ")
    )
}
