//! The sections of the file, each with its defaults. What needs a place in an error message is [`Spanned`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use base::{Prefix, Span};
use engine::Mode;
use serde::Deserialize;
use toml::Spanned;

use super::intel::Intel;
use super::values::{Address, Bits, Octets, OneIn, Role, budget, quiet, span};
use super::{dataplane, dns, evidence, groups, history, notify, privacy, routing, target};
use crate::policy::allow::Ceiling;

/// The whole file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) networks: Vec<Spanned<Prefix>>,
    #[serde(default = "state_dir")]
    pub(super) state_dir: PathBuf,
    #[serde(default)]
    pub(super) mode: Mode,
    pub(super) user: Option<String>,
    pub(super) compat: Option<Spanned<Compat>>,
    pub(super) compat_prefixes: Option<bool>,
    pub(super) listen: Option<Spanned<ListenSection>>,
    #[serde(default)]
    pub(super) api: ApiSection,
    #[serde(default)]
    pub(super) exporters: BTreeMap<Spanned<String>, ExporterSection>,
    #[serde(default)]
    pub(super) interfaces: InterfaceRoles,
    #[serde(default)]
    pub(super) customers: BTreeMap<String, Customer>,
    #[serde(default)]
    pub(super) groups: groups::Sections,
    #[serde(default)]
    pub(super) target: BTreeMap<Spanned<String>, target::Section>,
    #[serde(default)]
    pub(super) allow: Vec<target::AllowSection>,
    #[serde(default)]
    pub(super) notify: notify::Sections,
    #[serde(default)]
    pub(super) detection: Detection,
    #[serde(default)]
    pub(super) rules: RuleSettings,
    #[serde(default)]
    pub(super) dataplane: dataplane::Section,
    pub(super) routing: Option<routing::Section>,
    #[serde(default)]
    pub(super) dns: dns::Sections,
    #[serde(default)]
    pub(super) ledger: Ledger,
    #[serde(default)]
    pub(super) history: history::Section,
    #[serde(default)]
    pub(super) evidence: evidence::Section,
    #[serde(default)]
    pub(super) intel: Intel,
    #[serde(default)]
    pub(super) privacy: privacy::Section,
    #[serde(default)]
    pub(super) log: Log,
}

fn state_dir() -> PathBuf {
    "/var/lib/spillway".into()
}

/// The log of decisions and disclosures.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// Decisions are written down; disclosures always are.
    pub enabled: bool,
    /// What the log is called, for good: a name that nobody else uses, like `example.net/spillway`. Without it: by the machine.
    pub origin: Option<String>,
    /// A file on another disk that remembers the head, too, so that an older copy of the whole state folder is found out.
    pub remember: Option<PathBuf>,
    /// Abuse reports to the hoster or provider of a source leave without a person having looked, where no rule asks for four eyes.
    pub automatic_abuse_reports: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { enabled: true, origin: None, remember: None, automatic_abuse_reports: false }
    }
}

/// Whose notification habits are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// `PATH TARGET incoming|outgoing PPS ban|unban`, as an enforcement backend.
    Fastnetmon,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenSection {
    pub(super) sflow: Option<Spanned<Address>>,
    pub(super) netflow: Option<Spanned<Address>>,
    pub(super) ipfix: Option<Spanned<Address>>,
    pub(super) bmp: Option<Spanned<Address>>,
    #[serde(default)]
    pub(super) allow: Vec<Prefix>,
    pub(super) workers: Option<Spanned<usize>>,
    pub(super) receive_buffer: Option<Spanned<Octets>>,
}

/// Where flow export arrives.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Key in the file and address, in the order sflow, netflow, ipfix. Each takes every format.
    pub addresses: Vec<(&'static str, SocketAddr)>,
    /// Where routers tell over BMP what their peers announce (RFC 7854); `None`: nowhere.
    pub bmp: Option<SocketAddr>,
    /// Exporters whose datagrams are taken; empty: all.
    pub allow: Vec<Prefix>,
    /// Worker threads; `None`: one for every two cores, up to four: the decision core wants one too.
    pub workers: Option<usize>,
    /// Receive buffer per socket in octets.
    pub receive_buffer: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiSection {
    pub(super) listen: Option<Spanned<Address>>,
    pub(super) anonymous: Option<Spanned<Anonymous>>,
    pub(super) requests_per_second: Option<Spanned<u32>>,
    pub(super) banner: Option<Spanned<String>>,
    pub(super) stage: Option<PathBuf>,
    pub(super) tls: Option<Spanned<TlsFiles>>,
}

/// What somebody without credentials is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// Looks on.
    Viewer,
    /// Nobody.
    None,
}

/// TLS: without files, a certificate that the first run makes and signs itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsFiles {
    /// Certificate and those that vouch for it, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM; for its owner alone.
    pub key: Option<PathBuf>,
}

/// Where questions are answered.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where.
    pub listen: SocketAddr,
    /// Whoever asks from this machine without credentials is a viewer.
    pub anonymous: bool,
    /// Requests a second of one token, session or address.
    pub requests_per_second: u32,
    /// What stands over every page of the dashboard.
    pub banner: Option<String>,
    /// Where a demonstration's world listens, which the dashboard may ask for attacks.
    pub stage: Option<PathBuf>,
    /// TLS on loopback, too, or with these files.
    pub tls: Option<TlsFiles>,
}

impl Api {
    /// Whether TLS is spoken: everywhere but on loopback, and there where it is asked for.
    pub fn is_secured(&self) -> bool {
        self.tls.is_some() || !self.listen.ip().is_loopback()
    }
}

/// What the operator says of an exporter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExporterSection {
    /// N of 1:N where the exporter does not say.
    sampling: Option<OneIn>,
    /// `sampling` holds whatever the exporter says.
    sampling_override: bool,
    /// NetFlow v5: all sixteen bits of the header field are the interval.
    sampling_v5_16bit: bool,
    /// Sampled GRE, IP-in-IP and VXLAN packets are judged by the packet inside.
    inner: bool,
    /// Interfaces by ifIndex.
    pub interfaces: BTreeMap<String, Interface>,
}

impl ExporterSection {
    /// As the collector wants it.
    pub fn telemetry(&self) -> telemetry::exporter::Settings {
        telemetry::exporter::Settings {
            sampling: self.sampling.map(|n| n.0),
            sampling_override: self.sampling_override,
            sampling_v5_16bit: self.sampling_v5_16bit,
            inner: self.inner,
        }
    }
}

impl ExporterSection {
    /// Bits/s of its interfaces, by ifIndex, as far as they stand in the file.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate that was checked")]
    pub fn speeds(&self) -> impl Iterator<Item = (u32, u64)> {
        self.interfaces
            .iter()
            .filter_map(|(index, interface)| Some((index.parse().ok()?, interface.speed?.0 as u64)))
    }
}

/// One interface of an exporter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Interface {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub role: Option<Role>,
    /// Number of the network behind it: who forges there is reported to it.
    pub asn: Option<u32>,
    /// Whether only that network and those behind it may come in here: a customer, and no provider.
    pub(super) cone: Option<Spanned<bool>>,
    /// What it passes at most; without it, what the exporter says.
    pub(super) speed: Option<Bits>,
}

impl Interface {
    /// Whether only the neighbour's network and those behind it may come in here.
    pub fn cone(&self) -> bool {
        self.cone.as_ref().is_some_and(|cone| *cone.get_ref())
    }
}

/// Roles of interfaces by patterns of their names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InterfaceRoles {
    /// To transit providers, peers and exchanges.
    pub external: Vec<String>,
    /// Between own routers, or to own servers.
    pub internal: Vec<String>,
    /// To customers.
    pub customer: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Customer {
    pub(super) networks: Vec<Spanned<Prefix>>,
    pub(super) profile: Option<Spanned<String>>,
    pub(super) mode: Option<Mode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecSection {
    pub(super) path: Spanned<PathBuf>,
    #[serde(default = "exec_timeout", deserialize_with = "span")]
    pub(super) timeout: Span,
    pub(super) compat: Option<Spanned<Compat>>,
    pub(super) compat_prefixes: Option<bool>,
    #[serde(default = "bans_max")]
    pub(super) bans_max: usize,
    #[serde(default = "restart_time", deserialize_with = "span")]
    pub(super) restart_time: Span,
}

fn restart_time() -> Span {
    Span::from_secs(120)
}

fn exec_timeout() -> Span {
    Span::from_secs(10)
}

fn bans_max() -> usize {
    256
}

/// Program that is told of attacks.
#[derive(Clone, Debug)]
pub struct NotifyExec {
    /// The program.
    pub path: PathBuf,
    /// A call that takes longer is ended.
    pub timeout: Span,
    /// Bans at one time, in compat mode.
    pub bans_max: usize,
    /// Bans of a killed daemon are undone when no successor came for so long, in compat mode.
    pub restart_time: Span,
}

/// When something counts as an attack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detection {
    /// The harm floor.
    pub floor: Floor,
    /// Time in which the whole deployment may raise one false alarm.
    #[serde(deserialize_with = "budget")]
    pub budget: Span,
    /// Quiet time that ends an attack.
    #[serde(deserialize_with = "quiet")]
    pub quiet: Span,
}

impl Default for Detection {
    fn default() -> Self {
        Self { floor: Floor::Default, budget: Span::from_secs(7 * 86_400), quiet: Span::from_secs(60) }
    }
}

/// Below this no traffic is called an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Floor {
    /// For networks.
    #[default]
    Default,
    /// For small links and single servers.
    Low,
}

impl From<Floor> for engine::Floor {
    fn from(floor: Floor) -> Self {
        match floor {
            Floor::Default => Self::Default,
            Floor::Low => Self::Low,
        }
    }
}

/// What rules may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// How long a rule holds unless it is renewed.
    #[serde(deserialize_with = "span")]
    pub lease: Span,
    /// From decision to effect.
    #[serde(deserialize_with = "span")]
    pub install_delay: Span,
    /// Prefixes that nothing may ever cut.
    pub never: Vec<Prefix>,
    /// How much of an allowed source passes whatever else holds, where nobody says it.
    pub(crate) allow_ceiling: Ceiling,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            lease: Span::from_secs(900),
            install_delay: Span::from_millis(50),
            never: Vec::new(),
            allow_ceiling: Ceiling::default(),
        }
    }
}

/// How the log looks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is left out.
    pub level: LogLevel,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important lines that are still written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Somebody should look.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Why it happens.
    Debug,
}
