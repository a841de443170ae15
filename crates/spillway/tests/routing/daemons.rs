//! The daemons: gobgpd, BIRD, FRR and ExaBGP, each with a configuration of its own, on a port of its own.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::{OUR_AS, OURS, PEER_AS};
use crate::support::free_port;

pub(super) const KINDS: [Kind; 4] = [Kind::Gobgp, Kind::Bird, Kind::Frr, Kind::Exabgp];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gobgp,
    Bird,
    Frr,
    Exabgp,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gobgp => "gobgpd",
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::Exabgp => "ExaBGP",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Gobgp => "/usr/bin/gobgpd",
            Self::Bird => "/usr/sbin/bird",
            Self::Frr => "/usr/lib/frr/bgpd",
            Self::Exabgp => "/usr/sbin/exabgp",
        }
    }
}

/// What a daemon says that it holds.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Unicast routes with the community of RFC 7999, in order.
    pub(super) blackholes: Vec<String>,
    /// Other unicast routes, by gobgpd's and BIRD's words, in order.
    pub(super) others: Vec<String>,
    /// FlowSpec rules.
    pub(super) rules: usize,
    /// In its own words.
    pub(super) text: String,
}

/// A running daemon; it ends with the test.
pub(super) struct Daemon {
    pub(super) kind: Kind,
    pub(super) port: u16,
    control: u16,
    folder: PathBuf,
    child: Child,
    place: Place,
}

/// Where it lives.
struct Place {
    namespace: Option<String>,
    address: String,
}

impl Place {
    fn program(&self, program: &str) -> Command {
        let Some(namespace) = &self.namespace else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{namespace}")).arg(program);
        command
    }
}

/// What a daemon is to do besides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options<'a> {
    /// Key of RFC 2385; not with ExaBGP and FRR.
    pub(super) md5: Option<&'a str>,
    /// Prefixes of each family that it takes at most; not with ExaBGP.
    pub(super) limit: Option<u32>,
    /// It keeps routes of a speaker that restarts (RFC 4724); gobgpd has to be told so, over a NOTIFICATION too.
    pub(super) restarts: bool,
    /// It takes packets from beside it only (RFC 5082); BIRD only.
    pub(super) beside: bool,
    /// Blackholes become routes of the kernel of its namespace; BIRD only.
    pub(super) kernel: bool,
    /// It takes no routes; BIRD only.
    pub(super) deaf: bool,
    /// Where it listens and where we are, if not on loopback.
    pub(super) between: Option<(&'a str, &'a str)>,
    /// Another address of ours, for a second session; FRR only.
    pub(super) also: Option<&'a str>,
    /// Port of a listener on loopback to which it tells its peers' routes over BMP; gobgpd and FRR.
    pub(super) bmp: Option<u16>,
    /// The namespace it lives in.
    pub(super) namespace: Option<&'a str>,
}

pub(super) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Daemon {
    /// Starts one, with options: see `Options`.
    pub(super) fn start(kind: Kind, options: Options<'_>) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !Path::new(kind.program()).exists() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", kind.name());
            eprintln!("skipped: {} is not installed; `scripts/setup` does it", kind.name());
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("spillway-bgp-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (port, control) = (free_port(), free_port());
        let mut conf = configuration(kind, port, options, &folder);
        conf += &options.bmp.map_or_else(String::new, |port| monitored(kind, port));
        fs::write(folder.join("conf"), conf).unwrap();
        let place = Place {
            namespace: options.namespace.map(str::to_owned),
            address: options.between.map_or("127.0.0.1", |(theirs, _)| theirs).to_owned(),
        };
        let child = spawn(kind, port, control, &folder, &place);
        Some(Self { kind, port, control, folder, child, place })
    }

    /// Ends it without a word, and starts it again.
    pub(super) fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = fs::remove_file(self.folder.join("told"));
        self.child = spawn(self.kind, self.port, self.control, &self.folder, &self.place);
    }

    /// Reads another configuration, without a restart; BIRD only.
    pub(super) fn reconfigure(&self, options: Options<'_>) {
        fs::write(self.folder.join("conf"), configuration(self.kind, self.port, options, &self.folder))
            .unwrap();
        self.command(&["configure"]);
    }

    /// Tells a daemon something by its own tool: birdc, gobgp, vtysh.
    pub(super) fn command(&self, words: &[&str]) -> String {
        let (socket, folder) = (self.folder.join("ctl"), self.folder.to_str().unwrap());
        let port = self.control.to_string();
        match self.kind {
            Kind::Bird => run("birdc", &[&["-s", socket.to_str().unwrap()][..], words].concat()),
            Kind::Gobgp => {
                let mut command = self.place.program("gobgp");
                let output = command.args(["-u", "127.0.0.1", "-p", &port]).args(words).output().unwrap();
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
            Kind::Frr => {
                let lines = words.iter().flat_map(|line| ["-c", line]);
                run("vtysh", &["--vty_socket", folder].into_iter().chain(lines).collect::<Vec<_>>())
            }
            Kind::Exabgp => String::new(),
        }
    }

    /// What ExaBGP told so far, a line of JSON each.
    pub(super) fn told(&self) -> String {
        fs::read_to_string(self.folder.join("told")).unwrap_or_default()
    }

    pub(super) fn view(&self) -> View {
        let mut view = match self.kind {
            Kind::Gobgp => self.gobgp(),
            Kind::Bird => self.bird(),
            Kind::Frr => self.frr(),
            Kind::Exabgp => self.exabgp(),
        };
        view.blackholes.sort_unstable();
        view.others.sort_unstable();
        view
    }

    /// What this daemon's own words have to say of `RULES`.
    pub(super) fn expects(&self, text: &str) {
        let wanted: &[&str] = match self.kind {
            Kind::Gobgp => &["198.51.100.7/32", "tcp-flags: =S&!A", "discard", "rate: 1000000"],
            Kind::Bird => &[
                "dst 198.51.100.7/32; proto 17; sport 123; length >= 468;",
                "tcp flags 0x2/0x2 && 0x0/0x10;",
                "2001:db8:1::7/128",
            ],
            Kind::Frr => &["FS:rate 0.000000", "198.51.100.7/32", "2001:db8:1::7/128"],
            Kind::Exabgp => &["198.51.100.7/32", "rate-limit:1000000", "=syn&!ack"],
        };
        for wanted in wanted {
            assert!(text.contains(wanted), "{} does not say `{wanted}`:\n{text}", self.kind.name());
        }
    }

    fn gobgp(&self) -> View {
        let mut view = View::default();
        let rib = |family: &str| self.command(&["global", "rib", "-a", family, "-j"]);
        for family in ["ipv4", "ipv6"] {
            let json: Value = serde_json::from_str(&rib(family)).unwrap_or_default();
            for (prefix, paths) in json.as_object().into_iter().flatten() {
                let blackhole = paths.to_string().contains("4294902426");
                let of = if blackhole { &mut view.blackholes } else { &mut view.others };
                of.push(prefix.clone());
            }
        }
        for family in ["ipv4-flowspec", "ipv6-flowspec"] {
            let json = rib(family);
            let rules: Value = serde_json::from_str(&json).unwrap_or_default();
            view.rules += rules.as_object().map_or(0, serde_json::Map::len);
            view.text += &(json + &self.command(&["global", "rib", "-a", family]));
        }
        view
    }

    /// A route of gobgpd's own, by the words of its command.
    pub(super) fn gobgp_add(&self, words: &[&str]) {
        let port = self.control.to_string();
        let said = run("gobgp", &[&["-u", "127.0.0.1", "-p", &port, "global", "rib", "add"], words].concat());
        assert_eq!(said, "", "{words:?}");
    }

    fn bird(&self) -> View {
        let mut view = View::default();
        let show = |table: &str| self.command(&["show", "route", "table", table, "all"]);
        for table in ["master4", "master6"] {
            let mut last = String::new();
            for line in show(table).lines() {
                if !line.starts_with([' ', '\t']) {
                    last = line.split_whitespace().next().unwrap_or_default().to_owned();
                    if last.contains('/') {
                        view.others.push(last.clone());
                    }
                } else if line.contains("BGP.community") && line.contains("(65535,666)") {
                    view.blackholes.push(last.clone());
                    view.others.retain(|other| *other != last);
                }
            }
        }
        for table in ["f4", "f6"] {
            let text = show(table);
            view.rules += text.lines().filter(|line| line.starts_with("flow")).count();
            view.text += &text;
        }
        view
    }

    fn frr(&self) -> View {
        let mut view = View::default();
        let show = |command: &str| self.command(&[command]);
        for family in ["ipv4", "ipv6"] {
            let json: Value =
                serde_json::from_str(&show(&format!("show bgp {family} unicast json"))).unwrap_or_default();
            for prefix in json["routes"].as_object().into_iter().flatten().map(|(prefix, _)| prefix) {
                if show(&format!("show bgp {family} unicast {prefix}")).contains("blackhole") {
                    view.blackholes.push(prefix.clone());
                }
            }
            let text = show(&format!("show bgp {family} flowspec detail"));
            view.rules += text.matches("BGP flowspec entry").count();
            view.text += &text;
        }
        view
    }

    /// ExaBGP keeps no table for us: what it tells of each UPDATE is summed up here.
    fn exabgp(&self) -> View {
        let mut view = View::default();
        let mut rules = std::collections::BTreeSet::new();
        let told = self.told();
        for line in told.lines() {
            let json: Value = serde_json::from_str(line).unwrap_or_default();
            if json["type"] == "state" && json["neighbor"]["state"] == "down" {
                view.blackholes.clear();
                rules.clear();
            }
            let update = &json["neighbor"]["message"]["update"];
            let blackhole = update["attribute"]["community"].to_string().contains("[65535,666]");
            for (family, hops) in update["announce"].as_object().into_iter().flatten() {
                for nlri in
                    hops.as_object().into_iter().flatten().flat_map(|(_, list)| list.as_array()).flatten()
                {
                    if family.ends_with("flow") {
                        rules.insert(nlri["string"].to_string());
                    } else if blackhole {
                        view.blackholes.push(nlri["nlri"].as_str().unwrap_or_default().to_owned());
                    }
                }
            }
            for (family, list) in update["withdraw"].as_object().into_iter().flatten() {
                for nlri in list.as_array().into_iter().flatten() {
                    if family.ends_with("flow") {
                        rules.remove(&nlri["string"].to_string());
                    } else {
                        view.blackholes.retain(|known| nlri["nlri"] != known.as_str());
                    }
                }
            }
        }
        view.rules = rules.len();
        view.text = told;
        view
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(kind: Kind, port: u16, control: u16, folder: &Path, place: &Place) -> Child {
    let conf = folder.join("conf");
    let mut command = place.program(kind.program());
    match kind {
        Kind::Gobgp => {
            let api = format!("127.0.0.1:{control}");
            command.arg("-f").arg(conf).args(["--api-hosts", &api, "--pprof-disable"]);
        }
        Kind::Bird => {
            command
                .arg("-f")
                .arg("-c")
                .arg(conf)
                .arg("-s")
                .arg(folder.join("ctl"))
                .arg("-P")
                .arg(folder.join("pid"));
        }
        Kind::Frr => {
            command.arg("-f").arg(conf).args([
                "-p",
                &port.to_string(),
                "-l",
                &place.address,
                "-n",
                "-S",
                "-P",
                "0",
            ]);
            command.arg("-i").arg(folder.join("pid")).arg("--vty_socket").arg(folder).args(["-M", "bmp"]);
        }
        Kind::Exabgp => {
            command.arg(conf);
            command.env("exabgp.tcp.bind", &place.address).env("exabgp.tcp.port", port.to_string());
            command.env("exabgp.api.cli", "false").env("exabgp.daemon.user", "root");
        }
    }
    let log = fs::File::create(folder.join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// Lines that make a daemon tell its peers' routes to a listener on loopback.
fn monitored(kind: Kind, port: u16) -> String {
    match kind {
        Kind::Gobgp => format!(
            "[[bmp-servers]]\n[bmp-servers.config]\naddress = \"127.0.0.1\"\nport = {port}\n\
             route-monitoring-policy = \"pre-policy\"\n"
        ),
        Kind::Frr => format!(
            " bmp targets spillway\n  bmp connect 127.0.0.1 port {port} min-retry 200 max-retry 400\n  \
             bmp monitor ipv4 unicast post-policy\n  bmp monitor ipv6 unicast post-policy\n exit\n"
        ),
        Kind::Bird | Kind::Exabgp => panic!("{} does not speak BMP here", kind.name()),
    }
}

fn configuration(kind: Kind, port: u16, options: Options<'_>, folder: &Path) -> String {
    let ours = OURS.to_string();
    let (theirs, ours) = options.between.unwrap_or(("127.0.0.1", &ours));
    match kind {
        Kind::Gobgp => gobgpd(port, options, theirs, ours),
        Kind::Bird => bird(port, options, folder, theirs, ours),
        Kind::Frr => frr(options, ours),
        Kind::Exabgp => format!(
            "process told {{\n  run /bin/sh -c \"cat >> {}\";\n  encoder json;\n}}\n\
             neighbor {ours} {{\n  router-id 192.0.2.2;\n  local-address {theirs};\n  local-as {PEER_AS};\n  peer-as {OUR_AS};\n  \
             passive;\n  listen {port};\n  family {{ ipv4 unicast; ipv6 unicast; ipv4 flow; ipv6 flow; }}\n  \
             api {{ processes [ told ]; neighbor-changes; receive {{ parsed; update; }} }}\n}}\n",
            folder.join("told").display()
        ),
    }
}

fn gobgpd(port: u16, options: Options<'_>, theirs: &str, ours: &str) -> String {
    let families = ["ipv4-unicast", "ipv6-unicast", "ipv4-flowspec", "ipv6-flowspec"];
    let limit = options.limit.map_or_else(String::new, |limit| {
        format!("[neighbors.afi-safis.prefix-limit.config]\nmax-prefixes = {limit}\n")
    });
    let (restarts, each) = match options.restarts {
        true => (
            "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 120\nnotification-enabled = true\n",
            "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n",
        ),
        false => ("", ""),
    };
    let family = |family| {
        format!(
            "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n{limit}{each}"
        )
    };
    let families: String = families.into_iter().map(family).collect();
    let key = options.md5.map_or_else(String::new, |key| format!("auth-password = \"{key}\"\n"));
    format!(
        "[global.config]\nas = {PEER_AS}\nrouter-id = \"192.0.2.2\"\nport = {port}\n\
         local-address-list = [\"{theirs}\"]\n\
         [[neighbors]]\n[neighbors.config]\nneighbor-address = \"{ours}\"\npeer-as = {OUR_AS}\n{key}\
         [neighbors.transport.config]\npassive-mode = true\n{restarts}\
         [neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 10\n{families}"
    )
}

fn bird(port: u16, options: Options<'_>, folder: &Path, theirs: &str, ours: &str) -> String {
    let key = options.md5.map_or_else(String::new, |key| format!("  password \"{key}\";\n"));
    let limit =
        options.limit.map_or_else(String::new, |limit| format!("import limit {limit} action disable;"));
    let import = match (options.deaf, options.kernel) {
        (true, _) => "none",
        (_, true) => "filter { if (65535, 666) ~ bgp_community then dest = RTD_BLACKHOLE; accept; }",
        _ => "all",
    };
    let kernel = ["ipv4", "ipv6"]
        .map(|name| format!("protocol kernel {{ {name} {{ import none; export all; }}; }}\n"));
    let kernel = if options.kernel { kernel.concat() } else { String::new() };
    let hops = if options.beside { "multihop 1;\n  ttl security on" } else { "multihop" };
    let channels: String = [("ipv4", ""), ("ipv6", ""), ("flow4", "table f4;"), ("flow6", "table f6;")]
        .map(|(name, table)| {
            let import = if table.is_empty() || options.deaf { import } else { "all" };
            format!("  {name} {{ {table} import {import}; export none; {limit} }};\n")
        })
        .concat();
    format!(
        "router id 192.0.2.2;\nlog \"{}\" all;\nflow4 table f4;\nflow6 table f6;\nprotocol device {{ }}\n\
         protocol bgp peer {{\n  local {theirs} port {port} as {PEER_AS};\n  neighbor {ours} as {OUR_AS};\n  {hops};\n  \
         passive on;\n  strict bind on;\n  error wait time 1, 4;\n{key}{channels}}}\n{kernel}",
        folder.join("log").display()
    )
}

fn frr(options: Options<'_>, ours: &str) -> String {
    let all = [Some(ours), options.also];
    let limit = |ours: &str| {
        options.limit.map_or_else(String::new, |limit| format!("  neighbor {ours} maximum-prefix {limit}\n"))
    };
    let each = |line: &dyn Fn(&str) -> String| all.into_iter().flatten().map(line).collect::<String>();
    let family = |name: &str| {
        let activated = each(&|ours| format!("  neighbor {ours} activate\n{}", limit(ours)));
        format!(" address-family {name}\n{activated} exit-address-family\n")
    };
    let families = ["ipv4 unicast", "ipv6 unicast", "ipv4 flowspec", "ipv6 flowspec"].map(family).concat();
    let neighbors = each(&|ours| {
        format!(
            " neighbor {ours} remote-as {OUR_AS}\n neighbor {ours} passive\n \
             neighbor {ours} disable-connected-check\n neighbor {ours} ebgp-multihop 10\n"
        )
    });
    format!(
        "router bgp {PEER_AS}\n bgp router-id 192.0.2.2\n no bgp ebgp-requires-policy\n{neighbors}{families}"
    )
}
