//! Each packet of a bag gets the verdict on its source as a comment, by a thread of its own: documents are made in the meantime.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow, bail};
use base::Timestamp;
use base::map::{Map, Seed};
use intel::bag::Digests;
use ledger::text::hex;
use sha2::{Digest as _, Sha256};

use super::copy::copy;
use super::custody::{self, SELF, Step};
use super::files;
use super::recorder::{ANNOTATED, CAPTURE, Recorded};

/// What stands at the packets of each source. Many sources share a text.
#[derive(Debug)]
pub struct Comments {
    texts: Vec<String>,
    /// By address; those of IPv4 apart, so that they lie close together.
    v4: Map<u32, u32>,
    v6: Map<u128, u32>,
}

impl Default for Comments {
    fn default() -> Self {
        Self { texts: Vec::new(), v4: Map::new(Seed::default()), v6: Map::new(Seed::default()) }
    }
}

impl Comments {
    /// One more text; gives its place.
    pub fn text(&mut self, text: String) -> usize {
        self.texts.push(text);
        self.texts.len() - 1
    }

    /// Says the text in a place of this source.
    pub fn say(&mut self, source: IpAddr, place: usize) {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        match source.to_canonical() {
            IpAddr::V4(source) => self.v4.insert(source.to_bits(), place),
            IpAddr::V6(source) => self.v6.insert(source.to_bits(), place),
        };
    }

    fn of(&self, source: IpAddr) -> Option<&str> {
        let place = match source.to_canonical() {
            IpAddr::V4(source) => self.v4.get(&source.to_bits()),
            IpAddr::V6(source) => self.v6.get(&source.to_bits()),
        };
        self.texts.get(usize::try_from(*place?).ok()?).map(String::as_str)
    }
}

/// A bag whose packets have their comments: it can be sealed.
#[derive(Clone, Debug)]
pub struct Annotated {
    /// The bag.
    pub(super) folder: PathBuf,
    /// Its capture.
    pub(super) capture: Digests,
}

/// A bag whose packets get their comments.
#[derive(Debug)]
pub struct Annotating {
    folder: PathBuf,
    thread: Option<JoinHandle<anyhow::Result<Annotated>>>,
    done: Option<Annotated>,
}

impl Annotating {
    /// Begins with it.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(recorded: Recorded, at: Timestamp, comments: Comments) -> anyhow::Result<Self> {
        let folder = recorded.folder.clone();
        let work = move || annotate(&recorded, at, &comments);
        let thread = std::thread::Builder::new().name("annotate".to_owned()).spawn(work);
        Ok(Self { folder, thread: Some(thread.context("cannot start a thread")?), done: None })
    }

    /// The bag.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits for it.
    ///
    /// # Errors
    /// When the disk does not take it, or the capture is not what was recorded.
    pub fn wait(&mut self) -> anyhow::Result<&Annotated> {
        if let Some(thread) = self.thread.take() {
            let done = thread.join().map_err(|_| anyhow!("a thread gave up; please report this"))?;
            self.done = Some(done?);
        }
        self.done.as_ref().context("its packets could not get their comments")
    }
}

/// Writes the capture anew, with a comment on each packet.
fn annotate(recorded: &Recorded, at: Timestamp, comments: &Comments) -> anyhow::Result<Annotated> {
    let folder = recorded.folder.as_path();
    let (raw, done) = (folder.join(CAPTURE), folder.join(ANNOTATED));
    let failed = || format!("{}: cannot be read", raw.display());
    let read = Arc::new(Mutex::new(Sha256::new()));
    let source = Hashed { file: File::open(&raw).with_context(failed)?, digest: Arc::clone(&read) };
    let copied = copy((&raw, Box::new(source)), &done, &recorded.about.described(), |packet, _| {
        comments.of(packet.parse()?.headers.src)
    })?;
    let before: [u8; 32] = match copied.cut {
        // What lies behind the cut was not read.
        Some(_) => files::digest(&raw, false, false)?.0.sha256,
        None => read.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize().into(),
    };
    if before != recorded.sha256 {
        let _ = std::fs::remove_file(&done);
        bail!(
            "{}: is not what was recorded, somebody or something changed it; the bag stays open as it is",
            raw.display()
        );
    }
    let cut = copied.cut.map_or_else(String::new, |cut| format!("; its end was left off: {cut}"));
    let kept = File::open(&done).and_then(|file| {
        file.sync_all()?;
        file.metadata()
    });
    let about = kept
        .and_then(|about| std::fs::rename(&done, &raw).map(|()| about))
        .with_context(|| format!("{}: cannot be written", raw.display()))?;
    let after = copied.after.context("a capture of evidence is hashed while it is written")?;
    let step = Step {
        at,
        by: SELF,
        what: "annotated",
        detail: format!(
            "{} packets, each with the verdict on its source as a comment; octets and times unchanged{cut}",
            copied.packets
        ),
        before: Some(hex(&before)),
        after: Some(hex(&after)),
    };
    custody::note(folder, &step)?;
    let capture = Digests { sha256: after, sha512: None, octets: about.len() };
    Ok(Annotated { folder: folder.to_owned(), capture })
}

/// A file that is hashed as it is read.
struct Hashed {
    file: File,
    digest: Arc<Mutex<Sha256>>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        digest.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
