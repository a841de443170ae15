//! The route server's end of the session: it listens, and takes what it is told.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use steer::bgp::session::Farewell;
use steer::bgp::{Dialect, Input, Output, Session, Settings};
use wire::bgp::Family;

use super::{ASN, Border, HOLD_SECS};
use crate::demo::sender::now;

/// Timers are looked at so often.
const NAP: Duration = Duration::from_millis(200);
/// Its BGP identifier.
const ID: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);

/// Speaks with one peer after the other, for as long as the process lives.
pub(super) fn serve(listener: &TcpListener, border: &Border) {
    for stream in listener.incoming().flatten() {
        // Who broke off comes again.
        let _ = speak(stream, border);
        border.inner().table.clear();
    }
}

fn speak(mut stream: TcpStream, border: &Border) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(NAP))?;
    stream.set_write_timeout(Some(Duration::from_secs(HOLD_SECS.into())))?;
    let mut session = Session::new(settings(), false);
    session.handle(now(), Input::Start);
    session.handle(now(), Input::Connected);
    let mut buffer = [0; 8192];
    while drain(&mut session, &mut stream, border)? {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                session.handle(now(), Input::Received(buffer.get(..count).unwrap_or_default()));
            }
            Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
        session.handle_timeout(now());
    }
    Ok(())
}

/// Does what the session asks for; `false`: it is over.
fn drain(session: &mut Session, stream: &mut TcpStream, border: &Border) -> std::io::Result<bool> {
    while let Some(output) = session.poll_output() {
        match output {
            Output::Send(octets) => stream.write_all(&octets)?,
            Output::Close | Output::Down(_) => return Ok(false),
            Output::Routes(update) => {
                let mut inner = border.inner();
                let (came, unread) = inner.table.update(&update);
                inner.tally.rules = inner.tally.rules.saturating_add(came);
                inner.tally.unread = inner.tally.unread.saturating_add(unread);
            }
            // It is there already; and it has nothing to announce.
            Output::Dial | Output::Up(_) | Output::Refresh(_) => {}
        }
    }
    Ok(true)
}

fn settings() -> Settings {
    Settings {
        local_as: ASN,
        peer_as: ASN,
        id: ID,
        families: Family::ALL.to_vec(),
        hold_time: HOLD_SECS,
        patience: 0,
        restart_time: None,
        on_stop: Farewell::Withdraw,
        dialect: Dialect::default(),
    }
}
