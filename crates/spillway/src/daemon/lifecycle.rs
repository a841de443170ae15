//! Starts, ends, configurations and the panic signal in the audit trail and the ledger: who or what asked, why, what was, what is.
//!
//! What comes over the API is written down there; what comes by the control socket, by a signal, or from this process itself, here.

use ::ledger::Hash;
use access::Access;
use serde_json::{Map, Value, json};

use super::audited::{Asked, audited};
use super::routes::Routes;
use crate::config::Config;
use crate::config::diff::{Change, changes};
use crate::routing::order::Caller;

/// Who wants something of the process, and why.
#[derive(Clone, Debug)]
pub(super) struct Order {
    who: String,
    why: String,
}

impl Order {
    /// A signal, by its name.
    pub(super) fn signal(name: &str) -> Self {
        Self { who: "a signal".to_owned(), why: name.to_owned() }
    }

    /// Somebody at the control socket, who need not say why.
    pub(super) fn person(caller: &Caller, why: Option<String>, order: &str) -> Self {
        Self { who: caller.name(), why: why.unwrap_or_else(|| format!("`spillway control {order}`")) }
    }

    /// The process itself.
    pub(super) fn own(why: String) -> Self {
        Self { who: "the daemon".to_owned(), why }
    }
}

/// Where it is written down.
#[derive(Clone, Copy)]
pub(super) struct Trail<'a> {
    pub(super) routes: &'a Routes,
    pub(super) access: &'a Access,
}

impl Trail<'_> {
    /// The daemon begins. It does so whatever becomes of the line.
    pub(super) fn begin(self, config: &Config) {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let who = user.map_or_else(|| format!("user {}", nix::unistd::getuid()), |user| user.name);
        // systemd names each start of a service
        let managed = std::env::var_os("INVOCATION_ID").is_some();
        let why = if managed { "started by the service manager" } else { "`spillway run`" };
        let asked = Asked::new("daemon.start", "daemon", why).after(json!({"running": false})).urgent();
        let after = json!({
            "running": true, "version": env!("CARGO_PKG_VERSION"), "mode": config.mode, "configuration": hash(&config.written.0),
        });
        let _ = audited(self.routes, self.access, &who, asked, || Ok(((), after)));
    }

    /// The daemon ends, whatever becomes of the line.
    pub(super) fn end(self, order: &Order) {
        let asked = Asked::new("daemon.stop", "daemon", &order.why).after(json!({"running": true})).urgent();
        let _ = audited(self.routes, self.access, &order.who, asked, || Ok(((), json!({"running": false}))));
    }

    /// Another configuration shall be in force; `check` says which, or what is wrong with it.
    ///
    /// # Errors
    /// What is wrong with it, or that nothing can be written down.
    pub(super) fn reload(
        self,
        order: &Order,
        config: &Config,
        check: impl FnOnce() -> Result<Config, String>,
    ) -> Result<Config, String> {
        let old = &config.written.0;
        let new = std::fs::read_to_string(&config.path).unwrap_or_else(|_| old.to_string());
        let differ = changes(old, &new);
        let before = shown(old, &differ, |change| change.from.as_ref());
        let asked = Asked::new("configuration.reload", "configuration", &order.why).after(before);
        audited(self.routes, self.access, &order.who, asked, || {
            let new = check()?;
            let after = shown(&new.written.0, &changes(old, &new.written.0), |change| change.to.as_ref());
            Ok((new, after))
        })
    }

    /// The panic signal was heard, and this came of it. It was done first.
    pub(super) fn panicked(self, before: Value, done: Result<Value, String>) {
        let order = Order::signal("SIGUSR2");
        let asked = Asked::new("panic", "all mitigations", &order.why).after(before).urgent();
        let _ = audited(self.routes, self.access, &order.who, asked, || done.map(|after| ((), after)));
    }
}

/// A configuration in the trail: which, and of what differs what stands there; secrets are not shown.
fn shown(text: &str, differ: &[Change], side: impl Fn(&Change) -> Option<&String>) -> Value {
    let keys: Map<String, Value> =
        differ.iter().map(|change| (change.key.clone(), side(change).cloned().into())).collect();
    json!({"sha256": hash(text), "keys": keys})
}

fn hash(text: &str) -> String {
    Hash::of(text.as_bytes()).to_string()
}
