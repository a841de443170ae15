//! The others: gobgpd by its command, BIRD and ExaBGP with a table in their configuration.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::receiver::Receiver;
use crate::{LOCAL_AS, PEER_AS, TABLE, address};

/// How often the command is called.
pub(crate) const COMMANDS: u32 = 100;

/// A daemon that ends with its measurement.
struct Running(Child, PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

fn start(name: &str, configuration: &str, command: impl FnOnce(&Path) -> Command) -> anyhow::Result<Running> {
    let folder = std::env::temp_dir().join(format!("spillway-bench-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("conf"), configuration)?;
    let mut command = command(&folder);
    let log = std::fs::File::create(folder.join("log"))?;
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(Running(child, folder))
}

/// Times from the call of `gobgp` to the UPDATE that gobgpd sends for it, sorted.
pub(crate) fn gobgp_command() -> anyhow::Result<Vec<Duration>> {
    let mut receiver = Receiver::listen()?;
    let port = receiver.address().port();
    let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let configuration = format!(
        "[global.config]\nas = {LOCAL_AS}\nrouter-id = \"192.0.2.1\"\nport = -1\n\
         [[neighbors]]\n[neighbors.config]\nneighbor-address = \"127.0.0.1\"\npeer-as = {PEER_AS}\n\
         [neighbors.transport.config]\nremote-port = {port}\nlocal-address = \"127.0.0.2\"\n\
         [neighbors.timers.config]\nconnect-retry = 1\n\
         [neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 10\n\
         [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv4-unicast\"\n"
    );
    let _running = start("gobgpd", &configuration, |folder| {
        let mut command = Command::new("gobgpd");
        command.arg("-f").arg(folder.join("conf"));
        command.args(["--api-hosts", &format!("127.0.0.1:{api}"), "--pprof-disable"]);
        command
    })?;
    let session = receiver.accept()?;
    session.quiet()?;
    let mut taken = Vec::new();
    for number in 0..COMMANDS {
        let prefix = format!("{}/32", address(number));
        let began = Instant::now();
        let mut call = Command::new("gobgp");
        call.args(["-p", &api.to_string(), "global", "rib", "add", &prefix]);
        let mut child =
            call.args(["nexthop", "192.0.2.66", "community", "65535:666"]).stdout(Stdio::null()).spawn()?;
        taken.push(session.routes(1)?.saturating_duration_since(began));
        child.wait()?;
    }
    taken.sort_unstable();
    Ok(taken)
}

/// From the session to 99 of 100 routes of the table, and to the last: BIRD 2.0 leaves what does not fill its last
/// message until its loop looks again, three seconds later when nothing else wakes it.
pub(crate) fn bird() -> anyhow::Result<(Duration, Duration)> {
    let mut receiver = Receiver::listen()?;
    let port = receiver.address().port();
    let mut table = String::new();
    for number in 0..TABLE {
        writeln!(table, "  route {}/32 blackhole {{ bgp_community.add((65535,666)); }};", address(number))?;
    }
    let configuration = format!(
        "router id 192.0.2.1;\nprotocol device {{ }}\nprotocol static many {{\n  ipv4;\n{table}}}\n\
         protocol bgp peer {{\n  local 127.0.0.2 as {LOCAL_AS};\n  neighbor 127.0.0.1 port {port} as {PEER_AS};\n  multihop;\n  \
         connect delay time 1;\n  ipv4 {{ import none; export all; next hop address 192.0.2.66; }};\n}}\n"
    );
    let _running = start("bird", &configuration, |folder| {
        let mut command = Command::new("bird");
        command.arg("-f").arg("-c").arg(folder.join("conf"));
        command.arg("-s").arg(folder.join("ctl")).arg("-P").arg(folder.join("pid"));
        command
    })?;
    let session = receiver.accept()?;
    let table = usize::try_from(TABLE)?;
    let (most, counted) = session.routes_beyond(table * 99 / 100)?;
    let last = if counted < table { session.routes(table - counted)? } else { most };
    Ok((most.saturating_duration_since(session.up), last.saturating_duration_since(session.up)))
}

/// The table in its configuration: from the session to the last.
pub(crate) fn exabgp() -> anyhow::Result<Duration> {
    let mut receiver = Receiver::listen()?;
    let mut table = String::new();
    for number in 0..TABLE {
        writeln!(table, "    route {}", announcement(number))?;
    }
    let rest = format!("  static {{\n{}  }}\n", table.replace('\n', ";\n"));
    let _running = start("exabgp", &exabgp_neighbor(receiver.address().port(), &rest), exabgp_command)?;
    let session = receiver.accept()?;
    Ok(session.routes(usize::try_from(TABLE)?)?.saturating_duration_since(session.up))
}

/// The table by lines of its API, as programs that steer it do: from the first line to the last route.
pub(crate) fn exabgp_api() -> anyhow::Result<Duration> {
    let mut receiver = Receiver::listen()?;
    let mut lines = String::new();
    for number in 0..TABLE {
        writeln!(lines, "announce route {}", announcement(number))?;
    }
    let neighbor = exabgp_neighbor(receiver.address().port(), "  api { processes [ many ]; }\n");
    let folder = std::env::temp_dir().join(format!("spillway-bench-exabgp-lines-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("lines"), lines)?;
    let at = folder.display();
    std::fs::write(
        folder.join("feed"),
        format!("while [ ! -e {at}/go ]; do sleep 0.01; done\ncat {at}/lines\nexec sleep 120\n"),
    )?;
    let configuration = format!("process many {{\n  run /bin/sh {at}/feed;\n  encoder text;\n}}\n{neighbor}");
    let running = start("exabgp", &configuration, exabgp_command)?;
    let session = receiver.accept()?;
    session.quiet()?;
    std::fs::write(folder.join("go"), "")?;
    let began = Instant::now();
    let last = session.routes(usize::try_from(TABLE)?)?;
    drop(running);
    std::fs::remove_dir_all(&folder)?;
    Ok(last.saturating_duration_since(began))
}

fn announcement(number: u32) -> String {
    format!("{}/32 next-hop 192.0.2.66 community [ 65535:666 ]", address(number))
}

fn exabgp_neighbor(port: u16, rest: &str) -> String {
    format!(
        "neighbor 127.0.0.1 {{\n  router-id 192.0.2.1;\n  local-address 127.0.0.2;\n  local-as {LOCAL_AS};\n  peer-as {PEER_AS};\n  \
         connect {port};\n  family {{ ipv4 unicast; }}\n{rest}}}\n"
    )
}

fn exabgp_command(folder: &Path) -> Command {
    let mut command = Command::new("exabgp");
    command.arg(folder.join("conf"));
    command.env("exabgp.api.cli", "false").env("exabgp.daemon.user", "root");
    command
}
