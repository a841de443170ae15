//! Who administers this host is not locked out by what he puts in force.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::dataplane::{Lab, Namespace, left, run, succeeds};
use crate::support::{Scratch, stderr};

/// `serve ADDRESS`: answers each line with itself. `talk ADDRESS`: connects, says so, and for each line of its input sends one and
/// says whether the answer came within two seconds. `try ADDRESS`: whether a new connection opens within a second.
const ECHO: &str = "
import socket,sys
how,family,port=sys.argv[1],socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET,2222
if how=='serve':
    l=socket.socket(family); l.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); l.bind((sys.argv[2],port)); l.listen()
    print('ready',flush=True)
    while True:
        c,_=l.accept()
        while True:
            d=c.recv(100)
            if not d: break
            c.sendall(d)
s=socket.socket(family); s.settimeout(1)
try: s.connect((sys.argv[2],port)); print('open',flush=True)
except OSError: print('closed',flush=True); sys.exit()
if how=='try': sys.exit()
s.settimeout(2)
for line in sys.stdin:
    try: s.sendall(line.encode()); print('answered' if s.recv(100) else 'ended',flush=True)
    except OSError: print('cut',flush=True)
";

struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Child {
    fn start(namespace: &str, args: &[&str]) -> Self {
        let path = format!("--net=/run/netns/{namespace}");
        let child = Command::new("nsenter")
            .args([&path, "python3", "-c", ECHO])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    /// What it says next.
    fn says(&mut self) -> String {
        let mut line = String::new();
        // One line is all that is there until it is asked again.
        BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line.trim().into()
    }

    fn ask(&mut self) -> String {
        self.0.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
        self.says()
    }
}

#[test]
fn an_open_session_survives_rules_and_lists_that_drop_everything() {
    let Some(lab) = Lab::new("m") else { return };
    let client = format!("{}-client", lab.namespace);
    assert!(succeeds("ip", &["netns", "add", &client]));
    let _client = Namespace(client.clone());
    lab.inside_ns("ip", &["link", "set", &lab.outside, "netns", &client]).unwrap();
    let in_client = |args: &[&str]| {
        let path = format!("--net=/run/netns/{client}");
        run("nsenter", &[&[&path as &str][..], args].concat()).filter(|output| output.status.success())
    };
    for (v4, v6, name) in
        [("10.8.0.1/24", "fd00:8::1/64", &lab.inside), ("10.8.0.2/24", "fd00:8::2/64", &lab.outside)]
    {
        for command in [
            vec!["address", "add", v4, "dev", name],
            vec!["address", "add", v6, "dev", name, "nodad"],
            vec!["link", "set", name, "up"],
        ] {
            let near = name == &lab.inside;
            let done = if near {
                lab.inside_ns("ip", &command)
            } else {
                in_client(&[&["ip"], command.as_slice()].concat())
            };
            done.unwrap();
        }
    }
    let scratch = Scratch::new("dataplane-m");
    let rules = scratch.file("rules.txt", b"all -> drop\n");
    let block = scratch.file("block.txt", b"0.0.0.0/0\n::/0\n");
    for address in ["10.8.0.1", "fd00:8::1"] {
        let mut server = Child::start(&lab.namespace, &["serve", address]);
        assert_eq!(server.says(), "ready");
        let mut session = Child::start(&client, &["talk", address]);
        assert_eq!((session.says(), session.ask()), ("open".into(), "answered".into()));
        for (option, file) in [("--rules", &rules), ("--block", &block)] {
            let attached =
                lab.spillway(&["attach", &lab.inside, option, file, "--management", "2222", "-o", "json"]);
            assert!(attached.status.success(), "{}", stderr(&attached));
            let report: serde_json::Value = serde_json::from_slice(&attached.stdout).unwrap();
            assert!(report["sessions"].as_u64().unwrap() >= 1, "{report}");
            assert_eq!(session.ask(), "answered", "{address} {option}: {}", lab.status());
            assert_eq!(Child::start(&client, &["try", address]).says(), "closed", "a new one is dropped");
        }
        // Without its port named it is as any other.
        lab.attach(&["--rules", &rules, "--management", "1"]);
        assert_eq!(session.ask(), "cut", "{address}");
        assert!(left(&lab.status(), "administrator") >= 2);
        let _ = lab.spillway(&["detach", &lab.inside]);
    }
}

#[test]
fn list_files_take_scopes_and_ceilings() {
    let Some(lab) = Lab::new("n") else { return };
    let scratch = Scratch::new("dataplane-n");
    let allow =
        scratch.file("allow.txt", b"192.0.2.7 ceiling 10pps # a partner\n192.0.2.8 proto udp port 53\n");
    let block = scratch.file("block.txt", b"192.0.2.0/24 to 198.51.100.7\n192.0.3.0/24 to 198.51.100.8\n");
    lab.attach(&["--allow", &allow, "--block", &block]);
    lab.send(50, "192.0.2.7", 5);
    lab.send(20, "192.0.2.8", 5);
    lab.send(30, "192.0.2.9", 5);
    lab.send(40, "192.0.3.9", 5);
    let status = lab.status();
    let (allowed, blocked) = (left(&status, "allowed"), left(&status, "blocked"));
    assert_eq!(allowed + blocked, 100, "{status}");
    // The kernel's own packets of the new interface are there as well.
    assert!(left(&status, "no-rules") >= 40, "{status}");
    assert!(allowed >= 21 && blocked > 30, "{status}");
    assert_eq!(status["over_ceiling_packets"].as_u64().unwrap(), blocked - 30);
    for (text, said) in [
        ("192.0.2.1 ceiling 5pps", "wrong.txt:1: only what is allowed has a ceiling; remove it"),
        ("192.0.2.1 from 10.0.0.1", "wrong.txt:1: `from` has no meaning behind a prefix"),
        ("192.0.2.1 to", "wrong.txt:1: the line ends behind `to`"),
        ("192.0.2.1 port http", "wrong.txt:1: `http` is not a port"),
        ("192.0.2.1 to 2001:db8::1", "192.0.2.1/32: the destination is of the other address family"),
    ] {
        let wrong = scratch.file("wrong.txt", text.as_bytes());
        let output = lab.spillway(&["attach", &lab.inside, "--block", &wrong]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}
