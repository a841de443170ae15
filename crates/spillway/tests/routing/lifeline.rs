//! A link that drops nearly everything in the middle of announcements: the session or its graceful restart holds what is
//! announced, and nothing flaps.

use nix::sched::{CloneFlags, setns};

use super::daemons::{Daemon, Kind, Options, run};
use super::*;

pub(super) const OURS_THERE: &str = "10.99.0.2";
pub(super) const THEIRS_THERE: &str = "10.99.0.1";
/// Of a hundred packets, so many are lost.
const LOSS: u32 = 95;

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lossy {
    /// What comes in: the uplink is full of the attack.
    In,
    /// What goes out: the uplink is full of what answers it.
    Out,
    /// Both.
    Both,
}

/// Two namespaces and a cable between them, that go with the test.
pub(super) struct Cable {
    pub(super) ours: String,
    pub(super) theirs: String,
}

impl Cable {
    pub(super) fn new(name: &str) -> Option<Self> {
        let id = std::process::id();
        let cable = Self { ours: format!("spw-{name}-{id}-a"), theirs: format!("spw-{name}-{id}-b") };
        let made = std::process::Command::new("ip").args(["netns", "add", &cable.ours]).output();
        if !made.is_ok_and(|output| output.status.success()) {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "namespaces need root");
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        run("ip", &["netns", "add", &cable.theirs]);
        let cable_ends = ["link", "add", "near", "netns", &cable.ours, "type", "veth", "peer", "name", "far"];
        run("ip", &[&cable_ends[..], &["netns", &cable.theirs]].concat());
        for (namespace, end, address) in
            [(&cable.ours, "near", OURS_THERE), (&cable.theirs, "far", THEIRS_THERE)]
        {
            run("ip", &["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", end]);
            for link in [end, "lo"] {
                run("ip", &["-n", namespace, "link", "set", link, "up"]);
            }
        }
        Some(cable)
    }

    fn nft(&self, text: &str) {
        run("ip", &[&["netns", "exec", &self.ours, "nft"][..], &[text]].concat());
    }

    /// From now on, most packets are lost.
    fn spoil(&self, lossy: Lossy) {
        let hook = |name: &str| {
            format!(
                "add chain inet loss {name} {{ type filter hook {name} priority 0; }}; \
                 add rule inet loss {name} numgen random mod 100 < {LOSS} counter drop;"
            )
        };
        let hooks = match lossy {
            Lossy::In => hook("input"),
            Lossy::Out => hook("output"),
            Lossy::Both => hook("input") + &hook("output"),
        };
        self.nft(&format!("add table inet loss; {hooks}"));
        let listed = run("ip", &["netns", "exec", &self.ours, "nft", "list", "table", "inet", "loss"]);
        assert_eq!(listed.matches("drop").count(), if lossy == Lossy::Both { 2 } else { 1 }, "{listed}");
    }

    fn mend(&self) {
        self.nft("delete table inet loss");
    }

    /// Starts a speaker there.
    fn speaker(&self, neighbor: Neighbor) -> Speaker {
        let place = std::fs::File::open(format!("/run/netns/{}", self.ours)).unwrap();
        // A thread of its own enters; the speaker's thread inherits.
        let start = move || {
            setns(place, CloneFlags::CLONE_NEWNET).unwrap();
            Speaker::start(vec![neighbor]).unwrap()
        };
        std::thread::spawn(start).join().unwrap()
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.ours]);
        run("ip", &["netns", "del", &self.theirs]);
    }
}

/// The hold time, the patience with a silent peer and how long the link is bad, in seconds.
fn lives_through(kind: Kind, lossy: Lossy, (hold_time, patience): (u16, u16), bad: u64) {
    let Some(cable) = Cable::new(&format!("life{}{lossy:?}", kind.name()).to_lowercase()) else { return };
    let options = Options {
        restarts: true,
        between: Some((THEIRS_THERE, OURS_THERE)),
        namespace: Some(&cable.theirs),
        ..Options::default()
    };
    let Some(daemon) = Daemon::start(kind, options) else { return };
    let mut neighbor = neighbor(daemon.port);
    neighbor.address.set_ip(THEIRS_THERE.parse().unwrap());
    neighbor.local = Some(OURS_THERE.parse().unwrap());
    (neighbor.settings.hold_time, neighbor.settings.restart_time) = (hold_time, Some(900));
    neighbor.settings.patience = patience;
    let speaker = cable.speaker(neighbor);
    let mut announced: Vec<String> = Vec::new();
    let mut announce = |number: u32| {
        let host = format!("198.51.100.{number}/32");
        speaker.announce("peer", blackhole(&host)).unwrap();
        announced.push(host);
        announced.sort();
        announced.clone()
    };
    (0..20).for_each(|number| drop(announce(number)));
    let name = kind.name();
    wait(&format!("{name} has twenty"), || daemon.view().blackholes.len() == 20);
    wait("proof", || status(&speaker).unproven == 0);
    let twenty = daemon.view().blackholes;
    cable.spoil(lossy);
    let (began, mut next, mut most) = (Instant::now(), 20, 20);
    while began.elapsed() < Duration::from_secs(bad) {
        if next < 40 && began.elapsed().as_secs() * 20 / bad >= u64::from(next - 20) {
            announce(next);
            next += 1;
        }
        let view = daemon.view().blackholes;
        let lost: Vec<&String> = twenty.iter().filter(|host| !view.contains(host)).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?} after {:?}", began.elapsed());
        most = most.max(view.len());
        std::thread::sleep(Duration::from_millis(250));
    }
    let during = status(&speaker);
    println!(
        "{name}: {bad} s of {LOSS} % loss ({lossy:?}), hold time {hold_time} s: {} sessions, last end: {:?}, {} of {} there before it was over",
        during.ups, during.last_down, most, next
    );
    assert_eq!(during.quarantine, [], "a bad link is no bad rule");
    cable.mend();
    let all = announced.clone();
    wait(&format!("{name} has all"), || daemon.view().blackholes == all);
    assert_eq!(status(&speaker).quarantine, []);
    drop(speaker);
    wait("the end", || daemon.view().blackholes.is_empty());
}

/// A hold time of seconds, so that it runs out within the test.
mod net {
    use super::*;

    #[test]
    fn a_link_that_loses_nearly_all_costs_gobgpd_no_mitigation() {
        lives_through(Kind::Gobgp, Lossy::Both, (9, 0), 30);
    }

    /// BIRD 2.0 knows nothing of RFC 8538: when its hold time is over, or a handshake takes longer, it lets go of all. The
    /// session has to live, so its hold time is that of a profile.
    #[test]
    fn a_link_that_loses_nearly_all_for_less_than_the_hold_time_costs_bird_no_mitigation() {
        lives_through(Kind::Bird, Lossy::Both, (240, 900), 40);
    }

    #[test]
    fn a_link_that_loses_nearly_all_costs_frr_no_mitigation() {
        lives_through(Kind::Frr, Lossy::Both, (9, 0), 30);
    }

    #[test]
    #[ignore = "five minutes each, by hand: the hold time of a profile and a real flood's length"]
    fn five_minutes_of_it_cost_no_mitigation() {
        std::thread::scope(|scope| {
            for (kind, hold_time) in [(Kind::Gobgp, 90), (Kind::Bird, 240), (Kind::Frr, 90)] {
                for lossy in [Lossy::In, Lossy::Out, Lossy::Both] {
                    // Where acknowledgements are lost too, nothing resets its hold timer, and only that of 240 s is its own.
                    if (kind, lossy) != (Kind::Bird, Lossy::Both) {
                        scope.spawn(move || lives_through(kind, lossy, (hold_time, 900), 300));
                    }
                }
            }
        });
    }
}
