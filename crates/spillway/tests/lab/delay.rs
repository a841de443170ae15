//! A long wire between the clients and the router: each frame arrives later, and no more of them in a second than it carries.
//! The kernels under test may have no netem, so it is made of two packet sockets.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, recv, send};
use spillway::lab::{Network, Site, Thread, inside, packet_socket};

use crate::arena::keep_to;

/// Bits a second, each way.
pub(crate) const RATE: f64 = 40e6;
/// From one end to the other.
const EACH_WAY: Duration = Duration::from_millis(25);
/// What does not fit waits at most so long, then it is lost.
const QUEUE: Duration = Duration::from_millis(100);

/// The wire, as long as this lives.
pub(crate) struct Delay {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread<()>>,
}

impl Delay {
    /// Puts it between the router's old end, which becomes a mere socket for it, and a new one.
    pub(crate) fn insert(network: &Network) -> Self {
        let old = network.uplink(Site::Clients);
        let (near, new) = (format!("{old}0"), format!("{old}1"));
        let run = |site, program: &str, args: &[&str]| network.run(site, program, args).unwrap();
        let ip = |args: &[&str]| run(Site::Router, "ip", args);
        ip(&["link", "add", &near, "type", "veth", "peer", "name", &new]);
        ip(&["address", "flush", "dev", &old]);
        for name in [&old, &near] {
            network.set(Site::Router, &format!("net.ipv6.conf.{name}.disable_ipv6"), "1").unwrap();
        }
        ip(&["address", "add", &format!("{}/24", Site::Clients.v4(1)), "dev", &new]);
        ip(&["address", "add", &format!("{}/64", Site::Clients.v6(1)), "dev", &new, "nodad"]);
        ip(&["link", "set", &near, "up"]);
        ip(&["link", "set", &new, "up"]);
        ip(&["-4", "route", "replace", "198.19.0.0/16", "via", &Site::Clients.v4(2).to_string()]);
        ip(&["-6", "route", "replace", "2001:db8:cc::/48", "via", &Site::Clients.v6(2).to_string()]);
        // Frames as they would be on a wire: whole, of ordinary length, with their sums.
        let own = network.interface(Site::Clients);
        for (site, name) in [(Site::Clients, &own), (Site::Router, &new)] {
            run(site, "ethtool", &["-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off"]);
        }
        run(Site::Clients, "ip", &["neighbour", "flush", "dev", &own]);
        let open = |name: String| {
            let open = move || packet_socket(&name).unwrap();
            Arc::new(inside(network, Site::Router, open).unwrap().join().unwrap())
        };
        let (a, b) = (open(old), open(near));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (from, to) in [(&a, &b), (&b, &a)] {
            let (late, due) = mpsc::channel();
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            let asked = Arc::clone(&stop);
            threads.push(
                inside(network, Site::Router, move || {
                    keep_to(false);
                    take(&from, &late, &asked);
                })
                .unwrap(),
            );
            threads.push(
                inside(network, Site::Router, move || {
                    keep_to(false);
                    give(&to, &due);
                })
                .unwrap(),
            );
        }
        Self { stop, threads }
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn take(from: &OwnedFd, late: &mpsc::Sender<(Instant, Vec<u8>)>, stop: &AtomicBool) {
    let mut buffer = [0; 4_096];
    let mut free = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = recv(from.as_raw_fd(), &mut buffer, MsgFlags::empty()) else { continue };
        let now = Instant::now();
        if free.saturating_duration_since(now) > QUEUE {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let takes = Duration::from_secs_f64(length as f64 * 8.0 / RATE);
        free = free.max(now) + takes;
        if late.send((free + EACH_WAY, buffer[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn give(to: &OwnedFd, due: &mpsc::Receiver<(Instant, Vec<u8>)>) {
    for (at, frame) in due {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        // A full queue loses frames, as any wire's does.
        let _ = send(to.as_raw_fd(), &frame, MsgFlags::empty());
    }
}
