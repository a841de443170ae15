//! What was taken in, what was not, and why: plain counters.

use alloc::collections::BTreeMap;

/// Faults by name. The names are fixed in the code, so their number is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<&'static str, u64>);

impl Faults {
    /// Counts one.
    pub fn count(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts several.
    pub fn add(&mut self, name: &'static str, n: u64) {
        let counter = self.0.entry(name).or_insert(0);
        *counter = counter.saturating_add(n);
    }

    /// How often this one occurred.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All that occurred, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(name, n)| (*name, *n))
    }

    /// Whether none occurred.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

macro_rules! stats {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Counters of one exporter, or of all.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $field: u64,)*
            /// Damaged or unbelievable input, by kind.
            pub faults: Faults,
        }

        impl Stats {
            /// Adds another's counters to these.
            pub fn merge(&mut self, other: &Self) {
                $(self.$field = self.$field.saturating_add(other.$field);)*
                for (name, n) in other.faults.iter() {
                    self.faults.add(name, n);
                }
            }

            /// The plain counters with their names, in the order of declaration.
            pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }
        }
    };
}

stats! {
    /// Datagrams taken in.
    datagrams,
    /// Their octets.
    octets,
    /// Flow records and packet samples, each direction of a biflow counted.
    flows,
    /// Of `flows`, those whose packet was no IP that we can read (ARP, say).
    flows_not_ip,
    /// Of `flows`, those that are the reverse direction of the one before.
    flows_reverse,
    /// Data records that tell of no traffic (NAT and firewall events without counters).
    events,
    /// sFlow counter samples.
    counter_samples,
    /// sFlow discarded-packet samples.
    discard_samples,
    /// sFlow samples of formats that we do not read.
    other_samples,
    /// Distinct (domain, id) definitions of data templates.
    templates,
    /// Distinct (domain, id) definitions of options templates.
    options_templates,
    /// Definitions that differed from the one in force.
    templates_redefined,
    /// Definitions that a fuller table pushed out.
    templates_evicted,
    /// Definitions that nobody used or repeated for too long.
    templates_expired,
    /// Withdrawals, which RFC 7011 §8.4 tells a collector to ignore over UDP.
    withdrawals_ignored,
    /// Options data records.
    options_records,
    /// Sets that waited for their template and were decoded when it came.
    sets_replayed,
    /// Octets of data sets that wait for their template now, without set headers.
    buffered_bytes,
    /// Octets of data sets that were given up, without set headers.
    undecodable_bytes,
    /// Datagrams (sFlow, v9) that the sequence numbers say were lost on the way.
    lost_datagrams,
    /// Records (v5, IPFIX) that the sequence numbers say were lost on the way.
    lost_records,
    /// Datagrams that came later than a successor.
    reordered,
    /// Exporters that began to count anew.
    restarts,
    /// Records whose announced sampling rate was not believed as it stood.
    sampling_corrected,
    /// Octets and fields visited; at most 64 for each octet taken in.
    work,
}
