//! What is wrong is said in plain words: from a table of facts, and by the real daemon.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use api::metrics::{Dataplane, FileNumbers, History, Intel, Ledger, ListNumbers, Listener, Metrics};
use api::model::Exporter;
use api::{Finding, Gravity};
use base::Timestamp;
use serde_json::Value;
use spillway::config::{Compat, Config};
use spillway::doctor::facts::{Host, Interface, Running, State, Taken};
use spillway::doctor::{Facts, examine};
use spillway::routing::order::{Absorber, Peer};

use crate::daemon::{Daemon, config, syns, wait};
use crate::support::{Scratch, spillway, stderr};

const SINCE: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A daemon that is well: everything is as it should be, but for notes.
fn well(more: &str) -> Facts {
    let text = format!(
        "networks = [\"198.18.0.0/16\"]\nstate_dir = \"/state\"\n{more}\n[listen]\nsflow = \"127.0.0.1:6343\"\n[rules]\nnever = [\"198.18.0.1/32\"]\n"
    );
    let config = Config::parse(Path::new("/f.toml"), &text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let exporter = Exporter {
        address: "192.0.2.1".into(),
        formats: vec!["sflow5".into()],
        datagrams: 1000,
        flows: 8000,
        sampling_rate: Some(1000),
        heard: "whole".into(),
        ..Exporter::default()
    };
    let metrics = Metrics {
        version: "0.1.0".into(),
        reload_ok: true,
        listeners: vec![Listener { name: "sflow".into(), ..Listener::default() }],
        ledger: Some(Ledger { size: 7, ..Ledger::default() }),
        history: Some(History::default()),
        ..Metrics::default()
    };
    let mode = config.mode;
    Facts {
        config,
        now: Timestamp::from_secs(SINCE.secs() + 3600),
        host: Host {
            rmem_max: Some(64 << 20),
            clock: Some((true, 1000)),
            disk: Some((500 << 30, 1000 << 30)),
            state: State { exists: true, owner: Some((0, 0o40700)), user: Some(0), read_only: false },
            capabilities: Some(u64::MAX),
            ..Host::default()
        },
        running: Some(Running {
            since: SINCE,
            mode: (mode, None),
            metrics,
            exporters: vec![exporter],
            buffers: vec![("sflow", 16 << 20, 16 << 20)],
            peers: Ok(Vec::new()),
            absorbers: Vec::new(),
            ledger: None,
            dead: Vec::new(),
            edited: None,
            enforcer: None,
        }),
        unheard: None,
    }
}

fn running(facts: &mut Facts) -> &mut Running {
    facts.running.as_mut().unwrap()
}

fn exporter(facts: &mut Facts) -> &mut Exporter {
    &mut running(facts).exporters[0]
}

/// A list of others whose file was changed then.
fn list(facts: &mut Facts, modified: u64, refused: bool) {
    let lists = vec![ListNumbers { name: "sinkhole".into(), kind: "bot", entries: 7, modified, refused }];
    running(facts).metrics.intel = Some(Intel { lists, ..Intel::default() });
}

/// A file that tells where addresses are, so many days old; `None`: nothing of it holds.
fn file(facts: &mut Facts, kind: &'static str, days: Option<u64>, refused: bool) {
    let modified = days.map_or(0, |days| SINCE.secs() - days * 86_400);
    let files = vec![FileNumbers { path: "/var/lib/x".into(), kind, modified, refused }];
    running(facts).metrics.intel = Some(Intel { files, ..Intel::default() });
}

fn bad(facts: &Facts) -> Vec<Finding> {
    examine(facts).into_iter().filter(|found| found.severity >= Gravity::Warning).collect()
}

#[test]
fn what_is_well_is_said_to_be_well() {
    let found = examine(&well(""));
    assert_eq!(bad(&well("")), [], "{found:#?}");
    assert!(
        found.iter().any(|one| one.check == "exporter" && one.what.contains("sampling 1:1000")),
        "{found:#?}"
    );
}

/// A configuration that is added, what is wrong, and what is said of it: check, severity, a part of the sentence, of the cure.
type Case = (&'static str, fn(&mut Facts), &'static str, Gravity, &'static str, &'static str);

const ROUTING: &str = "[routing]\nasn = 64500\nrouter_id = \"192.0.2.250\"\n[routing.peers.edge]\naddress = \"192.0.2.9\"\nasn = 64501\ncarries = [\"flowspec\"]\n";

#[test]
fn each_fault_is_named_with_its_cure() {
    use Gravity::{Error, Warning};
    let cases: &[Case] = &[
        ("", |f| exporter(f).heard = "silent".into(), "exporter-silent", Error, "silent since", "tcpdump"),
        ("", |f| exporter(f).heard = "part".into(), "exporter-silent", Warning, "most of what", "sampling"),
        (
            "",
            |f| running(f).exporters.clear(),
            "no-datagrams",
            Error,
            "no datagram of flow export has come since 2027",
            "udp port 6343",
        ),
        (
            "[exporters.\"192.0.2.7\"]\nsampling = 10\n",
            |_| {},
            "exporter-silent",
            Warning,
            "no datagram has come of it since",
            "host 192.0.2.7",
        ),
        (
            "",
            |f| exporter(f).sampling_rate = None,
            "sampling-unknown",
            Warning,
            "does not say",
            "sampling = N",
        ),
        (
            "",
            |f| (exporter(f).buffered_bytes, exporter(f).flows) = (1400, 0),
            "templates-missing",
            Error,
            "1400 octets",
            "60 seconds",
        ),
        (
            "",
            |f| exporter(f).sequence_lost = 100,
            "sequence-lost",
            Warning,
            "100 of 1100",
            "class of service",
        ),
        (
            "",
            |f| {
                exporter(f).faults.insert("trailing".into(), 50);
            },
            "faults",
            Warning,
            "trailing 50",
            "spillway decode",
        ),
        (
            "",
            |f| exporter(f).truth_off = true,
            "counters-belie",
            Warning,
            "its interfaces count",
            "sampling_override",
        ),
        ("", |f| exporter(f).doubtful = true, "counters-belie", Error, "its interfaces count", "sampling"),
        (
            "",
            |f| exporter(f).export_delay_seconds = Some(7200.0),
            "exporter-clock",
            Warning,
            "7200 seconds",
            "NTP",
        ),
        (
            "",
            |f| {
                running(f).metrics.listeners[0].socket_drops = 9;
                f.host.rmem_max = Some(212_992);
            },
            "kernel-drops",
            Error,
            "dropped 9 datagrams",
            "sysctl -w net.core.rmem_max=33554432",
        ),
        (
            "",
            |f| running(f).metrics.listeners[0].socket_drops = 9,
            "kernel-drops",
            Error,
            "dropped 9 datagrams",
            "listen.receive_buffer = \"32 MiB\"",
        ),
        (
            "",
            |f| running(f).buffers = vec![("sflow", 212_992, 16 << 20)],
            "receive-buffer",
            Warning,
            "212992 octets, not 16777216",
            "sysctl -w net.core.rmem_max=16777216",
        ),
        ("", |f| running(f).metrics.listeners[0].errors = 2, "receive-errors", Warning, "2 errors", "log"),
        ("", |f| f.host.clock = Some((false, 0)), "clock", Warning, "nothing keeps the clock", "chrony"),
        ("", |f| f.host.clock = Some((true, 5_000_000)), "clock", Warning, "5000 ms", "chrony"),
        ("", |f| f.host.disk = Some((1 << 20, 1000 << 30)), "disk", Error, "1 MiB are free", "history.quota"),
        ("", |f| f.host.disk = Some((3 << 29, 1000 << 30)), "disk", Warning, "only 1536 MiB", "make room"),
        ("", |f| f.host.state.read_only = true, "state-folder", Error, "read-only", "mount"),
        (
            "",
            |f| (f.host.state.owner, f.host.state.user) = (Some((0, 0o40700)), Some(998)),
            "state-folder",
            Error,
            "belongs to user 0",
            "chown -R 998 /state",
        ),
        ("", |f| f.host.state.owner = Some((0, 0o40755)), "state-folder", Warning, "755", "chmod 700 /state"),
        (
            "",
            |f| {
                f.running = None;
                let address = "127.0.0.1:6343".parse().unwrap();
                let by = Some((4711, "nfcapd".to_owned()));
                f.host.taken = vec![Taken { key: "listen.sflow".into(), address, by }];
            },
            "port-taken",
            Error,
            "taken by the process 4711 (nfcapd)",
            "another `listen.sflow`",
        ),
        ("", |f| f.running = None, "daemon", Warning, "does not run", "systemctl start"),
        (
            "",
            |f| (f.running, f.unheard) = (None, Some("permission denied".into())),
            "daemon",
            Warning,
            "cannot be asked: permission denied",
            "be root",
        ),
        (
            "",
            |f| running(f).metrics.reload_ok = false,
            "configuration",
            Error,
            "not taken",
            "spillway check -c /f.toml",
        ),
        (
            "",
            |f| running(f).edited = Some("/f.toml".into()),
            "configuration",
            Warning,
            "changed after it was taken",
            "control reload",
        ),
        (
            "mode = \"enforce\"",
            |_| {},
            "enforcement",
            Error,
            "nothing that could enforce",
            "dataplane.interfaces",
        ),
        (
            "mode = \"enforce\"",
            |f| {
                f.config.compat = Some(Compat::Fastnetmon);
                f.config.rules.never.clear();
            },
            "never-list",
            Warning,
            "must never be cut",
            "rules.never",
        ),
        ("", |f| running(f).ledger = Some("disk full".into()), "ledger", Error, "disk full", "tried again"),
        ("", |f| running(f).metrics.store_errors = 3, "store", Warning, "3 writes failed", "fuser"),
        (
            "",
            |f| running(f).metrics.history.as_mut().unwrap().full = true,
            "history",
            Error,
            "too full",
            "history.min_free",
        ),
        (
            "",
            |f| running(f).dead = vec![("noc".into(), 4, Some("410 Gone".into()))],
            "dead-letters",
            Warning,
            "4 notifications were given up; the last answer was: 410 Gone",
            "spillway notify test noc",
        ),
        (
            "",
            |f| {
                let dataplane = Dataplane { wanted: 3, actual: 1, ..Dataplane::default() };
                running(f).metrics.dataplane = Some(dataplane);
                running(f).enforcer = Some("no room".into());
            },
            "dataplane",
            Error,
            "of 3 rules that shall be in force the kernel has 1: no room",
            "dataplane status",
        ),
        (
            "",
            |f| {
                f.config.dataplane.interfaces = vec!["eth7".into()];
                f.host.interfaces = vec![Interface { name: "eth7".into(), ..Interface::default() }];
            },
            "interface",
            Error,
            "no such interface",
            "ip link",
        ),
        (
            "",
            |f| {
                f.config.dataplane.interfaces = vec!["eth7".into()];
                let xdp = Some("generic");
                f.host.interfaces = vec![Interface { name: "eth7".into(), exists: true, xdp, lro: false }];
            },
            "interface",
            Warning,
            "generic mode",
            "ethtool -i",
        ),
        (
            "",
            |f| {
                f.config.dataplane.interfaces = vec!["eth7".into()];
                let xdp = Some("native");
                f.host.interfaces = vec![Interface { name: "eth7".into(), exists: true, xdp, lro: true }];
            },
            "offload",
            Warning,
            "LRO",
            "ethtool -K eth7 lro off",
        ),
        (
            "",
            |f| {
                f.config.dataplane.interfaces = vec!["eth7".into()];
                f.host.capabilities = Some(1 << 12);
            },
            "privileges",
            Error,
            "the daemon lacks CAP_BPF",
            "by the unit",
        ),
        (
            "",
            |f| list(f, SINCE.secs() - 40 * 86_400, false),
            "list",
            Warning,
            "its file is 40 days old; entries: 7",
            "fetch it anew",
        ),
        (
            "",
            |f| list(f, SINCE.secs(), true),
            "list",
            Warning,
            "its file cannot be used; what it had before holds on",
            "control reload",
        ),
        ("", |f| list(f, 0, true), "list", Warning, "it says nothing of anybody", "mend the file"),
        (
            "",
            |f| file(f, "mmdb", Some(100), false),
            "intel-file",
            Warning,
            "the database is 100 days old",
            "fetch it",
        ),
        (
            "",
            |f| file(f, "mrt", Some(8), false),
            "intel-file",
            Warning,
            "the table dump is 8 days old",
            "reload",
        ),
        (
            "",
            |f| file(f, "mrt", Some(1), true),
            "intel-file",
            Warning,
            "what it had before holds on",
            "`spillway check`",
        ),
        (
            "",
            |f| file(f, "places", None, true),
            "intel-file",
            Warning,
            "what it would tell is unknown",
            "reload",
        ),
        (
            ROUTING,
            |f| {
                let last_down = Some("hold timer expired".to_owned());
                let peer = Peer { name: "edge".into(), state: "active".into(), last_down, ..Peer::default() };
                running(f).peers = Ok(vec![peer]);
            },
            "peer-down",
            Error,
            "active; the last one ended: hold timer expired",
            "nc -vz",
        ),
        (
            ROUTING,
            |f| running(f).peers = Err("gone".into()),
            "peers",
            Error,
            "does not answer: gone",
            "SIGUSR2",
        ),
        (
            ROUTING,
            |f| {
                let reason = Some("another key".to_owned());
                let one = Absorber { name: "a1".into(), state: "down".into(), reason, ..Absorber::default() };
                running(f).absorbers = vec![one];
            },
            "absorber-down",
            Error,
            "down: another key",
            "spillway absorb",
        ),
    ];
    for (more, tweak, check, severity, what, cure) in cases {
        // What is added may be keys on top, or sections that have to stand below.
        let mut facts = if more.starts_with('[') { below(more) } else { well(more) };
        tweak(&mut facts);
        let found = bad(&facts);
        let one = found.iter().find(|one| one.check == *check && one.severity == *severity);
        let one = one.unwrap_or_else(|| panic!("{check} {severity:?} is not among {found:#?}"));
        assert!(one.what.contains(what), "{check}: `{what}` is not in `{}`", one.what);
        let said = one.cure.as_deref().unwrap_or_default();
        assert!(said.contains(cure), "{check}: `{cure}` is not in `{said}`");
        assert!(one.why.is_some(), "{check}: why does it matter?");
    }
}

fn below(more: &str) -> Facts {
    let mut facts = well("");
    let text = format!(
        "networks = [\"198.18.0.0/16\"]\nstate_dir = \"/state\"\n[listen]\nsflow = \"127.0.0.1:6343\"\n[rules]\nnever = [\"198.18.0.1/32\"]\n{more}"
    );
    facts.config =
        Config::parse(Path::new("/f.toml"), &text).unwrap_or_else(|problems| panic!("{problems:?}"));
    facts
}

fn findings(args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = spillway(["doctor", "-o", "json"].iter().chain(args).copied());
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output.status.code(), document["items"].as_array().unwrap().clone())
}

fn of<'a>(found: &'a [Value], check: &str) -> Vec<&'a Value> {
    found.iter().filter(|one| one["check"] == check).collect()
}

#[test]
fn a_taken_port_is_named_with_who_has_it() {
    let scratch = Scratch::new("doctor-port");
    let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let text = format!(
        "networks = [\"198.18.0.0/16\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"{}\"\n[api]\nlisten = \"{}\"\n",
        scratch.path("state").display(),
        udp.local_addr().unwrap(),
        tcp.local_addr().unwrap()
    );
    let file = scratch.file("spillway.toml", text.as_bytes());
    let (code, found) = findings(&["-c", &file]);
    assert_eq!(code, Some(1));
    let taken = of(&found, "port-taken");
    assert_eq!(taken.len(), 2, "{found:#?}");
    for one in taken {
        let what = one["what"].as_str().unwrap();
        assert!(what.contains(&format!("the process {}", std::process::id())), "{what}");
    }
    assert_eq!(of(&found, "daemon")[0]["severity"], "warning");
    // A wrong file is a finding, too.
    let wrong = scratch.file("wrong.toml", b"networks = 7\n");
    let (code, found) = findings(&["-c", &wrong]);
    assert_eq!((code, &found[0]["check"]), (Some(1), &Value::from("configuration")));
    assert!(found[0]["what"].as_str().unwrap().contains("wrong.toml:1:"), "{found:#?}");
}

/// A NetFlow v9 datagram with one set.
fn netflow9(sequence: u32, set: u16, body: &[u8]) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut out = Vec::new();
    out.extend(9u16.to_be_bytes());
    out.extend(1u16.to_be_bytes());
    for word in [3_600_000u32, u32::try_from(now.as_secs()).unwrap(), sequence, 1] {
        out.extend(word.to_be_bytes());
    }
    out.extend(set.to_be_bytes());
    out.extend(u16::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(body);
    out
}

/// Template 256: source, destination, packets, bytes, protocol; and a record of it, filled up to four octets.
fn template() -> Vec<u8> {
    let mut out = Vec::new();
    for word in [256u16, 5, 8, 4, 12, 4, 2, 4, 1, 4, 4, 1] {
        out.extend(word.to_be_bytes());
    }
    out
}

const RECORD: [u8; 20] = [203, 0, 113, 5, 198, 18, 7, 7, 0, 0, 0, 1, 0, 0, 0, 60, 17, 0, 0, 0];

#[test]
fn the_running_daemon_says_what_it_lacks() {
    let scratch = Scratch::new("doctor-daemon");
    let more = "[exporters.\"192.0.2.55\"]\nsampling = 100\n";
    let file = config(&scratch, "", more);
    let daemon = Daemon::start(&file);
    let to = daemon.listen(1);
    UdpSocket::bind("127.0.0.71:0").unwrap().send_to(&netflow9(1, 256, &RECORD), to).unwrap();
    let whole = UdpSocket::bind("127.0.0.72:0").unwrap();
    whole.send_to(&netflow9(1, 0, &template()), to).unwrap();
    whole.send_to(&netflow9(2, 256, &RECORD), to).unwrap();
    UdpSocket::bind("127.0.0.73:0").unwrap().send_to(&syns(0, 9), daemon.listen(1)).unwrap();
    let found = wait("all that it lacks", || {
        let (_, found) = findings(&["-c", &file]);
        let about = |check: &str, about: &str| of(&found, check).iter().any(|one| one["about"] == about);
        let all = about("templates-missing", "127.0.0.71")
            && about("sampling-unknown", "127.0.0.72")
            && about("exporter", "127.0.0.73")
            && about("exporter-silent", "192.0.2.55");
        all.then_some(found)
    });
    assert_eq!(of(&found, "daemon")[0]["severity"], "ok");
    assert!(of(&found, "port-taken").is_empty(), "its own ports are no finding: {found:#?}");
    // For people, and by exit code.
    let output = spillway(["doctor", "-o", "text", "-c", &file]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains("127.0.0.71") && text.contains("cure"), "{text}");
    assert_eq!(output.status.code(), Some(1), "templates that are missing are an error: {text}");
    // Over the API it takes an operator.
    let api = daemon.ready["api"].as_str().unwrap();
    let nobody = spillway(["doctor", "--api", api, "-o", "json"]);
    assert!(stderr(&nobody).contains("SPILLWAY_TOKEN"), "{}", stderr(&nobody));
    assert!(spillway(["user", "add", "olga", "--role", "operator", "-c", &file]).status.success());
    let made = spillway(["token", "add", "olga", "-c", &file, "-o", "json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let token = scratch.file("token", made["token"].as_str().unwrap().as_bytes());
    let (_, found) = findings(&["--api", api, "--token-file", &token]);
    assert!(!of(&found, "templates-missing").is_empty(), "{found:#?}");
}

#[test]
fn a_small_receive_buffer_is_named_with_the_sysctl() {
    if !Command::new("setpriv")
        .args(["--bounding-set=-net_admin", "--", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "needs root and setpriv (util-linux)");
        eprintln!("skipped: needs root and setpriv");
        return;
    }
    let scratch = Scratch::new("doctor-buffer");
    let text = std::fs::read_to_string(config(&scratch, "", "")).unwrap();
    // More than any system allows who is not privileged.
    let file =
        scratch.file("b.toml", text.replace("[listen]", "[listen]\nreceive_buffer = \"512 MiB\"").as_bytes());
    let _daemon = Daemon::begin(
        Command::new("setpriv")
            .args(["--bounding-set=-net_admin", "--", env!("CARGO_BIN_EXE_spillway"), "run", "-c"])
            .arg(&file),
    );
    let (_, found) = findings(&["-c", &file]);
    let small = of(&found, "receive-buffer");
    assert!(
        small[0]["cure"].as_str().unwrap().contains("sysctl -w net.core.rmem_max=536870912"),
        "{found:#?}"
    );
}
