//! What those who challenge have to know of a host: how many SYNs are nothing out of the ordinary for it.

use base::Prefix;
use base::prefix::wide;
use detect::class::Class;

use super::Watch;
use crate::report::{Direction, UsualSyns};
use crate::target::TargetKey;

impl Watch {
    /// How many SYNs a host usually gets, where it has shown that; nothing of it is learned while it is attacked.
    pub(crate) fn usual_syns(&self, target: &Prefix) -> Option<UsualSyns> {
        let key = TargetKey { addr: wide(target.addr()), bits: target.bits(), direction: Direction::In };
        let usual = target.is_host().then(|| self.target(&key)?.stream(Class::TCP_SYN)).flatten()?.usual;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, never negative"
        )]
        let pps = usual.expected().ceil() as u32;
        (usual.level() > 0 && pps > 0).then_some(UsualSyns { target: *target, pps })
    }
}
