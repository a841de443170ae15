//! The state machine of RFC 4271 §8.2.2, a row for each state and event that is acted on.
//!
//! `Active` is left out: who dials does not listen at the same time, so there is no collision to resolve.

use Action::{
    ArmHold, ArmKeepalive, ArmOpenHold, ArmRetry, Close, Dial, Negotiate, SendFarewell, SendKeepalive,
    SendNotification, SendOpen, TellDown, TellUp,
};
use Event::{
    ClosedTcp, Connected, HoldExpired, Keepalive, KeepaliveDue, Notified, Opened, RetryDue, Start, Stop,
    Updated, Wrong,
};
use State::{Connect, Established, Idle, OpenConfirm, OpenSent};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No connection is wanted, or the next try is due later.
    Idle,
    /// A connection is being made, or waited for.
    Connect,
    /// OPEN is sent.
    OpenSent,
    /// OPEN came, and was good.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl State {
    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Idle => "idle",
            Connect => "connect",
            OpenSent => "open-sent",
            OpenConfirm => "open-confirm",
            Established => "established",
        }
    }
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session is wanted.
    Start,
    /// No session is wanted any more.
    Stop,
    /// The TCP connection stands.
    Connected,
    /// The TCP connection failed or ended.
    ClosedTcp,
    /// A good OPEN came.
    Opened,
    /// A KEEPALIVE came.
    Keepalive,
    /// An UPDATE or ROUTE-REFRESH came that can be lived with.
    Updated,
    /// A NOTIFICATION came.
    Notified,
    /// Something came that ends the session.
    Wrong,
    /// Nothing came for too long.
    HoldExpired,
    /// The peer has to hear from us.
    KeepaliveDue,
    /// It is time for the next try.
    RetryDue,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open the TCP connection, or wait for it.
    Dial,
    /// Send OPEN.
    SendOpen,
    /// Send KEEPALIVE.
    SendKeepalive,
    /// Send the NOTIFICATION for what went wrong.
    SendNotification,
    /// Say farewell as the peer's profile has it.
    SendFarewell,
    /// Close the TCP connection.
    Close,
    /// Take what both sides can do from the OPENs.
    Negotiate,
    /// Wait long for OPEN (RFC 4271 §8.2.2: four minutes are suggested).
    ArmOpenHold,
    /// Begin the hold time anew.
    ArmHold,
    /// Begin the time to the next KEEPALIVE anew.
    ArmKeepalive,
    /// Try again later.
    ArmRetry,
    /// Tell that routes can flow.
    TellUp,
    /// Tell that they cannot any more.
    TellDown,
}

/// The state after an event, and what is to be done, in this order.
pub const fn step(state: State, event: Event) -> (State, &'static [Action]) {
    match (state, event) {
        (Idle, Start | RetryDue) => (Connect, &[Dial]),
        (Idle, _) => (Idle, &[]),
        (Connect, Stop) => (Idle, &[Close]),
        (_, Stop) => (Idle, &[SendFarewell, Close, TellDown]),
        (Connect, Connected) => (OpenSent, &[SendOpen, ArmOpenHold]),
        (Connect, ClosedTcp) => (Idle, &[ArmRetry]),
        (Connect, _) => (Connect, &[]),
        (OpenSent, Opened) => (OpenConfirm, &[Negotiate, SendKeepalive, ArmHold, ArmKeepalive]),
        (OpenConfirm, Keepalive) => (Established, &[ArmHold, TellUp]),
        (OpenConfirm | Established, KeepaliveDue) => (state, &[SendKeepalive, ArmKeepalive]),
        (Established, Keepalive | Updated) => (Established, &[ArmHold]),
        (_, Notified) => (Idle, &[Close, ArmRetry, TellDown]),
        (_, ClosedTcp) => (Idle, &[ArmRetry, TellDown]),
        // A wish that is fulfilled, and timers of a state that is left.
        (_, Start | RetryDue) | (OpenSent, KeepaliveDue) => (state, &[]),
        (_, Wrong | HoldExpired | Connected | Opened | Keepalive | Updated) => {
            (Idle, &[SendNotification, Close, ArmRetry, TellDown])
        }
    }
}

/// The subcode of "finite state machine error" for a message that does not fit (RFC 6608).
pub const fn misplaced(state: State) -> u8 {
    match state {
        OpenSent => 1,
        OpenConfirm => 2,
        Established => 3,
        Idle | Connect => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 5] = [Idle, Connect, OpenSent, OpenConfirm, Established];
    const EVENTS: [Event; 12] = [
        Start,
        Stop,
        Connected,
        ClosedTcp,
        Opened,
        Keepalive,
        Updated,
        Notified,
        Wrong,
        HoldExpired,
        KeepaliveDue,
        RetryDue,
    ];

    fn all() -> impl Iterator<Item = (State, Event, State, &'static [Action])> {
        STATES.into_iter().flat_map(|state| {
            EVENTS.into_iter().map(move |event| {
                let (next, actions) = step(state, event);
                (state, event, next, actions)
            })
        })
    }

    #[test]
    fn the_way_up_is_the_one_of_the_rfc() {
        let mut state = Idle;
        for (event, next) in
            [(Start, Connect), (Connected, OpenSent), (Opened, OpenConfirm), (Keepalive, Established)]
        {
            state = step(state, event).0;
            assert_eq!(state, next);
        }
        for (event, next) in [(Updated, Established), (KeepaliveDue, Established), (HoldExpired, Idle)] {
            assert_eq!(step(Established, event).0, next, "{event:?}");
        }
    }

    #[test]
    fn who_leaves_a_connection_closes_it_and_who_was_up_says_so() {
        for (state, event, next, actions) in all() {
            let connected = matches!(state, OpenSent | OpenConfirm | Established);
            if connected && next == Idle {
                assert_eq!(actions.contains(&Close), event != ClosedTcp, "{state:?} {event:?}");
                assert!(actions.contains(&TellDown), "{state:?} {event:?}");
            }
            assert_eq!(actions.contains(&TellUp), next == Established && state != Established);
        }
    }

    #[test]
    fn only_a_stop_stays_idle() {
        for (state, event, next, actions) in all() {
            if state != Idle && next == Idle {
                assert_eq!(actions.contains(&ArmRetry), event != Stop, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn a_message_that_does_not_fit_is_a_state_machine_error() {
        for (state, event) in
            [(OpenSent, Keepalive), (OpenSent, Updated), (OpenConfirm, Updated), (Established, Opened)]
        {
            assert!(step(state, event).1.contains(&SendNotification), "{state:?} {event:?}");
            assert!(misplaced(state) > 0);
        }
    }
}
