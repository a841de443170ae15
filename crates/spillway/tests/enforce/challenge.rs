//! The daemon challenges by itself: a flood of SYNs that look like those of real clients, and real clients among them.

use std::time::Duration;

use serde_json::Value;

use super::{Lab, Talker, answered};
use crate::daemon::{Daemon, wait, wait_for};
use crate::dataplane::{run, succeeds};
use crate::support::Scratch;

/// `serve` answers over TCP; `connect` connects again and again from thirty addresses, so many times a second, and counts
/// how often it was answered; `flood` sends SYNs from anywhere as Linux writes them, or with another window.
const TALK: &str = r"
import random,select,socket,struct,sys,threading,time
def family(address): return socket.AF_INET6 if ':' in address else socket.AF_INET
def serve(address):
    s=socket.socket(family(address)); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
    s.bind((address,8080)); s.listen(512); print('ready',flush=True)
    def talk(c):
        try:
            while (b:=c.recv(65536)): c.sendall(b)
        except OSError: pass
        c.close()
    while True: threading.Thread(target=talk,args=(s.accept()[0],),daemon=True).start()
def connect(address,base,rate):
    ok=bad=n=0; begun=time.time(); print('ready',flush=True)
    while True:
        ahead=n/float(rate)-(time.time()-begun); n+=1
        if select.select([sys.stdin],[],[],max(0,ahead))[0]: break
        m=random.randbytes(random.randint(20,400))
        try:
            with socket.create_connection((address,8080),timeout=3,source_address=(base+str(random.randint(1,30)),0)) as c:
                c.sendall(m); got=b''
                while len(got)<len(m):
                    b=c.recv(65536)
                    if not b: break
                    got+=b
                ok+=got==m; bad+=got!=m
        except OSError as e: bad+=1; print(e,file=sys.stderr)
    print(ok,bad,flush=True)
def checksum(b):
    c=sum(struct.unpack('!%dH'%(len(b)//2),b)); c=(c&0xffff)+(c>>16); return ~((c&0xffff)+(c>>16))&0xffff
def flood(name,mac,address,seconds,rate,window):
    seconds,rate=float(seconds),int(rate)
    s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((name,0)); frames=[]
    head=bytes.fromhex(mac.replace(':',''))+bytes.fromhex('020000000002')
    to=socket.inet_pton(family(address),address); six=':' in address; window=int(window) or (64800 if six else 64240)
    for i in range(40000):
        src=bytes([random.choice([11,23,45,77,91])]+[random.randint(1,250) for _ in range(3)])
        if six: src=bytes.fromhex('20010db8')+src+random.randbytes(8)
        options=struct.pack('!BBHBBBBIIBBBB',2,4,1440 if six else 1460,4,2,8,10,random.randrange(1<<32),0,1,3,3,7)
        tcp=struct.pack('!HHIIBBHHH',random.randint(32768,60999),8080,random.randrange(1<<32),0,0xa0,2,window,0,0)+options
        c=checksum(src+to+struct.pack('!HH',6,len(tcp))+tcp)
        tcp=tcp[:16]+struct.pack('!H',c)+tcp[18:]
        if six:
            frames.append(head+b'\x86\xdd'+struct.pack('!IHBB',6<<28|random.randrange(1<<20),40,6,64)+src+to+tcp); continue
        ip=struct.pack('!BBHHHBBH',0x45,0,60,random.randrange(65536),0x4000,64,6,0)+src+to
        frames.append(head+b'\x08\x00'+ip[:10]+struct.pack('!H',checksum(ip))+ip[12:]+tcp)
    print('ready',flush=True); begun=time.time(); n=0
    while time.time()-begun<seconds:
        for _ in range(20):
            if n%40000==0: random.shuffle(frames)
            try: s.send(frames[n%40000])
            except OSError: pass
            n+=1
        ahead=n/rate-(time.time()-begun)
        if ahead>0: time.sleep(ahead)
    print(n,flush=True)
{'serve':serve,'connect':connect,'flood':flood}[sys.argv[1]](*sys.argv[2:])
";

/// A program on the other end of the wire, which takes what a driver sends back only then; it goes with the test.
struct Other(String);

impl Other {
    fn of(lab: &Lab) -> Self {
        let spillway = env!("CARGO_BIN_EXE_spillway");
        let attached =
            Lab::command(&lab.there, spillway).args(["dataplane", "attach", &lab.outside, "--yes"]).output();
        assert!(attached.is_ok_and(|output| output.status.success()));
        Self(lab.outside.clone())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = run(env!("CARGO_BIN_EXE_spillway"), &["dataplane", "detach", &self.0]);
    }
}

/// The stage: a server here, clients there, a daemon that has seen for a while how many SYNs are usual.
struct Stage {
    lab: Lab,
    daemon: Daemon,
    honest: Talker,
    told: std::cell::RefCell<String>,
    _server: Talker,
    _other: Other,
    _scratch: Scratch,
}

impl Stage {
    /// `top` stands at the beginning of the daemon's configuration.
    fn set(name: &str, net: u8, v6: bool, cookies: u8, top: &str) -> Option<Self> {
        let mut lab = Lab::new(name, net)?;
        lab.v6 = v6;
        // A bare Debian has no `sysctl`.
        let set = format!("echo {cookies} > /proc/sys/net/ipv4/tcp_syncookies");
        assert!(succeeds("ip", &["netns", "exec", &lab.here.0, "sh", "-c", &set]));
        let other = Other::of(&lab);
        let scratch = Scratch::new(&format!("enforce-{name}"));
        let text = std::fs::read_to_string(lab.config(&scratch, "enforce", "")).unwrap();
        let config = scratch.file("spillway.toml", format!("{top}{text}").as_bytes());
        let (server, base) = (lab.server(), lab.client(1));
        let base = base.strip_suffix('1').unwrap();
        let serves = Lab::talk_in(&lab.here, TALK, &["serve", &server]);
        let daemon = lab.daemon(&config);
        let honest = Lab::talk_in(&lab.there, TALK, &["connect", &server, base, "100"]);
        std::thread::sleep(Duration::from_secs(25));
        assert_eq!(lab.left("challenged"), 0, "in peace nobody is asked");
        let told = std::cell::RefCell::default();
        Some(Self { lab, daemon, honest, told, _server: serves, _other: other, _scratch: scratch })
    }

    /// With this window; 0: the one that clients show.
    fn flood(&self, seconds: &str, window: &str) -> Talker {
        let lab = &self.lab;
        let (mac, server) = (lab.mac(), lab.server());
        Lab::talk_in(&lab.there, TALK, &["flood", &lab.outside, &mac, &server, seconds, "20000", window])
    }

    /// How many sources of the attack have each verdict.
    fn verdicts(&self, attack: &Value) -> Value {
        let path = format!("/api/v1/attacks/{}/sources?limit=1", attack.as_str().unwrap());
        let page: Value = serde_json::from_str(&self.lab.ask(&self.daemon, &path)).unwrap_or_default();
        page["verdicts"].clone()
    }

    /// All rules; how they stand is in the test's output, where it fails.
    fn rules(&self) -> Vec<Value> {
        let rules = self.lab.items(&self.daemon, "/api/v1/rules");
        let of = |rule: &Value| format!("{} {} ({})", rule["text"], rule["state"], rule["reason"]);
        let now = rules.iter().map(of).collect::<Vec<_>>().join("; ");
        if *self.told.borrow() != now {
            println!("rules: {now}");
            self.told.replace(now);
        }
        rules
    }

    /// A rule of this action in this state.
    fn rule(&self, action: &str, state: &str) -> Value {
        wait(&format!("a rule: {action}, {state}"), || {
            let rules = self.rules();
            rules.into_iter().find(|rule| rule["action"] == action && rule["state"] == state)
        })
    }
}

fn challenges_a_flood(name: &str, net: u8, v6: bool, top: &str) {
    let Some(stage) = Stage::set(name, net, v6, 2, top) else { return };
    let lab = &stage.lab;
    let mut flood = stage.flood("20", "0");
    wait("challenges", || (lab.left("challenged") > 20_000).then_some(()));
    assert!(flood.goes_on(), "they begin while the flood goes on");
    let rule = stage.rule("challenge", "active");
    let text = rule["text"].as_str().unwrap();
    println!("{text}");
    assert!(text.contains(&format!("dst {}/", lab.server())), "{text}");
    assert!(text.contains("-> challenge above "), "what is usual was learned: {text}");
    // Nothing tells the flood from clients: nothing drops it, and a limit on all who open, which is sure to hit them, waits.
    let limit = stage.rule("rate", "suggested");
    assert!(limit["reason"].as_str().unwrap().contains("more honest traffic"), "{limit}");
    assert!(stage.rules().iter().all(|rule| rule["action"] != "drop"));
    // Who brought a cookie back is no forger, and the kernel knows: also where the daemon itself may not ask it.
    wait("word of who brought a cookie back", || {
        (lab.metric(&stage.daemon, "spillway_intel_sources_proven") >= 20.0).then_some(())
    });
    wait("their verdict", || {
        let verdicts = stage.verdicts(&rule["attack"]);
        println!("{verdicts}");
        (verdicts["legitimate"]["sources"].as_u64() >= Some(20)).then_some(())
    });
    let sent: u64 = flood.end().parse().unwrap();
    let (challenged, quiet, dropped) = (lab.left("challenged"), lab.left("quiet"), lab.left("dropped"));
    println!(
        "of {sent} SYNs of the flood, and those of clients: {challenged} challenged, {quiet} below what is usual, {dropped} dropped"
    );
    assert!(challenged * 10 > sent * 8, "{challenged} of {sent}");

    // A quarter of a minute after the last of them the attack is over, and nobody is asked any more.
    wait_for("the rule to go", Duration::from_secs(120), || {
        let over = lab.items(&stage.daemon, "/api/v1/attacks").iter().all(|attack| attack["state"] == "over");
        (lab.status()?["rules"].as_array()?.is_empty() && over).then_some(())
    });
    let before = lab.left("challenged");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(lab.left("challenged"), before, "honest clients connect and nobody asks them");
    assert_eq!(lab.metric(&stage.daemon, "spillway_dataplane_as_wanted"), 1.0);
    let (ok, bad) = answered(&stage.honest.end());
    println!("{ok} honest connections answered, {bad} not");
    assert!(ok > 3000 && bad * 200 <= ok, "{ok} answered, {bad} not");
    stage.daemon.signal("-TERM");
    let (code, errors) = stage.daemon.ended();
    assert_eq!(code, Some(0), "{errors}");
}

#[test]
fn a_flood_of_syns_is_challenged_by_the_daemon_itself_and_nobody_else_is() {
    challenges_a_flood("y", 82, false, "");
}

#[test]
fn a_flood_of_syns_over_ipv6_is_challenged_likewise() {
    challenges_a_flood("z", 83, true, "user = \"nobody\"\n");
}

#[test]
fn where_the_kernel_takes_no_cookies_back_the_setting_is_named_and_drop_rules_act() {
    let Some(stage) = Stage::set("k", 84, false, 1, "") else { return };
    let _flood = stage.flood("15", "1024");
    let cannot = stage.rule("challenge", "failed");
    let reason = cannot["reason"].as_str().unwrap();
    assert!(reason.contains("net.ipv4.tcp_syncookies is 1"), "{reason}");
    let drop = stage.rule("drop", "active");
    assert!(drop["text"].as_str().unwrap().contains("window 1024"), "{drop}");
    wait("drops", || (stage.lab.left("dropped") > 1000).then_some(()));
    assert_eq!(stage.lab.left("challenged"), 0);
    assert_eq!(stage.lab.metric(&stage.daemon, "spillway_dataplane_as_wanted"), 0.0);
    stage.daemon.signal("-TERM");
    let (_, errors) = stage.daemon.ended();
    let first = errors.lines().find(|line| line.contains("tcp_syncookies is 1")).unwrap_or_default();
    assert!(first.contains("will not be challenged"), "said in peace already: {errors}");
}
