//! What the ledger costs: appends that are on the disk, proofs and their verification.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base::Timestamp;
use ledger::commitment::Salt;
use ledger::entry::{Act, By, Decision, Entry, What};
use ledger::{Log, Policy, Proof};
use spillway::ledger::{Item, Place, Store, View};

/// Entries of each run on the disk.
const APPENDS: usize = 20_000;
/// Entries of the tree that proofs are taken of.
const TREE: u64 = 1_000_000;
/// Verifications.
const VERIFIED: usize = 5_000;

fn main() -> anyhow::Result<()> {
    let folder = Scratch::new()?;
    println!(
        "Durable appends (fsync before the answer), {APPENDS} decisions of about 300 octets; a single writer.\n"
    );
    println!("| at once | appends/s | median of an append | p99 |\n|---|---|---|---|");
    for at_once in [1, 16, 64, 256, 1024] {
        let total = if at_once == 1 { APPENDS / 20 } else { APPENDS };
        let (rate, mut times) = appends(&folder.0.join(at_once.to_string()), at_once, total)?;
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        println!("| {at_once} | {rate:.0} | {:.2} ms | {:.2} ms |", millis(at(50)), millis(at(99)));
    }
    let place = Place::new(&folder.0.join("256"), None, None);
    let begun = Instant::now();
    let view = View::at(&place)?;
    view.audit(|_, entry| {
        black_box(entry.len());
    })?;
    println!(
        "\nReading and recomputing all {} entries: {:.0} ms.",
        view.checkpoint().size,
        millis(begun.elapsed())
    );
    proofs(&view)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn appends(folder: &std::path::Path, at_once: usize, total: usize) -> anyhow::Result<(f64, Vec<Duration>)> {
    std::fs::create_dir_all(folder)?;
    let mut store = Store::open(&Place::new(folder, None, None))?;
    let mut times = Vec::new();
    let begun = Instant::now();
    for batch in 0..total / at_once {
        let items = (0..at_once).map(|n| item(batch * at_once + n)).collect::<anyhow::Result<Vec<_>>>()?;
        let one = Instant::now();
        store.append(&items)?;
        times.push(one.elapsed());
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
    let rate = (total / at_once * at_once) as f64 / begun.elapsed().as_secs_f64();
    Ok((rate, times))
}

fn item(n: usize) -> anyhow::Result<Item> {
    let salt = Salt::new(spillway::ledger::random()?);
    let content = format!("{{\"rule\":\"r{n} dst 192.0.2.{}/32 proto udp -> drop\"}}", n % 256);
    let decision = Decision {
        act: Act::Mitigation,
        by: By::Product,
        customer: None,
        commitment: salt.commit(content.as_bytes()),
        counts: [("rules".to_owned(), 1)].into(),
    };
    let entry = Entry::new(Timestamp::from_secs(1_790_000_000), What::Decision(decision));
    Ok(Item { entry, salt, content: Some(content), record: None })
}

/// Their cost, and the size of one in a tree of a million.
fn proofs(view: &View) -> anyhow::Result<()> {
    let policy: &Policy = view.policy();
    let last = view.checkpoint().size.saturating_sub(1);
    let (entry, proof) = (view.entry(last)?, view.prove(last)?);
    let mut times = Vec::with_capacity(VERIFIED);
    for _ in 0..VERIFIED {
        let begun = Instant::now();
        black_box(policy.receipt(&entry, &proof)?);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at =
        |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e6;
    println!("\nVerifying a proof, signature and hashes: median {:.1} µs, p99 {:.1} µs.", at(50), at(99));
    // the log alone, without its disk: how fast it grows, and how long a proof of so large a tree is
    let (begun, mut log) = (Instant::now(), Log::default());
    for first in (0..TREE).step_by(1_000) {
        let entries: Vec<[u8; 8]> = (first..first + 1_000).map(u64::to_be_bytes).collect();
        log = log.append(entries.iter().map(<[u8; 8]>::as_slice))?.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of a million")]
    let rate = TREE as f64 / begun.elapsed().as_secs_f64();
    let hashes = vec![log.root(); 20];
    let longest = Proof { index: TREE - 1, hashes, checkpoint: proof.checkpoint.clone(), extra: None };
    println!(
        "The log without a disk: {rate:.0} entries/s. A proof in a tree of {TREE}: {} octets.",
        longest.to_string().len()
    );
    Ok(())
}

struct Scratch(PathBuf);

impl Scratch {
    /// On the disk where the working copy is: /tmp may be none.
    fn new() -> anyhow::Result<Self> {
        let path = std::env::current_dir()?.join(format!("target/ledger-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
