//! What a target gets in peace: those who plan for its attack count it with what comes.

use base::Prefix;
use base::prefix::wide;
use detect::measure::OCTETS_UNIT;

use super::Watch;
use crate::report::Direction;
use crate::target::TargetKey;

impl Watch {
    /// Packets and layer-3 bits a second that it usually gets at most, at this hour; `None`: it has shown none. Nothing of it is
    /// learned while it is attacked.
    pub(crate) fn usual(&self, target: &Prefix) -> Option<(f64, f64)> {
        let key = TargetKey { addr: wide(target.addr()), bits: target.bits(), direction: Direction::In };
        let shown = self.target(&key)?.streams.iter().filter(|stream| stream.usual.level() > 0);
        shown
            .map(|stream| (stream.usual.expected(), stream.usual_octets() * OCTETS_UNIT * 8.0))
            .reduce(|(packets, bits), (more, longer)| (packets + more, bits + longer))
    }
}
