//! The stand-alone verifier as it is called.

use std::path::PathBuf;
use std::process::{Command, Output};

use ledger::note::{Role, Signer};
use ledger::{Log, Policy, Proof};

struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let folder =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let signer = Signer::new("example.org/ledger", Role::Log, [1; 32]).unwrap();
        let (log, _) = Log::default().append([&b"an entry"[..]]).unwrap();
        let checkpoint = log.head("example.org/ledger").signed(&signer);
        let proof = Proof { index: 0, hashes: Vec::new(), checkpoint, extra: None };
        let files = Self(folder);
        files.write("proof", proof.to_string().as_bytes());
        files.write("policy", Policy::of_log(signer.verifier().clone()).to_string().as_bytes());
        files.write("file", b"an entry");
        files
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    fn verify(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_spillway-verify")).current_dir(&self.0).args(args).output().unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_stand_alone_verifier_says_ok_no_or_how_it_is_called() {
    let files = Files::new();
    for args in [["proof", "file", "--policy", "policy"], ["--policy", "policy", "proof", "file"]] {
        let output = files.verify(&args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stdout, b"ok: file is entry 0 of example.org/ledger (1 entries)\n");
    }
    assert_eq!(files.verify(&["proof", "file"]).status.code(), Some(2));
    files.write("file", b"another entry");
    let output = files.verify(&["proof", "file", "--policy", "policy"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the file or the proof was changed"), "{said}");
    let output = files.verify(&["proof", "file", "--policy", "gone"]);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("spillway-verify: gone: "));
}
