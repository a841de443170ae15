//! What one section cannot see: keys that contradict each other, owners that overlap.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use base::Prefix;
use toml::Spanned;

use super::place::Problem;
use super::sections::{Anonymous, ApiSection, ExecSection, File, ListenSection};
use super::{Api, Compat, Config, Listen, NotifyExec, Written};
use super::{dataplane, dns, evidence, groups, history, intel, privacy, routing, target};

/// Where questions are answered when the file does not say.
const API_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8646);
/// Receive buffer per socket: half a second of 250 Mbit/s of flow export.
const RECEIVE_BUFFER: usize = 16 << 20;
const RECEIVE_BUFFER_MAX: usize = 1 << 30;
const WORKERS_MAX: usize = 64;
/// Requests a second of one token, session or address when the file does not say.
const API_RATE: u32 = 1_000;
const API_RATE_MAX: u32 = 1_000_000;
/// Octets of what stands over every page of the dashboard.
const BANNER_MAX: usize = 120;

/// Collects what is wrong.
pub(super) struct Problems<'a> {
    path: &'a Path,
    text: &'a str,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) const fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, found: Vec::new() }
    }

    /// All that was found, if anything was.
    pub(super) fn done(self) -> Result<(), Vec<Problem>> {
        if self.found.is_empty() { Ok(()) } else { Err(self.found) }
    }

    /// Whether everybody on the machine may read the file.
    pub(super) fn open_to_all(&self) -> bool {
        super::reference::open_to_all(self.path)
    }

    /// The file that is checked.
    pub(super) const fn file(&self) -> &Path {
        self.path
    }

    pub(super) fn at(&mut self, offset: usize, message: String) {
        self.found.push(Problem::at(self.path, self.text, offset, message));
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).map_or(0, |before| before.matches('\n').count()) + 1
    }
}

/// The configuration, or everything that speaks against it.
pub(super) fn checked(path: &Path, text: &str, mut file: File) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::new(path, text);
    if file.networks.is_empty() {
        let message = "`networks` is empty; list the prefixes that you protect, like \"198.51.100.0/24\"";
        problems.at(text.find("networks").unwrap_or(0), message.to_owned());
    }
    nested(&mut problems, &file.networks);
    let customers = customers(&mut problems, &file);
    let groups = groups::checked(&mut problems, &file.networks, &file.groups);
    let networks: Vec<Prefix> = file.networks.iter().map(|p| *p.get_ref()).collect();
    let dataplane = dataplane::checked(&mut problems, &file.dataplane);
    let customer_terms = customers.iter().map(|(name, networks)| {
        let section = file.customers.get(name);
        target::CustomerTerms {
            name: name.clone(),
            networks: networks.clone(),
            profile: target::named(&mut problems, section.and_then(|section| section.profile.as_ref())),
            wishes: target::Wishes {
                mode: section.and_then(|section| section.mode),
                ..target::Wishes::default()
            },
        }
    });
    let customer_terms = customer_terms.collect();
    let targets = target::checked(&mut problems, &networks, std::mem::take(&mut file.target));
    let limits_held = dataplane.engine == dataplane::Engine::Xdp;
    let usual = (limits_held, file.rules.allow_ceiling);
    let allow = target::allowed(&mut problems, &networks, usual, std::mem::take(&mut file.allow));
    let owners: Vec<(String, Vec<Prefix>)> = customers
        .iter()
        .cloned()
        .chain(groups.iter().map(|g| (g.name.clone(), g.networks.clone())))
        .collect();
    let routing =
        file.routing.as_ref().map(|section| routing::checked(&mut problems, &networks, &owners, section));
    let dns = dns::checked(&mut problems, &file.dns);
    let local = dataplane.telemetry && !dataplane.interfaces.is_empty();
    let listen = listen(&mut problems, file.listen.as_ref(), local);
    if let (None, Some(bmp)) =
        (&routing, file.listen.as_ref().and_then(|listen| listen.get_ref().bmp.as_ref()))
    {
        let message = "bmp needs a section [routing]: what routers tell is kept beside the peers";
        problems.at(bmp.span().start, message.to_owned());
    }
    let api = api(&mut problems, &file.api);
    let exporters = exporters(&mut problems, &file);
    let history = history::checked(&mut problems, &file.history);
    let evidence = evidence::checked(&mut problems, file.evidence);
    let intel = intel::checked(&mut problems, file.intel);
    let privacy = privacy::checked(&mut problems, file.privacy);
    let exec = file.notify.exec;
    let (compat, compat_prefixes) = compat(&mut problems, (file.compat, file.compat_prefixes), exec.as_ref());
    let notify = exec.map(|exec| notify(&mut problems, exec));
    let channels = super::notify::checked(&mut problems, &file.notify.channels, &customers);
    if problems.found.is_empty() {
        Ok(Config {
            path: path.to_path_buf(),
            written: Written(text.into()),
            networks,
            customers,
            customer_terms,
            targets,
            allow,
            groups,
            state_dir: file.state_dir,
            mode: file.mode,
            user: file.user,
            compat,
            compat_prefixes,
            listen,
            api,
            exporters,
            interfaces: file.interfaces,
            notify,
            channels,
            detection: file.detection,
            rules: file.rules,
            dataplane,
            routing,
            dns,
            ledger: file.ledger,
            history,
            evidence,
            intel,
            privacy,
            log: file.log,
        })
    } else {
        Err(problems.found)
    }
}

/// A prefix belongs to one owner: nothing may stand inside anything else of the same list.
fn nested(problems: &mut Problems<'_>, prefixes: &[Spanned<Prefix>]) {
    for (i, a) in prefixes.iter().enumerate() {
        for (j, b) in prefixes.iter().enumerate() {
            let (outer, inner) = (b.get_ref(), a.get_ref());
            if i != j && outer.covers(inner) && (outer != inner || j < i) {
                let line = problems.line(b.span().start);
                let message =
                    format!("{inner} is already owned by {outer} in line {line}; remove one of them");
                problems.at(a.span().start, message);
            }
        }
    }
}

fn customers(problems: &mut Problems<'_>, file: &File) -> Vec<(String, Vec<Prefix>)> {
    let owned: Vec<(&str, &Spanned<Prefix>)> = file
        .customers
        .iter()
        .flat_map(|(name, customer)| customer.networks.iter().map(move |prefix| (name.as_str(), prefix)))
        .collect();
    let one =
        Owned { kind: "customer", rule: "a prefix has one owner", clash: |a, b| a.covers(b) || b.covers(a) };
    one.check(problems, &file.networks, &owned);
    let plain = |prefixes: &[Spanned<Prefix>]| prefixes.iter().map(|p| *p.get_ref()).collect();
    file.customers.iter().map(|(name, customer)| (name.clone(), plain(&customer.networks))).collect()
}

/// Prefixes that named owners share out among themselves.
pub(super) struct Owned {
    /// What an owner is.
    pub(super) kind: &'static str,
    /// Said where two clash.
    pub(super) rule: &'static str,
    /// Whether two prefixes may not both be owned.
    pub(super) clash: fn(&Prefix, &Prefix) -> bool,
}

impl Owned {
    /// Each prefix is one of our own, and no two clash.
    pub(super) fn check(
        &self,
        problems: &mut Problems<'_>,
        networks: &[Spanned<Prefix>],
        owned: &[(&str, &Spanned<Prefix>)],
    ) {
        let Self { kind, rule, clash } = self;
        for (i, (name, prefix)) in owned.iter().enumerate() {
            let (inner, start) = (prefix.get_ref(), prefix.span().start);
            if !networks.iter().any(|own| own.get_ref().covers(inner)) {
                let message = format!("{inner} of {kind} {name} is not inside `networks`; add it there too");
                problems.at(start, message);
            }
            for (other, outer) in owned.iter().take(i).filter(|(_, outer)| clash(outer.get_ref(), inner)) {
                let (line, outer) = (problems.line(outer.span().start), outer.get_ref());
                let clash = format!("{outer} of {kind} {other} in line {line}");
                problems.at(start, format!("{inner} of {kind} {name} overlaps {clash}; {rule}"));
            }
        }
    }
}

/// `local`: packets of this machine's own interfaces are telemetry enough.
fn listen(problems: &mut Problems<'_>, section: Option<&Spanned<ListenSection>>, local: bool) -> Listen {
    let none = ListenSection::default();
    let given = section.map_or(&none, Spanned::get_ref);
    let keys = [("sflow", &given.sflow), ("netflow", &given.netflow), ("ipfix", &given.ipfix)];
    let mut addresses: Vec<(&'static str, SocketAddr)> = Vec::new();
    for (key, address) in keys {
        let Some(spanned) = address else { continue };
        let address = spanned.get_ref().0;
        if let Some((other, _)) = addresses.iter().find(|(_, a)| *a == address && a.port() != 0) {
            let message =
                format!("{address} is taken by `{other}`; each listener takes every format, so keep one");
            problems.at(spanned.span().start, message);
        }
        addresses.push((key, address));
    }
    let or = "or name `dataplane.interfaces` whose packets are looked at";
    let line = "a line like sflow = \"192.0.2.10:6343\"";
    match section {
        _ if local || !addresses.is_empty() => {}
        None => problems.at(0, format!("missing key `listen`; add a section [listen] with {line}, {or}")),
        Some(section) => {
            problems.at(section.span().start, format!("[listen] names no address; add {line}, {or}"));
        }
    }
    if let Some(workers) = given.workers.as_ref().filter(|n| !(1..=WORKERS_MAX).contains(n.get_ref())) {
        problems.at(workers.span().start, format!("workers must be 1 to {WORKERS_MAX}"));
    }
    if let Some(size) =
        given.receive_buffer.as_ref().filter(|n| !(4096..=RECEIVE_BUFFER_MAX).contains(&n.get_ref().0))
    {
        problems.at(size.span().start, "receive_buffer must be between \"4 KiB\" and \"1 GiB\"".to_owned());
    }
    Listen {
        addresses,
        bmp: given.bmp.as_ref().map(|address| address.get_ref().0),
        allow: given.allow.clone(),
        workers: given.workers.as_ref().map(|n| *n.get_ref()),
        receive_buffer: given.receive_buffer.as_ref().map_or(RECEIVE_BUFFER, |n| n.get_ref().0),
    }
}

fn api(problems: &mut Problems<'_>, section: &ApiSection) -> Api {
    let listen = section.listen.as_ref().map_or(API_DEFAULT, |listen| listen.get_ref().0);
    let rate = section.requests_per_second.as_ref();
    if let Some(wrong) = rate.filter(|rate| !(1..=API_RATE_MAX).contains(rate.get_ref())) {
        problems.at(wrong.span().start, format!("requests_per_second must be 1 to {API_RATE_MAX}"));
    }
    if let Some(banner) = &section.banner
        && (banner.get_ref().len() > BANNER_MAX || banner.get_ref().contains(|c: char| c.is_control()))
    {
        let message = format!("banner is one line of at most {BANNER_MAX} octets");
        problems.at(banner.span().start, message);
    }
    if let Some(tls) = &section.tls
        && tls.get_ref().certificate.is_some() != tls.get_ref().key.is_some()
    {
        let message =
            "[api.tls] needs both `certificate` and `key`, or neither: then the first run makes them";
        problems.at(tls.span().start, message.to_owned());
    }
    let mut api = Api {
        listen,
        anonymous: false,
        requests_per_second: rate.map_or(API_RATE, |rate| *rate.get_ref()),
        banner: section.banner.as_ref().map(|banner| banner.get_ref().clone()),
        stage: section.stage.clone(),
        tls: section.tls.as_ref().map(|tls| tls.get_ref().clone()),
    };
    let plain = !api.is_secured();
    api.anonymous = match &section.anonymous {
        None => plain,
        Some(asked) => {
            let viewer = *asked.get_ref() == Anonymous::Viewer;
            if viewer && !plain {
                let message = "anonymous = \"viewer\" is for plain loopback alone; make a token with `spillway token add`";
                problems.at(asked.span().start, message.to_owned());
            }
            viewer
        }
    };
    api
}

fn exporters(problems: &mut Problems<'_>, file: &File) -> Vec<(IpAddr, super::ExporterSection)> {
    let mut out = Vec::new();
    for (key, section) in &file.exporters {
        match key.get_ref().parse::<IpAddr>() {
            Ok(address) => out.push((address, section.clone())),
            Err(_) => {
                let message =
                    format!("`{}` is not an address; write [exporters.\"192.0.2.1\"]", key.get_ref());
                problems.at(key.span().start, message);
            }
        }
        for (index, interface) in &section.interfaces {
            if let Some(cone) = interface.cone.as_ref().filter(|cone| *cone.get_ref())
                && interface.asn.is_none_or(|asn| asn == 0)
            {
                let message = format!(
                    "interface `{index}` has `cone`, and nobody says whose: add `asn`, the number of the network behind it"
                );
                problems.at(cone.span().start, message);
            }
            if index.parse::<u32>().is_err() {
                let message =
                    format!("interface `{index}` is not an ifIndex; write the number that SNMP gives it");
                problems.at(key.span().start, message);
            }
        }
    }
    out
}

/// Both places are accepted for `compat` and `compat_prefixes`: the top and `[notify.exec]`.
fn compat(
    problems: &mut Problems<'_>,
    (top, top_prefixes): (Option<Spanned<Compat>>, Option<bool>),
    exec: Option<&ExecSection>,
) -> (Option<Compat>, bool) {
    let inner = exec.and_then(|exec| exec.compat.as_ref());
    if let (Some(compat), None) = (&top, exec) {
        let message = "`compat` needs a program to call; add [notify.exec] with a line like path = \"/usr/local/bin/notify.sh\"";
        problems.at(compat.span().start, message.to_owned());
    }
    let prefixes = top_prefixes.or_else(|| exec.and_then(|exec| exec.compat_prefixes)).unwrap_or(false);
    (inner.or(top.as_ref()).map(|compat| *compat.get_ref()), prefixes)
}

/// Whether this is a file that can be executed.
pub(crate) fn runnable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn notify(problems: &mut Problems<'_>, exec: ExecSection) -> NotifyExec {
    let start = exec.path.span().start;
    let path = exec.path.into_inner();
    if !path.is_absolute() {
        problems.at(start, format!("{} is not an absolute path; write it from /", path.display()));
    } else if !runnable(&path) {
        problems.at(start, format!("{} is not a program; check the path and `chmod +x` it", path.display()));
    }
    NotifyExec { path, timeout: exec.timeout, bans_max: exec.bans_max, restart_time: exec.restart_time }
}
