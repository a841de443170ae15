//! FastNetMon community as Debian ships it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// Where the package has its configuration.
const SHIPPED: &str = "/etc/fastnetmon.conf";

/// Where it listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// For sFlow.
    pub sflow: u16,
    /// For NetFlow and IPFIX.
    pub netflow: u16,
}

/// The package's own file with collectors on, and off what would act on this machine or call its vendor; then `changes`.
/// All files it writes are in `folder`.
pub fn command(folder: &Path, networks: &str, ports: Ports, changes: &[(&str, String)]) -> Outcome<Command> {
    let shipped = std::fs::read_to_string(SHIPPED)
        .map_err(|e| format!("{SHIPPED}: {e}; `scripts/setup peers` installs it"))?;
    let networks = written(folder, "networks", networks)?;
    let whitelist = written(folder, "whitelist", "")?;
    let text = |path: PathBuf| path.display().to_string();
    let ours = [
        ("sflow", "on".to_owned()),
        ("netflow", "on".to_owned()),
        ("sflow_host", "127.0.0.1".to_owned()),
        ("netflow_host", "127.0.0.1".to_owned()),
        ("sflow_port", ports.sflow.to_string()),
        ("netflow_port", ports.netflow.to_string()),
        ("netflow_sampling_ratio", "1000".to_owned()),
        ("enable_ban", "off".to_owned()),
        ("enable_ban_ipv6", "off".to_owned()),
        ("enable_api", "off".to_owned()),
        ("monitor_local_ip_addresses", "off".to_owned()),
        ("disable_usage_report", "on".to_owned()),
        ("networks_list_path", text(networks)),
        ("white_list_path", text(whitelist)),
        ("cli_stats_file_path", text(folder.join("stats.dat"))),
        ("cli_stats_ipv6_file_path", text(folder.join("stats6.dat"))),
    ];
    let config = written(folder, "fastnetmon.conf", &changed(&shipped, &[changes, &ours].concat()))?;
    let mut command = Command::new("fastnetmon");
    command.arg("--configuration_file").arg(config).arg("--log_file").arg(folder.join("fastnetmon.log"));
    command.arg("--disable_pid_logic");
    Ok(command)
}

/// Its version as the package manager tells it; `None` where it is not installed.
pub fn version() -> Option<String> {
    let shown = Command::new("dpkg-query").args(["-W", "-f=${Version}", "fastnetmon"]).output().ok()?;
    let version = String::from_utf8(shown.stdout).ok()?;
    (shown.status.success() && !version.is_empty()).then_some(version)
}

/// A configuration with these keys set: the first of `changes` with a key wins, unknown keys are appended.
fn changed(shipped: &str, changes: &[(&str, String)]) -> String {
    let key_of = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let mut config = String::new();
    for line in shipped.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let key = key_of(line);
        if !changes.iter().any(|(changed, _)| *changed == key) {
            config.push_str(line);
            config.push('\n');
        }
    }
    for (at, (key, value)) in changes.iter().enumerate() {
        if !changes.iter().take(at).any(|(before, _)| before == key) {
            config.push_str(&format!("{key} = {value}\n"));
        }
    }
    config
}

fn written(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_of_a_key_wins_and_the_rest_stays_as_shipped() {
        let shipped = "# a = 9\na = 1\nb = 2\nc=3\n";
        let changes = [("b", "own".to_owned()), ("b", "other".to_owned()), ("d", "new".to_owned())];
        assert_eq!(changed(shipped, &changes), "a = 1\nc=3\nb = own\nd = new\n");
    }
}
