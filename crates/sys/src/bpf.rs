//! `bpf(2)` for what is not in an object file: programs given as instructions, test runs, values of maps, pins.
//!
//! Constants and layouts from the kernel's `include/uapi/linux/bpf.h`.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const MAP_GET_NEXT_KEY: libc::c_int = 4;
const PROG_LOAD: libc::c_int = 5;
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const PROG_TEST_RUN: libc::c_int = 10;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const MAP_UPDATE_BATCH: libc::c_int = 26;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// Octets of `union bpf_attr` that are given: the rest is zero.
const ATTR: usize = 152;

/// `union bpf_attr`, written field by field.
struct Attributes([u8; ATTR]);

impl Attributes {
    const fn new() -> Self {
        Self([0; ATTR])
    }

    fn put(mut self, at: usize, octets: &[u8]) -> Self {
        if let Some(place) = self.0.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
        self
    }

    fn number(self, at: usize, value: u32) -> Self {
        self.put(at, &value.to_ne_bytes())
    }

    fn descriptor(self, at: usize, fd: BorrowedFd<'_>) -> Self {
        self.put(at, &fd.as_raw_fd().to_ne_bytes())
    }

    /// The caller keeps what is pointed at alive, and exclusive where the kernel writes, until the call is over.
    fn pointer(self, at: usize, to: *const u8) -> Self {
        self.put(at, &(to.addr() as u64).to_ne_bytes())
    }

    fn read(&self, at: usize) -> u32 {
        self.0.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
    }

    fn call(&mut self, command: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the attributes are `ATTR` octets that live through the call; pointers among them are kept alive by
        // whoever put them there.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), ATTR) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::c_int::try_from(result).map_err(io::Error::other)
    }

    fn open(mut self, command: libc::c_int) -> io::Result<OwnedFd> {
        let fd = self.call(command)?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Why a program was refused, with the last lines of what the verifier said.
#[derive(Debug)]
pub struct Refused {
    /// The kernel's error.
    pub cause: io::Error,
    /// What the verifier said last.
    pub log: String,
}

/// Loads an XDP program from its instructions, eight octets each.
///
/// # Errors
/// What the kernel says, with the end of the verifier's log.
pub fn load_xdp(instructions: &[[u8; 8]], name: &str) -> Result<OwnedFd, Refused> {
    load_xdp_for(instructions, name, false)
}

/// Likewise; `several`: for frames in several buffers (Linux 5.18). Programs that call each other agree on that.
///
/// # Errors
/// Likewise.
pub fn load_xdp_for(instructions: &[[u8; 8]], name: &str, several: bool) -> Result<OwnedFd, Refused> {
    const HAS_FRAGS: u32 = 1 << 5;
    let mut short = [0u8; 16];
    short.iter_mut().zip(name.bytes().take(15)).for_each(|(place, octet)| *place = octet);
    let licence = c"Dual MIT/GPL";
    let mut log = Vec::new();
    let attempt = |log: &mut Vec<u8>| {
        let count = u32::try_from(instructions.len()).unwrap_or(u32::MAX);
        let attributes = Attributes::new()
            .number(0, PROG_TYPE_XDP)
            .number(4, count)
            .pointer(8, instructions.as_ptr().cast())
            .pointer(16, licence.as_ptr().cast())
            .number(44, if several { HAS_FRAGS } else { 0 })
            .put(48, &short)
            .number(68, ATTACH_XDP);
        let attributes = if log.is_empty() {
            attributes
        } else {
            let size = u32::try_from(log.len()).unwrap_or(u32::MAX);
            attributes.number(24, 1).number(28, size).pointer(32, log.as_mut_ptr())
        };
        attributes.open(PROG_LOAD)
    };
    match attempt(&mut log) {
        Ok(fd) => Ok(fd),
        // The verifier has walked a million instructions and gave up: to write them all down takes it a minute.
        Err(cause) if cause.raw_os_error() == Some(libc::E2BIG) => {
            Err(Refused { cause, log: "it has too many ways through it for the kernel's verifier".into() })
        }
        Err(cause) => {
            // Once more, to hear why.
            log.resize(1 << 24, 0);
            let cause = match attempt(&mut log) {
                Ok(fd) => return Ok(fd),
                Err(_) => cause,
            };
            let said = log.split(|octet| *octet == 0).next().unwrap_or(&[]);
            let said = String::from_utf8_lossy(said);
            let lines: Vec<&str> = said.lines().collect();
            let log = lines.get(lines.len().saturating_sub(12)..).unwrap_or(&[]).join("\n");
            Err(Refused { cause, log })
        }
    }
}

/// What a test run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the program returned: an XDP action.
    pub returned: u32,
    /// Nanoseconds of one run, the mean over all.
    pub nanoseconds: u32,
}

/// Runs a program on a frame, so many times (`BPF_PROG_TEST_RUN`).
///
/// # Errors
/// What the kernel says; frames shorter than an Ethernet header are refused.
pub fn test_run(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> io::Result<Run> {
    let size = u32::try_from(frame.len()).map_err(io::Error::other)?;
    let mut attributes = Attributes::new()
        .descriptor(0, program)
        .number(8, size)
        .pointer(16, frame.as_ptr())
        .number(32, repeat);
    attributes.call(PROG_TEST_RUN)?;
    Ok(Run { returned: attributes.read(4), nanoseconds: attributes.read(36) })
}

/// Runs a program once; what it returned, and the frame as it left it.
///
/// # Errors
/// What the kernel says.
pub fn test_run_frame(program: BorrowedFd<'_>, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
    let size = u32::try_from(frame.len()).map_err(io::Error::other)?;
    // Programs may make a frame longer, by what the kernel reserves behind it.
    let mut out = vec![0; frame.len() + 512];
    let mut attributes = Attributes::new()
        .descriptor(0, program)
        .number(8, size)
        .number(12, u32::try_from(out.len()).map_err(io::Error::other)?)
        .pointer(16, frame.as_ptr())
        .pointer(24, out.as_mut_ptr())
        .number(32, 1);
    attributes.call(PROG_TEST_RUN)?;
    out.truncate(usize::try_from(attributes.read(12)).map_err(io::Error::other)?);
    Ok((attributes.read(4), out))
}

/// Runs a program on so many copies of a frame and lets those that it passes into the network stack, as if they had come
/// to the loopback interface (Linux 5.18).
///
/// # Errors
/// What the kernel says.
pub fn live_frames(program: BorrowedFd<'_>, frame: &[u8], count: u32) -> io::Result<()> {
    const LIVE_FRAMES: u32 = 1 << 1;
    const AT_ONCE: u32 = 64;
    let size = u32::try_from(frame.len()).map_err(io::Error::other)?;
    let mut attributes = Attributes::new()
        .descriptor(0, program)
        .number(8, size)
        .pointer(16, frame.as_ptr())
        .number(32, count)
        .number(64, LIVE_FRAMES)
        .number(72, AT_ONCE);
    attributes.call(PROG_TEST_RUN).map(|_| ())
}

/// What the kernel knows of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Its id.
    pub id: u32,
    /// Its tag: a hash of its instructions.
    pub tag: [u8; 8],
    /// Octets of machine code.
    pub jited: u32,
    /// Octets of instructions.
    pub translated: u32,
    /// Instructions that the verifier walked.
    pub verified: u32,
    /// Its name, of 15 octets at most.
    pub name: Name,
}

/// What the kernel calls a program.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Name([u8; 16]);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = self.0.split(|octet| *octet == 0).next().unwrap_or(&[]);
        f.write_str(&String::from_utf8_lossy(name))
    }
}

impl core::fmt::Debug for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{self}")
    }
}

/// Opens a program by its id.
///
/// # Errors
/// When there is none of that id.
pub fn program(id: u32) -> io::Result<OwnedFd> {
    Attributes::new().number(0, id).open(PROG_GET_FD_BY_ID)
}

/// What a descriptor of BPF is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Program,
    /// A map.
    Map,
    /// What holds a program somewhere.
    Link,
}

/// What a descriptor is of; `None` where nobody can tell.
pub fn kind(fd: BorrowedFd<'_>) -> Option<Kind> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let name = path.to_string_lossy();
    let kinds = [("bpf-prog", Kind::Program), ("bpf-map", Kind::Map), ("bpf_link", Kind::Link)];
    kinds.into_iter().find_map(|(mark, kind)| name.contains(mark).then_some(kind))
}

/// Asks for a program's information.
///
/// # Errors
/// What the kernel says.
pub fn info(program: BorrowedFd<'_>) -> io::Result<Info> {
    let mut out = [0u8; 232];
    let size = u32::try_from(out.len()).unwrap_or(0);
    let mut attributes =
        Attributes::new().descriptor(0, program).number(4, size).pointer(8, out.as_mut_ptr());
    attributes.call(OBJ_GET_INFO_BY_FD)?;
    let number =
        |at: usize| out.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let tag = out.get(8..16).and_then(|b| b.try_into().ok()).unwrap_or_default();
    let name = Name(out.get(64..80).and_then(|b| b.try_into().ok()).unwrap_or_default());
    Ok(Info { id: number(4), tag, jited: number(16), translated: number(20), verified: number(216), name })
}

/// A map, with the sizes that the kernel will read and write.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key: usize,
    value: usize,
    /// Entries at most.
    most: u32,
}

/// Values written by one call.
const BATCH: usize = 1 << 16;

/// Kinds of map whose values are one for each processor.
const PER_CPU: [u32; 4] = [5, 6, 10, 21];

impl Map {
    /// Takes a map's descriptor.
    ///
    /// # Errors
    /// What the kernel says, when this is no map.
    pub fn of(fd: OwnedFd) -> io::Result<Self> {
        let mut out = [0u8; 80];
        let size = u32::try_from(out.len()).unwrap_or(0);
        Attributes::new()
            .descriptor(0, fd.as_fd())
            .number(4, size)
            .pointer(8, out.as_mut_ptr())
            .call(OBJ_GET_INFO_BY_FD)?;
        let number =
            |at: usize| out.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
        let size = |at: usize| usize::try_from(number(at)).unwrap_or(usize::MAX);
        let (key, mut value) = (size(8), size(12));
        if PER_CPU.contains(&number(0)) {
            value = value.next_multiple_of(8) * processors()?;
        }
        Ok(Self { fd, key, value, most: number(16) })
    }

    /// Makes a hash table that takes memory as it fills.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn hash(key: u32, value: u32, entries: u32) -> io::Result<Self> {
        const HASH: u32 = 1;
        const NO_PREALLOC: u32 = 1;
        let attributes = Attributes::new()
            .number(0, HASH)
            .number(4, key)
            .number(8, value)
            .number(12, entries)
            .number(16, NO_PREALLOC);
        Self::of(attributes.open(MAP_CREATE)?)
    }

    /// Makes an array of 64 octets a place, which begin where lines of a cache begin; for use inside an array of maps.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn lines(entries: u32) -> io::Result<Self> {
        const ARRAY: u32 = 2;
        const MMAPABLE: u32 = 1 << 10;
        const INNER_MAP: u32 = 1 << 12;
        let attributes = Attributes::new()
            .number(0, ARRAY)
            .number(4, 4)
            .number(8, 64)
            .number(12, entries)
            .number(16, MMAPABLE | INNER_MAP);
        Self::of(attributes.open(MAP_CREATE)?)
    }

    /// Writes many values at once; keys and values one behind the other.
    ///
    /// # Errors
    /// What the kernel says; numbers of keys and values that differ are refused.
    pub fn set_all(&self, keys: &[u8], values: &[u8]) -> io::Result<()> {
        let count = keys.len() / self.key.max(1);
        if count * self.key != keys.len() || count * self.value != values.len() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        for (keys, values) in keys.chunks(BATCH * self.key).zip(values.chunks(BATCH * self.value)) {
            let count = u32::try_from(keys.len() / self.key).map_err(io::Error::other)?;
            Attributes::new()
                .pointer(16, keys.as_ptr())
                .pointer(24, values.as_ptr())
                .number(32, count)
                .descriptor(36, self.fd.as_fd())
                .call(MAP_UPDATE_BATCH)?;
        }
        Ok(())
    }

    /// Octets of a value: of all processors together for a per-CPU map.
    pub const fn value_size(&self) -> usize {
        self.value
    }

    /// Writes a value.
    ///
    /// # Errors
    /// What the kernel says; a key or value of another size is refused.
    pub fn set(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if key.len() != self.key || value.len() != self.value {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Attributes::new()
            .descriptor(0, self.fd.as_fd())
            .pointer(8, key.as_ptr())
            .pointer(16, value.as_ptr())
            .call(MAP_UPDATE_ELEM)
            .map(|_| ())
    }

    /// Takes a key out; whether it was there.
    ///
    /// # Errors
    /// What the kernel says; a key of another size is refused.
    pub fn remove(&self, key: &[u8]) -> io::Result<bool> {
        if key.len() != self.key {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let mut attributes = Attributes::new().descriptor(0, self.fd.as_fd()).pointer(8, key.as_ptr());
        match attributes.call(MAP_DELETE_ELEM) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The keys of a hash table, so many at most. Keys that come or go meanwhile may be missed or told twice.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keys(&self, most: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        while keys.len() < most {
            let mut next = vec![0; self.key];
            let from = keys.last().map_or(core::ptr::null(), |key| key.as_ptr());
            let mut attributes = Attributes::new()
                .descriptor(0, self.fd.as_fd())
                .pointer(8, from)
                .pointer(16, next.as_mut_ptr());
            match attributes.call(MAP_GET_NEXT_KEY) {
                Ok(_) => keys.push(next),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Puts a map into a place of an array of maps.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_map(&self, place: u32, inner: &Self) -> io::Result<()> {
        self.set(&place.to_ne_bytes(), &inner.fd.as_raw_fd().to_ne_bytes())
    }

    /// All keys and values, in no order. While others write, some may be missing; what was taken away meanwhile is left
    /// out, and nothing is walked more than twice the map's size.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn entries(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut out = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        for _ in 0..self.most.saturating_mul(2) {
            let mut key = vec![0; self.key];
            let attributes = Attributes::new().descriptor(0, self.fd.as_fd());
            let mut attributes = match &last {
                Some(last) => attributes.pointer(8, last.as_ptr()),
                None => attributes,
            }
            .pointer(16, key.as_mut_ptr());
            match attributes.call(MAP_GET_NEXT_KEY) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
            if let Some(value) = self.get(&key)? {
                out.push((key.clone(), value));
            }
            last = Some(key);
        }
        Ok(out)
    }

    /// Reads a value; `None` if there is none.
    ///
    /// # Errors
    /// What the kernel says; a key of another size is refused.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        if key.len() != self.key {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let mut value = vec![0; self.value];
        let read = Attributes::new()
            .descriptor(0, self.fd.as_fd())
            .pointer(8, key.as_ptr())
            .pointer(16, value.as_mut_ptr())
            .call(MAP_LOOKUP_ELEM);
        match read {
            Ok(_) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Processors that may ever be there: a per-CPU map has a value for each.
fn processors() -> io::Result<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().rsplit([',', '-']).next().and_then(|last| last.parse::<usize>().ok());
    last.map(|last| last + 1).ok_or_else(|| io::Error::other("the list of processors cannot be read"))
}

fn path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// Pins a program, map or link.
///
/// # Errors
/// What the kernel says.
pub fn pin(object: BorrowedFd<'_>, to: &Path) -> io::Result<()> {
    let to = path(to)?;
    let mut attributes = Attributes::new().pointer(0, to.as_ptr().cast()).descriptor(8, object);
    attributes.call(OBJ_PIN).map(|_| ())
}

/// Opens a pin.
///
/// # Errors
/// What the kernel says.
pub fn pinned(from: &Path) -> io::Result<OwnedFd> {
    let from = path(from)?;
    Attributes::new().pointer(0, from.as_ptr().cast()).open(OBJ_GET)
}

/// Attaches an XDP program to an interface; the link is what holds it there. `flags` as in `XDP_FLAGS_*`.
///
/// # Errors
/// What the kernel says.
pub fn attach_xdp(program: BorrowedFd<'_>, interface: u32, flags: u32) -> io::Result<OwnedFd> {
    Attributes::new()
        .descriptor(0, program)
        .number(4, interface)
        .number(8, ATTACH_XDP)
        .number(12, flags)
        .open(LINK_CREATE)
}

/// The index of the interface that an XDP link holds; 0 when that is gone.
///
/// # Errors
/// What the kernel says.
pub fn interface_of(link: BorrowedFd<'_>) -> io::Result<u32> {
    let mut out = [0u8; 64];
    Attributes::new()
        .descriptor(0, link)
        .number(4, u32::try_from(out.len()).unwrap_or(0))
        .pointer(8, out.as_mut_ptr())
        .call(OBJ_GET_INFO_BY_FD)?;
    Ok(out.get(16..20).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes))
}

/// Puts another program in the place of the one a link holds, without a packet between them.
///
/// # Errors
/// What the kernel says.
pub fn replace(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = Attributes::new().descriptor(0, link).descriptor(4, program);
    attributes.call(LINK_UPDATE).map(|_| ())
}
