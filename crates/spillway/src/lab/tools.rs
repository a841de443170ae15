//! The programs that the lab needs, and the Debian packages they come in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Program and package. `scripts/apt-lab.txt` lists the packages, beside those that tests need anyway.
const TOOLS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("ethtool", "ethtool"),
    ("nginx", "nginx-light"),
    ("trafgen", "netsniff-ng"),
    ("hping3", "hping3"),
    ("masscan", "masscan"),
    ("wrk", "wrk"),
    ("named", "bind9"),
    ("ntpd", "ntpsec"),
    ("snmpd", "snmpd"),
    ("memcached", "memcached"),
    ("bird", "bird2"),
    ("pmacctd", "pmacct"),
    ("nft", "nftables"),
];

/// What every play needs.
pub(super) const BASE: &[&str] = &["ip", "tc", "nsenter", "setpriv", "ethtool", "nginx"];

/// Folders of programs; `sbin` is not in everybody's PATH.
const FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A program that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
}

/// What is not there, of these programs or of all.
pub fn missing(of: Option<&[&str]>) -> Vec<Missing> {
    let wanted = |program: &str| of.is_none_or(|of| of.contains(&program));
    let tools = TOOLS.iter().filter(|(program, _)| wanted(program) && !is_there(program));
    tools.map(|(program, package)| Missing { program, package }).collect()
}

/// The line that installs them.
pub fn apt_line(missing: &[Missing]) -> String {
    let mut packages: Vec<&str> = missing.iter().map(|one| one.package).collect();
    packages.sort_unstable();
    packages.dedup();
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

fn is_there(program: &str) -> bool {
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    FOLDERS.iter().any(|folder| is_program(&Path::new(folder).join(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package_once() {
        let missing = [
            Missing { program: "ip", package: "iproute2" },
            Missing { program: "named", package: "bind9" },
            Missing { program: "tc", package: "iproute2" },
        ];
        assert_eq!(apt_line(&missing), "apt-get install --no-install-recommends bind9 iproute2");
        assert!(
            super::missing(Some(&["no such program"])).is_empty(),
            "only what the lab knows is looked for"
        );
    }

    #[test]
    fn scenarios_name_tools_that_come_in_a_package() {
        for scenario in crate::lab::SCENARIOS {
            for tool in scenario.tools.iter().chain(BASE) {
                assert!(TOOLS.iter().any(|(program, _)| program == tool), "{}: {tool}", scenario.name);
            }
        }
    }
}
