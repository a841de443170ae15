//! JSON with one spelling for each value (RFC 8785), without fractions: numbers are integers up to 2⁵³ − 1, keys are ASCII.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The largest number that every reader of JSON keeps exactly (RFC 7493 §2.2).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why a document has no canonical form, or is not in it.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// It is no such JSON document.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A number or key that we do not write.
    #[error("numbers are integers up to 9007199254740991, keys are ASCII")]
    Value,
    /// Another spelling of the same document.
    #[error("it is not in canonical form (RFC 8785): it was written by something else, or changed")]
    Spelling,
}

/// The document's octets.
///
/// # Errors
/// It holds what has no canonical form here.
pub fn octets(document: &impl Serialize) -> Result<Vec<u8>, NotCanonical> {
    let value = serde_json::to_value(document)?;
    if !is_plain(&value) {
        return Err(NotCanonical::Value);
    }
    // Objects of `Value` are sorted by their keys' octets, which for ASCII is the order of RFC 8785; so are its escapes.
    Ok(serde_json::to_vec(&value)?)
}

/// Reads a document that is in canonical form.
///
/// # Errors
/// It is not, or not of this type.
pub fn read<T: Serialize + DeserializeOwned>(octets: &[u8]) -> Result<T, NotCanonical> {
    let document: T = serde_json::from_slice(octets)?;
    if self::octets(&document)? == octets { Ok(document) } else { Err(NotCanonical::Spelling) }
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::unsigned_abs))
            .is_some_and(|n| n <= INTEGER_MAX),
        Value::Array(values) => values.iter().all(is_plain),
        Value::Object(members) => members.iter().all(|(key, value)| key.is_ascii() && is_plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_and_the_escapes_are_those_of_the_rfc() {
        // RFC 8785 §3.2.2 and §3.2.3, without their fractions and keys beyond ASCII
        let document = json!({
            "numbers": [333_333_333, 4, 0], "literals": [null, true, false], "A": {"b": 1, "a": "\u{20ac}$\u{f}\u{a}A'\u{42}\"\\\\\"/\u{7f}"},
            "1": "One", "\r": "Carriage Return"
        });
        let expected = "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"A\":{\"a\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\",\"b\":1},\
                        \"literals\":[null,true,false],\"numbers\":[333333333,4,0]}";
        assert_eq!(octets(&document).unwrap(), expected.as_bytes());
        assert_eq!(read::<Value>(expected.as_bytes()).unwrap(), document);
    }

    #[test]
    fn other_spellings_are_refused() {
        for wrong in [
            "{\"a\": 1}",
            "{\"b\":1,\"a\":1}",
            "{\"a\":1,\"a\":1}",
            "\"\\u0041\"",
            "{}\n",
            "[1.0]",
            "[0.5]",
            "[9007199254740992]",
            "{\"\u{e9}\":1}",
            "\"\\/\"",
            "[-0]",
        ] {
            assert!(read::<Value>(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(read::<Value>(b"[-1,9007199254740991]").is_ok());
    }
}
