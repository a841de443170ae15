//! What one would use instead, on the same rules and the same frame.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use rules::compile::nftables as compiler;
use rules::parse;

use crate::mix::{Packet, rules};

/// Rules given to nftables.
const COUNTS: [usize; 3] = [10, 100, 1000];
/// Frames sent into the stack for each.
const FRAMES: u32 = 400_000;

/// Runs [`nftables`] in a namespace of its own; nanoseconds by number of rules.
pub(crate) fn run_nftables() -> anyhow::Result<Vec<(usize, u64)>> {
    let out = Command::new("unshare").arg("-n").arg(std::env::current_exe()?).arg("nftables").output()?;
    anyhow::ensure!(out.status.success(), "nftables: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    let line = |line: &str| {
        let (count, ns) = line.split_once(' ')?;
        Some((count.parse().ok()?, ns.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Frames enter the stack as if received on `lo`, meet all rules, and are dropped behind them.
pub(crate) fn nftables() -> anyhow::Result<()> {
    anyhow::ensure!(
        Command::new("ip").args(["link", "set", "lo", "up"]).status()?.success(),
        "ip link set lo up"
    );
    let pass = sys::bpf::load_xdp(&[[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]], "pass")
        .map_err(|e| anyhow::anyhow!("{}", e.cause))?;
    let mut frame = Packet::FIXED.frame();
    // What is not for the interface's own address ends before the rules.
    frame.iter_mut().take(6).for_each(|octet| *octet = 0);
    for count in COUNTS {
        let (text, _) = rules(count);
        let rules = parse::rules(&text).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let mut file = String::from("flush ruleset\n");
        file.push_str(&compiler::file(&rules));
        file.push_str(
            "table inet rest { chain rest { type filter hook prerouting priority -440; drop; }; }\n",
        );
        let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
        nft.stdin.take().context("no input")?.write_all(file.as_bytes())?;
        anyhow::ensure!(nft.wait()?.success(), "nft refused {count} rules");
        let mut best = u128::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            sys::bpf::live_frames(pass.as_fd(), &frame, FRAMES)?;
            best = best.min(begun.elapsed().as_nanos() / u128::from(FRAMES));
        }
        println!("{count} {best}");
    }
    Ok(())
}

/// xdp-filter on one end of a virtual pair, asked through bpftool.
pub(crate) fn xdp_filter() -> anyhow::Result<String> {
    let script = "set -e; ip link add xf0 type veth peer name xf1; ip link set xf0 up; ip link set xf1 up
        for f in udp udp,tcp,ipv4,ipv6,ethernet; do
          xdp-filter load -f $f -m native xf0 >&2
          id=$(bpftool -j net show dev xf0 | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')
          best=999999
          for i in 1 2 3 4 5; do
            ns=$(bpftool prog run id $id data_in $1 repeat 400000 | sed -n 's/.*duration (average): \\([0-9]*\\)ns.*/\\1/p')
            [ $ns -lt $best ] && best=$ns
          done
          printf 'xdp-filter %s: %s; ' $f $best
          xdp-filter unload xf0 >&2
        done";
    let file = std::env::temp_dir().join(format!("spillway-bench-{}.frame", std::process::id()));
    std::fs::write(&file, Packet::FIXED.frame())?;
    let out = Command::new("unshare").args(["-n", "sh", "-c", script, "sh"]).arg(&file).output()?;
    let _ = std::fs::remove_file(&file);
    let complaint = String::from_utf8_lossy(&out.stderr);
    anyhow::ensure!(out.status.success(), "{}", complaint.lines().last().unwrap_or("no reason given"));
    Ok(String::from_utf8(out.stdout)?
        .trim_end_matches("; ")
        .replace("udp,tcp,ipv4,ipv6,ethernet", "all features"))
}
