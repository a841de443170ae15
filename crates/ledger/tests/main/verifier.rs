//! C12: an independent verifier, in Python, is given whatever this crate says, and changed copies of it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ledger::text::hex;
use ledger::{Hash, tree};
use serde_json::json;

use crate::disclosure::{PAYLOAD, disclosed};
use crate::disk::{Kept, entries, policy, signer};
use crate::opening::{CONTENT, opened};

const SIZE: u64 = 10_000;

fn python() -> bool {
    let there = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    assert!(
        there || std::env::var("CI").as_deref() != Ok("true"),
        "python3 is needed, and CI has to have it"
    );
    if !there {
        eprintln!("skipped: needs python3");
    }
    there
}

fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// What the script says, line by line, to these lines.
fn ask(args: &[&str], lines: &[String]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/main/verifier.py");
    let mut child = Command::new("python3")
        .arg(script)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = lines.join("\n") + "\n";
    let write = std::thread::Builder::new().spawn(move || input.write_all(text.as_bytes())).unwrap();
    let output = child.wait_with_output().unwrap();
    write.join().unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_second_implementation_accepts_every_proof_and_refuses_every_changed_bit() {
    if !python() {
        return;
    }
    let all = entries(SIZE);
    let kept = Kept::of(&all, 777);
    let folder = folder("proofs");
    let file = folder.join("policy");
    std::fs::write(&file, policy().to_string()).unwrap();
    let case = |proof: &str, entry: &[u8]| json!({"proof": proof, "entry": hex(entry)}).to_string();
    let good: Vec<String> =
        all.iter().zip(0..).map(|(entry, index)| case(&kept.prove(index).to_string(), entry)).collect();
    let said = ask(&["proofs", file.to_str().unwrap()], &good);
    assert_eq!(said.len(), good.len());
    assert!(said.iter().all(|word| word == "ok"));

    let mut changed = Vec::new();
    for (entry, index) in all.iter().zip(0_u64..).step_by(250) {
        let proof = kept.prove(index);
        let bit = usize::try_from(index).unwrap();
        let mut other = entry.clone();
        other[bit / 8 % entry.len()] ^= 1 << (bit % 8);
        changed.push(case(&proof.to_string(), &other));
        let mut other = proof.clone();
        let at = bit % proof.hashes.len();
        other.hashes[at].0[bit % 32] ^= 1 << (bit % 8);
        changed.push(case(&other.to_string(), entry));
        let mut other = proof.clone();
        other.index ^= 1 << (bit % 13);
        changed.push(case(&other.to_string(), entry));
        let mut root = kept.log.root();
        root.0[bit % 32] ^= 1 << (bit % 8);
        let note = &proof.checkpoint;
        changed.push(case(&proof.to_string().replace(&kept.log.root().base64(), &root.base64()), entry));
        // one bit of the signature, which stands last
        let mut signature = ledger::text::from_base64(note.trim_end().rsplit(' ').next().unwrap()).unwrap();
        signature[4 + bit % 64] ^= 1 << (bit % 8);
        let (text, _) = note.rsplit_once(' ').unwrap();
        let forged = format!("{text} {}\n", ledger::text::base64(&signature));
        changed.push(case(&proof.to_string().replace(note, &forged), entry));
    }
    let said = ask(&["proofs", file.to_str().unwrap()], &changed);
    assert_eq!(said.len(), changed.len());
    assert!(said.iter().all(|word| word == "no"), "{:?}", said.iter().position(|word| word != "no"));
    // ours says the same
    for case in &changed {
        let case: serde_json::Value = serde_json::from_str(case).unwrap();
        let entry = ledger::text::from_hex(case["entry"].as_str().unwrap()).unwrap();
        let proof = ledger::Proof::parse(case["proof"].as_str().unwrap());
        assert!(proof.is_err() || policy().receipt(&entry, &proof.unwrap()).is_err());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_second_implementation_opens_what_we_opened_and_nothing_else() {
    if !python() {
        return;
    }
    let folder = folder("opened");
    let file = folder.join("policy");
    std::fs::write(&file, policy().to_string()).unwrap();
    let case = |proof: &ledger::Proof, file: &[u8]| {
        json!({"proof": proof.to_string(), "entry": hex(file)}).to_string()
    };
    let mut cases: Vec<String> = disclosed().iter().map(|(_, proof, _)| case(proof, PAYLOAD)).collect();
    let (decision, _) = opened();
    cases.push(case(&decision, CONTENT));
    let good = cases.len();
    cases.extend(disclosed().iter().map(|(_, proof, _)| case(proof, CONTENT)));
    let extra = decision.extra.clone().unwrap();
    for at in 0..extra.len() * 8 {
        let mut changed = extra.clone();
        changed[at / 8] ^= 1 << (at % 8);
        cases.push(case(&ledger::Proof { extra: Some(changed), ..decision.clone() }, CONTENT));
    }
    let said = ask(&["opened", file.to_str().unwrap()], &cases);
    assert!(said[..good].iter().all(|word| word == "ok"), "{said:?}");
    assert!(said.len() == cases.len() && said[good..].iter().all(|word| word == "no"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_second_implementation_finds_random_heads_consistent_and_no_changed_ones() {
    if !python() {
        return;
    }
    let kept = Kept::of(&entries(SIZE), 1_000);
    let case = |old: (u64, Hash), new: (u64, Hash), proof: &[Hash]| {
        let proof: Vec<String> = proof.iter().map(Hash::to_string).collect();
        json!({"old": [old.0, old.1.to_string()], "new": [new.0, new.1.to_string()], "proof": proof})
            .to_string()
    };
    let mut state = 99_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut good, mut changed) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let (a, b) = (1 + random(SIZE), 1 + random(SIZE));
        let (m, n) = (a.min(b), a.max(b));
        let (old, new) = ((m, kept.root(m)), (n, kept.root(n)));
        let proof = tree::consistency(&mut kept.reader(), m, n).unwrap();
        good.push(case(old, new, &proof));
        let flip = |hash: Hash| {
            let mut hash = hash;
            hash.0[7] ^= 16;
            hash
        };
        changed.push(case((m, flip(old.1)), new, &proof));
        changed.push(case(old, (n, flip(new.1)), &proof));
        if let Some(at) = usize::try_from(random(64)).ok().filter(|at| *at < proof.len()) {
            let mut proof = proof.clone();
            proof[at] = flip(proof[at]);
            changed.push(case(old, new, &proof));
        }
    }
    let said = ask(&["consistency"], &good);
    assert!(said.len() == 300 && said.iter().all(|word| word == "ok"));
    let said = ask(&["consistency"], &changed);
    assert!(said.len() == changed.len() && said.iter().all(|word| word == "no"));
}

#[test]
fn a_second_implementation_reads_the_files_of_a_log() {
    if !python() {
        return;
    }
    let kept = Kept::of(&entries(SIZE), 900);
    let folder = folder("files");
    for (path, content) in &kept.disk.0 {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    std::fs::write(folder.join("checkpoint"), kept.checkpoint().signed(&signer())).unwrap();
    std::fs::write(folder.join("policy"), policy().to_string()).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    assert_eq!(ask(&["log", &path(""), &path("policy")], &[]), ["10000"]);
    std::fs::remove_dir_all(folder).unwrap();
}
