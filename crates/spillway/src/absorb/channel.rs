//! One connection between the brain and an absorber: messages in, messages out, nothing blocks but [`Channel::wait`].

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::{ClientConfig, Connection, ServerConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use steer::absorb::{FRAME_MAX, Frames, write};

use super::keys::Fingerprint;
use super::tls;

/// A handshake that takes longer is none.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// What is sent and not acknowledged for so long ends the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);
/// Octets that wait to be sent: whoever reads nothing for so long is gone.
const UNSENT_MAX: usize = 2 * FRAME_MAX;

/// A connection.
pub(crate) struct Channel {
    socket: TcpStream,
    tls: Connection,
    frames: Frames,
    began: Instant,
}

impl Channel {
    /// To an absorber. This waits until it is reached, or not, for so long.
    pub(crate) fn dial(
        config: &Arc<ClientConfig>,
        to: SocketAddr,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket
            .connect_timeout(&SockAddr::from(to), patience)
            .with_context(|| format!("cannot reach {to}"))?;
        Self::over(socket.into(), tls::dial(config, to.ip())?)
    }

    /// With whoever came.
    pub(crate) fn answer(config: &Arc<ServerConfig>, socket: TcpStream) -> anyhow::Result<Self> {
        Self::over(socket, tls::answer(config)?)
    }

    fn over(socket: TcpStream, mut tls: Connection) -> anyhow::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
        tls.set_buffer_limit(Some(UNSENT_MAX));
        Ok(Self { socket, tls, frames: Frames::default(), began: Instant::now() })
    }

    /// Whether each end has shown who it is.
    pub(crate) fn is_up(&self) -> bool {
        !self.tls.is_handshaking()
    }

    /// Whose key the other end has shown.
    pub(crate) fn peer(&self) -> Option<Fingerprint> {
        Some(Fingerprint::of(self.tls.peer_certificates()?.first()?.as_ref()))
    }

    /// Says something; it goes out with the next [`Self::wait`].
    pub(crate) fn say(&mut self, message: &impl Serialize) -> anyhow::Result<()> {
        let frame = write(message)?;
        self.tls.writer().write_all(&frame).context("the other end reads nothing")?;
        self.flush()
    }

    /// What came.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<Option<T>> {
        Ok(self.frames.take()?)
    }

    /// Waits until something came, somebody wakes us, or for so long.
    pub(crate) fn wait(&mut self, wake: Option<BorrowedFd<'_>>, pause: Duration) -> anyhow::Result<()> {
        let left = HANDSHAKE_MAX.saturating_sub(self.began.elapsed());
        if !self.is_up() && left.is_zero() {
            bail!("the other end did not show who it is within {} s", HANDSHAKE_MAX.as_secs());
        }
        let pause = if self.is_up() { pause } else { pause.min(left) };
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, self.tls.wants_write());
        let ready = {
            let mut polled = vec![PollFd::new(self.socket.as_fd(), flags)];
            polled.extend(wake.map(|wake| PollFd::new(wake, PollFlags::POLLIN)));
            let millis = u16::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX);
            let _ = poll(&mut polled, PollTimeout::from(millis));
            polled.first().and_then(PollFd::revents).unwrap_or(PollFlags::empty())
        };
        if ready.intersects(PollFlags::POLLIN | PollFlags::POLLERR | PollFlags::POLLHUP) {
            self.read()?;
        }
        self.flush()
    }

    fn read(&mut self) -> anyhow::Result<()> {
        match self.tls.read_tls(&mut self.socket) {
            Ok(0) => bail!("the other end closed the connection"),
            Ok(_) => {}
            Err(cause) if is_later(&cause) => return Ok(()),
            Err(cause) => return Err(cause).context("the connection broke"),
        }
        if let Err(wrong) = self.tls.process_new_packets() {
            // The other end hears why, where it can.
            let _ = self.flush();
            bail!("{wrong}");
        }
        let mut buffer = [0; 16 << 10];
        loop {
            match self.tls.reader().read(&mut buffer) {
                Ok(0) => bail!("the other end closed the connection"),
                Ok(count) => self.frames.push(buffer.get(..count).unwrap_or_default()),
                Err(cause) if is_later(&cause) => return Ok(()),
                Err(cause) => return Err(cause).context("the connection broke"),
            }
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(cause) if is_later(&cause) => break,
                Err(cause) => return Err(cause).context("the connection broke"),
            }
        }
        Ok(())
    }
}

fn is_later(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
