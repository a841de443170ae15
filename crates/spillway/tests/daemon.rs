//! The real daemon on loopback: what is sent is counted, what attacks is found, what was known survives.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base::Timestamp;
use serde_json::Value;

use crate::support::{Scratch, spillway, stderr};

/// Nothing here takes so long; a test that waits for more has found a fault.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon; dropping it ends it.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) ready: Value,
}

impl Daemon {
    /// Starts it and waits until it serves.
    pub(crate) fn start(config: &str) -> Self {
        Self::begin(Command::new(env!("CARGO_BIN_EXE_spillway")).args(["run", "-c", config]))
    }

    /// Starts it by this command, which may say where.
    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("the daemon did not start: {errors}");
        }
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    /// Starts it with a folder on a file system of its own, of so many KiB; with where that is seen from here. `None`: no namespaces.
    pub(crate) fn in_tmpfs(config: &str, folder: &Path, kib: u32) -> Option<(Self, PathBuf)> {
        if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "a mount namespace is needed");
            eprintln!("skipped: needs root and a mount namespace");
            return None;
        }
        std::fs::create_dir_all(folder).unwrap();
        let script = "mount -t tmpfs -o \"size=$SIZE\",mode=700 none \"$FOLDER\" && exec \"$SPILLWAY\" run -c \"$CONFIG\"";
        let daemon = Self::begin(
            Command::new("unshare")
                .args(["-m", "sh", "-c", script])
                .env("SIZE", format!("{kib}k"))
                .env("FOLDER", folder)
                .env("SPILLWAY", env!("CARGO_BIN_EXE_spillway"))
                .env("CONFIG", config),
        );
        let inside = PathBuf::from(format!("/proc/{}/root{}", daemon.id(), folder.display()));
        Some((daemon, inside))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn listen(&self, at: usize) -> SocketAddr {
        self.ready["listen"][at].as_str().unwrap().parse().unwrap()
    }

    /// A GET; status and body. A reload lets go of the connections that it meets: then it is asked again.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = wait("an answer", || self.ask(path).ok().filter(|answer| answer.contains("\r\n\r\n")));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn ask(&self, path: &str) -> std::io::Result<String> {
        let address = self.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        let mut stream = TcpStream::connect(&address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Sum of a metric over its labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let mut values = text
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} ")))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .peekable();
        assert!(values.peek().is_some(), "{name} is missing in\n{text}");
        values.sum()
    }

    pub(crate) fn attacks(&self) -> Vec<Value> {
        self.json("/api/v1/attacks")["items"].as_array().unwrap().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own: a minimal system has no `kill` program.
        let kill = format!("kill {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; exit code and standard error.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let child = &mut self.child;
        let status = wait("the daemon to end", || child.try_wait().unwrap());
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (status.code(), errors)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until there is an answer.
pub(crate) fn wait<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_for(what, PATIENCE, ask)
}

/// Likewise, with this much patience.
pub(crate) fn wait_for<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration with ports of the system's choice; `more` goes to its end.
pub(crate) fn config(scratch: &Scratch, top: &str, more: &str) -> String {
    let text = format!(
        "networks = [\"198.18.0.0/16\"]\nstate_dir = \"{}\"\n{top}\n[listen]\nsflow = \"127.0.0.1:0\"\nnetflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n{more}\n",
        scratch.path("state").display()
    );
    scratch.file("spillway.toml", text.as_bytes())
}

/// A NetFlow v5 datagram of 1:1000 sampled SYNs from ever other sources to one host.
pub(crate) fn syns(sequence: u32, count: u16) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (secs, nanos) = (u32::try_from(now.as_secs()).unwrap(), now.subsec_nanos());
    let uptime = 3_600_000u32;
    let mut out = Vec::new();
    out.extend(5u16.to_be_bytes());
    out.extend(count.to_be_bytes());
    for word in [uptime, secs, nanos, sequence] {
        out.extend(word.to_be_bytes());
    }
    out.extend([0, 0]);
    out.extend((0x4000u16 | 1000).to_be_bytes());
    for i in 0..count {
        let salt = (sequence + u32::from(i)).wrapping_mul(0x9e37_79b1);
        let port = u16::try_from(1024 + salt % 60_000).unwrap();
        out.extend((0x0b00_0000 | salt >> 8).to_be_bytes());
        out.extend([198, 18, 7, 7]);
        out.extend([0; 4]);
        out.extend([0, 1, 0, 2]);
        for word in [1, 60, uptime - 20, uptime - 20] {
            out.extend(u32::to_be_bytes(word));
        }
        out.extend(port.to_be_bytes());
        out.extend([1, 187, 0, 2, 6, 0]);
        out.extend([0; 8]);
    }
    out
}

/// Attacks until the daemon says so; gives its document.
pub(crate) fn attacked(daemon: &Daemon) -> Value {
    let sender = UdpSocket::bind("127.0.0.7:0").unwrap();
    let mut sequence = 0;
    wait("the attack", || {
        for _ in 0..2 {
            sender.send_to(&syns(sequence, 10), daemon.listen(1)).unwrap();
            sequence += 10;
        }
        daemon.attacks().into_iter().find(|attack| attack["severity"] == "attack")
    })
}

#[test]
fn what_is_sent_is_counted_by_listener_and_exporter() {
    let scratch = Scratch::new("daemon-counts");
    let daemon = Daemon::start(&config(&scratch, "", ""));
    assert_eq!(daemon.sum("spillway_ingest_flows_total"), 0.0);
    assert_eq!(daemon.sum("spillway_ingest_socket_drops_total"), 0.0);
    let (mut datagrams, mut flows) = (0.0, 0.0);
    for (exporter, count) in [(1, 7u16), (2, 30), (3, 1)] {
        let sender = UdpSocket::bind(format!("127.0.1.{exporter}:0")).unwrap();
        for i in 0..150u32 {
            let listener = usize::try_from(i % 2).unwrap();
            sender.send_to(&syns(i * u32::from(count), count), daemon.listen(listener)).unwrap();
            datagrams += 1.0;
            flows += f64::from(count);
        }
        sender.send_to(b"this is no flow export", daemon.listen(0)).unwrap();
        datagrams += 1.0;
    }
    wait("all datagrams", || {
        let seen =
            daemon.sum("spillway_ingest_datagrams_total") + daemon.sum("spillway_ingest_socket_drops_total");
        assert!(seen <= datagrams);
        (seen == datagrams).then_some(())
    });
    assert_eq!(daemon.sum("spillway_ingest_socket_drops_total"), 0.0);
    assert_eq!(daemon.sum("spillway_ingest_flows_total"), flows);
    let exporters = daemon.json("/api/v1/exporters");
    let of = |address: &str, key: &str| {
        let items = exporters["items"].as_array().unwrap();
        items.iter().find(|item| item["address"] == address).unwrap()[key].clone()
    };
    assert_eq!(of("127.0.1.2", "flows"), 4500);
    assert_eq!(of("127.0.1.1", "sampling_rate"), 1000);
    assert_eq!(of("127.0.1.1", "sampling_source"), "header");
    assert_eq!(of("127.0.1.1", "formats"), serde_json::json!(["netflow5"]));
}

#[test]
fn an_exporter_that_is_not_allowed_is_refused_and_counted() {
    let scratch = Scratch::new("daemon-allow");
    let text = std::fs::read_to_string(config(&scratch, "", "")).unwrap();
    let path =
        scratch.file("allow.toml", text.replace("[listen]", "[listen]\nallow = [\"127.0.0.8\"]").as_bytes());
    let daemon = Daemon::start(&path);
    for address in ["127.0.0.8:0", "127.0.0.9:0"] {
        UdpSocket::bind(address).unwrap().send_to(&syns(0, 3), daemon.listen(0)).unwrap();
    }
    wait("both datagrams", || {
        let counted =
            (daemon.sum("spillway_ingest_refused_total"), daemon.sum("spillway_ingest_flows_total"));
        (counted == (1.0, 3.0)).then_some(())
    });
}

#[test]
fn an_attack_goes_on_under_its_id_after_kill_9() {
    let scratch = Scratch::new("daemon-kill");
    let file = config(&scratch, "mode = \"suggest\"", "");
    let daemon = Daemon::start(&file);
    let found = attacked(&daemon);
    assert_eq!(found["target"], "198.18.7.7/32");
    assert_eq!(found["vectors"][0]["name"], "tcp-syn-flood");
    serde_json::from_value::<api::model::Attack>(found.clone()).expect("the API documents what it serves");
    let with_rules = wait("its rules", || {
        attacked(&daemon)["rules"].as_array().filter(|rules| !rules.is_empty()).cloned()
    });
    for rule in daemon.json("/api/v1/rules")["items"].as_array().unwrap() {
        serde_json::from_value::<api::model::Rule>(rule.clone()).expect("the API documents what it serves");
        assert_eq!(rule["state"], "suggested");
    }
    let id = found["id"].as_str().unwrap().to_owned();
    let detected: Timestamp = found["detected_at"].as_str().unwrap().parse().unwrap();
    let stored = || {
        // Rows and the state of the same instant are written together.
        let writer = store::Writer::open(&scratch.path("state")).unwrap();
        let row = writer.reader().unwrap().attack(&id).unwrap();
        row.is_some() && writer.snapshot("core").unwrap().is_some_and(|saved| saved.taken_at >= detected)
    };
    wait("the core's state in the store", || stored().then_some(()));
    daemon.signal("-KILL");
    daemon.ended();

    let again = Daemon::start(&file);
    let resumed = again.json(&format!("/api/v1/attacks/{id}"));
    assert_eq!(resumed["state"], "active");
    assert_eq!(resumed["started_at"], found["started_at"]);
    assert!(!with_rules.is_empty());
    let explained = spillway(["explain", &id, "--api", again.ready["api"].as_str().unwrap(), "-o", "json"]);
    assert!(explained.status.success(), "{}", stderr(&explained));
    let printed: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(printed[0]["id"], id.as_str());
    let unknown = spillway(["explain", "0123456789abcdef", "--api", again.ready["api"].as_str().unwrap()]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("lists all"), "{}", stderr(&unknown));
    let attack = attacked(&again);
    assert_eq!(attack["id"], id.as_str(), "the attack goes on and is not a new one");
    assert_eq!(again.attacks().iter().filter(|attack| attack["severity"] == "attack").count(), 1);
}

#[test]
fn sigterm_and_the_control_socket_end_it_cleanly() {
    let scratch = Scratch::new("daemon-stop");
    let file = config(&scratch, "", "");
    let daemon = Daemon::start(&file);
    assert_eq!(daemon.get("/readyz").0, 200);
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    let daemon = Daemon::start(&file);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(scratch.path("state").join("control.sock")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    assert!(spillway(["control", "shutdown", "-c", &file]).status.success());
    assert_eq!(daemon.ended().0, Some(0));
    let alone = spillway(["control", "shutdown", "-c", &file]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(stderr(&alone).contains("no daemon answers"), "{}", stderr(&alone));
}

#[test]
fn a_reload_takes_a_right_file_and_refuses_a_wrong_one() {
    let scratch = Scratch::new("daemon-reload");
    let file = config(&scratch, "", "");
    let daemon = Daemon::start(&file);
    let text = std::fs::read_to_string(&file).unwrap();
    scratch.file("spillway.toml", text.replace("networks", "netwroks").as_bytes());
    daemon.signal("-HUP");
    wait("the refusal", || (daemon.sum("spillway_config_last_reload_successful") == 0.0).then_some(()));
    scratch.file("spillway.toml", text.replace("[listen]", "[listen]\nallow = [\"127.0.0.8\"]").as_bytes());
    assert!(spillway(["control", "reload", "-c", &file]).status.success());
    let sender = UdpSocket::bind("127.0.0.9:0").unwrap();
    wait("the new allow-list, on the same port", || {
        sender.send_to(&syns(0, 1), daemon.listen(0)).unwrap();
        TcpStream::connect(daemon.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap()).ok()?;
        (daemon.sum("spillway_ingest_refused_total") > 0.0).then_some(())
    });
    assert_eq!(daemon.sum("spillway_config_last_reload_successful"), 1.0);
}

#[test]
fn a_taken_port_or_state_folder_is_one_clear_line() {
    let scratch = Scratch::new("daemon-taken");
    let file = config(&scratch, "", "");
    let daemon = Daemon::start(&file);
    let same = spillway(["run", "-c", &file]);
    assert_eq!(same.status.code(), Some(1));
    assert!(stderr(&same).contains("another spillway uses"), "{}", stderr(&same));
    let text = std::fs::read_to_string(&file).unwrap().replace("/state\"", "/other\"");
    let taken = |from: &str, to: String| {
        let path = scratch.file("taken.toml", text.replacen(from, &to, 1).as_bytes());
        let output = spillway(["run", "-c", &path]);
        assert_eq!(output.status.code(), Some(1));
        // Besides the log (the system may limit receive buffers) one line.
        let all = stderr(&output);
        let lines: Vec<&str> = all.lines().filter(|line| line.starts_with("spillway: ")).collect();
        assert_eq!(lines.len(), 1, "{all}");
        lines.concat()
    };
    let line = taken("sflow = \"127.0.0.1:0\"", format!("sflow = \"{}\"", daemon.listen(0)));
    assert!(line.contains("cannot listen on") && line.contains("`listen.sflow`"), "{line}");
    let api = daemon.ready["api"].as_str().unwrap().replace("http://", "");
    let line = taken("[api]\nlisten = \"127.0.0.1:0\"", format!("[api]\nlisten = \"{api}\""));
    assert!(line.contains("cannot serve the API on") && line.contains("`api.listen`"), "{line}");
}

#[test]
fn check_names_place_and_remedy() {
    let scratch = Scratch::new("daemon-check");
    let good = config(&scratch, "", "");
    let output = spillway(["check", "-c", &good]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{good}: ok\n"));
    let bad =
        scratch.file("bad.toml", b"networks = [\"198.18.0.0/16\"]\n[listen]\nsflwo = \"127.0.0.1:6343\"\n");
    for command in ["check", "run"] {
        let output = spillway([command, "-c", &bad]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            stderr(&output),
            format!("spillway: {bad}:3:1: unknown key `sflwo`; did you mean `sflow`?\n")
        );
    }
    let missing = spillway(["run", "-c", "/nonexistent.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/nonexistent.toml: cannot be read"), "{}", stderr(&missing));
}

#[test]
fn init_writes_a_file_that_check_accepts_and_does_not_overwrite() {
    let scratch = Scratch::new("daemon-init");
    let path = scratch.path("new.toml");
    let path = path.to_str().unwrap();
    let init = || spillway(["init", "-c", path, "--network", "198.51.100.0/24"]);
    assert!(init().status.success());
    let output = spillway(["check", "-c", path]);
    assert!(output.status.success(), "{}", stderr(&output));
    let again = init();
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
}

/// A program that writes its arguments, then its standard input, into a new file of `folder`.
pub(crate) fn script(scratch: &Scratch) -> (PathBuf, PathBuf) {
    let folder = scratch.path("calls");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "#!/bin/sh\nf=$(mktemp {0}/tmp.XXXXXX)\n{{ echo \"$@\"; cat; }} > $f\nmv $f {0}/call-$(basename $f)\n",
        folder.display()
    );
    let path = PathBuf::from(scratch.file("notify.sh", text.as_bytes()));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    (path, folder)
}

/// Calls so far: arguments and standard input.
pub(crate) fn calls(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let done = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("call-"));
    let texts = done.map(|path| std::fs::read_to_string(path).unwrap());
    texts.map(|text| text.split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap()).collect()
}

#[test]
fn a_program_is_told_once_with_the_attack_on_its_input() {
    let scratch = Scratch::new("daemon-notify");
    let (program, folder) = script(&scratch);
    let daemon =
        Daemon::start(&config(&scratch, "", &format!("[notify.exec]\npath = \"{}\"", program.display())));
    let attack = attacked(&daemon);
    let (arguments, input) = wait("the call", || calls(&folder).pop());
    let words: Vec<&str> = arguments.split(' ').collect();
    assert_eq!((words[0], words[1], words[3]), ("198.18.7.7/32", "in", "attack"));
    assert!(words[2].parse::<u64>().is_ok());
    let told: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(told["id"], attack["id"]);
    daemon.signal("-TERM");
    daemon.ended();
    assert_eq!(calls(&folder).len(), 1, "an end that was not seen is not told");
}

#[test]
fn compat_undoes_the_bans_of_a_killed_daemon_that_nobody_starts_again() {
    let scratch = Scratch::new("daemon-guard");
    let (program, folder) = script(&scratch);
    let more = format!("[notify.exec]\npath = \"{}\"\nrestart_time = \"500ms\"", program.display());
    let daemon = Daemon::start(&config(&scratch, "mode = \"enforce\"\ncompat = \"fastnetmon\"", &more));
    attacked(&daemon);
    wait("the ban", || calls(&folder).pop());
    daemon.signal("-KILL");
    daemon.ended();
    wait("the unban", || calls(&folder).into_iter().find(|(arguments, _)| arguments.ends_with(" unban")));
}

#[test]
fn compat_bans_only_in_enforce_mode_and_undoes_it_after_a_crash() {
    for (mode, bans) in [("suggest", false), ("enforce", true)] {
        let scratch = Scratch::new(&format!("daemon-compat-{mode}"));
        let (program, folder) = script(&scratch);
        let top = format!("mode = \"{mode}\"\ncompat = \"fastnetmon\"");
        let file = config(&scratch, &top, &format!("[notify.exec]\npath = \"{}\"", program.display()));
        let daemon = Daemon::start(&file);
        attacked(&daemon);
        if !bans {
            daemon.signal("-TERM");
            daemon.ended();
            assert!(calls(&folder).is_empty());
            continue;
        }
        let (arguments, input) = wait("the ban", || calls(&folder).pop());
        assert!(arguments.starts_with("198.18.7.7 incoming ") && arguments.ends_with(" ban"), "{arguments}");
        assert!(serde_json::from_str::<Value>(&input).is_ok());
        daemon.signal("-KILL");
        daemon.ended();
        // The operator goes back to watching: what the killed process left behind is undone at once.
        let text =
            std::fs::read_to_string(&file).unwrap().replace("mode = \"enforce\"", "mode = \"observe\"");
        let daemon = Daemon::start(&scratch.file("spillway.toml", text.as_bytes()));
        let undone = wait("the unban", || {
            calls(&folder).into_iter().map(|(arguments, _)| arguments).find(|a| a.ends_with(" unban"))
        });
        assert!(undone.starts_with("198.18.7.7 incoming "), "{undone}");
        drop(daemon);
    }
}
