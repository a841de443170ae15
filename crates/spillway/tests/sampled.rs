//! `spillway capture` and `spillway dataplane top` on a real interface, read by a dissector.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::dataplane::{Lab, run};
use crate::support::{Scratch, stderr};

/// A command in the lab that runs until it is asked to end, or by itself.
struct Running(Child);

impl Running {
    fn capture(lab: &Lab, args: &[&str]) -> Self {
        let path = format!("--net=/run/netns/{}", lab.namespace);
        let fixed = [&path, env!("CARGO_BIN_EXE_spillway"), "capture", "--interface", &lab.inside];
        let mut child = Command::new("nsenter")
            .args(fixed)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says when it begins; the first grant follows in a tenth of a second.
        let mut line = String::new();
        BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("sampling"), "{line}");
        std::thread::sleep(std::time::Duration::from_millis(400));
        Self(child)
    }

    fn interrupt(&self) {
        let process = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
    }

    /// Waits for its end.
    fn finished(mut self) -> Output {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status: self.0.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const RULES: &[u8] = b"dns proto udp src-port 53 -> drop\nntp proto udp src-port 123 -> drop\n";

/// Fields of each packet of a file, as tshark reads them; `None` where it is not installed.
fn tshark(file: &str, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let names = fields.iter().flat_map(|field| ["-e", field]);
    let args: Vec<&str> = ["-r", file, "-T", "fields"].into_iter().chain(names).collect();
    let Some(output) = run("tshark", &args) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "tshark is needed");
        eprintln!("skipped: needs tshark");
        return None;
    };
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

#[test]
fn a_capture_of_dropped_packets_is_read_by_tshark_with_verdict_rule_and_rate() {
    let Some(lab) = Lab::new("s") else { return };
    let scratch = Scratch::new("capture-s");
    let rules = scratch.file("rules.txt", RULES);
    let file = scratch.path("dropped.pcapng").to_str().unwrap().to_owned();
    lab.attach(&["--rules", &rules]);
    let args = ["--dropped", "--rule", "dns", "-w", &file, "--count", "100", "--budget", "100000"];
    let capture = Running::capture(&lab, &args);
    lab.send(40, "192.0.2.1", 123);
    lab.send(100, "192.0.2.9", 53);
    let ended = capture.finished();
    assert!(ended.status.success(), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("100 samples of 100 packets; 0 beyond"), "{}", stderr(&ended));
    let Some(packets) =
        tshark(&file, &["frame.comment", "ip.src", "udp.srcport", "frame.len", "frame.interface_name"])
    else {
        return;
    };
    assert_eq!(packets.len(), 100);
    let set = &lab.status()["digest"].as_str().unwrap()[..16].to_owned();
    for packet in packets {
        let [comment, src, port, length, interface] = packet.as_slice() else { panic!("{packet:?}") };
        assert_eq!(*comment, format!("verdict=dropped rule=dns sampled=1/1 set={set} class=dropped"));
        assert_eq!((src.as_str(), port.as_str(), length.as_str()), ("192.0.2.9", "53", "60"));
        assert_eq!(*interface, lab.inside);
    }
}

#[test]
fn a_capture_ends_cleanly_at_ctrl_c_survives_new_programs_and_has_one_reader() {
    let Some(lab) = Lab::new("t") else { return };
    let scratch = Scratch::new("capture-t");
    let rules = scratch.file("rules.txt", RULES);
    let file = scratch.path("all.pcapng").to_str().unwrap().to_owned();
    lab.attach(&["--rules", &rules]);
    let capture = Running::capture(&lab, &["-w", &file, "--budget", "100000"]);
    lab.send(30, "192.0.2.1", 53);
    let path = format!("--net=/run/netns/{}", lab.namespace);
    let second =
        [&path, env!("CARGO_BIN_EXE_spillway"), "capture", "--interface", &lab.inside, "--seconds", "1"];
    let refused = run("nsenter", &second).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("another capture is running"), "{}", stderr(&refused));
    lab.attach(&["--rules", &rules]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    lab.send(20, "192.0.2.2", 53);
    std::thread::sleep(std::time::Duration::from_millis(200));
    lab.attach(&["--rules", &rules, "--reload"]);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    lab.send(10, "192.0.2.3", 53);
    lab.send(10, "192.0.2.3", 5);
    std::thread::sleep(std::time::Duration::from_millis(200));
    capture.interrupt();
    let ended = capture.finished();
    assert!(ended.status.success(), "{}", stderr(&ended));
    let Some(packets) = tshark(&file, &["frame.comment", "ip.src", "udp.srcport", "frame.cap_len"]) else {
        return;
    };
    let count = |src: &str, port: &str, mark: &str, caplen: &str| {
        let like = |p: &&Vec<String>| p[0].contains(mark) && p[1] == src && p[2] == port && p[3] == caplen;
        packets.iter().filter(like).count()
    };
    assert_eq!(count("192.0.2.1", "53", "verdict=dropped rule=dns", "60"), 30);
    assert_eq!(count("192.0.2.2", "53", "verdict=dropped rule=dns", "60"), 20, "after another attach");
    assert_eq!(count("192.0.2.3", "53", "verdict=dropped rule=dns", "60"), 10, "after other programs");
    assert_eq!(count("192.0.2.3", "5", "verdict=unmatched sampled", "42"), 10, "headers only");
}

#[test]
fn samples_are_lines_for_people_and_objects_for_programs() {
    let Some(lab) = Lab::new("u") else { return };
    let scratch = Scratch::new("capture-u");
    let rules = scratch.file("rules.txt", RULES);
    lab.attach(&["--rules", &rules]);
    let capture = Running::capture(&lab, &["--dropped", "--count", "3", "-o", "text"]);
    lab.send(5, "192.0.2.1", 53);
    let ended = capture.finished();
    let text = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    for line in text.lines() {
        assert!(
            line.contains("dropped   1/1 UDP 192.0.2.1:53 > 198.51.100.7:53 60 bytes rule dns"),
            "{line}"
        );
    }
    let capture = Running::capture(&lab, &["--passed", "--count", "20", "-o", "jsonl"]);
    lab.send(9, "192.0.2.1", 53);
    // The kernel has packets of its own to send over a new interface.
    lab.send(40, "192.0.2.1", 5);
    let ended = capture.finished();
    let text = String::from_utf8(ended.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ours = lines.iter().filter(|line| line["src"] == "192.0.2.1:5" && line["verdict"] == "unmatched");
    assert!(ours.count() >= 5 && lines.len() == 20, "{text}");
    let nothing = lab.spillway(&["capture", "--interface", &lab.inside, "--rule", "none", "--seconds", "1"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stderr(&nothing).contains("no rule none is in force"), "{}", stderr(&nothing));
}

#[test]
fn top_shows_rates_by_place_and_rule() {
    let Some(lab) = Lab::new("v") else { return };
    let scratch = Scratch::new("capture-v");
    let rules = scratch.file("rules.txt", RULES);
    lab.attach(&["--rules", &rules]);
    let path = format!("--net=/run/netns/{}", lab.namespace);
    let top = Command::new("nsenter")
        .args([&path, env!("CARGO_BIN_EXE_spillway"), "dataplane", "top", &lab.inside])
        .args(["--interval", "2", "--count", "2", "-o", "jsonl"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    lab.send(300, "192.0.2.1", 53);
    lab.send(100, "192.0.2.1", 123);
    let output = top.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let looks: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(looks.len(), 2, "{text}");
    // Packets of both looks together: what was sent may fall into either.
    let sum = |of: &dyn Fn(&Value) -> f64| -> f64 {
        looks.iter().map(|look| of(look) * look["seconds"].as_f64().unwrap()).sum()
    };
    let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 0.5, "{got} for {wanted}: {text}");
    near(sum(&|look| look["dropped"]["pps"].as_f64().unwrap()), 400.0);
    near(sum(&|look| look["dropped"]["bps"].as_f64().unwrap()), 400.0 * 38.0 * 8.0);
    let rule = |look: &Value, id: &str| {
        let all = look["rules"].as_array().unwrap();
        all.iter().find(|rule| rule["id"] == id).map_or(0.0, |rule| rule["dropped_pps"].as_f64().unwrap())
    };
    near(sum(&|look| rule(look, "dns")), 300.0);
    near(sum(&|look| rule(look, "ntp")), 100.0);
    let gone = lab.spillway(&["top", "nothing0", "--count", "1"]);
    assert_eq!(gone.status.code(), Some(1));
}
