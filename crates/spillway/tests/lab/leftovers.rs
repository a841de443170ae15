//! Nothing of a lab stays that its end, or the next one, does not take away. Nothing is measured, so others may run beside it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::alone::scenarios::{able, spillway};
use crate::alone::turn;

fn namespaces() -> usize {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("spillway-lab-")).count()
}

/// Processes whose command line speaks of the lab's folder or interfaces.
fn processes() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains("/spillway-lab-") || line.contains(" lab-att ")).collect()
}

fn folders() -> usize {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("spillway-lab-")).count()
}

fn pins() -> bool {
    ["lab-srv", "lab-srvr"].iter().any(|name| Path::new("/sys/fs/bpf/spillway").join(name).exists())
}

/// Plays until the attack goes on behind the filter.
fn in_the_middle() -> Child {
    let child = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["lab", "play", "syn-flood", "--seconds", "60", "--by", "rules"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(40);
    while !processes().iter().any(|line| line.contains("trafgen")) {
        assert!(Instant::now() < until, "no attack begins");
        std::thread::sleep(Duration::from_millis(100));
    }
    child
}

#[test]
fn an_interrupted_or_killed_lab_leaves_nothing_that_down_does_not_remove() {
    let _turn = turn();
    let Some(()) = able() else { return };
    let mut interrupted = in_the_middle();
    kill(Pid::from_raw(i32::try_from(interrupted.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(interrupted.wait().unwrap().code(), Some(1));
    assert_eq!((namespaces(), processes(), pins()), (0, Vec::new(), false));

    let mut killed = in_the_middle();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(namespaces() > 0, "a killed one cannot clean up");
    assert!(spillway(&["lab", "up"]).status.success(), "the next one cleans up");
    assert_eq!((namespaces(), processes(), pins()), (5, Vec::new(), false));
    assert_eq!(folders(), 0);
    for _ in 0..2 {
        assert!(spillway(&["lab", "down"]).status.success());
        assert_eq!((namespaces(), processes(), pins()), (0, Vec::new(), false));
    }
}

#[test]
fn without_root_the_lab_says_what_to_do() {
    let _turn = turn();
    let Some(()) = able() else { return };
    let output = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            env!("CARGO_BIN_EXE_spillway"),
            "lab",
            "up",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("setpriv:") {
        eprintln!("skipped: others may not run this binary where it lies");
        return;
    }
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the lab needs root"), "{said}");
}
