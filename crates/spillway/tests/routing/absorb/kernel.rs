//! The absorber's kernel: it keeps to the rules that are pushed, goes on while the absorber is away, and tells of what it drops.

use std::net::UdpSocket;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use super::super::ladder::health::both;
use super::super::ladder::router::{Flood, Router, Service};
use super::acts::ladder;
use super::*;
use crate::dataplane::{Lab, left};

/// A namespace with an interface, where all lives that this thread starts from now on.
fn inside(name: &str) -> Option<Lab> {
    let lab = Lab::new(name)?;
    assert!(lab.inside_ns("ip", &["link", "set", "lo", "up"]).is_some());
    let namespace = std::fs::File::open(format!("/run/netns/{}", lab.namespace)).unwrap();
    setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    Some(lab)
}

/// An absorber on that interface, and a brain that acts.
fn scene(lab: &Lab, name: &str, top: &str) -> Option<Scene> {
    let top = format!("capacity = \"10 Gbps\"\ninterface = \"{}\"\n{top}", lab.inside);
    Scene::acting(name, &top, &declared(), &ladder("\"diversion\""))
}

/// Packets of the flood, as routers tell of them, out of an interface.
struct Packets(Child);

impl Packets {
    /// To the target of IPv4.
    fn start(interface: &str) -> Self {
        Self::to(false, interface)
    }

    /// Some 1,800 a second, all of one source.
    fn to(v6: bool, interface: &str) -> Self {
        Self::of(if v6 { "6" } else { "4" }, interface)
    }

    /// Likewise, of a kind: `4`, `6`, or those inside of tunnels, `4gre` in GRE over IPv4, `6ipip` in IPv6.
    fn of(kind: &str, interface: &str) -> Self {
        let script = "import socket,struct,sys,time\n\
            s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((sys.argv[1],0))\n\
            def udp(n): return struct.pack('!HHHH',123,5000,n,0)+bytes(n-8)\n\
            def ip(t): return socket.inet_pton(socket.AF_INET6 if ':' in t else socket.AF_INET,t)\n\
            if sys.argv[2][0]=='6':\n\
            \x20 p=b'\\x86\\xdd'+struct.pack('!IHBB',6<<28,428,17,55)+ip('2a00::9')+ip('2001:db8:1::7')+udp(428)\n\
            else:\n\
            \x20 p=b'\\x08\\x00'+struct.pack('!BBHHHBBH',0x45,0,468,0,0,55,17,0)+ip('11.7.0.1')+ip('198.51.100.7')+udp(448)\n\
            q=p[2:]\n\
            if sys.argv[2]=='4gre':\n\
            \x20 p=b'\\x08\\x00'+struct.pack('!BBHHHBBH',0x45,0,24+len(q),0,0,64,47,0)+ip('203.0.113.9')+ip('192.0.2.99')+bytes([0,0,8,0])+q\n\
            if sys.argv[2]=='6ipip':\n\
            \x20 p=b'\\x86\\xdd'+struct.pack('!IHBB',6<<28,len(q),41,64)+ip('2001:db8:ff::9')+ip('2001:db8:fe::99')+q\n\
            f=bytes.fromhex('020000000001020000000002')+p\n\
            while True:\n\
            \x20 for _ in range(20): s.send(f)\n\
            \x20 time.sleep(0.01)\n";
        Self(
            Command::new("python3")
                .args(["-c", script, interface, kind])
                .stdin(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn rules_are_pushed_into_the_absorbers_kernel_and_end_there_with_their_lease_when_both_ends_are_killed() {
    let Some(lab) = inside("abs") else { return };
    let Some(scene) = scene(&lab, "kernel", "") else { return };
    let absorber = scene.absorber.start();
    let brain = scene.house.start();
    scene.up();
    scene.divert().unwrap();
    let _packets = Packets::start(&lab.outside);
    let got = |what: &str| scene.place()[what]["pps"].as_u64().unwrap_or(0);
    // Before any rule all of it is counted, and goes back.
    wait("what comes", || got("received") > 100 && got("returned") > 100 && got("dropped") == 0);
    assert!(scene.place()["received"]["bps"].as_u64().unwrap() > 100 * 468 * 8);
    let router = Router::start(brain.listen(0));
    router.flood(Flood::Forwarded);
    wait("what is dropped", || got("dropped") > 100);
    assert!(scene.shown()["rules"].as_u64().unwrap() > 0);
    let killed = Instant::now();
    for process in [absorber, brain] {
        process.signal("-KILL");
        let _ = process.ended();
    }
    let dropped = || left(&lab.status(), "dropped");
    let (before, at) = (dropped(), killed.elapsed());
    wait("more", || dropped() > before);
    assert!(at < Duration::from_secs(10), "rules hold while their lease does");
    std::thread::sleep(Duration::from_secs(15).saturating_sub(killed.elapsed()));
    let after = dropped();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(dropped(), after, "their lease is over");
}

#[test]
fn what_comes_in_tunnels_of_named_ends_is_counted_and_filtered_as_if_it_came_by_itself() {
    both(|v6| {
        let place = if v6 { V6 } else { V4 };
        let Some(lab) = inside(if v6 { "abt6" } else { "abt4" }) else { return };
        let (end, kind) = if v6 { ("2001:db8:fe::99/64", "6ipip") } else { ("192.0.2.99/24", "4gre") };
        let add: &[&str] = &["addr", "add", end, "dev", &lab.inside];
        assert!(lab.inside_ns("ip", &[add, if v6 { &["nodad"] } else { &[] }].concat()).is_some());
        let top = |peers: &str| {
            let inside = &lab.inside;
            format!("capacity = \"10 Gbps\"\ninterface = \"{inside}\"\ntunnels_from = [\"{peers}\"]")
        };
        let peers = if v6 { "2001:db8:ff::/48" } else { "203.0.113.0/24" };
        let (acts, ladder) = ((place, "mode = \"enforce\""), ladder("\"diversion\""));
        let name = format!("tunnels-{kind}");
        let Some(scene) = Scene::under(acts, &name, &top(peers), &declared_at(place), &ladder) else {
            return;
        };
        let _absorber = scene.absorber.start();
        let brain = scene.house.start();
        scene.up();
        // What comes is less than the router tells of: while routers stop a part of the prefix, nobody compares.
        let spare = if v6 { "2001:db8:1::250/128" } else { "198.51.100.250/32" };
        scene.house.route(&with(&["blackhole", spare, "--for", "1h"], WHY)).unwrap();
        scene.divert().unwrap();
        let _packets = Packets::of(kind, &lab.outside);
        let got = |what: &str| scene.place()[what]["pps"].as_u64().unwrap_or(0);
        wait("what comes", || got("received") > 100 && got("returned") > 100 && got("dropped") == 0);
        let router = Router::of(brain.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        wait("what is dropped", || got("dropped") > 100);
    });
}

#[test]
fn what_went_back_is_counted_on_its_way_out_and_what_did_not_is_told_with_its_reason() {
    both(|v6| {
        let place = if v6 { V6 } else { V4 };
        let Some(lab) = inside(if v6 { "abw6" } else { "abw4" }) else { return };
        let inside = &lab.inside;
        // The owner declared more than what is diverted; the far end of his tunnel is behind the interface.
        let (near, far, kind, declared) = if v6 {
            ("2001:db8:fe::99/64", "2001:db8:ff::9", "ipip", "2001:db8::/47")
        } else {
            ("192.0.2.99/24", "203.0.113.9", "gre", "198.51.100.0/23")
        };
        let family = if v6 { "-6" } else { "-4" };
        let ip = |args: &[&str]| {
            assert!(lab.inside_ns("ip", &[&[family], args].concat()).is_some(), "ip {args:?}");
        };
        ip(&[&["addr", "add", near, "dev", inside][..], if v6 { &["nodad"] } else { &[] }].concat());
        ip(&["route", "add", far, "dev", inside]);
        let forwards = format!(
            "for of in ipv4 ipv6; do for on in all {inside}; do echo 1 > /proc/sys/net/$of/conf/$on/forwarding; done; done"
        );
        assert!(lab.inside_ns("sh", &["-c", &forwards]).is_some());
        let (local, _) = near.split_once('/').unwrap();
        let prefixes = format!(
            "[prefixes.\"{declared}\"]\nreturn = \"{kind}\"\nlocal = \"{local}\"\nremote = \"{far}\"\nmtu = 1300\n"
        );
        let top = format!(
            "capacity = \"10 Gbps\"\ninterface = \"{inside}\"\ntunnels_from = [\"{far}/{}\"]",
            if v6 { 128 } else { 32 }
        );
        let name = format!("ways-{kind}");
        let Some(scene) = Scene::under((place, ""), &name, &top, &prefixes, "") else { return };
        let absorber = scene.absorber.start();
        let _brain = scene.house.start();
        scene.up();
        scene.divert().unwrap();
        let packets = Packets::to(v6, &lab.outside);
        let pps = |part: &str| scene.place()[part]["pps"].as_u64().unwrap_or(0);
        let lost = |why: &str| scene.place()["lost"][why].as_u64().unwrap_or(0);
        // Nobody answers for the far end: nothing goes back, whatever came.
        wait("what is lost", || pps("received") > 100 && lost("no_way") > 100 && pps("returned") == 0);
        let trouble = scene.place()["trouble"].as_str().unwrap().to_owned();
        assert!(trouble.contains("do not go back") && trouble.contains("find no way"), "{trouble}");
        let text = spillway(["route", "absorbers", "-c", &scene.house.config]);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("find no way to the tunnel's far end"), "{text}");
        ip(&["neigh", "replace", far, "lladdr", "02:00:00:00:00:09", "dev", inside, "nud", "permanent"]);
        wait("what goes back", || {
            pps("returned") > 100 && lost("no_way") == 0 && scene.place()["trouble"].is_null()
        });
        drop(packets);
        // What the far end sends round does not go there again.
        let _loop = Packets::of(if v6 { "6ipip" } else { "4gre" }, &lab.outside);
        wait("the loop", || lost("looped") > 100 && pps("returned") == 0);
        absorber.signal("-TERM");
        let (_, errors) = absorber.ended();
        assert!(errors.contains("does not all go back") && errors.contains("goes back again"), "{errors}");
    });
}

#[test]
fn an_absorber_that_is_killed_and_started_again_changes_nothing_in_its_kernel() {
    let Some(lab) = inside("abk") else { return };
    let state = Scratch::new("absorb-held");
    let top = format!("state_dir = \"{}\"", state.path("held").display());
    let Some(scene) = scene(&lab, "again", &top) else { return };
    let absorber = scene.absorber.start();
    let brain = scene.house.start();
    scene.up();
    scene.divert().unwrap();
    let _packets = Packets::start(&lab.outside);
    let router = Router::start(brain.listen(0));
    router.flood(Flood::Forwarded);
    wait("what is dropped", || scene.place()["dropped"]["pps"].as_u64().unwrap_or(0) > 100);
    // Without a brain nobody can ask for anything anew.
    brain.signal("-KILL");
    let _ = brain.ended();
    absorber.signal("-KILL");
    let _ = absorber.ended();
    let before = lab.status();
    let again = scene.absorber.start();
    // It has been asked nothing, and has looked around.
    std::thread::sleep(Duration::from_secs(2));
    let after = lab.status();
    assert_eq!((&after["digest"], &after["sets"]), (&before["digest"], &before["sets"]), "{after}");
    let (was, is) = (left(&before, "dropped"), left(&after, "dropped"));
    assert!(is > was + 100, "it drops on: {was}, {is}");
    // The lease that nobody renews ends all the same.
    wait("the end of the lease", || lab.status()["rules"].as_array().is_some_and(Vec::is_empty));
    again.signal("-TERM");
    let (_, errors) = again.ended();
    assert!(errors.contains("held from before") && errors.contains("its lease ended"), "{errors}");
}

#[test]
fn rates_of_attacks_and_of_people_hold_in_the_absorbers_kernel_in_both_families_and_over_a_kill() {
    both(|v6| {
        let place = if v6 { V6 } else { V4 };
        let Some(lab) = inside(if v6 { "abr6" } else { "abr4" }) else { return };
        let name = if v6 { "rates-6" } else { "rates-4" };
        let state = Scratch::new(&format!("absorb-held-{name}"));
        let top = format!(
            "capacity = \"10 Gbps\"\ninterface = \"{}\"\nstate_dir = \"{}\"",
            lab.inside,
            state.path("held").display()
        );
        let target = if v6 { "2001:db8:1::7" } else { "198.51.100.7" };
        let more = format!("{}[target.\"{target}\"]\nlimit = \"600 pps\"\n", ladder("\"diversion\""));
        let acts = (place, "mode = \"enforce\"");
        let Some(scene) = Scene::under(acts, name, &top, &declared_at(place), &more) else { return };
        let absorber = scene.absorber.start();
        let brain = scene.house.start();
        scene.up();
        // What comes is less than the router tells of: while routers stop a part of the prefix, nobody compares.
        let spare = if v6 { "2001:db8:1::250/128" } else { "198.51.100.250/32" };
        scene.house.route(&with(&["blackhole", spare, "--for", "1h"], WHY)).unwrap();
        scene.divert().unwrap();
        let _packets = Packets::to(v6, &lab.outside);
        let passes = || scene.place()["returned"]["pps"].as_u64().unwrap_or(0);
        let limited = |what: &str, to: std::ops::RangeInclusive<u64>| {
            wait(what, || {
                let place = scene.place();
                let dropped = place["dropped"]["pps"].as_u64().unwrap_or(0);
                to.contains(&passes()) && dropped > 100
            });
        };
        wait("what comes", || passes() > 1000);
        let router = Router::of(brain.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        limited("the target's limit", 400..=800);
        // What a person makes comes before; this machine itself filters nothing.
        let text = format!("@1 dst {target} proto udp src-port 123 -> rate 200pps per source");
        let args = ["rule", "add", &text, "--for", "1h", "-o", "json", "-c", &scene.house.config];
        let output = spillway([&args[..], WHY].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(made["notes"].to_string().contains("it holds at absorbers"), "{made}");
        limited("the rate of each source", 100..=300);
        absorber.signal("-KILL");
        let _ = absorber.ended();
        let _absorber = scene.absorber.start();
        scene.up();
        limited("the same after a kill", 100..=300);
        let args = ["rule", "withdraw", made["rule"].as_str().unwrap(), "-c", &scene.house.config];
        assert!(spillway([&args[..], WHY].concat()).status.success());
        limited("the target's limit again", 400..=800);
    });
}

#[test]
fn what_a_drill_of_a_diversion_was_measured_to_move_stands_in_the_playbook_and_plans_go_by_it() {
    let Some(lab) = inside("abd") else { return };
    let top = format!("capacity = \"10 Gbps\"\ninterface = \"{}\"", lab.inside);
    let more = format!(
        "[routing.drill]\ndiversion = [\"{}\"]\n[routing.approvals]\ndiversion = \"automatic\"\n\
         blackhole = \"automatic\"\n{}",
        V4.prefix,
        ladder("\"diversion\", \"blackhole\"")
    );
    let Some(scene) = Scene::acting("played", &top, &declared(), &more) else { return };
    let _absorber = scene.absorber.start();
    let brain = scene.house.start();
    scene.up();
    // Of 50,000 packets a second that the router tells of in peace, hardly any come to the absorber.
    let _packets = Packets::start(&lab.outside);
    let router = Router::start(brain.listen(0));
    router.has_told(100);
    let (code, document) = scene.house.drill(&with(&["--class", "diversion"], WHY));
    assert_eq!(code, Some(0), "{document}");
    wait("the route back", || !scene.routed());
    let played = scene.house.route(&["playbook"]).unwrap()["playbook"][0].clone();
    assert_eq!(played["announcement"], "198.51.100.0/24 to scrub at edge", "{played}");
    let shift = &played["shifts"][0];
    assert!(shift["absorber"] == "scrub" && shift["percent"].as_u64().unwrap() < 20, "{played}");
    // Another run finds it.
    brain.signal("-KILL");
    let _ = brain.ended();
    let brain = scene.house.start();
    scene.up();
    router.tell(brain.listen(0));
    router.flood(Flood::Forwarded);
    wait("the blackhole", || scene.router.view().blackholes == ["198.51.100.7/32"]);
    assert!(!scene.routed(), "nobody is led where hardly anything comes");
    wait("the reason", || {
        let all = brain.attacks();
        all.iter().any(|one| one["mitigation"].to_string().contains("too little was measured to come there"))
    });
    // It is data: with another share, and nothing else that the brain remembers, the same attack is led there.
    brain.signal("-KILL");
    let _ = brain.ended();
    let book = scene.house.path("state/playbook.toml");
    let text = std::fs::read_to_string(&book).unwrap();
    let share = text.lines().find(|line| line.starts_with("share")).unwrap();
    let (key, aside) = (scene.house.path("state/absorbers.key"), scene.house.path("absorbers.key"));
    std::fs::rename(&key, &aside).unwrap();
    std::fs::remove_dir_all(scene.house.path("state")).unwrap();
    std::fs::create_dir_all(scene.house.path("state")).unwrap();
    std::fs::rename(aside, key).unwrap();
    std::fs::write(&book, text.replace(share, "share = 0.97")).unwrap();
    let again = scene.house.start();
    router.tell(again.listen(0));
    wait("the route", || scene.routed());
}

#[test]
fn a_null_absorber_tells_of_what_it_discards() {
    let Some(lab) = inside("abn") else { return };
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let top = format!("kind = \"null\"\nsamples = \"{}\"", collector.local_addr().unwrap());
    let Some(scene) = scene(&lab, "null", &top) else { return };
    let _absorber = scene.absorber.start();
    let _brain = scene.house.start();
    scene.up();
    scene.divert().unwrap();
    let _packets = Packets::start(&lab.outside);
    wait("what is discarded", || scene.place()["dropped"]["pps"].as_u64().unwrap_or(0) > 100);
    let mut datagram = [0; 2048];
    let ip = [11, 7, 0, 1, 198, 51, 100, 7];
    let told = (0..100).find_map(|_| {
        let octets = collector.recv(&mut datagram).unwrap();
        let datagram = &datagram[..octets];
        assert_eq!(datagram[..4], [0, 0, 0, 5], "sFlow of version 5");
        assert_eq!(datagram[4..12], [0, 0, 0, 1, 127, 0, 0, 1], "by the address that it sends from");
        datagram.windows(8).any(|eight| eight == ip).then_some(octets)
    });
    assert!(told.is_some_and(|octets| octets <= 1472), "{told:?} octets: a packet that nobody cuts");
}
