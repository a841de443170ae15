//! The units of systemd, what the daemon tells a service manager, and the Debian package.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::daemon::{Daemon, config};
use crate::support::{Scratch, spillway, stderr};

const UNITS: [&str; 2] = ["spillway.service", "spillway-absorb.service"];

fn has_systemd() -> bool {
    if Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "systemd is needed");
    eprintln!("skipped: needs systemd-analyze");
    false
}

fn unit(name: &str) -> String {
    let path = format!("{}/../../packaging/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn systemd_takes_the_unit_without_a_word() {
    if !has_systemd() {
        return;
    }
    for name in UNITS {
        taken(name);
    }
}

fn taken(name: &str) {
    let unit = unit(name);
    let program = "/usr/bin/spillway";
    assert!(unit.matches(&format!("={program} ")).count() >= 2);
    // It says so where a program or a directive is not there.
    let scratch = Scratch::new("service");
    let verify = |name: &str, unit: &str| {
        let file = scratch.file(name, unit.as_bytes());
        Command::new("systemd-analyze").args(["verify", "--man=no", &file]).output().unwrap()
    };
    let here = unit.replace(program, env!("CARGO_BIN_EXE_spillway"));
    let output = verify(name, &here);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains(name), "{}", stderr(&output));
    let wrong = verify("wrong.service", &here.replace("Restart=on-failure", "Restart=sometimes"));
    assert!(stderr(&wrong).contains("wrong.service"), "{}", stderr(&wrong));
}

#[test]
fn systemd_calls_the_units_little_exposed() {
    if !has_systemd() {
        return;
    }
    let scratch = Scratch::new("service-exposure");
    for (name, most) in [(UNITS[0], 5.0), (UNITS[1], 6.0)] {
        let file = scratch.file(name, unit(name).as_bytes());
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", &file])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| {
            panic!("no level in {text}{}", stderr(&output));
        });
        println!("{}", line.trim());
        let level: f64 = line.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!(level <= most, "{text}");
    }
}

#[test]
fn a_service_manager_hears_that_it_serves_lives_reloads_and_ends() {
    let scratch = Scratch::new("service-manager");
    let file = config(&scratch, "", "");
    let place = scratch.path("notify.sock");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hears = |what: &str| {
        let mut octets = [0; 4096];
        loop {
            let count = manager.recv(&mut octets).unwrap_or_else(|why| panic!("no {what}: {why}"));
            let said = String::from_utf8_lossy(octets.get(..count).unwrap()).into_owned();
            if said.lines().any(|line| line.starts_with(what)) {
                return said;
            }
        }
    };
    let daemon = Daemon::begin(
        Command::new(env!("CARGO_BIN_EXE_spillway"))
            .args(["run", "-c", &file])
            .env("NOTIFY_SOCKET", &place)
            .env("WATCHDOG_USEC", "3000000"),
    );
    hears("READY=1");
    hears("STATUS=observing; 0 exporters, 0 attacks");
    for _ in 0..3 {
        hears("WATCHDOG=1");
    }
    assert!(spillway(["control", "reload", "-c", &file]).status.success());
    assert!(hears("RELOADING=1").contains("MONOTONIC_USEC="));
    hears("READY=1");
    hears("WATCHDOG=1");
    daemon.signal("-TERM");
    hears("STOPPING=1");
    assert_eq!(daemon.ended().0, Some(0));
}

#[test]
fn under_a_real_systemd_the_service_starts_reloads_is_watched_and_stops() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let groups = std::fs::read_to_string("/proc/filesystems").is_ok_and(|all| all.contains("\tcgroup2\n"));
    if !is_root || !groups || !Path::new("/lib/systemd/systemd").exists() {
        let what = "skipped: needs root, systemd and cgroup v2";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return;
    }
    // As pid 1 of processes of its own, on what this machine has, under a layer that goes afterwards.
    let output = Command::new("scripts/test-systemd").current_dir(&root).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", stderr(&output));
    assert!(said.contains("started, reloaded, watched, killed, restarted, stopped"), "{said}");
}

#[test]
fn the_package_is_installed_started_upgraded_removed_and_purged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let here = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !is_root || !here("python3") || !here("dpkg-deb") {
        let what = "skipped: needs root, python3 and dpkg-deb";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return;
    }
    // On what this machine has, under a layer of its own: `make test-deb` does the same on a Debian that has nothing else.
    let output = Command::new("scripts/test-deb").arg("/").current_dir(&root).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", stderr(&output));
    assert!(said.contains("installed, started, upgraded, removed, purged, restored"), "{said}");
}
