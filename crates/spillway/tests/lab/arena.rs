//! A server of many threads in the lab's network, honest clients, and the data plane on the server's interface.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spillway::lab::{Network, Request, Site, Thread, dial, inside};

/// Where the server listens.
pub(crate) const PORT: u16 = 8080;
/// Connections that wait until they are accepted, half-open ones too: as nginx has it.
const BACKLOG: i32 = 511;
/// Octets that a client sends, and gets back.
pub(crate) const TALK: usize = 1_000;
/// Who serve at the same time, in each family.
const SERVERS: u32 = 8;
/// Who ask at the same time: one whose SYN was lost waits for a second, and the others go on.
const CLIENTS: u32 = 24;
/// Likewise, where few ask again and again, and others need the processor too.
const FEW: u32 = 8;

/// Everything but the flood; goes with the test.
pub(crate) struct Arena {
    pub(crate) network: Network,
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    threads: Vec<Thread<()>>,
    began: Instant,
    lost: Arc<Mutex<Vec<String>>>,
}

/// How clients connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) over_ipv6: bool,
    pub(crate) mss: Option<u32>,
    pub(crate) patience: Duration,
}

impl Arena {
    /// `None`, with the reason on standard error, where this machine cannot.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let tag = format!("{name}{}", std::process::id() % 100_000);
        let network = match Network::build(&tag) {
            Ok(network) => network,
            Err(error) => {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "{error:#}");
                eprintln!("skipped: {error:#}");
                return None;
            }
        };
        let folder = std::env::temp_dir().join(format!("spillway-arena-{tag}"));
        std::fs::create_dir_all(&folder).unwrap();
        // The kernel lets clients in that it knows from before, as long as it may; here all are strangers.
        network.set(Site::Server, "net.ipv4.tcp_no_metrics_save", "1").unwrap();
        let (stop, lost) = (Arc::default(), Arc::default());
        let mut arena = Self { network, folder, stop, threads: Vec::new(), began: Instant::now(), lost };
        // The kernel remembers addresses; what was closed in a hurry must not be in the way of who comes next.
        arena.network.set(Site::Clients, "net.ipv4.ip_local_port_range", "10000 60999").unwrap();
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        for address in any {
            let open = move || listen(SocketAddr::new(address, PORT));
            let listener = Arc::new(inside(&arena.network, Site::Server, open).unwrap().join().unwrap());
            for _ in 0..SERVERS {
                let (listener, stop) = (Arc::clone(&listener), Arc::clone(&arena.stop));
                let serve = move || serve(&listener, &stop);
                arena.threads.push(inside(&arena.network, Site::Server, serve).unwrap());
            }
        }
        Some(arena)
    }

    /// The address of the server.
    pub(crate) fn server(&self, over_ipv6: bool) -> SocketAddr {
        let to = if over_ipv6 { Site::Server.v6(2) } else { Site::Server.v4(2) };
        SocketAddr::new(to, PORT)
    }

    /// So many connections by honest clients, several at a time; how many were answered whole.
    pub(crate) fn ask(&self, count: u32, way: Way) -> u32 {
        let (next, good) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (to, start) = (self.server(way.over_ipv6), self.began);
        let threads: Vec<Thread<()>> = (0..if count < 1_000 { FEW } else { CLIENTS })
            .map(|_| {
                let (next, good, lost) = (Arc::clone(&next), Arc::clone(&good), Arc::clone(&self.lost));
                let ask = move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        let from = SocketAddr::new(client(number, way.over_ipv6), 0);
                        let request = Request { from, to, mss: way.mss, patience: way.patience };
                        let began = start.elapsed();
                        match talk(&request) {
                            Ok(_) => _ = good.fetch_add(1, Ordering::Relaxed),
                            Err(step) => {
                                let (from, to) = (began.as_secs_f32(), start.elapsed().as_secs_f32());
                                lost.lock().unwrap().push(format!("{from:.1} to {to:.1} s: {step}"));
                            }
                        }
                    }
                };
                inside(&self.network, Site::Clients, ask).unwrap()
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        good.load(Ordering::Relaxed)
    }

    /// So many flows, each begun anew from its own port as soon as it has ended. The server closes each first, so that it keeps it
    /// for a minute (TIME-WAIT).
    pub(crate) fn ask_again(&self, count: u32, way: Way) {
        let to = self.server(way.over_ipv6);
        let ask = move || {
            for number in 0..count {
                let mut from = SocketAddr::new(client(number, way.over_ipv6), 0);
                for turn in ["the first time", "anew"] {
                    let request = Request { from, to, mss: way.mss, patience: way.patience };
                    let mut stream = talk(&request).unwrap_or_else(|step| panic!("{from} {turn}: {step}"));
                    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server closes first");
                    from = stream.local_addr().unwrap();
                    drop(stream);
                    // Until the last word is acknowledged its port is not free.
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        inside(&self.network, Site::Clients, ask).unwrap().join().unwrap();
    }

    /// Connections that were not answered whole since this was asked last: when, and at which step.
    pub(crate) fn lost(&self) -> Vec<String> {
        std::mem::take(&mut self.lost.lock().unwrap())
    }

    /// A file with these rules.
    pub(crate) fn rules(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().into()
    }

    /// `spillway dataplane …` where the server is, with the server's interface.
    pub(crate) fn dataplane(&self, site: Site, args: &[&str]) -> Command {
        let mut command = self.network.command(site, env!("CARGO_BIN_EXE_spillway"));
        command.arg("dataplane").args(args).env("NO_COLOR", "1").stdout(Stdio::null());
        command
    }

    /// Puts rules in force on the server, by cookies of its own.
    pub(crate) fn protect(&self, rules: &str) {
        self.network.set(Site::Server, "net.ipv4.tcp_syncookies", "2").unwrap();
        // Else the kernel's answers would say nothing of window scaling and SACK; 2: without an offset per peer.
        self.network.set(Site::Server, "net.ipv4.tcp_timestamps", "2").unwrap();
        // What a driver sends back is taken by the other end of a virtual pair only where that has a program too.
        let other = self.network.uplink(Site::Server);
        assert!(self.dataplane(Site::Router, &["attach", &other]).status().unwrap().success());
        self.attach(&["--rules", rules]);
    }

    /// On the server's interface.
    pub(crate) fn attach(&self, args: &[&str]) {
        let name = self.network.interface(Site::Server);
        let all = [&["attach", &name][..], args].concat();
        assert!(self.dataplane(Site::Server, &all).status().unwrap().success());
    }

    /// SYNs that were answered by a cookie so far.
    pub(crate) fn challenged(&self) -> u64 {
        let name = self.network.interface(Site::Server);
        let attachment = dataplane::Attachment::open(&name).unwrap().unwrap();
        let leaves = attachment.plane().leaves().unwrap();
        leaves.iter().find(|left| left.place == "challenged").unwrap().packets
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One of 250 honest clients; their neighbours have the numbers behind them.
pub(crate) fn client(number: u32, over_ipv6: bool) -> IpAddr {
    let last = u8::try_from(number % 250 + 1).unwrap();
    if over_ipv6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xcc, 0, 0, 0, 0, u16::from(last)))
    } else {
        IpAddr::V4(Ipv4Addr::new(198, 19, 7, last))
    }
}

fn listen(at: SocketAddr) -> TcpListener {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
        sockopt,
    };
    use nix::sys::time::{TimeVal, TimeValLike as _};
    use std::os::fd::AsRawFd as _;
    let family = if at.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    // Who accepts waits in the kernel, for many that ask again and again take the processor from those who are measured; it
    // looks now and then whether it is over.
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(200)).unwrap();
    if at.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true).unwrap();
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(at)).unwrap();
    listen(&fd, Backlog::new(BACKLOG).unwrap()).unwrap();
    TcpListener::from(fd)
}

/// Gives back what it gets, or, asked by a first octet of 0, as many octets as the next eight say.
fn serve(listener: &TcpListener, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok((mut stream, _)) = listener.accept() else { continue };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
        let mut said = [0; 1 << 16];
        let mut got = 0;
        while got < TALK
            && let Ok(more) = stream.read(&mut said[got..TALK])
            && more > 0
        {
            got += more;
        }
        if said[0] == 0 {
            transfer(&mut stream, &said);
        } else if got == TALK {
            let _ = stream.write_all(&said[..TALK]);
        }
    }
}

/// Sends (second octet 0) or takes so many octets.
fn transfer(stream: &mut TcpStream, order: &[u8]) {
    let count = u64::from_be_bytes(order[2..10].try_into().unwrap());
    let mut buffer = vec![7; 1 << 16];
    let mut done = 0;
    while done < count {
        let part = usize::try_from((count - done).min(1 << 16)).unwrap();
        let went =
            if order[1] == 0 { stream.write(&buffer[..part]) } else { stream.read(&mut buffer[..part]) };
        match went {
            Ok(more) if more > 0 => done += more as u64,
            _ => return,
        }
    }
    // A last word, when all has come.
    let _ = stream.write_all(&[1]);
}

/// Opens a connection, says something and gets it back.
pub(crate) fn talk(request: &Request) -> Result<TcpStream, String> {
    let mut stream = dial(request).map_err(|error| format!("connect: {error}"))?;
    let said = [b'x'; TALK];
    stream.write_all(&said).map_err(|error| format!("write: {error}"))?;
    let mut heard = [0; TALK];
    stream.read_exact(&mut heard).map_err(|error| format!("read: {error}"))?;
    if heard == said { Ok(stream) } else { Err("another answer".into()) }
}

/// Keeps this thread to one processor, where there are several: what floods to the first, what measures to the last. Else a
/// scheduler that puts both on one for a while decides what is measured.
pub(crate) fn keep_to(first: bool) {
    let last = std::thread::available_parallelism().map_or(0, |count| count.get() - 1);
    let mut only = nix::sched::CpuSet::new();
    if last > 0 && only.set(if first { 0 } else { last }).is_ok() {
        let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &only);
    }
}
