//! The daemon enforces: real packets between two network namespaces, a flood among honest requests.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

mod by_hand;
mod challenge;
mod in_browser;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{Daemon, wait, wait_for};
use crate::dataplane::{Namespace, Server, run, succeeds};
use crate::support::Scratch;

/// What both ends of the wire run: `serve` answers datagrams, `ask` sends them from thirty addresses and counts what
/// comes back, `flood` sends so many forged answers of DNS servers a second for so many seconds.
const TALK: &str = r"
import random,select,socket,struct,sys,time
def family(address): return socket.AF_INET6 if ':' in address else socket.AF_INET
def serve(address):
    s=socket.socket(family(address),socket.SOCK_DGRAM); s.bind((address,8080)); print('ready',flush=True)
    while True:
        d,a=s.recvfrom(2048)
        try: s.sendto(d,a)
        except OSError: pass
def ask(address,base):
    ok=bad=0; sockets=[]
    for i in range(1,31):
        s=socket.socket(family(address),socket.SOCK_DGRAM); s.bind((base+str(i),0)); s.settimeout(1); sockets.append(s)
    print('ready',flush=True)
    while not select.select([sys.stdin],[],[],0.004)[0]:
        s=random.choice(sockets); m=random.randbytes(random.randint(20,400)); s.sendto(m,(address,8080))
        try: ok+=s.recv(2048)==m
        except OSError: bad+=1
    print(ok,bad,flush=True)
def flood(name,mac,address,seconds,rate):
    seconds,rate=float(seconds),int(rate)
    s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((name,0)); frames=[]
    head=bytes.fromhex(mac.replace(':',''))+bytes.fromhex('020000000002')
    for i in range(2000):
        src=bytes([random.choice([11,23,45,77,91])]+[random.randint(1,250) for _ in range(3)])
        udp=struct.pack('!HHHH',53,random.randint(1024,65000),488,0)+random.randbytes(2)+b'\x81\x80'+bytes(476)
        if ':' in address:
            ip=struct.pack('!IHBB',6<<28,488,17,random.randint(40,120))+bytes.fromhex('20010db8')+src+random.randbytes(8)
            frames.append(head+b'\x86\xdd'+ip+socket.inet_pton(socket.AF_INET6,address)+udp)
            continue
        ip=struct.pack('!BBHHHBBH',0x45,0,508,i,0,random.randint(40,120),17,0)+src+socket.inet_aton(address)
        c=sum(struct.unpack('!10H',ip)); c=(c&0xffff)+(c>>16); c=(c&0xffff)+(c>>16)
        frames.append(head+b'\x08\x00'+ip[:10]+struct.pack('!H',~c&0xffff)+ip[12:]+udp)
    print('ready',flush=True); begun=time.time(); n=0
    while time.time()-begun<seconds:
        for _ in range(50):
            try: s.send(frames[n%2000])
            except OSError: pass
            n+=1
        ahead=n/rate-(time.time()-begun)
        if ahead>0: time.sleep(ahead)
    print(n,flush=True)
def export(port,target,seconds):
    # NetFlow v5, one packet in a thousand: SYNs from ever other sources to one host.
    s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); print('ready',flush=True); end=time.time()+float(seconds); n=0
    while time.time()<end:
        now=time.time(); up=3600000
        d=struct.pack('!HHIIIIBBH',5,10,up,int(now),int(now%1*1e9),n,0,0,0x4000|1000)
        for i in range(10):
            d+=bytes([11]+[random.randrange(256) for _ in range(3)])+socket.inet_aton(target)+bytes(4)
            d+=struct.pack('!HHIIIIHHBBBBHHBBH',1,2,1,60,up-20,up-20,random.randint(1024,65000),443,0,2,6,0,0,0,0,0,0)
        s.sendto(d,('127.0.0.1',int(port))); n+=10; time.sleep(0.01)
{'serve':serve,'ask':ask,'flood':flood,'export':export}[sys.argv[1]](*sys.argv[2:])
";

/// Two namespaces with a wire between them: the daemon and a server here, clients and attackers there.
struct Lab {
    here: Namespace,
    there: Namespace,
    inside: String,
    outside: String,
    net: u8,
    v6: bool,
}

impl Lab {
    /// `None`, with the reason on standard error, where this machine cannot.
    fn new(name: &str, net: u8) -> Option<Self> {
        let id = std::process::id() % 10_000;
        let lab = Self {
            here: Namespace(format!("spillway-{name}-{id}")),
            there: Namespace(format!("spillway-{name}-{id}-there")),
            inside: format!("i{name}{id}"),
            outside: format!("o{name}{id}"),
            net,
            v6: false,
        };
        let (here, there) = (&lab.here.0, &lab.there.0);
        let (inside, outside) = (&lab.inside, &lab.outside);
        let mut made = succeeds("python3", &["-c", "import socket"])
            && succeeds("ip", &["netns", "add", here])
            && succeeds("ip", &["netns", "add", there])
            && succeeds(
                "ip",
                &["-n", here, "link", "add", inside, "type", "veth", "peer", "name", outside, "netns", there],
            );
        for (space, name) in [(here, inside), (there, outside)] {
            made = made
                && succeeds("ip", &["-n", space, "link", "set", "lo", "up"])
                && succeeds("ip", &["-n", space, "link", "set", name, "up"]);
        }
        for v6 in [false, true] {
            let add = |space: &str, name: &str, address: String| {
                let more: &[&str] = if v6 { &["nodad"] } else { &[] };
                succeeds("ip", &[&["-n", space, "address", "add", &address, "dev", name], more].concat())
            };
            let length = if v6 { "/48" } else { "/16" };
            made = made && add(here, inside, server(net, v6) + length);
            made = made && (1..31).all(|host| add(there, outside, client(net, v6, host) + length));
        }
        if made {
            return Some(lab);
        }
        let ci = std::env::var("CI").as_deref() == Ok("true");
        assert!(!ci, "network namespaces, iproute2 and python3 are needed");
        eprintln!("skipped: needs root, network namespaces, iproute2 and python3");
        None
    }

    fn server(&self) -> String {
        server(self.net, self.v6)
    }

    fn client(&self, host: u8) -> String {
        client(self.net, self.v6, host)
    }

    /// A command in a namespace.
    fn command(space: &Namespace, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([&format!("--net=/run/netns/{}", space.0), program]);
        command
    }

    fn talk(&self, space: &Namespace, args: &[&str]) -> Talker {
        Self::talk_in(space, TALK, args)
    }

    /// Runs a script that says when it is ready.
    fn talk_in(space: &Namespace, script: &str, args: &[&str]) -> Talker {
        let mut child = Self::command(space, "python3")
            .args(["-c", script])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "{args:?}");
        Talker { child: Server(child), out }
    }

    /// Packets that left the programs at a place.
    fn left(&self, place: &str) -> u64 {
        let status = self.status().unwrap();
        let all = status["packets"].as_array().unwrap();
        all.iter().find(|p| p["left"] == place).unwrap()["packets"].as_u64().unwrap()
    }

    /// A set of the table of nftables: its elements.
    fn elements(&self, set: &str) -> Vec<Value> {
        let args = ["-j", "list", "set", "inet", "spillway", set];
        let output = Self::command(&self.here, "nft").args(args).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let all = document["nftables"].as_array().cloned().unwrap_or_default();
        all.iter().find_map(|item| item["set"]["elem"].as_array().cloned()).unwrap_or_default()
    }

    fn honest(&self) -> (Talker, Talker) {
        let base = self.client(1);
        let base = base.strip_suffix('1').unwrap();
        let server = self.talk(&self.here, &["serve", &self.server()]);
        (server, self.talk(&self.there, &["ask", &self.server(), base]))
    }

    fn flood(&self, seconds: &str) -> Talker {
        self.talk(&self.there, &["flood", &self.outside, &self.mac(), &self.server(), seconds, "30000"])
    }

    /// The address of the inner end of the wire.
    fn mac(&self) -> String {
        let path = format!("/sys/class/net/{}/address", self.inside);
        let read = Self::command(&self.here, "cat").arg(&path).output().unwrap();
        let mut mac = String::from_utf8(read.stdout).unwrap().trim().to_owned();
        if mac.is_empty() {
            // The folder shows the namespace of whoever mounted it.
            let link = run("ip", &["-n", &self.here.0, "-br", "link", "show", &self.inside]).unwrap();
            let link = String::from_utf8(link.stdout).unwrap();
            link.split_ascii_whitespace().nth(2).unwrap().clone_into(&mut mac);
        }
        mac
    }

    fn config(&self, scratch: &Scratch, mode: &str, more: &str) -> String {
        let text = format!(
            "networks = [\"10.{0}.0.0/24\", \"fd00:0:{0}::/64\"]\nstate_dir = \"{1}\"\nmode = \"{mode}\"\n\
             [api]\nlisten = \"127.0.0.1:0\"\n[detection]\nfloor = \"low\"\nquiet = \"15s\"\n[dataplane]\ninterfaces = [\"{2}\"]\n{more}\n",
            self.net,
            scratch.path("state").display(),
            self.inside
        );
        scratch.file("spillway.toml", text.as_bytes())
    }

    fn daemon(&self, config: &str) -> Daemon {
        Daemon::begin(Self::command(&self.here, env!("CARGO_BIN_EXE_spillway")).args(["run", "-c", config]))
    }

    /// What the daemon's API says; its loopback is not ours.
    fn ask(&self, daemon: &Daemon, path: &str) -> String {
        let script =
            "import sys,urllib.request as u\nprint(u.urlopen(sys.argv[1],timeout=5).read().decode())\n";
        let url = format!("{}{path}", daemon.ready["api"].as_str().unwrap());
        let output = Self::command(&self.here, "python3").args(["-c", script, &url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn items(&self, daemon: &Daemon, path: &str) -> Vec<Value> {
        let document: Value = serde_json::from_str(&self.ask(daemon, path)).unwrap_or_default();
        document["items"].as_array().cloned().unwrap_or_default()
    }

    fn metric(&self, daemon: &Daemon, name: &str) -> f64 {
        let text = self.ask(daemon, "/metrics");
        let is = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = text.lines().filter(is);
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    fn status(&self) -> Option<Value> {
        let spillway = env!("CARGO_BIN_EXE_spillway");
        let output = run(spillway, &["dataplane", "status", &self.inside, "-o", "json"])?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Packets that rules dropped, or would have.
    fn dropped(&self) -> u64 {
        let status = self.status().unwrap_or_default();
        let rules = status["rules"].as_array().cloned().unwrap_or_default();
        rules.iter().filter_map(|rule| rule["dropped_packets"].as_u64()).sum()
    }
}

fn server(net: u8, v6: bool) -> String {
    if v6 { format!("fd00:0:{net}::1") } else { format!("10.{net}.0.1") }
}

fn client(net: u8, v6: bool, host: u8) -> String {
    if v6 { format!("fd00:0:{net}:1::{host}") } else { format!("10.{net}.1.{host}") }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = run(env!("CARGO_BIN_EXE_spillway"), &["dataplane", "detach", &self.inside]);
    }
}

/// One end of [`TALK`].
struct Talker {
    child: Server,
    out: BufReader<ChildStdout>,
}

impl Talker {
    /// Lets it end, and hears what it says at its end.
    fn end(mut self) -> String {
        drop(self.child.0.stdin.take());
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        text.trim().to_owned()
    }

    fn goes_on(&mut self) -> bool {
        let child: &mut Child = &mut self.child.0;
        child.try_wait().unwrap().is_none()
    }
}

/// Requests that were answered, and those that were not.
fn answered(text: &str) -> (u32, u32) {
    let (ok, bad) = text.split_once(' ').unwrap();
    (ok.parse().unwrap(), bad.parse().unwrap())
}

/// Each of these messages stands in the log with the attack of this rule, and what is of the rule with its id, too.
fn is_logged(log: &str, rule: &Value, messages: &[&str]) {
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for message in messages {
        let of = |line: &&Value| line["message"] == *message && line["attack_id"] == rule["attack"];
        let found: Vec<&Value> = lines.iter().filter(of).collect();
        assert!(!found.is_empty(), "`{message}` of {}:\n{log}", rule["attack"]);
        let rules = message.contains("rule");
        assert!(found.iter().all(|line| line["rule_id"].is_string() == rules), "{found:?}");
    }
    assert!(
        lines.iter().filter(|line| line["rule_id"].is_string()).all(|line| line["attack_id"].is_string()),
        "{log}"
    );
}

#[test]
fn a_flood_is_found_from_local_packets_and_dropped_while_honest_requests_are_answered() {
    let Some(lab) = Lab::new("f", 77) else { return };
    let scratch = Scratch::new("enforce-f");
    let config = lab.config(&scratch, "enforce", "[log]\nformat = \"json\"");
    let (_server, honest) = lab.honest();
    let daemon = lab.daemon(&config);
    assert_eq!(daemon.ready["enforcers"][0], "xdp");
    wait("local packets", || (lab.metric(&daemon, "spillway_ingest_flows_total") > 300.0).then_some(()));
    let status = lab.status().unwrap();
    assert_eq!(status["rules"].as_array().unwrap().len(), 0, "attached in peace, and nothing is filtered");

    let mut flood = lab.flood("20");
    wait("drops", || (lab.dropped() > 1000).then_some(()));
    assert!(flood.goes_on(), "the drops begin while the flood goes on");
    let rule = wait("a rule that acts", || {
        lab.items(&daemon, "/api/v1/rules").into_iter().find(|rule| rule["state"] == "active")
    });
    assert_eq!(rule["backend"], "xdp", "{rule}");
    assert!(rule["collateral"].is_object(), "nothing acts without a price: {rule}");

    // Killed in the middle: the kernel goes on, and the next daemon takes over what is there.
    daemon.signal("-KILL");
    let (code, log) = daemon.ended();
    assert_eq!(code, None);
    is_logged(&log, &rule, &["attack", "a rule is in force"]);
    let before = lab.dropped();
    wait("drops without a daemon", || (lab.dropped() > before + 1000).then_some(()));
    let daemon = lab.daemon(&config);
    let again = wait("the rule to act under the next daemon", || {
        lab.items(&daemon, "/api/v1/rules").into_iter().find(|one| one["state"] == "active")
    });
    assert_eq!(again["attack"], rule["attack"], "the same attack goes on");
    assert!(flood.goes_on(), "it was taken over while the flood goes on");
    assert!(lab.dropped() > before + 1000, "no gap: the set is the old one, with its counters");
    let sent: u64 = flood.end().parse().unwrap();
    let dropped = lab.dropped();
    println!("{dropped} of {sent} packets of the flood dropped");
    assert!(dropped * 10 > sent * 9, "{dropped} of {sent}");

    // A quarter of a minute after the last of them the attack is over, and its rules go.
    wait_for("the rules to go", Duration::from_secs(120), || {
        let rules = lab.status()?["rules"].as_array()?.len();
        let over = lab.items(&daemon, "/api/v1/attacks").iter().all(|attack| attack["state"] == "over");
        (rules == 0 && over).then_some(())
    });
    let (ok, bad) = answered(&honest.end());
    println!("{ok} honest requests answered, {bad} not");
    assert!(ok > 1000 && bad * 200 <= ok, "{ok} answered, {bad} not");
    assert_eq!(lab.metric(&daemon, "spillway_dataplane_as_wanted"), 1.0);
    daemon.signal("-TERM");
    let (code, errors) = daemon.ended();
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("taken over"), "{errors}");
    is_logged(&errors, &rule, &["a rule is in force", "a rule is not in force any more", "over"]);
    assert!(succeeds(env!("CARGO_BIN_EXE_spillway"), &["dataplane", "detach", &lab.inside]));
    assert!(!std::path::Path::new("/sys/fs/bpf/spillway").join(&lab.inside).exists());
}

#[test]
fn suggested_rules_are_counted_in_the_kernel_and_drop_nothing() {
    let Some(mut lab) = Lab::new("g", 78) else { return };
    lab.v6 = true;
    let scratch = Scratch::new("enforce-g");
    let config = lab.config(&scratch, "suggest", "");
    let (_server, honest) = lab.honest();
    let daemon = lab.daemon(&config);
    wait("local packets", || (lab.metric(&daemon, "spillway_ingest_flows_total") > 300.0).then_some(()));
    let flood = lab.flood("4");
    let rule = wait("a rule in dry run", || {
        lab.items(&daemon, "/api/v1/rules").into_iter().find(|rule| rule["state"] == "dry-run")
    });
    wait("packets that it would drop", || (lab.dropped() > 1000).then_some(()));
    assert_eq!(rule["backend"], "xdp");
    flood.end();
    assert_eq!(lab.left("dropped"), 0);
    assert!(lab.left("passed") > 1000);
    let (ok, _) = answered(&honest.end());
    assert!(ok > 300, "{ok}");
}

#[test]
fn a_reload_in_the_middle_of_a_flood_changes_nothing_that_acts() {
    let Some(lab) = Lab::new("r", 81) else { return };
    let scratch = Scratch::new("enforce-r");
    let config = lab.config(&scratch, "enforce", "");
    let (_server, honest) = lab.honest();
    let daemon = lab.daemon(&config);
    wait("local packets", || (lab.metric(&daemon, "spillway_ingest_flows_total") > 300.0).then_some(()));
    let flood = lab.flood("30");
    wait("drops", || (lab.left("dropped") > 1000).then_some(()));
    // The honest packets that the rule was weighed against are forgotten by a reload; its price is not.
    for _ in 0..2 {
        let heard = lab.metric(&daemon, "spillway_ingest_flows_total");
        daemon.signal("-HUP");
        wait("the next run of the daemon", || {
            let again = lab.metric(&daemon, "spillway_ingest_flows_total");
            (again > 0.0 && again < heard || again > heard + 10_000.0).then_some(())
        });
        wait("the rule of the next run", || {
            lab.items(&daemon, "/api/v1/rules").into_iter().find(|rule| rule["state"] == "active")
        });
        // Rules are derived again every second or so: longer than some of that.
        std::thread::sleep(Duration::from_secs(4));
        let (before, passed) = (lab.left("dropped"), lab.left("passed"));
        wait("more drops", || (lab.left("dropped") > before + 1000).then_some(()));
        assert!(lab.left("passed") < passed + 300, "nothing of the flood passes");
        let rules = lab.items(&daemon, "/api/v1/rules");
        assert!(rules.iter().any(|rule| rule["state"] == "active"), "{rules:?}");
    }
    flood.end();
    let (ok, _) = answered(&honest.end());
    assert!(ok > 300, "{ok}");
}

/// A field of a process's status.
fn field(process: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches(':').trim().to_owned())
}

fn helper_of(daemon: u32) -> Option<u32> {
    let folder = std::fs::read_dir("/proc").unwrap().flatten();
    let mut processes = folder.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes.find(|process| field(*process, "PPid") == Some(daemon.to_string()))
}

#[test]
fn the_daemon_has_no_privileges_and_when_it_is_killed_the_dead_man_switch_falls() {
    let Some(lab) = Lab::new("h", 79) else { return };
    let scratch = Scratch::new("enforce-h");
    let rules = scratch.file("rules.txt", b"hand dst 10.79.0.1/32 proto udp dst-port 9999 -> drop\n");
    let more = format!("dead_man_after = \"3s\"\nrules = \"{rules}\"");
    let text = std::fs::read_to_string(lab.config(&scratch, "enforce", &more)).unwrap();
    let config = scratch.file("spillway.toml", format!("user = \"nobody\"\n{text}").as_bytes());
    let (_server, _honest) = lab.honest();
    let daemon = lab.daemon(&config);
    assert!(field(daemon.id(), "Uid").is_some_and(|ids| !ids.split_ascii_whitespace().any(|id| id == "0")));
    assert_eq!(field(daemon.id(), "CapEff").as_deref(), Some("0000000000000000"));
    let helper = helper_of(daemon.id()).expect("the helper is there");
    wait("local packets", || (lab.metric(&daemon, "spillway_ingest_flows_total") > 300.0).then_some(()));
    let mut flood = lab.flood("30");
    wait("drops", || (lab.left("dropped") > 1000).then_some(()));
    // Longer than the switch waits: signs of life come through the helper.
    std::thread::sleep(Duration::from_secs(4));
    let (before, passed) = (lab.left("dropped"), lab.left("passed"));
    wait("more drops", || (lab.left("dropped") > before + 1000).then_some(()));
    assert!(lab.left("passed") < passed + 100, "nothing of the flood passes");

    let passed = lab.left("passed");
    daemon.signal("-KILL");
    daemon.ended();
    wait("the helper to end with the daemon", || field(helper, "State").is_none().then_some(()));
    wait("the flood to pass", || (lab.left("passed") > passed + 10_000).then_some(()));
    let before = lab.left("dropped");
    std::thread::sleep(Duration::from_millis(500));
    // A hair of the flood may go to the port of the rule that was made by hand.
    let fallen = lab.left("dropped");
    assert!(fallen < before + 100, "a dry run by now: {before}, {fallen}");
    let script = "import socket,sys\nfor _ in range(500):\n\
        \x20 socket.socket(socket.AF_INET,socket.SOCK_DGRAM).sendto(b'x',(sys.argv[1],9999))\n";
    let sent = Lab::command(&lab.there, "python3").args(["-c", script, &lab.server()]).status();
    assert!(sent.unwrap().success());
    assert!(lab.left("dropped") >= fallen + 500, "what was made by hand goes on");
    let before = lab.left("dropped");

    let daemon = lab.daemon(&config);
    wait("drops again", || (lab.left("dropped") > before + 1000).then_some(()));
    assert!(flood.goes_on());
    assert_eq!(lab.metric(&daemon, "spillway_dataplane_as_wanted"), 1.0);
    daemon.signal("-TERM");
    let (code, errors) = daemon.ended();
    assert_eq!(code, Some(0), "{errors}");
    // What an upgrade does: until the next one is there, the kernel goes on for as long as the switch waits.
    let before = lab.left("dropped");
    wait("drops behind a clean end", || (lab.left("dropped") > before + 1000).then_some(()));
}

#[test]
fn nftables_enforces_where_it_is_asked_for_and_its_rules_end_by_themselves() {
    let Some(lab) = Lab::new("n", 80) else { return };
    if !succeeds("nft", &["--version"]) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "nftables is needed");
        eprintln!("skipped: needs nftables");
        return;
    }
    let scratch = Scratch::new("enforce-n");
    let more = "engine = \"nftables\"\nblind = true\ndead_man_after = \"6s\"";
    let more = format!("{more}\n[listen]\nnetflow = \"127.0.0.1:0\"");
    let config = lab.config(&scratch, "enforce", &more);
    let daemon = lab.daemon(&config);
    assert_eq!(daemon.ready["enforcers"][0], "nftables");
    let port = daemon.ready["listen"][0].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let export = lab.talk(&lab.here, &["export", &port, &lab.server(), "60"]);
    let rule = wait("a rule that acts", || {
        lab.items(&daemon, "/api/v1/rules").into_iter().find(|rule| rule["state"] == "active")
    });
    assert_eq!(rule["backend"], "nftables", "{rule}");
    wait("its lease", || (!lab.elements("leases").is_empty()).then_some(()));
    assert_eq!(lab.elements("alive").len(), 1);
    // Longer than the switch waits.
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(lab.elements("alive").len(), 1, "the daemon gives signs of life");
    daemon.signal("-KILL");
    daemon.ended();
    wait("the switch to fall", || lab.elements("alive").is_empty().then_some(()));
    assert!(!lab.elements("leases").is_empty(), "the leases are not over, and act no more");
    let daemon = lab.daemon(&config);
    wait("a sign of life", || (lab.elements("alive").len() == 1).then_some(()));
    assert_eq!(lab.metric(&daemon, "spillway_dataplane_as_wanted"), 1.0);
    drop(export);
}

#[test]
fn an_interface_that_goes_and_comes_back_is_attached_again() {
    let Some(lab) = Lab::new("v", 81) else { return };
    let scratch = Scratch::new("enforce-v");
    let daemon = lab.daemon(&lab.config(&scratch, "enforce", ""));
    let as_wanted = |daemon: &Daemon| lab.metric(daemon, "spillway_dataplane_as_wanted");
    let told = |daemon: &Daemon| lab.metric(daemon, "spillway_ingest_flows_total");
    wait("the programs", || lab.status().filter(|status| status["interface_gone"] == false));
    assert_eq!(as_wanted(&daemon), 1.0);
    assert!(succeeds("ip", &["-n", &lab.here.0, "link", "del", &lab.inside]));
    wait("word of it", || (as_wanted(&daemon) == 0.0).then_some(()));
    let peer = ["type", "veth", "peer", "name", &lab.outside, "netns", &lab.there.0];
    assert!(succeeds("ip", &[&["-n", &lab.here.0, "link", "add", &lab.inside][..], &peer].concat()));
    assert!(succeeds("ip", &["-n", &lab.here.0, "link", "set", &lab.inside, "up"]));
    assert!(succeeds("ip", &["-n", &lab.there.0, "link", "set", &lab.outside, "up"]));
    wait("the programs again", || lab.status().filter(|status| status["interface_gone"] == false));
    wait("all to be well", || (as_wanted(&daemon) == 1.0).then_some(()));
    let before = told(&daemon);
    let _flood = lab.flood("10");
    wait("local packets", || (told(&daemon) > before + 100.0).then_some(()));
}
