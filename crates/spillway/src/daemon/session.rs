//! One run of the daemon under one configuration. A reload is the next run over the same sockets.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, Scope};

use access::{Access, First};
use anyhow::Context as _;
use base::map::Seed;
use engine::Mode;
use engine::report::State;
use serde::Serialize;
use store::Writer;

use super::certificate::Tls;
use super::checkups::Checkups;
use super::clock::Clock;
use super::control::{Order, Reply};
use super::decide::{Core, Office};
use super::enforcing::{self, Desk};
use super::hands::Hands;
use super::lifecycle::{self, Trail};
use super::listener::Sockets;
use super::mailbox::Mailbox;

use super::notify::Notifier;
use super::probe::Probe;
use super::routes::Routes;
use super::scout::Scout;
use super::serve::Server;
use super::source::Source;
use super::supervisor::{self, Supervisor};
use super::worker::{Report, Shared, TICKS_WAITING_MAX, Worker};
use super::{Event, next, persist, retention, state, watchman};
use crate::config::{Config, Engine, LogFormat};
use crate::disclosure::Cases;
use crate::doctor::Clinic;
use crate::enforce::choose::Bounds;
use crate::enforce::remote::{Helper, Remote};
use crate::enforce::{self, teller};
use crate::history::Historian;
use crate::output;
use crate::privacy::AtRest;
use crate::routing::auto::Terms;

/// Workers when the file does not say: cores, up to this many.
const WORKERS_DEFAULT_MAX: usize = 4;

/// What a reload does not close.
#[derive(Debug)]
pub(super) struct Kept {
    sockets: Sockets,
    api: TcpListener,
    tls: Option<Tls>,
    access: Arc<Access>,
    /// The address in the configuration, which may say port 0.
    api_asked: SocketAddr,
    said: bool,
}

impl Kept {
    /// Opens all sockets or says which one is the trouble.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let sockets = Sockets::open(&config.listen, workers(config))?;
        let api = bind_api(config)?;
        let tls = Tls::of(config)?;
        let access = Arc::new(Access::open(&config.state_dir)?);
        if let Some(first) = access.first(Clock::start().now())? {
            tell_once(config, &first)?;
        }
        Ok(Self { sockets, api, tls, access, api_asked: config.api.listen, said: false })
    }

    /// Where the API is served.
    pub(super) fn port(&self) -> std::io::Result<u16> {
        Ok(self.api.local_addr()?.port())
    }

    /// Who may do what.
    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }

    /// Opens what a new configuration changes.
    fn adapt(&mut self, old: &Config, new: &Config) -> anyhow::Result<()> {
        let of = |config: &Config| {
            (config.listen.addresses.clone(), workers(config), config.listen.receive_buffer)
        };
        if of(old) != of(new) {
            // The old ones are closed first: the new ones may want the same ports.
            self.sockets = Sockets { listeners: Vec::new(), workers: Vec::new() };
            self.sockets = Sockets::open(&new.listen, workers(new))?;
        }
        // a certificate that was renewed is taken with any reload
        self.tls = Tls::of(new)?;
        if self.api_asked != new.api.listen {
            self.api = bind_api(new)?;
            self.api_asked = new.api.listen;
        }
        Ok(())
    }
}

fn workers(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    config.listen.workers.unwrap_or_else(|| (cores / 2).clamp(1, WORKERS_DEFAULT_MAX))
}

fn bind_api(config: &Config) -> anyhow::Result<TcpListener> {
    let listen = config.api.listen;
    TcpListener::bind(listen).with_context(|| {
        format!("cannot serve the API on {listen} (`api.listen`); is another program there?")
    })
}

/// The administrator of a fresh state folder, on standard error, whatever the log leaves out: nothing shows it again.
fn tell_once(config: &Config, first: &First) -> anyhow::Result<()> {
    let mut out = std::io::stderr().lock();
    let First { user, token } = first;
    match config.log.format {
        LogFormat::Json => {
            let line = serde_json::json!({"level": "INFO", "message": "first administrator, shown once", "user": user, "token": token});
            writeln!(out, "{line}")?;
        }
        LogFormat::Text => writeln!(
            out,
            "first administrator: user {user}, token {token}\nIt is shown this once. `spillway token add` makes others, `spillway user password {user}` lets it log in."
        )?,
    }
    Ok(())
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// For good.
    Stopped,
    /// To go on under this configuration.
    Reload(Box<Config>),
}

/// Runs until an event ends it.
pub(super) fn run(
    config: &Config,
    kept: &mut Kept,
    helper: Option<&Helper>,
    routes: &Routes,
    events: &Receiver<Event>,
    send: &Sender<Event>,
) -> anyhow::Result<Ended> {
    let clock = Clock::start();
    routes.pen.know(&config.customers);
    routes.policy.adapt(config, kept.port()?);
    let seed = Seed::new(state::random()?);
    let mut writer = Writer::open(&config.state_dir)?;
    let at_rest = Arc::new(AtRest::new(config, clock));
    let engine = state::engine(config, &mut writer, &seed, &at_rest, clock.now())?;
    let key = state::key(&mut writer, clock.now())?;
    state::note_configuration(config, &mut writer, &routes.pen, clock.now())?;
    let templates = writer.snapshots("templates/")?;
    let reader = writer.reader()?;
    let writer = Arc::new(Mutex::new(writer));

    // Ends behind the workers, with what they told.
    let historian = Historian::start(config, key, clock, &at_rest, &routes.flows.door)?;
    let count = kept.sockets.workers.len();
    let stop = Arc::new(AtomicBool::new(false));
    let shared: Vec<Shared> = (0..count)
        .map(|_| Shared {
            stop: Arc::clone(&stop),
            waiting: Arc::default(),
            board: Arc::default(),
            door: routes.door.clone(),
            witness: routes.witness.clone(),
            history: historian.pen(),
        })
        .collect();
    let listeners = kept.sockets.listeners.len();
    let mut names: Vec<&'static str> = kept.sockets.listeners.iter().map(|(name, _)| *name).collect();
    let place = &config.dataplane;
    let tells = place.telemetry && !place.interfaces.is_empty();
    if tells {
        names.push("local");
    }
    let inodes: Vec<(u64, usize)> =
        kept.sockets.workers.iter().flatten().map(|socket| (socket.inode, socket.listener)).collect();
    let boards = shared.iter().map(|shared| Arc::clone(&shared.board)).collect();
    let bounds = Bounds::of(config);
    let enforcer = enforce::of(config).map(|local| match helper {
        Some(helper) => Box::new(Remote::new(helper.clone(), local.name())),
        None => local,
    });
    let desk = enforcer.as_ref().map(|enforcer| {
        let mut attacks = engine.attacks();
        let view = routes.policy.view(clock.now());
        attacks.iter_mut().for_each(|attack| bounds.fit(attack, &view, engine.now(), enforce::own));
        Arc::new(Desk::new(enforcer.name(), bounds.choose(&view, attacks.iter())))
    });
    let refused = teller::Refused::default();
    let mut source = Source::new(names, &inodes, boards, Arc::clone(&at_rest));
    source.routes = routes.clone();
    source.history = historian.pen();
    source.banner.clone_from(&config.api.banner);
    source.cases = Some(Cases::new(&config.state_dir));
    source.desk = desk.clone().map(|desk| (desk, Arc::clone(&refused)));
    if tells {
        let locals = place.interfaces.iter().enumerate();
        source.locals = locals.map(|(at, name)| (teller::address(at), name.clone())).collect();
    }
    let source = Arc::new(source);
    let mailbox = Arc::new(Mailbox::default());
    let now = clock.now();
    source.taken(true, now);

    let notifier = Notifier::start(
        config,
        &writer,
        Arc::clone(&source.told),
        &engine.attacks(),
        now,
        (routes.pen.clone(), routes.policy.clone()),
    )?;
    let going_on = engine.attacks().into_iter().filter(|attack| attack.state == State::Active);
    routes.post.settle(going_on.map(|attack| attack.id).collect());
    let office = desk.clone().map(|desk| Office { bounds, desk });
    let terms = Terms::of(config, source.locals.keys().copied()).map(|terms| terms.under(&routes.policy));
    let asked = config.routing.iter().flat_map(|routing| &routing.health);
    let probes = asked.map(Probe::start).collect::<anyhow::Result<Vec<Probe>>>()?;
    let scout = terms.map(|terms| Scout::new(terms, Checkups::new(probes)));
    let core = Core::new(engine, count, Arc::clone(&source), Arc::clone(&mailbox), notifier, office, scout);
    let (ear, mouth) = match helper {
        Some(helper) => (helper.ear()?, None),
        None => UnixDatagram::pair().map(|(ear, mouth)| (ear, Some(mouth)))?,
    };
    let mut ear = Some(ear);
    let local = !config.api.is_secured();
    let parts = api::Parts {
        source: Arc::<Source>::clone(&source),
        operate: Arc::new(Hands::new(clock, config, routes, send)),
        history: reader,
        flows: Arc::new(routes.flows.door.clone()),
        access: Arc::clone(&kept.access),
        events: routes.events.0.clone(),
        settings: api::Settings {
            anonymous: config.api.anonymous,
            local,
            requests_per_second: config.api.requests_per_second,
        },
        manual: crate::manual::book,
    };
    let (pen, standing) = (routes.pen.clone(), desk.clone());
    let clinic = Clinic {
        policy: routes.policy.clone(),
        config: config.clone(),
        source: Arc::<Source>::clone(&source),
        door: routes.door.clone(),
        ledger: Box::new(move || pen.trouble()),
        enforcer: Box::new(move || standing.as_ref()?.standing().error.clone()),
        buffers: kept.sockets.buffers(config.listen.receive_buffer),
        clock,
        since: now,
    };
    let server = Server::start(kept.api.try_clone()?, kept.tls.as_ref(), parts)?;
    let room = count * (usize::try_from(TICKS_WAITING_MAX).unwrap_or(4) + 2);
    let (reports, told) = sync_channel::<Report>(room);

    let ended = std::thread::scope(|scope| -> anyhow::Result<Ended> {
        // However this ends, the threads are told; the scope waits for them.
        let _stop = StopAtEnd(Arc::clone(&stop));
        let mut workers = Vec::new();
        for (index, sockets) in kept.sockets.workers.iter().enumerate() {
            let Some(shared) = shared.get(index) else { continue };
            let mut worker = Worker::new(
                (index, count),
                config,
                sockets,
                listeners,
                key,
                &seed,
                shared.clone(),
                reports.clone(),
            );
            for saved in templates.iter().filter(|saved| belongs(&saved.name, index, count)) {
                worker.remember(now, &saved.body);
            }
            if tells && let Some(ear) = ear.take() {
                ear.set_nonblocking(true)?;
                worker.listen_here(ear, listeners);
            }
            workers.push(worker);
        }
        drop(reports);
        for worker in workers {
            spawn(scope, "worker", send, move || worker.run(clock))?;
        }
        let (shared, effort) = (&shared, Arc::clone(&source.effort));
        spawn(scope, "core", send, move || core.run(told, shared))?;
        if let (Some(enforcer), Some(desk)) = (enforcer, &desk) {
            let (written, witness) = ((&routes.pen, &routes.in_force), &routes.witness);
            spawn(scope, "enforcer", send, move || enforcing::run(desk, enforcer, written, witness))?;
        }
        if tells && let Some(mouth) = &mouth {
            let (stop, refused) = (&stop, &refused);
            let interfaces = config.dataplane.interfaces.as_slice();
            spawn(scope, "teller", send, move || teller::run(interfaces, mouth, stop, refused))?;
        }
        let writing = (Arc::clone(&mailbox), Arc::clone(&writer));
        let door = Arc::clone(&at_rest);
        spawn(scope, "store", send, move || persist::run(&writing.0, &writing.1, &door, &effort))?;
        let (stop, swept) = (&stop, Arc::clone(&source.swept));
        spawn(scope, "retention", send, move || retention::run(config, &at_rest, clock, stop, &swept))?;

        let watched = Arc::clone(&source);
        spawn(scope, "watchman", send, move || watchman::run(config, &watched, clock, stop))?;

        source.ready.store(true, Ordering::Relaxed);
        let _clinic = Seen::of(routes, clinic);
        let api = (kept.api.local_addr()?, kept.tls.as_ref());
        let said = announce(
            (config, routes.policy.now().general().value),
            api,
            &kept.sockets.listeners,
            &mut kept.said,
        );
        let trail = Trail { routes, access: &kept.access };
        let ended = said.and_then(|()| wait(config, events, &source, clock, trail));
        source.ready.store(false, Ordering::Relaxed);
        ended
    });
    drop(server);
    drop(historian);
    let ended = ended?;
    if let Ended::Reload(new) = &ended {
        supervisor::reloading();
        kept.adapt(config, new)?;
    }
    Ok(ended)
}

/// The daemon can be looked at while this lives.
struct Seen<'a>(&'a Routes);

impl<'a> Seen<'a> {
    fn of(routes: &'a Routes, clinic: Clinic) -> Self {
        routes.clinic.set(Some(Arc::new(clinic)));
        Self(routes)
    }
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        self.0.clinic.set(None);
    }
}

struct StopAtEnd(Arc<AtomicBool>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Templates go to the worker that saved them; after a change of the number of workers, to all.
fn belongs(name: &str, index: usize, count: usize) -> bool {
    let Some(of) = name.strip_prefix("templates/") else { return false };
    match of.split_once('/') {
        Some((workers, worker)) if workers == count.to_string() => worker == index.to_string(),
        _ => true,
    }
}

/// Starts a thread whose end by panic ends the daemon.
fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    events: &Sender<Event>,
    work: impl FnOnce() + Send + 'scope,
) -> anyhow::Result<()> {
    struct Alarm(&'static str, Sender<Event>);
    impl Drop for Alarm {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let _ = self.1.send(Event::Broken(self.0));
            }
        }
    }
    let alarm = Alarm(name, events.clone());
    let run = move || {
        let _alarm = alarm;
        work();
    };
    Builder::new().name(name.to_owned()).spawn_scoped(scope, run).context("cannot start a thread")?;
    Ok(())
}

/// The line that says so.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    api: String,
    /// SHA-256 of the API's certificate, where it speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_certificate: Option<String>,
    listen: Vec<SocketAddr>,
    listeners: Vec<Named>,
    mode: Mode,
    enforcers: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: &'static str,
    address: SocketAddr,
}

/// Says that it serves: the JSON line once, to the service manager each time.
fn announce(
    (config, mode): (&Config, Mode),
    (api, tls): (SocketAddr, Option<&Tls>),
    listeners: &[(&'static str, SocketAddr)],
    said: &mut bool,
) -> anyhow::Result<()> {
    let acts = config.compat.is_some() && mode == Mode::Enforce;
    let filters = !config.dataplane.interfaces.is_empty();
    let mut enforcers = Vec::new();
    if acts {
        enforcers.push("notify.exec");
    }
    if mode == Mode::Enforce && filters {
        enforcers.push(match config.dataplane.engine {
            Engine::Xdp => "xdp",
            Engine::Nftables => "nftables",
        });
    }
    if mode == Mode::Enforce && enforcers.is_empty() {
        tracing::warn!(
            "mode is enforce, but there is no enforcer: name `dataplane.interfaces`, or use `compat`; rules are only suggested"
        );
    }
    supervisor::ready();
    if std::mem::replace(said, true) {
        return Ok(());
    }
    let line = Ready {
        ready: true,
        api: format!("{}://{api}", if tls.is_some() { "https" } else { "http" }),
        api_certificate: tls.map(|tls| tls.fingerprint.clone()),
        listen: listeners.iter().map(|(_, address)| *address).collect(),
        listeners: listeners.iter().map(|(name, address)| Named { name, address: *address }).collect(),
        mode,
        enforcers,
    };
    let mut out = output::stdout();
    output::line(&mut out, &line)?;
    out.flush().context("cannot write to standard output")
}

/// Waits for the event that ends this run.
fn wait(
    config: &Config,
    events: &Receiver<Event>,
    source: &Source,
    clock: Clock,
    trail: Trail<'_>,
) -> anyhow::Result<Ended> {
    let mut supervisor = Supervisor::new();
    loop {
        supervisor.look(source.routes.policy.now().general().value, source);
        let Some(event) = next(events, supervisor.turn()) else { continue };
        match event {
            Event::Stop(by) => {
                trail.end(&by);
                return Ok(Ended::Stopped);
            }
            Event::Broken(thread) => {
                trail.end(&lifecycle::Order::own(format!("the thread `{thread}` broke")));
                anyhow::bail!("the thread `{thread}` broke; see the lines above")
            }
            Event::Panicked(before, done) => trail.panicked(before, done),
            Event::Order(Order::Shutdown, by, reply) => {
                by.iter().for_each(|by| trail.end(by));
                let _ = reply.send(Reply::done());
                return Ok(Ended::Stopped);
            }
            Event::Order(Order::Show, _, reply) => {
                let configuration = Some(config.written.0.to_string());
                let _ = reply.send(Reply { configuration, ..Reply::done() });
            }
            Event::Order(Order::Reload, by, reply) => {
                let checked = match &by {
                    Some(by) => trail.reload(by, config, || check(config, source, clock)),
                    None => check(config, source, clock),
                };
                let error = checked.as_ref().err().cloned();
                let _ = reply.send(Reply { ok: error.is_none(), error, ..Reply::done() });
                if let Ok(new) = checked {
                    return Ok(Ended::Reload(Box::new(new)));
                }
            }
            Event::Reload(by) => match trail.reload(&by, config, || check(config, source, clock)) {
                Ok(new) => return Ok(Ended::Reload(Box::new(new))),
                Err(why) => tracing::warn!(why, "SIGHUP: nothing was taken"),
            },
        }
    }
}

/// Whether filters are asked for at all.
fn helper_wanted(config: &Config) -> bool {
    !config.dataplane.interfaces.is_empty()
}

/// Reads the file again. What is wrong with it goes to the log; the old configuration stays in force.
fn check(config: &Config, source: &Source, clock: Clock) -> Result<Config, String> {
    let checked = Config::load(&config.path)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    let checked = checked.and_then(|new| {
        if new.state_dir != config.state_dir {
            Err("`state_dir` needs a restart".to_owned())
        } else if (new.ledger.enabled, new.ledger_place()) != (config.ledger.enabled, config.ledger_place()) {
            Err("[ledger] needs a restart".to_owned())
        } else if new.user != config.user {
            Err("`user` needs a restart".to_owned())
        } else if new.user.is_some() && helper_wanted(&new) != helper_wanted(config) {
            Err("the first of `dataplane.interfaces` needs a restart: its helper is started before `user` takes over".to_owned())
        } else if let Err(why) = Tls::of(&new) {
            Err(format!("{why:#}"))
        } else {
            Ok(new)
        }
    });
    source.routes.post.configuration(checked.as_ref().err().cloned());
    match &checked {
        Ok(_) => tracing::info!("configuration taken"),
        Err(problems) => {
            tracing::error!(problems, "the new configuration is not taken; the old one stays in force");
            source.taken(false, clock.now());
        }
    }
    checked
}
