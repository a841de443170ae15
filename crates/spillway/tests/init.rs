//! The first file of somebody new, in a network of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::support::{Scratch, spillway, stderr};

/// Runs this in a network that has one interface with both families and a way out; `None`, said aloud: that cannot be made here.
fn inside(command: &str) -> Option<Output> {
    let script = format!(
        "ip link add eth7 type veth peer name far7 && ip link set far7 up && ip link set eth7 up && ip link set lo up &&
         ip address add 203.0.113.5/24 dev eth7 && ip -6 address add 2001:db8:7::5/64 dev eth7 nodad &&
         ip route add default via 203.0.113.1 && ip -6 route add default via 2001:db8:7::1 || exit 77
         {command}"
    );
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .env("SPILLWAY", env!("CARGO_BIN_EXE_spillway"))
        .env("SSH_CONNECTION", "198.51.100.77 50022 203.0.113.5 22")
        .output();
    match output {
        Ok(output) if output.status.code() != Some(77) && !stderr(&output).contains("unshare failed") => {
            Some(output)
        }
        _ => {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "a network namespace and iproute2 are needed"
            );
            eprintln!("skipped: needs root, network namespaces and iproute2");
            None
        }
    }
}

#[test]
fn init_finds_networks_gateways_and_the_administrator_and_locks_nobody_out() {
    let scratch = Scratch::new("init");
    let path = scratch.path("spillway.toml");
    let file = path.to_str().unwrap();
    let Some(output) =
        inside(&format!("$SPILLWAY init --yes --for server -c {file} && $SPILLWAY check -c {file}"))
    else {
        return;
    };
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{said}{}", stderr(&output));
    for words in [
        "it protects 203.0.113.0/24, 2001:db8:7::/64",
        "never cut: 198.51.100.77/32 (you are logged in from there)",
        "never cut: 203.0.113.1/32 (the gateway)",
        "never cut: 2001:db8:7::1/128 (the gateway)",
        "packets that arrive on eth7",
        ": ok",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let has = |line: &str| assert!(text.lines().any(|one| one == line), "no `{line}` in {text}");
    has("networks = [\"203.0.113.0/24\", \"2001:db8:7::/64\"]");
    has("never = [\"198.51.100.77/32\", \"203.0.113.1/32\", \"2001:db8:7::1/128\"]");
    has("interfaces = [\"eth7\"]");
    has("#mode = \"observe\"");
    assert!(!text.lines().any(|line| line.starts_with("sflow")), "nobody sends flow export here");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    // What is there stays, whatever is asked.
    std::fs::write(&path, "mine").unwrap();
    let again = spillway(["init", "--yes", "-c", file]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("exists") && stderr(&again).contains("--force"), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    // Behind sudo the session is found by the processes above.
    let hidden =
        format!("env -u SSH_CONNECTION $SPILLWAY init --yes --mode suggest --force -c {file}; cat {file}");
    let Some(output) = inside(&hidden) else { return };
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("never cut: 198.51.100.77/32") && said.contains("\nmode = \"suggest\"\n"),
        "{said}"
    );
    assert!(said.contains("\nsflow = \"0.0.0.0:6343\"\n") && said.contains("\n#interfaces = []\n"), "{said}");
    // Without a way out there is no interface to look at.
    let Some(output) = inside(&format!(
        "ip route del default; ip -6 route del default; $SPILLWAY init --yes --for server --force -c {file}"
    )) else {
        return;
    };
    assert!(stderr(&output).contains("no interface has a default route"), "{}", stderr(&output));
}
