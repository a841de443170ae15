//! The others: gobgpd by its command, BIRD and ExaBGP with a table in their configuration.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
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

fn start(
    name: &str,
    configuration: &str,
    command: impl FnOnce(&PathBuf) -> Command,
) -> anyhow::Result<Running> {
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

/// From the session to the last of the table.
pub(crate) fn bird() -> anyhow::Result<Duration> {
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
    Ok(session.routes(usize::try_from(TABLE)?)?.saturating_duration_since(session.up))
}

/// Likewise.
pub(crate) fn exabgp() -> anyhow::Result<Duration> {
    let mut receiver = Receiver::listen()?;
    let port = receiver.address().port();
    let mut table = String::new();
    for number in 0..TABLE {
        writeln!(table, "    route {}/32 next-hop 192.0.2.66 community [ 65535:666 ];", address(number))?;
    }
    let configuration = format!(
        "neighbor 127.0.0.1 {{\n  router-id 192.0.2.1;\n  local-address 127.0.0.2;\n  local-as {LOCAL_AS};\n  peer-as {PEER_AS};\n  \
         connect {port};\n  family {{ ipv4 unicast; }}\n  static {{\n{table}  }}\n}}\n"
    );
    let _running = start("exabgp", &configuration, |folder| {
        let mut command = Command::new("exabgp");
        command.arg(folder.join("conf"));
        command.env("exabgp.api.cli", "false").env("exabgp.daemon.user", "root");
        command
    })?;
    let session = receiver.accept()?;
    Ok(session.routes(usize::try_from(TABLE)?)?.saturating_duration_since(session.up))
}
