//! `challenge` rules before real clients: three namespaces, a client, a gateway with the programs, a server behind it.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Scratch, stderr};

/// Serves what it is sent; asks so many times over fresh connections and says how many went well.
pub(crate) const TALK: &str = r"
import socket,sys,threading
def serve():
    s=socket.create_server(('::',8080),family=socket.AF_INET6,dualstack_ipv6=True,backlog=512)
    print('ready',flush=True)
    def talk(c):
        try:
            while (b:=c.recv(65536)): c.sendall(b)
        except OSError: pass
        c.close()
    while True: threading.Thread(target=talk,args=(s.accept()[0],),daemon=True).start()
def ask(address,count):
    good=0
    for i in range(count):
        try:
            with socket.create_connection((address,8080),timeout=10) as c:
                c.sendall(b'x'*3000)
                got=b''
                while len(got)<3000:
                    b=c.recv(65536)
                    if not b: break
                    got+=b
                good+=got==b'x'*3000
        except OSError as e: print(e,file=sys.stderr)
    print(good)
{'serve':serve,'ask':lambda: ask(sys.argv[2],int(sys.argv[3]))}[sys.argv[1]]()
";

/// The three of them; they go with the test.
pub(crate) struct Lab {
    id: String,
    servers: Vec<Child>,
}

fn run(program: &str, args: &[&str]) -> Option<Output> {
    crate::dataplane::run(program, args).filter(|output| output.status.success())
}

impl Lab {
    /// `None`, with the reason on standard error, where this machine cannot.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let id = format!("{name}{}", std::process::id() % 10_000);
        let mut lab = Self { id, servers: Vec::new() };
        if lab.make().is_none() {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "network namespaces, iproute2, nftables and python3 are needed"
            );
            eprintln!("skipped: needs root, network namespaces, iproute2, nftables and python3");
            return None;
        }
        for place in ["server", "gateway"] {
            let mut child =
                lab.command(place, "python3", &["-c", TALK, "serve"]).stdout(Stdio::piped()).spawn().unwrap();
            let mut ready = [0; 6];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
            lab.servers.push(child);
        }
        Some(lab)
    }

    fn make(&self) -> Option<()> {
        for place in ["client", "gateway", "server"] {
            run("ip", &["netns", "add", &self.place(place)])?;
            self.sh(place, "ip link set lo up")?;
        }
        self.sh("gateway", "nft list tables")?;
        for (near, far, place, net) in [("c", "x", "client", 1), ("s", "y", "server", 2)] {
            let (near, far) = (self.name(near), self.name(far));
            let other = self.place(place);
            self.sh(
                "gateway",
                &format!("ip link add {near} type veth peer name {far} && ip link set {far} netns {other}"),
            )?;
            self.sh(
                "gateway",
                &format!("ip address add 10.{net}.0.1/24 dev {near} && ip address add fd0{net}::1/64 dev {near} nodad && ip link set {near} up"),
            )?;
            self.sh(
                place,
                &format!(
                    "ip address add 10.{net}.0.2/24 dev {far} && ip address add fd0{net}::2/64 dev {far} nodad && \
                     ip link set {far} up && ip route add default via 10.{net}.0.1 && ip -6 route add default via fd0{net}::1"
                ),
            )?;
        }
        // Answers are sent by the driver; the other end of a virtual pair takes them only where it has a program too.
        let far = self.name("x");
        let attached = self.spillway("client", &["attach", &far]);
        attached.status.success().then_some(())
    }

    pub(crate) fn name(&self, short: &str) -> String {
        format!("{short}{}", self.id)
    }

    pub(crate) fn place(&self, place: &str) -> String {
        format!("spillway-{place}-{}", self.id)
    }

    pub(crate) fn command(&self, place: &str, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.place(place))).arg(program).args(args);
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    pub(crate) fn sh(&self, place: &str, script: &str) -> Option<String> {
        let output = self.command(place, "sh", &["-c", script]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn spillway(&self, place: &str, args: &[&str]) -> Output {
        self.command(place, env!("CARGO_BIN_EXE_spillway"), &[&["dataplane"][..], args].concat())
            .output()
            .unwrap()
    }

    pub(crate) fn attach(&self, args: &[&str]) -> Output {
        self.spillway("gateway", &[&["attach", &self.name("c")][..], args].concat())
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.spillway("gateway", &["status", &self.name("c"), "-o", "json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Packets that left at a place.
    pub(crate) fn left(&self, place: &str) -> u64 {
        let status = self.status();
        let all = status["packets"].as_array().unwrap();
        all.iter().find(|p| p["left"] == place).unwrap()["packets"].as_u64().unwrap()
    }

    /// How many of so many connections went well.
    fn ask(&self, address: &str, count: u32) -> u32 {
        let output = self
            .command("client", "python3", &["-c", TALK, "ask", address, &count.to_string()])
            .output()
            .unwrap();
        eprint!("{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.servers {
            let _ = child.kill();
            let _ = child.wait();
        }
        for (place, name) in [("gateway", "c"), ("client", "x")] {
            let _ = self.spillway(place, &["detach", &self.name(name)]);
        }
        for place in ["client", "gateway", "server"] {
            let _ = run("ip", &["netns", "del", &self.place(place)]);
        }
    }
}

const RULES: &[u8] = b"syn proto tcp dst-port 8080 tcp-flags syn/syn+ack -> challenge\n";
const FORWARD: &str =
    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";

#[test]
fn what_a_gateway_forwards_is_opened_by_the_kernels_proxy() {
    let Some(lab) = Lab::new("g") else { return };
    let scratch = Scratch::new("challenges-g");
    let rules = scratch.file("rules.txt", RULES);
    lab.sh("gateway", "echo 2 > /proc/sys/net/ipv4/tcp_syncookies").unwrap();
    let refused = lab.attach(&["--rules", &rules, "--challenge", "gateway"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("net.ipv4.ip_forward"), "{}", stderr(&refused));
    lab.sh("gateway", FORWARD).unwrap();
    let attached = lab.attach(&["--rules", &rules]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    let loose = || lab.sh("gateway", "cat /proc/sys/net/netfilter/nf_conntrack_tcp_loose").unwrap();
    assert_eq!(loose().trim(), "0");
    let mut asked = 0;
    for timestamps in ["1", "0"] {
        lab.sh("client", &format!("echo {timestamps} > /proc/sys/net/ipv4/tcp_timestamps")).unwrap();
        // Behind the gateway, and its own listener.
        for address in ["10.2.0.2", "fd02::2", "10.1.0.1", "fd01::1"] {
            assert_eq!(lab.ask(address, 20), 20, "{address}, timestamps {timestamps}: {}", lab.status());
            asked += 20;
        }
    }
    assert!(lab.left("challenged") >= asked, "{}", lab.status());
    let proxied = lab.sh("gateway", "cat /proc/net/stat/synproxy").unwrap();
    let valid = |line: &str| u64::from_str_radix(line.split_whitespace().nth(3).unwrap(), 16).unwrap();
    let valid: u64 = proxied.lines().skip(1).map(valid).sum();
    assert!(valid >= 80, "half of them are the proxy's: {proxied}");
    let status = lab.status();
    assert_eq!(status["proven"], 2, "one client, two addresses: {status}");
    let cookies = status["proofs"].as_array().unwrap().iter().find(|one| one["how"] == "cookie").unwrap();
    assert!(cookies["count"].as_u64().unwrap() >= 2, "{status}");
    // Other programs have other sets; the old ones' chain is gone.
    assert!(lab.attach(&["--rules", &rules, "--reload"]).status.success());
    assert_eq!(
        lab.sh("gateway", "nft list table inet spillway_gateway").unwrap().matches("chain").count(),
        1
    );
    assert_eq!(lab.ask("10.2.0.2", 5), 5, "{}", lab.status());
    // Going back goes back to a set with its proxy.
    let other = scratch.file("other.txt", b"d proto udp -> drop\n");
    assert!(lab.attach(&["--rules", &other]).status.success());
    assert!(lab.spillway("gateway", &["rollback", &lab.name("c")]).status.success());
    assert_eq!(lab.ask("10.2.0.2", 5), 5, "{}", lab.status());
    let detached = lab.spillway("gateway", &["detach", &lab.name("c")]);
    assert!(detached.status.success(), "{}", stderr(&detached));
    assert_eq!(lab.sh("gateway", "nft list tables").unwrap().trim(), "", "nothing stays behind");
    assert_eq!(loose().trim(), "1", "what was set before is set again");
    assert_eq!(lab.ask("10.2.0.2", 5), 5);
}

#[test]
fn who_sees_what_arrives_only_lets_real_clients_in() {
    let Some(lab) = Lab::new("r") else { return };
    let scratch = Scratch::new("challenges-r");
    let rules = scratch.file("rules.txt", RULES);
    lab.sh("gateway", FORWARD).unwrap();
    for (mode, places) in
        [("reset", ["challenged", "echoed", "proven"]), ("first", ["first", "repeated", "proven"])]
    {
        let attached = lab.attach(&["--rules", &rules, "--challenge", mode, "--reload"]);
        assert!(attached.status.success(), "{}", stderr(&attached));
        for address in ["10.2.0.2", "fd02::2"] {
            assert_eq!(lab.ask(address, 10), 10, "{mode} {address}: {}", lab.status());
        }
        for place in places {
            assert!(lab.left(place) >= 2, "{mode}, {place}: {}", lab.status());
        }
    }
}
