//! The servers: Knot DNS and BIND, each with a zone and a port of its own on loopback.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::daemon::wait;
use crate::support::free_port;

/// The key that a zone lets change it.
pub(super) const SECRET: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Knot,
    Bind,
}

pub(super) const KINDS: [Kind; 2] = [Kind::Knot, Kind::Bind];

impl Kind {
    const fn program(self) -> &'static str {
        match self {
            Self::Knot => "/usr/sbin/knotd",
            Self::Bind => "/usr/sbin/named",
        }
    }

    /// Each speaks another one.
    pub(super) const fn algorithm(self) -> &'static str {
        match self {
            Self::Knot => "hmac-sha256",
            Self::Bind => "hmac-sha512",
        }
    }
}

/// A running server; it ends with the test.
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Starts one whose zone example.net has these lines; it takes updates by the key, or none at all.
    pub(super) fn start(kind: Kind, lines: &str, updates: bool) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if let Some(missing) = [kind.program(), "/usr/bin/kdig", "/usr/bin/knsupdate"]
            .iter()
            .find(|one| !Path::new(one).exists())
        {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing} is missing");
            eprintln!("skipped: {missing} is not installed; `scripts/setup` does it");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("spillway-dns-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("db")).unwrap();
        let zone = format!(
            "$ORIGIN example.net.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n{lines}"
        );
        fs::write(folder.join("zone"), zone).unwrap();
        let port = free_port();
        fs::write(folder.join("conf"), configuration(kind, port, &folder, updates)).unwrap();
        let mut server = Self { kind, port, folder, child: None };
        server.run();
        Some(server)
    }

    /// Starts it again, with the zone as it was left.
    pub(super) fn run(&mut self) {
        let log = fs::File::create(self.folder.join("log")).unwrap();
        let conf = self.folder.join("conf");
        let mut command = Command::new(self.kind.program());
        match self.kind {
            Kind::Knot => command.arg("-c").arg(&conf),
            Kind::Bind => command.args(["-g", "-n", "1", "-c"]).arg(&conf),
        };
        let child = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait("the DNS server", || (!self.records("ns", "A").is_empty()).then_some(()));
    }

    /// Ends it without a word.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A name's records of this type, like `3600 198.51.100.7`, in order.
    pub(super) fn records(&self, name: &str, kind: &str) -> Vec<String> {
        let (port, name) = (self.port.to_string(), format!("{name}.example.net"));
        let args = ["@127.0.0.1", "-p", &port, "+noall", "+answer", "+timeout=2", "+retry=0", &name, kind];
        let output = Command::new("kdig").args(args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut all: Vec<String> = text
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                match words.as_slice() {
                    [_, ttl, "IN", found, data] if *found == kind => Some(format!("{ttl} {data}")),
                    _ => None,
                }
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Addresses of both families.
    pub(super) fn addresses(&self, name: &str) -> Vec<String> {
        [self.records(name, "A"), self.records(name, "AAAA")].concat()
    }

    /// Somebody else changes the zone.
    pub(super) fn change(&self, lines: &str) {
        let (port, algorithm) = (self.port, self.kind.algorithm());
        let script = format!(
            "server 127.0.0.1 {port}\nzone example.net.\nkey {algorithm}:spillway {SECRET}\n{lines}\nsend\n"
        );
        let mut child = Command::new("knsupdate").stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn configuration(kind: Kind, port: u16, folder: &Path, updates: bool) -> String {
    let folder = folder.display();
    let algorithm = kind.algorithm();
    match kind {
        Kind::Knot => {
            let acl = if updates { "    acl: changes\n" } else { "" };
            format!(
                "server:\n    listen: [ 127.0.0.1@{port}, ::1@{port} ]\n    rundir: \"{folder}\"\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n\
                 database:\n    storage: \"{folder}/db\"\n    journal-db-max-size: 20M\n    timer-db-max-size: 10M\n    kasp-db-max-size: 10M\n    catalog-db-max-size: 10M\n\
                 key:\n  - id: spillway\n    algorithm: {algorithm}\n    secret: {SECRET}\n\
                 acl:\n  - id: changes\n    key: spillway\n    action: update\n\
                 zone:\n  - domain: example.net\n    storage: \"{folder}\"\n    file: zone\n{acl}"
            )
        }
        Kind::Bind => {
            let allowed = if updates { "key spillway;" } else { "none;" };
            format!(
                "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 port {port} {{ ::1; }}; pid-file none; \
                 session-keyfile none; recursion no; dnssec-validation no; notify no; }};\ncontrols {{ }};\n\
                 key \"spillway\" {{ algorithm {algorithm}; secret \"{SECRET}\"; }};\n\
                 zone \"example.net\" {{ type primary; file \"zone\"; allow-update {{ {allowed} }}; }};\n"
            )
        }
    }
}
