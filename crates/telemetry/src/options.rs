//! Options data: what exporters say of themselves (RFC 3954 §6, RFC 7011 §4, RFC 5477).

use base::Timestamp;

use crate::element::Slot;
use crate::exporter::Exporter;
use crate::interface::NameSource;
use crate::plan::Values;
use crate::sampling::{self, Announced, Scope};
use crate::sets::Message;
use crate::store::Allowance;

/// Takes in an options record: sampling, interface names, boot time. The rest is counted only.
pub(crate) fn record(
    exporter: &mut Exporter,
    message: Message,
    values: &Values,
    record: &[u8],
    allowance: &mut Allowance,
) {
    exporter.stats.options_records += 1;
    let interface = values.get(Slot::Input).or_else(|| values.get(Slot::Output));
    let interface = interface.and_then(|index| u32::try_from(index).ok());
    if let Some(index) = interface {
        let names = [(Slot::IfDescription, NameSource::Description), (Slot::IfName, NameSource::Name)];
        for (slot, source) in names {
            if let Some(text) = values.octets(slot, record)
                && allowance.take(crate::interface::NAME_MEMORY)
            {
                exporter.names.learn(index, text, source, message.at);
            }
        }
    }
    if let Some(millis) = values.get(Slot::Boot).filter(|millis| *millis != 0)
        && let Some(domain) = exporter.store.domain(message.key())
    {
        domain.boot = Some(Timestamp::from_millis(millis));
    }
    if let Some((announced, corrected)) = sampling::announced(values) {
        sampler(exporter, message, values, interface, announced, corrected);
    }
}

fn sampler(
    exporter: &mut Exporter,
    message: Message,
    values: &Values,
    interface: Option<u32>,
    announced: Announced,
    corrected: bool,
) {
    exporter.stats.sampling_corrected += u64::from(corrected);
    // flowSamplerMode: 1 deterministic, 2 random; a table with other modes is garbage (S11).
    let insane = values.get(Slot::SamplerMode).is_some_and(|mode| mode > 2);
    if announced == Announced::Absurd || insane {
        return exporter.stats.faults.count("sampling_absurd");
    }
    let scope = match (values.get(Slot::Sampler).or_else(|| values.get(Slot::Selector)), interface) {
        (Some(id), _) => Scope::Sampler(id),
        (None, Some(index)) if index != 0 => Scope::Interface(index),
        _ => Scope::Domain,
    };
    let domain = values.get(Slot::DomainScope).and_then(|domain| u32::try_from(domain).ok());
    let domain = domain.filter(|domain| *domain != 0).unwrap_or(message.domain);
    if !exporter.rates.announce(domain, scope, announced) {
        exporter.stats.faults.count("rates_full");
    }
}
