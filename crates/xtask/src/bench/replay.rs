//! `spillway replay` on a long capture: packets a second, and memory at two lengths.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::build;
use crate::run::{Outcome, root};

/// Packets of the short and of the long capture.
const PACKETS: [u64; 2] = [400_000, 1_600_000];

pub(crate) fn run() -> Outcome<String> {
    build()?;
    let folder = root().join("target/bench");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let mut text = String::from(
        "A flood of SYNs among ordinary connections, best of three; the peer is tshark reading the same file.\n\n\
         With dossiers, the recording is read twice, and each source gets its verdict.\n\n\
         | packets | packets a second | resident | with dossiers | resident | tshark |\n|---|---|---|---|---|---|\n",
    );
    for packets in PACKETS {
        let file = folder.join(format!("replay-{packets}.pcap"));
        make(&file, packets)?;
        let mut best = f64::MAX;
        let mut resident = 0.0;
        let (mut whole, mut whole_resident) = (f64::MAX, 0.0);
        let dossiers = folder.join("dossiers");
        for _ in 0..3 {
            let (seconds, bytes) = replay(&file, &folder, None)?;
            best = best.min(seconds);
            resident = bytes;
            let (seconds, bytes) = replay(&file, &folder, Some(&dossiers))?;
            whole = whole.min(seconds);
            whole_resident = bytes;
            let _ = std::fs::remove_dir_all(&dossiers);
        }
        let peer = tshark(&file).map_or_else(
            || "not here".to_owned(),
            |seconds| format!("{:.0} packets a second ({:.0}×)", rate(packets, seconds), seconds / best),
        );
        text.push_str(&format!(
            "| {packets} | {:.2} million | {:.0} MB | {:.2} million | {:.0} MB | {peer} |\n",
            rate(packets, best) / 1e6,
            resident / 1e6,
            rate(packets, whole) / 1e6,
            whole_resident / 1e6
        ));
        // half a gigabyte is nothing to leave behind
        let _ = std::fs::remove_file(&file);
    }
    Ok(text)
}

/// Wall seconds and resident bytes, as the command's own statistics say.
fn replay(file: &Path, folder: &Path, dossiers: Option<&Path>) -> Outcome<(f64, f64)> {
    let stats = folder.join("stats.json");
    let status = Command::new(root().join("target/release/spillway"))
        .arg("replay")
        .arg(file)
        .args(["-o", "jsonl", "--stats"])
        .arg(&stats)
        .args(dossiers.iter().flat_map(|folder| [Path::new("--dossier"), folder]))
        .stdout(std::process::Stdio::null())
        .status()
        .map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("spillway replay: {status}"));
    }
    let text = std::fs::read_to_string(&stats).map_err(|e| format!("{}: {e}", stats.display()))?;
    let stats: Value = serde_json::from_str(&text).map_err(|e| format!("--stats: {e}"))?;
    let number =
        |key: &str| stats.get(key).and_then(Value::as_f64).ok_or_else(|| format!("no {key} in --stats"));
    Ok((number("wall_seconds")?, number("max_rss_bytes")?))
}

fn tshark(file: &Path) -> Option<f64> {
    let begun = Instant::now();
    let status = Command::new("tshark")
        .arg("-n")
        .arg("-r")
        .arg(file)
        .args(["-q", "-z", "io,stat,0"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .ok()?;
    status.success().then(|| begun.elapsed().as_secs_f64())
}

/// Seven of eight packets flood 198.51.100.7:443 from forged sources, one belongs to ordinary connections; ten seconds.
fn make(file: &PathBuf, packets: u64) -> Outcome {
    let failed = |e: std::io::Error| format!("{}: {e}", file.display());
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).map_err(failed)?);
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    out.write_all(&words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1])).map_err(failed)?;
    let mut chance = 1u64;
    for number in 0..packets {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [_, _, _, low, a, b, c, d] = chance.to_le_bytes();
        let ordinary = number % 8 == 0;
        let micros = number * 10_000_000 / packets;
        let (seconds, micros) = (1_700_000_000 + micros / 1_000_000, micros % 1_000_000);
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        let (src, dst) = if ordinary {
            ([192, 0, 2, a % 64], [198, 51, 100, 1 + b % 32])
        } else {
            ([a | 1, b, c, d], [198, 51, 100, 7])
        };
        let payload = if ordinary { 1000usize } else { 0 };
        let length = u16::try_from(40 + payload).map_err(|e| e.to_string())?;
        frame.extend([0x45, 0]);
        frame.extend(length.to_be_bytes());
        frame.extend([low, a, 0x40, 0, if ordinary { 57 } else { 240 }, 6, 0, 0]);
        frame.extend(src);
        frame.extend(dst);
        frame.extend([
            0x80 | b,
            c,
            1,
            187,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            0x50,
            if ordinary { 0x10 } else { 2 },
            4,
            0,
            0,
            0,
            0,
            0,
        ]);
        frame.resize(frame.len() + payload, 0);
        let len = u32::try_from(frame.len()).map_err(|e| e.to_string())?;
        let time = |n: u64| u32::try_from(n).map_err(|e| e.to_string());
        out.write_all(&words(&[time(seconds)?, time(micros)?, len, len])).map_err(failed)?;
        out.write_all(&frame).map_err(failed)?;
    }
    out.flush().map_err(failed)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(packets: u64, seconds: f64) -> f64 {
    packets as f64 / seconds.max(1e-9)
}
