//! Reports of an absorber, which go on while its kernel takes a set: that may take longer than a brain bears silence.
//!
//! What is not known meanwhile is left out of them: they have no traffic of any prefix, and of the rest what was so last.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use steer::absorb::word::{Report, Tell};

use super::channel::Channel;

/// Reports go out this often.
const REPORT: Duration = Duration::from_secs(1);
/// Between two looks whether somebody is done.
const LOOK: Duration = Duration::from_millis(20);

/// What one brain was told last, and when.
pub(super) struct Pulse {
    last: Option<(Instant, Report)>,
    done: EventFd,
}

impl Pulse {
    /// Nothing was told yet.
    pub(super) fn new() -> anyhow::Result<Self> {
        let done = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { last: None, done })
    }

    /// A report, where it is time for one.
    pub(super) fn report(&mut self, make: impl FnOnce() -> Report) -> Option<Report> {
        let report = self.is_due().then(make)?;
        self.last = Some((Instant::now(), report.clone()));
        Some(report)
    }

    /// Does what may take long, and reports meanwhile.
    pub(super) fn during<T: Send>(
        &mut self,
        channel: &mut Channel,
        work: impl FnOnce() -> T + Send,
    ) -> anyhow::Result<T> {
        std::thread::scope(|scope| {
            let done = &self.done;
            let worker = scope.spawn(move || {
                let came = work();
                // Unheard, it is seen a look later.
                let _ = done.write(1);
                came
            });
            while !worker.is_finished() {
                self.last = beat(channel, self.last.take())?;
                channel.wait(Some(self.done.as_fd()), LOOK)?;
                let _ = self.done.read();
            }
            worker.join().map_err(|_| anyhow::anyhow!("what a brain asked for ended in a panic"))
        })
    }

    /// Asks until there is an answer, and reports meanwhile.
    pub(super) fn until<T>(
        &mut self,
        channel: &mut Channel,
        mut ask: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        loop {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            self.last = beat(channel, self.last.take())?;
            channel.wait(None, LOOK)?;
        }
    }

    fn is_due(&self) -> bool {
        self.last.as_ref().is_none_or(|(at, _)| at.elapsed() >= REPORT)
    }
}

/// Where it is time, says that it lives; what was never said is not said so either.
fn beat(channel: &mut Channel, last: Option<(Instant, Report)>) -> anyhow::Result<Option<(Instant, Report)>> {
    match last {
        Some((at, report)) if at.elapsed() >= REPORT => {
            let report = Report { prefixes: Vec::new(), ..report };
            channel.say(&Tell::Report(report.clone()))?;
            Ok(Some((Instant::now(), report)))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use super::super::keys::Key;
    use super::super::tls;
    use super::*;
    use crate::folder::Folder;

    /// Waits on one end until something came.
    fn hear(channel: &mut Channel) -> Report {
        loop {
            match channel.hear::<Tell>().unwrap() {
                Some(Tell::Report(report)) => return report,
                Some(other) => panic!("{other:?}"),
                None => channel.wait(None, LOOK).unwrap(),
            }
        }
    }

    #[test]
    fn while_the_kernel_takes_a_set_reports_go_on_without_what_is_not_known() {
        let folder = Folder::new("spillway-pulse").unwrap();
        let [brain, absorber] = ["a", "b"].map(|name| Key::load_or_make(&folder.path().join(name)).unwrap());
        let server = tls::server(&absorber, vec![brain.fingerprint()]).unwrap();
        let client = tls::client(&brain, absorber.fingerprint()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let (release, released) = channel::<()>();
        let theirs = std::thread::spawn(move || {
            let mut channel = Channel::answer(&server, listener.accept().unwrap().0).unwrap();
            while !channel.is_up() {
                channel.wait(None, LOOK).unwrap();
            }
            let mut pulse = Pulse::new().unwrap();
            let prefix = "198.51.100.0/24".parse().unwrap();
            let whole =
                Report { prefixes: vec![(prefix, Default::default())], rules_free: 7, ..Default::default() };
            channel.say(&Tell::Report(pulse.report(|| whole.clone()).unwrap())).unwrap();
            assert_eq!(pulse.report(|| whole.clone()), None, "it is not time yet");
            // It ends when the other end has heard two reports meanwhile.
            let answer = pulse.during(&mut channel, move || released.recv().map(|()| 42));
            assert_eq!(answer.unwrap(), Ok(42));
            let mut asked = 0;
            let answer = pulse.until(&mut channel, || {
                asked += 1;
                (asked > 3).then_some(asked)
            });
            assert_eq!(answer.unwrap(), 4);
        });
        let mut channel = Channel::dial(&client, to, Duration::from_secs(5)).unwrap();
        while !channel.is_up() {
            channel.wait(None, LOOK).unwrap();
        }
        assert_eq!(hear(&mut channel).prefixes.len(), 1);
        for _ in 0..2 {
            let report = hear(&mut channel);
            assert_eq!((report.prefixes.len(), report.rules_free), (0, 7));
        }
        release.send(()).unwrap();
        theirs.join().unwrap();
    }
}
