//! The manual's recipe for the machine at `to`: what nftables has there, and at the origin, as it is printed.

use std::process::{Child, Command, Output, Stdio};

use crate::dataplane::{run, succeeds};

const PAGE: &str = include_str!("../../../../manual/src/how-to/dns.md");

/// Tells who is seen, on both families.
const ORIGIN: &str = "import socket,threading\n\
    def serve(f,a):\n\
    \x20 s=socket.socket(f); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind((a,80)); s.listen()\n\
    \x20 while True:\n\
    \x20  c,p=s.accept(); c.sendall(('origin sees '+p[0]).encode()); c.close()\n\
    threading.Thread(target=serve,args=(socket.AF_INET,'192.0.2.10')).start()\n\
    serve(socket.AF_INET6,'2001:db8:2::10')\n";
const CLIENT: &str = "import socket,sys\n\
    s=socket.create_connection((sys.argv[1],80),timeout=float(sys.argv[2])); print(s.recv(99).decode())\n";

/// Client, forwarder and origin in a row; they go with the test.
struct Row {
    id: u32,
    origin: Option<Child>,
}

impl Row {
    fn new() -> Option<Self> {
        let row = Self { id: std::process::id() % 10_000, origin: None };
        if row.make().is_none() {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "network namespaces, iproute2, nft and python3 are needed"
            );
            eprintln!("skipped: needs root, network namespaces, iproute2, nft and python3");
            return None;
        }
        Some(row)
    }

    fn place(&self, name: &str) -> String {
        format!("spillway-{name}-{}", self.id)
    }

    fn make(&self) -> Option<()> {
        let Self { id, .. } = self;
        for name in ["nc", "nf", "no"] {
            succeeds("ip", &["netns", "add", &self.place(name)]).then_some(())?;
            self.sh(name, "ip link set lo up && nft list tables")?;
        }
        let (client, origin) = (self.place("nc"), self.place("no"));
        self.sh(
            "nf",
            &format!(
                "ip link add fc{id} type veth peer name c{id} && ip link set c{id} netns {client} && \
                 ip link add fo{id} type veth peer name o{id} && ip link set o{id} netns {origin} && \
                 ip addr add 198.51.100.1/24 dev fc{id} && ip addr add 2001:db8:3::1/64 dev fc{id} nodad && \
                 ip addr add 192.0.2.1/24 dev fo{id} && ip addr add 2001:db8:2::1/64 dev fo{id} nodad && \
                 ip addr add 203.0.113.80 dev lo && ip addr add 2001:db8:1::80 dev lo nodad && \
                 ip link set fc{id} up && ip link set fo{id} up && \
                 echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
            ),
        )?;
        for (name, link, end) in [
            ("nc", "c", ["198.51.100.5/24", "2001:db8:3::5/64"]),
            ("no", "o", ["192.0.2.10/24", "2001:db8:2::10/64"]),
        ] {
            let [four, six] = end;
            let [via, via6] =
                if name == "nc" { ["198.51.100.1", "2001:db8:3::1"] } else { ["192.0.2.1", "2001:db8:2::1"] };
            self.sh(
                name,
                &format!(
                    "ip addr add {four} dev {link}{id} && ip addr add {six} dev {link}{id} nodad && \
                     ip link set {link}{id} up && ip route add default via {via} && ip -6 route add default via {via6}"
                ),
            )?;
        }
        Some(())
    }

    fn command(&self, name: &str, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.place(name))).arg(program).args(args);
        command.stdin(Stdio::null());
        command
    }

    fn sh(&self, name: &str, script: &str) -> Option<Output> {
        self.command(name, "sh", &["-c", script]).output().ok().filter(|output| output.status.success())
    }

    /// Puts a table in force.
    fn load(&self, name: &str, table: &str) {
        let file = std::env::temp_dir().join(format!("spillway-forward-{}-{name}", self.id));
        std::fs::write(&file, table).unwrap();
        let output = self.command(name, "nft", &["-f", file.to_str().unwrap()]).output().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a client is answered there.
    fn asks(&self, address: &str, seconds: &str) -> Option<String> {
        let output = self.command("nc", "python3", &["-c", CLIENT, address, seconds]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if let Some(mut child) = self.origin.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        for name in ["nc", "nf", "no"] {
            let _ = run("ip", &["netns", "del", &self.place(name)]);
        }
    }
}

#[test]
fn what_the_manual_has_for_the_machine_at_to_forwards_and_the_origin_takes_nothing_else() {
    let tables: Vec<&str> = PAGE
        .split("```text\n")
        .filter_map(|part| part.split("```").next())
        .filter(|part| part.starts_with("table inet"))
        .collect();
    let [forwards, only] = tables.as_slice() else { panic!("{tables:?}") };
    let Some(mut row) = Row::new() else { return };
    row.origin = Some(row.command("no", "python3", &["-c", ORIGIN]).spawn().unwrap());
    let ways = [
        ("203.0.113.80", "203.0.113.80", "192.0.2.10", "198.51.100.5"),
        ("2001:db8:1::80", "2001:db8:1::80", "2001:db8:2::10", "2001:db8:3::5"),
    ];
    for (_, _, origin, own) in ways {
        let said = format!("origin sees {own}");
        crate::daemon::wait("the origin", || row.asks(origin, "5").filter(|heard| *heard == said));
    }
    row.load("nf", forwards);
    row.load("no", only);
    for (to, seen, ..) in ways {
        assert_eq!(row.asks(to, "30"), Some(format!("origin sees {seen}")));
    }
    // Here whoever asks the origin comes by the forwarder, too: without its table he has his own address.
    row.sh("nf", "nft delete table inet to_origin").unwrap();
    for (_, _, origin, _) in ways {
        assert_eq!(row.asks(origin, "1"), None, "who knows the origin's address gets nothing");
    }
}
