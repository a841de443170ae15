//! Files as packets or records, in order; a damaged file does not hide the next.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use base::map::Seed;
use base::{Span, Timestamp};
use engine::Feeds;
use telemetry::collector::Settings;
use telemetry::{Collector, Record};
use wire::packet::{Parsed, UDP};

use crate::capture::content::{self, Content};
use crate::capture::reassembly::Reassembly;
use crate::capture::{Capture, CaptureError, Packet, datagram};
use crate::config::Config;
use crate::daemon::roles::RoleBook;
use crate::error::usage;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// What a file told.
#[derive(Debug)]
pub enum Item<'a> {
    /// A packet as stored, and its headers where it is IP.
    Packet(&'a Packet<'a>, Option<&'a Parsed<'a>>),
    /// A flow or packet sample, and the exporter that told it.
    Record(&'a Record, IpAddr),
    /// What came of each exporter up to then, since the last time.
    Health(Timestamp, &'a [engine::Feed]),
}

/// The files of one call.
pub struct Feed {
    files: Vec<PathBuf>,
    content: Content,
    interrupt: Interrupt,
    progress: Progress,
    problems: Vec<String>,
    opened: usize,
    settings: Settings,
    collector: Collector,
    feeds: Feeds,
    /// The tick of the datagram before.
    tick: Option<u64>,
    /// Set where export is judged as the daemon does.
    roles: Option<RoleBook>,
}

/// Stands for the exporter of raw datagram files, which no address tells.
pub const FILE_EXPORTER: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// How often exporters are told of and the roles of interfaces are looked up anew: the daemon's tick.
const TICK: Span = Span::from_millis(250);

/// One datagram of flow export.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Capture time. Raw files have none: for them the clock stands still, so that no template gets old between two.
    pub at: Timestamp,
    /// Capture time; for raw files the time that the datagram tells.
    pub sent: Timestamp,
    /// Source address of the packet, or [`FILE_EXPORTER`].
    pub exporter: IpAddr,
    /// UDP payload.
    pub payload: &'a [u8],
}

impl Feed {
    /// Looks into the files; they must be of one kind.
    pub fn open(files: &[PathBuf], passes: u64, interrupt: &Interrupt) -> anyhow::Result<Self> {
        for file in files {
            if file.as_os_str() == "-" || std::fs::metadata(file).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
                let name = file.display();
                return Err(usage(format!(
                    "{name}: a stream can be read only once; write it to a file first"
                )));
            }
        }
        let mut problems = Vec::new();
        let mut kinds = Vec::new();
        for file in files {
            match content::of(file) {
                Ok(kind) => kinds.push((file, kind)),
                Err(e) => problems.push(e.to_string()),
            }
        }
        let Some((_, content)) = kinds.first().copied() else {
            let first = problems.first().cloned().unwrap_or_default();
            return Err(anyhow::Error::msg(first));
        };
        if let Some((odd, _)) = kinds.iter().find(|(_, kind)| *kind != content) {
            let name = odd.display();
            return Err(usage(format!(
                "{name}: packets and flow export in one call; replay them one by one"
            )));
        }
        interrupt.listen()?;
        Ok(Self {
            files: kinds.into_iter().map(|(file, _)| file.clone()).collect(),
            content,
            interrupt: interrupt.clone(),
            progress: Progress::new(files, passes),
            problems,
            opened: 0,
            settings: Settings::default(),
            collector: collector(&Settings::default()),
            feeds: Feeds::default(),
            tick: None,
            roles: None,
        })
    }

    /// Takes what the files hold as packets, whatever they are about; one may be standard input, for one pass.
    pub fn packets_of(files: &[PathBuf], interrupt: &Interrupt) -> anyhow::Result<Self> {
        interrupt.listen()?;
        Ok(Self {
            files: files.to_vec(),
            content: Content::Packets,
            interrupt: interrupt.clone(),
            progress: Progress::new(files, 1),
            problems: Vec::new(),
            opened: 0,
            settings: Settings::default(),
            collector: collector(&Settings::default()),
            feeds: Feeds::default(),
            tick: None,
            roles: None,
        })
    }

    /// What the operator says of exporters.
    pub fn exporters(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes export as the daemon would under this configuration: also each packet once, where the roles of interfaces tell.
    pub fn watch(&mut self, config: &Config) {
        self.exporters(config.telemetry());
        self.roles = Some(RoleBook::new(config));
    }

    /// Packets or flow export.
    pub const fn content(&self) -> Content {
        self.content
    }

    /// Shows everything to `each`, once through.
    pub fn pass(
        &mut self,
        verb: &'static str,
        mut each: impl FnMut(Item<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.progress.phase(verb);
        self.collector = collector(&self.settings);
        (self.feeds, self.tick) = (Feeds::default(), None);
        for file in self.files.clone() {
            if self.interrupt.asked() {
                break;
            }
            match self.content {
                Content::Packets => self.packets(&file, &mut each)?,
                Content::FlowExport => self.export(&file, &mut each)?,
            }
        }
        self.end_of_pass()
    }

    /// When no file could be read at all, there is nothing to sum up.
    fn end_of_pass(&mut self) -> anyhow::Result<()> {
        self.progress.clear();
        if self.opened == 0 { self.first_problem() } else { Ok(()) }
    }

    /// What went wrong on the way, as the command's end.
    pub fn end(self) -> anyhow::Result<()> {
        self.first_problem()
    }

    fn first_problem(&self) -> anyhow::Result<()> {
        match self.problems.as_slice() {
            [] => Ok(()),
            [one] => Err(anyhow::Error::msg(one.clone())),
            [first, more @ ..] => Err(anyhow::Error::msg(format!("{first} (and {} more)", more.len()))),
        }
    }

    fn packets(
        &mut self,
        file: &Path,
        each: &mut impl FnMut(Item<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut capture = match Capture::open(file) {
            Ok(capture) => capture,
            Err(e) => {
                self.problem(&e);
                return Ok(());
            }
        };
        self.opened += 1;
        loop {
            let offset = capture.offset();
            match capture.next() {
                Ok(Some(packet)) => {
                    each(Item::Packet(&packet, packet.parse().as_ref()))?;
                    let number = packet.number;
                    self.progress.step(offset);
                    if number.is_multiple_of(1024) && self.interrupt.asked() {
                        self.interrupted(file, number);
                        break;
                    }
                }
                Ok(None) => break,
                Err(e) => {
                    self.problem(&e);
                    break;
                }
            }
        }
        self.progress.file_done(capture.offset());
        Ok(())
    }

    /// Flow export as records.
    fn export(
        &mut self,
        file: &Path,
        each: &mut impl FnMut(Item<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut collector = std::mem::replace(&mut self.collector, collector(&self.settings));
        let mut roles = self.roles.take();
        let (mut feeds, mut tick) = (std::mem::take(&mut self.feeds), self.tick);
        let (mut failed, mut looked) = (Ok(()), None);
        let done = self.file_datagrams(file, &mut |datagram| {
            let now = datagram.sent.tick(TICK);
            if let Some(ended) = tick.replace(now).filter(|ended| *ended != now) {
                let until = Timestamp::ZERO.plus(TICK.times(ended + 1));
                each(Item::Health(until, &feeds.since(&mut collector)))?;
            }
            if let Some(roles) = roles.as_mut().filter(|_| looked != Some(now)) {
                roles.refresh(&mut collector);
            }
            looked = Some(now);
            collector.datagram(datagram.at, datagram.exporter, datagram.payload, &mut |_, record| {
                let record = record.filter(|record| roles.as_ref().is_none_or(|roles| roles.counts(record)));
                if let (Some(record), Ok(())) = (record, &failed) {
                    failed = each(Item::Record(&Record { at: datagram.sent, ..*record }, datagram.exporter));
                }
            });
            std::mem::replace(&mut failed, Ok(()))
        });
        (self.roles, self.feeds, self.tick) = (roles, feeds, tick);
        done.inspect(|()| self.collector = collector)
    }

    /// Shows the payloads of all UDP packets that look like flow export, and raw datagram files.
    pub fn datagrams(
        &mut self,
        mut each: impl FnMut(Datagram<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for file in self.files.clone() {
            if !self.interrupt.asked() {
                self.file_datagrams(&file, &mut each)?;
            }
        }
        self.end_of_pass()
    }

    fn file_datagrams(
        &mut self,
        file: &Path,
        each: &mut impl FnMut(Datagram<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match datagram::read(file) {
            Ok(Some(bytes)) => {
                self.opened += 1;
                let sent = datagram::export_time(&bytes);
                let at = Timestamp::ZERO;
                return each(Datagram { at, sent, exporter: FILE_EXPORTER, payload: &bytes });
            }
            Ok(None) => {}
            Err(e) => {
                self.problem(&e);
                return Ok(());
            }
        }
        let mut fragments = Reassembly::default();
        self.packets(file, &mut |item| {
            let Item::Packet(packet, Some(parsed)) = item else { return Ok(()) };
            if parsed.headers.protocol != UDP {
                return Ok(());
            }
            let joined;
            let payload = if parsed.headers.fragment.is_whole() {
                parsed.payload
            } else {
                joined = fragments.take(packet, parsed).unwrap_or_default();
                &joined
            };
            if !content::is_export(payload) {
                return Ok(());
            }
            let (at, exporter) = (packet.at, parsed.headers.src);
            each(Datagram { at, sent: at, exporter, payload })
        })
    }

    /// Each is told once, however many passes meet it.
    fn problem(&mut self, error: &CaptureError) {
        let text = error.to_string();
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    fn interrupted(&mut self, file: &Path, number: u64) {
        let name = file.display();
        self.problems.insert(
            0,
            format!("{name}: interrupted after packet {number}; what is shown covers the part before"),
        );
    }
}

fn collector(settings: &Settings) -> Collector {
    Collector::new(settings.clone(), Seed::default())
}
