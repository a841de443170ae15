//! Attacks: absorbers get rules that the kernel keeps to, and where one does not take it, the ladder goes on.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use super::super::ladder::router::{Flood, Router};
use super::*;
use crate::dataplane::Lab;

fn ladder(steps: &str) -> String {
    format!(
        "[routing.ladder]\nhold = \"5s\"\nsettle = \"1s\"\nsteps = [{steps}]\n[dataplane]\nblind = true\n"
    )
}

const APPROVALS: &str = "[routing.approvals]\ndiversion = \"automatic\"\nblackhole = \"automatic\"\n";

#[test]
fn an_attack_is_diverted_by_itself_and_where_the_absorber_refuses_the_next_step_is_taken_with_its_reason() {
    let capacity = "capacity = \"10 Gbps\"";
    for (name, top, diverts) in
        [("takes", capacity.to_owned(), true), ("refuses", format!("{capacity}\nheld = 0"), false)]
    {
        let more = format!("{APPROVALS}{}", ladder("\"diversion\", \"blackhole\""));
        let Some(scene) = Scene::acting(name, &top, &declared(), &more) else { return };
        let _absorber = scene.absorber.start();
        let brain = scene.house.start();
        scene.up();
        let router = Router::start(brain.listen(0));
        router.flood(Flood::Forwarded);
        if diverts {
            wait("the route", || scene.routed());
            assert_eq!(scene.place()["state"], "stands");
            let one = scene.house.mitigations().remove(0);
            assert_eq!((&one["class"], &one["actor"]), (&"diversion".into(), &"the engine".into()), "{one}");
            continue;
        }
        wait("the blackhole", || scene.router.view().blackholes == ["198.51.100.7/32"]);
        assert!(!scene.routed());
        wait("the absorber's reason", || {
            let attacks = brain.attacks();
            let rejected = attacks.iter().map(|attack| attack["mitigation"]["rejected"].to_string());
            rejected.into_iter().any(|text| text.contains("`refuses` holds 0 prefixes already"))
        });
    }
}

/// Packets of the flood, as routers tell of them, out of an interface.
struct Packets(Child);

impl Packets {
    fn start(interface: &str) -> Self {
        let script = "import socket,struct,sys,time\n\
            s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((sys.argv[1],0))\n\
            udp=struct.pack('!HHHH',123,5000,448,0)+bytes(440)\n\
            ip=struct.pack('!BBHHHBBH',0x45,0,468,0,0,55,17,0)+socket.inet_aton('11.7.0.1')+socket.inet_aton('198.51.100.7')\n\
            f=bytes.fromhex('020000000001020000000002')+b'\\x08\\x00'+ip+udp\n\
            while True:\n\
            \x20 for _ in range(20): s.send(f)\n\
            \x20 time.sleep(0.01)\n";
        Self(Command::new("python3").args(["-c", script, interface]).stdin(Stdio::null()).spawn().unwrap())
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
    let Some(lab) = Lab::new("abs") else { return };
    assert!(lab.inside_ns("ip", &["link", "set", "lo", "up"]).is_some());
    // All that this thread starts from now on lives there.
    let namespace = std::fs::File::open(format!("/run/netns/{}", lab.namespace)).unwrap();
    setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    let top = format!("capacity = \"10 Gbps\"\ninterface = \"{}\"", lab.inside);
    let more = ladder("\"diversion\"");
    let Some(scene) = Scene::acting("kernel", &top, &declared(), &more) else { return };
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
    let dropped = || {
        let status = lab.status();
        let places = status["packets"].as_array().unwrap().clone();
        places
            .iter()
            .find(|place| place["left"] == "dropped")
            .map_or(0, |place| place["packets"].as_u64().unwrap())
    };
    let (before, at) = (dropped(), killed.elapsed());
    wait("more", || dropped() > before);
    assert!(at < Duration::from_secs(10), "rules hold while their lease does");
    std::thread::sleep(Duration::from_secs(15).saturating_sub(killed.elapsed()));
    let after = dropped();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(dropped(), after, "their lease is over");
}
