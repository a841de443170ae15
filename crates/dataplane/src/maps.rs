//! The maps of one data plane, by name.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use sys::bpf::{Kind, Map, pin, pinned};

use crate::error::Error;

/// All maps, as the files in `bpf` name them.
const NAMES: [&str; 56] = [
    "banks",
    "bits4",
    "bits6",
    "blocks",
    "bounds",
    "buckets",
    "cells",
    "checks",
    "clock",
    "closed",
    "config",
    "counters",
    "destinations",
    "destinations_full",
    "dial",
    "doors",
    "drafts",
    "engine_states",
    "exact",
    "firsts",
    "grants",
    "heartbeat",
    "leaves",
    "lines4",
    "meters",
    "names",
    "over_ceiling",
    "own",
    "peers",
    "programs",
    "proofs",
    "protections",
    "proven",
    "proven_bits",
    "queries",
    "questions",
    "return_counters",
    "return_hops",
    "return_index",
    "return_paths",
    "returning",
    "rules",
    "samples",
    "scopes",
    "scratch",
    "secret",
    "segments",
    "session_ports",
    "sessions",
    "shared",
    "sketch",
    "tables4",
    "tables6",
    "targets",
    "telemetry",
    "tellers",
];

/// The maps.
#[derive(Debug)]
pub(crate) struct Maps(BTreeMap<&'static str, Map>);

impl Maps {
    /// Those of a loaded object.
    pub(crate) fn of(object: &aya::Ebpf) -> Result<Self, Error> {
        let maps = NAMES.into_iter().map(|name| {
            let missing = || Error::Fixed(format!("there is no map {name}"));
            let fd = object.map(name).and_then(descriptor).ok_or_else(missing)?;
            let fd = fd.try_clone_to_owned().map_err(Error::system("copying a descriptor"))?;
            Ok((name, Map::of(fd).map_err(Error::system("asking for a map's sizes"))?))
        });
        Ok(Self(maps.collect::<Result<_, Error>>()?))
    }

    /// Those pinned in a folder.
    pub(crate) fn pinned(folder: &Path) -> Result<Self, Error> {
        let maps = NAMES.into_iter().map(|name| {
            let path = folder.join(name);
            let fd = match pinned(&path) {
                Ok(fd) => fd,
                Err(cause) => return Err(Error::Damaged { pin: path, cause }),
            };
            if sys::bpf::kind(fd.as_fd()).is_some_and(|kind| kind != Kind::Map) {
                return Err(Error::Foreign(path));
            }
            Ok((name, Map::of(fd).map_err(Error::system("asking for a map's sizes"))?))
        });
        Ok(Self(maps.collect::<Result<_, Error>>()?))
    }

    /// Pins all of them; `name` makes the names of the pins.
    pub(crate) fn pin(&self, place: impl Fn(&str) -> std::path::PathBuf) -> Result<(), Error> {
        self.0.iter().try_for_each(|(name, map)| {
            pin(map.as_fd(), &place(name)).map_err(Error::system("pinning a map"))
        })
    }

    /// Their names.
    pub(crate) const fn names() -> [&'static str; NAMES.len()] {
        NAMES
    }

    /// One of [`NAMES`].
    pub(crate) fn get(&self, name: &'static str) -> Result<&Map, Error> {
        self.0.get(name).ok_or_else(|| Error::Fixed(format!("there is no map {name}")))
    }

    /// A value that is always there.
    pub(crate) fn read(&self, name: &'static str, key: u32) -> Result<Vec<u8>, Error> {
        let value = self.get(name)?.get(&key.to_ne_bytes()).map_err(Error::system("reading a map"))?;
        value.ok_or_else(|| Error::system("reading a map")(io::ErrorKind::NotFound.into()))
    }

    /// Writes a value.
    pub(crate) fn write(&self, name: &'static str, key: u32, value: &[u8]) -> Result<(), Error> {
        self.get(name)?.set(&key.to_ne_bytes(), value).map_err(Error::system("writing a map"))
    }
}

fn descriptor(map: &aya::maps::Map) -> Option<BorrowedFd<'_>> {
    use aya::maps::Map as Kind;
    match map {
        Kind::Array(data)
        | Kind::PerCpuArray(data)
        | Kind::ProgramArray(data)
        | Kind::ArrayOfMaps(data)
        | Kind::LruHashMap(data)
        | Kind::HashMap(data)
        | Kind::RingBuf(data) => Some(data.fd().as_fd()),
        _ => None,
    }
}
