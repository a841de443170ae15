//! Templates of one exporter, by observation domain. The exporter's port is no part of the key: load balancers and
//! some routers change it (S17).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use base::{Span, Timestamp};
use wire::netflow9::{self, Fields};

use crate::element::Slot;
use crate::plan::Plan;
use crate::stats::Stats;
use crate::told::Format;

/// Templates remembered per domain. The one longest unused goes first; counted in `templates_evicted`.
pub const TEMPLATES_MAX: usize = 256;
/// Domains remembered per exporter. The one longest unused goes first; its templates count in `templates_evicted`.
pub const DOMAINS_MAX: usize = 64;
/// Fields of a template; one with more is refused.
pub const FIELDS_MAX: u16 = 512;
/// A template that was neither used nor repeated for so long is forgotten. Long, because some exporters send theirs
/// only when they start (T23); counted in `templates_expired`.
pub const TEMPLATE_LIFE: Span = Span::from_secs(24 * 3600);

/// Octets of memory that one datagram may make us keep.
pub(crate) struct Allowance(usize);

/// See the bounds: one datagram costs at most 64 KiB. The rest is left to the tables' own growth.
const ALLOWANCE: usize = 40 * 1024;

impl Allowance {
    pub(crate) const fn new() -> Self {
        Self(ALLOWANCE)
    }

    pub(crate) const fn take(&mut self, octets: usize) -> bool {
        match self.0.checked_sub(octets) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// A template in force.
#[derive(Debug)]
pub(crate) struct Template {
    /// Field specifiers as they came, kept to see changes and to outlive a restart.
    pub(crate) fields: Box<[u8]>,
    pub(crate) count: u16,
    pub(crate) scopes: Option<u16>,
    pub(crate) plan: Plan,
}

impl Template {
    fn new(template: &netflow9::Template<'_>, format: Format) -> Self {
        let scopes = usize::from(template.scopes.unwrap_or(0));
        Self {
            fields: template.fields.bytes().into(),
            count: template.count,
            scopes: template.scopes,
            plan: Plan::new(template.fields, scopes, format == Format::Netflow9),
        }
    }

    /// Whether its records tell of traffic: counters, a packet, or at least addresses and no event (NAT).
    pub(crate) const fn is_traffic(&self) -> bool {
        let plan = &self.plan;
        let counted = plan.has(Slot::Packets) || plan.has(Slot::Bytes);
        let addressed =
            plan.has(Slot::Src4) || plan.has(Slot::Dst4) || plan.has(Slot::Src6) || plan.has(Slot::Dst6);
        counted || plan.has(Slot::Frame) || addressed && !plan.has(Slot::Event)
    }

    fn same(&self, other: &netflow9::Template<'_>) -> bool {
        self.scopes == other.scopes && self.count == other.count && *self.fields == *other.fields.bytes()
    }
}

#[derive(Debug)]
struct Kept {
    template: Arc<Template>,
    used: Timestamp,
}

/// What is known of an observation domain.
#[derive(Debug, Default)]
pub(crate) struct Domain {
    templates: BTreeMap<u16, Kept>,
    used: Timestamp,
    /// systemInitTimeMilliseconds (160), where options told it.
    pub(crate) boot: Option<Timestamp>,
}

/// Templates by format and domain.
#[derive(Debug, Default)]
pub(crate) struct Store {
    domains: BTreeMap<(Format, u32), Domain>,
}

/// Why a definition was not taken.
pub(crate) type Refusal = &'static str;

impl Store {
    /// Takes in a definition.
    pub(crate) fn define(
        &mut self,
        key: (Format, u32),
        template: &netflow9::Template<'_>,
        at: Timestamp,
        stats: &mut Stats,
        allowance: &mut Allowance,
    ) -> Result<(), Refusal> {
        if template.id < 256 {
            return Err("template_id");
        }
        if template.count == 0 || template.count > FIELDS_MAX {
            return Err("template_fields");
        }
        stats.work += u64::from(template.count);
        if let Some(kept) =
            self.domains.get_mut(&key).and_then(|domain| domain.templates.get_mut(&template.id))
            && kept.template.same(template)
        {
            kept.used = at;
            return Ok(());
        }
        let cost = memory(template);
        if !allowance.take(cost) {
            return Err("template_memory");
        }
        let compiled = Template::new(template, key.0);
        stats.work += u64::from(template.count);
        if compiled.plan.min_len == 0 {
            return Err("template_empty");
        }
        let options = compiled.scopes.is_some();
        let domain = self.room(key, at, stats);
        let fresh = match domain.templates.get(&template.id) {
            Some(old) => {
                stats.templates_redefined += 1;
                old.template.scopes.is_some() != options
            }
            None => {
                domain.make_room(stats);
                true
            }
        };
        if fresh {
            *(if options { &mut stats.options_templates } else { &mut stats.templates }) += 1;
        }
        domain.templates.insert(template.id, Kept { template: Arc::new(compiled), used: at });
        Ok(())
    }

    /// The template for a data set.
    #[inline]
    pub(crate) fn find(&mut self, key: (Format, u32), id: u16, at: Timestamp) -> Option<Arc<Template>> {
        let domain = self.domains.get_mut(&key)?;
        domain.used = at;
        let kept = domain.templates.get_mut(&id)?;
        kept.used = at;
        Some(Arc::clone(&kept.template))
    }

    /// What is known of a domain.
    pub(crate) fn domain(&mut self, key: (Format, u32)) -> Option<&mut Domain> {
        self.domains.get_mut(&key)
    }

    /// Forgets what was neither used nor repeated for long.
    pub(crate) fn expire(&mut self, now: Timestamp, stats: &mut Stats) {
        for domain in self.domains.values_mut() {
            let before = domain.templates.len();
            domain.templates.retain(|_, kept| now.since(kept.used) <= TEMPLATE_LIFE);
            stats.templates_expired += (before - domain.templates.len()) as u64;
        }
        self.domains.retain(|_, domain| !domain.templates.is_empty());
    }

    /// All templates, for persistence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Format, u32, u16, &Template)> {
        self.domains.iter().flat_map(|((format, domain), kept)| {
            kept.templates.iter().map(move |(id, kept)| (*format, *domain, *id, &*kept.template))
        })
    }

    fn room(&mut self, key: (Format, u32), at: Timestamp, stats: &mut Stats) -> &mut Domain {
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(&key) {
            stats.work += self.domains.len() as u64;
            let oldest = self.domains.iter().min_by_key(|(_, domain)| domain.used).map(|(key, _)| *key);
            if let Some(gone) = oldest.and_then(|oldest| self.domains.remove(&oldest)) {
                stats.templates_evicted += gone.templates.len() as u64;
            }
        }
        let domain = self.domains.entry(key).or_default();
        domain.used = at;
        domain
    }
}

impl Domain {
    fn make_room(&mut self, stats: &mut Stats) {
        if self.templates.len() < TEMPLATES_MAX {
            return;
        }
        stats.work += self.templates.len() as u64;
        let oldest = self.templates.iter().min_by_key(|(_, kept)| kept.used).map(|(id, _)| *id);
        if let Some(oldest) = oldest {
            self.templates.remove(&oldest);
            stats.templates_evicted += 1;
        }
    }
}

/// Octets that a template will take, judged before it is made: its specifiers, the most that they compile to, and the
/// fixed part with its place in the tables. Only some fifty elements are compiled into fixed plans, so the sixteen
/// octets of an op do not hold for long templates; a step of a variable plan takes six.
fn memory(template: &netflow9::Template<'_>) -> usize {
    let specifiers = template.fields.bytes().len();
    let fields = usize::from(template.count);
    size_of::<Template>() + 96 + specifiers + 16 * fields.min(52) + 8 * fields.saturating_sub(52)
}

/// Rebuilds a definition from what persistence kept.
pub(crate) fn stored<'a>(
    id: u16,
    count: u16,
    scopes: Option<u16>,
    fields: &'a [u8],
    format: Format,
) -> netflow9::Template<'a> {
    netflow9::Template { id, scopes, count, fields: Fields::new(fields, format == Format::Ipfix) }
}
