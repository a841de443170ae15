//! The demonstration: a world, its border, the real daemon as a child process, and a teller who asks its API.
//!
//! Attacks are met as anywhere: the daemon finds them, derives rules and announces them over BGP to the [`border`], which is in this
//! process, and filters the world by them.
//!
//! The script is the first story, always the same for a seed. After it the world goes on, round after round of the repertoire, and
//! does what is asked for: by the terminal's [`keys`], and by the dashboard over the [`socket`] of the [`stage`].

mod border;
pub(crate) mod http;
mod keys;
mod repertoire;
mod script;
mod sender;
mod socket;
mod stage;
mod teller;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use access::Access;
use anyhow::Context as _;

use crate::companion::Daemon;
use crate::daemon::clock::Clock;
use crate::interrupt::Interrupt;
use crate::output::{Format, Paint};
use border::Border;
use keys::Typed;
use repertoire::REPERTOIRE;
use script::{ROUTERS, SAMPLING, Script};
use sender::{Sender, now};
pub(crate) use socket::ask;
use stage::Stage;
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
/// Where it hears of wishes, in its folder.
const SOCKET: &str = "stage.sock";
/// Where the world's addresses are, likewise.
const PLACES: &str = "places.csv";
/// From one act of the story to the next: half a minute of it, the minute of silence that ends an attack, and some calm.
const ROUND: Duration = Duration::from_secs(105);

/// Runs it from beginning to end. Whatever happens, the daemon is ended and its folder removed.
pub fn run(options: &Options, interrupt: &Interrupt) -> anyhow::Result<()> {
    let script = Script::new(options.seed, options.attacks);
    let mut teller = Teller::new(options, &script)?;
    teller.opening()?;
    let (border, speaks) = Border::listen(SAMPLING)?;
    // what is told to people arrives here, and nobody reads it
    let told = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a port for notifications")?;
    let tells = told.local_addr().context("cannot open a port for notifications")?;
    let mut daemon = start(&script, (speaks, tells), interrupt)?;
    teller.serving(&daemon, &login(&daemon)?)?;
    let (events, written) = channel();
    let stage = Stage::new(&script, events);
    socket::serve(&daemon.folder().join(SOCKET), stage.clone())?;
    let mut sender = Sender::start(&script, daemon.collector(), written, border.clone())?;
    let stays = !options.once && options.format == Format::Text;
    let typed = if stays { keys::listen() } else { channel().1 };
    let began = Instant::now();
    let mut acts = script.acts().into_iter().peekable();
    let mut next = began;
    let mut quits = false;
    while !interrupt.asked() && !quits && began.elapsed() < script.length() {
        daemon.check()?;
        sender.check()?;
        while let Some(act) = acts.next_if(|act| began.elapsed() >= act.at) {
            teller.act(&act.text)?;
        }
        quits = obey(&typed, &stage, &mut teller, &daemon)?;
        teller.look(daemon.api())?;
        next += POLL;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let broken_off = (quits || interrupt.asked()).then(|| began.elapsed());
    teller.summary(daemon.api(), border.tally(), broken_off)?;
    if stays && broken_off.is_none() {
        teller.stay(&daemon)?;
        // the attacks of the first story have to end first
        let mut round = Instant::now() + ROUND / 2;
        let mut acts = REPERTOIRE.iter().cycle().filter(|act| options.attacks || !act.is_attack());
        while !interrupt.asked() && !quits {
            daemon.check()?;
            sender.check()?;
            if Instant::now() >= round {
                round = Instant::now() + ROUND;
                if let Some(act) = acts.next() {
                    // where somebody wished for it before, it goes on already
                    let _ = stage.start(act.name, now());
                }
            }
            quits = obey(&typed, &stage, &mut teller, &daemon)?;
            teller.look(daemon.api())?;
            std::thread::sleep(POLL);
        }
    }
    if stays {
        teller.goodbye()?;
    }
    sender.stop();
    daemon.stop()
}

/// Does what was typed, and tells what was wished for, by whomever; `true`: that is all.
fn obey(
    typed: &Receiver<Typed>,
    stage: &Stage,
    teller: &mut Teller,
    daemon: &Daemon,
) -> anyhow::Result<bool> {
    for typed in typed.try_iter() {
        match typed {
            Typed::Start(name) => {
                if let Err(why) = stage.start(&name, now()) {
                    teller.refuse(&why)?;
                }
            }
            Typed::Link => teller.link(&login(daemon)?)?,
            Typed::Help => teller.keys()?,
            Typed::Quit => return Ok(true),
        }
    }
    stage.untold(now()).iter().try_for_each(|text| teller.act(text))?;
    Ok(false)
}

/// The dashboard's address with a link that opens one session of the administrator.
fn login(daemon: &Daemon) -> anyhow::Result<String> {
    let access = Access::open(&daemon.folder().join(STATE)).context("cannot make a link to log in")?;
    let link = access.make_link("admin", Clock::start().now()).context("cannot make a link to log in")?;
    Ok(format!("{}/#/login/{}", daemon.api(), link.secret))
}

fn start(
    script: &Script,
    (border, log): (SocketAddr, SocketAddr),
    interrupt: &Interrupt,
) -> anyhow::Result<Daemon> {
    let program = std::env::current_exe().context("cannot find my own program")?;
    let mut places = Ok(());
    let write = |folder: &Path| {
        places = std::fs::write(folder.join(PLACES), sim::places::TABLE);
        configuration(script, (border, log), folder)
    };
    let daemon = Daemon::start("spillway-demo", Command::new(program), write, interrupt)?;
    places.context("cannot write the table of places")?;
    Ok(daemon)
}

/// Rules go to the border by themselves, for all in this world are its own; a blackhole takes two persons. After an attack they are
/// held for seconds, where others hold for minutes: who looks shall see them go.
fn routing(border: SocketAddr) -> String {
    let exporters: Vec<String> = (0..ROUTERS).map(|n| format!("\"{}\"", border::address(n))).collect();
    let (asn, hold, exporters) = (border::ASN, border::HOLD_SECS, exporters.join(", "));
    format!(
        r#"
[routing]
asn = {asn}
router_id = "192.0.2.1"

[routing.approvals]
flowspec = "automatic"
blackhole = 2

[routing.ladder]
steps = ["flowspec"]
hold = "10s"
settle = "2s"

[routing.links.transit]
capacity = "100 Gbps"
exporters = [{exporters}]

[routing.peers.border]
address = "{border}"
asn = {asn}
local = "127.0.0.1"
hold_time = "{hold}s"
carries = ["blackhole", "flowspec"]
rate_packets = true
blackhole_next_hop = "192.0.2.66"
blackhole_next_hop6 = "2001:db8::66"
"#
    )
}

fn configuration(script: &Script, (border, log): (SocketAddr, SocketAddr), folder: &Path) -> String {
    let networks: Vec<String> = script.networks().iter().map(|network| format!("\"{network}\"")).collect();
    // JSON's strings are TOML's basic strings.
    let path = |name: &str| serde_json::Value::String(folder.join(name).display().to_string());
    format!(
        "networks = [{}]\nstate_dir = {}\nmode = \"enforce\"\n\n\
         [listen]\nsflow = \"127.0.0.1:0\"\n\n\
         [api]\nlisten = \"127.0.0.1:0\"\nbanner = \"DEMO DATA\"\nstage = {}\n\n\
         [intel]\nplaces = [{}]\n\n[evidence]\nrecord = true\nspace = \"100 MiB\"\n\n\
         [notify.log]\nkind = \"syslog\"\ntarget = \"udp://{log}\"\n{}",
        networks.join(", "),
        path(STATE),
        path(SOCKET),
        path(PLACES),
        routing(border),
    )
}
