//! Octets at places of a payload: `OFFSET:HEX[/MASK]`, comma = and.

use ledger::text::from_hex;

/// All of these must stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    offset: usize,
    /// What must stand there, and which bits of it count.
    octets: Vec<(u8, u8)>,
}

impl Pattern {
    /// Whether a payload has it.
    #[inline]
    pub(crate) fn holds(&self, payload: &[u8]) -> bool {
        self.0.iter().all(|piece| {
            let Some(there) = payload.get(piece.offset..piece.offset + piece.octets.len()) else {
                return false;
            };
            there.iter().zip(&piece.octets).all(|(octet, (value, mask))| octet & mask == *value)
        })
    }
}

impl std::str::FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(piece).collect::<Result<_, _>>().map(Self)
    }
}

fn piece(text: &str) -> Result<Piece, String> {
    let bad = || format!("`{text}` is no OFFSET:HEX[/MASK]; write for example 4:00000001 or 2:80/f8");
    let (offset, rest) = text.split_once(':').ok_or_else(bad)?;
    let offset: u16 = offset.parse().map_err(|_| bad())?;
    let (value, mask) = rest.split_once('/').map_or((rest, None), |(value, mask)| (value, Some(mask)));
    let value = from_hex(value).ok_or_else(bad)?;
    let mask = mask.map_or_else(|| Some(vec![0xff; value.len()]), from_hex).ok_or_else(bad)?;
    if value.is_empty() || value.len() != mask.len() {
        return Err(bad());
    }
    let octets = value.into_iter().zip(mask).map(|(value, mask)| (value & mask, mask)).collect();
    Ok(Piece { offset: offset.into(), octets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_where_they_stand_under_their_mask() {
        let pattern: Pattern = "0:06,3:07/0f".parse().unwrap();
        assert!(pattern.holds(&[6, 9, 9, 0xf7]));
        assert!(!pattern.holds(&[6, 9, 9, 0xf6]));
        assert!(!pattern.holds(&[6, 9, 9]));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_form_that_is() {
        for text in ["", "x:00", "0:", "0:0", "0:00/0000", "0:zz", "-1:00", "70000:00"] {
            let told = text.parse::<Pattern>().unwrap_err();
            assert!(told.contains("OFFSET:HEX"), "{text}: {told}");
        }
    }
}
