//! What becomes of our routes when the speaker ends in each of the ways it can: what the profile promises, at each daemon.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::daemons::{Daemon, KINDS, Kind, Options};
use super::*;

const WAY: &str = "SPILLWAY_MORTAL";

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    Panic,
    Terminate(Farewell),
}

/// A speaker in a process of its own.
struct Mortal(Child);

impl Mortal {
    /// Comes up with one blackhole.
    fn start(port: u16, restart_time: Option<u16>, farewell: Farewell, restarting: bool, host: &str) -> Self {
        let (time, keep) = (restart_time.unwrap_or(0), u8::from(farewell == Farewell::Keep));
        let way = format!("{port} {time} {keep} {} {host}", u8::from(restarting));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "routing::falls::a_mortal_speaker", "--ignored", "--nocapture"])
            .env(WAY, way)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut mortal = Self(child);
        let lines = BufReader::new(mortal.0.stdout.take().unwrap()).lines();
        // The last it says: it goes on without anybody who listens.
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with("announced")), "it came up");
        mortal
    }

    fn end(mut self, end: End) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        match end {
            End::Kill => self.0.kill().unwrap(),
            End::Panic => self.0.stdin.take().unwrap().write_all(b"panic\n").unwrap(),
            End::Terminate(_) => kill(pid, Signal::SIGTERM).unwrap(),
        }
        self.0.wait().unwrap();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the process that the others here start and end"]
fn a_mortal_speaker() {
    let way = std::env::var(WAY).unwrap();
    let [port, time, keep, restarting, host] = way.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let mut neighbor = neighbor(port.parse().unwrap());
    neighbor.settings.restart_time = Some(time.parse().unwrap()).filter(|time| *time > 0);
    neighbor.settings.on_stop = if keep == "1" { Farewell::Keep } else { Farewell::Withdraw };
    neighbor.restarting = restarting == "1";
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM]).unwrap();
    let speaker = Arc::new(Speaker::start(vec![neighbor]).unwrap());
    speaker.announce("peer", blackhole(host)).unwrap();
    wait("the session", || status(&speaker).held == 1);
    println!("announced");
    let lent = Arc::downgrade(&speaker);
    std::thread::spawn(move || {
        signals.forever().next();
        lent.upgrade().unwrap().stop("SIGTERM");
        std::process::exit(0);
    });
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // With the speaker in its hands: unwinding drops it.
    assert!(line.is_empty(), "a panic is wanted");
}

/// ExaBGP keeps no table; what it tells when a session ends is that it is down.
const fn helps(kind: Kind) -> bool {
    !matches!(kind, Kind::Exabgp)
}

fn falls(kind: Kind) {
    let without = [(None, End::Kill), (None, End::Panic), (None, End::Terminate(Farewell::Withdraw))];
    let with = [
        (Some(120), End::Kill),
        (Some(120), End::Panic),
        (Some(120), End::Terminate(Farewell::Keep)),
        (Some(120), End::Terminate(Farewell::Withdraw)),
    ];
    side_by_side([&without[..], &with], |ways| one_after_another(kind, ways));
}

/// At one daemon, which may have kept what the one before left.
fn one_after_another(kind: Kind, ways: &[(Option<u16>, End)]) {
    let Some(daemon) = Daemon::start(kind, Options { restarts: true, ..Options::default() }) else { return };
    let mut kept_before = false;
    for (number, (restart_time, end)) in ways.iter().copied().enumerate() {
        let host = format!("198.51.100.{}/32", number + 1);
        let farewell = if let End::Terminate(farewell) = end { farewell } else { Farewell::Withdraw };
        let mortal = Mortal::start(daemon.port, restart_time, farewell, kept_before, &host);
        let name = kind.name();
        // What an earlier one left ends with End-of-RIB of the next, which does not announce it.
        wait(&format!("{name} has {host} alone before {end:?}"), || {
            daemon.view().blackholes == [host.as_str()]
        });
        mortal.end(end);
        let kept = helps(kind) && restart_time.is_some() && end != End::Terminate(Farewell::Withdraw);
        println!("{name}: {end:?}, restart time {restart_time:?}: {}", if kept { "kept" } else { "gone" });
        if kept {
            let until = Instant::now() + Duration::from_secs(3);
            while Instant::now() < until {
                assert_eq!(daemon.view().blackholes, [host.as_str()], "{name} keeps it after {end:?}");
                std::thread::sleep(Duration::from_millis(300));
            }
        } else {
            wait(&format!("{name} lets go after {end:?}"), || daemon.view().blackholes.is_empty());
        }
        kept_before = kept;
    }
}

#[test]
fn each_end_of_the_speaker_leaves_at_gobgpd_what_the_profile_promises() {
    falls(KINDS[0]);
}

#[test]
fn each_end_of_the_speaker_leaves_at_bird_what_the_profile_promises() {
    falls(KINDS[1]);
}

#[test]
fn each_end_of_the_speaker_leaves_at_frr_what_the_profile_promises() {
    falls(KINDS[2]);
}

#[test]
fn each_end_of_the_speaker_leaves_at_exabgp_what_the_profile_promises() {
    falls(KINDS[3]);
}
