//! What answers to SYNs have to know of this host: its listeners take the connection over.

use std::net::IpAddr;
use std::path::Path;

use crate::error::Error;

/// `struct host`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Largest TCP segment over IPv4 and IPv6.
    pub mss: [u16; 2],
    /// Scale of the receive window, as the kernel will choose it when the cookie comes back.
    pub scale: u8,
    /// Whether timestamps are sent without a secret offset: then they carry the client's options.
    pub timestamps: bool,
}

/// A setting of the network namespace.
pub(crate) fn sysctl(name: &str) -> Option<Vec<u64>> {
    let path = Path::new("/proc/sys").join(name.replace('.', "/"));
    let text = std::fs::read_to_string(path).ok()?;
    text.split_whitespace().map(|number| number.parse().ok()).collect()
}

impl Host {
    /// Looks at the settings of the kernel and at the interface.
    pub(crate) fn look(interface: &str) -> Self {
        let mtu = u16::try_from(Self::mtu(interface)).unwrap_or(u16::MAX);
        let largest = |name: &str| sysctl(name).and_then(|numbers| numbers.last().copied()).unwrap_or(0);
        let space = largest("net.ipv4.tcp_rmem").max(largest("net.core.rmem_max"));
        let scaling = sysctl("net.ipv4.tcp_window_scaling") != Some(vec![0]);
        // `tcp_select_initial_window`: the smallest scale with which 16 bits reach over the buffer.
        let scale = space.checked_ilog2().unwrap_or(0).saturating_sub(15).min(14);
        Self {
            mss: [mtu.saturating_sub(40), mtu.saturating_sub(60)],
            scale: if scaling { u8::try_from(scale).unwrap_or(14) } else { 0 },
            timestamps: sysctl("net.ipv4.tcp_timestamps") == Some(vec![2]) && scaling,
        }
    }

    /// Octets of the longest packet on an interface.
    pub(crate) fn mtu(interface: &str) -> u32 {
        let link = sys::net::index(interface).and_then(sys::net::link);
        link.ok().and_then(|link| link.mtu).unwrap_or(1500)
    }

    /// Refuses cookies where the kernel would not take them back.
    pub(crate) fn check_cookies() -> Result<(), Error> {
        match sysctl("net.ipv4.tcp_syncookies").as_deref() {
            Some([2]) => Ok(()),
            Some([other]) => Err(Error::Cookies(other.to_string())),
            _ => Err(Error::Cookies("missing".into())),
        }
    }

    /// Refuses to lead packets elsewhere where the kernel would find no way for them.
    pub(crate) fn check_forwarding(interface: &str, to: IpAddr) -> Result<(), Error> {
        let version = if to.is_ipv4() { "ipv4" } else { "ipv6" };
        // A dot within the name of an interface is a slash in the name of its setting.
        let sysctl_name = format!("net.{version}.conf.{}.forwarding", interface.replace('.', "/"));
        let path = format!("/proc/sys/net/{version}/conf/{interface}/forwarding");
        let value = std::fs::read_to_string(path).unwrap_or_else(|_| "missing".into());
        match value.trim() {
            "0" => Err(Error::Forwarding { sysctl: sysctl_name, value: "0".into() }),
            _ => Ok(()),
        }
    }

    /// Whether packets that arrive on an interface with an address of this box as their source are forwarded:
    /// `net.ipv4.conf.IF.accept_local`, and no strict filter of reverse paths.
    pub(crate) fn accepts_own(interface: &str) -> bool {
        let on = |setting: &str, value: &str| {
            let one = |name: &str| {
                let path = format!("/proc/sys/net/ipv4/conf/{name}/{setting}");
                std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
            };
            one("all") || one(interface)
        };
        on("accept_local", "1") && !on("rp_filter", "1")
    }

    pub(crate) fn octets(self) -> [u8; 8] {
        let [m4, m6] = self.mss.map(u16::to_ne_bytes);
        [m4[0], m4[1], m6[0], m6[1], self.scale, u8::from(self.timestamps), 0, 0]
    }
}
