//! Words of requests that check themselves when they are read; the OpenAPI document says the same bounds from the same place.

use base::Prefix;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Things on one page at most, and unless fewer are asked for.
pub(crate) const PAGE_MAX: u32 = 1_000;
/// Seconds of the longest time that can be asked for: a year.
const TTL_MAX: u64 = 366 * 86_400;
/// Octets of a reason at most.
const REASON_MAX: usize = 1_000;

/// Letters of an act's name at most.
const ACT_MAX: usize = 40;

macro_rules! word {
    ($type:ty, $schema:expr) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let schema: ObjectBuilder = $schema;
                schema.into()
            }
        }
        impl ToSchema for $type {}
    };
}

/// 1 to [`PAGE_MAX`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(pub(crate) u32);

word!(Limit, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(PAGE_MAX)));

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE_MAX)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if (1..=PAGE_MAX).contains(&found) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("limit must be 1 to {PAGE_MAX}, not {found}")))
        }
    }
}

/// Seconds, 1 to a year.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ttl(pub(crate) u64);

word!(Ttl, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(TTL_MAX)));

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        if (1..=TTL_MAX).contains(&found) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("a time is 1 to {TTL_MAX} seconds, not {found}")))
        }
    }
}

/// A whole number, which in JSON may be written `377.0`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and small")]
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Plain(u64),
        Point(f64),
    }
    match Written::deserialize(deserializer)? {
        Written::Plain(number) => Ok(number),
        Written::Point(number) if number.fract() == 0.0 && (0.0..1e15).contains(&number) => Ok(number as u64),
        Written::Point(_) => Err(D::Error::custom("a whole number is needed")),
    }
}

/// A number of an upper-layer protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolNumber(pub(crate) u8);

/// A port of TCP or UDP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port(pub(crate) u16);

word!(
    ProtocolNumber,
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(u8::MAX))
);
word!(Port, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(u16::MAX)));

impl<'de> Deserialize<'de> for ProtocolNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        found.try_into().map(Self).map_err(|_| D::Error::custom("a protocol is 0 to 255"))
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        found.try_into().map(Self).map_err(|_| D::Error::custom("a port is 0 to 65535"))
    }
}

/// A place in the list of attacks: `NANOSECONDS-ID`.
#[derive(Clone, Debug)]
pub(crate) struct Place(pub(crate) store::Cursor);

word!(Place, ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]{1,19}-[0-9A-Za-z]{0,64}$")));

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        let parsed = found.split_once('-').and_then(|(at, id)| {
            let digits = (1..=19).contains(&at.len()) && at.bytes().all(|digit| digit.is_ascii_digit());
            let word = id.len() <= 64 && id.bytes().all(|letter| letter.is_ascii_alphanumeric());
            let at = at.parse().ok().filter(|_| digits && word)?;
            Some(store::Cursor { started_at: base::Timestamp::from_nanos(at), id: id.to_owned() })
        });
        parsed.map(Self).ok_or_else(|| D::Error::custom("after must be the `next` of an earlier page"))
    }
}

/// A prefix or a host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixText(pub(crate) Prefix);

word!(
    PrefixText,
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("ip-prefix".to_owned())))
);

impl<'de> Deserialize<'de> for PrefixText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        found
            .parse()
            .map(Self)
            .map_err(|_| D::Error::custom("a prefix is like 192.0.2.0/24 or 2001:db8::/32"))
    }
}

/// Why. Printable, and not only blanks.
#[derive(Clone, Debug)]
pub(crate) struct Reason(pub(crate) String);

word!(
    Reason,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(REASON_MAX / 4))
        .pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]*[!-~][^\\x00-\\x1f\\x7f-\\x9f]*$"))
);

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        // characters as the document counts them: the longest takes four octets
        let fits = found.chars().count() <= REASON_MAX / 4;
        if fits && found.contains(|c: char| c.is_ascii_graphic()) && !found.contains(char::is_control) {
            Ok(Self(found))
        } else {
            let form = format_args!("a reason is one line of 1 to {} characters", REASON_MAX / 4);
            Err(D::Error::custom(form))
        }
    }
}

/// A user's name.
#[derive(Clone, Debug)]
pub(crate) struct UserName(pub(crate) String);

word!(
    UserName,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(access::NAME_MAX))
        .pattern(Some("^[a-z0-9][a-z0-9._-]{0,31}$"))
);

impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        match access::check_name(&found) {
            Ok(()) => Ok(Self(found)),
            Err(why) => Err(D::Error::custom(why)),
        }
    }
}

/// A SHA-256 in hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct Digest(pub(crate) String);

/// Digits of a SHA-256.
const DIGEST: usize = 64;

word!(
    Digest,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(DIGEST))
        .max_length(Some(DIGEST))
        .pattern(Some("^[0-9a-f]{64}$"))
);

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        let digit = |octet: u8| octet.is_ascii_digit() || matches!(octet, b'a'..=b'f');
        if found.len() == DIGEST && found.bytes().all(digit) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom("a SHA-256 is 64 hexadecimal digits, in lower case"))
        }
    }
}

/// What a demonstration's world calls something that it can do.
#[derive(Clone, Debug)]
pub(crate) struct ActName(pub(crate) String);

word!(
    ActName,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(ACT_MAX))
        .pattern(Some("^[a-z0-9-]{1,40}$"))
);

impl<'de> Deserialize<'de> for ActName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        let letter = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        if (1..=ACT_MAX).contains(&found.len()) && found.bytes().all(letter) {
            Ok(Self(found))
        } else {
            let form = format_args!("an act is named by 1 to {ACT_MAX} of a-z, 0-9 and -");
            Err(D::Error::custom(form))
        }
    }
}

/// A password that is to be kept.
#[derive(Clone)]
pub(crate) struct Password(pub(crate) String);

word!(
    Password,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("password".to_owned())))
        .write_only(true)
        .min_length(Some(access::PASSWORD_MIN))
        .max_length(Some(access::PASSWORD_MAX / 4))
);

/// Without its letters.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        let (min, max) = (access::PASSWORD_MIN, access::PASSWORD_MAX / 4);
        if (min..=max).contains(&found.chars().count()) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("a password has {min} to {max} characters")))
        }
    }
}

/// A role.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct RoleWord(pub(crate) access::Role);

word!(
    RoleWord,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(access::Role::ALL.map(access::Role::name)))
);

/// What something is for: one short line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label(pub(crate) String);

word!(
    Label,
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(64)).pattern(Some("^[ -~]{0,64}$"))
);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if found.len() <= 64 && found.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom("a label has at most 64 printable ASCII characters"))
        }
    }
}

impl Limit {
    /// A page out of one thing more than was asked for, and where the next one begins.
    pub(crate) fn cut<T>(self, mut found: Vec<T>, name: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.0).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(name);
        (found, next)
    }
}

/// Rules as `spillway rules` reads them, or what is to be announced.
#[derive(Clone, Debug)]
pub(crate) struct RuleText(pub(crate) String);

/// Characters of it at most.
const RULES_MAX: usize = 65_536;

word!(
    RuleText,
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(RULES_MAX))
);

impl<'de> Deserialize<'de> for RuleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if (1..=RULES_MAX).contains(&found.chars().count()) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("1 to {RULES_MAX} characters")))
        }
    }
}

/// Rules in an address, which no server takes at any length.
#[derive(Debug)]
pub(crate) struct FewRules(pub(crate) String);

/// Characters of them at most.
const FEW_RULES_MAX: usize = 4_096;

word!(
    FewRules,
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(FEW_RULES_MAX))
);

impl<'de> Deserialize<'de> for FewRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if (1..=FEW_RULES_MAX).contains(&found.chars().count()) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("rules in an address have 1 to {FEW_RULES_MAX} characters")))
        }
    }
}

/// The name of a neighbour.
#[derive(Clone, Debug)]
pub(crate) struct PeerName(pub(crate) String);

word!(PeerName, ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(64)));

impl<'de> Deserialize<'de> for PeerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if (1..=64).contains(&found.chars().count()) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom("a neighbour's name has 1 to 64 characters"))
        }
    }
}

/// An id or index: what fits into 63 bits, as the document and SQLite have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) u64);

/// The greatest one.
const NUMBER_MAX: u64 = (1 << 63) - 1;

word!(
    Number,
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Int64)))
        .minimum(Some(0))
);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u64::deserialize(deserializer)?;
        if found <= NUMBER_MAX {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("a number is at most {NUMBER_MAX}")))
        }
    }
}

/// Seconds, 1 to a year. As [`Ttl`], of what was.
pub(crate) type Seconds = Ttl;

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(pub(crate) u64);

/// Seconds of it at most: a request is given up after thirty.
const PATIENCE_MAX: u64 = 20;

word!(Patience, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(PATIENCE_MAX)));

impl Default for Patience {
    fn default() -> Self {
        Self(10)
    }
}

impl<'de> Deserialize<'de> for Patience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        if (1..=PATIENCE_MAX).contains(&found) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("within is 1 to {PATIENCE_MAX} seconds, not {found}")))
        }
    }
}

/// 1 to [`PAGE_MAX`], in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) usize);

word!(Count, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(PAGE_MAX)));

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        let fits = usize::try_from(found).ok().filter(|_| (1..=u64::from(PAGE_MAX)).contains(&found));
        fits.map(Self).ok_or_else(|| D::Error::custom(format_args!("1 to {PAGE_MAX}, not {found}")))
    }
}

/// A filter of flow samples; read by whoever asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterText(pub(crate) String);

/// Characters of it at most.
const FILTER_MAX: usize = 4_096;

word!(FilterText, ObjectBuilder::new().schema_type(Type::String).max_length(Some(FILTER_MAX)));

impl<'de> Deserialize<'de> for FilterText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if found.chars().count() <= FILTER_MAX {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("a filter has at most {FILTER_MAX} characters")))
        }
    }
}

/// A time; read by whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct TimeText(pub(crate) String);

word!(
    TimeText,
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(40)).examples(["2026-11-26T16:00:00Z"])
);

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if found.chars().count() <= 40 {
            Ok(Self(found))
        } else {
            Err(D::Error::custom("a time is like 2026-11-26T16:00:00Z"))
        }
    }
}

/// A field that flow samples can be grouped by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldName(pub(crate) history::Field);

/// What is no group.
const NO_GROUPS: [&str; 5] = ["host", "port", "time", "packets", "bytes"];

fn groups() -> Vec<String> {
    history::Field::names().into_iter().filter(|name| !NO_GROUPS.contains(&name.as_str())).collect()
}

word!(FieldName, ObjectBuilder::new().schema_type(Type::String).enum_values(Some(groups())));

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        let known = groups().contains(&found).then(|| history::Field::named(&found)).flatten();
        known.map(Self).ok_or_else(|| D::Error::custom(format_args!("by is one of {}", groups().join(", "))))
    }
}

/// At most three of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldNames(pub(crate) Vec<FieldName>);

const FIELDS_MAX: usize = 3;

impl PartialSchema for FieldNames {
    fn schema() -> RefOr<Schema> {
        utoipa::openapi::ArrayBuilder::new().items(FieldName::schema()).max_items(Some(FIELDS_MAX)).into()
    }
}

impl ToSchema for FieldNames {}

impl<'de> Deserialize<'de> for FieldNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Vec::<FieldName>::deserialize(deserializer)?;
        if found.len() <= FIELDS_MAX {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("a grouping has at most {FIELDS_MAX} fields")))
        }
    }
}

/// Days back from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Days(pub(crate) u64);

/// Sums by hour are kept no longer.
const DAYS_MAX: u64 = 90;

word!(Days, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(DAYS_MAX)));

impl Default for Days {
    fn default() -> Self {
        Self(7)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        if (1..=DAYS_MAX).contains(&found) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("days are 1 to {DAYS_MAX}, not {found}")))
        }
    }
}

/// A rate, in whatever unit stands beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate(pub(crate) u64);

/// More than any link carries; a float has it exactly.
const RATE_MAX: u64 = 1_000_000_000_000_000;

word!(Rate, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(RATE_MAX)));

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = whole(deserializer)?;
        if (1..=RATE_MAX).contains(&found) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom(format_args!("a rate is 1 to {RATE_MAX}, not {found}")))
        }
    }
}

/// The name of a class of traffic.
#[derive(Clone, Debug)]
pub(crate) struct ClassName(pub(crate) String);

word!(
    ClassName,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(64))
        .pattern(Some("^[a-z0-9-]{1,64}$"))
);

impl<'de> Deserialize<'de> for ClassName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=64).contains(&found.len()) && found.chars().all(fits) {
            Ok(Self(found))
        } else {
            Err(D::Error::custom("a class is 1 to 64 small letters, digits and dashes, like tcp-syn"))
        }
    }
}
