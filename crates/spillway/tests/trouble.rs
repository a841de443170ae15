//! The data plane in trouble: what was in force stays, and one line says what to do.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::dataplane::{Lab, decided, left, run, succeeds};
use crate::support::{Scratch, stderr};

fn pins(lab: &Lab) -> PathBuf {
    PathBuf::from("/sys/fs/bpf/spillway").join(&lab.inside)
}

/// Says no, in one line with all of these words.
fn refuses(output: &Output, words: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

fn rules(scratch: &Scratch) -> String {
    scratch.file("rules.txt", b"dns proto udp src-port 53 -> drop\n")
}

#[test]
fn attaches_at_the_same_time_take_turns_and_one_that_waits_too_long_says_so() {
    let Some(lab) = Lab::new("k") else { return };
    let scratch = Scratch::new("trouble-k");
    let rules = rules(&scratch);
    let path = format!("--net=/run/netns/{}", lab.namespace);
    let start = || {
        Command::new("nsenter")
            .args([
                &path,
                env!("CARGO_BIN_EXE_spillway"),
                "dataplane",
                "attach",
                &lab.inside,
                "--rules",
                &rules,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<_> = (0..5).map(|_| start()).collect();
    for one in all {
        let output = one.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    lab.send(10, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (10, 10));

    let lock = File::open(pins(&lab)).unwrap();
    lock.lock().unwrap();
    let waiting = start();
    let refused = lab.spillway(&["attach", &lab.inside]);
    refuses(&refused, &["another command has been changing this interface", "wait for it"]);
    drop(lock);
    let _ = waiting.wait_with_output().unwrap();
    let rolled = lab.spillway(&["rollback", &lab.inside]);
    assert!(rolled.status.success(), "{}", stderr(&rolled));
}

#[test]
fn an_interface_that_goes_and_comes_back() {
    let Some(lab) = Lab::new("l") else { return };
    let scratch = Scratch::new("trouble-l");
    let rules = rules(&scratch);
    lab.attach(&["--rules", &rules]);
    assert_eq!(lab.status()["interface_gone"], false);
    lab.inside_ns("ip", &["link", "del", &lab.outside]).unwrap();
    assert_eq!(lab.status()["interface_gone"], true);
    refuses(&lab.spillway(&["attach", &lab.inside]), &["there is no interface", "ip link"]);
    assert_eq!(lab.status()["interface_gone"], true, "nothing has changed");
    let make = || {
        lab.inside_ns("ip", &["link", "add", &lab.outside, "type", "veth", "peer", "name", &lab.inside])
            .unwrap();
        lab.inside_ns("ip", &["link", "set", &lab.outside, "up"]).unwrap();
        lab.inside_ns("ip", &["link", "set", &lab.inside, "up"]).unwrap();
    };
    make();
    lab.attach(&["--rules", &rules]);
    assert_eq!(lab.status()["interface_gone"], false);
    lab.send(10, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (10, 10), "the programs are on the new one");
    lab.inside_ns("ip", &["link", "del", &lab.outside]).unwrap();
    assert!(lab.spillway(&["detach", &lab.inside]).status.success());
    assert!(!pins(&lab).exists());
}

#[test]
fn without_privileges_one_line_says_what_is_needed() {
    let Some(lab) = Lab::new("m") else { return };
    let scratch = Scratch::new("trouble-m");
    let rules = rules(&scratch);
    lab.attach(&["--rules", &rules]);
    let binary = env!("CARGO_BIN_EXE_spillway");
    let path = format!("--net=/run/netns/{}", lab.namespace);
    for command in
        [&["attach"][..], &["status"], &["rollback"], &["detach"], &["capture", "--interface"], &["top"]]
    {
        let fixed = [&path, "setpriv", "--bounding-set=-all", "--inh-caps=-all", binary, "dataplane"];
        let output = run("nsenter", &[&fixed[..], command, &[&lab.inside]].concat()).unwrap();
        refuses(&output, &["needs root, or CAP_BPF and CAP_NET_ADMIN"]);
    }
    lab.send(10, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (10, 10), "what was in force stays");
}

#[test]
fn pins_that_are_damaged_are_said_and_mended() {
    let Some(lab) = Lab::new("n") else { return };
    let scratch = Scratch::new("trouble-n");
    let rules = rules(&scratch);
    lab.attach(&["--rules", &rules]);
    // A map is missing: the link still holds the programs, which go on.
    std::fs::remove_file(pins(&lab).join("names")).unwrap();
    refuses(&lab.spillway(&["status", &lab.inside]), &["names", "attach` makes the pins anew"]);
    lab.send(10, "192.0.2.1", 53);
    lab.attach(&["--rules", &rules]);
    lab.send(10, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (10, 10), "other programs, other counters");
    // The program's pin is missing.
    std::fs::remove_file(pins(&lab).join("entry")).unwrap();
    lab.attach(&["--rules", &rules]);
    assert_eq!(decided(&lab.status(), "dns"), (0, 0));
    // No link: a leftover of somebody who was killed.
    std::fs::remove_file(pins(&lab).join("link")).unwrap();
    assert!(stderr(&lab.spillway(&["status", &lab.inside])).contains("nothing is attached"));
    lab.attach(&["--rules", &rules]);
    // Something else in its place.
    std::fs::remove_file(pins(&lab).join("link")).unwrap();
    std::fs::rename(pins(&lab).join("config"), pins(&lab).join("link")).unwrap();
    for command in ["status", "attach", "rollback"] {
        refuses(
            &lab.spillway(&[command, &lab.inside]),
            &["link is not what spillway pins there", "detach` clears"],
        );
    }
    assert!(lab.spillway(&["detach", &lab.inside]).status.success());
    lab.attach(&["--rules", &rules]);
    lab.send(10, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (10, 10));
}

#[test]
fn another_program_on_the_interface_is_named() {
    let Some(lab) = Lab::new("o") else { return };
    let other = lab.spillway(&["attach", &lab.outside]);
    assert!(other.status.success(), "{}", stderr(&other));
    let pinned = format!("/sys/fs/bpf/spillway/{}/entry", lab.outside);
    lab.inside_ns("ip", &["link", "set", "dev", &lab.inside, "xdp", "pinned", &pinned]).unwrap();
    let refused = lab.spillway(&["attach", &lab.inside]);
    refuses(&refused, &["another XDP program (id ", "`entry`) is attached", "bpftool net"]);
    assert!(!pins(&lab).exists(), "nothing is left behind");
    lab.inside_ns("ip", &["link", "set", "dev", &lab.inside, "xdp", "off"]).unwrap();
    lab.attach(&[]);
}

#[test]
fn an_absent_bpf_file_system_is_mounted_and_said() {
    let Some(lab) = Lab::new("p") else { return };
    let path = format!("--net=/run/netns/{}", lab.namespace);
    let binary = env!("CARGO_BIN_EXE_spillway");
    let script = format!(
        "umount /sys/fs/bpf && {binary} dataplane attach {name} && {binary} dataplane status {name} -o json",
        name = lab.inside
    );
    let output = run("nsenter", &[&path, "unshare", "--mount", "sh", "-c", &script]).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("mounted the BPF file system on /sys/fs/bpf"), "{}", stderr(&output));
    assert!(stderr(&output).contains("ip netns exec"), "{}", stderr(&output));
    assert!(!pins(&lab).exists(), "it ended with its mount");
    let netns =
        run("ip", &["netns", "exec", &lab.namespace, binary, "dataplane", "attach", &lab.inside]).unwrap();
    assert!(netns.status.success() && stderr(&netns).contains("mounted"), "{}", stderr(&netns));
}

#[test]
fn frames_of_9000_octets_are_filtered_in_the_driver() {
    let Some(lab) = Lab::new("q") else { return };
    let scratch = Scratch::new("trouble-q");
    let far = scratch
        .file("rules.txt", b"far proto udp payload 7000:aabb -> drop\nlong length 8000-9000 -> drop\n");
    for name in [&lab.inside, &lab.outside] {
        lab.inside_ns("ip", &["link", "set", name, "mtu", "9000"]).unwrap();
    }
    let output = lab.spillway(&["attach", &lab.inside, "--rules", &far, "--mode", "native", "-o", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let script = "import socket,struct,sys\n\
        s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((sys.argv[1],0))\n\
        def send(size,mark):\n\
        \x20 data=bytearray(size); data[7000:7002]=mark\n\
        \x20 udp=struct.pack('!HHHH',1,2,size+8,0)+bytes(data)\n\
        \x20 ip=struct.pack('!BBHHHBBH',0x45,0,size+28,0,0,64,17,0)+socket.inet_aton('192.0.2.1')+socket.inet_aton('198.51.100.7')\n\
        \x20 s.send(bytes.fromhex('020000000001020000000002')+b'\\x08\\x00'+ip+udp)\n\
        for _ in range(5): send(7500,b'\\xaa\\xbb')\n\
        for _ in range(4): send(7500,b'\\xaa\\xbc')\n\
        for _ in range(3): send(8500,b'\\0\\0')\n";
    lab.inside_ns("python3", &["-c", script, &lab.outside]).unwrap();
    let status = lab.status();
    assert_eq!(decided(&status, "far"), (5, 5), "octets behind the first buffer are compared: {status}");
    assert_eq!(decided(&status, "long"), (3, 3), "{status}");
    assert!(left(&status, "unmatched") >= 4, "{status}");
    lab.attach(&["--rules", &far]);
    assert!(lab.status()["can_roll_back"].as_bool().unwrap(), "replaced as others are");
}

#[test]
fn a_refusal_leaves_what_was_in_force() {
    let Some(lab) = Lab::new("r") else { return };
    let scratch = Scratch::new("trouble-r");
    let rules = rules(&scratch);
    lab.attach(&["--rules", &rules]);
    // More than the tables hold.
    let many: String = (0..20_000u32)
        .map(|i| format!("r{i} dst 10.{}.{}.0/24 proto udp -> drop\n", i >> 8, i & 255))
        .collect();
    let many = scratch.file("many.txt", many.as_bytes());
    refuses(&lab.spillway(&["attach", &lab.inside, "--rules", &many]), &["20000 rules", "16384"]);
    // A program that the kernel's verifier does not walk to its end.
    let hard: String = (0..9_000u32)
        .map(|i| {
            format!(
                "h{i} src-port {}-{} dst-port {}-{} length {}-{} ttl {}-255 -> drop\n",
                i % 251,
                60000 - i % 241,
                i % 239,
                50000 - i % 233,
                40 + i % 229,
                2000 - i % 227,
                i % 120
            )
        })
        .collect();
    let hard = scratch.file("hard.txt", hard.as_bytes());
    let output = lab.spillway(&["attach", &lab.inside, "--rules", &hard]);
    refuses(&output, &["the kernel does not take the program of the rules", "what was in force stays"]);
    println!("{}", stderr(&output));
    lab.send(10, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (10, 10));
    assert!(succeeds("test", &["-e", pins(&lab).join("link").to_str().unwrap()]));
}

#[test]
fn one_goes_back_to_any_of_the_last_sets_by_its_digest() {
    let Some(lab) = Lab::new("x") else { return };
    let scratch = Scratch::new("trouble-x");
    let block = scratch.file("block.txt", b"192.0.2.9\n2001:db8::/32\n");
    let mut digests = Vec::new();
    for turn in 0..10 {
        let text =
            format!("r{turn} proto udp src-port 53 -> drop\nlapses proto udp src-port 54 -> drop for 1s\n");
        let rules = scratch.file(&format!("{turn}.txt"), text.as_bytes());
        lab.attach(&["--rules", &rules, "--block", &block, "--protect", "198.51.100.0/24"]);
        digests.push(lab.status()["digest"].as_str().unwrap().to_owned());
    }
    let status = lab.status();
    let known: Vec<&str> =
        status["sets"].as_array().unwrap().iter().map(|set| set["digest"].as_str().unwrap()).collect();
    assert_eq!(known, digests.iter().rev().take(8).map(String::as_str).collect::<Vec<_>>(), "the last eight");
    assert_eq!(status["sets"][0]["in_force"], true);
    assert_eq!(status["sets"][1]["previous"], true);
    let to = |digits: &str| lab.spillway(&["rollback", &lab.inside, "--to", digits]);
    // The one before stands in the kernel; another is made from what was kept.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for turn in [8, 3, 9] {
        let back = to(&digests[turn][..12]);
        assert!(back.status.success(), "{}", stderr(&back));
        let status = lab.status();
        assert_eq!(status["digest"].as_str().unwrap(), digests[turn]);
        assert_eq!((status["block"].as_u64(), status["protect"].as_u64()), (Some(2), Some(1)), "{status}");
        let before = (decided(&status, &format!("r{turn}")).0, left(&status, "blocked"));
        lab.send(5, "192.0.2.1", 53);
        lab.send(3, "192.0.2.9", 53);
        lab.send(2, "192.0.2.1", 54);
        let status = lab.status();
        assert_eq!(decided(&status, &format!("r{turn}")).0, before.0 + 5);
        assert_eq!(left(&status, "blocked"), before.1 + 3);
        let lapsed = status["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "lapses");
        assert!(lapsed.is_none_or(|rule| rule["packets"] == 0), "a lease does not begin anew: {status}");
    }
    refuses(&to("0000000000"), &["no set 0000000000 is known", &digests[9][..16]]);
    refuses(&to(&digests[0][..16]), &["no set"]);
    assert_eq!(lab.status()["digest"].as_str().unwrap(), digests[9], "nothing has changed");
    assert!(lab.spillway(&["detach", &lab.inside]).status.success());
    assert!(!PathBuf::from("/run/spillway/dataplane").join(&lab.inside).exists(), "nothing is left behind");
}

#[test]
fn a_probe_says_what_this_kernel_has() {
    let Some(lab) = Lab::new("y") else { return };
    let output = lab.spillway(&["probe", "-o", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let kernel = report["kernel"].as_str().unwrap();
    let number =
        |text: &str| -> Vec<u32> { text.split(['.', '-']).map_while(|n| n.parse().ok()).take(2).collect() };
    for feature in report["features"].as_array().unwrap() {
        // Distributions carry features back, nobody takes them out.
        let due = number(kernel) >= number(feature["since"].as_str().unwrap());
        assert!(feature["here"] == true || !due, "{feature}");
    }
    assert_eq!(report["refused"], serde_json::Value::Null);
    let programs = report["programs"].as_array().unwrap();
    assert!(
        programs.len() >= 8 && programs.iter().all(|p| p["verified_instructions"].as_u64() > Some(100)),
        "{report}"
    );
}
