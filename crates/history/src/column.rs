//! The columns of a sample, as they are called in segments, and the fields that filters and groupings may name.

/// A column of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// When it was received.
    Time,
    /// The own host.
    Target,
    /// The other end, as it was handed in: usually a pseudonym.
    Foreign,
    /// `in`: towards the target; `out`: from it.
    Direction,
    /// IP protocol number.
    Proto,
    /// Port of the target.
    TargetPort,
    /// Port of the other end.
    ForeignPort,
    /// TCP flags, of all packets together where a flow was told.
    TcpFlags,
    /// Class of traffic, as detection calls it.
    Class,
    /// Packets, scaled by sampling and thinning.
    Packets,
    /// Octets of layer 3, scaled likewise.
    Bytes,
    /// N of 1:N by which packets and bytes were scaled.
    Rate,
    /// Autonomous system of the other end.
    Asn,
    /// Country of the other end, ISO 3166-1 alpha-2.
    Country,
    /// Attack that the target was under.
    Attack,
    /// Customer whose network it is.
    Customer,
    /// Exporter that told.
    Exporter,
    /// Interface it came in by.
    InputIf,
    /// Interface it left by.
    OutputIf,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nanoseconds since 1970.
    Time,
    /// IPv4 or IPv6.
    Address,
    /// At most this.
    Number(u64),
    /// Any text.
    Text,
}

impl Column {
    /// All, in the order of the segments.
    pub const ALL: [Self; 19] = [
        Self::Time,
        Self::Target,
        Self::Foreign,
        Self::Direction,
        Self::Proto,
        Self::TargetPort,
        Self::ForeignPort,
        Self::TcpFlags,
        Self::Class,
        Self::Packets,
        Self::Bytes,
        Self::Rate,
        Self::Asn,
        Self::Country,
        Self::Attack,
        Self::Customer,
        Self::Exporter,
        Self::InputIf,
        Self::OutputIf,
    ];

    /// As segments call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Target => "target",
            Self::Foreign => "foreign",
            Self::Direction => "direction",
            Self::Proto => "proto",
            Self::TargetPort => "target_port",
            Self::ForeignPort => "foreign_port",
            Self::TcpFlags => "tcp_flags",
            Self::Class => "class",
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::Rate => "rate",
            Self::Asn => "asn",
            Self::Country => "country",
            Self::Attack => "attack",
            Self::Customer => "customer",
            Self::Exporter => "exporter",
            Self::InputIf => "input_if",
            Self::OutputIf => "output_if",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize
    }

    /// Every sample has it.
    pub(crate) const fn is_always_there(self) -> bool {
        matches!(
            self,
            Self::Time
                | Self::Target
                | Self::Foreign
                | Self::Direction
                | Self::Proto
                | Self::Class
                | Self::Packets
                | Self::Bytes
                | Self::Exporter
        )
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Time => Kind::Time,
            Self::Target | Self::Foreign | Self::Exporter => Kind::Address,
            Self::Proto => Kind::Number(0xff),
            Self::TargetPort | Self::ForeignPort | Self::TcpFlags => Kind::Number(0xffff),
            Self::Rate | Self::Asn | Self::InputIf | Self::OutputIf => Kind::Number(0xffff_ffff),
            Self::Packets | Self::Bytes => Kind::Number(u64::MAX),
            Self::Direction | Self::Class | Self::Country | Self::Attack | Self::Customer => Kind::Text,
        }
    }
}

/// What a filter or a grouping may name: a column, or one of two by the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A column.
    Of(Column),
    /// Of who sent: the first where the direction is `in`, else the second.
    Source(Column, Column),
    /// Of who received: the second where the direction is `in`, else the first.
    Destination(Column, Column),
    /// Either of both.
    Either(Column, Column),
}

/// The names of fields that are no columns.
const BY_DIRECTION: [(&str, Field); 6] = [
    ("src", Field::Source(Column::Foreign, Column::Target)),
    ("dst", Field::Destination(Column::Foreign, Column::Target)),
    ("src-port", Field::Source(Column::ForeignPort, Column::TargetPort)),
    ("dst-port", Field::Destination(Column::ForeignPort, Column::TargetPort)),
    ("host", Field::Either(Column::Foreign, Column::Target)),
    ("port", Field::Either(Column::ForeignPort, Column::TargetPort)),
];

impl Field {
    /// The field of this name; `_` is as good as `-`.
    pub fn named(name: &str) -> Option<Self> {
        let dashed = name.to_ascii_lowercase().replace('_', "-");
        let virtual_one = BY_DIRECTION.iter().find(|(known, _)| *known == dashed).map(|(_, field)| *field);
        let column = || Column::ALL.into_iter().find(|column| column.name().replace('_', "-") == dashed);
        let alias = || match dashed.as_str() {
            "group" => Some(Column::Customer),
            "protocol" => Some(Column::Proto),
            "flags" => Some(Column::TcpFlags),
            _ => None,
        };
        virtual_one.or_else(|| column().or_else(alias).map(Self::Of))
    }

    /// All names, as filters write them.
    pub fn names() -> Vec<String> {
        let columns = Column::ALL.iter().map(|column| column.name().replace('_', "-"));
        BY_DIRECTION.iter().map(|(name, _)| (*name).to_owned()).chain(columns).collect()
    }

    /// The nearest name known.
    pub fn nearest(name: &str) -> Option<String> {
        let dashed = name.to_ascii_lowercase().replace('_', "-");
        let near = Self::names()
            .into_iter()
            .map(|known| (strsim::damerau_levenshtein(&dashed, &known), known))
            .min();
        near.filter(|(distance, known)| *distance <= known.len().max(3) / 3).map(|(_, known)| known)
    }

    /// Its name, as filters write it.
    pub fn name(self) -> String {
        let by_direction =
            BY_DIRECTION.iter().find(|(_, field)| *field == self).map(|(name, _)| (*name).to_owned());
        match self {
            Self::Of(column) => column.name().replace('_', "-"),
            _ => by_direction.unwrap_or_default(),
        }
    }

    /// What of it is there to be compared.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Of(column)
            | Self::Source(column, _)
            | Self::Destination(column, _)
            | Self::Either(column, _) => column.kind(),
        }
    }

    /// The columns it needs.
    pub fn columns(self) -> Vec<Column> {
        match self {
            Self::Of(column) => vec![column],
            Self::Either(a, b) => vec![a, b],
            Self::Source(a, b) | Self::Destination(a, b) => vec![Column::Direction, a, b],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_order_and_names_lead_back() {
        for (place, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!(column.place(), place);
            assert_eq!(Field::named(column.name()), Some(Field::Of(column)));
        }
        assert!(Field::names().iter().all(|name| Field::named(name).is_some()));
        assert_eq!(Field::nearest("src_prot"), Some("src-port".to_owned()));
        assert_eq!(Field::nearest("packet"), Some("packets".to_owned()));
        assert_eq!(Field::nearest("zzzzzzzz"), None);
    }
}
