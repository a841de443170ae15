//! `spillway absorb`: listens for brains, and does what they may ask for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use anyhow::Context as _;
use dataplane::decap::Decap;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::ServerConfig;
use steer::absorb::Site;
use steer::absorb::word::{Ask, Kind, Tell};

use super::channel::Channel;
use super::filter::{Filter, Kernel, Nothing};
use super::keys::{Fingerprint, Key};
use super::plant::Plant;
use super::pulse::Pulse;
use super::tls;
use crate::config::Absorbing;
use crate::enforce::teller::{self, Refused, Teller};
use crate::interrupt::Interrupt;
use crate::output;

/// Connections at one time; further ones are closed and counted.
const CONNECTIONS_MAX: usize = 64;
/// Of these, from one address.
const PER_ADDRESS_MAX: usize = 8;
/// The absorber looks up this often.
const TURN: Duration = Duration::from_millis(200);

/// What connections share.
struct Hall {
    plant: Mutex<Plant>,
    tls: Arc<ServerConfig>,
    brains: BTreeMap<Fingerprint, String>,
    stop: Interrupt,
    next: AtomicU64,
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    there: BTreeMap<IpAddr, usize>,
    turned_away: u64,
}

/// Whose tunnels end here, at the addresses that this machine has now.
fn tunnels(config: &Absorbing) -> anyhow::Result<Option<Decap>> {
    if config.tunnels_from.is_empty() {
        return Ok(None);
    }
    let locals = sys::net::addresses()?.into_iter().filter(|address| !address.is_loopback()).collect();
    Ok(Some(Decap { peers: config.tunnels_from.clone(), locals }))
}

/// Serves until a signal.
pub(crate) fn run(config: &Absorbing) -> anyhow::Result<()> {
    let key = Key::load(&config.key)?;
    let stop = Interrupt::default();
    stop.listen()?;
    let tls = tls::server(&key, config.brains.keys().copied().collect())?;
    let filter: Box<dyn Filter> = match &config.interface {
        Some(interface) => {
            let tells = config.samples.is_some();
            let mut kernel =
                Kernel::new(interface, config.declared.kind, &config.ways, tunnels(config)?, tells);
            kernel
                .prepare(interface)
                .with_context(|| format!("cannot filter on {interface} (`interface`)"))?;
            Box::new(kernel)
        }
        None => Box::new(Nothing),
    };
    let mut declared = config.declared.clone();
    if !filter.takes_rules() && declared.kind == Kind::Scrub {
        tracing::warn!("no `interface` is named: prefixes are taken, and no rules");
        declared.rules = 0;
    }
    let site = Site::new(&config.name, declared);
    let mut plant = Plant::new(site, config.declared.kind, config.ways.clone(), filter);
    if let Some(folder) = &config.state_dir {
        plant.resume(folder, |owner| config.brains.values().any(|known| known == owner))?;
    }
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("cannot listen at {} (`listen`)", config.listen))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let hall = Arc::new(Hall {
        plant: Mutex::new(plant),
        tls,
        brains: config.brains.clone(),
        stop,
        next: AtomicU64::new(1),
        guests: Mutex::default(),
    });
    let _teller = samples(config)?;
    say_ready(config, &key, address)?;
    hall.serve(&listener)
}

/// Tells of a part of what comes, where that was asked for, until it is dropped.
fn samples(config: &Absorbing) -> anyhow::Result<Option<Teller>> {
    let (Some(to), Some(interface)) = (config.samples, config.interface.clone()) else { return Ok(None) };
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(to).map(|()| socket));
    let socket = socket.with_context(|| format!("cannot send to {to} (`samples`)"))?;
    let refused = Refused::default();
    Ok(Some(Teller::start(move |stop| teller::run_far(&interface, &socket, stop, &refused))))
}

/// What a lock guards, if nobody has it now.
fn free<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match lock.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// One line, like that of `spillway run`: from now on it can be asked.
fn say_ready(config: &Absorbing, key: &Key, address: SocketAddr) -> anyhow::Result<()> {
    let ready = serde_json::json!({
        "ready": true,
        "name": config.name,
        "listen": address.to_string(),
        "fingerprint": key.fingerprint().to_string(),
        "kind": config.declared.kind,
        "interface": config.interface,
        "pid": std::process::id(),
    });
    let mut out = output::stdout();
    output::line(&mut out, &ready)?;
    out.flush()?;
    // Whoever started it may have gone by now; a service manager hears it here.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    Ok(())
}

impl Hall {
    fn serve(self: &Arc<Self>, listener: &TcpListener) -> anyhow::Result<()> {
        while !self.stop.asked() {
            let millis = u16::try_from(TURN.as_millis()).unwrap_or(u16::MAX);
            let _ = poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], PollTimeout::from(millis));
            while let Ok((socket, from)) = listener.accept() {
                self.welcome(socket, from);
            }
            self.plant().turn();
        }
        tracing::info!("stopped: what the kernel has ends with its leases");
        Ok(())
    }

    fn plant(&self) -> MutexGuard<'_, Plant> {
        self.plant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(self: &Arc<Self>, socket: TcpStream, from: SocketAddr) {
        let ip = from.ip().to_canonical();
        let mut guests = self.guests();
        let all: usize = guests.there.values().sum();
        if all >= CONNECTIONS_MAX || guests.there.get(&ip).is_some_and(|here| *here >= PER_ADDRESS_MAX) {
            guests.turned_away += 1;
            if guests.turned_away.is_power_of_two() {
                tracing::warn!(%from, turned_away = guests.turned_away, "too many connections: turned away");
            }
            return;
        }
        *guests.there.entry(ip).or_default() += 1;
        drop(guests);
        let hall = Arc::clone(self);
        let talk = move || {
            if let Err(reason) = hall.talk(socket) {
                tracing::warn!(%from, reason = format!("{reason:#}"), "the conversation ended");
            }
            hall.leave(ip);
        };
        if let Err(cause) = std::thread::Builder::new().name("brain".to_owned()).spawn(talk) {
            tracing::error!(%cause, "cannot start a thread for a brain");
            self.leave(ip);
        }
    }

    fn leave(&self, ip: IpAddr) {
        let mut guests = self.guests();
        if let Some(here) = guests.there.get_mut(&ip) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                guests.there.remove(&ip);
            }
        }
    }

    fn talk(&self, socket: TcpStream) -> anyhow::Result<()> {
        let mut channel = Channel::answer(&self.tls, socket)?;
        while !channel.is_up() {
            if self.stop.asked() {
                return Ok(());
            }
            channel.wait(None, TURN)?;
        }
        let peer = channel.peer().context("the other end has no key")?;
        let owner = self.brains.get(&peer).with_context(|| format!("{peer} is not among [brains]"))?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.plant().joins(owner, number);
        tracing::info!(brain = owner, fingerprint = %peer, "connected");
        let mut pulse = Pulse::new()?;
        while !self.stop.asked() {
            while let Some(ask) = channel.hear::<Ask>()? {
                let told = pulse.during(&mut channel, || self.plant().ask(owner, ask))?;
                let Some(tell) = told else { continue };
                channel.say(&tell)?;
                if let Tell::Wrong { text } = tell {
                    channel.wait(None, TURN)?;
                    anyhow::bail!("{text}");
                }
            }
            let told = {
                let mut plant = pulse.until(&mut channel, || free(&self.plant))?;
                if !plant.is_newest(owner, number) {
                    tracing::info!(brain = owner, "a newer connection of this brain takes over");
                    return Ok(());
                }
                let mut told = plant.told(owner);
                told.extend(pulse.report(|| plant.report(owner)).map(Tell::Report));
                told
            };
            told.iter().try_for_each(|tell| channel.say(tell))?;
            channel.wait(None, TURN)?;
        }
        Ok(())
    }
}
